"""One FITS file with two tables: the stars, and their observations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..ensemble import Ensemble
from ..taxonomy import PARAMETERS
from ._fits import FitsTable, records, write_primary
from ._values import longest_text
from .base import Source

__all__ = ["FitsExporter"]

_UNITS = {"mjd": "d", "mag": "mag", "mag_err": "mag", "flux": "nJy", "flux_err": "nJy"}
_FITS_UNITS = {"pc": "pc", "solRad": "solRad", "d": "d", "K": "K", "mag": "mag", "deg": "deg"}


@dataclass(frozen=True, kw_only=True)
class FitsExporter:
    """A FITS file with the tables STARS and OBSERVATIONS; ``first`` and ``n_obs`` say which rows are whose."""

    name: ClassVar[str] = "fits"
    folder: ClassVar[bool] = False

    def check(self, ensemble: Ensemble) -> None:
        pass

    def write(self, source: Source, target: Path, name: str) -> None:
        with target.open("w+b") as file:
            write_primary(file, _cards(source))
            self._stars(source, file)
            self._observations(source, file)

    def _stars(self, source: Source, file: Any) -> None:
        ensemble = source.ensemble
        sample = ensemble.columns(None, 0, 1)
        text = longest_text(ensemble, [n for n, v in sample.items() if v.dtype.kind == "U"])
        kinds = {n: f"S{text[n]}" if n in text else _number(v.dtype) for n, v in sample.items()}
        units = {n: _FITS_UNITS[PARAMETERS[n].unit] for n in kinds if n in PARAMETERS and PARAMETERS[n].unit}
        table = FitsTable(file, name="STARS", columns={**kinds, "first": "i8", "n_obs": "i8"}, units=units)
        row = 0
        for block in source.blocks():
            rows = {"first": row + block.offsets[:-1], "n_obs": np.diff(block.offsets)}
            table.append(records(table.dtype, len(block), _encoded(block.columns) | rows))
            row += block.mjd.size
        table.close()

    def _observations(self, source: Source, file: Any) -> None:
        names = source.ensemble.band_names
        width = max((len(n) for n in names), default=1)
        columns: dict[str, Any] = {"mjd": "f8", "band": f"S{width}"}
        columns |= dict.fromkeys(("mag", "mag_err", "flux", "flux_err"), "f4")
        if source.ensemble[:1].detected is not None:
            columns["detected"] = "u1"
        table = FitsTable(file, name="OBSERVATIONS", columns=columns, units=_UNITS)
        for block in source.blocks():
            values = {name: getattr(block, name) for name in columns}
            table.append(records(table.dtype, block.mjd.size, values))
        table.close()


def _encoded(columns: Mapping[str, Any]) -> dict[str, Any]:
    # FITS text is ASCII; what is not becomes a question mark
    return {k: np.char.encode(v, "ascii", "replace") if v.dtype.kind == "U" else v for k, v in columns.items()}


def _number(dtype: np.dtype) -> str:
    return {"b": "i2", "i": "i8"}.get(dtype.kind, f"f{dtype.itemsize}")


def _cards(source: Source) -> list[tuple[str, str | int, str]]:
    record = source.provenance()
    return [
        ("LCGENVER", record["lcgen_version"], "lcgen that made the stars"),
        ("LCGENMOD", record["generator"], "generator"),
        ("LCGENSHA", record["checkpoint_sha256"], ""),
        ("LCGENSED", record["seed"], "seed"),
        ("LCGENCAD", record["cadence"], "cadence"),
        ("CREATED", record["created"], "when the run began"),
    ]
