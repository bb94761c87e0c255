"""Networks trained by Gram-Gauss-Newton, as scikit-learn estimators."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from gramstep._counts import check_counts
from gramstep._fit import (
    PredictsIntervals,
    PredictsSets,
    SavesRun,
    all_or_nothing,
    check_targets,
    encode_classes,
    encode_labels,
    make_data,
    places_among,
    reporting,
    seed_of,
    validate_fit,
    validate_predict,
    weigh_classes,
)
from gramstep._gramstep import fit

_PARAMETERS = """
    Parameters
    ----------
    hidden_layer_sizes : tuple of int, optional
        Widths of the hidden layers; ``()`` is a linear model. Unless given: on small data the best of ``(50,)`` with
        tanh, ``(50, 50)`` and ``(256, 256)`` with gelu by the validation loss, else the last. ``max_iter``,
        ``batch_size`` or another solver leaves no choice: then it is the last too. The choice has half of a ``time_limit``.
    activation : str, optional
        "relu", "gelu", "tanh", "silu", "sigmoid", "softplus", "erf", .. of the hidden layers; "gelu" unless given.
    solver : {{"gram-gauss-newton", "sgd", "adam", "adamw"}}
    alpha : "auto" or float
        κ ≥ 0, the L2 penalty, in the loss ½Σr² + ½κ‖θ‖². "auto" lets κ fall in the course of the run, and
        early stopping chooses.
    damping : "auto" or float
        λ relative to the mean diagonal of G, of gram-gauss-newton.
    rows_per_sample : {{"exact", "one"}}, optional
        Of gram-gauss-newton: the rows of J that a sample has, one for each output or a single one, with which a step
        solves an n×n system for any number of outputs. One for three classes or more unless given.
    batch_size : "auto", "full" or int
        Rows of one step; all of them where they are few.
    learning_rate_init : float, optional
        Step length η.
    schedule : str, optional
        What becomes of it: "constant", "cosine" or "step:SHARE,..", with ":warm-up=SHARE" and others of
        ``gramstep train --schedule``. Without ``n_iter_no_change`` a run with a schedule goes to its end.
    weight_decay : float, optional
        Of sgd, adam and adamw as other programs have it, in place of ``alpha``.
    momentum : float, optional
        Of SPRING for gram-gauss-newton, of sgd; for adam its first decay rate.
    max_iter : int, optional
        The most epochs.
    tol : float
        By how much a loss has to fall to count as better.
    early_stopping : bool
        Whether ``validation_fraction`` of the rows choose when to stop; the best parameters are kept.
    validation_fraction : float, optional
        Of the rows; a fifth of small data and a tenth of others unless given.
    n_iter_no_change : int, optional
        Epochs without a better loss before training stops.
    time_limit : float, optional
        The longest time in seconds.
    ensemble : int, optional
        Networks, each with a start and validation rows of its own, of which the average predicts. Unless given, and
        where network, ``max_iter`` and ``batch_size`` are left open: 5 on small data and, without ``time_limit``, 3 up to
        20 000 numbers to predict; else 1.
    loss : str, optional
        Of a regression: "squared", "absolute", "huber", "huber:DELTA" (in standard deviations of the target),
        "quantile:LEVEL,.." or "poisson" (counts); squared unless given. Several quantiles are predicted in ascending
        order, a column each.
    target_transform : {{"none", "log", "auto"}}, optional
        Of a regression: "log" learns the logarithm of targets above 0, "auto" that of targets with a heavy tail.
    class_weight : "balanced", dict or None
        Of a classification: how much the errors of a class count, 1 for those that a dict leaves out.
    candidates : {{"networks", "networks,linear"}}, optional
        "networks,linear" keeps a ridge regression where it predicts validation rows better; the default where
        ``hidden_layer_sizes`` is left open and there are at least 6 rows, but for ``warm_start`` and ``partial_fit``.
    input_bounds : {{"auto", "none"}}, optional
        "auto" bends far outliers of a column towards the others, and rows far outside the training range towards it.
    adversarial : str, optional
        Train against an attack in the data's units, "NORM:RADIUS:ATTACK" such as "linf:0.1:pgd:10".
    warm_up : int, optional
        Epochs over which the radius of the attack grows to its full size.
    ball : float, optional
        How far every layer may go from its start, in adversarial training.
    impute : bool
        Whether NaN in X is filled with the median of its column and marked by another column, not an error, and columns
        may be of any kind: text and categories become a column of 0 and 1 for each value, dates elapsed time and cycles,
        as in ``gramstep train``.
    warm_start : bool
        Whether ``fit`` goes on from the networks of the last ``fit``, with the standardisation of that. Columns, targets
        and classes have to be the same; others are an error, and the earlier model stays.
    random_state : int, RandomState or None
        Decides the split, the initial parameters and the order of rows.
    threads : int, optional
        All that the machine has unless given.
    verbose : bool
        Whether to show progress on stderr.

    Attributes
    ----------
    loss_curve_ : list of float
        Training loss after every epoch: {loss}.
    validation_curve_ : list of float
        The same of the validation rows, where there are any.
    best_loss_ : float
        At the epoch whose parameters were kept, on the validation rows where there are any. As both curves it is of the
        first network of an ensemble, and of the network where ridge regression was kept in its place.
    n_iter_ : int
        Epochs made by all networks together.
    stop_reason_ : str
        Why training ended.
    settings_ : dict
        Every setting of the run, those that were decided too, named as on the command line.
    model_ : Model
        The network, for standardised inputs and {outputs}; of an ensemble the average as one network, layers side by
        side.
    n_features_in_, feature_names_in_
        Of X.
"""


# Of a model that is trained further, where it is left open: one ridge regression would be a line for good.
_GOES_ON = {"candidates": "networks"}


class _NetworkEstimator(SavesRun, BaseEstimator):
    """Parameters and training of both estimators."""

    def __init__(
        self,
        hidden_layer_sizes=None,
        activation=None,
        *,
        solver="gram-gauss-newton",
        alpha="auto",
        damping="auto",
        rows_per_sample=None,
        batch_size="auto",
        learning_rate_init=None,
        schedule=None,
        weight_decay=None,
        momentum=None,
        max_iter=None,
        tol=0.0,
        early_stopping=True,
        validation_fraction=None,
        n_iter_no_change=None,
        time_limit=None,
        ensemble=None,
        loss=None,
        target_transform=None,
        class_weight=None,
        candidates=None,
        input_bounds=None,
        adversarial=None,
        warm_up=None,
        ball=None,
        impute=False,
        warm_start=False,
        random_state=None,
        threads=None,
        verbose=False,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.damping = damping
        self.rows_per_sample = rows_per_sample
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.momentum = momentum
        self.max_iter = max_iter
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.time_limit = time_limit
        self.ensemble = ensemble
        self.loss = loss
        self.target_transform = target_transform
        self.class_weight = class_weight
        self.candidates = candidates
        self.input_bounds = input_bounds
        self.adversarial = adversarial
        self.warm_up = warm_up
        self.ball = ball
        self.impute = impute
        self.warm_start = warm_start
        self.random_state = random_state
        self.threads = threads
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.impute
        return tags

    def _architecture(self):
        if self.hidden_layer_sizes is None and self.activation is None:
            return None
        sizes = (256, 256) if self.hidden_layer_sizes is None else np.atleast_1d(self.hidden_layer_sizes)
        if len(sizes) == 0:
            return "linear"
        activation = {"logistic": "sigmoid"}.get(self.activation, self.activation or "gelu")
        return f"mlp:{','.join(str(size) for size in sizes)}:{activation}"

    def _config(self):
        check_counts(self, "threads", "max_iter", "ensemble")
        if "kernels" in str(self.candidates):
            raise ValueError(
                f"candidates = {self.candidates!r}: expected 'networks' or 'networks,linear'\n"
                "hint: GramstepRegressor and GramstepClassifier combine networks with kernels"
            )
        given = {
            "model": self._architecture(),
            "optimizer": self.solver,
            "ridge": self.alpha,
            "damping": None if self.damping == "auto" else self.damping,
            "rows_per_sample": self.rows_per_sample,
            "batch_size": None if self.batch_size == "auto" else self.batch_size,
            "learning_rate": self.learning_rate_init,
            "schedule": self.schedule,
            "weight_decay": self.weight_decay,
            "momentum": self.momentum,
            "epochs": self.max_iter,
            "patience": self.n_iter_no_change,
            "time_limit": None if self.time_limit is None else f"{self.time_limit}s",
            "ensemble": self.ensemble,
            "loss": self.loss,
            "target_transform": self.target_transform,
            "class_weight": None if isinstance(self.class_weight, dict) else self.class_weight,
            "candidates": self.candidates,
            "input_bounds": self.input_bounds,
            "adversarial": self.adversarial,
            "warm_up": self.warm_up,
            "ball": self.ball,
            "seed": seed_of(self.random_state),
            "threads": self.threads,
        }
        return {name: _plain(value) for name, value in given.items() if value is not None}

    def _train(self, data, config, validation, start=None):
        with reporting(self.verbose) as report:
            self._predictor, training = fit(
                data, json.dumps(config), validation=validation, tolerance=float(self.tol), start=start, report=report
            )
        return self._describe(training)

    def _describe(self, training):
        self.loss_curve_ = training["train_losses"]
        self.validation_curve_ = training["validation_losses"]
        judged = self.validation_curve_ or self.loss_curve_
        self.best_loss_ = judged[training["best_epoch"] - 1] if training["best_epoch"] else None
        self.n_iter_ = training["epochs"]
        self.stop_reason_ = training["stop_reason"]
        self.settings_ = json.loads(training["settings"])
        self.model_ = self._predictor.model()
        return self

    def _earlier(self):
        """What a warm start goes on from, if there is one."""
        return getattr(self, "_predictor", None) if self.warm_start else None

    def _fit(self, data, start):
        config = _GOES_ON | self._config() if self.warm_start else self._config()
        return self._train(data, config, self._validation(), start)

    def _validation(self):
        if not self.early_stopping or self.validation_fraction is None:
            return None if self.early_stopping else 0.0
        validation = float(self.validation_fraction)
        if not 0.0 <= validation < 1.0:
            raise ValueError(f"validation_fraction = {validation}: at least 0 and below 1")
        return validation

    def _pass(self, data, start):
        """One epoch, from the network so far."""
        config = _GOES_ON | self._config() | {"epochs": 1}
        return self._train(data, config if start else config | {"ensemble": 1}, 0.0, start)


def _plain(value):
    """NumPy's numbers as Python's, for JSON."""
    return value.item() if isinstance(value, np.generic) else value


class GramGaussNewtonRegressor(MultiOutputMixin, RegressorMixin, PredictsIntervals, _NetworkEstimator):
    __doc__ = f"""A network for regression, trained by Gram-Gauss-Newton (cai2019).

    Inputs and targets are standardised on the training rows. Defaults are those of ``gramstep train``.
{_PARAMETERS.format(loss="mean r² in the standardised target", outputs="targets")}
    Examples
    --------
    >>> import numpy as np
    >>> from gramstep import GramGaussNewtonRegressor
    >>> X = np.linspace(-1, 1, 60)[:, None]
    >>> y = 100 + 5 * np.sin(4 * X[:, 0])
    >>> model = GramGaussNewtonRegressor(hidden_layer_sizes=(30,), activation="tanh", random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.999)
    True
    """

    @all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """Trains from the start, or with ``warm_start`` from where the last ``fit`` ended.

        Parameters
        ----------
        X : array or frame of shape (n, d)
        y : array of shape (n,) or (n, k)
        sample_weight : array of shape (n,), optional
        """
        return self._learn(X, y, sample_weight, self._fit, self._earlier())

    @all_or_nothing
    def partial_fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """One epoch on these rows, from where the network is. The first call decides columns, targets and
        standardisation."""
        return self._learn(X, y, sample_weight, self._pass, getattr(self, "_predictor", None), least=1)

    def _learn(self, X, y, sample_weight, train, start, *, least=2):
        X, y = validate_fit(self, X, y, regression=True, reset=start is None, least=least)
        if start is not None:
            check_targets(start, y)
        train(make_data(self, X, y, sample_weight), start)
        self._ndim = y.ndim
        return self

    def predict(self, X: Any, return_std: bool = False, return_cov: bool = False) -> Any:
        """Targets in their own units.

        Parameters
        ----------
        X : array or frame of shape (m, d)
        return_std : bool
            Whether to return the standard deviation of a new observation too, noise included: by the linearised
            Laplace approximation on at most 1000 training rows, as ``gramstep predict --std`` does.
        return_cov : bool
            Whether to return the covariance of new observations among themselves instead, (m, m) or (m, m, k).

        Returns
        -------
        array of shape (m,) or (m, k), or two of them; with several quantiles (m, k · levels)
        """
        return self._predict(X, return_std, return_cov)


class GramGaussNewtonClassifier(ClassifierMixin, PredictsSets, _NetworkEstimator):
    __doc__ = f"""A network for classification, trained by Gram-Gauss-Newton on the cross-entropy.

    Inputs are standardised on the training rows. Defaults are those of ``gramstep train``.
{_PARAMETERS.format(loss="mean negative log-likelihood", outputs="logits")}    classes_ : array
        The classes in the order of the outputs; of several labels of 0 and 1 their numbers, of others a list of the
        two values of each.

    Examples
    --------
    >>> import numpy as np
    >>> from gramstep import GramGaussNewtonClassifier
    >>> X = np.linspace(-1, 1, 60)[:, None]
    >>> y = np.where(X[:, 0] ** 2 < 0.3, "in", "out")
    >>> model = GramGaussNewtonClassifier(hidden_layer_sizes=(20,), activation="tanh", random_state=0).fit(X, y)
    >>> model.predict([[0.0], [0.9]])
    array(['in', 'out'], dtype='<U3')
    """

    @all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """Trains from the start, or with ``warm_start`` from where the last ``fit`` ended.

        Parameters
        ----------
        X : array or frame of shape (n, d)
        y : array of shape (n,) or (n, k)
            Labels of any kind; of several columns each has two values, and is learned by a logistic loss of its own
            (multi-label classification).
        sample_weight : array of shape (n,), optional
        """
        start = self._earlier()
        X, y = self._validated(X, y, start)
        if self._values is not None:
            return self._fit(self._labelled(X, y, sample_weight), start)
        if start is None:
            self.classes_, labels = encode_classes(y)
        else:
            given = np.unique(y)
            if not np.array_equal(given, self.classes_):
                raise ValueError(f"warm_start: y has the classes {given}, the fit before had {self.classes_}")
            labels = places_among(self.classes_, y)
        return self._fit(self._classified(X, labels, sample_weight), start)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _validated(self, X, y, start, *, least=2):
        """X and y as they are learned; decides whether there are several labels, where no earlier fit has."""
        several = _is_several(y)
        if start is not None and several != (self._values is not None):
            raise ValueError(f"y has {'several columns' if several else 'one column'}, other than the fit before")
        X, y = validate_fit(self, X, _dense(y), regression=False, several=several, reset=start is None, least=least)
        check_classification_targets(y)
        if several:
            values = encode_labels(y, None if start is None else self._values)[0]
        if start is None:
            self._values = values if several else None
        return X, y

    def _labelled(self, X, y, sample_weight):
        """Data of several labels."""
        if isinstance(self.class_weight, dict):
            raise ValueError("class_weight: a row has a class of each of several labels; weigh rows by sample_weight")
        places = encode_labels(y, self._values)[1]
        indicator = all(np.array_equal(values, (0, 1)) for values in self._values)
        self.classes_ = np.arange(y.shape[1]) if indicator else self._values
        return make_data(self, X, places, sample_weight, several=self._values)

    def _classified(self, X, labels, sample_weight):
        """Data of one label; a dict of weights is of classes."""
        weights = weigh_classes(self, self.classes_[labels], sample_weight)
        return make_data(self, X, labels, weights, self.classes_)

    @all_or_nothing
    def partial_fit(
        self, X: Any, y: Any, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Any:
        """One epoch on these rows, from where the network is. The first call has to name all classes, and decides columns
        and standardisation."""
        start = getattr(self, "_predictor", None)
        named = None if classes is None else np.unique(classes)
        if start is None and named is None:
            raise ValueError("classes: the first call of partial_fit has to name all classes")
        X, y = self._validated(X, y, start, least=1)
        if self._values is not None:
            return self._pass(self._labelled(X, y, sample_weight), start)
        if start is None:
            self.classes_ = named
        elif named is not None and not np.array_equal(named, self.classes_):
            raise ValueError(f"classes: {named}, the first call named {self.classes_}")
        return self._pass(self._classified(X, places_among(self.classes_, y), sample_weight), start)

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """The logarithm of the probability of every class, (m, classes)."""
        probability = self.predict_proba(X)
        return np.log(np.maximum(probability, np.finfo(float).tiny))

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The probability of every class, (m, classes); of several labels that of the second value of each, (m, k)."""
        check_is_fitted(self)
        probability = self._predictor.predict(validate_predict(self, X))
        return probability if self._values is None else probability[:, 1::2]

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class, (m,); of several labels (m, k)."""
        check_is_fitted(self)
        probability = self.predict_proba(X)
        if self._values is None:
            return self.classes_[probability.argmax(axis=1)]
        return np.column_stack([two[(p > 0.5).astype(int)] for two, p in zip(self._values, probability.T)])


def _is_several(y):
    """Whether y has a column for each of several labels."""
    shape = y.shape if hasattr(y, "shape") and hasattr(y, "ndim") else np.asarray(y).shape
    return len(shape) == 2 and shape[1] > 1


def _dense(y):
    return y.toarray() if hasattr(y, "toarray") else y
