"""Where constants come from: tensors without a gradient that the model was given, or that one module made for another.

The graph knows nothing of them. They are followed from module to module, by the tensors that were passed, and to
operations that keep them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_dl.core.graph import Node
from tinygrad_dl.core.mutations import buffer_owner
from tinygrad_dl.viz.pictures.structure import Group

Link = Callable[[Any, Any], None]


class Flow:
    """Connects boxes by constants.

    Attributes:
        before: of each entry the sources that are first read by it.
    """

    def __init__(self, sources: Sequence[Any], entry: Callable[[Any], Any], link: Link):
        self.entry, self.link = entry, link
        self.sources = {id(source.tensor): source for source in sources if source.edge is None}
        arrays = ((source, source.tensor()) for source in self.sources.values())
        self.arrays = {id(buffer_owner(tensor._data)): source for source, tensor in arrays if tensor is not None}
        self.made: dict[int, Any] = {}  # by the reference to a tensor, the entry that stands for where it came from
        self.before: dict[Any, list[Any]] = defaultdict(list)
        self.read: set[Any] = set()  # entries whose constants are read

    def follow(self, entries: Sequence[Any]) -> list[Any]:
        """Connects the entries, oldest first, and returns those that are to be seen: not modules that do nothing."""
        for entry in entries:
            if isinstance(entry.thing, Group) and entry.thing.call is not None:
                for passed in entry.thing.call.inputs:
                    if passed.edge is None:
                        self.arrive(id(passed.tensor), entry)
                for passed in entry.thing.call.outputs:
                    if passed.edge is None and id(passed.tensor) not in self.sources:
                        self.made.setdefault(id(passed.tensor), entry)
            elif isinstance(entry.thing, Node):
                for array in entry.thing.kept_arrays() if self.arrays else ():
                    source = self.arrays.get(id(buffer_owner(array)))
                    if source is not None:
                        self.arrive(id(source.tensor), entry)
        return [entry for entry in entries if not self.idle(entry)]

    def arrive(self, tensor: int, head: Any) -> None:
        """Connects an entry to where a constant that it reads came from, if that is shown."""
        if tensor in self.sources and tensor not in self.made:
            self.made[tensor] = self.entry(self.sources[tensor])
            self.before[head].append(self.made[tensor])
        tail = self.made.get(tensor)
        if tail is not None and tail is not head:
            self.read.add(tail)
            self.link(tail, head)

    def idle(self, entry: Any) -> bool:
        """Whether an entry is a module that computed nothing, or nothing that is read."""
        return isinstance(entry.thing, Group) and not entry.thing.nodes and entry not in self.read
