"""Regression under attack: what small changes of the inputs do to a model, and to one that was trained against them.

    python examples/adversarial_regression.py [--plot robustness.png]

Radii are in the units of the data, here standardised by scikit-learn already (each column has length 1 over 442 rows).
"""

import argparse

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from gramstep import GramGaussNewtonRegressor, attacks


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", metavar="FILE", help="draw error against radius (needs matplotlib)")
    plot = parser.parse_args().plot

    X, new, y, truth = train_test_split(*load_diabetes(return_X_y=True), random_state=0)
    options = {"hidden_layer_sizes": (50,), "activation": "tanh", "max_iter": 40, "random_state": 0}
    models = {
        "plain": GramGaussNewtonRegressor(**options).fit(X, y),
        "adversarial": GramGaussNewtonRegressor(**options, adversarial="linf:0.01:pgd:5").fit(X, y),
    }
    radii = [0.0, 0.0025, 0.005, 0.01]
    errors = {}
    for name, model in models.items():
        moved = [attacks.pgd(model, new, truth, norm="linf", radius=radius).adversarial for radius in radii]
        errors[name] = [float(np.sqrt(np.mean((model.predict(x) - truth) ** 2))) for x in moved]
        line = ", ".join(f"{error:.1f} at {radius}" for radius, error in zip(radii, errors[name], strict=True))
        print(f"{name:11} rmse {line}")
    assert errors["adversarial"][-1] < errors["plain"][-1]

    if plot:
        import matplotlib.pyplot as plt

        for name, values in errors.items():
            plt.plot(radii, values, "o-", label=name)
        plt.xlabel("radius of the attack (ℓ∞)")
        plt.ylabel("rmse on new rows")
        plt.legend()
        plt.savefig(plot)


if __name__ == "__main__":
    main()
