"""nan, infinities and zeros: what an op selects or multiplies there, in literal values from PyTorch."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_dl as td
import tinygrad_dl.nn.functional as F

inf, nan = math.inf, math.nan
SIZES = [1, 5000]  # small arrays and large ones go different ways


def leaf(values, count=1, dtype=td.float32):
    """A leaf with the values, each row repeated `count` times."""
    return td.tensor(np.repeat(np.asarray(values, dtype), count), requires_grad=True)


# name -> function of x, points at which the gradient is cut off, points at which it passes.
SELECTING = {
    "relu": (td.relu, [-1, 0], [2]),
    "relu6": (F.relu6, [-1, 0, 6, 7], [2]),
    "hardtanh": (F.hardtanh, [-2, 1, 3], [0.5]),
    "hardshrink": (F.hardshrink, [0.2, -0.5], [2]),
    "softshrink": (F.softshrink, [0.2, -0.5], [2]),
    "threshold": (lambda x: F.threshold(x, 1.0, 5.0), [0, 1], [2]),
    "clamp": (lambda x: td.clamp(x, 0, 1), [-1, 2], [0, 0.5, 1]),
    "clamp_min": (lambda x: td.clamp_min(x, 0), [-1], [0, 2]),
    "clamp_max": (lambda x: td.clamp_max(x, 0), [1], [0, -2]),
    "maximum": (lambda x: td.maximum(x, td.zeros_like(x)), [-1], [2]),
    "minimum": (lambda x: td.minimum(x, td.zeros_like(x)), [1], [-2]),
    "fmax": (lambda x: td.fmax(x, td.zeros_like(x)), [-1, nan], [2]),
    "fmin": (lambda x: td.fmin(x, td.zeros_like(x)), [1, nan], [-2]),
    "where": (lambda x: td.where(x > 0, x, 0.0), [-1], [2]),
    "masked_fill": (lambda x: x.masked_fill(x < 0, 0.0), [-1], [2]),
    "nan_to_num": (td.nan_to_num, [nan, inf], [2]),
    "hardsigmoid": (F.hardsigmoid, [-4, 4], []),
    "hardswish": (F.hardswish, [-4], [4]),
}


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("dtype", [td.float32, td.float64], ids=str)
@pytest.mark.parametrize("name", SELECTING)
def test_what_is_not_selected_has_gradient_zero(name, dtype, count):
    """An infinite (or nan) gradient from above does not pass: 0 times infinity would be nan."""
    function, cut, passing = SELECTING[name]
    for seed in (inf, -inf, nan):
        x = leaf([*cut, *passing], count, dtype)
        out = function(x)
        out.backward(td.full(out.shape, seed, dtype=dtype))
        expected = np.repeat(np.array([0.0] * len(cut) + [seed] * len(passing), dtype), count)
        np.testing.assert_array_equal(x.grad.numpy(), expected)


@pytest.mark.parametrize("count", SIZES)
def test_roots_of_what_was_cut_off(count):
    def gradient(function, *values):
        x = leaf(values, count)
        with np.errstate(divide="ignore", invalid="ignore"):
            function(x).sum().backward()
        return x.grad.numpy()[::count].tolist()

    assert gradient(lambda x: td.sqrt(td.relu(x)), -1, 4) == [0, 0.25]
    assert gradient(lambda x: td.log(td.clamp(x, 0, 1)), -1, 0.5) == [0, 2]
    assert gradient(lambda x: td.where(x > 0, td.log(td.relu(x)), 0.0), -1, 0.5) == [0, 2]
    assert gradient(lambda x: td.sqrt(-td.clamp(x, max=0)), 1, -4) == [0, -0.25]
    assert gradient(lambda x: td.relu(x) ** -2, -1, 0.5) == [0, -16]
    x = leaf([0, 0.5])
    with np.errstate(divide="ignore", invalid="ignore"):
        td.sqrt(x.max() - 0.5).backward()
    assert x.grad.tolist() == [0, inf]


def test_reductions_select():
    x = td.tensor([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]], requires_grad=True)
    x.amax(1).backward(td.tensor([inf, 1.0]))
    assert x.grad.tolist() == [[0, inf, inf], [1, 0, 0]]
    x.grad = None
    x.amin(1).backward(td.tensor([inf, 1.0]))
    assert x.grad.tolist() == [[inf, 0, 0], [0, 1, 0]]
    x.grad = None
    x.max(1).values.backward(td.tensor([inf, 1.0]))
    assert x.grad.tolist() == [[0, inf, 0], [1, 0, 0]]
    y = td.tensor([1.0, nan, 3.0], requires_grad=True)
    y.max().backward()
    assert y.grad.tolist() == [0, 1, 0]


def test_losses_select():
    x = td.zeros(2, 3, requires_grad=True)
    F.nll_loss(x, td.tensor([0, 2]), reduction="none").backward(td.tensor([inf, 1.0]))
    assert x.grad.tolist() == [[-inf, 0, 0], [0, 0, -1]]
    x.grad = None
    F.multi_margin_loss(x, td.tensor([0, 2]), reduction="none").backward(td.tensor([inf, 3.0]))
    assert x.grad.tolist() == [[-inf, inf, inf], [1, 1, -2]]
    weight = td.tensor([0.5, 0.5], requires_grad=True)
    F.prelu(td.tensor([[1.0, -2.0]]), weight).backward(td.tensor([[inf, 1.0]]))
    assert weight.grad.tolist() == [0, -2]


@pytest.mark.parametrize("special", [inf, -inf, nan])
@pytest.mark.filterwarnings("ignore:.*invalid value:RuntimeWarning")
def test_examples_that_do_not_count_leave_no_trace(special):
    """Neither their logits nor their gradients, to any order: selected out, and not multiplied by 0."""
    target = td.tensor([-100, 0, 1])
    for smoothing in (0.0, 0.2):
        x = td.tensor([[special, 2.0], [0.0, 0.0], [0.0, 0.0]], requires_grad=True)
        each = F.cross_entropy(x, target, reduction="none", label_smoothing=smoothing)
        assert each.tolist() == pytest.approx([0, math.log(2), math.log(2)])
        first = (0.5 - smoothing / 2) * np.array([[0, 0], [-1, 1], [1, -1]])
        seed = td.tensor([special, 1.0, 1.0])
        np.testing.assert_allclose(td.autograd.grad(each, x, seed, retain_graph=True)[0], first, atol=1e-7)
        (slope,) = td.autograd.grad(each, x, seed, create_graph=True)
        np.testing.assert_allclose(slope.detach(), first, atol=1e-7)
        slope[:, 0].sum().backward()
        np.testing.assert_allclose(x.grad, [[0, 0], [0.25, -0.25], [0.25, -0.25]], atol=1e-7)
    weight = td.tensor([0.0, 1.0])
    x = td.tensor([[special, 2.0], [0.0, 0.0]], requires_grad=True)
    for loss in (F.cross_entropy, F.nll_loss):
        each = loss(x, td.tensor([0, 1]), weight=weight, reduction="none")
        assert each[0].item() == 0
        assert td.autograd.grad(each, x, td.tensor([special, 1.0]))[0][0].tolist() == [0, 0]
    mean = F.cross_entropy(x, td.tensor([-100, -100]))
    assert math.isnan(mean.item())
    assert td.autograd.grad(mean, x, td.tensor(special))[0].tolist() == [[0, 0], [0, 0]]


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_probabilities_that_are_all_zero_leave_no_trace():
    x = td.tensor([[nan, 2.0], [0.0, 0.0]], requires_grad=True)
    target = td.tensor([[0.0, 0.0], [0.5, 0.5]], requires_grad=True)
    each = F.cross_entropy(x, target, reduction="none")
    slope = td.autograd.grad(each, x, td.tensor([inf, 1.0]))[0]
    assert slope.tolist() == [[0, 0], [0, 0]]
    weight = td.tensor([0.0, 1.0], requires_grad=True)
    x = td.tensor([[-inf, 0.0]], requires_grad=True)
    target = td.tensor([[0.0, 1.0]], requires_grad=True)
    F.cross_entropy(x, target, weight=weight).backward()
    assert (x.grad.tolist(), target.grad.tolist(), weight.grad.tolist()) == ([[0, 0]], [[0, 0]], [0, 0])


@pytest.mark.parametrize("special", [inf, -inf, nan])
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("kind", ["bool", "float"])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_hidden_keys_leave_no_trace(kind, create_graph, special):
    """What stands in keys and values that a mask hides, or in the gradients of others, does not reach the rest."""
    rng = np.random.default_rng(0)
    q, k, v = rng.standard_normal((3, 2, 3, 4))
    mask = np.array([[True, True, False]] * 3)
    given = td.tensor(mask if kind == "bool" else np.where(mask, 0.0, -inf))

    def gradients(k, v, seed):
        tensors = [td.tensor(a, requires_grad=True) for a in (q, k, v)]
        out = F.scaled_dot_product_attention(*tensors, attn_mask=given)
        found = td.autograd.grad(out, tensors, td.tensor(seed), create_graph=create_graph)
        return [x.detach().numpy() for x in (out, *found)]

    ones = np.ones((2, 3, 4))
    expected = gradients(k, v, ones)
    bad_k, bad_v, bad_seed = k.copy(), v.copy(), ones.copy()
    bad_k[0, 2, 1] = bad_v[1, 2, 0] = bad_seed[0, 0, 0] = special
    for found, right in zip(gradients(bad_k, bad_v, ones), expected, strict=True):
        np.testing.assert_allclose(found, right, atol=1e-12)
    _, _, gk, gv = gradients(k, v, bad_seed)
    assert not gk[:, 2].any() and not gv[:, 2].any()


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_causal_attention_sees_no_later_nan():
    q, k, v = np.random.default_rng(0).standard_normal((3, 1, 3, 2))
    tensors = [td.tensor(a, requires_grad=True) for a in (q, k, v)]
    right = F.scaled_dot_product_attention(*tensors, is_causal=True)
    v[0, 2, 0] = k[0, 2, 1] = nan
    tensors = [td.tensor(a, requires_grad=True) for a in (q, k, v)]
    out = F.scaled_dot_product_attention(*tensors, is_causal=True)
    np.testing.assert_allclose(out.detach()[:, :2], right.detach()[:, :2], rtol=1e-12)
    assert out.detach()[:, 2].isnan().all()


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_products_over_zeros():
    """What a zero cuts off is 0, whatever comes from above; values from PyTorch."""
    x = td.tensor([2.0, 0.0, 3.0], requires_grad=True)
    for seed, expected in {(1, 1, inf): [1, inf, 0], (1, nan, 1): [1, nan, 0], (inf, 1, 1): [inf, 8, 0]}.items():
        for create_graph in (False, True):
            (g,) = td.autograd.grad(x.cumprod(0), x, td.tensor([*map(float, seed)]), create_graph=create_graph)
            np.testing.assert_array_equal(g.detach().numpy(), expected)
    x = td.tensor([0.0, 0.0, 3.0], requires_grad=True)
    for seed in (inf, nan):
        assert td.autograd.grad(x.prod(), x, td.tensor(seed))[0].tolist() == [0, 0, 0]
    x = td.tensor([2.0, 0.0, 3.0], requires_grad=True)
    assert td.autograd.grad(x.prod(), x, td.tensor(inf))[0].tolist() == [0, inf, 0]


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.3, 0.0, 0.0, nan], [nan, nan, nan, 0]),
        ([1.0, 0.0, 1.0, nan], [nan, nan, nan, 0]),
        ([2.0, 0.0, inf, 1.0], [nan, inf, 0, nan]),
        ([0.0, 2.0, inf], [inf, nan, 0]),
        ([nan, 0.0, 1.0], [1, nan, nan]),
    ],
)
def test_a_running_product_over_a_zero_has_no_slope_beside_what_is_no_number(values, expected, create_graph):
    """A product that is nan for lack of the one element has no slope there, zero or not; values from PyTorch."""
    x = td.tensor(values, requires_grad=True)
    seed = td.arange(1.0, len(values) + 1)
    (g,) = td.autograd.grad(x.cumprod(0), x, seed, create_graph=create_graph)
    np.testing.assert_array_equal(g.detach().numpy(), expected)


def test_overwritten_values_get_nothing():
    """Of several values for one place, the last one stays; the others' gradient is 0, whatever comes from above."""
    for special in (inf, nan):
        for store in (
            lambda x, v: x.scatter(0, td.tensor([1, 1, 0]), v),
            lambda x, v: x.index_put((td.tensor([1, 1, 0]),), v),
        ):
            values = td.tensor([1.0, 2.0, 3.0], requires_grad=True)
            store(td.zeros(2), values).backward(td.tensor([1.0, special]))
            np.testing.assert_array_equal(values.grad.numpy(), [0, special, 1])


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("layer", ["RNN", "GRU", "LSTM"])
def test_padding_behind_a_sequence_gets_nothing(layer, create_graph):
    """Neither the gradients nor the inputs there reach anything."""
    td.manual_seed(0)
    module = getattr(td.nn, layer)(2, 3)

    def gradients(input, seed):
        x = td.tensor(input, dtype=td.float32, requires_grad=True)
        packed = td.nn.utils.rnn.pack_padded_sequence(x, [4, 2])
        out, _ = td.nn.utils.rnn.pad_packed_sequence(module(packed)[0])
        found = td.autograd.grad(out, [x, *module.parameters()], seed, create_graph=create_graph)
        return [g.detach().numpy() for g in found]

    x, seed = np.ones((4, 2, 2)), td.ones(4, 2, 3)
    expected = gradients(x, seed)
    for special in (inf, nan):
        x[2:, 1] = special
        seed[2:, 1] = special
        for found, right in zip(gradients(x, seed), expected, strict=True):
            np.testing.assert_array_equal(found, right)


def test_trace_selects():
    x = td.ones(2, 2, requires_grad=True)
    x.trace().backward(td.tensor(inf))
    assert x.grad.tolist() == [[inf, 0], [0, inf]]


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_certain_logits():
    """The right answer costs nothing, any other an infinity."""
    x = td.tensor([inf, inf, -inf, -inf, inf], requires_grad=True)
    losses = F.binary_cross_entropy_with_logits(x, td.tensor([1.0, 0.0, 0.0, 1.0, 0.5]), reduction="none")
    assert losses.tolist() == [0, inf, 0, inf, inf]
    weighted = F.binary_cross_entropy_with_logits(
        x, td.tensor([1.0, 0.0, 0.0, 1.0, 0.5]), reduction="none", pos_weight=td.tensor(2.0)
    )
    assert weighted.tolist() == [0, inf, 0, inf, inf]
    losses.sum().backward()
    assert x.grad.tolist() == [0, 1, 0, -1, 0.5]


def test_targets_of_certain_probabilities():
    """The slope of logarithms that end at -100."""
    target = td.tensor([0.3, 0.3, 0.3], requires_grad=True)
    F.binary_cross_entropy(td.tensor([0.0, 1.0, 0.5]), target, reduction="sum").backward()
    assert target.grad.tolist() == [100, -100, 0]


def test_nan_goes_through():
    x = leaf([nan])
    for function in (F.hardshrink, F.softshrink, lambda x: F.threshold(x, 1.0, 2.0), F.hardswish, F.hardtanh, td.relu):
        assert math.isnan(function(x).item())
    assert math.isnan(td.autograd.grad(F.hardswish(x).sum(), x)[0].item())
    for pair in (td.maximum, td.minimum):
        a, b = leaf([nan]), leaf([1.0])
        pair(a, b).sum().backward()
        assert (a.grad.item(), b.grad.item()) == (1, 1)  # both, as in PyTorch: neither is known to be the smaller


def test_leaky_relu_of_slope_zero_keeps_infinity():
    assert F.leaky_relu(td.tensor([inf, 3.0, -2.0]), 0.0).tolist() == [inf, 3, 0]


def test_softplus_of_a_large_number_with_beta():
    top = float(np.finfo(np.float32).max)
    assert F.softplus(td.tensor([top, 1.0]), beta=2.0).tolist() == pytest.approx([top, 1.0634640], rel=1e-6)


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_powers_at_zero():
    x = leaf([-1.0, 0.0, 2.0])
    (0.0**x).sum().backward()
    assert x.grad.tolist() == [-inf, 0, 0]
    base, exponent = leaf([0.0]), leaf([-0.3])
    (base**exponent).sum().backward()
    assert exponent.grad.tolist() == [-inf]
    tiny = td.tensor([1e-310, 0.0, nan, 2.0], dtype=td.float64, requires_grad=True)
    (tiny ** td.zeros(4, dtype=td.float64)).backward(td.tensor([1.0, inf, 1.0, inf], dtype=td.float64))
    assert tiny.grad.tolist() == [0, 0, 0, 0]


def test_xlogy_at_zero():
    x, y = leaf([0.0, 0.0, 0.0]), td.tensor([inf, 0.0, nan])
    np.testing.assert_array_equal(td.xlogy(x, y).detach().numpy(), [0, 0, nan])
    np.testing.assert_array_equal(td.autograd.grad(td.xlogy(x, y).sum(), x)[0].numpy(), [inf, 0, nan])


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_logaddexp_of_nothing():
    x, y = leaf([-inf]), leaf([-inf])
    out = td.logaddexp(x, y)
    assert out.item() == -inf
    out.sum().backward()
    assert math.isnan(x.grad.item()) and math.isnan(y.grad.item())


def test_logit_outside_its_domain():
    x = leaf([-0.5, 0.5, 1.5])
    with np.errstate(invalid="ignore"):
        td.logit(x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [nan, 4, nan])


def test_infinite_gradients_of_smooth_functions():
    """The factor of the gradient is made first: g - g * t would be infinity minus infinity."""
    for function in (td.tanh, td.tan, td.expm1):
        x = leaf([0.5])
        function(x).backward(td.tensor([inf]))
        assert x.grad.item() == inf
    a, b = leaf([1.0]), leaf([2.0])
    td.lerp(a, b, 0.25).backward(td.tensor([inf]))
    assert (a.grad.item(), b.grad.item()) == (inf, inf)


STRAIGHT = {
    "relu": td.relu,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    "hardtanh": F.hardtanh,
    "hardshrink": F.hardshrink,
    "softshrink": F.softshrink,
    "threshold": lambda x: F.threshold(x, 0.5, 0.0),
    "prelu": lambda x: F.prelu(x, td.tensor([0.25])),
    "abs": td.abs,
    "norm 1": lambda x: x.norm(1),
    "l1_loss": lambda x: F.l1_loss(x, td.zeros(4)),
    "max_pool1d": lambda x: F.max_pool1d(x.reshape(1, 1, 4), 2),
}


@pytest.mark.parametrize("name", STRAIGHT)
def test_second_derivative_zero_is_there(name):
    """The gradient of straight pieces depends on the input by 0: tensors behind it get zeros and no None."""
    x = td.ones(4, requires_grad=True)
    b = td.zeros(4, requires_grad=True)
    (g,) = td.autograd.grad(STRAIGHT[name](x * x + b).sum(), x, create_graph=True)
    g.pow(2).sum().backward()
    assert b.grad is not None and b.grad.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("name", ["clamp", "maximum", "where", "sort", "amax"])
def test_second_derivative_absent_as_in_pytorch(name):
    function = {
        "clamp": lambda x: td.clamp(x, -1, 1),
        "maximum": lambda x: td.maximum(x, td.zeros(4)),
        "where": lambda x: td.where(x > 0, x, 0.0),
        "sort": lambda x: x.sort().values,
        "amax": lambda x: x.amax(),
    }[name]
    x = td.ones(4, requires_grad=True)
    b = td.zeros(4, requires_grad=True)
    (g,) = td.autograd.grad(function(x * x + b).sum(), x, create_graph=True)
    g.pow(2).sum().backward()
    assert b.grad is None


def test_cosine_similarity_broadcasts_along_dim_first():
    out = F.cosine_similarity(td.tensor([[3.0, 4.0]]), td.tensor([[1.0]]), dim=-1)
    assert out.tolist() == pytest.approx([0.98994949])


def test_cosine_embedding_loss_at_a_zero_vector():
    x = td.zeros(1, 2, requires_grad=True)
    F.cosine_embedding_loss(x, td.tensor([[1.0, 0.0]]), td.tensor([1])).backward()
    assert x.grad.tolist()[0] == pytest.approx([-1e6, 0])


def test_embedding_losses_of_other_targets():
    """What PyTorch gives where a target is neither 1 nor -1."""
    x = td.tensor([0.5])
    assert F.hinge_embedding_loss(x, td.tensor([0.0]), reduction="none").tolist() == [1.0]
    same = td.tensor([[1.0, 0.0]])
    assert F.cosine_embedding_loss(same, same, td.tensor([0])).item() == 0


def test_differences_of_equal_steps_do_not_look_at_the_point_between():
    (found,) = td.gradient(td.tensor([1.0, -math.inf, 1.0, 2.0]))
    assert found.tolist() == [-math.inf, 0.0, math.inf, 1.0]
