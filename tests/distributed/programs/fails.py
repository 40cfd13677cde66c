"""A training in several processes, of which one does at some step what the arguments say; notes its own number."""

import os
import sys
from datetime import timedelta
from pathlib import Path

folder, what = Path(sys.argv[1]), sys.argv[2]
(folder / f"{os.getpid()}.pid").touch()

import tinygrad_dl as td  # noqa: E402
from tinygrad_dl import nn  # noqa: E402

dist = td.distributed
dist.init_process_group(timeout=timedelta(seconds=2 if what == "hang" else 100))
rank, size = dist.get_rank(), dist.get_world_size()
model = nn.parallel.DistributedDataParallel(nn.Sequential(nn.Linear(20, 50), nn.ReLU(), nn.Linear(50, 1)))
optimizer = td.optim.SGD(model.parameters(), lr=0.01)
message = td.zeros(1)
for step in range(10**9):
    if step == 20 and rank == size - 1:
        if what == "raise":
            raise KeyError("a sample is missing")
        if what == "raise in backward":
            model.module[2].weight.register_hook(lambda g: 1 / 0)
        if what == "exit":
            sys.exit(3)
        if what == "leave":
            break
        if what == "hang":
            while True:
                pass
        if what == "message":
            sys.exit()
        if what == "other call":
            dist.set_debug_level(dist.DebugLevel.DETAIL)
            dist.broadcast(td.ones(3), src=0)
    elif step == 20 and what == "message":
        dist.recv(message, size - 1)
    elif step == 20 and what == "other call":
        dist.set_debug_level(dist.DebugLevel.DETAIL)
        dist.all_reduce(td.ones(3))
    optimizer.zero_grad()
    model(td.randn(8, 20)).square().mean().backward()
    optimizer.step()
