"""A slice point with its stars: observed once, measured once, for all metrics that ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lcgen import Stars, rng
from lcgen.compare.measure import phase_coverage
from lcgen.compare.settings import Settings
from lcgen.lightcurve import phase_of
from lcgen.photometry import flux_to_mag
from lcgen.taxonomy import class_info

from .aliases import FoundPeriods, find_periods
from .photometry import Photometry, observe
from .sample import StarSample, combined_seed
from .search import search_all
from .series import fit_series
from .slices import SliceVisits

__all__ = ["ClassField", "Field", "StarSource", "field_of"]

_PER_MAG = 2.5 / np.log(10.0)
_MONTH = 365.25 / 12.0
_YEARS = (1, 2, 4, 7, 11, 16, 22)


class StarSource(Protocol):
    """What metrics need of the stars they evaluate; :class:`StarSample` and :class:`StarPopulation` have it.

    Equal sources are evaluated once for all metrics.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """The classes."""
        ...

    @property
    def sample(self) -> StarSample:
        """How stars are drawn and measured."""
        ...

    def located(self, visits: SliceVisits, slice_point: Mapping[str, Any]) -> dict[str, Stars]:
        """The stars of a slice point by class; classes without any may be left out."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassField:
    """The stars of one class at a slice point; what is asked for is measured when first asked for.

    Attributes
    ----------
    name : str
        The class.
    stars : Stars
    photometry : Photometry
    sample : StarSample
    key : int
        Of the visits.
    """

    name: str
    stars: Stars
    photometry: Photometry
    sample: StarSample
    key: int

    def __len__(self) -> int:
        return len(self.stars)

    @property
    def settings(self) -> Settings:
        """How stars are measured."""
        return self.sample.settings

    @cached_property
    def period(self) -> NDArray[np.float64]:
        """True periods [d], shape (n_stars,)."""
        return np.asarray(self.stars.columns["period"], dtype=float)

    @cached_property
    def _base_harmonic(self) -> int:
        return class_info(self.name).base_harmonic

    # ------------------------------------------------------------------ visits and detections
    @cached_property
    def n_detections(self) -> NDArray[np.int64]:
        """Detections of each star in all bands."""
        return self.photometry.detected.sum(axis=1)

    @cached_property
    def coverage_and_gap(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of each star, the share of the bins of phase with a detection, and the largest gap between detections."""
        phase = phase_of(self.photometry.visits.mjd[None, :], self.period[:, None], self._t0[:, None])
        bins = self.settings.phase_bins
        each = [phase_coverage(p[d], bins) for p, d in zip(phase, self.photometry.detected, strict=True)]
        share, gap = np.array(each).reshape(-1, 2).T
        return share, gap

    @cached_property
    def _t0(self) -> NDArray[np.float64]:
        return np.asarray(self.stars.columns["t0"], dtype=float)

    @cached_property
    def variable(self) -> NDArray[np.float64]:
        """Probability of a scatter as large as each star's if it were constant in all bands (chi-squared test)."""
        from scipy.stats import chi2

        p = self.photometry
        total, freedom = np.zeros(len(self)), np.zeros(len(self))
        for k in range(len(p.visits.bands)):
            there = p.measured & (p.visits.band == k)
            w = np.where(there, np.where(there, p.flux_err, 1.0) ** -2.0, 0.0)
            flux = np.where(there, p.flux, 0.0)
            weight = np.maximum(w.sum(axis=1), 1e-300)
            mean = np.sum(w * flux, axis=1) / weight
            total += np.sum(w * (flux - mean[:, None]) ** 2, axis=1)
            freedom += np.maximum(there.sum(axis=1) - 1, 0)
        return np.where(freedom > 0, chi2.sf(total, np.maximum(freedom, 1)), 1.0)

    # ------------------------------------------------------------------ periods
    @cached_property
    def found(self) -> FoundPeriods:
        """What a period search finds with all visits."""
        return self._search(self.photometry, slice(None))

    def _search(self, photometry: Photometry, rows: Any) -> FoundPeriods:
        two_minima = self._base_harmonic == 2
        if self.sample.method == "full":
            return search_all(photometry, self.period[rows], class_name=self.name, two_minima=two_minima)
        seed = combined_seed(self.sample.seed, "search", self.key)
        uniforms = rng.uniforms(seed, "maf/peak", self.stars.columns["star_id"][rows], 2)
        return find_periods(
            photometry.merged, self.period[rows], two_minima=two_minima, uniforms=uniforms, settings=self.settings
        )

    def months_to_period(self, start: float, precision: float) -> NDArray[np.float64]:
        """Months from `start` [MJD] until each star's period is known, and from when on it stays known.

        It is asked after 1, 2, 4, 7 years and so on, and by bisection between the last of these without a known period
        and the first with one, to `precision` [months].

        Returns
        -------
        ndarray, shape (n_stars,)
            Infinite where the period is not known with all visits.
        """
        whole = (self.photometry.visits.mjd[-1] - start) / _MONTH
        known = self.found.recovered
        without, with_ = np.zeros(len(self)), np.where(known, max(whole, 0.0), np.inf)
        left = np.flatnonzero(known)
        # backwards, as only the last time without a known period matters
        for months in sorted((12.0 * y for y in _YEARS if 12.0 * y < whole), reverse=True):
            yes = self._known_at(left, np.full(left.size, months), start)
            with_[left[yes]], without[left[~yes]] = months, months
            left = left[yes]
        while (rows := np.flatnonzero(known & (with_ - without > precision))).size:
            middle = 0.5 * (without[rows] + with_[rows])
            yes = self._known_at(rows, middle, start)
            with_[rows[yes]], without[rows[~yes]] = middle[yes], middle[~yes]
        return with_

    def _known_at(self, rows: NDArray[np.int64], months: NDArray[np.float64], start: float) -> NDArray[np.bool_]:
        if not rows.size:
            return np.zeros(0, dtype=bool)
        early = self.photometry.until(start + _MONTH * months, rows)
        return np.zeros(rows.size, dtype=bool) if early is None else self._search(early, rows).recovered

    # ------------------------------------------------------------------ amplitude and mean magnitude
    def sizes(self, band: str, at: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Amplitude and mean magnitude of each star in a band, from a Fourier series [mag]; NaN where too few.

        Parameters
        ----------
        band : str
        at : {"true", "found"}
            The period that the series has.
        """
        merged = self.photometry.merged
        nothing = np.full(len(self), np.nan)
        if band not in merged.bands:
            return nothing, nothing.copy()
        columns = merged.slices[merged.bands.index(band)]
        flux, err = merged.flux[:, columns], merged.flux_err[:, columns]
        with np.errstate(invalid="ignore"):
            use = flux >= self.settings.snr * err
        n_all, n_use = np.isfinite(err).sum(axis=1), use.sum(axis=1)
        period, base = (self.period, self._base_harmonic) if at == "true" else (self.found.period, 1)
        # where most of a curve is below the limit, the detections are its bright half
        enough = (n_use >= np.maximum(self.settings.min_points, 0.5 * n_all)) & np.isfinite(period)
        mag = np.where(use, flux_to_mag(np.where(use, flux, 1.0), band), 0.0)
        weight = np.where(use, (np.where(use, flux, 1.0) / np.where(use, err, 1.0) / _PER_MAG) ** 2, 0.0)
        phase = phase_of(merged.mjd[columns], np.where(enough, period, 1.0)[:, None])
        fit = fit_series(phase, mag, weight, (slice(None),), n_harmonics=self.settings.n_harmonics, base_harmonic=base)
        return np.where(enough, fit.amplitude, np.nan), np.where(enough, fit.mean[:, 0], np.nan)

    def true_sizes(self, band: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """True amplitude and mean magnitude of each star in a band [mag]."""
        return np.ptp(self.stars.template(band=band), axis=1), self.stars.mean_magnitude(band)


@dataclass(frozen=True, kw_only=True, eq=False)
class Field:
    """The stars of a slice point.

    Attributes
    ----------
    visits : SliceVisits
    classes : dict of str to ClassField
        By class.
    """

    visits: SliceVisits
    classes: dict[str, ClassField]


@dataclass(eq=False)
class _Evaluator:
    """Observes the stars of a source at slice points, and remembers the last one: all metrics run at it in turn."""

    source: StarSource
    _last: tuple[Any, Field] | None = field(default=None, repr=False)

    def at(self, visits: SliceVisits, slice_point: Mapping[str, Any]) -> Field:
        where = (visits.key, *(_plain(slice_point.get(name)) for name in ("ebv", "lcgen_star")))
        if self._last is not None and self._last[0] == where:
            return self._last[1]
        sample = self.source.sample
        seed = combined_seed(sample.seed, "noise", visits.key)
        classes = {}
        for name, stars in self.source.located(visits, slice_point).items():
            photometry = observe(
                stars, visits, noise=sample.noise, seed=seed, irregular=sample.irregular, settings=sample.settings
            )
            classes[name] = ClassField(name=name, stars=stars, photometry=photometry, sample=sample, key=visits.key)
        made = Field(visits=visits, classes=classes)
        self._last = where, made
        return made


def _plain(value: Any) -> float | None:
    return None if value is None else float(np.asarray(value).ravel()[0])


@lru_cache(maxsize=8)
def _evaluator(source: StarSource) -> _Evaluator:
    return _Evaluator(source)


def field_of(source: StarSource, visits: SliceVisits, slice_point: Mapping[str, Any] | None) -> Field:
    """The stars of a source, observed at a slice point.

    Raises
    ------
    InputError
        If the slice point has no stars for this source.
    """
    return _evaluator(source).at(visits, slice_point or {})
