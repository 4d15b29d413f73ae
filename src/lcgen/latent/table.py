"""How well physical parameters predict the latent: on unseen stars, next to the figures that leak.

Table 3 of Martinez-Palomera et al. (2022, AJ 164, 263) compares regressors by their RMSE. Light curves of
one star, or augmented copies of one curve, are nearly the same row: a random split puts some of them on
each side, and a flexible regressor recognises the star. Only stars that the fit has not seen show what it
knows.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..rng import stream
from .base import ArrayRegressor, LatentRegressor
from .lookup import as_regressor

__all__ = ["RegressionRow", "RegressionTable", "regression_table"]


@dataclass(frozen=True, kw_only=True)
class RegressionRow:
    """One regressor with one set of features.

    Attributes
    ----------
    regressor : str
        Its name.
    physical : bool
        Whether it had the physical parameters.
    rmse_unseen, r2_unseen : float
        Root mean square error and coefficient of determination on stars that were not in the fit.
    rmse_leaky, r2_leaky : float
        The same for a random split of the rows, where rows of one star fall on both sides.
    rmse_in_sample, r2_in_sample : float
        The same on the rows of the fit.
    """

    regressor: str
    physical: bool
    rmse_unseen: float
    r2_unseen: float
    rmse_leaky: float
    r2_leaky: float
    rmse_in_sample: float
    r2_in_sample: float


@dataclass(frozen=True, kw_only=True)
class RegressionTable:
    """The comparison of regressors.

    Attributes
    ----------
    rows : tuple of RegressionRow
    baseline_rmse : float
        RMSE of a constant, the mean latent: that of a regressor with an R2 of 0.
    n_rows, n_stars, n_splits : int
        Number of rows, of stars and of parts in the cross-validation.
    """

    rows: tuple[RegressionRow, ...]
    baseline_rmse: float
    n_rows: int
    n_stars: int
    n_splits: int

    def __iter__(self) -> Iterator[RegressionRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    def to_markdown(self) -> str:
        """As a table in Markdown, for the model card."""
        lines = [
            "| regressor | physical parameters | RMSE, unseen stars | R2, unseen stars "
            "| RMSE, rows split at random | R2, rows split at random | RMSE, rows of the fit "
            "| R2, rows of the fit |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for row in self.rows:
            figures = (
                row.rmse_unseen,
                row.r2_unseen,
                row.rmse_leaky,
                row.r2_leaky,
                row.rmse_in_sample,
                row.r2_in_sample,
            )
            cells = [
                row.regressor,
                "with" if row.physical else "without",
                *(f"{value:.3f}" for value in figures),
            ]
            lines.append(f"| {' | '.join(cells)} |")
        lines += [
            "",
            f"{self.n_rows} rows of {self.n_stars} stars, {self.n_splits}-fold cross-validation. A constant "
            f"has an RMSE of {self.baseline_rmse:.3f}. Only the columns for unseen stars say how well the "
            "latent of a new star is known; the others leak.",
        ]
        return "\n".join(lines) + "\n"


def regression_table(
    features: ArrayLike,
    targets: ArrayLike,
    star_ids: ArrayLike,
    *,
    regressors: Sequence[LatentRegressor | type[LatentRegressor] | str],
    seed: int,
    n_splits: int = 5,
    physical_columns: Sequence[int] = (),
) -> RegressionTable:
    """Compare regressors, on unseen stars and with the two published leaks.

    Errors are pooled over all rows and latent dimensions: ``rmse`` is the root of the mean squared error, and
    ``r2`` is one minus the ratio of its square to the variance about the mean of all rows. A dead latent
    dimension therefore counts for nothing. A regressor with an extra uniform number gets it as a column, one
    number for each row.

    Parameters
    ----------
    features : array_like, shape (n, f)
        For example from :func:`~lcgen.latent.features.feature_matrix`.
    targets : array_like, shape (n, d)
        Latents.
    star_ids : array_like, shape (n,)
        The star of each row.
    regressors : sequence of LatentRegressor, type or str
        Objects, of which copies are fitted; classes; names (:func:`~lcgen.latent.list_regressors`).
    seed : int
        Seed of the splits and of the fits.
    n_splits : int
        Parts of the cross-validation; each is predicted by a fit to the others.
    physical_columns : sequence of int
        Columns that come from the physical parameters
        (:attr:`~lcgen.latent.features.FeatureSpec.physical_columns`). If given, each regressor is also
        fitted without them.

    Returns
    -------
    RegressionTable

    Raises
    ------
    InputError
        If shapes do not fit, there are fewer stars than parts, no regressor is given, what is given is none, or a
        column does not exist.
    """
    x, y = np.asarray(features, dtype=float), np.asarray(targets, dtype=float)
    stars = np.asarray(star_ids)
    if x.ndim != 2 or y.ndim != 2 or not len(x) == len(y) == len(stars) or stars.ndim != 1:
        raise InputError(f"features, targets and star_ids have shapes {x.shape}, {y.shape} and {stars.shape}")
    if not regressors:
        raise InputError("no regressor to compare")
    unique, star_index = np.unique(stars, return_inverse=True)
    if not 2 <= n_splits <= unique.size:
        raise InputError(f"n_splits must lie between 2 and the number of stars, {unique.size}; received {n_splits}")
    outside = [c for c in physical_columns if not 0 <= c < x.shape[1]]
    if outside:
        raise InputError(f"physical_columns names column {outside[0]}, there are {x.shape[1]}")
    baseline = float(np.sqrt(np.mean((y - y.mean(axis=0)) ** 2)))
    by_star = _parts(unique.size, n_splits, stream(seed, "latent/table/stars"))[star_index]
    by_row = _parts(len(x), n_splits, stream(seed, "latent/table/rows"))
    uniform = stream(seed, "latent/table/extra-uniform").random((len(x), 1))
    feature_sets = [(True, x)]
    if len(physical_columns):
        feature_sets.insert(0, (False, np.delete(x, list(physical_columns), axis=1)))
    rows = []
    for regressor in map(as_regressor, regressors):
        for physical, chosen in feature_sets:
            fresh, inputs = _with_uniform_column(regressor, chosen, uniform)
            predictions = (
                _cross_validated(fresh, inputs, y, by_star, seed),
                _cross_validated(fresh, inputs, y, by_row, seed),
                copy.deepcopy(fresh).fit(inputs, y, seed=seed).predict(inputs),
            )
            unseen, leaky, in_sample = (float(np.sqrt(np.mean((y - p) ** 2))) for p in predictions)
            rows.append(
                RegressionRow(
                    regressor=regressor.name,
                    physical=physical,
                    rmse_unseen=unseen,
                    r2_unseen=_r2(unseen, baseline),
                    rmse_leaky=leaky,
                    r2_leaky=_r2(leaky, baseline),
                    rmse_in_sample=in_sample,
                    r2_in_sample=_r2(in_sample, baseline),
                )
            )
    return RegressionTable(
        rows=tuple(rows), baseline_rmse=baseline, n_rows=len(x), n_stars=int(unique.size), n_splits=n_splits
    )


def _parts(n: int, n_splits: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.permutation(n) % n_splits


def _with_uniform_column(
    regressor: LatentRegressor, features: NDArray, uniform: NDArray
) -> tuple[LatentRegressor, NDArray]:
    # As published, the extra number belongs to the row: the score on the rows of the fit is taken with the
    # numbers that the fit has seen, and they identify a row as well as anything else.
    fresh = copy.deepcopy(regressor)
    if isinstance(fresh, ArrayRegressor) and fresh.extra_uniform:
        fresh.extra_uniform = False
        return fresh, np.concatenate([features, uniform], axis=1)
    return fresh, features


def _cross_validated(
    regressor: LatentRegressor, features: NDArray, targets: NDArray, parts: NDArray, seed: int
) -> NDArray[np.float64]:
    out = np.empty(targets.shape)
    for part in np.unique(parts):
        held_out = parts == part
        fitted = copy.deepcopy(regressor).fit(features[~held_out], targets[~held_out], seed=seed)
        out[held_out] = fitted.predict(features[held_out])
    return out


def _r2(rmse: float, baseline: float) -> float:
    return 1.0 - (rmse / baseline) ** 2 if baseline > 0 else float("nan")
