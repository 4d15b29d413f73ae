"""A folder of astropy tables, one a star, and an index."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..ensemble import Ensemble
from ..errors import InputError
from ..lightcurve import LightCurves
from .base import Source

__all__ = ["TablesExporter"]

_ENDINGS = {"ecsv": "ascii.ecsv", "fits": "fits"}


@dataclass(frozen=True, kw_only=True)
class TablesExporter:
    """``lightcurves/000/<star_id>.ecsv`` ... and ``stars.ecsv``, whose column ``file`` says which is whose.

    Meant for some thousand stars: each is a file. ``fits`` has all of them in one.

    Attributes
    ----------
    kind : str
        ``ecsv`` or ``fits``.
    per_folder : int
        Files of a folder.
    """

    name: ClassVar[str] = "tables"
    folder: ClassVar[bool] = True

    kind: str = "ecsv"
    per_folder: int = 1000

    def check(self, ensemble: Ensemble) -> None:
        if self.kind not in _ENDINGS:
            raise InputError(f"option kind must be one of {', '.join(_ENDINGS)}; received {self.kind!r}")
        if self.per_folder < 1:
            raise InputError(f"option per_folder must be at least 1, received {self.per_folder}")

    def write(self, source: Source, target: Path, name: str) -> None:
        start = 0
        with (target / "stars.ecsv").open("w", encoding="utf-8", newline="\n") as index:
            for block in source.blocks():
                files = [self._file(target, int(i), start + k) for k, i in enumerate(block.columns["star_id"])]
                for path, star in zip(files, block, strict=True):
                    table: Any = star.to_table()
                    if self.kind == "fits":
                        table.meta = _fits_meta(table.meta)
                    table.write(target / path, format=_ENDINGS[self.kind])
                index.write(_index_rows(block, files, source.provenance() if start == 0 else None))
                start += len(block)

    def _file(self, target: Path, star_id: int, row: int) -> str:
        folder = f"lightcurves/{row // self.per_folder:03d}"
        (target / folder).mkdir(parents=True, exist_ok=True)
        return f"{folder}/{star_id}.{self.kind}"


def _index_rows(block: LightCurves, files: list[str], provenance: dict[str, Any] | None) -> str:
    """Rows of the index; with the header before the first."""
    table: Any = block.stars
    table["n_obs"] = np.diff(block.offsets)
    table["file"] = files
    if provenance is not None:
        table.meta["lcgen"] = provenance
    text = io.StringIO()
    table.write(text, format="ascii.ecsv")
    if provenance is not None:
        return text.getvalue()
    rows = [line for line in text.getvalue().splitlines(keepends=True) if not line.startswith("#")]
    return "".join(rows[1:])


def _fits_meta(meta: Mapping[str, Any]) -> dict[str, Any]:
    """What cards of a FITS header can hold: ASCII, no NaN, long names marked as such."""
    out = {}
    for key, value in meta.items():
        if isinstance(value, float) and not np.isfinite(value):
            continue
        name = key if len(key) <= 8 else f"HIERARCH {key}"
        out[name] = value.encode("ascii", "replace").decode() if isinstance(value, str) else value
    return out
