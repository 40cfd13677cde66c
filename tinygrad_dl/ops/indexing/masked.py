"""Picking and filling elements by masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import at_hand, module_of
from tinygrad_dl.core.batching import Batch, every
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.promotion import require_room, require_same
from tinygrad_dl.core.tensor import Tensor, as_array
from tinygrad_dl.inputs import array, boolean, broadcasting, error, real
from tinygrad_dl.ops._overload import alias, method
from tinygrad_dl.ops.indexing.getitem import index_
from tinygrad_dl.ops.indexing.setitem import setitem
from tinygrad_dl.ops.pointwise._selection import LARGE, select
from tinygrad_dl.ops.pointwise.where import where
from tinygrad_dl.ops.shape.expand import expand
from tinygrad_dl.ops.shape.reshape import reshape


def _as_mask(mask: np.ndarray, what: str) -> np.ndarray:
    if mask.dtype.kind != "b":
        raise TypeError(f"{what}: expected a mask of dtype bool, got {mask.dtype}; compare it, or call .bool()")
    return mask


@op(
    kind="elementwise",
    inplace=True,
    promote=False,
    exact=True,
    inputs=broadcasting(real(), boolean(), real(shape="")),
    errors=[
        error(TypeError, "expected a mask of dtype bool", array(2), array(2), array()),
        error(ValueError, "got a value of shape", array(2), array(2, dtype="bool"), array(1)),
    ],
    reference=lambda input, mask, value: np.where(mask, value, input),
)
def masked_fill(input: Array, mask: Array, value: Array) -> Array:
    """`value` (a number or 0-d tensor) where the mask holds, `input` elsewhere. The mask broadcasts.

    The gradient of what was filled is exactly 0, whatever stood there.

    Raises:
        TypeError: the mask is not of dtype bool, or a complex value is to fill a real tensor.
        ValueError: `value` has dimensions.
        OverflowError: an integer dtype can't hold the value.

    >>> td.tensor([1.0, 2.0]).masked_fill(td.tensor([True, False]), float("-inf"))
    tensor([-inf,   2.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.masked_fill.html
    """
    _as_mask(mask, "masked_fill")
    if value.ndim:
        raise ValueError(
            f"got a value of shape {value.shape}, expected a number or 0-d tensor; td.where() takes others"
        )
    require_room(value, input.dtype)
    if input.size >= LARGE or not at_hand(input):
        return select(mask, value.astype(input.dtype), input)
    out = input.copy()
    try:
        np.copyto(out, value, "unsafe", mask)
    except ValueError:  # the mask is the larger one
        return np.where(mask, value.astype(input.dtype), input)
    return out


masked_fill.vjp(
    input=lambda g, mask: masked_fill.generic(g, mask, module_of(g).zeros((), g.dtype)),
    mask=None,
    value=lambda g, mask: masked_fill.generic(g, ~mask, module_of(g).zeros((), g.dtype)),
)


@masked_fill.vmap
def _masked_fill_batch(input: Any, mask: Any, value: Any, batch: Batch) -> Any:
    tensors = [every(each, name, batch) for name, each in (("input", input), ("mask", mask))]
    ndim = max(each.ndim for each in tensors)
    input, mask = (each.reshape(batch.size, *(1,) * (ndim - each.ndim), *each.shape[1:]) for each in tensors)
    if "value" not in batch.of:
        return masked_fill(input, mask, value)
    return where(mask, value.to(input.dtype).reshape(batch.size, *(1,) * (ndim - 1)), input)


@method
def masked_select(input: Array, mask: Array) -> Tensor:
    """The elements where the mask holds, in one dimension. Both broadcast.

    >>> x = td.tensor([1.0, -2.0, 3.0])
    >>> x.masked_select(x > 0)
    tensor([1., 3.])
    """
    found = _as_mask(as_array(mask), "masked_select")
    shape = np.broadcast_shapes(input.shape, found.shape)
    wide = input if input.shape == shape else expand(input, shape)
    return index_(wide, np.broadcast_to(found, shape))


@composition
def masked_scatter(input: Array, mask: Array, source: Any) -> Tensor:
    """A copy of `input` whose elements where the mask holds are the first ones of `source`, in order. Both broadcast.

    Raises:
        ValueError: `source` has too few elements.

    >>> td.zeros(3).masked_scatter(td.tensor([True, False, True]), td.tensor([1.0, 2.0, 3.0]))
    tensor([1., 0., 2.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.masked_scatter.html
    """
    found = _as_mask(as_array(mask), "masked_scatter")
    shape = np.broadcast_shapes(input.shape, found.shape)
    found, input = np.broadcast_to(found, shape), input if input.shape == shape else expand(input, shape)
    count = int(np.count_nonzero(found)) if at_hand(found) else int(np.count_nonzero(found).item())
    if source.numel() < count:
        raise ValueError(
            f"masked_scatter: got a source of {source.numel()} elements, expected {count} or more, as the mask picks"
        )
    require_same(source.dtype, input.dtype)
    return setitem(input, found, reshape(source, -1)[:count])


alias("masked_scatter", masked_scatter, inplace=True)
