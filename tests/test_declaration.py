"""@op: what a declaration checks, and what it makes."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import numpy as np
import pytest
from leaves import leaf

import tinygrad_dl as td
from tinygrad_dl import autograd
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.inputs import broadcasting, real


def declare(**options):
    """@td.op for a passing test: declares, and takes the op out of the registry again."""

    def forget(function):
        del td.op.registry[function.op.key]
        return function

    return lambda body: forget(td.op(**options)(body))


def test_rules_are_read_when_they_are_declared():
    @declare()
    def probe(x, scale=1.0):
        return x * scale

    with pytest.raises(TypeError, match=r"reads \['y'\], expected names among"):
        probe.vjp(x=lambda g, y: g)
    with pytest.raises(TypeError, match=r"got a rule for 'scale', expected one of the tensors \('x',\)"):
        probe.vjp(scale=lambda g: g)
    with pytest.raises(TypeError, match=r"got a rule with the parameters \('x',\), expected g, the output's"):
        probe.vjp(x=lambda x: x)


@pytest.mark.parametrize("name", ["out", "plan", "needs"])
def test_names_that_the_generated_code_uses_itself_are_refused(name):
    scope = {}
    exec(f"def probe(x, {name}=1):\n    return x", scope)
    before = set(td.op.registry)
    with pytest.raises(TypeError, match=f"op probe: got a parameter {name!r}, expected another name"):
        td.op()(scope["probe"])
    assert set(td.op.registry) == before


def test_a_rule_that_returns_the_wrong_shape_is_named():
    @declare()
    def probe(x):
        return x * 2

    probe.vjp(x=lambda g: g[:1])
    with pytest.raises(RuntimeError, match=r"got a gradient of shape \(1,\) from the rule of Probe for 'x',"):
        probe(leaf(1, 2)).sum().backward()


def test_an_op_without_a_rule_says_so():
    @declare()
    def probe(x):
        return x * 2

    with pytest.raises(NotImplementedError, match="got 'x' that requires a gradient, expected a gradient rule for"):
        probe(leaf(1))
    assert probe(td.ones(1)).tolist() == [2]


def test_rules_can_be_declared_again():
    @declare()
    def probe(x):
        return x * 2

    for factor in (2, 3):
        probe.vjp(x=eval(f"lambda g: g * {factor}"))
        x = leaf(1)
        probe(x).backward()
        assert x.grad.tolist() == [factor]


def test_an_op_is_a_plain_function_with_its_signature():
    assert inspect.isfunction(td.exp)
    assert list(inspect.signature(td.mul).parameters) == ["input", "other"]
    assert td.mul.__doc__
    with pytest.raises(TypeError, match="unexpected keyword argument 'nope'"):
        td.mul(td.ones(1), td.ones(1), nope=1)


def test_only_tensors_arrays_and_numbers_are_taken():
    with pytest.raises(TypeError, match=r"exp: got input=\[1\.0, 2\.0\], expected a tensor.*td\.tensor"):
        td.exp([1.0, 2.0])
    with pytest.raises(TypeError, match="got other='a'"):
        td.ones(2) * "a"
    assert td.exp(np.zeros(2, np.float32)).tolist() == [1, 1]
    assert td.exp(0.0).item() == 1


def test_auxiliary_values_are_derived_again_for_second_order():
    @declare(aux={"s": lambda x: np.sin(x)})
    def sin_squared(x):
        s = np.sin(x)
        return s * s, s

    sin_squared.vjp(x=lambda g, s, x: g * 2 * s * np.cos(x))
    x = leaf(0.7, dtype="float64")
    (g,) = autograd.grad(sin_squared(x).sum(), x, create_graph=True)
    assert g.item() == pytest.approx(np.sin(1.4))
    assert autograd.grad(g.sum(), x)[0].item() == pytest.approx(2 * np.cos(1.4))


def test_a_joint_rule_is_told_which_gradients_are_needed():
    asked = []

    @declare()
    def product(x, y):
        return x * y

    @product.joint_vjp("x", "y")
    def both(g, x, y, needs):
        asked.append(needs)
        return g * y, g * x

    x, y = leaf(2), leaf(3)
    product(x, y).sum().backward()
    assert (x.grad.tolist(), y.grad.tolist()) == ([3], [2])
    product(td.ones(1), y).sum().backward()
    assert asked == [(True, True), (False, True)]


def test_errors_inside_an_op_say_which_op_and_arguments():
    with pytest.raises(ValueError) as caught:
        td.ones(2) * td.ones(3)
    said = str(caught.value)
    assert said.startswith("mul: ") and "got input=float32[2], other=float32[3], expected shapes that" in said


# -- an op takes nobody's place ----------------------------------------------------------------------


def declared_places():
    """What declarations can change: the registry, the class, NumPy's functions."""
    return dict(td.op.registry), dict(vars(td.Tensor)), dict(NUMPY)


@pytest.fixture
def put_back():
    """Takes out again what a test declares."""
    registry, methods, functions = declared_places()
    yield
    for key in set(td.op.registry) - set(registry):
        del td.op.registry[key]
    for name in set(vars(td.Tensor)) - set(methods):
        delattr(td.Tensor, name)
    for function in set(NUMPY) - set(functions):
        del NUMPY[function]
    assert declared_places() == (registry, methods, functions)


def test_an_op_of_the_same_name_as_ours_stands_beside_it(put_back):
    ours, method = td.op.registry["norm"], td.Tensor.norm

    @td.op()
    def norm(x):
        return x * 2

    assert td.op.registry["norm"] is ours and td.Tensor.norm is method
    assert td.op.registry[f"{__name__}::norm"] is norm.op
    assert norm(td.tensor([3.0, 4.0])).tolist() == [6, 8]
    assert td.tensor([3.0, 4.0]).norm().item() == 5


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"method": True},
            "got the method 'norm', which is taken by the op 'norm' declared at tinygrad_dl.ops.reduction.norm.norm",
        ),
        ({"method": "backward"}, "got the method 'backward', which is taken by class Tensor itself"),
        ({"method": "fresh_add", "operator": "add"}, "got the method '__add__', which is taken by the op 'add'"),
        ({"method": "add", "inplace": True}, "got the method 'add', which is taken"),
        ({"numpy": (np.exp,)}, "got the NumPy function 'exp', which is taken by the op 'exp'"),
    ],
)
def test_a_place_that_is_taken_is_refused_and_nothing_is_half_declared(put_back, options, text):
    def norm(x):
        return x * 2

    before = declared_places()
    numpy = options.pop("numpy", ())
    with pytest.raises(ValueError, match=f"^op '{__name__}::norm': {text}.*expected .* that is free; ") as caught:
        td.op(*numpy, **options)(norm)
    assert "\n" not in str(caught.value)
    assert declared_places() == before


def test_an_op_becomes_a_method_only_if_asked(put_back):
    @td.op()
    def twofold(x):
        return x * 2

    assert not hasattr(td.Tensor, "twofold")
    td.op(method=True)(twofold.__wrapped__)
    assert td.ones(1).twofold().tolist() == [2]


def test_running_a_declaration_again_replaces_it(put_back):
    def cell(factor):
        @td.op(np.spacing, method=True, operator="matmul_twice", inplace=True)
        def twofold(x):
            return x * factor

        return twofold

    cell(2)
    again = cell(3)
    assert td.op.registry[f"{__name__}::twofold"] is again.op
    x = td.ones(1)
    assert (x.twofold().item(), np.spacing(x).item(), x.twofold_().item()) == (3, 3, 3)


def test_another_function_of_the_same_name_and_module_is_refused(put_back):
    def first():
        @td.op()
        def probe(x):
            return x

        return probe

    def second():
        @td.op()
        def probe(x):
            return -x

        return probe

    kept = first()
    with pytest.raises(ValueError, match=r"got the name 'test_declaration::probe', which is taken by the op"):
        second()
    assert td.op.registry[kept.op.key] is kept.op


def test_a_declaration_without_parentheses_is_refused():
    with pytest.raises(TypeError, match=r"^td\.op: got the function 'probe' itself, .*@td\.op\(\)"):

        @td.op
        def probe(x):
            return x


def test_a_rule_that_reads_the_second_output_has_derivatives_of_its_own():
    class Powers(NamedTuple):
        square: Any
        cube: Any

    @td.op(outputs=Powers, inputs=dict(x=real()))
    def powers(x):
        """The square and the cube."""
        return x * x, x * x * x

    powers.vjp(x=lambda g, x, cube: g[0] * 2 * x + g[1] * 3 * cube / x)
    x = td.tensor(2.0, requires_grad=True)
    (g,) = td.autograd.grad(powers(x).cube, x, create_graph=True)
    assert g.item() == 12
    assert td.autograd.grad(g, x)[0].item() == 12


@pytest.mark.parametrize("name", ["eq", "add"])
def test_an_op_that_is_called_like_one_of_ours_is_promoted_as_any_other(name):
    """Comparisons of ours take integers as they are, and their arithmetic wraps Python's around."""
    seen = []

    @declare(name=name, kind="elementwise", inputs=broadcasting(real(), real()), differentiable=False)
    def probe(a, b):
        seen.extend([a.dtype, b.dtype])
        return a + b

    probe(td.tensor([1], dtype=td.int8), td.tensor([2], dtype=td.int32))
    assert seen == [td.int32, td.int32]
    with pytest.raises((OverflowError, ValueError), match=r"300|out of bounds"):
        probe(td.tensor([1], dtype=td.int8), 300)


def test_an_op_describes_itself_by_its_own_source():
    text = td.hypot.op.describe()
    assert text.startswith("hypot, declared at tinygrad_dl.ops.pointwise.")
    assert "kind: elementwise" in text and "tensors: input, other" in text and "(input, other, surplus, out):" in text
    from tinygrad_dl.testing import all_ops

    for op in all_ops():
        assert "<lambda>" not in op.describe(), op.key
    assert "\nlinear in: input\ngradient of input: lambda g, dims:" in td.flip.op.describe()
