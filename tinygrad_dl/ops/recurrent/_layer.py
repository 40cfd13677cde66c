"""What the recurrent layers share: one layer in one direction over a whole sequence is one node.

Arrays come as (T, B, features), time steps first. Inside the loop over time they lie as (T, features, B): the gates of
a step are then contiguous blocks, and the product of a weight with a state, (n, H) @ (H, B), is the form in which BLAS
is fastest. Time runs forwards inside: a reversed layer turns it at the boundary, in copies that are made anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.backends.gemm import product
from tinygrad_dl.backends.threads import grain, parallel_for, parallel_for_products
from tinygrad_dl.inputs import drawn, one_of, real
from tinygrad_dl.ops.reduction._sums import ones

FEW, WIDE = 32, 1  # a step's product takes in the input: from so many examples on, up to so many times the state's size


def cases(gates: int, *states: str) -> list[dict[str, Any]]:
    """The legal inputs of a layer with so many gates and these states."""
    g = str(gates)
    weights = {"weight_hh": real(-1.0, 1.0, shape=f"{g} 1"), "bias_ih": real(shape=g), "bias_hh": real(shape=g)}
    given = dict.fromkeys(states, real(shape="b 1", min_side=1))
    return [
        {
            "input": real(shape="t b i", min_side=1),
            **given,
            "weight_ih": real(-1.0, 1.0, shape=f"{g} i", min_side=1),
            **weights,
            "reverse": one_of(False, True),
        },
        {
            "input": real(shape="t b 1", min_side=1),
            **dict.fromkeys(states, one_of(None)),
            "weight_ih": real(-1.0, 1.0, shape=f"{2 * gates} 1"),
            "weight_hh": real(-1.0, 1.0, shape=f"{2 * gates} 2"),
            "reverse": one_of(False, True),
        },
        {
            "input": real(shape="3 b 2", min_side=1),
            **given,
            "weight_ih": real(-1.0, 1.0, shape=f"{g} 2"),
            **weights,
            "reverse": one_of(False, True),
            "lengths": drawn(lambda rng, input: rng.integers(1, 4, input.shape[1])),
        },
    ]


def in_time(array: Any, reverse: bool) -> Any:
    """The steps in the order in which the layer goes through them."""
    return array[::-1] if reverse else array


def padding(lengths: Any, steps: int, reverse: bool) -> Any:
    """(T, 1, B), in the layer's order: which elements lie behind the end of their sequence; None without lengths."""
    if lengths is None:
        return None
    return in_time((np.arange(steps)[:, None] >= np.asarray(lengths))[:, None, :], reverse)


def check(
    name: str,
    gates: int,
    input: Any,
    states: dict[str, Any],
    weight_ih: Any,
    weight_hh: Any,
    biases: dict[str, Any],
    lengths: Any,
) -> None:
    """Raises ValueError or TypeError unless all shapes and dtypes fit together."""
    if input.ndim != 3:
        raise ValueError(f"{name}: expected an input of shape (T, B, features), got {input.shape}")
    steps, batch, width = input.shape
    if not steps:
        raise ValueError(f"{name}: expected a sequence of at least one step, got an input of shape {input.shape}")
    if weight_hh.ndim != 2 or weight_hh.shape[0] != gates * weight_hh.shape[1]:
        raise ValueError(f"{name}: expected weight_hh of shape ({gates} * H, H), got {weight_hh.shape}")
    rows, hidden = weight_hh.shape
    if weight_ih.ndim != 2 or weight_ih.shape[0] != rows:
        raise ValueError(f"{name}: expected weight_ih of shape ({rows}, features), got {weight_ih.shape}")
    if weight_ih.shape[1] != width:
        raise ValueError(
            f"{name}: expected input_size={weight_ih.shape[1]} features in the last dimension of the input, got an "
            f"input of shape {input.shape}"
        )
    shapes = dict.fromkeys(states, (batch, hidden)) | dict.fromkeys(biases, (rows,))
    for what, value in (states | biases).items():
        if value is not None and value.shape != shapes[what]:
            raise ValueError(f"{name}: expected {what} of shape {shapes[what]}, got {value.shape}")
    for what, value in {"weight_ih": weight_ih, "weight_hh": weight_hh, **states, **biases}.items():
        if value is not None and value.dtype != input.dtype:
            raise TypeError(
                f"{name}: expected input and {what} of the same dtype, got {input.dtype} and {value.dtype}; cast the "
                f"input with input.to({what}.dtype), or the module with module.to(input.dtype)"
            )
    if lengths is not None and np.shape(lengths) != (batch,):
        raise ValueError(f"{name}: expected lengths of shape ({batch},), one a sequence, got {np.shape(lengths)}")


# -- forward ---------------------------------------------------------------------------------------------


def project(input: Any, weight: Any, bias: Any, reverse: bool) -> Any:
    """The input's part of all gates at all steps, in one product: (T, n, B). The bias is (n, 1) or None."""
    steps, batch, width = input.shape
    rows = weight.shape[0]
    made = product(weight, input.reshape(steps * batch, width).T)
    source = in_time(made.reshape(rows, steps, batch).transpose(1, 0, 2), reverse)
    gates = np.empty((steps, rows, batch), weight.dtype)
    zero = gates.dtype.type(0)

    def copy(start: int, stop: int) -> None:
        np.add(source[start:stop], zero if bias is None else bias, gates[start:stop])

    parallel_for(copy, steps, grain(rows * batch))
    return gates


def prepare(input: Any, h0: Any, weight: Any, with_bias: bool, reverse: bool) -> tuple[Any, Any, Any]:
    """What a step's product needs: room for its result (T, n, B), the weight, and what that multiplies (T + 1, k, B).

    Usually k = H + features (+ 1): a step's column holds the state, the input and a one, so that one product gives the
    gates whole. Otherwise k = H: the room for the result has the input's part in it, and the state's is to be added.

    Args:
        weight: (n, k), the columns for the state, the input and, `with_bias`, the bias.
    """
    steps, batch, width = input.shape
    size = weight.shape[1] - width - with_bias
    if batch < FEW or width > WIDE * size:  # one product for all steps reads the weight once
        room = start(h0, steps, input, size)
        bias = weight[:, -1:] if with_bias else None
        gates = project(input, weight[:, size : size + width], bias, reverse)
        return gates, np.ascontiguousarray(weight[:, :size]), room
    room = np.empty((steps + 1, weight.shape[1], batch), weight.dtype)
    room[0, :size] = 0 if h0 is None else h0.T
    moved(in_time(input, reverse).transpose(0, 2, 1), room[:-1, size : size + width])
    room[:, size + width :] = 1
    return np.empty((steps, len(weight), batch), weight.dtype), weight, room


def start(state: Any, steps: int, input: Any, hidden: int) -> Any:
    """Room for a state before the first step and after each one, (steps + 1, H, B), the first filled in."""
    room = np.empty((steps + 1, hidden, input.shape[1]), input.dtype)
    room[0] = 0 if state is None else state.T
    return room


def features_first(array: Any, reverse: bool, pad: Any, dtype: Any) -> Any:
    """(T, B, H) as a new array (T, H, B) in the layer's order, with zeros where there is padding."""
    source = in_time(array, reverse).transpose(0, 2, 1)
    target = moved(source, np.empty(source.shape, dtype))
    if pad is not None:
        np.copyto(target, 0, where=pad)  # whatever was there: nan times 0 would be nan
    return target


def steps_first(states: Any, reverse: bool, pad: Any, dtype: Any) -> Any:
    """The states after each step, (T, H, B), as the layer's output (T, B, H), with zeros where there is padding."""
    steps, hidden, batch = states.shape
    output = np.empty((steps, batch, hidden), dtype)
    turned = in_time(output, reverse)
    moved(states.transpose(0, 2, 1), turned)
    if pad is not None:
        turned[pad[:, 0]] = 0
    return output


def moved(source: Any, target: Any) -> Any:
    """`target`, with the elements of `source` copied to it, by several threads if there are many."""

    def copy(start: int, stop: int) -> None:
        target[start:stop] = source[start:stop]

    parallel_for(copy, len(target), grain(target[0].size))
    return target


WORTH = 2**24  # multiplications of a thread at each step, from which on sequences are shared out


def for_sequences(work: Callable[[Any], None], weight: Any, batch: int) -> None:
    """Calls `work` with indices of ranges of the batch, the last dimension: a thread goes through all steps of its own.

    A step alone is too small to be shared out, and each step needs the one before. Between the products of a step
    there are many short operations, for each of which the interpreter changes hands: products must be worth that.
    """
    parallel_for_products(lambda start, stop: work((..., slice(start, stop))), batch, 1 + WORTH // max(1, weight.size))


# -- backward --------------------------------------------------------------------------------------------


def as_rows(slopes: Any, reverse: bool) -> Any:
    """The gradient of the gates, (T, n, B) in the layer's order, as (n, T * B) in the input's: a matrix."""
    steps, rows, batch = slopes.shape
    matrix = np.empty((rows, steps, batch), slopes.dtype)
    moved(slopes, in_time(matrix.transpose(1, 0, 2), reverse))
    return matrix.reshape(rows, steps * batch)


def input_gradient(rows: Any, weight: Any, shape: Any) -> Any:
    """The gradient of the input, for all steps in one product."""
    return product(rows.T, weight).reshape(shape)


def weight_gradient(rows: Any, input: Any) -> Any:
    """The gradient of a weight that the input was multiplied by, over all steps in one product."""
    steps, batch, width = input.shape
    return product(rows, input.reshape(steps * batch, width))


def hidden_gradient(rows: Any, output: Any, h0: Any, pad: Any, reverse: bool) -> Any:
    """The gradient of the weight that the state before each step was multiplied by."""
    steps, batch, hidden = output.shape
    if pad is not None:  # the output has zeros where the state is still what it was at first
        previous = np.zeros_like(output)
        before = in_time(previous, reverse)
        before[1:] = in_time(output, reverse)[:-1]
        if h0 is not None:
            before[1:] += h0 * pad[:-1].transpose(0, 2, 1)
            before[0] = h0
        return weight_gradient(rows, previous)
    states, later = output.reshape(steps * batch, hidden), (steps - 1) * batch
    if reverse:
        gradient = product(rows[:, :later], states[batch:])
        first = rows[:, later:]
    else:
        gradient = product(rows[:, batch:], states[:later])
        first = rows[:, :batch]
    if h0 is not None:
        gradient += product(first, h0)
    return gradient


def bias_gradient(rows: Any) -> Any:
    """The gradient of a bias: the sum over all steps and examples."""
    return product(rows, ones(rows.shape[1], rows.dtype))


def gradients(
    by_input: Any,
    by_hidden: Any,
    states: Any,
    input: Any,
    weight_ih: Any,
    output: Any,
    h0: Any,
    pad: Any,
    reverse: bool,
    needs: Any,
) -> list[Any]:
    """All that a rule returns: for the input, the first states, the weights and the biases; None where not needed.

    Args:
        by_input, by_hidden: `as_rows` of the gradients of the input's and of the state's part of the gates; the same
            matrix if they are only ever added.
        states: the gradients of the first states, (H, B).
    """
    found = [input_gradient(by_input, weight_ih, input.shape) if needs[0] else None]
    found += [np.ascontiguousarray(state.T) for state in states]
    wanted = needs[len(found) :]
    found.append(weight_gradient(by_input, input) if wanted[0] else None)
    found.append(hidden_gradient(by_hidden, output, h0, pad, reverse) if wanted[1] else None)
    found.append(bias_gradient(by_input) if wanted[2] else None)
    found.append(bias_gradient(by_hidden) if wanted[3] else None)
    return found
