"""Who writes the shards of an ensemble, and who sees to it that all get written."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..errors import EnsembleError, InputError
from .job import EnsembleGenerator
from .master import missing_shards, write_master
from .pool import ProcessEngine
from .reader import open_ensemble
from .shards import ShardPlan, discard_shards, prepare_folder

__all__ = ["Crew", "ShardEngine", "progress_bar", "write_shards"]


class ShardEngine(Protocol):
    """Workers that write pieces of shards, as a context manager.

    Attributes
    ----------
    slots : int
        How many pieces it wants at a time.
    """

    slots: int

    def submit(self, shard: int, until: int) -> Any:
        """Begin to bring a shard to `until` stars; what stands for the result."""
        ...

    def first_done(self, futures: Iterable[Any]) -> Iterable[Any]:
        """Those of `futures` that have ended, once there are any."""
        ...

    def result(self, future: Any) -> int | None:
        """Stars of the shard that are safe; None where the piece has to be submitted again."""
        ...

    def __enter__(self) -> Any: ...
    def __exit__(self, kind: Any, error: Any, trace: Any) -> None: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Crew:
    """Who writes the shards: this process, several of this machine, or the workers of a Dask scheduler.

    Attributes
    ----------
    generator : EnsembleGenerator
        For this process.
    make : str, path, callable or None
        What other processes load the generator from, or make it with.
    workers : int
        Processes of this machine.
    scheduler : str, distributed.Client or None
    retries : int
        How often work is taken up again after workers died.

    Raises
    ------
    InputError
        If both workers and a scheduler are given.
    """

    generator: EnsembleGenerator
    make: Any
    workers: int = 1
    scheduler: Any = None
    retries: int = 3

    def __post_init__(self) -> None:
        if self.scheduler is not None and self.workers != 1:
            raise InputError("give workers or a scheduler, not both: a scheduler has workers of its own")

    def engine(self, plan: ShardPlan) -> ShardEngine | None:
        """The engine; None for this process."""
        make: Any = self.make if callable(self.make) else str(self.make)
        if self.scheduler is not None:
            from .distributed import DaskEngine

            return DaskEngine(plan, make, scheduler=self.scheduler, retries=self.retries)
        if self.workers > 1:
            return ProcessEngine(plan, make, workers=self.workers, retries=self.retries)
        return None


def write_shards(plan: ShardPlan, crew: Crew, *, resume: bool, overwrite: bool, progress: bool | None) -> None:
    """Write all shards and the master file.

    Parameters
    ----------
    plan : ShardPlan
    crew : Crew
    resume, overwrite, progress
        As :func:`generate_ensemble` takes them. With `resume`, shards that a finished ensemble has lost are made again.

    Raises
    ------
    EnsembleError
        If the disk refuses, workers die too often, or files of another run are in the way. What was written is kept.
    """
    plan.bounds  # noqa: B018 - refuses a wrong number of shards before anything is made
    with prepare_folder(plan, resume=resume, overwrite=overwrite) as plan:
        if resume and not overwrite and plan.path.exists():
            _check_finished(plan)
            if not missing_shards(plan.path):
                return
        done = {shard: plan.stars_done(shard) for shard in range(plan.n_shards)}
        with progress_bar(plan.job.n_stars, sum(done.values()), progress) as bar:
            engine = crew.engine(plan)
            if engine is None:
                _write_here(plan, crew.generator, done, bar)
            else:
                with engine:
                    _write_with(engine, plan, done, bar)
        paths = [plan.shard_path(shard) for shard in range(plan.n_shards)]
        write_master(plan.path, paths, plan.header)
        discard_shards(plan.path, frozenset(paths))


def _check_finished(plan: ShardPlan) -> None:
    """Refuse a master file that is not of this run."""
    if missing_shards(plan.path):
        first = next((plan.shard_path(k) for k in range(plan.n_shards)), None)
        if first not in set(missing_shards(plan.path)) and first is not None and not first.exists():
            raise EnsembleError(f"{plan.path} exists and is of another run")
        return
    with open_ensemble(plan.path) as ensemble:
        differences = ensemble.header.differences(plan.header)
        if len(ensemble.shards) not in (0, plan.n_shards):
            differences.append(f"it has {len(ensemble.shards)} shards, not {plan.n_shards}")
    if differences:
        raise EnsembleError(f"{plan.path} exists and is of another run: {'; '.join(differences)}")


def _write_here(plan: ShardPlan, generator: EnsembleGenerator, done: dict[int, int], bar: Any) -> None:
    for shard, stars in done.items():
        size = int(plan.bounds[shard + 1] - plan.bounds[shard])
        while stars < size:
            before, stars = stars, plan.write(generator, shard, plan.piece_end(shard, stars))
            bar.update(stars - before)


def _write_with(engine: ShardEngine, plan: ShardPlan, done: dict[int, int], bar: Any) -> None:
    sizes = np.diff(plan.bounds).tolist()
    waiting = deque(shard for shard, stars in done.items() if stars < sizes[shard])
    active: dict[Any, int] = {}
    while waiting or active:
        while waiting and len(active) < engine.slots:
            shard = waiting.popleft()
            active[engine.submit(shard, plan.piece_end(shard, done[shard]))] = shard
        for future in engine.first_done(active):
            shard = active.pop(future)
            stars = engine.result(future)
            if stars is not None:
                bar.update(stars - done[shard])
                done[shard] = stars
            if done[shard] < sizes[shard]:
                waiting.appendleft(shard)  # a shard that was begun goes on before another begins


@contextlib.contextmanager
def progress_bar(total: int, done: int, progress: bool | None) -> Any:
    """A bar that counts stars, where stderr is a terminal or `progress` says so."""
    from tqdm import tqdm

    with tqdm(
        total=total, initial=done, unit="star", unit_scale=True, disable=None if progress is None else not progress
    ) as bar:
        yield bar
