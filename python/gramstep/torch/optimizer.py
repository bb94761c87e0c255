"""Gram-Gauss-Newton as an optimiser of PyTorch."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gramstep.torch._damping import Adaptive, Damping, parse_damping
from gramstep.torch._errors import UnsupportedGraph
from gramstep.torch._guard import check_parts, check_step, squares
from gramstep.torch._losses import LOSSES, ONE_ROW, CustomLoss, Linearised, linearise, one_row
from gramstep.torch._precision import resolution
from gramstep.torch._randomness import RandomState
from gramstep.torch._system import Solve, System
from gramstep.torch._tangent import Plans, Tangent, as_rows

WALK_EVERY = 16
"""Jᵀu comes from the nodes that hold parameters, which is cheaper. On the first batch of a graph and every so many steps it
is checked by a walk through the whole network, which also notices samples that begin to meet."""

Outputs = Tensor | Sequence[Tensor]
Targets = Tensor | Sequence[Tensor | None] | None
Closure = Callable[[], tuple[Outputs, Targets]]


@dataclass(frozen=True)
class StepReport:
    """What a step did.

    Attributes
    ----------
    loss : float
        Before the step.
    loss_after : float or None
        After it; known with adaptive damping.
    damping : float
        λ of the step that was taken, in absolute terms.
    relative_damping : float
        F = λ / mean diag BᵀGB.
    length : float
        η of the first group of parameters, cut to ``max_output_change``.
    accepted : bool
        Whether parameters moved.
    trials : int
        Dampings that were tried.
    solve : Solve
    """

    loss: float
    loss_after: float | None
    damping: float
    relative_damping: float
    length: float
    accepted: bool
    trials: int
    solve: Solve


class GramGaussNewton(torch.optim.Optimizer):
    """θ ← θ − η Jᵀ B (BᵀG B + λI)⁻¹ z, exact for any eager model: G = J S Jᵀ is read from autograd's graph (cai2019).

    Parameters
    ----------
    params : iterable of Tensor or of dict
        As of any optimiser. A group may have an ``lr`` and a ``weight`` s ≥ 0 of its own: the weight scales the group in
        G = J S Jᵀ, and 0 freezes it.
    lr : float
        η > 0.
    damping : float, ("absolute", float) or "adaptive"
        A number F ≥ 0 is relative: λ = F · mean diag BᵀGB. "adaptive" needs ``step(closure)``: a step is tried with
        4 times the damping until the loss falls, and a third of it is used after an accepted one. For the full batch:
        on a mini-batch of its own every step looks good.
    loss : {"squared", "cross_entropy", "cross_entropy_one_row", "logistic", "huber", "poisson"} or callable
        ½Σ(f − y)²; −Σ log softmax(f)_y, exact with n·k rows, or by one row a sample for many classes (give it
        ``damping=("absolute", n / 2)``, momentum 0.9 and lr 0.1 with a schedule); log(1 + eᶠ) − y f; Huber's with corner 1;
        eᶠ − y f. A callable takes f and y, (n, k) in float64 on the CPU, and returns the summed loss, B and z, with
        B Bᵀ the curvature and B z the gradient; B is (n, k, k), (n, k) for a diagonal, or None for 1.
    momentum : float
        μ from 0 to below 1: φ ← μφ + Jᵀ(G + λI)⁻¹(r − μJφ) is carried over (SPRING, goldshlager2024), with its
        correction for the first steps.
    ridge : float
        κ ≥ 0, the penalty ½κ‖θ‖² beside the summed loss.
    max_output_change : float, optional
        The largest root mean square, over samples, of the change of outputs that a step predicts; longer ones are cut.
    memory_budget : int
        Bytes that the matrices of a step may take.

    Attributes
    ----------
    report : StepReport or None
        Of the last step.

    Raises
    ------
    UnsupportedGraph, ValueError, FloatingPointError, ArithmeticError, MemoryError
        By `step`, with the parameters as they were.

    Notes
    -----
    `step` takes outputs and targets in place of a loss, so nothing depends on whether a loss is a sum or a mean; the
    value that it returns is the mean of r², or the mean negative log-likelihood. ``backward()`` and ``zero_grad()`` are not
    needed. Each row of the outputs may depend on its own sample only, and every step is checked: uᵀGu = ‖Jᵀu‖².

    Examples
    --------
    >>> import torch
    >>> from gramstep.torch import GramGaussNewton
    >>> _ = torch.manual_seed(0)
    >>> net = torch.nn.Sequential(torch.nn.Linear(1, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1))
    >>> x = torch.linspace(-1, 1, 16)[:, None]
    >>> optimizer = GramGaussNewton(net.parameters(), damping=1e-5)
    >>> losses = [optimizer.step(net(x), torch.sin(3 * x)) for _ in range(20)]
    >>> losses[-1] < 1e-4
    True
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        damping: float | tuple[str, float] | str = 1e-2,
        loss: str | CustomLoss = "squared",
        momentum: float = 0.0,
        ridge: float = 0.0,
        max_output_change: float | None = None,
        *,
        memory_budget: int = 4 << 30,
    ) -> None:
        _check("lr", lr, lr > 0, "above 0")
        _check("momentum", momentum, 0 <= momentum < 1, "from 0 to below 1")
        _check("ridge", ridge, ridge >= 0, "at least 0")
        if max_output_change is not None:
            _check("max_output_change", max_output_change, max_output_change > 0, "above 0")
        if isinstance(loss, str) and loss not in (*LOSSES, ONE_ROW):
            raise ValueError(f"loss = {loss!r}: expected one of {', '.join([*LOSSES, ONE_ROW])}, or a callable")
        self.damping: Damping = parse_damping(damping)
        self.loss, self.momentum, self.ridge, self.max_output_change = loss, momentum, ridge, max_output_change
        self.memory_budget = memory_budget
        self.report: StepReport | None = None
        self._plans: Plans = {}
        self._updates = 0
        self._steps = 0
        super().__init__(params, {"lr": lr, "weight": 1.0})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        super().add_param_group(param_group)
        weight = self.param_groups[-1]["weight"]
        _check("weight", weight, weight >= 0, "at least 0")

    # What a training is resumed from.

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        state["progress"] = {"steps": self._steps, "updates": self._updates, "damping": self.damping.state()}
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        progress = state_dict.get("progress", {})
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "progress"})
        self._steps, self._updates = progress.get("steps", 0), progress.get("updates", 0)
        self.damping.restore(progress.get("damping"))

    # The step.

    def step(self, outputs: Outputs | Closure, targets: Targets = None) -> float:  # type: ignore[override]
        """One step.

        Parameters
        ----------
        outputs : Tensor, sequence of Tensor, or callable
            f, (n, k) or (n,), with its graph; or blocks of rows with samples of their own, such as residuals inside a
            domain and on its edge. A closure returns (outputs, targets).
        targets : Tensor, sequence of Tensor, optional
            For each block; None are zeros, as of residuals.

        Returns
        -------
        float
            The loss before the step.
        """
        closure: Closure | None = None
        drawn = False
        if callable(outputs):
            closure, before = outputs, RandomState.now()
            outputs, targets = _evaluate(closure)
            drawn = RandomState.now() != before
        if isinstance(self.damping, Adaptive) and closure is None:
            raise ValueError("damping = 'adaptive': the loss has to be evaluated again\nhint: step(closure), closure() → (outputs, targets)")
        blocks, wanted = self._blocks(outputs, targets)
        try:
            self.report = self._take(blocks, wanted, closure, drawn)
        except UnsupportedGraph:
            if not self._plans:
                raise
            # The plan may be of a batch in which cotangents vanished that do not vanish in this one.
            self._plans.clear()
            self.report = self._take(blocks, wanted, closure, drawn)
        self._steps += 1
        return self.report.loss

    def _take(
        self, blocks: Sequence[Tensor], targets: Sequence[Tensor | None], closure: Closure | None, drawn: bool
    ) -> StepReport:
        losses = [linearise(self.loss, as_rows(f), y) for f, y in zip(blocks, targets)]
        tangents = [Tangent(f, self._trained(), self._plans) for f in blocks]
        adaptive = self.damping if isinstance(self.damping, Adaptive) else None
        if adaptive is not None and closure is not None:
            _check_repeatable(closure, drawn, blocks, self._blocks, any(t.is_new for t in tangents))
        for tangent in tangents:
            if tangent.is_new:
                check_parts(tangent)
        system = System(tangents, losses, self._weights(), self._least_damping(tangents), self.memory_budget)
        if adaptive is None or closure is None:
            step = _Step(self, tangents, system, self.damping.value(system.mean_diagonal))
            self._move(step, step.length)
            report = self._describe(step, system, losses, None, True, 1)
        else:
            report = self._adapt(adaptive, closure, tangents, system, losses)
        for tangent in tangents:
            tangent.remember(self._plans)
        return report

    def _adapt(
        self, damping: Adaptive, closure: Closure, tangents: list[Tangent], system: System, losses: list[Linearised]
    ) -> StepReport:
        """Tries steps at rising damping until the loss falls."""
        start = [p.detach().clone() for p in self._trained()]
        before = sum(b.objective for b in losses) + self._penalty()
        damping.begin(system.size)
        trials = 0
        try:
            while True:
                step = _Step(self, tangents, system, damping.value(system.mean_diagonal))
                trials += 1
                with _same_versions(self._trained()):
                    self._move(step, step.length, keep=False)
                after = self._objective(closure)
                if after[0] + self._penalty() < before:
                    damping.accept()
                    torch.autograd.graph.increment_version(self._trained())
                    self._keep(step)
                    return self._describe(step, system, losses, after[1], True, trials)
                self._restore(start)
                hopeless = step.gain <= 8 * resolution(tangents[0].f.dtype) * abs(before)
                if hopeless or not damping.reject():
                    return self._describe(step, system, losses, None, False, trials)
        except BaseException:
            self._restore(start)
            raise

    def _objective(self, closure: Closure) -> tuple[float, float]:
        """Summed and reported loss at the parameters as they are; infinite where outputs are not finite."""
        outputs, targets = _evaluate(closure)
        try:
            found = [linearise(self.loss, as_rows(f), y) for f, y in zip(*self._blocks(outputs, targets))]
        except FloatingPointError:
            return math.inf, math.inf
        return sum(b.objective for b in found), _reported(found)

    def _describe(
        self, step: _Step, system: System, losses: Sequence[Linearised], after: float | None, accepted: bool, trials: int
    ) -> StepReport:
        mean = system.mean_diagonal
        return StepReport(
            loss=_reported(losses),
            loss_after=after,
            damping=step.damping,
            relative_damping=step.damping / mean if mean > 0 else math.inf,
            length=step.length * self.param_groups[0]["lr"],
            accepted=accepted,
            trials=trials,
            solve=step.solve,
        )

    # Parameters.

    def _trained(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"] if p.requires_grad]

    def _of_groups(self, key: str) -> list[float]:
        """A number of its group for each trained parameter."""
        return [float(group[key]) for group in self.param_groups for p in group["params"] if p.requires_grad]

    def _weights(self) -> dict[int, float]:
        return dict(enumerate(self._of_groups("weight")))

    def _penalty(self) -> float:
        """½κ θᵀS⁻¹θ"""
        if self.ridge == 0:
            return 0.0
        sizes = squares([p.detach() for p in self._trained()])
        return 0.5 * self.ridge * sum(size / s for size, s in zip(sizes, self._of_groups("weight")) if s > 0)

    def _move(self, step: _Step, length: float, keep: bool = True) -> None:
        """θ ← θ − η φ"""
        parameters, rates = self._trained(), self._of_groups("lr")
        with torch.no_grad():
            for rate in sorted(set(rates)):
                moved = [(p, d) for p, d, r in zip(parameters, step.direction, rates) if d is not None and r == rate]
                if moved:
                    torch._foreach_add_([p for p, _ in moved], [d for _, d in moved], alpha=-rate * length)
        if keep:
            self._keep(step)

    def _keep(self, step: _Step) -> None:
        if self.momentum > 0:
            for p, direction in zip(self._trained(), step.direction):
                if direction is not None:
                    self.state[p]["momentum"] = direction
            self._updates += 1

    def _restore(self, start: Sequence[Tensor]) -> None:
        with torch.no_grad(), _same_versions(self._trained()):
            for p, old in zip(self._trained(), start):
                p.copy_(old)

    # Outputs, targets, damping.

    def _blocks(self, outputs: Outputs, targets: Targets) -> tuple[list[Tensor], list[Tensor | None]]:
        blocks = [outputs] if isinstance(outputs, Tensor) else list(outputs)
        if isinstance(targets, Tensor) or targets is None:
            wanted: list[Tensor | None] = [targets] if isinstance(targets, Tensor) else [None] * len(blocks)
        else:
            wanted = list(targets)
        if len(wanted) != len(blocks):
            raise ValueError(f"targets: {len(wanted)} for {len(blocks)} blocks of outputs")
        for f in blocks:
            if not isinstance(f, Tensor):
                raise ValueError(f"outputs: expected tensors, got {type(f).__name__}\nhint: step(outputs, targets), or a closure that returns both")
            if f.dim() == 0:
                raise ValueError("outputs: a single number hides the outputs of the samples\nhint: step(outputs, targets), not step(loss)")
        if self.loss == ONE_ROW:
            for f, y in zip(blocks, wanted):
                if f.dim() != 2 or y is None or y.dim() != 1:
                    raise ValueError("cross_entropy_one_row: expected outputs (n, k) and classes (n,)")
            with torch.enable_grad():
                return [one_row(f, y) for f, y in zip(blocks, wanted) if y is not None], [None] * len(blocks)
        return blocks, wanted

    def _least_damping(self, tangents: Sequence[Tangent]) -> float:
        """The smallest k = λ + κ of the step relative to the mean diagonal of G, to tell whether rounding matters."""
        absolute = self.damping.absolute + self.ridge
        if absolute == 0:
            return self.damping.relative
        trace = sum(float(t.diagonal().sum()) for t in tangents)
        mean = trace / max(1, sum(t.n * t.k for t in tangents))
        return self.damping.relative + (absolute / mean if mean > 0 else math.inf)


class _Step:
    """φ at a damping, and what is known of it."""

    def __init__(self, owner: GramGaussNewton, tangents: Sequence[Tangent], system: System, damping: float) -> None:
        self.damping = damping
        anchor = self._anchor(owner, damping)
        of_anchor = torch.zeros_like(system.z)
        if anchor is not None:
            of_anchor = torch.cat([t.jvp(anchor, system.dtype).cpu().double().reshape(-1) for t in tangents])
        c, self.solve = system.solve(system.z - system.drop(of_anchor), damping + owner.ridge)
        u = system.lift(c)
        moved = system.gram @ u
        parts = list(zip(tangents, system.blocks(u)))
        gradients = _sum([t.vjp(part) if t.has_ties else t.vjp_by_node(part) for t, part in parts])
        walked = gradients
        if owner._steps % WALK_EVERY == 0 or any(t.is_new for t in tangents):
            walked = _sum([t.vjp(part) for t, part in parts])
        weights = owner._weights()
        expected, got = float(u @ moved), sum(weights[at] * size for at, size in enumerate(squares(walked)))
        if not (math.isfinite(expected) and math.isfinite(got)):
            raise FloatingPointError("the step holds infinite values or NaN\nhint: more damping, or a smaller lr")
        noise = 4 * max(t.epsilon for t in tangents) * float(system.gram.diagonal().sum()) * float(u @ u)
        check_step(tangents, system.blocks(u), weights, expected, got, noise)
        scaled = [None if g is None or weights[at] == 0 else g * weights[at] if weights[at] != 1 else g for at, g in enumerate(gradients)]
        self.direction = scaled if anchor is None else _sum([scaled, anchor])
        change = of_anchor + moved
        self.length = self._length(owner, change, sum(t.n for t in tangents))
        # ½‖z‖² − ½‖z − J̃φ‖²: what the linearised loss has left to gain, where nothing else is carried along.
        image = system.drop(moved)
        self.gain = math.inf if anchor is not None else float(system.z @ image) - 0.5 * float(image @ image)

    @staticmethod
    def _anchor(owner: GramGaussNewton, damping: float) -> list[Tensor | None] | None:
        """m = (λμφ + κθ)/(λ + κ), φ of the step before; None if it is 0."""
        total = damping + owner.ridge
        of_theta, of_phi = (owner.ridge / total, damping / total) if owner.ridge > 0 else (0.0, 1.0)
        anchor: list[Tensor | None] = []
        for p, s in zip(owner._trained(), owner._of_groups("weight")):
            phi = owner.state[p].get("momentum") if owner.momentum > 0 and p in owner.state else None
            parts = [p.detach() * of_theta] if of_theta > 0 else []
            parts += [phi * (owner.momentum * of_phi)] if phi is not None else []
            anchor.append(sum(parts[1:], parts[0]) if parts and s > 0 else None)
        return anchor if any(m is not None for m in anchor) else None

    @staticmethod
    def _length(owner: GramGaussNewton, change: Tensor, samples: int) -> float:
        """What every learning rate is multiplied by: the start of the momentum, and the cut."""
        length = 1.0 / math.sqrt(1 - owner.momentum ** (2 * (owner._updates + 1))) if owner.momentum > 0 else 1.0
        rates = set(owner._of_groups("lr"))
        if owner.max_output_change is not None or isinstance(owner.damping, Adaptive):
            if len(rates) > 1:
                raise ValueError("lr: max_output_change and adaptive damping need one for all groups\nhint: give groups a weight instead")
        if owner.max_output_change is not None:
            predicted = length * max(rates, default=0.0) * float(change.norm()) / math.sqrt(max(1, samples))
            if predicted > owner.max_output_change:
                length *= owner.max_output_change / predicted
        return length


@contextlib.contextmanager
def _same_versions(parameters: Sequence[Tensor]) -> Iterator[None]:
    """For changes that are taken back before the graph is walked again."""
    with contextlib.ExitStack() as stack:
        for p in parameters:
            stack.enter_context(torch.autograd._unsafe_preserve_version_counter(p))
        yield


def _sum(lists: Sequence[Sequence[Tensor | None]]) -> list[Tensor | None]:
    def add(parts: Iterable[Tensor | None]) -> Tensor | None:
        known = [part for part in parts if part is not None]
        return sum(known[1:], known[0]) if known else None

    return [add(parts) for parts in zip(*lists)]


def _reported(losses: Sequence[Linearised]) -> float:
    """Mean of the blocks' reported losses by their numbers."""
    total = sum(b.z.numel() for b in losses)
    return sum(b.reported * b.z.numel() for b in losses) / max(1, total)


def _evaluate(closure: Closure) -> tuple[Outputs, Targets]:
    with torch.enable_grad():
        answer = closure()
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise ValueError("closure: expected it to return (outputs, targets), targets None for residuals")
    return answer


def _check_repeatable(
    closure: Closure, drawn: bool, blocks: Sequence[Tensor], split: Callable[..., Any], is_new: bool
) -> None:
    """Trials are compared, so the closure has to be a function of the parameters."""
    hint = "\nhint: dropout and spectral norm to eval mode, one batch for all calls"
    if drawn:
        raise ValueError("closure: it draws random numbers, so trials of a step cannot be compared" + hint)
    if is_new:
        again, _ = split(*_evaluate(closure))
        if len(again) != len(blocks) or any(not torch.equal(a, b) for a, b in zip(again, blocks)):
            raise ValueError("closure: it returns other outputs at the same parameters" + hint)


def _check(name: str, value: float, inside: bool, range_: str) -> None:
    if not (isinstance(value, (int, float)) and math.isfinite(value) and inside):
        raise ValueError(f"{name} = {value!r}: expected a number {range_}")
