"""Every collective and message, of every dtype, of shapes with and without elements, and of memory with gaps."""

import numpy as np

import tinygrad_dl as td

dist = td.distributed
dist.init_process_group()
rank, size = dist.get_rank(), dist.get_world_size()
root = size - 1

NAMES = "bool uint8 int8 int16 uint16 int32 uint32 int64 uint64 float16 float32 float64 complex64 complex128 bfloat16"
SHAPES = ((3, 4), (), (0, 3), (5,))


def filled(number, shape, dtype, gaps=False):
    """A tensor of one number, in memory with gaps if that is asked for."""
    x = td.full((*shape, 2), number).to(dtype)[..., 1] if gaps else td.full(shape, number).to(dtype)
    assert not gaps or x.numel() < 2 or not x.is_contiguous()
    return x


def check(dtype, shape, gaps):
    def new(number):
        return filled(number, shape, dtype, gaps)

    def several():
        return [new(0) for _ in range(size)]

    def same(found, number):
        assert td.equal(found, filled(number, shape, dtype)), (dtype, shape, gaps, found, number)

    total = sum(range(1, size + 1))
    x = new(rank + 1)
    dist.all_reduce(x)
    same(x, total)

    x = new(rank + 1)
    dist.reduce(x, root)
    same(x, total if rank == root else rank + 1)

    x = new(rank + 1)
    dist.broadcast(x, root)
    same(x, size)

    found = several()
    dist.all_gather(found, new(rank + 1))
    for i in range(size):
        same(found[i], i + 1)

    joined = filled(0, (size, *shape), dtype)
    dist.all_gather_into_tensor(joined, new(rank + 1))
    assert td.equal(joined, td.stack(found))

    found = several() if rank == root else None
    dist.gather(new(rank + 1), found, dst=root)
    for i in range(size if rank == root else 0):
        same(found[i], i + 1)

    x = new(0)
    dist.scatter(x, [new(i) for i in range(size)] if rank == root else None, src=root)
    same(x, rank)

    x = new(0)
    dist.reduce_scatter(x, [new(i) for i in range(size)])
    same(x, rank * size)

    x = new(0)
    dist.reduce_scatter_tensor(x, td.stack([new(i) for i in range(size)]))
    same(x, rank * size)

    found = several()
    dist.all_to_all(found, [new(rank * size + i) for i in range(size)])
    for i in range(size):
        same(found[i], i * size + rank)

    if shape == (5,):
        x = filled(0, (sum(i + 1 for i in range(size)),), dtype, gaps)
        sent = td.cat([filled(rank, (rank + 1,), dtype)] * size)
        dist.all_to_all_single(x, sent, [i + 1 for i in range(size)], [rank + 1] * size)
        assert td.equal(x, td.cat([filled(i, (i + 1,), dtype) for i in range(size)]))

    after, before = (rank + 1) % size, (rank - 1) % size
    if size > 1:
        x, y = new(0), new(0)
        works = [dist.irecv(x, before), dist.irecv(y, before, tag=1)]
        dist.isend(new(rank + 2), after, tag=1).wait()
        dist.send(new(rank + 1), after)
        assert all(work.wait() and work.is_completed() for work in works)
        same(x, before + 1)
        same(y, before + 2)
        assert works[0].source_rank() == before


for name in NAMES.split():
    for shape in SHAPES:
        for gaps in (False, True):
            check(getattr(td, name), shape, gaps)

# What reductions compute.
Op = dist.ReduceOp
values = np.array([[3, 5, 6], [1, 4, 7], [2, 2, 2]])[:size]
for op, want in {
    Op.SUM: values.sum(0),
    Op.PRODUCT: values.prod(0),
    Op.MIN: values.min(0),
    Op.MAX: values.max(0),
    Op.BAND: np.bitwise_and.reduce(values),
    Op.BOR: np.bitwise_or.reduce(values),
    Op.BXOR: np.bitwise_xor.reduce(values),
    Op.AVG: values.mean(0),
}.items():
    x = td.tensor(values[rank]).to(td.float64 if op is Op.AVG else td.int64)
    dist.all_reduce(x, op)
    assert np.array_equal(x.numpy(), want), (op, x, want)
truth = np.array([[True, True, False], [True, False, False], [True, True, False]])[:size]
for op, function in {Op.SUM: np.any, Op.MAX: np.any, Op.PRODUCT: np.all, Op.MIN: np.all, Op.BOR: np.any}.items():
    x = td.tensor(truth[rank])
    dist.all_reduce(x, op)
    assert x.dtype == td.bool and np.array_equal(x.numpy(), function(truth, 0)), (op, x)

# Half precision is added in float32 and rounded once: 2048 + 1 + 1 in float16 would stay 2048.
x = td.tensor([2048.0 if rank == 0 else 1.0]).half()
dist.all_reduce(x)
assert x.item() == td.tensor(2048.0 + size - 1).half().item()
x = td.tensor([float(rank)]).half()
dist.all_reduce(x, Op.AVG)
assert x.item() == td.tensor((size - 1) / 2).half().item()

# All ranks get the same bits, whatever the sizes.
for count in (1, 7, 1000, 100_003):
    x = td.from_numpy(np.random.default_rng(rank).standard_normal(count).astype(np.float32))
    dist.all_reduce(x)
    found = [td.zeros(count) for _ in range(size)]
    dist.all_gather(found, x)
    assert all(np.array_equal(each.numpy().view(np.uint8), x.numpy().view(np.uint8)) for each in found)

# Several at once, ended in another order; handles that nobody keeps go on.
xs = [td.full((1000,), float(i + rank)) for i in range(5)]
works = [dist.all_reduce(x, async_op=True) for x in xs]
assert [work.wait() for work in reversed(works)] == [True] * 5
assert all(x[0].item() == size * i + sum(range(size)) for i, x in enumerate(xs))
assert works[0].result() == [xs[0]] and works[0].is_success()
y = td.ones(100_000)
dist.all_reduce(y, async_op=True)
dist.barrier(async_op=True)

# Objects.
found = [None] * size
dist.all_gather_object(found, {"rank": rank})
assert found == [{"rank": i} for i in range(size)]
found = [None] * size if rank == root else None
dist.gather_object("x" * rank, found, dst=root)
assert rank != root or found == ["x" * i for i in range(size)]
found = ["a", rank]
dist.broadcast_object_list(found, src=root)
assert found == ["a", root]
found = [None]
dist.scatter_object_list(found, [*range(10, 10 + size)] if rank == root else None, src=root)
assert found == [10 + rank]

dist.destroy_process_group()
assert y[0].item() == size  # the end waits for what has begun
dist.init_process_group()  # and there may be another beginning
dist.barrier()
dist.destroy_process_group()
