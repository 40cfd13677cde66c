"""Layers that add elements at the edges of their input, or cut some off."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.composition import DIMENSIONS
from tinygrad_dl.nn.checks import whole
from tinygrad_dl.nn.layers._families import OfDimensions
from tinygrad_dl.nn.layers._tuples import _ntuple
from tinygrad_dl.ops.padding.pad import pad

# fmt: off
__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d",
    "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d",
    "ZeroPad1d", "ZeroPad2d", "ZeroPad3d",
]
# fmt: on
LEAST = -(2**63)


class Padding(OfDimensions):
    """What all of them share; a subclass has its `mode` of `functional.pad`, and says in `described` what is added."""

    mode = "constant"
    value: Any = None

    def __init__(self, padding: Any):
        super().__init__()
        self.padding = tuple([whole(self, "padding", n, LEAST) for n in _ntuple(2 * self.dims)(padding)])
        full = len(self.padding) == 2 * self.dims
        if not full and (self.mode != "constant" or len(self.padding) % 2):
            raise ValueError(
                f"{type(self).__name__}: expected one number for padding, or {2 * self.dims}, before and after "
                f"for each of the last dimensions, got {padding}"
            )

    def forward(self, input: Any) -> Any:
        """The padded input."""
        if self.mode != "constant" and input.ndim - self.dims not in (1, 2):
            expected = DIMENSIONS[self.dims]["input"]
            raise ValueError(f"{type(self).__name__}: expected an input of shape {expected}, got {input.shape}")
        return pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return str(self.padding)


def described(what: str, call: str, value: str = "") -> str:
    """The docstring of the pads of one mode: what they add, the call of the example, and a second argument."""
    return f"""{what}

    Args:
        padding: how many are added at both ends, one number for all; or (before, after) of the last dimension, then of
            the one before it, and so on. Negative numbers cut off.
{value}
    Raises:
        TypeError: no integers. ValueError: {{k}} times two of them are needed, or more are cut off than there are.

    >>> td.nn.{call}(td.ones(1, 2, {{twos}})).shape
    (1, 2, {{fours}})
    """


class ConstantPad(Padding):
    """What the constant pads share."""

    described = described(
        "Adds elements of a constant value at both ends of the last {k} dimension(s), as `functional.pad`.",
        "ConstantPad{k}d(1, 0.5)",
        "        value: what is added.\n",
    )

    def __init__(self, padding: Any, value: float):
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ZeroPad(ConstantPad):
    """What the pads with zeros share."""

    described = described(
        "Adds zeros at both ends of the last {k} dimension(s), as `functional.pad`.", "ZeroPad{k}d(1)"
    )

    def __init__(self, padding: Any):
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return str(self.padding)


class ReflectionPad(Padding):
    """What the pads of this mode share."""

    mode = "reflect"
    described = described(
        "Adds the elements mirrored at the edge, but not the edge, at both ends of the last {k} dimension(s).",
        "ReflectionPad{k}d(1)",
    )


class ReplicationPad(Padding):
    """What the pads of this mode share."""

    mode = "replicate"
    described = described(
        "Adds the elements of the edge again at both ends of the last {k} dimension(s), as `functional.pad`.",
        "ReplicationPad{k}d(1)",
    )


class CircularPad(Padding):
    """What the pads of this mode share."""

    mode = "circular"
    described = described(
        "Adds the elements of the other end at both ends of the last {k} dimension(s), as `functional.pad`.",
        "CircularPad{k}d(1)",
    )


class ConstantPad1d(ConstantPad, dims=1):
    """A constant around one dimension."""


class ConstantPad2d(ConstantPad, dims=2):
    """A constant around two dimensions."""


class ConstantPad3d(ConstantPad, dims=3):
    """A constant around three dimensions."""


class ZeroPad1d(ZeroPad, ConstantPad1d, dims=1):
    """Zeros around one dimension."""


class ZeroPad2d(ZeroPad, ConstantPad2d, dims=2):
    """Zeros around two dimensions."""


class ZeroPad3d(ZeroPad, ConstantPad3d, dims=3):
    """Zeros around three dimensions."""


class ReflectionPad1d(ReflectionPad, dims=1):
    """Mirrored elements around one dimension."""


class ReflectionPad2d(ReflectionPad, dims=2):
    """Mirrored elements around two dimensions."""


class ReflectionPad3d(ReflectionPad, dims=3):
    """Mirrored elements around three dimensions."""


class ReplicationPad1d(ReplicationPad, dims=1):
    """The edge's elements around one dimension."""


class ReplicationPad2d(ReplicationPad, dims=2):
    """The edge's elements around two dimensions."""


class ReplicationPad3d(ReplicationPad, dims=3):
    """The edge's elements around three dimensions."""


class CircularPad1d(CircularPad, dims=1):
    """The other end's elements around one dimension."""


class CircularPad2d(CircularPad, dims=2):
    """The other end's elements around two dimensions."""


class CircularPad3d(CircularPad, dims=3):
    """The other end's elements around three dimensions."""
