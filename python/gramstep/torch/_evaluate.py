"""Models as functions of samples."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor


def trained_parameters(model: Callable[..., Tensor], params: Iterable[Tensor] | None) -> list[Tensor]:
    """θ: those that are given, else all of a module that need gradients.

    Raises
    ------
    ValueError
        If there are none.
    """
    if params is None and not isinstance(model, torch.nn.Module):
        raise ValueError("params: a callable that is no module does not say what its parameters are")
    found = [p for p in (params if params is not None else model.parameters()) if p.requires_grad]  # type: ignore[attr-defined]
    if not found:
        raise ValueError("params: none of them needs a gradient")
    return found


class Remembered:
    """All parameters and buffers of a model at one moment, as copies: a change by way of ``.data`` leaves no version behind."""

    def __init__(self, model: Callable[..., Tensor], theta: Sequence[Tensor]) -> None:
        self._model, self._theta = model, theta
        self._then = [p.detach().clone() for p in self._now()]

    def check(self) -> None:
        """Raises RuntimeError where one of them is another now."""
        now = self._now()
        if len(now) != len(self._then) or not all(map(_equal, now, self._then)):
            raise RuntimeError("the model's parameters or buffers have changed since it was linearised: what was kept belongs to another model\nhint: fit anew")

    def _now(self) -> list[Tensor]:
        module = self._model
        of_module = [*module.parameters(), *module.buffers()] if isinstance(module, torch.nn.Module) else []
        return list(dict.fromkeys([*self._theta, *of_module]))


def _equal(p: Tensor, q: Tensor) -> bool:
    return p.dtype == q.dtype and p.device == q.device and torch.equal(p, q)


@contextlib.contextmanager
def eval_mode(model: Callable[..., Tensor]) -> Iterator[None]:
    """Every module of the model in eval mode; each is as it was afterwards."""
    modules = list(model.modules()) if isinstance(model, torch.nn.Module) else []
    before = [module.training for module in modules]
    try:
        for module in modules:
            module.training = False
        yield
    finally:
        for module, training in zip(modules, before):
            module.training = training


def arguments(X: Any) -> tuple[Tensor, ...]:
    """What a model is called with: one tensor, or a tuple of them."""
    return X if isinstance(X, tuple) else (X,)


def evaluated(model: Callable[..., Tensor], X: Any, batch: int) -> Iterator[Tensor]:
    """f of every piece of the samples, (m, ..), with its graph, in eval mode."""
    inputs = arguments(X)
    if batch < 1 or not len(inputs[0]):
        raise ValueError(f"{len(inputs[0])} samples in pieces of {batch}: at least 1 of each is needed")
    with eval_mode(model), torch.enable_grad():
        for start in range(0, len(inputs[0]), batch):
            yield model(*(x[start : start + batch] for x in inputs))
