"""Ranks with different models: each says at the start what differs, and where."""

import sys

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.nn.parallel import DistributedDataParallel as DDP

dist = td.distributed


def refused(words, make):
    try:
        make()
    except ValueError as error:
        assert all(each in str(error).split("\n")[0] for each in words), str(error)
        return str(error)
    raise AssertionError(f"nothing was raised: {words}")


refused(["DistributedDataParallel: got a call before init_process_group()"], lambda: DDP(nn.Linear(1, 1)))
dist.init_process_group()
rank = dist.get_rank()
refused(["weight: (2, 3) float32 on ranks 0, 2 and (2, 4) float32 on rank 1"], lambda: DDP(nn.Linear(3 + rank % 2, 2)))
refused(["bias: (2,) float32 on rank 0 and nothing on ranks 1, 2"], lambda: DDP(nn.Linear(3, 2, bias=not rank)))
layers = [nn.Linear(2, 2), nn.BatchNorm1d(2)][: 1 + (rank < 2)]
text = refused(["1.weight: (2,) float32 on ranks 0, 1 and nothing on rank 2"], lambda: DDP(nn.Sequential(*layers)))
assert "1.running_var: " in text, text
dtype = td.float64 if rank == 2 else td.float32
refused(
    ["weight: (2, 2) float32 on ranks 0, 1 and (2, 2) float64 on rank 2"], lambda: DDP(nn.Linear(2, 2, dtype=dtype))
)
names = ["a", "b"] if rank else ["b", "a"]
refused(["in different orders"], lambda: DDP(nn.ModuleDict({name: nn.Linear(1, 1) for name in names})))
refused(["without parameters that require a gradient"], lambda: DDP(nn.ReLU()))
refused(["weight, which has no shape yet"], lambda: DDP(nn.LazyLinear(2)))
refused(["got device_ids=[0]"], lambda: DDP(nn.Linear(1, 1), device_ids=[0]))
dist.destroy_process_group()
sys.exit()
