"""`torch.fx` where nothing is traced: what programs say to the tracer is accepted, and what they ask it is answered.

Source: https://docs.pytorch.org/docs/stable/fx.html
"""

from __future__ import annotations

from typing import TypeVar

__all__ = ["GraphModule", "Proxy", "wrap"]

T = TypeVar("T")


def wrap(fn_or_name: T) -> T:
    """The function, or its name, itself; a tracer would not look into it.

    >>> from tinygrad_dl.torch import fx
    >>> fx.wrap(len) is len
    True

    Source: https://docs.pytorch.org/docs/stable/fx.html#torch.fx.wrap
    """
    return fn_or_name


class Proxy:
    """What a tracer would hand to a function, for programs that ask: nothing is one."""


class GraphModule:
    """What a tracer would make of a module, for programs that ask: nothing is one."""
