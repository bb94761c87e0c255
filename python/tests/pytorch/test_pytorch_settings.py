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


# Saved and loaded.


@pytest.mark.parametrize("given", [SETTINGS, ACCELERATED])
def test_settings_are_those_of_the_state_that_is_loaded(given):
    model, (x, y) = network(), batch()
    a = GramGaussNewton(model.parameters(), **given)
    for _ in range(2):
        a.step(lambda: (model(x), y))
    other = copy.deepcopy(model)
    b = GramGaussNewton(other.parameters(), damping=0.7)
    b.load_state_dict(stored(a.state_dict()))
    assert settings(b) == given
    for _ in range(2):
        a.step(lambda: (model(x), y))
        b.step(lambda: (other(x), y))
    assert torch.equal(dense.flat(model.parameters()), dense.flat(other.parameters()))


def test_numbers_of_numpy_are_saved_as_numbers():
    np = pytest.importorskip("numpy")
    optimizer = GramGaussNewton(network().parameters(), damping=np.float64(0.1), momentum=np.float64(0.5))
    assert stored(optimizer.state_dict())["settings"]["damping"] == 0.1


def test_a_loss_of_ones_own_stays_and_another_one_is_told(recwarn):
    model = network()
    state = stored(GramGaussNewton(model.parameters(), loss=own, ridge=0.5).state_dict())
    same = GramGaussNewton(model.parameters(), loss=own)
    same.load_state_dict(state)
    assert same.loss is own and same.ridge == 0.5 and not recwarn.list
    another = GramGaussNewton(model.parameters(), loss="huber")
    with pytest.warns(UserWarning, match="own.*huber"):
        another.load_state_dict(state)
    assert another.loss == "huber" and another.ridge == 0.5
    same.load_state_dict(stored(GramGaussNewton(model.parameters(), loss="huber").state_dict()))
    assert same.loss == "huber"


def test_a_state_without_settings_leaves_them():
    model = network()
    state = GramGaussNewton(model.parameters(), lr=0.3).state_dict()
    state.pop("settings", None)
    optimizer = GramGaussNewton(model.parameters(), **SETTINGS)
    optimizer.load_state_dict(state)
    assert settings(optimizer) == SETTINGS and optimizer.param_groups[0]["lr"] == 0.3


def test_a_state_that_does_not_fit_changes_nothing():
    model = network()
    optimizer = GramGaussNewton(model.parameters())
    before = settings(optimizer)
    state = GramGaussNewton(model[0].parameters(), **SETTINGS).state_dict()
    with pytest.raises(ValueError, match="group"):
        optimizer.load_state_dict(state)
    assert settings(optimizer) == before
    state = GramGaussNewton(model.parameters(), lr=0.3).state_dict()
    state["settings"] = {"momentum": 2.0}
    with pytest.raises(ValueError, match="momentum"):
        optimizer.load_state_dict(state)
    assert optimizer.param_groups[0]["lr"] == 1.0


# Groups.


@pytest.mark.parametrize(
    "name", ["weight_decay", "betas", "eps", "nesterov", "momentum", "ridge", "damping", "loss", "max_output_change", "learning_rate"]
)
def test_options_that_mean_nothing_in_a_group_are_told(name):
    first, last = network(), network()
    with pytest.raises(ValueError, match=f"{name}.*of the whole optimizer: give it there"):
        GramGaussNewton([{"params": first.parameters(), name: 0.1}])
    optimizer = GramGaussNewton(first.parameters())
    with pytest.raises(ValueError, match=name):
        optimizer.add_param_group({"params": last.parameters(), name: 0.1})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize("name", ["lr", "weight"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "fast"])
def test_numbers_of_a_group_are_checked(name, value):
    model = network()
    with pytest.raises(ValueError, match=name):
        GramGaussNewton([{"params": model.parameters(), name: value}])
    with pytest.raises(ValueError, match="lr"):
        GramGaussNewton([{"params": model.parameters(), "lr": 0.0}])


def test_complex_parameters_are_not_taken_into_a_group():
    optimizer = GramGaussNewton(network().parameters())
    with pytest.raises(ValueError, match="complex"):
        optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(2, dtype=torch.complex64))]})
    assert len(optimizer.param_groups) == 1


def test_what_schedulers_and_torch_add_to_groups_may_be_given():
    model = network()
    first = GramGaussNewton([{"params": list(model[0].named_parameters()), "name": "first"}], lr=0.5)
    torch.optim.lr_scheduler.OneCycleLR(first, 0.5, total_steps=10, cycle_momentum=False)
    again = GramGaussNewton([{**group, "params": list(model[0].named_parameters())} for group in first.param_groups])
    torch.optim.lr_scheduler.StepLR(again, 1, 0.1, last_epoch=3)
    again.load_state_dict(first.state_dict())
    again.add_param_group({"params": list(model[2].named_parameters()), "weight": 0.0})
    assert len(again.param_groups) == 2


# Copied.


def through_torch(pair):
    file = io.BytesIO()
    torch.save(pair, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("given", [SETTINGS, ACCELERATED, {"loss": own}])
@pytest.mark.parametrize("by", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair)), through_torch])
def test_a_copy_of_a_model_and_its_optimizer_goes_on_as_they_do(by, given):
    model, (x, y) = network(), batch()
    optimizer = GramGaussNewton(model.parameters(), lr=0.5, **given)
    torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.1)  # it hangs a function of its own on the optimizer
    for _ in range(3):
        optimizer.step(lambda: (model(x), y))
    other, twin = by((model, optimizer))
    assert settings(twin) == settings(optimizer) and twin.report == optimizer.report
    assert twin.memory_budget == optimizer.memory_budget
    for _ in range(3):
        assert optimizer.step(lambda: (model(x), y)) == twin.step(lambda: (other(x), y))
    assert torch.equal(dense.flat(model.parameters()), dense.flat(other.parameters()))
    assert all(p is q for p, q in zip(twin.param_groups[0]["params"], other.parameters()))
    twin.load_state_dict(optimizer.state_dict())
