"""Whether random numbers were drawn."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class RandomState:
    """The generators of the CPU and of every CUDA device that is in use, as bytes."""

    states: tuple[bytes, ...]

    @staticmethod
    def now() -> RandomState:
        states = [torch.get_rng_state()]
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            states += torch.cuda.get_rng_state_all()
        return RandomState(tuple(bytes(state.numpy()) for state in states))
