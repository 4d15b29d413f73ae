"""What an ensemble file says about itself."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from ..errors import EnsembleError, InputError
from ..rng import check_seed

__all__ = ["FORMAT", "FORMAT_VERSION", "EnsembleHeader"]

FORMAT = "lcgen-ensemble"
FORMAT_VERSION = 1
"""The newest format version this library reads, and the one it writes."""

RUN_ATTRIBUTES = ("created", "command")
"""Root attributes that tell one run from the next and say nothing of the content."""


def _lcgen_version() -> str:
    import lcgen

    return str(getattr(lcgen, "__version__", "unknown"))


def _now() -> str:
    """The time, ISO 8601 in UTC; SOURCE_DATE_EPOCH takes its place (https://reproducible-builds.org)."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    utc = datetime.UTC
    time = datetime.datetime.fromtimestamp(int(epoch), utc) if epoch.isdigit() else datetime.datetime.now(utc)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, kw_only=True)
class EnsembleHeader:
    """Where an ensemble comes from: the root attributes of its file.

    Attributes
    ----------
    generator : str
        Name of the generator.
    checkpoint_sha256 : str
        sha256 of the generator's weights; empty where it has none.
    seed : int
        The seed.
    cadence : str
        The cadence, in words.
    provenance : mapping
        Everything else that decides the content (classes, numbers, noise, bands ...); anything JSON can hold.
    lcgen_version : str
        Version of lcgen that wrote the file.
    created : str
        When the run began, ISO 8601, UTC.
    command : str
        The command line, if there was one.
    format, format_version
        ``"lcgen-ensemble"`` and 1.

    Raises
    ------
    InputError
        If the seed or the provenance cannot be stored.

    Notes
    -----
    `created` and `command` describe the run, all others the content: two files whose other attributes are
    equal have equal content, and only such a run may resume an interrupted one.
    """

    generator: str
    checkpoint_sha256: str = ""
    seed: int
    cadence: str
    provenance: Mapping[str, Any] = field(default_factory=dict)
    lcgen_version: str = field(default_factory=_lcgen_version)
    created: str = field(default_factory=_now)
    command: str = ""
    format: str = FORMAT
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", check_seed(self.seed))
        try:
            stored = json.loads(_dumps(self.provenance))
        except (TypeError, ValueError) as error:
            raise InputError(f"provenance cannot be stored as JSON: {error}") from None
        object.__setattr__(self, "provenance", stored)

    def write(self, target: Any) -> None:
        """Store the header in the root attributes of an open HDF5 file."""
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name == "provenance":
                value = _dumps(value)
            target.attrs[item.name] = np.int64(value) if isinstance(value, int) else value

    @classmethod
    def read(cls, source: Any) -> EnsembleHeader:
        """The header of an open HDF5 file.

        Raises
        ------
        EnsembleError
            If the file is no ensemble, or of a newer format.
        """
        found = source.attrs.get("format")
        found = found.decode(errors="replace") if isinstance(found, bytes) else found
        if found != FORMAT:
            raise EnsembleError(f"it is not an lcgen ensemble: attribute format is {found!r}, not {FORMAT!r}")
        version = source.attrs.get("format_version")
        if not isinstance(version, (int, np.integer)) or version < 1:
            raise EnsembleError(f"format_version is {version!r}, not a whole number from 1")
        if version > FORMAT_VERSION:
            raise EnsembleError(
                f"it has format version {version}, this lcgen reads up to {FORMAT_VERSION}; install a newer lcgen"
            )
        values: dict[str, Any] = {"format": FORMAT, "format_version": int(version)}
        for item in fields(cls):
            if item.name in values:
                continue
            if item.name not in source.attrs:
                raise EnsembleError(f"root attribute {item.name} is missing")
            value = source.attrs[item.name]
            try:
                if item.name == "provenance":
                    values[item.name] = json.loads(value)
                else:
                    values[item.name] = int(value) if item.name == "seed" else str(value)
            except (TypeError, ValueError):
                raise EnsembleError(f"root attribute {item.name} cannot be understood: {value!r}") from None
        return cls(**values)

    def differences(self, other: EnsembleHeader) -> list[str]:
        """What decides the content and is not the same in `other`, in words."""
        out = []
        for item in fields(self):
            if item.name in RUN_ATTRIBUTES:
                continue
            mine, theirs = getattr(self, item.name), getattr(other, item.name)
            if item.name == "provenance":
                for key in sorted(set(mine) | set(theirs)):
                    if mine.get(key) != theirs.get(key):
                        out.append(f"{key} was {_short(mine.get(key))}, is now {_short(theirs.get(key))}")
            elif mine != theirs:
                out.append(f"{item.name} was {_short(mine)}, is now {_short(theirs)}")
        return out


def _dumps(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), sort_keys=True, ensure_ascii=False)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
