#!/usr/bin/env python3
"""Kernels of infinitely wide convolutional networks by neural-tangents 0.6.5 in double precision: NTK and NNGP between
two images and three others.

usage: neural_tangents_images.py > neural_tangents_images.json     (in the environment of bench/peers/requirements-ntk.txt)

Images are 1.5·sin(78.233 (i + 1)), row by row, five of them. A network is written in the words that the test reads:
conv KERNEL STRIDE PADDING CHANNELS, an activation, pool SIDE, sum SIDE, gap, flatten, dense CHANNELS, norm, and
residual [..] [..]. Channels count in the standard parameterisation alone. (RectifiedMonomial of images is not a number there.)
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

ACTIVATIONS = {
    "leaky-relu": stax.LeakyRelu(0.01),
    "abs": stax.Abs(),
    "gelu": stax.Gelu(),
    "sin": stax.Sin(),
    "cos": stax.Cos(),
}


def conv(kernel=3, stride=1, padding="SAME", channels=1):
    return ["conv", kernel, stride, padding, channels]


def deep(depth, activation, head, padding="SAME"):
    return [layer for _ in range(depth) for layer in (conv(padding=padding), [activation])] + [[head], ["dense", 1]]


def block(stride, change):
    return ["residual", [["relu"], conv(stride=stride), ["relu"], conv()], [conv(stride=stride)] if change else []]


def wide(blocks, head):
    groups = [layer for stride in (1, 2, 2) for layer in [block(stride, True)] + [block(1, False)] * (blocks - 1)]
    return [conv()] + groups + [[head], ["dense", 1]]


def pooled(head):
    return [conv(), ["relu"], conv(), ["relu"], ["pool", 2], conv(), ["relu"], ["pool", 2], conv(), ["relu"], [head], ["dense", 1]]


def widening(stride, padding, head):
    """Channels of their own for every layer, two blocks of which the second keeps them."""
    first = ["residual", [["relu"], conv(3, stride, padding, 12), ["relu"], conv(channels=12)], [conv(1, stride, "VALID", 12)]]
    second = ["residual", [["erf"], conv(2, channels=12)], []]
    tail = [["relu"], ["pool", 2], conv(channels=6), ["relu"], [head], ["dense", 9], ["erf"], ["dense", 1]]
    return [conv(channels=5), first, second, *tail]


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
    (7, 6, 2, [conv(4, 3), ["relu"], conv(2, 1), ["erf"], ["gap"], ["dense", 1], ["relu"], ["dense", 1]]),
    (6, 6, 2, [conv(), ["relu"], ["sum", 2], conv(), ["norm"], ["relu"], ["flatten"], ["dense", 1]]),
    (32, 32, 3, deep(21, "relu", "flatten")),
    (32, 32, 3, pooled("flatten")),
    (32, 32, 3, wide(1, "gap")),
    *[(4, 4, 2, deep(2, name, "gap")) for name in ACTIVATIONS],
    *[(5, 4, 2, deep(2, "relu", head, padding)) for head in ("gap", "flatten") for padding in ("CIRCULAR", "SAME")],
]

# In the standard parameterisation.
STANDARD = [
    (6, 5, 2, [["flatten"], ["dense", 11], ["relu"], ["dense", 7], ["erf"], ["dense", 3]]),
    (6, 5, 2, [conv(channels=4), ["relu"], conv(2, 2, "VALID", 7), ["relu"], ["flatten"], ["dense", 3]]),
    (6, 6, 2, [conv(3, 1, "CIRCULAR", 4), ["erf"], conv(3, 1, "CIRCULAR", 7), ["relu"], ["gap"], ["dense", 1]]),
    (8, 8, 3, widening(2, "SAME", "gap")),
    (8, 8, 3, widening(1, "SAME", "flatten")),
]


def layer(words, parameterization):
    scale = {"W_std": WEIGHT**0.5, "b_std": BIAS**0.5, "parameterization": parameterization}
    match words:
        case ["conv", kernel, stride, padding, channels]:
            return stax.Conv(channels, (kernel, kernel), (stride, stride), padding=padding, **scale)
        case ["dense", channels]:
            return stax.Dense(channels, **scale)
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
            other = network(shortcut, parameterization) if shortcut else stax.Identity()
            both = stax.parallel(network(branch, parameterization), other)
            return stax.serial(stax.FanOut(2), both, stax.FanInSum())
        case [name]:
            return ACTIVATIONS[name]
    raise ValueError(words)


def network(layers, parameterization):
    return stax.serial(*[layer(words, parameterization) for words in layers])


def kernels(networks, parameterization):
    results = []
    for height, width, channels, layers in networks:
        count = 5 * height * width * channels
        x = 1.5 * np.sin(78.233 * (np.arange(count) + 1)).reshape(5, height, width, channels)
        kernel = network(layers, parameterization)[2]
        both = kernel(jnp.array(x[:2]), jnp.array(x[2:]), get=("ntk", "nngp"))
        both = {"ntk": np.asarray(both.ntk).tolist(), "nngp": np.asarray(both.nngp).tolist()}
        results.append({"height": height, "width": width, "channels": channels, "layers": layers, **both})
        print(len(results), file=sys.stderr, flush=True)
    return results


def main():
    reference = {"version": nt.__version__, "weight_variance": WEIGHT, "bias_variance": BIAS,
                 "networks": kernels(NETWORKS, "ntk"), "standard": kernels(STANDARD, "standard")}
    print(json.dumps(reference).replace('{"height"', '\n{"height"').replace('"standard"', '\n"standard"'))


if __name__ == "__main__":
    main()
