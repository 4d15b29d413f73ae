"""Tables for people and for files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, MissingExtraError

if TYPE_CHECKING:  # pragma: no cover
    from astropy.table import Table

    from ..lightcurve import LightCurves

__all__ = ["aligned", "check_format", "observations_table", "write_table"]

_FORMATS = {".csv": "ascii.csv", ".ecsv": "ascii.ecsv", ".parquet": "parquet"}
# digits that text files get: well below what can be measured, well above what a curve changes by
_DIGITS = {"mjd": ".8f", "phase": ".8f", "mag": ".6f", "mag_err": ".6f", "flux": ".9g", "flux_err": ".9g"}


def check_format(path: str | Path) -> str:
    """Astropy's name of the format that the ending of `path` stands for.

    Raises
    ------
    InputError
        If the ending is not known.
    MissingExtraError
        If the format needs a package that is not installed.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _FORMATS:
        raise InputError(f"the format is told by the ending, one of {', '.join(_FORMATS)}; received {str(path)!r}")
    if suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("pyarrow", "parquet", "writing Parquet files") from error
    return _FORMATS[suffix]


def observations_table(curves: LightCurves) -> Table:
    """One row an observation, with what is needed to tell the stars apart."""
    from astropy import units as u
    from astropy.table import Column, Table

    star = curves.star_index
    table = Table(
        {
            "star_id": curves.columns["star_id"][star],
            "class": curves.columns["class"][star],
            "subclass": curves.columns["subclass"][star],
            "band": curves.band,
        }
    )
    units: dict[str, Any] = {
        "mjd": u.day,
        "phase": None,
        "mag": u.mag,
        "mag_err": u.mag,
        "flux": u.nJy,
        "flux_err": u.nJy,
    }
    for name, unit in units.items():
        values = curves.phase() if name == "phase" else getattr(curves, name)
        column: Any = Column(values, unit=unit, format=_DIGITS[name])
        table[name] = column
    if curves.detected is not None:
        table["detected"] = curves.detected
    return table


def write_table(table: Table, path: Path | None) -> None:
    """Write a table in the format of the file's ending, all or nothing; as CSV to the standard output for None."""
    if path is None:
        table.write(sys.stdout, format="ascii.csv")
        return
    from ..assets import atomic_file

    kind = check_format(path)
    with atomic_file(path) as temporary:
        table.write(temporary, format=kind)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of words in columns, two blanks apart.

    Examples
    --------
    >>> print(aligned([("name", "bands"), ("css", "V")]))
    name  bands
    css   V
    """
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
