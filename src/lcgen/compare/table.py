"""The table of a comparison: every quantity, class and bin, under every cadence, with differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..evaluate.classify import f1_by_class
from .bootstrap import Difference, Level, PairedBootstrap
from .quantities import quantity
from .settings import Settings

if TYPE_CHECKING:  # pragma: no cover
    from astropy.table import Table

__all__ = ["ALL", "Bin", "bins_of", "comparison_table"]

ALL = "all"
"""The name of all classes together."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Bin:
    """Some stars of a class.

    Attributes
    ----------
    class_name : str
    by : {"all", "period", "mean_mag"}
        What the stars were chosen by.
    low, high : float
        Limits, of the period [d] or the magnitude [mag]; NaN for all stars.
    rows : ndarray of int
    """

    class_name: str
    by: str
    low: float
    high: float
    rows: NDArray[np.int64]


def _quantile_bins(
    class_name: str, by: str, rows: NDArray[np.int64], values: NDArray[np.float64], most: int, least: int
) -> Iterator[Bin]:
    rows = rows[np.isfinite(values[rows])]
    number = min(most, rows.size // least)
    if number == 0 or np.ptp(values[rows]) == 0:
        return
    order = rows[np.argsort(values[rows], kind="stable")]
    parts = np.array_split(order, number)
    edges = [values[order[0]], *(0.5 * (values[a[-1]] + values[b[0]]) for a, b in pairwise(parts))]
    edges.append(values[order[-1]])
    for k, part in enumerate(parts):
        yield Bin(class_name=class_name, by=by, low=float(edges[k]), high=float(edges[k + 1]), rows=np.sort(part))


def bins_of(
    class_name: NDArray[np.str_],
    classes: Sequence[str],
    *,
    period: NDArray[np.float64],
    mean_mag: NDArray[np.float64],
    settings: Settings,
) -> list[Bin]:
    """All stars, those of each class, and of each class quantile bins of true period and of mean magnitude."""
    everything = np.arange(class_name.size)
    nan = float("nan")
    out = [Bin(class_name=ALL, by="all", low=nan, high=nan, rows=everything)]
    out += _quantile_bins(ALL, "mean_mag", everything, mean_mag, settings.mag_bins, settings.min_per_bin)
    for name in classes:
        rows = np.flatnonzero(class_name == name)
        out.append(Bin(class_name=name, by="all", low=nan, high=nan, rows=rows))
        out += _quantile_bins(name, "period", rows, period, settings.period_bins, settings.min_per_bin)
        out += _quantile_bins(name, "mean_mag", rows, mean_mag, settings.mag_bins, settings.min_per_bin)
    return out


def comparison_table(
    bins: Sequence[Bin],
    values: Mapping[str, Mapping[str, NDArray[np.float64]]],
    *,
    classes: Sequence[str],
    label: NDArray[np.integer],
    predicted: Mapping[str, NDArray[np.integer]],
    settings: Settings,
    seed: int,
) -> Table:
    """One row a class, bin, quantity and cadence.

    Parameters
    ----------
    bins : sequence of Bin
    values : mapping of cadence to mapping of quantity to ndarray, shape (n_stars,)
    classes : sequence of str
    label : ndarray of int, shape (n_stars,)
        Index of the true class.
    predicted : mapping of cadence to ndarray of int, shape (n_stars,)
    settings : Settings
    seed : int

    Returns
    -------
    Table
        ``difference`` and what follows it compare with the first cadence; they are NaN for that one.
    """
    rows: list[dict[str, Any]] = []
    first = next(iter(values))
    for index, each in enumerate(bins):
        boot = PairedBootstrap(label[each.rows], n_boot=settings.n_boot, seed=seed, index=index)
        for name in values[first]:
            what = quantity(name)
            base = values[first][name][each.rows]
            for cadence, columns in values.items():
                own = columns[name][each.rows]
                change = None if cadence == first else boot.difference(own, base, what.statistic)
                rows.append(_row(each, name, cadence, boot.level(own, what.statistic), change))
        if each.by == "all" and each.class_name == ALL:
            rows += _f1_rows(bins, boot, classes, label, predicted)
    return _as_table(rows)


def _row(each: Bin, name: str, cadence: str, level: Level, change: Difference | None) -> dict[str, Any]:
    nan = float("nan")
    what = quantity(name)
    is_period, is_mag = each.by == "period", each.by == "mean_mag"
    return {
        "class": each.class_name,
        "bin": each.by,
        "period_low": each.low if is_period else nan,
        "period_high": each.high if is_period else nan,
        "mag_low": each.low if is_mag else nan,
        "mag_high": each.high if is_mag else nan,
        "quantity": name,
        "unit": what.unit,
        "cadence": cadence,
        "n": level.n,
        "value": level.value,
        "error": level.error,
        "difference": change.value if change else nan,
        "difference_error": change.error if change else nan,
        "unpaired_error": change.unpaired_error if change else nan,
        "n_pairs": change.n if change else 0,
        "n_sigma": change.n_sigma if change and what.tested else nan,
    }


def _f1_rows(
    bins: Sequence[Bin],
    boot: PairedBootstrap,
    classes: Sequence[str],
    label: NDArray[np.integer],
    predicted: Mapping[str, NDArray[np.integer]],
) -> list[dict[str, Any]]:
    """F1 of each class and their mean, from the same samples of stars of all classes."""
    whole = {b.class_name: b for b in bins if b.by == "all"}
    n = len(classes)
    samples, scores = {}, {}
    for cadence, guess in predicted.items():
        by_class = boot.f1_samples(label, guess, n)
        samples[cadence] = np.column_stack([by_class.mean(axis=1), by_class])
        own = f1_by_class(label, guess, n)
        scores[cadence] = np.concatenate([[own.mean()], own])
    first = next(iter(predicted))
    rows = []
    for k, name in enumerate((ALL, *classes)):
        for cadence in predicted:
            size = int(whole[name].rows.size)
            error = float(samples[cadence][:, k].std())
            level = Level(value=float(scores[cadence][k]), error=error, n=size)
            change = None
            if cadence != first:
                change = Difference(
                    value=float(scores[cadence][k] - scores[first][k]),
                    error=float((samples[cadence][:, k] - samples[first][:, k]).std()),
                    unpaired_error=float(np.hypot(error, samples[first][:, k].std())),
                    n=size,
                )
            rows.append(_row(whole[name], "f1", cadence, level, change))
    return rows


_UNITS = {"period_low": "d", "period_high": "d", "mag_low": "mag", "mag_high": "mag"}
_DESCRIPTIONS = {
    "class": "class of the stars, or all",
    "bin": "what the stars were binned by: all, period (true), mean_mag",
    "unit": "unit of value, error, difference and their errors",
    "n": "stars with a value",
    "error": "bootstrap standard error",
    "difference": "value minus that under the first cadence, stars with both",
    "difference_error": "bootstrap standard error, stars resampled in pairs",
    "unpaired_error": "the error if the stars were not the same",
    "n_pairs": "stars with a value under both cadences",
    "n_sigma": "difference over difference_error; NaN where it is not tested",
}


def _as_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    from astropy.table import Column, Table

    table = Table()
    for name in rows[0]:
        column: Any = Column([row[name] for row in rows], unit=_UNITS.get(name), description=_DESCRIPTIONS.get(name))
        table[name] = column
    return table
