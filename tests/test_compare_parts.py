"""The parts of a comparison: periods, coverage, bootstrap, thinned cadences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom

from lcgen import CadenceError, InputError, LightCurves, UnknownNameError, as_cadence
from lcgen.cadence import OpSim
from lcgen.compare import Settings, load, thin
from lcgen.compare.bootstrap import PairedBootstrap
from lcgen.compare.cadences import FetchedVisits, labelled_cadences, parse_cadence
from lcgen.compare.measure import Truth, measure_star, phase_coverage
from lcgen.compare.period import Series, merge_visits, period_kind, search_period
from lcgen.compare.settings import resolve_engine
from lcgen.compare.table import bins_of

ASTROPY = Settings(engine="astropy", min_period=0.2)


def _sinusoid(period: float, *, n: int = 150, noise: float = 0.05, seed: int = 1, bright: float = 100.0) -> Series:
    """Two bands of one sinusoid with other amplitudes, over four seasons."""
    random = np.random.default_rng(seed)
    mjd = 60000.0 + 365.25 * random.integers(0, 4, n) + random.uniform(0.0, 180.0, n)
    band = random.integers(0, 2, n)
    mag = 0.3 * np.array([1.0, 0.6])[band] * np.sin(2 * np.pi * mjd / period) + random.normal(0, noise, n)
    flux = bright * 10 ** (-0.4 * mag) * np.array([1.0, 1.7])[band]
    return Series(mjd=mjd, flux=flux, flux_err=0.92 * noise * flux, band=band)


# Periods


@pytest.mark.parametrize("period", [0.31234, 0.55, 3.7, 41.0])
def test_period_of_a_sinusoid_in_two_bands(period: float) -> None:
    found = search_period(_sinusoid(period), ASTROPY)
    assert found.period == pytest.approx(period, rel=1e-3)
    assert found.log10_fap < -6


def test_power_is_that_of_an_independent_least_squares_fit() -> None:
    series = _sinusoid(0.55)
    found = search_period(series, ASTROPY)
    # the model written out: a mean in each band and one sinusoid, on the asinh magnitudes
    value, error = np.empty(series.mjd.size), np.empty(series.mjd.size)
    for k in (0, 1):
        rows = series.band == k
        soft = 2 * 1.042 * np.median(series.flux_err[rows])
        value[rows] = -2.5 / np.log(10) * np.arcsinh(series.flux[rows] / soft)
        own = 2.5 / np.log(10) * series.flux_err[rows] / np.hypot(series.flux[rows], soft)
        error[rows] = np.hypot(own, 0.1 * value[rows].std())
    means = np.stack([series.band == 0, series.band == 1], axis=1).astype(float)

    def chi2(frequency: float | None) -> float:
        design = means
        if frequency is not None:
            angle = 2 * np.pi * frequency * (series.mjd - series.mjd.min())
            design = np.column_stack([means, np.sin(angle), np.cos(angle)])
        fit = np.linalg.lstsq(design / error[:, None], value / error, rcond=None)[0]
        return float(np.sum(((value - design @ fit) / error) ** 2))

    grid = 1 / found.period + np.linspace(-1, 1, 41) / 4000
    best = max(1 - chi2(f) / chi2(None) for f in grid)
    assert found.power == pytest.approx(best, abs=2e-3)


def test_engines_agree() -> None:
    pytest.importorskip("nifty_ls")
    for seed in range(5):
        series = _sinusoid(0.6789, n=60, noise=0.2, seed=seed)
        periods = [search_period(series, Settings(engine=e, min_period=0.2)).period for e in ("astropy", "nifty-ls")]
        assert periods[0] == pytest.approx(periods[1], rel=1e-9)


def test_negative_fluxes_are_borne_and_few_measurements_give_no_period() -> None:
    series = _sinusoid(0.55, noise=0.4, bright=1.0)
    shifted = Series(mjd=series.mjd, flux=series.flux - 1.0, flux_err=series.flux_err, band=series.band)
    assert (shifted.flux < 0).any()
    assert np.isfinite(search_period(shifted, ASTROPY).period)
    few = Series(mjd=series.mjd[:9], flux=series.flux[:9], flux_err=series.flux_err[:9], band=series.band[:9])
    assert np.isnan(search_period(few, ASTROPY).period)


def test_false_alarms_of_noise_are_as_rare_as_stated() -> None:
    search, n = Settings(engine="astropy", min_period=1.0, max_period=50.0), 200
    random = np.random.default_rng(5)
    low = 0
    for _ in range(n):
        mjd, band = np.sort(random.uniform(0, 120.0, 60)), random.integers(0, 2, 60)
        series = Series(mjd=mjd, flux=100 + random.normal(0, 1.0, 60), flux_err=np.ones(60), band=band)
        low += search_period(series, search).log10_fap < -1.0
    # an upper bound of 10 %, plus the floor that errors get: with this many trials over 16 % would be a fault
    assert low <= binom.ppf(0.9999, n, 0.1)


def test_periods_of_real_cepheids(ogle_sample: LightCurves) -> None:
    ids = np.asarray(ogle_sample.columns["id"])
    right, names = 0, np.unique(ids)[:25]
    for name in names:
        stars = ogle_sample.take(np.flatnonzero(ids == name))
        series = Series(mjd=stars.mjd, flux=stars.flux, flux_err=stars.flux_err, band=stars.band_index.astype(np.int64))
        found = search_period(series, Settings(engine="astropy", min_period=0.3, max_period=100.0))
        right += abs(found.period / float(stars.columns["period"][0]) - 1.0) < 1e-3
    assert right >= 0.9 * names.size


@pytest.mark.parametrize(
    ("found", "true", "cls", "kind"),
    [
        (0.5004, 0.5, "RRLYR", "true"),
        (0.25, 0.5, "RRLYR", "half"),
        (1.0, 0.5, "RRLYR", "double"),
        (1.5, 0.5, "RRLYR", "harmonic"),
        (1 / (1 / 0.55 + 1 / 0.99726957), 0.55, "RRLYR", "daily"),
        (1 / (3.0 - 1 / 0.55), 0.55, "RRLYR", "daily"),
        (1 / (1 / 30.3 + 1 / 365.25), 30.3, "CEP", "yearly"),
        (30.3 * 1.0015, 30.3, "CEP", "near"),
        (0.777, 0.55, "RRLYR", "wrong"),
        (float("nan"), 0.55, "RRLYR", "none"),
        (1 / (2 / 0.55 - 1.0), 0.55, "ECL", "daily"),
        (1 / (2 / 0.55 - 1.0), 0.55, "RRLYR", "wrong"),
    ],
)
def test_kinds_of_periods(found: float, true: float, cls: str, kind: str) -> None:
    assert period_kind(found, true, class_name=cls, span=3650.0) == kind


# What is measured


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 80), st.integers(0, 2**32 - 1), st.floats(0.0, 60.0))
def test_merged_visits_keep_weight_and_weighted_flux(n: int, seed: int, minutes: float) -> None:
    random = np.random.default_rng(seed)
    series = Series(
        mjd=60000 + random.integers(0, 3, n) + random.uniform(0, 0.05, n),
        flux=random.normal(10, 3, n),
        flux_err=random.uniform(0.5, 2.0, n),
        band=random.integers(0, 3, n),
    )
    merged = merge_visits(series, minutes)
    assert merged.mjd.size <= n
    for k in range(3):
        before, after = series.band == k, merged.band == k
        weights = [np.sum(s.flux_err[rows] ** -2) for s, rows in ((series, before), (merged, after))]
        sums = [np.sum(s.flux[rows] / s.flux_err[rows] ** 2) for s, rows in ((series, before), (merged, after))]
        assert weights[0] == pytest.approx(weights[1])
        assert sums[0] == pytest.approx(sums[1], abs=1e-6)
        times = [np.sum(s.mjd[rows] / s.flux_err[rows] ** 2) for s, rows in ((series, before), (merged, after))]
        assert times[0] == pytest.approx(times[1])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.0, 1.0, exclude_max=True), min_size=1, max_size=60), st.integers(0, 19))
def test_phase_coverage_and_gap_do_not_depend_on_phase_zero(phases: list[float], shift: int) -> None:
    phase = np.round(np.array(phases), 3) % 1.0 + 0.0002
    phase = phase[phase < 1.0]
    turned = (phase + shift / 20) % 1.0
    first, second = phase_coverage(phase, 20), phase_coverage(turned, 20)
    assert first[0] == pytest.approx(second[0])
    assert first[1] == pytest.approx(second[1])
    assert 1 / max(phase.size, 1) - 1e-9 <= first[1] <= 1.0


def test_amplitude_and_mean_of_a_bright_star_are_right_in_each_band() -> None:
    series = _sinusoid(0.55, n=400, noise=0.01)
    zero = 31.4 - 2.5 * np.log10(100.0)
    truth = Truth(
        class_name="RRLYR",
        period=0.55,
        t0=0.0,
        amplitude=np.array([0.6, 0.36]),
        mean=np.array([zero, zero - 2.5 * np.log10(1.7)]),
    )
    row, features = measure_star(
        mjd=series.mjd,
        flux=series.flux,
        flux_err=series.flux_err,
        band=series.band,
        bands=("g", "r"),
        truth=truth,
        settings=ASTROPY,
    )
    for where in ("true", "found"):
        assert row[f"amplitude_at_{where}"] == pytest.approx(truth.amplitude, abs=0.012)
        assert row[f"mean_at_{where}"] == pytest.approx(truth.mean, abs=0.004)
    assert row["kind"] == "true"
    assert row["n_obs_band"].sum() == row["n_obs"] == 400
    assert np.isfinite(features).all()


def test_a_star_that_is_never_seen() -> None:
    nothing = np.empty(0)
    truth = Truth(class_name="CEP", period=5.0, t0=0.0, amplitude=np.array([0.5]), mean=np.array([20.0]))
    row, features = measure_star(
        mjd=nothing,
        flux=nothing,
        flux_err=nothing,
        band=np.empty(0, np.int64),
        bands=("r",),
        truth=truth,
        settings=ASTROPY,
    )
    assert (row["n_obs"], row["coverage"], row["gap"], row["kind"]) == (0, 0.0, 1.0, "none")
    assert np.isnan(row["amplitude_at_true"]).all()
    assert np.isnan(features[0])


# The bootstrap


def test_bootstrap_errors_are_the_known_ones() -> None:
    random, n = np.random.default_rng(3), 400
    boot = PairedBootstrap(np.zeros(n, dtype=int), n_boot=4000, seed=1)
    share = (random.random(n) < 0.3).astype(float)
    p = share.mean()
    # 4,000 samples give the error to 1.1 %
    assert boot.level(share, "share").error == pytest.approx(np.sqrt(p * (1 - p) / n), rel=0.05)
    normal = random.normal(5, 2, n)
    assert boot.level(normal, "mean").error == pytest.approx(normal.std() / np.sqrt(n), rel=0.05)
    medians = [np.median(random.normal(0, 2, n)) for _ in range(4000)]
    assert boot.level(normal, "median").error == pytest.approx(np.std(medians), rel=0.3)


def test_paired_errors_are_smaller_than_unpaired_ones_and_right() -> None:
    random, n = np.random.default_rng(4), 300
    star = random.normal(0, 1, n)
    first, second = star + random.normal(0, 0.2, n), star + 0.1 + random.normal(0, 0.2, n)
    boot = PairedBootstrap(np.zeros(n, dtype=int), n_boot=2000, seed=1)
    for statistic in ("mean", "median"):
        change = boot.difference(second, first, statistic)
        assert change.error < 0.6 * change.unpaired_error
    change = boot.difference(second, first, "mean")
    assert change.error == pytest.approx((second - first).std() / np.sqrt(n), rel=0.06)
    assert change.n_sigma > 5


def test_stars_without_a_value_under_one_cadence_are_left_out_of_the_difference() -> None:
    first = np.array([1.0, 2.0, 3.0, np.nan] * 20)
    second = np.array([1.5, 2.5, np.nan, 9.0] * 20)
    boot = PairedBootstrap(np.zeros(80, dtype=int), n_boot=200, seed=1)
    for statistic in ("mean", "median"):
        change = boot.difference(second, first, statistic)
        assert (change.n, change.value) == (40, pytest.approx(0.5))
    assert np.isnan(boot.difference(np.full(80, np.nan), first, "median").error)


def test_strata_keep_their_numbers() -> None:
    strata = np.repeat([0, 1], [30, 5])
    boot = PairedBootstrap(strata, n_boot=200, seed=1)
    # were strata mixed the share of the second would scatter
    assert boot.level((strata == 1).astype(float), "mean").error == pytest.approx(0.0, abs=1e-12)


def test_every_bin_holds_enough_stars_and_all_stars_are_in_one() -> None:
    random = np.random.default_rng(1)
    cls = np.repeat(["CEP", "RRLYR"], [90, 15])
    period, mag = random.lognormal(0, 1, 105), random.uniform(18, 24, 105)
    bins = bins_of(cls, ["CEP", "RRLYR"], period=period, mean_mag=mag, settings=Settings())
    cepheids = [b for b in bins if b.class_name == "CEP" and b.by == "period"]
    assert len(cepheids) == 4
    assert min(b.rows.size for b in cepheids) >= 20
    assert np.array_equal(np.sort(np.concatenate([b.rows for b in cepheids])), np.arange(90))
    for each in cepheids:
        assert ((period[each.rows] >= each.low) & (period[each.rows] <= each.high)).all()
    assert not [b for b in bins if b.class_name == "RRLYR" and b.by == "period"]


# Cadences


def test_thinned_cadence_keeps_every_nth_visit_of_each_band() -> None:
    whole = as_cadence("lsst-wfd")
    third = thin("lsst-wfd", every=3)
    for index in (0, 5):
        visits, kept = whole.visits(seed=2, index=index), third.visits(seed=2, index=index)
        for band in visits.bands:
            assert np.array_equal(kept.mjd[kept.band == band], visits.mjd[visits.band == band][::3])
    assert third.per_star == whole.per_star
    assert third.bands == whole.bands


@pytest.mark.parametrize("every", [1, 0, 2.5, True, "2"])
def test_thinning_by_nonsense_is_refused(every: object) -> None:
    with pytest.raises(InputError, match="whole number from 2"):
        thin("lsst-wfd", every=every)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["lsst-wfd:every=x", "lsst-wfd:every=", "lsst-wfd:every=1"])
def test_thinning_on_the_command_line_says_what_it_takes(text: str) -> None:
    with pytest.raises(InputError, match="whole number from 2"):
        parse_cadence(text)


def test_cadences_of_equal_name_get_numbers() -> None:
    labels = list(labelled_cadences(["css", "css", "css:every=2"]))
    assert labels == ["css", "css (2)", "css:every=2"]
    assert list(labelled_cadences({"old": "css", "new": "ogle3-lmc"})) == ["old", "new"]
    with pytest.raises(InputError, match="nothing to compare"):
        labelled_cadences([])
    with pytest.raises(UnknownNameError):
        labelled_cadences(["lsst-wdf"])


def test_stars_off_the_footprint_are_found_out(data_dir) -> None:
    schedule = OpSim(data_dir / "cadences" / "opsim_small.db")
    visits = schedule.pointings()
    ra, dec = float(np.asarray(visits.ra)[0]), float(np.asarray(visits.dec)[0])
    columns: dict[str, NDArray] = {
        "star_id": np.array([4, 5]),
        "ra": np.array([ra, (ra + 180.0) % 360.0]),
        "dec": np.array([dec, -dec]),
    }
    for cadence in (schedule, thin(schedule)):
        fetched = FetchedVisits.of(cadence, columns)
        assert fetched is not None
        assert list(fetched.found) == [4]
        assert np.array_equal(fetched.visits(index=4).mjd, cadence.visits(ra=ra, dec=dec).mjd)
    with pytest.raises(CadenceError):
        schedule.visits(ra=float(columns["ra"][1]), dec=float(columns["dec"][1]))


# Settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_period": 0.0},
        {"min_period": 2.0, "max_period": 1.0},
        {"tolerance": 0.5},
        {"n_folds": 1},
        {"phase_bins": 2.5},
        {"snr": float("nan")},
        {"engine": "fftw"},
    ],
)
def test_impossible_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError):
        Settings(**wrong)


def test_engine_is_resolved_to_one_that_is_there() -> None:
    assert resolve_engine(Settings()).engine in ("astropy", "nifty-ls")


def test_loading_what_is_no_comparison(tmp_path) -> None:
    from lcgen import DataError

    with pytest.raises(DataError, match="no finished comparison"):
        load(tmp_path)
