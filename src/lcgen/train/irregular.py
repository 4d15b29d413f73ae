"""How much real stars depart from repeating, measured on their residuals.

For each star the products of its residuals, two by two, are fitted with the covariances that white noise, nights, the
zero point of the survey, and wandering amplitude, phase and brightness would leave in them; the linear algebra takes
account of what the star's own fit has absorbed. Only products across time can tell a star from its noise, so quoted
errors need not be trusted.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..errors import InputError
from ..observe.irregular import CHANNELS, Irregularity, Kind, SecondMode, Wander
from ..prepare.dataset import PreparedCurves
from ..prepare.fourier import harmonics
from ..prepare.locate import locate_in_packs
from ..rng import stream
from ..taxonomy import class_info
from .irregular_fit import (
    DRIFT,
    FIRST,
    N_TIMES,
    TIMES,
    ResidualStar,
    absorbed,
    best_variances,
    jackknife_errors,
    log_spread,
    moments,
    residual_star,
    star_variances,
)

__all__ = ["measure_irregularity", "times_from_packs"]

_log = logging.getLogger(__name__)

_BY_CYCLE = ("LPV", "T2CEP")
"""Classes whose changes are from cycle to cycle, with correlation times in periods."""
_REPEATING = (("ECL", "EA"), ("ECL", "EW"), ("CEP", "F"))
"""Stars taken to repeat: what wanders in their brightness is the survey's zero point, and they get nothing."""
_WINDOWS = {"RRLYR/RRd": (0.735, 0.755), "CEP/F/1O": (0.68, 0.76), "CEP/1O/2O": (0.785, 0.825)}
"""Ratios of the periods of double-mode stars, shorter over longer, between which the second mode is looked for."""
_MIN_STARS, _MIN_OBSERVATIONS = 12, 60
_SIGNIFICANCE = 3.0
_MIN_EXPLAINED = 0.01


def times_from_packs(curves: PreparedCurves, root: Path, packs: Iterable[Mapping[str, Any]]) -> NDArray[np.float64]:
    """Time [MJD] of each observation, found by its exact phase and magnitude in the packs; NaN where it was not found.

    Parameters
    ----------
    curves : PreparedCurves
    root : Path
        Data folder.
    packs : iterable of mappings with ``path`` and ``survey``

    Returns
    -------
    ndarray, shape (n_obs,)
    """
    out = np.full(curves.phase.size, np.nan)
    for located in locate_in_packs(curves, root, packs):
        rows = located.rows
        out[rows] = np.where(located.found, located.mjd[located.at], out[rows])
    return out


@dataclass(frozen=True, kw_only=True, eq=False)
class _Group:
    """The stars of one class, subclass, survey and band, with their normal equations."""

    stars: list[ResidualStar]
    normal: NDArray[np.float64]
    moment: NDArray[np.float64]
    unit: str
    mode: SecondMode | None


def _find_mode(
    star: ResidualStar, window: tuple[float, float], basis: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Frequency ratio, rms and significance of the strongest cosine with a frequency ratio in a window or one over it.

    The significance is the drop of chi-square over what noise reaches once in a hundred stars.
    """
    q = np.linalg.qr(basis / star.sigma[:, None])[0]
    y = star.residual / star.sigma
    y = y - q @ (q.T @ y)
    unit = float(y.std())
    y /= unit
    step = 0.2 * star.period / np.ptp(star.mjd)
    ratios = np.concatenate([np.arange(*w, step) for w in (window, (1.0 / window[1], 1.0 / window[0]))])
    waves = np.exp(-2j * np.pi * np.outer(ratios / star.period, star.mjd)) / star.sigma
    weight = np.abs(waves[0]) ** 2
    amplitude = 2.0 * np.abs(waves @ y) / weight.sum()
    k = int(np.argmax(amplitude))
    drop = 0.5 * amplitude[k] ** 2 * weight.sum()
    # one false detection in a hundred
    limit = 2.0 * np.log(100.0 * ratios.size)
    # what the star's own curve has taken of the cosine is given back
    wave = harmonics(star.mjd * ratios[k] / star.period % 1.0, 1) / star.sigma[:, None]
    pair = np.linalg.lstsq(wave - q @ (q.T @ wave), unit * y, rcond=None)[0]
    return float(ratios[k]), float(np.sqrt(0.5 * np.sum(pair**2))), drop / limit


def _second_mode(
    stars: list[ResidualStar], window: tuple[float, float], n_harmonics: int
) -> tuple[SecondMode | None, Any]:
    """The second mode of double-mode stars, and its frequency ratio in each (None where it was not found)."""
    found = np.array([_find_mode(s, window, absorbed(s, n_harmonics, None)) for s in stars])
    good = found[:, 2] > 1.0
    if good.sum() < _MIN_STARS // 2:
        return None, [None] * len(stars)
    # the few that lie on the other side of one are aliases
    above = np.median(found[good, 0]) > 1.0
    good &= (found[:, 0] > 1.0) == above
    ratio, rms = found[good, 0], found[good, 1]
    middle = float(np.median(ratio))
    mode = SecondMode(
        share=round(float(good.mean()), 3),
        median=round(float(np.median(rms)), 5),
        spread=round(float(np.std(np.log(rms))), 3),
        ratio=round(middle, 6),
        ratio_spread=round(float(1.4826 * np.median(np.abs(ratio - middle))), 6),
    )
    return mode, [float(r) if g else None for r, g in zip(found[:, 0], good, strict=True)]


def _measure_group(
    curves: PreparedCurves, rows: NDArray[np.int64], mjd: NDArray[np.float64], cls: str, subclass: str, seed: int
) -> _Group:
    info = class_info(cls)
    n_harmonics = 4 * info.base_harmonic
    stars = [residual_star(curves, int(i), mjd, seed) for i in rows]
    # restless stars are noisy ones: weights that differ little keep them in the mean
    floor = float(np.quantile([np.median(s.sigma) for s in stars], 0.75))
    unit = "period" if cls in _BY_CYCLE else "d"
    mode, ratios = None, [None] * len(stars)
    if f"{cls}/{subclass}" in _WINDOWS:
        mode, ratios = _second_mode(stars, _WINDOWS[f"{cls}/{subclass}"], n_harmonics)
    sums = [
        moments(s, absorbed(s, n_harmonics, r), floor, np.array(TIMES[unit]) * (s.period if unit == "period" else 1.0))
        for s, r in zip(stars, ratios, strict=True)
    ]
    return _Group(
        stars=stars,
        normal=np.array([s[0] for s in sums]),
        moment=np.array([s[1] for s in sums]),
        unit=unit,
        mode=mode,
    )


def _drift(groups: list[_Group]) -> tuple[float, int]:
    """Variance [mag^2] of the zero point in stars that repeat, and which of the correlation times fits it."""
    normal = np.sum([g.normal.sum((0, 1)) for g in groups], axis=0)
    moment = np.sum([g.moment.sum((0, 1)) for g in groups], axis=0)
    k = min(range(N_TIMES), key=lambda k: best_variances(normal, moment, [0, 1, DRIFT + k])[0])
    return float(best_variances(normal, moment, [0, 1, DRIFT + k])[1][2]), k


def _kind(group: _Group, drift: tuple[float, int], survey: str, band: str) -> Kind:
    """What wanders in the stars of a group."""
    variance, k = drift
    moment = group.moment - variance * group.normal[..., DRIFT + k]
    by_star, sums = group.normal.sum(1), moment.sum(1)
    normal, total = by_star.sum(0), sums.sum(0)
    chosen = list(CHANNELS)
    wanders: dict[str, Wander] = {}
    explained = 0.0
    residual = float(np.median([np.mean(s.residual**2) for s in group.stars]))
    size = float(np.median([s.amplitude**2 for s in group.stars]))
    while chosen:
        first = {c: FIRST + N_TIMES * CHANNELS.index(c) for c in chosen}
        options = product(range(N_TIMES), repeat=len(chosen))
        candidates = [[0, 1, *(first[c] + k for c, k in zip(chosen, ks, strict=True))] for ks in options]
        terms = min(candidates, key=lambda t: best_variances(normal, total, t)[0])
        theta = best_variances(normal, total, terms)[1]
        error = jackknife_errors(by_star, sums, terms)
        strength = (theta / error)[2:]
        if "added" in chosen and theta[2 + chosen.index("added")] * size < variance:
            strength[chosen.index("added")] = 0.0
        if strength.min() >= _SIGNIFICANCE:
            break
        chosen.pop(int(np.argmin(strength)))
    for j, channel in enumerate(chosen):
        at = star_variances(group.normal, moment, terms)[:, :, 2 + j]
        spread = log_spread(at)
        wanders[channel] = Wander(
            # the mean of the variances of a log-normal rms, turned into its median
            median=round(float(np.sqrt(theta[2 + j]) * np.exp(-(spread**2))), 5),
            spread=round(spread, 3),
            time=TIMES[group.unit][(terms[2 + j] - FIRST) % N_TIMES],
            unit=group.unit,
        )
        response = {
            "amplitude": np.median([np.mean(s.curve**2) for s in group.stars]),
            "phase": np.median([np.mean(s.slope**2) for s in group.stars]),
            "added": 1.0,
        }[channel]
        # of the median star, as the noise of the others is scaled by that of the median star too
        explained += wanders[channel].median ** 2 * float(response) / residual
    if group.mode is not None:
        explained += group.mode.share * group.mode.median**2 / residual
    return Kind(
        **wanders,
        second_mode=group.mode,
        survey=survey,
        band=band,
        n_stars=len(group.stars),
        explained=round(min(explained, 0.95), 3),
    )


def measure_irregularity(
    curves: PreparedCurves,
    mjd: NDArray[np.float64],
    *,
    max_stars: int = 600,
    seed: int = 0,
    progress: bool | None = None,
) -> Irregularity:
    """Measure how stars of each class and subclass depart from repeating.

    Parameters
    ----------
    curves : PreparedCurves
        Training stars.
    mjd : ndarray, shape (n_obs,)
        Time of each observation, from :func:`times_from_packs`; NaN where it is not known.
    max_stars : int
        Stars of each class, subclass, survey and band that are looked at.
    seed : int
        Which stars these are.
    progress : bool, optional
        Show a progress bar; by default where stderr is a terminal.

    Returns
    -------
    Irregularity

    Raises
    ------
    InputError
        If `mjd` does not fit the curves, or no curve has times.

    Notes
    -----
    Of each class and subclass the survey and band with the most certain answer counts. Brightness that wanders in
    eclipsing binaries and fundamental-mode Cepheids is taken for the zero point of the survey and taken off the others;
    these classes get nothing, and brightness that wanders no more than the zero point does is not believed. What is
    below three standard errors, or explains less than 1 % of the residuals, is left out.
    """
    if np.shape(mjd) != curves.phase.shape:
        raise InputError(f"mjd has shape {np.shape(mjd)}, there are {curves.phase.size} observations")
    timed = np.add.reduceat(np.isfinite(mjd), curves.offsets[:-1]) if len(curves) else np.zeros(0)
    usable = (timed >= _MIN_OBSERVATIONS) & (curves.n_harmonics == 0)
    if not usable.any():
        raise InputError(f"no curve has the times of {_MIN_OBSERVATIONS} observations")
    subclass = np.where(np.isin(curves.subclass, _known_subclasses(curves)), curves.subclass, "")
    keys = sorted(
        set(
            zip(
                curves.survey[usable].tolist(),
                curves.band[usable].tolist(),
                curves.class_name[usable].tolist(),
                subclass[usable].tolist(),
                strict=True,
            )
        )
    )
    groups: dict[tuple[str, str, str, str], _Group] = {}
    for survey, b, cls, sub in tqdm(keys, desc="irregularity", disable=None if progress is None else not progress):
        own = (curves.survey == survey) & (curves.band == b) & (curves.class_name == cls) & (subclass == sub)
        rows = np.flatnonzero(own & usable)
        if rows.size >= _MIN_STARS:
            rows = np.sort(stream(seed, f"irregular/{survey}/{cls}/{sub}", int(b)).permutation(rows)[:max_stars])
            groups[survey, curves.bands[b], cls, sub] = _measure_group(curves, rows, mjd, cls, sub, seed)
    drifts: dict[str, tuple[float, int]] = {}
    for survey, band in {(k[0], k[1]) for k in groups}:
        repeating = [g for k, g in groups.items() if k[:2] == (survey, band) and k[2:] in _REPEATING]
        drifts[f"{survey} {band}"] = _drift(repeating) if repeating else (0.0, 0)
    best: dict[str, tuple[float, Kind]] = {}
    for (survey, band, cls, sub), group in groups.items():
        if (cls, sub) in _REPEATING:
            continue
        kind = _kind(group, drifts[f"{survey} {band}"], survey, band)
        # many precise observations over many years
        noise = float(np.median([np.median(s.sigma) / np.sqrt(s.sigma.size * np.ptp(s.mjd)) for s in group.stars]))
        certainty = noise / np.sqrt(len(group.stars))
        name = f"{cls}/{sub}"
        if name not in best or certainty < best[name][0]:
            best[name] = (certainty, kind)
    kinds = {name: kind for name, (_, kind) in sorted(best.items())}
    kinds = {n: k for n, k in kinds.items() if k.explained >= _MIN_EXPLAINED}
    out = Irregularity(kinds=kinds, drift={n: round(float(np.sqrt(v)), 5) for n, (v, _) in sorted(drifts.items())})
    return Irregularity(kinds=kinds, drift=out.drift, noise_ratio=_noise_ratio(curves, subclass, out))


def _known_subclasses(curves: PreparedCurves) -> list[str]:
    return sorted({s for c in np.unique(curves.class_name).tolist() for s in class_info(c).subclasses})


def _noise_ratio(
    curves: PreparedCurves, subclass: NDArray[np.str_], known: Irregularity
) -> dict[str, dict[str, float]]:
    """Median scatter over quoted errors, by survey and class, without the share that is generated."""
    measured = curves.n_harmonics == 0
    names = np.char.add(np.char.add(curves.class_name, "/"), subclass)
    share = np.zeros(len(curves))
    for name in np.unique(names[measured]).tolist():
        share[names == name] = known.kind_of(*name.split("/", 1)).explained
    ratio = curves.scatter_ratio * np.sqrt(1.0 - share)
    return {
        survey: {
            cls: round(float(np.median(ratio[measured & (curves.survey == survey) & (curves.class_name == cls)])), 4)
            for cls in np.unique(curves.class_name[measured & (curves.survey == survey)]).tolist()
        }
        for survey in np.unique(curves.survey[measured]).tolist()
    }
