"""Collectives that compute: every rank's elements become one result, for all, for one, or a share for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_dl.core.errors import ArgumentError
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.distributed.groups import membership, rank_in
from tinygrad_dl.distributed.memory import Place, flat, require_alike, tensor_of, tensors_of
from tinygrad_dl.distributed.mpi import library
from tinygrad_dl.distributed.process_group import ProcessGroup
from tinygrad_dl.distributed.reductions import ReduceOp, reduction
from tinygrad_dl.distributed.work import Work, handle


def all_reduce(tensor: Tensor, op: ReduceOp = ReduceOp.SUM, group: Any = None, async_op: bool = False) -> Work | None:
    """Puts the tensors of all ranks together, element by element, and the result into each of them, in place.

    Every rank gets the same bits, and the same ones in each run with as many ranks.

    Args:
        tensor: of one shape and dtype on all ranks.
        op: how, see `ReduceOp`.
        group: of which ranks; None for all.
        async_op: whether to return at once.

    Returns:
        With `async_op` a `Work`, whose `wait` ends it; else None.

    Raises:
        RuntimeError: the tensor was computed from one that requires a gradient. ValueError: `op` is not for its dtype.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> x = td.tensor([1.0, 2.0])
    >>> dist.all_reduce(x)
    >>> x
    tensor([1., 2.])
    >>> dist.destroy_process_group()
    """
    name = "all_reduce"
    members = membership(group, name)
    if members is None:
        return None
    return handle(begin_all_reduce(name, tensor_of(tensor, name, "tensor"), op, members), async_op)


def begin_all_reduce(name: str, tensor: Tensor, op: ReduceOp, members: ProcessGroup) -> Work:
    """`all_reduce` of a tensor in a group that is known to be one."""
    how = reduction(op, tensor._data.dtype, name)
    place = Place(tensor, name, how.carrier, filled=True)

    def finish(_: Any) -> None:
        how.finish(place.array, members.size())
        place.settle()

    numbers, about = how.numbers(place.array), (op.name, tensor.dtype, tensor.shape)
    return members.begin(
        name, lambda comm: comm.Iallreduce(library().IN_PLACE, numbers, how.op), finish, numbers, [tensor], about
    )


def reduce(
    tensor: Tensor,
    dst: int | None = None,
    op: ReduceOp = ReduceOp.SUM,
    group: Any = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """Puts the tensors of all ranks together, and the result into that of rank `dst`, in place; the others stay.

    Args:
        tensor: of one shape and dtype on all ranks.
        dst: a rank among all processes; `group_dst` one in the group.
        op, group, async_op: as of `all_reduce`.

    Raises:
        RuntimeError, ValueError: as `all_reduce`, and there is no such rank.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> x = td.tensor([3, 4])
    >>> dist.reduce(x, dst=0, op=dist.ReduceOp.MAX)
    >>> x
    tensor([3, 4])
    >>> dist.destroy_process_group()
    """
    name = "reduce"
    members = membership(group, name)
    if members is None:
        return None
    root = rank_in(members, dst, group_dst, name, "dst")
    how = reduction(op, tensor_of(tensor, name, "tensor")._data.dtype, name)
    about = (op.name, tensor.dtype, tensor.shape, f"dst={root}")
    if members.rank() != root:
        sent = how.numbers(np.asarray(flat(tensor), how.carrier))
        work = members.begin(name, lambda comm: comm.Ireduce(sent, None, how.op, root), None, sent, [tensor], about)
        return handle(work, async_op)
    place = Place(tensor, name, how.carrier, filled=True)

    def finish(_: Any) -> None:
        how.finish(place.array, members.size())
        place.settle()

    numbers = how.numbers(place.array)
    work = members.begin(
        name, lambda comm: comm.Ireduce(library().IN_PLACE, numbers, how.op, root), finish, numbers, [tensor], about
    )
    return handle(work, async_op)


def reduce_scatter(
    output: Tensor, input_list: Sequence[Tensor], op: ReduceOp = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """Puts the ranks' lists together, tensor by tensor, and the one at a rank's place into its `output`.

    Args:
        output: of the shape of `input_list[rank]`.
        input_list: a tensor for each rank, of the same shapes on all ranks; they may differ from one another.
        op, group, async_op: as of `all_reduce`.

    Raises:
        RuntimeError, ValueError: as `all_reduce`, and the list is too long or short, or the shapes do not fit.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> x = td.zeros(2)
    >>> dist.reduce_scatter(x, [td.tensor([1.0, 2.0])])
    >>> x
    tensor([1., 2.])
    >>> dist.destroy_process_group()
    """
    name = "reduce_scatter"
    members = membership(group, name)
    if members is None:
        return None
    inputs = tensors_of(input_list, name, "input_list", members.size())
    own = inputs[members.rank()]
    require_alike(name, tensor_of(output, name, "output"), *inputs)
    if own.numel() != output.numel():
        raise ArgumentError(
            f"{name}: got output of shape {output.shape}, expected that of input_list[{members.rank()}], {own.shape}"
        )
    return scattered(name, members, output, inputs, op, async_op)


def reduce_scatter_tensor(
    output: Tensor, input: Tensor, op: ReduceOp = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """`reduce_scatter` of one tensor, of which each rank gets as many elements: its share along the first dimension.

    Args:
        output: the share.
        input: as many elements as there are in all outputs together, of one shape on all ranks.
        op, group, async_op: as of `all_reduce`.

    Raises:
        RuntimeError, ValueError: as `all_reduce`, and the sizes do not fit.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> x = td.zeros(2)
    >>> dist.reduce_scatter_tensor(x, td.tensor([1.0, 2.0]))
    >>> x
    tensor([1., 2.])
    >>> dist.destroy_process_group()
    """
    name = "reduce_scatter_tensor"
    members = membership(group, name)
    if members is None:
        return None
    require_alike(name, tensor_of(output, name, "output"), tensor_of(input, name, "input"))
    if input.numel() != output.numel() * members.size():
        raise ArgumentError(
            f"{name}: got input of shape {input.shape} and output of shape {output.shape}, expected {members.size()} "
            "times as many elements in the input"
        )
    return scattered(name, members, output, [input], op, async_op)


def scattered(
    name: str, members: ProcessGroup, output: Tensor, inputs: Sequence[Tensor], op: ReduceOp, async_op: bool
) -> Work | None:
    """The reduction of the inputs, one after the other, of which this rank's share goes into the output."""
    how = reduction(op, output._data.dtype, name)
    sent = how.numbers(np.concatenate([np.asarray(flat(each), how.carrier) for each in inputs]))
    counts = [each.numel() for each in inputs] if len(inputs) > 1 else [output.numel()] * members.size()
    place = Place(output, name, how.carrier)

    def finish(_: Any) -> None:
        how.finish(place.array, members.size())
        place.settle()

    arrives, about = how.numbers(place.array), (op.name, output.dtype, counts)
    work = members.begin(
        name, lambda comm: comm.Ireduce_scatter(sent, arrives, counts, how.op), finish, (sent, arrives), [output], about
    )
    return handle(work, async_op)
