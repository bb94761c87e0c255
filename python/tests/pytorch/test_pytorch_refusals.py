"""Refusals beside those of graphs that mix samples: arguments, targets, losses, numbers that overflow, checks of the last resort."""

import copy

import dense
import networks
import pytest
import torch
from gramstep.torch import Attackable, GramGaussNewton, Linearised, LinearisedLaplace, UnsupportedGraph, _plan, _tangent, empirical_ntk
from test_pytorch_guards import Centred, plain, unchanged
from torch import nn


def refused(error, says, f, y, **settings):
    """That a step to these targets is refused; `f`: outputs of a model."""
    model, x, _ = plain()
    parameters = dense.trained(model)
    optimizer = GramGaussNewton(parameters, **settings)
    assert says in str(unchanged(parameters, lambda: optimizer.step(f(model(x)), y), error))


CLASSES = torch.tensor([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize(
    ("loss", "y", "says"),
    [
        ("cross_entropy", torch.full((6, 3), 0.5), "sum to 1"),
        ("cross_entropy", torch.tensor([[-0.5, 0.5, 1.0]] * 6), "sum to 1"),
        ("cross_entropy", CLASSES.double(), "integer"),
        ("cross_entropy", CLASSES[:5], "integer"),
        ("cross_entropy", CLASSES + 1, "0 to 2"),
        ("cross_entropy", CLASSES - 1, "0 to 2"),
        ("logistic", torch.full((6, 3), 1.5), "0 to 1"),
        ("logistic", torch.full((6, 3), -0.5), "0 to 1"),
        ("poisson", torch.full((6, 3), -1.0), "counts"),
        ("cross_entropy_one_row", CLASSES[:, None], "classes (n,)"),
        ("cross_entropy_one_row", CLASSES.double(), "integer"),
        ("cross_entropy_one_row", CLASSES[:5], "integer"),
        ("cross_entropy_one_row", CLASSES + 1, "0 to 2"),
        ("cross_entropy_one_row", torch.full((6,), -100), "0 to 2"),
        ("cross_entropy_one_row", None, "classes (n,)"),
        (lambda f, y: f.sum(), CLASSES, "(value, B, z)"),
        (lambda f, y: (f.sum(), None, f[:, 0]), CLASSES, "z is"),
        (lambda f, y: (f.sum(), f[:3], f), CLASSES, "B is"),
    ],
)
def test_targets_and_losses_that_do_not_fit_are_told(loss, y, says):
    refused(ValueError, says, lambda f: f, y, loss=loss)


def test_a_loss_that_overflows_is_told():
    refused(FloatingPointError, "loss", lambda f: 1e200 * f, torch.zeros(6, 3))
    refused(FloatingPointError, "loss", lambda f: f, CLASSES, loss=lambda f, y: (f.sum(), None, f / 0))


def test_a_step_that_overflows_is_told():
    refused(FloatingPointError, "step", lambda f: f, CLASSES, loss=lambda f, y: (f.sum(), None, 1e200 + f))


@pytest.mark.parametrize("first", [True, False])
def test_a_gram_matrix_that_overflows_is_told(first):
    model = nn.Linear(2, 1)
    nn.init.constant_(model.weight, 1e-25)
    parameters, optimizer = dense.trained(model), GramGaussNewton(model.parameters(), lr=1e-30)
    y = torch.zeros(3, 1)
    if not first:
        optimizer.step(model(torch.ones(3, 2)), y)
    x = torch.full((3, 2), 1e25)
    assert "Gram matrix" in str(unchanged(parameters, lambda: optimizer.step(model(x), y), FloatingPointError))


def test_adaptive_damping_asks_for_a_closure():
    refused(ValueError, "closure", lambda f: f, torch.zeros(6, 3), damping="adaptive")


@pytest.mark.parametrize("where", ["early", "late", "added", "attention", "swapped", "outputs"])
def test_samples_that_meet_are_refused_where_inputs_need_gradients(where):
    model, x = Centred(where).double(), networks.normal(6, 5).double().requires_grad_()
    parameters = dense.trained(model)
    error = unchanged(parameters, lambda: GramGaussNewton(parameters).step(model(x), torch.zeros(6, 2)), UnsupportedGraph)
    assert error.reason.startswith("no axis")


def test_a_derivative_of_samples_that_meet_is_refused():
    model, x = Centred("late").double(), networks.normal(6, 5).double().requires_grad_()
    parameters = dense.trained(model)
    (slope,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
    unchanged(parameters, lambda: GramGaussNewton(parameters).step(slope, None), UnsupportedGraph)


def test_a_parameter_that_no_use_accounts_for_is_noticed(monkeypatch):
    model, x, y = plain()
    parameters, uses = dense.trained(model), _plan._uses
    monkeypatch.setattr(_plan, "_uses", lambda *arguments: uses(*arguments)[1:])
    error = unchanged(parameters, lambda: GramGaussNewton(parameters).step(model(x), y), UnsupportedGraph)
    assert "unseen" in error.reason


def test_blocks_that_are_wrong_together_alone_are_noticed(monkeypatch):
    model, x, y = plain()
    parameters, right = dense.trained(model), _tangent.Tangent.gram

    def wrong(self, other=None, *arguments):
        return right(self, other, *arguments) * (1.0 if other is None or other is self else 1.5)

    monkeypatch.setattr(_tangent.Tangent, "gram", wrong)
    step = lambda: GramGaussNewton(parameters).step([model(x), model(2 * x)], [y, y])  # noqa: E731
    error = unchanged(parameters, step, UnsupportedGraph)
    assert error.reason.startswith("uᵀGu")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda m, x: empirical_ntk(m.forward, x), "params"),
        (lambda m, x: empirical_ntk(m.requires_grad_(False), x), "params"),
        (lambda m, x: empirical_ntk(m, x[:0]), "samples"),
        (lambda m, x: LinearisedLaplace(m, x, CLASSES, likelihood="classification", noise=1.0), "noise"),
        (lambda m, x: LinearisedLaplace(m, x, x[:, :3]).predict_proba(x), "regression"),
        (lambda m, x: LinearisedLaplace(nn.Tanh(), x, x, params="last_layer"), "params"),
        (lambda m, x: Attackable(m, x.long()), "example"),
        (lambda m, x: Attackable(m, x[:0]), "example"),
    ],
)
def test_arguments_out_of_range_are_told(call, says):
    model, x, _ = plain()
    with pytest.raises(ValueError, match=says):
        call(model, x)


# Outputs of another model.


@pytest.mark.parametrize("damping", [1e-2, "adaptive"])
def test_outputs_of_another_model_are_refused(damping):
    model, x, y = plain()
    optimizer = GramGaussNewton(model.parameters(), damping=damping)
    model = copy.deepcopy(model)
    error = unchanged(dense.trained(model), lambda: optimizer.step(lambda: (model(x), y)), ValueError)
    assert "none of the parameters" in str(error) and optimizer.report is None
    optimizer.add_param_group({"params": model.parameters()})
    optimizer.step(lambda: (model(x), y))


def test_outputs_whose_cotangents_vanish_are_those_of_the_model():
    model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3, bias=False), nn.ReLU()).double()
    nn.init.constant_(model[0].bias, -100.0)
    x = networks.normal(6, 5).double()
    optimizer = GramGaussNewton(model.parameters(), damping=("absolute", 1.0))
    assert optimizer.step(model(x), torch.ones(6, 3).double()) == 1.0


def test_one_block_may_be_of_another_model():
    model, x, y = plain()
    other = copy.deepcopy(model)
    optimizer = GramGaussNewton(model.parameters())
    assert optimizer.step([model(x), other(x)], [y, y]) > optimizer.step([model(x), other(x)], [y, y])


def test_kernels_and_posteriors_of_other_parameters_are_refused():
    model, x, y = plain()
    others = list(copy.deepcopy(model).parameters())
    for call in (
        lambda: empirical_ntk(model, x, params=others),
        lambda: LinearisedLaplace(model, x, y, params=others),
        lambda: Linearised(model, others).predict(x),
    ):
        with pytest.raises(ValueError, match="none of the parameters"):
            call()


# Targets whose axes are others.


class Reshaped(nn.Module):
    """Outputs (n, *shape)."""

    def __init__(self, *shape):
        super().__init__()
        self.layer, self.shape = nn.Linear(5, torch.Size(shape).numel()).double(), shape

    def forward(self, x):
        return self.layer(x).reshape(-1, *self.shape)


def mean_of_squares(f, y):
    return 0.5 * (f - y).square().sum(), None, f - y


@pytest.mark.parametrize("loss", ["squared", "huber", "logistic", mean_of_squares])
@pytest.mark.parametrize(
    ("outputs", "targets"), [((2, 4, 4), (4, 4, 2)), ((2, 3), (3, 2)), ((2, 6), (3, 4)), ((2, 1, 3), (3, 2, 1)), ((4, 4, 2), (2, 4, 4))]
)
def test_targets_in_other_axes_are_refused(outputs, targets, loss):
    model, x = Reshaped(*outputs), networks.normal(6, 5).double()
    y = torch.rand(6, *targets).double()
    optimizer = GramGaussNewton(model.parameters(), loss=loss)
    error = unchanged(dense.trained(model), lambda: optimizer.step(model(x), y), ValueError)
    assert str((6, *outputs)) in str(error) and str((6, *targets)) in str(error)


@pytest.mark.parametrize(
    ("outputs", "targets"),
    [((2, 3), (6,)), ((6,), (2, 3)), ((), (1,)), ((1,), ()), ((4,), (4, 1)), ((4, 1), (4,)), ((1, 2, 3), (2, 3)), ((2, 3), (2, 1, 3))],
)
@pytest.mark.parametrize("n", [1, 6])
def test_targets_with_the_same_axes_or_flat_ones_are_taken(outputs, targets, n):
    model, x = Reshaped(*outputs), networks.normal(n, 5).double()
    optimizer, y = GramGaussNewton(model.parameters()), torch.rand(n, *targets).double()
    want = (model(x).reshape(n, -1) - y.reshape(n, -1)).square().mean()
    assert optimizer.step(model(x), y) == pytest.approx(float(want.detach()))


def test_targets_of_posteriors_in_other_axes_are_refused():
    model, x = Reshaped(2, 3), networks.normal(6, 5).double()
    for y in (torch.rand(6, 3, 2).double(), torch.rand(2, 3, 6).double()):
        for call in (lambda y=y: LinearisedLaplace(model, x, y), lambda y=y: Linearised(model).fit(x, y)):
            with pytest.raises(ValueError, match="targets"):
                call()
    assert Linearised(model).fit(x, torch.rand(6, 2, 3).double()).predict(x).shape == (6, 6)


@pytest.mark.parametrize("loss", ["cross_entropy", "cross_entropy_one_row"])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int16, torch.int8, torch.uint8, torch.uint16])
def test_classes_may_be_of_any_integer_type(loss, dtype):
    model, x, _ = plain()
    other = copy.deepcopy(model)
    losses = [
        GramGaussNewton(m.parameters(), loss=loss).step(m(x), y) for m, y in ((model, CLASSES), (other, CLASSES.to(dtype)))
    ]
    assert losses[0] == losses[1] and torch.equal(dense.flat(model.parameters()), dense.flat(other.parameters()))


# Several processes.


def replica(rank, address, answers):
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    model, x, y = plain()
    try:
        GramGaussNewton(model.parameters()).step(model(x), y)
        answers.put("stepped")
    except RuntimeError as error:
        answers.put(str(error))
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch.distributed is not built in")
def test_processes_that_would_drift_apart_are_refused(tmp_path):
    context = torch.multiprocessing.get_context("spawn")
    answers = context.Queue()
    workers = [context.Process(target=replica, args=(rank, f"file://{tmp_path}/meeting", answers)) for rank in range(2)]
    for worker in workers:
        worker.start()
    found = [answers.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    assert all("drift apart" in answer and "2 processes" in answer for answer in found)


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch.distributed is not built in")
def test_one_process_of_a_group_steps(tmp_path):
    model, x, y = plain()
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    try:
        GramGaussNewton(model.parameters()).step(model(x), y)
    finally:
        torch.distributed.destroy_process_group()
