"""Against PyTorch and JAX on the same weights, in double precision: the same numbers to 1e-9."""

import numpy as np
import pytest

import gramstep

SIZES = [4, 9, 7, 3]
TOLERANCE = {"rtol": 1e-9, "atol": 1e-9}


@pytest.fixture
def case(rng):
    model = gramstep.Model.mlp(SIZES, activation="gelu", seed=2)
    model.theta = rng.normal(size=model.n_parameters) / 2
    X, y = rng.normal(size=(5, 4)), rng.normal(size=(5, 3))
    return model, X, y, rng.normal(size=model.n_parameters), rng.normal(size=(5, 3))


def torch_function(torch, X):
    """θ → outputs, n·k."""
    shapes = [s for a, b in zip(SIZES, SIZES[1:], strict=False) for s in ((b, a), (b,))]
    X = torch.tensor(X)

    def f(theta):
        parts = torch.split(theta, [int(np.prod(shape)) for shape in shapes])
        weights = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
        a = X
        for layer in range(3):
            a = a @ weights[2 * layer].T + weights[2 * layer + 1]
            a = torch.nn.functional.gelu(a) if layer < 2 else a
        return a.reshape(-1)

    return f


def jax_function(jax, X):
    jnp = jax.numpy
    shapes = [s for a, b in zip(SIZES, SIZES[1:], strict=False) for s in ((b, a), (b,))]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]

    def f(theta):
        weights = [p.reshape(shape) for p, shape in zip(jnp.split(theta, ends), shapes, strict=True)]
        a = jnp.asarray(X)
        for layer in range(3):
            a = a @ weights[2 * layer].T + weights[2 * layer + 1]
            a = jax.nn.gelu(a, approximate=False) if layer < 2 else a
        return a.reshape(-1)

    return f


def check(model, X, y, v, u, outputs, jacobian, jvp, vjp):
    np.testing.assert_allclose(model.predict(X).ravel(), outputs, **TOLERANCE)
    np.testing.assert_allclose(model.jacobian(X).reshape(jacobian.shape), jacobian, **TOLERANCE)
    np.testing.assert_allclose(model.gram(X), jacobian @ jacobian.T, **TOLERANCE)
    np.testing.assert_allclose(model.jvp(X, v).ravel(), jvp, **TOLERANCE)
    np.testing.assert_allclose(model.vjp(X, u), vjp, **TOLERANCE)
    damping = 0.1
    residual = outputs - y.ravel()
    c = np.linalg.solve(jacobian @ jacobian.T + damping * np.eye(len(residual)), residual)
    expected = model.theta - 0.5 * jacobian.T @ c
    gramstep.gram_gauss_newton_step(model, X, y, damping=damping, learning_rate=0.5)
    np.testing.assert_allclose(model.theta, expected, **TOLERANCE)


def test_pytorch_computes_the_same(case):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    model, X, y, v, u = case
    f, theta = torch_function(torch, X), torch.tensor(model.theta)
    jacobian = torch.autograd.functional.jacobian(f, theta).numpy()
    _, jvp = torch.func.jvp(f, (theta,), (torch.tensor(v),))
    outputs, pull = torch.func.vjp(f, theta)
    (vjp,) = pull(torch.tensor(u.ravel()))
    check(model, X, y, v, u, outputs.numpy(), jacobian, jvp.numpy(), vjp.numpy())


def test_jax_computes_the_same(case):
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    jax.config.update("jax_enable_x64", True)
    model, X, y, v, u = case
    f, theta = jax_function(jax, X), model.theta
    jacobian = np.asarray(jax.jacobian(f)(theta))
    outputs, jvp = jax.jvp(f, (theta,), (v,))
    _, pull = jax.vjp(f, theta)
    check(model, X, y, v, u, np.asarray(outputs), jacobian, np.asarray(jvp), np.asarray(pull(u.ravel())[0]))
