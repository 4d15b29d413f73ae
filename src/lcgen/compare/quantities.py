"""What a comparison reports: names, units, definitions, and the value of each star."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..taxonomy import class_info
from .period import KINDS

__all__ = ["QUANTITIES", "SHARES_OF_KIND", "Quantity", "quantity", "star_values"]


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One quantity of a report.

    Attributes
    ----------
    name : str
        In tables.
    label : str
        In words.
    unit : str
        Empty for shares and counts.
    statistic : {"share", "mean", "median"}
        How the stars of a group are summed up.
    better : {"higher", "lower", ""}
        Which way is better; empty where neither is.
    tested : bool
        Whether differences have a significance: numbers of visits are what the cadence says, not a measurement.
    definition : str
        What it is of one star.
    """

    name: str
    label: str
    unit: str = ""
    statistic: str = "mean"
    better: str = "higher"
    tested: bool = True
    definition: str


_KIND_TEXT = {
    "true": "The found period is the true one within the tolerance.",
    "half": "Half the true period was found: for eclipsing and ellipsoidal variables what a sinusoid must find.",
    "double": "Twice the true period was found.",
    "harmonic": "The frequency found is 1/4, 1/3, 2/3, 3/2, 3 or 4 times the true one.",
    "daily": "The frequency found is the true one plus or minus 1, 2 or 3 cycles a solar or sidereal day, also "
    "mirrored at zero. Where two minima make one period, twice the true frequency counts like the true one.",
    "yearly": "As daily aliases, with 1 or 2 cycles a year.",
    "near": "The right peak, within half a resolution element (0.5 / time span) of the true frequency or, where two "
    "minima make one period, twice it, but the period is off by more than the tolerance.",
    "wrong": "None of these.",
    "none": "There were fewer than ten measurements.",
}

SHARES_OF_KIND = tuple(f"kind_{k}" for k in KINDS)
"""Quantities that add up to one: what the found period is."""

QUANTITIES: tuple[Quantity, ...] = (
    Quantity(
        name="recovered",
        label="period recovered",
        statistic="share",
        definition="The found period is the true one within the tolerance; for eclipsing and ellipsoidal variables "
        "the true one or half of it.",
    ),
    Quantity(
        name="classified",
        label="classified correctly",
        statistic="share",
        definition="The fixed classifier, fitted to other stars seen under the same cadence, gives the true class.",
    ),
    Quantity(
        name="f1",
        label="classification F1",
        statistic="f1",
        definition="Harmonic mean of purity and completeness of the class; for all classes together their mean "
        "(macro-F1). Errors resample stars; the fits stay.",
    ),
    Quantity(
        name="coverage",
        label="phase coverage",
        definition="Share of the equal bins of true phase with a detection in any band.",
    ),
    Quantity(
        name="gap",
        label="largest phase gap",
        better="lower",
        definition="Largest distance between neighbouring detections in true phase, in cycles, any band.",
    ),
    Quantity(
        name="amplitude_error",
        label="amplitude error, at the true period",
        unit="mag",
        statistic="median",
        better="lower",
        definition="Absolute error of the peak-to-peak amplitude of the regularised Fourier series at the true period, "
        "mean over the bands that all cadences have.",
    ),
    Quantity(
        name="amplitude_error_found",
        label="amplitude error, at the found period",
        unit="mag",
        statistic="median",
        better="lower",
        definition="The same at the found period.",
    ),
    Quantity(
        name="mean_error",
        label="mean magnitude error",
        unit="mag",
        statistic="median",
        better="lower",
        definition="Absolute error of the mean magnitude of the series at the true period, mean over the bands that "
        "all cadences have.",
    ),
    Quantity(
        name="measured",
        label="amplitude measured",
        statistic="share",
        definition="At least one of these bands has ten detections or more (as the settings say), and half of its "
        "measurements are detections: then a Fourier series is fitted.",
    ),
    Quantity(
        name="significant",
        label="significant period",
        statistic="share",
        definition="False-alarm probability of the highest peak below 1 % (Baluev 2008, MNRAS 385, 1279, an upper "
        "bound).",
    ),
    *(
        Quantity(
            name=f"kind_{k}",
            label=f"period found: {k}",
            statistic="share",
            better={"true": "higher", "wrong": "lower", "none": "lower"}.get(k, ""),
            definition=_KIND_TEXT[k],
        )
        for k in KINDS
    ),
    Quantity(name="n_obs", label="visits", tested=False, definition="Visits in all bands."),
    Quantity(
        name="n_det",
        label="detections",
        tested=False,
        definition="Visits with a signal-to-noise ratio at or above the limit.",
    ),
)

_PER_BAND = {"n_obs": "visits", "n_det": "detections", "coverage": "phase coverage", "gap": "largest phase gap"}


def quantity(name: str) -> Quantity:
    """A quantity by its name; ``coverage_r`` and the like are those of one band.

    Examples
    --------
    >>> quantity("coverage_r").label
    'phase coverage in r'
    """
    for each in QUANTITIES:
        if each.name == name:
            return each
    stem, _, band = name.rpartition("_")
    return Quantity(
        name=name,
        label=f"{_PER_BAND[stem]} in {band}",
        better="lower" if stem == "gap" else "higher",
        tested=not stem.startswith("n_"),
        definition=f"{quantity(stem).definition.rstrip('.')}, in {band} alone.",
    )


def star_values(
    measured: Mapping[str, NDArray[Any]],
    *,
    class_name: NDArray[np.str_],
    label: NDArray[np.integer],
    predicted: NDArray[np.integer],
    bands: Sequence[str],
    common: Sequence[str],
) -> dict[str, NDArray[np.float64]]:
    """Each star's value of every quantity but F1 under one cadence, shape (n_stars,); NaN where it has none.

    Parameters
    ----------
    measured : mapping of str to ndarray
        Columns of :func:`lcgen.compare.measure.measure_star`.
    class_name : ndarray of str, shape (n_stars,)
    label, predicted : ndarray of int, shape (n_stars,)
        True and predicted class.
    bands : sequence of str
        Bands of the columns per band.
    common : sequence of str
        Bands that amplitude and mean are averaged over.
    """
    kind = measured["kind"]
    two_minima = np.array([class_info(str(c)).base_harmonic == 2 for c in class_name])
    recovered = (kind == "true") | ((kind == "half") & two_minima)
    rows = [list(bands).index(b) for b in common]
    out = {
        "recovered": recovered.astype(float),
        "classified": (label == predicted).astype(float),
        "coverage": measured["coverage"],
        "gap": measured["gap"],
        "amplitude_error": _mean_error(measured["amplitude_at_true"], measured["amplitude"], rows),
        "amplitude_error_found": _mean_error(measured["amplitude_at_found"], measured["amplitude"], rows),
        "mean_error": _mean_error(measured["mean_at_true"], measured["mean"], rows),
        "significant": (measured["log10_fap"] < -2.0).astype(float),
    }
    out["measured"] = np.isfinite(out["amplitude_error"]).astype(float)
    out |= {f"kind_{k}": (kind == k).astype(float) for k in KINDS}
    out |= {"n_obs": measured["n_obs"].astype(float), "n_det": measured["n_det"].astype(float)}
    for name in _PER_BAND:
        values = measured[f"{name}_band"].astype(float)
        out |= {f"{name}_{b}": values[:, k] for k, b in enumerate(bands)}
    return out


def _mean_error(fitted: NDArray, true: NDArray, columns: Sequence[int]) -> NDArray[np.float64]:
    error = np.abs(fitted - true)[:, list(columns)]
    known = np.isfinite(error)
    count = known.sum(axis=1)
    total = np.where(known, error, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
