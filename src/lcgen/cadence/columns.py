"""Names that surveys and simulations give to the columns of a schedule, and how their values are read.

Names are compared without case, underscores, hyphens and blanks, so that ``expMidptMJD``, ``exp_midpt_mjd`` and
``ExpMidptMjd`` are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CadenceError, UnitError

__all__ = [
    "ALIASES",
    "UNITS",
    "check_mjd",
    "find_columns",
    "julian_to_mjd",
    "mid_exposure",
    "numbers",
    "plain",
    "require",
    "where",
]

ALIASES: dict[str, tuple[str, ...]] = {
    "mjd": ("expMidptMJD", "obsMidMJD", "midpointMjdTai", "mjd", "time", "epoch"),
    "start": ("observationStartMJD", "obsStartMJD", "expStartMJD", "expMJD", "obsMJD"),
    "jd": ("jd", "hjd", "bjd", "HJD-2450000", "JD-2450000", "jdMid"),
    "jd_start": ("obsJD", "jdStart"),
    "band": ("filtercode", "fid", "band", "filter", "passband", "physicalFilter", "filt", "filterName", "filterId"),
    "ra": ("fieldRA", "ra", "s_ra", "raDeg", "boresightRA"),
    "dec": ("fieldDec", "dec", "s_dec", "decl", "decDeg", "boresightDec"),
    "depth5": (
        *("fiveSigmaDepth", "depth5", "magLim", "m5", "magLimit", "sciMagLim"),
        *("limMag", "limitingMag", "magLimCat", "diffMagLim"),
    ),
    "seeing": ("seeingFwhmEff", "FWHMeff", "seeing", "finSeeing", "sciInpSeeing", "fwhm"),
    "sky": ("skyBrightness", "filtSkyBrightness"),
    "airmass": ("airmass",),
    "exposure_time": ("visitExposureTime", "exposureTime", "visitExpTime", "expTime"),
    "visit_time": ("visitTime",),
    "night": ("night", "dayObs", "nid"),
    "visit": ("visitId", "visit", "obsHistID", "expId", "exposureId"),
    "rotation": ("rotSkyPos", "skyRotation"),
    "x_size": ("xSize",),
    "y_size": ("ySize",),
    "pixel_scale": ("pixelScale",),
    "quadrant": ("rcid", "qid"),
    "field": ("field", "fieldId", "fieldName", "targetName"),
}
"""Meaning of a column -> the names understood, best first. ``start`` and ``jd_start`` are beginnings of visits."""

UNITS: dict[str, str] = {
    "mjd": "d",
    "start": "d",
    "jd": "d",
    "jd_start": "d",
    "ra": "deg",
    "dec": "deg",
    "depth5": "mag",
    "seeing": "arcsec",
    "exposure_time": "s",
    "visit_time": "s",
    "rotation": "deg",
}
_TIMES = ("mjd", "start", "jd", "jd_start")
# No survey reaches this MJD; a Julian date exceeds it. It is the commonest mix-up of time scales.
LATEST_MJD = 1.0e6
_FIRST_JD, _LAST_REDUCED = 2.4e6, 3.0e4


def plain(name: str) -> str:
    """A column's name without case, underscores, hyphens and blanks."""
    return re.sub(r"[\s_\-]", "", name).lower()


def find_columns(names: Iterable[str]) -> dict[str, str]:
    """Which of the columns `names` has which meaning (a key of :data:`ALIASES`).

    Examples
    --------
    >>> find_columns(["exp_midpt_mjd", "Filter"])
    {'mjd': 'exp_midpt_mjd', 'band': 'Filter'}
    """
    present: dict[str, str] = {}
    for name in names:
        present.setdefault(plain(str(name)), str(name))
    found: dict[str, str] = {}
    for meaning, aliases in ALIASES.items():
        match = next((present[plain(a)] for a in aliases if plain(a) in present), None)
        if match is not None:
            found[meaning] = match
    return found


def require(found: Mapping[str, str], meanings: Iterable[str], source: str, columns: Iterable[str]) -> None:
    """Raise unless `found` has every one of `meanings`; ``mjd`` may be met by any time.

    Raises
    ------
    CadenceError
        Naming the source, what is missing, the names understood and the columns there are.
    """
    for meaning in meanings:
        if meaning in found or (meaning == "mjd" and any(t in found for t in _TIMES)):
            continue
        kinds = _TIMES if meaning == "mjd" else (meaning,)
        allowed = [a for kind in kinds for a in ALIASES[kind]]
        raise CadenceError(
            f"{source}: no column for {meaning!r}; understood names: {', '.join(allowed)}; "
            f"columns there: {', '.join(map(str, columns)) or 'none'}"
        )


def where(name: str, source: str) -> str:
    """How messages call a column."""
    return f"{source}: column {name!r}" if source else f"column {name!r}"


def numbers(
    values: Any, name: str, unit: str, source: str = "", *, missing: bool = False, hint: str = ""
) -> NDArray[np.float64]:
    """`values` as finite float64, from numbers, a Quantity, an astropy ``Time`` or a table column.

    Parameters
    ----------
    values : array_like
        The values.
    name, source : str
        For the messages.
    unit : str
        Unit to convert quantities into; none where empty.
    missing : bool
        Let missing values through, as NaN.
    hint : str
        What a caller can do about missing values.

    Raises
    ------
    CadenceError
        If they are not numbers, or not all finite.
    UnitError
        If they have a unit that is not convertible into `unit`.
    """
    called = where(name, source)
    if name == "mjd" and hasattr(values, "mjd") and hasattr(values, "scale"):
        values = values.mjd
    found_unit = getattr(values, "unit", None)
    if found_unit is not None and unit:
        from astropy import units as u

        try:
            values = u.Quantity(values).to_value(unit)
        except u.UnitConversionError:
            raise UnitError(f"{called} has unit {found_unit}, which is not convertible into {unit}") from None
        except TypeError:
            raise CadenceError(f"{called} must hold numbers, received {_sample(values)}") from None
    if np.ma.isMaskedArray(values) and np.ma.getmaskarray(values).any():
        if not missing:
            masked = int(np.ma.getmaskarray(values).sum())
            raise CadenceError(f"{called} has {masked} of {np.size(values)} values masked{hint}")
        values = np.ma.filled(np.ma.asarray(values).astype(np.float64), np.nan)
    try:
        out = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise CadenceError(f"{called} must hold numbers, received {_sample(values)}") from None
    if missing:
        return np.where(np.isfinite(out), out, np.nan)
    bad = ~np.isfinite(out)
    if bad.any():
        raise CadenceError(f"{called} has {int(bad.sum())} of {out.size} values that are missing or not finite{hint}")
    return out


def _sample(values: Any) -> str:
    """The first value that is no number, or else all of them, shortened."""
    listed = values.tolist() if hasattr(values, "tolist") else values
    text = repr(listed)
    if isinstance(listed, (list, tuple)):
        text = next((repr(v) for v in listed if not _is_number(v)), text)
    return text if len(text) <= 60 else text[:57] + "..."


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return value is None
    return True


def julian_to_mjd(values: NDArray[np.float64], name: str, source: str = "") -> NDArray[np.float64]:
    """MJD from Julian dates (above 2,400,000) or from such minus 2,450,000 (below 30,000), told by their size.

    Raises
    ------
    CadenceError
        If the values are neither, or both.
    """
    low, high = (float(values.min()), float(values.max())) if values.size else (_FIRST_JD, _FIRST_JD)
    if low >= _FIRST_JD and high < _FIRST_JD + LATEST_MJD:
        return values - 2400000.5
    if low > 0 and high < _LAST_REDUCED:
        return values + 49999.5
    raise CadenceError(
        f"{where(name, source)} must hold Julian dates (above 2400000) or Julian dates minus 2450000 (0 to 30000), "
        f"received {low:g} to {high:g}"
    )


def check_mjd(values: NDArray[np.float64], name: str, source: str = "") -> NDArray[np.float64]:
    """`values`, unless they look like Julian dates.

    Raises
    ------
    CadenceError
        If a value exceeds any MJD of a survey.
    """
    if values.size and values.max() > LATEST_MJD:
        raise CadenceError(
            f"{where(name, source)} reaches {values.max():.1f}, which looks like a Julian date; subtract 2400000.5"
        )
    return values


def mid_exposure(columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Mid-exposure times from columns by meaning, all of them MJD.

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
