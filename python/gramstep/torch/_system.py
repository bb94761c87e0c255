"""The linear system of a step, (BᵀGB + λI) c = z, over one block of rows or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gramstep import _gramstep
from gramstep.torch._gram import damped_gram
from gramstep.torch._losses import Linearised
from gramstep.torch._tangent import Tangent


@dataclass(frozen=True)
class Solve:
    """What a solve did.

    Attributes
    ----------
    size : int
        Number of equations, Σ n·k.
    damping : float
        λ as it was added to the diagonal.
    residual : float
        ‖(BᵀGB + λI)c − z‖/‖z‖
    smallest, largest : float
        Squared pivots, or eigenvalues after a repair.
    rank : int or None
        Known after a repair.
    repaired : bool
        Whether Cholesky failed and a clipped eigen-decomposition took its place.
    """

    size: int
    damping: float
    residual: float
    smallest: float
    largest: float
    rank: int | None
    repaired: bool


class System:
    """G of all rows and what is solved with it; in float64 on the CPU once the products are made (`damped_gram`)."""

    def __init__(
        self,
        tangents: Sequence[Tangent],
        losses: Sequence[Linearised],
        weights: Mapping[int, float],
        relative_damping: float,
        absolute_damping: float,
        budget: int,
    ) -> None:
        self.losses = losses
        self._sizes = [t.n * t.k for t in tangents]
        self.size = sum(self._sizes)
        needed = 32 * self.size**2  # G, BᵀGB, its copy and its factor
        if needed > budget:
            raise MemoryError(
                f"the Gram matrix of {self.size} rows needs {needed} bytes, the budget is {budget}\n"
                "hint: smaller batches, fewer outputs, or a larger memory_budget"
            )
        self.gram, self.dtype = damped_gram(tangents, relative_damping, absolute_damping, weights)
        if not bool(self.gram.isfinite().all()):
            raise FloatingPointError("the Gram matrix holds infinite values or NaN")
        self.curved = self.gram if all(b.factor is None for b in losses) else self._transform(self._transform(self.gram).T)
        self.mean_diagonal = float(self.curved.diagonal().mean()) if self.size else 0.0
        self.z = torch.cat([b.z.reshape(-1) for b in losses])

    def _transform(self, rows: Tensor) -> Tensor:
        return torch.cat([b.left(part) for b, part in zip(self.losses, rows.split(self._sizes))])

    def solve(self, rhs: Tensor, damping: float) -> tuple[Tensor, Solve]:
        """(BᵀGB + λI)⁻¹ rhs"""
        c, report = _gramstep.damped_solve(self.curved.numpy(), rhs.numpy(), damping, threads=torch.get_num_threads())
        return torch.from_numpy(c), Solve(size=self.size, **report)

    def lift(self, c: Tensor) -> Tensor:
        """u = B c"""
        return torch.cat([b.apply(p.reshape(b.z.shape)).reshape(-1) for b, p in zip(self.losses, c.split(self._sizes))])

    def drop(self, u: Tensor) -> Tensor:
        """Bᵀu"""
        parts = zip(self.losses, u.split(self._sizes))
        return torch.cat([b.apply_transpose(p.reshape(b.z.shape)).reshape(-1) for b, p in parts])

    def blocks(self, u: Tensor) -> list[Tensor]:
        """A vector of all rows, apart: (n, k) of each block."""
        return [p.reshape(b.z.shape) for b, p in zip(self.losses, u.split(self._sizes))]
