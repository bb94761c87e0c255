"""PyTorch models for the attacks of :mod:`gramstep.attacks`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gramstep.torch._evaluate import eval_mode

Array = NDArray[Any]


class Attackable:
    """A PyTorch model, or any differentiable function of a tensor, for :mod:`gramstep.attacks`.

    Parameters
    ----------
    model : torch.nn.Module or callable
        From (m, ..) to (m, k) or (m,); evaluated in eval mode. Its parameters are left alone.
    example : Tensor
        Samples like those that are attacked, at least one: shape, number type and device.

    Attributes
    ----------
    n_inputs, n_outputs : int
    dtype : {"float32", "float64"}

    Examples
    --------
    >>> import torch
    >>> from gramstep import attacks
    >>> from gramstep.torch import Attackable
    >>> net, x = torch.nn.Linear(2, 1), torch.zeros(3, 2)
    >>> result = attacks.pgd(Attackable(net, x), x, torch.zeros(3), radius=0.1)
    >>> result.adversarial.shape, bool((result.after >= result.before).all())
    ((3, 2), True)
    """

    def __init__(self, model: Callable[[Tensor], Tensor], example: Tensor) -> None:
        if example.dtype not in (torch.float32, torch.float64) or not len(example):
            raise ValueError(f"example: {len(example)} samples of {example.dtype}; expected some of float32 or float64")
        self._model, self._like = model, example[:1].detach()
        self.n_inputs = self._like.numel()
        self.dtype = "float32" if example.dtype == torch.float32 else "float64"
        with eval_mode(model), torch.no_grad():
            self.n_outputs = int(model(self._like).numel())

    def outputs(self, x: Array) -> Array:
        """f, (m, k). x: (m, d)"""
        with eval_mode(self._model), torch.no_grad():
            return self._rows(self._model(self._points(x)))

    def pull_back(self, x: Array) -> tuple[Array, Callable[[Array], Array]]:
        """f, and the function from cotangents u (m, k) to ∂⟨u_i, f(x_i)⟩/∂x_i, (m, d)."""
        with eval_mode(self._model), torch.enable_grad():
            points = self._points(x).requires_grad_()
            f = self._model(points)

        def backward(u: Array) -> Array:
            cotangents = torch.from_numpy(np.array(u)).to(f).reshape(f.shape)
            (gradient,) = torch.autograd.grad([f], [points], [cotangents], allow_unused=True)
            return self._rows(torch.zeros_like(points) if gradient is None else gradient)

        return self._rows(f), backward

    def _points(self, x: Array) -> Tensor:
        return torch.from_numpy(np.array(x)).to(self._like).reshape(-1, *self._like.shape[1:])

    @staticmethod
    def _rows(t: Tensor) -> Array:
        rows: Array = t.detach().reshape(len(t), -1).cpu().numpy()
        return rows
