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
        ({"batch_size": 0}, "batch_size is 0, expected an integer of 1 or more"),
        ({"epochs": 1.5}, "epochs is 1.5, expected an integer of 1 or more"),
        ({"activation": "swish"}, "activation is 'swish', expected one of"),
        ({"optimizer": "adamax2"}, "optimizer is 'adamax2', expected one of"),
        ({"lr": -1.0}, "lr"),
        ({"module": lambda features, classes: None}, "returned a NoneType, expected an nn.Module"),
    ],
)
def test_options_out_of_range(options, said):
    with pytest.raises((ValueError, TypeError)) as caught:
        small(**options).fit(X, Y)
    assert said in str(caught.value)


def test_partial_fit_says_which_labels_it_needs():
    with pytest.raises(ValueError, match="classes must be given at the first call"):
        small().partial_fit(X, Y)
    model = small().partial_fit(X[:100], Y[:100], classes=[0, 1])
    with pytest.raises(ValueError, match=r"y has the labels \[2\], which are not among classes \[0 1\]"):
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
