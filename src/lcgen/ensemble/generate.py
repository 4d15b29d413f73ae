"""Draw, observe and write an ensemble: the function behind ``lcgen ensemble``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import rng
from ..errors import EnsembleError, InputError
from ..observe.detection import Detection, check_detection
from ..plugins import origin_of
from ._layout import Block
from .crew import Crew, progress_bar, write_shards
from .header import EnsembleHeader
from .job import EnsembleGenerator, EnsembleJob, class_counts, fingerprint, magnitude_range
from .pool import blocks_from_workers
from .reader import open_ensemble
from .shards import ShardPlan, discard_shards, refuse_shards
from .summary import EnsembleSummary, summarise
from .writer import Compression, EnsembleWriter

__all__ = ["generate_ensemble"]


def generate_ensemble(
    generator: EnsembleGenerator,
    path: str | os.PathLike[str],
    *,
    classes: str | Sequence[str] | None = None,
    n_per_class: int | Mapping[str, int],
    cadence: Any,
    seed: int,
    noise: Any = None,
    band: str | Mapping[str, str] | None = None,
    irregular: bool = False,
    detection: Detection | None = None,
    mean_mag: float | tuple[float, float] | None = None,
    params: Any = None,
    draw_options: Mapping[str, Any] | None = None,
    first_star_id: int = 0,
    batch_size: int = 500,
    workers: int = 1,
    shards: int | None = None,
    scheduler: Any = None,
    retries: int = 3,
    generator_factory: Callable[[], EnsembleGenerator] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool | None = None,
    compression: Compression = "gzip",
    command: str = "",
    provenance: Mapping[str, Any] | None = None,
) -> EnsembleSummary:
    """Write an ensemble of light curves of stars that are drawn from a generator.

    Parameters
    ----------
    generator : LightCurveGenerator
        What draws the stars; see :class:`EnsembleGenerator` for what it must have.
    path : path-like
        The HDF5 file; it is written as ``<path>.partial`` until it is finished.
    classes : str or sequence of str, optional
        Classes, in the order of the file; all of the generator by default.
    n_per_class : int or mapping
        Stars of each class.
    cadence : cadence, array_like, str or path-like
        Anything :func:`lcgen.as_cadence` understands.
    seed : int
        The seed of the stars, of the noise and of random cadences.
    noise, band, irregular, detection
        As in :meth:`lcgen.Stars.observe`. With a detection limit the file has a column ``detected``; where detections
        alone are kept, a star may have no observations.
    mean_mag : float or (float, float), optional
        Mean magnitude of all stars, or limits between which it is drawn uniformly, star by star. Without it
        (and without ``distance`` in `params`) magnitudes are absolute.
    params : mapping or table, optional
        Parameters of the stars, scalars or one value a star in the order of the file.
    draw_options : mapping, optional
        Further arguments of ``generator.draw``, such as ``temper`` or ``extrapolate``.
    first_star_id : int
        ``star_id`` of the first star. A star depends on its id and the seed alone, so runs with other ids
        continue an ensemble.
    batch_size : int
        Stars drawn at once; it has no influence on the result.
    workers : int
        Processes; it has no influence on the result.
    shards : int, optional
        Write so many files, in the folder ``<path>.shards``, and `path` as a master file that shows them as one.
        The content is the same; each worker writes files of its own.
    scheduler : str or distributed.Client, optional
        A Dask scheduler (its address, its scheduler file, a client of it), whose workers write the shards instead of
        processes of this machine. All need `path` under the same name.
    retries : int
        How many times shards are taken up again after workers died.
    generator_factory : callable, optional
        Makes the generator in each worker, instead of loading ``generator.source``; importable by name.
    resume : bool
        Go on where an interrupted run stopped. Where the file is finished already, nothing is done.
    overwrite : bool
        Replace an existing file once the new one is finished.
    progress : bool, optional
        Show a progress bar; by default where stderr is a terminal.
    compression : {"gzip", "lzf"} or None
        See :class:`EnsembleWriter`.
    command : str
        The command line, for the record.
    provenance : mapping, optional
        Further entries for the record; they count as part of the content.

    Returns
    -------
    EnsembleSummary

    Raises
    ------
    InputError, UnknownNameError, DomainError, CadenceError
        If an argument is wrong; nothing is left behind.
    EnsembleError
        If the file cannot be written, or a worker dies. What was written is kept for ``resume``.
    """
    from ..cadence import as_cadence
    from ..params import read_request

    seed = rng.check_seed(seed)
    for name, value, low in (
        ("batch_size", batch_size, 1),
        ("workers", workers, 1),
        ("first_star_id", first_star_id, 0),
        ("retries", retries, 0),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise InputError(f"{name} must be a whole number from {low}, received {value!r}")
    counts = class_counts(classes, n_per_class, tuple(generator.classes))
    # without parameters nothing is known star by star: no list that grows with their number
    each = list(counts) if params is None else [name for name, n in counts.items() for _ in range(n)]
    request = read_request(each, params, allowed_classes=tuple(generator.classes))
    mean_mag = magnitude_range(mean_mag)
    if mean_mag is not None and {"mean_mag", "distance"} & set(request.known):
        raise InputError("mean_mag was given, and mean_mag or distance in params besides; give one of them")
    cadence = as_cadence(cadence)
    job = EnsembleJob(
        classes=counts,
        seed=seed,
        first_star_id=first_star_id,
        cadence=cadence,
        noise=noise,
        band=band,
        mean_mag=mean_mag,
        known=request.known,
        subclass=request.subclass if (request.subclass != "").any() else None,
        draw_options=dict(draw_options or {}),
        irregular=irregular,
        detection=check_detection(detection, noise),
    )
    header = EnsembleHeader(
        generator=str(generator.name),
        checkpoint_sha256=str(generator.sha256),
        seed=seed,
        cadence=str(cadence.name),
        provenance=_provenance(job) | dict(provenance or {}),
        command=command,
    )
    path = Path(path)
    make = generator_factory or getattr(generator, "source", None)
    if (workers > 1 or scheduler is not None) and make is None:
        raise InputError("other processes need a generator that was loaded from a file, or a generator_factory")
    if shards is not None:
        plan = ShardPlan(
            path=path.absolute(),
            job=job,
            header=header,
            n_shards=shards,
            batch_size=batch_size,
            compression=compression,
        )
        how = Crew(generator=generator, make=make, workers=workers, scheduler=scheduler, retries=retries)
        write_shards(plan, how, resume=resume, overwrite=overwrite, progress=progress)
        return summarise(path)
    if scheduler is not None:
        raise InputError("the workers of a scheduler write shards: say how many (shards)")
    if resume and not overwrite and path.exists():
        return _finished(path, header)
    if not overwrite:
        refuse_shards(path)
    with (
        EnsembleWriter(
            path,
            header=header,
            n_stars=job.n_stars,
            compression=compression,
            resume=resume,
            overwrite=overwrite,
        ) as writer,
        progress_bar(job.n_stars, writer.n_appended, progress) as bar,
    ):
        for block in _blocks(job, generator, make, writer.n_appended, batch_size, workers):
            writer.append(block.as_lightcurves())
            bar.update(block.n_stars)
    discard_shards(path)
    return summarise(path)


def _blocks(
    job: EnsembleJob, generator: EnsembleGenerator, make: Any, begin: int, batch_size: int, workers: int
) -> Iterator[Block]:
    ranges = ((start, min(start + batch_size, job.n_stars)) for start in range(begin, job.n_stars, batch_size))
    if workers == 1:
        return (job.block(generator, start, stop) for start, stop in ranges)
    make = make if callable(make) else str(make)
    return blocks_from_workers(job, make, ranges, workers=workers)


def _provenance(job: EnsembleJob) -> dict[str, Any]:
    """What decides the content, beyond generator, seed and the name of the cadence."""
    noise = job.noise if job.noise is None or isinstance(job.noise, str) else getattr(job.noise, "name", "unnamed")
    out: dict[str, Any] = {
        "classes": [[name, n] for name, n in job.classes.items()],  # the order counts
        "first_star_id": job.first_star_id,
        "cadence_fingerprint": fingerprint(job.cadence),
        "noise": noise,
        "band": job.band if job.band is None or isinstance(job.band, str) else dict(job.band),
        "mean_mag": job.mean_mag,
    }
    origin = origin_of(job.cadence)
    if origin is not None:
        out["cadence_plugin"] = f"{origin.distribution} {origin.version}"
    if not (job.noise is None or isinstance(job.noise, str)):
        out["noise_fingerprint"] = fingerprint(job.noise)
    if job.irregular:
        out["irregular"] = True
    if job.detection is not None:
        out["detection"] = job.detection.to_config()
    if job.draw_options:
        plain = (str, int, float, bool, type(None))
        out["draw_options"] = {
            name: value if isinstance(value, plain) else f"{type(value).__name__} {fingerprint(value)}"
            for name, value in job.draw_options.items()
        }
    if job.known or job.subclass is not None:
        out["given"] = [*job.known, *["subclass"] * (job.subclass is not None)]
        out["given_fingerprint"] = fingerprint([job.known, job.subclass])
    return out


def _finished(path: str | os.PathLike[str], header: EnsembleHeader) -> EnsembleSummary:
    """The summary of a file that a resumed run finds finished already."""
    with open_ensemble(path) as ensemble:
        differences = ensemble.header.differences(header)
    if differences:
        raise EnsembleError(f"{path} exists and is of another run: {'; '.join(differences)}")
    return summarise(path)
