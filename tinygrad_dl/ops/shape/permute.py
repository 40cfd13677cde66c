"""Other ways to name a reshape, a permutation or an expansion: flatten, movedim, T and their like."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import NUMPY, Tensor
from tinygrad_dl.ops.indexing.getitem import getitem
from tinygrad_dl.ops.pointwise.conversion import contiguous
from tinygrad_dl.ops.shape.reshape import expand, normal_dim, np_reshape, permute, reshape, transpose, view


@composition
def flatten(input: Array, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Dimensions `start_dim` to `end_dim`, both included, as one. A view if that can be.

    Raises:
        RuntimeError: `start_dim` comes after `end_dim`.

    >>> import tinygrad_dl as td
    >>> td.zeros(2, 3, 4).flatten(1).shape
    (2, 12)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.flatten.html
    """
    shape = input.shape
    start, end = normal_dim(start_dim, len(shape)), normal_dim(end_dim, len(shape))
    if start > end:
        raise RuntimeError(
            f"flatten: got start_dim={start_dim} and end_dim={end_dim} for shape {shape}, expected a start before the "
            "end"
        )
    if start == end and shape and isinstance(input, Tensor):
        return input
    count = math.prod(shape[start : end + 1])
    result: Tensor = reshape(input, (*shape[:start], count, *shape[end + 1 :]))
    return result


@composition
def ravel(input: Array) -> Tensor:
    """All elements in one dimension, in row-major order without gaps: a view of a contiguous tensor, else a copy.

    >>> import tinygrad_dl as td
    >>> td.zeros(2, 3).ravel().shape
    (6,)
    >>> td.arange(6)[::2].ravel().stride()
    (1,)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.ravel.html
    """
    result: Tensor = reshape(contiguous(input), -1)
    return result


@composition
def unflatten(input: Array, dim: int, sizes: Any) -> Tensor:
    """Dimension `dim` as several, of the given sizes, one of which may be -1.

    Raises:
        ValueError: the sizes' product is not the dimension's size.

    >>> import tinygrad_dl as td
    >>> td.zeros(2, 12).unflatten(1, (3, -1)).shape
    (2, 3, 4)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.unflatten.html
    """
    shape = input.shape
    place = normal_dim(dim, len(shape))
    sizes = [operator.index(n) for n in sizes]
    if -1 in sizes:
        known = math.prod(n for n in sizes if n != -1)
        sizes[sizes.index(-1)] = shape[place] // known if known else 0
    if math.prod(sizes) != shape[place]:
        raise ValueError(
            f"unflatten: got sizes {tuple(sizes)}, expected sizes whose product is {shape[place]}, that of dim {dim}"
        )
    result: Tensor = reshape(input, (*shape[:place], *sizes, *shape[place + 1 :]))
    return result


@composition
def t(input: Array) -> Tensor:
    """The transpose of a matrix; a tensor of fewer dimensions is returned as it is. A view.

    >>> import tinygrad_dl as td
    >>> td.zeros(2, 3).t().shape
    (3, 2)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.t.html
    """
    if input.ndim > 2:
        raise RuntimeError(f"t: expected at most 2 dimensions, got shape {input.shape}; use transpose or mT")
    result: Tensor = transpose(input, 0, 1) if input.ndim == 2 else reshape(input, input.shape)
    return result


@composition
def adjoint(input: Array) -> Tensor:
    """The last two dimensions exchanged, complex elements conjugated; of a 0-d tensor only that.

    >>> import tinygrad_dl as td
    >>> td.adjoint(td.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[1., 3.],
            [2., 4.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.adjoint.html
    """
    turned = _matrix_transpose(input) if input.ndim else reshape(input, ())
    return turned.conj() if turned.is_complex() else turned


@composition
def movedim(input: Array, source: Any, destination: Any) -> Tensor:
    """Dimensions `source` (an int or several) moved to the places `destination`. A view.

    >>> import tinygrad_dl as td
    >>> td.zeros(2, 3, 4).movedim(0, -1).shape
    (3, 4, 2)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.movedim.html
    """
    ndim = input.ndim or 1
    source = [normal_dim(d, ndim) for d in ((source,) if isinstance(source, int) else source)]
    places = [normal_dim(d, ndim) for d in ((destination,) if isinstance(destination, int) else destination)]
    if len(source) != len(places) or len(set(source)) != len(source) or len(set(places)) != len(places):
        raise RuntimeError(f"movedim: expected as many destinations as sources, each once, got {source} and {places}")
    if not ndim:
        source, places = [], []  # a 0-d tensor is taken as one of one dimension
    order = [d for d in range(ndim) if d not in source]
    for place, dim in sorted(zip(places, source, strict=True)):
        order.insert(place, dim)
    result: Tensor = permute(input, order if input.ndim else ())
    return result


@composition
def expand_as(input: Array, other: Array) -> Tensor:
    """`expand` to the shape of `other`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.expand_as.html
    """
    result: Tensor = expand(input, other.shape)
    return result


@composition
def view_as(input: Array, other: Array) -> Tensor:
    """`view` in the shape of `other`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.view_as.html
    """
    result: Tensor = view(input, other.shape)
    return result


@composition
def reshape_as(input: Array, other: Array) -> Tensor:
    """`reshape` to the shape of `other`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.reshape_as.html
    """
    result: Tensor = reshape(input, other.shape)
    return result


@composition
def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """The tensors expanded to the one shape that they broadcast to; one that has it already is returned itself.

    >>> import tinygrad_dl as td
    >>> [t.shape for t in td.broadcast_tensors(td.zeros(3, 1), td.zeros(2))]
    [(3, 2), (3, 2)]

    Source: https://docs.pytorch.org/docs/stable/generated/torch.broadcast_tensors.html
    """
    if len(tensors) == 1 and isinstance(tensors[0], list | tuple):
        tensors = tuple(tensors[0])
    shape = np.broadcast_shapes(*[each.shape for each in tensors])
    return tuple([each if each.shape == shape else expand(each, shape) for each in tensors])


@composition
def narrow(input: Array, dim: int, start: Any, length: int) -> Tensor:
    """`length` slices along `dim`, from number `start` on. A view.

    Raises:
        RuntimeError: there are not that many.

    >>> import tinygrad_dl as td
    >>> td.arange(5).narrow(0, 1, 3)
    tensor([1, 2, 3])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.narrow.html
    """
    place = normal_dim(dim, input.ndim)
    size = input.shape[place]
    first = operator.index(start)
    first += size if first < 0 else 0
    if length < 0 or not 0 <= first <= first + length <= size:
        raise RuntimeError(
            f"narrow: got start={start} and length={length}, expected a range within dim {dim} of size {size}"
        )
    result: Tensor = getitem(input, (*(slice(None),) * place, slice(first, first + length)))
    return result


@composition
def select(input: Array, dim: int, index: int) -> Tensor:
    """Slice number `index` along `dim`, without that dimension. A view.

    Raises:
        IndexError: there is no such slice.

    >>> import tinygrad_dl as td
    >>> td.tensor([[1, 2], [3, 4]]).select(1, 0)
    tensor([1, 3])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.select.html
    """
    result: Tensor = getitem(input, (*(slice(None),) * normal_dim(dim, input.ndim), operator.index(index)))
    return result


@composition
def _reversed(self: Tensor) -> Tensor:
    """The dimensions in reverse order: of a matrix, its transpose. A view."""
    result: Tensor = permute(self, range(self._data.ndim - 1, -1, -1))
    return result


@composition
def _matrix_transpose(self: Tensor) -> Tensor:
    """The last two dimensions exchanged. A view."""
    if self.ndim < 2:
        raise RuntimeError(f"mT: expected at least 2 dimensions, got shape {self.shape}; use unsqueeze() first")
    result: Tensor = transpose(self, -2, -1)
    return result


@composition
def _hermitian(self: Tensor) -> Tensor:
    """The transpose of a matrix, complex elements conjugated."""
    if self.ndim != 2:
        raise RuntimeError(f"H: expected a matrix, got shape {self.shape}; use mH for batches of matrices")
    return adjoint(self)


moveaxis = movedim
_METHODS = {
    "broadcast_to": vars(Tensor)["expand"],
    "flatten": flatten,
    "unflatten": unflatten,
    "moveaxis": movedim,
    "movedim": movedim,
    "ravel": ravel,
    "swapaxes": transpose,
    "swapdims": transpose,
    "t": t,
    "narrow": narrow,
    "select": select,
    "adjoint": adjoint,
    "expand_as": expand_as,
    "view_as": view_as,
    "reshape_as": reshape_as,
    "T": property(_reversed),
    "mT": property(_matrix_transpose),
    "H": property(_hermitian),
    "mH": property(adjoint),
}
for _name, _method in _METHODS.items():
    setattr(Tensor, _name, _method)


NUMPY[np.moveaxis] = movedim
NUMPY[np.ravel] = lambda a, order="C": np_reshape(a, -1, order)
NUMPY[np.broadcast_arrays] = lambda *args, subok=False: broadcast_tensors(*args)
NUMPY[np.matrix_transpose] = _matrix_transpose
NUMPY[np.ndim] = lambda a: a.ndim
NUMPY[np.shape] = lambda a: a.shape
NUMPY[np.size] = lambda a, axis=None: a.numel() if axis is None else a.shape[axis]
