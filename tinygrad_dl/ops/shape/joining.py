"""Several tensors into one, and one into several: cat, stack, split, unbind and their like."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_dl.core import dtypes
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, Arrays, op
from tinygrad_dl.core.tensor import NUMPY, Tensor
from tinygrad_dl.inputs import array, axis_of, error, one_of, real, reals
from tinygrad_dl.ops.shape.reshape import expand, normal_dim, reshape, transpose

# More empty sections than this are a mistake, and would take the memory of the machine.
MANY = 1_000_000


def common(tensors: list[Any]) -> list[Any]:
    """The arrays in the dtype that PyTorch's promotion gives them."""
    first = tensors[0].dtype
    for each in tensors:
        if each.dtype is not first:
            dtype = dtypes.result_dtype(tuple(tensors))
            return [np.asarray(a, dtype) for a in tensors]
    return tensors


def along(dim: int, index: Any) -> tuple[Any, ...]:
    """The index that applies `index` to dimension `dim` (counted from the front)."""
    return (*(slice(None),) * dim, index)


@op(
    np.concatenate,
    method=False,
    exact=True,
    inputs=[
        dict(tensors=reals(real(shape="n m")), dim=one_of(0, 1, -1)),
        dict(tensors=reals(real(shape="n"))),
    ],
    errors=[error(ValueError, "cat", [array(2, 3), array(2, 4)], 0), error(ValueError, "at least one", [])],
    reference=lambda tensors, dim=0: np.concatenate(tensors, dim),
)
def cat(tensors: Arrays, dim: int = 0) -> Array:
    """The tensors one after the other along dimension `dim`; all other sizes are equal.

    1-D tensors without elements are skipped, as in PyTorch.

    Raises:
        ValueError: no tensors, or their other sizes differ.

    >>> import tinygrad_dl as td
    >>> td.cat([td.tensor([1.0, 2.0]), td.tensor([3.0])])
    tensor([1., 2., 3.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.cat.html
    """
    if not tensors:
        raise ValueError("cat: expected at least one tensor, got an empty list")
    tensors = common(tensors)
    try:
        return np.concatenate(tensors, dim)
    except ValueError:
        rest = [t for t in tensors if t.shape != (0,)]
        if not rest or len(rest) == len(tensors):
            raise
        return np.concatenate(rest, dim)


def _cat_rule(g: Any, tensors_shape: list[tuple[int, ...]], dim: int) -> list[Any]:
    dim = normal_dim(dim, g.ndim)
    parts, start = [], 0
    for shape in tensors_shape:
        if len(shape) != g.ndim:  # a skipped one
            parts.append(np.zeros(shape, g.dtype))
            continue
        parts.append(g[along(dim, slice(start, start + shape[dim]))])
        start += shape[dim]
    return parts


cat.vjp(tensors=_cat_rule)
concat = concatenate = cat


@op(
    np.stack,
    method=False,
    exact=True,
    inputs=dict(tensors=reals(real(shape="n m")), dim=one_of(0, 1, 2, -1, -3)),
    errors=[error(ValueError, "same shape", [array(2), array(3)]), error(ValueError, "at least one", [])],
    reference=lambda tensors, dim=0: np.stack(tensors, dim),
)
def stack(tensors: Arrays, dim: int = 0) -> Array:
    """The tensors, all of one shape, side by side along a new dimension `dim`.

    Raises:
        ValueError: no tensors, or their shapes differ.

    >>> import tinygrad_dl as td
    >>> td.stack([td.tensor([1.0, 2.0]), td.tensor([3.0, 4.0])], dim=1)
    tensor([[1., 3.],
            [2., 4.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.stack.html
    """
    if not tensors:
        raise ValueError("stack: expected at least one tensor, got an empty list")
    first = tensors[0].shape
    for each in tensors:
        if each.shape != first:
            raise ValueError(f"stack: expected tensors of the same shape, got {first} and {each.shape}")
    dim = normal_dim(dim, len(first) + 1)
    wide = (*first[:dim], 1, *first[dim:])
    return np.concatenate([each.reshape(wide) for each in common(tensors)], dim)


stack.vjp(tensors=lambda g, tensors, dim: [g[along(normal_dim(dim, g.ndim), i)] for i in range(len(tensors))])


@op(
    outputs=tuple,
    view=True,
    inputs=dict(input=real(min_dims=1, min_side=1), dim=axis_of("input")),
    errors=[error(IndexError, "got dim 2", array(2, 3), 2)],
    reference=lambda input, dim=0: tuple(np.moveaxis(input, dim, 0)),
)
def unbind(input: Array, dim: int = 0) -> tuple[Array, ...]:
    """The slices along dimension `dim`, without that dimension, as a tuple of views.

    >>> import tinygrad_dl as td
    >>> td.tensor([[1, 2], [3, 4]]).unbind()
    (tensor([1, 2]), tensor([3, 4]))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.unbind.html
    """
    if not input.ndim:
        raise IndexError("unbind: got a 0-d tensor, expected a dimension to take apart; use item() for its value")
    dim = normal_dim(dim, input.ndim)
    if dim:
        input = np.moveaxis(input, dim, 0)
    return tuple([input[i, ...] for i in range(input.shape[0])])


unbind.vjp(input=lambda g, dim: np.stack(g, dim))


@op(
    outputs=tuple,
    view=True,
    inputs=[
        dict(input=real(shape="n m"), split_size_or_sections=one_of(1, 2, 5), dim=one_of(0, 1, -1)),
        dict(input=real(shape="3 m"), split_size_or_sections=one_of((1, 2), [0, 3])),
    ],
    errors=[
        error(ValueError, "which sum to 2", array(3), [1, 1]),
        error(ValueError, "expected a positive size", array(3), 0),
    ],
    reference=lambda input, split_size_or_sections, dim=0: _naive_split(input, split_size_or_sections, dim),
)
def split(input: Array, split_size_or_sections: Any, dim: int = 0) -> tuple[Array, ...]:
    """Pieces along dimension `dim`: of one size (the last may be smaller), or of the sizes listed. Views.

    Raises:
        ValueError: the listed sizes do not sum to the dimension's, or the one size is not positive.

    >>> import tinygrad_dl as td
    >>> td.arange(5).split(2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.split.html
    """
    dim = normal_dim(dim, input.ndim)
    total = input.shape[dim]
    if isinstance(split_size_or_sections, list | tuple):
        sizes = split_size_or_sections
        if sum(sizes) != total or min(sizes, default=0) < 0:
            raise ValueError(
                f"split: got sizes {sizes}, which sum to {sum(sizes)}, expected {total}, the size of dim {dim}"
            )
    else:
        size = operator.index(split_size_or_sections)
        if size < 1 and (size < 0 or total):
            raise ValueError(f"split: expected a positive size, got {size}")
        sizes = [size] * max(1, -(-total // size)) if size else [0]
    head, pieces, start = (slice(None),) * dim, [], 0
    for size in sizes:
        pieces.append(input[(*head, slice(start, start + size))])
        start += size
    return tuple(pieces)


split.vjp(input=lambda g, dim: np.concatenate(g, dim))


def _naive_split(input: np.ndarray, sizes: Any, dim: int) -> tuple[np.ndarray, ...]:
    """`split` by NumPy, to test against."""
    total = input.shape[dim]
    cuts = range(sizes, total, sizes) if isinstance(sizes, int) else np.cumsum(sizes)[:-1]
    return tuple(np.split(input, list(cuts), dim))


@composition
def chunk(input: Array, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` pieces of equal size (the last may be smaller) along `dim`, as in PyTorch. Views.

    >>> import tinygrad_dl as td
    >>> td.arange(5).chunk(2)
    (tensor([0, 1, 2]), tensor([3, 4]))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.chunk.html
    """
    if chunks < 1:
        raise ValueError(f"chunk: expected at least one chunk, got {chunks}")
    total = input.shape[normal_dim(dim, input.ndim)]
    result: tuple[Tensor, ...] = split(input, -(-total // chunks) if total else [0] * chunks, dim)
    return result


@composition
def tensor_split(
    input: Array, indices_or_sections: Any = None, dim: int = 0, *, indices: Any = None, sections: Any = None
) -> tuple[Tensor, ...]:
    """`indices_or_sections` pieces of nearly equal size, or pieces cut at the indices listed. Views.

    Args:
        indices_or_sections: an integer or 0-d tensor (also `sections`), or a sequence or 1-d tensor of integers (also
            `indices`).

    >>> import tinygrad_dl as td
    >>> td.arange(5).tensor_split(2), td.arange(5).tensor_split((1, 4))
    ((tensor([0, 1, 2]), tensor([3, 4])), (tensor([0]), tensor([1, 2, 3]), tensor([4])))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.tensor_split.html
    """
    total = input.shape[normal_dim(dim, input.ndim)]
    given = [each for each in (indices_or_sections, indices, sections) if each is not None]
    if len(given) != 1:
        raise TypeError(f"tensor_split: expected a number of sections or indices to cut at, got {len(given)} of them")
    (found,) = given
    if isinstance(found, Tensor | np.ndarray):
        if found.ndim > 1 or found.dtype.kind not in "iu":
            raise TypeError(
                f"tensor_split: expected a 0-d or 1-d tensor of integers, got {found.dtype} of shape {found.shape}"
            )
        found = found.tolist()
    if isinstance(found, int):
        count = found
        if count < 1:
            raise ValueError(f"tensor_split: expected at least one section, got {count}")
        if count > total + MANY:
            raise ValueError(
                f"tensor_split: got {count} sections for a size of {total}, expected at most {total + MANY}"
            )
        size, larger = divmod(total, count)
        result: tuple[Tensor, ...] = split(input, [size + (i < larger) for i in range(count)], dim)
        return result
    cuts = [0, *(max(0, min(total, i + total if i < 0 else i)) for i in map(int, found)), total]
    head = (slice(None),) * normal_dim(dim, input.ndim)
    return tuple([input[(*head, slice(a, b))] for a, b in itertools.pairwise(cuts)])


def _np_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    if isinstance(indices_or_sections, int) and ary.shape[axis] % indices_or_sections:
        raise ValueError(
            "got a size that the number of parts does not divide, expected equal parts; array_split() takes others"
        )
    return list(tensor_split(ary, indices_or_sections, axis))


def _at_least(ndim: int, tensor: Any) -> Any:
    """The tensor with dimensions of size 1 put in front, as `hstack` and `vstack` want it."""
    missing = ndim - tensor.ndim
    return tensor.reshape((1,) * missing + tensor.shape) if missing > 0 else tensor


def each_of(tensors: tuple[Any, ...], function: Callable[[Any], Any]) -> Any:
    """The result for one tensor, or a tuple of results for several or for a sequence of them."""
    if len(tensors) == 1 and not isinstance(tensors[0], tuple | list):
        return function(tensors[0])
    return tuple(map(function, tensors[0] if len(tensors) == 1 else tensors))


@composition
def atleast_1d(*tensors: Any) -> Any:
    """The tensor with at least one dimension; of several, or of a sequence, a tuple.

    >>> import tinygrad_dl as td
    >>> td.atleast_1d(td.tensor(1.0))
    tensor([1.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.atleast_1d.html
    """
    return each_of(tensors, lambda tensor: _at_least(1, tensor))


@composition
def atleast_2d(*tensors: Any) -> Any:
    """The tensor with at least two dimensions, the new ones in front; of several, or of a sequence, a tuple.

    >>> import tinygrad_dl as td
    >>> td.atleast_2d(td.tensor([1.0, 2.0]))
    tensor([[1., 2.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.atleast_2d.html
    """
    return each_of(tensors, lambda tensor: _at_least(2, tensor))


@composition
def atleast_3d(*tensors: Any) -> Any:
    """The tensor with at least three dimensions: a vector in the middle one, a matrix in the first two.

    Of several tensors, or of a sequence, a tuple.

    >>> import tinygrad_dl as td
    >>> td.atleast_3d(td.tensor([1.0, 2.0])).shape
    (1, 2, 1)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.atleast_3d.html
    """
    return each_of(
        tensors, lambda tensor: tensor if tensor.ndim >= 3 else tensor.reshape((*_at_least(2, tensor).shape, 1))
    )


@composition
def hstack(tensors: Sequence[Any]) -> Tensor:
    """The tensors side by side: along the first dimension if they are 1-D, else along the second.

    >>> import tinygrad_dl as td
    >>> td.hstack([td.zeros(2, 1), td.ones(2, 2)]).shape
    (2, 3)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.hstack.html
    """
    tensors = [atleast_1d(t) for t in tensors]
    result: Tensor = cat(tensors, 0 if tensors and tensors[0].ndim == 1 else 1)
    return result


@composition
def vstack(tensors: Sequence[Any]) -> Tensor:
    """The tensors one below the other: along the first dimension, 1-D tensors as rows.

    >>> import tinygrad_dl as td
    >>> td.vstack([td.zeros(3), td.ones(2, 3)]).shape
    (3, 3)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.vstack.html
    """
    result: Tensor = cat([atleast_2d(t) for t in tensors], 0)
    return result


@composition
def dstack(tensors: Sequence[Any]) -> Tensor:
    """The tensors one behind the other: along the third dimension.

    >>> import tinygrad_dl as td
    >>> td.dstack([td.zeros(3), td.ones(3)]).shape
    (1, 3, 2)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.dstack.html
    """
    result: Tensor = cat([atleast_3d(t) for t in tensors], 2)
    return result


@composition
def column_stack(tensors: Sequence[Any]) -> Tensor:
    """The tensors side by side, 1-D ones as columns.

    >>> import tinygrad_dl as td
    >>> td.column_stack([td.zeros(3), td.ones(3, 2)]).shape
    (3, 3)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.column_stack.html
    """
    columns = [t.reshape(-1, 1) if t.ndim < 2 else t for t in tensors]
    result: Tensor = cat(columns, 1)
    return result


@composition
def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """For each 1-D tensor a grid of its values, changing along its own dimension: read-only views.

    Args:
        indexing: "ij" gives grids of shape (n0, n1, ...), "xy" exchanges the first two dimensions.

    >>> import tinygrad_dl as td
    >>> td.meshgrid(td.tensor([1, 2]), td.tensor([3, 4, 5]))[0]
    tensor([[1, 1, 1],
            [2, 2, 2]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.meshgrid.html
    """
    if indexing not in ("ij", "xy"):
        raise ValueError(f"meshgrid: expected indexing 'ij' or 'xy', got {indexing!r}")
    if len(tensors) == 1 and isinstance(tensors[0], list | tuple):
        tensors = tuple(tensors[0])
    shape = [each.numel() for each in tensors]
    if any(each.ndim > 1 for each in tensors):
        raise ValueError(f"meshgrid: expected 1-D tensors, got shapes {[each.shape for each in tensors]}")
    grids = []
    for i, each in enumerate(tensors):
        grid = expand(reshape(each, [-1 if j == i else 1 for j in range(len(shape))]), shape)
        grids.append(transpose(grid, 0, 1) if indexing == "xy" and len(shape) > 1 else grid)
    return tuple(grids)


for _name, _method in {"chunk": chunk, "tensor_split": tensor_split}.items():
    setattr(Tensor, _name, _method)
row_stack = vstack
NUMPY[np.split] = _np_split
NUMPY[np.hstack], NUMPY[np.vstack], NUMPY[np.dstack], NUMPY[np.column_stack] = hstack, vstack, dstack, column_stack
NUMPY[np.atleast_1d], NUMPY[np.atleast_2d] = atleast_1d, atleast_2d
