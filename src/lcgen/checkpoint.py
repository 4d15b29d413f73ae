"""Trained generators on disk: a folder with ``config.json``, ``weights.safetensors`` and ``card.md``; no pickle."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import assets
from .errors import CheckpointError

__all__ = ["CONFIG_NAME", "FORMAT_VERSION", "WEIGHTS_NAME", "Checkpoint", "load_checkpoint", "save_checkpoint"]

FORMAT_VERSION = 1
CONFIG_NAME = "config.json"
WEIGHTS_NAME = "weights.safetensors"


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """What a generator is made of.

    Attributes
    ----------
    config : mapping
        Plain JSON: sizes, conditioning, population, noise, provenance.
    arrays : mapping of str to ndarray
        Weights; names begin with the part they belong to (``model.``, ``latent.``, ``population.``, ``split.``).
    sha256 : str
        Of the weights file; empty before it is written.
    """

    config: Mapping[str, Any]
    arrays: Mapping[str, NDArray]
    sha256: str = ""

    def part(self, prefix: str) -> dict[str, NDArray]:
        """Arrays of one part, with the prefix taken off."""
        return {k.removeprefix(prefix): v for k, v in self.arrays.items() if k.startswith(prefix)}


def save_checkpoint(checkpoint: Checkpoint, folder: str | os.PathLike[str], *, card: str | None = None) -> Path:
    """Write a checkpoint folder; an existing one is replaced only when the new one is whole.

    Parameters
    ----------
    checkpoint : Checkpoint
    folder : path-like
    card : str, optional
        The model card, in Markdown.

    Returns
    -------
    Path
        The folder.
    """
    from safetensors.numpy import save_file

    target = Path(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        config = {"format": "lcgen-generator", "format_version": FORMAT_VERSION, **checkpoint.config}
        (work / CONFIG_NAME).write_text(json.dumps(config, indent=1, sort_keys=True, allow_nan=False) + "\n")
        save_file({k: np.ascontiguousarray(v) for k, v in checkpoint.arrays.items()}, work / WEIGHTS_NAME)
        if card is not None:
            (work / "card.md").write_text(card)
        for file in work.iterdir():
            file.chmod(0o644)
            with open(file, "rb") as stream:
                os.fsync(stream.fileno())
        work.chmod(0o755)
        if target.exists():
            previous = target.with_name(f".{target.name}.previous")
            shutil.rmtree(previous, ignore_errors=True)
            target.rename(previous)
            work.rename(target)
            shutil.rmtree(previous, ignore_errors=True)
        else:
            work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def load_checkpoint(folder: str | os.PathLike[str], *, expected: Mapping[str, str] | None = None) -> Checkpoint:
    """Read a checkpoint folder.

    Parameters
    ----------
    folder : path-like
    expected : mapping of file name to sha256, optional
        Checked before anything is read.

    Raises
    ------
    IntegrityError
        If a file's sha256 is not the expected one.
    CheckpointError
        If the folder is not a generator, or was written by a later version.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = Path(folder)
    if expected:
        assets.verify(path, expected)
    for name in (CONFIG_NAME, WEIGHTS_NAME):
        if not (path / name).is_file():
            raise CheckpointError(f"{path} is not a generator: it has no {name}")
    try:
        config = json.loads((path / CONFIG_NAME).read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path / CONFIG_NAME} is not valid JSON: {error}") from error
    if not isinstance(config, dict) or config.get("format") != "lcgen-generator":
        raise CheckpointError(f"{path / CONFIG_NAME} does not describe a generator")
    if config.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has format version {config.get('format_version')}, this lcgen reads {FORMAT_VERSION}"
        )
    try:
        arrays = load_file(path / WEIGHTS_NAME)
    except (SafetensorError, ValueError, OSError) as error:
        raise CheckpointError(f"{path / WEIGHTS_NAME} cannot be read: {error}") from error
    for name, values in arrays.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise CheckpointError(f"{path / WEIGHTS_NAME} is damaged: {name} is not finite")
    return Checkpoint(config=config, arrays=arrays, sha256=assets.sha256_of(path / WEIGHTS_NAME))
