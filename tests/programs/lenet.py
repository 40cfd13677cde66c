"""LeNet learns to tell which way bars on small pictures lie: convolutions, a data loader, momentum, a step schedule."""

import argparse

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Dataset


class Bars(Dataset):
    """Pictures of 28 x 28: a bar in one of four directions, in noise."""

    def __init__(self, count):
        rng = np.random.default_rng(1)
        y, x = np.mgrid[-1:1:28j, -1:1:28j]
        self.labels = rng.integers(0, 4, count)
        angles = self.labels * np.pi / 4 + rng.normal(0, 0.1, count)
        shifts = rng.uniform(-0.5, 0.5, count)
        distance = np.cos(angles)[:, None, None] * x + np.sin(angles)[:, None, None] * y - shifts[:, None, None]
        self.images = (np.abs(distance) < 0.15) + rng.normal(0, 0.2, (count, 28, 28))

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = torch.tensor(self.images[index], dtype=torch.get_default_dtype()).unsqueeze(0)
        return image, int(self.labels[index])


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, kernel_size=5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 4)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


def test(model, device, loader):
    model.eval()
    loss, correct = 0.0, 0
    with torch.no_grad():
        for data, target in loader:
            data, target = data.to(device), target.to(device)
            output = model(data)
            loss += F.cross_entropy(output, target, reduction="sum").item()
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(target.view_as(pred)).sum().item()
    model.train()
    return loss / len(loader.dataset), correct / len(loader.dataset)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--double", action="store_true", help="compute in float64")
    parser.add_argument("--load", help="weights to start from")
    parser.add_argument("--save", help="where to write the weights that training starts from")
    args = parser.parse_args()

    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64 if args.double else torch.float32)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = LeNet().to(device)
    if args.load:
        model.load_state_dict(torch.load(args.load, map_location=device))
    if args.save:
        torch.save(model.state_dict(), args.save)

    loader = DataLoader(Bars(512), batch_size=args.batch_size, shuffle=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    scheduler = StepLR(optimizer, step_size=1, gamma=0.9)
    step = 0
    while step < args.steps:
        for data, target in loader:
            data, target = data.to(device), target.to(device)
            optimizer.zero_grad()
            loss = F.cross_entropy(model(data), target)
            loss.backward()
            optimizer.step()
            print(f"step {step} loss {loss.item():.17g}")
            step += 1
            if step == args.steps:
                break
        scheduler.step()
    loss, accuracy = test(model, device, DataLoader(Bars(128), batch_size=64))
    print(f"test loss {loss:.17g} accuracy {100 * accuracy:.1f}%")


if __name__ == "__main__":
    main()
