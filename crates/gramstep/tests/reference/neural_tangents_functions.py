#!/usr/bin/env python3
"""Kernels of networks with functions that finite networks of gramstep do not have, by neural-tangents 0.6.5 in double
precision: NTK and NNGP between two points and three others, on vectors and on images.

usage: neural_tangents_functions.py > neural_tangents_functions.json   (in the environment of bench/peers/requirements-ntk.txt)

Points are 1.5·sin(78.233 (i + 1)), five rows of 5 numbers or five images of 4×4×2. Networks are dense, φ, dense, φ, dense, or
the same with convolutions and the mean over pixels. He_n, whose kernel is Kⁿ only at variance 1, stands behind a
normalisation there.
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

WEIGHT, BIAS = 1.3, 0.2

FUNCTIONS = [  # the function's words, its layer, whether values are normalised before it
    (["sign"], stax.Sign(), False),
    (["rectifier", -0.3, 1.2], stax.ABRelu(-0.3, 1.2), False),
    (["erf", 0.7, 1.9, 0.3], stax.Erf(0.7, 1.9, 0.3), False),
    (["sigmoid-like"], stax.Sigmoid_like(), False),
    (["sine", 0.8, 1.4, 0.6], stax.Sin(0.8, 1.4, 0.6), False),
    (["sine", 1.0, 1.0, 1.5707963267948966], stax.Cos(), False),
    (["rbf", 0.4], stax.Rbf(0.4), False),
    (["exp", 0.9, 0.5], stax.Exp(0.9, 0.5), False),
    (["gaussian", 1.1, 0.7], stax.Gaussian(1.1, -0.7), False),
    (["monomial", 3], stax.Monomial(3), False),
    (["polynomial", 0.4, -1.0, 0.3, 0.2], stax.Polynomial([0.4, -1.0, 0.3, 0.2]), False),
    (["hermite", 3], stax.Hermite(3), True),
]


def network(layer, image, normalised):
    scale = dict(W_std=WEIGHT**0.5, b_std=BIAS**0.5)
    dense = stax.Dense(1, **scale)
    linear = stax.Conv(1, (3, 3), padding="SAME", **scale) if image else dense
    block = [linear, stax.LayerNorm(axis=-1, eps=0.0), layer] if normalised else [linear, layer]
    return stax.serial(*block, *block, *([stax.GlobalAvgPool()] if image else []), dense)


def main():
    results = []
    for words, layer, normalised in FUNCTIONS:
        for shape in ((5,), (4, 4, 2)):
            x = 1.5 * np.sin(78.233 * (np.arange(5 * np.prod(shape)) + 1)).reshape(5, *shape)
            kernel = network(layer, len(shape) > 1, normalised)[2]
            both = kernel(jnp.array(x[:2]), jnp.array(x[2:]), get=("ntk", "nngp"))
            kernels = {"ntk": np.asarray(both.ntk).tolist(), "nngp": np.asarray(both.nngp).tolist()}
            results.append({"function": words, "image": len(shape) > 1, "normalised": normalised, **kernels})
    reference = {"version": nt.__version__, "weight_variance": WEIGHT, "bias_variance": BIAS, "networks": results}
    print(json.dumps(reference).replace('{"function"', '\n{"function"'))


if __name__ == "__main__":
    main()
