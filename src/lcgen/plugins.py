"""Cadences, regressors and exporters of installed packages, found by name.

A package names what it adds in its entry points; ``docs/plugins.md`` has an example of each kind:

======================  ==================================================================================
group                   an entry point loads
======================  ==================================================================================
``lcgen.cadences``      a :class:`~lcgen.cadence.Cadence`, or what gives one when called without arguments
``lcgen.regressors``    a class that fulfils :class:`~lcgen.latent.LatentRegressor`, with the entry's name
``lcgen.exporters``     a frozen dataclass that fulfils :class:`~lcgen.export.Exporter`, with the entry's name
``lcgen.plugins``       a module of a package that builds on lcgen; it is listed, and otherwise not used
======================  ==================================================================================

Nothing is imported to find out which names there are, only when one is asked for. lcgen's own names come before those
of plugins; of two plugins with one name, the one of the distribution that comes first in the alphabet is taken.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .errors import LcgenError, PluginError, UnknownNameError

if TYPE_CHECKING:  # pragma: no cover
    from importlib.metadata import Distribution

__all__ = [
    "GROUPS",
    "Plugin",
    "PluginWarning",
    "installed_plugins",
    "load_plugin",
    "load_plugins",
    "origin_of",
    "plugin_names",
    "warn_hidden",
]

GROUPS = {
    "lcgen.cadences": "cadence",
    "lcgen.regressors": "regressor",
    "lcgen.exporters": "exporter",
    "lcgen.plugins": "package",
}
"""The groups of entry points, and what is in each."""


class PluginWarning(UserWarning):
    """An installed plugin is not used; the message names it and says why."""


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """One entry point of an installed package.

    Attributes
    ----------
    group, name : str
        One of :data:`GROUPS`, and what users call it.
    value : str
        Where it is: ``"module:attribute"``.
    distribution, version : str
        The package that brings it.
    error : str or None
        Why it is not used; None where nothing is known against it.
    """

    group: str
    name: str
    value: str
    distribution: str
    version: str
    error: str | None = None

    def __str__(self) -> str:
        return f"the {GROUPS[self.group]} {self.name!r} of {self.distribution} {self.version} ({self.value})"


def installed_plugins(group: str | None = None, *, load: bool = False) -> tuple[Plugin, ...]:
    """The plugins that are installed, by group, name and distribution.

    Parameters
    ----------
    group : str, optional
        One of :data:`GROUPS`; all by default.
    load : bool
        Import each to see whether it can be used, and show nothing of what is warned of meanwhile.

    Returns
    -------
    tuple of Plugin
        With an ``error`` where their name belongs to lcgen or to another plugin, or, with `load`, they do not work.

    Raises
    ------
    UnknownNameError
        If there is no such group.

    Examples
    --------
    >>> [str(p) for p in installed_plugins() if p.group not in GROUPS]
    []
    """
    found = tuple(p for g in ([_checked(group)] if group else GROUPS) for p in _of_group(tuple(sys.path), g))
    return tuple(_tried(p) for p in found) if load else found


def plugin_names(group: str) -> tuple[str, ...]:
    """Names of the plugins of a group; not of those whose name belongs to lcgen.

    Raises
    ------
    UnknownNameError
        If there is no such group.
    """
    return tuple(p.name for p in installed_plugins(group) if p.error is None)


def load_plugin(group: str, name: str) -> Any:
    """What a plugin brings: a cadence, or the class of a regressor or an exporter.

    A cadence is made once in a process.

    Raises
    ------
    UnknownNameError
        If no plugin of that group has that name.
    PluginError
        If it cannot be used.

    Warns
    -----
    PluginWarning
        If several distributions have a plugin of that name.

    Examples
    --------
    >>> load_plugin("lcgen.cadences", "palomer")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    lcgen.errors.UnknownNameError: unknown cadence 'palomer'; allowed: none
    """
    found = _called(group, name)
    if not found:  # something may have been installed since
        _entries.cache_clear()
        _of_group.cache_clear()
        found = _called(group, name)
    if not found:
        raise UnknownNameError(GROUPS[group], name, plugin_names(group))
    warn_hidden(group, name)
    usable = [p for p in found if p.error is None]
    if not usable:
        raise PluginError(f"{found[0]} is not used: {found[0].error}")
    return _loaded(usable[0])


def load_plugins(group: str) -> dict[str, Any]:
    """What all plugins of a group bring, by name; those that cannot be used are left out.

    Raises
    ------
    UnknownNameError
        If there is no such group.

    Warns
    -----
    PluginWarning
        Of each that is left out, once.
    """
    out = {}
    for plugin in installed_plugins(group):
        if plugin.error is not None:
            _warn(f"{plugin} is not used: {plugin.error}")
            continue
        try:
            out[plugin.name] = _loaded(plugin)
        except PluginError as error:
            _warn(f"{error}; it is skipped")
    return out


def origin_of(obj: Any) -> Plugin | None:
    """The plugin that an object, or its class, was loaded from; None where it is not one that was asked for by name."""
    for plugin, loaded in _LOADED.items():
        if loaded is obj or (isinstance(loaded, type) and loaded is type(obj)):
            return plugin
    return None


def warn_hidden(group: str, name: str) -> None:
    """Warn, once, of plugins that are not used because their name belongs to lcgen or to another plugin.

    Warns
    -----
    PluginWarning
        Naming both.
    """
    for plugin in _called(group, name):
        if plugin.error is not None:
            _warn(f"{plugin} is not used: {plugin.error}")


# -- what is installed ---------------------------------------------------------------------------------


def _called(group: str, name: str) -> list[Plugin]:
    return [p for p in installed_plugins(group) if p.name == name]


def _checked(group: str) -> str:
    if group not in GROUPS:
        raise UnknownNameError("group of plugins", group, GROUPS)
    return group


@lru_cache(maxsize=8)
def _entries(path: tuple[str, ...]) -> tuple[Plugin, ...]:
    """All entry points of lcgen's groups in the distributions on a search path."""
    from importlib.metadata import distributions

    found: dict[tuple[str, str, str], Plugin] = {}
    for distribution in distributions(path=list(path)):
        try:
            # a distribution that lies on the path twice is imported from its first place
            for entry in _entry_points(distribution):
                found.setdefault((entry.group, entry.name, _normal(entry.distribution)), entry)
        except Exception as error:
            where = getattr(distribution, "_path", "a distribution")
            _warn(f"the entry points of {os.fspath(where)!s} cannot be read, it is skipped: {_reason(error)}")
    return tuple(found.values())


def _entry_points(distribution: Distribution) -> Iterator[Plugin]:
    # most distributions have none, and to parse the metadata of all would take long
    if not any(group in (distribution.read_text("entry_points.txt") or "") for group in GROUPS):
        return
    known = {}
    for field in ("Name", "Version"):
        # of importlib_metadata, whose finders serve as well once that package is imported, a missing one is an error
        with contextlib.suppress(KeyError):
            known[field] = distribution.metadata[field]
    name, version = known.get("Name"), known.get("Version")
    if not name:
        raise ValueError("its metadata has no name")
    for entry in distribution.entry_points:
        if entry.group in GROUPS:
            words = {"group": entry.group, "name": entry.name, "value": entry.value}
            yield Plugin(**words, distribution=name, version=version or "unknown")


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


@lru_cache(maxsize=32)
def _of_group(path: tuple[str, ...], group: str) -> tuple[Plugin, ...]:
    """The plugins of a group, those that are hidden with the reason."""
    mine = [p for p in _entries(path) if p.group == group]
    if not mine:
        return ()
    own, first, out = _own_names(group), {}, []
    for plugin in sorted(mine, key=lambda p: (p.name, _normal(p.distribution))):
        error = None
        if plugin.name in own:
            error = f"{plugin.name!r} is a name of lcgen's own, which comes first"
        elif plugin.name in first and group != "lcgen.plugins":
            error = f"{first[plugin.name]} comes first"
        else:
            first.setdefault(plugin.name, plugin)
        out.append(dataclasses.replace(plugin, error=error))
    return tuple(out)


def _own_names(group: str) -> tuple[str, ...]:
    """The names of lcgen's own; imported where a plugin may collide with them, as exporters are not light."""
    if group == "lcgen.cadences":
        from .cadence.recipe import list_recipes

        return list_recipes()
    if group == "lcgen.regressors":
        from .latent.lookup import BUILT_IN

        return BUILT_IN
    if group == "lcgen.exporters":
        from .export import FORMATS

        return tuple(FORMATS)
    return ()


# -- loading -------------------------------------------------------------------------------------------

_LOADED: dict[Plugin, Any] = {}
_WARNED: set[str] = set()


def _warn(text: str) -> None:
    if text not in _WARNED:
        _WARNED.add(text)
        warnings.warn(text, PluginWarning, stacklevel=3)


def _reason(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _loaded(plugin: Plugin) -> Any:
    if plugin in _LOADED:
        return _LOADED[plugin]
    from importlib.metadata import EntryPoint

    entry = EntryPoint(name=plugin.name, value=plugin.value, group=plugin.group)
    if entry.pattern.match(plugin.value) is None:
        raise PluginError(f"{plugin} cannot be used: {plugin.value!r} is not of the form module:attribute")
    try:
        found = _CHECKS[plugin.group](entry.load(), plugin.name)
    except _Unfit as error:
        raise PluginError(f"{plugin} cannot be used: {error}") from None
    except (Exception, SystemExit) as error:  # a module may do anything when it is imported
        raise PluginError(f"{plugin} cannot be used: {_reason(error)}") from error
    _LOADED[plugin] = found
    return found


def _tried(plugin: Plugin) -> Plugin:
    if plugin.error is not None:
        return plugin
    # neither warnings nor words of third packages belong into a listing
    with warnings.catch_warnings(), open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        warnings.simplefilter("ignore")
        try:
            _loaded(plugin)
        except PluginError as error:
            return dataclasses.replace(plugin, error=str(error).removeprefix(f"{plugin} cannot be used: "))
    return plugin


class _Unfit(LcgenError):
    """What was loaded is not what the group asks for."""


def _cadence(found: Any, name: str) -> Any:
    from .cadence import Cadence

    if isinstance(found, type) or (callable(found) and not isinstance(found, Cadence)):
        found = found()
    missing = [word for word in ("name", "bands", "per_star", "visits") if not hasattr(found, word)]
    if isinstance(found, type) or missing:
        raise _Unfit(
            f"it gives {_kind(found)}, which is no cadence{': it lacks ' * bool(missing)}{', '.join(missing)}; allowed "
            "are a Cadence and a callable without arguments that returns one"
        )
    return found


def _regressor(found: Any, name: str) -> Any:
    _class_with(found, name, ("fit", "predict", "sample", "to_state", "from_state"), "LatentRegressor")
    return found


def _exporter(found: Any, name: str) -> Any:
    _class_with(found, name, ("folder", "check", "write"), "Exporter")
    if not dataclasses.is_dataclass(found) or not getattr(found, "__dataclass_params__").frozen:  # noqa: B009
        raise _Unfit(f"it is {_kind(found)}, which is no frozen dataclass")
    for field in dataclasses.fields(found):
        if field.init and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise _Unfit(f"it is {_kind(found)}, whose option {field.name} has no default")
    return found


def _class_with(found: Any, name: str, words: tuple[str, ...], protocol: str) -> None:
    if not isinstance(found, type):
        raise _Unfit(f"it is {_kind(found)}, not a class that fulfils {protocol}")
    missing = [word for word in ("name", *words) if not hasattr(found, word)]
    if missing:
        raise _Unfit(f"it is {_kind(found)}, which does not fulfil {protocol}: it lacks {', '.join(missing)}")
    own: Any = getattr(found, "name", None)
    if own != name:
        raise _Unfit(f"it is {_kind(found)} with the name {own!r}, and its entry point has {name!r}; they must agree")


def _module(found: Any, name: str) -> Any:
    if not isinstance(found, ModuleType):
        raise _Unfit(f"it is {_kind(found)}, not a module")
    return found


def _kind(found: Any) -> str:
    return f"the class {found.__name__}" if isinstance(found, type) else f"an object of type {type(found).__name__}"


_CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "lcgen.cadences": _cadence,
    "lcgen.regressors": _regressor,
    "lcgen.exporters": _exporter,
    "lcgen.plugins": _module,
}
