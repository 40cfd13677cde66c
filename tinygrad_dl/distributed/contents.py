"""Nested content, such as a state dictionary, on its way between processes: bytes of arrays, the structure in JSON.

What can be saved can be sent. No pickle is made of it: the arrays' memory is copied as it is into one message.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core import promotion
from tinygrad_dl.core.tensor import wrap
from tinygrad_dl.distributed.groups import get_rank, get_world_size
from tinygrad_dl.distributed.point_to_point import recv, send
from tinygrad_dl.distributed.sharing import broadcast
from tinygrad_dl.structure import STRUCTURE, packed, unpacked

__all__ = ["broadcast_content", "gather_content"]

ALIGNED = 16  # the bytes of the widest dtype
HEAD = 8  # bytes that say how long the description is


def broadcast_content(content: Any, src: int = 0, group: Any = None) -> Any:
    """The content of one process, in all of them: dicts, lists, numbers and texts, with tensors and arrays in them.

    Args:
        content: what `td.save` can write; looked at in the process `src` alone.
        src: the process's rank in the group.
        group: the processes that take part; None: all.

    Returns:
        What `src` has given; arrays as tensors.
    """
    own = get_rank(group) == src
    message = to_bytes(content) if own else np.empty(0, np.uint8)
    size = np.array([message.size])
    broadcast(wrap(size), group=group, group_src=src)
    message = message if own else np.empty(size[0], np.uint8)
    broadcast(wrap(message), group=group, group_src=src)
    return content if own else from_bytes(message)


def gather_content(content: Any, dst: int = 0, group: Any = None) -> list[Any] | None:
    """The contents of all processes, in the order of their ranks: a list in the process `dst`, None in all others.

    They arrive one after the other, so there is no more than one message in memory beside them.
    """
    if get_rank(group) != dst:
        message = to_bytes(content)
        for each in (np.array([message.size]), message):
            send(wrap(each), group=group, group_dst=dst)
        return None
    found = []
    for source in range(get_world_size(group)):
        if source == dst:
            found.append(content)
            continue
        size = np.zeros(1, np.int64)
        recv(wrap(size), group=group, group_src=source)
        message = np.empty(size[0], np.uint8)
        recv(wrap(message), group=group, group_src=source)
        found.append(from_bytes(message))
    return found


def to_bytes(content: Any) -> np.ndarray:
    """The content as one array of bytes: the length of a description, the description, the arrays' memory."""
    import json

    arrays, metadata = packed({"content": [content]})
    places = [[name, array.dtype.name, array.shape] for name, array in arrays.items()]
    text = json.dumps([metadata[STRUCTURE], places]).encode()
    end, starts = HEAD + len(text), []
    for array in arrays.values():
        starts.append(end := _aligned(end))
        end += array.nbytes
    message = np.zeros(end, np.uint8)
    message[:HEAD] = np.frombuffer(len(text).to_bytes(HEAD, "little"), np.uint8)
    message[HEAD : HEAD + len(text)] = np.frombuffer(text, np.uint8)
    for start, array in zip(starts, arrays.values(), strict=True):
        message[start : start + array.nbytes] = array.reshape(-1).view(np.uint8)
    return message


def from_bytes(message: np.ndarray) -> Any:
    """What `to_bytes` made the message of."""
    import json

    end = HEAD + int.from_bytes(message[:HEAD].tobytes(), "little")
    structure, places = json.loads(message[HEAD:end].tobytes())
    arrays = {}
    for name, kind, shape in places:
        dtype = promotion.bfloat16() if kind == "bfloat16" else np.dtype(kind)
        array = np.empty(shape, dtype)
        start = _aligned(end)
        end = start + array.nbytes
        array.reshape(-1).view(np.uint8)[...] = message[start:end]
        arrays[name] = array
    return unpacked(structure, arrays)["content"][0]


def _aligned(place: int) -> int:
    return -(-place // ALIGNED) * ALIGNED
