"""Turning a folder of survey files into one HDF5 pack."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, UnknownNameError
from ..lightcurve import LightCurves
from .css import read_css
from .join import join_parameters
from .ogle import read_ogle_collection
from .packs import write_pack
from .tables import read_physical_parameters
from .text import Skipped

__all__ = ["PackSummary", "pack_directory"]

_log = logging.getLogger(__name__)
_KINDS = ("ogle", "css")


@dataclass(frozen=True, kw_only=True)
class PackSummary:
    """What :func:`pack_directory` wrote and what it left out.

    Attributes
    ----------
    path : str
        The pack.
    stars, observations : int
        Numbers written.
    with_period, with_parameters : int
        Stars with a period; stars found in the table of parameters.
    dropped_rows : int
        Observations that cannot be meant, such as a magnitude of 99.999.
    skipped_files, skipped_lines : tuple of Skipped
        Files and lines left out, with the reason.
    """

    path: str
    stars: int
    observations: int
    with_period: int
    with_parameters: int
    dropped_rows: int
    skipped_files: tuple[Skipped, ...]
    skipped_lines: tuple[Skipped, ...]


def pack_directory(
    directory: str | Path,
    output: str | Path,
    *,
    kind: str = "ogle",
    band: str | None = None,
    ident: str | Path | None = None,
    tables: Sequence[str | Path] | None = None,
    catalog: str | Path = "SSS_Per_Tab.dat",
    parameters: str | Path | None = None,
    survey: str | None = None,
    citation: str | None = None,
    strict: bool = True,
    progress: bool | None = None,
) -> PackSummary:
    """Turn a folder of survey files into one HDF5 pack, which :func:`read_pack` reads.

    Parameters
    ----------
    directory, output : str or path-like
        The folder, and the file to write; one that exists is replaced when the new one is complete.
    kind : {"ogle", "css"}, optional
        Whose files they are: see :func:`read_ogle_collection` and :func:`read_css`.
    band : str, optional
        Passband (OGLE). Default: the name of the folder if that is ``I`` or ``V``.
    ident, tables : optional
        As for :func:`read_ogle_collection`.
    catalog : str or path-like, optional
        As for :func:`read_css`.
    parameters : str or path-like, optional
        A table of physical parameters to join by star: see :func:`read_physical_parameters`.
    survey, citation : str, optional
        Stored in the pack. Default: the kind's.
    strict : bool, optional
        Whether malformed lines and unusable files are errors; else they are left out and listed in the
        result.
    progress : bool, optional
        Whether to show a progress bar; by default where standard error is a terminal.

    Raises
    ------
    DataFormatError
        If a file is malformed, or there is no photometry.
    InputError
        If an argument is wrong or a file named is not there.
    UnknownNameError
        If `kind` or `band` is unknown.
    """
    if kind not in _KINDS:
        raise UnknownNameError("kind of survey files", kind, _KINDS)
    folder, target = Path(directory), Path(output)
    if not target.parent.is_dir():
        # said before the reading, which may take long
        raise InputError(f"cannot write {target}: there is no folder {target.parent}")
    curves = _read(folder, kind, band, ident, tables, catalog, survey, strict, progress)
    if parameters is not None:
        curves = join_parameters(curves, read_physical_parameters(parameters, strict=strict))
    meta = curves.meta
    write_pack(
        curves,
        target,
        survey=meta["survey"],
        band=meta["band"],
        citation=citation or meta["cite"],
        time_standard=meta["time"],
    )
    summary = PackSummary(
        path=str(target),
        stars=len(curves),
        observations=int(curves.mjd.size),
        with_period=int((curves.columns["period"] > 0).sum()),
        with_parameters=int(meta.get("joined", 0)),
        dropped_rows=int(meta["dropped_rows"]),
        skipped_files=meta["skipped_files"],
        skipped_lines=meta["skipped_lines"],
    )
    for skipped in (*summary.skipped_files, *summary.skipped_lines):
        _log.info("left out: %s", skipped)
    return summary


def _read(
    folder: Path,
    kind: str,
    band: str | None,
    ident: str | Path | None,
    tables: Sequence[str | Path] | None,
    catalog: str | Path,
    survey: str | None,
    strict: bool,
    progress: bool | None,
) -> LightCurves:
    named = {} if survey is None else {"survey": survey}
    if kind == "css":
        if band not in (None, "V"):
            raise InputError(f"the Catalina photometry is in band V, received {band!r}")
        return read_css(folder, catalog, strict=strict, progress=progress, **named)
    if band is None and folder.resolve().name in ("I", "V"):
        band = folder.resolve().name
    if band is None:
        raise InputError(f"the band must be given: the folder's name {folder.name!r} is neither I nor V")
    return read_ogle_collection(
        folder, band=band, ident=ident, tables=tables, strict=strict, progress=progress, **named
    )
