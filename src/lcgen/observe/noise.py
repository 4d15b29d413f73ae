"""Photometric errors: those of a training survey, learned from its data, and those of a schedule with depths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import CadenceError, DomainError, InputError, UnknownNameError
from ..photometry import AB_ZERO_POINT_NJY, band_info

__all__ = ["DepthNoise", "NoiseModel", "NoiseRequest", "NoisyPhotometry", "SurveyNoise"]

_QUANTILES = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
_PER_MAG = 0.4 * np.log(10.0)
# Rows measured at a time: few enough that their intermediate values stay in the processor's cache.
_CHUNK = 65_536


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
    """Anything that turns noise-free magnitudes into measurements, row by row.

    An object without `needs_uniforms` or `needs_class_name` is given both.
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

    @property
    def needs_uniforms(self) -> bool:
        """False."""
        return False

    @property
    def needs_class_name(self) -> bool:
        """False."""
        return False

    def measure(self, request: NoiseRequest) -> NoisyPhotometry:
        """Measurements with errors.

        Raises
        ------
        CadenceError
            If the schedule has no depths.
        """
        if request.depth5 is None:
            raise CadenceError("noise from depths needs a schedule with five-sigma depths; this one has none")
        zero_points = np.array([AB_ZERO_POINT_NJY - band_info(b).ab_minus_system for b in request.band_names])
        gammas = np.array([0.038 if b == "u" else self.gamma for b in request.band_names])
        mag, mag_err, measured, flux_err = (np.empty(request.mag.shape) for _ in range(4))
        for start in range(0, request.mag.size, _CHUNK):
            rows = slice(start, start + _CHUNK)
            noise_free, band = request.mag[rows], request.band_index[rows]
            zero_point, gamma = zero_points.take(band), gammas.take(band)
            # beyond 10 mag below the depth the error is the sky's alone; the limit keeps 10^x finite
            x = np.exp(_PER_MAG * np.minimum(noise_free - request.depth5[rows], 25.0))
            flux = np.exp(_PER_MAG * (zero_point - noise_free))
            error = flux * np.sqrt(self.systematic**2 + ((0.04 - gamma) + gamma * x) * x)
            flux += error * request.normals[rows]
            with np.errstate(divide="ignore", invalid="ignore"):
                values, errors = zero_point - np.log(flux) / _PER_MAG, error / flux / _PER_MAG
            faint = ~(flux > 0)
            if faint.any():
                values[faint] = errors[faint] = np.nan
            mag[rows], mag_err[rows], measured[rows], flux_err[rows] = values, errors, flux, error
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

    @property
    def needs_uniforms(self) -> bool:
        """True: they choose the quoted error among those of equally bright stars."""
        return True

    @property
    def needs_class_name(self) -> bool:
        """True: the scatter depends on the class."""
        return True

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
        names = request.class_name
        # the observations of a star stand together, so that there are few runs of equal names
        first = np.flatnonzero(np.concatenate([np.ones(min(names.size, 1), dtype=bool), names[1:] != names[:-1]]))
        ratios = np.array([self.ratio.get(n, other) for n in names[first].tolist()], dtype=float)
        factor = np.repeat(ratios, np.diff(first, append=names.size))
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
