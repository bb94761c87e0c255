"""Kernels of networks of infinite and of finite width."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gramstep import _gramstep
from gramstep._counts import check_count
from gramstep._gramstep import Model


def ntk(
    X: ArrayLike,
    X2: ArrayLike | None = None,
    *,
    depth: int = 1,
    activation: str = "relu",
    weight_variance: float | None = None,
    bias_variance: float | None = None,
    threads: int = 0,
) -> NDArray[Any]:
    """The neural tangent kernel Θ of an infinitely wide perceptron with one output (jacot2018).

    ::

        input   K = x·x'/d,  Θ = 0
        dense   K ← σ_w² K + σ_b²,  Θ ← σ_w² Θ + K
        φ       K ← E[φ(u)φ(v)],  Θ ← Θ·E[φ'(u)φ'(v)]

    Parameters
    ----------
    X : array of shape (n, d)
    X2 : array of shape (m, d), optional
        X itself unless given.
    depth : int
        Number of hidden layers.
    activation : str
        relu, gelu, erf, tanh, .. of all hidden layers.
    weight_variance, bias_variance : float, optional
        σ_w² and σ_b² of every dense layer: 2 for rectifiers, else 1, and 0.1 unless given.
    threads : int
        0: all that the machine has.

    Returns
    -------
    array of shape (n, m)
        float32 where X and X2 are, else float64.

    Examples
    --------
    >>> import numpy as np, gramstep
    >>> X = np.sqrt(2) * np.eye(2)
    >>> gramstep.ntk(X, depth=1, activation="relu", weight_variance=1.0, bias_variance=0.0).round(4)
    array([[1.    , 0.1592],
           [0.1592, 1.    ]])
    """
    return _gramstep.infinite_kernel(
        "ntk",
        X,
        X2,
        depth=depth,
        activation=activation,
        weight_variance=weight_variance,
        bias_variance=bias_variance,
        threads=check_count("threads", threads, least=0),
    )


def nngp(
    X: ArrayLike,
    X2: ArrayLike | None = None,
    *,
    depth: int = 1,
    activation: str = "relu",
    weight_variance: float | None = None,
    bias_variance: float | None = None,
    threads: int = 0,
) -> NDArray[Any]:
    """The covariance K of an infinitely wide perceptron's outputs over its initial parameters.

    Arguments and result as of :func:`ntk`.

    Examples
    --------
    >>> import numpy as np, gramstep
    >>> X = np.sqrt(2) * np.eye(2)
    >>> gramstep.nngp(X, depth=1, activation="relu", weight_variance=1.0, bias_variance=0.0).round(4)
    array([[0.5   , 0.1592],
           [0.1592, 0.5   ]])
    """
    return _gramstep.infinite_kernel(
        "nngp",
        X,
        X2,
        depth=depth,
        activation=activation,
        weight_variance=weight_variance,
        bias_variance=bias_variance,
        threads=check_count("threads", threads, least=0),
    )


def compute_tile(
    X: ArrayLike,
    rows: slice,
    columns: slice | None = None,
    *,
    kernel: Literal["ntk", "nngp"] = "ntk",
    depth: int = 1,
    activation: str = "relu",
    weight_variance: float | None = None,
    bias_variance: float | None = None,
    threads: int = 1,
) -> NDArray[Any]:
    """A tile of a kernel matrix of points too many for one machine: K[rows, columns].

    A plain function of its arguments that can be pickled, for Dask, joblib or any pool of processes. A tile is the same
    bits wherever and however often it is computed, on processors with the same vector unit.

    Parameters
    ----------
    X : array of shape (n, d)
        All points.
    rows, columns : slice
        Which of them; all columns unless given.
    kernel : "ntk" or "nngp"
    depth, activation, weight_variance, bias_variance
        As of :func:`ntk`.
    threads : int
        One, since there are as many workers as processors; 0: all that the machine has.

    Examples
    --------
    >>> import numpy as np, gramstep
    >>> X = np.random.default_rng(0).normal(size=(6, 2))
    >>> tile = gramstep.compute_tile(X, slice(0, 2), slice(2, 6), depth=3)
    >>> bool(np.allclose(tile, gramstep.ntk(X, depth=3)[:2, 2:], rtol=1e-12))
    True
    """
    if kernel not in ("ntk", "nngp"):
        raise ValueError(f"kernel must be 'ntk' or 'nngp', got {kernel!r}")
    points = np.asarray(X)
    return _gramstep.infinite_kernel(
        kernel,
        points[rows],
        points[slice(None) if columns is None else columns],
        depth=depth,
        activation=activation,
        weight_variance=weight_variance,
        bias_variance=bias_variance,
        threads=check_count("threads", threads, least=0),
    )


def empirical_ntk(
    model: Model, X: ArrayLike, X2: ArrayLike | None = None, *, outputs: str | int = "trace"
) -> NDArray[Any]:
    """The tangent kernel J J'ᵀ of a network at its present parameters, tile by tile.

    Parameters
    ----------
    model : Model
    X : array of shape (n, d)
    X2 : array of shape (m, d), optional
        X itself unless given.
    outputs : "trace", "full" or int
        The mean over equal outputs (n, m), which has an infinitely wide limit; all pairs (n·k, m·k), rows ordered
        (sample, output), as :meth:`Model.gram`; or one output with itself (n, m).

    Examples
    --------
    >>> import numpy as np, gramstep
    >>> model = gramstep.Model.mlp([2, 16, 3], seed=1)
    >>> X = np.eye(2)
    >>> gramstep.empirical_ntk(model, X).shape, gramstep.empirical_ntk(model, X, outputs="full").shape
    ((2, 2), (6, 6))
    """
    return _gramstep.empirical_ntk(model, X, X2, outputs=outputs)
