"""`td.compile`: whole training steps give the same bits as without, however they are called."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
from benchmark_cases import cases

import tinygrad_dl as td
from compiler.steps import batches, mlp, same, same_models
from tinygrad_dl import nn

F = nn.functional


OPTIMIZERS = [
    (td.optim.Adam, {}),
    (td.optim.AdamW, {"weight_decay": 0.1}),
    (td.optim.SGD, {"lr": 0.1}),
    (td.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}),
    (td.optim.RMSprop, {"lr": 1e-3}),
    (td.optim.Adagrad, {"lr": 0.1}),
]


@pytest.mark.parametrize(("optimizer", "options"), OPTIMIZERS)
def test_a_training_step_gives_the_same_bits(optimizer, options):
    step, model, made = mlp(optimizer=optimizer, **options)
    other, twin, its = mlp(optimizer=optimizer, **options)
    fast = td.compile(other, fullgraph=True)
    for x, y in batches(6):
        same(step(x, y), fast(x, y))
        same_models(model, twin)
    assert [program.uses for program in fast.programs] == [4]
    same(made.state_dict(), its.state_dict())


def test_dropout_and_batch_norm_draw_and_count_as_ever():
    layers = nn.BatchNorm1d(8), nn.Dropout(0.5)
    step, model, _ = mlp(layers=layers)
    other, twin, _ = mlp(layers=(nn.BatchNorm1d(8), nn.Dropout(0.5)))
    fast = td.compile(other, fullgraph=True)
    for number, (x, y) in enumerate(batches(6)):
        td.manual_seed(number)
        expected, drawn = step(x, y), td.rand(1)
        td.manual_seed(number)
        same(expected, fast(x, y))
        same(drawn, td.rand(1))
        same_models(model, twin)
    assert fast.programs[0].uses == 4


def test_training_and_evaluation_mode_have_programs_of_their_own():
    step, model, _ = mlp(layers=(nn.BatchNorm1d(8), nn.Dropout(0.5)))
    other, twin, _ = mlp(layers=(nn.BatchNorm1d(8), nn.Dropout(0.5)))
    fast = td.compile(other, fullgraph=True)
    for number, (x, y) in enumerate(batches(9)):
        for each in (model, twin):
            each.train(number % 2 == 0)
        td.manual_seed(number)
        expected = step(x, y)
        td.manual_seed(number)
        same(expected, fast(x, y))
    assert len(fast.programs) == 2 and sum(program.uses for program in fast.programs) >= 5
    same_models(model, twin)


def test_a_schedule_outside_of_the_step_needs_no_new_program():
    step, model, made = mlp()
    other, twin, its = mlp()
    fast = td.compile(other, fullgraph=True)
    schedules = [td.optim.lr_scheduler.StepLR(each, 2, 0.5) for each in (made, its)]
    for x, y in batches(8):
        same(step(x, y), fast(x, y))
        for schedule in schedules:
            schedule.step()
    same_models(model, twin)
    assert len(fast.programs) == 1 and its.param_groups[0]["lr"] == 1e-3 * 0.5**4


def test_a_schedule_of_momenta_makes_them_numbers():
    step, model, made = mlp(optimizer=td.optim.SGD, lr=0.1, momentum=0.9)
    other, twin, its = mlp(optimizer=td.optim.SGD, lr=0.1, momentum=0.9)
    fast = td.compile(other, fullgraph=True)
    schedules = [td.optim.lr_scheduler.OneCycleLR(each, 0.1, total_steps=20) for each in (made, its)]
    for x, y in batches(10):
        same(step(x, y), fast(x, y))
        for schedule in schedules:
            schedule.step()
    same_models(model, twin)
    assert len(fast.programs) == 2 and fast.programs[0].uses >= 6


def test_new_shapes_get_new_programs():
    step, model, _ = mlp()
    other, twin, _ = mlp()
    fast = td.compile(other, fullgraph=True)
    for size in (4, 4, 4, 7, 7, 7, 4, 7):
        ((x, y),) = batches(1, size)
        same(step(x, y), fast(x, y))
    assert sorted(program.key for program in fast.programs) == [
        "float32[4, 6], int64[4]",
        "float32[7, 6], int64[7]",
    ]
    same_models(model, twin)


def test_gradients_stay_what_they_were_when_somebody_keeps_them():
    step, model, _ = mlp()
    fast = td.compile(step, fullgraph=True)
    (first, second, third, fourth, fifth) = batches(5)
    for x, y in (first, second, third):
        fast(x, y)
    kept = [p.grad for p in model.parameters()]
    arrays = [each.numpy().copy() for each in kept]
    fast(*fourth)
    fast(*fifth)
    for each, array in zip(kept, arrays, strict=True):
        np.testing.assert_array_equal(each.numpy(), array)
    assert all(type(p.grad) is td.Tensor for p in model.parameters())


def test_gradients_are_accumulated_over_several_steps():
    def make():
        _, model, made = mlp()

        def part(x, y):
            loss = F.cross_entropy(model(x), y) / 2
            loss.backward()
            return loss

        return part, model, made

    part, model, made = make()
    other, twin, its = make()
    fast = td.compile(other, fullgraph=True)
    for number, (x, y) in enumerate(batches(12)):
        same(part(x, y), fast(x, y))
        same([p.grad for p in model.parameters()], [p.grad for p in twin.parameters()])
        if number % 3 == 2:
            for each in (made, its):
                each.step()
                each.zero_grad()
    same_models(model, twin)
    assert len(fast.programs) == 2


def test_gradients_are_clipped():
    def make():
        _, model, made = mlp(optimizer=td.optim.SGD, lr=0.1)

        def step(x, y):
            made.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            made.step()
            return loss, {"norm": norm}

        return step, model

    step, model = make()
    other, twin = make()
    fast = td.compile(other, fullgraph=True)
    for x, y in batches(5):
        same(step(x, y), fast(x, y))
        same_models(model, twin)
    assert fast.programs[0].uses == 3


def test_parameters_whose_memory_is_replaced_get_another_program():
    step, model, _ = mlp()
    other, twin, _ = mlp()
    fast = td.compile(other, fullgraph=True)
    for number, (x, y) in enumerate(batches(9)):
        if number == 4:
            for each in (model, twin):
                each[0].weight.data = td.ones(8, 6)
        same(step(x, y), fast(x, y))
        same_models(model, twin)
    assert len(fast.programs) == 2


def test_a_loaded_state_is_used():
    step, model, made = mlp()
    other, twin, its = mlp()
    fast = td.compile(other, fullgraph=True)
    saved = None
    for number, (x, y) in enumerate(batches(12)):
        if number == 4:
            saved = made.state_dict(), its.state_dict()
        if number == 7:
            made.load_state_dict(saved[0])
            its.load_state_dict(saved[1])
        same(step(x, y), fast(x, y))
        same_models(model, twin)
    same(made.state_dict(), its.state_dict())


def test_frozen_parameters_and_unfrozen_ones():
    step, model, _ = mlp()
    other, twin, _ = mlp()
    fast = td.compile(other, fullgraph=True)
    for number, (x, y) in enumerate(batches(10)):
        for each in (model, twin):
            each[0].requires_grad_(number % 5 < 3)
        same(step(x, y), fast(x, y))
        same_models(model, twin)


def test_floats_are_read_at_each_run_and_integers_are_part_of_the_program():
    @td.compile(fullgraph=True)
    def scaled(x, factor, power):
        return x * factor + power

    x = td.tensor([1.0, 2.0])
    for factor in (0.5, 0.25, 3.0, 4.0, -1.0):
        same(scaled(x, factor, 2), x * factor + 2)
    assert len(scaled.programs) == 1
    for _ in range(3):
        same(scaled(x, 2.0, 3), x * 2.0 + 3)
    assert len(scaled.programs) == 2


def test_arguments_may_be_nested_and_named():
    def both(pair, *, named):
        return {"sum": pair[0] + pair[1]["b"], "rest": [named * 2, pair[2]]}

    fast = td.compile(both, fullgraph=True)
    for number in range(4):
        a, b, c = (td.full((2,), float(number + each)) for each in range(3))
        same(fast((a, {"b": b}, "text"), named=c), both((a, {"b": b}, "text"), named=c))
    assert fast.programs[0].uses == 2


def test_an_argument_that_is_changed_in_place_is_changed():
    def double_(x):
        x.mul_(2.0)
        return x

    fast = td.compile(double_, fullgraph=True)
    for _ in range(4):
        x = td.tensor([1.0, 3.0])
        version = x._version
        assert fast(x) is x
        assert x.tolist() == [2.0, 6.0] and x._version > version


def test_two_threads_take_turns():
    fast = td.compile(lambda x: (x * 2).sum(), fullgraph=True)
    found = []

    def work(number):
        for _ in range(50):
            found.append(fast(td.full((3,), float(number))).item() == 6.0 * number)

    threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 100 and all(found) and len(fast.programs) == 1


def test_a_compiled_function_inside_of_another_is_part_of_its_program():
    inner = td.compile(lambda x: x + 1, fullgraph=True)
    outer = td.compile(lambda x: inner(x) * 2, fullgraph=True)
    for _ in range(4):
        same(outer(td.ones(2)), td.full((2,), 4.0))
    assert outer.programs[0].uses == 2


def test_the_source_can_be_read_and_saved(tmp_path):
    step, _, _ = mlp()
    fast = td.compile(step, fullgraph=True)
    with pytest.raises(RuntimeError, match="call it twice"):
        print(fast.source)
    for x, y in batches(3):
        fast(x, y)
    assert "def step(" in fast.source and "loss.backward()" in fast.source and "# linear" in fast.source
    fast.save(tmp_path / "step.py")
    program = "import sys, step; assert 'tinygrad_dl' not in sys.modules; print(step.step.__name__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, env={})
    assert done.stdout == "step\n", done.stderr


def test_methods_are_compiled_for_each_object():
    class Scale:
        def __init__(self, factor):
            self.factor = factor

        @td.compile(fullgraph=True)
        def __call__(self, x):
            return x * self.factor

    two, three = Scale(2), Scale(3)
    for _ in range(4):
        same(two(td.ones(2)), td.full((2,), 2.0))
        same(three(td.ones(2)), td.full((2,), 3.0))
    two.factor = 5
    for _ in range(3):
        same(two(td.ones(2)), td.full((2,), 5.0))


def test_fit_gives_the_same_history_when_it_is_compiled():
    histories = []
    for compiled in (False, True):
        td.manual_seed(0)
        model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))
        made = td.optim.Adam(model.parameters(), lr=0.01)
        data = [*batches(4), *batches(1, size=2)]
        histories.append(td.train.fit(model, nn.CrossEntropyLoss(), made, data, data, epochs=5, compile=compiled))
    assert histories[0] == histories[1]


def test_fit_stops_on_nan_before_a_compiled_step_reaches_the_weights():
    td.manual_seed(0)
    model = nn.Linear(6, 3)
    made = td.optim.SGD(model.parameters(), lr=0.01)
    data = batches(4)
    bad = td.full((5, 6), float("nan")), data[0][1]
    with pytest.raises(FloatingPointError, match="the loss of batch 5 in epoch 1 is nan"):
        td.train.fit(model, nn.CrossEntropyLoss(), made, [*data, bad], epochs=2, compile=True)
    assert td.isfinite(model.weight).all()


# Functions whose backward pass is run on its own


def test_numbers_that_were_equal_once_need_not_stay_so():
    fast = td.compile(lambda x, a, b: x * a + b, fullgraph=True)
    x, number = td.ones(2), 2.0
    for _ in range(3):
        fast(x, number, number)
    same(fast(x, 3.0, 5.0), td.full((2,), 8.0))
    assert len(fast.programs) == 1


def test_steps_that_are_methods_and_take_arrays():
    class Trainer:
        def __init__(self):
            td.manual_seed(0)
            self.model = nn.Linear(3, 2)
            self.optimizer = td.optim.AdamW(self.model.parameters(), lr=0.1)
            self.schedule = td.optim.lr_scheduler.StepLR(self.optimizer, 2)

        def plain(self, array, target):
            self.optimizer.zero_grad()
            loss = F.mse_loss(self.model(td.from_numpy(array)), target)
            loss.backward()
            self.optimizer.step()
            return loss

        compiled = td.compile(plain, fullgraph=True)

    eager, fast = Trainer(), Trainer()
    for number in range(6):
        array, target = np.full((4, 3), number, np.float32), td.full((4, 2), 0.5)
        same(eager.plain(array, target), fast.compiled(array, target))
        eager.schedule.step()
        fast.schedule.step()
    same_models(eager.model, fast.model)
    assert Trainer.compiled.programs[0].uses == 4


def test_averages_of_weights_are_changed_in_place():
    model = nn.Linear(3, 2)
    average = [p.detach().clone() for p in model.parameters()]
    expected = [each.clone() for each in average]

    def update(averages):
        with td.no_grad():
            for each, p in zip(averages, model.parameters(), strict=True):
                each.mul_(0.9).add_(p, alpha=0.1)

    fast = td.compile(lambda: update(average), fullgraph=True)
    for number in range(4):
        with td.no_grad():
            model.weight.fill_(float(number))
        update(expected)
        assert fast() is None
        same(average, expected)


def test_estimators_give_the_same_model_when_they_are_compiled():
    pytest.importorskip("sklearn")
    x = np.random.default_rng(0).standard_normal((70, 4)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    found = [
        td.estimators.TinygradClassifier((8,), epochs=5, dropout=0.2, random_state=0, compile=compiled).fit(x, y)
        for compiled in (False, True)
    ]
    assert found[0].history_ == found[1].history_
    same(found[0].module_.state_dict(), found[1].module_.state_dict())


def test_regressors_take_compile_and_their_clones_keep_it():
    base = pytest.importorskip("sklearn.base")
    x = np.random.default_rng(0).standard_normal((70, 4)).astype(np.float32)
    models = [
        td.estimators.TinygradRegressor((8,), epochs=3, random_state=0, compile=compiled) for compiled in (False, True)
    ]
    assert [base.clone(model).get_params()["compile"] for model in models] == [False, True]
    first, second = (base.clone(model).fit(x, x[:, 0] * x[:, 1]) for model in models)
    np.testing.assert_array_equal(first.predict(x), second.predict(x))


CASES = {
    "MLP 64-128-10": 3,
    "MLP, BatchNorm, Dropout": 3,
    "gradient penalty": 3,
    "LeNet": 2,
    "convolutional autoencoder": 2,
    "LSTM 32x50x128": 1,
    "GPT, 4 layers of 128": 1,
}


@pytest.mark.parametrize(("name", "runs"), CASES.items())
def test_steps_of_the_benchmarks_give_the_same_bits(name, runs):
    td.manual_seed(0)
    step = cases.CASES[name].case(td)
    td.manual_seed(0)
    fast = td.compile(cases.CASES[name].case(td), fullgraph=True)
    for number in range(2 + runs):
        td.manual_seed(number)
        expected = step()
        td.manual_seed(number)
        same(expected, fast())
    assert fast.programs[0].uses == runs and not fast.programs[0].redone


def test_gradients_of_each_example_have_a_program():
    td.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def loss(parameters, x, y):
        return F.cross_entropy(td.func.functional_call(model, parameters, (x[None],)), y[None])

    def step(x, y):
        return td.func.vmap(td.func.grad(loss), in_dims=(None, 0, 0))(parameters, x, y)

    fast = td.compile(step, fullgraph=True)
    for x, y in batches(4):
        same(fast(x, y), step(x, y))
    assert fast.programs[0].uses == 2


@pytest.mark.parametrize("name", ["erf", "erfc", "erfinv", "gelu"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_error_functions_take_one_way_for_all_values(name, dtype):
    function = getattr(td, name, None) or getattr(F, name)
    rng = np.random.default_rng(0)

    def step(x):
        x = x.clone().requires_grad_()
        y = function(x)
        return y.detach(), td.autograd.grad(y.sum(), x)[0]

    fast = td.compile(step, fullgraph=True)
    for scale in (1.0, 1.0, 0.1, 8.0, 1.0):
        x = td.from_numpy((rng.standard_normal(300) * scale).astype(dtype))
        x = x.tanh() * 0.999 if name == "erfinv" else x
        same(fast(x), step(x))
    assert fast.programs[0].uses >= 2


@pytest.mark.parametrize("replacement", [False, True])
def test_samples_of_a_distribution_are_drawn_by_a_program(replacement):
    def step(weights):
        return td.multinomial(weights, 3, replacement=replacement)

    fast, found = td.compile(step, fullgraph=True), []
    for called in (step, fast):
        td.manual_seed(0)
        found.append([called(td.arange(1.0, 7.0)) for _ in range(4)])
    same(*found)
    assert fast.programs[0].uses == 2
