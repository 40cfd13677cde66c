"""The tree of a graph: which calls of modules were made inside of which, and which operations each of them made.

>>> import tinygrad_dl as td
>>> from tinygrad_dl.viz.known.calls import run
>>> model = td.nn.Sequential(td.nn.Linear(4, 8), td.nn.ReLU())
>>> seen = run(model, (td.ones(2, 4),), {})
>>> whole = tree(seen.nodes, seen.calls)
>>> [(group.path, group.title, len(group.nodes)) for group in whole.walk()]
[('', '', 3), ('', 'Sequential', 2), ('0', 'Linear', 1), ('1', 'ReLU', 1)]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tinygrad_dl.core.graph import Node

if TYPE_CHECKING:
    from tinygrad_dl.viz.known.recording import Call, Passed


@dataclass(eq=False)
class Group:
    """One call of a module, or the whole graph, or the calls of an element of a `ModuleList` (see `contained`).

    Attributes:
        call: the call; None for the whole graph and for what is no call.
        parent: the group in which it was made; None for the whole graph.
        members: operations that the module made itself and groups for the modules that it called, oldest first.
        container: the path of the element of a `ModuleList`.
    """

    call: Call | None = None
    parent: Group | None = None
    members: list[Node | Group] = field(default_factory=list)
    container: str = ""

    @property
    def path(self) -> str:
        """The module's name in the model: "" for the model itself and for the whole graph."""
        return self.call.path if self.call else self.container

    @property
    def title(self) -> str:
        """The module's class; "" for the whole graph."""
        return self.call.layer if self.call else ""

    @property
    def depth(self) -> float:
        """How many calls it was made in: 0 for the model, -1 for the whole graph; of a container a half more."""
        if self.call is None:
            return -1 if self.parent is None else self.parent.depth + 0.5
        return self.call.depth

    @property
    def groups(self) -> list[Group]:
        """The groups among its members."""
        return [member for member in self.members if isinstance(member, Group)]

    @cached_property
    def nodes(self) -> list[Node]:
        """All operations in it and in the groups of it, oldest first."""
        found: list[Node] = []
        for member in self.members:
            found += member.nodes if isinstance(member, Group) else [member]
        return found

    @cached_property
    def parameters(self) -> list[Any]:
        """The parameters of its module and of the modules of that, each once."""
        if self.call is None:
            return list({id(p): p for group in self.groups for p in group.parameters}.values())
        module = self.call.module
        return [] if module is None else list(module.parameters())

    @property
    def outputs(self) -> list[Passed]:
        """The tensors that it returned."""
        return self.call.outputs if self.call else self.groups[-1].outputs if self.groups else []

    def walk(self) -> Iterator[Group]:
        """Itself and all groups in it, in the order in which they were called."""
        yield self
        for group in self.groups:
            yield from group.walk()


def tree(nodes: Sequence[Node], calls: Sequence[Call] = ()) -> Group:
    """The whole graph as a group.

    Args:
        nodes: the operations, oldest first.
        calls: the calls of modules in the order in which they began; without any, all operations are members of the
            whole.
    """
    whole = here = Group()
    coming = iter(nodes)
    node = next(coming, None)

    def take(until: float) -> None:
        nonlocal node
        while node is not None and node.seq < until:
            here.members.append(node)
            node = next(coming, None)

    for call in calls:
        while here.call is not None and here.call.last <= call.first:
            take(here.call.last)
            here = here.parent or whole
        take(call.first)
        group = Group(call, here)
        here.members.append(group)
        here = group
    while here.call is not None:
        take(here.call.last)
        here = here.parent or whole
    take(float("inf"))
    return whole


def contained(whole: Group) -> bool:
    """Puts the calls of each element of a `ModuleList` that is itself only a list into a group of its own.

    So of "downs.0.block", "downs.0.attention", "downs.1.block", "downs.1.attention", with the operations between them.
    Returns whether there are any.
    """
    found = False
    for group in list(whole.walk()):
        runs: list[tuple[str, int, int]] = []  # the path of an element, and where its first and last call stand
        for i, member in enumerate(group.members):
            if isinstance(member, Group):
                above, _, last = member.path.rpartition(".")
                if last and above.rpartition(".")[2].isdigit() and above != group.path:
                    if runs and runs[-1][0] == above:
                        runs[-1] = (above, runs[-1][1], i)
                        continue
                    runs.append((above, i, i))
                else:
                    runs.append(("", i, i))
        for above, first, last_call in reversed(runs):
            if above and first < last_call:
                inner = Group(None, group, group.members[first : last_call + 1], above)
                for each in inner.groups:
                    each.parent = inner
                group.members[first : last_call + 1] = [inner]
                found = True
    return found
