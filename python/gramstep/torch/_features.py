"""Per-sample gradients of one parameter, in the form in which their Gram matrix is cheapest.

All have n samples with k outputs, rows ordered (sample, output). They are never all written out at once: `gram` works
in pieces of at most `PIECE` numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from gramstep.torch._products import product, products

PIECE = 1 << 21
"""Numbers in a temporary array. Small: what the allocator keeps needs no fresh pages, and products find it in cache."""

WHOLE = 1 << 24
"""Numbers in D and A of all samples up to which they are kept while several pieces are made of them."""

Factors = tuple[Tensor, Tensor]


class Inner(Protocol):
    """A quicker way to the inner products of A than by A itself."""

    def multiplications(self, other: Any) -> int:
        """What `products` costs, counted for one pair of samples; others of the same kind only."""

    def products(self, other: Any, mine: slice, theirs: slice, dtype: torch.dtype) -> Tensor:
        """A_t·A'_s of these samples, (T, m, T', m')."""

    def deltas(self, samples: slice) -> Tensor:
        """D as `Outer.factors` gives it."""


def pieces(count: int, numbers_each: int, piece: int | None = None) -> Iterator[slice]:
    """Ranges of `count` things of which a temporary array of `piece` numbers, `PIECE` unless given, holds `numbers_each` for each."""
    step = max(1, (piece or PIECE) // max(1, numbers_each))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


PLAIN: dict[str, Any] = {"whole": None, "along": None, "inner": None}
"""What an `Outer` loses whose factors are changed."""


@dataclass(frozen=True)
class Outer:
    """Σ_t D_t ⊗ A_t over T places, in each of `blocks` blocks: a weight applied at T places of a sample.

    `factors(samples)` returns D (m, blocks, k, T, outputs) and A (m, blocks, T, inputs) of these samples. The parameter
    is (blocks, outputs, inputs), or (blocks, inputs, outputs) where `transposed`, in any shape of as many numbers.
    """

    n: int
    k: int
    blocks: int
    places: int
    outputs: int
    inputs: int
    factors: Callable[[slice], Factors]
    transposed: bool = False
    whole: Callable[[], Tensor] | None = None
    """A quicker way to all gradients, (n, k, length), where there is one."""
    along: Callable[[Tensor], Tensor] | None = None
    """A quicker way to J v, (n, k), from v in the shape of the parameter, where there is one."""
    inner: Inner | None = None
    at_hand: bool = False
    """Whether `factors` makes nothing anew."""

    @property
    def length(self) -> int:
        return self.blocks * self.outputs * self.inputs

    def _kept(self, several: bool) -> Outer:
        """The same with D and A at hand, if they are asked for several times and not too large."""
        size = self.n * self.blocks * self.places * (self.inputs + self.k * self.outputs)
        if not several or size > WHOLE:
            return self
        d, a = self.factors(slice(None))
        return replace(self, factors=lambda at: (d[at], a[at]), at_hand=True, **PLAIN)

    def flipped(self) -> Outer:
        """The same for the transposed parameter."""
        return replace(self, transposed=not self.transposed, **PLAIN)

    @property
    def kind(self) -> tuple[int, int, int, bool]:
        """What uses of one parameter have in common that can be summed place by place."""
        return (self.blocks, self.outputs, self.inputs, self.transposed)

    def mirrored(self) -> Outer:
        """The same with D and A in each other's place, which only one output allows."""

        def swapped(samples: slice) -> Factors:
            d, a = self.factors(samples)
            return a[:, :, None], d[:, :, 0]

        return replace(
            self, outputs=self.inputs, inputs=self.outputs, factors=swapped, transposed=not self.transposed, whole=None, along=None
        )

    def fitted(self, other: Outer) -> Outer | None:
        """Another use of the parameter, of the same or other samples, so that its D and A stand where these do."""
        if other.kind != self.kind and other.k == 1:
            other = other.mirrored()
        return other if other.kind == self.kind else None

    @staticmethod
    def joined(uses: Sequence[Outer]) -> Outer | None:
        """The sum over several uses of one parameter, their places behind one another; None if they do not fit."""
        first, alike = uses[0], [uses[0]]
        for use in uses[1:]:
            fitting = first.fitted(use)
            if fitting is None:
                return None
            alike.append(fitting)
        if len(alike) == 1:
            return first

        def factors(samples: slice) -> Factors:
            each = [use.factors(samples) for use in alike]
            return torch.cat([d for d, _ in each], 3), torch.cat([a for _, a in each], 2)

        return replace(first, places=sum(use.places for use in alike), factors=factors, **PLAIN)

    def gradients(self, dtype: torch.dtype, outputs: slice = slice(None)) -> Tensor:
        """(n, k, numbers of some outputs of every block)"""
        width = len(range(self.outputs)[outputs])
        if self.whole is not None and width == self.outputs:
            return self.whole().to(dtype)
        parts = []
        made = 0 if self.at_hand else self.blocks * self.places * (self.inputs + self.k * width)
        for samples in pieces(self.n, made):
            d, a = (t.to(dtype) for t in self.factors(samples))
            d = d[..., outputs].transpose(3, 4)  # (m, blocks, k, width, T)
            m = len(a)
            d, a = d.reshape(m * self.blocks, self.k * width, self.places), a.reshape(m * self.blocks, self.places, self.inputs)
            rows = products(d, a).reshape(m, self.blocks, self.k, width, self.inputs).transpose(1, 2)
            rows = rows.transpose(3, 4) if self.transposed else rows
            parts.append(rows.reshape(m, self.k, -1))
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def gram(self, other: Outer, dtype: torch.dtype) -> Tensor:
        """(n·k, n'·k)"""
        written = (self.n if other is self else self.n + other.n) * self.k * self.places * self.outputs * self.inputs
        by_gradients = written + self.n * other.n * self.k * other.k * self.outputs * self.inputs
        if self.blocks == 1 and self._by_places(other) <= by_gradients:
            return self._gram_by_places(other, dtype)
        each = max(self.n, other.n) * self.k * self.blocks * self.inputs
        ranges = list(pieces(self.outputs, each, WHOLE if self.whole is not None else None))
        x = self._kept(len(ranges) > 1)
        y = x if other is self else other._kept(len(ranges) > 1)
        total: Tensor | None = None
        for outputs in ranges:
            mine = x.gradients(dtype, outputs).flatten(0, 1)
            theirs = mine if y is x else y.gradients(dtype, outputs).flatten(0, 1)
            part = product(mine, theirs)
            total = part if total is None else total.add_(part)
        assert total is not None
        return total

    def _by_places(self, other: Outer) -> float:
        """Multiplications of `_gram_by_places`. G itself is symmetric, and only one of its triangles is made."""
        places = self.places * other.places
        inner = places * self.inputs
        if self.inner is not None and self._inner_of(other):
            inner = self.inner.multiplications(other.inner)
        pairs = self.n * other.n * (0.5 + 0.5 / _parts(self.n * self.places) if other is self else 1)
        return pairs * (inner + places * self.k * other.k * self.outputs)

    def _inner_of(self, other: Outer) -> bool:
        """Whether inner products of A come from what A is made of."""
        if self.inner is None or other.inner is None:
            return False
        return self.inner.multiplications(other.inner) < self.places * other.places * self.inputs

    def _gram_by_places(self, other: Outer, dtype: torch.dtype) -> Tensor:
        """Σ_ts (A_t·A'_s)(D_t·D'_s)"""
        each = 2 * other.n * self.k * other.k * self.places * other.places
        many = _parts(self.n * self.places) if other is self else 1
        total: Tensor | None = None
        for samples in pieces(self.n, max(each, many * PIECE // max(1, self.n))):
            theirs = slice(0, samples.stop if other is self else other.n)
            part = self._pairs_by_places(other, samples, theirs, dtype)
            if total is None:
                total = part.new_empty((self.n, self.k, other.n, other.k))
            total[samples, :, theirs] = part
            if other is self:
                total[theirs, :, samples] = part.permute(2, 3, 0, 1)
        assert total is not None
        return total.reshape(self.n * self.k, -1)

    def _pairs_by_places(self, other: Outer, samples: slice, theirs: slice, dtype: torch.dtype) -> Tensor:
        """Of these samples, (m, k, m', k'). Samples stand behind places, so that sums run over long rows."""
        if self._inner_of(other):
            assert self.inner is not None and other.inner is not None
            d, e = self.inner.deltas(samples), other.inner.deltas(theirs)
            inner = self.inner.products(other.inner, samples, theirs, dtype)
        else:
            (d, a), (e, b) = self.factors(samples), other.factors(theirs)
            inner = product(*(t.to(dtype)[:, 0].transpose(0, 1).flatten(0, 1) for t in (a, b)))
        m, k, m_, k_ = len(d), self.k, len(e), other.k
        d, e = (t.to(dtype)[:, 0].permute(1, 2, 0, 3).flatten(0, 2) for t in (d, e))
        outer = product(d, e).reshape(k, self.places, m, k_, other.places, m_)
        both = outer.mul_(inner.reshape(1, self.places, m, 1, other.places, m_))
        both = both.sum((1, 4)) if self.places * other.places > 1 else both[:, 0, :, :, 0]
        return both.permute(1, 0, 3, 2)

    def _of(self, samples: slice) -> Outer:
        """Of some samples alone."""

        def factors(inner: slice) -> Factors:
            return self.factors(slice(samples.start + inner.start, samples.start + inner.stop))

        return replace(self, n=samples.stop - samples.start, factors=factors, **PLAIN)

    def diagonal_blocks(self, dtype: torch.dtype) -> Tensor:
        """(n, k, k)"""
        parts = []
        for samples in pieces(self.n, self.blocks * self.k * (self.outputs * self.inputs + self.places * self.inputs)):
            rows = self._of(samples).gradients(dtype)
            parts.append(rows @ rows.mT)
        return torch.cat(parts)

    def jvp(self, vector: Tensor, dtype: torch.dtype) -> Tensor:
        """Σ_t D_t·(V A_t), (n, k)"""
        if self.along is not None:
            return self.along(vector.to(dtype))
        shape = (self.blocks, self.inputs, self.outputs) if self.transposed else (self.blocks, self.outputs, self.inputs)
        v = vector.to(dtype).reshape(shape)
        v = v if self.transposed else v.mT  # (blocks, inputs, outputs)
        parts = []
        for samples in pieces(self.n, self.blocks * self.places * (self.inputs + (1 + self.k) * self.outputs)):
            d, a = (t.to(dtype) for t in self.factors(samples))
            m, places = a.shape[0], self.places
            image = torch.bmm(a.transpose(0, 1).reshape(self.blocks, m * places, self.inputs), v)
            image = image.reshape(self.blocks, m, places * self.outputs).transpose(0, 1)
            d = d.reshape(m, self.blocks, self.k, places * self.outputs)
            parts.append((d @ image[..., None])[..., 0].sum(1))
        return torch.cat(parts)


@dataclass(frozen=True)
class Lookup:
    """Rows of a table: place t of a sample reads row `index` (n, T); D (n, k, T, width)."""

    index: Tensor
    deltas: Tensor
    rows: int

    @property
    def length(self) -> int:
        return self.rows * self.deltas.shape[-1]

    def gradients(self, dtype: torch.dtype) -> Tensor:
        """(n, k, rows·width)"""
        n, k, places, width = self.deltas.shape
        out = torch.zeros((n, k, self.rows, width), dtype=dtype, device=self.deltas.device)
        at = self.index[:, None, :, None].expand(n, k, places, width)
        return out.scatter_add_(2, at, self.deltas.to(dtype)).flatten(2)

    def gram(self, other: Lookup, dtype: torch.dtype) -> Tensor:
        """Σ_ts [row_t = row'_s] D_t·D'_s, (n·k, n'·k)"""
        theirs, k = other.deltas.to(dtype), self.deltas.shape[1]
        parts = []
        for samples in pieces(len(self.index), theirs.numel() // theirs.shape[-1] * k * self.index.shape[1]):
            same = (self.index[samples, :, None, None] == other.index).to(dtype)
            inner = torch.einsum("mqto,nrso->mqtnrs", self.deltas[samples].to(dtype), theirs)
            parts.append(torch.einsum("mtns,mqtnrs->mqnr", same, inner).flatten(2).flatten(0, 1))
        return torch.cat(parts)

    def diagonal_blocks(self, dtype: torch.dtype) -> Tensor:
        d = self.deltas.to(dtype)
        same = (self.index[:, :, None] == self.index[:, None, :]).to(dtype)
        return torch.einsum("nts,nqto,nrso->nqr", same, d, d)

    def jvp(self, vector: Tensor, dtype: torch.dtype) -> Tensor:
        table = vector.to(dtype).reshape(self.rows, -1)
        return torch.einsum("nkto,nto->nk", self.deltas.to(dtype), table[self.index])


@dataclass(frozen=True)
class Explicit:
    """Gradients written out, of one parameter or of several that cannot be told apart: `write()` gives (n, k, *shape)
    of each, `lengths` their numbers of entries."""

    write: Callable[[], Sequence[Tensor]]
    lengths: tuple[int, ...]

    @property
    def length(self) -> int:
        return sum(self.lengths)

    def rows(self, dtype: torch.dtype) -> list[Tensor]:
        """(n·k, length) of each parameter."""
        return [t.to(dtype).reshape(t.shape[0] * t.shape[1], -1) for t in self.write()]


Feature = Outer | Lookup | Explicit


def _parts(rows: int) -> int:
    """Into how many pieces symmetric products of so many rows are divided."""
    return min(4, max(1, rows // 256))


def numbers(shape: Sequence[int]) -> int:
    return math.prod(shape)
