"""Rows of an ensemble file, only those columns that a selection needs; every process opens the file for itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ensemble import Ensemble, open_ensemble
from ..errors import EnsembleError, InputError, UnknownNameError
from .ragged import Ragged
from .selection import Selection, require_columns

__all__ = ["Source"]

_TEXT = ("class", "subclass")
_GAP = 2**14
"""Rows between two stars that are read along rather than skipped: they lie in chunks that are unpacked anyway."""


class Source:
    """An ensemble file that any process, forked or spawned, may read.

    Parameters
    ----------
    path : path-like
        A complete ensemble.
    select : Selection

    Raises
    ------
    EnsembleError
        If it cannot be read.
    UnknownNameError, InputError
        If it lacks what is selected.
    """

    def __init__(self, path: str | os.PathLike[str], select: Selection) -> None:
        self._select = select
        self._open: tuple[int, Ensemble] | None = None
        with open_ensemble(path) as ensemble:
            self.path = Path(ensemble.path).absolute()
            self.n_stars, self.n_observations = len(ensemble), ensemble.n_observations
            self.band_names = ensemble.band_names
            self._there = ensemble.column_names
            detected = not self.n_stars or ensemble[:0].detected is not None
        if self.n_stars:
            require_columns(select, self._there)
        if select.bands and self.n_observations and not set(select.bands) & set(self.band_names):
            raise UnknownNameError("band", select.bands[0], self.band_names)
        if "detected" in select.needed_observations and not detected:
            raise InputError(f"{self.path} has no column detected: it was made without a detection limit")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": None}

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        if self._open is not None and self._open[0] == os.getpid():
            self._open[1].close()
        self._open = None

    def _ensemble(self) -> Ensemble:
        # what a fork inherits shares its position in the file with the parent: it must not be used
        if self._open is None or self._open[0] != os.getpid():
            self._open = (os.getpid(), open_ensemble(self.path))
        return self._open[1]

    def column(self, name: str) -> NDArray:
        """One column of all stars, text as ``str``."""
        if not self.n_stars:
            return np.zeros(0, np.str_ if name in _TEXT else np.int64)
        return self._ensemble().columns([name])[name]

    def lengths(self) -> NDArray[np.int64]:
        """Observations of all stars."""
        return np.diff(self._rows("stars/offset", 0, self.n_stars + 1)) if self.n_stars else np.zeros(0, np.int64)

    def read(self, stars: NDArray[np.int64]) -> Ragged:
        """The stars with the given numbers, in that order, as they are stored.

        Raises
        ------
        EnsembleError
            If the file is damaged.
        """
        if not stars.size:
            return self._range(0, 0)
        ordered = bool((np.diff(stars) > 0).all())
        wanted, inverse = (stars, None) if ordered else np.unique(stars, return_inverse=True)
        gap = max(1, _GAP * self.n_stars // max(self.n_observations, 1))
        cuts = np.flatnonzero(np.diff(wanted) > gap) + 1
        parts = []
        for run in np.split(wanted, cuts):
            low, high = int(run[0]), int(run[-1]) + 1
            part = self._range(low, high)
            parts.append(part if high - low == run.size else part.take(run - low))
        out = Ragged.concatenate(parts)
        return out if inverse is None else out.take(inverse)

    def _range(self, low: int, high: int) -> Ragged:
        names = [name for name in self._select.needed_observations if name != "mjd"]
        if not self.n_stars:
            return self._nothing(names)
        ensemble = self._ensemble()
        columns = ensemble.columns([*self._columns, "star_id"], low, high)
        offset = self._rows("stars/offset", low, high + 1)
        a, b = int(offset[0]), int(offset[-1])
        band = ensemble._band_map[self._rows("observations/band", a, b)]
        if band.size and band.max() == 255:
            raise EnsembleError(f"{self.path}: a band index has no name in the attribute names")
        return Ragged(
            values={name: self._rows(f"observations/{name}", a, b) for name in names},
            offsets=offset - a,
            mjd=self._rows("observations/mjd", a, b),
            band=band,
            band_names=self.band_names,
            star_id=columns.pop("star_id"),
            columns=columns,
        )

    def _nothing(self, names: list[str]) -> Ragged:
        return Ragged(
            values=dict.fromkeys(names, np.zeros(0, np.float32)),
            offsets=np.zeros(1, np.int64),
            mjd=np.zeros(0),
            band=np.zeros(0, np.uint8),
            band_names=self.band_names,
            star_id=np.zeros(0, np.int64),
            columns={n: np.zeros(0, np.str_ if n in _TEXT else float) for n in self._select.needed_columns},
        )

    @property
    def _columns(self) -> list[str]:
        return [n for n in self._select.needed_columns if n != "star_id" and n in self._there]

    def _rows(self, name: str, low: int, high: int) -> NDArray:
        ensemble = self._ensemble()
        try:
            return ensemble.rows(name, low, high)
        except (OSError, RuntimeError) as error:
            raise EnsembleError(f"{self.path}: /{name} is damaged and cannot be read ({error})") from error
