#!/usr/bin/env python3
"""Kernels by neural-tangents 0.6.5 in double precision: NTK and NNGP of infinite width, and of finite networks at given
parameters, between six training points and with three test points.

usage: neural_tangents_kernels.py > neural_tangents_kernels.json     (in the environment of bench/peers/requirements-ntk.txt)

Points are 1.5·sin(78.233 (i + 1)), row by row; row 1 is then replaced by minus row 0. Parameters of the finite networks
are sin(12.9898 (i + 1)), counted through W (out×in, row-major) and b of every dense layer in turn.
"""
import json
import sys
import types

# neural-tangents imports its TensorFlow front door, unused here, on its way in.
sys.modules["neural_tangents.experimental"] = types.ModuleType("neural_tangents.experimental")

import jax

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import neural_tangents as nt
import numpy as np
from neural_tangents import stax

TRAIN, TEST, INPUTS, WIDTH, OUTPUTS = 6, 3, 5, 7, 2
NODES = 120  # of Gauss-Hermite quadrature for functions that stax has no closed form of

ACTIVATIONS = {  # name: (stax layer, function)
    "relu": (stax.Relu(), jax.nn.relu),
    "leaky-relu": (stax.LeakyRelu(0.01), lambda z: jnp.where(z > 0, z, 0.01 * z)),
    "abs": (stax.Abs(), jnp.abs),
    "erf": (stax.Erf(), jax.scipy.special.erf),
    "sin": (stax.Sin(), jnp.sin),
    "cos": (stax.Cos(), jnp.cos),
    "gelu": (stax.Gelu(), lambda z: jax.nn.gelu(z, approximate=False)),
    "sigmoid": (stax.ElementwiseNumerical(jax.nn.sigmoid, NODES), jax.nn.sigmoid),
    "silu": (stax.ElementwiseNumerical(jax.nn.silu, NODES), jax.nn.silu),
    "softplus": (stax.ElementwiseNumerical(jax.nn.softplus, NODES), jax.nn.softplus),
}

NETWORKS = [  # activations of the hidden layers, weight variance, bias variance
    (["relu"], 1.0, 0.0),
    (["relu", "relu", "relu"], 2.0, 0.1),
    (["leaky-relu", "leaky-relu"], 1.5, 0.2),
    (["abs", "abs"], 1.1, 0.05),
    (["erf", "erf", "erf"], 1.7, 0.3),
    (["sin", "sin"], 1.4, 0.1),
    (["cos", "cos"], 1.4, 0.0),
    (["gelu", "gelu", "gelu"], 1.9, 0.15),
    (["sigmoid", "sigmoid"], 1.6, 0.2),
    (["silu", "silu"], 1.2, 0.1),
    (["softplus"], 0.8, 0.0),
    (["erf", "relu", "gelu"], 1.5, 0.1),
]


def points():
    x = 1.5 * np.sin(78.233 * (np.arange((TRAIN + TEST) * INPUTS) + 1)).reshape(TRAIN + TEST, INPUTS)
    x[1] = -x[0]
    return jnp.array(x[:TRAIN]), jnp.array(x[TRAIN:])


def dense(width, weight, bias):
    return stax.Dense(width, W_std=weight**0.5, b_std=bias**0.5 if bias > 0 else None, parameterization="ntk")


def infinite_network(hidden, weight, bias):
    layers = [layer for name in hidden for layer in (dense(WIDTH, weight, bias), ACTIVATIONS[name][0])]
    return stax.serial(*layers, dense(OUTPUTS, weight, bias))[2]


def residual_network(weight, bias):
    """Two branches x + W relu(x) between dense layers."""
    branch = stax.serial(ACTIVATIONS["relu"][0], dense(WIDTH, weight, bias))
    block = stax.serial(stax.FanOut(2), stax.parallel(stax.Identity(), branch), stax.FanInSum())
    layers = [dense(WIDTH, weight, bias), block, block, ACTIVATIONS["relu"][0], dense(OUTPUTS, weight, bias)]
    return stax.serial(*layers)[2]


def finite_network(hidden, weight, bias):
    """The network as a function of (x, θ)."""
    functions = [ACTIVATIONS[name][1] for name in hidden]
    widths = [WIDTH] * len(hidden) + [OUTPUTS]

    def network(x, theta):
        at = 0
        for layer, units in enumerate(widths):
            fan_in = x.shape[-1]
            w = theta[at:at + units * fan_in].reshape(units, fan_in)
            at += units * fan_in
            x = (weight / fan_in) ** 0.5 * x @ w.T
            if bias > 0:
                x = x + bias**0.5 * theta[at:at + units]
                at += units
            if layer < len(hidden):
                x = functions[layer](x)
        return x

    count, fan_in = 0, INPUTS
    for units in widths:
        count, fan_in = count + units * (fan_in + (bias > 0)), units
    return network, jnp.sin(12.9898 * (jnp.arange(count) + 1))


def infinite_kernels(kernel, left, right):
    both = kernel(left, right, get=("ntk", "nngp"))
    return {"ntk": np.asarray(both.ntk).tolist(), "nngp": np.asarray(both.nngp).tolist()}


def finite_kernels(hidden, weight, bias, left, right):
    """Rows and columns (sample, output)."""
    network, theta = finite_network(hidden, weight, bias)
    function = lambda theta, x, **_: network(x, theta)
    flat = lambda k: np.asarray(k).transpose(0, 2, 1, 3).reshape(len(left) * OUTPUTS, len(right) * OUTPUTS).tolist()
    ntk = nt.empirical_ntk_fn(function, trace_axes=())(left, right, theta)
    nngp = nt.empirical_nngp_fn(function, trace_axes=())(left, right, theta)
    return {"ntk": flat(ntk), "nngp": flat(nngp)}


def main():
    train, test = points()
    networks = []
    for hidden, weight, bias in NETWORKS:
        kernel = infinite_network(hidden, weight, bias)
        networks.append({
            "hidden": hidden, "weight_variance": weight, "bias_variance": bias,
            "infinite": [infinite_kernels(kernel, train, train), infinite_kernels(kernel, train, test)],
            "finite": [finite_kernels(hidden, weight, bias, train, train),
                       finite_kernels(hidden, weight, bias, train, test)],
        })
    kernel = residual_network(1.3, 0.1)
    residual = {"weight_variance": 1.3, "bias_variance": 0.1,
                "infinite": [infinite_kernels(kernel, train, train), infinite_kernels(kernel, train, test)]}
    reference = {"version": nt.__version__, "networks": networks, "residual": residual}
    # One network a line; 17 digits, as json writes floats.
    print(json.dumps(reference).replace('{"hidden"', '\n{"hidden"').replace('"residual"', '\n"residual"'))


if __name__ == "__main__":
    main()
