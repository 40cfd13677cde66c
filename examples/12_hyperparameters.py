"""Hyperparameters: random against grid, the right scale, coarse to fine, and two ways to watch: panda and caviar.

A network of one hidden layer learns to read digits; Optuna says what to try. What to see:

- Of 25 trials over a learning rate and Adam's epsilon, which hardly matters, a grid tries 5 rates and a random search
  25: on the average its best is better.
- Drawn evenly from [0.0001, 1], nine rates of ten are above 0.1, where training diverges. Drawn evenly on a log scale,
  each decade gets its share. The same for the momentum's 1 - beta: from 0.9 to 0.9005 an average is over 10 steps
  still, from 0.999 to 0.9995 over 2,000 instead of 1,000.
- Coarse to fine: a second search, close around the best of the first, beats as many trials more of the first.
- Panda: one model is watched, and its rate changed as it runs, up while it goes well, back and down when it does not.
- Caviar: many at once, in processes that share a journal file. One of them is killed in the middle of a trial. What it
  had finished is in the file, and another one takes up the trial that was under way, at the epoch that it had reached.
"""

from __future__ import annotations

import copy
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import show
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

import tinygrad_dl as td
from tinygrad_dl import nn, viz
from tinygrad_dl.train import Callback, Checkpoint, fit

Data = tuple[list[tuple[td.Tensor, td.Tensor]], list[tuple[td.Tensor, td.Tensor]]]
RATES, EPSILONS, REST = (1e-4, 1.0), (1e-10, 1e-5), (1e-3, 1e-1)  # REST: of 1 - beta
WORST = math.log(10)  # the loss of a guess, and of a training that diverged
LASTS = 6  # epochs of a trial in the journal


def load() -> Data:
    """Batches of 600 digits to train on, and one of 600 to choose by."""
    from sklearn.datasets import load_digits  # here, because the workers do without

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))[:1200]
    points, labels = td.tensor(x[order]).float(), td.tensor(y[order])  # pixels from 0 to 16, as they come
    return list(zip(points[:600].split(60), labels[:600].split(60), strict=True)), [(points[600:], labels[600:])]


def train(
    data: Data, make: Callable[[Any], td.optim.Optimizer], epochs: int, callbacks: tuple[Callback, ...] = ()
) -> Any:
    """The history of one training, always from the same weights."""
    td.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = make(model.parameters())
    loss = nn.CrossEntropyLoss()
    return fit(model, loss, optimizer, *data, epochs=epochs, callbacks=callbacks, stop_on_nan=False)


def dev_loss(history: Any) -> float:
    last = history["dev_loss"][-1]
    return min(last, WORST) if math.isfinite(last) else WORST


def with_adam(data: Data, trial: optuna.Trial, epochs: int) -> float:
    lr = trial.suggest_float("lr", *RATES, log=True)
    eps = trial.suggest_float("eps", *EPSILONS, log=True)
    return dev_loss(train(data, lambda parameters: td.optim.Adam(parameters, lr=lr, eps=eps), epochs))


def with_momentum(lr: float, rest: float) -> Callable[[Any], td.optim.Optimizer]:
    return lambda parameters: td.optim.SGD(parameters, lr=lr, momentum=1 - rest)


def search(objective: Callable[[optuna.Trial], float], sampler: Any, trials: int) -> optuna.Study:
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=trials)
    return study


def grid_and_random(data: Data, seed: int, epochs: int) -> tuple[optuna.Study, optuna.Study]:
    """25 trials each. Where the lines of the grid fall is luck, so they are placed anew for each seed."""
    shift = np.random.default_rng(seed).random(2)
    lines = {
        name: [math.exp(np.interp((k + u) / 5, (0, 1), np.log(limits))) for k in range(5)]
        for name, limits, u in (("lr", RATES, shift[0]), ("eps", EPSILONS, shift[1]))
    }
    samplers = optuna.samplers.GridSampler(lines, seed=seed), optuna.samplers.RandomSampler(seed=seed)
    grid, random = (search(lambda trial: with_adam(data, trial, epochs), sampler, 25) for sampler in samplers)
    return grid, random


def shares(limits: tuple[float, float], log: bool, seed: int) -> np.ndarray:
    """The share of 10,000 draws that falls into each decade."""
    generator = np.random.default_rng(seed)
    ends = np.log10(limits)
    drawn = 10 ** generator.uniform(*ends, 10_000) if log else generator.uniform(*limits, 10_000)
    decades = 10.0 ** np.arange(round(ends[0]), round(ends[1]) + 1)
    return np.histogram(drawn, decades)[0] / len(drawn)


def momentum_search(
    data: Data, seed: int, trials: int, epochs: int, limits: Any = (RATES, REST), log: bool = True
) -> Any:
    """A random search for the rate and for 1 - beta."""

    def objective(trial: optuna.Trial) -> float:
        lr, rest = trial.suggest_float("lr", *limits[0], log=log), trial.suggest_float("rest", *limits[1], log=log)
        return dev_loss(train(data, with_momentum(lr, rest), epochs))

    return search(objective, optuna.samplers.RandomSampler(seed=seed), trials)


def around_the_best(study: optuna.Study, count: int = 4) -> tuple[tuple[float, float], ...]:
    """The box, with a little room, around the best trials of a coarse search."""
    best = sorted(study.trials, key=lambda trial: trial.value)[:count]
    values = ([trial.params[name] for trial in best] for name in ("lr", "rest"))
    limits = zip(values, (RATES, REST), strict=True)
    return tuple((max(min(found) / 1.2, low), min(max(found) * 1.2, high)) for found, (low, high) in limits)


class Panda(Callback):
    """Watches one model: up with the rate while the dev loss falls; else back to the best weights, and down with it."""

    def __init__(self) -> None:
        self.best, self.kept, self.diary = math.inf, None, []

    def on_epoch_end(self, training: Any) -> None:
        loss, (group,) = training.latest("dev_loss"), training.optimizer.param_groups
        rate = group["lr"]
        if loss < self.best:
            self.best = loss
            self.kept = copy.deepcopy((training.model.state_dict(), training.optimizer.state_dict()))
            done, new = "up", 1.25 * rate
        else:
            training.model.load_state_dict(self.kept[0])
            training.optimizer.load_state_dict(self.kept[1])
            done, new = "back, down", 0.4 * rate
        self.diary.append((training.epoch + 1, rate, loss, done))
        training.optimizer.param_groups[0]["lr"] = new

    def on_fit_end(self, training: Any) -> None:
        training.model.load_state_dict(self.kept[0])


# -- caviar ----------------------------------------------------------------------------------------------


class Wait(Callback):
    """Says that it is in the middle of a trial, and waits for what the parent does."""

    order = 2  # after the checkpoint of this epoch is written

    def on_epoch_end(self, training: Any) -> None:
        if training.epoch == LASTS // 2:
            print("in the middle", flush=True)
            sys.stdin.read()


def shared_study(folder: Path) -> optuna.Study:
    storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    return optuna.create_study(study_name="caviar", storage=storage, load_if_exists=True)


def work(folder: Path, number: int, dies: bool) -> None:
    """What each process does: takes a waiting trial from the journal, trains, writes the result, until none waits."""
    sys.stdin.readline()  # the parent says when to begin
    arrays = td.load(folder / "data.npz")
    data = list(zip(arrays["x"].split(60), arrays["y"].split(60), strict=True)), [(arrays["dev_x"], arrays["dev_y"])]
    study = shared_study(folder)
    done = 0

    def objective(trial: optuna.Trial) -> float:
        nonlocal done
        trial.set_user_attr("worker", number)
        lr, rest = trial.suggest_float("lr", *RATES, log=True), trial.suggest_float("rest", *REST, log=True)
        # A trial that was interrupted left a checkpoint; this one goes on from there.
        checkpoint = Checkpoint(folder / f"{trial.user_attrs['name']}.npz", resume=True)
        before = td.load(checkpoint.path)["epochs"] if Path(checkpoint.path).exists() else 0
        trial.set_user_attr("begins", before)
        done += 1
        callbacks = (checkpoint, Wait()) if dies and done == 2 else (checkpoint,)
        return dev_loss(train(data, with_momentum(lr, rest), LASTS, callbacks))

    while study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.WAITING,)):
        study.optimize(objective, n_trials=1)


def caviar(data: Data, seed: int, trials: int, processes: int = 3) -> tuple[list[optuna.trial.FrozenTrial], int]:
    """Many trials in several processes, of which the first is killed; all trials, and the number of the one it lost."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (batches, ((dev_x, dev_y),)) = data
        x, y = (td.cat(values) for values in zip(*batches, strict=True))
        td.save({"x": x, "y": y, "dev_x": dev_x, "dev_y": dev_y}, folder / "data.npz")
        study = shared_study(folder)
        generator = np.random.default_rng(seed)
        for number in range(trials):
            lr, rest = (float(np.exp(generator.uniform(*np.log(limits)))) for limits in (RATES, REST))
            study.enqueue_trial({"lr": lr, "rest": rest}, user_attrs={"name": f"trial{number}"})

        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # the processes are the threads
        workers: list[subprocess.Popen[str]] = []
        for number in range(processes):
            command = [sys.executable, __file__, "--worker", name, "--number", str(number), "--dies", str(not number)]
            workers.append(subprocess.Popen(command, env=environment, **pipes))
        first, *others = workers
        first.stdin.write("begin\n")
        first.stdin.flush()
        assert "in the middle" in first.stdout.readline()
        first.kill()
        first.communicate()
        (lost,) = study.get_trials(states=(optuna.trial.TrialState.RUNNING,))
        study.tell(lost.number, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(lost.params, user_attrs={"name": lost.user_attrs["name"]})
        for worker in others:
            worker.stdin.write("begin\n")
            worker.stdin.flush()
        for worker in others:
            worker.communicate()
        return study.get_trials(), lost.number


def searches(data: Data, seed: int, epochs: int, repeats: int, trials: int) -> dict[str, list[float]]:
    """The best loss of each way to search, for several seeds."""
    best: dict[str, list[float]] = {name: [] for name in ("grid", "random", "linear", "log", "more", "fine")}
    for each in range(100 * seed, 100 * seed + repeats):
        grid, random = grid_and_random(data, each, epochs)
        linear = momentum_search(data, each, trials, epochs, log=False)
        coarse = momentum_search(data, each, trials, epochs)
        more = momentum_search(data, each + 50, trials, epochs)
        fine = momentum_search(data, each + 50, trials, epochs, around_the_best(coarse))
        found = grid.best_value, random.best_value, linear.best_value, coarse.best_value
        for name, value in zip(best, (*found, more.best_value, fine.best_value), strict=True):
            best[name].append(min(value, coarse.best_value) if name in ("more", "fine") else value)
    return best


def draw_trials(ax: Any, study: optuna.Study, y: str, marker: str, label: str) -> None:
    """Each trial at its two hyperparameters: the larger, the better."""
    losses = np.array([trial.value for trial in study.trials])
    places = [[trial.params[name] for trial in study.trials] for name in ("lr", y)]
    ax.scatter(*places, s=10 + 120 * (1 - losses / WORST) ** 3, marker=marker, alpha=0.6, label=label)
    viz.log_scale(ax, x=True, y=True)
    ax.set(xlabel="learning rate")
    viz.legend(ax)


def main() -> None:
    options = show.options(
        __doc__, "one search of each kind, and no turn of the rate", worker="", number=0, dies="False"
    )
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if options.worker:
        work(Path(options.worker), options.number, options.dies == "True")
        return
    quick, seed = options.quick, options.seed
    data = load()
    epochs, repeats, trials = (1, 1, 12) if quick else (3, 8, 25)

    found = {name: f"{np.mean(values):.3f}" for name, values in searches(data, seed, epochs, repeats, trials).items()}
    print(f"The best dev loss that {trials} trials of {epochs} epochs find, the mean of {repeats} searches\n")
    rows = [
        ("rate and Adam's epsilon", "a grid, 5 x 5", found["grid"]),
        ("", "random", found["random"]),
        ("rate and momentum", "random, linear", found["linear"]),
        ("", "random, log", found["log"]),
        ("", "as many again", found["more"]),
        ("", "as many, close", found["fine"]),
    ]
    show.table(("hyperparameters", "search", "best loss"), rows)

    print("Where draws fall: a rate from [0.0001, 1], and 1 - beta from [0.001, 0.1]\n")
    ends = [f"{10.0**k:g} to {10.0 ** (k + 1):g}" for k in range(-4, 0)]
    drawn = {log: (shares(RATES, log, seed), shares(REST, log, seed)) for log in (False, True)}
    rows = [
        (end, *(f"{part[k]:.1%}" for part in (drawn[False][0], drawn[True][0])), "", "") for k, end in enumerate(ends)
    ]
    for k in range(2):
        rows[k + 1] = (*rows[k + 1][:3], *(f"{drawn[log][1][k]:.1%}" for log in (False, True)))
    show.table(("", "rate, linear", "rate, log", "1 - beta, linear", "1 - beta, log"), rows)
    print("Steps that an average goes over, 1 / (1 - beta)\n")
    betas = 0.9, 0.9005, 0.999, 0.9995
    show.table(("beta", *map(str, betas)), [("steps", *(f"{1 / (1 - beta):,.1f}" for beta in betas))])

    panda, first = Panda(), 0.0005
    lasts = 8 if quick else 30
    watched = train(data, with_momentum(first, 0.1), lasts, (panda,))
    alone = train(data, with_momentum(first, 0.1), lasts)
    print(f"Panda: {lasts} epochs from a rate of {first}; left alone: {dev_loss(alone):.3f}\n")
    turns = [row for row in panda.diary if row[3] != "up" or row[0] in (1, lasts)][:8]
    rows = [(str(epoch), f"{rate:.4f}", f"{loss:.3f}", done) for epoch, rate, loss, done in turns]
    show.table(("epoch", "rate", "dev loss", "then"), [*rows, ("best", "", f"{panda.best:.3f}", "kept")])

    count = 6 if quick else 24
    processes = 2 if quick else 3
    finished, lost = caviar(data, seed, count, processes)
    print(f"Caviar: {count} trials in {processes} processes; the first is killed in the middle of trial {lost}\n")
    rows = []
    for worker in range(processes):
        own = [trial for trial in finished if trial.user_attrs.get("worker") == worker]
        complete = [trial for trial in own if trial.state is optuna.trial.TrialState.COMPLETE]
        resumed = [
            f"{trial.number} at epoch {trial.user_attrs['begins'] + 1}"
            for trial in complete
            if trial.user_attrs["begins"]
        ]
        best = min((f"{trial.value:.3f}" for trial in complete), default="-")
        rows.append((f"process {worker + 1}", len(own), len(complete), ", ".join(resumed) or "-", best))
    show.table(("", "began", "finished", "went on with", "best loss"), rows)
    complete = [trial for trial in finished if trial.state is optuna.trial.TrialState.COMPLETE]
    best = min(complete, key=lambda trial: trial.value)
    print(f"{len(complete)} of {count} are finished; the best: ", end="")
    print(f"rate {best.params['lr']:.4f}, beta {1 - best.params['rest']:.3f}, dev loss {best.value:.3f}\n")

    figure, axes = viz.figure(2, 3, title="Searching for hyperparameters (larger marks: better trials)")
    for study, marker, label in zip(grid_and_random(data, seed, epochs), "s^", ("grid", "random"), strict=True):
        draw_trials(axes[0, 0], study, "eps", marker, label)
    axes[0, 0].set(ylabel="Adam's epsilon", title="Five rates against twenty-five")
    places = np.arange(4)
    for log, shift, hatch, label in ((False, -0.2, "///", "linear"), (True, 0.2, "", "log")):
        axes[0, 1].bar(places + shift, 100 * drawn[log][0], 0.4, hatch=hatch, edgecolor="white", label=label)
    axes[0, 1].set_xticks(places, ends, rotation=20)
    axes[0, 1].set(ylabel="% of draws", title="Rates from [0.0001, 1]")
    viz.legend(axes[0, 1])
    coarse = momentum_search(data, 100 * seed, trials, epochs)
    box = around_the_best(coarse)
    draw_trials(axes[0, 2], coarse, "rest", "o", "coarse")
    draw_trials(axes[0, 2], momentum_search(data, 100 * seed + 50, trials, epochs, box), "rest", "^", "fine")
    ((left, right), (low, high)) = box
    axes[0, 2].plot([left, right, right, left, left], [low, low, high, high, low], "-", color="#333333", linewidth=1)
    axes[0, 2].set(ylabel="1 - beta", title="Coarse to fine")
    curves = {"watched": watched["dev_loss"], "left alone": alone["dev_loss"]}
    viz.plot_curves(curves, ylabel="dev loss", log=True, ax=axes[1, 0])
    axes[1, 0].set_title("Panda: the loss")
    viz.plot_schedule({"rate": [rate for _, rate, _, _ in panda.diary]}, xlabel="epoch", log=True, ax=axes[1, 1])
    axes[1, 1].set_title("Panda: the rate")
    for worker, marker in zip(range(processes), "os^", strict=False):
        own = [trial for trial in complete if trial.user_attrs["worker"] == worker]
        axes[1, 2].plot([t.number for t in own], [t.value for t in own], marker, label=f"process {worker + 1}")
    axes[1, 2].axvline(lost, color="#333333", linestyle=":", linewidth=1, label="process 1 is killed")
    viz.log_scale(axes[1, 2], y=True)
    axes[1, 2].set(xlabel="trial", ylabel="dev loss", title="Caviar: the first process is killed")
    viz.legend(axes[1, 2])
    show.save(figure, options, "12_hyperparameters.png")


if __name__ == "__main__":
    main()
