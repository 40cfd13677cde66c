"""SyncBatchNorm beside a batch norm of the joined batch, in float64, to 1e-12; the batches of ranks differ in size."""

import warnings

import numpy as np

import tinygrad_dl as td
from tinygrad_dl import nn

dist = td.distributed
dist.init_process_group()
rank, size = dist.get_rank(), dist.get_world_size()


def check(shape, options, dtype=td.float64, tolerance=1e-12, sizes=(3, 4, 2)):
    rng = np.random.default_rng(0)
    sizes = sizes[:size]
    start, stop = sum(sizes[:rank]), sum(sizes[: rank + 1])
    whole = td.from_numpy(rng.standard_normal((sum(sizes), *shape)) * 3 + 100).to(dtype)
    g = td.from_numpy(rng.standard_normal(whole.shape)).to(dtype)
    alone = nn.BatchNorm2d(shape[0], dtype=dtype, **options) if len(shape) == 3 else None
    alone = alone or nn.BatchNorm1d(shape[0], dtype=dtype, **options)
    if alone.weight is not None:
        nn.init.uniform_(alone.weight, 1, 2)
        dist.broadcast(alone.weight, src=0)
    synced = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(alone))[0]
    assert type(synced) is nn.SyncBatchNorm and synced.weight is alone.weight
    synced = nn.SyncBatchNorm(shape[0], dtype=dtype, **options)
    synced.load_state_dict(alone.state_dict())

    def close(a, b):
        np.testing.assert_allclose(a.detach().double().numpy(), b.detach().double().numpy(), tolerance, tolerance)

    for step in range(2):
        x = (whole * (step + 1)).requires_grad_()
        own = (whole[start:stop] * (step + 1)).requires_grad_()
        out, found = alone(x), synced(own)
        out.backward(g)
        found.backward(g[start:stop])
        assert found.dtype == dtype
        close(found, out[start:stop])
        close(own.grad, x.grad[start:stop])
        for name, buffer in alone.named_buffers():
            close(getattr(synced, name), buffer)
    for p, q in zip(alone.parameters(), synced.parameters(), strict=True):
        dist.all_reduce(q.grad)  # each rank has the share of its samples
        close(q.grad, p.grad)
    close(synced.eval()(own), alone.eval()(x)[start:stop])


for shape in ((5,), (3, 4), (3, 2, 2)):
    for options in ({}, {"affine": False}, {"momentum": None, "bias": False}, {"track_running_stats": False}):
        check(shape, options)
check((3, 4), {}, td.float32, 1e-4)
check((3, 4), {}, td.float16, 5e-2)
check((4,), {}, sizes=(5, 1, 1))
check((4, 3), {}, sizes=(2, 0, 3))

# A group of some ranks, and a second derivative, which there is none of.
groups = [dist.new_group([each]) for each in range(size)]
x = td.randn(4, 3) + rank
assert td.equal(nn.SyncBatchNorm(3, process_group=groups[rank])(x), nn.BatchNorm1d(3)(x))
x = td.randn(4, 3, requires_grad=True)
(g,) = td.autograd.grad(nn.SyncBatchNorm(3)(x).square().sum(), x, create_graph=True)
try:
    td.autograd.grad(g.sum(), x)
    raise AssertionError("nothing was raised")
except RuntimeError as error:
    assert size == 1 or "once_differentiable" in str(error), error
except AssertionError:
    assert size == 1
try:
    nn.SyncBatchNorm(3)(td.ones(int(rank == 0), 3))
    raise AssertionError("nothing was raised")
except ValueError as error:
    assert "value" in str(error), error

# Under DistributedDataParallel the two together are one process with the whole batch.
td.manual_seed(0)
alone = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)).double()
td.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)).double()
model = nn.parallel.DistributedDataParallel(nn.SyncBatchNorm.convert_sync_batchnorm(model))
x = td.from_numpy(np.random.default_rng(1).standard_normal((4 * size, 4)))
for _ in range(3):
    alone.zero_grad()
    model.zero_grad()
    alone(x).square().mean().backward()
    model(x[4 * rank : 4 * rank + 4]).square().mean().backward()
    for p, q in zip(alone.parameters(), model.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), 1e-12, 1e-12)

# A compiled step does not leave out what goes to other ranks: it is run as it is.
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")

    @td.compile
    def step(x):
        y = x * 2
        dist.all_reduce(y)
        return y + 1

    assert all(step(td.ones(2)).tolist() == [2.0 * size + 1] * 2 for _ in range(4))
assert any("all_reduce" in str(each.message) for each in seen), [str(each.message) for each in seen]
dist.destroy_process_group()
