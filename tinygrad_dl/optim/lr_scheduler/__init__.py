"""Learning-rate schedules: each sets `group["lr"]` in the optimiser's parameter groups, as in PyTorch.

Call `scheduler.step()` once an epoch, after the optimiser's steps (`OneCycleLR`: once a batch).
"""

from tinygrad_dl.core.namespaces import public
from tinygrad_dl.optim.lr_scheduler.base import EPOCH_DEPRECATION_WARNING as EPOCH_DEPRECATION_WARNING
from tinygrad_dl.optim.lr_scheduler.base import LRScheduler
from tinygrad_dl.optim.lr_scheduler.combined import ChainedScheduler, SequentialLR
from tinygrad_dl.optim.lr_scheduler.cycles import CosineAnnealingLR, CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from tinygrad_dl.optim.lr_scheduler.factors import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from tinygrad_dl.optim.lr_scheduler.plateau import ReduceLROnPlateau

# fmt: off
__all__ = [
    "ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "ExponentialLR",
    "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR", "MultiplicativeLR", "OneCycleLR", "PolynomialLR",
    "ReduceLROnPlateau", "SequentialLR", "StepLR",
]
# fmt: on

_LRScheduler = LRScheduler  # its name before PyTorch 2.0


public(globals(), "docs/stable/generated/torch.optim.lr_scheduler.{}.html")
