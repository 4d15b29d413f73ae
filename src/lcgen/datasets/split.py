"""Parts of an ensemble, star by star."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import rng
from ..errors import InputError

__all__ = ["split_stars"]


def split_stars(star_id: ArrayLike, fractions: Mapping[str, float], *, seed: int = 0) -> dict[str, NDArray[np.int64]]:
    """Divide stars at random into parts such as training, validation and test.

    The part of a star depends on its ``star_id`` and the seed alone: it stays the same when an ensemble grows or is
    put into another order.

    Parameters
    ----------
    star_id : array_like of int, shape (n,)
    fractions : mapping of str to float
        Positive, summing to 1.
    seed : int

    Returns
    -------
    dict of str to ndarray of int64
        Indices of the stars of each part, ascending.

    Raises
    ------
    InputError
        If the fractions are not positive or do not sum to 1.

    Examples
    --------
    >>> parts = split_stars(np.arange(1000), {"train": 0.8, "test": 0.2}, seed=1)
    >>> sorted(np.concatenate(list(parts.values()))) == list(range(1000))
    True
    """
    shares = np.array(list(fractions.values()), dtype=float)
    if not shares.size or not (shares > 0).all() or not np.isclose(shares.sum(), 1.0, atol=1e-9):
        raise InputError(f"fractions must be positive and sum to 1, received {dict(fractions)}")
    u = rng.uniforms(seed, "split", star_id, 1)[:, 0]
    part = np.searchsorted(np.cumsum(shares)[:-1], u, side="right")
    return {name: np.flatnonzero(part == k) for k, name in enumerate(fractions)}
