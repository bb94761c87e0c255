"""Regression on images with the kernel of a Myrtle-like convolutional network, beside that of a dense network: rows of a table
with error of the test images and CPU time.

usage: image_regression.py [--mnist FOLDER] [--rows 1000] [--test 1000]

FOLDER holds MNIST's four gzipped files; its digits are averaged to 14×14. The other set is drawn: ten kinds of shapes at 16×16
in colours, sizes and places of chance, with noise. Targets are ±1 for every class, the ridge is chosen by leave-one-out.
Needs numpy and gramstep.
"""

import argparse
import gzip
import time
from pathlib import Path

import numpy as np

import gramstep
from gramstep.infinite import Activation, AvgPool, Conv, Dense, Flatten, InfiniteNetwork


def mnist(folder, rows, test):
    """Means over squares of 2×2 pixels, the first images of both parts."""
    def read(name, count):
        images = np.frombuffer(gzip.decompress((folder / f"{name}-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16)
        labels = np.frombuffer(gzip.decompress((folder / f"{name}-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
        return images.reshape(-1, 14, 2, 14, 2)[:count].mean(axis=(2, 4))[..., None] / 255, labels[:count].astype(int)

    return (*read("train", rows), *read("t10k", test))


def shapes(rows, test, seed=0):
    """Discs, squares, triangles, rings, crosses, frames, stripes both ways, checks and pairs of dots."""
    random = np.random.default_rng(seed)
    count = rows + test
    labels = random.integers(10, size=count)
    r, c = np.mgrid[:16, :16]
    images = np.empty((count, 16, 16, 3))
    for image, label in zip(images, labels):
        size, (i, j) = random.uniform(3, 5.5), random.uniform(5.5, 9.5, size=2)
        y, x = (r - i) / size, (c - j) / size
        square, radius = np.maximum(abs(y), abs(x)), np.hypot(y, x)
        wave = lambda t: np.sin(2.5 * np.pi * t + phase) > 0
        phase = random.uniform(0, 2 * np.pi)
        inside = [
            radius < 1, square < 0.9, (abs(x) < (1 + y) / 2) & (abs(y) < 1), abs(radius - 0.8) < 0.25,
            (np.minimum(abs(y), abs(x)) < 0.25) & (square < 1), abs(square - 0.75) < 0.25, wave(y) & (square < 1),
            wave(x) & (square < 1), (wave(y) ^ wave(x)) & (square < 1), np.minimum(np.hypot(y, x - 0.6), np.hypot(y, x + 0.6)) < 0.4,
        ][label]
        front, back = random.uniform(size=(2, 3))
        while np.abs(front - back).sum() < 0.6:
            front, back = random.uniform(size=(2, 3))
        image[:] = np.where(inside[..., None], front, back) + 0.1 * random.normal(size=(16, 16, 3))
    return images[:rows], labels[:rows], images[rows:], labels[rows:]


def myrtle():
    block = [Conv(3, weight_variance=2.0, bias_variance=0.01), Activation("relu")]
    return InfiniteNetwork([*block, *block, AvgPool(2), *block, AvgPool(2), *block, Flatten(), Dense(2.0, 0.01)])


def dense():
    block = [Dense(2.0, 0.01), Activation("relu")]
    network = InfiniteNetwork([*block * 3, Dense(2.0, 0.01)])
    return type("Flat", (), {"ntk": lambda _, *images: network.ntk(*(x.reshape(len(x), -1) for x in images))})()


def row(data, kernel, name, X, labels, Z, truth):
    X, Z = ((images - X.mean(axis=(0, 1, 2))) / X.std(axis=(0, 1, 2)) for images in (X, Z))
    X, Z = X.astype("float32"), Z.astype("float32")
    start = time.process_time()
    theta, cross = kernel.ntk(X), kernel.ntk(Z, X)
    kernels = time.process_time() - start
    targets = 2.0 * np.eye(10)[labels] - 1.0
    fitted = gramstep.KernelRegression("auto").fit(theta.astype(float), targets)
    wrong = np.mean(fitted.predict(cross.astype(float)).argmax(axis=1) != truth)
    print(f"| {data} | {name} | {100 * (1 - wrong):.1f} % | {kernels:.2f} s | {time.process_time() - start - kernels:.2f} s |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, help="folder of MNIST's files")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--test", type=int, default=1000)
    arguments = parser.parse_args()
    sets = [("shapes, 16×16×3", shapes(arguments.rows, arguments.test))]
    if arguments.mnist is not None:
        sets.insert(0, ("MNIST, 14×14", mnist(arguments.mnist, arguments.rows, arguments.test)))
    print("| images | kernel | right | CPU time of the kernels | of the regression |")
    print("|---|---|---|---|---|")
    for data, images in sets:
        for name, kernel in (("Myrtle-like", myrtle()), ("dense, three hidden layers", dense())):
            row(data, kernel, name, *images)


if __name__ == "__main__":
    main()
