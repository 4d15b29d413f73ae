"""Outputs that are whole or not there: written under another name, forced to the disk, renamed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import EnsembleError, InputError

__all__ = ["PROVENANCE_FILE", "new_file", "new_folder", "size_of", "write_text"]

PROVENANCE_FILE = "lcgen.json"
"""What says, in a folder that was exported, where it comes from."""


@contextlib.contextmanager
def new_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A file to write in place of `path`, which takes its name at the end of the block.

    Raises
    ------
    InputError
        If `path` exists and may not be replaced, or its folder does not exist.
    EnsembleError
        If it cannot be written; nothing is left behind.
    """
    _check_place(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder; this format writes one file")
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists; give another name, or allow it to be replaced (overwrite=True, --overwrite)")
    with _explained(path):
        # the ending stays, for those who choose compression by it
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".partial-", suffix=path.name)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            os.chmod(temporary, 0o666 & ~_umask())
            _sync(temporary)
            os.replace(temporary, path)
            _sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path: Path, provenance: Mapping[str, Any], *, overwrite: bool) -> Iterator[Path]:
    """A folder to fill in place of `path`, which takes its name at the end of the block.

    Raises
    ------
    InputError
        If `path` exists and may not be replaced, or was not made by an export.
    EnsembleError
        If it cannot be written; nothing is left behind.
    """
    _check_place(path)
    if path.exists() or path.is_symlink():
        if not path.is_dir() or path.is_symlink():
            raise InputError(f"{path} exists and is not a folder; this format writes a folder")
        if any(path.iterdir()):
            if not overwrite:
                raise InputError(
                    f"{path} exists; give another name, or allow it to be replaced (overwrite=True, --overwrite)"
                )
            if not (path / PROVENANCE_FILE).is_file():
                raise InputError(f"{path} was not written by an export (it has no {PROVENANCE_FILE}): not replaced")
    with _explained(path):
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".partial-{path.name}-"))
        try:
            yield temporary
            write_text(temporary / PROVENANCE_FILE, json.dumps(dict(provenance), indent=1, sort_keys=True) + "\n")
            os.chmod(temporary, 0o777 & ~_umask())
            _sync_tree(temporary)
            _take_place(temporary, path)
            _sync(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a small file."""
    path.write_text(text, encoding="utf-8", newline="\n")


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    return path.stat().st_size


def _take_place(new: Path, path: Path) -> None:
    # a folder with something in it cannot be replaced in one step; what was there is removed last
    if not path.exists():
        os.rename(new, path)
        return
    old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".replaced-{path.name}-"))
    try:
        os.replace(path, old / "it")
        try:
            os.rename(new, path)
        except OSError:
            os.replace(old / "it", path)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _check_place(path: Path) -> None:
    if not path.name:
        raise InputError(f"{str(path)!r} is not the name of an output")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}")


def _sync_tree(folder: Path) -> None:
    for where, _, files in os.walk(folder):
        for name in files:
            _sync(Path(where) / name)
        _sync(Path(where))


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as error:  # pragma: no cover - file systems that do not sync folders
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(fd)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EnsembleError(f"{path} cannot be written: {error.strerror or error}") from error
