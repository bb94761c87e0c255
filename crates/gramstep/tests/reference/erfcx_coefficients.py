#!/usr/bin/env python3
"""Coefficients of the polynomial P(t) = (1 + 2x)·exp(x²)·erfc(x), t = (x − c)/(x + c), x ≥ 0, used in
src/scalar/elementary.rs: a Chebyshev interpolant on t ∈ [−1, 1], rewritten in powers of t, highest first.

usage: erfcx_coefficients.py [DEGREE]     (needs mpmath)
"""
import sys

import mpmath as mp

mp.mp.dps = 60
CENTRE = mp.mpf("3.75")


def scaled(t):
    x = CENTRE * (1 + t) / (1 - t)
    if x > 200:  # asymptotic series of exp(x²)·erfc(x)
        series = sum((-1) ** k * mp.fac2(2 * k - 1) / (2 * x * x) ** k for k in range(12))
        return (1 + 2 * x) * series / (x * mp.sqrt(mp.pi))
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


def main():
    degree = int(sys.argv[1]) if len(sys.argv) > 1 else 22
    count = degree + 1
    nodes = [mp.cos(mp.pi * (k + mp.mpf(1) / 2) / count) for k in range(count)]
    values = [scaled(t) for t in nodes]
    cheb = [2 * sum(v * mp.cos(j * mp.pi * (k + mp.mpf(1) / 2) / count) for k, v in enumerate(values)) / count
            for j in range(count)]
    cheb[0] /= 2
    # Chebyshev to powers by the three-term recurrence.
    powers = [mp.mpf(0)] * count
    before, now = [mp.mpf(1)], [mp.mpf(0), mp.mpf(1)]
    for j, c in enumerate(cheb):
        for i, a in enumerate(before):
            powers[i] += c * a
        after = [mp.mpf(0)] + [2 * a for a in now]
        for i, a in enumerate(before):
            after[i] -= a
        before, now = now, after
    for c in reversed(powers):
        print(f"    {mp.nstr(c, 18)},")
    # Error of the rounded coefficients in double arithmetic.
    rounded = [float(c) for c in reversed(powers)]
    worst = 0.0
    for i in range(4001):
        x = 8.0 * i / 4000
        t = (x - 3.75) / (x + 3.75)
        p = 0.0
        for c in rounded:
            p = p * t + c
        exact = (1 + 2 * mp.mpf(x)) * mp.exp(mp.mpf(x) ** 2) * mp.erfc(x)
        worst = max(worst, abs(float((mp.mpf(p) - exact) / exact)))
    print(f"largest relative error on [0, 8]: {worst:.2e}", file=sys.stderr)


if __name__ == "__main__":
    main()
