"""The part of `torch.fx` that programs use without tracing: `wrap`, and classes for their `isinstance`.

Source: https://docs.pytorch.org/docs/stable/fx.html
"""

from __future__ import annotations

from typing import TypeVar

__all__ = ["GraphModule", "Proxy", "wrap"]

T = TypeVar("T")


def wrap(fn_or_name: T) -> T:
    """Returns the function, or its name, as it is; for a tracer it would mark a function as one operation.

    >>> from tinygrad_dl.torch import fx
    >>> fx.wrap(len) is len
    True

    Source: https://docs.pytorch.org/docs/stable/fx.html#torch.fx.wrap
    """
    return fn_or_name


class Proxy:
    """What a tracer hands to a function; for `isinstance` alone, as nothing is traced."""


class GraphModule:
    """What a tracer makes of a module; for `isinstance` alone, as nothing is traced."""
