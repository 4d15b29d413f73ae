"""Latent regressors by name, as classes and as objects: lcgen's own, and those of plugins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from numpy.typing import NDArray

from ..errors import CheckpointError, InputError, LcgenError, UnknownNameError
from ..plugins import load_plugin, plugin_names, warn_hidden
from .base import ArrayRegressor, LatentRegressor

__all__ = [
    "BUILT_IN",
    "as_regressor",
    "list_regressors",
    "make_regressor",
    "regressor_class",
    "regressor_from_state",
    "restored",
]

_HOME = {
    "forest": ("forest", "ForestRegressor"),
    "linear": ("linear", "LinearRegressor"),
    "mlp": ("mlp", "MLPRegressor"),
}

BUILT_IN = ("flow", *sorted(_HOME), "released")
"""Names of lcgen's own regressors: the flow, the published ones, and released latents (:mod:`lcgen.latent.adapter`)."""


def list_regressors() -> tuple[str, ...]:
    """Names that :func:`make_regressor` understands: of the published regressors, then of plugins.

    Examples
    --------
    >>> list_regressors()[:3]
    ('forest', 'linear', 'mlp')
    """
    return (*sorted(_HOME), *plugin_names("lcgen.regressors"))


def make_regressor(name: str, **options: Any) -> LatentRegressor:
    """A regressor that is not fitted yet.

    Parameters
    ----------
    name : str
        ``"linear"``, ``"forest"``, ``"mlp"``, or the name of a plugin's regressor (:mod:`lcgen.plugins`).
    **options
        As the class of that name takes them.

    Raises
    ------
    UnknownNameError
        If there is no regressor of that name.
    InputError
        If it does not take an option.
    PluginError
        If it is the regressor of a plugin that cannot be used.

    Examples
    --------
    >>> make_regressor("linear", extra_uniform=False).name
    'linear'
    """
    return _made(regressor_class(name), options)


def _made(cls: Any, options: Mapping[str, Any]) -> LatentRegressor:
    if issubclass(cls, ArrayRegressor):
        unknown = sorted(set(options) - set(cls._options))
        if unknown:
            allowed = ", ".join(cls._options)
            raise InputError(f"the {cls.name} regressor has no option {unknown[0]!r}; allowed: {allowed}")
    try:
        return cls(**options)
    except LcgenError:
        raise
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the {cls.name} regressor cannot be made with the options {dict(options)}: {error}"
        ) from error


def as_regressor(obj: Any, **options: Any) -> LatentRegressor:
    """A regressor given by name, as a class or as an object.

    Parameters
    ----------
    obj : str, type or LatentRegressor
        An object is returned as it is.
    **options
        Of a regressor given by name or as a class.

    Raises
    ------
    UnknownNameError, PluginError
        As :func:`make_regressor` raises them.
    InputError
        If it does not fulfil :class:`LatentRegressor`, has the name of another regressor of lcgen, or does not take an
        option.

    Examples
    --------
    >>> from lcgen.latent import LinearRegressor
    >>> as_regressor(LinearRegressor).name
    'linear'
    """
    if isinstance(obj, str):
        return make_regressor(obj, **options)
    cls = obj if isinstance(obj, type) else type(obj)
    missing = [word for word in ("fit", "predict", "sample", "to_state", "from_state") if not hasattr(obj, word)]
    name = getattr(obj, "name", None)
    if missing or not isinstance(name, str) or not name:
        lacks = ", ".join(missing) or "a name"
        raise InputError(f"{cls.__name__} does not fulfil LatentRegressor: it lacks {lacks}")
    if name in BUILT_IN and (name not in _HOME or cls is not _own_class(name)):
        raise InputError(f"{cls.__name__} has the name {name!r} of another regressor of lcgen; give it one of its own")
    if isinstance(obj, type):
        return _made(obj, options)
    if options:
        raise InputError(f"options go with the name or the class of a regressor; the {name} object has its own")
    return obj


def regressor_from_state(
    config: Mapping[str, Any], arrays: Mapping[str, NDArray], *, known: Sequence[type] = ()
) -> LatentRegressor:
    """The regressor whose :meth:`~LatentRegressor.to_state` gave these.

    Parameters
    ----------
    config : mapping
        With its ``name``.
    arrays : mapping of str to ndarray
    known : sequence of type
        Classes of regressors that no installed package names.

    Raises
    ------
    CheckpointError
        If they describe none, or one of a plugin that is not installed.
    PluginError
        If it is the regressor of a plugin that cannot be used.
    """
    return restored(config.get("name"), config, arrays, known=known)


def restored(
    name: object,
    config: Mapping[str, Any],
    arrays: Mapping[str, NDArray],
    *,
    known: Sequence[type] = (),
    origin: str = "",
) -> LatentRegressor:
    """A stored regressor of the class called `name`; `origin` is the distribution that had it when it was stored."""
    given = [cls for cls in known if getattr(cls, "name", None) == name and name not in BUILT_IN]
    try:
        cls = given[0] if given else regressor_class(name)
    except UnknownNameError as error:
        if not isinstance(name, str):
            raise CheckpointError(str(error)) from error
        where = f"It came with {origin}: install that" if origin else "Install the package that brings it"
        raise CheckpointError(
            f"the latent regressor {name!r} is neither lcgen's own nor that of an installed plugin (see lcgen plugins)"
            f". {where}, or name its class: load_generator(model, regressors=[...])"
        ) from error
    try:
        return cls.from_state(config, arrays)
    except LcgenError:
        raise
    except Exception as error:  # of somebody else's class: it may raise anything
        raise CheckpointError(f"the {name} regressor does not understand what was stored: {error!r}") from error


def regressor_class(name: object) -> Any:
    """The class of a regressor, lcgen's own or a plugin's.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    PluginError
        If it is that of a plugin that cannot be used.
    """
    if isinstance(name, str):
        if name in _HOME:
            warn_hidden("lcgen.regressors", name)
            return _own_class(name)
        try:
            if name not in BUILT_IN:
                return load_plugin("lcgen.regressors", name)
        except UnknownNameError:
            pass
    raise UnknownNameError("regressor", name, list_regressors())


def _own_class(name: str) -> type[ArrayRegressor]:
    module, cls = _HOME[name]
    return getattr(import_module(f".{module}", __package__), cls)
