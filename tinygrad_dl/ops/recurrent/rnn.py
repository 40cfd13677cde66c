"""One layer of a simple recurrent net in one direction over a whole sequence: one node, one rule for all gradients.

    h' = tanh(weight_ih x + bias_ih + weight_hh h + bias_hh), or relu of it

Source: Elman, Finding Structure in Time, 1990.
"""

from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import array, drawn, error, one_of, real
from tinygrad_dl.ops.recurrent import _layer as layer
from tinygrad_dl.ops.recurrent import _unrolled as unrolled


class RNNResult(NamedTuple):
    """The output at every step, and the state after the last."""

    output: Any
    h_n: Any


def _tanh_cell(x: Any, y: Any, states: Any) -> Any:
    out = np.tanh(x + y)
    return (out,), out


def _tanh_back(slopes: Any, kept: Any) -> Any:
    dz = slopes[0] * (1 - kept * kept)
    return dz, dz, [module_of(dz).zeros(dz.shape, dz.dtype)]


def _tanh_tangent(dx: Any, dy: Any, states: Any, kept: Any) -> Any:
    return ((dx + dy) * (1 - kept * kept),)


def _relu_cell(x: Any, y: Any, states: Any) -> Any:
    z = x + y
    out = np.where(z <= 0, 0.0, z)  # np.maximum would share the gradient at 0
    return (out,), out


def _relu_back(slopes: Any, kept: Any) -> Any:
    dz = np.where(kept <= 0, 0.0, slopes[0])  # nan goes on
    return dz, dz, [module_of(dz).zeros(dz.shape, dz.dtype)]


def _relu_tangent(dx: Any, dy: Any, states: Any, kept: Any) -> Any:
    return (np.where(kept <= 0, 0.0, dx + dy),)


CELLS = {
    "tanh": unrolled.Cell(_tanh_cell, _tanh_back, _tanh_tangent),
    "relu": unrolled.Cell(_relu_cell, _relu_back, _relu_tangent),
}


def _steps(
    input: Any,
    h0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any,
    bias_hh: Any,
    nonlinearity: str,
    reverse: bool,
    lengths: Any,
) -> Any:
    cell = CELLS[nonlinearity]
    return unrolled.unroll(cell, input, (h0,), weight_ih, weight_hh, bias_ih, bias_hh, reverse, lengths)


def _naive_rnn(
    input: Any,
    h0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any = None,
    bias_hh: Any = None,
    nonlinearity: str = "tanh",
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
            z = weight_ih @ input[t, b] + weight_hh @ h
            z = z if bias_ih is None else z + bias_ih + bias_hh
            h = np.tanh(z) if nonlinearity == "tanh" else z * (z > 0)
            output[t, b] = h
        last[b] = h
    return output, last


@op(
    namespace="rules",
    outputs=RNNResult,
    changeable=True,
    aux={"steps": _steps},
    alike=("input", "h0", "weight_ih", "weight_hh", "bias_ih", "bias_hh"),
    inputs=[
        {
            "input": real(shape="t b i", min_side=1),
            "h0": real(shape="b k", min_side=1),
            "weight_ih": real(-1.0, 1.0, shape="k i", min_side=1),
            "weight_hh": real(-1.0, 1.0, shape="k k"),
            "bias_ih": real(shape="k"),
            "bias_hh": real(shape="k"),
            "nonlinearity": one_of("tanh", "relu"),
            "reverse": one_of(False, True),
        },
        {
            "input": real(shape="t b i", min_side=1),
            "h0": one_of(None),
            "weight_ih": real(-1.0, 1.0, shape="k i", min_side=1),
            "weight_hh": real(-1.0, 1.0, shape="k k"),
            "reverse": one_of(False, True),
        },
        {
            "input": real(shape="3 b 2", min_side=1),
            "h0": real(shape="b 2", min_side=1),
            "weight_ih": real(-1.0, 1.0, shape="2 2"),
            "weight_hh": real(-1.0, 1.0, shape="2 2"),
            "bias_ih": real(shape="2"),
            "bias_hh": real(shape="2"),
            "nonlinearity": one_of("tanh", "relu"),
            "reverse": one_of(False, True),
            "lengths": drawn(lambda rng, input: rng.integers(1, 4, input.shape[1])),
        },
    ],
    errors=[
        error(ValueError, "\\(T, B, features\\)", array(2, 3), None, array(2, 3), array(2, 2)),
        error(ValueError, "input_size=4 features", array(2, 2, 3), None, array(2, 4), array(2, 2)),
        error(ValueError, "h0 of shape \\(2, 1\\)", array(2, 2, 3), array(2, 2), array(1, 3), array(1, 1)),
        error(ValueError, "'tanh' or 'relu'", array(2, 2, 3), None, array(1, 3), array(1, 1), nonlinearity="elu"),
    ],
    reference=_naive_rnn,
)
def rnn_layer(
    input: Array,
    h0: Array | None,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None = None,
    bias_hh: Array | None = None,
    nonlinearity: str = "tanh",
    reverse: bool = False,
    lengths: Any = None,
    keep: bool = True,
) -> Any:
    """One layer of a simple recurrent net: (T, B, features) gives (T, B, H), and the last state, (B, H).

    The weights are (H, features) and (H, H), the biases (H,); the rest as in `lstm_layer`.
    """
    if nonlinearity not in CELLS:
        raise ValueError(f"rnn: expected the nonlinearity 'tanh' or 'relu', got {nonlinearity!r}")
    biases = {"bias_ih": bias_ih, "bias_hh": bias_hh}
    layer.check("rnn", 1, input, {"h0": h0}, weight_ih, weight_hh, biases, lengths)
    if type(input) is not np.ndarray:
        weights = weight_ih, weight_hh, bias_ih, bias_hh
        kept, outputs, last = unrolled.run(CELLS[nonlinearity], input, (h0,), *weights, reverse, lengths)
        return RNNResult(np.stack(outputs), *last), kept if keep else None
    steps, batch, _ = input.shape
    dtype = input.dtype
    pad = layer.padding(lengths, steps, reverse)
    hidden = layer.start(h0, steps, input, len(weight_hh))
    bias = None if bias_ih is None else bias_ih + bias_hh
    project = layer.projection(input, weight_ih, bias, reverse, hidden[1:])
    products = np.empty(hidden.shape[1:], dtype)
    zero = np.zeros((), dtype)

    def work(own: Any, start: int, stop: int) -> None:
        h, product, skip = hidden[start][own], products[own], None if pad is None else pad[start:stop][own]
        for t, out in enumerate(hidden[start + 1 : stop + 1][own]):
            np.matmul(weight_hh, h, out=product)
            np.add(out, product, out)
            if nonlinearity == "tanh":
                np.tanh(out, out)
            else:
                np.maximum(out, zero, out=out)
            if skip is not None:
                np.copyto(out, h, where=skip[t])
            h = out

    layer.through(steps, batch, weight_hh, work, before=project)
    output = layer.steps_first(hidden[1:], reverse, pad)
    last = hidden[-1].T.astype(dtype, order="C")
    return RNNResult(output, last), (hidden[1:],) if keep else None


@rnn_layer.joint_vjp("input", "h0", "weight_ih", "weight_hh", "bias_ih", "bias_hh")
def _rnn_rule(
    g: Any,
    input: Any,
    h0: Any,
    weight_ih: Any,
    weight_hh: Any,
    output: Any,
    steps: Any,
    nonlinearity: str,
    reverse: bool,
    lengths: Any,
    needs: Any,
) -> Any:
    if type(steps) is list:
        cell = CELLS[nonlinearity]
        return unrolled.unroll_back(cell, g, steps, input, weight_ih, weight_hh, reverse, lengths)
    (hidden,) = steps
    pad = layer.padding(lengths, len(hidden), reverse)
    straight = nonlinearity == "relu"
    slopes = (~(hidden <= 0)).astype(hidden.dtype) if straight else 1 - hidden * hidden
    state = g[1].T.astype(hidden.dtype, order="C")
    whole = slice(None)
    gradients = layer.Gradients(slopes, whole, whole, input, weight_ih, output, h0, pad, reverse, needs, 1)

    def work(own: Any, start: int, stop: int) -> None:
        dh, skip = state[own], None if pad is None else pad[start:stop][own]
        g_out = layer.features_first(g[0], reverse, pad, own, start, stop)
        for t, (given, slope) in reversed(list(enumerate(zip(g_out, slopes[start:stop][own], strict=True)))):
            np.add(dh, given, dh)
            if straight:
                np.copyto(slope, dh, where=slope != 0)  # a selection: 0 times an infinity is nan
            else:
                np.multiply(slope, dh, slope)
            past = None
            if skip is not None:
                np.copyto(slope, 0, where=skip[t])
                past = np.where(skip[t], dh, 0)
            np.matmul(weight_hh.T, slope, out=dh)
            if past is not None:
                np.add(dh, past, dh)

    layer.through(len(hidden), hidden.shape[2], weight_hh, work, after=gradients.add, backwards=True)
    return gradients.sums(state)


@rnn_layer.joint_jvp("input", "h0", "weight_ih", "weight_hh", "bias_ih", "bias_hh")
def _rnn_tangent(
    t: Any,
    input: Any,
    h0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any,
    bias_hh: Any,
    nonlinearity: str,
    reverse: bool,
    lengths: Any,
) -> Any:
    weights = weight_ih, weight_hh, bias_ih, bias_hh
    return unrolled.tangents(CELLS[nonlinearity], t, input, (h0,), *weights, reverse, lengths)


@rnn_layer.vmap
def _rnn_batch(
    batch: Any,
    input: Any,
    h0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any,
    bias_hh: Any,
    nonlinearity: str,
    reverse: bool,
    lengths: Any,
    keep: bool,
) -> Any:
    weights = {"weight_ih": weight_ih, "weight_hh": weight_hh, "bias_ih": bias_ih, "bias_hh": bias_hh}
    states, options = {"h0": h0}, {"nonlinearity": nonlinearity, "keep": keep}
    return unrolled.batched(rnn_layer, CELLS[nonlinearity], batch, input, states, weights, reverse, lengths, **options)
