"""The largest and smallest elements over dimensions, and where they stand."""

from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.backends.arrays import at_hand, module_of, reduce
from tinygrad_dl.backends.transposing import along_rows
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import is_known, values_of
from tinygrad_dl.inputs import array, axes_of, axis_of, error, one_of, real
from tinygrad_dl.ops._overload import method
from tinygrad_dl.ops.pointwise._selection import keep
from tinygrad_dl.ops.pointwise.extremes import maximum, minimum
from tinygrad_dl.ops.reduction._sums import add_up, kept, largest, over

LARGE = 2**12  # elements, from which a transposed copy pays
WIDE = real(min_side=1)
OVER = {"input": WIDE, "dim": axes_of("input"), "keepdim": one_of(False, True)}
OVER_ONE = {"input": real(min_dims=1, min_side=1), "dim": axis_of("input", none=True), "keepdim": one_of(False, True)}
ALONG = {"input": real(min_dims=1, min_side=1, distinct=True), "dim": axis_of("input"), "keepdim": one_of(False, True)}
EMPTY = [error(IndexError, "zero-size array", array(0))]


@op(
    np.max,
    np.amax,
    (np.maximum, "reduce"),
    kind="reduction",
    exact=True,
    real=True,
    inputs=OVER,
    errors=EMPTY,
    reference=np.max,
)
def amax(input: Array, dim: Any = None, keepdim: bool = False) -> Array:
    """The largest elements over one dimension, several or all; equal ones share the gradient evenly.

    Raises:
        IndexError: there is no element to choose from.

    >>> td.amax(td.tensor([[1.0, 5.0], [3.0, 2.0]]), dim=1)
    tensor([5., 3.])
    """
    try:
        return largest(input, over(dim, input.ndim), keepdim)
    except ValueError as error:
        raise _without_elements(error, input, dim) from None


@op(
    np.min,
    np.amin,
    (np.minimum, "reduce"),
    kind="reduction",
    exact=True,
    real=True,
    inputs=OVER,
    errors=EMPTY,
    reference=np.min,
)
def amin(input: Array, dim: Any = None, keepdim: bool = False) -> Array:
    """The smallest elements over one dimension, several or all; equal ones share the gradient evenly.

    Raises:
        IndexError: there is no element to choose from.

    >>> td.amin(td.tensor([[1.0, 5.0], [3.0, 2.0]]), dim=1)
    tensor([1., 2.])
    """
    try:
        return reduce(np.minimum, input, over(dim, input.ndim), keepdim)
    except ValueError as error:
        raise _without_elements(error, input, dim) from None


def _without_elements(error: ValueError, input: np.ndarray, dim: Any) -> Exception:
    """The error of choosing among no elements: along a dimension an IndexError, as PyTorch's."""
    if dim is None or input.size:
        return error
    return IndexError(f"expected dimensions with elements, got shape {input.shape} and dim={dim}")


def share_evenly(g: Any, input: Any, out: Any, dim: Any, keepdim: bool) -> Any:
    """The gradient of an extreme value, in equal parts to all elements that have it."""
    chosen = input == kept(out, input.shape, dim, keepdim)
    dims = over(dim, input.ndim)
    count = add_up(values_of(chosen).astype(g.dtype), dims, True)
    if (
        is_known(count) and at_hand(count) and not count.all()
    ):  # the extreme value is nan, which equals nothing: all that are nan share
        chosen = chosen | np.isnan(input)
        count = add_up(values_of(chosen).astype(g.dtype), dims, True)
    part = kept(g, input.shape, dim, keepdim) / count
    return keep(np.broadcast_to(part, input.shape), chosen)


amax.vjp(input=share_evenly)
amin.vjp(input=share_evenly)


def place_of(function: Any, input: np.ndarray, dim: Any, keepdim: bool) -> Any:
    """np.argmax or np.argmin; not along the last dimension, of a transposed copy, which is ten times as fast."""
    if dim is None or input.size < LARGE or type(input) is not np.ndarray or dim % input.ndim == input.ndim - 1:
        found = function(input, dim, keepdims=keepdim)
        return np.asarray(found) if isinstance(found, np.generic) else found
    found = function(along_rows(input, dim), -1)
    return np.expand_dims(found, dim) if keepdim else found


@op(
    np.argmax,
    kind="reduction",
    differentiable=False,
    exact=True,
    real=True,
    inputs=OVER_ONE,
    errors=[error(IndexError, "empty sequence", array(0))],
)
def argmax(input: Array, dim: Any = None, keepdim: bool = False) -> Array:
    """Where the largest element stands along a dimension, or in the flattened tensor; the first of equals.

    >>> td.argmax(td.tensor([[1.0, 5.0], [3.0, 2.0]]), dim=1)
    tensor([1, 0])
    """
    return place_of(np.argmax, input, dim, keepdim)


@op(
    np.argmin,
    kind="reduction",
    differentiable=False,
    exact=True,
    real=True,
    inputs=OVER_ONE,
    errors=[error(IndexError, "empty sequence", array(0))],
)
def argmin(input: Array, dim: Any = None, keepdim: bool = False) -> Array:
    """Where the smallest element stands along a dimension, or in the flattened tensor; the first of equals.

    >>> td.argmin(td.tensor([[1.0, 5.0], [3.0, 2.0]]), dim=1)
    tensor([0, 1])
    """
    return place_of(np.argmin, input, dim, keepdim)


for ufunc, position in ((np.argmax, argmax), (np.argmin, argmin)):
    NUMPY[ufunc] = lambda a, axis=None, *, keepdims=False, function=position: function(a, axis, keepdims)


class Extreme(NamedTuple):
    """Extreme values along a dimension, and where they stand there."""

    values: Any
    indices: Any


def extreme(input: Any, indices: Any, dim: int, keepdim: bool) -> Extreme:
    """The elements at the given places (which kept their dimension)."""
    values = np.take_along_axis(input, indices, dim) if input.ndim else input.copy()
    if keepdim or not input.ndim:
        return Extreme(values, indices)
    return Extreme(values.squeeze(dim), indices.squeeze(dim))


def to_chosen(g: Any, input_shape: Any, indices: Any, dim: int, keepdim: bool) -> Any:
    """The gradient of a chosen element, to its place; zero elsewhere."""
    if not input_shape:
        return g[0]
    places = module_of(g[0], indices).arange(input_shape[dim]).reshape((-1,) + (1,) * ((-1 - dim) % len(input_shape)))
    return np.where(places == kept(indices, input_shape, dim, keepdim), kept(g[0], input_shape, dim, keepdim), 0.0)


def of_chosen(t: Any, indices: Any, dim: int, keepdim: bool) -> Any:
    """The tangents of the chosen elements."""
    if not t.ndim:
        return t
    from tinygrad_dl.ops.indexing.gather import gathered  # loaded when first needed

    picked = gathered.generic(t, dim, kept(indices, t.shape, dim, keepdim))
    return picked if keepdim else picked.squeeze(dim)


@op(
    kind="reduction",
    method=False,
    outputs=Extreme,
    exact=True,
    real=True,
    inputs=ALONG,
    errors=[error(IndexError, "empty sequence", array(0), 0)],
    reference=lambda input, dim, keepdim=False: (
        np.max(input, dim, keepdims=keepdim),
        np.argmax(input, dim, keepdims=keepdim),
    ),
)
def max_dim(input: Array, dim: Any, keepdim: bool = False) -> Array:
    """The largest elements along one dimension and their indices; `max` with a dimension."""
    return extreme(input, place_of(np.argmax, input, dim, True), dim, keepdim)


@op(
    kind="reduction",
    method=False,
    outputs=Extreme,
    exact=True,
    real=True,
    inputs=ALONG,
    errors=[error(IndexError, "empty sequence", array(0), 0)],
    reference=lambda input, dim, keepdim=False: (
        np.min(input, dim, keepdims=keepdim),
        np.argmin(input, dim, keepdims=keepdim),
    ),
)
def min_dim(input: Array, dim: Any, keepdim: bool = False) -> Array:
    """The smallest elements along one dimension and their indices; `min` with a dimension."""
    return extreme(input, place_of(np.argmin, input, dim, True), dim, keepdim)


max_dim.vjp(input=to_chosen)
min_dim.vjp(input=to_chosen)
max_dim.jvp(input=lambda t, indices, dim, keepdim: of_chosen(t, indices, dim, keepdim))
min_dim.jvp(input=lambda t, indices, dim, keepdim: of_chosen(t, indices, dim, keepdim))


def by_arguments(forms: tuple[Any, Any, Any], input: Any, dim: Any, keepdim: bool, other: Any) -> Any:
    """`max` and `min`: the form of all elements, of two tensors, or along a dimension, as the arguments say."""
    of_all, of_two, along = forms
    if dim is None and other is None:
        return of_all(input, None, keepdim)
    if other is not None or isinstance(dim, Tensor):
        return of_two(input, dim if other is None else other)
    return along(input, dim, keepdim)


class LeastAndLargest(NamedTuple):
    """The smallest and the largest elements."""

    min: Any
    max: Any


@method
def aminmax(input: Array, *, dim: int | None = None, keepdim: bool = False) -> LeastAndLargest:
    """The smallest and the largest elements, of all or along one dimension; equal ones share the gradient evenly.

    Returns:
        A named tuple (min, max).

    Raises:
        ValueError, IndexError: there is no element to choose from.

    >>> td.aminmax(td.tensor([[1.0, 5.0], [3.0, 2.0]]), dim=1)
    LeastAndLargest(min=tensor([1., 2.]), max=tensor([5., 3.]))
    """
    return LeastAndLargest(amin(input, dim, keepdim), amax(input, dim, keepdim))


@method
def max(
    input: Array,
    dim: Any = None,
    keepdim: bool = False,
    *,
    other: Array | None = None,
    axis: Any = None,
    keepdims: bool = False,
) -> Any:
    """The largest element; along a dimension, the largest elements and their indices.

    - `max(input)`: the largest of all. Equal elements share the gradient evenly.
    - `max(input, dim, keepdim)`: a namedtuple (values, indices); the gradient goes to the element at the index.
    - `max(input, other)`: the larger of two tensors, elementwise, as `maximum`.

    >>> x = td.tensor([[1.0, 5.0], [3.0, 2.0]])
    >>> td.max(x)
    tensor(5.)
    >>> td.max(x, 1)
    Extreme(values=tensor([5., 3.]), indices=tensor([1, 0]))
    """
    dim, keepdim = axis if dim is None else dim, keepdim or keepdims
    return by_arguments((amax, maximum, max_dim), input, dim, keepdim, other)


@method
def min(
    input: Array,
    dim: Any = None,
    keepdim: bool = False,
    *,
    other: Array | None = None,
    axis: Any = None,
    keepdims: bool = False,
) -> Any:
    """The smallest element; along a dimension, the smallest elements and their indices.

    - `min(input)`: the smallest of all. Equal elements share the gradient evenly.
    - `min(input, dim, keepdim)`: a namedtuple (values, indices); the gradient goes to the element at the index.
    - `min(input, other)`: the smaller of two tensors, elementwise, as `minimum`.

    >>> x = td.tensor([[1.0, 5.0], [3.0, 2.0]])
    >>> td.min(x)
    tensor(1.)
    >>> td.min(x, 1)
    Extreme(values=tensor([1., 2.]), indices=tensor([0, 1]))
    """
    dim, keepdim = axis if dim is None else dim, keepdim or keepdims
    return by_arguments((amin, minimum, min_dim), input, dim, keepdim, other)
