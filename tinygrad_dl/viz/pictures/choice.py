"""How much of a model a picture shows: which modules are opened, and whether what repeats is folded."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from math import inf

from tinygrad_dl.core.graph import Edge, Leaf
from tinygrad_dl.viz.known.subject import Source
from tinygrad_dl.viz.pictures.repeats import Item, folded
from tinygrad_dl.viz.pictures.rows import rows_of
from tinygrad_dl.viz.pictures.structure import Group, contained
from tinygrad_dl.viz.pictures.view import Choice, Entry, View, view

# What a picture may measure if nothing is asked for, along the arrows and across them, and about what its parts do.
LENGTH, BREADTH = 1900, 1350
BOX_WIDTH, BOX_HEIGHT = 150, 46
GAP_BESIDE, GAP_BELOW = 22, 29
MOST_BOXES = LENGTH * BREADTH // (BOX_HEIGHT * BOX_WIDTH)
LINE = 9  # of small text in a box, beyond what all boxes have
FRAME = 34  # its title and margins
MOST_WITH_NUMBERS = 40  # boxes
MOST_TRIED = 12  # single modules that are opened if there is room for them


def choose(
    whole: Group,
    roots: Sequence[Edge],
    sources: Sequence[Source],
    depth: int | None,
    expand: Iterable[str],
    roll: bool | None,
    sideways: bool = False,
    numbers: bool = False,
    heated: bool = False,
) -> tuple[View, bool]:
    """The view that was asked for, or the one that shows most in a picture of one or two screens; and whether it fits.

    Args:
        whole, roots, sources: as in `view`.
        depth: how many levels of modules are opened; as many as there is room for if it is None.
        expand: paths or patterns of modules that are opened in any case.
        roll: whether what repeats is folded; if it is None, in pictures that were too large else, and at a depth that
            was asked for where that takes half the boxes away.
        sideways: whether arrows run to the left or right.
        numbers: whether boxes show numbers; then small graphs are shown with the parameters of their layers.
        heated: whether boxes say the amount that their colour stands for.
    """
    lines = 4 * numbers + heated
    chooser = Chooser(whole, roots, sources, expand, sideways, lines)
    if numbers and depth is None and not roll:
        opened = chooser.view(inf, fold=False)
        if len(opened.entries) <= MOST_WITH_NUMBERS:
            return opened, True
    chooser.layers = depth is None
    flat = not whole.groups  # so that depths are all the same
    hopeless = flat and roll is None and len(whole.nodes) > MOST_BOXES
    plain = None if roll or hopeless else chooser.view(inf if depth is None else depth, fold=False)
    fitting = plain is not None and chooser.fits(plain)
    if depth is not None and roll is not False:
        best = chooser.view(depth, fold=True)
        if plain is None or not fitting or len(plain.entries) >= 2 * len(best.entries):
            return best, chooser.fits(best)
    if plain is not None and (fitting or depth is not None or (flat and roll is False)):
        return plain, fitting
    best = chooser.most(fold=roll is not False)
    if not chooser.fits(best) and contained(whole):
        chooser = Chooser(whole, roots, sources, expand, sideways, lines)
        chooser.layers = True
        best = chooser.most(fold=roll is not False)
    return best, chooser.fits(best)


class Chooser:
    """Makes views of one graph."""

    def __init__(
        self,
        whole: Group,
        roots: Sequence[Edge],
        sources: Sequence[Source],
        expand: Iterable[str],
        sideways: bool,
        lines: int,
    ):
        self.whole, self.roots, self.sources, self.sideways = whole, roots, sources, sideways
        self.box = BOX_HEIGHT + lines * LINE
        self.asked = asked_for(whole, expand)
        self.inside: Counter[Group] = Counter()  # how many groups that were asked for are in a group
        for group in self.asked:
            above: Group | None = group
            while above is not None:
                self.inside[above] += 1
                above = above.parent
        self.kept: dict[Group, list[Item]] = {}
        self.layers = False  # whether layers stay closed, as where no depth is asked for

    def view(self, depth: float, fold: bool, extra: Iterable[Group] = ()) -> View:
        """The view with all modules open that are less deep, and `extra` ones."""
        more = set(extra)

        def opened(group: Group) -> bool:
            if group in more or self.inside[group]:
                return True
            while self.layers and group.parent is not None and group.parent.members == [group]:
                group = group.parent  # a frame around a single box says no more than that
                if group in more:
                    return True
            return group.depth < depth and not (self.layers and is_layer(group))

        return view(self.whole, self.roots, self.sources, Choice(opened, self.folded if fold else plain_items))

    def folded(self, group: Group) -> list[Item]:
        """The items of a group with what repeats folded."""
        if group not in self.kept:
            self.kept[group] = folded(group.members, self.apart)
        return self.kept[group]

    def apart(self, group: Group) -> object:
        """What tells groups apart that would else be alike: whether something in them was asked for, and what."""
        if not self.inside[group]:
            return None
        start = len(group.path)
        return tuple(each.path[start:] for each in group.walk() if each in self.asked)

    def most(self, fold: bool) -> View:
        """The view with as many levels of modules open as there is room for, and single modules of the next level."""
        first, *levels = sorted({group.depth + 0.5 for group in self.whole.walk() if group.depth >= 0}) or [0]
        level, best = first, self.view(first, fold)
        for deeper in levels:
            more = self.view(deeper, fold)
            if not self.fits(more):
                break
            level, best = deeper, more
        opened: list[Group] = []
        shown: set[str] = set()
        closed = [entry for entry in best.entries if isinstance(entry.thing, Group) and not is_layer(entry.thing)]
        for entry in sorted(closed, key=weight, reverse=True)[:MOST_TRIED]:
            if entry.thing.title not in shown:
                more = self.view(level, fold, [*opened, entry.thing])
                if self.fits(more):
                    opened.append(entry.thing)
                    shown.add(entry.thing.title)
                    best = more
        return best

    def fits(self, view: View) -> bool:
        """Whether a picture is small enough, by a guess at its rows."""
        leaves = {i for i, entry in enumerate(view.entries) if type(entry.thing) in (Leaf, Source)}
        row = rows_of(len(view.entries), ((use.tail, use.head) for use in view.uses if not use.back), leaves)
        passed: Counter[int] = Counter()
        for use in view.uses:
            passed.update(range(row[use.tail] + 1, row[use.head]))
        rows = Counter(row)
        along, across = (BOX_WIDTH, self.box) if self.sideways else (self.box, BOX_WIDTH)
        length = len(rows) * (along + GAP_BELOW) + len(view.frames) * FRAME
        breadth = max((rows[i] * (across + GAP_BESIDE) + passed[i] * GAP_BESIDE for i in rows), default=0)
        return length <= LENGTH and breadth <= BREADTH


def weight(entry: Entry) -> int:
    """How many operations a box stands for."""
    return len(entry.repeat.nodes if entry.repeat is not None else entry.thing.nodes)


def plain_items(group: Group) -> list[Item]:
    """The items of a group with nothing folded."""
    return list(group.members)


def is_layer(group: Group) -> bool:
    """Whether it is a layer of the library, or a single operation: what is in it says no more than its name."""
    if group.groups or group.call is None:
        return False
    return len(group.members) < 2 or type(group.call.module).__module__.startswith("tinygrad_dl.nn.")


def asked_for(whole: Group, expand: Iterable[str]) -> set[Group]:
    """The groups that paths or patterns name.

    Raises:
        ValueError: one of them names none.
    """
    groups = [group for group in whole.walk() if group.call is not None]
    found: set[Group] = set()
    for pattern in expand:
        named = [group for group in groups if fnmatchcase(group.path, pattern)]
        if not named:
            paths = list(dict.fromkeys(group.path for group in groups if group.path))
            near = difflib.get_close_matches(pattern, paths, n=3, cutoff=0.4) or paths[:3]
            if not paths:
                raise ValueError(
                    f"expand: got {pattern!r} and a tensor whose modules are not known, expected a model, "
                    "viz.graph(model, *inputs), or a tensor computed inside viz.recording()"
                )
            expected = f"the path of a module that was called, such as {', '.join(map(repr, near))}"
            raise ValueError(f"expand: got {pattern!r}, expected {expected}")
        found.update(named)
    return found
