"""Attacks on networks and on estimators."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris

import gramstep
from gramstep import attacks


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("attack", [attacks.fgsm, attacks.pgd, attacks.apgd])
def test_on_a_linear_network_every_attack_finds_the_worst_point(attack, norm, rng):
    model, w = gramstep.Model.mlp([4, 1], activation="identity", seed=1), rng.normal(size=4)
    model.set_parameters({"layers.0.weight": w[None], "layers.0.bias": np.zeros(1)})
    X = rng.normal(size=(6, 4))
    y = model.predict(X)[:, 0] - 1.0  # the residual is 1: the loss grows upwards
    result = attack(model, X, y, norm=norm, radius=0.3)
    dual = np.abs(w).sum() if norm == "linf" else np.linalg.norm(w)
    np.testing.assert_allclose(result.after, 0.5 * (1 + 0.3 * dual) ** 2, rtol=1e-6)
    np.testing.assert_allclose(result.before, 0.5, rtol=1e-12)
    order = np.inf if norm == "linf" else 2
    assert (np.linalg.norm(result.adversarial - X, ord=order, axis=1) <= 0.3 + 1e-12).all()


def test_bounds_scales_and_frozen_columns_hold(rng):
    model, X = gramstep.Model.mlp([3, 16, 1], activation="tanh", seed=1), rng.uniform(size=(20, 3))
    result = attacks.pgd(model, X, model.predict(X), radius=0.5, bounds=(0, 1), scales=[1, 2, 1], frozen=[2], goal="up")
    moved = np.abs(result.adversarial - X)
    assert result.adversarial.min() >= 0 and result.adversarial.max() <= 1
    assert moved[:, 2].max() == 0 and 0 < moved[:, 0].max() <= 0.5 + 1e-12 and moved[:, 1].max() <= 1
    with pytest.raises(ValueError, match="outside the box"):
        attacks.pgd(model, X, model.predict(X), radius=0.5, bounds=(0.5, 1))


def test_labels_are_attacked_through_the_margin(rng):
    X, y = load_iris(return_X_y=True)
    fitted = gramstep.GramGaussNewtonClassifier((20,), "tanh", max_iter=20, random_state=0).fit(X, y)
    result = attacks.pgd(fitted, X, y, norm="l2", radius=0.8)
    np.testing.assert_array_equal(fitted.predict(result.adversarial) != y, result.found)
    assert result.error == result.found.mean() > 1 - fitted.score(X, y)
    assert np.linalg.norm(result.adversarial - X, axis=1).max() <= 0.8 + 1e-9
    smallest = attacks.smallest_perturbation(fitted, X, y, norm="l2", radius=0.8)
    both = result.found & smallest.found
    assert both.any() and (smallest.size[both] <= 0.8 + 1e-9).all() and smallest.size[both].mean() < 0.75


def test_an_estimator_is_attacked_in_the_units_of_its_data():
    X, y = load_diabetes(return_X_y=True)
    X = X * [1, 10, 100, 1, 1, 1, 1, 1, 1, 1]
    fitted = gramstep.GramGaussNewtonRegressor((20,), "tanh", max_iter=20, random_state=0).fit(X, y)
    result = attacks.pgd(fitted, X, y, radius=0.02)
    assert np.abs(result.adversarial - X).max() <= 0.02 + 1e-9
    worse = (fitted.predict(result.adversarial) - y) ** 2 - (fitted.predict(X) - y) ** 2
    assert worse.min() > -1e-6 and worse.mean() > 100


def test_kernel_estimators_are_attacked_by_the_same_calls():
    X, y = load_iris(return_X_y=True)
    kernel = gramstep.NTKClassifier(depth=2).fit(X, y)
    network = gramstep.GramGaussNewtonClassifier((20,), "tanh", max_iter=20, random_state=0).fit(X, y)
    result = attacks.pgd(kernel, X, y, norm="l2", radius=0.8)
    np.testing.assert_array_equal(kernel.predict(result.adversarial) != y, result.found)
    assert result.error > 1 - kernel.score(X, y) and np.linalg.norm(result.adversarial - X, axis=1).max() <= 0.8 + 1e-9
    shares, results = attacks.transfer([kernel, network], X, y, norm="l2", radius=0.8)
    assert shares[0, 0] == result.error
    assert shares[0, 1] == np.mean(network.predict(results[0].adversarial) != y) > 1 - network.score(X, y)
    with pytest.raises(ValueError, match="different classes"):
        attacks.transfer([kernel, gramstep.NTKClassifier(depth=2).fit(X[:100], y[:100])], X, y, radius=0.1)

    with pytest.raises(ValueError, match="none of the classes"):
        attacks.pgd(kernel, X, y + 1, radius=0.1)

    X, y = load_diabetes(return_X_y=True)
    kernel = gramstep.NTKRegressor(depth=2, activation="erf").fit(X, y)
    single = gramstep.GramGaussNewtonRegressor((20,), "tanh", max_iter=5, random_state=0).fit(X.astype("float32"), y)
    shares, _ = attacks.transfer([single, kernel], X, y, radius=0.01, criterion=("wrong", 50.0))
    assert shares.shape == (2, 2) and shares[1, 1] > np.mean(np.abs(kernel.predict(X) - y) >= 50)
    model = gramstep.Model.mlp([10, 8, 2], seed=1)
    two = gramstep.NTKRegressor(depth=1).fit(X, np.stack([y, -y], axis=1))
    assert attacks.transfer([model, two], X, np.stack([y, -y], axis=1), radius=0.01)[0].shape == (2, 2)
    # Before and after are in the target's units: half the squared error, and the output itself.
    result = attacks.pgd(kernel, X, y, radius=0.01)
    np.testing.assert_allclose(result.before, 0.5 * (kernel.predict(X) - y) ** 2, rtol=1e-6, atol=1e-6)
    up = attacks.pgd(kernel, X, y, radius=0.01, goal="up", criterion=("moved", 10.0))
    np.testing.assert_allclose(up.after, kernel.predict(up.adversarial), rtol=1e-9)
    np.testing.assert_array_equal(up.found, np.abs(kernel.predict(up.adversarial) - kernel.predict(X)) >= 10.0)
    with pytest.raises(ValueError, match="marks of gaps"):
        gap = np.where(X == X[0, 0], np.nan, X)
        attacks.pgd(gramstep.NTKRegressor(depth=2, impute=True).fit(gap, y), X, y, radius=0.01)


def test_combinations_are_attacked_by_the_same_calls():
    X, y = load_diabetes(return_X_y=True)
    X, y = X[:120], y[:120]
    fitted = gramstep.GramstepRegressor(random_state=0).fit(X, y)
    result = attacks.pgd(fitted, X, y, radius=0.01)
    np.testing.assert_allclose(result.before, 0.5 * (fitted.predict(X) - y) ** 2, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(result.after, 0.5 * (fitted.predict(result.adversarial) - y) ** 2, rtol=1e-9, atol=1e-6)
    assert (result.after >= result.before).all() and result.after.mean() > 1.1 * result.before.mean()

    X, y = load_iris(return_X_y=True)
    fitted = gramstep.GramstepClassifier(random_state=0).fit(X, y)
    network = gramstep.GramGaussNewtonClassifier((20,), "tanh", max_iter=20, random_state=0).fit(X, y)
    result = attacks.pgd(fitted, X, y, norm="l2", radius=0.8)
    np.testing.assert_array_equal(fitted.predict(result.adversarial) != y, result.found)
    shares, _ = attacks.transfer([fitted, network], X, y, norm="l2", radius=0.8)
    assert shares[0, 0] == result.error > 1 - fitted.score(X, y)


def test_misuse_is_an_error_with_the_reason(rng):
    model, X = gramstep.Model.mlp([3, 2], seed=1), rng.normal(size=(2, 3))
    for options, message in [
        ({"norm": "l1"}, "norm"),
        ({"radius": -1.0}, "radius|-1"),
        ({"goal": "win"}, "goal"),
        ({"criterion": "lost"}, "criterion"),
        ({"steps": 0}, "steps"),
    ]:
        with pytest.raises(ValueError, match=message):
            attacks.pgd(model, X, np.array([0, 1]), **{"radius": 0.1} | options)
    with pytest.raises(TypeError, match="Model"):
        attacks.pgd(object(), X, [0, 1], radius=0.1)


def test_perturbations_transfer_between_a_network_and_its_linearisation(rng):
    X = rng.normal(size=(60, 3))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    model = gramstep.Model.mlp([3, 256, 2], activation="tanh", seed=1)
    linear = model.linearise().fit(X, np.eye(2)[y], ridge=0.1)
    other = gramstep.Model.mlp([3, 256, 2], activation="tanh", seed=5).linearise().fit(X, np.eye(2)[y], ridge=0.1)
    shares, results = attacks.transfer([linear, other, linear], X, y, radius=0.3)
    alone = attacks.pgd(linear, X, y, radius=0.3)
    np.testing.assert_array_equal(results[0].adversarial, alone.adversarial)
    assert shares[0, 0] == alone.error == shares[2, 0] and shares[1, 1] == results[1].error
    moved = linear.predict(results[1].adversarial).argmax(axis=1)
    assert shares[1, 0] == np.mean(moved != y)
    single = gramstep.Model.mlp([3, 8, 2], seed=1, dtype="float32")
    with pytest.raises(ValueError, match="some are of float32"):
        attacks.transfer([linear, single], X, y, radius=0.3)
    with pytest.raises(TypeError, match="at least one Model"):
        attacks.transfer([], X, y, radius=0.3)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("attack", [attacks.fgsm, attacks.pgd, attacks.apgd])
def test_a_prediction_is_attacked_against_itself(attack, norm, rng):
    X = rng.normal(size=(30, 3))
    y = X @ [1, -2, 0.5]
    fitted = gramstep.GramGaussNewtonRegressor((20,), "tanh", max_iter=20, random_state=0).fit(X, y)
    for model in (fitted, gramstep.Model.mlp([3, 16, 2], activation="tanh", seed=1)):
        result = attack(model, X, model.predict(X), norm=norm, radius=0.1, criterion=("moved", 0.001))
        moved = np.abs(model.predict(result.adversarial) - model.predict(X)).reshape(30, -1).max(axis=1)
        assert result.error == 1 and (result.size > 0).all() and moved.min() >= 0.001
        smallest = attacks.smallest_perturbation(
            model, X, model.predict(X), norm=norm, radius=5.0, restarts=2, seed=3, criterion=("moved", 0.05)
        )
        assert smallest.found.all() and smallest.size.max() < 5.0


def test_a_targeted_attack_brings_rows_to_their_class_and_counts_them(rng):
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    for model in (
        gramstep.GramGaussNewtonClassifier((20,), "tanh", max_iter=20, random_state=0).fit(X, names),
        gramstep.NTKClassifier(depth=1).fit(X, names),
    ):
        for wish in np.unique(names):
            Z = X[names != wish]
            result = attacks.apgd(model, Z, np.full(len(Z), wish), radius=1.0, goal="reach", restarts=2)
            there = model.predict(result.adversarial) == wish
            np.testing.assert_array_equal(result.found, there)
            corners = [model.predict(Z + rng.choice([-1.0, 1.0], size=Z.shape)) == wish for _ in range(50)]
            assert result.error == there.mean() >= np.any(corners, axis=0).mean()


def test_the_error_is_counted_or_said_to_be_missing(rng):
    X = rng.normal(size=(50, 3))
    y = X @ [1, -2, 0.5]
    fitted = gramstep.GramGaussNewtonRegressor((20,), "tanh", max_iter=20, random_state=0).fit(X, y)
    uncounted = attacks.pgd(fitted, X, y, radius=0.5)
    assert not uncounted.counted and not uncounted.found.any() and (uncounted.after > uncounted.before).all()
    with pytest.raises(ValueError, match="no criterion"):
        _ = uncounted.error
    wrong = attacks.pgd(fitted, X, y, radius=0.5, criterion=("wrong", 0.5))
    assert wrong.error == np.mean(np.abs(fitted.predict(wrong.adversarial) - y) >= 0.5) > 0
    # One output, whole numbers: its sign decides.
    model = gramstep.Model.mlp([3, 8, 1], seed=0)
    for labels in ((y > 0).astype(int), np.where(y > 0, 1, -1), y > 0):
        binary = attacks.pgd(model, X, labels, radius=0.5)
        assert binary.error == np.mean((model.predict(binary.adversarial)[:, 0] > 0) != (labels > 0)) > 0
    with pytest.raises(ValueError, match="labels of one output"):
        attacks.pgd(model, X, np.arange(50), radius=0.5)
    shares, _ = attacks.transfer([model, model.linearise()], X, y, radius=0.1)
    assert np.isnan(shares).all()


def test_a_box_is_two_numbers_or_two_arrays_or_a_row_for_each_column(rng):
    model, X = gramstep.Model.mlp([3, 1], activation="identity", seed=1), rng.uniform(size=(20, 3))
    model.set_parameters({"layers.0.weight": np.array([[1.0, -1.0, 1.0]]), "layers.0.bias": np.zeros(1)})
    low, high = np.array([0.0, -1.0, 0.0]), np.array([1.0, 1.0, 2.0])
    forms = [(low, high), np.stack([low, high], axis=1), (list(low), list(high)), ([0, -1, 0], [1, 1, 2])]
    first, *others = [
        attacks.pgd(model, X, np.zeros(20), radius=3.0, bounds=form, goal="up").adversarial for form in forms
    ]
    np.testing.assert_array_equal(first, np.tile([1.0, -1.0, 2.0], (20, 1)))
    assert all(np.array_equal(first, other) for other in others)
    one = attacks.pgd(model, X, np.zeros(20), radius=3.0, bounds=(0, high), goal="up").adversarial
    np.testing.assert_array_equal(one, np.tile([1.0, 0.0, 2.0], (20, 1)))
    for wrong in [(0, 1, 2), 3.0, ([0, 0], [1, 1]), ("a", 1)]:
        with pytest.raises(ValueError, match="bounds: expected"):
            attacks.pgd(model, X, np.zeros(20), radius=3.0, bounds=wrong)


def test_whole_columns_move_by_whole_numbers(rng):
    X = np.stack([rng.integers(0, 9, size=40), rng.normal(size=40)], axis=1).astype(float)
    fitted = gramstep.GramGaussNewtonRegressor((20,), "tanh", max_iter=10, random_state=0).fit(X, X.sum(axis=1))
    result = attacks.pgd(fitted, X, X.sum(axis=1), radius=2.5, whole=[0])
    moved = result.adversarial - X
    np.testing.assert_allclose(moved[:, 0], moved[:, 0].round(), atol=1e-9)
    assert set(np.abs(moved[:, 0].round())) <= {0.0, 1.0, 2.0} and np.abs(moved[:, 1]).max() > 2
