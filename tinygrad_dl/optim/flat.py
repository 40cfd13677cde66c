"""Optimiser steps over flat arrays: a dozen NumPy calls, whatever the number of parameters.

NumPy's call costs 0.4 us, and a model has many small parameters. So those of a group are moved into one
buffer, one after the other, with their state laid out alike; each parameter's array becomes a view of it.
A parameter whose memory somebody else sees too (an array it was made from, a view, another optimiser), or
that is large, stays where it is and is stepped by itself: that is slower, never different.
"""

from __future__ import annotations

import itertools
import sys
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from operator import attrgetter, is_
from typing import Any, ClassVar

import numpy as np
from numpy.lib.array_utils import byte_bounds

from tinygrad_dl.backends.threads import parallel_for
from tinygrad_dl.core.promotion import is_differentiable
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.optim.block import CHUNK, Array, Block, Job, Memory, Scratch, State, run
from tinygrad_dl.optim.optimizer import Optimizer
from tinygrad_dl.optim.options import Group, numbers
from tinygrad_dl.optim.recorded import Recorded

__all__ = ["CHUNK", "SMALL", "Array", "FlatOptimizer"]

SHARE = 2**19  # elements for each thread, at least: fewer are stepped before another one is awake
SMALL = 32768  # below this, copying a gradient costs less than calls of its own

_array = attrgetter("_data")
_probe = wrap(np.empty(0))
ALONE = sys.getrefcount(_probe._data)  # of an array that nobody but its tensor refers to


class FlatOptimizer(Optimizer):
    """An optimiser whose rule works on flat arrays. A subclass says what its state is, and `update`."""

    counts: ClassVar[bool] = True  # whether the state holds the number of steps
    eager: ClassVar[bool] = False  # whether the state is there before the first step
    _exposed = False  # whether anybody has seen `state`, and so may have changed it

    _arrays: ClassVar[tuple[str, ...]]  # the states that are not one number for each parameter

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._arrays = tuple(name for name in cls.state_names or () if name != "step" and name not in cls.scalars)

    def names(self, group: Group) -> tuple[str, ...]:
        """The names of the state arrays that the rule asks for with these options: all, unless a subclass says less."""
        return self._arrays

    def initial(self, name: str, group: Group) -> float:
        """What a state is at first: each element of an array, or a scalar."""
        return 0.0

    def advance(self, o: Group) -> tuple[float, ...]:
        """What the scalars become after the step `o["step"]`, in the order of `scalars`."""
        return ()

    def update(self, o: Group, g: Array, work: Array, more: Array, p: Array, *states: Array) -> None:
        """The rule: changes `p` and the states in place. `work` and `more` are there to be written over.

        It is made of NumPy's functions with `out=` and of Python's operators, so that `recorded.py` can follow it.
        `maximize` and `weight_decay` were seen to before.

        Args:
            o: the options as numbers; "step", the number of this step, from 1; and the scalars as they were before it.
            g: the gradient, not to be changed.
            p: the parameters.
            states: the state arrays, in the order of `names`. All arrays are 1-d, of one size and dtype.
        """
        raise NotImplementedError

    @property
    def state(self) -> State:
        """Parameter -> dict of what the optimiser remembers of it. May be read and changed."""
        self._publish()
        self._exposed = True
        return self._state

    @state.setter
    def state(self, value: dict[Any, dict[str, Any]]) -> None:
        self._state = defaultdict(dict, value)
        self._layouts: list[Layout | Recorded] = []
        self._exposed = True

    def _publish(self) -> None:
        for layout in self._layouts:
            for block in layout.blocks:
                block.publish(self, self._state)

    def add_param_group(self, param_group: Group) -> None:
        if not self.param_groups:
            self._layouts = []
        super().add_param_group(param_group)
        self._lay_out(len(self.param_groups) - 1)

    def _lay_out(self, index: int) -> None:
        """Finds the arrays of a group again: they are new, or were replaced."""
        if index < len(self._layouts):
            self._publish()
            self._layouts[index] = Recorded()  # nothing of ours may refer to the arrays now: see ALONE
        group = self.param_groups[index]
        layout = Recorded() if group.get("differentiable") else Layout(group["params"])
        for block in layout.blocks:
            block.use(self.names(group), self, group)
        self._layouts[index : index + 1] = [layout]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Changes every parameter that has a gradient.

        Args:
            closure: clears the gradients, computes the loss again, calls backward and returns the loss.

        Returns:
            What the closure returned; None without one.

        Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.step.html
        """
        loss = self._loss(closure)
        del self._layouts[len(self.param_groups) :]  # of groups that were taken out
        for index, group in enumerate(self.param_groups):
            if index >= len(self._layouts) or not self._layouts[index].holds(group["params"]):
                self._lay_out(index)
        if self._exposed:
            for group, layout in zip(self.param_groups, self._layouts, strict=True):
                for block in layout.blocks:
                    block.adopt(self, group, self._state)
        for group, layout in zip(self.param_groups, self._layouts, strict=True):
            layout.step(self, group)
        if self._exposed:
            self._publish()
        return loss


class Layout:
    """How the parameters of a group are divided into blocks."""

    def __init__(self, params: Iterable[Tensor]):
        self.blocks: list[Block] = []
        together: dict[Any, list[Tensor]] = {}
        self.again: list[set[int]] = []  # for each further time that parameters are in the group, their ids
        times: Counter[int] = Counter()
        params = [p for p in params if not p._uninitialized]  # others come when they have a shape: `holds` notices
        for p in params:
            before = times[id(p)]
            times[id(p)] += 1
            if before:
                self.again += [set()] * (before > len(self.again))
                self.again[before - 1].add(id(p))
                continue
            if not is_differentiable(p.dtype):
                continue  # a frozen mask or count: it never has a gradient
            if may_move(p):
                together.setdefault(p.dtype, []).append(p)
            else:
                self.blocks.append(Block([p]))
        self.blocks += [Block(each) for each in together.values()]
        self.arrays = [p._data for p in params]
        here = [block for block in self.blocks if block.module is np]
        self.elsewhere = len(here) < len(self.blocks)
        bounds = sorted(byte_bounds(block.arrays[0]) for block in here if not block.moved)
        self.overlap = any(end > start for (_, end), (start, _) in itertools.pairwise(bounds))
        self.largest = max((block.offsets[-1] for block in self.blocks), default=0)
        self.scratches: list[Scratch] = []  # those that no thread uses now

    def step(self, optimizer: FlatOptimizer, group: Group) -> None:
        """Steps the parameters; those that are in the group several times, as often."""
        group = numbers(group)
        self.step_some(optimizer, group, None)
        for only in self.again:
            self.step_some(optimizer, group, only)

    def step_some(self, optimizer: FlatOptimizer, group: Group, only: set[int] | None) -> None:
        """Steps the blocks, on several threads if they are large. Where chunks begin does not depend on the threads."""
        jobs = [job for block in self.blocks for job in block.begin(optimizer, group, only)]
        if self.overlap:  # parameters that show the same memory see each other's steps, in turn
            for block in self.blocks:
                self.run(optimizer, block.begin(optimizer, group, only))
                block.finish(optimizer)
            return
        if len(jobs) < 2 or self.elsewhere:
            self.run(optimizer, jobs)
        else:
            *starts, size = itertools.accumulate((job[2].size for job in jobs), initial=0)

            def work(start: int, stop: int) -> None:
                self.run(optimizer, jobs[bisect_left(starts, start) : bisect_left(starts, stop)])

            parallel_for(work, size, SHARE)
        for block in self.blocks:
            block.finish(optimizer)

    def run(self, optimizer: FlatOptimizer, jobs: list[Job]) -> None:
        """Runs jobs in this thread."""
        try:
            scratch = self.scratches.pop()
        except IndexError:
            scratch = Scratch(self.largest)
        for job in jobs:
            run(optimizer, scratch, job)
        self.scratches.append(scratch)

    def holds(self, params: list[Tensor]) -> bool:
        """Whether these are still the parameters, with the arrays that they had."""
        return len(params) == len(self.arrays) and all(map(is_, map(_array, params), self.arrays))


def may_move(p: Tensor) -> bool:
    """Whether nobody would notice if this parameter's array took another place, and it is worth it."""
    base: Any = p._data.base
    return (
        p._data.size < SMALL
        and (base is None or type(base) is Memory)
        and type(p._data) is np.ndarray
        and sys.getrefcount(p._data) == ALONE
    )
