"""A network, its linearisation and the kernel of its infinitely wide limit under one attack, on MNIST: error without and
with attack, and how well what misleads one misleads another.

    GRAMSTEP_DATA=FOLDER python benchmarks/mnist_surrogates.py [--radius 0.1] [--rows 1000] [--attacked 500]

The folder FOLDER/mnist has the four files of MNIST. The models learn the first rows of the training digits; the first
test digits are attacked by PGD with 20 steps in the box 0..1.
"""

import argparse
import gzip
import os
import time
from pathlib import Path

import numpy as np

import gramstep
from gramstep import attacks


def digits(kind, rows):
    """Pixels between 0 and 1, and labels."""
    folder = Path(os.environ["GRAMSTEP_DATA"]) / "mnist"
    with gzip.open(folder / f"{kind}-images-idx3-ubyte.gz") as images:
        pixels = np.frombuffer(images.read(16 + 784 * rows)[16:], np.uint8).reshape(rows, 784) / 255
    with gzip.open(folder / f"{kind}-labels-idx1-ubyte.gz") as labels:
        return pixels, np.frombuffer(labels.read(8 + rows)[8:], np.uint8).astype(int)


def main(radius, rows, attacked):
    (X, y), (new, truth) = digits("train", rows), digits("t10k", attacked)
    seconds = {}

    def timed(name, make):
        clock = time.perf_counter()
        made = make()
        seconds[name] = time.perf_counter() - clock
        return made

    start = gramstep.Model.mlp([784, 256, 10], activation="relu", seed=0)
    models = {
        "network": timed(
            "network", lambda: gramstep.GramGaussNewtonClassifier((256,), "relu", random_state=0).fit(X, y)
        ),
        "linearised": timed("linearised", lambda: start.linearise().fit(X, np.eye(10)[y], ridge=1.0)),
        "kernel": timed("kernel", lambda: gramstep.NTKClassifier(depth=1, activation="relu").fit(X, y)),
    }
    shares, results = timed(
        "attack", lambda: attacks.transfer(list(models.values()), new, truth, radius=radius, bounds=(0, 1))
    )
    print(f"{rows} digits learnt, {attacked} attacked, linf radius {radius}, attacks {seconds['attack']:.0f} s")
    print(f"{'made for':12}{'fit, s':>8}{'clean':>8}" + "".join(f"{'on ' + name:>16}" for name in models))
    for at, (name, model) in enumerate(models.items()):
        predicted = model.predict(new)
        predicted = predicted.argmax(axis=1) if predicted.ndim > 1 else predicted
        row = "".join(f"{share:16.3f}" for share in shares[at])
        print(f"{name:12}{seconds[name]:8.1f}{np.mean(predicted != truth):8.3f}{row}")
        assert results[at].error == shares[at, at]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--radius", type=float, default=0.1)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--attacked", type=int, default=500)
    main(**vars(parser.parse_args()))
