"""Every optimiser with every option, and all pairs of options, against PyTorch over many steps; and every schedule."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest

import tinygrad_dl as td

torch = pytest.importorskip("torch")


class AsTensor(float):
    """A number that is given as a tensor of float64, to each library as one of its own."""

    def of(self, module):
        return module.tensor(float(self), dtype=module.float64)


# By option: values other than the default.
VALUES = {
    "adjust_lr_fn": ["match_rms_adamw"],
    "alpha": [0.9],
    "amsgrad": [True],
    "beta2_decay": [-0.5],
    "betas": [(0.5, 0.7), (AsTensor(0.5), AsTensor(0.7))],
    "capturable": [],  # PyTorch has it for accelerators alone
    "centered": [True],
    "d": [1.5],
    "dampening": [0.5],
    "decoupled_weight_decay": [True],
    "differentiable": [],  # has tests of its own
    "eps": [1e-3],
    "etas": [(0.4, 1.3)],
    "foreach": [False],  # PyTorch's other way rounds differently
    "fused": [True],
    "history_size": [2],
    "initial_accumulator_value": [0.5],
    "lambd": [0.1],
    "line_search_fn": ["strong_wolfe"],
    "lr": [0.05, AsTensor(0.05)],
    "lr_decay": [0.1],
    "max_eval": [3],
    "max_iter": [4],
    "maximize": [True],
    "momentum": [0.9],
    "momentum_decay": [0.1],
    "nesterov": [True],
    "ns_coefficients": [(3.0, -4.0, 2.0)],
    "ns_steps": [3],
    "rho": [0.7],
    "step_sizes": [(0.01, 0.1)],
    "t0": [3.0],
    "tolerance_change": [1e-3],
    "tolerance_grad": [0.1],
    "weight_decay": [0.1],
}
# Where the values above are not right for an optimiser.
OWN_VALUES = {
    "Adafactor": {"eps": [(1e-2, 1e-2)], "lr": [0.5, AsTensor(0.5)]},
    "LBFGS": {"lr": [0.1, AsTensor(0.5)]},
    "Muon": {"nesterov": [False]},
}
# What PyTorch refuses without: each case of the optimiser has it.
ALWAYS = {"SGD": {"lr": 0.1}}
OPTIMIZERS = sorted(
    name
    for name, kind in vars(torch.optim).items()
    if inspect.isclass(kind) and issubclass(kind, torch.optim.Optimizer) and name not in ("Optimizer", "SparseAdam")
)
ELEMENTWISE = [name for name in OPTIMIZERS if name not in ("Adafactor", "LBFGS", "Muon")]


def alternatives(name):
    """The options of an optimiser, by PyTorch's signature, with their values other than the default."""
    options = list(inspect.signature(getattr(torch.optim, name)).parameters)[1:]
    return {option: OWN_VALUES.get(name, {}).get(option, VALUES[option]) for option in options}


def cases(name, pairs=True):
    """The defaults, each value of each option, and all pairs of values of two options."""
    single = [(option, value) for option, values in alternatives(name).items() for value in values]
    several = itertools.combinations(single, 2) if pairs else ()
    for case in [(), *((each,) for each in single), *several]:
        if len({option for option, _ in case}) == len(case):
            yield {**ALWAYS.get(name, {}), **dict(case)}


def given(module, options):
    """Options as one of the libraries takes them."""

    def of(value):
        if isinstance(value, tuple):
            return tuple(map(of, value))
        return value.of(module) if isinstance(value, AsTensor) else value

    return {option: of(value) for option, value in options.items()}


def tolerance(name, options, loaded=False):
    """PyTorch's ASGD and NAdam keep numbers in float32; not where rates are tensors, nor once they were loaded."""
    values = [*options.values(), *options.get("betas", ())]
    rounded = loaded or any(isinstance(value, AsTensor) for value in values)
    return 1e-6 if name in ("ASGD", "NAdam") and rounded else 1e-9


def shapes(name):
    if name == "Muon":
        return [(3, 4), (4, 3), (2, 2)]
    return [(3, 4), (4,), (), (2, 3, 2), *[(0, 3)] * (name != "Adafactor")]


def pairs(dtype, seed=0, shapes=((3, 4), (4,), (), (2, 3, 2), (0, 3))):
    """The same parameters twice: ours and PyTorch's."""
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    if np.dtype(dtype).kind == "c":
        arrays = [(a + 1j * rng.standard_normal(a.shape)).astype(dtype) for a in arrays]
    ours = [td.tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    return ours, theirs


def set_gradients(module, params, rng, absent=()):
    """Random gradients; none for the parameters whose number is in `absent`."""
    for i, p in enumerate(params):
        g = rng.standard_normal(tuple(p.shape))
        if p.is_complex():
            g = g + 1j * rng.standard_normal(tuple(p.shape))
        p.grad = None if i in absent else module.tensor(np.asarray(g).astype(p.detach().numpy().dtype))


def assert_close(ours, theirs, rtol, atol, message=""):
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol, atol, err_msg=message)


def assert_same_state(ours, theirs, rtol, atol, message=""):
    a, b = ours.state_dict(), theirs.state_dict()
    assert sorted(a["state"]) == sorted(b["state"]), message
    for number, entry in b["state"].items():
        assert list(a["state"][number]) == list(entry), message
        for key, value in entry.items():
            found = a["state"][number][key]
            np.testing.assert_allclose(found.numpy(), value.numpy(), rtol, atol, err_msg=f"{message} {key}")
            assert found.shape == tuple(value.shape), message
    plain = (int, float, str, bool, tuple, list, type(None))
    for x, y in zip(a["param_groups"], b["param_groups"], strict=True):
        assert set(x) == set(y), message
        if "betas" in x:
            x, y = ({**group, "betas": [float(beta) for beta in group["betas"]]} for group in (x, y))
        for option, value in y.items():
            assert x[option] == (value if isinstance(value, plain) else value.item()), (message, option)


def trajectory(module, name, options, params, steps=20):
    """The optimiser of a library after some steps with random gradients."""
    optimizer = getattr(module.optim, name)(params, **given(module, options))
    rng = np.random.default_rng(1)
    for step in range(steps):
        # The third parameter has no gradient every other step, the first one not at the beginning.
        set_gradients(module, params, rng, absent=[i for i, skip in [(2, step % 2), (0, step < 3)] if skip])
        optimizer.step()
    return optimizer


def both(name, options, dtype, steps=20):
    """Both optimisers after some steps, and their parameters; None where PyTorch refuses the options."""
    ours, theirs = pairs(dtype, shapes=shapes(name))
    try:
        reference = trajectory(torch, name, options, theirs, steps)
    except (ValueError, RuntimeError, TypeError):
        return None
    return trajectory(td, name, options, ours, steps), reference, ours, theirs


def test_every_optimizer_and_option_is_there():
    assert sorted(kind for kind in td.optim.__all__ if inspect.isclass(getattr(td.optim, kind))) == sorted(
        [*OPTIMIZERS, "Optimizer", "ZeroRedundancyOptimizer"]
    )
    for name in OPTIMIZERS:
        mine, other = (inspect.signature(getattr(module.optim, name)).parameters for module in (td, torch))
        assert {n: (p.default, p.kind) for n, p in mine.items()} == {n: (p.default, p.kind) for n, p in other.items()}


@pytest.fixture
def exact(monkeypatch):
    """PyTorch's Muon rounds to bfloat16; here it works in the dtype of the parameters."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda self: self.clone())


@pytest.mark.parametrize("name", [*ELEMENTWISE, "Adafactor", "Muon"])
def test_equals_pytorch(name, exact):
    compared = 0
    for options in cases(name):
        found = both(name, options, "float64")
        if found is not None:
            mine, reference, ours, theirs = found
            rtol = tolerance(name, options)
            assert_close(ours, theirs, rtol, rtol / 1000, str(options))
            assert_same_state(mine, reference, rtol, rtol / 1000, str(options))
            compared += 1
    assert compared > len(alternatives(name))


@pytest.mark.parametrize("dtype", ["float32", "complex64", "complex128"])
@pytest.mark.parametrize("name", [*ELEMENTWISE, "Adafactor", "Muon"])
def test_equals_pytorch_in_other_dtypes(name, dtype, exact):
    if name not in ELEMENTWISE and dtype != "float32":
        for module, params in zip((td, torch), pairs(dtype, shapes=[(2, 2)]), strict=True):
            with pytest.raises(RuntimeError):
                trajectory(module, name, {}, params, steps=5)
        return
    for options in cases(name, pairs=False):
        rtol = tolerance(name, options) if dtype == "complex128" else 1e-3 if name == "Muon" else 5e-5
        atol = rtol / (1 if name == "Muon" else 10)
        found = both(name, options, dtype)
        if found is not None:
            mine, reference, ours, theirs = found
            assert_close(ours, theirs, rtol, atol, str(options))
            assert_same_state(mine, reference, rtol, atol, str(options))


def converted(state, module):
    """A state dict with the tensors of the other library."""
    if isinstance(state, dict):
        return {key: converted(value, module) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(converted(value, module) for value in state)
    return module.tensor(state.numpy()) if isinstance(state, td.Tensor | torch.Tensor) else state


def loss_of(params):
    """A convex function with minima of several widths, in either library."""
    return sum((k + 1) * ((p - 0.5) ** 2).sum() + ((p * p) ** 2).sum() for k, p in enumerate(params))


def closure_of(optimizer, params):
    def closure():
        optimizer.zero_grad()
        loss = loss_of(params)
        loss.backward()
        return loss

    return closure


@pytest.mark.parametrize("from_ours", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_goes_on_from_the_others_state(name, from_ours, exact):
    for options in cases(name, pairs=False):
        if both(name, options, "float64", steps=3) is None:
            continue
        ours, theirs = pairs("float64", shapes=shapes(name))
        optimizers = getattr(td.optim, name)(ours, lr=0.5), getattr(torch.optim, name)(theirs, lr=0.5)
        first, module = (0, torch) if from_ours else (1, td)
        other = 1 - first
        params, kind = (ours, theirs)[first], (td, torch)[first]
        start = getattr(kind.optim, name)(params, **given(kind, options))
        for _ in range(3):
            start.step(closure_of(start, params))
        for p, q in zip((ours, theirs)[other], params, strict=True):
            p.data = module.tensor(q.detach().numpy().copy())
        goes_on = optimizers[other]
        goes_on.load_state_dict(converted(start.state_dict(), module))
        for _ in range(3):
            start.step(closure_of(start, params))
            goes_on.step(closure_of(goes_on, (ours, theirs)[other]))
        rtol = tolerance(name, options, loaded=True)
        assert_close(ours, theirs, rtol, rtol / 1000, str(options))


def test_lbfgs_equals_pytorch():
    for options in cases("LBFGS"):
        ours, theirs = pairs("float64")
        mine, reference = td.optim.LBFGS(ours, **given(td, options)), torch.optim.LBFGS(theirs, **given(torch, options))
        for _ in range(6):
            losses = mine.step(closure_of(mine, ours)), reference.step(closure_of(reference, theirs))
            assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-9), options
            assert_close(ours, theirs, 1e-9, 1e-10, str(options))
        a, b = (next(iter(each.state_dict()["state"].values())) for each in (mine, reference))
        assert (a["func_evals"], a["n_iter"]) == (b["func_evals"], b["n_iter"]), options


@pytest.mark.parametrize("start", [(-1.2, 1.0), (0.0, 5.0), (-3.0, -4.0)])
def test_lbfgs_finds_the_same_way_through_rosenbrocks_valley(start):
    found = []
    for module in (td, torch):
        x = module.tensor(start, dtype=module.float64, requires_grad=True)
        optimizer = module.optim.LBFGS([x], line_search_fn="strong_wolfe", max_iter=7)
        way = []

        def closure(x=x, optimizer=optimizer, way=way):
            optimizer.zero_grad()
            loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
            loss.backward()
            way.append(loss.item())
            return loss

        for _ in range(3):
            optimizer.step(closure)
        found.append(way)
    assert found[0] == pytest.approx(found[1], rel=1e-6, abs=1e-12)


def test_lbfgs_of_complex_parameters():
    ours, theirs = pairs("complex128", shapes=[(2, 2), (3,)])
    optimizers = td.optim.LBFGS(ours, lr=0.5), torch.optim.LBFGS(theirs, lr=0.5)
    for optimizer, params in zip(optimizers, (ours, theirs), strict=True):

        def closure(optimizer=optimizer, params=params):
            optimizer.zero_grad()
            loss = sum(((p - 0.5).abs() ** 2).sum() for p in params)
            loss.backward()
            return loss

        for _ in range(3):
            optimizer.step(closure)
    assert_close(ours, theirs, 1e-9, 1e-10)


@pytest.fixture
def counting_in_float64():
    """PyTorch's recorded steps compute with the number of steps in its default dtype."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_gradients_through_steps_equal_pytorchs(name, counting_in_float64):
    """Of a weighted sum of parameters and states after a step, by what they were before, and by the gradient."""
    for options in [*cases(name, pairs=False), {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1, "nesterov": True}]:
        if not set(options) <= set(alternatives(name)) or {"foreach", "fused"} & set(options):
            continue
        if AsTensor in map(type, options.values()) or "betas" in options:
            continue  # PyTorch records these in part of its optimisers alone
        before = both(name, options, "float64", steps=4)
        if before is None:
            continue
        rng = np.random.default_rng(3)
        given_gradients = [rng.standard_normal(p.shape) for p in before[2]]
        found = []
        for module, optimizer, params in ((td, before[0], before[2]), (torch, before[1], before[3])):
            start = [module.tensor(p.detach().numpy().copy(), requires_grad=True) for p in params]
            changed = [p.clone() for p in start]
            gradients = [module.tensor(g, requires_grad=True) for g in given_gradients]
            again = getattr(module.optim, name)(changed, **options, differentiable=True)
            state = optimizer.state_dict()
            state["param_groups"][0]["differentiable"] = True
            again.load_state_dict(state)
            kept = []
            for p, g in zip(changed, gradients, strict=True):
                p.grad = g
                for key, value in again.state[p].items():
                    if value.ndim or (p.ndim == 0 and key not in ("step", *getattr(td.optim, name).scalars)):
                        again.state[p][key] = value.clone().requires_grad_()
                        kept.append(again.state[p][key])
                        again.state[p][key] = again.state[p][key].clone()
            again.step()
            results = [*changed, *(v for p in changed for v in again.state[p].values() if v.requires_grad)]
            sum((k + 1) * (r * r).sum() for k, r in enumerate(results)).backward()
            found.append([leaf.grad for leaf in (*start, *gradients, *kept)])
        for mine, other in zip(*found, strict=True):
            expected = np.zeros(mine.shape) if other is None else other.numpy()
            actual = np.zeros(expected.shape) if mine is None else mine.numpy()
            np.testing.assert_allclose(actual, expected, 1e-6, 1e-7, err_msg=str(options))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop", "Adafactor"])
def test_half_precision(name, dtype):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    exact, theirs = pairs("float32", shapes=shapes(name))
    ours = [td.tensor(p.detach().numpy(), dtype=dtype, requires_grad=True) for p in exact]
    theirs = [q.detach().to(getattr(torch, dtype)).requires_grad_() for q in theirs]
    options = dict(lr=0.01, **{"SGD": {"momentum": 0.5}, "Adafactor": {}}.get(name, {"eps": 1e-4}))
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
    found = []
    for module, params in zip((td, torch), pairs("float64"), strict=True):
        optimizer = module.optim.SGD(
            [{"params": params[:2]}, {"params": params[2:], "lr": 0.5, "momentum": 0.0}], 0.1, 0.9
        )
        rng = np.random.default_rng(4)
        for step in range(8):
            set_gradients(module, params, rng)
            optimizer.step()
            for group in optimizer.param_groups:
                group["lr"] *= 0.9
            if step == 4:
                optimizer.param_groups[1]["momentum"] = 0.5
        found.append(params)
    assert_close(*found, 1e-12, 1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_text_equals_pytorchs(name):
    ours, theirs = pairs("float64", shapes=[(2, 2)])
    named = [("w", ours[0])], [("w", theirs[0])]
    assert repr(getattr(td.optim, name)(named[0])) == repr(getattr(torch.optim, name)(named[1]))


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
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 40, "cycle_momentum": False}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 3, "cycle_momentum": False}),
    ("SWALR", {"swa_lr": 0.05, "anneal_epochs": 5}),
    ("SWALR", {"swa_lr": [0.05, 0.01], "anneal_epochs": 4, "anneal_strategy": "linear"}),
    ("SWALR", {"swa_lr": 0.05, "anneal_epochs": 0}),
]


def schedule_of(module, name):
    """A schedule's class in either library."""
    return getattr(module.optim.lr_scheduler, name, None) or getattr(module.optim.swa_utils, name)


@pytest.mark.parametrize(("name", "options"), SCHEDULES)
def test_schedules_equal_pytorchs(name, options):
    ours, theirs = pairs("float64", shapes=[(2,), (3,)])
    mine = td.optim.SGD([{"params": ours[:1], "lr": 0.3}, {"params": ours[1:]}], 0.1)
    reference = torch.optim.SGD([{"params": theirs[:1], "lr": 0.3}, {"params": theirs[1:]}], 0.1)
    a, b = schedule_of(td, name)(mine, **options), schedule_of(torch, name)(reference, **options)
    for epoch in range(30):
        assert a.get_last_lr() == pytest.approx(b.get_last_lr(), rel=1e-12, abs=1e-15)
        mine.step()
        reference.step()
        a.step()
        b.step()
        if epoch == 10:
            mine.param_groups[0]["lr"] = reference.param_groups[0]["lr"] = 0.2
    assert a.state_dict().keys() == b.state_dict().keys()
    for key in b.state_dict().keys() - {"_last_lr"}:
        assert a.state_dict()[key] == b.state_dict()[key], key
    assert [g["initial_lr"] for g in mine.param_groups] == [g["initial_lr"] for g in reference.param_groups]


@pytest.mark.parametrize("last_epoch", [0, 3, 5])
@pytest.mark.parametrize(("name", "options"), SCHEDULES)
def test_resuming_equals_pytorchs(name, options, last_epoch):
    ours, theirs = pairs("float64", shapes=[(2,)])
    found = []
    for module, params in ((td, ours), (torch, theirs)):
        optimizer = module.optim.SGD([{"params": params, "lr": 0.3, "initial_lr": 0.5}])
        if name == "SWALR" and isinstance(options["swa_lr"], list):
            options = {**options, "swa_lr": options["swa_lr"][0]}
        optimizer.param_groups[0].update(max_lr=1.0, min_lr=1e-5)  # as OneCycleLR leaves them
        schedule = schedule_of(module, name)(optimizer, **options, last_epoch=last_epoch)
        rates = list(schedule.get_last_lr())
        for _ in range(5):
            optimizer.step()
            schedule.step()
            rates += schedule.get_last_lr()
        found.append(rates)
    assert found[0] == pytest.approx(found[1], rel=1e-12, abs=1e-15)


CLOSED = ("StepLR", "ExponentialLR", "CosineAnnealingLR", "MultiStepLR", "ConstantLR", "LinearLR", "PolynomialLR")


@pytest.mark.filterwarnings("ignore:.*epoch")
@pytest.mark.parametrize(("name", "options"), [each for each in SCHEDULES if each[0] in CLOSED])
def test_going_to_an_epoch_equals_pytorchs(name, options):
    found = []
    for module, params in zip((td, torch), pairs("float64", shapes=[(2,), (3,)]), strict=True):
        optimizer = module.optim.SGD([{"params": params[:1], "lr": 0.3}, {"params": params[1:]}], 0.1)
        schedule = schedule_of(module, name)(optimizer, **options)
        optimizer.step()
        rates = []
        for epoch in (0, 1, 3, 2, 11, 7, None, 20, None):
            schedule.step(epoch)
            rates += schedule.get_last_lr()
        found.append(rates)
    assert found[0] == pytest.approx(found[1], rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(("name", "options"), SCHEDULES)
def test_rates_that_are_tensors(name, options):
    found = []
    for module, params in zip((td, torch), pairs("float64", shapes=[(2,), (3,)]), strict=True):
        lr = module.tensor(0.3, dtype=module.float64)
        optimizer = module.optim.SGD([{"params": params[:1]}, {"params": params[1:], "lr": 0.1}], lr)
        schedule = schedule_of(module, name)(optimizer, **options)
        rates = []
        for _ in range(6):
            optimizer.step()
            schedule.step()
            rates += map(float, schedule.get_last_lr())
        assert optimizer.param_groups[0]["lr"] is lr
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


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mode": "triangular2", "step_size_down": 5},
        {"mode": "exp_range", "gamma": 0.9},
        {"scale_fn": lambda x: 1 / (5 * x + 1), "scale_mode": "iterations"},
        {"base_lr": [0.1, 0.2], "max_lr": [1.0, 2.0], "base_momentum": [0.7, 0.8], "max_momentum": [0.9, 0.95]},
        {"cycle_momentum": False},
    ],
)
def test_cycles_equal_pytorchs(kind, options):
    momentum = {} if kind == "Adam" else {"momentum": 0.9}
    options = {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 4, **options}
    assert_same_run(two(lambda o, s: s.CyclicLR(o, **options), kind, **momentum), 25)


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


@pytest.mark.parametrize("average", ["mean", "ema", "own", "buffers"])
def test_averaged_models_equal_pytorchs(average):
    found = []
    for module in (td, torch):
        tools = module.optim.swa_utils
        model = module.nn.Sequential(module.nn.Linear(3, 4), module.nn.BatchNorm1d(4), module.nn.Linear(4, 2))
        options = {
            "ema": {"multi_avg_fn": tools.get_ema_multi_avg_fn(0.75)},
            "own": {"avg_fn": lambda old, new, count: (old * count + 2 * new) / (count + 2)},
            "buffers": {"use_buffers": True, "avg_fn": tools.get_ema_avg_fn(0.9)},
        }.get(average, {})
        averaged = tools.AveragedModel(model, **options)
        rng = np.random.default_rng(0)
        for _ in range(4):
            with module.no_grad():
                for p in model.parameters():
                    p.copy_(module.tensor(rng.standard_normal(tuple(p.shape)).astype("f")))
                model(module.tensor(rng.standard_normal((5, 3)).astype("f")))
            averaged.update_parameters(model)
        batches = [(module.tensor(rng.standard_normal((6, 3)).astype("f")), 0) for _ in range(3)]
        if average != "buffers":
            tools.update_bn(batches, averaged)
        assert averaged.training and averaged.module[1].momentum == 0.1
        found.append({key: value.numpy() for key, value in averaged.state_dict().items()})
    assert list(found[0]) == list(found[1])
    for key, value in found[1].items():
        np.testing.assert_allclose(found[0][key], value, rtol=1e-5, atol=1e-6, err_msg=key)


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
