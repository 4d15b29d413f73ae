"""Metrics as MAF runs them, with what its plots and tables show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rubin_sim.maf.metric_bundles import MetricBundle
from rubin_sim.maf.metrics import MeanMetric, MedianMetric, RmsMetric
from rubin_sim.maf.slicers import BaseSlicer

from .base import StarMetric
from .field import StarSource
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
from .slices import Columns

__all__ = ["make_bundle", "make_bundles"]


def make_bundle(
    metric: StarMetric,
    slicer: BaseSlicer,
    *,
    constraint: str = "",
    run_name: str = "opsim",
    info_label: str | None = None,
    summary_metrics: Sequence[Any] | None = None,
    maps_list: Sequence[Any] | None = None,
) -> MetricBundle:
    """A ``MetricBundle`` of a metric, with its plot and display dictionaries and summary statistics.

    Parameters
    ----------
    metric : StarMetric
    slicer : BaseSlicer
        Any of MAF's slicers.
    constraint : str
        As MAF takes it, such as ``"scheduler_note not like '%DD%'"``.
    run_name, info_label : str
        Name of the simulated survey, and what is said of the selection.
    summary_metrics : sequence of metric, optional
        Mean, median and RMS over the slice points by default.
    maps_list : sequence of map, optional
        MAF's maps, such as ``DustMap()``: with it stars are behind the dust of their slice point.
    """
    return MetricBundle(
        metric,
        slicer,
        constraint,
        run_name=run_name,
        info_label=info_label,
        plot_dict=dict(metric.plot_dict),
        display_dict=dict(metric.display_dict),
        summary_metrics=list(
            [MeanMetric(), MedianMetric(), RmsMetric()] if summary_metrics is None else summary_metrics
        ),
        maps_list=None if maps_list is None else list(maps_list),
    )


def make_bundles(
    stars: StarSource,
    slicer: BaseSlicer,
    *,
    start: float | None = None,
    band: str = "r",
    columns: Columns | None = None,
    constraint: str = "",
    run_name: str = "opsim",
    info_label: str | None = None,
    summary_metrics: Sequence[Any] | None = None,
    maps_list: Sequence[Any] | None = None,
) -> dict[str, MetricBundle]:
    """All metrics on the same stars, by name, for a ``MetricBundleGroup``.

    Parameters
    ----------
    stars : StarSample or StarPopulation
    slicer : BaseSlicer
    start : float, optional
        Start of the survey [MJD], for :class:`MonthsToPeriodMetric`.
    band : str
        Of amplitudes and mean magnitudes.
    columns : Columns, optional
    constraint, run_name, info_label, summary_metrics, maps_list
        See :func:`make_bundle`.

    Returns
    -------
    dict of str to MetricBundle
        Without the classification where there is one class only.
    """
    metrics: list[StarMetric] = [
        DetectionMetric(stars, columns=columns),
        VariabilityMetric(stars, columns=columns),
        PeriodRecoveryMetric(stars, columns=columns),
        MonthsToPeriodMetric(stars, start=start, columns=columns),
        PhaseCoverageMetric(stars, columns=columns),
        PhaseGapMetric(stars, columns=columns),
        AmplitudeErrorMetric(stars, band=band, columns=columns),
        MeanMagErrorMetric(stars, band=band, columns=columns),
    ]
    if len(stars.names) > 1:
        metrics.append(ClassificationMetric(stars, columns=columns))
    return {
        str(metric.name): make_bundle(
            metric,
            slicer,
            constraint=constraint,
            run_name=run_name,
            info_label=info_label,
            summary_metrics=summary_metrics,
            maps_list=maps_list,
        )
        for metric in metrics
    }
