"""What the checks say: entries with their verdicts, tables, and arguments that can be pasted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

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
            f"relative difference {self.relative:.1e}: {self.verdict}"
        )


def worst(entries: Iterable[Entry]) -> Entry | None:
    """The entry with the largest relative difference beyond rounding, kinks left aside.

    Of entries that differ by rounding alone, those that are more than rounding themselves come first: the
    relative difference of two zeros says nothing.
    """

    def badness(e: Entry) -> tuple[float, bool, float]:
        return e.excess, abs(e.analytic) + abs(e.numeric) > e.noise, e.relative

    return max((e for e in entries if not e.kink), key=badness, default=None)


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
    if hasattr(value, "_data"):
        return f"td.tensor({pasteable(value._data)})"
    return repr(value)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text in columns; the first row is the heading."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)
