"""Exchange of any Python objects, pickled: for what is small and no tensor. Only tensors go unpickled."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.errors import ArgumentError, ArgumentTypeError
from tinygrad_dl.distributed.groups import membership, rank_in
from tinygrad_dl.distributed.process_group import ProcessGroup


def packed(value: Any) -> np.ndarray:
    """An object as bytes."""
    return np.frombuffer(bytearray(pickle.dumps(value)), np.uint8)


def unpacked(data: np.ndarray, sizes: np.ndarray) -> list[Any]:
    """The objects, of these numbers of bytes, one after the other."""
    ends = np.cumsum(sizes)
    return [pickle.loads(data[end - size : end].tobytes()) for end, size in zip(ends, sizes, strict=True)]


def all_gather_object(object_list: list[Any], obj: Any, group: Any = None) -> None:
    """Puts the object of each rank at the rank's place in the lists of all.

    Args:
        object_list: as long as there are ranks; what it has is replaced.
        obj: what this rank sends; it can be pickled.
        group: of which ranks; None for all.

    Raises:
        ValueError: the list is too long or short.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> found = [None]
    >>> dist.all_gather_object(found, {"loss": 0.5})
    >>> found
    [{'loss': 0.5}]
    >>> dist.destroy_process_group()
    """
    name = "all_gather_object"
    members = membership(group, name)
    if members is not None:
        require_length(name, "object_list", object_list, members.size())
        object_list[:] = gathered(members, obj, name)


def gathered(members: ProcessGroup, obj: Any, name: str) -> list[Any]:
    """The objects of all ranks."""
    data, sizes = packed(obj), np.empty(members.size(), np.int64)
    own = np.array([data.size])
    members.begin(name, lambda comm: comm.Iallgather(own, sizes)).wait()
    found = np.empty(int(sizes.sum()), np.uint8)
    members.begin(name, lambda comm: comm.Iallgatherv(data, (found, sizes.tolist()))).wait()
    return unpacked(found, sizes)


def gather_object(
    obj: Any,
    object_gather_list: list[Any] | None = None,
    dst: int | None = None,
    group: Any = None,
    group_dst: int | None = None,
) -> None:
    """Puts the object of each rank at the rank's place in the list of rank `dst`.

    Args:
        obj: what this rank sends; it can be pickled.
        object_gather_list: on rank `dst` a list as long as there are ranks; None on the others.
        dst: a rank among all processes, 0 by default; `group_dst` one in the group.
        group: of which ranks; None for all.

    Raises:
        ValueError: there is no such rank, or the list is too long or short.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> found = [None]
    >>> dist.gather_object("a", found)
    >>> found
    ['a']
    >>> dist.destroy_process_group()
    """
    name = "gather_object"
    members = membership(group, name)
    if members is None:
        return
    root = rank_in(members, 0 if dst is None and group_dst is None else dst, group_dst, name, "dst")
    data, here = packed(obj), members.rank() == root
    if here:
        require_length(name, "object_gather_list", object_gather_list, members.size())
    own, sizes = np.array([data.size]), np.empty(members.size() * here, np.int64)
    members.begin(name, lambda comm: comm.Igather(own, sizes if here else None, root)).wait()
    found = np.empty(int(sizes.sum()), np.uint8)
    members.begin(name, lambda comm: comm.Igatherv(data, (found, sizes.tolist()) if here else None, root)).wait()
    if here and object_gather_list is not None:
        object_gather_list[:] = unpacked(found, sizes)


def broadcast_object_list(
    object_list: list[Any], src: int | None = None, group: Any = None, device: Any = None, group_src: int | None = None
) -> None:
    """Puts the objects of rank `src` into the lists of all ranks.

    Args:
        object_list: of one length on all ranks.
        src: a rank among all processes, 0 by default; `group_src` one in the group.
        group: of which ranks; None for all.
        device: has no effect.

    Raises:
        ValueError: there is no such rank, or the lists have different lengths.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> dist.broadcast_object_list([{"lr": 0.1}], src=0)
    >>> dist.destroy_process_group()
    """
    name = "broadcast_object_list"
    members = membership(group, name)
    if members is None:
        return
    root = rank_in(members, 0 if src is None and group_src is None else src, group_src, name, "src")
    here = members.rank() == root
    data = packed(list(object_list)) if here else np.empty(0, np.uint8)
    size = np.array([data.size])
    members.begin(name, lambda comm: comm.Ibcast(size, root)).wait()
    data = data if here else np.empty(int(size[0]), np.uint8)
    members.begin(name, lambda comm: comm.Ibcast(data, root)).wait()
    if not here:
        found = pickle.loads(data.tobytes())
        require_length(name, "object_list", object_list, len(found))
        object_list[:] = found


def scatter_object_list(
    scatter_object_output_list: list[Any],
    scatter_object_input_list: list[Any] | None = None,
    src: int | None = None,
    group: Any = None,
    group_src: int | None = None,
) -> None:
    """Puts the object at each rank's place in the list of rank `src` into the first place of the rank's list.

    Args:
        scatter_object_output_list: of one element at least, the first of which is replaced.
        scatter_object_input_list: on rank `src` an object for each rank; None on the others.
        src: a rank among all processes, 0 by default; `group_src` one in the group.
        group: of which ranks; None for all.

    Raises:
        ValueError: there is no such rank, or the list is too long or short.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> found = [None]
    >>> dist.scatter_object_list(found, ["a"])
    >>> found
    ['a']
    >>> dist.destroy_process_group()
    """
    name = "scatter_object_list"
    members = membership(group, name)
    if members is None:
        return
    root = rank_in(members, 0 if src is None and group_src is None else src, group_src, name, "src")
    if not isinstance(scatter_object_output_list, list) or not scatter_object_output_list:
        raise ArgumentError(f"{name}: got {summary(scatter_object_output_list)}, expected a list of one element")
    data: list[np.ndarray] = []
    if here := members.rank() == root:
        require_length(name, "scatter_object_input_list", scatter_object_input_list, members.size())
        data = [packed(value) for value in scatter_object_input_list or ()]
    sizes, size = np.array([each.size for each in data], np.int64), np.empty(1, np.int64)
    members.begin(name, lambda comm: comm.Iscatter(sizes if here else None, size, root)).wait()
    found, sent = np.empty(int(size[0]), np.uint8), np.concatenate([*data, np.empty(0, np.uint8)])
    members.begin(name, lambda comm: comm.Iscatterv((sent, sizes.tolist()) if here else None, found, root)).wait()
    scatter_object_output_list[0] = pickle.loads(found.tobytes())


def require_length(name: str, argument: str, value: Any, count: int) -> None:
    """Raises unless an argument is a list of that length."""
    if not isinstance(value, list):
        raise ArgumentTypeError(f"{name}: got {argument}={summary(value)}, expected a list of {count} elements")
    if len(value) != count:
        raise ArgumentError(f"{name}: got {len(value)} elements as {argument}, expected {count}")
