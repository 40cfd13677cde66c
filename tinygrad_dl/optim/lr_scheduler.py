"""Learning-rate schedules: each sets `group["lr"]` in the optimiser's parameter groups, as in PyTorch.

Call `scheduler.step()` once an epoch, after the optimiser's steps.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

from tinygrad_dl.optim.optimizer import Optimizer

__all__ = ["CosineAnnealingLR", "ExponentialLR", "LRScheduler", "ReduceLROnPlateau", "StepLR"]


def _rates(optimizer: Optimizer, option: str = "lr") -> list[float]:
    return [float(group[option]) for group in optimizer.param_groups]


def _require_optimizer(scheduler: Any, optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(scheduler).__name__}: expected an optimiser, got a {type(optimizer).__name__}")


class LRScheduler:
    """Base of the schedules that count epochs. A subclass says in `get_lr` what the rates become.

    Args:
        optimizer: the optimiser whose learning rates are set.
        last_epoch: -1 to begin; to resume, the last epoch that was run, with an optimiser whose state was
            loaded.

    Attributes:
        last_epoch: how many times `step` was called.
        base_lrs: the learning rate that each group began with.

    >>> import tinygrad_dl as td
    >>> class Inverse(td.optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [lr / (1 + self.last_epoch) for lr in self.base_lrs]
    >>> w = td.zeros(1, requires_grad=True)
    >>> optimizer = td.optim.SGD([w], lr=1.0)
    >>> scheduler = Inverse(optimizer)
    >>> for epoch in range(3):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LRScheduler.html
    """

    _is_initial = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1):
        _require_optimizer(self, optimizer)
        self.optimizer = optimizer
        for position, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", float(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"{type(self).__name__}: group {position} has no 'initial_lr', which resuming at last_epoch="
                    f"{last_epoch} needs; load the optimiser's state first, or leave last_epoch at -1"
                )
        self.base_lrs = _rates(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        self._step_count = 0
        self._is_initial = True
        self._advance()
        self._is_initial = False

    def get_lr(self) -> list[float]:
        """The learning rate of each group at `last_epoch`; may start from the current ones."""
        raise NotImplementedError(f"{type(self).__name__}: define get_lr(self), which returns a rate for each group")

    def get_last_lr(self) -> list[float]:
        """The learning rates that were set last, one for each group."""
        return self._last_lr

    def step(self) -> None:
        """Goes on to the next epoch. Call it after the optimiser's `step`."""
        if self._step_count == 1 and getattr(self.optimizer, "steps_taken", 1) == 0:
            warnings.warn(
                "scheduler.step() was called before optimizer.step(): the first learning rate is never used; call "
                "optimizer.step() first",
                UserWarning,
                stacklevel=2,
            )
        self._advance()

    def _advance(self) -> None:
        self._step_count += 1
        self.last_epoch += 1
        for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = lr
        self._last_lr = _rates(self.optimizer)

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on later: every attribute but the optimiser."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what `state_dict()` gave. The optimiser's state has to be loaded too."""
        unknown = sorted(set(state_dict) - set(self.__dict__) - {"_get_lr_called_within_step"})
        if unknown:
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: unknown entries {unknown}, expected "
                f"{sorted(self.state_dict())}; was it saved by another schedule?"
            )
        self.__dict__.update(state_dict)


class StepLR(LRScheduler):
    """Multiplies the learning rates by `gamma` every `step_size` epochs.

    >>> import tinygrad_dl as td
    >>> optimizer = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = td.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for epoch in range(4):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1):
        if step_size < 1:
            raise ValueError(f"StepLR: step_size is {step_size}, expected 1 or more epochs")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        turn = self.last_epoch > 0 and self.last_epoch % self.step_size == 0
        return [lr * self.gamma if turn else lr for lr in _rates(self.optimizer)]


class ExponentialLR(LRScheduler):
    """Multiplies the learning rates by `gamma` every epoch.

    >>> import tinygrad_dl as td
    >>> optimizer = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = td.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ExponentialLR.html
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        return [lr if self._is_initial else lr * self.gamma for lr in _rates(self.optimizer)]


class CosineAnnealingLR(LRScheduler):
    """Lowers the learning rates along half a cosine, to `eta_min` after `T_max` epochs, then up again.

    `lr = eta_min + (base_lr - eta_min) * (1 + cos(pi * epoch / T_max)) / 2`, worked out from each rate to the
    next, so that changes made elsewhere are kept.

    >>> import tinygrad_dl as td
    >>> optimizer = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = td.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
    >>> for epoch in range(2):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> round(scheduler.get_last_lr()[0], 6)
    0.5

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingLR.html
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1):
        if T_max < 1:
            raise ValueError(f"CosineAnnealingLR: T_max is {T_max}, expected 1 or more epochs")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        rates = _rates(self.optimizer)
        if self._is_initial:
            return rates
        low, length, epoch = self.eta_min, self.T_max, self.last_epoch
        if (epoch - 1 - length) % (2 * length) == 0:  # the factor below would divide by zero
            rise = (1 - math.cos(math.pi / length)) / 2
            return [lr + (base - low) * rise for lr, base in zip(rates, self.base_lrs, strict=True)]
        factor = (1 + math.cos(math.pi * epoch / length)) / (1 + math.cos(math.pi * (epoch - 1) / length))
        return [factor * (lr - low) + low for lr in rates]


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

    >>> import tinygrad_dl as td
    >>> optimizer = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = td.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
    >>> for loss in [1.0, 0.5, 0.5, 0.5]:
    ...     optimizer.step()
    ...     scheduler.step(loss)
    >>> scheduler.get_last_lr()
    [0.1]

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html
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
        _require_optimizer(self, optimizer)
        if factor >= 1:
            raise ValueError(f"ReduceLROnPlateau: factor is {factor}, expected less than 1")
        if mode not in ("min", "max"):
            raise ValueError(f"ReduceLROnPlateau: mode is {mode!r}, expected 'min' or 'max'")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"ReduceLROnPlateau: threshold_mode is {threshold_mode!r}, expected 'rel' or 'abs'")
        self.optimizer = optimizer
        self.mode, self.factor, self.patience, self.cooldown = mode, factor, patience, cooldown
        self.threshold, self.threshold_mode, self.eps = threshold, threshold_mode, eps
        groups = len(optimizer.param_groups)
        self.default_min_lr = None if isinstance(min_lr, Sequence) else min_lr
        self.min_lrs = list(min_lr) if isinstance(min_lr, Sequence) else [min_lr] * groups
        if len(self.min_lrs) != groups:
            raise ValueError(f"ReduceLROnPlateau: got {len(self.min_lrs)} rates in min_lr for {groups} groups")
        self.last_epoch = 0
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.best = self.mode_worse
        self.num_bad_epochs = self.cooldown_counter = 0
        self._last_lr = _rates(optimizer)

    @property
    def in_cooldown(self) -> bool:
        """Whether the last change was so recent that epochs are not counted."""
        return self.cooldown_counter > 0

    def step(self, metrics: Any) -> None:  # type: ignore[override]
        """Takes the metric of the epoch that has just ended: a number or a tensor of one element."""
        current = float(metrics)
        self.last_epoch += 1
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
        self._last_lr = _rates(self.optimizer)

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
                    f"ReduceLROnPlateau: min_lr has {len(self.min_lrs)} rates, and the optimiser now has "
                    f"{len(groups)} groups; set scheduler.min_lrs to one rate for each group"
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, least in zip(groups, self.min_lrs, strict=True):
            old = float(group["lr"])
            new = max(old * self.factor, least)
            if old - new > self.eps:
                group["lr"] = new
