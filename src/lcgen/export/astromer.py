"""The Parquet shards that ASTROMER's data pipeline turns into records (Donoso-Oliva et al. 2023, A&A 670, A54)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..ensemble import Ensemble
from ..errors import InputError, UnknownNameError
from ..lightcurve import LightCurves
from ..taxonomy import CLASSES
from ._arrow import arrow, metadata_of, need_arrow
from ._files import write_text
from ._values import class_codes, in_time_order
from .base import Source
from .nested import parquet_writer

__all__ = ["AstromerExporter"]

_FIELDS = ("newID", "ID", "Label", "Class", "Subclass", "Period", "sset", "shard", "Band", "n_obs")


@dataclass(frozen=True, kw_only=True)
class AstromerExporter:
    """A folder with ``light_curves/shard_000.parquet`` ..., ``metadata.parquet`` and ``config.toml``.

    ASTROMER reads magnitudes in one band.

    Attributes
    ----------
    band : str
        The band; may be left out where the ensemble has one.
    shard_size : int
        Stars of a shard.
    """

    name: ClassVar[str] = "astromer"
    folder: ClassVar[bool] = True

    band: str = ""
    shard_size: int = 20_000

    def check(self, ensemble: Ensemble) -> None:
        need_arrow("writing Parquet files")
        if self.shard_size < 1:
            raise InputError(f"option shard_size must be at least 1, received {self.shard_size}")
        self._band(ensemble)
        if ensemble.header.provenance.get("noise", "") is None:
            raise InputError("the ensemble has no noise, and ASTROMER drops observations whose error is zero")

    def write(self, source: Source, target: Path, name: str) -> None:
        pa = arrow()
        band = self._band(source.ensemble)
        # by place of the band in the names of the file
        number = source.ensemble.band_names.index(band)
        record = metadata_of(source.provenance())
        schema = pa.schema(
            [("mjd", pa.float64()), ("mag", pa.float32()), ("errmag", pa.float32()), ("newID", pa.int64())],
            metadata=record,
        )
        (target / "light_curves").mkdir()
        shards = _Shards(target / "light_curves", schema)
        described = None
        start = 0
        try:
            for block in source.blocks():
                counts = np.zeros(len(block), np.int64)
                done = 0
                while done < len(block):
                    shard, filled = divmod(start + done, self.shard_size)
                    stop = min(len(block), done + self.shard_size - filled)
                    columns, counts[done:stop] = _observations(block[done:stop], number, start + done)
                    shards.write(shard, pa.table(columns, schema=schema))
                    done = stop
                table = pa.table(_metadata(block, start, self.shard_size, band, counts)).replace_schema_metadata(record)
                if described is None:
                    described = parquet_writer(target / "metadata.parquet", table.schema, "snappy")
                described.write_table(table)
                start += len(block)
        finally:
            shards.close()
            if described is not None:
                described.close()
        write_text(target / "config.toml", _config(name))

    def _band(self, ensemble: Ensemble) -> str:
        names = ensemble.band_names
        if self.band:
            if self.band not in names:
                raise UnknownNameError("band", self.band, names)
            return self.band
        if len(names) != 1:
            raise InputError(
                f"ASTROMER reads one band, the ensemble has {', '.join(names) or 'none'}; choose with the option band"
            )
        return names[0]


class _Shards:
    """The shard that is open."""

    def __init__(self, folder: Path, schema: Any) -> None:
        self._folder, self._schema = folder, schema
        self._number, self._writer = -1, None

    def write(self, number: int, table: Any) -> None:
        """Add rows to a shard; shards come in order."""
        if number != self._number:
            self.close()
            self._number = number
            self._writer = parquet_writer(self._folder / f"shard_{number:03d}.parquet", self._schema, "snappy")
        if self._writer is not None:
            self._writer.write_table(table)

    def close(self) -> None:
        """End the shard, if there is one."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _observations(block: LightCurves, band: int, start: int) -> tuple[dict[str, NDArray], NDArray[np.int64]]:
    """Rows of a shard, and how many each star has; measurements without a magnitude are not among them."""
    block = in_time_order(block)
    keep = (block.band_index == band) & np.isfinite(block.mag) & np.isfinite(block.mag_err)
    star = block.star_index[keep]
    columns = {"mjd": block.mjd[keep], "mag": block.mag[keep], "errmag": block.mag_err[keep], "newID": start + star}
    return columns, np.bincount(star, minlength=len(block))


def _metadata(block: LightCurves, start: int, size: int, band: str, counts: NDArray[np.int64]) -> dict[str, Any]:
    n = len(block)
    new = start + np.arange(n, dtype=np.int64)
    values = (
        new,
        np.asarray(block.columns["star_id"]).astype(str),
        class_codes(block),
        np.asarray(block.columns["class"]).astype(str),
        np.asarray(block.columns.get("subclass", np.full(n, ""))).astype(str),
        np.asarray(block.columns.get("period", np.full(n, np.nan)), dtype=np.float64),
        np.full(n, "train"),
        new // size,
        np.full(n, band),
        counts,
    )
    return dict(zip(_FIELDS, values, strict=True))


def _config(name: str) -> str:
    """What ASTROMER's pipeline reads first: which columns are what."""
    labels = ", ".join(f"{k} {c}" for k, c in enumerate(CLASSES))
    return f"""\
# Label: {labels}

[id_column]
value = "newID"
dtype = "integer"

[target]
path = {json.dumps(f"./records/{name}")}

[context_features]
path = "metadata.parquet"
value = ["ID", "Label"]
dtypes = ["string", "integer"]

[sequential_features]
path = "light_curves"
value = ["mjd", "mag", "errmag"]
dtypes = ["float", "float", "float"]
"""
