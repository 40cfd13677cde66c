"""Groups of some of the ranks, in an order of their own; views, graphs and versions of what is changed."""

import warnings

import tinygrad_dl as td

dist = td.distributed
dist.init_process_group("mpi", world_size=3)
rank = dist.get_rank()

last = dist.new_group([2, 1])
assert dist.get_world_size() == 3 and dist.get_process_group_ranks() == [0, 1, 2]
assert dist.get_world_size(last) == (-1 if rank == 0 else 2) and dist.get_rank(last) == rank - 1
if rank:
    assert dist.get_process_group_ranks(last) == [1, 2] and dist.get_group_rank(last, 2) == 1
    assert dist.get_global_rank(last, 0) == 1 and last.rank() == rank - 1 and last.size() == 2
    x = td.tensor([float(rank)])
    dist.all_reduce(x, group=last)
    assert x.item() == 3
    dist.broadcast(x.fill_(rank), src=2, group=last)
    assert x.item() == 2
    dist.broadcast(x.fill_(rank), group_src=0, group=last)
    assert x.item() == 1
    if rank == 1:
        dist.send(x, 2, group=last)
    else:
        assert dist.recv(x, group=last) == 1  # from any rank; which, among all processes
else:
    assert last is dist.GroupMember.NON_GROUP_MEMBER
    x = td.ones(1)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert dist.all_reduce(x, group=last) is None and dist.recv(x, group=last) == -1
    assert len(seen) == 2 and "all_reduce: rank 0 is not in the group" in str(seen[0].message)
    assert seen[0].filename == __file__ and x.item() == 1
dist.destroy_process_group(last)

# A view changes its base; a value that a graph has saved is no longer there.
base = td.zeros(3, 2)
dist.all_reduce(base[1])
dist.broadcast(base[:, 1].fill_(rank), src=2)
assert base.tolist() == [[0, 2], [0, 2], [0, 2]]
w = td.ones(2, requires_grad=True)
x = td.ones(2)
loss = (w * x).sum()
dist.all_reduce(x)
try:
    loss.backward()
    raise AssertionError("the saved value was changed")
except RuntimeError as error:
    assert "changed in place afterwards, by all_reduce at" in str(error) and __file__ in str(error), error

# As in PyTorch the values of a leaf may be exchanged, whether or not it requires a gradient.
dist.all_reduce(w)
assert w.is_leaf and w.tolist() == [3, 3]
with td.no_grad():
    y = w * 2
    dist.all_reduce(y)
assert y.tolist() == [18, 18]
dist.all_gather([td.zeros(2) for _ in range(3)], w * 2)  # what is sent may have been computed
dist.destroy_process_group()
