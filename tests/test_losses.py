"""Losses at their edges: certain predictions, ignored targets, empty batches, wrong input."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.nn import functional as F


def gradient(loss, x):
    (g,) = td.autograd.grad(loss, x)
    return g.numpy()


# -- cross-entropy -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e4, 80.0])
def test_certain_predictions_cost_nothing(scale):
    x = td.tensor([[scale, 0.0], [0.0, -scale]], requires_grad=True)
    loss = F.cross_entropy(x, td.tensor([0, 0]))
    assert loss.item() == 0.0 and (abs(gradient(loss, x)) < 1e-30).all()
    wrong = F.cross_entropy(x, td.tensor([1, 1]))
    assert wrong.item() == scale
    np.testing.assert_allclose(gradient(wrong, x), [[0.5, -0.5], [0.5, -0.5]])


def test_impossible_classes():
    x = td.tensor([[0.0, -math.inf, 0.0]], requires_grad=True)
    loss = F.cross_entropy(x, td.tensor([0]))
    assert loss.item() == pytest.approx(math.log(2))
    assert np.array_equal(gradient(loss, x), [[-0.5, 0.0, 0.5]])
    assert F.cross_entropy(x, td.tensor([1])).item() == math.inf
    assert F.cross_entropy(x, td.tensor([[1.0, 0.0, 0.0]])).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("classes", [10, 300])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_the_fast_ways_agree_with_log_softmax(classes, reduction):
    x = td.randn(7, classes, requires_grad=True)
    target = td.randint(0, classes, (7,))
    loss = F.cross_entropy(x, target, reduction=reduction)
    other = F.nll_loss(F.log_softmax(x, 1), target, reduction=reduction)
    np.testing.assert_allclose(loss.detach().numpy(), other.detach().numpy(), rtol=1e-5)
    np.testing.assert_allclose(gradient(loss.sum(), x), gradient(other.sum(), x), atol=1e-6)


@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
def test_when_all_targets_are_ignored(loss):
    x = td.randn(3, 4, requires_grad=True)
    target = td.tensor([-100, -100, -100])
    mean = loss(x, target)
    assert math.isnan(mean.item()) and (gradient(mean, x) == 0).all()
    assert loss(x, target, reduction="sum").item() == 0.0
    assert loss(x, target, reduction="none").tolist() == [0.0, 0.0, 0.0]


def test_ignored_targets_do_not_count():
    x = td.randn(4, 3, requires_grad=True)
    some = F.cross_entropy(x, td.tensor([0, 2, 1, 2]), ignore_index=2)
    fewer = F.cross_entropy(x[np.array([0, 2])], td.tensor([0, 1]))
    assert some.item() == pytest.approx(fewer.item(), rel=1e-6)
    assert (gradient(some, x)[[1, 3]] == 0).all()


def test_an_empty_batch():
    x = td.zeros(0, 3, requires_grad=True)
    target = td.zeros(0, dtype=td.int64)
    assert math.isnan(F.cross_entropy(x, target).item())
    assert F.cross_entropy(x, target, reduction="sum").item() == 0.0


@pytest.mark.parametrize("dtype", [td.int32, td.uint8, td.int64])
def test_integer_targets_of_any_width(dtype):
    x = td.randn(3, 4)
    target = td.tensor([0, 3, 1])
    assert F.cross_entropy(x, target.to(dtype)).item() == F.cross_entropy(x, target).item()


@pytest.mark.parametrize(
    "target, kind, match",
    [
        (td.tensor([0, 4, 1]), IndexError, r"got class 4 at position \(1,\) of the target, expected 0 to 3"),
        (td.tensor([0, 1, -1]), IndexError, r"got class -1 at position \(2,\)"),
        (
            td.tensor([0.0, math.nan, 1.0]),
            TypeError,
            r"class indices, which are integers, got .* float32.*\.long\(\)",
        ),
        (td.tensor([True, False, True]), TypeError, "class indices, which are integers"),
        (td.tensor([0, 1]), ValueError, r"expected a target of shape \(3,\) for an input of shape \(3, 4\)"),
    ],
)
def test_cross_entropy_refuses(target, kind, match):
    with pytest.raises(kind, match=match):
        F.cross_entropy(td.zeros(3, 4), target)


def test_cross_entropy_refuses_other_things():
    x, target = td.zeros(3, 4), td.tensor([0, 1, 2])
    with pytest.raises(ValueError, match="label_smoothing between 0 and 1"):
        F.cross_entropy(x, target, label_smoothing=1.5)
    with pytest.raises(ValueError, match="expected a weight for each class"):
        F.cross_entropy(x, target, weight=td.ones(3))
    with pytest.raises(ValueError, match="among 'none', 'mean' and 'sum'"):
        F.cross_entropy(x, target, reduction="average")
    with pytest.raises(ValueError, match="got a 0-d one"):
        F.cross_entropy(td.tensor(1.0), td.tensor(0))


def test_it_is_one_node_that_keeps_the_logits_and_two_numbers_a_row():
    x = td.randn(6, 5, requires_grad=True)
    loss = F.cross_entropy(x, td.randint(0, 5, (6,)))
    assert loss.grad_fn.name() == "CrossEntropyBackward0" and loss.grad_fn.next_functions[0][0].variable is x
    assert loss.grad_fn.nbytes == x.nbytes + 6 * 8 + 2 * 6 * 4


# -- two classes -----------------------------------------------------------------------------------------


def test_logits_at_extremes():
    x = td.tensor([1e4, -1e4, 1e4, -1e4], requires_grad=True)
    losses = F.binary_cross_entropy_with_logits(x, td.tensor([1.0, 0.0, 0.0, 1.0]), reduction="none")
    assert losses.tolist() == [0.0, 0.0, 1e4, 1e4]
    assert gradient(losses.sum(), x).tolist() == [0.0, 0.0, 1.0, -1.0]


def test_probabilities_at_their_ends():
    x = td.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    losses = F.binary_cross_entropy(x, td.tensor([0.0, 1.0, 1.0, 0.0]), reduction="none")
    assert losses.tolist() == [0.0, 0.0, 100.0, 100.0]
    assert np.isfinite(gradient(losses.sum(), x)).all()


def test_binary_cross_entropy_refuses():
    half = td.full((2,), 0.5)
    with pytest.raises(RuntimeError, match="expected probabilities between 0 and 1 as the input, got numbers from"):
        F.binary_cross_entropy(half * 4, half)
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        F.binary_cross_entropy(half * math.nan, half)
    with pytest.raises(ValueError, match="expected targets between 0 and 1"):
        F.binary_cross_entropy(half, half - 1)
    with pytest.raises(ValueError, match="same shape"):
        F.binary_cross_entropy(half, td.ones(2, 1))
    with pytest.raises(ValueError, match="same shape"):
        F.binary_cross_entropy_with_logits(half, td.ones(2, 1))


# -- differences -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss])
def test_shapes_that_differ_are_broadcast_with_a_warning(loss):
    x = td.ones(3, 1, requires_grad=True)
    with pytest.warns(UserWarning, match=r"has shape \(3, 1\) and the target \(3,\)"):
        value = loss(x, td.zeros(3))
    assert gradient(value, x).shape == (3, 1)


def test_nan_targets_pass_through():
    assert math.isnan(F.mse_loss(td.ones(2), td.tensor([1.0, math.nan])).item())


def test_means_of_nothing():
    empty = td.zeros(0)
    assert math.isnan(F.mse_loss(empty, empty).item()) and F.mse_loss(empty, empty, reduction="sum").item() == 0.0


def test_weights_divide_the_mean():
    x, y, w = td.tensor([1.0, 5.0]), td.zeros(2), td.tensor([3.0, 1.0])
    assert F.mse_loss(x, y, weight=w).item() == (3 + 25) / 4
    assert F.l1_loss(x, y, weight=w, reduction="sum").item() == 8.0
    assert F.huber_loss(x, y, weight=w, reduction="none").tolist() == [1.5, 4.5]
    assert F.huber_loss(x, y, weight=w).item() == 3.0  # but not this one, as in PyTorch
    for loss in (F.mse_loss, F.l1_loss, F.huber_loss):
        with pytest.raises(ValueError, match=r"got weights of shape \(1,\), expected the input's \(2,\)"):
            loss(x, y, weight=w[:1])
    with pytest.raises(ValueError, match="expected a reduction"):
        F.mse_loss(x, y, weight=w, reduction="average")


def test_smooth_l1_without_a_smooth_part():
    x = td.tensor([2.0, -3.0])
    assert F.smooth_l1_loss(x, td.zeros(2), beta=0.0).item() == 2.5
    with pytest.raises(ValueError, match="beta >= 0"):
        F.smooth_l1_loss(x, x, beta=-1.0)


@pytest.mark.parametrize("loss", [F.mse_loss, F.l1_loss, F.huber_loss])
def test_half_precision_does_not_overflow_in_the_mean(loss):
    x = td.full((3000,), 100.0, dtype=td.float16, requires_grad=True)
    value = loss(x, td.zeros(3000, dtype=td.float16))
    assert value.dtype == td.float16 and math.isfinite(value.item())


# -- divergence, and the composed ones ---------------------------------------------------------------------


def test_kl_div_of_zero_probability():
    logp = td.tensor([[0.5, 0.5]]).log()
    x = logp.detach().requires_grad_()
    loss = F.kl_div(x, td.tensor([[1.0, 0.0]]), reduction="batchmean")
    assert loss.item() == pytest.approx(math.log(2)) and gradient(loss, x).tolist() == [[-1.0, 0.0]]


def test_composed_losses_refuse():
    with pytest.raises(ValueError, match="expected variances >= 0"):
        F.gaussian_nll_loss(td.ones(2), td.ones(2), td.tensor([1.0, -1.0]))
    with pytest.raises(ValueError, match="margin > 0"):
        F.triplet_margin_loss(td.ones(1, 2), td.ones(1, 2), td.ones(1, 2), margin=0.0)
    with pytest.raises(ValueError, match="among 'none', 'mean' and 'sum'"):
        F.soft_margin_loss(td.ones(2), td.ones(2), reduction="average")


def test_similarity_of_nothing_has_no_nan():
    x = td.zeros(2, 3, requires_grad=True)
    value = F.cosine_similarity(x, td.ones(2, 3)).sum()
    assert value.item() == 0.0 and np.isfinite(gradient(value, x)).all()


def test_modules_take_weights_as_buffers():
    loss = nn.BCEWithLogitsLoss(pos_weight=td.tensor([2.0]))
    assert list(loss.state_dict()) == ["pos_weight"]
    assert next(nn.CrossEntropyLoss(weight=td.ones(3)).double().buffers()).dtype == td.float64


# -- shapes and dtypes that PyTorch refuses too: broadcasting would make a loss of something else --------------


X, COLUMN = [0.5, 1.0, 2.0], [[0.5], [1.0], [2.0]]


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda x, c: F.soft_margin_loss(x, c), "got a target of shape (3, 1), expected the input's (3,)"),
        (lambda x, c: F.margin_ranking_loss(x, c, x), "got tensors of shapes (3,), (3, 1), (3,)"),
        (lambda x, c: F.cosine_embedding_loss(c, c, c), "a target of shape (3, 1), expected (N, D), (N, D) and (N,)"),
        (lambda x, c: F.cosine_embedding_loss(x, x, x), "a target of shape (3,), expected"),
        (lambda x, c: F.triplet_margin_loss(c, c, x), "expected as many dimensions of each"),
        (lambda x, c: F.triplet_margin_with_distance_loss(c, x, c), "expected as many dimensions of each"),
        (lambda x, c: F.gaussian_nll_loss(c, c, x[:2]), "got variances of shape (2,), expected the input's (3, 1)"),
        (lambda x, c: F.multilabel_soft_margin_loss(c, x[None]), "got a target of shape (1, 3), expected the input's"),
        (lambda x, c: F.batch_norm(c, None, x, training=True), "got one of running_mean and running_var"),
        (lambda x, c: td.tensordot(c, c, 3), "got dims=3 for 2 and 2 dimensions, expected as many at most"),
        (lambda x, c: td.tensordot(c, c, -1), "got dims=-1 for 2 and 2 dimensions"),
        (lambda x, c: td.tensordot(c, c, ([0, -2], [0, 1])), "got the dims [0, 0] and [0, 1], expected each once"),
        (lambda x, c: td.inner(c, td.ones(2, 3)), "got shapes (3, 1) and (2, 3), expected the same last dimension"),
        (lambda x, c: td.nn.Bilinear(1, 3, 2)(c, x[None]), "expected the same but for the last dimension"),
        (lambda x, c: F.instance_norm(td.ones(1, 3, 4), c, x), "expected a running_mean of shape (3,)"),
        (lambda x, c: td.zeros(3).fill_(x), "got a value of shape (3,), expected a number or a 0-d tensor"),
    ],
)
def test_what_would_broadcast_by_mistake_is_refused(call, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        call(td.tensor(X), td.tensor(COLUMN))


def test_unsigned_targets():
    x, y = td.tensor([1.0, -2.0]), td.tensor([1, 0], dtype=td.uint8)
    assert F.soft_margin_loss(x, y, reduction="none").tolist() == pytest.approx([0.3132617, 0.6931472])
    assert F.margin_ranking_loss(x, 2 * x, y, margin=0.5, reduction="none").tolist() == [1.5, 0.5]


def test_one_variance_for_all():
    with pytest.raises(TypeError, match="gaussian_nll_loss: got var=None"):
        F.gaussian_nll_loss(td.ones(1), td.ones(1), None)
    x = td.tensor(COLUMN)
    assert F.gaussian_nll_loss(x, x + 1, 2.0).item() == pytest.approx(0.5 * (math.log(2.0) + 0.5))
    x, by_row = td.zeros(2, 3), td.tensor([[1.0, 2.0, 4.0]])
    expected = [0.5 * (math.log(v) + 1 / v) for v in (1.0, 2.0, 4.0)]
    assert F.gaussian_nll_loss(x, x + 1, by_row, reduction="none")[1].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("add", [td.index_add, td.scatter_add])
def test_floats_are_not_added_to_integers(add):
    with pytest.raises(TypeError, match="got values of float32 for a tensor of int64"):
        add(td.zeros(2, dtype=td.int64), 0, td.tensor([0]), td.ones(1))


def test_a_number_in_the_place_of_a_truth_is_found():
    with pytest.raises(TypeError, match=r"LSTM: expected True or False for batch_first, got 0\.5"):
        td.nn.LSTM(2, 3, 1, True, 0.5)


@pytest.mark.parametrize(("shape", "dim"), [((), 0), ((3,), 0), ((2, 3), 1), ((2, 3, 4), 0), ((2, 3, 4, 2), 1)])
def test_softmax_without_a_dimension_warns_and_takes_the_one_that_pytorch_takes(shape, dim):
    x = td.tensor(np.random.default_rng(0).standard_normal(shape))
    for function, module in ((F.softmax, nn.Softmax()), (F.log_softmax, nn.LogSoftmax()), (F.softmin, nn.Softmin())):
        expected = function(x, dim=dim)
        for found in (function, module):
            with pytest.warns(
                UserWarning, match=f"got no dim, expected the dimension along which to go, took dim={dim}"
            ):
                assert td.equal(found(x), expected)


def test_the_deprecated_arguments_for_the_reduction_stand_where_pytorch_has_them():
    x, y = td.tensor([1.0, 2.0]), td.tensor([3.0, 5.0])
    for call, said, expected in (
        (
            lambda: F.mse_loss(x, y, False),
            "mse_loss: size_average and reduce are deprecated, use reduction='sum'",
            13.0,
        ),
        (lambda: F.mse_loss(x, y, None, False), "reduction='none'", [4.0, 9.0]),
        (lambda: F.mse_loss(x, y, size_average=True), "reduction='mean'", 6.5),
        (lambda: nn.L1Loss(False)(x, y), "L1Loss: size_average and reduce are deprecated", 5.0),
        (lambda: nn.KLDivLoss(reduce=False)(x, y).shape, "reduction='none'", (2,)),
        (lambda: nn.TripletMarginLoss(1.0, 2.0, 1e-6, False, False)(x, y, x), "reduction='sum'", 4.6055484),
    ):
        with pytest.warns(UserWarning, match=said):
            found = call()
        assert (found.tolist() if isinstance(found, td.Tensor) else found) == pytest.approx(expected)
    logits, classes = td.tensor([[1.0, 2.0], [3.0, 1.0]]), td.tensor([0, 1])
    with pytest.warns(UserWarning, match="cross_entropy: size_average"):
        summed = F.cross_entropy(logits, classes, None, False, 1)
    assert summed.item() == pytest.approx(1.3132617)
    assert nn.CrossEntropyLoss(None, None, 1, None, "sum")(logits, classes).item() == pytest.approx(1.3132617)
    with pytest.raises(TypeError, match=r"mse_loss: got size_average='sum', .* say reduction='sum' by its name"):
        F.mse_loss(x, y, "sum")


def test_margins_of_one_score_and_one_example():
    assert F.multilabel_margin_loss(td.tensor(1.0), td.tensor(0), reduction="none").tolist() == 0.0
    scores = td.tensor([1.0, 2.0, 3.0])
    assert F.multi_margin_loss(scores, td.tensor([1]), reduction="none").tolist() == pytest.approx([2 / 3])
    assert F.multi_margin_loss(scores, td.tensor(1)).item() == pytest.approx(2 / 3)
