"""Schedules in tables: Parquet, CSV, astropy, pandas, or a mapping of columns.

The Rubin Data Preview 1 table CcdVisit has a row a detector; rows of one visit are collapsed into one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CadenceError, InputError, MissingExtraError
from .columns import band_names, find_columns, mid_exposure, numbers, require
from .positional import PositionalCadence
from .sky import separation
from .visits import FixedCadence, Visits

__all__ = ["VisitTable", "column_names", "from_table", "read_columns"]

_UNITS = {
    "mjd": "d",
    "start": "d",
    "ra": "deg",
    "dec": "deg",
    "depth5": "mag",
    "seeing": "arcsec",
    "exposure_time": "s",
    "visit_time": "s",
}
# Two visits of one telescope cannot be closer in time than this; rows that are belong to one visit.
_SAME_VISIT_DAYS = 0.5 / 86400.0


def read_columns(table: Any, *, positions: bool = False) -> tuple[dict[str, NDArray[Any]], str]:
    """Columns of a schedule by meaning (see :data:`lcgen.cadence.columns.ALIASES`), and what to call it.

    Parameters
    ----------
    table : path-like, astropy Table, pandas DataFrame, structured array or mapping
        A path must end in ``.parquet``, ``.csv`` or ``.ecsv``.
    positions : bool
        Whether ``ra`` and ``dec`` must be there.

    Raises
    ------
    CadenceError
        If it cannot be read, a column is missing, or values are missing.
    MissingExtraError
        If a Parquet file is given and pyarrow is not installed.
    """
    if isinstance(table, (str, os.PathLike)):
        path = Path(table)
        source, name = str(path), path.stem
        names, take = _read_file(path)
    else:
        source = name = "table"
        names = _names_of(table)
        take = table.__getitem__
    found = find_columns(names)
    require(found, ("mjd", "band", *(("ra", "dec") if positions else ())), source, names)
    if "mjd" in found:
        found.pop("start", None)
    n = int(np.size(take(found.get("mjd", found.get("start")))))
    if n == 0:
        raise CadenceError(f"{source}: the table is empty")
    columns: dict[str, NDArray[Any]] = {}
    for meaning, column in found.items():
        values = take(column)
        if meaning == "band":
            columns[meaning] = band_names(values, n, f"{source}, column {column!r}")
        elif meaning == "visit":
            columns[meaning] = np.asarray(values)
        elif meaning in ("mjd", "start") and hasattr(values, "mjd") and hasattr(values, "scale"):
            columns[meaning] = numbers(values.mjd, column, "d", source)
        else:
            columns[meaning] = numbers(values, column, _UNITS.get(meaning, ""), source)
    for meaning, values in columns.items():
        if values.shape != (n,):
            raise CadenceError(f"{source}: column {found[meaning]!r} has shape {values.shape}, expected ({n},)")
    columns["mjd"] = mid_exposure(columns)
    return columns, name


def column_names(path: str | os.PathLike[str]) -> list[str]:
    """Names of the columns of a Parquet or CSV file."""
    return _read_file(Path(path))[0]


def _names_of(table: Any) -> list[str]:
    if hasattr(table, "colnames"):
        return [str(c) for c in table.colnames]
    if hasattr(table, "columns"):
        return [str(c) for c in table.columns]
    if isinstance(table, Mapping):
        return [str(c) for c in table]
    if isinstance(table, np.ndarray) and table.dtype.names:
        return list(table.dtype.names)
    raise InputError(
        "a visit table must be an astropy Table, DataFrame, structured array, mapping of columns or a "
        f"path, received {type(table).__name__}"
    )


def _read_file(path: Path) -> tuple[list[str], Any]:
    if not path.is_file():
        raise CadenceError(f"{path}: no such file")
    if path.suffix == ".parquet":
        return _read_parquet(path)
    if path.suffix in (".csv", ".ecsv"):
        from astropy.table import Table

        try:
            table = Table.read(path, format="ascii.ecsv" if path.suffix == ".ecsv" else "ascii.csv")
        except Exception as error:  # astropy raises many kinds for a malformed file
            raise CadenceError(f"{path}: not a readable table: {error}") from error
        return [str(c) for c in table.colnames], table.__getitem__
    raise CadenceError(f"{path}: a visit table must end in .parquet, .csv or .ecsv")


def _read_parquet(path: Path) -> tuple[list[str], Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtraError("pyarrow", "parquet", "reading a Parquet schedule") from None
    try:
        with pq.ParquetFile(path) as file:
            names = list(file.schema_arrow.names)
            wanted = list(find_columns(names).values())
            table = file.read(columns=wanted) if wanted else None
    except (pa.ArrowException, OSError) as error:
        raise CadenceError(f"{path}: not a readable Parquet file: {error}") from error
    return names, lambda column: table.column(column).to_numpy()  # type: ignore[union-attr]


def _visits(columns: dict[str, NDArray[Any]]) -> Visits:
    return Visits(
        mjd=columns["mjd"],
        band=columns["band"],
        depth5=columns.get("depth5"),
        seeing=columns.get("seeing"),
        exposure_time=columns.get("exposure_time"),
        night=columns.get("night"),
    )


def _collapse(columns: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """One row a visit: numbers become the median over the visit's detectors.

    Rows belong to one visit if they have one visit identifier, or else if their times agree within half a
    second in one band.
    """
    n = columns["mjd"].size
    if "visit" in columns:
        group = np.unique(columns["visit"], return_inverse=True)[1]
    else:
        order = np.lexsort((columns["mjd"], columns["band"]))
        new = np.r_[
            True,
            (np.diff(columns["mjd"][order]) > _SAME_VISIT_DAYS)
            | (columns["band"][order][1:] != columns["band"][order][:-1]),
        ]
        group = np.empty(n, dtype=np.int64)
        group[order] = np.cumsum(new) - 1
    if group.max() + 1 == n:
        return columns
    order = np.argsort(group, kind="stable")
    edges = np.searchsorted(group[order], np.arange(group.max() + 2))
    out: dict[str, NDArray[Any]] = {}
    for name, values in columns.items():
        if name == "visit":
            continue
        ordered = values[order]
        if name in ("band", "night", "mjd"):
            out[name] = ordered[edges[:-1]]
        else:
            out[name] = np.array([np.median(ordered[a:b]) for a, b in pairwise(edges.tolist())])
    return out


def from_table(table: Any, *, name: str | None = None) -> FixedCadence:
    """A cadence of the visits in a table, the same for every star: positions in it are not looked at.

    Parameters
    ----------
    table : astropy Table, pandas DataFrame, structured array, mapping or path-like
        With columns for time and band at least; the names understood are in
        :data:`lcgen.cadence.columns.ALIASES`.
    name : str, optional
        What to call it.

    Raises
    ------
    CadenceError
        If a column is missing or malformed.

    Examples
    --------
    >>> from_table({"observationStartMJD": [60000.0], "filter": ["r_57"], "visitTime": [34.0]}).bands
    ('r',)
    """
    columns, found_name = read_columns(table)
    return FixedCadence(name=name or found_name, table=_visits(_collapse(columns)))


class VisitTable(PositionalCadence):
    """Visits near a position in a table with one row a visit or one row a detector (Rubin DP1 CcdVisit).

    Parameters
    ----------
    table : path-like, astropy Table, pandas DataFrame, structured array or mapping
        With columns for time, band and position.
    radius : float, optional
        Distance within which a row counts [deg]. By default 1.75 (Rubin's field of view) for rows of visits;
        for rows of detectors, which tell their size, the radius of the circle with the detector's area.
    ra, dec : float, optional
        Position of all stars [deg, ICRS]; without it `visits` needs each star's own.
    bands : sequence of str, optional
        Bands to keep.
    mjd_range : (float, float), optional
        First and last time to keep [d].
    name : str, optional
        What to call it.

    Raises
    ------
    CadenceError
        If the table cannot be read, or a column is missing.
    """

    def __init__(
        self,
        table: Any,
        *,
        radius: float | None = None,
        ra: float | None = None,
        dec: float | None = None,
        bands: Sequence[str] | None = None,
        mjd_range: tuple[float, float] | None = None,
        name: str | None = None,
    ) -> None:
        columns, found_name = read_columns(table, positions=True)
        if radius is None:
            radius = _detector_radius(columns)
        super().__init__(name or found_name, radius=radius, ra=ra, dec=dec, bands=bands, mjd_range=mjd_range)
        keep = np.ones(columns["mjd"].size, dtype=bool)
        if self.bands_wanted is not None:
            keep &= np.isin(columns["band"], self.bands_wanted)
        if mjd_range is not None:
            keep &= (columns["mjd"] >= mjd_range[0]) & (columns["mjd"] <= mjd_range[1])
        if not keep.any():
            raise CadenceError(f"{self.name}: no visit is in the bands and times asked for")
        self._columns = {k: v[keep] for k, v in columns.items()}

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands that occur."""
        return tuple(np.unique(self._columns["band"]).tolist())

    def _select(self, ra: float, dec: float, radius: float) -> Visits:
        distance = separation(self._columns["ra"], self._columns["dec"], ra, dec)
        near = distance <= radius
        if not near.any():
            lon, lat = self._columns["ra"], self._columns["dec"]
            best = int(np.argmin(distance))
            raise CadenceError(
                f"{self.name}: no visit within {radius:.3g} deg of ra={ra:.4f}, dec={dec:.4f}; "
                f"its rows lie at ra {lon.min():.2f} to {lon.max():.2f}, "
                f"dec {lat.min():.2f} to {lat.max():.2f}; the nearest is at "
                f"ra={lon[best]:.3f}, dec={lat[best]:.3f}, {distance[best]:.3g} deg away"
            )
        return _visits(_collapse({k: v[near] for k, v in self._columns.items()}))


def _detector_radius(columns: dict[str, NDArray[Any]]) -> float:
    if all(k in columns for k in ("x_size", "y_size", "pixel_scale")):
        area = columns["x_size"] * columns["y_size"] * (columns["pixel_scale"] / 3600.0) ** 2
        return float(np.sqrt(np.median(area) / np.pi))
    return 1.75
