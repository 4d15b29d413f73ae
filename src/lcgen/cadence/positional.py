"""What schedules with pointings on the sky have in common: the visits near stars."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CadenceError, InputError, UnknownNameError
from ..photometry import band_info
from .footprint import OGLE4_RADIUS, ZTF_QUADRANT, Circle, drawn_rotation, footprint_of, tangent_plane
from .grouping import collapse_pairs, same_visit
from .index import SkyIndex
from .layout import Columns, Layout
from .sky import check_position, check_positions, check_radius, unit_vectors
from .visits import FixedCadence, Visits

__all__ = ["PositionalCadence"]

_CACHE = 64
# Single positions found without an index before it is worth making one.
_PATIENCE = 16
# Pairs of a star and a visit worked on at a time.
_PAIRS = 500_000
_OUTSIDE = ("raise", "empty")


class PositionalCadence(ABC):
    """A schedule whose visits depend on the position; a subclass says where its rows are kept.

    Parameters
    ----------
    name : str
        What to call it.
    layout : Layout
        What its columns mean.
    footprint : str, Footprint or None
        What a visit sees: ``"circle"``, ``"lsst"``, ``"comcam"``, ``"ztf"``, or an object with
        ``contains(dx, dy, rotation)``; see :mod:`lcgen.cadence.footprint`. By default the ZTF mosaic for its schedules,
        the detector for rows of detectors, and a circle for others.
    radius : float, optional
        Radius of the circle [deg]; by default 1.75, for fields of OGLE 0.67.
    ra, dec : float, optional
        Position of all stars [deg, ICRS]; both or neither.
    bands : sequence of str, optional
        Bands to keep.
    mjd_range : (float, float), optional
        First and last time to keep [d].
    outside : str
        What becomes of stars without a visit when many are observed: ``"raise"`` an error, or ``"empty"`` light curves.
    """

    def __init__(
        self,
        name: str,
        layout: Layout,
        *,
        footprint: Any,
        radius: float | None,
        ra: float | None,
        dec: float | None,
        bands: Sequence[str] | None,
        mjd_range: tuple[float, float] | None,
        outside: str,
    ) -> None:
        self.name, self._layout = name, layout
        if radius is not None:
            check_radius(radius)
        self._per_detector = layout.detectors and footprint is None and radius is None
        if footprint is None:
            footprint, radius = self._default_footprint(radius)
        self.footprint, self._camera = footprint_of(footprint, radius)
        if self._per_detector:
            self.footprint = "detector"
        self.radius = float(self._camera.radius)
        if (ra is None) != (dec is None):
            raise InputError(f"give both ra and dec or neither, received ra={ra!r}, dec={dec!r}")
        self.position = None if ra is None else check_position(ra, dec)
        chosen = (bands,) if isinstance(bands, str) else bands
        self.bands_wanted = None if chosen is None else tuple(band_info(b).name for b in chosen)
        if mjd_range is not None and not (len(mjd_range) == 2 and mjd_range[0] < mjd_range[1]):
            raise InputError(f"mjd_range must be (first, last) with first < last, received {mjd_range!r}")
        self.mjd_range = mjd_range
        if outside not in _OUTSIDE:
            raise UnknownNameError("value of outside", outside, _OUTSIDE)
        self.outside = outside
        self._cache: OrderedDict[tuple[float, float], Visits] = OrderedDict()
        self._index: SkyIndex | None = None
        self._asked = 0

    def _default_footprint(self, radius: float | None) -> tuple[Any, float | None]:
        if self._per_detector:
            # a circle around the largest detector, in which the rectangles are looked at
            return "circle", self._largest_detector()
        if radius is None and self._layout.survey == "ztf":
            return "ztf", None
        if radius is None and self._layout.survey == "ogle":
            return "circle", OGLE4_RADIUS
        return "circle", radius

    # ------------------------------------------------------------------ what a subclass says
    @property
    @abstractmethod
    def bands(self) -> tuple[str, ...]:
        """The bands that visits may have."""

    @abstractmethod
    def _positions(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]] | None:
        """Keys, right ascensions and declinations of all rows; None where rows cannot be asked for by key."""

    @abstractmethod
    def _rows(self, keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], Columns]:
        """Rows by ascending keys, and the keys of those that were kept."""

    @abstractmethod
    def _window(self, ra: float, dec: float, radius: float) -> Columns:
        """All rows within `radius` of a position, and perhaps more."""

    @abstractmethod
    def _nothing(self, ra: float, dec: float, radius: float) -> str:
        """The message for a position without visits."""

    def _largest_detector(self) -> float:
        """Distance of a detector's corner from its middle [deg], or a little more."""
        width, height, scale = ZTF_QUADRANT
        return 0.5 * float(np.hypot(width, height)) * scale / 3600.0

    # ------------------------------------------------------------------ one star
    @property
    def per_star(self) -> bool:
        """Whether each star needs its own position."""
        return self.position is None

    def visits(self, *, ra: float | None = None, dec: float | None = None, seed: int = 0, index: int = 0) -> Visits:
        """The visits of a star at (`ra`, `dec`) [deg], or at the position fixed at construction.

        `seed` and `index` make no difference. The last positions asked for are kept.

        Raises
        ------
        InputError
            If no position is known.
        CadenceError
            If no visit sees the position.
        """
        if self.position is not None:
            key = self.position
        elif ra is None or dec is None:
            raise InputError(
                f"{self.name}: the visits depend on the position: give ra and dec of each star, or of all at "
                f"construction, {type(self).__name__}(..., ra=, dec=)"
            )
        else:
            key = check_position(ra, dec)
        if key in self._cache:
            self._cache.move_to_end(key)
        else:
            self._cache[key] = self._select(*key)
            if len(self._cache) > _CACHE:
                self._cache.popitem(last=False)
        return self._cache[key]

    def at(self, ra: float, dec: float, radius: float | None = None) -> FixedCadence:
        """The visits at one position, as a cadence of its own.

        Parameters
        ----------
        ra, dec : float
            Position [deg, ICRS].
        radius : float, optional
            Distance within which a pointing counts [deg], instead of this schedule's footprint.
        """
        ra, dec = check_position(ra, dec)
        found = self._select(ra, dec, None if radius is None else check_radius(radius))
        return FixedCadence(name=f"{self.name}@{ra:.3f}{dec:+.3f}", table=found)

    def _select(self, ra: float, dec: float, radius: float | None = None) -> Visits:
        camera = None if radius is None else Circle(radius=radius)
        reach = self.radius if radius is None else radius
        self._asked += 1
        lon, lat = np.array([ra]), np.array([dec])
        if self._asked > _PATIENCE and self._index is None:
            self._build()
        if self._index is not None:
            (found,) = self._from_index(lon, lat, [self._index.near(ra, dec, reach)], camera)
        else:
            columns = self._window(ra, dec, reach)
            n = columns["mjd"].size
            (found,) = self._visits_of(columns, np.arange(n), np.zeros(n, dtype=np.int64), lon, lat, camera)
        if found is None:
            raise CadenceError(self._nothing(ra, dec, reach))
        return found

    # ------------------------------------------------------------------ many stars
    def visits_many(
        self, ra: ArrayLike, dec: ArrayLike, *, seed: int = 0, index: ArrayLike | None = None
    ) -> list[Visits | None]:
        """The visits of many stars, which is much faster than to ask for each.

        Parameters
        ----------
        ra, dec : array_like, shape (n_stars,)
            Positions [deg, ICRS].
        seed, index
            They make no difference.

        Returns
        -------
        list of Visits or None
            None for a star without a visit.

        Raises
        ------
        InputError
            If a position is missing or not on the sky.
        """
        if self.position is not None:
            return [self.visits()] * int(np.size(ra))
        lon, lat = check_positions(ra, dec, f"{self.name}: the visits depend on the position")
        if lon.size == 0:
            return []
        # stars at one place share their visits
        places, star = np.unique(np.stack([lon, lat], axis=1), axis=0, return_inverse=True)
        found = self._at_places(places[:, 0], places[:, 1])
        return [found[i] for i in star.ravel().tolist()]

    def _at_places(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> list[Visits | None]:
        pairs = list(zip(lon.tolist(), lat.tolist(), strict=True))
        index = self._index or (self._build() if lon.size > 1 else None)
        if index is None:
            return [self._one(a, d) for a, d in pairs]
        out: list[Visits | None] = []
        near: list[NDArray[np.int64]] = []
        for a, d in pairs:
            near.append(index.near(a, d, self.radius))
            if sum(n.size for n in near) >= _PAIRS or len(out) + len(near) == len(pairs):
                part = slice(len(out), len(out) + len(near))
                out += self._from_index(lon[part], lat[part], near, None)
                near = []
        return out

    def _one(self, ra: float, dec: float) -> Visits | None:
        columns = self._window(ra, dec, self.radius)
        n = columns["mjd"].size
        lon, lat = np.array([ra]), np.array([dec])
        return self._visits_of(columns, np.arange(n), np.zeros(n, dtype=np.int64), lon, lat, None)[0]

    def _build(self) -> SkyIndex | None:
        """Make the index, if rows can be asked for by key."""
        found = self._positions()
        self._index = None if found is None else SkyIndex(*found)
        return self._index

    def _from_index(
        self, lon: NDArray[np.float64], lat: NDArray[np.float64], near: list[NDArray[np.int64]], camera: Any
    ) -> list[Visits | None]:
        keys, pairs = np.unique(np.concatenate(near), return_inverse=True)
        star = np.repeat(np.arange(len(near)), [n.size for n in near])
        if keys.size == 0:
            return [None] * len(near)
        kept, columns = self._rows(keys)
        if kept.size < keys.size:
            place = np.minimum(np.searchsorted(kept, keys[pairs]), max(kept.size - 1, 0))
            good = kept.size > 0 and kept[place] == keys[pairs]
            pairs, star = place[good], star[good]
        return self._visits_of(columns, pairs, star, lon, lat, camera)

    def _visits_of(
        self,
        columns: Columns,
        row: NDArray[np.int64],
        star: NDArray[np.int64],
        lon: NDArray[np.float64],
        lat: NDArray[np.float64],
        camera: Any,
    ) -> list[Visits | None]:
        """Visits of stars from candidate pairs of rows and stars: the cuts, one row a visit, in order of time."""
        wanted = self._wanted(columns)
        keep = wanted[row]
        row, star = row[keep], star[keep]
        keep = self._sees(columns, row, star, lon, lat, camera)
        row, star = row[keep], star[keep]
        order = np.argsort(columns["mjd"], kind="stable")
        rank = np.empty(order.size, dtype=np.int64)
        rank[order] = np.arange(order.size)
        sorted_pairs = np.argsort(star * max(order.size, 1) + rank[row])
        row, star = row[sorted_pairs], star[sorted_pairs]
        group = same_visit(columns, loose=self._layout.detectors)
        values, star = collapse_pairs({k: v for k, v in columns.items() if k in _KEPT}, group, row, star)
        edges = np.searchsorted(star, np.arange(lon.size + 1)).tolist()
        bands = tuple(self._layout.bands)
        return [
            Visits.trusted(bands, {k: v[a:b] for k, v in values.items()}) if b > a else None for a, b in pairwise(edges)
        ]

    def _wanted(self, columns: Columns) -> NDArray[np.bool_]:
        keep = np.ones(columns["mjd"].size, dtype=bool)
        if self.bands_wanted is not None:
            keep &= np.isin(columns["band"], [i for i, b in enumerate(self._layout.bands) if b in self.bands_wanted])
        if self.mjd_range is not None:
            keep &= (columns["mjd"] >= self.mjd_range[0]) & (columns["mjd"] <= self.mjd_range[1])
        return keep

    def _sees(
        self,
        columns: Columns,
        row: NDArray[np.int64],
        star: NDArray[np.int64],
        lon: NDArray[np.float64],
        lat: NDArray[np.float64],
        camera: Any,
    ) -> NDArray[np.bool_]:
        """Which pairs of a row and a star are seen."""
        used = self._camera if camera is None else camera
        if isinstance(used, Circle):
            here, there = unit_vectors(lon, lat), unit_vectors(columns["ra"], columns["dec"])
            difference = here[star] - there[row]
            chord = np.sqrt(np.einsum("ij,ij->i", difference, difference))
            inside = np.degrees(2.0 * np.arcsin(np.minimum(0.5 * chord, 1.0))) <= used.radius
            if camera is not None or not self._per_detector:
                return inside
            inside[inside] = self._on_detector(columns, row[inside], lon[star[inside]], lat[star[inside]])
            return inside
        dx, dy = tangent_plane(lon[star], lat[star], columns["ra"][row], columns["dec"][row])
        finite = np.isfinite(dx)
        dx, dy = np.where(finite, dx, 90.0), np.where(finite, dy, 90.0)
        inside = np.asarray(used.contains(dx, dy, self._rotation(columns, row)), dtype=bool)
        if inside.shape != dx.shape:
            raise InputError(f"contains() of the footprint gave shape {inside.shape} for {dx.shape}")
        return inside & finite

    def _rotation(self, columns: Columns, row: NDArray[np.int64]) -> NDArray[np.float64]:
        if "rotation" in columns:
            return columns["rotation"][row]
        return drawn_rotation(columns["mjd"])[row]

    def _on_detector(
        self, columns: Columns, row: NDArray[np.int64], lon: NDArray[np.float64], lat: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        dx, dy = tangent_plane(lon, lat, columns["ra"][row], columns["dec"][row])
        if "x_size" in columns:
            scale = columns["pixel_scale"][row] / 7200.0
            half_x, half_y = columns["x_size"][row] * scale, columns["y_size"][row] * scale
        else:
            half_x, half_y = (0.5 * n * ZTF_QUADRANT[2] / 3600.0 for n in ZTF_QUADRANT[:2])
        if "rotation" in columns:
            angle = np.radians(columns["rotation"][row])
            dx, dy = np.cos(angle) * dx - np.sin(angle) * dy, np.sin(angle) * dx + np.cos(angle) * dy
        return (np.abs(dx) <= half_x) & (np.abs(dy) <= half_y)


_KEPT = ("mjd", "band", "depth5", "seeing", "exposure_time", "night", "sky", "airmass")
