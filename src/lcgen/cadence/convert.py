"""Whatever a caller means by a cadence, as a cadence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, UnknownNameError
from .columns import find_columns
from .epochs import EpochLibrary, read_epochs
from .opsim import OpSim
from .recipe import list_recipes, load_recipe
from .tables import VisitTable, column_names, from_table
from .visits import Cadence, FixedCadence, Visits, from_arrays

__all__ = ["as_cadence"]

_ALLOWED = (
    "a Cadence, Visits, an array of MJD, a pair (mjd, band), an astropy Table or pandas DataFrame, a path "
    "(.db, .sqlite, .parquet, .csv, .ecsv, .dat, .h5, .toml) or the name of a recipe"
)


def as_cadence(obj: Any) -> Cadence:
    """`obj` as a cadence.

    Parameters
    ----------
    obj : Cadence, Visits, array_like, tuple, table, path-like or str
        - a cadence: returned as it is;
        - :class:`Visits`, an array of MJD (band V), or a pair ``(mjd, band)``: the same for all stars;
        - an astropy Table, pandas DataFrame, structured array or dict of columns: the same for all stars;
        - ``.db``, ``.sqlite``: :class:`OpSim`; ``.parquet``, ``.csv``, ``.ecsv``: :class:`VisitTable` if it
          has positions, else the same for all stars; ``.dat``: :func:`read_epochs`; ``.h5``:
          :class:`EpochLibrary`; ``.toml`` or the name of a recipe: :func:`load_recipe`.

    Raises
    ------
    InputError
        If it is none of these.
    CadenceError
        If it cannot be read.

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
    if isinstance(obj, dict) or hasattr(obj, "columns") or hasattr(obj, "colnames"):
        return from_table(obj)
    if isinstance(obj, np.ndarray) and obj.dtype.names:
        return from_table(obj)
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
    match path.suffix.lower():
        case ".db" | ".sqlite" | ".sqlite3":
            return OpSim(path)
        case ".parquet" | ".csv" | ".ecsv":
            return _table(path)
        case ".dat":
            return read_epochs(path)
        case ".h5" | ".hdf5":
            return EpochLibrary(path)
        case ".toml":
            return load_recipe(path)
    if text in list_recipes():
        return load_recipe(text)
    if path.exists() or os.sep in text:
        raise InputError(f"{text}: the kind of schedule is told by the ending; a cadence may be {_ALLOWED}")
    raise UnknownNameError("cadence recipe", text, list_recipes(), hint=f"a cadence may be {_ALLOWED}")


def _table(path: Path) -> Cadence:
    return VisitTable(path) if {"ra", "dec"} <= set(find_columns(column_names(path))) else from_table(path)
