"""Where in a survey's packs the observations of prepared curves are.

Prepared curves are folded and hold no times: their observations are found again by exact phase and magnitude.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..lightcurve import phase_of
from ..taxonomy import PHYSICAL
from .dataset import PreparedCurves

__all__ = ["Located", "locate_in_packs"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Located:
    """The observations of one prepared curve.

    Attributes
    ----------
    rows : slice
        Of the prepared observations.
    mjd : ndarray, shape (n_pack,)
        Times of all observations of the star and band in the pack.
    at : ndarray of int, shape (n,)
        Index into `mjd` of each prepared observation; without meaning where it was not found.
    found : ndarray of bool, shape (n,)
    """

    rows: slice
    mjd: NDArray[np.float64]
    at: NDArray[np.int64]
    found: NDArray[np.bool_]


def _keys(phase: NDArray, value: NDArray) -> NDArray[np.uint64]:
    high = np.ascontiguousarray(phase, dtype=np.float32).view(np.uint32).astype(np.uint64)
    low = np.ascontiguousarray(value, dtype=np.float32).view(np.uint32).astype(np.uint64)
    return (high << np.uint64(32)) | low


def locate_in_packs(curves: PreparedCurves, root: Path, packs: Iterable[Mapping[str, Any]]) -> Iterator[Located]:
    """Find the observations of prepared curves in the packs they were made of.

    Parameters
    ----------
    curves : PreparedCurves
        Of which reconstructed ones, and stars that the packs do not name, are passed over.
    root : Path
        Data folder.
    packs : iterable of mappings with ``path`` and ``survey``
    """
    from ..catalog import read_pack

    period = curves.params[:, PHYSICAL.index("period")]
    for pack in packs:
        path = root / str(pack["path"])
        if not path.is_file():
            _log.warning("no times from %s: no such file", path)
            continue
        survey = read_pack(path)
        stars = {str(s): i for i, s in enumerate(survey.columns["id"])}
        for k, band in enumerate(survey.band_names):
            if band not in curves.bands:
                continue
            own = (curves.survey == pack["survey"]) & (curves.band == curves.bands.index(band))
            for i in np.flatnonzero(own & (curves.n_harmonics == 0)).tolist():
                star = stars.get(str(curves.star_id[i]))
                if star is None:
                    continue
                a, b = int(survey.offsets[star]), int(survey.offsets[star + 1])
                keep = survey.band_index[a:b] == k
                mjd = survey.mjd[a:b][keep]
                # the very operations of the preparation, so that equal numbers come out
                phase = (phase_of(mjd, period[i]) - curves.shift[i]) % 1.0
                phase = np.where(phase >= 1.0, 0.0, phase).astype(np.float32) % 1.0
                value = ((survey.mag[a:b][keep].astype(float) - curves.mean[i]) / curves.scale[i]).astype(np.float32)
                source = _keys(phase, value)
                order = np.argsort(source)
                rows = slice(int(curves.offsets[i]), int(curves.offsets[i + 1]))
                wanted = _keys(curves.phase[rows], curves.value[rows])
                at = order[np.minimum(np.searchsorted(source[order], wanted), order.size - 1)]
                yield Located(rows=rows, mjd=mjd, at=at, found=source[at] == wanted)
