"""A fixed classifier, cross-validated by star within each cadence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..rng import stream
from .settings import Settings

__all__ = ["assign_folds", "cross_validated"]


def assign_folds(label: NDArray[np.integer], n_folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each star, classes spread evenly; the same for all cadences of a comparison.

    Examples
    --------
    >>> np.bincount(assign_folds(np.zeros(10, dtype=int), 5, 1)).tolist()
    [2, 2, 2, 2, 2]
    """
    random = stream(seed, "compare/folds")
    fold = np.empty(label.size, dtype=np.int64)
    for value in np.unique(label):
        rows = np.flatnonzero(label == value)
        fold[rows] = random.permutation(rows.size) % n_folds
    return fold


def cross_validated(
    features: NDArray[np.float64],
    label: NDArray[np.integer],
    fold: NDArray[np.integer],
    *,
    settings: Settings,
    seed: int,
) -> NDArray[np.int64]:
    """The class that a random forest gives each star, from a fit that has not seen it.

    Parameters
    ----------
    features : ndarray, shape (n_stars, n_features)
        NaN where a feature could not be measured.
    label, fold : ndarray of int, shape (n_stars,)
    settings : Settings
    seed : int

    Returns
    -------
    ndarray of int, shape (n_stars,)

    Notes
    -----
    scikit-learn's random forest (Breiman 2001, doi:10.1023/A:1010933404324) with leaves of two stars or more. Its
    settings are the same for all cadences and are not tuned.
    """
    from sklearn.ensemble import RandomForestClassifier

    known = np.isfinite(features).any(axis=0)
    # forests split on missing values in newer releases only; a value below all others does the same
    x = np.where(np.isfinite(features[:, known]), features[:, known], -1e4)
    predicted = np.zeros(label.size, dtype=np.int64)
    for k in np.unique(fold):
        forest = RandomForestClassifier(n_estimators=settings.n_trees, min_samples_leaf=2, random_state=seed % 2**32)
        train = fold != k
        if np.unique(label[train]).size == 1 or not known.any():
            predicted[~train] = np.bincount(label[train]).argmax()
            continue
        predicted[~train] = forest.fit(x[train], label[train]).predict(x[~train])
    return predicted
