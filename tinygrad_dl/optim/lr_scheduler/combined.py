"""Schedules made of schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_dl.optim.lr_scheduler.base import LRScheduler, rates, set_rate
from tinygrad_dl.optim.lr_scheduler.plateau import ReduceLROnPlateau
from tinygrad_dl.optim.optimizer import Optimizer

__all__ = ["ChainedScheduler", "SequentialLR"]


class Combined(LRScheduler):
    """What the two share: several schedules of one optimiser."""

    def _take(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None) -> None:
        name = type(self).__name__
        if not schedulers:
            raise ValueError(f"{name}: got no schedules, expected at least one")
        for position, each in enumerate(schedulers):
            if not isinstance(each, LRScheduler):
                raise TypeError(f"{name}: got a {type(each).__name__} as item {position}, expected a schedule")
            if isinstance(each, ReduceLROnPlateau):
                raise ValueError(
                    f"{name}: got a ReduceLROnPlateau as item {position}, whose step needs a metric, expected another "
                    "schedule"
                )
            if each.optimizer is not (optimizer or schedulers[0].optimizer):
                raise ValueError(
                    f"{name}: got item {position} of another optimiser, expected schedules of one; make all with the "
                    "same one"
                )
        self._schedulers = list(schedulers)
        self.optimizer = optimizer or schedulers[0].optimizer

    def _set_first_rates(self) -> None:
        for group in self.optimizer.param_groups:
            set_rate(group, float(group["initial_lr"]))

    def _undo(self) -> None:
        for each in self._schedulers:
            each._undo()

    def _rewind(self) -> None:
        for each in self._schedulers:
            each._rewind()

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on later: the schedules' states too."""
        return {**super().state_dict(), "_schedulers": [each.state_dict() for each in self._schedulers]}

    def _check_state(self, state_dict: Any) -> None:
        super()._check_state(state_dict)
        states = state_dict.get("_schedulers", ())
        if len(states) != len(self._schedulers):
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: got the states of {len(states)} schedules, expected "
                f"{len(self._schedulers)}"
            )
        for each, state in zip(self._schedulers, states, strict=True):
            each._check_state(state)

    def _take_state(self, state_dict: dict[str, Any]) -> None:
        super()._take_state({key: value for key, value in state_dict.items() if key != "_schedulers"})
        for each, state in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            each._take_state(state)


class SequentialLR(Combined):
    """One schedule after the other: the next one begins at each of the epochs in `milestones`.

    >>> from tinygrad_dl.optim.lr_scheduler import ConstantLR, ExponentialLR, SequentialLR
    >>> optimizer = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=1.0)
    >>> parts = [ConstantLR(optimizer, factor=0.1), ExponentialLR(optimizer, gamma=0.5)]
    >>> scheduler = SequentialLR(optimizer, parts, milestones=[2])
    >>> for epoch in range(4):
    ...     print(scheduler.get_last_lr())
    ...     optimizer.step()
    ...     scheduler.step()
    [0.1]
    [0.1]
    [1.0]
    [0.5]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1
    ):
        self._take(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"SequentialLR: got {len(milestones)} milestones for {len(schedulers)} schedules, expected one less "
                f"than schedules"
            )
        self._milestones = list(milestones)
        self.last_epoch = last_epoch + 1
        self._set_first_rates()  # each of the schedules has set them for itself
        self._undo()
        self._initial_step()

    def _index(self) -> int:
        """Which schedule it is the turn of."""
        return sum(1 for each in self._milestones if each <= self.last_epoch)

    def step(self) -> None:  # type: ignore[override]
        """Goes on to the next epoch, and at a milestone to the next schedule."""
        self.last_epoch += 1
        index = self._index()
        current = self._schedulers[index]
        if index and self._milestones[index - 1] == self.last_epoch:
            current._restart()
        else:
            current.step()
        self._last_lr = rates(self.optimizer)

    def _initial_step(self) -> None:
        self._schedulers[self._index()]._initial_step()
        self._last_lr = rates(self.optimizer)

    def _rewind(self) -> None:
        super()._rewind()
        self.last_epoch = 0

    def _restart(self) -> None:
        self.last_epoch = 0
        self._schedulers[self._index()]._restart()
        self._last_lr = rates(self.optimizer)


class ChainedScheduler(Combined):
    """Several schedules at once: each changes the rates that the one before left.

    >>> from tinygrad_dl.optim.lr_scheduler import ChainedScheduler, ConstantLR, ExponentialLR
    >>> optimizer = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = ChainedScheduler([ConstantLR(optimizer, factor=0.5), ExponentialLR(optimizer, gamma=0.5)])
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None):
        self._take(schedulers, optimizer)
        self._last_lr = rates(self.optimizer)

    def step(self) -> None:  # type: ignore[override]
        """Steps all of them, in order."""
        for each in self._schedulers:
            each.step()
        self._last_lr = rates(self.optimizer)

    def _initial_step(self) -> None:
        for each in self._schedulers:
            each._initial_step()
        self._last_lr = rates(self.optimizer)

    def _restart(self) -> None:
        self._set_first_rates()  # not each from its own: the changes of all come together
        self._rewind()
        self._initial_step()
