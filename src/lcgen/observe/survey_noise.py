"""Photometric errors like those of a training survey, learned from its data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DomainError, InputError, UnknownNameError
from .protocol import NoiseRequest, NoisyPhotometry

__all__ = ["MEASURED", "SurveyNoise", "night_number"]

_QUANTILES = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
# observations less than this apart share a night [d]
_GAP = 0.3
_QUARTILE = 0.6744897501960817  # of the standard normal distribution

MEASURED: Mapping[str, Mapping[str, float]] = {
    "CSS": {"night_correlation": 0.34, "outlier_share": 0.055, "outlier_width": 3.3},
    "OGLE-III": {"night_correlation": 0.19, "outlier_share": 0.037, "outlier_width": 2.6},
    "OGLE-IV": {"night_correlation": 0.30, "outlier_share": 0.035, "outlier_width": 2.7},
    "ASAS": {"night_correlation": 0.08, "outlier_share": 0.043, "outlier_width": 3.4},
}
"""Correlation within nights and outliers by survey, from stars that repeat; ``benchmarks/survey_noise.py``, see
``docs/noise.md``."""


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
        True scatter over quoted error, robust: that of the core of the residuals. ``"CEP/V"`` is that of a class in one
        band and goes before ``"CEP"``. Classes that are not in it get the median of the others.
    night_correlation : float
        Correlation between the errors of one star in one night and band, in [0, 1). The scatter of the single
        observation is the same with it. ``docs/noise.md`` has what was measured.
    outlier_share, outlier_width : float
        Share of the observations, below a half, whose errors are so many times as wide; the others are as wide as
        before, by the quartiles of all. Zero for Gaussian errors.

    Notes
    -----
    What is in the files of a generator has neither outliers nor correlated nights; :meth:`realistic` adds what was
    measured.
    """

    name: str
    tables: Mapping[str, NDArray[np.float64]]
    ratio: Mapping[str, float]
    night_correlation: float = 0.0
    outlier_share: float = 0.0
    outlier_width: float = 5.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.night_correlation < 1.0:
            raise InputError(f"night_correlation must lie in [0, 1), received {self.night_correlation!r}")
        if not 0.0 <= self.outlier_share < 0.5:
            raise InputError(f"outlier_share must lie in [0, 0.5), received {self.outlier_share!r}")
        if not 1.0 <= self.outlier_width < 1e3:
            raise InputError(f"outlier_width must lie in [1, 1000), received {self.outlier_width!r}")

    @property
    def needs_uniforms(self) -> bool:
        """True: they choose the quoted error among those of equally bright stars."""
        return True

    @property
    def needs_class_name(self) -> bool:
        """True: the scatter depends on the class."""
        return True

    @property
    def needs_conditions(self) -> bool:
        """False."""
        return False

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
        InputError
            If errors are correlated within nights and the request has no times.
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
        factor = self._factor(request)
        return NoisyPhotometry(mag=request.mag + factor * quoted * self._errors(request), mag_err=quoted)

    def _factor(self, request: NoiseRequest) -> NDArray[np.float64]:
        """Scatter over quoted error of each observation."""
        by_class = {name: value for name, value in self.ratio.items() if "/" not in name}
        other = float(np.median(list((by_class or self.ratio).values()))) if self.ratio else 1.0
        names, bands = request.class_name, request.band_names
        # the observations of a star stand together, so that there are few runs of equal names
        first = np.flatnonzero(np.concatenate([np.ones(min(names.size, 1), dtype=bool), names[1:] != names[:-1]]))
        counts, names = np.diff(first, append=names.size), names[first]
        if len(by_class) == len(self.ratio):
            return np.repeat(np.array([by_class.get(n, other) for n in names.tolist()], dtype=float), counts)
        table = [[self.ratio.get(f"{n}/{b}", by_class.get(n, other)) for b in bands] for n in names.tolist()]
        return np.array(table, dtype=float)[np.repeat(np.arange(counts.size), counts), request.band_index]

    def _errors(self, request: NoiseRequest) -> NDArray[np.float64]:
        """Errors in units of the scatter: the numbers of the request, correlated and with tails."""
        normals = request.normals
        if self.night_correlation and normals.size:
            if request.mjd is None or request.star is None:
                raise InputError(f"the {self.name} noise model correlates nights: the request needs mjd and star")
            # bands of one night are measured on images of their own
            group = night_number(request.mjd, request.star * len(request.band_names) + request.band_index)
            normals = _correlated(normals, group, self.night_correlation)
        if self.outlier_share:
            scores, values = _outlier_table(self.outlier_share, self.outlier_width)
            normals = np.sign(normals) * np.interp(np.abs(normals), scores, values)
        return normals

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
            **({"night_correlation": float(self.night_correlation)} if self.night_correlation else {}),
            **(
                {"outlier_share": float(self.outlier_share), "outlier_width": float(self.outlier_width)}
                if self.outlier_share
                else {}
            ),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> SurveyNoise:
        """The inverse of :meth:`to_config`."""
        return cls(
            name=config["name"],
            tables={b: np.asarray(t, dtype=float) for b, t in config["tables"].items()},
            ratio=dict(config["ratio"]),
            night_correlation=float(config.get("night_correlation", 0.0)),
            outlier_share=float(config.get("outlier_share", 0.0)),
            outlier_width=float(config.get("outlier_width", 5.0)),
        )

    def with_ratio(self, ratio: Mapping[str, float]) -> SurveyNoise:
        """The same with other ratios of some classes; those of their bands change in proportion.

        Parameters
        ----------
        ratio : mapping of class to float
        """
        out = {**self.ratio, **ratio}
        for key in self.ratio:
            cls = key.partition("/")[0]
            if cls != key and cls in ratio and cls in self.ratio:
                out[key] = self.ratio[key] * ratio[cls] / self.ratio[cls]
        return dataclasses.replace(self, ratio=out)

    def realistic(self) -> SurveyNoise:
        """The same errors with outliers, and correlated within nights, as measured in the survey (:data:`MEASURED`).

        Raises
        ------
        UnknownNameError
            If that was not measured in this survey.
        """
        if self.name not in MEASURED:
            raise UnknownNameError("survey with measured outliers and nights", self.name, MEASURED)
        return dataclasses.replace(self, **MEASURED[self.name])


def night_number(mjd: NDArray[np.float64], star: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Number of the night of each observation: those of a star that are less than 0.3 d apart share one.

    Parameters
    ----------
    mjd : ndarray, shape (n_obs,)
        Times [d], in any order.
    star : ndarray of int, shape (n_obs,), optional
        Which star each belongs to; all to one by default. Nights of different stars have different numbers.

    Examples
    --------
    >>> night_number(np.array([1.9, 5.0, 2.0, 2.1])).tolist()
    [0, 1, 0, 0]
    """
    star = np.zeros(mjd.size, dtype=np.int64) if star is None else star
    order = np.lexsort((mjd, star))
    new = (np.diff(mjd[order]) > _GAP) | (np.diff(star[order]) != 0)
    out = np.empty(mjd.size, dtype=np.int64)
    out[order] = np.concatenate([np.zeros(min(mjd.size, 1), dtype=np.int64), np.cumsum(new)])
    return out


def _correlated(normals: NDArray[np.float64], group: NDArray[np.int64], rho: float) -> NDArray[np.float64]:
    # With a = sqrt(1 - rho) and b = (sqrt(a^2 + k rho) - a) / k, the numbers a x_i + b sum_j x_j of the k members of a
    # group have variance 1 and correlation rho; that of a single one is itself.
    count = np.bincount(group)
    a = np.sqrt(1.0 - rho)
    b = (np.sqrt(a**2 + count * rho) - a) / np.maximum(count, 1)
    return a * normals + (b * np.bincount(group, normals))[group]


@lru_cache(maxsize=16)
def _outlier_table(share: float, width: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positive normal numbers, and those of the same rank among Gaussian errors with outliers."""
    from scipy.special import ndtr, ndtri

    core = np.concatenate([np.linspace(0.0, 6.0, 3001)[:-1], np.geomspace(6.0, 9.0 * width, 1000)])
    above = (1.0 - share) * ndtr(-core) + share * ndtr(-core / width)
    scores = -ndtri(above)
    # in units in which the quartiles are those of the Gaussian
    return scores, core * (_QUARTILE / np.interp(_QUARTILE, scores, core))
