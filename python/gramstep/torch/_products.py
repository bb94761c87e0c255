"""Products of matrices."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

WORTH_IT = 1 << 18
"""Multiplications from which a product pays for its own call."""

LONGEST = 1 << 17
"""Entries of a row from which on oneDNN's product is taken in pieces: it keeps them in no cache."""


def _find() -> Callable[..., Tensor] | None:
    """oneDNN's x wᵀ for float32 on CPUs: the BLAS in PyTorch's wheels takes AVX-512 on some processors only, and half the
    time is lost on the others. Rows that are apart in memory would be a hundred times slower."""
    if not torch.backends.mkldnn.is_available():
        return None
    operation = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
    return None if operation is None else lambda x, w: operation(x.contiguous(), w.contiguous(), None, "none", [], "")


_ONEDNN = _find()


HEAVY = 1 << 20
"""Multiplications from which one of many products of like size pays for its own call."""


def _suits(a: Tensor, b: Tensor, multiplications: int, least: int) -> bool:
    """Whether oneDNN is asked."""
    plain = a.dtype == b.dtype == torch.float32 and a.device.type == b.device.type == "cpu"
    return plain and _ONEDNN is not None and multiplications >= least and bool(torch.backends.mkldnn.enabled)


def product(a: Tensor, b: Tensor) -> Tensor:
    """a bᵀ of (r, i) and (s, i)."""
    (rows, length), columns = a.shape, len(b)
    if not _suits(a, b, rows * columns * length, WORTH_IT):
        return a @ b.T
    assert _ONEDNN is not None
    if length <= LONGEST:
        return _ONEDNN(a, b)
    spans = [slice(start, start + LONGEST) for start in range(0, length, LONGEST)]
    return torch.stack([_ONEDNN(a[:, span], b[:, span]) for span in spans]).sum(0)


def products(a: Tensor, b: Tensor) -> Tensor:
    """a_j b_j of (m, r, t) and (m, t, i)."""
    count, rows, length = a.shape
    if not (b.mT.is_contiguous() and _suits(a, b, rows * length * b.shape[2], HEAVY)):
        return torch.bmm(a, b)
    assert _ONEDNN is not None
    out = a.new_empty((count, rows, b.shape[2]))
    for each, left, right in zip(out, a, b.mT):
        each.copy_(_ONEDNN(left, right))
    return out
