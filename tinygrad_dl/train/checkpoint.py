"""Checkpoint: files from which training goes on as if it had never stopped."""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from tinygrad_dl.core.warning import warn
from tinygrad_dl.serialization import SUFFIXES, load, save
from tinygrad_dl.train import generators
from tinygrad_dl.train.callback import Callback
from tinygrad_dl.train.stopping import Best, best_value
from tinygrad_dl.train.training import Training
from tinygrad_dl.writing import Path, destination, remove_leftovers

FORMAT = 2


class Checkpoint(Callback):
    """Writes all of a training's state to a file, and with `resume` goes on from it.

    The file holds the model, the optimiser, the callbacks (schedules and early stopping among them), the history,
    and the states of the random generators: the library's own, NumPy's and Python's global ones, and all of the three
    kinds that are found within what `fit` was given, such as the one of a transform of a dataset of a loader. Ten
    epochs at once and five, a stop, and five more in another process then give the same weights to the last bit. What
    can't be kept (a Python generator under way, what persistent workers draw from generators of their own) is named in
    a warning. Each file appears under its name only when it is complete and on the disk, so a process that is killed
    leaves the file before. It runs after all other callbacks.

    Of several processes that train together (`td.distributed`), the first writes and reads the file, which all go on
    from, in any number: model, optimiser and history are the same for all, also with `optim.ZeroRedundancyOptimizer`. A
    process's generators go on from those of its rank; in a rank that the file does not know they begin anew.

    A file that does not fit changes nothing: model, optimiser, callbacks and generators are as they were before.

    Args:
        path: the file; its suffix says the format, as for `td.save`.
        every: after how many epochs it is written; and always after the last one.
        best: a second file, for the model's weights of the best epoch alone, as `model.load_state_dict` takes them.
        monitor: what makes an epoch the best; by default the loss on the dev set, or on the train set if there is
            none.
        mode: "min" if less of it is better, "max" if more is; needed for anything but a loss.
        resume: whether to begin with the state in `path`, if there is such a file. Make the model, the optimiser,
            the loaders and the callbacks as in the first run.

    Raises:
        ValueError: an option out of its range; from `fit`, before its first epoch: a file that is damaged or from
            a training with other callbacks or measures.
        OSError: from `fit`, before its first epoch: there is no such folder, or the path is one.

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
            raise ValueError(f"Checkpoint: got every={every!r}, expected 1 or more epochs")
        for each in (path, best):
            if each is not None and os.path.splitext(os.fspath(each))[1] not in SUFFIXES:
                expected = f"expected a path that ends in one of {', '.join(SUFFIXES)}"
                raise ValueError(f"Checkpoint: got {each!r}, {expected}")
        self.path, self.every, self.best_path, self.resume = path, every, best, resume
        self.monitor, self.mode = monitor, mode
        self.best = Best(monitor, mode)
        self.warned: set[str] = set()

    def on_fit_start(self, training: Training) -> None:
        training.monitored(self.monitor, "Checkpoint")
        if training.group.rank == 0:
            self._check_places()
        self.best = Best(self.monitor, self.mode)
        there = self.resume and training.group.rank == 0 and os.path.isfile(self.path)
        state = training.group.from_first(load(self.path) if there else None)
        if state is not None:
            strange = restore(training, state, os.fspath(self.path))
            self._warn("this training and the one resumed have not both", strange, "; the numbers drawn from it differ")

    def _check_places(self) -> None:
        places = [destination(each, "Checkpoint") for each in (self.path, self.best_path) if each is not None]
        if len(set(places)) < len(places):
            raise ValueError(f"Checkpoint: got one file for path and best, {places[0]}, expected two")
        for place in places:
            remove_leftovers(os.path.dirname(place))

    def on_epoch_end(self, training: Training) -> None:
        # The best first: the state in the other file says that it is there.
        first = training.group.rank == 0
        if self.best.improved(training) and self.best_path is not None and first:
            save(training.model.state_dict(), self.best_path)
        training.group.agree(training)  # the state that is written is that of all
        done = training.epoch + 1
        if done % self.every == 0 or done == training.epochs or training.history.stopped is not None:
            state, lost = captured(training)
            if first:
                kept = f"{os.fspath(self.path)} does not keep the state of"
                self._warn(kept, lost, "; training that goes on from it differs")
                save(state, self.path)

    def _warn(self, what: str, reasons: dict[str, str], consequence: str) -> None:
        """Says once in a training which generators the file can't answer for."""
        new = {name: reason for name, reason in reasons.items() if name not in self.warned}
        self.warned.update(new)
        if new:
            listed = ", ".join(f"{name} ({reason})" for name, reason in new.items())
            warn(f"Checkpoint: {what} {listed}{consequence}")

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best.value}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best.value = best_value(state_dict, "Checkpoint")


def captured(training: Training) -> tuple[dict[str, Any], dict[str, str]]:
    """The state of a training after an epoch, in terms that `save` can write, and the generators that it lacks.

    Of several processes all take part, and the first gets the state.
    """
    found = generators.find(training)
    random, *others = training.group.to_first(
        {name: generators.get_state(generator) for name, generator in found.kept.items()}
    ) or [{}]
    state = {
        "format": FORMAT,
        "epochs": training.epoch + 1,
        "steps": training.steps,
        "batch_loss": training.batch_loss,
        "history": {name: [float(value) for value in values] for name, values in training.history.items()},
        "model": training.model.state_dict(),
        "optimizer": training.group.state_of(training.optimizer),
        "callbacks": [[type(each).__name__, each.state_dict()] for each in stateful(training)],
        "random": random,
    }
    if others:
        state["ranks"] = others  # the generators of further processes
    return state, found.lost


def restore(training: Training, state: dict[str, Any], path: str) -> dict[str, str]:
    """Puts a training into a captured state, or leaves it as it is.

    Returns:
        The generators that are in the file or in the training alone, and which of the two.

    Raises:
        ValueError: the file is no checkpoint, or one of a training with other callbacks or measures.
        Exception: what the model, the optimiser or a callback says of a state that does not fit.
    """
    callbacks = stateful(training)
    check(training, callbacks, state, path)
    found, rank = generators.find(training).kept, training.group.rank
    drawn = [state["random"], *state.get("ranks", ())]
    random = drawn[rank] if rank < len(drawn) else dict.fromkeys(found)
    both = [name for name in found if random.get(name) is not None]
    optimizer = training.optimizer
    take = getattr(optimizer, "local_state_dict", optimizer.state_dict)  # of states shared out, this process's
    parts = [
        Part(training.model.state_dict, training.model.load_state_dict, state["model"]),
        Part(take, optimizer.load_state_dict, state["optimizer"]),
        *(
            Part(each.state_dict, each.load_state_dict, saved)
            for each, (_, saved) in zip(callbacks, state["callbacks"], strict=True)
        ),
        *(Part.of_generator(found[name], random[name]) for name in both),
    ]
    load_all(parts, path)
    training.epoch, training.steps, training.batch_loss = state["epochs"], state["steps"], state["batch_loss"]
    training.history.update(state["history"])
    return {
        **{name: "in the file alone" for name in random if name not in found},
        **{name: "in this training alone" for name in found if name not in random},
    }


class Part:
    """A part of a training's state: how it is taken, how it is put in place, and the one that is to come."""

    def __init__(self, take: Callable[[], Any], put: Callable[[Any], Any], new: Any):
        self.take, self.put, self.new = take, put, new

    @classmethod
    def of_generator(cls, generator: Any, new: Any) -> Part:
        """A random generator as a part."""
        return cls(lambda: generators.get_state(generator), lambda state: generators.set_state(generator, state), new)


def load_all(parts: list[Part], path: str) -> None:
    """Puts all parts into their new states; if one of them refuses, it and those before it get their old ones."""
    old = [deepcopy(part.take()) for part in parts]
    for position, part in enumerate(parts):
        try:
            part.put(part.new)
        except BaseException as error:
            for each, state in zip(parts[: position + 1], old, strict=False):
                try:
                    each.put(state)
                except Exception as again:
                    error.add_note(f"putting back what was there before failed too: {type(again).__name__}: {again}")
            error.add_note(f"while resuming from {path}; nothing was changed")
            raise


def check(training: Training, callbacks: list[Callback], state: dict[str, Any], path: str) -> None:
    """Raises ValueError unless the state has the form of a checkpoint, and of one of such a training."""
    form = state.get("format")
    if form == 1:
        raise ValueError(
            f"{path} is a checkpoint of an earlier version: got format 1, expected {FORMAT}; "
            f"load its parts by hand: model.load_state_dict(td.load(...)['model'])"
        )
    if form != FORMAT:
        raise ValueError(
            f"{path}: got another file, expected a checkpoint of a training; to load weights, use "
            "model.load_state_dict(td.load(...))"
        )
    for name, least in (("epochs", 1), ("steps", 0)):
        if type(state.get(name)) is not int or state[name] < least:
            raise ValueError(f"{path} is damaged: got {name}={state.get(name)!r:.60}, expected {least} or more")
    for name, kind in {"batch_loss": float, "history": dict, "callbacks": list, "random": dict}.items():
        if not isinstance(state.get(name), kind):
            raise ValueError(f"{path} is damaged: got {name}={state.get(name)!r:.60}, expected a {kind.__name__}")
    ranks = state.get("ranks", [])
    if not isinstance(ranks, list) or not all(isinstance(each, dict) for each in ranks):
        raise ValueError(f"{path} is damaged: got ranks={ranks!r:.60}, expected a list of dicts")
    for name, values in state["history"].items():
        if not isinstance(values, list) or [type(each) for each in values] != [float] * state["epochs"]:
            raise ValueError(
                f"{path} is damaged: got the history {values!r:.60} of {name}, expected a number for each of "
                f"{state['epochs']} epochs"
            )
    if not all(isinstance(each, list) and len(each) == 2 for each in state["callbacks"]):
        raise ValueError(f"{path} is damaged: got callbacks={state['callbacks']!r:.60}, expected pairs")
    for what, saved, own in (
        ("callbacks", [name for name, _ in state["callbacks"]], [type(each).__name__ for each in callbacks]),
        ("measures", list(state["history"]), training.names),
    ):
        if saved != own:
            raise ValueError(
                f"{path}: got the state of a training with the {what} {saved}, expected {own}, as this one has"
            )


def stateful(training: Training) -> list[Callback]:
    """The callbacks that say what is to be kept of them; a bar may be there in one run and not in the next."""
    return [each for each in training.callbacks if type(each).state_dict is not Callback.state_dict]
