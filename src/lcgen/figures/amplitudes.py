"""How amplitude and phase change from band to band, generated and observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..lightcurve import LightCurves
from ..prepare.fourier import fit_fourier, fourier_series
from ..stars import Stars

__all__ = ["BandChange", "band_changes", "fourier_fits", "observed_changes", "series_amplitude"]

_Array = NDArray[np.float64]
_GRID = np.arange(256) / 256.0
_MIN_OBSERVATIONS = 25


@dataclass(frozen=True, kw_only=True)
class BandChange:
    """Amplitude and phase in a band relative to another; medians over stars, with the half width of the middle 68 %.

    Attributes
    ----------
    kind, band, reference : str
    ratio, ratio_spread : float
        Of the peak-to-peak amplitudes.
    lag, lag_spread : float
        Phase of the first harmonic minus that in the reference [period]; later is positive.
    n : int
        Number of stars.
    source : str
        How the band is obtained (``learned``, ``transferred``, ``extrapolated``), or the survey of real stars.
    """

    kind: str
    band: str
    reference: str
    ratio: float
    ratio_spread: float
    lag: float
    lag_spread: float
    n: int
    source: str


def band_changes(label: str, stars: Stars, bands: Sequence[str], *, reference: str = "V") -> list[BandChange]:
    """Amplitude ratios and phase lags of generated stars.

    The lag is that of the strongest of the first two harmonics, for curves with two minima have little of the first.

    Parameters
    ----------
    label : str
        Of the kind.
    stars : Stars
    bands : sequence of str
    reference : str
    """
    base = stars.template(_GRID.size, reference)
    harmonic = 2 if str(stars.columns["class"][0]) in ("ECL", "ELL") else 1
    out = []
    for band in bands:
        curves = stars.template(_GRID.size, band)
        ratio = np.ptp(curves, axis=1) / np.maximum(np.ptp(base, axis=1), 1e-9)
        terms = [np.fft.rfft(c, axis=1)[:, harmonic] for c in (curves, base)]
        lag = -np.angle(terms[0] * terms[1].conj()) / (2.0 * np.pi * harmonic)
        words = sorted(set(stars.band_source(band).tolist()))
        out.append(_summary(label, band, reference, ratio, lag, "/".join(words)))
    return out


def observed_changes(label: str, curves: Mapping[str, LightCurves], *, reference: str, source: str) -> list[BandChange]:
    """The same of real stars that were seen in several bands.

    Parameters
    ----------
    label : str
    curves : mapping of band to LightCurves
        With the columns ``id`` and ``period``. Stars are matched by id.
    reference : str
        One of the bands.
    source : str
        Of the curves.
    """
    fits = {band: fourier_fits(c) for band, c in curves.items()}
    out = []
    for band in curves:
        pairs = [(fits[band][s], fits[reference][s]) for s in fits[band] if s in fits[reference]]
        if band == reference or len(pairs) < 5:
            continue
        sizes = np.array([[series_amplitude(c) for c in pair] for pair in pairs])
        terms = np.array([[c[0, 0] - 1j * c[0, 1] for c in pair] for pair in pairs])
        lag = -np.angle(terms[:, 0] * terms[:, 1].conj()) / (2.0 * np.pi)
        out.append(_summary(label, band, reference, sizes[:, 0] / sizes[:, 1], lag, source))
    return out


def series_amplitude(coefficients: _Array) -> float:
    """Peak-to-peak amplitude [mag] of a Fourier series of shape (n_harmonics, 2)."""
    return float(np.ptp(fourier_series(coefficients, _GRID)))


def fourier_fits(curves: LightCurves, *, max_error: float = 0.05) -> dict[str, _Array]:
    """Fourier coefficients by id, of stars whose first amplitude has at most this relative error."""
    out = {}
    for k in range(len(curves)):
        a, b = int(curves.offsets[k]), int(curves.offsets[k + 1])
        if b - a < _MIN_OBSERVATIONS:
            continue
        phase = curves.mjd[a:b] / float(curves.columns["period"][k]) % 1.0
        fit = fit_fourier(phase, curves.mag[a:b], curves.mag_err[a:b], n_harmonics=8)
        if fit.scatter * np.sqrt(2.0 / (b - a)) < max_error * float(np.hypot(*fit.coefficients[0])):
            out[str(curves.columns["id"][k])] = fit.coefficients
    return out


def _summary(label: str, band: str, reference: str, ratio: _Array, lag: _Array, source: str) -> BandChange:
    def spread(x: _Array) -> float:
        low, high = np.quantile(x, [0.16, 0.84])
        return float(0.5 * (high - low))

    return BandChange(
        kind=label,
        band=band,
        reference=reference,
        ratio=float(np.median(ratio)),
        ratio_spread=spread(ratio),
        lag=float(np.median(lag)),
        lag_spread=spread(lag),
        n=int(ratio.size),
        source=source,
    )
