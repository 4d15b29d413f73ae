"""Schedules of the Rubin Observatory's simulators and of its early surveys, in SQLite.

Any vintage: the columns are found by :data:`lcgen.cadence.columns.ALIASES`. One position is selected in SQL; for many
positions the pointings alone are read into an index, and then the rows that are wanted, in blocks. So a table of
millions of visits costs 16 bytes a visit, and what is asked of it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CadenceError
from .bands import band_names
from .columns import numbers
from .layout import DROP_HINT, Columns, Layout, layout_of
from .positional import PositionalCadence
from .sky import ra_half_width

__all__ = ["OpSim", "PointingSummary"]

_BLOCK = 20_000
_KEYS = 10_000
_TABLES = ("observations", "SummaryAllProps", "Summary", "exposures", "visits", "CcdVisit", "ccdvisit", "Visit")
_PER_VISIT = ("depth5", "seeing", "exposure_time", "night", "sky", "airmass")


@dataclass(frozen=True, kw_only=True)
class PointingSummary:
    """What a schedule holds.

    Attributes
    ----------
    n_visits : int
        Number of rows.
    visits_per_band : dict
        Number of rows in each band.
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

    Times are mid-exposure: a start time is moved by half of ``visitTime``, or else of the exposure time (see
    :func:`lcgen.cadence.columns.mid_exposure`). Rows with one time and band are one visit.

    Parameters
    ----------
    path : path-like
        The database. It is opened read-only.
    radius : float, optional
        Distance of a pointing from the star [deg]. The default, 1.75, is the radius of Rubin's field of view
        of 9.6 deg2 (Ivezic et al. 2019, ApJ 873, 111).
    footprint : str or Footprint, optional
        What a visit sees: ``"circle"`` of that radius, ``"lsst"`` for the camera's sensors and the gaps between them,
        ``"comcam"``, ``"ztf"``, or an object; see :mod:`lcgen.cadence.footprint`. By default the circle; the
        ZTF camera for its tables, the detector for rows of detectors.
    ra, dec : float, optional
        Position [deg, ICRS] of all stars; without it `visits` needs each star's own.
    table : str, optional
        Table to read; by default ``observations``, or that of an older or other vintage, or else the only one.
    bands : sequence of str, optional
        Bands to keep.
    mjd_range : (float, float), optional
        First and last time to keep [d].
    outside : str
        ``"raise"``: stars without a visit are an error; ``"empty"``: they are kept, without observations.
    drop_missing : bool
        Leave out visits with missing values instead of refusing them.

    Raises
    ------
    CadenceError
        If the file, a table or a column is missing or cannot be read.

    Examples
    --------
    >>> OpSim("baseline.db").at(53.1, -28.1)           # doctest: +SKIP
    >>> OpSim("baseline.db", footprint="lsst")         # doctest: +SKIP
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        radius: float | None = None,
        footprint: Any = None,
        ra: float | None = None,
        dec: float | None = None,
        table: str | None = None,
        bands: Sequence[str] | None = None,
        mjd_range: tuple[float, float] | None = None,
        outside: str = "raise",
        drop_missing: bool = False,
    ) -> None:
        self.path = Path(path)
        self.drop_missing = drop_missing
        if not self.path.is_file():
            raise CadenceError(f"{self.path}: no such file")
        self.table, layout = self._schema(table)
        super().__init__(
            self.path.stem,
            layout,
            footprint=footprint,
            radius=radius,
            ra=ra,
            dec=dec,
            bands=bands,
            mjd_range=mjd_range,
            outside=outside,
        )

    def _schema(self, table: str | None) -> tuple[str, Layout]:
        tables = [str(r[0]) for r in self._fetch("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]
        if table is None:
            table = next((t for t in _TABLES if t in tables), tables[0] if len(tables) == 1 else None)
        if table not in tables or table is None:
            raise CadenceError(
                f"{self.path}: no table {table or 'observations'!r}; tables there: {', '.join(tables) or 'none'}"
            )
        names = [str(r[1]) for r in self._fetch(f"PRAGMA table_info({_quote(table)})")]
        source = f"{self.path}, table {table!r}"
        return table, layout_of(names, source, positions=True, table=table, drop_missing=self.drop_missing)

    # ------------------------------------------------------------------ the database
    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
                yield connection
        except sqlite3.Error as error:
            raise CadenceError(f"{self.path}: not a readable SQLite schedule: {error}") from error

    def _rows_of(self, sql: str, arguments: Sequence[float] = ()) -> Iterator[list[tuple[Any, ...]]]:
        """Rows in blocks; the database is closed when the last was read."""
        with self._open() as connection:
            cursor = connection.execute(sql, arguments)
            while rows := cursor.fetchmany(_BLOCK):
                yield rows

    def _fetch(self, sql: str, arguments: Sequence[float] = ()) -> list[tuple[Any, ...]]:
        return [row for rows in self._rows_of(sql, arguments) for row in rows]

    def _column(self, meaning: str) -> str:
        return _quote(self._layout.columns[meaning])

    @cached_property
    def _wanted_columns(self) -> list[str]:
        there = self._layout.columns
        wanted = ["ra", "dec", self._layout.time, "band", *_PER_VISIT]
        if self._layout.time in ("start", "jd_start"):
            wanted.append("visit_time")
        if self.footprint != "circle":
            wanted.append("rotation")
        if self._layout.detectors:
            wanted += ["visit", "x_size", "y_size", "pixel_scale"]
        return [c for c in wanted if c in there]

    def _clean(self, rows: list[tuple[Any, ...]], *more: str) -> Columns:
        raw: dict[str, Any] = dict(zip([*self._wanted_columns, *more], zip(*rows, strict=True), strict=True))
        for meaning, values in raw.items():
            if meaning in ("band", "visit"):
                if meaning == "band" and not self.drop_missing and None in values:
                    self._complain(meaning)
                continue
            try:
                raw[meaning] = np.fromiter(values, dtype=np.int64 if meaning == "key" else np.float64, count=len(rows))
            except (TypeError, ValueError):
                # something is missing, or is text: the layout will say so
                if not self.drop_missing and meaning not in ("sky", "airmass") and None in values:
                    self._complain(meaning)
        return self._layout.clean(raw, self._radians)

    def _complain(self, meaning: str) -> None:
        column, table = self._column(meaning), _quote(self.table)
        ((missing, n),) = self._fetch(f"SELECT sum({column} IS NULL), count(*) FROM {table}")
        name = self._layout.columns[meaning]
        raise CadenceError(f"{self._layout.source}: column {name!r} has {missing} of {n} values missing{DROP_HINT}")

    def _concatenate(self, parts: list[Columns]) -> Columns:
        if not parts:
            empty: Columns = {k: np.empty(0) for k in (*self._wanted_columns, "mjd")}
            return empty | {"band": np.empty(0, dtype=np.uint8)}
        common = [k for k in parts[0] if all(k in p for p in parts)]
        return {k: np.concatenate([p[k] for p in parts]) for k in common}

    @cached_property
    def _radians(self) -> bool:
        if self._layout.survey != "opsim3":
            return False
        ra, dec = self._column("ra"), self._column("dec")
        inside = f"sum(abs({ra}) <= 6.2831853081 AND abs({dec}) <= 1.5707963278)"
        sql = f"SELECT count({ra} + {dec}), {inside}, max(abs({ra})) FROM {_quote(self.table)}"
        ((n, within, largest),) = self._fetch(sql)
        return self._layout.in_radians(int(n), int(within or 0), float(largest or 0.0))

    # ------------------------------------------------------------------ positions
    def _positions(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]] | None:
        if not self._has_keys:
            return None
        parts = []
        sql = f"SELECT {self._column('ra')}, {self._column('dec')}, _rowid_ FROM {_quote(self.table)}"
        for rows in self._rows_of(sql):
            try:
                block = np.fromiter(chain.from_iterable(rows), dtype=np.float64, count=3 * len(rows)).reshape(-1, 3).T
                ra, dec, key = block
            except (TypeError, ValueError):
                ra, dec, key = zip(*rows, strict=True)
                for meaning, values in (("ra", ra), ("dec", dec)):
                    if not self.drop_missing and None in values:
                        self._complain(meaning)
            lon, lat = self._layout.angles(ra, dec, self._radians)
            good = np.isfinite(lon)
            parts.append([np.asarray(key, dtype=np.int64)[good], *(v[good].astype(np.float32) for v in (lon, lat))])
        if not parts:
            raise CadenceError(f"{self._layout.source}: the table is empty")
        key, lon, lat = (np.concatenate(p) for p in zip(*parts, strict=True))
        return key, lon, lat

    @cached_property
    def _has_keys(self) -> bool:
        # views and tables WITHOUT ROWID have none
        try:
            rows = self._fetch(f"SELECT _rowid_ FROM {_quote(self.table)} LIMIT 1")
        except CadenceError:
            return False
        return not rows or rows[0][0] is not None

    def _rows(self, keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], Columns]:
        names = ", ".join(self._column(c) for c in self._wanted_columns)
        parts = []
        with self._open() as connection:
            for a in range(0, keys.size, _KEYS):
                part = keys[a : a + _KEYS].tolist()
                # whole numbers that we made ourselves: nothing to quote
                among = f"_rowid_ IN ({','.join(map(str, part))}) ORDER BY _rowid_"
                rows = connection.execute(f"SELECT {names}, _rowid_ FROM {_quote(self.table)} WHERE {among}").fetchall()
                if len(rows) != len(part):
                    raise CadenceError(f"{self.path}: the table changed while it was read")
                parts.append(self._clean(rows, "key"))
        whole = self._concatenate(parts)
        return whole.pop("key"), whole

    def _window(self, ra: float, dec: float, radius: float) -> Columns:
        where, arguments = self._sql_window(ra, dec, radius)
        names = ", ".join(self._column(c) for c in self._wanted_columns)
        sql = f"SELECT {names} FROM {_quote(self.table)} WHERE {where}"
        return self._concatenate([self._clean(rows) for rows in self._rows_of(sql, arguments)])

    def _sql_window(self, ra: float, dec: float, radius: float) -> tuple[str, list[float]]:
        """SQL that keeps a band in declination and a window in right ascension, however that wraps, and bad rows."""
        ra_column, dec_column = self._column("ra"), self._column("dec")
        scale = np.pi / 180.0 if self._radians else 1.0
        # a hair wider than the circle: the cut that decides is the great-circle distance
        where = f"{dec_column} BETWEEN ? AND ?"
        arguments = [(dec - radius - 1e-6) * scale, (dec + radius + 1e-6) * scale]
        half = ra_half_width(dec, radius)
        if half is not None:
            turns = [f"{ra_column} BETWEEN ? AND ?"] * 3
            where += f" AND ({' OR '.join(turns)})"
            for turn in (-360.0, 0.0, 360.0):
                arguments += [(ra + turn - half - 1e-6) * scale, (ra + turn + half + 1e-6) * scale]
        # text is larger than any number in SQLite; it is let in to be refused
        bad = f"{ra_column} >= '' OR {dec_column} >= ''"
        if not self.drop_missing:
            bad += f" OR {ra_column} IS NULL OR {dec_column} IS NULL"
        return f"({where}) OR {bad}", arguments

    def _largest_detector(self) -> float:
        if "x_size" not in self._layout.columns:
            return super()._largest_detector()
        x, y, scale = (self._column(c) for c in ("x_size", "y_size", "pixel_scale"))
        ((square,),) = self._fetch(f"SELECT max(({x}*{x} + {y}*{y}) * {scale} * {scale}) FROM {_quote(self.table)}")
        return 0.5 * float(square) ** 0.5 / 3600.0 if square else super()._largest_detector()

    # ------------------------------------------------------------------ what there is
    def _nothing(self, ra: float, dec: float, radius: float) -> str:
        summary = self.pointings()
        cuts = [f"bands {', '.join(self.bands_wanted)}"] if self.bands_wanted is not None else []
        cuts += [f"MJD {self.mjd_range[0]:g} to {self.mjd_range[1]:g}"] if self.mjd_range is not None else []
        return (
            f"{self.path}: no visit within {radius:.3g} deg of ra={ra:.4f}, dec={dec:.4f}"
            f"{' with ' + ' and '.join(cuts) if cuts else ''}; its {summary.n_visits} visits lie at "
            f"ra {summary.ra[0]:.2f} to {summary.ra[1]:.2f}, "
            f"dec {summary.dec[0]:.2f} to {summary.dec[1]:.2f}, "
            f"MJD {summary.mjd[0]:.2f} to {summary.mjd[1]:.2f}"
        )

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
        time, ra, dec, band = (self._column(k) for k in (self._layout.time, "ra", "dec", "band"))
        ranges = ", ".join(f"min({c}), max({c})" for c in (time, ra, dec))
        rows = self._fetch(f"SELECT {band}, count(*), {ranges} FROM {_quote(self.table)} GROUP BY {band}")
        source = self._layout.source
        if not rows:
            raise CadenceError(f"{source}: the table is empty")
        survey = "ztf" if self._layout.survey == "ztf" else ""
        names = band_names(np.array([r[0] for r in rows], dtype=object), source=source, survey=survey)
        values = numbers([r[1:] for r in rows], "time, ra, dec", "", source)
        counts: dict[str, int] = {}
        for name, n in zip(names.tolist(), values[:, 0].astype(int).tolist(), strict=True):
            counts[name] = counts.get(name, 0) + n
        low, high = values[:, 1::2].min(axis=0), values[:, 2::2].max(axis=0)
        if self._radians:
            low[1:], high[1:] = np.degrees(low[1:]), np.degrees(high[1:])
        mjd, lon, lat = ((float(a), float(b)) for a, b in zip(low, high, strict=True))
        return PointingSummary(n_visits=sum(counts.values()), visits_per_band=counts, mjd=mjd, ra=lon, dec=lat)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
