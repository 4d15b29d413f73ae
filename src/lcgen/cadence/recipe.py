"""Recipes from TOML files into the dataclasses of :mod:`lcgen.cadence.specs`, unknown keys refused."""

from __future__ import annotations

import dataclasses
import math
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..assets import data_folder
from ..errors import ConfigError, UnknownNameError
from ..photometry import BANDS
from ..plugins import plugin_names
from .specs import (
    BandSpec,
    Block,
    MoonSpec,
    NightSpec,
    Recipe,
    SeasonSpec,
    SiteSpec,
    SurveySpec,
    WeatherSpec,
)

__all__ = ["list_cadences", "list_recipes", "load_recipe", "recipe_folder"]


def recipe_folder() -> Path:
    """The folder of the recipes that come with lcgen; see :func:`lcgen.assets.data_folder`."""
    return data_folder("cadences")


def list_recipes() -> tuple[str, ...]:
    """Names of the recipes that come with lcgen."""
    return tuple(sorted(path.stem for path in recipe_folder().glob("*.toml")))


def list_cadences() -> tuple[str, ...]:
    """Names that :func:`lcgen.as_cadence` understands: of the recipes that come with lcgen, then of plugins.

    Examples
    --------
    >>> "lsst-wfd" in list_cadences()
    True
    """
    return (*list_recipes(), *plugin_names("lcgen.cadences"))


def load_recipe(name_or_path: str | os.PathLike[str], *, per_star: bool | None = None) -> Recipe:
    """A recipe by name or from a TOML file.

    Parameters
    ----------
    name_or_path : str or path-like
        A name of :func:`list_recipes`, or a path that ends in ``.toml``.
    per_star : bool, optional
        Whether each star has a realisation of its own, instead of what the recipe says.

    Raises
    ------
    UnknownNameError
        If there is no recipe of that name.
    ConfigError
        If the file cannot be read or a key is wrong; the message names the file and the key.

    Examples
    --------
    >>> load_recipe("css").bands
    ('V',)
    """
    text = os.fspath(name_or_path)
    if text.endswith(".toml"):
        path = Path(text)
    elif text in list_recipes():
        path = recipe_folder() / f"{text}.toml"
    else:
        hint = "or give a path that ends in .toml"
        if text in plugin_names("lcgen.cadences"):
            hint = f"{text} is the cadence of a plugin: as_cadence gives it"
        raise UnknownNameError("cadence recipe", text, list_recipes(), hint=hint)
    try:
        with path.open("rb") as file:
            raw = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a readable recipe: {error}") from error
    raw.setdefault("name", path.stem)
    if per_star is not None:
        raw["per_star"] = per_star
    return _Reader(path).recipe(raw)


_TABLES = {
    "site": SiteSpec,
    "survey": SurveySpec,
    "season": SeasonSpec,
    "weather": WeatherSpec,
    "moon": MoonSpec,
    "night": NightSpec,
}
# key -> (lowest, highest) allowed; numbers without an entry must be positive
_LIMITS: dict[str, tuple[float, float]] = {
    "longitude": (-180, 360),
    "latitude": (-66, 66),
    "start": (0, 1e6),
    "end": (0, 1e6),
    "duration": (1, 36525),
    "scatter": (0, 1),
    "regularity": (0, 1),
    "length": (1, 366),
    "season_length": (1, 366),
    "hour_angle": (0.1, 12),
    "twilight": (-18, 0),
    "ra": (0, 360),
    "clear": (0.01, 1),
    "cloudy_spell": (1, 100),
    "loss": (0, 1),
    "sharpness": (0, 100),
    "separation_scatter": (0, 2),
    "jitter": (0, 600),
    "filter_change": (0, 600),
    "moon_max": (0, 1),
    "seeing_scatter": (0, 1),
    "depth_scatter": (0, 3),
    "moon": (0, 5),
}


class _Reader:
    """Checks one file; every message names it and the key."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def recipe(self, raw: dict[str, Any]) -> Recipe:
        self._keys(Recipe, raw, "")
        values: dict[str, Any] = {}
        for key in ("name", "description"):
            values[key] = self._typed(raw[key], str, key)
        values["per_star"] = self._typed(raw["per_star"], bool, "per_star")
        values["exposure_time"] = self._number(raw["exposure_time"], "exposure_time")
        for key, kind in _TABLES.items():
            if key in raw:
                values[key] = self._table(kind, raw[key], key)
        blocks = self._typed(raw["blocks"], list, "blocks")
        if not blocks:
            raise ConfigError(f"{self.path}: 'blocks' must have an entry at least")
        values["blocks"] = tuple(self._table(Block, b, f"blocks[{i}]") for i, b in enumerate(blocks))
        depths = self._typed(raw.get("depths", {}), dict, "depths")
        values["depths"] = {
            self._band(name, "depths"): self._table(BandSpec, spec, f"depths.{name}") for name, spec in depths.items()
        }
        made = Recipe(**values)
        missing = [b for b in made.bands if b not in made.depths]
        if made.depths and missing:
            raise ConfigError(f"{self.path}: 'depths' lacks the band {missing[0]!r}; give all bands or none")
        return made

    def _keys(self, kind: type, raw: Mapping[str, Any], where: str) -> None:
        prefix = f"{where}." if where else ""
        fields = {f.name: f for f in dataclasses.fields(kind)}
        for key in raw:
            if key not in fields:
                raise ConfigError(f"{self.path}: unknown key '{prefix}{key}'; allowed: {', '.join(fields)}")
        for name, item in fields.items():
            required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
            if required and name not in raw:
                raise ConfigError(f"{self.path}: the key '{prefix}{name}' is missing")

    def _table(self, kind: type, raw: Any, where: str) -> Any:
        self._keys(kind, self._typed(raw, dict, where), where)
        values: dict[str, Any] = {}
        for key, value in raw.items():
            if key == "visits":
                values[key] = self._visits(value, f"{where}.visits")
            else:
                values[key] = self._number(value, f"{where}.{key}")
        return kind(**values)

    def _visits(self, raw: Any, where: str) -> dict[str, int]:
        counts = self._typed(raw, dict, where)
        if not counts:
            raise ConfigError(f"{self.path}: '{where}' must name a band at least")
        for band, count in counts.items():
            self._band(band, where)
            if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= 1000:
                raise ConfigError(f"{self.path}: '{where}.{band}' must be a whole number from 1, received {count!r}")
        return dict(counts)

    def _band(self, name: str, where: str) -> str:
        if name not in BANDS:
            raise ConfigError(f"{self.path}: '{where}' has the unknown band {name!r}; allowed: {', '.join(BANDS)}")
        return name

    def _typed(self, value: Any, kind: type, where: str) -> Any:
        if not isinstance(value, kind):
            raise ConfigError(f"{self.path}: '{where}' must be of type {kind.__name__}, received {value!r}")
        return value

    def _number(self, value: Any, where: str) -> float:
        low, high = _LIMITS.get(where.rsplit(".", 1)[-1], (1e-6, 1e6))
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ConfigError(f"{self.path}: '{where}' must be a number, received {value!r}")
        if not low <= value <= high:
            raise ConfigError(f"{self.path}: '{where}' must lie in [{low:g}, {high:g}], received {value!r}")
        return float(value)
