"""What MAF hands a metric, the visits of one slice point, as lcgen knows it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lcgen import InputError
from lcgen.cadence import Visits
from lcgen.cadence.bands import band_names
from lcgen.photometry import BANDS

__all__ = ["Columns", "SliceVisits", "dust_of"]

_log = logging.getLogger(__name__)
_SCHEMAS = ("band", "filter")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Names of the columns of visits that metrics read.

    Attributes
    ----------
    mjd, m5, band : str
        Start of the visit [d], five-sigma depth [mag], and filter. Schedules before version 4 call the last one
        ``filter``; :meth:`of` finds out.
    """

    mjd: str = "observationStartMJD"
    m5: str = "fiveSigmaDepth"
    band: str = "band"

    @classmethod
    def of(cls, names: Iterable[str]) -> Columns:
        """The columns of a schedule that has columns with these `names`.

        Raises
        ------
        InputError
            If it has neither ``band`` nor ``filter``.

        Examples
        --------
        >>> Columns.of(["observationStartMJD", "filter", "fiveSigmaDepth"]).band
        'filter'
        """
        known = list(names)
        for name in _SCHEMAS:
            if name in known:
                return cls(band=name)
        raise InputError(f"the schedule has no column {' or '.join(_SCHEMAS)}; it has {', '.join(known)}")

    def band_in(self, names: Iterable[str]) -> str:
        """The column of filters among `names`: this one's, or the other schema's where that is missing."""
        known = list(names)
        if self.band not in known and self.band in _SCHEMAS:
            for name in _SCHEMAS:
                if name in known:
                    return name
        return self.band


@dataclass(frozen=True, kw_only=True, eq=False)
class SliceVisits:
    """The visits of a slice point in order of time; the same visits in another order are the same object in effect.

    Attributes
    ----------
    mjd : ndarray, shape (n_visits,)
        Times [d], no two the same.
    bands : tuple of str
        Bands that occur, in order of wavelength.
    band : ndarray of int, shape (n_visits,)
        Positions in `bands`.
    depth5 : ndarray, shape (n_visits,)
        Five-sigma depths [mag].
    """

    mjd: NDArray[np.float64]
    bands: tuple[str, ...]
    band: NDArray[np.int64]
    depth5: NDArray[np.float64]

    @classmethod
    def of(cls, data: Any, columns: Columns) -> SliceVisits | None:
        """The visits of a slice; None where none has a finite time and depth.

        Parameters
        ----------
        data : structured ndarray, shape (n_visits,)
            As MAF gives it to ``metric.run``.
        columns : Columns

        Raises
        ------
        InputError
            If a column is missing.
        UnknownNameError
            If a filter is not a known band.
        """
        names = data.dtype.names or ()
        of_band = columns.band_in(names)
        missing = [name for name in (columns.mjd, columns.m5, of_band) if name not in names]
        if missing:
            raise InputError(f"visits lack the column {', '.join(missing)}; they have {', '.join(names)}")
        return cls.of_arrays(data[columns.mjd], data[of_band], data[columns.m5])

    @classmethod
    def of_arrays(cls, mjd: ArrayLike, band: ArrayLike, depth5: ArrayLike) -> SliceVisits | None:
        """Visits from columns, shape (n_visits,) each; None where none has a finite time and depth.

        Raises
        ------
        UnknownNameError
            If a filter is not a known band.
        """
        time, depth = np.asarray(mjd, dtype=float), np.asarray(depth5, dtype=float)
        usable = np.isfinite(time) & np.isfinite(depth)
        if not usable.all():
            _log.warning("%d of %d visits have no time or depth and are left out", (~usable).sum(), usable.size)
        if not usable.any():
            return None
        found, codes = np.unique(band_names(np.asarray(band)[usable]), return_inverse=True)
        order = {name: k for k, name in enumerate(sorted(found.tolist(), key=lambda b: BANDS[b].wavelength))}
        index = np.array([order[name] for name in found.tolist()], dtype=np.int64)[codes]
        time, depth = time[usable], depth[usable]
        rows = np.lexsort((depth, index, time))
        return cls(mjd=_apart(time[rows]), bands=tuple(order), band=index[rows], depth5=depth[rows])

    def __len__(self) -> int:
        return int(self.mjd.size)

    @cached_property
    def key(self) -> int:
        """A number in [0, 2^63) that stands for these visits: the same in any order, other for any other visits."""
        digest = hashlib.blake2b(digest_size=8)
        for part in (self.mjd.tobytes(), " ".join(self.bands).encode(), self.band.tobytes(), self.depth5.tobytes()):
            digest.update(part)
        return int.from_bytes(digest.digest(), "little") >> 1

    @cached_property
    def visits(self) -> Visits:
        """The visits as a cadence of lcgen."""
        columns: Mapping[str, NDArray] = {"mjd": self.mjd, "band": self.band.astype(np.uint8), "depth5": self.depth5}
        return Visits.trusted(self.bands, columns)

    def first(self, n: int) -> SliceVisits:
        """The first visits, as if there were no others."""
        return SliceVisits(mjd=self.mjd[:n], bands=self.bands, band=self.band[:n], depth5=self.depth5[:n])


def dust_of(slice_point: Mapping[str, Any]) -> float | None:
    """E(B-V) of a slice point [mag], None where no dust map has been there.

    Raises
    ------
    InputError
        If it is not a number from 0.
    """
    if slice_point.get("ebv") is None:
        return None
    value = float(np.asarray(slice_point["ebv"]).ravel()[0])
    if not (np.isfinite(value) and value >= 0):
        raise InputError(f"the dust map has E(B-V) = {value:g} at this slice point; it must be a number from 0")
    return value


def _apart(mjd: NDArray[np.float64]) -> NDArray[np.float64]:
    """Times in ascending order, none equal: by a tenth of a millisecond where they are."""
    if (np.diff(mjd) > 0).all():
        return mjd
    step = 1e-9 * np.arange(mjd.size, dtype=np.float64)
    return np.asarray(np.maximum.accumulate(mjd - step) + step, dtype=np.float64)
