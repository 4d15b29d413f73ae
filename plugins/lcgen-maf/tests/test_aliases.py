"""The search among aliases, against the complete search and against formulas."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.timeseries import LombScargle, LombScargleMultiband

from lcgen import rng
from lcgen.compare.settings import Settings
from lcgen.taxonomy import CLASSES
from lcgen_maf import Columns, StarSample
from lcgen_maf.aliases import find_periods, log_fap
from lcgen_maf.field import field_of
from lcgen_maf.slices import SliceVisits
from lcgen_maf.window import Window, window_offsets

SIDEREAL_DAY = 0.99726957


def at(visits: np.ndarray, place: float, every: int = 1) -> SliceVisits:
    found = SliceVisits.of(visits[visits["fieldRA"] == place][::every], Columns())
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("mean_mag", "every", "bias", "agreement"),
    [((18.0, 26.0), 1, 0.03, 0.96), ((20.0, 25.5), 4, 0.04, 0.95)],
)
def test_it_finds_what_the_complete_search_finds(
    visits: np.ndarray, mean_mag: tuple[float, float], every: int, bias: float, agreement: float
) -> None:
    # 8 x 8 stars: a method that is right in 9 of 10 stars would pass with a chance of 3 and 9 %
    samples = [StarSample(n=8, mean_mag=mean_mag, seed=8, method=method) for method in ("aliases", "full")]
    data = at(visits, 10.0, every)
    quick, full = (np.concatenate([c.found.recovered for c in field_of(s, data, {}).classes.values()]) for s in samples)
    assert np.mean(quick == full) >= agreement
    assert abs(quick.mean() - full.mean()) <= bias


def test_powers_are_those_of_the_shared_phase_periodogram(visits: np.ndarray) -> None:
    sample = StarSample(classes="CEP", n=5, mean_mag=(18.0, 21.0), seed=3)
    stars = field_of(sample, at(visits, 200.0), {}).classes["CEP"]
    merged = stars.photometry.merged
    found = find_periods(merged, stars.period, two_minima=False, uniforms=np.zeros((5, 2)), settings=sample.settings)
    assert (found.ratio == 1.0).sum() >= 4
    value, weight = merged.asinh
    for k in np.flatnonzero(found.ratio == 1.0):
        use = weight[k] > 0
        exact = LombScargleMultiband(
            merged.mjd[use], value[k, use], merged.band[use], weight[k, use] ** -0.5, nterms_base=1, nterms_band=0
        )
        # the highest within half a resolution element
        near = 1.0 / stars.period[k] + np.linspace(-0.5, 0.5, 41) / np.ptp(merged.mjd)
        assert found.power[k] == pytest.approx(exact.power(near, method="flexible").max(), rel=0.005)


def test_probability_of_noise_peaks_is_that_of_astropy() -> None:
    random = np.random.default_rng(5)
    time, value, err = random.uniform(0, 900, 150), random.normal(size=150), np.full(150, 1.0)
    width = 3.0 * np.sqrt(4.0 * np.pi * time.var())
    for power in (0.02, 0.1, 0.2, 0.4):
        expected = LombScargle(time, value, err).false_alarm_probability(power, method="baluev", maximum_frequency=3.0)
        assert np.exp(log_fap(np.array(power), np.array(150.0), np.array(width))) == pytest.approx(expected, rel=1e-4)


def test_noise_has_the_peaks_that_it_has_in_the_complete_search() -> None:
    mjd = np.sort(60000.0 + np.random.default_rng(6).uniform(0, 1500, 200))
    data = SliceVisits.of_arrays(mjd, np.full(200, "r"), np.full(200, 24.0))
    assert data is not None
    fainter = {"classes": "RRLYR", "mean_mag": 30.0, "seed": 1}
    many = field_of(StarSample(n=300, **fainter), data, {}).classes["RRLYR"].found
    # a true frequency that is one of some 10^5
    assert many.recovered.sum() <= 1
    few = field_of(StarSample(n=24, method="full", **fainter), data, {}).classes["RRLYR"].found
    # the scatter of 24 highest peaks is 8 %: a mean that is off by 6 % is seen with a chance of 95 %
    assert many.power.mean() == pytest.approx(few.power.mean(), rel=0.06)


def test_window_of_nights_and_seasons() -> None:
    random = np.random.default_rng(2)
    nights = np.concatenate([366 * year + np.arange(150) for year in range(8)])
    seen = nights[random.random(nights.size) < 0.3]
    mjd = 60000.0 + SIDEREAL_DAY * seen + random.uniform(0, 0.02, seen.size)
    offsets = window_offsets(mjd)
    for expected in (1.0 / SIDEREAL_DAY, 2.0 / SIDEREAL_DAY, 3.0 / SIDEREAL_DAY):
        assert np.abs(offsets - expected).min() < 1.0 / np.ptp(mjd)
    assert (offsets > 0).all()
    assert Window(mjd, Settings()).shifts[0] == 0.0
    assert window_offsets(np.array([60000.0])).size == 0


@pytest.mark.parametrize("cls", CLASSES)
def test_it_does_not_depend_on_company(visits: np.ndarray, cls: str) -> None:
    sample = StarSample(classes=cls, n=9, mean_mag=(19.0, 24.0), seed=2)
    stars = field_of(sample, at(visits, 200.0), {}).classes[cls]
    uniforms = rng.uniforms(3, "test", np.arange(9), 2)
    options = {"two_minima": False, "settings": sample.settings}
    merged = stars.photometry.merged
    whole = find_periods(merged, stars.period, uniforms=uniforms, **options)
    for rows in (slice(0, 1), slice(4, 9)):
        part = type(merged)(
            mjd=merged.mjd, band=merged.band, bands=merged.bands, flux=merged.flux[rows], flux_err=merged.flux_err[rows]
        )
        few = find_periods(part, stars.period[rows], uniforms=uniforms[rows], **options)
        np.testing.assert_allclose(few.period, whole.period[rows], rtol=1e-6)
        np.testing.assert_array_equal(few.recovered, whole.recovered[rows])


def test_too_few_measurements_have_no_period(visits: np.ndarray) -> None:
    sample = StarSample(classes="RRLYR", n=3, seed=2)
    stars = field_of(sample, at(visits, 200.0, 12), {}).classes["RRLYR"]
    assert len(stars.photometry.visits) < 10
    assert np.isnan(stars.found.period).all()
    assert not stars.found.recovered.any()
