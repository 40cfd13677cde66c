"""PyTorch's name for this library: programs with `import torch` run unchanged.

    python -m tinygrad_dl.torch script.py [arguments]      a script
    python -m tinygrad_dl.torch -m module [arguments]      a module

or, inside of a process, before anything imports torch:

>>> import tinygrad_dl.torch
>>> tinygrad_dl.torch.install()
>>> import torch
>>> import torch.nn.functional as F
>>> torch.equal(F.relu(torch.tensor([-1.0, 2.0])), torch.tensor([0.0, 2.0]))
True
>>> tinygrad_dl.torch.uninstall()

It maps names: `torch.nn.Linear` is `tinygrad_dl.nn.Linear`. Libraries that import torch themselves (einops, skorch,
torchmetrics, safetensors.torch) then work on tensors of this library. The modules in this folder are those that only
programs written for PyTorch ask for: on a CPU with NumPy most of them have one answer.
"""

from __future__ import annotations

import sys

from tinygrad_dl.torch import accelerator, amp, backends, cuda, jit, settings, version
from tinygrad_dl.torch.names import Finder, Names

__all__ = ["accelerator", "amp", "backends", "cuda", "install", "jit", "settings", "uninstall", "version"]

_finder = Finder()


def install() -> None:
    """Makes `import torch`, and of every module below it, give this library, until `uninstall()`.

    Calling it again changes nothing.

    Raises:
        RuntimeError: PyTorch itself, or another module called torch, is imported already; nothing is changed.

    >>> import tinygrad_dl.torch
    >>> tinygrad_dl.torch.install()
    >>> from torch import nn
    >>> nn.Linear is tinygrad_dl.nn.Linear
    True
    >>> tinygrad_dl.torch.uninstall()
    """
    if _finder in sys.meta_path:
        return
    taken = sys.modules.get("torch")
    if taken is not None:
        raise RuntimeError(
            f"tinygrad_dl.torch.install: got a process that has imported torch from "
            f"{getattr(taken, '__file__', None) or 'an unknown place'}, expected one that has not; "
            f"call it before the first import of torch, or run python -m tinygrad_dl.torch script.py"
        )
    sys.meta_path.insert(0, _finder)


def uninstall() -> None:
    """Takes back `install()`: torch is again what Python finds under this name; without `install()` it does nothing.

    Modules that imported torch in between keep what they imported.
    """
    if _finder not in sys.meta_path:
        return
    sys.meta_path.remove(_finder)
    for name in [name for name, module in sys.modules.items() if isinstance(module, Names)]:
        del sys.modules[name]
