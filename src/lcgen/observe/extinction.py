"""Interstellar extinction by passband: A_band / A_V for published laws, or for a law of one's own.

The ratios are integrals over filter curves, not values at one wavelength: they depend, a little, on the temperature
of the star, and on how much dust there is, because what is left of the light is redder. Both are tabulated. A_V is
the extinction in the V filter itself for the same star, so that the ratio of V is one at any temperature.

How the table was made and checked stands in ``docs/bands.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DomainError, InputError, UnknownNameError

__all__ = ["DEFAULT_LAW", "DEFAULT_R_V", "DEFAULT_TEFF", "Law", "band_extinction", "extinction_ratio", "law_limits"]

Floats = NDArray[np.float64]
Law = str | Mapping[str, float]
"""A law by name, or one's own: A_band / A_V by band."""

DEFAULT_LAW = "F99"
"""Fitzpatrick (1999, PASP 111, 63)."""
DEFAULT_R_V = 3.1
"""A_V / E(B-V), the mean of the diffuse interstellar medium."""
DEFAULT_TEFF = 6000.0
"""Temperature [K] where a star has none: an assumption, about the Sun's."""


@dataclass(frozen=True, kw_only=True)
class _Table:
    laws: tuple[str, ...]
    bands: tuple[str, ...]
    r_v: Floats  # (n_laws, n_r_v)
    log_teff: Floats
    a_v: Floats
    ratio: Floats  # (n_laws, n_bands, n_r_v, n_teff, n_a_v)


@cache
def _table() -> _Table:
    with resources.files("lcgen.observe").joinpath("tables/extinction.npz").open("rb") as file, np.load(file) as data:
        return _Table(
            laws=tuple(str(n) for n in data["law"]),
            bands=tuple(str(b) for b in data["band"]),
            r_v=data["r_v"],
            log_teff=np.log10(data["teff"]),
            a_v=data["a_v"],
            ratio=data["code"] * 1e-4,
        )


def law_limits() -> dict[str, tuple[float, float]]:
    """The laws known by name, each with the lowest and the highest R_V for which it holds.

    CCM89: Cardelli, Clayton & Mathis (1989, ApJ 345, 245). O94: O'Donnell (1994, ApJ 422, 158). F99: Fitzpatrick (1999,
    PASP 111, 63). F19: Fitzpatrick et al. (2019, ApJ 886, 108). G23: Gordon et al. (2023, ApJ 950, 86).

    Examples
    --------
    >>> law_limits()["F99"]
    (2.0, 6.0)
    """
    table = _table()
    return {name: (float(r[0]), float(r[-1])) for name, r in zip(table.laws, table.r_v, strict=True)}


def extinction_ratio(
    band: str,
    *,
    law: Law = DEFAULT_LAW,
    r_v: float = DEFAULT_R_V,
    teff: ArrayLike | None = None,
    a_v: ArrayLike = 0.0,
) -> Floats:
    """A_band / A_V.

    Parameters
    ----------
    band : str
        A passband of :data:`lcgen.photometry.BANDS`.
    law : str or mapping of str to float
        One of :func:`law_limits`, or one's own ratios by band; of the latter, nothing else matters.
    r_v : float
        A_V / E(B-V).
    teff : array_like, optional
        Effective temperature [K]; None or NaN stands for :data:`DEFAULT_TEFF`. Beyond 2,500 to 12,000 K the edge holds.
    a_v : array_like
        Extinction in V [mag], broadcast against `teff`: zero for the limit of little dust. Above 10 mag the edge holds.

    Returns
    -------
    ndarray of float64
        Of the shape of `teff` and `a_v` together.

    Raises
    ------
    UnknownNameError
        For an unknown law, or a band that the law does not have.
    DomainError
        If `r_v` is outside what the law is for.
    InputError
        If a temperature is not positive, an extinction is not a number or negative, or a law of one's own holds
        something else than non-negative numbers.

    Examples
    --------
    >>> float(extinction_ratio("V"))
    1.0
    >>> bool(extinction_ratio("u") > extinction_ratio("g") > extinction_ratio("y"))
    True
    >>> float(extinction_ratio("g", law={"g": 1.2}))
    1.2
    """
    t, a = _temperatures(teff), _extinctions(a_v)
    try:
        t, a = np.broadcast_arrays(t, a)
    except ValueError:
        raise InputError(f"shapes must fit together, received teff {t.shape}, a_v {a.shape}") from None
    if isinstance(law, Mapping):
        return np.full(t.shape, _own(law, band))[()]
    table = _table()
    if law not in table.laws:
        raise UnknownNameError("extinction law", law, table.laws, hint="or a mapping of bands to A_band / A_V")
    if band not in table.bands:
        raise UnknownNameError("band", band, table.bands)
    at = table.laws.index(law)
    nodes = table.r_v[at]
    if not nodes[0] <= r_v <= nodes[-1]:
        raise DomainError("r_v", float(r_v), float(nodes[0]), float(nodes[-1]), context=f"the extinction law {law}")
    # the laws are linear in 1/R_V, or nearly so
    (i, x), (j, y), (k, z) = _cell(-1 / nodes, -1 / r_v), _cell(table.log_teff, np.log10(t)), _cell(table.a_v, a)
    of_law = table.ratio[at, table.bands.index(band)]
    of_r_v = (1 - x) * of_law[i] + x * of_law[i + 1]
    little = (1 - y) * of_r_v[j, k] + y * of_r_v[j + 1, k]
    much = (1 - y) * of_r_v[j, k + 1] + y * of_r_v[j + 1, k + 1]
    return np.asarray((1 - z) * little + z * much)[()]


def band_extinction(
    band: str, a_v: ArrayLike, *, law: Law = DEFAULT_LAW, r_v: float = DEFAULT_R_V, teff: ArrayLike | None = None
) -> Floats:
    """Extinction in a band [mag] of an extinction `a_v` in V; the parameters are those of :func:`extinction_ratio`.

    Examples
    --------
    >>> band_extinction("V", [0.0, 1.5])
    array([0. , 1.5])
    """
    return np.asarray(np.asarray(a_v, float) * extinction_ratio(band, law=law, r_v=r_v, teff=teff, a_v=a_v))[()]


def _own(law: Mapping[str, float], band: str) -> float:
    if band not in law:
        raise UnknownNameError("band of the extinction law", band, law)
    try:
        value = float(law[band])
    except (TypeError, ValueError):
        value = np.nan
    if not (np.isfinite(value) and value >= 0):
        raise InputError(f"A_band / A_V of {band!r} must be a non-negative number, received {law[band]!r}")
    return value


def _temperatures(teff: ArrayLike | None) -> Floats:
    array = np.asarray(np.nan if teff is None else teff, dtype=float)
    array = np.where(np.isnan(array), DEFAULT_TEFF, array)
    if not (np.isfinite(array) & (array > 0)).all():
        raise InputError("teff must be a positive number, or NaN where it is not known")
    return array


def _extinctions(a_v: ArrayLike) -> Floats:
    array = np.asarray(a_v, dtype=float)
    good = np.isfinite(array) & (array >= 0)
    if not good.all():
        raise InputError(f"a_v must be a non-negative number [mag], received {array[~good][0]}")
    return array


def _cell(nodes: Floats, x: ArrayLike) -> tuple[NDArray[np.intp], Floats]:
    x = np.asarray(x, dtype=float)
    cell = np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, len(nodes) - 2)
    return cell, np.clip((x - nodes[cell]) / (nodes[cell + 1] - nodes[cell]), 0.0, 1.0)
