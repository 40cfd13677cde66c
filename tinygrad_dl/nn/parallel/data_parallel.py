"""`DataParallel` where there is one device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_dl.nn.module import Module


class DataParallel(Module):
    """A module that would compute shares of a batch on several GPUs: without any, as in PyTorch, it calls `module`.

    The names in its state dict begin with `module.`, so that weights saved from it are read.

    Args:
        module: what it calls.
        device_ids, output_device: None, or empty: there are no GPUs.
        dim: the dimension of the batch.

    >>> import tinygrad_dl as td
    >>> model = td.nn.DataParallel(td.nn.Linear(2, 1))
    >>> model(td.ones(3, 2)).shape, list(model.state_dict())
    ((3, 1), ['module.weight', 'module.bias'])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.DataParallel.html
    """

    def __init__(
        self, module: Module, device_ids: Sequence[Any] | None = None, output_device: Any = None, dim: int = 0
    ):
        super().__init__()
        self.module = module
        self.device_ids: list[Any] = []

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the module returns."""
        return self.module(*inputs, **kwargs)
