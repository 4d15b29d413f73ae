"""Nights of the observations of prepared curves.

Residuals of one night are correlated, so that noise that is moved from a real star to a generated one has to keep the
night together. Prepared curves are folded and hold no times: they are found again in the packs they were made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..prepare.dataset import PreparedCurves
from ..prepare.locate import locate_in_packs

__all__ = ["find_nights", "nights_from_packs"]

_GAP = 0.3


def find_nights(mjd: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number of the night of each time: observations less than 0.3 d apart share a night.

    Examples
    --------
    >>> import numpy as np
    >>> find_nights(np.array([1.9, 2.0, 2.1, 5.0])).tolist()
    [0, 0, 0, 1]
    """
    order = np.argsort(mjd, kind="stable")
    out = np.empty(mjd.size, dtype=np.int64)
    out[order] = np.concatenate([[0], np.cumsum(np.diff(mjd[order]) > _GAP)]) if mjd.size else 0
    return out


def nights_from_packs(
    curves: PreparedCurves, root: Path, packs: Iterable[Mapping[str, Any]]
) -> tuple[NDArray[np.int64], float]:
    """Night of each observation, found by the exact phase and magnitude in the packs.

    Parameters
    ----------
    curves : PreparedCurves
    root : Path
        Data folder.
    packs : iterable of mappings with ``path`` and ``survey``

    Returns
    -------
    night : ndarray of int, shape (n_obs,)
        Number of the night within the curve; an observation that was not found has a night of its own.
    found : float
        Share of the observations that were found.
    """
    night = -1 - np.arange(curves.phase.size, dtype=np.int64)
    found = 0
    for located in locate_in_packs(curves, root, packs):
        rows = located.rows
        night[rows] = np.where(located.found, find_nights(located.mjd)[located.at], night[rows])
        found += int(located.found.sum())
    return night, found / max(curves.phase.size, 1)
