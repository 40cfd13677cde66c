"""Schedules along cosines: annealing, warm restarts, one cycle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tinygrad_dl.optim.lr_scheduler.base import LRScheduler, rates, require_optimizer
from tinygrad_dl.optim.optimizer import Optimizer

__all__ = ["CosineAnnealingLR", "CosineAnnealingWarmRestarts", "OneCycleLR"]


class CosineAnnealingLR(LRScheduler):
    """Lowers the learning rates along half a cosine, to `eta_min` after `T_max` epochs, then up again.

    `lr = eta_min + (base_lr - eta_min) * (1 + cos(pi * epoch / T_max)) / 2`, worked out from each rate to the
    next, so that changes made elsewhere are kept.

    >>> optimizer = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = td.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
    >>> for epoch in range(2):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> round(scheduler.get_last_lr()[0], 6)
    0.5
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1):
        if T_max < 1:
            raise ValueError(f"CosineAnnealingLR: got T_max={T_max}, expected 1 or more epochs")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        found = rates(self.optimizer)
        if self._is_initial:
            return found
        low, length, epoch = self.eta_min, self.T_max, self.last_epoch
        if (epoch - 1 - length) % (2 * length) == 0:  # the factor below would divide by zero
            rise = (1 - math.cos(math.pi / length)) / 2
            return [lr + (base - low) * rise for lr, base in zip(found, self.base_lrs, strict=True)]
        factor = (1 + math.cos(math.pi * epoch / length)) / (1 + math.cos(math.pi * (epoch - 1) / length))
        return [factor * (lr - low) + low for lr in found]

    def first_lr(self) -> list[float]:
        return list(self.base_lrs)


class CosineAnnealingWarmRestarts(LRScheduler):
    """Lowers the learning rates along half a cosine, starts again from the first rates, and so on.

    `lr = eta_min + (base_lr - eta_min) * (1 + cos(pi * T_cur / T_i)) / 2`, with T_cur the epochs since the last
    start, and T_i how many there are until the next.

    Args:
        optimizer: the optimiser whose learning rates are set.
        T_0: the number of epochs until the first new start.
        T_mult: how many times longer each stretch is than the one before.
        eta_min: the lowest rate.

    >>> optimizer = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = td.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)
    >>> for epoch in range(3):
    ...     print(round(scheduler.get_last_lr()[0], 6))
    ...     optimizer.step()
    ...     scheduler.step()
    1.0
    0.5
    1.0

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.html
    (Loshchilov and Hutter, 2017)
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1):
        for name, value in (("T_0", T_0), ("T_mult", T_mult)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"CosineAnnealingWarmRestarts: got {name}={value!r}, expected an integer of 1 or more")
        self.T_0 = self.T_i = T_0
        self.T_mult, self.eta_min = T_mult, eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        share = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * share for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Goes on to the next epoch; or to `epoch`, which may be a fraction: `epoch + batch / batches`."""
        if epoch is None:
            super().step()
        else:
            self._go_to(epoch)

    def _advance(self) -> None:
        self._step_count += 1
        if self.last_epoch < 0:
            self._go_to(0)
            return
        self.T_cur += 1
        if self.T_cur >= self.T_i:
            self.T_cur %= self.T_i
            self.T_i *= self.T_mult
        self.last_epoch += 1
        self._set(self.get_lr())

    def _go_to(self, epoch: float) -> None:
        if epoch < 0:
            raise ValueError(f"CosineAnnealingWarmRestarts.step: expected an epoch of 0 or more, got {epoch}")
        self.T_i, self.T_cur = self.T_0, epoch
        while self.T_cur >= self.T_i:
            self.T_cur -= self.T_i
            self.T_i *= self.T_mult
        self.last_epoch = math.floor(epoch)
        self._set(self.get_lr())


def each_group(optimizer: Optimizer, name: str, value: float | Sequence[float]) -> list[float]:
    """A value for each parameter group."""
    groups = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [value] * groups  # type: ignore[list-item]
    if len(value) != groups:
        raise ValueError(
            f"OneCycleLR: got {len(value)} values in {name}, expected one for each of {groups} parameter groups"
        )
    return list(value)


class OneCycleLR(LRScheduler):
    """Raises the learning rates to `max_lr`, then lowers them far below where they began; once, step by step.

    Momentum (or the first beta) goes the other way. Call `step` after every batch.

    Args:
        optimizer: the optimiser whose learning rates are set.
        max_lr: the highest rate; a number, or one for each parameter group.
        total_steps: how many steps there will be; or `epochs` and `steps_per_epoch`.
        pct_start: the share of the steps in which the rates rise.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: whether momentum moves too, between `max_momentum` and `base_momentum`.
        div_factor: the first rate is `max_lr / div_factor`.
        final_div_factor: the last rate is the first one over this.
        three_phase: come back to the first rate before going on to the last.

    Raises:
        ValueError: no number of steps, or another option out of its range; a step too many.

    >>> optimizer = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    >>> scheduler = td.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    >>> for batch in range(2):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> round(scheduler.get_last_lr()[0], 6), round(optimizer.param_groups[0]["momentum"], 6)
    (1.0, 0.85)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html
    (Smith and Topin, 2019)
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ):
        require_optimizer(self, optimizer)
        counts = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
        if total_steps is not None:
            counts = {"total_steps": total_steps}
        elif None in counts.values():
            raise ValueError("OneCycleLR: got no total_steps, expected it, or both epochs and steps_per_epoch")
        for name, value in counts.items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"OneCycleLR: got {name}={value!r}, expected an integer of 1 or more")
        if not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: got pct_start={pct_start}, expected a number from 0 to 1")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"OneCycleLR: got anneal_strategy={anneal_strategy!r}, expected 'cos' or 'linear'")
        self.total_steps = math.prod(counts.values())  # type: ignore[arg-type]
        rise = float(pct_start * self.total_steps) - 1
        phases: list[tuple[float, str, str, str, str]] = [
            (rise, "initial_lr", "max_lr", "max_momentum", "base_momentum"),
            (self.total_steps - 1, "max_lr", "min_lr", "base_momentum", "max_momentum"),
        ]
        if three_phase:
            back = float(2 * pct_start * self.total_steps) - 2
            phases[1:] = [
                (back, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
                (self.total_steps - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum"),
            ]
        keys = "end_step", "start_lr", "end_lr", "start_momentum", "end_momentum"
        self._schedule_phases: list[dict[str, Any]] = [dict(zip(keys, phase, strict=True)) for phase in phases]
        self._anneal_func_type = anneal_strategy
        highest = each_group(optimizer, "max_lr", max_lr)
        self._check_numbers({"max_lr": highest, "div_factor": div_factor, "final_div_factor": final_div_factor})
        if last_epoch == -1:
            for group, high in zip(optimizer.param_groups, highest, strict=True):
                first = high / div_factor
                group.update(initial_lr=first, max_lr=high, min_lr=first / final_div_factor)
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._prepare_momentum(optimizer, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _prepare_momentum(self, optimizer: Optimizer, base: Any, highest: Any, last_epoch: int) -> None:
        if not {"momentum", "betas"} & set(optimizer.defaults):
            raise ValueError(
                f"OneCycleLR: got {type(optimizer).__name__}, which has neither momentum nor betas, expected one of "
                "them; pass cycle_momentum=False"
            )
        self.use_beta1 = "betas" in optimizer.defaults
        lows, highs = each_group(optimizer, "base_momentum", base), each_group(optimizer, "max_momentum", highest)
        self._check_numbers({"base_momentum": lows, "max_momentum": highs})
        if last_epoch == -1:
            for group, low, high in zip(optimizer.param_groups, lows, highs, strict=True):
                group.update(max_momentum=high, base_momentum=low)
                self._set_momentum(group, high)

    def _set_momentum(self, group: dict[str, Any], value: float) -> None:
        if self.use_beta1:
            group["betas"] = (value, *group["betas"][1:])
        else:
            group["momentum"] = value

    def _between(self, start: float, end: float, share: float) -> float:
        if self._anneal_func_type == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)

    def get_lr(self) -> list[float]:
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(
                f"OneCycleLR: got step {step}, expected at most {self.total_steps}; make the schedule with more "
                "total_steps"
            )
        start = 0.0
        phase = self._schedule_phases[-1]
        for each in self._schedule_phases[:-1]:
            if step <= each["end_step"]:
                phase = each
                break
            start = each["end_step"]
        length = phase["end_step"] - start
        share = (step - start) / length if length else 1.0
        found = []
        for group in self.optimizer.param_groups:
            found.append(self._between(group[phase["start_lr"]], group[phase["end_lr"]], share))
            if self.cycle_momentum:
                low, high = group[phase["start_momentum"]], group[phase["end_momentum"]]
                self._set_momentum(group, self._between(low, high, share))
        return found
