"""Kernels of images by gramstep and by neural-tangents: CPU time of one thread for an entry, both in this process and in
turn, compiled and warmed up, and how far the kernels are apart.

usage: image_kernels.py [NETWORK ..] [--rows N] [--repeats N]      NETWORK: gap-21, erf-21, flatten-21, myrtle-5, wide-residual

In the environment of requirements-ntk.txt, with gramstep's package installed or its python/ in PYTHONPATH. A time holds
everything from the images on: N rows with 16 columns here, with one column there.
"""

import argparse
import os
import sys
import time
import types

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# neural-tangents imports its TensorFlow front door, unused here, on its way in; an empty one spares TensorFlow.
sys.modules["neural_tangents.experimental"] = types.ModuleType("neural_tangents.experimental")

import jax
import numpy as np
from jax.experimental import enable_x64
from neural_tangents import stax

from gramstep import InfiniteNetwork
from gramstep.infinite import Activation, AvgPool, Conv, Dense, Flatten, GlobalAvgPool, Residual

WEIGHT, BIAS = 2.0, 0.01


def deep(activation, head):
    return [layer for _ in range(21) for layer in (("conv", 1), (activation,))] + [(head,)]


def myrtle():
    block = [("conv", 1), ("relu",)]
    return [*block, *block, ("pool",), *block, ("pool",), *block, ("pool",), ("pool",), ("pool",), ("flatten",)]


def wide_residual():
    def block(stride, change):
        branch = [("relu",), ("conv", stride), ("relu",), ("conv", 1)]
        return ("residual", branch, [("conv", stride)] if change else [])

    return [("conv", 1), *[block(s, c) for stride in (1, 2, 2) for s, c in ((stride, True), (1, False))], ("mean",)]


NETWORKS = {
    "gap-21": deep("relu", "mean"),
    "erf-21": deep("erf", "mean"),
    "flatten-21": deep("relu", "flatten"),
    "myrtle-5": myrtle(),
    "wide-residual": wide_residual(),
}


def here(words):
    match words:
        case ("conv", stride):
            return Conv(3, stride=stride, weight_variance=WEIGHT, bias_variance=BIAS)
        case ("pool",):
            return AvgPool(2)
        case ("mean",):
            return GlobalAvgPool()
        case ("flatten",):
            return Flatten()
        case ("residual", branch, shortcut):
            return Residual([here(layer) for layer in branch], [here(layer) for layer in shortcut])
        case (activation,):
            return Activation(activation)


def there(words):
    scale = {"W_std": WEIGHT**0.5, "b_std": BIAS**0.5}
    match words:
        case ("conv", stride):
            return stax.Conv(1, (3, 3), (stride, stride), "SAME", **scale)
        case ("pool",):
            return stax.AvgPool((2, 2), (2, 2))
        case ("mean",):
            return stax.GlobalAvgPool()
        case ("flatten",):
            return stax.Flatten()
        case ("residual", branch, shortcut):
            other = stax.serial(*map(there, shortcut)) if shortcut else stax.Identity()
            return stax.serial(stax.FanOut(2), stax.parallel(stax.serial(*map(there, branch)), other), stax.FanInSum())
        case ("relu",):
            return stax.Relu()
        case ("erf",):
            return stax.Erf()


def cpu_time(run):
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def compare(name, dtype, rows, repeats):
    words = NETWORKS[name]
    images = np.random.default_rng(0).normal(size=(rows + 16, 32, 32, 3)).astype(dtype)
    x, z = images[:rows], images[rows:]
    ours = InfiniteNetwork([*map(here, words), Dense(WEIGHT, BIAS)])
    kernel = jax.jit(
        stax.serial(*map(there, words), stax.Dense(1, W_std=WEIGHT**0.5, b_std=BIAS**0.5))[2], static_argnames="get"
    )
    theirs = lambda: np.asarray(kernel(x, z[:1], get="ntk"))
    theirs()
    times = [(cpu_time(lambda: ours.ntk(x, z, threads=1)), cpu_time(theirs)) for _ in range(repeats)]
    (_, got), (_, want) = times[0]
    mine = min(time for (time, _), _ in times) / (rows * 16)
    peer = min(time for _, (time, _) in times) / rows
    apart = np.max(np.abs(got[:, :1] - want) / np.abs(want))
    print(f"| {name} | {dtype} | {1e3 * peer:.4g} | {1e3 * mine:.4g} | {peer / mine:.0f} | {apart:.1e} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", default=list(NETWORKS))
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    print("| network | numbers | neural-tangents, ms an entry | gramstep, ms an entry | ratio | apart |")
    print("|---|---|---|---|---|---|")
    for name in arguments.networks:
        for dtype, double in (("float32", False), ("float64", True)):
            with enable_x64(double):
                compare(name, dtype, arguments.rows, arguments.repeats)


if __name__ == "__main__":
    main()
