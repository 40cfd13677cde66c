"""Bessel functions and Airy's. SciPy computes all but `i0` and `spherical_bessel_j0` (`tinygrad_dl[special]`).

Those of PyTorch's newer names have no gradient there, and none here: `bessel_*`, `modified_*`, `scaled_*`, `airy_ai`.

Source: https://docs.pytorch.org/docs/stable/special.html
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import real
from tinygrad_dl.ops._rows import Unary, unary
from tinygrad_dl.ops._scipy import of_scipy, special

# Up to 5, from where on those of PyTorch, which others compare with, have six digits.
WIDE, POSITIVE, SMOOTH = real(-4.8, 4.8), real(0.2, 4.8), real(-4.0, 4.0, avoid=(0.0,))


def _naive_first(order: int, x: np.ndarray) -> np.ndarray:
    """J: the mean of cos(order * t - x * sin(t)) over a period, which so many points give exactly."""
    t = np.arange(128) * (np.pi / 64)
    result: np.ndarray = np.cos(order * t - x[..., None] * np.sin(t)).mean(-1)
    return result


def _naive_second(order: int, x: np.ndarray) -> np.ndarray:
    """Y: the imaginary part of Hankel's integral of exp(x * sinh(t) - order * t) / (pi * i), to inf + pi * i."""
    u = np.arange(-9.0, 9.0, 0.01)
    t = u + 0.5j * np.pi * (1 + np.tanh(u))
    terms = np.exp(x[..., None] * np.sinh(t) - order * t) * (1 + 0.5j * np.pi / np.cosh(u) ** 2)
    result: np.ndarray = (terms.sum(-1) * 0.01 / (np.pi * 1j)).imag
    return result


def _naive_i(order: int, x: np.ndarray, scaled: bool = False) -> np.ndarray:
    """I: the mean of exp(x * cos(t)) * cos(order * t) over a period; `scaled` by exp(-abs(x))."""
    t = np.arange(128) * (np.pi / 64)
    exponent = x[..., None] * np.cos(t) - (np.abs(x[..., None]) if scaled else 0)
    result: np.ndarray = (np.exp(exponent) * np.cos(order * t)).mean(-1)
    return result


def _naive_k(order: int, x: np.ndarray) -> np.ndarray:
    """K: the integral of exp(-x * cosh(t)) * cosh(order * t) over all t from 0."""
    t = np.arange(-8.0, 8.0, 0.02)
    result: np.ndarray = (np.exp(-x[..., None] * np.cosh(t)) * np.cosh(order * t)).sum(-1) * 0.01
    return result


def _naive_airy(x: np.ndarray) -> np.ndarray:
    """Ai: the integral of exp(i * (t**3 / 3 + x * t)) / (2 * pi) along a line above the real numbers."""
    t = np.arange(-9.0, 9.0, 0.01) + 1j
    result: np.ndarray = np.exp(1j * (t**3 / 3 + x[..., None] * t)).sum(-1).real * (0.01 / (2 * np.pi))
    return result


def over(i: Any, input: Any) -> Any:
    """i / input for an odd function `i` of slope 1/2 at 0."""
    flat = input == 0
    return np.where(flat, 0.5, i / np.where(flat, 1.0, input))


# fmt: off
i0 = unary(np.i0, "The modified Bessel function of the first kind of order 0.", "[0.0, 1.0] -> [1.0000, 1.2661]",
    lambda g, input: g * i1.generic(input), SMOOTH, floating=True, real=True,
    reference=lambda input: _naive_i(0, input))
i1: Unary = of_scipy("i1", "i1", "The modified Bessel function of the first kind of order 1.",
    "[0.0, 1.0] -> [0.0000, 0.5652]",
    lambda g, input, out: g * (i0.generic(input) - over(out, input)), SMOOTH,
    reference=lambda input: _naive_i(1, input))
i0e = of_scipy("i0e", "i0e", "exp(-abs(input)) * i0(input), without overflow.", "[0.0, 1.0] -> [1.0000, 0.4658]",
    lambda g, input, out: g * (i1e.generic(input) - np.sign(input) * out), SMOOTH,
    reference=lambda input: _naive_i(0, input, True))
i1e: Unary = of_scipy("i1e", "i1e", "exp(-abs(input)) * i1(input), without overflow.", "[0.0, 1.0] -> [0.0000, 0.2079]",
    lambda g, input, out: g * (i0e.generic(input) - over(out, input) - np.sign(input) * out), SMOOTH,
    reference=lambda input: _naive_i(1, input, True))
bessel_j0 = of_scipy("j0", "bessel_j0",
    "The Bessel function of the first kind of order 0.", "[0.0, 1.0] -> [1.0000, 0.7652]",
    inputs=WIDE, reference=lambda input: _naive_first(0, input))
bessel_j1 = of_scipy("j1", "bessel_j1",
    "The Bessel function of the first kind of order 1.", "[0.0, 1.0] -> [0.0000, 0.4401]",
    inputs=WIDE, reference=lambda input: _naive_first(1, input))
bessel_y0 = of_scipy("y0", "bessel_y0",
    "The Bessel function of the second kind of order 0: -inf at 0, nan below.",
    "[0.0, 1.0] -> [  -inf, 0.0883]",
    inputs=POSITIVE, reference=lambda input: _naive_second(0, input))
bessel_y1 = of_scipy("y1", "bessel_y1",
    "The Bessel function of the second kind of order 1: -inf at 0, nan below.",
    "[0.0, 1.0] -> [   -inf, -0.7812]",
    inputs=POSITIVE, reference=lambda input: _naive_second(1, input))
modified_bessel_i0 = of_scipy("i0", "modified_bessel_i0",
    "The modified Bessel function of the first kind of order 0, as `i0`.", "[0.0, 1.0] -> [1.0000, 1.2661]",
    inputs=WIDE, reference=lambda input: _naive_i(0, input))
modified_bessel_i1 = of_scipy("i1", "modified_bessel_i1",
    "The modified Bessel function of the first kind of order 1, as `i1`.", "[0.0, 1.0] -> [0.0000, 0.5652]",
    inputs=WIDE, reference=lambda input: _naive_i(1, input))
modified_bessel_k0 = of_scipy("k0", "modified_bessel_k0",
    "The modified Bessel function of the second kind of order 0: inf at 0, nan below.",
    "[0.0, 1.0] -> [   inf, 0.4210]",
    inputs=POSITIVE, reference=lambda input: _naive_k(0, input))
modified_bessel_k1 = of_scipy("k1", "modified_bessel_k1",
    "The modified Bessel function of the second kind of order 1: inf at 0, nan below.",
    "[0.0, 1.0] -> [   inf, 0.6019]",
    inputs=POSITIVE, reference=lambda input: _naive_k(1, input))
scaled_modified_bessel_k0 = of_scipy("k0e", "scaled_modified_bessel_k0",
    "exp(input) * modified_bessel_k0(input), without underflow.", "[1.0, 800.0] -> [1.1445, 0.0443]",
    inputs=POSITIVE, reference=lambda input: np.exp(input) * _naive_k(0, input))
scaled_modified_bessel_k1 = of_scipy("k1e", "scaled_modified_bessel_k1",
    "exp(input) * modified_bessel_k1(input), without underflow.", "[1.0, 800.0] -> [1.6362, 0.0443]",
    inputs=POSITIVE, reference=lambda input: np.exp(input) * _naive_k(1, input))
# fmt: on


@op(
    kind="elementwise",
    floating=True,
    method=False,
    real=True,
    differentiable=False,
    inputs={"x": real(-2.0, 3.0)},
    reference=lambda x: _naive_airy(x),
)
def airy_ai(x: Array) -> Array:
    """Airy's function Ai, which solves y'' = x * y and vanishes at infinity; it has no gradient.

    >>> td.special.airy_ai(td.tensor([0.0, 1.0]))
    tensor([0.3550, 0.1353])
    """
    return special().airy(x)[0]


@op(
    kind="elementwise",
    floating=True,
    method=False,
    real=True,
    differentiable=False,
    inputs={"x": real(-12.0, 12.0)},
    reference=lambda x: np.sinc(x / np.pi),
)
def spherical_bessel_j0(x: Array) -> Array:
    """The spherical Bessel function of the first kind of order 0, sin(x) / x. It has no gradient.

    >>> td.special.spherical_bessel_j0(td.tensor([0.0, 1.0]))
    tensor([1.0000, 0.8415])
    """
    flat = x == 0
    return np.where(np.isinf(x), 0.0, np.where(flat, 1.0, np.sin(x) / np.where(flat, 1.0, x))).astype(
        x.dtype, copy=False
    )
