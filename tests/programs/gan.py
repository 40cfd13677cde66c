"""A small DCGAN of pictures of crosses: transposed convolutions, two models with two optimizers, detached samples."""

import argparse

import numpy as np
import torch
import torch.nn as nn

NZ = 16


def crosses(count, size=16):
    rng = np.random.default_rng(3)
    images = -np.ones((count, 1, size, size))
    for image in images:
        row, column = rng.integers(3, size - 3, 2)
        image[0, row, column - 3 : column + 4] = image[0, row - 3 : row + 4, column] = 1
    return torch.tensor(images, dtype=torch.get_default_dtype())


class Generator(nn.Module):
    def __init__(self, ngf=16):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(NZ, ngf * 2, 4, 1, 0, bias=False),
            nn.BatchNorm2d(ngf * 2),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 2, ngf, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ngf),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf, 1, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.main(z)


class Discriminator(nn.Module):
    def __init__(self, ndf=16):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(1, ndf, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf, ndf * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ndf * 2),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf * 2, 1, 4, 1, 0, bias=False),
        )

    def forward(self, image):
        return self.main(image).view(-1, 1).squeeze(1)


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Conv") != -1:
        torch.nn.init.normal_(m.weight, 0.0, 0.02)
    elif classname.find("BatchNorm") != -1:
        torch.nn.init.normal_(m.weight, 1.0, 0.02)
        torch.nn.init.zeros_(m.bias)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--double", action="store_true", help="compute in float64")
    parser.add_argument("--load", help="weights to start from")
    parser.add_argument("--save", help="where to write the weights that training starts from")
    args = parser.parse_args()

    torch.manual_seed(999)
    torch.set_default_dtype(torch.float64 if args.double else torch.float32)
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    netG, netD = Generator().to(device), Discriminator().to(device)
    netG.apply(weights_init)
    netD.apply(weights_init)
    if args.load:
        state = torch.load(args.load, map_location=device)
        netG.load_state_dict(state["G"])
        netD.load_state_dict(state["D"])
    if args.save:
        torch.save({"G": netG.state_dict(), "D": netD.state_dict()}, args.save)

    images = crosses(128).to(device)
    criterion = nn.BCEWithLogitsLoss()
    optimizerD = torch.optim.Adam(netD.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optimizerG = torch.optim.Adam(netG.parameters(), lr=2e-4, betas=(0.5, 0.999))
    for step in range(args.steps):
        real = images[torch.randint(0, len(images), (args.batch_size,), device=device)]
        netD.zero_grad()
        label = torch.full((args.batch_size,), 1.0, device=device)
        errD_real = criterion(netD(real), label)
        errD_real.backward()
        noise = torch.randn(args.batch_size, NZ, 1, 1, device=device)
        fake = netG(noise)
        label.fill_(0.0)
        errD_fake = criterion(netD(fake.detach()), label)
        errD_fake.backward()
        errD = errD_real + errD_fake
        optimizerD.step()

        netG.zero_grad()
        label.fill_(1.0)
        output = netD(fake)
        errG = criterion(output, label)
        errG.backward()
        optimizerG.step()
        D_G = output.sigmoid().mean().item()
        print(f"step {step} loss {errD.item() + errG.item():.17g} D(G(z)) {D_G:.4f}")


if __name__ == "__main__":
    main()
