"""Columns of any kind as the compiled half reads them: numbers, or text with None for gaps."""

from __future__ import annotations

import numpy as np


class Frame(dict):
    """Columns by name; those of ``categories`` are categories whatever they look like."""

    categories: list[str]

    @classmethod
    def of(cls, X, names=None):
        """Of a frame, or of an array with these names."""
        if hasattr(X, "columns"):
            columns = [(str(name), X[name]) for name in X.columns]
        else:
            X = np.asarray(X)
            names = [f"x{j}" for j in range(X.shape[1])] if names is None else names
            columns = [(str(name), X[:, j]) for j, name in enumerate(names)]
        categories = [name for name, column in columns if _is_category(column)]
        frame = cls((name, cells(column, name in categories)) for name, column in columns)
        frame.categories = categories
        return frame


def mixed_columns(X):
    """The columns of a frame that are no numbers."""
    if not (hasattr(X, "columns") and hasattr(X, "dtypes")):
        return []
    return [str(name) for name, dtype in zip(X.columns, X.dtypes, strict=True) if not _is_number(dtype)]


def is_mixed(X):
    """Whether X has columns that are no numbers, and not only gaps among numbers."""
    if hasattr(X, "columns") and hasattr(X, "dtypes"):
        return bool(mixed_columns(X))
    return not hasattr(X, "toarray") and np.asarray(X).dtype.kind in "OUSM"


def cells(column, text):
    """A column as numbers, or as text with None for gaps; of a column of text whole numbers and booleans are text too."""
    values = np.asarray(column)
    if values.dtype.kind in "biuf" and not (text and values.dtype.kind in "biu"):
        return values.astype(np.float64)
    return [None if _is_missing(value) else str(value) for value in values]


def _is_missing(value):
    # The mark of pandas first: it does not say whether it equals itself.
    return value is None or str(value) in ("<NA>", "NaT") or value != value


def _is_category(column):
    """Whether a column of a frame says that it holds categories."""
    return str(getattr(column, "dtype", "")).lower().startswith(("category", "categorical", "enum"))


def _is_number(dtype):
    kind = getattr(dtype, "kind", None)
    if kind is not None:
        return kind in "biuf"
    return dtype.is_numeric() or str(dtype) == "Boolean"
