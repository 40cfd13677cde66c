"""Activation functions."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_dl.onnx.graph import Graph
from tinygrad_dl.onnx.pointwise import scaled
from tinygrad_dl.onnx.table import converter
from tinygrad_dl.onnx.values import Value

PLAIN = {"relu": "Relu", "sigmoid": "Sigmoid", "softsign": "Softsign", "hardswish": "HardSwish"}


def _plain(key: str, type: str) -> None:
    @converter(key)
    def convert(g: Graph, input: Value) -> Value:
        return g.op(type, input)


for _key, _type in PLAIN.items():
    _plain(_key, _type)


@converter("leaky_relu")
def leaky_relu(g: Graph, input: Value, negative_slope: float) -> Value:
    return g.op("LeakyRelu", input, alpha=float(negative_slope))


@converter("prelu")
def prelu(g: Graph, input: Value, weight: Value) -> Value:
    if weight.ndim == 1 and input.ndim > 2 and weight.shape != (1,):
        weight = g.reshape(weight, (*weight.shape, *(1,) * (input.ndim - 2)))
    return g.op("PRelu", input, weight if input.ndim else g.reshape(weight, ()))


@converter("threshold")
def threshold(g: Graph, input: Value, threshold: float, value: float) -> Value:
    return g.where(g.compare("Greater", input, g.like(threshold, input)), input, g.like(value, input))


@converter("hardtanh")
def hardtanh(g: Graph, input: Value, min_val: float, max_val: float) -> Value:
    return g.op("Clip", input, g.like(min_val, input), g.like(max_val, input))


@converter("hardsigmoid")
def hardsigmoid(g: Graph, input: Value) -> Value:
    return g.op("HardSigmoid", input, alpha=1 / 6, beta=0.5)


@converter("hardshrink")
def hardshrink(g: Graph, input: Value, lambd: float) -> Value:
    outside = g.compare("Greater", g.op("Abs", input), g.like(lambd, input))
    return g.where(outside, input, g.like(0, input))


@converter("softshrink")
def softshrink(g: Graph, input: Value, lambd: float) -> Value:
    beyond = g.op("Relu", g.op("Sub", g.op("Abs", input), g.like(lambd, input)))
    return g.op("Mul", g.op("Sign", input), beyond)


@converter("tanhshrink")
def tanhshrink(g: Graph, input: Value) -> Value:
    return g.op("Sub", input, g.op("Tanh", input))


@converter("elu")
def elu(g: Graph, input: Value, alpha: float) -> Value:
    return g.op("Elu", input, alpha=float(alpha))


@converter("selu")
def selu(g: Graph, input: Value) -> Value:
    return g.op("Selu", input)


@converter("celu")
def celu(g: Graph, input: Value, alpha: float) -> Value:
    ratio = g.op("Elu", scaled(g, input, 1 / alpha))
    return scaled(g, ratio, alpha)


@converter("silu")
def silu(g: Graph, input: Value) -> Value:
    return g.op("Mul", input, g.op("Sigmoid", input))


@converter("mish")
def mish(g: Graph, input: Value) -> Value:
    return g.op("Mul", input, g.op("Tanh", g.op("Softplus", input)))


@converter("logsigmoid")
def logsigmoid(g: Graph, input: Value) -> Value:
    return g.op("Neg", g.op("Softplus", g.op("Neg", input)))


@converter("softplus")
def softplus(g: Graph, input: Value, beta: float, threshold: float) -> Value:
    along = scaled(g, input, beta)
    smooth = scaled(g, g.op("Softplus", along), 1 / beta)
    return g.where(g.compare("Greater", along, g.like(threshold, input)), input, smooth)


@converter("gelu")
def gelu(g: Graph, input: Value, approximate: str) -> Value:
    if g.opset >= 20:
        return g.op("Gelu", input, approximate=approximate)
    if approximate == "tanh":
        cube = g.op("Mul", g.op("Mul", input, input), input)
        inner = scaled(g, g.op("Add", input, scaled(g, cube, 0.044715)), math.sqrt(2 / math.pi))
        curve = g.op("Tanh", inner)
    else:
        curve = g.op("Erf", scaled(g, input, math.sqrt(0.5)))
    return g.op("Mul", scaled(g, input, 0.5), g.op("Add", curve, g.like(1, input)))


def _softmax(key: str, type: str) -> None:
    @converter(key)
    def convert(g: Graph, input: Value, dim: Any, out: Any) -> Value:
        input = g.cast(input, out[0][0])
        if not input.ndim:
            return g.squeeze(g.op(type, g.unsqueeze(input, [0]), axis=0), [0])
        return g.op(type, input, axis=implied(dim, input.ndim))


def implied(dim: Any, ndim: int) -> int:
    """The dimension along which softmax goes if none is given: as in PyTorch of old, 0 or 1."""
    return int(dim) if dim is not None else (0 if ndim in (0, 1, 3) else 1)


_softmax("softmax", "Softmax")
_softmax("log_softmax", "LogSoftmax")
