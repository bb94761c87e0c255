"""Ten classes: cross-entropy by one row a sample and by all rows beside AdamW and SGD, in equal processor time.

    python benchmarks/pytorch_classes.py [FOLDER] [--network mlp|resnet] [--seconds S] [--methods NAME,..]

FOLDER holds MNIST as four .gz files; without one scikit-learn's digits are used. Prints loss on the training set's first 1000
images and accuracy on 2000 others at each quarter of the time. Settings of the Gram forms are the best of a few
tried for 4 s on another seed.
"""

import argparse
import gzip
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

from gramstep.torch import GramGaussNewton


def mnist(folder):
    def read(name, header):
        raw = gzip.decompress((Path(folder) / name).read_bytes())
        return torch.frombuffer(bytearray(raw[header:]), dtype=torch.uint8)

    images = [read(f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28).float() / 255 for part in ("train", "t10k")]
    labels = [read(f"{part}-labels-idx1-ubyte.gz", 8).long() for part in ("train", "t10k")]
    return images[0], labels[0], images[1][:2000], labels[1][:2000]


def digits():
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32)[:, None] / 16
    labels = torch.tensor(data.target)
    return images[:1200], labels[:1200], images[1200:], labels[1200:]


class Block(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, out, 3, stride, 1), nn.GroupNorm(4, out), nn.ReLU(), nn.Conv2d(out, out, 3, padding=1), nn.GroupNorm(4, out)
        )
        self.shortcut = nn.Conv2d(channels, out, 1, stride)

    def forward(self, x):
        return F.relu(self.branch(x) + self.shortcut(x))


def network(name, side):
    if name == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(side**2, 256), nn.GELU(), nn.Linear(256, 256), nn.GELU(), nn.Linear(256, 10))
    return nn.Sequential(Block(1, 16, 2), Block(16, 32, 2), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, 10))


def by_backward(model, optimizer):
    def step(x, y):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()

    return optimizer, step


def by_gram(model, **settings):
    optimizer = GramGaussNewton(model.parameters(), **settings)
    return optimizer, lambda x, y: optimizer.step(model(x), y)


METHODS = {
    "AdamW": lambda m: by_backward(m, torch.optim.AdamW(m.parameters(), 2e-3)),
    "SGD": lambda m: by_backward(m, torch.optim.SGD(m.parameters(), 0.05, momentum=0.9)),
    "one row": lambda m: by_gram(m, lr=0.3, damping=("absolute", 12.8), momentum=0.9, loss="cross_entropy_one_row"),
    "all rows": lambda m: by_gram(m, lr=0.3, damping=1.0, max_output_change=1.0, loss="cross_entropy"),
}


def train(model, make, data, seconds, batch=128):
    x, y, new, truth = data
    optimizer, step = make(model)
    rate, spent, looks, generator = optimizer.param_groups[0]["lr"], 0.0, 1, torch.Generator().manual_seed(1)
    while looks <= 4:
        rows = torch.randint(len(x), (batch,), generator=generator)
        optimizer.param_groups[0]["lr"] = rate * max(0.02, 1 - spent / seconds)
        start = time.process_time()
        step(x[rows], y[rows])
        spent += time.process_time() - start
        if spent >= looks * seconds / 4:
            with torch.no_grad():
                loss = float(F.cross_entropy(model(x[:1000]), y[:1000]))
                right = float((model(new).argmax(1) == truth).float().mean())
            yield spent, loss, right
            looks += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--network", choices=["mlp", "resnet"], default="mlp")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--methods", default=",".join(METHODS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = mnist(arguments.folder) if arguments.folder else digits()
    for name in arguments.methods.split(","):
        torch.manual_seed(0)
        model = network(arguments.network, data[0].shape[-1])
        for spent, loss, right in train(model, METHODS[name], data, arguments.seconds):
            print(f"{arguments.network:7s} {name:9s} {spent:6.1f} s  training loss {loss:.4f}  accuracy {right:.4f}", flush=True)


if __name__ == "__main__":
    main()
