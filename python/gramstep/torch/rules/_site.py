"""What a rule is given."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gramstep.torch._layout import Layout
from gramstep.torch._nodes import Node


@dataclass(frozen=True)
class Site:
    """Parameters enter `node` over its input `slot`.

    Attributes
    ----------
    layout : Layout
        Of the node's output 0.
    deltas : Tensor
        D, (n, k, *shape of output 0 with the places of a sample in place of the sample axis).
    shape : tuple
        Of the tensor that flows over the edge: the parameter, or something made of parameters alone.
    """

    node: Node
    slot: int
    layout: Layout
    deltas: Tensor
    shape: tuple[int, ...]

    @property
    def n(self) -> int:
        return self.deltas.shape[0]

    @property
    def k(self) -> int:
        return self.deltas.shape[1]

    def by_sample(self, t: Tensor) -> Tensor:
        """A tensor that is laid out like the output: (n, *shape')."""
        return self.layout.split(t)

    def reduced(self, gradients: Tensor) -> Tensor | None:
        """(n, k, *shape of the output') summed to (n, k, *shape): the reverse of broadcasting. None where the parameter
        has an entry of its own for each sample."""
        lead = gradients.dim() - 2 - len(self.shape)
        at = self.layout.axis - lead
        if at >= 0 and self.shape[at] != 1:
            return None
        if lead > 0:
            gradients = gradients.sum(tuple(range(2, 2 + lead)))
        wide = [2 + i for i, size in enumerate(self.shape) if size == 1 and gradients.shape[2 + i] != 1]
        return gradients.sum(wide, keepdim=True) if wide else gradients
