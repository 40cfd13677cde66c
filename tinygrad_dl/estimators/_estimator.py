"""What the classifier and the regressor share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from tinygrad_dl import nn, optim
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.estimators._batches import Batches, Weighted, seeded
from tinygrad_dl.train import Callback, EarlyStopping, History, Schedule, fit, predict
from tinygrad_dl.train.loop import several

try:
    from sklearn.utils.validation import validate_data
except ImportError:  # scikit-learn before 1.6

    def validate_data(estimator: Any, *args: Any, **kwargs: Any) -> Any:
        """Checks data; remembers, or compares, the number of features and their names."""
        return estimator._validate_data(*args, **kwargs)


DTYPES = (np.float64, np.float32)
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "identity": nn.Identity}
# Those that take any parameters, and no closure.
NAMES = (
    "ASGD",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "RAdam",
    "RMSprop",
    "Rprop",
)
OPTIMIZERS = {name.lower(): getattr(optim, name) for name in NAMES}


class Estimator(BaseEstimator):
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
        compile: bool = False,
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
        self.compile = compile

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
                compile=bool(self.compile),
            )
        self.n_iter_ = len(self.history_["train_loss"]) + (self.n_iter_ if again else 0)

    def _outputs(self, X: Any) -> np.ndarray:
        """The model's outputs for checked data."""
        check_is_fitted(self, "module_")
        x = validate_data(self, X, dtype=self._dtype, reset=False)
        return predict(self.module_, Batches(x, np.zeros(len(x)), 1024, None)).numpy()
