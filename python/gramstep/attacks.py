"""Adversarial attacks on networks and on fitted estimators, for classifiers and regressors alike.

>>> import numpy as np, gramstep
>>> model = gramstep.Model.mlp([2, 32, 1], activation="tanh", seed=1)
>>> X = np.array([[0.1, -0.4], [0.8, 0.3]])
>>> y = model.predict(X)
>>> result = gramstep.attacks.pgd(model, X, y, norm="linf", radius=0.1, criterion=("moved", 0.01))
>>> result.error, result.size.round(9)
(1.0, array([0.1, 0.1]))
>>> bool(np.abs(model.predict(result.adversarial) - y).min() >= 0.01)
True
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gramstep._fit import SavesRun, validate_predict
from gramstep._frame import Frame
from gramstep._gramstep import LinearisedModel, Model, ThreatModel, run_attack, run_transfer

__all__ = ["AttackResult", "apgd", "fgsm", "pgd", "smallest_perturbation", "transfer"]

_ARGUMENTS = """
    Parameters
    ----------
    model : Model, LinearisedModel, fitted estimator, or gramstep.torch.Attackable
        Of an estimator, all numbers are in the data's own units.
    X : array of shape (n, d), or (n, ..) with the samples of a PyTorch model
    y : array of shape (n,) or (n, k)
        Targets of a regression, labels or one-hot rows of a classification; with goal "reach" the attacker's wish.
        Whole numbers are labels: of several outputs the number of the class, of one output 0 or 1, or -1 or 1, and its
        sign decides.
    norm : {"linf", "l2"}
    radius : float
        The largest size of a perturbation.
    bounds : (low, high), optional
        The box that perturbed samples stay in, in the units of X: each a number for all columns or an array of shape
        (d,). An array of shape (d, 2), a row for each column, is the same.
    scales : array of shape (d,), optional
        A unit for each column: the ball is {x : ‖(x − x₀) ⊘ scales‖ ≤ radius}.
    frozen : sequence of int
        Columns that are left as they are.
    whole : sequence of int
        Columns that move by whole numbers.
    goal : {"auto", "margin", "loss", "up", "down", "reach"}
        What the attacker drives up: the margin of another class, the squared error, one output up or down, or the
        nearness to y. "auto" is the margin for labels and the squared error for numbers. "reach" with labels or one-hot
        rows is a targeted attack: the class of y is to win.
    output : int
        The output of "up" and "down".
    criterion : str or (str, float), optional
        When a perturbation counts as found: "misclassified", "classified" (as y says), ("moved", by), ("wrong", by),
        ("reached", within) or "none", in the units of the model's outputs. Of labels "classified" is the default with
        "reach" and "misclassified" without; of numbers nothing is counted unless it is told when.
"""
_RESULT = """
    Returns
    -------
    AttackResult
"""


@dataclass(eq=False)
class AttackResult:
    """What an attack did.

    Attributes
    ----------
    adversarial : array of shape (n, d)
        The best points that were found; the sample itself where nothing is better.
    found : bool array of shape (n,)
        Whether they meet the criterion; False where there is none.
    size : array of shape (n,)
        Size of the perturbation in the norm of the attack.
    before, after : array of shape (n,)
        The goal's value at the sample and at the best point.
    steps : int array of shape (n,)
        Evaluations up to the best point.
    counted : bool
        Whether a criterion said when a perturbation counts as found.
    """

    adversarial: NDArray[Any]
    found: NDArray[np.bool_]
    size: NDArray[np.float64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    steps: NDArray[np.int_]
    counted: bool = True

    @property
    def error(self) -> float:
        """Share of the samples for which a perturbation was found: the robust error, or the success of a targeted attack.

        Raises
        ------
        ValueError
            Without a criterion nothing was counted.
        """
        if not self.counted:
            raise ValueError(
                "error: no criterion says when a perturbation counts as found; "
                'hint: give criterion=("moved", by) or ("wrong", by) in the units of the outputs'
            )
        return float(self.found.mean())


def fgsm(model: Any, X: ArrayLike, y: ArrayLike, *, norm: str = "linf", radius: float, **threat: Any) -> AttackResult:
    return _run("fgsm", {}, model, X, y, norm=norm, radius=radius, **threat)


def pgd(
    model: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    norm: str = "linf",
    radius: float,
    steps: int = 20,
    step_size: float = 0.25,
    restarts: int = 1,
    momentum: float = 0.0,
    random_start: bool = False,
    seed: int = 0,
    **threat: Any,
) -> AttackResult:
    settings = {
        "steps": steps,
        "step_size": step_size,
        "restarts": restarts,
        "momentum": momentum,
        "random_start": random_start,
        "seed": seed,
    }
    return _run("pgd", settings, model, X, y, norm=norm, radius=radius, **threat)


def apgd(
    model: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    norm: str = "linf",
    radius: float,
    steps: int = 100,
    restarts: int = 1,
    seed: int = 0,
    **threat: Any,
) -> AttackResult:
    settings = {"steps": steps, "restarts": restarts, "seed": seed}
    return _run("apgd", settings, model, X, y, norm=norm, radius=radius, **threat)


def smallest_perturbation(
    model: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    norm: str = "linf",
    radius: float,
    steps: int = 20,
    restarts: int = 1,
    bisections: int = 10,
    seed: int = 0,
    **threat: Any,
) -> AttackResult:
    settings = {"steps": steps, "restarts": restarts, "seed": seed}
    return _run("pgd", settings, model, X, y, norm=norm, radius=radius, bisections=bisections, **threat)


def transfer(
    models: Sequence[Any],
    X: ArrayLike,
    y: ArrayLike,
    *,
    norm: str = "linf",
    radius: float,
    steps: int = 20,
    **threat: Any,
) -> tuple[NDArray[np.float64], list[AttackResult]]:
    """How well perturbations made for one model by :func:`pgd` work on another.

    Parameters
    ----------
    models : sequence of Model, LinearisedModel or fitted estimators
        Of one number type, with the same inputs and outputs, or classes.
    X, y, norm, radius, steps, bounds, scales, frozen, whole, goal, output, criterion
        As in :func:`pgd`.

    Returns
    -------
    array of shape (models, models)
        Entry (i, j): the share of samples for which the perturbation made for model i meets the criterion on model j;
        NaN without a criterion.
    list of AttackResult
        The attack on each model.

    Examples
    --------
    >>> import numpy as np, gramstep
    >>> model = gramstep.Model.mlp([2, 64, 1], activation="tanh", seed=1)
    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> shares, _ = transfer([model, model.linearise()], X, model.predict(X), radius=0.1, criterion=("moved", 0.05))
    >>> shares.shape, bool(abs(shares[0, 1] - shares[0, 0]) < 0.1)
    ((2, 2), True)
    """
    targets = [_Target.of(model) for model in models]
    if not targets:
        raise TypeError("models: expected at least one Model, LinearisedModel or fitted estimator")
    X = _samples(models, X)
    labels = targets[0].targets(y)[1]
    if labels and any(not np.array_equal(target.classes, targets[0].classes) for target in targets):
        raise ValueError("models: they tell different classes apart")
    plan, y = _plan(targets[0], _rows(X), y, "pgd", {"steps": steps}, norm=norm, radius=radius, **threat)
    shares, results = run_transfer([target.compiled for target in targets], _rows(X), y, plan)
    return shares, [_result(out, X, plan) for out in results]


fgsm.__doc__ = f"""One full step along the sign (linf) or the direction (l2) of the gradient (goodfellow2015).
{_ARGUMENTS}{_RESULT}"""
pgd.__doc__ = f"""Projected gradient ascent (madry2018).
{_ARGUMENTS}    steps : int
    step_size : float
        In units of the radius.
    restarts : int
        Runs from different starts; the later ones start at random points of the ball, and all do with
        ``random_start``.
    momentum : float
    random_start : bool
    seed : int
{_RESULT}"""
apgd.__doc__ = f"""Projected gradient ascent with a step size of its own choice (croce2020).
{_ARGUMENTS}    steps, restarts, seed : int
{_RESULT}"""
smallest_perturbation.__doc__ = f"""For every sample the smallest perturbation that meets the criterion.

    :func:`pgd` goes the nearest ways to it, past up to nine rivals of the right class or every output up and down, at
    radii that start at the distance of a linear model and are bisected. An upper bound of the true distance; on linear
    models the distance.
{_ARGUMENTS}    steps, restarts, seed : int
        Of each attack.
    bisections : int
        Halvings of the bracket.
{_RESULT}
    Examples
    --------
    >>> import numpy as np, gramstep
    >>> model = gramstep.Model.mlp([2, 1], activation="identity", seed=1)
    >>> model.set_parameters({{"layers.0.weight": np.array([[3.0, 4.0]]), "layers.0.bias": np.zeros(1)}})
    >>> X = np.array([[0.1, -0.4]])
    >>> moved = gramstep.attacks.smallest_perturbation(
    ...     model, X, model.predict(X), norm="l2", radius=9, criterion=("moved", 0.5)
    ... )
    >>> moved.size.round(3)
    array([0.1])
    """


def _run(attack, settings, model, X, y, *, bisections=None, **threat):
    target = _Target.of(model)
    X = _samples([model], X)
    plan, y = _plan(target, _rows(X), y, attack, settings, **threat)
    return _result(run_attack(target.compiled, _rows(X), y, plan, bisections), X, plan)


def _samples(models, X):
    """X as an array, with the columns that estimators among the models have learned from."""
    columns = [validate_predict(model, X) for model in models if isinstance(model, SavesRun)]
    return np.column_stack(list(columns[0].values())) if columns and isinstance(columns[0], Frame) else np.asarray(X)


def _rows(X):
    """Samples of any shape, a row each."""
    return X.reshape(len(X), -1) if X.ndim > 2 else X


def _plan(
    target,
    X,
    y,
    attack,
    settings,
    *,
    norm,
    radius,
    bounds=None,
    scales=None,
    frozen=(),
    whole=(),
    goal="auto",
    output=0,
    criterion=None,
):
    """What the compiled half needs to know, and the targets as outputs."""
    y, labels = target.targets(y)
    if goal == "auto":
        goal = "margin" if labels else "loss"
    if goal == "reach" and labels:
        goal = "targeted"
    if criterion is None:
        criterion = "classified" if goal == "targeted" else "misclassified" if labels or goal == "margin" else "none"
    criterion, by = (criterion, 0.0) if isinstance(criterion, str) else criterion
    units = None if scales is None else [float(scale) for scale in scales]
    threat = ThreatModel(
        norm, radius, bounds=_limits(bounds, X), scales=units, frozen=list(frozen), whole=list(whole)
    )
    plan = {"threat": threat, "attack": attack, "settings": settings, "goal": goal, "output": output}
    return plan | {"criterion": criterion, "by": by}, y


def _limits(bounds, X):
    """(low, high) of every column, or None: of a pair of numbers or arrays, or of an array of shape (d, 2)."""
    if bounds is None:
        return None
    columns = int(np.prod(X.shape[1:]))
    rows = not isinstance(bounds, tuple) and np.ndim(bounds) == 2 and np.shape(bounds) == (columns, 2)
    try:
        low, high = np.transpose(bounds) if rows else bounds
        low, high = (np.broadcast_to(np.asarray(end, dtype=float).ravel(), columns) for end in (low, high))
    except (TypeError, ValueError):
        raise ValueError(
            f"bounds: expected (low, high), each a number or an array of the {columns} columns, got {bounds!r}"
        ) from None
    return list(zip(low.tolist(), high.tolist(), strict=True))


def _result(out, X, plan):
    return AttackResult(
        adversarial=out["adversarial"].reshape(X.shape),
        found=out["found"].astype(bool),
        size=out["size"],
        before=out["before"],
        after=out["after"],
        steps=out["steps"].astype(int),
        counted=plan["criterion"] != "none",
    )


@dataclass(eq=False)
class _Target:
    """What is attacked: its compiled half, the classes of its outputs, None where there are none, and whether it is an
    estimator, whose targets are classes whatever their type."""

    compiled: Any
    classes: NDArray[Any] | None
    estimator: bool = False

    @staticmethod
    def of(model):
        if isinstance(model, (Model, LinearisedModel)) or hasattr(model, "pull_back"):
            return _Target(model, np.arange(model.n_outputs) if model.n_outputs > 1 else None)
        if hasattr(model, "_predictor"):
            return _Target(model._predictor, getattr(model, "classes_", None), estimator=True)
        raise TypeError(
            "model: expected a Model, a LinearisedModel, a fitted estimator of this package or a "
            f"gramstep.torch.Attackable, got {type(model).__name__}"
        )

    def targets(self, y):
        """Targets as the model's outputs, and whether they are classes."""
        y = np.asarray(y)
        network = not self.estimator
        if self.classes is not None and y.ndim == 1 and (self.estimator or y.dtype.kind in "biu"):
            hits = y[:, None] == self.classes[None, :]
            if not hits.any(axis=1).all():
                unknown = y[~hits.any(axis=1)][0]
                raise ValueError(f"y: {unknown!r} is none of the classes {list(self.classes)}")
            return hits.astype(float), True
        if self.classes is not None and y.ndim == 2:
            return y, bool(np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all())
        if network and self.compiled.n_outputs == 1 and y.dtype.kind in "biu":
            if not (np.isin(y, (0, 1)).all() or np.isin(y, (-1, 1)).all()):
                raise ValueError(
                    "y: labels of one output are 0 and 1, or -1 and 1; hint: for a regression give y as floating-point numbers"
                )
            return y.astype(float), True
        return y, False
