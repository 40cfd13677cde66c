"""Optimizer: parameter groups, state and their dictionaries, and hooks, as in PyTorch.

A subclass that defines `step` on its own needs nothing but this file. The optimisers that come with the
library say only how arrays change; `flat.py` and `matrices.py` bring the arrays to them.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy as np

from tinygrad_dl.backends.arrays import has_own_elements, is_array, truth
from tinygrad_dl.core import promotion
from tinygrad_dl.core.contents import zero_gradient
from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.device import moved
from tinygrad_dl.core.modes import enable_grad
from tinygrad_dl.core.namespaces import public
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.core.warning import warn
from tinygrad_dl.optim.hooks import (
    Hooked,
    first_given,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from tinygrad_dl.optim.options import Group, Range, require, required

__all__ = ["Optimizer", "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook", "required"]

# The states that are made of squares or absolute values; of a complex parameter, both their parts are.
SQUARES = {
    *("exp_avg_sq", "max_exp_avg_sq", "exp_inf", "square_avg", "sum", "acc_delta", "step_size"),
    *("row_var", "col_var", "variance"),
}


class Optimizer(Hooked):
    """Base of all optimisers: holds parameter groups, their options, and a state for each parameter.

    Args:
        params: an iterable of tensors or of (name, tensor) pairs, or of dicts with the key "params" and
            options of that group's own.
        defaults: the options of groups that don't set them.

    Attributes:
        param_groups: a list of dicts: "params" and the options. Options are read at every step, so changing
            `group["lr"]` is all that a schedule does.
        state: parameter -> dict of what the optimiser remembers of it.
        defaults: the options given to the constructor.

    Raises:
        TypeError: a parameter is not a tensor, or `params` is a tensor or a set.
        ValueError: no parameters, one that appears twice, one that can't be optimised, or a bad option.

    >>> class SignDescent(td.optim.Optimizer):
    ...     def step(self, closure=None):
    ...         with td.no_grad():
    ...             for group in self.param_groups:
    ...                 for p in group["params"]:
    ...                     p -= group["lr"] * p.grad.sign()
    >>> w = td.tensor([1.0, -1.0], requires_grad=True)
    >>> optimizer = SignDescent([w], dict(lr=0.5))
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.tolist()
    [0.5, -0.5]

    Source: https://docs.pytorch.org/docs/stable/optim.html#torch.optim.Optimizer
    """

    # What the state of a parameter may hold; None: anything (a subclass with a step of its own).
    state_names: tuple[str, ...] | None = None
    scalars: ClassVar[tuple[str, ...]] = ()  # those of them that are one number for each parameter, besides "step"
    ranges: ClassVar[dict[str, Range]] = {}  # of the options

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]):
        if isinstance(params, Tensor):
            raise TypeError(
                f"{type(self).__name__}: got one tensor of shape {params.shape} for params, expected an iterable of "
                "tensors; pass [tensor], or model.parameters()"
            )
        if not isinstance(params, Iterable):
            raise TypeError(
                f"{type(self).__name__}: got a {type(params).__name__} for params, expected an iterable of tensors; "
                "pass model.parameters()"
            )
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self._state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        groups = list(params)
        if not groups:
            raise ValueError(
                f"{type(self).__name__}: got an empty parameter list, expected at least one tensor, as in "
                f"model.parameters(); a generator that was used before is empty: make a list of it first, "
                f"list(model.parameters())"
            )
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    @property
    def state(self) -> defaultdict[Any, dict[str, Any]]:
        """Parameter -> dict of what the optimiser remembers of it. May be read and changed."""
        return self._state

    @state.setter
    def state(self, value: dict[Any, dict[str, Any]]) -> None:
        self._state = defaultdict(dict, value)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Changes the parameters by their gradients; `closure` computes the loss again and returns it."""
        raise NotImplementedError(
            f"{type(self).__name__}: got an Optimizer without a step, expected one; define step(self, closure)"
        )

    @staticmethod
    def _loss(closure: Callable[[], Any] | None) -> Any:
        """What the closure returns, recorded whatever the mode; None without one."""
        if closure is None:
            return None
        with enable_grad():
            return closure()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters, or sets them to zero with `set_to_none=False`.

        Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.zero_grad.html
        """
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p._grad = None
                else:
                    zero_gradient(p)

    # -- groups ----------------------------------------------------------------------------------

    def add_param_group(self, param_group: Group) -> None:
        """Adds parameters with options of their own, for example a layer that is trained from now on.

        Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.add_param_group.html
        """
        name = type(self).__name__
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise TypeError(
                f"{name}: got {summary(param_group)} for a parameter group, expected a dict with the key 'params'"
            )
        group = dict(param_group)
        params = group["params"]
        if isinstance(params, set | frozenset):
            raise TypeError(
                f"{name}: got a set of parameters, expected an order that is the same in every run; pass a list"
            )
        params = [params] if isinstance(params, Tensor) else list(params)
        named = [isinstance(p, tuple) and len(p) == 2 for p in params]
        if any(named):
            if not all(named):
                raise ValueError(f"{name}: got parameters with and without names, expected names of all or of none")
            group["param_names"] = [each[0] for each in params]
            params = [each[1] for each in params]
        group["params"] = params
        seen = {id(p) for each in self.param_groups for p in each["params"]}
        for position, p in enumerate(params):
            where = f"{name}: parameter {position} of group {len(self.param_groups)}"
            if not isinstance(p, Tensor):
                raise TypeError(f"{where}: got {summary(p)}, expected a tensor; pass model.parameters()")
            if not (p.is_leaf or p.retains_grad or self.defaults.get("differentiable")):
                raise ValueError(
                    f"{where}: got a tensor of shape {p.shape} that was computed by {p._edge!r}, expected a leaf: "
                    f"pass the tensor it was computed from, or its detach().requires_grad_()"
                )
            if not (p._uninitialized or has_own_elements(p._data)):
                raise ValueError(
                    f"{where}: got a read-only array of shape {p.shape}, expected one that can be changed; make it "
                    "from a copy: td.tensor(array)"
                )
            if id(p) in seen:
                raise ValueError(
                    f"{where}: got a tensor of shape {p.shape} that is in another group too, expected it in one group"
                )
        if len(set(map(id, params))) < len(params):
            warn(f"{name}: got a parameter group with duplicate parameters: each step changes them more than once")
        for option, value in self.defaults.items():
            if value is required and option not in group:
                raise ValueError(f"{name}: got a parameter group without {option!r}, expected it in each group")
            group.setdefault(option, value)
        self._check_finite(group)
        self._check_options(group)
        if self.param_groups and ("param_names" in group) != ("param_names" in self.param_groups[0]):
            raise ValueError(
                f"{name}: got a parameter group with names beside one without, expected names in all or in none"
            )
        self.param_groups.append(group)

    def _check_finite(self, group: Group) -> None:
        """Raises ValueError for options that are infinite or no number; of a subclass with a step of its own: `lr`."""
        for option, value in group.items():
            if option in ("params", "param_names") or (self.state_names is None and option != "lr"):
                continue
            for each in value if isinstance(value, tuple | list) else [value]:
                if isinstance(each, Tensor) and each.numel() != 1:
                    raise ValueError(
                        f"{type(self).__name__}: got a tensor of shape {each.shape} for {option}, expected one element"
                    )
                if isinstance(each, float | np.floating | Tensor) and not np.isfinite(as_array(each)).all():
                    raise ValueError(f"{type(self).__name__}: got {option}={value!r}, expected finite numbers")

    def _check_options(self, group: Group) -> None:
        """Raises ValueError for an option that makes no sense: `ranges` says which do, each by itself.

        Raises RuntimeError for ways to a step that PyTorch does not let go together.
        """
        for option, (holds, expected) in self.ranges.items():
            require(group, option, holds, expected)
        for other in ("foreach", "differentiable"):
            if group.get("fused") and group.get(other):
                raise RuntimeError(
                    f"{type(self).__name__}: got fused=True and {other}=True, expected one of them at most"
                )

    # -- state -----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on later: "state" by the parameter's number, and "param_groups".

        The tensors in it share memory with the optimiser's. `td.save` writes it.

        Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.state_dict.html
        """
        for hook in tuple(self._hooks["before state_dict"].values()):
            hook(self)
        numbers: dict[int, int] = {}
        groups = []
        positions = itertools.count()
        for group in self.param_groups:
            numbers = {id(p): position for p, position in zip(group["params"], positions, strict=False)} | numbers
            packed = {key: value for key, value in group.items() if key != "params"}
            groups.append({**packed, "params": [numbers[id(p)] for p in group["params"]]})
        remembered = self._remembered()
        state = {numbers[id(p)]: dict(entry) for p, entry in remembered.items() if id(p) in numbers}
        others = {key: entry for key, entry in remembered.items() if not isinstance(key, Tensor)}
        found: dict[str, Any] = {"state": {**dict(sorted(state.items())), **others}, "param_groups": groups}
        for hook in tuple(self._hooks["after state_dict"].values()):
            found = first_given(hook(self, found), found)
        return found

    def _remembered(self) -> dict[Any, dict[str, Any]]:
        """What `state_dict` writes of the states."""
        return self.state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over a state that `state_dict()` gave, here or in PyTorch; copies it.

        Raises:
            ValueError: it does not belong to such an optimiser of such parameters. Nothing is changed then.

        Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.load_state_dict.html
        """
        from copy import deepcopy

        name = type(self).__name__
        saved_groups, saved_state = self._given(state_dict)
        groups: list[Group] = []
        params: dict[Any, Tensor] = {}
        for position, (group, saved) in enumerate(zip(self.param_groups, saved_groups, strict=True)):
            # Switches that an older file does not know of are as they are by default.
            known = {key for key, value in self.defaults.items() if not isinstance(value, bool | None)}
            missing = sorted(known - set(saved))
            if missing:
                raise ValueError(
                    f"{name}.load_state_dict: got a state whose group {position} lacks the options {missing}, expected "
                    "all; was it saved by another optimiser?"
                )
            new = {**self.defaults, **deepcopy({key: value for key, value in saved.items() if key != "params"})}
            if "param_names" in group:
                new.setdefault("param_names", group["param_names"])
            new["params"] = group["params"]
            self._check_finite(new)
            # A schedule may bring the rate below 0, if only by rounding.
            self._check_options({**new, "lr": abs(new["lr"])} if "lr" in new else new)
            groups.append(new)
            params.update(zip(saved["params"], group["params"], strict=True))
        state: dict[Any, dict[str, Any]] = {}
        for number, entry in saved_state.items():
            if isinstance(number, str):
                state[number] = deepcopy(entry)  # not of a parameter
                continue
            if number not in params:
                raise ValueError(
                    f"{name}.load_state_dict: got a state for parameter {number}, expected {sorted(params)}"
                )
            p = params[number]
            state[p] = {key: self._loaded(number, p, key, value) for key, value in deepcopy(entry).items()}
        self.state = state
        self.param_groups[:] = groups
        for hook in tuple(self._hooks["after load_state_dict"].values()):
            hook(self)

    def _given(self, state_dict: dict[str, Any]) -> tuple[list[Group], dict[Any, dict[str, Any]]]:
        """Groups and states of a dict that is to be loaded, once it has the form of one of such groups."""
        name = type(self).__name__
        if not isinstance(state_dict, dict) or not {"state", "param_groups"} <= set(state_dict):
            keys = sorted(map(str, state_dict)) if isinstance(state_dict, dict) else type(state_dict).__name__
            raise ValueError(f"{name}.load_state_dict: expected a dict with 'state' and 'param_groups', got {keys}")
        state_dict = dict(state_dict)
        for hook in tuple(self._hooks["before load_state_dict"].values()):
            state_dict = first_given(hook(self, state_dict), state_dict)
        saved_groups, saved_state = state_dict["param_groups"], state_dict["state"]
        if not isinstance(saved_groups, list | tuple) or not all(
            isinstance(each, dict) and isinstance(each.get("params"), list | tuple) for each in saved_groups
        ):
            raise ValueError(
                f"{name}.load_state_dict: got param_groups={saved_groups!r:.60}, expected a list of dicts with 'params'"
            )
        if not isinstance(saved_state, dict) or not all(isinstance(each, dict) for each in saved_state.values()):
            raise ValueError(f"{name}.load_state_dict: got state={saved_state!r:.60}, expected a dict of dicts")
        sizes = [len(g["params"]) for g in self.param_groups]
        saved_sizes = [len(g["params"]) for g in saved_groups]
        if sizes != saved_sizes:
            raise ValueError(
                f"{name}.load_state_dict: got a state saved from parameter groups of {saved_sizes} parameters, "
                f"expected {sizes}; make the optimiser with the same groups"
            )
        return list(saved_groups), saved_state

    def _state_shape(self, p: Tensor, key: str) -> tuple[int, ...]:
        """The shape of one of the states in `state_names`."""
        return () if key == "step" or key in self.scalars else p.shape

    def _loaded(self, number: Any, p: Tensor, key: str, value: Any) -> Any:
        """A copy of one saved value, in the parameter's dtype, once it is one that such an optimiser can have."""
        name = type(self).__name__
        if self.state_names is not None and key not in self.state_names:
            raise ValueError(
                f"{name}.load_state_dict: got a state {key!r} of parameter {number}, expected only {self.state_names}; "
                "was it saved by another optimiser?"
            )
        if self.state_names is None and isinstance(value, list):
            return [self._loaded(number, p, key, each) for each in value]
        if value is None or (self.state_names is None and not isinstance(value, Tensor) and not is_array(value)):
            return value
        array = as_array(value)
        single = key == "step" or key in self.scalars
        shape = self._state_shape(p, key)
        if self.state_names is not None and array.shape != shape:
            raise ValueError(
                f"{name}.load_state_dict: got {key!r} of parameter {number} of shape {array.shape}, expected {shape}; "
                "make the optimiser with the same parameters in the same order"
            )
        dtype: Any = p.dtype
        if single:  # in PyTorch all but the number of steps get the parameter's precision
            dtype = promotion.FLOAT64 if key != "step" and p.dtype == promotion.FLOAT64 else promotion.FLOAT32
        where = f"{name}.load_state_dict: {key!r} of parameter {number}"
        if promotion.category(array.dtype) == 3 and promotion.category(dtype) < 3:
            raise ValueError(f"{where}: got {array.dtype}, expected real numbers, as the parameter is {p.dtype}")
        if self.state_names is not None:
            if key == "step" and not (array >= 0 and array == np.floor(array) and np.isfinite(array)):
                raise ValueError(f"{where}: got {array}, expected a whole number from 0 on")
            if (
                key in SQUARES
                and array.size
                and truth((array.view(array.real.dtype) if array.ndim else array.real).min() < 0)
            ):
                raise ValueError(f"{where}: got values below 0, expected a mean or sum of squares: 0 or more")
            if single and not (np.isfinite(array) and array >= 0):
                raise ValueError(f"{where}: got {array}, expected a finite number from 0 on")
        copied = array.astype(dtype, copy=True)
        return wrap(moved(copied, "cpu" if single else p.device))

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": dict(self.state), "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.defaults, self.param_groups, self.state = state["defaults"], state["param_groups"], state["state"]

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for position, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {position}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join([*lines, ")"])

    def _repr_html_(self) -> str | None:
        from tinygrad_dl.optim.notebook import optimizer_page

        return optimizer_page(self)


public(globals(), "docs/stable/optim.html")
