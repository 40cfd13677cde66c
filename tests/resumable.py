"""A training for test_checkpoint.py to run in processes of its own: dropout, momentum, shuffling and a schedule.

python resumable.py CHECKPOINT EPOCHS RESULT [DIE] trains to EPOCHS in all and writes weights and history to RESULT;
with DIE the process kills itself in the middle of that epoch.
"""

from __future__ import annotations

import os
import signal
import sys

import tinygrad_dl as td
from tinygrad_dl import nn


class Die(td.train.Callback):
    def __init__(self, epoch):
        self.epoch = epoch

    def on_batch_end(self, training):
        if (training.epoch, training.batch) == (self.epoch, 1):
            os.kill(os.getpid(), signal.SIGKILL)


def main(checkpoint, epochs, result, die=None):
    td.manual_seed(1)
    x = td.randn(90, 6)
    y = (x[:, 0] * x[:, 1] > 0).long()
    # One loader draws from a generator of its own, the other from the default one.
    train = td.data.DataLoader(
        td.data.TensorDataset(x[:70], y[:70]), 16, shuffle=True, generator=td.Generator().manual_seed(2)
    )
    dev = td.data.DataLoader(td.data.TensorDataset(x[70:], y[70:]), 16, shuffle=True)
    model = nn.Sequential(nn.Linear(6, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 2))
    groups = [{"params": model[0].parameters(), "lr": 0.05}, {"params": [*model[1:].parameters()]}]
    optimizer = td.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True)
    callbacks = [
        td.train.Schedule(td.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40), every="batch"),
        td.train.Schedule(td.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)),
        td.train.ClipGradients(max_norm=1.0),
        td.train.EarlyStopping(patience=9),
        td.train.Checkpoint(checkpoint, resume=True),
    ]
    if die is not None:
        callbacks.append(Die(int(die)))
    history = td.train.fit(model, nn.CrossEntropyLoss(), optimizer, train, dev, epochs=int(epochs), callbacks=callbacks)
    rates = [group["lr"] for group in optimizer.param_groups]
    td.save({"model": model.state_dict(), "history": dict(history), "rates": rates, "next": td.rand(3)}, result)


if __name__ == "__main__":
    main(*sys.argv[1:])
