"""Products of matrices: x W, b + x W, and a batch of them."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gramstep.torch._features import Outer
from gramstep.torch.rules._site import Site


def _outer(site: Site, inputs: Tensor, scale: Any = 1) -> Outer | None:
    """∂f/∂W of y = x W: Σ_t x_t ⊗ D_t. inputs: x, laid out like y but for its last axis."""
    if site.layout.axis == site.deltas.dim() - 3:  # the samples are the columns
        return None
    a, d = site.by_sample(inputs), site.deltas if scale == 1 else site.deltas * scale
    a, d = a.reshape(site.n, 1, -1, a.shape[-1]), d.reshape(site.n, 1, site.k, -1, d.shape[-1])
    return Outer(site.n, site.k, 1, a.shape[2], d.shape[-1], a.shape[-1], lambda at: (d[at], a[at]), transposed=True)


def mm(site: Site) -> Outer | None:
    """y = x W"""
    return _outer(site, site.node._saved_self) if site.slot == 1 else None


def addmm(site: Site) -> Outer | Tensor | None:
    """y = β b + α x W"""
    node = site.node
    if site.slot == 0:
        summed = site.reduced(site.deltas)
        return summed if summed is None or node._saved_beta == 1 else summed * node._saved_beta
    return _outer(site, node._saved_mat1, node._saved_alpha) if site.slot == 2 else None


def linear(site: Site) -> Outer | Tensor | None:
    """y = x Wᵀ + b in one node, as some devices keep it."""
    if site.slot == 2:
        return site.reduced(site.deltas)
    found = _outer(site, site.node._saved_input) if site.slot == 1 else None
    return None if found is None else found.flipped()


def bmm(site: Site) -> Outer | None:
    """y_b = x_b W_b, the samples among the rows of every x_b."""
    if site.slot != 1 or site.layout.axis != 1:
        return None
    x = site.by_sample(site.node._saved_self)  # (n, b, T, i); D: (n, k, b, T, o)
    d = site.deltas.transpose(1, 2)
    b, places, i = x.shape[1:]
    return Outer(site.n, site.k, b, places, d.shape[-1], i, lambda at: (d[at], x[at]), transposed=True)


RULES = {"MmBackward0": mm, "AddmmBackward0": addmm, "LinearBackward0": linear, "BmmBackward0": bmm}
