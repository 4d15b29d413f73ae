"""Generated stars: fixed in everything that is theirs, to be observed under any cadence."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import rng
from .errors import InputError, UnknownNameError
from .interpolate import PADDING, evaluate_padded, pad_periodic, resample_periodic
from .lightcurve import LightCurves, phase_of, table_of
from .observe.colours import band_offset
from .observe.irregular import Irregularity, Realisation
from .observe.noise import DepthNoise, NoiseModel, NoiseRequest, SurveyNoise
from .photometry import nearest_band

if TYPE_CHECKING:  # pragma: no cover
    from astropy.table import Table

    from .cadence import Visits

__all__ = ["CurveSource", "Stars"]

# Rows evaluated at a time, few enough that their intermediate values stay in the processor's cache.
_CHUNK = 65_536


class CurveSource(Protocol):
    """What :class:`Stars` needs of a generator."""

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands that can be decoded."""
        ...

    @property
    def noise_models(self) -> Mapping[str, SurveyNoise]:
        """Error models of the training surveys by name."""
        ...

    @property
    def irregularity(self) -> Irregularity | None:
        """How stars depart from repeating; None where that was not measured."""
        ...

    def decode(self, classes: NDArray, columns: Mapping[str, NDArray], z: NDArray, band: str) -> NDArray:
        """Curves in units of the amplitude scale, with zero mean, shape (n, n_grid)."""
        ...


class Stars:
    """Stars drawn by a generator: parameters, latent vector, amplitude and phase zero are fixed from here on.

    Made by :meth:`lcgen.LightCurveGenerator.draw`. Observing them again, under another cadence or with other noise,
    does not change them, so that cadences can be compared on the same stars.

    Parameters
    ----------
    source : CurveSource
        The generator.
    columns : mapping of str to ndarray, shape (n,)
        ``star_id``, ``class``, ``subclass``, physical and observational parameters.
    z : ndarray, shape (n, latent_dim)
        Latent vectors.
    scale : ndarray, shape (n,)
        Unit of the decoded curves [mag].
    seed : int
        Seed the stars were drawn with; the default seed of their noise.
    """

    def __init__(
        self,
        source: CurveSource,
        *,
        columns: Mapping[str, NDArray],
        z: NDArray[np.floating],
        scale: NDArray[np.float64],
        seed: int,
    ) -> None:
        self._source, self._z, self._scale = source, z, scale
        self.columns: dict[str, NDArray] = dict(columns)
        self.seed = seed
        # curves in magnitudes minus the mean, padded for evaluation, shape (n_decoded_bands, n, n_grid + PADDING)
        self._decoded: tuple[str, ...] = ()
        self._curves = np.empty((0, self._scale.size, 0))
        self._realised: tuple[Realisation, NDArray[np.float64]] | None = None
        self._sizes = np.empty(0)

    def __len__(self) -> int:
        return int(self._scale.size)

    def __repr__(self) -> str:
        names, counts = np.unique(self.columns["class"], return_counts=True)
        return f"<Stars: {', '.join(f'{n} {c}' for c, n in zip(names, counts, strict=True)) or 'none'}>"

    def __getitem__(self, index: Any) -> Stars:
        """Fewer stars, for a slice, a mask or an array of integers; each stays what it is."""
        rows = np.atleast_1d(np.arange(len(self))[index])
        columns = {k: v[rows] for k, v in self.columns.items()}
        return Stars(self._source, columns=columns, z=self._z[rows], scale=self._scale[rows], seed=self.seed)

    @cached_property
    def table(self) -> Table:
        """One row a star, as an astropy Table with units."""
        return table_of(self.columns)

    @property
    def latent(self) -> NDArray[np.floating]:
        """Latent vectors, shape (n, latent_dim)."""
        return self._z

    # ------------------------------------------------------------------ noise-free curves
    def _band(self, band: str) -> str:
        if band not in self._source.bands:
            raise UnknownNameError(
                "band", band, self._source.bands, hint="band='nearest' maps a schedule's filters to these"
            )
        return band

    def _planes(self, bands: Sequence[str]) -> tuple[NDArray[np.float64], list[int]]:
        """Padded curves of all bands decoded so far, and where those of `bands` are among them."""
        missing = [b for b in dict.fromkeys(bands) if b not in self._decoded]
        if missing:
            columns, scale = self.columns, self._scale[:, None]
            shapes = (self._source.decode(columns["class"], columns, self._z, b) for b in missing)
            made = np.stack([pad_periodic(shape.astype(np.float64) * scale) for shape in shapes])
            self._curves = np.concatenate([self._curves, made]) if self._decoded else made
            self._decoded += tuple(missing)
        return self._curves, [self._decoded.index(b) for b in bands]

    def _grid(self, band: str) -> NDArray[np.float64]:
        """Curves in magnitudes minus the mean on the decoder's grid, shape (n, n_grid)."""
        curves, (k,) = self._planes([band])
        return curves[k, :, 1 : 1 + curves.shape[2] - PADDING]

    def template(self, n_phase: int = 256, band: str = "V") -> NDArray[np.float64]:
        """Folded curves: magnitudes minus the mean, at phases ``arange(n_phase) / n_phase``; fainter is larger.

        Phase zero is maximum light of the first harmonic for pulsating stars, primary minimum for eclipsing and
        ellipsoidal ones.

        Returns
        -------
        ndarray, shape (n_stars, n_phase)
        """
        if isinstance(n_phase, bool) or not isinstance(n_phase, (int, np.integer)) or n_phase < 1:
            raise InputError(f"n_phase must be a whole number of at least 1, received {n_phase!r}")
        curves = resample_periodic(self._grid(self._band(band)), int(n_phase))
        return curves - curves.mean(axis=1, keepdims=True)

    def mean_magnitude(self, band: str = "V") -> NDArray[np.float64]:
        """Mean magnitude [mag] in a band, shape (n_stars,).

        The column ``mag_zero`` of the table says what it is: ``"apparent"`` where ``mean_mag`` or ``distance`` was
        given, ``"absolute"`` otherwise, and ``"relative"`` where neither is known and magnitudes are about zero.
        """
        mean = np.asarray(self.columns["mean_mag"], dtype=float)
        offset = band_offset(self.columns["teff"], self._band(band), self.columns["a_v"])
        return np.where(np.asarray(self.columns["mag_zero"]) == "relative", mean, mean + offset)

    def magnitude(self, times: ArrayLike, band: str = "V") -> NDArray[np.float64]:
        """Noise-free magnitudes.

        Parameters
        ----------
        times : array_like, shape (n_times,)
            MJD [d].
        band : str

        Returns
        -------
        ndarray, shape (n_stars, n_times)
        """
        mjd = _times(times)
        n, m = len(self), mjd.size
        band_index, star = np.zeros(n * m, dtype=np.uint8), np.repeat(np.arange(n), m)
        return self._evaluate([self._band(band)], band_index, star, np.tile(mjd, n)).reshape(n, m)

    def _evaluate(
        self,
        bands: Sequence[str],
        band_index: NDArray[np.uint8],
        star: NDArray[np.int64],
        mjd: NDArray[np.float64],
        changes: Realisation | None = None,
    ) -> NDArray[np.float64]:
        """Noise-free magnitudes, shape (n_obs,), each from its own band, star and time alone; star after star."""
        n, out = len(self), np.empty(mjd.size)
        curves, planes = self._planes(bands)
        # by band and star in one number each, so that all bands are one pass
        mean = np.concatenate([self.mean_magnitude(b) for b in bands])
        mean_of, curve_of = n * np.arange(len(bands)), n * np.array(planes, dtype=np.int64)
        period, t0 = self.columns["period"], self.columns["t0"]
        if changes is not None and self._sizes.size != n * curves.shape[0]:
            self._sizes = np.ptp(curves, axis=2).ravel()
        step = _CHUNK
        if changes is not None and n and mjd.size % n == 0 and 0 < mjd.size // n <= _CHUNK:
            step -= step % (mjd.size // n)  # whole stars, where all have as many observations
        for a in range(0, mjd.size, step):
            rows = slice(a, a + step)
            owner, band = star[rows], band_index[rows]
            phase = phase_of(mjd[rows], period.take(owner), t0.take(owner))
            motion = changes.at(owner, mjd[rows]) if changes is not None else None
            if motion is not None:
                phase = motion.shifted(phase)
            curve = curve_of.take(band) + owner
            values = evaluate_padded(curves, curve, phase)
            if motion is not None:
                values = motion.changed(values, self._sizes, curve)
            out[rows] = values + mean.take(mean_of.take(band) + owner)
        return out

    # ------------------------------------------------------------------ observations
    def observe(
        self,
        cadence: Any,
        *,
        noise: NoiseModel | str | None = None,
        seed: int | None = None,
        band: str | Mapping[str, str] | None = None,
        irregular: bool = False,
    ) -> LightCurves:
        """Observe the stars under a cadence.

        Parameters
        ----------
        cadence : array_like, list of arrays, cadence
            MJD for all stars, one array a star, or anything :func:`lcgen.as_cadence` understands.
        noise : NoiseModel, str or None
            None for noise-free curves; ``"depth"`` for errors from the schedule's depths; the name of a training
            survey (``gen.noise_models``) for errors like that survey's; or an object with ``measure``.
        seed : int, optional
            Seed of noise and of random cadences; by default the one the stars were drawn with.
        band : str, mapping or None
            One of the generator's bands for all visits; ``"nearest"`` to observe each of a schedule's filters in the
            generator's band nearest in wavelength; a mapping of filters to bands; or None to take the schedule's
            filters as they are (``"V"`` for plain times).
        irregular : bool
            Let stars depart from repeating as real ones of their class and subclass do: amplitude and phase wander
            from cycle to cycle, brightness changes, and double-mode stars have a second mode. What a star does belongs
            to it, like its curve: it is the same under any cadence and with any noise. The errors of a training survey
            are then those without these changes, so that they do not count twice.

        Returns
        -------
        LightCurves
            In the order of the stars, with ``.stars``; where `irregular`, they have a column ``irregularity``: the root
            mean square of the departures in the reference band [mag].

        Raises
        ------
        UnknownNameError
            If a filter of the schedule is not a band of the generator.
        InputError, CadenceError
            If times are not finite, the cadence cannot be read, or `irregular` is asked of a generator for which it was
            not measured.
        """
        seed = self.seed if seed is None else rng.check_seed(seed)
        model = self._noise(noise)
        changes, columns = None, self.columns
        if irregular:
            changes, departure = self._changes()
            model = self._without_changes(model)
            columns = columns | {"irregularity": departure}
        ids = np.asarray(self.columns["star_id"])
        mjd, filters, filter_index, depth, counts = self._visits(cadence, seed, ids)
        target = [self._map_band(f, band) for f in filters]
        band_names = tuple(dict.fromkeys(target))
        lookup = np.array([band_names.index(t) for t in target], dtype=np.uint8)
        band_index = lookup[filter_index]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        star = np.repeat(np.arange(len(self)), counts)
        mag = self._evaluate(band_names, band_index, star, mjd, changes)
        flux = flux_err = None
        mag_err = np.zeros_like(mag)
        if model is not None:
            with_uniforms = getattr(model, "needs_uniforms", True)
            with_names = getattr(model, "needs_class_name", True)
            normals, uniforms = np.empty(mag.size), np.empty(mag.size if with_uniforms else 0)
            edges = offsets.tolist()
            for i, stream in enumerate(rng.star_streams(seed, "noise", ids)):
                stream.standard_normal(out=normals[edges[i] : edges[i + 1]])
                if with_uniforms:
                    stream.random(out=uniforms[edges[i] : edges[i + 1]])
            class_name = np.asarray(self.columns["class"])
            measured = model.measure(
                NoiseRequest(
                    mag=mag,
                    band_index=band_index,
                    band_names=band_names,
                    depth5=depth,
                    class_name=class_name[star] if with_names else class_name[:0],
                    normals=normals,
                    uniforms=uniforms,
                )
            )
            mag, mag_err, flux, flux_err = measured.mag, measured.mag_err, measured.flux, measured.flux_err
        return LightCurves(
            offsets=offsets,
            mjd=mjd,
            mag=mag,
            mag_err=mag_err,
            band_index=band_index,
            band_names=band_names,
            columns=columns,
            meta={"seed": seed, "noise": getattr(model, "name", None)} | ({"irregular": True} if irregular else {}),
            measured_flux=flux,
            measured_flux_err=flux_err,
        )

    def _changes(self) -> tuple[Realisation, NDArray[np.float64]]:
        """What each star does besides repeating, and its root mean square [mag]."""
        known = self._source.irregularity
        if known is None:
            raise InputError(
                f"irregular=True: of the generator {getattr(self._source, 'name', '')!r} nothing was measured of how "
                "stars depart from repeating (it has no 'irregularity'); use irregular=False, or a generator that has"
            )
        if self._realised is None:
            columns = self.columns
            changes = known.realise(
                columns["class"], columns["subclass"], columns["period"], columns["star_id"], self.seed
            )
            self._realised = changes, changes.rms(self._grid(self._source.bands[0]))
        return self._realised

    def _without_changes(self, model: NoiseModel | None) -> NoiseModel | None:
        # the scatter of a survey's stars holds what they do themselves
        known = self._source.irregularity
        if known is None or not isinstance(model, SurveyNoise) or model.name not in known.noise_ratio:
            return model
        return dataclasses.replace(model, ratio={**model.ratio, **known.noise_ratio[model.name]})

    def _noise(self, noise: NoiseModel | str | None) -> NoiseModel | None:
        if noise is None or hasattr(noise, "measure"):
            return noise  # type: ignore[return-value]
        if noise == "depth":
            return DepthNoise()
        models = self._source.noise_models
        if isinstance(noise, str) and noise in models:
            return models[noise]
        raise UnknownNameError("noise model", noise, ["depth", *models], hint="or an object with measure()")

    def _map_band(self, name: str, band: str | Mapping[str, str] | None) -> str:
        if band is None:
            return self._band(name)
        if isinstance(band, Mapping):
            if name not in band:
                raise UnknownNameError("filter in the band mapping", name, band)
            return self._band(band[name])
        return nearest_band(name, self._source.bands) if band == "nearest" else self._band(band)

    def _visits(
        self, cadence: Any, seed: int, ids: NDArray
    ) -> tuple[NDArray[np.float64], tuple[str, ...], NDArray[np.uint8], NDArray[np.float64] | None, NDArray[np.int64]]:
        """Times, filter names, filter indices, depths and counts of all visits, star after star."""
        n = len(self)
        plain = _plain_times(cadence, n)
        if plain is not None:
            mjd, counts = plain
            return mjd, ("V",), np.zeros(mjd.size, dtype=np.uint8), None, counts
        from .cadence import as_cadence

        schedule = as_cadence(cadence)
        parts: list[Visits]
        if schedule.per_star:
            ra, dec = (np.asarray(self.columns[k], dtype=float) for k in ("ra", "dec"))
            parts = [
                schedule.visits(
                    ra=float(ra[i]) if np.isfinite(ra[i]) else None,
                    dec=float(dec[i]) if np.isfinite(dec[i]) else None,
                    seed=seed,
                    index=int(ids[i]),
                )
                for i in range(n)
            ]
        else:
            parts = [schedule.visits(seed=seed)] * n
        if not parts:
            return np.empty(0), ("V",), np.empty(0, dtype=np.uint8), None, np.empty(0, dtype=np.int64)
        names = tuple(dict.fromkeys(b for p in {id(p): p for p in parts}.values() for b in p.bands))
        index_of = {id(p): p.band_index(names).astype(np.uint8) for p in parts}
        depth = None
        if all(p.depth5 is not None for p in parts):
            depth = np.concatenate([np.asarray(p.depth5) for p in parts])
        return (
            np.concatenate([p.mjd for p in parts]),
            names,
            np.concatenate([index_of[id(p)] for p in parts]),
            depth,
            np.array([len(p) for p in parts], dtype=np.int64),
        )


def _times(times: Any) -> NDArray[np.float64]:
    mask = getattr(times, "mask", False)  # converting a masked array drops the mask in silence
    if not callable(mask) and np.any(mask):
        raise InputError(f"times are masked: {int(np.sum(mask))} of {np.size(mask)}")
    unit = getattr(times, "unit", None)
    if unit is not None:
        from .params import days

        times = days(times)
    if hasattr(times, "mjd"):  # astropy.time.Time
        times = times.mjd
    try:
        mjd = np.atleast_1d(np.asarray(times, dtype=float))
    except (TypeError, ValueError) as error:
        raise InputError(f"times must be numbers (MJD), received {times!r:.80}") from error
    if mjd.ndim != 1:
        raise InputError(f"times must be one-dimensional, received shape {mjd.shape}")
    if not np.isfinite(mjd).all():
        raise InputError(f"times must be finite, received {mjd[~np.isfinite(mjd)][0]}")
    if mjd.size == 0:
        raise InputError("times are empty")
    if np.abs(mjd).max() > 1e7:
        raise InputError(f"times are MJD [d], received {mjd[np.abs(mjd).argmax()]:g}")
    return mjd


def _plain_times(cadence: Any, n: int) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    """Times and counts where `cadence` is plain numbers, for all stars or as a list of one array a star."""
    if isinstance(cadence, (list, tuple)) and len(cadence) and all(np.ndim(c) == 1 for c in cadence):
        if any(np.asarray(c).dtype.kind in "US" for c in cadence):
            return None  # (mjd, band): a schedule
        if len(cadence) != n:
            raise InputError(f"a list of times needs one array a star: {len(cadence)} arrays for {n} stars")
        arrays = [_times(c) for c in cadence]
        return np.concatenate(arrays), np.array([a.size for a in arrays], dtype=np.int64)
    if hasattr(cadence, "visits") or isinstance(cadence, (str, Mapping)) or hasattr(cadence, "__fspath__"):
        return None
    if hasattr(cadence, "colnames") or hasattr(cadence, "columns"):
        return None
    is_numeric = hasattr(cadence, "mjd") and not hasattr(cadence, "band")
    if not is_numeric:
        try:
            is_numeric = np.asarray(cadence).dtype.kind in "fiu"
        except (TypeError, ValueError):
            is_numeric = False
    if not is_numeric:
        return None
    mjd = _times(cadence)
    return np.tile(mjd, n), np.full(n, mjd.size, dtype=np.int64)
