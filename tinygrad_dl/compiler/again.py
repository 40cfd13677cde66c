"""Backward passes found eagerly, where the values of a run ask for another way than the recorded one.

Values decide here and there what a rule does: gradients that are not finite take another way through a convolution, and
so do equal numbers through max pooling. A backward program stops there, when its forward pass is long over. Then the
function is called once more, eagerly, with everything as it was before that call, and the graph of this call is gone
through.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_dl.autograd import enable_grad
from tinygrad_dl.compiler.checks import Checks
from tinygrad_dl.compiler.now import now
from tinygrad_dl.core.engine import propagate
from tinygrad_dl.core.mutations import buffer_owner, mutations
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.func.trees import flatten

__all__ = ["Again"]

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class Again:
    """A function that can be called again for its gradients.

    Args:
        function: the function. checks: what holds for its program.
        ends: which leaves of what it returns go on in the graph.
        edges: of each gradient the leaf, or what finds it among the arguments.
        changed: the memory that lives on and that the function changes, such as running statistics.
        read: the tensors from outside whose values it reads.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        checks: Checks,
        ends: Sequence[int],
        edges: Sequence[tuple[Any, Callable[[Any, Any], Any] | None]],
        changed: Sequence[np.ndarray],
        read: Sequence[Tensor],
    ):
        self.function, self.checks, self.ends, self.edges = function, checks, ends, edges
        self.changed, self.read = changed, read
        self.times = 0

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any], numbers: Sequence[Any]) -> Callable[..., Any]:
        """Notes how everything is before a call; what finds the call's gradients, given those of its results."""
        drawing = [each.bit_generator for each in numbers if isinstance(each, np.random.Generator)]
        states = [(each, each.state) for each in drawing]
        memory = [(array, array.copy()) for array in self.changed]
        return functools.partial(self.gradients, (args, kwargs), states, memory, mutations.latest)

    def gradients(
        self, call: Arguments, states: list[Any], memory: list[Any], when: int, seeds: Sequence[np.ndarray]
    ) -> list[Any]:
        """The gradient of each edge, from a call that leaves everything as it is."""
        args, kwargs = call
        self.times += 1
        later = [(each, each.state) for each, _ in states], [(array, array.copy()) for array, _ in memory]
        now.disabled += 1
        try:
            with enable_grad():
                self.check(args, kwargs, when)
                put_back(states, memory)
                leaves = flatten(self.function(*args, **kwargs))[0]
                edges = [leaf._edge if path is None else path(args, kwargs)._edge for leaf, path in self.edges]
            found = propagate([leaves[i]._edge for i in self.ends], seeds, edges)
            return [found.get(edge) for edge in edges]
        finally:
            now.disabled -= 1
            put_back(*later)

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any], when: int) -> None:
        """Refuses to call the function again after something has changed that it reads."""
        changed = self.checks.broken(args, kwargs, after=True)
        given = [each for each in flatten((args, kwargs))[0] if isinstance(each, Tensor)]
        for tensor in (*self.read, *given):
            entry = mutations.log.get(id(buffer_owner(tensor._data)))
            if entry is not None and entry[0] > when:
                changed = f"the elements of a tensor of shape {tuple(tensor.shape)}, by {entry[1]}"
        if changed is not None:
            raise RuntimeError(
                f"backward: got values for which a compiled function has to be called again, after a change of "
                f"{changed}, expected everything as in its call; call backward() before it is changed"
            )


def put_back(states: list[Any], memory: list[Any]) -> None:
    """Sets random generators and memory to what they were."""
    for generator, state in states:
        generator.state = state
    for array, copy in memory:
        array[...] = copy
