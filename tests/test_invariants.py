"""What must hold for every star of every model: one curve at any cadence, periodic, reproducible to the byte."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lcgen import LightCurveGenerator, LightCurves, Stars
from lcgen.model.batches import CurveBatches
from lcgen.prepare.clean import CleanConfig
from lcgen.prepare.dataset import PreparedCurves, prepare
from lcgen.rng import stream
from lcgen.train.finish import encode_all

N = 100
MODELS = ["tiny_generator", "shipped_generator"]


@pytest.fixture(scope="module", params=MODELS)
def gen(request: pytest.FixtureRequest) -> LightCurveGenerator:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def stars(gen: LightCurveGenerator) -> Stars:
    """A hundred stars of each class."""
    assert len(gen.classes) == 8
    return gen.draw(np.repeat(gen.classes, N), seed=20)


def test_every_number_is_finite_and_every_curve_varies(stars: Stars) -> None:
    times = np.linspace(59000.0, 62650.0, 200)
    for band in ("V", "I"):
        mag = stars.magnitude(times, band=band)
        assert np.isfinite(mag).all()
        assert (np.ptp(stars.template(band=band), axis=1) > 1e-3).all()
    for name in ("period", "amplitude", "t0", "mean_mag"):
        assert np.isfinite(stars.columns[name]).all(), name
    assert (stars.columns["period"] > 0).all()
    assert (stars.columns["amplitude"] > 0).all()


@pytest.mark.parametrize("band", ["V", "I"])
def test_cadences_agree_where_they_share_times(stars: Stars, band: str) -> None:
    draw = stream(1, "cadences")
    shared = draw.uniform(59000, 62650, 50)
    a = np.concatenate([shared, draw.uniform(59000, 62650, 17)])
    b = np.sort(np.concatenate([shared, draw.uniform(55000, 65000, 700)]))
    seen = [stars.observe(times, band=band) for times in (a, b)]
    values = [c.mag.reshape(len(stars), -1)[:, np.argsort(t, kind="stable")] for c, t in zip(seen, (a, b), strict=True)]
    at = [np.isin(np.sort(t), shared) for t in (a, b)]
    assert at[0].sum() == at[1].sum() == 50
    np.testing.assert_allclose(values[0][:, at[0]], values[1][:, at[1]], rtol=0, atol=1e-6)
    np.testing.assert_allclose(stars.magnitude(a, band=band), seen[0].mag.reshape(len(stars), -1), rtol=0, atol=1e-6)


def test_curves_repeat_with_the_period(stars: Stars) -> None:
    period = stars.columns["period"]
    t = stars.columns["t0"][:, None] + stream(2, "times").uniform(0, 1, (len(stars), 20)) * period[:, None]
    first = stars.observe(list(t)).mag.reshape(t.shape)
    for k in (1, 2, 37, 998, 5000):
        later = stars.observe(list(t + k * period[:, None])).mag.reshape(t.shape)
        np.testing.assert_allclose(later, first, rtol=0, atol=1e-6, err_msg=f"k = {k}")


def test_value_and_slope_are_continuous_at_phase_zero(stars: Stars) -> None:
    period, t0 = stars.columns["period"][:, None], stars.columns["t0"][:, None]

    def at(phase: list[float]) -> np.ndarray:
        times = t0 + np.asarray(phase) * period
        return stars.observe(list(times)).mag.reshape(times.shape)

    jump = at([-1e-9, 1e-9])
    np.testing.assert_allclose(jump[:, 0], jump[:, 1], rtol=0, atol=2e-6)
    # one-sided differences of third order, so that the curvature does not look like a kink
    h, weights = 1e-3, np.array([-11.0, 18.0, -9.0, 2.0]) / 6e-3
    right = at([0.0, h, 2 * h, 3 * h]) @ weights
    left = -at([0.0, -h, -2 * h, -3 * h]) @ weights
    steepest = np.abs(np.diff(stars.template(512), axis=1)).max(axis=1) * 512
    assert (steepest > 0.01).all()  # otherwise the comparison says nothing
    np.testing.assert_allclose(right, left, rtol=0, atol=1e-3 * steepest.max())


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_same_seed_gives_the_same_bytes_in_any_blocks(gen: LightCurveGenerator, size: int) -> None:
    n, times = 1000, np.linspace(60000.0, 60100.0, 5)
    classes = np.resize(gen.classes, n)
    whole = gen.draw(classes, seed=3)
    mag, noisy = whole.magnitude(times), _noisy(whole, times)
    starts = stream(4, "order", size).permutation(np.arange(0, n, size))
    for start in starts[:50]:
        rows = slice(int(start), min(int(start) + size, n))
        part = gen.draw(classes[rows], seed=3, first_id=int(start))
        for name, column in whole.columns.items():
            assert part.columns[name].tobytes() == column[rows].tobytes(), name
        assert part.latent.tobytes() == whole.latent[rows].tobytes()
        assert part.magnitude(times).tobytes() == mag[rows].tobytes()
        assert _noisy(part, times).tobytes() == noisy[rows].tobytes()


def _noisy(stars: Stars, times: np.ndarray) -> np.ndarray:
    cadence = {"mjd": times, "band": np.full(times.size, "V"), "depth5": np.full(times.size, 10.0)}
    return stars.observe(cadence, noise="depth").flux.reshape(len(stars), -1)


def test_stars_do_not_depend_on_their_neighbours(gen: LightCurveGenerator) -> None:
    alone = gen.draw("RRLYR", 5, seed=11)
    among = gen.draw(["RRLYR"] * 3 + ["ECL"] + ["RRLYR"], seed=11)
    rows = [0, 1, 2, 4]
    assert alone.template()[rows].tobytes() == among.template()[rows].tobytes()
    assert alone[[4, 1]].template().tobytes() == alone.template()[[4, 1]].tobytes()


def test_noise_does_not_move_the_stars(gen: LightCurveGenerator) -> None:
    params = {"mean_mag": 16.0}
    times = np.linspace(60000.0, 60200.0, 40)
    quiet, loud = (gen.draw("CEP", 20, params=params, seed=5) for _ in range(2))
    before = {k: v.copy() for k, v in loud.columns.items()}
    noisy = loud.observe(times, noise="CSS", seed=99)
    other = loud.observe(times, noise="CSS", seed=98)
    assert not np.array_equal(noisy.mag, other.mag)
    for name, column in before.items():
        assert np.array_equal(column, loud.columns[name], equal_nan=column.dtype.kind == "f"), name
        assert np.array_equal(column, noisy.columns[name], equal_nan=column.dtype.kind == "f"), name
    assert loud.template().tobytes() == quiet.template().tobytes()
    assert loud.observe(times).mag.tobytes() == quiet.observe(times).mag.tobytes()


def test_given_parameters_are_kept(gen: LightCurveGenerator) -> None:
    for cls in gen.classes:
        params = {}
        for name in gen.parameters:
            limits = gen.domain(cls, name)
            if limits is not None:
                params[name] = np.linspace(*limits, 9) if limits[0] <= 0 else np.geomspace(*limits, 9)
        assert "period" in params
        params |= {"mean_mag": np.linspace(10, 20, 9), "a_v": 0.3, "t0": 60000.5, "ra": 12.0, "dec": -30.0}
        drawn = gen.draw(cls, params=params, seed=6)
        for name, value in params.items():
            np.testing.assert_allclose(drawn.columns[name], np.broadcast_to(value, 9), rtol=1e-12, err_msg=name)
        assert not drawn.columns["extrapolated"].any()
        assert np.isfinite(drawn.magnitude([60000.0, 60001.0])).all()


def _peak_to_peak(stars: Stars) -> np.ndarray:
    """Measured on the curve itself: first on a grid, then finely about the extremes found."""
    period, t0 = stars.columns["period"][:, None], stars.columns["t0"][:, None]

    def at(phase: np.ndarray) -> np.ndarray:
        times = t0 + phase * period
        return stars.observe(list(times), band="V").mag.reshape(times.shape)

    grid = np.arange(1024) / 1024
    mag = at(np.tile(grid, (len(stars), 1)))
    fine = np.linspace(-1, 1, 257) / 1024
    faintest = at(grid[mag.argmax(axis=1)][:, None] + fine).max(axis=1)
    return faintest - at(grid[mag.argmin(axis=1)][:, None] + fine).min(axis=1)


def test_a_given_amplitude_is_the_peak_to_peak_in_v(gen: LightCurveGenerator) -> None:
    for cls in gen.classes:
        low, high = gen.domain(cls, "amplitude")
        wanted = np.geomspace(low, high, 12)
        stars = gen.draw(cls, params={"amplitude": wanted}, seed=8)
        np.testing.assert_allclose(stars.columns["amplitude"], wanted, rtol=1e-12)
        np.testing.assert_allclose(_peak_to_peak(stars), wanted, rtol=0, atol=1e-6, err_msg=cls)


def test_a_drawn_amplitude_is_the_peak_to_peak_in_v(stars: Stars) -> None:
    some = stars[::3]
    np.testing.assert_allclose(_peak_to_peak(some), some.columns["amplitude"], rtol=0, atol=1e-6)


# ---------------------------------------------------------------------- the latent space and the zero of phase
@pytest.fixture(scope="module")
def shifted(css_sample: LightCurves, ogle_sample: LightCurves) -> list[PreparedCurves]:
    """Real curves prepared three times, all times of a star shifted by a random part of its period."""
    cls = np.asarray(css_sample.columns["class"])
    few = css_sample.take(np.concatenate([np.flatnonzero(cls == c)[:16] for c in np.unique(cls)]))
    both = np.unique(ogle_sample.columns["id"])[:12]
    surveys = [(few, "CSS"), (ogle_sample.take(np.flatnonzero(np.isin(ogle_sample.columns["id"], both))), "OGLE-III")]
    out = []
    for turn in range(3):
        moved = []
        for survey, name in surveys:
            period = np.asarray(survey.columns["period"])
            # one shift a star, the same in both bands
            _, star = np.unique(survey.columns["id"], return_inverse=True)
            shift = stream(7, "shift", turn).uniform(0, 1, star.max() + 1)[star] * period
            mjd = survey.mjd + (shift[survey.star_index] if turn else 0.0)
            moved.append(dataclasses.replace(survey, mjd=mjd, meta={"survey": name}))
        curves, _ = prepare(moved, clean={"CSS": CleanConfig(snr_min=1.0)}, progress=False)
        out.append(curves)
    return out


def test_shifting_the_input_hardly_moves_the_latent_vector(
    gen: LightCurveGenerator, shifted: list[PreparedCurves]
) -> None:
    key = np.char.add(shifted[0].star_id, np.char.mod("/%d", shifted[0].band))
    for other in shifted[1:]:
        assert np.array_equal(key, np.char.add(other.star_id, np.char.mod("/%d", other.band)))
    shifts = np.stack([c.shift for c in shifted])
    assert np.ptp(shifts, axis=0).mean() > 0.3  # the input did move
    means = np.stack([encode_all(gen.model, CurveBatches(c, gen.conditioner)).mean for c in shifted])
    assert np.isfinite(means).all()
    for cls in np.unique(shifted[0].class_name):
        own = means[:, shifted[0].class_name == cls]
        by_shift = own.var(axis=0, ddof=1).mean(axis=0).sum()
        total = own.reshape(-1, own.shape[2]).var(axis=0).sum()
        assert by_shift < 0.02 * total, f"{cls}: {by_shift / total:.2%} of the latent variance"


def test_at_least_three_latent_dimensions_are_active(
    shipped_generator: LightCurveGenerator, shifted: list[PreparedCurves]
) -> None:
    batches = CurveBatches(shifted[0], shipped_generator.conditioner)
    mean = encode_all(shipped_generator.model, batches).mean
    assert mean.shape[1] == shipped_generator.model.latent_dim
    assert (mean.var(axis=0) > 0.05).sum() >= 3
    # dead ones were pruned
    assert (mean.var(axis=0) > 0.01).all()
