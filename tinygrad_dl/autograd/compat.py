"""Names of PyTorch that have little to do here: `Variable` of its early versions, and the threads of its engine."""

from __future__ import annotations

import threading
from typing import Any

from tinygrad_dl.autograd.callbacks import Engine
from tinygrad_dl.core.tensor import Tensor

__all__ = ["Variable", "is_multithreading_enabled", "set_multithreading_enabled"]


class _Tensors(type):
    """Of a class whose instances are all tensors."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=_Tensors):
    """What tensors with gradients were called in early versions of PyTorch: `Variable(t, requires_grad=True)`.

    Returns a tensor that shares the memory of `t`. Write `t.requires_grad_()`, or `td.tensor(..., requires_grad=True)`.

    Args:
        data: a tensor.
        requires_grad: whether operations on the result are recorded.

    >>> import tinygrad_dl as td
    >>> x = td.autograd.Variable(td.ones(2), requires_grad=True)
    >>> x.sum().backward()
    >>> x.grad, isinstance(x, td.autograd.Variable)
    (tensor([1., 1.]), True)

    Source: https://docs.pytorch.org/docs/stable/autograd.html#variable-deprecated
    """

    _execution_engine = Engine()

    def __new__(cls, data: Tensor, requires_grad: bool = False) -> Any:
        """The tensor."""
        if not isinstance(data, Tensor):
            raise TypeError(f"Variable: got {type(data).__name__}, expected a tensor; make one with td.tensor(...)")
        return data.detach().requires_grad_(requires_grad)


class _Threads(threading.local):
    """What this thread asked for."""

    allowed = True


_threads = _Threads()


def is_multithreading_enabled() -> bool:
    """What `set_multithreading_enabled` was last given in this thread; True by default.

    >>> import tinygrad_dl as td
    >>> td.autograd.is_multithreading_enabled()
    True

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.set_multithreading_enabled.html
    """
    return _threads.allowed


class set_multithreading_enabled:
    """Accepted, at once or as a context manager: a backward pass runs in the thread that asked for it in any case.

    Args:
        mode: what `is_multithreading_enabled` says from now on, or inside.

    >>> import tinygrad_dl as td
    >>> with td.autograd.set_multithreading_enabled(False):
    ...     td.autograd.is_multithreading_enabled()
    False

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.set_multithreading_enabled.html
    """

    def __init__(self, mode: bool):
        self.mode, self._before = mode, _threads.allowed
        _threads.allowed = mode

    def __enter__(self) -> None:
        _threads.allowed = self.mode

    def __exit__(self, *_: object) -> None:
        _threads.allowed = self._before
