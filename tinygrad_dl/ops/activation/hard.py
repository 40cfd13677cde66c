"""hardtanh, hardsigmoid and hardswish: functions of straight pieces."""

from __future__ import annotations

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops._overload import overload
from tinygrad_dl.ops.activation._common import finish
from tinygrad_dl.ops.pointwise._selection import keep, straight


@op(
    kind="elementwise",
    name="hardtanh",
    changeable=True,
    namespace="functional",
    real=True,
    inputs={"input": real(avoid=(-1.0, 1.0)), "min_val": one_of(-1.0), "max_val": one_of(1.0)},
    errors=[error(ValueError, "min_val", array(2), 1.0, -1.0)],
    reference=lambda input, min_val=-1.0, max_val=1.0: np.clip(input, min_val, max_val),
)
def clipped(input: Array, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    """`input` between two bounds."""
    if min_val > max_val:
        raise ValueError(f"expected min_val below max_val, got {min_val} and {max_val}")
    out = input.clip(min_val, max_val)
    return out if out.dtype is input.dtype else out.astype(input.dtype)


clipped.vjp(input=lambda g, out, min_val, max_val: straight(keep(g, (out != min_val) & (out != max_val)), out))


@overload(clipped)
@composition
def hardtanh(input: Array, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """`input` cut off at `min_val` and `max_val`; the gradient on a bound is 0.

    Raises:
        ValueError: `min_val` is above `max_val`.

    >>> td.nn.functional.hardtanh(td.tensor([-2.0, 0.5, 2.0]))
    tensor([-1.0000,  0.5000,  1.0000])
    """
    return finish(input, clipped(input, min_val, max_val), inplace, "hardtanh")


@op(
    kind="elementwise",
    name="hardsigmoid",
    floating=True,
    namespace="functional",
    real=True,
    inputs={"input": real(-5.0, 5.0, avoid=(-3.0, 3.0))},
    reference=lambda input: np.clip(input / 6 + 0.5, 0, 1),
)
def straight_sigmoid(input: Array) -> Array:
    """input / 6 + 1/2 between 0 and 1."""
    return (input + 3).clip(0, 6) / 6


straight_sigmoid.vjp(input=lambda g, input: straight(keep(g / 6, (input > -3) & (input < 3)), input))


@overload(straight_sigmoid)
@composition
def hardsigmoid(input: Array, inplace: bool = False) -> Tensor:
    """input / 6 + 1/2, cut off at 0 and 1.

    >>> td.nn.functional.hardsigmoid(td.tensor([-4.0, 0.0, 4.0]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    return finish(input, straight_sigmoid(input), inplace, "hardsigmoid")


@op(
    kind="elementwise",
    name="hardswish",
    floating=True,
    namespace="functional",
    real=True,
    inputs={"input": real(-5.0, 5.0, avoid=(-3.0, 3.0))},
    reference=lambda input: input * np.clip(input / 6 + 0.5, 0, 1),
)
def straight_swish(input: Array) -> Array:
    """input * hardsigmoid(input)."""
    return input * ((input + 3).clip(0, 6) / 6)


straight_swish.vjp(input=lambda g, input: np.where(input >= 3, g, keep(g * (input / 3 + 0.5), ~(input <= -3))))


@overload(straight_swish)
@composition
def hardswish(input: Array, inplace: bool = False) -> Tensor:
    """input * hardsigmoid(input).

    >>> td.nn.functional.hardswish(td.tensor([-4.0, 1.0, 4.0]))
    tensor([-0.0000,  0.6667,  4.0000])
    """
    return finish(input, straight_swish(input), inplace, "hardswish")
