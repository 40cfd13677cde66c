"""Single operations of every chapter beside PyTorch's on this machine's CPU, at three sizes.

    python benchmarks/ops.py [--chapter NAME ...] [--size NAME ...] [--only TEXT] [--isa avx2] [--seconds 0.01]
                             [--rounds 2] [--save FILE] [--print FILE]

Two processes, one for each library, with as many threads, take turns with each row of `op_rows.py`. A cell is our time
forward and its ratio to PyTorch's (under 1: tinygrad_dl is faster), then the ratio forward and backward where there is
a gradient. A time is the shortest that was seen: in the others the machine was busier. Behind the rows stand the
medians by chapter, and the operations named in `op_rows.NAMED`. `--isa avx2` runs both as on a processor without
AVX-512; each process tells what took effect. `--save` adds the figures to a file, `--print` makes the tables of one.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import re
import statistics
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import op_rows
import processor
from cases import Step
from compare import environment, machine, readable
from measure import load, timed

LIBRARIES = ("tinygrad_dl", "torch")
KINDS = ("forward", "both")
LONG = 0.005  # seconds
Found = dict[str, Any]  # a row at one size: its chapter, expression, size, and the times of each library


@functools.lru_cache(1)  # both turns of a row are the same
def steps(lib: Any, expression: str, size: str) -> dict[str, Step]:
    """A row's expression alone, and with the gradients of all that require one."""
    values: dict[str, Any] = {
        name: functools.reduce(getattr, filter(None, path.split(".")), lib) for name, path in op_rows.NAMESPACES.items()
    }
    arguments = {
        name: op_rows.ARGUMENTS[name].made(lib, size, seed) for seed, name in enumerate(op_rows.names(expression))
    }
    leaves: list[Any] = []
    for value in arguments.values():
        leaves += value.parameters() if hasattr(value, "parameters") else [value]
    leaves = [leaf for leaf in leaves if getattr(leaf, "requires_grad", False)]
    forward: Step = eval(f"lambda: {expression}", {**values, **arguments})

    def outputs() -> list[Any]:
        out = forward()
        out = out if isinstance(out, tuple | list) else (out,)
        return [each for each in out if getattr(each, "requires_grad", False)]

    seeds = [lib.ones_like(each) for each in outputs()]
    if not seeds:
        return {"forward": forward}
    return {"forward": forward, "both": lambda: lib.autograd.grad(outputs(), leaves, seeds, allow_unused=True)}


def serve(library: str, seconds: float) -> None:
    """One library's process: for each line "expression, tab, size" a line of times, for an empty one what ran here."""
    warnings.simplefilter("ignore")
    lib = load(library)
    lib.set_num_threads(len(os.sched_getaffinity(0)))
    for line in sys.stdin:
        expression, _, size = line.rstrip("\n").partition("\t")
        if not expression:
            answer: Any = processor.in_effect(library)
        else:
            answer = {kind: timed(step, seconds, min) for kind, step in steps(lib, expression, size).items()}
        print(json.dumps(answer), flush=True)


class Workers:
    """Both libraries' processes."""

    def __init__(self, isa: str, seconds: float):
        command = [sys.executable, str(Path(__file__)), "--seconds", str(seconds), "--serve"]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        env = environment(isa=isa)
        self.all = {library: subprocess.Popen([*command, library], env=env, **pipes) for library in LIBRARIES}

    def ask(self, library: str, question: str) -> Any:
        worker = self.all[library]
        print(question, file=worker.stdin, flush=True)
        answer = worker.stdout.readline() if worker.stdout else ""
        if not answer:
            raise SystemExit(f"{library} failed at {question!r}")
        return json.loads(answer)

    def measured(self, expression: str, size: str, rounds: int) -> dict[str, dict[str, float]]:
        """The shortest times of a row, by library."""
        found: dict[str, list[dict[str, float]]] = {library: [] for library in LIBRARIES}
        for turn in range(rounds):
            if turn and all(found[library][0]["forward"] > LONG for library in LIBRARIES):
                break  # such a time varies little, and measuring it takes long
            for library in LIBRARIES if turn % 2 == 0 else reversed(LIBRARIES):
                found[library].append(self.ask(library, f"{expression}\t{size}"))
        return {lib: {kind: min(turn[kind] for turn in each) for kind in each[0]} for lib, each in found.items()}

    def end(self) -> None:
        for worker in self.all.values():
            worker.communicate()  # closes its input, at which it ends


def figures(workers: Workers, options: argparse.Namespace) -> Iterator[Found]:
    """The rows that are asked for, as they come."""
    for chapter in options.chapter or op_rows.ROWS:
        for expression in op_rows.expressions(chapter):
            if options.only in expression:
                for size in options.size or op_rows.SIZES:
                    times = workers.measured(expression, size, options.rounds)
                    yield {"chapter": chapter, "row": expression, "size": size, "times": times}


def ratio(found: Found, kind: str) -> float | None:
    """Our time in PyTorch's, where both have one."""
    ours, theirs = (found["times"][library].get(kind) for library in LIBRARIES)
    return ours / theirs if ours and theirs else None


def cell(found: Found) -> str:
    both = ratio(found, "both")
    time = readable(found["times"]["tinygrad_dl"]["forward"])
    return f"{time}: {ratio(found, 'forward'):.2f}" + (f", {both:.2f}" if both else "")


def line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def head(*cells: str) -> str:
    return line(*cells) + "\n" + "|---" * len(cells) + "|"


def by_row(found: Sequence[Found]) -> Iterator[str]:
    """A line for each expression."""
    rows: dict[str, dict[str, Found]] = {}
    for each in found:
        rows.setdefault(each["row"], {})[each["size"]] = each
    for expression, sizes in rows.items():
        yield line(f"`{expression}`", *(cell(sizes[size]) if size in sizes else "" for size in op_rows.SIZES))


def medians(name: str, found: Sequence[Found]) -> str:
    """A line of the medians of ratios, for each size forward and both."""
    cells = []
    for size in op_rows.SIZES:
        for kind in KINDS:
            ratios = [r for each in found if each["size"] == size and (r := ratio(each, kind))]
            cells.append(f"{statistics.median(ratios):.2f}" if ratios else "")
    return line(name, str(len({each["row"] for each in found})), *cells)


def summary(found: Sequence[Found]) -> Iterator[str]:
    """The medians by chapter and of all, and the named operations."""
    yield head(
        "chapter", "rows", *(f"{size}, {kind}" for size in op_rows.SIZES for kind in ("forward", "backward too"))
    )
    for chapter in dict.fromkeys(each["chapter"] for each in found):
        yield medians(chapter, [each for each in found if each["chapter"] == chapter])
    yield medians("all", found)
    named = [each for each in found if op_rows.operation(each["row"]) in op_rows.NAMED]
    if named:
        yield "\n" + head("named operation", *op_rows.SIZES)
        yield from by_row(named)


def processor_name() -> str:
    """The processor's own name for itself."""
    found = (
        re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        if os.path.exists("/proc/cpuinfo")
        else None
    )
    return found[1] if found else "processor not told"


def run(options: argparse.Namespace) -> None:
    """Measures and prints."""
    workers, kept = Workers(options.isa, options.seconds), []
    try:
        parts = {name: told for library in LIBRARIES for name, told in workers.ask(library, "").items()}
        if wrong := processor.faults(options.isa, parts):
            raise SystemExit("\n".join(wrong))
        print(f"{processor_name()}; {machine(options.isa)}; {processor.described(parts)}\n")
        for found in figures(workers, options):
            if not kept or kept[-1]["chapter"] != found["chapter"]:
                print(f"\n{head(found['chapter'], *op_rows.SIZES)}")
            kept.append(found)
            if found["size"] == (options.size or op_rows.SIZES)[-1]:
                print(*by_row([each for each in kept if each["row"] == found["row"]]), flush=True)
            if options.save:
                with open(options.save, "a") as file:
                    print(json.dumps(found), file=file)
    finally:
        workers.end()
    print("", *summary(kept), sep="\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chapter", nargs="*", choices=op_rows.ROWS, help="all, unless named")
    parser.add_argument("--size", nargs="*", choices=op_rows.SIZES, help="all, unless named")
    parser.add_argument("--only", default="", help="rows that contain this")
    parser.add_argument("--isa", choices=processor.ISAS, default="native", help="the instructions that both may use")
    parser.add_argument("--rounds", type=int, default=2, help="how often each library has its turn")
    parser.add_argument("--seconds", type=float, default=0.01, help="how long each measurement takes")
    parser.add_argument("--save", help="a file that gets the figures, after those that are there")
    parser.add_argument("--print", help="a file of figures, whose tables are printed: nothing is measured")
    parser.add_argument("--serve", choices=LIBRARIES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.seconds)
    elif options.print:
        print(*summary([json.loads(each) for each in Path(options.print).read_text().splitlines()]), sep="\n")
    else:
        run(options)


if __name__ == "__main__":
    main()
