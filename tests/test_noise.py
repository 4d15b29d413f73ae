"""Photometric errors: those of a schedule's depths, those of a training survey, and the colours of stars."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from lcgen import CadenceError, DomainError, InputError, LightCurveGenerator, LightCurves, UnknownNameError
from lcgen.observe import DepthNoise, NoiseModel, NoiseRequest, SurveyNoise
from lcgen.observe.colours import absolute_v, band_offset, v_minus_i
from lcgen.photometry import mag_to_flux
from lcgen.rng import stream

N = 40_000
# 40,000 pulls: a mean off by 0.03 or a width off by 3 % is found in 99.99 % of all cases (6 and 8 standard errors)
MEAN_LIMIT, WIDTH_LIMIT = 0.015, 0.015


def _request(mag: Any, band: str = "r", depth: Any = None, cls: str = "CEP", seed: int = 1) -> NoiseRequest:
    mag = np.atleast_1d(np.asarray(mag, dtype=float))
    draw = stream(seed, "request")
    return NoiseRequest(
        mag=mag,
        band_index=np.zeros(mag.size, dtype=np.uint8),
        band_names=(band,),
        depth5=None if depth is None else np.broadcast_to(np.asarray(depth, dtype=float), mag.shape),
        class_name=np.full(mag.size, cls),
        normals=draw.standard_normal(mag.size),
        uniforms=draw.random(mag.size),
    )


def _assert_standard(pull: np.ndarray) -> None:
    assert abs(pull.mean()) < MEAN_LIMIT
    assert abs(pull.std() - 1.0) < WIDTH_LIMIT


# ---------------------------------------------------------------------- depths
@pytest.mark.parametrize("mag", [18.0, 22.0, 24.5, 27.0])
def test_pulls_of_fluxes_are_standard_normal(mag: float) -> None:
    measured = DepthNoise().measure(_request(np.full(N, mag), depth=24.5))
    assert measured.flux is not None
    assert measured.flux_err is not None
    truth = mag_to_flux(mag, "r")
    _assert_standard((measured.flux - truth) / measured.flux_err)
    assert (measured.flux_err > 0).all()
    # a magnitude wherever the flux is positive, and only there
    assert np.array_equal(np.isfinite(measured.mag), measured.flux > 0)
    assert np.array_equal(np.isfinite(measured.mag_err), measured.flux > 0)
    if mag == 27.0:
        assert 0.2 < (measured.flux < 0).mean() < 0.5


def test_the_error_at_the_depth_is_a_fifth() -> None:
    at_depth = DepthNoise(systematic=0.0).measure(_request([24.5], depth=24.5))
    assert at_depth.flux_err[0] / mag_to_flux(24.5, "r") == pytest.approx(0.2, rel=1e-6)
    bright = DepthNoise().measure(_request([15.0], depth=24.5))
    assert bright.flux_err[0] / mag_to_flux(15.0, "r") == pytest.approx(0.005, rel=0.01)
    # Ivezic et al. 2019, equation 5, worked by hand one magnitude above the depth
    x = 10**-0.4
    expected = np.sqrt(0.005**2 + (0.04 - 0.039) * x + 0.039 * x**2)
    one = DepthNoise().measure(_request([23.5], depth=24.5))
    assert one.flux_err[0] / mag_to_flux(23.5, "r") == pytest.approx(expected)
    in_u = DepthNoise(systematic=0.0).measure(_request([23.5], band="u", depth=24.5))
    assert in_u.flux_err[0] / mag_to_flux(23.5, "u") == pytest.approx(np.sqrt(0.002 * x + 0.038 * x**2))


def test_magnitude_errors_follow_fluxes() -> None:
    measured = DepthNoise().measure(_request(np.full(100, 20.0), depth=24.5))
    np.testing.assert_allclose(measured.mag_err, 2.5 / np.log(10) * measured.flux_err / measured.flux)
    _assert_close = np.abs((measured.mag - 20.0) / measured.mag_err)
    assert _assert_close.max() < 5


def test_absurdly_faint_stars_stay_finite() -> None:
    measured = DepthNoise().measure(_request([40.0, 90.0], depth=24.5))
    assert np.isfinite(measured.flux).all()
    assert np.isfinite(measured.flux_err).all()
    sky = measured.flux_err[0]
    assert sky == pytest.approx(0.2 * mag_to_flux(24.5, "r"), rel=0.05)  # the sky's error alone


def test_depths_are_needed() -> None:
    with pytest.raises(CadenceError, match="five-sigma depths"):
        DepthNoise().measure(_request([20.0]))


# ---------------------------------------------------------------------- a survey's errors
@pytest.fixture(scope="module")
def learned(css_sample: LightCurves) -> SurveyNoise:
    return SurveyNoise.fit(
        name="CSS",
        mag={"V": css_sample.mag.astype(float)},
        mag_err={"V": css_sample.mag_err.astype(float)},
        ratio={"CEP": 0.5, "LPV": 2.0, "ECL": 0.6},
    )


@pytest.mark.parametrize(("cls", "ratio"), [("CEP", 0.5), ("LPV", 2.0), ("NEW", 0.6)])
def test_pulls_have_the_scatter_of_the_class(learned: SurveyNoise, cls: str, ratio: float) -> None:
    request = _request(np.full(N, 15.3), band="V", cls=cls)
    measured = learned.measure(request)
    _assert_standard((measured.mag - 15.3) / (ratio * measured.mag_err))
    assert measured.flux is None  # derived from the magnitudes


def test_quoted_errors_are_distributed_as_in_the_survey(learned: SurveyNoise, css_sample: LightCurves) -> None:
    for centre in (14.25, 15.25, 16.25):
        real = css_sample.mag_err[np.abs(css_sample.mag - centre) < 0.25]
        assert real.size > 500
        drawn = learned.measure(_request(np.full(20_000, centre), band="V")).mag_err
        for q in (0.1, 0.5, 0.9):
            assert np.quantile(drawn, q) == pytest.approx(np.quantile(real, q), rel=0.1), (centre, q)
    faint, bright = (learned.measure(_request(np.full(2000, m), band="V")).mag_err for m in (17.5, 13.0))
    assert np.median(faint) > np.median(bright)


def test_the_range_of_a_survey_is_respected(learned: SurveyNoise) -> None:
    low, high = learned.tables["V"][0, 0], learned.tables["V"][-1, 0]
    for mag in (low - 0.9, high + 0.9):
        assert np.isfinite(learned.measure(_request([mag], band="V")).mag_err).all()
    for mag in (low - 1.1, high + 1.1, np.nan, np.inf):
        with pytest.raises(DomainError, match="CSS noise model in V"):
            learned.measure(_request([mag], band="V"))
    with pytest.raises(UnknownNameError, match="allowed: V"):
        learned.measure(_request([15.0], band="I"))


def test_errors_survive_json(learned: SurveyNoise) -> None:
    again = SurveyNoise.from_config(json.loads(json.dumps(learned.to_config(), allow_nan=False)))
    request = _request(np.linspace(13, 17, 500), band="V")
    np.testing.assert_allclose(again.measure(request).mag_err, learned.measure(request).mag_err, rtol=1e-3)
    np.testing.assert_allclose(again.measure(request).mag, learned.measure(request).mag, atol=2e-3)


def test_too_few_observations_teach_nothing() -> None:
    with pytest.raises(InputError, match="too few"):
        SurveyNoise.fit(name="X", mag={"V": np.full(9, 15.0)}, mag_err={"V": np.full(9, 0.1)}, ratio={})


def test_models_keep_to_the_protocol(learned: SurveyNoise) -> None:
    models: list[NoiseModel] = [DepthNoise(), learned]
    assert [m.name for m in models] == ["depth", "CSS"]
    for model in models:
        request = _request(np.full(50, 15.0), band="V", depth=20.0)
        one, two = model.measure(request), model.measure(request)
        assert one.mag.tobytes() == two.mag.tobytes()  # no random numbers of its own
        # row by row: neighbours make no difference
        half = NoiseRequest(**{k: v[25:] if isinstance(v, np.ndarray) else v for k, v in vars(request).items()})
        assert model.measure(half).mag.tobytes() == one.mag[25:].tobytes()


# ---------------------------------------------------------------------- through the generator
def test_noise_through_the_generator(tiny_generator: LightCurveGenerator) -> None:
    times = np.linspace(60000, 62000, 400)
    stars = tiny_generator.draw(np.resize(["CEP", "RRLYR", "ECL"], 90), params={"mean_mag": 16.0}, seed=1)
    truth = stars.observe(times).mag
    css = stars.observe(times, noise="CSS")
    ratio = np.array([tiny_generator.noise_models["CSS"].ratio[c] for c in stars.columns["class"]])
    pull = (css.mag - truth) / (css.mag_err * ratio[css.star_index])
    _assert_standard(pull)
    assert abs(np.corrcoef(pull[:-1], pull[1:])[0, 1]) < 0.03  # white, in time and from star to star
    # the same noise whatever the other stars
    again = stars[[7, 3]].observe(times, noise="CSS")
    np.testing.assert_array_equal(again[0].mag, css[7].mag)
    deep = {"mjd": times, "band": np.full(times.size, "V"), "depth5": np.full(times.size, 17.0)}
    depth = stars.observe(deep, noise="depth")
    flux = mag_to_flux(truth, "V")
    _assert_standard((depth.flux - flux) / depth.flux_err)


# ---------------------------------------------------------------------- colours
def test_colours_are_monotonic_and_anchored() -> None:
    teff = np.linspace(3000, 15000, 200)
    colour = v_minus_i(teff)
    assert (np.diff(colour) < 0).all()
    assert v_minus_i(5770.0) == pytest.approx(0.713)  # the Sun
    assert v_minus_i(np.nan) == pytest.approx(v_minus_i(5800.0))
    assert v_minus_i([1e3, 1e5]).tolist() == [v_minus_i(2810.0), v_minus_i(15700.0)]


def test_offsets_between_bands() -> None:
    np.testing.assert_allclose(band_offset([6000.0, 4000.0], "I", 0.0), -v_minus_i([6000.0, 4000.0]))
    np.testing.assert_allclose(band_offset([6000.0], "V", [1.0]), 0.0)
    assert band_offset([6000.0], "I", [1.0])[0] - band_offset([6000.0], "I", [0.0])[0] == pytest.approx(-0.4)
    with pytest.raises(UnknownNameError, match="band"):
        band_offset([6000.0], "u", 0.0)
    # the Sun: M_V = 4.82 and M_G = 4.67 (Casagrande & VandenBerg 2018)
    assert absolute_v(4.67, 5772.0) == pytest.approx(4.82, abs=0.05)
    assert np.isnan(absolute_v(np.nan, 6000.0))
