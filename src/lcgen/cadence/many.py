"""The visits of many stars under any cadence."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CadenceError
from .visits import BatchCadence, Cadence, Visits

__all__ = ["visits_of_stars"]


def visits_of_stars(
    cadence: Cadence, ra: ArrayLike, dec: ArrayLike, *, seed: int = 0, index: ArrayLike | None = None
) -> list[Visits | None]:
    """The visits of many stars, at once where the cadence can do that.

    Parameters
    ----------
    cadence : Cadence
        Any.
    ra, dec : array_like, shape (n_stars,)
        Positions [deg, ICRS]; NaN where a star has none.
    seed : int
        Seed of what is random in the cadence.
    index : array_like of int, shape (n_stars,), optional
        Indices of the stars; 0, 1, 2 ... by default.

    Returns
    -------
    list of Visits or None
        None for a star without a visit, under a cadence with ``outside = "empty"``.

    Raises
    ------
    CadenceError
        If stars have no visit and the cadence does not say that they may be kept; it says how many.
    InputError
        If the cadence needs positions that stars do not have.

    Examples
    --------
    >>> from lcgen.cadence import from_arrays
    >>> len(visits_of_stars(from_arrays([60000.0, 60001.0], "r"), [10.0, 20.0, 30.0], [0.0, 0.0, 0.0]))
    3
    """
    lon, lat = (np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (ra, dec))
    indices = np.arange(lon.size) if index is None else np.atleast_1d(np.asarray(index, dtype=np.int64))
    if not cadence.per_star:
        return [cadence.visits(seed=seed)] * lon.size if lon.size else []
    if _takes_many(cadence):
        found = list(cadence.visits_many(lon, lat, seed=seed, index=indices))
        _check(cadence, found, lon, lat, indices)
        return found
    return [
        cadence.visits(
            ra=float(lon[i]) if np.isfinite(lon[i]) else None,
            dec=float(lat[i]) if np.isfinite(lat[i]) else None,
            seed=seed,
            index=int(indices[i]),
        )
        for i in range(lon.size)
    ]


def _takes_many(cadence: Cadence) -> TypeGuard[BatchCadence]:
    # an object of somebody else's may have a method of that name for other purposes
    many = getattr(cadence, "visits_many", None)
    if not callable(many):
        return False
    try:
        taken = inspect.signature(many).parameters
    except (TypeError, ValueError):
        return False
    return {"seed", "index"} <= taken.keys() or any(p.kind is p.VAR_KEYWORD for p in taken.values())


def _check(
    cadence: BatchCadence,
    found: Sequence[Visits | None],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    indices: NDArray[np.int64],
) -> None:
    if len(found) != lon.size:
        raise CadenceError(f"{cadence.name}: visits_many gave {len(found)} results for {lon.size} stars")
    without = [i for i, v in enumerate(found) if v is None]
    if without and getattr(cadence, "outside", "raise") != "empty":
        i = without[0]
        raise CadenceError(
            f"{cadence.name}: {len(without)} of {lon.size} stars have no visit, the first is star {int(indices[i])} "
            f"at ra={lon[i]:.4f}, dec={lat[i]:.4f}; choose positions inside the footprint, or outside='empty' in the "
            "reader to keep such stars without observations"
        )
