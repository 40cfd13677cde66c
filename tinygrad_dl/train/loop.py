"""fit, evaluate and predict: the loops over epochs and batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.modes import no_grad
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.nn import Module
from tinygrad_dl.ops.shape.joining import cat
from tinygrad_dl.optim import Optimizer
from tinygrad_dl.train.batches import (
    Means,
    forward,
    mode_kept,
    nothing,
    number,
    opened,
    pair,
    require_batches,
    size_of,
    tensors,
    text,
)
from tinygrad_dl.train.callback import Callback, Hooks
from tinygrad_dl.train.display import Progress
from tinygrad_dl.train.ranks import begin_epoch, ranks, unwrapped
from tinygrad_dl.train.training import History, Metric, Training


def fit(
    model: Module,
    loss: Metric,
    optimizer: Optimizer,
    train: Iterable[Any],
    dev: Iterable[Any] | None = None,
    *,
    epochs: int,
    metrics: Mapping[str, Metric] | None = None,
    callbacks: Callback | Sequence[Callback] = (),
    progress: bool = False,
    stop_on_nan: bool = True,
    compile: bool = False,
) -> History:
    """Trains a model: for each epoch a pass over `train` with a step for each batch, then one over `dev` without.

    Args:
        model: its modules are set to training mode for `train` and to evaluation mode for `dev`; afterwards they are
            in the mode in which they came.
        loss: `loss(output, target)`, the mean over a batch: `nn.CrossEntropyLoss()` or a function.
        optimizer: made with the model's parameters.
        train: batches (input, target), gone through once in each epoch: a `DataLoader` or a list of pairs. Arrays
            become tensors. Several inputs go into a tuple: ((a, b), target) calls `model(a, b)`.
        dev: batches to measure on after each epoch.
        epochs: how many there are in all; a resumed training counts those it ran before.
        metrics: by name, `metric(output, target)`, a mean over a batch such as the share of right answers. On
            `train` it is measured as the epoch goes, on the outputs that the loss had.
        callbacks: what else happens, one or several; see `Callback`.
        progress: whether to show a bar, which needs tqdm.
        stop_on_nan: whether a loss that is no finite number ends training with an error, before it reaches the
            weights.
        compile: whether the steps are run as programs, by `td.compile`: one for each shape of batches.

    In a program that `mpirun` has started, after `td.distributed.init_process_group()`, all processes train one model:
    call `fit` in all of them. The model is wrapped in `nn.parallel.DistributedDataParallel`. A `DataLoader` of a
    dataset, in order or shuffled, gives each process its share of the samples (`data.DistributedSampler`), in batches
    of its own `batch_size`; whatever else gives batches is taken as this process's share, such as a loader with another
    sampler. What is measured is a mean over the samples of all processes. Bars, boards and files are the first
    process's; when a callback stops in one process, all stop, and the learning rates are those of the first.

    Returns:
        A `History`: "train_loss" and, with a dev set, "dev_loss", each metric likewise; one number an epoch.

    Raises:
        ValueError: no batch, no epoch, or an optimiser of another model; among several processes other numbers of
            batches, or `compile` of a wrapped model; before any step. The loss is no single number.
        TypeError: an argument of the wrong kind; before any step.
        FloatingPointError: a loss is no finite number, with `stop_on_nan`.
        Exception: what a callback has raised, with a note that names it and its hook.

    >>> from tinygrad_dl import nn
    >>> generator = td.manual_seed(0)
    >>> x = td.randn(128, 2)
    >>> y = (x.sum(1) > 0).long()
    >>> train, dev = [(x[:96], y[:96])], [(x[96:], y[96:])]
    >>> model = nn.Linear(2, 2)
    >>> optimizer = td.optim.Adam(model.parameters(), lr=0.1)
    >>> accuracy = lambda output, target: (output.argmax(1) == target).float().mean()
    >>> history = td.train.fit(
    ...     model, nn.CrossEntropyLoss(), optimizer, train, dev, epochs=30, metrics={"accuracy": accuracy}
    ... )
    >>> list(history)
    ['train_loss', 'train_accuracy', 'dev_loss', 'dev_accuracy']
    >>> history["dev_accuracy"][-1] > 0.9
    True

    Source: https://docs.pytorch.org/tutorials/beginner/introyt/trainingyt.html
    """
    callbacks = several(callbacks) + ([Progress()] if progress else [])
    _check(model, loss, optimizer, epochs, callbacks)
    metrics = by_name(metrics, "fit")
    epochs = int(epochs)
    require_batches(train, "fit: train")
    if dev is not None:
        require_batches(dev, "fit: dev")
    group = ranks()
    parallel, model = group.parallel(model, compile), unwrapped(model)
    train, dev = group.share(train), None if dev is None else group.part(dev)
    require_batches(train, "fit: train")
    training = Training(model, loss, optimizer, train, dev, epochs, metrics, callbacks, group)
    hooks = Hooks(training)
    # Whether nobody looks on in between.
    whole = compile and not (hooks.listeners["on_before_step"] or metrics or group.averages)
    step = training_step(parallel, loss, optimizer, stop_on_nan, whole)
    if compile:
        from tinygrad_dl.compiler.compiled import Compiled

        step = Compiled(step, name="fit")
    try:
        with mode_kept(model):
            hooks.call("on_fit_start")
            group.agree(training)
            while training.epoch < epochs and training.history.stopped is None:
                model.train()
                begin_epoch(train, training.epoch)
                hooks.call("on_epoch_start")
                group.agree(training)
                if training.history.stopped is not None:
                    break
                found = group.reduced(_epoch(training, hooks, step, whole)).result("fit: train")
                measured = {f"train_{name}": value for name, value in found.items()}
                group.even(model)
                if dev is not None:
                    found = group.reduced(_measure(model, dev, loss, training.metrics, "dev")).result("fit: dev")
                    if stop_on_nan and not math.isfinite(found["loss"]):
                        raise _not_finite(training, found["loss"], "dev loss")
                    measured.update((f"dev_{name}", value) for name, value in found.items())
                for name, value in measured.items():
                    training.history[name].append(value)
                hooks.call("on_epoch_end")
                group.agree(training)
                training.epoch += 1
            hooks.call("on_fit_end")
    except BaseException as error:
        failed = hooks.teardown()
        if failed is not None:
            notes = "; ".join(getattr(failed, "__notes__", ()))
            error.add_note(f"and then {type(failed).__name__}: {failed} ({notes})")
        raise
    failed = hooks.teardown()
    if failed is not None:
        raise failed
    return training.history


class NotFinite(Exception):
    """A loss that is no finite number."""

    def __init__(self, value: float):
        super().__init__()
        self.value = value


def training_step(
    model: Module, loss: Metric, optimizer: Optimizer, stop_on_nan: bool, whole: bool
) -> Callable[[Any, Any], tuple[Any, Any]]:
    """A function of a batch that returns output and loss: forward and backward, and if `whole` the optimiser's step.

    It raises `NotFinite` before anything is changed.
    """

    def step(inputs: Any, target: Any) -> tuple[Any, Any]:
        optimizer.zero_grad()
        output = forward(model, inputs)
        found = loss(output, target)
        if not isinstance(found, Tensor) or found.numel() != 1:
            number(found, "the loss")  # which says what was expected
        if stop_on_nan and not np.isfinite(found._data).all():
            raise NotFinite(number(found, "the loss"))
        found.backward()
        if whole:
            optimizer.step()
        return output, found

    return step


def _epoch(training: Training, hooks: Hooks, step: Any, whole: bool) -> Means:
    """One pass over the train set; the means of what was measured."""
    optimizer, means = training.optimizer, Means()
    before_step, batch_end = (bool(hooks.listeners[name]) for name in ("on_before_step", "on_batch_end"))
    training.batch = -1
    with opened(training.train) as batches:
        for training.batch, batch in enumerate(batches):
            inputs, target = pair(batch, f"fit: batch {training.batch + 1} of train")
            try:
                output, loss = step(inputs, target)
                values = {"loss": number(loss, "the loss")}
                if training.metrics:
                    values.update(_metrics(training.metrics, output, target))
            except Exception as error:
                raised = error
                if isinstance(error, NotFinite):
                    raised = _not_finite(training, error.value, f"loss of batch {training.batch + 1}")
                where = f"in epoch {training.epoch + 1}, batch {training.batch + 1} of train"
                raised.add_note(f"{where}: input {text(inputs)}, target {text(target)}")
                if raised is not error:
                    raise raised from None
                raise
            if not whole:
                training.group.average()
                if before_step:
                    hooks.call("on_before_step")
                optimizer.step()
            training.steps += 1
            training.batch_loss = values["loss"]
            means.add(size_of(inputs), values)
            if batch_end:
                hooks.call("on_batch_end")
    if training.batch < 0:
        raise nothing(f"fit: train, in epoch {training.epoch + 1},")
    return means


def _metrics(metrics: Mapping[str, Metric], output: Any, target: Any) -> dict[str, float]:
    with no_grad():
        return {name: number(metric(output, target), f"the metric {name!r}") for name, metric in metrics.items()}


def _measure(model: Module, data: Iterable[Any], loss: Metric, metrics: Mapping[str, Metric], what: str) -> Means:
    means = Means()
    with mode_kept(model), no_grad(), opened(data) as batches:
        model.eval()
        for position, batch in enumerate(batches):
            inputs, target = pair(batch, f"batch {position + 1} of {what}")
            try:
                output = forward(model, inputs)
                values = {"loss": number(loss(output, target), "the loss"), **_metrics(metrics, output, target)}
            except Exception as error:
                error.add_note(f"in batch {position + 1} of {what}: input {text(inputs)}, target {text(target)}")
                raise
            means.add(size_of(inputs), values)
    return means


def evaluate(
    model: Module, data: Iterable[Any], loss: Metric, metrics: Mapping[str, Metric] | None = None
) -> dict[str, float]:
    """The mean loss and metrics of a model over batches, in evaluation mode and without recording.

    Args:
        data: batches (input, target).
        loss: `loss(output, target)`, the mean over a batch.
        metrics: by name, `metric(output, target)`, a mean over a batch.

    Raises:
        ValueError: there is no batch.

    >>> model = td.nn.Identity()
    >>> td.train.evaluate(model, [(td.tensor([1.0, 2.0]), td.tensor([1.0, 4.0]))], td.nn.MSELoss())
    {'loss': 2.0}

    Source: https://docs.pytorch.org/tutorials/beginner/basics/optimization_tutorial.html
    """
    require_batches(data, "evaluate: data")
    return _measure(model, data, loss, by_name(metrics, "evaluate"), "data").result("evaluate: data")


def predict(model: Module, data: Any) -> Tensor:
    """The outputs of a model for all of the data, one after the other, in evaluation mode and without recording.

    Args:
        data: a tensor or an array of inputs; or batches: inputs, or pairs (input, target) whose targets are left
            aside.

    Raises:
        ValueError: there is no batch.

    >>> td.train.predict(td.nn.Dropout(), [(td.ones(2), td.zeros(2)), (td.ones(1), td.zeros(1))])
    tensor([1., 1., 1.])

    Source: https://lightning.ai/docs/pytorch/stable/deploy/production_basic.html
    """
    if isinstance(data, Tensor | np.ndarray):
        data = [data]
    require_batches(data, "predict: data")
    outputs: list[Tensor] = []
    with mode_kept(model), no_grad(), opened(data) as batches:
        model.eval()
        for batch in batches:
            inputs = batch[0] if isinstance(batch, tuple | list) else batch
            outputs.append(forward(model, tensors(inputs)))
    if not outputs:
        raise nothing("predict: data")
    return outputs[0] if len(outputs) == 1 else cat(outputs)


def several(callbacks: Any) -> list[Any]:
    """One callback, several or None, as a list."""
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, Iterable) else [callbacks]


def by_name(metrics: Any, what: str) -> Mapping[str, Metric]:
    """The metrics, once they are functions by name."""
    if metrics is None:
        return {}
    example = "such as {'accuracy': lambda output, target: (output.argmax(1) == target).float().mean()}"
    if not isinstance(metrics, Mapping):
        raise TypeError(f"{what}: got metrics={metrics!r:.60}, expected a dict of functions by name, {example}")
    for name, metric in metrics.items():
        if name == "loss" or not callable(metric):
            raise TypeError(
                f"{what}: got metrics[{name!r}]={metric!r:.60}, expected a function of (output, target) under another "
                f"name than 'loss', {example}"
            )
    return metrics


def _check(model: Any, loss: Any, optimizer: Any, epochs: Any, callbacks: Sequence[Any]) -> None:
    """Raises for arguments with which training can't begin."""
    if not isinstance(model, Module):
        raise TypeError(f"fit: got a {type(model).__name__} for model, expected an nn.Module")
    if not callable(loss):
        raise TypeError(f"fit: got a {type(loss).__name__} for loss, expected a function of (output, target)")
    if isinstance(loss, type):
        raise TypeError(
            f"fit: got the class {loss.__name__} for loss, expected a function of (output, target); make one: "
            f"{loss.__name__}()"
        )
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"fit: got a {type(optimizer).__name__} for optimizer, expected one such as td.optim.Adam(...)")
    if isinstance(epochs, bool) or not isinstance(epochs, int | np.integer):
        raise TypeError(f"fit: got epochs={epochs!r}, expected an integer")
    if epochs < 1:
        raise ValueError(f"fit: got epochs={epochs}, expected 1 or more")
    own = {id(parameter) for parameter in model.parameters()}
    if not any(id(p) in own for group in optimizer.param_groups for p in group["params"]):
        raise ValueError(
            "fit: got an optimiser with none of the model's parameters, expected one made with them, or the model "
            "would not learn; make it with model.parameters()"
        )
    for callback in callbacks:
        if not isinstance(callback, Callback):
            step = f"; make one: {callback.__name__}(...)" if isinstance(callback, type) else ""
            raise TypeError(
                f"fit: got {summary(callback)} as a callback, expected objects of subclasses of td.train.Callback{step}"
            )


def _not_finite(training: Training, value: float, what: str) -> FloatingPointError:
    before = f"{training.batch_loss:.4g} at the step before" if training.steps else "no step was taken yet"
    return FloatingPointError(
        f"fit: the {what} in epoch {training.epoch + 1} is {value} ({before}); lower the learning rate, clip the "
        f"gradients (td.train.ClipGradients(max_norm=1.0)), or look for NaN in the data; stop_on_nan=False goes on"
    )
