"""From one rank to another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_dl.core.errors import ArgumentError, ArgumentTypeError
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.distributed.errors import DistBackendError
from tinygrad_dl.distributed.groups import membership, rank_in
from tinygrad_dl.distributed.memory import Place, bytes_of, flat, tensor_of
from tinygrad_dl.distributed.mpi import library
from tinygrad_dl.distributed.process_group import ProcessGroup
from tinygrad_dl.distributed.work import Work


def isend(
    tensor: Tensor, dst: int | None = None, group: Any = None, tag: int = 0, group_dst: int | None = None
) -> Work | None:
    """Begins to send a tensor to another rank, which receives it with `recv` or `irecv`.

    Args:
        tensor: what is sent; it must not change before `wait` of the handle.
        dst: a rank among all processes; `group_dst` one in the group.
        group: None for that of all processes.
        tag: a number that the receiver gives too.

    Raises:
        ValueError: there is no such rank, or it is this one.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> if dist.get_world_size() > 1:
    ...     dist.isend(td.ones(2), dst=1).wait()
    >>> dist.destroy_process_group()
    """
    return sent(tensor, dst, group, tag, group_dst, "isend")


def send(tensor: Tensor, dst: int | None = None, group: Any = None, tag: int = 0, group_dst: int | None = None) -> None:
    """`isend`, and waits until the tensor may be changed again: until it is received, if it is large.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> if dist.get_world_size() > 1:
    ...     dist.send(td.ones(2), dst=1)
    >>> dist.destroy_process_group()
    """
    work = sent(tensor, dst, group, tag, group_dst, "send")
    if work is not None:
        work.wait()


def irecv(
    tensor: Tensor, src: int | None = None, group: Any = None, tag: int = 0, group_src: int | None = None
) -> Work | None:
    """Begins to receive a tensor from another rank, in place.

    Args:
        tensor: of the shape and dtype of what is sent.
        src: a rank among all processes, `group_src` one in the group; neither for any.
        group, tag: as of `isend`.

    Raises:
        ValueError: there is no such rank, or it is this one. RuntimeError: in `wait`: what came is shorter or longer.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> if dist.get_world_size() > 1:
    ...     dist.irecv(td.zeros(2), src=1).wait()
    >>> dist.destroy_process_group()
    """
    return received(tensor, src, group, tag, group_src, "irecv")


def recv(tensor: Tensor, src: int | None = None, group: Any = None, tag: int = 0, group_src: int | None = None) -> int:
    """`irecv`, and waits for it. Returns the sender's rank among all processes; -1 on a rank outside of the group.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> if dist.get_world_size() > 1:
    ...     dist.recv(td.zeros(2), src=1)
    >>> dist.destroy_process_group()
    """
    work = received(tensor, src, group, tag, group_src, "recv")
    if work is None:
        return -1
    work.wait()
    found = membership(group, "recv")
    return -1 if found is None else found.ranks[work.source_rank()]


class P2POp:
    """A message for `batch_isend_irecv`.

    Args:
        op: `isend` or `irecv`.
        tensor: what is sent, or where it arrives.
        peer: the other rank, among all processes; `group_peer` in the group.
        group, tag: as of `isend`.

    >>> dist = td.distributed
    >>> dist.P2POp(dist.isend, td.ones(2), 1).peer
    1
    """

    __module__ = "tinygrad_dl.distributed"

    def __init__(
        self,
        op: Callable[..., Any],
        tensor: Tensor,
        peer: int | None = None,
        group: Any = None,
        tag: int = 0,
        group_peer: int | None = None,
    ):
        if op not in (isend, irecv):
            raise ArgumentTypeError(f"P2POp: got op={op!r}, expected td.distributed.isend or td.distributed.irecv")
        self.op, self.tensor, self.peer, self.group, self.tag = op, tensor, peer, group, tag
        self.group_peer = group_peer


def batch_isend_irecv(p2p_op_list: Sequence[P2POp]) -> list[Work]:
    """Begins all messages of a list; returns their handles.

    >>> td.distributed.batch_isend_irecv([])
    []
    """
    found = [each.op(each.tensor, each.peer, each.group, each.tag, each.group_peer) for each in p2p_op_list]
    return [work for work in found if work is not None]


def sent(tensor: Any, dst: Any, group: Any, tag: int, group_dst: Any, name: str) -> Work | None:
    """The handle of a message to another rank; None on a rank outside of the group."""
    members = membership(group, name)
    if members is None:
        return None
    peer = other_rank(members, dst, group_dst, name, "dst")
    elements = bytes_of(flat(tensor_of(tensor, name, "tensor")))
    return members.exchange(name, lambda comm: comm.Isend(elements, peer, tag), [peer], None, elements, [tensor])


def received(tensor: Any, src: Any, group: Any, tag: int, group_src: Any, name: str) -> Work | None:
    """The handle of a message from another rank; None on a rank outside of the group."""
    members = membership(group, name)
    if members is None:
        return None
    anybody = src is None and group_src is None
    peer = library().ANY_SOURCE if anybody else other_rank(members, src, group_src, name, "src")
    peers = () if anybody else (peer,)
    place = Place(tensor_of(tensor, name, "tensor"), name)
    arrives = bytes_of(place.array)

    def finish(status: Any) -> None:
        if (count := status.Get_count(library().BYTE)) != arrives.size:
            raise DistBackendError(
                f"{name}: got {count} bytes from rank {members.ranks[status.Get_source()]}, expected {arrives.size}, a "
                f"tensor of shape {tensor.shape} and dtype {tensor.dtype}"
            )
        place.settle()

    return members.exchange(name, lambda comm: comm.Irecv(arrives, peer, tag), peers, finish, arrives, [tensor])


def other_rank(members: ProcessGroup, rank: Any, in_group: Any, name: str, argument: str) -> int:
    """The rank in the group that is meant, which is not this one."""
    peer = rank_in(members, rank, in_group, name, argument)
    if peer == members.rank():
        raise ArgumentError(f"{name}: got {argument}={rank}, which is this rank itself, expected another")
    return peer
