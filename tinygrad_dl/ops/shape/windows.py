"""Windows along a dimension: Tensor.unfold."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import contiguous, module_of, strided_view
from tinygrad_dl.core.batching import Batch, inner
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.mutations import buffer_owner
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops.shape._dims import normal_dim


def _naive_windows(input: np.ndarray, dimension: int, size: int, step: int) -> np.ndarray:
    """`unfold` by one window after the other, to test against."""
    if not input.ndim:
        return np.full(size, input)
    starts = range(0, input.shape[dimension] - size + 1, step)
    windows = [np.moveaxis(input.take(range(i, i + size), dimension), dimension, -1) for i in starts]
    return np.stack(windows, normal_dim(dimension, input.ndim))


@op(
    linear=("input",),
    name="unfold_dimension",
    method="unfold",
    namespace="rules",
    view=True,
    inputs=[
        dict(input=real(shape="5 m"), dimension=one_of(0, -2), size=one_of(1, 2, 3, 5), step=one_of(1, 2, 3)),
        dict(input=real(shape="m 6"), dimension=one_of(1, -1), size=one_of(2, 4), step=one_of(1, 2, 5)),
        dict(input=real(shape=""), dimension=one_of(0, -1), size=one_of(0, 1), step=one_of(1, 2)),
    ],
    errors=[
        error(RuntimeError, "got size 4", array(3), 0, 4, 1),
        error(RuntimeError, "got size -1", array(3), 0, -1, 1),
        error(RuntimeError, "got step 0", array(3), 0, 2, 0),
        error(IndexError, "got dim 1", array(3), 1, 2, 1),
    ],
    reference=lambda input, dimension, size, step: _naive_windows(input, dimension, size, step),
)
def unfold(input: Array, dimension: int, size: int, step: int) -> Array:
    """Windows of `size` neighbours along a dimension, one each `step`, in a new last dimension.

    A view, read-only if windows overlap. Of a 0-d tensor it is the only window, of shape (size,).

    Args:
        dimension: the dimension that is cut into windows; in the result it counts them.
        size: how many elements a window has, at most the dimension's size.
        step: how far apart windows begin, at least 1.

    Raises:
        RuntimeError: `size` or `step` is out of range.

    >>> import tinygrad_dl as td
    >>> td.arange(5).unfold(0, 3, 2)
    tensor([[0, 1, 2],
            [2, 3, 4]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.unfold.html
    """
    dim, size, step = normal_dim(dimension, input.ndim), operator.index(size), operator.index(step)
    line = input if input.ndim else input.reshape(1)
    total = line.shape[dim]
    if not 0 <= size <= total:
        raise RuntimeError(
            f"unfold: got size {size}, expected one from 0 to {total}, the size of dimension {dimension}"
        )
    if step < 1:
        raise RuntimeError(f"unfold: got step {step}, expected at least 1")
    count = (total - size) // step + 1
    memory = buffer_owner(line)
    if not memory.flags.forc:  # an array from outside, of which NumPy makes no buffer
        memory = line = contiguous(line)
    shape = (*line.shape[:dim], count, *line.shape[dim + 1 :], size)
    steps = [*line.strides, line.strides[dim]]
    steps[dim] *= step
    if not input.ndim:
        shape, steps = (size,), steps[1:]
    if type(line) is not np.ndarray:
        return strided_view(line, shape, tuple(steps))
    start = line.__array_interface__["data"][0] - memory.__array_interface__["data"][0]
    out: np.ndarray = np.ndarray(shape, line.dtype, memory, start, steps)
    if step < size and count > 1:
        out.setflags(write=False)
    return out


@op(
    linear=("input",),
    namespace="rules",
    inputs=[
        dict(input=real(shape="3 m 2"), shape=one_of((6,), (7,)), dimension=one_of(0), step=one_of(2)),
        dict(input=real(shape="3 2"), shape=one_of((4,)), dimension=one_of(0), step=one_of(1)),
        dict(input=real(shape="2 3"), shape=one_of((7,)), dimension=one_of(0), step=one_of(4)),
    ],
    reference=lambda input, shape, dimension, step: _naive_sums(input, shape, step),
)
def sum_windows(input: Array, shape: Any, dimension: int, step: int) -> Array:
    """Zeros with windows added where `unfold` takes them: its gradient. A short `shape` is that of the first dimension.

    >>> import numpy as np
    >>> sum_windows(np.ones((2, 3)), (5,), 0, 2)
    tensor([1., 1., 2., 1., 1.], dtype=float64)
    """
    dim = normal_dim(dimension, input.ndim - 1)
    whole = tuple(shape) if len(shape) == input.ndim - 1 else (*shape, *input.shape[1:-1])
    out = module_of(input).zeros(whole, input.dtype)
    stride, steps = out.strides[dim], list(out.strides)
    steps[dim] *= step
    for i in range(0, input.shape[-1], step):  # at once as much of all windows as does not overlap
        part = input[..., i : i + step]
        begin = (slice(None),) * dim + (slice(i, None),)
        out_part = strided_view(out[begin], part.shape, (*steps, stride))
        out_part += part
    return out


def _naive_sums(input: np.ndarray, shape: Any, step: int) -> np.ndarray:
    """`sum_windows` along dimension 0 by one window after the other, to test against."""
    out = np.zeros((*shape, *input.shape[1:-1]))
    for i, window in enumerate(input):
        out[i * step : i * step + input.shape[-1]] += np.moveaxis(window, -1, 0)
    return out


unfold.vjp(
    input=lambda g, input_shape, dimension, step: (
        sum_windows.generic(g, input_shape, dimension, step) if input_shape else g.sum()
    )
)
sum_windows.vjp(input=lambda g, input_shape, dimension, step: unfold.generic(g, dimension, input_shape[-1], step))


@unfold.vmap
def _unfold_batch(input: Any, dimension: int, size: int, step: int) -> Any:
    ndim = input.ndim - 1
    if not ndim:
        return unfold(input[:, None], inner(dimension, 1), size, step)[:, 0]
    return unfold(input, inner(dimension, ndim), size, step)


@sum_windows.vmap
def _sum_windows_batch(input: Any, shape: Any, dimension: int, step: int, batch: Batch) -> Any:
    ndim = input.ndim - 2
    whole = tuple(shape) if len(shape) == ndim else (*shape, *input.shape[2:-1])
    return sum_windows(input, (batch.size, *whole), inner(dimension, ndim), step)
