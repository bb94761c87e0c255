"""A fit that fails, or is interrupted, leaves the estimator as it was."""

import sys

import numpy as np
import pytest
from sklearn.base import is_classifier
from sklearn.exceptions import NotFittedError

import gramstep
from gramstep import GramGaussNewtonClassifier, GramGaussNewtonRegressor

X = np.random.default_rng(0).normal(size=(40, 2))
QUICK = {"max_iter": 2, "random_state": 0, "threads": 1}
ESTIMATORS = [
    GramGaussNewtonClassifier((4,), **QUICK),
    GramGaussNewtonRegressor((4,), **QUICK),
    gramstep.GramstepClassifier(preset="fast", **QUICK),
    gramstep.GramstepRegressor(preset="fast", **QUICK),
    gramstep.KernelClassifier("rbf", threads=1),
    gramstep.KernelRegressor("rbf", threads=1),
    gramstep.NTKClassifier(1, threads=1),
    gramstep.NTKRegressor(1, threads=1),
]


def targets(model, *names):
    return np.where(X[:, 0] > 0, *names) if is_classifier(model) else X @ np.ones((2, len(names[0])))


def interrupted(*_, **__):
    raise KeyboardInterrupt


def is_as_it_was(model, call, error):
    before = dict(vars(model))
    with pytest.raises(error):
        call()
    after = vars(model)
    assert before.keys() == after.keys() and all(after[name] is value for name, value in before.items())


@pytest.mark.parametrize("model", ESTIMATORS, ids=lambda model: type(model).__name__)
def test_a_failed_fit_leaves_the_earlier_model_with_its_names(model, monkeypatch):
    y, other = targets(model, "a", "b"), targets(model, "dd", "cc")
    wider = np.hstack([X, X])
    model.fit(X, y)
    predicted = model.predict(X)
    is_as_it_was(model, lambda: model.fit(wider, other, sample_weight=-np.ones(40)), ValueError)
    monkeypatch.setattr(sys.modules[type(model).__module__], "fit", interrupted)
    is_as_it_was(model, lambda: model.fit(wider, other), KeyboardInterrupt)
    if hasattr(model, "partial_fit"):
        is_as_it_was(model, lambda: model.partial_fit(X, y), KeyboardInterrupt)
    assert np.array_equal(model.predict(X), predicted)


@pytest.mark.parametrize("model", ESTIMATORS, ids=lambda model: type(model).__name__)
def test_after_a_failed_first_fit_there_is_no_model(model, monkeypatch):
    model = type(model)(**model.get_params())
    monkeypatch.setattr(sys.modules[type(model).__module__], "fit", interrupted)
    is_as_it_was(model, lambda: model.fit(X, targets(model, "a", "b")), KeyboardInterrupt)
    with pytest.raises(NotFittedError):
        model.predict(X)
    # An estimator of scikit-learn is fitted as soon as it has such an attribute, ours where it has learned.
    model.note_ = "mine"
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_one_label_after_several_that_fails_leaves_several():
    several = np.column_stack([X[:, 0] > 0, X[:, 1] > 0]).astype(int)
    model = GramGaussNewtonClassifier((4,), **QUICK).fit(X, several)
    predicted = model.predict(X)
    model.set_params(max_iter=-1)
    is_as_it_was(model, lambda: model.fit(X, several[:, 0]), ValueError)
    assert np.array_equal(model.predict(X), predicted)


def test_a_kernel_regression_keeps_its_targets():
    K = np.eye(3)
    regression = gramstep.KernelRegression(0.5, threads=1).fit(K, np.ones(3))
    is_as_it_was(regression, lambda: regression.fit(np.eye(2), np.ones((3, 2))), ValueError)
    assert regression.predict(K).shape == (3,)
