"""Colours and brightness of stars from model atmospheres, in every passband of :data:`lcgen.photometry.BANDS`.

The table holds, for effective temperatures of 2,400 to 12,000 K, log g of 0 to 5 and [Fe/H] of -2.5 to 0.5, the
absolute magnitude of a star of one solar radius: ATLAS9 models (Castelli & Kurucz 2004, astro-ph/0405087) above
4,250 K, BT-Settl models (Allard, Homeier & Freytag 2012, RSPTA 370, 2765) below 3,500 K, and a smooth hand-over between
them. Between its nodes, magnitudes follow a cubic in log T_eff without overshoot (Fritsch & Carlson 1980, SIAM J.
Numer. Anal. 17, 238) and straight lines in log g and [Fe/H]; outside, the edge holds, and :func:`inside` tells.

Johnson-Cousins and Gaia magnitudes are Vega magnitudes (Vega has 0.03 in B, V, R and I), all others AB magnitudes.
How the table was made and how accurate it is in which band stands in ``docs/bands.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from .atmosphere_table import atmosphere_table, cell_of, corners, invert_colour
from .surface import surface_magnitudes

__all__ = [
    "DEFAULT_FE_H",
    "DEFAULT_LOGG",
    "AtmosphereTrack",
    "ab_minus_system",
    "absolute_magnitude",
    "colour",
    "inside",
    "radius_from",
    "surface_magnitude",
    "table_bands",
    "teff_from_colour",
]

Floats = NDArray[np.float64]

DEFAULT_LOGG = 4.0
"""Surface gravity [dex cgs] where a star has none: an assumption, about that of a star of the main sequence."""
DEFAULT_FE_H = 0.0
"""Metallicity [dex] where a star has none: an assumption, the Sun's."""

_CHUNK = 20_000  # rows of node tables that are held at a time
_DENSE = 2048  # points of a track


def table_bands() -> tuple[str, ...]:
    """The passbands that the table knows.

    Examples
    --------
    >>> "sdss_g" in table_bands()
    True
    """
    return atmosphere_table().bands


def ab_minus_system(band: str) -> float:
    """AB magnitude minus the magnitude in the band's own system [mag], as the table has it.

    For B, V, R and I that of Vega's spectrum (CALSPEC alpha_lyr_stis_011) through the filters of Bessell (1990), if
    Vega has 0.03 mag; for Gaia that of Riello et al. (2021, A&A 649, A3); zero for AB systems.

    Raises
    ------
    UnknownNameError
        For a band that the table does not have.
    """
    table = atmosphere_table()
    return float(table.ab_minus_system[table.row(band)])


def surface_magnitude(
    band: str,
    teff: ArrayLike,
    logg: ArrayLike | None = None,
    fe_h: ArrayLike | None = None,
    *,
    default_logg: float = DEFAULT_LOGG,
    default_fe_h: float = DEFAULT_FE_H,
) -> Floats:
    """Absolute magnitude of a star of one solar radius, without extinction.

    Parameters
    ----------
    band : str
        One of :func:`table_bands`.
    teff : array_like
        Effective temperature [K].
    logg, fe_h : array_like, optional
        Surface gravity [dex cgs] and metallicity [dex]; broadcast against `teff`. None or NaN stands for the default.
    default_logg, default_fe_h : float
        What stands in for those that are missing.

    Returns
    -------
    ndarray of float64
        [mag], in the band's own system, of the shape of the inputs together. Outside the table the edge holds.

    Raises
    ------
    UnknownNameError
        For a band that the table does not have.
    InputError
        If a temperature is not a positive number.

    Examples
    --------
    The Sun:

    >>> round(float(surface_magnitude("V", 5772.0, 4.44, 0.0)), 1)
    4.8
    """
    atmosphere_table().row(band)  # an unknown band is told before bad numbers are
    return surface_magnitudes((band,), *_broadcast(teff, logg, fe_h, default_logg, default_fe_h))[0][()]


def colour(
    blue: str,
    red: str,
    teff: ArrayLike,
    logg: ArrayLike | None = None,
    fe_h: ArrayLike | None = None,
    *,
    default_logg: float = DEFAULT_LOGG,
    default_fe_h: float = DEFAULT_FE_H,
) -> Floats:
    """Magnitude in `blue` minus that in `red` [mag], without reddening.

    The parameters other than the bands, and what is raised, are those of :func:`surface_magnitude`.

    Examples
    --------
    >>> bool(colour("V", "I", 7000.0) < colour("V", "I", 5000.0))
    True
    """
    defaults = {"default_logg": default_logg, "default_fe_h": default_fe_h}
    return np.asarray(
        surface_magnitude(blue, teff, logg, fe_h, **defaults) - surface_magnitude(red, teff, logg, fe_h, **defaults)
    )[()]


def teff_from_colour(
    blue: str,
    red: str,
    value: ArrayLike,
    logg: ArrayLike | None = None,
    fe_h: ArrayLike | None = None,
    *,
    default_logg: float = DEFAULT_LOGG,
    default_fe_h: float = DEFAULT_FE_H,
    between: tuple[float, float] = (2400.0, 12000.0),
) -> Floats:
    """Effective temperature [K] of a colour: the inverse of :func:`colour`.

    Where several temperatures have the colour, the hottest is meant. Colours that are bluer or redder than any
    in the range get its temperature of the bluest or reddest.

    Parameters
    ----------
    blue, red : str
        The two bands.
    value : array_like
        Magnitude in `blue` minus that in `red` [mag], without reddening.
    logg, fe_h : array_like, optional
        As for :func:`surface_magnitude`. For ``n`` stars at ``m`` phases, shapes ``(n, 1)`` are faster than ``(n, m)``.
    default_logg, default_fe_h : float
        What stands in for those that are missing.
    between : tuple of float
        The range of temperatures [K] to look in; for colours with a u band it should lie on one side of the
        Balmer jump's maximum near 9,000 K.

    Raises
    ------
    UnknownNameError
        For a band that the table does not have.
    InputError
        If a colour is not a finite number, or `between` is not a range.

    Examples
    --------
    >>> v_i = colour("V", "I", [6000.0, 6500.0], 2.7, -1.5)
    >>> teff_from_colour("V", "I", v_i, 2.7, -1.5).round(3)
    array([6000., 6500.])
    """
    table = atmosphere_table()
    rows = table.row(blue), table.row(red)
    low, high = between
    if not 0 < low < high:
        raise InputError(f"between must be two temperatures [K], the lower one first, received {between}")
    v = np.asarray(value, dtype=float)
    if not np.isfinite(v).all():
        raise InputError(f"a colour {blue}-{red} must be a finite number, received {v[~np.isfinite(v)][0]}")
    g, z = _filled(logg, default_logg, "logg"), _filled(fe_h, default_fe_h, "fe_h")
    _together(colour=v, logg=g, fe_h=z)
    g, z = np.broadcast_arrays(g, z)
    if g.size <= _CHUNK:
        return invert_colour(table, rows, v, g, z, low, high)[()]
    v, g, z = np.broadcast_arrays(v, g, z)
    v_flat, g_flat, z_flat = v.ravel(), g.ravel(), z.ravel()
    parts = []
    for start in range(0, v.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        parts.append(invert_colour(table, rows, v_flat[part], g_flat[part], z_flat[part], low, high))
    return np.concatenate(parts).reshape(v.shape)


def absolute_magnitude(
    band: str,
    teff: ArrayLike,
    radius: ArrayLike,
    logg: ArrayLike | None = None,
    fe_h: ArrayLike | None = None,
    *,
    default_logg: float = DEFAULT_LOGG,
    default_fe_h: float = DEFAULT_FE_H,
) -> Floats:
    """Absolute magnitude [mag] of a star of a radius [R_sun], without extinction; else as :func:`surface_magnitude`.

    Raises
    ------
    InputError
        If a temperature or radius is not a positive number.
    """
    surface = surface_magnitude(band, teff, logg, fe_h, default_logg=default_logg, default_fe_h=default_fe_h)
    return np.asarray(surface - 5.0 * np.log10(_positive(radius, "radius")))[()]


def radius_from(
    abs_mag: ArrayLike,
    band: str,
    teff: ArrayLike,
    logg: ArrayLike | None = None,
    fe_h: ArrayLike | None = None,
    *,
    default_logg: float = DEFAULT_LOGG,
    default_fe_h: float = DEFAULT_FE_H,
) -> Floats:
    """Radius [R_sun] of a star of an absolute magnitude in `band` [mag]; else as :func:`surface_magnitude`.

    Examples
    --------
    The Sun has M_V = 4.81 (Willmer 2018, ApJS 236, 47):

    >>> round(float(radius_from(4.81, "V", 5772.0, 4.44, 0.0)), 1)
    1.0
    """
    surface = surface_magnitude(band, teff, logg, fe_h, default_logg=default_logg, default_fe_h=default_fe_h)
    return np.asarray(10 ** (0.2 * (surface - np.asarray(abs_mag, dtype=float))))[()]


def inside(teff: ArrayLike, logg: ArrayLike | None = None, fe_h: ArrayLike | None = None) -> NDArray[np.bool_]:
    """Whether models surround a star in the table; missing gravities and metallicities count as inside.

    Where it is False, the values are those of the nearest edge: beyond the table, or hot stars of low gravity, for
    which there are no models.

    Examples
    --------
    >>> inside([5772.0, 11000.0, 30000.0], [4.4, 0.5, 4.0], 0.0)
    array([ True, False, False])
    """
    table = atmosphere_table()
    t, g, z = _broadcast(teff, logg, fe_h, DEFAULT_LOGG, DEFAULT_FE_H)
    out = np.ones(t.shape, dtype=bool)
    for value, nodes in ((np.log10(t), table.log_teff), (g, table.logg), (z, table.fe_h)):
        out &= (value >= nodes[0] - 1e-9) & (value <= nodes[-1] + 1e-9)
    cell, x = cell_of(table.log_teff, np.log10(t))
    for weight, j, k in corners(table, g, z):
        for side, share in ((0, 1 - x), (1, x)):
            out &= table.known[cell + side, j, k] | (weight * share <= 1e-9)
    return out[()]


@dataclass(frozen=True, kw_only=True)
class AtmosphereTrack:
    """Stars of one gravity and metallicity: magnitudes and colours as functions of temperature alone, and back.

    For many temperatures of one star, such as the phases of its pulsation, it is faster than the functions of
    this module, which it follows to 0.01 mmag.

    Parameters
    ----------
    logg, fe_h : float or None
        Surface gravity [dex cgs] and metallicity [dex]; None or NaN stands for the default.

    Raises
    ------
    InputError
        If a gravity or metallicity is infinite.

    Examples
    --------
    >>> track = AtmosphereTrack(logg=2.7, fe_h=-1.5)
    >>> round(float(track.teff("V", "I", track.colour("V", "I", 6500.0))))
    6500
    """

    logg: float | None = None
    fe_h: float | None = None
    _magnitudes: dict[str, Floats] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "logg", float(_filled(self.logg, DEFAULT_LOGG, "logg")))
        object.__setattr__(self, "fe_h", float(_filled(self.fe_h, DEFAULT_FE_H, "fe_h")))

    def magnitude(self, band: str, teff: ArrayLike) -> Floats:
        """As :func:`surface_magnitude` [mag]."""
        return np.interp(np.log10(_positive(teff, "teff")), _dense(), self._on_dense(band))

    def colour(self, blue: str, red: str, teff: ArrayLike) -> Floats:
        """As the function :func:`colour` [mag]."""
        return np.interp(np.log10(_positive(teff, "teff")), _dense(), self._on_dense(blue) - self._on_dense(red))

    def teff(
        self, blue: str, red: str, value: ArrayLike, *, between: tuple[float, float] = (2400.0, 12000.0)
    ) -> Floats:
        """As :func:`teff_from_colour` [K]."""
        low, high = between
        if not 0 < low < high:
            raise InputError(f"between must be two temperatures [K], the lower one first, received {between}")
        v = np.asarray(value, dtype=float)
        if not np.isfinite(v).all():
            raise InputError(f"a colour {blue}-{red} must be a finite number, received {v[~np.isfinite(v)][0]}")
        hot_first = np.clip(_dense(), np.log10(low), np.log10(high))[::-1]
        shades = np.interp(hot_first, _dense(), self._on_dense(blue) - self._on_dense(red))
        rising = np.flatnonzero(shades >= np.maximum.accumulate(shades))
        return 10 ** np.interp(v, shades[rising], hot_first[rising])

    def radius(self, abs_mag: ArrayLike, band: str, teff: ArrayLike) -> Floats:
        """As :func:`radius_from` [R_sun]."""
        return 10 ** (0.2 * (self.magnitude(band, teff) - np.asarray(abs_mag, dtype=float)))

    def _on_dense(self, band: str) -> Floats:
        if band not in self._magnitudes:
            self._magnitudes[band] = surface_magnitude(band, 10 ** _dense(), self.logg, self.fe_h)
        return self._magnitudes[band]


@cache
def _dense() -> Floats:
    ends = atmosphere_table().log_teff[[0, -1]]
    return np.linspace(ends[0], ends[1], _DENSE)


def _broadcast(
    teff: ArrayLike, logg: ArrayLike | None, fe_h: ArrayLike | None, default_logg: float, default_fe_h: float
) -> tuple[Floats, Floats, Floats]:
    t, g, z = _positive(teff, "teff"), _filled(logg, default_logg, "logg"), _filled(fe_h, default_fe_h, "fe_h")
    _together(teff=t, logg=g, fe_h=z)
    t, g, z = np.broadcast_arrays(t, g, z)
    return t, g, z


def _together(**arrays: Floats) -> None:
    try:
        np.broadcast_shapes(*(a.shape for a in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {a.shape}" for name, a in arrays.items())
        raise InputError(f"shapes must fit together, received {shapes}") from None


def _positive(value: ArrayLike, name: str) -> Floats:
    array = np.asarray(value, dtype=float)
    good = np.isfinite(array) & (array > 0)
    if not good.all():
        raise InputError(f"{name} must be a positive number, received {array[~good][0]}")
    return array


def _filled(value: ArrayLike | None, default: float, name: str) -> Floats:
    array = np.asarray(np.nan if value is None else value, dtype=float)
    if np.isinf(array).any():
        raise InputError(f"{name} must be finite, or NaN where it is not known")
    return np.where(np.isnan(array), default, array)
