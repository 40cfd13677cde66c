"""ResNet-18 on pictures of 32 x 32: basic blocks, batch normalisation, label smoothing, Nesterov momentum, cosine."""

import argparse

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR


def conv3x3(in_planes, out_planes, stride=1):
    return nn.Conv2d(in_planes, out_planes, kernel_size=3, stride=stride, padding=1, bias=False)


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, in_planes, planes, stride=1, downsample=None):
        super().__init__()
        self.conv1 = conv3x3(in_planes, planes, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, x):
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self, block, layers, width=64, num_classes=10):
        super().__init__()
        self.in_planes = width
        self.stem = nn.Sequential(conv3x3(3, width), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        stages = [self._make_layer(block, width * 2**i, n, stride=1 if i == 0 else 2) for i, n in enumerate(layers)]
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(width * 8 * block.expansion, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, (nn.BatchNorm2d, nn.GroupNorm)):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)

    def _make_layer(self, block, planes, blocks, stride):
        downsample = None
        if stride != 1 or self.in_planes != planes * block.expansion:
            downsample = nn.Sequential(
                nn.Conv2d(self.in_planes, planes * block.expansion, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm2d(planes * block.expansion),
            )
        layers = [block(self.in_planes, planes, stride, downsample)]
        self.in_planes = planes * block.expansion
        layers.extend(block(self.in_planes, planes) for _ in range(1, blocks))
        return nn.Sequential(*layers)

    def forward(self, x):
        x = self.stem(x)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def textures(count):
    """Pictures of 3 x 32 x 32: waves of ten lengths and directions, in noise; the class is which."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:32, 0:32]
    labels = rng.integers(0, 10, count)
    phase = rng.uniform(0, 2 * np.pi, (count, 3, 1, 1))
    k = (0.2 + 0.1 * (labels % 5))[:, None, None, None]
    along = np.where((labels < 5)[:, None, None, None], x, y)
    images = np.sin(k * along + phase) + rng.normal(0, 0.5, (count, 3, 32, 32))
    return torch.tensor(images, dtype=torch.get_default_dtype()), torch.from_numpy(labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--double", action="store_true", help="compute in float64")
    parser.add_argument("--load", help="weights to start from")
    parser.add_argument("--save", help="where to write the weights that training starts from")
    args = parser.parse_args()

    torch.manual_seed(0)
    torch.set_default_dtype(torch.double if args.double else torch.float)
    model = ResNet(BasicBlock, [2, 2, 2, 2], width=args.width)
    if args.load:
        model.load_state_dict(torch.load(args.load, weights_only=True))
    if args.save:
        torch.save(model.state_dict(), args.save)
    print(f"{sum(p.numel() for p in model.parameters() if p.requires_grad):,} parameters")

    images, labels = textures(args.batch_size * 4)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4, nesterov=True)
    scheduler = CosineAnnealingLR(optimizer, T_max=args.steps)
    for step in range(args.steps):
        start = step % 4 * args.batch_size
        batch = slice(start, start + args.batch_size)
        loss = criterion(model(images[batch]), labels[batch])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        scheduler.step()
        print(f"step {step} loss {loss.item():.17g}")
    model.eval()
    with torch.inference_mode():
        predicted = torch.max(model(images), 1)[1]
    print(f"accuracy {100.0 * (predicted == labels).float().mean().item():.1f}%")


if __name__ == "__main__":
    main()
