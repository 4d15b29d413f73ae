"""The visits of many stars as flat arrays, star after star."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .observe.depth import five_sigma_depth

if TYPE_CHECKING:  # pragma: no cover
    from .cadence import Visits

__all__ = ["VisitRows", "check_times", "visit_rows"]

_LSST = ("u", "g", "r", "i", "z", "y")


@dataclass(frozen=True, kw_only=True, eq=False)
class VisitRows:
    """Visits of stars.

    Attributes
    ----------
    mjd : ndarray, shape (n_obs,)
    filters : tuple of str
        Filters that occur.
    filter_index : ndarray of uint8, shape (n_obs,)
    depth5 : ndarray, shape (n_obs,), or None
        Five-sigma depths [mag]; None where some visits have none.
    counts : ndarray of int64, shape (n_stars,)
        Visits of each star.
    visits : sequence of Visits
        What they were made from, one a star that has visits; empty for plain times.
    """

    mjd: NDArray[np.float64]
    filters: tuple[str, ...]
    filter_index: NDArray[np.uint8]
    depth5: NDArray[np.float64] | None
    counts: NDArray[np.int64]
    visits: Sequence[Visits] = ()

    def column(self, name: str) -> NDArray[np.float64] | None:
        """A column of all visits, shape (n_obs,); None where some have none."""
        if not self.visits or any(getattr(v, name) is None for v in self.visits):
            return None
        return np.concatenate([getattr(v, name) for v in self.visits])


def visit_rows(cadence: Any, columns: Mapping[str, NDArray], seed: int) -> VisitRows:
    """The visits of stars under a cadence.

    A schedule of LSST without depths, but with sky brightness, seeing, airmass and exposure time, gets the depths that
    follow from these (:func:`lcgen.observe.five_sigma_depth`, the system as built).

    Parameters
    ----------
    cadence : array_like, list of arrays, cadence
        As :meth:`lcgen.Stars.observe` takes it.
    columns : mapping of str to ndarray, shape (n_stars,)
        ``star_id``, ``ra``, ``dec``.
    seed : int
        Seed of random cadences.

    Raises
    ------
    InputError, CadenceError
        If times are not finite, or the cadence cannot be read.
    """
    ids = np.asarray(columns["star_id"])
    plain = _plain_times(cadence, ids.size)
    if plain is not None:
        mjd, counts = plain
        index = np.zeros(mjd.size, dtype=np.uint8)
        return VisitRows(mjd=mjd, filters=("V",), filter_index=index, depth5=None, counts=counts)
    from .cadence import as_cadence, visits_of_stars

    ra, dec = (np.asarray(columns[k], dtype=float) for k in ("ra", "dec"))
    found = visits_of_stars(as_cadence(cadence), ra, dec, seed=seed, index=ids)
    parts = [p for p in found if p is not None]
    counts = np.array([0 if p is None else len(p) for p in found], dtype=np.int64)
    if not parts:
        nothing = np.empty(0, dtype=np.uint8)
        return VisitRows(mjd=np.empty(0), filters=("V",), filter_index=nothing, depth5=None, counts=counts)
    different = {id(p): p for p in parts}
    names = tuple(dict.fromkeys(b for p in different.values() for b in p.bands))
    index_of = {k: p.band_index(names).astype(np.uint8) for k, p in different.items()}
    depth_of = {k: _depths(p) for k, p in different.items()}
    depths = [depth_of[id(p)] for p in parts]
    known = [d for d in depths if d is not None]
    return VisitRows(
        mjd=np.concatenate([p.mjd for p in parts]),
        filters=names,
        filter_index=np.concatenate([index_of[id(p)] for p in parts]),
        depth5=np.concatenate(known) if len(known) == len(depths) else None,
        counts=counts,
        visits=parts,
    )


def _depths(visits: Visits) -> NDArray[np.float64] | None:
    if visits.depth5 is not None:
        return visits.depth5
    sky, seeing, airmass, exposure = visits.sky, visits.seeing, visits.airmass, visits.exposure_time
    if sky is None or seeing is None or airmass is None or exposure is None or not set(visits.bands) <= set(_LSST):
        return None
    return five_sigma_depth(
        visits.band, sky=sky, seeing=seeing, airmass=airmass, exposure_time=exposure, system="smtn002"
    )


def check_times(times: Any) -> NDArray[np.float64]:
    """Times as MJD, from numbers, a Quantity or an astropy ``Time``, shape (n,).

    Raises
    ------
    InputError
        If they are not one-dimensional, finite and there.
    UnitError
        If they have a unit that is not one of time.
    """
    mask = getattr(times, "mask", False)  # converting a masked array drops the mask in silence
    if not callable(mask) and np.any(mask):
        raise InputError(f"times are masked: {int(np.sum(mask))} of {np.size(mask)}")
    unit = getattr(times, "unit", None)
    if unit is not None:
        from .params import days

        times = days(times)
    if hasattr(times, "mjd"):  # astropy.time.Time
        times = times.mjd
    try:
        mjd = np.atleast_1d(np.asarray(times, dtype=float))
    except (TypeError, ValueError) as error:
        raise InputError(f"times must be numbers (MJD), received {times!r:.80}") from error
    if mjd.ndim != 1:
        raise InputError(f"times must be one-dimensional, received shape {mjd.shape}")
    if not np.isfinite(mjd).all():
        raise InputError(f"times must be finite, received {mjd[~np.isfinite(mjd)][0]}")
    if mjd.size == 0:
        raise InputError("times are empty")
    if np.abs(mjd).max() > 1e7:
        raise InputError(f"times are MJD [d], received {mjd[np.abs(mjd).argmax()]:g}")
    return mjd


def _plain_times(cadence: Any, n: int) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    """Times and counts where `cadence` is plain numbers, for all stars or as a list of one array a star."""
    if isinstance(cadence, (list, tuple)) and len(cadence) and all(np.ndim(c) == 1 for c in cadence):
        if any(np.asarray(c).dtype.kind in "US" for c in cadence):
            return None  # (mjd, band): a schedule
        if len(cadence) != n:
            raise InputError(f"a list of times needs one array a star: {len(cadence)} arrays for {n} stars")
        arrays = [check_times(c) for c in cadence]
        return np.concatenate(arrays), np.array([a.size for a in arrays], dtype=np.int64)
    if hasattr(cadence, "visits") or isinstance(cadence, (str, Mapping)) or hasattr(cadence, "__fspath__"):
        return None
    if hasattr(cadence, "colnames") or hasattr(cadence, "columns"):
        return None
    is_numeric = hasattr(cadence, "mjd") and not hasattr(cadence, "band")
    if not is_numeric:
        try:
            is_numeric = np.asarray(cadence).dtype.kind in "fiu"
        except (TypeError, ValueError):
            is_numeric = False
    if not is_numeric:
        return None
    mjd = check_times(cadence)
    return np.tile(mjd, n), np.full(n, mjd.size, dtype=np.int64)
