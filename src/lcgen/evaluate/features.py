"""What two curves are compared by: Fourier parameters, moments, residual."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..taxonomy import class_info
from .fits import evaluate_series

__all__ = ["FeatureTable", "agnostic_features", "align_series", "curve_features", "feature_names", "moments"]

_GRID = np.arange(256) / 256.0
_NEAR = np.linspace(-0.1, 0.1, 41)
_CHUNK = 20_000


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureTable:
    """Features of curves of one class.

    Attributes
    ----------
    names : tuple of str
    values : ndarray, shape (n, n_features)
        Angles are given as cosine and sine (``cos_phi21``, ``sin_phi21``).
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def column(self, name: str) -> NDArray[np.float64]:
        """One feature; ``phi21`` etc. are put together from their cosine and sine, in [-pi, pi)."""
        if name in self.names:
            return self.values[:, self.names.index(name)]
        return np.arctan2(self.column(f"sin_{name}"), self.column(f"cos_{name}"))

    def select(self, names: tuple[str, ...]) -> NDArray[np.float64]:
        """Some features, shape (n, len(names))."""
        return self.values[:, [self.names.index(n) for n in names]]


def feature_names(cls: str) -> tuple[str, ...]:
    """Names of the features of a class.

    ``R21`` and ``phi21`` are those of the base harmonic: for eclipsing and ellipsoidal variables the ratio of the
    fourth to the second harmonic of the period, and so on.
    """
    ratios = ("R21", "R31", "R41")
    angles = tuple(f"{f}_phi{k}1" for k in (2, 3, 4) for f in ("cos", "sin"))
    odd = ("odd_even", "odd1", "odd3") if class_info(cls).base_harmonic == 2 else ()
    return ("log_amplitude", *ratios, *angles, *odd, "skew", "kurtosis", "skew_mag", "kurtosis_mag", "residual")


def moments(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Skewness and excess kurtosis along the last axis."""
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.maximum(np.mean(centred**2, axis=-1), 1e-30)
    return np.mean(centred**3, axis=-1) / variance**1.5, np.mean(centred**4, axis=-1) / variance**2 - 3.0


def align_series(coefficients: NDArray[np.float64], *, base_harmonic: int) -> NDArray[np.float64]:
    """Series turned to their own phase zero, as :func:`lcgen.prepare.align.alignment_shift` defines it.

    Parameters
    ----------
    coefficients : ndarray, shape (n, n_harmonics, 2)
    """
    sign = -1.0 if base_harmonic == 1 else 1.0
    term = coefficients[..., 0] - 1j * coefficients[..., 1]
    k = np.arange(1, coefficients.shape[1] + 1)
    second = np.abs(term[:, 1]) > np.abs(term[:, 0])
    order = np.where(second, 2, 1)
    shift = -np.angle(sign * np.where(second, term[:, 1], term[:, 0])) / (2 * np.pi * order)
    turned = term * np.exp(2j * np.pi * shift[:, None] * k)
    # of the two extrema of a second harmonic, the more extreme
    series = sign * np.stack([turned.real, -turned.imag], axis=2)
    heights = [evaluate_series(series, half + _NEAR).max(axis=1) for half in (0.0, 0.5)]
    other = second & (heights[1] > heights[0])
    turned = np.where(other[:, None], turned * np.exp(1j * np.pi * k), turned)
    return np.stack([turned.real, -turned.imag], axis=2)


def curve_features(
    cls: str,
    coefficients: NDArray[np.float64],
    *,
    skew_mag: NDArray[np.float64],
    kurtosis_mag: NDArray[np.float64],
    residual: NDArray[np.float64],
) -> FeatureTable:
    """Features of fitted curves.

    Parameters
    ----------
    cls : str
    coefficients : ndarray, shape (n, n_harmonics, 2)
        Of the fitted series [mag].
    skew_mag, kurtosis_mag : ndarray, shape (n,)
        Of the observed magnitudes.
    residual : ndarray, shape (n,)
        RMS of the observations about the series [mag].

    Notes
    -----
    With mag = sum_k A_k cos(2 pi k phase + phi_k), R_k1 = A_k / A_1 and phi_k1 = phi_k - k phi_1 (Simon & Lee 1981,
    ApJ 248, 291, for the cosine series that OGLE uses).
    """
    base = class_info(cls).base_harmonic
    parts = []
    for start in range(0, coefficients.shape[0], _CHUNK):
        rows = slice(start, start + _CHUNK)
        parts.append(_features(base, coefficients[rows], skew_mag[rows], kurtosis_mag[rows], residual[rows]))
    names = feature_names(cls)
    values = np.concatenate(parts) if parts else np.zeros((0, len(names)))
    return FeatureTable(names=names, values=values)


def _features(base: int, coefficients: NDArray, skew_mag: NDArray, kurtosis_mag: NDArray, residual: NDArray) -> NDArray:
    aligned = align_series(coefficients, base_harmonic=base)
    term = aligned[..., 0] - 1j * aligned[..., 1]  # A_k exp(i phi_k)
    size = np.abs(term)
    first = np.maximum(size[:, base - 1], 1e-9)
    angle = np.angle(term)
    grid = evaluate_series(aligned, _GRID)
    amplitude = np.maximum(np.ptp(grid, axis=1), 1e-9)
    columns = [np.log10(amplitude)]
    columns += [size[:, k * base - 1] / first for k in (2, 3, 4)]
    for k in (2, 3, 4):
        phi = angle[:, k * base - 1] - k * angle[:, base - 1]
        columns += [np.cos(phi), np.sin(phi)]
    if base == 2:
        odd, even = (size[:, 0::2] ** 2).sum(axis=1), (size[:, 1::2] ** 2).sum(axis=1)
        # the series is turned so that the second harmonic has phase pi: odd cosine terms are unequal depths
        columns += [np.sqrt(odd / np.maximum(even, 1e-18)), aligned[:, 0, 0] / first, aligned[:, 2, 0] / first]
    skew, kurtosis = moments(grid)
    columns += [skew, kurtosis, skew_mag, kurtosis_mag, residual / amplitude]
    return np.stack(columns, axis=1)


def agnostic_features(coefficients: NDArray[np.float64], residual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Features that know nothing of the class, for classification: shape (n, n_features), log amplitude first.

    Parameters
    ----------
    coefficients : ndarray, shape (n, 8, 2)
        Of a fit with the same prior for all classes.
    residual : ndarray, shape (n,)
        RMS of the observations about it [mag].
    """
    term = coefficients[..., 0] - 1j * coefficients[..., 1]
    size = np.abs(term)
    share = size / np.maximum(np.sqrt((size**2).sum(axis=1, keepdims=True)), 1e-12)
    unit = term / np.maximum(size, 1e-12)
    angles = [unit[:, 1] / unit[:, 0] ** 2, unit[:, 2] / unit[:, 0] ** 3, unit[:, 3] / unit[:, 1] ** 2]
    angles += [unit[:, 5] / unit[:, 1] ** 3]
    grid = evaluate_series(coefficients, _GRID)
    amplitude = np.maximum(np.ptp(grid, axis=1), 1e-9)
    parts = [part for z in angles for part in (z.real, z.imag)]
    return np.stack([np.log10(amplitude), *share.T, *parts, *moments(grid), residual / amplitude], axis=1)
