"""All figures of a generator, as files."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ..assets import atomic_file
from ..errors import InputError
from ..evaluate.inputs import as_generator
from ..stars import Stars
from . import draw_rrlyr, draw_sky
from .amplitudes import BandChange, band_changes, observed_changes
from .checks import check_rows
from .cycle import Cycle, pulsation_cycle, pulsation_q
from .luminosity import (
    BANDS_SHOWN,
    PUBLISHED,
    WESENHEIT,
    absolute_magnitudes,
    fit_relation,
    ogle_relations,
    period_luminosity,
)
from .passband import amplitude_rows, passband_rows
from .samples import draw_kinds, real_pairs, unseen_rr_lyrae
from .shapes import ShapeTable, gridded_shapes, observed_shapes, shape_rows
from .style import wavelength_order

__all__ = ["FigureSet", "make_figures"]

_log = logging.getLogger(__name__)
_N_PHASE = 256
_N_PAIRS = 200
_DECIMALS = 4
_RADIUS_PIVOT = 0.7
_SURVEYS = {"V": "Catalina South, unseen", "sdss_g": "SDSS Stripe 82"}
# Curves in these were measured, and tell the temperature; the mass [M_sun] is that behind the gravity.
_CYCLES = {
    "RRLYR RRab": ("sdss_g", "sdss_i", 0.65),
    "RRLYR RRc": ("sdss_g", "sdss_i", 0.65),
    "CEP F": ("V", "I", 5.0),
    "CEP 1O": ("V", "I", 5.0),
}
_CHANGE_BANDS = ("u", "g", "r", "i", "I", "z", "y")


@dataclass(frozen=True, kw_only=True)
class FigureSet:
    """What :func:`make_figures` wrote.

    Attributes
    ----------
    pictures, tables : tuple of Path
    rows : dict of str to list of dict
        The rows of each table by its name.
    """

    pictures: tuple[Path, ...]
    tables: tuple[Path, ...]
    rows: dict[str, list[dict[str, Any]]]


def make_figures(
    generator: Any = None,
    output: str | os.PathLike[str] = "figures",
    *,
    n_per_kind: int = 1000,
    seed: int = 0,
    data: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> FigureSet:
    """Draw stars and write the figures that a survey astronomer would check, with the numbers behind them.

    Parameters
    ----------
    generator : LightCurveGenerator, str or path-like, optional
        A generator, or the name or folder of a model; the bundled default where not given.
    output : str or path-like
        Folder, made if need be; files of the same names are replaced.
    n_per_kind : int
        Stars of each class or subclass.
    seed : int
    data : str or path-like, optional
        Folder of the survey data, by default that of ``LCGEN_DATA``. Without it there are generated stars alone.
    progress : bool, optional
        Whether to show a bar; by default where the standard error is a terminal.

    Returns
    -------
    FigureSet

    Raises
    ------
    InputError
        If `n_per_kind` is below 20, `data` is not a folder, or the generator lacks V.
    MissingExtraError
        If matplotlib is not installed.
    """
    from ..generator import load_generator

    gen = load_generator() if generator is None else as_generator(generator)
    if "V" not in gen.bands or len(gen.bands) < 3:
        raise InputError(f"figures need a generator with V and bands derived from it, received {', '.join(gen.bands)}")
    folder = _data_folder(data)
    samples = draw_kinds(gen, n_per_kind, seed=seed)
    target = Path(output)
    target.mkdir(parents=True, exist_ok=True)
    writer = _Writer(target)
    steps = (_shapes, _temperature, _luminosity, _colours, _amplitudes)
    for step in tqdm(steps, desc="figures", disable=None if progress is None else not progress):
        step(writer, gen, samples, folder, seed)
    return FigureSet(pictures=tuple(writer.pictures), tables=tuple(writer.tables), rows=writer.rows)


def _data_folder(data: str | os.PathLike[str] | None) -> Path | None:
    named = data if data is not None else os.environ.get("LCGEN_DATA")
    if not named:
        return None
    folder = Path(named)
    if not (folder / "lightcurves").is_dir():
        if data is not None:
            raise InputError(f"{folder} is not a folder of survey data: it has no folder lightcurves")
        _log.warning("LCGEN_DATA=%s has no folder lightcurves: no real stars are shown", folder)
        return None
    return folder


class _Writer:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pictures: list[Path] = []
        self.tables: list[Path] = []
        self.rows: dict[str, list[dict[str, Any]]] = {}

    def picture(self, name: str, figure: Any) -> None:
        path = self.folder / f"{name}.png"
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=100)
        from PIL import Image  # matplotlib needs it, too

        # thousands of dots compress badly in true colour
        few = Image.open(drawn).convert("RGB").quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        with atomic_file(path) as temporary:
            few.save(temporary, format="png", optimize=True)
        self.pictures.append(path)

    def table(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        from astropy.table import Table

        self.rows[name] = list(rows)
        if not rows:
            return
        columns = {k: np.array([r[k] for r in rows]) for k in rows[0]}
        table = Table({k: v.round(_DECIMALS) if v.dtype.kind == "f" else v for k, v in columns.items()})
        path = self.folder / f"{name}.ecsv"
        with atomic_file(path) as temporary:
            table.write(temporary, format="ascii.ecsv", overwrite=True)
        self.tables.append(path)


def _shapes(writer: _Writer, gen: Any, samples: dict[str, Stars], folder: Path | None, seed: int) -> None:
    kinds = [k for k in draw_rrlyr.PERIOD_EDGES if k in samples]
    if not kinds:
        return
    writer.picture("rr-lyrae-curves", draw_rrlyr.curves_figure(samples, ("g", "i")))
    bands = tuple(b for b in _SURVEYS if b in gen.bands)
    seen = unseen_rr_lyrae(gen, folder) if folder is not None else {}
    generated: dict[tuple[str, str], ShapeTable] = {}
    real: dict[tuple[str, str], ShapeTable] = {}
    rows: list[dict[str, Any]] = []
    for kind in kinds:
        for band in bands:
            stars = samples[kind]
            generated[kind, band] = gridded_shapes(stars.template(_N_PHASE, band), stars.columns["period"])
            key = f"{kind.split()[1]} {band}"
            if key in seen:
                real[kind, band] = observed_shapes(seen[key])
            rows += shape_rows(kind, band, generated[kind, band], real.get((kind, band)), draw_rrlyr.PERIOD_EDGES[kind])
    surveys = _SURVEYS if seen else {}
    writer.picture("rr-lyrae-fourier", draw_rrlyr.fourier_figure(generated, real, bands, surveys))
    writer.table("rr-lyrae-shapes", rows)


def _temperature(writer: _Writer, gen: Any, samples: dict[str, Stars], folder: Path | None, seed: int) -> None:
    chosen: dict[str, Stars] = {}
    cycles: dict[str, Cycle] = {}
    rows = []
    for kind, (blue, red, mass) in _CYCLES.items():
        if kind not in samples or not {blue, red} <= set(gen.bands):
            continue
        stars = samples[kind]
        stars = stars[np.isfinite(np.asarray(stars.columns["teff"], dtype=float))]
        if len(stars) < 10:
            _log.warning("%s is left out of the temperatures: too few stars have one", kind)
            continue
        chosen[kind], cycles[kind] = stars, pulsation_cycle(stars, blue, red, n_phase=_N_PHASE)
        rows.append(_cycle_row(kind, stars, cycles[kind], mass))
    writer.table("cycle", rows)
    writer.table("checks", check_rows(samples, rows))
    rr = {k: c for k, c in cycles.items() if k.startswith("RRLYR")}
    if rr:
        writer.picture("rr-lyrae-temperature", draw_rrlyr.temperature_figure(chosen, rr))


def _cycle_row(kind: str, stars: Stars, cycle: Cycle, mass: float) -> dict[str, Any]:
    found = cycle.extremes()
    period = np.asarray(stars.columns["period"], dtype=float)
    row: dict[str, Any] = {"kind": kind, "n": len(stars)}
    # that of the column, and that of the model atmosphere of the same V-I, on whose scale all else is
    row |= {"teff_column": float(np.median(stars.columns["teff"])), "teff": float(np.median(cycle.mean_teff))}
    known = np.isfinite(found["mean_radius"])
    for name, values in found.items():
        row[name] = float(np.median(values[np.isfinite(values)])) if np.isfinite(values).any() else np.nan
    q = pulsation_q(period[known], found["mean_radius"][known], mass)
    row["q"] = float(np.median(q)) if known.any() else np.nan
    names = ("radius_slope", "radius_slope_error", "log_radius_5d")
    row |= dict.fromkeys(names, np.nan)
    if known.sum() >= 10:
        log_p, log_r = np.log10(period[known]), np.log10(found["mean_radius"][known])
        fit = fit_relation(log_p, log_r, pivot=_RADIUS_PIVOT)
        row |= dict(zip(names, (fit.slope, fit.slope_error, fit.zero), strict=True))
    late = (cycle.phase > 0.5) & (cycle.phase < 0.8)
    curve = stars.template(cycle.phase.size, "V") - stars.template(cycle.phase.size, "I")
    mean = stars.mean_magnitude("V") - stars.mean_magnitude("I")
    row["v_i_mean"] = float(np.median(mean))
    row["v_i_minimum"] = float(np.median(mean + curve[:, late].mean(axis=1)))
    return row


def _luminosity(writer: _Writer, gen: Any, samples: dict[str, Stars], folder: Path | None, seed: int) -> None:
    bands = tuple(b for b in BANDS_SHOWN if b == WESENHEIT or b in gen.bands)
    rows = period_luminosity(samples, bands=bands, folder=folder)
    shown = tuple(b for b in ("g", "V", "r", "i", "I", "z", WESENHEIT) if b in bands)
    writer.table("period-luminosity", rows)
    published = {(r.kind, r.band) for r in PUBLISHED}
    refitted = ogle_relations(folder) if folder is not None else ()
    relations = (*PUBLISHED, *(r for r in refitted if (r.kind, r.band) not in published))
    if rows:
        writer.picture("period-luminosity", draw_sky.luminosity_figure(samples, rows, relations, shown))


def _colours(writer: _Writer, gen: Any, samples: dict[str, Stars], folder: Path | None, seed: int) -> None:
    rows: list[dict[str, Any]] = []
    for kind, stars in samples.items():
        v = absolute_magnitudes(stars, "V")
        good = np.isfinite(v)
        if not good.any():
            _log.warning("%s is left out of the colour-magnitude diagram: it has no absolute magnitudes", kind)
            continue
        assumed = np.asarray(stars.columns.get("assumed", np.full(len(stars), "")))
        row = {"kind": kind, "n": int(good.sum()), "assumed": float(np.mean(assumed[good].astype(str) != ""))}
        shown = {"M_V": v, "M_G": absolute_magnitudes(stars, "G")}
        for blue, red in (("V", "I"), ("g", "r"), ("BP", "RP")):
            shown[f"{blue}-{red}"] = stars.mean_magnitude(blue) - stars.mean_magnitude(red)
        for name, x in shown.items():
            for suffix, q in (("_16", 0.16), ("", 0.5), ("_84", 0.84)):
                row[name + suffix] = float(np.quantile(x[good], q))
        rows.append(row)
    writer.table("colour-magnitude", rows)
    if rows:
        writer.picture("colour-magnitude", draw_sky.colour_magnitude_figure(samples))


def _amplitudes(writer: _Writer, gen: Any, samples: dict[str, Stars], folder: Path | None, seed: int) -> None:
    changes: list[BandChange] = []
    for kind, stars in samples.items():
        bands = [*_CHANGE_BANDS, "V", *(f"sdss_{b}" for b in "ugriz" if kind.startswith("RRLYR"))]
        changes += band_changes(kind, stars, wavelength_order([b for b in bands if b in gen.bands]))
    if folder is not None:
        seen = unseen_rr_lyrae(gen, folder)
        for subclass in ("RRab", "RRc"):
            own = {b: seen[f"{subclass} {b}"] for b in (f"sdss_{c}" for c in "ugriz") if f"{subclass} {b}" in seen}
            if "sdss_g" in own:
                changes += observed_changes(f"RRLYR {subclass}", own, reference="sdss_g", source="SDSS Stripe 82")
        for kind, pair in real_pairs(folder, _N_PAIRS, seed=seed).items():
            changes += observed_changes(kind, pair, reference="V", source="OGLE-III LMC")
        writer.table("passband", passband_rows(samples, folder))
        writer.table("amplitudes", amplitude_rows(samples, folder))
    writer.table("band-changes", [asdict(c) for c in changes])
    writer.picture("band-changes", draw_sky.amplitudes_figure(changes))
