"""Differential equations by a network: Gram-Gauss-Newton beside L-BFGS and Adam, all on the same points and in the same processor time.

    python examples/pytorch_differential_equations.py [EQUATION ..] [--methods M,..] [--seconds S] [--seeds N] [--results FILE] [--plot FILE]

EQUATION is one of poisson, poisson5, heat, burgers, inverse; all unless named. Each method minimises the mean square of the
residuals inside the domain plus that of the conditions on its edge. The error is relative, ‖u − exact‖/‖exact‖ on points
of its own; of ``inverse`` it is that of the coefficient which the network has to find. What stands in the file of --results is not
run again. Needs PyTorch; --plot needs matplotlib.
"""

import argparse
import json
import math
import time
from pathlib import Path

import torch
from torch import nn

from gramstep.torch import GramGaussNewton


def slope(u, x, axis):
    return torch.autograd.grad(u.sum(), x, create_graph=True)[0][:, axis]


def second(u, x, axis):
    return slope(slope(u, x, axis), x, axis)


def perceptron(inputs, width=32, depth=2):
    sizes = [inputs, *[width] * depth]
    hidden = [layer for a, b in zip(sizes, sizes[1:]) for layer in (nn.Linear(a, b), nn.Tanh())]
    return nn.Sequential(*hidden, nn.Linear(width, 1)).double()


class Equation:
    """Points, residuals, error. Points of the domain lie in the unit cube; time, where there is one, is the last axis."""

    inputs, inside, edge, test = 2, 400, 80, 4000

    def __init__(self, seed):
        generator = torch.Generator().manual_seed(seed)

        def draw(n):
            return torch.rand(n, self.inputs, dtype=torch.float64, generator=generator)

        self.x, self.rim, self.points = draw(self.inside).requires_grad_(), draw(self.edge), draw(self.test)
        for at, (axis, side) in enumerate(self.sides()):
            self.rim[at :: len(self.sides()), axis] = side

    def sides(self):
        return [(axis, side) for axis in range(self.inputs) for side in (0.0, 1.0)]

    def model(self):
        return perceptron(self.inputs)

    def blocks(self, model):
        r, s = self.residual(model, self.x), model(self.rim)[:, 0] - self.exact(self.rim)
        return [r / math.sqrt(len(r)), s / math.sqrt(len(s))]

    def error(self, model):
        with torch.no_grad():
            exact = self.exact(self.points)
            return float((model(self.points)[:, 0] - exact).norm() / exact.norm())


class Poisson(Equation):
    """−Δu = f on the square, u = sin πx sin πy."""

    def exact(self, x):
        return torch.sin(math.pi * x).prod(1)

    def residual(self, model, x):
        u = model(x)[:, 0]
        laplacian = sum(second(u, x, axis) for axis in range(self.inputs))
        return laplacian + self.inputs * math.pi**2 * self.exact(x.detach())


class Poisson5(Poisson):
    """−Δu = f in five dimensions, u = Σ cos πx_i."""

    inputs, inside, edge = 5, 600, 300

    def model(self):
        return perceptron(5, 48)

    def exact(self, x):
        return torch.cos(math.pi * x).sum(1)

    def residual(self, model, x):
        u = model(x)[:, 0]
        return sum(second(u, x, axis) for axis in range(5)) + math.pi**2 * self.exact(x.detach())


class Heat(Equation):
    """u_t = u_xx/4, u = e^(−π²t/4) sin πx; the edge is all but the last moment."""

    def sides(self):
        return [(0, 0.0), (0, 1.0), (1, 0.0)]

    def exact(self, x):
        return torch.exp(-(math.pi**2) * x[:, 1] / 4) * torch.sin(math.pi * x[:, 0])

    def residual(self, model, x):
        u = model(x)[:, 0]
        return slope(u, x, 1) - second(u, x, 0) / 4


class Burgers(Heat):
    """u_t + u u_z = (0.01/π) u_zz on z = 2x − 1 from −sin πz: a shock forms. Exact by Cole and Hopf."""

    inside, edge, viscosity = 1200, 240, 0.01 / math.pi

    def model(self):
        return perceptron(2, 24, 3)

    def exact(self, x):
        nodes, weights = gauss_hermite(120)
        z, t = 2 * x[:, :1] - 1, x[:, 1:].clamp_min(1e-12)
        y = z - nodes * (4 * self.viscosity * t).sqrt()
        kernel = weights * torch.exp(-torch.cos(math.pi * y) / (2 * math.pi * self.viscosity) - 0.5 / (math.pi * self.viscosity))
        return -(torch.sin(math.pi * y) * kernel).sum(1) / kernel.sum(1)

    def residual(self, model, x):
        u = model(x)[:, 0]
        return slope(u, x, 1) + u * slope(u, x, 0) / 2 - self.viscosity * second(u, x, 0) / 4


class Inverse(Heat):
    """u_t = k u_xx with k unknown, u measured at 60 points: the network and k at once."""

    coefficient = 0.31

    def model(self):
        model = perceptron(2)
        model.register_parameter("k", nn.Parameter(torch.tensor(1.0, dtype=torch.float64)))
        return model

    def exact(self, x):
        return torch.exp(-self.coefficient * math.pi**2 * x[:, 1]) * torch.sin(math.pi * x[:, 0])

    def residual(self, model, x):
        u = model(x)[:, 0]
        return slope(u, x, 1) - model.k * second(u, x, 0)

    def blocks(self, model):
        r, seen = self.residual(model, self.x), self.points[:60]
        return [r / math.sqrt(len(r)), (model(seen)[:, 0] - self.exact(seen)) / math.sqrt(60)]

    def error(self, model):
        return abs(float(model.k.detach()) / self.coefficient - 1)


def gauss_hermite(n):
    """Nodes and weights of ∫ e^(−s²) g(s) ds: eigenvalues (Golub and Welsch 1969), 1/Σh_k² with orthonormal h_k.

    The weights far out have to be right in their own size: of Burgers' shock they decide.
    """
    off = torch.sqrt(torch.arange(1, n, dtype=torch.float64) / 2)
    nodes = torch.linalg.eigvalsh(torch.diag(off, 1) + torch.diag(off, -1))
    before, now = torch.zeros_like(nodes), torch.full_like(nodes, math.pi**-0.25)
    total = now.square()
    for k in range(1, n):
        before, now = now, math.sqrt(2 / k) * nodes * now - math.sqrt((k - 1) / k) * before
        total += now.square()
    return nodes, 1 / total


def gram_gauss_newton(equation, model):
    optimizer = GramGaussNewton(model.parameters(), damping="adaptive", acceleration=True)
    return lambda spent: optimizer.step(lambda: (equation.blocks(model), None))


def loss(equation, model):
    return sum(0.5 * block.square().sum() for block in equation.blocks(model))


def lbfgs(equation, model):
    optimizer = torch.optim.LBFGS(
        model.parameters(), history_size=50, line_search_fn="strong_wolfe", tolerance_grad=1e-14, tolerance_change=1e-16
    )

    def closure():
        optimizer.zero_grad()
        value = loss(equation, model)
        value.backward()
        return value

    return lambda spent: optimizer.step(closure)


def adam(equation, model):
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def step(spent):
        optimizer.param_groups[0]["lr"] = 3e-3 * (1 - spent) + 1e-6
        optimizer.zero_grad()
        loss(equation, model).backward()
        optimizer.step()

    return step


EQUATIONS = {"poisson": Poisson, "poisson5": Poisson5, "heat": Heat, "burgers": Burgers, "inverse": Inverse}
METHODS = {"Gram-Gauss-Newton": gram_gauss_newton, "L-BFGS": lbfgs, "Adam": adam}


def race(equation, method, seconds, seed):
    """[(seconds, error), ..] of a method from the network of that seed."""
    torch.manual_seed(seed)
    model = equation.model()
    step = METHODS[method](equation, model)
    trace, start, paused = [(0.0, equation.error(model))], time.process_time(), 0.0
    while (spent := time.process_time() - start - paused) < seconds:
        step(spent / seconds)
        now = time.process_time()
        trace.append((now - start - paused, equation.error(model)))
        paused += time.process_time() - now  # looking at the error is free
    return trace


def races(equations, name, method, seconds, seeds, file=None):
    """The traces of a method on an equation from each seed; what stands in the file is not run again, what is run is added to it."""
    known, traces = {}, []
    if file is not None and file.exists():
        known = {tuple(run["of"]): run["trace"] for run in map(json.loads, file.read_text().splitlines())}
    for seed in seeds:
        of = (name, method, seconds, seed)
        trace = known.get(of) or race(equations[name](seed), method, seconds, seed)
        if file is not None and of not in known:
            with file.open("a") as out:
                out.write(json.dumps({"of": of, "trace": trace}) + "\n")
        traces.append(trace)
    return traces


def draw(results, file):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(results), figsize=(4.2 * len(results), 3.6), squeeze=False)
    colours = dict(zip(METHODS, ("C0", "C1", "C2")))
    for axis, (name, traces) in zip(axes[0], results.items()):
        for method, seeds in traces.items():
            for at, trace in enumerate(seeds):
                axis.semilogy(*zip(*trace), color=colours[method], label=method if at == 0 else None)
        axis.set(title=name, xlabel="seconds of processor time", ylabel="relative error")
    axes[0][0].legend()
    figure.tight_layout()
    figure.savefig(file, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("equations", nargs="*", metavar="EQUATION", help=", ".join(EQUATIONS))
    parser.add_argument("--methods", default=",".join(METHODS), metavar="M,..", help="some of %(default)s")
    parser.add_argument("--seconds", type=float, default=1.0, help="of processor time for each method (1)")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--results", metavar="FILE", type=Path)
    parser.add_argument("--plot", metavar="FILE")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    methods = arguments.methods.split(",")
    if unknown := set(methods) - set(METHODS):
        parser.error(f"--methods: {', '.join(unknown)}: expected some of {', '.join(METHODS)}")
    results = {}
    for name in arguments.equations or EQUATIONS:
        if name not in EQUATIONS:
            parser.error(f"{name}: expected one of {', '.join(EQUATIONS)}")
        results[name] = {method: [] for method in methods}
        for seed in range(arguments.seeds):
            for method in methods:
                (trace,) = races(EQUATIONS, name, method, arguments.seconds, [seed], arguments.results)
                results[name][method].append(trace)
                print(f"{name:10s} seed {seed}  {method:18s} {len(trace) - 1:6d} steps  error {trace[-1][1]:.1e}", flush=True)
    if arguments.plot:
        draw(results, arguments.plot)


if __name__ == "__main__":
    main()
