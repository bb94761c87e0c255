"""Draws images with 68 points each: a table with many targets, as landmarks of faces are.

    python3 keypoints.py OUT [--images 2000] [--size 32] [--seed 0]

OUT/points.csv has the columns id, x0 .. x67, y0 .. y67 (in pixels), OUT/points/<id>.png the images: the layout that gramstep reads as
a table beside a folder of images. Python's standard library alone.
"""

import argparse
import csv
import math
import pathlib
import random
import struct
import zlib


def png(pixels, size, channels=1):
    """A PNG of size×size bytes, grey or RGB."""
    row = size * channels
    rows = b"".join(b"\0" + bytes(pixels[y * row : (y + 1) * row]) for y in range(size))

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", size, size, 8, 2 if channels == 3 else 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def shape(rng):
    """68 points of a face of random form in the square of side 1: outline, brows, nose, eyes, mouth."""
    wide, long = rng.uniform(0.26, 0.36), rng.uniform(0.34, 0.44)
    apart, eye, smile = rng.uniform(0.36, 0.48), rng.uniform(0.10, 0.15), rng.uniform(-0.06, 0.10)
    lift = rng.uniform(0.18, 0.26)
    arc = lambda a, b, n: [a + (b - a) * i / (n - 1) for i in range(n)]
    points = [(wide * math.cos(t), long * math.sin(t)) for t in arc(math.pi, 0.0, 17)]
    for side in (-1, 1):
        points += [(side * wide * apart + u * wide * 0.28, -long * (0.42 + lift * (1 - u * u))) for u in arc(-1, 1, 5)]
    points += [(0.0, long * y) for y in arc(-0.30, 0.08, 4)] + [(wide * x, long * 0.15) for x in arc(-0.18, 0.18, 5)]
    for side in (-1, 1):
        turn = [2 * math.pi * i / 6 for i in range(6)]
        points += [(side * wide * apart + eye * wide * 1.6 * math.cos(t), -long * 0.26 + eye * long * 0.6 * math.sin(t)) for t in turn]
    for width, height, n in ((0.42, 0.12, 12), (0.30, 0.05, 8)):
        turn = [2 * math.pi * i / n for i in range(n)]
        bend = lambda u: -smile * u * u
        points += [(wide * width * math.cos(t), long * (0.45 + height * math.sin(t) + bend(math.cos(t)))) for t in turn]
    turn, scale = rng.uniform(-0.3, 0.3), rng.uniform(0.85, 1.15)
    x0, y0 = 0.5 + rng.uniform(-0.06, 0.06), 0.5 + rng.uniform(-0.06, 0.06)
    c, s = scale * math.cos(turn), scale * math.sin(turn)
    return [(x0 + c * x - s * y, y0 + s * x + c * y) for x, y in points]


def draw(points, size, rng):
    """Points as soft spots on a noisy ground, neighbours joined."""
    ground, ink = rng.randint(20, 90), rng.randint(130, 220)
    pixels = [min(255, max(0, ground + rng.randint(-12, 12))) for _ in range(size * size)]
    for (xa, ya), (xb, yb) in zip(points, points[1:]):
        if math.dist((xa, ya), (xb, yb)) > 0.12:
            xb, yb = xa, ya
        for step in range(4):
            x, y = size * (xa + (xb - xa) * step / 4), size * (ya + (yb - ya) * step / 4)
            for v in range(max(0, int(y) - 1), min(size, int(y) + 2)):
                for u in range(max(0, int(x) - 1), min(size, int(x) + 2)):
                    share = max(0.0, 1.0 - math.hypot(u + 0.5 - x, v + 0.5 - y))
                    pixels[v * size + u] = int(pixels[v * size + u] + (ink - pixels[v * size + u]) * share)
    return pixels


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    of = parser.parse_args()
    rng = random.Random(of.seed)
    folder = of.out / "points"
    folder.mkdir(parents=True, exist_ok=True)
    with open(of.out / "points.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id"] + [f"x{i}" for i in range(68)] + [f"y{i}" for i in range(68)])
        for number in range(of.images):
            points = shape(rng)
            (folder / f"face{number:05}.png").write_bytes(png(draw(points, of.size, rng), of.size))
            xs, ys = ([f"{of.size * point[axis]:.3f}" for point in points] for axis in (0, 1))
            table.writerow([f"face{number:05}"] + xs + ys)


if __name__ == "__main__":
    main()
