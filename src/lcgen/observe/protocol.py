"""What a noise model is given and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import UnknownNameError

__all__ = ["NoiseModel", "NoiseRequest", "NoisyPhotometry", "of_band"]


@dataclass(frozen=True, kw_only=True, eq=False)
class NoiseRequest:
    """Noise-free observations, with the random numbers that belong to them.

    Attributes
    ----------
    mag : ndarray, shape (n_obs,)
        Noise-free magnitudes.
    band_index : ndarray of int, shape (n_obs,)
    band_names : tuple of str
    depth5 : ndarray, shape (n_obs,), or None
        Five-sigma point-source depth [mag].
    class_name : ndarray of str, shape (n_obs,)
        Empty where the model does not need it.
    normals, uniforms : ndarray, shape (n_obs,)
        Standard normal numbers and numbers in [0, 1); the latter empty where the model does not need them.
    mjd : ndarray, shape (n_obs,), or None
        Times [d].
    star : ndarray of int, shape (n_obs,), or None
        Number of the star that each observation belongs to; the observations of a star stand together.
    exposure_time, seeing : ndarray, shape (n_obs,), or None
        Open-shutter time [s] and full width at half maximum [arcsec] of the visits; None where the schedule has none
        or the model does not need them.
    """

    mag: NDArray[np.float64]
    band_index: NDArray[np.integer]
    band_names: tuple[str, ...]
    depth5: NDArray[np.float64] | None
    class_name: NDArray[np.str_]
    normals: NDArray[np.float64]
    uniforms: NDArray[np.float64]
    mjd: NDArray[np.float64] | None = None
    star: NDArray[np.int64] | None = None
    exposure_time: NDArray[np.float64] | None = None
    seeing: NDArray[np.float64] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class NoisyPhotometry:
    """What was measured; all of shape (n_obs,).

    Attributes
    ----------
    mag, mag_err : ndarray
        Magnitudes and errors; NaN where a measured flux is not positive.
    flux, flux_err : ndarray or None
        Fluxes [nJy, AB]; None where magnitudes were measured.
    saturated : ndarray of bool or None
        Visits in which the star saturates the detector, so that there is no measurement; None for models that know
        nothing of saturation.
    """

    mag: NDArray[np.float64]
    mag_err: NDArray[np.float64]
    flux: NDArray[np.float64] | None = None
    flux_err: NDArray[np.float64] | None = None
    saturated: NDArray[np.bool_] | None = None


class NoiseModel(Protocol):
    """Anything that turns noise-free magnitudes into measurements, row by row.

    An object without one of the properties that begin with ``needs_`` is given what it stands for.
    """

    @property
    def name(self) -> str:
        """Name of the model, for provenance."""
        ...

    @property
    def needs_uniforms(self) -> bool:
        """Whether `measure` reads the ``uniforms`` of the request."""
        ...

    @property
    def needs_class_name(self) -> bool:
        """Whether `measure` reads the ``class_name`` of the request."""
        ...

    @property
    def needs_conditions(self) -> bool:
        """Whether `measure` reads ``exposure_time`` and ``seeing`` of the request."""
        ...

    def measure(self, request: NoiseRequest) -> NoisyPhotometry:
        """Measurements with errors; must use no random numbers but those of the request."""
        ...


def of_band(values: float | Mapping[str, float], band: str, what: str, hint: str) -> float:
    """The value of a setting in a band, where it may be one number for all.

    Raises
    ------
    UnknownNameError
        If a mapping lacks the band; it names `what` and ends with `hint`.
    """
    if not isinstance(values, Mapping):
        return float(values)
    if band not in values:
        raise UnknownNameError(f"band of {what}", band, values, hint=hint)
    return float(values[band])
