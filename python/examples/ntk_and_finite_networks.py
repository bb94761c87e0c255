"""The tangent kernel of an infinitely wide network beside those of finite ones, and what it says of their training.

    python examples/ntk_and_finite_networks.py [--plot kernel.png]

The first half: the empirical kernel tends to the infinite one as 1/√width. The second: a wide network that is trained by
gradient descent follows the closed form of its kernel.
"""

import argparse

import numpy as np

import gramstep


def empirical(X, width, seed):
    model = gramstep.Model.mlp([3, width, width, 1], activation="relu", parameterization="ntk", seed=seed)
    return gramstep.empirical_ntk(model, X)


def descend(model, X, y, rate, steps):
    """Gradient descent on ½Σr²."""
    for _ in range(steps):
        model.theta = model.theta - rate * model.vjp(X, model.predict(X) - y)
    return model.predict(X)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", metavar="FILE", help="draw the errors (needs matplotlib)")
    plot = parser.parse_args().plot

    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 3))
    limit = gramstep.ntk(X, depth=2, activation="relu")
    widths, errors = [16, 64, 256], []
    for width in widths:
        kernels = [empirical(X, width, seed) for seed in range(8)]
        errors.append(np.sqrt(np.mean([(kernel - limit) ** 2 for kernel in kernels])) / np.abs(limit).mean())
        print(f"width {width:4}: relative error of the empirical kernel {errors[-1]:.3f}")
    assert errors[-1] < 0.5 * errors[0]

    y = np.sin(X[:, :1])
    for width in (32, 512):
        model = gramstep.Model.mlp([3, width, 1], activation="tanh", parameterization="ntk", symmetric=True, seed=1)
        dynamics = gramstep.KernelDynamics(model.gram(X), model.predict(X), y)
        rate = 0.5 * dynamics.largest_stable_rate()
        predicted = dynamics.outputs(steps=100, learning_rate=rate)
        trained = descend(model, X, y, rate, steps=100)
        distance = np.linalg.norm(trained - predicted) / np.linalg.norm(predicted)
        print(f"width {width:4}: after 100 steps {distance:.4f} from the closed form, loss {np.mean((trained - y) ** 2):.2e}")
    assert distance < 0.05

    if plot:
        import matplotlib.pyplot as plt

        plt.loglog(widths, errors, "o-", label="relative error of the empirical kernel")
        plt.loglog(widths, errors[0] * np.sqrt(widths[0] / np.array(widths)), "--", label="1/√width")
        plt.xlabel("width")
        plt.legend()
        plt.savefig(plot)


if __name__ == "__main__":
    main()
