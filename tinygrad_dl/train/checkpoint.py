"""Checkpoint: files from which training goes on as if it had never stopped."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from tinygrad_dl.random import Generator, default_generator
from tinygrad_dl.serialization import Path, load, save
from tinygrad_dl.train.callback import Callback
from tinygrad_dl.train.stopping import Best
from tinygrad_dl.train.training import Training


class Checkpoint(Callback):
    """Writes all of a training's state to a file, and with `resume` goes on from it.

    The file holds the model, the optimiser, the callbacks (schedules and early stopping among them), the history,
    and the states of the random generators: the library's own and those of the loaders. Ten epochs at once and five,
    a stop, and five more in another process then give the same weights to the last bit. Each file appears under its
    name only when it is complete, so a process that is killed leaves the file before. It runs after all other
    callbacks.

    Args:
        path: the file; it ends in `.npz` or `.safetensors`.
        every: after how many epochs it is written; and always after the last one.
        best: a second file, for the model's weights of the best epoch alone, as `model.load_state_dict` takes them.
        monitor: what makes an epoch the best; by default the loss on the dev set, or on the train set if there is
            none.
        mode: "min" if less of it is better, "max" if more is; needed for anything but a loss.
        resume: whether to begin with the state in `path`, if there is such a file. Make the model, the optimiser,
            the loaders and the callbacks as in the first run.

    Raises:
        ValueError: an option out of its range, or a file from a training with other callbacks.
        FileNotFoundError: there is no such folder.

    >>> import os, tempfile
    >>> import tinygrad_dl as td
    >>> path = os.path.join(tempfile.mkdtemp(), "run.npz")
    >>> def run(epochs):
    ...     generator = td.manual_seed(0)
    ...     model = td.nn.Linear(1, 1)
    ...     optimizer = td.optim.Adam(model.parameters(), lr=0.1)
    ...     data = [(td.ones(4, 1), td.ones(4, 1))]
    ...     checkpoint = td.train.Checkpoint(path, resume=True)
    ...     return td.train.fit(model, td.nn.MSELoss(), optimizer, data, epochs=epochs, callbacks=[checkpoint])
    >>> first = run(epochs=2)
    >>> both = run(epochs=5)
    >>> len(both["train_loss"]), both["train_loss"][:2] == first["train_loss"]
    (5, True)

    Source: https://docs.pytorch.org/tutorials/recipes/recipes/saving_and_loading_a_general_checkpoint.html
    """

    order = 1  # after those whose state it writes

    def __init__(
        self,
        path: Path,
        every: int = 1,
        best: Path | None = None,
        monitor: str | None = None,
        mode: str | None = None,
        resume: bool = False,
    ):
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"Checkpoint: every is {every!r}, expected 1 or more epochs")
        for each in (path, best):
            if each is not None and os.path.splitext(os.fspath(each))[1] not in (".npz", ".safetensors"):
                raise ValueError(f"Checkpoint: expected a path that ends in .npz or .safetensors, got {each!r}")
        self.path, self.every, self.best_path, self.resume = path, every, best, resume
        self.monitor, self.mode = monitor, mode
        self.best = Best(monitor, mode)

    def on_fit_start(self, training: Training) -> None:
        training.monitored(self.monitor)
        for each in (self.path, self.best_path):
            folder = os.path.dirname(os.fspath(each)) if each is not None else ""
            if not os.path.isdir(folder or "."):
                raise FileNotFoundError(f"there is no folder {folder}; make it first, with os.makedirs")
        self.best = Best(self.monitor, self.mode)
        if self.resume and os.path.isfile(self.path):
            restore(training, load(self.path), os.fspath(self.path))

    def on_epoch_end(self, training: Training) -> None:
        # The best first: the state in the other file says that it is there.
        if self.best.improved(training) and self.best_path is not None:
            save(training.model.state_dict(), self.best_path)
        done = training.epoch + 1
        if done % self.every == 0 or done == training.epochs or training.history.stopped is not None:
            save(captured(training), self.path)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best.value}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best.value = state_dict["best"]


def captured(training: Training) -> dict[str, Any]:
    """The state of a training after an epoch, in terms that `save` can write."""
    return {
        "format": 1,
        "epochs": training.epoch + 1,
        "steps": training.steps,
        "batch_loss": training.batch_loss,
        "history": dict(training.history),
        "model": training.model.state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "callbacks": [[type(each).__name__, each.state_dict()] for each in stateful(training)],
        "random": [plain(each.get_state()) for each in generators(training)],
    }


def restore(training: Training, state: dict[str, Any], path: str) -> None:
    """Puts a training into a captured state.

    Raises:
        ValueError: the file is no checkpoint, or one of a training with other callbacks, measures or generators.
    """
    if state.get("format") != 1:
        raise ValueError(
            f"{path} is no checkpoint of a training; to load weights, use model.load_state_dict(td.load(...))"
        )
    callbacks, random = stateful(training), generators(training)
    for what, saved, own in (
        ("callbacks", [name for name, _ in state["callbacks"]], [type(each).__name__ for each in callbacks]),
        ("measures", list(state["history"]), training.names),
        ("random generators", len(state["random"]), len(random)),
    ):
        if saved != own:
            raise ValueError(f"{path} was saved by a training with the {what} {saved}, and this one has {own}")
    training.model.load_state_dict(state["model"])
    training.optimizer.load_state_dict(state["optimizer"])
    for callback, (_, saved) in zip(callbacks, state["callbacks"], strict=True):
        callback.load_state_dict(saved)
    for generator, saved in zip(random, state["random"], strict=True):
        generator.set_state(arrays(saved))
    training.epoch, training.steps, training.batch_loss = state["epochs"], state["steps"], state["batch_loss"]
    training.history.update(state["history"])


def stateful(training: Training) -> list[Callback]:
    """The callbacks that say what is to be kept of them; a bar may be there in one run and not in the next."""
    return [each for each in training.callbacks if type(each).state_dict is not Callback.state_dict]


def generators(training: Training) -> list[Generator]:
    """The library's generator and those that the loaders have."""
    found = [default_generator]
    for loader in (training.train, training.dev):
        batch_sampler = getattr(loader, "batch_sampler", None)
        places = (loader, batch_sampler, getattr(batch_sampler, "sampler", None))
        for place in (*places, getattr(loader, "sampler", None), getattr(loader, "dataset", None)):
            generator = getattr(place, "generator", None)
            if isinstance(generator, Generator) and all(generator is not each for each in found):
                found.append(generator)
    return found


def plain(state: Any) -> Any:
    """A generator's state with lists for arrays: its unsigned integers are no dtype of a tensor."""
    if isinstance(state, dict):
        return {key: plain(value) for key, value in state.items()}
    return [int(number) for number in state] if isinstance(state, np.ndarray) else state


def arrays(state: Any) -> Any:
    """The state from which `plain` was made."""
    if isinstance(state, dict):
        return {key: arrays(value) for key, value in state.items()}
    return np.array(state, np.uint64) if isinstance(state, list) else state
