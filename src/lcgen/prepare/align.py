"""Phase alignment: the zero of phase is a property of the curve, not of the survey's clock.

A curve is turned by the stronger of its first two harmonics: for pulsators its maximum light comes to phase 0, for
eclipsing and ellipsoidal variables its minimum; of the two extrema of a second harmonic, the more extreme. (Some stars
are catalogued with half or twice the period of their dominant variation; the first harmonic of such a curve is mostly
noise, and so would a phase zero from it be.) The rule is equivariant: turning the input turns the shift by the same
angle, so that the aligned curve does not move.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..interpolate import evaluate_periodic, peak_to_peak_periodic
from .fourier import fourier_series

__all__ = ["alignment_shift", "peak_to_peak", "rotate_coefficients", "standard_templates"]

_GRID = np.arange(512) / 512.0
_HARMONICS = 10


def alignment_shift(coefficients: ArrayLike, *, base_harmonic: int = 1) -> float:
    """The phase, in [0, 1), that becomes phase zero.

    Parameters
    ----------
    coefficients : array_like, shape (n_harmonics, 2)
        Fourier coefficients ``(a_k, b_k)`` of the magnitudes.
    base_harmonic : int
        1 for pulsators: maximum light is sought; 2 for eclipsing and ellipsoidal variables: minimum light.

    Examples
    --------
    >>> import numpy as np
    >>> angle = 2 * np.pi * 0.2
    >>> round(alignment_shift([[-np.cos(angle), -np.sin(angle)]]), 6)
    0.2
    """
    coefficients = np.asarray(coefficients, dtype=float)
    strength = np.hypot(coefficients[:2, 0], coefficients[:2, 1])
    order = 2 if strength.size > 1 and strength[1] > strength[0] else 1
    sign = -1.0 if base_harmonic == 1 else 1.0
    a, b = sign * coefficients[order - 1]
    extremum = float((np.arctan2(b, a) / (2 * np.pi * order)) % (1.0 / order))
    if order == 1:
        return extremum % 1.0
    # how extreme: the largest excursion within a tenth of a period
    near = np.linspace(-0.1, 0.1, 41)
    heights = [(sign * fourier_series(coefficients, extremum + half + near)).max() for half in (0.0, 0.5)]
    return (extremum + 0.5 * int(heights[1] > heights[0])) % 1.0


def rotate_coefficients(coefficients: ArrayLike, shift: float) -> np.ndarray:
    """Coefficients of the same curve in the phases ``phase - shift``; the inverse is ``-shift``."""
    coefficients = np.asarray(coefficients, dtype=float)
    angle = 2 * np.pi * shift * np.arange(1, coefficients.shape[0] + 1)
    turned = (coefficients[:, 0] - 1j * coefficients[:, 1]) * np.exp(1j * angle)
    return np.stack([turned.real, -turned.imag], axis=1)


def peak_to_peak(coefficients: ArrayLike) -> float:
    """Peak-to-peak amplitude [mag] of the series, on a grid of 512 phases."""
    return float(np.ptp(fourier_series(coefficients, _GRID)))


def standard_templates(curves: ArrayLike, base_harmonic: ArrayLike, n_phase: int) -> NDArray[np.float64]:
    """Gridded curves turned to phase zero, with zero mean and a peak-to-peak amplitude of one.

    Parameters
    ----------
    curves : array_like, shape (n, n_grid)
        One cycle at phases ``arange(n_grid) / n_grid``, over 20 of them; fainter is larger.
    base_harmonic : array_like of int, shape (n,)
        As in :func:`alignment_shift`.
    n_phase : int
        Number of phases wanted.

    Returns
    -------
    ndarray, shape (n, n_phase)
        At phases ``arange(n_phase) / n_phase``. A constant curve stays constant.
    """
    values = np.asarray(curves, dtype=float)
    n, n_grid = values.shape
    spectrum = 2.0 * np.fft.rfft(values, axis=1)[:, 1 : _HARMONICS + 1] / n_grid
    coefficients = np.stack([spectrum.real, -spectrum.imag], axis=2)
    shift = np.array(
        [alignment_shift(c, base_harmonic=int(b)) for c, b in zip(coefficients, np.asarray(base_harmonic), strict=True)]
    )
    phase = (np.arange(n_phase) / n_phase + shift[:, None]) % 1.0
    turned = evaluate_periodic(values, np.repeat(np.arange(n), n_phase), phase.ravel()).reshape(n, n_phase)
    turned -= turned.mean(axis=1, keepdims=True)
    return turned / np.maximum(peak_to_peak_periodic(turned)[:, None], 1e-6)
