"""Is a classifier that was trained on generated stars as good on real ones?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..rng import stream
from .pairing import REAL, GroupData
from .twosample import Estimate

__all__ = ["Classification", "f1_by_class", "macro_f1", "train_on_synthetic"]

_N_BOOT = 200


@dataclass(frozen=True, kw_only=True)
class Classification:
    """Classifiers tested on real stars of one survey and band, each fold on stars that neither fit has seen.

    Attributes
    ----------
    survey, band : str
    with_period : bool
    classes : tuple of str
    real : Estimate
        Macro-F1 of the classifier that was trained on real stars.
    synthetic : mapping of source to Estimate
        Macro-F1 of the one that was trained on generated stars.
    ratio : mapping of source to Estimate
        The latter over the former.
    by_class : mapping of source to mapping of class to F1
        ``real`` among the sources.
    """

    survey: str
    band: str
    with_period: bool
    classes: tuple[str, ...]
    real: Estimate
    synthetic: dict[str, Estimate]
    ratio: dict[str, Estimate]
    by_class: dict[str, dict[str, float]]


def f1_by_class(true: NDArray, predicted: NDArray, n: int, weight: NDArray | None = None) -> NDArray[np.float64]:
    """F1 of each of `n` classes, shape (n,), of stars that may have weights."""
    table = np.bincount(true * n + predicted, weights=weight, minlength=n * n).reshape(n, n)
    hit = np.diag(table)
    return 2.0 * hit / np.maximum(table.sum(axis=0) + table.sum(axis=1), 1e-12)


def macro_f1(true: NDArray[np.integer], predicted: NDArray[np.integer], n_classes: int) -> float:
    """Mean over classes of the harmonic mean of purity and completeness."""
    return float(f1_by_class(np.asarray(true), np.asarray(predicted), n_classes).mean())


def train_on_synthetic(
    groups: Sequence[GroupData], *, with_period: bool, seed: int = 1, n_folds: int = 5, n_trees: int = 150
) -> Classification:
    """Train on synthetic, test on real; and train on real, test on real.

    Parameters
    ----------
    groups : sequence of GroupData
        Classes of one survey and band.
    with_period : bool
        Whether the classifier is told the period.

    Notes
    -----
    Cross-fitted: a generated star has the period of the real star it is paired with, which would give the class of
    that star away. The generated stars trained on are those that are paired with stars of the other folds.
    """
    from sklearn.ensemble import RandomForestClassifier

    random = stream(seed, "evaluate/classify")
    label = np.concatenate([np.full(len(g.curves), c) for c, g in enumerate(groups)])
    fold = np.concatenate([random.permutation(len(g.curves)) % n_folds for g in groups])
    period = np.log10(np.concatenate([g.period for g in groups]))
    sources = [name for name in groups[0].agnostic if all(name in g.agnostic for g in groups)]
    n = len(groups)
    predicted: dict[str, NDArray] = {}
    tables = {}
    for name in sources:
        x = np.concatenate([g.agnostic[name] for g in groups])
        tables[name] = np.column_stack([x, period]) if with_period else x
    for name in sources:
        predicted[name] = np.zeros(label.size, dtype=np.int64)
        for k in range(n_folds):
            forest = RandomForestClassifier(
                n_estimators=n_trees, min_samples_leaf=2, class_weight="balanced_subsample", random_state=seed
            )
            forest.fit(tables[name][fold != k], label[fold != k])
            predicted[name][fold == k] = forest.predict(tables[REAL][fold == k])
    boots = [
        np.bincount(random.integers(0, label.size, label.size), minlength=label.size).astype(float)
        for _ in range(_N_BOOT)
    ]
    scores = {s: np.array([f1_by_class(label, p, n, w).mean() for w in boots]) for s, p in predicted.items()}
    values = {s: macro_f1(label, p, n) for s, p in predicted.items()}
    classes = tuple(g.group.cls for g in groups)
    others = [s for s in sources if s != REAL]
    return Classification(
        survey=groups[0].group.survey,
        band=groups[0].group.band,
        with_period=with_period,
        classes=classes,
        real=Estimate(value=values[REAL], error=float(scores[REAL].std()), n=label.size),
        synthetic={s: Estimate(value=values[s], error=float(scores[s].std()), n=label.size) for s in others},
        ratio={
            s: Estimate(value=values[s] / values[REAL], error=float((scores[s] / scores[REAL]).std()), n=label.size)
            for s in others
        },
        by_class={
            s: dict(zip(classes, (float(v) for v in f1_by_class(label, p, n)), strict=True))
            for s, p in predicted.items()
        },
    )
