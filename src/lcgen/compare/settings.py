"""What a comparison of cadences measures, in numbers that its report states."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from ..errors import InputError, MissingExtraError, UnknownNameError

__all__ = ["ENGINES", "Settings", "resolve_engine"]

ENGINES = ("auto", "astropy", "nifty-ls")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How stars are measured; the same for all classes, stars and cadences.

    Attributes
    ----------
    min_period, max_period : float
        Limits of the blind period search [d].
    oversampling : int
        Frequencies of the search per 1 / (time from the first to the last visit).
    tolerance : float
        Relative error up to which a period counts as recovered.
    snr : float
        Signal-to-noise ratio from which a measurement counts as a detection.
    phase_bins : int
        Equal bins of phase, of which the phase coverage is the share with a detection.
    merge : float
        Visits of a star in one band within this time [min] become one measurement before periods and Fourier series
        are fitted, so that a sequence of 25 exposures of half a minute is one or two.
    n_harmonics : int
        Harmonics of the Fourier series.
    min_points : int
        Detections in a band that a Fourier series needs; at least half of the measurements must be detections besides.
    period_bins, mag_bins : int
        At most so many bins of true period, and of mean magnitude, in each class; equal numbers of stars in each.
    min_per_bin : int
        At least so many stars in a bin.
    n_boot : int
        Bootstrap samples.
    n_folds, n_trees : int
        Folds of the cross-validation, and trees of the classifier.
    engine : {"auto", "astropy", "nifty-ls"}
        What computes the periodogram; "auto" takes nifty-ls where it is installed.

    Raises
    ------
    InputError
        If a value is not possible.

    Examples
    --------
    >>> Settings(min_period=0.1).max_period
    1000.0
    """

    min_period: float = 0.05
    max_period: float = 1000.0
    oversampling: int = 4
    tolerance: float = 1e-3
    snr: float = 5.0
    phase_bins: int = 20
    merge: float = 10.0
    n_harmonics: int = 8
    min_points: int = 10
    period_bins: int = 4
    mag_bins: int = 4
    min_per_bin: int = 20
    n_boot: int = 1000
    n_folds: int = 5
    n_trees: int = 200
    engine: str = "auto"

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise UnknownNameError("engine", self.engine, ENGINES)
        lowest = {
            "oversampling": 1,
            "phase_bins": 2,
            "n_harmonics": 2,
            "min_points": 5,
            "period_bins": 1,
            "mag_bins": 1,
            "min_per_bin": 2,
            "n_boot": 100,
            "n_folds": 2,
            "n_trees": 1,
        }
        for name, low in lowest.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < low:
                raise InputError(f"{name} must be a whole number from {low}, received {value!r}")
        for name in ("min_period", "max_period", "tolerance", "snr", "merge"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise InputError(f"{name} must be a number, received {value!r}")
            if value < 0 or (value == 0 and name != "merge"):
                raise InputError(f"{name} must be positive, received {value!r}")
        if self.min_period >= self.max_period:
            raise InputError(
                f"min_period must be below max_period, received {self.min_period:g} and {self.max_period:g}"
            )
        if self.tolerance >= 0.1:
            raise InputError(f"tolerance must be below 0.1, received {self.tolerance:g}")


def resolve_engine(settings: Settings) -> Settings:
    """The settings with "auto" replaced by the engine at hand.

    Raises
    ------
    MissingExtraError
        If nifty-ls was asked for and is not installed.
    """
    if settings.engine == "astropy":
        return settings
    try:
        import nifty_ls  # noqa: F401
    except ImportError as error:
        if settings.engine == "nifty-ls":
            raise MissingExtraError("nifty-ls", "fast", "engine='nifty-ls'") from error
        return dataclasses.replace(settings, engine="astropy")
    return dataclasses.replace(settings, engine="nifty-ls")
