"""HDF5 packs: the light curves of many stars in one band, in one file.

Layout: ``objects/{id, class, subclass, period, offset[, ra, dec, ...]}`` and ``observations/{mjd, mag,
mag_err}``; star ``i`` owns ``observations[offset[i]:offset[i + 1]]``. Root attributes: ``survey``, ``band``,
``cite``, ``time``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..assets import atomic_file
from ..errors import DataFormatError, InputError, LcgenError
from ..lightcurve import LightCurves
from ..photometry import BANDS, band_info
from ..taxonomy import CLASSES, canonical_subclass, class_info
from .columns import canonical_column
from .quality import usable_periods, usable_rows

__all__ = ["read_pack", "star_columns", "write_pack"]

_LAYOUT = (
    "star i owns observations[offset[i]:offset[i+1]]; period in days, NaN where the source gives none; "
    "mag in mag; mjd in days"
)
_REQUIRED = ("id", "class", "subclass", "period")
_NOT_STORED = ("survey", "subclass_survey", "star_id", *_REQUIRED)


def read_pack(path: str | Path, *, classes: Iterable[str] | None = None, with_period: bool = False) -> LightCurves:
    """Read an HDF5 pack.

    Rows that cannot be meant (see :func:`lcgen.catalog.quality.usable_rows`) are dropped and counted; all
    else is as in the file. A star stays even if none of its rows does.

    Parameters
    ----------
    path : str or path-like
        The file.
    classes : iterable of str, optional
        Read only stars of these classes; ``""`` stands for stars of unknown class. Default: all.
    with_period : bool, optional
        Read only stars whose period is known.

    Returns
    -------
    LightCurves
        Columns ``id``, ``class`` (``""`` where unknown), ``subclass`` (lcgen's spelling), ``subclass_survey``
        (the file's), ``period`` [d], ``survey``, and what else the file has of each star (``ra``, ``dec``
        [deg], physical parameters). ``meta`` holds ``path``, ``survey``, ``band``, ``cite``, ``time``,
        ``dropped_rows`` (a number), ``dropped`` (the same by reason), ``bad_periods`` (periods that cannot be
        meant, replaced by NaN) and ``unknown_classes`` (number of stars by a class name that lcgen does not
        know).

    Raises
    ------
    DataFormatError
        If the file is no pack, is cut off, or contradicts itself.
    UnknownNameError
        If `classes` names an unknown class.
    """
    wanted = None if classes is None else _wanted(classes)
    try:
        with h5py.File(path, "r") as file:
            return _read(path, file, wanted, with_period)
    except LcgenError:
        raise
    except FileNotFoundError:
        raise DataFormatError(path, "there is no such file") from None
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, EOFError, MemoryError) as error:
        # h5py reports a truncated, damaged or foreign file by any of these
        raise DataFormatError(path, f"cannot be read as HDF5 ({error})") from error


def _wanted(classes: Iterable[str]) -> list[str]:
    names = [classes] if isinstance(classes, str) else list(classes)
    return [name if name == "" else class_info(name).name for name in names]


def _read(path: str | Path, file: h5py.File, wanted: list[str] | None, with_period: bool) -> LightCurves:
    objects, observations = _group(path, file, "objects"), _group(path, file, "observations")
    meta: dict[str, Any] = {
        "path": str(path),
        **{name: _text(file.attrs.get(name, "")) for name in ("survey", "band", "cite", "time")},
    }
    if meta["band"] not in BANDS:
        raise DataFormatError(path, f"attribute band is {meta['band']!r}; allowed: {', '.join(BANDS)}")

    rows = {name: _dataset(path, observations, name, "f") for name in ("mjd", "mag", "mag_err")}
    n_obs = rows["mjd"].shape[0]
    for name, dataset in rows.items():
        if dataset.shape[0] != n_obs:
            raise DataFormatError(path, f"observations/{name} has {dataset.shape[0]} rows, mjd has {n_obs}")
    offsets = _offsets(path, objects, n_obs)
    columns = _star_datasets(path, objects, offsets.size - 1)
    known, meta["unknown_classes"] = _known_classes(columns.pop("class"))
    columns["period"], meta["bad_periods"] = usable_periods(columns["period"])
    columns = star_columns(cls=known, survey=meta["survey"], columns=columns)

    keep = np.ones(known.size, dtype=bool) if wanted is None else np.isin(known, wanted)
    if with_period:
        keep &= np.isfinite(columns["period"])
    data = {name: dataset[:] for name, dataset in rows.items()}
    if not keep.all():
        counts = np.diff(offsets)
        selected = np.repeat(keep, counts)
        data = {name: values[selected] for name, values in data.items()}
        offsets = np.concatenate([[0], np.cumsum(counts[keep])]).astype(np.int64)
        columns = {name: column[keep] for name, column in columns.items()}

    good, dropped = usable_rows(data["mjd"], data["mag"], data["mag_err"])
    meta |= {"dropped_rows": int(good.size - good.sum()), "dropped": dropped}
    curves = LightCurves(
        offsets=offsets,
        **data,
        band_index=np.zeros(good.size, dtype=np.uint8),
        band_names=(meta["band"],),
        columns=columns,
        meta=meta,
    )
    return curves.where(good) if meta["dropped_rows"] else curves


def star_columns(*, cls: NDArray, survey: str, columns: dict[str, NDArray]) -> dict[str, NDArray]:
    """Columns in the order and spelling that every reader of this package returns.

    Parameters
    ----------
    cls : ndarray of str, shape (n_stars,)
        Classes, ``""`` where unknown.
    survey : str
        Name of the survey.
    columns : dict
        At least ``id``, ``subclass`` (the survey's spelling) and ``period``.
    """
    original = np.asarray(columns["subclass"], dtype=np.str_)
    pairs = list(zip(cls.tolist(), original.tolist(), strict=True))
    spelling = {(c, s): canonical_subclass(c, s) if c else "" for c, s in set(pairs)}
    out = {
        "id": columns["id"],
        "class": cls,
        "subclass": np.array([spelling[pair] for pair in pairs], dtype=np.str_),
        "subclass_survey": original,
        "period": columns["period"],
    }
    out |= {name: column for name, column in columns.items() if name not in out}
    return out | {"survey": np.full(cls.size, survey)}


def _group(path: str | Path, file: h5py.File, name: str) -> h5py.Group:
    found = file.get(name)
    if not isinstance(found, h5py.Group):
        raise DataFormatError(path, f"has no group {name!r}; a pack has objects/ and observations/")
    return found


def _dataset(path: str | Path, group: h5py.Group, name: str, kind: str) -> h5py.Dataset:
    """A one-dimensional dataset whose dtype is of one of the kinds `kind` ("S" for strings)."""
    found = group.get(name)
    where = f"{str(group.name).strip('/')}/{name}"
    if not isinstance(found, h5py.Dataset):
        raise DataFormatError(path, f"has no dataset {where}")
    if found.ndim != 1:
        raise DataFormatError(path, f"{where} has shape {found.shape}, one dimension is expected")
    actual = "S" if h5py.check_string_dtype(found.dtype) else found.dtype.kind
    if actual not in kind:
        expected = {"S": "strings", "iu": "integers", "f": "floating-point numbers"}[kind]
        raise DataFormatError(path, f"{where} has type {found.dtype}, {expected} are expected")
    return found


def _offsets(path: str | Path, objects: h5py.Group, n_obs: int) -> NDArray[np.int64]:
    raw = _dataset(path, objects, "offset", "iu")[:]
    offsets = raw.astype(np.int64)
    if offsets.size == 0 or offsets[0] != 0:
        raise DataFormatError(path, "objects/offset must start at 0")
    if np.any(np.diff(offsets) < 0):
        raise DataFormatError(path, "objects/offset must not decrease")
    if offsets[-1] != n_obs:
        raise DataFormatError(path, f"objects/offset ends at {offsets[-1]}, there are {n_obs} observations")
    return offsets


def _star_datasets(path: str | Path, objects: h5py.Group, n_stars: int) -> dict[str, NDArray]:
    columns: dict[str, NDArray] = {}
    for key in (*_REQUIRED, *(str(k) for k in objects if k not in (*_REQUIRED, "offset"))):
        if key in ("id", "class", "subclass"):
            dataset = _dataset(path, objects, key, "S")
        elif key == "period":
            dataset = _dataset(path, objects, key, "f")
        else:
            dataset = objects[key]
            if not isinstance(dataset, h5py.Dataset) or dataset.ndim != 1:
                continue
        if dataset.shape[0] != n_stars:
            raise DataFormatError(path, f"objects/{key} has {dataset.shape[0]} rows for {n_stars} stars")
        name = canonical_column(key) or key
        if name in columns:
            raise DataFormatError(path, f"objects/{key} means {name!r}, which is there already")
        if h5py.check_string_dtype(dataset.dtype):
            try:
                columns[name] = np.array(dataset.asstr("utf-8")[:], dtype=np.str_)
            except UnicodeDecodeError as error:
                raise DataFormatError(path, f"objects/{key} holds text that is not UTF-8") from error
        elif dataset.dtype.kind in "fiub":
            columns[name] = dataset[:]
        else:
            raise DataFormatError(path, f"objects/{key} has type {dataset.dtype}, which cannot be used")
    return columns


def _known_classes(cls: NDArray) -> tuple[NDArray[np.str_], dict[str, int]]:
    names, counts = np.unique(cls, return_counts=True)
    unknown = {str(n): int(c) for n, c in zip(names, counts, strict=True) if n != "" and n not in CLASSES}
    return np.where(np.isin(cls, CLASSES), cls, "").astype(np.str_), unknown


def _text(value: Any) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def write_pack(
    lightcurves: LightCurves,
    path: str | Path,
    *,
    survey: str,
    band: str,
    citation: str,
    time_standard: str,
) -> None:
    """Write light curves in one band as an HDF5 pack that :func:`read_pack` reads back.

    An existing file is replaced, in one step and only when the new one is complete. Magnitudes and errors are
    stored in single precision. Every column of the stars is kept but ``survey``; the subclass is written in
    the survey's own spelling where that means the same.

    Parameters
    ----------
    lightcurves : LightCurves
        Columns ``id`` (or ``star_id``) and ``class`` are needed; ``subclass`` and ``period`` may be absent.
    path : str or path-like
        The file to write.
    survey, citation, time_standard : str
        Stored as the attributes ``survey``, ``cite``, ``time``.
    band : str
        The passband of all observations.

    Raises
    ------
    InputError
        If there are observations in another band, rows that reading would drop, columns missing or
        identifiers repeated.
    UnknownNameError
        If the band is unknown.
    """
    band = band_info(band).name
    columns = _pack_columns(lightcurves)
    others = {lightcurves.band_names[k] for k in np.unique(lightcurves.band_index)} - {band}
    if others:
        raise InputError(f"a pack holds one band: received {', '.join(sorted(others))} for band {band!r}")
    mag = np.asarray(lightcurves.mag, dtype=np.float32)
    mag_err = np.asarray(lightcurves.mag_err, dtype=np.float32)
    good, dropped = usable_rows(lightcurves.mjd, mag, mag_err)
    if not good.all():
        raise InputError(
            f"{int((~good).sum())} observations cannot be stored in a pack (by reason: {dropped}); times "
            "must lie in 1900..2099, magnitudes be finite, errors be positive"
        )
    attributes = {"survey": survey, "band": band, "cite": citation, "time": time_standard, "layout": _LAYOUT}
    data = {"mjd": np.asarray(lightcurves.mjd, dtype=np.float64), "mag": mag, "mag_err": mag_err}
    with atomic_file(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update(attributes)
        for name, column in columns.items():
            file.create_dataset(f"objects/{name}", data=column)
        file["objects/offset"] = np.asarray(lightcurves.offsets, dtype=np.int64)
        for name, values in data.items():
            compression: dict[str, Any] = {"compression": "gzip", "shuffle": True} if values.size else {}
            file.create_dataset(f"observations/{name}", data=values, **compression)


def _pack_columns(lightcurves: LightCurves) -> dict[str, NDArray]:
    """Columns as a pack stores them, strings encoded."""
    columns = lightcurves.columns
    n = len(lightcurves)
    identifier = columns.get("id", columns.get("star_id"))
    if identifier is None or "class" not in columns:
        raise InputError(f"a pack needs the columns id and class, received: {', '.join(columns) or 'none'}")
    identifier = np.asarray(identifier).astype(np.str_)
    if np.unique(identifier).size != n:
        raise InputError(f"a pack needs one identifier a star: {n - np.unique(identifier).size} are repeated")
    cls = np.asarray(columns["class"], dtype=np.str_)
    subclass = np.asarray(columns.get("subclass", np.full(n, "")), dtype=np.str_)
    original = np.asarray(columns.get("subclass_survey", subclass), dtype=np.str_)
    spelled = [
        o if o and (canonical_subclass(c, o) if c in CLASSES else "") == s else s
        for c, s, o in zip(cls.tolist(), subclass.tolist(), original.tolist(), strict=True)
    ]
    stored: dict[str, NDArray] = {
        "id": identifier,
        "class": cls,
        "subclass": np.array(spelled, dtype=np.str_),
        "period": np.asarray(columns.get("period", np.full(n, np.nan)), dtype=float),
    }
    for name, column in columns.items():
        if name in _NOT_STORED:
            continue
        if name == "offset" or "/" in name:
            raise InputError(f"a pack cannot hold a column called {name!r}")
        stored[name] = np.asarray(column)
        if stored[name].ndim != 1 or stored[name].dtype.kind not in "fiubU":
            raise InputError(f"a pack cannot hold column {name!r} of type {stored[name].dtype}")
    return {k: _encoded(v) if v.dtype.kind == "U" else v for k, v in stored.items()}


def _encoded(column: NDArray) -> NDArray:
    raw = np.char.encode(column, "utf-8")
    # the dtype tells HDF5 that the bytes are UTF-8; a length of zero is not allowed
    return raw.astype(h5py.string_dtype("utf-8", length=max(raw.dtype.itemsize, 1)))
