"""Joining tables of parameters to light curves by star."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, UnitError, UnknownNameError
from ..lightcurve import LightCurves
from ..taxonomy import PARAMETERS, PHYSICAL
from .assemble import lookup
from .columns import canonical_column

__all__ = ["join_parameters"]


def join_parameters(
    lightcurves: LightCurves,
    parameters: Mapping[str, Any],
    *,
    on: str = "id",
    columns: Iterable[str] | None = None,
) -> LightCurves:
    """Add the physical parameters of a table to light curves, star by star.

    What the light curves know already is never overwritten: a value of the table goes only where there is
    none.

    Parameters
    ----------
    lightcurves : LightCurves
        The stars.
    parameters : mapping of str to array_like, shape (n_rows,)
        A :class:`StarTable`, a dict of arrays, an astropy Table or a pandas DataFrame; column names are
        understood as in :func:`canonical_column`. Stars may be absent, and there may be others.
    on : str, optional
        Column that names the star, in both.
    columns : iterable of str, optional
        Columns of the table to join. Default: the physical parameters it has
        (:data:`lcgen.taxonomy.PHYSICAL`).

    Returns
    -------
    LightCurves
        The same stars, with NaN (or ``""``) where nothing is known. ``meta["joined"]`` is the number of stars
        found.

    Raises
    ------
    InputError
        If a star has two rows in the table, or a column there is not one-dimensional.
    UnitError
        If a column has a unit that does not fit.
    UnknownNameError
        If a column is not there.
    """
    columns_by_name = _canonical_names(parameters)
    if on not in columns_by_name:
        raise UnknownNameError("column", on, columns_by_name, hint="the table must name its stars")
    if on not in lightcurves.columns:
        raise UnknownNameError("column", on, lightcurves.columns, hint="the light curves must name their stars")
    key = _names(parameters[columns_by_name[on]])
    stars = _names(lightcurves.columns[on])
    names, counts = np.unique(key, return_counts=True)
    if np.any(counts > 1):
        example = names[np.argmax(counts)]
        raise InputError(
            f"{int((counts > 1).sum())} stars have more than one row in the table, for example {example!r}; "
            "merge them first (StarTable.one_row_per_star)"
        )
    if columns is None:
        wanted = [n for n in PHYSICAL if n in columns_by_name]
    else:
        wanted = [canonical_column(n) or n for n in columns]
        for name in wanted:
            if name not in columns_by_name:
                raise UnknownNameError("column", name, columns_by_name)
    joined = dict(lightcurves.columns)
    for name in wanted:
        column = _plain(name, parameters[columns_by_name[name]])
        if column.size != key.size:
            raise InputError(f"column {name!r} of the table has {column.size} rows for {key.size} stars")
        found = lookup(column, key, stars)
        if name in joined:
            present = np.asarray(joined[name])
            unknown = present == "" if present.dtype.kind == "U" else np.isnan(present.astype(float))
            found = np.where(unknown, found, present)
        joined[name] = found
    return replace(lightcurves, columns=joined, meta={**lightcurves.meta, "joined": int(np.isin(stars, names).sum())})


def _canonical_names(parameters: Mapping[str, Any]) -> dict[str, str]:
    """The table's own name of each column, by the name lcgen uses."""
    # astropy tables iterate over rows, mappings and pandas frames over names
    names = getattr(parameters, "colnames", None) or list(parameters)
    own: dict[str, str] = {}
    for name in names:
        new = canonical_column(name) or name
        if new in own:
            raise InputError(f"the columns {own[new]!r} and {name!r} of the table both mean {new!r}")
        own[new] = name
    return own


def _names(given: Any) -> NDArray[np.str_]:
    column = np.asarray(given)
    return np.array([v.decode() if isinstance(v, bytes) else str(v) for v in column.tolist()], dtype=np.str_)


def _plain(name: str, given: Any) -> NDArray:
    """A column as floats or strings, in lcgen's unit, NaN or ``""`` where it is masked."""
    mask = np.ma.getmaskarray(given) if np.ma.isMA(given) else None
    column = np.asarray(_in_unit(name, given))
    if column.ndim != 1:
        raise InputError(f"column {name!r} of the table has shape {column.shape}, one dimension is expected")
    if column.dtype.kind in "OSTU":
        plain = _names(column)
    elif column.dtype.kind in "fiub":
        plain = column.astype(float)
    else:
        raise InputError(f"column {name!r} of the table has type {column.dtype}; numbers or words are expected")
    if mask is not None and mask.any():
        plain[mask] = "" if plain.dtype.kind == "U" else np.nan
    return plain


def _in_unit(name: str, given: Any) -> Any:
    expected = PARAMETERS[name].unit if name in PARAMETERS else ""
    unit = getattr(given, "unit", None)
    if not expected or unit is None or str(unit) == expected:
        return given
    from astropy import units as u

    try:
        return u.Quantity(given).to_value(expected)
    except u.UnitsError as error:
        raise UnitError(f"column {name!r} has unit {unit}, which is no {expected}") from error
