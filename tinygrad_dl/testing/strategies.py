"""hypothesis strategies: shapes, tensors, index expressions, and the legal arguments of any op."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tinygrad_dl import inputs as words
from tinygrad_dl.core.op import Op
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.testing.call import Call, record_of

SIDES = (2, 3, 1, 2, 3, 4, 1)  # simplest first; 0 is added where it is legal
LONG = (5, 8, 17, 33)  # where code for blocks, vectors and pairs of halves begins to differ
MOST = 600  # elements, about, of a tensor with long sides
SEEDS = st.integers(0, 2**32 - 1)


def sides(min_side: int = 0, max_side: int = 4) -> SearchStrategy[int]:
    """The size of one dimension; small ones mostly, and seldom 0."""
    found = [s for s in (*SIDES, 0) if min_side <= s <= max_side]
    return st.sampled_from(found or [min_side])


@st.composite
def shapes(draw: DrawFn, min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 4) -> tuple[int, ...]:
    """Shapes of small tensors, 0-d and zero-size ones included.

    >>> from hypothesis import find
    >>> from tinygrad_dl.testing import shapes
    >>> find(shapes(min_dims=2), lambda shape: 3 in shape)
    (2, 3)
    """
    ndim = draw(st.sampled_from([d for d in (2, 1, 3, 0, 2, 4) if min_dims <= d <= max_dims] or [min_dims]))
    return tuple(draw(sides(min_side, max_side)) for _ in range(ndim))


@st.composite
def broadcastable_shapes(
    draw: DrawFn, count: int = 2, max_dims: int = 3, min_side: int = 0
) -> tuple[tuple[int, ...], ...]:
    """Several shapes that broadcast together.

    >>> from hypothesis import find
    >>> from tinygrad_dl.testing import broadcastable_shapes
    >>> find(broadcastable_shapes(2), lambda pair: pair[0] != pair[1] and len(pair[1]) == 2)
    ((1, 1), (2, 2))
    """
    return repeated_to(draw, draw(shapes(max_dims=max_dims, min_side=min_side)), count)


def repeated_to(draw: DrawFn, whole: tuple[int, ...], count: int) -> tuple[tuple[int, ...], ...]:
    """Several shapes that broadcast to this one."""
    found = [list(whole) for _ in range(count)]
    for axis in range(len(whole)):  # in each dimension one of them is repeated, or none
        chosen = draw(st.integers(0, count))
        if chosen < count:
            found[chosen][axis] = 1
    chosen = draw(st.integers(0, count))
    if chosen < count:  # one of them lacks the first dimensions
        del found[chosen][: draw(st.integers(0, len(whole)))]
    return tuple(tuple(shape) for shape in found)


@st.composite
def tensors(
    draw: DrawFn,
    shape: Any = None,
    dtype: Any = np.float64,
    low: float = -3.0,
    high: float = 3.0,
    requires_grad: bool = False,
) -> Tensor:
    """Tensors of a shape (or of shapes drawn from a strategy) with elements between `low` and `high`.

    >>> from hypothesis import find
    >>> from tinygrad_dl.testing import tensors
    >>> find(tensors(shape=(2, 3)), lambda t: True).shape
    (2, 3)
    """
    size = draw(shape if isinstance(shape, SearchStrategy) else shapes() if shape is None else st.just(tuple(shape)))
    found = np.dtype(dtype)
    rng = np.random.default_rng(draw(SEEDS))
    if found.kind in "iub":
        return wrap(rng.integers(int(low), int(high), size, endpoint=True).astype(found))
    array = reals(rng, size, words.real(low, high), draw(st.sampled_from(STYLES)))
    new = wrap(array.astype(found))
    return new.requires_grad_() if requires_grad else new


@st.composite
def indices(draw: DrawFn, shape: tuple[int, ...], advanced: bool = True) -> Any:
    """Index expressions for a tensor of this shape, as one writes them between brackets.

    Integers, slices, `...`, None, and, if `advanced`, integer lists and boolean masks.

    >>> from hypothesis import find
    >>> from tinygrad_dl.testing import indices
    >>> find(indices((4, 3)), lambda index: True) is not None
    True
    """
    parts: list[Any] = []
    listed = None  # integer arrays in one index must broadcast: all get the same length
    gap = draw(st.integers(0, len(shape)))
    kinds = ["slice", "integer", "all"] + (["list", "mask"] if advanced else [])
    for position, size in enumerate(shape):
        if position == gap and draw(st.integers(0, 3)) == 3:
            parts.append(Ellipsis)
            break
        if draw(st.integers(0, 5)) == 5:
            parts.append(None)
        kind = draw(st.sampled_from(kinds))
        if kind == "integer" and size:
            parts.append(draw(st.integers(-size, size - 1)))
        elif kind == "list" and size:
            listed = listed or draw(st.integers(1, 3))
            parts.append([draw(st.integers(-size, size - 1)) for _ in range(listed)])
        elif kind == "mask" and not any(isinstance(p, list) for p in parts):
            parts.append(np.array([draw(st.booleans()) for _ in range(size)], bool))
            kinds = ["slice", "all"]  # the mask's length is not known beforehand
        elif kind == "all":
            parts.append(slice(None))
        else:
            start = draw(st.none() | st.integers(-size - 1, size + 1))
            stop = draw(st.none() | st.integers(-size - 1, size + 1))
            parts.append(slice(start, stop, draw(st.sampled_from([None, 1, 2]))))
    keep = draw(st.integers(0, len(parts)))
    chosen = parts[: keep or len(parts)]
    return tuple(chosen) if len(chosen) != 1 or draw(st.booleans()) else chosen[0]


# -- elements ------------------------------------------------------------------------------------

STYLES = ("even", "even", "even", "coarse")


def reals(
    rng: np.random.Generator, shape: tuple[int, ...], sample: words.Real, style: str = "even", scale: float = 0.0
) -> np.ndarray:
    """Elements for a `real(...)` sample: evenly spread, or "coarse": small integers, so that some are equal.

    With a `scale` most of them are of that size, as far as the sample sets no limit.
    """
    if scale and any(sample.unlimited):
        return large_reals(rng, shape, sample, scale)
    low, high = sample.low, sample.high
    size = math.prod(shape)
    if sample.distinct and size > 1:
        spots = np.linspace(low, high, size + 1)[:-1] + rng.uniform(0.25, 0.75) * (high - low) / (size + 1)
        found = rng.permutation(spots).reshape(shape)
        return found if high - low < 0.1 * size else found.round(4)
    found = rng.uniform(low, high, shape)
    if high - low > 0.1:
        found = np.clip(np.round(found, 0 if style == "coarse" else 3) + 0.0, low, high)  # no -0.0
    return away_from(np.asarray(found), sample)


def large_reals(rng: np.random.Generator, shape: tuple[int, ...], sample: words.Real, scale: float) -> np.ndarray:
    """Elements of which most are of the size of `scale`."""
    usual = reals(rng, shape, sample)
    if sample.distinct:  # all of them, so that they stay distinct
        middle = np.clip(0.0, sample.low, sample.high)
        turned = np.where(usual < middle, sample.unlimited[0], sample.unlimited[1])
        return np.where(turned, middle + (usual - middle) * scale / 3, usual)
    sign = rng.choice([-1.0 if sample.unlimited[0] else 1.0, 1.0 if sample.unlimited[1] else -1.0], shape)
    drawn = np.round(sign * scale * rng.uniform(0.75, 1.0, shape), 1)
    return np.where(rng.random(shape) < 0.7, drawn, usual)


def away_from(array: np.ndarray, sample: words.Real) -> np.ndarray:
    """The elements moved away from the points where the derivative jumps."""
    margin = min(0.05, (sample.high - sample.low) / 20)
    for point in sample.avoid:
        close = np.abs(array - point) < margin
        side = np.where((array >= point) & (point + margin <= sample.high) | (point - margin < sample.low), 1.0, -1.0)
        array = np.where(close, point + margin * side, array)
    return array


# -- the arguments of an op ----------------------------------------------------------------------


class Sizes:
    """The sizes of the named dimensions of one case, drawn when first needed."""

    def __init__(self, draw: DrawFn, case: words.Case, long: bool = False, scale: float = 0.0):
        self.scale = scale
        self.draw, self.known, self.least = draw, dict[str, int](), dict[str, int]()
        self.room = MOST if long else 0  # by how much long sides may still multiply the elements
        self.lead: tuple[int, ...] | None = None
        self.count = 0
        everything = [*case.values(), *getattr(case, "tensors", ())]
        for sample in everything:
            sample = sample.element if isinstance(sample, words.Reals) else sample
            for name in (getattr(sample, "shape", None) or "").split():
                self.least[name] = max(self.least.get(name, 0), getattr(sample, "min_side", 0))
            if isinstance(sample, words.Integers) and isinstance(sample.high, str):
                self.least[sample.high] = max(1, self.least.get(sample.high, 0))

    def next(self) -> int:
        """A number for each tensor of a case, so that they differ though hypothesis likes to draw equal seeds."""
        self.count += 1
        return self.count

    def __getitem__(self, name: str) -> int:
        if name.isdigit():
            return int(name)
        if name not in self.known:
            self.known[name] = self.side(self.least.get(name, 0))
        return self.known[name]

    def side(self, least: int) -> int:
        """The size of one dimension."""
        long = [s for s in LONG if least <= s <= self.room]
        if not long or self.draw(st.integers(0, 3)) == 3:
            return self.draw(sides(least))
        found = self.draw(st.sampled_from(long))
        self.room //= found
        return found

    def free(self, min_dims: int, max_dims: int, min_side: int) -> tuple[int, ...]:
        """A shape that nothing else says."""
        if not self.room:
            return self.draw(shapes(min_dims, max_dims, min_side))
        ndim = self.draw(st.sampled_from([d for d in (1, 2, 3) if min_dims <= d <= max_dims] or [min_dims]))
        return tuple(self.side(min_side) for _ in range(ndim))

    def shape(self, text: str) -> tuple[int, ...]:
        found: list[int] = []
        for name in text.split():
            if name == "...":
                if self.lead is None:
                    self.lead = self.free(0, 1, 0) if self.room else self.draw(shapes(max_dims=2, max_side=3))
                found += self.lead
            else:
                found.append(self[name])
        return tuple(found)


@st.composite
def arguments(draw: DrawFn, op: Any, *, long: bool = False, scale: float = 0.0) -> Call:
    """Legal arguments of an op, drawn from its declaration; floating ones in float64.

    `long` asks for dimensions of more than 4, `scale` for elements of that magnitude where no limit is declared.
    The result has `args` and `kwargs`, so that `op(*call.args, **call.kwargs)` is the call.

    >>> import tinygrad_dl as td
    >>> from hypothesis import find
    >>> from tinygrad_dl.testing import arguments
    >>> find(arguments(td.exp), lambda call: True).kwargs["input"].dtype
    dtype('float64')
    """
    record = record_of(op)
    if not record.cases:
        raise ValueError(
            f"op {record.name}: got no inputs in its declaration, expected some; add inputs=... in the words of "
            "tinygrad_dl.inputs"
        )
    case = draw(st.sampled_from(record.cases))
    sizes = Sizes(draw, case, long, scale)
    values: dict[str, Any] = {}
    if isinstance(case, words.BroadcastingCase):
        names = record.tensors[: len(case.tensors)]
        free = [s for s in case.tensors if getattr(s, "shape", None) is None]
        most = min([getattr(s, "max_dims", 3) for s in free], default=3)
        least = max([getattr(s, "min_side", 0) for s in free], default=0)
        drawn = iter(repeated_to(draw, sizes.free(0, most, least), len(free)) if free else ())
        for name, sample in zip(names, case.tensors, strict=True):
            shape = next(drawn) if getattr(sample, "shape", None) is None else None
            values[name] = value_of(draw, sample, record, values, sizes, shape)
    for name, sample in case.items():
        values[name] = value_of(draw, sample, record, values, sizes, None)
    return Call(record, values)


def value_of(
    draw: DrawFn, sample: Any, op: Op, values: dict[str, Any], sizes: Sizes, shape: tuple[int, ...] | None
) -> Any:
    """A value for one argument."""
    if isinstance(sample, words.Reals):
        count = draw(st.integers(sample.min_count, sample.max_count))
        return [value_of(draw, sample.element, op, values, sizes, None) for _ in range(count)]
    if isinstance(sample, words.Real | words.Complexes | words.Integers | words.Boolean):
        if shape is None:
            if sample.shape is not None:
                shape = sizes.shape(sample.shape)
            else:
                shape = sizes.free(sample.min_dims, sample.max_dims, getattr(sample, "min_side", 0))
        rng = np.random.default_rng((draw(SEEDS), sizes.next()))
        if isinstance(sample, words.Real):
            return reals(rng, shape, sample, draw(st.sampled_from(STYLES)), sizes.scale)
        if isinstance(sample, words.Complexes):
            parts = words.real(sample.low, sample.high)
            return np.asarray(reals(rng, shape, parts) + 1j * reals(rng, shape, parts))
        if isinstance(sample, words.Boolean):
            return np.asarray(rng.integers(0, 2, shape), bool)
        high = sizes[sample.high] - 1 if isinstance(sample.high, str) else sample.high
        return np.asarray(rng.integers(sample.low, high, shape, endpoint=True), np.int64)
    for kind, make in MAKERS.items():
        if isinstance(sample, kind):
            return without_scalars(make(draw, sample, values))
    return sample


def without_scalars(value: Any) -> Any:
    """NumPy's floating scalars, which arithmetic on 0-d arrays leaves behind, as arrays again."""
    if isinstance(value, list):
        return [without_scalars(each) for each in value]
    return np.asarray(value) if isinstance(value, np.floating | np.complexfloating) else value


def axis_of(draw: DrawFn, sample: words.AxisOf, values: dict[str, Any]) -> int | None:
    """A dimension, counted from the front or the end."""
    ndim = dimensions(values[sample.argument])
    if sample.none and draw(st.integers(0, 3)) == 0:
        return None
    return draw(st.integers(-max(ndim, 1), max(ndim, 1) - 1))  # as in PyTorch, 0 and -1 are good for 0-d too


def axes_of(draw: DrawFn, sample: words.AxesOf, values: dict[str, Any]) -> Any:
    """One dimension, several, or None for all."""
    ndim = dimensions(values[sample.argument])
    kind = draw(st.sampled_from(["one", "several", *(["none"] if sample.none else [])]))
    if kind == "none" or (ndim == 0 and sample.none):
        return None
    if kind == "one":
        return draw(st.integers(-max(ndim, 1), max(ndim, 1) - 1))
    chosen: list[int] = draw(st.lists(st.integers(0, ndim - 1), min_size=1, unique=True)) if ndim else []
    turns = draw(st.integers(0, 2 ** len(chosen) - 1))  # which of them to count from the end
    return tuple(axis - ndim if turns >> i & 1 else axis for i, axis in enumerate(chosen))


def dimensions(value: Any) -> int:
    """The number of dimensions of a drawn argument."""
    return (value[0] if isinstance(value, list) else value).ndim  # type: ignore[no-any-return]


def shape_of(draw: DrawFn, sample: words.ShapeOf, values: dict[str, Any]) -> tuple[int, ...]:
    """A shape that the argument can be reshaped or expanded to."""
    shape = values[sample.argument].shape
    if sample.how == "expand":
        grown = [draw(st.integers(0, 3)) if size == 1 else draw(st.sampled_from([size, -1])) for size in shape]
        return (*draw(shapes(max_dims=1, max_side=3)), *grown)
    size = math.prod(shape)
    if size == 0:
        return draw(st.sampled_from([shape, (0,), (0, 3), (2, 0)]))
    factors: list[int] = []
    rest = size
    while rest > 1 and len(factors) < 3:
        factor = draw(st.sampled_from([d for d in range(1, rest + 1) if rest % d == 0]))
        factors.append(factor)
        rest //= factor
    factors += [rest] if rest > 1 else []
    left_open = draw(st.integers(-1, len(factors) - 1))
    if left_open >= 0:
        factors[left_open] = -1
    return tuple(factors)


def one_of(draw: DrawFn, sample: words.OneOf, values: dict[str, Any]) -> Any:
    """One of the declared values."""
    return sample.values[draw(st.integers(0, len(sample.values) - 1))]


def drawn(draw: DrawFn, sample: words.Drawn, values: dict[str, Any]) -> Any:
    """What the declared function makes of a seeded generator and the arguments before it."""
    make = sample.make
    code = make.__code__
    names = code.co_varnames[1 : code.co_argcount]
    return make(np.random.default_rng(draw(SEEDS)), **{name: values[name] for name in names})


MAKERS: dict[type, Callable[..., Any]] = {
    words.AxisOf: axis_of,
    words.AxesOf: axes_of,
    words.ShapeOf: shape_of,
    words.OneOf: one_of,
    words.Drawn: drawn,
}
