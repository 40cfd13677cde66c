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

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import array, error
from tinygrad_dl.ops.activation.sigmoid import sigmoid
from tinygrad_dl.ops.recurrent import _layer as layer
from tinygrad_dl.ops.recurrent import _unrolled as unrolled


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
    return dz, dz, [module_of(dh).zeros(dh.shape, dh.dtype), dc * f]


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
    if type(input) is not np.ndarray:
        weights = weight_ih, weight_hh, bias_ih, bias_hh
        kept, outputs, last = unrolled.run(CELL, input, (h0, c0), *weights, reverse, lengths)
        return LSTMResult(np.stack(outputs), *last), kept if keep else None
    steps, batch, _ = input.shape
    size, dtype = weight_hh.shape[1], input.dtype
    pad = layer.padding(lengths, steps, reverse)
    gates = np.empty((steps, 4 * size, batch), dtype)
    bias = None if bias_ih is None else bias_ih + bias_hh
    project = layer.projection(input, weight_ih, bias, reverse, gates, negative=True)
    hidden = layer.start(h0, steps, input, size)
    cells = layer.start(c0, steps if keep or pad is not None else 0, input, size)
    tanhs = np.empty((steps if keep else 1, size, batch), dtype)
    products, taken = np.empty(gates.shape[1:], dtype), np.empty(tanhs.shape[1:], dtype)
    one = np.ones((), dtype)
    i, f, a, o = (gates[:, k * size : (k + 1) * size] for k in range(4))
    before, after = (cells, cells) if len(cells) == 1 else (cells[:-1], cells[1:])
    by_steps = gates, gates[:, : 2 * size], i, f, a, o, hidden[:-1], hidden[1:], before, after, tanhs

    def work(own: Any, start: int, stop: int) -> None:
        product, take = products[own], taken[own]
        blocks = [each[start:stop][own] if len(each) == steps else itertools.repeat(each[0][own]) for each in by_steps]
        skip = None if pad is None else pad[start:stop][own]
        with np.errstate(over="ignore"):  # where exp overflows, the quotient is 0, as it should be
            for t, (z, in_and_forget, i, f, a, o, h, out, c, new, shown) in enumerate(zip(*blocks, strict=False)):
                if start + t or h0 is not None:
                    np.matmul(weight_hh, h, out=product)
                    np.subtract(z, product, z)
                for gate in (in_and_forget, o):  # sigmoid(x) = 1 / (1 + exp(-x))
                    np.exp(gate, gate)
                    np.add(gate, one, gate)
                    np.divide(one, gate, gate)
                np.tanh(a, a)
                np.multiply(i, a, take)
                np.multiply(f, c, new)
                np.subtract(new, take, new)
                np.tanh(new, shown)
                np.multiply(shown, o, out)
                if skip is not None:
                    np.copyto(new, c, where=skip[t])
                    np.copyto(out, h, where=skip[t])

    layer.through(steps, batch, weight_hh, work, before=project)
    output = layer.steps_first(hidden[1:], reverse, pad)
    last = [state.T.astype(dtype, order="C") for state in (hidden[-1], cells[-1])]
    return LSTMResult(output, *last), (gates, cells, tanhs) if keep else None


def _factors(gates: Any, cells: Any, tanhs: Any, slopes: Any, through: Any) -> None:
    """What dc and dh are multiplied by at some steps: in `slopes` to get dz, in `through` from dh to dc.

    The cells are those before the steps. Of the gate a, the negative is kept.
    """
    size = through.shape[1]
    i, f, a, o = (gates[:, k * size : (k + 1) * size] for k in range(4))
    si, sf, sa, so = (slopes[:, k * size : (k + 1) * size] for k in range(4))
    np.multiply(gates, gates, slopes)
    np.subtract(si, i, si)
    np.subtract(f, sf, sf)
    np.subtract(1, sa, sa)
    np.subtract(o, so, so)
    np.multiply(tanhs, tanhs, through)
    np.subtract(1, through, through)
    for factor, into in ((a, si), (cells, sf), (i, sa), (tanhs, so), (o, through)):
        np.multiply(into, factor, into)


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
    gates, cells, tanhs = steps
    pad = layer.padding(lengths, len(gates), reverse)
    dtype, size, batch = gates.dtype, weight_hh.shape[1], gates.shape[2]
    slopes = np.empty(gates.shape, dtype)
    state, cell = g[1].T.astype(dtype, order="C"), g[2].T.astype(dtype, order="C")
    ones = np.empty(state.shape, dtype)
    whole = slice(None)
    gradients = layer.Gradients(slopes, whole, whole, input, weight_ih, output, h0, pad, reverse, needs, 2)

    def work(own: Any, start: int, stop: int) -> None:
        dh, dc, one = state[own], cell[own], ones[own]
        g_out = layer.features_first(g[0], reverse, pad, own, start, stop)
        dz, forget = slopes[start:stop][own], gates[start:stop, size : 2 * size][own]
        through = np.empty(g_out.shape, dtype)
        _factors(gates[start:stop][own], cells[start:stop][own], tanhs[start:stop][own], dz, through)
        skip = None if pad is None else pad[start:stop][own]
        if skip is not None:
            forget = np.where(skip, 1, forget)  # the cell passes by the padding
        parts = dz.reshape(len(dz), 4, *through.shape[1:])
        each = zip(g_out, dz, parts[:, :3], parts[:, 3], through, forget, strict=True)
        for t, (given, slope, to_cell, to_output, between, stay) in reversed(list(enumerate(each))):
            np.add(dh, given, dh)
            np.multiply(between, dh, one)
            if skip is not None:
                np.copyto(one, 0, where=skip[t])
            np.add(dc, one, dc)
            np.multiply(to_cell, dc, to_cell)
            np.multiply(to_output, dh, to_output)
            np.multiply(dc, stay, dc)
            if skip is not None:
                np.copyto(slope, 0, where=skip[t])
                np.copyto(one, 0)
                np.copyto(one, dh, where=skip[t])
            if start + t or needs[1]:
                np.matmul(weight_hh.T, slope, out=dh)
                if skip is not None:
                    np.add(dh, one, dh)

    layer.through(len(gates), batch, weight_hh, work, after=gradients.add, backwards=True)
    return gradients.sums(state, cell)


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
