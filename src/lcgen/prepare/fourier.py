"""Regularised Fourier series of a folded light curve.

The series is the reference against which everything else is measured: alignment, amplitude, true scatter. High
harmonics are shrunk by a Gaussian prior whose decay is chosen star by star by the evidence, so that noisy curves come
out smooth and precise ones keep their bumps. The penalty acts on each harmonic as a whole, which makes the fit
equivariant: turning the phases turns the fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError

__all__ = ["FourierFit", "fit_fourier", "fourier_series", "harmonics"]

_DECAYS = (0.75, 1.25, 2.0, 3.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class FourierFit:
    """A Fourier series ``mean + sum_k a_k cos(2 pi k phase) + b_k sin(2 pi k phase)`` in magnitudes.

    Attributes
    ----------
    mean : float
        The constant term [mag].
    coefficients : ndarray, shape (n_harmonics, 2)
        Rows ``(a_k, b_k)`` for k = 1, 2 ... [mag].
    scatter_ratio : float
        True scatter about the fit over the quoted errors (robust).
    scatter : float
        Robust standard deviation of the residuals, corrected for the fitted terms [mag].
    decay : float
        Exponent of the prior that the evidence preferred.
    """

    mean: float
    coefficients: NDArray[np.float64]
    scatter_ratio: float
    scatter: float
    decay: float

    def __call__(self, phase: ArrayLike) -> NDArray[np.float64]:
        """Magnitudes at the given phases."""
        return self.mean + fourier_series(self.coefficients, phase)


def harmonics(phase: ArrayLike, n_harmonics: int) -> NDArray[np.float64]:
    """Cosines and sines of the first harmonics.

    Returns
    -------
    ndarray, shape (n_obs, 2 * n_harmonics)
        Columns cos 1, sin 1, cos 2, sin 2 ...
    """
    base = np.exp(2j * np.pi * np.asarray(phase, dtype=float))
    powers = np.cumprod(np.broadcast_to(base[:, None], (base.size, n_harmonics)), axis=1)
    return np.ascontiguousarray(powers).view(np.float64)


def fourier_series(coefficients: ArrayLike, phase: ArrayLike) -> NDArray[np.float64]:
    """The series without its constant, for coefficients of shape (n_harmonics, 2), at the phases."""
    coefficients = np.asarray(coefficients, dtype=float)
    phase = np.asarray(phase, dtype=float)
    flat = harmonics(phase.ravel(), coefficients.shape[0]) @ coefficients.ravel()
    return flat.reshape(phase.shape)


def _robust_std(x: NDArray) -> float:
    return float(1.4826 * np.median(np.abs(x - np.median(x)))) if x.size else 0.0


def fit_fourier(
    phase: ArrayLike,
    mag: ArrayLike,
    mag_err: ArrayLike,
    *,
    n_harmonics: int = 10,
    base_harmonic: int = 1,
) -> FourierFit:
    """Fit a regularised Fourier series to a folded light curve.

    Parameters
    ----------
    phase, mag, mag_err : array_like, shape (n_obs,)
        Phases, magnitudes and errors [mag].
    n_harmonics : int
        Number of harmonics.
    base_harmonic : int
        The harmonic below which nothing is shrunk: 2 for eclipsing and ellipsoidal variables.

    Notes
    -----
    Harmonic k has the prior standard deviation ``S max(1, k / base_harmonic)^-p``, where S is the standard deviation
    of the magnitudes times sqrt(2), and p is the one of 0.75, 1.25, 2, 3 with the highest evidence (MacKay 1992,
    doi:10.1162/neco.1992.4.3.415). The quoted errors are multiplied by one factor, estimated from the residuals.

    Raises
    ------
    InputError
        With fewer than five observations, or with values that are not finite or errors that are not positive.

    Examples
    --------
    >>> import numpy as np
    >>> phase = np.linspace(0, 1, 50, endpoint=False)
    >>> fit = fit_fourier(phase, 15 + 0.3 * np.cos(2 * np.pi * phase), np.full(50, 0.01), n_harmonics=3)
    >>> round(float(fit.coefficients[0, 0]), 3)
    0.3
    """
    phase = np.asarray(phase, dtype=float)
    mag = np.asarray(mag, dtype=float)
    err = np.asarray(mag_err, dtype=float)
    if phase.size < 5 or phase.shape != mag.shape or mag.shape != err.shape:
        raise InputError(f"a Fourier fit needs at least five observations, received shapes {phase.shape}, {mag.shape}")
    if not (np.isfinite(phase).all() and np.isfinite(mag).all() and np.isfinite(err).all() and (err > 0).all()):
        raise InputError("a Fourier fit needs finite phases and magnitudes and positive errors")
    n_harmonics = max(1, min(n_harmonics, (phase.size - 1) // 3))
    weight = (np.median(err) / err) ** 2
    centre = float(np.sum(weight * mag) / np.sum(weight))
    y = mag - centre
    spread = max(float(np.sqrt(np.sum(weight * y**2) / np.sum(weight))), 1e-6)
    design = np.concatenate([np.ones((phase.size, 1)), harmonics(phase, n_harmonics)], axis=1)
    weighted = design * weight[:, None]
    gram, moment = weighted.T @ design, weighted.T @ y
    power = float(np.sum(weight * y**2))

    k = np.repeat(np.arange(1, n_harmonics + 1), 2) / base_harmonic
    scale = np.sqrt(2.0) * spread
    # start from a noise of half the spread, then twice from the residuals
    noise = 0.5 * spread
    solution = np.zeros(design.shape[1])
    decay, root = _DECAYS[0], np.eye(design.shape[1])
    for _ in range(3):
        best = -np.inf
        for p in _DECAYS:
            prior_sd = np.concatenate([[100.0 * scale], scale * np.maximum(1.0, k) ** -p])
            # in units where the prior is N(0, 1) the posterior precision is I + D gram D / noise^2
            scaled = gram * np.outer(prior_sd, prior_sd) / noise**2
            factor = np.linalg.cholesky(scaled + np.eye(prior_sd.size))
            half = np.linalg.solve(factor, prior_sd * moment / noise**2)
            n_eff = phase.size
            evidence = (
                0.5 * half @ half - np.log(np.diag(factor)).sum() - 0.5 * power / noise**2 - n_eff * np.log(noise)
            )
            if evidence > best:
                best, decay = evidence, p
                solution, root = prior_sd * np.linalg.solve(factor.T, half), factor
        # by the trace of the posterior covariance, which turning the phases leaves as it is
        used = root.shape[0] - float(np.sum(np.linalg.inv(root) ** 2))
        residual = y - design @ solution
        shrink = np.sqrt(phase.size / max(phase.size - min(used, 0.6 * phase.size), 1.0))
        pull = residual * np.sqrt(weight)
        noise = max(_robust_std(pull) * shrink, 0.02 * float(np.median(err)), 1e-3 * spread)
    return FourierFit(
        mean=centre + float(solution[0]),
        coefficients=solution[1:].reshape(-1, 2).copy(),
        scatter_ratio=noise / float(np.median(err)),
        scatter=float(_robust_std(residual) * shrink),
        decay=decay,
    )
