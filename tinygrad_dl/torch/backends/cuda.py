"""`torch.backends.cuda`: no GPU, nothing that its settings change."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Iterator
from typing import Any

matmul = types.SimpleNamespace(
    allow_tf32=False, allow_fp16_reduced_precision_reduction=True, allow_bf16_reduced_precision_reduction=True
)


def is_built() -> bool:
    """Whether GPUs can be used: False."""
    return False


@contextlib.contextmanager
def sdp_kernel(**settings: Any) -> Iterator[None]:
    """A context that allows some ways to compute attention; there is one."""
    yield


def enable_flash_sdp(enabled: bool) -> None:
    """Does nothing: attention is computed in one way."""


enable_mem_efficient_sdp = enable_math_sdp = enable_cudnn_sdp = enable_flash_sdp
