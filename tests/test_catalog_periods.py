"""Periods of stars that come without one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcgen.catalog import (
    PERIOD_COLUMNS,
    PERIOD_SEARCHES,
    find_period,
    find_periods,
    join_parameters,
    period_run,
    read_pack,
    read_periods,
    tabulate_periods,
    write_pack,
    write_periods,
)
from lcgen.cli import main
from lcgen.errors import DataFormatError, InputError, UnknownNameError
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


# ---------------------------------------------------------------- tables

names = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=8)
numbers = st.floats(1e-3, 1e5)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            names,
            names,
            names,
            numbers,
            st.floats(-5, 1e6) | st.just(np.inf),
            st.floats(0, 1),
            st.sampled_from(["", "edge"]),
        ),
        min_size=1,
        max_size=5,
        unique_by=lambda row: row[0],
    )
)
def test_a_table_is_read_as_it_was_written(rows: list[tuple], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("table") / "a.csv"
    columns = dict(zip(PERIOD_COLUMNS, zip(*rows, strict=True), strict=True))
    write_periods(columns, path, settings={"n": 1})
    table = read_periods(path, flagged=True)
    assert table.meta["settings"] == {"n": 1}
    for name in PERIOD_COLUMNS:
        if table[name].dtype.kind == "f":
            np.testing.assert_allclose(table[name], columns[name], rtol=1e-9)
        else:
            assert table[name].tolist() == list(columns[name])
    kept = read_periods(path)
    assert kept["id"].tolist() == [row[0] for row in rows if not row[-1]]
    assert (kept.meta["rows"], kept.meta["kept"]) == (len(rows), kept.n_rows)


def table_text(*, line: int, text: str) -> str:
    lines = ['# lcgen-periods {"format_version": 1, "settings": {}}', ",".join(PERIOD_COLUMNS), "a,ECL,EW,0.5,9,0.3,"]
    return "\n".join([*lines[: line - 1], text, *lines[line:]]) + "\n"


@pytest.mark.parametrize(
    ("line", "text", "match"),
    [
        (1, "id,period", "no table of periods"),
        (1, "# lcgen-periods {", "settings"),
        (1, '# lcgen-periods {"format_version": 2, "settings": {}}', "format version 2"),
        (1, '# lcgen-periods {"format_version": 1, "settings": 3}', "JSON object"),
        (2, "id,period", "columns must be id,class"),
        (3, "a,ECL,EW,0.5,9", "5 columns where 7"),
        (3, "a,ECL,EW,half,9,0.3,", "period: 'half' is not a number"),
        (3, "a,ECL,EW,,9,0.3,", "a period of nothing is kept"),
        (3, "a,ECL,EW,-1,9,0.3,", "a period of -1 is kept"),
        (3, ",ECL,EW,0.5,9,0.3,", "without id"),
        (4, "a,ECL,EW,0.5,9,0.3,", "'a' comes twice"),
    ],
)
def test_a_malformed_table_is_refused_with_its_line(line: int, text: str, match: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(table_text(line=line, text=text))
    with pytest.raises(DataFormatError, match=match) as error:
        read_periods(path)
    assert error.value.line == line


def test_tables_that_cannot_be_meant_are_not_written(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    good = {
        name: ["a"] if name not in ("period", "significance", "scatter_ratio") else [0.5] for name in PERIOD_COLUMNS
    }
    good["flag"] = [""]
    for change, match in (
        ({"id": [""]}, "one identifier a star"),
        ({"period": [np.nan]}, "neither a period nor a flag"),
        ({"period": [0.5, 0.6]}, "different length"),
    ):
        with pytest.raises(InputError, match=match):
            write_periods({**good, **change}, path, settings={})
    with pytest.raises(InputError, match=r"missing: \['flag'\]"):
        write_periods({name: good[name] for name in PERIOD_COLUMNS[:-1]}, path, settings={})
    with pytest.raises(InputError, match="JSON"):
        write_periods(good, path, settings={"a": object()})
    assert not list(tmp_path.iterdir())


def test_a_table_says_of_every_star_what_find_periods_found(mixed: LightCurves, tmp_path: Path) -> None:
    table = tabulate_periods(mixed, tmp_path / "a.csv")
    assert table["id"].tolist() == list("acdefg")
    assert table["flag"].tolist() == ["", "no search", "few observations", "poor fold", "constant", "half or double"]
    found = find_periods(mixed)
    assert table["period"][0] == pytest.approx(found.columns["period"][0], rel=1e-9)
    assert table["significance"][0] == pytest.approx(found.columns["period_quality"][0], rel=1e-9)
    assert np.isfinite(table["period"]).tolist() == [True, False, False, True, False, True]
    kept = read_periods(tmp_path / "a.csv")
    joined = join_parameters(mixed, kept, columns=["period"])
    np.testing.assert_allclose(joined.columns["period"], found.columns["period"], rtol=1e-9)
    everything = tabulate_periods(mixed, tmp_path / "b.csv", known=True, subclasses=["RRab"], classes="RRLYR")
    assert everything["id"].tolist() == list("abdef")


def test_an_interrupted_table_goes_on(mixed: LightCurves, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, path = tmp_path / "whole.csv", tmp_path / "part.csv"
    tabulate_periods(mixed, whole)
    search, searched = period_run.search_stars, []

    def stopping(curves: LightCurves, wanted: Any, **options: Any) -> Any:
        for i, outcome in search(curves, wanted, **options):
            if len(searched) == 2:
                raise KeyboardInterrupt
            searched.append(i)
            yield i, outcome

    with monkeypatch.context() as patch:
        patch.setattr(period_run, "search_stars", stopping)
        with pytest.raises(KeyboardInterrupt):
            tabulate_periods(mixed, path)
    assert read_periods(path, flagged=True)["id"].tolist() == ["a", "c"]

    def counting(curves: LightCurves, wanted: Any, **options: Any) -> Any:
        searched.extend(i for i, _ in wanted)
        return search(curves, wanted, **options)

    monkeypatch.setattr(period_run, "search_stars", counting)
    tabulate_periods(mixed, path)
    assert sorted(searched) == [0, 2, 3, 4, 5, 6], "each star once"
    assert path.read_text() == whole.read_text()
    tabulate_periods(mixed, path)
    assert len(searched) == 6


def test_tables_of_other_settings_are_not_mixed(mixed: LightCurves, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    tabulate_periods(mixed.take([0]), path)
    with pytest.raises(InputError, match=r"other settings \(stars, observations, searches\).*--overwrite"):
        tabulate_periods(mixed, path, classes=["ECL"])
    assert tabulate_periods(mixed, path, classes=["ECL"], overwrite=True)["id"].tolist() == ["g"]
    assert tabulate_periods(mixed, path, subclasses=["RRd"])["id"].tolist() == ["c", "g"]


def test_tabulate_refusals(mixed: LightCurves, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    refused: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"classes": ["CEP"]}, UnknownNameError, "unknown class of these stars 'CEP'.*ECL, RRLYR"),
        ({"subclasses": ["EB"]}, UnknownNameError, "unknown subclass of these stars 'EB'"),
        ({"workers": 0}, InputError, "workers = 0"),
    ]
    for options, kind, match in refused:
        with pytest.raises(kind, match=match):
            tabulate_periods(mixed, path, **options)
    with pytest.raises(InputError, match="all of those chosen have a period"):
        tabulate_periods(mixed.take([1]), path)
    with pytest.raises(InputError, match="1 are repeated"):
        tabulate_periods(mixed.take([0, 0]), path)
    with pytest.raises(InputError, match="'id'"):
        tabulate_periods(replace(mixed, columns={"class": mixed.columns["class"]}), path)
    path.write_text("something of the user's own\n")
    with pytest.raises(DataFormatError, match="no table of periods"):
        tabulate_periods(mixed, path)
    assert not path.read_text().startswith("#")


def test_the_command(mixed: LightCurves, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack, table = str(tmp_path / "pack.h5"), str(tmp_path / "a.csv")
    write_pack(mixed, pack, survey="X", band="V", citation="", time_standard="")
    assert main(["periods", pack, "-o", table, "--class", "RRLYR", "--subclass", "RRab"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"{table}: 4 stars, 1 with a period",
        *(f"not kept: 1 {flag}" for flag in ("few observations", "poor fold", "constant")),
    ]
    assert err == ""
    assert read_periods(table)["id"].tolist() == ["a"]
    assert main(["periods", pack, "-o", table]) == 0
    assert "6 stars, 1 with a period" in capsys.readouterr().out
    assert main(["periods", pack, "-o", str(tmp_path / "nowhere" / "a.csv")]) == 2
    assert "nowhere" in capsys.readouterr().err


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
