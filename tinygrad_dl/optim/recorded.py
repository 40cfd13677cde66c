"""Steps that are recorded (`differentiable=True`): the rules of optimisers, followed on tensors.

A rule changes arrays in place, which a recorded step must not: backward needs the values from before. So it is given
`Cell`s in their place: what writes into a cell puts another tensor there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from tinygrad_dl.core import promotion
from tinygrad_dl.core.modes import enable_grad
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.creation import full_like
from tinygrad_dl.ops.pointwise.complex import view_as_complex, view_as_real
from tinygrad_dl.optim.block import Block, Rule, apply
from tinygrad_dl.optim.options import Group, numbers


class Cell(NDArrayOperatorsMixin):
    """A variable that holds a tensor; for NumPy's functions and operators it is an array that can be written into."""

    def __init__(self, tensor: Any = None):
        self.tensor = tensor

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = (), **options: Any) -> Cell:
        target: Cell = out[0] if out else Cell()
        target.tensor = getattr(ufunc, method)(*map(opened, inputs), **options)
        return target

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Iterable[Any], options: Any) -> Cell:
        target: Cell = options.pop("out", Cell())
        target.tensor = function(*map(opened, args), **options)
        return target

    def __setitem__(self, where: Any, value: Any) -> None:
        self.tensor = opened(value)  # rules write whole arrays: `where` is ...

    def __bool__(self) -> bool:
        return bool(self.tensor)

    def __float__(self) -> float:
        return float(self.tensor)


def opened(value: Any) -> Any:
    """The tensor in a cell; all else as it is."""
    return value.tensor if isinstance(value, Cell) else value


def celled(value: Any) -> Any:
    """A tensor in a cell, so that what is computed from it is too; pairs of them likewise."""
    if isinstance(value, tuple):
        return tuple(map(celled, value))
    return Cell(value) if isinstance(value, Tensor) else value


def same(value: Any) -> Any:
    """A real parameter as it is, where the parts of complex ones are shown and put together."""
    return value


class Recorded:
    """The parameters of a group whose steps are recorded: in place of a `Layout`."""

    blocks: tuple[Block, ...] = ()

    def holds(self, params: list[Tensor]) -> bool:
        """Whether these are still the parameters: it keeps none."""
        return True

    def step(self, optimizer: Rule, group: Group) -> None:
        """Steps the parameters that have a gradient, one by one; each gets a graph, as do its states."""
        recorded = {option: celled(value) for option, value in group.items() if option != "params"}
        with enable_grad():
            for p in group["params"]:
                if p.grad is not None:
                    self.step_one(optimizer, numbers(group), recorded, p)

    def step_one(self, optimizer: Rule, group: Group, recorded: Group, p: Tensor) -> None:
        """Steps a parameter, by options as numbers (for what is kept in scalars) and as cells."""
        names, entry = optimizer.names(group), optimizer._state[p]
        shown, whole = (view_as_real, view_as_complex) if promotion.category(p.dtype) == 3 else (same, same)
        given = {name: entry.get(name) for name in names}
        states = [
            Cell(full_like(shown(p), optimizer.initial(name, group)) if value is None else shown(value))
            for name, value in given.items()
        ]
        count = entry.get("step", 0.0) if optimizer.counts else any(value is not None for value in given.values())
        scalars = {name: entry.get(name, optimizer.initial(name, group)) for name in optimizer.scalars}
        scalars = {name: float(np.float32(float(value))) for name, value in scalars.items()}
        scalars["step"] = float(count) + 1
        value = Cell(shown(p))
        apply(optimizer, {**recorded, **scalars}, Cell(shown(p.grad)), (Cell(), Cell(), Cell()), [value, *states])
        changed = dict(zip(optimizer.scalars, optimizer.advance({**group, **scalars}), strict=True))
        if optimizer.counts:
            changed = {"step": scalars["step"], **changed}
        entry.update({name: wrap(np.array(number, np.float32)) for name, number in changed.items()})
        entry.update({name: whole(state.tensor) for name, state in zip(names, states, strict=True)})
        p.copy_(whole(value.tensor))
