"""Logs of fields: when each field of a survey was observed, without its position (OGLE).

A star does not tell which field it lies in, so each gets the visits of a field drawn at random, or all those of one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from .. import rng
from ..errors import CadenceError, InputError, UnknownNameError
from .bands import band_name
from .grouping import collapse
from .tables import read_table
from .visits import Visits

__all__ = ["FieldLog", "read_log"]


class FieldLog:
    """The visits of the fields of a survey.

    Which field a star lies in depends on the seed and the star's index only; each is as likely as its share of visits.

    Parameters
    ----------
    table : path-like, astropy Table, pandas DataFrame, structured array or mapping
        With columns for time, band and field: Julian dates, such minus 2,450,000, or MJD. A text file may do without
        names of columns: a time, a band and a field in each line, in any order.
    field : str, optional
        The field of all stars.
    drop_missing : bool
        Leave out visits with missing values instead of refusing them.
    name : str, optional
        What to call it.

    Raises
    ------
    CadenceError
        If the table cannot be read, or a column is missing.
    UnknownNameError
        If there is no field of that name.

    Examples
    --------
    >>> log = FieldLog({"hjd": [5260.8, 5261.8, 5262.8], "band": list("IIV"), "field": ["LMC501", "LMC501", "LMC502"]})
    >>> log.fields, FieldLog(log.table, field="LMC502").bands
    (('LMC501', 'LMC502'), ('V',))
    """

    def __init__(
        self, table: Any, *, field: str | None = None, drop_missing: bool = False, name: str | None = None
    ) -> None:
        self.table = table
        text = isinstance(table, (str, os.PathLike)) and Path(table).suffix.lower() in (".dat", ".txt", ".log")
        layout, columns, found = read_table(read_log(table) if text else table, drop_missing=drop_missing)
        if "field" not in columns:
            raise CadenceError(f"{layout.source}: no column for 'field'")
        self.name = name or (Path(table).stem if text else found)
        names, which = np.unique(columns["field"].astype(str), return_inverse=True)
        self.fields: tuple[str, ...] = tuple(names.tolist())
        if field is not None and field not in self.fields:
            raise UnknownNameError("field", field, self.fields)
        self.field = field
        bands = tuple(layout.bands)
        self._visits: list[Visits] = []
        for k in range(len(self.fields)):
            part = collapse({c: v[which == k] for c, v in columns.items()})
            kept = {c: v for c, v in part.items() if c in Visits.__dataclass_fields__}
            self._visits.append(Visits.trusted(bands, kept))

    @property
    def per_star(self) -> bool:
        """Whether stars lie in different fields."""
        return self.field is None and len(self.fields) > 1

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands that occur."""
        chosen = self._visits if self.field is None else [self._visits[self.fields.index(self.field)]]
        return tuple(sorted({b for v in chosen for b in v.bands}))

    def visits(self, *, ra: float | None = None, dec: float | None = None, seed: int = 0, index: int = 0) -> Visits:
        """The visits of the star's field, wherever the star is."""
        if self.field is not None:
            return self._visits[self.fields.index(self.field)]
        if len(self.fields) == 1:
            return self._visits[0]
        share = np.cumsum([len(v) for v in self._visits]).astype(float)
        drawn = rng.stream(seed, "cadence", index).random() * share[-1]
        return self._visits[int(np.searchsorted(share, drawn, side="right"))]


def read_log(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The columns of a log of fields in plain text.

    Parameters
    ----------
    path : path-like
        Lines of words. The first may hold the names of columns, behind a ``#`` or not; without names a line holds a
        time, a band and a field, told from each other by the first line.

    Raises
    ------
    CadenceError
        If the file cannot be read; the message names the line.
    """
    path = Path(path)
    if not path.is_file():
        raise CadenceError(f"{path}: no such file")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows: list[tuple[int, list[str]]] = []
    header: list[str] | None = None
    for number, line in enumerate(lines, start=1):
        words = line.replace(",", " ").split()
        if not words:
            continue
        if words[0].startswith("#"):
            comment = " ".join(words).lstrip("# ").split()
            if not rows and len(comment) > 1:
                header = comment
        elif header is None and not rows and not any(_is_number(w) for w in words):
            header = words
        else:
            rows.append((number, words))
    if not rows:
        raise CadenceError(f"{path}: holds no visit")
    width = len(rows[0][1])
    if header is None or len(header) != width:
        header = _guess(rows[0][1], path)
    for number, words in rows:
        if len(words) != width:
            raise CadenceError(f"{path}:{number}: expected {width} words, received {len(words)}")
    columns: dict[str, Any] = {}
    for k, name in enumerate(header):
        values = [words[k] for _, words in rows]
        columns[name] = np.array(values, dtype=float) if all(map(_is_number, values)) else np.array(values)
    return columns


def _guess(words: list[str], path: Path) -> list[str]:
    """Names for the words of a line without names: the first number is the time."""
    names: list[str] = []
    for k, word in enumerate(words):
        if _is_number(word) and "hjd" not in names:
            names.append("hjd")
        elif not _is_number(word) and "band" not in names and _is_band(word):
            names.append("band")
        elif not _is_number(word) and "field" not in names:
            names.append("field")
        else:
            names.append(f"word{k + 1}")
    lacking = [n for n in ("hjd", "band", "field") if n not in names]
    if lacking:
        called = {"hjd": "time", "band": "band", "field": "field"}
        raise CadenceError(
            f"{path}: the first line {' '.join(words)[:60]!r} has no {called[lacking[0]]}; expected a time, a band and "
            "a field, or a line with names of columns"
        )
    return names


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _is_band(word: str) -> bool:
    try:
        band_name(word)
    except InputError:
        return False
    return True
