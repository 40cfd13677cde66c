"""Tensors as sets: values in order, each once; the gradient of a value goes to where it stands first."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import wrap
from tinygrad_dl.ops._numpy.arguments import as_tensor, numbers


def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    """np.unique; sorted in any case."""
    ar, of_array = as_tensor(ar), np.unique
    numpys: Any = of_array  # its overloads know literal flags only
    _, first, *others = numpys(numbers(ar), True, return_inverse, return_counts, axis, equal_nan=equal_nan)
    values = ar.reshape(-1)[first] if axis is None else NUMPY[np.take](ar, first, axis)
    found = (values, *([wrap(first)] if return_index else []), *map(wrap, others))
    return found if len(found) > 1 else values


def named(function: Any, *parts: str) -> Any:
    """np.unique_all and its like, which return named tuples."""
    kind: Any = type(function(np.zeros(1)))

    def found(x: Any) -> Any:
        return kind(*unique(x, *(part in parts for part in ("index", "inverse", "counts")), equal_nan=False))

    return found


def intersection(ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False) -> Any:
    """np.intersect1d: what both have."""
    ar1, ar2 = as_tensor(ar1), as_tensor(ar2)
    found, first, second = np.intersect1d(numbers(ar1), numbers(ar2), assume_unique, return_indices=True)
    values = ar1.reshape(-1)[first].astype(found.dtype)
    return (values, wrap(first), wrap(second)) if return_indices else values


def difference(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """np.setdiff1d: what the first has alone."""
    own = as_tensor(ar1).reshape(-1) if assume_unique else unique(ar1)
    return own[~np.isin(numbers(own), numbers(ar2))]


def either(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """np.setxor1d: what one of them has and the other has not."""
    both = np.concatenate([as_tensor(ar).reshape(-1) if assume_unique else unique(ar) for ar in (ar1, ar2)])
    order = np.argsort(numbers(both))
    values = numbers(both)[order]
    new = np.concatenate([[True], values[1:] != values[:-1], [True]]) if len(values) else np.ones(1, bool)
    return both[order[new[1:] & new[:-1]]]


NUMPY[np.unique], NUMPY[np.intersect1d], NUMPY[np.setdiff1d], NUMPY[np.setxor1d] = (
    unique, intersection, difference, either
)  # fmt: skip
NUMPY[np.union1d] = lambda ar1, ar2: unique(np.concatenate([as_tensor(ar1).reshape(-1), as_tensor(ar2).reshape(-1)]))
NUMPY[np.unique_values] = lambda x: unique(x, equal_nan=False)
NUMPY[np.unique_counts] = named(np.unique_counts, "counts")
NUMPY[np.unique_inverse] = named(np.unique_inverse, "inverse")
NUMPY[np.unique_all] = named(np.unique_all, "index", "inverse", "counts")
