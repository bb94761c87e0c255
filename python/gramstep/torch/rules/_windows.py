"""What the kernel of a convolution sees."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gramstep.torch._products import product


def windows(x: Tensor, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]) -> Tensor:
    """(m, C, *image) → (m, C·|kernel|, places): every window that the kernel sees, a column each. A copy of views: PyTorch's
    own ``unfold`` takes four times as long on CPUs."""
    if all(size == 1 for size in kernel) and all(s == 1 for s in stride) and not any(padding):
        return x.flatten(2)
    pad = [amount for p in reversed(padding) for amount in (p, p)]
    x, axes = torch.nn.functional.pad(x, pad), len(kernel)
    for axis, (size, step, apart) in enumerate(zip(kernel, stride, dilation)):
        x = x.unfold(2 + axis, apart * (size - 1) + 1, step)[..., ::apart]
    # (m, C, places.., kernel..)
    order = [0, 1, *range(2 + axes, 2 + 2 * axes), *range(2, 2 + axes)]
    x = x.permute(order)
    return x.reshape(x.shape[0], x.shape[1] * math.prod(kernel), -1)


ADDITION = 8
"""Multiplications of a product that take as long as an addition of `Windows.products`, which reads and writes memory."""


@dataclass(frozen=True)
class Windows:
    """Inner products of windows, from those of pixels: A_t·A'_s = Σ_δ x_{t+δ}·x'_{s+δ}, one axis after the other."""

    images: Tensor
    """(n, C, *image)"""
    deltas: Callable[[slice], Tensor]
    """D of samples, (m, 1, k, T, outputs)"""
    kernel: Sequence[int]
    stride: Sequence[int]
    padding: Sequence[int]
    dilation: Sequence[int]

    @property
    def pixels(self) -> Sequence[int]:
        return self.images.shape[2:]

    @property
    def places(self) -> list[int]:
        """Along every axis."""
        each = zip(self.pixels, self.kernel, self.stride, self.padding, self.dilation)
        return [(size + 2 * pad - apart * (wide - 1) - 1) // step + 1 for size, wide, step, pad, apart in each]

    def multiplications(self, other: Windows) -> int:
        """For a pair of samples."""
        mine, theirs = list(self.pixels), list(other.pixels)
        count = math.prod(mine) * math.prod(theirs) * self.images.shape[1]
        for axis, wide in enumerate(self.kernel):
            mine[axis], theirs[axis] = self.places[axis], other.places[axis]
            count += ADDITION * wide * math.prod(mine) * math.prod(theirs)
        return count

    def products(self, other: Windows, mine: slice, theirs: slice, dtype: torch.dtype) -> Tensor:
        """(T, m, T', m')"""
        x, y = (w.images[at].to(dtype).flatten(2).permute(2, 0, 1) for w, at in ((self, mine), (other, theirs)))
        m, m_, axes = x.shape[1], y.shape[1], len(self.kernel)
        found = product(x.flatten(0, 1), y.flatten(0, 1)).reshape(*self.pixels, m, *other.pixels, m_)
        for axis in range(axes):
            shape = list(found.shape)
            shape[axis], shape[axis + axes + 1] = self.places[axis], other.places[axis]
            total = found.new_zeros(shape)
            for offset in range(self.kernel[axis]):
                rows, into = self._seen(axis, offset)
                columns, into_ = other._seen(axis, offset)
                at, out = [slice(None)] * found.dim(), [slice(None)] * found.dim()
                at[axis], at[axis + axes + 1], out[axis], out[axis + axes + 1] = rows, columns, into, into_
                total[tuple(out)] += found[tuple(at)]
            found = total
        return found.reshape(math.prod(self.places), m, math.prod(other.places), m_)

    def _seen(self, axis: int, offset: int) -> tuple[slice, slice]:
        """Along an axis: the pixels under entry `offset` of the kernel, and the places that they belong to."""
        step, shift = self.stride[axis], self.dilation[axis] * offset - self.padding[axis]
        first = max(0, -(shift // step))
        last = min(self.places[axis] - 1, (self.pixels[axis] - 1 - shift) // step)
        if last < first:
            return slice(0, 0), slice(0, 0)
        return slice(first * step + shift, last * step + shift + 1, step), slice(first, last + 1)
