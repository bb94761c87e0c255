"""What the estimators have in common: from the arguments of ``fit`` to the compiled half, and back."""

from __future__ import annotations

import contextlib
import functools
import json
import numbers
from collections.abc import Callable
from os import PathLike
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, check_X_y, validate_data

from gramstep._counts import check_count
from gramstep._frame import Frame, categories_of, columns_of, is_mixed, mixed_columns
from gramstep._gramstep import Data
from gramstep._pickle import KeepsThreads
from gramstep._progress import Progress

DTYPES = [np.float64, np.float32]

# What classes of each kind of array are to a run that is read again.
_LABELS = {"i": "integer", "u": "integer", "f": "number", "b": "boolean"}


_Method = TypeVar("_Method", bound=Callable[..., Any])


def all_or_nothing(fit: _Method) -> _Method:
    """A method that learns: one that fails, or is interrupted, leaves everything as it was."""

    @functools.wraps(fit)
    def whole(self, *args, **kwargs):
        before = dict(self.__dict__)
        try:
            return fit(self, *args, **kwargs)
        except BaseException:
            self.__dict__ = before
            raise

    return whole  # type: ignore[return-value]


class SavesRun(KeepsThreads):
    """A fitted estimator that is kept like a run of the command line."""

    _predictor: Any
    _ndim: int

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_predictor")

    def save_run(self, path: str | PathLike[str]) -> None:
        """Writes a run folder as ``gramstep train`` does: ``info``, ``report``, ``predict``, ``attack`` and
        :func:`gramstep.load_run` read it. The data were in memory, and are known by their hash alone.

        Parameters
        ----------
        path : path-like
            A folder without a run; it is made where there is none.
        """
        check_is_fitted(self)
        self._predictor.save(path)


class PredictsIntervals(SavesRun):
    """A fitted regressor that says how sure it is."""

    def _predict(self, X, return_std, return_cov=False):
        """Targets in their own units, and the standard deviations of new observations or their covariance if one of them
        is wanted."""
        check_is_fitted(self)
        if return_std and return_cov:
            raise ValueError("return_std and return_cov: at most one of them")
        X = validate_predict(self, X)
        if return_std:
            f, deviation = self._predictor.with_deviation(X)
            return self._shaped(f), self._shaped(deviation)
        f = self._shaped(self._predictor.predict(X))
        if return_cov:
            covariances = self._predictor.covariance(_double(X))
            return f, covariances[0] if self._ndim == 1 else np.stack(covariances, axis=-1)
        return f

    def _shaped(self, values):
        return values[:, 0] if self._ndim == 1 and values.shape[1] == 1 else values

    def predict_interval(self, X: Any, level: float = 0.9) -> NDArray[np.float64]:
        """Lower and upper end of the interval that holds a new observation with probability ``level``.

        The widths are quantiles of the errors on rows that the model had not seen (vovk2005), relative to their size
        around ``X``.

        Parameters
        ----------
        X : array or frame of shape (m, d)
        level : float
            Above 0 and below 1.

        Returns
        -------
        array of shape (m, 2), of several targets (m, k, 2)
        """
        check_is_fitted(self)
        check_level(level)
        ends = self._predictor.interval(validate_predict(self, X), float(level))
        return ends if self._ndim == 1 else ends.reshape(len(ends), -1, 2)


    def sample_y(self, X: Any, n_samples: int = 1, random_state: Any = 0) -> NDArray[np.float64]:
        """Draws of new observations at ``X``, noise included, the rows of a draw together.

        What errors of near rows have in common is the same in a draw, so that a sum or a maximum over rows is drawn too.
        Draws are normal with the covariance of ``predict(X, return_cov=True)``; of a target whose logarithm is learned,
        their logarithms are. Several targets are drawn independently.

        Parameters
        ----------
        X : array or frame of shape (m, d)
            Memory grows with m².
        n_samples : int
        random_state : int, RandomState or None

        Returns
        -------
        array of shape (m, n_samples), of several targets (m, k, n_samples)
        """
        check_is_fitted(self)
        count = check_count("n_samples", n_samples)
        draws = self._predictor.draws(_double(validate_predict(self, X)), count, seed_of(random_state))
        draws = np.stack(draws, axis=-1)
        return draws[:, 0] if self._ndim == 1 and draws.shape[1] == 1 else draws


class PredictsSets(SavesRun):
    """A fitted classifier that says how sure it is."""

    classes_: Any

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """The probability of every class, (m, classes)."""
        check_is_fitted(self)
        return self._predictor.predict(validate_predict(self, X))

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class, (m,)."""
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_set(self, X: Any, level: float = 0.9) -> NDArray[np.bool_]:
        """Which classes belong to the set that holds the right one with probability ``level``, most probable first in.

        The least probability in a set is a quantile of those of the right classes of rows that the model had not seen
        (vovk2005).

        Parameters
        ----------
        X : array or frame of shape (m, d)
        level : float
            Above 0 and below 1.

        Returns
        -------
        array of shape (m, classes)
        """
        check_is_fitted(self)
        check_level(level)
        return self._predictor.sets(validate_predict(self, X), float(level)) > 0.0


def check_level(level):
    """Whether it is the probability of an interval or a set."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"level = {level}: above 0 and below 1")


def validate_fit(estimator, X, y, *, reset=True, regression, several=False, least=2):
    """X and y as scikit-learn checks them; float32 stays float32 and nothing is copied that need not be. Where gaps are
    filled, columns may be of any kind: then X is a :class:`Frame`."""
    is_frame = estimator.impute and is_mixed(X)
    if is_frame:
        _check_columns(estimator, X, reset)
        # Its numbers alone: the rows that y has to have.
        rows = np.zeros((len(X), 1))
        y = check_X_y(rows, y, multi_output=regression or several, y_numeric=regression, ensure_min_samples=least)[1]
        array = None
    else:
        with _with_hints(X):
            array, y = validate_data(
                estimator,
                X,
                y,
                reset=reset,
                dtype=DTYPES,
                ensure_all_finite=_finite(estimator),
                ensure_min_samples=least,
                multi_output=regression or several,
                y_numeric=regression,
            )
    if reset:
        estimator._is_frame = is_frame
        return (Frame.of(X, column_names(estimator)) if is_frame else array), y
    return _as_learned(estimator, X, array), y


def validate_predict(estimator, X):
    """X with the columns of ``fit``."""
    if estimator.impute and is_mixed(X):
        _check_columns(estimator, X, False)
        return _as_learned(estimator, X, None)
    with _with_hints(X):
        array = validate_data(estimator, X, reset=False, dtype=DTYPES, ensure_all_finite=_finite(estimator))
    return _as_learned(estimator, X, array)


def _check_columns(estimator, X, reset):
    """Names and number of columns of any kind."""
    columns_of(X)  # what has none is refused
    validate_data(estimator, X, reset=reset, skip_check_array=True)


def _as_learned(estimator, X, array):
    """A frame where X has columns of any kind or the model was learned from one, else the array of its numbers."""
    if array is not None and not getattr(estimator, "_is_frame", False):
        return array
    categories = categories_of(json.loads(estimator._predictor.metadata()))
    return Frame.of(X, column_names(estimator), categories)


def column_names(estimator):
    """Those of the frame of ``fit``; of an array, and of a frame whose names are no text, their places."""
    names = getattr(estimator, "feature_names_in_", None)
    return [f"x{j}" for j in range(estimator.n_features_in_)] if names is None else [str(name) for name in names]


@contextlib.contextmanager
def _with_hints(X):
    """Says of columns that are no numbers and of gaps what takes them."""
    try:
        yield
    except (TypeError, ValueError) as error:
        others = mixed_columns(X)
        if not others and str(error).startswith("Input X contains NaN"):
            raise ValueError("Input X contains NaN.\nhint: impute=True fills gaps and marks them") from error
        if not others:
            raise
        names = ", ".join(others[:5]) + (", .." if len(others) > 5 else "")
        hint = "impute=True reads text, categories and dates, and fills gaps"
        raise ValueError(f"columns that are no numbers: {names} ({error})\nhint: {hint}") from error


def _double(X):
    """X in double precision, in which rows are judged together."""
    return X if isinstance(X, Frame) else X.astype(np.float64, copy=False)


def _finite(estimator):
    return "allow-nan" if estimator.impute else True


def make_data(estimator, X, y, sample_weight, classes=None, several=None):
    """Arguments of the compiled half. ``y`` holds numbers, or places in ``classes``, or in each of ``several``."""
    if sample_weight is not None:
        sample_weight = _check_sample_weight(sample_weight, y, dtype=np.float64)
    k = 1 if y.ndim == 1 else y.shape[1]
    targets = ["y"] if k == 1 else [f"y{a}" for a in range(k)]
    return Data(
        X,
        np.asarray(y, dtype=np.float64),
        columns=column_names(estimator),
        targets=targets,
        classes=None if classes is None else [str(c) for c in classes],
        labels="text" if classes is None else kind_of(classes),
        several=None if several is None else [(str(no), str(yes), kind_of((no, yes))) for no, yes in several],
        categories=X.categories if isinstance(X, Frame) else [],
        sample_weight=sample_weight,
        impute=estimator.impute,
    )


def weigh_classes(estimator, y, sample_weight):
    """The weights of rows, times the factors of a dict of classes."""
    factors = estimator.class_weight
    if not isinstance(factors, dict):
        return sample_weight
    unknown = [label for label in factors if label not in estimator.classes_]
    if unknown:
        raise ValueError(f"class_weight names {unknown[0]!r}, which is not among the classes {estimator.classes_}")
    factors = np.array([factors.get(label, 1.0) for label in y], dtype=float)
    return factors if sample_weight is None else factors * np.asarray(sample_weight, dtype=float)


def kind_of(classes):
    """What classes are to a run that is read again."""
    return _LABELS.get(np.asarray(classes).dtype.kind, "text")


def seed_of(random_state):
    """A seed below 2⁶³: the number itself where one is given."""
    if isinstance(random_state, numbers.Integral):
        return check_count("random_state", random_state, least=0)
    return int(check_random_state(random_state).randint(2**31))


@contextlib.contextmanager
def reporting(verbose):
    """What the compiled half tells of its progress."""
    if not verbose:
        yield None
        return
    progress = Progress()
    try:
        yield progress
    finally:
        progress.close()


def encode_labels(y, known=None):
    """The two values of every column of y, and the place of each entry: 0 and 1 of an indicator."""
    if known is None:
        if np.isin(y, (0, 1)).all():
            known = [np.array([0, 1], dtype=y.dtype)] * y.shape[1]
        else:
            known = [np.unique(column) for column in y.T]
        wrong = next((a for a, values in enumerate(known) if len(values) != 2), None)
        if wrong is not None:
            raise ValueError(f"y: column {wrong} has {len(known[wrong])} values; each of several labels has two")
    if len(known) != y.shape[1]:
        raise ValueError(f"y has {y.shape[1]} columns, the fit before had {len(known)}")
    for a, (column, values) in enumerate(zip(y.T, known)):
        if not np.isin(column, values).all():
            raise ValueError(f"y: column {a} has values that are not among {values.tolist()}")
    places = np.column_stack([column == values[1] for column, values in zip(y.T, known)])
    return known, places.astype(np.float64)


def encode_classes(y):
    """The classes in order, and the place of every label."""
    classes, labels = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y has one class, {classes[0]}: a classifier needs at least two classes")
    return classes, labels


def places_among(classes, y):
    """The place of every label among classes that are known, in order."""
    places = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    if not np.array_equal(classes[places], y):
        raise ValueError(f"y has labels that are not among the classes {classes}")
    return places


def check_targets(start, y):
    """Whether y has as many targets as what a training goes on from."""
    before = len(json.loads(start.metadata())["preprocessing"]["targets"]["columns"])
    count = 1 if y.ndim == 1 else y.shape[1]
    if count != before:
        words = ["1 target" if k == 1 else f"{k} targets" for k in (count, before)]
        raise ValueError(f"y has {words[0]}, the fit before had {words[1]}")
