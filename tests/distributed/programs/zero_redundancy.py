"""States shared out: the steps of the whole optimiser, bit by bit, and states that any number of ranks takes over."""

import re
import sys

import numpy as np

import tinygrad_dl as td
from tinygrad_dl import nn, optim

dist = td.distributed
dist.init_process_group()
rank, size = dist.get_rank(), dist.get_world_size()
folder = sys.argv[1]
OPTIMISERS = {
    "SGD": (optim.SGD, dict(lr=0.1, momentum=0.9)),
    "AdamW": (optim.AdamW, dict(lr=0.1, amsgrad=True)),
    "Adagrad": (optim.Adagrad, dict(lr=0.1)),
    "Rprop": (optim.Rprop, dict(lr=0.1)),
    "Muon": (optim.Muon, dict(lr=0.1)),
}


def make(name, shared, dtype=td.float32):
    """A model in two groups with names, the second with a rate of its own, and its optimiser."""
    td.manual_seed(0)
    kind, options = OPTIMISERS[name]
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3), nn.Tanh(), nn.Linear(3, 2)).to(dtype)
    groups = [{"params": [(n, p) for n, p in model.named_parameters() if p.ndim == d]} for d in (2, 1)]
    groups[1]["lr"] = 0.05
    groups = groups[:1] if name == "Muon" else groups
    return model, optim.ZeroRedundancyOptimizer(groups, kind, **options) if shared else kind(groups, **options)


def train(model, optimizer, seeds):
    for seed in seeds:
        x = td.tensor(np.random.default_rng(seed).standard_normal((6, 5))).to(model[0].weight.dtype)
        optimizer.zero_grad()
        (model(x) ** 2).sum().backward()
        optimizer.step()


def same(one, other):
    assert all(td.equal(p, q) for p, q in zip(one.parameters(), other.parameters(), strict=True))


def same_states(one, other):
    assert one["param_groups"] == other["param_groups"] and list(one["state"]) == list(other["state"])
    for number, entry in one["state"].items():
        assert list(entry) == list(other["state"][number])
        assert all(td.equal(value, other["state"][number][key]) for key, value in entry.items())


def refused(kind, words, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except kind as error:
        assert re.search(words, str(error).split("\n")[0]), (words, str(error))
        return
    raise AssertionError(f"nothing was raised: {words}")


for name in OPTIMISERS:
    for dtype in (td.float32, td.float64, td.float16):
        (model, whole), (other, shared) = make(name, False, dtype), make(name, True, dtype)
        halve, halve_shared = (optim.lr_scheduler.StepLR(each, 2, 0.5) for each in (whole, shared))
        for seed in range(4):
            train(model, whole, [seed])
            train(other, shared, [seed])
            halve.step()
            halve_shared.step()
        same(model, other)
        shared.consolidate_state_dict(to=size - 1)
        if rank == size - 1:
            same_states(whole.state_dict(), shared.state_dict())
        else:
            refused(RuntimeError, f"got the states of rank {rank} alone", shared.state_dict)
        # Each rank keeps the states of its own parameters.
        owned = [p for group in shared.optim.param_groups for p in group["params"]]
        assert {id(p) for p in shared.state} == {id(p) for p in owned}
        # From the whole optimiser to shares, and on.
        third, again = make(name, True, dtype)
        third.load_state_dict(model.state_dict())
        again.load_state_dict(whole.state_dict())
        train(model, whole, [7, 8])
        train(third, again, [7, 8])
        same(model, third)

# In each group the largest first, to the rank with the fewest: 35, 21 and 6, then 7, 3 and 2 elements.
_, shared = make("AdamW", True)
counts = [None] * size
dist.all_gather_object(counts, sum(p.numel() for group in shared.optim.param_groups for p in group["params"]))
assert counts == {1: [74], 2: [37, 37], 3: [35, 21, 18], 4: [35, 21, 9, 9]}[size], counts

# A file of one number of ranks is read by another.
model, shared = make("AdamW", True)
path = f"{folder}/state.npz"
if sys.argv[2] == "write":
    train(model, shared, range(3))
    shared.consolidate_state_dict()
    if rank == 0:
        td.save({"model": model.state_dict(), "optimizer": shared.state_dict()}, path)
    train(model, shared, range(3, 6))
    if rank == 0:
        td.save(model.state_dict(), f"{folder}/after.npz")
else:
    state = td.load(path)
    model.load_state_dict(state["model"])
    shared.load_state_dict(state["optimizer"])
    train(model, shared, range(3, 6))
    assert all(td.equal(value, model.state_dict()[key]) for key, value in td.load(f"{folder}/after.npz").items())

# Groups that come later, closures, hooks, and a state that does not belong here.
model, whole = make("AdamW", False)
other, shared = make("AdamW", True)
late = [td.ones(3, requires_grad=True) for _ in range(2)]
for each, optimizer in zip(late, (whole, shared), strict=True):
    optimizer.add_param_group({"params": [("late", each)], "lr": 0.5})
    (each * each).sum().backward()
    loss = optimizer.step(lambda each=each: (each * each).sum())
    assert loss.item() == 3
assert td.equal(*late)
wrong = {"params": [("z", td.zeros(2, requires_grad=True))], "lr": -1.0}
refused(ValueError, "invalid lr", shared.add_param_group, wrong)
assert len(shared.param_groups) == 3 and len(shared.optim.param_groups) == 3
shared.add_param_group({**wrong, "lr": 1.0})  # what was refused is shared out now
for each in (shared.param_groups, shared.optim.param_groups, whole.param_groups):
    del each[3:]
refused(ValueError, "parameter groups of", shared.load_state_dict, make("AdamW", False)[1].state_dict())
seen = []
shared.register_step_post_hook(lambda *arguments: seen.append("step"))
shared.register_state_dict_post_hook(lambda optimizer, state: seen.append(len(state["state"])))
train(other, shared, [0])
shared.consolidate_state_dict()
if rank == 0:
    shared.state_dict()
    assert seen == ["step", 7], seen
train(other, shared, [1])
refused(RuntimeError, "after the last step", shared.state_dict)  # what was brought together is out of date

Zero = optim.ZeroRedundancyOptimizer
parameters = [td.ones(2, requires_grad=True)]
refused(TypeError, "expected a class: td.optim.Adam", Zero, parameters, optim.Adam(parameters))
refused(ValueError, "got optimizer_class=LBFGS", Zero, parameters, optim.LBFGS)
refused(ValueError, "got overlap_with_ddp=True, expected False", Zero, parameters, optim.Adam, overlap_with_ddp=True)
refused(ValueError, "got differentiable=True", Zero, parameters, optim.Adam, differentiable=True)
refused(ValueError, "invalid lr", Zero, parameters, optim.Adam, lr=-1.0)
refused(ValueError, "without a shape yet", Zero, nn.LazyLinear(2).parameters(), optim.Adam)
refused(ValueError, "got to=9, expected a rank", shared.consolidate_state_dict, to=9)
refused(TypeError, "use state_dict", shared.__getstate__)

# A group of some of the ranks.
if size > 2:
    some = dist.new_group([0, 2])
    if rank not in (0, 2):
        refused(ValueError, "a group that this process is not in", Zero, parameters, optim.Adam, some)
    else:
        (model, whole), (other, _) = make("AdamW", False), make("AdamW", False)
        groups = [{"params": [p for p in other.parameters() if p.ndim == d], "lr": r} for d, r in ((2, 0.1), (1, 0.05))]
        shared = Zero(groups, optim.AdamW, some, True, amsgrad=True)
        train(model, whole, range(3))
        train(other, shared, range(3))
        same(model, other)
        shared.consolidate_state_dict(to=1)
        assert (shared._others is not None) == (rank == 2)
dist.destroy_process_group()
