"""What the columns of a frame mean: their kind says it, and no guess at their values."""

import warnings

import numpy as np
import pytest

from gramstep import GramGaussNewtonRegressor, NTKRegressor, attacks, load_run
from gramstep._frame import Frame

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
        (["None", "u", "NaT"], ["NaT", "None", "u"]),
    ],
    ids=["integers", "floats", "fractions", "booleans", "text", "words for gaps"],
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


# Numbers in columns of objects


NUMBERS = {
    "booleans": ([True, False, None], "boolean"),
    "integers": ([1, 2, None], "Int64"),
    "floats": ([0.25, 1.5, None], "float64"),
    "dates or not": ([20240531, 20240601, 20240602], "int64"),
    "a gap of pandas": ([4, pd.NA, 6], "Int64"),
    "booleans and numbers": ([True, 2, np.float32(0.5)], None),
}


@pytest.mark.parametrize("values", NUMBERS.values(), ids=NUMBERS)
def test_numbers_among_objects_are_numbers(values, tmp_path):
    values, dtype = values
    a, y = rows()
    objects = pd.DataFrame({"a": a, "b": np.array(values, dtype=object)[np.arange(60) % len(values)]})
    floats = objects.assign(b=[np.nan if value is None or value is pd.NA else float(value) for value in objects["b"]])
    frames = [objects, floats] + ([] if dtype is None else [objects.assign(b=objects["b"].astype(dtype))])
    expected = learn(floats, y).predict(floats)
    for fitted in frames:
        model = learn(fitted, y)
        assert encodings(model)["b"]["kind"] == "number"
        for frame in frames:
            found, notes = told(model.predict, frame)
            assert notes == [] and np.allclose(found, expected, atol=1e-8)
        assert np.allclose(told(model.predict, objects.to_numpy(dtype=object))[0], expected, atol=1e-8)
    model.save_run(tmp_path / "run")
    for frame in frames:
        assert np.allclose(load_run(tmp_path / "run").predict(frame), expected, atol=1e-8)


def test_a_frame_is_predicted_as_it_was_learned():
    a, y = rows()
    # The constant column is left out of a table, not of an array.
    frame = pd.DataFrame({"a": a, "same": 1.0, "b": np.array([True, False, None] * 20, dtype=object)})
    model = learn(frame, y)
    floats = frame.assign(b=frame["b"].astype(float))
    assert np.array_equal(model.predict(floats), model.predict(frame))
    assert np.array_equal(told(model.predict, floats.to_numpy())[0], model.predict(frame))
    with pytest.raises(ValueError, match="3 features|feature names"):
        model.predict(floats[["a", "same"]])
    with pytest.raises(ValueError, match="infinity"):
        model.predict(floats.assign(a=np.inf))
    model.set_params(warm_start=True).fit(floats, y).partial_fit(floats, y)


def test_marks_and_dates_of_other_columns_do_not_change_numbers():
    a, y = rows()
    decimal = np.array(["2,5", "3,25", "4,75"] * 20, dtype=object)
    objects = np.array([1.234, 5.678, 9.012] * 20, dtype=object)
    both = pd.DataFrame({"a": a, "text": decimal, "b": objects})
    assert encodings(learn(both, y))["b"]["range"] == [1.234, 9.012]
    # A column of text has the decimal mark of its text, and numbers that come later have their own.
    later = both.assign(text=[2.5, 3.25, 4.75] * 20)
    model = learn(both, y)
    assert np.array_equal(model.predict(later), model.predict(both))
    assert np.array_equal(model.predict(later.astype({"text": object})), model.predict(both))


# Names


def test_columns_without_names_are_known_by_their_place():
    a, y = rows()
    frame = pd.DataFrame({0: a, 1: ["u", "v", "w"] * 20})
    model = learn(frame, y)
    expected = model.predict(frame)
    assert list(encodings(model)) == ["x0", "x1"]
    assert np.array_equal(model.predict(frame.to_numpy(dtype=object)), expected)
    assert np.array_equal(model.predict(frame.rename(columns={0: 5, 1: 7})), expected)


def test_the_place_of_a_column_is_its_name_in_a_run_too(tmp_path):
    a, y = rows()
    frame = pd.DataFrame({0: a, 1: ["u", "v", "w"] * 20})
    model = learn(frame, y)
    model.save_run(tmp_path / "run")
    assert np.allclose(load_run(tmp_path / "run").predict(frame), model.predict(frame), atol=1e-12)
    with pytest.raises(ValueError, match="expected 2 columns"):
        load_run(tmp_path / "run").predict(frame[[0]])


@pytest.mark.parametrize("X", [np.array(["u", "v"] * 30, dtype=object), np.full((60, 2, 2), "u", dtype=object)])
def test_text_has_rows_and_columns(X):
    a, y = rows()
    with pytest.raises(ValueError, match="Expected 2D array"):
        learn(X, y)


def test_a_polars_frame_is_read_as_one_of_pandas():
    polars = pytest.importorskip("polars")
    a, y = rows()
    columns = {"a": a.tolist(), "kind": ["u", "v", None] * 20, "flag": [True, None, False] * 20, "count": [1, 2, None] * 20}
    ours, theirs = pd.DataFrame(columns), polars.DataFrame(columns)
    theirs = theirs.with_columns(polars.col("kind").cast(polars.Categorical))
    expected = learn(ours, y).predict(ours)
    model = learn(theirs, y)
    assert np.allclose(model.predict(theirs), expected, atol=1e-8)
    assert np.allclose(model.predict(ours), expected, atol=1e-8)


def test_categories_of_dates_are_those_of_dates_in_any_column():
    a, y = rows()
    days = pd.date_range("2024-01-01", periods=3)[np.arange(60) % 3]
    frame = pd.DataFrame({"a": a, "day": pd.Categorical(days)})
    model = learn(frame, y)
    assert encodings(model)["day"]["values"] == [f"2024-01-0{day} 00:00:00" for day in (1, 2, 3)]
    for dtype in ("datetime64[s]", "datetime64[ns]", object):
        other, notes = told(model.predict, frame.assign(day=frame["day"].astype(dtype)))
        assert notes == [] and np.array_equal(other, model.predict(frame)), dtype


def test_attacks_know_columns_by_their_names():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=["a", "b"])
    y = frame["a"].to_numpy() - 2 * frame["b"].to_numpy()
    named = NTKRegressor(1, threads=1).fit(frame, y)
    objects = NTKRegressor(1, threads=1, impute=True).fit(frame.astype(object), y)
    other = NTKRegressor(1, threads=1).fit(frame[["b", "a"]], y)
    for fitted in (named, objects):
        found = attacks.fgsm(fitted, frame, y, radius=0.1)
        np.testing.assert_allclose(found.before, 0.5 * (fitted.predict(frame) - y) ** 2, atol=1e-9)
        for calls in (
            lambda: attacks.fgsm(fitted, frame[["b", "a"]], y, radius=0.1),
            lambda: attacks.transfer([fitted, other], frame, y, radius=0.1),
            lambda: attacks.transfer([other, fitted], frame, y, radius=0.1),
        ):
            with pytest.raises(ValueError, match="feature names"):
                calls()


def test_columns_of_one_name_are_refused_where_they_are_known_by_it():
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": ["u", "v", "u", "v"]})[["a", "b", "a"]]
    with pytest.raises(ValueError, match="two columns.*'a'"):
        Frame.of(frame, [*frame.columns])
    with pytest.raises(ValueError, match="'a'"):
        learn(frame, np.arange(4.0))


def test_error_bars_of_a_frame_warn_once_of_what_is_a_guess():
    frame = pd.DataFrame({"a": np.linspace(0, 1, 30), "b": ["u", "v", "w"] * 10})
    model = learn(frame, frame["a"].to_numpy())
    far = frame.assign(a=frame["a"] + 100.0)
    with warnings.catch_warnings(record=True) as one:
        warnings.simplefilter("always")
        f = model.predict(far)
    with warnings.catch_warnings(record=True) as both:
        warnings.simplefilter("always")
        again, std = model.predict(far, return_std=True)
    assert len(both) == len(one) == 1
    assert np.array_equal(f, again) and std.shape == f.shape
