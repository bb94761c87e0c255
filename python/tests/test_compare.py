"""Methods side by side: the curves, and the command's own results."""

import json
import os
import subprocess

import numpy as np
import pytest

import gramstep

SETTINGS = {"model": "mlp:8:tanh", "epochs": 4, "seed": 3, "threads": 2}


def untimed(curve):
    return {name: values for name, values in curve.items() if name != "seconds"}


def test_curves_have_an_entry_an_epoch_and_are_the_same_again():
    one, other = (gramstep.compare("builtin:diabetes", optimizers=["gram-gauss-newton", "adam"], **SETTINGS) for _ in "12")
    assert [run["optimizer"] for run in one["runs"]] == ["gram-gauss-newton", "adam"] and one["trials"] == []
    for run, again in zip(one["runs"], other["runs"]):
        curve = run["curve"]
        np.testing.assert_array_equal(curve["epoch"], [1, 2, 3, 4])
        assert curve["train_loss"].min() == run["lowest_train_loss"] and (np.diff(curve["seconds"]) > 0).all()
        assert curve["test_error"][run["best_epoch"] - 1] == pytest.approx(run["test"]["mae"], rel=1e-12)
        for name, values in untimed(curve).items():
            np.testing.assert_array_equal(values, again["curve"][name], err_msg=name)


def test_a_method_that_diverges_is_an_entry_and_tuning_is_told():
    options = {"optimizers": ["sgd", "gram-gauss-newton"], **SETTINGS, "learning_rate": 1e6, "model": "mlp:64,64:relu"}
    found = gramstep.compare("builtin:diabetes", **options)
    assert "error" in found["runs"][0] and found["runs"][0]["step"] > 0 and len(found["runs"]) == 2
    tuned = gramstep.compare("builtin:diabetes", optimizers=["sgd"], tune=True, **SETTINGS)
    assert len(tuned["trials"]) > 27 and len(tuned["runs"][0]["curve"]["epoch"]) == 4


def test_arrays_are_rows_and_labels_are_classes(rng, tmp_path):
    X = rng.normal(size=(120, 2))
    found = gramstep.compare((X, X[:, 0] - X[:, 1]), optimizers=["gram-gauss-newton"], **SETTINGS)
    assert found["runs"][0]["task"] == "regression" and found["runs"][0]["test"]["r2"] > 0.5
    labels = np.where(X[:, 0] > 0, "plus", "minus")
    found = gramstep.compare((X, labels), optimizers=["adam"], out=tmp_path / "kept", watch_kernel=2, **SETTINGS)
    run = found["runs"][0]
    assert run["task"] == "classification"
    assert run["curve"]["test_error"][run["best_epoch"] - 1] == pytest.approx(1 - run["test"]["accuracy"])
    assert [watch["epoch"] for watch in run["kernel_watch"]] == [0, 2, 4]
    assert (tmp_path / "kept" / "report.html").exists()
    kept = gramstep.load_run(tmp_path / "kept" / "adam").kernel_watch
    assert [watch["sharpness"] for watch in kept] == [watch["sharpness"] for watch in run["kernel_watch"]]


def test_wrong_settings_are_named():
    for wrong in ({"modle": "linear"}, {"epochs": -1}, {"optimizers": ["newton"]}):
        with pytest.raises(ValueError, match="modle|epochs|newton"):
            gramstep.compare("builtin:diabetes", **wrong)


@pytest.mark.skipif("GRAMSTEP_PROGRAM" not in os.environ, reason="the program is not there")
def test_results_are_those_of_the_command():
    found = gramstep.compare("builtin:diabetes", optimizers=["adam"], **SETTINGS)["runs"][0]
    options = [f"--{name}={value}" for name, value in SETTINGS.items()]
    command = [os.environ["GRAMSTEP_PROGRAM"], "compare", "--data", "builtin:diabetes", "--optimizers", "adam", "--json", *options]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["runs"][0]
    assert found["test"] == told["test"] and found["train"] == told["train"]


def test_a_folder_keeps_its_data(rng, tmp_path):
    X = rng.normal(size=(60, 2))
    first = gramstep.compare((X, X[:, 0]), optimizers=["adam"], out=tmp_path, **SETTINGS)
    kept = (tmp_path / "data.npz").read_bytes()
    for other in ((X, X[:, 1]), (X[:50], X[:50, 0]), (X, X[:, 0] > 0)):
        with pytest.raises(FileExistsError, match="data.npz.*other arrays"):
            gramstep.compare(other, optimizers=["sgd"], out=tmp_path, **SETTINGS)
        assert (tmp_path / "data.npz").read_bytes() == kept
    # Another method on the same data goes beside the first.
    gramstep.compare((X, X[:, 0]), optimizers=["sgd"], out=tmp_path, **SETTINGS)
    again = gramstep.compare((X, X[:, 0]), optimizers=["adam"], **SETTINGS)
    assert again["runs"][0]["test"] == first["runs"][0]["test"]


@pytest.mark.parametrize("content", [b"", b"mine", b"PK\x03\x04"])
def test_a_file_of_the_users_is_left_alone(rng, tmp_path, content):
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(FileExistsError, match="data.npz"):
        gramstep.compare((rng.normal(size=(20, 2)), np.arange(20.0)), out=tmp_path, **SETTINGS)
    assert (tmp_path / "data.npz").read_bytes() == content
