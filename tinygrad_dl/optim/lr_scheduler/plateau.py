"""The schedule that watches a metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tinygrad_dl.optim.lr_scheduler.base import (
    LRScheduler,
    each_group,
    rates,
    refuse_epoch,
    require_optimizer,
    set_rate,
)
from tinygrad_dl.optim.optimizer import Optimizer

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(LRScheduler):
    """Multiplies the learning rates by `factor` when a metric has stopped getting better.

    Args:
        optimizer: the optimiser whose learning rates are set.
        mode: "min" if less is better (a loss), "max" if more is (an accuracy).
        factor: below 1.
        patience: how many epochs without progress are put up with.
        threshold: how much better counts as better.
        threshold_mode: "rel": a fraction of the best so far; "abs": a difference from it.
        cooldown: how many epochs after a change are not counted.
        min_lr: the lowest rate; a number, or one for each group.
        eps: smaller changes are not made.

    >>> optimizer = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = td.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
    >>> for loss in [1.0, 0.5, 0.5, 0.5]:
    ...     optimizer.step()
    ...     scheduler.step(loss)
    >>> scheduler.get_last_lr()
    [0.1]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
    ):
        require_optimizer(self, optimizer)
        if factor >= 1:
            raise ValueError(f"ReduceLROnPlateau: got factor={factor}, expected less than 1")
        if mode not in ("min", "max"):
            raise ValueError(f"ReduceLROnPlateau: got mode={mode!r}, expected 'min' or 'max'")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"ReduceLROnPlateau: got threshold_mode={threshold_mode!r}, expected 'rel' or 'abs'")
        self.optimizer = optimizer
        self.mode, self.factor, self.patience, self.cooldown = mode, factor, patience, cooldown
        self.threshold, self.threshold_mode, self.eps = threshold, threshold_mode, eps
        self.default_min_lr = None if isinstance(min_lr, Sequence) else min_lr
        self.min_lrs = each_group(self, "min_lr", min_lr)
        self._check_numbers(vars(self))
        self.last_epoch = 0
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.best = self.mode_worse
        self.num_bad_epochs = self.cooldown_counter = 0
        self._last_lr = rates(optimizer)

    @property
    def in_cooldown(self) -> bool:
        """Whether the last change was so recent that epochs are not counted."""
        return self.cooldown_counter > 0

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Takes the metric of the epoch that has just ended: a number or a tensor of one element.

        `epoch` is deprecated: which epoch that was.
        """
        current = float(metrics)
        refuse_epoch(epoch)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(current):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = rates(self.optimizer)

    def _is_better(self, current: float) -> bool:
        down = self.mode == "min"
        if self.threshold_mode == "rel":
            edge = self.best * (1 - self.threshold if down else 1 + self.threshold)
        else:
            edge = self.best - self.threshold if down else self.best + self.threshold
        return current < edge if down else current > edge

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise RuntimeError(
                    f"ReduceLROnPlateau: got {len(self.min_lrs)} rates in min_lr, expected one for each of the "
                    f"optimiser's {len(groups)} groups; set scheduler.min_lrs to one rate for each group"
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, least in zip(groups, self.min_lrs, strict=True):
            old = float(group["lr"])
            new = max(old * self.factor, least)
            if old - new > self.eps:
                set_rate(group, new)
