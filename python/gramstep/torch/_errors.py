"""What is refused, and why."""

from __future__ import annotations


class UnsupportedGraph(RuntimeError):
    """A graph of which the per-sample gradients cannot be read, or were read wrongly. Parameters are as they were.

    Attributes
    ----------
    node : str
        Autograd's name of the operation, such as ``"NativeBatchNormBackward0"``.
    reason : str
    hint : str
        What to do about it; may be empty.
    """

    def __init__(self, node: str, reason: str, hint: str = "") -> None:
        self.node, self.reason, self.hint = node, reason, hint
        super().__init__(f"{node}: {reason}" + (f"\nhint: {hint}" if hint else ""))
