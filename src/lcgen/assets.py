"""Where the bundled models and cadence recipes lie, and the check that they are what they should be.

A wheel carries them in ``lcgen/_data``; a source tree (editable installation) has them in its top-level
folders ``cadences/`` and ``pretrained/``. Nothing touches the disk when this module is imported.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

from .errors import CheckpointError, DataError, InputError, IntegrityError, UnknownNameError

__all__ = [
    "MANIFEST",
    "ModelEntry",
    "atomic_file",
    "data_folder",
    "find_model",
    "list_models",
    "sha256_of",
    "verify",
    "write_manifest_entry",
]

MANIFEST = "manifest.toml"
"""Name of the file that lists the bundled models."""

_KINDS = ("cadences", "pretrained")
_KEYS: dict[str, type] = {"name": str, "folder": str, "default": bool, "description": str, "sha256": dict}
# What people edit after a model was made (its card, pictures) is not part of what is loaded.
_NOT_LOADED = {".md", ".png", ".csv"}


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A trained model on disk.

    Attributes
    ----------
    name : str
        The name that :func:`lcgen.load_generator` understands.
    folder : Path
        Where its files are.
    default : bool
        Whether it is loaded when no name is given.
    description : str
        In one sentence.
    sha256 : mapping of str to str
        Hexadecimal digest of each file that is loaded; empty for a model given by its path.
    """

    name: str
    folder: Path
    default: bool
    description: str
    sha256: Mapping[str, str]


def data_folder(kind: str) -> Path:
    """Folder of the data bundled with lcgen.

    Parameters
    ----------
    kind : {"cadences", "pretrained"}
        What is wanted.

    Raises
    ------
    UnknownNameError
        If `kind` is neither.
    DataError
        If the folder is missing from the installation.
    """
    if kind not in _KINDS:
        raise UnknownNameError("kind of bundled data", kind, _KINDS)
    package = resources.files("lcgen")
    if not isinstance(package, Path):
        raise DataError("lcgen is imported from an archive; install it unpacked to use its bundled data")
    source_tree = package.parent.parent
    candidates = [package / "_data" / kind]
    if (source_tree / "pyproject.toml").is_file():
        candidates.append(source_tree / kind)
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    looked = " and ".join(str(c) for c in candidates)
    raise DataError(f"the bundled folder {kind!r} is missing (looked for {looked}); reinstall lcgen")


def list_models(folder: str | os.PathLike[str] | None = None) -> tuple[ModelEntry, ...]:
    """The models in a manifest, in its order.

    Parameters
    ----------
    folder : path-like, optional
        Folder that holds ``manifest.toml``; the bundled models where not given.

    Returns
    -------
    tuple of ModelEntry
        Empty where the folder holds no manifest.

    Raises
    ------
    CheckpointError
        If the manifest is malformed; names the file and the key.
    """
    root = data_folder("pretrained") if folder is None else Path(folder)
    path = root / MANIFEST
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    tables = document.pop("model", [])
    if document:
        raise CheckpointError(f"{path}: unknown key {next(iter(document))!r}; allowed: model")
    if not isinstance(tables, list):
        raise CheckpointError(f"{path}: model must be an array of tables, [[model]]")
    entries = tuple(_entry(table, root, f"{path}, model {i}") for i, table in enumerate(tables, start=1))
    names = [entry.name for entry in entries]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise CheckpointError(f"{path}: two models are called {twice!r}")
    defaults = [entry.name for entry in entries if entry.default]
    if len(defaults) > 1:
        raise CheckpointError(f"{path}: more than one default model: {', '.join(defaults)}")
    return entries


def find_model(model: str | os.PathLike[str] | None = None) -> ModelEntry:
    """The model of a name or path.

    Parameters
    ----------
    model : str or path-like, optional
        Name of a bundled model, or the folder of one you trained. The default model where not given.

    Raises
    ------
    UnknownNameError
        If no bundled model has that name; lists those there are.
    CheckpointError
        If the path is no folder, or if no model is bundled.
    """
    if model is None:
        return _default_model()
    text = os.fspath(model)
    looks_like_path = not isinstance(model, str) or os.sep in text or "/" in text or text in {".", ".."}
    if not looks_like_path:
        entries = list_models()
        for entry in entries:
            if entry.name == text:
                return entry
        if not Path(text).is_dir():
            hint = "or give the folder of a model that you trained"
            raise UnknownNameError("model", text, [entry.name for entry in entries], hint=hint)
    path = Path(text)
    if not path.is_dir():
        raise CheckpointError(f"{path} is not the folder of a model")
    return ModelEntry(name=path.resolve().name, folder=path, default=False, description="", sha256={})


def verify(folder: str | os.PathLike[str], files: Mapping[str, str]) -> None:
    """Check that files are the ones that were recorded.

    Parameters
    ----------
    folder : path-like
        Where they are.
    files : mapping of str to str
        Hexadecimal sha256 of each file name.

    Raises
    ------
    IntegrityError
        If a digest differs; names the file, the expected and the found sha256.
    CheckpointError
        If a file is missing.
    """
    for name, expected in files.items():
        path = Path(folder) / name
        if not path.is_file():
            raise CheckpointError(f"{path} is missing")
        found = sha256_of(path)
        if found != expected.lower():
            raise IntegrityError(f"{path} is not the file that was recorded: sha256 {found}, expected {expected}")


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Hexadecimal sha256 of a file, read in pieces.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{os.fspath(path)} cannot be read: {error.strerror}") from error


def write_manifest_entry(
    folder: str | os.PathLike[str],
    *,
    description: str,
    name: str | None = None,
    default: bool = False,
    files: Sequence[str] | None = None,
    root: str | os.PathLike[str] | None = None,
) -> ModelEntry:
    """Enter a model into a manifest, with the sha256 of its files; an entry of the same name is replaced.

    Parameters
    ----------
    folder : path-like
        Folder of the model, inside `root`.
    description : str
        In one sentence.
    name : str, optional
        Name of the model; that of the folder where not given.
    default : bool
        Whether it becomes the default; the earlier default then no longer is.
    files : sequence of str, optional
        Names of the files that loading needs; all but Markdown, CSV and pictures where not given.
    root : path-like, optional
        Folder of the manifest; the bundled ``pretrained`` where not given.

    Returns
    -------
    ModelEntry

    Raises
    ------
    InputError
        If the folder is not inside `root` or holds nothing to load.
    """
    root = data_folder("pretrained") if root is None else Path(root)
    folder = Path(folder)
    if not folder.resolve().is_relative_to(root.resolve()) or folder.resolve() == root.resolve():
        raise InputError(f"the model must lie inside {root}, received {folder}")
    if files is None:
        found = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix not in _NOT_LOADED)
        files = [p.relative_to(folder).as_posix() for p in found if not p.name.startswith(".")]
    if not files:
        raise InputError(f"{folder} holds no file to load")
    entry = ModelEntry(
        name=folder.resolve().name if name is None else name,
        folder=folder,
        default=default,
        description=description,
        sha256={name: sha256_of(folder / name) for name in files},
    )
    others = [old for old in list_models(root) if old.name != entry.name]
    lines = ["# Models shipped with lcgen. Written by lcgen.assets.write_manifest_entry."]
    for each in [*others, entry]:
        relative = each.folder.resolve().relative_to(root.resolve()).as_posix()
        is_default = each.default and (each is entry or not default)
        lines += ["", "[[model]]", f"name = {_quoted(each.name)}", f"folder = {_quoted(relative)}"]
        lines += [f"default = {str(is_default).lower()}", f"description = {_quoted(each.description)}"]
        lines += ["", "[model.sha256]"]
        lines += [f"{_quoted(file)} = {_quoted(digest)}" for file, digest in each.sha256.items()]
    with atomic_file(root / MANIFEST) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return entry


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary name beside `path` to write to; it takes the place of `path` when the block ends well.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with atomic_file(target) as temporary:
    ...     _ = temporary.write_text("whole or not at all")
    >>> target.read_text()
    'whole or not at all'

    Raises
    ------
    InputError
        If the folder of `path` does not exist or `path` is a folder.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise InputError(f"cannot write {target}: there is no folder {target.parent}")
    if target.is_dir():
        raise InputError(f"cannot write {target}: it is a folder")
    # A name of its own, for two writers must not share it. The suffix stays, for writers that look at it.
    temporary = target.with_name(f".{target.stem}-{secrets.token_hex(6)}{target.suffix}")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _default_model() -> ModelEntry:
    entries = list_models()
    if not entries:
        raise CheckpointError(f"no model is bundled in {data_folder('pretrained')}; give the folder of one")
    return next((entry for entry in entries if entry.default), entries[0])


def _entry(table: Any, root: Path, where: str) -> ModelEntry:
    if not isinstance(table, dict):
        raise CheckpointError(f"{where}: must be a table, [[model]]")
    for key, value in table.items():
        if key not in _KEYS:
            raise CheckpointError(f"{where}: unknown key {key!r}; allowed: {', '.join(_KEYS)}")
        if not isinstance(value, _KEYS[key]):
            raise CheckpointError(f"{where}: {key} must be of type {_KEYS[key].__name__}, received {value!r}")
    for key in ("name", "folder", "sha256"):
        if not table.get(key):
            raise CheckpointError(f"{where}: {key} is missing or empty")
    relative = PurePosixPath(table["folder"])
    if relative.is_absolute() or ".." in relative.parts:
        raise CheckpointError(f"{where}: folder must lie beside the manifest, received {table['folder']!r}")
    for file, digest in table["sha256"].items():
        if not (isinstance(digest, str) and re.fullmatch("[0-9a-fA-F]{64}", digest)):
            raise CheckpointError(f"{where}: sha256 of {file!r} must be 64 hex digits, received {digest!r}")
        if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
            raise CheckpointError(f"{where}: file {file!r} must lie in the folder of the model")
    return ModelEntry(
        name=table["name"],
        folder=root / relative,
        default=table.get("default", False),
        description=table.get("description", ""),
        sha256=dict(table["sha256"]),
    )


def _quoted(text: str) -> str:
    # JSON strings are TOML basic strings, but for DEL, which TOML wants escaped
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
