"""Periods of stars that come without one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcgen.catalog import PERIOD_SEARCHES, find_period, find_periods, join_parameters, read_pack
from lcgen.errors import InputError, UnknownNameError
from lcgen.lightcurve import LightCurves


def nightly(rng: np.random.Generator, n: int = 160, span: float = 900.0) -> np.ndarray:
    """Times at one site: at most one a night, within four hours of the meridian."""
    return 53_000.0 + np.sort(rng.choice(int(span), n, replace=False)) + 0.3 + rng.uniform(-0.17, 0.17, n)


def pulsator(mjd: np.ndarray, period: float, rng: np.random.Generator, noise: float = 0.05) -> np.ndarray:
    phase = 2 * np.pi * mjd / period
    shape = 0.3 * np.cos(phase) + 0.13 * np.cos(2 * phase + 2.0) + 0.06 * np.cos(3 * phase + 4.0)
    return 15.0 + shape + rng.normal(0, noise, mjd.size)


def binary(mjd: np.ndarray, period: float, depths: tuple[float, float], width: float = 0.04) -> np.ndarray:
    phase = mjd / period
    away = [(phase - at + 0.5) % 1.0 - 0.5 for at in (0.0, 0.5)]
    return 12.0 + np.sum([d * np.exp(-0.5 * (a / width) ** 2) for d, a in zip(depths, away, strict=True)], axis=0)


def same_period(found: float, true: float, span: float) -> bool:
    """Whether phases agree to a tenth of a cycle over the whole time."""
    return abs(1 / found - 1 / true) * span < 0.1


def stars(parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]], **columns: Any) -> LightCurves:
    n_obs = [p[0].size for p in parts]
    return LightCurves(
        offsets=np.concatenate([[0], np.cumsum(n_obs)]).astype(np.int64),
        mjd=np.concatenate([p[0] for p in parts]),
        mag=np.concatenate([p[1] for p in parts]),
        mag_err=np.concatenate([p[2] for p in parts]),
        band_index=np.zeros(sum(n_obs), dtype=np.uint8),
        band_names=("V",),
        columns={name: np.array(values) for name, values in columns.items()},
    )


# ---------------------------------------------------------------- one star


@settings(max_examples=8, deadline=None)
@given(period=st.floats(0.37, 0.94), seed=st.integers(0, 2**32 - 1))
def test_a_pulsator_seen_from_one_site(period: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mjd = nightly(rng)
    solution = find_period(mjd, pulsator(mjd, period, rng), np.full(mjd.size, 0.05), period_range=(0.35, 1.0))
    assert same_period(solution.period, period, np.ptp(mjd))
    assert abs(solution.period - period) < 6 * solution.period_err < 1e-3
    assert solution.significance > 5
    assert solution.scatter_ratio < 0.4
    assert solution.power > 0.8


def test_the_rival_of_a_star_with_daily_gaps_is_named_an_alias() -> None:
    rng = np.random.default_rng(3)
    mjd = nightly(rng)
    mag = 15.0 + 0.3 * np.cos(2 * np.pi * mjd / 0.31) + rng.normal(0, 0.1, mjd.size)
    solution = find_period(mjd, mag, np.full(mjd.size, 0.1), period_range=(0.2, 0.5), n_terms=1)
    assert same_period(solution.period, 0.31, np.ptp(mjd))
    assert solution.alias in ("day", "half-day")
    assert solution.second_ratio == pytest.approx(solution.second_period / solution.period)
    shift = abs(1 / solution.second_period - 1 / solution.period)
    assert min(abs(shift - s) for s in (1.0, 1.0027, 2.0, 2.0055)) < 0.002


def test_noise_is_not_significant() -> None:
    rng = np.random.default_rng(4)
    mjd = nightly(rng)
    mag = 15.0 + rng.normal(0, 0.1, mjd.size)
    solution = find_period(mjd, mag, np.full(mjd.size, 0.1), period_range=(0.2, 1.0))
    assert solution.significance < PERIOD_SEARCHES["RRLYR"].min_significance
    assert solution.scatter_ratio > PERIOD_SEARCHES["RRLYR"].max_scatter_ratio


@pytest.mark.parametrize(
    ("depths", "doubled"), [((0.8, 0.3), False), ((0.5, 0.5), True), ((0.6, 0.45), False)], ids=str
)
def test_a_binary_has_two_minima(depths: tuple[float, float], doubled: bool) -> None:
    rng = np.random.default_rng(5)
    mjd = nightly(rng, 300)
    mag = binary(mjd, 1.7345, depths) + rng.normal(0, 0.02, mjd.size)
    solution = find_period(mjd, mag, np.full(mjd.size, 0.02), period_range=(0.3, 10.0), n_terms=4, base_harmonic=2)
    assert same_period(solution.period, 1.7345, np.ptp(mjd))
    assert solution.doubled is doubled


def test_a_binary_with_one_minimum_gets_twice_the_period_and_says_so() -> None:
    rng = np.random.default_rng(6)
    mjd = nightly(rng, 300)
    mag = binary(mjd, 1.7345, (0.8, 0.0)) + rng.normal(0, 0.02, mjd.size)
    solution = find_period(mjd, mag, np.full(mjd.size, 0.02), period_range=(0.3, 10.0), n_terms=4, base_harmonic=2)
    assert same_period(solution.period, 2 * 1.7345, np.ptp(mjd))
    assert solution.doubled


def test_outliers_and_the_zero_of_time_and_magnitude_do_not_matter() -> None:
    rng = np.random.default_rng(7)
    mjd = nightly(rng)
    mag, err = pulsator(mjd, 0.5432, rng), np.full(mjd.size, 0.05)
    spoilt = mag.copy()
    spoilt[::40] += 5.0
    plain, shifted, outlying = (
        find_period(t, m, err, period_range=(0.35, 1.0)).period
        for t, m in ((mjd, mag), (mjd - 53_000.0, mag - 9.0), (mjd, spoilt))
    )
    assert shifted == pytest.approx(plain, rel=1e-9)
    assert same_period(outlying, plain, np.ptp(mjd))


def test_unrefined_is_near() -> None:
    rng = np.random.default_rng(8)
    mjd = nightly(rng)
    mag = pulsator(mjd, 0.5432, rng)
    solution = find_period(mjd, mag, np.full(mjd.size, 0.05), period_range=(0.35, 1.0), refine=False)
    assert same_period(solution.period, 0.5432, np.ptp(mjd))
    assert np.isnan(solution.period_err)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"period_range": (1.0, 0.5)}, r"increasing positive numbers, received \(1, 0.5\)"),
        ({"period_range": (0.0, 0.5)}, "increasing positive"),
        ({"period_range": (1e-4, 0.5)}, "raise the shortest period"),
        ({"period_range": 3.0}, "two numbers"),
        ({"base_harmonic": 3}, "allowed are 1 and 2"),
        ({"n_terms": 0}, "allowed are 1 to 10"),
        ({"mag": np.full(160, 15.0)}, "all the same"),
        ({"mag": np.full(159, 15.0)}, "shapes"),
        ({"mag_err": np.zeros(160)}, "positive errors"),
        ({"mjd": np.full(160, np.nan)}, "finite times"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_refusals(change: dict[str, Any], match: str) -> None:
    rng = np.random.default_rng(9)
    mjd = nightly(rng)
    arguments: dict[str, Any] = {"mjd": mjd, "mag": pulsator(mjd, 0.5, rng), "mag_err": np.full(160, 0.05)}
    arguments |= {"period_range": (0.3, 1.0), **change}
    with pytest.raises(InputError, match=match):
        find_period(**arguments)


def test_few_observations_are_refused() -> None:
    with pytest.raises(InputError, match="at least 25 observations, received 10"):
        find_period(np.arange(10.0), np.arange(10.0), np.ones(10), period_range=(0.3, 1.0))


def test_a_range_narrower_than_the_resolution() -> None:
    rng = np.random.default_rng(12)
    mjd = nightly(rng)
    limits = (0.54315, 0.54325)
    found = find_period(mjd, pulsator(mjd, 0.5432, rng), np.full(mjd.size, 0.05), period_range=limits)
    assert limits[0] <= found.period <= limits[1]
    assert found.significance == np.inf
    assert np.isnan(found.second_period)


# ---------------------------------------------------------------- many stars


@pytest.fixture(scope="module")
def mixed() -> LightCurves:
    """One star for each fate but the daily ones."""
    rng = np.random.default_rng(10)
    mjd = nightly(rng, 250)
    err = np.full(mjd.size, 0.05)
    star = (mjd, pulsator(mjd, 0.5678, rng), err)
    few = (mjd[:12], star[1][:12], err[:12])
    noise = (mjd, 15 + rng.normal(0, 0.05, mjd.size), err)
    single = (mjd, binary(mjd, 1.7345, (0.8, 0.0)) + rng.normal(0, 0.02, mjd.size), err)
    return stars(
        [star, star, star, few, noise, (mjd, np.full(mjd.size, 15.0), err), single],
        id=list("abcdefg"),
        **{"class": ["RRLYR", "RRLYR", "RRLYR", "RRLYR", "RRLYR", "RRLYR", "ECL"]},
        subclass=["RRab", "RRab", "RRd", "RRab", "RRab", "RRab", "EA"],
        period=[np.nan, 0.6, np.nan, np.nan, np.nan, np.nan, np.nan],
    )


def test_every_star_is_counted_once(mixed: LightCurves) -> None:
    found = find_periods(mixed)
    period, quality = found.columns["period"], found.columns["period_quality"]
    assert found.meta["periods"] == {
        **{"known": 1, "found": 1, "no search": 1, "few observations": 1, "poor fold": 1, "constant": 1},
        "half or double": 1,
    }
    assert same_period(period[0], 0.5678, 900.0)
    assert period[1] == 0.6
    assert np.isnan(period[2:]).all()
    assert np.isfinite(quality).tolist() == [True] + [False] * 6
    assert found.columns["period_err"][0] < 1e-4
    assert np.isnan(mixed.columns["period"][0]), "the stars handed in are not changed"


def test_the_result_does_not_depend_on_the_number_of_workers(mixed: LightCurves) -> None:
    alone = find_periods(mixed)
    together = find_periods(mixed, workers=2)
    for name in ("period", "period_quality", "period_err"):
        np.testing.assert_array_equal(alone.columns[name], together.columns[name])
    assert together.meta["periods"] == alone.meta["periods"]


def test_ranges_of_a_class_hold_for_its_subclasses(mixed: LightCurves) -> None:
    star = mixed.take([0])
    for ranges in ({"RRLYR": (0.2, 0.4)}, {"RRLYR/RRab": (0.2, 0.4)}):
        assert not find_periods(star, ranges=ranges).columns["period"][0] > 0.4
    found = find_periods(star, ranges={"RRLYR": (0.2, 0.4), "RRLYR/RRab": (0.4, 0.9)})
    assert same_period(found.columns["period"][0], 0.5678, 900.0)


def test_the_period_of_the_nights_is_refused() -> None:
    rng = np.random.default_rng(11)
    mjd = nightly(rng, 250)
    mag = 15 + 0.5 * np.sin(2 * np.pi * mjd / 2.0) + rng.normal(0, 0.02, mjd.size)
    star = stars([(mjd, mag, np.full(mjd.size, 0.02))], **{"class": ["ECL"]}, subclass=["EB"])
    mag = 15 + 0.5 * np.sin(2 * np.pi * mjd) + rng.normal(0, 0.02, mjd.size)
    daily = replace(star, mag=mag)
    assert find_periods(daily).meta["periods"]["found"] == 0


def test_find_periods_refusals(mixed: LightCurves) -> None:
    with pytest.raises(InputError, match="workers = 0"):
        find_periods(mixed, workers=0)
    with pytest.raises(UnknownNameError, match="RRLYR"):
        find_periods(mixed, ranges={"RRLYRAE": (0.2, 1.0)})
    with pytest.raises(InputError, match="received \\(2, 1\\)"):
        find_periods(mixed, ranges={"RRLYR": (2.0, 1.0)})
    with pytest.raises(InputError, match="by class"):
        find_periods(replace(mixed, columns={"id": mixed.columns["id"]}))


# ---------------------------------------------------------------- real stars


@pytest.mark.data
@pytest.mark.parametrize(
    ("pack", "cls", "subclass"),
    [
        ("ogle3_lmc_cep_i", "CEP", "1O"),
        ("ogle3_lmc_cep_i", "CEP", "F"),
        ("css_south_v", "RRLYR", "RRab"),
        ("css_south_v", "RRLYR", "RRc"),
        ("css_south_v", "ECL", "EW"),
    ],
)
def test_catalogue_periods_are_found_again(real: dict[str, LightCurves], pack: str, cls: str, subclass: str) -> None:
    curves = real[pack]
    known = np.isfinite(curves.columns["period"])
    rows = np.flatnonzero(known & (curves.columns["class"] == cls) & (curves.columns["subclass"] == subclass))[:6]
    some = curves.take(rows)
    true = some.columns["period"]
    found = find_periods(replace(some, columns={**some.columns, "period": np.full(rows.size, np.nan)}))
    period = found.columns["period"]
    kept = np.isfinite(period)
    assert kept.sum() >= 4
    np.testing.assert_allclose(period[kept], true[kept], rtol=1e-4)


@pytest.mark.data
def test_periods_found_in_i_are_given_to_v(real: dict[str, LightCurves], data_dir: Path) -> None:
    curves = real["ogle3_lmc_cep_i"]
    missing = ~np.isfinite(curves.columns["period"]) & (curves.columns["subclass"] == "1O")
    red = find_periods(curves.take(np.flatnonzero(missing)[:4]))
    assert red.meta["periods"]["found"] == 4
    visual = read_pack(data_dir / "lightcurves" / "ogle3_lmc_cep_v.h5", classes=["CEP"])
    visual = visual.take(np.flatnonzero(np.isin(visual.columns["id"], red.columns["id"])))
    joined = join_parameters(visual, {name: red.columns[name] for name in ("id", "period")})
    period = dict(zip(red.columns["id"], red.columns["period"], strict=True))
    assert len(joined) > 0
    assert joined.columns["period"].tolist() == [period[star] for star in joined.columns["id"]]


@pytest.fixture(scope="module")
def real(data_dir: Path) -> dict[str, LightCurves]:
    return {
        "ogle3_lmc_cep_i": read_pack(data_dir / "lightcurves" / "ogle3_lmc_cep_i.h5", classes=["CEP"]),
        "css_south_v": read_pack(data_dir / "lightcurves" / "css_south_v.h5", classes=["RRLYR", "ECL"]),
    }
