"""Phase alignment: the zero of phase is a property of the curve, not of the survey's clock.

Pulsators are turned so that the first harmonic has its maximum light at phase 0; eclipsing and ellipsoidal variables
so that the second harmonic has its minimum light there, on the deeper of the two minima. Both are equivariant:
turning the input turns the shift by the same angle, so that the aligned curve does not move.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .fourier import fourier_series

__all__ = ["alignment_shift", "peak_to_peak", "rotate_coefficients"]

_GRID = np.arange(512) / 512.0


def alignment_shift(coefficients: ArrayLike, *, base_harmonic: int = 1) -> float:
    """The phase, in [0, 1), that becomes phase zero.

    Parameters
    ----------
    coefficients : array_like, shape (n_harmonics, 2)
        Fourier coefficients ``(a_k, b_k)`` of the magnitudes.
    base_harmonic : int
        1 for pulsators (maximum light of the first harmonic), 2 for eclipsing and ellipsoidal variables (primary
        minimum).

    Examples
    --------
    >>> import numpy as np
    >>> angle = 2 * np.pi * 0.2
    >>> round(alignment_shift([[-np.cos(angle), -np.sin(angle)]]), 6)
    0.2
    """
    coefficients = np.asarray(coefficients, dtype=float)
    if base_harmonic == 1 or coefficients.shape[0] < 2:
        a, b = coefficients[0]
        return float((np.arctan2(b, a) / (2 * np.pi) + 0.5) % 1.0)
    a, b = coefficients[1]
    faint = float((np.arctan2(b, a) / (4 * np.pi)) % 0.5)
    # depth of a minimum: the faintest point within a tenth of a period of it
    near = np.linspace(-0.1, 0.1, 41)
    depths = [fourier_series(coefficients, faint + half + near).max() for half in (0.0, 0.5)]
    return (faint + 0.5 * int(depths[1] > depths[0])) % 1.0


def rotate_coefficients(coefficients: ArrayLike, shift: float) -> np.ndarray:
    """Coefficients of the same curve in the phases ``phase - shift``; the inverse is ``-shift``."""
    coefficients = np.asarray(coefficients, dtype=float)
    angle = 2 * np.pi * shift * np.arange(1, coefficients.shape[0] + 1)
    turned = (coefficients[:, 0] - 1j * coefficients[:, 1]) * np.exp(1j * angle)
    return np.stack([turned.real, -turned.imag], axis=1)


def peak_to_peak(coefficients: ArrayLike) -> float:
    """Peak-to-peak amplitude [mag] of the series, on a grid of 512 phases."""
    return float(np.ptp(fourier_series(coefficients, _GRID)))
