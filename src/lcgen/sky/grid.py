"""A division of the sphere into cells of about equal size: rows of latitude, each cut into equal parts of longitude."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..cadence.sky import ra_half_width, separation

__all__ = ["RowGrid"]

_Array = NDArray[np.float64]
_SQUARE_DEGREES = (180.0 / math.pi) ** 2


@dataclass(frozen=True, kw_only=True)
class RowGrid:
    """Rows of latitude of equal height, or lower near the equator.

    Attributes
    ----------
    step : float
        Largest height of a row, and width of a cell along its row [deg].
    finest : float
        Height of the rows at the equator [deg]; from there it grows with the latitude. By default as `step`.

    Examples
    --------
    >>> grid = RowGrid(step=1.0)
    >>> round(float(grid.areas.sum())), bool(grid.index(10.2, 20.7) < grid.size)
    (41253, True)
    """

    step: float
    finest: float | None = None

    @cached_property
    def _edges(self) -> _Array:
        finest = self.step if self.finest is None else min(self.finest, self.step)
        north = [0.0]
        while north[-1] < 90.0:
            north.append(north[-1] + min(self.step, max(finest, 0.1 * north[-1])))
        scaled = np.array(north) * (90.0 / north[-1])
        return np.concatenate([-scaled[:0:-1], scaled])

    @cached_property
    def _columns(self) -> NDArray[np.int64]:
        """Cells in each row."""
        middle = np.radians(0.5 * (self._edges[1:] + self._edges[:-1]))
        return np.maximum(1, np.ceil(360.0 * np.cos(middle) / self.step)).astype(np.int64)

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(self._columns)])

    @property
    def size(self) -> int:
        """Number of cells."""
        return int(self._starts[-1])

    def _row(self, cell: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.searchsorted(self._starts, cell, side="right") - 1

    def area_of(self, cell: NDArray[np.int64]) -> _Array:
        """Areas of cells [deg2]."""
        sines = np.sin(np.radians(self._edges))
        return (2.0 * math.pi * _SQUARE_DEGREES * np.diff(sines) / self._columns)[self._row(cell)]

    @property
    def areas(self) -> _Array:
        """Areas of all cells [deg2], shape (size,)."""
        return self.area_of(np.arange(self.size))

    @cached_property
    def centres(self) -> tuple[_Array, _Array]:
        """Longitudes and latitudes of the middles of all cells [deg], shape (size,)."""
        return self.inside(np.arange(self.size), 0.5, 0.5)

    def near(self, lon: float, lat: float, radius: float) -> NDArray[np.int64]:
        """The cells whose middles are within `radius` of a position [deg], with a margin of a cell and a half.

        Other cells are not looked at, so that a fine grid may be asked for a small part of the sky.
        """
        reach = radius + 1.5 * self.step
        middle = 0.5 * (self._edges[1:] + self._edges[:-1])
        rows = np.flatnonzero(np.abs(middle - lat) <= reach)
        width = ra_half_width(lat, reach)
        if width is None:
            cells = np.concatenate(
                [np.arange(a, b) for a, b in zip(self._starts[rows], self._starts[rows + 1], strict=True)]
            )
        else:
            columns = self._columns[rows]
            first = np.floor((lon - width) / 360.0 * columns).astype(np.int64)
            count = np.minimum(np.ceil(2.0 * width / 360.0 * columns).astype(np.int64) + 1, columns)
            cells = np.concatenate(
                [
                    s + (f + np.arange(k)) % n
                    for s, f, k, n in zip(self._starts[rows], first, count, columns, strict=True)
                ]
            )
        cells = np.sort(cells)
        where = self.inside(cells, 0.5, 0.5)
        return cells[separation(*where, lon, lat) <= reach]

    def inside(self, cell: NDArray[np.int64], u: _Array | float, v: _Array | float) -> tuple[_Array, _Array]:
        """Points of cells: longitude and latitude [deg] at the shares u of the width and v of the area."""
        row = self._row(cell)
        lon = 360.0 * (cell - self._starts[row] + u) / self._columns[row]
        low, high = np.sin(np.radians(self._edges[row])), np.sin(np.radians(self._edges[row + 1]))
        return lon, np.degrees(np.arcsin(np.clip(low + v * (high - low), -1.0, 1.0)))

    def index(self, lon: _Array, lat: _Array) -> NDArray[np.int64]:
        """The cells that hold positions [deg]."""
        row = np.clip(np.searchsorted(self._edges, lat, side="right") - 1, 0, self._columns.size - 1)
        columns = self._columns[row]
        column = np.minimum((np.mod(lon, 360.0) / 360.0 * columns).astype(np.int64), columns - 1)
        return self._starts[row] + column
