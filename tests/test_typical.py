"""Typical temperatures and magnitudes of stars without measured ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcgen.errors import DomainError, InputError, UnknownNameError
from lcgen.observe.atmosphere import colour as atmosphere_colour
from lcgen.population.stellar import bolometric_correction_g, gravity_of, radius_of
from lcgen.population.typical import ASSUMED, N_UNIFORMS, RELATIONS, typical
from lcgen.taxonomy import CLASS_INFO

ALL = [(c, s) for c, info in CLASS_INFO.items() for s in (*info.subclasses, "")]


def draw(cls: str, sub: str, period: float, n: int = 4000, seed: int = 0):
    return typical(cls, sub, np.full(n, period), np.random.default_rng(seed).random((n, N_UNIFORMS)))


@pytest.mark.parametrize(("cls", "sub"), ALL)
def test_every_class_and_subclass_has_values_at_any_period(cls, sub):
    u = np.random.default_rng(1).random((200, N_UNIFORMS))
    made = typical(cls, sub, np.geomspace(0.02, 2000.0, 200), u)
    assert made.source == ASSUMED == "assumed"
    assert set(made.relation.tolist()) <= set(RELATIONS)
    assert ((made.teff > 2000) & (made.teff < 20_000)).all()
    assert ((made.abs_mag > -8) & (made.abs_mag < 9)).all()
    assert ((made.radius > 0.3) & (made.radius < 1500)).all()
    known = np.isfinite(made.logg)
    assert ((made.logg[known] > -1) & (made.logg[known] < 5.5)).all()


@given(u=st.lists(st.floats(0, 1, exclude_max=True), min_size=N_UNIFORMS, max_size=N_UNIFORMS), k=st.integers(0, 31))
@settings(max_examples=30, deadline=None)
def test_a_star_depends_on_its_own_row_only(u, k):
    cls, sub = ALL[k % len(ALL)]
    rng = np.random.default_rng(k)
    periods, others = 10.0 ** rng.uniform(-1, 2.5, 7), rng.random((7, N_UNIFORMS))
    others[3] = u
    together = typical([cls] * 7, [sub] * 7, periods, others)
    alone = typical(cls, sub, periods[3:4], others[3:4])
    for name in ("teff", "abs_mag", "radius", "relation"):
        assert getattr(together, name)[3] == getattr(alone, name)[0]


def test_radius_luminosity_and_gravity_hang_together():
    sun = 4.74 - bolometric_correction_g(5772.0)
    assert radius_of(sun, 5772.0) == pytest.approx(1.0)
    assert radius_of(sun - 5.0, 5772.0) == pytest.approx(10.0)
    assert gravity_of(1.0, 10.0) == pytest.approx(2.438)
    # the Sun in G is 4.67 (Casagrande & VandenBerg 2018, MNRAS 479, L102)
    assert sun == pytest.approx(4.67, abs=0.02)
    # continuous at the joints of the two polynomials and the table
    for teff in (4000.0, 8000.0):
        below, above = bolometric_correction_g([teff - 0.01, teff + 0.01])
        assert below == pytest.approx(above, abs=0.03)


def test_main_sequence_agrees_with_its_radii():
    # the table's magnitudes, temperatures and radii are independent columns: M_G and BC give the radius back
    from lcgen.population import stellar

    cool = stellar._MS_TEFF < 8000
    made = radius_of(stellar._MS_MAG[cool], stellar._MS_TEFF[cool])
    np.testing.assert_allclose(made, stellar._MS_RADIUS[cool], rtol=0.06)


@pytest.mark.parametrize(
    ("sub", "period", "m_v", "width"),
    [("HADS", 0.05, -2.94 * np.log10(0.05) - 1.34, 0.25), ("HADS", 0.15, -2.94 * np.log10(0.15) - 1.34, 0.25)],
)
def test_delta_scuti_follow_their_relation(sub, period, m_v, width):
    made = draw("DSCT", sub, period)
    found = made.abs_mag - atmosphere_colour("G", "V", made.teff)
    # standard error 0.25 / sqrt(4000) = 0.004
    assert found.mean() == pytest.approx(m_v, abs=0.03)
    assert found.std() == pytest.approx(width, rel=0.1)
    # the strip is 6,900-8,900 K wide; the scatter of the magnitude widens that
    assert 6900 < np.median(made.teff) < 8900
    assert ((made.teff > 6200) & (made.teff < 9600)).all()


def test_independent_relations_of_delta_scuti_agree():
    # McNamara, Clementini & Marconi 2007, AJ 133, 2752: M_V = -2.90 log P - 0.19 [Fe/H] - 1.26
    for period in (0.05, 0.1, 0.2):
        assert -2.94 * np.log10(period) - 1.34 == pytest.approx(-2.90 * np.log10(period) - 1.26, abs=0.15)


@pytest.mark.parametrize("period", [0.25, 0.3, 0.4, 0.5])
def test_contact_binaries_follow_magnitude_and_temperature(period):
    made = draw("ECL", "EW", period)
    expected = -8.67 * (np.log10(period) + 0.40) + 3.73
    assert np.median(made.abs_mag - atmosphere_colour("G", "V", made.teff)) == pytest.approx(expected, abs=0.05)
    # the temperature follows from Roche geometry; late-type EW are below 6710 K - 1760 K log(P / 0.5 d)
    # (Jayasinghe et al. 2020, MNRAS 493, 4045) and hotter at longer periods
    assert np.median(made.teff) < 6710 - 1760 * np.log10(period / 0.5)
    assert np.median(draw("ECL", "EW", period * 1.1).teff) > np.median(made.teff)


@pytest.mark.parametrize("period", [0.3, 0.6, 1.5, 20.0])
def test_detached_binaries_fit_into_their_orbits(period):
    made = draw("ECL", "EA", period)
    mass = 10 ** (made.logg - 4.438) * made.radius**2
    # equal stars just touch where P sqrt(M / R^3) = 0.35 d (Eggleton 1983, equation 3 with q = 1)
    least = 0.35 * np.sqrt(made.radius**3 / mass)
    table_end = made.radius < 0.70
    assert (least[~table_end] < period).all()
    if period > 1.0:
        assert 5500 < np.median(made.teff) < 7500 and made.teff.max() > 10_000


def test_ellipsoidal_variables_are_dwarfs_or_giants_by_period():
    assert np.median(draw("ELL", "", 0.4).logg) > 4.0
    assert np.median(draw("ELL", "", 30.0).logg) < 2.6
    radii = [np.median(draw("ELL", "", p).radius) for p in (10.0, 30.0, 100.0)]
    # a Roche lobe grows with P^(2/3)
    assert radii[1] / radii[0] == pytest.approx(3 ** (2 / 3), rel=0.05)


def test_type_ii_cepheids_follow_luminosity_and_radius():
    made = draw("T2CEP", "WVir", 10.0)
    mbol = made.abs_mag + bolometric_correction_g(made.teff)
    assert mbol.mean() == pytest.approx(0.12 - 1.78, abs=0.02)
    assert np.log10(made.radius).mean() == pytest.approx(0.846 + 0.521, abs=0.01)


def test_miras_are_like_r_aquilae():
    made = draw("LPV", "Mira", 284.0)
    # Hofmann et al. 2002: T_eff 2,970 K, radius 250 (+100, -60) R_sun, at a period of 284 d
    assert np.median(made.teff) == pytest.approx(2970, abs=15)
    assert 190 < np.median(made.radius) < 350
    assert np.median(draw("LPV", "Mira", 400.0).teff) < np.median(made.teff)


def test_periods_outside_a_relation_are_held_and_flagged():
    made = typical("DSCT", "", [0.01, 0.1, 0.5], [[0.5] * N_UNIFORMS] * 3)
    assert made.outside.tolist() == [True, False, True]
    edge = typical("DSCT", "", [0.25], [[0.5] * N_UNIFORMS])
    assert made.abs_mag[2] == edge.abs_mag[0]


def test_modes_of_anomalous_cepheids_without_subclass():
    made = draw("ACEP", "", 1.0)
    share = np.mean(made.relation == "anomalous Cepheid, F")
    assert abs(share - 174 / 250) < 4 * np.sqrt(0.21 / 4000)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("NOVA", "", [1.0], [[0.5] * 4]), UnknownNameError),
        (("CEP", "F", [-1.0], [[0.5] * 4]), DomainError),
        (("CEP", "F", [np.nan], [[0.5] * 4]), DomainError),
        (("CEP", "F", [1.0], [[0.5] * 3]), InputError),
        (("CEP", "F", [1.0], [[1.0] * 4]), InputError),
        ((["CEP"] * 3, "F", [1.0, 2.0], [[0.5] * 4] * 2), InputError),
    ],
)
def test_wrong_arguments(arguments, error):
    with pytest.raises(error):
        typical(*arguments)


@pytest.mark.parametrize(
    ("cls", "sub", "shift", "colour"),
    [
        ("ACEP", "F", 0.25, 0.12),
        ("T2CEP", "BLHer", 0.35, 0.25),
        ("T2CEP", "WVir", 0.3, 0.12),
        ("T2CEP", "RVTau", 0.3, 0.2),
    ],
)
def test_magellanic_stars_are_where_typical_ones_are(data_dir: Path, cls, sub, shift, colour):
    from lcgen.catalog import read_physical_parameters

    table = read_physical_parameters(data_dir / "catalogs" / "ogle3_gaiadr2_physical_parameters.csv.gz")
    lmc = np.char.startswith(np.asarray(table["id"]).astype(str), "OGLE-LMC")
    rows = np.flatnonzero(lmc & (np.asarray(table["class"]) == cls) & (np.asarray(table["subclass"]) == sub))
    assert rows.size >= 10
    period, v_i, i = (np.asarray(table[name], dtype=float)[rows] for name in ("period", "V_I", "I"))
    made = typical(cls, sub, period, np.random.default_rng(2).random((rows.size, N_UNIFORMS)))
    # mean reddening E(V-I) = 0.10 (Skowron et al. 2021), A_V = 2.5 E(V-I), distance modulus 18.477
    difference = i + v_i - 0.25 - 18.477 - (made.abs_mag - atmosphere_colour("G", "V", made.teff))
    assert abs(np.median(difference)) < shift
    assert abs(np.median(v_i - 0.10 - atmosphere_colour("V", "I", made.teff))) < colour
