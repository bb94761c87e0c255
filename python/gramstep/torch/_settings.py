"""What the whole optimizer is told, and what a group of parameters may have of its own."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from gramstep.torch._damping import DampingArgument, parse_damping
from gramstep.torch._losses import LOSSES, ONE_ROW, CustomLoss

RANGES: dict[str, tuple[Callable[[float], bool], str]] = {
    "lr": (lambda value: value > 0, "above 0"),
    "weight": (lambda value: value >= 0, "at least 0"),
    "momentum": (lambda value: 0 <= value < 1, "from 0 to below 1"),
    "ridge": (lambda value: value >= 0, "at least 0"),
    "max_output_change": (lambda value: value > 0, "above 0"),
}


def check(name: str, value: object) -> None:
    """Raises ValueError where a number is out of the range of its name."""
    inside, range_ = RANGES[name]
    if not (isinstance(value, (int, float)) and math.isfinite(value) and inside(value)):
        raise ValueError(f"{name} = {value!r}: expected a number {range_}")


OF_A_GROUP = {"params", "lr", "weight", "param_names", "name", "differentiable", "initial_lr", "max_lr", "min_lr", "swa_lr"}
"""What a group may hold: its numbers, its names, and what PyTorch and its schedulers add."""


def check_group(group: Mapping[str, Any]) -> None:
    """Raises ValueError where a group has an option that would be ignored, or a number out of range."""
    for name in group:
        if name not in OF_A_GROUP:
            raise ValueError(f"params: {name} in a group, which has an lr and a weight alone; all else is of the whole optimizer: give it there")
    for name in ("lr", "weight"):
        if name in group:
            check(name, group[name])


@dataclass(frozen=True)
class Settings:
    """Arguments of the whole optimizer, as they were given.

    Raises
    ------
    ValueError
        If one is out of range.
    """

    damping: DampingArgument
    loss: str | CustomLoss
    momentum: float
    ridge: float
    max_output_change: float | None
    acceleration: bool

    def __post_init__(self) -> None:
        check("momentum", self.momentum)
        check("ridge", self.ridge)
        if self.max_output_change is not None:
            check("max_output_change", self.max_output_change)
        if not callable(self.loss) and self.loss not in (*LOSSES, ONE_ROW):
            raise ValueError(f"loss = {self.loss!r}: expected one of {', '.join([*LOSSES, ONE_ROW])}, or a callable")
        parse_damping(self.damping)
        if self.acceleration and self.damping != "adaptive":
            raise ValueError("acceleration: steps along a path are tried, which is for damping = 'adaptive'")

    def state(self) -> dict[str, Any]:
        """What a file may hold: of a loss of one's own its name."""
        found = {field.name: _plain(getattr(self, field.name)) for field in fields(self)}
        return found if isinstance(self.loss, str) else {**found, "loss": ("callable", _name(self.loss))}

    def restored(self, state: Mapping[str, Any]) -> Settings:
        """Those of a state. A loss of one's own cannot be made from its name: the one that is here stays."""
        loss = state.get("loss", self.loss)
        if not (isinstance(loss, str) or callable(loss)):
            if loss[1] != _name(self.loss):
                warnings.warn(f"loss: the state is of {loss[1]}, the optimizer goes on with {_name(self.loss)}", stacklevel=3)
            loss = self.loss
        return replace(self, **{**state, "loss": loss})


def _name(loss: str | CustomLoss) -> str:
    return loss if isinstance(loss, str) else getattr(loss, "__qualname__", type(loss).__qualname__)


def _plain(value: Any) -> Any:
    """Numbers of NumPy as those of Python, which torch.load takes."""
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def setting(name: str) -> property:
    """A setting as an attribute of the optimizer; what is set is checked as the argument is."""

    def read(optimizer: Any) -> Any:
        return getattr(optimizer._settings, name)

    def write(optimizer: Any, value: Any) -> None:
        optimizer._settle(replace(optimizer._settings, **{name: value}))

    return property(read, write)
