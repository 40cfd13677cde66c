"""Filling whole tensors in place."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops._overload import method
from tinygrad_dl.ops.tensor.conversion import clone
from tinygrad_dl.ops.tensor.inplace import store


@method
def fill_(self: Tensor, value: Any) -> Tensor:
    """Every element becomes `value`, a number or 0-d tensor, in place.

    >>> import tinygrad_dl as td
    >>> td.empty(2).fill_(1.5)
    tensor([1.5000, 1.5000])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.fill_.html
    """
    if getattr(value, "ndim", 0):
        raise ValueError(f"fill_: got a value of shape {tuple(value.shape)}, expected a number or a 0-d tensor")
    return store(self, ..., value, "fill_")


@composition
def fill(input: Array, value: Any) -> Tensor:
    """A tensor of the shape and dtype of `input` whose elements all are `value`, a number or 0-d tensor.

    Raises:
        RuntimeError: `value` has dimensions.

    >>> td.fill(td.zeros(2), 1.5)
    tensor([1.5000, 1.5000])
    """
    if getattr(value, "ndim", 0):
        raise RuntimeError(f"fill: got a value of shape {tuple(value.shape)}, expected a number or a 0-d tensor")
    return clone(input).fill_(value)


@method
def zero_(self: Tensor) -> Tensor:
    """Every element becomes 0, in place.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.zero_.html
    """
    return store(self, ..., 0, "zero_")


@method
def copy_(self: Tensor, src: Array, non_blocking: bool = False) -> Tensor:
    """The elements become those of `src`, broadcast and cast, in place; `src` may live on another device.

    >>> import tinygrad_dl as td
    >>> td.zeros(2).copy_(td.tensor([1, 2]))
    tensor([1., 2.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.copy_.html
    """
    if isinstance(src, Tensor) and module_of(src) is not module_of(self):
        src = src.to(self.device)
    return store(self, ..., src, "copy_")
