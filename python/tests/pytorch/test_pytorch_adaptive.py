"""Damping that adapts: trials, what is accepted, and when nothing is left to gain."""

import dense
import pytest
import torch
import torch.nn.functional as F
from gramstep.torch import GramGaussNewton
from gramstep.torch._damping import Adaptive
from test_pytorch_optimizer import network, rows


def test_adaptive_damping_only_accepts_what_lowers_the_loss():
    model, x, y = network(), rows(20), 5 * rows(20, 3)
    optimizer = GramGaussNewton(model.parameters(), damping="adaptive")
    before, relative = float("inf"), []
    for _ in range(25):
        loss = optimizer.step(lambda: (model(x), y))
        report = optimizer.report
        relative.append(report.relative_damping)
        assert loss < before or not report.accepted
        if report.accepted:
            assert report.loss_after < loss
            assert report.loss_after == pytest.approx(float(F.mse_loss(model(x), y).detach()), rel=1e-12)
        before = loss
    assert max(relative) > min(relative)


def test_a_trial_that_fails_is_repeated_with_four_times_the_damping():
    model, x = network(1), rows(7)
    optimizer = GramGaussNewton(model.parameters(), damping="adaptive", lr=50.0)
    optimizer.step(lambda: (model(x), torch.zeros(7, 1)))
    report = optimizer.report
    assert report.trials > 1 and report.relative_damping == pytest.approx(1e-2 * 4 ** (report.trials - 1))


def test_dampings_end_and_begin_again_where_they_began():
    damping = Adaptive()
    damping.begin(size=5)
    damping.accept()
    before, trials = damping.relative, 0
    damping.begin(size=5)
    while damping.reject():
        trials += 1
    damping.withdraw()
    assert damping.relative == before and 10 < trials < 30


def test_a_closure_that_fails_in_a_trial_leaves_the_parameters():
    model, x, calls = network(1), rows(), []

    def closure():
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return model(x), torch.zeros(7, 1)

    before = dense.flat(model.parameters()).clone()
    with pytest.raises(KeyboardInterrupt):
        GramGaussNewton(model.parameters(), damping="adaptive").step(closure)
    assert torch.equal(before, dense.flat(model.parameters()))


@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_where_nothing_is_left_to_gain_one_trial_is_enough(ridge):
    model, x, y = network(), rows(20), rows(20, 3)
    optimizer = GramGaussNewton(model.parameters(), damping="adaptive", ridge=ridge)
    for _ in range(300):
        optimizer.step(lambda: (model(x), y))
    reports = []
    for _ in range(8):
        optimizer.step(lambda: (model(x), y))
        reports.append(optimizer.report)
    assert not any(r.accepted for r in reports[4:]) and all(r.trials == 1 for r in reports[4:])
    assert len({r.relative_damping for r in reports[4:]}) == 1


def test_the_gain_with_a_ridge_is_that_of_the_penalised_quadratic(monkeypatch):
    from gramstep.torch import _step

    model, x, y = network(), rows(20), rows(20, 3)
    kept = []
    init = _step.Step.__init__
    monkeypatch.setattr(_step.Step, "__init__", lambda self, *args: (init(self, *args), kept.append(self))[0])
    J = dense.jacobian(model(x), list(model.parameters()))
    r, theta = (model(x) - y).detach().reshape(-1), dense.flat(model.parameters())
    GramGaussNewton(model.parameters(), damping=0.1, ridge=0.3).step(model(x), y)
    phi = dense.flat(kept[0].direction)

    def penalised(move):
        return 0.5 * float((r - J @ move).square().sum()) + 0.15 * float((theta - move).square().sum())

    assert kept[0].gain == pytest.approx(penalised(torch.zeros_like(phi)) - penalised(phi), rel=1e-10)


def test_a_closure_may_be_named():
    model, x, y = network(), rows(), rows(7, 3)
    other = network()
    other.load_state_dict(model.state_dict())
    GramGaussNewton(model.parameters()).step(closure=lambda: (model(x), y))
    GramGaussNewton(other.parameters()).step(other(x), y)
    assert torch.equal(dense.flat(model.parameters()), dense.flat(other.parameters()))
    for arguments, named in (((), {}), ((model(x), y), {"closure": lambda: (model(x), y)})):
        with pytest.raises(ValueError, match="closure"):
            GramGaussNewton(model.parameters()).step(*arguments, **named)


def test_the_loss_of_several_blocks_is_that_of_all_samples():
    torch.manual_seed(0)
    two, five = torch.randn(4, 2).double(), torch.randn(3, 5).double()
    shift = torch.nn.Parameter(torch.zeros(1).double())
    classes = torch.tensor([0, 1, 1, 0]), torch.tensor([4, 0, 2])
    spread = [f * (1 + shift) for f in (two, five)]
    loss = GramGaussNewton([shift], loss="cross_entropy").step(spread, classes)
    total = sum(float(F.cross_entropy(f, y, reduction="sum")) for f, y in zip((two, five), classes))
    assert loss == pytest.approx(total / 7, rel=1e-12)
