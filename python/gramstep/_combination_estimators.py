"""Estimators that need no settings: the combination of networks, kernels and ridge regression."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets

from gramstep._counts import check_counts
from gramstep._fit import (
    PredictsIntervals,
    PredictsSets,
    SavesRun,
    all_or_nothing,
    encode_classes,
    make_data,
    reporting,
    seed_of,
    validate_fit,
    weigh_classes,
)
from gramstep._gramstep import fit

_PARAMETERS = """
    Networks trained by Gram-Gauss-Newton (cai2019), kernel regressions with a scale for every column (durrande2012) and
    ridge regression, each judged on rows that it has not seen and weighted by it (breiman1996). Inputs are standardised
    on the training rows. It is what ``gramstep train`` makes of a table by default.

    Parameters
    ----------
    candidates : str, optional
        What is tried: "networks", with "kernels", "linear" or both after a comma; all of them from 6 rows on.
    preset : {{"fast", "default", "thorough"}}, optional
        "fast" is one network of one architecture, or ridge regression where it is better.
    max_iter : int, optional
        The most epochs of a network.
    time_limit : float, optional
        The longest time in seconds, of all together.
    validation_fraction : float, optional
        Of the rows, by which networks stop and parts are weighted; a fifth of small data and a tenth of others unless
        given.
{extra}    impute : bool
        Whether NaN in X is filled with the median of its column and marked by another column, not an error, and columns
        may be text, categories or dates, as in ``gramstep train``.
    random_state : int, RandomState or None
        Decides the split, the initial parameters and the order of rows.
    threads : int, optional
        All that the machine has unless given.
    verbose : bool
        Whether to show progress on stderr.

    Attributes
    ----------
    candidates_ : list of dict
        What was judged: ``model``, ``loss`` on rows that it had not seen, ``weight`` where it is a part of a combination,
        ``kept``.
    n_iter_ : int
        Epochs of all networks together.
    settings_ : dict
        Every setting of the run, those that were decided too, named as on the command line.
    n_features_in_, feature_names_in_
        Of X.
"""

_CLASS_WEIGHT = """    class_weight : "balanced", dict or None
        How much the errors of a class count, 1 for those that a dict leaves out.
"""


class _Combination(SavesRun, BaseEstimator):
    """What both estimators do alike."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.impute
        return tags

    def _train(self, data, **more):
        check_counts(self, "threads", "max_iter")
        given = {
            "candidates": self.candidates,
            "preset": self.preset,
            "epochs": self.max_iter,
            "time_limit": None if self.time_limit is None else f"{self.time_limit}s",
            "seed": seed_of(self.random_state),
            "threads": self.threads,
        } | more
        config = {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in given.items()
            if value is not None
        }
        validation = None if self.validation_fraction is None else float(self.validation_fraction)
        if validation is not None and not 0.0 <= validation < 1.0:
            raise ValueError(f"validation_fraction = {validation}: at least 0 and below 1")
        with reporting(self.verbose) as report:
            self._predictor, training = fit(data, json.dumps(config), validation=validation, report=report)
        self.candidates_ = json.loads(training["candidates"])
        self.settings_ = json.loads(training["settings"])
        self.n_iter_ = training["epochs"]
        return self


class GramstepRegressor(MultiOutputMixin, RegressorMixin, PredictsIntervals, _Combination):
    __doc__ = f"""A regression without settings: the best combination of networks, kernels and ridge regression.
{_PARAMETERS.format(extra="")}
    Examples
    --------
    >>> import numpy as np
    >>> from gramstep import GramstepRegressor
    >>> X = np.linspace(-1, 1, 60)[:, None]
    >>> y = 100 + 5 * np.sin(4 * X[:, 0])
    >>> model = GramstepRegressor(random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.999)
    True
    """

    def __init__(
        self,
        candidates=None,
        *,
        preset=None,
        max_iter=None,
        time_limit=None,
        validation_fraction=None,
        impute=False,
        random_state=None,
        threads=None,
        verbose=False,
    ):
        self.candidates = candidates
        self.preset = preset
        self.max_iter = max_iter
        self.time_limit = time_limit
        self.validation_fraction = validation_fraction
        self.impute = impute
        self.random_state = random_state
        self.threads = threads
        self.verbose = verbose

    @all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """Trains, judges and weighs all candidates.

        Parameters
        ----------
        X : array or frame of shape (n, d)
        y : array of shape (n,) or (n, k)
        sample_weight : array of shape (n,), optional
        """
        X, y = validate_fit(self, X, y, regression=True)
        self._ndim = y.ndim
        return self._train(make_data(self, X, y, sample_weight))

    def predict(self, X: Any, return_std: bool = False, return_cov: bool = False) -> Any:
        """Targets in their own units.

        Parameters
        ----------
        X : array or frame of shape (m, d)
        return_std : bool
            Whether to return the standard deviation of a new observation too, noise included: of a combination by the
            size of its errors on rows that it had not seen.
        return_cov : bool
            Whether to return the covariance of new observations among themselves instead, (m, m) or (m, m, k).

        Returns
        -------
        array of shape (m,) or (m, k), or two of them
        """
        return self._predict(X, return_std, return_cov)


class GramstepClassifier(ClassifierMixin, PredictsSets, _Combination):
    __doc__ = f"""A classification without settings: the best mixture of networks, kernels and ridge regression.
{_PARAMETERS.format(extra=_CLASS_WEIGHT)}    classes_ : array
        The classes in the order of the outputs.

    Examples
    --------
    >>> import numpy as np
    >>> from gramstep import GramstepClassifier
    >>> X = np.linspace(-1, 1, 60)[:, None]
    >>> y = np.where(X[:, 0] ** 2 < 0.3, "in", "out")
    >>> model = GramstepClassifier(random_state=0).fit(X, y)
    >>> model.predict([[0.0], [0.9]])
    array(['in', 'out'], dtype='<U3')
    """

    def __init__(
        self,
        candidates=None,
        *,
        preset=None,
        max_iter=None,
        time_limit=None,
        validation_fraction=None,
        class_weight=None,
        impute=False,
        random_state=None,
        threads=None,
        verbose=False,
    ):
        self.candidates = candidates
        self.preset = preset
        self.max_iter = max_iter
        self.time_limit = time_limit
        self.validation_fraction = validation_fraction
        self.class_weight = class_weight
        self.impute = impute
        self.random_state = random_state
        self.threads = threads
        self.verbose = verbose

    @all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """Trains, judges and weighs all candidates.

        Parameters
        ----------
        X : array or frame of shape (n, d)
        y : array of shape (n,)
            Labels of any kind.
        sample_weight : array of shape (n,), optional
        """
        X, y = validate_fit(self, X, y, regression=False)
        check_classification_targets(y)
        self.classes_, labels = encode_classes(y)
        sample_weight = weigh_classes(self, y, sample_weight)
        named = None if isinstance(self.class_weight, dict) else self.class_weight
        return self._train(make_data(self, X, labels, sample_weight, self.classes_), class_weight=named)

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """The logarithm of the probability of every class, (m, classes)."""
        return np.log(np.maximum(self.predict_proba(X), np.finfo(float).tiny))
