"""Empirical tangent kernels of PyTorch models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from gramstep.torch._evaluate import evaluated, trained_parameters
from gramstep.torch._guard import check_parts, check_reached
from gramstep.torch._tangent import Plans, Tangent


def empirical_ntk(
    model: Callable[..., Tensor],
    X1: Any,
    X2: Any | None = None,
    *,
    params: Iterable[Tensor] | None = None,
    batch: int = 128,
) -> Tensor:
    """Θ(x, x') = J(x) J(x')ᵀ of a model as it is, in tiles of samples (jacot2018).

    Parameters
    ----------
    model : torch.nn.Module or callable
        Evaluated in eval mode; a callable that is no module needs `params`.
    X1, X2 : Tensor, or tuple of Tensor
        Samples along the first axis; a tuple is the arguments of the model. X1 itself unless X2 is given.
    params : iterable of Tensor, optional
        θ; all parameters of the model that need gradients unless given.
    batch : int
        Samples of a tile.

    Returns
    -------
    Tensor
        (n1, n2, k, k), on the device of the outputs.

    Raises
    ------
    UnsupportedGraph
        If the graph cannot be read.
    ValueError
        If the outputs depend on none of the parameters.

    Examples
    --------
    >>> import torch
    >>> from gramstep.torch import empirical_ntk
    >>> net = torch.nn.Linear(2, 1)
    >>> empirical_ntk(net, torch.eye(2))[:, :, 0, 0]
    tensor([[2., 1.],
            [1., 2.]])
    """
    theta = trained_parameters(model, params)
    plans: Plans = {}
    rows = tiles(model, X1, theta, batch, plans)
    if X2 is None:
        parts = [[r.gram(c) if j < i else r.gram() if j == i else None for j, c in enumerate(rows)] for i, r in enumerate(rows)]
        whole = [[part if part is not None else parts[j][i].T for j, part in enumerate(row)] for i, row in enumerate(parts)]  # type: ignore[union-attr]
        columns = rows
    else:
        columns = tiles(model, X2, theta, batch, plans)
        whole = [[r.gram(c) for c in columns] for r in rows]
    n1, n2, k = sum(r.n for r in rows), sum(c.n for c in columns), rows[0].k
    return torch.cat([torch.cat(row, 1) for row in whole]).reshape(n1, k, n2, k).transpose(1, 2)


def tiles(model: Callable[..., Tensor], X: Any, theta: Sequence[Tensor], batch: int, plans: Plans) -> list[Tangent]:
    """The tangents of samples, `batch` at a time, each graph checked the first time that it is met."""
    found = []
    for f in evaluated(model, X, batch):
        tangent = Tangent(f, theta, plans)
        if tangent.is_new:
            check_reached([tangent])
            check_parts(tangent)
            tangent.remember(plans)
        found.append(tangent)
    return found
