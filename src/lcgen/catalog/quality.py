"""Which observations of a survey file can be meant, and which are placeholders."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..taxonomy import PARAMETERS

__all__ = ["MAX_ERROR", "MAX_MAG", "MAX_MJD", "MIN_MAG", "MIN_MJD", "usable_periods", "usable_rows"]

MIN_MJD, MAX_MJD = 15020.0, 88069.0
"""Times of sense [d]: the years 1900 to 2099."""
MIN_MAG, MAX_MAG = -30.0, 40.0
"""Magnitudes of sense; surveys write 99.99 or -99.9 for a missing one."""
MAX_ERROR = 9.0
"""Errors from here on are placeholders (9.999, 99.999) [mag]."""


def usable_rows(
    mjd: NDArray[np.floating], mag: NDArray[np.floating], mag_err: NDArray[np.floating]
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Mark the observations that can be meant.

    Parameters
    ----------
    mjd, mag, mag_err : ndarray, shape (n_obs,)
        Times [d], magnitudes and errors [mag].

    Returns
    -------
    good : ndarray of bool, shape (n_obs,)
    dropped : dict
        Number of other rows by reason: ``"not finite"``, ``"time"`` (outside :data:`MIN_MJD` ..
        :data:`MAX_MJD`), ``"magnitude"`` (outside :data:`MIN_MAG` .. :data:`MAX_MAG`), ``"error"`` (not
        positive, or :data:`MAX_ERROR` and more). A row counts once, under the first that applies.
    """
    # written so that NaN fails every comparison: the usual case, all rows good, needs no further pass
    good_time = (mjd >= MIN_MJD) & (mjd <= MAX_MJD)
    good_mag = (mag > MIN_MAG) & (mag < MAX_MAG)
    good = good_time & good_mag & (mag_err > 0) & (mag_err < MAX_ERROR)
    dropped: dict[str, int] = {}
    bad = np.flatnonzero(~good)
    if bad.size:
        finite = np.isfinite(mjd[bad]) & np.isfinite(mag[bad]) & np.isfinite(mag_err[bad])
        reasons = np.select(
            [~finite, ~good_time[bad], ~good_mag[bad]], ["not finite", "time", "magnitude"], default="error"
        )
        names, counts = np.unique(reasons, return_counts=True)
        dropped = {str(n): int(c) for n, c in zip(names, counts, strict=True)}
    return good, dropped


def usable_periods(period: NDArray[np.floating]) -> tuple[NDArray[np.float64], int]:
    """Periods [d] with NaN for those that cannot be meant, and how many those were (NaN not counted)."""
    out = np.array(period, dtype=np.float64)
    limits = PARAMETERS["period"]
    bad = ~np.isnan(out) & ~((out >= limits.low) & (out <= limits.high))
    out[bad] = np.nan
    return out, int(bad.sum())
