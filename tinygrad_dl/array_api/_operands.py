"""What functions of the standard have in common: operands of one dtype, dimensions, docstrings."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

import tinygrad_dl as td
from tinygrad_dl import Tensor
from tinygrad_dl.core import promotion
from tinygrad_dl.core.dtypes import as_dtype
from tinygrad_dl.core.namespaces import completed

F = TypeVar("F", bound=Callable[..., Any])
VERSION = "2025.12"
PAGE = f"https://data-apis.org/array-api/{VERSION}/API_specification/generated/array_api.{{}}.html"


def common(values: Iterable[Any]) -> np.dtype[Any]:
    """The dtype that arrays and dtypes promote to; a 0-d array counts as any other.

    Python's numbers count only if they are of a higher kind: 1.5 beside float64 is float64, beside int64 the default
    floating dtype.
    """
    found: np.dtype[Any] | None = None
    numbers: list[Any] = []
    for value in values:
        if isinstance(value, bool | int | float | complex) and not isinstance(value, np.generic):
            numbers.append(value)
            continue
        dtype = as_dtype(value.dtype if isinstance(value, Tensor | np.ndarray | np.generic) else value)
        found = dtype if found is None else promotion.promote(found, dtype)
    return (
        found
        if found is not None and not numbers
        else promotion.result_dtype((*([] if found is None else [np.empty(1, found)]), *numbers))
    )


def converted(value: Any, dtype: np.dtype[Any]) -> Tensor:
    """A tensor of the dtype: of a tensor, in the graph, or of a number."""
    if isinstance(value, Tensor):
        return value if value.dtype == dtype else value.to(dtype)
    return td.tensor(value, dtype=dtype)


def together(*values: Any) -> list[Tensor]:
    """The operands as tensors of the dtype that they promote to."""
    first = values[0]
    if all(isinstance(value, Tensor) and value.dtype is first.dtype for value in values):
        return list(values)
    dtype = common(values)
    return [converted(value, dtype) for value in values]


def reduced(op: Callable[..., Any], x: Tensor, axis: Any, keepdims: bool, **options: Any) -> Any:
    """A reduction over all dimensions (None), one, several, or none of them: an empty tuple."""
    dims = tuple(range(x.ndim)) if axis is None else axis
    if dims == ():
        return op(x.unsqueeze(0), dim=0, **options)
    return op(x, dim=dims, keepdim=keepdims, **options)


def named(function: F, name: str, text: str) -> F:
    """A function of a table under its name, with its docstring."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = text
    return function


def document(namespace: dict[str, Any], prefix: str = "") -> None:
    """Completes the docstrings of the functions that a namespace exports by the standard's pages of their names."""
    for name in namespace["__all__"]:
        value = namespace[name]
        if isinstance(value, types.FunctionType) and value.__module__.startswith(__package__ or ""):
            value.__doc__ = completed(value.__doc__ or "", PAGE.format(prefix + name))
    names: list[str] = namespace["__all__"]
    namespace.setdefault("__dir__", lambda: names)
