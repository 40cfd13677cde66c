"""Tensor[index], and what Tensor[index] = value makes of it.

Integers, slices, None and `...` show the tensor's memory; integer arrays and masks (tensors, arrays or lists) pick
elements and copy them. PyTorch's order of dimensions: integers are taken first, then the picks; picks that stand
beside each other put their dimensions in their place, others in front. Negative steps work, as in NumPy.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, TypeAlias

import numpy as np
from numpy import ndarray

from tinygrad_dl.core.batching import Batch, every
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.engine import unbroadcast
from tinygrad_dl.core.promotion import require_real
from tinygrad_dl.core.tensor import Tensor, as_array
from tinygrad_dl.core.transforms import Lifted, applied
from tinygrad_dl.core.warning import warn
from tinygrad_dl.inputs import array, drawn, error, one_of, real
from tinygrad_dl.ops.indexing._batched import batched_index, is_mask
from tinygrad_dl.ops.pointwise._selection import keep

BASIC = frozenset((int, slice, type(Ellipsis), type(None)))  # what makes a view
Index: TypeAlias = Any  # plain: nothing in it changes after the call
SEQUENCES = (list, tuple, range)
INSIDE_A_TUPLE = (Tensor, np.ndarray, slice, type(Ellipsis), type(None), str, *SEQUENCES)


def plain_index(index: Any, ndim: int) -> tuple[Any, bool]:
    """The index with arrays in the place of tensors, lists and bools, and whether it is basic (makes a view)."""
    if type(index) is list:
        index = _list_as_tuple(index)
    if type(index) is tuple:
        found = tuple([part if type(part) in BASIC else _plain_part(part) for part in index])
        basic = all(type(part) in BASIC for part in found)
        return found if basic else _without_idle(found, ndim), basic
    if type(index) in BASIC:
        return index, True
    if isinstance(index, tuple):  # one of a class of its own: a shape, a namedtuple
        return plain_index(tuple(index), ndim)
    part = _plain_part(index)
    return part, type(part) in BASIC


def plain_parts(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    """The parts of an index as ops take them: arrays in the place of tensors."""
    return tuple([part if type(part) in BASIC else _plain_part(part) for part in parts])


def _without_idle(index: tuple[Any, ...], ndim: int) -> tuple[Any, ...]:
    """The index without a `...` that stands for no dimension, which in NumPy divides the picks beside it all the same.

    >>> _without_idle((..., np.array([0])), 1)
    (array([0]),)
    """
    taken = sum([part.ndim if is_mask(part) else part is not None and part is not ... for part in index])
    return tuple([part for part in index if part is not ...]) if taken >= ndim else index


def _list_as_tuple(index: list[Any]) -> Any:
    """PyTorch reads a list of anything but numbers as the parts of an index, unless it is long."""
    if len(index) >= 32 or not any(isinstance(part, INSIDE_A_TUPLE) for part in index):
        return index
    warn(
        "x[list]: a list that holds lists, tensors or slices is read as x[tuple(list)], one part for each dimension, "
        "as PyTorch does; write x[tuple(list)], or x[td.tensor(list)] for one index of several dimensions"
    )
    return tuple(index)


def lifted_part(part: Lifted) -> Lifted:
    """A tensor of a transform as a part of an index: positions, but no mask, which picks more or less by its values."""
    if part.dtype.kind not in "iu":
        raise IndexError(
            f"x[index]: got an index of dtype {part.dtype} inside of {part.level.name}, expected integers: how much a "
            "mask picks depends on its values; use td.where"
        )
    return part


def _plain_part(part: Any) -> Any:
    """One part of an index: a tensor, list or bool as an array, an integer of another kind as an int."""
    if isinstance(part, Tensor):
        if isinstance(part, Lifted):
            return lifted_part(part)
        part = part._data
    elif isinstance(part, np.ndarray):
        part = part.copy()  # as PyTorch does: what is picked stays so, whatever becomes of the array
    elif isinstance(part, SEQUENCES):
        part = as_array(part) if len(part) else np.empty(0, np.intp)
    elif isinstance(part, bool | np.bool):
        return np.asarray(part)
    elif isinstance(part, np.integer):
        return int(part)
    if isinstance(part, np.ndarray):
        if part.dtype.char == "B":
            warn(
                "x[index]: a uint8 index is a mask, as in PyTorch; write index.bool() for a mask, index.long() for "
                "positions"
            )
            return part != 0
        if not part.ndim and part.dtype.kind in "iu":
            return int(part)
    return part


def integers_first(index: Any) -> tuple[Any, Any] | None:
    """An index with picks, as one of integers and the rest for what that leaves; None if NumPy's order is the same.

    NumPy counts integers among the picks, so that a slice between an integer and a pick sends the picks' dimensions
    to the front. PyTorch takes the integers first.

    >>> import numpy as np
    >>> integers_first((0, slice(None), np.array([1, 2])))
    ((0, slice(None, None, None), slice(None, None, None)), (slice(None, None, None), array([1, 2])))
    """
    if type(index) is not tuple or int not in (
        kinds := [np.ndarray if isinstance(part, Lifted) else type(part) for part in index]
    ):
        return None
    places = [i for i, kind in enumerate(kinds) if kind is int or kind is np.ndarray]
    if places[-1] - places[0] < len(places) or np.ndarray not in kinds:
        return None
    full = slice(None)
    first: list[Any] = []
    for part in index:
        if type(part) is np.ndarray or isinstance(part, Lifted):
            first += [full] * (part.ndim if part.dtype.kind == "b" else 1)  # the dimensions that it takes up
        elif part is not None:
            first.append(full if type(part) is slice else part)
    return tuple(first), tuple([part for part in index if type(part) is not int])


TWICE = np.array([1, 1])


def _some_index(rng: np.random.Generator, input: np.ndarray) -> Any:
    """A basic index that fits the array."""
    parts: list[Any] = []
    for size in input.shape[: int(rng.integers(input.ndim + 1))]:
        low, high = sorted(rng.integers(-size - 1, size + 2, 2).tolist())
        slices = [slice(None), slice(low, high), slice(None, None, -1), slice(low, None, 2)]
        integer = int(rng.integers(-size, size)) if size else slice(None)
        parts.append([integer, *slices][int(rng.integers(5))])
    if rng.random() < 0.3:
        parts.insert(int(rng.integers(len(parts) + 1)), None)
    if rng.random() < 0.3:
        parts.append(...)
    return tuple(parts)


@op(
    linear=("input",),
    method=False,
    view=True,
    inputs=[dict(input=real(), index=drawn(_some_index)), dict(input=real(min_dims=1), index=one_of(slice(1, None)))],
    errors=[
        error(IndexError, "index 2 is out of bounds", array(2, 3), 2),
        error(IndexError, "too many indices", array(2), (0, 0)),
    ],
    reference=lambda input, index: input[index],
)
def getitem(input: Array, index: Index) -> Array:
    """input[index] for an index of integers, slices, None and `...`. A view.

    Raises:
        IndexError: an integer is out of range, or there are more parts than dimensions.

    >>> import tinygrad_dl as td
    >>> td.tensor([[1.0, 2.0], [3.0, 4.0]])[:, 1]
    tensor([2., 4.])

    Source: https://numpy.org/doc/stable/user/basics.indexing.html
    """
    out = input[index]
    if type(out) is not ndarray:  # a number: with `...` NumPy gives a 0-d view
        out = input[(*index, ...) if type(index) is tuple else (index, ...)]
    return out


@op(
    linear=("input",),
    namespace="rules",
    exact=True,
    inputs=dict(
        input=real(shape="2 m"),
        index=one_of((slice(None, None, 2),)),
        size=drawn(lambda rng, input: (3, input.shape[1])),
    ),
    reference=lambda input, index, size: np.insert(input, 1, 0, axis=0),
)
def place(input: Array, index: Index, size: tuple[int, ...]) -> Array:
    """Zeros of shape `size` with `input` at `index`: the gradient of `getitem`.

    >>> import numpy as np
    >>> place(np.ones(2), slice(1, 3), (4,))
    tensor([0., 1., 1., 0.], dtype=float64)
    """
    out = np.zeros(size, input.dtype)
    out[index] = input
    return out


getitem.vjp(input=lambda g, input_shape, index: place.generic(g, index, input_shape))


@getitem.vmap
def _getitem_batch(input: Any, index: Any) -> Any:
    return getitem(input, (slice(None), *(index if type(index) is tuple else (index,))))


place.vjp(input=lambda g, index: g[index])


@place.vmap
def _place_batch(input: Any, index: Any, size: Any, batch: Batch) -> Any:
    return place(input, (slice(None), *(index if type(index) is tuple else (index,))), (batch.size, *size))


@op(
    linear=("input",),
    name="index",
    method=False,
    exact=True,
    inputs=[
        dict(input=real(shape="3 m"), index=one_of(np.array([0, -1, 0]), np.array([[1], [2]]), np.zeros(0, int))),
        dict(input=real(shape="3 4 m"), index=one_of((TWICE, np.array([-1, 3])), (slice(1), TWICE))),
        dict(input=real(shape="3 4"), index=one_of((TWICE, None, slice(1, 3)), (..., np.array([True, False] * 2)))),
        dict(input=real(), index=drawn(lambda rng, input: np.asarray(rng.random(input.shape) < 0.5))),
    ],
    errors=[
        error(IndexError, "index 2 is out of bounds", array(2, 3), np.array([0, 2])),
        error(IndexError, "boolean index did not match", array(2, 3), np.ones(3, bool)),
    ],
    reference=lambda input, index: input[index],
)
def index_(input: Array, index: Index) -> Array:
    """input[index] for an index with integer arrays or masks in it. A copy.

    >>> import tinygrad_dl as td
    >>> td.tensor([1.0, 2.0, 3.0])[[2, 0, 0]]
    tensor([3., 1., 1.])

    Source: https://numpy.org/doc/stable/user/basics.indexing.html
    """
    if type(index) is not tuple or not _falls(input.strides):
        return input[index]
    # As in PyTorch the result lies in memory as the input does; NumPy puts what was picked first.
    if (
        input.flags.c_contiguous
        and _is_picks(index[-1])
        and all(type(part) is slice and part == WHOLE for part in index[:-1])
    ):
        return input.take(index[-1], len(index) - 1)
    return np.ascontiguousarray(input[index])


WHOLE = slice(None)


def _falls(strides: tuple[int, ...]) -> bool:
    """Whether the last dimension is the one whose elements lie closest, the one before it next, and so on."""
    return all(a >= b for a, b in itertools.pairwise(strides))


@op(
    linear=("input",),
    namespace="rules",
    inputs=[
        dict(
            input=real(shape="3 m"),
            index=one_of(np.array([0, -1, 0])),
            size=drawn(lambda rng, input: (2, input.shape[1])),
        ),
        dict(input=real(shape="2 2"), index=one_of((slice(None), TWICE)), size=one_of((2, 4))),
        dict(input=real(shape="2"), index=one_of((TWICE, 1), (TWICE, ..., 1)), size=one_of((2, 2))),
    ],
    reference=lambda input, index, size: _naive_accumulate(input, index, size),
)
def accumulate(input: Array, index: Index, size: tuple[int, ...]) -> Array:
    """Zeros of shape `size` with `input` added at `index`, repeatedly where indices repeat: the gradient of `index`.

    >>> import numpy as np
    >>> accumulate(np.ones(3), np.array([1, 1, 0]), (4,))
    tensor([1., 2., 0., 0.], dtype=float64)
    """
    out = np.zeros(size, input.dtype)
    parts = index if type(index) is tuple else (index,)
    if sum([type(part) is np.ndarray for part in parts]) == 1 and any(is_mask(part) for part in parts):
        out[index] = input  # a single mask picks nothing twice
    elif input.size:
        # NumPy's add.at is fast in one dimension only.
        np.add.at(out.reshape(-1), positions(parts, size).reshape(-1), input.reshape(-1))
    return out


index_.vjp(input=lambda g, input_shape, index: accumulate.generic(g, index, input_shape))


@index_.vmap
def _index_batch(input: Any, index: Any, batch: Batch) -> Any:
    plan = batched_index(index, input.ndim - ("input" in batch.of), batch)
    return every(input, "input", batch)[plan.parts].movedim(plan.found, plan.wanted)


accumulate.vjp(input=lambda g, index: g[index])


@accumulate.vmap
def _accumulate_batch(input: Any, index: Any, size: Any, batch: Batch) -> Any:
    plan = batched_index(index, len(size), batch)
    values = every(input, "input", batch).movedim(plan.wanted, plan.found)
    return accumulate(values, plain_parts(plan.parts), (batch.size, *size))


def _naive_accumulate(input: np.ndarray, index: Any, size: tuple[int, ...]) -> np.ndarray:
    """`accumulate` by NumPy, to test against."""
    out = np.zeros(size, input.dtype)
    np.add.at(out, index, input)
    return out


def _is_picks(part: Any) -> bool:
    return type(part) is np.ndarray and part.dtype.kind != "b"


def positions(parts: tuple[Any, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Where in the flattened array of that shape the index finds each of the elements that it picks."""
    full = slice(None)
    lead = 0
    while lead < len(parts) and type(parts[lead]) is slice and parts[lead] == full:
        lead += 1
    picks = parts[lead:]
    if not all(type(p) is int or _is_picks(p) for p in picks):
        everywhere: np.ndarray = np.arange(math.prod(shape)).reshape(shape)[parts]
        return everywhere
    found: Any = 0
    stride = math.prod(shape[lead + len(picks) :])
    tail = stride
    for size, pick in zip(reversed(shape[lead : lead + len(picks)]), reversed(picks), strict=True):
        if type(pick) is int:
            pick = pick + size if pick < 0 else pick
        elif pick.size and pick.min() < 0:
            pick = np.where(pick < 0, pick + size, pick)
        found = found + np.asarray(pick, np.intp) * stride
        stride *= size
    if tail != 1:
        found = np.add.outer(found, np.arange(tail))
    if lead:
        found = np.add.outer(np.arange(math.prod(shape[:lead])) * stride, found)
    result: np.ndarray = found
    return result


# -- assignment --------------------------------------------------------------------------------------


@op(
    method=False,
    exact=True,
    inputs=[
        dict(input=real(), index=drawn(_some_index), value=real(shape="")),
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
    if any(_is_picks(part) for part in parts) and value.ndim:
        # Which of several values for one element stays is certain in one dimension only.
        spots = positions(parts, input.shape)
        spots = spots.reshape(np.empty(input.shape, bool)[index].shape)
        out.reshape(-1)[spots.reshape(-1)] = np.broadcast_to(value, spots.shape).reshape(-1)
    else:
        put(out, index, value)
    return out


def put(out: np.ndarray, index: Any, value: np.ndarray) -> None:
    """out[index] = value, with one error for whatever does not broadcast, single elements and masks included."""
    try:
        out[index] = value
    except (TypeError, ValueError):
        if not out.flags.writeable:
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
    if any(_is_picks(part) for part in parts):
        spots = positions(parts, input_shape).reshape(picked.shape)
        picked = keep(picked, survivors(spots, math.prod(input_shape)))
    shape = without_ones_in_front(value_shape)
    if picked.shape != shape:
        picked = unbroadcast(picked, shape)
    return picked if shape == value_shape else picked.reshape(value_shape)


setitem.vjp(input=lambda g, index: setitem.generic(g, index, np.zeros((), g.dtype)), value=_setitem_value)


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
    input=lambda t, index: setitem.generic(t, index, np.zeros((), t.dtype)),
    value=lambda t, index, input_shape: setitem.generic(np.zeros(input_shape, t.dtype), index, t),
)


def survivors(spots: np.ndarray, size: int) -> np.ndarray:
    """Of elements stored one after the other at `spots`, which were not overwritten by a later one."""
    flat = spots.reshape(-1)
    order = np.arange(flat.size)
    last = np.zeros(size, np.intp)
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


def take_item(self: Tensor, index: Any) -> Any:
    """self[index]."""
    kind = type(index)
    if kind in BASIC:
        return getitem(self, index)
    index, basic = plain_index(index, self.ndim)
    if basic:
        return getitem(self, index)
    split = integers_first(index)
    if any(isinstance(part, Lifted) for part in (index if type(index) is tuple else (index,))):
        picked, rest = (self, index) if split is None else (getitem(self, split[0]), split[1])
        return applied(index_.op, {"input": picked, "index": rest})
    return index_(self, index) if split is None else index_(getitem(self, split[0]), split[1])


def with_items(input: Any, index: Any, value: Any) -> Any:
    """A copy of `input` with `value` at the index, which is plain."""
    split = integers_first(index)
    if split is None:
        return setitem(input, index, value)
    first, rest = split
    return setitem(input, first, setitem(getitem(input, first), rest, value))


for _name, _method in {"__getitem__": take_item}.items():
    setattr(Tensor, _name, _method)
