"""From survey packs to tensors of a training run."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..assets import atomic_file
from ..catalog import read_pack
from ..errors import ConfigError
from ..lightcurve import LightCurves
from ..observe.noise import SurveyNoise
from ..prepare.dataset import PreparedCurves, prepare
from ..prepare.split import id_hash, split_by_star
from ..rng import stream
from ..taxonomy import PHYSICAL
from .config import TrainConfig

__all__ = ["TrainingData", "load_data", "split_record"]

_log = logging.getLogger(__name__)
_PREPARATION = 2
"""Raised whenever preparation changes, so that prepared curves of an older run are not taken for new ones."""
_JOINED = tuple(p for p in PHYSICAL if p != "period")


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingData:
    """Prepared curves with their split, the error models of the surveys and the table of the population.

    Attributes
    ----------
    curves : PreparedCurves
    split : ndarray of uint8, shape (n,)
        0 training, 1 validation, 2 test.
    noise : mapping of survey to SurveyNoise
    population : mapping of str to ndarray
        Columns that the population is fitted to.
    provenance : mapping
        Packs, citations, what was dropped and why.
    """

    curves: PreparedCurves
    split: NDArray[np.uint8]
    noise: dict[str, SurveyNoise]
    population: dict[str, NDArray[Any]]
    provenance: dict[str, Any]


def _thin(survey: LightCurves, max_stars: int, seed: int, name: str) -> LightCurves:
    """At most `max_stars` stars of each class, the same ones in every band."""
    ids, classes = np.asarray(survey.columns["id"]), np.asarray(survey.columns["class"])
    keep = np.zeros(len(survey), dtype=bool)
    for cls in np.unique(classes):
        stars = np.unique(ids[classes == cls])
        chosen = stream(seed, f"thin/{name}/{cls}").permutation(stars)[:max_stars]
        keep |= (classes == cls) & np.isin(ids, chosen)
    return survey[keep]


def _join(survey: LightCurves, table: dict[str, NDArray[Any]]) -> LightCurves:
    """Physical parameters by star id; values of the pack itself are not overwritten."""
    rows = {str(s): i for i, s in enumerate(table["star_id"])}
    at = np.array([rows.get(str(s), -1) for s in survey.columns["id"]])
    columns = dict(survey.columns)
    for name in _JOINED:
        if name in table:
            values = np.where(at >= 0, np.asarray(table[name], dtype=float)[at], np.nan)
            columns[name] = values
        else:
            columns.pop(name, None)
    return dataclasses.replace(survey, columns=columns)


def _noise_of(name: str, survey: LightCurves, curves: PreparedCurves) -> SurveyNoise:
    own = curves.survey == name
    ratio = {
        str(c): float(np.median(curves.scatter_ratio[own & (curves.class_name == c)]))
        for c in np.unique(curves.class_name[own])
    }
    magnitudes, errors = {}, {}
    for k, band in enumerate(survey.band_names):
        rows = survey.band_index == k
        magnitudes[band], errors[band] = survey.mag[rows].astype(float), survey.mag_err[rows].astype(float)
    return SurveyNoise.fit(name=name, mag=magnitudes, mag_err=errors, ratio=ratio)


def load_data(config: TrainConfig, run: Path, *, progress: bool | None = None) -> TrainingData:
    """Read, prepare and split the data of a run; the prepared curves are kept in the run's folder.

    Parameters
    ----------
    config : TrainConfig
    run : Path
        Folder of the run.
    progress : bool, optional
    """
    from ..population import training_table

    data = config.data
    root = data.root()
    table: dict[str, NDArray[Any]] = {}
    text = "the training stars"
    if data.physical_parameters or config.population.source == "table":
        table, text = training_table(root)
    by_survey: dict[str, list[LightCurves]] = {}
    citations: dict[str, str] = {}
    for pack in data.packs:
        path = root / pack.path
        if not path.is_file():
            raise ConfigError(f"data.packs: {path} is not a file")
        curves = read_pack(path)
        wanted = np.isin(np.asarray(curves.columns["class"]), data.classes)
        by_survey.setdefault(pack.survey, []).append(curves[wanted])
        citations[pack.path] = str(curves.meta.get("citation", curves.meta.get("cite", "")))
    surveys = []
    for name, parts in by_survey.items():
        survey = LightCurves.concatenate(parts)
        survey = dataclasses.replace(survey, meta={"survey": name})
        if data.max_stars:
            survey = _thin(survey, data.max_stars, data.split_seed, name)
        surveys.append(_join(survey, table) if data.physical_parameters else survey)
    key = hashlib.sha256(
        json.dumps(
            [
                _PREPARATION,
                dataclasses.asdict(config.data),
                [[k, dataclasses.asdict(c)] for k, c in config.clean.items()],
            ],
            sort_keys=True,
        ).encode()
    ).hexdigest()[:16]
    cache, report_path = run / f"prepared-{key}.npz", run / f"prepared-{key}.txt"
    if cache.is_file() and report_path.is_file():
        prepared, report_text = PreparedCurves.load(cache), report_path.read_text()
    else:
        prepared, report = prepare(surveys, bands=data.bands, clean=config.clean, progress=progress)
        report_text = report.to_text()
        with atomic_file(cache) as temporary:
            prepared.save(temporary)
        with atomic_file(report_path) as temporary:
            temporary.write_text(report_text)
    _log.info("prepared curves:\n%s", report_text)
    split = split_by_star(prepared.star_id, prepared.class_name, seed=data.split_seed, fractions=data.split)
    if config.population.source == "curves":
        train = split == 0
        table = {"class": prepared.class_name[train], "subclass": prepared.subclass[train]}
        table |= {p: prepared.params[train, j] for j, p in enumerate(PHYSICAL)}
    return TrainingData(
        curves=prepared,
        split=split,
        noise={str(s.meta["survey"]): _noise_of(str(s.meta["survey"]), s, prepared) for s in surveys},
        population=table,
        provenance={"citations": citations, "preparation": report_text, "population": text},
    )


def split_record(data: TrainingData) -> dict[str, NDArray]:
    """The split in the form that is stored with the model: hashes of the stars' names and their sets."""
    names, first = np.unique(data.curves.star_id, return_index=True)
    return {"hash": id_hash(names), "set": data.split[first]}
