"""`td.compile` beside the compilers of JAX and PyTorch on this machine's CPU: the same training steps, in turn.

    python benchmarks/compiled.py [--isa avx2] [--rounds 5] [--seconds 1.0] [--only NAME] [--sides NAMES]
                                  [--limit 60] [--jax FOLDER] [--markdown FILE]

Sides: tinygrad_dl as it is and compiled, PyTorch as it is and by `torch.compile` (which needs a C++ compiler), and
`jax.jit` doing the same work: jax_twins.py has the same formulas, optimisers and weights. Each side has a process of
its own, which stays: it compiles once and then has its turns. The losses of the first steps must agree. Prints

- the time of a step (median over the rounds) and its ratio to the other sides', with the goal for it (met or missed);
- the time until ready: from the first call until the end of the first that runs what was compiled; a side that is not
  ready within `--limit` seconds is ended, and the table says so;
- the most memory held during a turn, once compiled, and over the whole life of the process.

Needs what it compares with, which the package itself never does: `pip install torch jax`. `--jax` names a folder into
which JAX was installed with `pip install --target`, and which no other side sees.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import select
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from compare import HERE, environment, heads, machine, readable
from jax_twins import TWINS
from resident import FIRST

EAGER, COMPILED, TORCH, INDUCTOR, JAX = SIDES = (
    "tinygrad_dl",
    "tinygrad_dl, compiled",
    "torch",
    "torch, compiled",
    "jax",
)
HEADS = {EAGER: "eager", COMPILED: "td.compile", TORCH: "PyTorch", INDUCTOR: "torch.compile", JAX: "JAX jit"}
CALLS = 3  # of a step of td.compile until one runs the program: the first is eager, the second is recorded
AGREEMENT, TINY = 1e-4, 1e-5  # of the losses: as a share, and for sums that nearly cancel


class Goals(NamedTuple):
    """The most that a compiled step may take, as shares of other sides' time, in seconds, and of eager's memory."""

    jax: float | None = None
    torch: float | None = None
    ready: float | None = None
    memory: float | None = None


GOALS = {
    "chain of 3,000 small ops": Goals(torch=0.12),
    "MLP 64-128-10": Goals(jax=0.8, torch=0.22, ready=1.0),
    "MLP 784-512-512-10": Goals(jax=0.95),
    "MLP 1024-2048-2048-10": Goals(jax=0.95),
    "gradient penalty": Goals(jax=0.8, torch=0.22),
    "LeNet": Goals(jax=0.5, torch=0.9),
    "GPT, 4 layers of 128": Goals(jax=0.55, torch=0.9, ready=2.0, memory=0.5),
}


class Side:
    """A process that runs one case as one side does: it makes the first steps at once, and then has its turns."""

    def __init__(self, side: str, case: str, options: argparse.Namespace):
        self.side, self.why = side, ""
        self.first: dict[str, Any] = {}
        self.turns: list[dict[str, Any]] = []
        self.folder = tempfile.TemporaryDirectory()
        cache = self.folder.name  # torch.compile would find what an earlier run compiled
        env = {**environment(isa=options.isa), "TORCHINDUCTOR_CACHE_DIR": cache}
        if side == JAX and options.jax:
            env["PYTHONPATH"] += os.pathsep + str(options.jax)
        self.errors = Path(cache, "errors")
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / "resident.py"), side, case],
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # so that it ends with the processes that it started
            )
        self.first = self.answer(options.limit)

    def answer(self, limit: float | None = None) -> dict[str, Any]:
        """The next line of the process; none if it failed or took longer than the limit."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], limit)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.why = self.reason() if ready else f"not ready within {limit:.0f} s"
            self.end()
            return {}
        found: dict[str, Any] = json.loads(line)
        return found

    def reason(self) -> str:
        """The error of a failed process, from the last traceback that it wrote."""
        self.process.wait()
        lines = [line.strip() for line in self.errors.read_text().splitlines() if line.strip()]
        named = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Unsupported)\b", line)]
        return (named or lines or ["it wrote nothing"])[-1]

    def turn(self, seconds: float) -> None:
        """Lets the process measure for some seconds."""
        if self.why:
            return
        assert self.process.stdin is not None
        print(seconds, file=self.process.stdin, flush=True)
        if found := self.answer():
            self.turns.append(found)

    def end(self) -> None:
        """Ends the process and those that it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()
        self.folder.cleanup()

    def seconds(self) -> float | None:
        """The time of a step."""
        return statistics.median(turn["seconds"] for turn in self.turns) if self.turns else None

    def ready(self) -> float | None:
        """The time until the first step that ran what was compiled had ended."""
        usual = self.seconds()
        if usual is None:
            return None
        done = self.first["done"]
        if self.side == COMPILED:
            return float(done[CALLS - 1])
        took = [end - start for start, end in zip([0.0, *done], done, strict=False)]
        slow = [i for i, each in enumerate(took) if each > 10 * usual + 0.05]
        return float(done[slow[-1] if slow else 0])

    def memory(self) -> tuple[float, float] | None:
        """The most memory held during a turn, and since the process began, in MB."""
        peaks = [turn["peak"] / 2**20 for turn in self.turns]
        return (statistics.median(peaks), max(self.first["peak"] / 2**20, *peaks)) if peaks else None


def check_losses(case: str, sides: Sequence[Side]) -> None:
    """All sides must have computed the same: the losses of the first steps tell the gradients and updates too."""
    found = {each.side: each.first["losses"] for each in sides if each.first}
    expected = found.get(EAGER) or next(iter(found.values()), [])
    for side, losses in found.items():
        if any(abs(a - b) > AGREEMENT * abs(b) + TINY for a, b in zip(losses, expected, strict=True)):
            raise SystemExit(
                f"{case}: the losses of the first {FIRST} steps differ: {losses} by {side}, not {expected}"
            )


def share(mine: float | None, other: float | None, goal: float | None) -> str:
    """A ratio, and whether it keeps the goal."""
    if mine is None or other is None:
        return f"(goal {goal})" if goal else ""
    return f"{mine / other:.2f}{judged(mine / other, goal)}"


def judged(value: float, goal: float | None) -> str:
    """The goal, and whether it is kept."""
    return "" if goal is None else f" (goal {goal:g}: {'met' if round(value, 2) <= goal else 'missed'})"


def row(case: str, options: argparse.Namespace) -> tuple[list[str], list[str]]:
    """A row of the table, and why sides are missing from it."""
    sides = {side: Side(side, case, options) for side in options.sides if side == JAX or case in GOALS}
    try:
        check_losses(case, list(sides.values()))
        for number in range(options.rounds):
            for side in sides.values() if number % 2 == 0 else reversed(sides.values()):
                side.turn(options.seconds)
        times = {side: sides[side].seconds() if side in sides else None for side in SIDES}
        ready = {side: sides[side].ready() if side in sides else None for side in (COMPILED, INDUCTOR, JAX)}
        memory = {side: sides[side].memory() if side in sides else None for side in SIDES}
    finally:
        for each in sides.values():
            each.end()
    goals, mine = GOALS.get(case, Goals()), times[COMPILED]
    first = ready[COMPILED]
    turns = {side: found[0] if found else None for side, found in memory.items()}
    cells = [
        case,
        *(readable(seconds) if seconds else "" for seconds in times.values()),
        share(mine, times[EAGER], None),
        share(mine, times[JAX], goals.jax),
        share(mine, times[TORCH], goals.torch),
        share(mine, times[INDUCTOR], None),
        " / ".join(f"{each:.2f} s" if each else "-" for each in ready.values())
        + (judged(first, goals.ready) if first else ""),
        " / ".join(f"{each[0]:.0f} ({each[1]:.0f})" if each else "-" for each in memory.values()) + " MB",
        share(turns[COMPILED], turns[EAGER], goals.memory),
    ]
    return cells, [f"{case}, {HEADS[each.side]}: {each.why}" for each in sides.values() if each.why]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--isa", choices=("native", "avx2"), default="native", help="the instructions to use")
    parser.add_argument("--rounds", type=int, default=5, help="how often each side has its turn")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each turn takes")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--sides", default=SIDES, type=lambda s: s.split(";"), help=f"some of: {'; '.join(SIDES)}")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds until a side must have made its first steps")
    parser.add_argument("--jax", type=Path, help="the folder into which JAX was installed")
    parser.add_argument("--markdown", type=Path, help="write the table to this file too")
    options = parser.parse_args()
    if wrong := [side for side in options.sides if side not in SIDES]:
        parser.error(f"got --sides {'; '.join(wrong)}, expected some of {'; '.join(SIDES)}")
    ours = HEADS[COMPILED]
    header = ["case", *HEADS.values(), *(f"{ours} / {HEADS[side]}" for side in (EAGER, JAX, TORCH, INDUCTOR))]
    header += [f"ready: {', '.join(HEADS[side] for side in (COMPILED, INDUCTOR, JAX))}"]
    header += [f"memory in a turn (peak): {', '.join(HEADS.values())}", f"memory, {ours} / eager"]
    lines = [machine(options.isa), "", *heads(options.isa), ""]
    lines += ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    print("\n".join(lines), flush=True)
    notes: list[str] = []
    for case in TWINS:
        if options.only in case:
            cells, more = row(case, options)
            lines.append("| " + " | ".join(cells) + " |")
            print(lines[-1], flush=True)
            notes += more
    lines += ["", *(f"- {note}" for note in notes)]
    print("\n".join(lines[-len(notes) - 1 :]))
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
