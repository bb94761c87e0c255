"""Where the samples of a batch lie in a tensor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Axis ``axis`` runs over (before, n, after): samples are its middle factor.

    A batch of vectors is ``Layout(n, 0)``; a batch of n·T tokens, samples first, has after = T; tokens of a time-first
    model have before = T.
    """

    n: int
    axis: int
    before: int = 1
    after: int = 1

    def split(self, t: Tensor, lead: int = 0) -> Tensor:
        """(lead.., *shape) → (n, lead.., *shape with before·after in place of the axis)."""
        at = lead + self.axis
        head, tail = t.shape[:at], t.shape[at + 1 :]
        apart = t.reshape(*head, self.before, self.n, self.after, *tail).movedim(at + 1, 0)
        return apart.reshape(self.n, *head, self.before * self.after, *tail)

    def join(self, t: Tensor, lead: int = 0) -> Tensor:
        """The inverse of :meth:`split`."""
        at = lead + self.axis
        head, tail = t.shape[1 : 1 + at], t.shape[2 + at :]
        apart = t.reshape(self.n, *head, self.before, self.after, *tail).movedim(0, at + 1)
        return apart.reshape(*head, self.before * self.n * self.after, *tail)

    @staticmethod
    def candidates(shape: Sequence[int], n: int) -> Iterator[Layout]:
        """All layouts that a tensor of this shape can have, plain axes first."""
        if n == 0:
            return
        fused = []
        for axis, size in enumerate(shape):
            rest, remainder = divmod(size, n)
            if size == 0 or remainder:
                continue
            for before in [b for b in range(1, rest + 1) if rest % b == 0]:
                layout = Layout(n, axis, before, rest // before)
                if rest == 1:
                    yield layout
                else:
                    fused.append(layout)
        # Samples first, then places first, then places on both sides.
        yield from sorted(fused, key=lambda layout: (layout.before > 1) + (layout.before > 1 and layout.after > 1))
