"""Progress and TensorBoard: what can be watched while a model trains."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from tinygrad_dl.train.callback import Callback
from tinygrad_dl.train.training import Training
from tinygrad_dl.writing import Path


def needed(module: str, what: str, extra: str) -> Any:
    """An optional package, or the error that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImportError(f"{what} needs {module}; install it with: pip install 'tinygrad_dl[{extra}]'") from None


class Progress(Callback):
    """A bar over all batches, with the loss, the last measurements and the time that is left. Needs tqdm.

    Args:
        options: what tqdm takes, such as `file=` or `mininterval=`.

    Raises:
        ImportError: tqdm is not installed.

    >>> import io
    >>> import tinygrad_dl as td
    >>> model = td.nn.Linear(1, 1)
    >>> optimizer = td.optim.SGD(model.parameters(), lr=0.1)
    >>> data = [(td.ones(4, 1), td.ones(4, 1))] * 3
    >>> bar = td.train.Progress(file=io.StringIO())
    >>> history = td.train.fit(model, td.nn.MSELoss(), optimizer, data, epochs=2, callbacks=[bar])
    >>> "6/6" in bar.options["file"].getvalue()
    True

    Source: https://tqdm.github.io/docs/tqdm/
    """

    first_only = True

    def __init__(self, **options: Any):
        self.options = options
        self.tqdm = needed("tqdm", "Progress", "progress").tqdm
        self.bar: Any = None
        self.measured: dict[str, str] = {}

    def on_epoch_start(self, training: Training) -> None:
        if self.bar is None:
            size = getattr(type(training.train), "__len__", None)
            batches = size(training.train) if size else None
            total = training.epochs * batches if batches else None
            self.measured = {}
            options = {"unit": "batch", "dynamic_ncols": True, **self.options}
            self.bar = self.tqdm(total=total, initial=training.epoch * (batches or 0), **options)
        self.bar.set_description(f"epoch {training.epoch + 1}/{training.epochs}", refresh=False)

    def on_batch_end(self, training: Training) -> None:
        self.bar.set_postfix({"loss": f"{training.batch_loss:.4g}", **self.measured}, refresh=False)
        self.bar.update()

    def on_epoch_end(self, training: Training) -> None:
        self.measured = {name: f"{training.latest(name):.4g}" for name in training.names}
        self.bar.set_postfix(self.measured)

    def teardown(self, training: Training) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "bar": None}


class TensorBoard(Callback):
    """Writes measurements and learning rates of each epoch for TensorBoard to show. Needs tensorboardX.

    Args:
        folder: where to; each run has one of its own. `tensorboard --logdir` shows it.
        histograms: whether to write those of the parameters and of their gradients too. Values that are infinite or no
            number have no place in one; their count is written beside it, as "not_finite/...".

    Raises:
        ImportError: tensorboardX is not installed.

    >>> import os, tempfile
    >>> import tinygrad_dl as td
    >>> model = td.nn.Linear(1, 1)
    >>> optimizer = td.optim.SGD(model.parameters(), lr=0.1)
    >>> data = [(td.ones(4, 1), td.ones(4, 1))]
    >>> board = td.train.TensorBoard(tempfile.mkdtemp())
    >>> history = td.train.fit(model, td.nn.MSELoss(), optimizer, data, epochs=2, callbacks=[board])
    >>> [name.split(".")[0] for name in os.listdir(board.folder)]
    ['events']

    Source: https://tensorboardx.readthedocs.io/en/latest/tensorboard.html
    """

    first_only = True

    def __init__(self, folder: Path, histograms: bool = False):
        self.folder, self.histograms = folder, histograms
        self.module = "tensorboardX"
        needed(self.module, "TensorBoard", "tensorboard")
        self.writer: Any = None

    def on_epoch_end(self, training: Training) -> None:
        if self.writer is None:
            self.writer = importlib.import_module(self.module).SummaryWriter(logdir=self.folder)
        epoch = training.epoch + 1
        for name in training.names:
            part, _, measure = name.partition("_")
            self.writer.add_scalar(f"{measure}/{part}", training.latest(name), epoch)
        for position, group in enumerate(training.optimizer.param_groups):
            self.writer.add_scalar(f"lr/{position}", float(group["lr"]), epoch)
        if self.histograms:
            for path, parameter in training.model.named_parameters():
                self._histogram(f"{path}/value", parameter._data, epoch)
                if parameter.grad is not None:
                    self._histogram(f"{path}/gradient", parameter.grad._data, epoch)

    def _histogram(self, name: str, values: np.ndarray, epoch: int) -> None:
        """Writes a histogram of the finite values, and how many others there are."""
        values = np.abs(values) if np.iscomplexobj(values) else np.asarray(values, np.float64)
        finite = values[np.isfinite(values)]
        if finite.size:
            self.writer.add_histogram(name, finite, epoch)
        if finite.size < values.size:
            self.writer.add_scalar(f"not_finite/{name}", values.size - finite.size, epoch)

    def teardown(self, training: Training) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None
