"""Recurrent layers step by step in differentiable operations: what their rules do under `create_graph=True`.

A cell says what one step does: `forward(x, y, states)`, given the input's and the state's part of the gates, returns
the new states and what the step's gradient reads; `backward(slopes, kept)`, given the gradients of the new states,
returns those of x, of y, and of the old states (but for the way through y).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.backends.gemm import product


class Cell(NamedTuple):
    """One step of a recurrent layer, forwards and backwards."""

    forward: Callable[[Any, Any, Any], tuple[Any, Any]]
    backward: Callable[[Any, Any], tuple[Any, Any, Any]]


def order(steps: int, reverse: bool) -> Sequence[int]:
    """The time steps in the order in which the layer goes through them."""
    return range(steps - 1, -1, -1) if reverse else range(steps)


def behind_the_end(lengths: Any, t: int) -> Any:
    """(B, 1): which sequences have ended before step t."""
    return (t >= np.asarray(lengths))[:, None]


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
    zeros = np.zeros((input.shape[1], weight_hh.shape[1]), input.dtype)
    states = [zeros if state is None else state for state in states]
    projected = product(input, np.transpose(weight_ih))
    if bias_ih is not None:
        projected = projected + bias_ih
    steps = []
    for t in order(input.shape[0], reverse):
        hidden = product(states[0], np.transpose(weight_hh))
        new, kept = cell.forward(projected[t], hidden if bias_hh is None else hidden + bias_hh, states)
        steps.append((states[0], kept))
        if lengths is not None:
            ended = behind_the_end(lengths, t)
            new = [np.where(ended, old, each) for old, each in zip(states, new, strict=True)]
        states = new
    return steps


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
