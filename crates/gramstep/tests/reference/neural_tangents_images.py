#!/usr/bin/env python3
"""Kernels of infinitely wide convolutional networks by neural-tangents 0.6.5 in double precision: NTK and NNGP between
two images and three others.

usage: neural_tangents_images.py > neural_tangents_images.json     (in the environment of bench/peers/requirements-ntk.txt)

Images are 1.5·sin(78.233 (i + 1)), row by row, five of them. A network is written in the words that the test reads:
conv KERNEL STRIDE PADDING, relu, erf, pool SIDE, sum SIDE, gap, flatten, dense, norm, and residual [..] [..].
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

WEIGHT, BIAS = 2.0, 0.04


def conv(kernel=3, stride=1, padding="SAME"):
    return ["conv", kernel, stride, padding]


def deep(depth, activation, head, padding="SAME"):
    return [layer for _ in range(depth) for layer in (conv(padding=padding), [activation])] + [[head], ["dense"]]


def block(stride, change):
    return ["residual", [["relu"], conv(stride=stride), ["relu"], conv()], [conv(stride=stride)] if change else []]


def wide(blocks, head):
    groups = [layer for stride in (1, 2, 2) for layer in [block(stride, True)] + [block(1, False)] * (blocks - 1)]
    return [conv()] + groups + [[head], ["dense"]]


def pooled(head):
    return [conv(), ["relu"], conv(), ["relu"], ["pool", 2], conv(), ["relu"], ["pool", 2], conv(), ["relu"], [head], ["dense"]]


NETWORKS = [  # height, width, channels, layers
    (8, 8, 3, deep(3, "relu", "flatten")),
    (8, 8, 3, deep(3, "relu", "gap")),
    (8, 8, 3, deep(3, "erf", "gap")),
    (8, 8, 3, deep(10, "relu", "gap")),
    (8, 8, 3, deep(3, "relu", "gap", "CIRCULAR")),
    (8, 8, 3, deep(2, "relu", "flatten", "VALID")),
    (8, 8, 3, pooled("gap")),
    (8, 8, 3, pooled("flatten")),
    (8, 8, 3, wide(2, "gap")),
    (8, 8, 3, wide(1, "flatten")),
    (7, 6, 2, [conv(4, 3), ["relu"], conv(2, 1), ["erf"], ["gap"], ["dense"], ["relu"], ["dense"]]),
    (6, 6, 2, [conv(), ["relu"], ["sum", 2], conv(), ["norm"], ["relu"], ["flatten"], ["dense"]]),
    (32, 32, 3, deep(21, "relu", "flatten")),
    (32, 32, 3, pooled("flatten")),
    (32, 32, 3, wide(1, "gap")),
]


def layer(words):
    match words:
        case ["conv", kernel, stride, padding]:
            return stax.Conv(1, (kernel, kernel), (stride, stride), padding=padding, W_std=WEIGHT**0.5, b_std=BIAS**0.5)
        case ["dense"]:
            return stax.Dense(1, W_std=WEIGHT**0.5, b_std=BIAS**0.5)
        case ["relu"]:
            return stax.Relu()
        case ["erf"]:
            return stax.Erf()
        case ["norm"]:
            return stax.LayerNorm(axis=-1, eps=1e-5)
        case ["pool", side]:
            return stax.AvgPool((side, side), (side, side))
        case ["sum", side]:
            return stax.SumPool((side, side), (side, side))
        case ["gap"]:
            return stax.GlobalAvgPool()
        case ["flatten"]:
            return stax.Flatten()
        case ["residual", branch, shortcut]:
            other = network(shortcut) if shortcut else stax.Identity()
            return stax.serial(stax.FanOut(2), stax.parallel(network(branch), other), stax.FanInSum())
    raise ValueError(words)


def network(layers):
    return stax.serial(*[layer(words) for words in layers])


def main():
    results = []
    for height, width, channels, layers in NETWORKS:
        count = 5 * height * width * channels
        x = 1.5 * np.sin(78.233 * (np.arange(count) + 1)).reshape(5, height, width, channels)
        kernel = network(layers)[2]
        both = kernel(jnp.array(x[:2]), jnp.array(x[2:]), get=("ntk", "nngp"))
        kernels = {"ntk": np.asarray(both.ntk).tolist(), "nngp": np.asarray(both.nngp).tolist()}
        results.append({"height": height, "width": width, "channels": channels, "layers": layers, **kernels})
        print(len(results), file=sys.stderr, flush=True)
    reference = {"version": nt.__version__, "weight_variance": WEIGHT, "bias_variance": BIAS, "networks": results}
    print(json.dumps(reference).replace('{"height"', '\n{"height"'))


if __name__ == "__main__":
    main()
