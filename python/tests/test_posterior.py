"""Error bars: one posterior for estimators, run folders and the command line, equal to a dense one in NumPy."""

import pickle
import subprocess

import numpy as np
import pytest
import sklearn.base

import gramstep


def data(rng, n=70):
    X = rng.uniform(-1, 1, size=(n, 2))
    return X, 40 + 3 * np.sin(3 * X[:, 0]) - X[:, 1] + 0.3 * rng.normal(size=n)


def dense(estimator, X, y, weights, new):
    """The linearised Laplace posterior by p×p matrices, in the targets' own units."""
    n, alpha = len(y), estimator.alpha
    mean = lambda values: np.average(values, axis=0, weights=weights)
    centre, scale = mean(X), np.sqrt(mean((X - mean(X)) ** 2))
    target, spread = mean(y), np.sqrt(mean((y - mean(y)) ** 2))
    J, j = (estimator.model_.jacobian((x - centre) / scale).reshape(len(x), -1) for x in (X, new))
    f = estimator.model_.predict((X - centre) / scale)[:, 0]
    relative = weights / weights.mean()
    kappa = alpha / weights.mean()
    t = J @ estimator.model_.theta + (y - target) / spread - f
    noise = kappa * t @ np.linalg.solve(J @ J.T + kappa * np.diag(1 / relative), t) / n
    A = J.T @ (relative[:, None] * J) + kappa * np.eye(J.shape[1])
    variance = noise * np.einsum("ip,ip->i", j, np.linalg.solve(A, j.T).T)
    return spread * np.sqrt(noise + variance)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_deviation_is_that_of_a_dense_posterior(rng, weighted):
    X, y = data(rng)
    weights = rng.uniform(0.2, 3.0, size=len(y)) if weighted else np.ones(len(y))
    model = gramstep.GramGaussNewtonRegressor((6,), "tanh", alpha=0.4, early_stopping=False, max_iter=20, random_state=0)
    model.fit(X, y, sample_weight=weights if weighted else None)
    new = rng.uniform(-1.5, 1.5, size=(30, 2))
    _, std = model.predict(new, return_std=True)
    np.testing.assert_allclose(std, dense(model, X, y, weights, new), rtol=1e-8)


@pytest.mark.parametrize(
    "make",
    [
        lambda: gramstep.GramGaussNewtonRegressor((6,), "tanh", max_iter=10, random_state=0),
        lambda: gramstep.GramGaussNewtonRegressor((6,), "tanh", max_iter=5, ensemble=3, random_state=0),
        lambda: gramstep.NTKRegressor(depth=2),
    ],
)
def test_one_fit_has_one_deviation_wherever_it_is_asked_for(program, tmp_path, rng, make):
    X, y = data(rng)
    new = rng.uniform(-1, 1, size=(20, 2))
    model = make().fit(X, y, sample_weight=rng.uniform(0.5, 2.0, size=len(y)))
    model.save_run(tmp_path / "run")
    f, std = model.predict(new, return_std=True)
    for again, other in zip((f, std), pickle.loads(pickle.dumps(model)).predict(new, return_std=True), strict=True):
        np.testing.assert_allclose(again, other, rtol=1e-9)
    run = gramstep.load_run(tmp_path / "run")
    again, loaded = run.predict(new, return_std=True)
    np.testing.assert_allclose(again, f, rtol=1e-12)
    np.testing.assert_allclose(loaded, std, rtol=1e-9)
    ends = run.predict_interval(new, 0.9)
    np.testing.assert_allclose(ends.mean(axis=1), f, rtol=1e-9)
    table = tmp_path / "new.csv"
    np.savetxt(table, new, delimiter=",", header="x0,x1", comments="", fmt="%.17g")
    command = [program, "predict", tmp_path / "run", "--data", table, "--std", "--interval", "0.9", "--quiet"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    told = np.array([[float(cell) for cell in line.split(",")] for line in out.splitlines()[1:]])
    np.testing.assert_allclose(told[:, :2], np.column_stack([f, std]), rtol=1e-9)
    np.testing.assert_allclose(told[:, 2:], ends, rtol=1e-9)


def test_a_saved_run_is_a_run_for_every_command(program, tmp_path, rng):
    X, y = data(rng)
    gramstep.GramGaussNewtonRegressor((6,), "tanh", max_iter=5, random_state=0).fit(X, y).save_run(tmp_path / "run")
    table = tmp_path / "rows.csv"
    np.savetxt(table, np.column_stack([X, y]), delimiter=",", header="x0,x1,y", comments="", fmt="%.17g")

    def call(*arguments, code=0):
        done = subprocess.run([program, *arguments], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == code, done.stderr
        return done

    assert "epochs" in call("info", "run", "--json").stdout
    call("report", "run", "--out", "page.html")
    assert "were in memory" in (tmp_path / "page.html").read_text()
    call("attack", "run", "--data", table, "--norm", "linf", "--radius", "0.1", "--quiet")
    assert "were in memory" in call("attack", "run", "--norm", "linf", "--radius", "0.1", code=1).stderr


@pytest.mark.parametrize(
    "labels",
    [
        np.array([-3, 7]),
        np.array(["01", "2"]),
        np.array([False, True]),
        np.array([0.0, 2.0]),
    ],
    ids=str
)
def test_labels_come_back_as_they_were(tmp_path, rng, labels):
    X = rng.normal(size=(60, 3))
    y = labels[(X[:, 0] > 0).astype(int)]
    model = gramstep.GramGaussNewtonClassifier((5,), "tanh", max_iter=10, random_state=0).fit(X, y)
    model.save_run(tmp_path / "run")
    run = gramstep.load_run(tmp_path / "run")
    np.testing.assert_array_equal(run.predict(X), model.predict(X))
    assert run.classes == labels.tolist() and run.predict(X)[0] in labels.tolist()


@pytest.mark.parametrize(
    "model",
    [
        gramstep.GramGaussNewtonRegressor((12,), max_iter=20, random_state=0),
        gramstep.NTKRegressor(depth=1),
        gramstep.KernelRegressor("matern52"),
        gramstep.GramstepRegressor(max_iter=20, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize("k", [1, 2])
def test_draws_have_the_mean_and_the_covariance_that_predict_returns(model, k):
    generator = np.random.default_rng(0)
    X = generator.uniform(-1, 1, (60, 2))
    Y = np.sin(2 * X[:, :k]) * [5, 50][:k] + generator.normal(size=(60, k))
    model = sklearn.base.clone(model).fit(X, Y[:, 0] if k == 1 else Y)
    new = generator.uniform(-1, 1, (5, 2)).astype(np.float32)
    f, std = model.predict(new, return_std=True)
    _, covariance = model.predict(new, return_cov=True)
    np.testing.assert_allclose(np.sqrt(np.einsum("ii...->i...", covariance)), std, rtol=1e-4)
    draws = model.sample_y(new, 3000, random_state=1)
    assert draws.shape == (*f.shape, 3000)
    np.testing.assert_allclose((draws.mean(axis=-1) - f) / std, 0, atol=0.08)
    np.testing.assert_allclose(draws.std(axis=-1) / std, 1, atol=0.08)
    if k == 1:
        scale = np.outer(std, std)
        np.testing.assert_allclose(np.cov(draws) / scale, covariance / scale, atol=0.1)
    with pytest.raises(ValueError, match="n_samples"):
        model.sample_y(new, 0)
    with pytest.raises(ValueError, match="at most one"):
        model.predict(new, return_std=True, return_cov=True)


def test_a_run_draws_what_its_estimator_drew(tmp_path):
    X = np.random.default_rng(0).uniform(-1, 1, (60, 2))
    model = gramstep.KernelRegressor("rbf").fit(X, np.sin(3 * X[:, 0]))
    model.save_run(tmp_path / "run")
    drawn = gramstep.load_run(tmp_path / "run").sample_y(X[:4], 7, random_state=3)
    np.testing.assert_allclose(drawn, model.sample_y(X[:4], 7, random_state=3), rtol=1e-9)
