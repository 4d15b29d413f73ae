"""Random access to the stars of an ensemble file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from .ragged import Ragged, finish
from .samples import Sample, samples
from .selection import Selection
from .source import Source

__all__ = ["EnsembleDataset", "check_stars"]


class EnsembleDataset:
    """The stars of an ensemble file by number: a map-style dataset for ``torch.utils.data.DataLoader``.

    It needs no torch itself, can be pickled, and every process opens the file for itself, so it works with workers that
    are forked or spawned. A loader that asks for a batch (``__getitems__``) gets it in one pass through the file.

    Parameters
    ----------
    path : path-like
        A complete ensemble.
    select : Selection, optional
        What is taken of every star.
    stars : array_like of int, optional
        Numbers of the stars in the file that belong to the dataset, in this order (see :func:`split_stars`); all by
        default.
    preload : bool
        Keep the selected values in memory (21 bytes an observation for time, flux, error and band). Without it, stars
        at random places cost the unpacking of a chunk each: then prefer :class:`EnsembleStream`.

    Raises
    ------
    EnsembleError, IncompleteEnsembleError
        If the file cannot be read.
    UnknownNameError, InputError
        If it lacks what is selected, or `stars` are not numbers of its stars.

    Examples
    --------
    >>> from torch.utils.data import DataLoader                                       # doctest: +SKIP
    >>> data = EnsembleDataset("train.h5", select=Selection(features=("time", "flux", "flux_err")), preload=True)
    ...                                                                               # doctest: +SKIP
    >>> loader = DataLoader(data, batch_size=256, shuffle=True, num_workers=4, collate_fn=pad_collate)
    ...                                                                               # doctest: +SKIP
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        select: Selection | None = None,
        stars: ArrayLike | None = None,
        preload: bool = False,
    ) -> None:
        self.select = select or Selection()
        self._source = Source(path, self.select)
        self._stars = check_stars(stars, self._source.n_stars)
        self._preload = preload
        self._memory: Ragged | None = None

    def __getstate__(self) -> dict[str, Any]:
        # a worker reads the file sooner than it would receive the arrays
        return {**self.__dict__, "_memory": None}

    def __len__(self) -> int:
        return self._source.n_stars if self._stars is None else int(self._stars.size)

    def __repr__(self) -> str:
        return f"<EnsembleDataset {self._source.path}: {len(self)} stars, {', '.join(self.select.features)}>"

    @property
    def band_names(self) -> tuple[str, ...]:
        """The bands, in the order of their indices."""
        return self._source.band_names if self.select.bands is None else self.select.bands

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels, in the order of their numbers."""
        return self.select.label_names

    @property
    def labels(self) -> NDArray[np.int64]:
        """The label of each star, shape (n,), for weights and stratified choices.

        Raises
        ------
        InputError
            If no label was selected.
        """
        if self.select.label is None:
            raise InputError("no label was selected")
        return self.select.numbers_of(self._of_stars(self._source.column(self.select.label)))

    @property
    def star_id(self) -> NDArray[np.int64]:
        """The ``star_id`` of each star, shape (n,)."""
        return self._of_stars(self._source.column("star_id"))

    @property
    def stored_lengths(self) -> NDArray[np.int64]:
        """Observations that the file has of each star, shape (n,), before any selection."""
        return self._of_stars(self._source.lengths())

    def _of_stars(self, column: NDArray) -> NDArray:
        return column if self._stars is None else column[self._stars]

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | list[Sample]:
        if isinstance(index, slice):
            return samples(self.ragged(np.arange(len(self))[index]))
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
            raise InputError(f"a dataset is indexed by a whole number or a slice, received {index!r}")
        i = int(index) + (len(self) if index < 0 else 0)
        if not 0 <= i < len(self):
            raise IndexError(f"star {index} of {len(self)}")
        return samples(self.ragged([i]))[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Sample]:
        """A batch of stars, in the order of `indices`."""
        return samples(self.ragged(indices))

    def ragged(self, indices: ArrayLike | None = None) -> Ragged:
        """Stars of the dataset as flat arrays, in the order of `indices`; all by default.

        Raises
        ------
        IndexError
            If there is no such star.
        """
        chosen = np.arange(len(self)) if indices is None else np.atleast_1d(np.asarray(indices, dtype=np.int64))
        if chosen.size and (chosen.min() < 0 or chosen.max() >= len(self)):
            raise IndexError(f"indices must lie in [0, {len(self)}), received {chosen.min()} to {chosen.max()}")
        if self._preload:
            if self._memory is None:
                everything = np.arange(self._source.n_stars) if self._stars is None else self._stars
                self._memory = finish(self._source.read(everything), self.select)
            return self._memory if indices is None else self._memory.take(chosen)
        return finish(self._source.read(chosen if self._stars is None else self._stars[chosen]), self.select)

    def close(self) -> None:
        """Close the file in this process; the next access opens it again."""
        self._source.close()


def check_stars(stars: ArrayLike | None, n_stars: int) -> NDArray[np.int64] | None:
    """Numbers of stars of a file, checked.

    Raises
    ------
    InputError
        If they are not whole numbers of stars of the file.
    """
    if stars is None:
        return None
    array = np.asarray(stars)
    if array.size == 0:
        return np.zeros(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(f"stars must be a list of whole numbers, received {array.dtype} of shape {array.shape}")
    if array.min() < 0 or array.max() >= n_stars:
        raise InputError(f"stars must lie in [0, {n_stars}), received {array.min()} to {array.max()}")
    return array.astype(np.int64)
