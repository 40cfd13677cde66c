"""What an index of a tensor means: its parts as NumPy takes them, in PyTorch's order of dimensions."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

from tinygrad_dl.backends.arrays import at_hand, is_array, like, module_of
from tinygrad_dl.core.tensor import Tensor, as_array
from tinygrad_dl.core.transforms import Lifted
from tinygrad_dl.core.warning import warn
from tinygrad_dl.ops.indexing._batched import is_mask

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
    if is_array(part):
        if part.dtype.char == "B":
            warn(
                "x[index]: a uint8 index is a mask, as in PyTorch; write index.bool() for a mask, index.long() for "
                "positions"
            )
            return part != 0
        if not part.ndim and part.dtype.kind in "iu":
            return int(part.item())
    return part


def brought_to(tensor: Any, index: Any) -> Any:
    """A plain index with its arrays where a tensor lives: lists and positions may be given from the CPU for any."""
    if module_of(tensor) is np:
        return index
    if type(index) is tuple:
        return tuple([like(part, tensor) if isinstance(part, np.ndarray) else part for part in index])
    return like(index, tensor) if isinstance(index, np.ndarray) else index


def integers_first(index: Any) -> tuple[Any, Any] | None:
    """An index with picks, as one of integers and the rest for what that leaves; None if NumPy's order is the same.

    NumPy counts integers among the picks, so that a slice between an integer and a pick sends the picks' dimensions
    to the front. PyTorch takes the integers first.

    >>> import numpy as np
    >>> integers_first((0, slice(None), np.array([1, 2])))
    ((0, slice(None, None, None), slice(None, None, None)), (slice(None, None, None), array([1, 2])))
    """
    if type(index) is not tuple or int not in (
        kinds := [np.ndarray if isinstance(part, Lifted) or is_array(part) else type(part) for part in index]
    ):
        return None
    places = [i for i, kind in enumerate(kinds) if kind is int or kind is np.ndarray]
    if places[-1] - places[0] < len(places) or np.ndarray not in kinds:
        return None
    full = slice(None)
    first: list[Any] = []
    for part in index:
        if is_array(part) or isinstance(part, Lifted):
            first += [full] * (part.ndim if part.dtype.kind == "b" else 1)  # the dimensions that it takes up
        elif part is not None:
            first.append(full if type(part) is slice else part)
    return tuple(first), tuple([part for part in index if type(part) is not int])


def is_picks(part: Any) -> bool:
    """Whether a part of an index is an array of positions."""
    return is_array(part) and part.dtype.kind != "b"


def positions(parts: tuple[Any, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Where in the flattened array of that shape the index finds each of the elements that it picks."""
    full = slice(None)
    lead = 0
    while lead < len(parts) and type(parts[lead]) is slice and parts[lead] == full:
        lead += 1
    picks, module = parts[lead:], module_of(None, *parts)
    if not all(type(p) is int or is_picks(p) for p in picks):
        everywhere: np.ndarray = module.arange(math.prod(shape)).reshape(shape)[parts]
        return everywhere
    found: Any = 0
    stride = math.prod(shape[lead + len(picks) :])
    tail = stride
    for size, pick in zip(reversed(shape[lead : lead + len(picks)]), reversed(picks), strict=True):
        if type(pick) is int:
            pick = pick + size if pick < 0 else pick
        elif pick.size and (not at_hand(pick) or pick.min() < 0):
            pick = np.where(pick < 0, pick + size, pick)
        found = found + (pick if type(pick) is int else pick.astype(np.intp, copy=False)) * stride
        stride *= size
    if tail != 1:
        found = np.add.outer(found, module.arange(tail))
    if lead:
        found = np.add.outer(module.arange(math.prod(shape[:lead])) * stride, found)
    result: np.ndarray = found
    return result
