"""Stars one after the other, for training sets that do not fit into memory or are made on the way."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.utils.data import IterableDataset, get_worker_info

from .. import rng
from ..cadence import as_cadence
from ..ensemble.job import magnitude_range
from ..errors import InputError, UnknownNameError
from ..observe.detection import Detection, check_detection
from .ragged import finish, ragged
from .samples import Sample, samples
from .selection import Selection
from .source import Source
from .stored import check_stars

__all__ = ["EnsembleStream", "GeneratedStream"]


class _Stream(IterableDataset[Sample]):
    """What streams share: an epoch that workers see change, and the part of the stars that is theirs."""

    def __init__(self, *, seed: int, rank: int | None, world_size: int | None, even: bool) -> None:
        super().__init__()
        self.seed = rng.check_seed(seed)
        self.rank, self.world_size = _ranks(rank, world_size)
        self._even = even
        # in shared memory: workers that live longer than an epoch would not see a plain number change
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    @property
    def epoch(self) -> int:
        """The number of the epoch that the next iteration gives."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; call it before each, or every epoch is the same.

        Raises
        ------
        InputError
            If it is negative or no whole number.
        """
        if isinstance(epoch, bool) or not isinstance(epoch, (int, np.integer)) or epoch < 0:
            raise InputError(f"epoch must be a whole number, not negative; received {epoch!r}")
        self._epoch.fill_(int(epoch))

    def _share(self, n: int) -> tuple[int, int, str]:
        """Of `n` places, those from the first to the second number belong to this worker of this rank."""
        info = get_worker_info()
        worker, workers = (0, 1) if info is None else (info.id, info.num_workers)
        if self._even:
            size = n // self.world_size
            low, high = self.rank * size, (self.rank + 1) * size
        else:
            low, high = self.rank * n // self.world_size, (self.rank + 1) * n // self.world_size
        size = high - low
        return low + worker * size // workers, low + (worker + 1) * size // workers, f"{self.rank}/{worker}"


class EnsembleStream(_Stream):
    """The stars of an ensemble file in random order, read in blocks: an iterable dataset.

    Blocks of neighbouring stars are put into random order; several are read at a time and their stars mixed. Every
    star comes exactly once an epoch, over all workers of a loader and all ranks of a distributed training.

    Parameters
    ----------
    path : path-like
        A complete ensemble.
    select : Selection, optional
        What is taken of every star.
    stars : array_like of int, optional
        Numbers of the stars in the file that belong to the dataset (see :func:`split_stars`); all by default.
    seed : int
        The order is decided by seed, epoch, numbers of ranks and workers, and the two sizes below.
    shuffle : bool
        Without it stars come in the order of the file.
    block_stars : int, optional
        Stars of a block; by default as many as have 131,072 observations, two chunks of the file.
    pool_blocks : int
        Blocks that are mixed at a time. Files are in order of class, so with few a batch has few classes.
    rank, world_size : int, optional
        This process and the number of processes of a distributed training; by default as ``torch.distributed`` says
        where it is initialised, else 0 of 1.
    even : bool
        Give every rank the same number of stars, so that none waits for the others; fewer stars than there are ranks
        are then left out, other ones in each epoch.

    Raises
    ------
    EnsembleError, IncompleteEnsembleError
        If the file cannot be read.
    UnknownNameError, InputError
        If it lacks what is selected, or an argument is wrong.

    Examples
    --------
    >>> stream = EnsembleStream("train.h5", seed=1)                                   # doctest: +SKIP
    >>> loader = DataLoader(stream, batch_size=256, num_workers=4, collate_fn=pad_collate)
    ...                                                                               # doctest: +SKIP
    >>> for epoch in range(10):                                                       # doctest: +SKIP
    ...     stream.set_epoch(epoch)
    ...     for batch in loader:
    ...         train(batch["x"], batch["mask"], batch["band"], batch["label"])
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        select: Selection | None = None,
        stars: ArrayLike | None = None,
        seed: int = 0,
        shuffle: bool = True,
        block_stars: int | None = None,
        pool_blocks: int = 16,
        rank: int | None = None,
        world_size: int | None = None,
        even: bool = False,
    ) -> None:
        super().__init__(seed=seed, rank=rank, world_size=world_size, even=even)
        self.select = select or Selection()
        self._source = Source(path, self.select)
        self._stars = check_stars(stars, self._source.n_stars)
        self._shuffle = shuffle
        each = max(1, self._source.n_observations // max(self._source.n_stars, 1))
        self._block = max(1, 2**17 // each) if block_stars is None else _positive("block_stars", block_stars)
        self._pool = _positive("pool_blocks", pool_blocks)

    @property
    def n_stars(self) -> int:
        """Stars of an epoch, of all ranks together."""
        return self._source.n_stars if self._stars is None else int(self._stars.size)

    @property
    def band_names(self) -> tuple[str, ...]:
        """The bands, in the order of their indices."""
        return self._source.band_names if self.select.bands is None else self.select.bands

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels, in the order of their numbers."""
        return self.select.label_names

    def __iter__(self) -> Iterator[Sample]:
        epoch, n = self.epoch, self.n_stars
        low, high, name = self._share(n)
        starts = np.arange(0, n, self._block)
        if self._shuffle:
            starts = rng.stream(self.seed, "blocks", epoch).permutation(starts)
        # where each block begins in the order of the epoch
        begins = np.concatenate([[0], np.cumsum(np.minimum(starts + self._block, n) - starts)])
        first = int(np.searchsorted(begins, low, side="right")) - 1
        for k, at in enumerate(range(first, starts.size, self._pool)):
            if begins[at] >= high:
                break
            places = [
                np.arange(max(low - begins[b], 0), min(high, begins[b + 1]) - begins[b]) + starts[b]
                for b in range(at, min(at + self._pool, starts.size))
                if begins[b] < high
            ]
            chosen = np.concatenate(places)
            view = finish(self._source.read(chosen if self._stars is None else self._stars[chosen]), self.select)
            pool = samples(view)
            order: Sequence[int] = range(len(pool))
            if self._shuffle:
                order = rng.stream(self.seed, f"pool/{epoch}/{name}", k).permutation(len(pool)).tolist()
            yield from (pool[i] for i in order)


class GeneratedStream(_Stream):
    """Stars that are drawn and observed as they are asked for: a training set without a file and without repetition.

    Epoch ``e`` has the stars ``first_star_id + e * n_stars`` to ``first_star_id + (e + 1) * n_stars``, each exactly
    once over all workers and ranks, and each the same whatever their number. ``generator.draw(cls, 1, seed=seed,
    first_id=star_id)`` with the same arguments makes it again.

    Parameters
    ----------
    generator : LightCurveGenerator, str or path-like
        A generator, or what :func:`lcgen.load_generator` understands. Workers that are spawned load it for themselves.
    cadence : cadence, array_like, str or path-like
        Anything :func:`lcgen.as_cadence` understands.
    n_stars : int
        Stars of an epoch, of all ranks together.
    classes : str, sequence of str, or mapping of str to float, optional
        Classes to draw from, with their weights; all of the generator alike by default. Each star has one
        at random.
    seed : int
    mean_mag : float or (float, float), optional
        Mean magnitude of all stars, or limits between which it is drawn uniformly.
    params : mapping of str to float, optional
        Parameters that all stars share.
    noise, band, irregular, detection
        As in :meth:`lcgen.Stars.observe`.
    draw_options : mapping, optional
        Further arguments of ``generator.draw``, such as ``sky`` or ``temper``.
    select : Selection, optional
        What is taken of every star.
    block_stars : int
        Stars made at a time; it has no influence on them.
    rank, world_size, even
        As in :class:`EnsembleStream`.

    Raises
    ------
    InputError, UnknownNameError, CadenceError
        If an argument is wrong.
    """

    def __init__(
        self,
        generator: Any,
        cadence: Any,
        *,
        n_stars: int,
        classes: str | Sequence[str] | Mapping[str, float] | None = None,
        seed: int = 0,
        mean_mag: float | tuple[float, float] | None = None,
        params: Mapping[str, float] | None = None,
        noise: Any = None,
        band: str | Mapping[str, str] | None = None,
        irregular: bool = False,
        detection: Detection | None = None,
        draw_options: Mapping[str, Any] | None = None,
        select: Selection | None = None,
        first_star_id: int = 0,
        block_stars: int = 256,
        rank: int | None = None,
        world_size: int | None = None,
        even: bool = False,
    ) -> None:
        super().__init__(seed=seed, rank=rank, world_size=world_size, even=even)
        self.select = select or Selection()
        self.n_stars = _positive("n_stars", n_stars)
        self._generator = generator
        if isinstance(first_star_id, bool) or not isinstance(first_star_id, (int, np.integer)) or first_star_id < 0:
            raise InputError(f"first_star_id must be a whole number from 0, received {first_star_id!r}")
        self._first = int(first_star_id)
        self._block = _positive("block_stars", block_stars)
        self._cadence = as_cadence(cadence)
        self._observing = {"noise": noise, "band": band, "irregular": irregular}
        self._observing["detection"] = check_detection(detection, noise)
        self._mean_mag = magnitude_range(mean_mag)
        self._params = dict(params or {})
        if self._mean_mag is not None and {"mean_mag", "distance"} & set(self._params):
            raise InputError("mean_mag was given, and mean_mag or distance in params besides; give one of them")
        self._options = dict(draw_options or {})
        self._classes, self._weights = _weights(classes, self.generator.classes)

    def __getstate__(self) -> dict[str, Any]:
        source = getattr(self._generator, "source", "")
        return {**self.__dict__, "_generator": source or self._generator}

    @property
    def generator(self) -> Any:
        """The generator, loaded where it was given by name."""
        if isinstance(self._generator, (str, os.PathLike)):
            from ..generator import load_generator

            self._generator = load_generator(self._generator)
        return self._generator

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels, in the order of their numbers."""
        return self.select.label_names

    def __iter__(self) -> Iterator[Sample]:
        begin = self._first + self.epoch * self.n_stars
        low, high, _ = self._share(self.n_stars)
        for start in range(low, high, self._block):
            ids = begin + np.arange(start, min(start + self._block, high), dtype=np.int64)
            yield from self._made(ids)

    def _made(self, ids: NDArray[np.int64]) -> list[Sample]:
        which = np.searchsorted(self._weights, rng.uniforms(self.seed, "class", ids, 1)[:, 0], side="right")
        params: dict[str, Any] = {name: np.full(ids.size, value) for name, value in self._params.items()}
        if isinstance(self._mean_mag, tuple):
            low, high = self._mean_mag
            params["mean_mag"] = low + (high - low) * rng.uniforms(self.seed, "mean_mag", ids, 1)[:, 0]
        elif self._mean_mag is not None:
            params["mean_mag"] = np.full(ids.size, self._mean_mag)
        stars = self.generator.draw(
            np.asarray(self._classes)[which],
            ids.size,
            params=params or None,
            seed=self.seed,
            first_id=int(ids[0]),
            **self._options,
        )
        return samples(ragged(stars.observe(self._cadence, seed=self.seed, **self._observing), self.select))


def _ranks(rank: int | None, world_size: int | None) -> tuple[int, int]:
    if (rank is None) != (world_size is None):
        raise InputError("give rank and world_size together, or neither")
    if rank is None or world_size is None:
        distributed = torch.distributed
        if distributed.is_available() and distributed.is_initialized():
            return distributed.get_rank(), distributed.get_world_size()
        return 0, 1
    if not 0 <= rank < world_size:
        raise InputError(f"rank must lie in [0, world_size), received {rank} of {world_size}")
    return int(rank), int(world_size)


def _positive(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise InputError(f"{name} must be a whole number from 1, received {value!r}")
    return int(value)


def _weights(
    classes: str | Sequence[str] | Mapping[str, float] | None, allowed: Sequence[str]
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """The classes, and the upper ends of their shares of [0, 1) but for the last."""
    if isinstance(classes, Mapping):
        names, weights = tuple(classes), np.array(list(classes.values()), dtype=float)
    else:
        names = tuple(allowed) if classes is None else (classes,) if isinstance(classes, str) else tuple(classes)
        weights = np.ones(len(names))
    for name in names:
        if name not in allowed:
            raise UnknownNameError("class", name, allowed)
    if not names or len(set(names)) < len(names) or not np.isfinite(weights).all() or (weights <= 0).any():
        raise InputError(f"classes need distinct names and positive weights, received {classes!r}")
    return names, np.cumsum(weights / weights.sum())[:-1]
