"""Sines in place of stars: what a metric would say if curves had no shape, and MAF's own metric of sines.

MAF's ``PeriodicStarMetric`` stands for a variable star with a sine. Here the sine has the period, the mean magnitudes
and, in each band, the peak-to-peak amplitude of a star, and is observed and measured as the star is, with the same
noise: the difference is the shape's. :func:`periodic_star` runs MAF's metric itself for the same stars.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lcgen import InputError, LightCurveGenerator, Stars
from lcgen.observe.depth import LSST_BANDS
from lcgen.observe.irregular import Irregularity
from lcgen.observe.noise import SurveyNoise
from lcgen.taxonomy import class_info

from .field import ClassField, StarSource, field_of
from .sample import StarSample, combined_seed
from .slices import SliceVisits

__all__ = ["Criteria", "SineStars", "Sines", "SinesAndStars", "compare_with_sines", "maf_parameters", "periodic_star"]

_N_GRID = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class _SineCurves:
    """A :class:`lcgen.stars.CurveSource` whose curves are the sines of some stars [mag], in all bands."""

    stars: Stars
    source: LightCurveGenerator

    @property
    def bands(self) -> tuple[str, ...]:
        return self.source.bands

    @property
    def trained_bands(self) -> tuple[str, ...]:
        # nothing is derived from other bands: each has the amplitude that the star's curve has in it
        return self.source.bands

    def learned_bands(self, cls: str) -> tuple[str, ...]:
        return self.source.bands

    def band_source(self, cls: str, band: str, subclass: str = "") -> str:
        return self.source.band_source(cls, band, subclass)

    @property
    def noise_models(self) -> Mapping[str, SurveyNoise]:
        return self.source.noise_models

    @property
    def irregularity(self) -> Irregularity | None:
        return self.source.irregularity

    def decode(self, classes: NDArray, columns: Mapping[str, NDArray], z: NDArray, band: str) -> NDArray[np.float64]:
        cycles = _cycles(classes)
        # phase zero is a maximum of light, but the primary minimum where a period has two minima
        sign = np.where(cycles == 1, -1.0, 1.0)
        half = 0.5 * np.ptp(self.stars.template(_N_GRID, band), axis=1)
        phase = np.arange(_N_GRID) / _N_GRID
        return (sign * half)[:, None] * np.cos(2.0 * np.pi * cycles[:, None] * phase)


class SineStars(Stars):
    """Stars whose curves are replaced by sines; all else is theirs, the noise of an observation too.

    A sine has the star's period, its mean magnitude and peak-to-peak amplitude in each band, and its phase: it is
    brightest at phase zero, and has its minimum there in classes with two minima a period (eclipsing and ellipsoidal
    stars), whose sine has two as well.

    Parameters
    ----------
    stars : Stars
        The stars.
    source : LightCurveGenerator
        The generator that drew them.

    Examples
    --------
    >>> import lcgen
    >>> generator = lcgen.load_generator()
    >>> stars = generator.draw("RRLYR", 2, seed=1)
    >>> sines = SineStars(stars, generator)
    >>> bool(np.allclose(np.ptp(sines.template(), axis=1), np.ptp(stars.template(), axis=1)))
    True
    """

    def __init__(self, stars: Stars, source: LightCurveGenerator) -> None:
        self.real, self._generator = stars, source
        super().__init__(
            _SineCurves(stars=stars, source=source),
            columns=stars.columns,
            z=stars.latent,
            scale=np.ones(len(stars)),
            seed=stars.seed,
        )

    def __getitem__(self, index: Any) -> SineStars:
        """Fewer sines, for a slice, a mask or an array of integers."""
        return SineStars(self.real[index], self._generator)

    def behind(self, e_bv: ArrayLike, *, dims: bool = True) -> SineStars:
        """The same sines behind other dust; see :meth:`lcgen.Stars.behind`."""
        return SineStars(self.real.behind(e_bv, dims=dims), self._generator)

    def mean_magnitude(self, band: str = "V") -> NDArray[np.float64]:
        """Mean magnitude [mag] in a band, that of the stars, shape (n_stars,)."""
        return self.real.mean_magnitude(band)


@dataclass(frozen=True)
class Sines:
    """The stars of a source as sines: a source of stars for all metrics.

    Parameters
    ----------
    stars : StarSample or StarPopulation
        The stars that the sines stand for.

    Raises
    ------
    InputError
        If it is no source of stars.

    Examples
    --------
    The same metric of stars and of sines, at the same visits and with the same noise:

    >>> from lcgen_maf import PeriodRecoveryMetric, StarSample
    >>> sample = StarSample(classes="RRLYR", mean_mag=(22.0, 25.0), n=50, seed=1)
    >>> stars, sines = PeriodRecoveryMetric(sample), PeriodRecoveryMetric(Sines(sample), metric_name="Sines")
    """

    stars: StarSource

    def __post_init__(self) -> None:
        if not hasattr(self.stars, "located"):
            raise InputError(f"stars must be a StarSample or a StarPopulation, received {self.stars!r:.80}")

    @property
    def names(self) -> tuple[str, ...]:
        """The classes."""
        return self.stars.names

    @property
    def sample(self) -> StarSample:
        """How the stars are drawn, and they and the sines measured."""
        return self.stars.sample

    def located(self, visits: SliceVisits, slice_point: Mapping[str, Any]) -> dict[str, Stars]:
        """The sines at a slice point, by class."""
        source = self.sample.source
        return {name: SineStars(stars, source) for name, stars in self.stars.located(visits, slice_point).items()}

    def __deepcopy__(self, memo: dict[int, Any]) -> Sines:
        # MAF copies a metric for each of its reduce functions; nothing here changes
        return self


@dataclass(frozen=True, kw_only=True, eq=False)
class SinesAndStars:
    """Stars of one class at a slice point, and their sines, row by row.

    Attributes
    ----------
    stars, sines : ClassField
        What was measured: ``stars.found.recovered``, ``stars.sizes("r", "true")`` and so on.
    """

    stars: ClassField
    sines: ClassField

    def mean_mag(self, band: str = "r") -> NDArray[np.float64]:
        """Mean magnitude of both in a band [mag], shape (n_stars,)."""
        return self.stars.stars.mean_magnitude(band)

    def gain(self) -> tuple[float, float]:
        """By how much more of the sines than of the stars periods are recovered: difference of shares, standard error.

        The error is that of paired proportions, as both are of the same stars (McNemar 1947, doi:10.1007/BF02295996).
        """
        difference = self.sines.found.recovered.astype(float) - self.stars.found.recovered
        return float(difference.mean()), float(difference.std() / np.sqrt(difference.size))


def compare_with_sines(
    stars: StarSource, visits: SliceVisits, slice_point: Mapping[str, Any] | None = None
) -> dict[str, SinesAndStars]:
    """Stars of a source and their sines at the same visits, with the same noise, by class.

    Parameters
    ----------
    stars : StarSample or StarPopulation
    visits : SliceVisits
        Visits of a slice point, as ``SliceVisits.of(data_slice, Columns())`` or ``SliceVisits.of_arrays`` make them.
    slice_point : mapping, optional
        As MAF gives it, for the dust (``ebv``).

    Examples
    --------
    >>> from lcgen.cadence import as_cadence
    >>> from lcgen_maf import StarSample
    >>> made = as_cadence("lsst-wfd").visits(seed=1)
    >>> visits = SliceVisits.of_arrays(made.mjd[::8], made.band[::8], made.depth5[::8])
    >>> pair = compare_with_sines(StarSample(classes="ACEP", mean_mag=20.0, n=4), visits)["ACEP"]
    >>> pair.sines.found.recovered.shape
    (4,)
    """
    real, sines = field_of(stars, visits, slice_point), field_of(Sines(stars), visits, slice_point)
    return {name: SinesAndStars(stars=real.classes[name], sines=sines.classes[name]) for name in real.classes}


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """When MAF's ``PeriodicStarMetric`` counts a star as well fitted; the defaults are its own.

    Attributes
    ----------
    period_tol, amp_tol : float
        Relative errors of period and amplitude.
    mag_tol : float
        Error of a mean magnitude [mag].
    n_bands : int
        Bands whose mean magnitude must be that good.
    """

    period_tol: float = 0.05
    amp_tol: float = 0.10
    mag_tol: float = 0.10
    n_bands: int = 3


def maf_parameters(stars: Stars, start: float, band: str = "r") -> NDArray[np.float64]:
    """A sine for each star as MAF's ``PeriodicStar`` takes it.

    Parameters
    ----------
    stars : Stars
    start : float
        Time of the first visit [d], from which MAF counts.
    band : str
        Whose amplitude it has in all bands.

    Returns
    -------
    ndarray, shape (n_stars, 9)
        Period [d], half of the star's in classes with two minima a period; phase [d]; amplitude [mag], half of that
        from peak to peak; mean magnitudes in u, g, r, i, z and y.
    """
    cycles = _cycles(stars.columns["class"])
    period = np.asarray(stars.columns["period"], dtype=float) / cycles
    # sin(2 pi (t + phase) / period) is brightest at 3/4 of a cycle, and faintest at 1/4
    since = start - np.asarray(stars.columns["t0"], dtype=float)
    phase = np.mod(since + np.where(cycles == 1, 0.75, 0.25) * period, period)
    half = 0.5 * np.ptp(stars.template(_N_GRID, band), axis=1)
    return np.stack([period, phase, half, *(stars.mean_magnitude(b) for b in LSST_BANDS)], axis=1)


def periodic_star(
    stars: Stars,
    visits: SliceVisits,
    *,
    n_monte: int = 1,
    band: str = "r",
    seed: int = 0,
    criteria: Criteria | None = None,
) -> NDArray[np.float64]:
    """What MAF's own ``PeriodicStarMetric`` says of a sine for each star, at the same visits.

    The sine is that of :func:`maf_parameters`: it has one amplitude in all bands.

    Parameters
    ----------
    stars : Stars
    visits : SliceVisits
        In u, g, r, i, z and y.
    n_monte : int
        Noise realisations of each star.
    band : str
        Whose amplitude it has in all bands.
    seed : int
    criteria : Criteria, optional

    Returns
    -------
    ndarray, shape (n_stars,)
        Shares of well fitted realisations; NaN where the metric has too few visits (fewer than nine).

    Raises
    ------
    InputError
        If there are visits in other bands.

    Notes
    -----
    The metric seeds numpy's global generator when it is made and draws from it when it is run, so that its values at a
    slice point depend on those run before. Here it is made anew for each star, with a seed of its own, and the
    global generator is left as it was.
    """
    from rubin_sim.maf.maf_contrib.periodic_star_metric import PeriodicStarMetric

    other = [b for b in visits.bands if b not in LSST_BANDS]
    if other:
        raise InputError(
            f"MAF's PeriodicStarMetric knows the bands {', '.join(LSST_BANDS)}, received {', '.join(other)}"
        )
    criteria = criteria or Criteria()
    data = _data_slice(visits)
    parameters = maf_parameters(stars, float(visits.mjd[0]), band)
    here = combined_seed(seed, "periodic-star", visits.key)
    values = np.full(len(stars), np.nan)
    state = np.random.get_state()  # noqa: NPY002 - the metric's generator, given back as it was
    try:
        for i, star in enumerate(stars.columns["star_id"]):
            metric = PeriodicStarMetric(
                period=parameters[i, 0],
                phase=parameters[i, 1],
                amplitude=parameters[i, 2],
                means=parameters[i, 3:],
                n_monte=n_monte,
                period_tol=criteria.period_tol,
                amp_tol=criteria.amp_tol,
                mag_tol=criteria.mag_tol,
                n_bands=criteria.n_bands,
                seed=combined_seed(here, "periodic-star", int(star)) % 2**32,
            )
            value = metric.run(data, {})
            values[i] = np.nan if value == metric.badval else value
    finally:
        np.random.set_state(state)  # noqa: NPY002
    return values


def _cycles(classes: NDArray) -> NDArray[np.float64]:
    """Cycles of the sine in a period of each star: its minima."""
    return np.array([class_info(str(name)).base_harmonic for name in classes], dtype=float)


def _data_slice(visits: SliceVisits) -> NDArray[Any]:
    """Visits as MAF has them."""
    data = np.empty(len(visits), dtype=[("observationStartMJD", float), ("fiveSigmaDepth", float), ("band", "<U1")])
    data["observationStartMJD"], data["fiveSigmaDepth"] = visits.mjd, visits.depth5
    data["band"] = np.array(visits.bands)[visits.band]
    return data
