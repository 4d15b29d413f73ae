"""Positions and distances of stars, drawn from the densities within a footprint.

A star's position follows from the seed, its id, its class and the footprint, whatever else is drawn with it: column
densities are tabulated over cells of the sky, a cell is chosen by inversion, a place within it, and the distance by
inversion of the density along that very line of sight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import rng
from ..cadence.sky import separation
from ..errors import InputError, UnknownNameError
from ..taxonomy import class_info
from .components import CLASS_COMPONENTS, COMPONENTS
from .density import Component
from .footprint import Footprint, WholeSky
from .frames import galactic, galactocentric, icrs
from .grid import RowGrid

__all__ = ["PositionTable", "component_shares", "draw_positions"]

_Array = NDArray[np.float64]
_N_COLUMN = 128  # nodes of the column densities
_N_DISTANCE = 256  # nodes of a star's own line of sight
_SUB = 3  # a cell is divided into this many parts a side
_TRIES = 8  # tries for a place inside the footprint within such a part
_N_UNIFORMS = 4 + 2 * _TRIES
_CHUNK = 2048


@dataclass(frozen=True, kw_only=True, eq=False)
class PositionTable:
    """Positions of stars.

    Attributes
    ----------
    ra, dec : ndarray of float64, shape (n,)
        ICRS [deg].
    distance : ndarray of float64, shape (n,)
        From the Sun [pc].
    component : ndarray of str, shape (n,)
        Which component of the sky each star belongs to.
    """

    ra: _Array
    dec: _Array
    distance: _Array
    component: NDArray[np.str_]

    def __len__(self) -> int:
        return self.ra.size

    @property
    def params(self) -> dict[str, _Array]:
        """``ra``, ``dec`` and ``distance``, as ``params`` of :meth:`lcgen.LightCurveGenerator.draw`."""
        return {"ra": self.ra, "dec": self.dec, "distance": self.distance}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Columns:
    """Column densities of a component over the cells of a footprint."""

    grid: RowGrid
    part: NDArray[np.int64]  # parts of cells whose middle is inside
    below: _Array  # cumulative number of stars
    nodes: tuple[float, float]  # nearest and farthest distance [kpc]


def draw_positions(
    classes: str | ArrayLike,
    ids: ArrayLike,
    seed: int,
    *,
    footprint: Footprint | None = None,
    components: Mapping[str, Mapping[str | Component, float]] | None = None,
    min_distance: float = 0.0,
    max_distance: float = np.inf,
) -> PositionTable:
    """Draw positions and distances of stars.

    Parameters
    ----------
    classes : str or array_like of str, shape (n,)
        Classes of the stars.
    ids : array_like of int, shape (n,)
        Their ``star_id``; with the seed it names each star's random stream.
    seed : int
        Same seed, same positions.
    footprint : Footprint, optional
        Where to draw; the whole sky by default.
    components : mapping of class to mapping of component to number, optional
        Instead of :data:`lcgen.sky.CLASS_COMPONENTS`, for the classes named: components (or their names) and their
        numbers of stars over the whole sky. What part of each lies within footprint and distances is reckoned with.
    min_distance, max_distance : float
        Heliocentric limits [pc].

    Returns
    -------
    PositionTable

    Raises
    ------
    UnknownNameError
        For an unknown class or component.
    InputError
        For malformed arguments, or where no star of a class can be within footprint and distances.

    Examples
    --------
    >>> from lcgen.sky import Circle
    >>> stars = draw_positions("RRLYR", [0, 1, 2], 7, footprint=Circle(ra=60.0, dec=-30.0, radius=5.0))
    >>> stars.component.tolist(), bool((stars.distance > 1000.0).all())
    (['halo', 'halo', 'halo'], True)
    """
    seed = rng.check_seed(seed)
    star_ids = np.atleast_1d(np.asarray(ids))
    if star_ids.ndim != 1 or (star_ids.size and star_ids.dtype.kind not in "iu"):
        raise InputError(f"ids must be whole numbers, received {np.asarray(ids).dtype}, shape {star_ids.shape}")
    try:
        names = np.broadcast_to(np.asarray(classes, dtype=str), star_ids.shape)
    except ValueError:
        raise InputError(f"classes must be one for all or one for each of {star_ids.size} stars") from None
    region = _region(footprint)
    limits = _limits(min_distance, max_distance)
    u = rng.uniforms(seed, "position", star_ids, _N_UNIFORMS)
    ra, dec, distance = (np.full(star_ids.size, np.nan) for _ in range(3))
    component = np.zeros(star_ids.size, dtype=object)
    for name in np.unique(names):
        own = np.flatnonzero(names == name)
        chosen, shares = _shares(str(name), components, region, limits)
        which = np.searchsorted(np.cumsum(shares)[:-1], u[own, 0], side="right")
        for k in np.unique(which):
            rows = own[which == k]
            component[rows] = chosen[k].name
            ra[rows], dec[rows], distance[rows] = _draw(chosen[k], region, limits, u[rows, 1:])
    return PositionTable(ra=ra, dec=dec, distance=1000.0 * distance, component=component.astype(str))


def component_shares(
    cls: str,
    *,
    footprint: Footprint | None = None,
    components: Mapping[str, Mapping[str | Component, float]] | None = None,
    min_distance: float = 0.0,
    max_distance: float = np.inf,
) -> dict[str, float]:
    """The share of each component among the stars of a class within a footprint; arguments as :func:`draw_positions`.

    Examples
    --------
    >>> from lcgen.sky import Circle
    >>> shares = component_shares("CEP", footprint=Circle(ra=80.9, dec=-69.7, radius=3.0))
    >>> max(shares, key=shares.get)
    'LMC young'
    """
    region = _region(footprint)
    chosen, shares = _shares(cls, components, region, _limits(min_distance, max_distance))
    return {c.name: float(s) for c, s in zip(chosen, shares, strict=True)}


def _region(footprint: Footprint | None) -> Footprint:
    if footprint is None:
        return WholeSky()
    try:
        hash(footprint)
        usable = isinstance(footprint, Footprint)
    except TypeError:
        usable = False
    if not usable:
        raise InputError(
            f"a footprint must have area, cap and contains(ra, dec) and be hashable, received {footprint!r:.80}"
        )
    return footprint


def _limits(low: float, high: float) -> tuple[float, float]:
    if not 0.0 <= low < high:
        raise InputError(f"distances must satisfy 0 <= min_distance < max_distance, received {low!r}, {high!r}")
    return float(low) / 1000.0, float(high) / 1000.0


def _shares(
    cls: str, components: Any, region: Footprint, limits: tuple[float, float]
) -> tuple[Sequence[Component], _Array]:
    """Components of a class, and what share of its stars within the footprint each has."""
    class_info(cls)
    table = (components or {}).get(cls, CLASS_COMPONENTS[cls])
    chosen, number = [], []
    for key, stars in table.items():
        if isinstance(key, str) and key not in COMPONENTS:
            raise UnknownNameError("component", key, COMPONENTS)
        if not (np.isfinite(stars) and stars >= 0):
            raise InputError(f"numbers of stars must be finite and not negative, received {stars!r} for {cls}, {key!r}")
        part = COMPONENTS[key] if isinstance(key, str) else key
        inside = float(_columns(part, region, limits).below[-1])
        whole = float(_columns(part, WholeSky(), (0.0, np.inf)).below[-1]) if inside else 1.0
        chosen.append(part)
        number.append(stars * inside / whole)
    total = float(np.sum(number))
    if not total > 0:
        raise InputError(
            f"no {cls} star of any component ({', '.join(c.name for c in chosen) or 'none'}) is within the footprint "
            "and the distances"
        )
    return chosen, np.array(number) / total


@lru_cache(maxsize=64)
def _columns(component: Component, region: Footprint, limits: tuple[float, float]) -> _Columns:
    """Column densities over the cells that footprint and component share."""
    size, finest = component.cell
    extent = region.cap[2]
    grid = _grid(min(size, max(extent / 12.0, 0.02)), min(finest, max(extent / 12.0, 0.02)))
    low, high = max(component.reach[0], limits[0]), min(component.reach[1], limits[1])
    part = _parts_inside(grid, component, region) if low < high else np.empty(0, dtype=np.int64)
    cell, count = np.unique(part // _SUB**2, return_counts=True)
    weight = np.empty(cell.size)
    for a in range(0, cell.size, _CHUNK):
        ra, dec = icrs(*grid.inside(cell[a : a + _CHUNK], 0.5, 0.5))
        distance = _nodes(low, high, _N_COLUMN)
        weight[a : a + _CHUNK] = _cumulative(component, ra, dec, distance)[:, -1]
    stars = np.repeat(weight * grid.area_of(cell) / _SUB**2, count)
    return _Columns(grid=grid, part=part, below=np.concatenate([[0.0], np.cumsum(stars)]), nodes=(low, high))


@lru_cache(maxsize=16)
def _grid(step: float, finest: float) -> RowGrid:
    return RowGrid(step=step, finest=finest)


def _parts_inside(grid: RowGrid, component: Component, region: Footprint) -> NDArray[np.int64]:
    """Parts of cells whose middle is within the footprint and the component."""
    # the smaller circle is looked up, the larger one only compared with
    caps = sorted((region.cap, component.cap), key=lambda cap: cap[2])
    (lon, lat), (far_lon, far_lat) = (galactic(ra, dec) for ra, dec, _ in caps)
    near = grid.near(float(lon), float(lat), caps[0][2])
    if caps[1][2] < 180.0:
        where = grid.inside(near, 0.5, 0.5)
        near = near[separation(*where, float(far_lon), float(far_lat)) <= caps[1][2] + 1.5 * grid.step]
    part = (near[:, None] * _SUB**2 + np.arange(_SUB**2)).ravel()
    inside = np.zeros(part.size, dtype=bool)
    for a in range(0, part.size, 1_000_000):
        rows = slice(a, a + 1_000_000)
        ra, dec = icrs(*_place(grid, part[rows], 0.5, 0.5))
        inside[rows] = region.contains(ra, dec)
    return part[inside]


def _place(grid: RowGrid, part: NDArray[np.int64], u: Any, v: Any) -> tuple[_Array, _Array]:
    """Galactic coordinates at the shares (u, v) of parts of cells."""
    cell, sub = part // _SUB**2, part % _SUB**2
    return grid.inside(cell, (sub % _SUB + u) / _SUB, (sub // _SUB + v) / _SUB)


def _nodes(low: float, high: float, n: int) -> _Array:
    """Distances [kpc] closely spaced near the Sun, or evenly within a cloud."""
    return np.linspace(low, high, n) if low > 0.3 * high else np.geomspace(low, high, n)


def _cumulative(component: Component, ra: _Array, dec: _Array, distance: _Array) -> _Array:
    """Stars per solid angle up to each distance, shape (n, n_nodes)."""
    x, y, z = galactocentric(ra[:, None], dec[:, None], distance)
    profile = component.density(x, y, z) * distance**2
    out = np.zeros(profile.shape)
    np.cumsum(0.5 * (profile[:, 1:] + profile[:, :-1]) * np.diff(distance), axis=1, out=out[:, 1:])
    return out


def _draw(
    component: Component, region: Footprint, limits: tuple[float, float], u: _Array
) -> tuple[_Array, _Array, _Array]:
    """Right ascension, declination [deg] and distance [kpc] of stars of one component."""
    table = _columns(component, region, limits)
    k = np.searchsorted(table.below, u[:, 0] * table.below[-1], side="right") - 1
    part = table.part[np.clip(k, 0, table.part.size - 1)]
    ra, dec = icrs(*_place(table.grid, part, 0.5, 0.5))
    open_rows = np.arange(part.size)
    for t in range(_TRIES):
        lon, lat = _place(table.grid, part[open_rows], u[open_rows, 2 + 2 * t], u[open_rows, 3 + 2 * t])
        new_ra, new_dec = icrs(lon, lat)
        good = region.contains(new_ra, new_dec)
        ra[open_rows[good]], dec[open_rows[good]] = new_ra[good], new_dec[good]
        open_rows = open_rows[~good]
    distance = np.empty(part.size)
    nodes = _nodes(*table.nodes, _N_DISTANCE)
    for a in range(0, part.size, _CHUNK):
        rows = slice(a, a + _CHUNK)
        distance[rows] = _invert(_cumulative(component, ra[rows], dec[rows], nodes), nodes, u[rows, 1])
    return ra, dec, distance


def _invert(below: _Array, nodes: _Array, u: _Array) -> _Array:
    """Distances at which a share u of the stars is nearer."""
    wanted = u * below[:, -1]
    k = np.clip((below <= wanted[:, None]).sum(axis=1) - 1, 0, nodes.size - 2)
    rows = np.arange(k.size)
    low, high = below[rows, k], below[rows, k + 1]
    share = np.divide(wanted - low, high - low, out=np.full(k.size, 0.5), where=high > low)
    return nodes[k] + share * (nodes[k + 1] - nodes[k])
