"""Methods that put what a Python function returns into a tensor, one element after the other: slow, for any function.

`td.func.vmap` and the operations themselves do the same for all elements at once, with gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core.promotion import in_single, require_real
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import is_known
from tinygrad_dl.ops._overload import method


def _filled(name: str, self: Tensor, callable: Callable[..., Any], *others: Tensor) -> Tensor:
    """`self` with the function's results of its elements and those of others, which broadcast to it."""
    for each in (self, *others):
        if not is_known(each):
            raise RuntimeError(
                f"{name}: got a tensor inside of a transform, expected one outside of any: a Python function sees one "
                "number at a time; use operations of tensors"
            )
        if each.requires_grad:
            raise RuntimeError(
                f"{name}: got a tensor that requires a gradient, expected none that does: nothing is known of the "
                f"function's derivative; use x.detach().{name}(...), or declare a td.autograd.Function"
            )
        if each.dtype != self.dtype:
            raise TypeError(f"{name}: got a tensor of dtype {each.dtype}, expected that of the tensor, {self.dtype}")
    arrays = [np.broadcast_to(in_single(each._data), self.shape).reshape(-1).tolist() for each in (self, *others)]
    found = [callable(*numbers) for numbers in zip(*arrays, strict=True)]
    for each in found:
        if not isinstance(each, bool | int | float | complex | np.number | np.bool):
            raise TypeError(f"{name}: got the result {each!r} of the function, expected a number")
    made = np.array(found or np.empty(0, self._data.dtype))
    require_real(made, self._data.dtype)
    self._write(made.astype(self._data.dtype).reshape(self.shape), name)
    return self


@method
def apply_(self: Tensor, callable: Callable[..., Any]) -> Tensor:
    """Each element becomes callable(element), in place.

    Args:
        callable: a function of one Python number that returns one, which is cast to the tensor's dtype.

    Raises:
        RuntimeError: the tensor requires a gradient. TypeError: the function returns no number.

    >>> import tinygrad_dl as td
    >>> td.tensor([1.0, 2.0]).apply_(lambda x: x + 10)
    tensor([11., 12.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.apply_.html
    """
    return _filled("apply_", self, callable)


@method
def map_(self: Tensor, tensor: Tensor, callable: Callable[..., Any]) -> Tensor:
    """Each element becomes callable(element, that of `tensor`), in place.

    Args:
        tensor: of the same dtype; it broadcasts to this one's shape.
        callable: a function of two Python numbers that returns one, which is cast to the tensor's dtype.

    Raises:
        RuntimeError: a tensor requires a gradient. TypeError: another dtype, or the function returns no number.

    >>> import tinygrad_dl as td
    >>> td.tensor([1, 2]).map_(td.tensor([5, 1]), max)
    tensor([5, 2])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.map_.html
    """
    return _filled("map_", self, callable, tensor)


@method
def map2_(self: Tensor, x: Tensor, y: Tensor, callable: Callable[..., Any]) -> Tensor:
    """Each element becomes callable(element, that of `x`, that of `y`), in place: see `map_`.

    >>> import tinygrad_dl as td
    >>> td.tensor([1, 5]).map2_(td.tensor([2]), td.tensor([4]), lambda value, low, high: min(max(value, low), high))
    tensor([2, 4])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.map_.html
    """
    return _filled("map2_", self, callable, x, y)
