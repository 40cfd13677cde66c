"""Tensors as sets."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import wrap


def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
) -> Any:
    """np.unique; the gradient of a value goes to where it stands first."""
    of_array: Any = np.unique  # its overloads know literal flags only
    _, first, *others = of_array(ar._data, True, return_inverse, return_counts, axis, equal_nan=equal_nan)
    values = ar.reshape(-1)[first] if axis is None else NUMPY[np.take](ar, first, axis)
    found = (values, *([wrap(first)] if return_index else []), *map(wrap, others))
    return found if len(found) > 1 else values


NUMPY[np.unique] = unique
