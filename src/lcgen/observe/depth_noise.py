"""Photometric errors from the five-sigma depths of a schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import CadenceError, InputError
from ..photometry import AB_ZERO_POINT_NJY, band_info, nearest_band
from .depth import LSST_BANDS, LSST_SYSTEMS
from .protocol import NoiseRequest, NoisyPhotometry, of_band
from .saturation import Saturation

__all__ = ["DepthNoise"]

_PER_MAG = 0.4 * np.log(10.0)
# Rows measured at a time: few enough that their intermediate values stay in the processor's cache.
_CHUNK = 65_536
_HINT = "the mapping needs every band that is observed"


@dataclass(frozen=True, kw_only=True, eq=False)
class DepthNoise:
    """Errors from the five-sigma depth of each visit (Ivezic et al. 2019, ApJ 873, 111, equations 4 and 5).

    ``sigma^2 = systematic^2 + (0.04 - gamma) x + gamma x^2`` with ``x = 10^(0.4 (m - m5))``; noise is added to the
    flux, so that a faint source may be measured negative.

    Attributes
    ----------
    systematic : float or mapping of band to float
        Floor [mag].
    gamma : float, mapping of band to float, or None
        Share of sky and readout in the noise, in [0, 0.04]; None for LSST's (table 2: 0.038 in u, 0.039 in the others),
        by the nearest of its bands.
    saturation : Saturation or None
        Where stars are too bright to be measured; None for nowhere.
    name : str

    Examples
    --------
    >>> model = DepthNoise(systematic=0.01, saturation=Saturation(magnitude=16.0))
    >>> model.needs_conditions
    True
    """

    systematic: float | Mapping[str, float] = 0.005
    gamma: float | Mapping[str, float] | None = None
    saturation: Saturation | None = None
    name: str = "depth"

    def __post_init__(self) -> None:
        for what, values, high in (("systematic", self.systematic, np.inf), ("gamma", self.gamma, 0.04)):
            for value in values.values() if isinstance(values, Mapping) else (values,):
                if value is not None and not (np.isfinite(value) and 0.0 <= value <= high):
                    limits = "[0, 0.04]" if what == "gamma" else "[0, inf)"
                    raise InputError(f"noise from depths: {what} must lie in {limits}, received {value!r}")

    @classmethod
    def lsst(cls) -> DepthNoise:
        """The errors of LSST: a floor of 0.005 mag, and stars that saturate (:meth:`Saturation.lsst`)."""
        return cls(saturation=Saturation.lsst(), name="lsst")

    @property
    def needs_uniforms(self) -> bool:
        """False."""
        return False

    @property
    def needs_class_name(self) -> bool:
        """False."""
        return False

    @property
    def needs_conditions(self) -> bool:
        """True with saturation, which goes with exposure time and seeing."""
        return self.saturation is not None

    def measure(self, request: NoiseRequest) -> NoisyPhotometry:
        """Measurements with errors.

        Raises
        ------
        CadenceError
            If the schedule has no depths.
        UnknownNameError
            If a mapping lacks a band that is observed.
        """
        if request.depth5 is None:
            raise CadenceError("noise from depths needs a schedule with five-sigma depths; this one has none")
        zero_points = np.array([AB_ZERO_POINT_NJY - band_info(b).ab_minus_system for b in request.band_names])
        gammas = np.array([self._gamma(b) for b in request.band_names])
        floors = np.array([of_band(self.systematic, b, "systematic", _HINT) for b in request.band_names]) ** 2
        mag, mag_err, measured, flux_err = (np.empty(request.mag.shape) for _ in range(4))
        for start in range(0, request.mag.size, _CHUNK):
            rows = slice(start, start + _CHUNK)
            noise_free, band = request.mag[rows], request.band_index[rows]
            zero_point, gamma, floor = (_by_row(v, band) for v in (zero_points, gammas, floors))
            values, errors, flux, error = mag[rows], mag_err[rows], measured[rows], flux_err[rows]
            # beyond 10 mag below the depth the error is the sky's alone; the limit keeps 10^x finite
            x = noise_free - request.depth5[rows]
            _exponential(np.minimum(x, 25.0, out=x))
            _exponential(np.subtract(zero_point, noise_free, out=flux))
            np.multiply(x, gamma, out=error)
            error += 0.04 - gamma
            error *= x
            error += floor
            np.sqrt(error, out=error)
            error *= flux
            flux += np.multiply(error, request.normals[rows], out=x)
            with np.errstate(divide="ignore", invalid="ignore"):
                np.log(flux, out=values)
                np.divide(error, flux, out=errors)
            values *= -1.0 / _PER_MAG
            values += zero_point
            errors *= 1.0 / _PER_MAG
            faint = ~(flux > 0)
            if faint.any():
                values[faint] = errors[faint] = np.nan
        saturated = None if self.saturation is None else self.saturation.saturated(request)
        return NoisyPhotometry(mag=mag, mag_err=mag_err, flux=measured, flux_err=flux_err, saturated=saturated)

    def _gamma(self, band: str) -> float:
        if self.gamma is None:
            return LSST_SYSTEMS["ivezic2019"][nearest_band(band, LSST_BANDS)].gamma
        return of_band(self.gamma, band, "gamma", _HINT)


def _exponential(x: NDArray[np.float64]) -> None:
    """10^(0.4 x), in place."""
    x *= _PER_MAG
    np.exp(x, out=x)


def _by_row(values: NDArray[np.float64], band: NDArray[np.integer]) -> NDArray[np.float64] | np.float64:
    # where all bands have the same value, which is the rule, it is one number
    if values.size and (values == values[0]).all():
        return values[0]
    return values.take(band)
