"""Momentum: its start, and beside damping that adapts."""

import math

import numpy as np
import torch

from gramstep.torch import GramGaussNewton


def problem(seed=0):
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1)).double()
    x = torch.rand(30, 2, dtype=torch.float64) * 2 - 1
    return model, x, torch.sin(4 * x[:, :1]) * x[:, 1:]


def test_training_does_not_stand_still_beside_adaptive_damping():
    for seed in range(3):
        model, x, y = problem(seed)
        optimizer = GramGaussNewton(model.parameters(), lr=1.0, damping="adaptive", momentum=0.9)
        losses = [optimizer.step(lambda: (model(x), y)) for _ in range(150)]
        assert losses[-1] < 1e-6 * losses[0], (seed, losses[0], losses[-1])
        assert np.all(np.diff(losses) <= 0)


def test_the_start_is_corrected_by_all_momenta_and_lasts_through_a_state():
    model, x, y = problem()
    optimizer = GramGaussNewton(model.parameters(), lr=0.1, damping=0.1, momentum=0.9)
    for step in range(1, 6):
        optimizer.step(model(x), y)
        expected = 0.1 / math.sqrt(1 - 0.9 ** (2 * step))
        assert abs(optimizer.report.length / expected - 1) < 1e-12
    state = optimizer.state_dict()
    old = {**state, "progress": {"steps": 5, "updates": 5, "damping": state["progress"]["damping"]}}
    for kept in (state, old):
        again = GramGaussNewton(model.parameters(), lr=0.1, damping=0.1, momentum=0.9)
        again.load_state_dict(kept)
        again.step(model(x), y)
        assert abs(again.report.length / (0.1 / math.sqrt(1 - 0.9**12)) - 1) < 1e-12
