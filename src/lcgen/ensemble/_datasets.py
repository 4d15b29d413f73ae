"""The datasets of an ensemble file: how they are made, and the figures kept beside them."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..taxonomy import PARAMETERS
from ._layout import BAND_NAMES, OBSERVATIONS, OPTIONAL, Block

__all__ = ["chunk_rows", "create_datasets", "filters_of", "plain_dtype", "update_statistics", "widen_text"]


def filters_of(compression: object, level: int) -> dict[str, Any]:
    """What h5py is told about compression; always with a checksum.

    Raises
    ------
    InputError
        If the compression or its level is not known.
    """
    if compression is None:
        return {"fletcher32": True}
    if compression == "lzf":
        return {"compression": "lzf", "shuffle": True, "fletcher32": True}
    if compression == "gzip":
        if not 1 <= level <= 9:
            raise InputError(f"compression_level must lie in [1, 9], received {level}")
        return {"compression": "gzip", "compression_opts": level, "shuffle": True, "fletcher32": True}
    raise InputError(f"unknown compression {compression!r}; allowed: 'gzip', 'lzf', None")


def chunk_rows(wanted: int, planned: int | None) -> int:
    """Rows of a chunk: no more than will ever be filled."""
    return max(1, wanted if planned is None else min(wanted, planned))


def create_datasets(h5: Any, block: Block, chunks: tuple[int, int], filters: dict[str, Any]) -> None:
    """Make all datasets, without rows, for stars like those of `block`.

    Parameters
    ----------
    h5 : h5py.File
    block : Block
    chunks : (int, int)
        Rows of a chunk of the observations and of the stars.
    filters : dict
        From :func:`filters_of`.
    """
    optional = {name: row for name, row in OPTIONAL.items() if name in block.observations}
    for name, (kind, unit, description) in (OBSERVATIONS | optional).items():
        attributes: dict[str, Any] = {"description": description}
        if unit:
            attributes["unit"] = unit
        if name == "band":
            attributes["names"] = list(BAND_NAMES)
            attributes["counts"] = np.zeros(len(BAND_NAMES), "<i8")
        if name == "mjd":
            attributes["minimum"] = attributes["maximum"] = np.float64(np.nan)
        _dataset(h5["observations"], name, np.dtype(kind), chunks[0], attributes, filters)
    for name, values in block.columns.items():
        _dataset(h5["stars"], name, _stored_dtype(values), chunks[1], _described(name), filters)
    attributes = {"description": "star i owns the observations offset[i]:offset[i + 1]"}
    _dataset(h5["stars"], "offset", np.dtype("<i8"), chunks[1] + 1, attributes, filters).resize((1,))


def widen_text(h5: Any, name: str, values: NDArray, filters: dict[str, Any]) -> Any:
    """Make room for text as long as that of `values` in a column of the stars, keeping what is there."""
    old = h5["stars"][name]
    kept, chunk = old[()], old.chunks[0]
    del h5["stars"][name]
    dataset = _dataset(h5["stars"], name, _stored_dtype(values), chunk, _described(name), filters)
    dataset.resize((kept.size,))
    dataset[...] = kept.astype(dataset.dtype)
    return dataset


def update_statistics(h5: Any, block: Block, rows: int) -> None:
    """Count the first `rows` observations of `block` in, so that nobody need read them for a summary."""
    if not rows:
        return
    counts = h5["observations"]["band"].attrs
    new = np.bincount(block.observations["band"][:rows], minlength=len(BAND_NAMES))
    counts.modify("counts", np.asarray(counts["counts"] + new, dtype="<i8"))
    times, mjd = h5["observations"]["mjd"].attrs, block.observations["mjd"][:rows]
    times.modify("minimum", np.float64(np.fmin(times["minimum"], mjd.min())))
    times.modify("maximum", np.float64(np.fmax(times["maximum"], mjd.max())))


def _dataset(group: Any, name: str, dtype: Any, chunk: int, attributes: dict[str, Any], filters: dict[str, Any]) -> Any:
    dataset = group.create_dataset(
        name, shape=(0,), maxshape=(None,), dtype=dtype, chunks=(chunk,), track_times=False, **filters
    )
    for key, value in attributes.items():
        dataset.attrs[key] = value
    return dataset


def plain_dtype(dtype: np.dtype) -> np.dtype:
    """The type of a dataset without what h5py notes in it."""
    return np.dtype(f"S{dtype.itemsize}") if dtype.kind == "S" else np.dtype(dtype.str)


def _stored_dtype(values: NDArray) -> Any:
    return h5py.string_dtype("utf-8", values.dtype.itemsize) if values.dtype.kind == "S" else values.dtype


def _described(name: str) -> dict[str, Any]:
    known = PARAMETERS.get(name)
    if known is None:
        return {}
    return {"description": known.description} | ({"unit": known.unit} if known.unit else {})
