"""The linearisation of a PyTorch model at its parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from gramstep import _gramstep
from gramstep.torch._evaluate import Remembered, trained_parameters
from gramstep.torch._gram import damped_gram
from gramstep.torch._losses import linearise
from gramstep.torch._tangent import Plans, Tangent
from gramstep.torch.kernel import tiles


class Linearised:
    """f(θ₀, x) + J(x) v, the neural Taylor expansion of first order (jacot2018, chizat2019).

    Parameters
    ----------
    model : torch.nn.Module or callable
        Evaluated in eval mode. θ₀ are its parameters when this is made, and those of the last `fit`.
    params : iterable of Tensor, optional
        θ; all parameters of the model that need gradients unless given.
    batch : int
        Samples of a tile.

    Attributes
    ----------
    displacement : list of Tensor
        v = θ − θ₀ in the shapes of the parameters; zeros at first.

    Examples
    --------
    >>> import torch
    >>> from gramstep.torch import Linearised
    >>> _ = torch.manual_seed(0)
    >>> net = torch.nn.Sequential(torch.nn.Linear(1, 50), torch.nn.Tanh(), torch.nn.Linear(50, 1)).double()
    >>> x = torch.linspace(-1, 1, 6).double()[:, None]
    >>> bool((Linearised(net).fit(x, x**2).predict(x) - x**2).abs().max() < 1e-6)
    True
    """

    def __init__(self, model: Callable[..., Tensor], params: Iterable[Tensor] | None = None, *, batch: int = 128) -> None:
        self._model, self._theta, self._batch = model, trained_parameters(model, params), batch
        self._remembered = Remembered(model, self._theta)
        self._plans: Plans = {}
        self.displacement = [torch.zeros_like(p) for p in self._theta]

    def fit(self, X: Any, y: Tensor, *, ridge: float = 0.0) -> Linearised:
        """Trains to the end in closed form: v = Jᵀ(G + κI)⁻¹(y − f₀), of least norm for κ = 0.

        y: in the axes of the outputs, or (n, k).
        """
        now = Remembered(self._model, self._theta)
        rows = self._tiles(X)
        gram, _ = damped_gram(rows, 0.0, ridge)
        residual = -linearise("squared", torch.cat([r.outputs for r in rows]), y).z.reshape(-1)
        c, _ = _gramstep.damped_solve(gram.numpy(), residual.numpy(), ridge, threads=torch.get_num_threads())
        parts = torch.from_numpy(c).split([r.n * r.k for r in rows])
        pulled = [r.vjp(part.reshape(r.n, r.k)) for r, part in zip(rows, parts)]
        self._remembered = now
        for at, total in enumerate(self.displacement):
            total.zero_()
            for gradients in pulled:
                if (gradient := gradients[at]) is not None:
                    total += gradient
        return self

    def predict(self, X: Any) -> Tensor:
        """(n, k)

        Raises
        ------
        RuntimeError
            If the model's parameters have changed since θ₀.
        """
        self._remembered.check()
        vector: Sequence[Tensor | None] = self.displacement
        return torch.cat([(r.f.detach() + r.jvp(vector)).to(r.f.dtype) for r in self._tiles(X)])

    def _tiles(self, X: Any) -> list[Tangent]:
        return tiles(self._model, X, self._theta, self._batch, self._plans)
