"""Stars that were drawn, and their curves while they are needed.

A star follows from what the state of a simulation holds of it: seed, number, class and the parameters that were given.
Its curves are therefore kept for speed only, a bounded number of them, and are made again where they are missing.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lcgen.errors import InputError
from lcgen.interpolate import pad_periodic
from lcgen.observe.extinction import DEFAULT_LAW, DEFAULT_R_V, Law
from lcgen.observing import CurveTable
from lcgen.taxonomy import PHYSICAL

from .generators import GeneratorRef

if TYPE_CHECKING:
    from lcgen import LightCurveGenerator, Stars

__all__ = ["GIVEN", "Drawing", "Inputs", "StarStore"]

GIVEN: tuple[str, ...] = (*PHYSICAL, "amplitude", "mean_mag", "distance", "a_v", "e_bv", "t0")
"""Numbers that may be given of a star."""

# Stars of a run: those of one seed whose numbers have the same quotient.
_RUN = 1024
# Stars whose curves are kept, of some 7 KiB each in six bands, and stars of whom it is kept how they were asked for.
_HOT, _KNOWN = 16_384, 1_048_576


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """What the state of a simulation says about stars.

    Attributes
    ----------
    seed, star_id : ndarray of int64, shape (n,)
    cls, subclass : ndarray of str, shape (n,)
        An empty subclass is drawn.
    values : ndarray of float64, shape (n, len(GIVEN))
        NaN where a parameter is drawn.
    """

    seed: NDArray[np.int64]
    star_id: NDArray[np.int64]
    cls: NDArray[np.str_]
    subclass: NDArray[np.str_]
    values: NDArray[np.float64]

    def take(self, rows: NDArray[np.intp]) -> Inputs:
        """Some of the stars."""
        return Inputs(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})

    def same(self, other: Inputs) -> bool:
        """Whether the same is said of all stars."""
        names = bool((self.cls == other.cls).all() and (self.subclass == other.subclass).all())
        return names and np.array_equal(self.values, other.values, equal_nan=True)


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawing:
    """How stars are drawn from what is given of them; see :class:`lcgen_lightcurvelynx.PeriodicStarModel`."""

    generator: GeneratorRef
    extrapolate: bool = False
    irregular: bool = False
    law: Law = DEFAULT_LAW
    r_v: float = DEFAULT_R_V

    def draw(self, inputs: Inputs) -> Stars:
        """The stars, which must have one seed and consecutive numbers."""
        known = np.flatnonzero(~np.isnan(inputs.values).all(axis=0))
        return self.generator.load().draw(
            inputs.cls,
            params={GIVEN[k]: inputs.values[:, k] for k in known},
            subclass=inputs.subclass,
            seed=int(inputs.seed[0]),
            first_id=int(inputs.star_id[0]),
            extrapolate=self.extrapolate,
            law=self.law,
            r_v=self.r_v,
        )

    def curves(self, stars: Stars, bands: Sequence[str]) -> CurveTable:
        """Folded curves and mean magnitudes."""
        gen = self.generator.load()
        n_grid, columns = _grid_size(gen), stars.columns
        padded = np.stack([pad_periodic(stars.template(n_grid, band)) for band in bands])
        return CurveTable(
            padded=padded,
            planes=np.arange(len(bands)),
            mean=np.stack([stars.mean_magnitude(band) for band in bands]),
            period=columns["period"],
            t0=columns["t0"],
            changes=self._changes(gen, stars),
            sizes=np.ptp(padded, axis=2).ravel(),
        )

    def _changes(self, gen: LightCurveGenerator, stars: Stars) -> Any:
        if not self.irregular:
            return None
        if gen.irregularity is None:
            raise InputError(
                f"irregular=True: of the generator {gen.name!r} nothing was measured of how stars depart from "
                "repeating; use irregular=False, or a generator that has"
            )
        of = stars.columns
        return gen.irregularity.realise(of["class"], of["subclass"], of["period"], of["star_id"], stars.seed)


@lru_cache(maxsize=8)
def _grid_size(gen: LightCurveGenerator) -> int:
    one = gen.draw(gen.classes[0], 1, seed=0)
    return int(gen.decode(one.columns["class"], one.columns, one.latent, gen.trained_bands[0]).shape[1])


class _Run:
    """Stars of one seed with consecutive numbers."""

    def __init__(self, inputs: Inputs) -> None:
        first = int(inputs.star_id.min())
        width = int(inputs.star_id.max()) - first + 1
        # whoever is missing between two numbers is drawn like the first star; nobody asks for the result
        source = np.zeros(width, dtype=np.intp)
        source[inputs.star_id - first] = np.arange(inputs.star_id.size)
        filled = inputs.take(source)
        self.inputs = Inputs(
            seed=filled.seed,
            star_id=np.arange(first, first + width, dtype=np.int64),
            cls=filled.cls,
            subclass=filled.subclass,
            values=filled.values,
        )
        self.first, self.width = first, width
        self.bands: tuple[str, ...] = ()
        self.table: CurveTable | None = None

    def forget(self) -> None:
        """Keep only how the stars were asked for."""
        self.table, self.bands = None, ()


class StarStore:
    """Draws stars and finds their curves.

    Parameters
    ----------
    drawing : Drawing
    bands : tuple of str
        Those in which curves are made when stars are drawn; those of others, when they are asked for.
    """

    def __init__(self, drawing: Drawing, bands: tuple[str, ...]) -> None:
        self.drawing, self._bands = drawing, bands
        self._clear()

    def _clear(self) -> None:
        self._runs: OrderedDict[tuple[int, int], _Run] = OrderedDict()
        self._hot: OrderedDict[tuple[int, int], int] = OrderedDict()
        self._lock = threading.RLock()

    def __getstate__(self) -> dict[str, Any]:
        return {"drawing": self.drawing, "_bands": self._bands}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._clear()

    def draw(self, inputs: Inputs) -> Mapping[str, NDArray]:
        """Columns of the stars, as in the table of :class:`lcgen.Stars`; their curves are kept while there is room.

        Raises
        ------
        DomainError, UnknownNameError, InputError
            See :meth:`lcgen.LightCurveGenerator.draw`.
        """
        with self._lock:
            for run in self._runs.values():
                run.forget()
            self._hot.clear()
            parts = []
            for key, rows in _groups(inputs):
                run = _Run(inputs.take(rows))
                stars = self.drawing.draw(run.inputs)
                at = inputs.star_id[rows] - run.first
                parts.append((rows, {name: column[at] for name, column in stars.columns.items()}))
                self._add(key, run)
                # of a large batch the first stars are kept, as they are asked for first
                if sum(self._hot.values()) + run.width <= _HOT:
                    self._decode(key, run, stars)
        order = np.argsort(np.concatenate([rows for rows, _ in parts]))
        return {name: np.concatenate([part[name] for _, part in parts])[order] for name in parts[0][1]}

    def remember(self, inputs: Inputs) -> None:
        """Take note of stars of a state that was not drawn here, so that they are decoded many at a time."""
        with self._lock:
            for key, rows in _groups(inputs):
                known = self._runs.get(key)
                if known is None or not _holds(known, inputs, rows):
                    self._hot.pop(key, None)
                    self._add(key, _Run(inputs.take(rows)))

    def _add(self, key: tuple[int, int], run: _Run) -> None:
        self._runs[key] = run
        self._runs.move_to_end(key)
        while len(self._runs) * _RUN > _KNOWN:
            old, _ = self._runs.popitem(last=False)
            self._hot.pop(old, None)

    def curves(self, one: Inputs, bands: Sequence[str]) -> tuple[CurveTable, tuple[str, ...], int]:
        """The curves of one star.

        Returns
        -------
        table : CurveTable
            Of this star and others.
        bands : tuple of str
            Bands of the table.
        row : int
            Which of its stars it is.
        """
        key = (int(one.seed[0]), int(one.star_id[0]) // _RUN)
        with self._lock:
            run = self._runs.get(key)
            if run is None or not _holds(run, one, np.zeros(1, dtype=np.intp)):
                run = _Run(one)
                self._hot.pop(key, None)
                self._add(key, run)
            if not set(bands) <= set(run.bands):
                # what one star is asked for, others will be: deriving bands together is faster
                self._bands = tuple(dict.fromkeys((*self._bands, *bands)))
                self._decode(key, run, self.drawing.draw(run.inputs))
            return run.table, run.bands, int(one.star_id[0]) - run.first  # type: ignore[return-value]

    def _decode(self, key: tuple[int, int], run: _Run, stars: Stars) -> None:
        run.table, run.bands = self.drawing.curves(stars, self._bands), self._bands
        self._hot[key] = run.width
        self._hot.move_to_end(key)
        while sum(self._hot.values()) > _HOT and len(self._hot) > 1:
            old, _ = self._hot.popitem(last=False)
            self._runs[old].forget()


def _groups(inputs: Inputs) -> list[tuple[tuple[int, int], NDArray[np.intp]]]:
    """Rows that are drawn together: of one seed and quotient, no number twice."""
    order = np.lexsort((inputs.star_id, inputs.seed))
    seed, number = inputs.seed[order], inputs.star_id[order]
    again = np.zeros(order.size, dtype=np.int64)
    for k in (np.flatnonzero((np.diff(seed) == 0) & (np.diff(number) == 0)) + 1).tolist():
        again[k] = again[k - 1] + 1
    group = np.stack([seed, again, number // _RUN])
    together = np.lexsort((number, *group[::-1]))
    group, order = group[:, together], order[together]
    starts = np.flatnonzero(np.concatenate([[True], (np.diff(group, axis=1) != 0).any(axis=0)]))
    keys = zip(group[0, starts].tolist(), group[2, starts].tolist(), strict=True)
    return list(zip(keys, np.split(order, starts[1:]), strict=True))


def _holds(run: _Run, inputs: Inputs, rows: NDArray[np.intp]) -> bool:
    """Whether a run has these stars, asked for in the same way."""
    at = inputs.star_id[rows] - run.first
    if at.min() < 0 or at.max() >= run.width:
        return False
    return run.inputs.take(at).same(inputs.take(rows))
