"""`torch.utils.tensorboard`: the writer of tensorboardX, which takes tensors of this library. Needs tensorboardX.

Source: https://docs.pytorch.org/docs/stable/tensorboard.html
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.warning import warn
from tinygrad_dl.func.trees import change


def _with_arrays(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, given the arrays of tensors: tensorboardX knows those of PyTorch by the name of their class alone."""

    def array(value: Any) -> Any:
        return value.detach().cpu().numpy() if isinstance(value, Tensor) else value

    @functools.wraps(method)
    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        return method(self, *change(args, array), **change(kwargs, array))

    return called


def _no_graph(self: Any, model: Any, *args: Any, **kwargs: Any) -> None:
    """Nothing but a warning: PyTorch draws what its compiler records."""
    warn("SummaryWriter.add_graph: nothing is written; td.viz draws graphs of what was computed")


@functools.cache
def __getattr__(name: str) -> Any:
    if name != "SummaryWriter":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        base = importlib.import_module("tensorboardX").SummaryWriter
    except ImportError:
        raise ImportError(
            "SummaryWriter needs tensorboardX; install it with: pip install 'tinygrad_dl[tensorboard]'"
        ) from None
    adding = {each: _with_arrays(getattr(base, each)) for each in dir(base) if each.startswith("add_")}
    return type(name, (base,), {**adding, "add_graph": _no_graph, "__module__": __name__})
