"""softmax, log_softmax, logsumexp."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.op import Array, op
from tinygrad_dl.ops.reduce import kept
from tinygrad_dl.samples import axis_of, real


@op(inputs=dict(input=real(min_dims=1, min_side=1), dim=axis_of("input")), reference=lambda input, dim: np.exp(input) / np.exp(input).sum(dim, keepdims=True))
def softmax(input: Array, dim: Any, *, dtype: Any = None) -> Array:
    """softmax"""
    e = np.exp(input - np.maximum.reduce(input, dim, keepdims=True))
    return e / np.add.reduce(e, dim, keepdims=True)


@softmax.joint_vjp("input")
def softmax_rule(g: Any, out: Any, dim: Any) -> Any:
    t = g * out
    return (t - out * np.sum(t, axis=dim, keepdims=True),)


@op(inputs=dict(input=real(min_dims=1, min_side=1), dim=axis_of("input")), reference=lambda input, dim: np.log(np.exp(input) / np.exp(input).sum(dim, keepdims=True)))
def log_softmax(input: Array, dim: Any, *, dtype: Any = None) -> Array:
    """log_softmax"""
    x = input - np.maximum.reduce(input, dim, keepdims=True)
    return x - np.log(np.add.reduce(np.exp(x), dim, keepdims=True))


log_softmax.vjp(input=lambda g, out, dim: g - np.exp(out) * np.sum(g, axis=dim, keepdims=True))


@op(inputs=dict(input=real(min_dims=1, min_side=1), dim=axis_of("input")), reference=lambda input, dim: np.log(np.exp(input).sum(dim)))
def logsumexp(input: Array, dim: Any, keepdim: bool = False) -> Array:
    """logsumexp"""
    m = np.maximum.reduce(input, dim, keepdims=True)
    s = np.log(np.add.reduce(np.exp(input - m), dim, keepdims=True)) + m
    return s if keepdim else np.squeeze(s, dim)


logsumexp.vjp(input=lambda g, out, input, dim, keepdim: kept(g, input.shape, dim, keepdim) * np.exp(input - kept(out, input.shape, dim, keepdim)))
