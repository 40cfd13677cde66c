"""`torch.version`: the version of PyTorch whose names and semantics these are, and what it was built with.

>>> import tinygrad_dl as td
>>> td.version.cuda is None
True
"""

from __future__ import annotations

from typing import Final

__version__: Final = "2.13.0+tinygrad_dl"  # the label says whose code it is
cuda: Final = None
hip: Final = None
xpu: Final = None
git_version: Final = None
debug: Final = False
