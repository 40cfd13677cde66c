"""Six architectures of today, each as one picture that tells it at a glance: modules are boxes, equal blocks one box.

ResNet-18, a U-Net, a GPT of twelve blocks, an LSTM over fifty steps, a vision transformer, and the U-Net of a diffusion
model. `viz.graph(model, *inputs)` runs the model once and draws what it did: blocks that repeat are drawn once with
their number, a loop over time as one step, shared weights once. What is a box and what is not follows from the modules
that the program calls, so a model drawn well is one written in well-named parts.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import tinygrad_dl as td
from tinygrad_dl import nn, viz
from tinygrad_dl.nn import functional as F

# -- ResNet-18: https://arxiv.org/abs/1512.03385 ---------------------------------------------------------


class BasicBlock(nn.Module):
    """Two convolutions, and a way around them; a projection on it where size or channels change."""

    def __init__(self, channels: int, out: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.shortcut = None
        if stride > 1 or channels != out:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: td.Tensor) -> td.Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class ResNet18(nn.Module):
    """Eight blocks in four stages, each with twice the channels on half the size."""

    def __init__(self, classes: int = 10):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, padding=3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)
        )
        stages = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]
        self.stages = nn.Sequential(
            *(nn.Sequential(BasicBlock(*stage), BasicBlock(stage[1], stage[1], 1)) for stage in stages)
        )
        self.head = nn.Linear(512, classes)

    def forward(self, x: td.Tensor) -> td.Tensor:
        return self.head(self.stages(self.stem(x)).mean(dim=(2, 3)))


# -- U-Net: https://arxiv.org/abs/1505.04597 -------------------------------------------------------------


class DoubleConv(nn.Sequential):
    """Twice a convolution with batch norm and ReLU."""

    def __init__(self, channels: int, out: int):
        layers: list[nn.Module] = []
        for before in (channels, out):
            layers += [nn.Conv2d(before, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU()]
        super().__init__(*layers)


class Up(nn.Module):
    """Twice the size, joined with what the way down had at this size."""

    def __init__(self, channels: int):
        super().__init__()
        self.up = nn.ConvTranspose2d(channels, channels // 2, 2, 2)
        self.conv = DoubleConv(channels, channels // 2)

    def forward(self, x: td.Tensor, skipped: td.Tensor) -> td.Tensor:
        return self.conv(td.cat([skipped, self.up(x)], 1))


class UNet(nn.Module):
    """Down to small images of many channels and up again, with a connection at each size."""

    def __init__(self, classes: int = 2, width: int = 16, depth: int = 3):
        super().__init__()
        self.inc = DoubleConv(1, width)
        self.down = nn.ModuleList(DoubleConv(width << i, width << (i + 1)) for i in range(depth))
        self.up = nn.ModuleList(Up(width << i) for i in range(depth, 0, -1))
        self.out = nn.Conv2d(width, classes, 1)

    def forward(self, x: td.Tensor) -> td.Tensor:
        kept = [self.inc(x)]
        for down in self.down:
            kept.append(down(F.max_pool2d(kept[-1], 2)))
        x = kept.pop()
        for up in self.up:
            x = up(x, kept.pop())
        return self.out(x)


# -- GPT and vision transformer: https://arxiv.org/abs/2005.14165, https://arxiv.org/abs/2010.11929 ------


class SelfAttention(nn.Module):
    """Each position looks at all others, or at those before it."""

    def __init__(self, width: int, heads: int, causal: bool):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: td.Tensor) -> td.Tensor:
        batch, length, width = x.shape
        parts = self.qkv(x).reshape(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0)
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        return self.out(seen.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    """Attention, then two layers at each position, both added to what goes past."""

    def __init__(self, width: int, heads: int, causal: bool):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads, causal)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: td.Tensor) -> td.Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    """Twelve blocks over characters; the embedding's weight gives the scores too."""

    def __init__(self, vocabulary: int = 96, length: int = 64, width: int = 48, heads: int = 4, blocks: int = 12):
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads, causal=True) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.token.weight

    def forward(self, tokens: td.Tensor) -> td.Tensor:
        x = self.token(tokens) + self.position(td.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class ViT(nn.Module):
    """An image as a sequence of patches, with one more token that gathers what the class depends on."""

    def __init__(self, size: int = 32, patch: int = 8, width: int = 64, heads: int = 4, blocks: int = 6):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(td.zeros(1, 1, width))
        self.position = nn.Parameter(td.zeros(1, (size // patch) ** 2 + 1, width))
        self.blocks = nn.Sequential(*(Block(width, heads, causal=False) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def forward(self, images: td.Tensor) -> td.Tensor:
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = td.cat([self.token.expand(len(images), -1, -1), x], 1) + self.position
        return self.head(self.norm(self.blocks(x))[:, 0])


# -- an LSTM, step by step: https://www.bioinf.jku.at/publications/older/2604.pdf ------------------------


class Sequence(nn.Module):
    """Two cells over the steps of a sequence, the second fed by the first."""

    def __init__(self, inputs: int = 8, hidden: int = 32):
        super().__init__()
        self.hidden = hidden
        self.lower, self.upper = nn.LSTMCell(inputs, hidden), nn.LSTMCell(hidden, hidden)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x: td.Tensor) -> td.Tensor:
        h1, c1, h2, c2 = (x.new_zeros(x.shape[1], self.hidden) for _ in range(4))
        for step in x:
            h1, c1 = self.lower(step, (h1, c1))
            h2, c2 = self.upper(h1, (h2, c2))
        return self.out(h2)


# -- the U-Net of a diffusion model: https://arxiv.org/abs/2006.11239 ------------------------------------


class TimeEmbedding(nn.Module):
    """The step of the diffusion as sines and cosines, and two layers."""

    def __init__(self, width: int):
        super().__init__()
        self.width = width
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: td.Tensor) -> td.Tensor:
        rates = (td.arange(self.width // 2) * (-math.log(10_000) / (self.width // 2))).exp()
        angles = t[:, None] * rates
        return self.mlp(td.cat([angles.sin(), angles.cos()], 1))


class ResBlock(nn.Module):
    """Two convolutions with group norm; the time is added between them."""

    def __init__(self, channels: int, out: int, time: int):
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(8, channels), nn.SiLU(), nn.Conv2d(channels, out, 3, padding=1))
        self.time = nn.Linear(time, out)
        self.second = nn.Sequential(nn.GroupNorm(8, out), nn.SiLU(), nn.Conv2d(out, out, 3, padding=1))
        self.skip = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()

    def forward(self, x: td.Tensor, time: td.Tensor) -> td.Tensor:
        return self.second(self.first(x) + self.time(time)[:, :, None, None]) + self.skip(x)


class PixelAttention(nn.Module):
    """Self-attention between all pixels."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.attention = SelfAttention(channels, 4, causal=False)

    def forward(self, x: td.Tensor) -> td.Tensor:
        seen = self.attention(self.norm(x).flatten(2).transpose(1, 2))
        return x + seen.transpose(1, 2).reshape(x.shape)


class Denoiser(nn.Module):
    """A U-Net of residual blocks that knows the time, with attention where the image is smallest."""

    def __init__(self, width: int = 32, time: int = 64):
        super().__init__()
        self.time = TimeEmbedding(time)
        self.inc = nn.Conv2d(3, width, 3, padding=1)
        self.down = nn.ModuleList(ResBlock(width << max(i - 1, 0), width << i, time) for i in range(3))
        self.middle = ResBlock(4 * width, 4 * width, time)
        self.attention = PixelAttention(4 * width)
        self.up = nn.ModuleList(ResBlock((width << i) * 2, width << max(i - 1, 0), time) for i in (2, 1, 0))
        self.out = nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, x: td.Tensor, t: td.Tensor) -> td.Tensor:
        time, kept = self.time(t), []
        x = self.inc(x)
        for block in self.down:
            x = block(x, time)
            kept.append(x)
            x = F.avg_pool2d(x, 2)
        x = self.attention(self.middle(x, time))
        for block in self.up:
            x = block(td.cat([F.interpolate(x, scale_factor=2), kept.pop()], 1), time)
        return self.out(x)


MODELS: dict[str, Callable[[], tuple[nn.Module, tuple[td.Tensor, ...]]]] = {
    "resnet18": lambda: (ResNet18(), (td.randn(2, 3, 64, 64),)),
    "unet": lambda: (UNet(), (td.randn(2, 1, 32, 32),)),
    "gpt": lambda: (GPT(), (td.randint(0, 96, (2, 64)),)),
    "lstm": lambda: (Sequence(), (td.randn(50, 4, 8),)),
    "vit": lambda: (ViT(), (td.randn(2, 3, 32, 32),)),
    "diffusion": lambda: (Denoiser(), (td.randn(2, 3, 32, 32), td.tensor([3.0, 500.0]))),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out"), help="the folder that pictures go to (default: out)")
    parser.add_argument("models", nargs="*", default=list(MODELS), help=f"some of {', '.join(MODELS)} (default: all)")
    options = parser.parse_args()
    for name in options.models:
        td.manual_seed(0)
        model, inputs = MODELS[name]()
        drawing = viz.graph(model, *inputs)
        print(f"wrote {drawing.save(options.out / f'{name}.svg')}: {drawing.summary}")


if __name__ == "__main__":
    main()
