"""What is done for many stars at once, or for few at a time, is what is done for one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcgen import LightCurveGenerator, observing, rng
from lcgen.observe import atmosphere
from lcgen.observe.surface import surface_magnitudes


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**63 - 1),
    n=st.integers(1, 70),
    first=st.integers(0, 2**62),
)
def test_numbers_of_many_stars_are_those_of_their_streams(seed: int, n: int, first: int) -> None:
    ids = first + np.arange(230, dtype=np.int64) ** 2
    made = rng.uniforms(seed, "test", ids, n)
    for i in (0, 1, 113, 229):
        assert made[i].tobytes() == rng.stream(seed, "test", int(ids[i])).random(n).tobytes()
    assert rng.uniforms(seed, "test", ids[7:9], n).tobytes() == made[7:9].tobytes()


@given(st.lists(st.integers(0, 40_000), max_size=30))
def test_chunks_of_stars_are_whole_and_complete(counts: list[int]) -> None:
    offsets = np.concatenate([[0], np.cumsum(np.array(counts, dtype=np.int64))])
    chunks = list(observing.star_chunks(offsets))
    assert chunks[0][0].start == 0
    assert chunks[-1][0].stop == len(counts)
    assert [a[0].stop for a in chunks[:-1]] == [b[0].start for b in chunks[1:]]
    for stars, rows in chunks:
        assert (rows.start, rows.stop) == (offsets[stars.start], offsets[stars.stop])
        assert stars.stop > stars.start or not counts


@pytest.mark.parametrize("irregular", [False, True])
@pytest.mark.parametrize("noise", [None, "depth", "lsst", "CSS"])
def test_observations_do_not_depend_on_the_size_of_chunks(
    shipped_generator: LightCurveGenerator, noise: str | None, irregular: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    classes = np.repeat(shipped_generator.classes, 3)
    draw = rng.stream(3, "visits")
    mjd = np.sort(draw.uniform(60000.0, 61000.0, 60))
    visits = {
        "mjd": mjd,
        "band": draw.choice(["g", "V", "i"], 60),
        "depth5": np.full(60, 22.0),
        "exposure_time": np.full(60, 30.0),
        "seeing": np.full(60, 0.9),
    }
    seen = []
    for rows in (1, 200, 10**6):
        monkeypatch.setattr(observing, "_ROWS", rows)
        stars = shipped_generator.draw(classes, params={"mean_mag": 17.0}, seed=4)
        band = "V" if noise == "CSS" else None
        seen.append(stars.observe(visits, noise=noise, irregular=irregular, seed=5, band=band))
    for other in seen[1:]:
        assert other.offsets.tolist() == seen[0].offsets.tolist()
        for name in ("mjd", "mag", "mag_err", "flux", "flux_err", "band_index"):
            assert getattr(other, name).tobytes() == getattr(seen[0], name).tobytes(), name


def test_stars_that_were_decoded_when_drawn_are_the_same_as_decoded_later(
    shipped_generator: LightCurveGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    classes = np.resize(shipped_generator.classes, 40)
    kept = shipped_generator.draw(classes, seed=6)
    monkeypatch.setattr("lcgen.stars._KEPT", 0)
    anew = shipped_generator.draw(classes, seed=6)
    times = np.linspace(60000.0, 60010.0, 7)
    for band in ("V", "I", "r", "z"):
        assert kept.magnitude(times, band).tobytes() == anew.magnitude(times, band).tobytes(), band


def test_surfaces_in_many_bands_are_those_in_each() -> None:
    draw = rng.stream(8, "stars")
    teff, logg, fe_h = draw.uniform(2500, 15000, (50, 4)), draw.uniform(0, 5.5, (50, 1)), draw.uniform(-3, 0.6, (50, 1))
    bands = atmosphere.table_bands()
    made = surface_magnitudes(bands, teff, logg, fe_h)
    for band, values in zip(bands, made, strict=True):
        np.testing.assert_array_equal(values, atmosphere.surface_magnitude(band, teff, logg, fe_h), err_msg=band)
