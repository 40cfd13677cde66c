"""Modules whose parameters need no start values."""

from __future__ import annotations

import inspect
from typing import Any

from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.namespaces import public
from tinygrad_dl.nn.module import Module

__all__ = ["skip_init"]


def skip_init(module_cls: Any, *args: Any, **kwargs: Any) -> Any:
    """`module_cls(*args, **kwargs)`, whose parameters may have any values: here those that they always start with.

    Raises:
        RuntimeError: not a class of modules, or one without an argument `device`.

    >>> td.nn.utils.skip_init(td.nn.Linear, 5, 1).weight.shape
    (1, 5)
    """
    if not (isinstance(module_cls, type) and issubclass(module_cls, Module)):
        raise RuntimeError(f"skip_init: got {summary(module_cls)}, expected a class of modules, such as nn.Linear")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError(f"skip_init: got {module_cls.__name__}, expected a class that takes the argument device=")
    return module_cls(*args, **kwargs)


public(globals(), "docs/stable/generated/torch.nn.utils.{}.html")
