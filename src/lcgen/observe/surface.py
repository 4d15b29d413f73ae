"""Magnitudes of stellar surfaces in several bands at once: where in the table of model atmospheres a star lies is
worked out once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .atmosphere_table import atmosphere_table, corners, hermite

__all__ = ["surface_magnitudes"]

_Array = NDArray[np.float64]


def surface_magnitudes(bands: Sequence[str], teff: ArrayLike, logg: ArrayLike, fe_h: ArrayLike) -> _Array:
    """The numbers of :func:`lcgen.observe.surface_magnitude`, band after band.

    Parameters
    ----------
    bands : sequence of str
    teff : array_like
        Effective temperature [K], positive and finite.
    logg, fe_h : array_like
        Surface gravity [dex cgs] and metallicity [dex], finite; they broadcast against `teff`, which has the shape of
        all three together.

    Returns
    -------
    ndarray, shape (n_bands, ...)
        Absolute magnitudes of stars of one solar radius [mag].

    Raises
    ------
    UnknownNameError
        For a band that the table does not have.

    Examples
    --------
    >>> from lcgen.observe.atmosphere import surface_magnitude
    >>> many = surface_magnitudes(["V", "I"], [6000.0, 7000.0], 4.0, -1.0)
    >>> bool((many[1] == surface_magnitude("I", [6000.0, 7000.0], 4.0, -1.0)).all())
    True
    """
    table = atmosphere_table()
    value, slope = _nodes(tuple(bands))
    x = np.clip(np.log10(np.asarray(teff, dtype=float)), table.log_teff[0], table.log_teff[-1])
    cell, basis = hermite(table.log_teff, x)
    out = np.zeros((len(bands), *x.shape))
    for weight, j, k in corners(table, np.asarray(logg, dtype=float), np.asarray(fe_h, dtype=float)):
        at = (j * len(table.fe_h) + k) * len(table.log_teff) + cell
        for side in (0, 1):
            part = basis[side] * value.take(at + side, axis=1)
            part += basis[2 + side] * slope.take(at + side, axis=1)
            part *= weight
            out += part
    return out


@lru_cache(maxsize=64)
def _nodes(bands: tuple[str, ...]) -> tuple[_Array, _Array]:
    """Values and slopes of some bands, shape (n_bands, n_nodes)."""
    table = atmosphere_table()
    rows = [table.row(b) for b in bands]
    return table.value[rows].reshape(len(rows), -1), table.slope[rows].reshape(len(rows), -1)
