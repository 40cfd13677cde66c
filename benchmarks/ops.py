"""Single operations beside PyTorch's on this machine's CPU: forward, and forward with backward.

    python benchmarks/ops.py [--rounds 5] [--seconds 0.1] [--only NAME]

Two processes, one for each library, take turns. Prints the time of a call for each operation and shape, the best
of the rounds (in the others the machine was busier), and the ratio: under 1, tinygrad_dl is faster. For optimisers
a call is a step, and there is nothing behind it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from cases import Step, data, labels
from compare import environment, machine, readable
from measure import load, timed

LIBRARIES = ("tinygrad_dl", "torch")
Make = Callable[[Any], Any]  # from the library, an argument


def real(*shape: int) -> Make:
    """A float32 tensor that requires a gradient."""
    return lambda lib: data(lib, *shape).requires_grad_()


def fixed(*shape: int) -> Make:
    """A float32 tensor that does not."""
    return lambda lib: data(lib, *shape)


def below(high: int, *shape: int) -> Make:
    """Integers from 0 to high - 1."""
    return lambda lib: labels(lib, int(np.prod(shape)), high).reshape(shape)


def mask(*shape: int) -> Make:
    """Booleans, half of them true."""
    return lambda lib: data(lib, *shape) > 0


class Call:
    """A function of the library and of arguments, which are made anew in each process."""

    def __init__(self, function: Callable[..., Any], *arguments: Make):
        self.function, self.arguments = function, arguments

    def steps(self, lib: Any) -> dict[str, Step]:
        """The call alone, and with the backward pass."""
        arguments = [make(lib) for make in self.arguments]
        leaves = [a for a in arguments if a.requires_grad]
        out = self.function(lib, *arguments)
        seed = lib.ones(tuple(out.shape))

        def forward() -> Any:
            return self.function(lib, *arguments)

        def both() -> None:
            for leaf in leaves:
                leaf.grad = None
            self.function(lib, *arguments).backward(seed)

        return {"forward": forward, "both": both}


class Update:
    """A step of an optimiser over parameters of these shapes."""

    def __init__(self, name: str, *shapes: Sequence[int], **options: Any):
        self.name, self.shapes, self.options = name, shapes, options

    def steps(self, lib: Any) -> dict[str, Step]:
        parameters = [data(lib, *shape).requires_grad_() for shape in self.shapes]
        for parameter in parameters:
            parameter.grad = data(lib, *parameter.shape)
        return {"forward": getattr(lib.optim, self.name)(parameters, **self.options).step}


def functional(name: str, **options: Any) -> Callable[..., Any]:
    return lambda lib, *arguments: getattr(lib.nn.functional, name)(*arguments, **options)


def method(name: str, *more: Any) -> Callable[..., Any]:
    return lambda lib, x, *arguments: getattr(x, name)(*more, *arguments)


def over(function: Callable[..., Any], *shapes: Sequence[int]) -> dict[str, Call | Update]:
    """An operation on one tensor, in several shapes."""
    return {"x".join(map(str, shape)): Call(function, real(*shape)) for shape in shapes}


def layer_norm(lib: Any, x: Any, weight: Any, bias: Any) -> Any:
    return lib.nn.functional.layer_norm(x, weight.shape, weight, bias)


def batch_norm(lib: Any, x: Any, weight: Any, bias: Any) -> Any:
    return lib.nn.functional.batch_norm(x, None, None, weight, bias, True)


def embedding(lib: Any, weight: Any, index: Any) -> Any:
    return lib.nn.functional.embedding(index, weight)


def joined(name: str) -> Callable[..., Any]:
    return lambda lib, *tensors: getattr(lib, name)(list(tensors), 1)


SMALL, MIDDLE, WIDE = (64, 10), (64, 256), (512, 1024)
ROWS = ((32, 64), MIDDLE, (1024, 128), (512, 1024))
MANY = [(256, 64), (256,), (10, 256), (10,)]
OPS: dict[str, dict[str, Call | Update]] = {
    "layer_norm": {f"{n}x{c}": Call(layer_norm, real(n, c), real(c), real(c)) for n, c in ROWS},
    "batch_norm": {
        **{f"{n}x{c}": Call(batch_norm, real(n, c), real(c), real(c)) for n, c in (MIDDLE, (1024, 128))},
        "32x16x28x28": Call(batch_norm, real(32, 16, 28, 28), real(16), real(16)),
    },
    "cross_entropy": {
        f"{n}x{c}": Call(functional("cross_entropy"), real(n, c), below(c, n))
        for n, c in (SMALL, (1024, 10), (1024, 65), (256, 1000))
    },
    "softmax": over(method("softmax", -1), SMALL, WIDE, (1024, 65), (8, 4, 64, 64)),
    "log_softmax": over(method("log_softmax", -1), SMALL, WIDE, (1024, 65)),
    "logsumexp": over(method("logsumexp", -1), SMALL, WIDE),
    "clamp": over(method("clamp", -1.0, 1.0), SMALL, WIDE),
    "relu": over(method("relu"), SMALL, WIDE),
    "gelu": over(functional("gelu"), SMALL, MIDDLE, WIDE),
    "gelu tanh": over(functional("gelu", approximate="tanh"), SMALL, WIDE),
    "silu": over(functional("silu"), SMALL, MIDDLE, WIDE),
    "sigmoid": over(method("sigmoid"), SMALL, WIDE),
    "tanh": over(method("tanh"), SMALL, WIDE),
    "sum": over(method("sum", -1), SMALL, WIDE, (1024, 65)),
    "mean": over(method("mean", -1), SMALL, WIDE),
    "sum of all": over(method("sum"), SMALL, WIDE),
    "max": over(lambda lib, x: x.amax(-1), SMALL, WIDE),
    "cumsum": over(method("cumsum", -1), SMALL, WIDE),
    "embedding": {
        "1000x64, 256": Call(embedding, real(1000, 64), below(1000, 256)),
        "65x128, 16x64": Call(embedding, real(65, 128), below(65, 16, 64)),
        "10000x64, 32x128": Call(embedding, real(10000, 64), below(10000, 32, 128)),
    },
    "cat": {f"{n}x{c}": Call(joined("cat"), real(n, c), real(n, c)) for n, c in (SMALL, WIDE)},
    "stack": {f"{n}x{c}": Call(joined("stack"), real(n, c), real(n, c)) for n, c in (SMALL, WIDE)},
    "masked_fill": {
        f"{n}x{c}": Call(lambda lib, x, m: x.masked_fill(m, 0.0), real(n, c), mask(n, c)) for n, c in (SMALL, WIDE)
    },
    "where": {
        f"{n}x{c}": Call(lambda lib, x, y, m: lib.where(m, x, y), real(n, c), real(n, c), mask(n, c))
        for n, c in (SMALL, WIDE)
    },
    "gather": {f"{n}x{c}": Call(method("gather", 1), real(n, c), below(c, n, 4)) for n, c in (SMALL, WIDE)},
    "mul": {f"{n}x{c}": Call(lambda lib, x, y: x * y, real(n, c), real(n, c)) for n, c in (SMALL, WIDE)},
    "mse_loss": {f"{n}x{c}": Call(functional("mse_loss"), real(n, c), fixed(n, c)) for n, c in (SMALL, WIDE)},
    "SGD": {
        "small": Update("SGD", *MANY, lr=1e-6),
        "8 million": Update("SGD", (2048, 4096), lr=1e-6),
    },
    "SGD momentum": {"8 million": Update("SGD", (2048, 4096), lr=1e-6, momentum=0.9)},
    "Adam": {"small": Update("Adam", *MANY, lr=1e-6), "8 million": Update("Adam", (2048, 4096), lr=1e-6)},
}


def serve(library: str, seconds: float) -> None:
    """One library's process: for each line "operation, tab, shape" it gets, a line with the times in JSON."""
    lib = load(library)
    for line in sys.stdin:
        name, shape = line.rstrip("\n").split("\t")
        steps = OPS[name][shape].steps(lib)
        print(json.dumps({kind: timed(step, seconds) for kind, step in steps.items()}), flush=True)


def rows(only: str, rounds: int, seconds: float) -> Iterator[list[str]]:
    """The table's rows, as they come."""
    command = [sys.executable, str(Path(__file__)), "--seconds", str(seconds), "--serve"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment()}
    workers = {library: subprocess.Popen([*command, library], **pipes) for library in LIBRARIES}

    def ask(library: str, question: str) -> dict[str, float]:
        worker = workers[library]
        print(question, file=worker.stdin, flush=True)
        answer = worker.stdout.readline() if worker.stdout else ""
        if not answer:
            raise SystemExit(f"{library} failed at {question!r}")
        found: dict[str, float] = json.loads(answer)
        return found

    try:
        for name, shape in [(op, shape) for op in OPS if only in op for shape in OPS[op]]:
            found: dict[str, list[dict[str, float]]] = {library: [] for library in LIBRARIES}
            for turn in range(rounds):
                for library in LIBRARIES if turn % 2 == 0 else reversed(LIBRARIES):
                    found[library].append(ask(library, f"{name}\t{shape}"))
            row = [name, shape]
            for kind in ("forward", "both"):
                if kind in found[LIBRARIES[0]][0]:
                    ours, theirs = (min(r[kind] for r in found[library]) for library in LIBRARIES)
                    row += [readable(ours), readable(theirs), f"{ours / theirs:.2f}"]
                else:
                    row += ["", "", ""]
            yield row
    finally:
        for worker in workers.values():
            worker.communicate()  # closes its input, at which it ends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each library has its turn")
    parser.add_argument("--seconds", type=float, default=0.1, help="how long each measurement takes")
    parser.add_argument("--only", default="", help="operations whose name contains this")
    parser.add_argument("--serve", choices=LIBRARIES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.seconds)
        return
    columns = ["tinygrad_dl", "PyTorch", "ratio"]
    header = ["operation", "shape", *(f"{c}, forward" for c in columns), *(f"{c}, with backward" for c in columns)]
    print(machine(), "", "| " + " | ".join(header) + " |", "|" + "---|" * len(header), sep="\n", flush=True)
    for row in rows(options.only, options.rounds, options.seconds):
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
