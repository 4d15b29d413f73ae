"""Names that surveys and simulations give to the columns of a schedule, and how their values are read.

Names are compared without case and underscores, so that ``expMidptMJD``, ``exp_midpt_mjd`` and
``ExpMidptMjd`` are one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CadenceError, InputError, UnitError, UnknownNameError
from ..photometry import BANDS

__all__ = ["ALIASES", "band_names", "find_columns", "mid_exposure", "numbers", "require"]

ALIASES: dict[str, tuple[str, ...]] = {
    "mjd": ("expMidptMJD", "obsMidMJD", "midpointMjdTai", "mjd", "time", "epoch"),
    "start": ("observationStartMJD", "obsStartMJD", "expStartMJD", "expMJD"),
    "band": ("band", "filter", "passband", "physicalFilter"),
    "ra": ("fieldRA", "ra", "s_ra", "raDeg"),
    "dec": ("fieldDec", "dec", "s_dec", "decl", "decDeg"),
    "depth5": ("fiveSigmaDepth", "depth5", "magLim", "m5", "limMag"),
    "seeing": ("seeingFwhmEff", "seeing", "finSeeing", "fwhm"),
    "exposure_time": ("visitExposureTime", "exposureTime", "visitExpTime", "expTime"),
    "visit_time": ("visitTime",),
    "night": ("night",),
    "visit": ("visitId", "visit", "expId"),
    "x_size": ("xSize",),
    "y_size": ("ySize",),
    "pixel_scale": ("pixelScale",),
}
"""Meaning of a column -> the names understood, best first. ``start`` is the beginning of a visit."""


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def find_columns(names: Iterable[str]) -> dict[str, str]:
    """Which of the columns `names` has which meaning (a key of :data:`ALIASES`)."""
    present: dict[str, str] = {}
    for name in names:
        present.setdefault(_plain(str(name)), str(name))
    found: dict[str, str] = {}
    for meaning, aliases in ALIASES.items():
        match = next((present[_plain(a)] for a in aliases if _plain(a) in present), None)
        if match is not None:
            found[meaning] = match
    return found


def require(found: dict[str, str], meanings: Iterable[str], source: str, columns: Iterable[str]) -> None:
    """Raise unless `found` has every one of `meanings`; ``mjd`` may be met by ``start``.

    Raises
    ------
    CadenceError
        Naming the source, what is missing, the names understood and the columns there are.
    """
    for meaning in meanings:
        if meaning in found or (meaning == "mjd" and "start" in found):
            continue
        allowed = ALIASES[meaning] + (ALIASES["start"] if meaning == "mjd" else ())
        raise CadenceError(
            f"{source}: no column for {meaning!r}; understood names: {', '.join(allowed)}; "
            f"columns there: {', '.join(map(str, columns)) or 'none'}"
        )


def numbers(values: Any, name: str, unit: str, source: str = "") -> NDArray[np.float64]:
    """`values` as finite float64, from numbers, a Quantity, an astropy ``Time`` or a table column.

    Raises
    ------
    CadenceError
        If they are not numbers, or not all finite.
    UnitError
        If they have a unit that is not convertible into `unit`.
    """
    where = f"{source}: column {name!r}" if source else f"column {name!r}"
    if name == "mjd" and hasattr(values, "mjd") and hasattr(values, "scale"):
        values = values.mjd
    found_unit = getattr(values, "unit", None)
    if found_unit is not None and unit:
        from astropy import units as u

        try:
            values = u.Quantity(values).to_value(unit)
        except u.UnitConversionError:
            raise UnitError(f"{where} has unit {found_unit}, which is not convertible into {unit}") from None
    if np.ma.isMaskedArray(values) and np.ma.getmaskarray(values).any():
        raise CadenceError(f"{where} has {int(np.ma.getmaskarray(values).sum())} masked values")
    try:
        out = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise CadenceError(f"{where} must hold numbers, received {_sample(values)}") from None
    bad = ~np.isfinite(out)
    if bad.any():
        raise CadenceError(f"{where} has {int(bad.sum())} of {out.size} values that are missing or not finite")
    return out


def _sample(values: Any) -> str:
    text = repr(values)
    return text if len(text) <= 60 else text[:57] + "..."


def _band(value: Any, source: str) -> str:
    name = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    name = name.strip()
    # Rubin's physical filters are called r_57, simulated ones r_sim
    short = name.split("_")[0]
    if short in BANDS:
        return short
    if short == "Y":
        return "y"
    raise UnknownNameError("band", name, BANDS, hint=f"in {source}" if source else "")


def band_names(values: Any, n: int | None = None, source: str = "") -> NDArray[np.str_]:
    """Band names as lcgen knows them: ``r``, ``r_57`` and ``r_sim`` all become ``r``.

    Parameters
    ----------
    values : str or array_like of str, shape (n,)
        Names as the source gives them.
    n : int, optional
        Number of visits: one name is repeated so often.
    source : str
        For the messages.

    Raises
    ------
    UnknownNameError
        If a band is not known.
    InputError
        If the names are not one-dimensional.
    """
    names = np.ma.filled(values, "") if np.ma.isMaskedArray(values) else np.asarray(values)
    if names.ndim == 0 and n is not None:
        return np.full(n, _band(names[()], source))
    names = np.atleast_1d(names)
    if names.ndim != 1:
        raise InputError(f"band names must have one dimension, received shape {names.shape}")
    if names.dtype.kind == "O":
        names = np.array([x.decode(errors="replace") if isinstance(x, bytes) else str(x) for x in names])
    if names.size == 0:
        return np.array([], dtype="<U1")
    unique, inverse = np.unique(names, return_inverse=True)
    return np.array([_band(x, source) for x in unique])[inverse]


def mid_exposure(columns: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Mid-exposure times from columns by meaning.

    A mid-exposure column is taken as it is. A start is moved by half of the visit's time (exposures, shutter
    and read-out between them), or else by half of its exposure time; without either the start is taken: 15 s
    too early for a visit of 30 s.
    """
    if "mjd" in columns:
        return columns["mjd"]
    for name in ("visit_time", "exposure_time"):
        if name in columns:
            return columns["start"] + 0.5 * columns[name] / 86400.0
    return columns["start"]
