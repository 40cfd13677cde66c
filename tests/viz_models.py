"""Models as they are in use, with few channels, for pictures of their graphs."""

from __future__ import annotations

import itertools
import math
from typing import Any

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.nn import functional as F


class BasicBlock(nn.Module):
    def __init__(self, channels: int, out: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Any) -> Any:
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    """ResNet-18. Source: https://arxiv.org/abs/1512.03385"""

    def __init__(self, width: int = 4, classes: int = 10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        sizes = [width, width, width * 2, width * 4, width * 8]
        layers = [
            nn.Sequential(
                BasicBlock(sizes[i], sizes[i + 1], 1 if i == 0 else 2), BasicBlock(sizes[i + 1], sizes[i + 1], 1)
            )
            for i in range(4)
        ]
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(width * 8, classes)

    def forward(self, x: Any) -> Any:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(td.flatten(self.avgpool(x), 1))


class DoubleConv(nn.Module):
    def __init__(self, channels: int, out: int):
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(channels, out, 3, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
            nn.Conv2d(out, out, 3, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Any) -> Any:
        return self.double_conv(x)


class Down(nn.Module):
    def __init__(self, channels: int, out: int):
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(channels, out))

    def forward(self, x: Any) -> Any:
        return self.maxpool_conv(x)


class Up(nn.Module):
    def __init__(self, channels: int, out: int):
        super().__init__()
        self.up = nn.ConvTranspose2d(channels, channels // 2, 2, 2)
        self.conv = DoubleConv(channels, out)

    def forward(self, x: Any, skip: Any) -> Any:
        x = self.up(x)
        high, wide = skip.size(2) - x.size(2), skip.size(3) - x.size(3)
        x = F.pad(x, [wide // 2, wide - wide // 2, high // 2, high - high // 2])
        return self.conv(td.cat([skip, x], dim=1))


class UNet(nn.Module):
    """Source: https://arxiv.org/abs/1505.04597"""

    def __init__(self, width: int = 4, classes: int = 2):
        super().__init__()
        sizes = [width * 2**i for i in range(5)]
        self.inc = DoubleConv(3, width)
        self.down1, self.down2, self.down3, self.down4 = (Down(a, b) for a, b in itertools.pairwise(sizes))
        back = sizes[::-1]
        self.up1, self.up2, self.up3, self.up4 = (Up(a, b) for a, b in itertools.pairwise(back))
        self.outc = nn.Conv2d(width, classes, 1)

    def forward(self, x: Any) -> Any:
        x1 = self.inc(x)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        x4 = self.down3(x3)
        x5 = self.down4(x4)
        x = self.up1(x5, x4)
        x = self.up2(x, x3)
        x = self.up3(x, x2)
        x = self.up4(x, x1)
        return self.outc(x)


class CausalSelfAttention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.heads = heads

    def forward(self, x: Any) -> Any:
        batch, time, width = x.size()
        q, k, v = self.c_attn(x).split(width, dim=2)
        q, k, v = (t.view(batch, time, self.heads, width // self.heads).transpose(1, 2) for t in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).contiguous().view(batch, time, width))


class MLP(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.c_fc, self.gelu, self.c_proj = nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)

    def forward(self, x: Any) -> Any:
        return self.c_proj(self.gelu(self.c_fc(x)))


class Block(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(width), CausalSelfAttention(width, heads)
        self.ln_2, self.mlp = nn.LayerNorm(width), MLP(width)

    def forward(self, x: Any) -> Any:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    """GPT-2 with the weight of the embedding in its head."""

    def __init__(self, layers: int = 12, width: int = 8, heads: int = 2, words: int = 20, length: int = 8):
        super().__init__()
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(words, width),
                "wpe": nn.Embedding(length, width),
                "drop": nn.Dropout(0.1),
                "h": nn.ModuleList([Block(width, heads) for _ in range(layers)]),
                "ln_f": nn.LayerNorm(width),
            }
        )
        self.lm_head = nn.Linear(width, words, bias=False)
        self.transformer.wte.weight = self.lm_head.weight

    def forward(self, idx: Any) -> Any:
        x = self.transformer.wte(idx) + self.transformer.wpe(td.arange(idx.size(1)))
        x = self.transformer.drop(x)
        for block in self.transformer.h:
            x = block(x)
        return self.lm_head(self.transformer.ln_f(x))


class Gates(nn.Module):
    """An LSTM cell of single operations."""

    def __init__(self, inputs: int, width: int):
        super().__init__()
        self.x2h, self.h2h = nn.Linear(inputs, 4 * width), nn.Linear(width, 4 * width)

    def forward(self, x: Any, state: Any) -> Any:
        h, c = state
        i, f, g, o = (self.x2h(x) + self.h2h(h)).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class Tagger(nn.Module):
    """An LSTM that is stepped by hand."""

    def __init__(self, cell: Any, width: int = 8, words: int = 20, tags: int = 5):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.cell = cell(width, width)
        self.head = nn.Linear(width, tags)
        self.width = width

    def forward(self, words: Any) -> Any:
        x = self.embed(words)
        h = c = td.zeros(x.size(0), self.width)
        hidden = []
        for t in range(x.size(1)):
            h, c = self.cell(x[:, t], (h, c))
            hidden.append(h)
        return self.head(td.stack(hidden, dim=1))


class FeedForward(nn.Module):
    def __init__(self, dim: int, hidden: int):
        super().__init__()
        self.net = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(self, x: Any) -> Any:
        return self.net(x)


class Attention(nn.Module):
    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads, self.scale = heads, (dim // heads) ** -0.5
        self.norm, self.attend = nn.LayerNorm(dim), nn.Softmax(dim=-1)
        self.to_qkv, self.to_out = nn.Linear(dim, dim * 3, bias=False), nn.Linear(dim, dim)

    def forward(self, x: Any) -> Any:
        batch, count, dim = x.shape
        q, k, v = (
            t.reshape(batch, count, self.heads, dim // self.heads).transpose(1, 2)
            for t in self.to_qkv(self.norm(x)).chunk(3, dim=-1)
        )
        weights = self.attend(q @ k.transpose(-1, -2) * self.scale)
        return self.to_out((weights @ v).transpose(1, 2).reshape(batch, count, dim))


class ViT(nn.Module):
    """A vision transformer. Source: https://arxiv.org/abs/2010.11929"""

    def __init__(self, dim: int = 8, depth: int = 12, heads: int = 2, patch: int = 4, size: int = 16, classes: int = 3):
        super().__init__()
        self.patch_embed = nn.Conv2d(3, dim, patch, patch)
        self.cls_token = nn.Parameter(td.zeros(1, 1, dim))
        self.pos_embedding = nn.Parameter(td.zeros(1, (size // patch) ** 2 + 1, dim))
        self.dropout = nn.Dropout(0.1)
        self.layers = nn.ModuleList(
            [nn.ModuleList([Attention(dim, heads), FeedForward(dim, dim * 4)]) for _ in range(depth)]
        )
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, classes)

    def forward(self, img: Any) -> Any:
        x = self.patch_embed(img).flatten(2).transpose(1, 2)
        x = td.cat([self.cls_token.expand(x.size(0), -1, -1), x], dim=1)
        x = self.dropout(x + self.pos_embedding)
        for attention, feed_forward in self.layers:
            x = attention(x) + x
            x = feed_forward(x) + x
        return self.head(self.norm(x)[:, 0])


class SinusoidalPosEmb(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.dim = dim

    def forward(self, t: Any) -> Any:
        half = self.dim // 2
        waves = td.exp(td.arange(half) * -(math.log(10000) / (half - 1)))
        angles = t[:, None] * waves[None, :]
        return td.cat((angles.sin(), angles.cos()), dim=-1)


class ResnetBlock(nn.Module):
    def __init__(self, dim: int, out: int, time: int):
        super().__init__()
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(time, out * 2))
        self.norm1, self.conv1 = nn.GroupNorm(2, dim), nn.Conv2d(dim, out, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(2, out), nn.Conv2d(out, out, 3, padding=1)
        self.res_conv = nn.Conv2d(dim, out, 1) if dim != out else nn.Identity()

    def forward(self, x: Any, t: Any) -> Any:
        scale, shift = self.mlp(t)[:, :, None, None].chunk(2, dim=1)
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.norm2(h) * (scale + 1) + shift
        return self.conv2(F.silu(h)) + self.res_conv(x)


class SelfAttention2d(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.norm, self.qkv, self.proj = nn.GroupNorm(2, dim), nn.Conv2d(dim, dim * 3, 1), nn.Conv2d(dim, dim, 1)

    def forward(self, x: Any) -> Any:
        batch, dim, high, wide = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(batch, 3, dim, high * wide).transpose(2, 3).unbind(1)
        y = F.scaled_dot_product_attention(q, k, v)
        return x + self.proj(y.transpose(1, 2).reshape(batch, dim, high, wide))


class DenoisingUNet(nn.Module):
    """The U-Net of denoising diffusion. Source: https://arxiv.org/abs/2006.11239"""

    def __init__(self, dim: int = 4, levels: int = 3):
        super().__init__()
        time = dim * 4
        self.time_mlp = nn.Sequential(SinusoidalPosEmb(dim), nn.Linear(dim, time), nn.GELU(), nn.Linear(time, time))
        self.init_conv = nn.Conv2d(3, dim, 3, padding=1)
        sizes = [dim * 2**i for i in range(levels)]
        self.downs = nn.ModuleList([])
        self.ups = nn.ModuleList([])
        for i, size in enumerate(sizes):
            after = sizes[min(i + 1, levels - 1)]
            down = nn.Conv2d(size, after, 4, 2, 1) if i < levels - 1 else nn.Conv2d(size, after, 3, padding=1)
            up = nn.ConvTranspose2d(after, size, 4, 2, 1) if i < levels - 1 else nn.Conv2d(after, size, 3, padding=1)
            blocks = [ResnetBlock(size, size, time), ResnetBlock(size, size, time), SelfAttention2d(size)]
            self.downs.append(nn.ModuleList([*blocks, down]))
            blocks = [ResnetBlock(size * 2, size, time), ResnetBlock(size * 2, size, time), SelfAttention2d(size)]
            self.ups.insert(0, nn.ModuleList([up, *blocks]))
        self.mid_block1 = ResnetBlock(sizes[-1], sizes[-1], time)
        self.mid_attn = SelfAttention2d(sizes[-1])
        self.mid_block2 = ResnetBlock(sizes[-1], sizes[-1], time)
        self.final_conv = nn.Conv2d(dim, 3, 1)

    def forward(self, x: Any, time: Any) -> Any:
        x = self.init_conv(x)
        t = self.time_mlp(time)
        skips = []
        for block1, block2, attention, down in self.downs:
            x = block1(x, t)
            skips.append(x)
            x = attention(block2(x, t))
            skips.append(x)
            x = down(x)
        x = self.mid_block2(self.mid_attn(self.mid_block1(x, t)), t)
        for up, block1, block2, attention in self.ups:
            x = up(x)
            x = block1(td.cat([x, skips.pop()], dim=1), t)
            x = attention(block2(td.cat([x, skips.pop()], dim=1), t))
        return self.final_conv(x)


def models() -> dict[str, tuple[Any, ...]]:
    """Each model with its inputs."""
    words = td.zeros(2, 8, dtype=td.int64)
    images = td.zeros(1, 3, 32, 32)
    return {
        "resnet18": (ResNet(), td.zeros(2, 3, 64, 64)),
        "unet": (UNet(), images),
        "gpt": (GPT(), words),
        "lstm": (Tagger(Gates), td.zeros(2, 50, dtype=td.int64)),
        "vit": (ViT(), td.zeros(2, 3, 16, 16)),
        "diffusion": (DenoisingUNet(), images, td.tensor([7])),
    }
