"""The complete period search of lcgen.compare, star by star."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lcgen.compare.period import Series, period_kind, search_period

from .aliases import HARMONICS, FoundPeriods
from .photometry import Photometry

__all__ = ["search_all"]


def search_all(
    photometry: Photometry, period: NDArray[np.float64], *, class_name: str, two_minima: bool
) -> FoundPeriods:
    """What :func:`lcgen.compare.period.search_period` finds for each star.

    Parameters
    ----------
    photometry : Photometry
    period : ndarray, shape (n_stars,)
        True periods [d].
    class_name : str
    two_minima : bool
        Whether half of the period counts as well.
    """
    n, merged, settings = period.size, photometry.merged, photometry.settings
    found, power, ratio = (np.full(n, np.nan) for _ in range(3))
    fap, recovered = np.zeros(n), np.zeros(n, dtype=bool)
    for i in range(n):
        there = merged.measured[i]
        series = Series(
            mjd=merged.mjd[there],
            flux=merged.flux[i, there],
            flux_err=merged.flux_err[i, there],
            band=merged.band[there],
        )
        peak = search_period(series, settings)
        found[i], power[i], fap[i] = peak.period, peak.power, peak.log10_fap
        kind = period_kind(peak.period, period[i], class_name=class_name, span=peak.span, tolerance=settings.tolerance)
        recovered[i] = kind == "true" or (two_minima and kind == "half")
        if kind in ("true", "near", "half", "double", "harmonic"):
            ratio[i] = min(HARMONICS, key=lambda r: abs(period[i] / peak.period - r))
        elif kind != "none":
            ratio[i] = 0.0 if kind in ("daily", "yearly") else -1.0
    return FoundPeriods(period=found, power=power, log10_fap=fap, ratio=ratio, recovered=recovered)
