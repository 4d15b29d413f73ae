"""Visits: when a star is looked at, in which band and how deeply; and what a cadence is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CadenceError, UnknownNameError
from .columns import band_names, numbers

__all__ = ["Cadence", "FixedCadence", "Visits", "from_arrays"]

# No survey reaches this MJD; a Julian date exceeds it. It is the commonest mix-up of time scales.
_LATEST_MJD = 1.0e6


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

    def __post_init__(self) -> None:
        mjd = np.atleast_1d(numbers(self.mjd, "mjd", "d"))
        if mjd.ndim != 1:
            raise CadenceError(f"column 'mjd' must have one dimension, received shape {mjd.shape}")
        if mjd.size == 0:
            raise CadenceError("a schedule needs at least one visit, received none")
        if mjd.max() > _LATEST_MJD:
            raise CadenceError(
                f"column 'mjd' reaches {mjd.max():.1f}, which looks like a Julian date; subtract 2400000.5"
            )
        columns: dict[str, NDArray[Any]] = {"mjd": mjd, "band": band_names(self.band, mjd.size)}
        for name, unit in (("depth5", "mag"), ("seeing", "arcsec"), ("exposure_time", "s")):
            if getattr(self, name) is not None:
                columns[name] = np.atleast_1d(numbers(getattr(self, name), name, unit))
        for name in ("seeing", "exposure_time"):
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

    def __len__(self) -> int:
        return self.mjd.size

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands that occur, in alphabetical order."""
        return tuple(np.unique(self.band).tolist())

    def band_index(self, names: Sequence[str]) -> NDArray[np.uint8]:
        """Position of each visit's band in `names`, shape (n,).

        Raises
        ------
        UnknownNameError
            If a visit has a band that is not in `names`.
        """
        found, inverse = np.unique(self.band, return_inverse=True)
        missing = [b for b in found.tolist() if b not in names]
        if missing:
            raise UnknownNameError("band", missing[0], names)
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
