"""Configuration files: TOML into frozen dataclasses, with every wrong key named."""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from .errors import ConfigError, InputError

__all__ = ["from_mapping", "read_toml"]

T = TypeVar("T")


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A TOML file as a dictionary.

    Raises
    ------
    ConfigError
        If the file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error


def from_mapping(cls: type[T], values: Mapping[str, Any], *, where: str = "") -> T:
    """Make a dataclass of a mapping, recursively.

    Parameters
    ----------
    cls : type
        A dataclass with keyword-only fields.
    values : mapping
        Values by field name; missing ones keep their defaults.
    where : str
        Dotted path of the mapping within the file, for messages.

    Raises
    ------
    ConfigError
        If a key is unknown or missing, or a value has the wrong type; the message names the key.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where or 'the configuration'} must be a table, received {values!r:.60}")
    hints = get_type_hints(cls)
    known = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ConfigError(f"unknown key {_join(where, key)!r}{hint}; allowed: {', '.join(known)}")
    converted = {k: _convert(hints[k], v, _join(where, k)) for k, v in values.items()}
    for name, field in known.items():
        has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        if name not in converted and not has_default:
            raise ConfigError(f"key {_join(where, name)!r} is missing")
    try:
        return cls(**converted)
    except ConfigError:
        raise
    except InputError as error:
        raise ConfigError(f"{where}: {error}") from error


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _convert(hint: Any, value: Any, key: str) -> Any:
    origin = get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        options = [h for h in get_args(hint) if h is not type(None)]
        if value is None:
            return None
        return _convert(options[0], value, key)
    if dataclasses.is_dataclass(hint):
        return from_mapping(hint, value, where=key)  # type: ignore[arg-type]
    if origin is tuple:
        inner = get_args(hint)[0]
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{key} must be a list, received {value!r:.60}")
        return tuple(_convert(inner, v, f"{key}[{i}]") for i, v in enumerate(value))
    if origin in (dict, Mapping):
        inner = get_args(hint)[1]
        if not isinstance(value, Mapping):
            raise ConfigError(f"{key} must be a table, received {value!r:.60}")
        return {k: _convert(inner, v, _join(key, k)) for k, v in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (int, float, str, bool) and (not isinstance(value, hint) or (hint is int and isinstance(value, bool))):
        raise ConfigError(f"{key} must be of type {hint.__name__}, received {value!r:.60}")
    return value
