"""Shards written by the workers of a Dask cluster.

Every worker writes the pieces it is given into the shards itself, so that all of them need the folder of the ensemble
under the same name. Only numbers of stars go over the network. A task may be run again, and by any worker: what is on
the disk already is not made twice (:meth:`lcgen.ensemble.shards.ShardPlan.write`).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import EnsembleError, InputError, LcgenError, MissingExtraError
from .job import EnsembleGenerator
from .pool import load_for_worker
from .shards import ShardPlan

__all__ = ["DaskEngine"]

_CONNECT_SECONDS = 30
_LOCAL = threading.local()


def write_piece(plan: ShardPlan, make: Callable[[], EnsembleGenerator] | str, shard: int, until: int) -> int:
    """Write a piece of a shard in a Dask worker, whose threads each keep a generator; see :meth:`ShardPlan.write`."""
    loaded = getattr(_LOCAL, "generators", None)
    if loaded is None:
        loaded = _LOCAL.generators = {}
    if make not in loaded:
        loaded.clear()
        loaded[make] = load_for_worker(make)
    return plan.write(loaded[make], shard, until)


def _same(value: Any) -> Any:
    return value


@contextlib.contextmanager
def _cluster_errors() -> Iterator[None]:
    """Errors of lcgen in a worker as they are, those of the cluster as one that says what to do."""
    try:
        yield
    except LcgenError:
        raise
    except Exception as error:
        raise EnsembleError(
            f"the Dask cluster failed ({type(error).__name__}: {error}); what was written is kept, run again with "
            "resume"
        ) from error


class DaskEngine:
    """The workers of a Dask cluster, as a context manager.

    Parameters
    ----------
    plan : ShardPlan
    make : str or callable
        Where each worker loads its generator from, or what makes it.
    scheduler : str or distributed.Client
        Address of the scheduler, its scheduler file (``.json``), or a client of it, which is left open.
    retries : int
        How many times a piece is tried again that failed with an error or took its worker down.

    Raises
    ------
    MissingExtraError
        If Dask is not installed.
    InputError
        If `scheduler` is neither text nor a client.
    EnsembleError
        If no scheduler can be reached there.
    """

    def __init__(
        self, plan: ShardPlan, make: Callable[[], EnsembleGenerator] | str, *, scheduler: Any, retries: int
    ) -> None:
        try:
            import distributed
        except ImportError as error:
            raise MissingExtraError("distributed", "dask", "writing an ensemble on a cluster") from error
        self._distributed = distributed
        self._own = isinstance(scheduler, str)
        self._client = self._connect(scheduler) if self._own else scheduler
        if not isinstance(self._client, distributed.Client):
            raise InputError(f"scheduler must be an address or a distributed.Client, received {scheduler!r:.80}")
        self._make, self._retries = make, retries
        # kept by the scheduler as a task, so that it survives the worker that holds it
        self._plan = self._client.submit(_same, plan, pure=False)
        self.slots = plan.n_shards

    def _connect(self, address: str) -> Any:
        if address.endswith(".json") and not Path(address).is_file():  # Dask would wait for it for ever
            raise EnsembleError(f"no Dask scheduler can be reached at {address}: there is no such file")
        where: dict[str, Any] = {"scheduler_file": address} if address.endswith(".json") else {"address": address}
        try:
            return self._distributed.Client(**where, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise EnsembleError(f"no Dask scheduler can be reached at {address}: {error}") from error

    def submit(self, shard: int, until: int) -> Any:
        """Begin to write a piece; shards that come first are finished first."""
        return self._client.submit(
            write_piece, self._plan, self._make, shard, until, pure=False, retries=self._retries, priority=-shard
        )

    def first_done(self, futures: Iterable[Any]) -> Iterable[Any]:
        """Those that have ended, once there are any."""
        with self._client.as_current(), _cluster_errors():
            ended: Any = self._distributed.wait(list(futures), return_when="FIRST_COMPLETED")
        return ended.done

    def result(self, future: Any) -> int | None:
        """Stars of the shard that are safe.

        Raises
        ------
        EnsembleError
            If workers died or were lost too often.
        LcgenError
            What the worker raised.
        """
        with _cluster_errors():
            return future.result()

    def __enter__(self) -> DaskEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._plan
        if self._own:
            self._client.close()
