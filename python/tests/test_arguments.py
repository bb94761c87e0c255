"""What a caller hands over: counts, cotangents, functions of his own, and the same model in two threads."""

import threading

import numpy as np
import pytest

import gramstep
from gramstep import attacks

X = np.random.default_rng(0).normal(size=(5, 3))
Y = X[:, :2].copy()
EYE = np.eye(5)


def network(k=2):
    return gramstep.Model.mlp([3, 6, k], activation="tanh", seed=1)


def attack(**options):
    return attacks.pgd(network(), X, Y, radius=0.1, **options)


def images(shape=(8, 8, 1), channels=(2,), outputs=1, **options):
    return gramstep.Model.cnn(shape, channels, outputs, **options)


def step(model, X, y, **options):
    return gramstep.gram_gauss_newton_step(model, X, y, damping=0.1, **options)


def part(**options):
    return gramstep.TangentFeatures([gramstep.LinearPart(X, np.ones((5, 1, 1)), **options)])


DYNAMICS = gramstep.KernelDynamics(EYE, np.zeros((5, 1)), np.ones((5, 1)))
COUNTS = {
    "threads": [
        lambda threads: gramstep.Model.mlp([3, 1], threads=threads),
        lambda threads: gramstep.Model.resnet((8, 8, 1), 1, depth=8, threads=threads),
        lambda threads: gramstep.Model.from_specification(network().specification, threads=threads),
        lambda threads: images(threads=threads),
        lambda threads: gramstep.TangentFeatures([gramstep.ExplicitPart(np.ones((2, 1, 3)))], threads=threads),
        lambda threads: gramstep.KernelDynamics(EYE, Y, Y, threads=threads),
        lambda threads: gramstep.damped_solve(EYE, np.ones(5), 0.1, threads=threads),
    ],
    "seed": [
        lambda seed: gramstep.Model.mlp([3, 1], seed=seed),
        lambda seed: images(seed=seed),
        lambda seed: attack(seed=seed),
        lambda seed: gramstep.monte_carlo_kernel(network(), X, seed=seed),
    ],
    "sizes": [lambda size: gramstep.Model.mlp([3, size, 1])],
    "image_shape": [lambda size: images((8, size, 1)), lambda size: gramstep.Model.resnet((size, 8, 1), 1, depth=8)],
    "channels": [lambda n: images(channels=[n]), lambda n: gramstep.Model.resnet((8, 8, 1), 1, depth=8, channels=n)],
    "dense": [lambda n: images(dense=[n])],
    "outputs": [
        lambda n: images(outputs=n),
        lambda n: gramstep.empirical_ntk(network(), X, outputs=n),
        lambda n: gramstep.monte_carlo_kernel(network(), X, outputs=n),
    ],
    "n_parameters": [lambda n: gramstep.TangentFeatures([gramstep.ExplicitPart(np.ones((2, 1, 3)))], n_parameters=n)],
    "offset": [lambda n: part(offset=n)],
    "steps": [
        lambda n: DYNAMICS.outputs(steps=n, learning_rate=0.1),
        lambda n: attack(steps=n),
        lambda n: attacks.apgd(network(), X, Y, radius=0.1, steps=n),
    ],
    "restarts": [lambda n: attack(restarts=n)],
    "bisections": [
        lambda n: attacks.smallest_perturbation(network(), X, Y, radius=1.0, criterion=("moved", 0.1), bisections=n)
    ],
    "output": [lambda n: attack(goal="up", output=n)],
    "frozen": [lambda n: attack(frozen=[n])],
    "whole": [lambda n: attack(whole=[n])],
    "order": [lambda n: gramstep.taylor_expand(network(), n)],
    "max_steps": [lambda n: gramstep.taylor_expand(network(), 2).fit(X, Y, max_steps=n)],
    "n_samples": [lambda n: gramstep.monte_carlo_kernel(network(), X, n_samples=n)],
    "depth": [
        lambda n: gramstep.ntk(X, depth=n),
        lambda n: gramstep.nngp(X, depth=n),
        lambda n: gramstep.Model.resnet((8, 8, 1), 1, depth=n),
        lambda n: gramstep.NTKRegressor(n).fit(X, Y),
    ],
    "widths": [lambda n: gramstep.verify("cai2019-minibatch", seeds=1, widths=[n])],
}


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", [-1, 1.0, True, 2**64 - 1, 10**30])
def test_what_is_no_count_is_named(name, value):
    for call in COUNTS[name]:
        with pytest.raises(ValueError, match=f"^{name} = {value!r}: a whole number"):
            call(value)


def test_counts_of_numpy_are_counts():
    two = np.int64(2)
    models = [gramstep.Model.mlp([3, n, 1], seed=n, threads=n) for n in (2, two, np.uint8(2))]
    assert all(np.array_equal(model.theta, models[0].theta) and model.threads == 2 for model in models)
    assert np.array_equal(gramstep.Model.mlp(np.array([3, 2, 1]), seed=2).theta, models[0].theta)
    assert DYNAMICS.outputs(steps=two, learning_rate=0.1).shape == (5, 1)
    assert np.array_equal(attack(frozen=np.array([1])).adversarial[:, 1], X[:, 1])


def test_an_output_that_is_not_there_cannot_be_pushed():
    for goal in ("up", "down"):
        with pytest.raises(ValueError, match="output 2: there are 2"):
            attack(goal=goal, output=2)


def test_cotangents_in_other_axes_are_refused():
    model, u = network(), np.random.default_rng(1).normal(size=(5, 2))
    tangent, taylor = model.tangent(X), gramstep.taylor_expand(model, 1)
    expected = np.einsum("nk,nkp->p", u, model.jacobian(X))
    ways = [lambda u: model.vjp(X, u), tangent.vjp, lambda u: taylor.vjp(X, u)]
    slope = model.input_gradient(X, u)
    for vjp in ways:
        for alike in (u, u.ravel(), np.asfortranarray(u), u.tolist()):
            np.testing.assert_allclose(vjp(alike), expected, atol=1e-12)
    np.testing.assert_array_equal(model.input_gradient(X, u.ravel()), slope)
    for vjp in [*ways, lambda u: model.input_gradient(X, u)]:
        for other in (u.T, u[None], u[:4], u.ravel()[:8], np.ones((10, 1))):
            with pytest.raises(ValueError):
                vjp(other)


def test_vectors_have_one_axis():
    model, points = gramstep.Model.mlp([5, 4, 2, 2], seed=1), np.ones((2, 5))
    linear, taylor = model.linearise(), gramstep.taylor_expand(model, 1)
    vector = np.random.default_rng(1).normal(size=40)
    np.testing.assert_array_equal(model.jvp(points, vector[:, None]), model.jvp(points, vector))
    for call in (
        lambda v: model.jvp(points, v),
        lambda v: model.tangent(points).jvp(v),
        lambda v: setattr(model, "theta", v),
        lambda v: setattr(linear, "displacement", v),
        lambda v: setattr(taylor, "displacement", v),
    ):
        call(vector)
        call(vector[None])
        with pytest.raises(ValueError, match="2 axes"):
            call(vector.reshape(8, 5))
    with pytest.raises(ValueError, match="z has 2 axes"):
        gramstep.damped_solve(np.eye(4), np.ones((2, 2)), 0.1)
    with pytest.raises(ValueError, match="sample_weight has 2 axes"):
        step(model, np.ones((4, 5)), np.ones((4, 2)), sample_weight=np.ones((2, 2)))


def test_parts_are_any_sequence_and_their_scale_a_number():
    explicit = gramstep.ExplicitPart(np.ones((5, 1, 3)))
    linear = gramstep.LinearPart(X, np.ones((5, 1, 1)), scale=2.0)
    expected = gramstep.TangentFeatures([linear, explicit]).gram()
    np.testing.assert_array_equal(gramstep.TangentFeatures((linear, explicit)).gram(), expected)
    for scale in (np.nan, np.inf):
        with pytest.raises(ValueError, match="scale"):
            part(scale=scale)


class Broken:
    """A model of Python's whose evaluation fails."""

    n_inputs, n_outputs, dtype = 3, 2, "float64"

    def __init__(self, error):
        self.error = error

    def outputs(self, X):
        raise self.error

    pull_back = outputs


@pytest.mark.parametrize("error", [KeyError("lost"), RuntimeError("out of memory"), StopIteration()])
def test_what_a_model_of_python_raises_reaches_the_caller(error):
    broken = Broken(error)
    for call in (
        lambda: attacks.pgd(broken, X, Y, radius=0.1),
        lambda: attacks.transfer([broken, network()], X, Y, radius=0.1),
    ):
        with pytest.raises(type(error)) as caught:
            call()
        assert caught.value is error


def test_a_model_that_another_thread_trains_is_refused_without_a_panic():
    model = gramstep.Model.mlp([20, 300, 1], seed=1)
    rows = np.random.default_rng(0).normal(size=(600, 20))
    y = rows[:, :1].copy()
    linear, taylor = model.linearise(), gramstep.taylor_expand(model, 2)
    works = [
        (lambda: linear.fit(rows, y, ridge=0.1), lambda: linear.fit(rows[:2], y[:2])),
        (lambda: taylor.fit(rows, y, ridge=0.1, max_steps=3), lambda: taylor.fit(rows[:2], y[:2])),
        (lambda: taylor.predict(rows), lambda: taylor.fit(rows[:2], y[:2])),
        (lambda: linear.fit(rows, y, ridge=0.1), lambda: attacks.fgsm(linear, rows[:2], y[:2], radius=0.1)),
        (lambda: step(model, rows, y), lambda: step(model, rows[:2], y[:2])),
    ]
    for long, other in works:
        thread = threading.Thread(target=long)
        thread.start()
        errors = set()
        while thread.is_alive():
            try:
                other()
            except BaseException as error:
                errors.add(type(error))
        thread.join()
        assert errors <= {RuntimeError}


@pytest.mark.parametrize("estimator", [gramstep.GramGaussNewtonRegressor, gramstep.GramGaussNewtonClassifier])
def test_kernels_are_no_candidates_of_estimators_of_networks(estimator):
    X, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    with pytest.raises(ValueError, match="GramstepRegressor"):
        estimator(candidates="networks,kernels,linear").fit(X, y)
