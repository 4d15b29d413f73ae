"""Schedules in tables: Parquet, CSV, FITS, IPAC, astropy, pandas, or a mapping of columns.

The Rubin Data Preview 1 table CcdVisit has a row a detector; rows of one visit are collapsed into one.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CadenceError, InputError, MissingExtraError
from .columns import find_columns
from .grouping import collapse
from .layout import Columns, Layout, layout_of
from .positional import PositionalCadence
from .sky import separation
from .visits import FixedCadence, Visits

__all__ = ["ENDINGS", "VisitTable", "column_names", "ending", "from_table", "is_obs_table", "names_of", "read_table"]

ENDINGS: dict[str, str] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "ascii.csv",
    ".csv.gz": "ascii.csv",
    ".ecsv": "ascii.ecsv",
    ".tbl": "ascii.ipac",
    ".fits": "fits",
    ".fits.gz": "fits",
}
"""Ending of a file -> its format: Parquet, or a name that astropy has for it."""


# Fields of OGLE-IV, without or with the chip: LMC501.12
_OGLE_FIELD = re.compile(r"^(BLG|LMC|SMC|MBR|GD|DG)\d+(\.\d+)?$")


def ending(path: Path) -> str:
    """The ending that tells the kind of a file, ``.csv.gz`` whole."""
    return "".join(path.suffixes[-2:]).lower() if path.suffix.lower() == ".gz" else path.suffix.lower()


def read_table(table: Any, *, positions: bool = False, drop_missing: bool = False) -> tuple[Layout, Columns, str]:
    """Columns of a schedule by meaning (see :data:`lcgen.cadence.columns.ALIASES`).

    Parameters
    ----------
    table : path-like, astropy Table, pandas DataFrame, structured array, mapping or LightCurveLynx ObsTable
        A path must have one of the :data:`ENDINGS`.
    positions : bool
        Whether ``ra`` and ``dec`` must be there.
    drop_missing : bool
        Leave out visits with missing values instead of refusing them.

    Returns
    -------
    layout, columns, name
        ``columns["band"]`` holds positions in ``layout.bands``; `name` is what to call the schedule.

    Raises
    ------
    CadenceError
        If it cannot be read, a column is missing, or values are missing.
    MissingExtraError
        If a Parquet file is given and pyarrow is not installed.
    """
    survey = ""
    if isinstance(table, (str, os.PathLike)):
        path = Path(table)
        source, name = str(path), path.name.removesuffix(ending(path)) or path.stem
        names, take = _read_file(path)
    elif is_obs_table(table):
        source = name = type(table).__name__
        names, take, survey = _of_obs_table(table)
    else:
        source = name = "table"
        names = names_of(table)
        take = table.__getitem__
    layout = layout_of(names, source, positions=positions, drop_missing=drop_missing, survey=survey)
    raw = {meaning: take(column) for meaning, column in layout.columns.items()}
    n = int(np.size(raw[layout.time]))
    if n == 0:
        raise CadenceError(f"{source}: the table is empty")
    if np.ndim(raw["band"]) == 0:
        raw["band"] = np.full(n, raw["band"])
    for meaning, values in raw.items():
        if np.shape(values) != (n,):
            raise CadenceError(
                f"{source}: column {layout.columns[meaning]!r} has shape {np.shape(values)}, expected ({n},)"
            )
    columns = layout.clean(raw)
    if not layout.survey and "field" in columns and _is_ogle(columns["field"]):
        layout = dataclasses.replace(layout, survey="ogle")
    if columns["mjd"].size == 0:
        raise CadenceError(f"{source}: no visit is left of {n}: each has a missing value")
    return layout, columns, name


def _is_ogle(fields: NDArray[Any]) -> bool:
    return fields.size > 0 and all(_OGLE_FIELD.match(str(f)) for f in fields[:100].tolist())


def column_names(path: str | os.PathLike[str]) -> list[str]:
    """Names of the columns of a file."""
    return _read_file(Path(path), names_only=True)[0]


def names_of(table: Any) -> list[str]:
    """Names of the columns of a table in memory.

    Raises
    ------
    InputError
        If it is no table.
    """
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


def is_obs_table(table: Any) -> bool:
    """Whether `table` is an ``ObsTable`` or ``OpSim`` of LightCurveLynx, told by its members."""
    return all(hasattr(table, a) for a in ("survey_values", "columns", "__getitem__", "__contains__", "radius"))


def _of_obs_table(table: Any) -> tuple[list[str], Any, str]:
    # its columns have standard names; asked by the survey's own name it gives the same column, and only that name
    # tells a start of a visit from its middle
    from .columns import ALIASES

    spellings = [n for aliases in ALIASES.values() for a in aliases for n in dict.fromkeys((a, a.lower()))]
    original = [n for n in spellings if n in table and np.ndim(np.asarray(table[n])) == 1]
    specific = find_columns([n for n in original if n not in ("time", "epoch")])
    if any(t in specific for t in ("mjd", "start", "jd", "jd_start")):
        original = [n for n in original if n not in ("time", "epoch")]
    called = str(table.survey_values.get("survey_name", "")).lower()
    return list(dict.fromkeys(original)), table.__getitem__, "ztf" if "ztf" in called else ""


def _read_file(path: Path, *, names_only: bool = False) -> tuple[list[str], Any]:
    if not path.is_file():
        raise CadenceError(f"{path}: no such file")
    kind = ENDINGS.get(ending(path))
    if kind is None:
        raise CadenceError(f"{path}: a visit table must end in {', '.join(ENDINGS)}")
    if kind == "parquet":
        return _read_parquet(path, names_only=names_only)
    from astropy.table import Table

    try:
        table = Table.read(path, format=kind)
    except Exception as error:  # astropy raises many kinds for a malformed file
        raise CadenceError(f"{path}: not a readable table: {_first_line(error)}") from error
    return [str(c) for c in table.colnames], table.__getitem__


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _read_parquet(path: Path, *, names_only: bool) -> tuple[list[str], Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtraError("pyarrow", "parquet", "reading a Parquet schedule") from None
    try:
        with pq.ParquetFile(path) as file:
            names = list(file.schema_arrow.names)
            wanted = list(dict.fromkeys(find_columns(names).values()))
            table = file.read(columns=wanted) if wanted and not names_only else None
    except (pa.ArrowException, OSError) as error:
        raise CadenceError(f"{path}: not a readable Parquet file: {_first_line(error)}") from error
    return names, lambda column: table.column(column).to_numpy()  # type: ignore[union-attr]


def visits_of(layout: Layout, columns: Columns) -> Visits:
    """All rows as visits, one a visit."""
    whole = collapse(columns, loose=True)
    kept = {k: v for k, v in whole.items() if k in Visits.__dataclass_fields__}
    return Visits.trusted(tuple(layout.bands), kept)


def from_table(table: Any, *, name: str | None = None, drop_missing: bool = False) -> FixedCadence:
    """A cadence of the visits in a table, the same for every star: positions in it are not looked at.

    Parameters
    ----------
    table : astropy Table, pandas DataFrame, structured array, mapping, path-like or LightCurveLynx ObsTable
        With columns for time and band at least; the names understood are in
        :data:`lcgen.cadence.columns.ALIASES`.
    name : str, optional
        What to call it.
    drop_missing : bool
        Leave out visits with missing values instead of refusing them.

    Raises
    ------
    CadenceError
        If a column is missing or malformed.

    Examples
    --------
    >>> from_table({"observationStartMJD": [60000.0], "filter": ["r_57"], "visitTime": [34.0]}).bands
    ('r',)
    """
    layout, columns, found_name = read_table(table, drop_missing=drop_missing)
    return FixedCadence(name=name or found_name, table=visits_of(layout, columns))


class VisitTable(PositionalCadence):
    """Visits near a position in a table with one row a visit or one row a detector (Rubin DP1 CcdVisit).

    Parameters
    ----------
    table : path-like, astropy Table, pandas DataFrame, structured array, mapping or LightCurveLynx ObsTable
        With columns for time, band and position.
    radius : float, optional
        Distance within which a row counts [deg]. By default 1.75 (Rubin's field of view), or what an ObsTable says.
    footprint : str or Footprint, optional
        As for :class:`OpSim`. By default rows of detectors, which tell their size, count where the star is on the
        detector, and rows of ZTF's tables where it is on a CCD.
    ra, dec : float, optional
        Position of all stars [deg, ICRS]; without it `visits` needs each star's own.
    bands : sequence of str, optional
        Bands to keep.
    mjd_range : (float, float), optional
        First and last time to keep [d].
    outside : str
        ``"raise"``: stars without a visit are an error; ``"empty"``: they are kept, without observations.
    drop_missing : bool
        Leave out visits with missing values instead of refusing them.
    name : str, optional
        What to call it.

    Raises
    ------
    CadenceError
        If the table cannot be read, or a column is missing.

    Examples
    --------
    >>> table = VisitTable({"mjd": [60000.0], "band": ["r"], "ra": [10.0], "dec": [0.0]})
    >>> len(table.visits(ra=11.0, dec=0.5))
    1
    """

    def __init__(
        self,
        table: Any,
        *,
        radius: float | None = None,
        footprint: Any = None,
        ra: float | None = None,
        dec: float | None = None,
        bands: Sequence[str] | None = None,
        mjd_range: tuple[float, float] | None = None,
        outside: str = "raise",
        drop_missing: bool = False,
        name: str | None = None,
    ) -> None:
        layout, columns, found_name = read_table(table, positions=True, drop_missing=drop_missing)
        if radius is None and footprint is None and is_obs_table(table) and not layout.detectors:
            radius = table.radius
        self._columns = columns
        super().__init__(
            name or found_name,
            layout,
            footprint=footprint,
            radius=radius,
            ra=ra,
            dec=dec,
            bands=bands,
            mjd_range=mjd_range,
            outside=outside,
        )
        self.n_rows = columns["mjd"].size
        keep = self._wanted(columns)
        if not keep.any():
            raise CadenceError(f"{self.name}: no visit is in the bands and times asked for")
        self._columns = {k: v[keep] for k, v in columns.items()}

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands that occur."""
        return tuple(sorted(self._layout.bands[i] for i in np.unique(self._columns["band"]).tolist()))

    def _positions(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        return np.arange(self._columns["mjd"].size), self._columns["ra"], self._columns["dec"]

    def _rows(self, keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], Columns]:
        return keys, {k: v[keys] for k, v in self._columns.items()}

    def _window(self, ra: float, dec: float, radius: float) -> Columns:
        near = np.abs(self._columns["dec"] - dec) <= radius + 1e-6
        return {k: v[near] for k, v in self._columns.items()}

    def _largest_detector(self) -> float:
        if "x_size" not in self._layout.columns:
            return super()._largest_detector()
        size = np.hypot(self._columns["x_size"], self._columns["y_size"]) * self._columns["pixel_scale"]
        return 0.5 * float(size.max()) / 3600.0

    def _nothing(self, ra: float, dec: float, radius: float) -> str:
        lon, lat = self._columns["ra"], self._columns["dec"]
        distance = separation(lon, lat, ra, dec)
        best = int(np.argmin(distance))
        return (
            f"{self.name}: no visit within {radius:.3g} deg of ra={ra:.4f}, dec={dec:.4f}; "
            f"its rows lie at ra {lon.min():.2f} to {lon.max():.2f}, "
            f"dec {lat.min():.2f} to {lat.max():.2f}; the nearest is at "
            f"ra={lon[best]:.3f}, dec={lat[best]:.3f}, {distance[best]:.3g} deg away"
        )
