"""Columns of any kind as the compiled half reads them: numbers, or text with None for gaps."""

from __future__ import annotations

import decimal
import numbers

import numpy as np


class Frame(dict):
    """Columns by name; those of ``categories`` are categories whatever they look like."""

    categories: list[str]

    @classmethod
    def of(cls, X, names, categories=None):
        """Of a frame or an array, whose columns have these names. Unless an earlier fit has decided it, categories are
        the columns that say so."""
        columns = list(zip(names, columns_of(X), strict=True))
        twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
        if twice is not None:
            raise ValueError(f"X has two columns named {twice!r}\nhint: rename one, or leave it out")
        if categories is None:
            categories = [name for name, column in columns if _is_category(column)]
        frame = cls((name, cells(column, name in categories)) for name, column in columns)
        frame.categories = list(categories)
        return frame

    def rows(self, chosen):
        """Those where ``chosen`` is true."""
        at = np.flatnonzero(chosen)
        kept = {
            name: cells[at] if isinstance(cells, np.ndarray) else [cells[i] for i in at]
            for name, cells in self.items()
        }
        frame = Frame(kept)
        frame.categories = self.categories
        return frame

    def codes(self):
        """Numbers that tell the values of every column apart, rows by columns."""
        return np.column_stack([cells if isinstance(cells, np.ndarray) else _codes(cells) for cells in self.values()])


def categories_of(metadata):
    """The columns that a model has learned as categories."""
    columns = metadata["preprocessing"]["inputs"]["columns"]
    return [column["name"] for column in columns if column["encoding"]["kind"] == "category"]


def columns_of(X):
    """The columns of a frame or an array, in order."""
    if is_frame(X):
        by_place = X.iloc if hasattr(X, "iloc") else X
        return [by_place[:, j] for j in range(X.shape[1])]
    X = np.asarray(X)
    if X.ndim != 2:
        raise ValueError(f"Expected 2D array, got {X.ndim}D array instead: rows of columns")
    return list(X.T)


def is_frame(X):
    """Whether columns of X have a type each."""
    return hasattr(X, "columns") and hasattr(X, "dtypes")


def mixed_columns(X):
    """The columns of a frame that are no numbers."""
    if not is_frame(X):
        return []
    return [str(name) for name, dtype in zip(X.columns, X.dtypes, strict=True) if not _is_number(dtype)]


def is_mixed(X):
    """Whether X has columns that are no numbers, and not only gaps among numbers."""
    if is_frame(X):
        return bool(mixed_columns(X))
    return not hasattr(X, "toarray") and np.asarray(X).dtype.kind in "OUSM"


def cells(column, is_category):
    """A column as numbers, or as text with None for gaps; of categories numbers are text too. Objects that are numbers
    but for gaps are a column of these: no text that is read."""
    if is_category:
        return _categories(column)
    values = np.asarray(column)
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    if values.dtype.kind == "O" and all(_is_missing(value) or _is_real(value) for value in values):
        return np.array([np.nan if _is_missing(value) else float(value) for value in values])
    return [_written(value) for value in values]


def _categories(column):
    """Text, however the values are kept: a gap makes no other numbers of categories."""
    own = getattr(column, "cat", column)
    if not (hasattr(own, "categories") and hasattr(own, "codes")):
        return [_written(value) for value in np.asarray(column)]
    names = [_written(value) for value in np.asarray(own.categories)]
    return [None if code < 0 else names[code] for code in np.asarray(own.codes)]


def _codes(cells):
    # A gap is the empty text.
    return np.unique(np.array([cell or "" for cell in cells]), return_inverse=True)[1]


def _written(value):
    """A value as text, floating-point numbers as the compiled half writes them and dates without a unit; None for a gap."""
    if _is_missing(value):
        return None
    if isinstance(value, (float, np.floating)):
        return np.format_float_positional(value + 0.0, trim="-")
    if isinstance(value, np.datetime64):
        return str(value.astype("datetime64[us]").item())
    return str(value)


def _is_missing(value):
    if value is None or isinstance(value, str):
        return value is None
    # The mark of pandas first: it does not say whether it equals itself.
    return str(value) in ("<NA>", "NaT") or value != value


def _is_real(value):
    # NumPy counts durations among the integers.
    return isinstance(value, (numbers.Real, decimal.Decimal, np.bool_)) and not isinstance(value, np.timedelta64)


def _is_category(column):
    """Whether a column of a frame says that it holds categories."""
    return str(getattr(column, "dtype", "")).lower().startswith(("category", "categorical", "enum"))


def _is_number(dtype):
    kind = getattr(dtype, "kind", None)
    if kind is not None:
        return kind in "biuf"
    return dtype.is_numeric() or str(dtype) == "Boolean"
