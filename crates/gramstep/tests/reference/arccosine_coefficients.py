#!/usr/bin/env python3
"""Coefficients of the polynomials P and R in powers of z = 1 - cos t on [0, 1], highest first, used in
src/kernel/infinite/images/rectifier.rs: Chebyshev interpolants of

    P(z) = t/sqrt(z)        R(z) = (sin t - t cos t)/(z sqrt(z))

usage: arccosine_coefficients.py DEGREE_P DEGREE_R     (needs mpmath)
"""
import sys

import mpmath as mp

mp.mp.dps = 60


def angle(z):
    return mp.acos(1 - z) / mp.sqrt(z)


def wedge(z):
    t = mp.acos(1 - z)
    return (mp.sin(t) - t * mp.cos(t)) / (z * mp.sqrt(z))


def powers(function, degree):
    count = degree + 1
    nodes = [(1 + mp.cos(mp.pi * (k + mp.mpf(1) / 2) / count)) / 2 for k in range(count)]
    # Newton's divided differences, then powers by Horner's rule on polynomials.
    differences = [function(z) for z in nodes]
    for level in range(1, count):
        for k in range(count - 1, level - 1, -1):
            differences[k] = (differences[k] - differences[k - 1]) / (nodes[k] - nodes[k - level])
    result = [differences[-1]]
    for k in range(count - 2, -1, -1):
        shifted = [mp.mpf(0)] + result
        for i, c in enumerate(result):
            shifted[i] -= nodes[k] * c
        shifted[0] += differences[k]
        result = shifted
    return [float(c) for c in reversed(result)]


def main():
    for name, function, degree in (("P", angle, int(sys.argv[1])), ("R", wedge, int(sys.argv[2]))):
        coefficients = powers(function, degree)
        print(f"{name}:")
        for c in coefficients:
            print(f"    {c!r},")
        worst = 0.0
        for i in range(1, 1001):
            z = mp.mpf(i) / 1000
            value = mp.mpf(0)
            for c in coefficients:
                value = value * z + mp.mpf(c)
            worst = max(worst, abs(float(value / function(z) - 1)))
        print(f"largest relative error of {name}: {worst:.2e}", file=sys.stderr)


if __name__ == "__main__":
    main()
