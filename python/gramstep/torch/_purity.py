"""Which nodes of a graph depend on parameters alone."""

from __future__ import annotations

from collections.abc import Collection

from torch.nn import Parameter

from gramstep.torch._nodes import ACCUMULATE, Node, inputs_first

# Functions of their inputs and of nothing else that could be a batch. A node that is not listed is asked: it has samples
# where the probe of `_plan` finds them.
FUNCTIONS = frozenset(
    name + "Backward" + version
    for version in "012"
    for name in (
        "Add Alias Cat Clone Cos Div Dot Exp LinalgVectorNorm Log Mean Mm Mul Mv Neg Norm Permute Pow Prod Reciprocal "
        "ReshapeAlias Rsqrt Select Sigmoid Sin Slice Softplus Split SplitWithSizes Sqrt Squeeze Stack Sub Sum T Tanh "
        "ToCopy Transpose Unbind UnsafeSplit UnsafeView Unsqueeze View WeightNormInterface"
    ).split()
)

# Operations that bring in samples without an input of their own for them: indices, sizes.
SELECTIONS = frozenset(
    name + "Backward" + version
    for version in "012"
    for name in "Embedding EmbeddingBag Expand Gather Index IndexSelect Repeat RepeatInterleave Take".split()
)

# Operations whose inputs are brought to the shape of the output entry by entry.
BROADCASTING = frozenset(name + "Backward" + version for version in "012" for name in "Add Sub Mul Div Where".split())


def parameter_nodes(root: Node, tracked: Collection[int], found_constant: Collection[Node]) -> set[Node]:
    """The nodes under `root` that no sample enters.

    `tracked` holds the ids of parameters that are trained; other ``Parameter`` objects are constants too, other leaves
    are data. `found_constant`: nodes of which the probe found so.
    """
    constant: set[Node] = set()
    for node in inputs_first(root):
        if node.name() == ACCUMULATE:
            if isinstance(node.variable, Parameter) or id(node.variable) in tracked:
                constant.add(node)
        elif node in found_constant:
            constant.add(node)
        elif node.name() in FUNCTIONS and node.next_functions:
            # An input that needs no gradient may be a batch.
            if all(child is not None and child in constant for child, _ in node.next_functions):
                constant.add(node)
    return constant
