"""The published representation of a light curve: two cycles, sorted by phase, scaled curve by curve.

Real and synthetic curves take the same path, :func:`published_inputs`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError

__all__ = [
    "CYCLES",
    "POINTS_PER_CYCLE",
    "PublishedInputs",
    "published_inputs",
    "scale_phase",
    "unscale_phase",
    "wrap_cycles",
]

CYCLES = 2
"""Number of periods that the decoder's time 0 to 1 spans."""
POINTS_PER_CYCLE = 300
"""Points a cycle in the published training (AJ 164, 263, section 2.2)."""
_LOW, _HIGH = 1e-4, 0.9999


def scale_phase(phase: ArrayLike) -> NDArray[np.float64]:
    """The network's time, from 1e-4 to 0.9999, of phases from 0 to 2 (two cycles).

    The same for every curve, so that equal phases are equal input.

    Examples
    --------
    >>> scale_phase([0.0, 1.0, 2.0]).round(6).tolist()
    [0.0001, 0.5, 0.9999]
    """
    return _LOW + (_HIGH - _LOW) * np.asarray(phase, dtype=float) / CYCLES


def unscale_phase(time: ArrayLike) -> NDArray[np.float64]:
    """The phases, from 0 to 2, of the network's time: the inverse of :func:`scale_phase`."""
    return (np.asarray(time, dtype=float) - _LOW) * CYCLES / (_HIGH - _LOW)


@dataclass(frozen=True, kw_only=True, eq=False)
class PublishedInputs:
    """A light curve as the published networks take it.

    Attributes
    ----------
    x : ndarray of float32, shape (2 * n_points, 3)
        Scaled phase (ascending), magnitude scaled to [0, 1] (fainter is larger), error on the same scale.
    zero : float
        Magnitude that became 0: the brightest of the points used [mag].
    scale : float
        Magnitudes per unit: the range of the points used [mag]. ``mag = zero + scale * x[:, 1]``.
    """

    x: NDArray[np.float32]
    zero: float
    scale: float


def published_inputs(
    phase: ArrayLike,
    mag: ArrayLike,
    err: ArrayLike,
    *,
    n_points: int = POINTS_PER_CYCLE,
    rng: np.random.Generator,
) -> PublishedInputs:
    """Bring a folded light curve into the published representation.

    Of more than `n_points` observations, `n_points` are chosen at random; of fewer, all are taken and some
    again. The choice is sorted by phase, repeated one cycle later, and the magnitudes are scaled to [0, 1].

    Parameters
    ----------
    phase : array_like, shape (n_obs,)
        Phases in [0, 1).
    mag, err : array_like, shape (n_obs,)
        Magnitudes and their errors [mag]; errors may be zero (noise-free curves).
    n_points : int
        Points a cycle.
    rng : numpy.random.Generator
        For the choice of the points.

    Raises
    ------
    InputError
        If shapes differ, a value is not finite, a phase lies outside [0, 1), an error is negative, or all
        magnitudes are equal.

    Examples
    --------
    >>> phase = np.arange(10) / 10
    >>> rng = np.random.default_rng(1)
    >>> published_inputs(phase, 15 + phase, 0.1 + 0 * phase, n_points=10, rng=rng).x.shape
    (20, 3)
    """
    phase, mag, err = (np.asarray(v, dtype=float) for v in (phase, mag, err))
    if phase.ndim != 1 or not phase.shape == mag.shape == err.shape or phase.size == 0:
        raise InputError(
            f"phase, mag and err must be one-dimensional, of one length and not empty; their shapes are "
            f"{phase.shape}, {mag.shape}, {err.shape}"
        )
    if not (np.isfinite(phase).all() and np.isfinite(mag).all() and np.isfinite(err).all()):
        raise InputError("phase, mag and err must be finite")
    if phase.min() < 0.0 or phase.max() >= 1.0:
        raise InputError(f"phases must lie in [0, 1), received {phase.min():g} to {phase.max():g}")
    if err.min() < 0.0:
        raise InputError(f"errors must not be negative, received {err.min():g}")
    if n_points < 1:
        raise InputError(f"n_points must be at least 1, received {n_points}")
    n = phase.size
    if n >= n_points:
        chosen = rng.choice(n, n_points, replace=False)
    else:
        chosen = np.concatenate([np.arange(n), rng.choice(n, n_points - n)])
    # the generator's choice comes in random order: without sorting, neighbours in the sequence would not be
    # neighbours in phase
    chosen = chosen[np.lexsort((chosen, phase[chosen]))]
    phase, mag, err = phase[chosen], mag[chosen], err[chosen]
    zero, scale = float(mag.min()), float(np.ptp(mag))
    if scale <= 0.0:
        raise InputError("all magnitudes are equal: a constant curve cannot be scaled to [0, 1]")
    x = np.stack(
        [
            scale_phase(np.concatenate([phase, phase + 1.0])),
            np.tile((mag - zero) / scale, CYCLES),
            np.tile(err / scale, CYCLES),
        ],
        axis=1,
    )
    return PublishedInputs(x=x.astype(np.float32), zero=zero, scale=scale)


def wrap_cycles(curves: ArrayLike, n_phase: int) -> NDArray[np.float64]:
    """One period out of two decoded cycles, continuous at the wrap.

    Parameters
    ----------
    curves : array_like, shape (n, 2 * m)
        Values at phases ``arange(2 m) / m``.
    n_phase : int
        Number of phases wanted.

    Returns
    -------
    ndarray, shape (n, n_phase)
        Values at phases ``arange(n_phase) / n_phase``. The first cycle is blended into the second with a
        weight that falls from 1 at phase 1 to 0 at phase 0, so that the wrap lies where the two cycles
        meet.
    """
    curves = np.asarray(curves, dtype=float)
    m = curves.shape[1] // CYCLES
    phase = np.arange(m) / m
    weight = phase**2 * (3.0 - 2.0 * phase)
    cycle = weight * curves[:, :m] + (1.0 - weight) * curves[:, m:]
    if n_phase == m:
        return cycle
    position = np.arange(n_phase) * (m / n_phase)
    left = np.floor(position).astype(np.int64)
    t = position - left
    # Catmull-Rom: a cubic through the two neighbours whose slopes are the central differences there
    before, here, after, beyond = (cycle[:, (left + k) % m] for k in (-1, 0, 1, 2))
    linear = 0.5 * (after - before)
    square = before - 2.5 * here + 2.0 * after - 0.5 * beyond
    cube = 0.5 * (beyond - before) + 1.5 * (here - after)
    return here + t * (linear + t * (square + t * cube))
