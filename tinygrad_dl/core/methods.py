"""Makes ops methods and operators of Tensor, and what NumPy calls with tensors."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import like
from tinygrad_dl.core.dispatch import DIRECT, NUMPY, called
from tinygrad_dl.core.lazy import attach
from tinygrad_dl.core.promotion import FLOAT32, is_half, result_dtype
from tinygrad_dl.core.record import Record
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import Escape


def methods(function: Any, name: str, inplace: bool) -> dict[str, Any]:
    """The op as a method of Tensor, and `<name>_`, its in-place form."""
    return {name: function, **({f"{name}_": inplace_form(function, f"{name}_")} if inplace else {})}


def operators(function: Any, operator: str, inplace: bool) -> dict[str, Any]:
    """The op as an operator of Tensor, both ways round."""
    if len(function.op.positional) == 2 and operator != "getitem":
        function = function.op.as_operator()
    found = {f"__{operator}__": function}
    if len(function.op.positional) == 2 and operator not in ("eq", "ne", "lt", "le", "gt", "ge", "getitem"):
        found[f"__r{operator}__"] = turned(function)
    if inplace:
        found[f"__i{operator}__"] = inplace_form(function, f"__i{operator}__")
    return found


def turned(function: Any) -> Callable[[Any, Any], Any]:
    """The operator with its operands the other way round."""

    def reflected(self: Any, other: Any) -> Any:
        return function(other, self)

    reflected.op = function.op  # type: ignore[attr-defined]
    return reflected


def inplace_form(function: Any, name: str) -> Callable[..., Tensor]:
    """The in-place method that stores the function's result in its tensor."""

    def change(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        found = function(self, *args, **kwargs)
        return found if found is NotImplemented else self._assign(found, name)

    change.op = getattr(function, "op", None)  # type: ignore[attr-defined]
    change.__name__ = change.__qualname__ = name
    change.__doc__ = f"The in-place form of `{name.rstrip('_')}`: changes the tensor and returns it."
    return change


def require_free(op: Record, kind: str, taken: Mapping[Any, Any], wanted: Iterable[Any]) -> None:
    """Raises if a place that an op is to have is another's; its own, declared before, it may have again."""
    for place in wanted:
        if place not in taken:
            continue
        holder = getattr(taken[place], "op", taken[place])
        if getattr(holder, "home", None) == op.home and holder.key == op.key:
            continue
        shown = getattr(place, "__name__", place)
        by = f"the op {holder.key!r} declared at {holder.home}" if hasattr(holder, "home") else "class Tensor itself"
        raise ValueError(
            f"op {op.key!r}: got the {kind} {shown!r}, which is taken by {by}, expected a {kind} that is free; "
            f"{REMEDY[kind]}"
        )


REMEDY = {
    "name": "rename the function, or pass name=...",
    "method": "pass method=False or method=<another name>, and leave out operator=... and inplace=True",
    "NumPy function": "leave it out of @td.op(...), and call your op by its own name",
}


# -- NumPy's protocols ---------------------------------------------------------------------------------


def numpy_call(function: Any, fallback: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """What `np.f(tensor)` does: our operation if there is one, else NumPy's on data without a graph."""
    direct = DIRECT.get(function)
    try:
        if direct is not None:
            ours, places, names = direct
            if len(args) <= places and names.issuperset(kwargs) and NUMPY.get(function) is ours:
                return ours(*args, **kwargs)
        from tinygrad_dl.core import protocol  # loaded when first needed

        return protocol.call(function, fallback, args, kwargs)
    except Escape as escape:
        escape.asked = called(function) if escape.asked in ("", "numpy") else escape.asked
        raise
    except (TypeError, ValueError, IndexError) as error:
        if error.args and str(error.args[0]).startswith("got "):  # which only the caller can name
            error.args = (f"{called(function)}: {error.args[0]}",)
        raise


def numpy_form(function: Any) -> Any:
    """The op as what NumPy's function of it calls, which takes more than PyTorch's: numbers, one array as several."""
    record = function.op
    if record.sequence is None and record.scalars in ("all", "some"):
        return function
    taken = takes_rows if record.sequence else numbers_as_arrays

    @functools.wraps(function)
    def form(*args: Any, **kwargs: Any) -> Any:
        given = {**dict(zip(record.positional, args, strict=False)), **kwargs}
        given.update(taken({name: given[name] for name in record.tensors if name in given}))
        return function(**given)

    return form


def takes_rows(given: dict[str, Any]) -> dict[str, Any]:
    """A tensor in the place of several as those in its first dimension."""
    return {name: list(value) if isinstance(value, Tensor) else value for name, value in given.items()}


def numbers_as_arrays(given: dict[str, Any]) -> dict[str, Any]:
    """Python numbers as arrays of the dtype that they have beside the tensor among the values."""
    beside = next((value for value in given.values() if isinstance(value, Tensor)), None)
    found = {}
    for name, value in given.items():
        if beside is not None and isinstance(value, bool | int | float | complex):
            low = is_half(beside.dtype)  # a number is not rounded to half precision
            value = like(value, beside, FLOAT32 if low else result_dtype((np.empty(0, beside.dtype), value)))
        found[name] = value
    return found


def array_ufunc(self: Tensor, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """What NumPy calls for a ufunc, or a ufunc's method, with a tensor among its arguments."""
    function: Any = ufunc if method == "__call__" else (ufunc, method)
    return numpy_call(function, getattr(ufunc, method), inputs, kwargs)


def array_function(self: Tensor, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """What NumPy calls for any other of its functions."""
    return numpy_call(function, function, args, kwargs)


attach("__array_ufunc__", array_ufunc)
attach("__array_function__", array_function)
