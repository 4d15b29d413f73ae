"""Schedules of the Rubin Observatory's simulators and of its early surveys, in SQLite.

Any vintage: the columns are found by :data:`lcgen.cadence.columns.ALIASES`. Rows are selected in SQL and read
in blocks, so that a table of millions of visits costs no more memory than the visits that are wanted.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CadenceError
from .columns import band_names, find_columns, mid_exposure, numbers, require
from .positional import PositionalCadence
from .sky import check_position, check_radius, ra_half_width, separation, unit_vectors
from .visits import Visits

__all__ = ["OpSim", "PointingSummary"]

_BLOCK = 20_000
_UNITS = {
    "mjd": "d",
    "start": "d",
    "depth5": "mag",
    "seeing": "arcsec",
    "exposure_time": "s",
    "visit_time": "s",
}
_WANTED = ("ra", "dec", "mjd", "start", "band", "depth5", "seeing", "exposure_time", "visit_time", "night")
_TABLES = ("observations", "SummaryAllProps", "Summary")
_FIELD_OF_VIEW = 1.75
_Block = dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class PointingSummary:
    """What a schedule holds.

    Attributes
    ----------
    n_visits : int
        Number of visits.
    visits_per_band : dict
        Number of visits in each band.
    mjd : tuple of float
        First and last time as stored [d].
    ra, dec : tuple of float
        Smallest and largest right ascension and declination [deg].
    """

    n_visits: int
    visits_per_band: dict[str, int]
    mjd: tuple[float, float]
    ra: tuple[float, float]
    dec: tuple[float, float]


class OpSim(PositionalCadence):
    """Visits near a position in a schedule stored as SQLite.

    The star is taken to be seen by every visit that points within `radius`; chip gaps, the corners of the
    focal plane and the camera's rotation are left out. Times are mid-exposure: a start time is moved by half
    of ``visitTime``, or else of the exposure time (see :func:`lcgen.cadence.columns.mid_exposure`).

    Parameters
    ----------
    path : path-like
        The database. It is opened read-only.
    radius : float
        Distance of a pointing from the star [deg]. The default, 1.75, is the radius of Rubin's field of view
        of 9.6 deg2 (Ivezic et al. 2019, ApJ 873, 111).
    ra, dec : float, optional
        Position [deg, ICRS] of all stars; without it `visits` needs each star's own.
    table : str, optional
        Table to read; by default ``observations``, or else the only one.
    bands : sequence of str, optional
        Bands to keep.
    mjd_range : (float, float), optional
        First and last time to keep [d].

    Raises
    ------
    CadenceError
        If the file, a table or a column is missing or cannot be read.

    Examples
    --------
    >>> OpSim("baseline.db").at(53.1, -28.1)           # doctest: +SKIP
    >>> OpSim("baseline.db", ra=53.1, dec=-28.1)       # doctest: +SKIP
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        radius: float = _FIELD_OF_VIEW,
        ra: float | None = None,
        dec: float | None = None,
        table: str | None = None,
        bands: Sequence[str] | None = None,
        mjd_range: tuple[float, float] | None = None,
    ) -> None:
        self.path = Path(path)
        super().__init__(self.path.stem, radius=radius, ra=ra, dec=dec, bands=bands, mjd_range=mjd_range)
        if not self.path.is_file():
            raise CadenceError(f"{self.path}: no such file")
        self.table, self._columns = self._schema(table)

    def _schema(self, table: str | None) -> tuple[str, dict[str, str]]:
        tables = [str(r[0]) for r in self._fetch("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]
        if table is None:
            table = next((t for t in _TABLES if t in tables), tables[0] if len(tables) == 1 else None)
        if table not in tables or table is None:
            raise CadenceError(
                f"{self.path}: no table {table or 'observations'!r}; tables there: {', '.join(tables) or 'none'}"
            )
        names = [str(r[1]) for r in self._fetch(f"PRAGMA table_info({_quote(table)})")]
        found = find_columns(names)
        require(found, ("mjd", "band", "ra", "dec"), f"{self.path}, table {table!r}", names)
        if "mjd" in found:
            found.pop("start", None)
        return table, {k: found[k] for k in _WANTED if k in found}

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True)

    def _rows(self, sql: str, arguments: Sequence[float] = ()) -> Iterator[list[tuple[Any, ...]]]:
        """Rows in blocks; the database is closed when the last was read."""
        try:
            with closing(self._connect()) as connection:
                cursor = connection.execute(sql, arguments)
                while rows := cursor.fetchmany(_BLOCK):
                    yield rows
        except sqlite3.Error as error:
            raise CadenceError(f"{self.path}: not a readable SQLite schedule: {error}") from error

    def _fetch(self, sql: str) -> list[tuple[Any, ...]]:
        return [row for rows in self._rows(sql) for row in rows]

    def _blocks(self, where: str = "1", arguments: Sequence[float] = ()) -> Iterator[_Block]:
        source = f"{self.path}, table {self.table!r}"
        names = ", ".join(_quote(c) for c in self._columns.values())
        sql = f"SELECT {names} FROM {_quote(self.table)} WHERE {where}"
        for rows in self._rows(sql, arguments):
            block: _Block = {}
            for (meaning, column), values in zip(self._columns.items(), zip(*rows, strict=True), strict=True):
                if meaning == "band":
                    block[meaning] = np.array(values, dtype=object)
                else:
                    block[meaning] = numbers(values, column, _UNITS.get(meaning, ""), source)
            yield block

    def _finish(self, blocks: list[_Block]) -> _Block | None:
        """Blocks as one, with mid-exposure times, after the cuts in band and time; None if none is left."""
        if not blocks:
            return None
        whole = {k: np.concatenate([b[k] for b in blocks]) for k in blocks[0]}
        whole["band"] = band_names(whole["band"], source=f"{self.path}, column {self._columns['band']!r}")
        whole["mjd"] = mid_exposure(whole)
        keep = np.ones(whole["mjd"].size, dtype=bool)
        if self.bands_wanted is not None:
            keep &= np.isin(whole["band"], self.bands_wanted)
        if self.mjd_range is not None:
            keep &= (whole["mjd"] >= self.mjd_range[0]) & (whole["mjd"] <= self.mjd_range[1])
        return {k: v[keep] for k, v in whole.items()} if keep.any() else None

    def _select(self, ra: float, dec: float, radius: float) -> Visits:
        where, arguments = self._window(ra, dec, radius)
        near = []
        for block in self._blocks(where, arguments):
            inside = separation(block["ra"], block["dec"], ra, dec) <= radius
            if inside.any():
                near.append({k: v[inside] for k, v in block.items()})
        found = self._finish(near)
        if found is None:
            raise CadenceError(self._nothing(ra, dec, radius))
        return _visits(found)

    def _window(self, ra: float, dec: float, radius: float) -> tuple[str, list[float]]:
        """SQL that keeps a band in declination and a window in right ascension, however that wraps."""
        ra_column, dec_column = _quote(self._columns["ra"]), _quote(self._columns["dec"])
        where, arguments = f"{dec_column} BETWEEN ? AND ?", [dec - radius, dec + radius]
        # a hair wider than the circle: the cut that decides is the great-circle distance
        half = ra_half_width(dec, radius)
        if half is not None:
            turns = [f"{ra_column} BETWEEN ? AND ?"] * 3
            where += f" AND ({' OR '.join(turns)})"
            for turn in (-360.0, 0.0, 360.0):
                arguments += [ra + turn - half - 1e-6, ra + turn + half + 1e-6]
        arguments[0] -= 1e-6
        arguments[1] += 1e-6
        return where, arguments

    def _nothing(self, ra: float, dec: float, radius: float) -> str:
        summary = self.pointings()
        cuts = [f"bands {', '.join(self.bands_wanted)}"] if self.bands_wanted is not None else []
        cuts += [f"MJD {self.mjd_range[0]:g} to {self.mjd_range[1]:g}"] if self.mjd_range is not None else []
        return (
            f"{self.path}: no visit within {radius:g} deg of ra={ra:.4f}, dec={dec:.4f}"
            f"{' with ' + ' and '.join(cuts) if cuts else ''}; its {summary.n_visits} visits lie at "
            f"ra {summary.ra[0]:.2f} to {summary.ra[1]:.2f}, "
            f"dec {summary.dec[0]:.2f} to {summary.dec[1]:.2f}, "
            f"MJD {summary.mjd[0]:.2f} to {summary.mjd[1]:.2f}"
        )

    def visits_many(self, ra: ArrayLike, dec: ArrayLike) -> list[Visits | None]:
        """The visits of many stars from one pass over the table, which is much faster than a query for each.

        Parameters
        ----------
        ra, dec : array_like, shape (n_stars,)
            Positions [deg, ICRS].

        Returns
        -------
        list of Visits or None
            None for a star without a visit.
        """
        from scipy.spatial import KDTree

        pairs = list(zip(np.atleast_1d(ra).tolist(), np.atleast_1d(dec).tolist(), strict=True))
        if not pairs:
            return []
        lon, lat = np.array([check_position(*p) for p in pairs]).T
        tree = KDTree(unit_vectors(lon, lat))
        chord = 2.0 * np.sin(np.radians(0.5 * check_radius(self.radius)))
        near: list[_Block] = []
        for block in self._blocks():
            hits = tree.query_ball_point(unit_vectors(block["ra"], block["dec"]), chord)
            counts = np.array([len(h) for h in hits])
            if counts.any():
                rows = np.repeat(np.arange(counts.size), counts)
                stars = np.concatenate([np.asarray(h, dtype=np.int64) for h in hits if h])
                near.append({**{k: v[rows] for k, v in block.items()}, "star": stars})
        found = self._finish(near)
        if found is None:
            return [None] * len(pairs)
        order = np.argsort(found["star"], kind="stable")
        found = {k: v[order] for k, v in found.items()}
        edges = np.searchsorted(found["star"], np.arange(len(pairs) + 1))
        return [_visits({k: v[a:b] for k, v in found.items()}) if b > a else None for a, b in pairwise(edges.tolist())]

    @cached_property
    def _bands_found(self) -> tuple[str, ...]:
        return tuple(sorted(self.pointings().visits_per_band))

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands that occur, or those asked for."""
        return self._bands_found if self.bands_wanted is None else self.bands_wanted

    def pointings(self) -> PointingSummary:
        """Numbers of visits, bands and ranges, summed up by the database.

        Raises
        ------
        CadenceError
            If the table is empty.
        """
        time, ra, dec, band = (
            _quote(self._columns[k]) for k in ("mjd" if "mjd" in self._columns else "start", "ra", "dec", "band")
        )
        ranges = ", ".join(f"min({c}), max({c})" for c in (time, ra, dec))
        rows = self._fetch(f"SELECT {band}, count(*), {ranges} FROM {_quote(self.table)} GROUP BY {band}")
        source = f"{self.path}, table {self.table!r}"
        if not rows:
            raise CadenceError(f"{source}: the table is empty")
        names = band_names(np.array([r[0] for r in rows], dtype=object), source=source)
        values = numbers([r[1:] for r in rows], "time, ra, dec", "", source)
        counts: dict[str, int] = {}
        for name, n in zip(names.tolist(), values[:, 0].astype(int).tolist(), strict=True):
            counts[name] = counts.get(name, 0) + n
        low, high = values[:, 1::2].min(axis=0), values[:, 2::2].max(axis=0)
        mjd, lon, lat = ((float(a), float(b)) for a, b in zip(low, high, strict=True))
        return PointingSummary(n_visits=sum(counts.values()), visits_per_band=counts, mjd=mjd, ra=lon, dec=lat)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _visits(columns: _Block) -> Visits:
    return Visits(
        mjd=columns["mjd"],
        band=columns["band"],
        depth5=columns.get("depth5"),
        seeing=columns.get("seeing"),
        exposure_time=columns.get("exposure_time"),
        night=columns.get("night"),
    )
