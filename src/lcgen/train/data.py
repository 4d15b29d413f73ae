"""From survey packs to tensors of a training run."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..assets import atomic_file
from ..catalog import StarTable, read_fourier_table, read_ogle_cepf, read_pack, read_periods
from ..errors import ConfigError
from ..lightcurve import LightCurves
from ..observe.noise import SurveyNoise
from ..prepare.dataset import PreparedCurves, prepare
from ..prepare.reconstruct import FE_H_SCATTER, N_TERMS, reconstruct, scatter_metallicity
from ..prepare.same_star import rename_matched
from ..prepare.split import id_hash, split_by_star
from ..rng import stream
from ..taxonomy import PHYSICAL
from .config import DataConfig, TrainConfig

__all__ = ["TrainingData", "load_data", "split_record"]

_log = logging.getLogger(__name__)
_LATER = ("secondary", "split")
"""Settings of the data that prepared curves do not depend on."""
_PREPARATION = 3
"""Raised whenever preparation changes, so that prepared curves of an older run are not taken for new ones."""
_JOINED = tuple(p for p in PHYSICAL if p != "period")
_FOURIER_CITATION = "Dekany, Grebel & Pojmanski 2021, ApJ 920, 33"
_SCATTER_NOTE = "\nPhotometric [Fe/H] were given the scatter of spectroscopic ones: " + ", ".join(
    f"{subclass} {scatter:.2f} dex" for subclass, scatter in FE_H_SCATTER.items()
)


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


def _parameters(table: Mapping[str, NDArray[Any]], ids: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Physical parameters by star id, NaN where unknown; of a star with several rows the last known values."""
    rows: dict[str, list[int]] = {}
    for i, star in enumerate(table["star_id"]):
        rows.setdefault(str(star), []).append(i)
    out: dict[str, NDArray[np.float64]] = {}
    wanted = [rows.get(str(star), []) for star in np.asarray(ids)]
    for name in _JOINED:
        if name in table:
            column = np.asarray(table[name], dtype=float)
            known = [[v for v in column[at] if np.isfinite(v)] for at in wanted]
            out[name] = np.array([v[-1] if v else np.nan for v in known])
    return out


def _join(survey: LightCurves, table: dict[str, NDArray[Any]]) -> LightCurves:
    """Physical parameters by star id; the period of the pack itself is not overwritten."""
    columns = {k: v for k, v in survey.columns.items() if k not in _JOINED}
    return dataclasses.replace(survey, columns=columns | _parameters(table, survey.columns["id"]))


def _scattered(table: dict[str, NDArray[Any]], seed: int) -> dict[str, NDArray[Any]]:
    """The table, with the scatter of real metallicities given to photometric ones."""
    if "fe_h" not in table:
        return table
    fe_h, photometric = np.array(table["fe_h"], dtype=float), table["fe_h_source"] == "fourier"
    for subclass in np.unique(table["subclass"][photometric]).tolist():
        own = photometric & (table["subclass"] == subclass)
        fe_h = scatter_metallicity(fe_h, table["star_id"], subclass=subclass, photometric=own, seed=seed)
    return table | {"fe_h": fe_h}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Periods:
    """The periods of one table, by star id."""

    name: str
    sha256: str
    by_star: dict[str, float]


def _read_period_table(named: str, root: Path) -> _Periods:
    # a path that is absolute stays what it is
    found = [p for p in (root / named, Path(named)) if p.is_file()]
    if not found:
        raise ConfigError(f"data.packs: there is no table of periods {named} (looked in {root} and the current folder)")
    is_csv = found[0].name.removesuffix(".gz").endswith(".csv")
    stars = read_periods(found[0]) if is_csv else read_ogle_cepf(found[0])
    by_star = {
        str(star): float(period)
        for star, period in zip(stars["id"], stars["period"], strict=True)
        if np.isfinite(period) and period > 0
    }
    return _Periods(name=named, sha256=_sha256(found[0]), by_star=by_star)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _with_periods(
    surveys: Mapping[str, list[LightCurves]], tables: Mapping[str, list[_Periods]]
) -> tuple[dict[str, list[LightCurves]], str]:
    """Periods from tables, and for stars without one from another survey that knows it."""
    found: dict[str, list[NDArray[np.float64]]] = {}
    counts: dict[str, Counter[str]] = {}
    known: dict[str, float] = {}
    for name, packs in surveys.items():
        counts[name], found[name] = Counter(), []
        for pack in packs:
            period = np.array(pack.columns["period"], dtype=float)
            for i, star in enumerate(pack.columns["id"]):
                # one rule for all bands of a survey: bands of one star that are folded differently get out of step
                table = next((t for t in tables.get(name, ()) if str(star) in t.by_star), None)
                if table is not None:
                    period[i] = table.by_star[str(star)]
                source = table.name if table is not None else "the pack" if np.isfinite(period[i]) else ""
                counts[name][source] += bool(source)
                if source:
                    known.setdefault(str(star), float(period[i]))
            found[name].append(period)
    out: dict[str, list[LightCurves]] = {}
    lines = []
    for name, packs in surveys.items():
        out[name] = []
        for pack, period in zip(packs, found[name], strict=True):
            for i in np.flatnonzero(~np.isfinite(period)):
                period[i] = known.get(str(pack.columns["id"][i]), np.nan)
                counts[name]["another pack" if np.isfinite(period[i]) else "nowhere"] += 1
            out[name].append(dataclasses.replace(pack, columns=dict(pack.columns) | {"period": period}))
        lines.append(f"periods of {name}: " + ", ".join(f"{n} from {k}" for k, n in counts[name].items() if n))
    return out, "\n".join(lines)


def _together(
    surveys: Mapping[str, list[LightCurves]], matched: Mapping[str, list[bool]]
) -> tuple[dict[str, LightCurves], str]:
    """The packs of each survey as one, with stars that the packs name differently under one name."""
    out: dict[str, LightCurves] = {}
    lines = []
    for name, packs in surveys.items():
        done: list[LightCurves] = []
        for pack, match in zip(packs, matched[name], strict=True):
            own, other = 0, 0
            found = np.zeros(len(pack), dtype=bool)
            if match and done:
                pack, found = rename_matched(LightCurves.concatenate(done), pack, bands_of_one_survey=True)
                own = int(found.sum())
            if match and out:
                rest = np.flatnonzero(~found)
                part, again = rename_matched(
                    LightCurves.concatenate(list(out.values())), pack.take(rest), bands_of_one_survey=False
                )
                # a name that another star of this survey bears already would make them bands of one star
                taken = [np.asarray(p.columns["id"]) for p in [*done, pack]]
                again &= ~np.isin(part.columns["id"], np.concatenate(taken))
                ids = np.asarray(pack.columns["id"]).astype(object)
                ids[rest[again]] = np.asarray(part.columns["id"])[again]
                pack = dataclasses.replace(pack, columns=dict(pack.columns) | {"id": ids.astype(np.str_)})
                other = int(again.sum())
            if match:
                lines.append(f"\nstars of {name} known by their ephemerides: {own} of its packs, {other} of others")
            done.append(pack)
        out[name] = LightCurves.concatenate(done)
    return out, "".join(lines)


def _reconstructed(
    config: TrainConfig, table: Mapping[str, NDArray[Any]] | None
) -> tuple[list[PreparedCurves], list[str]]:
    """Curves from tables of Fourier terms, and what there is to say about each table."""
    data = config.data
    parts: list[PreparedCurves] = []
    texts: list[str] = []
    for source in data.fourier:
        if source.cls not in data.classes:
            continue
        stars = read_fourier_table(data.root() / source.path)
        if data.max_stars:
            chosen = stream(data.split_seed, f"thin/{source.survey}/{source.cls}").permutation(np.unique(stars["id"]))
            keep = np.isin(stars["id"], chosen[: data.max_stars])
            stars = StarTable(columns={k: v[keep] for k, v in stars.items()}, meta=stars.meta)
        curves, report = reconstruct(
            stars,
            survey=source.survey,
            band=source.band,
            cls=source.cls,
            subclass=source.subclass,
            params=_parameters(table, stars["id"]) if table is not None else None,
            bands=data.bands,
        )
        parts.append(curves)
        what = f"{source.survey} {source.band} {source.subclass}".strip()
        texts.append(f"reconstructed from {N_TERMS} Fourier terms, {what}:\n{report.to_text()}")
    return parts, texts


def _scatter_ratios(curves: PreparedCurves) -> dict[str, float]:
    """True scatter over quoted errors of each class, and where it was seen in several bands, of each of these."""
    ratio: dict[str, float] = {}
    for cls in np.unique(curves.class_name):
        rows = curves.class_name == cls
        ratio[str(cls)] = float(np.median(curves.scatter_ratio[rows]))
        bands = np.unique(curves.band[rows])
        for k in bands if bands.size > 1 else ():
            own = rows & (curves.band == k)
            ratio[f"{cls}/{curves.bands[k]}"] = float(np.median(curves.scatter_ratio[own]))
    return ratio


def _noise_of(name: str, survey: LightCurves, curves: PreparedCurves) -> SurveyNoise:
    own = (curves.survey == name) & (curves.n_harmonics == 0)
    ratio = _scatter_ratios(curves.take(own))
    magnitudes, errors = {}, {}
    for k, band in enumerate(survey.band_names):
        rows = survey.band_index == k
        magnitudes[band], errors[band] = survey.mag[rows].astype(float), survey.mag_err[rows].astype(float)
    return SurveyNoise.fit(name=name, mag=magnitudes, mag_err=errors, ratio=ratio)


def _split(curves: PreparedCurves, data: DataConfig) -> NDArray[np.uint8]:
    """Sets by star. Measured stars are split as if there were no others; those known from tables alone, which cannot
    be tested on, are for training and validation."""
    measured = np.unique(curves.star_id[curves.n_harmonics == 0])
    own = np.isin(curves.star_id, measured)
    split = np.zeros(len(curves), dtype=np.uint8)
    # measured curves first, so that a star goes by the class it has there
    order = np.argsort(curves.n_harmonics[own], kind="stable")
    rows = np.flatnonzero(own)[order]
    split[rows] = split_by_star(
        curves.star_id[rows], curves.class_name[rows], seed=data.split_seed, fractions=data.split
    )
    if not own.all():
        train, validation, test = data.split
        split[~own] = split_by_star(
            curves.star_id[~own],
            curves.class_name[~own],
            seed=data.split_seed,
            fractions=(train + test, validation, 0.0),
        )
    return split


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
        table = _scattered(table, data.split_seed)
        text += _SCATTER_NOTE
    for source in data.fourier:
        if not (root / source.path).is_file():
            raise ConfigError(f"data.fourier: {root / source.path} is not a file")
    by_survey: dict[str, list[LightCurves]] = {}
    citations = {source.path: _FOURIER_CITATION for source in data.fourier}
    tables: dict[str, list[_Periods]] = {}
    matched: dict[str, list[bool]] = {}
    for pack in data.packs:
        path = root / pack.path
        if not path.is_file():
            raise ConfigError(f"data.packs: {path} is not a file")
        curves = read_pack(path)
        wanted = np.isin(np.asarray(curves.columns["class"]), data.classes)
        by_survey.setdefault(pack.survey, []).append(curves[wanted])
        citations[pack.path] = str(curves.meta.get("citation", curves.meta.get("cite", "")))
        if pack.periods and pack.periods not in [t.name for t in tables.get(pack.survey, [])]:
            tables.setdefault(pack.survey, []).append(_read_period_table(pack.periods, root))
        matched.setdefault(pack.survey, []).append(pack.match)
    with_periods, period_text = _with_periods(by_survey, tables)
    together, match_text = _together(with_periods, matched)
    period_text += match_text
    surveys = []
    for name, survey in together.items():
        survey = dataclasses.replace(survey, meta={"survey": name})
        if data.max_stars:
            survey = _thin(survey, data.max_stars, data.split_seed, name)
        surveys.append(_join(survey, table) if data.physical_parameters else survey)
    hashes = {t.name: t.sha256 for group in tables.values() for t in group}
    hashes |= {source.path: _sha256(root / source.path) for source in data.fourier}
    key = hashlib.sha256(
        json.dumps(
            [
                _PREPARATION,
                {k: v for k, v in dataclasses.asdict(config.data).items() if k not in _LATER},
                [[k, dataclasses.asdict(c)] for k, c in config.clean.items()],
                hashes,
            ],
            sort_keys=True,
        ).encode()
    ).hexdigest()[:16]
    cache, report_path = run / f"prepared-{key}.npz", run / f"prepared-{key}.txt"
    if cache.is_file() and report_path.is_file():
        prepared, report_text = PreparedCurves.load(cache), report_path.read_text()
    else:
        prepared, report = prepare(surveys, bands=data.bands, clean=config.clean, progress=progress)
        report_text = "\n".join([period_text, report.to_text()])
        further, texts = _reconstructed(config, table if data.physical_parameters else None)
        prepared = PreparedCurves.concatenate([prepared, *further])
        report_text = "\n".join([report_text, *texts])
        with atomic_file(cache) as temporary:
            prepared.save(temporary)
        with atomic_file(report_path) as temporary:
            temporary.write_text(report_text)
    _log.info("prepared curves:\n%s", report_text)
    split = _split(prepared, data)
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
