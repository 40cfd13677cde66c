"""Views of memory by steps: as_strided."""

from __future__ import annotations

import operator
from math import prod
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import add_at, contiguous, module_of, strided_view
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import Lifted
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops._overload import alias
from tinygrad_dl.ops.tensor.inplace import root_of

SIZES = one_of((2, 2), (3, 2))  # with the steps below: side by side, and overlapping
STEPS = one_of((3, 1), (1, 1), (2, 3))


def _places(size: Any, stride: Any, start: int, module: Any = np) -> Any:
    """Which element of the memory each element of a view is."""
    found = module.full((), start)
    for n, step in zip(size, stride, strict=True):
        found = found[..., None] + module.arange(n) * step
    return found


@op(
    linear=("input",),
    name="as_strided",
    method=False,
    namespace="rules",
    view=True,
    inputs=[
        dict(input=real(shape="3 4"), size=SIZES, stride=STEPS, start=one_of(0, 2)),
        dict(input=real(shape="2 2"), size=one_of((2,)), stride=one_of((1,)), start=one_of(0)),
        dict(input=real(shape=""), size=one_of(()), stride=one_of(()), start=one_of(0)),
    ],
    errors=[
        error(RuntimeError, "got elements up to 3", array(3), (2,), (2,), 1),
        error(RuntimeError, "got elements from -1", array(3), (2,), (1,), -1),
        error(RuntimeError, "got the steps", array(3), (2,), (-1,), 2),
        error(RuntimeError, "got 1 sizes and 2 steps", array(3), (2,), (1, 1), 0),
    ],
    reference=lambda input, size, stride, start: input.reshape(-1)[_places(size, stride, start)],
)
def strided(input: Array, size: Any, stride: Any, start: int) -> Array:
    """The elements `start + i * stride[0] + j * stride[1] + ...` of the input in row-major order: see `as_strided`.

    >>> import numpy as np
    >>> strided(np.arange(4), (3, 2), (1, 1), 0)
    tensor([[0, 1],
            [1, 2],
            [2, 3]])
    """
    if len(size) != len(stride):
        raise RuntimeError(f"as_strided: got {len(size)} sizes and {len(stride)} steps, expected as many of both")
    if any(n < 0 for n in (*size, *stride)):
        raise RuntimeError(f"as_strided: got the steps {stride} and the sizes {size}, expected 0 or more")
    flat = contiguous(input).reshape(-1)
    if not prod(size):
        return flat[:0].reshape(size)
    last = start + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if start < 0 or last >= flat.size:
        got = f"from {start}" if start < 0 else f"up to {last}"
        raise RuntimeError(f"as_strided: got elements {got}, expected some among the {flat.size} of the memory")
    itemsize = flat.itemsize
    out = strided_view(flat[start:], size, [step * itemsize for step in stride])
    if overlaps(size, stride) and type(out) is np.ndarray:
        out.setflags(write=False)
    return out


def overlaps(size: Any, stride: Any) -> bool:
    """Whether an element may stand in several places of a view."""
    reach = 0  # of the dimensions with smaller steps
    for step, n in sorted((step, n) for n, step in zip(size, stride, strict=True) if n > 1):
        if step <= reach:
            return True
        reach += (n - 1) * step
    return False


@op(
    linear=("input",),
    method=False,
    namespace="rules",
    inputs=dict(input=real(shape="3 2"), shape=one_of((3, 4), (12,)), stride=STEPS, start=one_of(0, 2)),
    reference=lambda input, shape, stride, start: _naive_sums(input, shape, stride, start),
)
def sum_strided(input: Array, shape: Any, stride: Any, start: int) -> Array:
    """Zeros of a shape with elements added where `strided` takes them: its gradient.

    >>> import numpy as np
    >>> sum_strided(np.ones((3, 2)), (4,), (1, 1), 0)
    tensor([1., 2., 2., 1.], dtype=float64)
    """
    out = module_of(input).zeros(shape, input.dtype)
    flat = out.reshape(-1)
    if overlaps(input.shape, stride):
        add_at(flat, _places(input.shape, stride, start, module_of(flat)), input)
    elif input.size:
        itemsize = flat.itemsize
        place = strided_view(flat[start:], input.shape, [step * itemsize for step in stride])
        place[...] = input
    return out


def _naive_sums(input: np.ndarray, shape: Any, stride: Any, start: int) -> np.ndarray:
    """`sum_strided` by one element after the other, to test against."""
    out = np.zeros(prod(shape))
    for index in np.ndindex(input.shape):
        out[start + sum(i * step for i, step in zip(index, stride, strict=True))] += input[index]
    return out.reshape(shape)


strided.vjp(input=lambda g, input_shape, stride, start: sum_strided.generic(g, input_shape, stride, start))
sum_strided.vjp(input=lambda g, input_shape, stride, start: strided.generic(g, input_shape, stride, start))


@strided.vmap
def _strided_batch(input: Any, size: Any, stride: Any, start: int) -> Any:
    count = prod(input.shape[1:])
    return strided(input, (input.shape[0], *size), (count, *stride), start)


@sum_strided.vmap
def _sum_strided_batch(input: Any, shape: Any, stride: Any, start: int) -> Any:
    batch = input.shape[0]
    return sum_strided(input, (batch, *shape), (prod(shape), *stride), start)


@composition
def as_strided(input: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """A view of the tensor's memory in which the element (i, j, ...) is that `i * stride[0] + j * stride[1] + ...` on.

    All of the memory can be seen that belongs to the tensor from which this one was taken. Elements may appear in
    several places: their gradients are added up, and the view is read-only.

    Args:
        size: the shape of the view.
        stride: the step of each dimension, in elements, 0 or more.
        storage_offset: the first element, counted from the beginning of the memory; by default that of the tensor.

    Raises:
        RuntimeError: the view would reach beyond the memory; sizes and steps do not fit each other; or the memory is
            not in row-major order.

    >>> x = td.arange(6)
    >>> td.as_strided(x, (3, 2), (1, 2))
    tensor([[0, 2],
            [1, 3],
            [2, 4]])
    """
    size, stride = tuple(map(operator.index, size)), tuple(map(operator.index, stride))
    if isinstance(input, Lifted):  # an example lies in row-major order
        return strided(input, size, stride, storage_offset or 0)
    start = 0 if storage_offset is None else storage_offset - input.storage_offset()
    last = start + sum((n - 1) * step for n, step in zip(size, stride, strict=False))
    root = root_of(input)
    whole = input.is_contiguous() and start >= 0 and last < input.numel()
    if root is not input and not whole and root.dtype == input.dtype:
        start += input.storage_offset() - root.storage_offset()
        input = root
    if not input.is_contiguous():
        raise RuntimeError(
            f"as_strided: got memory of shape {input.shape} with the steps {input.stride()}, expected row-major order; "
            "use contiguous() first"
        )
    return strided(input, size, stride, start)


alias("as_strided", as_strided)
