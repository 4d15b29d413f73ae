"""Fourier series of many folded light curves at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lcgen.prepare.fourier import harmonics

__all__ = ["Series", "fit_series", "harmonic_columns"]

# The exponent with which the prior of harmonics falls: in the middle of those lcgen.prepare.fourier chooses from, as
# one that is chosen star by star would need a fit for each.
_DECAY = 1.25
_GRID = np.arange(256) / 256.0

Matrix = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """``mean + sum_k a_k cos(2 pi k phase) + b_k sin(2 pi k phase)`` for each star.

    Attributes
    ----------
    mean : ndarray, shape (n_stars, n_bands)
    coefficients : ndarray, shape (n_stars, n_harmonics, 2)
    """

    mean: Matrix
    coefficients: NDArray[np.float64]

    @property
    def amplitude(self) -> NDArray[np.float64]:
        """From peak to peak, shape (n_stars,)."""
        return np.ptp(self.at(_GRID), axis=1)

    def at(self, phase: NDArray[np.float64]) -> Matrix:
        """The series without its mean at phases that all stars share, shape (n_stars, n_phases)."""
        k = np.arange(1, self.coefficients.shape[1] + 1)
        angle = 2.0 * np.pi * np.outer(k, phase)
        return self.coefficients[:, :, 0] @ np.cos(angle) + self.coefficients[:, :, 1] @ np.sin(angle)


def harmonic_columns(phase: Matrix, n_harmonics: int) -> NDArray[np.float64]:
    """Columns cos 1, sin 1, cos 2 ... of the first harmonics, shape (*phase.shape, 2 * n_harmonics)."""
    flat = harmonics((phase - np.rint(phase)).ravel(), n_harmonics)
    return flat.reshape(*phase.shape, 2 * n_harmonics)


def fit_series(
    phase: Matrix,
    value: Matrix,
    weight: Matrix,
    bands: tuple[slice, ...],
    *,
    n_harmonics: int,
    base_harmonic: int = 1,
) -> Series:
    """Fit regularised Fourier series, with one shape for all bands and a mean for each.

    Parameters
    ----------
    phase, value, weight : ndarray, shape (n_stars, n_times)
        Phases, magnitudes, and inverse variances: 0 where there is no measurement.
    bands : tuple of slice
        The columns of each band.
    n_harmonics : int
        At most; a star has no more than a third of its measurements.
    base_harmonic : int
        The harmonic below which nothing is shrunk.

    Notes
    -----
    Harmonic k has the prior standard deviation ``sqrt(2) S max(1, k / base_harmonic)^-1.25``, S being that of the
    values; errors are multiplied by the factor that the residuals ask for, where that is above one. So much is as in
    :func:`lcgen.prepare.fourier.fit_fourier`, which chooses the exponent for each star besides.
    """
    design = harmonic_columns(phase, n_harmonics)
    totals = [np.maximum(weight[:, b].sum(axis=1), 1e-300) for b in bands]
    means = [np.sum(weight[:, b] * value[:, b], axis=1) / t for b, t in zip(bands, totals, strict=True)]
    shift = [
        np.einsum("nm,nmk->nk", weight[:, b], design[:, b]) / t[:, None] for b, t in zip(bands, totals, strict=True)
    ]
    centred = np.zeros_like(value)
    for b, mean, level in zip(bands, means, shift, strict=True):
        centred[:, b] = value[:, b] - mean[:, None]
        design[:, b] -= level[:, None, :]
    there = weight > 0
    count = np.maximum(there.sum(axis=1), 1)
    whole = np.maximum(weight.sum(axis=1), 1e-300)
    spread = np.maximum(np.sqrt(np.sum(weight * centred**2, axis=1) / whole), 1e-6)
    k = np.repeat(np.arange(1, n_harmonics + 1), 2)
    prior = np.sqrt(2.0) * spread[:, None] * np.maximum(1.0, k / base_harmonic) ** -_DECAY
    prior = np.where(k <= np.maximum(count // 3, 1)[:, None], prior, 1e-9)
    weighted = design * weight[:, :, None]
    gram = prior[:, :, None] * (np.swapaxes(weighted, 1, 2) @ design) * prior[:, None, :]
    moment = prior * np.einsum("nmk,nm->nk", weighted, centred)
    unit = np.eye(2 * n_harmonics)
    factor = np.ones(count.size)
    for _ in range(2):
        scaled = gram / factor[:, None, None] ** 2 + unit
        solution = prior * np.linalg.solve(scaled, (moment / factor[:, None] ** 2)[:, :, None])[:, :, 0]
        residual = centred - np.einsum("nmk,nk->nm", design, solution)
        freedom = np.maximum(count - 2 * n_harmonics - len(bands), 0.4 * count)
        factor = np.maximum(np.sqrt(np.sum(weight * residual**2, axis=1) / freedom), 1.0)
    constant = [mean - np.sum(level * solution, axis=1) for mean, level in zip(means, shift, strict=True)]
    return Series(mean=np.stack(constant, axis=1), coefficients=solution.reshape(count.size, n_harmonics, 2))
