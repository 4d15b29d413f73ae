"""The fair pairing: beside every unseen star a generated one of the same description, phases and noise."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..interpolate import evaluate_periodic
from ..prepare.dataset import PreparedCurves, n_harmonics_of
from ..rng import star_streams
from ..taxonomy import PHYSICAL, class_info
from .features import FeatureTable, agnostic_features, curve_features, moments
from .fits import evaluate_series, fit_many
from .sources import N_PHASE, CurveSource

__all__ = ["FLOOR", "REAL", "Group", "GroupData", "list_groups", "pair_group"]

_log = logging.getLogger(__name__)
_GRID = np.arange(N_PHASE) / N_PHASE

REAL, FLOOR = "real", "own denoised curve"
"""Names of the columns that need no generator."""

_PLAIN_HARMONICS = 8
_NIGHT_CORRELATION = 0.4
"""Correlation of residuals within a night of Catalina South (0.3 to 0.45): it lessens the number of independent
observations, and the more of the noise the star's own fit has absorbed."""


@dataclass(frozen=True, kw_only=True, order=True)
class Group:
    """Stars that are compared with each other."""

    cls: str
    survey: str
    band: str
    subclass: str = ""

    def __str__(self) -> str:
        return f"{self.cls}{' ' + self.subclass if self.subclass else ''} {self.survey} {self.band}"


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupData:
    """One group with everything measured on it.

    Attributes
    ----------
    group : Group
    curves : PreparedCurves
        The real stars.
    features : dict of str to FeatureTable
        Of the real stars, of the floor, and of each source, one row a star.
    shapes : dict of str to FeatureTable
        The same for comparisons of the shape alone: the generated curves have the amplitude of the real star. Else its
        noise would give them away: how bright a star must be to be in the survey depends on its amplitude.
    spread : FeatureTable or None
        Features of further draws of the model, with noise, ``n_stars * n_draws`` rows, star after star.
    n_draws : int
    agnostic : dict of str to ndarray, shape (n_stars, n_features)
        Features of one fit that is the same for all classes, for classification; the first is the log amplitude.
    clean : dict of str to ndarray, shape (n_stars, N_PHASE)
        Noise-free curves of each source, and the denoised real ones [mag].
    observed : dict of str to list of ndarray
        Paired observations of the model, in magnitudes minus mean, for pictures.
    """

    group: Group
    curves: PreparedCurves
    features: dict[str, FeatureTable]
    shapes: dict[str, FeatureTable]
    spread: FeatureTable | None
    n_draws: int
    agnostic: dict[str, NDArray[np.float64]]
    clean: dict[str, NDArray[np.float64]]
    observed: dict[str, list[NDArray[np.float64]]]

    @property
    def period(self) -> NDArray[np.float64]:
        """Periods [d]."""
        return self.curves.params[:, PHYSICAL.index("period")]

    @property
    def star(self) -> NDArray[np.str_]:
        """Names of the stars."""
        return self.curves.star_id

    def part(self, subclass: str) -> NDArray[np.bool_]:
        """Rows of a subclass; all for an empty string."""
        return np.ones(len(self.curves), dtype=bool) if not subclass else self.curves.subclass == subclass


def list_groups(curves: PreparedCurves, *, min_stars: int) -> list[Group]:
    """Groups of class, survey and band with enough stars, in order."""
    keys = zip(curves.class_name.tolist(), curves.survey.tolist(), curves.band.tolist(), strict=True)
    found: dict[Group, int] = {}
    for cls, survey, band in keys:
        group = Group(cls=cls, survey=survey, band=curves.bands[band])
        found[group] = found.get(group, 0) + 1
    return sorted(g for g, n in found.items() if n >= min_stars)


def _unit(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Curves with a peak-to-peak amplitude of one."""
    return curves / np.maximum(np.ptp(curves, axis=1), 1e-9)[:, None]


def _absorbed(shrink: float, n_obs: int, n_nights: int) -> float:
    """Factor by which residuals about a star's own fit fall short of the noise.

    `shrink` is the factor for independent observations; those of a night are correlated.
    """
    used = n_obs * (1.0 - shrink**-2)
    independent = n_obs / (1.0 + _NIGHT_CORRELATION * (n_obs / n_nights - 1.0))
    return float(np.sqrt(independent / (independent - min(used, 0.6 * independent))))


def pair_group(
    group: Group,
    curves: PreparedCurves,
    night: NDArray[np.int64],
    sources: Sequence[CurveSource],
    *,
    n_draws: int,
    seed: int,
    n_pictures: int = 0,
) -> GroupData:
    """Pair the stars of a group with generated ones and measure all by the same code.

    Parameters
    ----------
    group : Group
    curves : PreparedCurves
        The real stars of the group.
    night : ndarray of int, shape (n_obs,)
        Night of each observation.
    sources : sequence of CurveSource
        The first is the model, of which `n_draws` further curves are taken for the calibration.
    n_draws : int
    seed : int
    n_pictures : int
        Stars whose paired observations are kept.
    """
    info = class_info(group.cls)
    n, n_harmonics = len(curves), n_harmonics_of(group.cls)
    model = sources[0].curves(curves, 1 + n_draws, seed)
    others = [s.curves(curves, 1, seed)[:, 0] for s in sources[1:]]
    matched = [_unit(s.curves(curves, 1, seed, given_amplitude=True)[:, 0]) for s in sources]
    n_columns = 2 + 2 * len(sources) + n_draws
    coefficients = np.zeros((n, n_columns, n_harmonics, 2))
    statistics = np.zeros((3, n, n_columns))
    n_named = 1 + len(sources)  # all but the real stars and the further draws
    plain = np.zeros((n, 1 + n_named, _PLAIN_HARMONICS, 2))
    plain_residual = np.zeros((n, 1 + n_named))
    observed: dict[str, list[NDArray]] = {REAL: [], sources[0].name: []}
    for i, random in enumerate(star_streams(seed, f"evaluate/signs/{group}", np.arange(n))):
        rows = slice(int(curves.offsets[i]), int(curves.offsets[i + 1]))
        phase = curves.phase[rows].astype(float)
        scale = float(curves.scale[i])
        value, sigma = curves.value[rows].astype(float) * scale, curves.sigma[rows].astype(float) * scale
        own = fit_many(phase, value, sigma, n_harmonics=n_harmonics, base_harmonic=info.base_harmonic)
        series = evaluate_series(own.coefficients, phase)
        alike = [np.ptp(evaluate_series(own.coefficients, _GRID)) * m[i : i + 1] for m in matched]
        grids = np.concatenate([model[i, :1], *(o[i : i + 1] for o in others), *alike, model[i, 1:]])
        clean = evaluate_periodic(
            grids, np.repeat(np.arange(grids.shape[0]), phase.size), np.tile(phase, grids.shape[0])
        ).reshape(-1, phase.size)
        clean = np.concatenate([series, clean])
        nights, inverse = np.unique(night[rows], return_inverse=True)
        sign = 2.0 * random.integers(0, 2, size=(clean.shape[0], nights.size)) - 1.0
        noisy = clean + sign[:, inverse] * own.residual[0] * _absorbed(float(own.shrink[0]), phase.size, nights.size)
        fits = fit_many(phase, noisy, sigma, n_harmonics=n_harmonics, base_harmonic=info.base_harmonic)
        coefficients[i, 0], coefficients[i, 1:] = own.coefficients[0], fits.coefficients
        statistics[0, i, 0], statistics[1, i, 0] = moments(value)
        statistics[0, i, 1:], statistics[1, i, 1:] = moments(noisy)
        statistics[2, i] = np.concatenate([own.residual.std(axis=1), fits.residual.std(axis=1)])
        common = fit_many(
            phase, np.concatenate([value[None], noisy[:n_named]]), sigma, n_harmonics=_PLAIN_HARMONICS, base_harmonic=2
        )
        plain[i], plain_residual[i] = common.coefficients, common.residual.std(axis=1)
        if i < n_pictures:
            observed[REAL].append(value - own.mean[0])
            observed[sources[0].name].append(noisy[1])

    def table(columns: slice) -> FeatureTable:
        return curve_features(
            group.cls,
            coefficients[:, columns].reshape(-1, n_harmonics, 2),
            skew_mag=statistics[0, :, columns].ravel(),
            kurtosis_mag=statistics[1, :, columns].ravel(),
            residual=statistics[2, :, columns].ravel(),
        )

    names = [REAL, FLOOR, *(s.name for s in sources)]
    first_shape = len(names)
    denoised = evaluate_series(coefficients[:, 0], _GRID)
    features = {name: table(slice(c, c + 1)) for c, name in enumerate(names)}
    shapes = {name: features[name] for name in names[:2]}
    shapes |= {s.name: table(slice(first_shape + c, first_shape + c + 1)) for c, s in enumerate(sources)}
    return GroupData(
        group=group,
        curves=curves,
        features=features,
        shapes=shapes,
        spread=table(slice(first_shape + len(sources), None)) if n_draws else None,
        n_draws=n_draws,
        agnostic={name: agnostic_features(plain[:, c], plain_residual[:, c]) for c, name in enumerate(names)},
        clean={REAL: denoised, sources[0].name: model[:, 0]}
        | {s.name: o for s, o in zip(sources[1:], others, strict=True)},
        observed=observed,
    )
