"""Training, validation and test sets, by star.

Membership follows from the seed and the star's name alone, through a hash: a star that several surveys or bands have
seen lands on one side. Within each class the shares are met to one star; therefore further stars of a class move a
few of the others, those whose hashes lie next to an edge between two sets, and further bands or classes move none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError

__all__ = ["SPLIT_NAMES", "id_hash", "split_by_star"]

SPLIT_NAMES = ("train", "validation", "test")


def id_hash(ids: ArrayLike) -> NDArray[np.uint64]:
    """A 64-bit hash of each star's name: stored with a model in place of the names."""
    return np.array(
        [
            int.from_bytes(hashlib.blake2b(str(i).encode(), digest_size=8).digest(), "little")
            for i in np.atleast_1d(np.asarray(ids))
        ],
        dtype=np.uint64,
    )


def split_by_star(
    ids: ArrayLike,
    classes: ArrayLike,
    *,
    seed: int = 0,
    fractions: Sequence[float] = (0.6, 0.2, 0.2),
) -> NDArray[np.uint8]:
    """Assign stars to the training (0), validation (1) and test (2) sets.

    Parameters
    ----------
    ids : array_like of str, shape (n_curves,)
        Names of the stars; a name that occurs again (another band or survey) gets the same set.
    classes : array_like of str, shape (n_curves,)
        Stratification. A star listed under several classes goes by the first.
    seed : int
        Another seed, another split.
    fractions : sequence of three floats
        Shares of the three sets.

    Returns
    -------
    ndarray of uint8, shape (n_curves,)
        Index into :data:`SPLIT_NAMES`.

    Raises
    ------
    InputError
        If the shares are not positive or do not add up to one.

    Examples
    --------
    >>> split_by_star(["a", "b", "c", "a", "d"], ["CEP"] * 5, seed=3).tolist()[0::3]
    [1, 1]
    """
    shares = np.asarray(fractions, dtype=float)
    if shares.shape != (3,) or (shares < 0).any() or not np.isclose(shares.sum(), 1.0):
        raise InputError(f"fractions must be three shares that add up to 1, received {tuple(fractions)}")
    ids, classes = np.asarray(ids).astype(str), np.asarray(classes).astype(str)
    if ids.shape != classes.shape:
        raise InputError(f"ids and classes differ in shape: {ids.shape}, {classes.shape}")
    names, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    draw = id_hash(np.char.add(f"{seed}/", names))
    assigned = np.zeros(names.size, dtype=np.uint8)
    for cls in np.unique(classes[first]):
        members = np.flatnonzero(classes[first] == cls)
        ranked = members[np.argsort(draw[members], kind="stable")]
        edges = np.round(np.cumsum(shares) * ranked.size).astype(int)
        assigned[ranked[edges[0] : edges[1]]] = 1
        assigned[ranked[edges[1] :]] = 2
    return assigned[inverse]
