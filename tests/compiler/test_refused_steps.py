"""`td.compile`: what can't be a program is named, or runs as ever; errors are those of the eager step."""

from __future__ import annotations

import pytest

import tinygrad_dl as td
from compiler.steps import batches, mlp, same, same_models
from tinygrad_dl import nn

F = nn.functional


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
        td.compiler.CompileError, match=r"compile: .*tolist.* at .*test_refused_steps.py:\d+ in .*step"
    ) as caught:
        for _ in range(3):
            fast(td.ones(2))
    assert caught.value.line.rpartition("/")[2].startswith("test_refused_steps.py:")
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


def test_what_a_step_returns_is_made_anew_or_refused():
    class Output:
        def __init__(self, loss):
            self.loss = loss

    fast = td.compile(lambda x: Output(x * 2))
    with pytest.warns(UserWarning, match="returns a Output"):
        for number in range(4):
            assert fast(td.full((1,), float(number))).loss.item() == 2.0 * number


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


TEXTS = {
    "f-string": lambda loss: f"loss {loss}",
    "format spec": lambda loss: f"{loss:.3f}",
    "nested": lambda loss: f"{[loss, 1]} {dict(loss=loss)}",
    "str": str,
    "repr": repr,
    "format": lambda loss: format(loss, ".2f"),
    "percent": lambda loss: "%s %d" % (loss, 1),  # noqa: UP031
    "method": lambda loss: "{}".format(loss),  # noqa: UP032
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_of_a_tensor_is_that_of_each_call(text):
    def step(x):
        loss = (x * 2).sum()
        return loss, text(loss)

    with pytest.warns(UserWarning, match="asks a tensor"):
        fast = td.compile(step)
        for value in (1.0, 2.0, 3.0, 4.0):
            x = td.full((3,), value)
            assert fast(x)[1] == step(x)[1]
    with pytest.raises(td.compiler.CompileError, match=r"a text asks a tensor of shape \(\) for numbers"):
        strict = td.compile(step, fullgraph=True)
        for _ in range(3):
            strict(x)


def test_a_number_in_a_text_is_that_of_each_call():
    @td.compile
    def step(x, n):
        return x * n, f"{n} {x.shape}"

    with pytest.warns(UserWarning, match="values decide what is done: a number differs from that of the program"):
        for n in (1.0, 2.0, 3.0, 3.0, 4.0, 5.0):
            out, text = step(td.ones(2), n)
            assert out.tolist() == [n, n]
            assert text == f"{n} (2,)"
