"""Inference tensors: those made inside `inference_mode`, of which a backward pass must never need a value.

What is remembered is the memory, so that views and what `detach` returns are inference tensors as well. Inside the
mode new tensors are noted; when the last thread leaves it, the memory of those that are still there. As long as there
is any, nodes are looked at when they are recorded; otherwise nothing is asked.
"""

from __future__ import annotations

import weakref
from typing import Any, TypeVar

import numpy as np

from tinygrad_dl.core.graph import Node, observers, saved_arrays
from tinygrad_dl.core.hooks import Hooks
from tinygrad_dl.core.modes import modes, recording
from tinygrad_dl.core.mutations import buffer_owner

T = TypeVar("T")

PRUNE = 256  # how many noted tensors are looked at for the first time, whether they are still there


class InferenceMemory:
    """The memory of inference tensors."""

    def __init__(self) -> None:
        self.noted: list[weakref.ref[Any]] = []  # tensors made inside the mode that is on
        self.limit = PRUNE
        self.known: dict[int, weakref.ref[np.ndarray]] = {}  # by the id of the array that owns it
        self.watching = False

    def note(self, tensor: Any) -> Any:
        """Remembers a tensor that was made inside the mode; returns it."""
        if modes.inference:
            if len(self.noted) >= self.limit:
                self.noted[:] = [each for each in self.noted if each() is not None]
                self.limit = 2 * len(self.noted) + PRUNE
            self.noted.append(weakref.ref(tensor))
        return tensor

    def settle(self) -> None:
        """Goes from the tensors that were noted to their memory. A view's is its base's."""
        noted, self.noted, self.limit = self.noted, [], PRUNE
        for tensor in [each() for each in noted]:
            if tensor is not None and tensor._base is None:
                owner = buffer_owner(tensor._data)
                self.known[id(owner)] = weakref.ref(owner, self._forget(id(owner)))
        if self.known and not self.watching:
            self.watching = True
            observers.watch(guard)
            observers.writers.append(refuse_change)

    def _forget(self, key: int) -> Any:
        def forget(_: Any) -> None:
            self.known.pop(key, None)
            if not self.known and self.watching:
                self.watching = False
                observers.leave(guard)
                observers.writers.remove(refuse_change)

        return forget

    def holds(self, array: np.ndarray) -> bool:
        """Whether an array shows memory of an inference tensor."""
        if self.noted:
            self.settle()
        return bool(self.known) and id(buffer_owner(array)) in self.known


memory = InferenceMemory()


def guard(node: Node) -> None:
    """Has what a new node saves looked at."""
    if type(node) is Node:
        node.__class__ = GuardedNode


class GuardedNode(Node):
    """A node until it saves its values: then it refuses those of inference tensors, and is an ordinary node."""

    __slots__ = ()

    @property
    def saved(self) -> Any:
        """Nothing yet."""
        return ()

    @saved.setter
    def saved(self, values: Any) -> None:
        for array in saved_arrays(values):
            if memory.holds(array):
                raise RuntimeError(
                    f"{self.title}: got an inference tensor of shape {array.shape}, whose values its gradient needs, "
                    "expected a tensor that was made outside of inference_mode; use its clone()"
                )
        plain: Any = self
        plain.__class__ = Node
        plain.saved = values


def refuse_change(array: np.ndarray, what: str) -> None:
    """Raises if memory of an inference tensor is to be changed outside of the mode."""
    if not modes.inference and memory.holds(array):
        raise RuntimeError(
            f"{what}: got an inference tensor, expected a tensor that was made outside of inference_mode; change it "
            "inside of it, or use its clone()"
        )


def new_in_inference(kind: type) -> Any:
    """A new tensor, noted: in the place of `object.__new__` while a thread is in inference mode."""
    return memory.note(object.__new__(kind))


def wrap_in_inference(array: np.ndarray) -> Any:
    """A new tensor around an array, noted."""
    return memory.note(Hooks.wrap(array))


def fresh(tensor: T) -> T:
    """Notes a tensor that a creation function has made, if the thread is in the mode; returns it."""
    if recording.inferring:
        memory.note(tensor)
    return tensor


def on_inference(entered: bool) -> None:
    """Called when the first thread has entered the mode, and when the last has left it."""
    if not entered:
        memory.settle()


recording.on_inference.append(on_inference)
