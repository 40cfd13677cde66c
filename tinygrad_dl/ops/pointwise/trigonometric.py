"""Trigonometric functions and their inverses, angles in degrees, and sinc, elementwise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.inputs import real
from tinygrad_dl.ops._overload import alias
from tinygrad_dl.ops._rows import ANY, binary, unary
from tinygrad_dl.ops.pointwise._selection import unspoilt

INSIDE = real(-0.9, 0.9)


# fmt: off
sin = unary(np.sin, "The sine.", "[0.0, 1.0] -> [0.0000, 0.8415]", lambda g, input: g * np.cos(input))
cos = unary(np.cos, "The cosine.", "[0.0, 1.0] -> [1.0000, 0.5403]", lambda g, input: np.negative(g * np.sin(input)))
tan = unary(np.tan, "The tangent.", "[0.0, 1.0] -> [0.0000, 1.5574]", lambda g, out: g * (out * out + 1),
    real(-1.2, 1.2))
asin = unary(np.arcsin, "The angle with this sine, between -pi/2 and pi/2.", "[0.0, 1.0] -> [0.0000, 1.5708]",
    lambda g, input: g / np.sqrt(1 - input * input), INSIDE, name="asin")
acos = unary(np.arccos, "The angle with this cosine, between 0 and pi.", "[0.0, 1.0] -> [1.5708, 0.0000]",
    lambda g, input: np.negative(g / np.sqrt(1 - input * input)), INSIDE, name="acos")
atan = unary(np.arctan, "The angle with this tangent, between -pi/2 and pi/2.", "[0.0, 1.0] -> [0.0000, 0.7854]",
    lambda g, input: g / (input * input + 1), name="atan")
# fmt: on

# fmt: off
deg2rad = unary([np.deg2rad, np.radians], "Angles in degrees as radians: input * pi / 180.",
    "[180.0, 90.0] -> [3.1416, 1.5708]", lambda g: g * (math.pi / 180), real=True, linear=("input",))
rad2deg = unary([np.rad2deg, np.degrees], "Angles in radians as degrees: input * 180 / pi.",
    "[3.1416, 1.5708] -> [180.0004,  90.0002]", lambda g: g * (180 / math.pi), real=True, linear=("input",))
# fmt: on


def sinc_slope(g: Any, input: Any) -> Any:
    """g * (cos(pi x) - sinc(x)) / x; near 0 by its series, since the difference has no digits there."""
    small = np.absolute(input) < 0.01
    x = np.where(small, 1.0, input)
    square = np.square(input * math.pi)
    series = input * (square * (1 / 30 - square / 840) - 1 / 3) * math.pi**2
    slope = np.where(small, series, (np.cos(x * math.pi) - np.sinc(x)) / x)
    return unspoilt(g * slope, slope)


# fmt: off
sinc = unary(np.sinc, "sin(pi * input) / (pi * input), and 1 at 0.", "[0.0, 0.5] -> [1.0000, 0.6366]", sinc_slope,
    floating=True)
# fmt: on


def turn(g: Any, along: Any, across: Any) -> Any:
    """along / (along**2 + across**2), whose squares would overflow; 0 at the origin."""
    radius = np.hypot(along, across)
    radius = np.where(radius == 0, 1.0, radius)
    return g * (along / radius / radius)


# fmt: off
atan2 = binary(np.arctan2,
    "The angle of the point (x=other, y=input), between -pi and pi; its gradient at the origin is 0.",
    "[1.0, 0.0] [0.0, -1.0] -> [1.5708, 3.1416]", lambda g, input, other: turn(g, other, input),
    lambda g, input, other: np.negative(turn(g, input, other)), (real(0.3, 3.0), ANY), name="atan2",
    scalars="none")
hypot = binary(np.hypot, "sqrt(input**2 + other**2), without overflow; its gradient at the origin is 0.",
    "[3.0] [4.0] -> [5.]", lambda g, out, input: g * (input / np.where(out == 0, 1.0, out)),
    lambda g, out, other: g * (other / np.where(out == 0, 1.0, out)), (real(0.3, 3.0), ANY), scalars="none")
# fmt: on

arcsin = alias("arcsin", asin, inplace=True)
arccos = alias("arccos", acos, inplace=True)
arctan = alias("arctan", atan, inplace=True)
arctan2 = alias("arctan2", atan2, inplace=True)
