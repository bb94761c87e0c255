"""Estimators without settings: what they keep, how sure they are, and what scikit-learn asks of an estimator."""

import pickle
import warnings

import numpy as np
import pytest
from gramstep import GramGaussNewtonRegressor, GramstepClassifier, GramstepRegressor, load_run
from sklearn.utils.estimator_checks import check_estimator

#: Rows are split at random: repeated rows split otherwise than weighted ones.
SPLIT = {"check_sample_weight_equivalence_on_dense_data": "rows are split at random"}
LIGHT = {"check_class_weight_classifiers": "rows of weight 1e-7 are learnt too where that costs the others nothing"}


def rows(n, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, 3))
    return X, 50 + 10 * (np.sin(3 * X[:, 0]) + X[:, 1] * X[:, 2] + rng.normal(0, 0.2, n))


@pytest.fixture(scope="module")
def fitted():
    return GramstepRegressor(max_iter=30, random_state=0).fit(*rows(200))


def test_the_parts_and_their_losses_are_told(fitted):
    parts = [part for part in fitted.candidates_ if part["kept"]]
    assert len(parts) > 1 and all(part["weight"] > 0 for part in parts)
    assert fitted.candidates_[-1]["model"] == "constant"
    X, y = rows(1000, seed=1)
    line = [part for part in fitted.candidates_ if part["model"] == "ridge regression"][0]
    assert 1 - fitted.score(X, y) < line["loss"]


def test_intervals_hold_new_rows_and_deviations_their_size(fitted):
    X, y = rows(1000, seed=1)
    ends = fitted.predict_interval(X, 0.9)
    assert ends.shape == (1000, 2) and 0.83 < np.mean((ends[:, 0] <= y) & (y <= ends[:, 1])) < 0.97
    f, std = fitted.predict(X, return_std=True)
    assert 0.7 < np.sqrt(np.mean(((y - f) / std) ** 2)) < 1.4
    with pytest.raises(ValueError, match="level"):
        fitted.predict_interval(X, 1.0)


def test_a_copy_and_a_run_predict_the_same(fitted, tmp_path):
    X, _ = rows(50, seed=2)
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict(X), fitted.predict(X))
    fitted.save_run(tmp_path / "run")
    run = load_run(tmp_path / "run")
    np.testing.assert_allclose(run.predict(X), fitted.predict(X), rtol=1e-12)
    np.testing.assert_allclose(run.predict_interval(X, 0.8), fitted.predict_interval(X, 0.8), rtol=1e-12)


def test_sets_of_classes_hold_the_right_one():
    X, y = rows(300)
    new, expected = rows(1000, seed=1)
    model = GramstepClassifier(max_iter=30, random_state=0).fit(X, y > 50)
    sets = model.predict_set(new, 0.9)
    right = sets[np.arange(1000), (expected > 50).astype(int)]
    assert sets.dtype == bool and 0.83 < right.mean() < 0.98 and sets.any(axis=1).all()
    assert np.allclose(model.predict_proba(new).sum(axis=1), 1.0)


def test_what_the_caller_limits_is_limited():
    X, y = rows(100)
    alone = GramstepRegressor("networks", max_iter=5, random_state=0).fit(X, y)
    assert not any("weight" in part for part in alone.candidates_)
    assert isinstance(GramGaussNewtonRegressor(max_iter=5, random_state=0).fit(X, y).predict(X), np.ndarray)
    with pytest.raises(ValueError, match="candidates"):
        GramstepRegressor("trees").fit(X, y)


@pytest.mark.parametrize("make", [GramstepRegressor, GramstepClassifier])
def test_scikit_learn_s_checks_pass(make):
    expected = SPLIT | (LIGHT if make is GramstepClassifier else {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = make(max_iter=10, random_state=0)
        results = check_estimator(estimator, expected_failed_checks=expected, on_fail=None)
    failed = [f"{one['check_name']}: {one['exception']}" for one in results if one["status"] == "failed"]
    assert not failed, "\n".join(failed)
