"""Activation functions."""

from __future__ import annotations

import numpy as np

from tinygrad_dl.op import Array, op
from tinygrad_dl.samples import real


@op(inplace=True, inputs=dict(input=real(avoid=(0.0,))), reference=lambda input: np.where(input > 0, input, 0.0))
def relu(input: Array) -> Array:
    """max(input, 0).

    >>> import tinygrad_dl as td
    >>> td.relu(td.tensor([-1.0, 2.0]))
    tensor([0., 2.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.relu.html
    """
    return np.maximum(input, 0)


relu.vjp(input=lambda g, out: g * (out > 0))


@op(floating=True, inplace=True, inputs=dict(input=real()), reference=lambda input: 1 / (1 + np.exp(-input)))
def sigmoid(input: Array) -> Array:
    """1 / (1 + exp(-input)).

    >>> import tinygrad_dl as td
    >>> td.sigmoid(td.tensor([0.0, 2.0]))
    tensor([0.5000, 0.8808])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.sigmoid.html
    """
    return 0.5 * np.tanh(0.5 * input) + 0.5


sigmoid.vjp(input=lambda g, out: g * (out - out * out))
