"""Sines in place of stars, and MAF's own metric of sines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rubin_sim.maf.maf_contrib.periodic_star_metric import PeriodicStar, PeriodicStarMetric
from rubin_sim.maf.metric_bundles import MetricBundleGroup
from rubin_sim.maf.slicers import UserPointsSlicer

from lcgen import InputError
from lcgen_maf import PeriodRecoveryMetric, StarSample, make_bundle
from lcgen_maf.sines import Criteria, Sines, SineStars, compare_with_sines, maf_parameters, periodic_star
from lcgen_maf.slices import Columns, SliceVisits

from .conftest import PLACES


@pytest.fixture(scope="module")
def field(visits: np.ndarray) -> np.ndarray:
    """The visits of one field in a year."""
    part = visits[visits["fieldRA"] == PLACES[0][0]]
    return part[part["observationStartMJD"] < part["observationStartMJD"].min() + 365.25]


@pytest.fixture(scope="module")
def year(field: np.ndarray) -> SliceVisits:
    """The same as metrics see them."""
    made = SliceVisits.of(field, Columns())
    assert made is not None
    return made


@pytest.mark.parametrize(("name", "cycles"), [("RRLYR", 1), ("LPV", 1), ("ECL", 2), ("ELL", 2)])
def test_sine_has_the_period_amplitude_mean_and_phase_of_its_star(name: str, cycles: int) -> None:
    sample = StarSample(classes=name, mean_mag=20.0, n=8, seed=3)
    stars = sample.stars[name]
    sines = SineStars(stars, sample.source)
    for band in ("u", "g", "r", "I", "y"):
        half = 0.5 * np.ptp(stars.template(band=band), axis=1)
        mean = stars.mean_magnitude(band)
        times = 60000.0 + np.linspace(0.0, 7.0, 50) * stars.columns["period"][:, None]
        for k in range(len(stars)):
            turns = (times[k] - stars.columns["t0"][k]) / stars.columns["period"][k]
            sign = -1.0 if cycles == 1 else 1.0  # brightest, or faintest, at phase zero
            expected = mean[k] + sign * half[k] * np.cos(2.0 * np.pi * cycles * turns)
            np.testing.assert_allclose(sines.magnitude(times[k], band)[k], expected, atol=2e-5 * half.max())
    # the star's own curve is another one
    assert np.abs(sines.magnitude(times[0], "r") - stars.magnitude(times[0], "r")).max() > 0.01


def test_noise_of_sines_is_that_of_their_stars(year: SliceVisits) -> None:
    sample = StarSample(classes="RRLYR", mean_mag=(19.0, 24.0), n=20, seed=3, noise="depth")
    stars = sample.stars["RRLYR"]
    sines = SineStars(stars, sample.source)
    drawn = []
    for each in (stars, sines):
        seen, true = each.observe(year.visits, noise="depth", seed=7), each.observe(year.visits)
        drawn.append((seen.flux - true.flux) / seen.flux_err)
    np.testing.assert_allclose(drawn[0], drawn[1], atol=1e-5)
    assert 0.9 < drawn[0].std() < 1.1


def test_fewer_sines_and_sines_behind_dust_are_those_of_such_stars() -> None:
    sample = StarSample(classes="CEP", mean_mag=20.0, n=6, seed=3)
    stars = sample.stars["CEP"]
    sines = SineStars(stars, sample.source)
    times = 60000.0 + np.arange(20.0)
    np.testing.assert_array_equal(sines[[4, 1]].magnitude(times, "g"), sines.magnitude(times, "g")[[4, 1]])
    dusty = sines.behind(0.3)
    for band in ("g", "z"):
        np.testing.assert_array_equal(dusty.mean_magnitude(band), stars.behind(0.3).mean_magnitude(band))
        np.testing.assert_array_equal(dusty.template(band=band), sines.template(band=band))


def test_metrics_run_on_sines_in_a_group(visits: np.ndarray, tmp_path: Path) -> None:
    sample = StarSample(classes=("ECL", "RRLYR"), mean_mag=(18.0, 24.0), n=40, seed=5)
    slicer = [UserPointsSlicer(*np.transpose(PLACES), use_camera=False, verbose=False) for _ in range(2)]
    bundles = {
        "stars": make_bundle(PeriodRecoveryMetric(sample), slicer[0]),
        "sines": make_bundle(PeriodRecoveryMetric(Sines(sample), metric_name="Sines"), slicer[1]),
    }
    group = MetricBundleGroup(bundles, None, out_dir=str(tmp_path), save_early=False)
    group.run_current("", sim_data=visits)
    values = {}
    for name, bundle in bundles.items():
        assert bundle.metric_values is not None
        values[name] = np.stack(bundle.metric_values.compressed().tolist())
    assert values["sines"].shape == (len(PLACES), 2)
    assert "Sines_ECL" in {b.metric.name for b in group.bundle_dict.values()}
    # at the field that is seldom seen most of the stars' periods are lost, those of their sines less
    assert values["sines"][2].mean() > values["stars"][2].mean()


# Limits are three standard errors (0.03, 0.022, 0.014, 0.01 with 240 stars) about the mean of three other draws (0.353,
# 0.130, 0.049, 0.024) at the same visits.
@pytest.mark.parametrize(
    ("name", "subclass", "low", "high"),
    [("ECL", "EA", 0.26, 0.45), ("RRLYR", "RRab", 0.06, 0.2), ("ELL", "", 0.0, 0.1), ("RRLYR", "RRc", -0.01, 0.06)],
)
def test_sines_mislead_where_curves_are_no_sines(
    year: SliceVisits, name: str, subclass: str, low: float, high: float
) -> None:
    params = {"subclass": subclass} if subclass else {}
    sample = StarSample(classes=name, params=params, mean_mag=(18.0, 26.0), n=240, seed=6)
    pair = compare_with_sines(sample, year)[name]
    difference, error = pair.gain()
    assert error < 0.035
    assert low < difference < high
    assert difference == pytest.approx(pair.sines.found.recovered.mean() - pair.stars.found.recovered.mean())


@pytest.mark.parametrize(("name", "sub"), [("RRLYR", "RRab"), ("ECL", "EW")])
def test_sine_of_maf_is_the_sine_in_its_band(name: str, sub: str, year: SliceVisits) -> None:
    sample = StarSample(classes=name, params={"subclass": sub}, mean_mag=20.0, n=5, seed=3)
    stars = sample.stars[name]
    parameters = maf_parameters(stars, year.mjd[0], "g")
    bands = np.full(len(year), "g")
    expected = SineStars(stars, sample.source).magnitude(year.mjd, "g")
    for row, curve in zip(parameters, expected, strict=True):
        np.testing.assert_allclose(PeriodicStar(bands)(year.mjd - year.mjd[0], *row), curve, atol=1e-4)


def test_periodic_star_falls_with_magnitude_and_its_criteria(year: SliceVisits) -> None:
    shares = [
        periodic_star(StarSample(classes="RRLYR", mean_mag=mag, n=30, seed=3).stars["RRLYR"], year).mean()
        for mag in (18.0, 25.5)
    ]
    assert shares[0] > 0.9
    assert shares[1] < 0.3
    # it fits from the true period, so that its criterion of the period refuses hardly anything
    faint = StarSample(classes="RRLYR", mean_mag=25.5, n=30, seed=3).stars["RRLYR"]
    period_alone = Criteria(amp_tol=float("inf"), mag_tol=float("inf"))
    assert periodic_star(faint, year, criteria=period_alone).mean() > 0.9


def test_periodic_star_depends_on_no_order_where_the_metric_does(field: np.ndarray, year: SliceVisits) -> None:
    # the metric, as it is: the same slice point, run first and run second
    options = {"period": 0.55, "amplitude": 0.3, "means": [23.4] * 6, "n_monte": 60}
    first = PeriodicStarMetric(**options).run(field, {})
    other = PeriodicStarMetric(**options)
    other.run(field[:40], {})
    assert other.run(field, {}) != first
    # here: whatever was run before, and numpy's global generator stays where it was
    stars = StarSample(classes="RRLYR", mean_mag=23.4, n=12, seed=3).stars["RRLYR"]
    before = np.random.get_state(legacy=False)["state"]  # type: ignore[call-overload, index]  # noqa: NPY002
    all_at_once = periodic_star(stars, year, n_monte=3)
    after = np.random.get_state(legacy=False)["state"]  # type: ignore[call-overload, index]  # noqa: NPY002
    assert after["pos"] == before["pos"]
    np.testing.assert_array_equal(after["key"], before["key"])
    np.testing.assert_array_equal(periodic_star(stars[[7, 2]], year, n_monte=3), all_at_once[[7, 2]])
    assert 0.0 < all_at_once.mean() < 1.0


def test_too_few_visits_are_no_number(year: SliceVisits) -> None:
    stars = StarSample(classes="RRLYR", mean_mag=20.0, n=2, seed=3).stars["RRLYR"]
    assert np.isnan(periodic_star(stars, year.first(8))).all()


def test_errors_say_what_is_allowed(year: SliceVisits) -> None:
    with pytest.raises(InputError, match="StarSample"):
        Sines("RRLYR")  # type: ignore[arg-type]
    stars = StarSample(classes="RRLYR", mean_mag=20.0, n=2, seed=3).stars["RRLYR"]
    plain = SliceVisits.of_arrays(60000.0 + np.arange(20.0), np.full(20, "V"), np.full(20, 24.0))
    assert plain is not None
    with pytest.raises(InputError, match="received V"):
        periodic_star(stars, plain)
