"""Where drawn stars are and how bright they appear: position, distance, dust, and what is assumed of them for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import rng
from .errors import InputError
from .observe.band_curves import BandStars, mean_offset
from .observe.extinction import DEFAULT_LAW, DEFAULT_R_V, Law, extinction_ratio
from .population.typical import N_UNIFORMS, typical
from .sky import DustMap, Footprint, draw_positions, extinction_columns

__all__ = ["Placing", "complete_parameters"]

_POSITION = ("ra", "dec", "distance")
_ASSUMABLE = ("teff", "abs_mag", "logg")


def complete_parameters(columns: Mapping[str, NDArray], seed: int) -> dict[str, NDArray]:
    """Typical temperatures, absolute magnitudes and gravities for stars that have none.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n,)
        ``star_id``, ``class``, ``subclass``, ``period`` and the physical parameters.
    seed : int

    Returns
    -------
    dict
        These columns, filled, and ``assumed``: names of those that were filled, an empty string for none. The gravity
        is not named: it is filled only where the relation that gives the others has it.
    """
    missing = {name: np.isnan(np.asarray(columns[name], dtype=float)) for name in _ASSUMABLE}
    rows = np.flatnonzero(missing["teff"] | missing["abs_mag"])
    out = {name: np.array(columns[name], dtype=float) for name in _ASSUMABLE}
    assumed = np.full(len(columns["class"]), "", dtype="<U12")
    if rows.size:
        known = typical(
            columns["class"][rows],
            columns["subclass"][rows],
            columns["period"][rows],
            rng.uniforms(seed, "typical", columns["star_id"][rows], N_UNIFORMS),
        )
        for name in _ASSUMABLE:
            empty = missing[name][rows]
            out[name][rows[empty]] = getattr(known, name)[empty]
        words = {(True, True): "teff abs_mag", (True, False): "teff", (False, True): "abs_mag"}
        pairs = zip(missing["teff"][rows].tolist(), missing["abs_mag"][rows].tolist(), strict=True)
        assumed[rows] = [words[pair] for pair in pairs]
    return {**out, "assumed": assumed}


@dataclass(frozen=True, kw_only=True, eq=False)
class Placing:
    """How stars are placed; see :meth:`lcgen.LightCurveGenerator.draw`.

    Attributes
    ----------
    sky : Footprint or None
    dust : DustMap or None
    law : str or mapping of band to float
    r_v : float

    Raises
    ------
    InputError, UnknownNameError, DomainError
        If one of them is not what it must be.
    """

    sky: Footprint | None = None
    dust: DustMap | None = None
    law: Law = DEFAULT_LAW
    r_v: float = DEFAULT_R_V

    def __post_init__(self) -> None:
        for band in self.law if isinstance(self.law, Mapping) else ("V",):
            extinction_ratio(band, law=self.law, r_v=self.r_v)
        if self.sky is not None and not isinstance(self.sky, Footprint):
            raise InputError(f"sky must be a footprint such as lcgen.sky.Circle, received {self.sky!r:.60}")
        if self.dust is not None and not isinstance(self.dust, DustMap):
            raise InputError(f"dust must be a dust map such as lcgen.sky.SmoothDust, received {self.dust!r:.60}")

    def place(
        self, columns: Mapping[str, NDArray], given: Mapping[str, NDArray[np.float64]], seed: int
    ) -> dict[str, NDArray]:
        """Columns of position, distance, extinction and mean magnitude.

        Parameters
        ----------
        columns : mapping of str to ndarray, shape (n,)
            ``star_id``, ``class``, ``subclass`` and the physical parameters, with temperature and absolute magnitude.
        given : mapping of str to ndarray, shape (n,)
            What was given of ``ra``, ``dec``, ``distance``, ``a_v``, ``e_bv``, ``mean_mag``; NaN where it was not.
        seed : int

        Raises
        ------
        InputError
            If positions are to be drawn and were given, if dust is asked for at no place, or if ``a_v`` and ``e_bv``
            contradict each other.
        """
        out: dict[str, NDArray] = {name: given[name] for name in _POSITION}
        component = np.full(len(columns["class"]), "", dtype="<U1")
        if self.sky is not None:
            twice = [name for name in _POSITION if np.isfinite(given[name]).any()]
            if twice:
                raise InputError(f"sky draws positions and distances, but {', '.join(twice)} was given as well")
            drawn = draw_positions(columns["class"], columns["star_id"], seed, footprint=self.sky)
            out |= drawn.params
            component = drawn.component
        a_v, e_bv = self._extinction(out, given)
        intrinsic = columns["abs_mag"] - mean_offset(BandStars.from_columns(columns), "G")
        absolute = intrinsic + a_v
        with np.errstate(divide="ignore"):
            apparent = absolute + 5.0 * np.log10(out["distance"] / 10.0)
        mean = np.where(np.isfinite(out["distance"]), apparent, absolute)
        mean = np.where(np.isfinite(given["mean_mag"]), given["mean_mag"], mean)
        placed = np.isfinite(out["distance"]) | np.isfinite(given["mean_mag"])
        return {
            "a_v": a_v,
            "e_bv": e_bv,
            "mag_zero": np.where(placed, "apparent", "absolute"),
            "mean_mag": mean,
            **out,
            "component": component,
        }

    def _extinction(
        self, place: Mapping[str, NDArray], given: Mapping[str, NDArray[np.float64]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        a_v, e_bv = extinction_columns(given["a_v"], given["e_bv"], r_v=self.r_v)
        rows = np.flatnonzero(np.isnan(a_v))
        if self.dust is not None and rows.size:
            ra, dec, distance = (place[name][rows] for name in _POSITION)
            lost = ~(np.isfinite(ra) & np.isfinite(dec))
            if lost.any():
                raise InputError(
                    f"dust needs the position of each star: {int(lost.sum())} of {rows.size} stars have no ra and dec "
                    "(give them, or sky=)"
                )
            # without a distance, all the dust along the line of sight
            e_bv[rows] = self.dust.ebv(ra, dec, np.where(np.isfinite(distance), distance, np.inf))
            a_v[rows] = self.r_v * e_bv[rows]
        return np.where(np.isnan(a_v), 0.0, a_v), np.where(np.isnan(e_bv), 0.0, e_bv)
