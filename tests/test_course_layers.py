"""What the course reports of averages, normalisation, depth and layers for images, held over five seeds."""

from __future__ import annotations

import numpy as np
import pytest
from course import example

import tinygrad_dl as td

SEEDS = range(5)


# -- 8: weighted averages --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gradient descent", "momentum", "RMSprop", "Adam"])
def test_optimisers_are_made_of_averages(name):
    averages = example("08_weighted_averages")
    rule, make = averages.PAIRS[name]
    path = averages.by_hand(rule())
    np.testing.assert_allclose(path, averages.by_library(make), rtol=1e-12, atol=1e-13)
    assert averages.bowl(*path[-1]) < averages.bowl(*path[0]) / 100


def test_bias_correction_on_the_sales_of_the_course():
    averages = example("08_weighted_averages")
    plain, corrected = averages.Average(0.5), averages.Average(0.5, corrected=True)
    assert [plain(x) for x in (10, 12, 14, 16, 18)] == [5, 8.5, 11.25, 13.625, 15.8125]
    assert [round(corrected(x), 2) for x in (10, 12, 14)] == [10, 11.33, 12.86]


# -- 9: learning-rate decay ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_constant_rate_never_comes_to_rest(seed):
    decay = example("09_learning_rate_decay")
    rests = {name: np.linalg.norm(decay.noisy_bowl(name, seed)[-50:], axis=1).mean() for name in decay.SCHEDULES}
    assert all(rests[name] < 0.7 * rests["constant"] for name in decay.SCHEDULES if name != "constant")


@pytest.mark.parametrize("seed", SEEDS)
def test_decay_calms_the_loss_on_noisy_digits(seed):
    decay = example("09_learning_rate_decay")
    constant, steps = (np.abs(np.diff(decay.digits(name, seed, 12)[1][-4:])).mean() for name in ("constant", "steps"))
    assert steps < constant / 2


# -- 10: batch normalisation -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_batch_norm_by_hand_the_identity_and_a_useless_bias(seed):
    norm = example("10_batch_normalisation")
    assert max(norm.same_as_layer(seed).values()) < 1e-12
    assert max(norm.identity_and_bias(seed).values()) < 1e-12


@pytest.mark.parametrize("seed", SEEDS)
def test_batch_norm_trains_what_stands_still_without_it(seed):
    norm = example("10_batch_normalisation")
    losses = []
    for with_norm in (False, True):
        td.manual_seed(seed)
        losses.append(norm.train(norm.net(with_norm), norm.load(seed), 0.5, epochs=4)[-1])
    assert losses[1] < 0.6 < 2 < losses[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_new_running_averages_undo_a_shift(seed):
    before, shifted, restored = example("10_batch_normalisation").shifted(seed, norm=True, epochs=4)
    assert shifted < before - 0.1 and restored > before - 0.05


# -- 11: softmax regression ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_the_gradient_of_the_scores_is_p_minus_y(seed):
    scores = np.random.default_rng(seed).normal(size=6).tolist()
    found, formula = example("11_softmax_regression").gradient_of_scores(scores, seed)
    np.testing.assert_allclose(found, formula, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("seed", SEEDS)
def test_arms_need_a_hidden_layer(seed):
    softmax = example("11_softmax_regression")
    arms = softmax.spirals(seed)
    scores = [softmax.train(arms, hidden, seed, steps=300)[1] for hidden in ([], [32])]
    assert scores[0] < 0.6 < 0.95 < scores[1]


# -- 14: normalising inputs ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_scaled_inputs_are_learnt_in_a_few_steps_and_raw_ones_not_at_all(seed):
    found = example("14_normalising_inputs").compare(seed, most=100)
    conditions, steps = ({name: each[i] for name, each in found.items()} for i in (0, 2))
    assert conditions["raw"] > 1000 * conditions["min-max"] > 1000 * conditions["z-score"]
    assert steps["z-score"] < steps["min-max"] < 50 and steps["raw"] == 100


@pytest.mark.parametrize("seed", SEEDS)
def test_examples_scaled_by_themselves_are_all_alike(seed):
    scores = example("14_normalising_inputs").test_statistics(seed)
    assert scores["each example's own"] < 0.6 < 0.9 < scores["training set's"]


# -- 15: vanishing gradients -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_gradients_vanish_explode_and_are_cured(seed):
    deep = example("15_vanishing_gradients")
    first = {name: deep.gradients_by_layer(name, seed)[0] for name in deep.MODELS}
    assert max(first[name] for name in ("sigmoid", "tanh, too small", "relu, too small")) < 1e-5
    assert first["relu, too large"] > 100 * first["relu, He"]
    for name in ("tanh, Xavier", "relu, He", "tanh, too small, batch norm", "relu, too small, residual"):
        assert 1e-4 < first[name] < 1e4


# -- 16 to 18: convolution -------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_convolution_by_hand_and_the_filter_that_is_learnt(seed):
    convolution = example("16_convolution")
    for *_, formula, shape, difference in convolution.sizes(seed):
        assert shape == f"{formula} x {formula} x 2" and float(difference) < 1e-4
    np.testing.assert_allclose(convolution.learn_the_filter(seed), convolution.VERTICAL, atol=0.02)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_deep_net_learns_with_a_way_around_its_layers(seed):
    nets = example("17_residual_nets")
    plain, residual = (nets.train(24, kind, seed, epochs=3)[0][-1] for kind in (False, True))
    assert residual < plain - 0.3


def test_the_multiplications_that_the_course_counts():
    separable = example("18_separable_convolutions")
    nn, image = td.nn, td.zeros(1, 3, 6, 6)
    apart = nn.Sequential(nn.Conv2d(3, 3, 3, groups=3), nn.Conv2d(3, 5, 1))
    counts = [separable.multiplications(model, image) for model in (nn.Conv2d(3, 5, 3), apart)]
    assert counts == [2160, 672]


# -- 20 to 22: segmentation, one shot, transfer ----------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_transposed_convolution_is_the_adjoint(seed):
    assert example("20_segmentation").adjoint(seed) < 1e-12


@pytest.mark.parametrize("seed", SEEDS)
def test_an_embedding_knows_digits_that_it_was_not_trained_on(seed):
    shot = example("21_one_shot")
    images = shot.load(seed)
    model = shot.train(images, seed, steps=150, margin=0.5, way="semi-hard")
    pixels, learnt = (shot.recognise(each, images, seed, shots=5, trials=20) for each in (shot.Pixels(), model))
    assert learnt > pixels + 0.05


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_learnt_elsewhere_helps_where_examples_are_few(seed):
    scores = example("22_transfer_learning").compare(seed, [10], steps=60)
    assert max(scores["frozen"][0], scores["last layers"][0]) > scores["scratch"][0] + 0.03
