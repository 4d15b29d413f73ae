"""Makes visits from a recipe: which nights, when in the night, which bands, how deep.

Sun and Moon are followed by mean elements, good to a few degrees: enough to tell seasons and dark time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .. import rng
from ..errors import CadenceError
from .visits import Visits

if TYPE_CHECKING:  # pragma: no cover
    from .specs import BandSpec, Block, Recipe

__all__ = ["NightTable", "RecipePlan", "night_table", "realise"]

_J2000 = 51544.5
# Mean elements of the Sun and sidereal time: Meeus, Astronomical Algorithms, chapters 12 and 25.
_SUN_LONGITUDE, _SUN_RATE = 280.466, 0.9856474
_OBLIQUITY = np.radians(23.439)
_SIDEREAL, _SIDEREAL_RATE = 280.4606, 360.9856473
# Mean new moon of 2000 January 6 and synodic month: Meeus, chapter 49.
_NEW_MOON, _SYNODIC = 51549.76, 29.530589
_SIDEREAL_DAY = 0.99726957


@dataclass(frozen=True, kw_only=True, eq=False)
class NightTable:
    """Sun and Moon on each night of a survey, shape (n_nights,) each.

    Attributes
    ----------
    number : ndarray of int64
        Number of the night: the local noon before it lies at MJD `number` + 0.5 - longitude / 360.
    midnight : ndarray
        Local mean midnight [MJD].
    half_length : ndarray
        Half of the time between twilights [d].
    sun_ra : ndarray
        Right ascension of the Sun [deg].
    sidereal : ndarray
        Local mean sidereal time at midnight [deg].
    moon : ndarray
        Illuminated fraction of the Moon, 0 to 1.
    """

    number: NDArray[np.int64]
    midnight: NDArray[np.float64]
    half_length: NDArray[np.float64]
    sun_ra: NDArray[np.float64]
    sidereal: NDArray[np.float64]
    moon: NDArray[np.float64]


def night_table(recipe: Recipe) -> NightTable:
    """The nights of the survey of a recipe."""
    site = recipe.site
    number = np.arange(int(recipe.survey.duration)) + int(np.floor(recipe.survey.start))
    midnight = number.astype(np.float64) + 1.0 - site.longitude / 360.0
    days = (midnight - _J2000).astype(np.float64)
    longitude = np.radians((_SUN_LONGITUDE + _SUN_RATE * days) % 360.0)
    sun_ra = np.degrees(np.arctan2(np.cos(_OBLIQUITY) * np.sin(longitude), np.cos(longitude))) % 360.0
    sun_dec = np.arcsin(np.sin(_OBLIQUITY) * np.sin(longitude))
    latitude, twilight = np.radians(site.latitude), np.radians(recipe.season.twilight)
    cosine = (np.sin(twilight) - np.sin(latitude) * np.sin(sun_dec)) / (np.cos(latitude) * np.cos(sun_dec))
    return NightTable(
        number=number,
        midnight=midnight,
        half_length=0.5 - np.arccos(np.clip(cosine, -1.0, 1.0)) / (2.0 * np.pi),
        sun_ra=sun_ra,
        sidereal=(_SIDEREAL + _SIDEREAL_RATE * days + site.longitude) % 360.0,
        moon=0.5 * (1.0 - np.cos(2.0 * np.pi * ((midnight - _NEW_MOON) / _SYNODIC))),
    )


@lru_cache(maxsize=8)
def _clear(seed: int, n: int, clear: float, spell: float) -> NDArray[np.bool_]:
    """Which nights are clear: runs of cloudy and clear nights with geometric lengths, one history a seed."""
    if clear >= 1.0:
        return np.ones(n, dtype=bool)
    generator = rng.stream(seed, "cadence/weather")
    # a clear spell must last a night at least, so a low fraction of clear nights needs long cloudy spells
    cloudy_mean = max(spell, (1.0 - clear) / clear)
    clear_mean = cloudy_mean * clear / (1.0 - clear)
    pairs = int(n / (cloudy_mean + clear_mean) * 2) + 20
    lengths = np.stack(
        [
            generator.geometric(1.0 / max(clear_mean, 1.0), pairs),
            generator.geometric(1.0 / cloudy_mean, pairs),
        ],
        -1,
    ).ravel()
    state = np.tile([True, False], pairs)
    history = np.repeat(state, lengths)
    # starts inside a spell, not at the beginning of one; the tail is repeated should it be too short
    return np.resize(np.roll(history, int(generator.integers(history.size))), n)


def _pick_nights(
    weight: NDArray[np.float64], wanted: int, regularity: float, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Different nights drawn with chances `weight`, spread evenly by `regularity`; all if too few."""
    usable = np.flatnonzero(weight > 0)
    if wanted <= 0 or usable.size == 0:
        return np.array([], dtype=np.int64)
    if wanted >= usable.size:
        return usable
    chance = weight[usable]
    share = np.cumsum(chance)
    share /= share[-1]
    places = np.where(
        generator.random(wanted) < regularity,
        (np.arange(wanted) + generator.random(wanted)) / wanted,
        generator.random(wanted),
    )
    taken = np.zeros(usable.size, dtype=bool)
    taken[np.minimum(np.searchsorted(share, places, side="right"), usable.size - 1)] = True
    missing = wanted - int(np.count_nonzero(taken))
    if missing:
        free = np.flatnonzero(~taken)
        taken[free[_choose(chance[free], missing, generator)]] = True
    return usable[taken]


def _choose(chance: NDArray[np.float64], wanted: int, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Which of the entries are among `wanted` different ones, drawn one after the other with these chances.

    The same as ``generator.choice(..., replace=False, p=...)``, from the same numbers, without its checks.
    """
    left = chance / chance.sum()
    chosen = np.zeros(chance.size, dtype=bool)
    while wanted > 0:
        numbers = generator.random(wanted)
        share = np.cumsum(left)
        share /= share[-1]
        new = share.searchsorted(numbers, side="right")
        chosen[new] = True
        left[new] = 0.0
        wanted -= int(np.count_nonzero(np.bincount(new)))
    return chosen


def _groups(blocks: Sequence[Block]) -> list[list[Block]]:
    """Blocks that may have the same nights, together; those that need dark time first."""
    groups: dict[tuple[float | None, ...], list[Block]] = {}
    for block in sorted(blocks, key=lambda b: b.moon_max):
        key = (block.moon_max, block.start, block.end, block.season_length)
        groups.setdefault(key, []).append(block)
    return list(groups.values())


def _interleave(counts: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """Numbers of the blocks in an order that spreads each evenly, shape (sum of counts,)."""
    kind = np.repeat(np.arange(counts.size), counts)
    place = np.concatenate([(np.arange(n) + generator.random(n)) / n for n in counts if n] or [np.empty(0)])
    return kind[np.argsort(place, kind="stable")]


class _BlockPlan:
    """The visits of one block in a night: bands, and steps and filter changes since the first visit."""

    def __init__(self, block: Block, recipe: Recipe) -> None:
        names = [b for b, n in block.visits.items() for _ in range(n)]
        self.nights = block.nights
        self.band = np.array([recipe.bands.index(b) for b in names], dtype=np.uint8)
        self.step = np.arange(self.band.size)
        change = np.r_[0, np.cumsum(self.band[1:] != self.band[:-1])]
        self.changing = recipe.night.filter_change * change
        self.length = float(self.step[-1] * recipe.night.separation + self.changing[-1]) / 1440.0
        self.number = 0  # among the blocks of the recipe


class _Sequences:
    """The nights chosen for each block, with the random numbers of their visits; worked out together at the end."""

    def __init__(self) -> None:
        self.block: list[_BlockPlan] = []
        self.chosen: list[NDArray[np.int64]] = []
        self.gaps: list[NDArray[np.float64]] = []
        self.jitters: list[NDArray[np.float64]] = []
        self.places: list[NDArray[np.float64]] = []

    def draw(self, block: _BlockPlan, chosen: NDArray[np.int64], generator: np.random.Generator) -> None:
        """Random numbers for the nights `chosen`: of the separation, of each visit, and of the place in the window."""
        self.block.append(block)
        self.chosen.append(chosen)
        self.gaps.append(generator.standard_normal(chosen.size))
        self.jitters.append(generator.standard_normal((chosen.size, block.band.size)).ravel())
        self.places.append(generator.random(chosen.size))

    def times(
        self, recipe: Recipe, plan: RecipePlan, start: NDArray[np.float64], span: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.uint8], NDArray[np.int64]]:
        """Times, bands and nights of all visits; `start` and `span` are the window of each night [d]."""
        night, spec = np.concatenate(self.chosen), recipe.night
        block = np.repeat([b.number for b in self.block], [c.size for c in self.chosen])
        length = plan.lengths[block]
        ends = np.cumsum(length)
        owner = np.repeat(np.arange(night.size), length)
        # where each visit stands in the table of all blocks' visits
        entry = np.arange(owner.size) + (plan.first[block] - (ends - length))[owner]
        gap = spec.separation * np.exp(spec.separation_scatter * np.concatenate(self.gaps))
        minutes = gap[owner] * plan.step[entry] + plan.changing[entry]
        offset = (minutes + spec.jitter * np.concatenate(self.jitters)) / 1440.0
        window = span[night]
        # a scattered separation may reach beyond dawn: the sequence is squeezed into the window
        offset *= np.minimum(1.0, window / np.maximum(offset[ends - 1], 1e-9))[owner]
        begins = start[night] + np.concatenate(self.places) * (window - offset[ends - 1])
        return begins[owner] + offset, plan.band[entry], night[owner]


class _GroupPlan:
    """Blocks that may have the same nights, and which nights these are wherever the star is."""

    def __init__(self, group: Sequence[Block], recipe: Recipe) -> None:
        nights, block = recipe.nights, group[0]
        self.blocks = [_BlockPlan(b, recipe) for b in group]
        self.length = max(plan.length for plan in self.blocks)
        self.season = 0.5 * (block.season_length or recipe.season.length)
        first, last = block.start or -np.inf, block.end or np.inf
        inside = (nights.midnight >= first) & (nights.midnight <= last)
        self.allowed = (nights.moon <= block.moon_max) & inside


class _DepthPlan:
    """The depths of a recipe, one entry a band."""

    def __init__(self, depths: Mapping[str, BandSpec], bands: Sequence[str]) -> None:
        specs = [depths[b] for b in bands]
        self.depth5 = np.array([s.depth5 for s in specs])
        self.design_seeing = np.array([s.design_seeing for s in specs])
        self.seeing = np.array([s.seeing for s in specs])
        self.seeing_scatter = np.array([s.seeing_scatter for s in specs])
        self.moon = np.array([s.moon for s in specs])
        self.depth_scatter = np.array([s.depth_scatter for s in specs])


class RecipePlan:
    """What a recipe says of every realisation, worked out once; bands are positions in ``recipe.bands``.

    Parameters
    ----------
    recipe : Recipe
    """

    def __init__(self, recipe: Recipe) -> None:
        self.groups = [_GroupPlan(group, recipe) for group in _groups(recipe.blocks)]
        blocks = [block for group in self.groups for block in group.blocks]
        for number, block in enumerate(blocks):
            block.number = number
        self.lengths = np.array([block.band.size for block in blocks])
        self.first = np.cumsum(self.lengths) - self.lengths
        self.band = np.concatenate([block.band for block in blocks])
        self.step = np.concatenate([block.step for block in blocks])
        self.changing = np.concatenate([block.changing for block in blocks])
        self.longest_season = max(group.season for group in self.groups)
        self.dark = 1.0 - recipe.moon.loss * recipe.nights.moon**recipe.moon.sharpness
        self.depths = _DepthPlan(recipe.depths, recipe.bands) if recipe.depths else None
        self._clear: tuple[int, _ClearNights] | None = None

    def clear_nights(self, recipe: Recipe, seed: int) -> _ClearNights:
        """The nights that weather and Moon leave; kept, as all stars of a run have the same weather."""
        if self._clear is None or self._clear[0] != seed:
            self._clear = seed, _ClearNights(recipe, self.dark, seed)
        return self._clear[1]


class _ClearNights:
    """Nights with a chance, which `base` holds; `number` are their positions in the table of nights."""

    def __init__(self, recipe: Recipe, dark: NDArray[np.float64], seed: int) -> None:
        nights = recipe.nights
        base = _clear(seed, nights.number.size, recipe.weather.clear, recipe.weather.cloudy_spell) * dark
        self.number = np.flatnonzero(base > 0)
        self.base = base[self.number]
        self.sun_ra = nights.sun_ra[self.number]


def realise(recipe: Recipe, generator: np.random.Generator, seed: int, ra: float | None) -> Visits:
    """One realisation of a recipe.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    generator : numpy.random.Generator
        Draws all but the weather.
    seed : int
        Seed of the weather.
    ra : float or None
        Right ascension of the star [deg]; None for the recipe's own, or a random one if it has none.

    Raises
    ------
    CadenceError
        If no visit results.
    """
    nights, survey, season, plan = recipe.nights, recipe.survey, recipe.season, recipe.plan
    random_ra = generator.uniform(0.0, 360.0)
    if ra is None:
        ra = random_ra if season.ra is None else season.ra

    # only the nights that the weather, the Moon and the season leave: the others would be looked at in vain
    clear = plan.clear_nights(recipe, seed)
    from_opposition = np.abs(_turn(ra - clear.sun_ra) - 180.0) * 365.25 / 360.0
    in_season = np.flatnonzero(from_opposition <= plan.longest_season)
    usable = clear.number[in_season]
    base, from_opposition = clear.base[in_season], from_opposition[in_season]
    midnight, half_length = nights.midnight[usable], nights.half_length[usable]
    # the part of each night in which the field is up, as times from midnight [d]
    hour_angle = _turn(nights.sidereal[usable] - ra + 180.0) - 180.0
    transit = -hour_angle / 360.0 * _SIDEREAL_DAY
    reach = season.hour_angle / 24.0 * _SIDEREAL_DAY
    begin = np.maximum(transit - reach, -half_length)
    end = np.minimum(transit + reach, half_length)

    span = end - begin
    moon = nights.moon[usable]
    common = np.clip(1.0 + survey.scatter * generator.standard_normal(), 0.2, 1.8)
    sequences = _Sequences()
    # a quality of the night, shared by its visits
    quality = generator.standard_normal(nights.number.size)[usable]
    # groups of blocks that need dark time choose first
    for group in plan.groups:
        weight = base * (group.allowed[usable] & (span > group.length) & (from_opposition <= group.season))
        counts = np.array([int(block.nights * common + generator.random()) for block in group.blocks])
        picked = _pick_nights(weight, int(counts.sum()), survey.regularity, generator)
        base[picked] = 0.0
        kind = _interleave(counts, generator)
        if picked.size < kind.size:
            kind = kind[np.sort(generator.permutation(kind.size)[: picked.size])]
        for k, block in enumerate(group.blocks):
            sequences.draw(block, picked[kind == k], generator)
    mjd, band, which = sequences.times(recipe, plan, midnight + begin, span)
    if mjd.size == 0:
        raise CadenceError(f"the recipe {recipe.name!r} leaves no visit for ra={ra:.2f} and seed {seed}")
    depth5 = seeing = None
    if plan.depths is not None:
        d, noise = plan.depths, generator.standard_normal(band.size)
        seeing = d.seeing.take(band) * np.exp(d.seeing_scatter.take(band) * quality[which])
        depth5 = (
            d.depth5.take(band)
            + 2.5 * np.log10(d.design_seeing.take(band) / seeing)
            - d.moon.take(band) * moon[which]
            + d.depth_scatter.take(band) * noise
        )
    order = np.argsort(mjd, kind="stable")
    columns = {
        "mjd": mjd,
        "band": band,
        "exposure_time": np.full(mjd.size, recipe.exposure_time),
        "night": np.floor(mjd + recipe.site.longitude / 360.0 - 0.5).astype(np.int64),
    }
    if depth5 is not None and seeing is not None:
        columns |= {"depth5": depth5, "seeing": seeing}
    return Visits.trusted(recipe.bands, {k: v[order] for k, v in columns.items()})


def _turn(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles within one turn of [0, 360) brought into it [deg]; several times faster than the remainder."""
    return np.where(angle < 0.0, angle + 360.0, np.where(angle >= 360.0, angle - 360.0, angle))
