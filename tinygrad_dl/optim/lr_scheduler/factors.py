"""Schedules that multiply the learning rates by factors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tinygrad_dl.optim.lr_scheduler.base import LRScheduler, memory_of, require_optimizer
from tinygrad_dl.optim.optimizer import Optimizer

# fmt: off
__all__ = [
    "ConstantLR", "ExponentialLR", "LambdaLR", "LinearLR", "MultiStepLR", "MultiplicativeLR", "PolynomialLR", "StepLR",
]
# fmt: on

Factor = Callable[[int], float]


class StepLR(LRScheduler):
    """Multiplies the learning rates by `gamma` every `step_size` epochs.

    >>> optimizer = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = td.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for epoch in range(4):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1):
        if step_size < 1:
            raise ValueError(f"StepLR: got step_size={step_size}, expected 1 or more epochs")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        turn = self.last_epoch > 0 and self.last_epoch % self.step_size == 0
        return [lr * self.gamma if turn else lr for lr in self._rates()]

    def _get_closed_form_lr(self) -> list[float]:
        return [lr * self.gamma ** (self.last_epoch // self.step_size) for lr in self.base_lrs]


class MultiStepLR(LRScheduler):
    """Multiplies the learning rates by `gamma` at each of the epochs in `milestones`.

    >>> optimizer = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = td.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
    >>> for epoch in range(4):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1):
        self.milestones, self.gamma = Counter(milestones), gamma  # td.load brings it back as a plain dict
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        return [lr * self.gamma ** self.milestones.get(self.last_epoch, 0) for lr in self._rates()]

    def _get_closed_form_lr(self) -> list[float]:
        passed = sum(count for epoch, count in self.milestones.items() if epoch <= self.last_epoch)
        return [lr * self.gamma**passed for lr in self.base_lrs]


class ExponentialLR(LRScheduler):
    """Multiplies the learning rates by `gamma` every epoch.

    >>> optimizer = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = td.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        return [lr if self._is_initial else lr * self.gamma for lr in self._rates()]

    def _get_closed_form_lr(self) -> list[float]:
        return [lr * self.gamma**self.last_epoch for lr in self.base_lrs]


class ConstantLR(LRScheduler):
    """Multiplies the learning rates by `factor` for the first `total_iters` epochs.

    >>> optimizer = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = td.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2)
    >>> for epoch in range(2):
    ...     print(scheduler.get_last_lr())
    ...     optimizer.step()
    ...     scheduler.step()
    [0.5]
    [0.5]
    >>> scheduler.get_last_lr()
    [1.0]
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1):
        if not 0 <= factor <= 1:
            raise ValueError(f"ConstantLR: got factor={factor}, expected a number from 0 to 1")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        factor = 1.0
        if self.last_epoch == 0:
            factor = self.factor
        elif self.last_epoch == self.total_iters:
            if not self.factor:
                return list(self.base_lrs)
            factor = 1.0 / self.factor
        return [lr * factor for lr in self._rates()]

    def _get_closed_form_lr(self) -> list[float]:
        factor = self.factor if self.last_epoch < self.total_iters else 1.0
        return [lr * factor for lr in self.base_lrs]


class LinearLR(LRScheduler):
    """Multiplies the learning rates by a factor that goes from `start_factor` to `end_factor` in `total_iters` epochs.

    >>> optimizer = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = td.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> for epoch in range(3):
    ...     print(scheduler.get_last_lr())
    ...     optimizer.step()
    ...     scheduler.step()
    [0.5]
    [0.75]
    [1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ):
        if not 0 < start_factor <= 1:
            raise ValueError(f"LinearLR: got start_factor={start_factor}, expected more than 0 and at most 1")
        if not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR: got end_factor={end_factor}, expected a number from 0 to 1")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        found = self._rates()
        if self.last_epoch == 0:
            return [lr * self.start_factor for lr in found]
        if self._is_initial or self.last_epoch > self.total_iters:
            return found
        rise = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * rise
        return [lr * (1.0 + rise / before) for lr in found]

    def _get_closed_form_lr(self) -> list[float]:
        share = min(self.total_iters, self.last_epoch) / self.total_iters
        factor = self.start_factor + (self.end_factor - self.start_factor) * share
        return [lr * factor for lr in self.base_lrs]


class PolynomialLR(LRScheduler):
    """Lowers the learning rates to 0 in `total_iters` epochs: `lr = base_lr * (1 - epoch / total_iters)**power`.

    >>> optimizer = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = td.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=4, power=2.0)
    >>> for epoch in range(2):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1):
        if total_iters < 1:
            raise ValueError(f"PolynomialLR: got total_iters={total_iters}, expected 1 or more epochs")
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        found = self._rates()
        if self._is_initial or self.last_epoch > self.total_iters:
            return found
        here, before = (1.0 - epoch / self.total_iters for epoch in (self.last_epoch, self.last_epoch - 1))
        return [lr * (here / before) ** self.power for lr in found]

    def _get_closed_form_lr(self) -> list[float]:
        factor = (1.0 - min(self.total_iters, self.last_epoch) / self.total_iters) ** self.power
        return [lr * factor for lr in self.base_lrs]


class WithFactors(LRScheduler):
    """What schedules share whose factors are functions of the epoch."""

    lr_lambdas: list[Factor]

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1):
        require_optimizer(self, optimizer)
        name, groups = type(self).__name__, len(optimizer.param_groups)
        functions = list(lr_lambda) if isinstance(lr_lambda, list | tuple) else [lr_lambda] * groups
        if len(functions) != groups:
            raise ValueError(
                f"{name}: got {len(functions)} functions in lr_lambda, expected one for each of {groups} parameter "
                "groups"
            )
        for each in functions:
            if not callable(each):
                raise TypeError(f"{name}: got a {type(each).__name__} for lr_lambda, expected a function of the epoch")
        self.lr_lambdas = functions  # type: ignore[assignment]
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on later but the functions: of those, the attributes of callable objects."""
        return {**super().state_dict(), "lr_lambdas": list(map(memory_of, self.lr_lambdas))}

    def _check_state(self, state_dict: Any) -> None:
        super()._check_state(state_dict)
        kept = state_dict.get("lr_lambdas")
        fits = isinstance(kept, list) and len(kept) == len(self.lr_lambdas)
        if not fits or not all(each is None or isinstance(each, dict) for each in kept):
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: got lr_lambdas={kept!r:.60}, expected a dict or None for each "
                f"of {len(self.lr_lambdas)} functions"
            )

    def _take_state(self, state_dict: dict[str, Any]) -> None:
        super()._take_state({key: value for key, value in state_dict.items() if key != "lr_lambdas"})
        for function, kept in zip(self.lr_lambdas, state_dict["lr_lambdas"], strict=True):
            if kept:
                vars(function).update(kept)


class LambdaLR(WithFactors):
    """The first learning rates times a function of the epoch.

    Args:
        optimizer: the optimiser whose learning rates are set.
        lr_lambda: from the epoch to the factor; or a list of such, one for each parameter group.

    >>> optimizer = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = td.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> for epoch in range(3):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def get_lr(self) -> list[float]:
        return [lr * factor(self.last_epoch) for factor, lr in zip(self.lr_lambdas, self.base_lrs, strict=True)]


class MultiplicativeLR(WithFactors):
    """Multiplies the learning rates by a function of the epoch, every epoch.

    >>> optimizer = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = td.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda epoch: 0.5)
    >>> for epoch in range(3):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.125]
    """

    def get_lr(self) -> list[float]:
        found = self._rates()
        if self._is_initial:
            return found
        return [lr * factor(self.last_epoch) for factor, lr in zip(self.lr_lambdas, found, strict=True)]
