"""Periods for the stars of a survey that gives labels but no periods.

:func:`find_periods` searches each star within the periods of its class and keeps what can be trusted;
:func:`find_period` searches one star.
"""

from __future__ import annotations

import signal
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..errors import InputError, UnknownNameError
from ..lightcurve import LightCurves
from .period_search import MIN_OBSERVATIONS, PeriodSolution, find_period

__all__ = [
    "MIN_OBSERVATIONS",
    "PERIOD_SEARCHES",
    "PeriodOutcome",
    "PeriodSearch",
    "PeriodSolution",
    "class_name",
    "find_period",
    "find_periods",
    "search_for",
    "search_stars",
]


@dataclass(frozen=True, kw_only=True)
class PeriodSearch:
    """How stars of a class are searched, and which solutions are kept.

    Attributes
    ----------
    period_range : tuple of float
        Shortest and longest period [d].
    n_terms, base_harmonic : int
        See :func:`find_period`.
    min_significance : float
        Smallest ``PeriodSolution.significance``.
    max_scatter_ratio : float
        Largest ``PeriodSolution.scatter_ratio``.
    allow_doubled : bool
        Whether to keep a binary's period that was doubled by default; false where single eclipses are common.
    """

    period_range: tuple[float, float]
    n_terms: int
    base_harmonic: int = 1
    min_significance: float = 3.0
    max_scatter_ratio: float = 0.85
    allow_doubled: bool = True


# Ranges hold the periods that Catalina South (Drake et al. 2017, MNRAS 469, 3688) and OGLE-III give to stars of the
# class, less a few in a hundred at the ends, which are aliases there as often as not, and somewhat more at the short
# end where the survey is known to miss stars. Thresholds: docs/periods.md has what they were measured to keep.
PERIOD_SEARCHES: Mapping[str, PeriodSearch] = MappingProxyType(
    {
        "ACEP": PeriodSearch(period_range=(0.4, 5.0), n_terms=3),
        "CEP/F": PeriodSearch(period_range=(0.8, 60.0), n_terms=4, max_scatter_ratio=0.6),
        "CEP/1O": PeriodSearch(period_range=(0.24, 7.5), n_terms=3, max_scatter_ratio=0.6),
        "CEP/2O": PeriodSearch(period_range=(0.24, 2.5), n_terms=3),
        "CEP/1O/2O": PeriodSearch(period_range=(0.24, 2.5), n_terms=3, max_scatter_ratio=0.7),
        "DSCT": PeriodSearch(period_range=(0.04, 0.4), n_terms=2),
        "ECL": PeriodSearch(period_range=(0.2, 20.0), n_terms=3, base_harmonic=2),
        "ECL/EA": PeriodSearch(period_range=(0.24, 20.0), n_terms=4, base_harmonic=2, allow_doubled=False),
        "ECL/EB": PeriodSearch(period_range=(0.2, 20.0), n_terms=3, base_harmonic=2),
        "ECL/EW": PeriodSearch(period_range=(0.16, 2.0), n_terms=2, base_harmonic=2),
        "LPV": PeriodSearch(period_range=(50.0, 1000.0), n_terms=1, min_significance=10.0, max_scatter_ratio=0.8),
        "LPV/Mira": PeriodSearch(period_range=(70.0, 1000.0), n_terms=1, min_significance=10.0, max_scatter_ratio=0.8),
        "RRLYR": PeriodSearch(period_range=(0.18, 0.95), n_terms=3),
        "RRLYR/RRab": PeriodSearch(period_range=(0.36, 0.95), n_terms=3),
        "RRLYR/RRc": PeriodSearch(period_range=(0.18, 0.5), n_terms=2),
        "T2CEP": PeriodSearch(period_range=(0.4, 120.0), n_terms=3),
    }
)
"""Searches by class, or by class and subclass as in ``"RRLYR/RRab"``.

There is none for stars that pulsate in the fundamental mode and the first overtone at once (``CEP/F/1O``,
``RRLYR/RRd``), where the stronger period need not be the one that catalogues quote, nor for ELL, where spots and
ellipsoids differ by a factor of two.
"""

_NOT_SEARCHED = frozenset({"CEP/F/1O", "RRLYR/RRd"})


def find_periods(
    lightcurves: LightCurves,
    *,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    progress: bool | None = None,
    workers: int = 1,
) -> LightCurves:
    """Find the periods of the stars that have none.

    Parameters
    ----------
    lightcurves : LightCurves
        Columns ``class``, ``subclass``, and ``period`` where known. Of a star in several bands the band with most
        observations is searched.
    ranges : mapping of str to tuple of float, optional
        Shortest and longest period [d] by class (``"RRLYR"``) or class and subclass (``"RRLYR/RRab"``), in place of
        those of :data:`PERIOD_SEARCHES`.
    progress : bool, optional
        Whether to show a progress bar; by default where standard error is a terminal.
    workers : int, optional
        Number of processes. The result does not depend on it.

    Returns
    -------
    LightCurves
        The same stars with ``period`` [d] filled in where a solution can be trusted; with ``period_quality``, the
        significance of that solution (NaN for periods that were known, or are not found); and ``period_err`` [d].
        ``meta["periods"]`` counts the stars: ``known``, ``found``, and by the reason why there is still none:
        ``no search`` (of their class), ``few observations``, ``constant``, ``ambiguous`` (a rival folds nearly as
        well), ``alias`` (and it is an alias of a day or a year), ``half or double``, ``poor fold``, ``edge`` (of the
        range), ``day`` (the period is that of the nights).

    Raises
    ------
    InputError
        If a range is empty, `workers` is not positive, or there is no column ``class``.
    UnknownNameError
        If `ranges` names a class that is not searched.

    See Also
    --------
    lcgen.catalog.join_parameters : gives the periods found in one band to the same stars in another.
    """
    if workers < 1:
        raise InputError(f"workers = {workers}; at least 1 is needed")
    if "class" not in lightcurves.columns:
        raise InputError(f"periods are searched by class; columns are: {', '.join(lightcurves.columns) or 'none'}")
    searches = _with_ranges(ranges or {})
    n = len(lightcurves)
    cls = np.asarray(lightcurves.columns["class"]).astype(np.str_)
    subclass = np.asarray(lightcurves.columns.get("subclass", np.full(n, ""))).astype(np.str_)
    period = np.array(lightcurves.columns.get("period", np.full(n, np.nan)), dtype=float)
    quality, error = (
        np.array(lightcurves.columns.get(name, np.full(n, np.nan)), dtype=float)
        for name in ("period_quality", "period_err")
    )
    known = np.isfinite(period) & (period > 0)
    counts: Counter[str] = Counter(known=int(known.sum()), found=0)

    period[~known] = np.nan
    wanted = [(int(i), search_for(str(cls[i]), str(subclass[i]), searches)) for i in np.flatnonzero(~known)]
    for i, outcome in search_stars(lightcurves, wanted, workers=workers, progress=progress):
        counts[outcome.flag or "found"] += 1
        if not outcome.flag and outcome.solution is not None:
            solution = outcome.solution
            period[i], quality[i], error[i] = solution.period, solution.significance, solution.period_err
    columns = {**lightcurves.columns, "period": period, "period_quality": quality, "period_err": error}
    return replace(lightcurves, columns=columns, meta={**lightcurves.meta, "periods": dict(counts)})


@dataclass(frozen=True, kw_only=True)
class PeriodOutcome:
    """What the search of one star gave.

    Attributes
    ----------
    solution : PeriodSolution or None
        The best period, whether it can be trusted or not; None where none was searched for.
    flag : str
        Why it is not to be trusted, as listed under :func:`find_periods`; empty where it is.
    """

    solution: PeriodSolution | None
    flag: str


def search_stars(
    lightcurves: LightCurves,
    wanted: Iterable[tuple[int, PeriodSearch | None]],
    *,
    workers: int = 1,
    progress: bool | None = None,
) -> Iterator[tuple[int, PeriodOutcome]]:
    """Search the given stars, one after the other.

    Parameters
    ----------
    lightcurves : LightCurves
    wanted : iterable of (index of the star, PeriodSearch or None)
        None for stars whose class is not searched.
    workers, progress
        See :func:`find_periods`.

    Yields
    ------
    tuple of int and PeriodOutcome
        In the order of `wanted`.

    Raises
    ------
    InputError
        If `workers` is not positive.
    """
    if workers < 1:
        raise InputError(f"workers = {workers}; at least 1 is needed")
    pairs = list(wanted)
    tasks = ((_in_one_band(lightcurves, i), search) for i, search in pairs)
    outcomes = tqdm(
        map(_one, tasks) if workers == 1 else _by_workers(tasks, workers),
        total=len(pairs),
        desc="periods",
        unit="star",
        disable=None if progress is None else not progress,
    )
    for (i, _), outcome in zip(pairs, outcomes, strict=True):
        yield i, outcome


def _with_ranges(ranges: Mapping[str, tuple[float, float]]) -> dict[str, PeriodSearch]:
    searches = dict(PERIOD_SEARCHES)
    for name, limits in ranges.items():
        search = searches.get(name) or (searches.get(name.partition("/")[0]) if name not in _NOT_SEARCHED else None)
        if search is None:
            raise UnknownNameError("class to search", name, searches)
        searches[name] = replace(search, period_range=limits)
        if name.count("/") == 0:
            # a range for a class is meant for its subclasses, unless they have their own
            for key in PERIOD_SEARCHES:
                if key.startswith(f"{name}/") and key not in ranges:
                    searches[key] = replace(searches[key], period_range=limits)
    return searches


def class_name(cls: str, subclass: str) -> str:
    """Name of a class and subclass, as in :data:`PERIOD_SEARCHES`."""
    return f"{cls}/{subclass}" if subclass else cls


def search_for(cls: str, subclass: str, searches: Mapping[str, PeriodSearch] = PERIOD_SEARCHES) -> PeriodSearch | None:
    """The search meant for stars of a class and subclass; None if there is none."""
    name = class_name(cls, subclass)
    return None if name in _NOT_SEARCHED else searches.get(name, searches.get(cls))


_Data = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def _in_one_band(lightcurves: LightCurves, i: int) -> _Data:
    rows = slice(int(lightcurves.offsets[i]), int(lightcurves.offsets[i + 1]))
    band = lightcurves.band_index[rows]
    keep = band == np.bincount(band).argmax() if band.size else np.zeros(0, dtype=bool)
    mjd, mag, err = lightcurves.mjd[rows][keep], lightcurves.mag[rows][keep], lightcurves.mag_err[rows][keep]
    good = np.isfinite(mjd) & np.isfinite(mag) & np.isfinite(err) & (err > 0)
    return mjd[good], mag[good], err[good]


_Task = tuple[_Data, PeriodSearch | None]
_CHUNK = 8


def _by_workers(tasks: Iterator[_Task], workers: int) -> Iterator[PeriodOutcome]:
    """Outcomes from several processes, in order; few stars wait at any time, so that an interrupt ends it soon."""
    from multiprocessing import get_context

    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_ignore_interrupts)
    waiting: deque[Future[list[PeriodOutcome]]] = deque()
    try:
        while chunk := list(islice(tasks, _CHUNK)):
            waiting.append(pool.submit(_some, chunk))
            if len(waiting) >= 3 * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ignore_interrupts() -> None:
    # an interrupt goes to the whole group of processes; the parent decides what it means
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _some(tasks: list[_Task]) -> list[PeriodOutcome]:
    return [_one(task) for task in tasks]


def _one(task: _Task) -> PeriodOutcome:
    (mjd, mag, err), search = task
    if search is None:
        return PeriodOutcome(solution=None, flag="no search")
    if mjd.size < MIN_OBSERVATIONS:
        return PeriodOutcome(solution=None, flag="few observations")
    if not (np.ptp(mjd) > 0 and np.ptp(mag) > 0):
        return PeriodOutcome(solution=None, flag="constant")
    solution = find_period(
        mjd,
        mag,
        err,
        period_range=search.period_range,
        n_terms=search.n_terms,
        base_harmonic=search.base_harmonic,
    )
    return PeriodOutcome(solution=solution, flag=_doubt(solution, search, float(np.ptp(mjd))))


def _doubt(solution: PeriodSolution, search: PeriodSearch, span: float) -> str:
    """The reason not to trust a solution; an empty string if there is none."""
    if solution.scatter_ratio > search.max_scatter_ratio:
        return "poor fold"
    if not solution.significance >= search.min_significance:
        return "alias" if solution.alias else "ambiguous"
    if solution.doubled and not search.allow_doubled:
        return "half or double"
    low, high = search.period_range
    if min(solution.period / low, high / solution.period) < 1.002:
        return "edge"
    frequency = search.base_harmonic / solution.period
    nights = [k * day for k in (1, 2, 3) for day in (1.0, 1.0027379)]
    if min(abs(frequency - f) for f in nights) * span < 1.0:
        return "day"
    return ""
