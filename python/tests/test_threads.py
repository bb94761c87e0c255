"""How many threads: kept by pickles, and checked beside the other counts."""

import copy
import os
import pickle
import signal
import time

import joblib
import numpy as np
import pytest

import gramstep
from gramstep import GramGaussNewtonRegressor

X = np.random.default_rng(0).normal(size=(40, 2))
Y = (X[:, 0] > 0).astype(int)
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}
ESTIMATORS = [
    gramstep.GramGaussNewtonClassifier,
    gramstep.GramGaussNewtonRegressor,
    gramstep.GramstepClassifier,
    gramstep.GramstepRegressor,
    gramstep.KernelClassifier,
    gramstep.KernelRegressor,
    gramstep.NTKClassifier,
    gramstep.NTKRegressor,
]


def copies(thing, folder):
    joblib.dump(thing, folder / "thing")
    return [pickle.loads(pickle.dumps(thing)), copy.deepcopy(thing), copy.copy(thing), joblib.load(folder / "thing")]


def test_a_model_keeps_its_threads(tmp_path):
    model = gramstep.Model.mlp([2, 3, 1], seed=1, threads=1)
    for again in copies(model, tmp_path):
        assert again.threads == 1 and np.array_equal(again.theta, model.theta)


def test_an_estimator_and_a_run_keep_their_threads(tmp_path):
    model = GramGaussNewtonRegressor(**SMALL, threads=1).fit(X, Y)
    for again in copies(model, tmp_path):
        assert again.model_.threads == again._predictor.model().threads == 1
        assert np.array_equal(again.predict(X), model.predict(X))
        again.save_run(tmp_path / str(id(again)))
    model.save_run(tmp_path / "run")
    run = gramstep.load_run(tmp_path / "run", threads=1)
    for again in copies(run, tmp_path):
        assert again.model.threads == 1 and np.array_equal(again.predict(X), run.predict(X))


def test_what_is_not_fitted_is_copied_too(tmp_path):
    for again in copies(GramGaussNewtonRegressor(threads=1), tmp_path):
        assert again.threads == 1 and not hasattr(again, "model_")


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("name", ["threads", "max_iter", "ensemble"])
@pytest.mark.parametrize("value", [-1, 0, 1.5, "two", 10**30])
def test_counts_are_whole_numbers_of_at_least_1(estimator, name, value):
    if name not in estimator().get_params():
        pytest.skip("has none")
    with pytest.raises(ValueError, match=f"^{name} = {value!r}"):
        estimator(**{name: value}).fit(X, Y)


def test_functions_name_their_threads(tmp_path):
    network = gramstep.InfiniteNetwork([gramstep.infinite.Dense()])
    calls = [
        lambda threads: gramstep.load_run(tmp_path, threads=threads),
        lambda threads: gramstep.ntk(X, threads=threads),
        lambda threads: gramstep.nngp(X, threads=threads),
        lambda threads: gramstep.compute_tile(X, slice(0, 2), threads=threads),
        lambda threads: network.ntk(X, threads=threads),
        lambda threads: gramstep.KernelRegression(threads=threads).fit(np.eye(2), np.ones(2)),
        lambda threads: gramstep.verify("cai2019-minibatch", seeds=1, threads=threads),
    ]
    for call in calls:
        for threads in (-1, 1.5, 10**30):
            with pytest.raises(ValueError, match="^threads = "):
                call(threads)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    """Those of its parent are not there: it would wait for them without end."""
    rng = np.random.default_rng(1)
    model, X = gramstep.Model.mlp([20, 200, 200, 1], threads=2), rng.normal(size=(400, 20))

    def work():
        G = model.gram(X)
        c, _ = gramstep.damped_solve(G + np.eye(400), np.ones(400), 0.1, threads=2)
        return np.concatenate([G[:, 0], c, gramstep.KernelRegression(1.0, threads=2).fit(G, X[:, 0]).coefficients_])

    expected = work()
    child = os.fork()
    if child == 0:
        # Nothing of pytest's may run here.
        os._exit(0 if np.array_equal(work(), expected) else 3)
    deadline = time.monotonic() + 60
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.05)
    if ended == (0, 0):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert ended == (child, 0)
