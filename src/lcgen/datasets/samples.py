"""One star as a dataset gives it."""

from __future__ import annotations

from itertools import pairwise
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from .ragged import Ragged

__all__ = ["Sample", "samples"]


class Sample(TypedDict):
    """One star.

    Attributes
    ----------
    x : ndarray of float32, shape (n_obs, n_features)
        The features.
    mjd : ndarray of float64, shape (n_obs,)
        Times [d], ascending.
    band : ndarray of int64, shape (n_obs,)
        Index into the names of the bands.
    label : int
        Number of the label; -1 where none was asked for.
    star_id : int
    columns : ndarray of float64, shape (n_columns,)
        What is known of the star.
    """

    x: NDArray[np.float32]
    mjd: NDArray[np.float64]
    band: NDArray[np.int64]
    label: int
    star_id: int
    columns: NDArray[np.float64]


def samples(view: Ragged) -> list[Sample]:
    """The stars one by one; all share the memory of a few arrays.

    The list is a map-style dataset by itself: ``DataLoader(samples(ragged(curves)), collate_fn=pad_collate)`` reads any
    light curves, such as those of real stars.

    Examples
    --------
    >>> view = Ragged(values={"flux": np.arange(3.0)}, offsets=np.array([0, 1, 3]), mjd=np.arange(3.0),
    ...     band=np.zeros(3, np.uint8), band_names=("r",), star_id=np.array([5, 6]))
    >>> [star["x"].ravel().tolist() for star in samples(view)]
    [[0.0], [1.0, 2.0]]
    """
    x = np.empty((view.mjd.size, len(view.values)), dtype=np.float32)
    for k, value in enumerate(view.values.values()):
        x[:, k] = value
    columns = np.empty((len(view), len(view.columns)))
    for k, column in enumerate(view.columns.values()):
        columns[:, k] = column
    band = view.band.astype(np.int64)
    label = [-1] * len(view) if view.label is None else view.label.tolist()
    edges, ids = view.offsets.tolist(), view.star_id.tolist()
    return [
        Sample(x=x[a:b], mjd=view.mjd[a:b], band=band[a:b], label=label[i], star_id=ids[i], columns=columns[i])
        for i, (a, b) in enumerate(pairwise(edges))
    ]
