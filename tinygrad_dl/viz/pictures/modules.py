"""What stands in the box of a module, and above the frame of an open one."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from tinygrad_dl.viz.known.kept import kept_bytes
from tinygrad_dl.viz.pictures.boxes import Box
from tinygrad_dl.viz.pictures.repeats import Item, Repeat, nodes_of
from tinygrad_dl.viz.pictures.structure import Group
from tinygrad_dl.viz.pictures.view import Entry, Frame, View
from tinygrad_dl.viz.texts import human_bytes, plural, shortened, text_of, times

ONE_LINE = 18  # characters of a title and a path that stand beside each other above a frame
LONGEST = 40  # characters of what a box says is in it
SHORT = 12  # characters of a path that is written out twice


class Labels:
    """What stands in the boxes of the modules of a view, and above its frames."""

    def __init__(self, view: View, show_shapes: bool):
        self.view, self.show_shapes = view, show_shapes
        self.boxes: dict[int | str, list[Entry]] = defaultdict(list)  # of each module
        self.owner: dict[int, Entry] = {}  # the first box that stands for a parameter
        for entry in view.entries:
            if isinstance(entry.thing, Group):
                self.boxes[identity(entry.thing)].append(entry)
                for parameter in entry.thing.parameters:
                    self.owner.setdefault(id(parameter), entry)

    def box(self, entry: Entry) -> Box:
        """The box of a module that is not opened: its class and path, the shape of its output, its parameters."""
        group: Group = entry.thing
        groups = groups_of(entry.repeat, group)
        path = relative(self.ends(entry, groups), self.around(entry.frame))
        count = parameter_count(groups)
        facts = [shapes(group)] if self.show_shapes and shapes(group) else []
        if count:
            facts.append(plural(count, "parameter"))
        named = [heading(group.title, entry.repeat), shortened(path)]
        lines = [each for each in (named if group.call else [heading(path, entry.repeat), contents(group)]) if each]
        notes = [" · ".join(facts)] if facts else []
        return Box("module", tuple(lines), details(entry.repeat, groups), (*notes, *self.shared(entry)))

    def ends(self, entry: Entry, groups: Sequence[Group]) -> tuple[str, str]:
        """The path of a box in the first turn and in the last, if it is that of another element of the same list."""
        around = None if entry.frame == -1 else self.view.frames[entry.frame].repeat
        if entry.repeat is None and around is not None and entry.thing in around.turns[0]:
            last = around.turns[-1][list(around.turns[0]).index(entry.thing)]
            first = entry.thing.path
            if isinstance(last, Group) and last.path.rpartition(".")[0] == first.rpartition(".")[0]:
                return first, last.path
        return paths(entry.repeat, groups)

    def shared(self, entry: Entry) -> list[str]:
        """What of a module other boxes stand for too: all of it, or a weight."""
        group: Group = entry.thing
        module, calls = group.call.module if group.call else None, self.boxes[identity(group)]
        if module is None or not group.parameters:
            return []
        if len(calls) > 1:
            return [f"call {calls.index(entry) + 1} of {len(calls)}"]
        named = [(name.rpartition(".")[2], self.owner[id(p)]) for name, p in module.named_parameters()]
        found = [f"{name} shared with {owner.thing.path}" for name, owner in named if owner is not entry]
        return [shortened(text) for text in found[:2]]

    def title(self, frame: Frame) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The title of a frame and what is shown under the pointer."""
        groups = groups_of(frame.repeat, frame.group)
        ends = paths(frame.repeat, groups)
        path = relative(ends, self.around(frame.parent))
        if frame.group is not None:
            title = heading(frame.group.title, frame.repeat)
        elif frame.repeat is not None and frame.repeat.loop:
            title = heading("loop", frame.repeat)
        else:
            title = heading(contents(frame.repeat) or "repeated", frame.repeat)
        if frame.group is None and ends[0] == ends[1]:
            path = ""  # the module itself is in the frame
        count = parameter_count(groups) if path or frame.group is not None else 0
        if len(title) + len(path) < ONE_LINE:
            title, path = " · ".join(filter(None, (title, path))), ""
        lines = (title, shortened(path), plural(count, "parameter") if count else "")
        return tuple(filter(None, lines)), details(frame.repeat, groups) if groups else (title,)

    def repeated(self, entry: Entry) -> bool:
        """Whether a box stands for several turns of a part that repeats."""
        frame = entry.frame
        while frame != -1 and self.view.frames[frame].repeat is None:
            frame = self.view.frames[frame].parent
        return entry.repeat is not None or frame != -1

    def around(self, frame: int) -> str:
        """The path of the innermost open module around a frame."""
        while frame != -1:
            group = self.view.frames[frame].group
            if group is not None:
                return group.path
            frame = self.view.frames[frame].parent
        return ""


def identity(group: Group) -> int | str:
    """By what the boxes of one module are known: two models in one program can both have a module of some path."""
    module = group.call.module if group.call else None
    return group.path if module is None else id(module)


def heading(title: str, repeat: Repeat | None) -> str:
    """A title with the number of turns."""
    if repeat is None:
        return title
    return times(f"({title})" if ", " in title else title, len(repeat.turns))


def contents(item: Group | Repeat | None) -> str:
    """The classes of the modules in it, in order, as far as they fit in a line."""
    groups = item.groups if isinstance(item, Group) else []
    if isinstance(item, Repeat):
        groups = [group for each in item.turns[0] for group in outermost(each)]
    parts = [
        name if count == 1 else times(name, count) for name, count in Counter(group.title for group in groups).items()
    ]
    text = ", ".join(parts)
    return text if len(text) <= LONGEST else ", ".join([*parts[:2], "…"])


def groups_of(repeat: Repeat | None, group: Group | None) -> list[Group]:
    """The groups that a box or a frame stands for."""
    if repeat is None:
        return [] if group is None else [group]
    return [each for turn in repeat.turns for item in turn for each in outermost(item)]


def outermost(item: Item) -> list[Group]:
    """The groups of an item that lie in no other of it."""
    if isinstance(item, Repeat):
        return [group for turn in item.turns for each in turn for group in outermost(each)]
    return [item] if isinstance(item, Group) else []


def paths(repeat: Repeat | None, groups: Sequence[Group]) -> tuple[str, str]:
    """The path of what a box stands for: in the first turn and in the last."""
    if repeat is None:
        return common(groups), common(groups)
    first, last = ([group for item in repeat.turns[i] for group in outermost(item)] for i in (0, -1))
    return common(first), common(last)


def common(groups: Sequence[Group]) -> str:
    """What the paths of groups begin with: of layers.0.attention and layers.0.norm "layers.0"."""
    shared = []
    for names in zip(*(group.path.split(".") for group in groups), strict=False):
        if len(set(names)) > 1:
            break
        shared.append(names[0])
    return ".".join(shared)


def relative(ends: tuple[str, str], outer: str) -> str:
    """Paths as they are inside of a module: a range if they differ."""
    first, last = (end.removeprefix(f"{outer}.") if outer else end for end in ends)
    if outer and first.isdigit():  # a bare number says little
        named = re.findall(r"[^.]*[.\d]*$", outer)[0]
        first, last = f"{named}.{first}", f"{named}.{last}"
    if first == last:
        return first
    above, _, number = last.rpartition(".")
    return f"{first} … {number if above and first.startswith(f'{above}.') and len(first) > SHORT else last}"


def shapes(group: Group) -> str:
    """The shapes of what a module returned."""
    found = [str(tuple(each.shape)) for each in group.outputs]
    return ", ".join(found) if len(found) <= 3 else plural(len(found), "output")


def parameter_count(groups: Iterable[Group]) -> int:
    """The elements of all parameters, each once."""
    found: dict[int, Any] = {id(p): p for group in groups for p in group.parameters}
    return sum(p.numel() for p in found.values())


def details(repeat: Repeat | None, groups: Sequence[Group]) -> tuple[str, ...]:
    """What is shown under the pointer."""
    first = groups[0]
    name = " … ".join(dict.fromkeys(path for path in paths(repeat, groups) if path))
    nodes = [node for group in groups for node in nodes_of(group)]
    outputs = [f"returns {text_of(each.shape, each.dtype)}" for each in first.outputs]
    counts = [plural(len(nodes), "operation"), f"{human_bytes(kept_bytes(nodes))} saved for backward"]
    return (f"{first.title} {name}".strip(), *outputs, *counts)
