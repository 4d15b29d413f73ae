"""Blind period search in several bands, and what a found period is to the true one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..taxonomy import class_info
from .settings import Settings

__all__ = ["KINDS", "FoundPeriod", "Series", "merge_visits", "period_kind", "search_period"]

KINDS = ("true", "half", "double", "harmonic", "daily", "yearly", "near", "wrong", "none")
"""What a found period is; see :func:`period_kind`."""

_PER_MAG = 2.5 / np.log(10.0)
# Softening of asinh magnitudes in units of the noise: Lupton, Gunn & Szalay 1999 (AJ 118, 1406).
_SOFTENING = 1.042
_FLOOR = 0.1
_CANDIDATES = 5
_SHARPENING = 3
_MIN_OBSERVATIONS = 10
_SIDEREAL_DAY = 0.99726957
_YEAR = 365.25
_RATIOS = (1 / 3, 3.0, 2 / 3, 3 / 2, 1 / 4, 4.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """Measurements of one star, in order of time within each band.

    Attributes
    ----------
    mjd, flux, flux_err : ndarray, shape (n,)
        Times [d], fluxes and errors [nJy].
    band : ndarray of int, shape (n,)
        Index of the band.
    """

    mjd: NDArray[np.float64]
    flux: NDArray[np.float64]
    flux_err: NDArray[np.float64]
    band: NDArray[np.integer]


@dataclass(frozen=True, kw_only=True)
class FoundPeriod:
    """The highest peak of a periodogram.

    Attributes
    ----------
    period : float
        In days; NaN where there were too few observations to search.
    power : float
        Share of the weighted variance about the means of the bands that the best sinusoid explains, 0 to 1.
    log10_fap : float
        Of the probability that noise alone has a peak as high, an upper bound (Baluev 2008, MNRAS 385, 1279).
    span : float
        From the first to the last observation [d].
    """

    period: float
    power: float
    log10_fap: float
    span: float


def merge_visits(series: Series, minutes: float) -> Series:
    """Visits of one band within `minutes` as one measurement: weighted means of time and flux."""
    order = np.lexsort((series.mjd, series.band))
    mjd, band = series.mjd[order], series.band[order]
    flux, err = series.flux[order], series.flux_err[order]
    window = minutes / 1440.0
    if mjd.size == 0 or window <= 0:
        return Series(mjd=mjd, flux=flux, flux_err=err, band=band)
    new_run = np.ones(mjd.size, dtype=bool)
    new_run[1:] = (band[1:] != band[:-1]) | (np.diff(mjd) > window)
    start = mjd[np.maximum.accumulate(np.where(new_run, np.arange(mjd.size), 0))]
    part = np.floor((mjd - start) / window)
    first = new_run.copy()
    first[1:] |= part[1:] != part[:-1]
    edges = np.flatnonzero(first)
    weight = err**-2.0
    total = np.add.reduceat(weight, edges)
    origin = mjd[edges]
    since = mjd - np.repeat(origin, np.diff(np.append(edges, mjd.size)))
    return Series(
        mjd=origin + np.add.reduceat(weight * since, edges) / total,
        flux=np.add.reduceat(weight * flux, edges) / total,
        flux_err=1.0 / np.sqrt(total),
        band=band[edges],
    )


def asinh_magnitudes(series: Series) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Magnitudes that bear negative fluxes, minus their mean in each band, and errors with a floor.

    Like magnitudes where the signal is strong and like fluxes where it is weak (Lupton, Gunn & Szalay 1999, AJ 118,
    1406). The floor is a tenth of the scatter, so that a curve that is no sinusoid is not held against the period.
    """
    value, error = np.empty(series.mjd.size), np.empty(series.mjd.size)
    for k in np.unique(series.band):
        rows = series.band == k
        flux, err = series.flux[rows], series.flux_err[rows]
        soft = 2.0 * _SOFTENING * float(np.median(err))
        y = -_PER_MAG * np.arcsinh(flux / soft)
        e = np.hypot(_PER_MAG * err / np.hypot(flux, soft), _FLOOR * float(y.std()))
        weight = e**-2.0
        value[rows], error[rows] = y - np.sum(weight * y) / weight.sum(), e
    return value, error


def search_period(series: Series, settings: Settings) -> FoundPeriod:
    """The period of the highest peak of the multi-band periodogram.

    Parameters
    ----------
    series : Series
    settings : Settings
        With the engine resolved.

    Notes
    -----
    The statistic is that of the shared-phase model of VanderPlas & Ivezic (2015, ApJ 812, 18; their N_base = 1,
    N_band = 0): one sinusoid in all bands, about a mean of its own in each. It is computed with astropy's
    ``LombScargle`` of the mean-subtracted bands on the grid, and exactly, with ``LombScargleMultiband``, around
    the five highest peaks of the grid. The highest of these is the period; it is refined, within a fraction of the
    resolution, with a series of three harmonics in place of the sinusoid, which lowers the errors of curves that are
    not sinusoids.
    """
    from astropy.timeseries import LombScargle, LombScargleMultiband

    from ..catalog.period_scan import peaks

    n = series.mjd.size
    span = float(np.ptp(series.mjd)) if n else 0.0
    nothing = FoundPeriod(period=float("nan"), power=float("nan"), log10_fap=0.0, span=span)
    if n < _MIN_OBSERVATIONS or span < 2.0 * settings.min_period:
        return nothing
    value, error = asinh_magnitudes(series)
    if not value.std() > 0:
        return nothing
    time = series.mjd - series.mjd.min()
    step = 1.0 / (settings.oversampling * span)
    low, high = 1.0 / settings.max_period, 1.0 / settings.min_period
    first, last = max(int(np.ceil(low / step)), 1), max(int(high / step), 1)
    grid = step * np.arange(first, last + 1, dtype=np.float64)
    single = LombScargle(time, value, error)
    power = _grid_power(single, grid, settings.engine)
    power[~np.isfinite(power)] = 0.0
    exact = LombScargleMultiband(time, value, series.band, error, nterms_base=1, nterms_band=0)
    tops = grid[peaks(power, _CANDIDATES)].tolist()
    best, height = max((_refined(exact, top, step) for top in tops), key=lambda found: found[1])
    strength = min(max(height, 0.0), 1.0 - 1e-12)
    sharp = LombScargleMultiband(time, value, series.band, error, nterms_base=_SHARPENING, nterms_band=0)
    best, _ = _refined(sharp, best, 0.5 * step)
    fap = float(
        np.asarray(
            single.false_alarm_probability(strength, method="baluev", minimum_frequency=low, maximum_frequency=high)
        )
    )
    return FoundPeriod(
        period=1.0 / best, power=strength, log10_fap=max(float(np.log10(max(fap, 1e-300))), -300.0), span=span
    )


def _grid_power(single: Any, grid: NDArray[np.float64], engine: str) -> NDArray[np.float64]:
    if engine == "nifty-ls":
        import nifty_ls  # noqa: F401

        return np.array(single.power(grid, method="fastnifty", assume_regular_frequency=True))
    from ..catalog.period_scan import fast_power

    return np.array(fast_power(single, grid))


def _refined(exact: Any, frequency: float, step: float) -> tuple[float, float]:
    """Frequency and power of the maximum near a peak of the grid, by parabolas through exact powers."""
    width = step
    power = 0.0
    for _ in range(2):
        near = frequency + width * np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
        near = near[near > 0.0]
        p = np.asarray(exact.power(near, method="flexible"))
        i = int(np.clip(np.argmax(p), 1, near.size - 2))
        curvature = p[i - 1] - 2.0 * p[i] + p[i + 1]
        shift = 0.5 * (p[i - 1] - p[i + 1]) / curvature if curvature < 0 else 0.0
        frequency, power = float(near[i] + np.clip(shift, -1.0, 1.0) * 0.5 * width), float(p.max())
        width *= 0.25
    return frequency, power


def period_kind(found: float, true: float, *, class_name: str, span: float, tolerance: float = 1e-3) -> str:
    """What a found period is to the true one.

    Parameters
    ----------
    found, true : float
        Periods [d].
    class_name : str
        Where two minima make one period (``base_harmonic`` 2) the aliases of the half period count as well: it is the
        frequency that a sinusoid finds.
    span : float
        From the first to the last observation [d].
    tolerance : float
        Relative error of a period that counts as the same.

    Returns
    -------
    str
        One of :data:`KINDS`, the first that fits: ``true``; ``half``, ``double``; ``harmonic``: the true frequency
        times 1/4, 1/3, 2/3, 3/2, 3 or 4; ``near``: within half a resolution element (0.5 / span) of the true
        frequency, the right peak, but not as near as `tolerance`; ``daily``: the frequency plus or minus 1, 2 or 3
        cycles a solar or sidereal day, also mirrored at zero; ``yearly``: plus or minus 1 or 2 cycles a year;
        ``wrong``; or ``none``: no period was found.

    Examples
    --------
    >>> options = {"class_name": "RRLYR", "span": 3650.0}
    >>> period_kind(0.55, 0.5501, **options), period_kind(1 / (1 / 0.55 + 1.0), 0.55, **options)
    ('true', 'daily')
    """
    if not (np.isfinite(found) and found > 0):
        return "none"
    f, f0 = 1.0 / found, 1.0 / true

    def same(candidate: float) -> bool:
        return candidate > 0 and abs(candidate / f - 1.0) <= tolerance

    for kind, ratios in (("true", (1.0,)), ("half", (2.0,)), ("double", (0.5,)), ("harmonic", _RATIOS)):
        if any(same(f0 * r) for r in ratios):
            return kind
    resolution = 0.5 / span if span > 0 else np.inf
    bases = [f0 * k for k in range(1, class_info(class_name).base_harmonic + 1)]
    if any(abs(f - base) <= resolution for base in bases):
        return "near"
    width = max(resolution, tolerance * f)
    for kind, steps in (
        ("daily", [k / day for k in (1, 2, 3) for day in (1.0, _SIDEREAL_DAY)]),
        ("yearly", [k / _YEAR for k in (1, 2)]),
    ):
        if any(abs(f - abs(base + sign * s)) <= width for base in bases for s in steps for sign in (1.0, -1.0)):
            return kind
    return "wrong"
