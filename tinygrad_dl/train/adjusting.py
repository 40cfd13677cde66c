"""Schedule and ClipGradients: what changes the steps that the optimiser makes."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.nn.utils import clip_grad_norm_, clip_grad_value_
from tinygrad_dl.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from tinygrad_dl.train.callback import Callback
from tinygrad_dl.train.training import Training


class Schedule(Callback):
    """Advances a learning-rate scheduler after each epoch or each batch.

    Args:
        scheduler: one of `optim.lr_scheduler`, made for the optimiser that `fit` gets.
        every: "epoch" or "batch".
        monitor: what `ReduceLROnPlateau` watches; by default the loss on the dev set, or on the train set if there
            is none.

    Raises:
        TypeError: no scheduler. ValueError: another `every`, or `ReduceLROnPlateau` after each batch.

    >>> model = td.nn.Linear(1, 1)
    >>> optimizer = td.optim.SGD(model.parameters(), lr=1.0)
    >>> halve = td.train.Schedule(td.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5))
    >>> data = [(td.ones(4, 1), td.ones(4, 1))]
    >>> history = td.train.fit(model, td.nn.MSELoss(), optimizer, data, epochs=3, callbacks=[halve])
    >>> optimizer.param_groups[0]["lr"]
    0.125

    Source: https://docs.pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate
    """

    def __init__(self, scheduler: LRScheduler, every: str = "epoch", monitor: str | None = None):
        if not callable(getattr(scheduler, "step", None)) or isinstance(scheduler, type):
            raise TypeError(f"Schedule: expected one of td.optim.lr_scheduler, got {scheduler!r}")
        if every not in ("epoch", "batch"):
            raise ValueError(f"Schedule: got every={every!r}, expected 'epoch' or 'batch'")
        if every == "batch" and isinstance(scheduler, ReduceLROnPlateau):
            raise ValueError(
                "Schedule: got every='batch' with ReduceLROnPlateau, expected every='epoch': it needs what is measured "
                "after an epoch"
            )
        self.scheduler, self.every, self.monitor = scheduler, every, monitor

    def on_fit_start(self, training: Training) -> None:
        training.monitored(self.monitor, "Schedule")
        if getattr(self.scheduler, "optimizer", training.optimizer) is not training.optimizer:
            raise ValueError(
                "Schedule: got a scheduler of another optimiser, expected one made with the optimiser that fit was "
                "given"
            )

    def on_batch_end(self, training: Training) -> None:
        if self.every == "batch":
            self.scheduler.step()

    def on_epoch_end(self, training: Training) -> None:
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(training.latest(training.monitored(self.monitor)))
        elif self.every == "epoch":
            self.scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        return self.scheduler.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.scheduler.load_state_dict(state_dict)


class ClipGradients(Callback):
    """Limits the gradients before each step: all of them together by their norm, or each number by itself.

    Args:
        max_norm: the largest norm of all gradients taken as one vector; larger ones are scaled down to it.
        max_value: the largest absolute value; larger ones are cut. Give one of the two.
        norm_type: the norm's order: 2.0, or `math.inf` for the largest absolute value.

    Raises:
        ValueError: none of the two limits is given, or both, or it is not above 0.

    >>> model = td.nn.Linear(1, 1)
    >>> optimizer = td.optim.SGD(model.parameters(), lr=1.0)
    >>> data = [(td.full((4, 1), 1e6), td.ones(4, 1))]
    >>> clip = td.train.ClipGradients(max_norm=1.0)
    >>> before = model.weight.item()
    >>> history = td.train.fit(model, td.nn.MSELoss(), optimizer, data, epochs=1, callbacks=[clip])
    >>> abs(model.weight.item() - before) < 1.001
    True

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html
    """

    def __init__(self, max_norm: float | None = None, max_value: float | None = None, norm_type: float = 2.0):
        limits = [limit for limit in (max_norm, max_value) if limit is not None]
        if len(limits) != 1 or not limits[0] > 0:
            raise ValueError(
                f"ClipGradients: expected one limit above 0, got max_norm={max_norm} and max_value={max_value}"
            )
        self.max_norm, self.max_value, self.norm_type = max_norm, max_value, norm_type

    def on_before_step(self, training: Training) -> None:
        parameters = training.model.parameters()
        if self.max_norm is not None:
            clip_grad_norm_(parameters, self.max_norm, self.norm_type)
        elif self.max_value is not None:
            clip_grad_value_(parameters, self.max_value)
