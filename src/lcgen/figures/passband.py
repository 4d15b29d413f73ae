"""Is the V of Catalina, in which no filter was used, that of Johnson? Amplitudes of RR Lyrae stars tell."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cadence.sky import unit_vectors
from ..catalog import read_fourier_table, read_pack
from ..errors import DataError, DataFormatError
from ..lightcurve import LightCurves
from ..observe.gains import load_gains
from ..prepare.fourier import fourier_series
from ..stars import Stars
from .amplitudes import fourier_fits, series_amplitude

__all__ = ["amplitude_rows", "passband_rows"]

_Array = NDArray[np.float64]
_GRID = np.arange(256) / 256.0
_PERIOD_BINS = {"RRLYR RRab": ((0.50, 0.55), (0.55, 0.60)), "RRLYR RRc": ((0.30, 0.36),)}  # [d]
# A tighter limit on the error of Catalina's amplitudes, most of which are noisy, would prefer large ones.
_MAX_ERROR = 0.1
_BULGE = "rrab_bulge_v_fourier.dat"
_NEAR = 60.0  # arcsec: ASAS gives positions to 0.1 arcmin, its pixels have 15 arcsec


def passband_rows(samples: Mapping[str, Stars], folder: Path) -> list[dict[str, Any]]:
    """Amplitudes of the same RR Lyrae stars in Catalina's V over those in ASAS's I, beside those of V over I.

    Parameters
    ----------
    samples : mapping of label to Stars
        Generated stars, whose V curves are brought to I with the gains measured in Stripe 82.
    folder : Path
        Of the survey data.

    Returns
    -------
    list of dict
        ``kind``, ``n``; ``ratio`` and its error, the median of Catalina over I; ``expected``, V over I; and
        ``catalina_over_v``, the one over the other. Empty where a pack is missing.
    """
    try:
        css = read_pack(folder / "lightcurves" / "css_south_v.h5", classes=["RRLYR"], with_period=True)
        asas = read_pack(folder / "lightcurves" / "asas_i_rrlyr.h5", classes=["RRLYR"])
    except DataFormatError:
        return []
    css_rows, asas_rows = _matched(css, asas)
    own, other = css.take(css_rows), asas.take(asas_rows)
    known = {name: own.columns[name] for name in ("id", "period")}
    other = dataclasses.replace(other, columns={**other.columns, **known})
    fits = fourier_fits(own), fourier_fits(other)
    subclass = dict(zip(own.columns["id"].tolist(), own.columns["subclass"].tolist(), strict=True))
    rows = []
    for kind in ("RRLYR RRab", "RRLYR RRc"):
        both = [s for s in fits[0] if s in fits[1] and subclass[s] == kind.split()[1]]
        if kind not in samples or len(both) < 10:
            continue
        ratio = np.array([series_amplitude(fits[0][s]) / series_amplitude(fits[1][s]) for s in both])
        stars = samples[kind]
        v = stars.template(256, "V")
        gains = load_gains()[kind.replace(" ", "/")]
        i = gains.transfer(v, np.log10(np.asarray(stars.columns["period"], dtype=float)), "V", ("I",))[0]
        expected = float(np.median(np.ptp(v, axis=1) / np.ptp(i, axis=1)))
        error = _median_error(ratio)
        median = float(np.median(ratio))
        rows.append(
            {
                "kind": kind,
                "n": len(both),
                "ratio": median,
                "ratio_error": error,
                "expected": expected,
                "catalina_over_v": median / expected,
                "catalina_over_v_error": error / expected,
            }
        )
    return rows


def amplitude_rows(samples: Mapping[str, Stars], folder: Path) -> list[dict[str, Any]]:
    """Median amplitudes in V of RR Lyrae stars of equal period, by survey.

    Parameters
    ----------
    samples : mapping of label to Stars
        Generated stars.
    folder : Path
        Of the survey data.

    Returns
    -------
    list of dict
        A row a ``kind`` and bin of period (``period_low``, ``period_high`` [d]): medians of the peak-to-peak amplitude
        [mag] ``generated``, ``catalina``, ``stripe_82`` (V from g and r), ``ogle_bulge`` (RRab alone, from the table of
        Dekany, Grebel & Pojmanski 2021, ApJ 920, 33), NaN where there are fewer than ten stars; ``n_`` of each is the
        number of stars; ``catalina_over_v``, Catalina over Stripe 82, and its error. Empty where a pack is missing.
    """
    packs = {}
    for name in ("css_south_v", "s82_rrlyr_g", "s82_rrlyr_r"):
        try:
            packs[name] = read_pack(folder / "lightcurves" / f"{name}.h5", classes=["RRLYR"], with_period=True)
        except DataFormatError:
            return []
    rows = []
    for kind, bins in _PERIOD_BINS.items():
        for low, high in bins if kind in samples else ():
            css, *sdss = (_fits_in(pack, kind.split()[1], low, high) for pack in packs.values())
            stars = samples[kind]
            period = np.asarray(stars.columns["period"], dtype=float)
            found = {
                "generated": np.ptp(stars.template(_GRID.size, "V")[(period >= low) & (period < high)], axis=1),
                "catalina": np.array([series_amplitude(c) for c in css.values()]),
                "stripe_82": _johnson_amplitudes(*sdss),
                "ogle_bulge": _bulge_amplitudes(folder, low, high) if kind == "RRLYR RRab" else np.zeros(0),
            }
            row: dict[str, Any] = {"kind": kind, "period_low": low, "period_high": high}
            for name, values in found.items():
                row |= {f"n_{name}": values.size, name: float(np.median(values)) if values.size >= 10 else np.nan}
            ratio = row["catalina"] / row["stripe_82"]
            relative = [_median_error(found[n]) / row[n] for n in ("catalina", "stripe_82")]
            rows.append(row | {"catalina_over_v": ratio, "catalina_over_v_error": ratio * float(np.hypot(*relative))})
    return rows


def _fits_in(pack: LightCurves, subclass: str, low: float, high: float) -> dict[str, _Array]:
    period = np.asarray(pack.columns["period"], dtype=float)
    own = (np.asarray(pack.columns["subclass"]) == subclass) & (period >= low) & (period < high)
    return fourier_fits(pack.take(np.flatnonzero(own)), max_error=_MAX_ERROR)


def _johnson_amplitudes(g: Mapping[str, _Array], r: Mapping[str, _Array]) -> _Array:
    from ..train.band_gains import LUPTON

    weights = [LUPTON["V"][band] for band in ("sdss_g", "sdss_r")]
    both = [(g[s], r[s]) for s in g if s in r]
    curves = [sum(w * fourier_series(c, _GRID) for w, c in zip(weights, pair, strict=True)) for pair in both]
    return np.array([np.ptp(c) for c in curves])


def _bulge_amplitudes(folder: Path, low: float, high: float) -> _Array:
    try:
        table = read_fourier_table(folder / "catalogs" / _BULGE)
    except DataError:
        return np.zeros(0)
    own = (table["period"] >= low) & (table["period"] < high) & np.isfinite(table["amplitude"])
    return np.asarray(table["amplitude"][own], dtype=float)


def _median_error(values: _Array) -> float:
    return float(1.2533 * np.std(values) / np.sqrt(max(values.size, 1)))


def _matched(css: LightCurves, asas: LightCurves) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of stars at the same place; ASAS names its stars by theirs, as hhmmss+ddmm.m."""
    from scipy.spatial import KDTree

    places = np.array([_position(str(s)) for s in asas.columns["id"]]).reshape(-1, 2)
    tree = KDTree(unit_vectors(*(np.asarray(css.columns[c], dtype=float) for c in ("ra", "dec"))))
    distance, nearest = (np.asarray(found) for found in tree.query(unit_vectors(places[:, 0], places[:, 1])))
    close = np.flatnonzero(np.degrees(distance) * 3600.0 < _NEAR)
    first = np.unique(nearest[close], return_index=True)[1]  # each star once
    return nearest[close][first], close[first]


def _position(name: str) -> tuple[float, float]:
    hours = int(name[:2]) + int(name[2:4]) / 60.0 + float(name[4:6]) / 3600.0
    degrees = int(name[7:9]) + float(name[9:]) / 60.0
    return 15.0 * hours, -degrees if name[6] == "-" else degrees
