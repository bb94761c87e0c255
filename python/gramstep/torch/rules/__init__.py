"""One rule an operation: per-sample gradients of a parameter from what the node saved for its own backward.

A rule is a function of a `Site`. It returns an `Outer`, a `Lookup`, the gradients themselves (n, k, *shape), or None
where it does not apply. An operation without a rule, or whose rule declines, is asked by `masked` with the cotangents of
one row at a time: slow, and right for anything that autograd can differentiate.

A new rule is a function in one of these files and a line in its table.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from gramstep.torch._features import Lookup, Outer
from gramstep.torch.rules import convolution, elementwise, embedding, linear, normalisation
from gramstep.torch.rules._site import Site

Rule = Callable[[Site], Outer | Lookup | Tensor | None]

RULES: dict[str, Rule] = {
    **linear.RULES,
    **convolution.RULES,
    **normalisation.RULES,
    **embedding.RULES,
    **elementwise.RULES,
}
"""By autograd's name of the operation."""

__all__ = ["RULES", "Rule", "Site"]
