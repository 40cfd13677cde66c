"""The larger or smaller of two elements, and elements clamped between bounds."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.dtypes import finfo, iinfo
from tinygrad_dl.core.promotion import in_single, is_half
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, broadcasting, error, one_of, real
from tinygrad_dl.ops._overload import alias, overload
from tinygrad_dl.ops._rows import binary
from tinygrad_dl.ops.pointwise._selection import keep


def chosen_slope(g: Any, lost: Any, ties: Any) -> Any:
    """where(lost, 0, where(ties, g / 2, g)); of one of two elements, which have half each where they are equal."""
    return keep(np.where(ties, g * 0.5, g), ~lost)


CHOICE: dict[str, Any] = {"exact": True, "real": True, "inplace": False, "scalars": "none"}
# fmt: off
maximum = binary(np.maximum,
    "The larger of two, elementwise; nan if either is nan. Equal elements share the gradient half and half.",
    "[1.0, 5.0] [3.0, 2.0] -> [3., 5.]", lambda g, input, other: chosen_slope(g, input < other, input == other),
    lambda g, input, other: chosen_slope(g, other < input, input == other), **CHOICE)
minimum = binary(np.minimum,
    "The smaller of two, elementwise; nan if either is nan. Equal elements share the gradient half and half.",
    "[1.0, 5.0] [3.0, 2.0] -> [1., 2.]", lambda g, input, other: chosen_slope(g, input > other, input == other),
    lambda g, input, other: chosen_slope(g, other > input, input == other), **CHOICE)
fmax = binary(np.fmax,
    "The larger of two, elementwise; of a number and nan, the number. At equal elements `input` has the gradient.",
    '[1.0, float("nan")] [3.0, 2.0] -> [3., 2.]', lambda g, input, other: keep(g, (input >= other) | np.isnan(other)),
    lambda g, input, other: keep(g, ~((input >= other) | np.isnan(other))), **CHOICE)
fmin = binary(np.fmin,
    "The smaller of two, elementwise; of a number and nan, the number. At equal elements `input` has the gradient.",
    '[1.0, float("nan")] [3.0, 2.0] -> [1., 2.]', lambda g, input, other: keep(g, (input <= other) | np.isnan(other)),
    lambda g, input, other: keep(g, ~((input <= other) | np.isnan(other))), **CHOICE)
# fmt: on


@op(
    kind="elementwise",
    name="clamp",
    exact=True,
    scalars="other",
    real=True,
    inputs=[
        broadcasting(real(), real(-2.0, -0.5), real(0.5, 2.0)),
        broadcasting(real(), min=one_of(-1.0, None), max=one_of(1.0, 0.5)),
    ],
    errors=[error(ValueError, "got None for both min and max", array(2))],
    reference=np.clip,
)
def clamped(input: Array, min: Array | None = None, max: Array | None = None) -> Array:
    """Elements below `min` become `min`, those above `max` become `max`."""
    if min is None:
        if max is None:
            raise ValueError("got None for both min and max, expected at least one of them")
        return np.minimum(input, max)
    if max is None:
        return np.maximum(input, min)
    if input.dtype.kind == "V":  # of bfloat16 clip makes float32
        return np.minimum(np.maximum(input, min), max)
    return input.clip(min, max)


def inside(input: Any, min: Any, max: Any) -> Any:
    """Where an element lies between the bounds, on them too."""
    if max is None:
        return input >= min
    return input <= max if min is None else (input >= min) & (input <= max)


clamped.vjp(
    input=lambda g, input, min, max: keep(g, inside(input, min, max)),
    min=lambda g, input, min, max: keep(g, input < min if max is None else (input < min) & (min < max)),
    max=lambda g, input, min, max: keep(g, input > max if min is None else (input > max) | (max < min)),
)


@overload(clamped, inplace=True)
@composition
def clamp(input: Array, min: Any = None, max: Any = None) -> Tensor:
    """Elements below `min` become `min`, those above `max` become `max`; bounds are numbers, tensors or None.

    The gradient passes where an element lies inside the bounds or on them, and goes to a bound elsewhere.

    Raises:
        ValueError: no bound is given.

    >>> td.clamp(td.tensor([-2.0, 0.5, 2.0]), min=-1, max=1)
    tensor([-1.0000,  0.5000,  1.0000])
    """
    return clamped(input, held(min, input, True), held(max, input, False))


def held(bound: Any, input: Any, lowest: bool) -> Any:
    """A bound that no element of an integer dtype reaches is the dtype's own."""
    if type(bound) is not int or input.dtype.kind not in "iu":
        return bound
    limits = iinfo(input.dtype)
    return max(bound, limits.min) if lowest else min(bound, limits.max)


@composition
def clamp_min(input: Array, min: Any) -> Tensor:
    """Elements below `min` become `min`.

    >>> td.clamp_min(td.tensor([-2.0, 0.5]), 0)
    tensor([0.0000, 0.5000])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.clamp.html
    """
    return clamped(input, held(min, input, True))


@composition
def clamp_max(input: Array, max: Any) -> Tensor:
    """Elements above `max` become `max`.

    >>> td.clamp_max(td.tensor([2.0, 0.5]), 1)
    tensor([1.0000, 0.5000])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.clamp.html
    """
    return clamped(input, None, held(max, input, False))


alias("clamp_min", clamp_min, inplace=True)
alias("clamp_max", clamp_max, inplace=True)

clip = alias("clip", clamp, inplace=True)


def numpy_clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    """np.clip's spelling of clamp."""
    return clamped(a, a_min if min is None else min, a_max if max is None else max)


NUMPY[np.clip] = numpy_clip


@op(kind="elementwise", inplace=True, exact=True, reference=np.nan_to_num)
def nan_to_num(input: Array, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Array:
    """Numbers in the place of nan and the infinities, which are the dtype's largest and smallest unless given.

    >>> td.nan_to_num(td.tensor([1.0, float("nan"), float("-inf")]), neginf=-9.0)
    tensor([ 1.,  0., -9.])
    """
    if is_half(input.dtype):  # NumPy's leaves bfloat16 as it is
        limits = finfo(input.dtype)
        posinf, neginf = limits.max if posinf is None else posinf, limits.min if neginf is None else neginf
        return np.nan_to_num(in_single(input), nan=nan, posinf=posinf, neginf=neginf).astype(input.dtype)
    return np.nan_to_num(input, nan=nan, posinf=posinf, neginf=neginf)


nan_to_num.vjp(input=lambda g, input: keep(g, np.isfinite(input)))
