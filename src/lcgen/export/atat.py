"""The padded HDF5 layout of ATAT (Cabrera-Vives et al. 2024, A&A 689, A289)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
from numpy.typing import NDArray

from .. import rng
from ..ensemble import Ensemble
from ..errors import InputError
from ..lightcurve import LightCurves
from ..taxonomy import CLASSES
from ._values import (
    FLUXCAL_PER_NJY,
    class_codes,
    column_or_nan,
    detections,
    exported_flux,
    first_per_star,
    in_time_order,
    mapped_bands,
)
from .base import Source

__all__ = ["AtatExporter", "padded"]

_BANDS = {b: str(k) for k, b in enumerate("ugrizy")}
_BEFORE_TRIGGER = 30.0  # days of forced photometry before the first detection that an alert carries
_MISSING = -9999.0
_PADDED = ("data", "data-var", "mask", "time", "mask_alert", "time_alert", "time_phot", "mask_detection")


@dataclass(frozen=True, kw_only=True)
class AtatExporter:
    """One HDF5 file with arrays of shape (n_stars, length, 6) and the index lists of its folds.

    Attributes
    ----------
    length : int
        Observations of a star in a band; of more, as many are taken evenly, the first and the last among them.
    folds : int
        Folds of the stars outside the test set: ``training_k``, ``validation_k``.
    test_fraction : float
        Part of the stars in ``test``, drawn star by star.
    features : str
        Columns of the stars for ``norm_feat_col``, separated by commas.
    bands : str
        Places (0 to 5) of bands other than u, g, r, i, z, y: ``sdss_g=1,sdss_r=2``.
    difference : bool
        Give fluxes minus the mean flux of the star in each band, as difference images have them.
    """

    name: ClassVar[str] = "atat"
    folder: ClassVar[bool] = False

    length: int = 65
    folds: int = 5
    test_fraction: float = 0.2
    features: str = ""
    bands: str = ""
    difference: bool = False

    def check(self, ensemble: Ensemble) -> None:
        if self.length < 2:
            raise InputError(f"option length must be at least 2, received {self.length}")
        if self.folds < 2:
            raise InputError(f"option folds must be at least 2, received {self.folds}")
        if not 0 <= self.test_fraction < 1:
            raise InputError(f"option test_fraction must lie in [0, 1), received {self.test_fraction}")
        for name in self._features:
            if name not in ensemble.column_names or ensemble.columns([name], 0, 1)[name].dtype.kind not in "fib":
                raise InputError(f"option features: the ensemble has no column of numbers {name!r}")
        for band, place in self._bands(ensemble).items():
            if place not in _BANDS.values():
                raise InputError(f"ATAT has places 0 to 5 for bands, received {place!r} for the band {band}")

    def write(self, source: Source, target: Path, name: str) -> None:
        n = len(source.ensemble)
        place = np.array([int(p) for p in self._bands(source.ensemble).values()] or [0], dtype=np.int64)
        with h5py.File(target, "w") as h5:
            h5.attrs["lcgen"] = json.dumps(source.provenance(), sort_keys=True)
            h5.attrs["flux_zero_point"] = 27.5
            shape = (n, self.length, len(_BANDS))
            for key in _PADDED:
                chunk = (min(n, 128), *shape[1:])
                h5.create_dataset(
                    key,
                    shape,
                    "<f4",
                    chunks=chunk,
                    compression="gzip",
                    compression_opts=1,
                    shuffle=True,
                    track_times=False,
                )
            for key in ("labels", "SNID"):
                h5.create_dataset(key, (n,), "<i8")
            h5["labels"].attrs["classes"] = list(CLASSES)
            h5.create_dataset("norm_feat_col", (n, len(self._features)), "<f4").attrs["names"] = list(self._features)
            for key in self._set_names():
                h5.create_dataset(key, (0,), "<i8", maxshape=(None,), chunks=(16_384,))
            start = 0
            for block in source.blocks():
                self._write_block(h5, block, start, place, source.ensemble.header.seed)
                start += len(block)

    def _write_block(self, h5: Any, block: LightCurves, start: int, place: NDArray[np.int64], seed: int) -> None:
        rows = slice(start, start + len(block))
        for key, values in padded(block, place, self.length, difference=self.difference).items():
            h5[key][rows] = values
        codes = class_codes(block)
        if (codes < 0).any():
            unknown = np.asarray(block.columns["class"])[codes < 0][0]
            raise InputError(f"class {unknown!r} has no label; there are: {', '.join(CLASSES)}")
        h5["labels"][rows] = codes
        h5["SNID"][rows] = np.asarray(block.columns["star_id"])
        if self._features:
            table = np.stack([column_or_nan(block, f) for f in self._features], axis=1)
            h5["norm_feat_col"][rows] = np.where(np.isfinite(table), table, _MISSING)
        for key, members in self._sets(np.asarray(block.columns["star_id"]), start, seed).items():
            dataset = h5[key]
            dataset.resize((dataset.shape[0] + members.size,))
            dataset[dataset.shape[0] - members.size :] = members

    def _set_names(self) -> list[str]:
        return [*(f"{kind}_{k}" for k in range(self.folds) for kind in ("training", "validation")), "test"]

    def _sets(self, star_id: NDArray[np.int64], start: int, seed: int) -> dict[str, NDArray[np.int64]]:
        """Rows of each set; which set a star is in depends on its id and the seed alone."""
        draws = rng.uniforms(seed, "atat-folds", star_id, 2)
        fold = np.where(draws[:, 0] < self.test_fraction, -1, np.floor(draws[:, 1] * self.folds)).astype(np.int64)
        out = {"test": start + np.flatnonzero(fold < 0)}
        for k in range(self.folds):
            out[f"validation_{k}"] = start + np.flatnonzero(fold == k)
            out[f"training_{k}"] = start + np.flatnonzero((fold >= 0) & (fold != k))
        return out

    @property
    def _features(self) -> tuple[str, ...]:
        return tuple(f.strip() for f in self.features.split(",") if f.strip())

    def _bands(self, ensemble: Ensemble) -> dict[str, str]:
        return mapped_bands(ensemble.band_names, _BANDS, what="ATAT", extra=self.bands, merge=True)


def padded(
    block: LightCurves, place: NDArray[np.int64], length: int, *, difference: bool = False
) -> dict[str, NDArray[np.float32]]:
    """Light curves as ATAT reads them: arrays of shape (n_stars, length, 6), zero where there is nothing.

    Parameters
    ----------
    block : LightCurves
    place : ndarray of int, shape (n_bands,)
        Place of each band of the block.
    length : int
    difference : bool
        As for :class:`AtatExporter`.

    Returns
    -------
    dict
        ``data`` and ``data-var``: flux and error of the flux, zero point 27.5 (the second is an error, whatever its
        name); ``time``: days since the first observation; ``mask_alert``: from 30 d before the first detection to the
        last one; ``time_alert``: days since the first detection, ``time_phot``: since the first of ``mask_alert``, both
        zero outside of it; ``mask_detection``.
    """
    block = in_time_order(block)
    n, n_places = len(block), len(_BANDS)
    shape = (n, length, n_places)
    star = block.star_index
    found = detections(block)
    trigger = first_per_star(block.mjd, star, found, n)
    last = -first_per_star(-block.mjd, star, found, n)
    rows, used = _chosen(star * n_places + place[block.band_index] if star.size else star, n * n_places, length)

    def pad(values: NDArray) -> NDArray[np.float64]:
        out = np.zeros(used.shape)
        out[used] = np.asarray(values, dtype=np.float64)[rows]
        return out.reshape(n, n_places, length).transpose(0, 2, 1)

    mask = pad(np.ones(star.size)) > 0
    mjd = pad(block.mjd)

    def since(start: NDArray, where: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.where(where, mjd - np.where(np.isfinite(start), start, 0.0)[:, None, None], 0.0)

    def earliest(where: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.where(where, mjd, np.inf).reshape(n, -1).min(axis=1, initial=np.inf)

    alert = mask & (mjd >= (trigger - _BEFORE_TRIGGER)[:, None, None]) & (mjd <= last[:, None, None])
    out = {
        "data": pad(FLUXCAL_PER_NJY * exported_flux(block, difference=difference)),
        "data-var": pad(FLUXCAL_PER_NJY * np.asarray(block.flux_err, dtype=np.float64)),
        "mask": mask,
        "time": since(earliest(mask), mask),
        "mask_alert": alert,
        "time_alert": since(trigger, alert),
        "time_phot": since(earliest(alert), alert),
        "mask_detection": pad(found),
    }
    return {key: values.astype(np.float32).reshape(shape) for key, values in out.items()}


def _chosen(cell: NDArray[np.int64], n_cells: int, length: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Rows that are kept, cell by cell in order, and which of the places of each cell they fill."""
    order = np.argsort(cell, kind="stable")
    counts = np.bincount(cell, minlength=n_cells)
    starts = np.cumsum(counts) - counts
    kept = np.minimum(counts, length)
    used = np.arange(length) < kept[:, None]
    of_cell, k = np.nonzero(used)
    # evenly from the first to the last where there are too many, all otherwise
    many = counts[of_cell] > length
    k = np.where(many, k * (counts[of_cell] - 1) // (length - 1), k)
    return order[starts[of_cell] + k], used
