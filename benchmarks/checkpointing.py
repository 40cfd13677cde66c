"""What checkpointing saves and what it costs: peak memory and time of a training step of a deep MLP.

    python benchmarks/checkpointing.py [LAYERS] [WIDTH] [BATCH]

Memory is what `tracemalloc` counts, without the parameters and their gradients; time is the best of several steps,
measured without it.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.utils.checkpoint import checkpoint_sequential

STEPS = 5


def mlp(layers: int, width: int) -> nn.Sequential:
    """Linear layers with tanh between them."""
    return nn.Sequential(*[step for _ in range(layers) for step in (nn.Linear(width, width), nn.Tanh())])


def peak(step: Callable[[], Any]) -> int:
    """The most bytes that were allocated at once during a step, beyond what there was before."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    step()
    highest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return highest - before


def best(step: Callable[[], Any]) -> float:
    """The shortest time of a step."""
    times = []
    for _ in range(STEPS):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return min(times)


def main(layers: int = 48, width: int = 256, batch: int = 2048) -> None:
    """Prints a table: without checkpoints, and with several numbers of segments."""
    td.manual_seed(0)
    model, x = mlp(layers, width), td.randn(batch, width, requires_grad=True)
    model(x).sum().backward()  # the gradients are there before anything is measured

    def plain() -> None:
        model(x).square().mean().backward()

    def with_segments(segments: int) -> Callable[[], None]:
        def step() -> None:
            checkpoint_sequential(model, segments, x, use_reentrant=False).square().mean().backward()

        return step

    print(f"{layers} layers of {width}, batch {batch}")
    print("| segments | peak MiB | ms a step |\n|---|---|---|")
    for name, step in [("none", plain), *((str(n), with_segments(n)) for n in (4, 7, 12, 24, layers))]:
        step()
        print(f"| {name} | {peak(step) / 2**20:.0f} | {best(step) * 1e3:.0f} |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
