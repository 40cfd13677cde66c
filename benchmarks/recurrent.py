"""Recurrent layers beside PyTorch's on this machine's CPU: forward alone, and forward with backward, in turn.

    python benchmarks/recurrent.py [--rounds 5] [--seconds 0.3] [--only NAME]

Prints a table of the shortest time of each over the rounds, and their ratio (under 1: tinygrad_dl is faster). Both
libraries run in this one process, with all cores, one after the other. Needs torch.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

import tinygrad_dl

# (batch, steps, features in, hidden units)
SHAPES = [(32, 50, 128, 128), (64, 28, 28, 64), (1, 100, 64, 64), (16, 20, 256, 256)]
KINDS = ("RNN", "LSTM", "GRU")


def runs(lib: Any, kind: str, shape: tuple[int, int, int, int]) -> dict[str, Callable[[], Any]]:
    """What is measured of one library."""
    batch, steps, features, hidden = shape
    x = lib.from_numpy(np.random.default_rng(0).standard_normal((batch, steps, features), dtype=np.float32))
    layer = getattr(lib.nn, kind)(features, hidden, batch_first=True)

    def training() -> None:
        layer.zero_grad()
        layer(x)[0][:, -1].sum().backward()

    def inference() -> None:
        with lib.no_grad():
            layer(x)

    return {"inference": inference, "training": training}


def shortest(run: Callable[[], Any], seconds: float) -> float:
    """The shortest time of one run within so many seconds."""
    run()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each library has its turn")
    parser.add_argument("--seconds", type=float, default=0.3, help="how long each turn takes")
    parser.add_argument("--only", default="", help="layers whose name contains this")
    options = parser.parse_args()
    print("| layer | batch x steps x in, hidden | what | tinygrad_dl | PyTorch | ratio |\n|---|---|---|---|---|---|")
    for kind in [each for each in KINDS if options.only in each]:
        for shape in SHAPES:
            mine, other = runs(tinygrad_dl, kind, shape), runs(torch, kind, shape)
            for what in mine:
                times = [
                    (shortest(mine[what], options.seconds), shortest(other[what], options.seconds))
                    for _ in range(options.rounds)
                ]
                ours, theirs = (min(column) * 1e3 for column in zip(*times, strict=True))
                sizes = f"{shape[0]}x{shape[1]}x{shape[2]}, {shape[3]}"
                print(
                    f"| {kind} | {sizes} | {what} | {ours:.2f} ms | {theirs:.2f} ms | {ours / theirs:.2f} |", flush=True
                )


if __name__ == "__main__":
    main()
