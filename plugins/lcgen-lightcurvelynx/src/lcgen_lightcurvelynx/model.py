"""Periodic variable stars as a model of LightCurveLynx."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from lightcurvelynx.models.physical_model import BandfluxModel
from numpy.typing import NDArray

from lcgen.errors import InputError
from lcgen.observe.extinction import DEFAULT_LAW, DEFAULT_R_V, Law, extinction_ratio
from lcgen.photometry import AB_ZERO_POINT_NJY, band_info

from .bands import FilterMap
from .generators import GeneratorRef
from .nodes import DRAWN, DrawnStars, StarIdentity, as_parameter, check_class
from .store import Drawing, StarStore

if TYPE_CHECKING:
    from lcgen import LightCurveGenerator

__all__ = ["PeriodicStarModel"]

_IN_BASE = ("ra", "dec", "t0", "distance")


class PeriodicStarModel(BandfluxModel):
    """Periodic variable stars of lcgen.

    Every parameter may be a constant, a sampler or another node of LightCurveLynx. What is not given is drawn by lcgen
    from the population of the class, given what is: all samples of a batch at once, when the parameters are sampled.
    Light curves are interpolated then. They are free of noise and in nJy (AB); noise, saturation and cadence are
    LightCurveLynx's own.

    Parameters
    ----------
    cls : parameter
        Class: ``"RRLYR"``, ``"CEP"``, ... (``gen.classes``). A node for mixtures of classes.
    subclass : parameter, optional
        As ``gen.subclasses[cls]``; of ``"any"`` and empty ones it is drawn.
    period, teff, abs_mag, fe_h, logg, radius : parameter, optional
        Period [d], effective temperature [K], absolute magnitude in Gaia G [mag], [Fe/H] [dex], surface gravity [dex
        cgs], radius [R_sun].
    amplitude : parameter, optional
        Peak to peak in V [mag].
    distance : parameter, optional
        [pc]. This or `mean_mag` is needed.
    mean_mag : parameter, optional
        Mean apparent magnitude in V, with extinction [mag].
    a_v, e_bv : parameter, optional
        Extinction in V or reddening E(B-V) [mag]; none by default. Each band is dimmed by what the law says for it and
        for the temperature of the star. A node of a dust map may be given.
    t0 : parameter, optional
        MJD of phase zero: maximum light of the first harmonic for pulsating stars, primary minimum for eclipsing and
        ellipsoidal ones.
    ra, dec : parameter, optional
        ICRS [deg]; needed to be observed.
    seed : int, optional
        Sample ``k`` is star ``k`` of ``gen.draw(..., seed=seed)``, whatever the batches and the number of processes.
        Without it a seed is drawn a batch, from the random numbers of the simulation (``rng=``), so that batches of
        another size give other stars.
    generator : str, path-like or LightCurveGenerator, optional
        As for :func:`lcgen.load_generator`; loaded when it is first needed.
    extrapolate : bool
        Allow parameters outside the domain of training; such stars are flagged in ``extrapolated``.
    irregular : bool
        Let stars depart from repeating as real ones of their class do (:meth:`lcgen.Stars.observe`).
    survey_bands : sequence of str
        Bands in which curves are made when parameters are sampled; those in others are made when they are first asked
        for.
    bands : mapping of str to str, optional
        Bands of lcgen by filter, or by survey and filter (``"SkyMapper_g"``), for those whose names do not say it.
    law, r_v
        Extinction law; see :func:`lcgen.observe.extinction_ratio`.
    node_label : str, optional
        Name of the model in the columns of the results.

    Raises
    ------
    InputError, UnknownNameError, UnitError, DomainError
        If an argument is wrong. When parameters are sampled: if lcgen cannot draw such stars, for which see
        :meth:`lcgen.LightCurveGenerator.draw`.

    Examples
    --------
    >>> import numpy as np
    >>> from lightcurvelynx.math_nodes.np_random import NumpyRandomFunc
    >>> model = PeriodicStarModel("RRLYR", period=NumpyRandomFunc("uniform", low=0.5, high=0.7), distance=2e4, seed=7)
    >>> state = model.sample_parameters(num_samples=3, rng_info=np.random.default_rng(1))
    >>> times, filters = np.array([60000.0, 60000.1]), np.array(["g", "r"])
    >>> model.evaluate_bandfluxes(None, times, filters, state).shape
    (3, 2)
    """

    # parameters that follow from the stars, once the model is made
    _derived: frozenset[str] = frozenset()

    def __init__(
        self,
        cls: Any,
        *,
        subclass: Any = None,
        period: Any = None,
        teff: Any = None,
        abs_mag: Any = None,
        fe_h: Any = None,
        logg: Any = None,
        radius: Any = None,
        amplitude: Any = None,
        distance: Any = None,
        mean_mag: Any = None,
        a_v: Any = None,
        e_bv: Any = None,
        t0: Any = None,
        ra: Any = None,
        dec: Any = None,
        seed: int | None = None,
        generator: str | os.PathLike[str] | LightCurveGenerator | None = None,
        extrapolate: bool = False,
        irregular: bool = False,
        survey_bands: Sequence[str] = ("u", "g", "r", "i", "z", "y"),
        bands: Mapping[str, str] | None = None,
        law: Law = DEFAULT_LAW,
        r_v: float = DEFAULT_R_V,
        node_label: str | None = None,
    ) -> None:
        check_class(cls, subclass)
        if distance is None and mean_mag is None:
            raise InputError("give distance [pc] or mean_mag [mag]: without them the stars have no apparent magnitude")
        for band in law if isinstance(law, Mapping) else ("V",):
            extinction_ratio(band, law=law, r_v=r_v)
        everything = {
            "cls": cls, "subclass": subclass, "period": period, "teff": teff, "abs_mag": abs_mag, "fe_h": fe_h,
            "logg": logg, "radius": radius, "amplitude": amplitude, "distance": distance, "mean_mag": mean_mag,
            "a_v": a_v, "e_bv": e_bv, "t0": t0,
        }  # fmt: skip
        given = {name: as_parameter(name, value) for name, value in everything.items() if value is not None}
        drawing = Drawing(
            generator=GeneratorRef(generator), extrapolate=extrapolate, irregular=irregular, law=law, r_v=r_v
        )
        self._filters = FilterMap(bands)
        self._store = StarStore(drawing, tuple(dict.fromkeys(self._filters.band(b) for b in survey_bands)))
        self._identity = StarIdentity(seed, node_label=node_label and f"{node_label}_identity")
        self._stars = DrawnStars(self._store, self._identity, given, node_label=node_label and f"{node_label}_drawn")
        drawn = self._stars.get_parameter_indicator
        super().__init__(
            ra=None if ra is None else as_parameter("ra", ra),
            dec=None if dec is None else as_parameter("dec", dec),
            t0=drawn("t0"),
            distance=None if distance is None else drawn("given_distance"),
            node_label=node_label,
        )
        self.add_parameter("seed", drawn("seed"), description="Seed of the star.")
        self.add_parameter("star_id", drawn("star_id"), description="Number of the star.")
        for name in ("cls", "subclass", *(name for name in DRAWN if name not in _IN_BASE)):
            self.add_parameter(name, drawn(name), description=f"The star's {name}, drawn where it was not given.")
        # Seeds are drawn before any sampler draws numbers for all samples: so the first stars of a larger batch are
        # those of a smaller one.
        first = {name: self.setters.pop(name) for name in ("seed", "star_id")}
        self.setters = {**first, **self.setters}
        self._derived = frozenset(self.setters) - {"ra", "dec", "t0"}

    def set_parameter(self, name: str, value: Any = None, **kwargs: Any) -> None:
        """Set ``ra``, ``dec`` or ``t0`` of a model that has been made; see the base class.

        Raises
        ------
        InputError
            For other parameters: they say what was drawn, and changing them would change nothing.
        """
        if name in self._derived:
            raise InputError(f"{name} cannot be set in a model that has been made; make a new one with {name}=")
        super().set_parameter(name, value, **kwargs)

    def get_param(self, graph_state: Any, name: str, default: Any = None) -> Any:
        """A parameter of this model; see the base class."""
        # A simulation that replays a state asks for parameters of all samples before it evaluates one after the other,
        # and of a model that was never sampled, whose nodes have no numbers yet.
        if self.node_pos is None:
            self.set_graph_positions()
        if graph_state is not None and graph_state.num_samples > 1:
            self.prepare(graph_state)
        return super().get_param(graph_state, name, default)

    def prepare(self, graph_state: Any) -> None:
        """Take note of the stars of a state, such as one read from a file, so that they are decoded many at a time.

        Parameters
        ----------
        graph_state : GraphState

        Raises
        ------
        InputError
            If the state has no stars of this model.
        """
        if self.node_pos is None:
            self.set_graph_positions()
        self._store.remember(self._stars.inputs(graph_state))

    def compute_bandflux(self, times: NDArray[np.float64], filter: str, state: Any) -> NDArray[np.float64]:
        """Noise-free fluxes of one star in one filter.

        Parameters
        ----------
        times : ndarray, shape (n_times,)
            MJD.
        filter : str
            Its name; of other surveys than LSST with the name of the survey.
        state : GraphState
            Of one sample.

        Returns
        -------
        ndarray, shape (n_times,)
            [nJy].
        """
        which = np.zeros(len(times), dtype=np.uint8)
        return self._flux(np.asarray(times, dtype=float), [self._filters.band(filter)], which, state)

    def _evaluate_bandfluxes_single(
        self, passband_group: Any, times: NDArray[np.float64], filters: NDArray[np.str_], state: Any
    ) -> NDArray[np.float64]:
        # Overridden because compute_bandflux is not told which survey a filter belongs to, and because all filters of a
        # star take one interpolation.
        names, which = np.unique(filters, return_inverse=True)
        bands = [self._filters.band(name, passband_group) for name in names]
        fluxes = self._flux(np.asarray(times, dtype=float), bands, which.astype(np.uint8), state)
        for effect in self.band_pass_effects:
            fluxes = effect.apply_bandflux(fluxes, times=times, filters=filters, **self.get_local_params(state))
        return fluxes

    def _flux(
        self, times: NDArray[np.float64], bands: list[str], which: NDArray[np.uint8], state: Any
    ) -> NDArray[np.float64]:
        """Fluxes [nJy] at `times`, each in the band ``bands[which]``."""
        if state.num_samples != 1:
            raise InputError(f"a state of one sample is needed, received {state.num_samples}; see evaluate_bandfluxes")
        if not times.size:
            return np.empty(0)
        if self.node_pos is None:
            self.set_graph_positions()
        table, known, row = self._store.curves(self._stars.inputs(state), bands)
        drawn, now = state[self._stars.node_string]["t0"], super().get_param(state, "t0")
        mjd = times if now is None or now == drawn else times - (now - drawn)
        position = np.array([known.index(band) for band in bands], dtype=np.uint8)
        zero = np.array([AB_ZERO_POINT_NJY - band_info(band).ab_minus_system for band in bands])
        mag = table.magnitude(position.take(which), np.full(times.size, row, dtype=np.int64), mjd)
        return np.power(10.0, 0.4 * (zero.take(which) - mag))
