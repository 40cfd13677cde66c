"""One step of a recurrent net as a module: for loops that the user writes."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_dl.core import dtypes
from tinygrad_dl.core.modes import modes
from tinygrad_dl.nn import init
from tinygrad_dl.nn.checks import whole
from tinygrad_dl.nn.layers.linear import empty_parameter
from tinygrad_dl.nn.module import Module, member
from tinygrad_dl.ops.recurrent.gru import gru_layer
from tinygrad_dl.ops.recurrent.lstm import lstm_layer
from tinygrad_dl.ops.recurrent.rnn import rnn_layer

__all__ = ["GRUCell", "LSTMCell", "RNNCell"]


class Cell(Module):
    """What the cells share."""

    gates = 1
    states: tuple[str, ...] = ("hx",)

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None):
        super().__init__()
        dtypes.check_device(device)
        self.input_size = whole(self, "input_size", input_size)
        self.hidden_size = whole(self, "hidden_size", hidden_size)
        self.bias = bias
        rows = self.gates * self.hidden_size
        self.weight_ih = empty_parameter((rows, self.input_size), dtype)
        self.weight_hh = empty_parameter((rows, self.hidden_size), dtype)
        self.register_parameter("bias_ih", empty_parameter((rows,), dtype) if bias else None)
        self.register_parameter("bias_hh", empty_parameter((rows,), dtype) if bias else None)
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
            raise ValueError(
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
                raise ValueError(f"{name}: expected {what} of shape {expected} beside that input, got {shape}")
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

    >>> import tinygrad_dl as td
    >>> cell, h = td.nn.RNNCell(3, 4), td.zeros(2, 4)
    >>> for x in td.ones(5, 2, 3):
    ...     h = cell(x, h)
    >>> h.shape
    (2, 4)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.RNNCell.html
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

    >>> import tinygrad_dl as td
    >>> cell = td.nn.LSTMCell(3, 4)
    >>> h, c = cell(td.ones(2, 3))
    >>> h, c = cell(td.ones(2, 3), (h, c))
    >>> h.shape, c.shape
    ((2, 4), (2, 4))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTMCell.html
    """

    gates = 4
    states = ("h_0", "c_0")

    def _step(self, input: Any, states: Any, parameters: Any) -> Any:
        (h0, c0), (w_ih, w_hh, b_ih, b_hh) = states, parameters
        return lstm_layer(input, h0, c0, w_ih, w_hh, b_ih, b_hh, False, None, modes.grad)[1:]


class GRUCell(Cell):
    """One step of `GRU`: called with an input and optionally the state, returns the new state.

    >>> import tinygrad_dl as td
    >>> td.nn.GRUCell(3, 4)(td.ones(2, 3)).shape
    (2, 4)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.GRUCell.html
    """

    gates = 3

    def _step(self, input: Any, states: Any, parameters: Any) -> Any:
        (h0,), (w_ih, w_hh, b_ih, b_hh) = states, parameters
        return gru_layer(input, h0, w_ih, w_hh, b_ih, b_hh, False, None, modes.grad)[1:]
