"""One step of each program of `tests/programs` beside PyTorch: the same file, in turn, each in a process of its own.

    python benchmarks/programs.py [--rounds 3] [--seconds 4] [--only NAME] [--before FOLDER] [--markdown FILE]

A step is what lies between two printed losses: data, forward, backward and update. The table tells its median over the
rounds, the ratio of the medians (under 1: tinygrad_dl is faster; at most 1.5 is the budget) and the ratio of the sums.
With `--before`, another checkout of this repository takes its turns too. Needs torch and einops.
"""

from __future__ import annotations

import argparse
import builtins
import json
import runpy
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from compare import HERE, environment, machine, readable

PROGRAMS = HERE.parent / "tests" / "programs"
WARM = 3  # steps before the clock counts
BUDGET = 1.5


class TimeIsUp(BaseException):
    """Leaves a program: not an Exception, which a program may catch."""


def watch(program: str, seconds: float) -> list[float]:
    """Runs a program in this process for a time and gives how long each of its steps took."""
    stamps: list[float] = []
    printed = builtins.print

    def stamp(*values: Any, **options: Any) -> None:
        if str(values[0]).startswith("step"):
            stamps.append(time.perf_counter())
            if len(stamps) > WARM + 3 and stamps[-1] - stamps[WARM] > seconds:
                raise TimeIsUp

    builtins.print = stamp
    sys.argv = [program, "--steps", "1000000"]
    try:
        runpy.run_path(str(PROGRAMS / f"{program}.py"), run_name="__main__")
    except TimeIsUp:
        pass
    finally:
        builtins.print = printed
    return [later - earlier for earlier, later in zip(stamps[WARM:], stamps[WARM + 1 :], strict=False)]


def measure(program: str, ours: bool, folder: Path, seconds: float) -> float:
    """The median step of a program in a process of its own."""
    command = [sys.executable, *(["-m", "tinygrad_dl.torch"] if ours else []), __file__, "--watch", program]
    done = subprocess.run(
        [*command, "--seconds", str(seconds)], env=environment(folder), capture_output=True, text=True, cwd=HERE
    )
    if done.returncode:
        raise SystemExit(f"{program} failed:\n{done.stderr}")
    return statistics.median(json.loads(done.stdout))


def compare(program: str, rounds: int, seconds: float, before: Path | None) -> dict[str, float]:
    """The median of each side, which take their turns."""
    sides = {"ours": (True, HERE.parent), "theirs": (False, HERE.parent)}
    if before:
        sides["before"] = (True, before)
    found: dict[str, list[float]] = {side: [] for side in sides}
    for turn in range(rounds):
        for side in sides if turn % 2 == 0 else reversed(sides):
            found[side].append(measure(program, *sides[side], seconds))
    return {side: statistics.median(times) for side, times in found.items()}


def row(name: str, times: dict[str, float], budget: float) -> str:
    """A row of the table."""
    ratio = times["ours"] / times["theirs"]
    earlier = times.get("before")
    cells = [
        name,
        *([readable(earlier), f"{100 * (times['ours'] / earlier - 1):+.0f} %"] if earlier else []),
        readable(times["ours"]),
        readable(times["theirs"]),
        f"{ratio:.2f}",
        f"{budget:.2f}" + ("" if ratio <= budget else " (missed)"),
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each library has its turn")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each turn takes")
    parser.add_argument("--only", default="", help="programs whose name contains this")
    parser.add_argument("--before", type=Path, help="another checkout, which takes its turns too")
    parser.add_argument("--markdown", type=Path, help="write the table to this file too")
    parser.add_argument("--watch", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.watch:
        print(json.dumps(watch(options.watch, options.seconds)))
        return
    earlier = ["before", "change"] if options.before else []
    header = ["program", *earlier, "tinygrad_dl", "PyTorch", "ratio", "budget"]
    lines = [machine(), "", "| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    print("\n".join(lines), flush=True)
    total: dict[str, float] = {}
    for program in sorted(path.stem for path in PROGRAMS.glob("*.py") if path.stem != "launch"):
        if options.only in program:
            times = compare(program, options.rounds, options.seconds, options.before)
            total = {side: total.get(side, 0.0) + taken for side, taken in times.items()}
            lines.append(row(program, times, BUDGET))
            print(lines[-1], flush=True)
    lines.append(row("sum", total, 1.0))
    print(lines[-1])
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
