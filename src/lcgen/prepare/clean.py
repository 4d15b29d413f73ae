"""Removing what is not the star: outliers, bad errors, and curves too faint to show a shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ConfigError
from .fourier import FourierFit, fit_fourier

__all__ = ["CleanConfig", "clip_folded", "clip_mean", "fit_and_clip"]


@dataclass(frozen=True, kw_only=True)
class CleanConfig:
    """What is removed before training.

    Attributes
    ----------
    clip_sigma : float
        Threshold of the clipping, in standard deviations.
    clip_rounds : int
        Rounds of clipping.
    clip_about : str
        ``"curve"``: clip about the folded curve, which spares narrow eclipses. ``"mean"``: about the mean
        magnitude, as published (Martinez-Palomera et al. 2022, AJ 164, 263, section 2.1).
    snr_min : float
        Smallest amplitude over mean error of a curve that is kept.
    min_observations : int
        Smallest number of observations of a curve that is kept, after clipping.
    """

    clip_sigma: float = 3.0
    clip_rounds: int = 3
    clip_about: str = "curve"
    snr_min: float = 5.0
    min_observations: int = 30

    def __post_init__(self) -> None:
        if self.clip_about not in ("curve", "mean"):
            raise ConfigError(f"clean: clip_about must be 'curve' or 'mean', received {self.clip_about!r}")
        if not self.clip_sigma > 0.0:
            raise ConfigError(f"clean: clip_sigma must be positive, received {self.clip_sigma}")
        if not self.snr_min >= 0.0:
            raise ConfigError(f"clean: snr_min must not be negative, received {self.snr_min}")
        for name, low in (("clip_rounds", 0), ("min_observations", 1)):
            if getattr(self, name) < low:
                raise ConfigError(f"clean: {name} must be at least {low}, received {getattr(self, name)}")


def _good_errors(mag: NDArray, err: NDArray, keep: NDArray, sigma: float, width: int = 11) -> NDArray[np.bool_]:
    # Errors are skewed and grow where the star is faint. One goes only if it is large both among all of the star and
    # among those of observations as faint, or else the bottoms of deep eclipses go; never one within half the median.
    rows = np.flatnonzero(keep)
    rows = rows[np.argsort(mag[rows], kind="stable")]
    ordered = err[rows]
    middle = float(np.median(ordered))
    spread = sigma * 1.4826 * float(np.median(np.abs(ordered - middle)))
    medians = np.median(np.lib.stride_tricks.sliding_window_view(ordered, min(width, rows.size)), axis=1)
    at = np.clip(np.arange(rows.size) - width // 2, 0, medians.size - 1)
    good = np.zeros(mag.size, dtype=bool)
    good[rows] = (ordered <= middle + max(spread, 0.5 * middle)) | (
        ordered <= medians[at] + np.maximum(spread, 0.5 * medians[at])
    )
    return good


def clip_mean(mag: ArrayLike, mag_err: ArrayLike, *, sigma: float = 3.0, rounds: int = 3) -> NDArray[np.bool_]:
    """Rounds of sigma clipping of magnitudes and errors about their means, as published.

    Returns
    -------
    ndarray of bool, shape (n_obs,)
        True for observations that are kept.
    """
    mag, err = np.asarray(mag, dtype=float), np.asarray(mag_err, dtype=float)
    keep = np.ones(mag.size, dtype=bool)
    for _ in range(rounds):
        before = keep
        for values in (mag, err):
            centre, spread = values[keep].mean(), values[keep].std()
            keep = keep & (np.abs(values - centre) <= sigma * max(spread, 1e-12))
        if np.array_equal(before, keep):
            break
    return keep


def _running_median(phase: NDArray, mag: NDArray, keep: NDArray, width: int = 5) -> NDArray[np.float64]:
    order = np.argsort(phase[keep], kind="stable")
    sorted_mag = mag[keep][order]
    half = width // 2
    wrapped = np.concatenate([sorted_mag[-half:], sorted_mag, sorted_mag[:half]])
    medians = np.median(np.lib.stride_tricks.sliding_window_view(wrapped, width), axis=1)
    out = np.full(mag.size, np.nan)
    out[np.flatnonzero(keep)[order]] = medians
    return out


def clip_folded(
    phase: ArrayLike,
    mag: ArrayLike,
    mag_err: ArrayLike,
    fit: FourierFit,
    *,
    keep: NDArray[np.bool_] | None = None,
    sigma: float = 3.0,
) -> NDArray[np.bool_]:
    """One round of sigma clipping about a folded curve.

    An observation goes only if it is off both the Fourier series and the median of its neighbours in phase: a narrow
    eclipse, which the series smooths, is off the first but not the second.

    Returns
    -------
    ndarray of bool, shape (n_obs,)
        True for observations that are kept.
    """
    phase, mag, err = (np.asarray(x, dtype=float) for x in (phase, mag, mag_err))
    keep = np.ones(mag.size, dtype=bool) if keep is None else keep
    if keep.sum() < 8:
        return keep
    keep = keep & _good_errors(mag, err, keep, sigma)
    scale = np.maximum(fit.scatter_ratio * err, 1e-4)
    off_series = np.abs(mag - fit(phase)) > sigma * scale
    neighbours = _running_median(phase, mag, keep)
    off_neighbours = np.abs(mag - neighbours) > sigma * scale
    return keep & ~(off_series & off_neighbours)


def fit_and_clip(
    phase: ArrayLike,
    mag: ArrayLike,
    mag_err: ArrayLike,
    *,
    config: CleanConfig,
    n_harmonics: int,
    base_harmonic: int,
) -> tuple[FourierFit | None, NDArray[np.bool_]]:
    """Clip a folded curve and fit it.

    Returns
    -------
    fit : FourierFit or None
        None where fewer than ``config.min_observations`` are left.
    keep : ndarray of bool, shape (n_obs,)
    """
    phase, mag, err = (np.asarray(x, dtype=float) for x in (phase, mag, mag_err))
    keep = np.isfinite(mag) & np.isfinite(err) & (err > 0) & np.isfinite(phase)
    enough = max(config.min_observations, 8)
    if keep.sum() < enough:
        return None, keep
    if config.clip_about == "mean":
        inside = np.flatnonzero(keep)
        kept = clip_mean(mag[keep], err[keep], sigma=config.clip_sigma, rounds=config.clip_rounds)
        keep = np.zeros_like(keep)
        keep[inside[kept]] = True
    fit = None
    for round_ in range(config.clip_rounds + 1):
        if keep.sum() < enough:
            return None, keep
        fit = fit_fourier(phase[keep], mag[keep], err[keep], n_harmonics=n_harmonics, base_harmonic=base_harmonic)
        if config.clip_about == "mean" or round_ == config.clip_rounds:
            break
        now = clip_folded(phase, mag, err, fit, keep=keep, sigma=config.clip_sigma)
        if np.array_equal(now, keep):
            break
        keep = now
    return fit, keep
