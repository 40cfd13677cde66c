"""where: elements of one tensor or another, by a condition."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.messages import checked_array
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.inputs import array, boolean, broadcasting, error, real
from tinygrad_dl.ops._overload import alias, overload
from tinygrad_dl.ops.pointwise._selection import keep, select


@op(
    kind="elementwise",
    name="where",
    promote=("input", "other"),
    method=False,
    exact=True,
    inputs=broadcasting(boolean(), real(), real()),
    errors=[error(TypeError, "expected a condition of dtype bool", array(2), array(2), array(2))],
    reference=np.where,
)
def chosen(condition: Array, input: Array, other: Array) -> Array:
    """`where` of three tensors."""
    if condition.dtype.kind != "b":
        raise TypeError(f"expected a condition of dtype bool, got {condition.dtype}; compare it, or call .bool()")
    return select(condition, input, other)


chosen.vjp(
    condition=None, input=lambda g, condition: keep(g, condition), other=lambda g, condition: keep(g, ~condition)
)


@overload(chosen, method=False)
@composition
def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """`input` where the condition holds, `other` elsewhere; the gradient of the one not chosen is exactly 0.

    Of a condition alone: where it is not 0, as a tuple of indices, a tensor for each dimension.

    Raises:
        TypeError: the condition is not a bool tensor.

    >>> x = td.tensor([1.0, -2.0])
    >>> td.where(x > 0, x, 0.0)
    tensor([1., 0.])
    >>> td.where(x > 0)
    (tensor([0]),)
    """
    if input is None and other is None:
        return wrap(checked_array(condition, "where", "condition")).nonzero(as_tuple=True)
    if input is None or other is None:
        given, missing = ("other", "input") if input is None else ("input", "other")
        raise TypeError(f"where: got {given} without {missing}, expected both, or the condition alone")
    return chosen(condition, input, other)


@composition
def where_method(self: Tensor, condition: Any, other: Array) -> Any:
    """The tensor where the condition holds, `other` elsewhere: `td.where(condition, self, other)`."""
    return where(condition, self, other)


alias("where", where_method)

NUMPY[np.where] = where
