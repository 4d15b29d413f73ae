"""Eclipsing and ellipsoidal curves in other bands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from . import atmosphere

__all__ = ["eclipsing_curves", "ellipsoidal_ratio", "surface_ratio", "teff_from_brightness"]

_Array = NDArray[np.float64]

# Surface brightness ratios that can be told from two minima; a shallower second minimum is lost in the first's noise.
_RATIO = (0.01, 100.0)
# On the main sequence R grows about as T^1.5 between 4,000 and 8,000 K (Pecaut & Mamajek 2013, ApJS 208, 9).
_RADIUS_EXPONENT = 1.5
# Gravity darkening T ~ g^beta: convective envelopes (Lucy 1967, ZA 65, 89) and radiative ones (von Zeipel 1924), which
# take over above about 7,000 K.
_BETA_COOL, _BETA_HOT, _RADIATIVE = 0.08, 0.25, 7000.0


def surface_ratio(curve_v: _Array) -> _Array:
    """Surface brightness of the star eclipsed around phase one half over that of the other, from the two depths.

    In circular orbits both minima hide the same area, so that the depths, in flux, are as the surface brightnesses.

    Parameters
    ----------
    curve_v : ndarray, shape (n_stars, n_phase)
        Magnitudes, a minimum at phase zero.

    Returns
    -------
    ndarray, shape (n_stars,)
        Between 0.01 and 100.

    Examples
    --------
    >>> phase = np.arange(128) / 128
    >>> curve = 0.4 * np.exp(-(((phase + 0.5) % 1 - 0.5) / 0.03) ** 2) + 0.2 * np.exp(-((phase - 0.5) / 0.03) ** 2)
    >>> bool(abs(surface_ratio(curve[None])[0] - (1 - 10 ** -0.08) / (1 - 10 ** -0.16)) < 1e-6)
    True
    """
    flux = np.power(10.0, -0.4 * (curve_v - curve_v.min(axis=1, keepdims=True)))
    first, second = _weights(curve_v.shape[1])
    deficit = 1.0 - flux
    depth = (deficit * first).max(axis=1), (deficit * second).max(axis=1)
    return np.clip(depth[1] / np.maximum(depth[0], 1e-6), *_RATIO)


def _weights(n_phase: int) -> tuple[_Array, _Array]:
    """Which part of the light lost at each phase is the first star's; smooth across quadrature."""
    distance = np.abs((np.arange(n_phase) / n_phase + 0.5) % 1.0 - 0.5)
    ramp = np.clip((0.3 - distance) / 0.1, 0.0, 1.0)
    first = ramp * ramp * (3.0 - 2.0 * ramp)
    return first, 1.0 - first


def eclipsing_curves(curve_v: _Array, bands: Sequence[str], teff: _Array, logg: _Array, fe_h: _Array) -> _Array:
    """Curves of eclipsing binaries in other bands.

    The hotter star has the temperature of the system; the other's follows from the ratio of surface brightnesses in V,
    and its area from its temperature along the main sequence. What is lost around the first minimum changes with the
    hotter star's share of the light, what is lost around the second with the other's. Reflection, and the change of
    limb darkening with wavelength, are left out.

    Parameters
    ----------
    curve_v : ndarray, shape (n_stars, n_phase)
        Magnitudes in V, minima at phase zero and one half.
    bands : sequence of str
    teff, logg, fe_h : ndarray, shape (n_stars,)

    Returns
    -------
    ndarray, shape (n_bands, n_stars, n_phase)
        Magnitudes; brightest is zero.
    """
    ratio = surface_ratio(curve_v)
    swapped = np.flatnonzero(ratio > 1.0)  # the deeper minimum is at one half: that star is the hotter one
    if swapped.size:
        half = curve_v.shape[1] // 2
        turned = curve_v.copy()
        turned[swapped] = np.roll(curve_v[swapped], half, axis=1)
        made = _with_hot_first(turned, bands, np.minimum(ratio, 1.0 / ratio), teff, logg, fe_h)
        made[:, swapped] = np.roll(made[:, swapped], -half, axis=2)
        return made
    return _with_hot_first(curve_v, bands, ratio, teff, logg, fe_h)


def _with_hot_first(
    curve_v: _Array, bands: Sequence[str], ratio: _Array, teff: _Array, logg: _Array, fe_h: _Array
) -> _Array:
    bright_v = atmosphere.surface_magnitude("V", teff, logg, fe_h)
    cool = teff_from_brightness("V", (bright_v - 2.5 * np.log10(ratio))[:, None], teff, logg, fe_h)[:, 0]
    area = (cool / teff) ** (2.0 * _RADIUS_EXPONENT)
    lost = 1.0 - np.power(10.0, -0.4 * (curve_v - curve_v.min(axis=1, keepdims=True)))
    first, second = _weights(curve_v.shape[1])

    def shares(band: str) -> tuple[_Array, _Array]:
        # light of each star per unit of its own area, over that of both
        hot = atmosphere.surface_magnitude(band, teff, logg, fe_h)
        other = np.power(10.0, -0.4 * (atmosphere.surface_magnitude(band, cool, logg, fe_h) - hot))
        return 1.0 / (1.0 + area * other), other / (1.0 + area * other)

    in_v = shares("V")
    out = np.empty((len(bands), *curve_v.shape))
    for k, band in enumerate(bands):
        r1, r2 = (s / v for s, v in zip(shares(band), in_v, strict=True))
        left = 1.0 - lost * (first * r1[:, None] + second * r2[:, None])
        out[k] = -2.5 * np.log10(np.maximum(left, 1e-3))
    return out


def teff_from_brightness(band: str, brightness: _Array, teff: _Array, logg: _Array, fe_h: _Array) -> _Array:
    """Temperatures at which a surface has a magnitude in a band, within a factor of three of given ones.

    Parameters
    ----------
    band : str
    brightness : ndarray, shape (n_stars, n)
        As of :func:`lcgen.observe.atmosphere.surface_magnitude`.
    teff, logg, fe_h : ndarray, shape (n_stars,)

    Returns
    -------
    ndarray, shape (n_stars, n)
    """
    steps = np.linspace(-np.log(3.0), np.log(3.0), 81)
    table = atmosphere.surface_magnitude(band, teff[:, None] * np.exp(steps), logg[:, None], fe_h[:, None])
    # hotter is brighter; where the models say otherwise, the hotter of two temperatures
    table = np.minimum.accumulate(table, axis=1)
    found = np.stack([np.interp(-b, -row, steps) for b, row in zip(brightness, table, strict=True)])
    return teff[:, None] * np.exp(found)


def ellipsoidal_ratio(bands: Sequence[str], teff: _Array, logg: _Array, fe_h: _Array) -> _Array:
    """Amplitude of ellipsoidal variables in other bands over that in V, shape (n_bands, n_stars).

    The tidally distorted star shows its area, alike in all bands, and its gravity darkening, which grows with the
    sensitivity of the band to temperature: the amplitude is as ``1 + beta d ln(S) / d ln(T)`` (Morris & Naftilan 1993,
    ApJ 419, 344, without limb darkening). Rotating spotted stars are treated alike.
    """
    beta = np.where(teff < _RADIATIVE, _BETA_COOL, _BETA_HOT)
    step = 0.01

    def amplitude(band: str) -> _Array:
        up, down = (atmosphere.surface_magnitude(band, teff * f, logg, fe_h) for f in (1.0 + step, 1.0 - step))
        return 1.0 + beta * (down - up) * 0.4 * np.log(10.0) / (2.0 * step)

    in_v = amplitude("V")
    return np.stack([amplitude(b) / in_v for b in bands])
