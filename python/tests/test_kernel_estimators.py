"""Kernels with a scale for every column: values against scikit-learn's Gaussian processes and against NumPy."""

import pickle

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel

import gramstep
from gramstep import KernelClassifier, KernelRegressor

PLAIN = {"rbf": np.inf, "matern12": 0.5, "matern32": 1.5, "matern52": 2.5}


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 3)) * [1.0, 20.0, 0.1] + [0.0, 100.0, 5.0]
    y = 50 + 7 * np.sin(2 * X[:, 0]) + 0.1 * X[:, 1] + 0.3 * rng.normal(size=90)
    return X, y, rng.normal(size=(12, 3)) * [1.0, 20.0, 0.1] + [0.0, 100.0, 5.0]


def peer(name, length_scales):
    return RBF(length_scales) if name == "rbf" else Matern(length_scales, nu=PLAIN[name])


def k1(name, r):
    if name == "rbf":
        return np.exp(-0.5 * r * r)
    if name == "matern12":
        return np.exp(-r)
    return (1 + np.sqrt(3) * r) * np.exp(-np.sqrt(3) * r)


def anova(model, A, B):
    """Π_j [(1 − c_j) + c_j k₁(|a_j − b_j|/ℓ_j)]"""
    K = np.ones((len(A), len(B)))
    for j, (scale, share) in enumerate(zip(model.length_scales_, model.shares_, strict=True)):
        r = np.abs(A[:, j][:, None] - B[:, j]) / scale
        K *= 1 - share + share * k1(model.kernel.removeprefix("anova-"), r)
    return K


def solved(model, K, y):
    """(K + κI)⁻¹ of standardised targets, these, and the amplitude of the kernel."""
    z = (y - y.mean()) / y.std()
    inverse = np.linalg.inv(K + model.alpha_ * np.eye(len(y)))
    return inverse, z, z @ inverse @ z / len(y)


@pytest.mark.parametrize("name", PLAIN)
def test_predictions_and_errors_are_those_of_scikit_learn_with_the_same_numbers(name, rows):
    X, y, new = rows
    model = KernelRegressor(name).fit(X, y)
    kernel = peer(name, model.length_scales_)
    _, z, amplitude = solved(model, kernel(X), y)
    twin = ConstantKernel(amplitude) * kernel + WhiteKernel(amplitude * model.alpha_)
    gp = GaussianProcessRegressor(twin, alpha=0, optimizer=None).fit(X, z)
    assert model.log_marginal_likelihood_value_ == pytest.approx(gp.log_marginal_likelihood_value_, abs=1e-8)
    f, std = model.predict(new, return_std=True)
    expected, deviation = gp.predict(new, return_std=True)
    np.testing.assert_allclose(f, y.mean() + y.std() * expected, rtol=1e-8)
    np.testing.assert_allclose(std, y.std() * deviation, rtol=1e-8)
    _, covariance = model.predict(new, return_cov=True)
    expected = y.var() * gp.predict(new, return_cov=True)[1]
    np.testing.assert_allclose(covariance, expected, atol=1e-8 * np.abs(expected).max())
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), std, rtol=1e-8)


def surprise(scales):
    """−log of the log-normal prior of the scales of standardised columns, but for a constant."""
    t = (np.log(len(scales)) - 2 * np.log(scales)) / 3
    return 0.5 * t @ t


@pytest.mark.parametrize("name", PLAIN)
def test_evidence_and_prior_are_no_smaller_than_where_scikit_learn_ends(name, rows):
    X, y, _ = rows
    Z, z = (X - X.mean(0)) / X.std(0), (y - y.mean()) / y.std()
    start = ConstantKernel(1.0, (1e-4, 1e6)) * peer(name, np.ones(3)) + WhiteKernel(0.1, (1e-6, 1e2))
    gp = GaussianProcessRegressor(start, alpha=0, n_restarts_optimizer=1, random_state=0).fit(Z, z)
    theirs = gp.log_marginal_likelihood_value_ - surprise(gp.kernel_.k1.k2.length_scale)
    model = KernelRegressor(name).fit(X, y)
    assert model.log_marginal_likelihood_value_ - surprise(model.length_scales_ / X.std(0)) > theirs - 0.01


@pytest.mark.parametrize("name", ["anova-rbf", "anova-matern12", "anova-matern32"])
def test_products_over_columns_are_those_of_the_formula(name, rows):
    X, y, new = rows
    model = KernelRegressor(name).fit(X, y)
    inverse, z, amplitude = solved(model, anova(model, X, X), y)
    cross = anova(model, new, X)
    f, std = model.predict(new, return_std=True)
    np.testing.assert_allclose(f, y.mean() + y.std() * cross @ inverse @ z, rtol=1e-9)
    # A difference of nearly equal numbers, by an inverse that NumPy rounds.
    variance = 1 + model.alpha_ - np.einsum("ij,jk,ik->i", cross, inverse, cross)
    np.testing.assert_allclose(std, y.std() * np.sqrt(amplitude * variance), rtol=1e-6)
    left_out = z - (inverse @ z) / np.diag(inverse)
    np.testing.assert_allclose(model.leave_one_out_, y.mean() + y.std() * left_out, rtol=1e-9)


def test_columns_that_matter_are_told_from_those_that_do_not():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(120, 4))
    X[:, 3] = 7.0
    y = np.sin(2 * X[:, 1])
    for kernel in ["matern32", "anova-matern32", "nngp"]:
        model = KernelRegressor(kernel).fit(X, y)
        assert model.feature_importances_.argmax() == 1 and model.feature_importances_[3] == 0.0
        assert model.feature_importances_.sum() == pytest.approx(1.0) and model.length_scales_.shape == (4,)
        assert (model.shares_ is not None) == kernel.startswith("anova")


def test_the_unit_of_a_column_is_that_of_its_length_scale(rows):
    X, y, new = rows
    model, scaled = KernelRegressor().fit(X, y), KernelRegressor().fit(X * 1024, y)
    np.testing.assert_allclose(scaled.length_scales_, 1024 * model.length_scales_, rtol=1e-6)
    np.testing.assert_allclose(scaled.predict(1024 * new), model.predict(new), rtol=1e-6)


def test_copies_and_rows_without_weight_are_left_out_as_they_are_learnt(rows):
    X, y, _ = rows
    weight = np.ones(len(y))
    weight[7] = 0
    twice = np.concatenate([[3], np.arange(len(y)), [3, 3]])
    model = KernelRegressor("rbf").fit(X[twice], y[twice], sample_weight=weight[twice])
    left_out = model.leave_one_out_
    assert left_out[0] == left_out[4] == left_out[-1] and left_out.shape == (93,)
    assert left_out[8] == pytest.approx(model.predict(X[7:8])[0])
    joined = np.where(np.arange(90) == 3, 4.0, weight)
    np.testing.assert_allclose(KernelRegressor("rbf").fit(X, y, joined).leave_one_out_, left_out[1:-2], rtol=1e-6)


def test_several_targets_share_a_kernel_and_have_errors_of_their_own(rows):
    X, y, new = rows
    Y = np.stack([y, -3 * y + X[:, 2]], axis=1)
    model = KernelRegressor("matern52").fit(X, Y)
    f, std = model.predict(new, return_std=True)
    _, covariance = model.predict(new, return_cov=True)
    assert f.shape == std.shape == (12, 2) and covariance.shape == (12, 12, 2) and model.leave_one_out_.shape == (90, 2)
    np.testing.assert_allclose(np.sqrt(np.einsum("iia->ia", covariance)), std, rtol=1e-8)


def test_a_classifier_leaves_rows_out_in_closed_form():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(150, 2))
    y = np.where(X[:, 0] * X[:, 1] > 0, "same", "other")
    model = KernelClassifier("matern32").fit(X, y)
    p = model.leave_one_out_
    assert np.allclose(p.sum(1), 1) and (model.classes_[p.argmax(1)] == y).mean() > 0.85
    assert (pickle.loads(pickle.dumps(model)).predict_proba(X) == model.predict_proba(X)).all()


def test_a_run_is_saved_and_read_again(rows, tmp_path):
    X, y, new = rows
    model = KernelRegressor("anova-rbf").fit(X, y)
    model.save_run(tmp_path / "run")
    run = gramstep.load_run(tmp_path / "run")
    f, std = model.predict(new, return_std=True)
    again, deviation = run.predict(new, return_std=True)
    np.testing.assert_allclose(again, f)
    np.testing.assert_allclose(deviation, std, rtol=1e-6)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(model)).leave_one_out_, model.leave_one_out_, rtol=1e-6)


def test_gaps_are_filled_and_counted_for_their_column(rows):
    X, y, new = rows
    gaps = X.copy()
    gaps[::7, 1] = np.nan
    model = KernelRegressor(impute=True).fit(gaps, y)
    assert model.length_scales_.shape == model.feature_importances_.shape == model.shares_.shape == (3,)
    assert np.isfinite(model.predict(new)).all() and model.leave_one_out_.shape == (90,)


def table(n=60):
    """Columns of every kind, with gaps and copies, and their targets."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(4)
    number, kind = rng.normal(size=n), rng.choice(["low", "mid", "high"], n).astype(object)
    y = number + (kind == "high") * 2.0
    number[::9], kind[5], number[12] = np.nan, None, 0.0
    frame = pd.DataFrame({
        "number": number, "same": 1.0, "kind": kind, "code": pd.Categorical(rng.choice([3, 7], n)),
        "day": pd.date_range("2024-01-01", periods=n),
    })
    twice = np.concatenate([np.arange(n), [9, 5, 12, 9]])
    frame, y = frame.iloc[twice].reset_index(drop=True), y[twice]
    frame.loc[n + 2, "number"] = -0.0
    return frame, y, n


@pytest.mark.parametrize("weight", [None, 2.0, "one without"])
@pytest.mark.parametrize("estimator", [KernelRegressor, KernelClassifier])
def test_rows_of_any_kind_are_left_out(estimator, weight):
    frame, y, n = table()
    y = y if estimator is KernelRegressor else np.where(y > 0.5, "much", "little")
    if weight == "one without":
        weight = np.ones(len(y))
        weight[7] = 0.0
    model = estimator("matern32", impute=True).fit(frame, y, sample_weight=weight)
    left_out = model.leave_one_out_
    assert len(left_out) == n + 4 and np.isfinite(left_out).all()
    for first, copy in ((9, n), (5, n + 1), (12, n + 2), (9, n + 3)):
        assert np.array_equal(left_out[first], left_out[copy])
    if np.ndim(weight):
        of = model.predict_proba if estimator is KernelClassifier else model.predict
        assert np.array_equal(left_out[7], of(frame.iloc[7:8])[0])
    # Without a row the prediction is that of the kernel on the others, and no copy of another row is that row.
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(again.leave_one_out_, left_out, rtol=1e-6)
    distinct = estimator("matern32", impute=True).fit(frame[:n], y[:n])
    assert len(np.unique(left_out[:n], axis=0)) == len(np.unique(distinct.leave_one_out_, axis=0))


def test_columns_of_any_kind_have_a_scale_and_an_importance_each():
    frame, y, _ = table()
    model = KernelRegressor(impute=True).fit(frame, y)
    for found in (model.length_scales_, model.shares_, model.feature_importances_):
        assert found.shape == (5,)
    assert model.length_scales_[1] == np.inf and model.feature_importances_[1] == model.shares_[1] == 0.0
    assert set(model.feature_importances_.argsort()[-2:]) == {0, 2}


def test_gaps_of_any_bits_are_one_value(rows):
    X, y, _ = rows
    X, other = X.copy(), np.array([0x7FF8000000000001], dtype=np.uint64).view(np.float64)[0]
    X[3, 1], X[5] = np.nan, X[3]
    X[5, 1], y = other, np.where(np.arange(90) == 5, y[3], y)
    model = KernelRegressor("rbf", impute=True).fit(X, y)
    assert len(model.leave_one_out_) == 90 and model.leave_one_out_[5] == model.leave_one_out_[3]


def test_a_weight_of_all_rows_may_be_one_number(rows):
    X, y, _ = rows
    one = KernelRegressor("rbf").fit(X, y, sample_weight=2.0)
    np.testing.assert_allclose(one.leave_one_out_, KernelRegressor("rbf").fit(X, y).leave_one_out_, rtol=1e-6)


def test_copies_that_are_written_differently_are_said():
    frame, y, n = table()
    frame["price"] = ["1.5"] * (n + 4)
    frame.loc[::2, "price"] = "2.5"
    frame.loc[n, "price"] = "1.50" if frame.loc[9, "price"] == "1.5" else "2.50"
    model = KernelRegressor("rbf", impute=True).fit(frame, y)
    assert np.isfinite(model.predict(frame)).all()
    with pytest.raises(ValueError, match="copies.*\n.*hint"):
        model.leave_one_out_


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"kernel": "matern2"}, "matern12"), ({"alpha": 0.0}, "above 0"), ({"alpha": "auto"}, "above 0")],
)
def test_what_is_out_of_range_is_named(arguments, words, rows):
    X, y, _ = rows
    with pytest.raises(ValueError, match=words):
        KernelRegressor(**arguments).fit(X, y)


def test_a_given_noise_stays_and_two_kinds_of_errors_are_refused(rows):
    X, y, new = rows
    model = KernelRegressor("rbf", alpha=0.2).fit(X, y)
    assert model.alpha_ == pytest.approx(0.2)
    with pytest.raises(ValueError, match="at most one"):
        model.predict(new, return_std=True, return_cov=True)


def test_a_kernel_with_scales_is_attacked_like_a_network(rows):
    X, y, _ = rows
    for kernel in ["matern52", "anova-rbf", "nngp"]:
        model = KernelRegressor(kernel).fit(X, y)
        result = gramstep.attacks.pgd(model, X, y, norm="linf", radius=0.05)
        assert result.after.mean() > 1.2 * result.before.mean()
        assert np.abs(result.adversarial - X).max() <= 0.05 + 1e-12
