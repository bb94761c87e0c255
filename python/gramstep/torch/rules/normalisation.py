"""Scale and shift of normalisations: D ∘ x̂ and D, summed over the places that share an entry."""

from __future__ import annotations

from torch import Tensor

from gramstep.torch.rules._site import Site


def _per_channel(site: Site, normalised: Tensor) -> Tensor | None:
    """The parameter has an entry a channel: axis 1 of (samples, C, *places)."""
    if site.layout.axis != 0:
        return None
    d = site.deltas * site.by_sample(normalised)[:, None] if site.slot == 1 else site.deltas  # (n, k, each, C, ..)
    return d.flatten(4).sum((2, -1)) if d.dim() > 4 else d.sum(2)


def layer_norm(site: Site) -> Tensor | None:
    """x̂ = (x − mean)/σ over the last axes, which the parameter spans."""
    if site.slot not in (1, 2):
        return None
    node, d = site.node, site.deltas
    if site.slot == 1:
        hat = (node._saved_input - node._saved_result1) * node._saved_result2
        d = d * site.by_sample(hat)[:, None]
    return site.reduced(d)


def group_norm(site: Site) -> Tensor | None:
    """x̂ within each group of channels of a sample: Σ D x̂ = (Σ D x − mean Σ D)/σ."""
    if site.slot not in (1, 2):
        return None
    if site.slot == 2 or site.layout.axis != 0:
        return _per_channel(site, site.deltas)
    node = site.node
    x = node._saved_input
    n, k, each, channels = site.deltas.shape[:4]
    mean, scale = (
        site.by_sample(t.reshape(x.shape[0], -1).repeat_interleave(channels // node._saved_group, 1))[:, None]
        for t in (node._saved_result1, node._saved_result2)
    )
    d = site.deltas.reshape(n, k, each, channels, -1)
    along = d * site.by_sample(x).reshape(n, 1, each, channels, -1)
    return ((along.sum(4) - mean * d.sum(4)) * scale).sum(2)


def batch_norm(site: Site) -> Tensor | None:
    """x̂ by the running statistics: constants. Those of one sample in training mode are its own: left to the walk."""
    node = site.node
    if site.slot not in (1, 2) or getattr(node, "_saved_training", False):
        return None
    x = node._saved_input
    epsilon = node._saved_eps if hasattr(node, "_saved_eps") else node._saved_epsilon
    along = (1, -1) + (1,) * (x.dim() - 2)
    mean, variance = node._saved_running_mean.reshape(along), node._saved_running_var.reshape(along)
    return _per_channel(site, (x - mean) * (variance + epsilon).rsqrt())


RULES = {
    "NativeLayerNormBackward0": layer_norm,
    "NativeGroupNormBackward0": group_norm,
    "NativeBatchNormBackward0": batch_norm,
    "CudnnBatchNormBackward0": batch_norm,
}
