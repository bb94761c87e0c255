"""What the whole optimizer is told and what its groups are: set, refused, saved, loaded, copied."""

import copy
import io
import pickle

import dense
import pytest
import torch
from gramstep.torch import GramGaussNewton
from torch import nn

SETTINGS = {
    "damping": ("absolute", 0.3),
    "loss": "huber",
    "momentum": 0.9,
    "ridge": 0.1,
    "max_output_change": 0.5,
    "acceleration": False,
}
ACCELERATED = {**SETTINGS, "damping": "adaptive", "acceleration": True, "momentum": 0.0}


def network():
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).double()


def batch():
    return torch.randn(7, 5).double(), torch.randn(7, 3).double()


def settings(optimizer):
    return {name: getattr(optimizer, name) for name in SETTINGS}


def own(f, y):
    return 0.5 * (f - y).square().sum(), None, f - y


def stored(state):
    """A state after a file."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file)


# Set.


@pytest.mark.parametrize(
    "given",
    [{"damping": 0.1}, {"damping": ("absolute", 0.2)}, {"momentum": 0.5}, {"ridge": 0.3}, {"loss": "huber"}, {"max_output_change": 0.01}],
)
def test_a_setting_that_is_changed_holds_from_the_next_step_on(given):
    model, (x, y) = network(), batch()
    other = copy.deepcopy(model)
    changed, built = GramGaussNewton(model.parameters()), GramGaussNewton(other.parameters(), **given)
    for name, value in given.items():
        setattr(changed, name, value)
        assert getattr(changed, name) == value
    for _ in range(2):
        assert changed.step(model(x), y) == built.step(other(x), y)
    assert torch.equal(dense.flat(model.parameters()), dense.flat(other.parameters()))


def test_damping_becomes_adaptive_and_a_number_again():
    model, (x, y) = network(), batch()
    optimizer = GramGaussNewton(model.parameters())
    optimizer.damping = "adaptive"
    with pytest.raises(ValueError, match="closure"):
        optimizer.step(model(x), y)
    optimizer.step(lambda: (model(x), y))
    assert optimizer.report.loss_after is not None and optimizer.damping == "adaptive"
    optimizer.damping = 0.5
    optimizer.damping *= 0.5
    optimizer.step(model(x), y)
    assert optimizer.report.relative_damping == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("damping", -1.0),
        ("damping", "fixed"),
        ("damping", ("relative", 0.1)),
        ("damping", None),
        ("momentum", 1.0),
        ("momentum", "much"),
        ("ridge", -0.1),
        ("max_output_change", 0.0),
        ("loss", "hubert"),
        ("loss", None),
        ("acceleration", True),
    ],
)
def test_a_setting_out_of_range_is_told_and_changes_nothing(name, value):
    model = network()
    with pytest.raises(ValueError, match=name):
        GramGaussNewton(model.parameters(), **{name: value})
    optimizer = GramGaussNewton(model.parameters())
    before = settings(optimizer)
    with pytest.raises(ValueError, match=name):
        setattr(optimizer, name, value)
    assert settings(optimizer) == before
