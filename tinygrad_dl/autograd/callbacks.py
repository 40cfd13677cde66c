"""Callbacks of a backward pass: functions that it calls once, at its end.

Each pass has the list of its callbacks as a local variable, so that one that queues none pays for an empty list alone,
and one that raises takes its callbacks along. Which pass is running, the stack of the thread says.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from tinygrad_dl.core.descriptions import summary

PACKAGE = __name__.rpartition(".")[0]  # where `backward` and `grad` are


class Engine:
    """What `td.autograd.Variable._execution_engine` is: the part of PyTorch's engine that Python code uses."""

    @staticmethod
    def queue_callback(callback: Callable[[], Any]) -> None:
        """Has the backward pass that is running in this thread call `callback()` at its end, once.

        Called by a hook or by a Function's backward; by the end all gradients are accumulated. Of a pass inside of
        another it is the inner one's end. Callbacks are called in the order in which they were queued, and may queue
        others; if the pass raises, they are not called.

        Args:
            callback: a function without arguments; what it returns is not used.

        Raises:
            RuntimeError: no backward pass is running in this thread.
            TypeError: `callback` can't be called.

        >>> import tinygrad_dl as td
        >>> x = td.tensor([1.0, 2.0], requires_grad=True)
        >>> engine = td.autograd.Variable._execution_engine
        >>> handle = x.register_hook(lambda g: engine.queue_callback(lambda: print("done:", x.grad)))
        >>> x.sum().backward()
        done: tensor([1., 1.])

        Source: https://github.com/pytorch/pytorch/blob/main/torch/csrc/autograd/python_engine.cpp
        """
        if not callable(callback):
            raise TypeError(f"queue_callback: got {summary(callback)}, expected a function without arguments")
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_globals.get("__name__") == PACKAGE and "callbacks" in frame.f_code.co_varnames:
                frame.f_locals["callbacks"].append(callback)
                return
            frame = frame.f_back
        raise RuntimeError(
            "queue_callback: got a callback outside of a backward pass, expected one while it runs; call it in a hook "
            "or in the backward of a Function"
        )
