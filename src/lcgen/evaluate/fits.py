"""The reference Fourier series of :mod:`lcgen.prepare.fourier`, for many curves on the same phases at once.

A real star, the curves that are compared with it and the curves that calibrate it share one set of phases and errors,
so that the design matrix is made once. The result is that of :func:`lcgen.prepare.fourier.fit_fourier`, to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..prepare.fourier import _DECAYS, harmonics

__all__ = ["SeriesBatch", "evaluate_series", "fit_many"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SeriesBatch:
    """Fourier series of several curves.

    Attributes
    ----------
    mean : ndarray, shape (n,)
    coefficients : ndarray, shape (n, n_harmonics, 2)
        As in :class:`lcgen.prepare.fourier.FourierFit`; harmonics that the number of observations does not allow are 0.
    residual : ndarray, shape (n, n_obs)
        Observed minus series.
    shrink : ndarray, shape (n,)
        Factor that brings the scatter of the residuals to that of the noise: the fit takes a part of it.
    """

    mean: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    residual: NDArray[np.float64]
    shrink: NDArray[np.float64]


def evaluate_series(coefficients: NDArray[np.float64], phase: ArrayLike) -> NDArray[np.float64]:
    """Series without their constants, coefficients of shape (n, n_harmonics, 2), at common phases: (n, n_phase)."""
    basis = harmonics(np.asarray(phase, dtype=float).ravel(), coefficients.shape[1])
    return coefficients.reshape(coefficients.shape[0], -1) @ basis.T


def _robust_std(x: NDArray) -> NDArray[np.float64]:
    return 1.4826 * np.median(np.abs(x - np.median(x, axis=-1, keepdims=True)), axis=-1)


def fit_many(
    phase: ArrayLike, values: ArrayLike, sigma: ArrayLike, *, n_harmonics: int, base_harmonic: int
) -> SeriesBatch:
    """Fit regularised Fourier series to curves observed at the same phases with the same errors.

    Parameters
    ----------
    phase, sigma : array_like, shape (n_obs,)
    values : array_like, shape (n, n_obs)
    n_harmonics, base_harmonic : int
        As in :func:`lcgen.prepare.fourier.fit_fourier`.
    """
    phase, err = np.asarray(phase, dtype=float), np.asarray(sigma, dtype=float)
    y = np.atleast_2d(np.asarray(values, dtype=float))
    n, n_obs = y.shape
    used_harmonics = max(1, min(n_harmonics, (n_obs - 1) // 3))
    typical = float(np.median(err))
    weight = (typical / err) ** 2
    centre = y @ weight / weight.sum()
    y = y - centre[:, None]
    power = (y**2) @ weight
    spread = np.maximum(np.sqrt(power / weight.sum()), 1e-6)
    design = np.concatenate([np.ones((n_obs, 1)), harmonics(phase, used_harmonics)], axis=1)
    gram = (design * weight[:, None]).T @ design
    moment = (y * weight) @ design
    size = design.shape[1]
    eye = np.eye(size)
    k = np.repeat(np.arange(1, used_harmonics + 1), 2) / base_harmonic
    noise = 0.5 * spread
    solution, shrink = np.zeros((n, size)), np.ones(n)
    for _ in range(3):
        best, root = np.full(n, -np.inf), np.empty((n, size, size))
        for p in _DECAYS:
            # in units of the spread, so that one matrix of prior widths serves all curves
            prior = np.sqrt(2.0) * np.concatenate([[100.0], np.maximum(1.0, k) ** -p])
            ratio = (spread / noise) ** 2
            precision = ratio[:, None, None] * (gram * np.outer(prior, prior)) + eye
            right = prior * moment * (spread / noise**2)[:, None]
            factor = np.linalg.cholesky(precision)
            x = np.linalg.solve(precision, right[:, :, None])[:, :, 0]
            evidence = (
                0.5 * np.sum(right * x, axis=1)
                - np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
                - 0.5 * power / noise**2
                - n_obs * np.log(noise)
            )
            better = evidence > best
            best[better], root[better] = evidence[better], factor[better]
            solution[better] = (x * prior * spread[:, None])[better]
        used = size - np.sum(np.linalg.inv(root) ** 2, axis=(1, 2))
        residual = y - solution @ design.T
        shrink = np.sqrt(n_obs / np.maximum(n_obs - np.minimum(used, 0.6 * n_obs), 1.0))
        noise = np.maximum(np.maximum(_robust_std(residual * np.sqrt(weight)) * shrink, 0.02 * typical), 1e-3 * spread)
    coefficients = np.zeros((n, n_harmonics, 2))
    coefficients[:, :used_harmonics] = solution[:, 1:].reshape(n, used_harmonics, 2)
    return SeriesBatch(mean=centre + solution[:, 0], coefficients=coefficients, residual=residual, shrink=shrink)
