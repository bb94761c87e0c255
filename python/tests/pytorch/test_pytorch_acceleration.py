"""Geodesic acceleration against its definition in parameter space, and which steps it lets through."""

import dense
import pytest
import torch
from gramstep.torch import GramGaussNewton
from test_pytorch_optimizer import LOSSES, network, primal, rows
from torch import nn


class Product(nn.Module):
    """W₂W₁x, quadratic in the parameters: two evaluations tell f″ exactly."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 4, bias=False), nn.Linear(4, 3, bias=False)).double()

    def forward(self, x):
        return self.layers(x)

    def bend(self, x, v):
        """f″ along v."""
        first, second = (part.reshape(w.shape) for part, w in zip(v.split([20, 12]), self.parameters()))
        return 2 * x @ first.T @ second.T


def settled(optimizer, closure):
    """A step that is accepted at its first trial, after which the damping can be read."""
    optimizer._damping.relative = 3.0
    optimizer.step(closure)
    assert optimizer.report.accepted and optimizer.report.trials == 1
    return optimizer.report.damping


@pytest.mark.parametrize("ridge", [0.0, 0.1])
@pytest.mark.parametrize("name", LOSSES)
def test_the_correction_is_that_of_the_primal_problem(name, ridge):
    curvature, targets, _ = LOSSES[name]
    model, x, y = Product(), rows(), targets()
    start = dense.flat(model.parameters())
    f = model(x).detach()
    Q, g = curvature(f, y)
    J = dense.jacobian(model(x), list(model.parameters()))
    optimizer = GramGaussNewton(model.parameters(), damping="adaptive", acceleration=True, lr=0.5, loss=name.split(",")[0], ridge=ridge)
    damping = settled(optimizer, lambda: (model(x), y))
    got = dense.flat(model.parameters()) - start
    with torch.no_grad():
        for p, part in zip(model.parameters(), start.split([20, 12])):
            p.copy_(part.reshape(p.shape))
    v = -0.5 * primal(model, x, Q, g, damping, ridge, torch.zeros_like(start), 0.0)
    bent = model.bend(x, v).detach().reshape(-1)
    a = -torch.linalg.solve(J.T @ Q @ J + (damping + ridge) * torch.eye(32, dtype=J.dtype), J.T @ Q @ bent)
    assert float(a.norm() / v.norm()) > 1e-3
    assert dense.off(got, v + a / 2) < 1e-8


def test_weights_of_groups_scale_the_correction():
    x, y = rows(), rows(7, 3)
    torch.manual_seed(3)
    plain, weighted = Product(), Product()
    with torch.no_grad():  # θ = √s θ̃ is the network with weights s at the same outputs
        for p, q in zip(plain.parameters(), weighted.parameters()):
            q.copy_(2 * p)
    first = GramGaussNewton(plain.parameters(), damping="adaptive", acceleration=True)
    groups = [{"params": [p], "weight": 4.0} for p in weighted.parameters()]
    second = GramGaussNewton(groups, damping="adaptive", acceleration=True)
    for optimizer, model, scale in ((first, plain, 4.0), (second, weighted, 1.0)):
        settled(optimizer, lambda model=model, scale=scale: (model(x) * scale, y))
    assert dense.off(dense.flat(weighted.parameters()), 2 * dense.flat(plain.parameters())) < 1e-9


def test_what_is_linear_in_its_parameters_needs_no_correction():
    x, y, found = rows(), rows(7, 2), []
    for acceleration in (False, True):
        torch.manual_seed(1)
        model = nn.Linear(5, 2).double()
        optimizer = GramGaussNewton(model.parameters(), damping="adaptive", acceleration=acceleration)
        for _ in range(3):
            optimizer.step(lambda: (model(x), y))
        found.append(dense.flat(model.parameters()))
    assert dense.off(found[1], found[0]) < 1e-9


class Square(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.ones(1, dtype=torch.float64))

    def forward(self, x):
        return x * self.a**2


def test_steps_that_bend_too_much_are_rejected_though_they_lower_the_loss():
    # f = θ² at θ = 1: v = −2r/(4 + λ), a = −4v²/(4 + λ), 2‖a‖/‖v‖ ≈ 2|v|.
    x = torch.ones(1, 1, dtype=torch.float64)
    for miss, trials in ((0.5, 1), (1.2, 4)):
        model = Square()
        optimizer = GramGaussNewton(model.parameters(), damping="adaptive", acceleration=True)
        optimizer.step(lambda model=model, miss=miss: (model(x), x - miss))
        assert (optimizer.report.accepted, optimizer.report.trials) == (True, trials)
        damping = optimizer.report.damping
        assert 8 * 2 * miss / (4 + damping) ** 2 <= 0.75


def test_an_equation_is_solved_in_far_fewer_steps():
    from test_pytorch_equations import perceptron, points, poisson

    losses = []
    for acceleration in (False, True):
        torch.manual_seed(0)
        model, inside = perceptron().double(), points(60)
        edge = torch.rand(24, 2, dtype=torch.float64)
        edge[:, 0].round_()
        optimizer = GramGaussNewton(model.parameters(), damping="adaptive", acceleration=acceleration)
        for _ in range(60):
            optimizer.step(lambda: ([poisson(model, inside), model(edge)[:, 0] * 3], None))
        losses.append(optimizer.report.loss_after or optimizer.report.loss)
    assert losses[1] < 1e-2 * losses[0]


def test_outputs_that_are_infinite_ahead_are_no_reason_to_stop():
    model, x, y, calls = network(1), rows(), rows(7, 1), []

    def closure():
        calls.append(1)
        f = model(x)
        return (f * float("inf") if len(calls) == 3 else f), y  # 1: the step, 2: again, 3: ahead

    optimizer = GramGaussNewton(model.parameters(), damping="adaptive", acceleration=True)
    optimizer.step(closure)
    assert optimizer.report.accepted and optimizer.report.trials == 2


@pytest.mark.parametrize("failing", [3, 4])
def test_a_closure_that_fails_on_the_way_leaves_the_parameters(failing):
    model, x, calls = network(1), rows(), []

    def closure():
        calls.append(1)
        if len(calls) == failing:
            raise KeyboardInterrupt
        return model(x), torch.zeros(7, 1)

    before = dense.flat(model.parameters()).clone()
    with pytest.raises(KeyboardInterrupt):
        GramGaussNewton(model.parameters(), damping="adaptive", acceleration=True).step(closure)
    assert torch.equal(before, dense.flat(model.parameters()))


def test_a_closure_of_another_shape_ahead_is_told_and_changes_nothing():
    model, x, calls = network(1), rows(), []

    def closure():
        calls.append(1)
        n = 5 if len(calls) == 3 else 7
        return model(x[:n]), torch.zeros(n, 1)

    before = dense.flat(model.parameters()).clone()
    with pytest.raises(ValueError, match="shape"):
        GramGaussNewton(model.parameters(), damping="adaptive", acceleration=True).step(closure)
    assert torch.equal(before, dense.flat(model.parameters()))


def test_acceleration_is_for_adaptive_damping():
    with pytest.raises(ValueError, match="acceleration"):
        GramGaussNewton([nn.Parameter(torch.ones(1))], damping=1e-2, acceleration=True)
