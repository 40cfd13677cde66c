"""Elements in other places, or more than once: flip, roll, repeat, pad, and the parts of a matrix."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import NUMPY, Tensor
from tinygrad_dl.inputs import array, axes_of, axis_of, error, one_of, real
from tinygrad_dl.ops.indexing.getitem import accumulate
from tinygrad_dl.ops.shape.reshape import normal_dim


def _dims(dims: Any, ndim: int) -> list[int]:
    """One dimension or several, counted from the front, each named once."""
    found = [normal_dim(operator.index(d), ndim) for d in (dims if isinstance(dims, tuple | list) else (dims,))]
    if len(set(found)) != len(found):
        raise ValueError(f"expected each dimension once at most, got one twice in dims {dims}")
    return found


@op(
    varargs=True,
    exact=True,
    inputs=dict(input=real(), dims=axes_of("input", none=False)),
    errors=[
        error(IndexError, "got dim 2", array(2, 3), 2),
        error(ValueError, "twice", array(2, 3), (0, 0)),
    ],
    reference=lambda input, dims: np.flip(input, dims) if input.ndim else input,
)
def flip(input: Array, dims: Any) -> Array:
    """The elements in reverse order along the given dimensions. A copy. Also `t.flip(0, 1)`.

    >>> import tinygrad_dl as td
    >>> td.tensor([[1, 2], [3, 4]]).flip(1)
    tensor([[2, 1],
            [4, 3]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.flip.html
    """
    index: list[Any] = [slice(None)] * input.ndim
    for dim in _dims(dims, input.ndim):
        if input.ndim:
            index[dim] = slice(None, None, -1)
    return input[tuple(index)].copy("C")


flip.vjp(input=lambda g, dims: flip.duck(g, dims))


@op(
    exact=True,
    inputs=[
        dict(input=real(), shifts=one_of(0, 1, -2, 7)),
        dict(input=real(min_dims=1), shifts=one_of(1, -5), dims=axis_of("input")),
        dict(input=real(shape="n m"), shifts=one_of((1, 2)), dims=one_of((0, 1), (1, -1))),
    ],
    errors=[error(IndexError, "got dim 2", array(2, 3), 1, 2)],
    reference=lambda input, shifts, dims=None: np.roll(input, shifts, dims),
)
def roll(input: Array, shifts: Any, dims: Any = None) -> Array:
    """The elements moved on by `shifts` along `dims`; those that fall off the end return at the beginning.

    Without `dims`, the flattened tensor is rolled and brought back into shape.

    >>> import tinygrad_dl as td
    >>> td.tensor([1, 2, 3]).roll(1)
    tensor([3, 1, 2])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.roll.html
    """
    if isinstance(shifts, int) and isinstance(dims, int) and input.ndim:
        dim = normal_dim(dims, input.ndim)
        cut = -shifts % input.shape[dim] if input.size else 0
        head = (slice(None),) * dim
        return np.concatenate([input[(*head, slice(cut, None))], input[(*head, slice(cut))]], dim)
    shifts, dims = (each if isinstance(each, tuple | list) else (each,) for each in (shifts, dims))
    if dims == (None,):
        dims = (None,) * min(len(shifts), 1)
    if len(shifts) != len(dims):
        raise ValueError(
            f"roll: expected as many shifts as dims, got {shifts} and {None if None in dims else dims}; "
            f"without dims, one shift moves the flattened tensor"
        )
    if None in dims:
        return np.roll(input, shifts[0])
    for dim in dims:
        if not input.ndim:
            raise IndexError(f"roll: a 0-d tensor has no dimensions, got dims {dims}; leave them out")
        normal_dim(dim, input.ndim)
    return np.roll(input, shifts, dims)


roll.vjp(
    input=lambda g, shifts, dims: roll.duck(
        g, tuple([-s for s in shifts]) if isinstance(shifts, tuple | list) else -shifts, dims
    )
)


@op(
    varargs=True,
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


@composition
def tile(input: Array, dims: Any) -> Tensor:
    """`repeat`, where missing numbers count as 1 in front. Also `t.tile(2, 2)`.

    >>> import tinygrad_dl as td
    >>> td.tensor([[1, 2]]).tile(2)
    tensor([[1, 2, 1, 2]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.tile.html
    """
    dims = (dims,) if isinstance(dims, int) else tuple(dims)
    result: Tensor = repeat(input, (1,) * (input.ndim - len(dims)) + dims)
    return result


@composition
def _method_tile(self: Tensor, *dims: Any) -> Tensor:
    """`td.tile`."""
    return tile(self, dims[0] if len(dims) == 1 else dims)


@op(
    np.repeat,
    exact=True,
    inputs=[
        dict(input=real(), repeats=one_of(0, 1, 3)),
        dict(input=real(min_dims=1), repeats=one_of(2), dim=axis_of("input")),
        dict(input=real(shape="3 m"), repeats=one_of((1, 0, 2), [2, 1, 1]), dim=one_of(0, -2)),
    ],
    errors=[error(ValueError, "could not be broadcast", array(3), (1, 2), 0)],
    reference=lambda input, repeats, dim=None: np.repeat(input, repeats, dim),
)
def repeat_interleave(input: Array, repeats: Any, dim: int | None = None) -> Array:
    """Each element (of the flattened tensor, or slice along `dim`) `repeats` times; one number, or one for each.

    >>> import tinygrad_dl as td
    >>> td.tensor([1, 2]).repeat_interleave(2), td.tensor([1, 2]).repeat_interleave(td.tensor([0, 3]))
    (tensor([1, 1, 2, 2]), tensor([2, 2, 2]))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.repeat_interleave.html
    """
    if dim is not None and not input.ndim:
        raise IndexError(f"repeat_interleave: a 0-d tensor has no dimensions, got dim {dim}; leave it out")
    return np.repeat(input, _counts(repeats), dim)


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
    source = np.repeat(np.arange(shape[place]), repeats)
    return np.reshape(accumulate.duck(g, (*(slice(None),) * place, source), shape), input_shape)


repeat_interleave.vjp(input=_repeat_interleave_rule)


# -- parts of matrices -------------------------------------------------------------------------------


@op(
    exact=True,
    inputs=dict(input=real(shape="... n m"), diagonal=one_of(0, 1, -1, 5)),
    errors=[error(RuntimeError, "at least 2 dimensions", array(3))],
    reference=lambda input, diagonal=0: np.tril(input, diagonal),
)
def tril(input: Array, diagonal: int = 0) -> Array:
    """The lower triangle of matrices (..., n, m), zero above diagonal number `diagonal`.

    >>> import tinygrad_dl as td
    >>> td.ones(2, 2).tril()
    tensor([[1., 0.],
            [1., 1.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.tril.html
    """
    _require_matrix(input, "tril")
    return np.tril(input, diagonal)


tril.vjp(input=lambda g, diagonal: np.tril(g, diagonal))


@op(
    exact=True,
    inputs=dict(input=real(shape="... n m"), diagonal=one_of(0, 1, -1, 5)),
    errors=[error(RuntimeError, "at least 2 dimensions", array(3))],
    reference=lambda input, diagonal=0: np.triu(input, diagonal),
)
def triu(input: Array, diagonal: int = 0) -> Array:
    """The upper triangle of matrices (..., n, m), zero below diagonal number `diagonal`.

    >>> import tinygrad_dl as td
    >>> td.ones(2, 2).triu(1)
    tensor([[0., 1.],
            [0., 0.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.triu.html
    """
    _require_matrix(input, "triu")
    return np.triu(input, diagonal)


triu.vjp(input=lambda g, diagonal: np.triu(g, diagonal))


def _require_matrix(input: Any, what: str) -> None:
    if input.ndim < 2:
        raise RuntimeError(f"{what}: expected at least 2 dimensions, got shape {input.shape}; use diag() for vectors")


@op(
    view=True,
    inputs=[
        dict(input=real(shape="n m"), offset=one_of(0, 1, -1, 4)),
        dict(input=real(shape="n m k"), offset=one_of(0, -1), dim1=one_of(0, -1), dim2=one_of(1)),
    ],
    errors=[error(RuntimeError, "two different dimensions", array(2, 3), 0, 1, 1)],
    reference=lambda input, offset=0, dim1=0, dim2=1: np.diagonal(input, offset, dim1, dim2),
)
def diagonal(input: Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Array:
    """Diagonal number `offset` of the matrices in `dim1` and `dim2`, as a new last dimension. A view.

    >>> import tinygrad_dl as td
    >>> td.tensor([[1, 2], [3, 4]]).diagonal()
    tensor([1, 4])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.diagonal.html
    """
    if normal_dim(dim1, input.ndim) == normal_dim(dim2, input.ndim):
        raise RuntimeError(f"diagonal: expected two different dimensions, got {dim1} and {dim2} of {input.ndim}")
    out = input.diagonal(offset, dim1, dim2)
    if input.flags.writeable:
        out.setflags(write=True)
    return out


@op(
    method=False,
    namespace="rules",
    exact=True,
    inputs=dict(
        input=real(shape="3"), shape=one_of((3, 4), (3, 3), (5, 3)), offset=one_of(0), dim1=one_of(0), dim2=one_of(1)
    ),
    reference=lambda input, shape, offset, dim1, dim2: np.eye(*shape) * np.pad(input, (0, shape[1] - 3)),
)
def embed_diagonal(input: Array, shape: Any, offset: int, dim1: int, dim2: int) -> Array:
    """Zeros of the given shape with `input` as their diagonal: what the gradient of `diagonal` is.

    >>> import numpy as np
    >>> embed_diagonal(np.ones(2), (2, 3), 1, 0, 1)
    tensor([[0., 1., 0.],
            [0., 0., 1.]], dtype=float64)
    """
    out = np.zeros(shape, input.dtype)
    place = out.diagonal(offset, dim1, dim2)
    place.setflags(write=True)
    place[...] = input
    return out


diagonal.vjp(input=lambda g, input_shape, offset, dim1, dim2: embed_diagonal.duck(g, input_shape, offset, dim1, dim2))
embed_diagonal.vjp(input=lambda g, offset, dim1, dim2: np.diagonal(g, offset, dim1, dim2))
NUMPY[np.diagonal] = lambda a, offset=0, axis1=0, axis2=1: diagonal(a, offset, axis1, axis2)


@composition
def diag_embed(input: Array, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Square matrices, in dimensions `dim1` and `dim2`, with the last dimension of `input` on a diagonal.

    >>> import tinygrad_dl as td
    >>> td.diag_embed(td.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.diag_embed.html
    """
    ndim = input.ndim + 1
    first, second = normal_dim(dim1, ndim), normal_dim(dim2, ndim)
    if first == second:
        raise RuntimeError(f"diag_embed: expected two different dimensions, got {dim1} and {dim2} of {ndim}")
    side = input.shape[-1] + abs(offset)
    rest = iter(input.shape[:-1])
    shape = tuple([side if i in (first, second) else next(rest) for i in range(ndim)])
    result: Tensor = embed_diagonal(input, shape, offset, first, second)
    return result


@composition
def diag(input: Array, diagonal: int = 0) -> Tensor:
    """The square matrix with a vector on its diagonal; of a matrix, the diagonal, copied.

    >>> import tinygrad_dl as td
    >>> td.diag(td.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.diag.html
    """
    if input.ndim not in (1, 2):
        raise RuntimeError(f"diag: expected a vector or a matrix, got shape {input.shape}; use diagonal or diag_embed")
    if input.ndim == 1:
        return diag_embed(input, diagonal)
    result: Tensor = _diagonal(input, diagonal).clone()
    return result


_diagonal = diagonal


@composition
def rot90(input: Array, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """Rotated by 90 degrees `k` times, in the plane of two dimensions, from the first towards the second.

    >>> import tinygrad_dl as td
    >>> td.rot90(td.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.rot90.html
    """
    first, second = dims
    if normal_dim(first, input.ndim) == normal_dim(second, input.ndim):
        raise ValueError(f"rot90: expected two different dimensions, got {first} and {second} of {input.ndim}")
    k %= 4
    result: Tensor
    if k == 0:
        result = input.clone()
    elif k == 2:
        result = flip(input, (first, second))
    else:
        result = flip(input.transpose(first, second), first if k == 1 else second)
    return result


@composition
def fliplr(input: Array) -> Tensor:
    """`flip` along the second dimension.

    >>> import tinygrad_dl as td
    >>> td.fliplr(td.tensor([[1, 2], [3, 4]]))
    tensor([[2, 1],
            [4, 3]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.fliplr.html
    """
    result: Tensor = flip(input, 1)
    return result


@composition
def flipud(input: Array) -> Tensor:
    """`flip` along the first dimension.

    >>> import tinygrad_dl as td
    >>> td.flipud(td.tensor([[1, 2], [3, 4]]))
    tensor([[3, 4],
            [1, 2]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.flipud.html
    """
    result: Tensor = flip(input, 0)
    return result


for _name, _method in dict(
    tile=_method_tile, diag=diag, diag_embed=diag_embed, rot90=rot90, fliplr=fliplr, flipud=flipud
).items():
    setattr(Tensor, _name, _method)
NUMPY[np.flip] = lambda m, axis=None: flip(m, tuple(range(m.ndim)) if axis is None else axis)
NUMPY[np.roll] = lambda a, shift, axis=None: roll(a, shift, axis)
NUMPY[np.tril], NUMPY[np.triu] = lambda m, k=0: tril(m, k), lambda m, k=0: triu(m, k)
NUMPY[np.fliplr], NUMPY[np.flipud] = fliplr, flipud
NUMPY[np.tile] = tile
NUMPY[np.rot90] = lambda m, k=1, axes=(0, 1): rot90(m, k, axes)
NUMPY[np.diag] = lambda v, k=0: diag(v, k)
