"""Runs a program in both libraries and says what differs first.

Values are compared with a tolerance for their dtype. Where they are further apart, the program runs again in three
ways: ours with each step from the numbers that PyTorch had before it, PyTorch with its inputs and intermediate results
moved in their last place, and both in double precision. It is no fault if ours then gives PyTorch's value, if such
moves change the value as much, or if ours is as close as PyTorch's to the value in double precision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fuzz.programs import Program
from fuzz.running import DOUBLE, OURS, OURS_DOUBLE, THEIRS, Refusal, Seen, Trace, run, wobble

RTOL = {"float64": 1e-9, "complex128": 1e-9, "float32": 2e-5, "complex64": 2e-5, "float16": 4e-3}

# Steps whose results are not rounded: moving these would hide faults of ties, masks and signs.
EXACT = frozenset(
    [
        "module",
        "weights",
        "getitem",
        "setitem",
        "abs",
        "absolute",
        "adjoint",
        "amax",
        "amin",
        "argmax",
        "argmin",
        "argsort",
        "atleast_1d",
        "atleast_2d",
        "atleast_3d",
        "broadcast_tensors",
        "broadcast_to",
        "cat",
        "chunk",
        "clamp",
        "clamp_max",
        "clamp_min",
        "clip",
        "clone",
        "column_stack",
        "concat",
        "concatenate",
        "conj",
        "contiguous",
        "copy_",
        "detach",
        "diag",
        "diag_embed",
        "diagonal",
        "dstack",
        "expand",
        "expand_as",
        "fill_",
        "flatten",
        "flip",
        "fliplr",
        "flipud",
        "fmax",
        "fmin",
        "full",
        "full_like",
        "gather",
        "hstack",
        "imag",
        "index_copy",
        "index_fill",
        "index_put",
        "index_select",
        "kthvalue",
        "masked_fill",
        "masked_scatter",
        "masked_select",
        "max",
        "maximum",
        "meshgrid",
        "min",
        "minimum",
        "moveaxis",
        "movedim",
        "msort",
        "narrow",
        "neg",
        "negative",
        "ones",
        "ones_like",
        "permute",
        "positive",
        "ravel",
        "real",
        "relu",
        "repeat",
        "repeat_interleave",
        "reshape",
        "reshape_as",
        "roll",
        "rot90",
        "row_stack",
        "scatter",
        "select",
        "sign",
        "sort",
        "split",
        "squeeze",
        "stack",
        "swapaxes",
        "swapdims",
        "t",
        "T",
        "mT",
        "H",
        "mH",
        "take",
        "take_along_dim",
        "tile",
        "topk",
        "transpose",
        "tril",
        "triu",
        "unbind",
        "unflatten",
        "unique",
        "unsqueeze",
        "view",
        "view_as",
        "view_as_complex",
        "view_as_real",
        "vstack",
        "where",
        "zeros",
        "zeros_like",
        "to",
        "type",
        "type_as",
        "double",
        "float",
        "half",
        "pad",
        "floor",
        "ceil",
        "round",
        "trunc",
        "fix",
        "requires_grad_",
        "u-",
        "u+",
        "tensor_split",
        "unfold",
        "max_pool1d",
        "max_pool2d",
        "max_pool3d",
        "channel_shuffle",
        "pixel_shuffle",
        "pixel_unshuffle",
        "hardtanh",
        "relu6",
        "threshold",
        "hardshrink",
    ]
)


@dataclass(frozen=True)
class Difference:
    """What differs first: its kind, the step and its op, and both sides."""

    kind: str  # refused, taken, dtype, shape, value, requires_grad or kind; of gradients "first value" and so on
    op: str  # what the step does; of gradients, what all steps do
    ours: str
    theirs: str
    wrong: tuple[np.ndarray, np.ndarray] | None = None  # of a value: the elements that differ, ours and theirs

    @property
    def of_gradients(self) -> bool:
        """Whether it is of the whole program rather than of one step."""
        return self.kind.startswith(("first", "second", "plain"))

    def __str__(self) -> str:
        return f"{self.kind} of {self.op}\n  ours:   {self.ours}\n  theirs: {self.theirs}"


class Excuses:
    """Runs that say how far a value may be off, made when first needed."""

    def __init__(self, program: Program, theirs: Trace):
        self.program, self.theirs = program, theirs

    @cached_property
    def moved(self) -> list[Trace]:
        return [run(self.program, THEIRS, wobble(seed, EXACT)) for seed in range(4)]

    @cached_property
    def led(self) -> Trace:
        """Ours, each step from PyTorch's numbers: what jumps, or divides by what cancelled, sees the same rounding."""
        return run(self.program, OURS, leader=self.theirs)

    def coarsest(self, dtype: str) -> str:
        """The dtype of the fewest digits among the results: what a gradient may have passed through."""
        made = {each.dtype for each in parts(self.theirs.results) if isinstance(each, Seen) and each.dtype in RTOL}
        return max((dtype, *made), key=lambda d: RTOL.get(d, 0.0)) if dtype in RTOL else dtype

    @cached_property
    def ours_double(self) -> Trace:
        return run(self.program, OURS_DOUBLE)

    @cached_property
    def double(self) -> Trace:
        return run(self.program, DOUBLE)


def parts(value: Any) -> list[Any]:
    """The tensors of nested results."""
    return [each for part in value for each in parts(part)] if isinstance(value, list) else [value]


Place = Callable[[Trace], Any]


def compare(program: Program) -> Difference | None:
    """What differs first, or None."""
    ours, theirs = run(program, OURS), run(program, THEIRS)
    excuses = Excuses(program, theirs)
    for i, step in enumerate(program.steps):
        found = differ(ours, theirs, lambda trace, i=i: trace.results[i], excuses, program.op_of(step))
        if found:
            return found
    for name in theirs.final:
        made = next(program.op_of(step) for step in program.steps if step.result == name)
        found = differ(ours, theirs, lambda trace, n=name: trace.final.get(n), excuses, made, "final ")
        if found:
            return found
    ops = " ".join(program.ops())
    if isinstance(ours.first, Refusal) or isinstance(theirs.first, Refusal):
        return differ(ours, theirs, lambda trace: trace.first, excuses, ops, "first ")
    for j in range(len(theirs.first)):
        for label, place in (
            ("plain ", lambda trace, j=j: (trace.plain or trace.first)[j]),
            ("first ", lambda trace, j=j: trace.first[j]),
        ):
            found = differ(ours, theirs, place, excuses, ops, label)
            if found:
                return found
    if any(isinstance(g, Seen) and not np.isfinite(g.array).all() for g in theirs.first):
        return None  # a limit has no slope
    if isinstance(ours.second, Refusal) or isinstance(theirs.second, Refusal):
        return differ(ours, theirs, lambda trace: trace.second, excuses, ops, "second ")
    for j in range(len(theirs.second)):
        found = differ(ours, theirs, lambda trace, j=j: filled_in(trace, j), excuses, ops, "second ")
        if found:
            return found
    return None


def filled_in(trace: Trace, j: int) -> Any:
    """A second gradient: that there is none says the same as zeros."""
    if isinstance(trace.second, Refusal) or trace.second[j] is not None or trace.first[j] is None:
        return trace.second if isinstance(trace.second, Refusal) else trace.second[j]
    first = trace.first[j]
    return Seen(first.dtype, np.zeros_like(first.array), False)


def differ(ours: Trace, theirs: Trace, place: Place, excuses: Excuses, op: str, label: str = "") -> Difference | None:
    """The difference between what the two traces have in this place."""
    mine, other = place(ours), place(theirs)

    def difference(kind: str, wrong: tuple[np.ndarray, np.ndarray] | None = None) -> Difference:
        return Difference(label + kind, op, repr(mine), repr(other), wrong)

    if isinstance(mine, Refusal) or isinstance(other, Refusal):
        if isinstance(mine, Refusal) and isinstance(other, Refusal):
            return None
        return difference("refused" if isinstance(mine, Refusal) else "taken")
    if isinstance(mine, list) or isinstance(other, list):
        if type(mine) is not type(other) or len(mine) != len(other):
            return difference("kind")
        for i in range(len(other)):

            def part(trace: Trace, i: int = i) -> Any:
                whole = place(trace)
                return whole[i] if isinstance(whole, list) and i < len(whole) else None

            found = differ(ours, theirs, part, excuses, op, label)
            if found:
                return found
        return None
    if not isinstance(mine, Seen) or not isinstance(other, Seen):
        if type(mine) is not type(other):
            return difference("kind")
        if isinstance(mine, float | complex) and np.isclose(mine, other, RTOL[excuses.coarsest("float64")], 1e-4, True):
            return None
        same = mine == other or mine is None or callable(mine) or reached(place, excuses.led) == other
        return None if same else difference("value")
    if mine.array.shape != other.array.shape:
        return None if shape_hangs(other, place, excuses) else difference("shape")
    if mine.dtype != other.dtype:
        return difference("dtype")
    if mine.requires_grad != other.requires_grad and label != "second " and label != "first " and label != "plain ":
        return difference("requires_grad")
    # What cancels in a sum cannot be told from its size: the numbers here are near 1, and gradients have more terms.
    floor = 0.1 if label in ("first ", "plain ", "second ") else 0.01
    dtype = mine.dtype if floor < 0.1 else excuses.coarsest(mine.dtype)
    wrong = apart(mine.array, other.array, dtype, floor)
    if wrong.any():
        rough = 0.2 if label == "second " else 0.01  # where what is left of a difference is divided by a square
        wrong &= ~excused(mine, other, place, excuses, dtype, floor, rough)
    if wrong.any():
        return difference("value", (mine.array[wrong], other.array[wrong]))
    return None


def apart(ours: np.ndarray, theirs: np.ndarray, dtype: str, floor: float = 0.0) -> np.ndarray:
    """Which elements are further apart than rounding explains."""
    if dtype not in RTOL:
        return ours != theirs
    if dtype.startswith("complex"):
        # Which parts of a product of infinite complex numbers are infinite and which are nan, C leaves open.
        odd = ~np.isfinite(ours) & ~np.isfinite(theirs)
        return (distance(ours, theirs) > tolerance(theirs, dtype, floor)) & ~odd
    return distance(ours, theirs) > tolerance(theirs, dtype, floor)


def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """|a - b|; 0 where they are the same, infinite where only one is finite."""
    with np.errstate(all="ignore"):
        wide = np.complex128 if np.iscomplexobj(a) or np.iscomplexobj(b) else np.float64
        a, b = a.astype(wide), b.astype(wide)
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        return np.where(same, 0, np.nan_to_num(np.abs(a - b), nan=np.inf, posinf=np.inf))


def tolerance(theirs: np.ndarray, dtype: str, floor: float) -> np.ndarray:
    with np.errstate(all="ignore"):
        size = np.abs(theirs).astype(np.float64)
        size = np.where(np.isfinite(size), size, 0)
        least = 6e-8 if dtype == "float16" else 0.0
        return RTOL[dtype] * (size + 1e-3 * size.max(initial=0) + floor) + least


def shape_hangs(other: Seen, place: Place, excuses: Excuses) -> bool:
    """Whether the shape hangs on the last place, as how many are unique does."""
    for moved in (reached(place, trace) for trace in excuses.moved):
        if not isinstance(moved, Seen) or moved.array.shape != other.array.shape:
            return True
    led = reached(place, excuses.led)
    return isinstance(led, Seen) and led.array.shape == other.array.shape


def excused(
    mine: Seen, other: Seen, place: Place, excuses: Excuses, dtype: str, floor: float, rough: float
) -> np.ndarray:
    """Which elements are PyTorch's from PyTorch's numbers, hang on the last place, or are right in double precision.

    Of few digits are those right that are so in double precision, and as far off as `rough` of the largest.
    """
    gap = distance(mine.array, other.array)
    allowed = 50 * furthest(other, place, excuses.moved)
    good = gap <= allowed
    led = reached(place, excuses.led)
    if isinstance(led, Seen) and led.array.shape == other.array.shape:
        good |= ~apart(led.array, other.array, dtype, floor) | (distance(led.array, other.array) <= allowed)
    if other.dtype in RTOL and RTOL[excuses.coarsest(other.dtype)] > 1e-6:
        pair = [reached(place, trace) for trace in (excuses.ours_double, excuses.double)]
        if all(isinstance(each, Seen) and each.array.shape == other.array.shape for each in pair):
            agreed = distance(pair[0].array, pair[1].array) <= tolerance(pair[1].array, "float64", 0.1)
            size = np.abs(other.array).max(initial=1.0, where=np.isfinite(other.array))
            good |= agreed & (gap <= rough * size)
    double = reached(place, excuses.double)
    if mine.dtype in RTOL and isinstance(double, Seen) and double.array.shape == other.array.shape:
        mistake = distance(mine.array, double.array)
        good |= np.isfinite(mistake) & (mistake <= 4 * distance(other.array, double.array))
    return good


def furthest(usual: Seen, place: Place, traces: list[Trace]) -> np.ndarray:
    """How far the traces move each element; infinitely if they change its shape."""
    found = [reached(place, trace) for trace in traces]
    if not all(isinstance(each, Seen) and each.array.shape == usual.array.shape for each in found):
        return np.full(usual.array.shape, np.inf)
    return np.max([distance(each.array, usual.array) for each in found], axis=0)


def reached(place: Place, trace: Trace) -> Any:
    """What the trace has there; None if it was refused before."""
    try:
        return place(trace)
    except (TypeError, IndexError):
        return None
