"""gramstep's estimators without settings beside others at their defaults: one split of each table, one table of errors.

    python tables.py --results FILE.jsonl [--tables FOLDER] [--splits 2] [--only NAME,..] [--methods NAME,..]
    python tables.py --results FILE.jsonl --show

Needs gramstep, scikit-learn and pandas; CatBoost takes part where it is installed, RealMLP and TabM where pytabkit is. Every table meets every method on the
same seeded splits, a tenth of the rows for the test, at most 5000 rows. Besides scikit-learn's own tables and the public
functions of friedman1991, `--tables` adds every CSV of a folder, of which the last column is the target. A result is
a line of the file; what is there is not done again, so that the script can be stopped and goes on.

Gaps become the median of the training rows and text 0/1 columns for those that do not take them; RealMLP and TabM get the text as
categories, and gramstep's estimators read columns as they are.
"""

import argparse
import json
import pathlib
import sys
import time
import warnings

import numpy as np
import pandas as pd

ROWS = 5000
TIE = 0.02  # Of the better error.


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--results", type=pathlib.Path, required=True)
    options.add_argument("--tables", type=pathlib.Path)
    options.add_argument("--splits", type=int, default=2)
    options.add_argument("--only", default="")
    options.add_argument("--methods", default="")
    options.add_argument("--show", action="store_true")
    options = options.parse_args()
    warnings.filterwarnings("ignore")
    done = read(options.results)
    if options.show:
        return show(done)
    wanted = [name for name in options.methods.split(",") if name] or list(methods())
    for name, X, y in tables(options.tables):
        if options.only and name not in options.only.split(","):
            continue
        for split in range(options.splits):
            for method in wanted:
                if (name, split, method) not in done:
                    entry = judge(name, X, y, split, method)
                    with options.results.open("a") as out:
                        out.write(json.dumps(entry) + "\n")
                    print(entry, file=sys.stderr)
    return show(read(options.results))


def read(path):
    """What is there: (table, split, method) to (error, seconds)."""
    lines = path.read_text().splitlines() if path.exists() else []
    entries = map(json.loads, lines)
    return {(one["table"], one["split"], one["method"]): (one["error"], one["seconds"]) for one in entries}


def tables(folder):
    """Names, inputs and targets."""
    from sklearn.datasets import load_diabetes, make_friedman1, make_friedman2, make_friedman3

    X, y = load_diabetes(return_X_y=True, as_frame=True)
    yield "diabetes", X, y
    for name, make in [("friedman1", make_friedman1), ("friedman2", make_friedman2), ("friedman3", make_friedman3)]:
        X, y = make(n_samples=600, noise=0.1, random_state=0)
        yield name, pd.DataFrame(X).add_prefix("x"), pd.Series(y)
    for path in sorted(folder.glob("*.csv")) if folder else []:
        frame = pd.read_csv(path).sample(frac=1.0, random_state=0).head(ROWS)
        yield path.stem, frame.iloc[:, :-1], frame.iloc[:, -1]


def methods():
    """Names and makers of estimators at their defaults."""
    from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
    from sklearn.neural_network import MLPRegressor

    def process(width):
        kernel = ConstantKernel() * RBF(np.ones(width)) + WhiteKernel()
        return GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)

    makers = {
        "gramstep": None,
        "HistGradientBoosting": lambda _: HistGradientBoostingRegressor(random_state=0),
        "RandomForest": lambda _: RandomForestRegressor(random_state=0, n_jobs=-1),
        "MLPRegressor": lambda _: MLPRegressor(random_state=0, max_iter=1000),
        "GaussianProcess": process,
    }
    try:
        from catboost import CatBoostRegressor

        makers["CatBoost"] = lambda _: CatBoostRegressor(random_seed=0, verbose=False, allow_writing_files=False)
    except ImportError:
        pass
    try:
        from pytabkit import RealMLP_TD_Regressor, TabM_D_Regressor

        makers["RealMLP"] = lambda _: RealMLP_TD_Regressor(random_state=0, device="cpu", n_threads=2)
        makers["TabM"] = lambda _: TabM_D_Regressor(random_state=0, device="cpu", n_threads=2)
    except ImportError:
        pass
    return makers


def judge(name, X, y, split, method):
    """One fit, and its error on rows that it has not seen."""
    order = np.random.default_rng(split).permutation(len(y))
    test, train = np.split(order, [max(1, len(y) // 10)])
    inputs, targets = (X.iloc[train], X.iloc[test]), (y.iloc[train].to_numpy(float), y.iloc[test].to_numpy(float))
    began = time.perf_counter()
    predicted = fit(method, inputs, targets[0])
    error = float(np.sqrt(np.mean((predicted - targets[1]) ** 2)))
    seconds = round(time.perf_counter() - began, 2)
    return {"table": name, "split": split, "method": method, "error": error, "seconds": seconds, "rows": len(train)}


def fit(method, inputs, target):
    if method == "gramstep":
        from gramstep import GramstepRegressor

        return GramstepRegressor(random_state=0, impute=True).fit(inputs[0], target).predict(inputs[1])
    if method in ("RealMLP", "TabM"):
        train, test = filled(*inputs)
        return methods()[method](None).fit(train, target).predict(test).reshape(-1)
    plain = encoded(*inputs)
    if method in ("MLPRegressor", "GaussianProcess"):
        mean, scale = plain[0].mean(axis=0), plain[0].std(axis=0) + 1e-12
        plain = [(rows - mean) / scale for rows in plain]
    if method == "MLPRegressor":
        centre, spread = target.mean(), target.std()
        model = methods()[method](None).fit(plain[0], (target - centre) / spread)
        return centre + spread * model.predict(plain[1])
    return methods()[method](plain[0].shape[1]).fit(plain[0], target).predict(plain[1])


def filled(train, test):
    """Without gaps, text as categories."""
    numbers = train.select_dtypes("number").columns
    text = {name: "category" for name in train.columns.difference(numbers)}
    medians = train[numbers].median()
    both = pd.concat([train, test]).fillna(medians)
    both = both.astype({name: str for name in text}).astype(text)
    return both.iloc[: len(train)], both.iloc[len(train) :]


def encoded(train, test):
    """Numbers alone: 0/1 columns for text, medians for gaps."""
    both = pd.get_dummies(pd.concat([train, test]), dtype=float)
    both = both.fillna(both.iloc[: len(train)].median()).fillna(0.0)
    values = both.to_numpy(float)
    return [values[: len(train)], values[len(train) :]]


def show(done):
    """A row a table with the mean error of each method; how often gramstep wins, ties and loses against the best other."""
    names = list(dict.fromkeys(method for _, _, method in done))
    others = [name for name in names if name != "gramstep"]
    print("| table | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 1))
    counts = dict.fromkeys(["wins", "ties", "losses"], 0)
    for table in dict.fromkeys(table for table, _, _ in done):
        splits = {split for name, split, _ in done if name == table}
        whole = [split for split in splits if all((table, split, name) in done for name in names)]
        if not whole:
            continue
        mean = {name: np.mean([done[table, split, name][0] for split in whole]) for name in names}
        best = min(mean[name] for name in others) if others else np.inf
        ratio = mean.get("gramstep", np.inf) / best
        counts["wins" if ratio < 1 - TIE else "ties" if ratio <= 1 + TIE else "losses"] += 1
        cells = [f"**{mean[name]:.4g}**" if mean[name] == min(mean.values()) else f"{mean[name]:.4g}" for name in names]
        print(f"| {table} | " + " | ".join(cells) + " |")
    print(f"\nAgainst the best of the others: {counts}")


if __name__ == "__main__":
    main()
