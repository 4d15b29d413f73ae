"""Pictures: light curves, templates and contact sheets.

Needs matplotlib (extra ``plot``), which is imported when something is drawn. Figures are made with the
object-oriented interface alone: no window is opened, no global state of pyplot is read or changed.
"""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .assets import atomic_file
from .errors import InputError, MissingExtraError
from .lightcurve import LightCurve, LightCurves
from .photometry import BANDS
from .rng import stream
from .taxonomy import CLASS_INFO

if TYPE_CHECKING:  # pragma: no cover
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .ensemble import Ensemble

__all__ = [
    "BAND_COLOURS",
    "Panel",
    "contact_sheet",
    "ensemble_contact_sheet",
    "plot_light_curve",
    "plot_loss",
    "plot_templates",
]

BAND_COLOURS: dict[str, str] = {
    "u": "#6a3fb5",
    "B": "#3566c9",
    "g": "#1f9e6e",
    "V": "#4c9a2a",
    "r": "#e08a00",
    "R": "#d9651a",
    "i": "#d1395b",
    "I": "#b3243f",
    "z": "#8f2d56",
    "y": "#4a4a4a",
}
"""Colour of each band, from blue to red."""

_INK, _FAINT, _GRID = "#222222", "#777777", "#e4e4e4"


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel of a contact sheet.

    Attributes
    ----------
    title : str
        Written above the panel.
    curves : sequence of (phase, mag, style)
        Phases, magnitudes (both of shape (n,)) and the keywords of matplotlib's ``Axes.plot`` for each curve.
        Phases in [0, 1) are repeated to show two cycles.
    label : str
        Written left of the panel: the name of a row.
    """

    title: str
    curves: Sequence[tuple[ArrayLike, ArrayLike, Mapping[str, Any]]] = field(default_factory=tuple)
    label: str = ""


def plot_light_curve(lc: LightCurve, ax: Axes | None = None, folded: bool | None = None) -> Axes:
    """Draw a light curve, coloured by band.

    Parameters
    ----------
    lc : LightCurve
        The star.
    ax : matplotlib Axes, optional
        Where to draw; a new figure, reached as ``ax.figure``, where not given.
    folded : bool, optional
        Against phase, over two cycles, instead of time; where not given, if the period is known.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InputError
        If `folded` is asked for and the period of the star is not known.
    MissingExtraError
        If matplotlib is not installed.
    """
    axes = _figure_class()(figsize=(8.0, 4.2), layout="constrained").add_subplot() if ax is None else ax
    if folded is None:
        folded = _period(lc.star) is not None
    x = lc.phase() if folded else np.asarray(lc.mjd)
    mag, error = np.asarray(lc.mag, dtype=float), np.asarray(lc.mag_err, dtype=float)
    bands = _in_order(np.unique(lc.band).tolist())
    for band in bands:
        rows = (lc.band == band) & np.isfinite(mag)
        bars = rows & np.isfinite(error) & (error > 0)
        colour = BAND_COLOURS.get(band, _INK)
        for shift in (0.0, 1.0) if folded else (0.0,):
            label = None if shift else band
            axes.plot(x[rows] + shift, mag[rows], "o", ms=3.2, mew=0, color=colour, label=label, zorder=3)
            if bars.any():
                style: Any = {"fmt": "none", "ecolor": colour, "elinewidth": 0.7, "alpha": 0.5}
                axes.errorbar(x[bars] + shift, mag[bars], yerr=error[bars], **style)
    _finish(axes, "phase" if folded else "MJD [d]", "magnitude")
    if len(bands) > 1:
        axes.legend(frameon=False, ncols=len(bands), loc="lower right", bbox_to_anchor=(1, 1), borderpad=0.1)
    axes.set_title(_star_title(lc.star), loc="left", fontsize="medium")
    return axes


def plot_templates(
    phase: ArrayLike,
    curves: ArrayLike,
    ax: Axes | None = None,
    *,
    values: ArrayLike | None = None,
    values_label: str = "",
) -> Axes:
    """Draw noise-free curves over two cycles.

    Parameters
    ----------
    phase : array_like, shape (n_phase,)
        Phases in [0, 1), increasing.
    curves : array_like, shape (n_phase,) or (n_stars, n_phase)
        Magnitudes; fainter is larger.
    ax : matplotlib Axes, optional
        Where to draw; a new figure, reached as ``ax.figure``, where not given.
    values : array_like, shape (n_stars,), optional
        A quantity that colours the curves, for example the period.
    values_label : str
        Its name, for the colour bar.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InputError
        If the shapes do not fit.
    MissingExtraError
        If matplotlib is not installed.
    """
    x, rows = np.asarray(phase, dtype=float), np.atleast_2d(np.asarray(curves, dtype=float))
    if x.ndim != 1 or rows.ndim != 2 or rows.shape[1] != x.size or x.size == 0:
        raise InputError(f"phase {x.shape} and curves {rows.shape} are not (n_phase,) and (n_stars, n_phase)")
    axes = _figure_class()(figsize=(5.6, 3.8), layout="constrained").add_subplot() if ax is None else ax
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    colours: Any = [colormaps["viridis"](0.35)] * len(rows)
    if values is not None:
        scale = np.asarray(values, dtype=float)
        if scale.shape != (len(rows),):
            raise InputError(f"values must have shape ({len(rows)},), received {scale.shape}")
        known = scale[np.isfinite(scale)]
        norm = Normalize(*(known.min(), known.max()) if known.size else (0.0, 1.0))
        mappable = ScalarMappable(norm=norm, cmap="viridis")
        colours = mappable.to_rgba(scale)
        axes.get_figure().colorbar(mappable, ax=axes, label=values_label, pad=0.02)  # type: ignore[union-attr]
    two_cycles = np.concatenate([x, x + 1.0, [x[0] + 2.0]])
    alpha = float(np.clip(12.0 / len(rows), 0.25, 1.0)) if len(rows) else 1.0
    for row, colour in zip(rows, colours, strict=True):
        axes.plot(two_cycles, np.concatenate([row, row, row[:1]]), color=colour, lw=1.1, alpha=alpha)
    _finish(axes, "phase", "magnitude minus the mean")
    return axes


def contact_sheet(
    panels: Sequence[Panel],
    path: str | os.PathLike[str],
    *,
    columns: int,
    title: str = "",
    caption: str = "phase",
    legend: Mapping[str, str] | None = None,
) -> None:
    """Save panels of folded curves, row by row, as one PNG.

    Parameters
    ----------
    panels : sequence of Panel
        The panels. Those without curves stay empty.
    path : path-like
        The file; replaced if there is one.
    columns : int
        Panels a row.
    title, caption : str
        Written above and below all.
    legend : mapping of str to str, optional
        Colour of each name in the legend.

    Raises
    ------
    InputError
        If there is no panel, `columns` is not positive, or the file's folder does not exist.
    MissingExtraError
        If matplotlib is not installed.
    """
    if not panels:
        raise InputError("a contact sheet needs at least one panel")
    if columns < 1:
        raise InputError(f"columns must be at least 1, received {columns}")
    rows = math.ceil(len(panels) / columns)
    # in inches; the grid is placed by hand, for a layout engine takes seconds over dozens of panels
    width, height, top, bottom = 2.2, 1.6, 0.6, 0.42
    left = 1.5 if any(panel.label for panel in panels) else 0.3
    size = (left + columns * width + 0.15, top + rows * height + bottom)
    figure = _figure_class()(figsize=size, facecolor="white")

    def write(x: float, y: float, text: str, **style: Any) -> None:
        figure.text(x / size[0], y / size[1], text, **{"color": _FAINT, "va": "center", **style})

    write(0.15, size[1] - 0.3, title, fontsize=13, color=_INK, weight="bold")
    write(left + columns * width / 2, 0.13, caption, fontsize=8.5, ha="center")
    _legend(figure, legend or {}, (1 - 0.1 / size[0], 1 - 0.3 / size[1]))
    for i, panel in enumerate(panels):
        row, column = divmod(i, columns)
        x, y = left + column * width + 0.36, size[1] - top - (row + 1) * height + 0.1
        box = (x / size[0], y / size[1], (width - 0.42) / size[0], (height - 0.36) / size[1])
        _draw_panel(figure.add_axes(box), panel, last=i + columns >= len(panels))
        name, _, rest = panel.label.partition("\n")
        write(0.15, y + height / 2 - 0.1, name, fontsize=11, color=_INK, weight="bold")
        write(0.15, y + height / 2 - 0.22, rest, fontsize=7.5, va="top")
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def ensemble_contact_sheet(
    lightcurves: LightCurves | Ensemble,
    path: str | os.PathLike[str],
    *,
    per_class: int = 6,
    seed: int = 0,
    title: str = "",
) -> None:
    """Save folded light curves of some stars of each class: a row a class, a column a star.

    Points are coloured by band, each band relative to its weighted mean; those with large errors are faint.
    The limits follow the precise points, so that the noise of shallow bands does not hide the curves.

    Parameters
    ----------
    lightcurves : LightCurves or Ensemble
        Must have the columns ``class`` and ``period``. Of a file only the stars that are shown are read.
    path : path-like
        The PNG; replaced if there is one.
    per_class : int
        Stars a class.
    seed : int
        Which stars are shown.
    title : str, optional
        Written above; where not given, how many light curves there are.

    Raises
    ------
    InputError
        If a column is missing or no star of a known class has a period.
    MissingExtraError
        If matplotlib is not installed.
    """
    if per_class < 1:
        raise InputError(f"per_class must be at least 1, received {per_class}")
    columns = lightcurves.columns if isinstance(lightcurves, LightCurves) else lightcurves.columns()
    for name in ("class", "period"):
        if name not in columns:
            raise InputError(f"there is no column {name!r}, only: {', '.join(columns)}")
    classes = np.asarray(columns["class"]).astype(str)
    period = np.asarray(columns["period"], dtype=float)
    usable = np.isfinite(period) & (period > 0)
    panels: list[Panel] = []
    bands: set[str] = set()
    for number, name in enumerate(CLASS_INFO):
        members = np.flatnonzero(usable & (classes == name))
        if members.size == 0:
            continue
        chosen = stream(seed, "contact sheet", number).permutation(members)[:per_class]
        label = f"{name}\n{textwrap.fill(CLASS_INFO[name].description, 18)}"
        for k in range(per_class):
            if k >= chosen.size:
                panels.append(Panel(title=""))
                continue
            lc = lightcurves[int(chosen[k])]
            bands.update(np.unique(lc.band).tolist())
            panels.append(Panel(title=_panel_title(lc.star), curves=_folded(lc), label="" if k else label))
    if not panels:
        raise InputError("no star of a known class has a period")
    legend = {band: BAND_COLOURS.get(band, _INK) for band in _in_order(bands)}
    title = title or f"{len(lightcurves):,} light curves, folded"
    caption = "magnitude minus the mean of its band, against phase"
    contact_sheet(panels, path, columns=per_class, title=title, caption=caption, legend=legend)


def _folded(lc: LightCurve) -> list[tuple[NDArray, NDArray, Mapping[str, Any]]]:
    """Curves of a panel: per band the precise points and, fainter, the others."""
    phase, mag, error = lc.phase(), np.asarray(lc.mag, dtype=float), np.asarray(lc.mag_err, dtype=float)
    error = np.where(np.isfinite(error), error, 0.0)
    finite = np.isfinite(mag)
    if not finite.any():
        return []
    reference = np.median(error[finite])
    curves: list[tuple[NDArray, NDArray, Mapping[str, Any]]] = []
    size = float(np.clip(30.0 / np.sqrt(finite.sum()), 1.4, 2.6))
    for band in _in_order(np.unique(lc.band[finite]).tolist()):
        rows = finite & (lc.band == band)
        # the star's own variation keeps a few precise points from deciding the mean
        weight = 1.0 / (error[rows] ** 2 + np.var(mag[rows]) + 1e-6)
        shifted = mag[rows] - np.average(mag[rows], weights=weight)
        precise = error[rows] <= 1.5 * reference
        style = {"color": BAND_COLOURS.get(band, _INK), "marker": "o", "ls": "none", "mew": 0}
        if not precise.all():
            faint = {**style, "ms": 0.7 * size, "alpha": 0.3, "zorder": 1, "in_limits": False}
            curves.append((phase[rows][~precise], shifted[~precise], faint))
        if precise.any():
            sharp = {**style, "ms": size, "alpha": 0.75, "zorder": 2}
            curves.append((phase[rows][precise], shifted[precise], sharp))
    return curves


def _draw_panel(axes: Axes, panel: Panel, *, last: bool) -> None:
    if not panel.curves:
        axes.set_axis_off()
        return
    shown: list[NDArray] = []
    for phase, mag, style in panel.curves:
        x, y = np.asarray(phase, dtype=float), np.asarray(mag, dtype=float)
        if x.shape != y.shape or x.ndim != 1:
            raise InputError(f"phase and mag of a panel must be (n,), received {x.shape} and {y.shape}")
        keywords = dict(style)
        if keywords.pop("in_limits", True):
            shown.append(y[np.isfinite(y)])
        for shift in (0.0, 1.0):
            axes.plot(x + shift, y, **keywords)
    values = np.concatenate(shown) if shown else np.empty(0)
    if values.size:
        low, high = np.percentile(values, [0.5, 99.5]) if values.size > 50 else (values.min(), values.max())
        margin = max(0.12 * (high - low), 0.01)
        axes.set_ylim(high + margin, low - margin)
    else:
        axes.invert_yaxis()
    axes.set_xlim(0, 2)
    axes.set_xticks([0, 0.5, 1, 1.5, 2], labels=["0", "", "1", "", "2"] if last else [""] * 5)
    axes.locator_params(axis="y", nbins=4)
    axes.set_title(panel.title, fontsize=7.5, color=_INK, loc="left", pad=2.5)
    axes.axvline(1.0, color=_GRID, lw=0.8, zorder=0)
    _tidy(axes)
    axes.tick_params(labelsize=6.5, length=2, pad=1.5, colors=_FAINT)


def _legend(figure: Figure, legend: Mapping[str, str], anchor: tuple[float, float]) -> None:
    from matplotlib.lines import Line2D

    dot: Any = {"marker": "o", "ls": "none", "ms": 6, "mew": 0}
    handles = [Line2D([], [], color=colour, label=name, **dot) for name, colour in legend.items()]
    if handles:
        style: Any = {"ncols": len(handles), "frameon": False, "handletextpad": 0.1, "columnspacing": 1.0}
        figure.legend(handles=handles, loc="center right", bbox_to_anchor=anchor, **style)


def _figure_class() -> type[Figure]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", "drawing") from error
    return Figure


def _finish(axes: Axes, xlabel: str, ylabel: str) -> None:
    if not axes.yaxis_inverted():  # axes that were given may hold a curve already
        axes.invert_yaxis()
    if xlabel == "phase":
        axes.set_xlim(0, 2)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    _tidy(axes)


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#999999")


def _in_order(bands: Any) -> list[str]:
    """From blue to red; unknown names last."""
    return sorted(bands, key=lambda b: (BANDS[b].wavelength if b in BANDS else math.inf, b))


def _period(star: Mapping[str, Any]) -> float | None:
    period = star.get("period")
    return float(period) if period is not None and np.isfinite(period) and period > 0 else None


def _star_title(star: Mapping[str, Any]) -> str:
    period = _period(star)
    days = f"P = {period:.6g} d" if period else ""
    kind = f"{star.get('class') or ''} {star.get('subclass') or ''}".strip()
    return ", ".join(part for part in (str(star.get("star_id", "")), kind, days) if part)


def _panel_title(star: Mapping[str, Any]) -> str:
    period = _period(star)
    days = f"P = {period:.4g} d" if period else ""
    return "   ".join(part for part in (days, str(star.get("subclass") or "")) if part)


def plot_loss(log: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Draw the course of a training run.

    Parameters
    ----------
    log : path-like
        The run's ``log.csv``.
    path : path-like
        PNG to write.
    """
    import csv

    figure_class = _figure_class()
    with open(log, newline="") as stream:
        rows = list(csv.DictReader(stream))
    epoch = [float(r["epoch"]) for r in rows]
    figure = figure_class(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(epoch, [float(r["train_misfit"]) for r in rows], label="training")
    left.plot(epoch, [float(r["validation_misfit"]) for r in rows], label="validation")
    left.set(xlabel="epoch", ylabel="misfit [nats a curve]", yscale="log")
    left.legend(frameon=False)
    right.plot(epoch, [float(r["validation_kl"]) for r in rows])
    right.set(xlabel="epoch", ylabel="KL divergence, validation [nats]")
    for axes in (left, right):
        _tidy(axes)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
