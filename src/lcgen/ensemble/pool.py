"""Blocks of an ensemble, made by processes of this machine and handed over in order."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from typing import Any, Protocol, TypeVar

from ..errors import EnsembleError
from .job import EnsembleGenerator

__all__ = ["BlockJob", "blocks_from_workers"]

B = TypeVar("B", covariant=True)


class BlockJob(Protocol[B]):
    """Work on stars that is cut into blocks."""

    def block(self, generator: Any, start: int, stop: int) -> B:
        """What comes of stars number `start` to `stop`."""
        ...


@dataclass
class _Worker:
    """What a worker process knows."""

    job: BlockJob[Any]
    make: Callable[[], EnsembleGenerator] | str
    generator: EnsembleGenerator | None = None


_WORKER: list[_Worker] = []


def _start(job: BlockJob[Any], make: Callable[[], EnsembleGenerator] | str) -> None:
    # an interrupt goes to the whole group of processes; the parent decides what it means
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _WORKER[:] = [_Worker(job=job, make=make)]
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """End when the parent does, even where it was killed and could not say so."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _load(source: str) -> EnsembleGenerator:
    from .. import load_generator
    from ..generator import limit_threads

    limit_threads(1)
    return load_generator(source)


def _work(start: int, stop: int) -> Any:
    worker = _WORKER[0]
    if worker.generator is None:
        worker.generator = _load(worker.make) if isinstance(worker.make, str) else worker.make()
    return worker.job.block(worker.generator, start, stop)


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
