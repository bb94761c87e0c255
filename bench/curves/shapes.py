"""Draws colour images of ten classes of shapes: a small set for classifiers.

    python3 shapes.py OUT [--images 5000] [--size 24] [--seed 0]

OUT/<class>/<number>.png: the layout that gramstep reads as classes. Shape, place, size, turn, both colours and the noise are
random; colours say nothing of the class. Python's standard library alone.
"""

import argparse
import math
import pathlib
import random

from keypoints import png

CLASSES = ("disc", "ring", "square", "frame", "triangle", "cross", "star", "crescent", "stripes", "checks")


def inside(kind, x, y):
    """Whether a point lies in the shape of radius 1 around 0."""
    r = math.hypot(x, y)
    if kind == "disc":
        return r < 0.85
    if kind == "ring":
        return 0.5 < r < 0.95
    if kind == "square":
        return max(abs(x), abs(y)) < 0.75
    if kind == "frame":
        return 0.45 < max(abs(x), abs(y)) < 0.85
    if kind == "triangle":
        return y < 0.6 and y > -1 + 1.9 * abs(x)
    if kind == "cross":
        return min(abs(x), abs(y)) < 0.28 and max(abs(x), abs(y)) < 0.95
    if kind == "star":
        return r < 0.55 + 0.4 * math.cos(5 * math.atan2(y, x))
    if kind == "crescent":
        return r < 0.95 and math.hypot(x - 0.5, y) > 0.7
    if kind == "stripes":
        return r < 1 and int(4 * (x + 2)) % 2 == 0
    return r < 1 and (int(3 * (x + 2)) + int(3 * (y + 2))) % 2 == 0


def draw(kind, size, rng):
    """Rows of RGB bytes."""
    ink, ground = ([rng.randint(0, 255) for _ in range(3)] for _ in range(2))
    while sum(abs(a - b) for a, b in zip(ink, ground)) < 150:
        ink = [rng.randint(0, 255) for _ in range(3)]
    radius, turn = rng.uniform(0.22, 0.4) * size, rng.uniform(-0.5, 0.5)
    x0, y0 = (size / 2 + rng.uniform(-0.12, 0.12) * size for _ in range(2))
    c, s, noise = math.cos(turn) / radius, math.sin(turn) / radius, rng.uniform(5, 40)
    pixels = []
    for y in range(size):
        for x in range(size):
            u, v = x + 0.5 - x0, y + 0.5 - y0
            colour = ink if inside(kind, c * u + s * v, c * v - s * u) else ground
            pixels += [min(255, max(0, round(value + rng.gauss(0, noise)))) for value in colour]
    return pixels


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--size", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    for kind in CLASSES:
        (options.out / kind).mkdir(parents=True, exist_ok=True)
    for number in range(options.images):
        kind = CLASSES[number % len(CLASSES)]
        pixels = draw(kind, options.size, rng)
        (options.out / kind / f"{number:05}.png").write_bytes(png(pixels, options.size, channels=3))
