"""Exponentials, logarithms, trigonometry: functions of one number, elementwise."""

from __future__ import annotations

import numpy as np

from tinygrad_dl.op import Array, op
from tinygrad_dl.samples import real


@op(np.exp, floating=True, inplace=True, inputs=dict(input=real()))
def exp(input: Array) -> Array:
    """e ** input.

    >>> import tinygrad_dl as td
    >>> td.exp(td.tensor([0.0, 1.0]))
    tensor([1.0000, 2.7183])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.exp.html
    """


exp.vjp(input=lambda g, out: g * out)


@op(np.log, floating=True, inplace=True, inputs=dict(input=real(0.2, 3.0)))
def log(input: Array) -> Array:
    """The natural logarithm.

    >>> import tinygrad_dl as td
    >>> td.log(td.tensor([1.0, 2.0]))
    tensor([0.0000, 0.6931])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.log.html
    """


log.vjp(input=lambda g, input: g / input)


@op(np.tanh, floating=True, inplace=True, inputs=dict(input=real()))
def tanh(input: Array) -> Array:
    """The hyperbolic tangent, between -1 and 1.

    >>> import tinygrad_dl as td
    >>> td.tanh(td.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.tanh.html
    """


tanh.vjp(input=lambda g, out: g - g * (out * out))
