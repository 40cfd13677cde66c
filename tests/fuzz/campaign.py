"""Runs many programs and collects what differs, each kind once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from fuzz.catalogue import CATALOGUE
from fuzz.compare import Difference, compare
from fuzz.drawing import draw_program
from fuzz.meant import why_meant
from fuzz.programs import Program
from fuzz.shrink import kind_of, shrink


@dataclass(frozen=True)
class Finding:
    """A difference that is not meant: where it was found, and the smallest program that shows it."""

    seed: int
    number: int
    program: Program
    difference: Difference

    @property
    def key(self) -> tuple[str, ...]:
        """What is the same for findings of one fault, most of the time."""
        kind, _ = kind_of(self.difference)
        said = self.difference.ours if "refused" in kind else self.difference.theirs if "taken" in kind else ""
        return kind, self.difference.op, re.sub(r"[\d.,()\[\]-]+", "#", said)[:60]

    def __str__(self) -> str:
        head = f"program {self.number} of seed {self.seed}: {self.difference}"
        return f"{head}\n{self.program.source()}"


@dataclass
class Tally:
    """What a campaign ran and found."""

    programs: int = 0
    steps: int = 0
    meant: Counter[str] = field(default_factory=Counter)
    findings: dict[tuple[str, ...], Finding] = field(default_factory=dict)
    times: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def summary(self) -> str:
        lines = [f"{self.programs} programs of {self.steps} steps, {sum(self.times.values())} with differences"]
        lines += [f"{count:6} meant: {reason}" for reason, count in self.meant.most_common()]
        lines += [f"{self.times[key]:6} found: {' | '.join(key)}" for key in self.findings]
        return "\n".join(lines)


def try_program(seed: int, number: int, tries: int = 800) -> tuple[Program, str | Finding | None]:
    """Draws and compares one program: the reason of a meant difference, a finding, or None."""
    program = draw_program(CATALOGUE, seed, number)
    difference = compare(program)
    if difference is None:
        return program, None
    small = program
    if difference.of_gradients and difference.wrong is not None:  # which step they hang on, a small program says
        small, difference = shrink(program, difference, tries // 5)
    reason = why_meant(small, difference)
    if reason is None:
        small, difference = shrink(small, difference, tries, wanted=lambda *found: why_meant(*found) is None)
    return program, reason or Finding(seed, number, small, difference)


def campaign(
    seed: int, numbers: Iterable[int], report: Callable[[Finding], None] = lambda finding: None, tries: int = 800
) -> Tally:
    """Programs of these numbers; `report` is called with the first finding of each kind."""
    tally = Tally()
    for number in numbers:
        program, found = try_program(seed, number, tries)
        tally.programs += 1
        tally.steps += sum(not step.is_leaf for step in program.steps)
        if isinstance(found, str):
            tally.meant[found] += 1
        elif found is not None:
            tally.times[found.key] += 1
            if found.key not in tally.findings:
                tally.findings[found.key] = found
                report(found)
    return tally
