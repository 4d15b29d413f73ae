"""Light curves of periodic variable stars nobody has observed yet.

Everything public is here, or one level down in a submodule. Names are imported when they are first used, so
that ``import lcgen`` costs next to nothing and torch is loaded only when a model is.

>>> import lcgen
>>> "RRLYR" in lcgen.CLASSES
True
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .assets import list_models
    from .cadence import as_cadence, load_recipe
    from .catalog import pack_directory, read_pack
    from .compare import compare
    from .ensemble import generate_ensemble, open_ensemble
    from .errors import (
        CadenceError,
        CheckpointError,
        ConfigError,
        DataError,
        DataFormatError,
        DomainError,
        EnsembleError,
        IncompleteEnsembleError,
        InputError,
        IntegrityError,
        LcgenError,
        MissingExtraError,
        PluginError,
        UnitError,
        UnknownNameError,
    )
    from .evaluate import evaluate
    from .generator import LightCurveGenerator, load_generator
    from .importer import import_pelsvae
    from .lightcurve import LightCurve, LightCurves
    from .stars import Stars
    from .taxonomy import CLASSES
    from .train import train

    __version__: str

__all__ = [
    "CLASSES",
    "CadenceError",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DataFormatError",
    "DomainError",
    "EnsembleError",
    "IncompleteEnsembleError",
    "InputError",
    "IntegrityError",
    "LcgenError",
    "LightCurve",
    "LightCurveGenerator",
    "LightCurves",
    "MissingExtraError",
    "PluginError",
    "Stars",
    "UnitError",
    "UnknownNameError",
    "__version__",
    "as_cadence",
    "compare",
    "evaluate",
    "generate_ensemble",
    "import_pelsvae",
    "list_models",
    "load_generator",
    "load_recipe",
    "open_ensemble",
    "pack_directory",
    "read_pack",
    "train",
]

_MODULE_OF = {
    "CLASSES": "taxonomy",
    "LightCurve": "lightcurve",
    "LightCurveGenerator": "generator",
    "LightCurves": "lightcurve",
    "Stars": "stars",
    "as_cadence": "cadence",
    "compare": "compare",
    "evaluate": "evaluate",
    "import_pelsvae": "importer",
    "generate_ensemble": "ensemble",
    "list_models": "assets",
    "load_generator": "generator",
    "load_recipe": "cadence",
    "open_ensemble": "ensemble",
    "pack_directory": "catalog",
    "read_pack": "catalog",
    "train": "train",
} | {name: "errors" for name in __all__ if name.endswith("Error")}

_SUBMODULES = frozenset(
    {
        *("cadence", "catalog", "datasets", "ensemble", "errors", "export", "latent", "observe"),
        *("photometry", "plot", "plugins", "population", "prepare", "sky", "taxonomy"),
    }
)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = _version()
    elif name in _MODULE_OF:
        value = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    elif name in _SUBMODULES:
        value = import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(__name__)
    except PackageNotFoundError:  # imported from a source tree that was never installed
        return "0+unknown"


class _Namespace(ModuleType):
    """Keeps functions such as ``lcgen.train``: importing the submodules would bind the modules of these names."""

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType) and _MODULE_OF.get(name) == name:
            value = getattr(value, name, value)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Namespace
