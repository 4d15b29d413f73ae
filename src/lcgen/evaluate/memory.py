"""Is a generated curve new, or a copy of a training star?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["COPY_RATIO", "Memorisation", "memorisation", "nearest_two"]

COPY_RATIO = 0.5
"""A curve counts as a copy if its nearest training curve is this many times nearer than the second nearest."""

_N_POINTS = 64


@dataclass(frozen=True, kw_only=True)
class Memorisation:
    """How near generated curves lie to training curves.

    Attributes
    ----------
    copy_rate : float
        Share of the curves whose nearest training curve is nearer than half the distance of the second nearest.
    nearest_ratio : float
        Median distance to the nearest training curve, over that of unseen real stars.
    n : int
    """

    copy_rate: float
    nearest_ratio: float
    n: int


def _normalised(curves: NDArray[np.floating]) -> NDArray[np.float64]:
    step = curves.shape[1] // _N_POINTS
    shape = np.asarray(curves, dtype=float)[:, ::step]
    shape = shape - shape.mean(axis=1, keepdims=True)
    return shape / np.maximum(shape.std(axis=1, keepdims=True), 1e-12)


def nearest_two(curves: NDArray[np.floating], training: NDArray[np.floating]) -> NDArray[np.float64]:
    """Distances to the two nearest training curves, both taken to zero mean and unit variance: shape (n, 2)."""
    from scipy.spatial import cKDTree

    tree = cKDTree(_normalised(training))
    distance, _ = tree.query(_normalised(curves), k=2)
    return np.asarray(distance)


def memorisation(
    curves: NDArray[np.floating], training: NDArray[np.floating], reference: NDArray[np.floating]
) -> Memorisation:
    """Copy rate and nearest-neighbour ratio of noise-free curves.

    Parameters
    ----------
    curves : ndarray, shape (n, n_phase)
        Noise-free generated curves, aligned.
    training : ndarray, shape (m, n_phase')
        Denoised curves of training stars of the same class, survey and band, one a star.
    reference : ndarray, shape (k, n_phase)
        Denoised curves of unseen real stars.

    Notes
    -----
    A copy has distance zero to its original whatever lies around it: the ratio of the two nearest distances is scale
    free, so that it neither rewards curves that are far from all stars nor punishes those in crowded parts. Points
    drawn anew in D dimensions fall below a ratio of 0.5 in about 0.5^D of all cases, which is what unseen stars show:
    quote theirs beside.
    """
    own, real = nearest_two(curves, training), nearest_two(reference, training)
    return Memorisation(
        copy_rate=float(np.mean(own[:, 0] < COPY_RATIO * own[:, 1])),
        nearest_ratio=float(np.median(own[:, 0]) / max(float(np.median(real[:, 0])), 1e-12)),
        n=int(own.shape[0]),
    )
