"""Where a star saturates the detector, so that a visit gives no measurement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..photometry import BANDS, nearest_band
from .depth import LSST_BANDS, LSST_SYSTEMS
from .protocol import NoiseRequest, of_band

__all__ = ["LSST_ZERO_POINTS", "Saturation"]

LSST_ZERO_POINTS: Mapping[str, float] = {"u": 26.52, "g": 28.51, "r": 28.36, "i": 28.17, "z": 27.78, "y": 26.82}
"""AB magnitude of one photoelectron a second (SMTN-002, https://smtn-002.lsst.io, throughputs 1.9)."""

_PIXEL = 0.2
# Photon transfer turn-off of the e2v sensors, the lower of the two kinds: https://lsstcam.lsst.io, key numbers, from
# Roodman et al. 2024, table 6.
_FULL_WELL = 103_000.0
_HINT = "give its limit, or -inf"


@dataclass(frozen=True, kw_only=True, eq=False)
class Saturation:
    """Magnitudes above whose brightness a point source saturates.

    The limit is that of the brightest pixel, so it goes with the exposure time and inversely with the area of the
    image: ``m = magnitude + 2.5 log10(t / exposure_time) - 5 log10(seeing / seeing_0)``. Schedules that lack one of the
    two get the limit at its reference value. The sky's share of the full well is left out: under a dark sky it is 2 %
    or less in 30 s.

    Attributes
    ----------
    magnitude : float or mapping of band to float
        Limit [mag], in the magnitudes of the band that is observed. A mapping needs all the bands that are observed;
        ``-inf`` for one that never saturates.
    exposure_time : float
        Exposure time that it is for [s].
    seeing : float or mapping of band to float
        Full width at half maximum that it is for [arcsec].
    n_exposures : int
        Exposures of a visit, between which its open-shutter time is divided: each saturates on its own.

    Examples
    --------
    >>> limits = Saturation.lsst()
    >>> {band: round(limits.magnitude[band], 1) for band in "ugrizy"}
    {'u': 14.2, 'g': 16.3, 'r': 16.3, 'i': 16.2, 'z': 15.8, 'y': 14.9}
    """

    magnitude: float | Mapping[str, float]
    exposure_time: float = 30.0
    seeing: float | Mapping[str, float] = 0.8
    n_exposures: int = 1

    def __post_init__(self) -> None:
        values = self.magnitude.values() if isinstance(self.magnitude, Mapping) else (self.magnitude,)
        if not all(np.isreal(v) and not np.isnan(v) for v in values):
            raise InputError(f"saturation: the magnitudes must be numbers, received {self.magnitude!r}")
        seeing = self.seeing.values() if isinstance(self.seeing, Mapping) else (self.seeing,)
        for name, value in (("exposure_time", self.exposure_time), *(("seeing", v) for v in seeing)):
            if not (np.isfinite(value) and value > 0):
                raise InputError(f"saturation: {name} must be positive, received {value!r}")
        n = self.n_exposures
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise InputError(f"saturation: n_exposures must be a whole number from 1, received {n!r}")

    @classmethod
    def lsst(cls, *, full_well: float = _FULL_WELL, n_exposures: int = 1) -> Saturation:
        """The limits of LSST, for visits of 30 s at the median seeing of each band.

        A Gaussian image of full width `w` holds ``1 / (2 pi (w / 2.355 / 0.2 arcsec)^2)`` of its electrons in its
        brightest pixel. Bands that LSST lacks get the limit of the one nearest in wavelength, as visits have when they
        are observed in the nearest band.

        Parameters
        ----------
        full_well : float
            Electrons that a pixel holds: 103,000 where the first of the camera's sensors depart from linearity. The
            Rubin simulation package takes 150,000, which is brighter by 0.4 mag.
        n_exposures : int
            2 for visits of two exposures of 15 s.
        """
        if not (np.isfinite(full_well) and full_well > 0):
            raise InputError(f"full_well must be positive, received {full_well!r}")
        system = LSST_SYSTEMS["smtn002"]
        time = 30.0 / max(n_exposures, 1)
        limit: dict[str, float] = {}
        for band in LSST_BANDS:
            width = system[band].seeing / (2.0 * np.sqrt(2.0 * np.log(2.0))) / _PIXEL
            limit[band] = float(LSST_ZERO_POINTS[band] - 2.5 * np.log10(full_well * 2.0 * np.pi * width**2 / time))
        nearest = {band: nearest_band(band, LSST_BANDS) for band in BANDS}
        return cls(
            magnitude={band: limit[to] for band, to in nearest.items()},
            exposure_time=time,
            seeing={band: system[to].seeing for band, to in nearest.items()},
            n_exposures=n_exposures,
        )

    def limits(self, request: NoiseRequest) -> NDArray[np.float64]:
        """Limit of each observation [mag], shape (n_obs,).

        Raises
        ------
        UnknownNameError
            If a band has no limit.
        """
        limit, seeing = (
            np.array(
                [of_band(values, band, "the saturation limits", _HINT) for band in request.band_names], dtype=float
            )
            for values in (self.magnitude, self.seeing)
        )
        out = limit[request.band_index]
        if request.exposure_time is not None:
            out += 2.5 * np.log10(request.exposure_time / (self.n_exposures * self.exposure_time))
        if request.seeing is not None:
            out -= 5.0 * np.log10(request.seeing / seeing[request.band_index])
        return out

    def saturated(self, request: NoiseRequest) -> NDArray[np.bool_]:
        """Which observations saturate, by their noise-free magnitudes; shape (n_obs,)."""
        return request.mag < self.limits(request)
