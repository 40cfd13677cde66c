"""Schedules that go down and up: annealing by cosines, warm restarts, cycles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_dl.optim.lr_scheduler.base import LRScheduler, each_group, memory_of, require_optimizer, set_rate
from tinygrad_dl.optim.optimizer import Optimizer

__all__ = ["CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR"]


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
        found = self._rates()
        if self._is_initial:
            return found
        low, length, epoch = self.eta_min, self.T_max, self.last_epoch
        if (epoch - 1 - length) % (2 * length) == 0:  # the factor below would divide by zero
            rise = (1 - math.cos(math.pi / length)) / 2
            return [lr + (base - low) * rise for lr, base in zip(found, self.base_lrs, strict=True)]
        factor = (1 + math.cos(math.pi * epoch / length)) / (1 + math.cos(math.pi * (epoch - 1) / length))
        return [factor * (lr - low) + low for lr in found]

    def _get_closed_form_lr(self) -> list[float]:
        share = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return [self.eta_min + (base - self.eta_min) * share for base in self.base_lrs]


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
        self._update_lr(epoch)  # it counts no steps, as PyTorch's does not

    def _update_lr(self, epoch: float | None = None) -> None:
        if epoch is None and self.last_epoch >= 0:
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
            super()._update_lr()
            return
        epoch = epoch or 0
        if epoch < 0:
            raise ValueError(f"CosineAnnealingWarmRestarts.step: expected an epoch of 0 or more, got {epoch}")
        self.T_i, self.T_cur = self.T_0, epoch
        while self.T_cur >= self.T_i:
            self.T_cur -= self.T_i
            self.T_i *= self.T_mult
        super()._update_lr(math.floor(epoch))


class WithMomentum(LRScheduler):
    """What schedules share that move momentum (or the first beta) against the learning rate."""

    use_beta1: bool

    def _prepare_momentum(self, base: Any, highest: Any, last_epoch: int) -> tuple[list[float], list[float]]:
        """Sets each group's momentum to the highest, unless this is resumed; returns both for each group."""
        optimizer, name = self.optimizer, type(self).__name__
        if not {"momentum", "betas"} & set(optimizer.defaults):
            raise ValueError(
                f"{name}: got {type(optimizer).__name__}, which has neither momentum nor betas, expected one of them; "
                "pass cycle_momentum=False"
            )
        self.use_beta1 = "betas" in optimizer.defaults
        lows, highs = each_group(self, "base_momentum", base), each_group(self, "max_momentum", highest)
        self._check_numbers({"base_momentum": lows, "max_momentum": highs})
        if last_epoch == -1:
            for group, low, high in zip(optimizer.param_groups, lows, highs, strict=True):
                group.update(max_momentum=high, base_momentum=low)
                self._set_momentum(group, high)
        return lows, highs

    def _set_momentum(self, group: dict[str, Any], value: float) -> None:
        if self.use_beta1:
            group["betas"] = (value, *group["betas"][1:])
        else:
            group["momentum"] = value


class OneCycleLR(WithMomentum):
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
        self.optimizer = optimizer
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
        highest = each_group(self, "max_lr", max_lr)
        self._check_numbers({"max_lr": highest, "div_factor": div_factor, "final_div_factor": final_div_factor})
        if last_epoch == -1:
            for group, high in zip(optimizer.param_groups, highest, strict=True):
                first = high / div_factor
                group.update(initial_lr=first, max_lr=high, min_lr=first / final_div_factor)
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._prepare_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

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


class CyclicLR(WithMomentum):
    """Raises the learning rates from `base_lr` to `max_lr` and lowers them again, over and over, step by step.

    `lr = base_lr + (max_lr - base_lr) * h * scale`, where h goes from 0 to 1 in `step_size_up` steps, and back to 0 in
    `step_size_down`. Momentum (or the first beta) goes the other way. Call `step` after every batch.

    Args:
        optimizer: the optimiser whose learning rates are set.
        base_lr: the lowest rate; a number, or one for each parameter group.
        max_lr: the highest rate, likewise.
        step_size_up: how many steps it takes to rise.
        step_size_down: how many it takes to fall; None: as many.
        mode: "triangular": scale is 1; "triangular2": it is halved after each cycle; "exp_range": `gamma**steps`.
        gamma: the base of "exp_range".
        scale_fn: scale by a function of the cycle (1 the first) or of the step; `mode` counts no more.
        scale_mode: "cycle" or "iterations": what `scale_fn` is a function of.
        cycle_momentum: whether momentum moves too, between `max_momentum` and `base_momentum`.
        base_momentum: the lowest momentum; a number, or one for each parameter group.
        max_momentum: the highest one, likewise.

    Raises:
        ValueError: an option is out of its range, or the optimiser has no momentum.

    >>> import tinygrad_dl as td
    >>> optimizer = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    >>> scheduler = td.optim.lr_scheduler.CyclicLR(optimizer, base_lr=0.0, max_lr=1.0, step_size_up=2)
    >>> for batch in range(4):
    ...     print(scheduler.get_last_lr())
    ...     optimizer.step()
    ...     scheduler.step()
    [0.0]
    [0.5]
    [1.0]
    [0.5]

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CyclicLR.html (Smith, 2017)
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | Sequence[float],
        max_lr: float | Sequence[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.8,
        max_momentum: float | Sequence[float] = 0.9,
        last_epoch: int = -1,
    ):
        require_optimizer(self, optimizer)
        self.optimizer = optimizer
        base_lrs, self.max_lrs = each_group(self, "base_lr", base_lr), each_group(self, "max_lr", max_lr)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        if not 0 < up <= self.total_size:
            raise ValueError(
                f"CyclicLR: got step_size_up={step_size_up!r} and step_size_down={step_size_down!r}, expected a number "
                "above 0 and one of 0 or more"
            )
        self.step_ratio = up / self.total_size
        if scale_fn is None and mode not in ("triangular", "triangular2", "exp_range"):
            raise ValueError(
                f"CyclicLR: got mode={mode!r} and no scale_fn, expected 'triangular', 'triangular2' or 'exp_range'"
            )
        if scale_mode not in ("cycle", "iterations"):
            raise ValueError(f"CyclicLR: got scale_mode={scale_mode!r}, expected 'cycle' or 'iterations'")
        self.mode, self.gamma, self._scale_fn_custom = mode, gamma, scale_fn
        self.scale_mode = scale_mode if scale_fn else "iterations" if mode == "exp_range" else "cycle"
        self._check_numbers({**vars(self), "base_lr": base_lrs})
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, base_lrs, strict=True):
                set_rate(group, lr)
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            momentums = self._prepare_momentum(base_momentum, max_momentum, last_epoch)
            self.base_momentums, self.max_momentums = momentums
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs  # not the rates that the groups began with

    def scale_fn(self, x: float) -> float:
        """By how much the heights of cycle or step x are scaled."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "exp_range":
            return float(self.gamma**x)
        return 0.5 ** (x - 1) if self.mode == "triangular2" else 1.0

    def get_lr(self) -> list[float]:
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            ends = zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True)
            for group, low, high in ends:
                self._set_momentum(group, high - (high - low) * height * scale)
        return [low + (high - low) * height * scale for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on later but `scale_fn`: of that, the attributes of a callable object."""
        return {**super().state_dict(), "_scale_fn_custom": memory_of(self._scale_fn_custom)}

    def _take_state(self, state_dict: dict[str, Any]) -> None:
        function, kept = self._scale_fn_custom, state_dict.get("_scale_fn_custom")
        super()._take_state({**state_dict, "_scale_fn_custom": function})
        if kept and function is not None:
            vars(function).update(kept)
