"""What the recurrent layers share: one layer in one direction over a whole sequence is one node.

Arrays come as (T, B, features), time steps first. Inside the loop over time they lie as (T, features, B): the gates of
a step are then contiguous blocks, and the product of a weight with a state, (n, H) @ (H, B), is the form in which BLAS
is fastest. Time runs forwards inside: a reversed layer turns it at the boundary, in copies that are made anyway.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.backends.gemm import product
from tinygrad_dl.backends.threads import Tasks, get_num_threads, parallel_for_products
from tinygrad_dl.inputs import drawn, one_of, real
from tinygrad_dl.ops.reduction._sums import ones

WORTH = 2**24  # multiplications of a thread at each step, from which on sequences are shared out
RANGE = 2**24  # multiplications of a range of steps, whose inputs are multiplied by a weight at once
DEEP = 256  # examples in all steps of a range, at least: a product that sums over fewer is slower


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


# -- steps -----------------------------------------------------------------------------------------------


def through(
    steps: int,
    batch: int,
    weight: Any,
    work: Callable[[Any, int, int], None],
    before: Callable[[int, int], None] | None = None,
    after: Callable[[int, int], None] | None = None,
    backwards: bool = False,
) -> None:
    """Calls `work(own, start, stop)` for one range of steps after the other, or from the last to the first one.

    `own` is an index of the sequences, the last dimension. A step alone is too small to be shared out, and each needs
    the one before. So another thread calls `before(start, stop)` and `after(start, stop)`, with the products of a whole
    range, while this one is at work on other ranges. If a step is large, each thread goes through all steps of
    sequences of its own: between its products there are many short operations, for each of which the interpreter
    changes hands.
    """
    count = max(1, min(steps * batch // DEEP, steps * batch * weight.size // RANGE, steps))
    bounds = [steps * k // count for k in range(count + 1)]
    if count > 1 and bounds[1] > 1:  # nobody goes on before the first one is there, or behind the last
        bounds[1:1] = [bounds[1] // 3 or 1]
    ranges = list(itertools.pairwise(bounds))
    if backwards:
        ranges.reverse()
    least = 1 + WORTH // max(1, weight.size)  # sequences of a thread
    if count > 1 and min(batch // least, get_num_threads()) < 2:
        beside(ranges, work, before, after)
        return

    def sequences(start: int, stop: int) -> None:
        for each in ranges:
            work((..., slice(start, stop)), *each)

    for each in ranges:
        if before is not None:
            before(*each)
    parallel_for_products(sequences, batch, least)
    for each in ranges:
        if after is not None:
            after(*each)


def beside(ranges: list[tuple[int, int]], work: Any, before: Any, after: Any) -> None:
    """`through` by this thread, while another one calls `before` and `after`."""
    with Tasks() as tasks:
        ready = [tasks.add(before, *each) for each in ranges if before is not None]
        for each, made in itertools.zip_longest(ranges, ready):
            if made is not None:
                tasks.finish(made)
            work(..., *each)
            if after is not None:
                tasks.add(after, *each)


# -- forward ---------------------------------------------------------------------------------------------


def projection(
    input: Any, weight: Any, bias: Any, reverse: bool, gates: Any, negative: bool = False
) -> Callable[[int, int], None]:
    """What puts the input's part of the gates at a range of steps into `gates`, (T, n, B), or its negative.

    The bias is (n,) or None.
    """
    steps, batch, width = input.shape
    shift = gates.dtype.type(0) if bias is None else bias[:, None]

    def work(start: int, stop: int) -> None:
        x = input[steps - stop : steps - start] if reverse else input[start:stop]
        made = product(weight, x.reshape((stop - start) * batch, width).T)
        made = in_time(made.reshape(len(weight), stop - start, batch).transpose(1, 0, 2), reverse)
        if negative:
            np.subtract(-shift, made, gates[start:stop])
        else:
            np.add(made, shift, gates[start:stop])

    return work


def start(state: Any, steps: int, input: Any, hidden: int) -> Any:
    """Room for a state before the first step and after each one, (steps + 1, H, B), the first filled in."""
    room = np.empty((steps + 1, hidden, input.shape[1]), input.dtype)
    room[0] = 0 if state is None else state.T
    return room


def steps_first(states: Any, reverse: bool, pad: Any) -> Any:
    """The states after each step, (T, H, B), as the layer's output (T, B, H), with zeros where there is padding."""
    steps, hidden, batch = states.shape
    output = np.empty((steps, batch, hidden), states.dtype)
    turned = in_time(output, reverse)
    turned[...] = states.transpose(0, 2, 1)
    if pad is not None:
        turned[pad[:, 0]] = 0
    return output


# -- backward --------------------------------------------------------------------------------------------


def features_first(array: Any, reverse: bool, pad: Any, own: Any, start: int, stop: int) -> Any:
    """Some of the steps of (T, B, H) in the layer's order, as (t, H, B), with zeros where there is padding."""
    found = np.ascontiguousarray(in_time(array, reverse)[start:stop].transpose(0, 2, 1)[own])
    if pad is not None:
        found = np.where(pad[start:stop][own], 0, found)  # whatever was there: nan times 0 would be nan
    return found


class Gradients:
    """The gradients of the input, the weights and the biases, from those of the gates, range by range.

    Args:
        slopes: (T, n, B), in the layer's order.
        by_input, by_hidden: which of the n belong to the input's and to the state's part of the gates.
        needs: which gradients are asked for, those of the rule's arguments.
        states: how many first states come behind the input there.
    """

    def __init__(
        self,
        slopes: Any,
        by_input: slice,
        by_hidden: slice,
        input: Any,
        weight_ih: Any,
        output: Any,
        h0: Any,
        pad: Any,
        reverse: bool,
        needs: Any,
        states: int,
    ):
        self.slopes, self.by_input, self.by_hidden = slopes, by_input, by_hidden
        self.input, self.weight_ih, self.output, self.h0 = input, weight_ih, output, h0
        self.pad, self.reverse, self.needs = pad, reverse, (needs[0], *needs[1 + states :])
        self.of_input = np.empty(input.shape, slopes.dtype) if needs[0] else None
        self.parts: dict[int, list[Any]] = {}  # by the first step of their range

    def add(self, start: int, stop: int) -> None:
        """Adds those of a range of steps, whose slopes are there."""
        steps, batch, width = self.input.shape
        count = (stop - start) * batch
        here = slice(steps - stop, steps - start) if self.reverse else slice(start, stop)  # in the input's order
        rows = in_time(self.slopes[start:stop], self.reverse).transpose(1, 0, 2).reshape(self.slopes.shape[1], count)
        by_input, by_hidden = rows[self.by_input], rows[self.by_hidden]
        _, w_ih, w_hh, b_ih, b_hh = self.needs
        if self.of_input is not None:
            product(by_input.T, self.weight_ih, self.of_input[here].reshape(count, width))
        self.parts[start] = [
            product(by_input, self.input[here].reshape(count, width)) if w_ih else None,
            self._of_states(by_hidden, start, stop) if w_hh else None,
            product(by_input, ones(count, rows.dtype)) if b_ih else None,
            product(by_hidden, ones(count, rows.dtype)) if b_hh and (not b_ih or not self._alike) else None,
        ]

    @property
    def _alike(self) -> bool:
        return self.by_input == self.by_hidden

    def _of_states(self, by_hidden: Any, start: int, stop: int) -> Any:
        """The gradient of the weight by which the state before each step of a range was multiplied."""
        _, batch, size = self.output.shape
        if not start and self.h0 is None:  # the first state is zeros, which nothing was multiplied by
            start = 1
            by_hidden = by_hidden[:, : (stop - 1) * batch] if self.reverse else by_hidden[:, batch:]
        count = stop - start
        states = np.empty((count, batch, size), self.output.dtype)
        before, after = in_time(states, self.reverse), in_time(self.output, self.reverse)
        if not start:
            before[0] = self.h0
            before, start = before[1:], 1
        before[...] = after[start - 1 : stop - 1]
        if self.pad is not None and self.h0 is not None:  # the output has zeros where the state is still the first
            before += self.h0 * self.pad[start - 1 : stop - 1].transpose(0, 2, 1)
        return product(by_hidden, states.reshape(count * batch, size))

    def sums(self, *states: Any) -> list[Any]:
        """All that a rule returns, given the gradients of the first states, (H, B); None where not needed."""
        first, *others = [self.parts[start] for start in sorted(self.parts)]
        for part in others:
            for total, each in zip(first, part, strict=True):
                if total is not None:
                    np.add(total, each, total)
        if self.needs[4] and first[3] is None:
            first[3] = first[2]
        return [self.of_input, *(np.ascontiguousarray(state.T) for state in states), *first]
