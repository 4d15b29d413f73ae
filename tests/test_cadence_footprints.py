"""What a camera sees, and finding the visits of many stars in large schedules."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from lcgen.cadence import Circle, Footprint, LsstCamera, OpSim, VisitTable, ZtfCamera, as_cadence
from lcgen.cadence.footprint import drawn_rotation, tangent_plane
from lcgen.cadence.index import SkyIndex
from lcgen.errors import CadenceError, InputError, UnknownNameError

ROOT = Path(__file__).resolve().parent.parent
SPHERE = 4.0 * np.pi * np.degrees(1.0) ** 2
CAMERAS = {
    "circle": (Circle(), np.pi * 1.75**2),
    # 189 sensors of about 4072 x 4000 or 4096 x 4004 pixels of 0.2 arcsec
    "lsst": (LsstCamera(), (72 * 4072 * 4000 + 117 * 4096 * 4004) * (0.2 / 3600) ** 2),
    "comcam": (LsstCamera(rafts=1), 9 * 4072 * 4000 * (0.2 / 3600) ** 2),
    "ztf": (ZtfCamera(), 47.7),
}


def on_sphere(n, seed):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))


@pytest.mark.parametrize("name", CAMERAS)
def test_areas(name):
    camera, area = CAMERAS[name]
    assert isinstance(camera, Footprint)
    n, side = 2000, 2.0 * camera.radius * 1.001
    edge = (np.arange(n) + 0.5) / n * side - side / 2
    x, y = (v.ravel() for v in np.meshgrid(edge, edge))
    found = camera.contains(x, y, np.full(x.size, 30.0)).mean() * side**2
    # the tangent plane stretches the circle by 0.06 per cent
    assert found == pytest.approx(area, rel=0.003)
    if name in ("circle", "lsst"):
        assert found == pytest.approx(9.6, rel=0.02)


def test_cameras_have_gaps_no_corners_and_turn():
    camera = LsstCamera()
    still = np.zeros(1)

    def sees(x, y, rotation=0.0):
        return bool(camera.contains(still + x, still + y, still + rotation)[0])

    raft, sensor = 127.0 / 180.0, 42.25 / 180.0
    assert sees(0.0, 0.0) and sees(2 * raft, raft) and not sees(2 * raft, 2 * raft)
    assert not sees(0.5 * raft, 0.0) and not sees(0.5 * sensor, 0.0)
    # the corner of the camera in the middle of the east side, after a turn by 45 degrees
    assert not sees(2.45 * raft, 0.0, 45.0) and sees(2.45 * raft, 0.0, 0.0)
    # a turned camera sees a point where the camera at rest sees the turned point
    rng = np.random.default_rng(1)
    x, y, angle = rng.uniform(-2, 2, 5000), rng.uniform(-2, 2, 5000), rng.uniform(0, 360, 5000)
    a = np.radians(angle)
    turned = camera.contains(np.cos(a) * x - np.sin(a) * y, np.sin(a) * x + np.cos(a) * y, 0 * a)
    np.testing.assert_array_equal(camera.contains(x, y, angle), turned)


def test_the_sense_of_the_rotation_is_that_of_real_detectors(data_dir):
    # all detectors of a real exposure must lie on the sensors of a ComCam at the middle of the exposure
    pd = pytest.importorskip("pandas")
    table = pd.read_parquet(data_dir / "cadences" / "dp1_ccdvisit_subsampled.parquet")
    good, wrong = [], []
    for _, visit in list(table.groupby("expMidptMJD"))[::40]:
        if len(visit) != 9:
            continue
        ra0, dec0 = (np.full(9, visit[c].iloc[4]) for c in ("ra", "dec"))
        x, y = tangent_plane(visit.ra.to_numpy(), visit.dec.to_numpy(), ra0, dec0)
        camera, rotation = LsstCamera(rafts=1), visit.skyRotation.to_numpy()
        for sense, out in ((1, good), (-1, wrong)):
            a = sense * np.radians(rotation)
            u, v = np.cos(a) * x - np.sin(a) * y, np.sin(a) * x + np.cos(a) * y
            out.append(max(np.abs(w - sensor).max() for w, sensor in ((u, nearest(u)), (v, nearest(v)))))
        assert camera.contains(x, y, rotation).all()
    # detectors lie within 15 arcsec of where the camera has them, and not with the other sense
    assert len(good) > 10 and max(good) < 15.0 / 3600.0 and np.median(wrong) > 0.01


def nearest(values):
    return np.rint(values * 180.0 / 42.25) * 42.25 / 180.0


@given(st.floats(0, 359.99), st.floats(-89, 89), st.floats(0.001, 2.0), st.floats(0, 359.0))
@settings(max_examples=60, deadline=None)
def test_the_tangent_plane_agrees_with_offsets_on_the_sphere(ra0, dec0, distance, angle):
    from astropy import units as u
    from astropy.coordinates import SkyCoord

    star = SkyCoord(ra0, dec0, unit="deg").directional_offset_by(angle * u.deg, distance * u.deg)
    x, y = tangent_plane(*(np.array([v]) for v in (star.ra.deg, star.dec.deg, ra0, dec0)))
    radius = np.degrees(np.tan(np.radians(distance)))
    assert float(x[0]) == pytest.approx(radius * np.sin(np.radians(angle)), abs=1e-6)
    assert float(y[0]) == pytest.approx(radius * np.cos(np.radians(angle)), abs=1e-6)


@pytest.mark.parametrize("name", CAMERAS)
def test_stars_seen_by_a_visit_on_a_random_sphere(name):
    camera, area = CAMERAS[name]
    rng = np.random.default_rng(6)
    n_visits, n_stars = 1500, 400
    ra, dec = on_sphere(n_visits, 1)
    table = {
        "mjd": 60000.0 + np.arange(n_visits),
        "band": np.full(n_visits, "r"),
        "ra": ra,
        "dec": dec,
        "rotSkyPos": rng.uniform(0, 360, n_visits),
    }
    cadence = VisitTable(table, footprint=name, outside="empty")
    seen = sum(0 if v is None else len(v) for v in cadence.visits_many(*on_sphere(n_stars, 2)))
    expected = n_visits * n_stars * area / SPHERE
    # Poisson, four standard deviations; with the neighbours' overlaps a little wider
    assert abs(seen - expected) < 4.5 * np.sqrt(expected)
    assert cadence.footprint == name and cadence.radius == camera.radius


def test_footprints_of_ones_own():
    class Half:
        radius = 1.0

        def contains(self, dx, dy, rotation):
            return (np.hypot(dx, dy) <= 1.0) & (dx > 0)

    table = {"mjd": [60000.0, 60001.0], "band": ["r", "g"], "ra": [10.0, 10.0], "dec": [0.0, 0.0]}
    assert len(VisitTable(table, footprint=Half()).visits(ra=10.5, dec=0.0)) == 2
    with pytest.raises(CadenceError, match="no visit"):
        VisitTable(table, footprint=Half()).visits(ra=9.5, dec=0.0)

    class Bare:
        def contains(self, dx, dy, rotation):
            return dy > 0.0

    assert len(VisitTable(table, footprint=Bare(), radius=2.0).visits(ra=10.5, dec=0.3)) == 2
    for footprint, radius, words in (
        (Bare(), None, "no attribute 'radius'"),
        (3, None, "footprint must be one of circle, lsst"),
        ("lsst", 1.0, "radius=1.0 belongs to footprint='circle'"),
    ):
        with pytest.raises(InputError, match=words):
            VisitTable(table, footprint=footprint, radius=radius)
    with pytest.raises(UnknownNameError, match=r"unknown footprint 'lst'.*did you mean 'lsst'"):
        VisitTable(table, footprint="lst")
    with pytest.raises(UnknownNameError, match="unknown value of outside 'keep'"):
        VisitTable(table, outside="keep")


def test_a_table_without_rotations_gets_some_from_its_times():
    mjd = 60000.0 + np.sort(np.random.default_rng(0).uniform(0, 3000, 4000))
    angles = drawn_rotation(mjd)
    np.testing.assert_array_equal(angles, drawn_rotation(mjd))
    assert angles.min() >= 0 and angles.max() < 360
    # uniform: the Kolmogorov-Smirnov distance stays below its 0.1 per cent point
    assert np.abs(np.sort(angles) / 360.0 - (np.arange(4000) + 0.5) / 4000).max() < 1.95 / np.sqrt(4000)
    assert abs(np.corrcoef(angles[1:], angles[:-1])[0, 1]) < 0.06


@given(st.integers(0, 10_000), st.floats(0, 359.999), st.floats(-90, 90), st.floats(0.01, 100))
@settings(max_examples=60, deadline=None)
def test_the_index_gives_all_that_is_near_and_hardly_more(seed, ra, dec, radius):
    from lcgen.cadence.sky import separation

    lon, lat = on_sphere(3000, seed)
    lon[:50], lat[:50] = ra + np.linspace(-1, 1, 50), np.clip(dec + np.linspace(-1, 1, 50), -90, 90)
    found = SkyIndex(np.arange(3000), lon, lat).near(ra, dec, radius)
    distance = separation(lon, lat, ra, dec)
    assert np.unique(found).size == found.size
    assert set(np.flatnonzero(distance <= radius)) <= set(found.tolist())
    assert (distance[found] <= radius + 0.002).all()


# ---------------------------------------------------------------------- scale
@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A synthetic database in the schema of OpSim 4, made by the script of the benchmarks."""
    path = tmp_path_factory.mktemp("synthetic") / "synthetic.db"
    command = [sys.executable, str(ROOT / "benchmarks" / "synthetic_opsim.py"), str(path), "--visits", "30000"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return path


def test_the_synthetic_database_looks_like_a_schedule(large):
    with closing(sqlite3.connect(large)) as connection:
        columns = [r[1] for r in connection.execute("PRAGMA table_info(observations)")]
        metadata = dict(connection.execute("SELECT key, value FROM metadata"))
        rows = connection.execute("SELECT observationStartMJD, night, altitude, moonPhase, band FROM observations")
        mjd, night, _, moon, band = (np.array(c) for c in zip(*rows, strict=True))
    assert len(columns) == 47 and metadata["synthetic"].startswith("yes") and metadata["visits"] == "30000"
    assert mjd.size == 30_000 and (np.diff(mjd) > 0).all() and (np.diff(night) >= 0).all()
    assert moon[band == "u"].mean() < moon[band == "z"].mean()
    schedule = as_cadence(large)
    assert schedule.bands == ("g", "i", "r", "u", "y", "z")
    summary = schedule.pointings()
    assert summary.n_visits == 30_000 and -90 < summary.dec[0] < -60 and 0 < summary.dec[1] < 40


def test_the_columns_are_those_of_a_real_database(large, data_dir):
    def columns(path):
        with closing(sqlite3.connect(path)) as connection:
            return [r[1] for r in connection.execute("PRAGMA table_info(observations)")]

    assert columns(large) == columns(data_dir / "cadences" / "opsim_shorten.db")


def places(path, n, seed):
    rng = np.random.default_rng(seed)
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT fieldRA, fieldDec FROM observations").fetchall()
    ra, dec = np.array(rows)[rng.integers(0, len(rows), n)].T
    return ra, np.clip(dec + rng.uniform(-1, 1, n), -90, 90)


@pytest.mark.parametrize("footprint", ["circle", "lsst"])
def test_index_window_and_table_in_memory_agree(large, footprint):
    pd = pytest.importorskip("pandas")
    ra, dec = places(large, 40, 2)
    database = OpSim(large, footprint=footprint, outside="empty")
    many = database.visits_many(ra, dec)
    with closing(sqlite3.connect(large)) as connection:
        frame = pd.read_sql("SELECT * FROM observations", connection)
    memory = VisitTable(frame, footprint=footprint, outside="empty").visits_many(ra, dec)
    fresh = OpSim(large, footprint=footprint)
    seen = 0
    for a, d, one, other in zip(ra, dec, many, memory, strict=True):
        if one is None:
            assert other is None
            with pytest.raises(CadenceError, match="no visit within"):
                fresh.visits(ra=a, dec=d)
            continue
        single = fresh.visits(ra=a, dec=d)
        seen += len(single)
        for name in ("mjd", "band", "depth5", "seeing", "sky", "airmass", "exposure_time", "night"):
            np.testing.assert_array_equal(getattr(one, name), getattr(single, name))
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert seen > 300


def test_stars_at_one_place_share_their_visits(large):
    ra, dec = places(large, 3, 4)
    found = OpSim(large).visits_many(np.r_[ra, ra], np.r_[dec, dec])
    assert all(found[k] is found[k + 3] for k in range(3))


def test_views_and_tables_without_row_numbers(large, tmp_path):
    ra, dec = places(large, 5, 5)
    whole = OpSim(large).visits_many(ra, dec)
    for name, sql in (
        ("view.db", "CREATE VIEW observations AS SELECT * FROM kept"),
        (
            "keyed.db",
            "CREATE TABLE observations (k INTEGER PRIMARY KEY, fieldRA, fieldDec, observationStartMJD, band, "
            "fiveSigmaDepth, visitTime) WITHOUT ROWID",
        ),
    ):
        path = tmp_path / name
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"ATTACH '{large}' AS big")
            if name == "view.db":
                connection.execute("CREATE TABLE kept AS SELECT * FROM big.observations")
            connection.execute(sql)
            if name == "keyed.db":
                connection.execute(
                    "INSERT INTO observations SELECT observationId, fieldRA, fieldDec, observationStartMJD, band, "
                    "fiveSigmaDepth, visitTime FROM big.observations"
                )
            connection.commit()
        for one, other in zip(OpSim(path, table="observations").visits_many(ra, dec), whole, strict=True):
            assert one is not None and other is not None
            np.testing.assert_array_equal(one.mjd, other.mjd)


def test_memory_of_many_positions_is_that_of_what_is_asked(large):
    import tracemalloc

    ra, dec = places(large, 30, 6)
    tracemalloc.start()
    found = OpSim(large).visits_many(ra, dec)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(len(v) for v in found if v is not None) > 300
    # the table is 12 MB on disk and several times that as Python objects
    assert peak < 0.6 * large.stat().st_size


# ---------------------------------------------------------------------- stars
def test_stars_outside_the_footprint(large, shipped_generator):
    ra, dec = places(large, 6, 7)
    ra[2], dec[2], dec[4] = 100.0, 85.0, 88.0
    stars = shipped_generator.draw("CEP", 6, params={"mean_mag": 20.0, "ra": ra, "dec": dec}, seed=3)
    with pytest.raises(CadenceError, match=r"2 of 6 stars have no visit, the first is star 2 at .*outside='empty'"):
        stars.observe(OpSim(large), band="nearest")
    curves = stars.observe(OpSim(large, outside="empty"), band="nearest", seed=5)
    counts = np.diff(curves.offsets)
    assert counts[2] == counts[4] == 0 and (np.delete(counts, [2, 4]) > 0).all()
    alone = stars[np.array([0, 5])].observe(OpSim(large), band="nearest", seed=5)
    for k, i in enumerate((0, 5)):
        np.testing.assert_array_equal(alone[k].mjd, curves[i].mjd)
        np.testing.assert_array_equal(alone[k].mag, curves[i].mag)
    nowhere = stars[np.array([2, 4])].observe(OpSim(large, outside="empty"), band="nearest")
    assert np.diff(nowhere.offsets).tolist() == [0, 0]


def test_stars_without_positions_are_counted(large):
    with pytest.raises(InputError, match="2 of 3 stars have no ra and dec"):
        OpSim(large).visits_many([10.0, np.nan, np.nan], [0.0, 0.0, np.nan])
