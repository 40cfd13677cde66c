"""Classifier and regressor that scikit-learn treats as its own: its splits, pipelines, searches and metrics serve.

>>> from sklearn.datasets import load_iris
>>> from sklearn.model_selection import cross_val_score
>>> from sklearn.pipeline import make_pipeline
>>> from sklearn.preprocessing import StandardScaler
>>> import tinygrad_dl as td
>>> x, y = load_iris(return_X_y=True)
>>> model = make_pipeline(StandardScaler(), td.estimators.TinygradClassifier((16,), lr=0.01, random_state=0))
>>> bool(cross_val_score(model, x, y, cv=3).mean() > 0.9)
True

Both compute in the dtype of X, float32 or float64; scikit-learn's data sets are float64.

scikit-learn is imported here and nowhere else in the library; `pip install 'tinygrad_dl[sklearn]'` brings it.
"""

from __future__ import annotations

from tinygrad_dl.core.namespaces import public

try:
    import sklearn as sklearn
except ImportError:
    raise ImportError(
        "tinygrad_dl.estimators needs scikit-learn; install it with: pip install 'tinygrad_dl[sklearn]'"
    ) from None

from tinygrad_dl.estimators._classifier import TinygradClassifier
from tinygrad_dl.estimators._regressor import TinygradRegressor

__all__ = ["TinygradClassifier", "TinygradRegressor"]

public(globals(), "")
