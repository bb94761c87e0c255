"""Residuals of differential equations: derivatives by create_graph, one row a point."""

import importlib.util
import math
from pathlib import Path

import dense
import pytest
import torch
from gramstep.torch import GramGaussNewton, Tangent
from torch import nn


def slope(u, x, axis):
    return torch.autograd.grad(u.sum(), x, create_graph=True)[0][:, axis]


class Field(nn.Module):
    """A network with sines, a trained amplitude, and a coefficient of the equation."""

    def __init__(self, outputs=1):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(2, 12), nn.Linear(12, 12), nn.Linear(12, outputs)
        self.amplitude, self.coefficient = nn.Parameter(torch.ones(12)), nn.Parameter(torch.tensor(0.3))

    def forward(self, x):
        h = torch.tanh(self.first(x))
        return self.last(h + torch.sin(self.amplitude * self.second(h)))


class Normalised(nn.Module):
    """Trained frequencies, then LayerNorm, which is differentiated too."""

    def __init__(self):
        super().__init__()
        self.frequencies = nn.Parameter(torch.randn(2, 6))
        self.rest = nn.Sequential(nn.Linear(12, 10), nn.SiLU(), nn.LayerNorm(10), nn.Linear(10, 1))

    def forward(self, x):
        z = x @ self.frequencies
        return self.rest(torch.cat([z.sin(), z.cos()], 1))


def perceptron(outputs=1):
    return nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, outputs))


def poisson(model, x):
    u = model(x)[:, 0]
    f = 2 * math.pi**2 * torch.sin(math.pi * x.detach()).prod(1)
    return slope(slope(u, x, 0), x, 0) + slope(slope(u, x, 1), x, 1) + f


def burgers(model, x):
    u = model(x)[:, 0]
    return slope(u, x, 1) + u * slope(u, x, 0) - 0.01 * slope(slope(u, x, 0), x, 0)


def korteweg_de_vries(model, x):
    u = model(x)[:, 0]
    first = slope(u, x, 0)
    return slope(u, x, 1) + 6 * u * first + slope(slope(first, x, 0), x, 0)


def waves(model, x):
    u, v = model(x).unbind(1)
    return torch.stack([slope(u, x, 1) - slope(v, x, 0), slope(v, x, 1) - slope(u, x, 0) + u**3], 1)


def heat_with_unknown_coefficient(model, x):
    u = model(x)[:, 0]
    return slope(u, x, 1) - model.coefficient * slope(slope(u, x, 0), x, 0)


def hard_boundary(model, x):
    u = x[:, 0] * (1 - x[:, 0]) * model(x)[:, 0]
    return slope(slope(u, x, 0), x, 0) + slope(slope(u, x, 1), x, 1)


EQUATIONS = {
    "Poisson": (perceptron, poisson),
    "Burgers": (Field, burgers),
    "Korteweg-de Vries through LayerNorm": (Normalised, korteweg_de_vries),
    "a system of waves": (lambda: Field(2), waves),
    "an unknown coefficient": (Field, heat_with_unknown_coefficient),
    "a hard boundary": (perceptron, hard_boundary),
}


def points(n=9):
    return torch.rand(n, 2, dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize("name", EQUATIONS)
def test_gram_matrices_and_steps_are_those_of_the_jacobian(name):
    make, residual = EQUATIONS[name]
    model, x = make().double(), points()
    parameters = list(model.parameters())
    J = dense.jacobian(residual(model, x), parameters)
    tangent = Tangent(residual(model, x), parameters)
    assert dense.off(tangent.gram(), J @ J.T) < 1e-10
    assert dense.off(tangent.jacobian().flatten(0, 1), J) < 1e-10
    optimizer = GramGaussNewton(parameters, damping=1e-3)
    for _ in range(2):
        f = residual(model, x)
        want = dense.squared_step(f, torch.zeros_like(f), parameters, 1.0, 1e-3)
        optimizer.step(f, None)
        assert dense.off(dense.flat(parameters), want) < 1e-10


@pytest.mark.parametrize("name", ["Poisson", "Korteweg-de Vries through LayerNorm"])
def test_blocks_are_their_concatenation(name):
    make, residual = EQUATIONS[name]
    model, inside, edge = make().double(), points(8), points(5)
    parameters = list(model.parameters())

    def rows():
        return residual(model, inside) / 3, 2 * model(edge.detach())[:, 0]

    f = torch.cat(rows())
    want = dense.squared_step(f, torch.zeros_like(f), parameters, 1.0, 1e-4)
    optimizer = GramGaussNewton(parameters, damping=1e-4)
    loss = optimizer.step(list(rows()), None)
    assert dense.off(dense.flat(parameters), want) < 1e-10
    assert loss == pytest.approx(float(f.detach().square().mean()))


def test_adaptive_damping_solves_an_equation():
    model, inside = perceptron().double(), points(80)
    edge = torch.rand(32, 2, dtype=torch.float64)
    for side in range(4):
        edge[side::4, side // 2] = side % 2
    optimizer = GramGaussNewton(model.parameters(), damping="adaptive")
    losses = [
        optimizer.step(lambda: ([poisson(model, inside) / math.sqrt(80), model(edge)[:, 0] * 10 / math.sqrt(32)], None))
        for _ in range(80)
    ]
    assert all(b < a for a, b in zip(losses, losses[1:])) and losses[-1] < 1e-6 * losses[0]


@pytest.fixture
def example():
    file = Path(__file__).parents[2] / "examples" / "pytorch_differential_equations.py"
    spec = importlib.util.spec_from_file_location("pytorch_differential_equations", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_exact_solutions_of_the_example_solve_its_equations(example):
    for name, make in example.EQUATIONS.items():
        equation = make(0)
        solution = lambda x, equation=equation: equation.exact(x)[:, None]  # noqa: E731
        if name == "inverse":
            continue  # its coefficient is a parameter of the network
        r, edge = equation.blocks(solution)
        scale = 1e-3 if name == "burgers" else 1.0  # of u_zz in the shock: 10⁵
        assert float(r.abs().max()) * scale < 1e-9 and float(edge.abs().max()) < 1e-12


def test_the_exact_solution_of_burgers_has_its_shock(example):
    """Any weights in Cole and Hopf's integral solve the equation; the right ones start from −sin πz."""
    burgers = example.Burgers(0)

    def u(*points):
        return burgers.exact(torch.tensor(points, dtype=torch.float64))

    # By 30 digits: mpmath's quadrature of the integral.
    assert torch.allclose(u((0.5094, 0.4533), (0.3, 0.9)), torch.tensor([-0.967580898675618, 0.485674388349389]).double(), atol=1e-12)
    x = torch.linspace(0.001, 0.2, 50, dtype=torch.float64)
    left, right = (u(*torch.stack([0.5 + side * x, 0.05 + 4 * x], 1).tolist()) for side in (-1, 1))
    assert dense.off(left, -right) < 1e-11
    steepest = u((0.5 + 5e-7, 1.6037 / math.pi)) / 1e-6  # Basdevant et al. 1986
    assert float(steepest) == pytest.approx(-152.00516, rel=1e-5)
