"""Indices of a batch: what an index of one example is for a batch of them."""

from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.backends.arrays import is_array
from tinygrad_dl.core.batching import Batch
from tinygrad_dl.core.transforms import Lifted


class BatchedIndex(NamedTuple):
    """An index of one example, as one of a batch of them, and how the dimensions of what it picks lie."""

    parts: tuple[Any, ...]
    ndim: int  # of what it picks
    found: tuple[int, ...]  # the dimensions where NumPy puts them
    wanted: tuple[int, ...]  # and where they belong: the batch in front


def batched_index(index: Any, ndim: int, batch: Batch) -> BatchedIndex:
    """The index of an example of `ndim` dimensions, for a batch of these."""
    parts = index if type(index) is tuple else (index,)
    advanced = [i for i, part in enumerate(parts) if type(part) is int or _is_pick(part)]
    adjacent = not advanced or advanced[-1] - advanced[0] < len(advanced)
    taken = sum([part.ndim if is_mask(part) else type(part) is not type(None) and part is not ... for part in parts])
    more = ndim - taken  # dimensions that `...` stands for
    result = sum([part is None or type(part) is slice for part in parts]) + more
    lifted = any(_is_own(part, batch) for part in parts)
    if not any(_is_pick(part) for part in parts):
        return BatchedIndex((slice(None), *parts), 1 + result, (0,), (0,))
    wide = max([1 if is_mask(part) else part.ndim for part in parts if _is_pick(part)])
    before = sum([more if part is ... else int(part is None or type(part) is slice) for part in parts[: advanced[0]]])
    if not lifted:
        # Where slices lie between picks, NumPy puts what is picked in front of everything, the batch too.
        found = (0,) if adjacent else (wide,)
        return BatchedIndex((slice(None), *parts), 1 + wide + result, found, (0,))
    first = np.arange(batch.size).reshape(batch.size, *(1,) * wide)
    own = [_pick_of_batch(part, wide) if _is_own(part, batch) else part for part in parts]
    start = before if adjacent else 0
    return BatchedIndex(
        (first, *own), 1 + wide + result, tuple(range(1, 1 + wide)), tuple(range(1 + start, 1 + start + wide))
    )


def _is_own(part: Any, batch: Batch) -> bool:
    """Whether a part of an index differs between the examples of this batch, not of one further out."""
    return isinstance(part, Lifted) and part.level is batch.level


def _is_pick(part: Any) -> bool:
    return is_array(part) or isinstance(part, Lifted)


def _pick_of_batch(part: Lifted, wide: int) -> Any:
    """Positions that differ between examples, of `wide` dimensions behind the batch."""
    value = part.value
    return value.reshape(value.shape[0], *(1,) * (wide - part.ndim), *value.shape[1:])


def is_mask(part: Any) -> bool:
    """Whether a part of an index is an array of bools."""
    return is_array(part) and part.dtype.kind == "b"
