"""Published relations, with their sources, that turn photometry into physical parameters."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "REDDENING",
    "TOTAL_TO_SELECTIVE",
    "color_from_teff",
    "gaia_g",
    "gravity",
    "teff_from_color",
]

REDDENING = {"LMC": 0.100, "SMC": 0.047}
"""Mean E(V-I) [mag]: Skowron et al. 2021, ApJS 252, 23."""

TOTAL_TO_SELECTIVE = 1.55
"""A_I / E(V-I), as in the Wesenheit index of OGLE (Soszynski et al. 2008, AcA 58, 163)."""


def gravity(period: ArrayLike) -> NDArray[np.float64]:
    """log g of a pulsating star of a period [d] (Fernie 1995, AJ 110, 2361)."""
    return 2.62 - 1.21 * np.log10(np.asarray(period, dtype=float))


def teff_from_color(v_i: ArrayLike, log_g: ArrayLike) -> NDArray[np.float64]:
    """Effective temperature [K] from (V-I)_0 (Kovacs & Walker 2001, A&A 371, 579; Castelli's models).

    The metallicity term (0.0012 dex in log T a dex) is left out. NaN outside 0.2 < (V-I)_0 < 1.1. At the
    gravity of dwarfs it is hotter than the empirical sequence of Pecaut & Mamajek (2013, ApJS 208, 9): by
    0.5-1.6 % for 0.34 < V-I < 0.6, by 2.3-3.5 % for 0.64 < V-I < 0.79.
    """
    v_i = np.asarray(v_i, dtype=float)
    log_t = 3.9020 - 0.2451 * v_i + 0.0099 * np.asarray(log_g, dtype=float)
    return np.where((v_i > 0.2) & (v_i < 1.1), 10.0**log_t, np.nan)


def color_from_teff(teff: ArrayLike, log_g: ArrayLike) -> NDArray[np.float64]:
    """The (V-I)_0 of which :func:`teff_from_color` makes a temperature [K]; its inverse, without its limits.

    Examples
    --------
    >>> float(color_from_teff(teff_from_color(0.6, 2.0), 2.0).round(6))
    0.6
    """
    log_t = np.log10(np.asarray(teff, dtype=float))
    return (3.9020 + 0.0099 * np.asarray(log_g, dtype=float) - log_t) / 0.2451


def gaia_g(i: ArrayLike, v_i: ArrayLike) -> NDArray[np.float64]:
    """Gaia DR2 G from I and V-I (Evans et al. 2018, A&A 616, A4, appendix A).

    NaN outside -0.3 < V-I < 2.7.
    """
    v_i = np.asarray(v_i, dtype=float)
    g_v = -0.01746 + 0.008092 * v_i - 0.2810 * v_i**2 + 0.03655 * v_i**3
    return np.where((v_i > -0.3) & (v_i < 2.7), np.asarray(i, dtype=float) + v_i + g_v, np.nan)
