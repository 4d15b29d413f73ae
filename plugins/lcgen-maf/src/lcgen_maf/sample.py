"""The stars that metrics put at slice points."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import lcgen
from lcgen import InputError, LightCurveGenerator, Stars, UnknownNameError, rng
from lcgen.compare.settings import Settings, resolve_engine
from lcgen.taxonomy import CLASSES, class_info

from .slices import SliceVisits, dust_of

__all__ = ["ID_BLOCK", "METHODS", "StarSample", "combined_seed"]

METHODS = ("aliases", "full")
"""How periods are searched; see :class:`StarSample`."""

Range = float | tuple[float, float]
_FAR = 1e8  # [pc], beyond which no star is meant
ID_BLOCK = 1_000_000_000
"""Star k of the class i has the id i * ID_BLOCK + k."""


@dataclass(frozen=True, kw_only=True)
class StarSample:
    """Stars to evaluate at each slice point, and how they are measured.

    The same stars are put at each slice point unless `fresh`: then maps show what the visits do, not the luck of the
    draw. A star depends on the seed, its class and its number alone, and its noise on these and the visits: not on the
    slice point, on the order in which these are run, on other classes, or on how many stars there are.

    Attributes
    ----------
    generator : LightCurveGenerator or str
        What draws the stars, or its name or path; the bundled default if empty.
    classes : str or tuple of str
        Classes; all eight by default. Given as one string, metrics have plain numbers as values; given as a tuple they
        have one a class, and reduce functions by class.
    n : int
        Stars of each class.
    mean_mag : float or (float, float), optional
        Mean V magnitude as observed, or the ends of a range in which it is drawn evenly; (17, 22) where no `distance`
        is given either.
    distance : float or (float, float), optional
        Distance [pc], or the ends of a range in which its logarithm is drawn evenly, instead of `mean_mag`.
    params : mapping of str to float
        Other parameters, such as ``{"subclass": "RRab", "e_bv": 0.05}``, as :meth:`lcgen.LightCurveGenerator.draw`
        takes them; they apply to all classes.
    seed : int
    fresh : bool
        Draw other stars wherever the visits are other.
    dust : bool
        Put the stars behind the dust that MAF's dust map has at the slice point (``ebv``), where a metric runs with
        one: with `distance` they are dimmed and reddened, with `mean_mag` reddened.
    noise : str
        ``"lsst"``, ``"depth"`` (no saturation) or a survey's name, as :meth:`lcgen.Stars.observe` takes it.
    irregular : bool
        Let stars depart from repeating as real ones do.
    method : {"aliases", "full"}
        How periods are found: among the true period, its harmonics, the aliases that the visits allow and a peak of
        noise, for many stars at once; or with the complete periodogram, star by star, some fifty times slower.
        ``docs/maf.md`` says how often the two agree.
    settings : lcgen.compare.Settings
        Limits of the search and what counts as detected or recovered, as in :func:`lcgen.compare`.

    Raises
    ------
    InputError
        If a value is not possible.
    UnknownNameError
        If a class or method is not known.

    Examples
    --------
    >>> sample = StarSample(classes=("RRLYR", "CEP"), mean_mag=(18.0, 20.0), n=2, seed=1)
    >>> {name: len(stars) for name, stars in sample.stars.items()}
    {'RRLYR': 2, 'CEP': 2}
    """

    generator: LightCurveGenerator | str = ""
    classes: str | tuple[str, ...] = CLASSES
    n: int = 100
    mean_mag: Range | None = None
    distance: Range | None = None
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)
    seed: int = 0
    fresh: bool = False
    dust: bool = True
    noise: str = "lsst"
    irregular: bool = False
    method: str = "aliases"
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        names = (self.classes,) if isinstance(self.classes, str) else tuple(self.classes)
        if not names or len(set(names)) < len(names):
            raise InputError(f"classes must be one or more different classes, received {self.classes!r}")
        for name in names:
            class_info(name)
        if not isinstance(self.classes, str):
            object.__setattr__(self, "classes", names)
        if isinstance(self.n, bool) or not isinstance(self.n, (int, np.integer)) or not 1 <= self.n < ID_BLOCK:
            raise InputError(f"n must be a whole number of stars from 1, received {self.n!r}")
        object.__setattr__(self, "n", int(self.n))
        object.__setattr__(self, "seed", rng.check_seed(self.seed))
        if self.method not in METHODS:
            raise UnknownNameError("method", self.method, METHODS)
        if self.mean_mag is not None and self.distance is not None:
            raise InputError("give mean_mag or distance, not both")
        if self.mean_mag is None and self.distance is None:
            object.__setattr__(self, "mean_mag", (17.0, 22.0))
        for name, low, high in (("mean_mag", -5.0, 40.0), ("distance", 1e-3, _FAR)):
            object.__setattr__(self, name, _range_of(name, getattr(self, name), low, high))
        taken = {"mean_mag", "distance", "ra", "dec"} & set(self.params)
        if taken:
            raise InputError(f"params cannot have {', '.join(sorted(taken))}: the sample or the slice point says it")
        for name, value in self.params.items():
            if not isinstance(value, (str, int, float, np.number)) and not hasattr(value, "unit"):
                raise InputError(f"params: {name} must be one number or word for all stars, received {value!r:.60}")
        object.__setattr__(self, "params", dict(self.params))
        object.__setattr__(self, "settings", resolve_engine(self.settings))

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, in the order they were given."""
        return (self.classes,) if isinstance(self.classes, str) else self.classes

    @cached_property
    def source(self) -> LightCurveGenerator:
        """The generator."""
        if isinstance(self.generator, LightCurveGenerator):
            return self.generator
        return _load(self.generator)

    @cached_property
    def stars(self) -> dict[str, Stars]:
        """The stars by class; not those of slice points if `fresh`."""
        return {name: self.draw(name, self.seed, self.n) for name in self.names}

    @property
    def sample(self) -> StarSample:
        """Itself."""
        return self

    def located(self, visits: SliceVisits, slice_point: Mapping[str, Any]) -> dict[str, Stars]:
        """The stars at a slice point, by class: behind its dust, where there is any and `dust` is asked for."""
        stars = self.stars
        if self.fresh:
            seed = combined_seed(self.seed, "fresh", visits.key)
            stars = {name: self.draw(name, seed, self.n) for name in self.names}
        e_bv = dust_of(slice_point) if self.dust else None
        if e_bv is None:
            return stars
        return {name: drawn.behind(e_bv, dims=self.distance is not None) for name, drawn in stars.items()}

    def training(self, n: int) -> dict[str, Stars]:
        """Other stars, `n` of each class, for what is trained: never those of a slice point."""
        return {name: self.draw(name, combined_seed(self.seed, "training", 0), n) for name in self.names}

    def draw(self, name: str, seed: int, n: int) -> Stars:
        """The first `n` stars of a class that belong to a seed."""
        first = CLASSES.index(name) * ID_BLOCK
        ids = first + np.arange(n)
        params = {k: v for k, v in self.params.items() if k != "subclass"}
        for column in ("mean_mag", "distance"):
            span = getattr(self, column)
            if span is not None:
                params[column] = _within(span, rng.uniforms(seed, f"maf/{column}", ids, 1)[:, 0], column == "distance")
        return self.source.draw(name, n, params=params, subclass=self.params.get("subclass"), seed=seed, first_id=first)

    def __deepcopy__(self, memo: dict[int, Any]) -> StarSample:
        # MAF copies a metric for each of its reduce functions; nothing here changes
        return self

    def with_options(self, **changes: Any) -> StarSample:
        """A sample with some attributes changed; None stands for what there is."""
        return dataclasses.replace(self, **{k: v for k, v in changes.items() if v is not None})


@lru_cache(maxsize=4)
def _load(name: str) -> LightCurveGenerator:
    return lcgen.load_generator(name) if name else lcgen.load_generator()


def combined_seed(seed: int, purpose: str, key: int) -> int:
    """A seed for a purpose and a key, in [0, 2^63)."""
    return int(rng.stream(seed, f"maf/{purpose}", key).integers(2**63))


def _range_of(name: str, value: Any, low: float, high: float) -> tuple[float, float] | None:
    if value is None:
        return None
    try:
        ends = [float(v) for v in (value if isinstance(value, Sequence) else (value, value))]
    except (TypeError, ValueError):
        ends = []
    if len(ends) != 2 or not all(math.isfinite(v) and low <= v <= high for v in ends) or ends[0] > ends[1]:
        raise InputError(f"{name} must be a number or (low, high) within [{low:g}, {high:g}], received {value!r}")
    return ends[0], ends[1]


def _within(span: tuple[float, float], uniform: NDArray[np.float64], logarithmic: bool) -> NDArray[np.float64]:
    low, high = (math.log(v) for v in span) if logarithmic else span
    values = low + uniform * (high - low)
    return np.exp(values) if logarithmic else values
