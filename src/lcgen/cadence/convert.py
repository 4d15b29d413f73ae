"""Whatever a caller means by a cadence, as a cadence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, UnknownNameError
from ..plugins import load_plugin, warn_hidden
from .columns import find_columns
from .epochs import EpochLibrary, is_epochs, read_epochs
from .fieldlog import FieldLog, read_log
from .opsim import OpSim
from .recipe import list_cadences, list_recipes, load_recipe
from .tables import ENDINGS, VisitTable, column_names, ending, from_table, is_obs_table, names_of
from .visits import Cadence, FixedCadence, Visits, from_arrays

__all__ = ["as_cadence"]

_ALLOWED = (
    "a Cadence, Visits, an array of MJD, a pair (mjd, band), an astropy Table or pandas DataFrame, a LightCurveLynx "
    f"ObsTable, a path (.db, .sqlite, {', '.join(ENDINGS)}, .dat, .txt, .log, .h5, .toml) or the name of a recipe or "
    "of a plugin's cadence"
)


def as_cadence(obj: Any) -> Cadence:
    """`obj` as a cadence.

    Parameters
    ----------
    obj : Cadence, Visits, array_like, tuple, table, path-like or str
        - a cadence: returned as it is;
        - :class:`Visits`, an array of MJD (band V), or a pair ``(mjd, band)``: the same for all stars;
        - an astropy Table, pandas DataFrame, structured array, dict of columns or LightCurveLynx ObsTable, or a path
          that ends in ``.parquet``, ``.csv``, ``.ecsv``, ``.fits`` or ``.tbl``: :class:`VisitTable` if it has
          positions, :class:`FieldLog` if it has several fields, else the same for all stars;
        - ``.db``, ``.sqlite``: :class:`OpSim`; ``.dat``, ``.txt``: :func:`read_epochs` if it holds numbers only, else
          :class:`FieldLog`, or :class:`VisitTable` if it has positions; ``.h5``: :class:`EpochLibrary`; ``.toml`` or
          the name of a recipe: :func:`load_recipe`;
        - the name of a plugin's cadence (:mod:`lcgen.plugins`): that cadence.

    Raises
    ------
    InputError
        If it is none of these.
    CadenceError
        If it cannot be read.
    PluginError
        If it is the cadence of a plugin that cannot be used.

    Examples
    --------
    >>> as_cadence("lsst-wfd").bands
    ('u', 'g', 'r', 'i', 'z', 'y')
    >>> as_cadence(([60000.0, 60001.0], ["g", "r"])).per_star
    False
    """
    if isinstance(obj, Visits):
        return FixedCadence(name="visits", table=obj)
    if isinstance(obj, (str, os.PathLike)):
        return _from_path(obj)
    if isinstance(obj, type):
        raise InputError(f"a cadence may be {_ALLOWED}; received the class {obj.__name__}")
    if isinstance(obj, Cadence):
        return obj
    if hasattr(obj, "mjd") and hasattr(obj, "scale"):
        return from_arrays(obj)
    if is_obs_table(obj):
        return VisitTable(obj)
    is_records = isinstance(obj, np.ndarray) and bool(obj.dtype.names)
    if is_records or isinstance(obj, dict) or hasattr(obj, "columns") or hasattr(obj, "colnames"):
        return _from_columns(obj, names_of(obj))
    if isinstance(obj, tuple) and len(obj) == 2 and _are_bands(obj[1]):
        return from_arrays(obj[0], obj[1])
    if isinstance(obj, (np.ndarray, list, tuple, range)) or hasattr(obj, "__array__"):
        times = np.asarray(obj, dtype=object) if isinstance(obj, (list, tuple)) else np.asarray(obj)
        if times.ndim != 1:
            raise InputError(f"an array of times must have one dimension, received shape {times.shape}")
        return from_arrays(obj)  # type: ignore[arg-type]
    raise InputError(f"a cadence may be {_ALLOWED}; received {type(obj).__name__}")


def _are_bands(value: Any) -> bool:
    if isinstance(value, str):
        return True
    try:
        array = np.asarray(value)
    except ValueError:
        return False
    return array.dtype.kind in "US" or (array.dtype.kind == "O" and all(isinstance(x, str) for x in array.ravel()))


def _from_path(obj: str | os.PathLike[str]) -> Cadence:
    text = os.fspath(obj)
    path = Path(text)
    kind = ending(path)
    if kind in ENDINGS:
        return _from_columns(path, column_names(path))
    match kind:
        case ".db" | ".sqlite" | ".sqlite3":
            return OpSim(path)
        case ".dat" | ".txt" | ".log":
            return _from_text(path)
        case ".h5" | ".hdf5":
            return EpochLibrary(path)
        case ".toml":
            return load_recipe(path)
    if text in list_recipes():
        warn_hidden("lcgen.cadences", text)
        return load_recipe(text)
    try:
        return load_plugin("lcgen.cadences", text)
    except UnknownNameError:
        if path.exists() or os.sep in text:
            raise InputError(
                f"{text}: the kind of schedule is told by the ending; a cadence may be {_ALLOWED}"
            ) from None
        raise UnknownNameError("cadence", text, list_cadences(), hint=f"a cadence may be {_ALLOWED}") from None


def _from_columns(table: Any, names: list[str]) -> Cadence:
    found = find_columns(names)
    if {"ra", "dec"} <= found.keys():
        return VisitTable(table)
    if "field" not in found:
        return from_table(table)
    log = FieldLog(table)
    return log if log.per_star else from_table(table)


def _from_text(path: Path) -> Cadence:
    if is_epochs(path):
        return read_epochs(path)
    columns = read_log(path)
    return VisitTable(columns, name=path.stem) if {"ra", "dec"} <= find_columns(columns).keys() else FieldLog(path)
