"""What Tensor[index] = value makes of the tensor; the change itself is in `ops/tensor/inplace.py`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import has_own_elements, module_of
from tinygrad_dl.core.batching import Batch, every
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.engine import unbroadcast
from tinygrad_dl.core.promotion import require_real
from tinygrad_dl.inputs import array, drawn, error, one_of, real
from tinygrad_dl.ops.indexing._batched import batched_index
from tinygrad_dl.ops.indexing._index import Index, integers_first, is_picks, plain_parts, positions
from tinygrad_dl.ops.indexing.getitem import getitem, some_index
from tinygrad_dl.ops.pointwise._selection import keep


@op(
    method=False,
    exact=True,
    inputs=[
        dict(input=real(), index=drawn(some_index), value=real(shape="")),
        dict(input=real(shape="3 m"), index=one_of(0, (1, ...), slice(1, None)), value=real(shape="m")),
        dict(input=real(shape="3 m"), index=one_of(np.array([0, 2]), np.array([1, 1, 0])), value=real(shape="1 m")),
        dict(input=real(shape="3"), index=one_of(np.array([0, 1, 0])), value=real(shape="3")),
        dict(
            input=real(),
            index=drawn(lambda rng, input: np.asarray(rng.random(input.shape) < 0.5)),
            value=real(shape=""),
        ),
    ],
    errors=[
        error(IndexError, "index 2 is out of bounds", array(2, 3), 2, array()),
        error(ValueError, "could not broadcast", array(2, 3), 0, array(2)),
    ],
    reference=lambda input, index, value: _naive_setitem(input, index, value),
)
def setitem(input: Array, index: Index, value: Array) -> Array:
    """A copy of `input` in which the elements at `index` are those of `value`, broadcast.

    It is what `input[index] = value` records. Of several values for one element the last one stays.

    Raises:
        IndexError: the index does not fit. ValueError: the value's shape does not.

    >>> import tinygrad_dl as td
    >>> x = td.zeros(3)
    >>> x[1:] = td.tensor([1.0, 2.0])
    >>> x
    tensor([0., 1., 2.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.index_put_.html
    """
    out = input.copy("C")
    value = storable(value, input)
    parts = index if type(index) is tuple else (index,)
    picks = [part for part in parts if is_picks(part)]
    if picks and value.ndim and not (len(picks) == len(parts) == picks[0].ndim == 1):
        # Which of several values for one element stays is certain in one dimension only.
        spots = positions(parts, input.shape)
        spots = spots.reshape(out[index].shape)
        out.reshape(-1)[spots.reshape(-1)] = np.broadcast_to(value, spots.shape).reshape(-1)
    else:
        put(out, index, value)
    return out


def put(out: np.ndarray, index: Any, value: np.ndarray) -> None:
    """out[index] = value, with one error for whatever does not broadcast, single elements and masks included."""
    try:
        out[index] = value
    except (TypeError, ValueError):
        if not has_own_elements(out):
            raise
        raise ValueError(
            f"could not broadcast a value into what the index picks: got shape {value.shape}, expected one that "
            f"broadcasts to {np.shape(out[index])}"
        ) from None


def _naive_setitem(input: np.ndarray, index: Any, value: np.ndarray) -> np.ndarray:
    """`setitem` with every element of the value spelled out, to test against."""
    spots = np.arange(input.size).reshape(input.shape)[index]
    flat = input.reshape(-1).copy()
    for spot, each in zip(spots.reshape(-1), np.broadcast_to(value, spots.shape).reshape(-1), strict=True):
        flat[spot] = each
    return flat.reshape(input.shape)


def _setitem_value(g: Any, input_shape: tuple[int, ...], index: Any, value_shape: tuple[int, ...]) -> Any:
    picked = g[index]
    parts = index if type(index) is tuple else (index,)
    if any(is_picks(part) for part in parts):
        spots = positions(parts, input_shape).reshape(picked.shape)
        picked = keep(picked, survivors(spots, math.prod(input_shape)))
    shape = without_ones_in_front(value_shape)
    if picked.shape != shape:
        picked = unbroadcast(picked, shape)
    return picked if shape == value_shape else picked.reshape(value_shape)


setitem.vjp(input=lambda g, index: setitem.generic(g, index, module_of(g).zeros((), g.dtype)), value=_setitem_value)


@setitem.vmap
def _setitem_batch(input: Any, index: Any, value: Any, batch: Batch) -> Any:
    plan = batched_index(index, input.ndim - ("input" in batch.of), batch)
    if "value" in batch.of or plan.found != plan.wanted:
        value = every(value, "value", batch)
        given = without_ones_in_front(value.shape[1:])
        value = value.reshape(batch.size, *(1,) * (plan.ndim - 1 - len(given)), *given)
        value = value.movedim(plan.wanted, plan.found)
    return with_items(every(input, "input", batch), plain_parts(plan.parts), value)


setitem.jvp(
    input=lambda t, index: setitem.generic(t, index, module_of(t).zeros((), t.dtype)),
    value=lambda t, index, input_shape: setitem.generic(module_of(t).zeros(input_shape, t.dtype), index, t),
)


def survivors(spots: np.ndarray, size: int) -> np.ndarray:
    """Of elements stored one after the other at `spots`, which were not overwritten by a later one."""
    flat = spots.reshape(-1)
    module = module_of(flat)
    order = module.arange(flat.size)
    last = module.zeros(size, np.intp)
    last[flat] = order
    kept: np.ndarray = last[flat] == order
    return kept.reshape(spots.shape)


def storable(value: np.ndarray, into: np.ndarray) -> np.ndarray:
    """The value as it broadcasts to what it is stored in, unless storing it would drop imaginary parts."""
    require_real(value, into.dtype)
    return value.reshape(without_ones_in_front(value.shape)) if value.ndim and value.shape[0] == 1 else value


def without_ones_in_front(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a value as it is stored: dimensions of size 1 in front do not count."""
    first = next((i for i, n in enumerate(shape) if n != 1), len(shape))
    return shape[first:]


def with_items(input: Any, index: Any, value: Any) -> Any:
    """A copy of `input` with `value` at the index, which is plain."""
    split = integers_first(index)
    if split is None:
        return setitem(input, index, value)
    first, rest = split
    return setitem(input, first, setitem(getitem(input, first), rest, value))
