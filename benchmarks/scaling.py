"""How training in several processes scales here, and what to expect of more than are here.

    python benchmarks/scaling.py [--only NAME] [--ranks 2] [--seconds 1] [--rounds 3] [--results FILE]
                                 [--pictures FOLDER]

Each time is that of a training in processes of its own, which `mpirun` starts with one thread each: with the whole
batch in one process, with its parts in several (a fixed global batch), and with a whole batch in each (a fixed batch a
process); and in as many that do not speak with each other, which tells what they lose by sharing the machine. The
second table tells what the model in `expected.py` makes of these times, of the latency and the bandwidth of this
machine's MPI, and of those that networks usually have (assumed, not measured). Of all rounds the shortest times count;
`--results` keeps them from one call to the next, and `--rounds 0` measures nothing. `--pictures` writes scaling.png.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networks
import numpy as np
from cases import data, labels, same_weights
from expected import Link, Step, efficiency, step_time

import tinygrad_dl as td
from tinygrad_dl import distributed as dist
from tinygrad_dl import nn

# Typical of what is sold, by their makers' tables and published MPI measurements; none was measured here.
ASSUMED = {"100 Gbit/s, RDMA": Link(2e-6, 11e9), "10 Gbit/s, TCP": Link(30e-6, 1.1e9)}
SIZES = [2**power for power in range(3, 26)]  # bytes that are all-reduced to find latency and bandwidth
RANKS = [2**power for power in range(11)]


def mlp() -> nn.Module:
    """Two hidden layers for 8x8 digits."""
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))


def tokens(count: int) -> tuple[td.Tensor, td.Tensor]:
    x = labels(td, count * (networks.CONTEXT + 1), networks.VOCABULARY).reshape(count, -1)
    return x[:, :-1], x[:, 1:].flatten()


class GPT(nn.Module):
    """Scores of all places in one row, as cross entropy takes them."""

    def __init__(self) -> None:
        super().__init__()
        self.model = networks.gpt(td)

    def forward(self, x: td.Tensor) -> td.Tensor:
        return self.model(x).flatten(0, 1)


# The model, its batch, and the whole batch of a step.
MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[int], Any], int]] = {
    "digits MLP": (mlp, lambda n: (data(td, n, 64), labels(td, n, 10)), 256),
    "LeNet": (lambda: networks.lenet(nn), lambda n: (data(td, n, 1, 28, 28), labels(td, n, 10)), 64),
    "small GPT": (GPT, tokens, 16),
}


# -- in a process that mpirun has started ----------------------------------------------------------------


def serve(name: str, batch: int, seconds: float, wrapped: bool) -> dict[str, Any]:
    """The seconds of forward, backward and update, together and by themselves, and the bytes of the gradients.

    `wrapped`: whether the processes train one model; otherwise each trains its own.
    """
    make, batch_of, _ = MODELS[name]
    model = same_weights(td, make())
    optimizer = td.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    parallel = nn.parallel.DistributedDataParallel(model) if wrapped else model
    x, y = batch_of(batch)
    times: list[list[float]] = []
    begin = time.perf_counter()
    while not over(time.perf_counter() - begin > seconds and len(times) > 20):
        clock = [time.perf_counter()]
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(parallel(x), y)
        clock.append(time.perf_counter())
        loss.backward()
        clock.append(time.perf_counter())
        optimizer.step()
        clock.append(time.perf_counter())
        times.append(np.diff(clock).tolist())
    parts = np.quantile(times[3:], 0.25, 0).tolist()
    whole = float(np.quantile(np.sum(times[3:], 1), 0.25))
    size = sum(p.numpy().nbytes for p in map(td.Tensor.detach, model.parameters()))
    return {"parts": parts, "step": whole, "gradients": size}


def over(here: bool) -> bool:
    """Whether the first process has had enough: all stop after the same step."""
    told = td.tensor(float(here))
    dist.broadcast(told, 0)
    return bool(told.item())


def link() -> dict[str, Any]:
    """The seconds of an all-reduce by its bytes."""
    found = {}
    for size in SIZES:
        values = td.zeros(max(1, size // 4))
        times = []
        for _ in range(max(7, min(300, 2**24 // size))):
            dist.barrier()
            begin = time.perf_counter()
            dist.all_reduce(values)
            times.append(time.perf_counter() - begin)
        found[size] = statistics.median(times)
    return {"all_reduce": found}


# -- the tables and the picture --------------------------------------------------------------------------


def started(ranks: int, *arguments: str) -> dict[str, Any]:
    """What the first of so many processes has printed, each with one thread."""
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    mpirun = shutil.which("mpirun", path=beside)
    if mpirun is None:
        raise SystemExit("scaling.py needs mpirun; install it with: pip install 'tinygrad_dl[mpi]'")
    one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    command = [mpirun, "-n", str(ranks), sys.executable, __file__, "--serve", *arguments]
    done = subprocess.run(command, env={**os.environ, **one}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} in {ranks} processes failed:\n{done.stdout}{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measured(options: argparse.Namespace, found: dict[str, Any]) -> None:
    """Measures all once more, and keeps the shorter times."""
    better(found, "link", started(2, "link", "0", "0", ""))
    models = found.setdefault("models", {})
    for name in [name for name in MODELS if options.only in name]:
        runs, whole = models.setdefault(name, {}), MODELS[name][2]
        for run, (ranks, batch, wrapped) in {
            "alone": (1, whole, ""),
            "part": (1, whole // options.ranks, ""),
            "beside": (options.ranks, whole, ""),
            "wrapped": (1, whole, "wrapped"),
            "fixed": (options.ranks, whole // options.ranks, "wrapped"),
            "grown": (options.ranks, whole, "wrapped"),
        }.items():
            better(runs, run, started(ranks, name, str(batch), str(options.seconds), wrapped))


def better(found: dict[str, Any], name: str, new: dict[str, Any]) -> None:
    """Keeps what was measured under a name, number by number the less."""
    old = found.setdefault(name, new)
    for key, value in new.items():
        if isinstance(value, dict):
            better(old, key, value)
        elif isinstance(value, list):
            old[key] = list(map(min, old[key], value))
        else:
            old[key] = min(old[key], value)


def fitted(times: dict[str, float]) -> Link:
    """Latency and bandwidth of two processes, by which recursive doubling takes latency + n / bandwidth.

    What it takes to add the numbers up is in that bandwidth, so nothing more is counted for it.
    """
    sizes, seconds = np.array([int(size) for size in times]), np.array([*times.values()])
    latency = float(np.median(seconds[sizes <= 64]))
    large = sizes >= 2**20
    bandwidth = float(np.median(sizes[large] / (seconds[large] - latency)))
    return Link(latency, bandwidth, float("inf"))


def step_of(run: dict[str, Any]) -> Step:
    return Step(*run["parts"], run["gradients"])


def shared(runs: dict[str, Any], ranks: int, by: int = 1) -> Step:
    """A step of one of several processes, with a batch `by` times smaller: a line through those that were measured.

    What the wrapper does without others to speak with is in it too.
    """
    alone, part = step_of(runs["alone"]), step_of(runs["part"])
    share = (1 / by - 1 / ranks) / (1 - 1 / ranks)  # 1 for the whole batch, 0 for the part that was measured
    forward, backward, update = (max(p + (a - p) * share, 0.2 * p) for a, p in zip(alone[:3], part[:3], strict=True))
    wrapping = max(0.0, runs["wrapped"]["step"] - runs["alone"]["step"])
    return Step(forward, backward + wrapping, update, alone.gradients)


def table(rows: list[list[str]]) -> str:
    head, *rest = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rest])


def report(found: dict[str, Any]) -> str:
    """Both tables."""
    links, ranks = links_of(found), found["ranks"]
    here = links["this machine"]
    lines = [f"all-reduce of two processes: {here.latency * 1e6:.0f} us, and {here.bandwidth / 1e9:.1f} GB/s", ""]
    rows = [["model", "batch", "gradients", "1 process", f"{ranks}, batch shared", "efficiency", f"{ranks}, batch each",
             "efficiency", "of which the machine"]]  # fmt: skip
    for name, runs in found["models"].items():
        alone, fixed, grown, beside = (runs[run]["step"] for run in ("alone", "fixed", "grown", "beside"))
        size, batch = runs["alone"]["gradients"], MODELS[name][2]
        rows.append([name, str(batch), f"{size / 2**20:.2f} MB", f"{alone * 1e3:.2f} ms", f"{fixed * 1e3:.2f} ms",
                     f"{alone / fixed / ranks:.0%}", f"{grown * 1e3:.2f} ms", f"{alone / grown:.0%}",
                     f"{alone / beside:.0%}"])  # fmt: skip
    lines += [table(rows), "", "Expected efficiency with a batch for each process", ""]
    shown = [2, 8, 32, 128, 1024]
    rows = [["model", "link", *map(str, shown)]]
    for name, runs in found["models"].items():
        alone, each = step_of(runs["alone"]), shared(runs, ranks)
        for label, joined in links.items():
            rows.append([name, label, *(f"{efficiency(alone, each, joined, n):.0%}" for n in shown)])
    return "\n".join([*lines, table(rows)])


def links_of(found: dict[str, Any]) -> dict[str, Link]:
    return {"this machine": fitted(found["link"]["all_reduce"]), **ASSUMED}


def draw(found: dict[str, Any], folder: Path) -> None:
    """Efficiency by the number of processes for each model, and the step of the last by the size of a bucket."""
    from tinygrad_dl import viz
    from tinygrad_dl.viz.plots.look import colour_of

    links, ranks = links_of(found), found["ranks"]
    figure, axes = viz.figure(2, 2, size=(12.0, 8.0))
    *plots, last = np.ravel(axes)
    for (name, runs), ax in zip(found["models"].items(), plots, strict=False):
        alone = step_of(runs["alone"])
        most = [n for n in RANKS if n <= MODELS[name][2]]
        for index, (label, joined) in enumerate(links.items()):
            colour = colour_of(index)
            each = [efficiency(alone, shared(runs, ranks), joined, n) for n in RANKS]
            ax.plot(RANKS, each, color=colour, linestyle="-", linewidth=1.4, label=label)
            whole = [efficiency(alone, shared(runs, ranks, n), joined, n, parts=n) for n in most]
            ax.plot(most, whole, color=colour, linestyle=":", linewidth=1.4)
        step = runs["alone"]["step"]
        ax.plot([ranks], [step / runs["grown"]["step"]], "o", color="black", label="measured, a batch each")
        ax.plot(
            [ranks], [step / runs["fixed"]["step"] / ranks], "s", color="black", mfc="none", label="measured, shared"
        )
        ax.set(xlabel="processes", ylabel="efficiency", title=f"{name}: a batch each; dotted: one batch shared")
        ax.set_ylim(0, 1.1)
        viz.log_scale(ax, x=True, y=False)
    viz.legend(plots[1])
    name, runs = list(found["models"].items())[-1]
    step = shared(runs, ranks)
    buckets = np.geomspace(2**12, 2**23, 60)
    for index, joined in enumerate(links.values()):
        times = [1e3 * step_time(step, joined, 64, bucket) for bucket in buckets]
        last.plot(buckets / 2**20, times, color=colour_of(index), linestyle="-", linewidth=1.4)
    last.set(xlabel="MB in a bucket", ylabel="ms a step", title=f"{name} on 64 processes, by the size of a bucket")
    viz.log_scale(last, x=True, y=False)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "scaling.png", dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="models whose name contains this")
    parser.add_argument("--ranks", type=int, default=2, help="how many processes, at most the cores that are there")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each is measured in a round")
    parser.add_argument("--rounds", type=int, default=3, help="how often all are measured")
    parser.add_argument("--results", type=Path, help="a file of what was measured, read if it is there, and written")
    parser.add_argument("--pictures", type=Path, help="write the picture to this folder")
    parser.add_argument("--serve", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        td.set_num_threads(1)
        dist.init_process_group()
        name, batch, seconds, wrapped = options.serve
        found = link() if name == "link" else serve(name, int(batch), float(seconds), bool(wrapped))
        if dist.get_rank() == 0:
            print(json.dumps(found))
        dist.destroy_process_group()
        return
    found = {"ranks": options.ranks}
    if options.results and options.results.exists():
        found = json.loads(options.results.read_text())
    for _ in range(options.rounds):
        measured(options, found)
        if options.results:
            options.results.write_text(json.dumps(found))
    print(report(found))
    if options.pictures:
        draw(found, options.pictures)


if __name__ == "__main__":
    main()
