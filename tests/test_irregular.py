"""Stars that do not repeat exactly: what they do, how it is measured, and who can ask for it."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from lcgen import InputError, LightCurveGenerator, LightCurves, generate_ensemble, open_ensemble
from lcgen.cli.main import main
from lcgen.observe.irregular import Irregularity, Kind, SecondMode, Wander, correlation
from lcgen.prepare.dataset import PreparedCurves, prepare
from lcgen.train.irregular import measure_irregularity, times_from_packs

PHASE = Wander(median=0.01, spread=0.5, time=300.0)
KNOWN = Irregularity(
    kinds={
        "LPV/": Kind(
            amplitude=Wander(median=0.08, spread=0.4, time=3.2, unit="period"),
            added=Wander(median=0.06, spread=0.4, time=0.4, unit="period"),
            explained=0.6,
        ),
        "RRLYR/RRab": Kind(amplitude=Wander(median=0.06, spread=0.7, time=10.0), phase=PHASE),
        "RRLYR/RRd": Kind(
            phase=PHASE, second_mode=SecondMode(share=0.8, median=0.12, spread=0.3, ratio=0.745, ratio_spread=0.001)
        ),
    },
    noise_ratio={"CSS": {"LPV": 1.25}},
    drift={"CSS V": 0.019},
)
TIMES = np.sort(np.random.default_rng(3).uniform(60000.0, 63650.0, 60))


@pytest.fixture(scope="module")
def generator(shipped_generator: LightCurveGenerator) -> LightCurveGenerator:
    """The shipped model with a known irregularity."""
    out = copy.copy(shipped_generator)
    out.info = {**shipped_generator.info, "irregularity": json.loads(json.dumps(KNOWN.to_config()))}
    return out


@pytest.fixture(scope="module")
def plain(shipped_generator: LightCurveGenerator) -> LightCurveGenerator:
    """The shipped model without any."""
    out = copy.copy(shipped_generator)
    out.info = {k: v for k, v in shipped_generator.info.items() if k != "irregularity"}
    return out


def test_a_star_does_the_same_in_any_batch_and_under_any_cadence(generator: LightCurveGenerator) -> None:
    classes = np.array(["LPV", "RRLYR", "ECL", "RRLYR", "LPV"])
    stars = generator.draw(classes, seed=4)
    whole = stars.observe(TIMES, irregular=True)
    few = stars[[4, 1]].observe(TIMES[::2], irregular=True, seed=99)
    assert np.array_equal(few.mag[:30], whole.mag[4 * 60 :][::2])
    assert np.array_equal(few.mag[30:], whole.mag[60:120][::2])
    # visits of a number of their own, star by star
    ragged = stars.observe([TIMES[: 10 + 7 * i] for i in range(5)], irregular=True)
    for i in range(5):
        assert np.array_equal(ragged[i].mag, whole[i].mag[: 10 + 7 * i])
    later = generator.draw(classes[3:], seed=4, first_id=3).observe(TIMES, irregular=True)
    assert np.array_equal(later.mag, whole.mag[3 * 60 :])


def test_without_it_nothing_changes(generator: LightCurveGenerator, plain: LightCurveGenerator) -> None:
    stars, same = generator.draw("LPV", 20, seed=1), plain.draw("LPV", 20, seed=1)
    before = same.observe(TIMES)
    moved = stars.observe(TIMES, irregular=True)
    assert np.array_equal(stars.observe(TIMES).mag, before.mag)
    assert np.array_equal(stars.magnitude(TIMES).ravel(), before.mag)
    assert "irregularity" not in before.columns and "irregularity" not in stars.columns
    assert (moved.columns["irregularity"] > 0.0).all()
    assert not np.allclose(moved.mag, before.mag, atol=1e-3)


def test_stars_of_kinds_that_were_not_measured_repeat(generator: LightCurveGenerator) -> None:
    stars = generator.draw("ECL", 10, seed=1)
    curves = stars.observe(TIMES, irregular=True)
    assert np.array_equal(curves.mag, stars.magnitude(TIMES).ravel())
    assert not curves.columns["irregularity"].any()


def test_departures_have_the_stated_size(generator: LightCurveGenerator) -> None:
    stars = generator.draw(["LPV"] * 60 + ["RRLYR"] * 60, subclass=[""] * 60 + ["RRab"] * 30 + ["RRd"] * 30, seed=2)
    times = np.sort(np.random.default_rng(0).uniform(50000.0, 70000.0, 3000))
    curves = stars.observe(times, irregular=True)
    departure = (curves.mag - stars.magnitude(times).ravel()).reshape(120, -1)
    measured, stated = np.sqrt(np.mean(departure**2, axis=1)), curves.columns["irregularity"]
    # to first order in the wander of the phase
    assert np.median(measured / stated) == pytest.approx(1.0, abs=0.03)
    assert np.quantile(np.abs(np.log(measured / stated)), 0.9) < 0.2


def test_processes_have_the_stated_correlation() -> None:
    known = Irregularity(kinds={"LPV/": Kind(added=Wander(median=0.1, spread=0.0, time=0.5, unit="period"))})
    n, period, lags = 4000, 200.0, np.array([0.0, 0.25, 0.5, 1.0, 2.0])
    motion = known.realise(np.full(n, "LPV"), np.full(n, "SR"), np.full(n, period), np.arange(n), 5).at(
        np.repeat(np.arange(n), lags.size), np.tile(60500.0 + lags * period, n)
    )
    assert motion is not None and motion.amplitude is None and motion.added is not None
    values = motion.added.reshape(n, -1)
    found = (values[:, :1] * values).mean(axis=0) / 0.1**2
    np.testing.assert_allclose(found, correlation(lags / 0.5), atol=0.06)


def test_the_second_mode_is_there(generator: LightCurveGenerator) -> None:
    n = 200
    stars = generator.draw("RRLYR", n, params={"period": 0.36, "t0": 60000.0}, subclass="RRd", seed=3)
    times = np.sort(np.random.default_rng(1).uniform(60000.0, 60060.0, 400))
    curves = stars.observe(times, irregular=True)
    departure = (curves.mag - stars.magnitude(times).ravel()).reshape(n, -1)
    ratios = np.arange(0.6, 0.9, 0.001)
    power = np.abs(departure @ np.exp(-2j * np.pi * np.outer(times, ratios) / 0.36)).max(axis=0)
    assert ratios[power.argmax()] == pytest.approx(0.745, abs=0.006)
    peak = np.abs(departure @ np.exp(-2j * np.pi * np.outer(times, ratios) / 0.36)).max(axis=1)
    size = stars.columns["amplitude"] * times.size
    assert np.mean(peak / size > 0.03) == pytest.approx(0.8, abs=0.1)


def test_survey_noise_does_not_count_it_twice(generator: LightCurveGenerator) -> None:
    stars = generator.draw("LPV", 60, params={"mean_mag": 14.0, "amplitude": 1.5}, seed=6)
    for irregular, ratio in ((False, generator.noise_models["CSS"].ratio["LPV"]), (True, 1.25)):
        noisy = stars.observe(TIMES, noise="CSS", irregular=irregular)
        clean = stars.observe(TIMES, irregular=irregular)
        assert np.std((noisy.mag - clean.mag) / noisy.mag_err) == pytest.approx(ratio, rel=0.05)


def test_generators_that_do_not_know_say_so(plain: LightCurveGenerator) -> None:
    with pytest.raises(InputError, match=plain.name):
        plain.sample("LPV", {"period": 300.0}, TIMES, irregular=True)
    assert plain.irregularity is None


def test_an_ensemble_may_have_it(generator: LightCurveGenerator, tmp_path: Path) -> None:
    mags = []
    for name, batch, irregular in (("a", 3, True), ("b", 50, True), ("c", 50, False)):
        summary = generate_ensemble(
            generator,
            tmp_path / name,
            classes=["LPV", "RRLYR"],
            n_per_class=4,
            cadence=TIMES,
            seed=1,
            irregular=irregular,
            batch_size=batch,
            progress=False,
        )
        assert summary.n_stars == 8
        with open_ensemble(tmp_path / name) as ensemble:
            mags.append(ensemble[:].mag)
            assert ("irregularity" in ensemble[:].columns) is irregular
            assert ensemble.header.provenance.get("irregular", False) is irregular
    assert np.array_equal(mags[0], mags[1])
    assert not np.array_equal(mags[0], mags[2])


def test_the_commands_offer_it(generator: LightCurveGenerator, tmp_path: Path) -> None:
    folder = generator.save(tmp_path / "model")
    words = ["sample", "LPV", "--model", str(folder), "--times", "60000", "60400", "--output"]
    stars = tmp_path / "stars.csv"
    assert main([*words, str(tmp_path / "a.csv"), "--irregular", "--stars", str(stars)]) == 0
    assert main([*words, str(tmp_path / "b.csv")]) == 0
    assert (tmp_path / "a.csv").read_text() != (tmp_path / "b.csv").read_text()
    assert "irregularity" in stars.read_text().splitlines()[0]


def test_what_is_stored_comes_back() -> None:
    again = Irregularity.from_config(json.loads(json.dumps(KNOWN.to_config())))
    assert again.kinds == KNOWN.kinds and again.noise_ratio == KNOWN.noise_ratio and again.drift == KNOWN.drift
    assert again.kind_of("LPV", "Mira") == KNOWN.kinds["LPV/"]
    assert again.kind_of("CEP", "F") == Kind()


# ---------------------------------------------------------------------- measuring


def _survey(cls: str, subclass: str, n: int, change, *, first: int = 0) -> LightCurves:
    """Stars with a skew curve, observed in pairs over seven years with noise of 3 % of the amplitude."""
    random = np.random.default_rng(first + 17)
    mjd, mag = [], []
    period = random.uniform(0.3, 0.7, n)
    for i in range(n):
        nights = np.sort(random.choice(2500, 45, replace=False)) + 0.1 * random.random(45)
        t = np.sort(np.concatenate([nights, nights + 0.02])) + 55000.0
        amplitude, phase, added = change(t - 55000.0, random, period[i])
        x = 2.0 * np.pi * (t / period[i] + phase)
        curve = np.cos(x) + 0.4 * np.cos(2.0 * x - 1.0)
        mag.append(15.0 + 0.2 * ((1.0 + amplitude) * curve + added) + 0.012 * random.standard_normal(t.size))
        mjd.append(t)
    counts = [t.size for t in mjd]
    return LightCurves(
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        mjd=np.concatenate(mjd),
        mag=np.concatenate(mag),
        mag_err=np.full(sum(counts), 0.024),
        band_index=np.zeros(sum(counts), dtype=np.uint8),
        band_names=("V",),
        columns={
            "id": np.array([f"{cls}{subclass}{first + i}" for i in range(n)]),
            "class": np.full(n, cls),
            "subclass": np.full(n, subclass),
            "period": period,
        },
        meta={"survey": "made"},
    )


def _wave(t, random, time, n_cosines=40):
    frequency, start = random.standard_t(4, n_cosines) / time, random.uniform(0, 2 * np.pi, n_cosines)
    return np.sqrt(2.0 / n_cosines) * np.cos(np.outer(t, frequency) + start).sum(axis=1)


def _repeats(t, random, period):
    return np.zeros(t.size), np.zeros(t.size), np.zeros(t.size)


def _prepare(*surveys: LightCurves) -> tuple[PreparedCurves, np.ndarray]:
    survey = LightCurves.concatenate(surveys)
    curves, _ = prepare([survey], bands=("V",), progress=False)
    rows = {str(s): i for i, s in enumerate(survey.columns["id"])}
    mjd = []
    for i in range(len(curves)):
        one = survey[rows[str(curves.star_id[i])]]
        phase = (one.phase() - curves.shift[i]) % 1.0
        mine = slice(curves.offsets[i], curves.offsets[i + 1])
        at = np.abs(phase[:, None] - curves.phase[mine]).argmin(axis=0)
        mjd.append(one.mjd[at])
    return curves, np.concatenate(mjd)


def test_what_was_put_in_is_measured() -> None:
    def wanders(t, random, period):
        return 0.15 * _wave(t, random, 10.0), 0.02 * _wave(t, random, 300.0), np.zeros(t.size)

    def double(t, random, period):
        second = 0.5 * np.cos(2.0 * np.pi * 0.745 * t / period + random.uniform(0, 6.0))
        return np.zeros(t.size), np.zeros(t.size), second

    curves, mjd = _prepare(
        _survey("RRLYR", "RRab", 36, wanders),
        _survey("RRLYR", "RRc", 14, _repeats, first=100),
        _survey("RRLYR", "RRd", 14, double, first=200),
        _survey("ECL", "EW", 20, _repeats, first=300),
    )
    known = measure_irregularity(curves, mjd, progress=False)
    assert set(known.kinds) == {"RRLYR/RRab", "RRLYR/RRd"}
    kind = known.kinds["RRLYR/RRab"]
    assert kind.amplitude is not None and kind.phase is not None and kind.added is None
    mean_square = [w.median * np.exp(w.spread**2) for w in (kind.amplitude, kind.phase)]
    assert mean_square[0] == pytest.approx(0.15, rel=0.3) and mean_square[1] == pytest.approx(0.02, rel=0.3)
    assert kind.amplitude.time in (3.0, 10.0, 30.0) and kind.phase.time in (100.0, 300.0, 1000.0)
    mode = known.kinds["RRLYR/RRd"].second_mode
    assert mode is not None and mode.ratio == pytest.approx(0.745, abs=0.001) and mode.share > 0.8
    peak_to_peak = 2.2
    assert mode.median == pytest.approx(0.5 / np.sqrt(2.0) / peak_to_peak, rel=0.2)
    # half of the quoted errors is noise; the rest of the scatter of these stars is theirs
    assert known.noise_ratio["made"]["ECL"] == pytest.approx(0.5, rel=0.1)
    assert known.noise_ratio["made"]["RRLYR"] < np.median(curves.scatter_ratio[curves.class_name == "RRLYR"])
    assert known.drift["made V"] < 0.006


def test_times_are_found_in_the_packs(small_packs: Path) -> None:
    from lcgen import read_pack

    survey = read_pack(small_packs / "css_v.h5")
    survey = dataclasses.replace(survey[:10], meta={"survey": "CSS"})
    curves, _ = prepare([survey], bands=("V",), progress=False)
    mjd = times_from_packs(curves, small_packs, [{"path": "css_v.h5", "survey": "CSS"}])
    assert np.isfinite(mjd).all()
    phase = (mjd / np.repeat(curves.params[:, 0], np.diff(curves.offsets))) % 1.0
    turned = (phase - np.repeat(curves.shift, np.diff(curves.offsets)) - curves.phase + 0.5) % 1.0 - 0.5
    assert np.abs(turned).max() < 1e-6


def test_measuring_needs_times(small_packs: Path) -> None:
    curves, mjd = _prepare(_survey("ECL", "EW", 2, _repeats))
    with pytest.raises(InputError, match="observations"):
        measure_irregularity(curves, mjd[:-1])
    with pytest.raises(InputError, match="times"):
        measure_irregularity(curves, np.full(mjd.size, np.nan))
