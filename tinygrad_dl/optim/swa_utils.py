"""Averages of a model's parameters over its training: stochastic weight averaging and exponential moving averages.

>>> import tinygrad_dl as td
>>> from tinygrad_dl.optim.swa_utils import AveragedModel, SWALR
>>> model = td.nn.Linear(1, 1, bias=False)
>>> averaged = AveragedModel(model)
>>> for value in (1.0, 2.0, 6.0):
...     _ = td.nn.init.constant_(model.weight, value)
...     averaged.update_parameters(model)
>>> averaged(td.ones(1, 1)).item()
3.0
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from itertools import chain
from typing import Any

import numpy as np

from tinygrad_dl import nn
from tinygrad_dl.core.modes import no_grad
from tinygrad_dl.core.namespaces import public
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.nn.layers.normalization import BatchNorm
from tinygrad_dl.optim.lr_scheduler.base import LRScheduler, each_group, require_optimizer
from tinygrad_dl.optim.optimizer import Optimizer

# fmt: off
__all__ = [
    "SWALR", "AveragedModel", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn", "get_swa_multi_avg_fn",
    "update_bn",
]
# fmt: on

AverageFunction = Callable[[Tensor, Tensor, Any], Tensor]
MultiAverageFunction = Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]


def get_swa_avg_fn() -> AverageFunction:
    """A function (average, new, count) that gives the mean of all: `average + (new - average) / (count + 1)`.

    >>> mean = td.optim.swa_utils.get_swa_avg_fn()
    >>> mean(td.tensor(1.0), td.tensor(4.0), 2)
    tensor(2.)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.swa_utils.AveragedModel.html
    (Izmailov et al., 2018)
    """

    def swa_update(averaged_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        with no_grad():
            mean: Tensor = averaged_param + (current_param - averaged_param) / (num_averaged + 1)
            return mean

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> AverageFunction:
    """A function (average, new, count) that gives `decay * average + (1 - decay) * new`.

    Raises:
        ValueError: `decay` is not in [0, 1].

    >>> mean = td.optim.swa_utils.get_ema_avg_fn(0.75)
    >>> mean(td.tensor(1.0), td.tensor(3.0), 2)
    tensor(1.5000)

    Source: https://docs.pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema (Polyak and Juditsky, 1992)
    """
    if not 0 <= decay <= 1:
        raise ValueError(f"got decay={decay!r}, expected a number from 0 to 1")

    def ema_update(ema_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        with no_grad():
            mean: Tensor = decay * ema_param + (1 - decay) * current_param
            return mean

    return ema_update


def in_place(average: AverageFunction) -> MultiAverageFunction:
    """Of a function of one average, the one that changes all of a list."""

    def update(averages: Sequence[Tensor], values: Sequence[Tensor], num_averaged: Any) -> None:
        with no_grad():
            for averaged, value in zip(averages, values, strict=True):
                averaged.copy_(average(averaged, value, num_averaged))

    return update


def get_swa_multi_avg_fn() -> MultiAverageFunction:
    """A function (averages, new, count) that changes a list of averages as `get_swa_avg_fn` says.

    >>> averages = [td.tensor(1.0), td.tensor(2.0)]
    >>> td.optim.swa_utils.get_swa_multi_avg_fn()(averages, [td.tensor(4.0), td.tensor(2.0)], 2)
    >>> averages
    [tensor(2.), tensor(2.)]

    Source: https://docs.pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema
    """
    return in_place(get_swa_avg_fn())


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAverageFunction:
    """A function (averages, new, count) that changes a list of averages as `get_ema_avg_fn` says.

    Raises:
        ValueError: `decay` is not in [0, 1].

    >>> averages = [td.tensor(1.0)]
    >>> td.optim.swa_utils.get_ema_multi_avg_fn(0.75)(averages, [td.tensor(3.0)], 2)
    >>> averages
    [tensor(1.5000)]

    Source: https://docs.pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema
    """
    return in_place(get_ema_avg_fn(decay))


class AveragedModel(nn.Module):
    """A copy of a model whose parameters are averages of the model's over the calls of `update_parameters`.

    Args:
        model: what is averaged; copied deeply.
        device: "cpu" or None.
        avg_fn: (average, new, count) -> the new average; without it, and without the next, the mean of all.
        multi_avg_fn: (averages, new, count) changes a list of averages in place; instead of `avg_fn`.
        use_buffers: average the buffers too; else they are copied.

    Attributes:
        module: the copy.
        n_averaged: how many times it was updated, an int64 tensor of the state.

    Raises:
        ValueError: both functions.

    >>> model = td.nn.Linear(2, 2)
    >>> ema = td.optim.swa_utils.AveragedModel(model, multi_avg_fn=td.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    >>> ema.update_parameters(model)
    >>> bool((ema.module.weight == model.weight).all()), ema.n_averaged.item()
    (True, 1)
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: nn.Module,
        device: Any = None,
        avg_fn: AverageFunction | None = None,
        multi_avg_fn: MultiAverageFunction | None = None,
        use_buffers: bool = False,
    ):
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ValueError("AveragedModel: got both avg_fn and multi_avg_fn, expected one of them")
        self.module = deepcopy(model)
        if device is not None:
            self.module.to(device)
        self.register_buffer("n_averaged", wrap(np.array(0, np.int64)))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model makes of its input."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: nn.Module) -> None:
        """Takes the model's parameters into the average; the first time they are copied."""

        def averaged(module: nn.Module) -> Iterable[Tensor]:
            return chain(module.parameters(), module.buffers() if self.use_buffers else ())

        pairs = [(a.detach(), b.detach()) for a, b in zip(averaged(self.module), averaged(model), strict=True)]
        copied = [] if self.use_buffers else list(zip(self.module.buffers(), model.buffers(), strict=True))
        if self.n_averaged.item() == 0:
            copied += pairs
        else:
            update = self.multi_avg_fn or in_place(self.avg_fn or get_swa_avg_fn())
            kinds: dict[Any, list[tuple[Tensor, Tensor]]] = {}
            for pair in pairs:
                kinds.setdefault((pair[0].dtype, pair[1].dtype), []).append(pair)
            for kind in kinds.values():
                update([a for a, _ in kind], [b for _, b in kind], self.n_averaged)
        for average, value in copied:
            average.detach().copy_(value.detach())
        self.n_averaged += 1


def update_bn(loader: Iterable[Any], model: nn.Module, device: Any = None) -> None:
    """Computes the running statistics of a model's batch normalisations anew, over all batches of a loader.

    Needed after averaging: no layer has seen what the averaged layers before it make.

    Args:
        loader: batches; of a tuple or list the first item is the model's input.
        model: the model, whose modes are as before afterwards.
        device: "cpu" or None.

    >>> model = td.nn.BatchNorm1d(1)
    >>> td.optim.swa_utils.update_bn([td.tensor([[1.0], [3.0]]), td.tensor([[5.0], [7.0]])], model)
    >>> model.running_mean
    tensor([4.])
    """
    norms = [module for module in model.modules() if isinstance(module, BatchNorm)]
    if not norms:
        return
    momenta, was_training = [module.momentum for module in norms], model.training
    model.train()
    try:
        for module in norms:
            module.reset_running_stats()
            module.momentum = None  # the mean over all batches
        with no_grad():
            for batch in loader:
                x = batch[0] if isinstance(batch, list | tuple) else batch
                model(x if device is None else x.to(device))
    finally:
        for module, momentum in zip(norms, momenta, strict=True):
            module.momentum = momentum
        model.train(was_training)


class SWALR(LRScheduler):
    """Leads the learning rates to constant ones, at which parameters are averaged.

    `lr = alpha * swa_lr + (1 - alpha) * lr_before`, where alpha goes from 0 to 1 in `anneal_epochs` epochs:
    linearly, or as `(1 - cos(pi t)) / 2`.

    Args:
        optimizer: the optimiser whose learning rates are set.
        swa_lr: where they end; a number, or one for each parameter group.
        anneal_epochs: how long it takes.
        anneal_strategy: "cos" or "linear".

    >>> optimizer = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = td.optim.swa_utils.SWALR(optimizer, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
    >>> for epoch in range(3):
    ...     print(scheduler.get_last_lr())
    ...     optimizer.step()
    ...     scheduler.step()
    [1.0]
    [0.75]
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | Sequence[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ):
        require_optimizer(self, optimizer)
        self.optimizer = optimizer
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"SWALR: got anneal_strategy={anneal_strategy!r}, expected 'cos' or 'linear'")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"SWALR: got anneal_epochs={anneal_epochs!r}, expected an integer of 0 or more")
        swa_lrs = each_group(self, "swa_lr", swa_lr)
        self._check_numbers({"swa_lr": swa_lrs})
        for group, lr in zip(optimizer.param_groups, swa_lrs, strict=True):
            group["swa_lr"] = lr
        self._anneal_strategy, self.anneal_epochs = anneal_strategy, anneal_epochs
        super().__init__(optimizer, last_epoch)

    def anneal_func(self, t: float) -> float:
        """The share of `swa_lr`, by the share of the epochs that have gone."""
        t = max(0.0, min(1.0, t))
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def get_lr(self) -> list[float]:
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        epochs = max(1, self.anneal_epochs)
        before, now = self.anneal_func((step - 1) / epochs), self.anneal_func(step / epochs)
        found = []
        for group, lr in zip(self.optimizer.param_groups, self._rates(), strict=True):
            end = group["swa_lr"]
            start = end if before == 1 else (lr - before * end) / (1 - before)
            found.append(end * now + start * (1 - now))
        return found


public(globals(), "docs/stable/generated/torch.optim.swa_utils.{}.html")
