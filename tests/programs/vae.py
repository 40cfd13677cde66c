"""A variational autoencoder of small pictures of discs: the reparameterisation trick and two losses."""

import argparse

import numpy as np
import torch
import torch.utils.data
from torch import nn, optim
from torch.nn import functional as F


def discs(count, size=20):
    rng = np.random.default_rng(2)
    y, x = np.mgrid[0:size, 0:size]
    cx, cy = rng.uniform(5, size - 5, (2, count, 1, 1))
    radius = rng.uniform(2, 5, (count, 1, 1))
    return ((x - cx) ** 2 + (y - cy) ** 2 < radius**2).astype("float32").reshape(count, -1)


class VAE(nn.Module):
    def __init__(self, inputs=400, hidden=200, latent=8):
        super().__init__()
        self.inputs = inputs
        self.encoder = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, inputs), nn.Sigmoid())

    def encode(self, x):
        return self.encoder(x).chunk(2, dim=-1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, self.inputs))
        return self.decoder(self.reparameterize(mu, logvar)), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    bce = F.binary_cross_entropy(recon_x, x.view(recon_x.shape), reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return bce + kld


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--double", action="store_true", help="compute in float64")
    parser.add_argument("--load", help="weights to start from")
    parser.add_argument("--save", help="where to write the weights that training starts from")
    args = parser.parse_args()

    torch.manual_seed(1)
    torch.set_default_dtype(torch.float64 if args.double else torch.float32)
    images = torch.from_numpy(discs(256)).to(torch.get_default_dtype())
    dataset = torch.utils.data.TensorDataset(images)
    train_set, test_set = torch.utils.data.random_split(dataset, [192, 64], torch.Generator().manual_seed(0))
    train_loader = torch.utils.data.DataLoader(dataset, args.batch_size, shuffle=True)
    model = VAE()
    if args.load:
        model.load_state_dict(torch.load(args.load))
    if args.save:
        torch.save(model.state_dict(), args.save)
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    step = 0
    while step < args.steps:
        for (data,) in train_loader:
            optimizer.zero_grad()
            recon_batch, mu, logvar = model(data)
            loss = loss_function(recon_batch, data, mu, logvar)
            loss.backward()
            optimizer.step()
            print(f"step {step} loss {loss.item() / len(data):.17g}")
            step += 1
            if step == args.steps:
                break
    print(f"{len(train_set)} of {len(dataset)} pictures are for training, {len(test_set)} for testing")
    with torch.no_grad():
        sample = model.decoder(torch.randn(4, 8)).view(4, 20, 20)
        print(f"samples have {sample.gt(0.5).sum().item()} bright pixels in {tuple(sample.size())}")


if __name__ == "__main__":
    main()
