"""The update φ at a damping, checked, and how far to go along it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gramstep.torch._guard import check_step, squares
from gramstep.torch._system import System
from gramstep.torch._tangent import Tangent


@dataclass(frozen=True)
class Trained:
    """A parameter with its learning rate, its weight s in G, and φ of the step before."""

    parameter: Tensor
    lr: float
    weight: float
    carried: Tensor | None


@dataclass(frozen=True)
class Rules:
    """μ, κ, the largest change of outputs that is asked for, that of the loss where none is, the product of the μ of all
    updates before, whether the step is searched for at rising damping, and whether a sample has one row for all its outputs."""

    momentum: float
    ridge: float
    max_output_change: float | None
    reach: float | None
    begun: float
    searched: bool
    one_row: bool

    @property
    def one_rate(self) -> bool:
        """Whether one learning rate is needed for all."""
        return self.searched or self.max_output_change is not None

    def start(self) -> float:
        """The factor on learning rates while the momentum begins; 1 where steps are searched for. With one row a sample steps
        begin short: its outputs turn beside the row too, most of all at the start, and the system knows nothing of that."""
        if self.momentum == 0 or self.searched:
            return 1.0
        power = self.momentum * self.begun
        return 1 - power if self.one_row else 1 / math.sqrt(1 - power * power)


class Step:
    """φ = m + S JᵀB (BᵀGB + (λ + κ)I)⁻¹(z − BᵀJm) with the anchor m = (λμφ₋ + κθ)/(λ + κ).

    Attributes
    ----------
    direction : list of Tensor or None
        φ in the shapes of the parameters; None is 0.
    change : Tensor
        J φ, of all rows.
    length : float
        What every learning rate is multiplied by: the correction of the momentum's first steps, and the cut.
    gain : float
        What the linearised loss and the penalty have left to gain; infinite where something is carried along.
    solve : Solve

    Raises
    ------
    UnsupportedGraph
        By `pull_back`.
    """

    def __init__(
        self, tangents: Sequence[Tangent], system: System, trained: Sequence[Trained], rules: Rules, damping: float, walk: bool
    ) -> None:
        self.damping = damping
        anchor = _anchor(trained, rules, damping)
        of_anchor = torch.zeros_like(system.z)
        if anchor is not None:
            of_anchor = torch.cat([t.jvp(anchor, system.dtype).cpu().double().reshape(-1) for t in tangents])
        c, self.solve = system.solve(system.z - system.drop(of_anchor), damping + rules.ridge)
        scaled, moved = pull_back(tangents, system, trained, system.lift(c), walk)
        self.direction = scaled if anchor is None else _sum([scaled, anchor])
        self.change = of_anchor + moved
        self.length = _length(trained, rules, self.change, sum(t.n for t in tangents))
        image = system.drop(self.change)
        self.gain = float(system.z @ image) - 0.5 * float(image @ image) + _gain_of_penalty(trained, self.direction, rules.ridge)
        if any(t.carried is not None for t in trained):
            self.gain = math.inf


def pull_back(
    tangents: Sequence[Tangent], system: System, trained: Sequence[Trained], u: Tensor, walk: bool
) -> tuple[list[Tensor | None], Tensor]:
    """S Jᵀu in the shapes of the parameters, and Gu.

    Raises
    ------
    UnsupportedGraph
        If uᵀGu = ‖Jᵀu‖² does not hold. `walk`: whether Jᵀu is also taken through the whole network for that.
    """
    moved = system.gram @ u
    parts = list(zip(tangents, system.blocks(u)))
    gradients = _sum([t.vjp(part) if t.has_ties else t.vjp_by_node(part) for t, part in parts])
    walked = _sum([t.vjp(part) for t, part in parts]) if walk or any(t.is_new for t in tangents) else gradients
    expected, got = float(u @ moved), sum(t.weight * size for t, size in zip(trained, squares(walked)))
    if not (math.isfinite(expected) and math.isfinite(got)):
        raise FloatingPointError("the step holds infinite values or NaN\nhint: more damping, or a smaller lr")
    noise = 4 * max(t.epsilon for t in tangents) * float(system.gram.diagonal().sum()) * float(u @ u)
    weights = {at: t.weight for at, t in enumerate(trained)}
    check_step(tangents, system.blocks(u), weights, expected, got, noise)
    if walked is not gradients:
        by_node = sum(t.weight * size for t, size in zip(trained, squares(gradients)))
        check_step(tangents, system.blocks(u), weights, expected, by_node, noise)
    return [_times(g, t.weight) for g, t in zip(gradients, trained)], moved


def _anchor(trained: Sequence[Trained], rules: Rules, damping: float) -> list[Tensor | None] | None:
    """m; None if it is 0."""
    total = damping + rules.ridge
    of_theta, of_phi = (rules.ridge / total, damping / total) if rules.ridge > 0 else (0.0, 1.0)
    anchor: list[Tensor | None] = []
    for t in trained:
        parts = [t.parameter.detach() * of_theta] if of_theta > 0 else []
        parts += [t.carried * (rules.momentum * of_phi)] if t.carried is not None else []
        anchor.append(sum(parts[1:], parts[0]) if parts and t.weight > 0 else None)
    return anchor if any(m is not None for m in anchor) else None


def _gain_of_penalty(trained: Sequence[Trained], direction: Sequence[Tensor | None], ridge: float) -> float:
    """½κ(θᵀS⁻¹θ − (θ − φ)ᵀS⁻¹(θ − φ))"""
    if ridge == 0:
        return 0.0
    moved = [(t, d) for t, d in zip(trained, direction) if d is not None and t.weight > 0]
    now = squares([t.parameter.detach() for t, _ in moved])
    then = squares([t.parameter.detach() - d for t, d in moved])
    return 0.5 * ridge * sum((a - b) / t.weight for (t, _), a, b in zip(moved, now, then))


def _length(trained: Sequence[Trained], rules: Rules, change: Tensor, samples: int) -> float:
    """change: J φ of all rows."""
    length = rules.start()
    rates = {t.lr for t in trained}
    if rules.one_rate and len(rates) > 1:
        raise ValueError(
            "lr: max_output_change and adaptive damping need one for all groups\nhint: give groups a weight instead"
        )
    most = rules.reach if rules.max_output_change is None else rules.max_output_change
    if most is not None:
        predicted = length * max(rates, default=0.0) * float(change.norm()) / math.sqrt(max(1, samples))
        if predicted > most:
            length *= most / predicted
    return length


def _times(gradient: Tensor | None, weight: float) -> Tensor | None:
    if gradient is None or weight == 0:
        return None
    return gradient if weight == 1 else gradient * weight


def _sum(lists: Sequence[Sequence[Tensor | None]]) -> list[Tensor | None]:
    def add(parts: Iterable[Tensor | None]) -> Tensor | None:
        known = [part for part in parts if part is not None]
        return sum(known[1:], known[0]) if known else None

    return [add(parts) for parts in zip(*lists)]
