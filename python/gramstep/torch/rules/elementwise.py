"""Sums and products entry by entry, and the broadcasting that comes with them."""

from __future__ import annotations

from torch import Tensor

from gramstep.torch.rules._site import Site


def add(site: Site) -> Tensor | None:
    """y = a + α b"""
    return site.reduced(site.deltas if site.slot == 0 else site.deltas * site.node._saved_alpha)


def sub(site: Site) -> Tensor | None:
    """y = a − α b"""
    return site.reduced(site.deltas if site.slot == 0 else site.deltas * -site.node._saved_alpha)


def mul(site: Site) -> Tensor | None:
    """y = a b"""
    other = site.node._saved_other if site.slot == 0 else site.node._saved_self
    if other is None:
        return None
    whole = other.expand(tuple(site.node._input_metadata[0].shape))
    return site.reduced(site.deltas * site.by_sample(whole)[:, None])


def expand(site: Site) -> Tensor | None:
    """y = a, repeated along some axes"""
    return site.reduced(site.deltas)


RULES = {"AddBackward0": add, "SubBackward0": sub, "MulBackward0": mul, "ExpandBackward0": expand}
