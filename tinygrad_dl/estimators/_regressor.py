"""The regressor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from tinygrad_dl import nn
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.estimators._estimator import Estimator


class TinygradRegressor(RegressorMixin, Estimator):
    """A neural network that predicts numbers, as a scikit-learn estimator.

    The targets are taken as they are. Where they are far from 0 or spread widely, put a `StandardScaler` around it:
    `TransformedTargetRegressor(TinygradRegressor(), transformer=StandardScaler())`.

    Args:
        hidden_layer_sizes, activation, dropout, optimizer, lr, lr_schedule, weight_decay, batch_size, epochs,
        early_stopping, validation_fraction, patience, callbacks, random_state, verbose, compile: as in
            `TinygradClassifier`.
        module: the model instead, of which each `fit` trains a copy; or a function of (number of features, number of
            targets) that makes it.
        loss: `loss(output, target)`, both (n, targets); by default the mean squared error.

    Attributes:
        module_: the trained model. optimizer_: its optimiser. history_: the `td.train.History`.
        n_iter_: how many epochs were run. n_features_in_: columns of X.

    Raises:
        ValueError: an option out of its range, or data that scikit-learn refuses; from `fit`.

    >>> from sklearn.datasets import make_regression
    >>> from sklearn.preprocessing import scale
    >>> import tinygrad_dl as td
    >>> x, y = make_regression(100, 5, random_state=0)
    >>> model = td.estimators.TinygradRegressor((32,), lr=0.01, epochs=50, random_state=0).fit(x, scale(y))
    >>> model.score(x, scale(y)) > 0.9
    True

    Source: https://scikit-learn.org/stable/developers/develop.html
    """

    def _loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        return nn.MSELoss() if self.loss is None else self.loss

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TinygradRegressor:
        """Trains a new model on samples X (n, features) and their targets y (n,) or (n, targets); returns itself.

        Args:
            sample_weight: how much each sample counts (n,): 0 as if it were not there. None: all alike.
        """
        return self._fit(X, y, True, self.epochs, sample_weight)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> TinygradRegressor:
        """Trains for one pass over these samples, and goes on with the model that is there; returns itself.

        Args:
            sample_weight: how much each sample counts (n,). None: all alike.
        """
        return self._fit(X, y, not hasattr(self, "module_"), 0, sample_weight)

    def _fit(self, X: Any, y: Any, new: bool, epochs: int, sample_weight: Any) -> TinygradRegressor:
        x, y = self._checked(X, y, new, multi_output=True, y_numeric=True)
        targets = np.asarray(y, self._dtype)
        if new:
            self._single = targets.ndim == 1
        targets = targets.reshape(len(targets), -1)
        self._train(x, targets, targets.shape[1], None, epochs, self._weights(sample_weight, x))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The predicted targets: (n,) or (n, targets), as `fit` had them."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._single else outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _more_tags(self) -> dict[str, Any]:  # scikit-learn before 1.6 asks here
        return {"multioutput": True}
