"""Fit of the products of a star's residuals with the covariances that its departures from repeating leave in them.

Variance components, by least squares on the products of all pairs of residuals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..interpolate import evaluate_periodic
from ..observe.irregular import correlation
from ..prepare.dataset import PreparedCurves
from ..prepare.fourier import harmonics
from ..rng import stream
from ..taxonomy import PHYSICAL

__all__ = [
    "DRIFT",
    "FIRST",
    "N_TIMES",
    "TIMES",
    "ResidualStar",
    "absorbed",
    "best_variances",
    "jackknife_errors",
    "log_spread",
    "moments",
    "residual_star",
    "star_variances",
]

TIMES = {"d": (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0), "period": (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)}
"""Correlation times that are tried, by unit."""
N_TIMES = 6
_MAX_OBSERVATIONS = 200
_NIGHT = 0.5
DRIFT, FIRST = 2, 2 + N_TIMES
"""Terms of the fit: noise, nights, from DRIFT the times of the zero point, from FIRST those of each channel."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ResidualStar:
    """One real star, in units of its amplitude."""

    mjd: NDArray[np.float64]
    phase: NDArray[np.float64]
    curve: NDArray[np.float64]
    slope: NDArray[np.float64]
    residual: NDArray[np.float64]
    sigma: NDArray[np.float64]
    amplitude: float
    period: float


def residual_star(curves: PreparedCurves, i: int, mjd: NDArray[np.float64], seed: int) -> ResidualStar:
    rows = np.arange(curves.offsets[i], curves.offsets[i + 1])
    rows = rows[np.isfinite(mjd[rows])]
    if rows.size > _MAX_OBSERVATIONS:
        rows = np.sort(stream(seed, "irregular/observations", i).permutation(rows)[:_MAX_OBSERVATIONS])
    grid = curves.fit_grid[i : i + 1].astype(float)
    size = float(np.ptp(grid))
    slope = 0.5 * grid.shape[1] * (np.roll(grid, -1, axis=1) - np.roll(grid, 1, axis=1))
    phase = curves.phase[rows].astype(float)
    zero = np.zeros(rows.size, dtype=np.int64)
    curve = evaluate_periodic(grid, zero, phase) / size
    return ResidualStar(
        mjd=mjd[rows],
        phase=phase,
        curve=curve,
        slope=evaluate_periodic(slope, zero, phase) / size,
        residual=curves.value[rows] / size - curve,
        sigma=curves.sigma[rows].astype(float) / size,
        amplitude=size * float(curves.scale[i]),
        period=float(curves.params[i, PHYSICAL.index("period")]),
    )


def absorbed(star: ResidualStar, n_harmonics: int, mode: float | None) -> NDArray[np.float64]:
    """What the star's own curve, a wrong period and a second mode can explain, shape (n_obs, n)."""
    # a drift of the phase that is linear in time is the rounding of the period
    parts = [
        np.ones((star.phase.size, 1)),
        harmonics(star.phase, n_harmonics),
        (star.slope * (star.mjd - star.mjd.mean()))[:, None],
    ]
    if mode is not None:
        first, second = star.mjd / star.period, star.mjd * mode / star.period
        parts += [harmonics(f % 1.0, 1) for f in (second, first + second, second - first)]
    return np.concatenate(parts, axis=1)


def moments(
    star: ResidualStar, basis: NDArray[np.float64], floor: float, times: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Normal equations of the fit to the products of residuals, for two halves of the products.

    Returns
    -------
    normal : ndarray, shape (2, n_terms, n_terms)
    moment : ndarray, shape (2, n_terms)
    """
    weight = 1.0 / np.sqrt(star.sigma**2 + floor**2)
    q = np.linalg.qr(basis * weight[:, None])[0]
    y = star.residual * weight
    y = y - q @ (q.T @ y)
    lag = np.abs(star.mjd[:, None] - star.mjd)
    # between tabulated values, which is far quicker than Bessel functions of every lag
    lags = np.linspace(0.0, 12.0, 1200)
    tabulated = correlation(lags)
    terms = [np.diag(star.sigma**2), (lag < _NIGHT).astype(float)]
    terms += [np.interp(lag / t, lags, tabulated) / star.amplitude**2 for t in TIMES["d"]]
    kernels = [np.interp(lag / t, lags, tabulated) for t in times]
    terms += [np.outer(x, x) * kernel for x in (star.curve, star.slope, np.ones(y.size)) for kernel in kernels]
    upper = np.triu_indices(y.size)
    columns = np.empty((upper[0].size, len(terms)))
    for column, term in zip(columns.T, terms, strict=True):
        scaled = term * np.outer(weight, weight)
        left = q.T @ scaled
        column[:] = (scaled - q @ left - left.T @ q.T + q @ (left @ q) @ q.T)[upper]
    products = np.outer(y, y)[upper]
    night = np.floor(star.mjd).astype(np.int64)
    half = (night[:, None] + night)[upper] % 2
    normal, moment = [], []
    for h in (0, 1):
        own = columns[half == h]
        normal.append(own.T @ own)
        moment.append(own.T @ products[half == h])
    return np.array(normal), np.array(moment)


def best_variances(normal: NDArray, moment: NDArray, terms: list[int]) -> tuple[float, NDArray[np.float64]]:
    """Best variances of some terms, none negative, and the misfit up to a constant."""
    from scipy.optimize import nnls

    part = normal[np.ix_(terms, terms)]
    scale = 1.0 / np.sqrt(np.diag(part))
    root = np.linalg.cholesky(part * np.outer(scale, scale) + 1e-9 * np.eye(len(terms)))
    solution = nnls(root.T, np.linalg.solve(root, moment[terms] * scale))[0] * scale
    return -float(moment[terms] @ solution), solution


def jackknife_errors(normal: NDArray, moment: NDArray, terms: list[int], n_parts: int = 20) -> NDArray[np.float64]:
    """Standard errors of the variances, by leaving out stars."""
    part = np.arange(len(normal)) % min(n_parts, len(normal))
    total, sums = normal.sum(0), moment.sum(0)
    all_terms = np.ix_(terms, terms)
    values = [
        np.linalg.lstsq((total - normal[part == k].sum(0))[all_terms], (sums - moment[part == k].sum(0))[terms])[0]
        for k in range(part.max() + 1)
    ]
    n = len(values)
    return np.sqrt((n - 1) / n * np.sum((np.array(values) - np.mean(values, axis=0)) ** 2, axis=0))


def log_spread(halves: NDArray[np.float64]) -> float:
    """Standard deviation over stars of the logarithm of the rms, from two estimates of each variance, shape (n, 2)."""
    low, high = np.quantile(halves, [0.02, 0.98])
    halves = np.clip(halves, low, high)
    mean, variance = float(halves.mean()), float(np.cov(halves.T)[0, 1])
    if mean <= 0.0 or variance <= 0.0:
        return 0.0
    # of a log-normal variance; half of it for the rms
    return float(min(0.5 * np.sqrt(np.log1p(variance / mean**2)), 1.0))


def star_variances(normal: NDArray, moment: NDArray, terms: list[int]) -> NDArray[np.float64]:
    """Variances of each star, from each half of its products, shape (n, 2, n_terms); they may be negative."""
    part = normal[:, :, terms][:, :, :, terms]
    return np.array(
        [[np.linalg.lstsq(a, b, rcond=1e-9)[0] for a, b in zip(aa, bb, strict=True)]
         for aa, bb in zip(part, moment[:, :, terms], strict=True)]
    )  # fmt: skip
