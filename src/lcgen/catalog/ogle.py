"""The OGLE collection of variable stars: photometry, identifications and tables of periods.

Formats: the README files of the collection (Udalski et al. 2008, AcA 58, 69; Soszynski et al. 2008, AcA 58,
163; 2015, AcA 65, 297).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataFormatError, InputError
from ..lightcurve import LightCurves
from ..photometry import band_info
from ..taxonomy import CLASSES, canonical_subclass
from .assemble import Photometry, assemble, lookup, make_photometry, read_files
from .columns import canonical_column
from .table import StarTable
from .text import LineLog, Skipped, number, read_lines, read_numbers

__all__ = [
    "normalise_ogle_id",
    "ogle_class",
    "read_ogle_cepf",
    "read_ogle_collection",
    "read_ogle_ident",
    "read_ogle_photometry",
]

_STAR_ID = re.compile(r"OGLE-[A-Z0-9]+-(?P<cls>[A-Z0-9]+)-[0-9]+")
_SHORT_ID = re.compile(r"(?P<field>b|smc|lmc)(?P<number>[0-9]+)")
_FIELDS = {"b": "BLG", "smc": "SMC", "lmc": "LMC"}
_RA = re.compile(r"[0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]*)?")
_DEC = re.compile(r"[-+]?[0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]*)?")

_PULSATOR = ("id", "I", "V", "P", "dP", "T0", "A_I", "R21", "phi21", "R31", "phi31")
_BINARY = ("id", "I", "V", "P", "T0", "depth1", "depth2")
_TABLES = (
    "cepF.dat", "cep1O.dat", "cep2O.dat", "cepF1O.dat", "cep1O2O.dat", "cep1O3O.dat", "cep2O3O.dat",
    "cepF1O2O.dat", "cep1O2O3O.dat", "acepF.dat", "acep1O.dat", "t2cep.dat", "RRab.dat", "RRc.dat", "RRd.dat",
    "aRRd.dat", "dsct.dat", "ecl.dat", "ell.dat",
)  # fmt: skip


def normalise_ogle_id(name: str) -> str:
    """An RR Lyrae star's OGLE identifier from the short form of Dekany et al. (2021, ApJ 920, 33).

    Examples
    --------
    >>> normalise_ogle_id("b00931"), normalise_ogle_id("lmc00015")
    ('OGLE-BLG-RRLYR-00931', 'OGLE-LMC-RRLYR-00015')
    >>> normalise_ogle_id("OGLE-LMC-CEP-0001")
    'OGLE-LMC-CEP-0001'
    """
    match = _SHORT_ID.fullmatch(name.strip())
    if match is None:
        return name.strip()
    return f"OGLE-{_FIELDS[match['field']]}-RRLYR-{match['number']}"


def ogle_class(star_id: str) -> str:
    """The class that an OGLE identifier names; ``""`` where it is none of lcgen's.

    Examples
    --------
    >>> ogle_class("OGLE-LMC-CEP-0001"), ogle_class("OGLE-BLG-DPV-001")
    ('CEP', '')
    """
    match = _STAR_ID.fullmatch(star_id)
    return match["cls"] if match is not None and match["cls"] in CLASSES else ""


def _mjd(path: str | Path, hjd: NDArray[np.float64], what: str) -> NDArray[np.float64]:
    """MJD from HJD or HJD - 2450000, told apart by value."""
    finite = hjd[np.isfinite(hjd)]
    if finite.size == 0:
        return np.full(hjd.shape, np.nan)
    typical = float(np.median(finite))
    if 2_400_000.0 < typical < 2_500_000.0:
        return hjd - 2_400_000.5
    if -1000.0 < typical < 20_000.0:
        return hjd + 49_999.5
    raise DataFormatError(
        path, f"{what} are about {typical:g}: neither HJD (2400000..2500000) nor HJD - 2450000 (-1000..20000)"
    )


def read_ogle_photometry(path: str | Path, *, strict: bool = True) -> Photometry:
    """Read the photometry of one star: three columns, time, magnitude and error.

    Times are heliocentric Julian dates, whole or minus 2450000; which of them is told by their values. Rows
    that cannot be meant are dropped and counted; the rest is sorted by time.

    Parameters
    ----------
    path : str or path-like
        The file.
    strict : bool, optional
        Whether a malformed line is an error; else it is skipped and noted.

    Returns
    -------
    Photometry
        ``mjd`` is HJD - 2400000.5 [d].

    Raises
    ------
    DataFormatError
        With the number of the malformed line; also if no line can be used or the times are on no known scale.
    """
    log = LineLog(path, strict=strict)
    hjd, mag, mag_err = read_numbers(path, ("HJD", "mag", "error"), log).T
    return make_photometry(_mjd(path, hjd, "times"), mag, mag_err, log.skipped)


def read_ogle_ident(path: str | Path, *, strict: bool = True) -> StarTable:
    """Read an ``ident.dat``: identifier, mode or subtype, position, other names.

    The mode stands before the position; the OGLE-III tables have field and number before the mode.

    Returns
    -------
    StarTable
        ``id``, ``mode`` (OGLE's spelling), ``ra``, ``dec`` [deg, J2000], ``other_ids``. A star that comes
        twice is kept once; ``meta["duplicates"]`` counts them, ``meta["skipped_lines"]`` lists malformed
        lines.

    Raises
    ------
    DataFormatError
        If a line is malformed and `strict`, or no line can be used.
    """
    log = LineLog(path, strict=strict)
    rows: dict[str, tuple[str, float, float, str]] = {}
    duplicates = 0
    for i, line in enumerate(read_lines(path), start=1):
        tokens = line.split()
        if not tokens or tokens[0].startswith("#"):
            continue
        if _STAR_ID.fullmatch(tokens[0]) is None:
            log.bad(i, f"{tokens[0]!r} is no OGLE identifier")
            continue
        at = next((k for k, token in enumerate(tokens) if _RA.fullmatch(token)), None)
        if at is None or at + 1 >= len(tokens) or _DEC.fullmatch(tokens[at + 1]) is None:
            log.bad(i, "has no position like 04:30:57.72 -69:03:37.4")
            continue
        ra, dec = 15.0 * _sexagesimal(tokens[at]), _sexagesimal(tokens[at + 1])
        if not (0 <= ra < 360 and -90 <= dec <= 90):
            log.bad(i, f"position {tokens[at]} {tokens[at + 1]} is not on the sky")
            continue
        if tokens[0] in rows:
            duplicates += 1
            continue
        rows[tokens[0]] = (_mode(tokens[0], tokens[1:at]), ra, dec, " ".join(tokens[at + 2 :]))
    if not rows:
        raise DataFormatError(path, "none of its lines can be used")
    mode, ra, dec, other = zip(*rows.values(), strict=True)
    return StarTable(
        columns={
            "id": np.array(list(rows), dtype=np.str_),
            "mode": np.array(mode, dtype=np.str_),
            "ra": np.array(ra, dtype=float),
            "dec": np.array(dec, dtype=float),
            "other_ids": np.array(other, dtype=np.str_),
        },
        meta={"path": str(path), "duplicates": duplicates, "skipped_lines": tuple(log.skipped)},
    )


def _sexagesimal(text: str) -> float:
    whole, minutes, seconds = text.lstrip("+-").split(":")
    value = int(whole) + int(minutes) / 60.0 + float(seconds) / 3600.0
    return -value if text.startswith("-") else value


def _mode(star_id: str, tokens: list[str]) -> str:
    """The mode among the tokens between identifier and position: one lcgen knows, or else the last."""
    cls = ogle_class(star_id)
    known = [token for token in tokens if cls and canonical_subclass(cls, token)]
    mode = (known or tokens or [""])[-1]
    return "" if mode == "-" else mode


def read_ogle_cepf(path: str | Path, *, strict: bool = True) -> StarTable:
    """Read a table of periods and Fourier terms: ``cepF.dat`` and its like, or ``ecl.dat`` and ``ell.dat``.

    Tables of stars with several modes repeat the columns from the period on; the first mode is read. A dash
    means unknown.

    Returns
    -------
    StarTable
        ``id``, ``I``, ``V`` (mean magnitudes), ``period``, ``period_err`` [d], ``t0`` (MJD, heliocentric: of
        maximum light, for binaries of the primary minimum), ``A_I`` (peak to peak [mag]), ``R21``, ``phi21``,
        ``R31``, ``phi31`` (cosine series of magnitude); binaries have ``depth1``, ``depth2`` instead of the
        period's error and the terms. A star that comes twice is kept once; ``meta["duplicates"]`` counts
        them.

    Raises
    ------
    DataFormatError
        If a line is malformed and `strict`, or no line can be used.
    """
    log = LineLog(path, strict=strict)
    names: tuple[str, ...] = ()
    rows: dict[str, list[float]] = {}
    duplicates = 0
    for i, line in enumerate(read_lines(path), start=1):
        tokens = line.split()
        if not tokens or tokens[0].startswith("#"):
            continue
        layout = _layout(len(tokens))
        if not layout or (names and layout != names):
            log.bad(i, f"{len(tokens)} columns; expected are {' '.join(names or _PULSATOR)}")
            continue
        if _STAR_ID.fullmatch(tokens[0]) is None:
            log.bad(i, f"{tokens[0]!r} is no OGLE identifier")
            continue
        try:
            values = [number(token) for token in tokens[1 : len(layout)]]
        except ValueError as error:
            log.bad(i, str(error))
            continue
        names = layout
        if tokens[0] in rows:
            duplicates += 1
            continue
        rows[tokens[0]] = values
    if not rows:
        raise DataFormatError(path, "none of its lines can be used")
    columns: dict[str, NDArray] = {"id": np.array(list(rows), dtype=np.str_)}
    for name, values in zip(names[1:], np.array(list(rows.values()), dtype=float).T, strict=True):
        columns[canonical_column(name) or name] = values
    columns["t0"] = _mjd(path, columns["t0"], "values of T0")
    meta = {"path": str(path), "duplicates": duplicates, "skipped_lines": tuple(log.skipped)}
    return StarTable(columns=columns, meta=meta)


def _layout(n_tokens: int) -> tuple[str, ...]:
    if n_tokens == len(_BINARY):
        return _BINARY
    extra = n_tokens - len(_PULSATOR)
    return _PULSATOR if extra >= 0 and extra % 8 == 0 else ()


def read_ogle_collection(
    directory: str | Path,
    *,
    band: str,
    ident: str | Path | None = None,
    tables: Sequence[str | Path] | None = None,
    survey: str = "OGLE",
    strict: bool = True,
    progress: bool | None = None,
) -> LightCurves:
    """Read a folder of the OGLE collection: one ``.dat`` file a star, and the tables about them.

    Parameters
    ----------
    directory : str or path-like
        A folder with ``phot/<band>/*.dat``, ``ident.dat`` and tables, as the collection has it; or one with
        the photometry files themselves.
    band : str
        Passband of the photometry, ``"I"`` or ``"V"``.
    ident : str or path-like, optional
        The identifications; a relative path is looked for in the folder and then from the working directory.
        Default: ``ident.dat`` in the folder if there is one.
    tables : sequence of str or path-like, optional
        Tables of periods, found like `ident`; for a star in several the first counts. Default: those of the
        collection's names (``cepF.dat``, ``cep1O.dat``, ``RRab.dat``, ``ecl.dat`` ...) that are in the
        folder.
    survey : str, optional
        Name of the survey.
    strict : bool, optional
        Whether malformed lines and unusable files are errors; else they are listed in
        ``meta["skipped_lines"]`` and ``meta["skipped_files"]``. Files not named after a star are listed there
        in both cases.
    progress : bool, optional
        Whether to show a progress bar; by default where standard error is a terminal.

    Returns
    -------
    LightCurves
        Columns as :func:`lcgen.catalog.read_pack` gives them, with ``ra``, ``dec`` [deg] and ``t0`` [MJD].
        The class is the identifier's, the subclass that of `ident`, the period that of `tables`.

    Raises
    ------
    DataFormatError
        If a file is malformed, or there is no photometry.
    InputError
        If the folder or a file named is not there.
    """
    band = band_info(band).name
    folder = Path(directory)
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}")
    named = folder / "phot" / band
    files = sorted((named if named.is_dir() else folder).glob("*.dat"))
    ident_path = _find(folder, ident, default="ident.dat")
    table_paths = [_find(folder, t) for t in tables] if tables is not None else [folder / t for t in _TABLES]
    table_paths = [t for t in table_paths if t is not None and t.is_file()]
    read_as_tables = {p.resolve() for p in (ident_path, *table_paths) if p is not None}
    files = [p for p in files if p.resolve() not in read_as_tables]
    photometry = [p for p in files if _STAR_ID.fullmatch(p.stem)]
    foreign = [
        Skipped(path=str(p), reason="is not named after an OGLE star") for p in files if not _STAR_ID.fullmatch(p.stem)
    ]
    if not photometry:
        raise DataFormatError(folder, f"has no photometry (files like OGLE-LMC-CEP-0001.dat, also in phot/{band})")

    stars = read_ogle_ident(ident_path, strict=strict) if ident_path is not None else None
    periods = [read_ogle_cepf(p, strict=strict) for p in table_paths]
    curves, unusable = read_files(photometry, read_ogle_photometry, strict=strict, progress=progress)
    if not curves:
        raise DataFormatError(folder, f"none of its {len(photometry)} photometry files can be used")

    ids = np.array(list(curves), dtype=np.str_)
    columns: dict[str, NDArray] = {"subclass": np.full(ids.size, "")}
    for name in ("period", "t0"):
        columns[name] = np.full(ids.size, np.nan)
        for table in periods:
            found = lookup(table[name], table["id"], ids)
            columns[name] = np.where(np.isnan(columns[name]), found, columns[name])
    if stars is not None:
        columns["subclass"] = lookup(stars["mode"], stars["id"], ids)
        columns |= {name: lookup(stars[name], stars["id"], ids) for name in ("ra", "dec")}
    read = [t for t in (stars, *periods) if t is not None]
    return assemble(
        curves,
        band=band,
        cls=np.array([ogle_class(star) for star in curves], dtype=np.str_),
        columns=columns,
        meta={
            "path": str(folder),
            "survey": survey,
            "time": "HJD - 2400000.5 (heliocentric)",
            "cite": "Udalski et al. 2008, AcA 58, 69; 2015, AcA 65, 1",
        },
        skipped_files=[*foreign, *unusable],
        skipped_table_lines=[s for t in read for s in t.meta["skipped_lines"]],
    )


def _find(folder: Path, name: str | Path | None, *, default: str | None = None) -> Path | None:
    if name is None:
        path = folder / default if default is not None else None
        return path if path is not None and path.is_file() else None
    for candidate in (folder / name, Path(name)):
        if candidate.is_file():
            return candidate
    raise InputError(f"there is no file {name} (looked in {folder} and in the working directory)")
