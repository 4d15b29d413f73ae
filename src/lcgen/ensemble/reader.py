"""Reading of ensemble files: only the rows that are asked for."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, overload

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import EnsembleError, IncompleteEnsembleError, InputError
from ..lightcurve import LightCurve, LightCurves, table_of
from ._journal import JournalledFile, journal_path
from ._layout import OBSERVATIONS, OPTIONAL, column_order, decode
from .header import EnsembleHeader
from .master import ShardedRows, shard_folder
from .writer import partial_path

if TYPE_CHECKING:  # pragma: no cover
    from astropy.table import Table

__all__ = ["Ensemble", "open_ensemble"]

_CACHE = 8 * 2**20
_STEP = 2**20
_REQUIRED = ("star_id", "class")


class Ensemble:
    """The light curves in an ensemble file, as a sequence and a context manager; see :func:`open_ensemble`.

    ``len(e)`` is the number of stars, ``e[i]`` a :class:`~lcgen.LightCurve`, ``e[i:j]`` a
    :class:`~lcgen.LightCurves`. Only what is asked for is read.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    header : EnsembleHeader
        Where the stars come from.
    complete : bool
        Whether the file was finished.
    n_planned : int
        How many stars the file has when it is finished.
    n_observations : int
        Observations of all its stars.
    shards : tuple of pathlib.Path
        Files that hold the stars, where this is the master file of several; else empty.
    column_names : tuple of str
        What is known of each star.
    """

    def __init__(self, path: Path, *, allow_incomplete: bool = False) -> None:
        self.path = path
        self.shards: tuple[Path, ...] = ()
        self._h5: Any = None
        self._sharded: ShardedRows | None = None
        self._stack = contextlib.ExitStack()
        try:
            with _explained(path):
                self._open(allow_incomplete=allow_incomplete)
        except BaseException:
            self.close()
            raise

    def _open(self, *, allow_incomplete: bool) -> None:
        source: Any = self.path
        if journal_path(self.path).exists():
            # a writer was cut off in a commit, or is at work: its journal belongs to the file
            source = JournalledFile(self.path, writable=False)
            self._stack.callback(source.close)
        self._h5 = h5py.File(source, "r", rdcc_nbytes=_CACHE)
        self._stack.callback(self._h5.close)
        self.header = EnsembleHeader.read(self._h5)
        numbers = {}
        for key in ("complete", "n_stars", "committed_stars", "committed_observations"):
            if key not in self._h5.attrs:
                raise EnsembleError(f"root attribute {key} is missing")
            numbers[key] = int(self._h5.attrs[key])
        self.complete = bool(numbers["complete"])
        self.n_planned = numbers["n_stars"]
        self._n, self.n_observations = numbers["committed_stars"], numbers["committed_observations"]
        if not self.complete and not allow_incomplete:
            raise IncompleteEnsembleError(
                f"it was not finished: {self._n} of {self.n_planned} stars are there; run the same command "
                "with --resume to finish it, or open it with allow_incomplete=True"
            )
        if "shards" in self._h5:
            self._sharded = ShardedRows(self.path, self._h5)
            self._stack.callback(self._sharded.close)
            self.shards = tuple(self.path.parent / name for name in self._sharded.names)
        self._check()

    def _check(self) -> None:
        """Refuse a file whose parts do not fit each other."""
        for group in ("stars", "observations"):
            if not isinstance(self._h5.get(group), h5py.Group):
                raise EnsembleError(f"group /{group} is missing")
        stars, observations = self._h5["stars"], self._h5["observations"]
        self.column_names = column_order(set(stars) - {"offset"})
        if self._n == 0 and not len(stars):
            self._band_names, self._band_map = (), np.zeros(0, np.uint8)
            return
        expected = [(stars, name, self._n) for name in {*_REQUIRED[:1], *self.column_names}]
        expected += [
            (stars, "offset", self._n + 1),
            *((observations, name, self.n_observations) for name in OBSERVATIONS),
            *((observations, name, self.n_observations) for name in OPTIONAL if name in observations),
        ]
        for group, name, rows in expected:
            dataset = group.get(name)
            if not isinstance(dataset, h5py.Dataset) or dataset.ndim != 1:
                raise EnsembleError(f"column {group.name}/{name} is missing")
            if dataset.shape[0] != rows if self.complete else dataset.shape[0] < rows:
                raise EnsembleError(f"column {group.name}/{name} has {dataset.shape[0]} rows instead of {rows}")
        if self.complete and self._n != self.n_planned:
            raise EnsembleError(f"it has {self._n} stars, {self.n_planned} were announced")
        self._check_offsets(stars["offset"])
        names = observations["band"].attrs.get("names")
        counts = observations["band"].attrs.get("counts")
        if names is None or counts is None or len(names) != len(counts):
            raise EnsembleError("column /observations/band lacks its attributes names and counts")
        used = np.flatnonzero(counts)
        self._band_names = tuple(str(names[k]) for k in used)
        self._band_map = np.full(256, 255, dtype=np.uint8)
        self._band_map[used] = np.arange(used.size)

        sharded = self._sharded
        if sharded is not None and (sharded.shape("stars/"), sharded.shape("observations/")) != (
            self._n,
            self.n_observations,
        ):
            raise EnsembleError("the shards do not make up the stars that are announced")

    def _check_offsets(self, offset: Any) -> None:
        last = 0
        for start in range(0, self._n + 1, _STEP):
            part = offset[start : min(start + _STEP, self._n + 1)]
            if (start == 0 and part[0] != 0) or part[0] < last or np.any(np.diff(part) < 0):
                raise EnsembleError("offsets are inconsistent: they must start at 0 and not decrease")
            last = int(part[-1])
        if last != self.n_observations:
            raise EnsembleError(f"offsets are inconsistent: they end at {last}, there are {self.n_observations} rows")

    # -- what is in it -----------------------------------------------------------------------------

    def __len__(self) -> int:
        return self._n

    def __repr__(self) -> str:
        state = "" if self.complete else f" of {self.n_planned}, incomplete"
        return f"<Ensemble {self.path}: {self._n} stars{state}, {self.n_observations} observations>"

    @property
    def band_names(self) -> tuple[str, ...]:
        """The passbands that occur."""
        return self._band_names

    @cached_property
    def stars(self) -> Table:
        """One row a star, as an astropy Table with units."""
        return table_of(self.columns())

    @cached_property
    def classes(self) -> dict[str, int]:
        """Number of stars of each class."""
        if "class" not in self.column_names:
            return {}
        out: dict[str, int] = {}
        for start in range(0, self._n, _STEP // 8):  # memory must not grow with the number of stars
            part = self.columns(["class"], start, start + _STEP // 8)["class"]
            for name, count in zip(*np.unique(part, return_counts=True), strict=True):
                out[str(name)] = out.get(str(name), 0) + int(count)
        return dict(sorted(out.items()))

    def columns(
        self, names: Sequence[str] | None = None, start: int = 0, stop: int | None = None
    ) -> dict[str, NDArray]:
        """Columns of the stars `start` to `stop`, as arrays.

        Parameters
        ----------
        names : sequence of str, optional
            Which columns; all by default.
        start, stop : int
            Which stars; all by default.

        Raises
        ------
        InputError
            If there is no column of that name.
        """
        names = self.column_names if names is None else names
        for name in names:
            if name not in self.column_names:
                raise InputError(f"{self.path} has no column {name!r}; there are: {', '.join(self.column_names)}")
        start, stop, _ = slice(start, stop).indices(self._n)
        with _explained(self.path):
            return decode({name: self.rows(f"stars/{name}", start, max(start, stop)) for name in names})

    @overload
    def __getitem__(self, index: int) -> LightCurve: ...
    @overload
    def __getitem__(self, index: slice) -> LightCurves: ...
    def __getitem__(self, index: int | slice) -> LightCurve | LightCurves:
        if isinstance(index, slice):
            start, stop, step = index.indices(self._n)
            if step == 1:
                return self._read(start, max(start, stop))
            wanted = range(start, stop, step)
            if not len(wanted):
                return self._read(0, 0)
            low, high = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1])
            return self._read(low, high + 1).take(np.asarray(wanted) - low)
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
            raise InputError(f"an ensemble is indexed by a whole number or a slice, received {index!r}")
        i = int(index) + (self._n if index < 0 else 0)
        if not 0 <= i < self._n:
            raise IndexError(f"star {index} of {self._n}")
        return self._read(i, i + 1)[0]

    def __iter__(self) -> Iterator[LightCurve]:
        return (star for block in self.iter_blocks() for star in block)

    def iter_blocks(self, n_stars: int = 1000) -> Iterator[LightCurves]:
        """All stars in order, `n_stars` at a time."""
        if n_stars < 1:
            raise InputError(f"a block needs at least one star, received {n_stars}")
        return (self._read(start, min(start + n_stars, self._n)) for start in range(0, self._n, n_stars))

    def _read(self, start: int, stop: int) -> LightCurves:
        with _explained(self.path):
            stars, group = self._group("stars"), self._group("observations")
            columns = decode({name: self.rows(f"stars/{name}", start, stop) for name in self.column_names})
            offset = stars["offset"][start : stop + 1] if "offset" in stars else np.zeros(1, np.int64)
            low, high = int(offset[0]), int(offset[-1])
            rows = {
                name: self.rows(f"observations/{name}", low, high) if name in group else np.zeros(0, kind)
                for name, (kind, _, _) in OBSERVATIONS.items()
            }
            detected = self.rows("observations/detected", low, high).astype(np.bool_) if "detected" in group else None
            band = self._band_map[rows["band"]] if high > low else rows["band"]
            if high > low and band.max() == 255:
                raise EnsembleError("a band index has no name in the attribute names")
        return LightCurves(
            offsets=offset - low,
            mjd=rows["mjd"],
            mag=rows["mag"],
            mag_err=rows["mag_err"],
            band_index=band,
            band_names=self._band_names,
            columns=columns,
            meta={"path": str(self.path), "generator": self.header.generator, "cadence": self.header.cadence},
            measured_flux=rows["flux"],
            measured_flux_err=rows["flux_err"],
            detected=detected,
        )

    def rows(self, name: str, start: int, stop: int) -> NDArray:
        """Rows `start` to `stop` of a dataset, as stored.

        From the shards where there are any: a virtual dataset hides that a file is damaged.

        Parameters
        ----------
        name : str
            Such as ``observations/mag`` or ``stars/period``.
        start, stop : int

        Raises
        ------
        EnsembleError
            If the file is closed, or a shard is missing or damaged.
        """
        if not self._h5:
            raise EnsembleError("it is closed")
        dataset = self._h5[name]
        if self._sharded is None or name == "stars/offset":
            return dataset[start:stop]
        return self._sharded.rows(name, dataset.dtype, start, stop)

    def _group(self, name: str) -> Any:
        if not self._h5:
            raise EnsembleError("it is closed")
        return self._h5[name]

    def close(self) -> None:
        """Close the file."""
        self._stack.close()

    def __enter__(self) -> Ensemble:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_ensemble(path: str | os.PathLike[str], *, allow_incomplete: bool = False) -> Ensemble:
    """Open an ensemble file for reading.

    Parameters
    ----------
    path : path-like
        The file. Where it is not there, the partial file of an interrupted run is looked for.
    allow_incomplete : bool
        Read the stars of a file that was not finished, as far as they go.

    Raises
    ------
    IncompleteEnsembleError
        If the file was not finished, unless `allow_incomplete`.
    EnsembleError
        If it cannot be read: not there, truncated, damaged, not an ensemble, or of a newer format.

    Examples
    --------
    >>> with open_ensemble("ensemble.h5") as ensemble:      # doctest: +SKIP
    ...     print(len(ensemble), ensemble.classes)
    ...     star = ensemble[0]
    ...     for block in ensemble.iter_blocks(1000):
    ...         use(block.mjd, block.mag, block.offsets)
    """
    return Ensemble(locate(path), allow_incomplete=allow_incomplete)


def locate(path: str | os.PathLike[str]) -> Path:
    """The file that holds the ensemble `path`: it, or the partial file of an interrupted run."""
    path = Path(path)
    if path.exists():
        if path.is_dir():
            raise EnsembleError(f"{path}: it is a folder")
        return path
    partial = partial_path(path)
    if not partial.exists():
        if shard_folder(path).is_dir():
            raise IncompleteEnsembleError(
                f"{path}: it was not finished: there are shards in {shard_folder(path)}, but no master file; run the "
                "same command with --resume to finish it; each shard can be opened by itself"
            )
        raise EnsembleError(f"{path}: there is no such file")
    return partial


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Errors that name the file and say what is wrong in words."""
    try:
        yield
    except EnsembleError as error:
        raise type(error)(f"{path}: {error}") from error.__cause__
    except (OSError, RuntimeError, ValueError, KeyError, UnicodeDecodeError) as error:
        text = str(error)
        if path.exists() and path.stat().st_size == 0:
            reason = "it is empty"
        elif "truncated file" in text:
            reason = "it is truncated: the end is missing"
        elif "signature not found" in text:
            reason = "it is not an HDF5 file"
        elif isinstance(error, PermissionError):
            reason = "no permission to read it"
        else:
            reason = f"it is damaged or cannot be read ({text})"
        raise EnsembleError(f"{path}: {reason}") from error
