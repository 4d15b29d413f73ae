"""The folder of a comparison: its plan, and the blocks of stars that are measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..assets import atomic_file
from ..errors import DataError, InputError
from .job import Measured

__all__ = ["RunFolder"]

_PLAN = "plan.json"
_BLOCKS = "blocks"


class RunFolder:
    """Where a comparison is written, block by block.

    Parameters
    ----------
    folder : Path
        Made where it does not exist.
    plan : mapping
        What decides the result, as plain JSON.

    Raises
    ------
    InputError
        If the folder holds something else: another comparison, or other files.
    """

    def __init__(self, folder: Path, plan: Mapping[str, Any]) -> None:
        self.folder, self.plan = folder, json.loads(json.dumps(plan))
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file; a comparison is written into a folder")
        if not folder.parent.is_dir():
            raise InputError(f"cannot make {folder}: there is no folder {folder.parent}")
        folder.mkdir(exist_ok=True)
        if (folder / _PLAN).exists():
            self._check()
        elif any(p for p in folder.iterdir() if not p.name.startswith(".")):
            raise InputError(f"{folder} is not empty and holds no comparison; choose another folder")
        else:
            with atomic_file(folder / _PLAN) as temporary:
                temporary.write_text(json.dumps(self.plan, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        (folder / _BLOCKS).mkdir(exist_ok=True)

    def _check(self) -> None:
        try:
            there = json.loads((self.folder / _PLAN).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{self.folder / _PLAN} cannot be read: {error}") from error
        if there != self.plan:
            keys = sorted(k for k in {*there, *self.plan} if there.get(k) != self.plan.get(k))
            changes = "; ".join(f"{k}: {there.get(k)!r:.80} there, {self.plan.get(k)!r:.80} asked for" for k in keys)
            raise InputError(f"{self.folder} holds another comparison ({changes}); choose another folder")

    def _path(self, start: int) -> Path:
        return self.folder / _BLOCKS / f"{start:08d}.npz"

    def has(self, start: int) -> bool:
        """Whether the block that begins with star `start` is there."""
        return self._path(start).is_file()

    def read(self, start: int) -> Measured:
        """A finished block.

        Raises
        ------
        DataError
            If it cannot be read.
        """
        try:
            with np.load(self._path(start), allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{self._path(start)} cannot be read ({error}); delete it, and run again") from error

    def write(self, start: int, block: Measured) -> None:
        """Keep a finished block, all or nothing."""
        columns: dict[str, Any] = dict(block)
        with atomic_file(self._path(start)) as temporary:
            np.savez(temporary, **columns)

    def clear(self) -> None:
        """Remove the blocks, once what was made of them is written."""
        for path in (self.folder / _BLOCKS).glob("*.npz"):
            path.unlink(missing_ok=True)
        (self.folder / _BLOCKS).rmdir()
