"""Curves and mean magnitudes in bands the network was not trained in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcgen import InputError, UnknownNameError
from lcgen.observe import BandGains, load_gains, transfer
from lcgen.observe.band_curves import BandStars, band_source, derive_curves, pulsation_logg
from lcgen.observe.binaries import eclipsing_curves, ellipsoidal_ratio
from lcgen.train.band_gains import BandSample, StarInBands, gain_stars, measure_gains

PHASE = np.arange(128) / 128
GRID = np.arange(256) / 256


def sawtooth(n_harmonics: int = 6, size: float = 0.4) -> np.ndarray:
    k = np.arange(1, n_harmonics + 1)[:, None]
    return size * (np.sin(2 * np.pi * k * PHASE) / k**1.3).sum(axis=0)


# ---------------------------------------------------------------------- gains
@given(log_period=st.floats(-1.0, 2.0), kind=st.sampled_from(["RRLYR/RRab", "RRLYR/RRc", "CEP/F", "CEP/1O"]))
def test_a_transfer_can_be_undone(log_period: float, kind: str) -> None:
    gains = load_gains()[kind]
    curve = sawtooth()[None]
    for band in gains.bands:
        there = gains.transfer(curve, [log_period], "V", [band])[0]
        back = gains.transfer(there, [log_period], band, ["V"])[0]
        np.testing.assert_allclose(back, curve - curve.mean(), atol=1e-9)


def test_gains_that_made_the_data_are_found() -> None:
    rng = np.random.default_rng(3)
    knots = np.array([-0.3, -0.1])
    made = BandGains(
        reference="sdss_g",
        bands=("sdss_g", "sdss_r"),
        knots=knots,
        gain=np.stack([np.ones((2, 4)), [[0.7j**0.1] * 4, [0.6 * 1j**0.2] * 4]]),
    )
    stars = []
    for i in range(40):
        log_period = rng.uniform(*knots)
        curve = sum(rng.normal(0, 0.3 / k) * np.cos(2 * np.pi * (k * PHASE + rng.random())) for k in range(1, 5))
        both = {"sdss_g": curve, "sdss_r": made.transfer(curve[None], [log_period], "sdss_g", ["sdss_r"])[0, 0]}
        samples = {}
        for band, values in both.items():
            at = rng.random(60)
            mag = np.interp(at, np.append(PHASE, 1.0), np.append(values, values[0])) + rng.normal(0, 0.005, 60) + 15
            samples[band] = BandSample.of(at, mag, np.full(60, 0.005), 1.0, n_harmonics=4)
        stars.append(StarInBands(star_id=str(i), period=10**log_period, samples=samples))
    found = measure_gains(stars, reference="sdss_g", targets=["sdss_r"], knots=knots, n_harmonics=4)
    np.testing.assert_allclose(found.gain[1, :, :2], made.gain[1, :, :2], atol=0.03)


def test_transfer_refuses_what_it_cannot_do() -> None:
    with pytest.raises(InputError, match="ECL"):
        transfer(sawtooth(), "V", "I", cls="ECL", period=1.0)
    with pytest.raises(UnknownNameError, match="sdss_g"):
        transfer(sawtooth(), "V", "sdss_g", cls="CEP", subclass="F", period=5.0)
    with pytest.raises(InputError, match="period"):
        transfer(sawtooth(), "V", "I", cls="CEP", period=-1.0)
    with pytest.raises(InputError, match="finite"):
        transfer(np.full(20, np.nan), "V", "I", cls="CEP", period=1.0)


@pytest.mark.data
@pytest.mark.parametrize(
    ("kind", "source", "targets", "amplitude", "shape"),
    [
        # the limits that were set for unseen stars, before anything was measured
        ("RRLYR/RRab", "sdss_g", ("sdss_u", "sdss_r", "sdss_i", "sdss_z"), 0.12, 0.08),
        ("RRLYR/RRc", "sdss_g", ("sdss_u", "sdss_r", "sdss_i", "sdss_z"), 0.12, 0.08),
        ("CEP/F", "I", ("V",), 0.08, 0.04),
        ("CEP/1O", "I", ("V",), 0.08, 0.04),
    ],
)
def test_unseen_stars_are_predicted_from_one_band(
    data_dir: Path, kind: str, source: str, targets: tuple[str, ...], amplitude: float, shape: float
) -> None:
    held = gain_stars(kind, data_dir)[1]
    assert len(held) >= 10
    for target in targets:
        both = [s for s in held if {source, target} <= set(s.samples)]
        seen = np.stack([s.samples[target].fit(GRID) for s in both])
        from_one = np.stack([s.samples[source].fit(GRID) for s in both])
        made = load_gains()[kind].transfer(from_one, np.log10([s.period for s in both]), source, [target])[0]
        size = np.ptp(seen, axis=1)
        assert np.median(np.abs(np.ptp(made, axis=1) / size - 1)) < amplitude
        difference = made - seen + seen.mean(axis=1, keepdims=True)
        assert np.median(np.sqrt((difference**2).mean(axis=1)) / size) < shape


# ---------------------------------------------------------------------- physics
def stars_of(cls: str, subclass: str = "", n: int = 1, **columns: float) -> BandStars:
    table = {
        "class": np.full(n, cls),
        "subclass": np.full(n, subclass),
        "period": np.full(n, columns.get("period", 0.5)),
    }
    for name in ("teff", "logg", "fe_h"):
        table[name] = np.full(n, columns.get(name, np.nan))
    return BandStars.from_columns(table)


def test_gravity_of_pulsating_stars() -> None:
    # RR Lyr: log g 2.6 to 2.9 (For, Sneden & Preston 2011, ApJS 197, 29: RRab of 2.0 to 2.9 dex); delta Cep: 1.8 to 2.0
    found = pulsation_logg(
        np.array(["RRLYR", "CEP", "DSCT", "ECL"]), np.full(4, ""), np.array([0.567, 5.366, 0.1, 1.0])
    )
    np.testing.assert_allclose(found, [2.75, 1.8, 3.95, 4.2], atol=0.25)


def test_a_curve_without_colour_is_the_same_in_all_bands() -> None:
    stars = stars_of("CEP", "F", teff=5800.0, period=5.0)
    curve = sawtooth()[None]
    made = derive_curves(stars, ["g", "r", "z"], curve, lambda rows: curve[rows], np.array([True]))
    np.testing.assert_allclose(made, np.broadcast_to(curve - curve.mean(), made.shape), atol=1e-4)


def test_third_bands_follow_from_a_temperature_and_a_radius() -> None:
    """A star made of model surfaces of known temperature and radius comes out in every band."""
    from lcgen.observe.atmosphere import surface_magnitude

    teff = 5700.0 * np.exp(0.08 * np.cos(2 * np.pi * PHASE) + 0.03 * np.cos(4 * np.pi * PHASE + 1.0))
    radius = -5 * np.log10(1 + 0.06 * np.sin(2 * np.pi * PHASE))
    stars = stars_of("CEP", "F", teff=5700.0, period=5.0)
    truth = {
        b: surface_magnitude(b, teff, stars.logg[0], stars.fe_h[0]) + radius for b in ("V", "I", "g", "r", "z", "y")
    }
    truth = {b: (m - m.mean())[None] for b, m in truth.items()}
    bands = ["g", "r", "z", "y"]
    made = derive_curves(stars, bands, truth["V"], lambda rows: truth["I"][rows], np.array([True]))
    for band, curve in zip(bands, made, strict=True):
        assert np.abs(curve - truth[band]).max() < 0.02 * np.ptp(truth[band])


def test_eclipses_tell_the_temperatures() -> None:
    dip = np.exp(-((((PHASE + 0.5) % 1 - 0.5) / 0.03) ** 2))
    second = np.roll(dip, 64)
    one = np.ones(1)
    equal = -2.5 * np.log10(1 - 0.4 * dip - 0.4 * second)[None]
    made = eclipsing_curves(equal, ["u", "z"], 6000 * one, 4.3 * one, 0 * one)
    np.testing.assert_allclose(made, np.broadcast_to(equal, made.shape), atol=1e-6)  # like stars: grey eclipses
    unlike = -2.5 * np.log10(1 - 0.5 * dip - 0.1 * second)[None]
    u, v, z = eclipsing_curves(unlike, ["u", "V", "z"], 7000 * one, 4.3 * one, 0 * one)[:, 0]
    np.testing.assert_allclose(v, unlike[0], atol=1e-6)
    # a cool companion: the first minimum is deeper in the blue, the second in the red
    assert u[0] > v[0] > z[0]
    assert u[64] < v[64] < z[64]
    # with the minima exchanged, the same exchanged
    swapped = eclipsing_curves(np.roll(unlike, 64, axis=1), ["z"], 7000 * one, 4.3 * one, 0 * one)[0, 0]
    np.testing.assert_allclose(np.roll(swapped, 64), z, atol=1e-9)


def test_ellipsoidal_amplitudes_fall_to_the_red() -> None:
    one = np.ones(2)
    ratio = ellipsoidal_ratio(["g", "V", "z"], np.array([5000.0, 9000.0]), 4.2 * one, 0 * one)
    assert (ratio[0] > 1).all() and (ratio[1] == 1).all() and (ratio[2] < 1).all()


@pytest.mark.parametrize(
    ("cls", "subclass", "band", "word"),
    [
        ("RRLYR", "RRab", "sdss_u", "learned"),
        ("RRLYR", "RRab", "g", "transferred"),
        ("CEP", "F", "I", "learned"),
        ("CEP", "F", "r", "transferred"),
        ("CEP", "F", "u", "extrapolated"),
        ("CEP", "F", "y", "extrapolated"),
        ("T2CEP", "WVir", "I", "transferred"),
        ("LPV", "Mira", "y", "extrapolated"),
    ],
)
def test_the_word_for_a_band(cls: str, subclass: str, band: str, word: str) -> None:
    observed = ("V", "I") if cls in ("RRLYR", "CEP") else ("V",)
    assert band_source(cls, subclass, band, observed) == word


# ---------------------------------------------------------------------- stars
def test_stars_in_six_bands(shipped_generator: Any) -> None:
    gen = shipped_generator
    stars = gen.draw(np.repeat(gen.classes, 5), params={"mean_mag": 18.0}, seed=3)
    curves = stars.observe("lsst-wfd", seed=4)
    assert set(curves.band_names) == set("ugrizy")
    assert np.isfinite(curves.mag).all()
    for band in "ugrizy":
        words = np.asarray(curves.stars[f"source_{band}"])
        assert set(words) <= {"learned", "transferred", "extrapolated"}
        assert words.tolist() == [
            gen.band_source(c, band, s) for c, s in stars.table["class", "subclass"].as_array().tolist()
        ]
    assert "learned: V I" in stars.table["band_source"][np.flatnonzero(stars.table["class"] == "CEP")[0]]


def test_a_star_is_the_same_alone_and_in_any_company(shipped_generator: Any) -> None:
    gen = shipped_generator
    stars = gen.draw(np.resize(gen.classes, 24), params={"mean_mag": 18.0}, seed=3)
    together = {b: stars.template(64, b) for b in ("y", "I", "u")}
    for rows in ([5], [3, 4, 11], slice(8, 16)):
        few = stars[rows]
        alone = gen.draw(np.resize(gen.classes, 24), params={"mean_mag": 18.0}, seed=3)[rows]
        for band, curves in together.items():
            np.testing.assert_array_equal(few.template(64, band), curves[rows])
            np.testing.assert_array_equal(alone.template(64, band), curves[rows])


def test_pulsating_stars_move_more_in_the_blue(shipped_generator: Any) -> None:
    for cls in ("RRLYR", "CEP", "DSCT", "ACEP", "T2CEP"):
        stars = shipped_generator.draw(cls, 50, seed=6)
        size = [np.median(np.ptp(stars.template(64, b), axis=1)) for b in ("g", "r", "i", "z")]
        assert size == sorted(size, reverse=True)
        assert 0.4 < size[3] / size[0] < 0.65


def test_extinction_reddens(shipped_generator: Any) -> None:
    gen = shipped_generator
    clear, dusty = (gen.draw("RRLYR", 3, params={"distance": 1e4, "a_v": a}, seed=1) for a in (0.0, 1.0))
    dimmed = {b: dusty.mean_magnitude(b) - clear.mean_magnitude(b) for b in ("u", "V", "r", "y")}
    np.testing.assert_allclose(dimmed["V"], 1.0, atol=1e-9)
    assert (dimmed["u"] > 1.3).all() and (dimmed["r"] < 0.9).all() and (dimmed["y"] < 0.5).all()


def test_stars_behind_other_dust(shipped_generator: Any) -> None:
    gen, times = shipped_generator, np.linspace(60000.0, 60003.0, 40)
    params = {"distance": 1e4}
    clear, dusty = (gen.draw("RRLYR", 5, params=params | {"e_bv": e}, seed=1) for e in (0.0, 0.4))
    moved = clear.behind(0.4)
    for band in ("u", "V", "I", "y"):
        np.testing.assert_allclose(moved.magnitude(times, band), dusty.magnitude(times, band), atol=1e-9)
        np.testing.assert_allclose(moved.behind(0.0).magnitude(times, band), clear.magnitude(times, band), atol=1e-9)
        np.testing.assert_array_equal(moved[2:4].magnitude(times, band), moved.magnitude(times, band)[2:4])
    observed = clear.behind(np.linspace(0.0, 1.0, 5), dims=False)
    np.testing.assert_array_equal(observed.mean_magnitude("V"), clear.mean_magnitude("V"))
    assert (np.diff(observed.mean_magnitude("g") - clear.mean_magnitude("g")) > 0).all()
    for wrong in (-0.1, np.nan, [0.1, 0.2]):
        with pytest.raises(InputError, match="e_bv"):
            clear.behind(wrong)
