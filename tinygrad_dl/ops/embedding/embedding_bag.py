"""Sums, means and maxima of bags of rows of a table."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.ops.embedding.embedding import embedding, row_of
from tinygrad_dl.ops.pointwise.where import where

MODES = ("sum", "mean", "max")


@composition
def embedding_bag(
    input: Array,
    weight: Array,
    offsets: Array | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Array | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, the mean or the maximum of the rows of a table that each bag of integers names: `embedding`, reduced.

    Args:
        input: integers, (bags, length) or all bags in a row, (N,).
        weight: the table, (num_embeddings, dim).
        offsets: where each bag begins in an input of one dimension, from 0 on; a bag may be empty, and gives zeros.
        max_norm, norm_type, scale_grad_by_freq, sparse: as for `embedding`; the last two not in mode "max".
        mode: "sum", "mean" or "max".
        per_sample_weights: of the input's shape: what each row is multiplied by, in mode "sum" alone.
        include_last_offset: whether the last offset is the end of the last bag, and begins none.
        padding_idx: a row that no bag takes in.

    Returns:
        (bags, dim).

    Raises:
        ValueError: shapes, offsets or the mode that do not fit. IndexError: an integer out of range. TypeError: no
            integers, or per_sample_weights of another dtype than the table. NotImplementedError: per_sample_weights in
            another mode than "sum".

    >>> table = td.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> td.nn.functional.embedding_bag(td.tensor([[0, 1], [2, 2]]), table)
    tensor([[2., 3.],
            [5., 6.]])
    >>> td.nn.functional.embedding_bag(td.tensor([0, 1, 2]), table, td.tensor([0, 1]), mode="sum")
    tensor([[ 1.,  2.],
            [ 8., 10.]])
    """
    if mode not in MODES:
        raise ValueError(f"embedding_bag: expected a mode among {MODES}, got {mode!r}")
    if mode == "max" and (scale_grad_by_freq or sparse):
        raise ValueError("embedding_bag: got scale_grad_by_freq or sparse in mode 'max', expected neither")
    if per_sample_weights is not None:
        if mode != "sum":
            raise NotImplementedError(f"embedding_bag: got per_sample_weights in mode {mode!r}, expected mode 'sum'")
        if per_sample_weights.shape != input.shape:
            raise ValueError(
                f"embedding_bag: expected per_sample_weights of the input's shape {input.shape}, got "
                f"{per_sample_weights.shape}"
            )
        if per_sample_weights.dtype != weight.dtype:
            raise TypeError(
                f"embedding_bag: expected per_sample_weights of the table's dtype {weight.dtype}, got "
                f"{per_sample_weights.dtype}; convert them with .to(weight.dtype)"
            )
    places: Any = None
    if input.ndim == 2 and offsets is None:
        bags = input.shape[0]
    elif input.ndim == 1 and offsets is not None:
        places = _places(offsets, input.shape[0], include_last_offset)
        bags, input = len(places), input[: places[-1].stop if places else 0]
    else:
        given = f"shape {input.shape} and {'offsets' if offsets is not None else 'no offsets'}"
        raise ValueError(f"embedding_bag: expected an input of 2 dimensions, or of 1 with offsets, got {given}")
    padding_idx = row_of(padding_idx, weight.shape, "embedding_bag")
    rows: Any = embedding(input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
    taken: Any = None if padding_idx is None else (input != padding_idx)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights[tuple([slice(n) for n in input.shape])].unsqueeze(-1)
    if mode == "max":
        largest: Tensor = _maxima(rows, taken, places)
        return largest
    if taken is not None:
        rows = where(taken.unsqueeze(-1), rows, 0.0)
    if places is None:
        sums: Any = rows.sum(1)
        counts: Any = input.shape[1] if taken is None else taken.sum(1, True)
    else:
        lengths = np.array([place.stop - place.start for place in places], np.int64)
        bag = wrap(np.repeat(np.arange(bags), lengths))
        sums = rows.new_zeros((bags, rows.shape[-1])).index_add(0, bag, rows)
        counts = wrap(lengths)
        if taken is not None:
            counts = counts.new_zeros((bags,)).index_add(0, bag, taken.long())
        counts = counts.unsqueeze(-1)
    if mode == "mean":
        sums = sums / (max(counts, 1) if isinstance(counts, int) else counts.clamp_min(1).to(rows.dtype))
    result: Tensor = sums
    return result


def _places(offsets: Any, size: int, include_last: bool) -> list[slice]:
    """Where each bag stands in an input of that size."""
    starts = as_array(offsets)
    if starts.ndim != 1 or starts.dtype.kind not in "iu":
        raise ValueError(
            f"embedding_bag: expected offsets of one dimension that are integers, got shape {starts.shape}, "
            f"{starts.dtype}"
        )
    if include_last and not len(starts):
        raise ValueError("embedding_bag: got no offsets, expected the end of the last bag")
    edges = [int(n) for n in starts] + ([] if include_last else [size])
    if len(starts) and edges[0] != 0:
        raise ValueError(f"embedding_bag: expected offsets that begin with 0, got {edges[0]}")
    if any(a > b for a, b in zip(edges, [*edges[1:], size], strict=True)):
        raise ValueError(
            f"embedding_bag: expected offsets that rise to at most the input's length {size}, got {starts.tolist()}"
        )
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


def _maxima(rows: Any, taken: Any, places: list[slice] | None) -> Any:
    """The largest of the rows of each bag; zeros where none is taken."""
    if places is not None:  # as many for each bag as the longest has
        longest = max((place.stop - place.start for place in places), default=0)
        starts = np.array([place.start for place in places], np.int64).reshape(-1, 1)
        inside = wrap(np.arange(longest) < np.array([[p.stop - p.start] for p in places], np.int64).reshape(-1, 1))
        chosen = wrap(np.minimum(starts + np.arange(longest), max(rows.shape[0] - 1, 0)))
        rows, taken = rows[chosen], inside if taken is None else inside & taken[chosen]
    if not rows.shape[1]:
        return rows.sum(1)
    if taken is None:
        return rows.max(1).values
    largest = where(taken.unsqueeze(-1), rows, -math.inf).max(1).values
    return where(taken.any(1, True), largest, 0.0)
