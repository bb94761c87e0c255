"""The same Gram-Gauss-Newton step by other packages: per-sample gradients of BackPACK and of torch.func, products of curvlinops.

    python benchmarks/pytorch_peers.py [NETWORK ..] [--repeats N] [--threads N]

Networks: mlp, wide, cnn (see pytorch_steps.py; one output, squared loss). Each takes θ − η Jᵀ(JJᵀ + λI)⁻¹(f − y) with the
same λ, from the same start; curvlinops has products with JᵀJ alone, by which conjugate gradients find the step to a
residual of 1 %. Prints the least processor time, its ratio to that of gramstep, and how far the step lies from gramstep's. Timed
in turn. Needs backpack-for-pytorch and curvlinops-for-pytorch; what is missing is left out.
"""

import argparse

import torch
from pytorch_steps import NETWORKS, clock
from torch import nn

from gramstep.torch import GramGaussNewton, Tangent

DAMPING, RATE = 0.1, 0.1


def finish(model, r, rows):
    """From per-sample gradients (n, ..) of every parameter."""
    rows = [g.flatten(1) for g in rows]
    G = sum(g @ g.T for g in rows)
    c = torch.linalg.solve(G + DAMPING * G.diagonal().mean() * torch.eye(len(G)), r)
    with torch.no_grad():
        for p, g in zip(model.parameters(), rows):
            p -= RATE * (c @ g).reshape(p.shape)


def gramstep(model, x, y):
    optimizer = GramGaussNewton(model.parameters(), lr=RATE, damping=DAMPING)
    return lambda: optimizer.step(model(x), y)


def torch_func(model, x, y):
    def one(parameters, row):
        return torch.func.functional_call(model, parameters, (row[None],))[0, 0]

    jacobian = torch.func.vmap(torch.func.grad(one), (None, 0))

    def step():
        r = (model(x) - y).detach()[:, 0]
        finish(model, r, jacobian(dict(model.named_parameters()), x).values())

    return step


def backpack(model, x, y):
    from backpack import backpack, extend
    from backpack.extensions import BatchGrad

    model = extend(model)

    def step():
        model.zero_grad()
        f = model(x)
        with backpack(BatchGrad()):
            f.sum().backward()
        finish(model, (f - y).detach()[:, 0], [p.grad_batch for p in model.parameters()])

    return step


def curvlinops(model, x, y):
    from curvlinops import GGNLinearOperator

    def step():
        parameters = list(model.parameters())
        f = model(x)
        gradient = torch.cat([g.flatten() for g in torch.autograd.grad(0.5 * (f - y).square().sum(), parameters)])
        # Its curvature of a summed square is 2.
        operator = GGNLinearOperator(model, nn.MSELoss(reduction="sum"), list(parameters), [(x, y)], check_deterministic=False)
        damping = DAMPING * step.mean_diagonal

        def product(v):
            return 0.5 * (operator @ v) + damping * v

        update = conjugate_gradients(product, gradient)
        with torch.no_grad():
            for p, piece in zip(parameters, update.split([p.numel() for p in parameters])):
                p -= RATE * piece.reshape(p.shape)

    # Known to it for nothing: the damping that the others take from G.
    step.mean_diagonal = float(Tangent(model(x), list(model.parameters())).diagonal().mean())
    return step


def conjugate_gradients(product, b, tolerance=1e-2, most=200):
    x, r = torch.zeros_like(b), b.clone()
    p, size = r.clone(), float(r @ r)
    for _ in range(most):
        q = product(p)
        length = size / float(p @ q)
        x, r = x + length * p, r - length * q
        before, size = size, float(r @ r)
        if size <= tolerance**2 * float(b @ b):
            break
        p = r + (size / before) * p
    return x


METHODS = {"gramstep": gramstep, "torch.func": torch_func, "BackPACK": backpack, "curvlinops": curvlinops}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for name in arguments.networks or ["mlp", "wide", "cnn"]:
        make, shape, _ = NETWORKS[name]
        torch.manual_seed(0)
        x, y = torch.randn(shape), torch.randn(shape[0], 1)
        steps, after = {}, {}
        for method, prepare in METHODS.items():
            torch.manual_seed(1)
            model = make()
            try:
                steps[method] = prepare(model, x, y)
            except ImportError as missing:
                print(f"{name:9s} {method:11s} left out: {missing}")
                continue
            before = nn.utils.parameters_to_vector(model.parameters()).detach().clone()
            steps[method]()
            after[method] = nn.utils.parameters_to_vector(model.parameters()).detach() - before
        times = {method: [] for method in steps}
        for _ in range(arguments.repeats):
            for method, step in steps.items():
                times[method].append(clock(step))
        for method, found in times.items():
            off = float((after[method] - after["gramstep"]).norm() / after["gramstep"].norm())
            ratio = min(found) / min(times["gramstep"])
            print(f"{name:9s} {method:11s} {1e3 * min(found):8.1f} ms  {ratio:6.2f} of gramstep  step {off:.0e} away", flush=True)


if __name__ == "__main__":
    main()
