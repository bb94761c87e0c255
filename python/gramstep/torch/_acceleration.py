"""Geodesic acceleration: the second order of the path along which outputs change as a step asks (transtrum2012)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gramstep.torch._guard import squares
from gramstep.torch._step import Step, Trained, pull_back
from gramstep.torch._system import System
from gramstep.torch._tangent import Tangent

PROBE = 0.1
"""h: at this part of the step outputs are evaluated for their second derivative along it."""

TRUSTED = 0.75
"""The largest 2‖a‖/‖v‖. Beyond it the step leaves the region in which two orders tell the outputs."""


def correction(
    step: Step, tangents: Sequence[Tangent], system: System, trained: Sequence[Trained], ahead: Callable[[float], Tensor]
) -> list[Tensor | None] | None:
    """½a of the step v = −ηφ, in the shapes of the parameters; None if the step is too long for it.

    a = −S JᵀB (BᵀGB + (λ + κ)I)⁻¹ Bᵀf″ undoes in least squares what the outputs bend along v: f″ = d²f(θ + tv)/dt²
    at 0, by 2(f(θ + hv) − f(θ) − hJv)/h². `ahead(h)`: all rows of f(θ + hv).
    """
    rate = step.length * max((t.lr for t in trained), default=0.0)
    now = torch.cat([t.f.detach().cpu().double().reshape(-1) for t in tangents])
    bent = (ahead(PROBE) - now + PROBE * rate * step.change) * (2 / PROBE**2)
    if not bool(bent.isfinite().all()):
        return None
    c, _ = system.solve(system.drop(bent), step.solve.damping)
    half, _ = pull_back(tangents, system, trained, system.lift(c) * -0.5, walk=False)
    bend, length = (math.sqrt(sum(squares(v))) for v in (half, step.direction))
    return half if 4 * bend <= TRUSTED * rate * length else None
