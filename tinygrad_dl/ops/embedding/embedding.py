"""Embeddings, and one-hot rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import add_at, at_hand, contiguous, module_of, reduce, to_numpy, truth
from tinygrad_dl.backends.gemm import product
from tinygrad_dl.core.batching import Batch, every
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import Lifted, values_of
from tinygrad_dl.inputs import array, error, integers, one_of, real
from tinygrad_dl.ops._overload import overload
from tinygrad_dl.ops.pointwise._selection import keep


def check_rows(input: Any, count: int, what: str, limit: str) -> None:
    """Raises IndexError if an index is not in [0, count), naming the first such."""
    if not input.size:
        return
    if input.dtype == np.int64:
        fine = truth(reduce(np.maximum, input.view(np.uint64)) < count)  # a negative index is a huge one here
    else:
        fine = truth(input.min() >= 0) and truth(input.max() < count)
    if not fine:
        position = tuple(int(i) for i in np.argwhere(to_numpy((input < 0) | (input >= count)))[0])
        raise IndexError(
            f"{what}: got index {input[position]} at position {position}, expected 0 to {count - 1} ({limit}={count})"
        )


def _naive_scatter(g: Any, input: Any, count: int, padding_idx: int | None = None) -> Any:
    total = np.zeros((count, g.shape[-1]), g.dtype)
    for position in np.ndindex(input.shape):
        if input[position] != padding_idx:
            total[input[position]] += g[position]
    return total


# Up to so many rows, a product with one-hot rows is faster than adding them one by one.
FEW = 80
SCATTERED = 2**17  # elements that are added at a time: each needs a place of 8 bytes


@op(
    linear=("g",),
    namespace="rules",
    inputs={
        "g": real(shape="n d"),
        "input": integers(0, 4, shape="n"),
        "count": one_of(5, 20),
        "padding_idx": one_of(None, 1),
    },
    errors=[error(IndexError, "embedding", array(2, 3), array(2, dtype="int64"), 1)],
    reference=_naive_scatter,
)
def embedding_backward(g: Array, input: Array, count: int, padding_idx: int | None = None) -> Array:
    """Adds each row of `g` to the row of a (count, d) matrix that `input` names; those of `padding_idx` to none."""
    check_rows(input, count, "embedding_backward", "count")
    index = input.reshape(-1)
    rows = g.reshape(index.size, g.shape[-1])
    if padding_idx is not None and at_hand(index):
        wanted = index != padding_idx
        index, rows = index[wanted], rows[wanted]
    elif padding_idx is not None:
        rows = np.where((index == padding_idx)[:, None], 0.0, rows)
    total = module_of(g).zeros((count, g.shape[-1]), g.dtype)
    if 0 < count <= FEW and at_hand(index):
        one = module_of(g).zeros((index.size, count), g.dtype)
        one.reshape(-1)[index + np.arange(0, index.size * count, count)] = 1
        with np.errstate(all="ignore"):
            product(one.T, rows, total)
        if np.isfinite(total).all():
            return total
        total[...] = 0  # 0 * inf was nan in every row
    width, flat = g.shape[-1], total.reshape(-1)
    step = max(1, SCATTERED // max(1, width))
    for start in range(0, index.size, step):
        here = slice(start, start + step)
        # ufunc.at is fast on flat arrays only.
        places = np.add.outer(index[here] * width, module_of(g).arange(width)).reshape(-1)
        add_at(flat, places, contiguous(rows[here]).reshape(-1))
    return total


def uses(input: Any) -> np.ndarray:
    """How often the integer at each place stands in the whole array."""
    _, places, counts = np.unique(values_of(input), return_inverse=True, return_counts=True)
    found: np.ndarray = counts[places].reshape(np.shape(input))
    return found


def _scatter_rule(g: Any, input: Any, padding_idx: int | None) -> Any:
    rows = embedding_rows.generic(input, g)
    return rows if padding_idx is None else keep(rows, np.expand_dims(input != padding_idx, -1))


@op(
    linear=("weight",),
    name="embedding",
    namespace="functional",
    exact=True,
    inputs=[
        {"weight": real(shape="5 d"), "input": integers(0, 4, max_dims=2)},
        {"weight": real(shape="5 d"), "input": integers(0, 4, shape="40")},
    ],
    errors=[
        error(IndexError, "got index 1 at position \\(0,\\)", array(2, dtype="int64"), array(1, 3)),
        error(TypeError, "integer", array(2), array(3, 3)),
    ],
    reference=lambda input, weight, padding_idx=None, by_use=False: weight[input],
)
def embedding_rows(input: Array, weight: Array, padding_idx: int | None = None, by_use: bool = False) -> Array:
    """The rows of `weight` that `input` names; the row `padding_idx` gets no gradient.

    `by_use`: the gradient of a row is divided by the number of its uses.
    """
    if input.dtype.kind not in "iu":
        raise TypeError(
            f"embedding: expected indices that are integers, got {input.dtype}; the indices come first, the weight "
            f"second; convert with input.long()"
        )
    if weight.ndim != 2:
        raise ValueError(f"embedding: expected a weight of shape (num_embeddings, dim), got {weight.shape}")
    check_rows(input, weight.shape[0], "embedding", "num_embeddings")
    return weight.take(input, axis=0)


embedding_backward.vjp(g=_scatter_rule, input=None)


@embedding_backward.vmap
def _embedding_backward_batch(g: Any, input: Any, count: int, padding_idx: int | None, batch: Batch) -> Any:
    g, places = every(g, "g", batch), every(input, "input", batch)
    if padding_idx is not None:
        g = np.where(np.expand_dims(np.equal(places, padding_idx), -1), module_of(g).zeros((), g.dtype), g)
    first = np.arange(batch.size).reshape(-1, *(1,) * (places.ndim - 1)) * count
    return embedding_backward(g, places + first, batch.size * count, None).reshape(batch.size, count, g.shape[-1])


def _rows_rule(g: Any, input: Any, weight_shape: Any, padding_idx: int | None, by_use: bool) -> Any:
    if by_use:
        g = g / uses(input)[..., None].astype(g.dtype)
    return embedding_backward.generic(g, input, weight_shape[0], padding_idx)


embedding_rows.vjp(weight=_rows_rule, input=None)


@embedding_rows.vmap
def _embedding_batch(input: Any, weight: Any, padding_idx: int | None, by_use: bool, batch: Batch) -> Any:
    if "weight" not in batch.of and not by_use:
        return embedding_rows(input, weight, padding_idx)
    weight, places = every(weight, "weight", batch), every(input, "input", batch)
    rows = weight.shape[1]
    first = np.arange(batch.size).reshape(-1, *(1,) * (places.ndim - 1)) * rows
    found = embedding_rows(places + first, weight.reshape(batch.size * rows, weight.shape[2]), None, by_use)
    if padding_idx is None:
        return found
    return np.where(np.expand_dims(np.equal(places, padding_idx), -1), found.detach(), found)


@overload(embedding_rows)
@composition
def embedding(
    input: Array,
    weight: Array,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of a table that integers name.

    Args:
        input: integers of any shape.
        weight: the table, (num_embeddings, dim).
        padding_idx: a row that gets no gradient.
        max_norm: rows named here are first scaled down, in place, to at most this norm.
        norm_type: the p of that norm.
        scale_grad_by_freq: whether the gradient of a row is divided by the number of times that `input` names it.
        sparse: accepted; the gradient is dense, with the same values.

    Returns:
        (*input.shape, dim).

    Raises:
        IndexError: an index out of range. TypeError: the indices are no integers.

    >>> td.nn.functional.embedding(td.tensor([1, 0, 1]), td.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [1., 2.],
            [3., 4.]])
    """
    padding_idx = row_of(padding_idx, weight.shape, "embedding")
    if max_norm is not None:
        _limit_norms(weight, input, max_norm, norm_type)
    return embedding_rows(input, weight, padding_idx, bool(scale_grad_by_freq))


def row_of(padding_idx: int | None, shape: Any, name: str) -> int | None:
    """The row of the padding in a table, counted from the first."""
    if padding_idx is None:
        return None
    count = shape[0] if len(shape) == 2 else 0
    if not count:
        raise ValueError(f"{name}: expected a weight of shape (num_embeddings, dim) with rows, got {shape}")
    if not -count <= padding_idx < count:
        raise ValueError(f"{name}: expected padding_idx between {-count} and {count - 1}, got {padding_idx}")
    return padding_idx % count


def _limit_norms(weight: Tensor, input: Any, max_norm: float, norm_type: float) -> None:
    """Scales the rows that are used and too long, outside the graph."""
    while isinstance(weight, Lifted) and weight.level.name != "vmap":
        weight = weight.value  # whose tangent stays what it is, as in PyTorch
    array = input._data if isinstance(input, Tensor) else np.asarray(input)
    check_rows(array, weight.shape[0], "embedding", "num_embeddings")
    rows = np.unique(array)
    norms = np.linalg.norm(weight._data[rows], norm_type, axis=1)
    long = norms > max_norm
    if long.any():
        changed = weight._data.copy()
        changed[rows[long]] *= (max_norm / (norms[long] + 1e-7))[:, None].astype(weight.dtype)
        weight._write(changed, "embedding (max_norm)")


@op(
    namespace="functional",
    differentiable=False,
    exact=True,
    inputs={"tensor": integers(0, 4), "num_classes": one_of(5, 8)},
    errors=[error(IndexError, "got index 1", array(3, dtype="int64"), 1), error(TypeError, "integers", array(3), 1)],
    reference=lambda tensor, num_classes=-1: (tensor[..., None] == np.arange(num_classes)).astype(np.int64),
)
def one_hot(tensor: Array, num_classes: int = -1) -> Array:
    """Rows of zeros with a one at the place each integer names: (*,) gives (*, num_classes), int64.

    With `num_classes=-1` there are as many classes as the largest integer needs.

    Raises:
        IndexError: an integer out of range. TypeError: no integers.

    >>> td.nn.functional.one_hot(td.tensor([0, 2]), 3)
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    if tensor.dtype.kind not in "iu":
        raise TypeError(f"one_hot: expected integers, got {tensor.dtype}; convert with .long()")
    if num_classes == -1:
        if not tensor.size:
            raise ValueError(
                "one_hot: got an empty tensor without num_classes, expected the number of classes; pass num_classes"
            )
        num_classes = int(tensor.max().item()) + 1
    check_rows(tensor, num_classes, "one_hot", "num_classes")
    module = module_of(tensor)
    hot = module.zeros((tensor.size, num_classes), np.int64)
    hot[module.arange(tensor.size), tensor.reshape(-1)] = 1
    return hot.reshape(*tensor.shape, num_classes)


@one_hot.vmap
def _one_hot_batch(tensor: Any, num_classes: int) -> Any:
    if num_classes < 0:
        raise ValueError(
            f"one_hot: got num_classes={num_classes} inside of vmap, expected a number: the examples' "
            "shape would depend on their values"
        )
    return one_hot(tensor, num_classes)
