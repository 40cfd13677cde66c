"""Reverse mode under transforms: gradients of lifted tensors are those of the tensors that they stand for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinygrad_dl.core.graph import Leaf, topological
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.core.transforms import Lifted, levels_of, stack
from tinygrad_dl.func.batched import Batched, BatchLevel


def fresh(tensor: Any) -> Any:
    """The same values with a place of their own in the graph, from which a gradient can be asked.

    What the tensor itself came from is still reached through it.
    """
    if isinstance(tensor, Lifted):
        return tensor.with_value(fresh(tensor.value))
    if tensor._edge is None:
        return wrap(tensor._data).requires_grad_()
    return tensor.view(tensor.shape)


class Differentiating:
    """A context manager: the function of `grad`, `vjp` or `linearize` is running."""

    def __enter__(self) -> None:
        stack.differentiating += 1

    def __exit__(self, *_: object) -> None:
        stack.differentiating -= 1


def batches_around() -> list[BatchLevel]:
    """The calls of vmap that we are inside of."""
    return [level for level in stack.levels if isinstance(level, BatchLevel)]


def own_place(tensor: Any, levels: Iterable[BatchLevel]) -> Any:
    """The same, for a gradient inside of these levels of vmap: every example has one of its own.

    Also by what is the same for all examples, which then is repeated. Its place lies behind the repetition.
    """
    depths = levels_of(tensor)
    for level in levels:
        if level.depth not in depths:
            tensor = _repeated(tensor, level)
    return fresh(tensor)


def _repeated(tensor: Any, level: BatchLevel) -> Any:
    """A tensor lifted to a level of vmap."""
    if isinstance(tensor, Lifted) and tensor.level.depth > level.depth:
        return tensor.with_value(_repeated(tensor.value, level))
    return level.enter(tensor)


def batches_within(value: Any) -> dict[int, BatchLevel]:
    """The levels of vmap that a value is lifted to, in its tangents too, by depth."""
    if isinstance(value, Lifted):
        own = {value.level.depth: value.level} if isinstance(value, Batched) else {}
        return own | batches_within(value.within())
    if type(value) in (tuple, list):
        return {depth: level for each in value for depth, level in batches_within(each).items()}
    return {}


def plain_edges(value: Any) -> list[Any]:
    """The places in the graph of all tensors that a value holds, tangents too."""
    if isinstance(value, Lifted):
        return [edge for each in value.within() for edge in plain_edges(each)]
    if isinstance(value, Tensor):
        return [] if value._edge is None else [value._edge]
    if type(value) in (tuple, list):
        return [edge for each in value for edge in plain_edges(each)]
    return []


def reaches_beyond(outputs: list[Any], inputs: list[Any]) -> bool:
    """Whether the outputs depend on leaves other than the inputs: their gradients then have a graph too."""
    own = {each._edge for each in inputs}  # not those of their tangents, which may be any leaves
    reached = topological(edge for each in outputs for edge in plain_edges(each))
    return any(type(edge) is Leaf and edge not in own for edge in reached)
