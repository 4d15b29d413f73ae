"""The metrics."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lcgen import InputError, LightCurveGenerator, UnknownNameError

from .base import StarMetric
from .classifier import Classifier, default_classifier, features
from .field import ClassField, StarSource
from .slices import Columns

__all__ = [
    "AmplitudeErrorMetric",
    "ClassificationMetric",
    "DetectionMetric",
    "MeanMagErrorMetric",
    "MonthsToPeriodMetric",
    "PeriodRecoveryMetric",
    "PhaseCoverageMetric",
    "PhaseGapMetric",
    "VariabilityMetric",
]

_Stars = StarSource | LightCurveGenerator | str | None
_Range = float | tuple[float, float] | None
_Classes = str | tuple[str, ...] | None


class DetectionMetric(StarMetric):
    """The share of stars with enough detections, in all bands together.

    Parameters
    ----------
    min_detections : int
        Detections at a signal-to-noise ratio of ``settings.snr`` that a star needs.
    stars, classes, n, mean_mag, distance, seed, columns, metric_name, units, badval
        See :class:`StarMetric`.

    Examples
    --------
    >>> DetectionMetric(classes="RRLYR", mean_mag=(20.0, 24.0), n=10, seed=1).name
    'Detection RRLYR'
    """

    _UNITS: ClassVar[str] = "fraction"
    _RANGE = (0.0, 1.0)
    _LABEL = "Detected stars"
    _SUBGROUP = "Detection"
    _CAPTION = "Share of the stars of a class that are detected often enough."

    def __init__(
        self,
        stars: _Stars = None,
        *,
        min_detections: int = 10,
        classes: _Classes = None,
        n: int | None = None,
        mean_mag: _Range = None,
        distance: _Range = None,
        seed: int | None = None,
        columns: Columns | None = None,
        metric_name: str | None = None,
        units: str | None = None,
        badval: float = -666,
    ) -> None:
        if isinstance(min_detections, bool) or not isinstance(min_detections, int) or min_detections < 1:
            raise InputError(f"min_detections must be a whole number from 1, received {min_detections!r}")
        self.min_detections = min_detections
        super().__init__(
            stars,
            classes=classes,
            n=n,
            mean_mag=mean_mag,
            distance=distance,
            seed=seed,
            columns=columns,
            metric_name=metric_name,
            units=units,
            badval=badval,
        )

    def value(self, stars: ClassField) -> float:
        """The share of detected stars."""
        return float(np.mean(stars.n_detections >= self.min_detections))


class VariabilityMetric(StarMetric):
    """The share of stars whose scatter tells that they vary: a chi-squared test in all bands, at one in a thousand.

    Parameters are those of :class:`StarMetric`.

    Examples
    --------
    >>> VariabilityMetric(classes=("RRLYR", "ECL"), n=10).reduce_order
    {'RRLYR': 0, 'ECL': 1, 'mean': 2}
    """

    _UNITS = "fraction"
    _RANGE = (0.0, 1.0)
    _LABEL = "Stars seen to vary"
    _SUBGROUP = "Detection"
    _CAPTION = "Share of the stars of a class whose brightness is not constant at the level of one in a thousand."
    _LEVEL: ClassVar[float] = 1e-3

    def value(self, stars: ClassField) -> float:
        """The share of stars that vary."""
        return float(np.mean(stars.variable < self._LEVEL))


class PeriodRecoveryMetric(StarMetric):
    """The share of stars whose period a blind search in all bands finds.

    Found is found within ``settings.tolerance``, a thousandth by default; in classes with two minima a period
    (eclipsing and ellipsoidal stars) half of it counts as well, as it is the frequency a sinusoid finds.

    Parameters are those of :class:`StarMetric`; the search is ``StarSample(method=...)``.

    Examples
    --------
    >>> PeriodRecoveryMetric(classes="CEP", distance=(1e4, 1e5), n=10).units
    'fraction'
    """

    _UNITS = "fraction"
    _RANGE = (0.0, 1.0)
    _LABEL = "Periods recovered"
    _SUBGROUP = "Periods"
    _CAPTION = "Share of the stars of a class whose period a blind multi-band search finds."

    def value(self, stars: ClassField) -> float:
        """The share of recovered periods."""
        return float(np.mean(stars.found.recovered))


class MonthsToPeriodMetric(StarMetric):
    """Months into the survey until the period is known, and stays known: the median of the stars of a class.

    Masked where fewer than half of the stars (or the share `quantile`) ever have a known period.

    Parameters
    ----------
    start : float, optional
        Start of the survey [MJD]; the first visit of the slice point if None. Give it, so that slice points that are
        visited late are not favoured.
    precision : float
        Of the months.
    quantile : float
        The share of stars whose periods are to be known.
    stars, classes, n, mean_mag, distance, seed, columns, metric_name, units, badval
        See :class:`StarMetric`.

    Examples
    --------
    >>> MonthsToPeriodMetric(classes="RRLYR", start=60980.0, n=10).units
    'months'
    """

    _UNITS = "months"
    _LABEL = "Time until periods are known"
    _SUBGROUP = "Periods"
    _CAPTION = "Months into the survey from which on the period of half of the stars of a class is known."

    def __init__(
        self,
        stars: _Stars = None,
        *,
        start: float | None = None,
        precision: float = 1.5,
        quantile: float = 0.5,
        classes: _Classes = None,
        n: int | None = None,
        mean_mag: _Range = None,
        distance: _Range = None,
        seed: int | None = None,
        columns: Columns | None = None,
        metric_name: str | None = None,
        units: str | None = None,
        badval: float = -666,
    ) -> None:
        if start is not None and not np.isfinite(start):
            raise InputError(f"start must be a date [MJD], received {start!r}")
        if not (np.isfinite(precision) and precision > 0):
            raise InputError(f"precision must be a positive number of months, received {precision!r}")
        if not 0.0 < quantile < 1.0:
            raise InputError(f"quantile must lie between 0 and 1, received {quantile!r}")
        self.start, self.precision, self.quantile = start, precision, quantile
        super().__init__(
            stars,
            classes=classes,
            n=n,
            mean_mag=mean_mag,
            distance=distance,
            seed=seed,
            columns=columns,
            metric_name=metric_name,
            units=units,
            badval=badval,
        )

    def value(self, stars: ClassField) -> float:
        """The month from which on the periods of a share of the stars are known."""
        start = float(stars.photometry.visits.mjd[0]) if self.start is None else self.start
        months = np.sort(stars.months_to_period(start, self.precision))
        # the k-th star is the first with which the share is reached
        return float(months[int(np.ceil(self.quantile * months.size)) - 1])


class PhaseCoverageMetric(StarMetric):
    """The share of twenty equal bins of phase with a detection in any band: the mean of the stars of a class.

    Parameters are those of :class:`StarMetric`.

    Examples
    --------
    >>> PhaseCoverageMetric("periodic-vi-2", classes="LPV", n=10).name
    'PhaseCoverage LPV'
    """

    _UNITS = "fraction"
    _RANGE = (0.0, 1.0)
    _LABEL = "Phase coverage"
    _SUBGROUP = "Phases"
    _CAPTION = "Share of twenty bins of phase with a detection, mean of the stars of a class."

    def value(self, stars: ClassField) -> float:
        """The mean coverage."""
        return float(np.mean(stars.coverage_and_gap[0]))


class PhaseGapMetric(StarMetric):
    """The largest gap in phase between detections in any band: the median of the stars of a class.

    Parameters are those of :class:`StarMetric`.

    Examples
    --------
    >>> PhaseGapMetric(classes="RRLYR", n=10).units
    'cycles'
    """

    _UNITS = "cycles"
    _LABEL = "Largest gap in phase"
    _SUBGROUP = "Phases"
    _CAPTION = "Largest gap in phase between detections, median of the stars of a class."

    def value(self, stars: ClassField) -> float:
        """The median gap."""
        return float(np.median(stars.coverage_and_gap[1]))


class _SizeMetric(StarMetric):
    """What a Fourier series measures in one band."""

    def __init__(
        self,
        stars: _Stars = None,
        *,
        band: str = "r",
        period: str = "true",
        classes: _Classes = None,
        n: int | None = None,
        mean_mag: _Range = None,
        distance: _Range = None,
        seed: int | None = None,
        columns: Columns | None = None,
        metric_name: str | None = None,
        units: str | None = None,
        badval: float = -666,
    ) -> None:
        if period not in ("true", "found"):
            raise UnknownNameError("period", period, ("true", "found"))
        self.band, self.period = band, period
        super().__init__(
            stars,
            classes=classes,
            n=n,
            mean_mag=mean_mag,
            distance=distance,
            seed=seed,
            columns=columns,
            metric_name=metric_name,
            units=units,
            badval=badval,
        )
        if band not in self.stars.sample.source.bands:
            raise UnknownNameError("band", band, self.stars.sample.source.bands)
        if metric_name is None:
            self.name = f"{self.name} {band}"

    @staticmethod
    def _median(error: NDArray[np.float64]) -> float:
        """The median of all stars; not finite where half of them could not be measured."""
        return float(np.median(np.where(np.isfinite(error), np.abs(error), np.inf)))


class AmplitudeErrorMetric(_SizeMetric):
    """The relative error of the peak-to-peak amplitude in a band: the median of the stars of a class.

    The amplitude of a regularised Fourier series of eight harmonics through the detections. Stars that cannot be
    measured (fewer than ten detections in the band, or fewer detections than half of the visits) count as worse than
    any other; masked where they are half of the stars.

    Parameters
    ----------
    band : str
    period : {"true", "found"}
        The period of the series: the true one, which tells of the photometry and its phases alone, or the found one.
    stars, classes, n, mean_mag, distance, seed, columns, metric_name, units, badval
        See :class:`StarMetric`.

    Examples
    --------
    >>> AmplitudeErrorMetric(classes="RRLYR", band="g", n=10).name
    'AmplitudeError RRLYR g'
    """

    _UNITS = "fraction"
    _LABEL = "Relative error of the amplitude"
    _SUBGROUP = "Accuracy"
    _CAPTION = "Relative error of the peak-to-peak amplitude in one band, median of the stars of a class."

    def value(self, stars: ClassField) -> float:
        """The median relative error."""
        true = stars.true_sizes(self.band)[0]
        return self._median(stars.sizes(self.band, self.period)[0] / true - 1.0)


class MeanMagErrorMetric(_SizeMetric):
    """The error of the mean magnitude in a band [mag]: the median of the stars of a class.

    Parameters and stars that cannot be measured are those of :class:`AmplitudeErrorMetric`.

    Examples
    --------
    >>> MeanMagErrorMetric(classes="CEP", band="i", period="found", n=10).units
    'mag'
    """

    _UNITS = "mag"
    _LABEL = "Error of the mean magnitude"
    _SUBGROUP = "Accuracy"
    _CAPTION = "Error of the mean magnitude in one band, median of the stars of a class."

    def value(self, stars: ClassField) -> float:
        """The median error."""
        return self._median(stars.sizes(self.band, self.period)[1] - stars.true_sizes(self.band)[1])


class ClassificationMetric(StarMetric):
    """The share of stars of a class that a fixed classifier recognises (its completeness).

    Parameters
    ----------
    classifier : Classifier, optional
        A fitted classifier of :func:`lcgen_maf.features`, with ``predict``; by default a random forest that has
        learned other stars of the same classes under the recipe of a ten-year survey
        (:func:`lcgen_maf.default_classifier`), trained when first used.
    stars, classes, n, mean_mag, distance, seed, columns, metric_name, units, badval
        See :class:`StarMetric`. There must be two classes at least, as there is nothing to tell apart otherwise.

    Raises
    ------
    InputError
        If the stars are all of one class, and no classifier is given.

    Examples
    --------
    >>> ClassificationMetric(classes=("RRLYR", "ECL"), n=10).name
    'Classification'
    """

    _UNITS = "fraction"
    _RANGE = (0.0, 1.0)
    _LABEL = "Stars classified correctly"
    _SUBGROUP = "Classification"
    _CAPTION = "Share of the stars of a class that a classifier, the same everywhere, recognises."

    def __init__(
        self,
        stars: _Stars = None,
        *,
        classifier: Classifier | None = None,
        classes: _Classes = None,
        n: int | None = None,
        mean_mag: _Range = None,
        distance: _Range = None,
        seed: int | None = None,
        columns: Columns | None = None,
        metric_name: str | None = None,
        units: str | None = None,
        badval: float = -666,
    ) -> None:
        super().__init__(
            stars,
            classes=classes,
            n=n,
            mean_mag=mean_mag,
            distance=distance,
            seed=seed,
            columns=columns,
            metric_name=metric_name,
            units=units,
            badval=badval,
        )
        if classifier is None and len(self.names) < 2:
            raise InputError(
                f"a classifier needs two classes at least, received {', '.join(self.names)}; or give classifier="
            )
        self.classifier = classifier

    def value(self, stars: ClassField) -> float:
        """The share of stars that are recognised."""
        classifier = default_classifier(self.stars) if self.classifier is None else self.classifier
        return float(np.mean(np.asarray(classifier.predict(features(stars))) == stars.name))
