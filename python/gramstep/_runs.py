"""Run folders of the command line."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gramstep._gramstep import Model, TrainedModel


class Run:
    """What ``gramstep train`` kept, made by :func:`load_run`.

    Attributes
    ----------
    path : Path
        The folder.
    metadata : dict
        What the model file says: architecture, preprocessing, task.
    record : list of dict
        One entry a step and one an epoch, as in ``record.jsonl``; empty where there is none.
    columns : list of str
        The input columns that ``predict`` needs.
    targets : list of str
    """

    def __init__(self, path: str | PathLike[str], threads: int = 0) -> None:
        self.path = Path(path)
        self._trained = TrainedModel.load(self.path, threads)
        self.metadata = json.loads(self._trained.metadata())
        record = self.path / "record.jsonl"
        self.record = _record(record.read_text(encoding="utf-8")) if record.exists() else []

    @property
    def task(self) -> str:
        """``"regression"`` or ``"classification"``."""
        return self.metadata["task"]

    @property
    def columns(self) -> list[str]:
        return [column["name"] for column in self.metadata["preprocessing"]["inputs"]["columns"]]

    @property
    def targets(self) -> list[str]:
        targets = self.metadata["preprocessing"]["targets"]
        return targets["columns"] if self.task == "regression" else [targets["column"]]

    @property
    def classes(self) -> list[str] | None:
        """Names of the classes, None for a regression."""
        return self.metadata["preprocessing"]["targets"].get("classes")

    @property
    def loss_curve(self) -> list[float]:
        """Training loss after every epoch, of the first network."""
        return [line["train_loss"] for line in self.record if line["kind"] == "epoch" and not line.get("member")]

    @property
    def model(self) -> Model:
        """The network, a :class:`Model`, for standardised inputs and targets; a kernel regression has none."""
        return self._trained.model()

    def predict(self, table: Any) -> NDArray[Any]:
        """Predicts rows by the run's own preprocessing.

        Parameters
        ----------
        table : pandas or polars frame, dict of columns, or array
            With the columns of the training data by name, in any order; an array has just them, in their order.

        Returns
        -------
        array of shape (m,) or (m, targets)
            In the targets' own units, or the class of every row.
        """
        out = self._predict(table)
        if out["classes"] is not None:
            return np.array(out["classes"])
        return out["values"][:, 0] if len(self.targets) == 1 else out["values"]

    def predict_proba(self, table: Any) -> NDArray[np.float64]:
        """The probability of every class, (m, classes)."""
        if self.task != "classification":
            raise AttributeError("predict_proba belongs to a classification")
        return self._predict(table)["values"]

    def _predict(self, table):
        return self._trained.predict({name: _cells(column) for name, column in self._named(table)})

    def _named(self, table):
        if hasattr(table, "columns"):
            return [(name, table[name]) for name in self.columns if name in table.columns]
        if hasattr(table, "items"):
            return list(table.items())
        table = np.asarray(table)
        if table.ndim != 2 or table.shape[1] != len(self.columns):
            raise ValueError(f"expected {len(self.columns)} columns ({', '.join(self.columns)}), got shape {table.shape}")
        return [(name, table[:, j]) for j, name in enumerate(self.columns)]

    def __repr__(self):
        return f"<gramstep.Run {self.path}: {self.metadata['model']}, {self.task} of {', '.join(self.targets)}>"


def load_run(path: str | PathLike[str], *, threads: int = 0) -> Run:
    """Reads the folder of a run that ``gramstep train`` or ``save_run`` of an estimator wrote.

    Parameters
    ----------
    path : path-like
        The folder.
    threads : int
        0: all that the machine has.

    Returns
    -------
    Run

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no run, or a damaged one.
    """
    return Run(path, threads)


def _record(text):
    """The lines of a record; a last one that was cut short is passed over."""
    *lines, last = text.split("\n")
    return [json.loads(line) for line in lines]


def _cells(column):
    """A column as numbers, or as text with None for gaps."""
    values = np.asarray(column)
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    return [None if _is_missing(value) else str(value) for value in values]


def _is_missing(value):
    return value is None or value != value or str(value) in ("<NA>", "NaT")
