"""How the graph of a batch is read: the uses of parameters in it, and where the samples lie at each of them.

A *use* is an edge over which parameters alone enter a node that also sees data. The cotangent D of that node's output,
pulled back from one output a of all samples at once, holds the rows ∂f_ia/∂(output) of all samples i beside one
another, if no two samples meet. Both things that this needs are measured on the first batch of a graph: with a random
factor s_i on the cotangent of each sample, the rows of sample i at every node have to come out s_i times as large.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gramstep.torch._errors import UnsupportedGraph
from gramstep.torch._layout import Layout
from gramstep.torch._nodes import ACCUMULATE, Node, edge_shape, edges, output_shapes, pull, variables, walk
from gramstep.torch._precision import resolution
from gramstep.torch._purity import BROADCASTING, SELECTIONS, parameter_nodes

HINT = "do samples of the batch meet in this model? Each row of the outputs may depend on its own sample only"
TABLE_HINT = HINT + "; a table of the model that has as many rows as the batch is told apart by a batch of another size"

Point = tuple[int, int]
"""(index of a node in `walk`'s order, which of its outputs)."""


@dataclass(frozen=True)
class Use:
    """Input `slot` of the node with that index, and the points (outputs of the node) through which f depends on it."""

    node: int
    slot: int
    points: tuple[Point, ...]
    parameters: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """All uses of a graph with the layouts of their points. `settled`: f depended on every one of them, so that none was
    left out because its cotangent happened to vanish."""

    uses: tuple[Use, ...]
    layouts: dict[Point, Layout]
    settled: bool
    epsilon: float
    """Rounding of the coarsest numbers in the graph."""


def fingerprint(nodes: Sequence[Node], f: Tensor, positions: dict[int, int]) -> tuple[object, ...]:
    """What two graphs have in common that are read by the same plan. `positions`: of parameters, by id."""
    index = {node: at for at, node in enumerate(nodes)}

    def describe(node: Node) -> tuple[object, ...]:
        if node.name() == ACCUMULATE:
            return (positions.get(id(node.variable), -1), tuple(node.variable.shape))
        into = tuple((-1 if child is None else index[child], output) for child, output in node.next_functions)
        return (node.name(), into, *output_shapes(node)[:1])

    return (tuple(f.shape), f.dtype, *map(describe, nodes))


def make_plan(f: Tensor, nodes: Sequence[Node], positions: dict[int, int]) -> Plan:
    """Finds uses and layouts.

    f: (n, k), of the graph with these `nodes`; `positions`: of the trained parameters, by id.

    Raises
    ------
    UnsupportedGraph
        If a part of the graph is hidden, or samples of the batch meet.
    """
    refuse_hidden(nodes)
    found_constant: set[Node] = set()
    epsilon = max(resolution(meta.dtype) for node in nodes for meta in node._input_metadata)
    while True:
        constant = parameter_nodes(f.grad_fn, positions, found_constant)
        if f.grad_fn in constant:
            reason = "the outputs depend on no sample of their own"
            raise UnsupportedGraph(nodes[0].name(), reason, HINT)
        uses = _uses(f, nodes, constant, positions)
        points = list(dict.fromkeys(point for use in uses for point in use.points))
        probe = _Probe(f, nodes, points, epsilon)
        layouts = {point: layout for point in points if (layout := probe.layout(point)) is not None}
        failed = [point for point in points if point not in layouts and probe.reaches(point)]
        # What was taken for data may be a table of numbers that belongs to the model, not to the samples.
        tables = {nodes[at] for at, _ in failed if _only(constant, nodes[at])}
        if not tables:
            if failed:
                raise probe.refusal(failed[0])
            uses = [Use(u.node, u.slot, tuple(p for p in u.points if p in layouts), u.parameters) for u in uses]
            uses = [use for use in uses if use.points]
            if len(f) > 1:
                _refuse_mixing(nodes, uses, layouts, constant, found_constant)
            return Plan(tuple(uses), layouts, probe.settled, epsilon)
        found_constant |= tables


def _only(constant: set[Node], node: Node) -> bool:
    """Whether a node reads constants alone, as far as autograd knows."""
    return all(child is None or child in constant for child, _ in node.next_functions)


def _refuse_mixing(
    nodes: Sequence[Node],
    uses: Sequence[Use],
    layouts: dict[Point, Layout],
    constant: set[Node],
    found_constant: set[Node],
) -> None:
    """A batch whose samples have met looks like a table of the model from there on. It is told apart by what it was made
    of, the memory of samples or something with as many rows, and by its sample axis: where such a table gets samples of
    its own, or has an entry for each sample of another tensor."""
    n = next(iter(layouts.values())).n if layouts else 0
    bearing = {key for use in uses if use.points for key in _data_of(nodes[use.node])}
    for node in found_constant:
        if bearing.intersection(_data_of(node)) or _holds_samples(node, n):
            raise UnsupportedGraph(node.name(), "what it makes of the samples is the same for all of them", TABLE_HINT)
    for use in uses:
        node = nodes[use.node]
        root, output = node.next_functions[use.slot]
        children = [child for child, _ in node.next_functions]
        if not (None in children or node.name() in SELECTIONS or not callable(node)) and _only(constant, node):
            raise UnsupportedGraph(node.name(), "its samples come from something that is the same for all samples", HINT)
        if node.name() in BROADCASTING and any(child in found_constant for child in walk(root)):
            shape, whole, axis = edge_shape(root, output), output_shapes(node)[0], layouts[use.points[0]].axis
            at = axis - (len(whole) - len(shape))
            if at >= 0 and shape[at] == whole[axis]:
                raise UnsupportedGraph(node.name(), "something that is the same for all samples has an entry for each", HINT)


def _data_of(node: Node) -> set[tuple[object, ...]]:
    """Which memory without gradients a node has kept: inputs and indices."""
    kept = (getattr(node, name) for name in dir(node) if name.startswith("_saved_"))
    return {(t.data_ptr(), tuple(t.shape)) for t in kept if isinstance(t, Tensor) and not t.requires_grad and t.numel() > 1}


def _holds_samples(node: Node, n: int) -> bool:
    """Whether a node that reads parameters and something without a gradient has n rows because of the latter."""
    shape = output_shapes(node)[0]
    if not shape or shape[0] != n or all(child is not None for child, _ in node.next_functions):
        return False
    reads = [edge_shape(child, output) for child, output in node.next_functions if child is not None]
    if any(read and read[0] == n for read in reads):
        return False
    return node.name() not in BROADCASTING or shape not in reads


def refuse_hidden(nodes: Sequence[Node]) -> None:
    """Raises where a node is known to hide its graph or to mix samples."""
    for node in nodes:
        name = node.name()
        if name.startswith("CompiledFunction"):
            raise UnsupportedGraph(name, "a compiled part hides its graph", "train the model without torch.compile")
        if "DifferentiableGraph" in name:
            raise UnsupportedGraph(name, "a scripted part hides its graph", "train the model without torch.jit.script")
        if name.startswith("CheckpointFunction"):
            raise UnsupportedGraph(name, "a re-entrant checkpoint hides its graph", "checkpoint(.., use_reentrant=False)")
        # Over a leading axis of length 1 it is InstanceNorm, channels of all samples beside one another.
        if "BatchNorm" in name and getattr(node, "_saved_training", False) and output_shapes(node)[0][0] != 1:
            raise UnsupportedGraph(
                name,
                "BatchNorm in training mode mixes the samples of a batch",
                "call .eval() on it to use its running statistics, or replace it by GroupNorm",
            )


def _uses(f: Tensor, nodes: Sequence[Node], constant: set[Node], positions: dict[int, int]) -> list[Use]:
    read: dict[Node, set[int]] = {f.grad_fn: {f.output_nr}}
    for node in nodes:
        for child, output in node.next_functions:
            read.setdefault(child, set()).add(output)
    uses = []
    for at, node in enumerate(nodes):
        if node in constant:
            continue
        for slot, (child, _) in enumerate(node.next_functions):
            if child is not None and child in constant:
                trained = tuple(sorted({positions[id(v)] for v in variables(child) if id(v) in positions}))
                if trained:
                    uses.append(Use(at, slot, tuple((at, output) for output in sorted(read[node])), trained))
    return uses


class _Probe:
    """Two backward passes, one with a factor for each sample, and what they say about the layout at each point."""

    def __init__(self, f: Tensor, nodes: Sequence[Node], points: Sequence[Point], epsilon: float) -> None:
        self.nodes, self.n = nodes, len(f)
        generator = torch.Generator("cpu").manual_seed(7)
        s, v = (torch.rand(size, generator=generator, device="cpu") + 0.5 for size in f.shape)
        self.factors, v = s.to(f), v.to(f)
        self.tolerance = min(5e-2, 4 * epsilon**0.5)
        self._misfits: dict[Point, list[tuple[float, Layout]]] = {}
        # A few points at a time: all cotangents of a network twice would be the most memory that a step takes.
        size = max(8, -(-len(points) // 4))
        for start in range(0, len(points), size):
            some = points[start : start + size]
            into = edges((nodes[at], output) for at, output in some)
            plain, scaled = (pull([f], into, [c]) for c in (v.expand_as(f).contiguous(), self.factors[:, None] * v))
            for point, e, q in zip(some, plain, scaled):
                if e is not None and q is not None and bool(q.any()):
                    self._misfits[point] = self._compare(e, q)
        self.settled = len(self._misfits) == len(points)

    def reaches(self, point: Point) -> bool:
        """Whether f depends on the output at this point."""
        return point in self._misfits

    def layout(self, point: Point) -> Layout | None:
        """The layout under which the rows of each sample grew by its factor; None if there is none."""
        return next((layout for off, layout in self._misfits.get(point, []) if off <= self.tolerance), None)

    def refusal(self, point: Point) -> UnsupportedGraph:
        node, nearest = self.nodes[point[0]], min((off for off, _ in self._misfits[point]), default=math.inf)
        return UnsupportedGraph(
            node.name(),
            f"no axis of its output {edge_shape(node, point[1])} holds the {self.n} samples (off by {nearest:.1e})",
            HINT,
        )

    def _compare(self, e: Tensor, q: Tensor) -> list[tuple[float, Layout]]:
        """How far the rows of `q` are from those of `e` times each sample's factor, under every layout."""
        size, misfits = float(q.float().norm()), []
        for layout in Layout.candidates(tuple(q.shape), self.n):
            rows = layout.split(e)
            expected = rows * self.factors.to(rows.dtype).reshape(-1, *[1] * (rows.dim() - 1))
            misfits.append((float((layout.split(q) - expected).float().norm()) / size, layout))
        return misfits
