"""Gram-Gauss-Newton, tangent kernels, posteriors and attacks for any eager PyTorch model.

The model is not touched. After ``f = model(x)`` every place where a parameter is used is a node of f's autograd graph, which
holds the activations; cotangents pulled back to these nodes are the deltas. An operation without a rule runs its own
backward with the cotangents of one sample.

>>> import torch
>>> from gramstep.torch import GramGaussNewton
>>> _ = torch.manual_seed(0)
>>> net = torch.nn.Sequential(torch.nn.Linear(2, 32), torch.nn.SiLU(), torch.nn.Linear(32, 1)).double()
>>> x = torch.rand(20, 2).double()
>>> optimizer = GramGaussNewton(net.parameters(), damping=1e-8)
>>> for _ in range(15):
...     loss = optimizer.step(net(x), x.prod(1))
>>> loss < 1e-6
True
"""

from gramstep.torch._require import require_torch

require_torch()

from gramstep.torch._errors import UnsupportedGraph  # noqa: E402
from gramstep.torch._system import Solve  # noqa: E402
from gramstep.torch._tangent import Tangent  # noqa: E402
from gramstep.torch.attackable import Attackable  # noqa: E402
from gramstep.torch.kernel import empirical_ntk  # noqa: E402
from gramstep.torch.laplace import LinearisedLaplace  # noqa: E402
from gramstep.torch.linearised import Linearised  # noqa: E402
from gramstep.torch.optimizer import GramGaussNewton, StepReport  # noqa: E402

__all__ = [
    "Attackable",
    "GramGaussNewton",
    "Linearised",
    "LinearisedLaplace",
    "Solve",
    "StepReport",
    "Tangent",
    "UnsupportedGraph",
    "empirical_ntk",
]
