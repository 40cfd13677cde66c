"""One layer of a GRU in one direction over a whole sequence: one node, one rule for all gradients.

Three gates, in PyTorch's order: reset r, update z, new n. With x = weight_ih input + bias_ih and
y = weight_hh h + bias_hh

    r, z = sigmoid(x_r + y_r), sigmoid(x_z + y_z)      n = tanh(x_n + r y_n)      h' = (1 - z) n + z h

Source: Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, 2014, https://arxiv.org/abs/1406.1078
(there the reset gate is applied before the product with the weight; here after it, as in PyTorch and cuDNN).
"""

import itertools
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import array, error
from tinygrad_dl.ops.activation.sigmoid import sigmoid
from tinygrad_dl.ops.recurrent import _layer as layer
from tinygrad_dl.ops.recurrent import _unrolled as unrolled


class GRUResult(NamedTuple):
    """The output at every step, and the state after the last."""

    output: Any
    h_n: Any


def _cell_forward(x: Any, y: Any, states: Any) -> Any:
    h, size = states[0], x.shape[1] // 3
    r = sigmoid.generic(x[:, :size] + y[:, :size])
    z = sigmoid.generic(x[:, size : 2 * size] + y[:, size : 2 * size])
    inner = y[:, 2 * size :]
    n = np.tanh(x[:, 2 * size :] + r * inner)
    return (n + z * (h - n),), (r, z, n, inner, h)


def _cell_backward(slopes: Any, kept: Any) -> Any:
    r, z, n, inner, h = kept
    dh = slopes[0]
    dn = dh * (1 - z) * (1 - n * n)
    dr, dz = dn * inner * r * (1 - r), dh * (h - n) * z * (1 - z)
    return np.concatenate((dr, dz, dn), axis=1), np.concatenate((dr, dz, dn * r), axis=1), [dh * z]


def _cell_tangent(dx: Any, dy: Any, states: Any, kept: Any) -> Any:
    r, z, n, inner, h = kept
    size = dx.shape[1] // 3
    both = dx[:, : 2 * size] + dy[:, : 2 * size]
    dr, dz = both[:, :size] * r * (1 - r), both[:, size:] * z * (1 - z)
    dn = (dx[:, 2 * size :] + dr * inner + r * dy[:, 2 * size :]) * (1 - n * n)
    return (dn + dz * (h - n) + z * (states[0] - dn),)


CELL = unrolled.Cell(_cell_forward, _cell_backward, _cell_tangent)


def _steps(
    input: Any, h0: Any, weight_ih: Any, weight_hh: Any, bias_ih: Any, bias_hh: Any, reverse: bool, lengths: Any
) -> Any:
    return unrolled.unroll(CELL, input, (h0,), weight_ih, weight_hh, bias_ih, bias_hh, reverse, lengths)


def _naive_gru(
    input: Any,
    h0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any = None,
    bias_hh: Any = None,
    reverse: bool = False,
    lengths: Any = None,
    keep: bool = True,
) -> Any:
    steps, batch, _ = input.shape
    size = weight_hh.shape[1]
    output = np.zeros((steps, batch, size), input.dtype)
    last = np.zeros((batch, size), input.dtype)
    for b in range(batch):
        h = np.zeros(size) if h0 is None else h0[b]
        times = range(steps if lengths is None else lengths[b])
        for t in reversed(times) if reverse else times:
            x, y = weight_ih @ input[t, b], weight_hh @ h
            if bias_ih is not None:
                x, y = x + bias_ih, y + bias_hh
            r, z = 1 / (1 + np.exp(-(x + y)[: 2 * size].reshape(2, size)))
            h = (1 - z) * np.tanh(x[2 * size :] + r * y[2 * size :]) + z * h
            output[t, b] = h
        last[b] = h
    return output, last


@op(
    namespace="rules",
    outputs=GRUResult,
    changeable=True,
    aux={"steps": _steps},
    alike=("input", "h0", "weight_ih", "weight_hh", "bias_ih", "bias_hh"),
    inputs=layer.cases(3, "h0"),
    errors=[
        error(ValueError, "\\(T, B, features\\)", array(2, 3), None, array(3, 3), array(3, 1)),
        error(ValueError, "input_size=4 features", array(2, 2, 3), None, array(3, 4), array(3, 1)),
        error(ValueError, "weight_ih of shape \\(3, ", array(2, 2, 3), None, array(4, 3), array(3, 1)),
        error(ValueError, "bias_hh of shape", array(2, 2, 3), None, array(3, 3), array(3, 1), array(3), array(4)),
        error(
            ValueError,
            "lengths of shape \\(2,\\)",
            *(array(2, 2, 3), None, array(3, 3), array(3, 1), None, None, False, (1, 1, 1)),
        ),
    ],
    reference=_naive_gru,
)
def gru_layer(
    input: Array,
    h0: Array | None,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None = None,
    bias_hh: Array | None = None,
    reverse: bool = False,
    lengths: Any = None,
    keep: bool = True,
) -> Any:
    """One layer of a GRU: (T, B, features) gives (T, B, H), and the last state, (B, H).

    The weights are (3 H, features) and (3 H, H), the biases (3 H,); the rest as in `lstm_layer`.
    """
    biases = {"bias_ih": bias_ih, "bias_hh": bias_hh}
    layer.check("gru", 3, input, {"h0": h0}, weight_ih, weight_hh, biases, lengths)
    if type(input) is not np.ndarray:
        weights = weight_ih, weight_hh, bias_ih, bias_hh
        kept, outputs, last = unrolled.run(CELL, input, (h0,), *weights, reverse, lengths)
        return GRUResult(np.stack(outputs), *last), kept if keep else None
    steps, batch, _ = input.shape
    size = weight_hh.shape[1]
    dtype = input.dtype
    pad = layer.padding(lengths, steps, reverse)
    gates = np.empty((steps, 3 * size, batch), dtype)
    bias, bias_inner = None, np.zeros((), dtype)
    if bias_ih is not None and bias_hh is not None:
        bias = bias_ih.copy()
        bias[: 2 * size] += bias_hh[: 2 * size]
        bias_inner = bias_hh[2 * size :, None]
    project = layer.projection(input, weight_ih, bias, reverse, gates, negative=True)
    hidden = layer.start(h0, steps, input, size)
    inner = np.empty((steps if keep else 1, size, batch), dtype)
    products = np.empty(gates.shape[1:], dtype)
    one = np.ones((), dtype)
    r, z, n = (gates[:, k * size : (k + 1) * size] for k in range(3))
    by_steps = gates[:, : 2 * size], r, z, n, hidden[:-1], hidden[1:], inner

    def work(own: Any, start: int, stop: int) -> None:
        product = products[own]
        by_sigmoids, by_inner = product[: 2 * size], product[2 * size :]
        blocks = [each[start:stop][own] if len(each) == steps else itertools.repeat(each[0][own]) for each in by_steps]
        skip = None if pad is None else pad[start:stop][own]
        with np.errstate(over="ignore"):  # where exp overflows, the quotient is 0, as it should be
            for t, (sigmoids, r, z, n, h, out, q) in enumerate(zip(*blocks, strict=False)):
                np.matmul(weight_hh, h, out=product)
                np.subtract(sigmoids, by_sigmoids, sigmoids)  # sigmoid(x) = 1 / (1 + exp(-x))
                np.exp(sigmoids, sigmoids)
                np.add(sigmoids, one, sigmoids)
                np.divide(one, sigmoids, sigmoids)
                np.add(by_inner, bias_inner, q)
                np.multiply(r, q, out)
                np.subtract(out, n, n)
                np.tanh(n, n)
                np.subtract(h, n, out)
                np.multiply(out, z, out)
                np.add(out, n, out)
                if skip is not None:
                    np.copyto(out, h, where=skip[t])

    layer.through(steps, batch, weight_hh, work, before=project)
    output = layer.steps_first(hidden[1:], reverse, pad)
    last = hidden[-1].T.astype(dtype, order="C")
    return GRUResult(output, last), (gates, inner, hidden) if keep else None


def _factors(gates: Any, inner: Any, hidden: Any, slopes: Any) -> None:
    """What dh is multiplied by at some steps, in `slopes`: to get dn, dr, dz and the gradient of y_n, in this order.

    The states are those before the steps.
    """
    size = hidden.shape[1]
    r, z, n = (gates[:, k * size : (k + 1) * size] for k in range(3))
    sn, sr, sz, sq = (slopes[:, k * size : (k + 1) * size] for k in range(4))
    np.multiply(n, n, sn)
    np.subtract(1, sn, sn)
    np.subtract(1, z, sz)
    np.multiply(sn, sz, sn)
    np.multiply(sn, r, sq)
    np.subtract(1, r, sr)
    for factor in (sq, inner):
        np.multiply(sr, factor, sr)
    np.multiply(sz, z, sz)
    np.multiply(sz, hidden - n, sz)


@gru_layer.joint_vjp("input", "h0", "weight_ih", "weight_hh", "bias_ih", "bias_hh")
def _gru_rule(
    g: Any,
    input: Any,
    h0: Any,
    weight_ih: Any,
    weight_hh: Any,
    output: Any,
    steps: Any,
    reverse: bool,
    lengths: Any,
    needs: Any,
) -> Any:
    if type(steps) is list:
        return unrolled.unroll_back(CELL, g, steps, input, weight_ih, weight_hh, reverse, lengths)
    gates, inner, hidden = steps
    pad = layer.padding(lengths, len(gates), reverse)
    dtype, size, batch = gates.dtype, weight_hh.shape[1], gates.shape[2]
    slopes = np.empty((len(gates), 4 * size, batch), dtype)
    state = g[1].T.astype(dtype, order="C")
    products = np.empty(state.shape, dtype)
    of_input, of_hidden = slice(0, 3 * size), slice(size, None)
    turned = np.concatenate((weight_ih[2 * size :], weight_ih[: 2 * size]))  # n, r, z as in the slopes
    gradients = layer.Gradients(slopes, of_input, of_hidden, input, turned, output, h0, pad, reverse, needs, 1)

    def work(own: Any, start: int, stop: int) -> None:
        dh, product = state[own], products[own]
        g_out = layer.features_first(g[0], reverse, pad, own, start, stop)
        dz, update = slopes[start:stop][own], gates[start:stop, size : 2 * size][own]
        _factors(gates[start:stop][own], inner[start:stop][own], hidden[start:stop][own], dz)
        skip = None if pad is None else pad[start:stop][own]
        if skip is not None:
            update = np.where(skip, 1, update)  # the state passes by the padding
        each = zip(g_out, dz.reshape(len(dz), 4, *g_out.shape[1:]), dz[:, size:], update, strict=True)
        for t, (given, part, by_hidden, stay) in reversed(list(enumerate(each))):
            np.add(dh, given, dh)
            np.multiply(part, dh, part)
            if skip is not None:
                np.copyto(part, 0, where=skip[t])
            np.multiply(dh, stay, dh)
            np.matmul(weight_hh.T, by_hidden, out=product)
            np.add(dh, product, dh)

    layer.through(len(gates), batch, weight_hh, work, after=gradients.add, backwards=True)
    found = gradients.sums(state)
    for index in (2, 4):
        if found[index] is not None:
            found[index] = np.concatenate((found[index][size:], found[index][:size]))
    return found


@gru_layer.joint_jvp("input", "h0", "weight_ih", "weight_hh", "bias_ih", "bias_hh")
def _gru_tangent(
    t: Any,
    input: Any,
    h0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any,
    bias_hh: Any,
    reverse: bool,
    lengths: Any,
) -> Any:
    weights = weight_ih, weight_hh, bias_ih, bias_hh
    return unrolled.tangents(CELL, t, input, (h0,), *weights, reverse, lengths)


@gru_layer.vmap
def _gru_batch(
    batch: Any,
    input: Any,
    h0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any,
    bias_hh: Any,
    reverse: bool,
    lengths: Any,
    keep: bool,
) -> Any:
    weights = {"weight_ih": weight_ih, "weight_hh": weight_hh, "bias_ih": bias_ih, "bias_hh": bias_hh}
    states, options = {"h0": h0}, {"keep": keep}
    return unrolled.batched(gru_layer, CELL, batch, input, states, weights, reverse, lengths, **options)
