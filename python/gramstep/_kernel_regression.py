"""Regression with a kernel matrix that the caller brings."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gramstep import _gramstep
from gramstep._counts import check_count
from gramstep._fit import all_or_nothing


class KernelRegression:
    """Kernel ridge regression, and the Gaussian process with the same kernel, on matrices that are there already.

    ::

        f(x) = K(x, X) (K + κ W⁻¹)⁻¹ y,    W = diag(sample_weight)

    Parameters
    ----------
    ridge : "auto", "evidence" or float
        κ: the one of least leave-one-out error, of largest evidence, or a number ≥ 0.
    threads : int
        0: all that the machine has.

    Attributes
    ----------
    ridge_ : float
    coefficients_ : array, (K + κ W⁻¹)⁻¹ y
    effective_parameters_ : float
        Σ λ / (λ + κ) over the eigenvalues of K.
    log_marginal_likelihood_ : float
        log p(y) of y ~ N(0, K + κ W⁻¹).
    noise_variance_ : float, or array of shape (k,)
        That of the targets, as the evidence finds it at this κ.
    leave_one_out_ : array like y
        The prediction of every row by a fit without it.

    Examples
    --------
    >>> import numpy as np, gramstep
    >>> X, Z = np.linspace(-1, 1, 12)[:, None], np.array([[0.05], [4.0]])
    >>> y = np.sin(3 * X[:, 0])
    >>> regression = gramstep.KernelRegression().fit(gramstep.ntk(X, activation="erf"), y)
    >>> K_cross, own = gramstep.ntk(Z, X, activation="erf"), np.diag(gramstep.ntk(Z, activation="erf"))
    >>> f, std = regression.predict(K_cross, own, return_std=True)
    >>> bool(abs(f[0] - np.sin(0.15)) < 0.05), bool(std[1] > std[0])
    (True, True)
    """

    def __init__(self, ridge: Literal["auto", "evidence"] | float = "auto", *, threads: int = 0) -> None:
        if isinstance(ridge, str) and ridge not in ("auto", "evidence"):
            raise ValueError(f"ridge must be 'auto', 'evidence' or a number, got {ridge!r}")
        self.ridge = ridge
        self.threads = check_count("threads", threads, least=0)

    def __repr__(self) -> str:
        return f"KernelRegression(ridge={self.ridge!r})"

    @all_or_nothing
    def fit(self, K: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> KernelRegression:
        """Fits targets, (n,) or (n, k), to the kernel of the training points, (n, n); weights above 0, (n,)."""
        targets = np.asarray(y, dtype=float)
        if targets.ndim not in (1, 2):
            raise ValueError(f"y has shape {targets.shape}: expected (n,) or (n, k)")
        self._shape = targets.shape[1:]
        fitted = _gramstep.FittedKernel(
            np.asarray(K, dtype=float),
            targets.reshape(len(targets), -1),
            ridge=self.ridge,
            sample_weight=None if sample_weight is None else np.asarray(sample_weight, dtype=float),
            threads=self.threads,
        )
        self._fitted = fitted
        self.ridge_ = fitted.ridge
        self.coefficients_ = self._as_targets(fitted.coefficients)
        self.effective_parameters_ = fitted.effective_parameters
        self.log_marginal_likelihood_ = fitted.log_marginal_likelihood
        noise = fitted.noise_variance
        self.noise_variance_ = noise if self._shape else float(noise[0])
        self.leave_one_out_ = targets + self._as_targets(fitted.leave_one_out())
        return self

    def predict(
        self, K_cross: ArrayLike, k_diagonal: ArrayLike | None = None, return_std: bool = False
    ) -> NDArray[Any] | tuple[NDArray[Any], NDArray[Any]]:
        """f(x), (m,) or (m, k), from the kernel between new points and the training points, (m, n).

        With ``return_std`` and the kernel of every new point with itself, (m,), also the standard deviation of new
        observations, noise included.
        """
        fitted = self._checked()
        cross = np.asarray(K_cross, dtype=float)
        f = self._as_targets(fitted.predict(cross))
        if not return_std:
            return f
        if k_diagonal is None:
            raise ValueError("return_std needs k_diagonal, the kernel of every new point with itself")
        variance = fitted.variance(cross, np.asarray(k_diagonal, dtype=float))
        total = variance[:, None] * fitted.prior_variance + fitted.noise_variance
        return f, self._as_targets(np.sqrt(total))

    def covariance(self, K_cross: ArrayLike, K_new: ArrayLike) -> NDArray[Any]:
        """The posterior covariance of f at new points, without noise: (m, m), or (m, m, k) of several targets.

        ``K_new`` is the kernel of the new points among themselves, (m, m).
        """
        fitted = self._checked()
        covariance = fitted.covariance(np.asarray(K_cross, dtype=float), np.asarray(K_new, dtype=float))
        prior = fitted.prior_variance
        return covariance[:, :, None] * prior if self._shape else covariance * prior[0]

    def _checked(self) -> _gramstep.FittedKernel:
        if not hasattr(self, "_fitted"):
            raise ValueError("this KernelRegression is not fitted yet: call fit(K, y) first")
        return self._fitted

    def _as_targets(self, values: NDArray[Any]) -> NDArray[Any]:
        return values if self._shape else values[:, 0]
