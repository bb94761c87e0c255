"""What a Gram-Gauss-Newton step costs beside PyTorch's own steps and beside the same G by torch.func.

    python benchmarks/pytorch_steps.py [NETWORK ..] [--threads N] [--repeats N] [--memory]

Networks: mlp, wide, cnn, resnet18, vit (one output, squared loss), mlp10, resnet10 (ten classes: one row a sample, and exact).
Prints a line for each: least processor time of a whole step (forward included), and its ratio to SGD's. The steps are timed
in turn, so that a disturbance meets them all. --memory: peak resident memory of a process that takes three steps, in MiB (Linux).
"""

import argparse
import multiprocessing
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from gramstep.torch import GramGaussNewton


class Block(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.first, self.second = nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([nn.GroupNorm(8, out), nn.GroupNorm(8, out)])
        same = stride == 1 and channels == out
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels, out, 1, stride, bias=False)

    def forward(self, x):
        y = self.norms[1](self.second(F.relu(self.norms[0](self.first(x)))))
        return F.relu(y + self.shortcut(x))


def resnet18(outputs, width=32):
    blocks, before = [nn.Conv2d(3, width, 3, padding=1, bias=False), nn.GroupNorm(8, width), nn.ReLU()], width
    for stage in range(4):
        for block in range(2):
            blocks.append(Block(before, width << stage, 2 if stage and not block else 1))
            before = width << stage
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, outputs))


class VisionTransformer(nn.Module):
    def __init__(self, width=128, depth=4):
        super().__init__()
        self.patches, self.token = nn.Conv2d(3, width, 4, 4), nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, 65, width))
        block = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.encoder, self.head = nn.TransformerEncoder(block, depth, enable_nested_tensor=False), nn.Linear(width, 1)

    def forward(self, x):
        x = torch.cat([self.token.expand(len(x), -1, -1), self.patches(x).flatten(2).transpose(1, 2)], 1)
        return self.head(self.encoder(x + self.positions)[:, 0])


def perceptron(width, outputs=1):
    return nn.Sequential(nn.Linear(784, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, outputs))


def convolutions():
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(4096, 128), nn.ReLU(), nn.Linear(128, 1),
    )


NETWORKS = {
    "mlp": (lambda: perceptron(256), (128, 784), 1),
    "wide": (lambda: perceptron(2048), (128, 784), 1),
    "cnn": (convolutions, (64, 3, 32, 32), 1),
    "resnet18": (lambda: resnet18(1), (64, 3, 32, 32), 1),
    "vit": (VisionTransformer, (64, 3, 32, 32), 1),
    "mlp10": (lambda: perceptron(256, 10), (128, 784), 10),
    "resnet10": (lambda: resnet18(10), (32, 3, 32, 32), 10),
}


def first_order(model, optimizer, x, y, k):
    loss = F.mse_loss if k == 1 else F.cross_entropy

    def step():
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()

    return step


def gram(model, x, y, **settings):
    optimizer = GramGaussNewton(model.parameters(), lr=0.1, **settings)
    return lambda: optimizer.step(model(x), y)


def by_torch_func(model, x, y):
    """The same step from per-sample Jacobians."""
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def one(parameters, row):
        return torch.func.functional_call(model, parameters, (row[None],))[0, 0]

    jacobian = torch.func.vmap(torch.func.grad(one), (None, 0))

    def step():
        r = (model(x) - y).detach()[:, 0]
        rows = {name: g.flatten(1) for name, g in jacobian(parameters, x).items()}
        G = sum(g @ g.T for g in rows.values())
        c = torch.linalg.solve(G + 0.1 * G.diagonal().mean() * torch.eye(len(G)), r)
        for name, g in rows.items():
            parameters[name] -= 0.1 * (c @ g).reshape(parameters[name].shape)

    return step


def steps(name):
    make, shape, k = NETWORKS[name]
    torch.manual_seed(0)
    x = torch.randn(shape)
    y = torch.randn(shape[0], 1) if k == 1 else torch.randint(0, k, (shape[0],))
    makers = {
        "sgd": lambda m: first_order(m, torch.optim.SGD(m.parameters(), 1e-3, momentum=0.9), x, y, k),
        "adamw": lambda m: first_order(m, torch.optim.AdamW(m.parameters(), 1e-3), x, y, k),
    }
    if k == 1:
        makers["gram"] = lambda m: gram(m, x, y, damping=0.1)
        makers["gram, momentum"] = lambda m: gram(m, x, y, damping=0.1, momentum=0.9)
        if name != "vit":  # its fused attention has no rule there
            makers["torch.func"] = lambda m: by_torch_func(m, x, y)
    else:
        makers["gram, one row"] = lambda m: gram(m, x, y, damping=("absolute", shape[0] / 2), loss="cross_entropy_one_row")
        makers["gram, exact"] = lambda m: gram(m, x, y, damping=0.1, loss="cross_entropy")
    return {method: (lambda maker=maker: maker(make())) for method, maker in makers.items()}


def clock(step):
    start = time.process_time()
    step()
    return time.process_time() - start


def peak(name, method, threads, queue):
    torch.set_num_threads(threads)
    step = steps(name)[method]()
    for _ in range(3):
        step()
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    queue.put(int(line.split()[1]) / 1024)


def memory(name, method, threads):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=peak, args=(name, method, threads, queue))
    process.start()
    found = queue.get()
    process.join()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--memory", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for name in arguments.networks or NETWORKS:
        ready = {method: make() for method, make in steps(name).items()}
        for step in ready.values():
            step()
            step()
        times = {method: [] for method in ready}
        for _ in range(arguments.repeats):
            for method, step in ready.items():
                times[method].append(clock(step))
        for method, found in times.items():
            line = f"{name:9s} {method:15s} {1e3 * min(found):8.1f} ms  {min(found) / min(times['sgd']):6.2f} of SGD"
            if arguments.memory:
                line += f"  {memory(name, method, arguments.threads):6.0f} MiB"
            print(line, flush=True)


if __name__ == "__main__":
    main()
