"""Trainings over several processes."""

from __future__ import annotations

from torch import distributed


def check_alone() -> None:
    """Raises RuntimeError where this process is one of several: nothing here is summed over them, no gradient either."""
    if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
        raise RuntimeError(
            f"torch.distributed: each of {distributed.get_world_size()} processes would take the step of its own samples, "
            "and their parameters would drift apart\nhint: train in one process"
        )
