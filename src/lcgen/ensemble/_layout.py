"""Names, types, units and chunks of the datasets, and the way from ``LightCurves`` to them and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..lightcurve import LightCurves
from ..photometry import BANDS
from ..taxonomy import PARAMETERS

__all__ = ["BAND_NAMES", "OBSERVATIONS", "OPTIONAL", "Block", "column_order", "decode"]

OBSERVATIONS: dict[str, tuple[str, str, str]] = {
    "mjd": ("<f8", "d", "time of the observation, MJD"),
    "band": ("u1", "", "index of the passband in the attribute names"),
    "mag": ("<f4", "mag", "magnitude in the band's own system; NaN where the flux is not positive"),
    "mag_err": ("<f4", "mag", "error of the magnitude"),
    "flux": ("<f4", "nJy", "flux, AB"),
    "flux_err": ("<f4", "nJy", "error of the flux"),
}
"""Columns of the observations: type, unit, description."""

OPTIONAL: dict[str, tuple[str, str, str]] = {
    "detected": ("u1", "", "1 where the measurement reaches the detection limit, else 0"),
}
"""Columns of the observations that a file need not have."""

BAND_NAMES = tuple(BANDS)
"""All bands lcgen knows, always in this order, so that indices do not depend on which band is met first."""

_FIRST = ("star_id", "class", "subclass", *PARAMETERS)
_MIN_TEXT = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """Stars in the types of the file.

    Attributes
    ----------
    ends : ndarray of int64, shape (n_stars,)
        Row after the last observation of each star, counted within the block.
    observations : mapping of str to ndarray, shape (n_obs,)
    columns : mapping of str to ndarray, shape (n_stars,)
    """

    ends: NDArray[np.int64]
    observations: Mapping[str, NDArray]
    columns: Mapping[str, NDArray]

    @property
    def n_stars(self) -> int:
        return int(self.ends.size)

    @property
    def optional(self) -> frozenset[str]:
        """Columns of the observations that not every file has."""
        return frozenset(OPTIONAL).intersection(self.observations)

    @property
    def n_obs(self) -> int:
        return int(self.ends[-1]) if self.ends.size else 0

    @classmethod
    def of(cls, lightcurves: LightCurves) -> Block:
        """The light curves in the types of the file.

        Raises
        ------
        InputError
            If something in them cannot be stored.
        """
        unknown = [name for name in lightcurves.band_names if name not in BANDS]
        if unknown:
            raise InputError(f"unknown band {unknown[0]!r}; allowed: {', '.join(BANDS)}")
        index = np.array([BAND_NAMES.index(name) for name in lightcurves.band_names], dtype=np.uint8)
        mjd = np.asarray(lightcurves.mjd, dtype="<f8")
        if not np.isfinite(mjd).all():
            raise InputError(f"{np.count_nonzero(~np.isfinite(mjd))} observations have a time that is not finite")
        # a flux beyond the range of float32 becomes infinite: that is what the reader shall see, without a
        # warning
        with np.errstate(over="ignore"):
            observations = {
                "mjd": mjd,
                "band": index[lightcurves.band_index] if index.size else np.zeros(0, np.uint8),
                "mag": np.asarray(lightcurves.mag, dtype="<f4"),
                "mag_err": np.asarray(lightcurves.mag_err, dtype="<f4"),
                "flux": np.asarray(lightcurves.flux, dtype="<f4"),
                "flux_err": np.asarray(lightcurves.flux_err, dtype="<f4"),
            }
        if lightcurves.detected is not None:
            observations["detected"] = np.asarray(lightcurves.detected, dtype=np.bool_).astype(np.uint8)
        columns = {str(k): _column(str(k), v) for k, v in lightcurves.columns.items()}
        if "star_id" not in columns or columns["star_id"].dtype.kind != "i":
            raise InputError("light curves need a column star_id of whole numbers to be stored")
        return cls(
            ends=np.asarray(lightcurves.offsets[1:], dtype=np.int64),
            observations=observations,
            columns=columns,
        )

    @classmethod
    def join(cls, blocks: list[Block]) -> Block:
        """Blocks with the same columns as one."""
        if len(blocks) == 1:
            return blocks[0]
        starts = np.cumsum([0, *(b.n_obs for b in blocks[:-1])])
        return cls(
            ends=np.concatenate([b.ends + s for b, s in zip(blocks, starts, strict=True)]),
            observations={k: np.concatenate([b.observations[k] for b in blocks]) for k in blocks[0].observations},
            columns={k: np.concatenate([b.columns[k] for b in blocks]) for k in blocks[0].columns},
        )

    def misfit(self, kinds: Mapping[str, np.dtype], optional: frozenset[str] | None = None) -> str:
        """How the columns differ from those of earlier blocks, in words; empty where they do not."""
        if optional is not None and optional != self.optional:
            return f"a block {'has' if self.optional else 'lacks'} the column detected of the observations"
        missing, extra = sorted(set(kinds) - set(self.columns)), sorted(set(self.columns) - set(kinds))
        if kinds and (missing or extra):
            parts = [f"lacks {', '.join(missing)}"] * bool(missing)
            parts += [f"has {', '.join(extra)} besides"] * bool(extra)
            return f"a block {' and '.join(parts)}"
        for name, kind in kinds.items():
            new = self.columns[name].dtype
            if new != kind and not (new.kind == kind.kind == "S"):
                return f"column {name!r} is {new} in this block and {kind} in those before it"
        return ""

    def split(self, n_stars: int) -> tuple[Block, Block]:
        """The first `n_stars` stars, and the rest (copied, so that the first part can be freed)."""
        cut = int(self.ends[n_stars - 1]) if n_stars else 0
        first = Block(
            ends=self.ends[:n_stars],
            observations={k: v[:cut] for k, v in self.observations.items()},
            columns={k: v[:n_stars] for k, v in self.columns.items()},
        )
        rest = Block(
            ends=self.ends[n_stars:] - cut,
            observations={k: v[cut:].copy() for k, v in self.observations.items()},
            columns={k: v[n_stars:].copy() for k, v in self.columns.items()},
        )
        return first, rest

    def as_lightcurves(self) -> LightCurves:
        """The block as ``LightCurves`` that go through :meth:`of` unchanged and are small to send."""
        return LightCurves(
            offsets=np.concatenate([[0], self.ends]).astype(np.int64),
            mjd=self.observations["mjd"],
            mag=self.observations["mag"],
            mag_err=self.observations["mag_err"],
            band_index=self.observations["band"],
            band_names=BAND_NAMES,
            columns=decode(self.columns),
            measured_flux=self.observations["flux"],
            measured_flux_err=self.observations["flux_err"],
            detected=self.observations["detected"].astype(np.bool_) if "detected" in self.observations else None,
        )


def _column(name: str, values: Any) -> NDArray:
    """A column of stars as bool, int64, float32, float64 or UTF-8 bytes."""
    if not name or "/" in name or "\0" in name or name in {".", "offset"}:
        raise InputError(f"a column of stars cannot be called {name!r} in an ensemble file")
    array = (
        np.ma.filled(values, np.nan) if isinstance(values, np.ma.MaskedArray) and values.dtype.kind == "f" else values
    )
    array = np.asarray(array)
    if array.ndim != 1:
        raise InputError(f"column {name!r} has shape {array.shape}; only one value a star can be stored")
    if array.dtype.kind == "O":
        if not all(isinstance(v, str) for v in array):
            raise InputError(f"column {name!r} holds objects that are not text")
        array = array.astype(str)
    kind = array.dtype.kind
    if kind == "b":
        return array.astype(np.bool_)
    if kind == "f":
        return array.astype("<f4" if array.dtype.itemsize <= 4 else "<f8")
    if kind in "iu":
        if kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
            raise InputError(f"column {name!r} reaches {array.max()}, beyond 64-bit signed numbers")
        return array.astype("<i8")
    if kind in "US":
        try:
            encoded = np.char.encode(array, "utf-8") if kind == "U" else array
        except UnicodeEncodeError as error:
            raise InputError(f"column {name!r} holds text that is not Unicode: {error}") from None
        if any(b"\0" in text for text in encoded.tolist()):
            raise InputError(f"column {name!r} holds text with a NUL character")
        return encoded.astype(f"S{text_width(encoded)}")
    raise InputError(f"column {name!r} has type {array.dtype}; allowed: bool, whole numbers, floats, text")


def text_width(values: NDArray) -> int:
    """Bytes a text column gets: a power of two, so that it depends little on which stars come first."""
    longest = max(map(len, values.tolist()), default=0)
    return max(_MIN_TEXT, 1 << max(longest - 1, 0).bit_length())


def decode(columns: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Columns as they were before they were stored: text as ``str``."""
    return {k: np.char.decode(v, "utf-8") if v.dtype.kind == "S" else v for k, v in columns.items()}


def column_order(names: Iterable[str]) -> tuple[str, ...]:
    """Names of columns in the order in which lcgen lists them: identity, parameters, then the alphabet."""
    names = set(names)
    return (*(n for n in _FIRST if n in names), *sorted(names.difference(_FIRST)))
