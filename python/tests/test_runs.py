"""Run folders go from the command line to Python and back."""

import csv
import io
import subprocess

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris

import gramstep


def run(program, *arguments):
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def table(tmp_path, rng):
    """A table with numbers, gaps and text."""
    path = tmp_path / "t.csv"
    rows = [["a", "b", "c", "price"]]
    for i in range(80):
        a, c = rng.normal(), ["red", "green", "007"][i % 3]
        rows.append([a, "" if i % 9 == 0 else rng.normal(), c, 100 + 3 * a + (c == "red")])
    path.write_text("\n".join(",".join(map(str, row)) for row in rows))
    return path


def predictions(text):
    return list(csv.reader(io.StringIO(text)))


def test_python_predicts_what_the_command_line_predicts(program, table, tmp_path):
    pandas = pytest.importorskip("pandas")
    folder = tmp_path / "run"
    run(program, "train", "--data", table, "--model", "mlp:8:tanh", "--epochs", 5, "--out", folder, "--quiet")
    _, *rows = predictions(run(program, "predict", folder, "--data", table, "--quiet"))
    loaded = gramstep.load_run(folder)
    frame = pandas.read_csv(table, dtype={"c": str})
    np.testing.assert_array_equal(loaded.predict(frame), np.array(rows, float)[:, 0])
    np.testing.assert_array_equal(loaded.predict(frame[["c", "a", "b"]]), loaded.predict(frame))
    assert loaded.columns == ["a", "b", "c"] and loaded.targets == ["price"] and loaded.task == "regression"
    assert len(loaded.loss_curve) == 5 and loaded.model.n_outputs == 1
    with pytest.raises(ValueError, match="needs a column that the table lacks: b"):
        loaded.predict(frame[["a", "c"]])


def test_the_run_of_an_ensemble_is_that_of_its_average(program, table, tmp_path):
    folder = tmp_path / "run"
    options = ["--model", "mlp:8,8:tanh", "--ensemble", 3, "--epochs", 4, "--quiet"]
    run(program, "train", "--data", table, "--out", folder, *options)
    loaded = gramstep.load_run(folder)
    assert (loaded.metadata["model"], loaded.metadata["members"]) == ("mlp:8,8:tanh", 3) and len(loaded.loss_curve) == 4
    assert loaded.model.n_parameters == gramstep.Model.mlp([loaded.model.n_inputs, 24, 24, 1]).n_parameters
    with (folder / "record.jsonl").open("a") as record:
        record.write('{"kind": "ep')
    assert len(gramstep.load_run(folder).record) == len(loaded.record)


def test_classes_of_a_run(program, tmp_path):
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    path, folder = tmp_path / "iris.csv", tmp_path / "run"
    rows = ["a,b,c,d,kind", *(",".join([*map(repr, map(float, x)), n]) for x, n in zip(X, names, strict=True))]
    path.write_text("\n".join(rows))
    run(program, "train", "--data", path, "--model", "mlp:8:tanh", "--epochs", 8, "--out", folder, "--quiet")
    loaded = gramstep.load_run(folder)
    _, *rows = predictions(run(program, "predict", folder, "--data", path, "--quiet"))
    assert loaded.predict(X).tolist() == [row[0] for row in rows]
    np.testing.assert_array_equal(loaded.predict_proba(X), np.array([row[1:] for row in rows], float))
    assert loaded.classes == ["setosa", "versicolor", "virginica"]


def test_the_command_line_predicts_what_python_trained(program, tmp_path):
    X, y = load_diabetes(return_X_y=True)
    fitted = gramstep.GramGaussNewtonRegressor((12,), "tanh", max_iter=8, random_state=0).fit(X, y)
    fitted.save_run(tmp_path / "run")
    path = tmp_path / "t.csv"
    header = ",".join(f"x{j}" for j in range(10))
    path.write_text("\n".join([header, *(",".join(map(repr, map(float, x))) for x in X)]))
    _, *rows = predictions(run(program, "predict", tmp_path / "run", "--data", path, "--quiet"))
    np.testing.assert_allclose(np.array(rows, float)[:, 0], fitted.predict(X), rtol=1e-12)


def test_a_saved_run_is_loaded_again(tmp_path):
    X, y = load_diabetes(return_X_y=True)
    for ensemble in (1, 2):
        model = gramstep.GramGaussNewtonRegressor((12,), "tanh", max_iter=8, random_state=0, ensemble=ensemble)
        model.fit(X, y).save_run(tmp_path / str(ensemble))
        loaded = gramstep.load_run(tmp_path / str(ensemble))
        np.testing.assert_allclose(loaded.predict(X), model.predict(X), rtol=1e-12)
        with pytest.raises(FileExistsError):
            model.save_run(tmp_path / str(ensemble))


def test_no_run_and_a_damaged_one_are_told_apart(tmp_path):
    with pytest.raises(FileNotFoundError):
        gramstep.load_run(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="safetensors"):
        gramstep.load_run(tmp_path)


def test_weights_are_safetensors_under_the_names_of_the_parameters(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    X, y = load_diabetes(return_X_y=True)
    model = gramstep.GramGaussNewtonRegressor((12,), "tanh", max_iter=3, random_state=0).fit(X, y)
    model.save_run(tmp_path / "run")
    tensors = safetensors.load_file(tmp_path / "run" / "model.safetensors")
    for name, values in model.model_.parameters().items():
        np.testing.assert_array_equal(tensors[name], values)


def test_arrays_that_numpy_saves_are_data_and_predictions_are_arrays(program, tmp_path, rng):
    x = rng.normal(size=(60, 3)).astype(np.float32)
    y = x @ [1.0, -2.0, 0.5] + 4.0
    np.savez_compressed(tmp_path / "t.npz", y=y, X=np.asfortranarray(x))
    np.save(tmp_path / "t.npy", np.column_stack([x, y]))
    found = {}
    for name, target in [("t.npz", None), ("t.npy", "column_4")]:
        folder, out = tmp_path / f"run-{name}", tmp_path / f"{name}-predicted.npy"
        options = ["--target", target] if target else []
        run(program, "train", "--data", tmp_path / name, *options, "--model", "linear", "--out", folder, "--quiet")
        run(program, "predict", folder, "--data", tmp_path / name, "--out", out, "--quiet")
        found[name] = np.load(out)
        assert found[name].shape == (60, 1)
        np.testing.assert_allclose(found[name][:, 0], y, rtol=1e-6)
    np.testing.assert_allclose(found["t.npz"], found["t.npy"], rtol=1e-9)


@pytest.mark.parametrize("estimator", [gramstep.NTKRegressor(depth=2), gramstep.NTKClassifier(depth=1)])
def test_a_saved_kernel_predicts_like_the_estimator(tmp_path, estimator):
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = X[:, 0] - np.sin(X[:, 1])
    y = y if isinstance(estimator, gramstep.NTKRegressor) else (y > 0).astype(int)
    estimator.fit(X, y).save_run(tmp_path / "run")
    loaded = gramstep.load_run(tmp_path / "run")
    if isinstance(estimator, gramstep.NTKRegressor):
        np.testing.assert_array_equal(loaded.predict(X), estimator.predict(X))
    else:
        np.testing.assert_array_equal(loaded.predict_proba(X), estimator.predict_proba(X))
    with pytest.raises(ValueError, match="no network"):
        _ = loaded.model


def test_a_kernel_regression_of_the_command_line_is_read(program, table, tmp_path):
    pandas = pytest.importorskip("pandas")
    folder = tmp_path / "run"
    run(program, "train", "--data", table, "--model", "ntk:depth=2:erf", "--out", folder, "--quiet")
    _, *rows = predictions(run(program, "predict", folder, "--data", table, "--quiet"))
    loaded = gramstep.load_run(folder)
    frame = pandas.read_csv(table, dtype={"c": str})
    np.testing.assert_array_equal(loaded.predict(frame), np.array(rows, float)[:, 0])
    assert loaded.metadata["kernel"]["ridge"] > 0 and loaded.loss_curve == []


def test_error_bars_of_a_run_are_those_of_the_estimator(tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = np.column_stack([X[:, 0] - np.sin(X[:, 1]), X[:, 1]])
    for name, targets in (("one", y[:, 0]), ("two", y)):
        model = gramstep.NTKRegressor(depth=1).fit(X, targets)
        model.save_run(tmp_path / name)
        loaded = gramstep.load_run(tmp_path / name)
        for ours, theirs in zip(loaded.predict(X, return_std=True), model.predict(X, return_std=True), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9)
        np.testing.assert_allclose(loaded.predict_interval(X, 0.8), model.predict_interval(X, 0.8), rtol=1e-9)
        np.testing.assert_allclose(loaded.sample_y(X[:7], 3), model.sample_y(X[:7], 3), rtol=1e-9)
        for method in (loaded.predict_set, loaded.predict_proba):
            with pytest.raises(AttributeError, match="belongs to a classification"):
                method(X)


def test_the_sets_of_a_run_are_those_of_the_estimator_and_classes_have_no_intervals(tmp_path):
    X, y = load_iris(return_X_y=True)
    model = gramstep.NTKClassifier(depth=1).fit(X, y)
    model.save_run(tmp_path / "run")
    loaded = gramstep.load_run(tmp_path / "run")
    np.testing.assert_array_equal(loaded.predict_set(X, 0.8), model.predict_set(X, 0.8))
    assert loaded.predict_set(X, 0.8).dtype == bool
    for method in (loaded.predict_interval, loaded.sample_y):
        with pytest.raises(AttributeError, match="belongs to a regression"):
            method(X)
    with pytest.raises(ValueError, match="level"):
        loaded.predict_set(X, 1.0)
