"""HATS catalogues: Parquet files, one for each part of the sky (IVOA Note "HATS", https://www.ivoa.net/documents/Notes/HATS/)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..ensemble import Ensemble
from ..errors import InputError, MissingExtraError
from ..lightcurve import LightCurves
from ._arrow import arrow, metadata_of, need_arrow, nested_schema, nested_table
from ._files import write_text
from .base import Source
from .nested import check_compression, check_nested_name, parquet_writer

__all__ = ["INDEX", "HatsExporter", "partitions"]

INDEX = "_healpix_29"
"""Column with the nested HEALPix pixel of order 29, by which rows are sorted."""

_ORDER = 29
_STEP = 2**20
_MOST_OBSERVATIONS = 2_000_000


@dataclass(frozen=True, kw_only=True)
class HatsExporter:
    """A catalogue that LSDB and hats read, light curves in a nested column.

    Attributes
    ----------
    nested : str
        Name of the column with the light curves.
    max_rows : int
        Stars of a partition at most, and no more than make two million observations: a partition is in memory at once.
    max_order : int
        Finest HEALPix order of a partition, 0 to 16; there a partition may have more stars.
    compression : str
        Of the Parquet files: ``zstd``, ``snappy``, ``gzip`` or ``none``.
    """

    name: ClassVar[str] = "hats"
    folder: ClassVar[bool] = True

    nested: str = "lightcurve"
    max_rows: int = 20_000
    max_order: int = 10
    compression: str = "zstd"

    def check(self, ensemble: Ensemble) -> None:
        need_arrow("writing HATS catalogues")
        _healpix()
        check_nested_name(self.nested, ensemble)
        check_compression(self.compression)
        if self.max_rows < 1:
            raise InputError(f"option max_rows must be at least 1, received {self.max_rows}")
        if not 0 <= self.max_order <= 16:
            raise InputError(f"option max_order must lie in [0, 16], received {self.max_order}")
        lost = _without_position(ensemble)
        if lost:
            raise InputError(
                f"{lost} stars have no position, and a HATS catalogue is divided by position: make the ensemble with "
                "positions (--sky, or --ra and --dec)"
            )

    def write(self, source: Source, target: Path, name: str) -> None:
        pa = arrow()
        schema = nested_schema(
            source.ensemble, nested=self.nested, metadata=metadata_of(source.provenance()), index=INDEX
        )
        spill = target / "spill.arrow"
        indices = _spill(source, spill, schema, self.nested)
        max_rows = self._rows(source.ensemble)
        parts = partitions(np.concatenate(indices), max_rows, self.max_order)
        files = []
        for order, pixel in parts:
            # mapped anew for each, or the pages of all would stay
            with pa.memory_map(str(spill)) as mapped:
                files.append(self._partition(target, pa.ipc.open_file(mapped), indices, schema, order, pixel))
        spill.unlink()
        footers = []
        for path, footer in files:
            footer.set_file_path(path)
            footers.append(footer)
        pa.parquet.write_metadata(schema, target / "dataset" / "_metadata", metadata_collector=footers)
        pa.parquet.write_metadata(schema, target / "dataset" / "_common_metadata")
        write_text(target / "partition_info.csv", "Norder,Npix\n" + "".join(f"{o},{p}\n" for o, p in parts))
        text = _properties(source, name, max(o for o, _ in parts), max_rows)
        for file_name in ("hats.properties", "properties"):
            write_text(target / file_name, text)

    def _rows(self, ensemble: Ensemble) -> int:
        """Stars of a partition at most, fewer where they have many observations."""
        mean = max(1.0, ensemble.n_observations / len(ensemble))
        return max(1, min(self.max_rows, int(_MOST_OBSERVATIONS / mean)))

    def _partition(
        self, target: Path, batches: Any, indices: list[NDArray[np.int64]], schema: Any, order: int, pixel: int
    ) -> tuple[str, Any]:
        """Write one partition; its path in the dataset, and the footer of the file."""
        pa = arrow()
        shift = 2 * (_ORDER - order)
        low, high = pixel << shift, (pixel + 1) << shift
        pieces = []
        for k, index in enumerate(indices):
            start, stop = np.searchsorted(index, [low, high])
            if stop > start:
                pieces.append(batches.get_batch(k).slice(start, stop - start))
        table = pa.Table.from_batches(pieces, schema)
        # by hand: sort_by does not take nested columns everywhere
        table = table.take(pa.array(np.argsort(table[INDEX].to_numpy(), kind="stable")))
        path = f"Norder={order}/Dir={pixel // 10_000 * 10_000}/Npix={pixel}.parquet"
        (target / "dataset" / path).parent.mkdir(parents=True, exist_ok=True)
        with parquet_writer(target / "dataset" / path, schema, self.compression) as writer:
            writer.write_table(table)
        return path, pa.parquet.read_metadata(target / "dataset" / path)


def partitions(index: NDArray[np.int64], max_rows: int, max_order: int) -> list[tuple[int, int]]:
    """HEALPix pixels, as orders and numbers, that hold all stars once and at most `max_rows` each.

    A pixel with more is divided into its four children, down to `max_order`.

    Parameters
    ----------
    index : ndarray of int64, shape (n_stars,)
        Nested pixels of order 29.

    Examples
    --------
    >>> import numpy as np
    >>> partitions(np.array([0, 1 << 56, 2 << 58]), max_rows=1, max_order=3)
    [(0, 2), (1, 0), (1, 1)]
    """
    index = np.sort(index)
    todo = [(0, pixel) for pixel in range(12)]
    out = []
    while todo:
        order, pixel = todo.pop()
        shift = 2 * (_ORDER - order)
        low, high = np.searchsorted(index, [pixel << shift, (pixel + 1) << shift])
        if high == low:
            continue
        if high - low <= max_rows or order == max_order:
            out.append((order, pixel))
        else:
            todo += [(order + 1, 4 * pixel + child) for child in range(4)]
    return sorted(out)


def _spill(source: Source, path: Path, schema: Any, nested: str) -> list[NDArray[np.int64]]:
    """Write all blocks, each sorted by place, into one Arrow file; the places of each block."""
    pa = arrow()
    out = []
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for block in source.blocks():
            index = _pixels(block)
            order = np.argsort(index, kind="stable")
            table = nested_table(block.take(order), schema, nested=nested, extra={INDEX: index[order]})
            writer.write_batch(table.combine_chunks().to_batches()[0])
            out.append(index[order])
    return out


def _pixels(block: LightCurves) -> NDArray[np.int64]:
    lonlat_to_healpix, degree = _healpix()
    ra, dec = (np.asarray(block.columns[k], dtype=np.float64) * degree for k in ("ra", "dec"))
    return np.asarray(lonlat_to_healpix(ra, dec, 2**_ORDER, order="nested"), dtype=np.int64)


def _healpix() -> tuple[Any, Any]:
    try:
        from astropy_healpix import lonlat_to_healpix
    except ImportError:
        raise MissingExtraError("astropy-healpix", "hats", "writing HATS catalogues") from None
    from astropy import units

    return lonlat_to_healpix, units.deg


def _without_position(ensemble: Ensemble) -> int:
    if not {"ra", "dec"} <= set(ensemble.column_names):
        return len(ensemble)
    return sum(_bad_positions(ensemble))


def _bad_positions(ensemble: Ensemble) -> Iterator[int]:
    for start in range(0, len(ensemble), _STEP):
        part = ensemble.columns(["ra", "dec"], start, start + _STEP)
        yield int(np.count_nonzero(~(np.isfinite(part["ra"]) & np.isfinite(part["dec"]))))


def _properties(source: Source, name: str, order: int, max_rows: int) -> str:
    """The catalogue's properties, a line each (the keys of the Note, section on metadata)."""
    record = source.provenance()
    pairs = {
        "obs_collection": name,
        "dataproduct_type": "object",
        "hats_nrows": len(source.ensemble),
        "hats_col_ra": "ra",
        "hats_col_dec": "dec",
        "hats_col_healpix": INDEX,
        "hats_col_healpix_order": _ORDER,
        "hats_npix_suffix": ".parquet",
        "hats_max_rows": max_rows,
        "hats_order": order,
        "hats_builder": record["exported_by"],
        "hats_creation_date": record["created"],
        "hats_version": "v1.0",
        "obs_description": "simulated light curves of periodic variable stars",
        "prov_progenitor": f"lcgen {record['lcgen_version']}, generator {record['generator']}, seed {record['seed']}",
        "lcgen_checkpoint_sha256": record["checkpoint_sha256"],
        "lcgen_cadence": record["cadence"],
    }
    lines = ("=".join((key, str(value).replace("\\", "\\\\").replace("\n", " "))) for key, value in pairs.items())
    return "#HATS catalog\n" + "\n".join(lines) + "\n"
