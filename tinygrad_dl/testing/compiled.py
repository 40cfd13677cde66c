"""Checks of an op in a compiled step: it, its gradients and its errors are those of the eager one, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl import autograd
from tinygrad_dl.compiler import CompileError, compile
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.random import manual_seed
from tinygrad_dl.testing.call import SEED, Call
from tinygrad_dl.testing.report import CheckError
from tinygrad_dl.testing.running import Run, Tally, has_gradient
from tinygrad_dl.testing.transforms import turned_round

EACH = 3  # inputs of an op that are looked at: recording a step takes some thousand times as long as running it
LEGAL = "whose size depends on the elements"  # the only reason for which there may be no program


def check_compiled(call: Call, tally: Tally) -> None:
    """A compiled step of the op and its gradients against the same step run eagerly, with the same and other numbers.

    Refused may be what makes arrays whose size depends on the elements of others, and ops from outside the library for
    what they do besides; the tally keeps the reason.
    """
    if tally.inputs > EACH or tally.not_compiled:
        return
    tensors = [
        (name, i)
        for name in call.op.tensors
        for i in (range(len(call.values[name])) if name == call.op.sequence else (None,))
        if isinstance(call.values.get(name), np.ndarray | list)
    ]
    places = call.differentiable() if has_gradient(call) else []
    weights = Run(call, tally).weights if places else []
    step = step_of(call, tensors, places)
    compiled = compile(step, fullgraph=True)
    for each in (call, call, call.map(turned_round, floating=False), call.map(turned_round), call):
        expected = outcome(step, each, tensors, places, weights)
        try:
            found = outcome(compiled, each, tensors, places, weights)
        except CompileError as error:
            if LEGAL not in error.reason and "::" not in call.op.key:
                raise
            tally.not_compiled = error.reason
            return
        expect_same(found, expected)


def step_of(call: Call, tensors: list[Any], places: list[Any]) -> Callable[..., list[Tensor]]:
    """A function of the tensors and of weights for the results, which gives the results and the gradients."""
    op, options = call.op, {name: value for name, value in call.values.items() if name not in dict(tensors)}

    def step(*given: Tensor) -> list[Tensor]:
        values: dict[str, Any] = dict(options)
        leaves = []
        for place, tensor in zip(tensors, given, strict=False):
            name, i = place
            if i is None:
                values[name] = tensor
            else:
                values.setdefault(name, []).append(tensor)
            if place in places:
                leaves.append(tensor)
        returned = op.function(**values)
        results = list(returned) if isinstance(returned, tuple | list) else [returned]
        if not leaves:
            return results
        starts = [(r, w) for r, w in zip(results, given[len(tensors) :], strict=True) if r.requires_grad]
        roots, seeds = [r for r, _ in starts], [w for _, w in starts]
        found = autograd.grad(roots, leaves, seeds, materialize_grads=True)
        return [*(r.detach() for r in results), *found]

    return step


def outcome(
    step: Callable[..., list[Tensor]], call: Call, tensors: list[Any], places: list[Any], weights: list[np.ndarray]
) -> list[Any]:
    """What a step gives for copies of the call's tensors, or the error that it raises; and the tensors afterwards."""
    given = []
    for name, i in tensors:
        value = call.values[name] if i is None else call.values[name][i]
        given.append(wrap(np.array(value, order="C")))
        if (name, i) in places:
            given[-1].requires_grad_()
    manual_seed(SEED)
    try:
        with np.errstate(all="ignore"):
            results = step(*given, *(wrap(w.copy()) for w in weights))
    except CompileError:
        raise
    except Exception as error:
        return [type(error), str(error)]
    return [t.detach()._data for t in (*results, *given)]


def expect_same(found: list[Any], expected: list[Any]) -> None:
    """The same arrays, bit for bit, or the same error."""
    if any(isinstance(values[0], type) for values in (found, expected)):
        if found != expected:
            raise CheckError(f"a compiled step gives {found!r}, expected {expected!r}")
        return
    for position, (mine, eager) in enumerate(zip(found, expected, strict=True)):
        same = (mine.dtype, mine.shape) == (eager.dtype, eager.shape)
        if not same or not np.array_equal(mine, eager, equal_nan=eager.dtype.kind in "fc"):
            raise CheckError(
                f"value {position} of a compiled step (its results, gradients, arguments afterwards) is {mine!r}, "
                f"expected {eager!r}"
            )
