"""Layers of infinitely wide networks, for :class:`gramstep.InfiniteNetwork`.

Variances are those of the NTK parameterisation: a dense layer is ``z = sqrt(weight_variance / fan_in) W a +
sqrt(bias_variance) b`` with W, b ~ N(0, 1); a convolution the same for every window.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gramstep import _gramstep
from gramstep._counts import check_count

__all__ = [
    "Activation",
    "AvgPool",
    "Conv",
    "Dense",
    "Flatten",
    "GlobalAvgPool",
    "InfiniteNetwork",
    "LayerNorm",
    "Residual",
    "SumPool",
]


@dataclass(frozen=True)
class Dense:
    """A dense layer; of an image that has not become a vector yet, over all of its pixels.

    Parameters
    ----------
    weight_variance, bias_variance : float
    weight_tangent, bias_tangent : float, optional
        What training weights and biases adds to the tangent kernel: Θ ← weight_variance·Θ + weight_tangent·K +
        bias_tangent. As large as the variances unless given; 0 freezes them. In the standard parameterisation, where
        weights with the variance weight_variance / fan-in are trained as they are, they are fan-in and 1.

    Examples
    --------
    >>> from gramstep.infinite import Dense
    >>> Dense(bias_variance=0.1)
    Dense(weight_variance=2.0, bias_variance=0.1, weight_tangent=None, bias_tangent=None)
    """

    weight_variance: float = 2.0
    bias_variance: float = 0.0
    weight_tangent: float | None = field(default=None, kw_only=True)
    bias_tangent: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.weight_variance, int) and self.weight_variance >= 32:
            text = f"Dense: weight_variance = {self.weight_variance}: widths are infinite and not given; if it is meant, write it as a float"
            warnings.warn(text, stacklevel=3)

    def _words(self) -> tuple[Any, ...]:
        return ("dense", _variances(self))


@dataclass(frozen=True)
class Conv:
    """A convolution with a square kernel.

    Parameters
    ----------
    kernel : int
        Side of a window.
    stride : int
    padding : "same", "valid", "circular" or int
        Zeros as XLA puts them, so that size / stride pixels come out, rounded up; none; the image itself, as on a torus;
        or so many zeros on every side, as finite networks have them.
    weight_variance, bias_variance : float
    weight_tangent, bias_tangent : float, optional
        As of :class:`Dense`, K the mean over a window.

    Examples
    --------
    >>> from gramstep.infinite import Conv
    >>> Conv(3, stride=2).padding
    'same'
    """

    kernel: int = 3
    stride: int = 1
    padding: Literal["same", "valid", "circular"] | int = "same"
    weight_variance: float = 2.0
    bias_variance: float = 0.0
    weight_tangent: float | None = field(default=None, kw_only=True)
    bias_tangent: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _check_whole("Conv", "kernel", self.kernel, "the side of its windows; channels are infinitely many")
        _check_whole("Conv", "stride", self.stride, "pixels from one window to the next")
        padding = self.padding
        if isinstance(padding, bool) or (isinstance(padding, str) and padding not in ("same", "valid", "circular")):
            raise ValueError(f"Conv: padding = {padding!r}: expected 'same', 'valid', 'circular' or a number of zeros")

    def _words(self) -> tuple[Any, ...]:
        return ("convolution", self.kernel, self.stride, self.padding, _variances(self))


def _check_whole(layer: str, name: str, value: Any, meaning: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{layer}: {name} = {value!r}: expected a whole number above 0, {meaning}")


def _variances(layer: Dense | Conv) -> tuple[float, float, float, float]:
    weight, bias = layer.weight_variance, layer.bias_variance
    weight_tangent = weight if layer.weight_tangent is None else layer.weight_tangent
    return weight, bias, weight_tangent, bias if layer.bias_tangent is None else layer.bias_tangent


# What can follow a name, and what it is unless given.
_PARAMETERS: dict[str, dict[str, Any]] = {
    "sign": {},
    "rectifier": {"below": 0.0, "above": 1.0},
    "erf": {"scale": 1.0, "rate": 1.0, "shift": 0.0},
    "sigmoid-like": {},
    "sin": {"scale": 1.0, "rate": 1.0, "phase": 0.0},
    "cos": {"scale": 1.0, "rate": 1.0, "phase": 0.0},
    "rbf": {"gamma": 1.0},
    "exp": {"scale": 1.0, "rate": 1.0},
    "gaussian": {"scale": 1.0, "sharpness": 1.0},
    "monomial": {"degree": 2},
    "hermite": {"degree": 2},
    "polynomial": {"coefficients": (0.0, 1.0)},
}

Function = Callable[[NDArray[Any]], ArrayLike]


class Activation:
    """A function of every number, by name or a user's own.

    It needs a dense layer or a convolution before it, with nothing but sums, pools and normalisation between.

    Parameters
    ----------
    function : str or callable
        Of finite networks: identity, relu, leaky-relu, abs, squared-relu, gelu, silu, tanh, sigmoid, softplus, erf, sin, cos
        (silu and softplus by a series, which costs more). With parameters::

            sign                                  -1 or 1; nothing before it is trained
            rectifier      below=0, above=1       below min(x, 0) + above max(x, 0)
            erf            scale, rate, shift     scale erf(rate x) + shift
            sigmoid-like                          erf(x / 2.402) / 2 + 1 / 2
            sin, cos       scale, rate, phase     scale sin(rate x + phase)
            rbf            gamma=1                sqrt(2) sin(sqrt(2 gamma) x + pi / 4), K = exp(-gamma E(x - y)^2)
            exp            scale, rate            scale exp(rate x)
            gaussian       scale, sharpness       scale exp(-sharpness x^2)
            monomial       degree=2               x^degree
            hermite        degree=2               He_degree(x) / sqrt(degree!)
            polynomial     coefficients           c[0] + c[1] x + c[2] x^2 + ...

        Or a smooth function of an array, elementwise.
    derivative : callable, optional
        The derivative of a function of one's own, which it needs.
    **parameters
        Those of the function.

    Examples
    --------
    >>> import numpy as np
    >>> from gramstep import InfiniteNetwork
    >>> from gramstep.infinite import Activation, Dense
    >>> def kernel(activation):
    ...     network = InfiniteNetwork([Dense(), activation, Dense()])
    ...     return network.ntk(np.eye(3))
    >>> Activation("gaussian", sharpness=0.5)
    Activation('gaussian', sharpness=0.5)
    >>> own = Activation(np.arctan, derivative=lambda x: 1 / (1 + x**2))
    >>> kernel(own).shape
    (3, 3)
    """

    def __init__(self, function: str | Function, derivative: Function | None = None, **parameters: Any) -> None:
        self.function, self.derivative, self.parameters = function, derivative, parameters
        if isinstance(function, str):
            if derivative is not None:
                raise TypeError(f"derivative belongs to a function of your own; {function!r} has one")
            if function not in _PARAMETERS and not _gramstep.is_activation(function):
                there = ", ".join(dict.fromkeys([*_gramstep.activations(), *_PARAMETERS]))
                raise ValueError(f"no activation {function!r}; there are {there}, and functions of your own")
            known = _PARAMETERS.get(function, {})
            for name in parameters:
                if name not in known:
                    has = ", ".join(known) or "no parameters"
                    raise TypeError(f"activation {function!r} has no parameter {name!r}: it has {has}")
        elif not callable(function):
            raise TypeError(f"activation {function!r}: expected a name or a function of an array")
        elif derivative is None:
            raise TypeError("a function of your own needs derivative=, its derivative as a function of an array")
        elif parameters:
            raise TypeError(f"a function of your own has no parameters, got {', '.join(parameters)}")

    def __repr__(self) -> str:
        derivative = {} if self.derivative is None else {"derivative": self.derivative}
        rest = "".join(f", {name}={value!r}" for name, value in {**derivative, **self.parameters}.items())
        return f"Activation({self.function!r}{rest})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Activation) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((self.function, self.derivative, repr(self.parameters)))

    def _words(self) -> tuple[Any, ...]:
        if not isinstance(self.function, str):
            return ("function", "own", self.function, self.derivative)
        known = _PARAMETERS.get(self.function)
        if known is None or (not self.parameters and self.function in ("erf", "sin", "cos")):
            return ("activation", self.function)
        return ("function", self.function, *{**known, **self.parameters}.values())


@dataclass(frozen=True)
class AvgPool:
    """The mean over squares of pixels side by side; pixels that fill no square are dropped."""

    window: int = 2

    def __post_init__(self) -> None:
        _check_whole("AvgPool", "window", self.window, "the side of its squares, which lie side by side")

    def _words(self) -> tuple[Any, ...]:
        return ("average-pool", self.window)


@dataclass(frozen=True)
class SumPool:
    """The sum over squares of pixels side by side."""

    window: int = 2

    def __post_init__(self) -> None:
        _check_whole("SumPool", "window", self.window, "the side of its squares, which lie side by side")

    def _words(self) -> tuple[Any, ...]:
        return ("sum-pool", self.window)


@dataclass(frozen=True)
class GlobalAvgPool:
    """The mean over all pixels."""

    def _words(self) -> tuple[Any, ...]:
        return ("global-average-pool",)


@dataclass(frozen=True)
class Flatten:
    """All pixels side by side."""

    def _words(self) -> tuple[Any, ...]:
        return ("flatten",)


@dataclass(frozen=True)
class LayerNorm:
    """(x - mean) / sqrt(variance + epsilon) over the channels of every pixel, or over a vector."""

    epsilon: float = 1e-12

    def _words(self) -> tuple[Any, ...]:
        return ("layer-norm", self.epsilon)


@dataclass(frozen=True)
class Residual:
    """shortcut(x) + layers(x), the shortcut x itself where it is empty.

    The branch ends in a dense layer or a convolution; pools stand before or after it.

    Examples
    --------
    >>> from gramstep.infinite import Activation, Conv, Residual
    >>> block = Residual([Activation("relu"), Conv(3, stride=2)], shortcut=[Conv(1, stride=2)])
    >>> len(block.layers)
    2
    """

    layers: Sequence[Layer]
    shortcut: Sequence[Layer] = field(default_factory=list)

    def _words(self) -> tuple[Any, ...]:
        return ("residual", _words(self.layers), _words(self.shortcut))


Layer = Union[Dense, Conv, Activation, AvgPool, SumPool, GlobalAvgPool, Flatten, LayerNorm, Residual]


def _words(layers: Sequence[Layer]) -> list[tuple[Any, ...]]:
    for layer in layers:
        if isinstance(layer, type) or not hasattr(layer, "_words"):
            raise TypeError(f"{layer!r} is no layer of gramstep.infinite, such as Dense() or Conv(3)")
    return [layer._words() for layer in layers]


class InfiniteNetwork:
    """The kernels of an infinitely wide network that is put together layer by layer.

    ::

        Dense, Conv    K ← w·mean K + b,  Θ ← w·mean Θ + K      over the windows of a pair of pixels
        Activation     K ← E[φ(u)φ(v)],  Θ ← Θ·E[φ'(u)φ'(v)]     for normal (u, v) with the covariance K
        Residual       sums of both

    Networks with k outputs have the kernel of one output times the unit matrix.

    Parameters
    ----------
    layers : sequence of layers
        First to last; the last one is a dense layer, or what follows from one.

    Examples
    --------
    >>> import numpy as np
    >>> from gramstep import InfiniteNetwork
    >>> from gramstep.infinite import Activation, Conv, Dense, GlobalAvgPool
    >>> network = InfiniteNetwork([Conv(3), Activation("relu"), GlobalAvgPool(), Dense()])
    >>> X = np.random.default_rng(0).normal(size=(4, 8, 8, 3))
    >>> network.ntk(X).shape, network.nngp(X[:1], X).shape
    ((4, 4), (1, 4))
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = list(layers)
        _words(self.layers)

    def __repr__(self) -> str:
        return f"InfiniteNetwork({self.layers!r})"

    def ntk(self, X: ArrayLike, X2: ArrayLike | None = None, *, threads: int = 0) -> NDArray[Any]:
        """The neural tangent kernel Θ.

        Parameters
        ----------
        X : array of shape (n, d), or (n, height, width, channels)
        X2 : array of shape (m, ..), optional
            X itself unless given.
        threads : int
            0: all that the machine has.

        Returns
        -------
        array of shape (n, m)
            float32 where X and X2 are, else float64; symmetric to the bit without X2.
        """
        return self._kernel("ntk", X, X2, threads)

    def nngp(self, X: ArrayLike, X2: ArrayLike | None = None, *, threads: int = 0) -> NDArray[Any]:
        """The covariance K of the outputs over the initial parameters; arguments and result as of :meth:`ntk`."""
        return self._kernel("nngp", X, X2, threads)

    def tile(
        self,
        X: ArrayLike,
        rows: slice,
        columns: slice | None = None,
        *,
        kernel: Literal["ntk", "nngp"] = "ntk",
        threads: int = 1,
    ) -> NDArray[Any]:
        """A tile of a kernel matrix of points too many for one machine: K[rows, columns], all columns unless given.

        Examples
        --------
        >>> import numpy as np
        >>> from gramstep import InfiniteNetwork
        >>> from gramstep.infinite import Activation, Conv, Dense
        >>> network = InfiniteNetwork([Conv(3), Activation("relu"), Dense()])
        >>> X = np.random.default_rng(0).normal(size=(6, 5, 5, 1))
        >>> bool(np.allclose(network.tile(X, slice(0, 2)), network.ntk(X)[:2], rtol=1e-12))
        True
        """
        if kernel not in ("ntk", "nngp"):
            raise ValueError(f"kernel must be 'ntk' or 'nngp', got {kernel!r}")
        for name, part in (("rows", rows), ("columns", columns)):
            if not isinstance(part, slice) and (name == "rows" or part is not None):
                raise TypeError(f"{name} = {part!r}: expected a slice, such as slice(0, 100)")
        points = np.asarray(X)
        others = points[slice(None) if columns is None else columns]
        return self._kernel(kernel, points[rows], others, threads)

    def _kernel(
        self, which: Literal["ntk", "nngp"], X: ArrayLike, X2: ArrayLike | None, threads: int
    ) -> NDArray[Any]:
        threads = check_count("threads", threads, least=0)
        X = np.asarray(X)
        X2 = None if X2 is None else np.asarray(X2)
        if X.ndim not in (2, 4):
            raise ValueError(
                f"X has {X.ndim} axes, shape {X.shape}: expected 2 (samples, features) or 4 (samples, height, width, channels)"
            )
        if X2 is not None and X2.shape[1:] != X.shape[1:]:
            raise ValueError(f"X2 has shape {X2.shape}, X has shape {X.shape}: only their first axes may differ")
        size = tuple(X.shape[1:]) if X.ndim == 4 else None
        return _gramstep.network_kernel(which, _words(self.layers), X, X2, size=size, threads=threads)
