"""scikit-learn's own checks of estimators, and what it does with ours: clones, pipelines, searches, files."""

from __future__ import annotations

from sklearn.utils.estimator_checks import parametrize_with_checks

from tinygrad_dl.estimators import TinygradClassifier, TinygradRegressor


@parametrize_with_checks([TinygradClassifier(), TinygradRegressor()])
def test_scikit_learns_checks(estimator, check):
    check(estimator)
