"""hardshrink, softshrink and tanhshrink."""

from __future__ import annotations

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops.pointwise._selection import keep, straight


@op(
    kind="elementwise",
    floating=True,
    namespace="functional",
    inputs={"input": real(0.2, 3.0)},
    reference=lambda input: input - np.tanh(input),
)
def tanhshrink(input: Array) -> Array:
    """input - tanh(input).

    >>> td.nn.functional.tanhshrink(td.tensor([0.0, 1.0]))
    tensor([0.0000, 0.2384])
    """
    return input - np.tanh(input)


tanhshrink.vjp(input=lambda g, input: g * np.square(np.tanh(input)))


@op(
    kind="elementwise",
    changeable=True,
    real=True,
    inputs={"input": real(avoid=(-0.5, 0.5)), "lambd": one_of(0.5)},
    reference=lambda input, lambd=0.5: input * (np.abs(input) > lambd),
)
def hardshrink(input: Array, lambd: float = 0.5) -> Array:
    """`input` where it is further than `lambd` from 0, else 0.

    >>> td.hardshrink(td.tensor([-1.0, 0.2, 2.0]))
    tensor([-1.,  0.,  2.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.hardshrink.html
    """
    return np.where(np.absolute(input) <= lambd, input.dtype.type(0), input)


hardshrink.vjp(input=lambda g, out: straight(keep(g, out != 0), out))


@op(
    kind="elementwise",
    changeable=True,
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

    >>> td.nn.functional.softshrink(td.tensor([-1.0, 0.2, 2.0]))
    tensor([-0.5000,  0.0000,  1.5000])
    """
    if lambd < 0:
        raise ValueError(f"expected a lambd of 0 or more, got {lambd}")
    return input - input.clip(-lambd, lambd)


softshrink.vjp(input=lambda g, out: straight(keep(g, out != 0), out))
