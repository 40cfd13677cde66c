"""A denoising diffusion model of pictures: a noise schedule, time embeddings, residual blocks, averaged weights."""

import argparse
import copy
import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class SinusoidalPosEmb(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, t):
        half = self.dim // 2
        freqs = torch.exp(torch.arange(half, device=t.device) * -(math.log(10000) / (half - 1)))
        emb = t[:, None] * freqs[None, :]
        return torch.cat((emb.sin(), emb.cos()), dim=-1)


class ResnetBlock(nn.Module):
    def __init__(self, dim, dim_out, time_dim, groups=4):
        super().__init__()
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(time_dim, dim_out * 2))
        self.norm1, self.norm2 = nn.GroupNorm(groups, dim_out), nn.GroupNorm(groups, dim_out)
        self.conv1 = nn.Conv2d(dim, dim_out, 3, padding=1)
        self.conv2 = nn.Conv2d(dim_out, dim_out, 3, padding=1)
        self.res_conv = nn.Conv2d(dim, dim_out, 1) if dim != dim_out else nn.Identity()

    def forward(self, x, time_emb):
        scale, shift = self.mlp(time_emb)[..., None, None].chunk(2, dim=1)
        h = self.norm1(self.conv1(x))
        h = F.silu(h * (scale + 1) + shift)
        h = F.silu(self.norm2(self.conv2(h)))
        return h + self.res_conv(x)


class Denoiser(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        time_dim = dim * 4
        self.time_mlp = nn.Sequential(
            SinusoidalPosEmb(dim), nn.Linear(dim, time_dim), nn.GELU(), nn.Linear(time_dim, time_dim)
        )
        self.init_conv = nn.Conv2d(1, dim, 7, padding=3)
        self.down = nn.ModuleList([ResnetBlock(dim, dim, time_dim), ResnetBlock(dim, dim * 2, time_dim)])
        self.downsample = nn.Conv2d(dim, dim, 4, 2, 1)
        self.mid = ResnetBlock(dim * 2, dim * 2, time_dim)
        self.upsample = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(dim * 2, dim, 3, padding=1))
        self.up = ResnetBlock(dim * 2, dim, time_dim)
        self.final = nn.Conv2d(dim, 1, 1)

    def forward(self, x, time):
        t = self.time_mlp(time)
        x = self.init_conv(x)
        x = self.down[0](x, t)
        skip = x
        x = self.down[1](self.downsample(x), t)
        x = self.mid(x, t)
        x = self.up(torch.cat((self.upsample(x), skip), dim=1), t)
        return self.final(x)


def extract(a, t, x_shape):
    out = a.gather(-1, t)
    return out.reshape(t.shape[0], *((1,) * (len(x_shape) - 1)))


class Diffusion(nn.Module):
    def __init__(self, model, timesteps=50):
        super().__init__()
        self.model = model
        self.timesteps = timesteps
        x = torch.linspace(0, timesteps, timesteps + 1)
        alphas_cumprod = torch.cos((x / timesteps + 0.008) / 1.008 * math.pi * 0.5) ** 2
        alphas_cumprod = alphas_cumprod / alphas_cumprod[0]
        betas = torch.clip(1 - (alphas_cumprod[1:] / alphas_cumprod[:-1]), 0, 0.999)
        alphas_cumprod = torch.cumprod(1.0 - betas, dim=0)
        self.register_buffer("betas", betas)
        self.register_buffer("alphas_cumprod", alphas_cumprod)
        self.register_buffer("sqrt_alphas_cumprod", torch.sqrt(alphas_cumprod))
        self.register_buffer("sqrt_one_minus_alphas_cumprod", torch.sqrt(1.0 - alphas_cumprod))

    def forward(self, x_start):
        t = torch.randint(0, self.timesteps, (x_start.shape[0],), device=x_start.device).long()
        noise = torch.randn_like(x_start)
        x = (
            extract(self.sqrt_alphas_cumprod, t, x_start.shape) * x_start
            + extract(self.sqrt_one_minus_alphas_cumprod, t, x_start.shape) * noise
        )
        return F.mse_loss(self.model(x, t), noise)

    @torch.no_grad()
    def sample(self, shape):
        img = torch.randn(shape)
        for i in reversed(range(self.timesteps)):
            t = torch.full((shape[0],), i, dtype=torch.long)
            predicted = self.model(img, t)
            beta, alpha_bar = extract(self.betas, t, shape), extract(self.alphas_cumprod, t, shape)
            img = (img - beta / (1 - alpha_bar).sqrt() * predicted) / (1 - beta).sqrt()
            if i:
                img = img + beta.sqrt() * torch.randn_like(img)
        return img.clamp(-1, 1)


def bumps(count, size=16):
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:size, 0:size]
    cx, cy = rng.uniform(4, 12, (2, count, 1, 1))
    images = 2 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 10) - 1
    return torch.tensor(images[:, None], dtype=torch.get_default_dtype())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--double", action="store_true", help="compute in float64")
    parser.add_argument("--load", help="weights to start from")
    parser.add_argument("--save", help="where to write the weights that training starts from")
    args = parser.parse_args()

    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64 if args.double else torch.float32)
    diffusion = Diffusion(Denoiser())
    if args.load:
        diffusion.load_state_dict(torch.load(args.load))
    if args.save:
        torch.save(diffusion.state_dict(), args.save)
    ema = copy.deepcopy(diffusion).eval().requires_grad_(False)
    images = bumps(4 * args.batch_size)
    optimizer = torch.optim.Adam(diffusion.parameters(), lr=1e-3, betas=(0.9, 0.99))
    for step in range(args.steps):
        batch = images.roll(-step * args.batch_size, dims=0)[: args.batch_size]
        loss = diffusion(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for average, current in zip(ema.parameters(), diffusion.parameters(), strict=True):
                average.mul_(0.95).add_(current, alpha=0.05)
        print(f"step {step} loss {loss.item():.17g}")
    sample = ema.sample((2, 1, 16, 16))
    print(f"samples have the mean {sample.mean().item():.6f}")


if __name__ == "__main__":
    main()
