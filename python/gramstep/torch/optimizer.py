"""Gram-Gauss-Newton as an optimiser of PyTorch."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gramstep.torch._acceleration import correction
from gramstep.torch._closures import Closure, Outputs, Targets, blocks_of, check_repeatable, evaluate
from gramstep.torch._damping import Adaptive, DampingArgument, parse_damping
from gramstep.torch._errors import UnsupportedGraph
from gramstep.torch._guard import check_parts, check_reached, squares
from gramstep.torch._losses import ONE_ROW, CustomLoss, Linearised, linearise, reach, reported
from gramstep.torch._precision import resolution
from gramstep.torch._randomness import RandomState
from gramstep.torch._replicas import check_alone
from gramstep.torch._settings import Settings, check, check_group, setting
from gramstep.torch._step import Rules, Step, Trained
from gramstep.torch._system import Solve, System
from gramstep.torch._tangent import Plans, Tangent, as_rows

WALK_EVERY = 16
"""Jᵀu comes from the nodes that hold parameters, which is cheaper. On the first batch of a graph and every so many steps it
is checked by a walk through the whole network, which also notices samples that begin to meet."""


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
        G = J S Jᵀ, and 0 freezes it. All else is of the whole optimiser, and refused in a group.
    lr : float
        η > 0.
    damping : float, ("absolute", float) or "adaptive"
        A number F ≥ 0 is relative: λ = F · mean diag BᵀGB. "adaptive" needs ``step(closure)``: a step is tried with
        4 times the damping until the loss falls, and a third of it is used after an accepted one. For the full batch:
        on a mini-batch of its own every step looks good.
    loss : {"squared", "cross_entropy", "cross_entropy_one_row", "logistic", "huber", "poisson"} or callable
        ½Σ(f − y)²; −Σ log softmax(f)_y, exact with n·k rows, or by one row a sample for many classes (give it
        an absolute damping of n/10 to n/2, momentum 0.9 and an lr of 0.1 to 0.3 that falls); log(1 + eᶠ) − y f; Huber's with corner 1;
        eᶠ − y f. A callable takes f and y, (n, k) in float64 on the CPU, and returns the summed loss, B and z, with
        B Bᵀ the curvature and B z the gradient; B is (n, k, k), (n, k) for a diagonal, or None for 1.
    momentum : float
        μ from 0 to below 1: φ ← μφ + Jᵀ(G + λI)⁻¹(r − μJφ) is carried over (SPRING, goldshlager2024), with its
        correction for the first steps.
    ridge : float
        κ ≥ 0, the penalty ½κ‖θ‖² beside the summed loss.
    max_output_change : float, optional
        The largest root mean square, over samples, of the change of outputs that a step predicts; longer ones are cut.
        At fixed damping 10 for "cross_entropy", "logistic" and "poisson".
    acceleration : bool
        With adaptive damping: steps follow the path of the linearised outputs to second order (transtrum2012), θ + v + ½a,
        and those with 2‖a‖ > ¾‖v‖ are rejected. One evaluation, one solve and one Jᵀu more; where a loss is to fall by many
        orders, as in differential equations, worth it many times over.
    memory_budget : int
        Bytes that the matrices of a step may take.

    Attributes
    ----------
    report : StepReport or None
        Of the last step.
    damping, loss, momentum, ridge, max_output_change, acceleration
        As they were given. What is set holds from the next step on.

    Raises
    ------
    UnsupportedGraph, ValueError, FloatingPointError, ArithmeticError, MemoryError
        By `step`, with the parameters as they were.

    Notes
    -----
    `step` takes outputs and targets in place of a loss, so nothing depends on whether a loss is a sum or a mean; the
    value that it returns is the mean of r², or the mean negative log-likelihood. ``backward()`` and ``zero_grad()`` are not
    needed. Each row of the outputs may depend on its own sample only, and every step is checked: uᵀGu = ‖Jᵀu‖².
    ``load_state_dict`` takes over all that was given but ``memory_budget`` and a loss of one's own, which stay.

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
        damping: DampingArgument = 1e-2,
        loss: str | CustomLoss = "squared",
        momentum: float = 0.0,
        ridge: float = 0.0,
        max_output_change: float | None = None,
        *,
        acceleration: bool = False,
        memory_budget: int = 4 << 30,
    ) -> None:
        check("lr", lr)
        self._settings = Settings(damping, loss, momentum, ridge, max_output_change, acceleration)
        self._damping = parse_damping(damping)
        self.memory_budget = memory_budget
        self.report: StepReport | None = None
        self._plans: Plans = {}
        self._begun = 1.0
        self._steps = 0
        super().__init__(params, {"lr": lr, "weight": 1.0})

    damping, loss, momentum = setting("damping"), setting("loss"), setting("momentum")
    ridge, max_output_change, acceleration = setting("ridge"), setting("max_output_change"), setting("acceleration")

    def _settle(self, settings: Settings) -> None:
        """A damping that stays goes on where it is."""
        if settings.damping != self._settings.damping:
            self._damping = parse_damping(settings.damping)
        self._settings = settings

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        if isinstance(param_group, dict):
            check_group(param_group)
        super().add_param_group(param_group)
        if any(p.is_complex() for p in self.param_groups[-1]["params"]):
            del self.param_groups[-1]
            raise ValueError("params: complex parameters are not known here\nhint: torch.view_as_real in the model")

    # What a training is resumed from.

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        state["progress"] = {"steps": self._steps, "begun": self._begun, "damping": self._damping.state()}
        state["settings"] = self._settings.state()
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        progress = state_dict.get("progress", {})
        settings = self._settings.restored(state_dict.get("settings", {}))
        super().load_state_dict({key: value for key, value in state_dict.items() if key not in ("progress", "settings")})
        self._settle(settings)
        # States of before counted updates.
        self._steps, self._begun = progress.get("steps", 0), progress.get("begun", self.momentum ** progress.get("updates", 0))
        self._damping.restore(progress.get("damping"))

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles. Plans are made and checked anew; functions that a scheduler hung on the optimizer stay here."""
        own = ("_settings", "_damping", "memory_budget", "report", "_begun", "_steps")
        return {**super().__getstate__(), **{name: getattr(self, name) for name in own}, "_plans": {}}

    # The step.

    def step(  # type: ignore[override]
        self, outputs: Outputs | Closure | None = None, targets: Targets = None, *, closure: Closure | None = None
    ) -> float:
        """One step.

        Parameters
        ----------
        outputs : Tensor, sequence of Tensor, or callable
            f, (n, k) or (n,), with its graph; or blocks of rows with samples of their own, such as residuals inside a
            domain and on its edge.
        targets : Tensor, sequence of Tensor, optional
            For each block, in the axes of its outputs but for those of length 1, or flat: (n, k); None are zeros, as of
            residuals.
        closure : callable, optional
            Returns (outputs, targets); may stand in the place of `outputs`.

        Returns
        -------
        float
            The loss before the step.

        Raises
        ------
        ValueError
            If targets do not fit, or the outputs depend on no parameter of this optimizer.
        RuntimeError
            If the process is one of several of ``torch.distributed``, which would drift apart.
        """
        check_alone()
        if callable(outputs) and not isinstance(outputs, Tensor):
            outputs, closure = None, outputs
        if (outputs is None) == (closure is None):
            raise ValueError("step: expected outputs and targets, or a closure that returns both")
        drawn = False
        if closure is not None:
            before = RandomState.now()
            outputs, targets = evaluate(closure)
            drawn = RandomState.now() != before
        if isinstance(self._damping, Adaptive) and closure is None:
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
        losses = [linearise(self.loss, f, y) for f, y in zip(blocks, targets)]
        tangents = [Tangent(f, self._trained(), self._plans) for f in blocks]
        check_reached(tangents)
        adaptive = self._damping if isinstance(self._damping, Adaptive) else None
        if adaptive is not None and closure is not None:
            check_repeatable(closure, drawn, blocks, self._blocks, any(t.is_new for t in tangents))
        for tangent in tangents:
            if tangent.is_new:
                check_parts(tangent)
        system = System(tangents, losses, self._weights(), self._damping.relative, self._damping.absolute + self.ridge, self.memory_budget)
        if adaptive is None or closure is None:
            step = self._step(tangents, system)
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
        epsilon = resolution(tangents[0].f.dtype)
        rounding = 8 * epsilon * (abs(before) + epsilon * sum(squares([t.f.detach() for t in tangents])))
        trials = 0
        try:
            while True:
                step = self._step(tangents, system)
                trials += 1
                half = self._correction(step, tangents, system, closure, start) if self.acceleration else []
                after = math.inf, math.inf
                if half is not None:
                    with _same_versions(self._trained()):
                        self._move(step, step.length, keep=False)
                        self._add(half)
                    after = self._objective(closure)
                if after[0] + self._penalty() < before:
                    damping.accept()
                    torch.autograd.graph.increment_version(self._trained())
                    self._keep(step)
                    return self._describe(step, system, losses, after[1], True, trials)
                self._restore(start)
                self._forget()
                if step.gain <= rounding or not damping.reject():
                    damping.withdraw()
                    return self._describe(step, system, losses, None, False, trials)
        except BaseException:
            self._restore(start)
            raise

    def _correction(
        self, step: Step, tangents: Sequence[Tangent], system: System, closure: Closure, start: Sequence[Tensor]
    ) -> list[Tensor | None] | None:
        """½a at the parameters `start`, which stay; None if the step is too long for it."""

        def ahead(part: float) -> Tensor:
            with _same_versions(self._trained()):
                self._move(step, part * step.length, keep=False)
            blocks, _ = self._blocks(*evaluate(closure))
            self._restore(start)
            if [f.shape for f in map(as_rows, blocks)] != [t.f.shape for t in tangents]:
                raise ValueError("closure: it returns outputs of another shape\nhint: one batch for all calls")
            return torch.cat([as_rows(f).detach().cpu().double().reshape(-1) for f in blocks])

        return correction(step, tangents, system, self._as_trained(), ahead)

    def _objective(self, closure: Closure) -> tuple[float, float]:
        """Summed and reported loss at the parameters as they are; infinite where outputs are not finite."""
        outputs, targets = evaluate(closure)
        try:
            found = [linearise(self.loss, f, y) for f, y in zip(*self._blocks(outputs, targets))]
        except FloatingPointError:
            return math.inf, math.inf
        return sum(b.objective for b in found), reported(found)

    def _describe(
        self, step: Step, system: System, losses: Sequence[Linearised], after: float | None, accepted: bool, trials: int
    ) -> StepReport:
        mean = system.mean_diagonal
        return StepReport(
            loss=reported(losses),
            loss_after=after,
            damping=step.damping,
            relative_damping=step.damping / mean if mean > 0 else math.inf,
            length=step.length * self.param_groups[0]["lr"],
            accepted=accepted,
            trials=trials,
            solve=step.solve,
        )

    def _step(self, tangents: Sequence[Tangent], system: System) -> Step:
        """The update at the damping of the moment."""
        searched, one_row = isinstance(self._damping, Adaptive), self.loss == ONE_ROW
        far = None if searched else reach(self.loss)
        rules = Rules(self.momentum, self.ridge, self.max_output_change, far, self._begun, searched, one_row)
        walk = self._steps % WALK_EVERY == 0
        return Step(tangents, system, self._as_trained(), rules, self._damping.value(system.mean_diagonal), walk)

    # Parameters.

    def _as_trained(self) -> list[Trained]:
        carried = [self.state[p].get("momentum") if p in self.state and self.momentum > 0 else None for p in self._trained()]
        return list(map(Trained, self._trained(), self._of_groups("lr"), self._of_groups("weight"), carried))

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

    def _move(self, step: Step, length: float, keep: bool = True) -> None:
        """θ ← θ − η φ"""
        parameters, rates = self._trained(), self._of_groups("lr")
        with torch.no_grad():
            for rate in sorted(set(rates)):
                moved = [(p, d) for p, d, r in zip(parameters, step.direction, rates) if d is not None and r == rate]
                if moved:
                    torch._foreach_add_([p for p, _ in moved], [d for _, d in moved], alpha=-rate * length)
        if keep:
            self._keep(step)

    def _add(self, change: Sequence[Tensor | None]) -> None:
        with torch.no_grad():
            for p, d in zip(self._trained(), change):
                if d is not None:
                    p.add_(d)

    def _keep(self, step: Step) -> None:
        if self.momentum > 0:
            for p, direction in zip(self._trained(), step.direction):
                if direction is not None:
                    self.state[p]["momentum"] = direction
            self._begun *= self.momentum

    def _forget(self) -> None:
        """Nothing is carried over: μφ does not fall as damping rises, and may lead uphill."""
        for p in self._trained():
            if p in self.state:
                self.state[p].pop("momentum", None)
        self._begun = 1.0

    def _restore(self, start: Sequence[Tensor]) -> None:
        with torch.no_grad(), _same_versions(self._trained()):
            for p, old in zip(self._trained(), start):
                p.copy_(old)

    def _blocks(self, outputs: Outputs | None, targets: Targets) -> tuple[list[Tensor], list[Tensor | None]]:
        return blocks_of(outputs, targets, self.loss)


@contextlib.contextmanager
def _same_versions(parameters: Sequence[Tensor]) -> Iterator[None]:
    """For changes that are taken back before the graph is walked again."""
    with contextlib.ExitStack() as stack:
        for p in parameters:
            stack.enter_context(torch.autograd._unsafe_preserve_version_counter(p))
        yield
