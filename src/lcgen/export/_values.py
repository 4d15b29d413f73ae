"""What several formats need of a block of light curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..ensemble import Ensemble
from ..errors import InputError
from ..lightcurve import LightCurves
from ..photometry import AB_ZERO_POINT_NJY
from ..taxonomy import CLASSES

__all__ = [
    "DETECTION_SNR",
    "FLUXCAL_PER_NJY",
    "SNANA_ZERO_POINT",
    "class_codes",
    "column_or_nan",
    "detections",
    "exported_flux",
    "first_per_star",
    "in_time_order",
    "longest_text",
    "mapped_bands",
    "pairs_of",
    "reddening",
]

SNANA_ZERO_POINT = 27.5
"""AB magnitude of FLUXCAL = 1 (Kessler et al. 2009, PASP 121, 1028)."""

FLUXCAL_PER_NJY = float(10.0 ** (0.4 * (SNANA_ZERO_POINT - AB_ZERO_POINT_NJY)))
"""FLUXCAL of a source of 1 nJy."""

DETECTION_SNR = 5.0
"""What counts as a detection where the ensemble was made without a detection limit."""

_R_V = 3.1
_TEXT_STEP = 2**17


def in_time_order(block: LightCurves) -> LightCurves:
    """The block with the observations of each star in the order of time."""
    star = block.star_index
    step = np.diff(block.mjd)
    if np.all((step >= 0) | (np.diff(star) > 0)):
        return block
    rows = np.lexsort((block.mjd, star))
    return LightCurves(
        offsets=block.offsets,
        mjd=block.mjd[rows],
        mag=block.mag[rows],
        mag_err=block.mag_err[rows],
        band_index=block.band_index[rows],
        band_names=block.band_names,
        columns=block.columns,
        meta=block.meta,
        measured_flux=np.asarray(block.flux)[rows],
        measured_flux_err=np.asarray(block.flux_err)[rows],
        detected=None if block.detected is None else block.detected[rows],
    )


def detections(block: LightCurves) -> NDArray[np.bool_]:
    """Which observations are detections: as the ensemble says, else those of five sigma."""
    if block.detected is not None:
        return np.asarray(block.detected, dtype=bool)
    return np.asarray(block.flux) >= DETECTION_SNR * np.asarray(block.flux_err)


def exported_flux(block: LightCurves, *, difference: bool) -> NDArray[np.float64]:
    """Flux [nJy]; with `difference`, minus the mean flux of the star in the band, as a deep template would have it."""
    flux = np.asarray(block.flux, dtype=np.float64)
    if not difference or not flux.size:
        return flux
    cell = block.star_index * len(block.band_names) + block.band_index
    size = len(block) * len(block.band_names)
    mean = np.bincount(cell, flux, size) / np.maximum(np.bincount(cell, minlength=size), 1)
    return flux - mean[cell]


def first_per_star(
    values: NDArray[np.float64], star: NDArray[np.int64], which: NDArray[np.bool_], n_stars: int
) -> NDArray[np.float64]:
    """The smallest value of each star among those that count; infinite where none does."""
    out = np.full(n_stars, np.inf)
    np.minimum.at(out, star[which], values[which])
    return out


def class_codes(block: LightCurves) -> NDArray[np.int64]:
    """Place of each star's class in :data:`lcgen.CLASSES`; -1 for a class that is not there."""
    names, which = np.unique(np.asarray(block.columns["class"]).astype(str), return_inverse=True)
    codes = [CLASSES.index(str(n)) if str(n) in CLASSES else -1 for n in names]
    return np.array(codes, dtype=np.int64)[which]


def column_or_nan(block: LightCurves, name: str) -> NDArray[np.float64]:
    """A column of the stars as floats, NaN where the ensemble does not have it."""
    if name not in block.columns:
        return np.full(len(block), np.nan)
    return np.asarray(block.columns[name], dtype=np.float64)


def reddening(block: LightCurves) -> NDArray[np.float64]:
    """E(B-V) of each star [mag]; zero where the ensemble has no dust."""
    if "e_bv" in block.columns:
        return np.asarray(block.columns["e_bv"], dtype=np.float64)
    if "a_v" in block.columns:
        return np.asarray(block.columns["a_v"], dtype=np.float64) / _R_V
    return np.zeros(len(block))


def mapped_bands(
    names: Sequence[str], table: Mapping[str, str], *, what: str, extra: str = "", merge: bool = False
) -> dict[str, str]:
    """What a format calls each of the bands.

    Parameters
    ----------
    names : sequence of str
        Bands that occur.
    table : mapping
        Names of the format for those it has.
    what : str
        The format, for messages.
    extra : str
        What the user wants mapped otherwise: ``V=v,I=i``.
    merge : bool
        Whether the user may give two bands one name.

    Raises
    ------
    InputError
        If the format lacks a band, or two bands get the same name.
    """
    asked = pairs_of(extra, "bands")
    table = {**table, **asked}
    missing = [n for n in names if n not in table]
    if missing:
        raise InputError(
            f"{what} has no band for {', '.join(missing)}; it has: {', '.join(table) or 'none'}. Name one with the "
            f"option bands ({missing[0]}=...), or make the ensemble in other bands"
        )
    out = {n: table[n] for n in names}
    for name in set(out.values()):
        same = [n for n in names if out[n] == name]
        if len(same) > 1 and not (merge and asked):
            raise InputError(
                f"{what} would call the bands {' and '.join(same)} both {name!r}; give them different names with the "
                f"option bands ({same[0]}=...,{same[1]}=...)"
            )
    return out


def pairs_of(text: str, option: str) -> dict[str, str]:
    """``a=b,c=d`` as a mapping.

    Raises
    ------
    InputError
        If it is not of this form.
    """
    out = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        left, equals, right = item.partition("=")
        if not (left and equals and right):
            raise InputError(f"option {option} must be a list such as a=b,c=d; received {text!r}")
        out[left.strip()] = right.strip()
    return out


def longest_text(ensemble: Ensemble, names: Sequence[str]) -> dict[str, int]:
    """Bytes of the longest entry of some text columns, at least one."""
    longest = dict.fromkeys(names, 1)
    for start in range(0, len(ensemble) if names else 0, _TEXT_STEP):
        for name, values in ensemble.columns(names, start, start + _TEXT_STEP).items():
            longest[name] = max(longest[name], np.char.encode(values.astype(str), "utf-8").dtype.itemsize)
    return longest
