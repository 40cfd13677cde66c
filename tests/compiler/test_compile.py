"""`td.compile`: whole training steps give the same bits as without, however they are called."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
from benchmark_cases import cases

import tinygrad_dl as td
from tinygrad_dl import nn

F = nn.functional


def mlp(width=8, classes=3, optimizer=td.optim.Adam, layers=(), **options):
    """A step of a small network, its model and its optimiser; the same numbers each time."""
    td.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, width), nn.ReLU(), *layers, nn.Linear(width, classes))
    made = optimizer(model.parameters(), **options)

    def step(x, y):
        made.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        made.step()
        return loss

    return step, model, made


def batches(count, size=5, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    return [
        (td.from_numpy(rng.standard_normal((size, 6), dtype=np.float32)), td.from_numpy(rng.integers(0, classes, size)))
        for _ in range(count)
    ]


def same(a, b):
    """The same bits in both, wherever tensors are."""
    if isinstance(a, dict):
        assert list(a) == list(b)
        return [same(a[key], b[key]) for key in a]
    if isinstance(a, list | tuple):
        return [same(x, y) for x, y in zip(a, b, strict=True)]
    if isinstance(a, td.Tensor):
        assert a.dtype == b.dtype
        return np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
    assert a == b or (a is None and b is None)


def same_models(a, b):
    same(a.state_dict(), b.state_dict())
    same([p.grad for p in a.parameters()], [p.grad for p in b.parameters()])


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


def test_more_programs_than_the_limit_are_warned_of_and_run_eagerly():
    step, model, _ = mlp()
    other, twin, _ = mlp()
    fast = td.compile(other)
    sizes = [size for size in range(2, 10) for _ in range(2)]
    for size in sizes:
        ((x, y),) = batches(1, size)
        same(step(x, y), fast(x, y))
    assert len(fast.programs) == 8
    ((x, y),) = batches(1, 20)
    same(step(x, y), fast(x, y))
    with pytest.warns(UserWarning, match="more than 8 different kinds of calls of mlp.<locals>.step"):
        same(step(x, y), fast(x, y))
    same(step(x, y), fast(x, y))
    same_models(model, twin)


def test_a_wrong_class_is_refused_as_ever_and_changes_nothing():
    step, model, _ = mlp()
    fast = td.compile(step, fullgraph=True)
    (x, y), *_ = batches(1)
    for _ in range(3):
        fast(x, y)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    bad = y.clone()
    bad[0] = 17
    with pytest.raises(IndexError, match="17"):
        fast(x, bad)
    same(before, model.state_dict())
    assert fast.programs[0].redone == 1
    fast(x, y)


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


def test_a_stale_graph_is_refused_after_a_compiled_step():
    step, model, _ = mlp()
    fast = td.compile(step, fullgraph=True)
    (x, y), *_ = batches(1)
    for _ in range(3):
        fast(x, y)
    out = model(x.clone().requires_grad_()).sum()
    fast(x, y)
    with pytest.raises(RuntimeError, match="changed in place afterwards"):
        out.backward()


def test_the_result_of_a_step_can_not_be_gone_through_again():
    step, _, _ = mlp()
    fast = td.compile(step, fullgraph=True)
    (x, y), *_ = batches(1)
    losses = [fast(x, y) for _ in range(4)]
    assert all(loss.requires_grad for loss in losses)
    assert len({id(loss._data) for loss in losses}) == 4
    for loss in losses:
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()


def test_what_a_step_changes_in_python_is_named():
    count = 0

    def step(x):
        nonlocal count
        count += 1
        return x * 2

    fast = td.compile(step, fullgraph=True)
    fast(td.ones(2))
    with pytest.raises(RuntimeError, match=r"compile: .*count"):
        for _ in range(3):
            fast(td.ones(2))
    count = 0
    slow = td.compile(step)
    with pytest.warns(UserWarning, match=r"compile: .*count.* it runs eagerly"):
        for _ in range(4):
            slow(td.ones(2))
    assert count == 4 and not slow.programs


def test_values_that_decide_what_the_library_does_are_checked_in_each_run():
    def step(x):
        return F.scaled_dot_product_attention(x, x, x)

    fast = td.compile(step)
    td.manual_seed(0)
    x = td.randn(1, 2, 5, 4)
    for _ in range(3):
        same(fast(x), step(x))
    same(fast(x * 1000), step(x * 1000))
    assert fast.programs[0].redone == 1
    with pytest.warns(UserWarning, match="compile: values decide what is done"):
        for _ in range(4):
            fast(x * 1000)
    same(fast(x), step(x))
    assert not fast.programs


def test_what_asks_a_tensor_for_its_numbers_is_named_with_its_line():
    def step(x):
        return x * len(x.reshape(1, 2).tolist()[0])

    fast = td.compile(step, fullgraph=True)
    fast(td.ones(2))
    with pytest.raises(
        td.compiler.CompileError, match=r"compile: .*tolist.* at .*test_compile.py:\d+ in .*step"
    ) as caught:
        for _ in range(3):
            fast(td.ones(2))
    assert caught.value.line.rpartition("/")[2].startswith("test_compile.py:")
    slow = td.compile(step)
    with pytest.warns(UserWarning, match="tolist"):
        for _ in range(4):
            assert slow(td.ones(2)).tolist() == [2.0, 2.0]


def test_errors_of_the_step_are_those_without():
    def step(x, y):
        return x @ y

    fast = td.compile(step, fullgraph=True)
    for _ in range(4):
        with pytest.raises(RuntimeError) as plain:
            step(td.ones(2, 3), td.ones(2, 3))
        with pytest.raises(RuntimeError) as compiled:
            fast(td.ones(2, 3), td.ones(2, 3))
        assert str(plain.value) == str(compiled.value)


def test_inside_of_transforms_and_modes_it_runs_eagerly():
    fast = td.compile(lambda x: x.sin() * 2, fullgraph=True)
    x = td.linspace(0, 1, 4)
    for _ in range(4):
        fast(x)
    uses = fast.programs[0].uses
    same(td.func.vmap(fast)(x), x.sin() * 2)
    same(td.func.grad(lambda t: fast(t).sum())(x), x.cos() * 2)
    with td.inference_mode():
        assert fast(x).is_inference()
    with td.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        fast(x)
    assert fast.programs[0].uses == uses


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


def test_what_is_no_function_and_options_that_are_none_are_refused():
    with pytest.raises(TypeError, match=r"compile: got 3.*expected a function or a module"):
        td.compile(3)
    with pytest.raises(TypeError, match=r"compile: got .*Linear"):
        td.compile(nn.Linear)
    with pytest.raises(TypeError, match="modes"):
        td.compile(nn.Linear(1, 1), modes="default")
    with pytest.raises(RuntimeError, match="mode='fast'"):
        td.compile(nn.Linear(1, 1), mode="fast")
    with pytest.raises(RuntimeError, match="expected one of them"):
        td.compile(nn.Linear(1, 1), mode="default", options={"a": 1})
    with pytest.raises(TypeError, match="a function for backend"):
        td.compile(nn.Linear(1, 1), backend=lambda graph, inputs: graph)
    model = nn.Linear(1, 1)
    assert td.compile(model, disable=True) is model and td.compile(model, backend="eager") is model
    assert td.compile(disable=True)(model) is model


def test_functions_that_are_not_to_be_compiled():
    asked = []

    @td.compiler.disable
    def eager(x):
        asked.append(td.compiler.is_compiling())
        return x + 1

    fast = td.compile(lambda x: eager(x) * 2)
    with pytest.warns(UserWarning, match="eager is called, which is not to be compiled"):
        for _ in range(4):
            same(fast(td.ones(2)), td.full((2,), 4.0))
    assert not fast.programs and not any(asked)


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


def test_numbers_that_were_equal_once_need_not_stay_so():
    fast = td.compile(lambda x, a, b: x * a + b, fullgraph=True)
    x, number = td.ones(2), 2.0
    for _ in range(3):
        fast(x, number, number)
    same(fast(x, 3.0, 5.0), td.full((2,), 8.0))
    assert len(fast.programs) == 1


def test_what_a_step_returns_is_made_anew_or_refused():
    class Output:
        def __init__(self, loss):
            self.loss = loss

    fast = td.compile(lambda x: Output(x * 2))
    with pytest.warns(UserWarning, match="returns a Output"):
        for number in range(4):
            assert fast(td.full((1,), float(number))).loss.item() == 2.0 * number


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


def test_hooks_are_named():
    model = nn.Linear(3, 2)
    made = td.optim.Adam(model.parameters())

    def step(x):
        made.zero_grad()
        model(x).sum().backward()
        made.step()

    for register, match in (
        (lambda: model.register_forward_hook(lambda *_: None), "a Linear with a hook"),
        (lambda: made.register_step_pre_hook(lambda *_: None), "Adam with a hook that is called before steps"),
        (lambda: model.weight.register_hook(lambda g: g * 2), "weight with a hook of its gradient"),
    ):
        handle = register()
        fast = td.compile(step, fullgraph=True)
        fast(td.ones(2, 3))
        with pytest.raises(td.compiler.CompileError, match=match):
            fast(td.ones(2, 3))
        handle.remove()


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
