"""The memory that nodes keep alive for their rules: counted in one place, for pictures, tables and lists."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.core.graph import Node, saved_arrays
from tinygrad_dl.core.mutations import buffer_owner
from tinygrad_dl.viz.known.arguments import stored


class Kept(NamedTuple):
    """Memory that nodes keep alive: the largest array that shows it, and each node with the name of its argument.

    Arguments of a `Function` of the user's have no names here.
    """

    nbytes: int
    shape: tuple[int, ...]
    dtype: Any
    keepers: list[tuple[Node, str]]


def kept_memory(nodes: Iterable[Node], without: Collection[int] = ()) -> dict[int, Kept]:
    """What nodes keep, by the id of the array that owns the memory; several views of it count once.

    What hooks on saved tensors were given is theirs.

    Args:
        without: such ids that do not count, those of parameters say.
    """
    found: dict[int, Kept] = {}
    for node in nodes:
        values = stored(node)
        if not values:
            continue
        for name, value in zip(getattr(node.plan, "saves", ()) or repeat(""), values, strict=False):
            for array in (value,) if type(value) is np.ndarray else saved_arrays((value,)):
                owner = id(array if array.base is None else buffer_owner(array))
                if owner in without:
                    continue
                entry = found.get(owner)
                if entry is None or array.nbytes > entry.nbytes:
                    keepers = [] if entry is None else entry.keepers
                    entry = found[owner] = Kept(array.nbytes, array.shape, array.dtype, keepers)
                entry.keepers.append((node, name))
    return found


def kept_bytes(nodes: Iterable[Node], without: Collection[int] = ()) -> int:
    """The bytes of what nodes keep."""
    return sum(each.nbytes for each in kept_memory(nodes, without).values())
