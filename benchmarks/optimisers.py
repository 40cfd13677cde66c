"""Steps of optimisers beside PyTorch's on this machine's CPU, for the parameters of three models, in turn.

    python benchmarks/optimisers.py [--rounds 5] [--seconds 0.2] [--only NAME]

Prints versions and the BLAS's kernel, and a table of the shortest time of a step over the rounds, and of its ratio to
PyTorch's `fused=True`, where there is that: one pass over the memory (under 1: tinygrad_dl is faster). Both libraries
run in this one process, with all cores, one after the other. Gradients are there before, and stay. Needs torch.
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
from compare import machine, readable

sys.path.insert(0, str(Path(__file__).parent.parent))

import tinygrad_dl

Shape = tuple[int, ...]


def gpt(layers: int, width: int, context: int, characters: int) -> list[Shape]:
    """The shapes of a GPT's parameters: embeddings, and in each layer two norms, attention and two linear layers."""
    linears = [(3 * width, width), (width, width), (4 * width, width), (width, 4 * width)]
    each: list[Shape] = [(width,)] * 4 + [shape for linear in linears for shape in (linear, linear[:1])]
    return [(characters, width), (context, width), *each * layers, (width,), (width,)]


MODELS: dict[str, list[Shape]] = {
    "MLP 64-128-10": [(128, 64), (128,), (10, 128), (10,)],
    "GPT, 4 layers of 64": gpt(4, 64, 64, 64),
    "GPT, 6 layers of 384": gpt(6, 384, 256, 65),
}
OPTIMISERS: dict[str, tuple[str, dict[str, Any]]] = {
    "AdamW": ("AdamW", {}),
    "Adam": ("Adam", {}),
    "Adam, amsgrad": ("Adam", {"amsgrad": True}),
    "SGD": ("SGD", {}),
    "SGD, momentum": ("SGD", {"momentum": 0.9}),
    "RMSprop": ("RMSprop", {}),
}
FUSED = ("AdamW", "Adam", "SGD")


def step_of(lib: Any, name: str, shapes: list[Shape], options: dict[str, Any]) -> Callable[[], Any]:
    """A step of a new optimiser of new parameters."""
    rng = np.random.default_rng(0)
    params = [lib.nn.Parameter(lib.tensor(rng.standard_normal(shape, dtype=np.float32))) for shape in shapes]
    for p in params:
        p.grad = lib.from_numpy(rng.standard_normal(tuple(p.shape), dtype=np.float32))
    step: Callable[[], Any] = getattr(lib.optim, name)(params, lr=1e-6, **options).step
    return step


def shortest(step: Callable[[], Any], seconds: float) -> float:
    """The shortest time of one step within so many seconds."""
    step()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        step()
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each has its turn")
    parser.add_argument("--seconds", type=float, default=0.2, help="how long each turn takes")
    parser.add_argument("--only", default="", help="rows that contain this")
    options = parser.parse_args()
    print(
        f"{machine()}\n\n| optimiser | parameters of | tinygrad_dl | PyTorch, foreach | fused | ratio |\n|{'---|' * 6}"
    )
    for model, shapes in MODELS.items():
        count = sum(int(np.prod(shape)) for shape in shapes)
        where = f"{model}: {count:,} in {len(shapes)}"
        for title, (name, given) in OPTIMISERS.items():
            if options.only not in f"{title} {model}":
                continue
            ways = {"ours": step_of(tinygrad_dl, name, shapes, given)}
            for way in ("foreach", "fused")[: 1 + (name in FUSED)]:
                ways[way] = step_of(torch, name, shapes, {**given, way: True})
            best = dict.fromkeys(ways, float("inf"))
            for _ in range(options.rounds):
                for way, step in ways.items():
                    best[way] = min(best[way], shortest(step, options.seconds))
            cells = [readable(best[way]) if way in best else "" for way in ("ours", "foreach", "fused")]
            ratio = best["ours"] / best.get("fused", best["foreach"])
            print(f"| {title} | {where} | {' | '.join(cells)} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
