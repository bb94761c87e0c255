"""Differential equations on which others have published errors: what gramstep.torch reaches, and what they report.

    python benchmarks/pytorch_published.py [EQUATION ..] [--seconds S] [--seeds N] [--results FILE]

EQUATION is one of poisson, sines5, heat, shock (Burgers); all unless named. Errors are relative, ‖u − exact‖/‖exact‖. Each runs for S seconds
of processor time on one thread (60) from N seeds (3); what FILE holds is not run again. Prints a table in Markdown.
Sources are keys of references.bib; networks and points are gramstep's own and need not be theirs.
"""

import argparse
import itertools
import math
import statistics
import sys
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
import pytorch_differential_equations as differential  # noqa: E402


class Sines(differential.Poisson5):
    """−Δu = π²u in five dimensions, u = Σ sin πx_i."""

    def exact(self, x):
        return torch.sin(math.pi * x).sum(1)


class Centred(nn.Module):
    """A perceptron of inputs from −1 to 1."""

    def __init__(self):
        super().__init__()
        self.body = differential.perceptron(2, 16, 3)
        for layer in self.body[::2]:
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        return self.body(2 * x - 1)


class Shock(differential.Burgers):
    """Burgers' equation; half of the points lie at distances of every size from the shock, and new ones are drawn as the training goes on.

    The shock is a fiftieth as wide as evenly spread points are apart: at these a network solves the equation with a shock
    in a wrong place.
    """

    inside, edge, near, renewed = 900, 200, 450, 10

    def __init__(self, seed):
        super().__init__(seed)
        self.generator = torch.Generator().manual_seed(seed + 1)

    def model(self):
        return Centred().double()

    def draw(self):
        x = torch.rand(self.inside, 2, dtype=torch.float64, generator=self.generator)
        size, side = torch.rand(2, self.near, dtype=torch.float64, generator=self.generator)
        x[: self.near, 0] = 0.5 + (side - 0.5).sign() * 10 ** (3.2 * size - 3.5)
        self.x = x.requires_grad_()

    def blocks(self, model):
        r, s = super().blocks(model)
        return [r, 5 * s]


def gram_gauss_newton(equation, model):
    step, count = differential.gram_gauss_newton(equation, model), itertools.count()

    def stepping(spent):
        if hasattr(equation, "draw") and next(count) % equation.renewed == 0:
            equation.draw()
        return step(spent)

    return stepping


differential.METHODS["published"] = gram_gauss_newton

EQUATIONS = {
    "poisson": differential.Poisson,
    "sines5": Sines,
    "heat": differential.Heat,
    "shock": Shock,
}

REPORTED = {
    "poisson": "1e-8 to 1e-6; other optimisers 1e-4 to 1e-3 (muller2023)",
    "sines5": "1e-8 to 1e-6 over all equations there (muller2023)",
    "heat": "1e-8 to 1e-6 over all equations there (muller2023)",
    "shock": "6.7e-4 (raissi2019)",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("equations", nargs="*", metavar="EQUATION", help=", ".join(EQUATIONS))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--results", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| equation | numbers in the network | errors | median | reported |\n|---|---|---|---|---|", flush=True)
    for name in arguments.equations or EQUATIONS:
        if name not in EQUATIONS:
            parser.error(f"{name}: expected one of {', '.join(EQUATIONS)}")
        size = sum(p.numel() for p in EQUATIONS[name](0).model().parameters())
        races = differential.races(EQUATIONS, name, "published", arguments.seconds, range(arguments.seeds), arguments.results)
        errors = [trace[-1][1] for trace in races]
        each = ", ".join(f"{error:.1e}" for error in errors)
        print(f"| {name} | {size} | {each} | {statistics.median(errors):.1e} | {REPORTED[name]} |", flush=True)


if __name__ == "__main__":
    main()
