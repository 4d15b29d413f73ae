"""What is taken of every star."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError, UnknownNameError
from ..photometry import BANDS
from ..taxonomy import CLASSES

if TYPE_CHECKING:  # pragma: no cover
    from .transforms import Transform

__all__ = ["FEATURES", "Invalid", "Selection", "require_columns"]

FEATURES: dict[str, str] = {
    "mjd": "time, MJD [d], float64",
    "time": "time since the first observation of the star [d]",
    "phase": "phase in [0, 1), for stars with a period",
    "mag": "magnitude [mag]",
    "mag_err": "its error [mag]",
    "flux": "flux [nJy, AB]",
    "flux_err": "its error [nJy]",
    "detected": "1 where a detection limit is reached, else 0; only where one was set",
}
"""What can be known of an observation, beside its band."""

STORED = ("mjd", "mag", "mag_err", "flux", "flux_err", "detected")
"""Features that a file holds; the others are made from them."""

Invalid = Literal["drop", "keep", "raise"]
"""What becomes of an observation of which a feature is not finite."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is taken of every star.

    Attributes
    ----------
    features : tuple of str
        What is taken of each observation, in this order; names of :data:`FEATURES`. Times and bands come along in any
        case.
    bands : tuple of str, optional
        Bands, in the order of their indices; observations in others are left out. By default those of the source, so
        give them where several sources must agree.
    columns : tuple of str
        Columns of the stars that come along as numbers.
    label : str or None
        The column with the label.
    classes : tuple of str, optional
        Labels in the order of their numbers. By default :data:`lcgen.CLASSES` for the label ``"class"``, so that a
        number means the same in every source; for others it must be given.
    invalid : {"drop", "keep", "raise"}
        What becomes of an observation of which a selected feature is not finite, such as the magnitude of a flux that
        was measured negative. Dropping these keeps the bright measurements of a faint star: select fluxes where that
        matters.
    transform : Transform, optional
        Applied last, to a :class:`Ragged`; see :class:`Compose` for several.

    Raises
    ------
    InputError, UnknownNameError
        If a name is not known or given twice.

    Examples
    --------
    >>> Selection(features=("time", "flux", "flux_err"), bands=("g", "r")).features
    ('time', 'flux', 'flux_err')
    """

    features: tuple[str, ...] = ("time", "flux", "flux_err")
    bands: tuple[str, ...] | None = None
    columns: tuple[str, ...] = ()
    label: str | None = "class"
    classes: tuple[str, ...] | None = None
    invalid: Invalid = "drop"
    transform: Transform | None = None

    def __post_init__(self) -> None:
        for name in ("features", "bands", "columns", "classes"):
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, str):
                raise InputError(f"{name} must be a sequence of names, received the text {value!r}")
            names = tuple(str(v) for v in value)
            if len(set(names)) < len(names):
                raise InputError(f"{name} must not repeat a name, received {', '.join(names)}")
            object.__setattr__(self, name, names)
        if not self.features:
            raise InputError(f"at least one feature is needed; allowed: {', '.join(FEATURES)}")
        for kind, names, allowed in (("feature", self.features, FEATURES), ("band", self.bands or (), BANDS)):
            for name in names:
                if name not in allowed:
                    raise UnknownNameError(kind, name, allowed)
        if self.invalid not in get_args(Invalid):
            raise UnknownNameError("value of invalid", self.invalid, get_args(Invalid))
        if self.label is not None and self.label != "class" and self.classes is None:
            raise InputError(f"give classes, the values of {self.label!r} in the order of their numbers")

    @property
    def label_names(self) -> tuple[str, ...]:
        """The label that each number stands for."""
        if self.label is None:
            return ()
        return tuple(CLASSES) if self.classes is None else self.classes

    @property
    def needed_columns(self) -> tuple[str, ...]:
        """Columns of the stars that must be read."""
        label = () if self.label is None else (self.label,)
        phase = ("period", "t0") if "phase" in self.features else ()
        return tuple(dict.fromkeys(("star_id", *label, *self.columns, *phase)))

    @property
    def needed_observations(self) -> tuple[str, ...]:
        """Columns of the observations that must be read, beside the band."""
        return tuple(dict.fromkeys(("mjd", *(f for f in self.features if f in STORED))))

    def numbers_of(self, labels: ArrayLike) -> NDArray[np.int64]:
        """The numbers of labels.

        Raises
        ------
        UnknownNameError
            If a label is not among them.
        """
        values = np.asarray(labels).astype(str)
        found, inverse = np.unique(values, return_inverse=True)
        for name in found:
            if name not in self.label_names:
                raise UnknownNameError("label", str(name), self.label_names)
        numbers = np.array([self.label_names.index(str(name)) for name in found], dtype=np.int64)
        return numbers[inverse] if values.size else np.zeros(0, np.int64)


def require_columns(select: Selection, there: Iterable[str]) -> None:
    """Refuse a selection of columns of stars that are not there.

    Raises
    ------
    UnknownNameError
        If there is no such column.
    """
    there = tuple(there)
    for name in select.needed_columns:
        if name not in there and name not in ("star_id", "t0"):
            raise UnknownNameError("column", name, there)
