"""The estimators keep scikit-learn's conventions."""

import pickle
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from gramstep import (
    GramGaussNewtonClassifier,
    GramGaussNewtonRegressor,
    KernelClassifier,
    KernelRegressor,
    NTKClassifier,
    NTKRegressor,
)

SMALL = {"hidden_layer_sizes": (12,), "activation": "tanh", "max_iter": 25, "random_state": 0}
ALL = [
    GramGaussNewtonRegressor(**SMALL),
    GramGaussNewtonClassifier(**SMALL),
    KernelRegressor(),
    KernelClassifier(),
    NTKRegressor(),
    NTKClassifier(),
]
REGRESSORS = [GramGaussNewtonRegressor(**SMALL), NTKRegressor()]

#: A weight cannot equal a repeated row where rows are split at random. Without a split it does:
#: test_a_weight_of_2_is_a_row_twice_and_a_weight_of_0_none.
SPLIT = "rows are split at random into training and validation; repeated rows split otherwise than weighted ones"
EXPECTED = {
    "GramGaussNewtonRegressor": {"check_sample_weight_equivalence_on_dense_data": SPLIT},
    "GramGaussNewtonClassifier": {
        "check_sample_weight_equivalence_on_dense_data": SPLIT,
        "check_class_weight_classifiers": "rows of weight 1e-7 are learnt too where that costs the others nothing",
    },
}


def name(estimator):
    return type(estimator).__name__


def conform(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(estimator, expected_failed_checks=EXPECTED.get(name(estimator), {}), on_fail=None)
    failed = [f"{r['check_name']}: {r['exception']}" for r in results if r["status"] == "failed"]
    assert not failed, "\n".join(failed)
    assert sum(r["status"] == "passed" for r in results) > 40


@pytest.mark.parametrize("estimator", ALL, ids=name)
def test_scikit_learn_s_checks_pass(estimator):
    conform(estimator)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [GramGaussNewtonRegressor(), GramGaussNewtonClassifier()], ids=name)
def test_scikit_learn_s_checks_pass_with_the_defaults(estimator):
    conform(estimator)


def test_on_diabetes_the_defaults_are_better_than_predicting_the_mean():
    X, y = load_diabetes(return_X_y=True)
    for estimator in (GramGaussNewtonRegressor(random_state=0), NTKRegressor()):
        assert cross_val_score(estimator, X, y, cv=3).mean() > 0.4


def test_on_iris_the_classifiers_are_right_and_sure():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    networks = [GramGaussNewtonClassifier(**SMALL | {"random_state": seed}) for seed in range(4)]
    for estimators in (networks, [NTKClassifier()]):
        losses = []
        for estimator in estimators:
            fitted = estimator.fit(X[::2], names[::2])
            assert fitted.score(X[1::2], names[1::2]) > 0.9
            proba = fitted.predict_proba(X)
            np.testing.assert_allclose(proba.sum(axis=1), 1)
            losses.append(-np.log(proba[np.arange(150), y])[1::2].mean())
        # Single seeds of so few rows are at 0.07 to 0.26.
        assert np.mean(losses) < 0.2, losses


@pytest.mark.parametrize("estimator", REGRESSORS, ids=name)
def test_several_outputs_are_those_of_the_columns(estimator, rng):
    X = rng.uniform(-1, 1, size=(80, 2))
    Y = np.column_stack([100 + np.sin(3 * X[:, 0]), X[:, 1] ** 2])
    fitted = clone(estimator).fit(X, Y)
    f, std = fitted.predict(X, return_std=True)
    assert f.shape == std.shape == (80, 2) and fitted.score(X, Y) > 0.9
    one = clone(estimator).fit(X, Y[:, 0])
    assert one.predict(X).shape == (80,)


@pytest.mark.parametrize("estimator", REGRESSORS, ids=name)
def test_the_standard_deviation_covers_new_observations(estimator, rng):
    X, new = rng.uniform(-1, 1, size=(150, 1)), rng.uniform(-1, 1, size=(400, 1))

    def observe(X):
        return 50 + 10 * np.sin(3 * X[:, 0]) + 2 * rng.normal(size=len(X))

    fitted = clone(estimator).fit(X, observe(X))
    f, std = fitted.predict(new, return_std=True)
    covered = np.mean(np.abs(observe(new) - f) < 1.645 * std)
    assert 0.8 < covered < 0.97, covered
    assert fitted.predict([[9.0]], return_std=True)[1][0] > 2 * std.mean()


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("estimator", ALL, ids=name)
def test_frames_give_names_and_the_same_numbers(estimator, library):
    frames = pytest.importorskip(library)
    X, y = load_diabetes(return_X_y=True)
    X, y = X[:80, :3], (y[:80] > 140).astype(int)
    frame = frames.DataFrame({"age": X[:, 0], "sex": X[:, 1], "bmi": X[:, 2]})
    fitted = clone(estimator).fit(frame, y)
    assert fitted.feature_names_in_.tolist() == ["age", "sex", "bmi"] and fitted.n_features_in_ == 3
    np.testing.assert_allclose(fitted.predict(frame), clone(estimator).fit(X, y).predict(X))
    other = frames.DataFrame({"age": X[:, 0], "bmi": X[:, 2], "sex": X[:, 1]})
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(other)


@pytest.mark.parametrize("estimator", ALL, ids=name)
def test_pickles_predict_the_same(estimator, tmp_path):
    X, y = load_diabetes(return_X_y=True)
    X, y = X[:60], (y[:60] > 140).astype(int)
    fitted = clone(estimator).fit(X, y)
    joblib.dump(fitted, tmp_path / "model")
    for other in (pickle.loads(pickle.dumps(fitted)), joblib.load(tmp_path / "model")):
        np.testing.assert_allclose(other.predict(X), fitted.predict(X), rtol=1e-12)
        if estimator in REGRESSORS:
            both = [model.predict(X, return_std=True)[1] for model in (other, fitted)]
            np.testing.assert_allclose(*both, rtol=1e-9)


def test_pipelines_and_grid_searches_in_parallel():
    X, y = load_diabetes(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), GramGaussNewtonRegressor(**SMALL, threads=1))
    grid = {"gramgaussnewtonregressor__hidden_layer_sizes": [(4,), (12,)]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(X[:150], y[:150])
    assert search.best_score_ > 0.2


def test_the_same_random_state_gives_the_same_bits():
    X, y = load_diabetes(return_X_y=True)
    first, second = (GramGaussNewtonRegressor(**SMALL).fit(X, y).predict(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = GramGaussNewtonRegressor(**SMALL | {"random_state": 1}).fit(X, y)
    assert not np.array_equal(first, other.predict(X))


def test_an_ensemble_is_one_network_and_stays_itself_when_pickled():
    X, y = load_diabetes(return_X_y=True)
    fitted = GramGaussNewtonRegressor(**SMALL, ensemble=3).fit(X, y)
    assert json_sizes(fitted.model_) == [36, 1]
    again = pickle.loads(pickle.dumps(fitted))
    for one, other in zip(fitted.predict(X[:20], return_std=True), again.predict(X[:20], return_std=True), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_a_classifier_is_an_average_too():
    X, y = load_iris(return_X_y=True)
    fitted = GramGaussNewtonClassifier(**SMALL, ensemble=2).fit(X, y)
    assert json_sizes(fitted.model_) == [24, 3]
    assert fitted.score(X, y) > 0.9


def json_sizes(model):
    import json

    layers = json.loads(model.specification)["layers"]
    return [layer["dense"]["units"] for layer in layers if "dense" in layer]


@pytest.mark.parametrize("estimator", [GramGaussNewtonRegressor, NTKRegressor])
def test_a_weight_of_2_is_a_row_twice_and_a_weight_of_0_none(estimator, rng):
    X, y = rng.normal(size=(20, 2)), rng.normal(size=20)
    weights = np.arange(20) % 3
    repeated = np.repeat(np.arange(20), weights)
    options = {"alpha": 0.5}
    if estimator is GramGaussNewtonRegressor:
        options |= SMALL | {"early_stopping": False, "damping": 1e-12, "max_iter": 4}
    weighted = estimator(**options).fit(X, y, sample_weight=weights)
    twice = estimator(**options).fit(X[repeated], y[repeated])
    np.testing.assert_allclose(weighted.predict(X), twice.predict(X), rtol=1e-6)


def test_partial_fit_goes_on():
    X, y = load_diabetes(return_X_y=True)
    model = GramGaussNewtonRegressor(hidden_layer_sizes=(20,), activation="tanh", random_state=0)
    model.partial_fit(X, y)
    first = model.score(X, y)
    for _ in range(5):
        model.partial_fit(X, y)
    assert model.score(X, y) > first + 0.05
    classifier = GramGaussNewtonClassifier(hidden_layer_sizes=(20,), random_state=0)
    with pytest.raises(ValueError, match="name all classes"):
        classifier.partial_fit(X, y > 140)
    classifier.partial_fit(X[:9], np.zeros(9), classes=[0, 1])
    for _ in range(5):
        classifier.partial_fit(X, (y > 140).astype(int))
    assert classifier.score(X, (y > 140).astype(int)) > 0.7


def test_what_training_did_is_told(capsys):
    X, y = load_diabetes(return_X_y=True)
    fitted = GramGaussNewtonRegressor(**SMALL, verbose=True, ensemble=1).fit(X, y)
    assert len(fitted.loss_curve_) == len(fitted.validation_curve_) == fitted.n_iter_ <= 25
    assert fitted.best_loss_ == min(fitted.validation_curve_)
    assert fitted.settings_["model"] == "mlp:12:tanh" and fitted.settings_["seed"] == 0
    assert "epoch 10/25" in capsys.readouterr().err or fitted.n_iter_ < 10


def test_tol_and_n_iter_no_change_end_a_training():
    X, y = load_diabetes(return_X_y=True)
    options = SMALL | {"max_iter": 200, "tol": 0.5, "n_iter_no_change": 3}
    fitted = GramGaussNewtonRegressor(**options, ensemble=1).fit(X, y)
    assert fitted.n_iter_ < 10 and fitted.stop_reason_ == "no better validation loss"


def test_adversarial_training_is_more_robust():
    from gramstep import attacks

    X, y = load_diabetes(return_X_y=True)
    options = {"hidden_layer_sizes": (50,), "activation": "tanh", "random_state": 0, "max_iter": 30}
    plain = GramGaussNewtonRegressor(**options).fit(X, y)
    robust = GramGaussNewtonRegressor(**options, adversarial="linf:0.01:pgd:5").fit(X, y)
    plain_loss, robust_loss = (attacks.pgd(m, X, y, radius=0.01).after.mean() for m in (plain, robust))
    assert robust_loss < plain_loss


# Bad input


@pytest.mark.parametrize("estimator", ALL, ids=name)
@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.arange(12.0), ValueError, "Expected 2D array"),
        (np.zeros((0, 3)), ValueError, "0 sample"),
        (np.zeros((12, 0)), ValueError, "0 feature"),
        (np.full((12, 3), np.nan), ValueError, "NaN"),
        (np.full((12, 3), np.inf), ValueError, "infinity"),
        (np.full((12, 3), "a", dtype=object), ValueError, "could not convert"),
        (np.zeros((12, 3), complex), ValueError, "Complex"),
        (np.zeros((11, 3)), ValueError, "inconsistent"),
    ],
    ids=["1-D", "no rows", "no columns", "NaN", "infinite", "text", "complex", "too few rows"],
)
def test_bad_input_is_what_scikit_learn_users_expect(estimator, X, error, message):
    y = np.arange(12) % 2
    with pytest.raises(error, match=message):
        clone(estimator).fit(X, y[: max(len(X), 1)] if len(X) == 0 else y)


@pytest.mark.parametrize("estimator", ALL, ids=name)
def test_sparse_matrices_other_columns_and_unfitted_models_are_refused(estimator, rng):
    from scipy.sparse import csr_matrix

    X, y = rng.normal(size=(12, 3)), np.arange(12) % 2
    with pytest.raises(NotFittedError):
        clone(estimator).predict(X)
    with pytest.raises(TypeError, match="[Ss]parse"):
        clone(estimator).fit(csr_matrix(X), y)
    fitted = clone(estimator).fit(X, y)
    with pytest.raises(ValueError, match="3 features"):
        fitted.predict(X[:, :2])


@pytest.mark.parametrize("estimator", ALL, ids=name)
def test_gaps_are_filled_where_imputation_is_asked_for(estimator, rng):
    X, y = rng.normal(size=(60, 3)), np.arange(60) % 2
    X[::7, 1] = np.nan
    fitted = clone(estimator).set_params(impute=True).fit(X, y)
    assert np.isfinite(fitted.predict(X).astype(float)).all()
    X[0, 0] = np.nan  # a column that had no gap
    assert np.isfinite(fitted.predict(X).astype(float)).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"activation": "swoosh"}, "swoosh"),
        ({"alpha": -1.0}, "ridge"),
        ({"damping": "some"}, "damping"),
        ({"solver": "lbfgs"}, "lbfgs|unknown variant"),
        ({"batch_size": 0}, "batch-size"),
        ({"rows_per_sample": "two"}, "rows-per-sample|unknown variant"),
        ({"schedule": "cosines"}, "schedule"),
        ({"weight_decay": 0.1}, "weight-decay"),
        ({"ball": 0.0, "adversarial": "linf:0.1:pgd:2"}, "ball"),
        ({"learning_rate_init": -1.0}, "learning-rate"),
        ({"max_iter": 0}, "max_iter"),
        ({"validation_fraction": 1.5}, "validation_fraction"),
        ({"adversarial": "l3:1:pgd"}, "norm"),
        ({"ensemble": 0}, "ensemble"),
        ({"random_state": -1}, "random_state"),
    ],
)
def test_parameters_out_of_range_are_refused_with_the_reason(parameters, message):
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ValueError, match=message):
        GramGaussNewtonRegressor(**SMALL | parameters).fit(X, y)


@pytest.mark.parametrize(
    "parameters",
    [
        {"rows_per_sample": "exact"},
        {"rows_per_sample": "one"},
        {"schedule": "cosine:warm-up=0.1"},
        {"solver": "adamw", "weight_decay": 0.02},
        {"adversarial": "linf:0.1:pgd:2:1", "ball": 3.0, "warm_up": 1},
    ],
)
def test_parameters_are_the_settings_of_the_run(parameters):
    X, y = load_iris(return_X_y=True)
    network = GramGaussNewtonClassifier(**SMALL | {"max_iter": 2} | parameters).fit(X, y)
    names = {"solver": "optimizer"}
    found = {name: network.settings_[names.get(name, name)] for name in parameters}
    assert found == parameters


def test_one_class_and_negative_weights_are_refused(rng):
    X = rng.normal(size=(12, 3))
    for estimator in (GramGaussNewtonClassifier(**SMALL), NTKClassifier()):
        with pytest.raises(ValueError, match="one class"):
            estimator.fit(X, np.zeros(12))
    for estimator in REGRESSORS:
        with pytest.raises(ValueError, match="sample weight"):
            clone(estimator).fit(X, np.arange(12.0), sample_weight=-np.ones(12))
