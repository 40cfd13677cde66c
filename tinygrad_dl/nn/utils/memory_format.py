"""The order of dimensions in the memory of convolutions' weights."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.namespaces import public
from tinygrad_dl.nn.layers.convolution import Conv2d, Conv3d, ConvTranspose2d, ConvTranspose3d
from tinygrad_dl.nn.module import Module

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]


@composition
def convert_conv2d_weight_memory_format(module: Module, memory_format: Any) -> Module:
    """Lays the weights of all `Conv2d` and `ConvTranspose2d` in a module in another order; returns the module.

    Args:
        module: the module, which is changed in place.
        memory_format: such as `td.channels_last`.

    >>> net = td.nn.Sequential(td.nn.Conv2d(8, 4, 3), td.nn.Linear(2, 2))
    >>> converted = td.nn.utils.convert_conv2d_weight_memory_format(net, td.channels_last)
    >>> converted[0].weight.stride()
    (72, 1, 24, 8)
    """
    return convert(module, memory_format, (Conv2d, ConvTranspose2d))


@composition
def convert_conv3d_weight_memory_format(module: Module, memory_format: Any) -> Module:
    """The same for `Conv3d` and `ConvTranspose3d`, and `td.channels_last_3d`.

    >>> layer = td.nn.utils.convert_conv3d_weight_memory_format(td.nn.Conv3d(2, 4, 3), td.channels_last_3d)
    >>> layer.weight.stride()
    (54, 1, 18, 6, 2)
    """
    return convert(module, memory_format, (Conv3d, ConvTranspose3d))


def convert(module: Module, memory_format: Any, kinds: tuple[type, ...]) -> Module:
    """Lays the weights of layers of these kinds in another order."""
    for layer in module.modules():
        if isinstance(layer, kinds):
            weight: Any = layer.weight
            weight.data = weight.detach().contiguous(memory_format=memory_format)
    return module


public(globals(), "docs/stable/generated/torch.nn.utils.{}.html")
