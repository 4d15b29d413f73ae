"""Compare cadences on the same stars: the function behind ``lcgen compare``."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import rng
from ..cadence import Cadence
from ..ensemble.job import EnsembleJob, class_counts, fingerprint, magnitude_range
from ..errors import InputError
from ..photometry import band_info, nearest_band
from .cadences import labelled_cadences
from .classify import assign_folds, cross_validated
from .job import BLOCK, CompareJob, Measured
from .quantities import star_values
from .result import INFO, Comparison, load
from .settings import Settings, resolve_engine
from .store import RunFolder
from .table import bins_of, comparison_table

__all__ = ["DEFAULT_MAG", "run_comparison"]

_log = logging.getLogger(__name__)

DEFAULT_MAG = (20.0, 26.0)
"""Mean magnitudes where none are given: from stars that any visit of a large survey sees to those that few see."""

_PLAN_VERSION = 1


def run_comparison(
    cadences: Any,
    *,
    generator: Any = None,
    classes: str | Sequence[str] | None = None,
    n_per_class: int | Mapping[str, int] = 200,
    seed: int = 0,
    mean_mag: float | tuple[float, float] | None = None,
    params: Any = None,
    noise: Any = "depth",
    band: str | Mapping[str, str] | None = None,
    irregular: bool = False,
    draw_options: Mapping[str, Any] | None = None,
    settings: Settings | None = None,
    output: str | os.PathLike[str] | None = None,
    workers: int = 1,
    progress: bool | None = None,
    command: str = "",
) -> Comparison:
    """See :func:`lcgen.compare`, which is this function with a shorter name."""
    from .. import load_generator

    settings = resolve_engine(settings or Settings())
    seed = rng.check_seed(seed)
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise InputError(f"workers must be a whole number from 1, received {workers!r}")
    labelled = labelled_cadences(cadences)
    if generator is None or isinstance(generator, (str, os.PathLike)):
        generator = load_generator(generator)
    job = _job(
        labelled,
        generator,
        population=_population(generator, classes, n_per_class, seed, mean_mag, params, irregular, draw_options),
        noise=noise,
        band=band,
        settings=settings,
    )
    plan = _plan(job, generator)
    folder = None if output is None else RunFolder(Path(output), plan)
    if folder is not None and (folder.folder / INFO).is_file():
        return load(folder.folder)
    measured = _gather(list(_measured(job, generator, folder, workers, progress)))
    comparison = _summed_up(job, generator, measured, command)
    if folder is not None:
        comparison.save(folder.folder)
        folder.clear()
    return comparison


def _population(
    generator: Any,
    classes: Any,
    n_per_class: Any,
    seed: int,
    mean_mag: Any,
    params: Any,
    irregular: bool,
    draw_options: Mapping[str, Any] | None,
) -> EnsembleJob:
    from ..params import read_request

    counts = class_counts(classes, n_per_class, tuple(generator.classes))
    each = [name for name, n in counts.items() for _ in range(n)]
    request = read_request(each, params, allowed_classes=tuple(generator.classes))
    mags = magnitude_range(mean_mag)
    brightness = {"mean_mag", "distance"} & set(request.known)
    brightness |= {"sky"} & {k for k, v in (draw_options or {}).items() if v is not None}
    if mags is not None and brightness:
        raise InputError("mean_mag was given, and mean_mag, distance or sky besides; give one of them")
    return EnsembleJob(
        classes=counts,
        seed=seed,
        first_star_id=0,
        cadence=None,
        noise=None,
        band=None,
        mean_mag=DEFAULT_MAG if mags is None and not brightness else mags,
        known=request.known,
        subclass=request.subclass if (request.subclass != "").any() else None,
        draw_options=dict(draw_options or {}),
        irregular=irregular,
    )


def _job(
    cadences: dict[str, Cadence], generator: Any, *, population: EnsembleJob, noise: Any, band: Any, settings: Settings
) -> CompareJob:
    if isinstance(noise, (list, tuple)):
        if len(noise) not in (1, len(cadences)):
            raise InputError(f"noise is for {len(noise)} cadences, there are {len(cadences)}")
        noises = [*noise] * (len(cadences) if len(noise) == 1 else 1)
    else:
        noises = [noise] * len(cadences)
    noises = [None if n == "none" else n for n in noises]
    chosen, observed = {}, set()
    for label, cadence in cadences.items():
        known = set(cadence.bands) <= set(generator.bands)
        chosen[label] = band if band is not None else (None if known else "nearest")
        observed |= {_target(b, chosen[label], generator.bands) for b in cadence.bands}
    return CompareJob(
        population=population,
        cadences=cadences,
        noise=dict(zip(cadences, noises, strict=True)),
        band=chosen,
        bands=tuple(sorted(observed, key=lambda b: band_info(b).wavelength)),
        settings=settings,
    )


def _target(name: str, band: Any, bands: tuple[str, ...]) -> str:
    """The band that :meth:`lcgen.Stars.observe` observes a filter in."""
    if band == "nearest":
        return nearest_band(name, bands)
    if isinstance(band, Mapping):
        return str(band.get(name, name))
    return name if band is None else str(band)


def _noise_name(noise: Any) -> str:
    return "none" if noise is None else noise if isinstance(noise, str) else str(getattr(noise, "name", "unnamed"))


def _plan(job: CompareJob, generator: Any) -> dict[str, Any]:
    """What decides the result, so that an interrupted run is only gone on with by itself."""
    from .. import __version__

    population = job.population
    return {
        "plan_version": _PLAN_VERSION,
        "lcgen_version": __version__,
        "generator": str(generator.name),
        "checkpoint_sha256": str(generator.sha256),
        "classes": [[name, n] for name, n in population.classes.items()],
        "seed": population.seed,
        "mean_mag": population.mean_mag,
        "given": fingerprint([population.known, population.subclass, population.draw_options]),
        "irregular": population.irregular,
        "cadences": [[label, fingerprint(cadence)] for label, cadence in job.cadences.items()],
        "noise": [[_noise_name(n), fingerprint(n)] for n in job.noise.values()],
        "band": [b if b is None or isinstance(b, str) else dict(b) for b in job.band.values()],
        "settings": dataclasses.asdict(job.settings),
    }


def _measured(
    job: CompareJob, generator: Any, folder: RunFolder | None, workers: int, progress: bool | None
) -> Iterator[Measured]:
    from tqdm import tqdm

    total = job.population.n_stars
    starts = range(0, total, BLOCK)
    missing = [(s, min(s + BLOCK, total)) for s in starts if folder is None or not folder.has(s)]
    done = total - sum(stop - start for start, stop in missing)
    fresh = _fresh(job, generator, missing, workers)
    with tqdm(total=total, initial=done, unit="star", disable=None if progress is None else not progress) as bar:
        waiting = dict.fromkeys(start for start, _ in missing)
        for start in starts:
            if start not in waiting:
                if folder is not None:
                    yield folder.read(start)
                continue
            block = next(fresh)
            if folder is not None:
                folder.write(start, block)
            bar.update(min(BLOCK, total - start))
            yield block


def _fresh(job: CompareJob, generator: Any, ranges: Sequence[tuple[int, int]], workers: int) -> Iterator[Measured]:
    if workers == 1 or len(ranges) < 2:
        return (job.block(generator, start, stop) for start, stop in ranges)
    from ..ensemble.pool import blocks_from_workers

    source = getattr(generator, "source", None)
    if not source:
        raise InputError("more than one worker needs a generator that was loaded from a file")
    return blocks_from_workers(job, str(source), ranges, workers=workers)


def _gather(blocks: Sequence[Measured]) -> Measured:
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _columns(measured: Measured, prefix: str) -> dict[str, NDArray[Any]]:
    return {k[len(prefix) + 1 :]: v for k, v in measured.items() if k.startswith(f"{prefix}/")}


def _summed_up(job: CompareJob, generator: Any, measured: Measured, command: str) -> Comparison:
    settings, seed = job.settings, job.population.seed
    stars = _columns(measured, "stars")
    class_name, classes = stars["class"], list(job.population.classes)
    label = np.array([classes.index(str(c)) for c in class_name])
    fold = assign_folds(label, settings.n_folds, seed)
    by_cadence = {name: _columns(measured, str(k)) for k, name in enumerate(job.cadences)}
    predicted = {
        name: cross_validated(m["features"], label, fold, settings=settings, seed=seed)
        for name, m in by_cadence.items()
    }
    for name, m in by_cadence.items():
        if not m["n_obs"].any():
            _log.warning("%s has no visit at the position of any star", name)
    common = _common_bands(job, generator)
    values = {
        name: star_values(
            m, class_name=class_name, label=label, predicted=predicted[name], bands=job.bands, common=common[name]
        )
        for name, m in by_cadence.items()
    }
    bins = bins_of(class_name, classes, period=stars["period"], mean_mag=stars["mean_mag"], settings=settings)
    table = comparison_table(
        bins, values, classes=classes, label=label, predicted=predicted, settings=settings, seed=seed
    )
    from .describe import describe, star_table

    info = describe(job, generator, by_cadence, table, command)
    table.meta = {k: info[k] for k in ("lcgen_version", "generator", "checkpoint_sha256", "seed", "noise")}
    per_star = star_table(stars, by_cadence, predicted, classes, job.bands)
    return Comparison(info=info, table=table, stars=per_star)


def _common_bands(job: CompareJob, generator: Any) -> dict[str, tuple[str, ...]]:
    """Bands that amplitudes are averaged over: those of all cadences, or each cadence's own where they share none."""
    own = {
        label: {_target(b, job.band[label], generator.bands) for b in cadence.bands}
        for label, cadence in job.cadences.items()
    }
    shared = set.intersection(*own.values())
    return {label: tuple(b for b in job.bands if b in (shared or bands)) for label, bands in own.items()}
