"""Rounding: of number types, and of products on the tensor's device."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor


def resolution(dtype: torch.dtype) -> float:
    """ε of a floating-point type."""
    return float(torch.finfo(dtype).eps) if dtype.is_floating_point else 0.0


def working_dtype(dtype: torch.dtype) -> torch.dtype:
    """The type in which Gram matrices of tensors of this type are summed: at least float32."""
    return torch.promote_types(dtype, torch.float32)


@contextlib.contextmanager
def full_precision(like: Tensor) -> Iterator[None]:
    """No TF32 and no autocast inside; both are as they were afterwards."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.autocast(like.device.type, enabled=False))
        if like.device.type == "cuda":
            stack.enter_context(_without_tf32())
        yield


@contextlib.contextmanager
def _without_tf32() -> Iterator[None]:
    backends = [torch.backends.cuda.matmul, torch.backends.cudnn.conv]  # type: ignore[attr-defined]
    before = [backend.fp32_precision for backend in backends]
    try:
        for backend in backends:
            backend.fp32_precision = "ieee"
        yield
    finally:
        for backend, precision in zip(backends, before):
            backend.fp32_precision = precision
