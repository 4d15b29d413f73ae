"""What all metrics of stars share: how they meet MAF."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from rubin_sim.maf.metrics import BaseMetric

from lcgen import InputError, LightCurveGenerator

from .field import ClassField, StarSource, field_of
from .sample import StarSample
from .slices import Columns, SliceVisits

__all__ = ["StarMetric"]


class StarMetric(BaseMetric):
    """Base of metrics that evaluate stars at each slice point; a subclass says what of the stars of one class.

    Parameters
    ----------
    stars : StarSample, StarPopulation, LightCurveGenerator or str, optional
        The stars; or the generator that draws them, or its name, and then the next five say what it draws.
    classes : str or tuple of str, optional
        Classes. With one string the metric's values are plain numbers; with a tuple, and by default with all eight
        classes, a value is an array of one number a class, and MAF's reduce functions give a map for each class and
        ``mean``, their mean.
    n : int, optional
        Stars of each class, 100 by default.
    mean_mag, distance : float or (float, float), optional
        See :class:`StarSample`.
    seed : int, optional
        0 by default.
    columns : Columns, optional
        Names of the columns of the schedule.
    metric_name : str, optional
        By default from the class, and from the class of stars where it is one.
    units : str, optional
    badval : float
        What MAF masks: returned where nothing can be said.

    Attributes
    ----------
    plot_dict, display_dict : dict
        For a ``MetricBundle``: limits and labels of plots, and the group and caption that MAF's tables show.

    Raises
    ------
    InputError
        If both a sample and what it draws are given.

    Notes
    -----
    Values depend on the visits and, where there is one, on the dust of a slice point; not on the order or the number of
    slice points. All metrics with equal `stars` share what is simulated at a slice point, so running them in one
    ``MetricBundleGroup`` costs little more than one of them.
    """

    _UNITS: ClassVar[str] = ""
    _RANGE: ClassVar[tuple[float, float] | None] = None
    _LABEL: ClassVar[str] = ""
    _SUBGROUP: ClassVar[str] = ""
    _CAPTION: ClassVar[str] = ""

    def __init__(
        self,
        stars: StarSource | LightCurveGenerator | str | None = None,
        *,
        classes: str | tuple[str, ...] | None = None,
        n: int | None = None,
        mean_mag: float | tuple[float, float] | None = None,
        distance: float | tuple[float, float] | None = None,
        seed: int | None = None,
        columns: Columns | None = None,
        metric_name: str | None = None,
        units: str | None = None,
        badval: float = -666,
    ) -> None:
        options = {"classes": classes, "n": n, "mean_mag": mean_mag, "distance": distance, "seed": seed}
        given = {name: value for name, value in options.items() if value is not None}
        self.stars: StarSource = _source(stars, given)
        self.columns = columns or Columns()
        self.names = self.stars.names
        single = self.stars.sample.classes if isinstance(self.stars.sample.classes, str) else None
        super().__init__(
            col=[self.columns.mjd, self.columns.m5, self.columns.band],
            metric_name=metric_name or f"{type(self).__name__.removesuffix('Metric')} {single or ''}".strip(),
            units=self._UNITS if units is None else units,
            metric_dtype="float" if single else "object",
            badval=badval,  # pyright: ignore[reportArgumentType]  (MAF's own default makes it a whole number)
        )
        self.comment = self._CAPTION
        if not single:
            for order, name in enumerate((*self.names, "mean")):
                self.reduce_funcs[name] = self._reduction(name)
                self.reduce_order[name] = order
                setattr(self, f"reduce_{name}", self.reduce_funcs[name])
        label = f"{self._LABEL} ({self.units})" if self.units else self._LABEL
        self.plot_dict: dict[str, Any] = {"xlabel": label}
        if self._RANGE is not None:
            self.plot_dict |= {"color_min": self._RANGE[0], "color_max": self._RANGE[1]}
        self.display_dict: dict[str, Any] = {
            "group": "Periodic variable stars",
            "subgroup": self._SUBGROUP,
            "caption": self._CAPTION,
        }

    def run(self, data_slice: Any, slice_point: Mapping[str, Any] | None = None) -> Any:
        """The value at a slice point: a number, or an array of one number a class; `badval` where there is none.

        Raises
        ------
        InputError, UnknownNameError
            If the visits lack a column, or have a filter that is not known.
        """
        visits = SliceVisits.of(data_slice, self.columns)
        if visits is None:
            return self.badval
        field = field_of(self.stars, visits, slice_point)
        values = np.array(
            [self.value(field.classes[name]) if name in field.classes else np.nan for name in self.names], dtype=float
        )
        if not np.isfinite(values).any():
            return self.badval
        if self.metric_dtype == "object":
            return values
        return float(values[0])

    def value(self, stars: ClassField) -> float:
        """The number for the stars of one class at a slice point; NaN or infinite where there is none."""
        raise NotImplementedError

    def _reduction(self, name: str) -> Callable[[NDArray[np.float64]], float]:
        k = None if name == "mean" else self.names.index(name)
        badval = self.badval

        def reduce(values: NDArray[np.float64]) -> float:
            known = values[np.isfinite(values)] if k is None else values[k : k + 1]
            return float(known.mean()) if known.size and np.isfinite(known).all() else badval

        reduce.__name__ = f"reduce_{name}"
        return reduce


def _source(stars: Any, given: dict[str, Any]) -> StarSource:
    if stars is None or isinstance(stars, (str, LightCurveGenerator)):
        return StarSample(generator=stars or "", **given)
    if not hasattr(stars, "located"):
        raise InputError(
            f"stars must be a StarSample, a StarPopulation, a generator or its name, received {stars!r:.80}"
        )
    if given:
        raise InputError(f"{', '.join(given)}: a {type(stars).__name__} says that itself; give it there")
    return stars
