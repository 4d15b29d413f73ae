"""Dust: the reddening E(B-V) towards a star."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError, InputError, MissingExtraError, UnknownNameError
from .frames import SUN_DISTANCE, galactocentric

__all__ = [
    "SFD_RECALIBRATION",
    "ConstantDust",
    "DustMap",
    "DustMapsQuery",
    "FunctionDust",
    "SmoothDust",
    "extinction_columns",
]

_Array = NDArray[np.float64]

R_V = 3.1
"""A_V / E(B-V) of the diffuse medium (Cardelli, Clayton & Mathis 1989, ApJ 345, 245)."""
SFD_RECALIBRATION = 0.86
"""E(B-V) over that of Schlegel, Finkbeiner & Davis 1998: Schlafly & Finkbeiner 2011, ApJ 737, 103."""


@runtime_checkable
class DustMap(Protocol):
    """What lcgen asks of a dust map."""

    def ebv(self, ra: ArrayLike, dec: ArrayLike, distance: ArrayLike) -> _Array:
        """E(B-V) [mag] to positions [deg, ICRS] and distances [pc], shape (n,)."""
        ...


def _places(ra: ArrayLike, dec: ArrayLike, distance: ArrayLike) -> tuple[_Array, _Array, _Array]:
    lon, lat, d = np.broadcast_arrays(*(np.atleast_1d(np.asarray(a, dtype=float)) for a in (ra, dec, distance)))
    if not (np.isfinite(lon).all() and (np.abs(lat) <= 90.0).all()):
        raise InputError("a dust map needs finite ra, and dec within [-90, 90] degrees")
    if not (d > 0).all():
        raise InputError("a dust map needs positive distances [pc]; infinity is all dust of the line of sight")
    return lon, lat, d


@dataclass(frozen=True, kw_only=True)
class ConstantDust:
    """The same reddening everywhere.

    Attributes
    ----------
    value : float
        E(B-V) [mag].
    """

    value: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value >= 0):
            raise InputError(f"E(B-V) must be finite and not negative, received {self.value!r}")

    def ebv(self, ra: ArrayLike, dec: ArrayLike, distance: ArrayLike) -> _Array:
        """E(B-V) [mag]."""
        return np.full(_places(ra, dec, distance)[0].shape, float(self.value))


@dataclass(frozen=True, kw_only=True)
class SmoothDust:
    """A smooth layer of dust, exponential in Galactocentric radius and in height; the default, as it needs no file.

    It has no clouds: single lines of sight are off by a factor of two and more; towards the inner Galaxy it reddens too
    much (Baade's window 0.7 mag), and the Magellanic Clouds' own dust is missing.

    Attributes
    ----------
    local : float
        Reddening per distance in the plane at the Sun [mag / kpc]: A_V = 0.7 mag / kpc over 3.1, a round value chosen
        here (see docs/sky.md).
    scale_length, scale_height : float
        [kpc]: 3.192 and 0.103, the global disc of Li et al. 2018, ApJ 858, 75, from LAMOST.
    max_radius : float
        Where the layer ends [kpc].

    Examples
    --------
    >>> pole = SmoothDust().ebv(192.86, 27.13, 1e5)
    >>> round(float(pole[0]), 3)
    0.019
    """

    local: float = 0.7 / R_V
    scale_length: float = 3.192
    scale_height: float = 0.103
    max_radius: float = 20.0

    def __post_init__(self) -> None:
        for name in ("local", "scale_length", "scale_height", "max_radius"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"SmoothDust: {name} must be positive, received {value!r}")

    def _density(self, x: _Array, y: _Array, z: _Array) -> _Array:
        radius = np.sqrt(x * x + y * y)
        layer = np.exp(-(radius - SUN_DISTANCE) / self.scale_length - np.abs(z) / self.scale_height)
        return np.where(radius < self.max_radius, self.local * layer, 0.0)

    def ebv(self, ra: ArrayLike, dec: ArrayLike, distance: ArrayLike) -> _Array:
        """E(B-V) [mag], by integration along the lines of sight."""
        lon, lat, d = _places(ra, dec, distance)
        far = np.minimum(d / 1000.0, 2.0 * self.max_radius)
        # nodes crowd towards the Sun, as lines of sight out of the plane leave the layer soon
        share = np.linspace(0.0, 1.0, 257) ** 3
        out = np.empty(lon.shape)
        for a in range(0, out.size, 4096):
            rows = slice(a, a + 4096)
            steps = far[rows, None] * share
            dust = self._density(*galactocentric(lon[rows, None], lat[rows, None], steps))
            out[rows] = (0.5 * (dust[:, 1:] + dust[:, :-1]) * np.diff(steps, axis=1)).sum(axis=1)
        return out


@dataclass(frozen=True, kw_only=True)
class FunctionDust:
    """A dust map from a function.

    Attributes
    ----------
    function : callable
        ``function(ra, dec, distance)`` with arrays [deg, deg, pc], returning E(B-V) [mag].

    Examples
    --------
    >>> thin = FunctionDust(function=lambda ra, dec, distance: 1e-5 * distance)
    >>> thin.ebv([10.0], [20.0], [500.0]).tolist()
    [0.005]
    """

    function: Callable[[_Array, _Array, _Array], ArrayLike]

    def ebv(self, ra: ArrayLike, dec: ArrayLike, distance: ArrayLike) -> _Array:
        """E(B-V) [mag]."""
        lon, lat, d = _places(ra, dec, distance)
        return _checked(self.function(lon, lat, d), lon.shape, "the dust function")


# Query classes of dustmaps: module, class, factor to E(B-V), whether they depend on the distance, keyword arguments.
_MAPS: dict[str, tuple[str, str, float, bool, dict[str, Any]]] = {
    "sfd": ("sfd", "SFDQuery", SFD_RECALIBRATION, False, {}),
    "planck": ("planck", "PlanckQuery", 1.0, False, {}),
    # from E(g-r), argonaut.skymaps.info/usage; from E(r-z) it would be 0.996
    "bayestar": ("bayestar", "BayestarQuery", 0.884, True, {"mode": "median"}),
}


class DustMapsQuery:
    """A map of the package dustmaps (Green 2018, JOSS 3, 695), whose files the user has downloaded.

    Parameters
    ----------
    query : str or object
        ``"sfd"``, ``"planck"``, ``"bayestar"``, or any object with ``query(coords)``.
    scale : float, optional
        Factor from the map's unit to E(B-V). By default 0.86 for ``"sfd"`` (Schlafly & Finkbeiner 2011), 0.884 for
        ``"bayestar"``, 1 otherwise; ``scale=1`` leaves SFD as published.
    uses_distance : bool, optional
        Whether the map is three-dimensional; by default as the named map, and true for an object.
    fill : DustMap, optional
        Where the map has no value (outside its footprint); without it that is an error.

    Raises
    ------
    UnknownNameError
        For an unknown name.
    MissingExtraError
        If dustmaps is not installed.
    DataError
        If the files of the map are not where dustmaps looks for them.

    Examples
    --------
    >>> dust = DustMapsQuery("sfd")  # doctest: +SKIP
    >>> dust.ebv([80.0], [-30.0], [5000.0])  # doctest: +SKIP
    """

    def __init__(
        self,
        query: Any,
        *,
        scale: float | None = None,
        uses_distance: bool | None = None,
        fill: DustMap | None = None,
    ) -> None:
        self.name = query if isinstance(query, str) else type(query).__name__
        factor, distant, self._options = 1.0, True, {}
        if isinstance(query, str):
            if query not in _MAPS:
                raise UnknownNameError("dust map", query, _MAPS, hint="or pass a query object of dustmaps")
            module, name, factor, distant, self._options = _MAPS[query]
            query = _open(module, name)
        elif not callable(getattr(query, "query", None)):
            raise InputError(f"a dust map must be a name or have a method 'query', received {query!r:.80}")
        self._query, self._fill = query, fill
        self.scale = factor if scale is None else float(scale)
        self.uses_distance = distant if uses_distance is None else bool(uses_distance)
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise InputError(f"scale must be positive, received {scale!r}")

    def __repr__(self) -> str:
        return f"<DustMapsQuery {self.name}, scale {self.scale:g}>"

    def ebv(self, ra: ArrayLike, dec: ArrayLike, distance: ArrayLike) -> _Array:
        """E(B-V) [mag]; a map without distances gives that of the whole line of sight."""
        from astropy import units as u
        from astropy.coordinates import SkyCoord

        lon, lat, d = _places(ra, dec, distance)
        far = {"distance": np.minimum(d, 1e9) * u.pc} if self.uses_distance else {}
        found = self._query.query(SkyCoord(lon * u.deg, lat * u.deg, frame="icrs", **far), **self._options)
        values = self.scale * np.asarray(found, dtype=float)
        if self._fill is not None and values.shape == lon.shape:
            gaps = ~np.isfinite(values)
            if gaps.any():
                values[gaps] = self._fill.ebv(lon[gaps], lat[gaps], d[gaps])
        return _checked(values, lon.shape, f"the dust map {self.name!r}")


def _open(module: str, name: str) -> Any:
    import importlib

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has no configuration file yet; the error below says what to do
            query = getattr(importlib.import_module(f"dustmaps.{module}"), name)
    except ImportError:
        raise MissingExtraError("dustmaps", "dust", f"the dust map {module!r}") from None
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what the error below says
            return query()
    except (OSError, KeyError, TypeError, ValueError) as error:  # TypeError: no folder was ever chosen
        raise DataError(
            f"the files of the dust map {module!r} cannot be read ({error}); download them once with "
            f"dustmaps.{module}.fetch(), or say where they are: dustmaps.config.config['data_dir'] = ..."
        ) from error


def _checked(values: ArrayLike, shape: tuple[int, ...], what: str) -> _Array:
    try:
        out = np.array(np.broadcast_to(np.asarray(values, dtype=float), shape))
    except (TypeError, ValueError):
        raise InputError(f"{what} must return {shape[0]} numbers, received {values!r:.80}") from None
    bad = ~np.isfinite(out) | (out < 0)
    if bad.any():
        raise InputError(
            f"{what} has no usable E(B-V) for {int(bad.sum())} of {out.size} places, the first {out[bad][0]}; "
            "they may be outside the map: give fill=SmoothDust(), or restrict the footprint"
        )
    return out


def extinction_columns(
    a_v: ArrayLike | None = None, e_bv: ArrayLike | None = None, *, r_v: float = R_V
) -> tuple[_Array, _Array]:
    """A_V and E(B-V) from either.

    Parameters
    ----------
    a_v, e_bv : array_like, shape (n,), optional
        [mag]; NaN where not given. Where both are given they must agree: A_V = R_V E(B-V) within 0.001 mag or 0.1 %.
    r_v : float
        Ratio of the two.

    Returns
    -------
    a_v, e_bv : ndarray, shape (n,)
        NaN where neither is given.

    Raises
    ------
    InputError
        If both are given and contradict each other, or `r_v` is not positive.

    Examples
    --------
    >>> a_v, e_bv = extinction_columns(e_bv=[0.1, 0.2])
    >>> a_v.round(3).tolist()
    [0.31, 0.62]
    """
    if not (math.isfinite(r_v) and r_v > 0):
        raise InputError(f"r_v must be positive, received {r_v!r}")
    missing = np.array([np.nan])
    both = (missing if v is None else np.atleast_1d(np.asarray(v, dtype=float)) for v in (a_v, e_bv))
    extinction, reddening = (np.array(v) for v in np.broadcast_arrays(*both))
    clash = np.abs(extinction - r_v * reddening) > np.maximum(1e-3, 1e-3 * np.abs(extinction))
    if clash.any():
        k = int(np.flatnonzero(clash)[0])
        raise InputError(
            f"a_v = {extinction[k]:g} and e_bv = {reddening[k]:g} contradict each other at R_V = {r_v:g} "
            f"(star {k} and {int(clash.sum()) - 1} more); give one of them"
        )
    extinction, reddening = (
        np.where(np.isnan(extinction), r_v * reddening, extinction),
        np.where(np.isnan(reddening), extinction / r_v, reddening),
    )
    return extinction, reddening
