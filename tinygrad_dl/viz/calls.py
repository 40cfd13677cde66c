"""A model run once, to be looked at: which modules were called, and which nodes of the graph each of them made."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from operator import attrgetter
from typing import Any, NamedTuple

from tinygrad_dl.core.graph import Node, topological
from tinygrad_dl.core.modes import enable_grad
from tinygrad_dl.core.mutations import next_seq
from tinygrad_dl.core.promotion import is_differentiable
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.func.trees import change, flatten
from tinygrad_dl.nn.module import Module
from tinygrad_dl.random import get_rng_state, set_rng_state


class Call(NamedTuple):
    """One call of a module. The nodes that were made in it have sequence numbers between `first` and `last`."""

    path: str  # "" for the model itself
    module: Module
    depth: int  # 0 for the model itself
    first: int
    last: int
    output: Any
    inputs: tuple[Any, Mapping[str, Any]] = ((), {})  # as it was called: positional ones, and those by name


class Run(NamedTuple):
    """What a model returned, the calls in it in the order in which they began, and all nodes, oldest first."""

    output: Any
    calls: list[Call]
    nodes: list[Node]

    def nodes_of(self, call: Call) -> list[Node]:
        """The nodes that a call made, in the modules inside of it too."""
        first, last = (bisect(self.nodes, number, key=attrgetter("seq")) for number in (call.first, call.last))
        return self.nodes[first:last]


def run(model: Module, inputs: tuple[Any, ...], options: Mapping[str, Any]) -> Run:
    """Calls a model so that all is recorded, what its frozen parameters do too.

    The model is left as it was: buffers, which parameters require a gradient, and the generator of random numbers.
    Floating inputs are copied.
    """
    paths = {id(module): path for path, module in model.named_modules()}
    calls: list[Call] = []
    begun: list[int] = []

    def before(module: Module, args: Any, options: Any) -> None:
        calls.append(Call(paths[id(module)], module, len(begun), next_seq(), 0, None, (args, options)))
        begun.append(len(calls) - 1)

    def after(module: Module, args: Any, output: Any) -> None:
        number = begun.pop()
        calls[number] = calls[number]._replace(last=next_seq(), output=output)

    with untouched(model), enable_grad():
        inputs, options = change(inputs, recorded), change(dict(options), recorded)
        handles = [
            module.register_forward_pre_hook(before, prepend=True, with_kwargs=True) for module in model.modules()
        ]
        handles += [module.register_forward_hook(after) for module in model.modules()]
        try:
            output = model(*inputs, **options)
        finally:
            for handle in handles:
                handle.remove()
        roots = [leaf._edge for leaf in flatten(output)[0] if isinstance(leaf, Tensor) and leaf._edge is not None]
        nodes = [node for node in reversed(topological(roots)) if isinstance(node, Node)]
    return Run(output, calls, nodes)


def recorded(value: Any) -> Any:
    """A copy of a floating tensor that is in a graph, and that may be changed in place."""
    if not isinstance(value, Tensor) or not is_differentiable(value.dtype):
        return value
    return value.detach().requires_grad_().clone()


@contextmanager
def untouched(model: Module) -> Iterator[None]:
    """Makes all parameters require a gradient, and puts everything back at the end."""
    asked = [(p, p.requires_grad) for p in model.parameters() if is_differentiable(p.dtype)]
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    state = get_rng_state()
    try:
        for parameter, _ in asked:
            parameter.requires_grad_()
        yield
    finally:
        for parameter, before in asked:
            parameter.requires_grad_(before)
        for buffer, values in buffers:
            buffer.data.copy_(values)
        set_rng_state(state)
