"""What is measured on one star under one cadence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..evaluate.features import agnostic_features
from ..lightcurve import phase_of
from ..photometry import flux_to_mag
from ..prepare.fourier import FourierFit, fit_fourier, fourier_series
from ..taxonomy import class_info
from .period import Series, merge_visits, period_kind, search_period
from .settings import Settings

__all__ = ["N_SHAPE", "Truth", "feature_names", "measure_star", "phase_coverage"]

_FLUX_PER_MAG = 0.4 * np.log(10.0)
_N_PHASE = 256
_SHAPE_HARMONICS = 8
N_SHAPE = 20
"""Number of shape features, those of :func:`lcgen.evaluate.features.agnostic_features`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """What is true of one star.

    Attributes
    ----------
    class_name : str
    period, t0 : float
        In days.
    amplitude, mean : ndarray, shape (n_bands,)
        Peak to peak, and mean magnitude [mag], NaN in bands that the cadence lacks.
    """

    class_name: str
    period: float
    t0: float
    amplitude: NDArray[np.float64]
    mean: NDArray[np.float64]


def phase_coverage(phase: NDArray[np.float64], n_bins: int) -> tuple[float, float]:
    """Share of the bins of phase that hold a value, and the largest gap between neighbours around the circle.

    Examples
    --------
    >>> phase_coverage(np.array([0.0, 0.1, 0.5]), 10)
    (0.3, 0.5)
    """
    if phase.size == 0:
        return 0.0, 1.0
    filled = np.unique(np.minimum((phase * n_bins).astype(np.int64), n_bins - 1)).size
    ordered = np.sort(phase)
    gaps = np.diff(ordered, append=ordered[0] + 1.0)
    return filled / n_bins, float(gaps.max())


def feature_names(bands: Sequence[str]) -> tuple[str, ...]:
    """Names of the features that the classifier sees, from the light curve alone."""
    return (
        *("log_period", "power", "log10_fap", "odd_share"),
        *(f"log_amplitude_{b}" for b in bands),
        *(f"{a}-{b}" for a, b in pairwise(bands)),
        *(f"shape_{k}" for k in range(N_SHAPE)),
    )


def measure_star(
    *,
    mjd: NDArray[np.float64],
    flux: NDArray[np.float64],
    flux_err: NDArray[np.float64],
    band: NDArray[np.integer],
    bands: Sequence[str],
    truth: Truth,
    settings: Settings,
) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """Everything that is measured on one star under one cadence.

    Parameters
    ----------
    mjd, flux, flux_err : ndarray, shape (n_obs,)
        Visits [d] and measured fluxes [nJy].
    band : ndarray of int, shape (n_obs,)
        Index in `bands`.
    bands : sequence of str
        Bands of all cadences of the comparison, in order of wavelength.
    truth : Truth
    settings : Settings
        With the engine resolved.

    Returns
    -------
    dict of str to value
        Numbers, and per band arrays of shape (n_bands,).
    ndarray, shape (n_features,)
        NaN where a feature could not be measured.
    """
    detected = flux >= settings.snr * flux_err
    phase = phase_of(mjd, truth.period, truth.t0)
    out: dict[str, Any] = {"n_obs": int(mjd.size), "n_det": int(detected.sum())}
    out["coverage"], out["gap"] = phase_coverage(phase[detected], settings.phase_bins)
    n = len(bands)
    out["n_obs_band"] = np.bincount(band, minlength=n)
    out["n_det_band"] = np.bincount(band[detected], minlength=n)
    per_band = [phase_coverage(phase[detected & (band == k)], settings.phase_bins) for k in range(n)]
    out["coverage_band"], out["gap_band"] = (np.array(v) for v in zip(*per_band, strict=True))
    series = merge_visits(Series(mjd=mjd, flux=flux, flux_err=flux_err, band=band), settings.merge)
    found = search_period(series, settings)
    out |= {"found_period": found.period, "power": found.power, "log10_fap": found.log10_fap}
    out["kind"] = period_kind(
        found.period, truth.period, class_name=truth.class_name, span=found.span, tolerance=settings.tolerance
    )
    photometry = _Photometry(series, bands, settings)
    base = class_info(truth.class_name).base_harmonic
    for where, period, harmonic in (("true", truth.period, base), ("found", found.period, 1)):
        fits = photometry.fits(period, harmonic)
        size, mean = _sizes(fits, n)
        out[f"amplitude_at_{where}"], out[f"mean_at_{where}"] = size, mean
    out["amplitude"], out["mean"] = truth.amplitude, truth.mean
    return out, _features(photometry, fits, found, out["amplitude_at_found"], out["mean_at_found"])


class _Photometry:
    """Detections of a star in magnitudes, band by band; fitted at whatever period."""

    def __init__(self, series: Series, bands: Sequence[str], settings: Settings) -> None:
        self.n_harmonics = settings.n_harmonics
        self.parts: dict[int, tuple[NDArray, NDArray, NDArray]] = {}
        usable = series.flux >= settings.snr * series.flux_err
        for k, name in enumerate(bands):
            own = series.band == k
            rows = usable & own
            # where most of a curve is below the limit, the detections are its bright half
            if int(rows.sum()) >= max(settings.min_points, 0.5 * int(own.sum())):
                flux, err = series.flux[rows], series.flux_err[rows]
                self.parts[k] = series.mjd[rows], flux_to_mag(flux, name), err / flux / _FLUX_PER_MAG

    def fits(self, period: float, base_harmonic: int) -> dict[int, FourierFit]:
        """A regularised Fourier series a band, by index of the band."""
        if not np.isfinite(period):
            return {}
        return {
            k: fit_fourier(phase_of(mjd, period), mag, err, n_harmonics=self.n_harmonics, base_harmonic=base_harmonic)
            for k, (mjd, mag, err) in self.parts.items()
        }

    @property
    def best(self) -> int:
        """The band with the most detections for their errors."""
        return max(self.parts, key=lambda k: float(np.sum(self.parts[k][2] ** -2.0)))


def _sizes(fits: dict[int, FourierFit], n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    grid = np.arange(_N_PHASE) / _N_PHASE
    size, mean = np.full(n, np.nan), np.full(n, np.nan)
    for k, fit in fits.items():
        size[k], mean[k] = float(np.ptp(fourier_series(fit.coefficients, grid))), fit.mean
    return size, mean


def _features(
    photometry: _Photometry, fits: dict[int, FourierFit], found: Any, size: NDArray, mean: NDArray
) -> NDArray[np.float64]:
    shape, odd_share = np.full(N_SHAPE, np.nan), np.nan
    if fits:
        best = photometry.best
        coefficients = _eight(fits[best].coefficients)
        shape = agnostic_features(coefficients[None], np.array([fits[best].scatter]))[0]
        mjd, mag, err = photometry.parts[best]
        # at twice the period unequal minima show as odd harmonics
        twice = fit_fourier(phase_of(mjd, 2.0 * found.period), mag, err, n_harmonics=6, base_harmonic=2)
        power = np.sum(twice.coefficients**2, axis=1)
        odd_share = float(np.sqrt(power[0::2].sum() / max(power.sum(), 1e-30)))
    with np.errstate(invalid="ignore"):
        sizes = np.log10(np.maximum(size, 1e-6))
    first = [np.log10(found.period), found.power, found.log10_fap, odd_share]
    return np.concatenate([first, sizes, mean[:-1] - mean[1:], shape])


def _eight(coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.zeros((_SHAPE_HARMONICS, 2))
    kept = coefficients[:_SHAPE_HARMONICS]
    out[: kept.shape[0]] = kept
    return out
