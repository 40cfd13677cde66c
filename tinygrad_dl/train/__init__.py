"""A training loop with callbacks: what a plain loop over epochs and batches does, and what surrounds one.

>>> import tinygrad_dl as td
>>> from tinygrad_dl import nn
>>> generator = td.manual_seed(0)
>>> x = td.rand(64, 1)
>>> batches = list(zip(x.split(16), (2 * x + 1).split(16)))
>>> model = nn.Linear(1, 1)
>>> optimizer = td.optim.SGD(model.parameters(), lr=0.5)
>>> history = td.train.fit(model, nn.MSELoss(), optimizer, batches, epochs=50)
>>> history["train_loss"][-1] < 1e-4
True

The loop itself is `loop.py`, some 60 lines; callbacks add stopping, files, schedules and pictures to it.
"""

from tinygrad_dl.core.namespaces import public
from tinygrad_dl.train.adjusting import ClipGradients, Schedule
from tinygrad_dl.train.callback import Callback
from tinygrad_dl.train.checkpoint import Checkpoint
from tinygrad_dl.train.display import Progress, TensorBoard
from tinygrad_dl.train.loop import evaluate, fit, predict
from tinygrad_dl.train.stopping import EarlyStopping
from tinygrad_dl.train.training import History, Training

# fmt: off
__all__ = [
    "Callback", "Checkpoint", "ClipGradients", "EarlyStopping", "History", "Progress", "Schedule", "TensorBoard",
    "Training", "evaluate", "fit", "predict",
]
# fmt: on


public(globals(), "")
