"""Run folders of the command line."""

from __future__ import annotations

import json
import warnings
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gramstep._counts import check_count
from gramstep._frame import categories_of, cells, columns_of, is_frame
from gramstep._fit import check_level
from gramstep._gramstep import Model, Predictor
from gramstep._pickle import KeepsThreads


class Run(KeepsThreads):
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
    threads : int
        0: all that the machine has.
    """

    def __init__(self, path: str | PathLike[str], threads: int = 0) -> None:
        self.path = Path(path)
        self.threads = check_count("threads", threads, least=0)
        self._predictor = Predictor.load(self.path, self.threads)
        self.metadata = json.loads(self._predictor.metadata())
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
        return targets["columns"] if "columns" in targets else [targets["column"]]

    @property
    def classes(self) -> list[Any] | None:
        """The classes as they were given, of several targets a list for each; None for a regression."""
        targets = self.metadata["preprocessing"]["targets"]
        names = targets.get("classes")
        if names is None:
            return None
        if "columns" in targets:
            return [_labels(two, kind).tolist() for two, kind in zip(names, targets["labels"])]
        return _labels(names, targets.get("labels", "text")).tolist()

    @property
    def loss_curve(self) -> list[float]:
        """Training loss after every epoch, of the first network."""
        return [line["train_loss"] for line in self.record if line["kind"] == "epoch" and not line.get("member")]

    @property
    def kernel_watch(self) -> list[dict[str, Any]]:
        """What ``--watch-kernel`` saw, look by look: ``epoch``, ``drift``, ``alignment``, ``effective_rank``,
        ``eigenvalues``, ``sharpness`` and, of sgd, ``stable_below`` = 2(1 + μ)/η."""
        return [line for line in self.record if line["kind"] == "kernel"]

    @property
    def model(self) -> Model:
        """The network, a :class:`Model`, for standardised inputs and targets; a kernel regression has none."""
        return self._predictor.model()

    def predict(self, table: Any, return_std: bool = False) -> Any:
        """Predicts rows by the run's own preprocessing.

        Parameters
        ----------
        table : pandas or polars frame, dict of columns, or array
            With the columns of the training data by name, in any order; an array, or a frame whose names are no text, has
            just them, in their order.
            Text is read as in the training table. What is repaired or a guess (gaps, values that training rows do not
            have) is a warning.
        return_std : bool
            Whether to return the standard deviation of a new observation too, noise included; of a regression.

        Returns
        -------
        array of shape (m,) or (m, targets), with several quantiles (m, targets · levels), or two of them
            In the targets' own units, or the class of every row, as the classes were given in training; of several
            targets of a classification (m, targets).
        """
        out = self._predict(table, deviation=return_std)
        if out["classes"]:
            kinds = self.metadata["preprocessing"]["targets"].get("labels", "text")
            if len(out["classes"]) == 1:
                return _labels(out["classes"][0], kinds if isinstance(kinds, str) else kinds[0])
            labels = [_labels(column, kind) for column, kind in zip(out["classes"], kinds)]
            alike = len({column.dtype.kind for column in labels}) == 1
            return np.column_stack(labels if alike else [column.astype(object) for column in labels])
        if return_std:
            return self._shaped(_columns(out, "predicted_")), self._shaped(_columns(out, "std_"))
        return self._shaped(out["values"])

    def predict_interval(self, table: Any, level: float = 0.9) -> NDArray[np.float64]:
        """Lower and upper end of the interval that holds a new observation with probability ``level``: (m, 2), of
        several targets (m, targets, 2)."""
        self._check_task("predict_interval", "regression")
        check_level(level)
        ends = _columns(self._predict(table, interval=float(level)), "lower_", "upper_")
        return ends if len(self.targets) == 1 else ends.reshape(len(ends), -1, 2)

    def sample_y(self, table: Any, n_samples: int = 1, random_state: int = 0) -> NDArray[np.float64]:
        """Draws of new observations, noise included, the rows of a draw together, as ``gramstep predict --samples`` writes
        them: (m, n_samples), of several targets (m, targets, n_samples)."""
        self._check_task("sample_y", "regression")
        samples = check_count("n_samples", n_samples), check_count("random_state", random_state, least=0)
        draws = _columns(self._predict(table, samples=samples), "sample")
        return draws if len(self.targets) == 1 else draws.reshape(len(draws), -1, samples[0])

    def _shaped(self, values):
        return values[:, 0] if values.shape[1] == 1 else values

    def predict_proba(self, table: Any) -> NDArray[np.float64]:
        """The probability of every class, (m, classes); of several targets that of the second class of each,
        (m, targets)."""
        self._check_task("predict_proba", "classification")
        values = self._predict(table)["values"]
        return values[:, 1::2] if len(self.targets) > 1 else values

    def predict_set(self, table: Any, level: float = 0.9) -> NDArray[np.bool_]:
        """Which classes belong to the set that holds the right one with probability ``level``, (m, classes)."""
        self._check_task("predict_set", "classification")
        check_level(level)
        return _columns(self._predict(table, interval=float(level)), "set_") > 0.0

    def _check_task(self, method, task):
        if self.task != task:
            raise AttributeError(f"{method} belongs to a {task}, and this is a {self.task}")

    def _predict(self, table, **bars):
        categories = categories_of(self.metadata)
        columns = {name: cells(column, name in categories) for name, column in self._named(table)}
        out = self._predictor.predict_table(columns, **bars)
        for note in out["notes"]:
            warnings.warn(note, UserWarning, stacklevel=3)
        return out

    def _named(self, table):
        if hasattr(table, "columns") and any(isinstance(name, str) for name in table.columns):
            return [(name, table[name]) for name in self.columns if name in table.columns]
        if hasattr(table, "items") and not is_frame(table):
            return list(table.items())
        columns = columns_of(table)
        if len(columns) != len(self.columns):
            raise ValueError(f"expected {len(self.columns)} columns ({', '.join(self.columns)}), got {len(columns)}")
        return list(zip(self.columns, columns))

    def __repr__(self):
        return f"<gramstep.Run {self.path}: {self.metadata['model']}, {self.task} of {', '.join(self.targets)}>"


def _columns(out, *kinds):
    """The predicted numbers of some kinds, (m, columns), which begin their names."""
    values = out["values"]
    # Columns of text come first and are no numbers.
    names = out["header"][-values.shape[1] :]
    return values[:, [name.startswith(kinds) for name in names]]


_BOOLEANS = {"True": True, "False": False}


def _labels(classes, kind):
    """Classes as they were given in training."""
    if kind == "integer":
        return np.array([int(name) for name in classes])
    if kind == "number":
        return np.array([float(name) for name in classes])
    if kind == "boolean":
        return np.array([_BOOLEANS[name] for name in classes])
    return np.array(classes)


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
