"""The vocabulary of legal inputs: what an op accepts, as plain data beside its rule.

An op says `inputs=dict(input=real(), dim=axis_of("input"))`, or a list of such cases. Nothing is drawn
here: `tinygrad_dl.testing` turns the data into hypothesis strategies, the documentation into examples.

Shapes are written as strings of dimension names: the same name is the same size throughout a case, and
`...` stands for any number of leading dimensions, the same ones wherever it appears: `"n k"`,
`"... n k"`, `""` for 0-d. A number is that size: `"n 3"`. Without `shape`, any shape between `min_dims`
and `max_dims` will do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

# fmt: off
__all__ = [
    "Case", "ErrorCase", "array", "axes_of", "axis_of", "boolean", "broadcasting", "complexes", "drawn", "error",
    "integers", "one_of", "real", "reals", "shape_of",
]
# fmt: on


def __dir__() -> list[str]:
    return __all__


class Record:
    """Values by the names that its class declares, in their order. A NamedTuple takes ten times as long to make."""

    def __init__(self, *values: Any):
        self.__dict__.update(zip(type(self).__annotations__, values, strict=True))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


class Real(Record):
    """A floating tensor. See `real`."""

    low: float
    high: float
    avoid: tuple[float, ...]
    shape: str | None
    min_dims: int
    max_dims: int
    min_side: int
    distinct: bool
    unlimited: tuple[bool, bool]  # whether any smaller, any larger number is legal too


def real(
    low: float | None = None,
    high: float | None = None,
    *,
    avoid: tuple[float, ...] = (),
    shape: str | None = None,
    min_dims: int = 0,
    max_dims: int = 3,
    min_side: int = 0,
    distinct: bool = False,
) -> Real:
    """A floating tensor with elements between `low` and `high`.

    A limit that is not given stands for no limit: most elements are drawn from -3 to 3, and some are large, so that
    what overflows on the way to a finite result is found.

    Args:
        avoid: points where the derivative jumps or is infinite; drawn elements keep away from them.
        shape: dimension names, see the module's text; None for any shape.
        min_dims, max_dims: the number of dimensions, when `shape` is None.
        min_side: the smallest size of a dimension; 0 lets empty tensors through.
        distinct: whether all elements differ, for ops whose derivative jumps at ties.
    """
    unlimited = low is None, high is None
    least, most = -3.0 if low is None else low, 3.0 if high is None else high
    return Real(least, most, avoid, shape, min_dims, max_dims, min_side, distinct, unlimited)


class Complexes(Record):
    """A complex tensor. See `complexes`."""

    low: float
    high: float
    shape: str | None
    min_dims: int
    max_dims: int
    min_side: int


def complexes(
    low: float = -3.0,
    high: float = 3.0,
    *,
    shape: str | None = None,
    min_dims: int = 0,
    max_dims: int = 3,
    min_side: int = 0,
) -> Complexes:
    """A complex128 tensor whose real and imaginary parts lie between `low` and `high`."""
    return Complexes(low, high, shape, min_dims, max_dims, min_side)


class Integers(Record):
    """An integer tensor. See `integers`."""

    low: int
    high: int | str
    shape: str | None
    min_dims: int
    max_dims: int
    min_side: int


def integers(
    low: int = -5,
    high: int | str = 5,
    *,
    shape: str | None = None,
    min_dims: int = 0,
    max_dims: int = 3,
    min_side: int = 0,
) -> Integers:
    """An int64 tensor with elements in [low, high]; a dimension's name as `high` means below its size."""
    return Integers(low, high, shape, min_dims, max_dims, min_side)


class Boolean(Record):
    """A bool tensor. See `boolean`."""

    shape: str | None
    min_dims: int
    max_dims: int


def boolean(*, shape: str | None = None, min_dims: int = 0, max_dims: int = 3) -> Boolean:
    """A bool tensor."""
    return Boolean(shape, min_dims, max_dims)


class Reals(Record):
    """A sequence of floating tensors. See `reals`."""

    element: Real
    min_count: int
    max_count: int


def reals(element: Real, min_count: int = 1, max_count: int = 3) -> Reals:
    """A list of tensors, each drawn as `element`; for arguments annotated `Arrays`."""
    return Reals(element, min_count, max_count)


class AxisOf(Record):
    """One dimension of an argument. See `axis_of`."""

    argument: str
    none: bool


def axis_of(argument: str, *, none: bool = False) -> AxisOf:
    """A dimension of the named argument, counted from the front or the end; None too if `none`."""
    return AxisOf(argument, none)


class AxesOf(Record):
    """Some dimensions of an argument. See `axes_of`."""

    argument: str
    none: bool


def axes_of(argument: str, *, none: bool = True) -> AxesOf:
    """One dimension, a tuple of distinct dimensions of the named argument, or None (all) if `none`."""
    return AxesOf(argument, none)


class ShapeOf(Record):
    """A shape that an argument can take on. See `shape_of`."""

    argument: str
    how: str


def shape_of(argument: str, how: str) -> ShapeOf:
    """A shape fit for the named argument: `how` is "reshape" (as many elements) or "expand" (broadcasts to it)."""
    return ShapeOf(argument, how)


class OneOf(Record):
    """One of several values. See `one_of`."""

    values: tuple[Any, ...]


def one_of(*values: Any) -> OneOf:
    """One of these values."""
    return OneOf(values)


class Drawn(Record):
    """A value computed from random numbers and the arguments before it. See `drawn`."""

    make: Callable[..., Any]


def drawn(make: Callable[..., Any]) -> Drawn:
    """The way out when the words above do not reach: `make(rng, argument, ...)`.

    It gets a `numpy.random.Generator` and, by name, any of the arguments that stand before it in the case.
    """
    return Drawn(make)


Sample: TypeAlias = "Real | Complexes | Integers | Boolean | Reals | AxisOf | AxesOf | ShapeOf | OneOf | Drawn"


class Case(dict[str, Any]):
    """One way to call the op: argument name -> sample. Plain dicts become Cases."""

    broadcasts = False


class BroadcastingCase(Case):
    """A case whose tensors have shapes that broadcast together; as those of elementwise ops do."""

    broadcasts = True

    def __init__(self, tensors: tuple[Any, ...], options: dict[str, Any]):
        super().__init__(options)
        self.tensors = tensors


def broadcasting(*tensors: Any, **options: Any) -> BroadcastingCase:
    """The tensor arguments, in order, have shapes that broadcast together; options by name.

    For ops of kind "elementwise" or "loss".
    """
    return BroadcastingCase(tensors, options)


class SampleArray(Record):
    """A given array for an error input. See `array`."""

    shape: tuple[int, ...]
    dtype: str


def array(*shape: int, dtype: str = "float32") -> SampleArray:
    """A tensor of ones of this shape and dtype, for error inputs."""
    return SampleArray(shape, dtype)


class ErrorCase(Record):
    """Arguments that must be refused. See `error`."""

    kind: type[BaseException]
    match: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def error(kind: type[BaseException], match: str, *args: Any, **kwargs: Any) -> ErrorCase:
    """Calling the op with these arguments must raise `kind` with a text (notes included) that `match` finds."""
    return ErrorCase(kind, match, args, kwargs)
