"""Callback: what can be hung into the training loop, and how its hooks are called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_dl.core.composition import Composed
from tinygrad_dl.train.training import Training

HOOKS = ("on_fit_start", "on_epoch_start", "on_before_step", "on_batch_end", "on_epoch_end", "on_fit_end")
OUTSIDE = ("on_fit_start", "on_fit_end", "teardown")  # of an epoch


class Callback(Composed):
    """The base of all callbacks. A subclass defines the hooks it needs; each gets the `Training`.

    What a hook raises ends training, and comes out of `fit` as it is, with a note that names the callback and the hook.

    Attributes:
        order: callbacks with a higher one run later, those with the same in the order in which they are given.
        first_only: whether, of several processes that train together, it runs in the first alone: for what is shown
            or written once. All others run everywhere, and see the same measures.

    >>> class GradientNorms(td.train.Callback):
    ...     def __init__(self):
    ...         self.norms = []
    ...     def on_before_step(self, training):
    ...         gradients = [p.grad for p in training.model.parameters()]
    ...         self.norms.append(td.nn.utils.get_total_norm(gradients).item())
    >>> model, norms = td.nn.Linear(2, 1), GradientNorms()
    >>> optimizer = td.optim.SGD(model.parameters(), lr=0.1)
    >>> data = [(td.ones(4, 2), td.ones(4, 1))] * 3
    >>> history = td.train.fit(model, td.nn.MSELoss(), optimizer, data, epochs=2, callbacks=[norms])
    >>> len(norms.norms)
    6

    Source: https://lightning.ai/docs/pytorch/stable/extensions/callbacks.html
    """

    order = 0
    first_only = False

    def on_fit_start(self, training: Training) -> None:
        """Before the first epoch."""

    def on_epoch_start(self, training: Training) -> None:
        """Before the first batch of an epoch."""

    def on_before_step(self, training: Training) -> None:
        """The gradients are there, and the optimiser has not used them yet."""

    def on_batch_end(self, training: Training) -> None:
        """The optimiser has made its step."""

    def on_epoch_end(self, training: Training) -> None:
        """The epoch is measured: its numbers are the last in `training.history`."""

    def on_fit_end(self, training: Training) -> None:
        """After the last epoch, if nothing was raised."""

    def teardown(self, training: Training) -> None:
        """At the very end, also when something was raised, even before this callback's first hook."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of this callback, in terms that `td.save` can write."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what `state_dict` gave."""


class Hooks:
    """Calls the hooks that callbacks have defined, and no others: a batch costs nothing where nobody listens."""

    def __init__(self, training: Training):
        self.training = training
        self.listeners: dict[str, Sequence[Callback]] = {
            name: [
                each
                for each in training.callbacks
                if getattr(type(each), name) is not getattr(Callback, name)
                and not (each.first_only and training.group.rank)
            ]
            for name in (*HOOKS, "teardown")
        }

    def call(self, name: str) -> None:
        """One hook of all callbacks, in their order."""
        for callback in self.listeners[name]:
            self.run(callback, name)

    def run(self, callback: Callback, name: str) -> None:
        """One hook of one callback. What it raises goes through as it is: others wait for exceptions of theirs."""
        try:
            getattr(callback, name)(self.training)
        except Exception as error:
            when = f", epoch {self.training.epoch + 1}" if name not in OUTSIDE else ""
            error.add_note(f"raised by the callback {type(callback).__name__} in {name}{when}")
            raise

    def teardown(self) -> Exception | None:
        """Tears all callbacks down, last first, whatever happens to one of them; the first error, if any."""
        failed = None
        for callback in reversed(self.listeners["teardown"]):
            try:
                self.run(callback, "teardown")
            except Exception as error:
                failed = failed or error
        return failed
