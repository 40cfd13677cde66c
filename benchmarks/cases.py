"""What is measured: each case is one source that runs on both libraries.

A case takes `lib` (tinygrad_dl or torch) and returns a function that does one step. The data come from NumPy
with a fixed seed, so both libraries compute the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import networks
import numpy as np

Step = Callable[[], Any]


def data(lib: Any, *shape: int) -> Any:
    """Normal float32 numbers."""
    return lib.from_numpy(np.random.default_rng(0).standard_normal(shape, dtype=np.float32))


def labels(lib: Any, n: int, classes: int) -> Any:
    """Class indices."""
    return lib.from_numpy(np.random.default_rng(1).integers(0, classes, n))


def training_step(lib: Any, model: Any, optimizer: Any, x: Any, y: Any) -> Step:
    """Forward, cross-entropy, backward and an optimiser step on one batch."""

    def step() -> Any:
        optimizer.zero_grad()
        loss = lib.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def chain(lib: Any) -> Step:
    """3,000 small elementwise operations, forward and backward."""
    x, y, k = data(lib, 16), data(lib, 16), data(lib, 16)
    x.requires_grad_()
    y.requires_grad_()

    def step() -> Any:
        x.grad = y.grad = None
        h = x
        for _ in range(500):
            h = h * k
            h = h + y
            h = h.tanh()
            h = h - k
            h = h.sigmoid()
            h = h * y
        loss = h.sum()
        loss.backward()
        return loss

    return step


def mlp_small(lib: Any) -> Step:
    """MLP 64-128-10, batch 64, Adam."""
    nn = lib.nn
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    return training_step(lib, model, lib.optim.Adam(model.parameters()), data(lib, 64, 64), labels(lib, 64, 10))


def mlp_middle(lib: Any) -> Step:
    """MLP 784-512-512-10, batch 128, SGD with momentum."""
    nn = lib.nn
    model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    optimizer = lib.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    return training_step(lib, model, optimizer, data(lib, 128, 784), labels(lib, 128, 10))


def mlp_wide(lib: Any) -> Step:
    """MLP 1024-2048-2048-10, batch 256, SGD with momentum."""
    nn = lib.nn
    model = nn.Sequential(nn.Linear(1024, 2048), nn.ReLU(), nn.Linear(2048, 2048), nn.ReLU(), nn.Linear(2048, 10))
    optimizer = lib.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    return training_step(lib, model, optimizer, data(lib, 256, 1024), labels(lib, 256, 10))


def mlp_batchnorm_dropout(lib: Any) -> Step:
    """MLP 64-256-256-10 with BatchNorm and Dropout, batch 128, Adam."""
    nn = lib.nn
    layers = []
    for n_in, n_out in ((64, 256), (256, 256)):
        layers += [nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.ReLU(), nn.Dropout(0.3)]
    model = nn.Sequential(*layers, nn.Linear(256, 10))
    return training_step(lib, model, lib.optim.Adam(model.parameters()), data(lib, 128, 64), labels(lib, 128, 10))


def gradient_penalty(lib: Any) -> Step:
    """The norm of the input's gradient as a loss: a pass through the backward pass."""
    nn = lib.nn
    model = nn.Sequential(nn.Linear(32, 128), nn.Tanh(), nn.Linear(128, 128), nn.Tanh(), nn.Linear(128, 1))
    optimizer = lib.optim.Adam(model.parameters())
    x = data(lib, 64, 32).requires_grad_()

    def step() -> Any:
        optimizer.zero_grad()
        out = model(x)
        (g,) = lib.autograd.grad(out.sum(), x, create_graph=True)
        loss = out.mean() + ((g * g).sum(1).sqrt() - 1).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    return step


def lenet(lib: Any) -> Step:
    """LeNet on 28x28 images, batch 64, SGD with momentum."""
    model = networks.lenet(lib.nn)
    optimizer = lib.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    return training_step(lib, model, optimizer, data(lib, 64, 1, 28, 28), labels(lib, 64, 10))


def resnet(lib: Any) -> Step:
    """A residual net of 16-32-64 channels on 32x32 images, batch 32, SGD with momentum."""
    model = networks.resnet(lib.nn)
    optimizer = lib.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    return training_step(lib, model, optimizer, data(lib, 32, 3, 32, 32), labels(lib, 32, 10))


def lstm(lib: Any) -> Step:
    """An LSTM over 50 steps of 128 features, batch 32, Adam."""
    model = networks.recurrent(lib.nn)
    return training_step(lib, model, lib.optim.Adam(model.parameters()), data(lib, 32, 50, 128), labels(lib, 32, 10))


def autoencoder(lib: Any) -> Step:
    """A convolutional autoencoder of 28x28 images, batch 64, squared error, Adam."""
    model = networks.autoencoder(lib.nn)
    optimizer = lib.optim.Adam(model.parameters())
    x = data(lib, 64, 1, 28, 28).sigmoid()

    def step() -> Any:
        optimizer.zero_grad()
        loss = lib.nn.functional.mse_loss(model(x), x)
        loss.backward()
        optimizer.step()
        return loss

    return step


def gpt(lib: Any) -> Step:
    """A GPT of 4 layers, 128 wide, on 16 texts of 64 characters, AdamW."""
    text = labels(lib, 16 * 65, networks.VOCABULARY).reshape(16, 65)
    codes, following = text[:, :-1], text[:, 1:].reshape(-1)
    model = networks.gpt(lib)
    optimizer = lib.optim.AdamW(model.parameters(), lr=3e-4)

    def step() -> Any:
        optimizer.zero_grad()
        logits = model(codes)
        loss = lib.nn.functional.cross_entropy(logits.reshape(-1, networks.VOCABULARY), following)
        loss.backward()
        optimizer.step()
        return loss

    return step


def first_gradient(lib: Any) -> Step:
    """The first gradient of a process: measured once, from before the import."""
    x = lib.ones(3, requires_grad=True)

    def step() -> Any:
        loss = (x * x).sum()
        loss.backward()
        return loss

    return step


# name -> (case, the ratio to PyTorch's time that is to be kept)
CASES: dict[str, tuple[Callable[[Any], Step], float]] = {
    "chain of 3,000 small ops": (chain, 0.5),
    "MLP 64-128-10": (mlp_small, 0.5),
    "MLP 784-512-512-10": (mlp_middle, 0.6),
    "MLP 1024-2048-2048-10": (mlp_wide, 0.65),
    "MLP, BatchNorm, Dropout": (mlp_batchnorm_dropout, 0.6),
    "gradient penalty": (gradient_penalty, 0.9),
    "LeNet": (lenet, 0.9),
    "ResNet 16-32-64": (resnet, 1.0),
    "LSTM 32x50x128": (lstm, 0.9),
    "convolutional autoencoder": (autoencoder, 0.9),
    "GPT, 4 layers of 128": (gpt, 0.9),
    "import + first gradient": (first_gradient, 0.1),
}
