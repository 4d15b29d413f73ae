"""The same star under two names, told by its ephemeris.

Some packs name their stars by numbers and give no position. A pulsating star or a binary that two of them have seen
shows itself by its period and the time of its maximum or minimum: over a few thousand days the periods agree to one
part in 10^5, and at the same time the phases agree too. Between Catalina South and the ASAS RR Lyrae in I, whose names
are positions, 112 stars are found, all of them within 30 arcsec of each other, of 157 that are.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..lightcurve import LightCurves, phase_of
from ..taxonomy import CLASS_INFO
from .align import alignment_shift
from .fourier import fit_fourier

__all__ = ["match_stars", "rename_matched"]

_MIN_OBSERVATIONS = 30


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Ephemerides:
    """Rows of light curves with frequency [1/d], time of phase zero and middle of the observations [MJD], and mean."""

    rows: NDArray[np.int64]
    frequency: NDArray[np.float64]
    epoch: NDArray[np.float64]
    span: NDArray[np.float64]
    mean: NDArray[np.float64]


def _short(curves: LightCurves, cls: str, max_period: float) -> NDArray[np.int64]:
    """Rows of the class whose period is short, in the order of their frequencies."""
    period = np.asarray(curves.columns["period"], dtype=float)
    rows = np.flatnonzero((np.asarray(curves.columns["class"]) == cls) & (period > 0) & (period < max_period))
    return rows[np.argsort(-period[rows], kind="stable")]


def _neighboured(
    curves: LightCurves, rows: NDArray[np.int64], others: LightCurves, other_rows: NDArray[np.int64], max_drift: float
) -> NDArray[np.int64]:
    """Those of the rows that have any of the others near in frequency: the rest need not be fitted."""
    frequency, other = (
        1.0 / np.asarray(c.columns["period"], dtype=float)[r] for c, r in ((curves, rows), (others, other_rows))
    )
    bounds = zip(curves.offsets[rows], curves.offsets[rows + 1], strict=True)
    span = np.array([float(np.ptp(curves.mjd[a:b])) if b > a else 1.0 for a, b in bounds])
    reach = max_drift / np.maximum(span, 1.0)
    count = np.searchsorted(other, frequency + reach, "right") - np.searchsorted(other, frequency - reach)
    return rows[count > 0]


def _ephemerides(curves: LightCurves, rows: NDArray[np.int64], base_harmonic: int) -> _Ephemerides:
    found = []
    for i in rows:
        own = slice(int(curves.offsets[i]), int(curves.offsets[i + 1]))
        mjd, mag, err = (np.asarray(x[own], dtype=float) for x in (curves.mjd, curves.mag, curves.mag_err))
        good = np.isfinite(mjd) & np.isfinite(mag) & np.isfinite(err) & (err > 0)
        if good.sum() < _MIN_OBSERVATIONS:
            continue
        period, middle = float(curves.columns["period"][i]), float(np.median(mjd[good]))
        phase = phase_of(mjd[good], period, middle)
        fit = fit_fourier(phase, mag[good], err[good], n_harmonics=4 * base_harmonic, base_harmonic=base_harmonic)
        shift = alignment_shift(fit.coefficients, base_harmonic=base_harmonic)
        epoch = middle + ((shift + 0.5) % 1.0 - 0.5) * period
        found.append((i, 1.0 / period, epoch, float(np.ptp(mjd[good])), fit.mean))
    rows, *values = np.array(found).reshape(-1, 5).T
    return _Ephemerides(
        rows=rows.astype(np.int64), frequency=values[0], epoch=values[1], span=values[2], mean=values[3]
    )


def match_stars(
    first: LightCurves,
    second: LightCurves,
    *,
    max_drift: float = 0.15,
    max_phase: float = 0.1,
    max_offset: float = 0.6,
    max_period: float = 2.0,
    max_chance: float = 0.1,
) -> list[tuple[int, int]]:
    """Stars of two sets that are the same, by class, period, phase and brightness.

    Parameters
    ----------
    first, second : LightCurves
        With the columns ``class`` and ``period``; of any bands, one a set.
    max_drift : float
        Largest drift of the two ephemerides against each other over the longer set of observations [cycles].
    max_phase : float
        Largest difference between the times of phase zero [cycles].
    max_offset : float
        Largest deviation of the difference of the mean magnitudes from the most usual one [mag].
    max_period : float
        Stars with longer periods are not looked at: a survey has too few of their cycles to tell them apart [d].
    max_chance : float
        Largest share of pairs by chance, judged from those whose phases disagree; where it is larger, none is trusted.

    Returns
    -------
    list of (row in first, row in second)
        Each star at most once: where several would fit, the ones nearest in period. Empty where those found are hardly
        more than there would be by chance.

    Raises
    ------
    InputError
        If a column is missing.
    """
    for curves in (first, second):
        for name in ("class", "period"):
            if name not in curves.columns:
                raise InputError(f"light curves need the column {name!r} to be matched by ephemeris")
    pairs: list[tuple[float, int, int, float, float]] = []
    for cls in np.intersect1d(first.columns["class"], second.columns["class"]).tolist():
        if cls not in CLASS_INFO:
            continue
        base = CLASS_INFO[cls].base_harmonic

        rows, other_rows = _short(first, cls, max_period), _short(second, cls, max_period)
        rows, other_rows = (
            _neighboured(first, rows, second, other_rows, max_drift),
            _neighboured(second, other_rows, first, rows, max_drift),
        )
        a, b = _ephemerides(first, rows, base), _ephemerides(second, other_rows, base)
        order = np.argsort(a.frequency)
        sorted_frequency = a.frequency[order]
        for j in range(b.rows.size):
            widest = max_drift / max(float(b.span[j]), 1.0)
            low, high = np.searchsorted(sorted_frequency, b.frequency[j] + np.array([-widest, widest]))
            for i in order[low:high]:
                drift = abs(a.frequency[i] - b.frequency[j]) * max(a.span[i], b.span[j])
                cycles = (b.epoch[j] - a.epoch[i]) * 0.5 * (a.frequency[i] + b.frequency[j])
                if drift <= max_drift:
                    off = abs((cycles + 0.5) % 1.0 - 0.5)
                    pairs.append((float(drift), int(a.rows[i]), int(b.rows[j]), float(a.mean[i] - b.mean[j]), off))
    near = [p for p in pairs if p[4] <= max_phase]
    if not near:
        return []
    # pairs by chance have any difference of brightness: the usual one is where most pairs are
    offsets = np.sort([p[3] for p in near])
    within = np.searchsorted(offsets, offsets + max_offset) - np.searchsorted(offsets, offsets - max_offset)
    usual = float(np.median(offsets[within == within.max()]))
    n_far = sum(p[4] > max_phase and abs(p[3] - usual) <= max_offset for p in pairs)
    if n_far * max_phase / (0.5 - max_phase) > max_chance * within.max():
        return []
    taken: tuple[set[int], set[int]] = (set(), set())
    out = []
    for _, i, j, offset, _ in sorted(near):
        if abs(offset - usual) <= max_offset and i not in taken[0] and j not in taken[1]:
            out.append((i, j))
            taken[0].add(i)
            taken[1].add(j)
    return out


def rename_matched(
    first: LightCurves, second: LightCurves, *, bands_of_one_survey: bool
) -> tuple[LightCurves, NDArray[np.bool_]]:
    """Give stars of the second set that :func:`match_stars` finds in the first the names they have there.

    Parameters
    ----------
    first, second : LightCurves
        With the columns ``id``, ``class`` and ``period``.
    bands_of_one_survey : bool
        The found stars take over the period as well, so that both bands are folded alike, and the subclass where they
        have none.

    Returns
    -------
    LightCurves
        The second set.
    found : ndarray of bool, shape (n_stars,)
        Which of its stars were found.
    """
    pairs = match_stars(first, second)
    found = np.zeros(len(second), dtype=bool)
    if not pairs:
        return second, found
    columns = dict(second.columns)
    i, j = np.array(pairs).T
    found[j] = True

    def replaced(name: str, where: NDArray[np.bool_]) -> NDArray:
        ours, theirs = np.asarray(columns[name]), np.asarray(first.columns[name])
        out = ours.astype(object)
        out[j[where]] = theirs[i[where]]
        return out.astype(np.result_type(ours.dtype, theirs.dtype))

    everywhere = np.ones(j.size, dtype=bool)
    changed = {"id": replaced("id", everywhere)}
    if bands_of_one_survey:
        changed["period"] = replaced("period", everywhere)
        if "subclass" in columns and "subclass" in first.columns:
            changed["subclass"] = replaced("subclass", np.asarray(columns["subclass"])[j] == "")
    return dataclasses.replace(second, columns=columns | changed), found
