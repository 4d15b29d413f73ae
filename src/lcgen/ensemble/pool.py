"""Processes of this machine that make blocks of an ensemble, handed over in order, or write its shards themselves."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..errors import EnsembleError
from .job import EnsembleGenerator

if TYPE_CHECKING:  # pragma: no cover
    from .shards import ShardPlan

__all__ = ["BlockJob", "ProcessEngine", "blocks_from_workers", "load_for_worker"]

B = TypeVar("B", covariant=True)


class BlockJob(Protocol[B]):
    """Work on stars that is cut into blocks."""

    def block(self, generator: Any, start: int, stop: int) -> B:
        """What comes of stars number `start` to `stop`."""
        ...


@dataclass
class _Worker:
    """What a worker process knows."""

    job: Any
    make: Callable[[], EnsembleGenerator] | str
    stop: Any = None
    generator: EnsembleGenerator | None = None

    def ready(self) -> EnsembleGenerator:
        """The generator, loaded when it is first needed."""
        if self.generator is None:
            self.generator = load_for_worker(self.make)
        return self.generator


_WORKER: list[_Worker] = []


def _start(job: Any, make: Callable[[], EnsembleGenerator] | str, stop: Any = None) -> None:
    # an interrupt goes to the whole group of processes; the parent decides what it means
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _WORKER[:] = [_Worker(job=job, make=make, stop=stop)]
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """End when the parent does, even where it was killed and could not say so."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def load_for_worker(make: Callable[[], EnsembleGenerator] | str) -> EnsembleGenerator:
    """A generator for one of several workers of a machine: on one thread."""
    if not isinstance(make, str):
        return make()
    from .. import load_generator
    from ..generator import limit_threads

    limit_threads(1)
    return load_generator(make)


def _work(start: int, stop: int) -> Any:
    worker = _WORKER[0]
    return worker.job.block(worker.ready(), start, stop)


def _write(shard: int, until: int) -> int:
    worker = _WORKER[0]
    return worker.job.write(worker.ready(), shard, until, worker.stop.is_set)


def blocks_from_workers(
    job: BlockJob[B],
    make: Callable[[], EnsembleGenerator] | str,
    ranges: Iterable[tuple[int, int]],
    *,
    workers: int,
) -> Iterator[B]:
    """The blocks of stars of `ranges`, in that order.

    Parameters
    ----------
    job : BlockJob
    make : str or callable
        Where each worker loads its generator from, or what makes it.
    ranges : iterable of (start, stop)
    workers : int
        Number of processes. At most twice as many blocks are made or waiting at any time, so that memory
        stays flat.

    Raises
    ------
    EnsembleError
        If a worker process dies.
    LcgenError
        What a worker raised.
    """
    executor = ProcessPoolExecutor(
        max_workers=workers, mp_context=get_context("spawn"), initializer=_start, initargs=(job, make)
    )
    waiting: deque[Future[B]] = deque()
    try:
        for start, stop in ranges:
            waiting.append(executor.submit(_work, start, stop))
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise EnsembleError(
            "a worker process died (killed, out of memory, or the program starting the run lacks the usual "
            "if __name__ == '__main__'); run again with resume"
        ) from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


class ProcessEngine:
    """Processes of this machine that write pieces of shards, as a context manager.

    Parameters
    ----------
    plan : ShardPlan
    make : str or callable
        Where each worker loads its generator from, or what makes it.
    workers : int
        Number of processes.
    retries : int
        How many times processes that died are replaced.
    """

    def __init__(
        self, plan: ShardPlan, make: Callable[[], EnsembleGenerator] | str, *, workers: int, retries: int
    ) -> None:
        self._plan, self._make, self._retries = plan, make, retries
        self._context = get_context("spawn")
        self._stop = self._context.Event()
        self.slots = workers
        self._executor = self._new_executor()
        self._executor_of: dict[Future[int], ProcessPoolExecutor] = {}

    def _new_executor(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            max_workers=self.slots,
            mp_context=self._context,
            initializer=_start,
            initargs=(self._plan, self._make, self._stop),
        )

    def submit(self, shard: int, until: int) -> Future[int]:
        """Begin to write a piece; see :meth:`ShardPlan.write`."""
        future = self._executor.submit(_write, shard, until)
        self._executor_of[future] = self._executor
        return future

    def first_done(self, futures: Iterable[Future[int]]) -> Iterable[Future[int]]:
        """Those that have ended, once there are any."""
        return wait(futures, return_when=FIRST_COMPLETED).done

    def result(self, future: Future[int]) -> int | None:
        """Stars of the shard that are safe; None where the worker died and the piece has to be submitted again.

        Raises
        ------
        EnsembleError
            If workers died too often.
        LcgenError
            What the worker raised.
        """
        executor = self._executor_of.pop(future)
        try:
            return future.result()
        except BrokenProcessPool as error:
            if executor is self._executor:  # the first of several that went down with one pool
                if self._retries == 0:
                    raise EnsembleError(
                        "worker processes died too often (killed, out of memory, or the program starting the run lacks "
                        "the usual if __name__ == '__main__'); what was written is kept, run again with resume"
                    ) from error
                self._retries -= 1
                self._executor.shutdown(wait=True)
                self._executor = self._new_executor()
            return None

    def __enter__(self) -> ProcessEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._stop.set()  # workers keep what they have and come back after the batch at hand
        self._executor.shutdown(wait=True, cancel_futures=True)
