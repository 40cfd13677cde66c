"""What NumPy does with tensors: it asks class Tensor, which is told here to call our operations.

`NUMPY` has the operations that stand for NumPy's functions. How NumPy's arguments are told to them is in `protocol.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_dl.core.tensor import Tensor, attach

# NumPy function, ufunc or (ufunc, method) -> our operation; `declaration.py` and `ops/` fill it.
NUMPY: dict[Any, Callable[..., Any]] = {}
# The same with how many of its arguments by place and which by name mean the same to both; `protocol.py` fills it.
DIRECT: dict[Any, tuple[Callable[..., Any], int, frozenset[str]]] = {}


def numpy_call(function: Any, fallback: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """What `np.f(tensor)` does: our operation if there is one, else NumPy's on data without a graph."""
    direct = DIRECT.get(function)
    if direct is not None:
        ours, places, names = direct
        if len(args) <= places and names.issuperset(kwargs) and NUMPY.get(function) is ours:
            return ours(*args, **kwargs)
    from tinygrad_dl.core import protocol  # loaded when first needed

    return protocol.call(function, fallback, args, kwargs)


def array_ufunc(self: Tensor, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """What NumPy calls for a ufunc, or a ufunc's method, with a tensor among its arguments."""
    function: Any = ufunc if method == "__call__" else (ufunc, method)
    return numpy_call(function, getattr(ufunc, method), inputs, kwargs)


def array_function(self: Tensor, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """What NumPy calls for any other of its functions."""
    return numpy_call(function, function, args, kwargs)


attach("__array_ufunc__", array_ufunc)
attach("__array_function__", array_function)
