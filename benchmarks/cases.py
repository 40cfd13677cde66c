"""What is measured: each case is one source that runs on both libraries.

A case takes `lib` (tinygrad_dl or torch) and returns a function that does one step. Data and weights come from NumPy
with a fixed seed, so both libraries compute the same numbers; `compare.py` checks that they do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import networks
import numpy as np
import vision

Step = Callable[[], Any]
Case = Callable[[Any], Step]


def data(lib: Any, *shape: int) -> Any:
    """Normal float32 numbers."""
    return lib.from_numpy(np.random.default_rng(0).standard_normal(shape, dtype=np.float32))


def labels(lib: Any, n: int, classes: int) -> Any:
    """Class indices."""
    return lib.from_numpy(np.random.default_rng(1).integers(0, classes, n))


def same_weights(lib: Any, model: Any) -> Any:
    """Gives the model's matrices and kernels numbers from NumPy, of the usual size, and its biases zeros."""
    rng = np.random.default_rng(2)
    with lib.no_grad():
        for name, parameter in model.named_parameters():
            shape = tuple(parameter.shape)
            if len(shape) > 1:
                drawn = rng.standard_normal(shape, dtype=np.float32) / np.float32(np.sqrt(np.prod(shape[1:])))
                parameter.copy_(lib.from_numpy(drawn))
            elif "bias" in name:
                parameter.zero_()
    return model


def training_step(lib: Any, model: Any, optimizer: Any, x: Any, y: Any) -> Step:
    """Forward, cross-entropy, backward and an optimiser step on one batch."""
    same_weights(lib, model)

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
    same_weights(lib, model)
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
    model = same_weights(lib, networks.autoencoder(lib.nn))
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
    model = same_weights(lib, networks.gpt(lib))
    optimizer = lib.optim.AdamW(model.parameters(), lr=3e-4)

    def step() -> Any:
        optimizer.zero_grad()
        logits = model(codes)
        loss = lib.nn.functional.cross_entropy(logits.reshape(-1, networks.VOCABULARY), following)
        loss.backward()
        optimizer.step()
        return loss

    return step


def classify_images(lib: Any, model: Any, *shape: int) -> Step:
    """A step of SGD with momentum on images of 1000 classes; short, for rounding grows with it in deep models."""
    optimizer = lib.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9, weight_decay=1e-4)
    return training_step(lib, model, optimizer, data(lib, *shape), labels(lib, shape[0], 1000))


def resnet18(batch: int) -> Case:
    """ResNet-18 on 224x224 images."""
    return lambda lib: classify_images(lib, vision.residual(lib.nn, False, (2, 2, 2, 2)), batch, 3, 224, 224)


def mobilenet(lib: Any) -> Step:
    """MobileNetV2 on 224x224 images, batch 8."""
    return classify_images(lib, vision.mobilenet(lib.nn), 8, 3, 224, 224)


def resnext(lib: Any) -> Step:
    """ResNeXt-50 of 32 groups on 224x224 images, batch 4."""
    return classify_images(lib, vision.residual(lib.nn, True, (3, 4, 6, 3), groups=32), 4, 3, 224, 224)


def unet(lib: Any) -> Step:
    """A U-Net from 16 channels on images of 48x52, batch 4, a class for each pixel, RMSprop."""
    model = vision.unet(lib)
    optimizer = lib.optim.RMSprop(model.parameters(), lr=1e-4, weight_decay=1e-8, momentum=0.9)
    classes = labels(lib, 4 * 48 * 52, 2).reshape(4, 48, 52)
    return training_step(lib, model, optimizer, data(lib, 4, 3, 48, 52), classes)


def vit(lib: Any) -> Step:
    """A vision transformer of 4 layers, 128 wide, 65 tokens, batch 32, AdamW."""
    model = vision.vit(lib)
    optimizer = lib.optim.AdamW(model.parameters(), lr=3e-4)
    return training_step(lib, model, optimizer, data(lib, 32, 3, 32, 32), labels(lib, 32, 10))


def cells(lib: Any) -> Step:
    """An LSTM written as a loop with LSTMCell: 50 steps of 128 features, batch 32, Adam."""
    model = networks.cells(lib)
    return training_step(lib, model, lib.optim.Adam(model.parameters()), data(lib, 32, 50, 128), labels(lib, 32, 10))


def encoder(lib: Any) -> Step:
    """A transformer encoder of 4 layers, 256 wide, on 16 sequences of 100, Adam."""
    model = networks.encoder(lib.nn)
    optimizer = lib.optim.Adam(model.parameters(), lr=1e-4)
    return training_step(lib, model, optimizer, data(lib, 16, 100, 256), labels(lib, 16, 10))


def gan(lib: Any) -> Step:
    """A step of a DCGAN on 32x32 images, batch 64: the discriminator on both kinds, then the generator; two Adams."""
    making, judging = (same_weights(lib, make(lib.nn)) for make in (vision.generator, vision.discriminator))
    optimizers = [lib.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in (making, judging)]
    real, noise = data(lib, 64, 1, 32, 32).tanh(), data(lib, 64, 100, 1, 1)
    ones, zeros = lib.ones(64), lib.zeros(64)
    criterion = lib.nn.functional.binary_cross_entropy_with_logits

    def step() -> Any:
        optimizers[1].zero_grad()
        fake = making(noise)
        judged = criterion(judging(real), ones) + criterion(judging(fake.detach()), zeros)
        judged.backward()
        optimizers[1].step()
        optimizers[0].zero_grad()
        fooled = criterion(judging(fake), ones)
        fooled.backward()
        optimizers[0].step()
        return judged.detach() + fooled.detach()

    return step


def per_example(lib: Any) -> Step:
    """The gradient of each of 64 examples of LeNet by vmap, clipped, averaged and applied (as for private training)."""
    model = same_weights(lib, networks.lenet(lib.nn))
    parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
    x, y = data(lib, 64, 1, 28, 28), labels(lib, 64, 10)

    def loss(values: Any, image: Any, label: Any) -> Any:
        logits = lib.func.functional_call(model, values, (image.unsqueeze(0),))
        return lib.nn.functional.cross_entropy(logits, label.unsqueeze(0))

    gradients = lib.func.vmap(lib.func.grad_and_value(loss), in_dims=(None, 0, 0))

    def step() -> Any:
        each, losses = gradients(parameters, x, y)
        norm = sum(g.flatten(1).square().sum(1) for g in each.values()).sqrt()
        factor = (1.0 / (norm + 1e-6)).clamp(max=1.0) / 64
        for name, g in each.items():
            parameters[name] = parameters[name] - 0.1 * (factor @ g.flatten(1)).reshape(g.shape[1:])
        return losses.mean()

    return step


def first_gradient(lib: Any) -> Step:
    """The first gradient of a process: measured once, from before the import."""
    x = lib.ones(3, requires_grad=True)

    def step() -> Any:
        loss = (x * x).sum()
        loss.backward()
        return loss

    return step


class Budget(NamedTuple):
    """The ratio to PyTorch's time that is to be kept, by kind of processor."""

    avx512: float
    avx2: float


class Measured(NamedTuple):
    """A case, its budget (None: none is set), and whether its losses must be the same on both libraries."""

    case: Case
    budget: Budget | None
    same: bool = True


CASES = {
    "chain of 3,000 small ops": Measured(chain, Budget(0.45, 0.45)),
    "MLP 64-128-10": Measured(mlp_small, Budget(0.42, 0.45)),
    "MLP 784-512-512-10": Measured(mlp_middle, Budget(0.5, 0.9)),
    "MLP 1024-2048-2048-10": Measured(mlp_wide, Budget(0.55, 0.95)),
    "MLP, BatchNorm, Dropout": Measured(mlp_batchnorm_dropout, Budget(0.4, 0.35), same=False),  # random masks
    "gradient penalty": Measured(gradient_penalty, Budget(0.65, 0.65)),
    "LeNet": Measured(lenet, Budget(0.75, 0.9)),
    "ResNet 16-32-64": Measured(resnet, Budget(0.95, 1.0)),
    "ResNet-18, batch 4": Measured(resnet18(4), Budget(0.9, 1.0)),
    "ResNet-18, batch 32": Measured(resnet18(32), Budget(0.9, 1.0)),
    "ResNeXt-50, batch 4": Measured(resnext, None),
    "MobileNetV2, batch 8": Measured(mobilenet, Budget(1.1, 1.25)),
    "U-Net 48x52": Measured(unet, Budget(1.0, 1.15)),
    "ViT, 4 layers of 128": Measured(vit, Budget(0.9, 1.0)),
    "convolutional autoencoder": Measured(autoencoder, Budget(0.7, 0.7)),
    "GAN step 32x32": Measured(gan, None),
    "LSTM 32x50x128": Measured(lstm, Budget(0.9, 0.9)),
    "LSTMCell by hand": Measured(cells, None),
    "GPT, 4 layers of 128": Measured(gpt, Budget(0.8, 0.95)),
    "transformer encoder": Measured(encoder, None),
    "per-example gradients": Measured(per_example, None),
    "import + first gradient": Measured(first_gradient, Budget(0.1, 0.1)),
}
