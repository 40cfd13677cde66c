"""Which memory was changed in place, and when."""

from __future__ import annotations

import itertools
import sys
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from tinygrad_dl.backends.arrays import is_array

# Counts nodes and in-place changes alike, so that "made before the change" is one comparison.
next_seq = itertools.count(1).__next__


class Reader(Protocol):
    """What is asked of a node whose saved values are checked."""

    @property
    def seq(self) -> int: ...
    @property
    def title(self) -> str: ...
    def kept_arrays(self) -> Iterable[np.ndarray]: ...


class Group(dict[int, "weakref.ref[np.ndarray]"]):
    """Arrays that are changed together, by their ids, and how often they were."""

    __slots__ = ("__weakref__", "times")

    def __init__(self, arrays: dict[int, weakref.ref[np.ndarray]]) -> None:
        super().__init__(arrays)
        self.times = 0


class Mutations:
    """Which buffers were changed in place, and when: backward refuses values that are no longer there.

    Costs nothing on the way forward. A backward pass consults it only if something was changed after
    the node was recorded.
    """

    def __init__(self) -> None:
        self.latest = 0
        self.log: dict[int, tuple[int, str, Any]] = {}
        self.counts: dict[int, int] = {}  # how often each was changed by itself
        self.groups: weakref.WeakValueDictionary[int, Group] = weakref.WeakValueDictionary()

    def record(self, array: np.ndarray, what: str) -> None:
        """Notes that `array` was just changed; `what` says by which operation, and where."""
        owner = buffer_owner(array)
        key = id(owner)
        before = self.log.get(key)
        watch = before[2] if before else weakref.ref(owner, self._forget(key))
        self.latest = next_seq()
        self.log[key] = (self.latest, what, watch)
        self.counts[key] = self.counts.get(key, 0) + 1

    def replaced(self, old: np.ndarray, new: np.ndarray, what: str) -> None:
        """Notes that a tensor has the array `new` in the place of `old`, which counts as a change of both."""
        times = self.version(old)
        self.record(old, what)
        if buffer_owner(new) is not buffer_owner(old):
            self.record(new, what)
            self.counts[id(buffer_owner(new))] += times

    def version(self, array: np.ndarray) -> int:
        """How often the memory of an array was changed."""
        owner = buffer_owner(array)
        key = id(owner)
        together = sum(group.times for group in self.groups.values() if key in group and group[key]() is owner)
        return self.counts.get(key, 0) + together

    def watch(self, owners: Sequence[np.ndarray]) -> Group:
        """Prepares `record_all` for arrays that own their memory and will be changed together, often."""
        group = Group({id(array): weakref.ref(array, self._forget(id(array))) for array in owners})
        self.groups[id(group)] = group
        return group

    def _forget(self, key: int) -> Callable[[Any], None]:
        """What takes a buffer's entry away when the buffer goes, before its id can be used again."""
        log, counts = self.log, self.counts

        def forget(_: Any) -> None:
            log.pop(key, None)
            counts.pop(key, None)

        return forget

    def record_all(self, group: Group, what: str) -> None:
        """Notes that all arrays of a group were just changed: `record` for many, in one go."""
        self.latest = next_seq()
        group.times += 1
        self.log.update(dict.fromkeys(group, (self.latest, what, group)))

    def check(self, node: Reader) -> None:
        """Raises if a value that the node saved was changed after the node was recorded."""
        for array in node.kept_arrays():
            entry = self.log.get(id(buffer_owner(array)))
            if entry is not None and entry[0] > node.seq:
                raise RuntimeError(
                    f"backward: got a value of shape {array.shape} that was changed in place afterwards, by "
                    f"{entry[1]}, expected it as it was, for the gradient of {node.title}; use an operation that "
                    "makes a new tensor there, or clone() the value before it is changed"
                )


def buffer_owner(array: np.ndarray) -> np.ndarray:
    """The array whose memory this one shows."""
    base: Any = array.base
    while is_array(base):
        array, base = base, base.base
    return array


def offset(array: np.ndarray) -> int:
    """How many bytes of its memory stand before an array's first element."""
    first: int = np.lib.array_utils.byte_bounds(buffer_owner(array))[0]
    return int(array.ctypes.data) - first


mutations = Mutations()


def changed_at(what: str) -> str:
    """Names an in-place operation and the first line outside this package that led to it."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("tinygrad_dl"):
        frame = frame.f_back
    return f"{what} at {frame.f_code.co_filename}:{frame.f_lineno}"


def alias(array: np.ndarray) -> np.ndarray:
    """The same memory as another array, which counts as the owner of its own: see `Mutations.record`."""
    if array.dtype.kind == "V":  # bfloat16, of which the buffer protocol knows nothing
        return alias(array.view(np.uint16)).view(array.dtype)
    if not isinstance(array, np.ndarray):  # a view of it, whose changes are the array's
        return array.view()
    return np.asarray(array.data) if array.size else array
