"""Measures one case on one library, in a process of its own; prints a line of JSON. Called by compare.py."""

from __future__ import annotations

import importlib
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def timed(step: Callable[[], Any], seconds: float, of: Callable[[list[float]], float] = statistics.median) -> float:
    """The time of a step: runs it for about `seconds`, in blocks, and takes the median over them, or what `of` says."""
    once = first = 0.0
    for turn in range(4):  # the last one counts; of a long step the second one does
        start = time.perf_counter()
        step()
        once = time.perf_counter() - start
        first = first or once
        if turn and first > seconds:
            break
    block = max(1, int(seconds / 20 / once))
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        for _ in range(block):
            step()
        times.append((time.perf_counter() - start) / block)
    return of(times)


def load(library: str) -> Any:
    """The library, imported, with its optimisers."""
    lib = importlib.import_module(library)
    if library == "torch":
        importlib.import_module("torch.optim")
    return lib


def main(library: str, name: str, seconds: float) -> dict[str, Any]:
    """The time of a step and the memory that it takes."""
    begin = time.perf_counter()
    lib = load(library)
    import processor
    from cases import CASES  # after the import that is measured

    step = CASES[name].case(lib)
    baseline = peak_bytes()
    loss = step()
    first = time.perf_counter() - begin
    result: dict[str, Any] = {"seconds": first, "losses": [loss.item()]}
    if not name.startswith("import"):
        result["losses"].append(step().item())  # that of the second step tells the gradients too
        result["seconds"] = timed(step, seconds)
    result.update(peak=peak_bytes(), over_import=peak_bytes() - baseline)
    return {**result, "parts": processor.in_effect(library)}  # last, so that asking costs nothing that is measured


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], float(sys.argv[3]))))
