"""Extinction by band, beside the laws themselves and published coefficients."""

from __future__ import annotations

import numpy as np
import pytest

from lcgen import InputError
from lcgen.errors import DomainError, UnknownNameError
from lcgen.observe.extinction import band_extinction, extinction_ratio, law_limits
from lcgen.photometry import BANDS

# Schlafly & Finkbeiner (2011, ApJ 737, 103, table 6): A_band / E(B-V) of the SFD map, R_V = 3.1, law of Fitzpatrick
# (1999), a star of 7,000 K.
SF11 = {
    **{"u": 4.145, "g": 3.237, "r": 2.273, "i": 1.684, "z": 1.323, "y": 1.088},
    **{"sdss_u": 4.239, "sdss_g": 3.303, "sdss_r": 2.285, "sdss_i": 1.698, "sdss_z": 1.263},
}


@pytest.mark.parametrize("band", sorted(set(SF11) - {"r", "sdss_r"}))
def test_published_coefficients(band: str) -> None:
    reference = "sdss_r" if band.startswith("sdss") else "r"
    got = float(extinction_ratio(band, teff=7000.0) / extinction_ratio(reference, teff=7000.0))
    assert got == pytest.approx(SF11[band] / SF11[reference], rel=0.02)


@pytest.mark.parametrize("law", ["CCM89", "O94", "F99", "F19", "G23"])
@pytest.mark.parametrize("fraction", [0.0, 0.31, 0.77, 1.0])
def test_the_table_follows_the_law_itself(law: str, fraction: float) -> None:
    # An independent evaluation: the law through the filter of a source that is flat over it, so of no temperature
    parameter_averages = pytest.importorskip("dust_extinction.parameter_averages")
    filters = pytest.importorskip("speclite.filters")
    from astropy import units

    low, high = law_limits()[law]
    r_v = low + fraction * (high - low)
    curve = getattr(parameter_averages, law)(Rv=r_v)

    def effective(name: str) -> float:
        loaded = filters.load_filter(name)
        share = loaded.response / loaded.response.sum()
        return float((share * curve(loaded.wavelength * units.angstrom)).sum())

    for band, name in (("g", "lsst2023-g"), ("r", "sdss2010-r"), ("y", "lsst2023-y")):
        mine = f"sdss_{band}" if name.startswith("sdss") else band
        got = float(extinction_ratio(mine, law=law, r_v=r_v, teff=6500.0))
        assert got == pytest.approx(effective(name) / effective("bessell-V"), rel=0.025)


@pytest.mark.parametrize("law", law_limits())
def test_bluer_bands_lose_more(law: str) -> None:
    for bands in ("ugrizy", ("sdss_u", "sdss_g", "sdss_r", "sdss_i", "sdss_z"), "BVRI", ("BP", "G", "RP")):
        ratios = np.array([extinction_ratio(b, law=law) for b in bands])
        assert (np.diff(ratios) < 0).all()
    assert set(BANDS) == {b for b in BANDS if np.isfinite(extinction_ratio(b, law=law))}


@pytest.mark.parametrize("law", law_limits())
def test_v_is_one_whatever_the_star(law: str) -> None:
    got = extinction_ratio("V", law=law, r_v=3.7, teff=[[3000.0], [11000.0]], a_v=[0.0, 0.7, 9.0])
    np.testing.assert_allclose(got, 1.0, atol=1e-12)


def test_wide_bands_saturate_with_dust_and_depend_on_the_star() -> None:
    # what is left of the light is redder, and reddens less; hot stars have more to lose
    ratio = extinction_ratio("G", teff=[[4000.0], [10000.0]], a_v=[0.0, 3.0, 10.0])
    assert (np.diff(ratio, axis=1) < -0.01).all()
    assert (ratio[1] > ratio[0]).all()
    # a narrow band hardly
    assert abs(float(extinction_ratio("i", a_v=3.0) - extinction_ratio("i"))) < 0.02


def test_magnitudes_of_extinction_grow_with_dust() -> None:
    a_v = np.linspace(0.0, 12.0, 60)
    for band in ("u", "G", "I"):
        lost = band_extinction(band, a_v, r_v=2.7, teff=4000.0)
        assert lost[0] == 0.0
        assert (np.diff(lost) > 0).all()


def test_a_law_of_ones_own() -> None:
    law = {"g": 1.2, "V": 1.0}
    np.testing.assert_array_equal(band_extinction("g", [0.0, 2.0], law=law), [0.0, 2.4])
    with pytest.raises(UnknownNameError, match="g, V"):
        extinction_ratio("r", law=law)
    with pytest.raises(InputError, match="non-negative"):
        extinction_ratio("g", law={"g": float("nan")})


def test_missing_and_extreme_temperatures() -> None:
    assert extinction_ratio("u", teff=np.nan) == extinction_ratio("u") == extinction_ratio("u", teff=6000.0)
    assert extinction_ratio("u", teff=40000.0) == extinction_ratio("u", teff=12000.0)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"law": "F98"}, UnknownNameError, "F99"),
        ({"law": "F99", "r_v": 1.0}, DomainError, r"\[2, 6\]"),
        ({"law": "G23", "r_v": 5.8}, DomainError, "5.6"),
        ({"r_v": float("nan")}, DomainError, "r_v"),
        ({"a_v": -0.1}, InputError, "a_v"),
        ({"a_v": float("nan")}, InputError, "a_v"),
        ({"teff": 0.0}, InputError, "teff"),
        ({"teff": [5000.0, 6000.0], "a_v": [0.0, 1.0, 2.0]}, InputError, "shapes"),
    ],
)
def test_wrong_input_is_named(options, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        extinction_ratio("g", **options)
    with pytest.raises(UnknownNameError, match="band"):
        extinction_ratio("K")
