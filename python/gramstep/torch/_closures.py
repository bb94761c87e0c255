"""Closures: (outputs, targets) as a function of the parameters, and whether they are one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Outputs = Tensor | Sequence[Tensor]
Targets = Tensor | Sequence[Tensor | None] | None
Closure = Callable[[], tuple[Outputs, Targets]]


def evaluate(closure: Closure) -> tuple[Outputs, Targets]:
    with torch.enable_grad():
        answer = closure()
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise ValueError("closure: expected it to return (outputs, targets), targets None for residuals")
    return answer


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
