"""Identities of networks and their tangent features, whatever the memory of the arrays."""

import copy
import pickle

import numpy as np
import pytest

import gramstep


def network(k=2, **options):
    return gramstep.Model.mlp([3, 8, 5, k], activation="tanh", seed=3, **options)


def test_gram_is_jacobian_times_its_transpose(rng):
    model, X, X2 = network(), rng.normal(size=(6, 3)), rng.normal(size=(4, 3))
    J, J2 = (model.jacobian(A).reshape(-1, model.n_parameters) for A in (X, X2))
    assert model.jacobian(X).shape == (6, 2, model.n_parameters)
    np.testing.assert_allclose(model.gram(X), J @ J.T, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(model.gram(X, X2), J @ J2.T, rtol=1e-12, atol=1e-13)


def test_jvp_and_vjp_are_products_with_the_jacobian(rng):
    model, X = network(), rng.normal(size=(6, 3))
    J = model.jacobian(X)
    v, u = rng.normal(size=model.n_parameters), rng.normal(size=(6, 2))
    np.testing.assert_allclose(model.jvp(X, v), J @ v, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(model.vjp(X, u), np.einsum("nk,nkp->p", u, J), rtol=1e-11, atol=1e-12)


def test_jacobian_is_the_derivative_of_predict(rng):
    model, X = network(), rng.normal(size=(2, 3))
    v, h = rng.normal(size=model.n_parameters), 1e-6
    up, down = model.copy(), model.copy()
    up.theta, down.theta = model.theta + h * v, model.theta - h * v
    slope = (up.predict(X) - down.predict(X)) / (2 * h)
    np.testing.assert_allclose(model.jacobian(X) @ v, slope, rtol=1e-7, atol=1e-8)


def test_input_gradient_is_the_derivative_in_x(rng):
    model, X, u = network(), rng.normal(size=(2, 3)), rng.normal(size=(2, 2))
    d, h = rng.normal(size=(2, 3)), 1e-6
    slope = (u * (model.predict(X + h * d) - model.predict(X - h * d))).sum(axis=1) / (2 * h)
    np.testing.assert_allclose((model.input_gradient(X, u) * d).sum(axis=1), slope, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_order_and_the_strides_of_memory_do_not_matter(rng, dtype):
    model, X = network(dtype=dtype), rng.normal(size=(5, 3)).astype(dtype)
    wide = np.zeros((10, 6), dtype)
    wide[::2, ::-2] = X
    read_only = X.copy()
    read_only.flags.writeable = False
    for other in (np.asfortranarray(X), wide[::2, ::-2], X[::-1].copy()[::-1], read_only, X.tolist()):
        np.testing.assert_array_equal(model.predict(other), model.predict(X))
        np.testing.assert_array_equal(model.gram(other), model.gram(X))
    assert model.predict(X).dtype == dtype and model.gram(X).dtype == dtype


def test_images_may_have_any_memory_too(rng):
    model = gramstep.Model.cnn((6, 5, 2), [3], 2, seed=1, dtype="float64")
    model.theta = rng.normal(size=model.n_parameters)
    X = rng.normal(size=(3, 6, 5, 2))
    assert model.predict(X).std() > 0
    for other in (np.asfortranarray(X), X.reshape(3, -1), X.transpose(0, 3, 1, 2).copy().transpose(0, 2, 3, 1)):
        np.testing.assert_array_equal(model.predict(other), model.predict(X))


def test_max_pools_are_a_choice_of_convolutional_networks(rng):
    X = rng.normal(size=(2, 8, 8, 1))
    models = [gramstep.Model.cnn((8, 8, 1), [2, 2], 1, pool=pool, dtype="float64") for pool in ("mean", "max")]
    means, largest = (model.predict(X) for model in models)
    assert np.abs(means - largest).max() > 1e-3
    with pytest.raises(ValueError, match="pool is 'mean' or 'max'"):
        gramstep.Model.cnn((8, 8, 1), [2], 1, pool="median")


def test_integers_and_float32_become_the_model_s_type():
    model = network()
    X = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(model.predict(X), model.predict(X.astype(float)))
    np.testing.assert_array_equal(model.predict(X.astype(np.float32)), model.predict(X.astype(float)))


def test_parameters_go_in_and_out_by_name(rng):
    model, other = network(), network(k=2)
    other.theta = rng.normal(size=model.n_parameters)
    parameters = other.parameters()
    assert parameters["layers.0.weight"].shape == (8, 3) and parameters["layers.4.bias"].shape == (2,)
    assert np.array_equal(np.concatenate([a.ravel() for a in parameters.values()]), other.theta)
    model.set_parameters(parameters)
    np.testing.assert_array_equal(model.theta, other.theta)
    model.set_parameters({"layers.0.bias": np.zeros(8)})
    assert not model.parameters()["layers.0.bias"].any()
    with pytest.raises(KeyError, match="no parameter"):
        model.set_parameters({"layers.9.bias": np.zeros(8)})
    with pytest.raises(ValueError, match=r"expected shape \[8, 3\], got \[3, 8\]"):
        model.set_parameters({"layers.0.weight": np.zeros((3, 8))})


def test_models_are_pickled_and_copied(rng):
    X = rng.normal(size=(2, 3))
    for model in (network(), network(dtype="float32", parameterization="ntk", symmetric=True)):
        model.theta = rng.normal(size=model.n_parameters)
        for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), model.copy()):
            np.testing.assert_array_equal(other.predict(X), model.predict(X))
            assert other.dtype == model.dtype and other.specification == model.specification


def test_the_linearised_network_fits_in_closed_form(rng):
    model = gramstep.Model.mlp([1, 64, 1], activation="tanh", seed=3)
    X = np.linspace(-1, 1, 6)[:, None]
    linear = model.linearise().fit(X, np.sin(3 * X))
    np.testing.assert_allclose(linear.predict(X), np.sin(3 * X), atol=1e-6)
    expected = model.predict(X) + model.jvp(X, linear.displacement)
    np.testing.assert_allclose(linear.predict(X), expected, atol=1e-12)


def test_a_step_solves_the_damped_system(rng):
    model, X, y = network(), rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    J, r, start = model.jacobian(X).reshape(12, -1), (model.predict(X) - y).ravel(), model.theta
    info = gramstep.gram_gauss_newton_step(model, X, y, damping=0.3, learning_rate=0.7)
    expected = start - 0.7 * J.T @ np.linalg.solve(J @ J.T + 0.3 * np.eye(12), r)
    np.testing.assert_allclose(model.theta, expected, rtol=1e-11, atol=1e-12)
    assert info["loss"] == pytest.approx((r**2).mean(), rel=1e-12)
    assert info["residual"] < 1e-12 and not info["repaired"]


def test_parts_of_another_framework_give_the_model_s_gram_matrix(rng):
    X = rng.normal(size=(5, 3))
    model = gramstep.Model.mlp([3, 4, 2], activation="tanh", seed=5)
    W1, b1, W2, _ = model.parameters().values()
    hidden = np.tanh(X @ W1.T + b1)
    last = np.broadcast_to(np.eye(2), (5, 2, 2))
    first = W2[None] * (1 - hidden**2)[:, None, :]
    parts = [gramstep.LinearPart(X, first), gramstep.LinearPart(hidden, last)]
    tangent = gramstep.TangentFeatures(parts, predictions=model.predict(X))
    assert (tangent.n_samples, tangent.n_outputs, tangent.n_parameters) == (5, 2, model.n_parameters)
    np.testing.assert_allclose(tangent.gram(), model.gram(X), rtol=1e-12)
    np.testing.assert_allclose(tangent.jacobian(), model.jacobian(X), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(tangent.diagonal(), np.diag(model.gram(X)), rtol=1e-12)
    explicit = gramstep.TangentFeatures([gramstep.ExplicitPart(model.jacobian(X))])
    np.testing.assert_allclose(explicit.gram(), model.gram(X), rtol=1e-12)
    frozen = gramstep.TangentFeatures([gramstep.LinearPart(X, first, weight=0.0), parts[1]])
    model.set_span_weight("layers.0.weight", 0.0)
    model.set_span_weight("layers.0.bias", 0.0)
    np.testing.assert_allclose(frozen.gram(), model.gram(X), rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: network().predict(np.zeros((2, 4))), ValueError, "expected 3, got 4"),
        (lambda: network().predict(np.zeros(3)), ValueError, "X has 1 axes"),
        (lambda: network().predict([["a", "b", "c"]]), TypeError, "numbers expected"),
        (lambda: network().predict(np.zeros((1, 3), complex)), TypeError, "numbers expected"),
        (lambda: network().predict(np.full((1, 3), np.nan)), FloatingPointError, "non-finite"),
        (lambda: network().predict(np.full((1, 3), np.inf)), FloatingPointError, "X: non-finite value inf"),
        (lambda: setattr(network(), "theta", np.full(network().theta.size, np.nan)), FloatingPointError, "theta: non-finite"),
        (lambda: gramstep.ntk(np.full((2, 3), 1e25, np.float32), depth=1), FloatingPointError, "kernel"),
        (lambda: gramstep.Model.mlp([3, 0, 1]), ValueError, "sizes = 0"),
        (lambda: gramstep.Model.mlp([3, 1], activation="swoosh"), ValueError, "swoosh"),
        (lambda: gramstep.Model.mlp([3, 1], dtype="float16"), ValueError, "float16"),
        (lambda: gramstep.Model.mlp([3, 1], weight_variance=2.0), ValueError, "ntk"),
        (lambda: network().jvp(np.zeros((1, 3)), np.zeros(2)), ValueError, "direction"),
        (lambda: network().vjp(np.zeros((1, 3)), np.zeros(5)), ValueError, "cotangents"),
        (lambda: gramstep.TangentFeatures([]), ValueError, "at least one part"),
        (lambda: gramstep.gram_gauss_newton_step(network(), np.zeros((1, 3)), [[0, 0]], damping=-1), ValueError, "damp"),
        (lambda: gramstep.ntk(np.zeros((2, 3)), np.zeros((2, 4)), depth=1), ValueError, "expected"),
        (lambda: gramstep.ntk(np.zeros((2, 3)), depth=1, weight_variance=-1.0), ValueError, "variance"),
    ],
)
def test_misuse_is_the_fitting_exception_with_the_reason(call, error, message):
    with pytest.raises(error, match=message):
        call()
