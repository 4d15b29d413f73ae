"""Pictures of luminosities, colours and band-to-band changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..observe.atmosphere import absolute_magnitude
from ..photometry import BANDS
from ..population.stellar import _MS_RADIUS, _MS_TEFF
from ..report import new_figure
from ..stars import Stars
from .amplitudes import BandChange
from .luminosity import PIVOT, PublishedRelation, absolute_magnitudes, fundamental_log_period, log_z
from .style import KIND_STYLE, finish, plain_log

__all__ = ["amplitudes_figure", "colour_magnitude_figure", "luminosity_figure"]

_DWARF_LOGG = 4.3
_N_DOTS = 300  # of a kind in the colour-magnitude diagram: more hide one another


def luminosity_figure(
    samples: Mapping[str, Stars],
    rows: Sequence[Mapping[str, Any]],
    published: Sequence[PublishedRelation],
    bands: Sequence[str],
) -> Any:
    """A panel a band: stars, the fitted line, and what was published, for Cepheids above and RR Lyrae stars below."""
    groups = [g for g in (("CEP F", "CEP 1O"), ("RRLYR",)) if any(k.startswith(g[0].split()[0]) for k in samples)]
    figure = new_figure(2.05 * len(bands), 3.0 * len(groups) + 0.3)
    axes = figure.subplots(len(groups), len(bands), squeeze=False, sharex="row")
    for line, group in zip(axes, groups, strict=True):
        for ax, band in zip(line, bands, strict=True):
            for kind in group:
                _relation(ax, samples, rows, published, kind, band)
            x_label = "log fundamental period [d]" if group == ("RRLYR",) else "log period [d]"
            finish(ax, x_label, "absolute magnitude" if band == bands[0] else "", title=band, invert=True)
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], ls="", marker=KIND_STYLE[k][1], ms=4.5, mew=0, color=KIND_STYLE[k][0], label=k)
        for k in KIND_STYLE
        if k in samples and k.split()[0] in ("CEP", "RRLYR")
    ]
    handles.append(Line2D([], [], color="black", lw=1.2, label="fit to the generated stars"))
    handles.append(Line2D([], [], color="black", lw=1.6, ls="--", label="published, or the catalogue's own fit"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=8, frameon=False)
    return figure


def _relation(
    ax: Any,
    samples: Mapping[str, Stars],
    rows: Sequence[Mapping[str, Any]],
    published: Sequence[PublishedRelation],
    kind: str,
    band: str,
) -> None:
    metals: list[NDArray[np.float64]] = []
    ends: list[float] = []
    shown: list[float] = []
    for label, stars in samples.items():
        if label != kind and label.split()[0] != kind:
            continue
        colour, marker = KIND_STYLE[label]
        x = fundamental_log_period(stars)
        y = absolute_magnitudes(stars, band)
        shown += y[np.isfinite(y)].tolist()
        ax.plot(x, y, marker, ms=2.4, mew=0, alpha=0.35, color=colour)
        metals.append(log_z(np.asarray(stars.columns["fe_h"], dtype=float)))
        ends += np.quantile(x, [0.005, 0.995]).tolist()
    if not ends:
        return
    if kind == "RRLYR" and shown:  # a few far away would flatten all others
        low, high = np.quantile(shown, [0.003, 0.997])
        ax.set_ylim(high + 0.1, low - 0.1)
    x = np.array([min(ends), max(ends)])
    own = next((r for r in rows if (r["kind"], r["band"]) == (kind, band)), None)
    if own is not None:
        # a slope at fixed metallicity belongs to the table, not to this projection
        ax.plot(x, own["plain_zero"] + own["plain_slope"] * (x - PIVOT[kind]), color="black", lw=1.2)
    known = np.concatenate(metals)
    typical = float(np.median(known[np.isfinite(known)])) if np.isfinite(known).any() else 0.0
    for relation in published:
        if (relation.kind, relation.band) == (kind, band):
            ax.plot(x, relation.magnitude(x, typical), color="black", lw=1.6, ls="--")


def colour_magnitude_figure(samples: Mapping[str, Stars]) -> Any:
    """M_V against V-I, M_r against g-r and M_G against BP-RP, with the main sequence."""
    figure = new_figure(10.5, 4.9)
    axes = figure.subplots(1, 3)
    for ax, (mag, blue, red) in zip(axes, (("V", "V", "I"), ("r", "g", "r"), ("G", "BP", "RP")), strict=True):
        for label, stars in samples.items():
            colour, marker = KIND_STYLE[label]
            y = absolute_magnitudes(stars, mag)
            good = np.isfinite(y)
            if not good.any():
                continue
            x = stars.mean_magnitude(blue) - stars.mean_magnitude(red)
            good &= np.arange(len(stars)) < _N_DOTS
            style = {"ms": 2.8, "alpha": 0.6, "color": colour, "ls": ""}
            filled = {"mew": 0.0} if marker not in "x+" else {"mew": 0.5}
            ax.plot(x[good], y[good], marker, label=label, **style, **filled)
        sequence = [absolute_magnitude(b, _MS_TEFF, _MS_RADIUS, _DWARF_LOGG, 0.0) for b in (mag, blue, red)]
        ax.plot(sequence[1] - sequence[2], sequence[0], color="black", lw=1.3, zorder=5, label="main sequence")
        finish(ax, f"{blue} - {red}", f"$M_{{{mag}}}$", invert=True)
    handles, labels = axes[0].get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc="outside right center", fontsize=8, frameon=False, markerscale=2.0)
    for handle in legend.legend_handles:
        handle.set_alpha(1.0)
    return figure


def amplitudes_figure(changes: Sequence[BandChange]) -> Any:
    """Amplitude ratio and phase lag against wavelength by kind; real stars with error bars."""
    kinds = [k for k in KIND_STYLE if any(c.kind == k for c in changes)]
    figure = new_figure(10.5, 4.8)
    axes = figure.subplots(1, 2)
    for kind in kinds:
        colour, marker = KIND_STYLE[kind]
        own = sorted(
            (c for c in changes if c.kind == kind and not c.source.startswith(("SDSS", "OGLE"))),
            key=lambda c: BANDS[c.band].wavelength,
        )
        real = [c for c in changes if c.kind == kind and c.source.startswith(("SDSS", "OGLE"))]
        line = [c for c in own if not c.band.startswith("sdss")]
        base = {c.band: c for c in own}
        for ax, name in zip(axes, ("ratio", "lag"), strict=True):
            x = [BANDS[c.band].wavelength for c in line]
            dark = "#B8A800" if kind == "DSCT" else colour
            ax.plot(x, [getattr(c, name) for c in line], marker=marker, ms=4, lw=1.0, color=dark, label=kind)
            for c in real:
                _real_point(ax, c, name, base, dark)
    axes[0].axhline(1.0, color="#222222", lw=0.6)
    axes[1].axhline(0.0, color="#222222", lw=0.6)
    axes[0].set_yscale("log")
    plain_log(axes[0].yaxis, (0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0))
    finish(axes[0], "effective wavelength [nm]", "amplitude over that in V")
    finish(axes[1], "effective wavelength [nm]", "phase lag to V, main harmonic [period]")
    top = axes[0].get_ylim()[1]
    for band in ("u", "g", "V", "r", "i", "I", "z", "y"):
        axes[0].annotate(band, (BANDS[band].wavelength, top), ha="center", va="bottom", fontsize=7, color="#555555")
    from matplotlib.lines import Line2D

    handles, _ = axes[0].get_legend_handles_labels()
    handles.append(Line2D([], [], ls="", marker="o", ms=7, mfc="none", mec="black", label="observed stars"))
    figure.legend(handles=handles, loc="outside right center", fontsize=8, frameon=False)
    return figure


def _real_point(ax: Any, change: BandChange, name: str, base: Mapping[str, BandChange], colour: str) -> None:
    """Observed stars, brought from their reference band to V by the generated stars' change between these two."""
    if change.reference == "V":
        ratio, lag = 1.0, 0.0
    elif change.reference in base:
        ratio, lag = base[change.reference].ratio, base[change.reference].lag
    else:
        return
    y = change.ratio * ratio if name == "ratio" else change.lag + lag
    spread = change.ratio_spread * ratio if name == "ratio" else change.lag_spread
    x = BANDS[change.band].wavelength
    style: dict[str, Any] = {"marker": "o", "ms": 7, "mfc": "none", "mec": colour, "mew": 1.4, "ecolor": colour}
    ax.errorbar([x], [y], yerr=[spread], ls="", elinewidth=1.2, zorder=5, **style)
