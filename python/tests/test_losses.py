"""Losses, transforms and weights of classes; networks that go on."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV

from gramstep import GramGaussNewtonClassifier, GramGaussNewtonRegressor, load_run


def curve(n, seed, noise=0.0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, 2))
    return X, np.sin(3 * X[:, 0]) + X[:, 1] ** 2 + noise * rng.standard_normal(n)


def network(**given):
    return GramGaussNewtonRegressor((30,), "tanh", random_state=0, threads=1, **given)


def test_quantiles_are_columns_in_ascending_order(tmp_path):
    X, y = curve(400, 0, 0.3)
    model = network(loss="quantile:0.1,0.5,0.9").fit(X, y)
    f = model.predict(X)
    assert f.shape == (400, 3) and (np.diff(f, axis=1) >= 0).all()
    below = (y[:, None] < f).mean(axis=0)
    assert np.abs(below - [0.1, 0.5, 0.9]).max() < 0.06, below
    with pytest.raises(ValueError, match="quantile"):
        model.predict(X, return_std=True)
    model.save_run(tmp_path / "run")
    assert np.allclose(load_run(tmp_path / "run").predict(X), f)


def test_the_absolute_loss_is_not_moved_by_wild_targets():
    X, y = curve(300, 1)
    wild = y.copy()
    wild[::15] += 40.0
    error = {loss: np.abs(network(loss=loss).fit(X, wild).predict(X) - y).mean() for loss in ["squared", "absolute"]}
    assert error["absolute"] < 0.1 and error["squared"] > 1.0, error


def test_counts_and_logarithms_stay_above_zero():
    X, y = curve(400, 2)
    counts = np.random.default_rng(3).poisson(np.exp(y))
    assert np.abs(np.log(network(loss="poisson").fit(X, counts).predict(X)) - y).mean() < 0.2
    relative = network(target_transform="log").fit(X, np.exp(4 * y))
    assert np.abs(np.log(relative.predict(X)) / 4 - y).max() < 0.1
    with pytest.raises(ValueError, match="above 0"):
        network(target_transform="log").fit(X, y)


def test_weights_of_classes_are_weights_of_their_rows():
    rng = np.random.default_rng(4)
    y = np.where(rng.uniform(size=300) < 0.1, "rare", "usual")
    X = rng.standard_normal((300, 2)) + (y == "rare")[:, None]
    of = lambda **given: GramGaussNewtonClassifier((10,), "tanh", random_state=0, threads=1, **given)
    weights = np.where(y == "rare", 6.0, 1.0)
    ours = of(class_weight={"rare": 6.0}).fit(X, y).predict_proba(X)
    assert np.allclose(ours, of().fit(X, y, sample_weight=weights).predict_proba(X))
    found = [(of(class_weight=w).fit(X, y).predict(X) == "rare")[y == "rare"].mean() for w in [None, "balanced"]]
    assert found[1] > found[0] + 0.1, found
    model = of().fit(X, y)
    assert np.allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X))
    with pytest.raises(ValueError, match="other"):
        of(class_weight={"other": 2.0}).fit(X, y)
    with pytest.raises(ValueError, match="regressions"):
        of(loss="absolute").fit(X, y)


def test_a_warm_start_goes_on_and_a_first_row_alone_is_enough():
    X, y = curve(200, 5)
    model = network(warm_start=True, max_iter=3, alpha=0.0, validation_fraction=0.2).fit(X, y)
    first = model.best_loss_
    assert model.fit(X, y).best_loss_ < first
    model = network(solver="sgd", learning_rate_init=0.05)
    for i in range(0, 200):
        model.partial_fit(X[i : i + 1], y[i : i + 1])
    assert np.isfinite(model.predict(X)).all()


def test_a_line_in_noise_is_predicted_as_well_as_by_ridge_regression_where_the_network_is_left_open():
    rng = np.random.default_rng(6)
    X, new = rng.standard_normal((60, 20)), rng.standard_normal((500, 20))
    y = X.sum(axis=1) + 6.0 * rng.standard_normal(60)
    error = lambda model: np.square(model.predict(new) - new.sum(axis=1)).mean()
    ours = GramGaussNewtonRegressor(max_iter=4, random_state=0, threads=1).fit(X, y)
    assert error(ours) < 1.25 * error(RidgeCV(np.logspace(-2, 3)).fit(X, y))
