"""Autograd's graph as a list of nodes in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

Node = Any
"""A node of autograd's graph: ``tensor.grad_fn``. Torch's own class lacks the private attributes that are read here."""

ACCUMULATE = "torch::autograd::AccumulateGrad"


def walk(root: Node) -> list[Node]:
    """The nodes under `root`, itself first, in an order that equal graphs share."""
    seen, order, stack = {root}, [root], [root]
    while stack:
        for child, _ in stack.pop().next_functions:
            if child is not None and child not in seen:
                seen.add(child)
                order.append(child)
                stack.append(child)
    return order


def inputs_first(root: Node) -> list[Node]:
    """The nodes under `root` so that each stands behind all that it reads."""
    done: set[Node] = set()
    order: list[Node] = []
    stack: list[tuple[Node, bool]] = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif node not in done:
            done.add(node)
            stack.append((node, True))
            stack += [(child, False) for child, _ in node.next_functions if child is not None]
    return order


def output_shapes(node: Node) -> list[tuple[int, ...]]:
    """Shape of every output of the operation whose backward `node` is."""
    return [tuple(meta.shape) for meta in node._input_metadata]


def edge_shape(node: Node, output: int) -> tuple[int, ...]:
    """Shape of the tensor that flows over an edge to `node`."""
    return tuple(node.variable.shape) if node.name() == ACCUMULATE else output_shapes(node)[output]


def variables(root: Node) -> list[Tensor]:
    """The leaves under `root`."""
    return [node.variable for node in walk(root) if node.name() == ACCUMULATE]


def pull(outputs: Sequence[Tensor], into: Sequence[Any], cotangents: Sequence[Tensor], **options: Any) -> tuple[Tensor | None, ...]:
    """One backward pass that leaves the graph as it was; None for what it does not reach."""
    if not into:
        return ()
    return torch.autograd.grad(outputs, into, cotangents, retain_graph=True, allow_unused=True, **options)


def edges(points: Iterable[tuple[Node, int]]) -> list[GradientEdge]:
    return [GradientEdge(node, output) for node, output in points]


def backward_of(node: Node) -> Callable[..., Any]:
    """The node's own backward, cotangents in, a gradient for every input out: nothing but this node runs."""
    return node if callable(node) else node.apply
