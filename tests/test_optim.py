"""Optimisers: groups, state, state dictionaries, and that flat buffers are never noticed."""

from __future__ import annotations

import copy
import gc
import math
import pickle
import weakref

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl.optim import (
    ASGD,
    LBFGS,
    SGD,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Muon,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
    Rprop,
)
from tinygrad_dl.optim.flat import CHUNK, SMALL
from tinygrad_dl.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
    required,
)

ALL = [ASGD, SGD, Adadelta, Adagrad, Adam, AdamW, Adamax, NAdam, RAdam, RMSprop, Rprop]
WITH_STATE = [(kind, {}) for kind in ALL if kind is not SGD]
WITH_STATE += [(SGD, {"momentum": 0.9}), (Adam, {"amsgrad": True}), (RMSprop, {"momentum": 0.5})]
WITH_STATE += [(RMSprop, {"centered": True}), (ASGD, {"t0": 2, "lambd": 0.1})]


def parameters(*shapes, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return [td.tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True) for shape in shapes]


def set_gradients(params, seed, absent=()):
    rng = np.random.default_rng(seed)
    for i, p in enumerate(params):
        g = rng.standard_normal(p.shape).astype(p.dtype)
        p.grad = None if i in absent else td.tensor(g)


def values(params):
    return [p.detach().numpy().copy() for p in params]


def assert_equal(a, b):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


# -- what the flat buffers must not change -----------------------------------------------------------


@pytest.mark.parametrize(("kind", "options"), WITH_STATE)
def test_together_as_one_by_one(kind, options):
    """A group in one buffer gives bitwise what an optimiser for each parameter gives."""
    shapes = [(3, 4), (4,), (), (0, 2), (SMALL + 5,), (2, 3)]
    together, alone = parameters(*shapes), parameters(*shapes)
    one = kind(together, lr=0.1, **options)
    many = [kind([p], lr=0.1, **options) for p in alone]
    for step in range(5):
        absent = [[], [1], [], [0, 3], []][step]
        set_gradients(together, step, absent)
        set_gradients(alone, step, absent)
        one.step()
        for optimizer in many:
            optimizer.step()
    assert_equal(values(together), values(alone))


def test_large_parameters_are_cut_into_chunks():
    (whole,) = parameters((2 * CHUNK + 7,))
    parts = [td.tensor(a, requires_grad=True) for a in np.split(whole.detach().numpy(), [100, CHUNK + 3])]
    optimizers = [Adam([whole]), Adam(parts)]
    gradient = np.random.default_rng(1).standard_normal(whole.shape)
    for _ in range(3):
        whole.grad = td.tensor(gradient)
        for p, g in zip(parts, np.split(gradient, [100, CHUNK + 3]), strict=True):
            p.grad = td.tensor(g)
        for optimizer in optimizers:
            optimizer.step()
    assert_equal([whole.detach().numpy()], [np.concatenate(values(parts))])


def test_parameters_keep_identity_shape_dtype_and_class():
    params = [td.nn.Parameter(td.ones(2, 3)), td.nn.Parameter(td.ones(3, dtype=td.float64)), *parameters((2,), ())]
    kept = list(params)
    optimizer = Adam(params)
    set_gradients(params, 0)
    optimizer.step()
    assert all(p is q for p, q in zip(params, kept, strict=True))
    assert [p.shape for p in params] == [(2, 3), (3,), (2,), ()]
    assert [p.dtype for p in params] == [td.float32, td.float64, td.float64, td.float64]
    assert type(params[0]) is td.nn.Parameter
    assert all(p.requires_grad and p.is_leaf for p in params)


def test_an_array_that_somebody_else_sees_is_changed_in_place():
    array = np.ones(3)
    p, q = td.from_numpy(array).requires_grad_(), td.ones(2, dtype=td.float64, requires_grad=True)
    seen = q.detach()
    optimizer = SGD([p, q], lr=1.0)
    set_gradients([p, q], 0)
    optimizer.step()
    assert_equal([array, seen.numpy()], values([p, q]))
    assert not np.array_equal(array, np.ones(3))


def test_views_taken_after_the_first_step_stay_views():
    params = parameters((2,), (3,))
    optimizer = SGD(params, lr=1.0)
    set_gradients(params, 0)
    optimizer.step()
    seen = [p.detach() for p in params]
    optimizer.step()
    assert_equal([s.numpy() for s in seen], values(params))


def test_strided_and_unusual_parameters():
    base = np.arange(12.0).reshape(3, 4)
    params = [
        td.from_numpy(base.T).requires_grad_(),
        td.from_numpy(base.copy()[::2, ::-1]).requires_grad_(),
        td.from_numpy(np.asfortranarray(base)).requires_grad_(),
    ]
    plain = [td.tensor(p.detach().numpy(), requires_grad=True) for p in params]
    a, b = Adam(params), Adam(plain)
    for step in range(3):
        set_gradients(params, step)
        set_gradients(plain, step)
        a.step()
        b.step()
    assert_equal(values(params), values(plain))
    assert_equal([base.T], values(params[:1]))


def test_a_read_only_parameter_is_refused():
    p = td.from_numpy(np.broadcast_to(np.ones(1), (3,))).requires_grad_()
    with pytest.raises(ValueError, match=r"got a read-only array of shape \(3,\), expected one that can be changed"):
        SGD([p])
    optimizer = SGD(parameters((2,)))
    with pytest.raises(ValueError, match="parameter 0 of group 1"):
        optimizer.add_param_group({"params": [p]})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize("change", ["data", "to other dtype", "in place"])
def test_data_that_the_user_replaces_is_found(change):
    params, plain = parameters((2,), (3,), (2, 2)), parameters((2,), (3,), (2, 2))
    optimizer, singles = Adam(params, lr=0.1), [Adam([p], lr=0.1) for p in plain]
    for step in range(6):
        if step == 3:
            for p in (params[1], plain[1]):
                if change == "data":
                    p.data = td.tensor(np.full(3, 7.0))
                elif change == "in place":
                    p.detach().numpy()[...] = 7.0
                else:
                    p.data = td.tensor(p.detach().numpy(), dtype=td.float32)
        set_gradients(params, step)
        set_gradients(plain, step)
        optimizer.step()
        for single in singles:
            single.step()
    assert_equal(values(params), values(plain))
    assert params[1].dtype == (td.float32 if change == "to other dtype" else td.float64)
    # What was moved is moved again: one buffer for each dtype.
    assert len(optimizer._layouts[0].blocks) == (2 if change == "to other dtype" else 1)


def test_two_optimisers_of_the_same_parameters():
    params, plain = parameters((2,), (3,)), parameters((2,), (3,))
    first, second = SGD(params, lr=0.1, momentum=0.9), SGD(params, lr=0.5)
    for step in range(3):
        set_gradients(params, step)
        first.step()
        second.step()
    buffers = [0, 0]
    for step in range(3):
        set_gradients(plain, step)
        for i, p in enumerate(plain):
            g = p.grad.numpy()
            buffers[i] = buffers[i] * 0.9 + g
            p.detach().numpy()[...] -= buffers[i] * 0.1
            p.detach().numpy()[...] -= g * 0.5
    for p, q in zip(params, plain, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-12)


def test_the_next_optimiser_moves_parameters_again():
    params = parameters((2,), (3,))
    SGD(params)
    assert len(SGD(params)._layouts[0].blocks) == 1


def test_optimisers_are_freed_without_the_collector(no_collector):
    optimizer = Adam(parameters((2,), (3,)))
    set_gradients(optimizer.param_groups[0]["params"], 0)
    optimizer.step()
    seen = weakref.ref(optimizer)
    del optimizer
    assert seen() is None


# -- gradients and the graph -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL)
def test_a_parameter_without_a_gradient_is_left_alone(kind):
    params = parameters((2,), (3,), (4,))
    optimizer = kind(params, lr=0.1)
    before = values(params)
    set_gradients(params, 0, absent=[1])
    optimizer.step()
    assert_equal([before[1]], values(params[1:2]))
    assert not np.array_equal(before[0], values(params)[0])
    if kind is not Adagrad:
        assert params[1] not in optimizer.state
    else:
        assert optimizer.state[params[1]]["step"].item() == 0
    set_gradients(params, 1, absent=[0, 1, 2])
    before = values(params)
    optimizer.step()
    assert_equal(before, values(params))


def test_a_graph_from_before_the_step_is_refused():
    params = parameters((2,), (2,))
    optimizer = SGD(params, lr=0.1)
    loss = (params[0] * params[1]).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(RuntimeError, match=r"changed in place afterwards, by SGD\.step\(\)"):
        loss.backward()
    optimizer.zero_grad()
    (params[0] * params[1]).sum().backward()


def test_only_the_parameters_that_changed_count_as_changed():
    params = parameters((2,), (2,), (2,))
    optimizer = SGD(params, lr=0.1)
    kept = (params[2] * params[2]).sum()
    set_gradients(params, 0, absent=[2])
    optimizer.step()
    kept.backward()
    assert params[2].grad is not None


def test_the_step_is_not_recorded():
    params = parameters((2,), (3,))
    optimizer = Adam(params)
    x = td.tensor([1.0, 2.0], dtype=td.float64, requires_grad=True)
    (g,) = td.autograd.grad((x**3).sum(), x, create_graph=True)
    set_gradients(params, 0)
    params[0].grad = g
    optimizer.step()
    assert params[0].is_leaf
    assert optimizer.state[params[0]]["exp_avg"].requires_grad is False


def test_gradients_are_not_changed():
    params = parameters((2,), (SMALL + 1,))
    for kind in ALL:
        options = {} if kind is Rprop else {"weight_decay": 0.1}
        optimizer = kind(params, lr=0.1, maximize=True, **options)
        set_gradients(params, 3)
        before = [p.grad.numpy().copy() for p in params]
        optimizer.step()
        assert_equal(before, [p.grad.numpy() for p in params])


def test_a_gradient_that_no_longer_fits_its_parameter_is_refused():
    params = parameters((2, 3), (3,))
    optimizer = SGD(params)
    set_gradients(params, 0)
    params[0].data = td.zeros(3, 2, dtype=td.float64)
    with pytest.raises(RuntimeError, match=r"got a gradient of shape \(2, 3\) for a parameter of shape \(3, 2\),"):
        optimizer.step()


def test_zero_grad():
    params = parameters((2,), (3,))
    optimizer = SGD(params)
    set_gradients(params, 0, absent=[1])
    optimizer.zero_grad(set_to_none=False)
    assert params[0].grad.tolist() == [0.0, 0.0]
    assert params[1].grad is None
    optimizer.zero_grad()
    assert params[0].grad is None


@pytest.mark.parametrize("holder", ["optimizer", "module"])
@pytest.mark.parametrize(
    "gradient",
    [
        lambda p: td.tensor([[1.0, math.nan], [math.inf, 2.0]]),
        lambda p: td.ones(2, 2).T,
        lambda p: td.ones(8)[:4].view(2, 2),
        lambda p: p * 3,
    ],
    ids=["nan", "transposed", "view", "graph"],
)
def test_gradients_are_filled_with_zeros_where_they_are(holder, gradient):
    layer = td.nn.Linear(2, 2, bias=False)
    layer.weight.grad = grad = gradient(layer.weight)
    version = grad._version
    (SGD([layer.weight]) if holder == "optimizer" else layer).zero_grad(set_to_none=False)
    assert layer.weight.grad is grad and grad._version > version
    assert grad.tolist() == [[0.0, 0.0], [0.0, 0.0]] and not grad.requires_grad


@pytest.mark.parametrize("gradient", [lambda p: td.ones(1, 2).expand(2, 2), lambda p: (p * 3).T], ids=["one", "graph"])
def test_gradients_that_cannot_be_written_are_made_anew(gradient):
    layer = td.nn.Linear(2, 2, bias=False)
    layer.weight.grad = grad = gradient(layer.weight)
    before = grad.tolist()
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad.tolist() == [[0.0, 0.0], [0.0, 0.0]] and not layer.weight.grad.requires_grad
    assert grad.tolist() == before


def test_closure():
    (p,) = parameters((2,))
    optimizer = SGD([p], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with td.no_grad():
        losses = [optimizer.step(closure).item() for _ in range(3)]
    assert losses[1] == pytest.approx(losses[0] / 4)
    assert optimizer.step() is None


@pytest.mark.parametrize("kind", [*ALL, Adafactor, Muon])
def test_descends(kind):
    """Every rule lowers a convex loss."""
    params = parameters((3, 1), (2, 2))
    optimizer = kind(params, lr={Adadelta: 10.0, SGD: 0.05}.get(kind, 0.1))
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = sum(((p - 1) ** 2).sum() for p in params)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


# -- state -------------------------------------------------------------------------------------------


def test_state_can_be_read_and_changed():
    params, plain = parameters((2,), (3,)), parameters((2,), (3,))
    a, b = Adam(params), Adam(plain)
    for optimizer, ps in ((a, params), (b, plain)):
        set_gradients(ps, 0)
        optimizer.step()
    live = a.state[params[0]]["exp_avg"]
    before = live.tolist()
    for optimizer, ps in ((a, params), (b, plain)):
        set_gradients(ps, 1)
        optimizer.step()
    assert live.tolist() != before
    assert live.shape == (2,)
    # In place, by replacing the tensor, and by forgetting: each is as if it had been so.
    a.state[params[0]]["exp_avg"][...] = 0
    b.state[plain[0]]["exp_avg"] = td.zeros(2, dtype=td.float64)
    for optimizer, ps in ((a, params), (b, plain)):
        del optimizer.state[ps[1]]
        set_gradients(ps, 2)
        optimizer.step()
    assert_equal(values(params), values(plain))
    assert a.state[params[1]]["step"].item() == b.state[plain[1]]["step"].item() == 1
    assert a.state[params[0]]["step"].item() == 3


@pytest.mark.parametrize(("kind", "options"), WITH_STATE)
def test_a_saved_state_goes_on_the_same(kind, options):
    params = parameters((2, 3), (3,), ())
    optimizer = kind(params, lr=0.1, **options)
    for step in range(3):
        set_gradients(params, step, absent=[step])
        optimizer.step()
    saved = copy.deepcopy(optimizer.state_dict())
    again = [td.tensor(p.detach().numpy(), requires_grad=True) for p in params]
    other = kind(again, lr=0.7)
    other.load_state_dict(saved)
    for step in range(3, 6):
        for ps, each in ((params, optimizer), (again, other)):
            set_gradients(ps, step)
            each.step()
    assert_equal(values(params), values(again))
    assert other.param_groups[0]["lr"] == 0.1


def test_loading_copies():
    params = parameters((2,), (3,))
    optimizer = SGD(params, momentum=0.9)
    set_gradients(params, 0)
    optimizer.step()
    saved = optimizer.state_dict()
    other = SGD(parameters((2,), (3,)), momentum=0.9)
    other.load_state_dict(saved)
    before = saved["state"][0]["momentum_buffer"].tolist()
    set_gradients(other.param_groups[0]["params"], 1)
    other.step()
    assert saved["state"][0]["momentum_buffer"].tolist() == before


def test_options_switched_on_later():
    params = parameters((2,), (3,))
    optimizer = SGD(params, lr=0.1)
    for step in range(4):
        optimizer.param_groups[0]["momentum"] = 0.9 * (step >= 2)
        set_gradients(params, step)
        optimizer.step()
    buffers = [optimizer.state[p]["momentum_buffer"].numpy() for p in params]
    set_gradients(params, 2)
    first = [p.grad.numpy() for p in params]
    set_gradients(params, 3)
    for buffer, a, p in zip(buffers, first, params, strict=True):
        np.testing.assert_allclose(buffer, 0.9 * a + p.grad.numpy())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_copies_with_their_parameters(copied):
    params = parameters((2,), (3,))
    optimizer = Adam(params)
    set_gradients(params, 0)
    optimizer.step()
    params2, optimizer2 = copied((params, optimizer))
    for ps, each in ((params, optimizer), (params2, optimizer2)):
        set_gradients(ps, 1)
        each.step()
    assert_equal(values(params), values(params2))
    assert optimizer2.param_groups[0]["params"][0] is params2[0]


def test_load_state_dict_refuses_and_changes_nothing():
    params = parameters((2,), (3,))
    optimizer = Adam(params)
    set_gradients(params, 0)
    optimizer.step()
    good = copy.deepcopy(optimizer.state_dict())
    bad = [
        ([], r"expected a dict with 'state' and 'param_groups', got list"),
        ({"state": {}}, r"expected a dict with 'state' and 'param_groups', got \['state'\]"),
        (Adam(parameters((2,))).state_dict(), r"got a state saved from parameter groups of \[1\] parameters,"),
        (SGD(parameters((2,), (3,))).state_dict(), r"lacks the options \['betas', 'eps'\]"),
        ({**good, "state": {5: {}}}, r"a state for parameter 5, expected \[0, 1\]"),
        ({**good, "state": {0: {"sum": td.zeros(2)}}}, r"got a state 'sum' of parameter 0, expected only \('step',"),
        (
            {**good, "state": {0: {"exp_avg": td.zeros(3)}}},
            r"'exp_avg' of parameter 0 of shape \(3,\), expected \(2,\)",
        ),
        ({**good, "param_groups": [{**good["param_groups"][0], "eps": -1}]}, r"invalid eps: got eps=-1"),
    ]
    for state, message in bad:
        with pytest.raises(ValueError, match=message):
            optimizer.load_state_dict(state)
    after = optimizer.state_dict()
    assert after["param_groups"] == good["param_groups"]
    for number, entry in good["state"].items():
        assert {k: v.tolist() for k, v in entry.items()} == {k: v.tolist() for k, v in after["state"][number].items()}


# -- hooks -------------------------------------------------------------------------------------------


def test_step_hooks():
    (p,) = parameters((2,))
    optimizer, seen = SGD([p], lr=1.0), []

    def closure():
        seen.append("closure")
        return td.tensor(3.0)

    def before(each, args, kwargs):
        assert each is optimizer and args[0] is optimizer
        seen.append("before")
        return (optimizer, closure), {}

    def everywhere(each, args, kwargs):
        seen.append(("everywhere", len(args)))

    handles = [
        optimizer.register_step_pre_hook(before),
        optimizer.register_step_post_hook(lambda each, args, kwargs: seen.append("after")),
        register_optimizer_step_pre_hook(everywhere),
        register_optimizer_step_post_hook(everywhere),
    ]
    assert optimizer.step().item() == 3.0
    assert seen == [("everywhere", 1), "before", "closure", "after", ("everywhere", 2)]
    assert len(copy.deepcopy(optimizer)._hooks) == 0
    for handle in handles:
        handle.remove()
    assert optimizer.step() is None and len(seen) == 5
    wrong = optimizer.register_step_pre_hook(lambda each, args, kwargs: 3)
    with pytest.raises(RuntimeError, match=r"SGD\.step: got 3 from a step_pre_hook, expected None or a pair"):
        optimizer.step()
    wrong.remove()
    optimizer.step()


def test_hooks_of_subclasses_are_called_once():
    class Twice(Adam):
        def step(self, closure=None):
            super().step(closure)
            super().step()

    optimizer, seen = Twice(parameters((2,))), []
    optimizer.register_step_post_hook(lambda *given: seen.append(len(given)))
    optimizer.step()
    assert seen == [3]


def test_hooks_of_state_dicts():
    params = parameters((2,))
    optimizer, seen = SGD(params, lr=1.0, momentum=0.5), []
    optimizer.register_state_dict_pre_hook(lambda each: seen.append("second"))
    optimizer.register_state_dict_pre_hook(lambda each: seen.append("first"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda each, state: state.update(more=1))
    optimizer.register_state_dict_post_hook(lambda each, state: {**state, "new": state["more"] + 1})
    saved = optimizer.state_dict()
    assert seen == ["first", "second"] and (saved["more"], saved["new"]) == (1, 2)

    def halve(each, state):
        state["param_groups"] = [{**group, "lr": group["lr"] / 2} for group in state["param_groups"]]

    optimizer.register_load_state_dict_pre_hook(halve)
    optimizer.register_load_state_dict_pre_hook(lambda each, state: {k: state[k] for k in ("state", "param_groups")})
    optimizer.register_load_state_dict_post_hook(lambda each: seen.append(each.param_groups[0]["lr"]))
    optimizer.load_state_dict(saved)
    assert seen[2:] == [0.5] and saved["param_groups"][0]["lr"] == 1.0


def test_state_that_is_no_parameters_is_kept():
    optimizer = SGD(parameters((2,)))
    optimizer.state["epochs"] = {"count": 3}
    saved = optimizer.state_dict()
    assert saved["state"] == {"epochs": {"count": 3}}
    other = SGD(parameters((2,)))
    other.load_state_dict(saved)
    assert other.state["epochs"] == {"count": 3}


def test_options_that_each_group_has_to_give():
    assert repr(required) == "<required parameter>"
    (p,) = parameters((2,))
    with pytest.raises(ValueError, match="Optimizer: got a parameter group without 'lr', expected it in each group"):
        Optimizer([p], {"lr": required})
    assert Optimizer([{"params": p, "lr": 3}], {"lr": required}).param_groups[0]["lr"] == 3


# -- recorded steps ----------------------------------------------------------------------------------


def test_the_best_rate_by_its_gradient():
    """The loss after a step, by the rate: d/dlr of (w - 2 lr w)**2 is -4 w**2 (1 - 2 lr)."""
    lr = td.tensor(0.1, requires_grad=True)
    start = td.tensor(3.0, requires_grad=True)
    w = start.clone()
    optimizer = SGD([w], lr=lr, differentiable=True)
    (w.grad,) = td.autograd.grad(w**2, w, create_graph=True)
    optimizer.step()
    (w**2).backward()
    assert lr.grad.item() == pytest.approx(-4 * 9 * 0.8, rel=1e-6)
    assert start.grad.item() == pytest.approx(2 * 3 * 0.8**2, rel=1e-6)


@pytest.mark.parametrize(("kind", "options"), WITH_STATE)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_recorded_steps_are_the_same_steps(kind, options, dtype):
    plain = parameters((2, 3), (), dtype=dtype)
    recorded = [p.detach().clone() for p in plain]
    a, b = kind(plain, lr=0.1, **options), kind(recorded, lr=0.1, **options, differentiable=True)
    for step in range(4):
        for params, optimizer in ((plain, a), (recorded, b)):
            set_gradients(params, step, absent=[step])
            optimizer.step()
    for x, y in zip(values(plain), values(recorded), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12)
    states = a.state_dict()["state"], b.state_dict()["state"]
    for number, entry in states[0].items():
        assert list(entry) == list(states[1][number])
        for key, value in entry.items():
            np.testing.assert_allclose(value.numpy(), states[1][number][key].numpy(), rtol=1e-6)


# -- optimisers of whole parameters ------------------------------------------------------------------


def test_muon_makes_changes_orthogonal():
    (w,) = parameters((3, 5))
    before = values([w])[0]
    optimizer = Muon([w], lr=1.0, weight_decay=0.0, ns_steps=30, ns_coefficients=(1.875, -1.25, 0.375))
    set_gradients([w], 0)
    u, _, v = np.linalg.svd(w.grad.numpy(), full_matrices=False)
    optimizer.step()
    np.testing.assert_allclose(values([w])[0], before - u @ v, atol=1e-6)
    with pytest.raises(ValueError, match=r"Muon: parameter 1 of a group: got shape \(3,\), expected two dimensions"):
        Muon(parameters((2, 2), (3,)))


def test_adafactor_keeps_rows_and_columns():
    (w,) = parameters((3, 5))
    optimizer = Adafactor([w], lr=0.1)
    w.grad = td.tensor(np.outer([1.0, 2.0, 3.0], np.ones(5)))
    optimizer.step()
    state = optimizer.state[w]
    assert state["row_var"].reshape(-1).tolist() == [1.0, 4.0, 9.0]
    np.testing.assert_allclose(state["col_var"].numpy(), np.full((1, 5), 14 / 3))


@pytest.mark.parametrize("kind", [Adafactor, Muon])
def test_whole_parameters_refuse(kind):
    (w,) = parameters((2, 3))
    optimizer = kind([w])
    w.grad = td.zeros(2, 3, dtype=td.float64)
    w.data = td.zeros(3, 2, dtype=td.float64)
    with pytest.raises(
        RuntimeError, match=rf"{kind.__name__}\.step: got a gradient of shape \(2, 3\) for a parameter of"
    ):
        optimizer.step()
    c = td.zeros(2, 2, dtype=td.complex64, requires_grad=True)
    c.grad = td.zeros(2, 2, dtype=td.complex64)
    with pytest.raises(RuntimeError, match="got a parameter of complex64, expected real numbers"):
        kind([c]).step()


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_solves_a_quadratic(search):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((6, 6))
    matrix, target = td.tensor(a @ a.T + np.eye(6)), td.tensor(rng.standard_normal(6))
    x, y = td.zeros(4, dtype=td.float64, requires_grad=True), td.zeros(2, 1, dtype=td.float64, requires_grad=True)
    optimizer = LBFGS([("x", x), ("y", y)], max_iter=60, history_size=8, line_search_fn=search)

    def closure():
        optimizer.zero_grad()
        z = td.cat([x, y.reshape(-1)])
        loss = z @ matrix @ z / 2 - target @ z
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)
    found = np.concatenate([x.detach().numpy(), y.detach().numpy().reshape(-1)])
    np.testing.assert_allclose(found, np.linalg.solve(matrix.numpy(), target.numpy()), atol=1e-4)
    state = optimizer.state_dict()["state"][0]
    assert len(state["old_dirs"]) == len(state["ro"]) <= 8 and state["func_evals"] >= state["n_iter"] > 3


def test_lbfgs_goes_on_from_a_saved_state():
    def setting(start):
        x = td.tensor(start, dtype=td.float64, requires_grad=True)
        optimizer = LBFGS([x], max_iter=3, line_search_fn="strong_wolfe")

        def closure():
            optimizer.zero_grad()
            loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
            loss.backward()
            return loss

        return x, optimizer, closure

    x, first, closure = setting([-1.2, 1.0])
    for _ in range(3):
        first.step(closure)
    y, second, other = setting(x.tolist())
    second.load_state_dict(first.state_dict())
    for _ in range(3):
        first.step(closure)
        second.step(other)
    assert x.tolist() == y.tolist()


@pytest.mark.parametrize("kind", [Adafactor, Muon, LBFGS])
def test_empty_parameters_of_whole_ones(kind):
    (w,) = parameters((0, 3))
    optimizer = kind([w])
    w.grad = td.zeros(0, 3, dtype=td.float64)
    assert optimizer.step(lambda: td.tensor(1.0)).item() == 1.0
    assert w.shape == (0, 3)


def test_lbfgs_stops_and_refuses():
    (x,) = parameters((2,))
    optimizer = LBFGS([x])
    x.grad = td.zeros(2, dtype=td.float64)
    assert optimizer.step(lambda: td.tensor(2.0)).item() == 2.0
    assert optimizer.state[x] == {"func_evals": 1, "n_iter": 0}
    with pytest.raises(ValueError, match="LBFGS: got several parameter groups, expected one"):
        LBFGS([{"params": parameters((2,))}, {"params": parameters((2,))}])


def test_sparse_adam_is_not_there():
    with pytest.raises(AttributeError, match=r"has no attribute 'SparseAdam': gradients are dense here; use Adam"):
        _ = td.optim.SparseAdam


# -- groups ------------------------------------------------------------------------------------------


def test_groups():
    a, b, c = parameters((2,), (3,), (4,))
    optimizer = SGD([{"params": [a]}, {"params": b, "lr": 0.5}], lr=0.1)
    optimizer.add_param_group({"params": [c], "weight_decay": 0.1})
    assert [g["lr"] for g in optimizer.param_groups] == [0.1, 0.5, 0.1]
    before = values([a, b, c])
    for p in (a, b, c):
        p.grad = td.ones(*p.shape, dtype=td.float64)
    optimizer.step()
    for p, old, expected in zip((a, b, c), before, (0.1, 0.5, 0.1 * (1 + 0.1 * before[2])), strict=True):
        np.testing.assert_allclose(p.detach().numpy(), old - expected, rtol=1e-12)
    assert optimizer.state_dict()["param_groups"][2]["params"] == [2]


def test_named_parameters():
    optimizer = SGD(td.nn.Linear(2, 3).named_parameters(), lr=0.1)
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    with pytest.raises(ValueError, match="got a parameter group with names beside one without, expected names in"):
        optimizer.add_param_group({"params": parameters((2,))})
    with pytest.raises(ValueError, match="SGD: got parameters with and without names, expected names of all or of"):
        SGD([("a", parameters((2,))[0]), parameters((3,))[0]])


def test_learning_rate_as_a_tensor():
    (p,) = parameters((2,))
    before = values([p])[0]
    optimizer = Adagrad([p], lr=td.tensor(0.5))
    p.grad = td.ones(2, dtype=td.float64)
    optimizer.step()
    np.testing.assert_allclose(p.detach().numpy(), before - 0.5)


def test_a_group_that_changes_is_followed():
    a, b = parameters((2,), (3,))
    optimizer = SGD([a], lr=1.0)
    optimizer.add_param_group({"params": parameters((4,))})
    optimizer.step()
    optimizer.param_groups.pop()
    optimizer.param_groups[0]["params"].append(b)
    before = values([b])
    set_gradients([a, b], 0)
    optimizer.step()
    np.testing.assert_allclose(values([b])[0], before[0] - b.grad.numpy())


def test_repr():
    text = repr(SGD(parameters((2,)), lr=0.1))
    assert text.startswith("SGD (\nParameter Group 0\n    dampening: 0\n    differentiable: False\n    foreach: None\n")
    assert "\n    lr: 0.1\n    maximize: False\n" in text and text.endswith("    weight_decay: 0\n)")


@pytest.mark.parametrize("kind", [SGD, Adam, Adagrad])
def test_frozen_masks_and_counts_stay_as_they_are(kind):
    mask = td.nn.Parameter(td.tensor([True, False]), requires_grad=False)
    count, w = td.tensor([3]), td.ones(2, requires_grad=True)
    optimizer = kind([mask, w, count], lr=0.5)
    w.sum().backward()
    optimizer.step()
    assert mask.tolist() == [True, False] and count.tolist() == [3]
    np.testing.assert_allclose(w.detach().numpy(), [0.5, 0.5], rtol=1e-6)
    again = kind([mask, w, count], lr=0.5)
    again.load_state_dict(optimizer.state_dict())
    assert len(again.state_dict()["state"]) == len(optimizer.state_dict()["state"])


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW, Adagrad])
def test_switches_between_ways_to_one_step_change_nothing(kind):
    found = []
    for switches in ({}, {"foreach": True, "fused": None}, {"foreach": False, "fused": True}):
        (p,) = parameters((3,))
        set_gradients([p], 0)
        kind([p], lr=0.1, **switches).step()
        found.append(p.tolist())
    assert found[0] == found[1] == found[2]
    with pytest.raises(TypeError, match="unexpected keyword argument 'forreach'"):
        kind(parameters((3,)), lr=0.1, forreach=True)


def test_refusals():
    (p,) = parameters((2,))
    with pytest.raises(TypeError, match=r"got one tensor of shape \(2,\) for params, expected an iterable of tensors"):
        SGD(p)
    with pytest.raises(ValueError, match=r"got an empty parameter list, expected .*model\.parameters\(\)"):
        SGD([])
    with pytest.raises(TypeError, match=r"got float64\[2\], expected a tensor"):
        SGD([np.ones(2)])
    with pytest.raises(ValueError, match=r"was computed by <MulBackward0>, expected a leaf"):
        SGD([p * 2])
    with pytest.raises(ValueError, match=r"parameter 0 of group 1: got a tensor of shape \(2,\) that is in another gr"):
        SGD([{"params": [p]}, {"params": [p]}])
    with pytest.raises(RuntimeError, match=r"Adam: got fused=True and foreach=True, expected one of them at most"):
        Adam([p], fused=True, foreach=True)
    with pytest.raises(ValueError, match=r"SGD: got a tensor of shape \(2,\) for lr, expected one element"):
        SGD([p], lr=td.ones(2))
    with pytest.raises(TypeError, match="got a set of parameters, expected an order that is the same in every run"):
        SGD([{"params": {p}}])
    with pytest.raises(TypeError, match="a dict with the key 'params'"):
        SGD([p]).add_param_group([p])
    with pytest.raises(NotImplementedError, match="Optimizer without a step"):
        Optimizer([p], {}).step()


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (SGD, {"lr": -1}, "invalid lr: got lr=-1, expected a number of 0 or more"),
        (SGD, {"momentum": -0.1}, r"got momentum=-0\.1, expected a number of 0 or more"),
        (SGD, {"weight_decay": -0.1}, "invalid weight_decay"),
        (SGD, {"nesterov": True}, "invalid momentum: got momentum=0, expected more than 0 with nesterov=True"),
        (SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "invalid dampening"),
        (Adam, {"betas": (1.0, 0.9)}, r"invalid betas: got betas=\(1.0, 0.9\), expected two numbers in \[0, 1\)"),
        (Adam, {"eps": -1}, "invalid eps"),
        (AdamW, {"betas": (0.9, -0.1)}, "invalid betas"),
        (RMSprop, {"alpha": -1}, "invalid alpha"),
        (Adagrad, {"lr_decay": -1}, "invalid lr_decay"),
        (Adagrad, {"initial_accumulator_value": -1}, "invalid initial_accumulator_value"),
        (Adadelta, {"rho": 1.5}, r"invalid rho: got rho=1.5, expected a number in \[0, 1\]"),
        (
            Rprop,
            {"etas": (1.2, 0.5)},
            r"invalid etas: got etas=\(1.2, 0.5\), expected one number between 0 and 1, and one",
        ),
        (Adafactor, {"beta2_decay": 0.5}, "invalid beta2_decay: got beta2_decay=0.5, expected a number of 0 or less"),
        (Adafactor, {"eps": (None, -1)}, "invalid eps"),
        (Adafactor, {"d": 0.5}, "invalid d: got d=0.5, expected a number of 1 or more"),
        (Muon, {"ns_steps": 100}, "invalid ns_steps: got ns_steps=100, expected a number from 0 to 99"),
        (Muon, {"adjust_lr_fn": "x"}, "invalid adjust_lr_fn: got adjust_lr_fn='x', expected None, 'original' or"),
        (
            LBFGS,
            {"line_search_fn": "x"},
            "invalid line_search_fn: got line_search_fn='x', expected None or 'strong_wolfe'",
        ),
    ],
)
def test_options_out_of_range(kind, options, message):
    params = parameters((2, 2))
    with pytest.raises(ValueError, match=message):
        kind(params, **options)
    with pytest.raises(ValueError, match=message):
        kind([{"params": params, **options}])


def test_float32_stays_float32():
    for kind in ALL:
        params = parameters((2,), (3,), dtype=np.float32)
        optimizer = kind(params)
        set_gradients(params, 0)
        optimizer.step()
        assert all(p.dtype == td.float32 for p in params)
        for entry in optimizer.state.values():
            assert all(value.dtype == td.float32 for value in entry.values())


def test_collected_buffers_leave_no_trace_in_the_log():
    from tinygrad_dl.core.mutations import mutations

    gc.collect()
    before = len(mutations.log)
    params = parameters((2,), (3,))
    optimizer = SGD(params)
    set_gradients(params, 0)
    optimizer.step()
    assert len(mutations.log) == before + 2
    del params, optimizer
    gc.collect()
    assert len(mutations.log) == before


def test_a_rate_that_a_schedule_brought_below_zero_is_loaded():
    (p,) = parameters((2,))
    optimizer = SGD([p], lr=0.5)
    schedule = td.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 - 0.75 * epoch)
    for _ in range(2):
        optimizer.step()
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == -0.25
    again = SGD([p], lr=0.5)
    again.load_state_dict(optimizer.state_dict())
    assert again.param_groups[0]["lr"] == -0.25
    with pytest.raises(ValueError, match="lr"):
        SGD([p], lr=-0.25)


def test_an_optimizer_that_leaves_out_the_constructor_of_its_base_steps():
    class Around(td.optim.Optimizer):
        def __init__(self, base):
            self.base, self.param_groups, self.defaults = base, base.param_groups, base.defaults

        def step(self, closure=None):
            return self.base.step(closure)

    weight = td.ones(1, requires_grad=True)
    optimizer = Around(td.optim.SGD([weight], lr=0.5))
    weight.sum().backward()
    seen = []
    optimizer.register_step_post_hook(lambda *_: seen.append(weight.item()))
    optimizer.step()
    assert weight.item() == 0.5 and seen == [0.5]


@pytest.mark.parametrize(("kind", "corner"), [("SGD", -0.36), ("AdamW", -0.12546083)], ids=["SGD", "AdamW"])
def test_parameters_that_show_the_same_memory_are_stepped_in_turn(kind, corner):
    """Right values: PyTorch's."""
    x = td.arange(9.0).reshape(3, 3)
    column, row = td.nn.Parameter(x[:, :1]), td.nn.Parameter(x[:1])
    optimizer = getattr(td.optim, kind)([column, row], lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        ((column * column).sum() + (row * 2).sum()).backward()
        optimizer.step()
    assert x[0, 0].item() == column[0, 0].item() == row[0, 0].item() == pytest.approx(corner, abs=1e-6)


def test_large_parameters_that_overlap_are_stepped_in_turn():
    memory = td.zeros(300_000)
    parts = [td.nn.Parameter(memory[:200_000]), td.nn.Parameter(memory[100_000:])]
    for part in parts:
        part.grad = td.ones_like(part)
    td.optim.SGD(parts, lr=1.0).step()
    assert memory[:100_000].unique().tolist() == [-1] and memory[100_000:200_000].unique().tolist() == [-2]
