"""Draws programs: a `Writer` runs each step in PyTorch as it writes it, so that the next one can fit what is there."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tinygrad_dl as td
from fuzz.programs import BINARY, UNARY, Attribute, Name, Names, Program, Step, line
from fuzz.running import THEIRS, code, torch

FLOATS, COMPLEX, INTS, BOOLS = (
    ("float64", "float32", "float16"),
    ("complex128", "complex64"),
    ("int64", "int32", "uint8"),
    ("bool",),
)
KINDS = {"f": FLOATS, "c": COMPLEX, "i": INTS, "b": BOOLS}
# How often a new tensor has each dtype, among those that fit.
WEIGHTS = {
    "float64": 45, "float32": 18, "float16": 5, "int64": 10, "int32": 4, "uint8": 4, "bool": 6,
    "complex128": 6, "complex64": 3,
}  # fmt: skip
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, float("inf"), float("-inf"), float("nan"), 1e4, 1e-4, 30.0)
MOST = 600  # elements; larger tensors are not worked on further


class NotNow(Exception):
    """What is there does not suit this op."""


@dataclass(frozen=True)
class Entry:
    """One op of the catalogue: how its arguments are drawn, and the ways to spell it."""

    name: str
    draw: Callable[[Writer], Any]
    spellings: tuple[str, ...]
    weight: float = 1.0


class Writer:
    """A program in the making."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.names = Names()
        self.steps: list[Step] = []
        self.scope = THEIRS.scope()
        self.special = rng.random() < 0.15
        self.dtype_bias = rng.choice(FLOATS) if rng.random() < 0.5 else None
        self.alive: list[Name] = []

    # -- chance ----------------------------------------------------------------------------------

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def choice(self, options: Sequence[Any]) -> Any:
        return self.rng.choice(list(options))

    def int(self, low: int, high: int) -> int:
        """From low to high, both included."""
        return self.rng.randint(low, high)

    def bool(self) -> bool:
        return self.chance(0.5)

    def options(self, **drawn: Any) -> dict[str, Any]:
        """Some of these: the values of callables are drawn if they are taken."""
        return {name: (value() if callable(value) else value) for name, value in drawn.items() if self.chance(0.4)}

    # -- what is there ---------------------------------------------------------------------------

    def value(self, name: Name) -> torch.Tensor:
        return eval(name.text, self.scope)

    def kind(self, name: Name) -> str:
        dtype = self.value(name).dtype
        return "f" if dtype.is_floating_point else "c" if dtype.is_complex else "b" if dtype == torch.bool else "i"

    def dtype(self, name: Name) -> str:
        return str(self.value(name).dtype).removeprefix("torch.")

    def shape(self, name: Name) -> tuple[int, ...]:
        return tuple(self.value(name).shape)

    def ndim(self, name: Name) -> int:
        return self.value(name).ndim

    # -- tensors ---------------------------------------------------------------------------------

    def tensor(
        self,
        kinds: str = "fcib",
        shape: tuple[int, ...] | None = None,
        least: int = 0,
        most: int = 9,
        dtype: str | None = None,
        where: Callable[[torch.Tensor], bool] | None = None,
        low: float = -3.0,
        high: float = 3.0,
        new: float = 0.35,
        size: int = MOST,
    ) -> Name:
        """A tensor that fits: one that is there, or a new one, of values between `low` and `high`."""
        fitting = [n for n in self.alive if self.fits(n, kinds, shape, least, most, dtype, where, size)]
        if fitting and not self.chance(new):
            return self.choice(fitting[-4:] if self.chance(0.6) else fitting)
        if dtype is None:
            dtype = self.new_dtype(kinds)
        if shape is None:
            shape = self.new_shape(least, min(most, max(least, 4)))
        return self.new(shape, dtype, low, high)

    def fits(
        self, name: Name, kinds: str, shape: Any, least: int, most: int, dtype: Any, where: Any, size: int
    ) -> bool:
        value = self.value(name)
        return (
            self.kind(name) in kinds
            and least <= value.ndim <= most
            and (shape is None or tuple(value.shape) == tuple(shape))
            and (dtype is None or self.dtype(name) == dtype)
            and value.numel() <= size
            and (where is None or bool(where(value.detach())))
        )

    def new_dtype(self, kinds: str) -> str:
        if "f" in kinds and self.dtype_bias and self.chance(0.7):
            return self.dtype_bias
        fitting = [dtype for kind in kinds for dtype in KINDS[kind]]
        return self.rng.choices(fitting, [WEIGHTS[d] for d in fitting])[0]

    def new_shape(self, least: int = 0, most: int = 4) -> tuple[int, ...]:
        ndim = min(most, max(least, self.rng.choices((0, 1, 2, 3, 4), (1, 4, 6, 3, 1))[0]))
        return tuple(self.rng.choices((0, 1, 2, 3, 4, 5), (1, 4, 8, 8, 4, 2))[0] for _ in range(ndim))

    def new(
        self, shape: tuple[int, ...], dtype: str, low: float = -3.0, high: float = 3.0, layout: bool = True
    ) -> Name:
        """A new leaf, sometimes seen through a transposition or a slice."""
        if layout and shape and self.chance(0.25):
            return self.strided(shape, dtype, low, high)
        count = 1
        for n in shape:
            count *= n
        values = tuple(self.number(dtype, low, high) for _ in range(count))
        requires = dtype in FLOATS + COMPLEX and self.chance(0.7)
        step = Step(self.names.new(), "new", (tuple(shape), dtype, values, requires))
        self.write(step)
        return Name(step.result)

    def strided(self, shape: tuple[int, ...], dtype: str, low: float, high: float) -> Name:
        """A tensor of this shape whose elements do not lie in order."""
        way = self.choice(("transpose", "slice", "expand", "flip"))
        if way == "transpose" and len(shape) > 1:
            i, j = self.rng.sample(range(len(shape)), 2)
            swapped = list(shape)
            swapped[i], swapped[j] = shape[j], shape[i]
            return self.do(".transpose", (self.new(tuple(swapped), dtype, low, high, False), i, j))
        if way == "expand":
            base = tuple(1 if self.chance(0.5) else n for n in shape)
            return self.do(".expand", (self.new(base, dtype, low, high, False), *shape))
        axis = self.int(0, len(shape) - 1)
        base = tuple(2 * n + self.int(0, 1) if i == axis else n for i, n in enumerate(shape))
        first = base[axis] - 2 * shape[axis]
        index = tuple(slice(first, None, 2) if i == axis else slice(None, None) for i in range(axis + 1))
        return self.do("getitem", (self.new(base, dtype, low, high, False), index))

    def number(self, dtype: str, low: float = -3.0, high: float = 3.0) -> Any:
        """A Python number that an element of this dtype can be."""
        rng = self.rng
        if dtype == "bool":
            return self.bool()
        if dtype in INTS:
            value = (
                rng.randint(round(low), round(high))
                if not self.special or self.chance(0.9)
                else rng.choice((0, 1, 100, 127))
            )
            return abs(value) if dtype == "uint8" else value
        if dtype in COMPLEX:
            return complex(self.number("float64", low, high), self.number("float64", low, high))
        if self.special and self.chance(0.25):
            value = rng.choice(SPECIAL)
            return value if ((low < 0 or value >= 0) and value == value) or low == -3.0 else rng.choice((low, high))
        if self.chance(0.1):
            return float(min(high, max(low, rng.choice((-2, -1, 0, 1, 2)))))
        return round(rng.uniform(low, high), 2)

    def scalar(self, kinds: str = "fib") -> Any:
        """A Python number."""
        kind = self.choice(kinds)
        return {
            "f": lambda: self.choice((0.5, 2.0, -1.5, 0.0, 1.0, 3.0, -0.3, *(SPECIAL if self.special else ()))),
            "i": lambda: self.choice((0, 1, 2, 3, -1, -2, 5)),
            "b": self.bool,
            "c": lambda: complex(self.choice((0.0, 1.5, -1.0)), self.choice((1.0, -0.5))),
        }[kind]()

    def broadcast(
        self, name: Name, kinds: str = "fcib", dtype: str | None = None, new: float = 0.35, **options: Any
    ) -> Name:
        """A tensor that goes with this one elementwise."""
        shape = self.shape(name)
        fitting = [
            n for n in self.alive
            if self.fits(n, kinds, None, 0, 9, dtype, options.get("where"), MOST) and together(self.shape(n), shape)
        ]  # fmt: skip
        if fitting and not self.chance(new):
            return self.choice(fitting)
        other = tuple(1 if self.chance(0.2) else n for n in shape)[self.int(0, len(shape)) if self.chance(0.3) else 0 :]
        if self.chance(0.02):
            other = (*other, 7)  # which does not fit
        return self.new(other, dtype or self.new_dtype(kinds), options.get("low", -3.0), options.get("high", 3.0))

    # -- arguments -------------------------------------------------------------------------------

    def dim(self, name: Name) -> int:
        """A dimension, sometimes counted from the end, and sometimes one too far."""
        ndim = max(1, self.ndim(name))
        if self.chance(0.01):
            return self.choice((ndim, -ndim - 1))
        return self.int(-ndim, ndim - 1)

    def dims(self, name: Name) -> Any:
        """One dimension, several, or in rare cases one twice."""
        ndim = self.ndim(name)
        if not ndim or self.bool():
            return self.dim(name)
        chosen = self.rng.sample(range(ndim), self.int(1, ndim))
        if self.chance(0.02):
            chosen.append(chosen[0])
        return tuple(d - ndim if self.chance(0.3) else d for d in chosen)

    def dtype_argument(self, kinds: str = "fcib") -> Attribute:
        return Attribute(f"T.{self.new_dtype(kinds)}")

    def indices(self, shape: tuple[int, ...], size: int, negative: bool = False) -> Name:
        """A tensor of positions in a dimension of this size; in rare cases one too far."""
        if size < 1:
            if 0 in shape:
                return self.new(shape, "int64", 0, 0)
            raise NotNow
        top = size - 1 + (1 if self.chance(0.01) else 0)
        special, self.special = self.special, False
        name = self.new(shape, "int64", -size if negative and self.chance(0.3) else 0, top)
        self.special = special
        return name

    # -- steps -----------------------------------------------------------------------------------

    def write(self, step: Step) -> Any:
        """Adds a step and runs it; an exception of PyTorch's goes on to the caller."""
        with THEIRS.ready():
            exec(code(line(step)), self.scope)
        self.steps.append(step)
        if step.in_place:
            return None
        value = self.scope[step.result]
        found = []
        if isinstance(value, torch.Tensor):
            found = [Name(step.result)]
        elif isinstance(value, tuple | list):
            found = [Name(f"{step.result}[{i}]") for i, v in enumerate(value) if isinstance(v, torch.Tensor)]
        self.alive += [n for n in found if self.value(n).numel() <= 4 * MOST]
        return value

    def do(self, call: str, args: tuple[Any, ...], options: dict[str, Any] | None = None) -> Name:
        step = Step(self.names.new(), call, args, tuple((options or {}).items()))
        self.write(step)
        return Name(step.result)


def together(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether tensors of these shapes broadcast, to something not much larger."""
    try:
        shape = torch.broadcast_shapes(a, b)
    except RuntimeError:
        return False
    return torch.Size(shape).numel() <= MOST


def divided(drawn: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments, and the options at their end if there are any."""
    return (drawn[:-1], drawn[-1]) if drawn and isinstance(drawn[-1], dict) else (drawn, {})


def spelled(entry: Entry, writer: Writer, args: tuple[Any, ...], options: dict[str, Any]) -> Step:
    """The step, in one of the ways to spell the op."""
    ways = list(entry.spellings)
    if not isinstance(args[0] if args else None, Name):
        ways = [way for way in ways if way[0] in "TFN" or way in BINARY + UNARY]
    if options:
        ways = [way for way in ways if way not in BINARY + UNARY and way[:-1] not in BINARY] or ways
    if not ways:
        raise NotNow
    changing = [
        way for way in ways if (way[:-1] in BINARY and way not in BINARY) or (way.endswith("_") and way[0] == ".")
    ]
    plain = [way for way in ways if way not in changing]
    if changing and (not plain or writer.chance(0.3)):
        leaf = args[0].text in {s.result for s in writer.steps if s.is_leaf and s.args[3]}
        if not plain or not leaf or writer.chance(0.03):
            plain = changing
    way = writer.choice(plain)
    return Step(writer.names.new(), way, args, tuple(options.items()))


def draw_program(catalogue: dict[str, Entry], seed: int, number: int, most: int = 12) -> Program:
    """Program `number` of this seed."""
    rng = random.Random(f"{seed}/{number}")
    writer = Writer(rng)
    entries = list(catalogue.values())
    chances = [entry.weight for entry in entries]
    target, refused = rng.choice((1, 2, 2, 3, 3, 4, 5, 6, 8, 10, most)), False
    done = attempts = 0
    while done < target and attempts < 6 * target and not refused:
        attempts += 1
        entry = rng.choices(entries, chances)[0]
        try:
            drawn = entry.draw(writer)
        except (NotNow, RuntimeError, IndexError, ValueError, TypeError):
            continue  # leaves that were made for it stay
        try:
            steps = drawn if isinstance(drawn, list) else [spelled(entry, writer, *divided(drawn))]
        except NotNow:
            continue
        for step in steps:
            try:
                writer.write(step)
            except Exception:
                refused = writer.chance(0.2)
                if refused:
                    writer.steps.append(step)  # PyTorch refuses it: so should we
                break
        else:
            done += 1
    return finished(writer)


def finished(writer: Writer) -> Program:
    """The program, with one to three results that gradients start from, those of finite values first."""
    usable = []
    for name in writer.alive:
        try:
            value = writer.value(name)
            if value.requires_grad and not value.is_leaf and value.numel():
                usable.append((bool(torch.isfinite(value.detach()).all()), name))
        except RuntimeError:
            continue  # a view of several, whose base was changed: PyTorch lets nobody look at it
    good = [name for finite, name in usable if finite] or [name for _, name in usable]
    chosen = []
    if good:
        chosen = [good[-1], *writer.rng.sample(good, min(len(good), writer.int(0, 2)))]
    return Program(tuple(writer.steps), tuple(dict.fromkeys(chosen)))


def spellings(name: str, *also: str) -> tuple[str, ...]:
    """The ways that both libraries have to spell this op: a function of `T` or `F`, a method, a method in place."""
    ways = list(also)
    for place, ours, theirs in (("T.", td, torch), ("F.", td.nn.functional, torch.nn.functional)):
        if callable(getattr(ours, name, None)) and callable(getattr(theirs, name, None)):
            ways.append(place + name)
    for method in (name, name + "_"):
        if callable(getattr(td.Tensor, method, None)) and callable(getattr(torch.Tensor, method, None)):
            ways.append("." + method)
    return tuple(ways)
