"""The classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from tinygrad_dl import nn, optim
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.estimators._estimator import Estimator
from tinygrad_dl.train import Callback


class TinygradClassifier(ClassifierMixin, Estimator):
    """A neural network that classifies, as a scikit-learn estimator.

    Args:
        hidden_layer_sizes: the width of each hidden layer, or of the one there is; `()` is logistic regression.
        activation: "relu", "tanh", "sigmoid" or "identity", after each hidden layer.
        dropout: the share of activations that is dropped after each hidden layer in training.
        module: the model instead, of which each `fit` trains a copy; or a function of (number of features, number of
            classes) that makes it. Its output is a score for each class.
        loss: `loss(scores, classes)`; by default the cross-entropy.
        optimizer: the name of one in `td.optim`, or a function of (parameters, lr=..., weight_decay=...).
        lr, weight_decay: for the optimiser.
        lr_schedule: a function of the optimiser that makes one of `optim.lr_scheduler`, which goes on after each epoch:
            `lambda optimizer: td.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100)`.
        batch_size: samples a step.
        epochs: passes over the training set, at most.
        early_stopping: whether to hold out a part of the training set, to stop when the loss on it has not fallen
            for `patience` epochs, and to keep the weights of the best epoch.
        validation_fraction: the part that is held out, with the same share of each class.
        class_weight: how much the samples of each class count, as a dict from label to weight; "balanced": each class
            as much as the others; None: all samples alike.
        patience: epochs without progress.
        callbacks: of `td.train`; each `fit` works with copies of them.
        random_state: the seed of all that is random: weights, order, dropout, the part that is held out.
        verbose: whether to show a progress bar.
        compile: whether training steps are run as programs, by `td.compile`.

    Attributes:
        classes_: the labels, sorted. module_: the trained model. optimizer_: its optimiser.
        history_: the `td.train.History`. n_iter_: how many epochs were run. n_features_in_: columns of X.

    Raises:
        ValueError: an option out of its range, or data that scikit-learn refuses; from `fit`. TypeError: one of another
            kind.

    >>> from sklearn.datasets import load_iris
    >>> import tinygrad_dl as td
    >>> x, y = load_iris(return_X_y=True)
    >>> model = td.estimators.TinygradClassifier((16,), lr=0.01, epochs=30, random_state=0).fit(x, y)
    >>> model.score(x, y) > 0.9
    True
    >>> model.predict_proba(x[:2]).shape
    (2, 3)

    Source: https://scikit-learn.org/stable/developers/develop.html
    """

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        *,
        activation: str = "relu",
        dropout: float = 0.0,
        module: nn.Module | Callable[[int, int], nn.Module] | None = None,
        loss: Callable[[Tensor, Tensor], Tensor] | None = None,
        optimizer: str | Callable[..., optim.Optimizer] = "adam",
        lr: float = 1e-3,
        lr_schedule: Callable[[optim.Optimizer], optim.lr_scheduler.LRScheduler] | None = None,
        weight_decay: float = 0.0,
        batch_size: int = 32,
        epochs: int = 100,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        callbacks: Callback | Sequence[Callback] = (),
        random_state: Any = None,
        verbose: bool = False,
        compile: bool = False,
        class_weight: dict[Any, float] | str | None = None,
    ):
        super().__init__(
            hidden_layer_sizes,
            activation=activation,
            dropout=dropout,
            module=module,
            loss=loss,
            optimizer=optimizer,
            lr=lr,
            lr_schedule=lr_schedule,
            weight_decay=weight_decay,
            batch_size=batch_size,
            epochs=epochs,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            patience=patience,
            callbacks=callbacks,
            random_state=random_state,
            verbose=verbose,
            compile=compile,
        )
        self.class_weight = class_weight

    def _loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        return nn.CrossEntropyLoss() if self.loss is None else self.loss

    def _class_weights(self, y: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        """The weights of the samples times those of their classes."""
        if self.class_weight is None:
            return weights
        by_class = compute_class_weight(self.class_weight, classes=self.classes_, y=y, sample_weight=weights)
        own = by_class[np.searchsorted(self.classes_, y)]
        found: np.ndarray = (own if weights is None else own * weights).astype(self._dtype)
        return found

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TinygradClassifier:
        """Trains a new model on samples X (n, features) and their labels y (n,); returns itself.

        Args:
            sample_weight: how much each sample counts (n,): 0 as if it were not there. None: all alike.
        """
        x, y = self._checked(X, y, True)
        check_classification_targets(y)
        weights = self._weights(sample_weight, x)
        self.classes_ = np.unique(y if weights is None else y[weights > 0])
        if weights is not None:
            kept = np.isin(y, self.classes_)
            x, y, weights = x[kept], y[kept], weights[kept]
        numbers = np.searchsorted(self.classes_, y)
        weights = self._class_weights(y, weights)
        self._train(x, numbers, len(self.classes_), numbers, self.epochs, weights)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> TinygradClassifier:
        """Trains for one pass over these samples, and goes on with the model that is there; returns itself.

        Args:
            classes: all labels that will come, needed at the first call.
            sample_weight: how much each sample counts (n,). None: all alike.
        """
        if isinstance(self.class_weight, str):
            raise ValueError(
                "partial_fit: got class_weight='balanced', which needs all samples at once, expected a dict; give the "
                "weights as a dict from label to weight"
            )
        first = not hasattr(self, "module_")
        x, y = self._checked(X, y, first)
        check_classification_targets(y)
        if first:
            if classes is None:
                raise ValueError(
                    "partial_fit: got no classes, expected them at the first call: all labels that will come"
                )
            self.classes_ = np.unique(classes)
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(
                f"partial_fit: got the labels {unknown} in y, expected those among classes {self.classes_}"
            )
        weights = self._class_weights(y, self._weights(sample_weight, x))
        self._train(x, np.searchsorted(self.classes_, y), len(self.classes_), None, 0, weights)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """The score of each class (n, classes); of two classes, how much higher the second's is (n,)."""
        scores = self._outputs(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class: (n, classes), in the order of `classes_`."""
        scores = self._outputs(X)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
        return shares

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithm of the probability of each class."""
        scores = self._outputs(X)
        shifted = scores - scores.max(axis=1, keepdims=True)
        logarithms: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return logarithms

    def predict(self, X: Any) -> np.ndarray:
        """The most probable label of each sample: (n,)."""
        best = self._outputs(X).argmax(axis=1)
        labels: np.ndarray = self.classes_[best]
        return labels
