"""A vision transformer, with einops, tells shapes apart: patches, a class token, multi-head attention."""

import argparse

import numpy as np
import torch
from einops import rearrange, repeat
from einops.layers.torch import Rearrange
from torch import nn


def pair(t):
    return t if isinstance(t, tuple) else (t, t)


class FeedForward(nn.Module):
    def __init__(self, dim, hidden_dim):
        super().__init__()
        self.net = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, dim))

    def forward(self, x):
        return self.net(x)


class Attention(nn.Module):
    def __init__(self, dim, heads=4, dim_head=32):
        super().__init__()
        inner_dim = dim_head * heads
        self.heads = heads
        self.scale = dim_head**-0.5
        self.norm = nn.LayerNorm(dim)
        self.attend = nn.Softmax(dim=-1)
        self.to_qkv = nn.Linear(dim, inner_dim * 3, bias=False)
        self.to_out = nn.Linear(inner_dim, dim)

    def forward(self, x):
        qkv = self.to_qkv(self.norm(x)).chunk(3, dim=-1)
        q, k, v = (rearrange(t, "b n (h d) -> b h n d", h=self.heads) for t in qkv)
        dots = torch.matmul(q, k.transpose(-1, -2)) * self.scale
        out = torch.matmul(self.attend(dots), v)
        return self.to_out(rearrange(out, "b h n d -> b n (h d)"))


class ViT(nn.Module):
    def __init__(self, *, image_size, patch_size, num_classes, dim, depth, heads, mlp_dim, channels=1):
        super().__init__()
        image_height, image_width = pair(image_size)
        patch_height, patch_width = pair(patch_size)
        assert image_height % patch_height == 0 and image_width % patch_width == 0, "patches must fill the image"
        num_patches = (image_height // patch_height) * (image_width // patch_width)
        patch_dim = channels * patch_height * patch_width
        self.to_patch_embedding = nn.Sequential(
            Rearrange("b c (h p1) (w p2) -> b (h w) (p1 p2 c)", p1=patch_height, p2=patch_width),
            nn.LayerNorm(patch_dim),
            nn.Linear(patch_dim, dim),
            nn.LayerNorm(dim),
        )
        self.pos_embedding = nn.Parameter(torch.randn(1, num_patches + 1, dim))
        self.cls_token = nn.Parameter(torch.randn(1, 1, dim))
        self.layers = nn.ModuleList([])
        for _ in range(depth):
            self.layers.append(nn.ModuleList([Attention(dim, heads, dim // heads), FeedForward(dim, mlp_dim)]))
        self.to_latent = nn.Identity()
        self.mlp_head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, num_classes))

    def forward(self, img):
        x = self.to_patch_embedding(img)
        b, n, _ = x.shape
        cls_tokens = repeat(self.cls_token, "1 1 d -> b 1 d", b=b)
        x = torch.cat((cls_tokens, x), dim=1)
        x += self.pos_embedding[:, : (n + 1)]
        for attn, ff in self.layers:
            x = attn(x) + x
            x = ff(x) + x
        return self.mlp_head(self.to_latent(x[:, 0]))


def shapes(count, size=32):
    """Pictures of 1 x 32 x 32 of a disc (0), a square (1), a triangle (2) in noise."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:size, 0:size]
    labels = rng.integers(0, 3, count)
    cx, cy = rng.uniform(10, 22, (2, count, 1, 1))
    u, v = np.abs(x - cx), y - cy
    disc, square, triangle = u**2 + v**2 < 49, np.maximum(u, np.abs(v)) < 6, (v < 6) & (v > -7) & (u < (v + 7) / 1.7)
    images = np.select([(labels == i)[:, None, None] for i in range(3)], [disc, square, triangle]).astype(float)
    images += rng.normal(0, 0.2, images.shape)
    return torch.tensor(images[:, None]).to(torch.get_default_dtype()), torch.tensor(labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--double", action="store_true", help="compute in float64")
    parser.add_argument("--load", help="weights to start from")
    parser.add_argument("--save", help="where to write the weights that training starts from")
    args = parser.parse_args()

    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64 if args.double else torch.float32)
    model = ViT(image_size=32, patch_size=8, num_classes=3, dim=args.dim, depth=4, heads=4, mlp_dim=2 * args.dim)
    if args.load:
        model.load_state_dict(torch.load(args.load))
    if args.save:
        torch.save(model.state_dict(), args.save)
    images, labels = shapes(4 * args.batch_size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, fused=True)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-3, total_steps=args.steps + 1)
    criterion = nn.CrossEntropyLoss()
    for step in range(args.steps):
        batch = slice(step % 4 * args.batch_size, (step % 4 + 1) * args.batch_size)
        optimizer.zero_grad()
        loss = criterion(model(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
        scheduler.step()
        print(f"step {step} loss {loss.item():.17g}")


if __name__ == "__main__":
    main()
