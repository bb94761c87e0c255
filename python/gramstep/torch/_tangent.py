"""The Jacobian of the outputs of a batch, read from autograd's graph and never written out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from gramstep.torch._errors import UnsupportedGraph
from gramstep.torch._features import PIECE, Explicit, Feature, Lookup, Outer
from gramstep.torch._layout import Layout
from gramstep.torch._masked import masked
from gramstep.torch._nodes import ACCUMULATE, Node, edge_shape, edges, pull, walk
from gramstep.torch._plan import Plan, Point, Use, fingerprint, make_plan, refuse_hidden
from gramstep.torch._precision import full_precision, working_dtype
from gramstep.torch.rules import RULES, Site

Plans = dict[tuple[object, ...], Plan]
"""Plans that were checked, by the fingerprint of their graph."""

MOST_PLANS = 256
"""Graphs are remembered, the oldest forgotten: samples of many lengths make a new one for each."""


@dataclass(frozen=True)
class Group:
    """Parameters whose gradients come from the same uses: one, or several that enter the network together."""

    positions: tuple[int, ...]
    uses: tuple[Use, ...]

    @property
    def operations(self) -> tuple[int, ...]:
        return tuple(use.node for use in self.uses)


class Tangent:
    """J = ∂f/∂θ of a batch as an operator: G = J S Jᵀ, J v, Jᵀu. Rows are ordered (sample, output).

    Parameters
    ----------
    outputs : Tensor
        f, (n, k) or (n,), or (n, ..) which is taken for (n, k). A row may depend on its own sample only.
    parameters : sequence of Tensor
        θ. Those that f does not depend on have zero gradients.
    plans : dict, optional
        Where plans of graphs that were seen before are kept; without one the graph is planned anew.

    Raises
    ------
    UnsupportedGraph
        If a part of the graph is hidden, or samples of the batch meet.

    Examples
    --------
    >>> import torch
    >>> from gramstep.torch import Tangent
    >>> net, x = torch.nn.Linear(3, 1), torch.eye(3)
    >>> Tangent(net(x), list(net.parameters())).gram()
    tensor([[2., 1., 1.],
            [1., 2., 1.],
            [1., 1., 2.]])
    """

    def __init__(self, outputs: Tensor, parameters: Sequence[Tensor], plans: Plans | None = None) -> None:
        if outputs.grad_fn is None:
            raise ValueError("outputs: they depend on no parameter (were they computed under torch.no_grad()?)")
        self._shape = outputs.shape
        self.f = as_rows(outputs)
        self.n, self.k = self.f.shape
        self.parameters = list(parameters)
        self._positions = {id(p): at for at, p in enumerate(self.parameters)}
        self._nodes = walk(self.f.grad_fn)
        refuse_hidden(self._nodes)
        self._key = fingerprint(self._nodes, self.f, self._positions)
        known = None if plans is None else plans.get(self._key)
        self.is_new = known is None
        with torch.no_grad(), full_precision(self.f):
            self._plan = make_plan(self.f, self._nodes, self._positions) if known is None else known
            self._deltas = self._pull_back()
        self.groups = self._groups()
        self._kept: dict[Group, Outer | Lookup] = {}
        self._rows: dict[tuple[Group, torch.dtype], list[Tensor]] = {}

    def remember(self, plans: Plans) -> None:
        """Keeps the plan for later batches, unless zeros have left a layout open."""
        if self._plan.settled:
            while len(plans) >= MOST_PLANS:
                plans.pop(next(iter(plans)))
            plans[self._key] = self._plan

    @property
    def outputs(self) -> Tensor:
        """f in its own axes, without its graph."""
        return self.f.detach().reshape(self._shape)

    @property
    def reaches(self) -> bool:
        """Whether a parameter lies under the outputs, be its gradient 0 or not."""
        return any(node.name() == ACCUMULATE and id(node.variable) in self._positions for node in self._nodes)

    @property
    def epsilon(self) -> float:
        """Rounding of the coarsest numbers that G is made of."""
        return self._plan.epsilon

    def _pull_back(self) -> dict[Point, Tensor]:
        """D of every point, (n, k, *shape')."""
        points = list(self._plan.layouts)
        into = edges((self._nodes[at], output) for at, output in points)
        rows = []
        for a in range(self.k):
            one_hot = torch.zeros_like(self.f)
            one_hot[:, a] = 1
            rows.append(pull([self.f], into, [one_hot]))
        deltas = {}
        for i, point in enumerate(points):
            reached = [row[i] for row in rows]
            shape = next((t.shape for t in reached if t is not None), None)
            if shape is None:
                continue
            like = next(t for t in reached if t is not None)
            each = [torch.zeros_like(like) if t is None else t for t in reached]
            together = each[0][None] if self.k == 1 else torch.stack(each)
            deltas[point] = self._plan.layouts[point].split(together, lead=1)
        return deltas

    def _groups(self) -> list[Group]:
        """Uses by their parameters; sets of parameters that overlap are one group."""
        sets: list[tuple[set[int], list[Use]]] = []
        for use in self._plan.uses:
            if not any(point in self._deltas for point in use.points):
                continue
            mine, uses = set(use.parameters), [use]
            for other in [s for s in sets if s[0] & mine]:
                sets.remove(other)
                mine, uses = mine | other[0], other[1] + uses
            sets.append((mine, uses))
        return [Group(tuple(sorted(mine)), tuple(uses)) for mine, uses in sets]

    # Features of a group.

    def feature(self, group: Group) -> Feature:
        """Per-sample gradients of the group's parameters, in the cheapest form that they have."""
        if group not in self._kept:
            found = self._joined(group)
            if found is None:
                return self._explicit(group)  # not kept: it would hold this object, and with it the graph, in a circle
            self._kept[group] = found
        return self._kept[group]

    def _joined(self, group: Group) -> Outer | Lookup | None:
        if len(group.positions) > 1:
            return None
        outers = []
        for use in group.uses:
            turns = self._turns(use)
            found = None if turns is None else self._rule(use)
            if isinstance(found, Lookup) and len(group.uses) == 1 and not turns:
                return found
            if not isinstance(found, Outer):
                return None
            outers.append(found.flipped() if turns else found)
        return Outer.joined(outers)

    def _turns(self, use: Use) -> bool | None:
        """Whether the parameter is transposed on its way into the node; None if more than that happens to it."""
        node = self._nodes[use.node].next_functions[use.slot][0]
        turned = False
        while node.name() != ACCUMULATE:
            name = node.name()
            swaps = name == "TBackward0" or (
                name == "TransposeBackward0" and len(edge_shape(node, 0)) == 2 and node._saved_dim0 != node._saved_dim1
            )
            if len(node.next_functions) != 1 or not (swaps or name == "ToCopyBackward0"):
                return None
            turned ^= swaps
            node = node.next_functions[0][0]
        return turned

    def _rule(self, use: Use) -> Outer | Lookup | Tensor | None:
        node, rule = self._nodes[use.node], RULES.get(self._nodes[use.node].name())
        point = (use.node, 0)
        if rule is None or use.points != (point,) or self._deltas[point].is_complex():
            return None  # rules are written for real numbers; the node's own backward knows which factor is conjugated
        shape = edge_shape(*node.next_functions[use.slot])
        return rule(Site(node, use.slot, self._plan.layouts[point], self._deltas[point], shape))

    def _explicit(self, group: Group) -> Explicit:
        lengths = tuple(self.parameters[at].numel() for at in group.positions)
        return Explicit(lambda: self._written(group), lengths)

    def written(self, group: Group, dtype: torch.dtype) -> list[Tensor]:
        """Gradients of each parameter of a group, (n·k, length); kept where they are not many."""
        if (group, dtype) not in self._rows:
            rows = self._explicit(group).rows(dtype)
            if sum(r.numel() for r in rows) > PIECE:
                return rows
            self._rows[(group, dtype)] = rows
        return self._rows[(group, dtype)]

    def _written(self, group: Group) -> list[Tensor]:
        total: dict[int, Tensor] = {}
        for use in group.uses:
            for at, gradient in self._of_use(use):
                total[at] = total[at] + gradient if at in total else gradient
        return [
            total[at] if at in total else self.f.new_zeros((self.n, self.k, *self.parameters[at].shape))
            for at in group.positions
        ]

    def _of_use(self, use: Use) -> Iterator[tuple[int, Tensor]]:
        """Position and gradients (n, k, *shape) of each parameter behind a use."""
        node = self._nodes[use.node]
        root, output = node.next_functions[use.slot]
        shape = edge_shape(root, output)
        found = self._rule(use)
        if found is None:
            seen = {output: (self._plan.layouts[(at, output)], self._deltas[(at, output)]) for at, output in use.points}
            found = masked(node, use.slot, seen, shape)
        elif not isinstance(found, Tensor):
            found = found.gradients(found_dtype(self._deltas[use.points[0]]))
        found = found.reshape(self.n, self.k, *shape)
        if root.name() == ACCUMULATE:
            yield use.parameters[0], found
            return
        # Through what makes the tensor out of parameters: views, weight normalisation, ..
        inputs = [self.parameters[at] for at in use.parameters]
        rows = found.flatten(0, 1)
        pulled = pull([GradientEdge(root, output)], inputs, [rows], is_grads_batched=True)  # type: ignore[list-item]
        for at, gradient in zip(use.parameters, pulled):
            if gradient is not None:
                yield at, gradient.reshape(self.n, self.k, *gradient.shape[1:])

    # Products.

    def gram(
        self,
        other: Tangent | None = None,
        weights: Mapping[int, float] | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """G = J S J'ᵀ, (n·k, n'·k'), on the device of the outputs.

        Parameters
        ----------
        other : Tangent, optional
            J' of other rows and the same parameters; J itself unless given.
        weights : mapping of position to float, optional
            s of the parameter at this position, 1 unless given.
        dtype : torch.dtype, optional
            In which products are summed; float32 at least unless given.
        """
        other = other or self
        dtype = dtype or working_dtype(self.f.dtype)
        total = torch.zeros((self.n * self.k, other.n * other.k), dtype=dtype, device=self.f.device)
        with torch.no_grad(), full_precision(self.f):
            for mine, theirs in pairs(self, other):
                part = gram_of(self, mine, other, theirs, weights or {}, dtype)
                if part is not None:
                    total += part
        return total

    def diagonal_blocks(self, dtype: torch.dtype | None = None) -> Tensor:
        """The blocks of G that belong to one sample each, (n, k, k), without G."""
        dtype = dtype or working_dtype(self.f.dtype)
        total = torch.zeros((self.n, self.k, self.k), dtype=dtype, device=self.f.device)
        with torch.no_grad(), full_precision(self.f):
            for group in self.groups:
                feature = self.feature(group)
                if isinstance(feature, Explicit):
                    for rows in self.written(group, dtype):
                        each = rows.reshape(self.n, self.k, -1)
                        total += each @ each.mT
                else:
                    total += feature.diagonal_blocks(dtype)
        return total

    def diagonal(self) -> Tensor:
        """The diagonal of G, (n, k), without G."""
        return self.diagonal_blocks().diagonal(dim1=1, dim2=2)

    def jvp(self, vector: Sequence[Tensor | None], dtype: torch.dtype | None = None) -> Tensor:
        """J v, (n, k). `vector`: v in the shapes of the parameters; None is 0.

        Raises
        ------
        ValueError
            If v has other shapes, or another number of tensors.
        """
        shapes = [p.shape for p in self.parameters]
        found = [shape if v is None else v.shape for v, shape in zip(vector, shapes)]
        if len(vector) != len(shapes) or found != shapes:
            raise ValueError(f"vector: shapes {[tuple(s) for s in found]}, expected {[tuple(s) for s in shapes]} of the parameters")
        dtype = dtype or working_dtype(self.f.dtype)
        total = torch.zeros((self.n, self.k), dtype=dtype, device=self.f.device)
        with torch.no_grad(), full_precision(self.f):
            for group in self.groups:
                part = self.jvp_of(group, vector, dtype)
                if part is not None:
                    total += part
        return total

    def jvp_of(self, group: Group, vector: Sequence[Tensor | None], dtype: torch.dtype) -> Tensor | None:
        """What the parameters of a group have in J v, (n, k); None for 0."""
        along = [vector[at] for at in group.positions]
        if all(v is None for v in along):
            return None
        feature = self.feature(group)
        if not isinstance(feature, Explicit):
            return None if along[0] is None else feature.jvp(along[0], dtype)
        parts = [rows @ v.to(dtype).flatten() for rows, v in zip(self.written(group, dtype), along) if v is not None]
        return sum(parts[1:], parts[0]).reshape(self.n, self.k)

    def vjp(self, u: Tensor) -> list[Tensor | None]:
        """Jᵀu in the shapes of the parameters, by one ordinary backward pass; None for 0. u: (n, k)."""
        with torch.no_grad(), full_precision(self.f):
            found = pull([self.f], self.parameters, [u.to(self.f)])
            return [g.to_dense() if g is not None and g.is_sparse else g for g in found]

    @property
    def has_ties(self) -> bool:
        """Whether a parameter is used more than once."""
        return any(len(group.uses) > 1 for group in self.groups)

    def vjp_by_node(self, u: Tensor) -> list[Tensor | None]:
        """The same as :meth:`vjp` from D, each node by itself, without a walk through the network: cheaper, and blind to
        samples that meet. Parameters that are used more than once are beyond it (`has_ties`)."""
        gradients: list[Tensor | None] = [None] * len(self.parameters)
        by_node: dict[int, tuple[tuple[Point, ...], list[int]]] = {}
        for group in self.groups:
            (use,) = group.uses
            by_node.setdefault(use.node, (use.points, []))[1].extend(use.parameters)
        with torch.no_grad(), full_precision(self.f):
            for points, positions in by_node.values():
                into = edges((self._nodes[at], output) for at, output in points)
                cotangents = [self._plan.layouts[point].join(self._weighted(u, self._deltas[point])) for point in points]
                found = pull(into, [self.parameters[at] for at in positions], cotangents)  # type: ignore[arg-type]
                for at, gradient in zip(positions, found):
                    gradients[at] = gradient.to_dense() if gradient is not None and gradient.is_sparse else gradient
        return gradients

    def _weighted(self, u: Tensor, deltas: Tensor) -> Tensor:
        """Σ_a u_ia D_ia"""
        u = u.to(deltas)
        if self.k == 1:
            return deltas[:, 0] * u.reshape(-1, *[1] * (deltas.dim() - 2))
        return torch.einsum("nk,nk...->n...", u, deltas)

    def jacobian(self) -> Tensor:
        """J, (n, k, p): for small problems."""
        dtype = working_dtype(self.f.dtype)
        columns: list[Tensor] = [self.f.new_zeros((self.n * self.k, p.numel()), dtype=dtype) for p in self.parameters]
        with torch.no_grad(), full_precision(self.f):
            for group in self.groups:
                for at, rows in zip(group.positions, self._explicit(group).rows(dtype)):
                    columns[at] = rows
        return torch.cat(columns, 1).reshape(self.n, self.k, -1)


def as_rows(outputs: Tensor) -> Tensor:
    """(n, k) of (n,), (n, k) or (n, ..)."""
    return outputs if outputs.dim() == 2 else outputs.reshape(len(outputs), -1)


def found_dtype(deltas: Tensor) -> torch.dtype:
    return working_dtype(deltas.dtype)


def pairs(a: Tangent, b: Tangent) -> Iterator[tuple[Group, Group]]:
    """Groups of the same parameters in two tangents. Where they are grouped differently, those of the union."""
    if a is b:
        yield from ((group, group) for group in a.groups)
        return
    of_b = {group.positions: group for group in b.groups}
    if all(group.positions in of_b for group in a.groups) and len(a.groups) == len(b.groups):
        yield from ((group, of_b[group.positions]) for group in a.groups)
        return
    merged: list[set[int]] = []
    for group in [*a.groups, *b.groups]:
        mine = set(group.positions)
        for other in [s for s in merged if s & mine]:
            merged.remove(other)
            mine |= other
        merged.append(mine)
    for positions in merged:
        mine_a, mine_b = (
            Group(tuple(sorted(positions)), tuple(u for g in t.groups if set(g.positions) <= positions for u in g.uses))
            for t in (a, b)
        )
        if mine_a.uses and mine_b.uses:
            yield mine_a, mine_b


def gram_of(
    a: Tangent, mine: Group, b: Tangent, theirs: Group, weights: Mapping[int, float], dtype: torch.dtype
) -> Tensor | None:
    """The group's part of G; None if its weight is 0."""
    scales = [weights.get(at, 1.0) for at in mine.positions]
    if not any(scales):
        return None
    x, y = a.feature(mine), b.feature(theirs)
    if isinstance(x, Outer) and isinstance(y, Outer) and (fitting := x.fitted(y)) is not None:
        part = x.gram(fitting, dtype)
    elif isinstance(x, Lookup) and isinstance(y, Lookup):
        part = x.gram(y, dtype)
    else:
        left = a.written(mine, dtype)
        right = left if b is a else b.written(theirs, dtype)
        return sum(s * (p @ q.T) for s, p, q in zip(scales, left, right) if s)  # type: ignore[return-value]
    return part if scales[0] == 1 else part * scales[0]


def operation_names(tangent: Tangent, group: Group) -> str:
    """The operations through which a group enters, for messages."""
    return ", ".join(sorted({tangent._nodes[at].name() for at in group.operations}))


__all__ = ["Group", "Node", "Plans", "Tangent", "UnsupportedGraph", "gram_of", "operation_names", "pairs"]
