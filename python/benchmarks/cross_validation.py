"""Five-fold cross-validation of GramGaussNewtonRegressor beside MLPRegressor: R² and seconds, one JSON line each.

    python benchmarks/cross_validation.py diabetes
    GRAMSTEP_DATA=FOLDER python benchmarks/cross_validation.py california

The second needs the file FOLDER/california-housing/housing.csv. Rivals: MLPRegressor as it comes, and a pipeline that
standardises inputs and target, with a grid over widths and alpha that is searched inside every fold.
"""

import json
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.compose import TransformedTargetRegressor, make_column_selector, make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from gramstep import GramGaussNewtonRegressor, NTKRegressor


def load(name):
    """X as a float array, y."""
    if name == "diabetes":
        return load_diabetes(return_X_y=True)
    import pandas as pd

    frame = pd.read_csv(Path(os.environ["GRAMSTEP_DATA"]) / "california-housing" / "housing.csv")
    y = frame.pop("median_house_value").to_numpy(float)
    columns = make_column_transformer(
        (OneHotEncoder(sparse_output=False), make_column_selector(dtype_exclude=np.number)),
        (SimpleImputer(strategy="median", add_indicator=True), make_column_selector(dtype_include=np.number)),
    )
    return columns.fit_transform(frame), y


def rivals(large):
    plain = MLPRegressor(random_state=0)
    network = MLPRegressor(random_state=0, early_stopping=True, max_iter=500)
    scaled = TransformedTargetRegressor(make_pipeline(StandardScaler(), network), transformer=StandardScaler())
    widths = [(100,), (256, 256)] if large else [(50,), (100,), (50, 50)]
    name = "regressor__mlpregressor__"
    grid = {name + "hidden_layer_sizes": widths, name + "alpha": [1e-4, 1e-1] if large else [1e-4, 1e-2, 1.0]}
    return {"MLPRegressor": plain, "MLPRegressor, scaled, grid": GridSearchCV(scaled, grid, cv=3)}


def main(name, *only):
    X, y = load(name)
    large = len(X) > 5000
    models = {"GramGaussNewtonRegressor": GramGaussNewtonRegressor(random_state=0)}
    if not large:
        models["NTKRegressor"] = NTKRegressor()
    models |= rivals(large)
    folds = list(KFold(5, shuffle=True, random_state=0).split(X))
    warnings.simplefilter("ignore", ConvergenceWarning)
    for label, model in models.items():
        if only and label not in only:
            continue
        scores, seconds = [], []
        for train, test in folds:
            start = time.perf_counter()
            model.fit(X[train], y[train])
            seconds.append(time.perf_counter() - start)
            scores.append(model.score(X[test], y[test]))
        line = {"data": name, "model": label, "r2": np.round(scores, 4).tolist(), "mean_r2": round(np.mean(scores), 4)}
        print(json.dumps(line | {"fit_seconds": round(float(np.mean(seconds)), 2)}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
