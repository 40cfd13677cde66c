"""scikit-learn's own checks of estimators, and what it does with ours: clones, pipelines, searches, files."""

from __future__ import annotations

import functools
import importlib
import pickle
import sys

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_regression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.utils.estimator_checks import parametrize_with_checks

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.estimators import TinygradClassifier, TinygradRegressor
from tinygrad_dl.train import EarlyStopping

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])


@parametrize_with_checks([TinygradClassifier(), TinygradRegressor()])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def small(**options):
    return TinygradClassifier(**{"hidden_layer_sizes": (16,), "lr": 0.01, "epochs": 30, "random_state": 0, **options})


def wide(features, classes):
    return nn.Sequential(nn.Linear(features, 24), nn.BatchNorm1d(24), nn.Tanh(), nn.Linear(24, classes))


def test_labels_probabilities_and_scores():
    model = small().fit(scale(X), NAMES[Y])
    assert model.score(scale(X), NAMES[Y]) > 0.95
    assert list(model.classes_) == list(NAMES) and model.n_features_in_ == 4 and model.n_iter_ == 30
    chances = model.predict_proba(scale(X))
    np.testing.assert_allclose(chances.sum(1), 1, rtol=1e-12)
    np.testing.assert_allclose(np.log(chances), model.predict_log_proba(scale(X)), rtol=1e-9, atol=1e-12)
    assert (NAMES[chances.argmax(1)] == model.predict(scale(X))).all()
    assert model.decision_function(X).shape == (150, 3)
    two = small(epochs=2).fit(X[:100], Y[:100])
    assert two.decision_function(X).shape == (150,)
    assert ((two.decision_function(X) > 0) == two.predict(X)).all()


def test_the_seed_decides_and_the_library_s_own_generator_is_left_alone():
    td.manual_seed(3)
    expected = td.rand(2)
    td.manual_seed(3)
    first = small(dropout=0.2).fit(X, Y)
    assert td.equal(td.rand(2), expected)
    assert (first.predict_proba(X) == small(dropout=0.2).fit(X, Y).predict_proba(X)).all()
    assert (first.predict_proba(X) != small(dropout=0.2, random_state=1).fit(X, Y).predict_proba(X)).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_of_x_is_computed_in(dtype):
    x, y = make_regression(40, 3, random_state=0)
    model = TinygradRegressor((8,), epochs=2, random_state=0).fit(x.astype(dtype), y)
    assert model.predict(x).dtype == dtype
    assert small(epochs=1).fit(X.astype(dtype), Y).predict_proba(X).dtype == dtype


@pytest.mark.parametrize("save", ["pickle", "joblib", "clone"])
def test_copies(save, tmp_path):
    model = make_pipeline(StandardScaler(), small(module=wide, early_stopping=True)).fit(X, Y)
    if save == "pickle":
        copy = pickle.loads(pickle.dumps(model))
    elif save == "joblib":
        joblib.dump(model, tmp_path / "model.joblib")
        copy = joblib.load(tmp_path / "model.joblib")
    else:
        copy = clone(model).fit(X, Y)
    assert (copy.predict_proba(X) == model.predict_proba(X)).all()


def test_a_copy_goes_on_learning_as_the_original_does():
    model = small().partial_fit(X, Y, classes=[0, 1, 2])
    copy = pickle.loads(pickle.dumps(model))
    for each in (model, copy):
        each.partial_fit(X, Y).partial_fit(X, Y)
        assert each.n_iter_ == 3
    assert (copy.predict_proba(X) == model.predict_proba(X)).all()


def test_searches_in_two_processes():
    pipeline = make_pipeline(StandardScaler(), small(epochs=10))
    grid = {"tinygradclassifier__lr": [1e-5, 1e-2], "tinygradclassifier__module": [None, wide]}
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2).fit(X, Y)
    joblib.externals.loky.get_reusable_executor().shutdown(wait=True)  # its processes would wait for more work
    assert search.best_score_ > 0.85 and search.best_params_["tinygradclassifier__lr"] == 1e-2
    alone = GridSearchCV(pipeline, grid, cv=3).fit(X, Y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
    found = RandomizedSearchCV(small(epochs=5), {"optimizer": ["sgd", "adam"]}, n_iter=2, cv=2, random_state=0).fit(
        X, Y
    )
    assert found.best_params_["optimizer"] == "adam"


def test_regression_of_one_and_of_several_targets():
    x, y = load_diabetes(return_X_y=True)
    x, y = scale(x), scale(y)
    assert cross_val_score(TinygradRegressor((16,), epochs=20, random_state=0), x, y, cv=3).mean() > 0.35
    both = TinygradRegressor((16,), epochs=20, loss=nn.HuberLoss(), random_state=0).fit(x, np.stack([y, -y], 1))
    assert both.predict(x).shape == (442, 2) and both.score(x, np.stack([y, -y], 1)) > 0.4
    one = TinygradRegressor((), epochs=1, random_state=0).partial_fit(x, y).partial_fit(x, y)
    assert one.predict(x).shape == (442,) and one.n_iter_ == 2


def test_early_stopping_and_callbacks():
    model = small(early_stopping=True, patience=3, epochs=500, lr=0.05).fit(X, Y)
    losses = model.history_["dev_loss"]
    assert model.n_iter_ == len(losses) < 500 and model.history_.kept == int(np.argmin(losses)) == len(losses) - 4
    stopping = EarlyStopping("train_loss", patience=1, min_delta=1e9)
    model = small(callbacks=(stopping,)).fit(X, Y)
    assert model.n_iter_ == 2 and not stopping.weights  # fit worked with a copy


def test_optimisers():
    momentum = functools.partial(td.optim.SGD, momentum=0.9)
    model = small(optimizer=momentum, weight_decay=1e-3).fit(X, Y)
    (group,) = model.optimizer_.param_groups
    assert (group["momentum"], group["weight_decay"], group["lr"]) == (0.9, 1e-3, 0.01)
    assert isinstance(small(optimizer="RMSprop", epochs=1).fit(X, Y).optimizer_, td.optim.RMSprop)


def test_a_last_batch_of_one_sample_joins_the_one_before():
    small(module=wide, batch_size=16, epochs=1).fit(X[:33], Y[:33] + np.arange(33) % 2)


def test_verbose_shows_a_bar(capsys):
    small(epochs=2, verbose=True).fit(X, Y)
    assert "epoch 2/2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_size": 0}, "got batch_size=0, expected an integer of 1 or more"),
        ({"epochs": 1.5}, "got epochs=1.5, expected an integer of 1 or more"),
        ({"activation": "swish"}, "got activation='swish', expected one of"),
        ({"optimizer": "adamax2"}, "got optimizer='adamax2', expected one of"),
        ({"lr": -1.0}, "lr"),
        (
            {"module": lambda features, classes: None},
            "got a NoneType from module(n_features, n_outputs), expected an nn.Module",
        ),
    ],
)
def test_options_out_of_range(options, said):
    with pytest.raises((ValueError, TypeError)) as caught:
        small(**options).fit(X, Y)
    assert said in str(caught.value)


def test_partial_fit_says_which_labels_it_needs():
    with pytest.raises(ValueError, match="got no classes, expected them at the first call"):
        small().partial_fit(X, Y)
    model = small().partial_fit(X[:100], Y[:100], classes=[0, 1])
    with pytest.raises(ValueError, match=r"got the labels \[2\] in y, expected those among classes \[0 1\]"):
        model.partial_fit(X, Y)


def test_without_scikit_learn(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("sklearn")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.delitem(sys.modules, "tinygrad_dl.estimators")
    with pytest.raises(ImportError) as caught:
        importlib.import_module("tinygrad_dl.estimators")
    assert str(caught.value) == (
        "tinygrad_dl.estimators needs scikit-learn; install it with: pip install 'tinygrad_dl[sklearn]'"
    )


# -- options -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [16, np.int64(16), [16], np.array([16]), (16,)])
def test_one_hidden_layer_may_be_given_as_a_number(sizes):
    model = small(hidden_layer_sizes=sizes, epochs=2).fit(X, Y)
    assert model.module_[0].weight.shape == (16, 4) and len(model.module_) == 3
    assert clone(model).fit(X, Y).predict(X).shape == (150,)


@pytest.mark.parametrize("sizes", [0, -3, (4, 0), 1.5, "100", True, None, (4, "4")])
def test_sizes_of_layers_that_are_refused(sizes):
    with pytest.raises(ValueError, match=r"got hidden_layer_sizes=.*, expected the width of each hidden layer: an int"):
        TinygradClassifier(sizes).fit(X, Y)


def test_a_module_as_it_is():
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    before = {name: value.tolist() for name, value in module.state_dict().items()}
    model = small(module=module)
    first = model.fit(X, Y).predict_proba(X)
    assert {name: value.tolist() for name, value in module.state_dict().items()} == before
    assert (model.fit(X, Y).predict_proba(X) == first).all(), "each fit begins anew"
    assert (clone(model).fit(X, Y).predict_proba(X) == first).all()
    assert module[0].weight.dtype == td.float32 and model.module_[0].weight.dtype == td.float64
    with pytest.raises(TypeError, match=r"TinygradClassifier: got module=3, expected an nn\.Module, or a function of"):
        small(module=3).fit(X, Y)


def test_weights_of_samples_are_as_samples_repeated():
    """With all samples in one batch, whose order does not matter then."""
    rng = np.random.default_rng(0)
    weights = rng.integers(0, 4, 60)
    x, y = rng.normal(size=(60, 4)), rng.integers(0, 3, 60)
    for make, targets in ((TinygradClassifier, y), (TinygradRegressor, x @ [1.0, 2, 3, 4])):
        options = {"batch_size": 500, "epochs": 20, "random_state": 0, "lr": 0.01}
        weighted = make(8, **options).fit(x, targets, sample_weight=weights)
        repeated = make(8, **options).fit(x.repeat(weights, 0), targets.repeat(weights))
        np.testing.assert_allclose(weighted.predict(x), repeated.predict(x), rtol=1e-7)
        assert (weighted.predict(x) != make(8, **options).fit(x, targets).predict(x)).any()
        again = make(8, **options).partial_fit(x, targets, **({"classes": [0, 1, 2]} if targets is y else {}))
        again.partial_fit(x, targets, sample_weight=weights)


def test_the_weighted_loss_is_the_weighted_mean():
    x, y = np.eye(3), np.array([0, 1, 1])
    model = TinygradClassifier((), epochs=1, lr=0.0, batch_size=3, random_state=0)
    model.fit(x, y, sample_weight=[1.0, 2.0, 5.0])
    losses = -model.predict_log_proba(x)[np.arange(3), y]
    right = losses @ [1.0, 2.0, 5.0] / 8
    assert model.history_["train_loss"][0] == pytest.approx(right, rel=1e-12)
    model = clone(model).set_params(class_weight={0: 3.0, 1: 1.0}).fit(x, y, sample_weight=[1.0, 2.0, 5.0])
    assert model.history_["train_loss"][0] == pytest.approx(losses @ [3.0, 2.0, 5.0] / 10, rel=1e-12)
    model = clone(model).set_params(class_weight="balanced").fit(x, y)
    assert model.history_["train_loss"][0] == pytest.approx(losses @ [2.0, 1.0, 1.0] / 4, rel=1e-12)


def test_weights_that_are_refused():
    for weights, said in (
        ([1.0] * 3, r"got sample_weight of shape \(3,\), expected \(150,\)"),
        ([-1.0] + [1.0] * 149, r"got sample_weight from -1\.0 to 1\.0, expected finite numbers of 0 or more"),
        ([np.nan] * 150, "got sample_weight from nan to nan"),
        ([0.0] * 150, "got sample_weight of zeros alone, expected at least one non-zero number"),
    ):
        with pytest.raises(ValueError, match=said):
            small().fit(X, Y, sample_weight=weights)
    with pytest.raises(
        ValueError, match=r"got a loss of shape \(\) with sample_weight or class_weight, expected a value for each of"
    ):
        small(loss=lambda scores, y: nn.functional.cross_entropy(scores, y)).fit(X, Y, sample_weight=np.ones(150))
    own = small(loss=lambda scores, y: nn.functional.cross_entropy(scores, y, reduction="none"), epochs=2)
    same = small(epochs=2).fit(X, Y, sample_weight=np.ones(150)).predict_proba(X)
    np.testing.assert_allclose(own.fit(X, Y, sample_weight=np.ones(150)).predict_proba(X), same, rtol=1e-12)
    with pytest.raises(ValueError, match=r"partial_fit: got class_weight='balanced', which needs all samples at once"):
        small(class_weight="balanced").partial_fit(X, Y, classes=[0, 1, 2])


def test_rare_classes_count_more_with_balanced_weights():
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(0, 1, (300, 2)), rng.normal(1.0, 1, (15, 2))])
    y = np.repeat(["often", "rare"], [300, 15])
    options = {"hidden_layer_sizes": (), "epochs": 60, "lr": 0.05, "random_state": 0}
    plain = TinygradClassifier(**options).fit(x, y)
    balanced = TinygradClassifier(**options, class_weight="balanced", early_stopping=True).fit(x, y)
    found = [(model.predict(x[300:]) == "rare").mean() for model in (plain, balanced)]
    assert found[0] < 0.5 and found[1] > found[0] + 0.2


def test_learning_rate_schedules():
    schedules = td.optim.lr_scheduler
    halve = functools.partial(schedules.ExponentialLR, gamma=0.5)
    for make, targets in ((TinygradClassifier, Y), (TinygradRegressor, Y * 1.0)):
        model = make(4, epochs=3, lr=0.8, lr_schedule=halve, random_state=0).fit(X, targets)
        assert model.optimizer_.param_groups[0]["lr"] == pytest.approx(0.1)
        assert pickle.loads(pickle.dumps(model)).predict(X).shape == (150,)
        assert clone(model).lr_schedule is not None
    model = TinygradRegressor(4, lr=0.8, lr_schedule=halve).partial_fit(X, Y).partial_fit(X, Y)
    assert model.optimizer_.param_groups[0]["lr"] == pytest.approx(0.2)
    plateau = functools.partial(schedules.ReduceLROnPlateau, patience=0, threshold=1e6, threshold_mode="abs")
    model = small(lr_schedule=plateau, epochs=3, early_stopping=True).fit(X, Y)
    assert model.optimizer_.param_groups[0]["lr"] < 0.01
    with pytest.raises(TypeError, match=r"got lr_schedule='cosine', expected a function of the optimiser, such as"):
        small(lr_schedule="cosine").fit(X, Y)


def test_one_callback():
    model = small(epochs=9, callbacks=EarlyStopping("train_loss", patience=1, min_delta=1e6)).fit(X, Y)
    assert model.n_iter_ == 2
