"""The logarithm of a sum of exponentials, without overflow."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import array_from
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import axes_of, one_of, real
from tinygrad_dl.ops.reduction._sums import ADD, add_up, kept, largest, over


@op(
    kind="reduction",
    floating=True,
    inputs={"input": real(-40.0, 40.0, min_side=1), "dim": axes_of("input"), "keepdim": one_of(False, True)},
    reference=lambda input, dim, keepdim=False: (
        np.logaddexp.reduce(input, dim, keepdims=keepdim) if input.ndim else input
    ),
)
def logsumexp(input: Array, dim: Any, keepdim: bool = False) -> Array:
    """log(sum(exp(input))) over one dimension or several, without overflow; of nothing but -inf, -inf.

    >>> td.logsumexp(td.tensor([[1000.0, 1000.0], [0.0, 0.0]]), dim=1)
    tensor([1.0007e+03, 6.9315e-01])
    """
    dim = over(dim, input.ndim)
    real = input.real if input.dtype.kind == "c" else input
    top = largest(real, dim, True) if input.size else ADD(real, dim, None, None, True) - np.inf
    top = np.where(np.isfinite(top), top, real.dtype.type(0))
    e = array_from(input - top)
    total = add_up(np.exp(e, out=e), dim, True)
    with np.errstate(divide="ignore"):  # log(0) is the right answer where all are -inf
        out = np.log(total) + top
    out = out if keepdim or (dim is None and not input.ndim) else ADD(out, dim)
    return out


def logsumexp_slope(g: Any, out: Any, input: Any, dim: Any, keepdim: bool) -> Any:
    """softmax; where the sum is 0 its logarithm is -inf, and taken as the lowest number: exp(-inf) is 0."""
    level = kept(out, input.shape, dim, keepdim)
    if input.dtype.kind == "f":
        level = np.maximum(level, float(np.finfo(input.dtype).min))
    return kept(g, input.shape, dim, keepdim) * np.exp(input - level)


logsumexp.vjp(input=logsumexp_slope)
