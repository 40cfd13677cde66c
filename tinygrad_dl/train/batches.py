"""Batches: what a loader gives, in terms of the loop, and the means of what is measured on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import as_tensor
from tinygrad_dl.nn import Module


def require_batches(data: Any, what: str) -> None:
    """Raises for data that can't be gone through in every epoch, or that holds no batch. Takes one batch at most."""
    if isinstance(data, Tensor | np.ndarray) or not isinstance(data, Iterable):
        raise TypeError(
            f"{what}: expected batches of (input, target), got a {type(data).__name__}; pass a DataLoader, or a list "
            f"of pairs"
        )
    if isinstance(data, Iterator):
        raise TypeError(
            f"{what}: got a {type(data).__name__}, which can be gone through only once, expected something for every "
            "epoch; pass a DataLoader, or list(...) of it"
        )
    try:
        size = len(data)  # type: ignore[arg-type]
    except TypeError:
        with opened(data) as batches:
            size = sum(1 for _, _ in zip(batches, [None], strict=False))
    if size == 0:
        raise nothing(what)


def nothing(what: str) -> ValueError:
    """The error for data without a batch."""
    return ValueError(
        f"{what}: got no batch at all; is the dataset empty, or smaller than one batch with drop_last=True?"
    )


@contextmanager
def opened(data: Iterable[Any]) -> Iterator[Iterator[Any]]:
    """One pass over a loader. Its worker processes end with it, even when an error ends it."""
    batches = iter(data)
    try:
        yield batches
    finally:
        close = getattr(batches, "close", None)
        if close is not None:
            close()


def pair(batch: Any, what: str) -> tuple[Any, Any]:
    """A batch as (input, target), arrays made tensors."""
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        several = isinstance(batch, tuple | list)
        found = f"a {type(batch).__name__}" + (f" of {len(batch)}" if several else "")
        raise TypeError(
            f"{what}: expected a pair (input, target), got {found}; several inputs go into a tuple: ((a, b), target)"
        )
    return tensors(batch[0]), tensors(batch[1])


def tensors(value: Any) -> Any:
    """Arrays as tensors, also in lists and tuples; all else as it is."""
    if isinstance(value, np.ndarray):
        return as_tensor(value)
    if type(value) in (list, tuple):
        return tuple(tensors(each) for each in value)
    return value


def forward(model: Module, inputs: Any) -> Any:
    """The model's output: a tuple of inputs becomes its arguments."""
    return model(*inputs) if isinstance(inputs, tuple) else model(inputs)


def size_of(value: Any) -> int:
    """How many samples a batch holds: the length of its first tensor."""
    while isinstance(value, tuple) and value:
        value = value[0]
    return int(value.shape[0]) if isinstance(value, Tensor) and value.ndim else 1


def text(value: Any) -> str:
    """The dtypes and shapes of a batch."""
    if isinstance(value, tuple):
        return "(" + ", ".join(map(text, value)) + ")"
    return f"{value.dtype}{list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def number(value: Any, what: str) -> float:
    """What a loss or metric returned, as a float."""
    if isinstance(value, Tensor | np.ndarray) and value.shape != () and np.prod(value.shape) != 1:
        raise ValueError(
            f"{what}: got shape {tuple(value.shape)} from it, expected one number: the mean over the batch "
            "(reduction='mean')"
        )
    try:
        return float(value.item() if isinstance(value, Tensor) else value)
    except (TypeError, ValueError):
        raise TypeError(f"{what}: got a {type(value).__name__} from it, expected one number") from None


class Means:
    """Means over the samples of several batches, of numbers that are means over a batch."""

    def __init__(self) -> None:
        self.totals: dict[str, float] = {}
        self.count = 0

    def add(self, size: int, values: Mapping[str, float]) -> None:
        """Takes in a batch of `size` samples."""
        self.count += size
        for name, value in values.items():
            self.totals[name] = self.totals.get(name, 0.0) + size * value

    def result(self, what: str) -> dict[str, float]:
        """The means by name.

        Raises:
            ValueError: there was no batch.
        """
        if not self.count:
            raise nothing(what)
        return {name: total / self.count for name, total in self.totals.items()}


@contextmanager
def mode_kept(model: Module) -> Iterator[None]:
    """Puts training or evaluation mode of every module back at the end."""
    before = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, training in before:
            module.training = training
