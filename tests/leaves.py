"""Small tensors that require a gradient, for the tests."""

from __future__ import annotations

import numpy as np

import tinygrad_dl as td


def leaf(*values: float, dtype: str = "float32") -> td.Tensor:
    """A 1-D leaf with these values."""
    return td.tensor(np.array(values, dtype), requires_grad=True)
