"""The indices of elements that are not zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.ops._overload import alias


@composition
def nonzero(input: Array, as_tuple: bool = False) -> Any:
    """The indices of the elements that are not zero: a tensor (count, ndim), or a tuple of one tensor a dimension.

    >>> import tinygrad_dl as td
    >>> td.tensor([[0, 7], [8, 0]]).nonzero()
    tensor([[0, 1],
            [1, 0]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nonzero.html
    """
    data = as_array(input)
    if as_tuple:
        return tuple([wrap(each) for each in np.atleast_1d(data).nonzero()])
    return wrap(np.argwhere(data))


@composition
def argwhere(input: Array) -> Tensor:
    """`nonzero`: the indices of the elements that are not zero, (count, ndim).

    >>> import tinygrad_dl as td
    >>> td.argwhere(td.tensor([0.0, 2.0, 3.0]))
    tensor([[1],
            [2]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.argwhere.html
    """
    result: Tensor = nonzero(input)
    return result


alias("nonzero", nonzero)


alias("argwhere", argwhere)
