"""Elementwise functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.pointwise.extremes import nan_to_num


def nan_replaced(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Tensor:
    """np.nan_to_num; copy=False writes it to x."""
    found: Tensor = nan_to_num(x, nan, posinf, neginf)
    return found if copy else x._assign(found, "np.nan_to_num(copy=False)")


NUMPY[np.nan_to_num] = nan_replaced
NUMPY[np.fabs] = lambda x: np.absolute(x)
NUMPY[np.positive] = lambda x: x
