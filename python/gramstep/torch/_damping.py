"""How much is added to the diagonal of BᵀGB."""

from __future__ import annotations

import math
from dataclasses import dataclass

RAISE, LOWER = 4.0, 1 / 3
"""Factors on F after a rejected trial and after an accepted step."""
CEILING = 1e8
START = 1e-2


@dataclass
class Relative:
    """λ = F · mean diag BᵀGB"""

    relative: float
    absolute: float = 0.0

    def value(self, mean_diagonal: float) -> float:
        return self.relative * mean_diagonal

    def state(self) -> float | None:
        return None

    def restore(self, state: float | None) -> None:
        pass


@dataclass
class Absolute:
    """λ itself."""

    absolute: float
    relative: float = 0.0

    def value(self, mean_diagonal: float) -> float:
        return self.absolute

    def state(self) -> float | None:
        return None

    def restore(self, state: float | None) -> None:
        pass


class Adaptive:
    """F that rises while trials fail and falls when a step is accepted."""

    absolute = 0.0

    def __init__(self) -> None:
        self.relative = START
        self._floor = 0.0
        self._first = START

    def begin(self, size: int) -> None:
        """A step of a system of that size begins. Below a floor the factorisation sees rounding alone."""
        self._floor = 16 * size * 2.0**-52
        self.relative = max(self.relative, self._floor)
        self._first = self.relative

    def value(self, mean_diagonal: float) -> float:
        return self.relative * mean_diagonal

    def accept(self) -> None:
        self.relative = max(self.relative * LOWER, self._floor)

    def reject(self) -> bool:
        """Whether there is a larger damping left to try."""
        if self.relative * RAISE > CEILING:
            return False
        self.relative *= RAISE
        return True

    def withdraw(self) -> None:
        """No damping helped: F is as it was before the step."""
        self.relative = self._first

    def state(self) -> float | None:
        return self.relative

    def restore(self, state: float | None) -> None:
        if state is not None:
            self.relative = state


Damping = Relative | Absolute | Adaptive
DampingArgument = float | tuple[str, float] | str


def parse_damping(damping: DampingArgument) -> Damping:
    """A number is relative; ("absolute", λ); "adaptive"."""
    if isinstance(damping, str) and damping == "adaptive":
        return Adaptive()
    number: object
    found: type[Relative] | type[Absolute]
    if isinstance(damping, tuple) and len(damping) == 2 and damping[0] == "absolute":
        number, found = damping[1], Absolute
    elif isinstance(damping, (int, float)) and not isinstance(damping, bool):
        number, found = damping, Relative
    else:
        raise ValueError(f"damping = {damping!r}: expected a number, ('absolute', number) or 'adaptive'")
    if not (isinstance(number, (int, float)) and math.isfinite(number) and number >= 0):
        raise ValueError(f"damping = {damping!r}: expected a number of at least 0")
    return found(float(number))
