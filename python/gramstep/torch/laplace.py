"""Uncertainty of a trained PyTorch model: the posterior of its linearisation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from gramstep.torch._evaluate import Remembered, trained_parameters
from gramstep.torch._gram import cross_gram, finest, gram
from gramstep.torch._guard import squares
from gramstep.torch._losses import linearise
from gramstep.torch._tangent import Plans
from gramstep.torch.kernel import tiles


class LinearisedLaplace:
    """f(x) ~ N(f(x), Σ(x)) with θ's posterior of the model linearised at its parameters (MacKay 1992).

    ::

        regression      Σ(x) = (s²/κ)[K(x,x) − K(x,X)(K(X,X) + κI)⁻¹K(X,x)],    κ = prior precision · s²
        classification  Σ(x) = (1/κ)[K(x,x) − K(x,X)B(BᵀK(X,X)B + κI)⁻¹BᵀK(X,x)],  κ = prior precision

    Parameters
    ----------
    model : torch.nn.Module or callable
        A trained model, evaluated in eval mode.
    X : Tensor, or tuple of Tensor
        The samples that it was trained on; every one costs k rows.
    y : Tensor
        Numbers of a regression in the axes of the outputs, or (n, k); (n,) classes of a classification.
    likelihood : {"regression", "classification"}
    params : iterable of Tensor or "last_layer", optional
        Which parameters are uncertain; all unless given. "last_layer" are those of the last module that has any.
    prior_precision, noise : float, optional
        δ > 0 of the prior N(0, 1/δ) of every parameter; s > 0, the standard deviation of a regression's noise. Unless given
        they are those of the largest evidence.
    batch : int
        Samples of a tile.

    Attributes
    ----------
    prior_precision, noise : float
    log_evidence : float
        Of the chosen δ and s, up to a constant of the data.
    effective_parameters : float
        Σ w/(w + κ) over the spectrum w of BᵀKB.

    Raises
    ------
    UnsupportedGraph, ValueError
    RuntimeError
        By what is predicted once the model's parameters have changed.

    Examples
    --------
    >>> import torch
    >>> from gramstep.torch import LinearisedLaplace
    >>> _ = torch.manual_seed(0)
    >>> net = torch.nn.Linear(1, 1).double()
    >>> x = torch.linspace(-1, 1, 20).double()[:, None]
    >>> posterior = LinearisedLaplace(net, x, net(x).detach() + 0.1 * torch.randn(20, 1).double())
    >>> mean, variance = posterior.predict(torch.tensor([[0.0], [5.0]]).double())
    >>> bool(variance[1] > 10 * variance[0])
    True
    """

    def __init__(
        self,
        model: Callable[..., Tensor],
        X: Any,
        y: Tensor,
        *,
        likelihood: str = "regression",
        params: Iterable[Tensor] | str | None = None,
        prior_precision: float | None = None,
        noise: float | None = None,
        batch: int = 128,
    ) -> None:
        if likelihood not in ("regression", "classification"):
            raise ValueError(f"likelihood = {likelihood!r}: expected regression or classification")
        if likelihood == "classification" and noise is not None:
            raise ValueError("noise: a classification has none")
        for name, value in (("prior_precision", prior_precision), ("noise", noise)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} = {value}: expected a number above 0")
        if isinstance(params, str):
            params = _last_layer(model, params)
        self.model, self.likelihood, self._batch = model, likelihood, batch
        self._theta = trained_parameters(model, params)
        self._remembered = Remembered(model, self._theta)
        self._plans: Plans = {}
        self._rows = tiles(model, X, self._theta, batch, self._plans)
        f = torch.cat([t.outputs for t in self._rows])
        self._loss = linearise("squared" if likelihood == "regression" else "cross_entropy", f, y)
        self._dtype = finest(self._rows)  # variances are small differences of kernels
        kernel = gram(self._rows, self._dtype)
        curved = self._loss.left(self._loss.left(kernel).T)
        spectrum, vectors = torch.linalg.eigh(curved)
        self._spectrum = spectrum.clamp_min(0.0)
        self._precisions(vectors, prior_precision, noise)
        self.effective_parameters = float((self._spectrum / (self._spectrum + self._ridge)).sum())
        curved.diagonal().add_(self._ridge)
        self._factor = torch.linalg.cholesky(curved)

    def _precisions(self, vectors: Tensor, prior_precision: float | None, noise: float | None) -> None:
        """δ and s, those that are open by the evidence; κ."""
        p = sum(t.numel() for t in self._theta)
        if self.likelihood == "regression":
            # The linearised model explains t = Jθ − r: evidence of N(0, s²(K/κ + I)).
            at_theta = torch.cat([t.jvp(self._theta).cpu().double().reshape(-1) for t in self._rows])
            square = (vectors.T @ (at_theta - self._loss.z.reshape(-1))).square()

            def evidence(ridge: float, s2: float | None) -> tuple[float, float]:
                e = 1 + self._spectrum / ridge
                best = max(float((square / e).mean()), 1e-300) if s2 is None else s2
                quadratic = float((square / e).sum()) / best
                return -0.5 * (len(e) * math.log(best) + float(e.log().sum()) + quadratic), best

            if prior_precision is not None and noise is None:
                # κ = δ s²: one number is open all the same.
                def open_noise(s2: float) -> float:
                    return evidence(prior_precision * s2, s2)[0]

                s2 = _largest(open_noise, float(square.mean()) * 1e-8 + 1e-300, float(square.mean()) * 10 + 1e-300)
                self._ridge = prior_precision * s2
            elif prior_precision is not None and noise is not None:
                self._ridge = prior_precision * noise**2
            else:
                s2_known = None if noise is None else noise**2
                top = max(float(self._spectrum.max()), 1e-300)
                self._ridge = _largest(lambda ridge: evidence(ridge, s2_known)[0], top * 1e-10, top * 1e4)
            known = noise**2 if noise is not None else s2 if prior_precision is not None else None
            self.log_evidence, s2_best = evidence(self._ridge, known)
            self.noise = math.sqrt(s2_best)
            self.prior_precision = self._ridge / s2_best
            self._scale = 1 / self.prior_precision
            return
        size = sum(squares([t.detach() for t in self._theta]))

        def laplace(precision: float) -> float:
            fit = -self._loss.objective - 0.5 * precision * size + 0.5 * p * math.log(precision)
            return fit - 0.5 * float((self._spectrum + precision).log().sum()) - 0.5 * (p - len(self._spectrum)) * math.log(precision)

        self.prior_precision = _largest(laplace, 1e-6, 1e6) if prior_precision is None else prior_precision
        self.noise = 0.0
        self.log_evidence = laplace(self.prior_precision)
        self._ridge, self._scale = self.prior_precision, 1 / self.prior_precision

    def predict(self, X: Any) -> tuple[Tensor, Tensor]:
        """Mean and variance of the outputs, (n, k) each; without the noise of an observation, which is ``noise**2``."""
        mean, covariance = self.posterior(X)
        return mean, covariance.diagonal(dim1=1, dim2=2)

    def posterior(self, X: Any) -> tuple[Tensor, Tensor]:
        """Mean (n, k) and covariance (n, k, k) of the outputs of each sample.

        Raises
        ------
        RuntimeError
            If the model's parameters have changed since the fit.
        """
        self._remembered.check()
        means, covariances = [], []
        for tile in tiles(self.model, X, self._theta, self._batch, self._plans):
            cross = self._loss.left(cross_gram(self._rows, [tile], self._dtype))  # Bᵀ K(X, x), (n·k, m·k)
            half = torch.linalg.solve_triangular(self._factor, cross, upper=False).reshape(-1, tile.n, tile.k)
            prior = tile.diagonal_blocks(self._dtype).cpu().double()
            covariances.append(self._scale * (prior - torch.einsum("rna,rnb->nab", half, half)))
            means.append(tile.f.detach())
        mean = torch.cat(means)
        return mean, torch.cat(covariances).to(mean)

    def predict_proba(self, X: Any) -> Tensor:
        """Class probabilities with the uncertainty taken in, (n, k): softmax of f/√(1 + π/8 · variance) (MacKay 1992)."""
        if self.likelihood != "classification":
            raise ValueError("predict_proba: the likelihood is that of a regression")
        mean, variance = self.predict(X)
        return (mean / (1 + math.pi / 8 * variance).sqrt()).softmax(1)


def _last_layer(model: Callable[..., Tensor], name: str) -> list[Tensor]:
    if name != "last_layer" or not isinstance(model, torch.nn.Module):
        raise ValueError(f"params = {name!r}: expected tensors, or 'last_layer' of a module")
    owners = [m for m in model.modules() if any(True for _ in m.parameters(recurse=False))]
    if not owners:
        raise ValueError("params: the model has no parameters")
    return list(owners[-1].parameters(recurse=False))


def _largest(f: Callable[[float], float], low: float, high: float) -> float:
    """Where f is largest between two positive numbers: a grid of logarithms, then golden sections around its best."""
    grid = [low * (high / low) ** (i / 80) for i in range(81)]
    values = [f(x) for x in grid]
    at = max(range(len(grid)), key=lambda i: values[i] if math.isfinite(values[i]) else -math.inf)
    a, b = (math.log(grid[max(0, at - 1)]), math.log(grid[min(len(grid) - 1, at + 1)]))
    golden = 0.5 * (math.sqrt(5) - 1)
    for _ in range(40):
        c, d = b - golden * (b - a), a + golden * (b - a)
        a, b = (a, d) if f(math.exp(c)) >= f(math.exp(d)) else (c, b)
    return math.exp(0.5 * (a + b))
