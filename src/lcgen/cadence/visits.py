"""Visits: when a star is looked at, in which band and how deeply; and what a cadence is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CadenceError, UnknownNameError
from .bands import band_names
from .columns import check_mjd, numbers

__all__ = ["BatchCadence", "Cadence", "FixedCadence", "Visits", "from_arrays"]

_UNITS = {"depth5": "mag", "seeing": "arcsec", "exposure_time": "s", "sky": "", "airmass": ""}
_POSITIVE = ("seeing", "exposure_time", "airmass")


@dataclass(frozen=True, kw_only=True, eq=False)
class Visits:
    """Visits in order of time.

    Attributes
    ----------
    mjd : ndarray of float64, shape (n,)
        Mid-exposure times [d], ascending. Unsorted input is sorted, all columns together.
    band : ndarray of str, shape (n,)
        Passband of each visit, a key of :data:`lcgen.photometry.BANDS`; one name stands for all visits.
    depth5 : ndarray of float64, shape (n,), optional
        Magnitude of a point source at five sigma [mag].
    seeing : ndarray of float64, shape (n,), optional
        Full width at half maximum [arcsec].
    exposure_time : ndarray of float64, shape (n,), optional
        Open-shutter time [s].
    night : ndarray of int64, shape (n,), optional
        Number of the night; visits with equal numbers belong to one night.
    sky : ndarray of float64, shape (n,), optional
        Brightness of the sky [mag / arcsec^2].
    airmass : ndarray of float64, shape (n,), optional
        Airmass.

    Raises
    ------
    CadenceError
        If there is no visit, columns differ in length, or a value is not finite or not possible.
    UnknownNameError
        If a band is not known.

    Examples
    --------
    >>> v = Visits(mjd=[60001.0, 60000.0], band=["r", "g"])
    >>> len(v), v.bands, v.mjd.tolist()
    (2, ('g', 'r'), [60000.0, 60001.0])
    """

    mjd: NDArray[np.float64]
    band: NDArray[np.str_]
    depth5: NDArray[np.float64] | None = None
    seeing: NDArray[np.float64] | None = None
    exposure_time: NDArray[np.float64] | None = None
    night: NDArray[np.int64] | None = None
    sky: NDArray[np.float64] | None = None
    airmass: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        mjd = np.atleast_1d(numbers(self.mjd, "mjd", "d"))
        if mjd.ndim != 1:
            raise CadenceError(f"column 'mjd' must have one dimension, received shape {mjd.shape}")
        if mjd.size == 0:
            raise CadenceError("a schedule needs at least one visit, received none")
        check_mjd(mjd, "mjd")
        columns: dict[str, NDArray[Any]] = {"mjd": mjd, "band": band_names(self.band, mjd.size)}
        for name, unit in _UNITS.items():
            if getattr(self, name) is not None:
                columns[name] = np.atleast_1d(numbers(getattr(self, name), name, unit))
        for name in _POSITIVE:
            if name in columns and (columns[name] <= 0).any():
                raise CadenceError(f"column {name!r} must be positive, received {columns[name].min():g}")
        if self.night is not None:
            columns["night"] = np.atleast_1d(numbers(self.night, "night", "")).astype(np.int64)
        order = np.argsort(mjd, kind="stable")
        for name, column in columns.items():
            if column.shape != mjd.shape:
                raise CadenceError(f"column {name!r} has {column.size} values for {mjd.size} times")
            column = column[order]
            column.flags.writeable = False
            object.__setattr__(self, name, column)

    @classmethod
    def trusted(cls, names: Sequence[str], columns: Mapping[str, NDArray[Any]]) -> Visits:
        """Visits from columns that a reader has checked: nothing is looked at but the signs of columns.

        Parameters
        ----------
        names : sequence of str
            Bands.
        columns : mapping of str to ndarray, shape (n,)
            Columns by name, in order of time; ``band`` holds positions in `names`. They are not copied.

        Raises
        ------
        CadenceError
            If a column that must be positive is not.
        """
        for name in _POSITIVE:
            if name in columns and columns[name].size and columns[name].min() <= 0:
                raise CadenceError(f"column {name!r} must be positive, received {columns[name].min():g}")
        new = object.__new__(cls)
        codes = columns["band"]
        table = _table_of(tuple(names))
        for name in cls.__dataclass_fields__:
            values = table[codes] if name == "band" else columns.get(name)
            if name == "night" and values is not None:
                values = values.astype(np.int64, copy=False)
            if values is not None:
                values = values.view()
                values.flags.writeable = False
            object.__setattr__(new, name, values)
        object.__setattr__(new, "_codes", (tuple(names), codes))
        return new

    def __len__(self) -> int:
        return self.mjd.size

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands that occur, in alphabetical order."""
        known: tuple[tuple[str, ...], NDArray[np.integer]] | None = getattr(self, "_codes", None)
        if known is None:
            return tuple(np.unique(self.band).tolist())
        names, codes = known
        return tuple(sorted(names[i] for i in np.flatnonzero(np.bincount(codes)).tolist()))

    def band_index(self, names: Sequence[str]) -> NDArray[np.uint8]:
        """Position of each visit's band in `names`, shape (n,).

        Raises
        ------
        UnknownNameError
            If a visit has a band that is not in `names`.
        """
        missing = [b for b in self.bands if b not in names]
        if missing:
            raise UnknownNameError("band", missing[0], names)
        known: tuple[tuple[str, ...], NDArray[np.integer]] | None = getattr(self, "_codes", None)
        if known is not None:
            place = {b: i for i, b in enumerate(names)}
            return np.array([place.get(b, 0) for b in known[0]], dtype=np.uint8)[known[1]]
        found, inverse = np.unique(self.band, return_inverse=True)
        return np.array([list(names).index(b) for b in found.tolist()], dtype=np.uint8)[inverse]

    def select(self, mask: ArrayLike) -> Visits:
        """The visits that a boolean mask or index array picks.

        Raises
        ------
        CadenceError
            If nothing is left, or the mask does not fit.
        """
        rows = np.asarray(mask)
        if rows.dtype == bool and rows.shape != self.mjd.shape:
            raise CadenceError(f"a mask of shape {rows.shape} does not fit {len(self)} visits")
        if rows.dtype == bool and not rows.any():
            raise CadenceError(f"the selection leaves none of {len(self)} visits")
        picked: dict[str, Any] = {
            name: None if getattr(self, name) is None else getattr(self, name)[rows]
            for name in self.__dataclass_fields__
        }
        return Visits(**picked)


@lru_cache(maxsize=64)
def _table_of(names: tuple[str, ...]) -> NDArray[np.str_]:
    return np.array(names)


@runtime_checkable
class Cadence(Protocol):
    """What lcgen asks of a cadence; any object with these four members will do.

    Attributes
    ----------
    name : str
        What to call it in files and messages.
    bands : tuple of str
        The bands that its visits may have.
    per_star : bool
        Whether the visits depend on the star. Where they do not, `visits` is called once.
    """

    @property
    def name(self) -> str: ...

    @property
    def bands(self) -> tuple[str, ...]: ...

    @property
    def per_star(self) -> bool: ...

    def visits(self, *, ra: float | None = None, dec: float | None = None, seed: int = 0, index: int = 0) -> Visits:
        """The visits of one star.

        Parameters
        ----------
        ra, dec : float, optional
            Position [deg, ICRS].
        seed : int
            Seed of what is random in the cadence.
        index : int
            Index of the star; with the seed it names the random stream.
        """
        ...


@runtime_checkable
class BatchCadence(Cadence, Protocol):
    """A cadence that finds the visits of many stars at once, which is used where it is offered.

    With an attribute ``outside = "empty"`` stars without a visit are kept, without observations; otherwise they are an
    error.
    """

    def visits_many(
        self, ra: ArrayLike, dec: ArrayLike, *, seed: int = 0, index: ArrayLike | None = None
    ) -> Sequence[Visits | None]:
        """The visits of many stars, each as `visits` would give them; None for a star that has none.

        Parameters
        ----------
        ra, dec : array_like, shape (n_stars,)
            Positions [deg, ICRS]; NaN where a star has none.
        seed : int
            Seed of what is random in the cadence.
        index : array_like of int, shape (n_stars,), optional
            Indices of the stars; 0, 1, 2 ... by default.
        """
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class FixedCadence:
    """The same visits for every star.

    Attributes
    ----------
    name : str
        What to call it.
    table : Visits
        The visits.
    """

    name: str
    table: Visits
    per_star: bool = False

    def __post_init__(self) -> None:
        if self.per_star:
            raise CadenceError("a FixedCadence does not depend on the star: per_star must be False")

    def __len__(self) -> int:
        return len(self.table)

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands that occur."""
        return self.table.bands

    def visits(self, *, ra: float | None = None, dec: float | None = None, seed: int = 0, index: int = 0) -> Visits:
        """The visits; position, seed and index make no difference."""
        return self.table


def from_arrays(
    mjd: ArrayLike,
    band: str | Sequence[str] | NDArray[np.str_] = "V",
    depth5: ArrayLike | None = None,
    name: str = "arrays",
) -> FixedCadence:
    """A cadence of given times.

    Parameters
    ----------
    mjd : array_like, shape (n,)
        Times [d]; an astropy ``Time`` or a Quantity is understood.
    band : str or array_like of str, shape (n,)
        Passband of all visits or of each.
    depth5 : array_like, shape (n,), or float, optional
        Five-sigma depths [mag].
    name : str
        What to call it.

    Examples
    --------
    >>> len(from_arrays([60000.0, 60003.2, 60007.1], band="r", depth5=24.5))
    3
    """
    times = np.atleast_1d(numbers(mjd, "mjd", "d"))
    depths = None if depth5 is None else np.atleast_1d(numbers(depth5, "depth5", "mag"))
    if depths is not None and depths.size == 1:
        depths = np.full(times.shape, depths[0])
    return FixedCadence(name=name, table=Visits(mjd=times, band=np.asarray(band), depth5=depths))
