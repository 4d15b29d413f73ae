"""Stars over the sky, each a slice point of its own."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rubin_sim.maf.slicers import UserPointsSlicer

from lcgen import InputError, LightCurveGenerator, Stars
from lcgen.compare.settings import Settings
from lcgen.observe.depth import LSST_BANDS
from lcgen.observe.extinction import DEFAULT_R_V
from lcgen.sky import DustMap, Footprint, WholeSky
from lcgen.taxonomy import CLASSES

from .dust import named_dust
from .sample import ID_BLOCK, StarSample
from .slices import SliceVisits, dust_of

__all__ = ["PopulationSlicer", "StarPopulation"]

# One star in a hundred must be within the limits, judged by this many.
_MIN_SHARE, _ENOUGH = 0.01, 10_000
_SAME_PLACE = 1e-6  # [rad]
# Stars whose curves are kept, 6 KiB each.
_DECODED = 50_000


@dataclass(frozen=True, kw_only=True)
class _PlacedSample(StarSample):
    """Stars with places and distances of their own, instead of those that a slice point or a range gives."""

    sky: Footprint = field(default_factory=WholeSky)
    veil: DustMap | None = field(default=None, hash=False)
    limits: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "mean_mag", None)  # the distance says it

    def draw(self, name: str, seed: int, n: int) -> Stars:
        """The first `n` stars of a class that belong to a seed and are within the limits."""
        params = {k: v for k, v in self.params.items() if k != "subclass"}
        wanted = n
        while True:
            drawn = self.source.draw(
                name,
                wanted,
                params=params,
                subclass=self.params.get("subclass"),
                seed=seed,
                first_id=CLASSES.index(name) * ID_BLOCK,
                sky=self.sky,
                dust=self.veil,
            )
            if self.limits is None:
                return drawn
            mean = drawn.mean_magnitude("V")
            kept = np.flatnonzero((mean >= self.limits[0]) & (mean <= self.limits[1]))
            if kept.size >= n:
                return drawn[kept[:n]]
            share = kept.size / wanted
            if wanted >= _ENOUGH and share < _MIN_SHARE:
                raise InputError(
                    f"only {kept.size} of {wanted} {name} stars have a mean V within {self.limits}, fewer than one in "
                    "a hundred: widen mag_limits, or choose another sky"
                )
            # star k is the same however many are drawn, so that drawing more changes nothing
            more = int(1.1 * n / max(share, 0.1 / wanted)) + 20
            wanted = more if share >= _MIN_SHARE else max(min(more, _ENOUGH), wanted + 1)


@dataclass(frozen=True, kw_only=True)
class StarPopulation:
    """Stars by class over the sky, with distances and dust, for metrics that evaluate one star a slice point.

    Where a star is follows from the densities of its class in the Galaxy and the Magellanic Clouds
    (:func:`lcgen.sky.draw_positions`). It depends on the seed, its class and its number in it, and on `sky`: not on
    other classes or on how many stars there are. Give the population to metrics, and to a :class:`PopulationSlicer`.

    Attributes
    ----------
    generator : LightCurveGenerator or str
        What draws the stars, or its name or path; the bundled default if empty.
    classes : str or tuple of str, optional
        Classes; those that `n` names, or all eight. With one string metrics have plain numbers as values; with a tuple
        reduce functions by class, each of which masks the stars of other classes.
    n : int or mapping of str to int
        Stars of each class.
    mag_limits : (float, float), optional
        Keep stars whose mean V magnitude, as observed, lies within, and draw until there are enough of them: most
        binaries of the disc are too faint for any survey.
    sky : Footprint
        Where stars are; the whole sky by default. ``lcgen.sky.from_schedule("baseline.db")`` is what a survey visits.
    dust : DustMap, "auto" or None
        What dims and reddens the stars, at their distances: a dust map of :mod:`lcgen.sky`, :class:`MafDust`, or None.
        ``"auto"`` is MAF's map where ``rubin_sim_data`` has it, else ``SmoothDust()``; the attribute then says which.
    params : mapping of str to float
        Other parameters, such as ``{"subclass": "RRab"}``, as :meth:`lcgen.LightCurveGenerator.draw` takes them.
    seed : int
    noise, irregular, method, settings
        As :class:`StarSample` has them.

    Raises
    ------
    InputError
        If a value is not possible.
    UnknownNameError
        If a class or method is not known.

    Examples
    --------
    >>> from lcgen.sky import DecBand
    >>> stars = StarPopulation(n={"RRLYR": 3, "CEP": 2}, sky=DecBand(dec_min=-70.0, dec_max=10.0), seed=1)
    >>> len(stars), stars.names
    (5, ('RRLYR', 'CEP'))
    """

    generator: LightCurveGenerator | str = ""
    classes: str | tuple[str, ...] | None = None
    n: int | Mapping[str, int] = field(default=1000, hash=False)
    mag_limits: tuple[float, float] | None = None
    sky: Footprint = field(default_factory=WholeSky)
    dust: DustMap | str | None = field(default="auto", hash=False)
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)
    seed: int = 0
    noise: str = "lsst"
    irregular: bool = False
    method: str = "aliases"
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        if isinstance(self.n, Mapping):
            object.__setattr__(self, "n", dict(self.n))
        if self.classes is None:
            object.__setattr__(self, "classes", tuple(self.n) if isinstance(self.n, Mapping) else CLASSES)
        elif not isinstance(self.classes, str):
            object.__setattr__(self, "classes", tuple(self.classes))
        if self.mag_limits is not None:
            object.__setattr__(self, "mag_limits", _limits(self.mag_limits))
        if isinstance(self.dust, str):
            object.__setattr__(self, "dust", named_dust(self.dust))
        for name, value, kind in (("sky", self.sky, Footprint), ("dust", self.dust, DustMap)):
            if not isinstance(value, kind) and not (name == "dust" and value is None):
                raise InputError(f"{name} must be one of those of lcgen.sky, received {value!r:.60}")
        sample = self.sample  # which checks the rest
        if isinstance(self.n, Mapping) and set(self.n) != set(sample.names):
            raise InputError(f"n has numbers for {', '.join(self.n)}, but the classes are {', '.join(sample.names)}")
        for name in sample.names:
            dataclasses.replace(sample, n=self._number(name))

    def __deepcopy__(self, memo: dict[int, Any]) -> StarPopulation:
        # MAF copies a metric for each of its reduce functions; nothing here changes
        return self

    def __len__(self) -> int:
        return sum(self._number(name) for name in self.names)

    def _number(self, name: str) -> int:
        return self.n[name] if isinstance(self.n, Mapping) else self.n

    @cached_property
    def sample(self) -> StarSample:
        """How stars are drawn and measured; its ``training`` stars are others of the same population."""
        return _PlacedSample(
            generator=self.generator,
            classes=CLASSES if self.classes is None else self.classes,
            n=1 if isinstance(self.n, Mapping) else self.n,
            params=self.params,
            seed=self.seed,
            noise=self.noise,
            irregular=self.irregular,
            method=self.method,
            settings=self.settings,
            sky=self.sky,
            veil=None if isinstance(self.dust, str) else self.dust,
            limits=self.mag_limits,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, in the order they were given."""
        return self.sample.names

    @cached_property
    def stars(self) -> dict[str, Stars]:
        """The stars by class, drawn and decoded at first use; very many are decoded when they are observed."""
        drawn = {name: self.sample.draw(name, self.sample.seed, self._number(name)) for name in self.names}
        if len(self) <= _DECODED:
            for stars in drawn.values():
                for band in LSST_BANDS:
                    stars.template(band=band)
        return drawn

    @cached_property
    def columns(self) -> dict[str, NDArray]:
        """What slice points have of their stars, class after class, shape (n_stars,) each.

        ``lcgen_star`` (which star of the population), ``class``, ``subclass``, ``component`` (of the Galaxy or the
        Clouds), ``period`` [d], ``distance`` [pc], ``mean_mag`` (V as observed), ``ebv`` [mag], ``ra``, ``dec`` [deg].
        """
        of = {"lcgen_star": "star_id", "ebv": "e_bv"}
        wanted = ("lcgen_star", "class", "subclass", "component", "period", "distance", "mean_mag", "ebv", "ra", "dec")
        return {
            name: np.concatenate([np.asarray(s.columns[of.get(name, name)]) for s in self.stars.values()])
            for name in wanted
        }

    def located(self, visits: SliceVisits, slice_point: Mapping[str, Any]) -> dict[str, Stars]:
        """The star of a slice point, by its class; behind the dust that the slice point has (``ebv``).

        Raises
        ------
        InputError
            If the slice point is not one of a :class:`PopulationSlicer` of this population.
        """
        if slice_point.get("lcgen_star") is None:
            raise InputError("a StarPopulation is evaluated star by star: use a PopulationSlicer of it as the slicer")
        name, star = self._star(int(np.asarray(slice_point["lcgen_star"]).ravel()[0]))
        for axis in ("ra", "dec"):
            if abs(float(slice_point[axis]) - math.radians(star.columns[axis][0])) > _SAME_PLACE:
                raise InputError("the slice point is of another population: metric and slicer must have the same one")
        e_bv = dust_of(slice_point)
        if e_bv is not None and e_bv != star.columns["e_bv"][0]:
            star = star.behind(e_bv)
        return {name: star}

    def _star(self, star_id: int) -> tuple[str, Stars]:
        name = CLASSES[min(max(star_id // ID_BLOCK, 0), len(CLASSES) - 1)]
        if name in self.names:
            ids = self.stars[name].columns["star_id"]
            row = int(np.searchsorted(ids, star_id))
            if row < ids.size and ids[row] == star_id:
                return name, self.stars[name][row : row + 1]
        raise InputError(f"the population has no star {star_id}: metric and slicer must have the same population")


class PopulationSlicer(UserPointsSlicer):
    """A slice point for each star of a population.

    ``slice_points`` has the columns of :attr:`StarPopulation.columns` besides MAF's own. A star is masked where it has
    no visits; and where MAF's ``DustMap`` is among the maps of a bundle, its ``ebv`` takes the place of the drawn dust,
    all of it in front of each star. With ``DustMap3D`` it is the dust at the star's distance.

    Parameters
    ----------
    population : StarPopulation
    rows : slice or array_like, optional
        Which stars, in the order of :attr:`StarPopulation.columns`; all by default. A part of a population has the same
        values as it has in the whole.
    lon_col, lat_col, rot_sky_pos_col_name, lat_lon_deg, verbose, badval, leafsize
        As in MAF's ``UserPointsSlicer``, which is quiet here.
    radius, use_camera, camera_radius, camera_footprint_file
        The same; ``use_camera=False`` needs no ``rubin_sim_data``.

    Raises
    ------
    InputError
        If `rows` are none, or not rows of the population.

    Notes
    -----
    MAF writes it as the ``UserPointsSlicer`` that it is, as it can read none but its own. What is read has the slice
    points with all their columns, for plots and statistics.

    Examples
    --------
    >>> slicer = PopulationSlicer(StarPopulation(n={"RRLYR": 4}, seed=1), rows=slice(1, 3), use_camera=False)
    >>> len(slicer), slicer.slice_points["class"].tolist()
    (2, ['RRLYR', 'RRLYR'])
    """

    def __init__(
        self,
        population: StarPopulation,
        *,
        rows: slice | ArrayLike | None = None,
        lon_col: str = "fieldRA",
        lat_col: str = "fieldDec",
        rot_sky_pos_col_name: str = "rotSkyPos",
        lat_lon_deg: bool = True,
        verbose: bool = False,
        badval: float = -666,
        leafsize: int = 100,
        radius: float = 2.45,
        use_camera: bool = True,
        camera_radius: float = 1.94,
        camera_footprint_file: str | None = None,
    ) -> None:
        chosen = _rows(len(population), rows)
        columns = {name: values[chosen] for name, values in population.columns.items()}
        ra, dec = columns.pop("ra"), columns.pop("dec")
        options: dict[str, Any] = {
            "ra": ra,
            "dec": dec,
            "lon_col": lon_col,
            "lat_col": lat_col,
            "rot_sky_pos_col_name": rot_sky_pos_col_name,
            "lat_lon_deg": lat_lon_deg,
            "badval": badval,
            "radius": radius,
            "use_camera": use_camera,
            "camera_radius": camera_radius,
        }
        super().__init__(**options, verbose=verbose, leafsize=leafsize, camera_footprint_file=camera_footprint_file)
        self.slicer_init = options
        # the name under which MAF finds the class when it reads results
        self.slicer_name = "UserPointsSlicer"
        self.slice_points.update(columns)
        self._drawn = {name: columns[name] for name in ("ebv", "mean_mag")}

    def __eq__(self, other_slicer: object) -> bool:
        """Whether the other one has the same slice points."""
        return self is other_slicer or (
            isinstance(other_slicer, UserPointsSlicer) and bool(super().__eq__(other_slicer))
        )

    def setup_slicer(self, sim_data: Any, maps: Sequence[Any] | None = None) -> None:
        """Prepare to slice visits, as MAF asks for it, and put the stars behind the dust of its maps.

        Raises
        ------
        InputError
            If a dust map has no number from 0 at a star.
        """
        self.slice_points.update(self._drawn)
        for name in [key for key in self.slice_points if key.startswith("ebv3d_")]:
            del self.slice_points[name]  # of a run before this one
        super().setup_slicer(sim_data, maps=maps)
        e_bv = np.asarray(self.slice_points["ebv"], dtype=float)
        if "ebv3d_ebvs" in self.slice_points:
            each = zip(*(self.slice_points[k] for k in ("distance", "ebv3d_dists", "ebv3d_ebvs")), strict=True)
            e_bv = np.array([np.interp(d, dists, ebvs) for d, dists, ebvs in each])
        bad = ~(np.isfinite(e_bv) & (e_bv >= 0))
        if bad.any():
            raise InputError(
                f"the dust map has E(B-V) = {e_bv[bad][0]:g} and the like at {int(bad.sum())} of {e_bv.size} stars; it "
                "must be a number from 0"
            )
        more = DEFAULT_R_V * (e_bv - self._drawn["ebv"])
        self.slice_points.update(ebv=e_bv, mean_mag=self._drawn["mean_mag"] + more)


def _limits(value: Any) -> tuple[float, float]:
    try:
        low, high = (float(v) for v in value)
    except (TypeError, ValueError):
        low = high = math.nan
    if not low < high:
        raise InputError(f"mag_limits must be two magnitudes, the brighter first, received {value!r}")
    return low, high


def _rows(n: int, rows: Any) -> NDArray[np.int64]:
    try:
        chosen = np.atleast_1d(np.arange(n)[slice(None) if rows is None else rows])
    except IndexError as error:
        raise InputError(f"rows must be a slice, a mask or whole numbers below {n}, received {rows!r:.80}") from error
    if chosen.ndim != 1 or not chosen.size:
        raise InputError(f"rows must say one star at least of {n}, received {rows!r:.80}")
    return chosen
