"""Optimisers with PyTorch's names, defaults, arithmetic and state, and learning-rate schedules.

>>> import tinygrad_dl as td
>>> w = td.tensor([3.0], requires_grad=True)
>>> optimizer = td.optim.SGD([w], lr=0.25)
>>> for _ in range(3):
...     optimizer.zero_grad()
...     (w * w).sum().backward()
...     optimizer.step()
>>> w.tolist()
[0.375]
"""

from typing import Any

from tinygrad_dl.core.namespaces import public
from tinygrad_dl.optim import lr_scheduler, optimizer
from tinygrad_dl.optim.adam import Adam, AdamW
from tinygrad_dl.optim.adam_variants import Adamax, NAdam, RAdam
from tinygrad_dl.optim.adaptive import Adadelta, Adagrad, RMSprop, Rprop
from tinygrad_dl.optim.lbfgs import LBFGS
from tinygrad_dl.optim.matrices import Adafactor, Muon
from tinygrad_dl.optim.optimizer import Optimizer
from tinygrad_dl.optim.sgd import ASGD, SGD
from tinygrad_dl.optim.zero_redundancy import ZeroRedundancyOptimizer

# fmt: off
__all__ = [
    "ASGD", "LBFGS", "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Muon", "NAdam", "Optimizer",
    "RAdam", "RMSprop", "Rprop", "ZeroRedundancyOptimizer", "lr_scheduler", "optimizer", "swa_utils",
]
# fmt: on


def __getattr__(name: str) -> Any:
    if name == "swa_utils":  # it brings all layers with it
        import importlib

        return importlib.import_module("tinygrad_dl.optim.swa_utils")
    where = ": gradients are dense here; use Adam" if name == "SparseAdam" else ""
    raise AttributeError(f"module 'tinygrad_dl.optim' has no attribute {name!r}{where}")


public(globals(), "docs/stable/generated/torch.optim.{}.html")
