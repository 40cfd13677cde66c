"""EarlyStopping: ends training when it no longer helps, and puts the best weights back."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.train.callback import Callback
from tinygrad_dl.train.training import Training


class Best:
    """The best value so far of what is monitored.

    Args:
        monitor: what to watch; None: the loss on the dev set, or on the train set if there is none.
        mode: "min" or "max"; None: "min" for a loss, and for anything else an error.
        min_delta: by how much a value must be better to count.
    """

    def __init__(self, monitor: str | None, mode: str | None, min_delta: float = 0.0):
        if mode not in ("min", "max", None):
            raise ValueError(f"got mode={mode!r}, expected 'min' or 'max'")
        if mode is None and monitor is not None and not monitor.endswith("loss"):
            raise ValueError(
                f"got monitor={monitor!r} without mode, expected mode='min' or mode='max': whether less of it is better"
            )
        if min_delta < 0:
            raise ValueError(f"got min_delta={min_delta}, expected 0 or more")
        self.monitor, self.sign, self.min_delta = monitor, -1.0 if mode == "max" else 1.0, min_delta
        self.value = math.inf * self.sign

    def improved(self, training: Training) -> bool:
        """Whether the last epoch is better than all before; then it is the best from now on."""
        value = training.latest(training.monitored(self.monitor))
        if not self.sign * value < self.sign * self.value - self.min_delta:  # NaN is no improvement
            return False
        self.value = value
        return True


class EarlyStopping(Callback):
    """Ends training when what it monitors has not got better for `patience` epochs; the best weights are put back.

    Args:
        monitor: what to watch, such as "dev_accuracy"; by default the loss on the dev set.
        patience: how many epochs without progress are put up with.
        min_delta: by how much a value must be better to count as progress.
        mode: "min" if less is better, "max" if more is; needed for anything but a loss.
        restore_best: whether the model ends with the weights of its best epoch, whose index is `history.kept`.

    Raises:
        ValueError: an option out of its range, or a metric without `mode`; at the start of `fit`: no dev set and no
            `monitor`, or one that is not measured.

    >>> model = td.nn.Linear(1, 1)
    >>> optimizer = td.optim.SGD(model.parameters(), lr=0.1)
    >>> data = [(td.ones(4, 1), td.ones(4, 1))]
    >>> stopping = td.train.EarlyStopping("train_loss", patience=2, min_delta=10.0)  # none is so much better
    >>> history = td.train.fit(model, td.nn.MSELoss(), optimizer, data, epochs=9, callbacks=[stopping])
    >>> len(history["train_loss"]), history.kept
    (3, 0)
    >>> history.stopped
    'train_loss has not got better for 2 epochs'

    Source: https://lightning.ai/docs/pytorch/stable/api/lightning.pytorch.callbacks.EarlyStopping.html
    """

    def __init__(
        self,
        monitor: str | None = None,
        patience: int = 10,
        min_delta: float = 0.0,
        mode: str | None = None,
        restore_best: bool = True,
    ):
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 1:
            raise ValueError(f"EarlyStopping: got patience={patience!r}, expected 1 or more epochs")
        self.monitor, self.mode, self.min_delta = monitor, mode, min_delta
        self.patience, self.restore_best = patience, restore_best
        self._begin()

    def _begin(self) -> None:
        self.best = Best(self.monitor, self.mode, self.min_delta)
        self.waited = 0
        self.kept: int | None = None
        self.weights: dict[str, Tensor] = {}
        self.shapes: dict[str, Any] = {}

    def on_fit_start(self, training: Training) -> None:
        if self.monitor is None and training.dev is None:
            raise ValueError(
                "EarlyStopping: got no dev set to watch, expected one in fit (dev=...); or say what to watch instead: "
                "monitor='train_loss', which goes on falling while a model overfits"
            )
        training.monitored(self.monitor, "EarlyStopping")
        self._begin()
        self.shapes = shapes_of(training.model.state_dict())

    def on_epoch_start(self, training: Training) -> None:
        self._stop(training)  # a training that was resumed after it had been stopped

    def on_epoch_end(self, training: Training) -> None:
        self.waited += 1
        if self.best.improved(training):
            self.waited, self.kept = 0, training.epoch
            if self.restore_best:
                self.weights = {name: value.clone() for name, value in training.model.state_dict().items()}
        self._stop(training)

    def _stop(self, training: Training) -> None:
        if self.waited >= self.patience:
            training.stop(f"{training.monitored(self.monitor)} has not got better for {self.waited} epochs")

    def on_fit_end(self, training: Training) -> None:
        if self.weights:
            training.model.load_state_dict(self.weights)
            training.history.kept = self.kept

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best.value, "waited": self.waited, "kept": self.kept, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        best = best_value(state_dict, "EarlyStopping")
        waited, kept, weights = (state_dict.get(name) for name in ("waited", "kept", "weights"))
        for name, value, fits in (
            ("waited", waited, type(waited) is int and waited >= 0),
            ("kept", kept, kept is None or (type(kept) is int and kept >= 0)),
            ("weights", weights, isinstance(weights, dict) and (not weights or shapes_of(weights) == self.shapes)),
        ):
            if not fits:
                expected = "the model's names and shapes" if name == "weights" else "a number of epochs"
                raise ValueError(f"EarlyStopping.load_state_dict: got {name}={value!r:.60}, expected {expected}")
        assert isinstance(waited, int) and isinstance(weights, dict)
        self.best.value, self.waited, self.kept, self.weights = best, waited, kept, weights


def shapes_of(weights: dict[str, Any]) -> dict[str, Any]:
    """The shape of each tensor in a state dict; None for what is none."""
    return {name: getattr(value, "shape", None) for name, value in weights.items()}


def best_value(state_dict: Any, who: str) -> float:
    """The entry "best" of a callback's state: a number."""
    value: Any = state_dict.get("best") if isinstance(state_dict, dict) else None
    if type(value) not in (int, float) or math.isnan(value):
        raise ValueError(f"{who}.load_state_dict: got best={value!r:.60}, expected a number")
    return float(value)
