"""Every optimiser and schedule, with every option, against PyTorch over many steps."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl.optim import lr_scheduler

torch = pytest.importorskip("torch")

CASES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": (0.3, 0.5), "eps": 1e-3}),
    ("Adam", {"weight_decay": 0.1}),
    ("Adam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Adam", {"amsgrad": True, "lr": 0.05, "betas": (0.9, 0.5)}),
    ("Adam", {"maximize": True, "weight_decay": 0.1, "amsgrad": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.2, "amsgrad": True, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.05, "betas": (0.5, 0.7), "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.05, "betas": (0.5, 0.7), "eps": 1e-3, "momentum_decay": 0.1, "weight_decay": 0.1}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.05, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ("RAdam", {"betas": (0.9, 0.8), "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.9}),
    ("RMSprop", {"centered": True, "alpha": 0.9}),
    ("RMSprop", {"centered": True, "momentum": 0.5, "weight_decay": 0.1, "maximize": True, "eps": 1e-4}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.7, "eps": 1e-4, "weight_decay": 0.1, "maximize": True}),
]
SHAPES = [(3, 4), (4,), (), (2, 3, 2), (0, 3)]


def pairs(dtype, seed=0, shapes=SHAPES):
    """The same parameters twice: ours and PyTorch's."""
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    if np.dtype(dtype).kind == "c":
        arrays = [(a + 1j * rng.standard_normal(a.shape)).astype(dtype) for a in arrays]
    ours = [td.tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    return ours, theirs


def set_gradients(ours, theirs, rng, absent=()):
    """The same gradients for both; none for those whose number is in `absent`."""
    for i, (p, q) in enumerate(zip(ours, theirs, strict=True)):
        g = rng.standard_normal(p.shape)
        if p.is_complex():
            g = g + 1j * rng.standard_normal(p.shape)
        g = np.asarray(g).astype(p.dtype)
        p.grad = None if i in absent else td.tensor(g)
        q.grad = None if i in absent else torch.tensor(g)


def assert_close(ours, theirs, rtol, atol):
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=rtol, atol=atol)


def assert_same_state(ours, theirs, rtol, atol):
    a, b = ours.state_dict(), theirs.state_dict()
    assert sorted(a["state"]) == sorted(b["state"])
    for number, entry in b["state"].items():
        assert list(a["state"][number]) == list(entry)
        for key, value in entry.items():
            np.testing.assert_allclose(a["state"][number][key].numpy(), value.numpy(), rtol=rtol, atol=atol)
            assert a["state"][number][key].shape == tuple(value.shape)
    for x, y in zip(a["param_groups"], b["param_groups"], strict=True):
        assert x.items() <= y.items()


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_equals_pytorch(name, options, dtype):
    ours, theirs = pairs(dtype)
    mine, reference = getattr(td.optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    rng = np.random.default_rng(1)
    rtol, atol = (1e-12, 1e-12) if dtype == "float64" else (2e-5, 2e-6)
    for step in range(30):
        # The third parameter has no gradient every other step, the first one not at the beginning.
        set_gradients(ours, theirs, rng, absent=[i for i, skip in [(2, step % 2), (0, step < 3)] if skip])
        mine.step()
        reference.step()
    assert_close(ours, theirs, rtol, atol)
    assert_same_state(mine, reference, rtol, atol)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_goes_on_from_pytorchs_state(name, options):
    ours, theirs = pairs("float64")
    reference = getattr(torch.optim, name)(theirs, **options)
    rng = np.random.default_rng(2)
    for _ in range(3):
        set_gradients(ours, theirs, rng, absent=[1])
        reference.step()
    for p, q in zip(ours, theirs, strict=True):
        p.data = td.tensor(q.detach().numpy())
    saved = reference.state_dict()
    for entry in saved["state"].values():
        entry.update({key: td.tensor(value.numpy()) for key, value in entry.items()})
    mine = getattr(td.optim, name)(ours, lr=0.5)
    mine.load_state_dict(saved)
    for entry in saved["state"].values():
        entry.update({key: torch.tensor(value.numpy()) for key, value in entry.items()})
    for _ in range(3):
        set_gradients(ours, theirs, rng)
        mine.step()
        reference.step()
    assert_close(ours, theirs, 1e-12, 1e-12)
    assert_same_state(mine, reference, 1e-12, 1e-12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop"])
def test_half_precision(name, dtype):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    exact, theirs = pairs("float32")
    ours = [td.tensor(p.detach().numpy(), dtype=dtype, requires_grad=True) for p in exact]
    theirs = [q.detach().to(getattr(torch, dtype)).requires_grad_() for q in theirs]
    options = dict(lr=0.01, **({"momentum": 0.5} if name == "SGD" else {"eps": 1e-4}))
    mine, reference = getattr(td.optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    rng = np.random.default_rng(3)
    for _ in range(10):
        for p, q in zip(ours, theirs, strict=True):
            g = rng.standard_normal(p.shape)
            p.grad, q.grad = td.tensor(g, dtype=dtype), torch.tensor(g, dtype=q.dtype)
        mine.step()
        reference.step()
    for p, q in zip(ours, theirs, strict=True):
        assert str(p.dtype) == dtype
        np.testing.assert_allclose(p.detach().numpy().astype("f"), q.detach().float().numpy(), rtol=0.05, atol=0.02)


def test_groups_with_options_of_their_own():
    ours, theirs = pairs("float64")
    groups = [[{"params": ps[:2]}, {"params": ps[2:], "lr": 0.5, "momentum": 0.0}] for ps in (ours, theirs)]
    mine, reference = td.optim.SGD(groups[0], 0.1, 0.9), torch.optim.SGD(groups[1], 0.1, 0.9)
    rng = np.random.default_rng(4)
    for _ in range(5):
        set_gradients(ours, theirs, rng)
        mine.step()
        reference.step()
        for group in (*mine.param_groups, *reference.param_groups):
            group["lr"] *= 0.9
    mine.param_groups[1]["momentum"] = reference.param_groups[1]["momentum"] = 0.5
    for _ in range(3):
        set_gradients(ours, theirs, rng)
        mine.step()
        reference.step()
    assert_close(ours, theirs, 1e-12, 1e-12)


SCHEDULES = [
    ("StepLR", {"step_size": 3, "gamma": 0.5}),
    ("StepLR", {"step_size": 1}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("CosineAnnealingLR", {"T_max": 7, "eta_min": 0.01}),
    ("CosineAnnealingLR", {"T_max": 1}),
    ("MultiStepLR", {"milestones": [3, 7, 7, 12], "gamma": 0.5}),
    ("ConstantLR", {"factor": 0.25, "total_iters": 4}),
    ("ConstantLR", {}),
    ("LinearLR", {"start_factor": 0.25, "end_factor": 0.75, "total_iters": 7}),
    ("LinearLR", {}),
    ("PolynomialLR", {"total_iters": 9, "power": 2.0}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 0.01}),
    ("CosineAnnealingWarmRestarts", {"T_0": 4}),
]


@pytest.mark.parametrize(("name", "options"), SCHEDULES)
def test_schedules_equal_pytorchs(name, options):
    ours, theirs = pairs("float64", shapes=[(2,), (3,)])
    mine = td.optim.SGD([{"params": ours[:1], "lr": 0.3}, {"params": ours[1:]}], 0.1)
    reference = torch.optim.SGD([{"params": theirs[:1], "lr": 0.3}, {"params": theirs[1:]}], 0.1)
    a = getattr(lr_scheduler, name)(mine, **options)
    b = getattr(torch.optim.lr_scheduler, name)(reference, **options)
    for epoch in range(30):
        assert a.get_last_lr() == pytest.approx(b.get_last_lr(), rel=1e-12, abs=1e-15)
        mine.step()
        reference.step()
        a.step()
        b.step()
        if epoch == 10:
            mine.param_groups[0]["lr"] = reference.param_groups[0]["lr"] = 0.2
    shared = a.state_dict().keys() & b.state_dict().keys() - {"_last_lr", "_step_count"}
    assert {"last_epoch", "base_lrs", *options} <= shared
    assert {key: a.state_dict()[key] for key in shared} == {key: b.state_dict()[key] for key in shared}
    assert [g["initial_lr"] for g in mine.param_groups] == [g["initial_lr"] for g in reference.param_groups]


@pytest.mark.parametrize("last_epoch", [0, 3, 5])
@pytest.mark.parametrize(("name", "options"), SCHEDULES)
def test_resuming_equals_pytorchs(name, options, last_epoch):
    ours, theirs = pairs("float64", shapes=[(2,)])
    found = []
    for module, params in ((td, ours), (torch, theirs)):
        optimizer = module.optim.SGD([{"params": params, "lr": 0.3, "initial_lr": 0.5}])
        schedule = getattr(module.optim.lr_scheduler, name)(optimizer, **options, last_epoch=last_epoch)
        rates = list(schedule.get_last_lr())
        for _ in range(5):
            optimizer.step()
            schedule.step()
            rates += schedule.get_last_lr()
        found.append(rates)
    assert found[0] == pytest.approx(found[1], rel=1e-12, abs=1e-15)


def two(make, kind="SGD", **options):
    """The same schedule on an optimiser of both libraries: make(optimizer, schedules)."""
    ours, theirs = pairs("float64", shapes=[(2,), (3,)])
    found = []
    for module, params in ((td, ours), (torch, theirs)):
        groups = [{"params": params[:1], "lr": 0.3}, {"params": params[1:]}]
        optimizer = getattr(module.optim, kind)(groups, lr=0.1, **options)
        found.append((optimizer, make(optimizer, module.optim.lr_scheduler)))
    return found


def assert_same_run(found, steps):
    for _ in range(steps):
        seen = []
        for optimizer, schedule in found:
            groups = optimizer.param_groups
            seen.append([[float(g["lr"]), g.get("momentum", 0), *g.get("betas", ())] for g in groups])
            seen[-1].append(list(schedule.get_last_lr()))
            optimizer.step()
            schedule.step()
        for mine, other in zip(*seen, strict=True):
            assert mine == pytest.approx(other, rel=1e-12, abs=1e-15)


COMBINED = {
    "lambda": lambda o, s: s.LambdaLR(o, lambda epoch: 0.9**epoch),
    "lambdas": lambda o, s: s.LambdaLR(o, [lambda epoch: 0.9**epoch, lambda epoch: 1 / (1 + epoch)]),
    "multiplicative": lambda o, s: s.MultiplicativeLR(o, lambda epoch: 1 - 1 / (2 + epoch)),
    "warm up, then cosine": lambda o, s: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, total_iters=4), s.CosineAnnealingLR(o, 10)], milestones=[4]
    ),
    "three": lambda o, s: s.SequentialLR(
        o, [s.ConstantLR(o, 0.1, 2), s.ExponentialLR(o, 0.9), s.StepLR(o, 3)], milestones=[3, 9]
    ),
    "to polynomial and steps": lambda o, s: s.SequentialLR(
        o, [s.ExponentialLR(o, 0.9), s.PolynomialLR(o, 4), s.MultiStepLR(o, [0, 2])], milestones=[3, 9]
    ),
    "to linear, lambda, constant": lambda o, s: s.SequentialLR(
        o, [s.StepLR(o, 2), s.LinearLR(o), s.LambdaLR(o, lambda e: 0.5**e), s.ConstantLR(o)], milestones=[3, 9, 12]
    ),
    "to warm restarts": lambda o, s: s.SequentialLR(
        o, [s.ConstantLR(o, 0.1, 2), s.CosineAnnealingWarmRestarts(o, 3)], milestones=[2]
    ),
    "chained": lambda o, s: s.ChainedScheduler([s.ConstantLR(o, 0.1, 4), s.ExponentialLR(o, 0.9)]),
}


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("name", COMBINED)
def test_combined_schedules_equal_pytorchs(name):
    assert_same_run(two(COMBINED[name]), 20)


@pytest.mark.parametrize("kind", ["SGD", "Adam", "RMSprop"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"anneal_strategy": "linear", "pct_start": 0.45},
        {"three_phase": True, "div_factor": 10.0, "final_div_factor": 100.0},
        {"cycle_momentum": False},
        {"max_lr": [1.0, 2.0], "base_momentum": [0.7, 0.8], "max_momentum": [0.9, 0.95]},
    ],
)
def test_one_cycle_equals_pytorchs(kind, options):
    momentum = {} if kind == "Adam" else {"momentum": 0.9}
    options = {"max_lr": 1.0, "total_steps": 20, **options}
    assert_same_run(two(lambda o, s: s.OneCycleLR(o, **options), kind, **momentum), 20)


def test_warm_restarts_to_a_fraction_of_an_epoch():
    found = two(lambda o, s: s.CosineAnnealingWarmRestarts(o, 3, 2, 0.01))
    for epoch in (0.5, 1.25, 2.9, 3.0, 8.5, 9.0, 22.25, 1.5):
        for optimizer, schedule in found:
            optimizer.step()
            schedule.step(epoch)
        (_, mine), (_, other) = found
        assert mine.get_last_lr() == pytest.approx(other.get_last_lr(), rel=1e-12, abs=1e-15)
        assert mine.last_epoch == other.last_epoch


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@pytest.mark.parametrize(
    "options", [{}, {"patience": 1, "cooldown": 2, "threshold": 0.05}, {"patience": 0, "min_lr": 0.02}]
)
def test_plateau_equals_pytorchs(mode, threshold_mode, options):
    ours, theirs = pairs("float64", shapes=[(2,), (3,)])
    schedules = []
    for module, params in ((td, ours), (torch, theirs)):
        optimizer = module.optim.SGD([{"params": params[:1], "lr": 0.3}, {"params": params[1:]}], 0.1)
        plateau = module.optim.lr_scheduler.ReduceLROnPlateau
        schedules.append(plateau(optimizer, mode, 0.5, threshold_mode=threshold_mode, **options))
    rng = np.random.default_rng(5)
    for _ in range(40):
        metric = float(rng.standard_normal())
        schedules[0].step(td.tensor(metric, dtype=td.float64))
        schedules[1].step(torch.tensor(metric, dtype=torch.float64))
        assert schedules[0].get_last_lr() == pytest.approx(schedules[1].get_last_lr(), rel=1e-12)
