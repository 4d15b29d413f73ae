"""Photometric errors: those of a training survey, learned from its data, and those of a schedule with depths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import CadenceError, DomainError, InputError, UnknownNameError
from ..photometry import flux_to_mag, mag_to_flux

__all__ = ["DepthNoise", "NoiseModel", "NoiseRequest", "NoisyPhotometry", "SurveyNoise"]

_QUANTILES = np.array([0.05, 0.25, 0.5, 0.75, 0.95])


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
    normals, uniforms : ndarray, shape (n_obs,)
        Standard normal numbers and numbers in [0, 1).
    """

    mag: NDArray[np.float64]
    band_index: NDArray[np.integer]
    band_names: tuple[str, ...]
    depth5: NDArray[np.float64] | None
    class_name: NDArray[np.str_]
    normals: NDArray[np.float64]
    uniforms: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class NoisyPhotometry:
    """What was measured; all of shape (n_obs,). Fluxes are None where magnitudes were measured."""

    mag: NDArray[np.float64]
    mag_err: NDArray[np.float64]
    flux: NDArray[np.float64] | None = None
    flux_err: NDArray[np.float64] | None = None


class NoiseModel(Protocol):
    """Anything that turns noise-free magnitudes into measurements, row by row."""

    @property
    def name(self) -> str:
        """Name of the model, for provenance."""
        ...

    def measure(self, request: NoiseRequest) -> NoisyPhotometry:
        """Measurements with errors; must use no random numbers but those of the request."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class DepthNoise:
    """Errors from the five-sigma depth of each visit (Ivezic et al. 2019, ApJ 873, 111, equations 4 and 5).

    ``sigma^2 = systematic^2 + (0.04 - gamma) x + gamma x^2`` with ``x = 10^(0.4 (m - m5))``; noise is added to the
    flux, so that a faint source may be measured negative.

    Attributes
    ----------
    systematic : float
        Floor [mag].
    gamma : float
        Sky and readout term; 0.038 is used in u.
    """

    systematic: float = 0.005
    gamma: float = 0.039
    name: str = "depth"

    def measure(self, request: NoiseRequest) -> NoisyPhotometry:
        """Measurements with errors.

        Raises
        ------
        CadenceError
            If the schedule has no depths.
        """
        if request.depth5 is None:
            raise CadenceError("noise from depths needs a schedule with five-sigma depths; this one has none")
        flux = np.empty(request.mag.shape)
        for k, band in enumerate(request.band_names):
            rows = request.band_index == k
            flux[rows] = mag_to_flux(request.mag[rows], band)
        # beyond 10 mag below the depth the error is the sky's alone; the limit keeps 10^x finite
        x = 10.0 ** (0.4 * np.minimum(request.mag - request.depth5, 25.0))
        in_u = np.array([band == "u" for band in request.band_names])[request.band_index]
        gamma = np.where(in_u, 0.038, self.gamma)
        random = np.sqrt((0.04 - gamma) * x + gamma * x**2)
        flux_err = flux * np.hypot(self.systematic, random)
        measured = flux + flux_err * request.normals
        mag = np.empty(request.mag.shape)
        for k, band in enumerate(request.band_names):
            rows = request.band_index == k
            mag[rows] = flux_to_mag(measured[rows], band)
        mag_err = np.where(measured > 0, flux_err / np.where(measured > 0, measured, 1.0) / (0.4 * np.log(10)), np.nan)
        return NoisyPhotometry(mag=mag, mag_err=mag_err, flux=measured, flux_err=flux_err)


@dataclass(frozen=True, kw_only=True, eq=False)
class SurveyNoise:
    """Errors as a training survey quotes them, and scatter as its residuals show it.

    Attributes
    ----------
    name : str
        The survey.
    tables : mapping of band to (n_mag, 1 + n_quantiles) array
        Magnitude, then quantiles (5, 25, 50, 75, 95 %) of log10 of the quoted errors at that magnitude.
    ratio : mapping of class to float
        True scatter over quoted error; ``""`` for classes that the survey did not see.
    """

    name: str
    tables: Mapping[str, NDArray[np.float64]]
    ratio: Mapping[str, float]

    @classmethod
    def fit(
        cls,
        *,
        name: str,
        mag: Mapping[str, NDArray],
        mag_err: Mapping[str, NDArray],
        ratio: Mapping[str, float],
        bin_width: float = 0.5,
    ) -> SurveyNoise:
        """Learn the error tables from real observations.

        Parameters
        ----------
        mag, mag_err : mapping of band to ndarray, shape (n_obs,)
        ratio : mapping of class to float
            True scatter over quoted errors.
        """
        tables = {}
        for band, values in mag.items():
            bins = np.floor(values / bin_width).astype(int)
            rows = []
            for b in np.unique(bins):
                inside = np.log10(mag_err[band][bins == b])
                if inside.size >= 100:
                    rows.append([(b + 0.5) * bin_width, *np.quantile(inside, _QUANTILES)])
            if rows:
                tables[band] = np.array(rows)
        if not tables:
            raise InputError(f"too few observations to learn the errors of {name}")
        return cls(name=name, tables=tables, ratio=dict(ratio))

    def measure(self, request: NoiseRequest) -> NoisyPhotometry:
        """Measurements with errors.

        Raises
        ------
        UnknownNameError
            If the survey has no such band.
        DomainError
            If a magnitude is over one magnitude outside the range that the survey measured.
        """
        log_err = np.empty(request.mag.shape)
        for k, band in enumerate(request.band_names):
            rows = request.band_index == k
            if not rows.any():
                continue
            if band not in self.tables:
                raise UnknownNameError(f"band of the {self.name} noise model", band, self.tables)
            log_err[rows] = self._quantile(band, request.mag[rows], request.uniforms[rows])
        quoted = 10.0**log_err
        other = float(np.median(list(self.ratio.values()))) if self.ratio else 1.0
        names, inverse = np.unique(request.class_name, return_inverse=True)
        factor = np.array([self.ratio.get(str(n), other) for n in names])[inverse] if names.size else np.ones(0)
        return NoisyPhotometry(mag=request.mag + factor * quoted * request.normals, mag_err=quoted)

    def _quantile(self, band: str, mag: NDArray, u: NDArray) -> NDArray[np.float64]:
        table = np.asarray(self.tables[band])
        low, high = float(table[0, 0]), float(table[-1, 0])
        bad = ~((mag >= low - 1.0) & (mag <= high + 1.0))
        if bad.any():
            raise DomainError(
                "magnitude",
                float(mag[bad][0]),
                low - 1.0,
                high + 1.0,
                context=f"the {self.name} noise model in {band}",
                hint="give mean_mag or distance so that the stars are as bright as that survey's",
            )
        at = np.clip(mag, low, high)
        columns = np.stack([np.interp(at, table[:, 0], table[:, 1 + j]) for j in range(_QUANTILES.size)], axis=1)
        # linear in the quantile level; beyond the outer levels the outer quantiles hold
        position = np.interp(u, _QUANTILES, np.arange(_QUANTILES.size))
        j = np.minimum(position.astype(int), _QUANTILES.size - 2)
        t = position - j
        rows = np.arange(mag.size)
        return columns[rows, j] * (1 - t) + columns[rows, j + 1] * t

    def to_config(self) -> dict[str, Any]:
        """As plain lists, for JSON."""
        return {
            "name": self.name,
            "tables": {b: np.round(t, 4).tolist() for b, t in self.tables.items()},
            "ratio": {c: round(float(r), 4) for c, r in self.ratio.items()},
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> SurveyNoise:
        """The inverse of :meth:`to_config`."""
        return cls(
            name=config["name"],
            tables={b: np.asarray(t, dtype=float) for b, t in config["tables"].items()},
            ratio=dict(config["ratio"]),
        )
