"""Losses, momentum, ridge, dampings and groups against their definition in parameter space; what a training needs."""

import copy
import io

import dense
import networks
import pytest
import torch
import torch.nn.functional as F
from gramstep.torch import GramGaussNewton
from torch import nn
from torch.utils.checkpoint import checkpoint


def network(outputs=3, inputs=5):
    return nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, outputs)).double()


def rows(n=7, width=5):
    return torch.randn(n, width, dtype=torch.float64)


def squared(f, y):
    r = (f - y).reshape(-1)
    return torch.eye(len(r), dtype=r.dtype), r


def huber(f, y):
    r = (f - y).reshape(-1)
    w = (1 / r.abs()).clamp_max(1)
    return torch.diag(w), w * r


def logistic(f, y):
    p = f.sigmoid().reshape(-1)
    return torch.diag(p * (1 - p)), p - y.reshape(-1)


def poisson(f, y):
    rate = f.exp().reshape(-1)
    return torch.diag(rate), rate - y.reshape(-1)


def cross_entropy(f, y):
    p = f.softmax(1)
    target = F.one_hot(y, f.shape[1]) if y.dim() == 1 else y
    return torch.block_diag(*(torch.diag(q) - torch.outer(q, q) for q in p)), (p - target).reshape(-1)


# Curvature Q and gradient g of each loss, targets, and the value that is reported.
LOSSES = {
    "squared": (squared, lambda: rows(7, 3), lambda f, y: F.mse_loss(f, y)),
    "huber": (huber, lambda: 2 * rows(7, 3), lambda f, y: 2 * F.huber_loss(f, y)),
    "logistic": (logistic, lambda: torch.rand(7, 3).double(), lambda f, y: F.binary_cross_entropy_with_logits(f, y) * 3),
    "poisson": (poisson, lambda: torch.randint(0, 4, (7, 3)).double(), None),
    "cross_entropy": (cross_entropy, lambda: torch.randint(0, 3, (7,)), F.cross_entropy),
    "cross_entropy, probabilities": (cross_entropy, lambda: rows(7, 3).softmax(1), F.cross_entropy),
}


def primal(model, x, Q, g, damping, ridge, carried, momentum):
    """φ that minimises ½φᵀJᵀQJφ − gᵀJφ + ½λ‖φ − μφ₋‖² + ½κ‖θ − φ‖²."""
    J = dense.jacobian(model(x), list(model.parameters()))
    curvature = J.T @ Q @ J + (damping + ridge) * torch.eye(J.shape[1], dtype=J.dtype)
    return torch.linalg.solve(curvature, J.T @ g + damping * momentum * carried + ridge * dense.flat(model.parameters()))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("ridge", [0.0, 0.1])
@pytest.mark.parametrize("name", LOSSES)
def test_steps_are_those_of_the_primal_problem(name, ridge, momentum):
    derivatives, targets, value = LOSSES[name]
    model, x, y = network(), rows(), targets()
    optimizer = GramGaussNewton(
        model.parameters(), lr=0.5, damping=("absolute", 0.3), loss=name.split(",")[0], momentum=momentum, ridge=ridge
    )
    carried = torch.zeros_like(dense.flat(model.parameters()))
    for t in range(3):
        f = model(x).detach()
        carried = primal(model, x, *derivatives(f, y), 0.3, ridge, carried, momentum)
        length = 0.5 / (1 - momentum ** (2 * (t + 1))) ** 0.5 if momentum else 0.5
        want = dense.flat(model.parameters()) - length * carried
        loss = optimizer.step(model(x), y)
        assert dense.off(dense.flat(model.parameters()), want) < 1e-10
        if value is not None:
            assert loss == pytest.approx(float(value(f, y)), rel=1e-12)


def test_a_loss_of_ones_own_is_the_named_one():
    def mine(f, y):
        p = f.sigmoid()
        root = (p * (1 - p)).sqrt()
        return F.binary_cross_entropy_with_logits(f, y, reduction="sum"), torch.diag_embed(root), (p - y) / root

    named, own = network(), network()
    own.load_state_dict(named.state_dict())
    x, y = rows(), torch.rand(7, 3).double()
    a = GramGaussNewton(named.parameters(), loss="logistic").step(named(x), y)
    b = GramGaussNewton(own.parameters(), loss=mine).step(own(x), y)
    assert a == pytest.approx(b, rel=1e-12)
    assert dense.off(dense.flat(own.parameters()), dense.flat(named.parameters())) < 1e-12


@pytest.mark.parametrize("gap", [30.0, 700.0])
def test_certain_probabilities_leave_finite_steps(gap):
    for loss, y in (("cross_entropy", torch.tensor([1, 0, 0])), ("logistic", torch.tensor([[0.0, 1, 0]] * 3).double())):
        f = nn.Parameter(torch.tensor([[gap, 0, -gap], [gap, 0, 0], [-gap, gap, 0]]).double())
        layer = nn.Linear(3, 3).double()
        with torch.no_grad():
            layer.weight.copy_(f)
        optimizer = GramGaussNewton(layer.parameters(), loss=loss, damping=("absolute", 1.0))
        optimizer.step(layer(torch.eye(3).double()), y)
        assert all(bool(p.isfinite().all()) for p in layer.parameters())


@pytest.mark.parametrize(
    ("loss", "output", "y"),
    [("logistic", 20.0, torch.zeros(1, 1)), ("poisson", -20.0, torch.ones(1, 1)), ("cross_entropy", 20.0, torch.tensor([1]))],
)
def test_a_step_from_a_certain_mistake_reaches_as_far_as_that_of_the_library(loss, output, y):
    outputs = 2 if loss == "cross_entropy" else 1
    layer = nn.Linear(1, outputs, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[output], [0.0]])[:outputs])
    optimizer = GramGaussNewton(layer.parameters(), loss=loss)
    before = layer.weight.detach().clone()
    optimizer.step(layer(torch.ones(1, 1).double()), y)
    assert float((layer.weight.detach() - before).norm()) == pytest.approx(10.0)


def test_one_row_is_gauss_newton_of_the_root_of_the_loss():
    model, x, y = network(), rows(), torch.randint(0, 3, (7,))
    optimizer = GramGaussNewton(model.parameters(), loss="cross_entropy_one_row", damping=("absolute", 0.5))
    losses = F.cross_entropy(model(x), y, reduction="none")
    f = (2 * losses).sqrt()[:, None]
    J = dense.jacobian(f, list(model.parameters()))
    c = torch.linalg.solve(J @ J.T + 0.5 * torch.eye(7).double(), f.detach()[:, 0])
    want = dense.flat(model.parameters()) - J.T @ c
    assert optimizer.step(model(x), y) == pytest.approx(float(losses.detach().mean()))
    assert dense.off(dense.flat(model.parameters()), want) < 1e-10


def test_one_row_is_exact_for_two_classes_and_a_small_loss():
    f = torch.tensor([[6.0, -6.0]], dtype=torch.float64, requires_grad=True)
    g = torch.autograd.grad(F.cross_entropy(f, torch.tensor([0])), f)[0].reshape(-1)
    loss = float(F.cross_entropy(f, torch.tensor([0])).detach())
    p = f.detach().softmax(1)[0]
    exact = torch.diag(p) - torch.outer(p, p)
    assert float((torch.outer(g, g) / (2 * loss) - exact / 2).norm() / exact.norm()) < 1e-3


def test_a_relative_damping_is_a_multiple_of_the_mean_diagonal():
    model, x, y = network(), rows(), rows(7, 3)
    optimizer = GramGaussNewton(model.parameters(), damping=0.02)
    J = dense.jacobian(model(x), list(model.parameters()))
    optimizer.step(model(x), y)
    assert optimizer.report.damping == pytest.approx(0.02 * float((J @ J.T).diagonal().mean()))
    assert optimizer.report.relative_damping == pytest.approx(0.02)


@pytest.mark.parametrize("kind", ["relative", "adaptive"])
def test_scaling_outputs_and_targets_changes_no_step(kind):
    x, y, model = rows(), rows(7, 3), network()
    found = []
    for scale in (1.0, 1e3):
        own = copy.deepcopy(model)
        optimizer = GramGaussNewton(own.parameters(), damping=1e-3 if kind == "relative" else "adaptive")
        for _ in range(3):
            optimizer.step(lambda own=own, scale=scale: (own(x) * scale, y * scale))
        found.append(dense.flat(own.parameters()))
    assert dense.off(found[1], found[0]) < 1e-9


def test_the_change_of_outputs_is_cut():
    x, y = rows(), 10 * rows(7, 3)
    for ridge in (0.0, 0.1):
        model = network()
        free = copy.deepcopy(model)
        GramGaussNewton(free.parameters(), damping=1e-3, ridge=ridge).step(free(x), y)
        J = dense.jacobian(model(x), list(model.parameters()))
        start = dense.flat(model.parameters())
        change = dense.flat(free.parameters()) - start
        optimizer = GramGaussNewton(model.parameters(), damping=1e-3, ridge=ridge, max_output_change=0.01)
        optimizer.step(model(x), y)
        cut = dense.flat(model.parameters()) - start
        assert float((J @ cut).norm()) / 7**0.5 == pytest.approx(0.01)
        assert dense.off(cut * float(change.norm() / cut.norm()), change) < 1e-10
        assert optimizer.report.length < 1


def test_weights_of_groups_scale_gram_and_step():
    model, x, y = network(), rows(), rows(7, 3)
    parameters = list(model.parameters())
    S = dense.flat([torch.full_like(p, 0.1 if i < 2 else 1.0) for i, p in enumerate(parameters)])
    J = dense.jacobian(model(x), parameters)
    G = (J * S) @ J.T
    c = torch.linalg.solve(G + 1e-3 * G.diagonal().mean() * torch.eye(21).double(), (model(x) - y).detach().reshape(-1))
    want = dense.flat(parameters) - S * (J.T @ c)
    groups = [{"params": parameters[:2], "weight": 0.1}, {"params": parameters[2:]}]
    GramGaussNewton(groups, damping=1e-3).step(model(x), y)
    assert dense.off(dense.flat(parameters), want) < 1e-10


@pytest.mark.parametrize("how", ["weight 0", "frozen", "not given"])
@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_what_is_frozen_stays_and_the_rest_steps_as_if_it_were_alone(how, ridge):
    model, x, y = network(), rows(), rows(7, 3)
    first, last = list(model[0].parameters()), list(model[2].parameters())
    before = dense.flat(first).clone()
    alone = copy.deepcopy(model[2])
    hidden = torch.tanh(model[0](x)).detach()
    GramGaussNewton(alone.parameters(), damping=1e-3, ridge=ridge).step(alone(hidden), y)
    if how == "frozen":
        model[0].requires_grad_(False)
    groups = {"weight 0": [{"params": first, "weight": 0.0}, {"params": last}], "frozen": [*first, *last], "not given": last}
    GramGaussNewton(groups[how], damping=1e-3, ridge=ridge).step(model(x), y)
    assert torch.equal(before, dense.flat(first))
    assert dense.off(dense.flat(last), dense.flat(alone.parameters())) < 1e-12


def test_unused_parameters_stay():
    used, unused = network(), nn.Linear(3, 3).double()
    before = dense.flat(unused.parameters()).clone()
    optimizer = GramGaussNewton([*used.parameters(), *unused.parameters()], momentum=0.9)
    for _ in range(2):
        optimizer.step(used(rows()), rows(7, 3))
    assert torch.equal(before, dense.flat(unused.parameters()))


def test_learning_rates_of_groups_and_schedulers_hold():
    model, x, y = network(), rows(), rows(7, 3)
    other = copy.deepcopy(model)
    GramGaussNewton(model.parameters(), lr=1.0).step(model(x), y)
    full = [p.detach() - q.detach() for p, q in zip(model.parameters(), other.parameters())]
    start = [q.detach().clone() for q in other.parameters()]
    optimizer = GramGaussNewton([{"params": other[0].parameters(), "lr": 0.5}, {"params": other[2].parameters()}], lr=0.25)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.1)
    optimizer.step(other(x), y)
    for rate, change, p, q in zip((0.5, 0.5, 0.25, 0.25), full, other.parameters(), start):
        assert torch.allclose(p.detach() - q, rate * change, rtol=1e-10)
    schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.05, 0.025])
    with pytest.raises(ValueError, match="lr"):
        GramGaussNewton(
            [{"params": other[0].parameters(), "lr": 0.5}, {"params": other[2].parameters()}], max_output_change=1.0
        ).step(other(x), y)


@pytest.mark.parametrize("damping", [1e-2, "adaptive"])
def test_a_training_goes_on_from_its_state(damping):
    x, y, whole = rows(), rows(7, 3), network()
    halves = copy.deepcopy(whole)

    def make(model):
        return GramGaussNewton(model.parameters(), lr=0.5, damping=damping, momentum=0.9)

    a, b = make(whole), make(halves)
    for _ in range(4):
        a.step(lambda: (whole(x), y))
    for _ in range(2):
        b.step(lambda: (halves(x), y))
    file = io.BytesIO()
    torch.save(b.state_dict(), file)
    file.seek(0)
    b = make(halves)
    b.load_state_dict(torch.load(file))
    for _ in range(2):
        b.step(lambda: (halves(x), y))
    assert torch.equal(dense.flat(whole.parameters()), dense.flat(halves.parameters()))


@pytest.mark.parametrize("name", ["vision transformer", "called twice", "samples = places = width"])
def test_the_order_of_a_batch_changes_no_step(name):
    model, x = networks.build(name)
    y = torch.randn_like(model(x))
    order = torch.randperm(len(x))
    other = copy.deepcopy(model)
    GramGaussNewton(dense.trained(model)).step(model(x), y)
    GramGaussNewton(dense.trained(other)).step(other(x[order]), y[order])
    assert dense.off(dense.flat(other.parameters()), dense.flat(model.parameters())) < 1e-10


def test_time_first_and_batch_first_step_alike():
    for kind in (nn.LSTM, nn.GRU, nn.RNN):
        first, second = (networks.Recurrent(kind, batch_first=b).double() for b in (True, False))
        second.load_state_dict(first.state_dict())
        x, y = torch.randn(5, 4, 5).double(), torch.randn(5, 2).double()
        for model in (first, second):
            GramGaussNewton(model.parameters()).step(model(x), y)
        assert dense.off(dense.flat(second.parameters()), dense.flat(first.parameters())) < 1e-10


def test_a_zero_last_layer_learns_below_it_from_the_second_step_on():
    model = network()
    nn.init.zeros_(model[2].weight)
    nn.init.zeros_(model[2].bias)
    x, y = rows(), rows(7, 3)
    optimizer = GramGaussNewton(model.parameters(), lr=0.5)
    for _ in range(3):
        want = dense.squared_step(model(x), y, list(model.parameters()), 0.5, 1e-2)
        optimizer.step(model(x), y)
        assert dense.off(dense.flat(model.parameters()), want) < 1e-10


def test_cotangents_that_vanish_in_the_first_batch_alone_are_counted_later():
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.gate = nn.Linear(5, 3), nn.Linear(5, 3), 1.0

        def forward(self, x):
            return self.a(x) + F.relu(self.b(x) * self.gate)

    model = Gated().double()
    nn.init.constant_(model.b.bias, -100.0)
    x, y = rows(), rows(7, 3)
    optimizer = GramGaussNewton(model.parameters(), damping=1e-2)
    optimizer.step(model(x), y)
    with torch.no_grad():
        model.b.bias.fill_(0.5)
    want = dense.squared_step(model(x), y, list(model.parameters()), 1.0, 1e-2)
    optimizer.step(model(x), y)
    assert dense.off(dense.flat(model.parameters()), want) < 1e-10


def test_dropout_has_one_mask_a_step():
    model = networks.VisionTransformer(dropout=0.3).double().train()
    x, y = torch.randn(4, 3, 8, 8).double(), torch.randn(4, 3).double()
    optimizer = GramGaussNewton(model.parameters())
    for _ in range(3):
        f = model(x)
        want = dense.squared_step(f, y, list(model.parameters()), 1.0, 1e-2)
        optimizer.step(f, y)
        assert dense.off(dense.flat(model.parameters()), want) < 1e-10


def test_checkpointed_parts_step_as_they_would_without():
    model, x, y = network(), rows(), rows(7, 3)
    other = copy.deepcopy(model)
    GramGaussNewton(model.parameters()).step(model(x), y)
    outputs = other[2](checkpoint(other[:2], x, use_reentrant=False))
    GramGaussNewton(other.parameters()).step(outputs, y)
    assert dense.off(dense.flat(other.parameters()), dense.flat(model.parameters())) < 1e-12


def test_autocast_steps_like_float32_to_its_precision():
    model = networks.VisionTransformer()
    x, y = torch.randn(4, 3, 8, 8), torch.randn(4, 3)
    other = copy.deepcopy(model)
    start = dense.flat(model.parameters())
    GramGaussNewton(model.parameters(), damping=0.1).step(model(x), y)
    optimizer = GramGaussNewton(other.parameters(), damping=0.1)
    device = torch.get_default_device().type
    with torch.autocast(device, dtype=torch.bfloat16):
        f = other(x)
    optimizer.step(f.float(), y)
    assert dense.off(dense.flat(other.parameters()) - start, dense.flat(model.parameters()) - start) < 0.1
    for _ in range(2):
        with torch.autocast(device, dtype=torch.bfloat16):
            optimizer.step(other(x).float(), y)


def test_an_activation_changed_in_place_is_noticed():
    model, x = network(), rows()
    hidden = torch.tanh(model[0](x))
    f = model[2](hidden)
    hidden.mul_(2)
    with pytest.raises(RuntimeError, match="inplace"):
        GramGaussNewton(model.parameters()).step(f, torch.zeros(7, 3))


def test_float32_interpolates_below_the_rounding_of_its_products():
    model = nn.Sequential(nn.Linear(1, 256), nn.Tanh(), nn.Linear(256, 1))
    x = torch.linspace(-1, 1, 24)[:, None]
    optimizer = GramGaussNewton(model.parameters(), damping=1e-9, lr=0.5)
    losses = [optimizer.step(model(x), torch.sin(4 * x)) for _ in range(40)]
    assert losses[-1] < 1e-5


def test_the_solve_reports_what_happened():
    model, x, y = network(), rows(), rows(7, 3)
    twice = torch.cat([x, x])
    optimizer = GramGaussNewton(model.parameters(), damping=("absolute", 0.0))
    optimizer.step(model(twice), torch.cat([y, y]))
    solve = optimizer.report.solve
    assert solve.repaired and solve.rank == 21 and solve.size == 42
    optimizer = GramGaussNewton(model.parameters(), damping=1e-2)
    optimizer.step(model(x), y)
    assert not optimizer.report.solve.repaired and optimizer.report.solve.residual < 1e-12


def test_sparse_gradients_step_like_dense_ones():
    words, y = torch.tensor([[1, 2], [0, 5], [5, 5]]), rows(3, 2)
    tables = [nn.Embedding(6, 2, sparse=sparse).double() for sparse in (False, True)]
    tables[1].load_state_dict(tables[0].state_dict())
    for table in tables:
        optimizer = GramGaussNewton(table.parameters(), momentum=0.5)
        for _ in range(2):
            optimizer.step(table(words).sum(1), y)
    assert dense.off(tables[1].weight, tables[0].weight) < 1e-12


def test_complex_parameters_and_empty_batches_are_told():
    with pytest.raises(ValueError, match="complex"):
        GramGaussNewton([nn.Parameter(torch.zeros(2, dtype=torch.complex64))])
    model = network()
    with pytest.raises(ValueError, match="at least one row"):
        GramGaussNewton(model.parameters()).step(model(rows()[:0]), rows(7, 3)[:0])


def test_gradients_of_others_are_left_alone():
    model, x, y = network(), rows(), rows(7, 3)
    F.mse_loss(model(x), y).backward()
    before = [p.grad.clone() for p in model.parameters()]
    GramGaussNewton(model.parameters()).step(model(x), y)
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), before))
