"""Regression and classification with the tangent kernel of an infinitely wide network, as scikit-learn estimators."""

from __future__ import annotations

import json
import numbers
from typing import Any

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets

from gramstep._counts import check_count
from gramstep._fit import (
    PredictsIntervals,
    PredictsSets,
    SavesRun,
    all_or_nothing,
    encode_classes,
    make_data,
    reporting,
    validate_fit,
)
from gramstep._gramstep import fit, kernel_name

_PARAMETERS = """
    Parameters
    ----------
    depth : int
        Number of hidden layers.
    activation : str
        "relu", "gelu", "erf", "tanh", .. of the hidden layers.
    weight_variance, bias_variance : float, optional
        σ_w² and σ_b² of every layer: 2 for rectifiers, else 1, and 0.1 unless given.
    kernel : {"ntk", "nngp"}
        The tangent kernel, or the covariance of the outputs at the start.
    alpha : "leave-one-out", "evidence" or float
        The ridge κ ≥ 0, in the loss ½Σr² + ½κ‖f‖²; or how it is chosen: by the errors for rows left out, or by the
        marginal likelihood, which goes astray where rows with the same target repeat.
    impute : bool
        Whether NaN in X is filled with the median of its column and marked by another column, not an error, and columns
        may be text, categories or dates, as in ``gramstep train``.
    threads : int, optional
        All that the machine has unless given.
    verbose : bool
        Whether to show progress on stderr.

    Attributes
    ----------
    alpha_ : float
        κ.
    log_marginal_likelihood_ : float
        Of the standardised targets with noise of variance κ.
    n_features_in_, feature_names_in_
        Of X.
"""


class _NTKEstimator(SavesRun, BaseEstimator):
    """Parameters and fit of both estimators."""

    def __init__(
        self,
        depth=3,
        activation="relu",
        *,
        weight_variance=None,
        bias_variance=None,
        kernel="ntk",
        alpha="leave-one-out",
        impute=False,
        threads=None,
        verbose=False,
    ):
        self.depth = depth
        self.activation = activation
        self.weight_variance = weight_variance
        self.bias_variance = bias_variance
        self.kernel = kernel
        self.alpha = alpha
        self.impute = impute
        self.threads = threads
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.impute
        return tags

    def _fit(self, data):
        kernel = kernel_name(
            self.kernel,
            depth=self.depth,
            activation=self.activation,
            weight_variance=self.weight_variance,
            bias_variance=self.bias_variance,
        )
        config = {"model": kernel, "ridge": _ridge(self.alpha), "seed": 0}
        if self.threads is not None:
            config["threads"] = check_count("threads", self.threads)
        with reporting(self.verbose) as report:
            self._predictor, training = fit(data, json.dumps(config), validation=0.0, report=report)
        self.alpha_ = training["ridge"]
        self.log_marginal_likelihood_ = training["log_marginal_likelihood"]
        return self


def _ridge(alpha):
    """κ as the command line takes it: a number, or how it is chosen."""
    if isinstance(alpha, numbers.Real):
        return float(alpha)
    words = {"leave-one-out": "auto", "evidence": "evidence"}
    if alpha not in words:
        raise ValueError(f'alpha = {alpha!r}: expected "evidence", "leave-one-out" or a number of at least 0')
    return words[alpha]


class NTKRegressor(MultiOutputMixin, RegressorMixin, PredictsIntervals, _NTKEstimator):
    __doc__ = f"""Regression with the tangent kernel of an infinitely wide network (jacot2018), a Gaussian process.

    ::

        f(x) = K(x, X)(K + κI)⁻¹y

    Inputs and targets are standardised. Time grows with n³, memory with n²: for thousands of rows.
{_PARAMETERS}
    Examples
    --------
    >>> import numpy as np
    >>> from gramstep import NTKRegressor
    >>> X = np.linspace(-1, 1, 40)[:, None]
    >>> y = 100 + 5 * np.sin(4 * X[:, 0])
    >>> model = NTKRegressor(depth=2).fit(X, y)
    >>> f, std = model.predict([[0.05], [3.0]], return_std=True)
    >>> bool(abs(f[0] - 100 - 5 * np.sin(0.2)) < 0.1), bool(std[0] < std[1])
    (True, True)
    """

    @all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """Fits y, (n,) or (n, k), at X, (n, d); a row of weight w counts as w rows, and the scale
        of the weights is nothing where κ is chosen."""
        X, y = validate_fit(self, X, y, regression=True)
        self._ndim = y.ndim
        return self._fit(make_data(self, X, y, sample_weight))

    def predict(self, X: Any, return_std: bool = False, return_cov: bool = False) -> Any:
        """Targets in their own units, and if it is wanted the standard deviation of new observations, (m,) or (m, k), or
        their covariance, (m, m) or (m, m, k), noise included."""
        return self._predict(X, return_std, return_cov)


class NTKClassifier(ClassifierMixin, PredictsSets, _NTKEstimator):
    __doc__ = f"""Classification with the tangent kernel of an infinitely wide network (jacot2018).

    A kernel regression of one-hot targets f, and p = softmax(βf) with the β of largest likelihood of the leave-one-out
    predictions.
{_PARAMETERS}    classes_ : array
        The classes in the order of the probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> from gramstep import NTKClassifier
    >>> X = np.linspace(-1, 1, 60)[:, None]
    >>> y = np.where(X[:, 0] ** 2 < 0.3, "in", "out")
    >>> NTKClassifier(depth=2).fit(X, y).predict([[0.0], [0.9]])
    array(['in', 'out'], dtype='<U3')
    """

    @all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """Fits the labels y, (n,), at X, (n, d); a row of weight w counts as w rows, and the scale
        of the weights is nothing where κ is chosen."""
        X, y = validate_fit(self, X, y, regression=False)
        check_classification_targets(y)
        self.classes_, labels = encode_classes(y)
        return self._fit(make_data(self, X, labels, sample_weight, self.classes_))
