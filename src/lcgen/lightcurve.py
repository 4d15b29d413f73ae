"""Containers for light curves, real or generated.

``LightCurves`` keeps the observations of many stars in flat arrays, with ``offsets``, as the files do: star ``i``
owns rows ``offsets[i]:offsets[i + 1]``. ``LightCurve`` is one star of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import photometry
from .errors import InputError
from .taxonomy import PARAMETERS

if TYPE_CHECKING:  # pragma: no cover
    from astropy.table import Table

__all__ = ["LightCurve", "LightCurves", "phase_of"]

_FLUX_PER_MAG = 0.4 * np.log(10.0)
_OPTIONAL = ("measured_flux", "measured_flux_err", "detected")


def phase_of(mjd: ArrayLike, period: ArrayLike, t0: ArrayLike = 0.0) -> NDArray[np.float64]:
    """Phase in [0, 1) of times `mjd` [d], for a `period` [d] and the time `t0` of phase zero; shapes broadcast.

    Examples
    --------
    >>> phase_of([0.0, 0.25, 1.5], period=1.0)
    array([0.  , 0.25, 0.5 ])
    """
    cycles = (np.asarray(mjd, dtype=float) - np.asarray(t0, dtype=float)) / np.asarray(period, dtype=float)
    phase = cycles - np.floor(cycles)
    # floor of a tiny negative number gives a phase that rounds to 1.0
    return np.where(phase >= 1.0, 0.0, phase)


@dataclass(frozen=True, kw_only=True, eq=False)
class LightCurve:
    """The light curve of one star, in one or more bands.

    Attributes
    ----------
    mjd : ndarray, shape (n_obs,)
        Times [d].
    mag, mag_err : ndarray, shape (n_obs,)
        Magnitudes and their errors in the bands' own systems [mag]. Noise-free curves have zero errors. Where a
        measured flux is not positive the magnitude is NaN and the flux holds the measurement.
    band : ndarray of str, shape (n_obs,)
        Passband of each observation.
    star : mapping
        What is known of the star: ``star_id``, ``class``, ``subclass``, ``period`` [d] and so on.
    flux, flux_err : ndarray, shape (n_obs,)
        Fluxes [nJy, AB]; derived from the magnitudes where they were not measured.
    detected : ndarray of bool, shape (n_obs,), or None
        Which observations reach a detection limit; None where none was set.
    """

    mjd: NDArray[np.float64]
    mag: NDArray[np.floating]
    mag_err: NDArray[np.floating]
    band: NDArray[np.str_]
    star: Mapping[str, Any] = field(default_factory=dict)
    measured_flux: NDArray[np.floating] | None = None
    measured_flux_err: NDArray[np.floating] | None = None
    detected: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return int(self.mjd.size)

    def __repr__(self) -> str:
        name = self.star.get("class") or "star"
        period = self.star.get("period")
        folded = f", period={period:.6g} d" if period is not None and np.isfinite(period) else ""
        bands = ", ".join(np.unique(self.band).tolist()) or "no band"
        return f"<LightCurve {name}{folded}, {len(self)} observations in {bands}>"

    @cached_property
    def flux(self) -> NDArray[np.floating]:
        if self.measured_flux is not None:
            return self.measured_flux
        return _by_band(photometry.mag_to_flux, self.mag, self.band)

    @cached_property
    def flux_err(self) -> NDArray[np.floating]:
        if self.measured_flux_err is not None:
            return self.measured_flux_err
        return _FLUX_PER_MAG * self.flux * self.mag_err

    def phase(self) -> NDArray[np.float64]:
        """Phase of each observation, in [0, 1).

        Raises
        ------
        InputError
            If the period of the star is not known.
        """
        period = float(self.star.get("period", np.nan))
        if not (np.isfinite(period) and period > 0):
            raise InputError(f"the star has no period to fold with (period = {period})")
        t0 = float(self.star.get("t0", 0.0))
        return phase_of(self.mjd, period, t0 if np.isfinite(t0) else 0.0)

    def to_table(self) -> Table:
        """The observations as an astropy Table, with units; what is known of the star in ``meta``."""
        from astropy import units as u
        from astropy.table import Column, Table

        table = Table({"mjd": self.mjd, "band": self.band}, meta=dict(self.star))
        units = {"mjd": u.day, "mag": u.mag, "mag_err": u.mag, "flux": u.nJy, "flux_err": u.nJy}
        for name, unit in units.items():
            column: Any = Column(np.asarray(getattr(self, name)), unit=unit)
            table[name] = column
        if self.detected is not None:
            table["detected"] = np.asarray(self.detected)
        return table

    def plot(self, ax: Any = None, *, folded: bool | None = None) -> Any:
        """Draw the light curve with matplotlib, folded where the period is known; returns the axes."""
        from .plot import plot_light_curve

        return plot_light_curve(self, ax=ax, folded=folded)


def _by_band(convert: Any, values: NDArray, band: NDArray) -> NDArray[np.float64]:
    out = np.empty(values.shape)
    for name in np.unique(band):
        rows = band == name
        out[rows] = convert(values[rows], str(name))
    return out


@dataclass(frozen=True, kw_only=True, eq=False)
class LightCurves(Sequence[LightCurve]):
    """Light curves of many stars, as flat arrays.

    Attributes
    ----------
    offsets : ndarray of int64, shape (n_stars + 1,)
        Star ``i`` owns rows ``offsets[i]:offsets[i + 1]``.
    mjd, mag, mag_err : ndarray, shape (n_obs,)
        Times [d], magnitudes and errors [mag]; see :class:`LightCurve`.
    band_index : ndarray of uint8, shape (n_obs,)
        Index of each observation's band in `band_names`.
    band_names : tuple of str
        The bands.
    columns : mapping of str to ndarray, shape (n_stars,)
        One array a column: ``star_id``, ``class``, ``subclass``, ``period`` ...
    meta : mapping
        Where the curves come from.
    detected : ndarray of bool, shape (n_obs,), or None
        Which observations reach a detection limit; None where none was set.
    """

    offsets: NDArray[np.int64]
    mjd: NDArray[np.float64]
    mag: NDArray[np.floating]
    mag_err: NDArray[np.floating]
    band_index: NDArray[np.uint8]
    band_names: tuple[str, ...]
    columns: Mapping[str, NDArray]
    meta: Mapping[str, Any] = field(default_factory=dict)
    measured_flux: NDArray[np.floating] | None = None
    measured_flux_err: NDArray[np.floating] | None = None
    detected: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.offsets.ndim != 1 or self.offsets.size < 1 or self.offsets[0] != 0:
            raise InputError("offsets must be one-dimensional and start at 0")
        if np.any(np.diff(self.offsets) < 0):
            raise InputError("offsets must not decrease")
        n_obs = int(self.offsets[-1])
        for name in ("mjd", "mag", "mag_err", "band_index", *_OPTIONAL):
            optional = name in _OPTIONAL and getattr(self, name) is None
            if not optional and getattr(self, name).shape != (n_obs,):
                raise InputError(f"{name} has shape {getattr(self, name).shape}, offsets ask for ({n_obs},)")
        for name, column in self.columns.items():
            if len(column) != len(self):
                raise InputError(f"column {name!r} has {len(column)} rows for {len(self)} stars")
        if n_obs and int(self.band_index.max()) >= len(self.band_names):
            raise InputError(f"band_index reaches {self.band_index.max()}, there are {len(self.band_names)} bands")

    def __len__(self) -> int:
        return int(self.offsets.size - 1)

    def __repr__(self) -> str:
        return f"<LightCurves: {len(self)} stars, {self.mjd.size} observations in {', '.join(self.band_names)}>"

    def __getitem__(self, index: Any) -> Any:
        """One star for an integer; a smaller ``LightCurves`` for a slice, a mask or an array of integers."""
        if isinstance(index, (int, np.integer)):
            i = int(index) + (len(self) if index < 0 else 0)
            if not 0 <= i < len(self):
                raise IndexError(f"star {index} of {len(self)}")
            rows = slice(int(self.offsets[i]), int(self.offsets[i + 1]))
            return LightCurve(
                mjd=self.mjd[rows],
                mag=self.mag[rows],
                mag_err=self.mag_err[rows],
                band=np.asarray(self.band_names, dtype=str)[self.band_index[rows]],
                star={name: _scalar(column[i]) for name, column in self.columns.items()},
                **self._optional(rows),
            )
        return self.take(np.arange(len(self))[index])

    def __iter__(self) -> Iterator[LightCurve]:
        return (self[i] for i in range(len(self)))

    def take(self, stars: ArrayLike) -> LightCurves:
        """The stars with the given indices, in that order.

        Parameters
        ----------
        stars : array_like of int, shape (n,)
        """
        stars = np.atleast_1d(np.asarray(stars, dtype=np.int64))
        counts = np.diff(self.offsets)[stars]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        rows = np.arange(offsets[-1]) + np.repeat(self.offsets[stars] - offsets[:-1], counts)
        return self._with_rows(rows, offsets, {k: np.asarray(v)[stars] for k, v in self.columns.items()})

    def where(self, keep: ArrayLike) -> LightCurves:
        """The same stars with only the observations for which the mask `keep`, shape (n_obs,), is true."""
        keep = np.asarray(keep, dtype=bool)
        if keep.shape != self.mjd.shape:
            raise InputError(f"mask has shape {keep.shape}, there are {self.mjd.size} observations")
        total = np.concatenate([[0], np.cumsum(keep)])
        return self._with_rows(np.flatnonzero(keep), total[self.offsets].astype(np.int64), self.columns)

    def _with_rows(self, rows: NDArray, offsets: NDArray, columns: Mapping[str, NDArray]) -> LightCurves:
        return LightCurves(
            offsets=offsets,
            mjd=self.mjd[rows],
            mag=self.mag[rows],
            mag_err=self.mag_err[rows],
            band_index=self.band_index[rows],
            band_names=self.band_names,
            columns=columns,
            meta=self.meta,
            **self._optional(rows),
        )

    def _optional(self, rows: Any) -> dict[str, Any]:
        values = ((name, getattr(self, name)) for name in _OPTIONAL)
        return {name: value[rows] for name, value in values if value is not None}

    @property
    def star_index(self) -> NDArray[np.int64]:
        """Index of the star that each observation belongs to, shape (n_obs,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    @property
    def band(self) -> NDArray[np.str_]:
        """Passband of each observation, shape (n_obs,)."""
        return np.asarray(self.band_names, dtype=str)[self.band_index]

    @cached_property
    def flux(self) -> NDArray[np.floating]:
        """Fluxes [nJy, AB], shape (n_obs,)."""
        if self.measured_flux is not None:
            return self.measured_flux
        out = np.empty(self.mag.shape)
        for k, name in enumerate(self.band_names):
            rows = self.band_index == k
            out[rows] = photometry.mag_to_flux(self.mag[rows], name)
        return out

    @cached_property
    def flux_err(self) -> NDArray[np.floating]:
        """Errors of the fluxes [nJy], shape (n_obs,)."""
        if self.measured_flux_err is not None:
            return self.measured_flux_err
        return _FLUX_PER_MAG * self.flux * self.mag_err

    def phase(self) -> NDArray[np.float64]:
        """Phase of each observation, shape (n_obs,); NaN for stars without a period."""
        period = np.asarray(self.columns.get("period", np.full(len(self), np.nan)), dtype=float)
        t0 = np.asarray(self.columns.get("t0", np.zeros(len(self))), dtype=float)
        usable = np.isfinite(period) & (period > 0)
        safe = np.where(usable, period, 1.0)
        index = self.star_index
        phase = phase_of(self.mjd, safe[index], np.where(np.isfinite(t0), t0, 0.0)[index])
        return np.where(usable[index], phase, np.nan)

    @cached_property
    def stars(self) -> Table:
        """One row a star, as an astropy Table with units."""
        return table_of(self.columns)

    @classmethod
    def concatenate(cls, parts: Sequence[LightCurves]) -> LightCurves:
        """Many sets of stars as one. Columns missing from a part are filled with NaN, an empty string or -1.

        Raises
        ------
        InputError
            If there is none, or a detection limit was set for some of them only.
        """
        if not parts:
            raise InputError("nothing to concatenate")
        detected = [p.detected for p in parts if p.detected is not None]
        if detected and len(detected) < len(parts):
            raise InputError(f"a detection limit was set for {len(detected)} of {len(parts)} sets; set it for all")
        names = tuple(dict.fromkeys(n for p in parts for n in p.band_names))
        counts = np.concatenate([np.diff(p.offsets) for p in parts])
        columns: dict[str, NDArray] = {}
        for key in dict.fromkeys(k for p in parts for k in p.columns):
            sample = next(np.asarray(p.columns[key]) for p in parts if key in p.columns)
            fill: Any = {"U": "", "S": b"", "f": np.nan, "b": False}.get(sample.dtype.kind, -1)
            columns[key] = np.concatenate(
                [np.asarray(p.columns[key]) if key in p.columns else np.full(len(p), fill) for p in parts]
            )
        # derived fluxes stand beside measured ones, for a flux measured negative has no magnitude to derive it from
        has_flux = any(p.measured_flux is not None for p in parts)
        return cls(
            offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            mjd=np.concatenate([p.mjd for p in parts]),
            mag=np.concatenate([p.mag for p in parts]),
            mag_err=np.concatenate([p.mag_err for p in parts]),
            band_index=np.concatenate(
                [np.array([names.index(n) for n in p.band_names], dtype=np.uint8)[p.band_index] for p in parts]
            ),
            band_names=names,
            columns=columns,
            meta=parts[0].meta,
            measured_flux=np.concatenate([p.flux for p in parts]) if has_flux else None,
            measured_flux_err=np.concatenate([p.flux_err for p in parts]) if has_flux else None,
            detected=np.concatenate(detected) if detected else None,
        )


def table_of(columns: Mapping[str, NDArray]) -> Table:
    """Columns of stars as an astropy Table, with the units of :data:`lcgen.taxonomy.PARAMETERS`."""
    from astropy.table import Table

    table = Table({name: np.asarray(column) for name, column in columns.items()})
    for name in columns:
        if name in PARAMETERS and PARAMETERS[name].unit:
            column: Any = table[name]
            column.unit = PARAMETERS[name].unit
            column.description = PARAMETERS[name].description
    return table


def _scalar(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return value.decode() if isinstance(value, bytes) else value
