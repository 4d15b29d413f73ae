"""Populations over the sky, through MAF itself."""

from __future__ import annotations

import copy
import dataclasses
import math
import os
import runpy
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rubin_sim.maf.db import ResultsDb
from rubin_sim.maf.maps import DustMap, DustMap3D
from rubin_sim.maf.metric_bundles import MetricBundle, MetricBundleGroup
from rubin_sim.maf.metrics import CountMetric, MeanMetric, SumMetric
from rubin_sim.maf.slicers import HealpixSlicer, UserPointsSlicer

import lcgen
from lcgen import DataError, InputError, UnknownNameError
from lcgen.cadence import as_cadence
from lcgen.sky import Circle, ConstantDust, SmoothDust, WholeSky
from lcgen.taxonomy import CLASSES
from lcgen_maf import (
    AmplitudeErrorMetric,
    DetectionMetric,
    MafDust,
    MonthsToPeriodMetric,
    PeriodRecoveryMetric,
    PopulationSlicer,
    StarPopulation,
    StarSample,
    default_classifier,
    make_bundle,
    make_bundles,
)
from lcgen_maf.field import ClassField
from lcgen_maf.photometry import observe
from lcgen_maf.sample import ID_BLOCK, combined_seed
from lcgen_maf.slices import Columns, SliceVisits

SKY = Circle(ra=80.0, dec=-69.0, radius=4.0)
FIELDS = ((80.0, -69.0), (76.0, -69.0), (80.0, -67.5), (84.0, -70.5))


@pytest.fixture(scope="module")
def schedule():
    """Visits of four overlapping fields, as MAF hands them on."""
    dtype = [(n, "f8") for n in ("fieldRA", "fieldDec", "rotSkyPos", "observationStartMJD", "fiveSigmaDepth")]
    parts = []
    for k, (ra, dec) in enumerate(FIELDS):
        visits = as_cadence("lsst-wfd").visits(seed=k)
        part = np.zeros(len(visits.mjd), dtype=[*dtype, ("band", "U1")])
        part["fieldRA"], part["fieldDec"] = ra, dec
        part["observationStartMJD"], part["fiveSigmaDepth"], part["band"] = visits.mjd, visits.depth5, visits.band
        parts.append(part[::40])
    return np.concatenate(parts)


@pytest.fixture(scope="module")
def population():
    return StarPopulation(
        n={"RRLYR": 14, "CEP": 8}, sky=SKY, seed=5, dust=SmoothDust(), mag_limits=(15.5, 23.5), settings=_settings()
    )


def _settings():
    return dataclasses.replace(StarSample().settings, min_period=0.1)


def run(population, slicer, schedule, out_dir, metrics, maps=None, results=False):
    bundles = {
        m.name: make_bundle(m, slicer, summary_metrics=[MeanMetric(), SumMetric(), CountMetric()], maps_list=maps)
        for m in metrics
    }
    results_db = ResultsDb(out_dir=str(out_dir)) if results else None
    group = MetricBundleGroup(
        bundles, None, out_dir=str(out_dir), verbose=False, save_early=False, results_db=results_db
    )
    group.run_current("", sim_data=schedule)
    return group.bundle_dict


def metrics_of(population):
    return [
        DetectionMetric(population),
        PeriodRecoveryMetric(population),
        AmplitudeErrorMetric(population),
        MonthsToPeriodMetric(population, start=60900.0, precision=6.0),
    ]


@pytest.fixture(scope="module")
def whole(population, schedule, tmp_path_factory):
    """All stars: the slicer, and the bundles."""
    slicer = PopulationSlicer(population, use_camera=False)
    out_dir = tmp_path_factory.mktemp("whole")
    bundles = run(population, slicer, schedule, out_dir, metrics_of(population), results=True)
    return slicer, bundles


# ---------------------------------------------------------------------- the population
def test_stars_are_those_that_lcgen_draws(population):
    gen = lcgen.load_generator()
    first = CLASSES.index("CEP") * ID_BLOCK
    drawn = gen.draw("CEP", 400, seed=5, first_id=first, sky=SKY, dust=SmoothDust())
    mean = drawn.mean_magnitude("V")
    rows = np.flatnonzero((mean >= 15.5) & (mean <= 23.5))[:8]
    assert rows.size == 8 and rows[-1] > 8  # the limits did take some away
    for name in ("period", "ra", "dec", "distance", "mean_mag", "e_bv", "star_id"):
        np.testing.assert_array_equal(population.stars["CEP"].columns[name], drawn.columns[name][rows])


def test_a_star_depends_on_neither_numbers_nor_other_classes(population):
    alone = dataclasses.replace(population, classes="RRLYR", n=5)
    for name in ("star_id", "period", "ra", "distance"):
        np.testing.assert_array_equal(alone.stars["RRLYR"].columns[name], population.stars["RRLYR"].columns[name][:5])
    other = dataclasses.replace(alone, seed=6)
    assert not np.intersect1d(other.stars["RRLYR"].columns["ra"], alone.stars["RRLYR"].columns["ra"]).size


def test_columns(population):
    columns = population.columns
    assert len(population) == 22 and {v.shape for v in columns.values()} == {(22,)}
    assert columns["class"].tolist() == ["RRLYR"] * 14 + ["CEP"] * 8
    assert np.unique(columns["lcgen_star"]).size == 22
    assert SKY.contains(columns["ra"], columns["dec"]).all()
    assert ((columns["mean_mag"] >= 15.5) & (columns["mean_mag"] <= 23.5)).all()
    # what a survey astronomer checks first: magnitude, distance and dust agree with each other
    absolute = columns["mean_mag"] - 5.0 * np.log10(columns["distance"] / 10.0) - 3.1 * columns["ebv"]
    stars = population.stars["RRLYR"]
    np.testing.assert_allclose(absolute[:14], stars.columns["abs_mag"], atol=0.6)
    assert (columns["ebv"] > 0).all()


def test_populations_are_compared_by_content(population):
    same = dataclasses.replace(population)
    assert same == population and hash(same) == hash(population)
    assert dataclasses.replace(population, n=3) != population
    assert copy.deepcopy(population) is population
    assert StarPopulation(n=3).names == CLASSES
    assert StarPopulation().sky == WholeSky()


def test_training_stars_are_like_the_population_but_others(population):
    trained = population.sample.training(150)["RRLYR"]
    many = dataclasses.replace(population, n=150).stars["RRLYR"]
    assert SKY.contains(trained.columns["ra"], trained.columns["dec"]).all()
    assert not np.intersect1d(trained.columns["period"], many.columns["period"]).size
    from scipy.stats import ks_2samp

    for name in ("distance", "mean_mag", "period"):
        # at 150 stars each a shift of 0.3 of a standard deviation would be found in two cases of three
        assert ks_2samp(trained.columns[name], many.columns[name]).pvalue > 1e-3, name


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(e_bv=st.floats(0.0, 3.0), number=st.integers(0, 21))
def test_dust_dims_and_reddens(population, e_bv, number):
    point = _point(population, number) | {"ebv": e_bv}
    ((_, behind),) = population.located(_no_visits(), point).items()
    ((_, clear),) = population.located(_no_visits(), point | {"ebv": 0.0}).items()
    more = [float((behind.mean_magnitude(b) - clear.mean_magnitude(b))[0]) for b in "gri"]
    assert more[0] >= more[1] >= more[2] >= 0.0
    np.testing.assert_allclose(behind.mean_magnitude("V") - clear.mean_magnitude("V"), 3.1 * e_bv, atol=1e-9)
    np.testing.assert_array_equal(behind.template(band="r"), clear.template(band="r"))


def _point(population, number):
    columns = {k: v[number] for k, v in population.columns.items()}
    return columns | {"ra": math.radians(columns["ra"]), "dec": math.radians(columns["dec"]), "sid": 0}


def _no_visits():
    made = SliceVisits.of_arrays([60000.0], ["r"], [24.0])
    assert made is not None
    return made


# ---------------------------------------------------------------------- through MAF
def test_slice_points(population, whole):
    slicer, _ = whole
    points = slicer.slice_points
    np.testing.assert_allclose(np.degrees(points["ra"]), population.columns["ra"])
    np.testing.assert_array_equal(points["sid"], np.arange(22))
    for name in ("gall", "galb", "period", "distance", "mean_mag", "ebv"):
        assert np.isfinite(points[name]).all()
    assert slicer == slicer and slicer != PopulationSlicer(population, rows=[0, 1], use_camera=False)
    assert slicer == PopulationSlicer(population, use_camera=False)
    assert slicer != PopulationSlicer(population)


def test_a_class_has_its_map_and_its_summary(population, whole, schedule):
    slicer, bundles = whole
    visited = np.array([len(slicer[k]["idxs"]) > 0 for k in range(22)])
    assert 0 < visited.sum() < 22
    own = {"RRLYR": np.arange(22) < 14, "CEP": np.arange(22) >= 14}
    for name, rows in own.items():
        reduced = bundles[f"PeriodRecovery_{name}"]
        np.testing.assert_array_equal(~reduced.metric_values.mask, rows & visited)
        values = reduced.metric_values.compressed()
        assert set(values) <= {0.0, 1.0}
        assert reduced.summary_values["Mean"] == values.mean()  # the fraction recovered
        assert reduced.summary_values["Sum"] == values.sum()
        assert reduced.summary_values["Count"] == (rows & visited).sum()
    everyone = bundles["PeriodRecovery_mean"]
    np.testing.assert_array_equal(~everyone.metric_values.mask, visited)
    assert 0.0 < everyone.summary_values["Mean"] < 1.0


def test_values_are_those_of_the_same_star_evaluated_alone(population, whole, schedule):
    slicer, bundles = whole
    gen = lcgen.load_generator()
    drawn = {
        name: gen.draw(name, 400, seed=5, first_id=CLASSES.index(name) * ID_BLOCK, sky=SKY, dust=SmoothDust())
        for name in population.names
    }
    checked = 0
    for k in range(22):
        name = str(slicer.slice_points["class"][k])
        rows = slicer[k]["idxs"]
        if not len(rows):
            continue
        visits = SliceVisits.of(schedule[rows], Columns())
        row = int(slicer.slice_points["lcgen_star"][k] % ID_BLOCK)
        # several stars at once: what is next to a star does not change it
        stars = drawn[name][max(row - 2, 0) : row + 1]
        photometry = observe(
            stars,
            visits,
            noise="lsst",
            seed=combined_seed(5, "noise", visits.key),
            irregular=False,
            settings=population.settings,
        )
        field = ClassField(name=name, stars=stars, photometry=photometry, sample=population.sample, key=visits.key)
        assert bundles[f"PeriodRecovery_{name}"].metric_values[k] == field.found.recovered[-1]
        assert bundles[f"Detection_{name}"].metric_values[k] == (field.n_detections[-1] >= 10)
        checked += 1
    assert checked > 8


@pytest.mark.parametrize("rows", [slice(10, 18), np.arange(22)[::-1], [3, 21, 16]], ids=["part", "reversed", "few"])
def test_values_do_not_depend_on_order_or_part(population, whole, schedule, tmp_path, rows):
    _, bundles = whole
    chosen = np.arange(22)[rows]
    slicer = PopulationSlicer(dataclasses.replace(population), rows=rows, use_camera=False)
    again = run(population, slicer, schedule, tmp_path, metrics_of(dataclasses.replace(population)))
    for name, bundle in bundles.items():
        if bundle.metric_values.dtype == object:
            continue
        np.testing.assert_array_equal(again[name].metric_values.mask, bundle.metric_values.mask[chosen])
        np.testing.assert_array_equal(again[name].metric_values.compressed(), bundle.metric_values[chosen].compressed())


def test_results_are_written_and_read(whole, tmp_path):
    slicer, bundles = whole
    bundle = bundles["PeriodRecovery_RRLYR"]
    bundle.write(out_dir=str(tmp_path))
    (path,) = tmp_path.glob("*.npz")
    loaded = MetricBundle.load(str(path))
    assert isinstance(loaded.slicer, UserPointsSlicer)
    np.testing.assert_array_equal(loaded.metric_values.mask, bundle.metric_values.mask)
    np.testing.assert_array_equal(loaded.metric_values.compressed(), bundle.metric_values.compressed())
    assert set(loaded.slicer.slice_points) == set(slicer.slice_points)
    for name, values in slicer.slice_points.items():
        np.testing.assert_array_equal(loaded.slicer.slice_points[name], values)
    assert loaded.slicer.use_camera is False and loaded.slicer.radius == slicer.radius
    assert loaded.summary_values == bundle.summary_values
    bundle_of_objects = bundles["PeriodRecovery"]
    bundle_of_objects.write(out_dir=str(tmp_path))
    again = MetricBundle.load(str(tmp_path / (bundle_of_objects.file_root + ".npz")))
    np.testing.assert_array_equal(again.metric_values.mask, bundle_of_objects.metric_values.mask)


def test_maf_draws_its_map(whole, tmp_path):
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    _, bundles = whole
    made = bundles["PeriodRecovery_mean"].plot()
    assert {"SkyMap", "Histogram"} <= set(made)
    plt.close("all")


def test_one_class_has_plain_numbers(population, schedule, tmp_path, whole):
    alone = dataclasses.replace(population, classes="CEP", n=3)
    slicer = PopulationSlicer(alone, use_camera=False)
    bundles = run(alone, slicer, schedule, tmp_path, [PeriodRecoveryMetric(alone)])
    values = bundles["PeriodRecovery CEP"].metric_values
    assert values.dtype == float
    expected = whole[1]["PeriodRecovery_CEP"].metric_values[14:17]
    np.testing.assert_array_equal(values.mask, expected.mask)
    np.testing.assert_array_equal(values.compressed(), expected.compressed())


def test_all_metrics_and_the_fixed_classifier(population, schedule, tmp_path):
    few = dataclasses.replace(population, n=2)
    slicer = PopulationSlicer(few, use_camera=False)
    bundles = make_bundles(few, slicer, start=60900.0)
    group = MetricBundleGroup(bundles, None, out_dir=str(tmp_path), verbose=False, save_early=False)
    group.run_current("", sim_data=schedule)
    assert default_classifier(few).predict(np.zeros((1, 36))).size == 1
    values = group.bundle_dict["Classification_mean"].metric_values.compressed()
    assert values.size and set(values) <= {0.0, 1.0}


# ---------------------------------------------------------------------- dust
@pytest.fixture
def dust_files(tmp_path):
    """Maps in the format of rubin_sim_data, with 8 pixels a side of a base pixel."""
    n = 12 * 8**2
    np.savez(tmp_path / "dust_nside_8.npz", ebvMap=np.full(n, 2.0))
    distances = np.tile([100.0, 1000.0, 100_000.0, 1_000_000.0], (n, 1))
    reddening = np.tile([0.0, 0.1, 0.3, 0.3], (n, 1))
    header = fits.Header({"NSIDE": 8, "NESTED": False})
    fits.HDUList(
        [fits.PrimaryHDU(header=header), fits.ImageHDU(distances.astype("f8")), fits.ImageHDU(reddening.astype("f8"))]
    ).writeto(tmp_path / "map3d.fits")
    return tmp_path


def test_mafs_dust_map_takes_the_place_of_the_drawn_dust(population, whole, schedule, dust_files, tmp_path):
    slicer = PopulationSlicer(population, use_camera=False)
    drawn = slicer.slice_points["mean_mag"].copy(), slicer.slice_points["ebv"].copy()
    read = DustMap(nside=8, map_path=str(dust_files))
    dusty = run(population, slicer, schedule, tmp_path, [DetectionMetric(population)], maps=[read])
    np.testing.assert_array_equal(slicer.slice_points["ebv"], 2.0)
    np.testing.assert_allclose(slicer.slice_points["mean_mag"] - drawn[0], 3.1 * (2.0 - drawn[1]))
    clear = whole[1]["Detection_mean"].summary_values["Mean"]
    assert dusty["Detection_mean"].summary_values["Mean"] < clear
    # and a run without the map has the drawn dust again
    again = run(population, slicer, schedule, tmp_path, [DetectionMetric(population)])
    np.testing.assert_array_equal(slicer.slice_points["mean_mag"], drawn[0])
    assert again["Detection_mean"].summary_values["Mean"] == clear


def test_dust_at_the_distance_of_the_star(population, schedule, dust_files):
    slicer = PopulationSlicer(population, use_camera=False)
    coefficients = dict.fromkeys("ugrizy", 2.0)  # MAF would take them from rubin_sim_data
    read = DustMap3D(nside=8, map_file=str(dust_files / "map3d.fits"), interp=False, r_x=coefficients)
    slicer.setup_slicer(schedule, maps=[read])
    distance = slicer.slice_points["distance"]
    assert ((distance > 1000.0) & (distance < 1e5)).all()
    np.testing.assert_allclose(slicer.slice_points["ebv"], 0.1 + 0.2 * (distance - 1000.0) / 99_000.0)
    slicer.setup_slicer(schedule)
    assert not [key for key in slicer.slice_points if key.startswith("ebv3d")]
    np.testing.assert_array_equal(slicer.slice_points["ebv"], population.columns["ebv"])


@pytest.mark.parametrize("value", [np.nan, -0.1, np.inf])
def test_a_dust_map_without_a_number(population, schedule, tmp_path, value):
    np.savez(tmp_path / "dust_nside_8.npz", ebvMap=np.full(768, value))
    slicer = PopulationSlicer(population, use_camera=False)
    with pytest.raises(InputError, match="at 22 of 22 stars"):
        slicer.setup_slicer(schedule, maps=[DustMap(nside=8, map_path=str(tmp_path))])


def test_maf_dust(dust_files):
    place = {"ra": [80.0] * 3, "dec": [-69.0] * 3, "distance": [100.0, 1000.0, 1e5]}
    dust = MafDust(nside=8, map_path=str(dust_files))
    smooth = SmoothDust()
    whole = smooth.ebv(80.0, -69.0, np.inf)
    np.testing.assert_allclose(dust.ebv(**place), 2.0 * smooth.ebv(**place) / whole)
    np.testing.assert_array_equal(dataclasses.replace(dust, layer=None).ebv(**place), 2.0)
    np.testing.assert_allclose(dataclasses.replace(dust, layer=ConstantDust(value=0.0)).ebv(**place), 2.0)
    stars = StarPopulation(classes="RRLYR", n=5, dust=dust, sky=SKY)
    assert (stars.columns["ebv"] > 1.5).all()
    with pytest.raises(DataError, match="rs_download_data"):
        dataclasses.replace(dust, nside=16).ebv(**place)


def test_the_dust_that_is_there(monkeypatch, tmp_path):
    monkeypatch.setenv("RUBIN_SIM_DATA_DIR", str(tmp_path))
    assert StarPopulation(n=1).dust == SmoothDust()
    folder = tmp_path / "maps" / "DustMaps"
    folder.mkdir(parents=True)
    np.savez(folder / "dust_nside_128.npz", ebvMap=np.zeros(12 * 128**2))
    assert StarPopulation(n=1).dust == MafDust()
    assert StarPopulation(n=1, dust=None).columns["ebv"].tolist() == [0.0] * 8


def test_with_the_camera_where_its_data_are(population, schedule):
    folder = Path(os.environ.get("RUBIN_SIM_DATA_DIR", Path.home() / "rubin_sim_data"))
    if not (folder / "maf").is_dir() or not MafDust().installed:
        pytest.skip(f"no rubin_sim_data in {folder}")
    slicer = PopulationSlicer(population)
    slicer.setup_slicer(schedule, maps=[DustMap()])
    np.testing.assert_allclose(
        slicer.slice_points["ebv"],
        MafDust(layer=None).ebv(population.columns["ra"], population.columns["dec"], np.inf),
    )
    assert sum(len(slicer[k]["idxs"]) for k in range(22)) > 0


# ---------------------------------------------------------------------- errors
@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"n": 0}, InputError, "whole number"),
        ({"n": {"RRLYR": 1.5}}, InputError, "whole number"),
        ({"n": {"RRLYR": None}}, InputError, "whole number"),
        ({"n": {}}, InputError, "one or more"),
        ({"n": {"RRLYR": 3}, "classes": ("RRLYR", "CEP")}, InputError, "numbers for RRLYR"),
        ({"classes": "QSO"}, UnknownNameError, "QSO"),
        ({"n": {"QSO": 3}}, UnknownNameError, "QSO"),
        ({"mag_limits": (20.0, 15.0)}, InputError, "mag_limits"),
        ({"mag_limits": 20.0}, InputError, "mag_limits"),
        ({"sky": "south"}, InputError, "sky"),
        ({"dust": "sfd"}, UnknownNameError, "auto"),
        ({"dust": 0.1}, InputError, "dust"),
        ({"params": {"distance": 1e4}}, InputError, "distance"),
        ({"method": "guess"}, UnknownNameError, "guess"),
        ({"seed": -1}, InputError, "seed"),
    ],
)
def test_what_is_not_possible(options, error, words):
    with pytest.raises(error, match=words):
        StarPopulation(**options)


def test_stars_that_cannot_be_within_the_limits():
    with pytest.raises(InputError, match="widen mag_limits"):
        _ = StarPopulation(classes="RRLYR", n=2, sky=SKY, mag_limits=(1.0, 2.0)).stars


@pytest.mark.parametrize("rows", [[22], slice(5, 5), "all", np.zeros(22, dtype=bool), np.zeros((2, 2), dtype=int)])
def test_rows_that_are_none(population, rows):
    with pytest.raises(InputError, match="rows"):
        PopulationSlicer(population, rows=rows)


def test_metric_and_slicer_must_agree(population, schedule, tmp_path):
    metric = PeriodRecoveryMetric(population)
    with pytest.raises(InputError, match="PopulationSlicer"):
        metric.run(schedule, slice_point={"sid": 0, "ra": 1.0, "dec": -0.5})
    other = dataclasses.replace(population, seed=9)
    with pytest.raises(InputError, match="the same"):
        metric.run(schedule, slice_point=_point(other, 0))
    without = dataclasses.replace(population, classes="CEP", n=2)
    with pytest.raises(InputError, match="no star"):
        PeriodRecoveryMetric(without).run(schedule, slice_point=_point(population, 0))
    with pytest.raises(InputError, match="says that itself"):
        PeriodRecoveryMetric(population, n=3)
    assert HealpixSlicer(nside=2, use_camera=False, verbose=False) != PopulationSlicer(population, use_camera=False)


def test_a_star_sample_at_the_places_of_a_population(population, schedule):
    """A metric with the same stars everywhere takes the dust of the stars' places from the slicer."""
    slicer = PopulationSlicer(population, use_camera=False)
    slicer.setup_slicer(schedule)
    sample = StarSample(classes="RRLYR", n=3, mean_mag=20.0, seed=1)
    located = sample.located(_no_visits(), slicer[2]["slice_point"])["RRLYR"]
    np.testing.assert_array_equal(located.columns["e_bv"], slicer.slice_points["ebv"][2])


def test_the_example_runs(schedule, tmp_path, monkeypatch, capsys):
    """With a schedule in a file, whose filters are in the column of before version 4."""
    path = tmp_path / "small.db"
    names = ["filter" if name == "band" else name for name in schedule.dtype.names]
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"CREATE TABLE observations ({', '.join(names)})")
        marks = ", ".join("?" * len(names))
        db.executemany(f"INSERT INTO observations VALUES ({marks})", schedule.tolist())
        db.commit()
    figure = tmp_path / "population.png"
    arguments = [str(path), "--stars", "4", "--years", "10", "--figure", str(figure)]
    monkeypatch.setattr(sys, "argv", ["population.py", *arguments])
    monkeypatch.setenv("MPLBACKEND", "Agg")
    runpy.run_path(str(Path(__file__).parents[1] / "examples" / "population.py"), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[1:3]] == [["RRLYR", "4", "4"], ["CEP", "4", "4"]]
    assert figure.stat().st_size > 10_000
