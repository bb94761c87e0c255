"""Networks of finite width beside their limits: Taylor expansions, kernels averaged over initialisations."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from numpy.typing import ArrayLike, NDArray

from gramstep import _gramstep
from gramstep._gramstep import Model, TaylorModel


def taylor_expand(model: Model, order: int) -> TaylorModel:
    """The Taylor expansion of a network around its present parameters θ₀, a polynomial in v = θ − θ₀.

    ::

        f̃(v, x) = Σ_j Dʲf(θ₀, x)[v, …, v]/j!,   j = 0, …, order

    Order 1 is ``model.linearise()``. Functions that are linear piece by piece (relu, max pools) are expanded within their
    piece, so that the error is O(‖v‖^(order + 1)) up to the next kink alone.

    Parameters
    ----------
    model : Model
    order : int
        1 to 4.

    Returns
    -------
    TaylorModel
        ``displacement`` is v, 0 at first. ``predict(X)`` is f̃, (n, k); ``terms(X)`` its terms, (order + 1, n, k).
        ``fit(X, y, ridge=0.0, max_steps=None)`` lowers ½‖f̃ − y‖² + ½κ‖v‖² by damped Gauss–Newton steps (at most 200);
        ``vjp(X, u)`` and ``gram(X)`` are Jᵀu and J Jᵀ with J = ∂f̃/∂v at v, for training by other means.

    Examples
    --------
    >>> import numpy as np, gramstep
    >>> model = gramstep.Model.mlp([1, 32, 1], activation="tanh", seed=1)
    >>> X = np.linspace(-1, 1, 9)[:, None]
    >>> taylor = gramstep.taylor_expand(model, 2).fit(X, np.sin(3 * X))
    >>> bool(np.abs(taylor.predict(X) - np.sin(3 * X)).max() < 1e-6)
    True
    >>> taylor.terms(X).shape
    (3, 9, 1)
    """
    return _gramstep.taylor_expand(model, order)


class MonteCarlo(NamedTuple):
    """A kernel averaged over initialisations."""

    mean: NDArray[Any]
    #: The standard deviation of draws over √draws, entry by entry.
    standard_error: NDArray[Any]


def monte_carlo_kernel(
    model: Model,
    X: ArrayLike,
    X2: ArrayLike | None = None,
    *,
    n_samples: int = 100,
    kernel: Literal["ntk", "nngp"] = "ntk",
    outputs: str | int = "trace",
    seed: int = 0,
) -> MonteCarlo:
    """The mean of a finite network's kernel over random initialisations, with its standard error.

    The mean of J J'ᵀ ("ntk") or f f'ᵀ ("nngp") tends to the kernel of infinite width; at a given width it keeps a bias of
    order 1/width, which more draws do not take away.

    Parameters
    ----------
    model : Model
        What is drawn anew; its own parameters play no part.
    X : array of shape (n, d)
    X2 : array of shape (m, d), optional
        X itself unless given.
    n_samples : int
        Draws, of the seeds ``seed``, ``seed + 1``, ..; at least 2.
    kernel : {"ntk", "nngp"}
    outputs : "trace", "full" or int
        As of :func:`empirical_ntk`.
    seed : int

    Examples
    --------
    >>> import numpy as np, gramstep
    >>> options = {"activation": "erf", "parameterization": "ntk", "weight_variance": 1.5, "bias_variance": 0.1}
    >>> X = np.random.default_rng(0).normal(size=(4, 3))
    >>> drawn = gramstep.monte_carlo_kernel(gramstep.Model.mlp([3, 256, 1], **options), X, n_samples=50)
    >>> limit = gramstep.ntk(X, depth=1, activation="erf", weight_variance=1.5, bias_variance=0.1)
    >>> bool((np.abs(drawn.mean - limit) < 5 * drawn.standard_error).all())
    True
    """
    return MonteCarlo(
        *_gramstep.monte_carlo_kernel(model, X, X2, n_samples=n_samples, kernel=kernel, outputs=outputs, seed=seed)
    )
