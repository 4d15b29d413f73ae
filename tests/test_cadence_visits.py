"""Visits, plain arrays, and what `as_cadence` takes."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from lcgen.cadence import Cadence, FixedCadence, Visits, as_cadence, from_arrays, from_table
from lcgen.errors import CadenceError, InputError, UnitError, UnknownNameError


@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(40000, 70000)), st.randoms())
def test_visits_are_sorted_with_their_columns(mjd, random):
    bands = np.array([random.choice("ugrizy") for _ in mjd])
    depth = mjd / 1000.0
    visits = Visits(mjd=mjd, band=bands, depth5=depth)
    assert (np.diff(visits.mjd) >= 0).all()
    np.testing.assert_array_equal(visits.depth5, visits.mjd / 1000.0)
    assert sorted(zip(mjd.tolist(), bands.tolist(), strict=True)) == sorted(
        zip(visits.mjd.tolist(), visits.band.tolist(), strict=True)
    )


def test_band_index_points_into_the_names():
    visits = Visits(mjd=[1.0, 2.0, 3.0], band=["g", "r", "g"])
    names = ("u", "g", "r")
    assert [names[i] for i in visits.band_index(names)] == ["g", "r", "g"]
    with pytest.raises(UnknownNameError, match="'g'"):
        visits.band_index(("u", "r"))


def test_select_keeps_rows_and_refuses_nothing():
    visits = Visits(mjd=[1.0, 2.0, 3.0], band=["g", "r", "g"], night=[1, 2, 3], seeing=[1.0, 2.0, 3.0])
    chosen = visits.select(visits.band == "g")
    assert chosen.night is not None and chosen.seeing is not None
    assert chosen.night.tolist() == [1, 3] and chosen.seeing.tolist() == [1.0, 3.0] and chosen.depth5 is None
    with pytest.raises(CadenceError, match="none of 3"):
        visits.select(visits.band == "z")
    with pytest.raises(CadenceError, match="mask of shape"):
        visits.select(np.array([True]))


def test_visits_cannot_be_changed():
    visits = Visits(mjd=[1.0], band="r")
    with pytest.raises(ValueError, match="read-only"):
        visits.mjd[0] = 2.0


@pytest.mark.parametrize(
    ("columns", "error", "words"),
    [
        ({"mjd": [], "band": []}, CadenceError, "at least one visit"),
        ({"mjd": [1.0, np.nan], "band": "r"}, CadenceError, "'mjd' has 1 of 2"),
        ({"mjd": [1.0, np.inf], "band": "r"}, CadenceError, "'mjd' has 1 of 2"),
        ({"mjd": [1.0], "band": "r", "depth5": [np.nan]}, CadenceError, "'depth5'"),
        ({"mjd": [1.0], "band": "r", "seeing": [0.0]}, CadenceError, "'seeing' must be positive"),
        ({"mjd": [1.0], "band": "r", "exposure_time": [-30.0]}, CadenceError, "'exposure_time' must be"),
        ({"mjd": [1.0, 2.0], "band": "r", "depth5": [24.0]}, CadenceError, "'depth5' has 1 values for 2"),
        ({"mjd": [1.0, 2.0], "band": ["r"]}, CadenceError, "'band' has 1 values for 2"),
        ({"mjd": [1.0], "band": "H"}, UnknownNameError, "band 'H'.*allowed: u, B, g"),
        ({"mjd": ["soon"], "band": "r"}, CadenceError, "must hold numbers"),
        ({"mjd": [2460000.5], "band": "r"}, CadenceError, "subtract 2400000.5"),
        ({"mjd": [[1.0]], "band": "r"}, CadenceError, "one dimension"),
    ],
)
def test_malformed_visits_are_refused(columns, error, words):
    with pytest.raises(error, match=words):
        Visits(**columns)


def test_a_fixed_cadence_is_a_cadence():
    cadence = from_arrays([60000.0, 60001.0], band=["g", "r_57"], depth5=24.0)
    assert isinstance(cadence, Cadence)
    assert cadence.bands == ("g", "r") and not cadence.per_star
    assert cadence.visits(ra=1.0, dec=2.0, seed=3, index=4) is cadence.table
    assert cadence.table.depth5 is not None and cadence.table.depth5.tolist() == [24.0, 24.0]


def test_as_cadence_takes_arrays_pairs_and_itself():
    assert as_cadence(np.array([1.0, 2.0])).bands == ("V",)
    assert as_cadence([3.0, 1.0]).visits().mjd.tolist() == [1.0, 3.0]
    pair = as_cadence(([1.0, 2.0], ["g", "r"]))
    assert pair.bands == ("g", "r")
    assert as_cadence(([1.0, 2.0], "z")).bands == ("z",)
    assert as_cadence(pair) is pair
    assert isinstance(as_cadence(Visits(mjd=[1.0], band="r")), FixedCadence)
    # a pair of numbers is an array of two times
    assert len(as_cadence((1.0, 2.0)).visits()) == 2


def test_as_cadence_understands_astropy_times_and_units():
    from astropy import units as u
    from astropy.time import Time

    assert as_cadence(Time([60000.0, 60001.0], format="mjd")).visits().mjd.tolist() == [60000.0, 60001.0]
    assert as_cadence([1440.0] * u.min).visits().mjd.tolist() == [1.0]
    with pytest.raises(UnitError, match="arcsec"):
        as_cadence([1.0] * u.arcsec)


@pytest.mark.parametrize("obj", [None, 5, 3.0, object(), FixedCadence, b"lsst-wfd", {1, 2}])
def test_as_cadence_says_what_it_takes(obj):
    with pytest.raises(InputError, match="a cadence may be a Cadence, Visits"):
        as_cadence(obj)


@pytest.mark.parametrize("obj", [[], [[1.0, 2.0]], ["a", "b"], ([1.0, 2.0], ["g"]), np.zeros((2, 2)), "lsst_wfd", ""])
def test_as_cadence_refuses_malformed_input(obj):
    with pytest.raises((InputError, CadenceError)):
        as_cadence(obj)


def test_as_cadence_refuses_unknown_paths(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'lsst-wfd'"):
        as_cadence("lsst-wdf")
    for ending in ("db", "parquet", "csv", "dat", "h5"):
        with pytest.raises(CadenceError, match=f"none.{ending}: no such file"):
            as_cadence(tmp_path / f"none.{ending}")
    (tmp_path / "a.xyz").write_text("1 2")
    with pytest.raises(InputError, match="told by the ending"):
        as_cadence(tmp_path / "a.xyz")


TABLE = {
    "observationStartMJD": [60001.0, 60000.0],
    "filter": ["r_57", "g_6"],
    "visitTime": [34.0, 34.0],
    "visitExposureTime": [30.0, 30.0],
    "fiveSigmaDepth": [24.5, 25.0],
    "night": [2, 1],
}


def as_mapping(columns):
    return dict(columns)


def as_astropy(columns):
    from astropy.table import Table

    return Table(columns)


def as_pandas(columns):
    return pytest.importorskip("pandas").DataFrame(columns)


def as_records(columns):
    return as_astropy(columns).as_array()


@pytest.mark.parametrize("make", [as_mapping, as_astropy, as_pandas, as_records])
def test_tables_of_every_kind_give_the_same_visits(make):
    cadence = as_cadence(make(TABLE))
    visits = cadence.visits()
    np.testing.assert_allclose(visits.mjd, np.array([60000.0, 60001.0]) + 17.0 / 86400.0, rtol=0, atol=1e-9)
    assert visits.band.tolist() == ["g", "r"]
    assert visits.depth5 is not None and visits.depth5.tolist() == [25.0, 24.5]
    assert visits.night is not None and visits.night.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"filter": None}, CadenceError, "no column for 'band'; understood names: filtercode, fid, band, filter"),
        ({"observationStartMJD": None}, CadenceError, "no column for 'mjd'.*observationStartMJD"),
        ({"filter": ["r", "K"]}, UnknownNameError, "band 'K'.*column 'filter'"),
        ({"fiveSigmaDepth": [np.nan, 24.0]}, CadenceError, "'fiveSigmaDepth' has 1 of 2"),
        ({"fiveSigmaDepth": [24.0]}, CadenceError, "'fiveSigmaDepth' has shape"),
        ({"observationStartMJD": [None, 1.0]}, CadenceError, "'observationStartMJD' has 1 of 2"),
    ],
)
def test_malformed_tables_name_the_column(change, error, words):
    columns = {k: v for k, v in (TABLE | change).items() if v is not None}
    with pytest.raises(error, match=words):
        from_table(columns)


def test_csv_with_and_without_positions(tmp_path):
    (tmp_path / "plain.csv").write_text("mjd,band\n60000.5,r\n60001.5,i\n")
    assert not as_cadence(tmp_path / "plain.csv").per_star
    (tmp_path / "sky.csv").write_text("mjd,band,ra,dec\n60000.5,r,359.5,0\n60001.5,i,0.5,0\n60002.5,i,9,0\n")
    sky = as_cadence(tmp_path / "sky.csv")
    assert sky.per_star and sky.visits(ra=0.0, dec=0.0).band.tolist() == ["r", "i"]
    with pytest.raises(InputError, match="give ra and dec"):
        sky.visits()
    (tmp_path / "bad.csv").write_text("mjd,band\n60000.5,r\n60001.5\n\x00,,,,\n")
    with pytest.raises((CadenceError, InputError), match=r"bad\.csv"):
        as_cadence(tmp_path / "bad.csv")
