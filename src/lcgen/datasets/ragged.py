"""Light curves of different lengths as flat arrays: what is taken of them, and the views that others read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError, MissingExtraError, UnknownNameError
from ..lightcurve import LightCurves, phase_of
from .selection import Selection, require_columns

__all__ = ["Ragged", "finish", "ragged"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Ragged:
    """Light curves of different lengths: flat arrays and the offsets of the stars in them.

    Attributes
    ----------
    values : mapping of str to ndarray, shape (n_obs,)
        One array a feature.
    offsets : ndarray of int64, shape (n_stars + 1,)
        Star ``i`` owns ``offsets[i]:offsets[i + 1]``.
    mjd : ndarray of float64, shape (n_obs,)
        Times [d], ascending within a star.
    band : ndarray of uint8, shape (n_obs,)
        Index into `band_names`.
    band_names : tuple of str
    star_id : ndarray of int64, shape (n_stars,)
    label : ndarray of int64, shape (n_stars,), or None
    columns : mapping of str to ndarray, shape (n_stars,)
        Numbers that are known of the stars, and what transforms add to them.
    """

    values: Mapping[str, NDArray]
    offsets: NDArray[np.int64]
    mjd: NDArray[np.float64]
    band: NDArray[np.uint8]
    band_names: tuple[str, ...]
    star_id: NDArray[np.int64]
    label: NDArray[np.int64] | None = None
    columns: Mapping[str, NDArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.offsets.ndim != 1 or not self.offsets.size or self.offsets[0] != 0 or np.any(np.diff(self.offsets) < 0):
            raise InputError("offsets must be one-dimensional, start at 0 and not decrease")
        for name, array in {"mjd": self.mjd, "band": self.band, **self.values}.items():
            if array.shape != (int(self.offsets[-1]),):
                raise InputError(f"{name} has shape {array.shape}, offsets ask for ({int(self.offsets[-1])},)")
        for name, array in {"star_id": self.star_id, **self.columns}.items():
            if array.shape != (len(self),):
                raise InputError(f"column {name!r} has shape {array.shape} for {len(self)} stars")

    def __len__(self) -> int:
        return int(self.offsets.size - 1)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Observations of each star, shape (n_stars,)."""
        return np.diff(self.offsets)

    @property
    def star_index(self) -> NDArray[np.int64]:
        """Index of the star that each observation belongs to, shape (n_obs,)."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @classmethod
    def concatenate(cls, parts: Sequence[Ragged]) -> Ragged:
        """Stars of several sets with the same features, columns and bands as one.

        Raises
        ------
        InputError
            If there is none, or they do not have the same.
        """
        if not parts:
            raise InputError("nothing to concatenate")
        first = parts[0]
        if len(parts) == 1:
            return first
        for part in parts[1:]:
            same = (part.band_names, set(part.values), set(part.columns), part.label is None)
            if same != (first.band_names, set(first.values), set(first.columns), first.label is None):
                raise InputError("only light curves with the same bands, features, columns and labels can be joined")
        label = [p.label for p in parts if p.label is not None]
        return cls(
            values={name: np.concatenate([p.values[name] for p in parts]) for name in first.values},
            offsets=np.concatenate([[0], np.cumsum(np.concatenate([p.lengths for p in parts]))]).astype(np.int64),
            mjd=np.concatenate([p.mjd for p in parts]),
            band=np.concatenate([p.band for p in parts]),
            band_names=first.band_names,
            star_id=np.concatenate([p.star_id for p in parts]),
            label=np.concatenate(label) if label else None,
            columns={name: np.concatenate([p.columns[name] for p in parts]) for name in first.columns},
        )

    def where(self, keep: NDArray[np.bool_]) -> Ragged:
        """The same stars with the observations for which the mask `keep`, shape (n_obs,), is true."""
        total = np.concatenate([[0], np.cumsum(keep)])
        return self._rows(np.flatnonzero(keep), total[self.offsets].astype(np.int64))

    def take(self, stars: ArrayLike) -> Ragged:
        """The stars with the given indices, in that order."""
        stars = np.atleast_1d(np.asarray(stars, dtype=np.int64))
        counts = self.lengths[stars]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        rows = np.arange(offsets[-1]) + np.repeat(self.offsets[stars] - offsets[:-1], counts)
        return replace(
            self._rows(rows, offsets, check=False),
            star_id=self.star_id[stars],
            label=None if self.label is None else self.label[stars],
            columns={name: column[stars] for name, column in self.columns.items()},
        )

    def in_order(self) -> Ragged:
        """The observations of each star in order of time; those of equal times as they came."""
        ascending = np.diff(self.mjd) >= 0
        inner = self.offsets[1:-1]
        ascending[inner[(inner > 0) & (inner < self.mjd.size)] - 1] = True
        if ascending.all():
            return self
        return self._rows(np.lexsort((self.mjd, self.star_index)), self.offsets)

    def _rows(self, rows: NDArray, offsets: NDArray[np.int64], *, check: bool = True) -> Ragged:
        changed: dict[str, Any] = {
            "values": {name: value[rows] for name, value in self.values.items()},
            "offsets": offsets,
            "mjd": self.mjd[rows],
            "band": self.band[rows],
        }
        if check:
            return replace(self, **changed)
        # the number of stars changes with it: the caller puts that right
        n = offsets.size - 1
        return replace(self, **changed, star_id=np.zeros(n, np.int64), label=None, columns={})

    # -- for others --------------------------------------------------------------------------------

    def triples(
        self, t: str = "mjd", m: str = "mag", sigma: str = "mag_err", *, band: str | None = None, dtype: Any = None
    ) -> list[tuple[NDArray, NDArray, NDArray]]:
        """One ``(t, m, sigma)`` a star, as the package light-curve takes them.

        ``extractor.many(triples, sorted=True)`` computes features of all of them.
        Times ascend, and may be equal: ``sorted=True`` tells that package, which else refuses equal times.

        Parameters
        ----------
        t, m, sigma : str
            Names of values; ``"mjd"`` is always there.
        band : str, optional
            Only observations in this band.
        dtype : dtype, optional
            Of all three, float64 by default: an MJD in float32 is good to six minutes only. What has that type
            already is not copied.

        Raises
        ------
        UnknownNameError
            If there are no such values, or no such band.
        """
        source = self if band is None else self.where(self.band == self._band(band))
        arrays = [
            np.asarray(source._value(name), dtype=np.float64 if dtype is None else dtype) for name in (t, m, sigma)
        ]
        edges = source.offsets.tolist()
        return [(arrays[0][a:b], arrays[1][a:b], arrays[2][a:b]) for a, b in pairwise(edges)]

    def to_arrow(self, names: Sequence[str] | None = None, *, dtype: Any = None) -> Any:
        """The values as a pyarrow array: one list a star, of structs with a field a name.

        Parameters
        ----------
        names : sequence of str, optional
            Names of values and ``"mjd"``; ``"mjd"`` and all values by default.
        dtype : dtype, optional
            One type for all fields, which the package light-curve asks for
            (``extractor.many(array, arrow_fields={"t": "mjd", "m": "mag", "sigma": "mag_err"}, sorted=True)``).

        Returns
        -------
        pyarrow.LargeListArray
            On the memory of the arrays themselves, without copies, where `dtype` changes nothing.

        Raises
        ------
        MissingExtraError
            If pyarrow is not installed.
        UnknownNameError
            If there are no such values.
        """
        try:
            import pyarrow as pa
        except ImportError:
            raise MissingExtraError("pyarrow", "parquet", "an Arrow view of light curves") from None
        chosen = tuple(dict.fromkeys(("mjd", *self.values))) if names is None else tuple(names)
        arrays = [np.ascontiguousarray(self._value(name), dtype=dtype) for name in chosen]
        fields = pa.StructArray.from_arrays([pa.array(a) for a in arrays], names=list(chosen))
        return pa.LargeListArray.from_arrays(pa.array(np.ascontiguousarray(self.offsets)), fields)

    def _value(self, name: str) -> NDArray:
        if name == "mjd":
            return self.mjd
        if name not in self.values:
            raise UnknownNameError("value", name, ("mjd", *self.values))
        return self.values[name]

    def _band(self, name: str) -> int:
        if name not in self.band_names:
            raise UnknownNameError("band", name, self.band_names)
        return self.band_names.index(name)


def ragged(curves: LightCurves, select: Selection | None = None) -> Ragged:
    """Light curves as flat arrays, with what a selection takes of them.

    The one path of all datasets, and of real data read with :func:`lcgen.read_pack`: the same observations give the
    same values wherever they come from.

    Parameters
    ----------
    curves : LightCurves
    select : Selection, optional
        Times, fluxes and their errors by default.

    Raises
    ------
    UnknownNameError
        If a column or a label is not there or not known.
    InputError
        If a column is not of numbers, or an observation is not finite and ``invalid="raise"``.

    Examples
    --------
    >>> curves = LightCurves(offsets=np.array([0, 2, 3]), mjd=np.array([5.0, 1.0, 2.0]),
    ...     mag=np.array([15.0, 16.0, 17.0]), mag_err=np.full(3, 0.1),
    ...     band_index=np.zeros(3, np.uint8), band_names=("V",),
    ...     columns={"class": np.array(["CEP", "ECL"])})
    >>> view = ragged(curves, Selection(features=("time", "mag")))
    >>> view.values["time"].tolist(), view.values["mag"].tolist(), view.offsets.tolist(), view.label.tolist()
    ([0.0, 4.0, 0.0], [16.0, 15.0, 17.0], [0, 2, 3], [1, 3])
    """
    select = select or Selection()
    n = len(curves)
    require_columns(select, curves.columns)
    raw = Ragged(
        values={name: _observed(curves, name) for name in select.needed_observations if name != "mjd"},
        offsets=curves.offsets,
        mjd=np.asarray(curves.mjd, dtype=np.float64),
        band=curves.band_index,
        band_names=curves.band_names,
        star_id=np.asarray(curves.columns.get("star_id", np.arange(n)), dtype=np.int64),
        columns={name: np.asarray(curves.columns[name]) for name in select.needed_columns if name in curves.columns},
    )
    return finish(raw, select)


def finish(raw: Ragged, select: Selection) -> Ragged:
    """What a selection makes of light curves with the observations and columns that it needs.

    Raises
    ------
    UnknownNameError, InputError
        As :func:`ragged`.
    """
    columns = raw.columns
    view = replace(
        raw,
        label=None if select.label is None else select.numbers_of(columns[select.label]),
        columns={name: _number(name, columns[name]) for name in select.columns},
    ).in_order()
    if "phase" in select.features:
        view = replace(view, values={**view.values, "phase": _phase(view, columns)})
    view = _in_bands(view, select.bands)
    view = _finite(view, select)
    made = {"mjd": view.mjd} | ({"time": _time(view)} if "time" in select.features else {})
    view = replace(view, values={name: made[name] if name in made else view.values[name] for name in select.features})
    return view if select.transform is None else select.transform(view)


def _time(view: Ragged) -> NDArray[np.float32]:
    if not view.mjd.size:
        return np.zeros(0, np.float32)
    first = view.mjd[np.minimum(view.offsets[:-1], view.mjd.size - 1)]
    return (view.mjd - np.repeat(first, view.lengths)).astype(np.float32)


def _phase(view: Ragged, columns: Mapping[str, NDArray]) -> NDArray[np.float64]:
    """Phase; NaN for stars without a period."""
    period = np.asarray(columns["period"], dtype=float)
    usable = np.isfinite(period) & (period > 0)
    t0 = np.asarray(columns.get("t0", np.zeros(len(view))), dtype=float)
    star = view.star_index
    phase = phase_of(view.mjd, np.where(usable, period, 1.0)[star], np.where(np.isfinite(t0), t0, 0.0)[star])
    return np.where(usable[star], phase, np.nan)


def _observed(curves: LightCurves, name: str) -> NDArray:
    if name == "detected":
        if curves.detected is None:
            raise InputError("the light curves have no column detected: no detection limit was set")
        return curves.detected.astype(np.float32)
    return np.asarray(getattr(curves, name))


def _number(name: str, column: NDArray) -> NDArray[np.float64]:
    if column.dtype.kind not in "biuf":
        raise InputError(f"column {name!r} is not of numbers; allowed in columns: numbers and flags")
    return column.astype(np.float64)


def _in_bands(view: Ragged, bands: tuple[str, ...] | None) -> Ragged:
    """Only observations in `bands`, with indices in that order."""
    if bands is None or bands == view.band_names:
        return view
    lookup = np.array([bands.index(b) if b in bands else 255 for b in view.band_names] or [255], dtype=np.uint8)
    index = lookup[view.band]
    view = replace(view, band=index, band_names=bands)
    return view if (index != 255).all() else view.where(index != 255)


def _finite(view: Ragged, select: Selection) -> Ragged:
    if select.invalid == "keep":
        return view
    good = np.isfinite(view.mjd)
    for value in view.values.values():
        good &= np.isfinite(value)
    if good.all():
        return view
    if select.invalid == "raise":
        star = int(view.star_id[view.star_index[np.flatnonzero(~good)[0]]])
        raise InputError(
            f"{np.count_nonzero(~good)} observations are not finite, the first of star_id {star}; "
            "allowed with invalid='drop' or 'keep'"
        )
    return view.where(good)
