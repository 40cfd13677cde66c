"""Operations on integers: their bits, which of bools are logical, shifts and divisors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core.declaration import Array, OpFunction, P, op
from tinygrad_dl.core.errors import ArgumentTypeError
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, boolean, broadcasting, error, integers
from tinygrad_dl.ops._rows import binary, unary

BITS = [(boolean(), boolean()), (integers(), integers())]
FLOATS = [error(TypeError, "not supported", array(2), array(2))]
# fmt: off
bitwise_and = binary(np.bitwise_and, 'input & other: of integers bit by bit, of bools their "and".',
    "td.tensor([True, True]) & td.tensor([True, False]) -> [ True, False]", inputs=BITS, errors=FLOATS, operator="and",
    scalars="some")
bitwise_or = binary(np.bitwise_or, 'input | other: of integers bit by bit, of bools their "or".',
    "td.tensor([6, 8]) | 1 -> [7, 9]", inputs=BITS, errors=FLOATS, operator="or",
    scalars="some")
bitwise_xor = binary(np.bitwise_xor, "input ^ other: of integers bit by bit, of bools whether they differ.",
    "td.tensor([6, 7]) ^ 1 -> [7, 6]", inputs=BITS, errors=FLOATS, operator="xor",
    scalars="some")
bitwise_not = unary(np.invert, '~input: of integers every bit, of bools "not".',
    "~td.tensor([True, False]) -> [False,  True]", inputs=[boolean(), integers()],
    errors=[error(TypeError, "not supported", array(2))], name="bitwise_not", operator="invert")
# fmt: on


def require_integers(name: str, *arrays: Any) -> None:
    """Bools have no number of bits to shift by, and no divisors; floating numbers neither."""
    for each in arrays:
        if each.dtype.kind not in "iu":
            raise ArgumentTypeError(f"{name}: got {each.dtype}, expected integers; convert it first, with .long()")


def of_integers(*numpy: Any, **declared: Any) -> Callable[[Callable[P, Any]], OpFunction[P, Tensor]]:
    """An elementwise op of two tensors of integers alone."""
    refused = [error(TypeError, "expected integers", array(2, dtype=dtype), array(2)) for dtype in ("float32", "bool")]
    return op(*numpy, kind="elementwise", differentiable=False, inplace=True, errors=refused, **declared)


@of_integers(np.left_shift, operator="lshift", scalars="some", inputs=broadcasting(integers(-9, 9), integers(-2, 70)))
def bitwise_left_shift(input: Array, other: Array) -> Array:
    """input << other: input * 2 ** other; 0 where `other` is negative or no smaller than the number of bits.

    Raises:
        TypeError: they are not integers.

    >>> td.tensor([1, 3]) << 2
    tensor([ 4, 12])
    """
    require_integers("bitwise_left_shift", input, other)
    return np.left_shift(input, other)


@of_integers(
    np.right_shift, operator="rshift", scalars="some", inputs=broadcasting(integers(-99, 99), integers(-2, 70))
)
def bitwise_right_shift(input: Array, other: Array) -> Array:
    """input >> other: input / 2 ** other, rounded down.

    Where `other` is negative or no smaller than the number of bits it is 0 or -1, by the sign of `input`.

    Raises:
        TypeError: they are not integers.

    >>> td.tensor([8, -5]) >> 1
    tensor([ 4, -3])
    """
    require_integers("bitwise_right_shift", input, other)
    return np.right_shift(input, other)


@of_integers(np.gcd, scalars="none", inputs=broadcasting(integers(-99, 99), integers(-99, 99)))
def gcd(input: Array, other: Array) -> Array:
    """The greatest common divisor of integers, elementwise, 0 or more; that of 0 and 0 is 0.

    Raises:
        TypeError: they are not integers.

    >>> td.gcd(td.tensor([12, -18, 0]), td.tensor([8, 12, 5]))
    tensor([4, 6, 5])
    """
    require_integers("gcd", input, other)
    return np.gcd(input, other)


@of_integers(np.lcm, scalars="none", inputs=broadcasting(integers(-99, 99), integers(-99, 99)))
def lcm(input: Array, other: Array) -> Array:
    """The least common multiple of integers, elementwise, 0 or more; that of 0 and anything is 0.

    Raises:
        TypeError: they are not integers.

    >>> td.lcm(td.tensor([4, -6]), td.tensor([6, 9]))
    tensor([12, 18])
    """
    require_integers("lcm", input, other)
    return np.lcm(input, other)
