"""Complex numbers by their size and angle, and questions about them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import ones_like
from tinygrad_dl.inputs import complexes, real
from tinygrad_dl.ops._overload import alias, method
from tinygrad_dl.ops.comparison.elementwise import eq
from tinygrad_dl.ops.pointwise.complex import complex, conj
from tinygrad_dl.ops.pointwise.trigonometric import cos, sin


def turned(g: Any, input: Any) -> Any:
    """g times the derivative of the angle, -i / z, and 0 at 0; of real numbers 0, whatever g is."""
    if input.dtype.kind != "c":
        return np.zeros_like(input)
    at_zero = input == 0
    return g * np.where(at_zero, 0.0, -1j / np.where(at_zero, 1.0, input))


@op(
    kind="elementwise",
    floating=True,
    inputs=[dict(input=complexes()), dict(input=real(avoid=(0.0,)))],
    reference=np.angle,
)
def angle(input: Array) -> Array:
    """The angle of complex numbers, from -pi to pi; of real ones 0, or pi if they are negative. In radians.

    Its gradient at 0 is 0.

    >>> td.angle(td.tensor([1 + 1j, -2 + 0j]))
    tensor([0.7854, 3.1416])
    """
    if input.dtype.kind == "c":
        return np.arctan2(input.imag, input.real)
    found = np.where(input < 0, math.pi, np.where(np.isnan(input), np.nan, 0.0))  # the sign of 0 says nothing
    return found.astype(input.dtype)


angle.vjp(input=turned)
angle.jvp(input=lambda t, input: np.real(turned(t, input)))
NUMPY[np.angle] = lambda z, deg=False: angle(z) * (180 / math.pi) if deg else angle(z)


@composition
def polar(abs: Array, angle: Array) -> Tensor:
    """abs (cos(angle) + i sin(angle)): complex numbers of a size and an angle, in radians.

    Args:
        abs, angle: tensors of one dtype, float32 or float64, whose shapes broadcast.

    Raises:
        TypeError: they are of different dtypes, or not floating.

    >>> td.polar(td.tensor([1.0, 2.0]), td.tensor([0.0, 1.0]))
    tensor([1.0000+0.0000j, 1.0806+1.6829j])
    """
    if abs.dtype != angle.dtype or abs.dtype not in (np.float32, np.float64):  # before integers become floats
        raise TypeError(f"got tensors of {abs.dtype} and {angle.dtype}, expected two of float32 or two of float64")
    return complex(abs * cos(angle), abs * sin(angle))


@composition
def isreal(input: Array) -> Tensor:
    """Whether numbers are real: whether their imaginary part is 0.

    >>> td.isreal(td.tensor([1 + 0j, 1j]))
    tensor([ True, False])
    """
    return eq(input.imag, 0) if input.is_complex() else ones_like(input, dtype=np.bool_)


alias("isreal", isreal)


@composition
def conj_physical(input: Array) -> Tensor:
    """`conj`; a conjugate is always computed at once here.

    >>> td.conj_physical(td.tensor([1 + 2j]))
    tensor([1.-2.j])
    """
    found: Tensor = conj(input)
    return found


alias("conj_physical", conj_physical, inplace=True)


@method
def is_neg(input: Array) -> bool:
    """False: a negative is computed at once.

    >>> td.tensor([1j]).conj().imag.is_neg()
    False
    """
    return False


@method
def resolve_neg(input: Array) -> Tensor:
    """The tensor itself: a negative is computed at once.

    >>> td.resolve_neg(td.tensor([1j]).conj().imag)
    tensor([-1.])
    """
    found: Tensor = input
    return found
