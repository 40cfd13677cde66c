"""The node in the graph that a compiled function leaves behind, whose backward pass is a program too.

What the forward program keeps for the backward program lies in the memory of the program. So each call whose backward
pass is still to come needs a program of its own: there is a pool of them, to which a program returns when the node that
held it is gone, or has been gone through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_dl.compiler.writing import Stopped
from tinygrad_dl.core.graph import Node
from tinygrad_dl.core.mutations import next_seq
from tinygrad_dl.core.runtime import connect_outputs
from tinygrad_dl.core.tensor import Tensor

Written = Any

# What ends a run before it changes anything: guards, and NumPy's functions that refuse values.
FAILURES = (Stopped, IndexError, np.linalg.LinAlgError)
MOST = 8  # programs in a pool: of more calls whose backward pass is still to come, the further ones run eagerly


class Pool:
    """Programs that do the same in memory of their own; those that no node holds."""

    def __init__(self, first: Written, make: Callable[[], Written]):
        self.free, self.make, self.count = [first], make, 1

    def ready(self) -> bool:
        """Whether there is a program for one more call."""
        return bool(self.free) or self.count < MOST

    def take(self) -> Held:
        """A program that nobody else has."""
        if self.free:
            return Held(self, self.free.pop())
        self.count += 1
        return Held(self, self.make())


class Held:
    """A program as long as somebody needs its memory."""

    __slots__ = ("again", "done", "pool", "written")

    def __init__(self, pool: Pool, written: Written):
        self.pool, self.written, self.done = pool, written, False
        self.again: Callable[[Sequence[Any]], Sequence[Any]] | None = None  # what finds the gradients eagerly

    def __del__(self) -> None:
        self.pool.free.append(self.written)


class Rules:
    """What the node of a compiled function knows: how to run the backward program."""

    broadcasts = changeable = single = False
    keeps_arrays = materializes = True
    suffix = "Backward"

    def __init__(self, name: str, multiple: bool):
        self.name, self.multiple = name, multiple

    def run(self, g: Any, saved: Any) -> Sequence[Any]:
        """The gradient of each edge."""
        held: Held = saved[0]
        if held.done:
            raise RuntimeError(
                f"backward: got the graph of {self.name}, a compiled function, for a second time, expected one pass "
                "through it, as its memory is used again meanwhile; call the function again, or without td.compile"
            )
        held.done = True
        again, held.again = held.again, None
        seeds = g if self.multiple else (g,)
        try:
            results: Sequence[Any] = held.written.backward(*seeds)
        except FAILURES:
            if again is None:
                raise
            results = again(seeds)
        return results

    def reconnected(self, node: Node, saved: Any) -> Any:
        raise RuntimeError(
            f"backward: got create_graph=True for the result of {self.name}, a compiled function, expected a pass that "
            "is not recorded; compile the whole step with its gradients, or call the function without td.compile"
        )

    def toward(self, edges: Sequence[Any], useful: Any) -> Rules:
        """Itself: all gradients are found at once."""
        return self

    def argument(self, position: int) -> str:
        """What an edge leads to."""
        return f"input {position}"


def connect(rules: Rules, edges: Sequence[Any], held: Held, read: Sequence[np.ndarray], tensors: list[Tensor]) -> None:
    """Gives the results of a call their place in the graph.

    Args:
        edges: the places of what the function was given, and of the parameters that it read.
        read: the arrays outside that the backward program reads, which must not be changed before.
    """
    node = Node()
    node.plan, node.edges, node.saved, node.hooks = rules, tuple(edges), (held, *read), None
    node.seq = next_seq()
    if rules.multiple:
        connect_outputs(node, tensors)
    else:
        array = tensors[0]._data
        node.shape, node.dtype, tensors[0]._edge = array.shape, array.dtype, node
