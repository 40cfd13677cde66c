"""One side of compiled.py: a process that stays, so that compiling is paid once, and has its turns when it is asked.

Started with the name of a side and of a case, it prints a line of JSON about the first steps, and one for each number
of seconds that it reads: the time of a step and the memory held.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import jax_twins
from cases import CASES, Step
from measure import load, peak_bytes, timed

FIRST = 5  # steps whose losses are compared
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def made(side: str, case: str) -> Step:
    """The step of a case as a side runs it."""
    library, _, how = side.partition(", ")
    lib = load(library)
    if library == "jax":
        return jax_twins.TWINS[case](lib)
    step = CASES[case].case(lib)
    compiled: Step = lib.compile(step) if how == "compiled" else step
    return compiled


def start_over() -> None:
    """Forgets the peak of memory, where the system can (Linux)."""
    if RESET.exists():
        RESET.write_text("5")


def peak_since() -> int:
    """The most memory held since `start_over`."""
    if not RESET.exists():
        return peak_bytes()
    lines = (line.split() for line in STATUS.read_text().splitlines())
    return next(int(words[1]) * 1024 for words in lines if words[0] == "VmHWM:")


def first_steps(step: Step) -> dict[str, Any]:
    """The losses of the first steps, and when each of them was done, in seconds from the first call."""
    losses, done = [], []
    begin = time.perf_counter()
    for _ in range(FIRST):
        losses.append(float(step().item()))
        done.append(time.perf_counter() - begin)
    return {"losses": losses, "done": done}


def main(side: str, case: str) -> None:
    step = made(side, case)
    print(json.dumps({**first_steps(step), "peak": peak_bytes()}), flush=True)
    for line in sys.stdin:
        start_over()
        seconds = timed(step, float(line))
        print(json.dumps({"seconds": seconds, "peak": peak_since()}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
