"""Recurrent layers step by step in differentiable operations: under `create_graph=True`, forward mode and vmap.

A cell says what one step does: `forward(x, y, states)`, given the input's and the state's part of the gates, returns
the new states and what the other two read; `backward(slopes, kept)`, given the gradients of the new states, returns
those of x, of y, and of the old states (but for the way through y); `tangent(dx, dy, states, kept)`, given the tangents
of x, y and the old states, returns those of the new ones.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.backends.arrays import is_array, like, module_of
from tinygrad_dl.backends.gemm import product
from tinygrad_dl.core.batching import Batch, every, folded


class Cell(NamedTuple):
    """One step of a recurrent layer, forwards and backwards, and in forward mode."""

    forward: Callable[[Any, Any, Any], tuple[Any, Any]]
    backward: Callable[[Any, Any], tuple[Any, Any, Any]]
    tangent: Callable[[Any, Any, Any, Any], Any]


def order(steps: int, reverse: bool) -> Sequence[int]:
    """The time steps in the order in which the layer goes through them."""
    return range(steps - 1, -1, -1) if reverse else range(steps)


def behind_the_end(lengths: Any, t: int) -> Any:
    """(B, 1): which sequences have ended before step t."""
    return (t >= (lengths if is_array(lengths) else np.asarray(lengths)))[:, None]


def unroll(
    cell: Cell,
    input: Any,
    states: Sequence[Any],
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any,
    bias_hh: Any,
    reverse: bool,
    lengths: Any,
) -> list[Any]:
    """For each step, in the layer's order: the state before it, and what its gradient reads."""
    return run(cell, input, states, weight_ih, weight_hh, bias_ih, bias_hh, reverse, lengths)[0]


def run(
    cell: Cell,
    input: Any,
    states: Sequence[Any],
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any,
    bias_hh: Any,
    reverse: bool,
    lengths: Any,
) -> tuple[list[Any], list[Any], Sequence[Any]]:
    """The same, the outputs by time, and the states after the last step."""
    zeros = module_of(input).zeros((input.shape[1], weight_hh.shape[1]), input.dtype)
    lengths = None if lengths is None else like(lengths, input)
    states = [zeros if state is None else state for state in states]
    projected = product(input, np.transpose(weight_ih))
    if bias_ih is not None:
        projected = projected + bias_ih
    steps: list[Any] = []
    outputs: list[Any] = [None] * input.shape[0]
    for t in order(input.shape[0], reverse):
        hidden = product(states[0], np.transpose(weight_hh))
        new, kept = cell.forward(projected[t], hidden if bias_hh is None else hidden + bias_hh, states)
        steps.append((states[0], kept))
        outputs[t] = new[0]
        if lengths is not None:
            ended = behind_the_end(lengths, t)
            outputs[t] = np.where(ended, 0.0, new[0])
            new = [np.where(ended, old, each) for old, each in zip(states, new, strict=True)]
        states = new
    return steps, outputs, states


def tangents(
    cell: Cell,
    t: Sequence[Any],
    input: Any,
    states: Sequence[Any],
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any,
    bias_hh: Any,
    reverse: bool,
    lengths: Any,
) -> tuple[Any, ...]:
    """The tangents of the output and the last states; `t` has those of the tensors, in their order, or None."""
    lengths = None if lengths is None else like(lengths, input)
    steps = unroll(cell, input, states, weight_ih, weight_hh, bias_ih, bias_hh, reverse, lengths)
    t_input, *t_states, t_ih, t_hh, t_bias_ih, t_bias_hh = t
    zeros = module_of(input).zeros((input.shape[1], weight_hh.shape[1]), input.dtype)
    t_states = [zeros if each is None else each for each in t_states]
    projected = module_of(input).zeros((*input.shape[:2], len(weight_ih)), input.dtype)
    for a, b in ((t_input, weight_ih), (input, t_ih)):
        if a is not None and b is not None:
            projected = projected + product(a, np.transpose(b))
    if t_bias_ih is not None:
        projected = projected + t_bias_ih
    outputs: list[Any] = [None] * len(steps)
    for at, (state, kept) in zip(order(len(steps), reverse), steps, strict=True):
        hidden = product(t_states[0], np.transpose(weight_hh))
        hidden = hidden if t_hh is None else hidden + product(state, np.transpose(t_hh))
        hidden = hidden if t_bias_hh is None else hidden + t_bias_hh
        new = cell.tangent(projected[at], hidden, t_states, kept)
        outputs[at] = new[0]
        if lengths is not None:
            ended = behind_the_end(lengths, at)
            outputs[at] = np.where(ended, 0.0, new[0])
            new = [np.where(ended, old, each) for old, each in zip(t_states, new, strict=True)]
        t_states = list(new)
    return np.stack(outputs), *t_states


def batched(
    function: Any,
    cell: Cell,
    batch: Batch,
    input: Any,
    states: dict[str, Any],
    weights: dict[str, Any],
    reverse: bool,
    lengths: Any,
    **options: Any,
) -> Any:
    """The layer for a batch of examples: more sequences for the same weights, or steps in products of stacks."""
    if "lengths" in batch.of:
        return NotImplemented
    if not batch.of & weights.keys():
        count, size = batch.size, np.shape(input)["input" in batch.of :][1]
        wide = every(input, "input", batch).movedim(0, 1)
        wide = wide.reshape(wide.shape[0], count * size, wide.shape[3])
        starts = [None if each is None else folded(every(each, name, batch)) for name, each in states.items()]
        lengths = None if lengths is None else np.tile(np.asarray(lengths), count)
        out, *last = function(wide, *starts, *weights.values(), reverse=reverse, lengths=lengths, **options)
        out = out.reshape(out.shape[0], count, size, out.shape[2]).movedim(1, 0)
        return out, *[each.reshape(count, size, each.shape[1]) for each in last]

    def example(name: str, value: Any) -> Any:
        return batch.level.lift(value) if name in batch.of else value

    starts = [example(*each) for each in states.items()]
    w_ih, w_hh, b_ih, b_hh = [example(*each) for each in weights.items()]
    _, outputs, last = run(cell, example("input", input), starts, w_ih, w_hh, b_ih, b_hh, reverse, lengths)
    return [batch.level.lowered(each) for each in (np.stack(outputs), *last)]


def unroll_back(
    cell: Cell,
    g: Sequence[Any],
    steps: list[Any],
    input: Any,
    weight_ih: Any,
    weight_hh: Any,
    reverse: bool,
    lengths: Any,
) -> tuple[Any, ...]:
    """The gradients of the input, of each first state, and of both weights and biases."""
    slopes = list(g[1:])
    count = len(steps)
    lengths = None if lengths is None else like(lengths, input)
    by_input: list[Any] = [None] * count
    by_hidden: list[Any] = [None] * count
    before: list[Any] = [None] * count
    for t, (state, kept) in zip(reversed(order(count, reverse)), reversed(steps), strict=True):
        ended = None if lengths is None else behind_the_end(lengths, t)
        slopes[0] = slopes[0] + (g[0][t] if ended is None else np.where(ended, 0.0, g[0][t]))
        dx, dy, old = cell.backward(slopes, kept)
        if ended is not None:
            dx, dy = np.where(ended, 0.0, dx), np.where(ended, 0.0, dy)
            old = [np.where(ended, new, each) for new, each in zip(slopes, old, strict=True)]
        slopes = [old[0] + product(dy, weight_hh), *old[1:]]
        by_input[t], by_hidden[t], before[t] = dx, dy, state
    dx, dy = np.concatenate(by_input), np.concatenate(by_hidden)
    gradients = [np.reshape(product(dx, weight_ih), input.shape), *slopes]
    gradients.append(product(np.transpose(dx), np.reshape(input, (input.shape[0] * input.shape[1], input.shape[2]))))
    gradients.append(product(np.transpose(dy), np.concatenate(before)))
    return (*gradients, np.add.reduce(dx, axis=0), np.add.reduce(dy, axis=0))
