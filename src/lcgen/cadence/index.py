"""A small index of the sky: which pointings lie near a position, from 16 bytes a pointing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .sky import ra_half_width, unit_vectors

__all__ = ["SkyIndex"]

# Wider than the error of single precision unit vectors, about 1e-5 degrees.
_MARGIN = 1e-3


class SkyIndex:
    """Pointings sorted into cells of the sky: zones of declination, cut into pieces of right ascension.

    Parameters
    ----------
    key : ndarray of int, shape (n,)
        What :meth:`near` gives back: row numbers.
    ra, dec : ndarray, shape (n,)
        Positions [deg].
    cell : float
        Size of a cell [deg].

    Examples
    --------
    >>> index = SkyIndex(np.array([7, 8, 9]), np.array([359.9, 0.4, 90.0]), np.array([0.0, 0.1, 5.0]))
    >>> sorted(index.near(0.0, 0.0, 0.2).tolist())
    [7]
    """

    def __init__(
        self, key: NDArray[np.integer], ra: NDArray[np.float64], dec: NDArray[np.float64], *, cell: float = 0.5
    ) -> None:
        n_zones = int(np.ceil(180.0 / cell))
        self._height = 180.0 / n_zones
        edges = -90.0 + self._height * np.arange(n_zones + 1)
        # the side of a zone that is nearer to the equator is the longer one
        widest = np.minimum(np.abs(edges[:-1]), np.abs(edges[1:]))
        self._pieces = np.maximum(1, np.ceil(360.0 * np.cos(np.radians(widest)) / cell)).astype(np.int64)
        self._zone_start = np.concatenate([[0], np.cumsum(self._pieces)])
        zone = self._zone(dec)
        piece = (np.mod(ra, 360.0) / 360.0 * self._pieces[zone]).astype(np.int64)
        cells = (self._zone_start[zone] + np.minimum(piece, self._pieces[zone] - 1)).astype(np.int32)
        order = np.argsort(cells, kind="stable")
        counts = np.bincount(cells, minlength=int(self._zone_start[-1]))
        self._first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        small = key.size == 0 or int(np.max(key)) < 2**31
        self._key = key[order].astype(np.int32 if small else np.int64)
        self._vectors = np.empty((key.size, 3), dtype=np.float32)
        for a in range(0, key.size, 100_000):
            rows = order[a : a + 100_000]
            self._vectors[a : a + 100_000] = unit_vectors(ra[rows], dec[rows])

    def __len__(self) -> int:
        return self._key.size

    @property
    def nbytes(self) -> int:
        """Memory it takes [bytes]."""
        return sum(a.nbytes for a in (self._key, self._vectors, self._first, self._pieces, self._zone_start))

    def _zone(self, dec: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.clip(((dec + 90.0) / self._height).astype(np.int64), 0, self._pieces.size - 1)

    def near(self, ra: float, dec: float, radius: float) -> NDArray[np.int64]:
        """Keys of the pointings within `radius` of a position [deg], and perhaps of a few up to 0.001 deg farther."""
        reach = radius + _MARGIN
        low, high = self._zone(np.array([dec - reach, dec + reach])).tolist()
        half = ra_half_width(dec, min(reach, 90.0))
        parts = []
        for zone in range(low, high + 1):
            n, start = int(self._pieces[zone]), int(self._zone_start[zone])
            if half is None or half >= 180.0:
                spans = [(0, n - 1)]
            else:
                first, last = (int(np.floor((ra + s * half) / 360.0 * n)) for s in (-1.0, 1.0))
                if last - first + 1 >= n:
                    spans = [(0, n - 1)]
                elif first < 0:
                    spans = [(first + n, n - 1), (0, last)]
                elif last >= n:
                    spans = [(first, n - 1), (0, last - n)]
                else:
                    spans = [(first, last)]
            parts += [(self._first[start + a], self._first[start + b + 1]) for a, b in spans]
        rows = np.concatenate([np.arange(a, b) for a, b in parts])
        if rows.size == 0:
            return np.empty(0, dtype=np.int64)
        target = unit_vectors(ra, dec)[0].astype(np.float32)
        difference = self._vectors[rows] - target
        chord2 = np.einsum("ij,ij->i", difference, difference)
        limit = (2.0 * np.sin(np.radians(0.5 * min(reach, 180.0)))) ** 2
        return self._key[rows[chord2 <= limit]].astype(np.int64)
