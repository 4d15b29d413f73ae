"""The metrics as MAF runs them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
import rubin_sim.maf as maf

from lcgen_maf import (
    Columns,
    DetectionMetric,
    PeriodRecoveryMetric,
    PhaseGapMetric,
    StarSample,
    make_bundle,
    make_bundles,
)

matplotlib.use("Agg")

PLACES = ((10.0, -20.0), (100.0, -30.0), (200.0, -10.0), (300.0, -45.0))
"""The fields of the visits."""


@pytest.fixture(autouse=True)
def _no_open_figures() -> Iterator[None]:
    yield
    matplotlib.pyplot.close("all")


def slicer(places: Any = PLACES) -> maf.UserPointsSlicer:
    ra, dec = zip(*places, strict=True)
    return maf.UserPointsSlicer(ra, dec, use_camera=False, verbose=False)


def run(bundles: dict[str, Any], data: np.ndarray, folder: Path) -> dict[str, np.ma.MaskedArray]:
    group = maf.MetricBundleGroup(bundles, None, out_dir=str(folder), save_early=False)
    group.run_current("", sim_data=data)
    return {name: b.metric_values for name, b in group.bundle_dict.items() if b.metric_values.dtype != object}


@pytest.fixture(scope="module")
def values(sample: StarSample, visits: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All metrics by class at the four fields."""
    return run(make_bundles(sample, slicer(), start=60980.0), visits, tmp_path_factory.mktemp("all"))


def test_every_metric_has_a_map_of_each_class_and_a_mean(values: dict[str, Any], sample: StarSample) -> None:
    names = {name.rsplit("_", 1)[0] for name in values}
    assert len(names) == 9
    assert set(values) == {f"{name}_{cls}" for name in names for cls in (*sample.names, "mean")}
    for name in names:
        each = np.ma.array([values[f"{name}_{cls}"] for cls in sample.names])
        np.testing.assert_allclose(values[f"{name}_mean"], each.mean(axis=0))


def test_values_say_what_the_visits_do(values: dict[str, Any]) -> None:
    for cls in ("RRLYR", "ECL", "LPV"):
        # ten years, ten years, a twelfth of the visits, two years
        assert (values[f"Detection_{cls}"][:2] >= 0.9).all()
        gap = values[f"PhaseGap_{cls}"]
        assert gap[2] > 3.0 * gap[0]
        assert values[f"PhaseCoverage_{cls}"][0] > values[f"PhaseCoverage_{cls}"][2]
        assert values[f"PeriodRecovery_{cls}"][0] >= values[f"PeriodRecovery_{cls}"][2]
        assert values[f"AmplitudeError r_{cls}"][0] < 0.1
        assert values[f"MeanMagError r_{cls}"][0] < 0.02
        assert values[f"Classification_{cls}"][0] >= 0.7
    assert values["PeriodRecovery_RRLYR"][0] >= 0.9
    # a long period takes longer than a short one, and is unknown after two years
    assert values["MonthsToPeriod_LPV"][0] > 2.0 * values["MonthsToPeriod_RRLYR"][0]
    assert values["MonthsToPeriod_LPV"].mask[3]
    assert (values["MonthsToPeriod_RRLYR"].compressed() <= 120.0).all()


def test_order_and_chunks_of_slice_points_change_nothing(
    values: dict[str, Any], sample: StarSample, visits: np.ndarray, tmp_path: Path
) -> None:
    random = np.random.default_rng(3)
    for k, rows in enumerate(([3, 1, 0, 2], [2], [0, 3])):
        shuffled = visits[random.permutation(visits.size)]
        # another sample object that is equal, and one that is not shared
        again = StarSample(classes=sample.classes, mean_mag=sample.mean_mag, n=sample.n, seed=sample.seed)
        part = run(make_bundles(again, slicer([PLACES[i] for i in rows]), start=60980.0), shuffled, tmp_path / str(k))
        for name, whole in values.items():
            np.testing.assert_array_equal(np.ma.filled(part[name], -1.0), np.ma.filled(whole[rows], -1.0))


def test_a_class_does_not_depend_on_the_others(values: dict[str, Any], sample: StarSample, visits: np.ndarray) -> None:
    alone = sample.with_options(classes="ECL")
    for metric in (PeriodRecoveryMetric(alone), PhaseGapMetric(alone)):
        data = visits[visits["fieldRA"] == 200.0]
        whole = values[f"{type(metric).__name__.removesuffix('Metric')}_ECL"]
        assert metric.run(data, {"sid": 0}) == whole[2]


def test_databases_of_both_schemas(opsim: Path, values: dict[str, Any], sample: StarSample, tmp_path: Path) -> None:
    columns = Columns.of([opsim.stem, "observationStartMJD"])
    metric = PeriodRecoveryMetric(sample, columns=columns)
    bundle = make_bundle(metric, slicer(), run_name="synthetic")
    base = maf.ResultsDb(str(tmp_path))
    group = maf.MetricBundleGroup({"p": bundle}, str(opsim), out_dir=str(tmp_path), results_db=base)
    group.run_all()
    np.testing.assert_array_equal(
        group.bundle_dict["PeriodRecovery_RRLYR"].metric_values, values["PeriodRecovery_RRLYR"]
    )
    summary = group.bundle_dict["PeriodRecovery_LPV"].summary_values
    assert summary["Mean"] == pytest.approx(values["PeriodRecovery_LPV"].mean())
    # what MAF wrote can be read, with its labels
    written = maf.create_empty_metric_bundle()
    written.read(str(tmp_path / "synthetic_PeriodRecovery_RRLYR_USER.npz"))
    np.testing.assert_array_equal(written.metric_values, values["PeriodRecovery_RRLYR"])
    assert written.display_dict["group"] == "Periodic variable stars"


def test_the_other_schema_is_understood_where_data_is_given(sample: StarSample, visits: np.ndarray) -> None:
    old = visits.astype([(name if name != "band" else "filter", kind) for name, kind in visits.dtype.descr])
    metric = PeriodRecoveryMetric(sample.with_options(classes="RRLYR"))
    assert metric.run(old[:300], {}) == metric.run(visits[:300], {})


@pytest.mark.parametrize("use_cache", [False, True])
def test_healpix_maps(sample: StarSample, visits: np.ndarray, tmp_path: Path, use_cache: bool) -> None:
    # with its cache MAF gives points that have the same visits the value of the first
    grid = maf.HealpixSlicer(nside=32, use_camera=False, use_cache=use_cache, verbose=False)
    metric = PhaseGapMetric(sample.with_options(classes="RRLYR"))
    bundle = make_bundle(metric, grid, run_name="synthetic")
    group = maf.MetricBundleGroup({"g": bundle}, None, out_dir=str(tmp_path), save_early=False)
    group.run_current("", sim_data=visits)
    found = bundle.metric_values
    seen = ~found.mask
    assert 10 < seen.sum() < 60
    assert len(set(np.round(found[seen], 12))) == 4
    if not use_cache:
        group.plot_all(save_figs=True, fig_format="png", dpi=50)
        assert len(list(tmp_path.glob("*.png"))) >= 2


def test_points_without_visits_are_masked(sample: StarSample, visits: np.ndarray, tmp_path: Path) -> None:
    found = run({"d": make_bundle(DetectionMetric(sample), slicer([(50.0, 50.0), PLACES[0]]))}, visits, tmp_path)
    assert found["Detection_RRLYR"].mask.tolist() == [True, False]


def test_maps_add_dust(visits: np.ndarray, tmp_path: Path) -> None:
    class Dust(maf.maps.BaseMap):
        """E(B-V) in place of MAF's map, whose file is not a part of rubin_sim."""

        def __init__(self) -> None:
            self.keynames = ["ebv"]

        def run(self, slice_points: dict[str, Any]) -> dict[str, Any]:
            slice_points["ebv"] = np.array([0.0, 3.0])
            return slice_points

    found = {}
    for name, options in (("far", {"distance": (1e5, 1e5)}), ("bright", {"mean_mag": 20.0})):
        metric = DetectionMetric(classes="RRLYR", n=10, seed=1, min_detections=600, **options)
        bundle = make_bundle(metric, slicer([PLACES[0], PLACES[0]]), maps_list=[Dust()])
        found |= {name: run({"d": bundle}, visits, tmp_path / name)["d"]}
    assert found["far"][0] == 1.0
    assert found["far"][1] == 0.0
    # the mean magnitude is what is observed, but the blue bands are fainter for it
    assert found["bright"][0] == 1.0
    assert found["bright"][1] < 1.0


def test_nine_nights_of_real_visits(data_dir: Path, tmp_path: Path) -> None:
    # Rubin's science validation: sequences of visits to a field in nine nights within three weeks
    path, columns = data_dir / "cadences" / "sv_db_subsampled.db", Columns(mjd="exp_midpt_mjd")
    sample = StarSample(classes=("RRLYR", "DSCT", "LPV"), n=20, mean_mag=(17.0, 21.0), seed=1)
    field = maf.UserPointsSlicer([226.0], [-40.0], use_camera=False, verbose=False, radius=1.75)
    group = maf.MetricBundleGroup(
        make_bundles(sample, field, columns=columns), str(path), out_dir=str(tmp_path), save_early=False
    )
    group.run_all()
    found = {name: float(b.metric_values.filled(np.nan)[0]) for name, b in group.bundle_dict.items() if "_" in name}
    assert found["Detection_RRLYR"] == found["Variability_DSCT"] == 1.0
    # enough for periods of hours, not for those of days and months
    assert found["PeriodRecovery_DSCT"] > 0.8
    assert 0.5 < found["PeriodRecovery_RRLYR"] < 1.0
    assert found["PeriodRecovery_LPV"] == 0.0
    assert np.isnan(found["MonthsToPeriod_LPV"])
    assert found["MonthsToPeriod_DSCT"] < 0.8
    assert found["PhaseCoverage_DSCT"] > 0.9 > 0.3 > found["PhaseCoverage_LPV"]
    assert found["AmplitudeError r_DSCT"] < 0.1
    full = PeriodRecoveryMetric(sample.with_options(method="full"), columns=columns)
    names = [columns.mjd, columns.m5, columns.band, "fieldRA", "fieldDec", "rotSkyPos"]
    visits = maf.get_sim_data(str(path), None, names)
    field.setup_slicer(visits)
    complete = full.run(visits[field[0]["idxs"]], {})
    # of 20 stars: an error of 0.11 each where verdicts differ for one in eight
    assert abs(complete[0] - found["PeriodRecovery_RRLYR"]) <= 0.25
    assert abs(complete[1] - found["PeriodRecovery_DSCT"]) <= 0.15
