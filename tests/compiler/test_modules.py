"""Compiled modules, and functions whose backward pass comes later: a program of its own."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td
from compiler.steps import batches, same, same_models
from tinygrad_dl import nn

F = nn.functional


def test_modules_keep_what_they_are(tmp_path):
    td.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))
    fast = td.compile(model, mode="max-autotune")
    assert isinstance(fast, td.compiler.OptimizedModule) and fast[0] is model[0] and len(fast) == 2
    assert list(fast.state_dict()) == ["_orig_mod.0.weight", "_orig_mod.0.bias"]
    assert next(iter(fast.parameters())) is model[0].weight
    fast.eval()
    assert not model.training and not model[1].training and not fast.training
    x = td.ones(2, 4)
    with td.no_grad():
        for _ in range(4):
            same(fast(x), model(x))
    assert fast.programs[0].uses == 2 and "linear" in fast.source
    fast.note = 3
    assert model.note == 3 and fast.note == 3
    fast.reset()
    assert not fast.programs


def test_a_module_compiles_itself_in_place_and_its_copies_are_plain():
    from copy import deepcopy

    model = nn.Linear(4, 3)
    assert model.compile(fullgraph=True) is None
    x = td.ones(2, 4)
    with td.no_grad():
        for _ in range(4):
            same(model(x), F.linear(x, model.weight, model.bias))
    assert model.forward.programs[0].uses == 2
    copy = deepcopy(model)
    assert "forward" not in vars(copy)
    with td.no_grad():
        same(copy(x), model(x))


def network(layers=()):
    td.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), *layers, nn.Linear(8, 3))


def test_a_compiled_module_is_trained_with_a_backward_pass_of_its_own():
    a, b = network([nn.BatchNorm1d(8), nn.Dropout(0.3)]), network([nn.BatchNorm1d(8), nn.Dropout(0.3)])
    fast = td.compile(b, fullgraph=True)
    optimizers = [td.optim.Adam(each.parameters(), lr=0.01) for each in (a, b)]
    for number, (x, y) in enumerate(batches(6)):
        inputs = []
        for model, optimizer in zip((a, fast), optimizers, strict=True):
            td.manual_seed(number)
            optimizer.zero_grad()
            leaf = x.clone().requires_grad_()
            F.cross_entropy(model(leaf * 2), y).backward()
            optimizer.step()
            inputs.append(leaf.grad)
        same(*inputs)
        same_models(a, b)
    assert fast.programs[0].uses == 4 and "def Sequential_backward(" in fast.source


def test_several_calls_may_wait_for_their_backward_passes():
    model = network()
    fast = td.compile(model, fullgraph=True)
    x = [each for each, _ in batches(6)]
    for _ in range(2):
        fast(x[0]).sum().backward()
    for order in ((0, 1, 2), (2, 1, 0)):
        model.zero_grad()
        out = [fast(each).square().sum() for each in x[:3]]
        for number in order:
            out[number].backward()
        found = [p.grad.clone() for p in model.parameters()]
        model.zero_grad()
        plain = [model(each).square().sum() for each in x[:3]]
        for number in order:
            plain[number].backward()
        same(found, [p.grad for p in model.parameters()])


def test_more_calls_than_a_pool_has_programs_run_eagerly():
    fast = td.compile(lambda x: x.sin(), fullgraph=True)
    x = td.linspace(0, 1, 4).requires_grad_()
    outs = [fast(x) for _ in range(14)]
    assert [type(out.grad_fn).__name__ for out in outs].count("SinBackward") == 8
    sum(out.sum() for out in outs).backward()
    np.testing.assert_allclose(x.grad.numpy(), 14 * np.cos(x.detach().numpy()), rtol=1e-6)


def test_without_gradients_there_is_a_program_without_a_backward_pass():
    model = network()
    fast = td.compile(model, fullgraph=True)
    ((x, _),) = batches(1)
    for _ in range(3):
        with td.no_grad():
            assert not fast(x).requires_grad
        assert fast(x).requires_grad
    assert ["_backward" in program.source for program in fast.programs] == [True, False]


def test_several_results_and_those_that_are_not_used():
    fast = td.compile(lambda x, y: (x.exp(), {"product": x * y, "kept": y}), fullgraph=True)
    for _ in range(4):
        x, y = td.tensor([1.0, 2.0], requires_grad=True), td.tensor([3.0, 4.0])
        first, rest = fast(x, y)
        assert rest["kept"] is y
        rest["product"].sum().backward()
        assert x.grad.tolist() == [3.0, 4.0]
        assert first.requires_grad


def test_what_a_backward_pass_reads_must_not_be_changed_before():
    model = network()
    fast = td.compile(model, fullgraph=True)
    ((x, _),) = batches(1)
    for _ in range(3):
        out = fast(x.clone().requires_grad_()).sum()
    with td.no_grad():
        model[2].weight.mul_(2.0)
    with pytest.raises(RuntimeError, match="changed in place afterwards"):
        out.backward()
    out = fast(x.clone().requires_grad_()).sum()
    with td.no_grad():
        model[2].bias.mul_(2.0)
    out.backward()


def test_a_second_pass_and_a_recorded_one_are_refused():
    fast = td.compile(lambda x: x.sin().sum(), fullgraph=True)
    for _ in range(3):
        x = td.tensor([1.0, 2.0], requires_grad=True)
        out = fast(x)
    with pytest.raises(RuntimeError, match="a compiled function, expected a pass that is not recorded"):
        td.autograd.grad(out, x, create_graph=True)
    out.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="for a second time"):
        out.backward()


def test_backward_through_what_was_computed_before_the_step_is_left_to_eager():
    def step(h):
        h.sum().backward()
        return h.detach() * 2

    fast = td.compile(step)
    x = td.tensor([1.0, 2.0], requires_grad=True)
    with pytest.warns(UserWarning, match="it runs eagerly"):
        for count in range(1, 5):
            fast(x * 3)
            assert x.grad.tolist() == [3.0 * count] * 2


def test_options_of_a_users_module_are_part_of_the_key():
    class Scaled(nn.Module):
        power = 2

        def __init__(self):
            super().__init__()
            self._factors = [1, 2]
            self.note = "any"

        def forward(self, x):
            return x**self.power * self._factors[0] + self._factors[1]

    model = Scaled()
    fast = td.compile(model, fullgraph=True)
    x = td.tensor([3.0])

    def check(expected):
        for _ in range(3):
            assert fast(x).item() == expected

    check(11.0)
    model._factors[1] = 5
    check(14.0)
    Scaled.power = 1
    check(8.0)
    model.power = 3
    check(32.0)
    assert len(fast.programs) == 4


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(20, 16), nn.Linear(16, 20)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, activation="gelu", batch_first=True)

    def forward(self, x):
        return self.head(self.layer(self.embedding(x)))


class Unet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.middle = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
        self.norm, self.up, self.out = nn.BatchNorm2d(16), nn.ConvTranspose2d(16, 8, 2, 2), nn.Conv2d(16, 2, 1)

    def forward(self, x):
        a = F.relu(self.down(x))
        b = F.relu(self.norm(self.middle(F.max_pool2d(a, 2))))
        return self.out(td.cat([self.up(b), a], 1))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.LSTM(8, 6, batch_first=True), nn.Linear(6, 2)

    def forward(self, x):
        return self.head(self.layer(x[:, 0])[0][:, -1])


def lenet():
    features = [nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(0.2), nn.Flatten(), nn.Linear(54, 5)]
    return nn.Sequential(*features)


def trained(make, inputs, compiled):
    """The outputs of training a model on some inputs, its state afterwards, and what was called."""
    td.manual_seed(0)
    model = make()
    called = td.compile(model, fullgraph=True) if compiled else model
    optimizer = td.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    found = []
    for x in inputs:
        optimizer.zero_grad()
        out = called(x)
        (out.square() * td.rand(())).mean().backward()
        optimizer.step()
        found.append(out.detach())
    return found, model.state_dict(), called


@pytest.mark.parametrize("make", [lenet, Transformer, Unet, Recurrent])
def test_networks_whose_rules_look_at_values_are_trained_by_two_programs(make):
    rng = np.random.default_rng(0)
    if make is Transformer:
        inputs = [td.from_numpy(rng.integers(0, 20, (3, 8))) for _ in range(5)]
    else:
        inputs = [td.from_numpy(rng.standard_normal((3, 1, 8, 8), dtype=np.float32)) for _ in range(5)]
    eager, fast = trained(make, inputs, False), trained(make, inputs, True)
    same(eager[:2], fast[:2])
    assert fast[2].programs[0].uses == 3
    assert f"def {make.__name__ if make is not lenet else 'Sequential'}_backward(" in fast[2].source


def test_values_that_ask_for_another_way_back_are_gone_through_eagerly():
    rng = np.random.default_rng(0)
    inputs = [td.from_numpy(rng.standard_normal((3, 1, 8, 8), dtype=np.float32)) for _ in range(6)]
    inputs[3][0, 0, 2, 2] = float("inf")
    with np.errstate(all="ignore"):
        eager, fast = trained(lenet, inputs, False), trained(lenet, inputs, True)
        same(eager[:2], fast[:2])
    assert np.isnan(fast[1]["0.weight"].numpy()).any() and fast[2].programs[0].again.times > 0


def convolutions():
    return [nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)]


def test_going_back_eagerly_leaves_statistics_and_random_numbers_as_they_are():
    def run(compiled):
        td.manual_seed(0)
        model = nn.Sequential(*convolutions(), nn.BatchNorm2d(8), nn.Dropout(0.3))
        called = td.compile(model, fullgraph=True) if compiled else model
        for _ in range(3):
            called(td.rand(3, 3, 8, 8)).sum().backward()
        out = called(td.rand(3, 3, 8, 8))
        drawn = td.rand(3)
        out.backward(td.full(out.shape, float("inf")))
        assert not compiled or called.programs[0].again.times == 1
        return drawn, td.rand(3), model.state_dict(), [p.grad for p in model.parameters()]

    with np.errstate(all="ignore"):
        same(run(False), run(True))


def test_a_function_that_has_to_be_called_again_must_find_everything_as_it_was():
    td.manual_seed(0)
    layers = nn.Sequential(*convolutions())
    fast = td.compile(layers, fullgraph=True)
    for _ in range(2):
        fast(td.rand(3, 3, 8, 8)).sum().backward()
    out = fast(td.rand(3, 3, 8, 8))
    with td.no_grad():
        layers[1].bias.mul_(2)
    with pytest.raises(RuntimeError, match=r"for which a compiled function has to be called again"):
        out.backward(td.full(out.shape, float("inf")))
