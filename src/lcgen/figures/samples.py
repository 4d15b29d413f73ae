"""Stars that the figures are made of: generated ones by kind, and real ones where the survey data is there."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..catalog import read_pack
from ..errors import DataFormatError, InputError
from ..lightcurve import LightCurves
from ..rng import stream
from ..stars import Stars

__all__ = ["KINDS", "Kind", "draw_kinds", "real_pairs", "unseen_rr_lyrae"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A class, or a subclass of it, that is shown apart.

    Attributes
    ----------
    cls, subclass : str
        An empty subclass stands for all of the class.
    label : str
        As it is written in figures and tables.
    """

    cls: str
    subclass: str = ""

    @property
    def label(self) -> str:
        return f"{self.cls} {self.subclass}".strip()


KINDS: tuple[Kind, ...] = (
    Kind(cls="RRLYR", subclass="RRab"),
    Kind(cls="RRLYR", subclass="RRc"),
    Kind(cls="CEP", subclass="F"),
    Kind(cls="CEP", subclass="1O"),
    Kind(cls="T2CEP"),
    Kind(cls="ACEP"),
    Kind(cls="DSCT"),
    Kind(cls="ECL"),
    Kind(cls="ELL"),
    Kind(cls="LPV"),
)
"""What is drawn for the figures, in this order."""


def draw_kinds(generator: Any, n: int, *, seed: int = 0, kinds: Iterable[Kind] = KINDS) -> dict[str, Stars]:
    """Draw `n` stars of each kind that the generator knows.

    Parameters
    ----------
    generator : LightCurveGenerator
    n : int
    seed : int
    kinds : iterable of Kind

    Returns
    -------
    dict of str to Stars
        By the label of the kind. Each kind has a seed of its own, so that leaving one out does not change another.

    Raises
    ------
    InputError
        If `n` is below 20: the figures show medians and fits.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 20:
        raise InputError(f"figures need at least 20 stars of each kind, received {n!r}")
    out = {}
    for kind in kinds:
        if kind.cls not in generator.classes or (
            kind.subclass and kind.subclass not in generator.subclasses.get(kind.cls, ())
        ):
            _log.info("%s is left out: the model does not know it", kind.label)
            continue
        own = int(stream(seed, f"figures/{kind.label}").integers(0, 2**31))
        out[kind.label] = generator.draw(kind.cls, int(n), subclass=kind.subclass or None, seed=own)
    return out


def unseen_rr_lyrae(generator: Any, folder: Path) -> dict[str, LightCurves]:
    """Real RR Lyrae stars by subclass and band, ``"RRab V"`` and so on, none of which the generator was trained on.

    V: Catalina South, the stars set aside in training. sdss_g to sdss_z: Stripe 82, of which nothing but the gains
    between bands was learned.

    Parameters
    ----------
    generator : LightCurveGenerator
    folder : Path
        Of the survey data; packs that it lacks are left out.
    """
    out: dict[str, LightCurves] = {}
    packs = {"V": "css_south_v"} | {f"sdss_{b}": f"s82_rrlyr_{b}" for b in "ugriz"}
    for band, name in packs.items():
        curves = _pack(folder, name, "RRLYR")
        if curves is None:
            continue
        keep = np.ones(len(curves), dtype=bool)
        if band == "V":
            try:
                known = generator.split_of([str(s) for s in curves.columns["id"]])
            except InputError:  # an imported network does not say what it was trained on
                known = np.full(len(curves), "")
            keep = ~np.isin(known, ("train", "validation"))
        for subclass in ("RRab", "RRc"):
            rows = np.flatnonzero(keep & (np.asarray(curves.columns["subclass"]) == subclass))
            if rows.size:
                out[f"{subclass} {band}"] = curves.take(rows)
    return out


def real_pairs(folder: Path, n: int, *, seed: int = 0) -> dict[str, dict[str, LightCurves]]:
    """OGLE-III Cepheids seen in V and in I, the same stars in the same order, by kind and band.

    Parameters
    ----------
    folder : Path
    n : int
        At most so many of each kind.
    seed : int
        Of the choice.
    """
    packs = {band: _pack(folder, f"ogle3_lmc_cep_{band.lower()}", "CEP") for band in "VI"}
    curves = {b: c for b, c in packs.items() if c is not None}
    if len(curves) < 2:
        return {}
    out: dict[str, dict[str, LightCurves]] = {}
    for subclass in ("F", "1O"):
        ids = {
            b: {str(s): k for k, s in enumerate(c.columns["id"]) if c.columns["subclass"][k] == subclass}
            for b, c in curves.items()
        }
        both = np.array(sorted(ids["V"].keys() & ids["I"].keys()))
        both = stream(seed, f"figures/pairs/{subclass}").permutation(both)[:n]
        if both.size:
            out[f"CEP {subclass}"] = {b: c.take(np.array([ids[b][s] for s in both])) for b, c in curves.items()}
    return out


def _pack(folder: Path, name: str, cls: str) -> LightCurves | None:
    try:
        return read_pack(folder / "lightcurves" / f"{name}.h5", classes=[cls], with_period=True)
    except DataFormatError as error:
        _log.warning("left out: %s", error)
        return None
