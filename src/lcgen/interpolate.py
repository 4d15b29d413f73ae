"""Evaluation of gridded periodic curves at any time, without torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "PADDING",
    "evaluate_padded",
    "evaluate_periodic",
    "pad_periodic",
    "peak_to_peak_periodic",
    "resample_periodic",
]

PADDING = 4
"""Points that :func:`pad_periodic` adds to a curve: one before, three after."""


def evaluate_periodic(
    grid: NDArray[np.floating], row: NDArray[np.integer], phase: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Values of gridded periodic curves at given phases.

    The cubic convolution of Keys (1981, doi:10.1109/TASSP.1981.1163711): continuous in value and slope all the way
    round, and the same function that the decoder is trained through.

    Parameters
    ----------
    grid : ndarray, shape (n, n_grid)
        Curves at phases ``arange(n_grid) / n_grid``.
    row : ndarray of int, shape (n_obs,)
        Curve of each observation.
    phase : ndarray, shape (n_obs,)
        Phases in [0, 1).

    Returns
    -------
    ndarray, shape (n_obs,)
    """
    n_grid = grid.shape[1]
    position = phase * n_grid
    index = position.astype(np.int64)
    t = position - index
    flat = np.ascontiguousarray(grid).reshape(-1)
    base = row * n_grid
    # phases in [0, 1) keep index in [0, n_grid); only the neighbours can wrap
    at0 = flat[base + (index - 1) % n_grid].astype(np.float64)
    at1 = flat[base + index % n_grid].astype(np.float64)
    at2 = flat[base + (index + 1) % n_grid].astype(np.float64)
    at3 = flat[base + (index + 2) % n_grid].astype(np.float64)
    a = 0.5 * (3.0 * (at1 - at2) + at3 - at0)
    b = at0 - 2.5 * at1 + 2.0 * at2 - 0.5 * at3
    c = 0.5 * (at2 - at0)
    return ((a * t + b) * t + c) * t + at1


def pad_periodic(grid: NDArray[np.floating]) -> NDArray[np.float64]:
    """Curves with the neighbours of the first and last point appended, for :func:`evaluate_padded`.

    Parameters
    ----------
    grid : ndarray, shape (n, n_grid)
        Curves at phases ``arange(n_grid) / n_grid``.

    Returns
    -------
    ndarray, shape (n, n_grid + PADDING)
        C-contiguous.
    """
    # the third point after is read where a phase just below 1 rounds up to the end of the grid
    around = np.arange(-1, grid.shape[1] + PADDING - 1) % grid.shape[1]
    return grid.astype(np.float64, copy=False).take(around, axis=1)


def evaluate_padded(
    padded: NDArray[np.float64], row: NDArray[np.integer], phase: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The same values as :func:`evaluate_periodic`, faster, of curves from :func:`pad_periodic`.

    Parameters
    ----------
    padded : ndarray, shape (..., n_grid + PADDING)
        C-contiguous.
    row : ndarray of int, shape (n_obs,)
        Curve of each observation, counted over all axes but the last.
    phase : ndarray, shape (n_obs,)
        Phases in [0, 1).

    Returns
    -------
    ndarray, shape (n_obs,)
    """
    width, flat = padded.shape[-1], padded.reshape(-1)
    t = phase * (width - PADDING)
    index = t.astype(np.int64)
    t -= index
    index += np.multiply(row, width, dtype=np.int64)
    at = []
    for _ in range(4):
        at.append(flat.take(index))
        index += 1
    at0, at1, at2, at3 = at
    a = 0.5 * (3.0 * (at1 - at2) + at3 - at0)
    b = at0 - 2.5 * at1 + 2.0 * at2 - 0.5 * at3
    c = 0.5 * (at2 - at0)
    return ((a * t + b) * t + c) * t + at1


def resample_periodic(grid: NDArray[np.floating], n_phase: int) -> NDArray[np.float64]:
    """The curves at phases ``arange(n_phase) / n_phase``, shape (n, n_phase)."""
    n = grid.shape[0]
    phase = np.arange(n_phase) / n_phase
    values = evaluate_periodic(grid, np.repeat(np.arange(n), n_phase), np.tile(phase, n))
    return values.reshape(n, n_phase)


def peak_to_peak_periodic(grid: NDArray[np.floating]) -> NDArray[np.float64]:
    """Largest minus smallest value of gridded periodic curves, between the points of the grid as well.

    Parameters
    ----------
    grid : ndarray, shape (n, n_grid)
        Curves at phases ``arange(n_grid) / n_grid``, as for :func:`evaluate_periodic`.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> float(peak_to_peak_periodic(np.array([[1.0, 1.0, -1.0, -1.0]]))[0])
    2.5
    """
    at1 = np.asarray(grid, dtype=np.float64)
    at0, at2, at3 = (np.roll(at1, k, axis=1) for k in (1, -1, -2))
    a = 0.5 * (3.0 * (at1 - at2) + at3 - at0)
    b = at0 - 2.5 * at1 + 2.0 * at2 - 0.5 * at3
    c = 0.5 * (at2 - at0)
    # where 3 a t^2 + 2 b t + c = 0, without the cancellation of the schoolbook formula
    with np.errstate(divide="ignore", invalid="ignore"):
        q = -(b + np.copysign(np.sqrt(b * b - 3.0 * a * c), b))
        turns = np.stack([q / (3.0 * a), c / q])
    t = np.where((turns > 0.0) & (turns < 1.0), turns, 0.0)
    values = ((a * t + b) * t + c) * t + at1
    return values.max(axis=(0, 2)) - values.min(axis=(0, 2))
