"""Shapes of pulsating stars' curves in numbers: amplitude, Fourier parameters, rise time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..evaluate.fits import evaluate_series
from ..lightcurve import LightCurves
from ..prepare.fourier import fit_fourier

__all__ = ["QUANTITIES", "ShapeTable", "circular_median", "gridded_shapes", "observed_shapes", "shape_rows"]

_Array = NDArray[np.float64]
_GRID = np.arange(512) / 512.0
_N_HARMONICS = 8
_MIN_OBSERVATIONS = 30
_TURN = 2.0 * np.pi

QUANTITIES: dict[str, str] = {
    "amplitude": "amplitude [mag]",
    "r21": "$R_{21}$",
    "phi21": r"$\phi_{21}$ [rad]",
    "phi31": r"$\phi_{31}$ [rad]",
    "rise": "rise time [period]",
}
"""What is measured on a curve, and how axes are labelled."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ShapeTable:
    """Shapes of curves; arrays of shape (n_stars,).

    Attributes
    ----------
    period : ndarray
        [d]
    amplitude : ndarray
        Peak to peak [mag].
    r21, phi21, phi31 : ndarray
        With ``mag = sum_k A_k cos(2 pi k phase + phi_k)``: ``A_2 / A_1`` and ``phi_k - k phi_1`` in [0, 2 pi) (Simon &
        Lee 1981, ApJ 248, 291, for the cosine series that OGLE uses).
    rise : ndarray
        Phase from minimum to maximum light.
    """

    period: _Array
    amplitude: _Array
    r21: _Array
    phi21: _Array
    phi31: _Array
    rise: _Array

    def __len__(self) -> int:
        return int(self.period.size)

    def column(self, name: str) -> _Array:
        """One of :data:`QUANTITIES`, or the period."""
        return np.asarray(getattr(self, name))


def gridded_shapes(curves: ArrayLike, period: ArrayLike) -> ShapeTable:
    """Shapes of noise-free curves.

    Parameters
    ----------
    curves : array_like, shape (n_stars, n_phase)
        Magnitudes at phases ``arange(n_phase) / n_phase``.
    period : array_like, shape (n_stars,)
        [d]

    Raises
    ------
    InputError
        If there are fewer than 8 phases, or as many periods as curves are not given.

    Examples
    --------
    A curve that brightens for a quarter of its period:

    >>> phase = np.arange(64) / 64
    >>> saw = np.where(phase < 0.75, phase / 0.75, (1 - phase) / 0.25)
    >>> float(gridded_shapes(saw[None], [0.5]).rise[0])
    0.25
    """
    grid, days = np.atleast_2d(np.asarray(curves, dtype=float)), np.asarray(period, dtype=float)
    if grid.shape[1] < 8 or days.shape != grid.shape[:1]:
        raise InputError(
            f"shapes need at least 8 phases and one period a curve, received shapes {grid.shape} and {days.shape}"
        )
    return _measured(np.fft.rfft(grid, axis=1)[:, 1:4] * 2.0 / grid.shape[1], grid, days)


def observed_shapes(curves: LightCurves, *, max_error: float = 0.04) -> ShapeTable:
    """Shapes of real stars, from a regularised Fourier series of each.

    Parameters
    ----------
    curves : LightCurves
        With the column ``period``; one band.
    max_error : float
        Stars whose first Fourier amplitude has a larger relative error than this are left out.

    Returns
    -------
    ShapeTable
    """
    series, days = [], []
    period = np.asarray(curves.columns["period"], dtype=float)
    for k in range(len(curves)):
        a, b = int(curves.offsets[k]), int(curves.offsets[k + 1])
        if b - a < _MIN_OBSERVATIONS or not period[k] > 0:
            continue
        fit = fit_fourier(
            curves.mjd[a:b] / period[k] % 1.0, curves.mag[a:b], curves.mag_err[a:b], n_harmonics=_N_HARMONICS
        )
        first = float(np.hypot(*fit.coefficients[0]))
        if fit.scatter * np.sqrt(2.0 / (b - a)) > max_error * first:
            continue
        padded = np.zeros((_N_HARMONICS, 2))
        padded[: fit.coefficients.shape[0]] = fit.coefficients
        series.append(padded)
        days.append(period[k])
    coefficients = np.array(series).reshape(-1, _N_HARMONICS, 2)
    terms = coefficients[:, :3, 0] - 1j * coefficients[:, :3, 1]
    return _measured(terms, evaluate_series(coefficients, _GRID), np.array(days))


def _measured(terms: NDArray[np.complex128], grid: _Array, period: _Array) -> ShapeTable:
    """From the terms ``A_k exp(i phi_k)`` of the first three harmonics and the curves."""
    first = np.maximum(np.abs(terms[:, 0]), 1e-12)
    angle = np.angle(terms)
    n = grid.shape[1]
    return ShapeTable(
        period=period,
        amplitude=np.ptp(grid, axis=1),
        r21=np.abs(terms[:, 1]) / first,
        phi21=(angle[:, 1] - 2.0 * angle[:, 0]) % _TURN,
        phi31=(angle[:, 2] - 3.0 * angle[:, 0]) % _TURN,
        rise=((grid.argmin(axis=1) - grid.argmax(axis=1)) % n) / n,
    )


def circular_median(angles: ArrayLike) -> float:
    """Median of angles in [0, 2 pi) about their mean direction.

    Examples
    --------
    >>> round(circular_median([0.1, 6.2, 0.2]), 2)
    0.1
    """
    values = np.asarray(angles, dtype=float)
    centre = float(np.angle(np.exp(1j * values).mean()))
    return float((centre + np.median((values - centre + np.pi) % _TURN - np.pi)) % _TURN)


def shape_rows(
    label: str, band: str, generated: ShapeTable, real: ShapeTable | None, edges: ArrayLike
) -> list[dict[str, object]]:
    """Medians in bins of period, generated beside real.

    Parameters
    ----------
    label, band : str
        What the rows are called.
    generated : ShapeTable
    real : ShapeTable or None
    edges : array_like
        Of the bins [d].

    Returns
    -------
    list of dict
        Columns of :data:`QUANTITIES` as ``<name>`` and ``<name>_real``, NaN where fewer than ten stars are in the bin.
    """
    rows: list[dict[str, object]] = []
    limits = np.asarray(edges, dtype=float)
    for low, high in pairwise(limits):
        row: dict[str, object] = {"kind": label, "band": band, "period_low": low, "period_high": high}
        for suffix, table in (("", generated), ("_real", real)):
            inside = np.zeros(0, dtype=bool) if table is None else (table.period >= low) & (table.period < high)
            row[f"n{suffix}"] = int(inside.sum())
            for name in QUANTITIES:
                values = np.zeros(0) if table is None else table.column(name)[inside]
                row[f"{name}{suffix}"] = _median(name, values) if values.size >= 10 else np.nan
        rows.append(row)
    return rows


def _median(name: str, values: _Array) -> float:
    return circular_median(values) if name.startswith("phi") else float(np.median(values))
