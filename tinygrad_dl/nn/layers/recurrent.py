"""Recurrent layers over sequences, RNN, LSTM, GRU, each layer and direction one node; and their single steps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import like
from tinygrad_dl.core.device import check_device
from tinygrad_dl.core.errors import ArgumentError
from tinygrad_dl.core.modes import modes
from tinygrad_dl.core.warning import warn
from tinygrad_dl.nn import init
from tinygrad_dl.nn.checks import LAYERS, probability, truth, whole
from tinygrad_dl.nn.layers.linear import empty_parameter
from tinygrad_dl.nn.module import Module, member
from tinygrad_dl.nn.parameter import Parameter
from tinygrad_dl.nn.utils.rnn import PackedSequence, packed, padded
from tinygrad_dl.ops.dropout.dropout import dropout
from tinygrad_dl.ops.pointwise.where import where
from tinygrad_dl.ops.recurrent.gru import gru_layer
from tinygrad_dl.ops.recurrent.lstm import lstm_layer
from tinygrad_dl.ops.recurrent.rnn import rnn_layer
from tinygrad_dl.ops.shape.joining import cat, stack

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell"]


class RNNBase(Module):
    """What the recurrent layers share: parameters by layer and direction, and the way through them.

    >>> [name for name, _ in td.nn.GRU(2, 3).named_parameters()]
    ['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0']
    """

    gates = 1  # the weights' rows, in multiples of hidden_size
    states: tuple[str, ...] = ("h_0",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        check_device(device)
        self.input_size = whole(self, "input_size", input_size, 1)
        self.hidden_size = whole(self, "hidden_size", hidden_size, 1)
        self.num_layers = whole(self, "num_layers", num_layers, 1, LAYERS)
        self.bias, self.batch_first = truth(self, "bias", bias), truth(self, "batch_first", batch_first)
        self.bidirectional = truth(self, "bidirectional", bidirectional)
        self.dropout = probability(self, "dropout", dropout)
        self.proj_size = whole(self, "proj_size", proj_size)
        if proj_size and (len(self.states) == 1 or proj_size >= hidden_size):
            wanted = "less than hidden_size" if len(self.states) > 1 else "0: only an LSTM has projections"
            raise ValueError(f"{type(self).__name__}: got proj_size={proj_size}, expected {wanted}")
        if dropout and num_layers == 1:
            warn(
                f"{type(self).__name__}: dropout comes between layers, so dropout={dropout} with num_layers=1 does "
                f"nothing; use more layers, or an nn.Dropout after this one"
            )
        rows = self.gates * self.hidden_size
        self._names: list[tuple[str, ...]] = []
        for layer in range(self.num_layers):
            width = self._width * self._directions if layer else self.input_size
            for direction in range(self._directions):
                ending = f"_l{layer}" + "_reverse" * direction
                shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, width), "weight_hh": (rows, self._width)}
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, self.hidden_size)
                for name, shape in shapes.items():
                    self.register_parameter(name + ending, empty_parameter(shape, dtype, device))
                self._names.append(tuple(name + ending for name in shapes))
        self.reset_parameters()

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def _width(self) -> int:
        """The features of an output in one direction."""
        return self.proj_size or self.hidden_size

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._names]

    @property
    def _flat_weights(self) -> list[Any]:
        """The same in one list; those that are computed from others are tensors."""
        return [weight for weights in self.all_weights for weight in weights]

    def reset_parameters(self) -> None:
        """Draws all parameters anew, uniform in +-1 / sqrt(hidden_size)."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Does nothing: on a GPU PyTorch joins the parameters' memory here."""

    def _layer(self, input: Any, states: Any, parameters: Any, reverse: bool, lengths: Any) -> Any:
        """One layer in one direction: the output at every step, then the states after the last."""
        raise NotImplementedError(
            f"{type(self).__name__}: got a class without a layer, expected nn.RNN, nn.LSTM or nn.GRU"
        )

    def forward(self, input: Any, hx: Any = None) -> Any:
        """The outputs of the last layer at every step, and the last states of all layers."""
        name = type(self).__name__
        if isinstance(input, PackedSequence):
            steps, lengths = padded(input)
            order = input.sorted_indices
            given = self._given(hx, steps.shape[1])
            if given is not None and order is not None:
                given = tuple(each[:, order] for each in given)
            output, last = self._run(steps, given, lengths)
            if input.unsorted_indices is not None:
                last = tuple(each[:, input.unsorted_indices] for each in last)
            return packed(output, input), self._returned(last)
        if input.ndim not in (2, 3):
            raise ArgumentError(
                f"{name}: expected an input of {'(N, L' if self.batch_first else '(L, N'}, {self.input_size}), or "
                f"(L, {self.input_size}) without a batch, got shape {input.shape}"
            )
        if input.shape[-1] != self.input_size:
            raise ArgumentError(
                f"{name}: expected input_size={self.input_size} features in the last dimension, got an input of shape "
                f"{input.shape}"
            )
        single = input.ndim == 2
        if single:
            input = input.unsqueeze(1)
        elif self.batch_first:
            input = input.transpose(0, 1)
        given = self._given(hx, input.shape[1], single)
        output, last = self._run(input, given, None)
        if single:
            return output.squeeze(1), self._returned(tuple(each.squeeze(1) for each in last))
        return output.transpose(0, 1) if self.batch_first else output, self._returned(last)

    def _given(self, hx: Any, batch: int, single: bool = False) -> tuple[Any, ...] | None:
        """The first states, each (layers * directions, batch, hidden_size), or None for zeros."""
        if hx is None:
            return None
        name = type(self).__name__
        values = (hx,) if len(self.states) == 1 else hx
        if not isinstance(values, tuple | list) or len(values) != len(self.states):
            kind = f"a tuple of {len(values)}" if isinstance(values, tuple | list) else type(values).__name__
            raise TypeError(f"{name}: expected the first states as a tuple ({', '.join(self.states)}), got {kind}")
        several = self.num_layers * self._directions
        for what, value, size in zip(self.states, values, (self._width, self.hidden_size), strict=False):
            shape = getattr(value, "shape", type(value).__name__)
            expected = (several, size) if single else (several, batch, size)
            if shape != expected:
                size_name = "proj_size" if self.proj_size and what == "h_0" else "hidden_size"
                sizes = f"num_layers * directions, {'' if single else 'N, '}{size_name}"
                raise ArgumentError(f"{name}: expected {what} of shape {expected}, which is ({sizes}), got {shape}")
        return tuple(value.unsqueeze(1) for value in values) if single else tuple(values)

    def _run(self, input: Any, given: tuple[Any, ...] | None, lengths: Any) -> tuple[Any, tuple[Any, ...]]:
        """All layers, on (L, N, features)."""
        directions = self._directions
        last: list[list[Any]] = [[] for _ in self.states]
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(directions):
                index = layer * directions + direction
                first = [None if given is None else each[index] for each in given or self.states]
                if self._names[index][0].endswith("_reverse") != (direction == 1):
                    raise RuntimeError(
                        f"{type(self).__name__}: got bidirectional={self.bidirectional}, expected "
                        f"{not self.bidirectional}, for which the parameters were made; make a new layer"
                    )
                w_ih, w_hh, *others = [member(self, name) for name in self._names[index]]
                biases = others[:2] if self.bias else [None, None]
                parameters = [w_ih, w_hh, *biases, *(others[-1:] if self.proj_size else [])]
                output, *states = self._layer(input, first, parameters, direction == 1, lengths)
                outputs.append(output)
                for into, state in zip(last, states, strict=True):
                    into.append(state)
            input = cat(outputs, 2) if directions == 2 else outputs[0]
            if self.dropout and self.training and layer < self.num_layers - 1:
                input = dropout(input, self.dropout)
        return input, tuple(stack(each) for each in last)  # not views, of one layer either: `h.detach_()` is usual

    def _returned(self, last: tuple[Any, ...]) -> Any:
        return last[0] if len(last) == 1 else last

    def extra_repr(self) -> str:
        parts = [f"{self.input_size}, {self.hidden_size}"]
        usual = {
            "proj_size": 0,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0.0,
            "bidirectional": False,
        }
        parts += [f"{name}={getattr(self, name)}" for name, value in usual.items() if getattr(self, name) != value]
        return ", ".join(parts)


class RNN(RNNBase):
    """A recurrent net: h' = tanh(weight_ih x + bias_ih + weight_hh h + bias_hh), or relu of it.

    Args:
        input_size, hidden_size: the number of features that come in, and of the state.
        num_layers: each further layer takes the outputs of the one before.
        nonlinearity: "tanh" or "relu".
        bias: whether there are biases.
        batch_first: the input is (N, L, input_size) instead of (L, N, input_size).
        dropout: the probability of dropping outputs between layers, in training.
        bidirectional: a second net in each layer goes from the end to the start; their outputs are joined.

    Called with an input (L, N, input_size), or (L, input_size) without a batch, or a `PackedSequence`, and the first
    state (num_layers * directions, N, hidden_size), or zeros if it is left out. Returns the outputs of the last layer
    (L, N, directions * hidden_size) and the last states, shaped as the first ones.

    Raises:
        ValueError, TypeError: a size, the input or the state does not fit.

    >>> layer = td.nn.RNN(3, 4, num_layers=2)
    >>> output, h_n = layer(td.ones(5, 2, 3))
    >>> output.shape, h_n.shape
    ((5, 2, 4), (2, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNN: expected the nonlinearity 'tanh' or 'relu', got {nonlinearity!r}")
        options = (num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype)
        super().__init__(input_size, hidden_size, *options)
        self.nonlinearity = nonlinearity

    def _layer(self, input: Any, states: Any, parameters: Any, reverse: bool, lengths: Any) -> Any:
        (h0,), (w_ih, w_hh, b_ih, b_hh) = states, parameters
        return rnn_layer(input, h0, w_ih, w_hh, b_ih, b_hh, self.nonlinearity, reverse, lengths, modes.grad)


class LSTM(RNNBase):
    """A long short-term memory: gates decide what the cell state forgets, takes in and shows.

    i, f, o = sigmoid(...), a = tanh(...) of weight_ih x + bias_ih + weight_hh h + bias_hh; c' = f c + i a;
    h' = o tanh(c'). The parameters hold the gates one after the other: i, f, a, o.

    Args:
        proj_size: if not 0, h' = weight_hr (o tanh(c')) has so many features, less than hidden_size.

    The other arguments as in `RNN`. Called with an input and optionally a tuple (h_0, c_0); returns
    output, (h_n, c_n).

    Raises:
        ValueError, TypeError: a size, the input or the states do not fit.

    >>> layer = td.nn.LSTM(3, 4, batch_first=True, bidirectional=True)
    >>> output, (h_n, c_n) = layer(td.ones(2, 5, 3))
    >>> output.shape, h_n.shape, c_n.shape
    ((2, 5, 8), (2, 2, 4), (2, 2, 4))
    """

    gates = 4
    states = ("h_0", "c_0")

    def _layer(self, input: Any, states: Any, parameters: Any, reverse: bool, lengths: Any) -> Any:
        (h0, c0), (w_ih, w_hh, b_ih, b_hh, *projection) = states, parameters
        if not projection:
            return lstm_layer(input, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse, lengths, modes.grad)
        # weight_hh (weight_hr r) = (weight_hh weight_hr) r: a layer whose state is r, and whose outputs are projected.
        # The first state is no r: to its first step it comes as a part of the input.
        (w_hr,) = projection
        if h0 is not None:
            input, w_ih = cat([input, at_first(h0, len(input), reverse, lengths)], 2), cat([w_ih, w_hh], 1)
        output, last, c = lstm_layer(input, None, c0, w_ih, w_hh @ w_hr, b_ih, b_hh, reverse, lengths, modes.grad)
        return output @ w_hr.T, last @ w_hr.T, c


def at_first(state: Any, steps: int, reverse: bool, lengths: Any) -> Any:
    """(T, N, features): a state at the step at which each sequence begins, zeros elsewhere."""
    begins = np.zeros(state.shape[0], np.int64)
    if reverse:
        begins += steps - 1 if lengths is None else np.asarray(lengths) - 1
    first = like(np.arange(steps)[:, None] == begins, state)
    return where(first[:, :, None], state, 0.0)


class GRU(RNNBase):
    """A gated recurrent unit: r, z = sigmoid(...), n = tanh(x_n + r y_n), h' = (1 - z) n + z h.

    x = weight_ih input + bias_ih and y = weight_hh h + bias_hh hold the gates r, z, n one after the other. Arguments,
    calls and results as in `RNN`, but for the nonlinearity.

    >>> output, h_n = td.nn.GRU(3, 4)(td.ones(5, 2, 3), td.zeros(1, 2, 4))
    >>> output.shape, h_n.shape
    ((5, 2, 4), (1, 2, 4))
    """

    gates = 3

    def _layer(self, input: Any, states: Any, parameters: Any, reverse: bool, lengths: Any) -> Any:
        (h0,), (w_ih, w_hh, b_ih, b_hh) = states, parameters
        return gru_layer(input, h0, w_ih, w_hh, b_ih, b_hh, reverse, lengths, modes.grad)


class Cell(Module):
    """What the cells share."""

    gates = 1
    states: tuple[str, ...] = ("hx",)

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None):
        super().__init__()
        check_device(device)
        self.input_size = whole(self, "input_size", input_size)
        self.hidden_size = whole(self, "hidden_size", hidden_size)
        self.bias = bias
        rows = self.gates * self.hidden_size
        self.weight_ih = empty_parameter((rows, self.input_size), dtype, device)
        self.weight_hh = empty_parameter((rows, self.hidden_size), dtype, device)
        self.register_parameter("bias_ih", empty_parameter((rows,), dtype, device) if bias else None)
        self.register_parameter("bias_hh", empty_parameter((rows,), dtype, device) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all parameters anew, uniform in +-1 / sqrt(hidden_size)."""
        bound = 1 / math.sqrt(max(self.hidden_size, 1))
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _step(self, input: Any, states: Any, parameters: Any) -> Any:
        """The new states, given (1, N, input_size)."""
        raise NotImplementedError

    def forward(self, input: Any, hx: Any = None) -> Any:
        """The new state, or states."""
        name = type(self).__name__
        if input.ndim not in (1, 2) or input.shape[-1] != self.input_size:
            raise ArgumentError(
                f"{name}: expected an input of shape (N, {self.input_size}) or ({self.input_size},), got {input.shape}"
            )
        values = (None,) * len(self.states) if hx is None else (hx,) if len(self.states) == 1 else hx
        if not isinstance(values, tuple | list) or len(values) != len(self.states):
            kind = f"a tuple of {len(values)}" if isinstance(values, tuple | list) else type(values).__name__
            raise TypeError(f"{name}: expected the states as a tuple (h_0, c_0), got {kind}")
        expected = (*input.shape[:-1], self.hidden_size)
        for what, value in zip(self.states, values, strict=True):
            shape = None if value is None else getattr(value, "shape", type(value).__name__)
            if value is not None and shape != expected:
                raise ArgumentError(f"{name}: expected {what} of shape {expected} beside that input, got {shape}")
        single = input.ndim == 1
        if single:
            input, values = input.unsqueeze(0), [None if each is None else each.unsqueeze(0) for each in values]
        parameters = [
            member(self, "weight_ih"),
            member(self, "weight_hh"),
            member(self, "bias_ih"),
            member(self, "bias_hh"),
        ]
        found = tuple(self._step(input.unsqueeze(0), values, parameters))
        if single:
            found = tuple(each.squeeze(0) for each in found)
        return found if len(found) > 1 else found[0]

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(Cell):
    """h' = tanh(weight_ih x + bias_ih + weight_hh h + bias_hh), or relu of it: one step of `RNN`.

    Called with an input (N, input_size), or (input_size,), and the state (N, hidden_size), or zeros if it is left
    out; returns the new state.

    Raises:
        ValueError, TypeError: a size, the input or the state does not fit.

    >>> cell, h = td.nn.RNNCell(3, 4), td.zeros(2, 4)
    >>> for x in td.ones(5, 2, 3):
    ...     h = cell(x, h)
    >>> h.shape
    (2, 4)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNNCell: expected the nonlinearity 'tanh' or 'relu', got {nonlinearity!r}")
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def _step(self, input: Any, states: Any, parameters: Any) -> Any:
        (h0,), (w_ih, w_hh, b_ih, b_hh) = states, parameters
        return rnn_layer(input, h0, w_ih, w_hh, b_ih, b_hh, self.nonlinearity, False, None, modes.grad)[1:]

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}")


class LSTMCell(Cell):
    """One step of `LSTM`: called with an input and optionally (h_0, c_0), returns (h_1, c_1).

    >>> cell = td.nn.LSTMCell(3, 4)
    >>> h, c = cell(td.ones(2, 3))
    >>> h, c = cell(td.ones(2, 3), (h, c))
    >>> h.shape, c.shape
    ((2, 4), (2, 4))
    """

    gates = 4
    states = ("h_0", "c_0")

    def _step(self, input: Any, states: Any, parameters: Any) -> Any:
        (h0, c0), (w_ih, w_hh, b_ih, b_hh) = states, parameters
        return lstm_layer(input, h0, c0, w_ih, w_hh, b_ih, b_hh, False, None, modes.grad)[1:]


class GRUCell(Cell):
    """One step of `GRU`: called with an input and optionally the state, returns the new state.

    >>> td.nn.GRUCell(3, 4)(td.ones(2, 3)).shape
    (2, 4)
    """

    gates = 3

    def _step(self, input: Any, states: Any, parameters: Any) -> Any:
        (h0,), (w_ih, w_hh, b_ih, b_hh) = states, parameters
        return gru_layer(input, h0, w_ih, w_hh, b_ih, b_hh, False, None, modes.grad)[1:]
