"""Tensor[index], and Tensor[index] = value: NumPy's rules for indices, which are PyTorch's and more."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.op import Array, op
from tinygrad_dl.samples import array, drawn, error, real
from tinygrad_dl.tensor import Tensor

BASIC = frozenset((int, slice, type(Ellipsis), type(None)))


def plain_index(index: Any) -> tuple[Any, bool]:
    """The index with arrays in the place of tensors and lists, and whether it is basic (a view)."""
    kind = type(index)
    if kind in BASIC:
        return index, True
    if kind is not tuple:
        return _plain_part(index), False
    for part in index:
        if type(part) not in BASIC:
            found = tuple([part if type(part) in BASIC else _plain_part(part) for part in index])
            return found, all([type(part) in BASIC for part in found])
    return index, True


def _plain_part(part: Any) -> Any:
    """One part of an index: a tensor or list as an array, an integer-like object as an int."""
    if isinstance(part, Tensor):
        return part._data
    if isinstance(part, list | tuple | range):
        return np.asarray(part, None if len(part) else np.intp) if not _has_tensor(part) else np.array([*map(_plain_part, part)])
    if isinstance(part, np.integer):
        return int(part)
    return part


def _has_tensor(parts: Any) -> bool:
    return any(isinstance(part, Tensor) for part in parts)


@op(
    method=False,
    operator="getitem",
    view=True,
    aux={"place": None, "basic": None},
    inputs=dict(input=real(min_dims=1, min_side=1), index=drawn(lambda rng, input: int(rng.integers(len(input))))),
    errors=[error(IndexError, "out of bounds", array(2, 3), 2)],
    reference=lambda input, index: input[index],
)
def getitem(input: Array, index: Any) -> Any:
    """input[index].

    >>> import tinygrad_dl as td
    >>> td.tensor([1.0, 2.0, 3.0])[1:]
    tensor([2., 3.])
    """
    place, basic = plain_index(index)
    out = input[place]
    if type(out) is not np.ndarray:  # a number: take it as a 0-d view
        out = input[(*place, ...) if type(place) is tuple else (place, ...)]
    return out, place, basic


getitem.vjp(input=lambda g, input_shape, place, basic: scattered.duck(g, place, input_shape, basic))


@op(
    method=False,
    inputs=dict(input=real(shape=""), index=drawn(lambda rng, input: 1), size=drawn(lambda rng, input: (3,)), basic=drawn(lambda rng, input: True)),
    reference=lambda input, index, size, basic: np.where(np.arange(3) == 1, input, 0),
)
def scattered(input: Array, index: Any, size: Any, basic: bool) -> Array:
    """Zeros of shape `size` with `input` added at `index`."""
    out = np.zeros(size, input.dtype)
    if basic:
        out[index] = input
    else:
        np.add.at(out, index, input)
    return out


scattered.vjp(input=lambda g, index: g[index])
