"""Leaky relu with a random slope."""

from __future__ import annotations

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.messages import require_constants
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.activation._common import finish
from tinygrad_dl.ops.activation.relu import leaky_relu
from tinygrad_dl.ops.pointwise.where import where
from tinygrad_dl.random import Generator, beside, uniform


@composition
def rrelu(
    input: Array,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    inplace: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """`input` where it is positive, slope * input elsewhere, with a slope for each element.

    Args:
        lower, upper: in training the slopes are uniform between them; else all are (lower + upper) / 2.
        inplace: change the input itself.
        generator: where the random numbers come from; by default those that `td.manual_seed` seeds.

    Raises:
        ValueError: lower is above upper. TypeError: the input is not floating.

    >>> td.nn.functional.rrelu(td.tensor([-1.0, 2.0]), 0.1, 0.3)
    tensor([-0.2000,  2.0000])

    Source: https://arxiv.org/abs/1505.00853
    """
    require_constants("rrelu", lower=lower, upper=upper)
    if not lower <= upper:
        raise ValueError(f"rrelu: expected lower <= upper, got lower={lower} and upper={upper}")
    if input.dtype.kind not in "fV":
        raise TypeError(f"rrelu: expected a floating tensor, got {input.dtype}; convert it first with .float()")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    slopes = beside(uniform(input.shape, input.dtype, generator), input) * (upper - lower) + lower
    return finish(input, where(input > 0, input, input * slopes).to(input.dtype), inplace, "rrelu")
