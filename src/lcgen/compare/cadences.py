"""The cadences of a comparison: their labels, thinned ones, and stars that a cadence never sees."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..cadence import BatchCadence, Cadence, Visits, as_cadence, visits_of_stars
from ..cadence.positional import PositionalCadence
from ..errors import InputError

__all__ = ["FetchedVisits", "ThinnedCadence", "labelled_cadences", "parse_cadence", "thin"]

_THINNED = re.compile(r"^(?P<cadence>.+):every=(?P<every>[^:=]*)$")


@dataclass(frozen=True, kw_only=True)
class ThinnedCadence:
    """Every n-th visit of a cadence, counted within each band; made by :func:`thin`.

    Attributes
    ----------
    cadence : Cadence
        What is thinned.
    every : int
        One visit of so many is kept.
    """

    cadence: Cadence
    every: int

    @property
    def name(self) -> str:
        """Name of the cadence, with ``:every=n``."""
        return f"{self.cadence.name}:every={self.every}"

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands of the cadence."""
        return self.cadence.bands

    @property
    def per_star(self) -> bool:
        """Whether the visits depend on the star."""
        return self.cadence.per_star

    def visits(self, *, ra: float | None = None, dec: float | None = None, seed: int = 0, index: int = 0) -> Visits:
        """The first, the (n + 1)-th ... visit of a star in each band."""
        return self._kept(self.cadence.visits(ra=ra, dec=dec, seed=seed, index=index))

    @property
    def outside(self) -> str:
        """What becomes of stars without a visit, as the cadence has it."""
        return getattr(self.cadence, "outside", "raise")

    def visits_many(
        self, ra: ArrayLike, dec: ArrayLike, *, seed: int = 0, index: ArrayLike | None = None
    ) -> list[Visits | None]:
        """The visits of many stars, at once where the cadence can do that; None for a star without a visit."""
        if isinstance(self.cadence, PositionalCadence):
            found = self.cadence.visits_many(ra, dec, seed=seed, index=index)
        else:
            found = visits_of_stars(self.cadence, ra, dec, seed=seed, index=index)
        return [None if v is None else self._kept(v) for v in found]

    def _kept(self, visits: Visits) -> Visits:
        band = visits.band_index(visits.bands)
        order = np.argsort(band, kind="stable")
        counts = np.bincount(band)
        rank = np.empty(band.size, dtype=np.int64)
        rank[order] = np.arange(band.size) - np.repeat(np.cumsum(counts) - counts, counts)
        return visits.select(rank % self.every == 0)


def thin(cadence: Any, every: int = 2) -> ThinnedCadence:
    """A cadence with every n-th visit in each band left, the others never made.

    Parameters
    ----------
    cadence : cadence, array_like, str or path-like
        Anything :func:`lcgen.as_cadence` understands.
    every : int
        One visit of so many is kept, in order of time; the shares of the bands stay as they are.

    Raises
    ------
    InputError
        If `every` is not a whole number from 2.

    Examples
    --------
    >>> half = thin(([60000.0, 60001.0, 60002.0, 60003.0], ["g", "r", "g", "r"]))
    >>> half.visits().mjd.tolist()
    [60000.0, 60001.0]
    """
    if isinstance(every, bool) or not isinstance(every, (int, np.integer)) or every < 2:
        raise InputError(f"every must be a whole number from 2, received {every!r}")
    return ThinnedCadence(cadence=as_cadence(cadence), every=int(every))


def parse_cadence(text: str) -> Cadence:
    """A cadence in the words of the command line: a recipe or file, ``:every=2`` behind it for a thinned one.

    Raises
    ------
    InputError, CadenceError
        If there is no such cadence, or it cannot be read.

    Examples
    --------
    >>> parse_cadence("lsst-wfd:every=3").name
    'lsst-wfd:every=3'
    """
    match = _THINNED.match(text)
    if match is None:
        return as_cadence(text)
    number = match["every"]
    if not number.isdecimal():
        raise InputError(f"{text}: every= takes a whole number from 2, received {number!r}")
    return thin(match["cadence"], int(number))


def labelled_cadences(cadences: Any) -> dict[str, Cadence]:
    """Cadences by the names that the report gives them.

    Parameters
    ----------
    cadences : cadence, sequence of cadences, or mapping of str to cadence
        Text is read as on the command line. A sequence is of cadences: one of plain times stands in a list of its own.

    Returns
    -------
    dict of str to Cadence
        Equal names get a number.

    Raises
    ------
    InputError
        If there is none.
    """
    if isinstance(cadences, Mapping) and not {"mjd", "band"} & {str(k).lower() for k in cadences}:
        given = [(str(label), _read(c)) for label, c in cadences.items()]
    else:
        listed = isinstance(cadences, Sequence) and not isinstance(cadences, str)
        given = [("", _read(c)) for c in (cadences if listed else [cadences])]
    if not given:
        raise InputError("nothing to compare: give one cadence or more")
    out: dict[str, Cadence] = {}
    for label, cadence in given:
        name = label or str(cadence.name)
        number = 2
        unique = name
        while unique in out:
            unique, number = f"{name} ({number})", number + 1
        out[unique] = cadence
    return out


def _read(cadence: Any) -> Cadence:
    if isinstance(cadence, ThinnedCadence):
        return cadence
    return parse_cadence(cadence) if isinstance(cadence, str) else as_cadence(cadence)


@dataclass(frozen=True, kw_only=True, eq=False)
class FetchedVisits:
    """Visits of some stars, found in one pass.

    Attributes
    ----------
    name : str
    bands : tuple of str
    found : mapping of int to Visits
        By ``star_id``; stars without a visit are missing.
    """

    name: str
    bands: tuple[str, ...]
    found: Mapping[int, Visits]
    per_star: bool = True

    def visits(self, *, ra: float | None = None, dec: float | None = None, seed: int = 0, index: int = 0) -> Visits:
        """The visits of the star with that index."""
        return self.found[index]

    @classmethod
    def of(cls, cadence: Cadence, columns: Mapping[str, NDArray]) -> FetchedVisits | None:
        """Visits at the stars' positions; None for cadences that do not look many positions up at once."""
        whole = cadence.cadence if isinstance(cadence, ThinnedCadence) else cadence
        if not isinstance(whole, PositionalCadence) or not isinstance(cadence, BatchCadence) or not cadence.per_star:
            return None
        ra, dec = (np.asarray(columns[k], dtype=float) for k in ("ra", "dec"))
        if not (np.isfinite(ra).all() and np.isfinite(dec).all()):
            return None  # the cadence says what it lacks
        places, which = np.unique(np.stack([ra, dec], axis=1), axis=0, return_inverse=True)
        found = cadence.visits_many(places[:, 0], places[:, 1])
        ids = np.asarray(columns["star_id"]).tolist()
        seen = {i: v for i, k in zip(ids, which.ravel().tolist(), strict=True) if (v := found[k]) is not None}
        return cls(name=cadence.name, bands=cadence.bands, found=seen)
