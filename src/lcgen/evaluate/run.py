"""Making a report card."""

from __future__ import annotations

import dataclasses
import logging
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..errors import InputError
from ..prepare.dataset import PreparedCurves
from ..rng import check_seed, stream
from .calibration import CALIBRATED, rank_histogram
from .card import Comparison, GroupCard, ReportCard
from .classify import Classification, train_on_synthetic
from .inputs import as_generator, data_root, load_curves, packs_of, split_of
from .memory import Memorisation, memorisation
from .nights import nights_from_packs
from .pairing import FLOOR, REAL, Group, GroupData, list_groups, pair_group
from .physics import physics_report
from .relations import RELATIONS, BumpBin, RelationResult, bump_progression, measure_relation
from .sources import ModelSource, make_sources
from .twosample import random_halves_auc, two_sample_auc, wasserstein

__all__ = ["evaluate", "quick_card"]

_log = logging.getLogger(__name__)

MAX_STARS = 1500
N_DRAWS = 49
MIN_STARS = 20
_MIN_SUBCLASS = 100


def evaluate(
    generator: Any,
    data: PreparedCurves | str | os.PathLike[str] | None = None,
    *,
    against: Sequence[Any] | Mapping[str, Any] = (),
    split: NDArray[np.integer] | None = None,
    root: str | os.PathLike[str] | None = None,
    seed: int = 1,
    max_stars: int = MAX_STARS,
    n_draws: int = N_DRAWS,
    progress: bool | None = None,
) -> ReportCard:
    """How real are the curves of a generator? Measured on stars it was not trained on.

    Beside every unseen star a generated one is laid, of the same class, subclass, period and known parameters, at the
    same phases, with that star's own noise: its residuals about its own fit, with a random sign per night.

    Parameters
    ----------
    generator : LightCurveGenerator, str or path-like
        The generator, the name of a bundled one, or the folder of one.
    data : PreparedCurves or path-like, optional
        Prepared curves, a file of them, or the folder of the training run, whose prepared curves are used again.
        Where not given the survey data is prepared as for the training.
    against : sequence or mapping
        Rivals, as further columns: ``"sine"``, ``"template-library"``, ``"template-library-denoised"``,
        ``"pels-vae"`` (see :func:`lcgen.evaluate.sources.find_pelsvae`), names of bundled models, folders of models,
        or generators.
    split : ndarray of int, shape (n_curves,), optional
        0 for training, 1 for validation, 2 for test stars; by default what the generator knows of its training.
    root : path-like, optional
        Folder of the survey data; the environment variable ``LCGEN_DATA`` where not given.
    seed : int
    max_stars : int
        Largest number of stars of a class, survey and band.
    n_draws : int
        Generated stars a real one is ranked among.
    progress : bool, optional
        Show a progress bar; by default where stderr is a terminal.

    Returns
    -------
    ReportCard

    Raises
    ------
    InputError
        If no unseen star is left, or the data cannot be found.

    Examples
    --------
    >>> import lcgen
    >>> from lcgen.evaluate import evaluate
    >>> card = evaluate(lcgen.load_generator(), against=["sine"])  # doctest: +SKIP
    >>> print(card.to_text())  # doctest: +SKIP
    """
    generator = as_generator(generator)
    curves = load_curves(generator, data, root)
    if split is None:
        split = split_of(generator, curves)
    return _card(
        generator,
        curves,
        np.asarray(split),
        against=against,
        root=root,
        seed=seed,
        max_stars=max_stars,
        n_draws=n_draws,
        full=True,
        progress=progress,
    )


def quick_card(
    generator: Any,
    curves: PreparedCurves,
    split: NDArray[np.integer] | None = None,
    *,
    against: Sequence[Any] | Mapping[str, Any] = (),
    root: str | os.PathLike[str] | None = None,
    seed: int = 1,
    max_stars: int = 700,
    n_draws: int = 24,
    progress: bool | None = None,
) -> ReportCard:
    """A card for tuning, in a minute or two: fewer stars, no classification, reconstruction or physical parameters.

    Parameters are those of :func:`evaluate`.
    """
    generator = as_generator(generator)
    return _card(
        generator,
        curves,
        split_of(generator, curves) if split is None else np.asarray(split),
        against=against,
        root=root,
        seed=seed,
        max_stars=max_stars,
        n_draws=n_draws,
        full=False,
        progress=progress,
    )


def _card(
    generator: Any,
    curves: PreparedCurves,
    split: NDArray[np.integer],
    *,
    against: Sequence[Any] | Mapping[str, Any],
    root: str | os.PathLike[str] | None,
    seed: int,
    max_stars: int,
    n_draws: int,
    full: bool,
    progress: bool | None,
) -> ReportCard:
    started = time.monotonic()
    seed = check_seed(seed)
    if split.shape != (len(curves),):
        raise InputError(f"split needs one number a curve: {len(curves)} curves, received shape {split.shape}")
    if max_stars < MIN_STARS or n_draws < 1:
        raise InputError(f"max_stars must be at least {MIN_STARS} and n_draws 1, received {max_stars} and {n_draws}")
    known = np.isin(curves.class_name, generator.classes) & np.isin(
        np.asarray(curves.bands)[curves.band], generator.bands
    )
    # curves reconstructed from a few Fourier terms lack the higher ones: nothing is measured on them; and the stars of
    # secondary surveys are no sample that the generator is to imitate
    secondary = getattr(getattr(generator, "conditioner", None), "secondary", ())
    measured = (curves.n_harmonics == 0) & ~np.isin(curves.survey, secondary)
    test, train = curves.take((split == 2) & known & measured), curves.take((split == 0) & measured)
    if not len(test):
        raise InputError("no unseen star is left to judge the generator on")
    folder = data_root(generator, root)
    sources = make_sources(generator, against, train, data=folder)
    night, found = -1 - np.arange(test.phase.size), 0.0
    if folder is not None and packs_of(generator):
        night, found = nights_from_packs(test, folder, packs_of(generator))
    if found < 0.99:
        _log.warning("nights are known of %.0f %% of the observations", 100 * found)
    groups = list_groups(test, min_stars=MIN_STARS if full else _MIN_SUBCLASS)
    if not groups:
        raise InputError(f"no class, survey and band has {MIN_STARS if full else _MIN_SUBCLASS} unseen stars")
    pairs: list[GroupData] = []
    cards: list[GroupCard] = []
    for group in tqdm(groups, desc="evaluating", disable=None if progress is None else not progress):
        rows = _rows(test, group)
        if rows.size > max_stars:
            rows = np.sort(stream(seed, f"evaluate/stars/{group}").permutation(rows)[:max_stars])
        own = np.concatenate([np.arange(a, b) for a, b in zip(test.offsets[rows], test.offsets[rows + 1], strict=True)])
        pair = pair_group(
            group, test.take(rows), night[own], sources, n_draws=n_draws, seed=seed, n_pictures=12 if full else 0
        )
        pairs.append(pair)
        cards += [_group_card(pair, s, train, seed=seed, full=full) for s in _subclasses(pair, full)]
    relations, bump = _relations(pairs, seed)
    reconstruction, active = _encoder(generator, test, train, full)
    classification = _classification(pairs, seed) if full else ()
    physics = physics_report([s for s in sources if isinstance(s, ModelSource)], folder, seed=seed) if full else None
    return ReportCard(
        info={
            "generator": getattr(generator, "name", "generator"),
            "sha256": getattr(generator, "sha256", ""),
            "seed": seed,
            "n_stars": int(sum(len(p.curves) for p in pairs)),
            "n_draws": n_draws,
            "nights_found": float(found),
            "seconds": time.monotonic() - started,
        },
        groups=tuple(cards),
        classification=classification,
        relations=tuple(relations),
        bump=bump,
        physics=physics,
        reconstruction=reconstruction,
        active=active,
        pairs=pairs,
    )


def _rows(curves: PreparedCurves, group: Group) -> NDArray[np.int64]:
    own = (curves.class_name == group.cls) & (curves.survey == group.survey)
    own &= curves.band == curves.bands.index(group.band)
    if group.subclass:
        own &= curves.subclass == group.subclass
    return np.flatnonzero(own)


def _subclasses(pair: GroupData, full: bool) -> list[str]:
    names, counts = np.unique(pair.curves.subclass, return_counts=True)
    large = [str(s) for s, n in zip(names, counts, strict=True) if s and n >= _MIN_SUBCLASS]
    if not full:
        large = [s for s in large if pair.group.cls == "CEP" and s == "F"]
    return ["", *(s for s in large if len(large) > 1 or (pair.curves.subclass != s).any())]


def _group_card(pair: GroupData, subclass: str, train: PreparedCurves, *, seed: int, full: bool) -> GroupCard:
    part = np.flatnonzero(pair.part(subclass))
    group = dataclasses.replace(pair.group, subclass=subclass)
    star, log_period = pair.star[part], np.log10(pair.period[part])
    real = pair.features[REAL]
    shape = tuple(n for n in real.names if n != "log_amplitude")

    def columns(name: str, kind: str) -> NDArray[np.float64]:
        table = pair.features[name]
        if kind == "shape":
            return pair.shapes[name].select(shape)[part]
        return np.column_stack([table.values[part], log_period])

    library = train.fit_grid[_rows(train, group)]
    enough = library.shape[0] >= MIN_STARS

    def memory(name: str) -> Memorisation | None:
        if not enough or name not in pair.clean:
            return None
        return memorisation(pair.clean[name][part], library, pair.clean[REAL][part])

    order = [n for n in pair.features if n not in (REAL, FLOOR)]
    sources = {
        name: Comparison(
            shape=two_sample_auc(columns(REAL, "shape"), columns(name, "shape"), star=star, seed=seed),
            full=two_sample_auc(columns(REAL, "full"), columns(name, "full"), star=star, seed=seed),
            wasserstein={f: wasserstein(real.column(f)[part], pair.features[name].column(f)[part]) for f in real.names},
            memory=memory(name),
        )
        for name in [order[0], FLOOR, *order[1:]]
    }
    n_splits = 3 if full else 1
    calibration = {}
    if pair.spread is not None:
        rows = (part[:, None] * pair.n_draws + np.arange(pair.n_draws)).ravel()
        spread = dataclasses.replace(pair.spread, values=pair.spread.values[rows])
        true = dataclasses.replace(real, values=real.values[part])
        random = stream(seed, f"evaluate/ranks/{group}")
        calibration = {f: rank_histogram(f, true, spread, pair.n_draws, random) for f in CALIBRATED}
    return GroupCard(
        group=group,
        n=int(part.size),
        sources=sources,
        halves_shape=random_halves_auc(columns(REAL, "shape"), star=star, seed=seed, n_splits=n_splits),
        halves_full=random_halves_auc(columns(REAL, "full"), star=star, seed=seed, n_splits=n_splits),
        real_memory=memory(REAL),
        calibration=calibration,
    )


def _relations(pairs: list[GroupData], seed: int) -> tuple[list[RelationResult], dict[str, list[BumpBin]]]:
    relations: list[RelationResult] = []
    bump: dict[str, list[BumpBin]] = {}
    for pair in pairs:
        for relation in RELATIONS:
            if (relation.cls, relation.band) != (pair.group.cls, pair.group.band):
                continue
            part = pair.part(relation.subclass)
            if part.sum() < _MIN_SUBCLASS // 2:
                continue
            features = {k: dataclasses.replace(t, values=t.values[part]) for k, t in pair.features.items()}
            relations.append(
                measure_relation(relation, pair.group.survey, features, pair.period[part], real=REAL, seed=seed)
            )
        if pair.group.cls == "CEP":
            part = pair.part("F")
            features = {k: dataclasses.replace(t, values=t.values[part]) for k, t in pair.features.items()}
            bins = bump_progression(features, pair.period[part], real=REAL)
            if bins:
                bump[f"{pair.group.survey} {pair.group.band}"] = bins
    return relations, bump


def _classification(pairs: list[GroupData], seed: int) -> tuple[Classification, ...]:
    by_set: dict[tuple[str, str], list[GroupData]] = {}
    for pair in pairs:
        by_set.setdefault((pair.group.survey, pair.group.band), []).append(pair)
    out = []
    for members in by_set.values():
        # few stars make a macro mean noisy: the classes that have enough of them also on their own
        large = [m for m in members if len(m.curves) >= _MIN_SUBCLASS]
        for chosen in [large] if len(large) == len(members) else [large, members]:
            if len(chosen) > 1:
                out += [train_on_synthetic(chosen, with_period=p, seed=seed) for p in (True, False)]
    return tuple(out)


def _encoder(
    generator: Any, test: PreparedCurves, train: PreparedCurves, full: bool
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    if not full or getattr(generator, "kind", "") != "periodic":
        return [], {}
    from ..model.batches import CurveBatches
    from ..train.finish import encode_all, reconstruction_table

    training = generator.info.get("config", {}).get("training", {})

    def encoded(curves: PreparedCurves) -> Any:
        batches = CurveBatches(curves, generator.conditioner, n_points=int(training.get("points", 256)))
        return encode_all(generator.model, batches)

    posteriors = encoded(test)
    variance = posteriors.mean.var(axis=0)
    threshold = float(training.get("active_variance", 0.05))
    return reconstruction_table(test, posteriors), {
        "variance": [round(float(v), 4) for v in variance],
        "active": int((variance > threshold).sum()),
    }
