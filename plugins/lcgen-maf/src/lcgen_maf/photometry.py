"""Measurements of many stars at the same visits, as matrices with a row a star."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lcgen import Stars
from lcgen.compare.settings import Settings

from .slices import SliceVisits

__all__ = ["Merged", "Photometry", "observe"]

_PER_MAG = 2.5 / np.log(10.0)
# Softening of asinh magnitudes in units of the noise: Lupton, Gunn & Szalay 1999 (AJ 118, 1406).
_SOFTENING = 1.042
# A floor of the errors, as a share of the scatter: a curve that is no sinusoid is not held against the period.
_FLOOR = 0.1

Matrix = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Photometry:
    """Fluxes of stars at the visits of a slice point.

    Attributes
    ----------
    visits : SliceVisits
    flux, flux_err : ndarray, shape (n_stars, n_visits)
        Measured fluxes and errors [nJy]; NaN where a star saturates.
    settings : Settings
    """

    visits: SliceVisits
    flux: Matrix
    flux_err: Matrix
    settings: Settings

    @cached_property
    def measured(self) -> NDArray[np.bool_]:
        """Where there is a measurement, shape (n_stars, n_visits)."""
        return np.isfinite(self.flux)

    @cached_property
    def detected(self) -> NDArray[np.bool_]:
        """Where the measurement is a detection, shape (n_stars, n_visits)."""
        return self.measured & (self.flux >= self.settings.snr * self.flux_err)

    def until(self, cutoff: NDArray[np.float64], rows: NDArray[np.int64]) -> Photometry | None:
        """What some of the stars have been measured before a time of their own [d], shape (n_rows,).

        None where none has a visit by then.
        """
        n = int(np.searchsorted(self.visits.mjd, cutoff.max()))
        if n == 0:
            return None
        visits = self.visits.first(n)
        late = visits.mjd[None, :] >= cutoff[:, None]
        return Photometry(
            visits=visits,
            flux=np.where(late, np.nan, self.flux[rows, :n]),
            flux_err=self.flux_err[rows, :n],
            settings=self.settings,
        )

    @cached_property
    def merged(self) -> Merged:
        """Visits of a band within a few minutes as one measurement, band after band."""
        visits, window = self.visits, self.settings.merge / 1440.0
        order = np.lexsort((visits.mjd, visits.band))
        mjd, band = visits.mjd[order], visits.band[order]
        new = np.ones(mjd.size, dtype=bool)
        new[1:] = (band[1:] != band[:-1]) | (np.diff(mjd) > window)
        if window > 0:
            start = mjd[np.maximum.accumulate(np.where(new, np.arange(mjd.size), 0))]
            part = np.floor((mjd - start) / window)
            new[1:] |= part[1:] != part[:-1]
        else:
            new[:] = True
        edges = np.flatnonzero(new)
        there = self.measured[:, order]
        flux = np.where(there, self.flux[:, order], 0.0)
        weight = np.where(there, np.where(there, self.flux_err[:, order], 1.0) ** -2.0, 0.0)
        if edges.size < mjd.size:
            total = np.add.reduceat(weight, edges, axis=1)
            flux = np.add.reduceat(weight * flux, edges, axis=1)
            flux = np.divide(flux, total, out=np.zeros_like(flux), where=total > 0)
            weight = total
            counts = np.diff(np.append(edges, mjd.size))
            mjd = mjd[edges] + np.add.reduceat(mjd - np.repeat(mjd[edges], counts), edges) / counts
        err = np.divide(1.0, np.sqrt(weight), out=np.full_like(weight, np.nan), where=weight > 0)
        return Merged(mjd=mjd, band=band[edges], bands=visits.bands, flux=flux, flux_err=err)


@dataclass(frozen=True, kw_only=True, eq=False)
class Merged:
    """Measurements of stars, band after band and in order of time within a band.

    Attributes
    ----------
    mjd : ndarray, shape (n_times,)
        Mean times of what was merged [d].
    band : ndarray of int, shape (n_times,)
        Positions in `bands`, ascending.
    bands : tuple of str
    flux, flux_err : ndarray, shape (n_stars, n_times)
        [nJy]; errors are NaN where there is no measurement.
    """

    mjd: NDArray[np.float64]
    band: NDArray[np.int64]
    bands: tuple[str, ...]
    flux: Matrix
    flux_err: Matrix

    @cached_property
    def measured(self) -> NDArray[np.bool_]:
        """Where there is a measurement, shape (n_stars, n_times)."""
        return np.isfinite(self.flux_err)

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """The columns of each band."""
        edges = np.searchsorted(self.band, np.arange(len(self.bands) + 1))
        return tuple(slice(int(a), int(b)) for a, b in pairwise(edges))

    @cached_property
    def count(self) -> NDArray[np.int64]:
        """Measurements of each star, shape (n_stars,)."""
        return self.measured.sum(axis=1)

    @cached_property
    def span(self) -> NDArray[np.float64]:
        """From the first to the last measurement of each star [d], shape (n_stars,)."""
        late = np.where(self.measured, self.mjd, -np.inf).max(axis=1)
        early = np.where(self.measured, self.mjd, np.inf).min(axis=1)
        return np.maximum(late - early, 0.0)

    @cached_property
    def asinh(self) -> tuple[Matrix, Matrix]:
        """Magnitudes that bear negative fluxes, minus their mean in each band, and weights, shape (n_stars, n_times).

        As the period search of :mod:`lcgen.compare` has them; both are 0 where there is no measurement.
        """
        value, weight = np.zeros_like(self.flux), np.zeros_like(self.flux)
        for columns in self.slices:
            there = self.measured[:, columns]
            flux, err = self.flux[:, columns], self.flux_err[:, columns]
            soft = 2.0 * _SOFTENING * _row_median(err)[:, None]
            y = np.where(there, -_PER_MAG * np.arcsinh(flux / soft), 0.0)
            n = np.maximum(there.sum(axis=1), 1)[:, None]
            scatter = np.sqrt(np.sum(np.where(there, y - y.sum(axis=1, keepdims=True) / n, 0.0) ** 2, axis=1) / n[:, 0])
            variance = (_PER_MAG * err / np.hypot(flux, soft)) ** 2 + (_FLOOR * scatter[:, None]) ** 2
            w = np.where(there, 1.0 / np.where(there, variance, 1.0), 0.0)
            total = w.sum(axis=1, keepdims=True)
            mean = np.divide(np.sum(w * y, axis=1, keepdims=True), total, out=np.zeros_like(total), where=total > 0)
            value[:, columns], weight[:, columns] = np.where(there, y - mean, 0.0), w
        return value, weight


def _row_median(values: Matrix) -> NDArray[np.float64]:
    """Medians of rows without NaN; 1 where a row has nothing else."""
    ordered = np.sort(values, axis=1)  # NaN come last
    n = np.isfinite(values).sum(axis=1)
    if not ordered.shape[1]:
        return np.ones(n.size)
    rows, last = np.arange(n.size), np.maximum(n - 1, 0)
    middle = 0.5 * (ordered[rows, last // 2] + ordered[rows, (last + 1) // 2])
    return np.where(n > 0, middle, 1.0)


def observe(
    stars: Stars, visits: SliceVisits, *, noise: str, seed: int, irregular: bool, settings: Settings
) -> Photometry:
    """Observe stars at the visits of a slice point, all at once.

    Raises
    ------
    InputError, UnknownNameError
        If the generator has no such band or noise.
    """
    curves = stars.observe(visits.visits, noise=noise, seed=seed, irregular=irregular)
    n, m = len(stars), len(visits)
    flux, err = np.full((n, m), np.nan), np.full((n, m), np.nan)
    if curves.mjd.size == n * m:
        flux[:], err[:] = curves.flux.reshape(n, m), curves.flux_err.reshape(n, m)
    else:  # visits in which a star saturates are not among the observations
        row = np.repeat(np.arange(n), np.diff(curves.offsets))
        column = np.searchsorted(visits.mjd, curves.mjd)
        flux[row, column], err[row, column] = curves.flux, curves.flux_err
    return Photometry(visits=visits, flux=flux, flux_err=err, settings=settings)
