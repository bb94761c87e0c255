"""Parts of a Jacobian that were made elsewhere: by another framework's hooks, on another machine."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike


@dataclass(eq=False)
class LinearPart:
    """A weight W (d_out × d_in) used at one or T places of every sample.

    Parameters
    ----------
    activations : array of shape (n, d_in) or (n, T, d_in)
        A, the inputs of W.
    deltas : array of shape (n, k, d_out) or (n, k, T, d_out)
        D = ∂f/∂(W A).
    bias : bool
        Whether a bias of d_out parameters follows W in θ.
    offset : int, optional
        Index of the first parameter in θ; after the part before unless given.
    scale : float
        Constant factor on the parameters (NTK parameterisation).
    weight : float
        s ≥ 0 in G = J S Jᵀ; 0 freezes the part.

    Examples
    --------
    G of f(x) = w·x is X Xᵀ.

    >>> import numpy as np, gramstep
    >>> X = np.array([[1.0, 2.0], [0.0, 3.0]])
    >>> part = gramstep.LinearPart(X, np.ones((2, 1, 1)), bias=False)
    >>> gramstep.TangentFeatures([part]).gram()
    array([[5., 6.],
           [6., 9.]])
    """

    activations: ArrayLike
    deltas: ArrayLike
    bias: bool = True
    offset: int | None = None
    scale: float = 1.0
    weight: float = 1.0


@dataclass(eq=False)
class ExplicitPart:
    """Parameters whose gradients are written out.

    Parameters
    ----------
    gradients : array of shape (n, k, length)
        ∂f/∂(these parameters).
    offset, scale, weight
        As of :class:`LinearPart`.
    """

    gradients: ArrayLike
    offset: int | None = None
    scale: float = 1.0
    weight: float = 1.0
