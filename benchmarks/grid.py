"""The ratio to PyTorch's time of convolutions over a grid of shapes, and what each rule of the choice loses.

    python benchmarks/grid.py --results FOLDER/grid.jsonl [--seconds 60] [--ways] [--rounds 5]
    python benchmarks/grid.py --results FOLDER/grid.jsonl --print

A run measures what is not among the results yet, for so many seconds, in an order that is mixed but always the same: it
is run again until it says that all is measured. With `--ways` it measures every way of computing each convolution too.
`--print` makes the tables of docs/performance.md from the results: ratios by kernel, stride and channels, the shapes
that are slower than PyTorch by more than LIMIT, and, where the ways were measured, what the choice loses to the best
way, by the way that it takes.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import convolution
import numpy as np
from convolution import Shape, conv_size

LIMIT = 1.5
CHANNELS = [(1, 8), (1, 32), (3, 16), (3, 64), (8, 8), (16, 16), (32, 32), (64, 64), (128, 128), (256, 256), (512, 512)]
CHANNELS += [(16, 32), (32, 16), (64, 128), (128, 64), (256, 512)]
SIZES, BATCHES, KERNELS, STRIDES, GROUPS = (4, 8, 16, 32, 64, 128), (1, 8, 64), (1, 3, 5, 7), (1, 2), (1, 4, 32)
LEAST, MOST = 2**24, 2**27  # multiplications: smaller ones cost the calls alone, larger ones take long
FITTING = ("columns", "joined", "lines", "rows 1", "rows 2", "Winograd", "phases", "turned")
SPIN = 0.01  # seconds: PyTorch's threads wait in a loop, and would disturb what comes next


def shapes() -> Iterator[Shape]:
    """All of the grid, in an order in which any beginning is a sample of the whole."""
    every = []
    for (c, o), size, n, k, s, groups in itertools.product(CHANNELS, SIZES, BATCHES, KERNELS, STRIDES, GROUPS):
        if size < k or (groups > 1 and (c != o or c // groups < 2 or k != 3)):
            continue
        shape = Shape("", (n, c, size, size), (o, c // groups, k, k), s, k // 2, groups)
        if LEAST <= work(shape) <= MOST:
            every.append(shape._replace(name=name(shape)))
    for i in np.random.default_rng(0).permutation(len(every)):
        yield every[i]


def work(shape: Shape) -> int:
    """Multiplications that the definition needs."""
    out = conv_size(shape.input[2:], shape.weight[2:], (shape.stride,) * 2, ((shape.padding,) * 2,) * 2, (1, 1))
    return shape.input[0] * math.prod(shape.weight) * math.prod(out)


def name(shape: Shape) -> str:
    """Batch x channels x size, kernel, stride and groups."""
    n, c, size, _ = shape.input
    groups = f" in {shape.groups} groups" if shape.groups > 1 else ""
    return f"{n}x{c}x{size}x{size} to {shape.weight[0]}, {shape.weight[2]}x{shape.weight[2]} by {shape.stride}{groups}"


def measure(shape: Shape, every_way: bool, rounds: int) -> dict[str, dict[str, float]]:
    """kind -> way -> seconds, the best of the rounds."""
    found = {}
    for kind, calls in convolution.ways(shape).items():
        theirs = {"PyTorch": calls.pop("PyTorch")}
        calls = {key: call for key, call in calls.items() if key == "chosen" or (every_way and key in FITTING)}
        for call in calls.values():
            call()
        times = convolution.best(calls, rounds, 0.0)
        times |= convolution.best(theirs, rounds, 0.0)
        time.sleep(SPIN)
        found[kind] = times
    return found


def run(path: Path, seconds: float, every_way: bool, rounds: int) -> None:
    """Measures, and adds a line for each shape to the results."""
    seen = {row["name"] for row in read(path)}
    end = time.perf_counter() + seconds
    left = [shape for shape in shapes() if shape.name not in seen]
    with path.open("a") as file:
        for i, shape in enumerate(left):
            if time.perf_counter() > end:
                print(f"{len(left) - i} of {len(seen) + len(left)} shapes are left")
                return
            row = {"name": shape.name, "shape": shape[1:], "times": measure(shape, every_way, rounds)}
            file.write(json.dumps(row) + "\n")
            file.flush()
    print("all is measured")


def read(path: Path) -> list[Any]:
    """The lines of the results."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def print_tables(rows: list[Any]) -> None:
    """Ratios by kind of convolution, the slow ones, and the losses of the choice."""
    ratios: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    losses: dict[tuple[str, str], list[float]] = defaultdict(list)
    slow = []
    for row in rows:
        (_, c, *_), (o, *_, k), stride, _, groups = row["shape"]
        least = min(c, o) // groups
        band = "groups" if groups > 1 else next(f"to {top}" for top in (4, 16, 64, 512) if least <= top)
        for kind, times in row["times"].items():
            ratio = times["chosen"] / times["PyTorch"]
            ratios[f"{k}x{k} by {stride}", band, kind].append(ratio)
            if ratio > LIMIT:
                slow.append((ratio, row["name"], kind, times))
            others = {key: value for key, value in times.items() if key in FITTING}
            if len(others) > 1:
                fastest = min(others, key=others.__getitem__)
                losses[kind, fastest].append(math.log(times["chosen"] / others[fastest]))
    bands = [*(f"to {top}" for top in (4, 16, 64, 512)), "groups"]
    print(f"| kernel | of | {' | '.join(f'channels {band}'.replace('channels g', 'g') for band in bands)} |")
    print(f"|{'---|' * (len(bands) + 2)}")
    for kernel in sorted({key[0] for key in ratios}):
        for kind in ("result", "input's", "weight's"):
            cells = []
            for band in bands:
                found = ratios.get((kernel, band, kind))
                cells.append(f"{geometric(found):.2f} (to {max(found):.2f}; {len(found)})" if found else "")
            print(f"| {kernel} | {kind} | {' | '.join(cells)} |")
    every = [ratio for each in ratios.values() for ratio in each]
    print(f"\n{len(every)} ratios, {geometric(every):.2f} in the mean; over {LIMIT}: {len(slow)}")
    for ratio, shape, kind, times in sorted(slow, reverse=True, key=lambda each: each[0]):
        print(
            f"- {shape}, {kind}: {ratio:.2f}  " + ", ".join(f"{key} {value * 1e3:.2f}" for key, value in times.items())
        )
    for (kind, way), each in sorted(losses.items()):
        print(f"{kind}, best by {way}: {len(each)} shapes, the choice takes {math.exp(np.mean(each)):.2f} of its time")


def geometric(values: list[float]) -> float:
    """The geometric mean."""
    return math.exp(sum(map(math.log, values)) / len(values))


def main() -> None:
    """Measures or prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--ways", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--print", action="store_true", dest="prints")
    arguments = parser.parse_args()
    if arguments.threads:
        convolution.set_num_threads(arguments.threads)
        importlib.import_module("torch").set_num_threads(arguments.threads)
    if arguments.prints:
        print_tables(read(arguments.results))
    else:
        run(arguments.results, arguments.seconds, arguments.ways, arguments.rounds)


if __name__ == "__main__":
    main()
