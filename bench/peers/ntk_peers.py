"""neural-tangents on the CPU: empirical and infinite kernels."""

import sys
import types
from functools import partial

# neural-tangents imports its TensorFlow front door, unused here, on its way in; an empty one spares TensorFlow.
sys.modules["neural_tangents.experimental"] = types.ModuleType("neural_tangents.experimental")

import jax
import jax.numpy as jnp
import neural_tangents as nt
from jax.experimental import enable_x64
from neural_tangents import NtkImplementation, stax

from timing import Operation, keep_to_cores, measure, parse_arguments

MLP = [784, 1024, 1024, 1024, 1]
MLP10 = [784, 512, 512, 10]


def main():
    cases = {"gram-mlp": gram_mlp, "gram-mlp10": gram_mlp10, "ntk-infinite": ntk_infinite,
             "ntk-images": ntk_images}
    arguments = parse_arguments(__doc__, cases, extend=lambda parser: parser.add_argument(
        "--all-implementations", action="store_true",
        help="also the other two ways of neural-tangents; up to a minute a kernel, so with --repeats 1"))
    keep_to_cores(arguments.threads)
    for case in arguments.cases:
        cases[case](arguments)


def gram_mlp(arguments):
    """The empirical kernel of 512 samples and a network with one output, from inputs and weights."""
    empirical_kernel("gram-mlp", arguments, MLP, 512)


def gram_mlp10(arguments):
    """The whole empirical kernel of 128 samples with ten outputs, every pair of outputs: (128, 128, 10, 10)."""
    empirical_kernel("gram-mlp10", arguments, MLP10, 128)


def empirical_kernel(case, arguments, layers, n):
    """Samples are declared independent (vmap_axes=0), without which every way takes hundreds of times longer."""
    implementations = [NtkImplementation.STRUCTURED_DERIVATIVES]
    if arguments.all_implementations:
        implementations += [NtkImplementation.NTK_VECTOR_PRODUCTS, NtkImplementation.JACOBIAN_CONTRACTION]
    parameters, apply, x = problem(layers, n)
    config = describe(arguments, "f32", n=n, layers=layers)
    operations = []
    for implementation in implementations:
        kernel = jax.jit(nt.empirical_ntk_fn(apply, trace_axes=(), vmap_axes=0, implementation=implementation))
        operations.append(Operation(
            f"{case}/neural-tangents-{implementation.name.lower().replace('_', '-')}", config,
            lambda kernel=kernel: kernel(x, None, parameters).block_until_ready()))
    measure(operations, arguments.repeats)


def ntk_infinite(arguments):
    """The infinitely wide network's kernel of 2000 samples with themselves: 784 inputs, three hidden relu layers."""
    _, _, kernel = network([784, 512, 512, 512, 1], parameterization="ntk")
    kernel = jax.jit(kernel, static_argnames="get")
    for dtype, double in [("f32", False), ("f64", True)]:
        with enable_x64(double):
            x = jax.random.normal(jax.random.PRNGKey(1), (2000, 784), jnp.float64 if double else jnp.float32)
            config = describe(arguments, dtype, n=2000, inputs=784, hidden_layers=3)
            measure([Operation("ntk-infinite/neural-tangents", config,
                               lambda: kernel(x, None, get="ntk").block_until_ready())], arguments.repeats)


def ntk_images(arguments):
    """Kernels of two images with sixteen others, 32x32x3: 21 convolutions with the mean over pixels, with all pixels, and a
    wide residual network of two blocks a group."""
    convolution = lambda stride=1: stax.Conv(1, (3, 3), (stride, stride), "SAME", W_std=2**0.5, b_std=0.1)
    dense = stax.Dense(1, W_std=2**0.5, b_std=0.1)
    deep = [layer for _ in range(21) for layer in (convolution(), stax.Relu())]

    def block(stride, change):
        branch = stax.serial(stax.Relu(), convolution(stride), stax.Relu(), convolution())
        shortcut = convolution(stride) if change else stax.Identity()
        return stax.serial(stax.FanOut(2), stax.parallel(branch, shortcut), stax.FanInSum())

    residual = [convolution()] + [layer for stride in (1, 2, 2) for layer in (block(stride, True), block(1, False))]
    for name, layers in [("gap-21", [*deep, stax.GlobalAvgPool()]), ("flatten-21", [*deep, stax.Flatten()]),
                         ("wide-residual", [*residual, stax.GlobalAvgPool()])]:
        kernel = jax.jit(stax.serial(*layers, dense)[2], static_argnames="get")
        for dtype, double in [("f32", False), ("f64", True)]:
            with enable_x64(double):
                images = jax.random.normal(jax.random.PRNGKey(1), (18, 32, 32, 3), jnp.float64 if double else jnp.float32)
                config = describe(arguments, dtype, rows=2, columns=16)
                measure([Operation(f"ntk-images/{name}/neural-tangents", config,
                                   lambda: kernel(images[:2], images[2:], get="ntk").block_until_ready())],
                        arguments.repeats)


def problem(layers, n):
    """Weights, the network as a function of (weights, inputs), and inputs."""
    initialise, apply, _ = network(layers, parameterization="standard")
    _, parameters = initialise(jax.random.PRNGKey(0), (1, layers[0]))
    return parameters, apply, jax.random.normal(jax.random.PRNGKey(1), (n, layers[0]))


def network(layers, parameterization):
    dense = partial(stax.Dense, W_std=2**0.5, b_std=0.1, parameterization=parameterization)
    hidden = [layer for width in layers[1:-1] for layer in (dense(width), stax.Relu())]
    return stax.serial(*hidden, dense(layers[-1]))


def describe(arguments, dtype, **sizes):
    return {"peer": "neural-tangents", "version": nt.__version__, "threads": arguments.threads, "dtype": dtype, **sizes}


if __name__ == "__main__":
    main()
