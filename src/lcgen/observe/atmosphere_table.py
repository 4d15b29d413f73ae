"""The table of model atmospheres behind :mod:`lcgen.observe.atmosphere`, and how to read between its nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from ..errors import UnknownNameError

__all__ = ["AtmosphereTable", "atmosphere_table", "cell_of", "corners", "hermite", "invert_colour"]

Floats = NDArray[np.float64]

_STEPS = 16  # of the root search


@dataclass(frozen=True, kw_only=True)
class AtmosphereTable:
    """Absolute magnitudes [mag] of stars of one solar radius, and how they change with temperature."""

    bands: tuple[str, ...]
    log_teff: Floats
    logg: Floats
    fe_h: Floats
    known: NDArray[np.bool_]  # (n_teff, n_logg, n_fe_h): there is a model
    value: Floats  # (n_bands, n_logg, n_fe_h, n_teff)
    slope: Floats  # its derivative with log T_eff
    ab_minus_system: Floats
    sources: tuple[str, ...]

    def row(self, band: str) -> int:
        """Where a band is; raises UnknownNameError."""
        try:
            return self.bands.index(band)
        except ValueError:
            raise UnknownNameError("band", band, self.bands) from None


@cache
def atmosphere_table() -> AtmosphereTable:
    """The table of the package, read once."""
    with resources.files("lcgen.observe").joinpath("tables/atmosphere.npz").open("rb") as file, np.load(file) as data:
        value = np.moveaxis(data["code"] * data["step"][:, None, None, None] + data["low"][:, None, None, None], 1, -1)
        log_teff = np.log10(data["teff"])
        return AtmosphereTable(
            bands=tuple(str(b) for b in data["band"]),
            log_teff=log_teff,
            logg=data["logg"],
            fe_h=data["fe_h"],
            known=data["known"],
            value=np.ascontiguousarray(value),
            slope=_monotone_slopes(log_teff, value),
            ab_minus_system=data["ab_minus_system"],
            sources=tuple(str(s) for s in data["sources"]),
        )


def _monotone_slopes(x: Floats, y: Floats) -> Floats:
    # Fritsch & Carlson: the harmonic mean of the neighbouring secants, zero at an extremum; secants at the ends
    h, secant = np.diff(x), np.diff(y) / np.diff(x)
    left, right = secant[..., :-1], secant[..., 1:]
    w_left, w_right = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    same = left * right > 0
    safe_left, safe_right = np.where(same, left, 1.0), np.where(same, right, 1.0)
    inner = np.where(same, (w_left + w_right) / (w_left / safe_left + w_right / safe_right), 0.0)
    return np.concatenate([secant[..., :1], inner, secant[..., -1:]], axis=-1)


def invert_colour(
    table: AtmosphereTable, rows: tuple[int, int], v: Floats, g: Floats, z: Floats, low: float, high: float
) -> Floats:
    """Temperatures [K] of the colours `v`, for the gravities and metallicities of a shape that `v` broadcasts with."""
    value, slope = np.zeros((*g.shape, len(table.log_teff))), np.zeros((*g.shape, len(table.log_teff)))
    for weight, j, k in corners(table, g, z):
        for out, of in ((value, table.value), (slope, table.slope)):
            out += weight[..., None] * (of[rows[0], j, k] - of[rows[1], j, k])
    # the cells from the hot end to the cool one; the first whose cool side is as red as the colour holds it
    ends = np.clip(np.log10([low, high]), table.log_teff[0], table.log_teff[-1])
    x = np.concatenate([ends[:1], table.log_teff[(table.log_teff > ends[0]) & (table.log_teff < ends[1])], ends[1:]])
    cell, basis = hermite(table.log_teff, x)
    at = (
        basis[0] * value[..., cell] + basis[1] * value[..., cell + 1]
        + basis[2] * slope[..., cell] + basis[3] * slope[..., cell + 1]
    )  # fmt: skip
    envelope = np.maximum.accumulate(at[..., ::-1], axis=-1)
    v = np.clip(v, envelope[..., 0], envelope[..., -1])
    first = np.zeros(v.shape, dtype=np.intp)
    for n in range(len(x)):
        first += envelope[..., n] < v
    cool = np.clip(len(x) - 1 - first, 0, len(x) - 2)
    lower, upper = x[cool], x[cool + 1]
    node, _ = cell_of(table.log_teff, 0.5 * (lower + upper))

    def pick(of: Floats, index: NDArray[np.intp]) -> Floats:
        wide = np.broadcast_to(of, (*v.shape, of.shape[-1]))
        return np.take_along_axis(wide, index[..., None], axis=-1)[..., 0]

    h = table.log_teff[node + 1] - table.log_teff[node]
    left, right = pick(value, node), pick(value, node + 1)
    d_left, d_right = h * pick(slope, node), h * pick(slope, node + 1)
    cubic = left - v, d_left, 3 * (right - left) - 2 * d_left - d_right, 2 * (left - right) + d_left + d_right
    u = _root(cubic, (lower - table.log_teff[node]) / h, (upper - table.log_teff[node]) / h)
    return 10 ** (table.log_teff[node] + h * u)


def _root(cubic: tuple[Floats, Floats, Floats, Floats], low: Floats, high: Floats) -> Floats:
    """Where polynomials fall through zero between `low` and `high`: Newton's steps, kept within."""
    c0, c1, c2, c3 = cubic
    u = 0.5 * (low + high)
    for step in range(_STEPS):
        f = c0 + u * (c1 + u * (c2 + u * c3))
        low, high = np.where(f >= 0, u, low), np.where(f >= 0, high, u)
        slope = c1 + u * (2 * c2 + 3 * u * c3)
        new = u - f / np.where(slope == 0, np.inf, slope)
        # the end that it leads out of may itself be the root, so that one and the other are tried
        inside = (new >= low) & (new <= high)
        u = np.where(inside, new, 0.5 * (low + high) if step % 2 else np.clip(new, low, high))
    return u


def cell_of(nodes: Floats, x: Floats) -> tuple[NDArray[np.intp], Floats]:
    """The cell of each `x` and where in it, from 0 to 1; the edge cells hold what is outside."""
    cell = np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, len(nodes) - 2)
    return cell, np.clip((x - nodes[cell]) / (nodes[cell + 1] - nodes[cell]), 0.0, 1.0)


def hermite(nodes: Floats, x: Floats) -> tuple[NDArray[np.intp], tuple[Floats, Floats, Floats, Floats]]:
    """The cell of each `x`, and the weights of the two values and the two slopes at its ends."""
    cell, u = cell_of(nodes, x)
    h = nodes[cell + 1] - nodes[cell]
    step = u * u * (3.0 - 2.0 * u)
    return cell, (1.0 - step, step, h * u * (1.0 - u) ** 2, h * u * u * (u - 1.0))


def corners(
    table: AtmosphereTable, g: Floats, z: Floats
) -> Iterator[tuple[Floats, NDArray[np.intp], NDArray[np.intp]]]:
    (j, a), (k, b) = cell_of(table.logg, g), cell_of(table.fe_h, z)
    yield (1 - a) * (1 - b), j, k
    yield a * (1 - b), j + 1, k
    yield (1 - a) * b, j, k + 1
    yield a * b, j + 1, k + 1
