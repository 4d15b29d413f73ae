"""What the pictures share: colours that colour-blind readers can tell apart, axes as astronomers expect them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["KIND_STYLE", "band_colour", "binned", "finish", "plain_log", "wavelength_order"]

# Okabe & Ito (2008), https://jfly.uni-koeln.de/color
KIND_STYLE: dict[str, tuple[str, str]] = {
    "RRLYR RRab": ("#0072B2", "o"),
    "RRLYR RRc": ("#56B4E9", "s"),
    "RRLYR": ("#0072B2", "o"),
    "CEP F": ("#D55E00", "o"),
    "CEP 1O": ("#E69F00", "s"),
    "T2CEP": ("#009E73", "^"),
    "ACEP": ("#CC79A7", "v"),
    "DSCT": ("#F0E442", "D"),
    "ECL": ("#555555", "x"),
    "ELL": ("#AAAAAA", "+"),
    "LPV": ("#7B1E1E", "P"),
}
"""Colour and marker of each kind of star."""

_BAND_COLOURS = {
    "u": "#5B2A86",
    "B": "#2C4FB0",
    "g": "#0072B2",
    "V": "#009E73",
    "r": "#B8860B",
    "R": "#E69F00",
    "i": "#D55E00",
    "I": "#B03A2E",
    "z": "#7B1E1E",
    "y": "#333333",
    "G": "#666666",
    "BP": "#2C4FB0",
    "RP": "#B03A2E",
}


def band_colour(band: str) -> str:
    """Colour of a band, also of its namesakes in SDSS and ZTF."""
    return _BAND_COLOURS.get(band.split("_")[-1], "#000000")


def wavelength_order(bands: list[str]) -> list[str]:
    """Bands from blue to red."""
    from ..photometry import BANDS

    return sorted(bands, key=lambda b: BANDS[b].wavelength if b in BANDS else np.inf)


def finish(axes: Any, x: str = "", y: str = "", *, title: str = "", invert: bool = False) -> None:
    """Labels, a light grid, small ticks; `invert` for magnitudes."""
    if x:
        axes.set_xlabel(x, fontsize=8)
    if y:
        axes.set_ylabel(y, fontsize=8)
    if title:
        axes.set_title(title, fontsize=8.5)
    axes.tick_params(labelsize=7.5, which="both")
    axes.grid(alpha=0.25, lw=0.5)
    if invert and not axes.yaxis_inverted():
        axes.invert_yaxis()


def plain_log(axis: Any, ticks: ArrayLike) -> None:
    """Plain numbers on a logarithmic axis."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

    axis.set_major_locator(FixedLocator(np.asarray(ticks, dtype=float).tolist()))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def binned(x: NDArray[np.float64], edges: ArrayLike) -> list[NDArray[np.intp]]:
    """Rows of each bin."""
    limits = np.asarray(edges, dtype=float)
    return [np.flatnonzero((x >= a) & (x < b)) for a, b in pairwise(limits)]
