"""What is refused on every rank before anything is sent, and in which words."""

import re

import tinygrad_dl as td
from tinygrad_dl.func import vmap

dist = td.distributed


def refused(kind, words, call):
    try:
        call()
    except kind as error:
        assert re.search(words, str(error).split("\n")[0]), (words, str(error))
        return
    raise AssertionError(f"nothing was raised: {words}")


x = td.ones(2)
refused(ValueError, r"all_reduce: got a call before init_process_group\(\)", lambda: dist.all_reduce(x))
refused(ValueError, "expected 2, as MPI says; start 5 processes", lambda: dist.init_process_group(world_size=5))
refused(ValueError, "got rank=7", lambda: dist.init_process_group(rank=7))
refused(ValueError, "got backend='nccl', expected \"mpi\"", lambda: dist.init_process_group("nccl"))
refused(ValueError, "got init_method='tcp", lambda: dist.init_process_group(init_method="tcp://a:1"))
refused(TypeError, "got timeout=3, expected a datetime.timedelta", lambda: dist.init_process_group(timeout=3))
dist.init_process_group(init_method="env://")
rank = dist.get_rank()
refused(ValueError, "got a second call", dist.init_process_group)
Op = dist.ReduceOp

refused(TypeError, r"all_reduce: got tensor=\[1\], expected a tensor", lambda: dist.all_reduce([1]))
refused(TypeError, "all_reduce: got op='sum', expected one of ReduceOp", lambda: dist.all_reduce(x, "sum"))
refused(TypeError, "all_reduce: got group=3, expected what new_group", lambda: dist.all_reduce(x, group=3))
refused(ValueError, "got ReduceOp.BAND of dtype float32, expected integers", lambda: dist.all_reduce(x, Op.BAND))
refused(ValueError, "got ReduceOp.MAX of dtype complex64, expected real", lambda: dist.all_reduce(x.cfloat(), Op.MAX))
refused(ValueError, "got ReduceOp.AVG of dtype int64", lambda: dist.all_reduce(x.long(), Op.AVG))
refused(ValueError, "got a read-only view", lambda: dist.all_reduce(td.ones(1).expand(3)))
refused(ValueError, r"broadcast: got src=5, expected one of the group's ranks, \[0, 1\]", lambda: dist.broadcast(x, 5))
refused(ValueError, "got src=None and group_src=None, expected one of the two", lambda: dist.broadcast(x))
refused(ValueError, "got 1 tensors as tensor_list, expected 2", lambda: dist.all_gather([x], x))
refused(TypeError, "got tensor_list=None, expected a list of 2 tensors", lambda: dist.all_gather(None, x))
refused(ValueError, "expected one dtype", lambda: dist.all_gather([x, x], x.double()))
refused(ValueError, r"tensor_list\[\d\] of shape \(3,\)", lambda: dist.all_gather([td.ones(3)] * 2, x))
refused(ValueError, "expected 2 times as many", lambda: dist.all_gather_into_tensor(td.ones(3), x))
refused(ValueError, "expected 2 times as many", lambda: dist.reduce_scatter_tensor(x, td.ones(3)))
refused(ValueError, "got output of shape", lambda: dist.reduce_scatter(x, [td.ones(3)] * 2))
refused(ValueError, "on a rank that is not dst", lambda: dist.gather(x, [x, x], dst=1 - rank))
refused(ValueError, "give input_split_sizes", lambda: dist.all_to_all_single(x, td.ones(3)))
refused(ValueError, r"input_split_sizes=\[1, 1\]", lambda: dist.all_to_all_single(x, td.ones(3), None, [1, 1]))
refused(ValueError, "send: got dst=.*, which is this rank itself", lambda: dist.send(x, rank))
refused(ValueError, r"new_group: got ranks=\[0, 0\]", lambda: dist.new_group([0, 0]))
refused(ValueError, "object_list, expected 2", lambda: dist.all_gather_object([None], 1))
refused(TypeError, "P2POp: got op=3", lambda: dist.P2POp(3, x, 1))

w = td.ones(2, requires_grad=True) * 2
refused(RuntimeError, "all_reduce: got a tensor that was computed from one that", lambda: dist.all_reduce(w))
refused(
    RuntimeError, "got a tensor inside of vmap", lambda: vmap(lambda each: dist.all_reduce(each) or each)(td.ones(2, 3))
)


# A message of another length than its tensor.
def wrong_length():
    if rank == 0:
        dist.send(td.ones(1), 1)
        raise RuntimeError("recv: got 4 bytes from rank 0")
    dist.recv(td.ones(2), 0)


refused(RuntimeError, "recv: got 4 bytes from rank 0", wrong_length)
before = dist.new_group([0, 1])
dist.destroy_process_group()
refused(ValueError, "before init_process_group", dist.barrier)
dist.init_process_group()
refused(ValueError, "which was destroyed", lambda: dist.barrier(before))
dist.destroy_process_group()
