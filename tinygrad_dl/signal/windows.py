"""Windows under PyTorch's name `torch.signal.windows`.

Source: https://docs.pytorch.org/docs/stable/signal.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinygrad_dl.core import lazy
from tinygrad_dl.core.namespaces import NAMESPACES, public

if TYPE_CHECKING:  # loaded at first use, as docs/make_lazy_names.py writes down
    from tinygrad_dl.ops.spectral.windows import (
        bartlett,
        blackman,
        cosine,
        exponential,
        gaussian,
        general_cosine,
        general_hamming,
        hamming,
        hann,
        kaiser,
        nuttall,
    )

# fmt: off
__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine", "general_hamming", "hamming",
    "hann", "kaiser", "nuttall",
]
# fmt: on

if not TYPE_CHECKING:  # checkers see the imports above
    __getattr__ = lazy.names(__name__)
public(globals(), NAMESPACES[__name__])
