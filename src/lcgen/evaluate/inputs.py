"""What a report card is made of: the generator, the curves it is judged on, and which of them it has seen."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..prepare.dataset import PreparedCurves
from ..prepare.split import SPLIT_NAMES

__all__ = ["as_generator", "data_root", "load_curves", "packs_of", "split_of"]


def as_generator(generator: Any) -> Any:
    """The generator itself, or the one of a name or a folder."""
    if isinstance(generator, (str, os.PathLike)):
        from ..generator import load_generator

        return load_generator(generator)
    return generator


def split_of(generator: Any, curves: PreparedCurves) -> NDArray[np.int64]:
    """Set of each curve in the training of the generator: 0 training, 1 validation, 2 test or unknown to it."""
    names = list(SPLIT_NAMES)
    known = generator.split_of(curves.star_id)
    # a star the generator has never heard of is unseen
    return np.array([names.index(s) if s else 2 for s in known.tolist()], dtype=np.int64)


def data_root(generator: Any, root: str | os.PathLike[str] | None) -> Path | None:
    """Folder of the survey data; None where it cannot be found."""
    config = getattr(generator, "info", {}).get("config", {})
    for named in (root, config.get("data", {}).get("folder"), os.environ.get("LCGEN_DATA")):
        if named and Path(named).is_dir():
            return Path(named)
    return None


def load_curves(
    generator: Any, data: PreparedCurves | str | os.PathLike[str] | None, root: str | os.PathLike[str] | None
) -> PreparedCurves:
    """The curves that a generator is judged on.

    Raises
    ------
    InputError
        If they cannot be found.
    """
    if isinstance(data, PreparedCurves):
        return data
    if data is not None:
        path = Path(data)
        if path.is_dir():
            found = sorted(path.glob("prepared-*.npz"), key=lambda p: p.stat().st_mtime)
            if not found:
                raise InputError(f"{path} holds no prepared curves (prepared-*.npz)")
            path = found[-1]
        if not path.is_file():
            raise InputError(f"{path} is not a file of prepared curves, nor the folder of a training run")
        return PreparedCurves.load(path)
    config = getattr(generator, "info", {}).get("config")
    if config is None:
        raise InputError("the generator does not say what it was trained on; pass data=")
    from ..train.config import read_config
    from ..train.data import load_data

    settings = read_config(config)
    folder = data_root(generator, root)
    if folder is None:
        raise InputError("the survey data is missing: set LCGEN_DATA to its folder, or pass data=")
    settings = dataclasses.replace(settings, data=dataclasses.replace(settings.data, folder=str(folder)))
    with tempfile.TemporaryDirectory() as scratch:
        return load_data(settings, Path(scratch)).curves


def packs_of(generator: Any) -> list[dict[str, Any]]:
    """Survey packs that the generator was trained on."""
    return list(getattr(generator, "info", {}).get("config", {}).get("data", {}).get("packs", []))
