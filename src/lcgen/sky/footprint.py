"""Footprints: the part of the sky that a survey covers."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..cadence.sky import check_position, check_radius, separation
from ..errors import CadenceError, InputError, MissingExtraError
from .frames import unit_vectors
from .grid import RowGrid

__all__ = ["Circle", "DecBand", "Footprint", "HealpixMask", "Polygon", "VisitFootprint", "WholeSky", "from_schedule"]

_Mask = NDArray[np.bool_]
WHOLE_SKY_AREA = 4.0 * math.pi * (180.0 / math.pi) ** 2


@runtime_checkable
class Footprint(Protocol):
    """What lcgen asks of a footprint; an object with these members will do. It must be hashable."""

    @property
    def area(self) -> float:
        """Area [deg2]."""
        ...

    @property
    def cap(self) -> tuple[float, float, float]:
        """Centre (ra, dec) and radius [deg] of a circle that holds it all."""
        ...

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> _Mask:
        """Which positions [deg, ICRS] are inside."""
        ...


def _numbers(ra: ArrayLike, dec: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    lon, lat = np.broadcast_arrays(np.asarray(ra, dtype=float), np.asarray(dec, dtype=float))
    if not (np.isfinite(lon).all() and (np.abs(lat) <= 90.0).all()):
        raise InputError("ra must be finite and dec within [-90, 90] degrees")
    return lon, lat


@dataclass(frozen=True, kw_only=True)
class WholeSky:
    """The whole sky.

    Examples
    --------
    >>> round(WholeSky().area)
    41253
    """

    area: float = field(default=WHOLE_SKY_AREA, init=False)
    cap: tuple[float, float, float] = field(default=(0.0, 0.0, 180.0), init=False)

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> _Mask:
        """True everywhere."""
        return np.ones(_numbers(ra, dec)[0].shape, dtype=bool)


@dataclass(frozen=True, kw_only=True)
class Circle:
    """A circle on the sky.

    Attributes
    ----------
    ra, dec : float
        Centre [deg, ICRS].
    radius : float
        Radius [deg], within (0, 180].

    Examples
    --------
    >>> field = Circle(ra=53.13, dec=-28.10, radius=1.75)
    >>> round(field.area, 2), bool(field.contains(54.0, -28.0))
    (9.62, True)
    """

    ra: float
    dec: float
    radius: float

    def __post_init__(self) -> None:
        ra, dec = check_position(self.ra, self.dec)
        for name, value in (("ra", ra), ("dec", dec), ("radius", check_radius(self.radius))):
            object.__setattr__(self, name, value)

    @property
    def area(self) -> float:
        """Area [deg2]."""
        return WHOLE_SKY_AREA * math.sin(math.radians(0.5 * self.radius)) ** 2

    @property
    def cap(self) -> tuple[float, float, float]:
        """The circle itself."""
        return self.ra, self.dec, self.radius

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> _Mask:
        """Which positions are inside."""
        lon, lat = _numbers(ra, dec)
        return (separation(lon.ravel(), lat.ravel(), self.ra, self.dec) <= self.radius).reshape(lon.shape)


@dataclass(frozen=True, kw_only=True)
class DecBand:
    """All right ascensions between two declinations.

    Attributes
    ----------
    dec_min, dec_max : float
        Limits [deg]. The defaults are about those of Rubin's wide survey.

    Examples
    --------
    >>> round(DecBand().area)
    23671
    """

    dec_min: float = -70.0
    dec_max: float = 12.0

    def __post_init__(self) -> None:
        if not -90.0 <= self.dec_min < self.dec_max <= 90.0:
            raise InputError(f"a band needs -90 <= dec_min < dec_max <= 90, received {self.dec_min}, {self.dec_max}")

    @property
    def area(self) -> float:
        """Area [deg2]."""
        sines = math.sin(math.radians(self.dec_max)) - math.sin(math.radians(self.dec_min))
        return 0.5 * WHOLE_SKY_AREA * sines

    @property
    def cap(self) -> tuple[float, float, float]:
        """A circle about the nearer pole."""
        if self.dec_min + self.dec_max < 0:
            return 0.0, -90.0, 90.0 + self.dec_max
        return 0.0, 90.0, 90.0 - self.dec_min

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> _Mask:
        """Which positions are inside."""
        lat = _numbers(ra, dec)[1]
        return (lat >= self.dec_min) & (lat <= self.dec_max)


@dataclass(frozen=True, kw_only=True)
class Polygon:
    """A convex polygon whose sides are great circles, within a hemisphere.

    Attributes
    ----------
    ra, dec : tuple of float
        Corners [deg, ICRS], three or more, in either sense.

    Examples
    --------
    >>> octant = Polygon(ra=(0.0, 90.0, 0.0), dec=(0.0, 0.0, 90.0))
    >>> round(octant.area / WholeSky().area, 6)
    0.125
    """

    ra: tuple[float, ...]
    dec: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.ra) != len(self.dec) or len(self.ra) < 3:
            raise InputError(f"a polygon needs three or more corners, received {len(self.ra)} ra, {len(self.dec)} dec")
        corners = [check_position(a, d) for a, d in zip(self.ra, self.dec, strict=True)]
        object.__setattr__(self, "ra", tuple(c[0] for c in corners))
        object.__setattr__(self, "dec", tuple(c[1] for c in corners))
        inside = self._sides @ self._corners.T
        if not (np.abs(inside).max() > 1e-9 and (inside > -1e-9).all()):
            raise InputError("the corners must go round a convex polygon, in order, within a hemisphere")

    @cached_property
    def _corners(self) -> NDArray[np.float64]:
        return np.stack(unit_vectors(self.ra, self.dec), axis=1)

    @cached_property
    def _sides(self) -> NDArray[np.float64]:
        """Normals of the sides, pointing inwards."""
        normals = np.cross(self._corners, np.roll(self._corners, -1, axis=0))
        return normals * np.sign((normals @ self._corners.mean(axis=0)).sum())

    @property
    def area(self) -> float:
        """Area [deg2], from the sum of the angles."""
        normals = self._sides / np.linalg.norm(self._sides, axis=1, keepdims=True)
        turns = np.arccos(np.clip((normals * np.roll(normals, 1, axis=0)).sum(axis=1), -1.0, 1.0))
        return float(2.0 * math.pi - turns.sum()) * (180.0 / math.pi) ** 2

    @property
    def cap(self) -> tuple[float, float, float]:
        """A circle through the farthest corner."""
        x, y, z = self._corners.mean(axis=0)
        ra, dec = math.degrees(math.atan2(y, x)) % 360.0, math.degrees(math.atan2(z, math.hypot(x, y)))
        return ra, dec, float(separation(self.ra, self.dec, ra, dec).max()) + 1e-6

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> _Mask:
        """Which positions are inside."""
        lon, lat = _numbers(ra, dec)
        x, y, z = unit_vectors(lon, lat)
        inside = np.ones(lon.shape, dtype=bool)
        for side in self._sides:
            inside &= side[0] * x + side[1] * y + side[2] * z >= 0.0
        return inside


@dataclass(frozen=True, kw_only=True, eq=False)
class HealpixMask:
    """Pixels of a HEALPix map; needs the package astropy-healpix.

    Attributes
    ----------
    mask : ndarray of bool, shape (12 nside^2,)
        Which pixels belong to the footprint, in ICRS.
    order : {"ring", "nested"}
        Numbering of the pixels.
    """

    mask: _Mask
    order: str = "ring"

    def __post_init__(self) -> None:
        mask = np.asarray(self.mask)
        nside = round(math.sqrt(mask.size / 12.0))
        if mask.ndim != 1 or mask.dtype != bool or 12 * nside**2 != mask.size or not mask.any():
            raise InputError(
                f"a HEALPix mask has 12 nside^2 booleans, some of them true; received {mask.dtype}, shape {mask.shape}"
            )
        if self.order not in ("ring", "nested"):
            raise InputError(f"order must be 'ring' or 'nested', received {self.order!r}")
        object.__setattr__(self, "mask", mask.copy())
        self._pixels  # noqa: B018  (a missing package is better told now than later)

    @cached_property
    def _pixels(self) -> Any:
        try:
            from astropy_healpix import HEALPix
        except ImportError:
            raise MissingExtraError("astropy-healpix", "dust", "a HEALPix footprint") from None
        return HEALPix(nside=round(math.sqrt(self.mask.size / 12.0)), order=self.order)

    @property
    def area(self) -> float:
        """Area [deg2]."""
        return WHOLE_SKY_AREA * float(self.mask.mean())

    @cached_property
    def cap(self) -> tuple[float, float, float]:
        """A circle about the mean direction of the pixels."""
        from astropy import units as u

        lon, lat = self._pixels.healpix_to_lonlat(np.flatnonzero(self.mask))
        margin = 1.5 * math.sqrt(WHOLE_SKY_AREA / self.mask.size)
        return cap_of(lon.to_value(u.deg), lat.to_value(u.deg), margin)

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> _Mask:
        """Which positions are inside."""
        from astropy import units as u

        lon, lat = _numbers(ra, dec)
        return self.mask[self._pixels.lonlat_to_healpix(lon * u.deg, lat * u.deg)]


@dataclass(frozen=True, kw_only=True, eq=False)
class VisitFootprint:
    """Where a schedule points: cells of equal height that enough visits reach.

    Made by :func:`from_schedule`.

    Attributes
    ----------
    grid : RowGrid
        The cells.
    visits : ndarray of int, shape (grid.size,)
        Visits that reach the centre of each cell.
    min_visits : int
        Visits that a cell needs.
    """

    grid: RowGrid
    visits: NDArray[np.int64]
    min_visits: int = 1

    def __post_init__(self) -> None:
        if not (self.visits >= self.min_visits).any():
            raise CadenceError(
                f"no cell of {self.grid.step:g} deg has {self.min_visits} visits; the most is {self.visits.max()}"
            )

    @cached_property
    def _kept(self) -> _Mask:
        return self.visits >= self.min_visits

    @property
    def area(self) -> float:
        """Area [deg2]."""
        return float(self.grid.areas[self._kept].sum())

    @cached_property
    def cap(self) -> tuple[float, float, float]:
        """A circle about the mean direction of the cells."""
        lon, lat = self.grid.centres
        return cap_of(lon[self._kept], lat[self._kept], 1.5 * self.grid.step)

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> _Mask:
        """Which positions are inside."""
        lon, lat = _numbers(ra, dec)
        return self._kept[self.grid.index(lon, lat)]


def cap_of(ra: NDArray[np.float64], dec: NDArray[np.float64], margin: float) -> tuple[float, float, float]:
    """A circle that holds points of the sky, with a margin [deg]."""
    x, y, z = (float(c.mean()) for c in unit_vectors(ra, dec))
    if math.sqrt(x * x + y * y + z * z) < 1e-3:
        return 0.0, 0.0, 180.0
    lon, lat = math.degrees(math.atan2(y, x)) % 360.0, math.degrees(math.atan2(z, math.hypot(x, y)))
    return lon, lat, min(180.0, float(separation(ra, dec, lon, lat).max()) + margin)


def from_schedule(schedule: Any, *, min_visits: int = 1, radius: float = 1.75, cell: float = 0.5) -> VisitFootprint:
    """The footprint of a schedule: cells that at least `min_visits` visits reach.

    Parameters
    ----------
    schedule : cadence with pointings, path, table or (ra, dec)
        :class:`lcgen.OpSim`, :class:`lcgen.VisitTable`, whatever they read, or two arrays of pointings [deg, ICRS].
    min_visits : int
        Visits that a place needs.
    radius : float
        Radius of the field of view [deg]; the default is Rubin's.
    cell : float
        Height of the cells [deg], at least 0.05.

    Raises
    ------
    CadenceError
        If the schedule cannot be read or no place has that many visits.
    InputError
        If it has no pointings.

    Examples
    --------
    >>> deep = from_schedule(([53.0] * 20, [-28.0] * 20), min_visits=10)
    >>> 9.0 < deep.area < 10.5, bool(deep.contains(53.0, -28.0)), bool(deep.contains(58.0, -28.0))
    (True, True, False)
    """
    from scipy.spatial import KDTree

    if isinstance(min_visits, bool) or not isinstance(min_visits, (int, np.integer)) or min_visits < 1:
        raise InputError(f"min_visits must be a whole number of at least 1, received {min_visits!r}")
    if not 0.05 <= cell <= 10.0:
        raise InputError(f"cell must lie in [0.05, 10] degrees, received {cell!r}")
    ra, dec = _pointings(schedule)
    grid = RowGrid(step=float(cell))
    chord = 2.0 * math.sin(math.radians(0.5 * check_radius(radius)))
    visits = np.zeros(grid.size, dtype=np.int64)
    lon, lat = grid.centres
    low, high = dec.min() - radius - cell, dec.max() + radius + cell
    near = np.flatnonzero((lat >= low) & (lat <= high))
    tree = KDTree(np.stack(unit_vectors(ra, dec), axis=1))
    points = np.stack(unit_vectors(lon[near], lat[near]), axis=1)
    visits[near] = tree.query_ball_point(points, chord, return_length=True)
    return VisitFootprint(grid=grid, visits=visits, min_visits=int(min_visits))


def _pointings(schedule: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Right ascension and declination of all visits [deg]."""
    if isinstance(schedule, Sequence) and not isinstance(schedule, str) and len(schedule) == 2:
        ra, dec = _numbers(*schedule)
        if ra.ndim != 1 or not ra.size:
            raise InputError(f"pointings must be two arrays of equal length, received shape {ra.shape}")
        return ra, dec
    from ..cadence import as_cadence
    from ..cadence.positional import PositionalCadence

    if isinstance(schedule, (str, os.PathLike)) or not hasattr(schedule, "visits"):
        schedule = as_cadence(schedule)
    found = schedule._positions() if isinstance(schedule, PositionalCadence) else None
    if found is None:
        raise InputError(
            f"{getattr(schedule, 'name', type(schedule).__name__)!r} has no pointings on the sky; give a schedule with "
            "ra and dec, or the two arrays"
        )
    return _numbers(found[1], found[2])
