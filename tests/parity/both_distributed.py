"""A program for both libraries, under PyTorch's names: what two ranks get from collectives and from a training.

Each rank writes what it finds as JSON into the folder that is the second argument. The first one is the backend.
"""

import json
import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel


class Branches(nn.Module):
    """Each rank uses one of two branches, and nobody the third."""

    def __init__(self):
        super().__init__()
        self.branches = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])

    def forward(self, x):
        return self.branches[dist.get_rank() % 2](x)


def collectives(rank, size):
    """Name of a call -> what the rank has after it."""
    found = {}
    for dtype in (torch.float32, torch.float64, torch.int64, torch.int32, torch.uint8, torch.float16, torch.bfloat16):
        name, own = str(dtype).rpartition(".")[2], torch.arange(6).reshape(2, 3) + 2 * rank + 1
        for op in ("SUM", "PRODUCT", "MIN", "MAX", *(["BAND", "BOR", "BXOR"] if not dtype.is_floating_point else [])):
            x = own.to(dtype).t()
            dist.all_reduce(x, getattr(dist.ReduceOp, op))
            found[f"all_reduce {name} {op}"] = x.tolist()
        x = own.to(dtype)
        dist.broadcast(x, src=1)
        found[f"broadcast {name}"] = x.tolist()
        several = [torch.zeros(2, 3).to(dtype) for _ in range(size)]
        dist.all_gather(several, own.to(dtype))
        found[f"all_gather {name}"] = [each.tolist() for each in several]
        several = several if rank == 1 else None
        dist.gather(own.to(dtype), several, dst=1)
        x = torch.zeros(2, 3).to(dtype)
        dist.scatter(x, several, src=1)
        found[f"gather and scatter {name}"] = x.tolist()
        out = torch.zeros(12).to(dtype)
        dist.all_gather_into_tensor(out, own.to(dtype).reshape(-1))
        dist.all_to_all_single(out, out * (1 if rank else 2), [6, 6], [6, 6])
        found[f"all_to_all_single {name}"] = out.tolist()
        x = torch.zeros(3).to(dtype)
        dist.reduce_scatter_tensor(x, own.to(dtype).reshape(-1))
        found[f"reduce_scatter_tensor {name}"] = x.tolist()
        work = dist.irecv(x, 1 - rank)
        dist.send(own.to(dtype)[0] + 1, 1 - rank)
        work.wait()
        found[f"send {name}"] = x.tolist()
    return found


def training(rank, options, branches=False):
    """The gradients and parameters of some steps."""
    model = Branches() if branches else nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2), nn.BatchNorm1d(2))
    model = model.double()
    for number, parameter in enumerate(model.parameters()):
        parameter.data.copy_(torch.cos(torch.arange(parameter.numel()).double() + number).reshape(parameter.shape))
    model = DistributedDataParallel(model, **options)
    optimizer, found = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), []
    for step in range(4):
        optimizer.zero_grad()
        x = torch.sin(torch.arange(8).double() * (rank + 1) + step).reshape(4, 2)
        if step == 2 and not branches:
            with model.no_sync():
                model(x * 2).pow(2).sum().backward()
        model(x).pow(2).sum().backward()
        found.append([None if p.grad is None else p.grad.tolist() for p in model.parameters()])
        optimizer.step()
    state = model.state_dict()
    return [found, {name: value.tolist() for name, value in state.items()}]


def main():
    dist.init_process_group(sys.argv[1])
    rank, size = dist.get_rank(), dist.get_world_size()
    found = collectives(rank, size)
    for options in ({}, {"bucket_cap_mb": 1e-5}, {"gradient_as_bucket_view": True}, {"broadcast_buffers": False}):
        found[f"training {options}"] = training(rank, options)
    found["training of branches"] = training(rank, {"find_unused_parameters": True}, branches=True)
    Path(sys.argv[2], f"{rank}.json").write_text(json.dumps(found))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    main()
