"""Parts of a graph that repeat: layers of the same structure in a row, and loops over time.

Operations and calls of modules stand in the order in which the program made them. A part that repeats is a stretch of
that list that comes again right behind itself, with the same operations, shapes and options, and connected in the same
way: what it reads of itself stands at the same place in it, what it reads of the turn before at the same place in that,
and all else is either the same tensor for all turns (a shared weight), or another one of the same shape for each
(weights of their own, the elements of a sequence). Names say nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tinygrad_dl.core.graph import Edge, Leaf, Node
from tinygrad_dl.viz.known.arguments import options, same
from tinygrad_dl.viz.pictures.structure import Group

NEAREST = 16  # how many of the next places with the same operation suggest a length
MOST_LENGTHS = 64  # of those the most frequent are tried
MOST_SHIFTS = 32  # places that are tried as the beginning of a turn
LEAST_SAVED = 3  # operations that are left out if single ones are folded
LEAST_PARALLEL = 4  # turns of a part that takes nothing of the turn before


@dataclass(eq=False)
class Repeat:
    """A part of the graph that comes several times in a row.

    Attributes:
        turns: the items of each turn: operations, groups, and repeats inside of it.
        links: what each input is, by the number of its node in the turn and of its edge: "inside", "carried" from the
            turn before, "shared" by all, or "own", another for each.
    """

    turns: list[list[Item]]
    links: dict[tuple[int, int], str]

    @cached_property
    def nodes(self) -> list[Node]:
        """The operations of all turns."""
        return [node for turn in self.turns for item in turn for node in nodes_of(item)]

    @property
    def size(self) -> int:
        """The number of operations in a turn."""
        return len(self.nodes) // len(self.turns)

    @cached_property
    def carries(self) -> bool:
        """Whether each turn takes what the one before made."""
        return "carried" in self.links.values()

    @cached_property
    def loop(self) -> bool:
        """Whether the turns are the same computation of another state, not layers with weights of their own."""
        own = [place for place, kind in self.links.items() if kind == "own"]
        return self.carries and not any(type(self.nodes[node].edges[edge]) is Leaf for node, edge in own)


Item: TypeAlias = Node | Group | Repeat


def nodes_of(item: Item) -> Sequence[Node]:
    """The operations of an item, oldest first."""
    return [item] if isinstance(item, Node) else item.nodes


def folded(members: Sequence[Item], apart: Callable[[Group], Any] = lambda group: None) -> list[Item]:
    """The items of a list, with what repeats as one `Repeat`; repeats of repeats too.

    Args:
        members: operations and groups, oldest first.
        apart: groups for which it gives different values are not alike.
    """
    items, keys = list(members), Keys(apart)
    while True:
        before = len(items)
        items = Row(items, keys).folded()
        if len(items) == before:
            return items


class Keys:
    """Numbers for items: equal ones for those that do the same with the same shapes."""

    def __init__(self, apart: Callable[[Group], Any]):
        self.apart = apart
        self.numbers: dict[Any, int] = {}
        self.known: dict[Item, int] = {}

    def of(self, item: Item) -> int:
        """The number of an item."""
        if item in self.known:
            return self.known[item]
        if isinstance(item, Node):
            op = getattr(item.plan, "op", None)
            says: Any = (getattr(op, "key", item.title), item.shape, str(item.dtype), len(item.edges))
        elif isinstance(item, Repeat):
            says = ("repeat", len(item.turns), tuple(map(self.of, item.turns[0])))
        else:
            module = item.call.module if item.call else None
            given = "" if module is None else module.extra_repr()
            shapes = tuple(tuple(p.shape) for p in item.parameters)
            says = (item.title, given, self.apart(item), shapes, tuple(map(self.of, item.members)))
        self.known[item] = self.numbers.setdefault(says, len(self.numbers))
        return self.known[item]


class Found(NamedTuple):
    """A part that repeats: the number of its first item, the length and number of its turns, and their links."""

    begin: int
    length: int
    turns: int
    links: dict[tuple[int, int], str]

    @property
    def saved(self) -> int:
        return (self.turns - 1) * self.length


class Row:
    """Items in a row, in which those that repeat are looked for."""

    def __init__(self, items: list[Item], keys: Keys):
        self.items = items
        self.keys = np.array([keys.of(item) for item in items], int)
        self.nodes = [node for item in items for node in nodes_of(item)]
        self.place: dict[Any, int] = {node: i for i, node in enumerate(self.nodes)}
        self.start = np.cumsum([0, *(len(nodes_of(item)) for item in items)]).tolist()
        self.reaches: dict[int, Any] = {}
        self.places: dict[int, Any] = {}
        order = np.argsort(self.keys, kind="stable")
        self.rank = np.empty_like(order)
        self.rank[order] = np.arange(len(order))
        self.order = order
        self.lengths = self.frequent_lengths()

    def frequent_lengths(self) -> set[int]:
        """The most frequent distances between items that are alike and near."""
        counts = np.zeros(len(self.items) + 1, int)
        sorted_keys = self.keys[self.order]
        for step in range(1, min(NEAREST, len(self.items) - 1) + 1):
            alike = sorted_keys[step:] == sorted_keys[:-step]
            counts += np.bincount((self.order[step:] - self.order[:-step])[alike], minlength=len(counts))
        best = np.argsort(-counts, kind="stable")[:MOST_LENGTHS]
        return {int(length) for length in best if counts[length]}

    def folded(self) -> list[Item]:
        """The items from the first on, with the longest part that repeats from each of them folded."""
        result: list[Item] = []
        at = 0
        while at < len(self.items):
            found = self.longest(at)
            if found is None:
                result.append(self.items[at])
                at += 1
                continue
            end = found.begin + found.turns * found.length
            turns = [self.items[i : i + found.length] for i in range(found.begin, end, found.length)]
            result += [*self.items[at : found.begin], Repeat(turns, found.links)]
            at = end
        return result

    def longest(self, at: int) -> Found | None:
        """The part that repeats from an item on, or from a little behind it, that leaves out most items."""
        best: Found | None = None
        for length in self.lengths_at(at):
            alike = int(self.reach(length)[at])
            most = alike // length * length  # items that it leaves out if all is connected in the same way
            if not most or (best is not None and most <= best.saved):
                continue
            found = self.found(at, length, alike // length + 1)
            if found is not None and (best is None or found.saved > best.saved):
                best = self.fewest_carried(found, alike)
        return best

    def lengths_at(self, at: int) -> list[int]:
        """The distances to the next items that are like this one."""
        rank = int(self.rank[at])
        near = self.order[rank + 1 : rank + 1 + NEAREST]
        near = near[self.keys[near] == self.keys[at]]
        return [length for length in (near - at).tolist() if length in self.lengths]

    def reach(self, length: int) -> Any:
        """For each item how many in a row, from it on, are like those that stand a length behind them."""
        if length not in self.reaches:
            count = len(self.items)
            differ = np.full(count, count - length)
            unlike = np.flatnonzero(self.keys[:-length] != self.keys[length:])
            differ[unlike] = unlike
            self.reaches[length] = np.minimum.accumulate(differ[::-1])[::-1] - np.arange(count)
        return self.reaches[length]

    def fewest_carried(self, found: Found, alike: int) -> Found:
        """The part, or the same a little later, where a turn takes the fewest tensors of the one before."""
        best, fewest = found, self.carried(found)
        for shift in range(1, min(alike % found.length, MOST_SHIFTS) + 1):
            later = self.found(found.begin + shift, found.length, found.turns)
            if later is not None and later.turns == found.turns and self.carried(later) < fewest:
                best, fewest = later, self.carried(later)
        return best

    def carried(self, found: Found) -> int:
        """How many tensors a turn takes of the one before."""
        second = self.start[found.begin + found.length]
        places = [place for place, kind in found.links.items() if kind == "carried"]
        return len({id(self.nodes[second + node].edges[edge]) for node, edge in places})

    def found(self, begin: int, length: int, turns: int) -> Found | None:
        """The part with as many turns as are connected in the same way, if it is worth folding."""
        first, size = self.start[begin], self.start[begin + length] - self.start[begin]
        links: dict[tuple[int, int], str] = {}
        steps: dict[tuple[int, int], Any] = {}
        good = 1
        while good < turns and self.connected(first, size, good, links, steps):
            good += 1
        if good == 1 or not size:
            return None
        if good == 2 and any(  # two tensors are no sequence
            kind == "own" and type(self.nodes[first + node].edges[edge]) is not Leaf
            for (node, edge), kind in links.items()
        ):
            return None
        carries = "carried" in links.values()
        single = all(isinstance(item, Node) for item in self.items[begin : begin + length])
        if (not carries and good < LEAST_PARALLEL) or (single and (good - 1) * length < LEAST_SAVED):
            return None
        return Found(begin, length, good, links)

    def connected(self, first: int, size: int, turn: int, links: dict[Any, str], steps: dict[Any, Any]) -> bool:
        """Whether a turn is connected as the one before it; the second turn says how, in `links` and `steps`."""
        begin = first + turn * size
        known: dict[Any, str] = {}
        for number in range(size):
            old, new = self.nodes[begin - size + number], self.nodes[begin + number]
            if len(old.edges) != len(new.edges) or not alike(old, new):
                return False
            for i, (before, after) in enumerate(zip(old.edges, new.edges, strict=True)):
                kind, step = self.link(before, after, first, size, turn)
                place = (number, i)
                if not kind or (turn > 1 and (links[place] != kind or steps[place] != step)):
                    return False
                known[place] = kind
                if turn == 1:
                    steps[place] = step
        links.update(known)
        return True

    def link(self, before: Edge | None, after: Edge | None, first: int, size: int, turn: int) -> tuple[str, Any]:
        """What an input is, from what it was in the turn before and is now; "" if the two have nothing in common."""
        if before is None and after is None:
            return "shared", None
        if after is None:
            return "", None
        begin = first + turn * size
        old = None if before is None else self.place.get(before.node)
        new = self.place.get(after.node)
        moved = before is not None and old is not None and new == old + size and before.index == after.index
        if new is not None and new >= begin:
            return ("inside" if moved else ""), None
        if new is not None and new >= begin - size:  # what goes into the first turn is made before it
            return ("carried" if (moved if turn > 1 else old is None or old < first) else ""), None
        if before is None or (new is not None and new >= first) or (old is not None and old >= first):
            return "", None
        if before is after:
            return "shared", None
        if type(before.node) is not type(after.node) or (before.shape, before.dtype) != (after.shape, after.dtype):
            return "", None
        apart = None if old is None or new is None else new - old
        return "own", (apart, after.index - before.index)


def alike(old: Node, new: Node) -> bool:
    """Whether two operations have the same options, as far as both know them; indices may go on from turn to turn."""
    if "index" in getattr(old.plan, "saves", ()):
        return True
    first, second = options(old), options(new)
    return all(name not in second or same(value, second[name]) for name, value in first.items())
