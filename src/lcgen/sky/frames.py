"""Directions and positions in the frames that densities need: ICRS, Galactic, Galactocentric.

The transformations are astropy's, reduced once to a rotation and a shift, so that arrays go through them quickly and
the last bit of a star's position does not depend on how many others are transformed with it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["SUN_DISTANCE", "SUN_HEIGHT", "angles_of", "galactic", "galactocentric", "icrs", "rotate", "unit_vectors"]

_Array = NDArray[np.float64]

SUN_DISTANCE = 8.122
"""Distance of the Galactic centre [kpc]: GRAVITY Collaboration 2018, A&A 615, L15."""
SUN_HEIGHT = 0.0208
"""Height of the Sun above the Galactic plane [kpc]: Bennett & Bovy 2019, MNRAS 482, 1417."""


def unit_vectors(lon: ArrayLike, lat: ArrayLike) -> tuple[_Array, _Array, _Array]:
    """Directions as the components of unit vectors, from degrees."""
    lon, lat = np.radians(lon), np.radians(lat)
    return np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)


def angles_of(x: _Array, y: _Array, z: _Array) -> tuple[_Array, _Array]:
    """Longitude in [0, 360) and latitude [deg] of vectors of any length."""
    lon = np.degrees(np.arctan2(y, x)) % 360.0
    return np.where(lon < 360.0, lon, 0.0), np.degrees(np.arctan2(z, np.hypot(x, y)))


def rotate(matrix: _Array, vectors: tuple[_Array, _Array, _Array]) -> tuple[_Array, _Array, _Array]:
    """A matrix applied to the components of vectors, term by term (a matrix product may round by batch)."""
    x, y, z = vectors
    first, second, third = (m[0] * x + m[1] * y + m[2] * z for m in matrix)
    return first, second, third


@lru_cache(maxsize=1)
def _to_galactic() -> _Array:
    from astropy.coordinates import ICRS, CartesianRepresentation, Galactic

    axes: Any = ICRS(CartesianRepresentation(np.eye(3)))
    return np.asarray(axes.transform_to(Galactic()).cartesian.xyz.value)


@lru_cache(maxsize=1)
def _to_galactocentric() -> tuple[_Array, _Array]:
    from astropy import units as u
    from astropy.coordinates import ICRS, CartesianRepresentation, Galactocentric

    frame = Galactocentric(galcen_distance=SUN_DISTANCE * u.kpc, z_sun=SUN_HEIGHT * u.kpc)
    points = np.concatenate([np.zeros((3, 1)), np.eye(3)], axis=1)
    places: Any = ICRS(CartesianRepresentation(points * u.kpc))
    moved = places.transform_to(frame).cartesian.xyz.to_value(u.kpc)
    return moved[:, 1:] - moved[:, :1], moved[:, 0]


def galactic(ra: ArrayLike, dec: ArrayLike) -> tuple[_Array, _Array]:
    """Galactic longitude and latitude [deg] of ICRS positions [deg]."""
    return angles_of(*rotate(_to_galactic(), unit_vectors(ra, dec)))


def icrs(lon: ArrayLike, lat: ArrayLike) -> tuple[_Array, _Array]:
    """Right ascension and declination [deg] of Galactic positions [deg]."""
    return angles_of(*rotate(_to_galactic().T, unit_vectors(lon, lat)))


def galactocentric(ra: ArrayLike, dec: ArrayLike, distance: ArrayLike) -> tuple[_Array, _Array, _Array]:
    """Galactocentric Cartesian coordinates [kpc] of ICRS positions [deg] and heliocentric distances [kpc].

    As astropy's ``Galactocentric``: x from the Sun to the centre, y along the rotation, z to the north; the Sun is at
    (-8.122, 0, 0.0208).

    Examples
    --------
    >>> x, y, z = galactocentric(266.405, -28.936, 8.122)
    >>> bool(abs(x) < 0.01 and abs(y) < 0.01 and abs(z) < 0.01)
    True
    """
    matrix, shift = _to_galactocentric()
    x, y, z = rotate(matrix, unit_vectors(ra, dec))
    distance = np.asarray(distance, dtype=float)
    return x * distance + shift[0], y * distance + shift[1], z * distance + shift[2]


def icrs_offsets(x: _Array, y: _Array, z: _Array) -> tuple[_Array, _Array, _Array]:
    """Galactocentric coordinates [kpc] as vectors from the Sun along the axes of the ICRS [kpc]."""
    matrix, shift = _to_galactocentric()
    return rotate(matrix.T, (x - shift[0], y - shift[1], z - shift[2]))
