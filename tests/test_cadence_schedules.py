"""Schedules on the sky: OpSim databases and Rubin's visit tables, against brute-force selections."""

from __future__ import annotations

import sqlite3
import tracemalloc
from contextlib import closing

import numpy as np
import pytest

from lcgen.cadence import OpSim, VisitTable, as_cadence
from lcgen.errors import CadenceError, InputError, UnknownNameError

N_SYNTHETIC = 50_000


def rows_of(path, sql):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def astropy_separation(ra, dec, ra0, dec0):
    from astropy.coordinates import SkyCoord

    return SkyCoord(ra, dec, unit="deg").separation(SkyCoord(ra0, dec0, unit="deg")).deg


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory):
    """A synthetic schedule in the schema of OpSim v4, the whole sphere; path and its columns."""
    path = tmp_path_factory.mktemp("opsim") / "synthetic.db"
    rng = np.random.default_rng(5)
    ra = rng.uniform(0, 360, N_SYNTHETIC)
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, N_SYNTHETIC)))
    mjd = 61000.0 + np.sort(rng.uniform(0, 3652, N_SYNTHETIC))
    band = np.array(list("ugrizy"))[rng.integers(0, 6, N_SYNTHETIC)]
    physical = np.char.add(band, "_57")
    rows = zip(*(c.tolist() for c in (ra, dec, mjd, band, physical, mjd - 61000.0)), strict=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE observations (fieldRA REAL, fieldDec REAL, observationStartMJD REAL, band TEXT, "
            "filter TEXT, night INT, visitTime REAL DEFAULT 34, visitExposureTime REAL DEFAULT 30, "
            "fiveSigmaDepth REAL DEFAULT 24.5, seeingFwhmEff REAL DEFAULT 0.9)"
        )
        connection.executemany(
            "INSERT INTO observations (fieldRA, fieldDec, observationStartMJD, band, filter, night) "
            "VALUES (?, ?, ?, ?, ?, CAST(? AS INT))",
            rows,
        )
    return path, {"ra": ra, "dec": dec, "mjd": mjd, "band": band}


@pytest.mark.parametrize(
    ("ra", "dec", "radius"),
    [
        (53.1, -28.1, 1.75),
        (0.3, -30.0, 3.0),
        (359.9, 10.0, 3.0),
        (200.0, 89.5, 2.0),
        (10.0, -90.0, 4.0),
        (-5.0, 85.0, 6.0),
        (120.0, 0.0, 100.0),
    ],
)
def test_selection_equals_a_brute_force_cut(synthetic, ra, dec, radius):
    path, sky = synthetic
    inside = astropy_separation(sky["ra"], sky["dec"], ra, dec) <= radius
    visits = OpSim(path, ra=ra, dec=dec, radius=radius).visits()
    assert inside.sum() > 5
    np.testing.assert_allclose(visits.mjd, sky["mjd"][inside] + 17.0 / 86400.0, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(visits.band, sky["band"][inside])


def test_right_ascension_may_be_signed(tmp_path):
    path = tmp_path / "signed.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE observations (ra REAL, dec REAL, mjd REAL, band TEXT)")
        connection.executemany(
            "INSERT INTO observations VALUES (?, ?, ?, 'r')",
            [(-0.5, 0, 1.0), (0.5, 0, 2.0), (-179.9, 0, 3.0)],
        )
    assert OpSim(path).visits(ra=359.9, dec=0.0).mjd.tolist() == [1.0, 2.0]
    assert OpSim(path).visits(ra=180.0, dec=0.0).mjd.tolist() == [3.0]


def test_memory_does_not_hold_the_table(synthetic):
    path, _ = synthetic
    schedule = OpSim(path)
    tracemalloc.start()
    schedule.visits(ra=53.1, dec=-28.1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # the ten columns of 50,000 rows are 4 MB as arrays and several times that as Python objects
    assert peak < 500_000


def test_many_stars_in_one_pass_equal_single_queries(synthetic):
    path, _ = synthetic
    schedule = OpSim(path, radius=2.5, bands=("r", "i"), mjd_range=(61000.0, 63000.0))
    ra, dec = np.array([53.1, 359.9, 10.0, 53.1]), np.array([-28.1, 10.0, -90.0, -28.1])
    for a, d, many in zip(ra, dec, schedule.visits_many(ra, dec), strict=True):
        one = schedule.visits(ra=a, dec=d)
        assert many is not None and set(one.bands) <= {"r", "i"} and one.mjd.max() <= 63000.0
        np.testing.assert_array_equal(many.mjd, one.mjd)
        np.testing.assert_array_equal(many.band, one.band)
        np.testing.assert_array_equal(many.night, one.night)


def test_summary_counts_every_visit(synthetic):
    path, sky = synthetic
    summary = OpSim(path).pointings()
    assert summary.n_visits == N_SYNTHETIC
    names, counts = np.unique(sky["band"], return_counts=True)
    assert summary.visits_per_band == dict(zip(names.tolist(), counts.tolist(), strict=True))
    assert summary.mjd == (sky["mjd"].min(), sky["mjd"].max())


def test_a_fixed_position_is_not_per_star(synthetic):
    path, _ = synthetic
    free, fixed = OpSim(path), OpSim(path, ra=53.1, dec=-28.1)
    assert free.per_star and not fixed.per_star
    np.testing.assert_array_equal(fixed.visits(ra=1.0, dec=1.0).mjd, free.visits(ra=53.1, dec=-28.1).mjd)
    np.testing.assert_array_equal(free.at(53.1, -28.1).visits().mjd, fixed.visits().mjd)
    with pytest.raises(InputError, match="give ra and dec of each star"):
        free.visits(ra=3.0)


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"ra": 5.0}, "both ra and dec"),
        ({"ra": 5.0, "dec": 95.0}, "dec within"),
        ({"ra": np.nan, "dec": 0.0}, "ra must be finite"),
        ({"radius": 0.0}, "radius must lie"),
        ({"radius": "1"}, "radius must lie"),
        ({"bands": ("w",)}, "unknown band 'w'"),
        ({"mjd_range": (2.0, 1.0)}, "first < last"),
    ],
)
def test_arguments_are_checked(synthetic, keywords, words):
    with pytest.raises(InputError, match=words):
        OpSim(synthetic[0], **keywords)


def test_a_schedule_without_visits_there_says_where_they_are(data_dir):
    schedule = OpSim(data_dir / "cadences" / "sv_db_subsampled.db")
    with pytest.raises(CadenceError, match=r"within 1.75 deg of ra=100.0000, dec=80.0000.*ra 223.24 to 319.99"):
        schedule.visits(ra=100.0, dec=80.0)


def make_db(path, columns, rows):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE TABLE observations ({columns})")
        if rows:
            connection.executemany(f"INSERT INTO observations VALUES ({','.join('?' * len(rows[0]))})", rows)
    return path


def test_malformed_databases_are_refused(tmp_path, synthetic):
    text = tmp_path / "text.db"
    text.write_text("not a database, not at all, and long enough to be read as a header of one" * 20)
    with pytest.raises(CadenceError, match=r"text.db: not a readable SQLite"):
        OpSim(text)
    (tmp_path / "void.db").write_bytes(b"")
    with pytest.raises(CadenceError, match="no table 'observations'"):
        OpSim(tmp_path / "void.db")
    with pytest.raises(CadenceError, match="no table 'visits'; tables there: observations"):
        OpSim(synthetic[0], table="visits")
    with pytest.raises(CadenceError, match=r"no column for 'band'.*columns there: ra, dec, mjd"):
        OpSim(make_db(tmp_path / "a.db", "ra REAL, dec REAL, mjd REAL", []))
    empty = OpSim(make_db(tmp_path / "b.db", "ra REAL, dec REAL, mjd REAL, band TEXT", []))
    with pytest.raises(CadenceError, match="the table is empty"):
        empty.visits(ra=1.0, dec=1.0)
    unknown = OpSim(make_db(tmp_path / "c.db", "ra REAL, dec REAL, mjd REAL, band TEXT", [(1, 1, 1, "K")]))
    with pytest.raises(UnknownNameError, match=r"band 'K'.*c.db, table 'observations', column 'band'"):
        unknown.visits(ra=1.0, dec=1.0)
    for column, row in (("mjd", (1, 1, None, "r")), ("mjd", (1, 1, "x", "r"))):
        path = tmp_path / f"{row[2]}.db"
        broken = OpSim(make_db(path, "ra REAL, dec REAL, mjd REAL, band TEXT", [row]))
        with pytest.raises(CadenceError, match=f"{path.name}.*column {column!r}"):
            broken.visits(ra=1.0, dec=1.0)


def test_a_truncated_database_is_refused(tmp_path, synthetic):
    whole = synthetic[0].read_bytes()
    for k, fraction in enumerate((0.001, 0.3, 0.9)):
        cut = tmp_path / f"cut{k}.db"
        cut.write_bytes(whole[: int(len(whole) * fraction)])
        with pytest.raises(CadenceError, match=f"cut{k}.db"):
            OpSim(cut).visits(ra=53.1, dec=-28.1)


@pytest.mark.parametrize(
    ("name", "time", "band", "shift"),
    [
        ("opsim_small.db", "observationStartMJD", "filter", 14.6),
        ("opsim_shorten.db", "observationStartMJD", "band", 15.5),
        ("sv_db_subsampled.db", "exp_midpt_mjd", "band", 0.0),
    ],
)
def test_real_schedules_of_every_vintage(data_dir, name, time, band, shift):
    path = data_dir / "cadences" / name
    schedule = as_cadence(path)
    rows = rows_of(path, f"SELECT fieldRA, fieldDec, {time}, {band} FROM observations")
    ra, dec, mjd = (np.array([r[k] for r in rows]) for k in range(3))
    names = np.array([r[3] for r in rows])
    for k in (0, len(rows) // 2, len(rows) - 1):
        inside = astropy_separation(ra, dec, ra[k], dec[k]) <= 1.75
        visits = schedule.visits(ra=ra[k], dec=dec[k])
        np.testing.assert_allclose(visits.mjd, np.sort(mjd[inside]) + shift / 86400.0, rtol=0, atol=2e-9)
        assert sorted(visits.band) == sorted(names[inside])
    assert set(schedule.bands) == set(names)


def test_opsim_without_depths_has_none(data_dir):
    visits = as_cadence(data_dir / "cadences" / "opsim_small.db").visits(ra=0.0, dec=-30.0)
    assert visits.depth5 is None and visits.night is None
    assert visits.seeing is not None and visits.exposure_time is not None


def test_dp1_collapses_detectors_into_visits(data_dir):
    pd = pytest.importorskip("pandas")
    path = data_dir / "cadences" / "dp1_ccdvisit_subsampled.parquet"
    table = pd.read_parquet(path)
    wide = VisitTable(path, ra=53.0, dec=-28.0, radius=1.75).visits()
    inside = astropy_separation(table.ra.to_numpy(), table.dec.to_numpy(), 53.0, -28.0) <= 1.75
    per_visit = table[inside].groupby("expMidptMJD")
    np.testing.assert_array_equal(wide.mjd, per_visit.size().index)
    np.testing.assert_allclose(wide.depth5, per_visit.magLim.median())
    np.testing.assert_array_equal(wide.band, per_visit.band.first())
    # by default a star is on one detector of a visit at most
    star = as_cadence(path)
    assert star.footprint == "detector" and star.radius == pytest.approx(0.159, abs=0.001)
    assert 300 < len(star.visits(ra=53.0, dec=-28.0)) <= len(wide)
    with pytest.raises(CadenceError, match=r"no visit within.*ra 39.46 to 59.91.*nearest"):
        star.visits(ra=0.0, dec=0.0)
    in_memory = VisitTable(table, ra=53.0, dec=-28.0, bands="g")
    assert in_memory.bands == ("g",) and set(in_memory.visits().band) == {"g"}


def test_parquet_that_is_cut_off_is_refused(data_dir, tmp_path):
    whole = (data_dir / "cadences" / "dp1_ccdvisit_subsampled.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[:100_000])
    with pytest.raises(CadenceError, match=r"cut\.parquet: not a readable Parquet"):
        as_cadence(tmp_path / "cut.parquet")


def test_rows_of_one_visit_are_known_by_their_identifier():
    columns = {
        "visitId": [1, 1, 2],
        "expMidptMJD": [60000.0, 60000.0, 60000.0],
        "band": ["r", "r", "r"],
        "ra": [0.0, 0.1, 0.0],
        "dec": [0.0, 0.0, 0.0],
        "magLim": [24.0, 25.0, 23.0],
    }
    visits = VisitTable(columns).visits(ra=0.0, dec=0.0)
    assert len(visits) == 2 and visits.depth5 is not None
    assert sorted(visits.depth5) == [23.0, 24.5]
