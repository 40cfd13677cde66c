"""Parameter: a tensor that a module trains."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core import promotion
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.tensor import Tensor, as_array, rebuild

__all__ = ["Buffer", "Parameter"]


class Parameter(Tensor):
    """A tensor that becomes a parameter of the module it is assigned to, and requires a gradient.

    Shares the memory of `data`.

    >>> layer = td.nn.Module()
    >>> layer.scale = td.nn.Parameter(td.ones(2))
    >>> [name for name, _ in layer.named_parameters()]
    ['scale']

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
    """

    @composition
    def __init__(self, data: Any = None, requires_grad: bool = True):
        self._data = np.empty(0, promotion.default.dtype) if data is None else as_array(data)
        self._edge = None
        if requires_grad:
            self.requires_grad_()

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        # As in PyTorch, its gradient does not go with it: a copy of a model begins anew.
        new: Parameter = rebuild(type(self), self._data.copy(), self.requires_grad)  # type: ignore[assignment]
        memo[id(self)] = new
        return new


class Buffer(Tensor):
    """A tensor that becomes a buffer of the module it is assigned to: state that is saved but not trained.

    >>> layer = td.nn.Module()
    >>> layer.total = td.nn.Buffer(td.zeros(1))
    >>> list(layer.state_dict())
    ['total']

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Buffer.html
    """

    persistent: bool = True

    @composition
    def __init__(self, data: Any = None, *, persistent: bool = True):
        self._data = np.empty(0, promotion.default.dtype) if data is None else as_array(data)
        self._edge = None
        if not persistent:
            self.persistent = False
