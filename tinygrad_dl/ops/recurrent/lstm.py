"""One layer of an LSTM in one direction over a whole sequence: one node, one rule for all gradients.

Four gates, in PyTorch's order: input i, forget f, cell a, output o. With
z = weight_ih x + bias_ih + weight_hh h + bias_hh

    i, f, o = sigmoid(z_i), sigmoid(z_f), sigmoid(z_o)      a = tanh(z_a)
    c' = f c + i a                                          h' = o tanh(c')

Source: Hochreiter and Schmidhuber, Long Short-Term Memory, 1997; Gers et al., Learning to Forget, 2000.
"""

import itertools
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.backends.threads import grain, parallel_for
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import array, error
from tinygrad_dl.ops.activation.sigmoid import sigmoid
from tinygrad_dl.ops.recurrent import _layer as layer
from tinygrad_dl.ops.recurrent import _unrolled as unrolled

INNER = [0, 1, 3, 2]  # the order of the gates inside, i f o a: the three sigmoids are one block


class LSTMResult(NamedTuple):
    """The output at every step, and the states after the last."""

    output: Any
    h_n: Any
    c_n: Any


def _cell_forward(x: Any, y: Any, states: Any) -> Any:
    z, size = x + y, x.shape[1] // 4
    i, f = sigmoid.generic(z[:, :size]), sigmoid.generic(z[:, size : 2 * size])
    a, o = np.tanh(z[:, 2 * size : 3 * size]), sigmoid.generic(z[:, 3 * size :])
    c = f * states[1] + i * a
    out = np.tanh(c)
    return (o * out, c), (i, f, a, o, states[1], out)


def _cell_backward(slopes: Any, kept: Any) -> Any:
    i, f, a, o, before, out = kept
    dh, dc = slopes
    dc = dc + dh * o * (1 - out * out)
    parts = dc * a * i * (1 - i), dc * before * f * (1 - f), dc * i * (1 - a * a), dh * out * o * (1 - o)
    dz = np.concatenate(parts, axis=1)
    return dz, dz, [np.zeros(dh.shape, dh.dtype), dc * f]


def _cell_tangent(dx: Any, dy: Any, states: Any, kept: Any) -> Any:
    i, f, a, o, before, out = kept
    dz, size = dx + dy, dx.shape[1] // 4
    di, df = dz[:, :size] * i * (1 - i), dz[:, size : 2 * size] * f * (1 - f)
    da, do = dz[:, 2 * size : 3 * size] * (1 - a * a), dz[:, 3 * size :] * o * (1 - o)
    dc = df * before + f * states[1] + di * a + i * da
    return do * out + o * dc * (1 - out * out), dc


CELL = unrolled.Cell(_cell_forward, _cell_backward, _cell_tangent)


def _steps(
    input: Any,
    h0: Any,
    c0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any,
    bias_hh: Any,
    reverse: bool,
    lengths: Any,
) -> Any:
    return unrolled.unroll(CELL, input, (h0, c0), weight_ih, weight_hh, bias_ih, bias_hh, reverse, lengths)


def _naive_lstm(
    input: Any,
    h0: Any,
    c0: Any,
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
    last = np.zeros((2, batch, size), input.dtype)
    for b in range(batch):
        h = np.zeros(size) if h0 is None else h0[b]
        c = np.zeros(size) if c0 is None else c0[b]
        times = range(steps if lengths is None else lengths[b])
        for t in reversed(times) if reverse else times:
            z = weight_ih @ input[t, b] + weight_hh @ h
            z = z if bias_ih is None else z + bias_ih + bias_hh
            i, f, a, o = z.reshape(4, size)
            c = c / (1 + np.exp(-f)) + np.tanh(a) / (1 + np.exp(-i))
            h = np.tanh(c) / (1 + np.exp(-o))
            output[t, b] = h
        last[:, b] = h, c
    return output, *last


@op(
    namespace="rules",
    outputs=LSTMResult,
    changeable=True,
    aux={"steps": _steps},
    alike=("input", "h0", "c0", "weight_ih", "weight_hh", "bias_ih", "bias_hh"),
    inputs=layer.cases(4, "h0", "c0"),
    errors=[
        error(ValueError, "\\(T, B, features\\)", array(2, 3), None, None, array(4, 3), array(4, 1)),
        error(ValueError, "at least one step", array(0, 2, 3), None, None, array(4, 3), array(4, 1)),
        error(ValueError, "input_size=4 features", array(2, 2, 3), None, None, array(4, 4), array(4, 1)),
        error(ValueError, "weight_hh of shape \\(4", array(2, 2, 3), None, None, array(4, 3), array(3, 1)),
        error(ValueError, "h0 of shape \\(2, 1\\)", array(2, 2, 3), array(3, 1), None, array(4, 3), array(4, 1)),
        error(ValueError, "c0 of shape \\(2, 1\\)", array(2, 2, 3), None, array(2, 2), array(4, 3), array(4, 1)),
        error(TypeError, "same dtype", array(2, 2, 3, dtype="float64"), None, None, array(4, 3), array(4, 1)),
    ],
    reference=_naive_lstm,
)
def lstm_layer(
    input: Array,
    h0: Array | None,
    c0: Array | None,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None = None,
    bias_hh: Array | None = None,
    reverse: bool = False,
    lengths: Any = None,
    keep: bool = True,
) -> Any:
    """One layer of an LSTM: (T, B, features) gives (T, B, H), and the last states, (B, H) each.

    Args:
        h0, c0: the first states, (B, H), or None for zeros.
        weight_ih, weight_hh: (4 H, features) and (4 H, H).
        bias_ih, bias_hh: (4 H,), both or neither.
        reverse: from the last step to the first.
        lengths: how many steps of each sequence count, (B,); the output is 0 behind them. None: all.
        keep: False if there will be no backward pass, which then keeps nothing.
    """
    biases = {"bias_ih": bias_ih, "bias_hh": bias_hh}
    layer.check("lstm", 4, input, {"h0": h0, "c0": c0}, weight_ih, weight_hh, biases, lengths)
    steps, size = len(input), weight_hh.shape[1]
    pad = layer.padding(lengths, steps, reverse)
    bias = None if bias_ih is None else bias_ih + bias_hh
    gates, weight, room = _prepare(input, h0, weight_ih, weight_hh, bias, reverse)
    whole = room.shape[1] > size  # one product gives the gates; otherwise the input's part is in them already
    cells = layer.start(c0, steps if keep or pad is not None else 0, input, size)
    half, hidden = np.asarray(0.5, cells.dtype), room[:, :size]
    ones, products = np.empty(cells.shape[1:], cells.dtype), np.empty(gates.shape[1:], cells.dtype)
    parts = gates.reshape(steps, 4, *ones.shape)
    blocks = gates, parts[:, :3], *(parts[:, k] for k in range(4)), room, hidden

    def work(own: Any) -> None:
        c, one, product, skip = cells[0][own], ones[own], products[own], None if pad is None else pad[own]
        new_cells = cells[1:][own] if len(cells) > 1 else itertools.repeat(c)
        each = zip(*(block[own] for block in blocks), new_cells, hidden[1:][own], strict=False)
        for t, (z, sigmoids, i, f, o, a, column, h, new, out) in enumerate(each):
            if whole:
                np.matmul(weight, column, out=z)
            elif t or h0 is not None:
                np.matmul(weight, h, out=product)
                np.add(z, product, z)
            np.tanh(z, z)
            np.multiply(sigmoids, half, sigmoids)
            np.add(sigmoids, half, sigmoids)
            np.multiply(f, c, new)
            np.multiply(i, a, one)
            np.add(new, one, new)
            np.tanh(new, out)
            np.multiply(out, o, out)
            if skip is not None:
                np.copyto(new, c, where=skip[t])
                np.copyto(out, h, where=skip[t])
            c = new

    layer.for_sequences(work, weight, input.shape[1])
    output = layer.steps_first(hidden[1:], reverse, pad, input.dtype)
    last = [state.T.astype(input.dtype, order="C") for state in (hidden[-1], cells[-1])]
    return LSTMResult(output, *last), (gates, cells) if keep else None


def _prepare(input: Any, h0: Any, weight_ih: Any, weight_hh: Any, bias: Any, reverse: bool) -> tuple[Any, Any, Any]:
    """Room for the gates (T, 4 H, B) in the inner order, the weight of each step's product, and what it multiplies.

    sigmoid(x) = (1 + tanh(x / 2)) / 2: with the sigmoid gates' weights halved, one tanh serves all four gates.
    """
    size, dtype = weight_hh.shape[1], input.dtype
    weights = [weight_hh, weight_ih] if bias is None else [weight_hh, weight_ih, bias[:, None]]
    joined = np.concatenate([each.reshape(4, size, *each.shape[1:])[INNER] for each in weights], axis=2, dtype=dtype)
    joined[:3] *= 0.5
    return layer.prepare(input, h0, joined.reshape(4 * size, joined.shape[2]), bias is not None, reverse)


def _factors(gates: Any, cells: Any, slopes: Any, through: Any) -> None:
    """What dc and dh are multiplied by at each step: in `slopes` to get dz, in `through` from dh to dc.

    The gates come in the inner order; the slopes are in PyTorch's, as the weights' gradients will be.
    """
    size = through.shape[1]

    def work(start: int, stop: int) -> None:
        i, _, o, a = (gates[start:stop, k * size : (k + 1) * size] for k in range(4))
        si, sf, sa, so = (slopes[start:stop, k * size : (k + 1) * size] for k in range(4))
        s, to_cell = slopes[start:stop], through[start:stop]
        for gate, into in ((gates[start:stop, : 2 * size], s[:, : 2 * size]), (o, so)):
            np.multiply(gate, gate, into)
            np.subtract(gate, into, into)
        out = np.tanh(cells[start + 1 : stop + 1])
        for value, into in ((a, sa), (out, to_cell)):
            np.multiply(value, value, into)
            np.subtract(1, into, into)
        for factor, into in ((a, si), (cells[start:stop], sf), (i, sa), (out, so), (o, to_cell)):
            np.multiply(into, factor, into)

    def blocks(start: int, stop: int) -> None:
        block = grain(slopes[0].size)  # of a size that stays in the cache
        for begin in range(start, stop, block):
            work(begin, min(stop, begin + block))

    parallel_for(blocks, len(slopes), grain(slopes[0].size))


@lstm_layer.joint_vjp("input", "h0", "c0", "weight_ih", "weight_hh", "bias_ih", "bias_hh")
def _lstm_rule(
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
    gates, cells = steps
    pad = layer.padding(lengths, len(gates), reverse)
    dtype, size = gates.dtype, weight_hh.shape[1]
    slopes = np.empty(gates.shape, dtype)
    through = np.empty(cells[1:].shape, dtype)
    _factors(gates, cells, slopes, through)
    forget = gates[:, size : 2 * size]
    if pad is not None:
        forget = np.where(pad, 1, forget)  # the cell passes by the padding
    by_output = layer.features_first(g[0], reverse, pad, dtype)
    state, cell = g[1].T.astype(dtype, order="C"), g[2].T.astype(dtype, order="C")
    weight = np.ascontiguousarray(weight_hh.T, dtype)
    ones = np.empty(state.shape, dtype)
    parts = slopes.reshape(len(slopes), 4, *state.shape)
    blocks = by_output, slopes, parts[:, :3], parts[:, 3], through, forget

    def work(own: Any) -> None:
        dh, dc, one, skip = state[own], cell[own], ones[own], None if pad is None else pad[own]
        each = zip(*(block[own] for block in blocks), strict=True)
        for t, (given, dz, to_cell, to_output, between, stay) in reversed(list(enumerate(each))):
            np.add(dh, given, dh)
            np.multiply(between, dh, one)
            if skip is not None:
                np.copyto(one, 0, where=skip[t])
            np.add(dc, one, dc)
            np.multiply(to_cell, dc, to_cell)
            np.multiply(to_output, dh, to_output)
            np.multiply(dc, stay, dc)
            if skip is not None:
                np.copyto(dz, 0, where=skip[t])
                np.copyto(one, 0)
                np.copyto(one, dh, where=skip[t])
            if t or needs[1]:
                np.matmul(weight, dz, out=dh)
                if skip is not None:
                    np.add(dh, one, dh)

    layer.for_sequences(work, weight, state.shape[1])
    rows = layer.as_rows(slopes, reverse)
    return layer.gradients(rows, rows, (state, cell), input, weight_ih, output, h0, pad, reverse, needs)


@lstm_layer.joint_jvp("input", "h0", "c0", "weight_ih", "weight_hh", "bias_ih", "bias_hh")
def _lstm_tangent(
    t: Any,
    input: Any,
    h0: Any,
    c0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any,
    bias_hh: Any,
    reverse: bool,
    lengths: Any,
) -> Any:
    weights = weight_ih, weight_hh, bias_ih, bias_hh
    return unrolled.tangents(CELL, t, input, (h0, c0), *weights, reverse, lengths)


@lstm_layer.vmap
def _lstm_batch(
    batch: Any,
    input: Any,
    h0: Any,
    c0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any,
    bias_hh: Any,
    reverse: bool,
    lengths: Any,
    keep: bool,
) -> Any:
    weights = {"weight_ih": weight_ih, "weight_hh": weight_hh, "bias_ih": bias_ih, "bias_hh": bias_hh}
    states, options = {"h0": h0, "c0": c0}, {"keep": keep}
    return unrolled.batched(lstm_layer, CELL, batch, input, states, weights, reverse, lengths, **options)
