"""What a step is given: outputs and targets, or a closure that makes them of the parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gramstep.torch._losses import ONE_ROW, CustomLoss, one_row

Outputs = Tensor | Sequence[Tensor]
Targets = Tensor | Sequence[Tensor | None] | None
Closure = Callable[[], tuple[Outputs, Targets]]


def evaluate(closure: Closure) -> tuple[Outputs, Targets]:
    with torch.enable_grad():
        answer = closure()
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise ValueError("closure: expected it to return (outputs, targets), targets None for residuals")
    return answer


def blocks_of(outputs: Outputs | None, targets: Targets, loss: str | CustomLoss) -> tuple[list[Tensor], list[Tensor | None]]:
    """Outputs and targets of each block of rows, in the form that the loss is linearised in."""
    blocks = [outputs] if isinstance(outputs, Tensor) else list(outputs or ())
    if isinstance(targets, Tensor) or targets is None:
        wanted: list[Tensor | None] = [targets] if isinstance(targets, Tensor) else [None] * len(blocks)
    else:
        wanted = list(targets)
    if len(wanted) != len(blocks):
        raise ValueError(f"targets: {len(wanted)} for {len(blocks)} blocks of outputs")
    for f in blocks:
        if not isinstance(f, Tensor):
            raise ValueError(f"outputs: expected tensors, got {type(f).__name__}\nhint: step(outputs, targets), or a closure that returns both")
        if f.is_complex() or f.numel() == 0:
            raise ValueError(f"outputs: {tuple(f.shape)} of {f.dtype}; expected at least one row of real numbers")
        if f.dim() == 0:
            raise ValueError("outputs: a single number hides the outputs of the samples\nhint: step(outputs, targets), not step(loss)")
    if loss == ONE_ROW:
        with torch.enable_grad():
            return [one_row(f, y) for f, y in zip(blocks, wanted)], [None] * len(blocks)
    return blocks, wanted


def check_repeatable(
    closure: Closure, drawn: bool, blocks: Sequence[Tensor], split: Callable[..., Any], is_new: bool
) -> None:
    """Trials are compared, so the closure has to be a function of the parameters."""
    hint = "\nhint: dropout and spectral norm to eval mode, one batch for all calls"
    if drawn:
        raise ValueError("closure: it draws random numbers, so trials of a step cannot be compared" + hint)
    if is_new:
        again, _ = split(*evaluate(closure))
        if len(again) != len(blocks) or any(not torch.equal(a, b) for a, b in zip(again, blocks)):
            raise ValueError("closure: it returns other outputs at the same parameters" + hint)
