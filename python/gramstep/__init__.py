"""Gram-Gauss-Newton training and neural tangent kernels from one Gram matrix of per-sample gradients.

>>> import numpy as np
>>> import gramstep
>>> model = gramstep.Model.mlp([1, 64, 1], activation="tanh", seed=7)
>>> X = np.linspace(-1, 1, 8)[:, None]
>>> y = np.sin(3 * X)
>>> for _ in range(10):
...     info = gramstep.gram_gauss_newton_step(model, X, y, damping=1e-6)
>>> bool(np.abs(model.predict(X) - y).max() < 1e-6)
True
"""

from gramstep import attacks, infinite
from gramstep._gramstep import (
    KernelDynamics,
    LinearisedModel,
    Model,
    TangentFeatures,
    TaylorModel,
    __version__,
    damped_solve,
    gram_gauss_newton_step,
)
from gramstep._combination_estimators import GramstepClassifier, GramstepRegressor
from gramstep._compare import compare
from gramstep._finite import MonteCarlo, monte_carlo_kernel, taylor_expand
from gramstep._kernel_estimators import KernelClassifier, KernelRegressor
from gramstep._kernel_regression import KernelRegression
from gramstep._kernels import compute_tile, empirical_ntk, nngp, ntk
from gramstep._network_estimators import GramGaussNewtonClassifier, GramGaussNewtonRegressor
from gramstep._ntk_estimators import NTKClassifier, NTKRegressor
from gramstep._parts import ExplicitPart, LinearPart
from gramstep._runs import Run, load_run
from gramstep._verify import verify
from gramstep.infinite import InfiniteNetwork

__all__ = [
    "ExplicitPart",
    "GramGaussNewtonClassifier",
    "GramGaussNewtonRegressor",
    "GramstepClassifier",
    "GramstepRegressor",
    "InfiniteNetwork",
    "KernelClassifier",
    "KernelDynamics",
    "KernelRegression",
    "KernelRegressor",
    "LinearPart",
    "LinearisedModel",
    "Model",
    "MonteCarlo",
    "NTKClassifier",
    "NTKRegressor",
    "Run",
    "TangentFeatures",
    "TaylorModel",
    "__version__",
    "attacks",
    "compare",
    "compute_tile",
    "damped_solve",
    "empirical_ntk",
    "gram_gauss_newton_step",
    "infinite",
    "load_run",
    "monte_carlo_kernel",
    "nngp",
    "ntk",
    "taylor_expand",
    "verify",
]
