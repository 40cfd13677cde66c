"""DistributedDataParallel beside one process that has the whole batch, in float64, to 1e-12."""

import copy
import pickle

import numpy as np

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.nn.parallel import DistributedDataParallel as DDP

dist = td.distributed
dist.init_process_group()
rank, size = dist.get_rank(), dist.get_world_size()
td.set_default_dtype(td.float64)


def model(seed):
    td.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 3))


def batches(count):
    rng = np.random.default_rng(0)
    return [
        (td.from_numpy(rng.standard_normal((4 * size, 5))), td.from_numpy(rng.standard_normal((4 * size, 3))))
        for _ in range(count)
    ]


def share(x):
    return x[4 * rank : 4 * rank + 4]


def close(a, b):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12, atol=1e-12)


loss = nn.MSELoss()
for options in (
    {},
    {"bucket_cap_mb": 1e-9},
    {"bucket_cap_mb": 300 / 2**20},
    {"gradient_as_bucket_view": True},
    {"find_unused_parameters": True},
    {"static_graph": True},
):
    for none in (True, False):
        alone = model(0)
        ddp = DDP(model(0 if rank == 0 else 1), **options)  # rank 0's weights go to all
        for p, q in zip(alone.parameters(), ddp.parameters(), strict=True):
            assert td.equal(p, q)
        optimizers = [td.optim.SGD(each.parameters(), lr=0.1, momentum=0.9) for each in (alone, ddp)]
        for x, y in batches(4):
            for each, optimizer, (inputs, targets) in zip(
                (alone, ddp), optimizers, ((x, y), (share(x), share(y))), strict=True
            ):
                optimizer.zero_grad(set_to_none=none)
                loss(each(inputs), targets).backward()
            for p, q in zip(alone.parameters(), ddp.parameters(), strict=True):
                close(p.grad, q.grad)
            for optimizer in optimizers:
                optimizer.step()
        for p, q in zip(alone.parameters(), ddp.parameters(), strict=True):
            close(p, q)
            found = [td.zeros_like(q) for _ in range(size)]
            dist.all_gather(found, q)
            assert all(td.equal(q, each) for each in found)  # the same bits on all ranks
        if options.get("gradient_as_bucket_view"):
            first, last = ddp.module[0].weight.grad, ddp.module[4].bias.grad
            assert np.shares_memory(first.numpy(), ddp.reducer.buckets[0].array) and last._data.base is not None

# Buckets go from the last parameter to the first.
caps = DDP(nn.Sequential(*[nn.Linear(10, 10, bias=False) for _ in range(4)]), bucket_cap_mb=1600 / 2**20).reducer
assert [len(bucket.slots) for bucket in caps.buckets] == [2, 2] and caps.place[3][0].index() == 0
assert caps.buckets[1].is_last() and not caps.buckets[0].is_last()
mixed = DDP(nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2, dtype=td.float32)])).reducer
assert [bucket.buffer().dtype for bucket in mixed.buckets] == [td.float32, td.float64]

# Accumulation: no_sync adds up in each rank, the next pass averages the sum.
alone, ddp = model(0), DDP(model(0))
(x, y), (x2, y2) = batches(2)
(loss(alone(x), y) + loss(alone(x2), y2)).backward()
with ddp.no_sync():
    loss(ddp(share(x)), share(y)).backward()
found = [td.zeros(7, 5) for _ in range(size)]
dist.all_gather(found, ddp.module[0].weight.grad)
assert size == 1 or not td.equal(found[0], found[1])
loss(ddp(share(x2)), share(y2)).backward()
for p, q in zip(alone.parameters(), ddp.parameters(), strict=True):
    close(p.grad, q.grad)

# A second pass without zero_grad: the average so far, and the average of what is new.
loss(ddp(share(x)), share(y)).backward()
loss(alone(x), y).backward()
for p, q in zip(alone.parameters(), ddp.parameters(), strict=True):
    close(p.grad, q.grad)


class Branches(nn.Module):
    """Uses a branch that an input chooses, and never the last."""

    def __init__(self):
        super().__init__()
        td.manual_seed(0)
        self.branches = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
        self.never = nn.Linear(2, 2)

    def forward(self, x, branch):
        return {"out": [self.branches[branch](x)]}


# Parameters that some ranks do not use, and that nobody does.
for options in ({}, {"bucket_cap_mb": 1e-9}, {"gradient_as_bucket_view": True}):
    ddp = DDP(Branches(), find_unused_parameters=True, **options)
    for step in range(3):
        ddp.zero_grad()
        x = td.full((1, 2), float(rank + 1 + step))
        ddp(x, min(rank, 1))["out"][0].sum().backward()
        own = ddp.module.branches[0].weight.grad
        close(own, td.full((2, 2), (1.0 + step) / size))
        if size > 1:
            want = sum(r + 1 + step for r in range(1, size)) / size
            close(ddp.module.branches[1].weight.grad, td.full((2, 2), want))
        assert ddp.module.branches[2].weight.grad is None and ddp.module.never.bias.grad is None

# A graph that stays as it is: what has no gradient in the first pass never has one.
ddp = DDP(Branches(), static_graph=True)
for _ in range(3):
    ddp.zero_grad()
    ddp(td.ones(1, 2), 0)["out"][0].sum().backward()
    close(ddp.module.branches[0].weight.grad, td.ones(2, 2))
    assert ddp.module.branches[1].weight.grad is None

# Without looking for them they are named at the next forward.
ddp = DDP(Branches())
ddp(td.ones(1, 2), 0)["out"][0].sum().backward()
with td.no_grad():
    ddp(td.ones(1, 2), 0)  # evaluation goes on
try:
    ddp(td.ones(1, 2), 0)
    raise AssertionError("nothing was raised")
except RuntimeError as error:
    assert "got no gradient for branches.1.weight, branches.1.bias, branches.2.weight" in str(error), error
    assert f"never.bias in the last backward pass of rank {rank}" in str(error), error

# Two losses that make up for one another, each with its own pass.
layers = nn.ModuleList([nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)])
layers.forward = lambda x: (layers[0](x), layers[1](x))
ddp = DDP(layers)
first, second = ddp(td.full((1, 1), float(rank)))
first.sum().backward()
second.sum().backward()
assert [p.grad.item() for p in ddp.parameters()] == [sum(range(size)) / size] * 2

# Buffers are those of rank 0 at the start of each forward.
ddp = DDP(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
for _ in range(3):
    ddp(td.randn(5, 2) + rank).sum().backward()
ddp(td.ones(5, 2))
norm = ddp.module[1]
found = [td.zeros(2) for _ in range(size)]
dist.all_gather(found, norm.running_mean)
assert all(td.equal(found[0], each) for each in found) and norm.num_batches_tracked.item() == 4
ddp = DDP(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), broadcast_buffers=False)
assert not ddp.will_sync_module_buffers()

# Names in the state, and what is loaded.
ddp = DDP(model(0))
state = ddp.state_dict()
assert [*state] == [f"module.{name}" for name in model(0).state_dict()]
ddp.load_state_dict(copy.deepcopy(state))

# A copy, as averaged models make one, has hooks of its own.
twin = pickle.loads(pickle.dumps(copy.deepcopy(ddp)))
x, y = batches(1)[0]
for each in (ddp, twin):
    loss(each(share(x)), share(y)).backward()
for p, q in zip(ddp.parameters(), twin.parameters(), strict=True):
    assert p is not q and td.equal(p.grad, q.grad)
td.optim.swa_utils.AveragedModel(ddp).update_parameters(ddp)

# What the user exchanges: here the sum, in place of the average.
ddp, seen = DDP(model(0)), []


def add(state, bucket):
    seen.append((state, bucket.index(), len(bucket.gradients()), len(bucket.parameters()), bucket.is_last()))
    return dist.all_reduce(bucket.buffer(), async_op=True).get_future().then(lambda future: future.value()[0] * 1)


ddp.register_comm_hook("state", add)
alone = model(0)
x, y = batches(1)[0]
loss(ddp(share(x)), share(y)).backward()
loss(alone(x), y).backward()
for p, q in zip(alone.parameters(), ddp.parameters(), strict=True):
    close(p.grad * size, q.grad)
assert seen == [("state", 0, 6, 6, True)]

# Half precision is averaged in float32; parameters that require no gradient stay; a module that is gone sends nothing.
half = nn.Linear(2, 2, dtype=td.float16)
half.bias.requires_grad_(False)
ddp = DDP(half)
ddp(td.ones(1, 2).half() * (rank + 1)).sum().backward()
assert td.equal(half.weight.grad, td.full((2, 2), (size + 1) / 2).half()) and half.bias.grad is None
del ddp
half.zero_grad()
(half.weight.sum() * (rank + 1)).backward()
assert half.weight.grad[0, 0].item() == rank + 1

dist.destroy_process_group()
