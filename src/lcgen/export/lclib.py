"""SNANA's LCLIB: folded model curves in all filters, which a simulation then observes.

Format: SNANA, ``genmag_LCLIB.c`` (https://github.com/RickKessler/SNANA) and its manual, section "LCLIB model".
"""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TextIO

import numpy as np
from numpy.typing import NDArray

from ..ensemble import Ensemble
from ..errors import InputError
from ..photometry import band_info
from ..stars import Stars
from ..taxonomy import CLASSES, PARAMETERS
from ._files import new_file
from ._values import mapped_bands
from .base import Source
from .snana import SNANA_BANDS

__all__ = ["LclibExporter", "write_lclib"]

# SNANA reads the names into 60 characters, and a line into 200
_PARAMETERS = ("STAR_ID", "CLASS", "PERIOD", "TEFF", "ABS_MAG", "FE_H", "LOGG", "AMPLITUDE")
_UNKNOWN = -999.0
# arithmetic in single precision may depend a little on how many stars go through a network at once
_SAME = 1e-6
_PLAIN_OPTIONS = {"temper", "extrapolate"}
_PLACED = ("distance", "a_v", "ra", "dec")


@dataclass(frozen=True, kw_only=True)
class LclibExporter:
    """One text file with a folded, noise-free curve of each star in each filter.

    An ensemble has observations, not curves, so its stars are drawn again by the generator that made them, which gives
    the same stars; that they are the same is checked. This cannot be done where parameters were given star by star
    (use :func:`write_lclib` there), nor for irregular stars, which do not repeat.

    Attributes
    ----------
    n_phase : int
        Rows of a cycle, one more closes it.
    survey : str
        SURVEY of the header.
    filters : str
        Bands, separated by commas; those of the ensemble by default.
    bands : str
        Names of bands, one character each, where they shall differ from SNANA's usual ones: ``BP=b,RP=p``.
    model : str
        The generator where it is not bundled with lcgen: the folder of a trained model.
    """

    name: ClassVar[str] = "lclib"
    folder: ClassVar[bool] = False

    n_phase: int = 128
    survey: str = "LSST"
    filters: str = ""
    bands: str = ""
    model: str = ""

    def check(self, ensemble: Ensemble) -> None:
        _check_rows(self.n_phase)
        _letters(self._filters(ensemble), self.bands)
        record = ensemble.header.provenance
        if record.get("irregular"):
            raise InputError("an LCLIB of recurring stars needs stars that repeat; this ensemble was made irregular")
        options = set(record.get("draw_options", {})) - {"sky", "dust"} - _PLAIN_OPTIONS
        if "given_fingerprint" in record or options or "mean_mag" not in record:
            raise InputError(
                "the stars of this ensemble cannot be drawn again from what the file says "
                "(parameters or options were given that it does not hold); use lcgen.export.write_lclib(stars, path)"
            )

    def write(self, source: Source, target: Path, name: str) -> None:
        from .. import load_generator

        header = source.ensemble.header
        generator = load_generator(self.model or header.generator)
        found = getattr(generator, "sha256", None)
        if header.checkpoint_sha256 and found != header.checkpoint_sha256:
            raise InputError(
                f"the generator {self.model or header.generator!r} is not the one that made the ensemble: its weights "
                f"have the sha256 {found}, those of the ensemble {header.checkpoint_sha256}; name the right one with "
                "the option model"
            )
        bands = self._filters(source.ensemble)
        drawn = (_redrawn(generator, source.ensemble, block.columns) for block in source.blocks())
        comments = [f"{k}: {v}" for k, v in source.provenance().items() if k != "provenance"]
        with _text(target, name) as file:
            _write(file, drawn, len(source.ensemble), bands, self.n_phase, self.survey, self.bands, comments)

    def _filters(self, ensemble: Ensemble) -> tuple[str, ...]:
        return tuple(f.strip() for f in self.filters.split(",") if f.strip()) or ensemble.band_names


def write_lclib(
    stars: Stars,
    path: str | os.PathLike[str],
    *,
    filters: Sequence[str] = ("u", "g", "r", "i", "z", "y"),
    n_phase: int = 128,
    survey: str = "LSST",
    bands: str = "",
    overwrite: bool = False,
) -> Path:
    """Write the folded curves of stars as an LCLIB, RECUR-PERIODIC.

    Parameters
    ----------
    stars : Stars
        From :meth:`lcgen.LightCurveGenerator.draw`.
    path : path-like
        The file; compressed where it ends in ``.gz``. LightCurveLynx wants ``.dat``, ``.txt``, ``.text`` or ``.gz``.
    filters : sequence of str
        Bands.
    n_phase : int
        Rows of a cycle, one more closes it.
    survey : str
        SURVEY of the header.
    bands : str
        Names of bands, one character each, where they shall differ from SNANA's usual ones: ``BP=b,RP=p``.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InputError
        If there is no star, a name or number is wrong, or the file exists.

    Examples
    --------
    >>> write_lclib(gen.draw("RRLYR", 100, params={"mean_mag": 20.0}), "rrlyr.dat")  # doctest: +SKIP
    """
    path = Path(path)
    _check_rows(n_phase)
    _letters(filters, bands)
    if not len(stars):
        raise InputError("there are no stars to write")
    with new_file(path, overwrite=overwrite) as target, _text(target, path.name) as file:
        _write(file, [stars], len(stars), filters, n_phase, survey, bands, [f"seed: {stars.seed}"])
    return path


def _redrawn(generator: Any, ensemble: Ensemble, columns: Mapping[str, NDArray]) -> Stars:
    """The stars that the generator makes under the ids of these, which must be these."""
    header = ensemble.header
    ids = np.asarray(columns["star_id"])
    options = {k: v for k, v in header.provenance.get("draw_options", {}).items() if k in _PLAIN_OPTIONS}
    names = _PLACED if header.provenance["mean_mag"] is None else ("mean_mag", "a_v", "ra", "dec")
    params = {n: columns[n] for n in names if n in columns}
    stars = generator.draw(columns["class"], ids.size, params=params, seed=header.seed, first_id=int(ids[0]), **options)
    for name, values in columns.items():
        if name not in PARAMETERS and name not in ("star_id", "subclass"):
            continue
        mine = np.asarray(stars.columns.get(name, values))
        same = (
            np.isclose(mine, values, rtol=_SAME, atol=_SAME, equal_nan=True)
            if values.dtype.kind == "f"
            else mine == values
        )
        if not np.all(same):
            star = int(np.flatnonzero(~same)[0])
            raise InputError(
                f"star {ids[star]} of {ensemble.path} is not drawn again as it was: {name} was {values[star]}, is now "
                f"{mine[star]}; use lcgen.export.write_lclib(stars, path)"
            )
    return stars


def _write(
    file: TextIO,
    parts: Iterable[Stars],
    n_stars: int,
    bands: Sequence[str],
    n_phase: int,
    survey: str,
    names: str,
    comments: Sequence[str],
) -> None:
    letters = _letters(bands, names)
    file.write(
        "DOCUMENTATION:\n"
        "  PURPOSE: folded model curves of periodic variable stars, made by lcgen\n"
        "  USAGE_KEY: GENMODEL\n"
        "  NOTES:\n"
        "  - AB magnitudes without noise, with the extinction of the star where it has one\n"
        "  - time zero is phase zero of the star; the last row repeats the first\n"
        f"  - CLASS: {', '.join(f'{k} {c}' for k, c in enumerate(CLASSES, start=1))}\n"
        f"  - {_UNKNOWN:g} stands for an unknown parameter\n"
        "DOCUMENTATION_END:\n"
        f"SURVEY: {survey}\nFILTERS: {letters}\nMODEL: LCGEN\n"
        f"MODEL_PARNAMES: {','.join(_PARAMETERS)}\nRECUR_CLASS: RECUR-PERIODIC\nNEVENT: {n_stars}\n\n"
    )
    file.writelines(f"COMMENT: {line.replace(chr(10), ' ')}\n" for line in comments)
    for stars in parts:
        for lines in _events(stars, bands, n_phase):
            file.write(lines)


def _events(stars: Stars, bands: Sequence[str], n_phase: int) -> Iterable[str]:
    """The text of each star."""
    curves = np.empty((len(stars), n_phase + 1, len(bands)))
    for k, band in enumerate(bands):
        curve = stars.template(n_phase, band) + stars.mean_magnitude(band)[:, None] + band_info(band).ab_minus_system
        curves[:, :-1, k], curves[:, -1, k] = curve, curve[:, 0]
    table = _parameter_table(stars)
    period = np.asarray(stars.columns["period"], dtype=float)
    position = [np.asarray(stars.columns.get(k, np.full(len(stars), np.nan)), dtype=float) for k in ("ra", "dec")]
    phase = np.arange(n_phase + 1) / n_phase
    pattern = "S: %.7f" + " %.5f" * len(bands)
    for i, star_id in enumerate(np.asarray(stars.columns["star_id"]).tolist()):
        # SNANA takes 999 as "no position"
        ra, dec = (float(p[i]) if np.isfinite(p[i]) else 999.0 for p in position)
        values = ",".join([str(star_id), *(f"{v:.9g}" for v in table[i])])
        rows = np.column_stack([phase * period[i], curves[i]]).tolist()
        body = "\n".join(pattern % tuple(row) for row in rows)
        yield (
            f"\nSTART_EVENT: {star_id}\nNROW: {n_phase + 1} RA: {ra:.6f} DEC: {dec:.6f}\nPARVAL: {values}\n"
            f"{body}\nEND_EVENT: {star_id}\n"
        )


def _parameter_table(stars: Stars) -> NDArray[np.float64]:
    """Parameters after STAR_ID, shape (n_stars, n_parameters)."""
    names = np.asarray(stars.columns["class"]).astype(str)
    out = [np.array([CLASSES.index(c) + 1 if c in CLASSES else 0 for c in names.tolist()], dtype=float)]
    for name in _PARAMETERS[2:]:
        values = np.asarray(stars.columns.get(name.lower(), np.full(len(stars), np.nan)), dtype=float)
        out.append(np.where(np.isfinite(values), values, _UNKNOWN))
    return np.stack(out, axis=1)


def _letters(bands: Sequence[str], names: str) -> str:
    if not bands:
        raise InputError("an LCLIB needs at least one band")
    mapped = mapped_bands(bands, SNANA_BANDS, what="SNANA", extra=names)
    for band, letter in mapped.items():
        band_info(band)
        if len(letter) != 1 or not letter.isascii():
            raise InputError(f"SNANA's filters have names of one character, received {letter!r} for the band {band}")
    return "".join(mapped.values())


def _check_rows(n_phase: int) -> None:
    if n_phase < 2:
        raise InputError(f"n_phase must be at least 2, received {n_phase}")


def _text(path: Path, name: str) -> TextIO:
    if name.lower().endswith(".gz"):
        # no time in it: equal content, equal file
        return io.TextIOWrapper(gzip.GzipFile(path, "wb", mtime=0), encoding="ascii", errors="replace", newline="\n")
    return path.open("w", encoding="ascii", errors="replace", newline="\n")
