"""Tables of physical parameters and of Fourier terms."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataFormatError
from ..taxonomy import CLASSES, canonical_subclass
from .columns import canonical_column
from .ogle import normalise_ogle_id
from .table import StarTable
from .text import LineLog, number, read_lines

__all__ = ["DISTANCE_MODULI", "read_fourier_table", "read_physical_parameters"]

DISTANCE_MODULI: dict[str, float] = {"LMC": 18.477, "SMC": 18.977}
"""Distance moduli [mag] of the Magellanic Clouds: Pietrzynski et al. 2019, Nature 567, 200; Graczyk et al.
2020, ApJ 904, 13."""

_TEXT = frozenset({
    "id", "name", "class", "subclass", "type", "instrument", "source", "solar_scale", "use", "use_id",
    "ogleid", "monson_id", "id_asas", "gaia_dr2_source_id",
})  # fmt: skip
_MISSING_TEXT = frozenset({"", '""', "nan", "NaN", "-"})
# "NR Lyr" or a word: the tables quote only empty fields
_FIELD = re.compile(r'"[^"]*"|\S+')


def read_fourier_table(path: str | Path, *, strict: bool = True) -> StarTable:
    """Read a table of RR Lyrae stars of Dekany, Grebel & Pojmanski (2021, ApJ 920, 33): Fourier terms and
    [Fe/H].

    The first line names the columns and begins with ``#``. Columns that lcgen knows get its names
    (``period``, ``amplitude``, ``mean_mag``, ``fe_h``, ``ra``, ``dec``); the others keep theirs, as there are
    several photometric metallicities to choose from (``FeH_S05``, ``FeH_S16J`` ...). The ``id`` is OGLE's,
    written out; in the spectroscopic tables, which have a row for each measurement, it is OGLE's or else that
    of ASAS or else the star's name. See :meth:`StarTable.one_row_per_star`.

    Returns
    -------
    StarTable
        Missing numbers are NaN, missing words empty.

    Raises
    ------
    DataFormatError
        If there is no header, or a line is malformed and `strict`, or no line can be used.
    """
    lines = read_lines(path)
    if not lines[0].startswith("#"):
        raise DataFormatError(path, "the first line must name the columns and begin with '#'", line=1)
    header = lines[0].lstrip("#").split()
    star = next((n for n in ("ogle_id", "ogleid", "id") if n in header), None)
    names = ["id" if n == star else _rename(n) for n in header]
    if star is None or len(set(names)) != len(names):
        raise DataFormatError(path, f"cannot tell the columns apart: {', '.join(header)}", line=1)
    log = LineLog(path, strict=strict)
    rows = []
    for i, line in enumerate(lines[1:], start=2):
        tokens = _FIELD.findall(line)
        if not tokens or tokens[0].startswith("#"):
            continue
        if len(tokens) != len(names):
            log.bad(i, f"{len(tokens)} columns where the header has {len(names)}")
            continue
        try:
            rows.append([_cell(n, t) for n, t in zip(names, tokens, strict=True)])
        except ValueError as error:
            log.bad(i, str(error))
    columns = _columns(path, names, rows)
    columns["id"] = np.array([normalise_ogle_id(s) for s in columns["id"]], dtype=np.str_)
    for fallback in ("id_asas", "name"):
        if fallback in columns:
            columns["id"] = np.where(columns["id"] == "", columns[fallback], columns["id"])
    return StarTable(columns=columns, meta={"path": str(path), "skipped_lines": tuple(log.skipped)})


def _rename(name: str) -> str:
    if name.lower() in _TEXT:
        return name.lower()
    return canonical_column(name) or name


def _cell(name: str, token: str) -> str | float:
    if name in _TEXT:
        return "" if token in _MISSING_TEXT else token.strip('"')
    return number(token)


def _columns(path: str | Path, names: list[str], rows: list[list]) -> dict[str, NDArray]:
    if not rows:
        raise DataFormatError(path, "none of its lines can be used")
    return {
        name: np.array(values, dtype=np.str_ if name in _TEXT else float)
        for name, values in zip(names, zip(*rows, strict=True), strict=True)
    }


def read_physical_parameters(path: str | Path, *, strict: bool = True) -> StarTable:
    """Read the table of OGLE-III stars matched with Gaia DR2 (Martinez-Palomera et al. 2022, AJ 164, 263).

    The absolute magnitudes of the table come from parallaxes, which say nothing at the distance of the
    Magellanic Clouds. For stars named ``OGLE-LMC-...`` and ``OGLE-SMC-...`` they are made anew as the
    apparent magnitude minus the distance modulus (:data:`DISTANCE_MODULI`), without a correction for
    extinction. Effective temperatures are Gaia's: those of the bulge stars follow the reddening rather than
    the star.

    Parameters
    ----------
    path : str or path-like
        CSV file with a header, plain or gzip.
    strict : bool, optional
        Whether a malformed line is an error; else it is skipped and listed in ``meta["skipped_lines"]``.

    Returns
    -------
    StarTable
        ``id``, ``gaia_dr2_source_id``, ``class``, ``subclass`` (lcgen's spelling), ``subclass_survey``,
        ``ra``, ``dec`` [deg], ``period`` [d], ``teff`` [K], ``radius`` [R_sun], ``luminosity`` [L_sun],
        ``abs_mag`` (Gaia G), ``abs_mag_i``, ``abs_mag_source`` (``"parallax"``, ``"distance modulus"`` or
        empty where there is none), ``fe_h`` (scale of Jurcsik 1995), ``I``, ``V_I``, ``phot_g_mean_mag``,
        ``bp_rp`` [mag], ``parallax``, ``parallax_error`` [mas], ``r_est`` [pc]. Of a star that comes twice
        the first row is kept; ``meta["duplicates"]`` counts the others.

    Raises
    ------
    DataFormatError
        If columns are missing, or a line is malformed and `strict`, or no line can be used.
    """
    lines = read_lines(path)
    header = next(csv.reader(lines[:1]))
    names = [canonical_column(n) or n for n in header]
    needed = ("id", "class", "subclass", "abs_mag", "phot_g_mean_mag")
    missing = [n for n in needed if n not in names]
    if missing or len(set(names)) != len(names):
        raise DataFormatError(path, f"columns missing or repeated: {', '.join(missing) or names}", line=1)
    log = LineLog(path, strict=strict)
    rows: dict[str, list] = {}
    duplicates = 0
    at_id = names.index("id")
    for i, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        try:
            cells = next(csv.reader([line]))
        except csv.Error as error:
            log.bad(i, str(error))
            continue
        if len(cells) != len(names):
            log.bad(i, f"{len(cells)} columns where the header has {len(names)}")
        elif cells[at_id] in rows:
            duplicates += 1
        else:
            try:
                rows[cells[at_id]] = [_cell(n, c.strip()) for n, c in zip(names, cells, strict=True)]
            except ValueError as error:
                log.bad(i, str(error))
    columns = _columns(path, names, list(rows.values()))
    columns["subclass_survey"] = columns["subclass"]
    columns["subclass"] = np.array(
        [
            canonical_subclass(c, s) if c in CLASSES else ""
            for c, s in zip(columns["class"], columns["subclass"], strict=True)
        ],
        dtype=np.str_,
    )
    _magellanic(columns)
    meta = {"path": str(path), "duplicates": duplicates, "skipped_lines": tuple(log.skipped)}
    return StarTable(columns=columns, meta=meta)


def _magellanic(columns: dict[str, NDArray]) -> None:
    source = np.full(columns["id"].size, "parallax", dtype="U16")
    for cloud, modulus in DISTANCE_MODULI.items():
        there = np.char.startswith(columns["id"], f"OGLE-{cloud}-")
        source[there] = "distance modulus"
        for absolute, apparent in (("abs_mag", "phot_g_mean_mag"), ("abs_mag_i", "I")):
            if absolute in columns and apparent in columns:
                columns[absolute] = np.where(there, columns[apparent] - modulus, columns[absolute])
    columns["abs_mag_source"] = np.where(np.isfinite(columns["abs_mag"]), source, "")
