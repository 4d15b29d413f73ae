"""Rows that belong to one visit, and one row for each visit."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .layout import Columns

__all__ = ["collapse", "collapse_pairs", "same_visit"]

# Two visits of one telescope cannot be closer in time than this; rows that are belong to one visit.
_SAME_VISIT_DAYS = 0.5 / 86400.0
# Of these the first row of a visit is taken, of others the median.
_FIRST = ("band", "night", "mjd", "visit", "field", "quadrant")


def same_visit(columns: Columns, *, loose: bool = True) -> NDArray[np.int64]:
    """A number for each row, equal for rows of one visit.

    Rows belong to one visit if they have one visit identifier, or else if their times in one band agree: within half a
    second where `loose`, or else exactly (some schedules list a visit once for each proposal that it serves).
    """
    if "visit" in columns:
        return np.unique(columns["visit"], return_inverse=True)[1].astype(np.int64)
    mjd, band = columns["mjd"], columns["band"]
    order = np.lexsort((mjd, band))
    gap = np.diff(mjd[order])
    new = (gap > _SAME_VISIT_DAYS if loose else gap > 0) | (band[order][1:] != band[order][:-1])
    group = np.empty(mjd.size, dtype=np.int64)
    group[order] = np.concatenate([[0], np.cumsum(new)])[: mjd.size]
    return group


def collapse(columns: Columns, *, loose: bool = True) -> Columns:
    """One row a visit: numbers become the median over the visit's rows."""
    n = columns["mjd"].size
    everything = np.argsort(columns["mjd"], kind="stable")
    return collapse_pairs(columns, same_visit(columns, loose=loose), everything, np.zeros(n, dtype=np.int64))[0]


def collapse_pairs(
    columns: Columns, group: NDArray[np.int64], row: NDArray[np.int64], star: NDArray[np.int64]
) -> tuple[Columns, NDArray[np.int64]]:
    """Columns at `row`, with one entry for each star and visit.

    Parameters
    ----------
    columns : Columns
        By row.
    group : ndarray of int, shape (n_rows,)
        Number of the visit of each row.
    row, star : ndarray of int, shape (n_pairs,)
        Pairs in order of star and time.

    Returns
    -------
    columns, star
        Shape (n,), in order of star and time.
    """
    if group.size == 0 or int(group.max()) + 1 == group.size:
        return {k: v[row] for k, v in columns.items()}, star
    visit = group[row]
    # pairs of one star and visit side by side, visits in the order of their first row
    order = np.lexsort((visit, star))
    new = np.ones(row.size, dtype=bool)
    new[1:] = (visit[order][1:] != visit[order][:-1]) | (star[order][1:] != star[order][:-1])
    if new.all():
        return {k: v[row] for k, v in columns.items()}, star
    first = np.flatnonzero(new)
    edges = np.append(first, row.size)
    several = np.flatnonzero(np.diff(edges) > 1)
    spans = [p for p, n in zip(pairwise(edges.tolist()), np.diff(edges).tolist(), strict=True) if n > 1]
    by_time = np.argsort(order[first])
    out: Columns = {}
    for name, values in columns.items():
        picked = values[row[order]]
        made = picked[first]
        if name not in _FIRST:
            made = made.astype(np.float64)
            made[several] = [np.median(picked[a:b]) for a, b in spans]
        out[name] = made[by_time]
    return out, star[order[first]][by_time]
