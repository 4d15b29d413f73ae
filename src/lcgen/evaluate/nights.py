"""Nights of the observations of prepared curves.

Residuals of one night are correlated, so that noise that is moved from a real star to a generated one has to keep the
night together. Prepared curves are folded and hold no times: they are found again in the packs they were made of.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..lightcurve import phase_of
from ..prepare.dataset import PreparedCurves
from ..taxonomy import PHYSICAL

__all__ = ["find_nights", "nights_from_packs"]

_log = logging.getLogger(__name__)
_GAP = 0.3


def _keys(phase: NDArray, value: NDArray) -> NDArray[np.uint64]:
    high = np.ascontiguousarray(phase, dtype=np.float32).view(np.uint32).astype(np.uint64)
    low = np.ascontiguousarray(value, dtype=np.float32).view(np.uint32).astype(np.uint64)
    return (high << np.uint64(32)) | low


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
    from ..catalog import read_pack

    night = -1 - np.arange(curves.phase.size, dtype=np.int64)
    found = 0
    period = curves.params[:, PHYSICAL.index("period")]
    for pack in packs:
        path = root / str(pack["path"])
        if not path.is_file():
            _log.warning("no nights from %s: no such file", path)
            continue
        survey = read_pack(path)
        rows = {str(s): i for i, s in enumerate(survey.columns["id"])}
        for k, band in enumerate(survey.band_names):
            if band not in curves.bands:
                continue
            own = (curves.survey == pack["survey"]) & (curves.band == curves.bands.index(band))
            for i in np.flatnonzero(own).tolist():
                row = rows.get(str(curves.star_id[i]))
                if row is None:
                    continue
                a, b = int(survey.offsets[row]), int(survey.offsets[row + 1])
                keep = survey.band_index[a:b] == k
                mjd = survey.mjd[a:b][keep]
                # the very operations of the preparation, so that equal numbers come out
                phase = (phase_of(mjd, period[i]) - curves.shift[i]) % 1.0
                phase = np.where(phase >= 1.0, 0.0, phase).astype(np.float32) % 1.0
                value = ((survey.mag[a:b][keep].astype(float) - curves.mean[i]) / curves.scale[i]).astype(np.float32)
                source = _keys(phase, value)
                order = np.argsort(source)
                mine = slice(int(curves.offsets[i]), int(curves.offsets[i + 1]))
                wanted = _keys(curves.phase[mine], curves.value[mine])
                at = order[np.minimum(np.searchsorted(source[order], wanted), order.size - 1)]
                hit = source[at] == wanted
                night[mine] = np.where(hit, find_nights(mjd)[at], night[mine])
                found += int(hit.sum())
    return night, found / max(curves.phase.size, 1)
