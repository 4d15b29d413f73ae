"""The Catalina Surveys Southern periodic variables (Drake et al. 2017, MNRAS 469, 3688)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import DataFormatError, InputError
from ..lightcurve import LightCurves
from .assemble import Photometry, assemble, lookup, make_photometry, read_files
from .table import StarTable
from .text import LineLog, Skipped, number, read_lines, read_numbers

__all__ = ["CSS_TYPES", "read_css", "read_css_catalog", "read_css_photometry"]

CSS_TYPES: dict[int, tuple[str, str]] = {
    1: ("RRLYR", "RRab"),
    2: ("RRLYR", "RRc"),
    3: ("RRLYR", "RRd"),
    4: ("RRLYR", "RRab-Blazhko"),
    5: ("ECL", "EW/EB"),
    6: ("ECL", "EA"),
    7: ("ELL", "ROT+ELL"),
    8: ("LPV", "LPV"),
    9: ("DSCT", "HADS"),
    10: ("ACEP", "ACEP"),
    11: ("", "MISC"),
    12: ("T2CEP", "T2CEP"),
    13: ("CEP", "LMC-CEP"),
}
"""Class and subclass (the survey's spelling) of the catalogue's type numbers."""

_COLUMNS = ("id", "ra", "dec", "period", "mean_mag", "n_points", "amplitude", "type")


def read_css_photometry(path: str | Path, *, strict: bool = True) -> Photometry:
    """Read the photometry of one star: three columns, MJD (UTC), magnitude and error.

    Parameters and errors as :func:`lcgen.catalog.read_ogle_photometry`.
    """
    log = LineLog(path, strict=strict)
    mjd, mag, mag_err = read_numbers(path, ("MJD", "mag", "error"), log).T
    return make_photometry(mjd, mag, mag_err, log.skipped)


def read_css_catalog(path: str | Path, *, strict: bool = True) -> StarTable:
    """Read ``SSS_Per_Tab.dat``: position, period, type, and an earlier name that may have blanks.

    Returns
    -------
    StarTable
        ``id``, ``class``, ``subclass`` (the survey's spelling, see :data:`CSS_TYPES`), ``ra``, ``dec`` [deg],
        ``period`` [d], ``mean_mag`` [mag], ``n_points``, ``amplitude`` [mag], ``name``.

    Raises
    ------
    DataFormatError
        If a line is malformed and `strict`, or no line can be used.
    """
    log = LineLog(path, strict=strict)
    rows: dict[str, tuple[list[float], str]] = {}
    duplicates = 0
    for i, line in enumerate(read_lines(path), start=1):
        tokens = line.split(maxsplit=len(_COLUMNS))
        if not tokens or tokens[0].startswith("#"):
            continue
        if len(tokens) < len(_COLUMNS):
            log.bad(i, f"{len(tokens)} columns; expected are {' '.join(_COLUMNS)}")
            continue
        try:
            values = [number(token) for token in tokens[1 : len(_COLUMNS)]]
        except ValueError as error:
            log.bad(i, str(error))
            continue
        if not tokens[0].isdigit():
            log.bad(i, f"{tokens[0]!r} is no numerical identifier")
        elif values[-1] not in CSS_TYPES:
            log.bad(i, f"type {tokens[7]} is none of 1..{max(CSS_TYPES)}")
        elif tokens[0] in rows:
            duplicates += 1
        else:
            rows[tokens[0]] = (values, tokens[8].strip() if len(tokens) > len(_COLUMNS) else "")
    if not rows:
        raise DataFormatError(path, "none of its lines can be used")
    numbers = dict(zip(_COLUMNS[1:], np.array([values for values, _ in rows.values()]).T, strict=True))
    types = [CSS_TYPES[int(t)] for t in numbers.pop("type")]
    return StarTable(
        columns={
            "id": np.array(list(rows), dtype=np.str_),
            "class": np.array([cls for cls, _ in types], dtype=np.str_),
            "subclass": np.array([subclass for _, subclass in types], dtype=np.str_),
            **numbers,
            "name": np.array([name for _, name in rows.values()], dtype=np.str_),
        },
        meta={"path": str(path), "duplicates": duplicates, "skipped_lines": tuple(log.skipped)},
    )


def read_css(
    directory: str | Path,
    catalog: str | Path = "SSS_Per_Tab.dat",
    *,
    survey: str = "Catalina Surveys South (CSS), periodic variables",
    strict: bool = True,
    progress: bool | None = None,
) -> LightCurves:
    """Read a folder of Catalina photometry, one ``<number>.dat`` file a star, with the catalogue of the
    stars.

    Parameters
    ----------
    directory : str or path-like
        The folder.
    catalog : str or path-like, optional
        The catalogue: in the folder, or else a path.
    survey : str, optional
        Name of the survey.
    strict, progress
        As for :func:`lcgen.catalog.read_ogle_collection`.

    Returns
    -------
    LightCurves
        In band V, columns as :func:`lcgen.catalog.read_pack` gives them, with ``ra`` and ``dec`` [deg]. Stars
        that the catalogue does not have are kept, without class and period. ``meta`` counts them
        (``not_in_catalog``) and the stars of the catalogue without a file (``without_photometry``).

    Raises
    ------
    DataFormatError
        If a file is malformed, or there is no photometry.
    InputError
        If the folder or the catalogue is not there.
    """
    folder = Path(directory)
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}")
    path = folder / catalog if (folder / catalog).is_file() else Path(catalog)
    if not path.is_file():
        raise InputError(f"there is no catalogue {catalog} (looked in {folder} and in the working directory)")
    files = [p for p in sorted(folder.glob("*.dat")) if p.resolve() != path.resolve()]
    photometry = [p for p in files if p.stem.isdigit()]
    foreign = [Skipped(path=str(p), reason="is not named after a star's number") for p in files if not p.stem.isdigit()]
    if not photometry:
        raise DataFormatError(folder, "has no photometry (files like 3039001008411.dat)")
    table = read_css_catalog(path, strict=strict)
    curves, unusable = read_files(photometry, read_css_photometry, strict=strict, progress=progress)
    if not curves:
        raise DataFormatError(folder, f"none of its {len(photometry)} photometry files can be used")
    ids = np.array(list(curves), dtype=np.str_)
    known = {name: lookup(table[name], table["id"], ids) for name in ("class", "subclass", "period", "ra", "dec")}
    return assemble(
        curves,
        band="V",
        cls=known.pop("class"),
        columns=known,
        meta={
            "path": str(folder),
            "survey": survey,
            "time": "MJD (UTC, not barycentric)",
            "cite": "Drake et al. 2017, MNRAS 469, 3688",
            "not_in_catalog": int((~np.isin(ids, table["id"])).sum()),
            "without_photometry": int((~np.isin(table["id"], ids)).sum()),
        },
        skipped_files=[*foreign, *unusable],
        skipped_table_lines=table.meta["skipped_lines"],
    )
