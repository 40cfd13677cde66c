"""`torch.library` and `torch.ops`: PyTorch's table of operations, which libraries extend with compiled ones.

This library calls Python alone: what is registered is accepted and not used, and compiled operations do not load.

Source: https://docs.pytorch.org/docs/stable/library.html
"""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["Library", "register_autograd", "register_fake", "register_kernel"]


class Library:
    """A part of PyTorch's table of operations; what is put into it is not used.

    Source: https://docs.pytorch.org/docs/stable/library.html#torch.library.Library
    """

    def __init__(self, ns: str, kind: str, dispatch_key: str = "") -> None:
        self.ns, self.kind, self.dispatch_key = ns, kind, dispatch_key

    def define(self, schema: str, alias_analysis: str = "", *, tags: Any = ()) -> str:
        """The name of the operation."""
        return schema.split("(")[0]

    def impl(self, op_name: Any, fn: Any, dispatch_key: str = "", **options: Any) -> None:
        """Does nothing: the function is not used."""


def register_fake(op: Any, func: Any = None, /, **options: Any) -> Any:
    """The function itself, or a decorator that gives it back."""
    return (lambda func: func) if func is None else func


def register_kernel(op: Any, device_types: Any, func: Any = None, /, **options: Any) -> Any:
    """The function itself, or a decorator that gives it back."""
    return (lambda func: func) if func is None else func


def register_autograd(op: Any, backward: Any, /, **options: Any) -> None:
    """Does nothing: the gradient is not used; that of a function of your own is declared with `td.op`."""


def load_library(path: Any) -> NoReturn:
    """Raises an OSError: what is compiled for PyTorch works on PyTorch's tensors alone."""
    raise OSError(
        f"ops.load_library: got {path}, which is compiled for PyTorch, expected none; functions of Python run"
    )
