"""Writing of ensemble files: block by block, resumable, never in place of a good file before it is whole."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import h5py
import numpy as np

from ..errors import EnsembleError, InputError
from ..lightcurve import LightCurves
from ._datasets import chunk_rows, create_datasets, filters_of, plain_dtype, update_statistics, widen_text
from ._interrupts import deferred_interrupts
from ._journal import JournalledFile, disk_errors, sync_folder
from ._layout import OPTIONAL, Block
from .header import EnsembleHeader

__all__ = ["DEFAULT_CHUNK", "DEFAULT_STAR_CHUNK", "Compression", "EnsembleWriter", "partial_path"]

_log = logging.getLogger(__name__)

Compression = Literal["gzip", "lzf"] | None
"""How the datasets are compressed, after byte shuffling."""

DEFAULT_CHUNK = 65536
"""Rows of a chunk of the observations: 512 KiB of times, 256 KiB of magnitudes."""

DEFAULT_STAR_CHUNK = 16384
"""Rows of a chunk of the stars, and the largest number of stars between two commits."""


def partial_path(path: str | os.PathLike[str]) -> Path:
    """Where the ensemble file `path` is written until it is finished."""
    path = Path(path)
    return path if path.name.endswith(".partial") else path.with_name(path.name + ".partial")


class EnsembleWriter:
    """Writes an ensemble file, as a context manager.

    The file grows as ``<path>.partial`` and takes its name when it is finished. Whatever happens before then,
    be it an exception, a full disk or ``kill -9``, the partial file stands at its last commit, from which a
    run with ``resume=True`` goes on; a file that had the name before stays as it was.

    Parameters
    ----------
    path : path-like
        The file to write.
    header : EnsembleHeader
        Where the stars come from.
    n_stars : int
        How many stars the file will have.
    compression : {"gzip", "lzf"} or None
        gzip can be read by every HDF5 library; lzf is faster to write, but only h5py brings it along.
    compression_level : int
        For gzip, 1 (fast) to 9 (small).
    observation_chunk, star_chunk : int
        Rows of a chunk.
    commit_rows : int
        Observations between two commits, at least; what a kill can cost at most, apart from blocks not yet
        appended.
    resume : bool
        Go on where an interrupted run with the same header stopped; start anew where there is nothing to go
        on with.
    overwrite : bool
        Replace an existing file, at the end, and start anew where an interrupted run left a partial one.

    Raises
    ------
    InputError
        If an argument is wrong.
    EnsembleError
        If the file exists, if an interrupted run is there and `resume` was not asked for, if that run was
        another one, if another process is writing the same file, or if the disk refuses.

    Notes
    -----
    The bytes of the datasets depend on the stars alone, not on the size of the blocks they came in.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        header: EnsembleHeader,
        n_stars: int,
        compression: Compression = "gzip",
        compression_level: int = 1,
        observation_chunk: int = DEFAULT_CHUNK,
        star_chunk: int = DEFAULT_STAR_CHUNK,
        commit_rows: int = 16 * DEFAULT_CHUNK,
        resume: bool = False,
        overwrite: bool = False,
    ) -> None:
        if isinstance(n_stars, bool) or not isinstance(n_stars, (int, np.integer)) or n_stars < 0:
            raise InputError(f"n_stars must be a whole number, not negative; received {n_stars!r}")
        for name, value in (("observation_chunk", observation_chunk), ("star_chunk", star_chunk)):
            if not 1 <= value <= 2**24:
                raise InputError(f"{name} must lie in [1, 2^24], received {value}")
        if commit_rows < 1:
            raise InputError(f"commit_rows must be positive, received {commit_rows}")
        self.path = Path(path)
        if self.path.name.endswith(".partial"):
            raise InputError(f"{self.path}: give the name of the finished file, without .partial")
        self.header = header
        self.n_stars = int(n_stars)
        self._filters = filters_of(compression, compression_level)
        self._chunk, self._star_chunk = observation_chunk, star_chunk
        self._commit_rows = max(commit_rows, observation_chunk)
        self._overwrite = overwrite
        self._partial = partial_path(self.path)
        self._pending: list[Block] = []
        self._pending_stars = self._pending_rows = 0
        self._committed_stars = self._committed_rows = self._written_rows = 0
        self._kinds: dict[str, np.dtype] = {}
        self._optional: frozenset[str] | None = None
        self._last_id: int | None = None
        self._open = False
        self._h5: Any = None

        if not self.path.parent.is_dir():
            raise EnsembleError(f"{self.path}: the folder {self.path.parent} does not exist")
        if self.path.is_dir():
            raise EnsembleError(f"{self.path} is a folder")
        self._refuse_existing()
        with disk_errors(self._partial, "cannot be opened for writing"):
            self._file = JournalledFile(self._partial, writable=True)
        try:
            self._begin(resume=resume, overwrite=overwrite)
        except BaseException:
            self._release()
            self._file.close()
            raise
        self._open = True

    # -- the public part ---------------------------------------------------------------------------

    @property
    def n_appended(self) -> int:
        """Stars received so far, those of an interrupted run included: the next star to append has this
        number."""
        return self._committed_stars + self._pending_stars

    @property
    def n_committed(self) -> int:
        """Stars that are safe on the disk."""
        return self._committed_stars

    def append(self, lightcurves: LightCurves) -> None:
        """Add a block of stars.

        Parameters
        ----------
        lightcurves : LightCurves
            With a column ``star_id`` of whole numbers that increase from star to star and from block to
            block. All blocks of a file have the same columns.

        Raises
        ------
        InputError
            If the block cannot be stored or does not fit those before it; the file is unchanged.
        EnsembleError
            If the disk refuses, or the writer is closed.
        """
        self._require_open()
        block = Block.of(lightcurves)
        if not block.n_stars:
            return
        self._check(block)
        self._kinds = self._kinds or {k: v.dtype for k, v in block.columns.items()}
        self._optional = block.optional
        self._last_id = int(block.columns["star_id"][-1])
        self._pending.append(block)
        self._pending_stars += block.n_stars
        self._pending_rows += block.n_obs
        while self._pending_stars >= self._star_chunk or self._committed_rows + self._pending_rows >= self._target:
            self._write_some()

    def close(self) -> None:
        """Finish the file and give it its name.

        Raises
        ------
        EnsembleError
            If stars are missing, or the disk refuses. What came is then kept in the partial file.
        """
        self._require_open()
        if self.n_appended != self.n_stars:
            missing = f"{self.n_appended} of {self.n_stars} stars were appended"
            self._abandon()
            raise EnsembleError(f"{self.path} is not finished: {missing}; they are kept in {self._partial}")
        try:
            self._write_all()
            with self._saving():
                self._h5.attrs.modify("complete", np.bool_(True))
                self._h5.close()
                self._file.commit()
            self._refuse_existing()
            with disk_errors(self.path, "cannot be given its name"):
                os.replace(self._partial, self.path)
                self._file.remove_journal()
                sync_folder(self.path.parent)
        except BaseException:
            self._abandon()
            raise
        self._open = False
        self._file.close()

    def __enter__(self) -> EnsembleWriter:
        self._require_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._open:
            return
        if kind is None:
            self.close()
        else:
            self._abandon()

    # -- inner workings ----------------------------------------------------------------------------

    def _refuse_existing(self) -> None:
        if self.path.exists() and not self._overwrite:
            raise EnsembleError(f"{self.path} exists; choose another name, or overwrite it (overwrite=True)")

    def _require_open(self) -> None:
        if not self._open:
            raise EnsembleError(f"{self.path}: the writer is closed")

    def _begin(self, *, resume: bool, overwrite: bool) -> None:
        if self._file.size and not resume:
            if not overwrite:
                raise EnsembleError(
                    f"{self._partial} was left by an interrupted run; go on with it (resume=True) "
                    "or start anew (overwrite=True)"
                )
            self._file.clear()
        if self._file.size:
            with deferred_interrupts():
                self._resume()
        else:
            with self._saving():
                # the metadata of the oldest format: readable everywhere, and no flag that outlives a killed
                # writer
                self._h5 = h5py.File(self._file, "w", libver=("earliest", "v108"))
                self.header.write(self._h5)
                self._h5.attrs["n_stars"] = np.int64(self.n_stars)
                self._h5.attrs["committed_stars"] = np.int64(0)
                self._h5.attrs["committed_observations"] = np.int64(0)
                self._h5.attrs["complete"] = np.bool_(False)
                self._h5.create_group("stars")
                self._h5.create_group("observations")
                self._h5.flush()
                self._file.commit()

    def _resume(self) -> None:
        hint = "start anew with overwrite=True and resume=False"
        try:
            self._h5 = h5py.File(self._file, "r+", libver=("earliest", "v108"))
            found = EnsembleHeader.read(self._h5)
            planned, stars, rows = (
                int(self._h5.attrs[k]) for k in ("n_stars", "committed_stars", "committed_observations")
            )
        except EnsembleError as error:
            raise EnsembleError(f"{self._partial} cannot be resumed: {error}; {hint}") from None
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise EnsembleError(f"{self._partial} is damaged and cannot be resumed ({error}); {hint}") from None
        try:
            differences = found.differences(self.header)
            if planned != self.n_stars:
                differences.append(f"n_stars was {planned}, is now {self.n_stars}")
            if differences:
                raise EnsembleError(f"{self._partial} is of another run: {'; '.join(differences)}; {hint}")
            with disk_errors(self._partial, "is damaged and cannot be resumed"):
                self._truncate(stars, rows)
        except BaseException:
            self._h5.close()
            raise
        # a resumed run is still the run that began then, by that command
        self.header = found
        _log.info("%s: resumed at star %d of %d", self._partial, stars, planned)

    def _truncate(self, stars: int, rows: int) -> None:
        """Drop what lies beyond the last commit: rows of a star that was not whole yet."""
        columns = self._h5["stars"]
        if len(columns):
            for name, dataset in columns.items():
                dataset.resize((stars + (name == "offset"),))
            for dataset in self._h5["observations"].values():
                dataset.resize((rows,))
            self._kinds = {k: plain_dtype(d.dtype) for k, d in columns.items() if k != "offset"}
            self._optional = frozenset(OPTIONAL).intersection(self._h5["observations"])
            if stars:
                self._last_id = int(columns["star_id"][stars - 1])
                if int(columns["offset"][stars]) != rows:
                    raise ValueError("offsets do not fit the number of observations")
        self._committed_stars, self._committed_rows, self._written_rows = stars, rows, rows

    def _check(self, block: Block) -> None:
        if self.n_appended + block.n_stars > self.n_stars:
            raise InputError(
                f"{self.path}: {self.n_stars} stars were announced, {self.n_appended} are there, "
                f"a block of {block.n_stars} is too many"
            )
        ids = block.columns["star_id"]
        before = ids[:1] - 1 if self._last_id is None else np.array([self._last_id])
        if np.any(np.diff(np.concatenate([before, ids])) <= 0):
            raise InputError(f"{self.path}: star_id must increase from star to star and from block to block")
        misfit = block.misfit(self._kinds, self._optional)
        if misfit:
            raise InputError(f"{self.path}: {misfit}; all blocks need the same columns")

    @property
    def _target(self) -> int:
        """The row up to which observations are written next: always whole chunks, each compressed once."""
        return (self._written_rows + self._commit_rows) // self._chunk * self._chunk

    def _write_some(self) -> None:
        """One commit. Where it falls depends on the stars alone, not on the blocks they came in."""
        block = Block.join(self._pending)
        ends = block.ends + self._committed_rows
        target = self._target
        crossing = int(np.searchsorted(ends, target))
        if crossing < min(self._star_chunk, block.n_stars):
            self._write(block, crossing + int(ends[crossing] == target), target)
        else:
            self._write(block, self._star_chunk, int(ends[self._star_chunk - 1]))

    def _write_all(self) -> None:
        """Commit whatever there is."""
        if self._pending:
            block = Block.join(self._pending)
            self._write(block, block.n_stars, self._committed_rows + block.n_obs)

    def _write(self, block: Block, n: int, rows_to: int) -> None:
        """Write the observations up to row `rows_to` and commit the first `n` stars of what is pending."""
        stars, rows = self._committed_stars, self._committed_rows
        now = int(block.ends[n - 1]) if n else 0
        with self._saving():
            if "offset" not in self._h5["stars"]:
                # where all stars are here already, chunks need not be larger than what they hold
                planned = block.n_obs if self.n_appended == self.n_stars else None
                chunks = chunk_rows(self._chunk, planned), chunk_rows(self._star_chunk, self.n_stars)
                create_datasets(self._h5, block, chunks, self._filters)
            for name, values in block.observations.items():
                dataset = self._h5["observations"][name]
                dataset.resize((rows_to,))
                dataset[self._written_rows : rows_to] = values[self._written_rows - rows : rows_to - rows]
            for name, values in block.columns.items():
                dataset = self._h5["stars"][name]
                if values.dtype.kind == "S" and values.dtype.itemsize > dataset.dtype.itemsize:
                    dataset = widen_text(self._h5, name, values, self._filters)
                dataset.resize((stars + n,))
                dataset[stars:] = values[:n].astype(dataset.dtype)
            offset = self._h5["stars"]["offset"]
            offset.resize((stars + n + 1,))
            offset[stars + 1 :] = block.ends[:n] + rows
            update_statistics(self._h5, block, now)
            self._h5.attrs.modify("committed_stars", np.int64(stars + n))
            self._h5.attrs.modify("committed_observations", np.int64(rows + now))
            self._h5.flush()
            self._file.commit()
        _, rest = block.split(n)
        self._pending = [rest] if rest.n_stars else []
        self._pending_stars, self._pending_rows = rest.n_stars, rest.n_obs
        self._committed_stars, self._committed_rows, self._written_rows = stars + n, rows + now, rows_to

    @contextlib.contextmanager
    def _saving(self) -> Iterator[None]:
        """A stretch of writing: an error in it means that nothing after the last commit can be trusted."""
        with deferred_interrupts():
            try:
                yield
            except BaseException as error:
                cause = self._file.failure or error
                self._file.failure = cause
                if isinstance(cause, (OSError, RuntimeError, ValueError, KeyError)):
                    n = self._committed_stars
                    kept = f"; {n} stars are safe in {self._partial}" if n else ""
                    raise EnsembleError(f"{self.path} cannot be written: {cause}{kept}") from cause
                raise cause from None

    def _release(self) -> None:
        """Let HDF5 go of the file: one left open is closed at the interpreter's end, when its callbacks are gone."""
        if self._h5 is not None:
            with contextlib.suppress(OSError, RuntimeError, ValueError), deferred_interrupts():
                self._h5.close()

    def _abandon(self) -> None:
        """Keep what can be kept and let go, without hiding the error that led here."""
        self._open = False
        if self._file.failure is None:
            try:
                self._write_all()
            except EnsembleError as error:
                _log.warning("%s", error)
        self._release()
        if self._committed_stars == 0:
            with contextlib.suppress(OSError):
                os.unlink(self._partial)
                self._file.remove_journal()
        self._file.close()
