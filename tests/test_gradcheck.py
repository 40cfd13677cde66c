"""gradcheck, gradgradcheck and check_module: what they accept, what they catch, and how they say so."""

from __future__ import annotations

import importlib
import re

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.testing import (
    GradcheckError,
    check_module,
    gradcheck,
    gradgradcheck,
    relative_difference,
    verdict,
)
from tinygrad_dl.testing.report import Entry, pasteable, worst


def double(*values: float) -> td.Tensor:
    return td.tensor(np.array(values), requires_grad=True)


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
    [
        np.array([1.5, -2.0]),
        np.zeros((0, 3)),
        np.array([1, 2]),
        np.float32([1.5]),
        (1, [2, slice(1, None, 2)]),
        "sum",
        None,
    ],
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
    report = gradcheck(Halved.apply, double(3.0), raise_exception=False)
    assert not report and report == False and report != True  # noqa: E712
    assert report.worst.relative == pytest.approx(1 / 3)


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

    with pytest.raises(GradcheckError, match=r"not deterministic.*dropout"):
        gradcheck(dropped, double(1.0, 2.0, 3.0))


def test_gradcheck_says_when_there_is_nothing_to_check():
    with pytest.raises(ValueError, match="got no input that requires a gradient"):
        gradcheck(lambda x: x, td.tensor([1.0]))
    with pytest.raises(ValueError, match="got no output that requires a gradient"):
        gradcheck(lambda x: x.detach() * 2, double(1.0))
    with pytest.raises(TypeError, match="got float from the function, expected a tensor"):
        gradcheck(lambda x: 1.0, double(1.0))


@pytest.mark.parametrize(
    ("f", "inputs", "text"),
    [
        (lambda x: x.relu(), (double(0.0),), "0 entries compared, 1 left aside where the function has no derivative"),
        (lambda x: x.sqrt(), (double(0.0, 0.0),), "0 entries compared, 2 left aside"),
        (lambda x: x.exp(), (double(),), r"0 entries compared; nothing to compare at 'x' \(which is empty\)"),
        (lambda x, y: x.relu() * y, (double(0.0), double(2.0)), r"1 entries compared, 1 left .*nothing .* at 'x', exp"),
    ],
)
@pytest.mark.parametrize("fast_mode", [False, True])
def test_gradcheck_that_compared_nothing_fails(f, inputs, text, fast_mode):
    with pytest.raises(GradcheckError, match=f"^gradcheck of <lambda>: {text}.*at least one entry of every input"):
        gradcheck(f, inputs, fast_mode=fast_mode)
    report = gradcheck(f, inputs, fast_mode=fast_mode, raise_exception=False)
    assert not report and report.unproven and "nothing to compare" in str(report)


def test_gradcheck_says_how_much_it_compared():
    x, empty = double(0.0, 1.0, -2.0), double()
    report = gradcheck(lambda x, y: td.cat([x.relu(), y]), (x, empty))
    assert report and report == True  # noqa: E712
    assert (report.compared, report.skipped, report.unproven) == (2, 1, [])
    assert report.summary.startswith("2 entries compared, 1 left aside")
    fast = gradcheck(lambda x: x.exp(), double(1.0, 2.0, 3.0), fast_mode=True)
    assert fast and fast.compared == 3 and "along one direction" in str(fast)
    assert not gradcheck(Halved.apply, double(1.0, 2.0), fast_mode=True, raise_exception=False)


def test_outputs_that_ask_for_no_gradient_are_left_out():
    x = double(0.5, -1.5)
    assert gradcheck(lambda x: (x * 2, x.sum().detach()), (x,))
    assert gradcheck(lambda x: (x.sum().detach(), x.argmax(), x * 2), (x,))
    assert gradgradcheck(lambda x: (x.exp(), x.sum().detach(), None, x > 0), (x,))
    assert gradcheck(lambda x: (None, {"a": x * 2, "b": [x.exp(), None]}), x)
    assert not gradcheck(lambda x: (None, {"a": [Halved.apply(x)]}), x, raise_exception=False)
    with pytest.raises(
        TypeError, match="got NoneType without a tensor from the function, expected a tensor or several"
    ):
        gradcheck(lambda x: None, x)
    with pytest.raises(TypeError, match="got tuple with float in it from the function, expected"):
        gradcheck(lambda x: (x, 1.0), x)


def test_complex_inputs_and_outputs():
    z = td.tensor([1 + 2j, -0.5j], dtype=td.complex128, requires_grad=True)
    assert gradcheck(lambda z: (z * z, z.real, z.abs()), z).compared == 12 // 3
    assert gradcheck(lambda x: x * td.tensor(1 + 2j, dtype=td.complex128), double(0.5, 2.0))
    assert gradgradcheck(lambda z: z * z * z, z)


def test_gradgradcheck_where_the_gradient_is_constant():
    x = double(0.5, -1.0)
    linear = gradgradcheck(lambda x: x * 3, x)
    assert linear and linear.compared == 4  # at x, where all is zero, and at what the gradient starts with
    assert gradgradcheck(lambda x: x.floor() + x.detach(), x)
    assert gradgradcheck(lambda x: x * 3, x, [td.tensor([1.0, 2.0], dtype=td.float64)])
    with pytest.raises(ValueError, match=r"grad_outputs of shapes \[\(3,\)\], expected .* \[\(2,\)\]"):
        gradgradcheck(lambda x: x * 3, x, td.ones(3))


def test_a_second_derivative_that_is_lost_is_no_constant():
    class LostSecond(td.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return (g * 3 * x * x).detach()

    assert gradcheck(LostSecond.apply, double(2.0))
    with pytest.raises(GradcheckError, match=r"gradgradcheck of .*entries differ"):
        gradgradcheck(LostSecond.apply, double(2.0))


def test_a_backward_pass_that_is_not_deterministic_is_refused():
    rng = np.random.default_rng(0)

    class Noisy(td.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * (2 + 1e-12 * float(rng.random()))

    with pytest.raises(GradcheckError, match="the backward pass is not deterministic"):
        gradcheck(Noisy.apply, double(1.0))
    assert gradcheck(Noisy.apply, double(1.0), nondet_tol=1e-6)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(td.ones(2))

        def forward(self, x):
            return Noisy.apply(self.weight) * x

    with pytest.raises(GradcheckError, match=r"the backward pass is not deterministic.*'weight'"):
        check_module(Model(), td.ones(2))


def test_gradcheck_is_found_where_pytorch_has_it():
    assert td.autograd.gradcheck is gradcheck and td.autograd.gradgradcheck is gradgradcheck
    assert td.autograd.gradcheck(lambda x: x.exp(), (double(1.0),), eps=1e-6, atol=1e-4, rtol=1e-3)


def test_gradcheck_leaves_its_inputs_alone():
    x = double(1.0, 2.0)
    assert gradcheck(lambda x: x * x, x)
    assert x.grad is None and x.tolist() == [1.0, 2.0]


# -- check_module ----------------------------------------------------------------------------------


def small_model() -> nn.Module:
    td.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))


def squared(out: td.Tensor) -> td.Tensor:
    return (out**2).mean()


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_model_with_loss_and_regularisation(mode):
    model = getattr(small_model(), mode)()
    before = {name: value.numpy(force=True).copy() for name, value in model.state_dict().items()}

    def weight_decay(m):
        return 0.1 * sum((p**2).sum() for p in m.parameters())

    report = check_module(model, td.randn(5, 3), squared, weight_decay)
    assert report.ok, report
    assert list(report.entries) == [name for name, _ in model.named_parameters()]
    lines = str(report).splitlines()
    assert re.match(r"tensor +entries +relative difference +verdict", lines[0])
    assert re.match(r"0\.weight +6 of 12 +\d\.\de[-+]\d\d +(right|look again)", lines[1])
    assert lines[-1].startswith("worst: ")
    for name, value in model.state_dict().items():  # dtype, running statistics and all
        assert value.dtype == before[name].dtype
        np.testing.assert_array_equal(value.numpy(force=True), before[name])
    assert all(p.grad is None for p in model.parameters())


class WrongBias(nn.Module):
    """A layer whose bias gets twice its gradient."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(td.randn(3))
        self.bias = nn.Parameter(td.zeros(3))

    def forward(self, x):
        return x * self.weight + self.bias + (self.bias - self.bias.detach())


def test_a_wrong_gradient_in_a_model_is_named():
    report = check_module(WrongBias(), td.randn(4, 3))
    assert not report and report.worst is not None and report.worst.name == "bias"
    assert report.worst.verdict == "wrong" and re.search(r"bias +3 of 3 +3\.3e-01 +wrong", str(report))
    assert re.search(r"weight +3 of 3 +\S+ +right", str(report))


class AtAKink(nn.Module):
    """A layer whose one parameter lies where the function has no derivative."""

    def __init__(self):
        super().__init__()
        self.weight, self.scale = nn.Parameter(td.zeros(1)), nn.Parameter(td.ones(2))

    def forward(self, x):
        return self.weight.relu() + x * self.scale


def test_a_parameter_that_could_not_be_compared_makes_the_report_false():
    report = check_module(AtAKink(), td.ones(2))
    assert not report and report.unproven == ["weight"]
    assert re.search(r"weight +1 of 1, 1 at kinks +- +nothing to compare", str(report))
    with pytest.raises(ValueError, match="entries=0, expected at least 1"):
        check_module(AtAKink(), td.ones(2), entries=0)


def test_entries_are_chosen_by_seed_and_inputs_are_checked_when_they_require_a_gradient():
    model, x = small_model(), td.randn(5, 3, requires_grad=True)
    one, same, other = (check_module(model, x, squared, entries=2, seed=s) for s in (0, 0, 1))
    places = [[e.place for e in report.entries["0.weight"]] for report in (one, same, other)]
    assert places[0] == places[1] != places[2]
    assert len(one.entries["input 0"]) == 2 and one.ok


def test_dropout_left_on_is_refused_by_name():
    model = nn.Sequential(nn.Linear(3, 30), nn.Dropout(0.5))
    with pytest.raises(GradcheckError, match=r"not deterministic.*dropout on\? \(1\).*model\.eval\(\)"):
        check_module(model, td.randn(2, 3))
    assert check_module(model.eval(), td.randn(2, 3)).ok


def test_check_module_says_what_is_missing():
    with pytest.raises(ValueError, match="got a model without a parameter that requires a gradient"):
        check_module(nn.ReLU(), td.randn(2, 3))
    with pytest.raises(ValueError, match=r"got a loss of shape \(2, 1\), expected a scalar"):
        check_module(nn.Linear(3, 1), td.randn(2, 3), lambda out: out)


class Pair(td.autograd.Function):
    """Two outputs; with `fault` a backward that is right only if both are used, in forward mode, or without a batch."""

    fault = ""

    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 2, x * 3

    @staticmethod
    def backward(ctx, a, b):
        if Pair.fault == "undefined" and (a is None or b is None):
            return td.zeros(3, dtype=td.float64)
        return (0 if a is None else a * 2) + (0 if b is None else b * 3)


def test_each_of_several_outputs_is_checked_alone():
    x = td.tensor([1.0, 2.0, 3.0], dtype=td.float64, requires_grad=True)
    assert gradcheck(Pair.apply, x)
    Pair.fault = "undefined"
    try:
        with pytest.raises(RuntimeError, match="gradients of each output alone, where the others are not used"):
            gradcheck(Pair.apply, x)
        assert not gradcheck(Pair.apply, x, raise_exception=False)
        assert gradcheck(Pair.apply, x, check_undefined_grad=False)
    finally:
        Pair.fault = ""


def test_forward_mode_and_batches_are_compared_with_the_backward_pass():
    x = td.tensor([0.5, 2.0], dtype=td.float64, requires_grad=True)
    w = td.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=td.float64, requires_grad=True)

    def f(x, w):
        return (w @ x).sin() * x, w.exp().sum()

    assert gradcheck(f, (x, w), check_forward_ad=True, check_batched_grad=True, check_batched_forward_grad=True)
    assert gradgradcheck(f, (x, w), check_fwd_over_rev=True, check_batched_grad=True)
    assert gradcheck(f, (x, w), check_grad_dtypes=True, masked=False, fast_mode=True)
    assert gradcheck(f, (x, w), check_backward_ad=False, check_forward_ad=True)
    with pytest.raises(ValueError, match="check_backward_ad=False and check_forward_ad=False, expected one"):
        gradcheck(f, (x, w), check_backward_ad=False)
    with pytest.raises(ValueError, match="got check_rev_over_rev=False, expected True"):
        gradgradcheck(f, (x, w), check_rev_over_rev=False)


def test_a_wrong_forward_mode_is_found(monkeypatch):
    x = td.tensor([0.5, 2.0], dtype=td.float64, requires_grad=True)
    module = importlib.import_module("tinygrad_dl.testing.gradcheck")  # the name stands for the function too
    right = module.carried_along
    wrong = lambda f, primals, tangents: tuple(tuple(t * 2 for t in each) for each in right(f, primals, tangents))  # noqa: E731
    monkeypatch.setattr(module, "carried_along", wrong)
    with pytest.raises(RuntimeError, match=r"forward mode differs from the backward pass: got .*, expected"):
        gradcheck(lambda x: x.sin(), x, check_forward_ad=True)
    with pytest.raises(RuntimeError, match="1 of 1 entries differ from central differences"):
        gradcheck(lambda x: x.sin(), x, check_forward_ad=True, check_backward_ad=False)
    assert not gradcheck(lambda x: x.sin(), x, check_forward_ad=True, check_backward_ad=False, raise_exception=False)


def test_results_of_other_shapes_and_dtypes_nearby():
    x = td.ones(1, dtype=td.float64, requires_grad=True)
    for grows in (lambda x: td.cat([x, x]) if x.item() >= 1 else x, lambda x: x.float() if x.item() >= 1 else x):
        for fast_mode in (False, True):
            with pytest.raises(GradcheckError, match=r"got results of shapes and dtypes .* at inputs nearby"):
                gradcheck(grows, x, fast_mode=fast_mode)


def test_forward_mode_of_0d_tensors_is_compared_in_their_dtype():
    class Both(td.autograd.Function):
        @staticmethod
        def forward(ctx, n, x, y):
            return x * 2 + y * 3

        @staticmethod
        def jvp(ctx, n, x, y):
            return x * 2 + y * 3

    x, y = (td.tensor(1.0, dtype=td.float64, requires_grad=True) for _ in range(2))
    assert gradcheck(Both.apply, (1, x, y), check_forward_ad=True, check_backward_ad=False)


def test_a_tangent_that_the_function_makes_itself_is_noticed():
    from tinygrad_dl.autograd import forward_ad

    def wrong(x):
        primal, tangent = forward_ad.unpack_dual(x)
        return x * 2 if tangent is None else forward_ad.make_dual(primal, tangent * 1.1) * 2

    x = td.rand(2, dtype=td.float64, requires_grad=True)
    assert gradcheck(lambda x: x * 2, x, check_forward_ad=True)
    with pytest.raises(GradcheckError, match="forward mode differs from the backward pass"):
        gradcheck(wrong, x, check_forward_ad=True)
