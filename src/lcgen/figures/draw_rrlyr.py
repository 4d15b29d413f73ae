"""Pictures of RR Lyrae stars: folded curves along the period, Fourier parameters, temperature and radius."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..observe.band_curves import BandStars
from ..report import new_figure
from ..stars import Stars
from .cycle import Cycle
from .shapes import QUANTITIES, ShapeTable
from .style import KIND_STYLE, binned, finish

__all__ = ["PERIOD_EDGES", "curves_figure", "fourier_figure", "temperature_figure"]

PERIOD_EDGES: dict[str, tuple[float, ...]] = {
    "RRLYR RRc": (0.24, 0.29, 0.32, 0.36, 0.42),
    "RRLYR RRab": (0.42, 0.50, 0.56, 0.62, 0.70, 0.85),
}
"""Edges of the period bins [d]."""
_TEFF_RANGE = (5900.0, 7500.0)
_N_SINGLE = 12
_RANGES = {"r21": (0.0, 0.8), "phi21": (0.0, 2.0 * np.pi), "phi31": (0.0, 2.0 * np.pi), "rise": (0.0, 0.7)}


def curves_figure(samples: Mapping[str, Stars], bands: tuple[str, str]) -> Any:
    """Folded curves in bins of period, from RRc to RRab: single stars coloured by T_eff, mean and spread, two bands."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    kinds = [k for k in PERIOD_EDGES if k in samples]
    columns = max(sum(len(PERIOD_EDGES[k]) - 1 for k in kinds), 1)
    figure = new_figure(1.55 * columns + 0.7, 4.3)
    axes = figure.subplots(2, columns, sharex=True, sharey="row", squeeze=False)
    shade = ScalarMappable(norm=Normalize(*_TEFF_RANGE), cmap="plasma")
    column = 0
    for kind in kinds:
        stars = samples[kind]
        period = np.asarray(stars.columns["period"], dtype=float)
        curves = {b: stars.template(128, b) for b in bands}
        teff = BandStars.from_columns(stars.columns).teff  # the scale of the other pictures
        edges = PERIOD_EDGES[kind]
        for low, high, rows in zip(edges[:-1], edges[1:], binned(period, edges), strict=True):
            for ax, band in zip(axes[:, column], bands, strict=True):
                _panel(ax, curves[band][rows], teff[rows], shade)
                top = f"{kind.split()[1]}\n{low:.2f}-{high:.2f} d, n = {rows.size}"
                finish(ax, title=top if band == bands[0] else "", invert=True)
            axes[1, column].set_xlabel("phase", fontsize=8)
            column += 1
    for ax, band in zip(axes[:, 0], bands, strict=True):
        ax.set_ylabel(f"{band} minus mean [mag]", fontsize=8)
    bar = figure.colorbar(shade, ax=axes, pad=0.01, aspect=35)
    bar.set_label("$T_{eff}$ [K]", fontsize=8)
    bar.ax.tick_params(labelsize=7.5)
    return figure


def _panel(ax: Any, curves: NDArray[np.float64], teff: NDArray[np.float64], shade: Any) -> None:
    phase = np.arange(2 * curves.shape[1]) / curves.shape[1] - 0.5

    def twice(y: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.tile(np.roll(y, curves.shape[1] // 2, axis=-1), 2)

    for k in range(min(_N_SINGLE, len(curves))):
        ax.plot(phase, twice(curves[k]), lw=0.6, alpha=0.8, color=shade.to_rgba(teff[k]))
    if len(curves) >= 5:
        low, middle, high = np.quantile(curves, [0.16, 0.5, 0.84], axis=0)
        ax.fill_between(phase, twice(low), twice(high), color="#888888", alpha=0.35, lw=0)
        ax.plot(phase, twice(middle), color="black", lw=1.4)
    ax.set_xlim(-0.5, 1.0)
    ax.set_xticks([-0.5, 0.0, 0.5, 1.0])


def fourier_figure(
    generated: Mapping[tuple[str, str], ShapeTable],
    real: Mapping[tuple[str, str], ShapeTable],
    bands: tuple[str, ...],
    surveys: Mapping[str, str],
) -> Any:
    """Shape parameters against period, a column a band: generated as dots, real stars with black edges."""
    figure = new_figure(3.9 * len(bands), 8.2)
    axes = figure.subplots(len(QUANTITIES), len(bands), sharex=True, sharey="row", squeeze=False)
    for j, band in enumerate(bands):
        for i, (name, label) in enumerate(QUANTITIES.items()):
            ax = axes[i, j]
            for kind in ("RRLYR RRab", "RRLYR RRc"):
                colour, marker = KIND_STYLE[kind]
                if (kind, band) in generated:
                    table = generated[kind, band]
                    ax.plot(table.period, table.column(name), ".", ms=3.6, mew=0, color=colour, alpha=0.55)
                if len(real.get((kind, band), ())):
                    table = real[kind, band]
                    style = {"ms": 3.2, "mfc": "none", "mec": "#222222", "mew": 0.45, "alpha": 0.7}
                    ax.plot(table.period, table.column(name), marker, **style)
            if name in _RANGES:
                ax.set_ylim(*_RANGES[name])
            top = f"{band}; observed: {surveys.get(band, 'none')}"
            finish(ax, y=label if j == 0 else "", title=top if i == 0 else "")
        axes[-1, j].set_xlabel("period [d]", fontsize=8)
        axes[-1, j].set_xlim(0.2, 0.95)
    from matplotlib.lines import Line2D

    handles = []
    for kind in ("RRLYR RRab", "RRLYR RRc"):
        (colour, marker), name = KIND_STYLE[kind], kind.split()[1]
        handles.append(Line2D([], [], ls="", marker="o", ms=5, mew=0, color=colour, label=f"{name}, generated"))
        hollow = {"marker": marker, "ms": 5, "mfc": "none", "mec": "#222222"}
        handles.append(Line2D([], [], ls="", label=f"{name}, observed", **hollow))
    figure.legend(handles=handles, loc="outside upper center", ncols=4, fontsize=8, frameon=False)
    return figure


def temperature_figure(samples: Mapping[str, Stars], cycles: Mapping[str, Cycle]) -> Any:
    """Temperature sequence along the period; temperature and radius over the cycle; the loop of both."""
    figure = new_figure(11.0, 3.5)
    axes = figure.subplots(1, 4)
    for kind in cycles:
        colour, marker = KIND_STYLE[kind]
        stars, cycle, label = samples[kind], cycles[kind], kind.split()[-1]
        period = np.asarray(stars.columns["period"], dtype=float)
        axes[0].plot(period, cycle.mean_teff, marker, ms=2.6, mew=0, alpha=0.5, color=colour, label=label)
        phase = np.append(cycle.phase, cycle.phase + 1.0) - 0.5
        shift = len(cycle.phase) // 2
        known = np.isfinite(cycle.radius).all(axis=1)
        relative = cycle.radius[known] / cycle.radius[known].mean(axis=1, keepdims=True)
        for ax, values in ((axes[1], cycle.teff), (axes[2], relative)):
            if not len(values):
                continue
            quantiles = np.quantile(values, [0.16, 0.5, 0.84], axis=0)
            low, middle, high = np.tile(np.roll(quantiles, shift, axis=1), (1, 2))
            ax.fill_between(phase, low, high, color=colour, alpha=0.25, lw=0)
            ax.plot(phase, middle, color=colour, lw=1.6, label=label)
            ax.set_xlim(-0.5, 1.0)
        if not known.any():
            continue
        teff_mid, radius_mid = np.median(cycle.teff[known], axis=0), np.median(relative, axis=0)
        axes[3].plot(np.append(teff_mid, teff_mid[0]), np.append(radius_mid, radius_mid[0]), color=colour, lw=1.6)
        axes[3].plot(teff_mid[0], radius_mid[0], marker, color=colour, ms=6, mec="black", mew=0.6)
    finish(axes[0], "period [d]", "mean $T_{eff}$ [K]")
    finish(axes[1], "phase", "$T_{eff}$ [K]")
    finish(axes[2], "phase", "radius over its mean")
    finish(axes[3], "$T_{eff}$ [K]", "radius over its mean")
    axes[3].invert_xaxis()
    handles, labels = axes[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=8, frameon=False)
    return figure
