"""Generators by reference: loaded when they are first needed, once a process, and never sent to another one."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcgen.errors import InputError, IntegrityError

if TYPE_CHECKING:
    from lcgen import LightCurveGenerator

__all__ = ["GeneratorRef"]

_LOADED: dict[tuple[str, str], LightCurveGenerator] = {}
_LIMITED: set[int] = set()


class GeneratorRef:
    """A generator, known by where it was loaded from.

    Parameters
    ----------
    generator : str, path-like, LightCurveGenerator or None
        As for :func:`lcgen.load_generator`, or a generator.

    Raises
    ------
    InputError
        If it is none of these.

    Examples
    --------
    >>> import pickle
    >>> len(pickle.dumps(GeneratorRef("periodic-vi-2"))) < 300
    True
    """

    def __init__(self, generator: str | os.PathLike[str] | LightCurveGenerator | None = None) -> None:
        self._given: LightCurveGenerator | None = None
        self._name: str | None = None
        self._sha256 = ""
        if isinstance(generator, (str, os.PathLike)):
            path = Path(generator)
            # a worker may stand in another folder
            self._name = str(path.resolve()) if path.is_dir() else os.fspath(generator)
        elif generator is not None:
            if not all(hasattr(generator, name) for name in ("draw", "decode", "bands", "source")):
                raise InputError(
                    "generator must be the name or folder of a model, or a LightCurveGenerator, received "
                    f"{type(generator).__name__}"
                )
            self._given, self._name, self._sha256 = generator, generator.source or None, generator.sha256

    def __getstate__(self) -> dict[str, Any]:
        if self._given is not None and not self._given.source:
            raise InputError(
                f"the generator {self._given.name!r} was made in this process and cannot go to another one; save it "
                "with generator.save(folder) and give the folder"
            )
        return {**self.__dict__, "_given": None}

    def load(self) -> LightCurveGenerator:
        """The generator.

        Raises
        ------
        UnknownNameError, CheckpointError
            See :func:`lcgen.load_generator`.
        IntegrityError
            If its weights are not those of the generator that was given in another process.
        """
        _one_thread_in_workers()
        if self._given is not None:
            return self._given
        key = (self._name or "", self._sha256)
        if key not in _LOADED:
            from lcgen import load_generator

            found = load_generator(self._name)
            if self._sha256 and found.sha256 != self._sha256:
                raise IntegrityError(
                    f"{self._name}: the weights have sha256 {found.sha256}, those of the generator that was given "
                    f"{self._sha256}"
                )
            _LOADED[key] = found
        return _LOADED[key]


def _one_thread_in_workers() -> None:
    """One thread for torch in worker processes.

    They share the processors; and the thread pool of a parent process does not survive a fork, so that a parallel
    region in the child would wait for ever.
    """
    if multiprocessing.parent_process() is None or os.getpid() in _LIMITED:
        return
    from lcgen.generator import limit_threads

    limit_threads(1)
    _LIMITED.add(os.getpid())
