"""Rows of a table."""

from __future__ import annotations

from gramstep.torch._features import Lookup
from gramstep.torch.rules._site import Site


def embedding(site: Site) -> Lookup | None:
    """y_t = W[index_t]; the padding row has no gradient."""
    node = site.node
    if site.layout.axis == site.deltas.dim() - 3 or node._saved_scale_grad_by_freq:
        return None
    # The index is laid out like the output without its last axis.
    index = site.by_sample(node._saved_indices).reshape(site.n, -1)
    deltas = site.deltas.reshape(site.n, site.k, index.shape[1], -1)
    padding = node._saved_padding_idx
    if 0 <= padding < site.shape[0]:
        deltas = deltas * (index != padding)[:, None, :, None]
    return Lookup(index, deltas, site.shape[0])


RULES = {"EmbeddingBackward0": embedding}
