"""The compiled half. Public: Model, LinearisedModel, TaylorModel, TangentFeatures, KernelDynamics, gram_gauss_newton_step, damped_solve."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, Literal, final

from numpy.typing import ArrayLike, NDArray

from gramstep._parts import ExplicitPart, LinearPart

__version__: str
__all__ = [
    "__version__",
    "Model",
    "LinearisedModel",
    "TaylorModel",
    "TangentFeatures",
    "KernelDynamics",
    "ThreatModel",
    "Data",
    "FittedKernel",
    "Predictor",
    "gram_gauss_newton_step",
    "damped_solve",
    "taylor_expand",
    "activations",
    "is_activation",
    "infinite_kernel",
    "network_kernel",
    "kernel_name",
    "empirical_ntk",
    "monte_carlo_kernel",
    "run_attack",
    "run_transfer",
    "fit",
    "run_compare",
    "run_verify",
]

_Array = NDArray[Any]
_Dtype = Literal["float32", "float64"]
_Report = Callable[..., object]

@final
class Model:
    @classmethod
    def mlp(
        cls,
        sizes: Sequence[int],
        *,
        activation: str = "relu",
        parameterization: Literal["standard", "ntk"] = "standard",
        weight_variance: float | None = None,
        bias_variance: float | None = None,
        bias: bool = True,
        symmetric: bool = False,
        output_scale: float = 1.0,
        seed: int = 0,
        dtype: _Dtype = "float64",
        threads: int = 0,
    ) -> Model: ...
    @classmethod
    def cnn(
        cls,
        image_shape: tuple[int, int, int],
        channels: Sequence[int],
        outputs: int,
        *,
        activation: str = "relu",
        pool: Literal["mean", "max"] = "mean",
        dense: Sequence[int] = ...,
        group_norm: bool = False,
        seed: int = 0,
        dtype: _Dtype = "float32",
        threads: int = 0,
    ) -> Model: ...
    @classmethod
    def resnet(
        cls,
        image_shape: tuple[int, int, int],
        outputs: int,
        *,
        depth: int = 32,
        channels: int = 16,
        group_norm: bool = False,
        seed: int = 0,
        dtype: _Dtype = "float32",
        threads: int = 0,
    ) -> Model: ...
    @classmethod
    def from_specification(
        cls, text: str, *, seed: int = 0, dtype: _Dtype = "float64", threads: int = 0
    ) -> Model: ...
    @property
    def specification(self) -> str: ...
    @property
    def dtype(self) -> _Dtype: ...
    @property
    def seed(self) -> int: ...
    @property
    def threads(self) -> int: ...
    @property
    def n_inputs(self) -> int: ...
    @property
    def n_outputs(self) -> int: ...
    @property
    def n_parameters(self) -> int: ...
    @property
    def theta(self) -> _Array: ...
    @theta.setter
    def theta(self, theta: ArrayLike) -> None: ...
    def parameters(self) -> dict[str, _Array]: ...
    def set_parameters(self, parameters: dict[str, Any]) -> None: ...
    def set_span_weight(self, name: str, weight: float) -> None: ...
    def predict(self, X: ArrayLike) -> _Array: ...
    def jacobian(self, X: ArrayLike) -> _Array: ...
    def gram(self, X: ArrayLike, X2: ArrayLike | None = None) -> _Array: ...
    def jvp(self, X: ArrayLike, v: ArrayLike) -> _Array: ...
    def vjp(self, X: ArrayLike, u: ArrayLike) -> _Array: ...
    def tangent(self, X: ArrayLike) -> TangentFeatures: ...
    def input_gradient(self, X: ArrayLike, u: ArrayLike) -> _Array: ...
    def linearise(self) -> LinearisedModel: ...
    def copy(self) -> Model: ...

@final
class LinearisedModel:
    def fit(self, X: ArrayLike, y: ArrayLike, *, ridge: float = 0.0) -> LinearisedModel: ...
    @property
    def n_outputs(self) -> int: ...
    def predict(self, X: ArrayLike) -> _Array: ...
    @property
    def displacement(self) -> _Array: ...
    @displacement.setter
    def displacement(self, v: ArrayLike) -> None: ...

@final
class TaylorModel:
    def fit(
        self, X: ArrayLike, y: ArrayLike, *, ridge: float = 0.0, max_steps: int | None = None
    ) -> TaylorModel: ...
    @property
    def order(self) -> int: ...
    @property
    def n_outputs(self) -> int: ...
    def predict(self, X: ArrayLike) -> _Array: ...
    def terms(self, X: ArrayLike) -> _Array: ...
    def vjp(self, X: ArrayLike, u: ArrayLike) -> _Array: ...
    def gram(self, X: ArrayLike) -> _Array: ...
    @property
    def displacement(self) -> _Array: ...
    @displacement.setter
    def displacement(self, v: ArrayLike) -> None: ...

@final
class TangentFeatures:
    def __new__(
        cls,
        parts: Sequence[LinearPart | ExplicitPart],
        *,
        predictions: ArrayLike | None = None,
        n_parameters: int | None = None,
        dtype: _Dtype = "float64",
        threads: int = 0,
    ) -> TangentFeatures: ...
    @property
    def n_samples(self) -> int: ...
    @property
    def n_outputs(self) -> int: ...
    @property
    def n_parameters(self) -> int: ...
    @property
    def predictions(self) -> _Array: ...
    def gram(self) -> _Array: ...
    def cross_gram(self, other: TangentFeatures) -> _Array: ...
    def diagonal(self) -> _Array: ...
    def jacobian(self) -> _Array: ...
    def jvp(self, v: ArrayLike) -> _Array: ...
    def vjp(self, u: ArrayLike) -> _Array: ...

@final
class KernelDynamics:
    def __new__(
        cls, kernel: ArrayLike, start: ArrayLike, y: ArrayLike, *, threads: int = 0
    ) -> KernelDynamics: ...
    @property
    def eigenvalues(self) -> _Array: ...
    def outputs(
        self,
        *,
        time: float | None = None,
        steps: int | None = None,
        learning_rate: float | None = None,
        momentum: float = 0.0,
    ) -> _Array: ...
    def predict(
        self,
        cross: ArrayLike,
        start: ArrayLike,
        *,
        time: float | None = None,
        steps: int | None = None,
        learning_rate: float | None = None,
        momentum: float = 0.0,
    ) -> _Array: ...
    def ensemble(
        self,
        cross: ArrayLike,
        nngp: ArrayLike,
        nngp_cross: ArrayLike,
        nngp_new: ArrayLike,
        *,
        start: ArrayLike | None = None,
        time: float | None = None,
        steps: int | None = None,
        learning_rate: float | None = None,
        momentum: float = 0.0,
    ) -> tuple[_Array, _Array]: ...
    def largest_stable_rate(self, momentum: float = 0.0) -> float: ...
    def spectral_radius(self, learning_rate: float, momentum: float = 0.0) -> float: ...

def gram_gauss_newton_step(
    model: Model,
    X: ArrayLike,
    y: ArrayLike,
    *,
    damping: float,
    learning_rate: float = 1.0,
    loss: Literal["squared", "huber", "cross_entropy", "logistic"] = "squared",
    ridge: float = 0.0,
    sample_weight: ArrayLike | None = None,
) -> dict[str, Any]: ...

# Behind the Python half.

def damped_solve(
    G: ArrayLike, z: ArrayLike, damping: float, *, threads: int = 0
) -> tuple[_Array, dict[str, Any]]: ...
@final
class FittedKernel:
    def __new__(
        cls,
        kernel: ArrayLike,
        y: ArrayLike,
        *,
        ridge: float | str,
        sample_weight: ArrayLike | None = None,
        threads: int = 0,
    ) -> FittedKernel: ...
    @property
    def ridge(self) -> float: ...
    @property
    def effective_parameters(self) -> float: ...
    @property
    def log_marginal_likelihood(self) -> float: ...
    @property
    def coefficients(self) -> _Array: ...
    @property
    def noise_variance(self) -> _Array: ...
    @property
    def prior_variance(self) -> _Array: ...
    def leave_one_out(self) -> _Array: ...
    def predict(self, cross: ArrayLike) -> _Array: ...
    def variance(self, cross: ArrayLike, diagonal: ArrayLike) -> _Array: ...
    def covariance(self, cross: ArrayLike, new: ArrayLike) -> _Array: ...

@final
class ThreatModel:
    def __new__(
        cls,
        norm: str,
        radius: float,
        *,
        bounds: Sequence[tuple[float, float]] | None = None,
        scales: Sequence[float] | None = None,
        frozen: Sequence[int] = ...,
        whole: Sequence[int] = ...,
    ) -> ThreatModel: ...

@final
class Data:
    def __new__(
        cls,
        x: _Array | dict[str, Any],
        y: _Array,
        *,
        columns: Sequence[str],
        targets: Sequence[str],
        classes: Sequence[str] | None = None,
        labels: str = "text",
        several: Sequence[tuple[str, str, str]] | None = None,
        categories: Sequence[str] = ...,
        sample_weight: _Array | None = None,
        impute: bool = False,
    ) -> Data: ...

@final
class Predictor:
    @staticmethod
    def load(folder: str | PathLike[str], threads: int = 0) -> Predictor: ...
    def predict(self, x: ArrayLike | dict[str, Any]) -> _Array: ...
    def with_deviation(self, x: ArrayLike | dict[str, Any]) -> tuple[_Array, _Array]: ...
    def interval(self, x: ArrayLike | dict[str, Any], level: float) -> _Array: ...
    def sets(self, x: ArrayLike | dict[str, Any], level: float) -> _Array: ...
    def covariance(self, x: ArrayLike | dict[str, Any]) -> list[_Array]: ...
    def draws(self, x: ArrayLike | dict[str, Any], count: int, seed: int) -> list[_Array]: ...
    def leave_one_out(self) -> _Array: ...
    def predict_table(
        self,
        columns: dict[str, Any],
        *,
        deviation: bool = False,
        interval: float | None = None,
        samples: tuple[int, int] | None = None,
    ) -> dict[str, Any]: ...
    def metadata(self) -> str: ...
    def model(self) -> Model: ...
    def save(self, folder: str | PathLike[str]) -> None: ...
    @staticmethod
    def from_state(bytes: bytes, story: tuple[str, bytes] | None = None, threads: int = 0) -> Predictor: ...

def kernel_name(
    which: str,
    *,
    depth: int,
    activation: str,
    weight_variance: float | None = None,
    bias_variance: float | None = None,
) -> str: ...
def infinite_kernel(
    which: Literal["ntk", "nngp"],
    X: ArrayLike,
    X2: ArrayLike | None = None,
    *,
    depth: int,
    activation: str,
    weight_variance: float | None = None,
    bias_variance: float | None = None,
    threads: int = 0,
) -> _Array: ...
def activations() -> list[str]: ...
def is_activation(name: str) -> bool: ...
def network_kernel(
    which: Literal["ntk", "nngp"],
    layers: Sequence[tuple[Any, ...]],
    X: ArrayLike,
    X2: ArrayLike | None = None,
    *,
    size: tuple[int, ...] | None = None,
    threads: int = 0,
) -> _Array: ...
def empirical_ntk(model: Model, X: ArrayLike, X2: ArrayLike | None = None, *, outputs: str | int) -> _Array: ...
def monte_carlo_kernel(
    model: Model,
    X: ArrayLike,
    X2: ArrayLike | None = None,
    *,
    n_samples: int,
    kernel: str,
    seed: int,
    outputs: str | int,
) -> tuple[_Array, _Array]: ...
def run_compare(
    config: str,
    optimizers: list[str],
    *,
    tune: bool,
    out: str | PathLike[str] | None = None,
    report: _Report | None = None,
) -> tuple[str, list[dict[str, list[float]]]]: ...
def taylor_expand(model: Model, order: int) -> TaylorModel: ...
def run_attack(
    model: Model | LinearisedModel, x: ArrayLike, y: ArrayLike, plan: dict[str, Any], bisections: int | None = None
) -> dict[str, _Array]: ...
def run_transfer(
    models: Sequence[Model | LinearisedModel], x: ArrayLike, y: ArrayLike, plan: dict[str, Any]
) -> tuple[_Array, list[dict[str, _Array]]]: ...
def fit(
    data: Data,
    config: str,
    *,
    validation: float | None = None,
    tolerance: float = 0.0,
    start: Predictor | None = None,
    report: _Report | None = None,
) -> tuple[Predictor, dict[str, Any]]: ...
def run_verify(
    claims: Sequence[str],
    *,
    full: bool,
    widths: Sequence[int] | None,
    seeds: int,
    threads: int = 0,
    out: str | PathLike[str] | None = None,
    report: _Report | None = None,
) -> str: ...
