"""Typical temperatures and absolute magnitudes, for stars whose class has none in the population.

Published relations, or linear fits to the Magellanic stars of the training table, with their scatter. They stand in for
measurements and say so: ``source`` is ``"assumed"``. :data:`RELATIONS` lists them with source and validity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DomainError, InputError
from ..taxonomy import class_info
from .stellar import bolometric_correction_g, draw_stars, gravity_of, radius_of

__all__ = ["ASSUMED", "N_UNIFORMS", "RELATIONS", "Relation", "TypicalParameters", "bolometric_correction_g", "typical"]

N_UNIFORMS = 4
"""Uniform numbers that :func:`typical` takes from each star: choice, luminosity, temperature, companion."""
ASSUMED = "assumed"
"""The word for parameters that come from a typical relation, to be kept in the table of stars."""

_Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Relation:
    """One typical relation.

    Attributes
    ----------
    formula, source : str
        In words.
    periods : (float, float)
        Range in which it holds [d]; a star outside gets what holds at the nearer end, and is flagged.
    """

    formula: str
    source: str
    periods: tuple[float, float]


_OWN = "linear fit to the Magellanic stars of lcgen.population.training_table"
RELATIONS: dict[str, Relation] = {
    "delta Scuti": Relation(
        formula="M_V = -2.94 log P - 1.34, scatter 0.25 mag; radius from Q = 0.033 d and 1.8 M_sun, so T_eff",
        source="Ziaali et al. 2019, MNRAS 486, 4348 (fundamental mode); Breger 1979, PASP 91, 5 (Q)",
        periods=(0.03, 0.25),
    ),
    "contact binary": Relation(
        formula="M_V = -8.67 (log P + 0.40) + 3.73, scatter 0.3 mag; log M_1 = 0.755 log P + 0.416, q = 0.3, both "
        "lobes filled, so T_eff, kept within 4,300 and about 7,200 K",
        source="Mateo & Rucinski 2017, AJ 154, 125; Gazeas & Stepien 2008, MNRAS 390, 1577; Eggleton 1983, ApJ 268, "
        "368; q: Latkovic et al. 2021, ApJS 254, 10; limit: Jayasinghe et al. 2020, MNRAS 493, 4045",
        periods=(0.22, 0.88),
    ),
    "detached binary": Relation(
        formula="two main-sequence stars, q uniform in 0.3-1, the primary within 90 % of its Roche lobe; its mass from "
        "a Salpeter function times the lifetime, the eclipse probability and 10^(-0.3 M_G) for the reach of a survey",
        source="Pecaut & Mamajek 2013, ApJS 208, 9 (version 2024.05.15); Salpeter 1955, ApJ 121, 161; Eggleton 1983",
        periods=(0.25, 1000.0),
    ),
    "close binary": Relation(
        formula="a star that fills 70-100 % of its Roche lobe: on the main sequence, or beyond 2.5 M_sun evolved",
        source="Eggleton 1983; Pecaut & Mamajek 2013; van Belle et al. 2021, ApJ 922, 163 (giants)",
        periods=(0.2, 1000.0),
    ),
    "Mira": Relation(
        formula="M_K = -3.51 (log P - 2.38) - 7.25, scatter 0.2 mag; T_eff = 2970 K - 950 K log(P / 284 d), 150 K",
        source="Whitelock, Feast & van Leeuwen 2008, MNRAS 386, 313; temperature: R Aql (Hofmann et al. 2002, New "
        "Astron. 7, 9), slope from V-I of the bulge Miras of OGLE-III; an approximation",
        periods=(100.0, 1000.0),
    ),
    "semiregular": Relation(
        formula="K sequence C or (below 150 d, one half) B of the LMC, scatter 0.25 mag; "
        "T_eff from the luminosity along the giant branch",
        source="Groenewegen 2004, A&A 425, 595, table 4 (centres of its strips); giant branch: van Belle et al. 2021, "
        "ApJ 922, 163, and R Aql; an approximation",
        periods=(20.0, 1000.0),
    ),
    "small-amplitude red giant": Relation(
        formula="K sequence B or (below 60 d, one half) A of the LMC, scatter 0.25 mag; "
        "T_eff from the luminosity along the giant branch",
        source="Groenewegen 2004, A&A 425, 595, table 4 (centres of its strips); giant branch: van Belle et al. 2021, "
        "ApJ 922, 163, and R Aql; an approximation",
        periods=(10.0, 200.0),
    ),
    "type II Cepheid": Relation(
        formula="M_bol = 0.12 - 1.78 log P, scatter 0.3 mag; log R = 0.846 + 0.521 log P, scatter 0.03",
        source="Groenewegen & Jurkovic 2017, A&A 604, A29",
        periods=(1.0, 50.0),
    ),
    "RV Tauri star": Relation(
        formula="M_G = 3.015 - 4.092 log P, scatter 0.44 mag; log T = 3.730 - 0.010 log P, scatter 0.036",
        source=_OWN + ", 20 stars",
        periods=(20.0, 60.0),
    ),
    "anomalous Cepheid, F": Relation(
        formula="M_G = -0.641 - 2.841 log P, scatter 0.24 mag; log T = 3.813 - 0.064 log P, scatter 0.027",
        source=_OWN + ", 14 stars",
        periods=(0.6, 2.4),
    ),
    "anomalous Cepheid, 1O": Relation(
        formula="M_G = -1.602 - 3.395 log P, scatter 0.24 mag; log T = 3.835 - 0.064 log P, scatter 0.027",
        source=_OWN + ", 5 stars, scatter of the fundamental mode",
        periods=(0.38, 1.2),
    ),
    "RRab": Relation(
        formula="M_G = 0.131 - 1.427 log P, scatter 0.17 mag; log T = 3.749 - 0.253 log P, scatter 0.013",
        source=_OWN + ", 4,626 stars",
        periods=(0.44, 0.80),
    ),
    "RRc": Relation(
        formula="M_G = -0.170 - 1.472 log P, scatter 0.19 mag; log T = 3.761 - 0.181 log P, scatter 0.015",
        source=_OWN + ", 9,319 stars; also for RRd",
        periods=(0.24, 0.45),
    ),
    "Cepheid, F": Relation(
        formula="M_G = -1.301 - 2.809 log P, scatter 0.19 mag; log T = 3.797 - 0.069 log P, scatter 0.019",
        source=_OWN + ", 1,724 stars",
        periods=(1.0, 40.0),
    ),
    "Cepheid, overtone": Relation(
        formula="M_G = -1.751 - 3.267 log P, scatter 0.19 mag; log T = 3.792 - 0.032 log P, scatter 0.019",
        source=_OWN + ", 402 stars",
        periods=(0.5, 6.0),
    ),
}
"""The relations by name."""

_ACEP_F = 174.0 / 250.0  # fundamental mode among the anomalous Cepheids of OGLE-IV: Soszynski et al. 2015, AcA 65, 233


@dataclass(frozen=True, kw_only=True, eq=False)
class TypicalParameters:
    """What :func:`typical` gives, one value a star, shape (n,).

    Attributes
    ----------
    teff : ndarray of float64
        Effective temperature [K]; of a binary, weighted by the light of its stars.
    abs_mag : ndarray of float64
        Absolute magnitude in Gaia G, without extinction [mag]; of a binary, of both stars.
    radius : ndarray of float64
        Radius of a single star of this luminosity and temperature, or of a binary's primary [R_sun].
    logg : ndarray of float64
        Surface gravity [dex cgs]; NaN where the relation has no mass.
    relation : ndarray of str
        Key of :data:`RELATIONS`.
    outside : ndarray of bool
        The period is outside the range of the relation, which was held constant from there on.
    source : str
        ``"assumed"`` for all.
    """

    teff: _Array
    abs_mag: _Array
    radius: _Array
    logg: _Array
    relation: NDArray[np.str_]
    outside: NDArray[np.bool_]
    source: str = ASSUMED


def typical(
    classes: str | ArrayLike, subclass: str | ArrayLike, period: ArrayLike, uniforms: ArrayLike
) -> TypicalParameters:
    """Typical parameters of stars of given class, subclass and period.

    Parameters
    ----------
    classes, subclass : str or array_like of str, shape (n,)
        As in :mod:`lcgen.taxonomy`; an empty subclass draws one of those usual in its class.
    period : array_like, shape (n,)
        Period [d].
    uniforms : array_like, shape (n, N_UNIFORMS)
        The star's own uniform numbers in [0, 1); the result of a star depends on nothing else.

    Returns
    -------
    TypicalParameters

    Raises
    ------
    UnknownNameError
        For an unknown class.
    DomainError
        For a period that is not positive and finite.
    InputError
        If shapes do not fit or the uniforms are outside [0, 1).

    Examples
    --------
    >>> stars = typical("ECL", "EW", [0.27, 0.40], [[0.5] * N_UNIFORMS] * 2)
    >>> [round(t, -2) for t in stars.teff.tolist()], stars.source
    ([5300.0, 6000.0], 'assumed')
    """
    log_p = np.atleast_1d(np.asarray(period, dtype=float))
    bad = ~(np.isfinite(log_p) & (log_p > 0))
    if log_p.ndim != 1 or bad.any():
        raise DomainError("period", float(log_p[bad][0]) if bad.any() else np.nan, 0.0, np.inf, context="every star")
    u = np.asarray(uniforms, dtype=float)
    if u.shape != (log_p.size, N_UNIFORMS) or not np.all((u >= 0) & (u < 1)):
        raise InputError(
            f"uniforms must have shape ({log_p.size}, {N_UNIFORMS}) and lie in [0, 1), received shape {u.shape}"
        )
    try:
        names = np.broadcast_to(np.asarray(classes, dtype=str), log_p.shape)
        subs = np.broadcast_to(np.asarray(subclass, dtype=str), log_p.shape)
    except ValueError:
        raise InputError(f"classes and subclass must be one for all or one for each of {log_p.size} periods") from None
    for name in np.unique(names):
        class_info(str(name))
    relation = _choose(names, subs, log_p, u[:, 0])
    limits = np.array([RELATIONS[r].periods for r in relation.tolist()]).reshape(-1, 2)
    p = np.clip(log_p, limits[:, 0], limits[:, 1])
    out = np.full((4, log_p.size), np.nan)
    for key in np.unique(relation):
        rows = np.flatnonzero(relation == key)
        out[:, rows] = draw_stars(str(key), p[rows], u[rows])
    teff, mag, radius, mass = out
    single = np.isnan(radius)
    radius[single] = radius_of(mag[single], teff[single])
    return TypicalParameters(
        teff=teff,
        abs_mag=mag,
        radius=radius,
        logg=gravity_of(mass, radius),
        relation=relation,
        outside=p != log_p,
    )


def _choose(names: NDArray, subs: NDArray, period: _Array, u: _Array) -> NDArray[np.str_]:
    """The relation that each star follows."""
    acep_f = (subs == "F") | ((subs == "") & (u < _ACEP_F))
    # beyond the periods of contact binaries, one without a subclass is detached
    blank = np.where(period < 0.6, "contact binary", "detached binary")
    ecl = np.select(
        [subs == "EW", subs == "EA", subs == "EB"], ["contact binary", "detached binary", "close binary"], blank
    )
    lpv = np.select(
        [subs == "Mira", subs == "SR", subs == "OSARG"],
        ["Mira", "semiregular", "small-amplitude red giant"],
        "semiregular",
    )
    by_class = {
        "ACEP": np.where(acep_f, "anomalous Cepheid, F", "anomalous Cepheid, 1O"),
        "CEP": np.where(np.isin(subs, ("F", "F/1O", "")), "Cepheid, F", "Cepheid, overtone"),
        "DSCT": np.full(names.shape, "delta Scuti"),
        "ECL": ecl,
        "ELL": np.full(names.shape, "close binary"),
        "LPV": lpv,
        "RRLYR": np.where(np.isin(subs, ("RRc", "RRd")) | ((subs == "") & (period < 0.44)), "RRc", "RRab"),
        "T2CEP": np.where((subs == "RVTau") | ((subs == "") & (period > 20.0)), "RV Tauri star", "type II Cepheid"),
    }
    longest = max(map(len, RELATIONS))
    chosen = np.empty(names.shape, dtype=f"U{longest}")
    for name, keys in by_class.items():
        chosen[names == name] = keys[names == name]
    return chosen
