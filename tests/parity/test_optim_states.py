"""Optimisers beside PyTorch: rates that are float32 tensors, parameters given twice, states of one number, refusals."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import tinygrad_dl as td

torch = pytest.importorskip("torch")
ELEMENTWISE = [
    *("ASGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "Rprop", "SGD"),
]
# What a rate enters besides the last product.
MORE = {
    "Adagrad": {"lr_decay": 0.3},
    "NAdam": {"weight_decay": 0.1, "decoupled_weight_decay": True},
    "RAdam": {"weight_decay": 0.1, "decoupled_weight_decay": True},
    "AdamW": {"weight_decay": 0.3},
}


def parameters(shapes=((3, 4), (5,), ()), dtype="float64"):
    """The same parameters twice: ours and PyTorch's."""
    rng = np.random.default_rng(0)
    arrays = [np.asarray(rng.standard_normal(shape), dtype) for shape in shapes]
    return [[module.nn.Parameter(module.tensor(a)) for a in arrays] for module in (td, torch)]


def go(optimizers, params, steps=10, seed=1):
    """Steps with the same random gradients in both."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        for p, q in zip(*params, strict=True):
            g = np.asarray(rng.standard_normal(tuple(q.shape)), q.detach().numpy().dtype)
            p.grad, q.grad = td.tensor(g), torch.tensor(g)
        for optimizer in optimizers:
            optimizer.step()


def assert_close(params, rtol=1e-9):
    for p, q in zip(*params, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol, rtol)


def outcome(call):
    """The kind of what a call raises, and the kinds of its warnings."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            call()
            raised = None
        except Exception as error:
            raised = type(error)
    return raised, [each.category for each in seen]


@pytest.mark.parametrize("name", [*ELEMENTWISE, "Adafactor"])
def test_what_is_made_of_a_rate_in_float32_is_rounded_to_it(name):
    params = parameters()
    given = MORE.get(name, {})
    optimizers = [
        getattr(m.optim, name)(p, lr=m.tensor(0.07), **given) for m, p in zip((td, torch), params, strict=True)
    ]
    go(optimizers, params)
    assert_close(params)


@pytest.mark.parametrize("name", ["Adagrad", "AdamW", "SGD"])
def test_the_fused_way_takes_such_a_rate_as_it_is(name):
    params = parameters()
    given = {**MORE.get(name, {}), "fused": True}
    optimizers = [
        getattr(m.optim, name)(p, lr=m.tensor(0.07), **given) for m, p in zip((td, torch), params, strict=True)
    ]
    go(optimizers, params)
    assert_close(params)


@pytest.mark.parametrize("name", [*ELEMENTWISE, "Adafactor"])
def test_a_parameter_twice_in_a_group_is_stepped_twice(name):
    params = parameters()
    given = {"momentum": 0.9} if name == "RMSprop" else {}
    optimizers = []
    for module, (p, q, r) in zip((td, torch), params, strict=True):
        with pytest.warns(UserWarning, match="parameter group with duplicate parameters"):
            optimizers.append(getattr(module.optim, name)([p, q, p, r, p, r], lr=0.05, **given))
    go(optimizers, params, steps=4)
    assert_close(params)
    mine, other = (each.state_dict() for each in optimizers)
    assert mine["param_groups"][0]["params"] == other["param_groups"][0]["params"]
    assert set(mine["state"]) == set(other["state"])
    for number, entry in other["state"].items():
        for key, value in entry.items():
            np.testing.assert_allclose(mine["state"][number][key].numpy(), value.numpy(), 1e-7, 1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["ASGD", "NAdam"])
def test_states_of_one_number_are_kept_and_loaded_in_pytorchs_dtypes(name, dtype):
    params = parameters(dtype=dtype)
    make = [lambda m=m, p=p: getattr(m.optim, name)(p, lr=0.05) for m, p in zip((td, torch), params, strict=True)]
    optimizers = [each() for each in make]
    for loaded in (False, True):
        go(optimizers, params, seed=int(loaded))
        assert_close(params, 1e-9 if dtype == "float64" else 1e-5)
        for mine, other in zip(*(each.state_dict()["state"].values() for each in optimizers), strict=True):
            dtypes = [{key: str(value.dtype).split(".")[-1] for key, value in entry.items()} for entry in (mine, other)]
            assert dtypes[0] == dtypes[1]
            if loaded:
                assert dtypes[0][{"ASGD": "eta", "NAdam": "mu_product"}[name]] == dtype
        again = [each() for each in make]
        for old, new in zip(optimizers, again, strict=True):
            new.load_state_dict(old.state_dict())
        optimizers = again


def test_lbfgs_keeps_the_shares_of_its_pairs():
    params = parameters()
    optimizers = [m.optim.LBFGS(p, lr=0.5, history_size=5) for m, p in zip((td, torch), params, strict=True)]
    for optimizer, (p, q, r) in zip(optimizers, params, strict=True):

        def closure(optimizer=optimizer, p=p, q=q, r=r):
            optimizer.zero_grad()
            loss = ((p - 1) ** 4).sum() + (q**2).sum() + (r**2) * 3
            loss.backward()
            return loss

        optimizer.step(closure)
    mine, other = (optimizer.state_dict()["state"][0] for optimizer in optimizers)
    assert set(mine) == set(other)
    assert [each is None for each in mine["al"]] == [each is None for each in other["al"]]
    shares = [[float(each) for each in state["al"] if each is not None] for state in (mine, other)]
    assert len(shares[0]) == 5
    np.testing.assert_allclose(*shares, 1e-6)


REFUSED = [
    ("Adam", {"lr": "tensor", "foreach": True}),
    ("Adam", {"lr": "tensor", "foreach": True, "capturable": True}),
    ("AdamW", {"lr": "pair"}),
    ("SGD", {"lr": "pair"}),
    ("SGD", {"lr": "tensor", "foreach": True}),
    ("RAdam", {"lr": "pair", "foreach": True}),
    ("Adam", {"betas": (0.9, "tensor")}),
    ("AdamW", {"betas": ("tensor", 0.9)}),
    ("AdamW", {"betas": ("tensor", "tensor"), "foreach": True}),
    ("Adam", {"betas": ("tensor", "tensor")}),
    ("Adam", {"betas": ("pair", "pair")}),
    ("Adam", {"fused": True, "foreach": True}),
    ("Adagrad", {"fused": True, "foreach": True}),
    ("SGD", {"fused": True, "differentiable": True, "lr": 0.1}),
    ("SGD", {"fused": True, "lr": 0.1}),
]


@pytest.mark.parametrize(("name", "options"), REFUSED, ids=str)
def test_refuses_what_pytorch_refuses_with_the_same_kind_of_error(name, options):
    def given(module, value):
        if isinstance(value, tuple):
            return tuple(given(module, each) for each in value)
        made = {"tensor": [0.5], "pair": [0.5, 0.5]}
        return module.tensor(made[value]) if isinstance(value, str) else value

    outcomes = []
    for module, params in zip((td, torch), parameters(), strict=True):
        options_here = {key: given(module, value) for key, value in options.items()}
        outcomes.append(outcome(lambda m=module, p=params, o=options_here: getattr(m.optim, name)(p, **o)))
    (mine, seen), (other, theirs) = outcomes
    assert (mine is None) == (other is None)
    assert mine is None or issubclass(mine, other)
    assert seen == theirs


def test_groups_that_are_listed_twice_have_the_numbers_of_the_first_time():
    numbers = []
    for module, params in zip((td, torch), parameters(), strict=True):
        optimizer = module.optim.SGD([{"params": params[:1]}, {"params": params[1:]}], lr=0.1)
        optimizer.param_groups.extend(optimizer.param_groups)
        numbers.append([group["params"] for group in optimizer.state_dict()["param_groups"]])
    assert numbers[0] == numbers[1] == [[0], [1, 2], [0], [1, 2]]
