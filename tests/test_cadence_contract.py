"""What every cadence keeps, whatever it was read from; and what is said of schedules that are malformed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lcgen.cadence import (
    Cadence,
    EpochLibrary,
    FieldLog,
    OpSim,
    Visits,
    VisitTable,
    as_cadence,
    from_table,
    visits_of_stars,
)
from lcgen.errors import CadenceError, InputError, LcgenError, UnknownNameError
from lcgen.photometry import BANDS

N = 400
FIELD = (150.0, 2.0)


def pointings(n: int = N, *, spread: float = 1.0, seed: int = 3) -> dict[str, np.ndarray]:
    """A synthetic schedule of one field, n visits in order of time, in Rubin's bands."""
    rng = np.random.default_rng(seed)
    return {
        "ra": FIELD[0] + rng.uniform(-spread, spread, n),
        "dec": FIELD[1] + rng.uniform(-spread, spread, n),
        "mjd": 60000.0 + np.sort(rng.uniform(0, 900, n)).round(6),
        "band": rng.choice(list("ugrizy"), n),
        "depth": rng.normal(24.0, 0.5, n).round(4),
        "seeing": rng.uniform(0.6, 1.5, n).round(4),
        "airmass": rng.uniform(1.0, 2.0, n).round(4),
    }


def write_db(path: Path, table: str, columns: dict[str, Any]) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE TABLE {table} ({', '.join(chr(34) + c + chr(34) for c in columns)})")
        rows = zip(*(np.asarray(v).tolist() for v in columns.values()), strict=True)
        connection.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(columns))})", rows)
    return path


def fbs(p: dict[str, np.ndarray], *, band: str = "band", suffix: str = "") -> dict[str, Any]:
    """Columns of the feature-based scheduler, versions 1 to 5."""
    return {
        "observationStartMJD": p["mjd"] - 17.0 / 86400.0,
        "fieldRA": p["ra"],
        "fieldDec": p["dec"],
        band: np.char.add(p["band"], suffix),
        "visitTime": np.full(p["mjd"].size, 34.0),
        "visitExposureTime": np.full(p["mjd"].size, 30.0),
        "fiveSigmaDepth": p["depth"],
        "seeingFwhmEff": p["seeing"],
        "airmass": p["airmass"],
        "skyBrightness": 21.0 + 0.1 * p["seeing"],
        "night": np.floor(p["mjd"]).astype(int),
    }


def opsim3(p: dict[str, np.ndarray]) -> dict[str, Any]:
    """Columns of the operations simulator, version 3: radians, and a visit once for each proposal."""
    twice = {k: np.concatenate([v, v[:50]]) for k, v in p.items()}
    return {
        "obsHistID": np.concatenate([np.arange(p["mjd"].size), np.arange(50)]),
        "propID": np.r_[np.full(p["mjd"].size, 54), np.full(50, 56)],
        "fieldRA": np.radians(twice["ra"]),
        "fieldDec": np.radians(twice["dec"]),
        "expMJD": twice["mjd"] - 17.0 / 86400.0,
        "visitTime": np.full(twice["mjd"].size, 34.0),
        "visitExpTime": np.full(twice["mjd"].size, 30.0),
        "filter": twice["band"],
        "fiveSigmaDepth": twice["depth"],
        "finSeeing": twice["seeing"],
        "rotSkyPos": np.radians(twice["seeing"] * 100.0),
    }


def consdb(p: dict[str, np.ndarray]) -> dict[str, Any]:
    return {
        "visit_id": 2025062000000 + np.arange(p["mjd"].size),
        "day_obs": 20250620 + np.floor(p["mjd"] - 60000.0).astype(int),
        "physical_filter": np.char.add(p["band"], "_24"),
        "s_ra": p["ra"],
        "s_dec": p["dec"],
        "sky_rotation": p["seeing"] * 100.0,
        "exp_midpt_mjd": p["mjd"],
        "obs_start_mjd": p["mjd"] - 15.0 / 86400.0,
        "exp_time": np.full(p["mjd"].size, 30.0),
        "airmass": p["airmass"],
    }


def ztf(p: dict[str, np.ndarray], *, name: str = "fid", time: str = "obsjd") -> dict[str, Any]:
    number = np.searchsorted(["g", "r", "i"], ZTF_BANDS[: p["mjd"].size], sorter=[0, 2, 1])
    fid = np.array([1, 3, 2])[number]
    written = {"fid": fid, "filterid": fid, "filtercode": np.array(["", "zg", "zr", "zi"])[fid]}[name]
    start = p["mjd"] - 15.0 / 86400.0
    return {
        "field": np.full(p["mjd"].size, 651),
        "rcid" if name == "filterid" else "pid": np.zeros(p["mjd"].size, dtype=int) if name == "filterid" else 1,
        "ra": p["ra"],
        "dec": p["dec"],
        time: start + (2400000.5 if time == "obsjd" else 0.0),
        name: written,
        "exptime": np.full(p["mjd"].size, 30.0),
        "maglimit" if name == "filtercode" else "scimaglim": p["depth"] - 4.0,
        "sciinpseeing": p["seeing"] * 2.0,
        "airmass": p["airmass"],
    } | ({"pid": np.arange(p["mjd"].size)} if name != "filterid" else {})


ZTF_BANDS = np.random.default_rng(8).choice(["g", "r", "i"], N)


class ObsTable:
    """The members of LightCurveLynx's ObsTable that a user of it has, with its names."""

    def __init__(self, columns: dict[str, Any], names: dict[str, str], **values: Any) -> None:
        self._table = {names.get(k, k): v for k, v in columns.items()}
        self._original = names
        self.survey_values = {"radius": 1.75, "pixel_scale": 0.2} | values

    @property
    def columns(self) -> list[str]:
        return list(self._table)

    @property
    def radius(self) -> float | None:
        return self.survey_values["radius"]

    def __contains__(self, key: str) -> bool:
        return key in self._table or self._original.get(key) in self._table or key in self.survey_values

    def __getitem__(self, key: str) -> Any:
        name = key if key in self._table else self._original.get(key)
        return self._table[name] if name in self._table else self.survey_values[key]


LYNX = {
    **{"airmass": "airmass", "fieldDec": "dec", "visitExposureTime": "exptime", "filter": "filter", "fieldRA": "ra"},
    **{"observationStartMJD": "time", "seeingFwhmEff": "seeing", "skyBrightness": "skybrightness"},
}


def csv(path: Path, columns: dict[str, Any], fmt: str = "ascii.csv") -> Path:
    from astropy.table import Table

    Table(columns).write(path, format=fmt)
    return path


def log_text(path: Path, *, header: bool) -> Path:
    p = pointings()
    lines = ["# hjd field band"] if header else []
    lines += [
        f"{m - 49999.5:.5f} {'LMC501.12' if k % 2 else 'LMC502'} {'V' if k % 9 == 0 else 'I'}"
        for k, m in enumerate(p["mjd"])
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


class OwnCadence:
    """What somebody else may write: the four members and no more."""

    name, bands, per_star = "own", ("g", "r"), True

    def visits(self, *, ra: float | None = None, dec: float | None = None, seed: int = 0, index: int = 0) -> Visits:
        times = 60000.0 + np.arange(50.0) + np.random.default_rng([seed, index]).random()
        return Visits(mjd=times, band=np.tile(["g", "r"], 25))


def parquet(path: Path, columns: dict[str, Any]) -> Path:
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    pd.DataFrame(columns).to_parquet(path)
    return path


def frame(columns: dict[str, Any]) -> Any:
    return pytest.importorskip("pandas").DataFrame(columns)


def astropy_table(columns: dict[str, Any]) -> Any:
    from astropy import units as u
    from astropy.table import QTable

    table = QTable(columns)
    for name in ("fieldRA", "fieldDec"):
        table[name] = np.radians(table[name]) * u.rad
    return table


P = pointings()
MADE: dict[str, Callable[[Path], Any]] = {
    "OpSim 3, Summary, radians": lambda d: write_db(d / "v3.db", "Summary", opsim3(P)),
    "OpSim 3 as a DataFrame": lambda d: frame(opsim3(P)),
    "OpSim 4, SummaryAllProps": lambda d: write_db(d / "v4.db", "SummaryAllProps", fbs(P, band="filter")),
    "FBS, filter": lambda d: write_db(d / "v1.db", "observations", fbs(P, band="filter")),
    "FBS, band and r_57": lambda d: write_db(
        d / "v5.db", "observations", fbs(P) | {"filter": np.char.add(P["band"], "_57")}
    ),
    "FBS, r_57 alone": lambda d: write_db(d / "v6.db", "observations", fbs(P, band="filter", suffix="_57")),
    "FBS, no night, no depth": lambda d: write_db(
        d / "v0.db", "observations", {k: v for k, v in fbs(P).items() if k not in ("night", "fiveSigmaDepth")}
    ),
    "FBS as astropy QTable in radians": lambda d: astropy_table(fbs(P)),
    "FBS as DataFrame": lambda d: frame(fbs(P)),
    "ConsDB visits, CSV": lambda d: csv(d / "visits.csv", consdb(P)),
    "ConsDB visits, Parquet": lambda d: parquet(d / "visits.parquet", consdb(P)),
    "ConsDB visits, FITS": lambda d: csv(d / "visits.fits", consdb(P), "fits"),
    "ZTF, fid and JD": lambda d: csv(d / "ztf.csv", ztf(P)),
    "ZTF, filtercode and obsmjd, IPAC": lambda d: csv(
        d / "ztf.tbl", ztf(P, name="filtercode", time="obsmjd"), "ascii.ipac"
    ),
    "ZTF quadrants, SQLite": lambda d: write_db(d / "ztf.db", "exposures", ztf(pointings(spread=0.3), name="filterid")),
    "OGLE log": lambda d: log_text(d / "log.dat", header=False),
    "OGLE log with names": lambda d: log_text(d / "log.txt", header=True),
    "OGLE log with positions": lambda d: csv(
        d / "ogle.ecsv",
        {
            "HJD-2450000": P["mjd"] - 49999.5,
            "field": np.full(N, "LMC501"),
            "band": np.full(N, "I"),
            "ra": np.full(N, FIELD[0]),
            "dec": np.full(N, FIELD[1]),
        },
        "ascii.ecsv",
    ),
    "ObsTable": lambda d: ObsTable(fbs(P, band="filter"), LYNX),
    "ObsTable of ZTF": lambda d: ObsTable(
        {"obsmjd": P["mjd"], "ra": P["ra"], "dec": P["dec"], "filter": ZTF_BANDS, "exptime": np.full(N, 30.0)},
        {"obsmjd": "time"},
        survey_name="ZTF",
        radius=3.868,
    ),
    "plain times": lambda d: P["mjd"],
    "times and bands": lambda d: (P["mjd"], P["band"]),
    "Visits": lambda d: Visits(mjd=P["mjd"], band=P["band"], depth5=P["depth"]),
    "a mapping": lambda d: {"mjd": P["mjd"], "band": P["band"], "depth5": P["depth"]},
    "records": lambda d: np.rec.fromarrays([P["mjd"], P["band"]], names="mjd,band"),
    "own object": lambda d: OwnCadence(),
    **{f"recipe {name}": lambda d, name=name: name for name in ("css", "lsst-ddf", "lsst-wfd", "ogle3-lmc")},
}
REAL = {
    "opsim_small.db": (0.0, -30.0),
    "opsim_shorten.db": (9.2, -44.0),
    "sv_db_subsampled.db": (226.0, -40.0),
    "dp1_ccdvisit_subsampled.parquet": (53.0, -28.0),
}


def check(cadence: Cadence, ra: float, dec: float, *, of_rubin: bool = False) -> Visits:
    """The contract: what holds for every cadence."""
    assert isinstance(cadence, Cadence) and as_cadence(cadence) is cadence
    assert isinstance(cadence.name, str) and cadence.name
    assert cadence.bands and set(cadence.bands) <= set(BANDS)
    assert isinstance(cadence.per_star, bool)
    visits = cadence.visits(ra=ra, dec=dec, seed=5, index=2)
    assert len(visits) > 0 and set(visits.bands) <= set(cadence.bands)
    assert visits.mjd.dtype == np.float64 and np.isfinite(visits.mjd).all() and (np.diff(visits.mjd) >= 0).all()
    assert visits.mjd.min() > 30_000 and visits.mjd.max() < 100_000
    assert set(visits.band.tolist()) == set(visits.bands)
    for name in ("depth5", "seeing", "exposure_time", "night", "sky", "airmass"):
        column = getattr(visits, name)
        assert column is None or (column.shape == visits.mjd.shape and np.isfinite(column).all())
        if column is not None:
            with pytest.raises(ValueError, match="read-only"):
                column[0] = 1
    names = tuple(reversed(cadence.bands))
    np.testing.assert_array_equal(np.array(names)[visits.band_index(names)], visits.band)
    again = cadence.visits(ra=ra, dec=dec, seed=5, index=2)
    for name in ("mjd", "band", "depth5"):
        np.testing.assert_array_equal(getattr(visits, name), getattr(again, name))
    # many stars at once are the same as one after the other
    many = visits_of_stars(cadence, [ra, ra], [dec, dec], seed=5, index=[2, 7])
    for k, index in enumerate((2, 7)):
        one = cadence.visits(ra=ra, dec=dec, seed=5, index=index)
        found = many[k]
        assert found is not None
        for name in Visits.__dataclass_fields__:
            np.testing.assert_array_equal(getattr(found, name), getattr(one, name))
    if not cadence.per_star:
        np.testing.assert_array_equal(cadence.visits(seed=9, index=9).mjd, cadence.visits(seed=9).mjd)
    half = visits.select(np.arange(len(visits)) % 2 == 0)
    np.testing.assert_array_equal(half.band, visits.band[::2])
    return visits


@pytest.mark.parametrize("kind", MADE)
def test_every_cadence_keeps_the_contract(kind, tmp_path):
    check(as_cadence(MADE[kind](tmp_path)), *FIELD)


@pytest.mark.parametrize("name", REAL)
def test_every_real_schedule_keeps_the_contract(name, data_dir):
    check(as_cadence(data_dir / "cadences" / name), *REAL[name])


@pytest.mark.parametrize("name", ["ogle/O3/I/OGLE-LMC-CEP-0001.dat", "css/3035001000879.dat"])
def test_epochs_of_real_stars_keep_the_contract(name, data_dir):
    check(as_cadence(data_dir / "raw_samples" / name), *FIELD)


def test_a_library_of_epochs_keeps_the_contract(data_dir):
    assert isinstance(as_cadence(data_dir / "lightcurves" / "s82_rrlyr_r.h5"), EpochLibrary)
    check(as_cadence(data_dir / "lightcurves" / "s82_rrlyr_r.h5"), *FIELD)


@pytest.mark.parametrize("kind", [k for k in MADE if k.startswith(("OpSim", "FBS", "ObsTable"))])
def test_all_vintages_of_one_schedule_give_the_same_visits(kind, tmp_path):
    if kind == "ObsTable of ZTF":
        return
    ra, dec = FIELD[0] + 0.5, FIELD[1] - 0.2
    visits = as_cadence(MADE[kind](tmp_path)).visits(ra=ra, dec=dec)
    a, d, a0, d0 = (np.radians(v) for v in (P["ra"], P["dec"], ra, dec))
    cosine = np.sin(d) * np.sin(d0) + np.cos(d) * np.cos(d0) * np.cos(a - a0)
    near = np.degrees(np.arccos(cosine)) <= 1.75
    assert 300 < near.sum() < N
    # the times of an ObsTable lack visitTime's name: half of the exposure instead
    np.testing.assert_allclose(visits.mjd, P["mjd"][near], rtol=0, atol=3e-5 if kind == "ObsTable" else 1e-8)
    np.testing.assert_array_equal(visits.band, P["band"][near])
    if kind != "FBS, no night, no depth":
        np.testing.assert_allclose(visits.depth5, P["depth"][near])
    if "3" not in kind:
        np.testing.assert_allclose(visits.airmass, P["airmass"][near])
        assert visits.sky is not None


def test_ztf_is_not_lsst(tmp_path):
    for kind in ("ZTF, fid and JD", "ZTF, filtercode and obsmjd, IPAC", "ObsTable of ZTF"):
        cadence = as_cadence(MADE[kind](tmp_path))
        assert cadence.bands == ("ztf_g", "ztf_i", "ztf_r")
    cadence = as_cadence(tmp_path / "ztf.csv")
    assert isinstance(cadence, VisitTable)
    assert cadence.footprint == "ztf"
    # 3.4 degrees away is inside the mosaic and far outside Rubin's field
    visits = cadence.visits(ra=FIELD[0] + 2.8, dec=FIELD[1] + 2.8)
    assert len(visits) > 0.5 * N
    # their Julian dates are those of the start
    near = as_cadence(tmp_path / "ztf.tbl").visits(ra=FIELD[0] + 1.3, dec=FIELD[1] + 0.9)
    assert np.isin(np.round(near.mjd, 6), P["mjd"]).mean() > 0.99
    assert near.depth5 is not None and abs(np.median(near.depth5) - 20.0) < 0.2


def test_quadrants_see_less_than_the_camera(tmp_path):
    cadence = as_cadence(MADE["ZTF quadrants, SQLite"](tmp_path))
    assert isinstance(cadence, OpSim) and cadence.footprint == "detector"
    assert cadence.radius == pytest.approx(0.61, abs=0.01)
    p = pointings(spread=0.3)
    seen = (np.abs((p["ra"] - FIELD[0]) * np.cos(np.radians(p["dec"]))) < 0.432) & (np.abs(p["dec"] - FIELD[1]) < 0.431)
    assert len(cadence.visits(ra=FIELD[0], dec=FIELD[1])) == seen.sum()


def test_stars_of_a_log_lie_in_fields_drawn_by_their_index(tmp_path):
    log = as_cadence(log_text(tmp_path / "log.dat", header=False))
    assert isinstance(log, FieldLog) and log.fields == ("LMC501.12", "LMC502") and log.per_star
    drawn = [len(log.visits(seed=1, index=i)) for i in range(40)]
    assert set(drawn) == {N // 2} and len({log.visits(seed=1, index=i).mjd[0] for i in range(40)}) == 2
    one = FieldLog(tmp_path / "log.dat", field="LMC502")
    assert not one.per_star
    np.testing.assert_allclose(one.visits().mjd, P["mjd"][::2], rtol=0, atol=1e-5)
    with pytest.raises(UnknownNameError, match="did you mean 'LMC502'"):
        FieldLog(tmp_path / "log.dat", field="LMC503")


def test_ogle_fields_are_smaller_than_rubins(tmp_path):
    cadence = as_cadence(MADE["OGLE log with positions"](tmp_path))
    assert isinstance(cadence, VisitTable) and cadence.radius == pytest.approx(0.6676, abs=1e-3)


# ---------------------------------------------------------------------- what is malformed
Change = Callable[[dict[str, Any]], dict[str, Any]]


def changed(name: str, value: Any, rows: slice = slice(0, 3)) -> Change:
    def apply(columns: dict[str, Any]) -> dict[str, Any]:
        column = np.array(columns[name], dtype=object)
        column[rows] = value(column[rows]) if callable(value) else value
        return columns | {name: column}

    return apply


def without(name: str) -> Change:
    return lambda columns: {k: v for k, v in columns.items() if k != name}


BAD: dict[str, tuple[Change, str]] = {
    "no time": (without("observationStartMJD"), r"no column for 'mjd'; understood names: .*observationStartMJD"),
    "no band": (without("band"), r"no column for 'band'; understood names: .*columns there"),
    "unknown band": (changed("band", "K_3"), r"unknown band 'K_3'.*allowed: u, B, g.*column 'band'"),
    "missing band": (changed("band", None), r"'band' has 3 of 400 values missing; drop_missing=True"),
    "missing depth": (changed("fiveSigmaDepth", None), r"'fiveSigmaDepth' has 3 of 400 values.*drop_missing=True"),
    "text in numbers": (changed("fiveSigmaDepth", "deep"), r"'fiveSigmaDepth' must hold numbers, received 'deep'"),
    "text in times": (
        changed("observationStartMJD", "soon"),
        r"'observationStartMJD' must hold numbers, received 'soon'",
    ),
    "JD, not MJD": (
        changed("observationStartMJD", lambda v: v + 2400000.5, slice(None)),
        r"'observationStartMJD' reaches 2460\d+\.\d, which looks like a Julian date; subtract 2400000.5",
    ),
    "negative seeing": (changed("seeingFwhmEff", -1.0), r"'seeing' must be positive, received -1"),
    "empty": (lambda c: {k: v[:0] for k, v in c.items()}, "the table is empty"),
}
BAD_SKY: dict[str, tuple[Change, str]] = {
    "no position": (without("fieldDec"), r"no column for 'dec'"),
    "missing position": (changed("fieldRA", None), r"'fieldRA' has 3 of 400 values.*drop_missing=True"),
    "text in positions": (changed("fieldDec", "north"), r"'fieldDec' must hold numbers, received 'north'"),
}
READERS: dict[str, Callable[[Path, dict[str, Any]], Any]] = {
    "SQLite": lambda d, c: OpSim(write_db(d / "bad.db", "observations", c)),
    "DataFrame": lambda d, c: VisitTable(frame(c)),
    "mapping": lambda d, c: VisitTable(c),
    "CSV": lambda d, c: VisitTable(csv(d / "bad.csv", c)),
    "without positions": lambda d, c: from_table(c),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("case", [*BAD, *BAD_SKY])
@pytest.mark.parametrize("many", [False, True])
def test_malformed_schedules_get_one_clear_sentence(reader, case, many, tmp_path):
    if reader == "without positions" and (case in BAD_SKY or many):
        return
    change, words = (BAD | BAD_SKY)[case]
    with pytest.raises(LcgenError, match=words) as caught:
        cadence = READERS[reader](tmp_path, change(fbs(pointings())))
        if many:
            visits_of_stars(cadence, [FIELD[0], FIELD[0] + 0.1], [FIELD[1]] * 2)
        else:
            cadence.visits(ra=FIELD[0], dec=FIELD[1])
    text = str(caught.value)
    assert "\n" not in text and "Traceback" not in text
    assert isinstance(caught.value, (CadenceError, InputError))
    if reader in ("SQLite", "CSV") and "positive" not in text:
        assert "bad." in text


@pytest.mark.parametrize("reader", READERS)
def test_missing_depths_are_dropped_when_asked(reader, tmp_path, caplog):
    bad = changed("fiveSigmaDepth", None, slice(10, 17))(fbs(pointings()))
    options = {"drop_missing": True}
    made = {
        "SQLite": lambda: OpSim(write_db(tmp_path / "a.db", "observations", bad), **options),
        "DataFrame": lambda: VisitTable(frame(bad), **options),
        "mapping": lambda: VisitTable(bad, **options),
        "CSV": lambda: VisitTable(csv(tmp_path / "a.csv", blank(bad)), **options),
        "without positions": lambda: from_table(bad, **options),
    }[reader]
    with caplog.at_level("INFO", logger="lcgen"):
        cadence = made()
        visits = cadence.visits(ra=FIELD[0], dec=FIELD[1])
    assert "7 of 400 visits left out" in caplog.text
    kept = np.delete(P["mjd"], np.arange(10, 17))
    np.testing.assert_allclose(visits.mjd, kept, rtol=0, atol=1e-8)
    for found in visits_of_stars(cadence, [FIELD[0], FIELD[0]], [FIELD[1], FIELD[1] + 0.01]):
        assert found is not None
        np.testing.assert_allclose(found.mjd, kept, rtol=0, atol=1e-8)


def blank(columns: dict[str, Any]) -> dict[str, Any]:
    return {k: ["" if x is None else x for x in v] if v.dtype == object else v for k, v in columns.items()}


def test_radians_and_degrees_in_one_table(tmp_path):
    mixed = opsim3(pointings())
    for column in ("fieldRA", "fieldDec"):
        mixed[column] = np.where(np.arange(450) < 30, np.degrees(mixed[column]), mixed[column])
    for cadence in (lambda: VisitTable(mixed), lambda: OpSim(write_db(tmp_path / "mixed.db", "Summary", mixed))):
        with pytest.raises(CadenceError, match="partly in radians and partly in degrees: 420 of 450 rows"):
            cadence().visits(ra=FIELD[0], dec=FIELD[1])


def test_degrees_are_not_taken_for_radians(tmp_path):
    # a field near the origin of right ascension, in a vintage that wrote degrees
    p = pointings(spread=0.5) | {"ra": np.linspace(0.0, 3.0, N), "dec": np.linspace(-0.5, 0.5, N)}
    cadence = as_cadence(write_db(tmp_path / "origin.db", "observations", fbs(p)))
    assert len(cadence.visits(ra=1.5, dec=0.0)) == N
    far = opsim3(p)
    for column in ("fieldRA", "fieldDec"):
        far[column] = np.degrees(far[column]) + (40.0 if column == "fieldRA" else -20.0)
    assert len(as_cadence(write_db(tmp_path / "far.db", "Summary", far)).visits(ra=41.5, dec=-20.0)) == N


def test_impossible_positions_are_refused(tmp_path):
    beyond = changed("fieldDec", 95.0)(fbs(pointings()))
    with pytest.raises(CadenceError, match=r"'fieldDec' must lie within -90 to 90 degrees, received .* to 95"):
        VisitTable(beyond)
    database = OpSim(write_db(tmp_path / "beyond.db", "observations", beyond))
    with pytest.raises(CadenceError, match=r"beyond.db.*'fieldDec' must lie within"):
        database.visits_many([FIELD[0], FIELD[0] + 1], [FIELD[1], FIELD[1]])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([60000.0, 60001.0], "must hold Julian dates"),
        ([2460000.5, 5260.8], "must hold Julian dates"),
        ([-3.0, 5260.8], "must hold Julian dates"),
    ],
)
def test_julian_dates_that_are_none(values, words):
    with pytest.raises(CadenceError, match=f"column 'hjd' {words}.*received"):
        from_table({"hjd": values, "band": ["I", "V"]})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no visit"),
        ("5260.8 LMC501 I\n5261.8 LMC501\n", r"log.dat:2: expected 3 words, received 2"),
        ("5260.8 LMC501 Q\n", "has no band"),
        ("LMC501 I I\n5260.1 LMC501 I\n", "no column for 'mjd'"),
        ("5260.8 LMC501 I\nxx LMC501 I\n", "must hold numbers, received"),
    ],
)
def test_malformed_logs_name_the_line(tmp_path, text, words):
    (tmp_path / "log.dat").write_text(text)
    with pytest.raises((CadenceError, InputError), match=words):
        FieldLog(tmp_path / "log.dat")


@pytest.mark.parametrize("name", ["cut.db", "cut.parquet", "cut.fits", "cut.tbl", "cut.ecsv"])
def test_files_that_are_no_schedules(name, tmp_path):
    (tmp_path / name).write_bytes(b"\x00\x01 this is not what its name says \xff" * 40)
    with pytest.raises(CadenceError, match=name):
        as_cadence(tmp_path / name)


# ---------------------------------------------------------------------- names of bands
@pytest.mark.parametrize(
    ("name", "band"),
    [
        *[(n, "r") for n in ("r", "r_57", "r_sim", "lsst_r", "LSST_r", "lsstr", " r ")],
        *[(n, "ztf_g") for n in ("ztf_g", "ztfg", "zg", "ZTF_g", "ztf::g")],
        *[("sdssg", "sdss_g"), ("sdss_u", "sdss_u"), ("gaia::gbp", "BP"), ("gaia::g", "G"), ("gaiarp", "RP")],
        *[("Y", "y"), ("y_10", "y"), ("I", "I"), ("bessellv", "V")],
    ],
)
def test_names_of_bands(name, band):
    assert Visits(mjd=[60000.0], band=name).bands == (band,)


@pytest.mark.parametrize("name", ["", "K", "ztf_y", "4", "rr", "lsst", "r57"])
def test_names_that_are_no_bands(name):
    with pytest.raises(UnknownNameError, match="unknown band"):
        Visits(mjd=[60000.0], band=name)


def test_filter_numbers_mean_ztf_only_in_its_tables():
    assert from_table({"mjd": [60000.0], "fid": [2]}).bands == ("ztf_r",)
    with pytest.raises(UnknownNameError, match="unknown band '4'"):
        from_table({"mjd": [60000.0], "fid": [4]})
    with pytest.raises(UnknownNameError, match="unknown band '2'"):
        from_table({"mjd": [60000.0], "band": ["2"]})
