"""A real table: GramGaussNewtonRegressor beside MLPRegressor, on the progress of diabetes.

    python examples/beat_mlp_regressor.py [--plot curve.png]
"""

import argparse
import time

from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.model_selection import KFold, cross_val_score
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gramstep import GramGaussNewtonRegressor, NTKRegressor


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", metavar="FILE", help="draw the losses of one training (needs matplotlib)")
    plot = parser.parse_args().plot

    X, y = load_diabetes(return_X_y=True)
    scaled = make_pipeline(StandardScaler(), MLPRegressor(early_stopping=True, max_iter=1000, random_state=0))
    models = {
        "MLPRegressor": MLPRegressor(random_state=0, max_iter=500),
        "MLPRegressor, scaled, early stopping": TransformedTargetRegressor(scaled, transformer=StandardScaler()),
        "GramGaussNewtonRegressor": GramGaussNewtonRegressor((50,), "tanh", ensemble=10, random_state=0),
        "NTKRegressor": NTKRegressor(),
    }
    folds = KFold(5, shuffle=True, random_state=0)
    scores = {}
    for name, model in models.items():
        start = time.perf_counter()
        scores[name] = cross_val_score(model, X, y, cv=folds).mean()
        print(f"{name:38} R² {scores[name]:6.3f}   {time.perf_counter() - start:5.1f} s")
    assert scores["GramGaussNewtonRegressor"] > max(score for name, score in scores.items() if "MLP" in name)

    if plot:
        import matplotlib.pyplot as plt

        fitted = models["GramGaussNewtonRegressor"].fit(X, y)
        plt.plot(fitted.loss_curve_, label="training rows")
        plt.plot(fitted.validation_curve_, label="validation rows")
        plt.xlabel("epoch")
        plt.ylabel("mean squared error, standardised")
        plt.legend()
        plt.savefig(plot)


if __name__ == "__main__":
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    warnings.simplefilter("ignore", ConvergenceWarning)
    main()
