"""Every network against its dense Jacobian."""

import dense
import networks
import pytest
import torch
from gramstep.torch import GramGaussNewton, Tangent, _features, _tangent

EXACT = 1e-10


@pytest.mark.parametrize("name", networks.CASES)
def test_gram_matrices_and_products_are_those_of_the_jacobian(name):
    model, x = networks.build(name)
    parameters = dense.trained(model)
    J = dense.jacobian(model(x), parameters)
    plans = {}
    tangent = Tangent(model(x), parameters, plans)
    n, k = tangent.n, tangent.k
    G = J @ J.T
    assert dense.off(tangent.gram(), G) < EXACT
    assert dense.off(tangent.jacobian().flatten(0, 1), J) < EXACT
    blocks = G.reshape(n, k, n, k).diagonal(dim1=0, dim2=2).permute(2, 0, 1)
    assert dense.off(tangent.diagonal_blocks(), blocks) < EXACT
    v = [torch.randn_like(p) for p in parameters]
    assert dense.off(tangent.jvp(v).reshape(-1), J @ dense.flat(v)) < EXACT
    u = torch.randn(n, k, dtype=torch.float64)
    pulled = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, tangent.vjp(u))]
    assert dense.off(dense.flat(pulled), J.T @ u.reshape(-1)) < EXACT
    if not tangent.has_ties:
        by_node = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, tangent.vjp_by_node(u))]
        assert dense.off(dense.flat(by_node), J.T @ u.reshape(-1)) < EXACT


@pytest.mark.parametrize("name", networks.CASES)
def test_cross_gram_matrices_are_those_of_the_jacobians(name):
    model, x = networks.build(name)
    parameters = dense.trained(model)
    if name == "an image for each place":
        other = x.flip(0)
    else:
        other = x[: max(1, len(x) // 2)]
    a, b = dense.jacobian(model(x), parameters), dense.jacobian(model(other), parameters)
    cross = Tangent(model(x), parameters).gram(Tangent(model(other), parameters))
    assert dense.off(cross, a @ b.T) < EXACT


@pytest.mark.parametrize("name", networks.CASES)
def test_steps_are_those_of_the_jacobian(name):
    model, x = networks.build(name)
    parameters = dense.trained(model)
    y = torch.randn_like(model(x))
    optimizer = GramGaussNewton(parameters, lr=0.5, damping=1e-2)
    for _ in range(2):  # planned anew, and by the plan that was kept
        want = dense.squared_step(model(x), y, parameters, 0.5, 1e-2)
        optimizer.step(model(x), y)
        assert dense.off(dense.flat(parameters), want) < EXACT


@pytest.mark.parametrize("piece", [1, 60, 700])
@pytest.mark.parametrize("name", ["convolutions", "grouped, dilated, transposed", "LSTM", "GRU over words", "raw parameters", "tied table"])
def test_pieces_of_any_size_give_the_same(name, piece, monkeypatch):
    model, x = networks.build(name)
    parameters = dense.trained(model)
    J = dense.jacobian(model(x), parameters)
    for module in (_features, _tangent):
        monkeypatch.setattr(module, "PIECE", piece)
    for whole in (_features.WHOLE, 1):
        monkeypatch.setattr(_features, "WHOLE", whole)
        tangent = Tangent(model(x), parameters)
        assert dense.off(tangent.gram(), J @ J.T) < EXACT
        assert dense.off(tangent.jacobian().flatten(0, 1), J) < EXACT
        assert dense.off(tangent.diagonal().reshape(-1), (J @ J.T).diagonal()) < EXACT
        v = [torch.randn_like(p) for p in parameters]
        assert dense.off(tangent.jvp(v).reshape(-1), J @ dense.flat(v)) < EXACT


def test_a_plan_is_used_again():
    model, x = networks.build("vision transformer")
    plans = {}
    first = Tangent(model(x), dense.trained(model), plans)
    first.remember(plans)
    assert first.is_new and not Tangent(model(x), dense.trained(model), plans).is_new
    assert Tangent(model(x[:3]), dense.trained(model), plans).is_new
