"""PyTorch's places of layers: `nn.modules.batchnorm._BatchNorm`, `nn.modules.module.register_module_forward_hook`.

PyTorch spreads its layers over modules by theme. Here each of these names is the module that has them, `nn` for most.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, Final

from tinygrad_dl.nn import module
from tinygrad_dl.nn.layers import _tuples as utils
from tinygrad_dl.nn.layers import lazy

__all__ = ["lazy", "module", "utils"]

THEMES: Final = (
    "activation adaptive batchnorm channelshuffle container conv distance dropout flatten fold instancenorm linear "
    "loss normalization padding pixelshuffle pooling rnn sparse transformer upsampling"
)


def __getattr__(name: str) -> Any:
    nn: ModuleType = sys.modules["tinygrad_dl.nn"]
    return nn if name in THEMES.split() else getattr(nn, name)
