"""Hyperbolic functions and their inverses, elementwise."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.inputs import real
from tinygrad_dl.ops._overload import alias
from tinygrad_dl.ops._rows import unary

# fmt: off
sinh = unary(np.sinh, "The hyperbolic sine.", "[0.0, 1.0] -> [0.0000, 1.1752]", lambda g, input: g * np.cosh(input))
cosh = unary(np.cosh, "The hyperbolic cosine.", "[0.0, 1.0] -> [1.0000, 1.5431]", lambda g, input: g * np.sinh(input))
tanh = unary(np.tanh, "The hyperbolic tangent, between -1 and 1.", "[0.0, 1.0] -> [0.0000, 0.7616]",
    lambda g, out: g * (1 - out * out))
asinh = unary(np.arcsinh, "The inverse of sinh.", "[0.0, 1.0] -> [0.0000, 0.8814]",
    lambda g, input: g / np.sqrt(input * input + 1), name="asinh")
# fmt: on


def acosh_slope(g: Any, input: Any) -> Any:
    """g / sqrt(input**2 - 1), in two factors where the root of a product has another sign than the product of roots."""
    below, above = input - 1, input + 1
    return g / (
        np.sqrt(below) * np.sqrt(above) if input.dtype.kind == "c" else np.sqrt(below * above + 0.0)
    )  # of a zero without a sign


# fmt: off
acosh = unary(np.arccosh, "The inverse of cosh.", "[1.0, 2.0] -> [0.0000, 1.3170]", acosh_slope, real(1.3, 4.0),
    name="acosh")
atanh = unary(np.arctanh, "The inverse of tanh.", "[0.0, 0.5] -> [0.0000, 0.5493]",
    lambda g, input: g / (1 - input * input), real(-0.8, 0.8), name="atanh")
# fmt: on

arcsinh = alias("arcsinh", asinh, inplace=True)
arccosh = alias("arccosh", acosh, inplace=True)
arctanh = alias("arctanh", atanh, inplace=True)
