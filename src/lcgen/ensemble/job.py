"""What an ensemble run does, split into blocks of stars that can be made anywhere and in any order."""

from __future__ import annotations

import dataclasses
import hashlib
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import rng
from ..errors import InputError, UnknownNameError
from ..lightcurve import LightCurves
from ..observe.detection import Detection
from ._layout import Block

__all__ = ["EnsembleGenerator", "EnsembleJob", "ObservableStars", "fingerprint"]


class ObservableStars(Protocol):
    """Stars that were drawn and can be observed."""

    def observe(self, cadence: Any, *, noise: Any = ..., seed: Any = ..., band: Any = ...) -> LightCurves:
        """Their light curves, with columns ``star_id``, ``class`` and what else is known of them."""
        ...


class EnsembleGenerator(Protocol):
    """What draws the stars of an ensemble; :class:`lcgen.LightCurveGenerator` is one.

    Attributes
    ----------
    name, sha256 : str
        Name, and sha256 of the weights, as they are recorded in the file.
    classes : tuple of str
        Classes it can draw.

    Notes
    -----
    With ``workers > 1`` it also needs ``source``, a name or path that :func:`lcgen.load_generator`
    understands.
    """

    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def classes(self) -> tuple[str, ...]: ...

    def draw(
        self,
        classes: Any,
        n: Any = ...,
        *,
        params: Any = ...,
        subclass: Any = ...,
        seed: Any = ...,
        first_id: Any = ...,
    ) -> ObservableStars:
        """Stars `first_id` to ``first_id + n``, each the same in whatever call it is drawn."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class EnsembleJob:
    """The stars of an ensemble, and how they are observed.

    Attributes
    ----------
    classes : mapping of str to int
        Stars of each class, in the order of the file.
    seed : int
    first_star_id : int
    cadence, noise, band
        As :meth:`lcgen.Stars.observe` takes them.
    mean_mag : float, pair of floats, or None
        The same for all stars, or limits between which it is drawn uniformly.
    known : mapping of str to ndarray, shape (n_stars,)
        Parameters given star by star, NaN where they are drawn.
    subclass : ndarray of str, shape (n_stars,), or None
        Empty where it is drawn.
    draw_options : mapping
        Further arguments of the generator's ``draw``.
    irregular, detection
        As :meth:`lcgen.Stars.observe` takes them.
    """

    classes: Mapping[str, int]
    seed: int
    first_star_id: int
    cadence: Any
    noise: Any
    band: Any
    mean_mag: float | tuple[float, float] | None
    known: Mapping[str, NDArray[np.float64]]
    subclass: NDArray[np.str_] | None
    draw_options: Mapping[str, Any] = field(default_factory=dict)
    irregular: bool = False
    detection: Detection | None = None

    @property
    def n_stars(self) -> int:
        """Number of stars of the whole ensemble."""
        return sum(self.classes.values())

    def stars(self, generator: EnsembleGenerator, start: int, stop: int) -> ObservableStars:
        """Stars number `start` to `stop` of the ensemble, drawn."""
        ends = np.cumsum(list(self.classes.values()))
        which = np.searchsorted(ends, np.arange(start, stop), side="right")
        ids = np.arange(start, stop, dtype=np.int64) + self.first_star_id
        params: dict[str, Any] = {name: values[start:stop] for name, values in self.known.items()}
        if isinstance(self.mean_mag, tuple):
            low, high = self.mean_mag
            params["mean_mag"] = low + (high - low) * rng.uniforms(self.seed, "mean_mag", ids, 1)[:, 0]
        elif self.mean_mag is not None:
            params["mean_mag"] = np.full(ids.size, self.mean_mag)
        return generator.draw(
            np.asarray(list(self.classes))[which],
            ids.size,
            params=params or None,
            subclass=None if self.subclass is None else self.subclass[start:stop],
            seed=self.seed,
            first_id=int(ids[0]),
            **self.draw_options,
        )

    def block(self, generator: EnsembleGenerator, start: int, stop: int) -> Block:
        """Stars number `start` to `stop` of the ensemble, observed.

        Raises
        ------
        InputError
            If the generator does not number the stars as it was told to.
        """
        stars = self.stars(generator, start, stop)
        ids = np.arange(start, stop, dtype=np.int64) + self.first_star_id
        # stars of other makers need not know the words
        options: dict[str, Any] = {"irregular": True} if self.irregular else {}
        options |= {"detection": self.detection} if self.detection is not None else {}
        lightcurves = stars.observe(self.cadence, noise=self.noise, seed=self.seed, band=self.band, **options)
        if not np.array_equal(lightcurves.columns.get("star_id", ()), ids):
            raise InputError(f"the generator did not give its stars the star_id {ids[0]} to {ids[-1]}")
        return Block.of(lightcurves)


def class_counts(classes: Any, n_per_class: int | Mapping[str, int], allowed: tuple[str, ...]) -> dict[str, int]:
    """Number of stars of each class, checked.

    Raises
    ------
    InputError
        If a number is wrong, a class is named twice, or there are no stars at all.
    UnknownNameError
        If the generator cannot draw a class.
    """
    if classes is None:
        names = list(n_per_class) if isinstance(n_per_class, Mapping) else list(allowed)
    else:
        names = [classes] if isinstance(classes, str) else [str(c) for c in classes]
    if not names:
        raise InputError(f"no class was asked for; there are: {', '.join(allowed)}")
    if isinstance(n_per_class, Mapping) and set(n_per_class) != set(names):
        raise InputError(f"n_per_class is for {', '.join(n_per_class)}; the classes are {', '.join(names)}")
    counts: dict[str, int] = {}
    for name in names:
        if name not in allowed:
            raise UnknownNameError("class", name, allowed)
        if name in counts:
            raise InputError(f"class {name} is named twice")
        n = n_per_class[name] if isinstance(n_per_class, Mapping) else n_per_class
        if isinstance(n, bool) or not isinstance(n, numbers.Integral) or n < 1:
            raise InputError(f"n_per_class must be a whole number from 1, received {n!r}")
        counts[name] = int(n)
    return counts


def magnitude_range(value: Any) -> float | tuple[float, float] | None:
    """A mean magnitude or a range of them, checked.

    Raises
    ------
    InputError
        If it is neither.
    """
    if value is None:
        return None
    try:
        limits = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        limits = np.array(np.nan)
    if limits.shape not in {(), (2,)} or not np.isfinite(limits).all() or np.any(np.diff(np.atleast_1d(limits)) < 0):
        raise InputError(f"mean_mag must be a magnitude or a pair (bright, faint) of them, received {value!r}")
    return float(limits) if limits.shape == () else (float(limits[0]), float(limits[1]))


def fingerprint(value: Any) -> str:
    """A short hash of a cadence, noise model or other setting, the same in every process.

    It goes through dataclasses, mappings, sequences and arrays; of files it takes name and size, and of other
    objects the type and the public plain attributes.

    Examples
    --------
    >>> fingerprint({"a": [1, 2.0]}) == fingerprint({"a": (1, 2.0)}), fingerprint(1) == fingerprint(2)
    (True, False)
    """
    digest = hashlib.sha256()
    _feed(digest, value)
    return digest.hexdigest()[:16]


def _feed(digest: Any, value: Any) -> None:
    if isinstance(value, Path):
        size = value.stat().st_size if value.is_file() else 0
        digest.update(f"path {value.name} {size};".encode())
    elif isinstance(value, np.ndarray) and value.dtype.kind != "O":
        digest.update(f"array {value.dtype.str} {value.shape};".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif value is None or isinstance(value, (str, bytes, bool, numbers.Number)):
        digest.update(f"{value!r};".encode())
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        _feed(
            digest,
            {f.name: getattr(value, f.name) for f in dataclasses.fields(value)} | {"": type(value).__name__},
        )
    elif isinstance(value, Mapping):
        digest.update(b"{")
        for key in sorted(value, key=str):
            digest.update(f"{key}:".encode())
            _feed(digest, value[key])
        digest.update(b"}")
    elif isinstance(value, (list, tuple, np.ndarray)):
        digest.update(b"[")
        for item in value:
            _feed(digest, item)
        digest.update(b"]")
    else:
        plain = (str, int, float, bool, tuple, Path, type(None))
        public = {k: v for k, v in getattr(value, "__dict__", {}).items() if k[0] != "_" and isinstance(v, plain)}
        _feed(digest, public | {"": type(value).__name__})
