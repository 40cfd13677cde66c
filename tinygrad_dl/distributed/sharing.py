"""Collectives that move elements and compute nothing: from one rank to all, from all to one, from each to each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_dl.core.errors import ArgumentError
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.distributed.groups import membership, rank_in
from tinygrad_dl.distributed.memory import (
    Place,
    Places,
    bytes_of,
    flat,
    joined,
    require_alike,
    tensor_of,
    tensors_of,
    writable,
)
from tinygrad_dl.distributed.process_group import ProcessGroup
from tinygrad_dl.distributed.work import Work, handle


def broadcast(
    tensor: Tensor, src: int | None = None, group: Any = None, async_op: bool = False, group_src: int | None = None
) -> Work | None:
    """Puts the elements of rank `src` into the tensors of all ranks, in place.

    Args:
        tensor: of one shape and dtype on all ranks.
        src: a rank among all processes; `group_src` one in the group.
        group: of which ranks; None for all.
        async_op: whether to return a `Work` at once.

    Raises:
        RuntimeError: the tensor was computed from one that requires a gradient. ValueError: there is no such rank.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> x = td.tensor([1.0, 2.0])
    >>> dist.broadcast(x, src=0)
    >>> dist.destroy_process_group()
    """
    name = "broadcast"
    members = membership(group, name)
    if members is None:
        return None
    root = rank_in(members, src, group_src, name, "src")
    about = (tensor_of(tensor, name, "tensor").dtype, tensor.shape, f"src={root}")
    if members.rank() == root:
        sent = bytes_of(flat(tensor))
        work = members.begin(name, lambda comm: comm.Ibcast(sent, root), None, sent, [tensor], about)
        return handle(work, async_op)
    place = Place(tensor, name)
    arrives = bytes_of(place.array)
    work = members.begin(
        name, lambda comm: comm.Ibcast(arrives, root), lambda _: place.settle(), arrives, [tensor], about
    )
    return handle(work, async_op)


def broadcast_together(name: str, tensors: Sequence[Tensor], root: int, members: ProcessGroup) -> None:
    """Puts the elements of a rank into the tensors of all, of any shapes and dtypes, as one message."""
    if members.rank() == root:
        message = np.concatenate([bytes_of(flat(tensor)) for tensor in tensors])
        members.begin(name, lambda comm: comm.Ibcast(message, root)).wait()
        return
    message, begin = np.empty(sum(tensor.nbytes for tensor in tensors), np.uint8), 0
    members.begin(name, lambda comm: comm.Ibcast(message, root)).wait()
    for tensor in tensors:
        data = writable(tensor, name)
        data[...] = message[begin : begin + data.nbytes].view(data.dtype).reshape(data.shape)
        begin += data.nbytes


def all_gather(tensor_list: Sequence[Tensor], tensor: Tensor, group: Any = None, async_op: bool = False) -> Work | None:
    """Puts the tensor of each rank at the rank's place in the lists of all, in place.

    Args:
        tensor_list: a tensor for each rank, of the shape of what that rank sends.
        tensor: what this rank sends. The dtypes are one, the shapes may differ between ranks.
        group, async_op: as of `broadcast`.

    Raises:
        ValueError: the list is too long or short, or the shapes or dtypes do not fit.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> found = [td.zeros(2)]
    >>> dist.all_gather(found, td.tensor([1.0, 2.0]))
    >>> found
    [tensor([1., 2.])]
    >>> dist.destroy_process_group()
    """
    name = "all_gather"
    members = membership(group, name)
    if members is None:
        return None
    outputs = tensors_of(tensor_list, name, "tensor_list", members.size())
    require_alike(name, tensor_of(tensor, name, "tensor"), *outputs)
    require_own_shape(name, "tensor_list", outputs, tensor, members)
    places = Places(outputs, name)
    sent, arrives = bytes_of(flat(tensor)), bytes_of(places.array)
    counts = [each.nbytes for each in outputs]
    work = members.begin(
        name,
        lambda comm: comm.Iallgatherv(sent, (arrives, counts)),
        lambda _: places.settle(),
        (sent, arrives),
        outputs,
        [outputs[0].dtype],
    )
    return handle(work, async_op)


def all_gather_into_tensor(
    output_tensor: Tensor, input_tensor: Tensor, group: Any = None, async_op: bool = False
) -> Work | None:
    """`all_gather` into one tensor: the ranks' elements one after the other, joined or stacked.

    Args:
        output_tensor: as many elements as all inputs together.
        input_tensor: what this rank sends, of one shape on all ranks.
        group, async_op: as of `broadcast`.

    Raises:
        ValueError: the sizes or dtypes do not fit.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> found = td.zeros(1, 2)
    >>> dist.all_gather_into_tensor(found, td.tensor([1.0, 2.0]))
    >>> found
    tensor([[1., 2.]])
    >>> dist.destroy_process_group()
    """
    name = "all_gather_into_tensor"
    members = membership(group, name)
    if members is None:
        return None
    require_alike(name, tensor_of(output_tensor, name, "output_tensor"), tensor_of(input_tensor, name, "input_tensor"))
    if output_tensor.numel() != input_tensor.numel() * members.size():
        raise ArgumentError(
            f"{name}: got output_tensor of shape {output_tensor.shape} for input_tensor of shape {input_tensor.shape}, "
            f"expected {members.size()} times as many elements in the output"
        )
    place = Place(output_tensor, name)
    sent, arrives = bytes_of(flat(input_tensor)), bytes_of(place.array)
    work = members.begin(
        name,
        lambda comm: comm.Iallgather(sent, arrives),
        lambda _: place.settle(),
        (sent, arrives),
        [output_tensor],
        [input_tensor.dtype, input_tensor.shape],
    )
    return handle(work, async_op)


def gather(
    tensor: Tensor,
    gather_list: Sequence[Tensor] | None = None,
    dst: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """Puts the tensor of each rank at the rank's place in the list of rank `dst`, in place.

    Args:
        tensor: what this rank sends.
        gather_list: on rank `dst` a tensor for each rank, as of `all_gather`; None on the others.
        dst: a rank among all processes, 0 by default; `group_dst` one in the group.
        group, async_op: as of `broadcast`.

    Raises:
        ValueError: there is no such rank, a list where none belongs, or shapes or dtypes that do not fit.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> found = [td.zeros(2)]
    >>> dist.gather(td.tensor([1.0, 2.0]), found)
    >>> found
    [tensor([1., 2.])]
    >>> dist.destroy_process_group()
    """
    name = "gather"
    members = membership(group, name)
    if members is None:
        return None
    root = rank_in(members, 0 if dst is None and group_dst is None else dst, group_dst, name, "dst")
    sent, about = bytes_of(flat(tensor_of(tensor, name, "tensor"))), (tensor.dtype, f"dst={root}")
    if members.rank() != root:
        require_none(name, "gather_list", gather_list, "dst")
        work = members.begin(name, lambda comm: comm.Igatherv(sent, None, root), None, sent, about=about)
        return handle(work, async_op)
    outputs = tensors_of(gather_list, name, "gather_list", members.size())
    require_alike(name, tensor, *outputs)
    require_own_shape(name, "gather_list", outputs, tensor, members)
    places = Places(outputs, name)
    arrives, counts = bytes_of(places.array), [each.nbytes for each in outputs]
    work = members.begin(
        name,
        lambda comm: comm.Igatherv(sent, (arrives, counts), root),
        lambda _: places.settle(),
        (sent, arrives),
        outputs,
        about,
    )
    return handle(work, async_op)


def scatter(
    tensor: Tensor,
    scatter_list: Sequence[Tensor] | None = None,
    src: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """Puts the tensor at each rank's place in the list of rank `src` into the rank's tensor, in place.

    Args:
        tensor: where this rank's share arrives.
        scatter_list: on rank `src` a tensor for each rank; None on the others.
        src: a rank among all processes, 0 by default; `group_src` one in the group.
        group, async_op: as of `broadcast`.

    Raises:
        ValueError: there is no such rank, a list where none belongs, or shapes or dtypes that do not fit.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> x = td.zeros(2)
    >>> dist.scatter(x, [td.tensor([1.0, 2.0])])
    >>> x
    tensor([1., 2.])
    >>> dist.destroy_process_group()
    """
    name = "scatter"
    members = membership(group, name)
    if members is None:
        return None
    root = rank_in(members, 0 if src is None and group_src is None else src, group_src, name, "src")
    tensor_of(tensor, name, "tensor")
    packed: Any = None
    if members.rank() == root:
        inputs = tensors_of(scatter_list, name, "scatter_list", members.size())
        require_alike(name, tensor, *inputs)
        require_own_shape(name, "scatter_list", inputs, tensor, members)
        packed = (bytes_of(joined(inputs)), [each.nbytes for each in inputs])
    else:
        require_none(name, "scatter_list", scatter_list, "src")
    place = Place(tensor, name)
    arrives = bytes_of(place.array)
    work = members.begin(
        name,
        lambda comm: comm.Iscatterv(packed, arrives, root),
        lambda _: place.settle(),
        (packed, arrives),
        [tensor],
        [tensor.dtype, f"src={root}"],
    )
    return handle(work, async_op)


def all_to_all(
    output_tensor_list: Sequence[Tensor],
    input_tensor_list: Sequence[Tensor],
    group: Any = None,
    async_op: bool = False,
) -> Work | None:
    """Sends a tensor to each rank, and gets one from each: `input_tensor_list[i]` goes to rank i.

    Args:
        output_tensor_list: where those of the other ranks arrive, by their ranks, of the shapes that they send.
        input_tensor_list: what goes to each rank.
        group, async_op: as of `broadcast`.

    Raises:
        ValueError: the lists are too long or short, or the shapes or dtypes do not fit.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> found = [td.zeros(2)]
    >>> dist.all_to_all(found, [td.tensor([1.0, 2.0])])
    >>> found
    [tensor([1., 2.])]
    >>> dist.destroy_process_group()
    """
    name = "all_to_all"
    members = membership(group, name)
    if members is None:
        return None
    outputs = tensors_of(output_tensor_list, name, "output_tensor_list", members.size())
    inputs = tensors_of(input_tensor_list, name, "input_tensor_list", members.size())
    require_alike(name, inputs[0], *inputs, *outputs)
    require_own_shape(name, "output_tensor_list", outputs, inputs[members.rank()], members)
    places = Places(outputs, name)
    sent, arrives = bytes_of(joined(inputs)), bytes_of(places.array)
    to, of = [each.nbytes for each in inputs], [each.nbytes for each in outputs]
    work = members.begin(
        name,
        lambda comm: comm.Ialltoallv((sent, to), (arrives, of)),
        lambda _: places.settle(),
        (sent, arrives),
        outputs,
        [outputs[0].dtype],
    )
    return handle(work, async_op)


def all_to_all_single(
    output: Tensor,
    input: Tensor,
    output_split_sizes: Sequence[int] | None = None,
    input_split_sizes: Sequence[int] | None = None,
    group: Any = None,
    async_op: bool = False,
) -> Work | None:
    """Sends a part of the first dimension to each rank, and gets one from each, in the order of the ranks.

    Args:
        output: where the parts arrive, one after the other.
        input: the parts for the ranks, one after the other.
        output_split_sizes, input_split_sizes: how long the parts are, of each rank; None for parts of one size.
        group, async_op: as of `broadcast`.

    Raises:
        ValueError: the sizes do not add up to the first dimension, or the dtypes differ.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> found = td.zeros(2)
    >>> dist.all_to_all_single(found, td.tensor([1.0, 2.0]))
    >>> found
    tensor([1., 2.])
    >>> dist.destroy_process_group()
    """
    name = "all_to_all_single"
    members = membership(group, name)
    if members is None:
        return None
    require_alike(name, tensor_of(output, name, "output"), tensor_of(input, name, "input"))
    to = parts(name, "input", input, input_split_sizes, members.size())
    of = parts(name, "output", output, output_split_sizes, members.size())
    place = Place(output, name)
    sent, arrives = bytes_of(flat(input)), bytes_of(place.array)
    work = members.begin(
        name,
        lambda comm: comm.Ialltoallv((sent, to), (arrives, of)),
        lambda _: place.settle(),
        (sent, arrives),
        [output],
        [output.dtype],
    )
    return handle(work, async_op)


def barrier(group: Any = None, async_op: bool = False, device_ids: Any = None) -> Work | None:
    """Waits until all ranks of a group have come here. `device_ids` has no effect.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> dist.barrier()
    >>> dist.destroy_process_group()
    """
    members = membership(group, "barrier")
    if members is None:
        return None
    return handle(members.begin("barrier", lambda comm: comm.Ibarrier()), async_op)


# -- what must fit ------------------------------------------------------------------------------------------


def require_own_shape(
    name: str, argument: str, tensors: Sequence[Tensor], tensor: Tensor, members: ProcessGroup
) -> None:
    """Raises unless the tensor at this rank's place has the shape of what this rank sends or gets."""
    own = tensors[members.rank()]
    if own.shape != tensor.shape:
        raise ArgumentError(
            f"{name}: got a tensor of shape {tensor.shape} and {argument}[{members.rank()}] of shape {own.shape}, "
            "expected one shape: that is the place of this rank"
        )


def require_none(name: str, argument: str, value: Any, root: str) -> None:
    """Raises if a rank has a list that is another rank's."""
    if value:
        raise ArgumentError(f"{name}: got {argument} on a rank that is not {root}, expected None there")


def parts(name: str, argument: str, tensor: Tensor, sizes: Sequence[int] | None, count: int) -> list[int]:
    """How many bytes of a tensor belong to each rank."""
    length = tensor.shape[0] if tensor.ndim else 1
    if sizes is None or not len(sizes):
        if length % count:
            raise ArgumentError(
                f"{name}: got {argument} of shape {tensor.shape}, expected a first dimension that {count} ranks share "
                f"evenly; give {argument}_split_sizes"
            )
        sizes = [length // count] * count
    if len(sizes) != count or sum(sizes) != length or min(sizes) < 0:
        raise ArgumentError(
            f"{name}: got {argument}_split_sizes={list(sizes)} for a first dimension of {length}, expected {count} "
            "sizes that add up to it"
        )
    row = tensor.nbytes // length if length else 0
    return [int(np.int64(size) * row) for size in sizes]
