"""The same short programs with PyTorch and with this library: modules, Functions, modes, states; equal results.

Each program is written once, for a library `T`, and returns tensors, numbers and names, nested in lists.
"""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td

torch = pytest.importorskip("torch")

PROGRAMS = []


def program(function):
    PROGRAMS.append(function)
    return function


def plain(value):
    """Results as nested lists of Python's own objects."""
    if isinstance(value, td.Tensor | torch.Tensor):
        return [str(value.dtype).removeprefix("torch."), value.requires_grad, value.detach().tolist()]
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return value


def assert_same(ours, theirs):
    if isinstance(ours, list):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert_same(a, b)
    elif isinstance(ours, float):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    else:
        assert ours == theirs


def filled(module, value):
    for p in module.parameters():
        p.data.fill_(value)
    return module


@program
def batch_norm_stops_tracking(T):
    m, x = T.nn.BatchNorm1d(2), T.tensor([[1.0, 2.0], [3.0, 6.0]])
    first = m(x)
    m.track_running_stats = False
    second = m(x * 100)
    return first, second, m.running_mean, m.num_batches_tracked, m.eval()(x)


@program
def batch_norm_begins_tracking(T):
    m, x = T.nn.BatchNorm1d(2, track_running_stats=False), T.tensor([[1.0, 2.0], [3.0, 6.0]])
    m.track_running_stats = True
    return m(x), m.running_mean


@program
def batch_norm_changes_its_numbers(T):
    m, x = T.nn.BatchNorm1d(2), T.tensor([[1.0, 2.0], [3.0, 6.0]])
    m.momentum, m.eps = 0.5, 1.0
    first = m(x)
    m.momentum = None
    return first, m(x * 2), m.running_mean, m.running_var


@program
def instance_norm_stops_tracking(T):
    m, x = T.nn.InstanceNorm1d(2, track_running_stats=True), T.tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]]])
    m(x)
    m.eval()
    m.track_running_stats = False
    return m(x), m.running_mean


@program
def convolutions_change_their_numbers(T):
    m, x = filled(T.nn.Conv2d(1, 1, 3), 1.0), T.arange(25.0).reshape(1, 1, 5, 5)
    first = m(x)
    m.padding, m.stride, m.bias = (1, 1), (2, 2), None
    second = m(x)
    m.padding, m.stride, m.dilation = "same", 1, 2
    return first, second, m(x)


@program
def dropout_and_modes(T):
    m, x = T.nn.Dropout(0.5), T.ones(3)
    m.p = 1.0
    first = m(x)
    m.training = False
    return first, m(x)


@program
def losses_change_their_numbers(T):
    m = T.nn.CrossEntropyLoss()
    m.reduction, m.label_smoothing, m.ignore_index = "sum", 0.1, 0
    m.weight = T.tensor([1.0, 2.0, 3.0])
    return m(T.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]), T.tensor([0, 1]))


@program
def a_recurrent_layer_with_fewer_layers(T):
    m = filled(T.nn.LSTM(2, 3, 2), 0.1)
    m.num_layers, m.batch_first = 1, True
    return m(T.ones(1, 4, 2))


@program
def a_weight_that_is_computed(T):
    m = filled(T.nn.Linear(2, 2), 0.0)
    raw = T.nn.Parameter(T.ones(2, 2))
    del m.weight
    m.raw, m.weight = raw, raw * 3
    m(T.ones(1, 2)).sum().backward()
    return raw.grad, list(m.state_dict())


@program
def data_passes_unnoticed(T):
    w = T.tensor([1.0, 2.0], requires_grad=True)
    y = (w * w).sum()
    w.data[1] = 5.0
    w.data += 1
    y.backward()
    return w.grad


@program
def a_backward_hook_and_a_second_derivative(T):
    m, x, calls = T.nn.Tanh(), T.tensor([0.5], requires_grad=True), []
    m.register_full_backward_hook(lambda module, gi, go: (calls.append(1), (gi[0] * 3,))[1])
    (g,) = T.autograd.grad(m(x).sum(), x, create_graph=True)
    g.sum().backward()
    return calls, g, x.grad


@program
def an_in_place_function(T):
    class Exp(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.exp_()
            ctx.mark_dirty(x)
            ctx.save_for_backward(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    x = T.tensor([0.5], requires_grad=True)
    y = x * 2
    z = Exp.apply(y)
    (g,) = T.autograd.grad((z * 1).sum(), x, create_graph=True)
    g.sum().backward()
    return z is y, y, g, x.grad


@program
def a_function_with_unused_and_plain_outputs(T):
    seen = []

    class Mixed(T.autograd.Function):
        @staticmethod
        def forward(x, factor):
            return x * factor, 5, x + factor

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.factor = inputs[1]
            ctx.set_materialize_grads(False)

        @staticmethod
        def backward(ctx, *gradients):
            seen.append([g is None for g in gradients])
            return gradients[0] * ctx.factor, None, None

    x = T.ones(2, requires_grad=True)
    out = Mixed.apply(x, 3)
    out[0].sum().backward()
    return out, seen, x.grad


@program
def generators_in_a_mode(T):
    @T.no_grad()
    def steps():
        while True:
            yield T.is_grad_enabled()

    running = steps()
    return [next(running), T.is_grad_enabled(), next(running), T.is_grad_enabled()]


@program
def extra_state_and_versions(T):
    class Counting(T.nn.Linear):
        _version = 3
        count = 0

        def get_extra_state(self):
            return self.count

        def set_extra_state(self, state):
            self.count = state

    a, b = T.nn.Sequential(Counting(1, 1)), T.nn.Sequential(Counting(1, 1))
    a[0].count = 7
    state = a.state_dict()
    found = b.load_state_dict(state)
    return list(state), state._metadata["0"]["version"], list(found), b[0].count


@program
def orders_of_containers(T):
    pairs = {"b": T.ones(1), "a": T.ones(1)}
    params = T.nn.ParameterDict(pairs)
    params.update({"d": T.ones(1), "c": 5})
    heads = T.nn.ModuleDict({"b": T.nn.ReLU(), "a": T.nn.Tanh()})
    return list(params), list(params.state_dict()), list(heads), len(T.nn.Sequential(T.nn.ReLU()) * 3)


@program
def norms_of_all_orders(T):
    w = T.ones(3, requires_grad=True)
    w.grad = T.tensor([3.0, 4.0, -2.0])
    orders = (0, 0.5, 1, 2, 3, -1, -2, float("inf"), -float("inf"))
    return [T.nn.utils.clip_grad_norm_([w], 1e9, order) for order in orders]


@program
def zeros_for_unused_inputs(T):
    x, y = T.tensor(0.5, requires_grad=True), T.tensor(1.0, requires_grad=True)
    (first,) = T.autograd.grad(x * y, x, create_graph=True)
    (second,) = T.autograd.grad(first, x, create_graph=True, materialize_grads=True)
    return first, second, T.autograd.grad(second, x, materialize_grads=True)


@program
def frozen_masks_in_an_optimizer(T):
    mask = T.nn.Parameter(T.tensor([True]), requires_grad=False)
    w = T.ones(2, requires_grad=True)
    optimizer = T.optim.Adam([mask, w], lr=0.1, foreach=False)
    w.sum().backward()
    optimizer.step()
    return mask, w, len(optimizer.state)


@program
def momentum_switched_off_and_on(T):
    w, found = T.ones(2, requires_grad=True), []
    optimizer = T.optim.SGD([w], lr=0.1, momentum=0.9)
    w.grad = T.ones(2)
    for momentum in (0.9, 0, 0.9):
        optimizer.param_groups[0]["momentum"] = momentum
        optimizer.step()
        found.append(w.detach().clone())
    return found


@pytest.mark.parametrize("run", PROGRAMS, ids=lambda run: run.__name__)
def test_both_libraries_give_the_same(run):
    assert_same(plain(run(td)), plain(run(torch)))


REFUSED = {
    "set_grad_enabled": (lambda T: T.set_grad_enabled(2), TypeError),
    "grad of another shape": (lambda T: setattr(T.ones(2), "grad", T.ones(3)), RuntimeError),
    "grad of another dtype": (lambda T: setattr(T.ones(2), "grad", T.ones(2, dtype=T.float64)), RuntimeError),
    "grad of another kind": (lambda T: setattr(T.ones(2), "grad", [1.0, 2.0]), TypeError),
    "integers as data": (lambda T: setattr(T.ones(2, requires_grad=True), "data", T.tensor([1, 2])), RuntimeError),
    "complex scalar": (lambda T: (T.ones((), dtype=T.complex64, requires_grad=True) * 2).backward(), RuntimeError),
    "empty inputs": (lambda T: T.autograd.grad(T.ones(1, requires_grad=True).sum(), []), RuntimeError),
    "tensors of several elements": (lambda T: T.tensor([T.ones(2), T.ones(2)]), ValueError),
    "a parameter by a buffer's name": (
        lambda T: T.nn.BatchNorm1d(1).register_parameter("running_mean", T.nn.Parameter(T.ones(1))),
        KeyError,
    ),
    "a module in a parameter's place": (lambda T: setattr(T.nn.Linear(1, 1), "weight", T.nn.ReLU()), TypeError),
    "no repetitions": (lambda T: T.nn.Sequential(T.nn.ReLU()) * 0, ValueError),
}


@pytest.mark.parametrize("case", REFUSED)
def test_both_libraries_refuse(case):
    action, error = REFUSED[case]
    for library in (td, torch):
        with pytest.raises(error):
            action(library)
