"""Periods of a whole pack into a table, resumable."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, LcgenError, UnknownNameError
from ..lightcurve import LightCurves
from ..taxonomy import class_info
from .period_table import PERIOD_COLUMNS, read_periods, write_periods
from .periods import PeriodOutcome, class_name, search_for, search_stars
from .table import StarTable

__all__ = ["tabulate_periods"]

SEARCH_VERSION = 1
"""Raised whenever the search changes, so that rows of an older one are not taken for new ones."""

_SAVE_EVERY = 60.0


def tabulate_periods(
    lightcurves: LightCurves,
    path: str | Path,
    *,
    classes: Iterable[str] | None = None,
    subclasses: Iterable[str] | None = None,
    known: bool = False,
    workers: int = 1,
    overwrite: bool = False,
    progress: bool | None = None,
) -> StarTable:
    """Search the stars of a survey for periods and write a table of them.

    Stars that the table has already are not searched again, so that an interrupted run goes on where it was, and
    classes can be added one by one.

    Parameters
    ----------
    lightcurves : LightCurves
        Columns ``id``, ``class``, and where known ``subclass`` and ``period``.
    path : str or path-like
        The table, see :func:`read_periods`. It is written about once a minute, each time as a whole.
    classes, subclasses : iterable of str, optional
        Search only these.
    known : bool, optional
        Whether to search the stars as well whose period is known, to compare.
    workers : int, optional
        Number of processes. The table does not depend on it.
    overwrite : bool, optional
        Whether to begin anew where `path` is a table of other settings; without it that is an error.
    progress : bool, optional
        Whether to show a progress bar; by default where standard error is a terminal.

    Returns
    -------
    StarTable
        The whole table, flagged stars included, as :func:`read_periods` reads it.

    Raises
    ------
    InputError
        If there is no column ``id`` or ``class``, identifiers are repeated, no star is left to search for, or the
        table at `path` was made with other settings.
    UnknownNameError
        If a class or subclass is unknown or not among the stars.
    """
    for name in ("id", "class"):
        if name not in lightcurves.columns:
            raise InputError(
                f"a table of periods needs the column {name!r}; there are: {', '.join(lightcurves.columns)}"
            )
    n = len(lightcurves)
    ids, cls = (np.asarray(lightcurves.columns[name]).astype(np.str_) for name in ("id", "class"))
    if np.unique(ids).size != n:
        raise InputError(f"a table of periods needs one identifier a star: {n - np.unique(ids).size} are repeated")
    subclass = np.asarray(lightcurves.columns.get("subclass", np.full(n, ""))).astype(np.str_)
    period = np.asarray(lightcurves.columns.get("period", np.full(n, np.nan)), dtype=float)
    chosen = _among([class_info(c).name for c in _listed(classes)], cls, "class of these stars")
    chosen &= _among(_listed(subclasses), subclass, "subclass of these stars")
    if not known:
        chosen &= ~(np.isfinite(period) & (period > 0))
    if not chosen.any():
        raise InputError("there is no star to search: all of those chosen have a period")

    settings = _settings(lightcurves, cls, subclass)
    rows = _earlier_rows(Path(path), settings, overwrite=overwrite)
    wanted = [(int(i), search_for(str(cls[i]), str(subclass[i]))) for i in np.flatnonzero(chosen) if ids[i] not in rows]

    def save() -> None:
        ordered = [rows[star] for star in ids.tolist() if star in rows]
        table = {name: [row[k] for row in ordered] for k, name in enumerate(PERIOD_COLUMNS)}
        write_periods(table, path, settings=settings)

    saved = time.monotonic()
    try:
        for i, outcome in search_stars(lightcurves, wanted, workers=workers, progress=progress):
            rows[str(ids[i])] = _row(str(ids[i]), str(cls[i]), str(subclass[i]), outcome)
            if time.monotonic() - saved > _SAVE_EVERY:
                save()
                saved = time.monotonic()
    finally:
        if wanted and rows:
            save()
    return read_periods(path, flagged=True)


def _listed(names: Iterable[str] | None) -> list[str]:
    if names is None:
        return []
    return [names] if isinstance(names, str) else list(names)


def _among(names: list[str], column: NDArray[np.str_], kind: str) -> NDArray[np.bool_]:
    present = sorted(set(column.tolist()) - {""})
    for name in names:
        if name not in present:
            raise UnknownNameError(kind, name, present)
    return np.isin(column, names) if names else np.ones(column.size, dtype=bool)


def _settings(lightcurves: LightCurves, cls: NDArray[np.str_], subclass: NDArray[np.str_]) -> dict[str, Any]:
    """What the table depends on: the data, and the searches of all their classes."""
    pairs = sorted(set(zip(cls.tolist(), subclass.tolist(), strict=True)))
    searches = {class_name(c, s): search_for(c, s) for c, s in pairs}
    found = {name: asdict(search) for name, search in searches.items() if search is not None}
    for search in found.values():
        search["period_range"] = list(search["period_range"])
    return {
        "search_version": SEARCH_VERSION,
        "survey": str(lightcurves.meta.get("survey", "")),
        "band": ",".join(lightcurves.band_names),
        "stars": len(lightcurves),
        "observations": int(lightcurves.mjd.size),
        "searches": found,
    }


def _earlier_rows(path: Path, settings: dict[str, Any], *, overwrite: bool) -> dict[str, tuple[Any, ...]]:
    if not path.exists() or path.is_dir():
        return {}
    try:
        table = read_periods(path, flagged=True)
    except LcgenError:
        if overwrite:
            return {}
        raise
    if table.meta["settings"] != settings:
        if overwrite:
            return {}
        different = [k for k in settings if table.meta["settings"].get(k) != settings[k]]
        raise InputError(f"{path} was made with other settings ({', '.join(different)}); replace it with --overwrite")
    return {row[0]: row for row in zip(*(table[name].tolist() for name in PERIOD_COLUMNS), strict=True)}


def _row(star: str, cls: str, subclass: str, outcome: PeriodOutcome) -> tuple[Any, ...]:
    solution = outcome.solution
    nothing = (np.nan, np.nan, np.nan)
    found = nothing if solution is None else (solution.period, solution.significance, solution.scatter_ratio)
    return (star, cls, subclass, *found, outcome.flag)
