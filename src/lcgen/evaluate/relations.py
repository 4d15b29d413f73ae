"""Relations of shape, period and physical parameters that real stars obey, beside those of generated ones."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..rng import stream
from .features import FeatureTable

__all__ = ["BUMP_EDGES", "RELATIONS", "BumpBin", "Relation", "RelationResult", "bump_progression", "measure_relation"]

_N_BOOT = 200
BUMP_EDGES = (6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 16.0)
"""Edges of the period bins in which the bump progression is compared [d]."""


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A Spearman correlation of two quantities of the stars of one class, subclass and band.

    Attributes
    ----------
    cls, subclass, band : str
    x, y : str
        ``period``, or a column of the tables that are compared: a feature (angles as ``phi21``) or a parameter.
    at_period : bool
        Correlation at fixed period (partial Spearman coefficient).
    max_period : float
        Only stars of shorter period [d].
    """

    cls: str
    subclass: str
    band: str
    x: str
    y: str
    at_period: bool = False
    max_period: float = np.inf

    def __str__(self) -> str:
        fixed = " at fixed P" if self.at_period else ""
        limit = f" (P < {self.max_period:g} d)" if np.isfinite(self.max_period) else ""
        return f"{self.subclass or self.cls} {self.band}: {self.x} - {self.y}{fixed}{limit}"


def _rrab(x: str, y: str, fixed: bool = False) -> Relation:
    return Relation(cls="RRLYR", subclass="RRab", band="V", x=x, y=y, at_period=fixed)


def _cep(x: str, y: str, fixed: bool = False) -> Relation:
    limit = 8.0 if fixed else np.inf
    return Relation(cls="CEP", subclass="F", band="I", x=x, y=y, at_period=fixed, max_period=limit)


RELATIONS: tuple[Relation, ...] = (
    *(_rrab("period", y) for y in ("log_amplitude", "R31", "phi31", "phi21")),
    _rrab("log_amplitude", "R31", True),
    _rrab("log_amplitude", "R21", True),
    _rrab("log_amplitude", "phi31", True),
    *(_cep("period", y) for y in ("phi21", "phi31", "R21", "R31")),
    _cep("log_amplitude", "R21", True),
    _cep("phi21", "phi31", True),
)
"""Relations that are compared, where a survey has the stars."""


@dataclass(frozen=True, kw_only=True)
class RelationResult:
    """Coefficients of one relation.

    Attributes
    ----------
    relation : Relation
    survey : str
    real, real_error : float
        Spearman coefficient of the real stars and its bootstrap error.
    generated : mapping of source to (coefficient, error)
    n : int
        Stars.
    """

    relation: Relation
    survey: str
    real: float
    real_error: float
    generated: dict[str, tuple[float, float]]
    n: int


def _cut(angle: NDArray[np.float64], centre: float) -> NDArray[np.float64]:
    """Angles in the circle cut opposite to `centre`."""
    return np.angle(np.exp(1j * (angle - centre)))


def _spearman(columns: list[NDArray[np.float64]]) -> float:
    """Spearman coefficient of the first two columns, at fixed values of a third where there is one."""
    from scipy.stats import rankdata

    ranks = np.corrcoef([rankdata(c) for c in columns])
    xy = ranks[0, 1]
    if len(columns) == 3:
        xz, yz = ranks[0, 2], ranks[1, 2]
        xy = (xy - xz * yz) / np.sqrt(max((1 - xz**2) * (1 - yz**2), 1e-12))
    return float(xy)


def measure_relation(
    relation: Relation,
    survey: str,
    features: dict[str, FeatureTable],
    period: NDArray[np.float64],
    *,
    real: str,
    seed: int = 1,
) -> RelationResult:
    """Measure one relation on real and generated stars.

    Parameters
    ----------
    relation : Relation
    survey : str
        Label of the stars.
    features : mapping of source to FeatureTable
        Of the stars of the relation's class and subclass, the same number of rows for each star, star after star.
    period : ndarray, shape (n,)
        Periods, the same for real and paired stars [d].
    real : str
        Key of the real stars in `features`.
    """
    rows = period < relation.max_period
    random = stream(seed, f"evaluate/relation/{relation}")
    boots = [random.integers(0, int(rows.sum()), int(rows.sum())) for _ in range(_N_BOOT)]

    def columns(name: str) -> list[NDArray]:
        n_each = len(features[name]) // max(period.size, 1)
        own_period = np.repeat(period, n_each).reshape(-1, n_each)[rows]
        out = []
        for q in (relation.x, relation.y):
            if q == "period":
                out.append(own_period)
                continue
            values = features[name].column(q).reshape(-1, n_each)[rows]
            # angles in [0, 2 pi), as catalogues give them
            out.append(values % (2 * np.pi) if q.startswith("phi") else values)
        return [*out, own_period] if relation.at_period else out

    results = {}
    for name in features:
        own = columns(name)
        errors = np.std([_spearman([c[b].ravel() for c in own]) for b in boots])
        results[name] = (_spearman([c.ravel() for c in own]), float(errors))
    value, error = results.pop(real)
    return RelationResult(
        relation=relation, survey=survey, real=value, real_error=error, generated=results, n=int(rows.sum())
    )


@dataclass(frozen=True, kw_only=True)
class BumpBin:
    """phi21 of fundamental-mode Cepheids in one bin of period.

    Attributes
    ----------
    low, high : float
        Edges [d].
    n : int
        Real stars.
    real, real_scatter : float
        Circular median in [0, 2 pi), and robust standard deviation [rad].
    generated, generated_scatter : mapping of source to float
    """

    low: float
    high: float
    n: int
    real: float
    real_scatter: float
    generated: dict[str, float]
    generated_scatter: dict[str, float]

    def follows(self, source: str) -> bool:
        """Whether the generated median is within the real scatter of the real one."""
        return bool(abs(np.angle(np.exp(1j * (self.generated[source] - self.real)))) <= self.real_scatter)


def _circular(angle: NDArray[np.float64]) -> tuple[float, float]:
    centre = float(np.angle(np.exp(1j * angle).mean()))
    turned = _cut(angle, centre)
    middle = float(np.median(turned))
    return float((middle + centre) % (2 * np.pi)), float(1.4826 * np.median(np.abs(turned - middle)))


def bump_progression(
    features: dict[str, FeatureTable], period: NDArray[np.float64], *, real: str, min_stars: int = 5
) -> list[BumpBin]:
    """The Hertzsprung progression: phi21 against period from 6 to 16 d, where a bump crosses the curve."""
    out = []
    for low, high in pairwise(BUMP_EDGES):
        rows = (period >= low) & (period < high)
        if rows.sum() < min_stars:
            continue
        found = {name: _circular(table.column("phi21")[rows]) for name, table in features.items()}
        centre, scatter = found.pop(real)
        out.append(
            BumpBin(
                low=low,
                high=high,
                n=int(rows.sum()),
                real=centre,
                real_scatter=scatter,
                generated={k: v[0] for k, v in found.items()},
                generated_scatter={k: v[1] for k, v in found.items()},
            )
        )
    return out
