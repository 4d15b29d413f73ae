"""What a parametric recipe is made of. How visits come of it is said in :mod:`lcgen.cadence.simulate`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from .. import rng
from .simulate import NightTable, RecipePlan, night_table, realise
from .sky import check_position
from .visits import Visits

__all__ = [
    "BandSpec",
    "Block",
    "MoonSpec",
    "NightSpec",
    "Recipe",
    "SeasonSpec",
    "SiteSpec",
    "SurveySpec",
    "WeatherSpec",
]


@dataclass(frozen=True, kw_only=True)
class SiteSpec:
    """Where the telescope is: `longitude` (east) and `latitude` [deg]."""

    longitude: float
    latitude: float


@dataclass(frozen=True, kw_only=True)
class SurveySpec:
    """When: `start` [MJD] and `duration` [d].

    `scatter` is the fractional field-to-field scatter of the number of nights; `regularity` in [0, 1] is 0
    for nights drawn independently and 1 for one night in each of equal parts of the usable nights.
    """

    start: float
    duration: float
    scatter: float = 0.0
    regularity: float = 0.5


@dataclass(frozen=True, kw_only=True)
class SeasonSpec:
    """When in the year a field is up: `length` [d] around its opposition, hour angles within `hour_angle`
    [h].

    `twilight` is the Sun's altitude [deg] at which nights begin; `ra` [deg] the field's right ascension where
    the star has none: drawn at random for recipes per star where it is missing.
    """

    length: float
    hour_angle: float
    twilight: float = -12.0
    ra: float | None = None


@dataclass(frozen=True, kw_only=True)
class WeatherSpec:
    """`clear`: the fraction of usable nights; `cloudy_spell`: mean length of a run of lost nights [d]."""

    clear: float
    cloudy_spell: float = 2.0


@dataclass(frozen=True, kw_only=True)
class MoonSpec:
    """Nights lost to the Moon: a night's chance is 1 - `loss` * illumination ** `sharpness`."""

    loss: float = 0.0
    sharpness: float = 8.0


@dataclass(frozen=True, kw_only=True)
class NightSpec:
    """Within a night: `separation` of consecutive visits [min], median, and its log-normal scatter from night
    to night.

    `jitter` is the scatter [min] of one visit; `filter_change` [min] is added where the band changes.
    """

    separation: float
    separation_scatter: float = 0.0
    jitter: float = 0.0
    filter_change: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Block:
    """Nights of one kind: over the survey `nights` of them, each with `visits` (band -> how many, in this
    order).

    `moon_max` is the largest illumination of the Moon; `start` and `end` [MJD] and `season_length` [d], where
    given, replace the survey's.
    """

    nights: float
    visits: Mapping[str, int]
    moon_max: float = 1.0
    start: float | None = None
    end: float | None = None
    season_length: float | None = None


@dataclass(frozen=True, kw_only=True)
class BandSpec:
    """Depth in a band: five-sigma `depth5` [mag] in the dark at a seeing of `design_seeing` [arcsec].

    `seeing` is the median delivered [arcsec], `seeing_scatter` its log-normal scatter from night to night;
    depths change by 2.5 log10(design_seeing / seeing) (Ivezic et al. 2019, ApJ 873, 111, eq. 6), by `moon`
    [mag] times the Moon's illumination, and scatter by `depth_scatter` [mag].
    """

    depth5: float
    design_seeing: float
    seeing: float
    seeing_scatter: float = 0.0
    depth_scatter: float = 0.0
    moon: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A parametric cadence. Each realisation is an approximation of what the survey did or will do.

    Attributes
    ----------
    name, description : str
        What it is; the description says what it leaves out.
    per_star : bool
        Whether each star has a realisation of its own.
    exposure_time : float
        Length of an exposure [s].
    site, survey, season, weather, moon, night : specification
        See their classes.
    blocks : tuple of Block
        What is done in a night.
    depths : mapping of str to BandSpec
        By band; all bands or none.

    Notes
    -----
    The realisation is drawn with ``lcgen.rng.stream(seed, "cadence", index)``, index 0 where not `per_star`;
    the weather with ``stream(seed, "cadence/weather")``, one for all stars, as they share the site. Only a
    star's right ascension is used: it sets the seasons. That a declination may be out of the survey's reach
    is not looked at.
    """

    name: str
    description: str
    per_star: bool
    exposure_time: float
    site: SiteSpec
    survey: SurveySpec
    season: SeasonSpec
    weather: WeatherSpec
    night: NightSpec
    blocks: tuple[Block, ...]
    moon: MoonSpec = MoonSpec()
    depths: Mapping[str, BandSpec] = field(default_factory=dict)

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands of its blocks, in the order of their first appearance."""
        return tuple(dict.fromkeys(b for block in self.blocks for b in block.visits))

    @cached_property
    def nights(self) -> NightTable:
        """Sun and Moon on each night of the survey."""
        return night_table(self)

    @cached_property
    def plan(self) -> RecipePlan:
        """What all realisations have in common."""
        return RecipePlan(self)

    def visits(self, *, ra: float | None = None, dec: float | None = None, seed: int = 0, index: int = 0) -> Visits:
        """A realisation.

        Parameters
        ----------
        ra : float, optional
            Right ascension [deg]: sets the dates of the seasons. Not used where the recipe is not per star.
        dec : float, optional
            Not used.
        seed : int
            The user's seed.
        index : int
            Index of the star.

        Raises
        ------
        CadenceError
            If the recipe leaves no visit.
        """
        if ra is not None:
            ra, _ = check_position(ra, 0.0 if dec is None else dec)
        generator = rng.stream(seed, "cadence", index if self.per_star else 0)
        return realise(self, generator, rng.check_seed(seed), ra if self.per_star else None)
