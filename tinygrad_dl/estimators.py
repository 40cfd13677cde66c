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

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np

from tinygrad_dl import nn, optim, random
from tinygrad_dl.core.namespaces import public
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.train import Callback, EarlyStopping, History, Schedule, fit, predict
from tinygrad_dl.train.loop import several

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.model_selection import train_test_split
    from sklearn.utils import check_random_state, compute_class_weight
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted
except ImportError:
    raise ImportError(
        "tinygrad_dl.estimators needs scikit-learn; install it with: pip install 'tinygrad_dl[sklearn]'"
    ) from None
try:
    from sklearn.utils.validation import validate_data
except ImportError:  # scikit-learn before 1.6

    def validate_data(estimator: Any, *args: Any, **kwargs: Any) -> Any:
        """Checks data; remembers, or compares, the number of features and their names."""
        return estimator._validate_data(*args, **kwargs)


__all__ = ["TinygradClassifier", "TinygradRegressor"]
DTYPES = (np.float64, np.float32)
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "identity": nn.Identity}
OPTIMIZERS = {name.lower(): getattr(optim, name) for name in optim.__all__ if name not in ("Optimizer", "lr_scheduler")}


class Batches:
    """Mini-batches of arrays, in a new order in each pass if a generator is given.

    A last batch of one sample goes to the batch before it: batch normalisation can't train on one.
    """

    def __init__(
        self,
        inputs: np.ndarray,
        targets: np.ndarray,
        size: int,
        generator: np.random.Generator | None,
        weights: np.ndarray | None = None,
    ):
        self.inputs, self.targets, self.generator, self.weights = inputs, targets, generator, weights
        starts = list(range(0, len(inputs), size))
        if len(starts) > 1 and len(inputs) - starts[-1] == 1:
            starts.pop()
        self.bounds = list(zip(starts, [*starts[1:], len(inputs)], strict=True))

    def __len__(self) -> int:
        return len(self.bounds)

    def __iter__(self) -> Iterator[tuple[np.ndarray, Any]]:
        count = len(self.inputs)
        order = np.arange(count) if self.generator is None else self.generator.permutation(count)
        for start, end in self.bounds:
            rows = order[start:end]
            targets = self.targets[rows]
            yield self.inputs[rows], targets if self.weights is None else (targets, self.weights[rows])


class Weighted:
    """The mean of a loss over samples that do not count alike: the sum of weight times loss over the sum of weights.

    Args:
        loss: one of `nn` with the option `reduction`, or a function of (output, target) with a loss for each sample.
    """

    def __init__(self, loss: Any):
        self.loss = loss
        if isinstance(loss, nn.Module) and hasattr(loss, "reduction"):
            self.loss = deepcopy(loss)
            self.loss.reduction = "none"

    def __call__(self, output: Tensor, target: tuple[Tensor, Tensor]) -> Tensor:
        values, weights = target
        losses = self.loss(output, values)
        if losses.ndim == 0 or len(losses) != len(weights):
            raise ValueError(
                f"got a loss of shape {tuple(losses.shape)} with sample_weight or class_weight, expected a value for "
                f"each of {len(weights)} samples; take a loss of td.nn, or one without a mean"
            )
        each = losses.reshape(len(weights), -1).mean(1)
        found: Tensor = (each * weights).sum() / weights.sum()
        return found


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """The library's generator started from a seed, and put back afterwards."""
    before = random.get_rng_state()
    random.manual_seed(seed)
    try:
        yield
    finally:
        random.set_rng_state(before)


class _Estimator(BaseEstimator):
    """What both estimators share. Their `fit` says what the targets are."""

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
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.module = module
        self.loss = loss
        self.optimizer = optimizer
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.epochs = epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    # -- what the two differ in --------------------------------------------------------------------

    def _loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        raise NotImplementedError

    # -- building ------------------------------------------------------------------------------------

    def _check_options(self) -> None:
        for name in ("batch_size", "epochs", "patience"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise ValueError(f"{type(self).__name__}: got {name}={value!r}, expected an integer of 1 or more")
        for size in self._sizes():
            if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
                raise ValueError(
                    f"{type(self).__name__}: got hidden_layer_sizes={self.hidden_layer_sizes!r}, expected the width of "
                    "each hidden layer: an integer of 1 or more, or several, such as (100, 50)"
                )
        if self.module is not None and not callable(self.module):
            raise TypeError(
                f"{type(self).__name__}: got module={self.module!r:.60}, expected an nn.Module, or a function of "
                "(number of features, number of outputs) that makes one"
            )
        if self.lr_schedule is not None and not callable(self.lr_schedule):
            raise TypeError(
                f"{type(self).__name__}: got lr_schedule={self.lr_schedule!r:.60}, expected a function of the "
                "optimiser, such as lambda optimizer: td.optim.lr_scheduler.StepLR(optimizer, 10)"
            )
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"{type(self).__name__}: got activation={self.activation!r}, expected one of {sorted(ACTIVATIONS)}"
            )
        if isinstance(self.optimizer, str) and self.optimizer.lower() not in OPTIMIZERS:
            raise ValueError(
                f"{type(self).__name__}: got optimizer={self.optimizer!r}, expected one of {sorted(OPTIMIZERS)}, or a "
                "function of (parameters, lr=..., weight_decay=...)"
            )

    module_: nn.Module
    optimizer_: optim.Optimizer
    history_: History
    n_iter_: int
    n_features_in_: int
    _dtype: np.dtype[Any]
    _random: Any
    _schedule: Schedule | None

    def _weights(self, sample_weight: Any, x: np.ndarray) -> np.ndarray | None:
        """The weights of the samples once they are as many numbers of 0 or more, not all 0."""
        if sample_weight is None:
            return None
        weights: np.ndarray = np.asarray(sample_weight, self._dtype)
        name = type(self).__name__
        if weights.shape != (len(x),):
            raise ValueError(
                f"{name}: got sample_weight of shape {weights.shape}, expected ({len(x)},): one for each sample"
            )
        if not (np.isfinite(weights).all() and (weights >= 0).all()):
            raise ValueError(
                f"{name}: got sample_weight from {weights.min()} to {weights.max()}, expected finite numbers of 0 or "
                "more"
            )
        if not weights.any():
            raise ValueError(f"{name}: got sample_weight of zeros alone, expected at least one non-zero number")
        return weights

    def _checked(self, X: Any, y: Any, new: bool, **options: Any) -> tuple[np.ndarray, np.ndarray]:
        """X and y once scikit-learn has accepted them. A new model computes in the dtype of X."""
        x, y = validate_data(self, X, y, dtype=DTYPES if new else self._dtype, reset=new, **options)
        if new:
            self._dtype = x.dtype
        return x, y

    def _sizes(self) -> list[Any]:
        """The widths of the hidden layers."""
        sizes = self.hidden_layer_sizes
        return list(sizes) if isinstance(sizes, Iterable) and not isinstance(sizes, str) else [sizes]

    def _build(self, outputs: int) -> None:
        """A new model and optimiser."""
        if isinstance(self.module, nn.Module):
            self.module_ = deepcopy(self.module)  # each fit begins with the weights that it came with
        elif self.module is not None:
            self.module_ = self.module(self.n_features_in_, outputs)
            if not isinstance(self.module_, nn.Module):
                raise TypeError(
                    f"{type(self).__name__}: got a {type(self.module_).__name__} from module(n_features, n_outputs), "
                    "expected an nn.Module"
                )
        else:
            layers: list[nn.Module] = []
            width = self.n_features_in_
            for size in map(int, self._sizes()):
                layers += [nn.Linear(width, size), ACTIVATIONS[self.activation]()]
                layers += [nn.Dropout(self.dropout)] if self.dropout else []
                width = size
            self.module_ = nn.Sequential(*layers, nn.Linear(width, outputs))
        self.module_.to(self._dtype)
        make = OPTIMIZERS[self.optimizer.lower()] if isinstance(self.optimizer, str) else self.optimizer
        self.optimizer_ = make(self.module_.parameters(), lr=self.lr, weight_decay=self.weight_decay)
        self._schedule = None if self.lr_schedule is None else Schedule(self.lr_schedule(self.optimizer_))

    # -- training ------------------------------------------------------------------------------------

    def _train(
        self,
        x: np.ndarray,
        y: np.ndarray,
        outputs: int,
        stratify: np.ndarray | None,
        epochs: int,
        weights: np.ndarray | None,
    ) -> None:
        """Trains on checked arrays; goes on with the model that is there if `epochs` is 0: one pass."""
        self._check_options()
        if weights is not None:
            kept = weights > 0  # a sample that counts for nothing is as one that is not there
            x, y, weights = x[kept], y[kept], weights[kept]
            stratify = None if stratify is None else stratify[kept]
        again = epochs == 0 and hasattr(self, "module_")
        if not again:
            self._random = check_random_state(self.random_state)
        seed = int(self._random.randint(np.iinfo(np.int32).max))
        with seeded(seed):
            if not again:
                self._build(outputs)
            dev = None
            callbacks = several(deepcopy(self.callbacks))  # what they remember stays out of the parameters
            callbacks += [] if self._schedule is None else [self._schedule]
            if self.early_stopping and epochs:
                part, dev_part = train_test_split(
                    np.arange(len(x)), test_size=self.validation_fraction, stratify=stratify, random_state=seed
                )
                dev_weights = None if weights is None else weights[dev_part]
                dev = Batches(x[dev_part], y[dev_part], max(self.batch_size, 1024), None, dev_weights)
                x, y, weights = x[part], y[part], None if weights is None else weights[part]
                callbacks.append(EarlyStopping(patience=int(self.patience)))
            train = Batches(x, y, int(self.batch_size), np.random.default_rng(seed), weights)
            self.history_ = fit(
                self.module_,
                self._loss() if weights is None else Weighted(self._loss()),
                self.optimizer_,
                train,
                dev,
                epochs=int(epochs or 1),
                callbacks=callbacks,
                progress=bool(self.verbose),
            )
        self.n_iter_ = len(self.history_["train_loss"]) + (self.n_iter_ if again else 0)

    def _outputs(self, X: Any) -> np.ndarray:
        """The model's outputs for checked data."""
        check_is_fitted(self, "module_")
        x = validate_data(self, X, dtype=self._dtype, reset=False)
        return predict(self.module_, Batches(x, np.zeros(len(x)), 1024, None)).numpy()


class TinygradClassifier(ClassifierMixin, _Estimator):
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


class TinygradRegressor(RegressorMixin, _Estimator):
    """A neural network that predicts numbers, as a scikit-learn estimator.

    The targets are taken as they are. Where they are far from 0 or spread widely, put a `StandardScaler` around it:
    `TransformedTargetRegressor(TinygradRegressor(), transformer=StandardScaler())`.

    Args:
        hidden_layer_sizes, activation, dropout, optimizer, lr, lr_schedule, weight_decay, batch_size, epochs,
        early_stopping, validation_fraction, patience, callbacks, random_state, verbose: as in `TinygradClassifier`.
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


public(globals(), "")
