"""Pictures of a report card, as base64 PNGs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..report import new_figure, png
from .pairing import REAL, GroupData
from .sources import N_PHASE

if TYPE_CHECKING:  # pragma: no cover
    from .card import ReportCard

__all__ = ["figures"]

_REAL, _MADE, _LINE = "#222222", "#c2410c", "#4b93d1"
_COLUMNS = 6
_R21_LINEAR = 3.0
"""Above, the second harmonic is the stronger one in a part of the class, and the axis is logarithmic."""


def figures(card: ReportCard) -> Iterator[tuple[str, str, str]]:
    """Heading, caption and picture of each figure of a card.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    if not card.pairs:
        return
    model = card.sources[0]
    yield (
        "Rank histograms",
        "Rank of the true star among generated stars of the same period and subclass; flat is right.",
        png(_ranks(card)),
    )
    for pair in card.pairs:
        name = str(pair.group)
        if pair.observed[REAL]:
            yield (
                f"{name}: real beside generated",
                "Above real stars, below the generated star that is paired with each: the same period, phases and "
                "noise. The blue line is the noise-free curve, of real stars their own series.",
                png(_contact(pair, model)),
            )
        yield (
            f"{name}: period, amplitude and shape",
            "Above real stars, below generated ones, on the same axes. Left the Bailey diagram; then phi21 and R21, "
            "those of the second harmonic for eclipsing and ellipsoidal variables.",
            png(_diagrams(pair, model)),
        )


def _ranks(card: ReportCard) -> Any:
    groups = [g for g in card.groups if g.calibration]
    names = list(groups[0].calibration) if groups else []
    columns = min(_COLUMNS, max(len(groups), 1))
    blocks, n_names = -(-max(len(groups), 1) // columns), max(len(names), 1)
    figure = new_figure(2.0 * columns, 1.35 * n_names * blocks)
    axes = figure.subplots(n_names * blocks, columns, squeeze=False, sharex=True)
    for i in range(blocks * columns):
        first, c = n_names * (i // columns), i % columns
        if i >= len(groups):
            for r in range(n_names):
                axes[first + r][c].set_axis_off()
            continue
        group = groups[i]
        for r, name in enumerate(names):
            ax, histogram = axes[first + r][c], group.calibration[name]
            share = np.array(histogram.counts) / max(histogram.n, 1) * len(histogram.counts)
            ax.bar((np.arange(share.size) + 0.5) / share.size, share, 1.0 / share.size, color=_MADE, alpha=0.75)
            ax.axhline(1.0, color=_REAL, lw=0.8)
            ax.set_ylim(0, max(2.3, 1.3 * share.max()))
            ax.tick_params(labelsize=7)
            if r == 0:
                ax.set_title(f"{group.group} ({group.n})", fontsize=8)
            if c == 0:
                ax.set_ylabel(name, fontsize=8)
            ax.text(0.97, 0.95, f"KS {histogram.ks:.2f}", transform=ax.transAxes, ha="right", va="top", fontsize=7)
    return figure


def _contact(pair: GroupData, model: str) -> Any:
    shown = len(pair.observed[REAL])
    columns = min(_COLUMNS, shown)
    blocks = -(-shown // columns)
    figure = new_figure(2.0 * columns, 1.55 * 2 * blocks)
    axes = figure.subplots(2 * blocks, columns, squeeze=False, sharex=True)
    grid = np.arange(2 * N_PHASE) / N_PHASE
    for ax in axes.ravel()[: 2 * blocks * columns]:
        ax.tick_params(labelsize=6)
    for i in range(blocks * columns):
        if i >= shown:
            axes[2 * (i // columns)][i % columns].set_axis_off()
            axes[2 * (i // columns) + 1][i % columns].set_axis_off()
            continue
        rows = slice(int(pair.curves.offsets[i]), int(pair.curves.offsets[i + 1]))
        phase = np.tile(pair.curves.phase[rows].astype(float), 2)
        phase[phase.size // 2 :] += 1.0
        both = np.concatenate([pair.observed[REAL][i], pair.observed[model][i]])
        low, high = np.quantile(both, [0.005, 0.995])
        pad = 0.15 * (high - low)
        size, alpha = (3.2, 0.8) if phase.size < 300 else (2.4, 0.6)
        for k, (name, colour, label) in enumerate(((REAL, _REAL, "real [mag]"), (model, _MADE, "generated [mag]"))):
            ax = axes[2 * (i // columns) + k][i % columns]
            ax.plot(grid, np.tile(pair.clean[name][i], 2), "-", lw=1.1, color=_LINE)
            ax.plot(phase, np.tile(pair.observed[name][i], 2), ".", ms=size, color=colour, alpha=alpha, mew=0)
            ax.set_ylim(high + pad, low - pad)
            if i % columns == 0:
                ax.set_ylabel(label, fontsize=7)
            if k == 1 and i + columns >= shown:
                ax.set_xlabel("phase", fontsize=7)
            if k == 0:
                label = pair.curves.subclass[i] or pair.group.cls
                ax.set_title(f"{label}  P = {pair.period[i]:.4g} d", fontsize=7)
    return figure


def _diagrams(pair: GroupData, model: str) -> Any:
    figure = new_figure(12.0, 5.2)
    axes = figure.subplots(2, 3, sharex=True, sharey="col")
    log_period = np.log10(pair.period)
    size = 3.2 if len(pair.curves) < 500 else 2.0
    quantities = (("log_amplitude", "log amplitude [mag]"), ("phi21", "phi21 [rad]"), ("R21", "R21"))
    for column, (quantity, label) in enumerate(quantities):
        real = pair.features[REAL].column(quantity)
        # the circle is cut opposite to most of the real stars, lest a crowd be torn apart
        middle = float(np.angle(np.exp(1j * real).mean())) % (2 * np.pi) if quantity == "phi21" else 0.0
        for ax, (name, colour) in zip(axes[:, column], ((REAL, _REAL), (model, _MADE)), strict=True):
            y = pair.features[name].column(quantity)
            y = middle + np.angle(np.exp(1j * (y - middle))) if quantity == "phi21" else y
            ax.plot(log_period, y, "o", ms=size, mew=0, color=colour, alpha=0.55)
            ax.set_ylabel(f"{label}, {'real' if name == REAL else 'generated'}", fontsize=9)
            ax.grid(alpha=0.25, lw=0.5)
            ax.tick_params(labelsize=8)
        axes[1, column].set_xlabel("log period [d]", fontsize=9)
        if quantity == "R21":
            high = 1.3 * float(np.quantile(real, 0.98))
            if high < _R21_LINEAR:
                axes[0, column].set_ylim(0, high)
            else:
                axes[0, column].set_yscale("log")
    return figure
