"""Elements repeated: expand and broadcasting as views, repeat and tile as copies."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import at_hand, is_array, like, module_of, to_numpy
from tinygrad_dl.core.batching import Batch, flat, inner
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.engine import unbroadcast
from tinygrad_dl.core.lazy import attached
from tinygrad_dl.core.size import Size
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, axis_of, error, integers, one_of, real, shape_of
from tinygrad_dl.ops._overload import alias, method, variadic
from tinygrad_dl.ops.indexing.getitem import accumulate
from tinygrad_dl.ops.shape._dims import normal_dim
from tinygrad_dl.ops.shape.permute import transpose
from tinygrad_dl.ops.shape.reshape import reshape


def _expanded(shape: tuple[int, ...], size: Any) -> tuple[int, ...]:
    """The shape that `size` means, where -1 keeps a dimension's size."""
    size = (size,) if isinstance(size, int) else tuple(size)
    new = len(size) - len(shape)
    if -1 in size:
        if -1 in size[:new]:
            raise RuntimeError(
                f"expand: -1 keeps an existing dimension's size: got size {size} for a tensor of shape {shape}, "
                f"expected 0 or more at new dimensions; say how large the new dimension is"
            )
        size = tuple([shape[i - new] if n == -1 else n for i, n in enumerate(size)])
    found: tuple[int, ...] = size
    return found


@variadic
@op(
    np.broadcast_to,
    linear=("input",),
    view=True,
    inputs=dict(input=real(), size=shape_of("input", "expand")),
    errors=[
        error(ValueError, "expand", array(2, 3), (4, 3)),
        error(ValueError, "expand", array(2, 3), (3, 2)),
        error(ValueError, "expand", array(3), (3, 1)),
        error(RuntimeError, "-1 keeps an existing dimension", array(3), (-1, 3)),
    ],
    reference=lambda input, size: np.broadcast_to(input, _expanded(input.shape, size)),
)
def expand(input: Array, size: Any) -> Array:
    """Dimensions of size 1 repeated up to `size`, and new ones put in front. A view, read-only if elements repeat.

    -1 keeps a dimension's size. As a method also `t.expand(2, -1)`.

    Raises:
        ValueError: a dimension of another size than 1 would have to change.

    >>> import tinygrad_dl as td
    >>> td.tensor([[1.0], [2.0]]).expand(-1, 3)
    tensor([[1., 1., 1.],
            [2., 2., 2.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.expand.html
    """
    size = _expanded(input.shape, size)
    if size == (1,) * (len(size) - input.ndim) + input.shape and input.size:
        return input.reshape(size)  # no element stands in two places, so it may be written to
    shape, new = input.shape, len(size) - input.ndim
    if (
        type(input) is not np.ndarray
        or new < 0
        or not input.flags.c_contiguous
        or not input.size
        or min(size, default=1) < 1
    ):
        return np.broadcast_to(input, size)
    # The same in half the time: repeated dimensions have stride 0.
    steps = [0] * new
    for n, wanted, step in zip(shape, size[new:], input.strides, strict=True):
        if n != wanted and n != 1:
            return np.broadcast_to(input, size)  # which says what is wrong
        steps.append(0 if n == 1 else step)
    out: np.ndarray = np.ndarray(size, input.dtype, input, 0, steps)
    out.setflags(write=False)
    return out


expand.vjp(input=lambda g, input_shape: g if g.shape == input_shape else unbroadcast(g, input_shape))


@expand.vmap
def _expand_batch(input: Any, size: Any, batch: Batch) -> Any:
    size = (size,) if isinstance(size, int) else tuple(size)
    more = len(size) - (input.ndim - 1)
    if more > 0:
        input = input.reshape(batch.size, *(1,) * more, *input.shape[1:])
    return expand(input, (batch.size, *size))


broadcast_to = expand
alias("broadcast_to", attached("expand"))


@variadic
@op(
    linear=("input",),
    exact=True,
    inputs=[
        dict(input=real(max_dims=1), repeats=one_of((2,), (3, 1), (1, 2, 2))),
        dict(input=real(shape="n m"), repeats=one_of((2, 3), (2, 1, 2), (0, 2))),
    ],
    errors=[error(ValueError, "at least as many", array(2, 3), (2,))],
    reference=lambda input, repeats: np.tile(input, repeats),
)
def repeat(input: Array, repeats: Any) -> Array:
    """The whole tensor `repeats[i]` times along each dimension i; further numbers make new dimensions in front.

    Also `t.repeat(2, 3)`. NumPy's `repeat` is `repeat_interleave`.

    >>> import tinygrad_dl as td
    >>> td.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.repeat.html
    """
    repeats = (repeats,) if isinstance(repeats, int) else tuple(repeats)
    if len(repeats) < input.ndim:
        raise ValueError(
            f"repeat: got {repeats} for a tensor with {input.ndim} dimensions, expected at least as many numbers; "
            "tile() takes fewer"
        )
    if min(repeats, default=0) < 0:
        raise ValueError(f"repeat: numbers can't be negative, got {repeats}, expected 0 or more")
    return np.tile(input, repeats)


def _repeat_rule(g: Any, input_shape: tuple[int, ...], repeats: Any) -> Any:
    repeats = (repeats,) if isinstance(repeats, int) else tuple(repeats)
    sizes = (1,) * (len(repeats) - len(input_shape)) + input_shape
    pairs = [n for pair in zip(repeats, sizes, strict=True) for n in pair]
    summed = np.add.reduce(g.reshape(pairs), axis=tuple(range(0, len(pairs), 2)))
    return np.reshape(summed, input_shape)


repeat.vjp(input=_repeat_rule)


@repeat.vmap
def _repeat_batch(input: Any, repeats: Any, batch: Batch) -> Any:
    repeats = (repeats,) if isinstance(repeats, int) else tuple(repeats)
    more = max(0, len(repeats) - (input.ndim - 1))
    return repeat(input.reshape(batch.size, *(1,) * more, *input.shape[1:]), (1, *repeats))


@composition
def tile(input: Array, dims: Any) -> Tensor:
    """`repeat`, where missing numbers count as 1 in front. Also `t.tile(2, 2)`.

    >>> td.tensor([[1, 2]]).tile(2)
    tensor([[1, 2, 1, 2]])
    """
    dims = (dims,) if isinstance(dims, int) else tuple(dims)
    return repeat(input, (1,) * (input.ndim - len(dims)) + dims)


@composition
def _method_tile(self: Tensor, *dims: Any) -> Tensor:
    """`td.tile`."""
    return tile(self, dims[0] if len(dims) == 1 else dims)


@op(
    np.repeat,
    linear=("input",),
    exact=True,
    inputs=[
        dict(input=real(), repeats=one_of(0, 1, 3)),
        dict(input=integers(0, 3, shape="n")),
        dict(input=real(min_dims=1), repeats=one_of(2), dim=axis_of("input")),
        dict(input=real(shape="3 m"), repeats=one_of((1, 0, 2), [2, 1, 1]), dim=one_of(0, -2)),
    ],
    errors=[error(ValueError, "could not be broadcast", array(3), (1, 2), 0)],
    reference=lambda input, repeats=None, dim=None: (
        np.repeat(np.arange(len(input)), input) if repeats is None else np.repeat(input, repeats, dim)
    ),
)
def repeat_interleave(
    input: Array, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Array:
    """Each element (of the flattened tensor, or slice along `dim`) `repeats` times; one number, or one for each.

    Args:
        input: a tensor.
        repeats: an integer, or a tensor or sequence of them. Without it `input` has them: the result are the indices,
            each as often as its element says.
        dim: the dimension; by default the tensor is flattened.
        output_size: what the size of the result along `dim` will be, checked.

    Raises:
        RuntimeError: the result has another size than `output_size`.

    >>> td.tensor([1, 2]).repeat_interleave(2), td.tensor([1, 2]).repeat_interleave(td.tensor([0, 3]))
    (tensor([1, 1, 2, 2]), tensor([2, 2, 2]))
    """
    if repeats is None:
        input, repeats = module_of(input).arange(len(input)), input
    if dim is not None and not input.ndim:
        raise IndexError(f"repeat_interleave: a 0-d tensor has no dimensions, got dim {dim}; leave it out")
    counts = _counts(repeats)
    counts = counts if isinstance(counts, int) or at_hand(input) else _on_cpu(counts).tolist()
    out = np.repeat(input, counts, dim)
    if output_size is not None and out.shape[dim or 0] != output_size:
        raise RuntimeError(f"repeat_interleave: got output_size={output_size}, expected {out.shape[dim or 0]}")
    return out


def _on_cpu(counts: Any) -> np.ndarray:
    """How often to repeat each, which says the shape of the result, and so must be known."""
    return to_numpy(counts) if is_array(counts) else np.asarray(counts)


def _counts(repeats: Any) -> Any:
    return repeats._data if isinstance(repeats, Tensor) else repeats


def _repeat_interleave_rule(g: Any, input_shape: tuple[int, ...], repeats: Any, dim: int | None) -> Any:
    repeats = _counts(repeats)
    flat = dim is None
    place = 0 if dim is None else normal_dim(dim, len(input_shape))
    shape = (int(np.prod(input_shape)),) if flat else input_shape
    if isinstance(repeats, int):
        split = (*shape[: place + 1], repeats, *shape[place + 1 :])
        return np.reshape(np.add.reduce(np.reshape(g, split), axis=place + 1), input_shape)
    source = like(np.repeat(np.arange(shape[place]), _on_cpu(repeats)), g)
    return np.reshape(accumulate.generic(g, (*(slice(None),) * place, source), shape), input_shape)


repeat_interleave.vjp(input=_repeat_interleave_rule)


@repeat_interleave.vmap
def _repeat_interleave_batch(input: Any, repeats: Any, dim: int | None, batch: Batch) -> Any:
    if "repeats" in batch.of or repeats is None:
        return NotImplemented  # the results of examples are of one shape if their numbers add up to the same
    if dim is None:
        return repeat_interleave(flat(input), repeats, 1)
    return repeat_interleave(input, repeats, inner(dim, input.ndim - 1))


alias("tile", _method_tile)

NUMPY[np.tile] = tile


@composition
def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """For each 1-D tensor a grid of its values, changing along its own dimension: read-only views.

    Args:
        tensors: one or more, of one dtype.
        indexing: "ij" gives grids of shape (n0, n1, ...), "xy" exchanges the first two dimensions.

    Raises:
        ValueError: there is none, or one of more dimensions. TypeError: their dtypes differ.

    >>> td.meshgrid(td.tensor([1, 2]), td.tensor([3, 4, 5]))[0]
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    if indexing not in ("ij", "xy"):
        raise ValueError(f"meshgrid: expected indexing 'ij' or 'xy', got {indexing!r}")
    if len(tensors) == 1 and isinstance(tensors[0], list | tuple):
        tensors = tuple(tensors[0])
    if not tensors:
        raise ValueError("meshgrid: got no tensors, expected one or more")
    if any(each.dtype != tensors[0].dtype for each in tensors):
        raise TypeError(
            f"meshgrid: expected tensors of one dtype, got {', '.join(str(each.dtype) for each in tensors)}"
        )
    shape = [each.numel() for each in tensors]
    if any(each.ndim > 1 for each in tensors):
        raise ValueError(f"meshgrid: expected 1-D tensors, got shapes {[each.shape for each in tensors]}")
    grids = []
    for i, each in enumerate(tensors):
        grid = expand(reshape(each, [-1 if j == i else 1 for j in range(len(shape))]), shape)
        grids.append(transpose(grid, 0, 1) if indexing == "xy" and len(shape) > 1 else grid)
    return tuple(grids)


@method
def expand_as(input: Array, other: Array) -> Tensor:
    """`expand` to the shape of `other`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.expand_as.html
    """
    return expand(input, other.shape)


@method
def sum_to_size(self: Tensor, *size: Any) -> Tensor:
    """The tensor summed to a shape from which it could be expanded: the opposite of `expand`.

    Args:
        size: the shape, as integers or a sequence.

    Raises:
        RuntimeError: that shape cannot be expanded to the tensor's.

    >>> td.ones(2, 3).sum_to_size(1, 3)
    tensor([[2., 2., 2.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.sum_to_size.html
    """
    shape = tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else size
    lead = self.ndim - len(shape)
    if lead < 0 or any(n not in (1, m) for n, m in zip(shape, self.shape[lead:], strict=True)):
        raise RuntimeError(f"sum_to_size: got size {shape}, expected one that expands to {tuple(self.shape)}")
    over = [*range(lead)] + [lead + i for i, n in enumerate(shape) if n == 1 != self.shape[lead + i]]
    summed = self.sum(dim=over) if over else self
    result: Tensor = summed.reshape(shape)
    return result


@composition
def broadcast_shapes(*shapes: Any) -> Size:
    """The shape that tensors of these shapes broadcast to.

    Raises:
        ValueError: they do not broadcast.

    >>> td.broadcast_shapes((2, 1), 3, (1, 1, 1))
    (1, 2, 3)
    """
    return Size(np.broadcast_shapes(*shapes))


@composition
def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """The tensors expanded to the one shape that they broadcast to; one that has it already is returned itself.

    >>> [t.shape for t in td.broadcast_tensors(td.zeros(3, 1), td.zeros(2))]
    [(3, 2), (3, 2)]
    """
    if len(tensors) == 1 and isinstance(tensors[0], list | tuple):
        tensors = tuple(tensors[0])
    shape = np.broadcast_shapes(*[each.shape for each in tensors])
    return tuple([each if each.shape == shape else expand(each, shape) for each in tensors])


NUMPY[np.broadcast_arrays] = lambda *args, subok=False: broadcast_tensors(*args)
