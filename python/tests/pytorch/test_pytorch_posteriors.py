"""Kernels, posteriors, linearisations and attacks against their dense twins and those of the core."""

import copy
import math

import dense
import gramstep
import numpy as np
import pytest
import torch
from gramstep import attacks
from gramstep.torch import Attackable, GramGaussNewton, Linearised, LinearisedLaplace, empirical_ntk
from torch import nn


def network(inputs=2, outputs=1):
    return nn.Sequential(nn.Linear(inputs, 9), nn.Tanh(), nn.Linear(9, 7), nn.Tanh(), nn.Linear(7, outputs)).double()


def jacobian(model, x):
    return dense.jacobian(model(x), dense.trained(model)).reshape(len(x), -1, sum(p.numel() for p in dense.trained(model)))


def rows(n, width=2):
    return torch.randn(n, width, dtype=torch.float64)


def test_the_kernel_is_that_of_the_jacobians_whatever_the_tiles():
    model, x, other = network(outputs=3), rows(11), rows(5)
    J, L = jacobian(model, x), jacobian(model, other)
    for batch in (4, 11, 100):
        assert dense.off(empirical_ntk(model, x, other, batch=batch), torch.einsum("nap,mbp->nmab", J, L)) < 1e-10
        assert dense.off(empirical_ntk(model, x, batch=batch), torch.einsum("nap,mbp->nmab", J, J)) < 1e-10


def test_the_kernel_is_that_of_the_core():
    core = gramstep.Model.mlp([2, 12, 3], activation="tanh", seed=3, dtype="float64")
    model = nn.Sequential(nn.Linear(2, 12), nn.Tanh(), nn.Linear(12, 3)).double()
    scales = {}
    with torch.no_grad():
        for (name, value), p in zip(core.parameters().items(), model.parameters()):
            p.copy_(torch.from_numpy(np.array(value)))
            scales[name] = p
    x = rows(6)
    points = x.cpu().numpy()
    assert np.allclose(core.predict(points), model(x).detach().cpu().numpy())
    own = empirical_ntk(model, x).permute(0, 2, 1, 3).reshape(18, 18)
    assert np.allclose(own.cpu().numpy(), core.gram(points), rtol=1e-10)


def test_a_model_of_several_inputs_and_training_mode_is_left_as_it_was():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.drop = nn.Linear(2, 3), nn.Linear(4, 3), nn.Dropout(0.5)

        def forward(self, x, z):
            return self.drop(self.a(x) * self.b(z))

    model = Two().double().train()
    model.a.eval()
    K = empirical_ntk(model, (rows(5), rows(5, 4)), batch=2)
    assert K.shape == (5, 5, 3, 3) and model.training and model.drop.training and not model.a.training


@pytest.mark.parametrize("given", [{}, {"prior_precision": 2.0}, {"noise": 0.3}, {"prior_precision": 2.0, "noise": 0.3}])
def test_the_posterior_of_a_regression_is_the_dense_one(given):
    model, x, new = network(outputs=2), rows(12), rows(4)
    posterior = LinearisedLaplace(model, x, model(x).detach() + 0.2 * rows(12), batch=5, **given)
    for name, value in given.items():
        assert getattr(posterior, name) == pytest.approx(value)
    J, L = jacobian(model, x).flatten(0, 1), jacobian(model, new)
    precision = J.T @ J / posterior.noise**2 + posterior.prior_precision * torch.eye(J.shape[1]).double()
    mean, covariance = posterior.posterior(new)
    assert torch.equal(mean, model(new).detach())
    assert dense.off(covariance, L @ torch.linalg.solve(precision, L.mT)) < 1e-10
    assert dense.off(posterior.predict(new)[1], covariance.diagonal(dim1=1, dim2=2)) < 1e-12


def test_the_evidence_of_a_regression_is_largest_at_the_chosen_numbers():
    model, x = network(), rows(25)
    y = torch.sin(2 * x[:, :1]) + 0.1 * rows(25, 1)
    best = LinearisedLaplace(model, x, y)
    J = jacobian(model, x)[:, 0]
    t = (J @ dense.flat(model.parameters()) - (model(x) - y).detach()[:, 0])

    def evidence(precision, noise):
        covariance = J @ J.T / precision + noise**2 * torch.eye(25).double()
        return -0.5 * float(t @ torch.linalg.solve(covariance, t) + torch.logdet(covariance))

    top = evidence(best.prior_precision, best.noise)
    assert best.log_evidence == pytest.approx(top, rel=1e-9)
    for a in (0.8, 1.0, 1.25):
        for b in (0.8, 1.0, 1.25):
            assert evidence(best.prior_precision * a, best.noise * b) <= top + 1e-9
    for a in (0.5, 2.0):
        given = LinearisedLaplace(model, x, y, prior_precision=best.prior_precision * a)
        assert all(evidence(given.prior_precision, given.noise * b) <= given.log_evidence + 1e-9 for b in (0.9, 1.1))


def curvature(model, x):
    p, J = model(x).detach().softmax(1), jacobian(model, x)
    return sum(j.T @ (torch.diag(q) - torch.outer(q, q)) @ j for j, q in zip(J, p))


def test_the_posterior_of_a_classification_is_the_dense_one():
    model, x, new = network(outputs=3), rows(12), rows(4)
    y = torch.randint(0, 3, (12,))
    posterior = LinearisedLaplace(model, x, y, likelihood="classification", batch=5)
    H, theta, L = curvature(model, x), dense.flat(model.parameters()), jacobian(model, new)

    def evidence(precision):
        fit = float(nn.functional.cross_entropy(model(x).detach(), y, reduction="sum"))
        whole = H + precision * torch.eye(len(H)).double()
        return -fit - 0.5 * precision * float(theta @ theta) + 0.5 * len(H) * math.log(precision) - 0.5 * float(torch.logdet(whole))

    chosen = posterior.prior_precision
    covariance = L @ torch.linalg.solve(H + chosen * torch.eye(len(H)).double(), L.mT)
    assert dense.off(posterior.posterior(new)[1], covariance) < 1e-10
    assert posterior.log_evidence == pytest.approx(evidence(chosen), rel=1e-9)
    assert evidence(chosen) >= max(evidence(chosen * 0.8), evidence(chosen * 1.25))
    p = posterior.predict_proba(new)
    assert torch.allclose(p.sum(1), torch.ones(4).double())
    assert bool((p.max(1).values <= model(new).softmax(1).max(1).values + 1e-12).all())


def test_the_last_layer_alone_is_the_model_on_its_features():
    model, x, y, new = network(outputs=3), rows(12), torch.randint(0, 3, (12,)), rows(4)
    last = LinearisedLaplace(model, x, y, likelihood="classification", params="last_layer", prior_precision=0.7)
    alone = LinearisedLaplace(model[4], model[:4](x).detach(), y, likelihood="classification", prior_precision=0.7)
    assert dense.off(last.posterior(new)[1], alone.posterior(model[:4](new).detach())[1]) < 1e-10


@pytest.mark.parametrize("likelihood", ["regression", "classification"])
def test_the_posterior_is_that_of_laplace_torch(likelihood):
    laplace = pytest.importorskip("laplace", reason="laplace-torch is not installed")
    from torch.utils.data import DataLoader, TensorDataset

    model, x, new = network(outputs=3), rows(12), rows(4)
    regression = likelihood == "regression"
    y = rows(12, 3) if regression else torch.randint(0, 3, (12,))
    ours = LinearisedLaplace(model, x, y, likelihood=likelihood, prior_precision=1.3, **({"noise": 0.4} if regression else {}))
    settings = {"sigma_noise": 0.4} if regression else {}
    theirs = laplace.Laplace(
        model, likelihood, subset_of_weights="all", hessian_structure="full", prior_precision=1.3, **settings
    )
    theirs.fit(DataLoader(TensorDataset(x, y), batch_size=12))
    covariance = theirs._glm_predictive_distribution(new)[1]
    assert dense.off(ours.posterior(new)[1], covariance.detach()) < 1e-5


def change(how, model):
    """What lies in a module after some more training."""
    if how == "step":
        x = rows(5)
        GramGaussNewton(model.parameters()).step(model(x), rows(5, 1))
    elif how == "data":
        model[0].weight.data += 1
    elif how == "pointer":
        model[0].weight.data = model[0].weight.data + 1
    elif how == "parameter":
        model[0].weight = nn.Parameter(model[0].weight.detach() + 1)
    else:
        model.load_state_dict(network().state_dict())


@pytest.mark.parametrize("params", [None, "last_layer"])
@pytest.mark.parametrize("how", ["step", "data", "pointer", "parameter", "loaded"])
def test_a_posterior_of_a_model_that_was_trained_on_is_refused(how, params):
    model, x = network(), rows(8)
    before = copy.deepcopy(model.state_dict())
    posterior = LinearisedLaplace(model, x, rows(8, 1), params=params)
    mean, variance = posterior.predict(x)
    change(how, model)
    for call in (posterior.predict, posterior.posterior):
        with pytest.raises(RuntimeError, match="changed since"):
            call(x)
    if how != "parameter":
        model.load_state_dict(before)
        again = posterior.predict(x)
        assert torch.equal(again[0], mean) and torch.equal(again[1], variance)


@pytest.mark.parametrize("how", ["step", "data", "pointer", "parameter", "loaded"])
def test_a_linearisation_of_a_model_that_was_trained_on_is_refused_until_it_is_fitted_anew(how):
    model, x, y = network(), rows(8), rows(8, 1)
    line = Linearised(model).fit(x, y)
    change(how, model)
    with pytest.raises(RuntimeError, match="changed since"):
        line.predict(x)
    if how != "parameter":
        assert dense.off(line.fit(x, y, ridge=0.1).predict(x), Linearised(model).fit(x, y, ridge=0.1).predict(x)) < 1e-12


def test_what_is_kept_of_a_model_belongs_to_its_running_statistics_too():
    model, x = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1)).double(), rows(8)
    line, posterior = Linearised(model), LinearisedLaplace(model, x, rows(8, 1))
    model.train()(x + 1)
    for call in (line.predict, posterior.predict):
        with pytest.raises(RuntimeError, match="changed since"):
            call(x)


@pytest.mark.parametrize("noise", [1e-2, 1e-4])
def test_float32_models_have_the_posterior_of_their_float64_twins(noise):
    """κ lies below the rounding of float32 products, and rows that stand twice leave nothing else above 0."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 36, 2))
    twin = copy.deepcopy(net).double()
    x = torch.randn(40, 1, 6, 6)
    y = net(x).detach() + 0.01 * torch.randn(40, 2)
    x, y = torch.cat([x, x[:8]]), torch.cat([y, y[:8]])
    new = torch.cat([x[:6], torch.randn(6, 1, 6, 6)])
    variances = [
        LinearisedLaplace(m, x.to(d), y.to(d), prior_precision=1.0, noise=noise, batch=16).predict(new.to(d))[1].double()
        for m, d in ((net, torch.float32), (twin, torch.float64))
    ]
    assert torch.allclose(variances[0], variances[1], rtol=1e-4)
    lines = [Linearised(m, batch=16).fit(x.to(d), y.to(d), ridge=noise**2).displacement for m, d in ((net, torch.float32), (twin, torch.float64))]
    assert dense.off(dense.flat(lines[0]).double(), dense.flat(lines[1])) < 1e-4


def test_a_fit_that_fails_leaves_a_linearisation_of_the_model_that_it_was_fitted_to():
    model, x, y = network(), rows(8), rows(8, 1)
    line = Linearised(model).fit(x, y)
    change("step", model)
    with pytest.raises(ValueError, match="targets"):
        line.fit(x, rows(7, 1))
    with pytest.raises(RuntimeError, match="changed since"):
        line.predict(x)


def test_settings_of_a_posterior_out_of_range_are_told():
    model, x, y = network(), rows(4), rows(4, 1)
    for settings in ({"prior_precision": 0.0}, {"noise": -1.0}, {"likelihood": "poisson"}, {"params": "first_layer"}):
        with pytest.raises(ValueError, match=next(iter(settings))):
            LinearisedLaplace(model, x, y, **settings)


def test_the_linearisation_is_the_tangent_plane():
    model, x = network(outputs=2), rows(9)
    line = Linearised(model, batch=4)
    assert dense.off(line.predict(x), model(x).detach()) < 1e-14
    line.displacement = [torch.randn_like(p) for p in model.parameters()]
    want = model(x).detach() + jacobian(model, x) @ dense.flat(line.displacement)
    assert dense.off(line.predict(x), want) < 1e-12
    y = rows(9)
    line.fit(x, y, ridge=0.3)
    J = jacobian(model, x).flatten(0, 1)
    v = J.T @ torch.linalg.solve(J @ J.T + 0.3 * torch.eye(18).double(), (y - model(x)).detach().reshape(-1))
    assert dense.off(dense.flat(line.displacement), v) < 1e-10


def test_attacks_are_those_of_the_core():
    core = gramstep.Model.mlp([4, 16, 3], activation="tanh", seed=1, dtype="float64")

    class Bridge(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.x = x.detach().numpy().copy()
            return torch.from_numpy(core.predict(ctx.x))

        @staticmethod
        def backward(ctx, grad):
            return torch.from_numpy(core.input_gradient(ctx.x, grad.numpy().copy()))

    X, y = np.random.default_rng(0).normal(size=(20, 4)), np.arange(20) % 3
    same = Attackable(Bridge.apply, torch.from_numpy(X))
    for attack in (attacks.fgsm, attacks.pgd, attacks.apgd, attacks.smallest_perturbation):
        a, b = attack(core, X, y, radius=0.3), attack(same, X, y, radius=0.3)
        assert np.array_equal(a.adversarial, b.adversarial) and np.array_equal(a.found, b.found)
    shares, _ = attacks.transfer([core, same], X, y, radius=0.3)
    assert shares[0, 0] == shares[0, 1] == shares[1, 0]


def test_images_are_attacked_within_their_box():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 5)).train()
    x = torch.rand(6, 3, 8, 8)
    result = attacks.pgd(Attackable(model, x), x.cpu(), np.arange(6) % 5, radius=0.1, bounds=(0.0, 1.0))
    assert result.adversarial.shape == (6, 3, 8, 8) and model.training
    assert np.abs(result.adversarial - x.cpu().numpy()).max() <= 0.1 + 1e-6
    assert result.adversarial.min() >= 0 and result.adversarial.max() <= 1
    assert (result.after >= result.before).all() and result.after.mean() > result.before.mean()


def test_an_error_of_the_model_is_told():
    def broken(x):
        if len(x) > 1:
            raise KeyError("no such layer")
        return x.sum(1)

    x = torch.zeros(3, 2)
    with pytest.raises(KeyError, match="no such layer"):
        attacks.pgd(Attackable(broken, x), x.cpu(), np.zeros(3), radius=0.1)
