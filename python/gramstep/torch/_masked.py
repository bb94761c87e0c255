"""The slow twin of every rule: a node's own backward, asked with the cotangents of one row at a time."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gramstep.torch._features import numbers, pieces
from gramstep.torch._layout import Layout
from gramstep.torch._nodes import Node, backward_of, output_shapes
from gramstep.torch._precision import resolution


def masked(node: Node, slot: int, seen: dict[int, tuple[Layout, Tensor]], shape: Sequence[int]) -> Tensor:
    """(n, k, *shape) of what flows over input `slot`, for any operation.

    `seen`: layout and D, (n, k, *shape'), of each output of the node that f depends on. Only this node runs, so a
    parameter that enters the network elsewhere too is not counted here.
    """
    backward, shapes = backward_of(node), output_shapes(node)
    first = next(iter(seen.values()))[1]
    n, k = first.shape[:2]

    def gradient(*cotangents: Tensor) -> Tensor:
        arguments: list[Tensor | None] = [None] * len(shapes)
        for output, cotangent in zip(seen, cotangents):
            arguments[output] = cotangent
        found = backward(*arguments)
        found = found[slot] if isinstance(found, tuple) else found
        if found is None:
            return first.new_zeros(tuple(shape))
        # Autograd's engine, too, sums what an operation has left broadcast.
        return found if found.shape == tuple(shape) else found.sum_to_size(tuple(shape))

    parts = []
    for rows in pieces(n * k, sum(numbers(shapes[output]) for output in seen) + numbers(shape)):
        cotangents = [_one_row_each(layout, d, range(n * k)[rows]) for layout, d in seen.values()]
        parts.append(_each(gradient, cotangents))
    return torch.cat(parts).reshape(n, k, *shape)


def _one_row_each(layout: Layout, deltas: Tensor, rows: range) -> Tensor:
    """(rows, *shape of the output): zero but for the sample of the row."""
    n, k = deltas.shape[:2]
    apart = deltas.new_zeros((n, len(rows), *deltas.shape[2:]))
    row = torch.arange(rows.start, rows.stop, device=deltas.device)
    sample, output = row // k, row % k
    apart[sample, torch.arange(len(rows), device=deltas.device)] = deltas[sample, output]
    return layout.join(apart, lead=1)


def _each(gradient: Callable[..., Tensor], cotangents: Sequence[Tensor]) -> Tensor:
    """All rows at once where the operation can, else one after the other. Some operations only believe that they can, so
    the first and the last row are asked alone too."""
    rows = range(len(cotangents[0]))
    alone = {row: gradient(*(c[row] for c in cotangents)) for row in (rows[0], rows[-1])}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "There is a performance drop")
            batched: Any = torch.vmap(gradient)
            found: Tensor = batched(*cotangents)
        if all(_near(found[row], one) for row, one in alone.items()):
            return found
    except (RuntimeError, ValueError, NotImplementedError):
        pass
    return torch.stack([alone[row] if row in alone else gradient(*(c[row] for c in cotangents)) for row in rows])


def _near(a: Tensor, b: Tensor) -> bool:
    """To a rounding of the largest entries."""
    return float((a - b).norm()) <= 64 * resolution(a.dtype) ** 0.75 * float(b.norm())
