"""Do generated stars answer to temperature, metallicity and mode as real ones do, and to nothing else?"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, InputError
from ..population import training_table
from ..rng import stream
from .features import FeatureTable
from .pairing import REAL
from .relations import RelationResult, measure_relation
from .response import Response, responses
from .sources import N_PHASE, ModelSource
from .tables import StarSample, gaia_bulge_teff, series_features, star_samples, with_columns

__all__ = [
    "ParameterRelation",
    "PhysicsReport",
    "SubclassMedians",
    "TeffRow",
    "physics_report",
]

_log = logging.getLogger(__name__)

_N_BOOT = 200
_N_PAIRED = 4000
_N_MEDIAN = 4000
_MIN_UNSEEN = 300
_MIN_STARS = 20
GAIA_GAP = (6000.0, 7600.0)
"""Where most RR Lyrae stars are, and no Gaia DR2 temperature of one in the bulge is [K]."""

_PAIRS = (("CEP", "1O", "F"), ("RRLYR", "RRc", "RRab"))


@dataclass(frozen=True, kw_only=True)
class ParameterRelation:
    """A relation with a physical parameter.

    Attributes
    ----------
    result : RelationResult
    given : tuple of str
        What the generators were told of each real star.
    influences : bool
        Whether all of that moves the curves of the model.
    unseen : bool
        Whether no light curve of these stars was trained on. The relations are those of populations: a generator that
        has seen some of the stars has no curve to copy, as there is none in the comparison.
    """

    result: RelationResult
    given: tuple[str, ...]
    influences: bool
    unseen: bool


@dataclass(frozen=True, kw_only=True)
class SubclassMedians:
    """Median of a parameter in two subclasses.

    Attributes
    ----------
    cls, parameter : str
    subclasses : tuple of two str
        The one that should be above first.
    n : tuple of two int
        Stars of the table.
    real : tuple of two (value, error)
    drawn : mapping of source to the same
    """

    cls: str
    parameter: str
    subclasses: tuple[str, str]
    n: tuple[int, int]
    real: tuple[tuple[float, float], tuple[float, float]]
    drawn: dict[str, tuple[tuple[float, float], tuple[float, float]]]


@dataclass(frozen=True, kw_only=True)
class TeffRow:
    """Temperatures of one set of RR Lyrae stars.

    Attributes
    ----------
    label : str
    n : int
    median : float
        NaN without stars [K].
    in_gap : float
        Share within :data:`GAIA_GAP`; NaN without stars.
    """

    label: str
    n: int
    median: float
    in_gap: float


@dataclass(frozen=True, kw_only=True)
class PhysicsReport:
    """Physical parameters in the report card.

    Attributes
    ----------
    relations : tuple of ParameterRelation
    medians : tuple of SubclassMedians
    bulge : tuple of TeffRow
        Gaia DR2 temperatures of the bulge, and whether they are in the population.
    responses : tuple of Response
    """

    relations: tuple[ParameterRelation, ...] = ()
    medians: tuple[SubclassMedians, ...] = ()
    bulge: tuple[TeffRow, ...] = ()
    responses: tuple[Response, ...] = ()


def physics_report(models: Sequence[ModelSource], folder: Path | None, *, seed: int = 1) -> PhysicsReport | None:
    """Relations with physical parameters, real beside generated.

    Parameters
    ----------
    models : sequence of ModelSource
        The model, and those of its rivals that have physical parameters.
    folder : Path or None
        Folder of the survey data. Where it lacks a table, what rests on that is left out.
    seed : int

    Returns
    -------
    PhysicsReport or None
        None for a generator that does not say which parameters it draws.
    """
    models = [m for m in models if hasattr(m.generator, "population") and hasattr(m.generator, "influences")]
    # imported networks know of no parameter, and draw those of another generator
    models = [m for m in models if getattr(m.generator, "kind", "periodic") == "periodic"]
    if not models:
        return None
    report = PhysicsReport(responses=responses(models[0].generator, seed=seed))
    if folder is None:
        return report
    try:
        table, _ = training_table(folder)
        samples = star_samples(folder, table)
        gaia = gaia_bulge_teff(folder)
    except DataError as error:
        _log.warning("relations with physical parameters are left out: %s", error)
        return report
    relations = [r for sample in samples for r in _relations(sample, models, seed)]
    medians = [m for pair in _PAIRS if (m := _medians(*pair, table, models, seed)) is not None]
    return PhysicsReport(
        relations=tuple(relations),
        medians=tuple(medians),
        bulge=_bulge(gaia, table, models, seed),
        responses=report.responses,
    )


def _draws(generator: Any, cls: str, parameter: str) -> bool:
    return cls in generator.classes and parameter in generator.population.parameters_of(cls)


def _is_unseen(generator: Any, ids: NDArray[np.str_]) -> NDArray[np.bool_]:
    try:
        return ~np.isin(generator.split_of(ids), ("train", "validation"))
    except InputError:  # an imported network does not say what it was trained on
        return np.zeros(ids.size, dtype=bool)


def _relations(sample: StarSample, models: Sequence[ModelSource], seed: int) -> list[ParameterRelation]:
    first = models[0].generator
    able = [m for m in models if sample.cls in m.generator.classes and sample.band in m.generator.bands]
    able = [m for m in able if all(_draws(m.generator, sample.cls, p) for p in sample.given)]
    if not able or able[0] is not models[0]:
        return []
    unseen = _is_unseen(first, sample.star_id)
    chosen = np.flatnonzero(unseen) if unseen.sum() >= _MIN_UNSEEN else np.arange(unseen.size)
    n_each = max(1, min(20, _N_PAIRED // chosen.size))
    params = {p: np.repeat(sample.columns[p][chosen], n_each) for p in ("period", *sample.given)}
    real = FeatureTable(names=sample.features.names, values=sample.features.values[chosen])
    tables = {REAL: with_columns(real, {k: v[chosen] for k, v in sample.columns.items() if k != "period"})}
    extra = {k: np.repeat(sample.columns[k][chosen], n_each) for k in sample.columns if k != "period"}
    for model in able:
        tables[model.name] = with_columns(_generated(model.generator, sample, params, seed), extra)
    return [
        ParameterRelation(
            result=measure_relation(r, sample.survey, tables, sample.columns["period"][chosen], real=REAL, seed=seed),
            given=("period", *sample.given),
            influences=set(sample.given) <= set(first.influences(sample.cls)),
            unseen=bool(unseen[chosen].all()),
        )
        for r in sample.relations
    ]


def _generated(
    generator: Any, sample: StarSample, params: Mapping[str, NDArray[np.float64]], seed: int
) -> FeatureTable:
    """Features of generated stars of the given parameters, without noise."""
    n = params["period"].size
    subclass = sample.subclass if sample.subclass in generator.subclasses.get(sample.cls, ()) else ""
    stars = generator.draw(sample.cls, n, params=dict(params), subclass=subclass, seed=seed, extrapolate=True)
    return series_features(sample.cls, stars.template(N_PHASE, sample.band))


# ---------------------------------------------------------------------------------------------- what is drawn
def _median(values: NDArray[np.float64], seed: int, purpose: str) -> tuple[float, float]:
    random = stream(seed, f"evaluate/median/{purpose}")
    boots = [np.median(values[random.integers(0, values.size, values.size)]) for _ in range(_N_BOOT)]
    return float(np.median(values)), float(np.std(boots))


def _medians(
    cls: str, above: str, below: str, table: Mapping[str, NDArray], models: Sequence[ModelSource], seed: int
) -> SubclassMedians | None:
    """Median temperature of two subclasses; None where the model or the table lacks one."""

    def drawn(generator: Any, subclass: str) -> NDArray[np.float64]:
        if cls not in generator.classes or subclass not in generator.population.subclasses(cls):
            return np.zeros(0)
        values = np.asarray(generator.draw(cls, _N_MEDIAN, subclass=subclass, seed=seed).columns["teff"], dtype=float)
        return values[np.isfinite(values)]

    def real(subclass: str) -> NDArray[np.float64]:
        values = table["teff"][(table["class"] == cls) & (table["subclass"] == subclass)]
        return values[np.isfinite(values)]

    values = {m.name: (drawn(m.generator, above), drawn(m.generator, below)) for m in models}
    values = {name: pair for name, pair in values.items() if min(v.size for v in pair) >= _MIN_STARS}
    stars = (real(above), real(below))
    if models[0].name not in values or min(v.size for v in stars) < _MIN_STARS:
        return None

    def both(pair: tuple[NDArray, NDArray]) -> tuple[tuple[float, float], tuple[float, float]]:
        return _median(pair[0], seed, f"{cls}/{above}"), _median(pair[1], seed, f"{cls}/{below}")

    return SubclassMedians(
        cls=cls,
        parameter="teff",
        subclasses=(above, below),
        n=(int(stars[0].size), int(stars[1].size)),
        real=both(stars),
        drawn={name: both(pair) for name, pair in values.items()},
    )


def _bulge(
    gaia: tuple[NDArray[np.str_], NDArray[np.float64]],
    table: Mapping[str, NDArray],
    models: Sequence[ModelSource],
    seed: int,
) -> tuple[TeffRow, ...]:
    """Gaia DR2 temperatures of bulge RR Lyrae stars: none may be in the table that the population is fitted to."""

    def row(label: str, teff: NDArray[np.float64]) -> TeffRow:
        teff = teff[np.isfinite(teff)]
        inside = (teff > GAIA_GAP[0]) & (teff < GAIA_GAP[1])
        return TeffRow(
            label=label,
            n=int(teff.size),
            median=float(np.median(teff)) if teff.size else np.nan,
            in_gap=float(inside.mean()) if teff.size else np.nan,
        )

    ids, teff = gaia
    own = table["class"] == "RRLYR"
    rows = [
        row("Gaia DR2, bulge", teff),
        row("the same stars in the table of the population", table["teff"][own & np.isin(table["star_id"], ids)]),
        row("all of that table", table["teff"][own]),
    ]
    for model in models:
        if _draws(model.generator, "RRLYR", "teff"):
            drawn = model.generator.draw("RRLYR", _N_MEDIAN, seed=seed).columns["teff"]
            rows.append(row(f"drawn by {model.name}", np.asarray(drawn, dtype=float)))
    return tuple(rows)
