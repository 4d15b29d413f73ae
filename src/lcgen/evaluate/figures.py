"""Pictures of a report card, as base64 PNGs."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MissingExtraError
from .pairing import REAL, GroupData
from .sources import N_PHASE

if TYPE_CHECKING:  # pragma: no cover
    from .card import ReportCard

__all__ = ["figures"]

_REAL, _MADE, _GREY = "#222222", "#c2410c", "#9a9a9a"


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", "a report with pictures") from error
    return Figure(figsize=(width, height), layout="constrained")


def _png(figure: Any) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=90)
    return base64.b64encode(stream.getvalue()).decode()


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
        _png(_ranks(card)),
    )
    for pair in card.pairs:
        name = str(pair.group)
        if pair.observed[REAL]:
            yield (
                f"{name}: real beside generated",
                "Above real stars, below the generated star that is paired with each: the same period, phases and "
                "noise. The line is the noise-free curve.",
                _png(_contact(pair, model)),
            )
        yield (
            f"{name}: period, amplitude and shape",
            "Left the Bailey diagram. Black real stars, orange generated ones.",
            _png(_diagrams(pair, model)),
        )


def _ranks(card: ReportCard) -> Any:
    rows = [g for g in card.groups if g.calibration]
    names = list(rows[0].calibration) if rows else []
    figure = _figure(2.2 * max(len(rows), 1), 1.7 * max(len(names), 1))
    axes = figure.subplots(max(len(names), 1), max(len(rows), 1), squeeze=False, sharex=True)
    for c, group in enumerate(rows):
        for r, name in enumerate(names):
            ax, histogram = axes[r][c], group.calibration[name]
            share = np.array(histogram.counts) / max(histogram.n, 1) * len(histogram.counts)
            ax.bar((np.arange(share.size) + 0.5) / share.size, share, 1.0 / share.size, color=_MADE, alpha=0.75)
            ax.axhline(1.0, color=_REAL, lw=0.8)
            ax.set_ylim(0, max(2.0, 1.05 * share.max()))
            ax.tick_params(labelsize=7)
            if r == 0:
                ax.set_title(str(group.group), fontsize=8)
            if c == 0:
                ax.set_ylabel(name, fontsize=8)
            ax.text(0.97, 0.95, f"KS {histogram.ks:.2f}", transform=ax.transAxes, ha="right", va="top", fontsize=7)
    return figure


def _contact(pair: GroupData, model: str) -> Any:
    shown = len(pair.observed[REAL])
    columns = min(6, shown)
    blocks = -(-shown // columns)
    figure = _figure(2.0 * columns, 1.55 * 2 * blocks)
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
        for k, (name, colour) in enumerate(((REAL, _REAL), (model, _MADE))):
            ax = axes[2 * (i // columns) + k][i % columns]
            ax.plot(phase, np.tile(pair.observed[name][i], 2), ".", ms=1.6, color=colour, alpha=0.5, mew=0)
            ax.plot(grid, np.tile(pair.clean[name][i], 2), "-", lw=0.8, color=_GREY if k else _MADE)
            ax.set_ylim(high + pad, low - pad)
            if k == 0:
                label = pair.curves.subclass[i] or pair.group.cls
                ax.set_title(f"{label}  P = {pair.period[i]:.4g} d", fontsize=7)
    return figure


def _diagrams(pair: GroupData, model: str) -> Any:
    figure = _figure(12.0, 3.2)
    axes = figure.subplots(1, 3)
    log_period = np.log10(pair.period)
    size = 6 if len(pair.curves) < 500 else 3
    for ax, quantity, label in zip(
        axes, ("log_amplitude", "phi21", "R21"), ("log amplitude [mag]", "phi21 [rad]", "R21"), strict=True
    ):
        for name, colour in ((REAL, _REAL), (model, _MADE)):
            y = pair.features[name].column(quantity)
            y = y % (2 * np.pi) if quantity == "phi21" else y
            ax.plot(log_period, y, "o", ms=size**0.5, mew=0, color=colour, alpha=0.45, label=name)
        ax.set_xlabel("log period [d]")
        ax.set_ylabel(label)
        if quantity == "R21":
            real = pair.features[REAL].column("R21")
            ax.set_ylim(0, 1.3 * float(np.quantile(real, 0.98)))
    axes[0].legend(frameon=False, fontsize=8, markerscale=2)
    return figure
