"""Stars behind the typical relations: temperature, magnitude and radius from period and uniform numbers.

What the relations are and where they come from is said in :mod:`lcgen.population.typical`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..observe.atmosphere import colour

__all__ = ["bolometric_correction_g", "draw_stars", "gravity_of", "radius_of"]

_Array = NDArray[np.float64]
_SUN_TEFF, _SUN_MBOL, _SUN_LOGG = 5772.0, 4.74, 4.438  # IAU 2015 resolutions B2 and B3
_WIDEST = 2.5  # drawn scatter is limited to this many standard deviations

# Zero and slope of M_G, its scatter; zero and slope of log T, its scatter.
_LINEAR: dict[str, tuple[float, float, float, float, float, float]] = {
    "anomalous Cepheid, F": (-0.641, -2.841, 0.24, 3.813, -0.064, 0.027),
    "anomalous Cepheid, 1O": (-1.602, -3.395, 0.24, 3.835, -0.064, 0.027),
    "RV Tauri star": (3.015, -4.092, 0.44, 3.730, -0.010, 0.036),
    "RRab": (0.131, -1.427, 0.17, 3.749, -0.253, 0.013),
    "RRc": (-0.170, -1.472, 0.19, 3.761, -0.181, 0.015),
    "Cepheid, F": (-1.301, -2.809, 0.19, 3.797, -0.069, 0.019),
    "Cepheid, overtone": (-1.751, -3.267, 0.19, 3.792, -0.032, 0.019),
}

# Main sequence, hot to cool: Pecaut & Mamajek 2013, ApJS 208, 9, version 2024.05.15 (types B5, B7, ... K6).
_MS_TEFF = np.array([15700, 14000, 12300, 10700, 9700, 8840, 8250, 7760, 7220, 6820, 6550, 6180, 5930, 5770, 5480, 5290,
                     5100, 4870, 4600, 4300], dtype=float)[::-1]  # fmt: skip
_MS_MASS = np.array([4.70, 3.92, 3.38, 2.75, 2.33, 2.06, 1.88, 1.76, 1.60, 1.43, 1.32, 1.16, 1.07, 1.00, 0.93, 0.86,
                     0.82, 0.76, 0.72, 0.67])[::-1]  # fmt: skip
_MS_RADIUS = np.array([3.36, 2.94, 2.86, 2.49, 2.193, 2.117, 1.794, 1.750, 1.728, 1.622, 1.473, 1.221, 1.100, 1.012,
                       0.914, 0.813, 0.783, 0.755, 0.710, 0.669])[::-1]  # fmt: skip
_MS_MAG = np.array([-0.84, -0.39, -0.01, 0.515, 1.00, 1.345, 1.92, 2.19, 2.51, 2.89, 3.26, 3.90, 4.325, 4.635, 5.098,
                    5.553, 5.83, 6.22, 6.59, 7.15])[::-1]  # fmt: skip
_MASSES = np.geomspace(_MS_MASS[0], _MS_MASS[-1], 400)


def draw_stars(relation: str, period: _Array, u: _Array) -> _Array:
    """Stars that follow a relation.

    Parameters
    ----------
    relation : str
        Key of :data:`lcgen.population.typical.RELATIONS`.
    period : ndarray, shape (n,)
        Period [d], within the range of the relation.
    u : ndarray, shape (n, 4)
        Uniform numbers.

    Returns
    -------
    ndarray, shape (4, n)
        T_eff [K], M_G [mag], radius [R_sun] (NaN to follow from both) and mass [M_sun] (NaN where unknown).
    """
    if relation not in _LINEAR:
        return _PHYSICAL[relation](period, u)
    zero, slope, width, zero_t, slope_t, width_t = _LINEAR[relation]
    x = np.log10(period)
    mag = zero + slope * x + width * _normal(u[:, 1])
    return _rows(10.0 ** (zero_t + slope_t * x + width_t * _normal(u[:, 2])), mag)


def gravity_of(mass: ArrayLike, radius: ArrayLike) -> _Array:
    """log g [dex cgs] of a mass and a radius in solar units.

    Examples
    --------
    >>> float(gravity_of(1.0, 1.0))
    4.438
    """
    return _SUN_LOGG + np.log10(mass) - 2.0 * np.log10(radius)


def bolometric_correction_g(teff: ArrayLike) -> _Array:
    """Bolometric correction in Gaia G [mag], M_bol = M_G + BC (Andrae et al. 2018, A&A 616, A8, table 4).

    Measured for 3,300-8,000 K. Cooler stars follow the same polynomial down to 2,600 K, hotter ones the table of Pecaut
    & Mamajek (2013, as for the main sequence here).

    Examples
    --------
    >>> float(bolometric_correction_g(5772.0))
    0.06
    """
    teff = np.asarray(teff, dtype=float)
    t = np.clip(teff, 2600.0, 8000.0) - 5772.0
    warm = np.polynomial.polynomial.polyval(t, [6.000e-2, 6.731e-5, -6.647e-8, 2.859e-11, -7.197e-15])
    cool = np.polynomial.polynomial.polyval(t, [1.749, 1.977e-3, 3.737e-7, -8.966e-11, -4.183e-14])
    hot = np.interp(
        teff, [8000, 8600, 9700, 10700, 12300, 14000, 15700], [0.03, -0.03, -0.22, -0.435, -0.72, -1.06, -1.35]
    )
    return np.where(teff > 8000.0, hot, np.where(teff < 4000.0, cool, warm))


def _rows(teff: ArrayLike, mag: ArrayLike, radius: ArrayLike = np.nan, mass: ArrayLike = np.nan) -> _Array:
    return np.stack(np.broadcast_arrays(teff, mag, radius, mass)).astype(float)


def _normal(u: _Array) -> _Array:
    from scipy.special import ndtr, ndtri

    edge = float(ndtr(-_WIDEST))
    return ndtri(edge + (1.0 - 2.0 * edge) * u)


def _luminosity(mbol: ArrayLike) -> _Array:
    return 10.0 ** (-0.4 * (np.asarray(mbol) - _SUN_MBOL))


def _magnitude(luminosity: ArrayLike, teff: ArrayLike) -> _Array:
    return _SUN_MBOL - 2.5 * np.log10(luminosity) - bolometric_correction_g(teff)


def radius_of(mag: ArrayLike, teff: ArrayLike) -> _Array:
    """Radius [R_sun] of a star of absolute magnitude in G and effective temperature [K]."""
    teff = np.asarray(teff, dtype=float)
    return np.sqrt(_luminosity(np.asarray(mag) + bolometric_correction_g(teff))) * (_SUN_TEFF / teff) ** 2


def _teff_of_v(m_v: _Array, area: _Array) -> _Array:
    """T_eff of a surface `area` [that of the Sun] of absolute magnitude M_V; bolometric corrections by iteration."""
    teff = np.full(m_v.shape, 6500.0)
    for _ in range(8):
        mbol = m_v - colour("V", "G", teff) + bolometric_correction_g(teff)
        teff = np.clip(_SUN_TEFF * (_luminosity(mbol) / area) ** 0.25, 3300.0, 12000.0)
    return teff


def _separation(mass: ArrayLike, period: ArrayLike) -> _Array:
    """Semi-major axis [R_sun] of a total mass [M_sun] and a period [d], from Kepler's third law."""
    return 4.208 * (np.asarray(mass) * np.asarray(period) ** 2) ** (1.0 / 3.0)


def _lobe(q: ArrayLike) -> _Array:
    """Radius of the Roche lobe over the separation; q is the star's mass over its companion's (Eggleton 1983)."""
    third = np.asarray(q, dtype=float) ** (1.0 / 3.0)
    return 0.49 * third**2 / (0.6 * third**2 + np.log1p(third))


def _delta_scuti(period: _Array, u: _Array) -> _Array:
    mass = 1.8
    m_v = -2.94 * np.log10(period) - 1.34 + 0.25 * _normal(u[:, 1])
    radius = (mass * (period / 0.033) ** 2) ** (1.0 / 3.0) * 10.0 ** (0.01 * _normal(u[:, 2]))
    teff = _teff_of_v(m_v, radius**2)
    return _rows(teff, _magnitude(radius**2 * (teff / _SUN_TEFF) ** 4, teff), radius, mass)


def _contact(period: _Array, u: _Array) -> _Array:
    q, x = 0.3, np.log10(period)
    m_v = -8.67 * (x + 0.40) + 3.73 + 0.3 * _normal(u[:, 1])
    mass = 10.0 ** (0.755 * x + 0.416)
    a = _separation(mass * (1.0 + q), period)
    first, second = _lobe(1.0 / q) * a, _lobe(q) * a
    area = first**2 + second**2
    # the steep relation would make those of long periods hotter than they are (Jayasinghe et al. 2020)
    hottest = 7200.0 * 10.0 ** (0.015 * _normal(u[:, 2]))
    teff = np.clip(_teff_of_v(m_v, area), 4300.0, hottest)
    return _rows(teff, _magnitude(area * (teff / _SUN_TEFF) ** 4, teff), first, mass)


def _shortest_period(mass: ArrayLike, radius: ArrayLike, q: ArrayLike) -> _Array:
    """Period [d] at which a star fills its lobe beside a companion of mass q times its own."""
    q = np.asarray(q, dtype=float)
    return np.sqrt((np.asarray(radius) / (4.208 * _lobe(1.0 / q))) ** 3 / (np.asarray(mass) * (1.0 + q)))


def _detached(period: _Array, u: _Array) -> _Array:
    radius, mag = np.interp(_MASSES, _MS_MASS, _MS_RADIUS), np.interp(_MASSES, _MS_MASS, _MS_MAG)
    shining = _luminosity(mag + bolometric_correction_g(np.interp(_MASSES, _MS_MASS, _MS_TEFF)))
    weight = _MASSES**-2.35 * np.minimum(1.0, _MASSES / shining) * radius * _MASSES ** (-1 / 3) * 10.0 ** (-0.3 * mag)
    below = np.concatenate([[0.0], np.cumsum(0.5 * (weight[1:] + weight[:-1]) * np.diff(_MASSES))])
    closest = np.maximum.accumulate(_shortest_period(_MASSES, radius / 0.9, 1.0))
    reach = np.interp(period, closest, below)
    first = np.interp(u[:, 1] * reach, below, _MASSES)
    second = first * (0.3 + 0.7 * u[:, 3])
    teff = [np.interp(m, _MS_MASS, _MS_TEFF) for m in (first, second)]
    # a companion below the table's end adds nothing that matters
    light = [10.0 ** (-0.4 * np.interp(first, _MS_MASS, _MS_MAG))]
    light.append(np.where(second < _MS_MASS[0], 0.0, 10.0 ** (-0.4 * np.interp(second, _MS_MASS, _MS_MAG))))
    total = light[0] + light[1]
    both = (light[0] * teff[0] + light[1] * teff[1]) / total
    both *= 10.0 ** (0.01 * _normal(u[:, 2]))
    return _rows(both, -2.5 * np.log10(total), np.interp(first, _MS_MASS, _MS_RADIUS), first)


def _close(period: _Array, u: _Array) -> _Array:
    q, heaviest, evolved_mass = 0.6, 2.5, 1.2
    filling = 0.7 + 0.3 * u[:, 1]
    closest = np.maximum.accumulate(_shortest_period(_MS_MASS, _MS_RADIUS, q))
    mass = np.interp(period * filling**1.5, closest, _MS_MASS)
    dwarf = _rows(
        np.interp(mass, _MS_MASS, _MS_TEFF) * 10.0 ** (0.015 * _normal(u[:, 2])),
        np.interp(mass, _MS_MASS, _MS_MAG) - 0.4 * u[:, 3],
        np.interp(mass, _MS_MASS, _MS_RADIUS),
        mass,
    )
    radius = np.minimum(filling * _lobe(1.0 / q) * _separation(evolved_mass * (1.0 + q), period), 250.0)
    teff = _giant_teff(np.log10(radius)) + 100.0 * _normal(u[:, 2])
    giant = _rows(teff, _magnitude(radius**2 * (teff / _SUN_TEFF) ** 4, teff), radius, evolved_mass)
    return np.where(mass > heaviest, giant, dwarf)


# Giants of field stars: log R and T_eff, after van Belle et al. 2021, ApJ 922, 163 (11 R_sun to K0, 50 at K5, about 130
# where V-K = 6.5) and, on the asymptotic branch, R Aql (Hofmann et al. 2002: 250 R_sun, 2,970 K); the ends continue the
# slopes to subgiants and to the coolest giants.
_GIANT_LOG_R = np.array([0.477, 1.041, 1.699, 2.117, 2.398, 2.7])
_GIANT_TEFF = np.array([5440.0, 4750.0, 3950.0, 3225.0, 2970.0, 2696.0])


def _giant_teff(log_r: _Array) -> _Array:
    return np.interp(log_r, _GIANT_LOG_R, _GIANT_TEFF)


def _correction_k(teff: _Array) -> _Array:
    """M_bol - M_K of red giants: 2.4 at 4,290 K (Arcturus) to 3.15 at 2,970 K (R Aql with its M_K from the period)."""
    return np.interp(teff, [2970.0, 4290.0], [3.15, 2.4])


def _red_giant(m_k: _Array, u: _Array) -> _Array:
    """A giant of absolute magnitude M_K on the giant branch."""
    m_k = m_k + 0.25 * _normal(u[:, 1])
    log_r = np.linspace(_GIANT_LOG_R[0], _GIANT_LOG_R[-1], 200)
    teff = _giant_teff(log_r)
    brightness = _SUN_MBOL - 5.0 * log_r - 10.0 * np.log10(teff / _SUN_TEFF) - _correction_k(teff)
    on_branch = np.interp(-m_k, -brightness, teff) + 80.0 * _normal(u[:, 2])
    on_branch = np.maximum(on_branch, 2700.0)
    return _rows(on_branch, _magnitude(_luminosity(m_k + _correction_k(on_branch)), on_branch))


def _mira(period: _Array, u: _Array) -> _Array:
    x = np.log10(period)
    m_k = -3.51 * (x - 2.38) - 7.25 + 0.2 * _normal(u[:, 1])
    teff = np.clip(2970.0 - 950.0 * (x - np.log10(284.0)) + 150.0 * _normal(u[:, 2]), 2500.0, 3800.0)
    return _rows(teff, _magnitude(_luminosity(m_k + _correction_k(teff)), teff))


def _sequences(period: _Array) -> dict[str, _Array]:
    """M_K at the centres of the sequences of the LMC (Groenewegen 2004, table 4), distance modulus 18.477."""
    x = np.log10(period)
    lines = {"A": (-3.72, 17.475), "B": (-4.00, 19.175), "C": (-3.80, 20.20)}
    return {name: slope * x + zero - 18.477 for name, (slope, zero) in lines.items()}


def _semiregular(period: _Array, u: _Array) -> _Array:
    k = _sequences(period)
    return _red_giant(np.where((u[:, 0] < 0.5) & (period < 150.0), k["B"], k["C"]), u)


def _small_amplitude(period: _Array, u: _Array) -> _Array:
    k = _sequences(period)
    return _red_giant(np.where((u[:, 0] < 0.5) & (period < 60.0), k["A"], k["B"]), u)


def _type_ii(period: _Array, u: _Array) -> _Array:
    x = np.log10(period)
    fainter = 0.3 * _normal(u[:, 1])
    luminosity = _luminosity(0.12 - 1.78 * x + fainter)
    # 0.2 dex a magnitude at constant temperature: stars of one period scatter in luminosity more than in temperature
    radius = 10.0 ** (0.846 + 0.521 * x - 0.2 * fainter + 0.03 * _normal(u[:, 2]))
    teff = _SUN_TEFF * (luminosity / radius**2) ** 0.25
    return _rows(teff, _magnitude(luminosity, teff), radius)


_PHYSICAL: dict[str, Callable[[_Array, _Array], _Array]] = {
    "delta Scuti": _delta_scuti,
    "contact binary": _contact,
    "detached binary": _detached,
    "close binary": _close,
    "Mira": _mira,
    "semiregular": _semiregular,
    "small-amplitude red giant": _small_amplitude,
    "type II Cepheid": _type_ii,
}
