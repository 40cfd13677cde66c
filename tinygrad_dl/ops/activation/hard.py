"""Activation functions of straight pieces: clipped, hard and shrinking ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dtypes import require_room
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops._overload import overload
from tinygrad_dl.ops.activation.smooth import finish
from tinygrad_dl.ops.pointwise.extremes import keep, straight


@op(
    name="hardtanh",
    method=False,
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


clipped.vjp(input=lambda g, out, min_val, max_val: straight(keep(g, ~((out <= min_val) | (out >= max_val))), out))


@overload(clipped, method=False)
@composition
def hardtanh(input: Array, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Any:
    """`input` cut off at `min_val` and `max_val`; the gradient on a bound is 0.

    Raises:
        ValueError: `min_val` is above `max_val`.

    >>> import tinygrad_dl as td
    >>> td.nn.functional.hardtanh(td.tensor([-2.0, 0.5, 2.0]))
    tensor([-1.0000,  0.5000,  1.0000])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.hardtanh.html
    """
    return finish(input, clipped(input, min_val, max_val), inplace, "hardtanh")


@composition
def relu6(input: Array, inplace: bool = False) -> Any:
    """`input` cut off at 0 and 6.

    >>> import tinygrad_dl as td
    >>> td.nn.functional.relu6(td.tensor([-2.0, 3.0, 8.0]))
    tensor([0., 3., 6.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.relu6.html
    """
    return finish(input, clipped(input, 0.0, 6.0), inplace, "relu6")


@op(
    name="hardsigmoid",
    method=False,
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


@overload(straight_sigmoid, method=False)
@composition
def hardsigmoid(input: Array, inplace: bool = False) -> Any:
    """input / 6 + 1/2, cut off at 0 and 1.

    >>> import tinygrad_dl as td
    >>> td.nn.functional.hardsigmoid(td.tensor([-4.0, 0.0, 4.0]))
    tensor([0.0000, 0.5000, 1.0000])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.hardsigmoid.html
    """
    return finish(input, straight_sigmoid(input), inplace, "hardsigmoid")


@op(
    name="hardswish",
    method=False,
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


@overload(straight_swish, method=False)
@composition
def hardswish(input: Array, inplace: bool = False) -> Any:
    """input * hardsigmoid(input).

    >>> import tinygrad_dl as td
    >>> td.nn.functional.hardswish(td.tensor([-4.0, 1.0, 4.0]))
    tensor([-0.0000,  0.6667,  4.0000])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.hardswish.html
    """
    return finish(input, straight_swish(input), inplace, "hardswish")


@op(
    real=True,
    inputs={"input": real(avoid=(-0.5, 0.5)), "lambd": one_of(0.5)},
    reference=lambda input, lambd=0.5: input * (np.abs(input) > lambd),
)
def hardshrink(input: Array, lambd: float = 0.5) -> Array:
    """`input` where it is further than `lambd` from 0, else 0.

    >>> import tinygrad_dl as td
    >>> td.hardshrink(td.tensor([-1.0, 0.2, 2.0]))
    tensor([-1.,  0.,  2.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.hardshrink.html
    """
    return np.where(np.absolute(input) <= lambd, np.zeros((), input.dtype), input)


hardshrink.vjp(input=lambda g, out: straight(keep(g, out != 0), out))


@op(
    method=False,
    namespace="functional",
    real=True,
    inputs={"input": real(avoid=(-0.5, 0.5)), "lambd": one_of(0.5)},
    errors=[error(ValueError, "expected a lambd of 0 or more", array(2), -1.0)],
    reference=lambda input, lambd=0.5: np.sign(input) * np.maximum(np.abs(input) - lambd, 0),
)
def softshrink(input: Array, lambd: float = 0.5) -> Array:
    """`input` moved towards 0 by `lambd`, and no further than 0.

    Raises:
        ValueError: `lambd` is negative.

    >>> import tinygrad_dl as td
    >>> td.nn.functional.softshrink(td.tensor([-1.0, 0.2, 2.0]))
    tensor([-0.5000,  0.0000,  1.5000])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softshrink.html
    """
    if lambd < 0:
        raise ValueError(f"expected a lambd of 0 or more, got {lambd}")
    return input - input.clip(-lambd, lambd)


softshrink.vjp(input=lambda g, out: straight(keep(g, out != 0), out))


@op(
    name="threshold",
    method=False,
    real=True,
    inputs={"input": real(avoid=(0.5,)), "threshold": one_of(0.5), "value": one_of(-2.0)},
    reference=lambda input, threshold, value: np.where(input > threshold, input, value),
)
def above(input: Array, threshold: float, value: float) -> Array:
    """`input` where it is above the threshold, else `value`."""
    replacement = np.asarray(value)
    require_room(replacement, input.dtype)
    return np.where(input <= threshold, replacement.astype(input.dtype), input)


above.vjp(input=lambda g, input, threshold: straight(keep(g, ~(input <= threshold)), input))


@overload(above, method=False)
@composition
def threshold(input: Array, threshold: float, value: float, inplace: bool = False) -> Any:
    """`input` where it is above the threshold, else `value`.

    >>> import tinygrad_dl as td
    >>> td.threshold(td.tensor([0.2, 1.0]), 0.5, -1.0)
    tensor([-1.,  1.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.threshold.html
    """
    return finish(input, above(input, threshold, value), inplace, "threshold")
