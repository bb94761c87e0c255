"""Kernels of infinite width, empirical kernels, dynamics."""

import itertools
import json
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

import gramstep

REFERENCE = Path(__file__).parents[2] / "crates/gramstep/tests/reference/neural_tangents_kernels.json"


def points():
    """Six and three points, those of the reference."""
    x = 1.5 * np.sin(78.233 * (np.arange(45).reshape(9, 5) + 1))
    x[1] = -x[0]
    return x[:6], x[6:]


def alike():
    """Reference networks whose hidden layers are alike."""
    if not REFERENCE.exists():
        return []
    networks = json.loads(REFERENCE.read_text())["networks"]
    return [network for network in networks if len(set(network["hidden"])) == 1]


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference values are in the repository alone")
@pytest.mark.parametrize("network", alike(), ids=lambda network: "-".join(network["hidden"]))
def test_kernels_equal_the_stored_values_of_neural_tangents(network):
    x, new = points()
    for kernel, name in ((gramstep.ntk, "ntk"), (gramstep.nngp, "nngp")):
        for right, stored in zip((None, new), network["infinite"], strict=True):
            got = kernel(
                x,
                right,
                depth=len(network["hidden"]),
                activation=network["hidden"][0],
                weight_variance=network["weight_variance"],
                bias_variance=network["bias_variance"],
            )
            np.testing.assert_allclose(got, stored[name], rtol=1e-9, atol=1e-9)


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference values are in the repository alone")
def test_there_are_reference_networks():
    assert len(alike()) >= 6


def test_the_empirical_kernel_tends_to_the_infinite_one(rng):
    X = rng.normal(size=(5, 3))
    limit = gramstep.ntk(X, depth=2, activation="erf", weight_variance=1.5, bias_variance=0.1)
    options = {"activation": "erf", "parameterization": "ntk", "weight_variance": 1.5, "bias_variance": 0.1}

    def error(width):
        kernels = [
            gramstep.empirical_ntk(gramstep.Model.mlp([3, width, width, 1], seed=seed, **options), X)
            for seed in range(8)
        ]
        return np.sqrt(np.mean([(kernel - limit) ** 2 for kernel in kernels]))

    assert error(1024) < 0.5 * error(64)
    assert error(1024) < 0.1 * np.abs(limit).max()


def test_outputs_of_an_empirical_kernel(rng):
    model, X, X2 = gramstep.Model.mlp([3, 8, 2], seed=1), rng.normal(size=(4, 3)), rng.normal(size=(3, 3))
    full = model.gram(X, X2).reshape(4, 2, 3, 2)
    np.testing.assert_allclose(gramstep.empirical_ntk(model, X, X2, outputs="full").reshape(4, 2, 3, 2), full, rtol=1e-12)
    trace = np.einsum("iaja->ij", full) / 2
    np.testing.assert_allclose(gramstep.empirical_ntk(model, X, X2), trace, rtol=1e-12)
    np.testing.assert_allclose(gramstep.empirical_ntk(model, X, X2, outputs=1), full[:, 1, :, 1], rtol=1e-12)
    with pytest.raises(ValueError, match="outputs"):
        gramstep.empirical_ntk(model, X, outputs="some")


def test_float32_points_give_a_float32_kernel(rng):
    X = rng.normal(size=(4, 3))
    single = gramstep.ntk(X.astype(np.float32), depth=3)
    assert single.dtype == np.float32 and gramstep.ntk(X, depth=3).dtype == np.float64
    np.testing.assert_allclose(single, gramstep.ntk(X, depth=3), rtol=1e-5)


def test_dynamics_are_gradient_descent_in_closed_form(rng):
    A = rng.normal(size=(5, 7))
    K, start, y = A @ A.T, rng.normal(size=(5, 2)), rng.normal(size=(5, 2))
    dynamics = gramstep.KernelDynamics(K, start, y)
    rate = 0.5 * dynamics.largest_stable_rate()
    f = start.copy()
    for _ in range(10):
        f -= rate * K @ (f - y)
    np.testing.assert_allclose(dynamics.outputs(steps=10, learning_rate=rate), f, rtol=1e-10)
    np.testing.assert_allclose(dynamics.outputs(), y, rtol=1e-8)
    np.testing.assert_allclose(dynamics.predict(K, start, time=0.1), dynamics.outputs(time=0.1), rtol=1e-8)
    assert dynamics.largest_stable_rate() == pytest.approx(2 / np.linalg.eigvalsh(K)[-1])
    with pytest.raises(TypeError, match="learning_rate"):
        dynamics.outputs(steps=3)


def test_points_may_begin_at_any_byte(rng):
    X = rng.normal(size=(5, 3))
    unaligned = np.frombuffer(b"." + X.tobytes(), offset=1).reshape(X.shape)
    assert not unaligned.flags.aligned
    np.testing.assert_array_equal(gramstep.ntk(unaligned, depth=2), gramstep.ntk(X, depth=2))
    model = gramstep.Model.mlp([3, 8, 1], seed=1)
    np.testing.assert_array_equal(model.predict(unaligned), model.predict(X))


def slices(n, size):
    return [slice(start, start + size) for start in range(0, n, size)]


def lower(n, size):
    """Pairs of slices of the lower triangle."""
    return [(rows, columns) for columns, rows in itertools.combinations_with_replacement(slices(n, size), 2)]


def assembled(n, pairs, tiles):
    whole = np.full((n, n), np.nan)
    for (rows, columns), tile in zip(pairs, tiles, strict=True):
        whole[rows, columns], whole[columns, rows] = tile, tile.T
    return whole


@pytest.mark.parametrize("kernel", ["ntk", "nngp"])
def test_tiles_from_other_processes_are_the_same_bits(rng, kernel):
    X, pairs = rng.normal(size=(70, 3)), lower(70, 20)
    options = {"kernel": kernel, "depth": 2, "activation": "gelu"}
    here = [gramstep.compute_tile(X, *pair, **options) for pair in pairs]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        there = [pool.submit(gramstep.compute_tile, X, *pair, **options) for pair in pairs]
        assert all(np.array_equal(a, b.result()) for a, b in zip(here, there, strict=True))
    whole = getattr(gramstep, kernel)(X, depth=2, activation="gelu")
    np.testing.assert_allclose(assembled(70, pairs, here), whole, rtol=1e-12)
    np.testing.assert_allclose(gramstep.compute_tile(X, slice(3, 5), **options), whole[3:5], rtol=1e-12)
    with pytest.raises(ValueError, match="'ntk' or 'nngp', got 'rbf'"):
        gramstep.compute_tile(X, slice(0, 1), kernel="rbf")


def test_tiles_survive_the_death_of_a_dask_worker(rng):
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    X, pairs = rng.normal(size=(1500, 8)), lower(1500, 150)
    here = [gramstep.compute_tile(X, *pair, depth=8) for pair in pairs]
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with cluster, distributed.Client(cluster) as client:
        points = client.scatter(X, broadcast=True)
        futures = [client.submit(gramstep.compute_tile, points, *pair, depth=8) for pair in pairs]
        futures[0].result()
        os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
        assert all(np.array_equal(a, b.result()) for a, b in zip(here, futures, strict=True))


@pytest.mark.parametrize(
    ("kernel", "error", "message"),
    [
        (np.triu(np.ones((4, 4))), ValueError, "not symmetric"),
        (-np.eye(4), ValueError, "eigenvalue"),
        (np.full((4, 4), np.nan), FloatingPointError, "non-finite"),
    ],
    ids=["one triangle", "negative", "NaN"],
)
def test_what_is_no_kernel_is_refused(kernel, error, message):
    with pytest.raises(error, match=message):
        gramstep.KernelDynamics(kernel, np.zeros((4, 1)), np.arange(4.0)[:, None])
