"""G of several tangents, in numbers that tell its damping from their rounding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gramstep.torch._precision import resolution, working_dtype
from gramstep.torch._tangent import Tangent


def damped_gram(
    tangents: Sequence[Tangent], relative: float, absolute: float, weights: Mapping[int, float] | None = None
) -> tuple[Tensor, torch.dtype]:
    """G of all rows, float64 on the CPU, and the type in which its products were summed.

    The smallest damping that will be asked for is `relative` of the mean diagonal and `absolute`. Where it is below the
    rounding of the products, these are made in float64: a G whose eigenvalues are off by more than λ is not positive
    definite with it.
    """
    dtype = max((working_dtype(t.f.dtype) for t in tangents), key=lambda dtype: -resolution(dtype))
    size = sum(t.n * t.k for t in tangents)
    rounding = size * resolution(dtype)
    if relative + absolute == 0 or (absolute == 0 and relative < rounding):
        dtype = finest(tangents)
    whole = gram(tangents, dtype, weights)
    trace = float(whole.diagonal().sum())
    if dtype != torch.float64 and size * absolute + relative * trace < rounding * trace:
        dtype = finest(tangents)
        whole = gram(tangents, dtype, weights)
    return whole, dtype


def gram(tangents: Sequence[Tangent], dtype: torch.dtype, weights: Mapping[int, float] | None = None) -> Tensor:
    """G of all rows, float64 on the CPU, each pair of tangents once."""
    sizes = [t.n * t.k for t in tangents]
    whole = torch.zeros((sum(sizes), sum(sizes)), dtype=torch.float64, device="cpu")
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    for i, mine in enumerate(tangents):
        for j, other in enumerate(tangents[: i + 1]):
            part = mine.gram(None if mine is other else other, weights, dtype).cpu().double()
            rows, columns = (slice(starts[b], starts[b] + sizes[b]) for b in (i, j))
            whole[rows, columns] = part
            if i != j:
                whole[columns, rows] = part.T
    return whole


def cross_gram(rows: Sequence[Tangent], columns: Sequence[Tangent], dtype: torch.dtype) -> Tensor:
    """J J'ᵀ of rows against other rows, float64 on the CPU."""
    return torch.cat([torch.cat([r.gram(c, None, dtype).cpu().double() for c in columns], 1) for r in rows])


def finest(tangents: Sequence[Tangent]) -> torch.dtype:
    """float64, where the device has it."""
    return torch.float32 if any(t.f.device.type == "mps" for t in tangents) else torch.float64
