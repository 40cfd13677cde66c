"""A model run once, to be looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tinygrad_dl.core.modes import enable_grad
from tinygrad_dl.core.promotion import is_differentiable
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.func.trees import change
from tinygrad_dl.nn.module import Module
from tinygrad_dl.random import get_rng_state, set_rng_state
from tinygrad_dl.viz.known.recording import Run, recording, run_of


def run(model: Module, inputs: tuple[Any, ...], options: Mapping[str, Any], values: bool = False) -> Run:
    """Calls a model inside of `recording`, so that all is in the graph, what its frozen parameters do too.

    The model is left as it was: buffers, which parameters require a gradient, and the generator of random numbers.
    Floating inputs are copied.
    """
    with untouched(model), enable_grad():
        with recording(values) as seen:
            inputs, options = change(inputs, recorded), change(dict(options), recorded)
            output = model(*inputs, **options)
        return run_of(output)._replace(calls=seen.calls)


def recorded(value: Any) -> Any:
    """A copy of a floating tensor that is in a graph, and that may be changed in place."""
    if not isinstance(value, Tensor) or not is_differentiable(value.dtype):
        return value
    return value.detach().requires_grad_().clone()


@contextmanager
def untouched(model: Module) -> Iterator[None]:
    """Makes all parameters require a gradient, and puts everything back at the end."""
    asked = [(p, p.requires_grad) for p in model.parameters() if is_differentiable(p.dtype)]
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    state = get_rng_state()
    try:
        for parameter, _ in asked:
            parameter.requires_grad_()
        yield
    finally:
        for parameter, before in asked:
            parameter.requires_grad_(before)
        for buffer, values in buffers:
            buffer.data.copy_(values)
        set_rng_state(state)
