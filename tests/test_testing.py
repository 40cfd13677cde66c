"""check_op and the strategies: what they accept, what they catch, and how they say so."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_dl as td
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.inputs import array, axis_of, broadcasting, complexes, error, integers, one_of, real, reals
from tinygrad_dl.testing import (
    OpError,
    arguments,
    broadcastable_shapes,
    check_call,
    check_op,
    indices,
    shapes,
    tensors,
)
from tinygrad_dl.testing.call import Call


@pytest.fixture
def declared():
    """Forgets the ops that a test declares."""
    before = set(td.op.registry)
    yield
    for name in set(td.op.registry) - before:
        del td.op.registry[name]


# -- check_op ----------------------------------------------------------------------------------------


def test_an_op_from_outside_is_declared_and_checked_in_under_ten_lines(declared):
    @td.op(inputs={"x": real(), "n": one_of(1, 2, 3)}, reference=lambda x, n: np.prod([x] * n, 0), method=False)
    def integer_power(x, n=2):
        return x**n

    integer_power.vjp(x=lambda g, x, n: g * n * x ** (n - 1))
    check_op(integer_power)


def declare(rule, body=np.exp, **options):
    options.setdefault("inputs", {"x": real(-1, 1, min_side=1)})
    options.setdefault("reference", np.exp)

    def wrong(x):
        return body(x)

    function = td.op(method=False, **options)(wrong)
    function.vjp(x=rule)
    return function


WRONG = {
    "gradient": (lambda g, x: g * np.exp(x) * 1.001, {}, "the gradient differs from central differences"),
    "shape": (lambda g, out: np.sum(g * out), {}, "got a gradient of shape"),
    "linear": (lambda g, out: np.abs(g) * out, {}, "differs"),
    "value": (lambda g, out: g * out, {"reference": np.exp2}, "the result differs from the reference"),
    "saved": (lambda g, out, x: g * out, {}, "keep 'x' alive"),
    "dtype": (lambda g, out: g * out * np.float64(1), {}, "returned float64 for arguments of float32"),
    "result dtype": (
        lambda g, out: g * out,
        {"body": lambda x: np.exp(x) * np.ones(x.shape)},
        "give a result of float64, expected float32",
    ),
    "second order": (
        lambda g, x: g * (np.exp(x._data) if hasattr(x, "_data") else np.exp(x)),
        {},
        "second derivative",
    ),
    "mutated input": (
        lambda g, out: g * out,
        {"body": lambda x: np.exp(x, out=x).copy()},
        "the forward computation changed its argument 'x'",
    ),
    "memory layout": (
        lambda g, out: g * out,
        {"body": lambda x: np.exp(np.ravel(x, "K").reshape(x.shape))},
        "arguments differs from that on contiguous ones",
    ),
    "warning": (
        lambda g, out: g * out,
        {"body": lambda x: np.exp(x) + 0 / (x - x)},
        "invalid value",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_op_is_caught(declared, what):
    rule, options, expected = WRONG[what]
    with pytest.raises(OpError, match=re.escape(expected)):
        check_op(declare(rule, **options))


NOISE = np.random.default_rng(0)
KEPT = {}


def kept_buffer(g, out):
    return np.multiply(g, out, out=KEPT.setdefault(g.shape, np.empty(g.shape))) if type(g) is np.ndarray else g * out


def written(which):
    """A rule that makes its result in the memory of what it got."""

    def rule(g, out):
        return np.multiply(g, out, out=g if which == "g" else out) if type(g) is np.ndarray else g * out

    return rule


def unless(is_usual):
    """A rule that is right for the usual gradients alone."""
    return lambda g, out: g * out * (1 if type(g) is not np.ndarray or is_usual(g) else 2)


SOFTPLUS = {"inputs": {"x": real()}, "reference": lambda x: np.logaddexp(0, x)}
SUBTLE = {
    "long dimensions": (unless(lambda g: max(g.shape, default=0) <= 4), {}, "the gradient differs"),
    "longer ones": (unless(lambda g: max(g.shape, default=0) <= 16), {}, "the gradient differs"),
    "gaps in g": (
        unless(lambda g: g.flags.c_contiguous or 0 in g.strides),
        {},
        "the gradient for 'x' from a stepped g",
    ),
    "g in column-major order": (unless(lambda g: g.flags.c_contiguous or not g.flags.f_contiguous), {}, "from a trans"),
    "g backwards": (unless(lambda g: min(g.strides, default=1) >= 0), {}, "from a reversed g"),
    "g repeated": (unless(lambda g: min(map(abs, g.strides), default=1) > 0), {}, "from a g of one repeated number"),
    "overflow": (
        lambda g, x: g / (1 + np.exp(-x)),
        {**SOFTPLUS, "body": lambda x: np.log(1 + np.exp(x))},
        "at large arguments the result differs from the reference",
    ),
    "overflow in the reference too": (
        lambda g, x: g / (1 + np.exp(-x)),
        {**SOFTPLUS, "body": lambda x: np.log(1 + np.exp(x)), "reference": lambda x: np.log1p(np.exp(x))},
        "at large arguments the result differs from the reference",
    ),
    "overflow in the rule": (
        lambda g, x: g * np.exp(x) / (1 + np.exp(x)),
        {**SOFTPLUS, "body": lambda x: np.logaddexp(0, x)},
        "analytic nan",
    ),
    "a plain tuple": (
        lambda g: g,
        {"body": lambda x: (x, x)},
        "op wrong: got a tuple of 2, expected one array; declare several outputs with outputs=tuple",
    ),
    "a random rule": (
        lambda g, out: g * out * (1 + 1e-12 * NOISE.random()),
        {},
        "the rule for 'x' is not deterministic",
    ),
    "a random op": (
        lambda g, out: g * out,
        {"body": lambda x: np.exp(x) * (1 + 1e-14 * NOISE.random())},
        "the op is not deterministic",
    ),
    "an array that is kept": (kept_buffer, {}, "the rule for 'x' returns an array that it keeps, expected a new one"),
    "a changed g": (written("g"), {}, "the rule for 'x' writes into g, expected a new array"),
    "a changed saved value": (
        written("out"),
        {},
        "the rule for 'x' writes into the value of 'out' that the node keeps",
    ),
}
if np.finfo(np.longdouble).maxexp <= np.finfo(np.float64).maxexp:  # no precision beyond float64 to ask the reference in
    del SUBTLE["overflow in the reference too"]


@pytest.mark.parametrize("what", SUBTLE)
def test_what_is_right_only_for_the_usual_inputs_is_caught(declared, what):
    KEPT.clear()
    rule, options, expected = SUBTLE[what]
    with pytest.raises(OpError, match=f"(?s)^op wrong: .*{re.escape(expected)}"), np.errstate(over="ignore"):
        check_op(declare(rule, **options))


def test_the_argument_whose_rule_writes_is_named(declared):
    @td.op(kind="elementwise", inputs=broadcasting(real(), real()), reference=np.multiply)
    def product(x, y):
        return x * y

    product.vjp(x=lambda g, y: g * y, y=lambda g, x: np.multiply(g, x, out=g) if g.shape == np.shape(x) else g * x)
    with pytest.raises(OpError, match=r"^op product: the rule for 'y' writes into g"):
        check_op(product)


def test_a_failure_that_does_not_come_again_is_told_as_what_it_was(declared):
    calls = []

    def seldom(g, out):
        calls.append(g)
        return g * out * (1.5 if len(calls) == 11 else 1)

    with pytest.raises(OpError, match=r"^op wrong: ") as raised:
        check_op(declare(seldom))
    assert raised.value.__notes__ == [
        "with the same arguments it did not fail again: the op or a rule is not deterministic"
    ]


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ({"x": real(), "dim": 0, "z": 1}, "inputs= that name parameters: x, dim; got 'z'"),
        ({"x": real(), "dim": axis_of("input")}, "'dim' stands after what it is drawn from; 'input' is not before it"),
        ({"dim": axis_of("x"), "x": real()}, "'dim' stands after what it is drawn from; 'x' is not before it"),
        ({"x": real()}, "a sample for 'dim' in inputs=, which has no default"),
        (broadcasting(real(), real()), r"as there are tensors: \('x',\), got 2.*"),
    ],
)
def test_inputs_that_do_not_fit_the_parameters_are_one_clear_error(declared, inputs, text):
    @td.op(kind="elementwise", inputs=inputs, reference=np.sum)
    def total(x: Array, dim: int):
        return np.sum(x, dim)

    total.vjp(x=lambda g: g)
    with pytest.raises(OpError, match=f"(?s)^op total can't be checked; its declaration needs .*{text}$"):
        check_op(total)


def test_check_op_says_how_much_it_compared(declared):
    report = check_op(declare(lambda g, out: g * out))
    assert report.inputs >= 36 and report.compared["x"] > 100 and report.skipped == 0
    assert re.fullmatch(
        rf"op wrong: right at {report.inputs} inputs; entries of the gradient compared: {report.compared['x']} of 'x'; "
        "0 refused",
        str(report),
    )
    assert str(check_op("eq", max_examples=3)).startswith("op eq: right at ")


def test_no_entries_are_no_proof(declared):
    with pytest.raises(
        OpError, match=r"no entry of the gradient for 'x' was compared at .* inputs, expected one at least"
    ):
        check_op(declare(lambda g, out: g * out, inputs={"x": real(shape="0")}))


def test_recorded_and_bare_passes_must_agree(declared):
    with pytest.raises(OpError, match="of a pass with create_graph=True differs from that of a bare one"):
        check_op(declare(lambda g, out: g * out if type(g) is np.ndarray else g * out * (1 + 1e-11)))


def test_wrong_broadcasting_is_caught(declared):
    @td.op(kind="elementwise", inputs=broadcasting(real(), real()), reference=np.multiply, method=False)
    def wrong(x: Array, y: Array) -> Array:
        return np.multiply(x, y)

    def not_summed(g, x, y_shape):
        return np.reshape((g * x).ravel()[: int(np.prod(y_shape))], y_shape)

    wrong.vjp(x=lambda g, y: g * y, y=not_summed)
    with pytest.raises(OpError):
        check_op(wrong)


def test_a_failure_can_be_seen_again(declared):
    wrong = declare(lambda g, out: -g * out)
    with pytest.raises(OpError) as raised:
        check_op(wrong)
    text = str(raised.value)
    worst = r"x.*analytic .*numeric .*relative difference 1\.0e\+00: wrong"
    assert re.search(rf"op wrong: the gradient differs.*\n  {worst}", text)
    line = next(line for line in text.splitlines() if line.startswith("to see it again: "))
    with pytest.raises(OpError, match="the gradient differs"):
        exec(line.removeprefix("to see it again: "), {"np": np, "td": td})


def test_a_declaration_must_be_complete(declared):
    @td.op(method=False)
    def bare(x, y):
        return x * y

    with pytest.raises(OpError, match=r"(?s)can't be checked.*its legal inputs: inputs=.*reference="):
        check_op(bare)

    @td.op(kind="elementwise", method=False, inputs=broadcasting(real(), real()), reference=np.multiply)
    def ruleless(x, y):
        return x * y

    ruleless.vjp(x=lambda g, y: g * y)
    with pytest.raises(OpError, match=r"a gradient rule for 'y': ruleless\.vjp\(y=lambda g"):
        check_op(ruleless)


def test_nothing_but_kinks_is_no_proof(declared):
    @td.op(method=False, inputs={"x": real(0.0, 0.0)}, reference=lambda x: np.where(x > 0, x, 0))
    def kinked(x):
        return np.maximum(x, 0)

    kinked.vjp(x=lambda g, x: g * (x > 0))
    with pytest.raises(OpError, match=r"were kinks, none could be compared.*avoid"):
        check_op(kinked)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (error(ValueError, "broadcast", array(2), array(2)), "gave tensor.*expected ValueError"),
        (error(TypeError, "broadcast", array(2), array(3)), "raised ArgumentError.*expected TypeError"),
        (error(ValueError, "no such words", array(2), array(3)), "expected a first line that matches 'no such words'"),
    ],
)
def test_refusals_are_checked(declared, case, expected):
    @td.op(kind="elementwise", method=False, inputs=broadcasting(real(), real()), reference=np.add, errors=[case])
    def plus(x, y):
        return np.add(x, y)

    plus.vjp(x=lambda g: g, y=lambda g: g)
    with pytest.raises(OpError, match=f"(?s){expected}"):
        check_op(plus)


def test_random_ops_are_checked_with_a_fixed_seed(declared):
    def noise(shape):
        return td.rand(*shape, dtype=td.float64).numpy()

    @td.op(method=False, inputs={"x": real()}, aux={"kept": None}, reference=lambda x: x * (noise(x.shape) < 0.5))
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
    with pytest.raises(ValueError, match="got 'mull', expected the name of an op"):
        check_op("mull")
    with pytest.raises(
        ValueError, match=r"got 'words_for_tests', expected the name of an op; did you mean '\w+::words_for_tests'\?"
    ):
        check_op("words_for_tests")
    with pytest.raises(TypeError, match=r"expected an op declared with @td\.op"):
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


CASES = {"input": real(avoid=(0.0,), min_dims=1), "dim": axis_of("input")}


@given(st.data())
@settings(max_examples=50)
def test_arguments_keep_to_the_declaration(data):
    call = data.draw(arguments(f"{__name__}::words_for_tests"))
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
        inputs={
            "x": real(avoid=(0.0,), shape="... n"),
            "weight": real(shape="... n", distinct=True),
            "index": integers(0, "n", shape="b"),
            "many": complexes(shape="2"),
            "dim": axis_of("x"),
        },
        reference=lambda x: x,
    )
    def words_for_tests(x: Array, weight: Array, index: Array, many: Array, dim):
        return x

    yield
    del td.op.registry[words_for_tests.op.key]


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
        "ImportError: tinygrad_dl.testing.check_op draws its inputs with hypothesis: pip install 'tinygrad_dl[testing]'"
    )
