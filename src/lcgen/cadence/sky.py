"""Geometry on the sphere, enough to find visits near a star."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError

__all__ = ["check_position", "check_positions", "check_radius", "ra_half_width", "separation", "unit_vectors"]


def check_position(ra: object, dec: object) -> tuple[float, float]:
    """A position in degrees, right ascension in [0, 360).

    Raises
    ------
    InputError
        If it is not on the sky.
    """
    try:
        lon, lat = float(ra), float(dec)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InputError(f"ra and dec must be numbers in degrees, received {ra!r}, {dec!r}") from None
    if not (math.isfinite(lon) and -90.0 <= lat <= 90.0):
        raise InputError(f"ra must be finite and dec within [-90, 90] degrees, received {ra!r}, {dec!r}")
    return lon % 360.0, lat


def check_positions(
    ra: ArrayLike, dec: ArrayLike, why: str = "positions"
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions in degrees, shape (n,) each, right ascensions in [0, 360).

    Raises
    ------
    InputError
        If they differ in number, or one is missing or not on the sky.
    """
    try:
        lon, lat = (np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (ra, dec))
    except (TypeError, ValueError):
        raise InputError(f"{why}: ra and dec must be numbers in degrees") from None
    if lon.ndim != 1 or lon.shape != lat.shape:
        raise InputError(f"{why}: ra and dec must have one shape (n,), received {lon.shape} and {lat.shape}")
    lost = ~(np.isfinite(lon) & np.isfinite(lat))
    if lost.any():
        raise InputError(f"{why}: {int(lost.sum())} of {lon.size} stars have no ra and dec")
    bad = np.abs(lat) > 90.0
    if bad.any():
        raise InputError(f"{why}: dec must lie within [-90, 90] degrees, received {lat[bad][0]:g}")
    return np.mod(lon, 360.0), lat


def check_radius(radius: object) -> float:
    """A radius in degrees, within (0, 180].

    Raises
    ------
    InputError
        If it is not.
    """
    if isinstance(radius, bool) or not isinstance(radius, (int, float, np.number)) or not 0 < radius <= 180:
        raise InputError(f"radius must lie in (0, 180] degrees, received {radius!r}")
    return float(radius)


def unit_vectors(ra: ArrayLike, dec: ArrayLike) -> NDArray[np.float64]:
    """Directions as unit vectors, shape (n, 3), from degrees."""
    lon, lat = np.radians(np.atleast_1d(ra)), np.radians(np.atleast_1d(dec))
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def separation(ra: ArrayLike, dec: ArrayLike, ra0: float, dec0: float) -> NDArray[np.float64]:
    """Great-circle distance [deg] to (`ra0`, `dec0`), from the chord, which is accurate at small angles."""
    chord = np.linalg.norm(unit_vectors(ra, dec) - unit_vectors(ra0, dec0), axis=-1)
    return np.degrees(2.0 * np.arcsin(np.clip(0.5 * chord, 0.0, 1.0)))


def ra_half_width(dec: float, radius: float) -> float | None:
    """Half-width in right ascension [deg] of a circle; None where the circle holds a pole."""
    if abs(dec) + radius >= 90.0:
        return None
    return math.degrees(math.asin(math.sin(math.radians(radius)) / math.cos(math.radians(dec))))
