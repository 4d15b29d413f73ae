"""Is a generated curve new, or a copy of a training star?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FALSE_ALARM", "Memorisation", "memorisation", "nearest_two"]

FALSE_ALARM = 0.05
"""Share of unseen real stars that pass for copies."""

_N_POINTS = 64


@dataclass(frozen=True, kw_only=True)
class Memorisation:
    """How near generated curves lie to training curves.

    Attributes
    ----------
    copy_rate : float
        Share of the curves whose nearest training curve is `threshold` times nearer than the second nearest.
    threshold : float
        The ratio that one in twenty unseen real stars falls below.
    nearest_ratio : float
        Median distance to the nearest training curve, over that of unseen real stars.
    n : int
    """

    copy_rate: float
    threshold: float
    nearest_ratio: float
    n: int


def _normalised(curves: NDArray[np.floating]) -> NDArray[np.float64]:
    step = curves.shape[1] // _N_POINTS
    shape = np.asarray(curves, dtype=float)[:, ::step]
    shape = shape - shape.mean(axis=1, keepdims=True)
    return shape / np.maximum(shape.std(axis=1, keepdims=True), 1e-12)


def nearest_two(curves: NDArray[np.floating], training: NDArray[np.floating]) -> NDArray[np.float64]:
    """Distances to the two nearest training curves, all taken to zero mean and unit variance: shape (n, 2)."""
    from scipy.spatial import KDTree

    distance, _ = KDTree(_normalised(training)).query(_normalised(curves), k=2)
    return np.asarray(distance)


def memorisation(
    curves: NDArray[np.floating], training: NDArray[np.floating], reference: NDArray[np.floating]
) -> Memorisation:
    """Copy rate and nearest-neighbour ratio of noise-free curves.

    Parameters
    ----------
    curves : ndarray, shape (n, n_phase)
        Noise-free curves, aligned.
    training : ndarray, shape (m, n_phase')
        Denoised curves of training stars of the same class, survey and band, one a star.
    reference : ndarray, shape (k, n_phase)
        Denoised curves of unseen real stars.

    Notes
    -----
    A copy has distance zero to its original, whatever lies around it, so that the ratio of the two nearest distances
    is zero. The ratio has no scale: it neither rewards curves that are far from all stars nor punishes those in
    crowded parts, nor smooth curves where training curves are noisy, as the distance alone would (a sine is nearer to
    noisy ellipsoidal variables than they are to each other). How small is small depends on the number of dimensions
    that curves spread over, so that unseen real stars set the threshold: 0.05 of them fall below it.
    """
    own, real = nearest_two(curves, training), nearest_two(reference, training)
    threshold = float(np.quantile(real[:, 0] / np.maximum(real[:, 1], 1e-12), FALSE_ALARM))
    return Memorisation(
        copy_rate=float(np.mean(own[:, 0] <= threshold * own[:, 1])),
        threshold=threshold,
        nearest_ratio=float(np.median(own[:, 0]) / max(float(np.median(real[:, 0])), 1e-12)),
        n=int(own.shape[0]),
    )
