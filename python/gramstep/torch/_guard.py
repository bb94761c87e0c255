"""uᵀGu = ‖Jᵀu‖² = uᵀJ(Jᵀu): the sides know nothing of one another, and the first two are known anyway."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gramstep.torch._errors import UnsupportedGraph
from gramstep.torch._precision import full_precision, working_dtype
from gramstep.torch._tangent import Group, Tangent, gram_of, operation_names

SHORT = 4096

HINT = "this is a bug of gramstep, or samples of the batch meet in this model, or a hook changes its gradients"


def squares(gradients: Sequence[Tensor | None]) -> list[float]:
    """‖g‖² of each parameter. Short sums first: one float32 sum over millions loses two digits."""

    def norms(g: Tensor) -> list[Tensor]:
        flat = g.reshape(-1)
        body = len(flat) // SHORT * SHORT
        return [torch.linalg.vector_norm(flat[:body].view(-1, SHORT), dim=1), torch.linalg.vector_norm(flat[body:]).reshape(1)]

    each = [None if g is None else norms(g) for g in gradients]
    known = [n for pair in each if pair is not None for n in pair]
    if not known:
        return [0.0] * len(each)
    parts = iter(torch.cat(known).cpu().double().square().split([len(n) for n in known]))
    return [0.0 if pair is None else float(next(parts).sum() + next(parts).sum()) for pair in each]


def check_reached(tangents: Sequence[Tangent]) -> None:
    """Raises ValueError where outputs are those of another model."""
    if not any(t.reaches for t in tangents):
        raise ValueError(
            "outputs: they depend on none of the parameters\nhint: are these the parameters of another module, such as a copy of this one?"
        )


def check_parts(tangent: Tangent) -> None:
    """Every group of parameters by itself, with a random u: run on the first batch of a graph.

    Raises
    ------
    UnsupportedGraph
        Naming the operation whose per-sample gradients are wrong.
    """
    generator = torch.Generator("cpu").manual_seed(11)
    u = torch.randn((tangent.n, tangent.k), generator=generator, device="cpu").to(tangent.f)
    _compare(tangent, u, {}, min(5e-2, 8 * tangent.epsilon**0.5), with_along=True)


def check_step(
    tangents: Sequence[Tangent], u: Sequence[Tensor], weights: Mapping[int, float], expected: float, got: float, noise: float
) -> None:
    """The whole, with the u of the step. expected: uᵀGu; got: Σ s‖g‖² over parameters; noise: of uᵀGu by rounding."""
    epsilon = max(t.epsilon for t in tangents)
    tolerance = min(0.1, 32 * epsilon**0.5)
    if abs(expected - got) <= tolerance * abs(got) + noise:
        return
    for tangent, part in zip(tangents, u):
        _compare(tangent, part.to(tangent.f), weights, tolerance)
    raise UnsupportedGraph(tangents[0].f.grad_fn.name(), f"uᵀGu = {expected:.6g}, ‖Jᵀu‖² = {got:.6g}", HINT)  # type: ignore[union-attr]


def _compare(tangent: Tangent, u: Tensor, weights: Mapping[int, float], tolerance: float, with_along: bool = False) -> None:
    dtype = working_dtype(tangent.f.dtype)
    pulled = tangent.vjp(u)
    gradients = squares(pulled)
    flat = u.to(dtype).reshape(-1)
    found: list[tuple[Group, str, float, float]] = []
    with torch.no_grad(), full_precision(tangent.f):
        for group in tangent.groups:
            part = gram_of(tangent, group, tangent, group, weights, dtype)
            if part is not None:
                got = sum(weights.get(at, 1.0) * gradients[at] for at in group.positions)
                found.append((group, "uᵀGu", float(flat @ (part @ flat)), got))
            image = tangent.jvp_of(group, pulled, dtype) if with_along else None
            if image is not None:
                found.append((group, "uᵀJJᵀu", float(flat @ image.reshape(-1)), sum(gradients[at] for at in group.positions)))
    seen = {at for group in tangent.groups for at in group.positions}
    slack = tangent.epsilon * max(sum(got for _, name, _, got in found if name == "uᵀGu"), sum(gradients))
    for at, square in enumerate(gradients):
        if at not in seen and square > slack:
            shape = tuple(tangent.parameters[at].shape)
            raise UnsupportedGraph(tangent.f.grad_fn.name(), f"a parameter {shape} reaches the outputs unseen", HINT)  # type: ignore[union-attr]
    for group, name, expected, got in found:
        if not (math.isfinite(expected) and math.isfinite(got)):
            raise FloatingPointError(f"{operation_names(tangent, group)}: its part of the Gram matrix holds infinite values or NaN")
        if not abs(expected - got) <= tolerance * max(abs(expected), abs(got)) + slack:
            shapes = ", ".join(str(tuple(tangent.parameters[at].shape)) for at in group.positions)
            raise UnsupportedGraph(
                operation_names(tangent, group),
                f"per-sample gradients of the parameter {shapes} are wrong: {name} = {expected:.6g}, ‖Jᵀu‖² = {got:.6g}",
                HINT,
            )
