"""The state of a training that is under way, which callbacks read and may change, and its history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tinygrad_dl.core.composition import Composed
from tinygrad_dl.nn import Module
from tinygrad_dl.optim import Optimizer
from tinygrad_dl.train.ranks import Alone

Metric = Callable[[Any, Any], Any]


class History(dict[str, list[float]]):
    """What was measured, by name, with one number for each epoch: `history["dev_loss"][3]`.

    A dict, so that it goes to `viz.plot_curves` or a data frame as it is.

    Attributes:
        stopped: why training ended before its last epoch; None if it did not.
        kept: the index of the epoch whose weights the model was left with, if `EarlyStopping` put them back.

    >>> history = td.train.History(train_loss=[0.9, 0.5], dev_loss=[1.0, 0.8])
    >>> history
    epoch  train_loss  dev_loss
        1         0.9         1
        2         0.5       0.8

    Source: https://keras.io/api/models/model_training_apis/
    """

    stopped: str | None = None
    kept: int | None = None

    def __repr__(self) -> str:
        lines = ["  ".join(["epoch", *self])]
        for epoch, values in enumerate(zip(*self.values(), strict=True), 1):
            cells = (f"{value:{len(name)}.4g}" for name, value in zip(self, values, strict=True))
            lines.append("  ".join([f"{epoch:5}", *cells]))
        return "\n".join(lines)

    def _repr_html_(self) -> str | None:
        from tinygrad_dl.train.notebook import history_page

        return history_page(self)


class Training(Composed):
    """A training under way. Each hook of a callback gets it.

    Attributes:
        model, loss, optimizer, train, dev, metrics, epochs: what `fit` was given; in one of several processes the model
            itself, and this process's share of the data.
        group: the processes that train together; `group.rank` says which of them this is, `group.size` how many.
        callbacks: in the order in which their hooks run.
        epoch: the index of the epoch, from 0; `batch`: the index of the batch in it; `steps`: how many steps the
            optimiser has taken in all.
        batch_loss: the loss of the last batch.
        history: what was measured so far.
        names: what is measured in each epoch, such as "train_loss" and "dev_accuracy".

    >>> class Report(td.train.Callback):
    ...     def on_epoch_end(self, training):
    ...         print(training.epoch, training.steps, training.names)
    ...         training.stop("seen enough")
    >>> model = td.nn.Linear(2, 1)
    >>> optimizer = td.optim.SGD(model.parameters(), lr=0.1)
    >>> data = [(td.ones(4, 2), td.ones(4, 1))]
    >>> history = td.train.fit(model, td.nn.MSELoss(), optimizer, data, epochs=9, callbacks=[Report()])
    0 1 ['train_loss']
    >>> history.stopped
    'seen enough'

    Source: https://lightning.ai/docs/pytorch/stable/common/trainer.html
    """

    def __init__(
        self,
        model: Module,
        loss: Metric,
        optimizer: Optimizer,
        train: Iterable[Any],
        dev: Iterable[Any] | None,
        epochs: int,
        metrics: Mapping[str, Metric],
        callbacks: Iterable[Any],
        group: Alone | None = None,
    ):
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.group = group or Alone()
        self.train, self.dev, self.epochs, self.metrics = train, dev, epochs, dict(metrics)
        self.callbacks = sorted(callbacks, key=lambda callback: callback.order)  # sorted() keeps the order of equals
        self.epoch = self.batch = self.steps = 0
        self.batch_loss = float("nan")
        sets = ["train"] if dev is None else ["train", "dev"]
        self.names = [f"{part}_{name}" for part in sets for name in ("loss", *metrics)]
        self.history = History((name, []) for name in self.names)

    def stop(self, reason: str) -> None:
        """Ends training after this epoch; from `on_epoch_start`, before it."""
        self.history.stopped = reason

    def latest(self, monitor: str) -> float:
        """What was measured last under a name."""
        return self.history[monitor][-1]

    def monitored(self, monitor: str | None, who: str = "Training.monitored") -> str:
        """The name that a callback is to watch: the one given, or the loss on the dev set, or that on the train set.

        Raises:
            ValueError: nothing is measured under that name.
        """
        if monitor is None:
            return "train_loss" if self.dev is None else "dev_loss"
        if monitor not in self.names:
            raise ValueError(
                f"{who}: got monitor={monitor!r}, which is not measured, expected one of {self.names}; dev_... needs a "
                "dev set, and all but the loss an entry in metrics"
            )
        return monitor
