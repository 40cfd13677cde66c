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

from tinygrad_dl.core.namespaces import public
from tinygrad_dl.optim import lr_scheduler
from tinygrad_dl.optim.adam import Adam, AdamW
from tinygrad_dl.optim.adam_variants import Adamax, NAdam, RAdam
from tinygrad_dl.optim.adaptive import Adadelta, Adagrad, RMSprop
from tinygrad_dl.optim.optimizer import Optimizer
from tinygrad_dl.optim.sgd import SGD

# fmt: off
__all__ = [
    "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "Optimizer", "RAdam", "RMSprop", "lr_scheduler",
]
# fmt: on


public(globals(), "docs/stable/generated/torch.optim.{}.html")
