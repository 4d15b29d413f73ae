"""What the columns of one schedule mean, and the step from values as they are stored to visits' columns.

Shared by the readers of databases and of tables, so that a vintage is understood in one place.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CadenceError
from .bands import band_codes
from .columns import UNITS, check_mjd, find_columns, julian_to_mjd, mid_exposure, numbers, plain, require, where

__all__ = ["Columns", "Layout", "layout_of"]

Columns = dict[str, NDArray[Any]]
"""Columns by meaning, all of one length; ``band`` holds positions in :attr:`Layout.bands`."""

DROP_HINT = "; drop_missing=True leaves such visits out"
_OPTIONAL = ("sky", "airmass")
_ZTF_COLUMNS = ("fid", "filtercode", "rcid")
_AS_THEY_ARE = ("key", "visit", "field", "quadrant")
_TWO_PI, _HALF_PI = 2.0 * math.pi + 1e-9, 0.5 * math.pi + 1e-9
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """The columns of one schedule.

    Attributes
    ----------
    source : str
        For the messages.
    columns : dict of str to str
        Meaning -> column, one time among them.
    survey : str
        ``"ztf"`` where the columns are those of the Zwicky Transient Facility, ``"opsim3"`` for the operations
        simulator's version 3, or empty.
    drop_missing : bool
        Leave out rows with missing values instead of refusing them.
    bands : list of str
        The bands met so far.
    """

    source: str
    columns: dict[str, str]
    survey: str = ""
    drop_missing: bool = False
    bands: list[str] = field(default_factory=list)
    _spellings: dict[Any, int] = field(default_factory=dict)

    @property
    def detectors(self) -> bool:
        """Whether a row is one detector, not a whole visit."""
        return all(c in self.columns for c in ("x_size", "y_size", "pixel_scale")) or "quadrant" in self.columns

    @property
    def time(self) -> str:
        """Meaning of the column of times."""
        return next(t for t in ("mjd", "start", "jd", "jd_start") if t in self.columns)

    def angles(self, ra: Any, dec: Any, radians: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positions in degrees; where values are missing both are NaN or an error, as `drop_missing` says.

        Parameters
        ----------
        ra, dec : array_like
            As stored.
        radians : bool
            Whether they are in radians.

        Raises
        ------
        CadenceError
            If they are not numbers, or not on the sky.
        """
        found = [self._numbers("ra", ra), self._numbers("dec", dec)]
        lost = ~np.isfinite(found[0] + found[1])
        lon, lat = (np.where(lost, np.nan, v) for v in found)
        if lost.all():
            return lon, lat
        if radians:
            lon, lat = np.degrees(lon), np.degrees(lat)
        for name, values, low, high in (("ra", lon, -360.0, 720.0), ("dec", lat, -90.0, 90.0)):
            if np.nanmin(values) < low - 1e-9 or np.nanmax(values) > high + 1e-9:
                raise CadenceError(
                    f"{where(self.columns[name], self.source)} must lie within {low:g} to {high:g} degrees, "
                    f"received {np.nanmin(values):g} to {np.nanmax(values):g}"
                )
        return lon, np.clip(lat, -90.0, 90.0)

    def _tell_radians(self, ra: Any, dec: Any) -> bool:
        if self.survey != "opsim3" or getattr(ra, "unit", None) is not None:
            return False
        lon, lat = self._numbers("ra", ra), self._numbers("dec", dec)
        good = np.isfinite(lon + lat)
        lon, lat = np.abs(lon[good]), np.abs(lat[good])
        inside = int(((lon <= _TWO_PI) & (lat <= _HALF_PI)).sum())
        return self.in_radians(lon.size, inside, float(lon.max()) if lon.size else 0.0)

    def in_radians(self, n: int, inside: int, largest: float) -> bool:
        """Whether the positions of the whole table are in radians, as version 3 of the operations simulator wrote them.

        Parameters
        ----------
        n, inside : int
            Number of rows, and of those within 2 pi by pi / 2.
        largest : float
            Largest absolute right ascension.

        Raises
        ------
        CadenceError
            If only a part seems to be.
        """
        if self.survey != "opsim3" or n == 0:
            return False
        if inside == n:
            return True
        # a table of that vintage in degrees has hardly a row inside 2 pi by pi / 2
        if inside > 0.5 * n or (largest <= _TWO_PI and n > 100):
            raise CadenceError(
                f"{self.source}: positions seem to be partly in radians and partly in degrees: {inside} of {n} rows "
                "lie within 2 pi and pi / 2"
            )
        return False

    def clean(self, raw: Mapping[str, Any], radians: bool | None = None) -> Columns:
        """Columns ready for use: positions in degrees, times MJD at mid-exposure, bands as numbers.

        Parameters
        ----------
        raw : mapping of str to array_like
            Values by meaning, as they are stored.
        radians : bool, optional
            Whether angles are in radians; by default told from the values and the vintage.

        Raises
        ------
        CadenceError
            If values are missing, malformed or not possible.
        UnknownNameError
            If a band is not known.
        """
        out: Columns = {}
        if "ra" in raw and "dec" in raw:
            radians = self._tell_radians(raw["ra"], raw["dec"]) if radians is None else radians
            out["ra"], out["dec"] = self.angles(raw["ra"], raw["dec"], radians)
        for meaning, values in raw.items():
            if meaning in ("ra", "dec", "band"):
                continue
            if meaning in _AS_THEY_ARE:
                out[meaning] = np.asarray(values)
            elif meaning in _OPTIONAL:
                found = numbers(values, self.columns[meaning], "", self.source, missing=True)
                if np.isfinite(found).all():
                    out[meaning] = found
                else:
                    _logger.info("%s: left out, values are missing", where(self.columns[meaning], self.source))
            else:
                out[meaning] = self._numbers(meaning, values)
        if radians and "rotation" in out:
            out["rotation"] = np.degrees(out["rotation"])
        bands = _scalars(raw["band"])
        keep = self._complete(out, self._nameless(bands))
        if keep is not None:
            out = {k: v[keep] for k, v in out.items()}
            bands = list(compress(bands, keep.tolist()))
        out["band"] = self.codes(bands)
        out["mjd"] = self._mjd(out)
        return {k: v for k, v in out.items() if k not in ("start", "jd", "jd_start", "visit_time")}

    def codes(self, bands: list[Any]) -> NDArray[np.uint8]:
        """Bands as positions in :attr:`bands`."""
        source = f"{self.source}, column {self.columns['band']!r}"
        survey = "ztf" if self.survey == "ztf" else ""
        return band_codes(bands, self.bands, self._spellings, source, survey=survey)

    def _numbers(self, meaning: str, values: Any) -> NDArray[np.float64]:
        name = self.columns[meaning]
        if meaning in ("mjd", "start") and hasattr(values, "mjd") and hasattr(values, "scale"):
            values = values.mjd
        unit = UNITS.get(meaning, "")
        return numbers(values, name, unit, self.source, missing=self.drop_missing, hint=DROP_HINT)

    def _nameless(self, bands: list[Any]) -> NDArray[np.bool_] | None:
        # text that is missing is None, empty or, in a DataFrame, not a number
        if not any(b is None or b == "" or b != b for b in set(bands)):
            return None
        lost = np.array([b is None or b == "" or b != b for b in bands])
        if not self.drop_missing:
            called = where(self.columns["band"], self.source)
            raise CadenceError(f"{called} has {int(lost.sum())} of {lost.size} values missing{DROP_HINT}")
        return lost

    def _complete(self, columns: Columns, nameless: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        if not self.drop_missing:
            return None
        keep = None if nameless is None else ~nameless
        for values in columns.values():
            if values.dtype.kind == "f":
                good = np.isfinite(values)
                keep = good if keep is None else keep & good
        if keep is None or keep.all():
            return None
        _logger.info("%s: %d of %d visits left out, values are missing", self.source, int((~keep).sum()), keep.size)
        return keep

    def _mjd(self, columns: Columns) -> NDArray[np.float64]:
        times = dict(columns)
        kind = self.time
        name = self.columns[kind]
        if kind in ("jd", "jd_start"):
            times["mjd" if kind == "jd" else "start"] = julian_to_mjd(columns[kind], name, self.source)
        else:
            check_mjd(columns[kind], name, self.source)
        return mid_exposure(times)


def _scalars(values: Any) -> list[Any]:
    if np.ma.isMaskedArray(values):
        values = np.ma.filled(values, "") if values.dtype.kind in "US" else np.ma.filled(values.astype(object), "")
    if isinstance(values, (list, tuple)):
        return list(values)
    listed = values.tolist() if hasattr(values, "tolist") else list(values)
    return listed if isinstance(listed, list) else [listed]


def layout_of(
    names: Iterable[str],
    source: str,
    *,
    positions: bool = False,
    table: str = "",
    drop_missing: bool = False,
    survey: str = "",
) -> Layout:
    """The layout of a schedule with columns `names`.

    Parameters
    ----------
    names : iterable of str
        All columns.
    source : str
        For the messages.
    positions : bool
        Whether ``ra`` and ``dec`` must be there.
    table : str
        Name of the table in its database.
    drop_missing : bool
        See :class:`Layout`.
    survey : str
        The survey, where it is known already.

    Raises
    ------
    CadenceError
        If a column is missing.
    """
    names = [str(n) for n in names]
    found = find_columns(names)
    require(found, ("mjd", "band", *(("ra", "dec") if positions else ())), source, names)
    time = next(t for t in ("mjd", "start", "jd", "jd_start") if t in found)
    ztf = survey == "ztf" or any(plain(n) in _ZTF_COLUMNS for n in names)
    if ztf:
        survey = "ztf"
        # their Julian dates are those of the start (Masci et al. 2019)
        if time == "jd":
            found["jd_start"] = found.pop("jd")
            time = "jd_start"
    elif plain(found[time]) == "expmjd" or plain(table) == "summary":
        survey = "opsim3"
    for other in ("mjd", "start", "jd", "jd_start"):
        if other != time:
            found.pop(other, None)
    if not ztf:
        found.pop("quadrant", None)
    sizes = ("x_size", "y_size", "pixel_scale")
    if not all(s in found for s in sizes):
        for size in sizes:
            found.pop(size, None)
    return Layout(source=source, columns=found, survey=survey, drop_missing=drop_missing)
