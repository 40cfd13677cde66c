"""`torch.nn.attention`: which of PyTorch's kernels computes attention; here it is one, whatever is chosen.

Source: https://docs.pytorch.org/docs/stable/nn.attention.html
"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator

__all__ = ["SDPBackend", "sdpa_kernel"]


class SDPBackend(enum.Enum):
    """PyTorch's kernels of `scaled_dot_product_attention`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.attention.SDPBackend.html
    """

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextlib.contextmanager
def sdpa_kernel(backends: list[SDPBackend] | SDPBackend, set_priority: bool = False) -> Iterator[None]:
    """A block whose attention is to be computed by these kernels; it is computed as everywhere else.

    >>> from tinygrad_dl.torch import attention
    >>> with attention.sdpa_kernel(attention.SDPBackend.MATH):
    ...     pass

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.attention.sdpa_kernel.html
    """
    for each in backends if isinstance(backends, list | tuple) else [backends]:
        if not isinstance(each, SDPBackend):
            raise AssertionError(f"sdpa_kernel: got {each!r}, expected an SDPBackend or a list of them")
    yield
