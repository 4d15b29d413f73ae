"""Figures of a comparison, as base64 PNGs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..report import new_figure, png
from .period import KINDS
from .quantities import quantity
from .table import ALL

if TYPE_CHECKING:  # pragma: no cover
    from .result import Comparison

__all__ = ["figures"]

# Okabe & Ito's colours, which colour-blind readers can tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_KIND_COLOURS = {
    "true": "#009E73",
    "half": "#56B4E9",
    "double": "#0072B2",
    "near": "#B6DDB0",
    "harmonic": "#CC79A7",
    "daily": "#E69F00",
    "yearly": "#F0E442",
    "wrong": "#D55E00",
    "none": "#BBBBBB",
}
_COLUMNS = 4
_TESTED = ("recovered", "f1", "coverage", "gap", "amplitude_error", "mean_error")


def figures(comparison: Comparison) -> Iterator[tuple[str, str, str]]:
    """Heading, caption and picture of each figure.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    errors = "Bars are bootstrap standard errors of the stars."
    if len(comparison.cadences) > 1:
        yield (
            "Differences by class",
            f"Minus {comparison.cadences[0]}, the same stars. To the right is better in the panels marked so. {errors} "
            "The band is one standard error if the stars were not the same.",
            png(_differences(comparison)),
        )
    for name, by, title in (
        ("recovered", "period", "Recovered share against period"),
        ("recovered", "mean_mag", "Recovered share against magnitude"),
        ("coverage", "mean_mag", "Phase coverage against magnitude"),
        ("amplitude_error", "mean_mag", "Amplitude error against magnitude"),
        ("classified", "mean_mag", "Correctly classified share against magnitude"),
    ):
        if any(len(comparison.rows(name, c, by=by)) for c in comparison.classes):
            bins = "true period" if by == "period" else "mean magnitude"
            yield (
                title,
                f"{quantity(name).definition} Quantile bins of {bins}; horizontal bars are their widths. {errors}",
                png(_panels(comparison, name, by)),
            )
    yield (
        "What was found instead of the period",
        "Shares of the stars; the kinds are defined below. One bar a cadence, in the order of the tables.",
        png(_kinds(comparison)),
    )
    yield (
        "Confusion of the classifier",
        "Rows are true classes, columns what a forest fitted to other stars under the same cadence says; each row adds "
        "up to 100 %.",
        png(_confusion(comparison)),
    )


def _style(k: int) -> dict[str, Any]:
    return {"color": _COLOURS[k % len(_COLOURS)], "marker": _MARKERS[k % len(_MARKERS)]}


def _differences(comparison: Comparison) -> Any:
    names = (ALL, *comparison.classes)
    figure = new_figure(12.0, 0.9 + 0.62 * len(names))
    axes = figure.subplots(2, 3, sharey=True)
    others = comparison.cadences[1:]
    for ax, name in zip(axes.ravel(), _TESTED, strict=True):
        what = quantity(name)
        for k, other in enumerate(others):
            rows = [comparison.rows(name, c, cadence=other)[0] for c in names]
            y = np.arange(len(names)) + (k - 0.5 * (len(others) - 1)) * 0.22
            x, error, loose = (
                np.array([float(r[c]) for r in rows]) for c in ("difference", "difference_error", "unpaired_error")
            )
            colour = _style(k + 1)["color"]
            ax.barh(y, 2 * loose, left=x - loose, height=0.18, color=colour, alpha=0.15, lw=0)
            ax.errorbar(x, y, xerr=error, ls="", ms=4.5, lw=1.3, label=other, **_style(k + 1))
        ax.axvline(0.0, color="#222222", lw=0.8)
        arrow = {"higher": "right is better", "lower": "left is better"}[what.better]
        ax.set_title(f"{what.label}{f' [{what.unit}]' if what.unit else ''}; {arrow}", fontsize=9)
        ax.set_yticks(np.arange(len(names)), names)
        ax.grid(axis="x", alpha=0.25, lw=0.5)
        ax.tick_params(labelsize=8)
    axes[0, 0].invert_yaxis()
    axes[0, 0].legend(fontsize=8)
    return figure


def _panels(comparison: Comparison, name: str, by: str) -> Any:
    shown = [c for c in comparison.classes if len(comparison.rows(name, c, by=by))]
    columns = min(_COLUMNS, max(len(shown), 1))
    lines = -(-max(len(shown), 1) // columns)
    figure = new_figure(3.1 * columns, 2.5 * lines + 0.3)
    axes = figure.subplots(lines, columns, squeeze=False, sharey=name != "amplitude_error")
    for ax in axes.ravel()[len(shown) :]:
        ax.set_axis_off()
    low, high = ("period_low", "period_high") if by == "period" else ("mag_low", "mag_high")
    n = len(comparison.cadences)
    for panel, (ax, cls) in enumerate(zip(axes.ravel(), shown, strict=False)):
        for k, cadence in enumerate(comparison.cadences):
            rows: Any = comparison.rows(name, cls, cadence=cadence, by=by)
            a, b, value, error = (np.asarray(rows[c], dtype=float) for c in (low, high, "value", "error"))
            shift = (k - 0.5 * (n - 1)) * 0.06
            x = a ** (0.5 - shift) * b ** (0.5 + shift) if by == "period" else a + (0.5 + shift) * (b - a)
            ax.errorbar(x, value, yerr=error, xerr=(x - a, b - x), ls="", ms=4.5, lw=1.1, label=cadence, **_style(k))
        if by == "period":
            ax.set_xscale("log")
            _plain_log_axis(ax.xaxis)
        if name == "amplitude_error":
            ax.set_yscale("log")
            _plain_log_axis(ax.yaxis)
        else:
            ax.set_ylim(-0.04, 1.04)
        ax.set_title(cls, fontsize=9)
        ax.set_xlabel("true period [d]" if by == "period" else "mean magnitude, V [mag]", fontsize=8)
        ax.grid(alpha=0.25, lw=0.5)
        ax.tick_params(labelsize=8, which="both")
        if panel % columns == 0:
            what = quantity(name)
            ax.set_ylabel(f"{what.label}{f' [{what.unit}]' if what.unit else ''}", fontsize=8)
    axes[0, 0].legend(fontsize=7, loc="best")
    return figure


def _plain_log_axis(axis: Any) -> None:
    """A few plain numbers on an axis that may span less than a decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    steps = (1.0, 2.0, 5.0) if high / low < 100 else (1.0,)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _kinds(comparison: Comparison) -> Any:
    names = (ALL, *comparison.classes)
    n = len(comparison.cadences)
    figure = new_figure(11.0, 1.2 + 0.2 * len(names) * (n + 1))
    ax = figure.subplots()
    positions: list[float] = []
    labels: list[str] = []
    for i, cls in enumerate(names):
        for k, cadence in enumerate(comparison.cadences):
            y, left = i + k * 0.8 / n, 0.0
            for kind in KINDS:
                share = comparison.level(f"kind_{kind}", cls, cadence).value
                label = kind if i == 0 and k == 0 else None
                ax.barh(y, share, 0.72 / n, left=left, color=_KIND_COLOURS[kind], label=label, align="edge")
                left += share
            positions.append(y + 0.36 / n)
            labels.append(f"{cls}, {cadence}" if k == 0 else cadence)
    ax.set_yticks(positions, labels, fontsize=7.5)
    ax.set_ylim(len(names) - 0.1, -0.1)
    ax.set_xlim(0, 1)
    ax.set_xlabel("share of the stars", fontsize=8)
    ax.tick_params(axis="x", labelsize=8)
    figure.legend(loc="outside upper center", ncols=len(KINDS), fontsize=8, frameon=False)
    return figure


def _confusion(comparison: Comparison) -> Any:
    classes: Sequence[str] = comparison.classes
    n = len(comparison.cadences)
    columns = min(n, 3)
    lines = -(-n // columns)
    size = 1.4 + 0.42 * len(classes)
    figure = new_figure(max(size * columns, 4.0), size * lines)
    axes = figure.subplots(lines, columns, squeeze=False)
    for ax in axes.ravel()[n:]:
        ax.set_axis_off()
    stars: Any = comparison.stars
    where = {c: i for i, c in enumerate(classes)}
    for ax, cadence in zip(axes.ravel(), comparison.cadences, strict=False):
        rows = np.asarray(stars["cadence"]) == cadence
        true = [where[str(c)] for c in np.asarray(stars["class"])[rows]]
        said = [where[str(c)] for c in np.asarray(stars["predicted_class"])[rows]]
        counts = np.zeros((len(classes), len(classes)))
        np.add.at(counts, (true, said), 1.0)
        share = 100.0 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
        ax.imshow(share, vmin=0, vmax=100, cmap="Blues")
        for i, j in np.argwhere(share >= 0.5):
            colour = "white" if share[i, j] > 55 else "#222222"
            ax.text(j, i, f"{share[i, j]:.0f}", ha="center", va="center", fontsize=7, color=colour)
        ax.set_xticks(np.arange(len(classes)), classes, rotation=60, fontsize=7)
        ax.set_yticks(np.arange(len(classes)), classes, fontsize=7)
        f1 = comparison.level("f1", ALL, cadence)
        ax.set_title(f"{cadence}\nmacro-F1 {f1.value:.3f} ± {f1.error:.3f}", fontsize=8)
    return figure
