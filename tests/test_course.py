"""What the course reports, held over five seeds: which way is better than which, and what must agree."""

from __future__ import annotations

import numpy as np
import pytest
from course import example
from sklearn.datasets import load_digits

import tinygrad_dl as td

SEEDS = range(5)


# -- 1: logistic regression ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_loops_matrix_product_and_autograd_give_one_gradient(seed):
    logistic = example("01_logistic_regression")
    x, y, _, _ = logistic.load(seed)
    w, b = 0.1 * np.random.default_rng(seed).standard_normal(30), 0.1
    cost, dw, db = logistic.gradient_in_loops(w, b, x, y)
    for way in (logistic.gradient_in_one_go, logistic.gradient_by_autograd):
        other_cost, other_dw, other_db = way(w, b, x, y)
        np.testing.assert_allclose(other_dw, dw, rtol=1e-12, atol=1e-14)
        assert other_cost == pytest.approx(cost, rel=1e-13) and other_db == pytest.approx(db, rel=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_neuron_tells_tumours_apart(seed):
    costs, train, test = example("01_logistic_regression").train(seed, rate=0.1, epochs=200)
    assert costs[-1] < costs[0] / 5 and train > 0.97 and test > 0.94


def test_the_squared_error_goes_flat_where_the_cross_entropy_does_not():
    slopes = example("01_logistic_regression").slopes(np.array([-8.0, -1.0]))
    assert abs(slopes["squared error"][0]) < 0.001 < 0.1 < abs(slopes["squared error"][1])
    assert slopes["cross-entropy"][0] == pytest.approx(-1, abs=0.001)


# -- 2: planar data --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_hidden_units_beat_a_line(seed):
    planar = example("02_planar_data")
    data = planar.flower(seed)
    line, one, many = (planar.accuracy(planar.train(hidden, seed, 500), data) for hidden in (0, 1, 20))
    assert line + 0.1 < one < many - 0.1


# -- 3: a deep network by hand ---------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("scale", [None, 0.01])
def test_backward_by_hand_is_what_autograd_finds(seed, scale):
    deep = example("03_deep_network_by_hand")
    x, y, _, _ = deep.load(seed)
    layers = deep.initialise(seed, scale)
    hand = deep.backward(layers, *deep.forward(layers, x), y)
    assert max(deep.farthest(hand, deep.gradients_of(deep.as_model(layers), x, y))) < 1e-12


@pytest.mark.parametrize("seed", SEEDS)
def test_small_random_weights_let_the_gradient_fade(seed):
    deep = example("03_deep_network_by_hand")
    x, y, _, _ = deep.load(seed)
    first = []
    for scale in (None, 0.01):
        layers = deep.initialise(seed, scale)
        first.append(np.abs(deep.backward(layers, *deep.forward(layers, x), y)[0][0]).max())
    assert first[1] < first[0] / 1000


def test_training_by_hand_is_training_by_autograd():
    deep = example("03_deep_network_by_hand")
    x, y, _, _ = deep.load(0)
    layers = deep.initialise(0)
    _, by_hand = deep.train_by_hand(layers, x, y, 50)
    np.testing.assert_allclose(deep.train_by_autograd(deep.as_model(layers), x, y, 50), by_hand, rtol=1e-12)


def test_a_saturated_prediction_has_a_finite_cost_by_hand_and_in_the_library():
    course, by_hand, library = example("03_deep_network_by_hand").saturated()
    assert course[1:] == ("inf", "nan") and by_hand[1:] == library[1:] == ("40", "1")


# -- 4: initialisation -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_he_beats_large_random_weights_and_those_beat_zeros(seed):
    start = example("04_initialisation")
    data = start.circles(seed)
    zeros, large, he = (
        start.accuracy(start.train(name, seed, steps=1000, rate=0.1)[0], data)
        for name in ("zeros", "large random", "He")
    )
    assert zeros == 0.5 < large < he and he > 0.95


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cost_of_saturated_predictions_is_finite(seed):
    start = example("04_initialisation")
    plain, stable = start.first_costs("large random", seed)
    assert not np.isfinite(plain) and np.isfinite(stable) and stable > 10
    plain, stable = start.first_costs("He", seed)
    assert plain == pytest.approx(stable, rel=1e-5)


# -- 5: regularisation -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def regularised():
    """For each way the results over five seeds, as columns train, test, norm, zeros."""
    ways = example("05_regularisation")
    return {
        name: np.array([ways.measure(ways.train(way, seed, steps=1500), seed) for seed in SEEDS]).T
        for name, way in ways.WAYS.items()
        if name != "L2 and augmentation"
    }


@pytest.mark.parametrize("name", ["L2", "augmentation"])
def test_the_regularised_test_score_is_above_the_other(regularised, name):
    assert (regularised[name][1] > regularised["none"][1]).all()


@pytest.mark.parametrize("name", ["L1", "dropout", "early stopping"])
def test_the_regularised_test_score_is_above_the_other_on_the_whole(regularised, name):
    assert regularised[name][1].mean() > regularised["none"][1].mean()


@pytest.mark.parametrize("name", ["L1", "L2", "dropout", "early stopping", "augmentation"])
def test_regularisation_gives_up_some_of_the_training_score_and_of_the_weights(regularised, name):
    assert regularised[name][0].mean() < regularised["none"][0].mean()
    assert regularised[name][2].mean() < regularised["none"][2].mean()


def test_l1_alone_makes_weights_zero(regularised):
    assert (regularised["L1"][3] > 50).all()
    assert all((result[3] == 0).all() for name, result in regularised.items() if name != "L1")


# -- 6: gradient checking --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_each_planted_bug_is_found_where_it_is(seed):
    checking = example("06_gradient_checking")
    right = checking.check(checking.network(seed), seed)
    assert right.ok and checking.norm_difference(right) < 1e-7 and checking.located(right) == "-"
    for bug, place in checking.BUGS.items():
        report = checking.check(checking.network(seed, bug), seed)
        assert not report.ok and checking.norm_difference(report) > 1e-3 and checking.located(report) == place


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cautions_of_gradient_checking(seed):
    checking = example("06_gradient_checking")
    column = checking.check(checking.network(seed, "a column of dW1 dropped"), seed, None)
    assert checking.norm_difference(column) < 1e-4 and column.worst.verdict == "wrong"
    lost = checking.worst_of(checking.check(checking.network(seed), seed, checking.detached_penalty))
    assert [name for name, value in lost.items() if value > 1e-3] == ["W1", "W2", "W3"]
    with pytest.raises(checking.GradcheckError, match=r"dropout$|dropout on"):
        checking.check(checking.network(seed, keep=0.8), seed)
    before, after = checking.train(checking.network(seed, checking.SLOPE, scale=0.005), seed, steps=100, looks=1)
    assert before < 1e-6 and after > 1e-3


def test_two_sides_are_nearer_than_one():
    found = example("06_gradient_checking").quotients(np.array([0.01]))
    assert found["two sides"][0] == pytest.approx(0.0001) and found["one side"][0] == pytest.approx(0.0301)


# -- 7: optimisers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_adam_beats_momentum_at_equal_epochs(seed):
    downhill = example("07_optimisers")
    data = downhill.moons(seed)
    names = ("mini-batch descent", "momentum, averaged", "Adam as listed", "Adam")
    found = {name: downhill.train(downhill.OPTIMISERS[name], seed, epochs=200) for name in names}
    right = {name: downhill.accuracy(model, data) for name, (model, _) in found.items()}
    cost = {name: costs[-1] for name, (_, costs) in found.items()}
    assert right["Adam"] > right["momentum, averaged"] == pytest.approx(right["mini-batch descent"], abs=0.01)
    assert cost["Adam"] < cost["Adam as listed"] < cost["momentum, averaged"]


def test_every_optimiser_goes_downhill():
    downhill = example("07_optimisers")
    for name, make in downhill.OPTIMISERS.items():
        path = downhill.walk(make, rate=0.05, steps=50)
        heights = downhill.valley(*path.T)
        assert heights[-1] < heights[0], name


def test_the_listed_adam_differs_from_adam_by_its_bias_correction_alone():
    downhill = example("07_optimisers")
    listed, real = (td.tensor([1.0], requires_grad=True) for _ in range(2))
    for w, make in ((listed, downhill.AdamAsListed), (real, downhill.OPTIMISERS["Adam"])):
        w.grad = td.ones(1)
        make([w], 0.19).step()
    assert real.item() == pytest.approx(1 - 0.19, rel=1e-5)
    assert listed.item() == pytest.approx(1 - 0.1, rel=1e-5)  # 0.1 / (1 - 0.9**2) of the rate


# -- 12: hyperparameters ---------------------------------------------------------------------------


def test_random_beats_grid_and_log_beats_linear():
    tuning = example("12_hyperparameters")
    tuning.optuna.logging.set_verbosity(tuning.optuna.logging.ERROR)
    found = tuning.searches(tuning.load(), seed=0, epochs=3, repeats=5, trials=25)
    mean = {name: np.mean(values) for name, values in found.items()}
    assert len(found["grid"]) == 5
    assert mean["random"] < mean["grid"] and mean["log"] < mean["linear"] and mean["fine"] < mean["log"]


@pytest.mark.parametrize("seed", SEEDS)
def test_log_draws_fall_evenly_on_decades(seed):
    tuning = example("12_hyperparameters")
    assert tuning.shares(tuning.RATES, False, seed)[-1] == pytest.approx(0.9, abs=0.02)
    np.testing.assert_allclose(tuning.shares(tuning.RATES, True, seed), 0.25, atol=0.02)


def test_a_watched_model_beats_one_left_alone():
    tuning = example("12_hyperparameters")
    data, panda = tuning.load(), tuning.Panda()
    tuning.train(data, tuning.with_momentum(0.0005, 0.1), 15, (panda,))
    assert panda.best < 0.7 * tuning.dev_loss(tuning.train(data, tuning.with_momentum(0.0005, 0.1), 15))


def test_a_killed_worker_loses_nothing():
    tuning = example("12_hyperparameters")
    tuning.optuna.logging.set_verbosity(tuning.optuna.logging.ERROR)
    data = tuning.load()
    trials, lost = tuning.caviar(data, seed=0, trials=4, processes=2)
    assert [trial.state.name for trial in trials] == ["COMPLETE" if t.number != lost else "FAIL" for t in trials]
    (resumed,) = (trial for trial in trials if trial.user_attrs.get("begins"))
    assert resumed.params == trials[lost].params and resumed.user_attrs["begins"] == tuning.LASTS // 2 + 1
    history = tuning.train(data, tuning.with_momentum(resumed.params["lr"], resumed.params["rest"]), tuning.LASTS)
    assert resumed.value == pytest.approx(tuning.dev_loss(history), rel=1e-4)


# -- 13: data splits -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_bias_variance_and_noise_add_up_and_each_remedy_helps_its_own(seed):
    splits = example("13_data_splits")
    line, more_line, large, decay, more = (
        splits.resample(model, size, seed, sets=6) for _, model, size in splits.models(steps=200)
    )
    for terms in (line, more_line, large, decay, more):
        total = terms["bias"] + terms["variance"] + terms["noise"]
        assert total == pytest.approx(terms["error"], rel=0.1)
    assert large["bias"] < line["bias"] / 3 and large["variance"] > line["variance"] / 3
    assert more_line["bias"] == pytest.approx(line["bias"], rel=0.1)  # more data does nothing for bias
    assert more["variance"] < large["variance"] / 2 and decay["variance"] < large["variance"]
    found = [splits.diagnosis(terms["train"], terms["error"], terms["noise"]) for terms in (line, large, more)]
    assert found[0].startswith("bias") and found[1].startswith("variance") and found[2] == "done"


def test_folds_err_less_than_one_hold_out():
    splits = example("13_data_splits")
    rms = {}
    for method in ("hold-out, 20 %", "5-fold"):
        errors, _, _ = splits.split_errors(method, 0, 10)
        rms[method] = np.sqrt(np.mean(np.square(errors)))
    assert rms["5-fold"] < rms["hold-out, 20 %"]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_score_of_the_winner_flatters(seed):
    mean, best, _ = example("13_data_splits").chosen(seed, 4)
    assert best > mean


# -- 19: detection ---------------------------------------------------------------------------------


def detection_canvases(seed, count):
    detection, data = example("19_detection"), load_digits()
    return detection.canvases(data.images, data.target, count, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_two_anchors_have_room_for_what_one_has_not(seed):
    detection = example("19_detection")
    _, boxes, labels = detection_canvases(seed, 150)
    total = sum(map(len, labels))
    one, two = (detection.encode(boxes, labels, a)[1] / total for a in (detection.ANCHORS[:1], detection.ANCHORS))
    assert one > 0.05 and two < 0.015


@pytest.mark.parametrize("seed", SEEDS)
def test_a_net_that_says_what_it_should_is_judged_as_perfect(seed):
    detection = example("19_detection")
    _, boxes, labels = detection_canvases(seed, 60)
    target, lost = detection.encode(boxes, labels, detection.ANCHORS)
    target = target.numpy()
    output = np.zeros((60, 2, 6, 6, 15))
    taken = target[..., 0] == 1
    output[..., 0] = np.where(taken, 30, -30)
    corners = target[taken][:, 1:5]
    share = (corners[:, :2] + corners[:, 2:]) / 2 / detection.STRIDE % 1
    anchor = np.array(detection.ANCHORS)[np.nonzero(taken)[1]]
    numbers = output[taken]
    numbers[:, 1:3] = np.log((share + 1e-9) / (1 - share))
    numbers[:, 3:5] = np.log((corners[:, 2:] - corners[:, :2]) / anchor)
    numbers[np.arange(len(numbers)), 5 + target[taken][:, 5].astype(int)] = 30
    output[taken] = numbers
    said = td.tensor(output).permute(0, 1, 4, 2, 3).reshape(60, 30, 6, 6).float()
    found = detection.measure(said, boxes, labels, suppress=True)
    assert found["precision"] == 1.0
    assert found["recall"] > 0.97 and found["mAP"] > 0.97  # all but what lies on another of its kind
    unsuppressed = detection.measure(said, boxes, labels, suppress=False)
    assert unsuppressed["recall"] == pytest.approx(1 - lost / sum(map(len, labels)))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_detector_learns(seed):
    losses = example("19_detection").run(seed, count=96, epochs=3)["loss"]
    assert losses[-1] < 0.7 * losses[0]


# -- 24: long memory -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_gate_that_starts_open_remembers_what_others_do_not(seed):
    memory = example("24_long_memory")
    found = {name: memory.recall(name, 30, seed, 200) for name in ("RNN", "LSTM", "LSTM, bias log T")}
    assert max(found["RNN"], found["LSTM"]) < 0.3 and found["LSTM, bias log T"] > 0.6
    slopes = {name: memory.arriving(name, seed)[0] for name in memory.CELLS}
    assert max(slopes["RNN"], slopes["LSTM"], slopes["GRU"]) < 1e-12 < slopes["LSTM, bias 1"]
    assert min(slopes["LSTM, bias log T"], slopes["GRU, bias log T"]) > 1000 * slopes["LSTM, bias 1"]


@pytest.mark.parametrize("seed", SEEDS)
def test_clipping_saves_a_descent_that_would_be_thrown_off(seed):
    memory = example("24_long_memory")
    plain, cut = (memory.clipping(clip, seed, 300)[0][-20:].mean() for clip in (np.inf, 1.0))
    assert plain < 0.25 < 0.35 < cut


# -- 25: a small GPT -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_small_gpt_sees_nothing_of_what_comes_later_and_learns(seed):
    gpt = example("25_small_gpt")
    characters, train, dev = gpt.load(None)
    model, history = gpt.train_gpt(train, dev, len(characters), seed, steps=30, looks=1)
    assert gpt.leaks(model, dev) == 0
    assert history["dev"][0] == pytest.approx(np.log(len(characters)), abs=0.5)
    assert history["dev"][-1] < 3.2 < history["dev"][0]
    maps = model.weights(td.tensor(dev[None, : gpt.CONTEXT]))
    np.testing.assert_allclose(maps.sum(-1), 1, rtol=1e-5)
    assert (maps[..., ~np.tri(gpt.CONTEXT, dtype=bool)] == 0).all()


def test_of_the_likeliest_characters_only_those_are_written():
    gpt = example("25_small_gpt")
    td.manual_seed(0)
    model = gpt.GPT(30)
    once, again = (gpt.write(model, 3, 70, seed=1) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    x = np.insert(once, 0, 3, axis=1)
    for row, (_, likeliest) in zip(x, gpt.WAYS, strict=True):
        with td.no_grad():
            scores = model(td.tensor(row[None, : gpt.CONTEXT]))[0].numpy()
        above = (scores > np.take_along_axis(scores, row[1 : gpt.CONTEXT + 1, None], 1)).sum(1)
        assert above.max() < likeliest if likeliest else above.max() > 5
