"""The testing kit itself: what it accepts, what it catches, and how it says so."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_dl as td
from tinygrad_dl.op import Array
from tinygrad_dl.samples import array, axis_of, broadcasting, complexes, error, integers, one_of, real, reals
from tinygrad_dl.testing import (
    GradcheckError,
    OpError,
    arguments,
    broadcastable_shapes,
    check_call,
    check_op,
    gradcheck,
    gradgradcheck,
    indices,
    relative_difference,
    shapes,
    tensors,
    verdict,
)
from tinygrad_dl.testing.call import Call
from tinygrad_dl.testing.report import Entry, pasteable, worst


def double(*values: float) -> td.Tensor:
    return td.tensor(np.array(values), requires_grad=True)


@pytest.fixture
def declared():
    """Forgets the ops that a test declares."""
    before = set(td.op.registry)
    yield
    for name in set(td.op.registry) - before:
        del td.op.registry[name]


# -- verdicts and reports ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("relative", "expected"),
    [(0.0, "right"), (9e-8, "right"), (2e-7, "look again"), (2e-5, "suspicious"), (2e-3, "wrong"), (1.0, "wrong")],
)
def test_verdicts(relative, expected):
    assert verdict(relative) == expected


def test_relative_difference():
    assert relative_difference(1.0, 3.0) == 0.5
    assert relative_difference(0.0, 0.0) == 0.0
    assert relative_difference(float("nan"), 1.0) == 1.0


def test_rounding_is_no_difference_and_kinks_are_left_aside():
    noise = Entry("x", (0,), 0.0, 1e-12, noise=1e-11)
    assert noise.verdict == "right" and noise.agrees(1e-7) and noise.relative == 1.0
    kink = Entry("x", (1,), 1.0, 0.5, kink=True)
    assert kink.verdict == "kink" and worst([kink, noise]) is noise and worst([kink]) is None


@pytest.mark.parametrize(
    "value",
    [np.array([1.5, -2.0]), np.zeros((0, 3)), np.array([1, 2]), np.float32([1.5]), (1, [2, slice(1, None, 2)]), "sum", None],
)
def test_pasteable_values_give_themselves_back(value):
    again = eval(pasteable(value), {"np": np})
    if isinstance(value, np.ndarray):
        assert again.dtype == value.dtype and again.shape == value.shape and (again == value).all()
    else:
        assert again == value


# -- gradcheck -------------------------------------------------------------------------------------


def test_gradcheck_accepts_what_is_right():
    assert gradcheck(lambda x, y: x * y.exp(), [double(0.5, -1.0), double(2.0)])
    assert gradgradcheck(lambda x, y: x * y.exp(), [double(0.5, -1.0), double(2.0)])
    assert gradcheck(lambda x: (x * 2, x.exp()), double(0.5, 1.0))
    assert gradcheck(lambda x, factor: x * factor, [double(0.5), 3.0])


class Halved(td.autograd.Function):
    """The square, with half of its gradient."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * x


def test_gradcheck_names_the_worst_entries():
    with pytest.raises(GradcheckError) as raised:
        gradcheck(lambda a, b: a + Halved.apply(b), [double(1.0, 2.0), double(3.0, 4.0)], names=["a", "weight"])
    text = str(raised.value)
    assert "2 of 4 entries differ" in text
    assert re.search(r"weight\[[01]\]: analytic .*, numeric .*, relative difference 3\.3e-01: wrong", text)
    assert "a[" not in text.replace("weight[", "")
    assert gradcheck(Halved.apply, double(3.0), raise_exception=False) is False


def test_gradgradcheck_finds_a_wrong_second_derivative():
    class DetachedSquare(td.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 2 * x.detach()

    assert gradcheck(DetachedSquare.apply, double(3.0))
    with pytest.raises(GradcheckError, match="gradgradcheck"):
        gradgradcheck(lambda x: DetachedSquare.apply(x) * x, double(3.0))


def test_gradcheck_leaves_kinks_aside_but_not_their_neighbours():
    assert gradcheck(lambda x: x.abs(), double(0.0, 1.0, -2e-4))

    class WrongAbs(td.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.abs()

        @staticmethod
        def backward(ctx, g):
            return g

    assert gradcheck(WrongAbs.apply, double(0.0, 1.0))
    with pytest.raises(GradcheckError, match=r"\[1\]: analytic"):
        gradcheck(WrongAbs.apply, double(0.0, -2e-4))


def test_gradcheck_warns_below_float64():
    with pytest.warns(UserWarning, match=r"x below float64.*t\.double\(\)"):
        gradcheck(lambda x: x * 2.0, td.tensor([1.0], requires_grad=True), rtol=1e-2, eps=0.1)


def test_gradcheck_refuses_functions_that_are_not_deterministic():
    def dropped(x):
        return x * td.rand(3, dtype=td.float64)

    with pytest.raises(GradcheckError, match="not deterministic.*dropout"):
        gradcheck(dropped, double(1.0, 2.0, 3.0))


def test_gradcheck_says_when_there_is_nothing_to_check():
    with pytest.raises(ValueError, match="no input requires a gradient"):
        gradcheck(lambda x: x, td.tensor([1.0]))
    with pytest.raises(ValueError, match="no output requires a gradient"):
        gradcheck(lambda x: x.detach() * 2, double(1.0))
    with pytest.raises(TypeError, match="returned float, expected a tensor"):
        gradcheck(lambda x: 1.0, double(1.0))


def test_gradcheck_leaves_its_inputs_alone():
    x = double(1.0, 2.0)
    assert gradcheck(lambda x: x * x, x)
    assert x.grad is None and x.tolist() == [1.0, 2.0]


# -- check_op ----------------------------------------------------------------------------------------


def test_an_op_from_outside_is_declared_and_checked_in_under_ten_lines(declared):
    @td.op(inputs=dict(x=real(), n=one_of(1, 2, 3)), reference=lambda x, n: np.prod([x] * n, 0), method=False)
    def integer_power(x, n=2):
        return x**n

    integer_power.vjp(x=lambda g, x, n: g * n * x ** (n - 1))
    check_op(integer_power)


def declare(rule, body=np.exp, **options):
    options.setdefault("inputs", dict(x=real(-1, 1, min_side=1)))
    options.setdefault("reference", np.exp)

    def wrong(x):
        return body(x)

    function = td.op(method=False, **options)(wrong)
    function.vjp(x=rule)
    return function


WRONG = {
    "gradient": (lambda g, x: g * np.exp(x) * 1.001, {}, "the gradient differs from central differences"),
    "shape": (lambda g, out: np.sum(g * out), {}, "returned shape"),
    "linear": (lambda g, out: np.abs(g) * out, {}, "differs"),
    "value": (lambda g, out: g * out, dict(reference=np.exp2), "the result differs from the reference"),
    "saved": (lambda g, out, x: g * out, {}, "keep 'x' alive"),
    "dtype": (lambda g, out: g * out * np.float64(1), {}, "returned float64 for arguments of float32"),
    "result dtype": (
        lambda g, out: g * out,
        dict(body=lambda x: np.exp(x) * np.ones(x.shape)),
        "give a result of float64, expected float32",
    ),
    "second order": (
        lambda g, x: g * (np.exp(x._data) if hasattr(x, "_data") else np.exp(x)),
        {},
        "second derivative",
    ),
    "mutated input": (
        lambda g, out: g * out,
        dict(body=lambda x: np.exp(x, out=x).copy()),
        "the forward computation changed its argument 'x'",
    ),
    "memory layout": (
        lambda g, out: g * out,
        dict(body=lambda x: np.exp(np.ravel(x, "K").reshape(x.shape))),
        "arguments differs from that on contiguous ones",
    ),
    "warning": (
        lambda g, out: g * out,
        dict(body=lambda x: np.exp(x) + 0 / (x - x)),
        "invalid value",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_op_is_caught(declared, what):
    rule, options, expected = WRONG[what]
    with pytest.raises(OpError, match=re.escape(expected)):
        check_op(declare(rule, **options))


def test_a_changed_cotangent_is_caught(declared):
    def rule(g, out):
        if type(g) is np.ndarray:
            g *= out
            return g
        return g * out

    with pytest.raises(OpError, match="backward changed the gradient that it started from|gives another gradient"):
        check_op(declare(rule))


def test_recorded_and_bare_passes_must_agree(declared):
    with pytest.raises(OpError, match="bare pass and of one with create_graph=True"):
        check_op(declare(lambda g, out: g * out if type(g) is np.ndarray else g * out * (1 + 1e-14)))


def test_wrong_broadcasting_is_caught(declared):
    @td.op(inputs=broadcasting(real(), real()), reference=np.multiply, method=False)
    def wrong(x: Array, y: Array) -> Array:
        return np.multiply(x, y)

    wrong.vjp(x=lambda g, y: g * y, y=lambda g, x, y_shape: np.reshape((g * x).ravel()[: int(np.prod(y_shape))], y_shape))
    with pytest.raises(OpError):
        check_op(wrong)


def test_a_failure_can_be_seen_again(declared):
    wrong = declare(lambda g, out: -g * out)
    with pytest.raises(OpError) as raised:
        check_op(wrong)
    text = str(raised.value)
    assert re.search(r"op wrong: the gradient differs.*\n  x.*analytic .*numeric .*relative difference 1\.0e\+00: wrong", text)
    line = next(line for line in text.splitlines() if line.startswith("to see it again: "))
    with pytest.raises(OpError, match="the gradient differs"):
        exec(line.removeprefix("to see it again: "), {"np": np, "td": td})


def test_a_declaration_must_be_complete(declared):
    @td.op(method=False)
    def bare(x, y):
        return x * y

    with pytest.raises(OpError, match=r"(?s)can't be checked.*its legal inputs: inputs=.*reference="):
        check_op(bare)

    @td.op(method=False, inputs=broadcasting(real(), real()), reference=np.multiply)
    def ruleless(x, y):
        return x * y

    ruleless.vjp(x=lambda g, y: g * y)
    with pytest.raises(OpError, match=r"a gradient rule for 'y': ruleless\.vjp\(y=lambda g"):
        check_op(ruleless)


def test_nothing_but_kinks_is_no_proof(declared):
    @td.op(method=False, inputs=dict(x=real(0.0, 0.0)), reference=lambda x: np.where(x > 0, x, 0))
    def kinked(x):
        return np.maximum(x, 0)

    kinked.vjp(x=lambda g, x: g * (x > 0))
    with pytest.raises(OpError, match=r"were kinks, none could be compared.*avoid"):
        check_op(kinked)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (error(ValueError, "broadcast", array(2), array(2)), "gave tensor.*expected ValueError"),
        (error(TypeError, "broadcast", array(2), array(3)), "raised ValueError.*expected TypeError"),
        (error(ValueError, "no such words", array(2), array(3)), "expected a text that matches 'no such words'"),
    ],
)
def test_refusals_are_checked(declared, case, expected):
    @td.op(method=False, inputs=broadcasting(real(), real()), reference=np.add, errors=[case])
    def plus(x, y):
        return np.add(x, y)

    plus.vjp(x=lambda g: g, y=lambda g: g)
    with pytest.raises(OpError, match=f"(?s){expected}"):
        check_op(plus)


def test_random_ops_are_checked_with_a_fixed_seed(declared):
    def noise(shape):
        return td.rand(*shape, dtype=td.float64).numpy()

    @td.op(method=False, inputs=dict(x=real()), aux={"kept": None}, reference=lambda x: x * (noise(x.shape) < 0.5))
    def dropped(x):
        kept = (noise(x.shape) < 0.5).astype(x.dtype)
        return x * kept, kept

    dropped.vjp(x=lambda g, kept: g * kept)
    check_op(dropped)


def test_ops_are_found_by_function_record_and_name():
    check_op(td.mul, max_examples=2)
    check_op(td.mul.op, max_examples=2)
    check_op("mul", max_examples=2)
    check_call("mul", input=np.array([1.0, 2.0]), other=np.array(3.0))
    with pytest.raises(ValueError, match="no op is named 'mull'"):
        check_op("mull")
    with pytest.raises(TypeError, match="expected an op declared with @td.op"):
        check_op(np.exp)


# -- strategies --------------------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=50)
def test_strategies_draw_what_they_say(data):
    shape = data.draw(shapes(min_dims=1, max_dims=2, min_side=1, max_side=3))
    assert 1 <= len(shape) <= 2 and all(1 <= side <= 3 for side in shape)
    drawn = data.draw(tensors(shape=shape, dtype=np.float32, low=-1, high=2, requires_grad=True))
    assert drawn.shape == shape and drawn.dtype == np.float32 and drawn.requires_grad
    assert ((drawn.numpy(force=True) >= -1) & (drawn.numpy(force=True) <= 2)).all()
    assert data.draw(tensors(dtype=np.int64)).dtype == np.int64
    np.broadcast_shapes(*data.draw(broadcastable_shapes(3)))
    np.zeros(shape)[data.draw(indices(shape))]


CASES = dict(input=real(avoid=(0.0,), min_dims=1), dim=axis_of("input"))


@given(st.data())
@settings(max_examples=50)
def test_arguments_keep_to_the_declaration(data):
    call = data.draw(arguments(td.op.registry["words_for_tests"]))
    x, weight, index = (call.values[name] for name in ("x", "weight", "index"))
    assert (np.abs(x) >= 0.04).all() and len(np.unique(weight)) == weight.size
    assert weight.shape[-1] == x.shape[-1] and weight.shape[:-1] == x.shape[:-1]
    assert ((index >= 0) & (index < x.shape[-1])).all()
    assert all(each.dtype == np.complex128 for each in call.values["many"]) or call.values["many"] == []
    assert -x.ndim <= call.values["dim"] < x.ndim


@pytest.fixture(autouse=True, scope="module")
def words():
    """An op that uses many words of the vocabulary."""

    @td.op(
        method=False,
        name="words_for_tests",
        differentiable=False,
        inputs=dict(
            x=real(avoid=(0.0,), shape="... n"),
            weight=real(shape="... n", distinct=True),
            index=integers(0, "n", shape="b"),
            many=complexes(shape="2"),
            dim=axis_of("x"),
        ),
        reference=lambda x: x,
    )
    def words_for_tests(x: Array, weight: Array, index: Array, many: Array, dim):
        return x

    yield
    del td.op.registry["words_for_tests"]


@given(st.data())
@settings(max_examples=20)
def test_sequences_are_drawn(data):
    call = data.draw(arguments("cat"))
    assert isinstance(call, Call) and isinstance(call.values["tensors"], list)
    assert reals(real(), 2, 3).max_count == 3


# -- without hypothesis ----------------------------------------------------------------------------


def test_gradcheck_works_without_hypothesis_and_check_op_says_what_to_install():
    program = """
import sys
sys.modules["hypothesis"] = None
import tinygrad_dl as td
from tinygrad_dl.testing import check_module, gradcheck
x = td.tensor([2.0], dtype=td.float64, requires_grad=True)
assert gradcheck(lambda x: x * x, x)
from tinygrad_dl.testing import check_op
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode
    last = done.stderr.strip().splitlines()[-1]
    assert last == (
        "ImportError: tinygrad_dl.testing.check_op draws its inputs with hypothesis: "
        "pip install 'tinygrad_dl[testing]'"
    )
