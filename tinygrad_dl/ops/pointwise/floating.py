"""Floating-point numbers by their parts: sign, mantissa and exponent, and their neighbours."""

from typing import NamedTuple

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.errors import ArgumentTypeError
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import broadcasting, real
from tinygrad_dl.ops._overload import alias
from tinygrad_dl.ops._rows import ANY, binary

NONZERO = real(avoid=(0.0,))
# fmt: off
copysign = binary(np.copysign, "The size of `input` with the sign of `other`, that of a zero too.",
    "[1.0, -2.0] [-0.0, 3.0] -> [-1.,  2.]", lambda g, input, out: g * (np.sign(input) * np.sign(out)),
    lambda g: np.zeros_like(g), (NONZERO, NONZERO), real=True, scalars="other")
nextafter = binary(np.nextafter, "The floating-point number next to `input` in the direction of `other`.",
    "td.nextafter(td.tensor([1.0]), td.tensor([2.0])) - 1 -> [1.1921e-07]", lambda g: g, lambda g: np.zeros_like(g),
    [(real(-3, 3), real(4, 9)), (real(-3, 3), real(-9, -4))], real=True, exact=True, scalars="none")
# fmt: on


@op(
    np.ldexp,
    kind="elementwise",
    floating=True,
    inplace=True,
    scalars="none",
    inputs=broadcasting(ANY, real(-4.0, 4.0)),
    reference=lambda input, other: input * 2**other,
)
def ldexp(input: Array, other: Array) -> Array:
    """input * 2 ** other.

    >>> td.ldexp(td.tensor([0.5, 0.75]), td.tensor([1, 2]))
    tensor([1., 3.])
    """
    return input * np.exp2(other)


ldexp.vjp(
    input=lambda g, other: g * np.exp2(other),
    other=lambda g, out: g * (out * float(np.log(2))),
)


@op(kind="elementwise", real=True, namespace="rules", differentiable=False, reference=lambda input: np.frexp(input)[1])
def exponent(input: Array) -> Array:
    """The exponent of `frexp`."""
    return np.frexp(input)[1]


@op(
    kind="elementwise",
    floating=False,
    real=True,
    namespace="rules",
    inputs={"input": NONZERO},
    reference=lambda input: np.frexp(input)[0],
)
def mantissa(input: Array) -> Array:
    """The mantissa of `frexp`; its gradient takes the exponent for a constant."""
    return np.frexp(input)[0]


mantissa.vjp(input=lambda g, input: g / np.exp2(exponent.generic(input).astype(input.dtype)))
mantissa.jvp(input=lambda t, input: t / np.exp2(exponent.generic(input).astype(input.dtype)))


class Parts(NamedTuple):
    """What `frexp` returns: input == mantissa * 2 ** exponent."""

    mantissa: Tensor
    exponent: Tensor


@composition
def frexp(input: Tensor) -> Parts:
    """Splits numbers into mantissa and exponent: input == mantissa * 2 ** exponent.

    Returns:
        A named tuple (mantissa, exponent): of the input's dtype, of sizes from 0.5 to 1, or 0; and of int32.

    Raises:
        TypeError: the tensor is not floating.

    >>> td.frexp(td.tensor([6.0, -0.25]))
    Parts(mantissa=tensor([ 0.7500, -0.5000]), exponent=tensor([ 3, -1], dtype=int32))
    """
    if not input.is_floating_point():
        raise ArgumentTypeError(
            f"frexp: got {input.dtype}, expected a floating tensor; convert it first, with .float()"
        )
    return Parts(mantissa(input), exponent(input))


alias("frexp", frexp)
NUMPY[np.frexp] = frexp
