"""Colours and radii from model atmospheres, beside published ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcgen import InputError, read_pack
from lcgen.errors import UnknownNameError
from lcgen.observe import atmosphere as atm
from lcgen.observe.extinction import extinction_ratio
from lcgen.photometry import BANDS

# Dwarfs: T_eff, B-V, V-Rc, V-Ic, M_V, radius, mass. Pecaut & Mamajek (2013, ApJS 208, 9), table as maintained by
# E. Mamajek. Its colours are averages of observed stars.
DWARFS = np.array(
    [
        [9200, 0.040, 0.019, 0.044, 1.34, 2.00, 2.15],
        [8080, 0.160, 0.089, 0.186, 1.84, 1.94, 1.85],
        [7220, 0.290, 0.166, 0.339, 2.51, 1.79, 1.59],
        [6510, 0.440, 0.252, 0.506, 3.40, 1.46, 1.33],
        [6170, 0.530, 0.300, 0.599, 4.01, 1.25, 1.18],
        [5770, 0.650, 0.363, 0.713, 4.79, 1.01, 1.02],
        [5490, 0.730, 0.404, 0.786, 5.32, 0.909, 0.94],
        [5280, 0.816, 0.443, 0.853, 5.76, 0.817, 0.87],
    ]
)
SUN = {"teff": 5772.0, "logg": 4.438, "fe_h": 0.0}


def dwarf_colour(blue: str, red: str) -> np.ndarray:
    logg = SUN["logg"] + np.log10(DWARFS[:, 6] / DWARFS[:, 5] ** 2)
    return atm.colour(blue, red, DWARFS[:, 0], logg, 0.0)


def test_every_band_of_the_library_has_a_magnitude() -> None:
    assert set(atm.table_bands()) == set(BANDS)
    assert all(np.isfinite(atm.surface_magnitude(b, [2400.0, 5000.0, 12000.0])).all() for b in atm.table_bands())


@pytest.mark.parametrize(("blue", "red", "column"), [("B", "V", 1), ("V", "R", 2), ("V", "I", 3)])
def test_dwarfs_have_their_observed_colours(blue: str, red: str, column: int) -> None:
    difference = dwarf_colour(blue, red) - DWARFS[:, column]
    assert np.abs(difference).max() < 0.045
    assert abs(difference.mean()) < 0.025


def test_dwarfs_have_their_observed_brightness() -> None:
    logg = SUN["logg"] + np.log10(DWARFS[:, 6] / DWARFS[:, 5] ** 2)
    got = atm.absolute_magnitude("V", DWARFS[:, 0], DWARFS[:, 5], logg, 0.0)
    assert np.abs(got - DWARFS[:, 4]).max() < 0.04


def test_gaia_follows_the_observed_relation_with_johnson_cousins() -> None:
    # Riello et al. (2021, A&A 649, A3, table C.2), scatter 0.03 mag
    v_i = dwarf_colour("V", "I")
    expected = -0.01597 - 0.02809 * v_i - 0.2483 * v_i**2 + 0.03656 * v_i**3 - 0.002939 * v_i**4
    assert np.abs(dwarf_colour("G", "V") - expected).max() < 0.02
    expected = -0.03298 + 1.259 * v_i - 0.1279 * v_i**2 + 0.01631 * v_i**3
    assert np.abs(dwarf_colour("BP", "RP") - expected).max() < 0.06


def test_sdss_follows_the_observed_relations_with_johnson_cousins() -> None:
    # Jester et al. (2005, AJ 130, 873, table 1): stars with R-I < 1.15 and U-B < 0; scatter 0.01, 0.03, 0.01 mag
    b_v, r_i = dwarf_colour("B", "V"), dwarf_colour("R", "I")
    assert np.abs(dwarf_colour("sdss_g", "V") - (0.64 * b_v - 0.13)).max() < 0.03
    assert np.abs(dwarf_colour("sdss_r", "V") - (0.11 - 0.46 * b_v)).max() < 0.03
    assert np.abs(dwarf_colour("sdss_r", "sdss_i") - (0.98 * r_i - 0.22)).max() < 0.015


def test_the_sun() -> None:
    # M_V = 4.81, M_B = 5.44 (Willmer 2018, ApJS 236, 47)
    assert abs(float(atm.radius_from(4.81, "V", **SUN)) - 1.0) < 0.02
    assert abs(float(atm.surface_magnitude("B", **SUN)) - 5.44) < 0.08
    # estimated from its B, V, R, I: www.sdss.org/dr16/algorithms/ugrizVegaSun, 0.02 mag each
    for blue, red, expected in (("g", "r", 0.44), ("r", "i", 0.11), ("i", "z", 0.03)):
        assert abs(float(atm.colour(f"sdss_{blue}", f"sdss_{red}", **SUN)) - expected) < 0.04


def test_filters_of_the_same_name_measure_alike() -> None:
    # LSST against SDSS: close but not the same; the bluer g of SDSS makes cool stars fainter in it
    cool, hot = {"teff": 4500.0, "logg": 4.5}, {"teff": 9500.0, "logg": 4.5}
    for band, most in (("g", 0.12), ("r", 0.03), ("i", 0.03), ("z", 0.05)):
        assert abs(float(atm.colour(f"sdss_{band}", band, **cool))) < most
        assert abs(float(atm.colour(f"sdss_{band}", band, **hot))) < most
    assert float(atm.colour("sdss_g", "g", **cool)) > 0.03 > float(atm.colour("sdss_g", "g", **hot))


@pytest.mark.data
def test_rr_lyrae_lie_on_the_track_of_their_temperature(data_dir: Path) -> None:
    curves = {b: read_pack(data_dir / "lightcurves" / f"s82_rrlyr_{b}.h5", with_period=True) for b in "griz"}
    mean = {}
    for band, pack in curves.items():
        fluxes = [10 ** (-0.4 * pack.mag[a:b]) for a, b in zip(pack.offsets[:-1], pack.offsets[1:], strict=True)]
        mean[band] = dict(zip(pack.columns["id"], [-2.5 * np.log10(f.mean()) for f in fluxes], strict=True))
    stars = sorted(set.intersection(*(set(m) for m in mean.values())))
    # a typical reddening of the stripe; z_AB = z_SDSS + 0.02
    a_v = 3.1 * 0.04
    magnitude = {
        b: np.array([mean[b][i] for i in stars]) - a_v * extinction_ratio(f"sdss_{b}", teff=6500.0) for b in "griz"
    }
    magnitude["z"] = magnitude["z"] + 0.02
    track = atm.AtmosphereTrack(logg=2.7, fe_h=-1.5)
    teff = track.teff("sdss_g", "sdss_i", magnitude["g"] - magnitude["i"])
    assert 6200 < np.median(teff) < 6800
    for blue, red in (("g", "r"), ("r", "i"), ("i", "z")):
        offset = magnitude[blue] - magnitude[red] - track.colour(f"sdss_{blue}", f"sdss_{red}", teff)
        assert abs(np.median(offset)) < 0.03


@pytest.mark.parametrize(("blue", "red"), [("V", "I"), ("sdss_g", "sdss_i"), ("BP", "RP"), ("g", "i")])
@settings(max_examples=40, deadline=None)
@given(
    teff=st.floats(2500.0, 11900.0),
    logg=st.floats(2.0, 5.0),
    fe_h=st.floats(-2.5, 0.5),
)
def test_temperature_from_colour_inverts_colour(blue: str, red: str, teff: float, logg: float, fe_h: float) -> None:
    value = atm.colour(blue, red, teff, logg, fe_h)
    back = float(atm.teff_from_colour(blue, red, value, logg, fe_h))
    # where a colour is flat or turns back, the temperature is not unique, but the colour is
    assert abs(float(atm.colour(blue, red, back, logg, fe_h)) - value) < 1e-6
    assert back == pytest.approx(teff, rel=1e-5) or back > teff


@pytest.mark.parametrize("fe_h", [-2.0, -1.0, 0.0, 0.5])
@pytest.mark.parametrize("logg", [1.5, 2.5, 3.5, 4.5])
def test_colours_of_pulsators_and_dwarfs_are_smooth_and_fall_with_temperature(logg: float, fe_h: float) -> None:
    # B-V and g-r turn back in cooler, metal-rich stars
    for blue, red, coolest in (("V", "I", 4000.0), ("B", "V", 4500.0), ("g", "r", 4500.0), ("BP", "RP", 4000.0)):
        teff = np.linspace(coolest, 7700.0, 1500)
        slope = np.diff(atm.colour(blue, red, teff, logg, fe_h)) / np.diff(teff)
        assert (slope < 0).all()
        # no jump of the slope from one step to the next
        assert np.abs(np.diff(slope)).max() < 0.06 * np.abs(slope).max()


def test_stars_at_many_phases_in_any_shape_agree() -> None:
    rng = np.random.default_rng(3)
    logg, fe_h = rng.uniform(2.0, 4.5, (30, 1)), rng.uniform(-2.0, 0.3, (30, 1))
    teff = rng.uniform(4500.0, 7500.0, (30, 40))
    value = atm.colour("V", "I", teff, logg, fe_h)
    assert value.shape == (30, 40)
    np.testing.assert_allclose(atm.teff_from_colour("V", "I", value, logg, fe_h), teff, rtol=1e-9)
    full = np.broadcast_arrays(value, logg, fe_h)
    np.testing.assert_allclose(atm.teff_from_colour("V", "I", *full), teff, rtol=1e-9)
    tracks = [atm.AtmosphereTrack(logg=g, fe_h=z) for g, z in zip(logg[:, 0], fe_h[:, 0], strict=True)]
    for track, t, v in zip(tracks, teff, value, strict=True):
        np.testing.assert_allclose(track.colour("V", "I", t), v, atol=1e-5)
        np.testing.assert_allclose(track.teff("V", "I", v), t, rtol=1e-5)
        star = t, track.logg, track.fe_h
        np.testing.assert_allclose(track.magnitude("G", t), atm.surface_magnitude("G", *star), atol=1e-5)
        np.testing.assert_allclose(track.radius(0.6, "V", t), atm.radius_from(0.6, "V", *star), rtol=1e-5)


def test_inversion_of_many_stars_in_chunks_is_the_same() -> None:
    logg = np.tile([2.0, 3.0, 4.0], 9000)
    got = atm.teff_from_colour("V", "I", np.full(logg.shape, 0.6), logg, -1.0)
    np.testing.assert_array_equal(got[:3], got[-3:])
    np.testing.assert_allclose(atm.colour("V", "I", got, logg, -1.0), 0.6, atol=1e-9)


def test_colours_beyond_the_range_get_its_ends() -> None:
    got = atm.teff_from_colour("V", "I", [-5.0, 20.0], 4.5, 0.0)
    np.testing.assert_allclose(got, [12000.0, 2400.0], rtol=1e-9)
    got = atm.teff_from_colour("V", "I", [-5.0, 20.0], 4.5, 0.0, between=(4000.0, 8000.0))
    np.testing.assert_allclose(got, [8000.0, 4000.0], rtol=1e-9)
    got = atm.AtmosphereTrack(logg=4.5, fe_h=0.0).teff("V", "I", [-5.0, 20.0], between=(4000.0, 8000.0))
    np.testing.assert_allclose(got, [8000.0, 4000.0], rtol=1e-9)


def test_missing_gravity_and_metallicity_are_the_defaults() -> None:
    known = atm.colour("g", "r", 6000.0, 3.0, -1.0)
    assert atm.colour("g", "r", 6000.0, np.nan, None, default_logg=3.0, default_fe_h=-1.0) == known
    assert atm.colour("g", "r", 6000.0) == atm.colour("g", "r", 6000.0, atm.DEFAULT_LOGG, atm.DEFAULT_FE_H)
    assert atm.AtmosphereTrack().logg == atm.DEFAULT_LOGG


def test_outside_the_table_the_edge_holds_and_is_told() -> None:
    np.testing.assert_array_equal(
        atm.surface_magnitude("V", [50000.0, 1000.0]), atm.surface_magnitude("V", [12000.0, 2400.0])
    )
    assert not atm.inside([50000.0, 1000.0]).any()
    assert not atm.inside(6000.0, 7.0) and not atm.inside(6000.0, 4.0, -4.0)
    # ATLAS9 has no such stars: they would not be stable
    assert atm.inside(11000.0, 4.0) and not atm.inside(11000.0, 0.5)
    assert atm.inside([2400.0, 5000.0, 12000.0], 4.5, 0.0).all()


def test_a_larger_star_is_brighter_by_its_surface() -> None:
    one, ten = atm.absolute_magnitude("i", 5000.0, [1.0, 10.0])
    assert one - ten == pytest.approx(5.0)
    assert atm.radius_from(ten, "i", 5000.0) == pytest.approx(10.0)


def test_vega_has_its_magnitude() -> None:
    # AB minus Vega of Blanton & Roweis (2007, AJ 133, 734, table 1), relative to V
    v = atm.ab_minus_system("V")
    for band, expected in (("B", -0.11), ("R", 0.19), ("I", 0.43)):
        assert abs(atm.ab_minus_system(band) - v - expected) < 0.02
    assert atm.ab_minus_system("r") == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: atm.surface_magnitude("V", np.nan), "teff"),
        (lambda: atm.surface_magnitude("V", [5000.0, -1.0]), "-1.0"),
        (lambda: atm.surface_magnitude("V", 5000.0, np.inf), "logg"),
        (lambda: atm.surface_magnitude("V", [5000.0, 6000.0], [1.0, 2.0, 3.0]), "shapes"),
        (lambda: atm.absolute_magnitude("V", 5000.0, 0.0), "radius"),
        (lambda: atm.teff_from_colour("V", "I", np.nan), "finite"),
        (lambda: atm.teff_from_colour("V", "I", [0.5, 0.6], [1.0, 2.0, 3.0]), "shapes"),
        (lambda: atm.teff_from_colour("V", "I", 0.5, between=(8000.0, 4000.0)), "lower one first"),
        (lambda: atm.AtmosphereTrack(logg=np.inf), "logg"),
        (lambda: atm.AtmosphereTrack().teff("V", "I", np.nan), "finite"),
    ],
)
def test_wrong_input_is_named(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_unknown_band_is_named() -> None:
    with pytest.raises(UnknownNameError, match="sdss_u"):
        atm.colour("sdss_q", "V", 5000.0)
    with pytest.raises(UnknownNameError, match="band"):
        atm.ab_minus_system("K")
