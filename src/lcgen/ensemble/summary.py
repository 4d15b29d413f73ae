"""What an ensemble file holds, in a page; and a fingerprint of its content."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import EnsembleError
from .header import RUN_ATTRIBUTES, EnsembleHeader
from .master import shard_folder
from .reader import Ensemble, _explained, locate

__all__ = ["ColumnSummary", "EnsembleSummary", "content_digest", "summarise"]

_STEP = 2**18


@dataclass(frozen=True, kw_only=True)
class ColumnSummary:
    """One column of an ensemble file.

    Attributes
    ----------
    name : str
        With its group, for example ``"stars/period"``.
    dtype : str
        ``"text"`` or numpy's name of the type.
    unit : str
        Empty where it has none.
    filters : str
        How it is compressed.
    stored_bytes : int
        Space it takes in the file.
    """

    name: str
    dtype: str
    unit: str
    filters: str
    stored_bytes: int


@dataclass(frozen=True, kw_only=True)
class EnsembleSummary:
    """What an ensemble file holds; see :func:`summarise`.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    size : int
        Its size [bytes], that of its shards included.
    n_shards : int
        Files that hold the stars; 0 where they are all in this one.
    complete : bool
        Whether it was finished.
    n_stars, n_planned : int
        Stars that are there, and that will be when it is finished.
    n_observations : int
        Observations of these stars.
    classes : mapping of str to int
        Stars of each class.
    bands : mapping of str to int
        Observations in each band.
    mjd_range : tuple of float
        First and last time [d]; NaN where there is no observation.
    columns : tuple of ColumnSummary
    header : EnsembleHeader
    """

    path: Path
    size: int
    n_shards: int = 0
    complete: bool
    n_stars: int
    n_planned: int
    n_observations: int
    classes: Mapping[str, int]
    bands: Mapping[str, int]
    mjd_range: tuple[float, float]
    columns: tuple[ColumnSummary, ...]
    header: EnsembleHeader

    def to_text(self) -> str:
        """The summary as text, several lines."""
        head = self.header
        state = "complete" if self.complete else f"INCOMPLETE: {self.n_stars:,} of {self.n_planned:,} stars; resume it"
        per_star = f", {self.n_observations / self.n_stars:.1f} a star" if self.n_stars else ""
        first, last = self.mjd_range
        times = f"{first:.5f} to {last:.5f} ({last - first:.1f} d)" if np.isfinite(first) else "none"
        pairs = [
            ("file", f"{self.path} ({_size(self.size)})"),
            ("shards", f"{self.n_shards} files in {shard_folder(self.path)}" if self.n_shards else ""),
            (
                "format",
                f"{head.format} {head.format_version}, written by lcgen {head.lcgen_version}, {head.created}",
            ),
            ("state", state),
            (
                "generator",
                head.generator + (f" (sha256 {head.checkpoint_sha256})" if head.checkpoint_sha256 else ""),
            ),
            ("seed", str(head.seed)),
            ("cadence", head.cadence),
            ("command", head.command),
            ("stars", f"{self.n_stars:,}: " + ", ".join(f"{k} {v:,}" for k, v in self.classes.items())),
            ("observations", f"{self.n_observations:,}{per_star}"),
            ("bands", ", ".join(f"{k} {v:,}" for k, v in self.bands.items()) or "none"),
            ("mjd", times),
        ]
        lines = [f"{name:<13} {value}".rstrip(" :") for name, value in pairs if value]
        lines += ["provenance"] * bool(head.provenance)
        for key, value in head.provenance.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            lines.append(f"  {key:<18} {text}")
        lines += ["columns"] * bool(self.columns)
        width = max((len(c.name) for c in self.columns), default=0)
        for column in self.columns:
            text = f"  {column.name:<{width}}  {column.dtype:<8} {column.unit:<7} {column.filters:<22}"
            lines.append(f"{text} {_size(column.stored_bytes):>10}")
        return "\n".join(lines)


def summarise(path: str | os.PathLike[str]) -> EnsembleSummary:
    """What an ensemble file holds, whether it is complete or not.

    Parameters
    ----------
    path : path-like
        The file; where it is not there, the partial file of an interrupted run is looked for.

    Raises
    ------
    EnsembleError
        If the file cannot be read.
    """
    with Ensemble(locate(path), allow_incomplete=True) as ensemble, _explained(ensemble.path):
        source: Any = ensemble._h5
        columns = [f"stars/{name}" for name in ensemble.column_names]
        columns += [f"observations/{name}" for name in source["observations"]]
        bands: dict[str, int] = {}
        mjd_range = (np.nan, np.nan)
        if ensemble.n_observations:
            attributes = source["observations/band"].attrs
            pairs = zip(attributes["names"], attributes["counts"], strict=True)
            bands = {str(name): int(count) for name, count in pairs if count}
            times = source["observations/mjd"].attrs
            mjd_range = (float(times["minimum"]), float(times["maximum"]))
        return EnsembleSummary(
            path=ensemble.path,
            size=sum(p.stat().st_size for p in (ensemble.path, *ensemble.shards)),
            n_shards=len(ensemble.shards),
            complete=ensemble.complete,
            n_stars=len(ensemble),
            n_planned=ensemble.n_planned,
            n_observations=ensemble.n_observations,
            classes=ensemble.classes,
            bands=bands,
            mjd_range=mjd_range,
            columns=_columns(ensemble, source, columns),
            header=ensemble.header,
        )


def _columns(ensemble: Ensemble, source: Any, names: list[str]) -> tuple[ColumnSummary, ...]:
    if not ensemble.shards:
        return tuple(_column(source[name]) for name in names)
    parts = []
    for path in ensemble.shards:
        with h5py.File(path, "r") as shard:
            parts.append([_column(shard[name]) for name in names])
    stored = [sum(c.stored_bytes for c in column) for column in zip(*parts, strict=True)]
    return tuple(replace(c, stored_bytes=n) for c, n in zip(parts[0], stored, strict=True))


def _column(dataset: Any) -> ColumnSummary:
    filters = [dataset.compression or "uncompressed"]
    if dataset.compression == "gzip":
        filters[0] += f" {dataset.compression_opts}"
    filters += ["shuffle"] * bool(dataset.shuffle) + ["checksum"] * bool(dataset.fletcher32)
    return ColumnSummary(
        name=str(dataset.name).lstrip("/"),
        dtype="text" if dataset.dtype.kind == "S" else str(dataset.dtype),
        unit=str(dataset.attrs.get("unit", "")),
        filters=", ".join(filters),
        stored_bytes=int(dataset.id.get_storage_size()),
    )


def content_digest(path: str | os.PathLike[str]) -> str:
    """sha256 over the content of an ensemble file: equal for equal stars, however they were written.

    Every dataset with its attributes, and every root attribute but ``created`` and ``command``, count;
    compression, chunks and the layout of the file do not.

    Raises
    ------
    EnsembleError
        If the file cannot be read or is not complete.
    """
    with Ensemble(locate(path)) as ensemble, _explained(ensemble.path):
        source: Any = ensemble._h5
        digest = hashlib.sha256()
        _digest_attributes(digest, source, skip=RUN_ATTRIBUTES)
        names: list[str] = []
        source.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        # how the stars are spread over files is not content
        for name in sorted(n for n in names if not (ensemble.shards and n.startswith("shards/"))):
            dataset = source[name]
            if dataset.dtype.kind not in "bifuS":
                raise EnsembleError(f"column /{name} has a type an ensemble cannot have: {dataset.dtype}")
            digest.update(f"{name}\0{dataset.shape}\0{dataset.dtype.newbyteorder('<').str}\0".encode())
            _digest_attributes(digest, dataset)
            for start in range(0, dataset.shape[0], _STEP):
                part = ensemble.rows(name, start, min(start + _STEP, dataset.shape[0]))
                digest.update(np.ascontiguousarray(part, dtype=part.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _digest_attributes(digest: Any, item: Any, skip: tuple[str, ...] = ()) -> None:
    for key in sorted(set(item.attrs) - set(skip)):
        value = item.attrs[key]
        text = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
        digest.update(f"{key}={text!r}\0".encode())


def _size(n_bytes: int) -> str:
    value = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
