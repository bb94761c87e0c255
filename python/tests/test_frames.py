"""What the columns of a frame mean: their kind says it, and no guess at their values."""

import warnings

import numpy as np
import pytest

from gramstep import GramGaussNewtonRegressor, load_run

pd = pytest.importorskip("pandas")

QUICK = {"hidden_layer_sizes": (6,), "activation": "tanh", "max_iter": 4, "random_state": 0, "threads": 1}


def learn(frame, y):
    return GramGaussNewtonRegressor(**QUICK, impute=True).fit(frame, y)


def encodings(model):
    import json

    columns = json.loads(model._predictor.metadata())["preprocessing"]["inputs"]["columns"]
    return {column["name"]: column["encoding"] for column in columns}


def rows(n=60):
    rng = np.random.default_rng(3)
    a = rng.normal(size=n)
    return a, a + np.arange(n) % 3


def told(call, *arguments):
    """What a call returns, and its warnings but those of rows outside the training range."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        out = call(*arguments)
    return out, [str(w.message) for w in seen if "outside" not in str(w.message)]


# Categories


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([3, 7, 9], ["3", "7", "9"]),
        ([3.0, 7.0, 9.0], ["3", "7", "9"]),
        ([0.5, 1.0, 1e-7], ["0.0000001", "0.5", "1"]),
        ([True, False], ["False", "True"]),
        (["u", "v", "1"], ["1", "u", "v"]),
    ],
    ids=["integers", "floats", "fractions", "booleans", "text"],
)
def test_a_category_is_one_whatever_it_looks_like(values, names, tmp_path):
    a, y = rows()
    cells = np.array(values, dtype=object)[np.arange(60) % len(values)]
    full = pd.DataFrame({"a": a, "kind": pd.Categorical(cells, categories=values)})
    gap = full.copy()
    gap.loc[4, "kind"] = None
    for frame in (full, gap):
        model = learn(frame, y)
        assert encodings(model)["kind"]["kind"] == "category" and encodings(model)["kind"]["values"] == names
        assert encodings(model)["kind"]["missing"] == (frame is gap)
        # The same values in a column that does not say that they are categories.
        plain = frame.assign(kind=frame["kind"].astype(object))
        expected, notes = told(model.predict, frame)
        assert notes == []
        assert np.array_equal(model.predict(plain), expected)
        assert np.array_equal(model.predict(plain.to_numpy(dtype=object)), expected)
        typed = plain if frame is gap else plain.assign(kind=np.array(plain["kind"].tolist()))
        values_alone, notes = told(model.predict, typed)
        assert notes == [] and np.array_equal(values_alone, expected)
        path = tmp_path / str(frame is gap)
        model.save_run(path)
        for other in (frame, plain, typed, {name: frame[name] for name in frame}):
            assert np.allclose(load_run(path).predict(other), expected, atol=1e-12)


def test_a_column_of_numbers_takes_categories_of_numbers():
    a, y = rows()
    count = np.arange(60) % 3 + 4
    model = learn(pd.DataFrame({"a": a, "count": count, "kind": ["u", "v"] * 30}), y)
    frame = pd.DataFrame({"a": a, "count": pd.Categorical(count), "kind": ["u", "v"] * 30})
    plain = frame.assign(count=count)
    assert np.array_equal(model.predict(frame), model.predict(plain))
