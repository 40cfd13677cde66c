"""A program written for PyTorch, run under its name."""

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

if dist.is_available():
    dist.init_process_group(backend="mpi")
torch.manual_seed(dist.get_rank())
model = DistributedDataParallel(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(3):
    optimizer.zero_grad()
    with torch.no_grad():
        x = torch.randn(5, 3)
    model(x).pow(2).mean().backward()
    optimizer.step()
total = torch.tensor([p.detach().sum().item() for p in model.parameters()])
found = [torch.zeros_like(total) for _ in range(dist.get_world_size())]
dist.all_gather(found, total)
assert all(torch.equal(total, each) for each in found)
assert isinstance(model, nn.parallel.DistributedDataParallel) and torch.distributed.ReduceOp.SUM.name == "SUM"
future = torch.futures.Future()
future.set_result(1)
assert future.then(lambda each: each.value() + 1).wait() == 2
dist.barrier()
dist.destroy_process_group()
