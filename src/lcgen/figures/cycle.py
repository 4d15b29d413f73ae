"""Temperature and radius of pulsating stars over the cycle, as two bands of their curves tell them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..observe import atmosphere
from ..observe.band_curves import BandStars
from ..stars import Stars

__all__ = ["Cycle", "pulsation_cycle", "pulsation_q"]

_Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Cycle:
    """What changes over the cycle; arrays of shape (n_stars, n_phase), phase zero at the first harmonic's maximum.

    Attributes
    ----------
    phase : ndarray, shape (n_phase,)
    teff : ndarray
        Effective temperature [K], on the scale of the model atmospheres.
    radius : ndarray
        [R_sun], NaN where the star has no absolute magnitude.
    mag : ndarray
        Magnitude in the bluer band minus its mean.
    mean_teff : ndarray, shape (n_stars,)
        Temperature of the atmosphere with the mean colour [K]. It is higher than the column ``teff`` of pulsating
        stars by some 100 K: see :meth:`lcgen.observe.band_curves.BandStars.from_columns`.
    """

    phase: _Array
    teff: _Array
    radius: _Array
    mag: _Array
    mean_teff: _Array

    def extremes(self) -> dict[str, _Array]:
        """Phases of the brightest, hottest and smallest state of each star and what it does between extremes.

        Returns
        -------
        dict of str to ndarray, shape (n_stars,)
            ``brightest``, ``hottest``, ``smallest`` in (-0.5, 0.5]; ``teff_range`` [K]; ``radius_ratio``, largest
            over smallest; ``mean_radius`` [R_sun].
        """

        def phase(index: NDArray[np.intp]) -> _Array:
            value = np.asarray(self.phase[index])
            return np.where(value > 0.5, value - 1.0, value)

        known: NDArray[np.bool_] = np.all(np.isfinite(self.radius), axis=1)
        safe = np.where(np.isfinite(self.radius), self.radius, 1.0)
        return {
            "brightest": phase(self.mag.argmin(axis=1)),
            "hottest": phase(self.teff.argmax(axis=1)),
            "smallest": np.where(known, phase(safe.argmin(axis=1)), np.nan),
            "teff_range": np.ptp(self.teff, axis=1),
            "radius_ratio": np.where(known, safe.max(axis=1) / safe.min(axis=1), np.nan),
            "mean_radius": self.radius.mean(axis=1),
        }


def pulsation_cycle(stars: Stars, blue: str = "sdss_g", red: str = "sdss_i", *, n_phase: int = 256) -> Cycle:
    """Temperature and radius over the cycle from the curves in two bands.

    The colour at each phase is the star's mean colour plus the difference of its two curves; the
    temperature follows by :func:`lcgen.observe.atmosphere.teff_from_colour`, the radius from the magnitude in the
    redder band. Gravity is held at its mean.

    Parameters
    ----------
    stars : Stars
    blue, red : str
        Bands. Both curves should be measured ones: sdss_g and sdss_i for RR Lyrae stars, V and I for Cepheids.
    n_phase : int

    Raises
    ------
    InputError
        If a star has no effective temperature.
    """
    if not np.isfinite(np.asarray(stars.columns["teff"], dtype=float)).all():
        raise InputError("the temperature over the cycle needs stars with an effective temperature")
    known = BandStars.from_columns(stars.columns)
    logg, fe_h = known.logg[:, None], known.fe_h[:, None]
    curves = [stars.template(n_phase, band) for band in (blue, red)]
    mean = atmosphere.colour(blue, red, known.teff, known.logg, known.fe_h)
    teff = atmosphere.teff_from_colour(blue, red, mean[:, None] + curves[0] - curves[1], logg, fe_h)
    absolute = np.asarray(stars.columns["mag_zero"]) == "absolute"
    # the model's own colour, as for the temperature: an offset of the photometry is no change of radius
    level = np.where(absolute, stars.mean_magnitude("V"), np.nan) + atmosphere.colour(
        red, "V", known.teff, known.logg, known.fe_h
    )
    radius = atmosphere.radius_from(level[:, None] + curves[1], red, teff, logg, fe_h)
    return Cycle(phase=np.arange(n_phase) / n_phase, teff=teff, radius=radius, mag=curves[0], mean_teff=known.teff)


def pulsation_q(period: _Array, radius: _Array, mass: float) -> _Array:
    """Pulsation constant ``P sqrt(M / R^3)`` [d] of a period [d], a radius [R_sun] and a mass [M_sun].

    About 0.036 d for the fundamental mode of RR Lyrae stars and classical Cepheids (Cox 1980, Theory of Stellar
    Pulsation, chapter 2): periods, luminosities and temperatures that do not fit together show here.

    Examples
    --------
    >>> float(pulsation_q(np.array([0.55]), np.array([5.5]), 0.65).round(3)[0])
    0.034
    """
    return np.asarray(period) * np.sqrt(mass / np.asarray(radius) ** 3)
