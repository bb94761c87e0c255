"""The theorems, predicted against measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from os import PathLike
from typing import Any

from gramstep._counts import check_count
from gramstep._gramstep import run_verify
from gramstep._progress import Progress


def verify(
    claims: str | Sequence[str] = "all",
    *,
    full: bool = False,
    widths: Sequence[int] | None = None,
    seeds: int = 5,
    threads: int = 0,
    out: str | PathLike[str] | None = None,
    verbose: bool = False,
) -> dict[str, Any]:
    """Tries claims of the theory on synthetic points, as ``gramstep verify`` does.

    Parameters
    ----------
    claims : str or sequence of str
        Names such as ``"cai2019-quadratic"``, keys of papers such as ``"gao2019"``, or ``"all"``.
    full : bool
        The sizes of the papers, in tens of minutes; otherwise all claims take a minute or two.
    widths : sequence of int, optional
        Numbers of hidden units in place of the claims' own.
    seeds : int
        How often each claim is tried.
    threads : int
        0 for all processors.
    out : path, optional
        A folder for ``certificates.json`` and ``report.html``, the page with a picture of every claim.
    verbose : bool
        Say what was found as soon as it is.

    Returns
    -------
    dict
        ``claims`` is a list with one certificate a claim: ``claim``, ``verdict`` (``"holds"``, ``"refuted"`` or
        ``"assumptions-not-met"``), ``predicted``, ``measured``, ``margin``, ``assumptions``, ``checks``, ``sentence``.
        Numbers that do not exist are None.

    Raises
    ------
    ValueError
        An unknown claim, or a number out of range.

    Examples
    --------
    >>> import gramstep
    >>> found = gramstep.verify("cai2019-minibatch", seeds=1)
    >>> [(certificate["claim"], certificate["verdict"]) for certificate in found["claims"]]
    [('cai2019-minibatch', 'holds')]
    """
    seeds, threads = check_count("seeds", seeds), check_count("threads", threads, least=0)
    names = [claims] if isinstance(claims, str) else list(claims)
    report = Progress() if verbose else None
    widths = None if widths is None else list(widths)
    return json.loads(run_verify(names, full=full, widths=widths, seeds=seeds, threads=threads, out=out, report=report))
