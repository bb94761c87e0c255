"""Numbers from images by a ResNet: how far a handwritten digit was turned. Gram-Gauss-Newton beside AdamW and SGD.

    python examples/pytorch_image_regression.py [--epochs N]

A small ResNet with GroupNorm, its weights random, the same for all three; the optimisers see the same batches. Each row of
the result is a mean square error of the angle, in units of its variance: 1 is what the constant reaches. Needs PyTorch.
"""

import argparse
import copy
import math
import time

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

from gramstep.torch import GramGaussNewton


class Block(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, out, 3, stride, 1), nn.GroupNorm(4, out), nn.ReLU(), nn.Conv2d(out, out, 3, padding=1), nn.GroupNorm(4, out)
        )
        self.shortcut = nn.Conv2d(channels, out, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x):
        return F.relu(self.branch(x) + self.shortcut(x))


def resnet():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.ReLU(), Block(16, 16, 2), Block(16, 32, 2),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, 1),
    )


def turned_digits(n, seed):
    """Images (n, 1, 16, 16) and the angle of each, standardised."""
    digits = torch.tensor(load_digits().images, dtype=torch.float32)[:, None] / 16
    generator = torch.Generator().manual_seed(seed)
    chosen = digits[torch.randint(len(digits), (n,), generator=generator)]
    turn = (torch.rand(n, generator=generator) - 0.5) * (math.pi / 2)
    cos, sin, zero = turn.cos(), turn.sin(), torch.zeros(n)
    maps = torch.stack([torch.stack([cos, -sin, zero], 1), torch.stack([sin, cos, zero], 1)], 1)
    grid = F.affine_grid(maps, [n, 1, 16, 16], align_corners=False)
    return F.grid_sample(chosen, grid, align_corners=False), turn / (math.pi / 2 / math.sqrt(12))


def train(model, step, data, epochs):
    (x, y), (new, truth) = data
    start = time.process_time()
    for epoch in range(epochs):
        for rows in torch.randperm(len(x), generator=torch.Generator().manual_seed(epoch)).split(64):
            step(x[rows], y[rows], (epoch + 0.5) / epochs)
    with torch.no_grad():
        loss, error = (float((model(a)[:, 0] - b).square().mean()) for a, b in ((x, y), (new, truth)))
    return loss, error, time.process_time() - start


def by_backward(model, optimizer):
    rate = optimizer.param_groups[0]["lr"]

    def step(x, y, progress):
        optimizer.param_groups[0]["lr"] = rate * (1 - progress)
        optimizer.zero_grad()
        (model(x)[:, 0] - y).square().mean().backward()
        optimizer.step()

    return step


def by_gram(model):
    optimizer = GramGaussNewton(model.parameters(), lr=0.3, damping=0.1, momentum=0.9)

    def step(x, y, progress):
        optimizer.param_groups[0]["lr"] = 0.3 * (1 - progress)
        optimizer.step(model(x), y)

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=1)
    epochs = parser.parse_args().epochs
    torch.manual_seed(0)
    data = turned_digits(640, 1), turned_digits(256, 2)
    first = resnet()
    makers = {
        "Gram-Gauss-Newton": by_gram,
        "AdamW": lambda model: by_backward(model, torch.optim.AdamW(model.parameters(), 3e-3)),
        "SGD": lambda model: by_backward(model, torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)),
    }
    for name, make in makers.items():
        model = copy.deepcopy(first)
        loss, error, seconds = train(model, make(model), data, epochs)
        print(f"{name:18s} training {loss:.3f}  new images {error:.3f}  {seconds:.1f} s of processor time", flush=True)


if __name__ == "__main__":
    main()
