"""ZeroRedundancyOptimizer: each of several processes keeps the optimiser's states of a share of the parameters."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tinygrad_dl import distributed as dist
from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.mutations import mutations
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.distributed.contents import gather_content
from tinygrad_dl.optim.hooks import first_given
from tinygrad_dl.optim.lbfgs import LBFGS
from tinygrad_dl.optim.optimizer import Optimizer
from tinygrad_dl.optim.options import Group

__all__ = ["ZeroRedundancyOptimizer"]

MEMBERS = ("params", "param_names")  # what stands in a group beside its options


class ZeroRedundancyOptimizer(Optimizer):
    """An optimiser whose states are shared out: each process keeps those of some parameters, and steps them alone.

    Adam keeps two numbers for each parameter; of N processes that train together, each then keeps 2 / N. A parameter
    belongs to one process, the one with the fewest elements so far when, in each group, the largest come first. A step
    changes a process's own parameters by the optimiser that it stands for; then each process sends its own to all
    others, in one message. The parameters are the same, to the last bit, as after a step of that optimiser everywhere.

    Args:
        params: tensors, (name, tensor) pairs, or dicts with "params" and options of their own; the same in all
            processes, with equal gradients, as `nn.parallel.DistributedDataParallel` makes them.
        optimizer_class: the class of the optimiser, such as `optim.Adam`.
        process_group: the processes; None: all.
        parameters_as_bucket_view: accepted, and changes nothing.
        overlap_with_ddp: False.
        defaults: the options of `optimizer_class`.

    Raises:
        TypeError: `optimizer_class` is no such class. ValueError: `overlap_with_ddp`, an optimiser whose step looks at
            all parameters at once (LBFGS), a parameter without a shape yet, what `optimizer_class` does not take; no
            process group (`distributed.init_process_group`), or one without this process.

    >>> import tinygrad_dl as td
    >>> td.distributed.init_process_group()  # a program that `mpirun -n 4` starts is one of four
    >>> model = td.nn.Linear(2, 1)
    >>> optimizer = td.optim.ZeroRedundancyOptimizer(model.parameters(), td.optim.Adam, lr=0.01)
    >>> model(td.ones(8, 2)).sum().backward()
    >>> optimizer.step()
    >>> optimizer.consolidate_state_dict(to=0)
    >>> sorted(optimizer.state_dict()["state"])
    [0, 1]
    >>> td.distributed.destroy_process_group()

    Source: https://docs.pytorch.org/docs/stable/distributed.optim.html (Rajbhandari et al., 2020, ZeRO, stage 1)
    """

    def __init__(
        self,
        params: Iterable[Any],
        optimizer_class: type[Optimizer],
        process_group: Any = None,
        parameters_as_bucket_view: bool = False,
        overlap_with_ddp: bool = False,
        **defaults: Any,
    ):
        _check(optimizer_class, overlap_with_ddp, defaults)
        self.process_group, self.parameters_as_bucket_view = process_group, parameters_as_bucket_view
        self.rank, self.world_size = dist.get_rank(process_group), dist.get_world_size(process_group)
        if self.rank < 0:
            raise ValueError(
                "ZeroRedundancyOptimizer: got a group that this process is not in, expected one of its own; make it in "
                "the processes of the group alone"
            )
        self._owned: list[list[Tensor]] = [[] for _ in range(self.world_size)]  # the parameters of each rank
        self._local: Optimizer | None = None  # of this rank's share
        self._others: dict[Any, dict[str, Any]] | None = None  # states of other ranks' parameters
        super().__init__(params, defaults)
        self._local = optimizer_class([self._share_of(group) for group in self.param_groups], **defaults)
        self.defaults = self._local.defaults
        self._take_options()

    @property
    def optim(self) -> Optimizer:
        """The optimiser of this process's share."""
        assert self._local is not None
        return self._local

    @property
    def state(self) -> Any:
        """Parameter -> dict of what this process remembers of it: of its own share alone."""
        return self._state if self._local is None else self._local.state

    @state.setter
    def state(self, value: dict[Any, dict[str, Any]]) -> None:
        self.optim.state = value

    # -- shares ----------------------------------------------------------------------------------

    def add_param_group(self, param_group: Group) -> None:
        """Adds parameters with options of their own, and shares them out; the same in all processes.

        Source: https://docs.pytorch.org/docs/stable/distributed.optim.html
        """
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        before = self._owned
        try:
            self._owned = shared_out(group["params"], before)
            if self._local is not None:
                self._local.add_param_group(self._share_of(group))
        except BaseException:
            self._owned = before
            del self.param_groups[-1]
            raise
        if self._local is not None:
            self._take_options()
        self._others = None

    def _share_of(self, group: Group) -> Group:
        """A group with this rank's parameters alone."""
        return only(group, self._own(group))

    def _own(self, group: Group) -> list[bool]:
        """Which of a group's parameters are this rank's."""
        own = set(map(id, self._owned[self.rank]))
        return [id(p) in own for p in group["params"]]

    def _give_options(self) -> None:
        for group, local in zip(self.param_groups, self.optim.param_groups, strict=True):
            local.update((key, value) for key, value in group.items() if key not in MEMBERS)

    def _take_options(self) -> None:
        for group, local in zip(self.param_groups, self.optim.param_groups, strict=True):
            group.update((key, value) for key, value in local.items() if key not in MEMBERS)

    # -- a step ----------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Steps this process's parameters, and gets the others from those that stepped them.

        Args:
            closure: clears the gradients, computes the loss again, calls backward and returns the loss.

        Returns:
            What the closure returned here; None without one.

        Source: https://docs.pytorch.org/docs/stable/distributed.optim.html
        """
        self._give_options()
        loss = self.optim.step() if closure is None else self.optim.step(closure)
        self._take_options()
        self._others = None
        for owner in range(self.world_size):
            self._spread(owner)
        return loss

    def _spread(self, owner: int) -> None:
        """Sends the parameters of one rank to all others, as bytes in one message."""
        params = self._owned[owner]
        ends = list(itertools.accumulate((p._data.nbytes for p in params), initial=0))
        if self.world_size == 1 or not ends[-1]:
            return
        message = np.empty(ends[-1], np.uint8)
        parts = [message[start:end] for start, end in itertools.pairwise(ends)]
        if owner == self.rank:
            for part, p in zip(parts, params, strict=True):
                part[...] = np.ascontiguousarray(p._data).reshape(-1).view(np.uint8)
        dist.broadcast(wrap(message), group=self.process_group, group_src=owner)
        if owner != self.rank:
            for part, p in zip(parts, params, strict=True):
                p._data[...] = part.view(p._data.dtype).reshape(p._data.shape)
                mutations.record(p._data, "ZeroRedundancyOptimizer.step()")

    # -- state -----------------------------------------------------------------------------------

    def consolidate_state_dict(self, to: int = 0) -> None:
        """Brings the states of all processes together in one, whose `state_dict()` then gives all of them.

        Called by all processes. What it brings together is forgotten with the next step.

        Args:
            to: the rank that gets them.

        Source: https://docs.pytorch.org/docs/stable/distributed.optim.html
        """
        if not 0 <= to < self.world_size:
            raise ValueError(
                f"ZeroRedundancyOptimizer.consolidate_state_dict: got to={to}, expected a rank from 0 to "
                f"{self.world_size - 1}"
            )
        params = self._numbered()
        numbers = {id(p): number for number, p in params.items()}
        own = {numbers[id(p)]: entry for p, entry in self.state.items() if id(p) in numbers}
        gathered = gather_content(own, to, self.process_group)
        self._others = None
        if gathered is not None:
            self._others = {
                params[number]: entry
                for rank, states in enumerate(gathered)
                if rank != self.rank
                for number, entry in states.items()
            }

    def state_dict(self) -> dict[str, Any]:
        """The state of the whole optimiser, as `optimizer_class` itself would give it; see `consolidate_state_dict`.

        Raises:
            RuntimeError: the states are not brought together here.

        Source: https://docs.pytorch.org/docs/stable/distributed.optim.html
        """
        if self._others is None:
            raise RuntimeError(
                f"ZeroRedundancyOptimizer.state_dict: got the states of rank {self.rank} alone, expected all; call "
                f"consolidate_state_dict(to={self.rank}) in all processes, after the last step"
            )
        return super().state_dict()

    def local_state_dict(self) -> dict[str, Any]:
        """The state dictionary with the states of this process's parameters alone.

        `load_state_dict` takes it back, in this process.
        """
        before, self._others = self._others, {}
        try:
            return super().state_dict()
        finally:
            self._others = before

    def _remembered(self) -> dict[Any, dict[str, Any]]:
        return {**self.state, **(self._others or {})}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over the state of the whole optimiser: each process keeps that of its own parameters.

        It may come from `optimizer_class` itself, or from any number of processes.

        Raises:
            ValueError: it does not belong to such an optimiser of such parameters. Nothing is changed here then.

        Source: https://docs.pytorch.org/docs/stable/distributed.optim.html
        """
        groups, states = self._given(state_dict)
        for hook in tuple(self._hooks["before load_state_dict"].values()):
            state_dict = first_given(hook(self, dict(state_dict)), state_dict)
            groups, states = self._given(state_dict)
        params: dict[Any, bool] = {}  # whether it is this process's, by number
        saved_groups: list[Group] = []
        for group, saved in zip(self.param_groups, groups, strict=True):
            own = self._own(group)
            params.update(zip(saved["params"], own, strict=True))
            saved_groups.append(only(saved, own))
        self.optim.load_state_dict({
            "state": {number: entry for number, entry in states.items() if params.get(number, True)},
            "param_groups": saved_groups,
        })  # fmt: skip
        self._take_options()
        self._others = None
        for hook in tuple(self._hooks["after load_state_dict"].values()):
            hook(self)

    def _numbered(self) -> dict[int, Tensor]:
        """The parameters by the numbers that state dictionaries give them."""
        params = itertools.chain.from_iterable(group["params"] for group in self.param_groups)
        return dict(enumerate(params))

    def __getstate__(self) -> dict[str, Any]:
        raise TypeError(
            "ZeroRedundancyOptimizer: got a request to copy or pickle it, expected none: it has a share of what "
            "several processes keep; use state_dict() after consolidate_state_dict()"
        )


def shared_out(params: list[Tensor], owned: list[list[Tensor]]) -> list[list[Tensor]]:
    """The parameters of each rank, with more of them: the largest first, each to the rank with the fewest elements."""
    for p in params:
        if p._uninitialized:
            raise ValueError(
                "ZeroRedundancyOptimizer: got a parameter without a shape yet, expected sizes to share out; run a "
                "batch through the lazy modules before"
            )
    found = [list(each) for each in owned]
    sizes = [sum(p.numel() for p in each) for each in found]
    for p in sorted({id(p): p for p in params}.values(), key=Tensor.numel, reverse=True):
        rank = sizes.index(min(sizes))
        found[rank].append(p)
        sizes[rank] += p.numel()
    return found


def only(group: Group, own: list[bool]) -> Group:
    """A group with some of its parameters."""
    return {key: list(itertools.compress(value, own)) if key in MEMBERS else value for key, value in group.items()}


def _check(optimizer_class: Any, overlap_with_ddp: bool, defaults: dict[str, Any]) -> None:
    """Raises for what can't be shared out."""
    name = "ZeroRedundancyOptimizer"
    if not (isinstance(optimizer_class, type) and issubclass(optimizer_class, Optimizer)):
        raise TypeError(f"{name}: got optimizer_class={summary(optimizer_class)}, expected a class: td.optim.Adam")
    if overlap_with_ddp:
        raise ValueError(
            f"{name}: got overlap_with_ddp=True, expected False: a step looks at all gradients, and changes nothing if "
            "one does not fit, so it can't begin while some are still on their way"
        )
    if issubclass(optimizer_class, LBFGS | ZeroRedundancyOptimizer):
        raise ValueError(
            f"{name}: got optimizer_class={optimizer_class.__name__}, expected one that steps each parameter by "
            "itself; use it without sharing it out"
        )
    if defaults.get("differentiable"):
        raise ValueError(
            f"{name}: got differentiable=True, expected False: nothing is recorded of what other processes did; use "
            f"{optimizer_class.__name__} itself"
        )
