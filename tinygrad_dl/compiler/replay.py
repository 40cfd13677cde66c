"""A recorded step: what it was recorded with, the program, and what of Python's a run has to bring about.

A program changes arrays. What the step besides did to Python's objects follows here after each run: `.grad` of the
leaves, the log of in-place changes, and what the step returned.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.compiler.again import Again
from tinygrad_dl.compiler.backward import Pool, Rules, connect
from tinygrad_dl.compiler.checks import Checks
from tinygrad_dl.compiler.lent import Lent, lend, spoil
from tinygrad_dl.compiler.recording.memory import owner_of
from tinygrad_dl.core.graph import Node
from tinygrad_dl.core.mutations import Group, mutations, next_seq
from tinygrad_dl.core.tensor import Tensor, wrap

NOTHING: tuple[Any, Any] = (), {}  # in the place of the arguments of a call between two of them


class Gradient(NamedTuple):
    """What a step makes of the `.grad` of a leaf."""

    leaf: Any  # the tensor; None: an argument, which `path` gives
    path: Callable[[Any, Any], Any] | None
    array: np.ndarray | None  # where it lies in the memory of the program; None: there is none after the step
    changed: bool  # whether the step changed the one that was there, instead of making one


class Returned(NamedTuple):
    """A leaf of what a step returns."""

    kind: str  # "tensor", "end", "array", "number": a result of the program; "object", "argument", "same" as another
    value: Any  # the number of the result, the object, or what finds the argument
    graph: Any = None  # of a tensor whose graph was gone through, what raises; of one that goes on, which one it is


class Replay:
    """One program of a compiled function.

    Attributes:
        key: the arguments it is for, in short.
        uses: how often it was run. redone: how often a run was given up and the step done again eagerly.
        seconds: what recording and writing took.
    """

    what = "a run of a compiled step"

    def __init__(self, key: str, checks: Checks, written: Any, call: list[Any]):
        self.key, self.checks, self.written, self.call = key, checks, written, call
        self.uses = self.redone = 0
        self.seconds = 0.0
        self.numbers: list[Callable[[], Any]] = []  # what is read before each run
        self.takes: list[int] = []  # which of the arrays among the arguments the program reads
        self.more: list[Tensor] = []  # and the leaves whose `.grad` it reads
        self.gradients: list[Gradient] = []
        self.changed: list[int] = []  # the arrays among the arguments that it changes in place
        self.groups: list[Group] = []  # and the memory that lives on
        self.returned: list[Returned] = []
        self.build: Callable[[list[Any]], Any] = list
        self.single = False
        self.owners: set[int] = set()  # the ids of what owns memory that lives on
        self.lent: dict[int, Lent] = {}
        # Of a function whose results go on in the graph: the node's rules, its edges, what the backward pass reads.
        self.rules: Rules | None = None
        self.edges: list[tuple[Any, Callable[[Any, Any], Any] | None]] = []
        self.read: list[Tensor] = []
        self.pool: Pool | None = None
        self.again: Again | None = None  # how its gradients are found where values ask for another way
        self.matches = checks.function()

    @property
    def source(self) -> str:
        """The program as Python's text."""
        return str(self.written.source)

    @property
    def nbytes(self) -> int:
        """The bytes of memory for what is made on the way."""
        return int(self.written.arena)

    def __repr__(self) -> str:
        return f"<program for ({self.key}), {self.uses} uses, {self.nbytes:,} bytes, made in {self.seconds:.2f} s>"

    def stands_apart(self, arrays: Sequence[np.ndarray]) -> bool:
        """Whether no array of a call shares memory with another or with what lives on, if a run writes to memory."""
        if self.changed or self.groups:
            seen = set(self.owners)
            for array in arrays:
                owner = id(owner_of(array))
                if owner in seen:
                    return self.owners.isdisjoint([id(owner_of(each)) for each in arrays]) and not any(
                        np.may_share_memory(a, b) for a, b in itertools.combinations(arrays, 2)
                    )
                seen.add(owner)
        return True

    def run(self, arrays: Sequence[np.ndarray], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs the program, once its conditions hold; what the step returns."""
        self.call[:] = args, kwargs
        given = [arrays[i] for i in self.takes]
        given += [leaf._grad._data for leaf in self.more]  # type: ignore[union-attr]
        held = None if self.pool is None else self.pool.take()
        written = self.written if held is None else held.written
        numbers = [read() for read in self.numbers]
        if self.again is not None and held is not None:
            held.again = self.again.call(args, kwargs, numbers)
        results = written.function(*given, *numbers)
        self.uses += 1
        for group in self.groups:
            mutations.record_all(group, self.what)
        for i in self.changed:
            mutations.record(arrays[i], self.what)
        for number, (leaf, path, array, changed) in enumerate(self.gradients):
            tensor: Any = leaf if path is None else path(args, kwargs)
            if changed:
                mutations.record(tensor._grad._data, self.what)
            elif array is None:
                tensor._grad = None
            else:
                lent = self.lent.get(number)
                if type(lent) is not Lent or path is not None:
                    lent = self.lent[number] = lend(array)
                tensor._grad = lent
        if self.rules is not None and held is not None:
            found = self.all_given(results)
            ends = [tensor for tensor, each in zip(found, self.returned, strict=True) if each.kind == "end"]
            edges = [leaf._edge if path is None else path(args, kwargs)._edge for leaf, path in self.edges]
            connect(self.rules, edges, held, [tensor._data for tensor in self.read], ends)
            out = found[0] if self.single else self.build(found)
        elif self.single:
            out = self.give(self.returned[0], results)
        else:
            out = self.build(self.all_given(results))
        self.call[:] = NOTHING
        return out

    def all_given(self, results: Any) -> list[Any]:
        """The leaves of what the step returns; what it returned twice is one object."""
        found: list[Any] = []
        for each in self.returned:
            found.append(found[each.value] if each.kind == "same" else self.give(each, results))
        return found

    def give(self, returned: Returned, results: Any) -> Any:
        """One leaf of what the step returns."""
        kind, value, graph = returned
        if kind == "object":
            return value
        if kind == "argument":
            return value(*self.call)
        found = results[value]
        if kind in ("array", "number"):
            return found
        tensor = wrap(found)
        if kind == "end":
            return tensor
        if graph is not None:
            node = tensor._edge = Node()
            node.plan, node.edges, node.saved, node.hooks = graph, (), (), None
            node.seq, node.shape, node.dtype = next_seq(), found.shape, found.dtype
        return tensor

    def give_up(self) -> None:
        """To be called when a run has stopped before it came to its end: gradients in its memory are lost."""
        self.redone += 1
        for tensor in self.lent.values():
            spoil(tensor)
        self.lent.clear()


def path_reader(path: str) -> Callable[[Any, Any], Any]:
    """What finds an argument by its path, such as "args[0]['x']"."""
    found: Callable[[Any, Any], Any] = eval(f"lambda args, kwargs: {path}")
    return found
