"""Taylor expansions and kernels averaged over initialisations."""

import numpy as np
import pytest

import gramstep


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_expansion_comes_nearer_with_its_order_and_order_one_is_the_linearised_network(rng, dtype):
    model = gramstep.Model.mlp([3, 16, 2], activation="tanh", seed=1, dtype=dtype)
    X, v = rng.normal(size=(5, 3)).astype(dtype), 0.2 * rng.normal(size=model.n_parameters).astype(dtype)
    moved = model.copy()
    moved.theta = model.theta + v
    errors = []
    for order in (1, 2, 3, 4):
        taylor = gramstep.taylor_expand(model, order)
        taylor.displacement = v
        assert taylor.order == order and taylor.predict(X).dtype == dtype
        np.testing.assert_allclose(taylor.terms(X).sum(axis=0), taylor.predict(X), rtol=1e-5)
        errors.append(np.abs(taylor.predict(X) - moved.predict(X)).max())
    assert all(b < 0.7 * a for a, b in zip(errors, errors[1:]))
    linear = model.linearise()
    linear.displacement = v
    taylor = gramstep.taylor_expand(model, 1)
    taylor.displacement = v
    np.testing.assert_allclose(taylor.predict(X), linear.predict(X), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(taylor.gram(X), model.gram(X), rtol=1e-3, atol=1e-4)


def test_an_expansion_is_trained_and_its_gradient_is_that_of_differences(rng):
    model = gramstep.Model.mlp([1, 32, 1], activation="tanh", seed=1)
    X = np.linspace(-1, 1, 9)[:, None]
    y = np.sin(4 * X)
    taylor = gramstep.taylor_expand(model, 3).fit(X, y, ridge=0.01)
    v, u = taylor.displacement, taylor.predict(X) - y
    np.testing.assert_allclose(taylor.vjp(X, u) + 0.01 * v, 0, atol=1e-5)
    w, h = rng.normal(size=v.size), 1e-5
    values = []
    for sign in (1, -1):
        taylor.displacement = v + sign * h * w
        values.append((u * taylor.predict(X)).sum())
    taylor.displacement = v
    assert taylor.vjp(X, u) @ w == pytest.approx((values[0] - values[1]) / (2 * h), rel=1e-6)
    with pytest.raises(ValueError, match="order"):
        gramstep.taylor_expand(model, 5)


def test_draws_of_a_kernel_are_those_of_their_seeds(rng):
    options = {"activation": "erf", "parameterization": "ntk"}
    model, X, X2 = gramstep.Model.mlp([3, 32, 2], seed=9, **options), rng.normal(size=(4, 3)), rng.normal(size=(3, 3))
    drawn = gramstep.monte_carlo_kernel(model, X, X2, n_samples=5, seed=7)
    kernels = [
        gramstep.empirical_ntk(gramstep.Model.mlp([3, 32, 2], seed=seed, **options), X, X2) for seed in range(7, 12)
    ]
    np.testing.assert_allclose(drawn.mean, np.mean(kernels, axis=0), rtol=1e-12)
    np.testing.assert_allclose(drawn.standard_error, np.std(kernels, axis=0, ddof=1) / np.sqrt(5), rtol=1e-9)
    covariance = gramstep.monte_carlo_kernel(model, X, n_samples=400, kernel="nngp")
    limit = gramstep.nngp(X, depth=1, activation="erf")
    assert (np.abs(covariance.mean - limit) < 5 * covariance.standard_error).all()
    for wrong in ({"n_samples": 1}, {"kernel": "other"}, {"outputs": "some"}):
        with pytest.raises(ValueError):
            gramstep.monte_carlo_kernel(model, X, **wrong)
