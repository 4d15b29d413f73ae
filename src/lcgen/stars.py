"""Generated stars: fixed in everything that is theirs, to be observed under any cadence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import rng
from .errors import InputError, UnknownNameError
from .interpolate import PADDING, pad_periodic, resample_periodic
from .lightcurve import LightCurves, table_of
from .observe.band_curves import BandStars, derive_curves, mean_offset, pairs_of
from .observe.detection import Detection, check_detection, select_measurements
from .observe.extinction import DEFAULT_LAW, DEFAULT_R_V, Law, band_extinction
from .observe.irregular import Irregularity, Realisation
from .observe.noise import DepthNoise, NoiseModel, SurveyNoise
from .observing import CurveTable, measure, star_chunks
from .photometry import nearest_band
from .visit_rows import check_times, visit_rows

if TYPE_CHECKING:  # pragma: no cover
    from astropy.table import Table

__all__ = ["CurveSource", "DecodedBand", "Stars"]


# Stars of a draw whose decoded curves are kept, two KiB each, until they are observed; of more they are made again.
_KEPT = 20_000


@dataclass(frozen=True, kw_only=True, eq=False)
class DecodedBand:
    """Curves that the network has decoded in one band, as :meth:`CurveSource.decode` gives them.

    Attributes
    ----------
    rows : ndarray of int64, shape (n,)
        The stars, in increasing order.
    curves : ndarray, shape (n, n_grid)
    """

    rows: NDArray[np.int64]
    curves: NDArray[np.float64]

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """The curves of stars; None unless all are known."""
        if rows.size == self.rows.size and np.array_equal(rows, self.rows):
            return self.curves
        at = np.searchsorted(self.rows, rows)
        if at.size and (at[-1] == self.rows.size or not np.array_equal(self.rows[at], rows)):
            return None
        return self.curves[at]


class CurveSource(Protocol):
    """What :class:`Stars` needs of a generator."""

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands in which stars can be observed."""
        ...

    @property
    def trained_bands(self) -> tuple[str, ...]:
        """Those that can be decoded; the others are derived."""
        ...

    def learned_bands(self, cls: str) -> tuple[str, ...]:
        """Those in which the class was observed in training."""
        ...

    def band_source(self, cls: str, band: str, subclass: str = "") -> str:
        """How a band of a class is obtained: ``learned``, ``transferred`` or ``extrapolated``."""
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
    law, r_v
        Extinction law; see :func:`lcgen.observe.extinction_ratio`.
    decoded : mapping of str to DecodedBand, optional
        Curves by band that have been decoded already, so that this is not done again.
    """

    def __init__(
        self,
        source: CurveSource,
        *,
        columns: Mapping[str, NDArray],
        z: NDArray[np.floating],
        scale: NDArray[np.float64],
        seed: int,
        law: Law = DEFAULT_LAW,
        r_v: float = DEFAULT_R_V,
        decoded: Mapping[str, DecodedBand] | None = None,
    ) -> None:
        self._known = dict(decoded or {}) if scale.size <= _KEPT else {}
        self._source, self._z, self._scale = source, z, scale
        self._law, self._r_v = law, r_v
        self.columns: dict[str, NDArray] = dict(columns)
        self.seed = seed
        # curves in magnitudes minus the mean, padded for evaluation, shape (n_decoded_bands, n, n_grid + PADDING)
        self._decoded: tuple[str, ...] = ()
        self._curves = np.empty((0, self._scale.size, 0))
        self._realised: tuple[Realisation, NDArray[np.float64]] | None = None
        self._sizes = np.empty(0)
        self._curves_of: Stars | None = None

    def __len__(self) -> int:
        return int(self._scale.size)

    def __repr__(self) -> str:
        names, counts = np.unique(self.columns["class"], return_counts=True)
        return f"<Stars: {', '.join(f'{n} {c}' for c, n in zip(names, counts, strict=True)) or 'none'}>"

    def __getitem__(self, index: Any) -> Stars:
        """Fewer stars, for a slice, a mask or an array of integers; each stays what it is."""
        rows = np.atleast_1d(np.arange(len(self))[index])
        new = self._with({k: v[rows] for k, v in self.columns.items()}, rows)
        known = self._curves_of or self
        if known._decoded:
            new._decoded, new._curves = known._decoded, known._curves[:, rows]
        return new

    def _with(self, columns: Mapping[str, NDArray], rows: Any) -> Stars:
        """Stars of the same draw with other columns."""
        return Stars(
            self._source,
            columns=columns,
            z=self._z[rows],
            scale=self._scale[rows],
            seed=self.seed,
            law=self._law,
            r_v=self._r_v,
        )

    def behind(self, e_bv: ArrayLike, *, dims: bool = True) -> Stars:
        """The same stars behind other dust: what makes them periodic stays, colours and mean magnitudes change.

        Parameters
        ----------
        e_bv : float or array_like, shape (n_stars,)
            E(B-V) [mag], in place of what the stars have.
        dims : bool
            Whether mean magnitudes follow the extinction in V. False where they are what is observed.

        Raises
        ------
        InputError
            If it is negative, not finite, or of another length.

        Examples
        --------
        >>> import lcgen
        >>> stars = lcgen.load_generator().draw("RRLYR", 2, params={"mean_mag": 18.0}, seed=1)
        >>> (stars.behind(0.1).mean_magnitude("V") - stars.mean_magnitude("V")).round(2).tolist()
        [0.31, 0.31]
        """
        try:
            values = np.broadcast_to(np.asarray(e_bv, dtype=float), (len(self),))
        except ValueError as error:
            raise InputError(f"e_bv must be a number or {len(self)} of them, received {e_bv!r:.80}") from error
        if not (np.isfinite(values).all() and (values >= 0).all()):
            raise InputError(f"e_bv must be finite and not negative, received {e_bv!r:.80}")
        a_v = self._r_v * values
        more = a_v - np.asarray(self.columns["a_v"], dtype=float) if dims else 0.0
        columns = self.columns | {"a_v": a_v, "e_bv": values.copy(), "mean_mag": self.columns["mean_mag"] + more}
        new = self._with(columns, slice(None))
        # curves are minus their mean, which is all that dust changes: both have those that either makes
        new._curves_of = self._curves_of or self
        return new

    @cached_property
    def table(self) -> Table:
        """One row a star, as an astropy Table with units.

        The column ``band_source`` says how each band is obtained (see :meth:`band_source`), in one string; the table of
        an observation has a column ``source_<band>`` for each of its bands.
        """
        return table_of({**self.columns, "band_source": self._band_sources()})

    def _band_sources(self) -> NDArray[np.str_]:
        pairs, which = self._kinds
        lines = []
        for cls, subclass in pairs:
            of: dict[str, list[str]] = {}
            for band in self._source.bands:
                of.setdefault(self._source.band_source(cls, band, subclass), []).append(band)
            lines.append("; ".join(f"{word}: {' '.join(bands)}" for word, bands in sorted(of.items())))
        return np.array(lines, dtype=str)[which] if lines else np.array([], dtype=str)

    @property
    def latent(self) -> NDArray[np.floating]:
        """Latent vectors, shape (n, latent_dim)."""
        return self._z

    # ------------------------------------------------------------------ noise-free curves
    def _band(self, band: str) -> str:
        if band not in self._source.bands:
            raise UnknownNameError("band", band, self._source.bands, hint="band='nearest' maps filters to these")
        return band

    def _planes(self, bands: Sequence[str]) -> tuple[NDArray[np.float64], list[int]]:
        """Padded curves of all bands made so far, and where those of `bands` are among them."""
        if self._curves_of is not None:
            return self._curves_of._planes(bands)
        missing = [b for b in dict.fromkeys(bands) if b not in self._decoded]
        if missing:
            made = np.stack([pad_periodic(curves) for curves in self._make(missing)])
            self._curves = np.concatenate([self._curves, made]) if self._decoded else made
            self._decoded += tuple(missing)
        return self._curves, [self._decoded.index(b) for b in bands]

    def _make(self, bands: Sequence[str]) -> NDArray[np.float64]:
        """Curves in magnitudes minus the mean, decoded where the class was observed in the band and derived elsewhere,
        shape (n_bands, n, n_grid)."""
        derived = {b: self._derived(b) for b in bands}
        if not any(d.any() for d in derived.values()):
            return np.stack([self._decode(b) for b in bands])
        rows = np.flatnonzero(np.any(list(derived.values()), axis=0))
        everyone = rows.size == len(self)
        stars = self._band_stars if everyone else self._band_stars.take(rows)
        curve_v = self._decode("V")
        made = derive_curves(
            stars,
            [b for b in bands if derived[b].any()],
            curve_v if everyone else curve_v[rows],
            lambda wanted: self._decode("I", rows[wanted]),
            ~self._derived("I")[rows],
        )
        if everyone and all(d.all() for d in derived.values()):
            return made
        out = np.stack([self._decode(b) if b in self._source.trained_bands else np.empty_like(curve_v) for b in bands])
        for band, curves in zip((b for b in bands if derived[b].any()), made, strict=True):
            own = derived[band][rows]
            out[list(bands).index(band), rows[own]] = curves[own]
        return out

    def _decode(self, band: str, rows: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """The network's curves in magnitudes minus the mean, of some stars or of all."""
        if band in self._decoded:
            return self._grid(band) if rows is None else self._grid(band)[rows]
        known = self._known.get(band)
        curves = None if known is None else known.of(np.arange(len(self)) if rows is None else rows)
        if curves is not None:
            return curves * (self._scale if rows is None else self._scale[rows])[:, None]
        if rows is None or rows.size == len(self):
            columns, z, scale = self.columns, self._z, self._scale
        else:
            columns, z, scale = {k: v[rows] for k, v in self.columns.items()}, self._z[rows], self._scale[rows]
        return self._source.decode(columns["class"], columns, z, band).astype(np.float64) * scale[:, None]

    def _derived(self, band: str) -> NDArray[np.bool_]:
        """Which stars have a derived curve in a band."""
        pairs, which = self._kinds
        trained = band in self._source.trained_bands
        known = [self._source.learned_bands(cls) for cls, _ in pairs]
        return np.array([not trained or (band not in k and "V" in k) for k in known], dtype=bool)[which]

    @cached_property
    def _band_stars(self) -> BandStars:
        return BandStars.from_columns(self.columns)

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
        given, ``"absolute"`` otherwise.
        """
        mean = np.asarray(self.columns["mean_mag"], dtype=float)
        if self._band(band) == "V":
            return mean.copy()
        colour = mean_offset(self._band_stars, band)
        a_v = np.asarray(self.columns["a_v"], dtype=float)
        if a_v.any():
            dust = band_extinction(band, a_v, law=self._law, r_v=self._r_v, teff=self._band_stars.teff)
            colour = colour + dust - a_v
        return mean + colour

    def band_source(self, band: str) -> NDArray[np.str_]:
        """How a band of each star is obtained: ``learned``, ``transferred`` or ``extrapolated``, shape (n_stars,).

        See :meth:`lcgen.LightCurveGenerator.band_source`.
        """
        self._band(band)
        pairs, which = self._kinds
        words = [self._source.band_source(c, band, sub) for c, sub in pairs]
        return np.array(words, dtype="<U12")[which]

    @cached_property
    def _kinds(self) -> tuple[list[tuple[str, str]], NDArray[np.intp]]:
        """Pairs of class and subclass, and which of them each star has."""
        return pairs_of(self.columns["class"], self.columns["subclass"])

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
        mjd = check_times(times)
        n, m, name = len(self), mjd.size, self._band(band)
        table, out = self._curve_table([name], None), np.empty(n * m)
        for stars, rows in star_chunks(m * np.arange(n + 1)):
            star = np.repeat(np.arange(stars.start, stars.stop), m)
            band_index = np.zeros(star.size, dtype=np.uint8)
            out[rows] = table.magnitude(band_index, star, np.tile(mjd, stars.stop - stars.start))
        return out.reshape(n, m)

    def _curve_table(self, bands: Sequence[str], changes: Realisation | None) -> CurveTable:
        curves, planes = self._planes(bands)
        if changes is not None and self._sizes.size != len(self) * curves.shape[0]:
            self._sizes = np.ptp(curves, axis=2).ravel()
        mean = np.zeros(curves.shape[:2])
        for plane, band in zip(planes, bands, strict=True):
            mean[plane] = self.mean_magnitude(band)
        return CurveTable(
            padded=curves,
            planes=np.array(planes, dtype=np.int64),
            mean=mean,
            period=np.asarray(self.columns["period"]),
            t0=np.asarray(self.columns["t0"]),
            changes=changes,
            sizes=self._sizes,
        )

    # ------------------------------------------------------------------ observations
    def observe(
        self,
        cadence: Any,
        *,
        noise: NoiseModel | str | None = None,
        seed: int | None = None,
        band: str | Mapping[str, str] | None = None,
        irregular: bool = False,
        detection: Detection | None = None,
    ) -> LightCurves:
        """Observe the stars under a cadence.

        Parameters
        ----------
        cadence : array_like, list of arrays, cadence
            MJD for all stars, one array a star, or anything :func:`lcgen.as_cadence` understands.
        noise : NoiseModel, str or None
            None for noise-free curves; ``"depth"`` for errors from the schedule's depths; ``"lsst"`` for these, with
            stars that saturate left out (:meth:`lcgen.observe.DepthNoise.lsst`); the name of a training survey
            (``gen.noise_models``) for errors like that survey's; or an object with ``measure``.
        seed : int, optional
            Seed of noise and of random cadences; by default the one the stars were drawn with.
        band : str, mapping or None
            One of the generator's bands for all visits; ``"nearest"`` to observe each of a schedule's filters in the
            band of the training photometry that is nearest in wavelength; a mapping of filters to bands; or None to
            take the schedule's filters as they are (``"V"`` for plain times).
        irregular : bool
            Let stars depart from repeating as real ones of their class and subclass do: amplitude and phase wander
            from cycle to cycle, brightness changes, and double-mode stars have a second mode. What a star does belongs
            to it, like its curve: it is the same under any cadence and with any noise. The errors of a training survey
            are then those without these changes, so that they do not count twice.
        detection : Detection, optional
            A limit that measurements must reach to be detections: ``.detected`` of the light curves says which do, and
            ``Detection(photometry="detections")`` drops the others.

        Returns
        -------
        LightCurves
            In the order of the stars, with ``.stars``, which has a column ``source_<band>`` for each band (see
            :meth:`band_source`); where `irregular`, also a column ``irregularity``: the root mean square of the
            departures in the reference band [mag]. Visits in which a star saturates, or that are no
            detections where those alone were asked for, are not among the observations, and a star may have none;
            ``meta["n_saturated"]`` has their number. The noise of a visit is the same with or without the others.

        Raises
        ------
        UnknownNameError
            If a filter of the schedule is not a band of the generator.
        InputError, CadenceError
            If times are not finite, the cadence cannot be read, `irregular` is asked of a generator for which it was
            not measured, or `detection` without noise.
        """
        seed = self.seed if seed is None else rng.check_seed(seed)
        model = self._noise(noise)
        check_detection(detection, model)
        changes, columns = None, self.columns
        if irregular:
            changes, departure = self._changes()
            model = self._without_changes(model)
            columns = columns | {"irregularity": departure}
        rows = visit_rows(cadence, self.columns, seed)
        target = [self._map_band(f, band) for f in rows.filters]
        band_names = tuple(dict.fromkeys(target))
        band_index = rows.filter_index
        if len(band_names) < len(target):  # several filters in one band
            band_index = np.array([band_names.index(t) for t in target], dtype=np.uint8).take(band_index)
        columns = columns | {f"source_{b}": self.band_source(b) for b in band_names}
        table = self._curve_table(band_names, changes)
        measured = measure(table, model, rows, band_index, band_names, self.columns, seed)
        meta: dict[str, Any] = {"seed": seed, "noise": getattr(model, "name", None)}
        meta |= {"irregular": True} if irregular else {}
        curves = LightCurves(
            offsets=np.concatenate([[0], np.cumsum(rows.counts)]).astype(np.int64),
            mjd=rows.mjd,
            mag=measured.mag,
            mag_err=measured.mag_err,
            band_index=band_index,
            band_names=band_names,
            columns=columns,
            meta=meta,
            measured_flux=measured.flux,
            measured_flux_err=measured.flux_err,
        )
        return select_measurements(curves, measured, detection)

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
        return model.with_ratio(known.noise_ratio[model.name])

    def _noise(self, noise: NoiseModel | str | None) -> NoiseModel | None:
        if noise is None or hasattr(noise, "measure"):
            return noise  # type: ignore[return-value]
        if noise == "depth":
            return DepthNoise()
        if noise == "lsst":
            return DepthNoise.lsst()
        models = self._source.noise_models
        if isinstance(noise, str) and noise in models:
            return models[noise]
        raise UnknownNameError("noise model", noise, ["lsst", "depth", *models], hint="or an object with measure()")

    def _map_band(self, name: str, band: str | Mapping[str, str] | None) -> str:
        if band is None:
            return self._band(name)
        if isinstance(band, Mapping):
            if name not in band:
                raise UnknownNameError("filter in the band mapping", name, band)
            return self._band(band[name])
        return nearest_band(name, self._source.trained_bands) if band == "nearest" else self._band(band)
