"""A current JAX on the CPU: an SGD step."""

from functools import partial

import jax
import jax.numpy as jnp

from timing import Operation, keep_to_cores, measure, parse_arguments

MLP = [784, 1024, 1024, 1024, 1]


def main():
    cases = {"step-mlp": partial(step_mlp, "step-mlp", 128), "step-mlp-512": partial(step_mlp, "step-mlp-512", 512)}
    arguments = parse_arguments(__doc__, cases)
    keep_to_cores(arguments.threads)
    for case in arguments.cases:
        measure(cases[case](arguments.threads), arguments.repeats)


def step_mlp(name, n, threads):
    """One jitted SGD step with momentum 0.9 on a batch of n rows, from inputs to updated weights, in donated buffers."""
    *keys, key_x, key_y = jax.random.split(jax.random.PRNGKey(0), len(MLP) + 1)
    parameters = [
        (jax.random.normal(key, (fan_in, fan_out)) * (2 / fan_in) ** 0.5, jnp.zeros(fan_out))
        for key, fan_in, fan_out in zip(keys, MLP, MLP[1:])
    ]
    x = jax.random.normal(key_x, (n, MLP[0]))
    y = jax.random.normal(key_y, (n, 1))

    @partial(jax.jit, donate_argnums=(0, 1))
    def update(parameters, velocity, x, y):
        loss, gradient = jax.value_and_grad(mean_square)(parameters, x, y)
        velocity = jax.tree.map(lambda v, g: 0.9 * v + g, velocity, gradient)
        parameters = jax.tree.map(lambda p, v: p - 1e-3 * v, parameters, velocity)
        return parameters, velocity, loss

    state = (parameters, jax.tree.map(jnp.zeros_like, parameters))

    def step():
        nonlocal state
        *state, loss = update(*state, x, y)
        jax.block_until_ready(state)
        return loss.item()

    config = {"peer": "jax", "version": jax.__version__, "threads": threads, "dtype": "f32", "n": n, "layers": MLP}
    return [Operation(f"{name}/jax-sgd", config, step)]


def mean_square(parameters, x, y):
    *hidden, (weight, bias) = parameters
    for hidden_weight, hidden_bias in hidden:
        x = jax.nn.relu(x @ hidden_weight + hidden_bias)
    return jnp.mean((x @ weight + bias - y) ** 2)


if __name__ == "__main__":
    main()
