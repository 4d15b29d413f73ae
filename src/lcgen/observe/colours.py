"""Mean colours of stars, as far as two bands need them.

The colour follows the effective temperature along the dwarf sequence; where a class has no temperature, a typical one
is assumed (:data:`ASSUMED_TEFF`). Good to about 0.1 mag for warm stars, worse below 4,000 K and for giants.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UnknownNameError

__all__ = ["ASSUMED_TEFF", "absolute_v", "band_offset", "v_minus_i"]

# T_eff [K] and (V-I)_C of dwarfs: Pecaut & Mamajek (2013, ApJS 208, 9), table as maintained by E. Mamajek, 2024.05.15.
_TEFF = np.array([2810, 3060, 3210, 3430, 3560, 3660, 3850, 4090, 4440, 4600, 4870, 5100, 5290, 5480, 5770, 5930,
                  6180, 6550, 6820, 7220, 7760, 8100, 8600, 9700, 12300, 14500, 15700], dtype=float)  # fmt: skip
_V_I = np.array([4.100, 3.278, 2.831, 2.420, 2.173, 2.005, 1.766, 1.519, 1.272, 1.182, 1.030, 0.920, 0.853, 0.786,
                 0.713, 0.673, 0.599, 0.506, 0.432, 0.339, 0.242, 0.186, 0.108, 0.004, -0.108, -0.145,
                 -0.165])  # fmt: skip

ASSUMED_TEFF = 5800.0
"""Temperature [K] whose colour stands in where a star has none: an assumption, about that of the Sun."""

# Extinction over that in V at the effective wavelength, R_V = 3.1 (Cardelli, Clayton & Mathis 1989, ApJ 345, 245).
_EXTINCTION = {"V": 1.0, "I": 0.60}


def v_minus_i(teff: ArrayLike) -> NDArray[np.float64]:
    """(V-I)_0 [mag] of an effective temperature [K]; the ends of the table beyond 2,810 and 15,700 K.

    NaN temperatures get the colour of :data:`ASSUMED_TEFF`.

    Examples
    --------
    >>> float(v_minus_i(5770.0))
    0.713
    """
    teff = np.asarray(teff, dtype=float)
    return np.interp(np.where(np.isfinite(teff), teff, ASSUMED_TEFF), _TEFF, _V_I)


def absolute_v(abs_mag_g: ArrayLike, teff: ArrayLike) -> NDArray[np.float64]:
    """M_V [mag] of the absolute magnitude in Gaia G, NaN where that is not known.

    G - V as a polynomial in V - I: Evans et al. (2018, A&A 616, A4, appendix A).
    """
    colour = v_minus_i(teff)
    return np.asarray(abs_mag_g, dtype=float) - (
        -0.01746 + 0.008092 * colour - 0.2810 * colour**2 + 0.03655 * colour**3
    )


def band_offset(teff: ArrayLike, band: str, a_v: ArrayLike) -> NDArray[np.float64]:
    """Mean magnitude in a band minus that in V, with the reddening of an extinction `a_v` [mag].

    Raises
    ------
    UnknownNameError
        For a band other than V and I.
    """
    if band not in _EXTINCTION:
        raise UnknownNameError("band with a known colour", band, _EXTINCTION)
    intrinsic = -v_minus_i(teff) if band == "I" else np.zeros(np.shape(teff))
    return intrinsic + (_EXTINCTION[band] - 1.0) * np.asarray(a_v, dtype=float)
