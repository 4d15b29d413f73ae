"""What a comparison says of itself, and its table of stars."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..lightcurve import table_of
from .job import CompareJob
from .quantities import quantity

if TYPE_CHECKING:  # pragma: no cover
    from astropy.table import Table

__all__ = ["beyond_three_sigma", "describe", "star_table"]

_SIGMA = 3.0
_UNITS = {"found_period": "d"}
_PER_BAND = {
    "n_obs_band": ("n_obs", None),
    "n_det_band": ("n_det", None),
    "coverage_band": ("coverage", None),
    "gap_band": ("gap", None),
    "amplitude": ("amplitude", "mag"),
    "amplitude_at_true": ("amplitude_at_true", "mag"),
    "amplitude_at_found": ("amplitude_at_found", "mag"),
    "mean": ("mean", "mag"),
    "mean_at_true": ("mean_at_true", "mag"),
    "mean_at_found": ("mean_at_found", "mag"),
}


def describe(
    job: CompareJob,
    generator: Any,
    measured: Mapping[str, Mapping[str, NDArray[Any]]],
    table: Table,
    command: str,
) -> dict[str, Any]:
    """Everything that the report states, as plain JSON."""
    from .. import __version__

    population = job.population
    mags = population.mean_mag
    return {
        "lcgen_version": __version__,
        "generator": str(generator.name),
        "checkpoint_sha256": str(generator.sha256),
        "seed": population.seed,
        "command": command,
        "n_stars": population.n_stars,
        "classes": dict(population.classes),
        "mean_mag": list(mags) if isinstance(mags, tuple) else mags,
        "given": sorted([*population.known, *["subclass"] * (population.subclass is not None)]),
        "drawn": {k: _words(v) for k, v in population.draw_options.items()},
        "irregular": population.irregular,
        "noise": [str(getattr(n, "name", n) or "none") for n in job.noise.values()],
        "bands": list(job.bands),
        "band_sources": _sources(generator, population.classes, job.bands),
        "settings": dataclasses.asdict(job.settings),
        "cadences": [_cadence(job, label, measured[label]) for label in job.cadences],
        "tests": beyond_three_sigma(table),
    }


def _words(value: Any) -> str:
    """A setting in a few words: of a footprint its kind and area."""
    area = getattr(value, "area", None)
    return str(value) if area is None else f"{type(value).__name__} of {float(area):.0f} deg2"


def _sources(generator: Any, classes: Mapping[str, int], bands: Sequence[str]) -> dict[str, dict[str, str]]:
    known = getattr(generator, "band_source", None)
    return {} if known is None else {c: {b: str(known(c, b)) for b in bands} for c in classes}


def _cadence(job: CompareJob, label: str, measured: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    cadence, band = job.cadences[label], job.band[label]
    visits = np.median(measured["n_obs_band"], axis=0)
    return {
        "label": label,
        "name": str(cadence.name),
        "filters": list(cadence.bands),
        "observed_in": "the filters themselves" if band is None else str(band),
        "per_star": bool(cadence.per_star),
        "noise": str(getattr(job.noise[label], "name", job.noise[label]) or "none"),
        "visits": float(np.median(measured["n_obs"])),
        "visits_by_band": {b: float(v) for b, v in zip(job.bands, visits, strict=True)},
        "never_seen": int(np.sum(measured["n_obs"] == 0)),
    }


def beyond_three_sigma(table: Table) -> dict[str, Any]:
    """How many differences were tested, how many lie beyond three sigma, and how many chance alone would give."""
    sigma = np.asarray(table["n_sigma"], dtype=float)
    tested = np.isfinite(sigma)
    by_chance = math.erfc(_SIGMA / math.sqrt(2.0))
    return {
        "tested": int(tested.sum()),
        "beyond_3_sigma": int(np.sum(np.abs(sigma[tested]) > _SIGMA)),
        "expected_by_chance": round(by_chance * int(tested.sum()), 2),
    }


def star_table(
    stars: Mapping[str, NDArray[Any]],
    measured: Mapping[str, Mapping[str, NDArray[Any]]],
    predicted: Mapping[str, NDArray[np.integer]],
    classes: Sequence[str],
    bands: Sequence[str],
) -> Table:
    """One row a star and cadence."""
    from astropy.table import vstack

    parts = []
    for label, columns in measured.items():
        part = table_of(stars)
        part.add_column(np.full(len(part), label, dtype=f"U{max(map(len, measured))}"), name="cadence", index=0)
        for name in ("n_obs", "n_det", "coverage", "gap", "found_period", "power", "log10_fap", "kind"):
            part[name] = columns[name]
        part["predicted_class"] = np.asarray(classes)[predicted[label]]
        for name, unit in _UNITS.items():
            _set_unit(part, name, unit)
        for name, (stem, unit) in _PER_BAND.items():
            for k, band in enumerate(bands):
                part[f"{stem}_{band}"] = columns[name][:, k]
                _set_unit(part, f"{stem}_{band}", unit)
        parts.append(part)
    whole = vstack(parts, metadata_conflicts="silent")
    for name in ("coverage", "gap", "n_obs", "n_det"):
        column: Any = whole[name]
        column.description = quantity(name).definition
    return whole


def _set_unit(table: Any, name: str, unit: str | None) -> None:
    if unit is not None:
        table[name].unit = unit
