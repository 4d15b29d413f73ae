"""Stars placed on the sky: positions, distances, dust, and what is assumed of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lcgen
from lcgen import DomainError, InputError, UnknownNameError
from lcgen.observe import DepthNoise
from lcgen.sky import Circle, ConstantDust, DecBand, SmoothDust

FIELD = Circle(ra=60.0, dec=-40.0, radius=3.0)


def test_positions_are_drawn_where_asked(shipped_generator: Any) -> None:
    gen = shipped_generator
    stars = gen.draw(np.repeat(gen.classes, 20), sky=FIELD, dust=SmoothDust(), seed=2)
    table = stars.table
    assert FIELD.contains(table["ra"], table["dec"]).all()
    assert (table["distance"] > 0).all() and (table["a_v"] > 0).all() and (table["component"] != "").all()
    assert set(table["mag_zero"]) == {"apparent"}
    np.testing.assert_allclose(table["a_v"], 3.1 * table["e_bv"])
    # mean magnitude in V = absolute magnitude + distance modulus + extinction
    modulus = 5 * np.log10(np.asarray(table["distance"]) / 10)
    clear = gen.draw(np.repeat(gen.classes, 20), seed=2)
    expected = clear.mean_magnitude("V") + modulus + np.asarray(table["a_v"])
    np.testing.assert_allclose(stars.mean_magnitude("V"), expected, atol=1e-6)
    # the stars themselves are the same with and without a place
    np.testing.assert_array_equal(stars.template(32), clear.template(32))


def test_a_star_has_its_place_in_any_call(shipped_generator: Any) -> None:
    whole = shipped_generator.draw("RRLYR", 12, sky=DecBand(), seed=5)
    part = shipped_generator.draw("RRLYR", 4, sky=DecBand(), seed=5, first_id=6)
    for name in ("ra", "dec", "distance", "mean_mag"):
        np.testing.assert_array_equal(part.columns[name], whole.columns[name][6:10])


def test_every_class_has_magnitudes_and_says_what_is_assumed(shipped_generator: Any) -> None:
    gen = shipped_generator
    stars = gen.draw(np.repeat(gen.classes, 30), seed=4)
    assert np.isfinite(stars.columns["teff"]).all() and np.isfinite(stars.columns["abs_mag"]).all()
    words = {c: set(stars.columns["assumed"][stars.columns["class"] == c].tolist()) for c in gen.classes}
    assert words["CEP"] == {""}
    assert all(words[c] == {"teff abs_mag"} for c in ("DSCT", "ECL", "ELL", "LPV"))
    given = gen.draw("ECL", 5, params={"distance": 1e3, "teff": 6000.0}, extrapolate=True, seed=1)
    assert (given.columns["teff"] == 6000.0).all()
    assert set(given.columns["assumed"].tolist()) == {"abs_mag"}


def test_reddening_may_be_given_either_way(shipped_generator: Any) -> None:
    gen = shipped_generator
    by_v = gen.draw("CEP", 3, params={"distance": 1e4, "a_v": 0.62}, seed=1)
    by_e = gen.draw("CEP", 3, params={"distance": 1e4, "e_bv": 0.2}, seed=1)
    for band in ("u", "y"):
        np.testing.assert_allclose(by_v.mean_magnitude(band), by_e.mean_magnitude(band))
    steep = gen.draw("CEP", 3, params={"distance": 1e4, "e_bv": 0.2}, r_v=5.0, seed=1)
    np.testing.assert_allclose(steep.columns["a_v"], 1.0)
    laws = [gen.draw("CEP", 3, params={"a_v": 1.0}, law=law, seed=1).mean_magnitude("i") for law in ("F99", "CCM89")]
    assert (np.abs(laws[0] - laws[1]) > 0.01).all()
    own = gen.draw("CEP", 3, params={"a_v": 1.0}, law={"V": 1.0, "u": 2.0}, seed=1)
    clear = gen.draw("CEP", 3, seed=1)
    np.testing.assert_allclose(own.mean_magnitude("u") - clear.mean_magnitude("u"), 2.0)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"sky": "rubin"}, InputError, "footprint"),
        ({"sky": FIELD, "params": {"distance": 10.0}}, InputError, "distance was given"),
        ({"dust": 0.1}, InputError, "dust map"),
        ({"dust": ConstantDust(value=0.1)}, InputError, "no ra and dec"),
        ({"params": {"a_v": 1.0, "e_bv": 1.0}}, InputError, "contradict"),
        ({"law": "CMM89"}, UnknownNameError, "CCM89"),
        ({"r_v": 50.0}, DomainError, "r_v"),
    ],
)
def test_what_cannot_be_is_refused(
    shipped_generator: Any, options: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        shipped_generator.draw("CEP", 2, seed=1, **options)


def test_an_ensemble_over_the_sky(shipped_generator: Any, tmp_path: Path) -> None:
    options = {"sky": FIELD, "dust": ConstantDust(value=0.02)}
    words = {
        "classes": ["RRLYR", "ECL"],
        "n_per_class": 6,
        "cadence": "lsst-wfd",
        "seed": 3,
        "noise": DepthNoise(),
        "draw_options": options,
    }
    lcgen.generate_ensemble(shipped_generator, tmp_path / "a.h5", **words)
    with lcgen.open_ensemble(tmp_path / "a.h5") as ensemble:
        columns = ensemble.columns(["ra", "dec", "e_bv", "component", "assumed", "source_g", "source_y"])
        assert FIELD.contains(columns["ra"], columns["dec"]).all()
        assert (columns["e_bv"] == 0.02).all()
        assert set(np.asarray(columns["source_y"]).astype(str)) == {"transferred", "extrapolated"}
        first = ensemble.header
    other = words | {"draw_options": options | {"dust": ConstantDust(value=0.03)}}
    lcgen.generate_ensemble(shipped_generator, tmp_path / "b.h5", **other)
    with lcgen.open_ensemble(tmp_path / "b.h5") as ensemble:
        assert ensemble.header.differences(first)
