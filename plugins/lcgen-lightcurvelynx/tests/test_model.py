"""The model against lcgen itself, and inside LightCurveLynx's simulations."""

from __future__ import annotations

import pickle
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lightcurvelynx.effects.white_noise import WhiteNoise
from lightcurvelynx.graph_state import GraphState
from lightcurvelynx.math_nodes.given_sampler import GivenValueList, GivenValueSampler
from lightcurvelynx.math_nodes.np_random import NumpyRandomFunc
from lightcurvelynx.obstable.opsim import OpSim
from lightcurvelynx.simulate import simulate_lightcurves
from lightcurvelynx.survey_info import SurveyInfo
from nested_pandas import NestedFrame, read_parquet

from lcgen import LightCurveGenerator
from lcgen.errors import DomainError, InputError, IntegrityError, UnitError, UnknownNameError
from lcgen.photometry import flux_to_mag
from lcgen_lightcurvelynx import PeriodicStarModel

RA, DEC = 60.0, -30.0
CLASSES = ("ACEP", "CEP", "DSCT", "ECL", "ELL", "LPV", "RRLYR", "T2CEP")
TIMES = np.random.default_rng(5).uniform(58000.0, 64000.0, 60)
FILTERS = np.tile(list("ugrizy"), 10)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def sampled(node: str = "uniform", **kwargs: float) -> NumpyRandomFunc:
    return NumpyRandomFunc(node, **kwargs)


def mixture() -> PeriodicStarModel:
    """All classes, some parameters from the library's samplers, some from lcgen."""
    return PeriodicStarModel(
        GivenValueSampler(list(CLASSES)),
        mean_mag=sampled(low=17.0, high=22.0),
        a_v=sampled(low=0.0, high=0.5),
        ra=RA,
        dec=DEC,
        seed=11,
    )


def moved(model: PeriodicStarModel) -> PeriodicStarModel:
    """The model as it comes to another process."""
    return pickle.loads(pickle.dumps(model))  # noqa: S301


def run(model: Any, n: int, survey: SurveyInfo, **options: Any) -> NestedFrame:
    return simulate_lightcurves(model, n, survey, progress_bar=False, **options)


def perfect(results: NestedFrame) -> list[bytes]:
    """The noise-free fluxes of each object, to the last bit."""
    return [np.asarray(lc["flux_perfect"], dtype=float).tobytes() for lc in results["lightcurve"]]


# ---------------------------------------------------------------------- the same stars as lcgen's
@pytest.mark.parametrize("cls", CLASSES)
def test_fluxes_are_those_of_lcgen(generator: LightCurveGenerator, cls: str) -> None:
    model = PeriodicStarModel(cls, distance=5e4, e_bv=0.3, seed=7, survey_bands=("u", "r", "V", "ztf_g", "I"))
    state = model.sample_parameters(num_samples=4)
    stars = generator.draw(cls, 4, params={"distance": 5e4, "e_bv": 0.3}, seed=7)
    for band in ("u", "r", "V", "ztf_g", "I"):
        fluxes = model.evaluate_bandfluxes(None, TIMES, np.full(TIMES.size, band), state)
        assert np.abs(flux_to_mag(fluxes, band) - stars.magnitude(TIMES, band)).max() < 1e-6
    for name in ("period", "amplitude", "mean_mag", "t0", "teff"):
        assert np.array_equal(state[f"PeriodicStarModel_0.{name}"], stars.columns[name], equal_nan=True)


def test_given_parameters_are_those_of_the_star() -> None:
    model = PeriodicStarModel(
        "RRLYR", subclass="RRab", period=sampled(low=0.5, high=0.7), amplitude=1.0, t0=60000.25, mean_mag=18.0, seed=3
    )
    state = model.sample_parameters(num_samples=30, rng_info=rng())
    assert set(state["PeriodicStarModel_0.subclass"]) == {"RRab"}
    period = state["PeriodicStarModel_0.period"]
    assert period.min() >= 0.5 and period.max() <= 0.7 and np.ptp(period) > 0.1
    cycle = 60000.25 + np.arange(512)[:, None] / 512 * period
    for k, one in enumerate(state):
        mag = flux_to_mag(model.compute_bandflux(cycle[:, k], "V", one), "V")
        assert abs(mag.mean() - 18.0) < 2e-4 and abs(np.ptp(mag) - 1.0) < 2e-3
        # phase zero is maximum light of the first harmonic, at any epoch
        later = flux_to_mag(model.compute_bandflux(cycle[:, k] + 5000.0 * period[k], "V", one), "V")
        assert np.abs(later - mag).max() < 1e-5
        assert abs(np.angle(np.fft.fft(-mag)[1])) < 0.2


def test_a_distance_dims_and_dust_reddens(generator: LightCurveGenerator) -> None:
    near, far, dusty = (
        PeriodicStarModel("CEP", seed=2, distance=d, a_v=a) for d, a in ((1e5, None), (1e6, None), (1e5, 1.0))
    )
    fluxes = [m.evaluate_bandfluxes(None, TIMES, FILTERS, m.sample_parameters()) for m in (near, far, dusty)]
    assert np.allclose(fluxes[0] / fluxes[1], 100.0, rtol=1e-9)
    dimmed = -2.5 * np.log10(fluxes[2] / fluxes[0])
    stars = [generator.draw("CEP", 1, params={"distance": 1e5, "a_v": a}, seed=2) for a in (0.0, 1.0)]
    for k, band in enumerate("ugrizy"):
        expected = float(stars[1].mean_magnitude(band)[0] - stars[0].mean_magnitude(band)[0])
        assert np.abs(dimmed[k::6] - expected).max() < 1e-9
    assert (np.diff(dimmed[:6]) < 0).all() and dimmed[0] > 1.4


def test_irregular_stars_are_those_of_observe(generator: LightCurveGenerator) -> None:
    bands = [FILTERS[TIMES.argsort()], np.sort(TIMES)]
    regular, irregular = (PeriodicStarModel("LPV", mean_mag=16.0, seed=4, irregular=i) for i in (False, True))
    states = [m.sample_parameters(num_samples=3) for m in (regular, irregular)]
    assert np.array_equal(states[0]["PeriodicStarModel_0.period"], states[1]["PeriodicStarModel_0.period"])
    pairs = zip((regular, irregular), states, strict=True)
    fluxes = [model.evaluate_bandfluxes(None, bands[1], bands[0], state) for model, state in pairs]
    stars = generator.draw("LPV", 3, params={"mean_mag": 16.0}, seed=4)
    for band in "ur":
        own = bands[0] == band
        seen = stars.observe(bands[1][own], band=band, irregular=True)
        for k in range(3):
            assert np.abs(seen[k].mag - flux_to_mag(fluxes[1][k, own], band)).max() < 1e-6
    assert np.abs(-2.5 * np.log10(fluxes[1] / fluxes[0])).max() > 0.02


# ---------------------------------------------------------------------- samples, batches, processes
def test_random_numbers_of_the_simulation_make_the_population() -> None:
    model = PeriodicStarModel("RRLYR", distance=sampled(low=1e4, high=5e4))
    twice = [model.sample_parameters(num_samples=5, rng_info=rng(1)) for _ in range(2)]
    assert twice[0] == twice[1]
    other = model.sample_parameters(num_samples=5, rng_info=rng(2))
    assert not np.isin(other["PeriodicStarModel_0.period"], twice[0]["PeriodicStarModel_0.period"]).any()
    assert (
        model.sample_parameters()["PeriodicStarModel_0.seed"] != model.sample_parameters()["PeriodicStarModel_0.seed"]
    )
    more = model.sample_parameters(num_samples=9, rng_info=rng(1))
    assert np.array_equal(more["PeriodicStarModel_0.period"][:5], twice[0]["PeriodicStarModel_0.period"])


def test_a_star_is_the_same_in_any_batch() -> None:
    model = PeriodicStarModel("T2CEP", mean_mag=15.0, seed=9)
    whole = model.sample_parameters(num_samples=7)
    fluxes = model.evaluate_bandfluxes(None, TIMES, FILTERS, whole)
    for first, n in ((0, 1), (3, 1), (2, 4)):
        part = model.sample_parameters(num_samples=n, sample_offset=first)
        assert np.array_equal(np.atleast_1d(part["PeriodicStarModel_0.star_id"]), np.arange(first, first + n))
        again = np.atleast_2d(model.evaluate_bandfluxes(None, TIMES, FILTERS, part))
        assert again.tobytes() == fluxes[first : first + n].tobytes()


def test_decoding_again_gives_the_same_bytes() -> None:
    model = mixture()
    state = model.sample_parameters(num_samples=160, rng_info=rng())
    assert len(set(state["PeriodicStarModel_0.cls"])) == 8
    fluxes = model.evaluate_bandfluxes(None, TIMES, FILTERS, state)
    fresh = moved(model)
    rows = range(0, 160, 8)
    assert all(fresh.evaluate_bandfluxes(None, TIMES, FILTERS, state.extract_single_sample(k)).tobytes()
               == fluxes[k].tobytes() for k in rows)  # fmt: skip
    fresh.prepare(state.extract_slice(20, 90))
    again = fresh.evaluate_bandfluxes(None, TIMES, FILTERS, state.extract_slice(20, 90))
    assert again.tobytes() == fluxes[20:90].tobytes()


def test_evaluation_only_interpolates(generator: LightCurveGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    decode = type(generator)._decode
    monkeypatch.setattr(type(generator), "_decode", lambda self, *a: calls.append(len(a[0])) or decode(self, *a))
    model = PeriodicStarModel("RRLYR", distance=2e4)
    state = model.sample_parameters(num_samples=300, rng_info=rng())
    sampling = len(calls)
    assert 0 < sampling < 30  # blocks of many stars, not one a star
    model.evaluate_bandfluxes(None, TIMES, FILTERS, state)
    assert len(calls) == sampling


def test_many_stars_need_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcgen_lightcurvelynx.store._HOT", 1024)
    model = PeriodicStarModel("ELL", mean_mag=15.0, seed=1)
    state = model.sample_parameters(num_samples=2500)
    kept = [run for run in model._store._runs.values() if run.table is not None]
    assert sum(run.width for run in kept) <= 1024
    assert len(pickle.dumps(model)) < 10_000
    some = state.extract_single_sample(2400)
    fluxes = model.evaluate_bandfluxes(None, TIMES, FILTERS, some)
    assert sum(run.width for run in model._store._runs.values() if run.table is not None) <= 1024
    alone = model.sample_parameters(num_samples=1, sample_offset=2400)
    assert model.evaluate_bandfluxes(None, TIMES, FILTERS, alone).tobytes() == fluxes.tobytes()


def test_states_with_any_seeds_and_numbers() -> None:
    model = PeriodicStarModel("RRLYR", mean_mag=sampled(low=15.0, high=20.0))
    states = [model.sample_parameters(rng_info=rng(k)) for k in range(4)]
    states.append(model.sample_parameters(num_samples=3, sample_offset=1020, rng_info=rng(8)))
    states.append(model.sample_parameters(num_samples=3, sample_offset=1022, rng_info=rng(8)))
    fluxes = [np.atleast_2d(model.evaluate_bandfluxes(None, TIMES, FILTERS, s)) for s in states]
    joined = GraphState.from_list(states)
    joined.repeat([2, *[1] * (joined.num_samples - 1)])
    again = model.evaluate_bandfluxes(None, TIMES, FILTERS, joined)
    assert again.tobytes() == np.concatenate([fluxes[0], *fluxes]).tobytes()


def test_processes_make_the_same_stars(survey: SurveyInfo) -> None:
    model = PeriodicStarModel("RRLYR", mean_mag=19.0, ra=RA, dec=DEC, seed=6)
    serial = run(model, 12, survey, rng=rng())
    parallel = run(model, 12, survey, rng=rng(2), num_jobs=2, batch_size=5)
    assert perfect(serial) == perfect(parallel)
    fluxes = [[np.asarray(lc["flux"]) for lc in r["lightcurve"]] for r in (serial, parallel)]
    assert not np.array_equal(fluxes[0], fluxes[1])  # the noise is the library's, which differs by batch
    without_seed = PeriodicStarModel("RRLYR", mean_mag=19.0, ra=RA, dec=DEC)
    runs = [run(without_seed, 6, survey, rng=rng(), num_jobs=2, batch_size=3) for _ in range(2)]
    assert perfect(runs[0]) == perfect(runs[1]) and len(set(perfect(runs[0]))) == 6


class Threads:
    """Threads that the library does not know as such: it refuses ThreadPoolExecutor itself."""

    def __init__(self) -> None:
        self._pool: Executor = ThreadPoolExecutor(3)

    def map(self, function: Any, items: Any) -> list[Any]:
        return list(self._pool.map(function, items))


def test_threads_make_the_same_stars(survey: SurveyInfo) -> None:
    model = PeriodicStarModel("CEP", mean_mag=19.0, ra=RA, dec=DEC, seed=6)
    serial = run(model, 12, survey)
    assert perfect(run(model, 12, survey, executor=Threads(), batch_size=3)) == perfect(serial)
    with ThreadPoolExecutor(2) as executor, pytest.raises(ValueError, match="ThreadPoolExecutor"):
        run(model, 4, survey, executor=executor)


# ---------------------------------------------------------------------- saved states
def test_results_hold_numbers_and_names_only(survey: SurveyInfo, tmp_path: Path) -> None:
    results = run(mixture(), 20, survey, rng=rng(), param_cols=["PeriodicStarModel_0.period"])
    assert (results["nobs"] == 60).all()
    for row in results["params"]:
        assert all(v is None or isinstance(v, (bool, int, float, str)) for v in row.values())
        assert len(pickle.dumps(row)) < 4000
    assert results["PeriodicStarModel_0_period"].between(0.01, 2000).all()
    results.to_parquet(tmp_path / "stars.parquet")
    back = read_parquet(tmp_path / "stars.parquet")
    assert perfect(back) == perfect(results)
    state = GraphState.from_list([dict(row) for row in back["params"]])
    assert perfect(run(mixture(), 20, survey, graph_state=state)) == perfect(results)


@pytest.mark.parametrize("n", [1, 6])
def test_a_state_from_a_file_gives_the_same_fluxes(n: int, tmp_path: Path) -> None:
    model = mixture()
    state = model.sample_parameters(num_samples=n, rng_info=rng())
    fluxes = model.evaluate_bandfluxes(None, TIMES, FILTERS, state)
    saved = state if n > 1 else GraphState.from_list([state, state])  # the library writes states of two and more
    saved.save_to_file(tmp_path / "state.ecsv")
    assert (tmp_path / "state.ecsv").stat().st_size < 9000 + 2000 * n
    fresh = mixture()
    read = GraphState.from_file(tmp_path / "state.ecsv")
    again = fresh.evaluate_bandfluxes(None, TIMES, FILTERS, read if n > 1 else read.extract_single_sample(0))
    assert again.tobytes() == fluxes.tobytes()


def test_a_file_keeps_what_was_not_given(tmp_path: Path) -> None:
    def model() -> PeriodicStarModel:
        subclass = GivenValueList(["", "RRc", "any"], stateful=False)
        period = GivenValueList([0.6, None, np.nan], stateful=False)
        return PeriodicStarModel("RRLYR", subclass=subclass, period=period, mean_mag=18.0, seed=3)

    assert PeriodicStarModel("RRLYR", subclass="any", mean_mag=18.0).sample_parameters() is not None
    state = model().sample_parameters(num_samples=3)
    assert state["DrawnStars_1.given_subclass"].tolist() == ["any", "RRc", "any"]
    fluxes = model().evaluate_bandfluxes(None, TIMES, FILTERS, state)
    state.save_to_file(tmp_path / "state.ecsv")
    read = GraphState.from_file(tmp_path / "state.ecsv")
    assert model().evaluate_bandfluxes(None, TIMES, FILTERS, read).tobytes() == fluxes.tobytes()
    for name in ("subclass", "assumed"):
        words = read[f"PeriodicStarModel_0.{name}"]
        assert np.array_equal(words, state[f"PeriodicStarModel_0.{name}"]) and "" not in words


def test_a_replay_decodes_many_at_a_time(survey: SurveyInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    model = PeriodicStarModel("RRLYR", mean_mag=19.0, ra=RA, dec=DEC)
    state = model.sample_parameters(num_samples=40, rng_info=rng())
    first = run(model, 40, survey, graph_state=state)
    fresh = moved(model)
    draws = []
    draw = LightCurveGenerator.draw
    monkeypatch.setattr(LightCurveGenerator, "draw", lambda self, *a, **k: draws.append(1) or draw(self, *a, **k))
    assert perfect(run(fresh, 40, survey, graph_state=state)) == perfect(first)
    assert len(draws) == 1


def test_states_of_other_models_are_refused() -> None:
    state = PeriodicStarModel("CEP", mean_mag=18.0, node_label="other").sample_parameters(num_samples=2)
    with pytest.raises(InputError, match="no stars of this model"):
        PeriodicStarModel("CEP", mean_mag=18.0).evaluate_bandfluxes(None, TIMES, FILTERS, state)


# ---------------------------------------------------------------------- inside the library
def test_noise_and_saturation_are_the_librarys(survey: SurveyInfo) -> None:
    mags = np.array([13.0, 19.0, 24.0])
    scatter, saturated = [], []
    for mag in mags:
        results = run(PeriodicStarModel("ELL", mean_mag=float(mag), ra=RA, dec=DEC, seed=1), 20, survey, rng=rng())
        lc = pd.concat(list(results["lightcurve"]))
        lc = lc[lc["filter"] == "r"]
        scatter.append(float(np.median(lc["fluxerr"] / lc["flux_perfect"])))
        saturated.append(float(lc["is_saturated"].mean()))
    assert saturated[0] > 0.9 and saturated[1] == saturated[2] == 0.0
    assert scatter[1] < 0.02 < scatter[2]


def test_effects_are_applied() -> None:
    plain, noisy = (PeriodicStarModel("RRLYR", mean_mag=18.0, seed=5) for _ in range(2))
    noisy.add_effect(WhiteNoise(white_noise_sigma=50.0))
    values = [m.evaluate_bandfluxes(None, TIMES, FILTERS, m.sample_parameters()) for m in (plain, noisy)]
    assert 20.0 < np.std(values[1] - values[0]) < 100.0


def test_an_offset_of_t0_shifts_the_curve() -> None:
    plain, shifted = (PeriodicStarModel("RRLYR", mean_mag=18.0, seed=5) for _ in range(2))
    shifted.add_parameter_offset("t0", 0.1)
    values = [
        m.evaluate_bandfluxes(None, t, FILTERS, m.sample_parameters())
        for m, t in ((plain, TIMES), (shifted, TIMES + 0.1))
    ]
    assert np.allclose(values[0], values[1], rtol=1e-7)


@pytest.mark.data
def test_real_schedules(data_dir: Path) -> None:
    table = OpSim.from_db(data_dir / "cadences" / "opsim_shorten.db")
    info = SurveyInfo(table, survey_name="none")
    model = PeriodicStarModel(
        "RRLYR", mean_mag=18.0, ra=float(table["ra"].iloc[0]), dec=float(table["dec"].iloc[0]), seed=1
    )
    results = run(model, 3, info, rng=rng())
    assert (results["nobs"] > 0).all()
    flux = np.concatenate([np.asarray(lc["flux_perfect"]) for lc in results["lightcurve"]])
    assert (np.abs(-2.5 * np.log10(flux) + 31.4 - 18.0) < 3.0).all()


# ---------------------------------------------------------------------- what is refused
def test_arguments_that_are_refused() -> None:
    for wrong, message, kind in (
        ({"distance": None}, "give distance", InputError),
        ({"cls": "RRLYRAE"}, "did you mean 'RRLYR'", UnknownNameError),
        ({"cls": 3}, "cls must be", InputError),
        ({"subclass": "EA"}, "subclass of RRLYR", UnknownNameError),
        ({"period": [0.5, 0.6]}, "TableSampler", InputError),
        ({"period": -1.0}, "period = -1", DomainError),
        ({"bands": {"x": "nope"}}, "unknown band 'nope'", UnknownNameError),
        ({"law": "nope"}, "extinction law", UnknownNameError),
        ({"seed": 1.5}, "whole number", InputError),
        ({"generator": 3}, "generator must be", InputError),
    ):
        with pytest.raises(kind, match=message):
            PeriodicStarModel(**{"cls": "RRLYR", "distance": 1e4, **wrong})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="redshift"):
        PeriodicStarModel("RRLYR", distance=1e4, redshift=0.1)  # type: ignore[call-arg]


def test_units() -> None:
    from astropy import units as u

    model = PeriodicStarModel("RRLYR", distance=20.0 * u.kpc, period=14.4 * u.hour, seed=1)
    state = model.sample_parameters()
    assert state["PeriodicStarModel_0.distance"] == 20_000.0
    assert abs(state["PeriodicStarModel_0.period"] - 0.6) < 1e-12
    with pytest.raises(UnitError, match="distance"):
        PeriodicStarModel("RRLYR", distance=20.0 * u.K)


def test_outside_the_domain() -> None:
    period = sampled(low=5.0, high=6.0)
    with pytest.raises(DomainError, match=r"period = 5\..* for class RRLYR; extrapolate=True"):
        PeriodicStarModel("RRLYR", period=period, distance=1e4).sample_parameters(num_samples=2)
    state = PeriodicStarModel("RRLYR", period=period, distance=1e4, extrapolate=True).sample_parameters(num_samples=2)
    assert state["PeriodicStarModel_0.extrapolated"].all()


def test_parameters_that_follow_from_the_star_cannot_be_set() -> None:
    model = PeriodicStarModel("RRLYR", distance=1e4)
    with pytest.raises(InputError, match="period cannot be set"):
        model.set_parameter("period", 0.5)
    model.set_parameter("ra", 12.0)
    assert model.sample_parameters()["PeriodicStarModel_0.ra"] == 12.0


def test_generators_that_go_to_other_processes(generator: LightCurveGenerator, tmp_path: Path) -> None:
    folder = generator.save(tmp_path / "model")
    by_folder = PeriodicStarModel("RRLYR", distance=1e4, generator=folder, seed=1)
    by_object = PeriodicStarModel("RRLYR", distance=1e4, generator=generator, seed=1)
    states = [moved(m).sample_parameters() for m in (by_folder, by_object)]
    assert states[0] == states[1]
    made = LightCurveGenerator.from_checkpoint(generator.to_checkpoint())
    with pytest.raises(InputError, match="save it"):
        pickle.dumps(PeriodicStarModel("RRLYR", distance=1e4, generator=made))
    made.source, made.sha256 = str(folder), "0" * 64
    with pytest.raises(IntegrityError, match="sha256"):
        moved(PeriodicStarModel("RRLYR", distance=1e4, generator=made)).sample_parameters()
