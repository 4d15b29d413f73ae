"""What is done to light curves before a network sees them: numpy, the same for real and synthetic ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, UnknownNameError
from .ragged import Ragged

__all__ = ["Compose", "Delta", "Normalise", "Rescale", "Transform"]

Scale = Literal["range", "std", "mad", "none"]
Centre = Literal["min", "mean", "median", "none"]


class Transform(Protocol):
    """Anything that turns flat light curves into others; it must be picklable for the workers of a loader."""

    def __call__(self, view: Ragged, /) -> Ragged:
        """The transformed light curves, of the same stars in the same order."""
        ...


@dataclass(frozen=True)
class Compose:
    """Several transforms, one after the other.

    Examples
    --------
    >>> Compose((Delta(value="mag"), Rescale(constants={"dm": (0.0, 0.5)}))).steps[0].value
    'mag'
    """

    steps: tuple[Transform, ...]

    def __call__(self, view: Ragged) -> Ragged:
        for step in self.steps:
            view = step(view)
        return view


@dataclass(frozen=True, kw_only=True)
class Delta:
    """Light curves as pairs (dt, dm): differences of time and of a value, in order of time.

    The published pipeline paired real observations in the order of a random choice and synthetic ones in order of
    time, so that the two were told apart by their order alone. Here all light curves are put in order first.

    Attributes
    ----------
    value : str
        Of which feature differences are taken.
    error : str or None
        The feature with its error. The differences then have errors, the root of the sum of the squares.
    reference : {"previous", "first"}
        Against which observation: the one before, or the first of the star (the times of PELS-VAE are of this kind).
    by_band : bool
        Take differences within a band, so that they are not differences of colour.

    Notes
    -----
    The features afterwards are ``dt`` [d] and ``dm``, and ``dm_err`` with `error`. An observation that has no
    reference (the first of the star, or of a band of it) is left out: n observations in b bands give n - b pairs.
    ``mjd`` and ``band`` are those of the later observation.

    References
    ----------
    Martinez-Palomera, Bloom & Abrahams 2022, AJ 164, 263, whose released code takes times since the first observation.
    """

    value: str = "mag"
    error: str | None = None
    reference: Literal["previous", "first"] = "previous"
    by_band: bool = True

    def __post_init__(self) -> None:
        if self.reference not in ("previous", "first"):
            raise UnknownNameError("reference", self.reference, ("previous", "first"))

    def __call__(self, view: Ragged) -> Ragged:
        view = view.in_order()
        value = _value(view, self.value).astype(np.float64)
        group = view.star_index
        if self.by_band:
            group = group * max(len(view.band_names), 1) + view.band
        # within a group rows keep their order, which is that of time
        order = np.argsort(group, kind="stable")
        starts = np.concatenate([[True], np.diff(group[order]) != 0])[: order.size]
        back = np.empty(order.size, dtype=np.int64)
        if self.reference == "previous":
            back[order] = np.concatenate([order[:1], order[:-1]])
        else:
            back[order] = order[np.maximum.accumulate(np.where(starts, np.arange(order.size), 0))]
        keep = np.ones(order.size, dtype=bool)
        keep[order[starts]] = False
        pairs = {"dt": (view.mjd - view.mjd[back]).astype(np.float32), "dm": (value - value[back]).astype(np.float32)}
        if self.error is not None:
            error = _value(view, self.error).astype(np.float64)
            pairs["dm_err"] = np.hypot(error, error[back]).astype(np.float32)
        return replace(view, values=pairs).where(keep)


@dataclass(frozen=True, kw_only=True)
class Normalise:
    """Scale a feature star by star, and keep what is needed to go back.

    The centre and the scale go to the columns of the star, ``<value>_centre`` and ``<value>_scale``, in the unit of the
    feature: the brightness and the amplitude of a star are information that a classifier should have besides.

    Attributes
    ----------
    value : str
        The feature.
    errors : tuple of str
        Features that are divided by the same scale.
    centre : {"median", "mean", "min", "none"}
    scale : {"std", "mad", "range", "none"}
        Standard deviation, median absolute deviation, or largest minus smallest. A star for which it is zero is
        divided by 1. ``centre="min", scale="range"`` is what PELS-VAE does with magnitudes.
    """

    value: str = "mag"
    errors: tuple[str, ...] = ()
    centre: Centre = "median"
    scale: Scale = "std"

    def __post_init__(self) -> None:
        for kind, name, allowed in (("centre", self.centre, get_args(Centre)), ("scale", self.scale, get_args(Scale))):
            if name not in allowed:
                raise UnknownNameError(kind, name, allowed)

    def __call__(self, view: Ragged) -> Ragged:
        value = _value(view, self.value).astype(np.float64)
        if not np.isfinite(value).all():
            raise InputError(f"{self.value} holds values that are not finite; drop them (invalid='drop') first")
        star = view.star_index
        centre = _centre(value, view.offsets, self.centre)
        scale = _scale(value, view.offsets, self.scale)
        changed = {self.value: (value - centre[star]) / scale[star]}
        for name in self.errors:
            changed[name] = _value(view, name) / scale[star]
        values = {k: changed.get(k, v).astype(v.dtype, copy=False) for k, v in view.values.items()}
        columns = {**view.columns, f"{self.value}_centre": centre, f"{self.value}_scale": scale}
        return replace(view, values=values, columns=columns)


@dataclass(frozen=True, kw_only=True)
class Rescale:
    """Subtract and divide by the same numbers for all stars.

    Attributes
    ----------
    constants : mapping of str to (float, float)
        Centre and scale of each feature.
    asinh : bool
        Take the inverse hyperbolic sine of the result, for values such as fluxes that span decades and may be negative.

    Raises
    ------
    InputError
        If a scale is not positive or a number is not finite.

    Examples
    --------
    >>> Rescale(constants={"time": (0.0, 365.25), "mag": (20.0, 2.0)}).asinh
    False
    """

    constants: Mapping[str, tuple[float, float]]
    asinh: bool = False

    def __post_init__(self) -> None:
        for name, pair in self.constants.items():
            if np.shape(pair) != (2,) or not np.isfinite(pair).all() or pair[1] <= 0:
                raise InputError(f"{name} needs a finite centre and a positive scale, received {pair!r}")

    def __call__(self, view: Ragged) -> Ragged:
        values = dict(view.values)
        for name, (centre, scale) in self.constants.items():
            old = _value(view, name)
            new = (old.astype(np.float64) - centre) / scale
            values[name] = (np.arcsinh(new) if self.asinh else new).astype(old.dtype)
        return replace(view, values=values)


def _value(view: Ragged, name: str) -> NDArray:
    if name not in view.values:
        raise UnknownNameError("feature", name, view.values, hint="a transform works on the selected features")
    return view.values[name]


def _by_star(function: np.ufunc, value: NDArray[np.float64], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    """A reduction over each star; zero for stars without observations."""
    out = np.zeros(offsets.size - 1)
    filled = np.diff(offsets) > 0
    if filled.any():
        out[filled] = function.reduceat(value, offsets[:-1][filled])
    return out


def _median(value: NDArray[np.float64], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    counts = np.diff(offsets)
    star = np.repeat(np.arange(counts.size), counts)
    ordered = value[np.lexsort((value, star))]
    out = np.zeros(counts.size)
    filled = counts > 0
    first, n = offsets[:-1][filled], counts[filled]
    out[filled] = 0.5 * (ordered[first + (n - 1) // 2] + ordered[first + n // 2])
    return out


def _centre(value: NDArray[np.float64], offsets: NDArray[np.int64], kind: Centre) -> NDArray[np.float64]:
    if kind == "median":
        return _median(value, offsets)
    if kind == "mean":
        return _by_star(np.add, value, offsets) / np.maximum(np.diff(offsets), 1)
    return _by_star(np.minimum, value, offsets) if kind == "min" else np.zeros(offsets.size - 1)


def _scale(value: NDArray[np.float64], offsets: NDArray[np.int64], kind: Scale) -> NDArray[np.float64]:
    star = np.repeat(np.arange(offsets.size - 1), np.diff(offsets))
    if kind == "none":
        return np.ones(offsets.size - 1)
    if kind == "range":
        out = _by_star(np.maximum, value, offsets) - _by_star(np.minimum, value, offsets)
    elif kind == "std":
        residual = value - _centre(value, offsets, "mean")[star]
        out = np.sqrt(_by_star(np.add, residual**2, offsets) / np.maximum(np.diff(offsets), 1))
    else:
        out = _median(np.abs(value - _median(value, offsets)[star]), offsets)
    # what rounding leaves of equal values is no scale
    largest = np.maximum(np.abs(_by_star(np.maximum, value, offsets)), np.abs(_by_star(np.minimum, value, offsets)))
    return np.where(out > 1e-9 * largest, out, 1.0)
