"""Where PyTorch keeps the hooks of all modules: `nn.modules.module.register_module_forward_hook` and its like."""

from __future__ import annotations

from tinygrad_dl.nn import module

__all__ = ["module"]
