"""Rounding: of number types, and of products on the tensor's device."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

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
    """No TF32, no bfloat16 in its place on CPUs and no autocast inside; all are as they were afterwards."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.autocast(like.device.type, enabled=False))
        if like.device.type == "cuda":
            stack.enter_context(_as_written([torch.backends.cuda.matmul, torch.backends.cudnn.conv]))  # type: ignore[attr-defined]
        elif like.device.type == "cpu":
            stack.enter_context(_as_written([torch.backends.mkldnn.matmul, torch.backends.mkldnn.conv]))  # type: ignore[attr-defined]
        yield


@contextlib.contextmanager
def _as_written(backends: Sequence[Any]) -> Iterator[None]:
    before = [backend.fp32_precision for backend in backends]
    try:
        for backend in backends:
            backend.fp32_precision = "ieee"
        yield
    finally:
        for backend, precision in zip(backends, before):
            backend.fp32_precision = precision
