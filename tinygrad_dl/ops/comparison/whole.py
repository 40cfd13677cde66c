"""Comparisons of whole tensors: allclose and equal, which return a Python bool, and isin."""

from __future__ import annotations

import numpy as np

from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.messages import unfit_for
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.core.transforms import is_known
from tinygrad_dl.ops._overload import method
from tinygrad_dl.ops.comparison.elementwise import eq, isclose
from tinygrad_dl.ops.comparison.logical import logical_not
from tinygrad_dl.ops.shape.reshape import reshape, unsqueeze


@method
def allclose(input: Array, other: Array, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether `isclose` holds for all elements; a Python bool.

    >>> td.allclose(td.tensor([1.0]), td.tensor([1.0 + 1e-7]))
    True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan)._data.all())


@method
def equal(input: Array, other: Array) -> bool:
    """Whether two tensors have the same shape and elements; a Python bool.

    >>> td.equal(td.tensor([1, 2]), td.tensor([1, 2]))
    True
    """
    for name, value in (("input", input), ("other", other)):
        if not isinstance(value, Tensor | np.ndarray):
            raise unfit_for(value, "equal", name)
    return bool(np.array_equal(as_array(input), as_array(other)))


@method
def is_nonzero(input: Tensor) -> bool:
    """Whether the one element of a tensor is not zero.

    >>> td.is_nonzero(td.tensor([0.0]))
    False
    """
    return bool(input)


@method
def isin(elements: Array, test_elements: Array, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Which elements are among `test_elements`.

    Args:
        elements, test_elements: tensors of any shapes; one of them may be a number.
        assume_unique: accepted.
        invert: which are not.

    >>> td.isin(td.tensor([[1, 2], [3, 4]]), td.tensor([2, 3]))
    tensor([[False,  True],
            [ True, False]])
    """
    if is_known(elements) and is_known(test_elements):
        return wrap(np.asarray(np.isin(as_array(elements), as_array(test_elements), invert=invert)))
    among = eq(unsqueeze(elements, -1), reshape(test_elements, (-1,))).any(-1)
    return logical_not(among) if invert else among
