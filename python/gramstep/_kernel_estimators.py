"""Regression and classification with kernels that have a scale for every column, as scikit-learn estimators."""

from __future__ import annotations

import json
import numbers
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from gramstep._counts import check_count
from gramstep._fit import (
    PredictsIntervals,
    PredictsSets,
    SavesRun,
    all_or_nothing,
    column_names,
    encode_classes,
    make_data,
    reporting,
    seed_of,
    validate_fit,
)
from gramstep._frame import Frame
from gramstep._gramstep import fit

_PARAMETERS = """
    Parameters
    ----------
    kernel : str
        "rbf", "matern12", "matern32", "matern52": functions of the distance with a length scale for every column;
        "anova-rbf", "anova-matern12", "anova-matern32": products over the columns of (1 − c) + c·k, every order of
        interaction with a length scale and a share c for every column (durrande2012, duvenaud2011); "nngp": the kernel of
        an infinitely wide ReLU layer with a weight for every column.
    alpha : None or float
        The noise κ, relative to the variance of the kernel; the one of largest evidence, found together with the scales,
        unless given.
    impute : bool
        Whether NaN in X is filled with the median of its column and marked by another column, not an error, and columns
        may be text, categories or dates, as in ``gramstep train``.
    random_state : int or None
        Of the choice of 1000 rows from which the scales are found where there are more.
    threads : int, optional
        All that the machine has unless given.
    verbose : bool
        Whether to show progress on stderr.

    Attributes
    ----------
    alpha_ : float
        κ.
    length_scales_ : array of shape (d,)
        ℓ of every column in its own unit; of "nngp" 1/√w. Of a column of text the shortest among its values; infinite of
        a column that is left out of a frame.
    shares_ : array of shape (d,) or None
        c of every column; of the products alone.
    feature_importances_ : array of shape (d,)
        The total effect of every column, the share of the variance of the prediction that goes with it, alone and together
        with others, divided by their sum.
    log_marginal_likelihood_value_ : float
        Of the standardised targets, the variance of the kernel at its best.
    leave_one_out_ : array
        What every row of X is predicted without it, the kernel as it is: targets, or probabilities of the classes. Exact
        copies are left out together.
    n_features_in_, feature_names_in_
        Of X.
"""


class _KernelEstimator(SavesRun, BaseEstimator):
    """Parameters and fit of both estimators."""

    def __init__(
        self, kernel="anova-matern32", *, alpha=None, impute=False, random_state=0, threads=None, verbose=False
    ):
        self.kernel = kernel
        self.alpha = alpha
        self.impute = impute
        self.random_state = random_state
        self.threads = threads
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.impute
        return tags

    def _fit(self, data, X, y, sample_weight):
        if self.alpha is not None and not (isinstance(self.alpha, numbers.Real) and self.alpha > 0):
            raise ValueError(f"alpha = {self.alpha!r}: expected None or a number above 0")
        ridge = "evidence" if self.alpha is None else float(self.alpha)
        config = {"model": f"kernel:{self.kernel}", "ridge": ridge, "seed": seed_of(self.random_state)}
        if self.threads is not None:
            config["threads"] = check_count("threads", self.threads)
        with reporting(self.verbose) as report:
            self._predictor, training = fit(data, json.dumps(config), validation=0.0, report=report)
        self.alpha_ = training["ridge"]
        self.log_marginal_likelihood_value_ = training["log_marginal_likelihood"]
        self._describe(training["columns"])
        self._places = _places(X, y, sample_weight)
        unseen = self._places < 0
        self._unseen = X.rows(unseen) if isinstance(X, Frame) else X[unseen]
        return self

    def _describe(self, found):
        """Scales of the columns of X; one that became several inputs has those of its values, which come first, of text
        those of the value that matters most. A column that is left out matters nowhere."""
        inputs = json.loads(self._predictor.metadata())["preprocessing"]["inputs"]
        described, place = {}, 0
        for column in inputs["columns"]:
            effect, scales = found[column["name"]]
            is_text = column["encoding"]["kind"] == "category"
            weight, share = max(scales, key=lambda scale: scale[0]) if is_text else scales[0]
            with np.errstate(divide="ignore"):
                length = inputs["standardisation"]["scale"][place] / np.sqrt(np.float64(weight))
            described[column["name"]] = (length, share, effect)
            place += len(scales)
        has_shares = any(share is not None for _, share, _ in described.values())
        left_out = (np.inf, 0.0, 0.0)
        columns = [described.get(name, left_out) for name in column_names(self)]
        lengths, shares, effects = zip(*columns, strict=True)
        total = sum(effects)
        self.length_scales_ = np.array(lengths)
        self.shares_ = np.array(shares) if has_shares else None
        self.feature_importances_ = np.array(effects) / (total if total > 0 else 1.0)

    def _left_out(self):
        check_is_fitted(self)
        learned = self._predictor.leave_one_out()
        if len(learned) != self._places.max() + 1:
            raise ValueError(
                "leave_one_out_: some rows are copies of others but for how a value is written, and became one with them"
                "\nhint: write the same value alike in all rows"
            )
        values = learned[self._places]
        if (self._places < 0).any():
            # Rows without weight were left out from the start.
            values[self._places < 0] = self._predictor.predict(self._unseen)
        return values


def _places(X, y, sample_weight):
    """The training row that every row of X became: exact copies became one, rows without weight none (−1)."""
    keys = np.column_stack([X.codes() if isinstance(X, Frame) else X, y]).astype(np.float64)
    used = np.ones(len(keys), dtype=bool) if sample_weight is None else np.asarray(sample_weight) > 0
    used = np.broadcast_to(used, len(keys))
    # By their bits: those of both zeros are made the same, and those of all gaps.
    keys = np.where(np.isnan(keys), np.nan, keys + 0.0)[used]
    rows = np.ascontiguousarray(keys).view(np.dtype((np.void, keys.dtype.itemsize * keys.shape[1])))[:, 0]
    _, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.intp)
    rank[np.argsort(first)] = np.arange(len(first))
    places = np.full(len(used), -1, dtype=np.intp)
    places[used] = rank[inverse]
    return places


class KernelRegressor(MultiOutputMixin, RegressorMixin, PredictsIntervals, _KernelEstimator):
    __doc__ = f"""Gaussian process regression with a scale for every column, found by the gradient of the evidence.

    ::

        f(x) = K(x, X)(K + κI)⁻¹y

    Inputs and targets are standardised; all targets share one kernel. Time grows with n³, memory with n²: for thousands of
    rows.
{_PARAMETERS}
    Examples
    --------
    >>> import numpy as np
    >>> from gramstep import KernelRegressor
    >>> X = np.random.default_rng(0).uniform(-1, 1, (80, 3))
    >>> y = 100 + 5 * np.sin(4 * X[:, 0]) + 3 * X[:, 1]
    >>> model = KernelRegressor("matern52").fit(X, y)
    >>> f, std = model.predict([[0.05, 0.5, 0.0], [9.0, 0.5, 0.0]], return_std=True)
    >>> bool(abs(f[0] - 101.5 - 5 * np.sin(0.2)) < 0.3), bool(std[0] < std[1])
    (True, True)
    >>> bool(model.feature_importances_.argmax() == 0)
    True
    """

    @all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """Fits y, (n,) or (n, k), at X, (n, d); a row of weight w counts as w rows, and the scale
        of the weights is nothing where κ is found."""
        X, y = validate_fit(self, X, y, regression=True)
        self._ndim = y.ndim
        return self._fit(make_data(self, X, y, sample_weight), X, y, sample_weight)

    def predict(self, X: Any, return_std: bool = False, return_cov: bool = False) -> Any:
        """Targets in their own units, and if it is wanted the standard deviation of new observations, (m,) or (m, k), or
        their covariance, (m, m) or (m, m, k), noise included."""
        return self._predict(X, return_std, return_cov)

    @property
    def leave_one_out_(self) -> NDArray[Any]:
        return self._shaped(self._left_out())


class KernelClassifier(ClassifierMixin, PredictsSets, _KernelEstimator):
    __doc__ = f"""Classification by kernel regression with a scale for every column.

    A regression of one-hot targets f, and p = softmax(βf) with the β of largest likelihood of the leave-one-out
    predictions.
{_PARAMETERS}    classes_ : array
        The classes in the order of the probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> from gramstep import KernelClassifier
    >>> X = np.linspace(-1, 1, 60)[:, None]
    >>> y = np.where(X[:, 0] ** 2 < 0.3, "in", "out")
    >>> KernelClassifier("matern32").fit(X, y).predict([[0.0], [0.9]])
    array(['in', 'out'], dtype='<U3')
    """

    @all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """Fits the labels y, (n,), at X, (n, d); a row of weight w counts as w rows, and the scale
        of the weights is nothing where κ is found."""
        X, y = validate_fit(self, X, y, regression=False)
        check_classification_targets(y)
        self.classes_, labels = encode_classes(y)
        return self._fit(make_data(self, X, labels, sample_weight, self.classes_), X, labels, sample_weight)

    @property
    def leave_one_out_(self) -> NDArray[Any]:
        return self._left_out()
