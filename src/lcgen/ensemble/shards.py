"""An ensemble in several files: which stars go where, and how a part of a file is written by anyone at any time.

A sharded ensemble ``e.h5`` is a folder ``e.h5.shards`` with one complete ensemble file a shard, and the master file
``e.h5`` (:mod:`lcgen.ensemble.master`) that shows them as one. A shard is written in pieces. Writing a piece twice
does nothing the second time, so whoever coordinates the work may repeat what got lost.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import EnsembleError, InputError
from ._journal import BusyError, disk_errors, locked, sync_folder
from .header import RUN_ATTRIBUTES, EnsembleHeader
from .job import EnsembleGenerator, EnsembleJob
from .master import shard_folder, shard_names
from .reader import Ensemble
from .writer import Compression, EnsembleWriter, partial_path

__all__ = ["ShardPlan", "discard_shards", "header_tag", "prepare_folder", "refuse_shards", "shard_bounds"]

_log = logging.getLogger(__name__)

_SHARD = re.compile(r"shard-(\d+)-of-(\d+)-([0-9a-f]{12}[ab])\.h5(\.partial(\.journal)?)?")
_BATCHES = 32
"""Batches of a piece: with 500 stars a batch close to the 16,384 stars of a chunk, a minute of work."""


class _Pause(Exception):
    """Leaves a writer that is not at the end: what it has is committed and kept."""


def shard_bounds(n_stars: int, n_shards: int) -> NDArray[np.int64]:
    """Numbers of the first star of each shard, and of all stars; shards differ by one star at most.

    Returns
    -------
    ndarray of int64, shape (n_shards + 1,)

    Raises
    ------
    InputError
        If the number of shards is not a whole number from 1 to that of the stars.

    Examples
    --------
    >>> shard_bounds(10, 4)
    array([ 0,  2,  5,  7, 10])
    """
    if isinstance(n_shards, bool) or not isinstance(n_shards, int) or not 1 <= n_shards <= n_stars:
        raise InputError(f"shards must be a whole number from 1 to the number of stars, {n_stars}; got {n_shards!r}")
    return np.array([k * n_stars // n_shards for k in range(n_shards + 1)], dtype=np.int64)


def header_tag(header: EnsembleHeader, n_shards: int) -> str:
    """A short hash of everything that decides the content of the shards; part of their names."""
    content = {k: v for k, v in asdict(header).items() if k not in RUN_ATTRIBUTES}
    return hashlib.sha256(json.dumps([content, n_shards], sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True, kw_only=True, eq=False)
class ShardPlan:
    """What the shards of an ensemble are and how each is made; small enough to be sent to other machines.

    Attributes
    ----------
    path : pathlib.Path
        The master file.
    job : EnsembleJob
        How stars are made.
    header : EnsembleHeader
        Of the whole ensemble.
    n_shards : int
    batch_size : int
        Stars drawn at once.
    compression : {"gzip", "lzf"} or None
    turn : {"a", "b"}
        Part of the names of the shards: a run that replaces another with equal content takes the other letter, so
        that the old files stay until the new ones are whole.
    patience : float
        How long to wait for another writer of the same shard [s]: a worker that was given up for lost may still be
        at the end of its piece.
    """

    path: Path
    job: EnsembleJob
    header: EnsembleHeader
    n_shards: int
    batch_size: int = 500
    compression: Compression = "gzip"
    turn: str = "a"
    patience: float = 300.0

    @cached_property
    def bounds(self) -> NDArray[np.int64]:
        """As of :func:`shard_bounds`."""
        return shard_bounds(self.job.n_stars, self.n_shards)

    @property
    def folder(self) -> Path:
        """Where the shards are."""
        return shard_folder(self.path)

    @cached_property
    def tag(self) -> str:
        """What the names of the shards end with: :func:`header_tag`, and the turn."""
        return header_tag(self.header, self.n_shards) + self.turn

    def shard_path(self, shard: int) -> Path:
        """The file of a shard."""
        width = max(5, len(str(self.n_shards)))
        return self.folder / f"shard-{shard:0{width}d}-of-{self.n_shards:0{width}d}-{self.tag}.h5"

    def shard_header(self, shard: int) -> EnsembleHeader:
        """What a shard says about itself: all that the ensemble does, and which part it is."""
        first, last = (int(b) for b in self.bounds[shard : shard + 2])
        part = {"number": shard, "of": self.n_shards, "first": first, "stars": last - first}
        return replace(self.header, provenance={**self.header.provenance, "shard": part})

    def piece_end(self, shard: int, done: int) -> int:
        """Up to which of its stars a shard of which `done` are there is written next."""
        piece = _BATCHES * self.batch_size
        size = int(self.bounds[shard + 1] - self.bounds[shard])
        return min(size, (done // piece + 1) * piece)

    def is_finished(self, shard: int) -> bool:
        """Whether the file of a shard is complete.

        Raises
        ------
        EnsembleError
            If it cannot be read, or is of another run.
        """
        path = self.shard_path(shard)
        if not path.exists():
            return False
        try:
            with Ensemble(path) as ensemble:
                differences = ensemble.header.differences(self.shard_header(shard))
        except EnsembleError as error:
            raise EnsembleError(f"{error}; remove this file and resume: it will be made again") from error
        if differences:
            raise EnsembleError(f"{path} exists and is of another run: {'; '.join(differences)}")
        return True

    def stars_done(self, shard: int) -> int:
        """How many stars of a shard are on the disk; all of them only where its file has its name."""
        size = int(self.bounds[shard + 1] - self.bounds[shard])
        if self.is_finished(shard):
            return size
        partial = partial_path(self.shard_path(shard))
        with contextlib.suppress(EnsembleError), Ensemble(partial, allow_incomplete=True) as ensemble:
            return min(len(ensemble), size - 1)  # a run may have been killed just before it gave the file its name
        return 0

    def write(self, generator: EnsembleGenerator, shard: int, until: int, stopped: Callable[[], bool] = bool) -> int:
        """Bring a shard to at least `until` stars; where they are there already, nothing is done.

        Parameters
        ----------
        generator : EnsembleGenerator
        shard : int
        until : int
            Stars of this shard; its file gets its name when all are there.
        stopped : callable
            Asked before each batch; when it says so, what is there is kept and the function returns.

        Returns
        -------
        int
            Stars of the shard that are on the disk.

        Raises
        ------
        EnsembleError
            If the file cannot be written, another process keeps writing it, or the generator or the version of
            lcgen is not the one of the plan.
        """
        self._check_maker(generator)
        deadline = time.monotonic() + self.patience
        while True:
            try:
                return self._write(generator, shard, until, stopped)
            except BusyError:
                if time.monotonic() > deadline or stopped():
                    raise
                _log.info("%s is being written by another process; waiting for it", self.shard_path(shard))
                time.sleep(min(1.0, self.patience / 10))

    def _write(self, generator: EnsembleGenerator, shard: int, until: int, stopped: Callable[[], bool]) -> int:
        first, last = (int(b) for b in self.bounds[shard : shard + 2])
        if self.is_finished(shard):
            return last - first
        writer = EnsembleWriter(
            self.shard_path(shard),
            header=self.shard_header(shard),
            n_stars=last - first,
            compression=self.compression,
            resume=True,
        )
        with contextlib.suppress(_Pause), writer:
            while writer.n_appended < last - first:
                if writer.n_appended >= until or stopped():
                    raise _Pause
                start = first + writer.n_appended
                block = self.job.block(generator, start, min(start + self.batch_size, last))
                writer.append(block.as_lightcurves())
        if writer.n_committed < min(until, last - first) and not stopped():
            raise EnsembleError(
                f"{self.shard_path(shard)} cannot be written further: {writer.n_committed} of {last - first} stars "
                "are safe; is the disk full?"
            )
        return writer.n_committed

    def _check_maker(self, generator: EnsembleGenerator) -> None:
        """Refuse a worker that would make other stars."""
        from .. import __version__

        if str(generator.sha256) != self.header.checkpoint_sha256:
            raise EnsembleError(
                f"the generator of this worker has weights {generator.sha256!s:.12}..., "
                f"the ensemble was planned with {self.header.checkpoint_sha256:.12}..."
            )
        if __version__ != self.header.lcgen_version:
            raise EnsembleError(
                f"this worker has lcgen {__version__}, the ensemble was planned with {self.header.lcgen_version}"
            )


def _files(path: Path) -> list[Path]:
    """Shards that lie beside the master file `path`, finished or not, of whatever run."""
    folder = shard_folder(path)
    return sorted(p for p in folder.iterdir() if _SHARD.fullmatch(p.name)) if folder.is_dir() else []


def _own(plan: ShardPlan, path: Path) -> bool:
    found = _SHARD.fullmatch(path.name)
    return found is not None and found[3] == plan.tag


@contextlib.contextmanager
def prepare_folder(plan: ShardPlan, *, resume: bool, overwrite: bool) -> Iterator[ShardPlan]:
    """The folder of the shards, made and locked; the plan with the turn that is free.

    Raises
    ------
    EnsembleError
        If another run is at work there, left something that is neither to be resumed nor to be replaced, or the
        disk refuses.
    """
    if not plan.path.parent.is_dir():
        raise EnsembleError(f"{plan.path}: the folder {plan.path.parent} does not exist")
    if plan.path.is_dir():
        raise EnsembleError(f"{plan.path} is a folder")
    if plan.path.exists() and not overwrite and not resume:
        raise EnsembleError(f"{plan.path} exists; choose another name, or overwrite it (overwrite=True)")
    with disk_errors(plan.folder, "cannot be written to"):
        plan.folder.mkdir(exist_ok=True)
    lock = plan.folder / ".lock"
    with locked(lock):
        try:
            yield _with_free_turn(plan, resume=resume, overwrite=overwrite)
            lock.unlink(missing_ok=True)
        finally:
            # nothing is left of a run that failed before its first star
            if not _files(plan.path):
                with contextlib.suppress(OSError):
                    lock.unlink(missing_ok=True)
                    plan.folder.rmdir()


def _with_free_turn(plan: ShardPlan, *, resume: bool, overwrite: bool) -> ShardPlan:
    taken = {plan.path.parent / name for name in shard_names(plan.path)}
    if overwrite and plan.shard_path(0) in taken:
        plan = replace(plan, turn="b")
    if overwrite and not resume:
        for file in _files(plan.path):
            if _own(plan, file) and file not in taken:
                file.unlink()
        return plan
    left = [file for file in _files(plan.path) if file not in taken]
    foreign = [file for file in left if not _own(plan, file)]
    if foreign and not overwrite:
        raise EnsembleError(f"{plan.folder} holds shards of another run{_difference(plan, foreign[0])}; "
                            "choose another name, or replace them (overwrite=True)")  # fmt: skip
    if left and not resume:
        raise EnsembleError(
            f"{plan.folder} was left by an interrupted run; go on with it (resume=True) or start anew (overwrite=True)"
        )
    return plan


def _difference(plan: ShardPlan, foreign: Path) -> str:
    """How another run differs, as far as its shard tells."""
    found = _SHARD.fullmatch(foreign.name)
    if found is None:  # pragma: no cover - only shards come here
        return ""
    if int(found[2]) != plan.n_shards:
        return f": of {int(found[2])} shards, not {plan.n_shards}"
    with contextlib.suppress(EnsembleError), Ensemble(foreign, allow_incomplete=True) as ensemble:
        differences = ensemble.header.differences(plan.shard_header(int(found[1])))
        return f": {'; '.join(differences)}" * bool(differences)
    return ""


def refuse_shards(path: Path) -> None:
    """Say so where shards of an interrupted run lie beside a file that is to be written whole.

    Raises
    ------
    EnsembleError
    """
    taken = {path.parent / name for name in shard_names(path)}
    if any(file not in taken for file in _files(path)):
        raise EnsembleError(
            f"{shard_folder(path)} was left by an interrupted run with shards; go on with it (the same shards, "
            "resume=True), start anew (overwrite=True), or remove it"
        )


def discard_shards(path: Path, keep: frozenset[Path] = frozenset()) -> None:
    """Remove the shards beside `path` that its master file no longer names."""
    for file in _files(path):
        if file not in keep:
            with contextlib.suppress(OSError):
                file.unlink()
    folder = shard_folder(path)
    if not keep and folder.is_dir():
        with contextlib.suppress(OSError):  # where others have put files of their own
            os.rmdir(folder)
    sync_folder(path.parent)
