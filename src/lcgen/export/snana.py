"""SNANA's HEAD and PHOT tables in FITS."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np

from ..ensemble import Ensemble
from ..errors import InputError
from ..lightcurve import LightCurves
from ..taxonomy import CLASSES, PARAMETERS
from ._files import write_text
from ._fits import FitsTable, records, write_primary
from ._values import (
    FLUXCAL_PER_NJY,
    SNANA_ZERO_POINT,
    class_codes,
    column_or_nan,
    detections,
    exported_flux,
    first_per_star,
    in_time_order,
    longest_text,
    mapped_bands,
    reddening,
)
from .base import Source

__all__ = ["PHOTFLAG_DETECT", "PHOTFLAG_TRIGGER", "SNANA_BANDS", "SnanaExporter"]

SNANA_BANDS = {
    **{b: b for b in ("u", "g", "r", "i", "z", "B", "V", "R", "I", "G")},
    "y": "Y",
    **{f"sdss_{b}": b for b in "ugriz"},
    **{f"ztf_{b}": b for b in "gri"},
}
"""SNANA's filters have names of one character."""

PHOTFLAG_DETECT, PHOTFLAG_TRIGGER = 4096, 2048
"""Bits of PHOTFLAG: a detection, and the first detection of the star, as in PLAsTiCC and ELAsTiCC."""

_END = -777.0  # SNANA closes each light curve with a row of this MJD
_TEXT = ("class", "subclass")
_OWN = {"ra", "dec", "e_bv"}


@dataclass(frozen=True, kw_only=True)
class SnanaExporter:
    """A folder with HEAD and PHOT files, a list of them and a README (SNANA manual, section "FITS format").

    FLUXCAL has the AB zero point 27.5. True parameters are columns ``SIM_...`` of HEAD.

    Attributes
    ----------
    survey : str
        SURVEY of the headers.
    bands : str
        Names of bands, one character each, where they shall differ from :data:`SNANA_BANDS`: ``BP=b,RP=p``.
    stars_per_file : int
        Stars of a pair of HEAD and PHOT files; readers hold one pair in memory.
    difference : bool
        Give fluxes minus the mean flux of the star in each band, as difference images have them.
    """

    name: ClassVar[str] = "snana"
    folder: ClassVar[bool] = True

    survey: str = "LSST"
    bands: str = ""
    stars_per_file: int = 50_000
    difference: bool = False

    def check(self, ensemble: Ensemble) -> None:
        if self.stars_per_file < 1:
            raise InputError(f"option stars_per_file must be at least 1, received {self.stars_per_file}")
        for band, name in self._bands(ensemble).items():
            if len(name) != 1 or not name.isascii():
                raise InputError(f"SNANA's filters have names of one character, received {name!r} for the band {band}")

    def write(self, source: Source, target: Path, name: str) -> None:
        ensemble = source.ensemble
        writer = _Writer(exporter=self, source=source, target=target, version=name, bands=self._bands(ensemble))
        heads = []
        start = 0
        for block in source.blocks():
            while len(block):
                number, filled = divmod(start, self.stars_per_file)
                room = self.stars_per_file - filled
                part, block = (block, block[:0]) if len(block) <= room else (block[:room], block[room:])
                if filled == 0:
                    writer.close()
                    heads.append(writer.open(number if len(ensemble) > self.stars_per_file else None))
                writer.append(part)
                start += len(part)
        writer.close()
        write_text(target / f"{name}.LIST", "".join(f"{h}\n" for h in heads))
        write_text(target / f"{name}.IGNORE", "")
        write_text(target / f"{name}.README", _readme(source.provenance(), difference=self.difference))

    def _bands(self, ensemble: Ensemble) -> dict[str, str]:
        return mapped_bands(ensemble.band_names, SNANA_BANDS, what="SNANA", extra=self.bands)


class _Writer:
    """The pair of files that is open."""

    def __init__(
        self, *, exporter: SnanaExporter, source: Source, target: Path, version: str, bands: dict[str, str]
    ) -> None:
        self._exporter, self._source, self._target, self._version = exporter, source, target, version
        self._bands = [bands[b].encode() for b in source.ensemble.band_names]
        self._columns, self._truth = _head_columns(source.ensemble)
        self._stack = contextlib.ExitStack()
        self._head: Any = None
        self._phot: Any = None

    def open(self, number: int | None) -> str:
        """Begin a pair; the name of its HEAD file."""
        prefix = self._version if number is None else f"{self._version}-{number + 1:04d}"
        self._phot = self._table(f"{prefix}_PHOT.FITS", prefix, "Photometry", _PHOT, {"MJD": "d"})
        self._head = self._table(f"{prefix}_HEAD.FITS", prefix, "Header", self._columns, {"RA": "deg", "DEC": "deg"})
        return f"{prefix}_HEAD.FITS"

    def _table(self, file_name: str, prefix: str, name: str, columns: dict[str, Any], units: dict[str, str]) -> Any:
        file = self._stack.enter_context(_reopened(self._target / file_name))
        write_primary(file, _cards(self._source, self._exporter.survey, self._version, self._bands, prefix))
        return FitsTable(file, name=name, columns=columns, units=units)

    def append(self, block: LightCurves) -> None:
        """Add stars to the pair."""
        block = in_time_order(block)
        counts = np.diff(block.offsets)
        n, star = len(block), block.star_index
        found = detections(block)
        first = first_per_star(block.mjd, star, found, n)
        trigger = found & (block.mjd == first[star])
        begin = self._phot.n_rows + 1 + np.concatenate([[0], np.cumsum(counts[:-1] + 1)])
        phot: Any = np.zeros(block.mjd.size + n, self._phot.dtype)
        phot["MJD"], phot["BAND"] = _END, b"-"
        rows = np.arange(block.mjd.size) + star  # one row after each star is left for its end
        names = np.array(self._bands or [b"-"], dtype="S1")
        phot["MJD"][rows], phot["BAND"][rows] = block.mjd, names[block.band_index]
        phot["PHOTFLAG"][rows] = PHOTFLAG_DETECT * found + PHOTFLAG_TRIGGER * trigger
        phot["FLUXCAL"][rows] = FLUXCAL_PER_NJY * exported_flux(block, difference=self._exporter.difference)
        phot["FLUXCALERR"][rows] = FLUXCAL_PER_NJY * np.asarray(block.flux_err, dtype=np.float64)
        self._phot.append(phot)
        values = {
            "SNID": np.asarray(block.columns["star_id"]).astype("S20"),
            "FAKE": np.full(n, 2),
            "RA": column_or_nan(block, "ra"),
            "DEC": column_or_nan(block, "dec"),
            "SNTYPE": class_codes(block) + 1,
            "NOBS": counts,
            "PTROBS_MIN": begin,
            "PTROBS_MAX": begin + counts - 1,
            "MWEBV": reddening(block),
            "PEAKMJD": np.where(np.isfinite(first), first, -9.0),
            **{name: block.columns[column] for name, column in self._truth.items()},
        }
        self._head.append(records(self._head.dtype, n, values))

    def close(self) -> None:
        """End the pair, if there is one."""
        if self._head is not None:
            self._phot.close()
            self._head.close()
            self._head = self._phot = None
            self._stack.close()


_PHOT = {"MJD": "f8", "BAND": "S1", "PHOTFLAG": "i4", "FLUXCAL": "f4", "FLUXCALERR": "f4"}


@contextlib.contextmanager
def _reopened(path: Path) -> Iterator[BinaryIO]:
    with path.open("w+b") as file:
        yield file


def _head_columns(ensemble: Ensemble) -> tuple[dict[str, Any], dict[str, str]]:
    """Types of the columns of HEAD, and which of them come from which column of the ensemble."""
    columns: dict[str, Any] = {
        "SNID": "S20",
        "FAKE": "i2",
        "RA": "f8",
        "DEC": "f8",
        "SNTYPE": "i4",
        "NOBS": "i4",
        "PTROBS_MIN": "i4",
        "PTROBS_MAX": "i4",
        "MWEBV": "f4",
        "PEAKMJD": "f8",
    }
    text = longest_text(ensemble, [n for n in _TEXT if n in ensemble.column_names])
    truth = {{"class": "SIM_TYPE_NAME", "subclass": "SIM_SUBTYPE_NAME"}[n]: n for n in text}
    columns |= {name: f"S{text[column]}" for name, column in truth.items()}
    numbers = {f"SIM_{n.upper()}": n for n in ensemble.column_names if n in PARAMETERS and n not in _OWN}
    return columns | dict.fromkeys(numbers, "f8"), truth | numbers


def _cards(
    source: Source, survey: str, version: str, bands: list[bytes], prefix: str
) -> list[tuple[str, str | int | float, str]]:
    header = source.ensemble.header
    return [
        ("SURVEY", survey, "survey"),
        ("FILTERS", b"".join(bands).decode(), "filters"),
        ("VERSION", version, "photometry version"),
        ("PHOTFILE", f"{prefix}_PHOT.FITS", "photometry file"),
        ("DATATYPE", "SIM_SNANA", "simulation"),
        ("ZP_FLUXCAL", SNANA_ZERO_POINT, "AB zero point of FLUXCAL"),
        ("PHOTFLAG_DETECT", PHOTFLAG_DETECT, "bit of a detection"),
        ("PHOTFLAG_TRIGGER", PHOTFLAG_TRIGGER, "bit of the first"),
        ("SIMLIB_FILE", header.cadence, "cadence"),
        ("LCGENVER", header.lcgen_version, "lcgen that made the stars"),
        ("LCGENMOD", header.generator, "generator"),
        ("LCGENSHA", header.checkpoint_sha256, ""),
        ("LCGENSED", header.seed, "seed"),
    ]


def _readme(provenance: dict[str, Any], *, difference: bool) -> str:
    types = ", ".join(f"{k} {name}" for k, name in enumerate(CLASSES, start=1))
    flux = "flux minus the mean flux of the star in the band" if difference else "flux of the star"
    lines = [
        "DOCUMENTATION:",
        "  PURPOSE: simulated light curves of periodic variable stars",
        "  SOURCE: lcgen (not SNANA)",
        "  NOTES:",
        f"  - FLUXCAL is the {flux}, AB zero point {SNANA_ZERO_POINT}",
        f"  - PHOTFLAG {PHOTFLAG_DETECT} is a detection, {PHOTFLAG_TRIGGER} the first of the star",
        "  - PEAKMJD is the time of the first detection, -9 without one",
        f"  - SNTYPE is the class: {types}; 0 another",
        "  - SIM_... are true parameters; NaN where the star has none",
        *(f"  {key.upper()}: {value}" for key, value in provenance.items() if key != "provenance"),
        "DOCUMENTATION_END:",
    ]
    return "\n".join(lines) + "\n"
