"""The larger models for images that are measured: one source for both libraries."""

from __future__ import annotations

import itertools
from typing import Any


def residual(nn: Any, bottleneck: bool, blocks: tuple[int, ...], groups: int = 1) -> Any:
    """ResNet for images of 224x224 (He et al., 2015): basic blocks, or bottlenecks of `groups` groups (ResNeXt)."""
    expansion = 4 if bottleneck else 1

    def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[Any]:
        layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        return [layer, nn.BatchNorm2d(outputs)]

    class Block(nn.Module):
        def __init__(self, inputs: int, width: int, stride: int) -> None:
            super().__init__()
            outputs, inner = width * expansion, 2 * width if groups > 1 else width
            if bottleneck:
                layers = [*convolution(inputs, inner, 1), nn.ReLU(inplace=True)]
                layers += [*convolution(inner, inner, 3, stride, groups), nn.ReLU(inplace=True)]
                layers += convolution(inner, outputs, 1)
            else:
                layers = [*convolution(inputs, outputs, 3, stride), nn.ReLU(inplace=True)]
                layers += convolution(outputs, outputs, 3)
            self.body, self.relu, self.shortcut = nn.Sequential(*layers), nn.ReLU(inplace=True), nn.Identity()
            if stride != 1 or inputs != outputs:
                self.shortcut = nn.Sequential(*convolution(inputs, outputs, 1, stride))

        def forward(self, x: Any) -> Any:
            out = self.body(x)
            out += self.shortcut(x)
            return self.relu(out)

    stages, inputs = [], 64
    for place, count in enumerate(blocks):
        width = 64 * 2**place
        for number in range(count):
            stages.append(Block(inputs, width, 2 if place and not number else 1))
            inputs = width * expansion
    stem = [*convolution(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    return nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 1000))


def mobilenet(nn: Any) -> Any:
    """MobileNetV2 for images of 224x224: inverted residuals with depthwise convolutions (Sandler et al., 2018)."""

    def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[Any]:
        layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        return [layer, nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True)]

    class Inverted(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int, factor: int) -> None:
            super().__init__()
            inner = inputs * factor
            layers = convolution(inputs, inner, 1) if factor > 1 else []
            layers += convolution(inner, inner, 3, stride, inner)
            layers += convolution(inner, outputs, 1)[:2]
            self.body, self.adds = nn.Sequential(*layers), stride == 1 and inputs == outputs

        def forward(self, x: Any) -> Any:
            return x + self.body(x) if self.adds else self.body(x)

    layers, inputs = convolution(3, 32, 3, 2), 32
    rows = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for factor, outputs, count, stride in rows:
        for number in range(count):
            layers.append(Inverted(inputs, outputs, stride if number == 0 else 1, factor))
            inputs = outputs
    layers += convolution(inputs, 1280, 1)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000))


def unet(lib: Any, width: int = 16) -> Any:
    """Three levels down and up with skip connections; odd sizes are padded (Ronneberger et al., 2015)."""
    nn = lib.nn

    def twice(inputs: int, outputs: int) -> Any:
        layers = []
        for channels in (inputs, outputs):
            layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)]
            layers.append(nn.ReLU(inplace=True))
        return nn.Sequential(*layers)

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            wide = [width * 2**level for level in range(4)]
            pairs = list(itertools.pairwise(wide))
            self.first, self.pool, self.last = twice(3, width), nn.MaxPool2d(2), nn.Conv2d(width, 2, 1)
            self.down = nn.ModuleList([twice(a, b) for a, b in pairs])
            self.enlarge = nn.ModuleList([nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in reversed(pairs)])
            self.up = nn.ModuleList([twice(b, a) for a, b in reversed(pairs)])

        def forward(self, x: Any) -> Any:
            levels = [self.first(x)]
            for down in self.down:
                levels.append(down(self.pool(levels[-1])))
            x = levels.pop()
            for enlarge, up in zip(self.enlarge, self.up, strict=True):
                x, skipped = enlarge(x), levels.pop()
                rows, columns = skipped.shape[2] - x.shape[2], skipped.shape[3] - x.shape[3]
                x = nn.functional.pad(x, [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2])
                x = up(lib.cat([skipped, x], dim=1))
            return self.last(x)

    return UNet()


def vit(lib: Any, depth: int = 4, width: int = 128, heads: int = 4) -> Any:
    """A vision transformer on 3x32x32 images in patches of 4x4, with a class token (Dosovitskiy et al., 2020)."""
    nn = lib.nn

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.qkv = nn.LayerNorm(width), nn.Linear(width, 3 * width, bias=False)
            self.out = nn.Linear(width, width)

        def forward(self, x: Any) -> Any:
            n, length, _ = x.shape
            parts = self.qkv(self.norm(x)).chunk(3, dim=-1)
            q, k, v = (part.reshape(n, length, heads, width // heads).transpose(1, 2) for part in parts)
            shares = (q @ k.transpose(-1, -2) * (width // heads) ** -0.5).softmax(dim=-1)
            return self.out((shares @ v).transpose(1, 2).reshape(n, length, width))

    class ViT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, width, 4, stride=4)
            self.token = nn.Parameter(lib.zeros(1, 1, width))
            self.position = nn.Parameter(lib.zeros(1, 65, width))
            self.attention = nn.ModuleList([Attention() for _ in range(depth)])
            self.mlp = nn.ModuleList(
                [
                    nn.Sequential(
                        nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
                    )
                    for _ in range(depth)
                ]
            )
            self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 10))

        def forward(self, images: Any) -> Any:
            x = self.patches(images).flatten(2).transpose(1, 2)
            x = lib.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.position
            for attention, mlp in zip(self.attention, self.mlp, strict=True):
                x = x + attention(x)
                x = x + mlp(x)
            return self.head(x[:, 0])

    return ViT()


def generator(nn: Any) -> Any:
    """From 100 random numbers to a 1x32x32 image (DCGAN; Radford et al., 2015)."""
    return nn.Sequential(
        nn.ConvTranspose2d(100, 128, 4, 1, 0, bias=False),
        nn.BatchNorm2d(128),
        nn.ReLU(True),
        nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(True),
        nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(True),
        nn.ConvTranspose2d(32, 1, 4, 2, 1, bias=False),
        nn.Tanh(),
    )


def discriminator(nn: Any) -> Any:
    """From a 1x32x32 image to a logit."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(32, 64, 4, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(64, 128, 4, 2, 1, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(128, 1, 4, 1, 0, bias=False),
        nn.Flatten(0),
    )
