"""Numbers that count something, by the name of their parameter."""

from __future__ import annotations

import numbers


def check_count(name, value, least=1):
    """``value`` as an int, if it is a whole number that the compiled half can hold."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not (whole and least <= value < 2**63):
        raise ValueError(f"{name} = {value!r}: a whole number of at least {least}, below 2⁶³")
    return int(value)


def check_counts(estimator, *names):
    """Whether parameters of an estimator are such numbers from 1 on, where they are given."""
    for name in names:
        value = getattr(estimator, name)
        if value is not None:
            check_count(name, value)
