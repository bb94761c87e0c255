"""Several methods of training side by side."""

from __future__ import annotations

import filecmp
import json
import shutil
import tempfile
from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gramstep._fit import reporting
from gramstep._gramstep import run_compare


def compare(
    data: str | PathLike[str] | tuple[ArrayLike, ArrayLike],
    *,
    optimizers: Sequence[str] = ("gram-gauss-newton", "sgd", "adam"),
    tune: bool = False,
    out: str | PathLike[str] | None = None,
    verbose: bool = False,
    **settings: Any,
) -> dict[str, Any]:
    """Trains several methods on the same rows from the same initial parameters, as ``gramstep compare`` does.

    Each method goes on until ``time_limit`` (10 s unless given); with ``epochs`` it may end before. A method that diverges is
    an entry of the result, no error.

    Parameters
    ----------
    data : str, path or (X, y)
        What the command takes: a table, a folder of images, ``"builtin:diabetes"``; or arrays of n rows. Labels that are not
        numbers, and those of ``task="classification"``, are classes.
    optimizers : sequence of str
        ``"gram-gauss-newton"``, ``"sgd"``, ``"adam"``, ``"adamw"``.
    tune : bool
        Search learning rate, momentum, damping and schedule of every method before, by the validation loss; three to four
        times as long as the runs.
    out : path, optional
        Keep every run in a folder of this one, with a page that lays them over each other, and arrays as ``data.npz``; one
        of other arrays is left alone, and is a FileExistsError.
    verbose : bool
        Show progress on stderr.
    **settings
        Any setting of the command by its name, such as ``model="mlp:64,64:tanh"``, ``time_limit="20s"``, ``seed=1``,
        ``watch_kernel=5``.

    Returns
    -------
    dict
        ``runs``: an entry a method, as ``--json`` of the command has it (``optimizer``, ``train``, ``validation``, ``test``,
        .., or ``error`` and where it diverged), with its ``curve``: arrays ``epoch``, ``step``, ``seconds``, ``train_loss``,
        ``validation_loss``, ``test_loss`` and ``test_error`` (mean absolute error in the target's own units, of classes the
        share that is wrong), one entry an epoch. ``trials``: the settings that were tried, with ``tune``.

    Examples
    --------
    >>> import gramstep
    >>> found = gramstep.compare("builtin:diabetes", optimizers=["gram-gauss-newton", "adam"], epochs=3, model="mlp:8:tanh")
    >>> [(run["optimizer"], len(run["curve"]["train_loss"])) for run in found["runs"]]
    [('gram-gauss-newton', 3), ('adam', 3)]
    """
    with tempfile.TemporaryDirectory() as scratch:
        if isinstance(data, tuple):
            source, settings = _written(data, settings, scratch, out)
        else:
            source = fspath(data)
        config = json.dumps({"data": source, **settings})
        with reporting(verbose) as report:
            text, curves = run_compare(config, list(optimizers), tune=tune, out=out, report=report)
    compared = json.loads(text)
    for run, curve in zip(compared["runs"], curves):
        run["curve"] = {name: np.asarray(values) for name, values in curve.items()}
    compared.setdefault("trials", [])
    return compared


def _written(data, settings, scratch, out):
    """Arrays as a file that the command reads; the place of each class where y is no number."""
    X, y = (np.asarray(array) for array in data)
    X = X.reshape(len(X), -1)
    if y.dtype.kind not in "fiu" or settings.get("task") == "classification":
        y = np.unique(y, return_inverse=True)[1].reshape(y.shape)
        settings = {"task": "classification", **settings}
    path = Path(scratch) / "data.npz"
    np.savez(path, X=X.astype(float), y=y.astype(float))
    return str(path if out is None else _kept(path, Path(out))), settings


def _kept(path, folder):
    """The file in a folder that stays, where no other is."""
    kept = folder / path.name
    folder.mkdir(parents=True, exist_ok=True)
    if not kept.exists():
        shutil.copyfile(path, kept)
    elif not filecmp.cmp(path, kept, shallow=False):
        raise FileExistsError(f"{kept}: it holds other arrays\nhint: give another folder as out")
    return kept
