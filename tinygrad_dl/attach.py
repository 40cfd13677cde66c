"""Makes ops methods and operators of Tensor."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tinygrad_dl.tensor import Tensor

if TYPE_CHECKING:
    from tinygrad_dl.op import Op


def attach_method(function: Any, op: Op, name: str, varargs: bool, inplace: bool) -> None:
    """Makes the op a method of Tensor, and `<name>_` its in-place form."""
    if name in Tensor.__dict__ and getattr(Tensor.__dict__[name], "op", None) is None:
        raise TypeError(f"op {op.name}: Tensor.{name} exists already; pass method=False or another name")
    method = function
    if varargs:

        @functools.wraps(function)
        def method(self: Tensor, *numbers: Any, **kwargs: Any) -> Any:
            if len(numbers) == 1 or not numbers:
                return function(self, *numbers, **kwargs)
            return function(self, numbers, **kwargs)

    setattr(Tensor, name, method)
    if inplace:
        setattr(Tensor, f"{name}_", inplace_form(method, f"{name}_"))


def inplace_form(function: Any, name: str) -> Callable[..., Tensor]:
    """The in-place method that stores the function's result in its tensor."""

    def change(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return self._assign(function(self, *args, **kwargs), name)

    change.__name__ = change.__qualname__ = name
    change.__doc__ = f"The in-place form of `{name.rstrip('_')}`: changes the tensor and returns it."
    return change


def attach_operator(function: Any, operator: str, inplace: bool) -> None:
    """Makes the op an operator of Tensor, both ways round."""
    setattr(Tensor, f"__{operator}__", function)
    if len(function.op.positional) == 2 and operator not in ("eq", "ne", "lt", "le", "gt", "ge", "getitem"):
        setattr(Tensor, f"__r{operator}__", lambda self, other: function(other, self))
    if inplace:
        setattr(Tensor, f"__i{operator}__", inplace_form(function, f"__i{operator}__"))
