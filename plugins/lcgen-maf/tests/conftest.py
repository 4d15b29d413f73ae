"""Fixtures: a small synthetic survey, as MAF reads it, in both schemas."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from lcgen.cadence import as_cadence
from lcgen_maf import StarSample

PLACES = ((10.0, -20.0), (100.0, -30.0), (200.0, -10.0), (300.0, -45.0))
"""Right ascension and declination [deg] of the fields."""

COLUMNS = ("observationStartMJD", "fiveSigmaDepth", "fieldRA", "fieldDec", "rotSkyPos", "night", "visitExposureTime")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the real survey data of lcgen's tests; skips without it, but never on CI."""
    named = os.environ.get("LCGEN_DATA")
    found = Path(named) if named else Path(__file__).resolve().parents[4] / "shared" / "data"
    if (found / "cadences").is_dir():
        return found
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail("the survey data is missing: set LCGEN_DATA to its folder")
    pytest.skip("needs the real survey data: set LCGEN_DATA to its folder")


@pytest.fixture(scope="session")
def visits() -> np.ndarray:
    """Visits of four fields far apart, as MAF gives them: the third is seldom seen, the fourth for two years."""
    cadence, parts = as_cadence("lsst-wfd"), []
    for k, (ra, dec) in enumerate(PLACES):
        made = cadence.visits(seed=k)
        assert made.depth5 is not None
        part = np.zeros(len(made), dtype=[*((name, float) for name in COLUMNS), ("band", "<U1")])
        part["observationStartMJD"], part["fiveSigmaDepth"], part["band"] = made.mjd, made.depth5, made.band
        part["fieldRA"], part["fieldDec"], part["visitExposureTime"] = ra, dec, 30.0
        part["night"] = np.floor(made.mjd - made.mjd.min())
        if k == 2:
            part = part[::12]
        if k == 3:
            part = part[part["observationStartMJD"] < part["observationStartMJD"].min() + 730.0]
        parts.append(part)
    data = np.concatenate(parts)
    return data[np.argsort(data["observationStartMJD"], kind="stable")]


@pytest.fixture(scope="session", params=["band", "filter"])
def opsim(request: pytest.FixtureRequest, visits: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The survey as a database of OpSim, with the column ``band`` or ``filter``."""
    path = tmp_path_factory.mktemp("opsim") / f"{request.param}.db"
    names = ", ".join(f"{name} REAL" for name in COLUMNS)
    with sqlite3.connect(path) as base:
        base.execute(f"CREATE TABLE observations (observationId INTEGER PRIMARY KEY, {names}, {request.param} TEXT)")
        rows = zip(*(visits[name].tolist() for name in (*COLUMNS, "band")), strict=True)
        marks = ", ".join("?" * (len(COLUMNS) + 1))
        base.executemany(
            f"INSERT INTO observations ({', '.join(COLUMNS)}, {request.param}) VALUES ({marks})", list(rows)
        )
    return path


@pytest.fixture(scope="session")
def sample() -> StarSample:
    """A few stars of three classes."""
    return StarSample(classes=("RRLYR", "ECL", "LPV"), mean_mag=(18.0, 23.0), n=12, seed=4)
