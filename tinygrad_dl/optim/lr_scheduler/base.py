"""What learning-rate schedules share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tinygrad_dl.core.composition import Composed
from tinygrad_dl.core.modes import no_grad
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.warning import warn
from tinygrad_dl.optim.optimizer import Optimizer
from tinygrad_dl.optim.options import number

__all__ = ["LRScheduler", "each_group", "memory_of", "rates", "refuse_epoch", "require_optimizer", "set_rate"]

UNBOUNDED = ("best", "mode_worse")  # begin at infinity
COUNTS = ("last_epoch", "_step_count", "num_bad_epochs", "cooldown_counter")


# Where PyTorch explains it; the name of the place is in its own warning too.
ORDER = "https://docs.pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"


EPOCH_DEPRECATION_WARNING = (
    "scheduler.step(epoch) is deprecated: it works out the rates from the first ones, by the closed form where the "
    "schedule has one; call scheduler.step(), and state_dict() to resume"
)


def rates(optimizer: Optimizer, option: str = "lr") -> list[float]:
    """The value of an option in each group, as numbers: a learning rate may be a tensor."""
    return [float(group[option]) for group in optimizer.param_groups]


def set_rate(group: dict[str, Any], value: float) -> None:
    """Sets a group's learning rate: in place where it is a tensor."""
    if isinstance(group["lr"], Tensor):
        with no_grad():
            group["lr"].fill_(value)
    else:
        group["lr"] = value


def each_group(scheduler: Any, name: str, value: Any) -> list[float]:
    """A value for each parameter group: given so, or the same one for all."""
    groups = len(scheduler.optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [number(value)] * groups
    if len(value) != groups:
        raise ValueError(
            f"{type(scheduler).__name__}: got {len(value)} values in {name}, expected one for each of {groups} "
            "parameter groups"
        )
    return list(map(number, value))


def memory_of(function: Any) -> dict[str, Any] | None:
    """The attributes of a callable object, which a schedule's state keeps; a plain function has none."""
    return dict(getattr(function, "__dict__", {})) or None


def refuse_epoch(epoch: Any) -> None:
    """Warns that going to an epoch is deprecated, as PyTorch does."""
    if epoch is not None:
        warn(EPOCH_DEPRECATION_WARNING)


def require_optimizer(scheduler: Any, optimizer: Any) -> None:
    """Raises TypeError unless it is one."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(scheduler).__name__}: expected an optimiser, got a {type(optimizer).__name__}")


class LRScheduler(Composed):
    """Base of the schedules that count epochs. A subclass says in `get_lr` what the rates become.

    Args:
        optimizer: the optimiser whose learning rates are set.
        last_epoch: -1 to begin; to resume, the last epoch that was run, with an optimiser whose state was
            loaded.

    Attributes:
        last_epoch: how many times `step` was called.
        base_lrs: the learning rate that each group began with.

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
    """

    _is_initial = False
    _get_lr_called_within_step = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1):
        require_optimizer(self, optimizer)
        self.optimizer = optimizer
        self._check_numbers(vars(self))
        for position, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", float(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"{type(self).__name__}: group {position} has no 'initial_lr', which resuming at an epoch needs: "
                    f"got last_epoch={last_epoch!r}, expected -1; load the optimiser's state first"
                )
        self.base_lrs = rates(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        """Goes to the first epoch, and sets its rates."""
        self._step_count = 0
        self._is_initial = True
        self.step()
        self._is_initial = False

    def get_lr(self) -> list[float]:
        """The learning rate of each group at `last_epoch`; may start from the current ones.

        For `step`: a schedule that goes from one rate to the next would take a further step. See `get_last_lr`.
        """
        raise NotImplementedError(
            f"{type(self).__name__}: got a schedule without get_lr, expected one that returns a rate for each group; "
            "define get_lr(self)"
        )

    def get_last_lr(self) -> list[float]:
        """The learning rates that were set last, one for each group."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Goes on to the next epoch. Call it after the optimiser's `step`.

        Args:
            epoch: deprecated; where to go instead. The rates are worked out from the first ones, by
                `_get_closed_form_lr` if the schedule has it.
        """
        if self._step_count == 1 and not getattr(self.optimizer, "_opt_called", True):
            warn(
                "scheduler.step() was called before optimizer.step(): the first learning rate is never used; call "
                f"optimizer.step() first; see {ORDER}"
            )
        self._step_count += 1
        refuse_epoch(epoch)
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        """Sets the rates of the next epoch, or of `epoch`."""
        self._get_lr_called_within_step = True
        try:
            self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
            closed = getattr(self, "_get_closed_form_lr", self.get_lr)
            found = self.get_lr() if epoch is None else closed()
        finally:
            self._get_lr_called_within_step = False
        if not all(map(math.isfinite, found)):
            raise ValueError(
                f"{type(self).__name__}: got the learning rates {found} for epoch {self.last_epoch}, expected finite "
                "numbers; see to what get_lr returns"
            )
        for group, lr in zip(self.optimizer.param_groups, found, strict=True):
            set_rate(group, lr)
        self._last_lr = rates(self.optimizer)

    def _rates(self) -> list[float]:
        """The current rates, for a `get_lr` that goes on from them."""
        if not self._get_lr_called_within_step:
            warn(f"{type(self).__name__}.get_lr() gives the next rates, not those that were set: call get_last_lr()")
        return rates(self.optimizer)

    def _undo(self) -> None:
        """Goes back by the epoch that the next `_initial_step` goes on."""
        self.last_epoch -= 1

    def _rewind(self) -> None:
        """Goes back to before the first epoch."""
        self.last_epoch = -1

    def _restart(self) -> None:
        """Goes to epoch 0, when another schedule has come to its end."""
        self._update_lr(0)

    def _check_numbers(self, values: Mapping[str, Any]) -> None:
        """Raises ValueError for an attribute that is no number where it should be one."""
        for name, value in values.items():
            for each in value if isinstance(value, list | tuple) else [value]:
                if isinstance(each, float) and (math.isnan(each) or (math.isinf(each) and name not in UNBOUNDED)):
                    raise ValueError(f"{type(self).__name__}: got {name}={value!r}, expected finite numbers")

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on later: every attribute but the optimiser."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what `state_dict()` gave. The optimiser's state has to be loaded too.

        Raises:
            ValueError: it is no state of such a schedule. Nothing is changed then.
        """
        self._check_state(state_dict)
        self._take_state(state_dict)

    def _check_state(self, state_dict: Any) -> None:
        """Raises ValueError for a state that this schedule can't have."""
        name = type(self).__name__
        if not isinstance(state_dict, dict):
            raise ValueError(f"{name}.load_state_dict: expected a dict, got {type(state_dict).__name__}")
        unknown = sorted(set(state_dict) - set(self.__dict__))
        if unknown:
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: got unknown entries {unknown}, expected "
                f"{sorted(self.state_dict())}; was it saved by another schedule?"
            )
        if "last_epoch" in vars(self) and "last_epoch" not in state_dict:
            raise ValueError(
                f"{name}.load_state_dict: got a state with {sorted(state_dict)}, expected 'last_epoch' among them"
            )
        self._check_numbers(state_dict)
        for key, value in state_dict.items():
            own = vars(self).get(key)
            fits, expected = True, f"a {type(own).__name__} such as {own!r:.60}"
            if key in COUNTS:
                fits, expected = type(value) is int and value >= min(-1, own or 0), "a whole number from -1 on"
            elif key in ("base_lrs", "_last_lr", "min_lrs"):
                groups = len(self.optimizer.param_groups)
                fits = isinstance(value, list) and len(value) == groups and all(map(_is_number, value))
                expected = f"a number for each of {groups} groups"
            elif isinstance(own, str | list):
                fits = isinstance(value, type(own))
            elif isinstance(own, dict):
                fits = isinstance(value, dict)
            elif _is_number(own):
                fits = _is_number(value) or value is None
            if not fits:
                raise ValueError(f"{name}.load_state_dict: got {key}={value!r:.60}, expected {expected}")

    def _take_state(self, state_dict: dict[str, Any]) -> None:
        """Takes over a state that was checked."""
        self.__dict__.update(state_dict)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
