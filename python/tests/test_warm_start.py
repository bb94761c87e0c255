"""What goes on from an earlier fit has its columns, classes and targets, or is refused and leaves the model as it was."""

import numpy as np
import pytest

from gramstep import GramGaussNewtonClassifier, GramGaussNewtonRegressor

QUICK = {"hidden_layer_sizes": (6,), "activation": "tanh", "max_iter": 3, "random_state": 0, "threads": 1}


def rows(n=60):
    X = np.random.default_rng(0).normal(size=(n, 3)) * [1.0, 10.0, 100.0]
    return X, np.arange(n) % 3


def is_refused(model, X, call, words):
    """Whether it is an error that leaves predictions and classes as they were."""
    before, classes = model.predict(X), getattr(model, "classes_", None)
    with pytest.raises(ValueError, match=words):
        call()
    assert np.array_equal(model.predict(X), before)
    assert classes is None or np.array_equal(model.classes_, classes)


@pytest.mark.parametrize("classes", [[1, 2], [0, 1, 2, 3], [3, 4, 5]])
def test_a_warm_start_has_the_classes_of_the_fit_before(classes):
    X, y = rows()
    model = GramGaussNewtonClassifier(**QUICK, warm_start=True).fit(X, y)
    other = np.resize(classes, len(y))
    is_refused(model, X, lambda: model.fit(X, other), "warm_start.*classes")
    assert model.fit(X, y[::-1]).predict_proba(X).shape == (60, 3)
    model.set_params(warm_start=False)
    assert model.fit(X, other).predict_proba(X).shape == (60, len(classes))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("estimator", [GramGaussNewtonClassifier, GramGaussNewtonRegressor])
def test_what_goes_on_has_the_columns_of_the_fit_before(estimator, method):
    pd = pytest.importorskip("pandas")
    X, y = rows()
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    model = estimator(**QUICK, warm_start=True).fit(frame, y)
    again = getattr(model, method)
    is_refused(model, frame, lambda: again(frame[["c", "b", "a"]], y), "feature names")
    is_refused(model, frame, lambda: again(frame.rename(columns={"a": "z"}), y), "feature names")
    is_refused(model, frame, lambda: again(frame[["a", "b"]], y), "feature")
    again(frame, y)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_what_goes_on_has_as_many_targets(method):
    X, y = rows()
    both = np.column_stack([y, -y])
    model = GramGaussNewtonRegressor(**QUICK, warm_start=True).fit(X, y)
    is_refused(model, X, lambda: getattr(model, method)(X, both), "1 target")
    model = GramGaussNewtonRegressor(**QUICK, warm_start=True).fit(X, both)
    is_refused(model, X, lambda: getattr(model, method)(X, y), "2 targets")
    assert getattr(model, method)(X, both).predict(X).shape == (60, 2)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_what_goes_on_has_the_same_labels(method):
    X, y = rows()
    both = np.column_stack([y == 0, y == 1]).astype(int)
    three = np.column_stack([both, y == 2]).astype(int)
    model = GramGaussNewtonClassifier(**QUICK, warm_start=True).fit(X, both)
    for other in (three, y, both + 1, np.where(both == 1, "yes", "no")):
        is_refused(model, X, lambda: getattr(model, method)(X, other), "y")
    getattr(model, method)(X, both)
    one = GramGaussNewtonClassifier(**QUICK, warm_start=True).fit(X, y)
    is_refused(one, X, lambda: getattr(one, method)(X, both), "y")


def test_all_classes_are_named_alike_in_every_call():
    X, y = rows()
    model = GramGaussNewtonClassifier(**QUICK).partial_fit(X, y, classes=[0, 1, 2])
    is_refused(model, X, lambda: model.partial_fit(X, y, classes=[0, 1, 2, 3]), "classes")
    is_refused(model, X, lambda: model.partial_fit(X, y + 1), "classes")
    model.partial_fit(X, y, classes=[2, 1, 0]).partial_fit(X[y > 0], y[y > 0])


@pytest.mark.parametrize("estimator", [GramGaussNewtonClassifier, GramGaussNewtonRegressor])
def test_what_goes_on_is_a_network_even_where_a_line_is_better(estimator):
    X, _ = rows()
    y = X @ [1.0, 0.1, 0.01] + 0.1 * np.random.default_rng(1).normal(size=60)
    y = y > 0 if estimator is GramGaussNewtonClassifier else y
    classes = {"classes": [False, True]} if estimator is GramGaussNewtonClassifier else {}
    line = estimator(random_state=0, threads=1, max_iter=1, ensemble=1)
    passes = estimator(random_state=0, threads=1).partial_fit(X, y, **classes)
    warm = estimator(random_state=0, threads=1, max_iter=1, ensemble=1, warm_start=True).fit(X, y)
    for model in (passes, passes.partial_fit(X, y), warm, warm.fit(X, y)):
        assert model.model_.n_parameters > 1000
    # What is asked for is done.
    line.set_params(candidates="networks,linear", warm_start=True)
    assert line.fit(X, y).settings_["candidates"] == "networks,linear"
