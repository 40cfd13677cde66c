"""Arithmetic between tensors, with broadcasting and PyTorch's promotion."""

from __future__ import annotations

import numpy as np

from tinygrad_dl.op import Array, op
from tinygrad_dl.samples import array, broadcasting, error, real


@op(np.add, operator="add", inplace=True, inputs=broadcasting(real(), real()),
    errors=[error(ValueError, "broadcast", array(2), array(3))])
def add(input: Array, other: Array) -> Array:
    """input + other."""
    return np.add(input, other)


add.vjp(input=lambda g: g, other=lambda g: g)


@op(np.multiply, operator="mul", inplace=True, inputs=broadcasting(real(), real()))
def mul(input: Array, other: Array) -> Array:
    """input * other."""
    return np.multiply(input, other)


mul.vjp(input=lambda g, other: g * other, other=lambda g, input: g * input)


@op(np.exp, floating=True, inplace=True, inputs=dict(input=real()))
def exp(input: Array) -> Array:
    """e ** input."""
    return np.exp(input)


exp.vjp(input=lambda g, out: g * out)
@op(np.tanh, floating=True, inplace=True, inputs=dict(input=real()))
def tanh(input: Array) -> Array:
    """e ** input."""
    return np.tanh(input)


tanh.vjp(input=lambda g, out: g * (1 - out * out))
@op(np.sum, (np.add, "reduce"), inputs=dict(input=real()))
def sum(input: Array, dim=None, keepdim=False) -> Array:
    """sum"""
    return np.add.reduce(input, axis=dim, keepdims=keepdim)
sum.vjp(input=lambda g, dim, keepdim, input_shape: np.broadcast_to(g if keepdim or dim is None else np.expand_dims(g, dim), input_shape))
