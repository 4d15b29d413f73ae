"""Reading what a caller says about stars: mappings, tables, data frames, structured arrays, quantities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DomainError, InputError, UnitError, UnknownNameError
from .taxonomy import CLASS_INFO, PARAMETERS, Parameter, class_info, parameter_info

__all__ = ["StarRequest", "days", "read_request"]


@dataclass(frozen=True, kw_only=True, eq=False)
class StarRequest:
    """What is asked for, star by star.

    Attributes
    ----------
    classes : ndarray of str, shape (n,)
    subclass : ndarray of str, shape (n,)
        Empty where it is to be drawn.
    known : mapping of str to ndarray, shape (n,)
        Parameters in natural units; NaN where they are to be drawn.
    scalar : bool
        Whether one star was asked for, with scalars.
    """

    classes: NDArray[np.str_]
    subclass: NDArray[np.str_]
    known: Mapping[str, NDArray[np.float64]]
    scalar: bool


def _columns_of(params: Any) -> dict[str, Any]:
    if params is None:
        return {}
    if isinstance(params, Mapping):
        return dict(params)
    names = getattr(params, "colnames", None)  # astropy Table and QTable
    if names is None and getattr(params, "columns", None) is not None:  # pandas DataFrame
        names = [str(c) for c in params.columns]
    if names is None and getattr(getattr(params, "dtype", None), "names", None):  # structured array
        names = list(params.dtype.names)
    if names is None:
        raise InputError(
            "params must be a mapping, an astropy Table, a pandas DataFrame or a structured array, "
            f"received {type(params).__name__}"
        )
    return {name: params[name] for name in names}


def _strip_unit(value: Any, info: Parameter) -> Any:
    unit = getattr(value, "unit", None)
    if unit is None:
        return value
    from astropy import units as u

    target = u.Unit(info.unit) if info.unit else u.dimensionless_unscaled
    if info.name in ("fe_h", "logg") and u.Unit(unit) == u.dex:
        target = u.dex
    try:
        if info.name == "logg" and isinstance(unit, u.DexUnit):
            return u.Dex(value, unit).to(u.dex(u.cm / u.s**2)).value
        return u.Quantity(value, unit).to(target).value
    except (u.UnitConversionError, TypeError, ValueError) as error:
        raise UnitError(
            f"{info.name} is in {unit}, which cannot be converted into {info.unit or 'a number without unit'}"
        ) from error


def days(times: Any) -> NDArray[np.float64]:
    """Times given as a Quantity, in days.

    Raises
    ------
    UnitError
        If the unit is not one of time.
    """
    from astropy import units as u

    try:
        return np.asarray(u.Quantity(times).to(u.day).value, dtype=float)
    except u.UnitConversionError as error:
        raise UnitError(f"times are in {times.unit}, which cannot be converted into d") from error


def _mask_of(value: Any) -> NDArray[np.bool_]:
    """What is masked of an array, a column or a quantity; converting any of them drops the mask in silence."""
    mask = getattr(value, "mask", False)
    return np.asarray(False if callable(mask) else mask, dtype=bool)  # in pandas, mask is a method


def _as_floats(name: str, value: Any) -> NDArray[np.float64]:
    info = parameter_info(name)
    mask = _mask_of(value)
    value = _strip_unit(value, info)
    try:
        if np.iscomplexobj(value):
            raise TypeError("complex numbers")
        array = np.where(mask, np.nan, np.asarray(value, dtype=float))
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be numbers, received {value!r:.80}") from error
    if array.ndim > 1:
        raise InputError(f"{name} must be a number or one-dimensional, received shape {array.shape}")
    bad = np.isinf(array) | (np.isfinite(array) & ((array < info.low) | (array > info.high)))
    if bad.any():
        unit = f" {info.unit}" if info.unit else ""
        raise DomainError(
            name, float(array[bad].flat[0]), info.low, info.high, hint=f"no such {info.description}{unit} is possible"
        )
    return array


def _as_names(value: Any) -> NDArray[Any]:
    """Names as an array; empty where they are masked or missing in the sense of pandas."""
    mask, names = _mask_of(value), np.asarray(value)
    if names.dtype.kind == "O":
        names = np.array(["" if _is_missing(v) else v for v in names.ravel()], dtype=object).reshape(names.shape)
    return np.where(mask, "", names) if mask.any() else names


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value)) or type(value).__name__ == "NAType"


def read_request(
    classes: str | Sequence[str] | NDArray,
    params: Any = None,
    *,
    subclass: str | Sequence[str] | NDArray | None = None,
    n: int | None = None,
    allowed_classes: Sequence[str] = tuple(CLASS_INFO),
) -> StarRequest:
    """Bring classes, parameters and subclasses to one length.

    Parameters
    ----------
    classes : str or sequence of str
        One class for all stars, or one a star.
    params : mapping, astropy Table, pandas DataFrame or structured array, optional
        Scalars or columns of length n, with or without units. NaN and masked entries mean "draw it". Columns
        ``class`` and ``subclass`` are left out here.
    subclass : str or sequence of str, optional
        One for all stars or one a star; an empty string means "draw it".
    n : int, optional
        Number of stars, where nothing else says it.
    allowed_classes : sequence of str
        Classes the model knows.

    Returns
    -------
    StarRequest

    Raises
    ------
    UnknownNameError
        For a class, subclass or parameter that is not known.
    UnitError, DomainError, InputError
        For units that do not fit, impossible values, and lengths that disagree.
    """
    columns = _columns_of(params)
    if subclass is None and "subclass" in columns:
        subclass = columns["subclass"]
    columns = {k: v for k, v in columns.items() if k not in ("class", "subclass", "star_id")}
    for name in columns:
        if name not in PARAMETERS:
            raise UnknownNameError("parameter", name, PARAMETERS)
    values = {name: _as_floats(name, value) for name, value in columns.items()}
    names = np.asarray(classes)
    if names.dtype.kind not in "UO" or names.ndim > 1:
        raise InputError(f"classes must be a name or a sequence of names, received {classes!r:.80}")
    subs = _as_names("" if subclass is None else subclass)
    if subs.dtype.kind not in "UO" or subs.ndim > 1:
        raise InputError(f"subclass must be a name or a sequence of names, received {subclass!r:.80}")

    lengths = {"classes": names, "subclass": subs, **values}
    sized = {name: a.size for name, a in lengths.items() if a.ndim == 1}
    if n is not None:
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
            raise InputError(f"the number of stars must be a whole number of at least 0, received {n!r}")
        sized["n"] = int(n)
    if len(set(sized.values())) > 1:
        raise InputError("lengths disagree: " + ", ".join(f"{k} has {v}" for k, v in sized.items()))
    total = next(iter(sized.values()), 1)

    class_column = np.broadcast_to(names, (total,)).astype(str)
    for name in np.unique(class_column):
        if name not in allowed_classes:
            raise UnknownNameError("class", str(name), allowed_classes)
    sub_column = np.broadcast_to(subs, (total,)).astype(str)
    for cls, sub in {(str(c), str(s)) for c, s in zip(class_column, sub_column, strict=True)}:
        if sub and sub not in class_info(cls).subclasses:
            raise UnknownNameError(f"subclass of {cls}", sub, class_info(cls).subclasses)
    return StarRequest(
        classes=class_column,
        subclass=sub_column,
        known={name: np.broadcast_to(a, (total,)).astype(float) for name, a in values.items()},
        scalar=not sized,
    )
