"""Curves and mean magnitudes in bands that a network was not trained in.

Pulsating stars: the surface temperature over the cycle follows from the colour curve of two bands, and a third
band from the nearer of the two and the temperature (:mod:`.atmosphere`); where the same stars were observed in a
band, measured gains come first (:mod:`.gains`). Eclipsing binaries: the depths of the two minima tell the ratio of
the surface brightnesses, so the temperatures, so the depths in another band. Ellipsoidal variables: gravity
darkening. Long-period variables: the temperature from the curve itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from ..photometry import BANDS, band_info
from ..population.relations import color_from_teff, gravity
from . import atmosphere
from .binaries import eclipsing_curves, ellipsoidal_ratio, teff_from_brightness
from .gains import kind_of_star, load_gains
from .surface import surface_magnitudes

__all__ = ["DERIVED_BANDS", "BandStars", "band_source", "derive_curves", "mean_offset", "pairs_of", "pulsation_logg"]

DERIVED_BANDS: tuple[str, ...] = tuple(BANDS)
"""Bands that can be made from V, in order of wavelength within each system."""

_Array = NDArray[np.float64]

# Wavelengths [nm] within this factor of those observed count as observed nearly enough for ``transferred``.
_REACH = 1.15
# Metallicities [Fe/H] assumed where a star has none: classical Cepheids as in the LMC (Romaniello et al. 2008, A&A 488,
# 731), old populations metal-poor, the rest solar.
_FE_H = {"RRLYR": -1.5, "CEP": -0.33, "T2CEP": -1.5, "ACEP": -1.7}
# Temperatures [K] assumed where a star has none.
_TEFF = {"ACEP": 6500.0, "CEP": 5800.0, "DSCT": 7500.0, "LPV": 3200.0, "RRLYR": 6600.0, "T2CEP": 5500.0}
_OTHER_TEFF = 5800.0
# Classes whose temperatures come from V-I.
_TEFF_OF_COLOUR = ("ACEP", "CEP", "RRLYR", "T2CEP")
# Mass [solar] and pulsation constant Q [d] of the fundamental mode that stand behind the gravity of a pulsating star.
_MASS_Q = {
    "ACEP": (1.5, 0.036),
    "CEP": (5.0, 0.037),
    "DSCT": (1.8, 0.033),
    "LPV": (1.2, 0.06),
    "RRLYR": (0.65, 0.036),
    "T2CEP": (0.55, 0.040),
}
_OVERTONE_RATIO = 0.74
_OVERTONES = ("1O", "2O", "1O/2O", "RRc")
_SUN_LOGG = 4.438
_DWARF_LOGG = 4.2
_N_NODES = 5
# A band takes the distance from the model atmosphere that was measured in the like band of SDSS.
_SISTERS = {**{b: f"sdss_{b}" for b in "ugriz"}, "y": "sdss_z", **{f"ztf_{b}": f"sdss_{b}" for b in "gri"}}


@dataclass(frozen=True, kw_only=True, eq=False)
class BandStars:
    """What the bands need to know of stars; arrays of shape (n_stars,).

    Attributes
    ----------
    class_name, subclass : ndarray of str
    period : ndarray
        [d]
    teff, logg, fe_h : ndarray
        Finite; the temperature is that of the model atmosphere with the star's colour: see :meth:`from_columns`.
    """

    class_name: NDArray[np.str_]
    subclass: NDArray[np.str_]
    period: _Array
    teff: _Array
    logg: _Array
    fe_h: _Array

    @classmethod
    def from_columns(cls, columns: Mapping[str, NDArray]) -> BandStars:
        """From the columns of a table of stars; what is not known is assumed by class.

        Temperatures of pulsating stars were made of V-I by a relation of the literature
        (:func:`lcgen.population.relations.teff_from_color`), which is up to 200 K cooler than the model atmospheres of
        the same colour. They are taken back to the colour, and the colour to the atmosphere, so that generated stars
        have the colours of those that the temperatures come from.
        """
        names, subclass = np.asarray(columns["class"]), np.asarray(columns["subclass"])
        period = np.asarray(columns["period"], dtype=float)

        def known(name: str, assumed: _Array) -> _Array:
            values = np.asarray(columns[name], dtype=float)
            return np.where(np.isfinite(values), values, assumed)

        def by_class(table: Mapping[str, float], other: float) -> _Array:
            kinds, which = np.unique(names, return_inverse=True)
            return np.array([table.get(str(k), other) for k in kinds])[which]

        teff = known("teff", by_class(_TEFF, _OTHER_TEFF))
        logg = known("logg", pulsation_logg(names, subclass, period))
        fe_h = known("fe_h", by_class(_FE_H, 0.0))
        rows = np.flatnonzero(np.isin(names, _TEFF_OF_COLOUR))
        if rows.size:
            colour = color_from_teff(teff[rows], gravity(period[rows]))
            teff[rows] = atmosphere.teff_from_colour("V", "I", colour, logg[rows], fe_h[rows])
        return cls(class_name=names, subclass=subclass, period=period, teff=teff, logg=logg, fe_h=fe_h)

    @cached_property
    def kinds(self) -> tuple[list[tuple[str, str]], NDArray[np.intp]]:
        """Pairs of class and subclass that occur, and which of them each star has."""
        return pairs_of(self.class_name, self.subclass)

    @cached_property
    def surface(self) -> Mapping[str, _Array]:
        """Absolute magnitudes of stars of one solar radius in all bands of the table of atmospheres [mag]."""
        bands = atmosphere.table_bands()
        return dict(zip(bands, surface_magnitudes(bands, self.teff, self.logg, self.fe_h), strict=True))

    def take(self, rows: NDArray) -> BandStars:
        """Fewer stars."""
        return BandStars(**{k: getattr(self, k)[rows] for k in self.__dataclass_fields__})


def pairs_of(class_name: NDArray, subclass: NDArray) -> tuple[list[tuple[str, str]], NDArray[np.intp]]:
    """Pairs of class and subclass that occur, in alphabetical order, and which of them each star has.

    Examples
    --------
    >>> pairs_of(np.array(["ECL", "CEP", "ECL"]), np.array(["EW", "", "EW"]))
    ([('CEP', ''), ('ECL', 'EW')], array([1, 0, 1]))
    """
    joined = np.char.add(np.char.add(np.asarray(class_name).astype(str), "/"), np.asarray(subclass).astype(str))
    kinds, which = np.unique(joined, return_inverse=True)
    return [(c, sub) for c, _, sub in (str(k).partition("/") for k in kinds)], which


def pulsation_logg(class_name: NDArray, subclass: NDArray, period: NDArray) -> _Array:
    """log10 of the surface gravity [cgs] of pulsating stars from their period; 4.2 for stars that do not pulsate.

    Period and mean density are tied by the pulsation constant, ``P sqrt(rho) = Q``, so that
    ``log g = log g_sun + log(M) / 3 - 4/3 log(P / Q)`` with the mass in units of the Sun's; mass and Q are one value a
    class, which is good to about 0.15 dex (Cox 1980, Theory of Stellar Pulsation, chapter 2).

    Examples
    --------
    >>> pulsation_logg(np.array(["RRLYR", "CEP"]), np.array(["RRab", "F"]), np.array([0.55, 10.0])).round(1)
    array([2.8, 1.4])
    """
    out = np.full(period.shape, _DWARF_LOGG)
    for name, (mass, q) in _MASS_Q.items():
        rows = class_name == name
        if rows.any():
            fundamental = np.where(np.isin(subclass[rows], _OVERTONES), period[rows] / _OVERTONE_RATIO, period[rows])
            out[rows] = _SUN_LOGG + np.log10(mass) / 3.0 - 4.0 / 3.0 * np.log10(fundamental / q)
    return np.clip(out, 0.0, 5.0)


def band_source(cls: str, subclass: str, band: str, observed: Sequence[str]) -> str:
    """How a band of a kind of star is obtained.

    ``learned``: stars of this kind were observed in it. ``transferred``: it lies within 15 % in wavelength of the range
    in which they, or the class whose gains they take, were observed. ``extrapolated``: beyond.

    Parameters
    ----------
    cls, subclass, band : str
    observed : sequence of str
        Bands in which the class was observed in training.

    Examples
    --------
    >>> [band_source("RRLYR", "RRab", b, ["V", "I"]) for b in ("V", "sdss_r", "g", "y")]
    ['learned', 'learned', 'transferred', 'transferred']
    >>> [band_source("ECL", "EA", b, ["V"]) for b in ("r", "z")]
    ['transferred', 'extrapolated']
    """
    kind, own = kind_of_star(cls, subclass)
    measured = load_gains()[kind].bands if kind else ()
    if band in observed or (own and band in measured):
        return "learned"
    at = np.array([band_info(b).wavelength for b in {*observed, *measured}])
    inside = at.min() / _REACH <= band_info(band).wavelength <= at.max() * _REACH
    return "transferred" if inside else "extrapolated"


def mean_offset(stars: BandStars, band: str) -> _Array:
    """Mean magnitude in a band minus that in V, without extinction [mag], shape (n_stars,).

    That of the model atmosphere, and for stars whose colours were measured, their median distance from it.
    """
    if band == "V":
        return np.zeros(stars.teff.size)
    colour = stars.surface[band] - stars.surface["V"]
    sister = _SISTERS.get(band, band)
    pairs, which = stars.kinds
    kinds = [kind_of_star(*pair) for pair in pairs]
    shift = np.array([load_gains()[kind].colour_offset.get(sister, 0.0) if own else 0.0 for kind, own in kinds])
    return colour + shift[which]


def derive_curves(
    stars: BandStars,
    bands: Sequence[str],
    curve_v: _Array,
    curve_i: Callable[[NDArray[np.int64]], _Array],
    i_learned: NDArray[np.bool_],
) -> _Array:
    """Folded curves in further bands.

    Parameters
    ----------
    stars : BandStars
    bands : sequence of str
    curve_v : ndarray, shape (n_stars, n_phase)
        Magnitudes minus their mean in V.
    curve_i : callable
        The same in I for the stars whose numbers it is given; called for stars that need it only.
    i_learned : ndarray of bool, shape (n_stars,)
        Whether the curve in I is the network's; else it is made from that in V like the other bands.

    Returns
    -------
    ndarray, shape (n_bands, n_stars, n_phase)
        Magnitudes minus their mean.
    """
    out = np.empty((len(bands), *curve_v.shape))
    pairs, which = stars.kinds
    for k, (cls, subclass) in enumerate(pairs):
        for own_i in (True, False):
            rows = np.flatnonzero((which == k) & (i_learned == own_i))
            if not rows.size:
                continue
            few, own_v = (stars, curve_v) if rows.size == which.size else (stars.take(rows), curve_v[rows])
            kind, own = kind_of_star(cls, subclass)
            if kind:
                known = _Known(few, own_v, partial(curve_i, rows) if own_i else None, kind, own)
                made = _pulsating(few, bands, known)
            elif cls == "ECL":
                made = eclipsing_curves(own_v, bands, few.teff, few.logg, few.fe_h)
            elif cls == "ELL":
                ratio = ellipsoidal_ratio(bands, few.teff, few.logg, few.fe_h)
                made = own_v * ratio[:, :, None]
            else:
                made = _by_temperature(few, bands, own_v)
            made -= made.mean(axis=2, keepdims=True)
            if rows.size == which.size:
                return made
            out[:, rows] = made
    return out


class _Known:
    """Curves in the bands in which stars of one kind were observed, made when asked for."""

    def __init__(
        self, stars: BandStars, curve_v: _Array, curve_i: Callable[[], _Array] | None, kind: str, own: bool
    ) -> None:
        self._log_period, self._gains = np.log10(stars.period), load_gains()[kind]
        self._curve_i, self._found = curve_i, {"V": curve_v}
        # of stars of another class the colour curve in V and I is borrowed, no more
        measured = self._gains.bands if own else ("I",)
        self.bands = tuple(dict.fromkeys(("V", "I", *measured)))
        self.pair = ("sdss_g", "sdss_i") if "sdss_g" in self.bands else ("V", "I")

    def prepare(self, bands: Sequence[str]) -> None:
        """Make the curves in some bands at once, which is faster than one by one."""
        missing = [b for b in dict.fromkeys(bands) if b not in self._found]
        if "I" in missing and self._curve_i is not None:
            self._found["I"] = self._curve_i()
            missing.remove("I")
        if missing:
            made = self._gains.transfer(self._found["V"], self._log_period, "V", missing)
            self._found.update(zip(missing, made, strict=True))

    def __getitem__(self, band: str) -> _Array:
        return self._found[band]


def _pulsating(stars: BandStars, bands: Sequence[str], known: _Known) -> _Array:
    def anchor(band: str) -> str:
        at = band_info(band).wavelength
        return min(known.bands, key=lambda b: abs(np.log(band_info(b).wavelength / at)))

    anchors = {b: b if b in known.bands else anchor(b) for b in bands}
    others = [b for b in bands if b not in known.bands]
    known.prepare([*anchors.values(), *(known.pair if others else ())])
    out = np.stack([known[anchors[b]] for b in bands])
    if others:
        deviation = known[known.pair[0]] - known[known.pair[1]]
        track = _ColourTrack(stars, *known.pair, deviation, [*others, *(anchors[b] for b in others)])
        for band in others:
            out[bands.index(band)] += track(band, anchors[band])
    return out


class _Polynomials:
    """Functions of a quantity that changes over the cycle; one polynomial a star, exact at some nodes in its range.

    Parameters
    ----------
    place : ndarray, shape (n_stars, n_phase)
        The quantity.
    n_nodes : int
    """

    def __init__(self, place: _Array, n_nodes: int) -> None:
        low, high = place.min(axis=1, keepdims=True), place.max(axis=1, keepdims=True)
        half = np.maximum(0.5 * (high - low), 1e-4)
        nodes = np.cos(np.pi * (np.arange(n_nodes) + 0.5) / n_nodes)
        self.nodes = 0.5 * (high + low) + half * nodes
        self._place = (place - 0.5 * (high + low)) / half
        self._inverse = np.linalg.inv(np.vander(nodes, increasing=True)).T

    def __call__(self, values: _Array) -> _Array:
        """The function that has these values at the nodes, shape (n_stars, n_phase)."""
        # not as a product of matrices, whose last bits depend on how many stars there are
        powers = np.einsum("sn,np->sp", values, self._inverse)
        out = powers[:, -1:] * self._place
        for j in range(powers.shape[1] - 2, 0, -1):
            out += powers[:, j : j + 1]
            out *= self._place
        out += powers[:, :1]
        return out


class _ColourTrack:
    """Colours over the cycle of stars whose colour in two bands is known.

    Parameters
    ----------
    stars : BandStars
    blue, red : str
        The two bands.
    deviation : ndarray, shape (n_stars, n_phase)
        Their colour minus its mean [mag].
    bands : sequence of str
        Bands that will be asked for.
    """

    def __init__(self, stars: BandStars, blue: str, red: str, deviation: _Array, bands: Sequence[str]) -> None:
        self._polynomials = _Polynomials(deviation, _N_NODES)
        logg, fe_h = stars.logg[:, None], stars.fe_h[:, None]
        colour = (stars.surface[blue] - stars.surface[red])[:, None] + self._polynomials.nodes
        teff = atmosphere.teff_from_colour(blue, red, colour, logg, fe_h)
        different = tuple(dict.fromkeys(bands))
        self._surface = dict(zip(different, surface_magnitudes(different, teff, logg, fe_h), strict=True))

    def __call__(self, band: str, anchor: str) -> _Array:
        """Magnitude in `band` minus that in `anchor`, shape (n_stars, n_phase)."""
        return self._polynomials(self._surface[band] - self._surface[anchor])


def _by_temperature(stars: BandStars, bands: Sequence[str], curve_v: _Array) -> _Array:
    """As if the radius stood still and all change were one of temperature."""
    polynomials = _Polynomials(curve_v, 2 * _N_NODES - 1)
    logg, fe_h = stars.logg[:, None], stars.fe_h[:, None]
    mean = stars.surface["V"][:, None]
    teff = teff_from_brightness("V", mean + polynomials.nodes, stars.teff, stars.logg, stars.fe_h)
    *magnitudes, in_v = surface_magnitudes((*bands, "V"), teff, logg, fe_h)
    out = np.stack([polynomials(m - in_v) for m in magnitudes])
    out += curve_v
    return out
