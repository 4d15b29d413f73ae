"""Stars at a slice point, and what metrics refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lcgen import InputError, UnknownNameError, load_generator
from lcgen.compare.measure import phase_coverage
from lcgen.lightcurve import phase_of
from lcgen_maf import (
    AmplitudeErrorMetric,
    ClassificationMetric,
    Columns,
    DetectionMetric,
    MeanMagErrorMetric,
    MonthsToPeriodMetric,
    PeriodRecoveryMetric,
    StarSample,
    default_classifier,
    feature_names,
    features,
)
from lcgen_maf.field import field_of
from lcgen_maf.slices import SliceVisits


@pytest.fixture(scope="module")
def data(visits: np.ndarray) -> np.ndarray:
    return visits[visits["fieldRA"] == 100.0]


def of(data: np.ndarray, sample: StarSample, point: Any = None) -> Any:
    found = SliceVisits.of(data, Columns())
    assert found is not None
    return field_of(sample, found, point)


def test_what_is_observed_is_what_the_generator_says(data: np.ndarray) -> None:
    sample = StarSample(classes="RRLYR", n=6, mean_mag=(17.0, 18.0), seed=5)
    stars = of(data, sample).classes["RRLYR"]
    photometry, visits = stars.photometry, stars.photometry.visits
    true = np.empty(photometry.flux.shape)
    for k, band in enumerate(visits.bands):
        rows = visits.band == k
        true[:, rows] = 10.0 ** (0.4 * (31.4 - stars.stars.magnitude(visits.mjd[rows], band)))
    pull = (photometry.flux - true) / photometry.flux_err
    assert np.isfinite(pull).mean() > 0.99  # some visits saturate
    pull = pull[np.isfinite(pull)]
    # about 4,800 numbers: their scatter is known to 1 %
    assert abs(pull.std() - 1.0) < 0.05
    assert abs(pull.mean()) < 0.06


def test_stars_are_the_same_everywhere_unless_fresh(visits: np.ndarray) -> None:
    here, there = (visits[visits["fieldRA"] == ra] for ra in (10.0, 100.0))
    for fresh in (False, True):
        sample = StarSample(classes="CEP", n=4, seed=5, fresh=fresh)
        periods = [of(part, sample).classes["CEP"].period for part in (here, there, here)]
        assert (periods[0] == periods[2]).all()
        assert (periods[0] == periods[1]).all() != fresh
        pulls = [of(part, sample).classes["CEP"].photometry.flux[:, 0] for part in (here, here)]
        assert (pulls[0] == pulls[1]).all()


def test_more_stars_are_more_of_the_same(data: np.ndarray) -> None:
    few, many = (StarSample(classes="LPV", n=n, seed=5) for n in (3, 8))
    a, b = (of(data, s).classes["LPV"] for s in (few, many))
    np.testing.assert_array_equal(a.photometry.flux, b.photometry.flux[:3])


def test_seeds_and_magnitudes(data: np.ndarray) -> None:
    a = StarSample(classes="RRLYR", n=200, mean_mag=(18.0, 20.0), seed=1).stars["RRLYR"].mean_magnitude("V")
    b = StarSample(classes="RRLYR", n=200, mean_mag=(18.0, 20.0), seed=2).stars["RRLYR"].mean_magnitude("V")
    assert not np.isin(a, b).any()
    # evenly in the range: a mean of 200 has a scatter of 0.04
    assert 18.0 <= a.min() < a.max() <= 20.0
    assert abs(a.mean() - 19.0) < 0.15
    far = StarSample(classes="RRLYR", n=200, distance=(1e4, 1e5), seed=1).stars["RRLYR"]
    distance = np.asarray(far.columns["distance"])
    assert abs(np.log10(distance).mean() - 4.5) < 0.08
    absolute = far.mean_magnitude("V") - 5.0 * np.log10(distance / 10.0)
    assert abs(np.median(absolute) - 0.6) < 0.3


def test_training_stars_are_others() -> None:
    sample = StarSample(classes="RRLYR", n=50, seed=1)
    trained = sample.training(50)["RRLYR"].columns["period"]
    assert not np.isin(trained, sample.stars["RRLYR"].columns["period"]).any()


def test_dust_dims_by_distance_and_reddens_always(data: np.ndarray) -> None:
    for options, dims in (({"distance": 2e4}, True), ({"mean_mag": 18.0}, False)):
        sample = StarSample(classes="CEP", n=3, seed=1, **options)
        clear, dusty = (of(data, sample, {"ebv": e}).classes["CEP"].stars for e in (0.0, 0.5))
        change = dusty.mean_magnitude("V") - clear.mean_magnitude("V")
        np.testing.assert_allclose(change, 0.5 * 3.1 if dims else 0.0, atol=1e-9)
        colour = [s.mean_magnitude("g") - s.mean_magnitude("i") for s in (clear, dusty)]
        assert (colour[1] - colour[0] > 0.5).all()
        with_out = sample.with_options(dust=False)
        np.testing.assert_array_equal(
            of(data, with_out, {"ebv": 0.5}).classes["CEP"].stars.mean_magnitude("V"), clear.mean_magnitude("V")
        )
    with pytest.raises(InputError, match="dust map"):
        of(data, StarSample(n=2, seed=1), {"ebv": np.nan})


def test_phases_are_those_of_lcgen(data: np.ndarray) -> None:
    stars = of(data, StarSample(classes="ECL", n=5, mean_mag=(22.0, 24.0), seed=1)).classes["ECL"]
    share, gap = stars.coverage_and_gap
    for k in range(5):
        seen = stars.photometry.visits.mjd[stars.photometry.detected[k]]
        phase = phase_of(seen, stars.period[k], stars.stars.columns["t0"][k])
        assert (share[k], gap[k]) == phase_coverage(phase, 20)


def test_months_are_when_the_period_becomes_known(data: np.ndarray) -> None:
    sample = StarSample(classes="RRLYR", n=8, mean_mag=(19.0, 23.0), seed=3)
    stars = of(data, sample).classes["RRLYR"]
    start = float(data["observationStartMJD"].min())
    months = stars.months_to_period(start, 1.0)
    assert np.isinf(months[~stars.found.recovered]).all()
    for k in np.flatnonzero(np.isfinite(months))[:4]:
        rows = np.array([k])
        later = stars.photometry.until(np.array([start + (months[k] + 0.01) * 30.4375]), rows)
        assert later is not None
        assert stars._search(later, rows).recovered[0]
        earlier = stars.photometry.until(np.array([start + max(months[k] - 1.0, 0.0) * 30.4375]), rows)
        assert earlier is None or not stars._search(earlier, rows).recovered[0]


def test_faint_stars_are_measured_worse(data: np.ndarray) -> None:
    for metric in (AmplitudeErrorMetric, MeanMagErrorMetric):
        bright, faint = (metric(classes="RRLYR", n=20, mean_mag=m, seed=1).run(data, {}) for m in (18.0, 23.0))
        assert 0.0 < bright < faint
    # below the limit of the visits most detections are luck, and nothing is said
    assert AmplitudeErrorMetric(classes="RRLYR", n=20, mean_mag=26.5, seed=1).run(data, {}) == -666


def test_classes_are_recognised_on_unseen_stars(data: np.ndarray) -> None:
    sample = StarSample(classes=("RRLYR", "ECL"), n=30, mean_mag=(18.0, 21.0), seed=1)
    value = ClassificationMetric(sample).run(data, {})
    # by chance 0.5 +- 0.09 each
    assert (value > 0.8).all()
    assert default_classifier(sample) is default_classifier(sample)
    table = features(of(data, sample).classes["ECL"])
    assert table.shape == (30, len(feature_names()))
    assert np.isfinite(table).all()

    class Constant:
        def predict(self, features: np.ndarray) -> np.ndarray:
            return np.full(len(features), "ECL")

    np.testing.assert_array_equal(ClassificationMetric(sample, classifier=Constant()).run(data, {}), [0.0, 1.0])


def test_a_generator_and_its_name_are_the_same(data: np.ndarray) -> None:
    generator = load_generator()
    options: dict[str, Any] = {"classes": "RRLYR", "n": 5, "mean_mag": (22.0, 25.0), "seed": 9}
    found = [PeriodRecoveryMetric(g, **options).run(data, {}) for g in (generator, generator.name, None)]
    assert found[0] == found[1] == found[2]


def test_visits_without_depth_are_left_out(data: np.ndarray) -> None:
    metric = PeriodRecoveryMetric(classes="RRLYR", n=5, seed=9)
    holed = data.copy()
    holed["fiveSigmaDepth"][::2] = np.nan
    assert metric.run(holed, {}) == metric.run(data[1::2], {})
    holed["fiveSigmaDepth"] = np.nan
    assert metric.run(holed, {}) == -666
    assert PeriodRecoveryMetric(classes="RRLYR", n=5, badval=-1).run(holed, {}) == -1


def test_visits_at_one_time_are_kept(data: np.ndarray) -> None:
    twice = np.concatenate([data[:60], data[:60]])
    stars = of(twice, StarSample(classes="RRLYR", n=2, mean_mag=19.0)).classes["RRLYR"]
    assert len(stars.photometry.visits) == 120
    assert stars.photometry.measured.all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"classes": "NOVA"}, "NOVA"),
        ({"classes": ()}, "classes"),
        ({"classes": ("CEP", "CEP")}, "different"),
        ({"n": 0}, "n must be"),
        ({"n": 2.5}, "n must be"),
        ({"seed": -1}, "seed"),
        ({"mean_mag": (20.0, 18.0)}, "mean_mag"),
        ({"mean_mag": np.nan}, "mean_mag"),
        ({"mean_mag": "bright"}, "mean_mag"),
        ({"distance": -5.0}, "distance"),
        ({"mean_mag": 18.0, "distance": 1e4}, "not both"),
    ],
)
def test_samples_refuse(options: dict[str, Any], words: str) -> None:
    with pytest.raises((InputError, UnknownNameError), match=words):
        PeriodRecoveryMetric(**options)


def test_metrics_refuse(data: np.ndarray) -> None:
    for metric, options, words in (
        (DetectionMetric, {"min_detections": 0}, "min_detections"),
        (MonthsToPeriodMetric, {"quantile": 1.0}, "quantile"),
        (MonthsToPeriodMetric, {"precision": 0.0}, "precision"),
        (MonthsToPeriodMetric, {"start": np.nan}, "start"),
        (AmplitudeErrorMetric, {"band": "k"}, "k"),
        (AmplitudeErrorMetric, {"period": "guessed"}, "guessed"),
        (ClassificationMetric, {"classes": "CEP"}, "two classes"),
    ):
        with pytest.raises((InputError, UnknownNameError), match=words):
            metric(**options)
    with pytest.raises(InputError, match="says that itself"):
        PeriodRecoveryMetric(StarSample(), n=5)
    with pytest.raises(InputError, match="StarSample"):
        PeriodRecoveryMetric(5)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="method"):
        StarSample(method="guess")
    with pytest.raises(InputError, match="params"):
        StarSample(params={"mean_mag": 18.0})
    metric = PeriodRecoveryMetric(classes="CEP", n=2)
    with pytest.raises(InputError, match="fiveSigmaDepth"):
        metric.run(data[["observationStartMJD", "band"]], {})
    wrong = data[:20].copy()
    wrong["band"] = "x"
    with pytest.raises(UnknownNameError, match="x"):
        metric.run(wrong, {})
    with pytest.raises(InputError, match="no column"):
        Columns.of(["mjd"])
