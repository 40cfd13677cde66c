"""How time and memory grow with the size of the work; says where one grows faster than the work does.

    python benchmarks/growth.py [--only NAME] [--torch] [--seconds 0.3] [--largest 10000000] [--isa avx2]
                                [--markdown FILE] [--pictures FOLDER]

Each series (`growing.py`) runs in a process of its own, from its smallest size to its largest: the shortest step at
each size, and the most memory that the process held over the import. The table tells the slope of a line through the
upper half of both in logarithms: 1 is linear (of memory, what the smallest size takes is left out). Where a slope is
more than TOLERANCE over the power that the work has, a line at the end says so, and the exit status is 1. `--torch`
measures PyTorch too; `--pictures` writes growth-time.png and growth-memory.png.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from compare import environment, machine, readable
from growing import SERIES
from measure import load, peak_bytes
from processor import ISAS

TOLERANCE = 0.25  # caches grow full between the sizes: a step out of one looks like a power of its own
STEPS, LIMIT = 3, 10.0  # at least so many steps of a size; no larger size after a step of so many seconds
NOTICED = 2**22  # bytes over the smallest size: less is the allocator's own, and no growth
LIBRARIES = ("tinygrad_dl", "torch")

Point = tuple[int, float, float]  # size, seconds, bytes


def serve(library: str, name: str, seconds: float, largest: int) -> None:
    """Measures one series in this process, a line of JSON for each size."""
    lib = load(library)
    baseline = peak_bytes()
    for size in [size for size in SERIES[name].sizes if size <= largest]:
        step = SERIES[name].make(lib, size)
        step()
        times: list[float] = []
        while len(times) < STEPS or sum(times) < seconds:
            start, start_cpu = time.perf_counter(), time.process_time()
            step()
            wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
            times.append(min(wall, cpu))  # a long step that waits for another program's turn is not slower for it
            if sum(times) > LIMIT:
                break
        print(json.dumps((size, min(times), peak_bytes() - baseline)), flush=True)
        if min(times) > LIMIT:
            break


def measure(library: str, name: str, options: argparse.Namespace) -> list[Point]:
    """The points of a series, from a process of its own."""
    command = [sys.executable, __file__, "--serve", library, name]
    command += ["--seconds", str(options.seconds), "--largest", str(options.largest)]
    done = subprocess.run(command, env=environment(isa=options.isa), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name} on {library} failed:\n{done.stderr}")
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def slope(sizes: Any, values: Any, least: float = 0.0) -> float | None:
    """Of a line through the upper half (in logarithms of the size) of the values over `least`; None: too few."""
    sizes, values = np.asarray(sizes, float), np.asarray(values, float)
    upper = (sizes >= np.sqrt(sizes[0] * sizes[-1])) | (sizes.size < 4)
    upper &= values > least
    if upper.sum() < 2:
        return None
    return float(np.polyfit(np.log(sizes[upper]), np.log(values[upper]), 1)[0])


def slopes(points: list[Point]) -> tuple[float | None, float | None]:
    """Of the time and of the memory."""
    sizes, times, memory = zip(*points, strict=True)
    return slope(sizes, times), slope(sizes, np.subtract(memory, memory[0]), NOTICED)


def row(name: str, library: str, points: list[Point]) -> list[str]:
    """A row of the table."""
    (low, first, _), (high, last, most) = points[0], points[-1]
    fitted = ["" if each is None else f"{each:.2f}" for each in slopes(points)]
    times = f"{readable(first)} to {readable(last)}"
    series = SERIES[name]
    return [
        series.subject,
        name,
        library,
        f"{low:,} to {high:,}",
        times,
        f"{most / 2**20:.0f} MB",
        *fitted,
        f"{series.time:.0f}",
    ]


def faults(name: str, points: list[Point]) -> list[str]:
    """Where a series grows faster than its work."""
    limits = SERIES[name].time, SERIES[name].memory
    return [
        f"{name}: {what} grows with the power {found:.2f} of the {SERIES[name].subject}, expected {limit:.0f}"
        for what, found, limit in zip(("time", "memory"), slopes(points), limits, strict=True)
        if found is not None and found > limit + TOLERANCE
    ]


def draw(found: dict[tuple[str, str], list[Point]], folder: Path) -> None:
    """A picture of the times and one of the memory, a plot for each subject."""
    from tinygrad_dl import viz
    from tinygrad_dl.viz.plots.look import colour_of, line_of, marker_of, whole_ticks

    subjects = list(dict.fromkeys(SERIES[name].subject for name, _ in found))
    for place, what, unit in ((1, "time", "ms a step"), (2, "memory", "MB over the import")):
        scale = 1e3 if place == 1 else 2**-20
        rows = -(-len(subjects) // 2)
        figure, axes = viz.figure(rows, 2, size=(12.0, 3.3 * rows))
        for subject, ax in zip(subjects, np.ravel(axes), strict=False):
            names = [name for name in SERIES if SERIES[name].subject == subject]
            for name, library in [key for key in found if key[0] in names]:
                points, index, ours = found[name, library], names.index(name), library == LIBRARIES[0]
                shown = [(each[0], each[place] * scale) for each in points if place == 1 or each[2] > 2**16]
                ax.plot(
                    *zip(*shown, strict=True) if shown else ([], []),
                    color=colour_of(index),
                    linestyle=line_of(index) if ours else ":",
                    marker=marker_of(index),
                    markersize=3 if ours else 0,
                    linewidth=1.4 if ours else 0.9,
                    label=name if ours else "PyTorch" if name == names[-1] else None,
                )
            ax.set(xlabel=subject, ylabel=unit)
            viz.log_scale(ax, x=subject != "threads", y=True)
            if subject == "threads":
                whole_ticks(ax)
            viz.legend(ax)
        for ax in np.ravel(axes)[len(subjects) :]:
            ax.set_visible(False)
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(folder / f"growth-{what}.png")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="series whose name or subject contains this")
    parser.add_argument("--torch", action="store_true", help="measure PyTorch too")
    parser.add_argument("--seconds", type=float, default=0.3, help="how long each size is measured, at least")
    parser.add_argument("--largest", type=int, default=10**7, help="the largest size")
    parser.add_argument("--isa", choices=ISAS, default="native", help="the instructions to use")
    parser.add_argument("--markdown", type=Path, help="write the table to this file too")
    parser.add_argument("--pictures", type=Path, help="write the pictures to this folder")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(*options.serve, options.seconds, options.largest)
        return 0
    header = ["grows", "series", "library", "from, to", "a step", "most memory", "slope, time", "slope, memory", "work"]
    lines = [machine(options.isa), "", "| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    print("\n".join(lines), flush=True)
    found: dict[tuple[str, str], list[Point]] = {}
    for name in [name for name in SERIES if options.only in f"{name} {SERIES[name].subject}"]:
        for library in LIBRARIES if options.torch else LIBRARIES[:1]:
            found[name, library] = measure(library, name, options)
            lines.append("| " + " | ".join(row(name, library, found[name, library])) + " |")
            print(lines[-1], flush=True)
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n")
    if options.pictures:
        draw(found, options.pictures)
    wrong = [
        line for (name, library), points in found.items() if library == LIBRARIES[0] for line in faults(name, points)
    ]
    print("\n".join(["", *wrong]) if wrong else "\nNothing grows faster than its work.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
