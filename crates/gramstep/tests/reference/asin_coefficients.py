#!/usr/bin/env python3
"""Coefficients of the polynomial Q(z) in asin(y) = y + y·z·Q(z), z = y² ∈ [0, ¼], used in src/scalar/elementary.rs: a
Chebyshev interpolant rewritten in powers of z, highest first.

usage: asin_coefficients.py [DEGREE]     (needs mpmath)
"""
import sys

import mpmath as mp

mp.mp.dps = 60
END = mp.mpf(1) / 4


def tail(z):
    if z < mp.mpf("1e-12"):
        return mp.mpf(1) / 6 + 3 * z / 40
    y = mp.sqrt(z)
    return (mp.asin(y) / y - 1) / z


def main():
    degree = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    count = degree + 1
    nodes = [mp.cos(mp.pi * (k + mp.mpf(1) / 2) / count) for k in range(count)]
    points = [END * (1 + node) / 2 for node in nodes]
    # Newton's divided differences, then powers by Horner's rule on polynomials.
    differences = [tail(z) for z in points]
    for level in range(1, count):
        for k in range(count - 1, level - 1, -1):
            differences[k] = (differences[k] - differences[k - 1]) / (points[k] - points[k - level])
    powers = [differences[-1]]
    for k in range(count - 2, -1, -1):
        shifted = [mp.mpf(0)] + powers
        for i, c in enumerate(powers):
            shifted[i] -= points[k] * c
        shifted[0] += differences[k]
        powers = shifted
    for c in reversed(powers):
        print(f"    {mp.nstr(c, 18)},")
    rounded = [float(c) for c in reversed(powers)]
    worst = 0.0
    for i in range(1, 4001):
        y = 0.5 * i / 4000
        z, q = y * y, 0.0
        for c in rounded:
            q = q * z + c
        worst = max(worst, abs(float((mp.mpf(y + y * z * q) - mp.asin(mp.mpf(y))) / mp.asin(mp.mpf(y)))))
    print(f"largest relative error on [0, 1/2]: {worst:.2e}", file=sys.stderr)


if __name__ == "__main__":
    main()
