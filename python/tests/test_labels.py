"""Several labels, and columns of any kind in the estimators."""

import numpy as np
import pytest
from sklearn.model_selection import cross_val_score
from sklearn.neural_network import MLPClassifier

from gramstep import GramGaussNewtonClassifier, GramGaussNewtonRegressor, NTKRegressor, load_run

QUICK = {"hidden_layer_sizes": (20,), "activation": "tanh", "max_iter": 40, "random_state": 0, "threads": 1}


def rows(n=240):
    random = np.random.default_rng(0)
    X = random.normal(size=(n, 3))
    Y = np.column_stack([X[:, 0] > 0, X[:, 1] * X[:, 0] > 0, X[:, 2] > 1.2])
    return X, Y.astype(int)


def test_labels_follow_the_convention_of_scikit_learns_networks():
    X, Y = rows()
    ours = GramGaussNewtonClassifier(**QUICK).fit(X, Y)
    theirs = MLPClassifier(hidden_layer_sizes=(20,), max_iter=20, random_state=0).fit(X, Y)
    assert np.array_equal(ours.classes_, theirs.classes_)
    assert ours.predict(X).shape == theirs.predict(X).shape and ours.predict(X).dtype == Y.dtype
    p = ours.predict_proba(X)
    assert p.shape == theirs.predict_proba(X).shape
    assert np.array_equal(ours.predict(X), p > 0.5)
    assert np.allclose(ours.predict_log_proba(X), np.log(p))
    assert (ours.predict(X) == Y).mean() > 0.85 and ours.score(X, Y) == (ours.predict(X) == Y).all(axis=1).mean()
    assert cross_val_score(GramGaussNewtonClassifier(**QUICK), X, Y, cv=3).mean() > 0.5


def test_labels_of_any_two_values_are_learned_as_those_of_0_and_1():
    X, Y = rows()
    words = np.where(Y == 1, "yes", "no")
    numbers, named = (GramGaussNewtonClassifier(**QUICK).fit(X, y) for y in (Y, words))
    assert np.array_equal(numbers.predict_proba(X), named.predict_proba(X))
    assert set(named.predict(X).ravel()) == {"yes", "no"}
    assert np.array_equal(named.predict(X) == "yes", numbers.predict(X) == 1)
    # Order of rows and a constant column of an indicator are nothing special.
    constant = np.column_stack([Y, np.zeros(len(Y), int)])
    assert (GramGaussNewtonClassifier(**QUICK).fit(X, constant).predict(X)[:, 3] == 0).all()


def test_what_labels_cannot_be_is_said():
    X, Y = rows(60)
    with pytest.raises(ValueError, match="column 1 has 3 values"):
        GramGaussNewtonClassifier(**QUICK).fit(X, np.column_stack([Y[:, 0], np.arange(60) % 3]))
    for weight in ("balanced", {0: 1.0, 1: 2.0}):
        with pytest.raises(ValueError, match="class.weight"):
            GramGaussNewtonClassifier(**QUICK, class_weight=weight).fit(X, Y)
    with pytest.raises(ValueError, match="name all classes"):
        GramGaussNewtonClassifier(**QUICK).partial_fit(X, Y)


def test_labels_go_on_and_are_kept(tmp_path):
    X, Y = rows()
    model = GramGaussNewtonClassifier(**QUICK)
    for _ in range(8):
        model.partial_fit(X, Y, classes=[0, 1])
    assert (model.predict(X) == Y).mean() > 0.75
    fitted = GramGaussNewtonClassifier(**QUICK).fit(X, Y)
    fitted.save_run(tmp_path / "run")
    run = load_run(tmp_path / "run")
    assert run.targets == ["y0", "y1", "y2"] and run.classes == [[0, 1]] * 3
    assert np.array_equal(run.predict(X), fitted.predict(X))
    assert np.allclose(run.predict_proba(X), fitted.predict_proba(X), atol=1e-12)


def mixed(n=200):
    pd = pytest.importorskip("pandas")
    random = np.random.default_rng(1)
    a = random.normal(size=n)
    kind = random.choice(["low", "mid", "high"], n)
    code = random.choice([3, 7], n)
    y = a + np.array([{"low": 0.0, "mid": 2.0, "high": 5.0}[k] for k in kind]) + np.where(code == 3, 1.0, -1.0)
    a[::17] = np.nan
    kind = kind.astype(object)
    kind[5] = None
    day = pd.date_range("2024-01-01", periods=n)
    return pd.DataFrame({"a": a, "kind": kind, "code": pd.Categorical(code), "day": day}), y


def test_frames_of_any_kind_are_learned_where_gaps_are_filled():
    X, y = mixed()
    with pytest.raises(ValueError):
        GramGaussNewtonRegressor(**QUICK).fit(X, y)
    for model in (GramGaussNewtonRegressor(**QUICK, impute=True), NTKRegressor(impute=True)):
        model.fit(X, y)
        assert list(model.feature_names_in_) == ["a", "kind", "code", "day"]
        f, std = model.predict(X, return_std=True)
        assert f.shape == std.shape == y.shape and np.corrcoef(f, y)[0, 1] > 0.95
        # Columns are known by their names, and a value that was not there is said.
        with pytest.raises(ValueError, match="feature names"):
            model.predict(X[["kind", "a", "code", "day"]])
        other = X.iloc[:3].copy()
        other["kind"] = "unheard of"
        with pytest.warns(UserWarning, match="kind"):
            model.predict(other)


def test_columns_of_every_dtype_are_read_and_else_named():
    pd = pytest.importorskip("pandas")
    n = 24
    X = np.random.default_rng(0).normal(size=(n, 2))
    y = X.sum(axis=1)
    columns = {
        "text": pd.array(["a", "b", None, "c"] * 6, dtype="string"),
        "category": pd.Categorical(["u", "v"] * 12),
        "object": np.array(["x", "y", None, 3] * 6, dtype=object),
        "date": pd.date_range("2024-01-01", periods=n),
        "zone": pd.date_range("2024-01-01", periods=n, tz="Europe/Zurich"),
        "month": pd.period_range("2024-01", periods=n, freq="M"),
        "hours": pd.to_timedelta(np.arange(n) % 7, unit="h"),
    }
    of = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}
    for name, column in columns.items():
        frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], name: column})
        fitted = GramGaussNewtonRegressor(**of, impute=True).fit(frame, y)
        assert np.isfinite(fitted.predict(frame)).all(), name
        with pytest.raises(ValueError, match=f"no numbers: {name} .*\n.*impute=True"):
            GramGaussNewtonRegressor(**of).fit(frame, y)
    gaps = pd.DataFrame({"a": X[:, 0], "b": pd.array([1, None] * 12, dtype="Int64")})
    with pytest.raises(ValueError, match="contains NaN.\n.*impute=True"):
        GramGaussNewtonRegressor(**of).fit(gaps, y)


def test_text_in_an_array_is_read_as_in_a_frame():
    X, y = mixed()
    X = X[["a", "kind"]]
    frame = GramGaussNewtonRegressor(**QUICK, impute=True).fit(X, y)
    array = GramGaussNewtonRegressor(**QUICK, impute=True).fit(X.to_numpy(dtype=object), y)
    assert np.array_equal(frame.predict(X), array.predict(X.to_numpy(dtype=object)))
    labels = np.where(y > 2, "much", "little")
    classes = GramGaussNewtonClassifier(**QUICK, impute=True).fit(X, labels)
    assert classes.score(X, labels) > 0.8


def test_numbers_in_a_frame_are_those_of_an_array_and_runs_are_kept(tmp_path):
    pd = pytest.importorskip("pandas")
    X, Y = rows()
    y = X[:, 0] + X[:, 1] ** 2
    array = GramGaussNewtonRegressor(**QUICK, impute=True).fit(X, y)
    frame = pd.DataFrame(X, columns=["x0", "x1", "x2"]).astype({"x2": object})
    mixed_frame = GramGaussNewtonRegressor(**QUICK, impute=True).fit(frame, y)
    assert np.allclose(array.predict(X), mixed_frame.predict(frame), atol=1e-8)
    mixed_frame.save_run(tmp_path / "run")
    assert np.allclose(load_run(tmp_path / "run").predict(frame), mixed_frame.predict(frame), atol=1e-12)
    again = GramGaussNewtonRegressor(**QUICK, impute=True, warm_start=True).fit(frame, y)
    assert again.fit(frame, y).score(frame, y) > 0.9
