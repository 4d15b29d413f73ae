"""Nested Parquet: one row a star, its light curve in one column."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..ensemble import Ensemble
from ..errors import InputError
from ._arrow import arrow, metadata_of, need_arrow, nested_schema, nested_table
from .base import Source

__all__ = ["NestedExporter", "check_nested_name"]


@dataclass(frozen=True, kw_only=True)
class NestedExporter:
    """One Parquet file; the light curve is a struct of lists, which nested-pandas reads as a nested column.

    Attributes
    ----------
    nested : str
        Name of the column with the light curves.
    compression : str
        Of the Parquet file: ``zstd``, ``snappy``, ``gzip`` or ``none``.
    """

    name: ClassVar[str] = "nested"
    folder: ClassVar[bool] = False

    nested: str = "lightcurve"
    compression: str = "zstd"

    def check(self, ensemble: Ensemble) -> None:
        need_arrow("writing Parquet files")
        check_nested_name(self.nested, ensemble)
        check_compression(self.compression)

    def write(self, source: Source, target: Path, name: str) -> None:
        schema = nested_schema(source.ensemble, nested=self.nested, metadata=metadata_of(source.provenance()))
        with parquet_writer(target, schema, self.compression) as writer:
            for block in source.blocks():
                writer.write_table(nested_table(block, schema, nested=self.nested))


def check_nested_name(name: str, ensemble: Ensemble) -> None:
    """Refuse a name for the light curves that cannot be one.

    Raises
    ------
    InputError
        If it is no plain word or a column of the stars.
    """
    if not name.isidentifier() or name in ensemble.column_names:
        raise InputError(f"option nested must be a plain word that is no column of the stars, received {name!r}")


def check_compression(name: str) -> None:
    """Refuse an unknown compression of Parquet files.

    Raises
    ------
    InputError
        If it is not known.
    """
    if name not in ("zstd", "snappy", "gzip", "none"):
        raise InputError(f"option compression must be zstd, snappy, gzip or none; received {name!r}")


def parquet_writer(path: Path, schema: Any, compression: str) -> Any:
    """A writer that takes one table after the other."""
    return arrow().parquet.ParquetWriter(path, schema, compression=compression)
