"""Magnitudes and measurements of many stars, a few whole stars at a time.

A survey makes some hundred observations of a star, so that the values between the times and the measured fluxes would
fill the memory's bandwidth if they were made for all stars one step after the other. A few stars at a time they stay
in the processor's cache. As every observation follows from its own star, time and random numbers, it makes no
difference to the result.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from . import rng
from .interpolate import evaluate_padded
from .observe.irregular import Realisation
from .observe.noise import NoiseModel, NoiseRequest, NoisyPhotometry
from .visit_rows import VisitRows

__all__ = ["CurveTable", "measure", "star_chunks"]

# Observations made together.
_ROWS = 16_384


def star_chunks(offsets: NDArray[np.int64]) -> Iterator[tuple[slice, slice]]:
    """Stars that are observed together, and their rows; one at least, and empty ones where there are no stars.

    Parameters
    ----------
    offsets : ndarray of int64, shape (n_stars + 1,)

    Examples
    --------
    >>> list(star_chunks(np.array([0, 20_000, 30_000])))
    [(slice(0, 1, None), slice(0, 20000, None)), (slice(1, 2, None), slice(20000, 30000, None))]
    """
    n, first = offsets.size - 1, 0
    while True:
        last = int(np.searchsorted(offsets, offsets[first] + _ROWS, side="right")) - 1
        last = min(max(last, first + 1), n)
        yield slice(first, last), slice(int(offsets[first]), int(offsets[last]))
        first = last
        if first >= n:
            return


@dataclass(frozen=True, kw_only=True, eq=False)
class CurveTable:
    """Curves of stars in several bands.

    Attributes
    ----------
    padded : ndarray, shape (n_planes, n_stars, n_grid + PADDING)
        Magnitudes minus the mean, from :func:`lcgen.interpolate.pad_periodic`.
    planes : ndarray of int64, shape (n_bands,)
        Where each band is among them.
    mean : ndarray, shape (n_planes, n_stars)
        Mean magnitudes, of the planes that are used.
    period, t0 : ndarray, shape (n_stars,)
        [d]
    changes : Realisation or None
        How the stars depart from repeating.
    sizes : ndarray, shape (n_planes * n_stars,)
        Peak-to-peak amplitudes; used with `changes` alone.
    """

    padded: NDArray[np.float64]
    planes: NDArray[np.int64]
    mean: NDArray[np.float64]
    period: NDArray[np.float64]
    t0: NDArray[np.float64]
    changes: Realisation | None
    sizes: NDArray[np.float64]

    def magnitude(
        self, band_index: NDArray[np.integer], star: NDArray[np.int64], mjd: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Noise-free magnitudes, shape (n_obs,), of observations that stand star after star."""
        n = self.period.size
        phase = mjd - self.t0.take(star)
        phase /= self.period.take(star)
        phase -= np.floor(phase)  # rounding may make it 1, where the padded curve has its first point again
        motion = self.changes.at(star, mjd) if self.changes is not None and mjd.size else None
        if motion is not None:
            phase = motion.shifted(phase)
        curve = (n * self.planes).take(band_index)
        curve += star
        values = evaluate_padded(self.padded, curve, phase)
        if motion is not None:
            values = motion.changed(values, self.sizes, curve)
        values += self.mean.reshape(-1).take(curve)
        return values


def measure(
    table: CurveTable,
    model: NoiseModel | None,
    rows: VisitRows,
    band_index: NDArray[np.uint8],
    band_names: tuple[str, ...],
    columns: Mapping[str, NDArray],
    seed: int,
) -> NoisyPhotometry:
    """What is measured of all stars at their visits.

    Parameters
    ----------
    table : CurveTable
    model : NoiseModel or None
        None for noise-free magnitudes with zero errors.
    rows : VisitRows
    band_index : ndarray of uint8, shape (n_obs,)
    band_names : tuple of str
        The bands of `table`.
    columns : mapping of str to ndarray, shape (n_stars,)
        ``star_id`` and ``class``.
    seed : int
        Of the noise.
    """
    offsets = np.concatenate([[0], np.cumsum(rows.counts)]).astype(np.int64)
    out = _Collector(rows.mjd.size)
    streams = rng.star_streams(seed, "noise", columns["star_id"])
    class_name = np.asarray(columns["class"])
    with_uniforms = getattr(model, "needs_uniforms", True)
    with_names = getattr(model, "needs_class_name", True)
    conditions: dict[str, NDArray[np.float64] | None] = {"exposure_time": None, "seeing": None}
    if model is not None and getattr(model, "needs_conditions", True):
        conditions = {name: rows.column(name) for name in conditions}
    for stars, part in star_chunks(offsets):
        counts = rows.counts[stars]
        star = np.repeat(np.arange(stars.start, stars.start + counts.size), counts)
        mag = table.magnitude(band_index[part], star, rows.mjd[part])
        if model is None:
            out.add(part, NoisyPhotometry(mag=mag, mag_err=np.zeros_like(mag)))
            continue
        normals, uniforms = np.empty(mag.size), np.empty(mag.size if with_uniforms else 0)
        edges = (offsets[stars.start : stars.start + counts.size + 1] - part.start).tolist()
        for begin, end in itertools.pairwise(edges):
            stream = next(streams)
            stream.standard_normal(out=normals[begin:end])
            if with_uniforms:
                stream.random(out=uniforms[begin:end])
        request = NoiseRequest(
            mag=mag,
            band_index=band_index[part],
            band_names=band_names,
            depth5=None if rows.depth5 is None else rows.depth5[part],
            class_name=class_name[star] if with_names else class_name[:0],
            normals=normals,
            uniforms=uniforms,
            mjd=rows.mjd[part],
            star=star,
            **{name: None if values is None else values[part] for name, values in conditions.items()},
        )
        out.add(part, model.measure(request))
    return out.all()


class _Collector:
    """Puts measurements of parts together."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._columns: dict[str, NDArray] = {}

    def add(self, part: slice, measured: NoisyPhotometry) -> None:
        for field in fields(measured):
            values = getattr(measured, field.name)
            if values is None:
                continue
            if part.stop - part.start == self._size:
                self._columns[field.name] = values
                continue
            if field.name not in self._columns:
                self._columns[field.name] = np.empty(self._size, dtype=values.dtype)
            self._columns[field.name][part] = values

    def all(self) -> NoisyPhotometry:
        return NoisyPhotometry(**self._columns)
