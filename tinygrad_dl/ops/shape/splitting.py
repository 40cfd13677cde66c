"""One tensor into several: split, chunk, tensor_split, hsplit, vsplit, dsplit, unbind; unsafe_split makes no views."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np

from tinygrad_dl.core.batching import inner
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, axis_of, error, one_of, real
from tinygrad_dl.ops._overload import alias, method, overload
from tinygrad_dl.ops.shape._dims import normal_dim

# More empty sections than this are a mistake, and would take the memory of the machine.
MANY = 1_000_000


@op(
    linear=("input",),
    outputs=tuple,
    view=True,
    inputs=dict(input=real(min_dims=1, min_side=1), dim=axis_of("input")),
    errors=[error(IndexError, "got dim 2", array(2, 3), 2)],
    reference=lambda input, dim=0: tuple(np.moveaxis(input, dim, 0)),
)
def unbind(input: Array, dim: int = 0) -> tuple[Array, ...]:
    """The slices along dimension `dim`, without that dimension, as a tuple of views.

    >>> td.tensor([[1, 2], [3, 4]]).unbind()
    (tensor([1, 2]), tensor([3, 4]))
    """
    if not input.ndim:
        raise IndexError("unbind: got a 0-d tensor, expected a dimension to take apart; use item() for its value")
    dim = normal_dim(dim, input.ndim)
    if dim:
        input = np.moveaxis(input, dim, 0)
    return tuple([input[i, ...] for i in range(input.shape[0])])


unbind.vjp(input=lambda g, dim: np.stack(g, dim))


@unbind.vmap
def _unbind_batch(input: Any, dim: int) -> Any:
    return unbind(input, inner(dim, input.ndim - 1))


@op(
    linear=("input",),
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

    >>> td.arange(5).split(2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
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


@overload(split, method=False)
def _by_split_size(self: Tensor, split_size: Any, dim: int = 0, **axis: Any) -> tuple[Tensor, ...]:
    pieces: tuple[Tensor, ...] = split(self, split_size, dim, **axis)
    return pieces


# PyTorch's method has another name of its second argument than its function.
_by_split_size.__name__ = _by_split_size.__qualname__ = "split"
_by_split_size.__doc__ = split.__doc__
alias("split", _by_split_size)


@split.vmap
def _split_batch(input: Any, split_size_or_sections: Any, dim: int) -> Any:
    return split(input, split_size_or_sections, inner(dim, input.ndim - 1))


def _naive_split(input: np.ndarray, sizes: Any, dim: int) -> tuple[np.ndarray, ...]:
    """`split` by NumPy, to test against."""
    total = input.shape[dim]
    cuts = range(sizes, total, sizes) if isinstance(sizes, int) else np.cumsum(sizes)[:-1]
    return tuple(np.split(input, list(cuts), dim))


@method
def chunk(input: Array, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` pieces of equal size (the last may be smaller) along `dim`, as in PyTorch. Views.

    >>> td.arange(5).chunk(2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    """
    if chunks < 1:
        raise ValueError(f"chunk: expected at least one chunk, got {chunks}")
    total = input.shape[normal_dim(dim, input.ndim)]
    return split(input, -(-total // chunks) if total else [0] * chunks, dim)


@method
def split_with_sizes(input: Array, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of the sizes listed along dimension `dim`: `split`. Views.

    >>> td.arange(3).split_with_sizes([1, 2])
    (tensor([0]), tensor([1, 2]))
    """
    pieces: tuple[Tensor, ...] = split(input, tuple(split_sizes), dim)
    return pieces


@method
def unsafe_split(input: Array, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """As `split`, but each piece has memory of its own, so that it may be changed in place.

    >>> a, b = td.arange(3).unsafe_split(2)
    >>> a.add_(10), b
    (tensor([10, 11]), tensor([2]))
    """
    return tuple([piece.clone() for piece in split(input, split_size, dim)])


@method
def unsafe_split_with_sizes(input: Array, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """As `split_with_sizes`, but each piece has memory of its own, so that it may be changed in place.

    >>> td.arange(3).unsafe_split_with_sizes([1, 2])
    (tensor([0]), tensor([1, 2]))
    """
    return tuple([piece.clone() for piece in split(input, tuple(split_sizes), dim)])


@method
def unsafe_chunk(input: Array, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """As `chunk`, but each piece has memory of its own, so that it may be changed in place.

    >>> td.arange(3).unsafe_chunk(2)
    (tensor([0, 1]), tensor([2]))
    """
    return tuple([piece.clone() for piece in chunk(input, chunks, dim)])


@method
def tensor_split(
    input: Array, indices_or_sections: Any = None, dim: int = 0, *, indices: Any = None, sections: Any = None
) -> tuple[Tensor, ...]:
    """`indices_or_sections` pieces of nearly equal size, or pieces cut at the indices listed. Views.

    Args:
        indices_or_sections: an integer or 0-d tensor (also `sections`), or a sequence or 1-d tensor of integers (also
            `indices`).

    >>> td.arange(5).tensor_split(2), td.arange(5).tensor_split((1, 4))
    ((tensor([0, 1, 2]), tensor([3, 4])), (tensor([0]), tensor([1, 2, 3]), tensor([4])))
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
        cuts = [i * size + min(i, larger) for i in range(count + 1)]
    else:
        cuts = [0, *(max(0, min(total, i + total if i < 0 else i)) for i in map(int, found)), total]
    head = (slice(None),) * normal_dim(dim, input.ndim)
    return tuple([input[(*head, slice(a, b))] for a, b in itertools.pairwise(cuts)])


def _np_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    if isinstance(indices_or_sections, int) and ary.shape[axis] % indices_or_sections:
        raise ValueError(
            "got a size that the number of parts does not divide, expected equal parts; array_split() takes others"
        )
    return list(tensor_split(ary, indices_or_sections, axis))


def _split_along(input: Any, parts: Any, dim: int, least: int, name: str) -> tuple[Tensor, ...]:
    """`tensor_split` along `dim`, which a number of parts must divide."""
    if input.ndim < least:
        raise RuntimeError(f"{name}: got a tensor of shape {input.shape}, expected at least {least} dimensions")
    if isinstance(parts, str):
        raise TypeError(f"{name}: got indices_or_sections={parts!r}, expected an integer, or several to cut at")
    if isinstance(parts, int) and (parts < 1 or input.shape[dim] % parts):
        raise RuntimeError(
            f"{name}: got {parts} sections for a size of {input.shape[dim]}, expected a number that divides it; "
            "tensor_split() takes others"
        )
    return tensor_split(input, parts, dim)


@method
def hsplit(input: Array, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Pieces side by side: `tensor_split` along dimension 1, of a vector along dimension 0. Views.

    Args:
        indices_or_sections: a number of pieces of equal size, or the indices to cut at.

    >>> td.arange(4).view(2, 2).hsplit(2)
    (tensor([[0],
            [2]]), tensor([[1],
            [3]]))
    """
    return _split_along(input, indices_or_sections, 1 if input.ndim > 1 else 0, 1, "hsplit")


@method
def vsplit(input: Array, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Pieces one above the other: `tensor_split` along dimension 0. Views.

    >>> td.arange(4).view(2, 2).vsplit(2)
    (tensor([[0, 1]]), tensor([[2, 3]]))
    """
    return _split_along(input, indices_or_sections, 0, 2, "vsplit")


@method
def dsplit(input: Array, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Pieces one behind the other: `tensor_split` along dimension 2. Views.

    >>> [piece.shape for piece in td.zeros(2, 3, 4).dsplit([1])]
    [(2, 3, 1), (2, 3, 3)]
    """
    return _split_along(input, indices_or_sections, 2, 3, "dsplit")


NUMPY[np.split] = _np_split
