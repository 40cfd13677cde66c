"""`torch.autograd.grad_mode`: the switches of recording, under PyTorch's names."""

from __future__ import annotations

from tinygrad_dl.autograd.compat import set_multithreading_enabled
from tinygrad_dl.core.modes import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = ["enable_grad", "inference_mode", "no_grad", "set_grad_enabled", "set_multithreading_enabled"]
