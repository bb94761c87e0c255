"""Adversarial attacks on networks and on fitted estimators, for classifiers and regressors alike.

>>> import numpy as np, gramstep
>>> model = gramstep.Model.mlp([2, 32, 1], activation="tanh", seed=1)
>>> X = np.array([[0.1, -0.4], [0.8, 0.3]])
>>> result = gramstep.attacks.pgd(model, X, model.predict(X), norm="linf", radius=0.1)
>>> result.adversarial.shape, bool(np.abs(result.adversarial - X).max() <= 0.1 + 1e-12)
((2, 2), True)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gramstep._gramstep import LinearisedModel, Model, ThreatModel, run_attack, run_transfer

__all__ = ["AttackResult", "apgd", "fgsm", "pgd", "smallest_perturbation", "transfer"]

_ARGUMENTS = """
    Parameters
    ----------
    model : Model, LinearisedModel or fitted estimator
        Of an estimator, X, y, radius and bounds are in the data's own units.
    X : array of shape (n, d)
    y : array of shape (n,) or (n, k)
        Targets of a regression, labels or one-hot rows of a classification; with goal "reach" the attacker's wish.
    norm : {"linf", "l2"}
    radius : float
        The largest size of a perturbation.
    bounds : (float, float) or array of shape (d, 2), optional
        The box that perturbed samples stay in, for all columns or for each.
    scales : array of shape (d,), optional
        A unit for each column: the ball is {x : ‖(x − x₀) ⊘ scales‖ ≤ radius}.
    frozen : sequence of int
        Columns that are left as they are.
    goal : {"auto", "margin", "loss", "up", "down", "reach"}
        What the attacker drives up: the margin of another class, the squared error, one output up or down, or the
        nearness to y. "auto" is the margin for labels and the squared error for numbers.
    output : int
        The output of "up" and "down".
    criterion : str or (str, float), optional
        When a perturbation counts as found: "misclassified", ("moved", by), ("wrong", by), ("reached", within) or
        "none", in the units of the model's outputs.
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
        Whether they meet the criterion.
    size : array of shape (n,)
        Size of the perturbation in the norm of the attack.
    before, after : array of shape (n,)
        The goal's value at the sample and at the best point.
    steps : int array of shape (n,)
        Evaluations up to the best point.
    """

    adversarial: NDArray[Any]
    found: NDArray[np.bool_]
    size: NDArray[np.float64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    steps: NDArray[np.int_]

    @property
    def error(self) -> float:
        """Share of the samples for which a perturbation was found: the robust error."""
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
    bisections: int = 10,
    **threat: Any,
) -> AttackResult:
    return _run("pgd", {"steps": steps}, model, X, y, norm=norm, radius=radius, bisections=bisections, **threat)


def transfer(
    models: Sequence[Model | LinearisedModel],
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
    models : sequence of Model or LinearisedModel
        Of one number type, with the same inputs and outputs.
    X, y, norm, radius, steps, bounds, scales, frozen, goal, output, criterion
        As in :func:`pgd`.

    Returns
    -------
    array of shape (models, models)
        Entry (i, j): the share of samples for which the perturbation made for model i meets the criterion on model j.
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
    X = np.asarray(X)
    targets = [_Target.of(model) for model in models]
    if not targets or any(isinstance(target, _Estimator) for target in targets):
        raise TypeError("models: expected at least one Model or LinearisedModel")
    plan, y = _plan(targets[0], X, y, "pgd", {"steps": steps}, norm=norm, radius=radius, **threat)
    shares, results = run_transfer([target.model for target in targets], X, y, plan)
    return shares, [_result(out, target, X) for out, target in zip(results, targets, strict=True)]


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
smallest_perturbation.__doc__ = f"""For every sample the smallest perturbation that meets the criterion, by bisection
    over the radius with :func:`pgd`.
{_ARGUMENTS}    steps : int
        Of each attack.
    bisections : int
        Halvings of the bracket.
{_RESULT}"""


def _run(attack, settings, model, X, y, *, bisections=None, **threat):
    X = np.asarray(X)
    target = _Target.of(model)
    plan, y = _plan(target, X, y, attack, settings, **threat)
    return _result(run_attack(target.model, target.inputs(X), y, plan, bisections), target, X)


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
    goal="auto",
    output=0,
    criterion=None,
):
    """What the compiled half needs to know, and the targets as outputs."""
    y, labels = target.targets(y)
    if goal == "auto":
        goal = "margin" if labels else "loss"
    if criterion is None:
        criterion = "misclassified" if goal == "margin" else "none"
    criterion, by = (criterion, 0.0) if isinstance(criterion, str) else criterion
    limits, units = target.threat(bounds, scales, X)
    threat = ThreatModel(norm, radius, bounds=limits, scales=units, frozen=list(frozen))
    plan = {"threat": threat, "attack": attack, "settings": settings, "goal": goal, "output": output}
    return plan | {"criterion": criterion, "by": by}, y


def _result(out, target, X):
    return AttackResult(
        adversarial=target.data(out["adversarial"], X),
        found=out["found"].astype(bool),
        size=out["size"],
        before=out["before"],
        after=out["after"],
        steps=out["steps"].astype(int),
    )


class _Target:
    """A network and the units in which it is attacked: its own."""

    def __init__(self, model):
        self.model = model

    @staticmethod
    def of(model):
        if isinstance(model, (Model, LinearisedModel)):
            return _Target(model)
        if hasattr(model, "model_") and hasattr(model, "_predictor"):
            return _Estimator(model)
        raise TypeError(f"model: expected a Model or a fitted network of this package, got {type(model).__name__}")

    def inputs(self, X):
        return X

    def data(self, inputs, X):
        return inputs

    def targets(self, y):
        """Targets as the network's outputs, and whether they are classes."""
        y = np.asarray(y)
        if self.model.n_outputs > 1 and y.ndim == 1 and y.dtype.kind in "iu":
            return np.eye(self.model.n_outputs)[y], True
        return y, False

    def threat(self, bounds, scales, X):
        limits = None if bounds is None else [(float(low), float(high)) for low, high in np.atleast_2d(bounds)]
        return limits, None if scales is None else [float(scale) for scale in scales]


class _Estimator(_Target):
    """A fitted estimator, attacked in the units of its data."""

    def __init__(self, estimator):
        super().__init__(estimator.model_)
        self.estimator = estimator
        preprocessing = json.loads(estimator._predictor.preprocessing())
        standardisation = preprocessing["inputs"]["standardisation"]
        self.mean, self.scale = (np.array(standardisation[name]) for name in ("mean", "scale"))
        self.of_targets = preprocessing["targets"].get("standardisation")
        if len(self.mean) != estimator.n_features_in_:
            raise ValueError("an estimator that fills gaps cannot be attacked: marks of gaps are no numbers")

    def inputs(self, X):
        return self.estimator._predictor.inputs(X)

    def data(self, inputs, X):
        return X + (inputs - self.inputs(X)) * self.scale

    def targets(self, y):
        y = np.asarray(y)
        if hasattr(self.estimator, "classes_"):
            return (y[:, None] == self.estimator.classes_[None, :]).astype(float), True
        y = y.reshape(len(y), -1)
        return (y - self.of_targets["mean"]) / self.of_targets["scale"], False

    def threat(self, bounds, scales, X):
        own = np.ones(len(self.scale)) if scales is None else np.asarray(scales, dtype=float)
        if bounds is not None:
            bounds = np.broadcast_to(np.atleast_2d(bounds), (len(self.scale), 2))
            bounds = (bounds - self.mean[:, None]) / self.scale[:, None]
        return super().threat(bounds, own / self.scale, X)
