"""Period-luminosity relations of generated stars, beside published ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError, InputError
from ..population.relations import REDDENING, TOTAL_TO_SELECTIVE
from ..stars import Stars

__all__ = [
    "BANDS_SHOWN",
    "PIVOT",
    "PUBLISHED",
    "WESENHEIT",
    "PublishedRelation",
    "RelationFit",
    "absolute_magnitudes",
    "fit_relation",
    "fundamental_log_period",
    "log_z",
    "ogle_relations",
    "period_luminosity",
]

_Array = NDArray[np.float64]

WESENHEIT = "W_I"
"""``I - 1.55 (V - I)``, which reddening leaves as it is."""
BANDS_SHOWN: tuple[str, ...] = ("u", "g", "V", "r", "i", "I", "z", "y", "G", WESENHEIT)
"""Bands in which relations are fitted."""
PIVOT: dict[str, float] = {"CEP F": 0.7, "CEP 1O": 0.4, "RRLYR": -0.25}
"""log10 of the period [d] at which zero points are compared, near the middle of the stars."""
_OVERTONE_SHIFT = 0.127  # log P_F - log P_1O of RR Lyrae stars: a period ratio of 0.746 (Iben 1974, ARA&A 12, 215)
_LMC_MODULUS = 18.477  # Pietrzynski et al. 2019, Nature 567, 200
_ALPHA = 0.3


@dataclass(frozen=True, kw_only=True)
class PublishedRelation:
    """``M = zero + slope (log P - PIVOT) + metals log Z + metals2 (log Z)^2``.

    Attributes
    ----------
    kind, band : str
        Of which stars in which band.
    slope, slope_error : float
        [mag/dex]; NaN where the relation has no period.
    zero, zero_error : float
        Absolute magnitude at the pivot period of the kind [mag]; NaN error where none is given.
    metals, metals2 : float
    source : str
    """

    kind: str
    band: str
    slope: float
    zero: float
    source: str
    slope_error: float = np.nan
    zero_error: float = np.nan
    metals: float = 0.0
    metals2: float = 0.0

    def magnitude(self, log_period: ArrayLike, log_metals: ArrayLike = 0.0) -> _Array:
        """Absolute magnitudes [mag]; without the period term where the relation has none."""
        x, z = np.asarray(log_period, dtype=float), np.asarray(log_metals, dtype=float)
        slope = self.slope if np.isfinite(self.slope) else 0.0
        return self.zero + slope * (x - PIVOT[self.kind]) + self.metals * z + self.metals2 * z**2


def _ogle(kind: str, band: str, slope: float, slope_error: float, intercept: float, error: float, source: str):
    """An apparent relation of the LMC without extinction correction, as an absolute one."""
    excess = REDDENING["LMC"]
    extinction = {"I": TOTAL_TO_SELECTIVE, "V": TOTAL_TO_SELECTIVE + 1.0, WESENHEIT: 0.0}[band] * excess
    zero = intercept + slope * PIVOT[kind] - extinction - _LMC_MODULUS
    return PublishedRelation(
        kind=kind, band=band, slope=slope, slope_error=slope_error, zero=zero, zero_error=error, source=source
    )


def _theory(band: str, zero: float, slope: float, metals: float, source: str, metals2: float = 0.0):
    return PublishedRelation(
        kind="RRLYR",
        band=band,
        slope=slope,
        zero=zero + (slope * PIVOT["RRLYR"] if np.isfinite(slope) else 0.0),
        metals=metals,
        metals2=metals2,
        source=source,
    )


_SOSZYNSKI = "Soszynski et al. 2008, AcA 58, 163; LMC modulus 18.477, E(V-I) = 0.10"
_CACERES = "Caceres & Catelan 2008, ApJS 179, 242 (theory)"
_CATELAN = "Catelan, Pritzl & Smith 2004, ApJS 154, 633 (theory)"

PUBLISHED: tuple[PublishedRelation, ...] = (
    _ogle("CEP F", "V", -2.762, 0.022, 17.530, 0.015, _SOSZYNSKI),
    _ogle("CEP F", "I", -2.959, 0.016, 16.879, 0.010, _SOSZYNSKI),
    _ogle("CEP F", WESENHEIT, -3.314, 0.009, 15.893, 0.006, _SOSZYNSKI),
    _theory("I", 0.471, -1.132, 0.205, _CATELAN),
    _theory("i", 0.908, -1.035, 0.220, _CACERES),
    _theory("z", 0.839, -1.295, 0.211, _CACERES),
    _theory("V", 2.288, np.nan, 0.882, _CATELAN, metals2=0.108),
)
"""Published relations; those in SDSS i and z stand beside LSST's, whose curves differ by 0.01 mag for such stars."""


@dataclass(frozen=True, kw_only=True)
class RelationFit:
    """A straight line through stars.

    Attributes
    ----------
    slope, slope_error : float
        [mag/dex]
    zero, zero_error : float
        At the pivot [mag].
    metals, metals_error : float
        Coefficient of log Z; NaN where it was not fitted.
    scatter : float
        Standard deviation about the line [mag].
    n : int
        Stars within the clipping limit.
    """

    slope: float
    slope_error: float
    zero: float
    zero_error: float
    scatter: float
    n: int
    metals: float = np.nan
    metals_error: float = np.nan


def fit_relation(
    log_period: ArrayLike,
    mag: ArrayLike,
    *,
    pivot: float = 0.0,
    log_metals: ArrayLike | None = None,
    clip: float = 3.0,
) -> RelationFit:
    """Fit ``mag = zero + slope (log P - pivot) [+ metals (log Z - mean)]`` with iterated clipping.

    Parameters
    ----------
    log_period, mag : array_like, shape (n,)
        Stars without a magnitude (NaN) are left out.
    pivot : float
    log_metals : array_like, shape (n,), optional
        log Z; the zero point is then that of their mean.
    clip : float
        In standard deviations.

    Raises
    ------
    InputError
        With fewer than ten stars, or if all have one period.

    Examples
    --------
    >>> x = np.linspace(0, 1, 50)
    >>> fit = fit_relation(x, -3 * x + 1, pivot=0.5)
    >>> round(fit.slope, 6), round(fit.zero, 6)
    (-3.0, -0.5)
    """
    x, y = np.asarray(log_period, dtype=float) - pivot, np.asarray(mag, dtype=float)
    columns = [np.ones_like(x), x]
    good = np.isfinite(x) & np.isfinite(y)
    if log_metals is not None:
        z = np.asarray(log_metals, dtype=float)
        good &= np.isfinite(z)
        columns.append(z - z[good].mean() if good.any() else z)
    if good.sum() < 10 or np.ptp(x[good]) <= 0:
        raise InputError(f"a relation needs ten stars of different periods, received {int(good.sum())} stars")
    design = np.stack(columns, axis=1)
    for _ in range(20):
        solution = np.linalg.lstsq(design[good], y[good], rcond=None)[0]
        residual = y - design @ solution
        scatter = float(residual[good].std(ddof=design.shape[1]))
        kept = good & (np.abs(residual) <= clip * max(scatter, 1e-12))
        if np.array_equal(kept, good):
            break
        good = kept
    error = scatter * np.sqrt(np.diag(np.linalg.pinv(design[good].T @ design[good])))
    more = {"metals": float(solution[2]), "metals_error": float(error[2])} if log_metals is not None else {}
    return RelationFit(
        slope=float(solution[1]),
        slope_error=float(error[1]),
        zero=float(solution[0]),
        zero_error=float(error[0]),
        scatter=scatter,
        n=int(good.sum()),
        **more,
    )


def log_z(fe_h: ArrayLike) -> _Array:
    """log Z of an [Fe/H] with [alpha/Fe] = 0.3 (Catelan, Pritzl & Smith 2004, equations 9 and 10; Salaris et al. 1993).

    Examples
    --------
    >>> float(log_z(-1.5).round(2))
    -3.05
    """
    return np.asarray(fe_h, dtype=float) + np.log10(0.638 * 10.0**_ALPHA + 0.362) - 1.765


def fundamental_log_period(stars: Stars) -> _Array:
    """log10 of the period [d], of first-overtone RR Lyrae stars that of their fundamental mode."""
    overtone = (np.asarray(stars.columns["class"]) == "RRLYR") & np.isin(
        np.asarray(stars.columns["subclass"]), ("RRc", "RRd")
    )
    return np.log10(np.asarray(stars.columns["period"], dtype=float)) + np.where(overtone, _OVERTONE_SHIFT, 0.0)


def absolute_magnitudes(stars: Stars, band: str) -> _Array:
    """Absolute mean magnitudes in a band or the Wesenheit index; NaN where a star has none."""
    if band == WESENHEIT:
        v, i = absolute_magnitudes(stars, "V"), absolute_magnitudes(stars, "I")
        return i - TOTAL_TO_SELECTIVE * (v - i)
    known = np.asarray(stars.columns["mag_zero"]) == "absolute"
    return np.where(known, stars.mean_magnitude(band), np.nan)


def ogle_relations(folder: Path) -> tuple[PublishedRelation, ...]:
    """The relations of the catalogue's own Cepheids, fitted here as the generated ones are.

    F: all of OGLE-III in the LMC. 1O: those with a counterpart in Gaia DR2, about a third.

    Parameters
    ----------
    folder : Path
        Of the survey data.

    Returns
    -------
    tuple of PublishedRelation
        Empty where the tables are missing.
    """
    from ..catalog import read_ogle_cepf, read_physical_parameters

    try:
        f = read_ogle_cepf(folder / "catalogs" / "ogle3_lmc_cepF.dat")
        other = read_physical_parameters(folder / "catalogs" / "ogle3_gaiadr2_physical_parameters.csv.gz")
    except DataError:
        return ()
    own = (other["class"] == "CEP") & (other["subclass"] == "1O")
    own &= np.array(["-LMC-" in s for s in other["id"].tolist()])
    sets = {
        "CEP F": (f["period"], f["V"], f["I"]),
        "CEP 1O": (other["period"][own], other["I"][own] + other["V_I"][own], other["I"][own]),
    }
    out = []
    for kind, (period, v, i) in sets.items():
        for band, mag in {"V": v, "I": i, WESENHEIT: i - TOTAL_TO_SELECTIVE * (v - i)}.items():
            fit = fit_relation(np.log10(period), mag)
            source = f"OGLE-III catalogue, {fit.n} stars, fitted here; LMC modulus 18.477, E(V-I) = 0.10"
            out.append(_ogle(kind, band, fit.slope, fit.slope_error, fit.zero, fit.zero_error, source))
    return tuple(out)


def period_luminosity(
    samples: Mapping[str, Stars], *, bands: tuple[str, ...] = BANDS_SHOWN, folder: Path | None = None
) -> list[dict[str, Any]]:
    """Fits to generated stars in each band, beside what was published.

    Parameters
    ----------
    samples : mapping of label to Stars
        As of :func:`lcgen.figures.draw_kinds`; Cepheids F and 1O, and RR Lyrae stars RRab and RRc, which are fitted
        together with the fundamental period.
    bands : tuple of str
        Bands of the generator, and :data:`WESENHEIT`.
    folder : Path, optional
        Of the survey data, for :func:`ogle_relations`.

    Returns
    -------
    list of dict
        One row a kind, band and published relation; NaN where there is none. Where the published relation has a
        metallicity, ``slope`` is that at fixed [Fe/H] and ``plain_slope`` that of all stars; else both are the same.
        ``difference`` is generated minus published magnitude: at the pivot ``log_p``, or the mean over the stars.
    """
    references = PUBLISHED + (ogle_relations(folder) if folder is not None else ())
    rows = []
    for kind in PIVOT:
        parts = [s for label, s in samples.items() if label.split()[0] == kind or label == kind]
        if not parts:
            continue
        x = np.concatenate([fundamental_log_period(s) for s in parts])
        fe_h = np.concatenate([np.asarray(s.columns["fe_h"], dtype=float) for s in parts])
        for band in bands:
            mag = np.concatenate([absolute_magnitudes(s, band) for s in parts])
            if np.isfinite(mag).sum() >= 10:
                rows += _compared(kind, band, x, mag, log_z(fe_h), references)
    return rows


def _compared(
    kind: str, band: str, x: _Array, mag: _Array, metals: _Array, references: tuple[PublishedRelation, ...]
) -> list[dict[str, Any]]:
    fit = fit_relation(x, mag, pivot=PIVOT[kind])
    own = {"kind": kind, "band": band, "log_p": PIVOT[kind], "plain_slope": fit.slope, "plain_zero": fit.zero}
    own |= fit.__dict__
    found = [r for r in references if (r.kind, r.band) == (kind, band)]
    empty = dict.fromkeys(("published_slope", "published_slope_error", "published_zero", "difference"), np.nan)
    if not found:
        return [own | empty | {"source": ""}]
    rows = []
    for relation in found:
        row = dict(own)
        good = np.isfinite(mag)
        zero = relation.zero
        if relation.metals:
            # at fixed metallicity, as the published slope is meant
            good &= np.isfinite(metals)
            row |= fit_relation(x, mag, pivot=PIVOT[kind], log_metals=metals).__dict__
            zero = float(relation.magnitude(PIVOT[kind], metals[good]).mean())
            difference = float(np.mean(mag[good] - relation.magnitude(x[good], metals[good])))
        else:
            difference = fit.zero - zero
        rows.append(
            row
            | {
                "published_slope": relation.slope,
                "published_slope_error": relation.slope_error,
                "published_zero": zero,
                "difference": difference,
                "source": relation.source,
            }
        )
    return rows
