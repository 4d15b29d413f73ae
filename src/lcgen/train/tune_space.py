"""Search spaces: which keys of a training configuration are varied, and within what limits."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from ..config import from_mapping, read_toml
from ..errors import ConfigError, DataError
from .config import TrainConfig, read_config

__all__ = ["SPACES", "Dimension", "apply_choice", "read_space", "to_toml"]

SPACES: dict[str, str] = {"published": "tune-published.toml", "ours": "tune-periodic.toml"}
"""Search spaces that come along, by name."""

_TABLES = ("model", "training", "augment", "latent", "refine", "population")


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """One key that is varied.

    Attributes
    ----------
    type : {"float", "int", "choice"}
    low, high : float
        Limits, both included, of numbers.
    log : bool
        Whether numbers are spread evenly in their logarithm.
    values : tuple
        What a choice is made from: numbers, texts, booleans or lists.
    """

    type: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    values: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if self.type not in ("float", "int", "choice"):
            raise ConfigError(f"type must be 'float', 'int' or 'choice', received {self.type!r}")
        if self.type == "choice":
            if not self.values:
                raise ConfigError("a choice needs values")
            if self.low is not None or self.high is not None or self.log:
                raise ConfigError("a choice takes values, and neither low, high nor log")
            return
        if self.values:
            raise ConfigError(f"type {self.type!r} takes low and high, not values")
        if self.low is None or self.high is None:
            raise ConfigError("low and high are needed")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ConfigError(f"low must be less than high, received {self.low} and {self.high}")
        if self.log and not self.low > 0.0:
            raise ConfigError(f"a logarithmic range needs low above 0, received {self.low}")
        if self.type == "int" and not (self.low.is_integer() and self.high.is_integer()):
            raise ConfigError(f"whole numbers need whole limits, received {self.low} and {self.high}")

    @property
    def samples(self) -> tuple[Any, ...]:
        """The limits, or all values: what has to be a valid configuration."""
        if self.type == "choice":
            return self.values
        convert = int if self.type == "int" else float
        return convert(self.low or 0.0), convert(self.high or 0.0)

    def suggest(self, trial: Any, key: str) -> Any:
        """The value that an optuna trial takes."""
        low, high = self.low or 0.0, self.high or 0.0
        if self.type == "float":
            return trial.suggest_float(key, low, high, log=self.log)
        if self.type == "int":
            return trial.suggest_int(key, int(low), int(high), log=self.log)
        # optuna stores scalars only; lists are chosen by their text
        return self.decode(trial.suggest_categorical(key, [json.dumps(v) for v in self.values]))

    def decode(self, stored: Any) -> Any:
        """The value of what optuna has stored."""
        return json.loads(stored) if self.type == "choice" else stored


def read_space(source: str | os.PathLike[str] | Mapping[str, Any], base: TrainConfig) -> dict[str, Dimension]:
    """Read a search space and check it against the configuration that it varies.

    Parameters
    ----------
    source : path, mapping, or one of :data:`SPACES`
        Tables of a :class:`Dimension` by dotted key of the configuration, such as
        ``training.learning_rate = { type = "float", low = 5e-4, high = 5e-3, log = true }``.
    base : TrainConfig

    Returns
    -------
    dict of str to Dimension

    Raises
    ------
    ConfigError
        Naming the key that is unknown, may not be varied, or has a wrong range.
    """
    if isinstance(source, Mapping):
        values: Mapping[str, Any] = source
    else:
        values = read_toml(_shipped(str(source)) if str(source) in SPACES else source)
    space = {key: _dimension(key, table) for key, table in _flatten(values, "").items()}
    if not space:
        raise ConfigError("the search space is empty")
    for key, dimension in space.items():
        table = key.partition(".")[0]
        if table not in _TABLES or table == key:
            raise ConfigError(
                f"{key!r} may not be varied: all trials share data and seed; allowed: keys of {', '.join(_TABLES)}"
            )
        for value in dimension.samples:
            # the kind of network decides which keys there are
            kind = space.get("model.kind")
            chosen = {"model.kind": kind.samples[0]} if kind is not None else {}
            check(apply_choice(base, chosen | {key: value}))
    return space


def _dimension(key: str, table: Mapping[str, Any]) -> Dimension:
    try:
        return from_mapping(Dimension, table, where=key)
    except ConfigError as error:
        raise error if key in str(error) else ConfigError(f"{key}: {error}") from error


def check(settings: TrainConfig) -> None:
    """Whether network and flow can be made of a configuration.

    Raises
    ------
    ConfigError
        Naming the key that is wrong.
    """
    from . import network_config

    network_config(settings)


def apply_choice(base: TrainConfig, choice: Mapping[str, Any]) -> TrainConfig:
    """A configuration with some keys replaced.

    Parameters
    ----------
    base : TrainConfig
    choice : mapping
        Values by dotted key. Where ``model.kind`` names another network than the one of `base`, that network begins
        with its own defaults: the options of the other one mean nothing to it.

    Raises
    ------
    ConfigError
        If a key is unknown or a value not allowed.
    """
    values = copy.deepcopy(dataclasses.asdict(base))
    kind = choice.get("model.kind")
    if kind is not None and kind != values["model"].get("kind", "periodic"):
        values["model"] = {}
    for key, value in choice.items():
        *tables, name = key.split(".")
        at = values
        for table in tables:
            at = at.setdefault(table, {})
            if not isinstance(at, dict):
                raise ConfigError(f"unknown key {key!r}: {table} is not a table")
        at[name] = list(value) if isinstance(value, (list, tuple)) else value
    return read_config(values)


def to_toml(settings: TrainConfig) -> str:
    """A configuration as TOML text that :func:`lcgen.train.read_config` reads back as the same.

    Raises
    ------
    MissingExtraError
        If tomli-w is not installed.
    """
    from ..errors import MissingExtraError

    try:
        import tomli_w
    except ImportError as error:
        raise MissingExtraError("tomli-w", "tune", "writing a configuration") from error
    return tomli_w.dumps(dataclasses.asdict(settings))


def _flatten(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Dotted keys of nested tables down to those that have a type."""
    out: dict[str, Any] = {}
    for name, value in values.items():
        key = f"{where}.{name}" if where else name
        if not isinstance(value, Mapping):
            raise ConfigError(f"{key} must be a table with a type, received {value!r:.60}")
        out |= {key: value} if isinstance(value.get("type"), str) else _flatten(value, key)
        if not value:
            raise ConfigError(f"{key} must be a table with a type, received an empty one")
    return out


def _shipped(name: str) -> Path:
    package = resources.files("lcgen")
    if isinstance(package, Path):
        # a wheel carries them inside, a source tree in its top-level folder
        for folder in (package / "_data" / "configs", package.parent.parent / "configs"):
            if (folder / SPACES[name]).is_file():
                return folder / SPACES[name]
    raise DataError(f"the search space {name!r} ({SPACES[name]}) is missing from this installation")
