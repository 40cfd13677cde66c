"""`torch._foreach_add_` and its like: an operation on lists of tensors, one after the other.

PyTorch uses them to start fewer kernels; its optimisers and those of other libraries call them by their private names.

>>> from tinygrad_dl.torch import foreach
>>> foreach.find("_foreach_mul")([td.tensor(2.0), td.tensor(3.0)], [10.0, 100.0])
(tensor(20.), tensor(300.))
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.linalg import vector_norm

__all__ = ["find"]

PREFIX = "_foreach_"


def maximum(x: Any, y: Any) -> Any:
    """The larger one of each element and another, or a number."""
    return x.clamp(min=y)


def minimum(x: Any, y: Any) -> Any:
    """The smaller one of each element and another, or a number."""
    return x.clamp(max=y)


# What is no method of tensors by this name, or takes no numbers.
OTHERWISE = {
    "norm": vector_norm,
    **dict.fromkeys(("maximum", "clamp_min"), maximum),
    **dict.fromkeys(("minimum", "clamp_max"), minimum),
    **dict.fromkeys(("maximum_", "clamp_min_"), lambda x, y: x.copy_(maximum(x, y))),
    **dict.fromkeys(("minimum_", "clamp_max_"), lambda x, y: x.copy_(minimum(x, y))),
}


@functools.cache
def find(name: str) -> Callable[..., Any] | None:
    """The function of this name, which calls an operation for each tensor of its first argument; None if there is none.

    Lists and tuples among the other arguments are taken apart as well, all else goes to each call. The results are a
    tuple; in-place operations return None.
    """
    called = name.removeprefix(PREFIX)
    operation: Any = OTHERWISE.get(called) or getattr(Tensor, called, None)
    if operation is None or not name.startswith(PREFIX):
        return None

    def foreach(self: Sequence[Tensor], *args: Any, **kwargs: Any) -> Any:
        if called.rstrip("_") in ("addcmul", "addcdiv") and len(args) == 3:
            kwargs["value"], args = args[2], args[:2]
        for each in (*args, *kwargs.values()):
            if isinstance(each, list | tuple) and len(each) != len(self):
                raise RuntimeError(
                    f"{name}: got lists of {len(self)} and {len(each)} elements, expected lists of the same length"
                )
        results = [
            operation(tensor, *(picked(each, i) for each in args), **{k: picked(v, i) for k, v in kwargs.items()})
            for i, tensor in enumerate(self)
        ]
        return None if called.endswith("_") else tuple(results)

    foreach.__name__ = foreach.__qualname__ = name
    return foreach


def picked(value: Any, place: int) -> Any:
    """What a call gets of an argument."""
    return value[place] if isinstance(value, list | tuple) else value
