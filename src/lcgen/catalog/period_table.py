"""Tables of periods found: text files that a training configuration can name."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..assets import atomic_file
from ..errors import DataFormatError, InputError
from .table import StarTable
from .text import number, read_lines

__all__ = ["PERIOD_COLUMNS", "read_periods", "write_periods"]

PERIOD_COLUMNS: tuple[str, ...] = ("id", "class", "subclass", "period", "significance", "scatter_ratio", "flag")
"""Columns of a table of periods, in their order."""

_MARK = "# lcgen-periods "
_FORMAT_VERSION = 1
_NUMBERS = ("period", "significance", "scatter_ratio")


def read_periods(path: str | Path, *, flagged: bool = False) -> StarTable:
    """Read a table of periods that ``lcgen periods`` or :func:`write_periods` wrote.

    Parameters
    ----------
    path : str or path-like
        The table, plain or gzip.
    flagged : bool, optional
        Whether to read the stars as well whose period is not to be trusted.

    Returns
    -------
    StarTable
        One row a star, in the order of the file, with the columns ``id``, ``class``, ``subclass`` (str), ``period``
        [d], ``significance``, ``scatter_ratio`` (float; see :class:`lcgen.catalog.PeriodSolution`) and ``flag`` (str:
        why the period was not kept, ``""`` where it was). Without `flagged` every flag is empty and every period is
        a positive number; with it, the period of a flagged star is the best one found, or NaN. ``meta`` holds
        ``path``, ``settings`` (how the periods were searched), ``rows`` (number of stars in the file) and ``kept``.

    Raises
    ------
    DataFormatError
        If the file is no such table, or a line is malformed; with the line's number.

    See Also
    --------
    lcgen.catalog.join_parameters : gives the periods to light curves, by star id.

    Examples
    --------
    >>> import tempfile
    >>> path = f"{tempfile.mkdtemp()}/periods.csv"
    >>> columns = {"id": ["a", "b"], "class": ["RRLYR"] * 2, "subclass": ["RRab"] * 2, "period": [0.5, 0.6],
    ...            "significance": [30.0, 1.0], "scatter_ratio": [0.3, 0.9], "flag": ["", "poor fold"]}
    >>> write_periods(columns, path, settings={"survey": "ASAS"})
    >>> table = read_periods(path)
    >>> table["id"].tolist(), table["period"].tolist(), table.meta["settings"]
    (['a'], [0.5], {'survey': 'ASAS'})
    """
    lines = read_lines(path)
    settings = _settings_of(path, lines[0])
    rows: list[list[str]] = []
    seen: set[str] = set()
    if len(lines) < 2 or tuple(lines[1].rstrip("\r").split(",")) != PERIOD_COLUMNS:
        raise DataFormatError(path, f"the columns must be {','.join(PERIOD_COLUMNS)}", line=2)
    for i, line in enumerate(lines[2:], start=3):
        if not line.strip():
            continue
        row = next(csv.reader([line.rstrip("\r")]))
        if len(row) != len(PERIOD_COLUMNS):
            raise DataFormatError(path, f"{len(row)} columns where {len(PERIOD_COLUMNS)} are expected", line=i)
        if not row[0] or row[0] in seen:
            raise DataFormatError(path, f"star {row[0]!r} comes twice" if row[0] else "a star without id", line=i)
        seen.add(row[0])
        _check_row(path, row, i)
        rows.append(row)
    by_column = list(zip(*rows, strict=True)) or [()] * len(PERIOD_COLUMNS)
    columns: dict[str, NDArray[Any]] = {}
    for name, values in zip(PERIOD_COLUMNS, by_column, strict=True):
        numeric = name in _NUMBERS
        columns[name] = np.array(
            [number(v) for v in values] if numeric else values, dtype=float if numeric else np.str_
        )
    kept = columns["flag"] == ""
    meta = {"path": str(path), "settings": settings, "rows": len(rows), "kept": int(kept.sum())}
    if not flagged:
        columns = {name: column[kept] for name, column in columns.items()}
    return StarTable(columns=columns, meta=meta)


def write_periods(table: Mapping[str, ArrayLike], path: str | Path, *, settings: Mapping[str, Any]) -> None:
    """Write a table of periods as text (CSV), in one step.

    The first line is a comment with `settings` as JSON, the second names the columns.

    Parameters
    ----------
    table : mapping of str to array_like, shape (n_stars,)
        The columns of :data:`PERIOD_COLUMNS`; others are not written.
    path : str or path-like
        The file; an existing one is replaced.
    settings : mapping
        How the periods were searched; anything that JSON can hold.

    Raises
    ------
    InputError
        If a column is missing or of another length, an id is empty or repeated, or a star without a flag has no
        period.
    """
    missing = [name for name in PERIOD_COLUMNS if name not in table]
    if missing:
        raise InputError(f"a table of periods needs the columns {', '.join(PERIOD_COLUMNS)}; missing: {missing}")
    columns = {
        name: np.asarray(table[name], dtype=float if name in _NUMBERS else np.str_).ravel() for name in PERIOD_COLUMNS
    }
    sizes = {name: column.size for name, column in columns.items()}
    if len(set(sizes.values())) > 1:
        raise InputError(f"columns of different length: {sizes}")
    names = columns["id"]
    if np.any(names == "") or np.unique(names).size != names.size:
        raise InputError("a table of periods needs one identifier a star; some are empty or repeated")
    usable = np.isfinite(columns["period"]) & (columns["period"] > 0)
    bad = (columns["flag"] == "") & ~usable
    if bad.any():
        raise InputError(f"star {names[bad][0]!r} has neither a period nor a flag that says why")
    try:
        header = json.dumps({"format_version": _FORMAT_VERSION, "settings": dict(settings)}, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise InputError(f"settings must be what JSON can hold ({error})") from error
    text = {n: [_shortest(v) for v in c] if n in _NUMBERS else c.tolist() for n, c in columns.items()}
    with atomic_file(Path(path)) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        file.write(f"{_MARK}{header}\n{','.join(PERIOD_COLUMNS)}\n")
        csv.writer(file, lineterminator="\n").writerows(zip(*text.values(), strict=True))


def _shortest(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.10g}"


def _settings_of(path: str | Path, line: str) -> dict[str, Any]:
    if not line.startswith(_MARK):
        raise DataFormatError(path, f"is no table of periods: the first line must start with {_MARK.strip()!r}", line=1)
    try:
        header = json.loads(line[len(_MARK) :])
        version, settings = header["format_version"], header["settings"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataFormatError(path, f"the settings cannot be read ({error})", line=1) from error
    if version != _FORMAT_VERSION:
        raise DataFormatError(path, f"has format version {version!r}; this lcgen reads {_FORMAT_VERSION}", line=1)
    if not isinstance(settings, dict):
        raise DataFormatError(path, "the settings must be a JSON object", line=1)
    return settings


def _check_row(path: str | Path, row: list[str], line: int) -> None:
    values = dict(zip(PERIOD_COLUMNS, row, strict=True))
    for name in _NUMBERS:
        try:
            number(values[name])
        except ValueError as error:
            raise DataFormatError(path, f"{name}: {error}", line=line) from None
    period = number(values["period"])
    if not values["flag"] and not 0 < period < np.inf:
        raise DataFormatError(path, f"a period of {values['period'] or 'nothing'} is kept", line=line)
