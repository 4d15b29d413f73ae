"""The tables of the PLAsTiCC challenge, as CSV."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..ensemble import Ensemble
from ..errors import InputError
from ..lightcurve import LightCurves
from ..sky.frames import galactic
from ._arrow import arrow, need_arrow
from ._values import (
    FLUXCAL_PER_NJY,
    column_or_nan,
    detections,
    exported_flux,
    in_time_order,
    mapped_bands,
    pairs_of,
    reddening,
)
from .base import Source

__all__ = ["PASSBANDS", "TARGETS", "PlasticcExporter"]

PASSBANDS = {b: str(k) for k, b in enumerate("ugrizy")}
"""Numbers of the passbands."""

TARGETS = {"RRLYR": 92, "ECL": 16, "LPV/Mira": 53}
"""Numbers of the challenge for classes, or classes and subclasses (Kessler et al. 2019, PASP 131, 094501)."""

OTHER = 99
"""The number of the challenge for objects of no class of its training set."""

_LAYOUTS = ("kaggle", "unblinded")


@dataclass(frozen=True, kw_only=True)
class PlasticcExporter:
    """A folder with ``training_set.csv`` and ``training_set_metadata.csv``.

    Fluxes have the AB zero point 27.5, as those of the challenge.

    Attributes
    ----------
    layout : str
        ``kaggle``: columns as in the challenge (``detected``, ``ddf``, ``gal_l``); ``unblinded``: as in the release
        with the truth (``detected_bool``, ``ddf_bool``, no Galactic coordinates).
    set : str
        First part of the names of the files.
    targets : str
        Numbers of classes besides :data:`TARGETS`, or instead: ``CEP=201,DSCT=202,LPV/SR=203``. Others are 99.
    bands : str
        Passbands of bands that the challenge lacks, such as ``sdss_g=1,sdss_r=2``.
    difference : bool
        Give fluxes minus the mean flux of the star in each band, as the challenge has them.
    """

    name: ClassVar[str] = "plasticc"
    folder: ClassVar[bool] = True

    layout: str = "kaggle"
    set: str = "training"
    targets: str = ""
    bands: str = ""
    difference: bool = False

    def check(self, ensemble: Ensemble) -> None:
        need_arrow("writing CSV files")
        if self.layout not in _LAYOUTS:
            raise InputError(f"option layout must be one of {', '.join(_LAYOUTS)}; received {self.layout!r}")
        if not self.set.isidentifier():
            raise InputError(f"option set must be a plain word such as training, received {self.set!r}")
        for name, number in self._bands(ensemble).items():
            if number not in PASSBANDS.values():
                raise InputError(f"PLAsTiCC has the passbands 0 to 5, received {number!r} for the band {name}")
        self._targets()

    def write(self, source: Source, target: Path, name: str) -> None:
        pa = arrow()
        passband = np.array([int(n) for n in self._bands(source.ensemble).values()] or [0], dtype=np.uint8)
        targets = self._targets()
        options = pa.csv.WriteOptions(quoting_header="none", quoting_style="needed")
        writers: list[Any] = []
        try:
            for block in source.blocks():
                tables = pa.table(self._observations(block, passband)), pa.table(self._metadata(block, targets))
                if not writers:
                    paths = target / f"{self.set}_set.csv", target / f"{self.set}_set_metadata.csv"
                    writers = [
                        pa.csv.CSVWriter(path, table.schema, write_options=options)
                        for path, table in zip(paths, tables, strict=True)
                    ]
                for writer, table in zip(writers, tables, strict=True):
                    writer.write_table(table)
        finally:
            for writer in writers:
                writer.close()

    def _observations(self, block: LightCurves, passband: NDArray[np.uint8]) -> dict[str, NDArray]:
        block = in_time_order(block)
        flux = FLUXCAL_PER_NJY * exported_flux(block, difference=self.difference)
        error = FLUXCAL_PER_NJY * np.asarray(block.flux_err, dtype=np.float64)
        return {
            "object_id": np.asarray(block.columns["star_id"])[block.star_index],
            "mjd": block.mjd,
            "passband": passband[block.band_index],
            "flux": flux.astype(np.float32),
            "flux_err": error.astype(np.float32),
            "detected" if self.layout == "kaggle" else "detected_bool": detections(block).astype(np.uint8),
        }

    def _metadata(self, block: LightCurves, targets: dict[str, int]) -> dict[str, Any]:
        ra, dec, n = column_or_nan(block, "ra"), column_or_nan(block, "dec"), len(block)
        zero, classes = np.zeros(n), np.asarray(block.columns["class"]).astype(str)
        subclasses = np.asarray(block.columns.get("subclass", np.full(n, ""))).astype(str)
        numbers = [targets.get(f"{c}/{s}", targets.get(c, OTHER)) for c, s in zip(classes, subclasses, strict=True)]
        kaggle = self.layout == "kaggle"
        out: dict[str, Any] = {"object_id": np.asarray(block.columns["star_id"]), "ra": ra, "decl": dec}
        if kaggle:
            out["gal_l"], out["gal_b"] = galactic(ra, dec)
        deep = np.asarray(block.columns["ddf"]).astype(np.uint8) if "ddf" in block.columns else zero.astype(np.uint8)
        return out | {
            "ddf" if kaggle else "ddf_bool": deep,
            # stars of the Galaxy have redshift zero and no distance modulus
            "hostgal_specz": zero,
            "hostgal_photoz": zero,
            "hostgal_photoz_err": zero,
            "distmod": np.full(n, np.nan),
            "mwebv": reddening(block),
            "target": np.array(numbers, dtype=np.int64),
            "class": classes,
            "subclass": subclasses,
            "period": column_or_nan(block, "period"),
        }

    def _bands(self, ensemble: Ensemble) -> dict[str, str]:
        return mapped_bands(ensemble.band_names, PASSBANDS, what="PLAsTiCC", extra=self.bands, merge=True)

    def _targets(self) -> dict[str, int]:
        numbers = dict(TARGETS)
        for name, text in pairs_of(self.targets, "targets").items():
            if not text.isdecimal():
                raise InputError(f"option targets wants whole numbers, received {text!r} for {name}")
            numbers[name] = int(text)
        return numbers
