"""Losses to second order: z and B of every sample, with Q = B Bᵀ the curvature and B z = g the gradient.

Everything is float64 on the CPU: these are n·k numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gramstep.torch._tangent import as_rows


@dataclass(frozen=True)
class Linearised:
    """The losses of a batch to second order.

    Attributes
    ----------
    objective : float
        Their sum, which the step makes smaller.
    total, count : float, int
        What people read is total / count: mean of r² over samples and outputs, mean negative log-likelihood over samples.
    z : Tensor
        (n, k)
    factor : Tensor or None
        B: (n, k, k), its diagonal (n, k), or None for 1.
    """

    objective: float
    total: float
    count: int
    z: Tensor
    factor: Tensor | None = None

    def apply(self, c: Tensor) -> Tensor:
        """B c, (n, k)"""
        if self.factor is None:
            return c
        return self.factor * c if self.factor.dim() == 2 else torch.einsum("iab,ib->ia", self.factor, c)

    def apply_transpose(self, u: Tensor) -> Tensor:
        """Bᵀu, (n, k)"""
        if self.factor is None:
            return u
        return self.factor * u if self.factor.dim() == 2 else torch.einsum("iba,ib->ia", self.factor, u)

    def left(self, rows: Tensor) -> Tensor:
        """Bᵀ times a matrix with n·k rows."""
        if self.factor is None:
            return rows
        n, k = self.z.shape
        apart = rows.reshape(n, k, -1)
        product = self.factor[:, :, None] * apart if self.factor.dim() == 2 else self.factor.mT @ apart
        return product.reshape(n * k, -1)


def reported(blocks: Sequence[Linearised]) -> float:
    """The loss of all blocks as people read it."""
    return sum(b.total for b in blocks) / max(1, sum(b.count for b in blocks))


CustomLoss = Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None, Tensor]]
"""(f, y) → (summed loss, B, z), f and y (n, k) in float64 on the CPU; B (n, k, k), (n, k) or None; z (n, k)."""


def squared(f: Tensor, y: Tensor) -> Linearised:
    """½(f − y)²"""
    r = f - y
    total = float(r.square().sum())
    return Linearised(0.5 * total, total, r.numel(), r)


def huber(f: Tensor, y: Tensor) -> Linearised:
    """½r² for |r| ≤ 1, |r| − ½ beyond; curvature of the re-weighted squared loss, min(1, 1/|r|)."""
    r = f - y
    size = r.abs()
    total = float(torch.where(size <= 1, 0.5 * r.square(), size - 0.5).sum())
    root = size.clamp_min(1.0).rsqrt()
    return Linearised(total, 2 * total, r.numel(), root * r, root)


def cross_entropy(f: Tensor, y: Tensor) -> Linearised:
    """−Σ y log softmax(f); y: classes (n,), or probabilities (n, k). B = diag(√p) − p√pᵀ, z = (p − y)/√p."""
    log_p = f.log_softmax(1)
    p, root = log_p.exp(), (0.5 * log_p.clamp_min(-60.0)).exp()
    target = _probabilities(f, y)
    total = -float(torch.where(target == 0, torch.zeros_like(log_p), target * log_p).sum())
    factor = torch.diag_embed(root) - p[:, :, None] * root[:, None, :]
    return Linearised(total, total, len(f), (p - target) / root, factor)


def _probabilities(f: Tensor, y: Tensor) -> Tensor:
    if y.shape == f.shape and y.is_floating_point():
        if bool((y < 0).any()) or bool(((y.sum(1) - 1).abs() > 1e-6).any()):
            raise ValueError("targets: rows of cross_entropy are probabilities that sum to 1")
        return y
    if y.numel() != len(f) or y.is_floating_point():
        raise ValueError(f"targets {tuple(y.shape)} {y.dtype}: cross_entropy expects classes (n,) of an integer type, or probabilities (n, k)")
    return torch.nn.functional.one_hot(_classes(f, y.reshape(-1)), f.shape[1]).to(f.dtype)


def _classes(f: Tensor, y: Tensor) -> Tensor:
    """y as PyTorch wants classes to be."""
    y = y.long()
    if bool((y < 0).any()) or bool((y >= f.shape[1]).any()):
        raise ValueError(f"targets: classes from 0 to {f.shape[1] - 1}, found {int(y.min())} to {int(y.max())}")
    return y


def logistic(f: Tensor, y: Tensor) -> Linearised:
    """log(1 + eᶠ) − y f, y in [0, 1]. B = √(p(1 − p)), z = (p − y)/B."""
    if bool(((y < 0) | (y > 1)).any()):
        raise ValueError("targets: logistic expects probabilities from 0 to 1")
    softplus = torch.nn.functional.softplus
    total = float((f.clamp_min(0) + softplus(-f.abs(), threshold=1e9) - y * f).sum())
    root = (-0.5 * (softplus(f) + softplus(-f)).clamp_max(60.0)).exp()
    return Linearised(total, total, len(f), (f.sigmoid() - y) / root, root)


def poisson(f: Tensor, y: Tensor) -> Linearised:
    """eᶠ − y f, f the logarithm of the rate, y ≥ 0. B² = rate, at least 1e-6; z = (rate − y)/B. Reported as half the deviance."""
    if bool((y < 0).any()):
        raise ValueError("targets: poisson expects counts from 0 on")
    rate = f.exp()
    root = rate.clamp_min(1e-6).sqrt()
    total = float((rate - y * f).sum())
    best = float((y - torch.xlogy(y, y)).sum())
    return Linearised(total, total - best, len(f), (rate - y) / root, root)


LOSSES: dict[str, Callable[[Tensor, Tensor], Linearised]] = {
    "squared": squared,
    "huber": huber,
    "cross_entropy": cross_entropy,
    "logistic": logistic,
    "poisson": poisson,
}


def reach(loss: str | CustomLoss) -> float | None:
    """The root mean square change of outputs, over samples, that a step at fixed damping predicts at most.

    Where outputs are logarithms it is a factor of 22 000 in odds or rates: damping that is a share of the curvature bounds
    no step where these losses are flat."""
    return 10.0 if loss in ("cross_entropy", "logistic", "poisson") else None


ONE_ROW = "cross_entropy_one_row"
"""Cross-entropy by one row a sample, whatever k: see `one_row`."""


def one_row(outputs: Tensor, targets: Tensor | None) -> Tensor:
    """r_i = √(2 l_i), (n, 1), with l_i the cross-entropy of sample i: Gauss-Newton of ½Σr² has one row a sample.

    Its curvature along the gradient g of a sample is gᵀg/2l. For k = 2 and a small loss that is the exact one, and
    less than it otherwise.
    """
    if outputs.dim() != 2 or targets is None or targets.shape != outputs.shape[:1] or targets.is_floating_point():
        raise ValueError("cross_entropy_one_row: expected outputs (n, k) and classes (n,) of an integer type")
    f = outputs.to(torch.promote_types(outputs.dtype, torch.float32))
    losses = torch.nn.functional.cross_entropy(f, _classes(f, targets), reduction="none")
    return (2 * losses + torch.finfo(losses.dtype).eps ** 2).sqrt()[:, None]


def one_row_squared(f: Tensor, _: Tensor) -> Linearised:
    """½r² of `one_row`, reported as the cross-entropy that it is."""
    total = 0.5 * float(f.square().sum())
    return Linearised(total, total, len(f), f)


def linearise(loss: str | CustomLoss, outputs: Tensor, targets: Tensor | None) -> Linearised:
    """The losses of outputs (n, k), (n,) or (n, ..). Targets None are zeros.

    Raises
    ------
    ValueError
        If targets do not fit, or a loss of one's own returns something else than (value, B, z).
    FloatingPointError
        If outputs or targets are not finite.
    """
    f = as_rows(outputs).detach().cpu().double()
    if not bool(f.isfinite().all()):
        raise FloatingPointError("outputs: they hold infinite values or NaN")
    y = torch.zeros_like(f) if targets is None else targets.detach().cpu()
    if not bool(y.isfinite().all()):
        raise FloatingPointError("targets: they hold infinite values or NaN")
    _check_axes(outputs.shape, y.shape)
    if loss != "cross_entropy" and y.numel() == f.numel() and len(y) == len(f):
        y = y.double().reshape(f.shape)
    elif loss == "cross_entropy":
        y = y.double() if y.is_floating_point() else y
    elif isinstance(loss, str):
        raise ValueError(f"targets {tuple(y.shape)}: expected as many numbers as the outputs, {tuple(f.shape)}")
    if isinstance(loss, str):
        found = one_row_squared(f, y) if loss == ONE_ROW else LOSSES[loss](f, y)
    else:
        found = _custom(loss, f, y)
    if not math.isfinite(found.objective) or not bool(found.z.isfinite().all()):
        raise FloatingPointError("loss: its value or its gradient is infinite or NaN")
    return found


def _check_axes(outputs: Sequence[int], targets: Sequence[int]) -> None:
    """Raises where as many numbers stand in other axes. Axes of length 1 do not count; flat rows are in the same order."""
    f, y = ([size for size in shape[1:] if size != 1] for shape in (outputs, targets))
    if len(f) > 1 and len(y) > 1 and f != y and outputs[0] == targets[0] and math.prod(f) == math.prod(y):
        raise ValueError(f"targets {tuple(targets)}: expected the axes of the outputs, {tuple(outputs)}, or (n, k)")


def _custom(loss: CustomLoss, f: Tensor, y: Tensor) -> Linearised:
    answer = loss(f, y)
    if not isinstance(answer, tuple) or len(answer) != 3:
        raise ValueError("loss: expected a function (f, y) → (value, B, z)")
    value, factor, z = answer
    if tuple(z.shape) != tuple(f.shape):
        raise ValueError(f"loss: z is {tuple(z.shape)}, expected {tuple(f.shape)}")
    n, k = f.shape
    if factor is not None and tuple(factor.shape) not in ((n, k), (n, k, k)):
        raise ValueError(f"loss: B is {tuple(factor.shape)}, expected {(n, k, k)}, {(n, k)} or None")
    total = float(value)
    return Linearised(total, total, n, z.double(), None if factor is None else factor.double())
