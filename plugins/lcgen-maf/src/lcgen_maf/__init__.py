"""MAF metrics that put realistic periodic variable stars, made by lcgen, at every slice point.

>>> from lcgen_maf import PeriodRecoveryMetric, StarSample
>>> metric = PeriodRecoveryMetric(StarSample(classes="RRLYR", mean_mag=(18.0, 23.0), n=100, seed=1))
>>> metric.units
'fraction'

Names are imported when first used, as importing MAF takes some seconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # pragma: no cover
    from .base import StarMetric
    from .bundles import make_bundle, make_bundles
    from .classifier import Classifier, default_classifier, feature_names, features
    from .dust import MafDust
    from .metrics import (
        AmplitudeErrorMetric,
        ClassificationMetric,
        DetectionMetric,
        MeanMagErrorMetric,
        MonthsToPeriodMetric,
        PeriodRecoveryMetric,
        PhaseCoverageMetric,
        PhaseGapMetric,
        VariabilityMetric,
    )
    from .population import PopulationSlicer, StarPopulation
    from .sample import StarSample
    from .sines import Sines, compare_with_sines, periodic_star
    from .slices import Columns

__version__ = "0.1.0"

_HOME = {
    "AmplitudeErrorMetric": "metrics",
    "ClassificationMetric": "metrics",
    "Classifier": "classifier",
    "Columns": "slices",
    "DetectionMetric": "metrics",
    "MafDust": "dust",
    "MeanMagErrorMetric": "metrics",
    "MonthsToPeriodMetric": "metrics",
    "PeriodRecoveryMetric": "metrics",
    "PhaseCoverageMetric": "metrics",
    "PhaseGapMetric": "metrics",
    "PopulationSlicer": "population",
    "StarMetric": "base",
    "StarPopulation": "population",
    "Sines": "sines",
    "StarSample": "sample",
    "VariabilityMetric": "metrics",
    "make_bundle": "bundles",
    "make_bundles": "bundles",
    "compare_with_sines": "sines",
    "default_classifier": "classifier",
    "feature_names": "classifier",
    "features": "classifier",
    "periodic_star": "sines",
}

__all__ = [
    "AmplitudeErrorMetric",
    "ClassificationMetric",
    "Classifier",
    "Columns",
    "DetectionMetric",
    "MafDust",
    "MeanMagErrorMetric",
    "MonthsToPeriodMetric",
    "PeriodRecoveryMetric",
    "PhaseCoverageMetric",
    "PhaseGapMetric",
    "PopulationSlicer",
    "Sines",
    "StarMetric",
    "StarPopulation",
    "StarSample",
    "VariabilityMetric",
    "compare_with_sines",
    "default_classifier",
    "feature_names",
    "features",
    "make_bundle",
    "make_bundles",
    "periodic_star",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
