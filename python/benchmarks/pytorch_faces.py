"""Age from faces by a ResNet-20 with GroupNorm: Gram-Gauss-Newton beside first-order and other second-order methods, loss
against time, all tuned alike.

    python benchmarks/pytorch_faces.py FOLDER [--tune S] [--seconds S] [--seeds N] [--side PIXELS] [--results FILE]
        [--methods Gram-Gauss-Newton,AdamW,SGD,SOAP,Shampoo,L-BFGS]

FOLDER holds <age>/**/*.jpg, as AFAD-Lite does. Each method has four settings or more, tried for --tune seconds of processor
time on a seed of their own; the one with the least training loss then runs for --seconds with every seed. Prints the
training loss (mean square over 1000 of its images, ages standardised) and the mean absolute error in years on a tenth of
the images that was held out, at each eighth of the time. Every run is a line of FILE; what stands there is not run again.
Needs Pillow, and pytorch-optimizer for SOAP and Shampoo. One thread.
"""

import argparse
import json
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from gramstep.torch import GramGaussNewton

LOOKS = 8


def faces(folder, side):
    """Images (n, 3, side, side) from 0 to 1 and ages (n, 1), in a random order that does not change."""
    from PIL import Image

    files = sorted(Path(folder).glob("*/**/*.jpg"))
    random.Random(0).shuffle(files)
    images = torch.empty(len(files), 3, side, side)
    for image, file in zip(images, files):
        pixels = Image.open(file).convert("RGB").resize((side, side)).tobytes()
        image.copy_(torch.frombuffer(bytearray(pixels), dtype=torch.uint8).reshape(side, side, 3).permute(2, 0, 1).float() / 255)
    ages = torch.tensor([float(file.relative_to(folder).parts[0]) for file in files])[:, None]
    return images, ages


class Block(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.GroupNorm(8, out), nn.ReLU(),
            nn.Conv2d(out, out, 3, padding=1, bias=False), nn.GroupNorm(8, out),
        )
        same = stride == 1 and channels == out
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels, out, 1, stride, bias=False)

    def forward(self, x):
        return F.relu(self.branch(x) + self.shortcut(x))


def resnet20():
    blocks, channels = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.GroupNorm(8, 16), nn.ReLU()], 16
    for stage in range(3):
        for block in range(3):
            blocks.append(Block(channels, 16 << stage, 2 if stage and not block else 1))
            channels = 16 << stage
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1))


def by_backward(model, make, setting):
    optimizer = make(model.parameters(), **setting)

    def step(x, y):
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()

    return optimizer, step


def by_gram(model, make, setting):
    optimizer = make(model.parameters(), **setting)
    return optimizer, lambda x, y: optimizer.step(model(x), y)


def by_closure(model, make, setting):
    optimizer = make(model.parameters(), **setting)

    def step(x, y):
        def closure():
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            return loss

        optimizer.step(closure)

    return optimizer, step


def of_pytorch_optimizer(name):
    def make(parameters, **setting):
        import pytorch_optimizer

        return getattr(pytorch_optimizer, name)(parameters, **setting)

    return make


METHODS = {
    "AdamW": (by_backward, torch.optim.AdamW, [{"lr": lr, "weight_decay": 0.01} for lr in (1e-4, 3e-4, 1e-3, 3e-3)]),
    "SGD": (by_backward, torch.optim.SGD, [{"lr": lr, "momentum": 0.9} for lr in (1e-3, 3e-3, 1e-2, 3e-2)]),
    "Gram-Gauss-Newton": (
        by_gram,
        GramGaussNewton,
        [{"lr": lr, "damping": damping, "momentum": 0.9} for lr in (0.1, 0.2, 0.4) for damping in (0.1, 0.3)],
    ),
    # vyas2024 and gupta2018; a preconditioner is computed anew every ten steps.
    "SOAP": (by_backward, of_pytorch_optimizer("SOAP"), [{"lr": lr} for lr in (1e-3, 3e-3, 1e-2, 3e-2)]),
    "Shampoo": (
        by_backward,
        of_pytorch_optimizer("Shampoo"),
        [{"lr": lr, "momentum": 0.9, "preconditioning_compute_steps": 10} for lr in (1e-2, 3e-2, 1e-1, 3e-1)],
    ),
    # Ten iterations on a batch before the next one.
    "L-BFGS": (
        by_closure,
        torch.optim.LBFGS,
        [{"lr": 1.0, "max_iter": 10, "history_size": size, "line_search_fn": "strong_wolfe"} for size in (5, 10, 20, 40)],
    ),
}
# Rows of a batch where they are not those of the others: curvature from differences of gradients wants many.
BATCHES = {"L-BFGS": 1024}


def train(name, setting, data, seconds, seed, looks):
    """[(seconds, training loss, error in years), ..]; the loss is None from where on it is not finite."""
    x, y, new, truth, scale = data
    torch.manual_seed(seed)
    model = resnet20()
    take, make, _ = METHODS[name]
    batch = BATCHES.get(name, 64)
    optimizer, step = take(model, make, setting)
    rate, spent, trace, generator = setting["lr"], 0.0, [], torch.Generator().manual_seed(seed)
    while len(trace) < looks:
        rows = torch.randint(len(x), (batch,), generator=generator)
        optimizer.param_groups[0]["lr"] = rate * max(0.02, 1 - spent / seconds)
        start = time.process_time()
        try:
            step(x[rows], y[rows])
        except (FloatingPointError, ArithmeticError):
            return [*trace, *[(seconds, None, None)] * (looks - len(trace))]
        spent += time.process_time() - start
        if spent >= (len(trace) + 1) * seconds / looks:
            with torch.no_grad():
                f, g = (torch.cat([model(part) for part in images.split(250)]) for images in (x[:1000], new))
            loss, off = float(F.mse_loss(f, y[:1000])), float((g - truth).abs().mean()) * scale
            finite = loss < float("inf")
            trace.append((spent, loss if finite else None, off if finite else None))
    return trace


class Results:
    """Runs that were made, in a file of one line each."""

    def __init__(self, file):
        self.file, self.known = file, {}
        if file is not None and file.exists():
            for line in file.read_text().splitlines():
                run = json.loads(line)
                self.known[json.dumps(run["of"])] = run["trace"]

    def of(self, name, setting, data, seconds, seed, looks=LOOKS):
        key = [name, setting, list(data[0].shape), seconds, seed]
        if json.dumps(key) not in self.known:
            trace = train(name, setting, data, seconds, seed, looks)
            self.known[json.dumps(key)] = trace
            if self.file is not None:
                with self.file.open("a") as out:
                    out.write(json.dumps({"of": key, "trace": trace}) + "\n")
        return self.known[json.dumps(key)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tune", type=float, default=60.0)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--methods", default="Gram-Gauss-Newton,AdamW,SGD")
    parser.add_argument("--results", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    images, ages = faces(arguments.folder, arguments.side)
    held, mean, scale = len(images) // 10, ages.mean(), float(ages.std())
    images, ages = (images - images.mean((0, 2, 3), keepdim=True)) / images.std(), (ages - mean) / scale
    data = images[held:], ages[held:], images[:held], ages[:held], scale
    print(f"{len(images)} faces; always the mean: {float(data[3].abs().mean()) * scale:.2f} years off", flush=True)
    results = Results(arguments.results)
    for name in arguments.methods.split(","):
        settings, tried = METHODS[name][2], []
        for setting in settings:
            loss = results.of(name, setting, data, arguments.tune, 100, looks=1)[-1][1]
            tried.append((float("inf") if loss is None else loss, setting))
            print(f"{name:18s} {arguments.tune:6.0f} s  {setting}  training loss {tried[-1][0]:.4f}", flush=True)
        best = min(tried, key=lambda pair: pair[0])[1]
        for seed in range(arguments.seeds):
            for spent, loss, off in results.of(name, best, data, arguments.seconds, seed):
                shown = "not finite" if loss is None else f"training loss {loss:.4f}  {off:.2f} years off"
                print(f"{name:18s} seed {seed} {spent:7.1f} s  {shown}", flush=True)


if __name__ == "__main__":
    main()
