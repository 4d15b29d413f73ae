"""Is the V of Catalina, in which no filter was used, that of Johnson? RR Lyrae stars that ASAS saw in I tell."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..catalog import read_pack
from ..errors import DataFormatError
from ..lightcurve import LightCurves
from ..observe.gains import load_gains
from ..stars import Stars
from .amplitudes import fourier_fits, series_amplitude

__all__ = ["passband_rows"]

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
        error = float(1.2533 * np.std(ratio) / np.sqrt(ratio.size))  # of a median
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


def _matched(css: LightCurves, asas: LightCurves) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of stars at the same place; ASAS names its stars by theirs, as hhmmss+ddmm.m."""
    from scipy.spatial import KDTree

    places = np.array([_position(str(s)) for s in asas.columns["id"]]).reshape(-1, 2)
    tree = KDTree(_unit(*(np.asarray(css.columns[c], dtype=float) for c in ("ra", "dec"))))
    distance, nearest = (np.asarray(found) for found in tree.query(_unit(places[:, 0], places[:, 1])))
    close = np.flatnonzero(np.degrees(distance) * 3600.0 < _NEAR)
    first = np.unique(nearest[close], return_index=True)[1]  # each star once
    return nearest[close][first], close[first]


def _position(name: str) -> tuple[float, float]:
    hours = int(name[:2]) + int(name[2:4]) / 60.0 + float(name[4:6]) / 3600.0
    degrees = int(name[7:9]) + float(name[9:]) / 60.0
    return 15.0 * hours, -degrees if name[6] == "-" else degrees


def _unit(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
    a, d = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=1)
