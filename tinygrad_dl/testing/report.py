"""What the checks say: entries with their verdicts, tables, and arguments that can be pasted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.core.dtypes import dtype

RIGHT, LOOK, WRONG = 1e-7, 1e-5, 1e-3


class CheckError(AssertionError):
    """A check found something wrong; the text says what, where, and how to see it again."""


def relative_difference(analytic: float, numeric: float) -> float:
    """|a - n| / (|a| + |n|); 0 if both are 0, 1 if one is not finite."""
    if not (np.isfinite(analytic) and np.isfinite(numeric)):
        return 0.0 if analytic == numeric else 1.0
    total = abs(analytic) + abs(numeric)
    return abs(analytic - numeric) / total if total else 0.0


def verdict(relative: float) -> str:
    """What a relative difference between a gradient and a central difference in float64 means.

    >>> from tinygrad_dl.testing import verdict
    >>> verdict(1e-9), verdict(1e-6), verdict(0.5)
    ('right', 'look again', 'wrong')
    """
    if relative < RIGHT:
        return "right"
    if relative < LOOK:
        return "look again"
    return "suspicious" if relative < WRONG else "wrong"


class Entry(NamedTuple):
    """One entry of a gradient, computed both ways.

    `noise` is how far apart the two may lie by rounding alone; `kink` says that the function has no
    derivative there, which its one-sided differences show.
    """

    name: str
    place: tuple[int, ...]
    analytic: float
    numeric: float
    noise: float = 0.0
    kink: bool = False

    @property
    def relative(self) -> float:
        """|a - n| / (|a| + |n|)."""
        return relative_difference(self.analytic, self.numeric)

    @property
    def excess(self) -> float:
        """The relative difference, or 0 where the two agree but for rounding."""
        return 0.0 if abs(self.analytic - self.numeric) <= self.noise else self.relative

    @property
    def difference(self) -> str:
        """The relative difference as reports show it; of numbers that differ by rounding alone it says nothing."""
        return f"{self.relative:.1e}" if self.excess or self.relative < RIGHT else "within rounding"

    def agrees(self, rtol: float) -> bool:
        """Whether the two values agree, rounding set aside."""
        return bool(np.isfinite(self.analytic) and np.isfinite(self.numeric) and self.excess <= rtol)

    @property
    def verdict(self) -> str:
        """ "right", "look again", "suspicious", "wrong", or "kink"."""
        return "kink" if self.kink else verdict(self.excess)

    def __str__(self) -> str:
        where = f"{self.name}[{', '.join(map(str, self.place))}]" if self.place else self.name
        return (
            f"{where}: analytic {self.analytic:.10g}, numeric {self.numeric:.10g}, "
            f"relative difference {self.difference}: {self.verdict}"
        )


def worst(entries: Iterable[Entry]) -> Entry | None:
    """The entry with the largest relative difference beyond rounding, kinks left aside.

    Of entries that differ by rounding alone, those that are more than rounding themselves come first: the
    relative difference of two zeros says nothing.
    """

    def badness(e: Entry) -> tuple[float, bool, float]:
        return e.excess, abs(e.analytic) + abs(e.numeric) > e.noise, e.relative

    return max((e for e in entries if not e.kink), key=badness, default=None)


class GradientReport:
    """What a check of gradients compared: true if everything agrees and something was compared at each tensor.

    Prints as a table with a line for each tensor. It equals `True` or `False` too.

    Attributes:
        entries: the compared entries, by the tensor's name; none if the tensor was compared along one direction.
    """

    def __init__(self, entries: Mapping[str, Sequence[Entry]], sizes: Mapping[str, int], rtol: float):
        self.entries, self._sizes, self._rtol = entries, sizes, rtol

    @property
    def failed(self) -> list[Entry]:
        """The entries that differ."""
        return [e for found in self.entries.values() for e in found if not e.kink and not e.agrees(self._rtol)]

    @property
    def compared(self) -> int:
        """How many entries were compared."""
        return sum(count_compared(found, self._sizes[name]) for name, found in self.entries.items())

    @property
    def skipped(self) -> int:
        """How many entries were left aside, because the function has no derivative there."""
        return sum(e.kink for found in self.entries.values() for e in found)

    @property
    def unproven(self) -> list[str]:
        """The tensors at which no entry could be compared. Empty ones only count if all are."""
        nothing = [name for name, found in self.entries.items() if not count_compared(found, self._sizes[name])]
        return nothing if len(nothing) == len(self.entries) else [name for name in nothing if self._sizes[name]]

    @property
    def ok(self) -> bool:
        """Whether all entries agree, and every tensor had some to compare."""
        return not self.failed and not self.unproven

    @property
    def worst(self) -> Entry | None:
        """The entry with the largest relative difference."""
        return worst(e for found in self.entries.values() for e in found)

    @property
    def summary(self) -> str:
        """How much was compared, and why the rest was not, in one line."""
        text = f"{self.compared} entries compared"
        if self.skipped:
            text += (
                f", {self.skipped} left aside where the function has no derivative (a kink, or an end of its domain)"
            )
        if self.unproven:
            parts = [f"{name!r}{'' if self._sizes[name] else ' (which is empty)'}" for name in self.unproven]
            text += f"; nothing to compare at {', '.join(parts)}"
        return text

    def __bool__(self) -> bool:
        return self.ok

    def __eq__(self, other: object) -> bool:
        return self.ok == other if isinstance(other, bool) else self is other

    __hash__ = object.__hash__

    def __str__(self) -> str:
        rows = [("tensor", "entries", "relative difference", "verdict")]
        for name, found in self.entries.items():
            entry, size = worst(found), self._sizes[name]
            kinks = sum(e.kink for e in found)
            count = f"{len(found)} of {size}" + (f", {kinks} at kinks" if kinks else "")
            if entry is not None:
                rows.append((name, count, entry.difference, verdict(entry.excess)))
            elif count_compared(found, size):
                rows.append((name, f"{size} of {size}", "along one direction", "right"))
            else:
                rows.append((name, count, "-", "nothing to compare"))
        lines = [table(rows), self.summary, *([f"worst: {self.worst}"] if self.worst else [])]
        return "\n".join(lines)

    __repr__ = __str__


def count_compared(entries: Sequence[Entry], size: int) -> int:
    """How many entries of a tensor were compared; without entries all at once, along a direction."""
    return len(entries) - sum(e.kink for e in entries) if entries else size


def worst_lines(entries: Sequence[Entry], count: int = 3) -> str:
    """The worst entries, worst first, a line each."""
    ordered = sorted((e for e in entries if not e.kink), key=lambda e: -e.excess)
    return "\n".join(f"  {entry}" for entry in ordered[:count])


def pasteable(value: Any) -> str:
    """A value as Python source; arrays as np.array(...)."""
    if isinstance(value, np.ndarray):
        if not value.size:
            return f"np.zeros({value.shape}, {value.dtype.name!r})"
        kept = "" if value.dtype.name in ("float64", "int64", "bool") else f", {value.dtype.name!r}"
        return f"np.array({value.tolist()!r}{kept})"
    if isinstance(value, list):
        return f"[{', '.join(pasteable(v) for v in value)}]"
    if isinstance(value, tuple):
        return f"({', '.join(pasteable(v) for v in value)}{',' if len(value) == 1 else ''})"
    if isinstance(value, slice):
        return f"slice({value.start!r}, {value.stop!r}, {value.step!r})"
    if isinstance(value, np.dtype):
        return f"np.dtype({value.name!r})"
    if isinstance(value, dtype):
        return f"td.dtype({value.name!r})"
    if hasattr(value, "_data"):
        return f"td.tensor({pasteable(value._data)})"
    return repr(value)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text in columns; the first row is the heading."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)
