"""The README's example and the scripts, run as they are written."""

from __future__ import annotations

import importlib.util
import json
import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from nested_pandas import read_parquet

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def schedule(tmp_path: Path) -> Path:
    """An OpSim database of 300 visits in the schema of version 4, with filters called r_57."""
    n, rng = 300, np.random.default_rng(1)
    band = rng.choice(list("ugrizy"), n)
    full = {"u": "u_24", "g": "g_6", "r": "r_57", "i": "i_39", "z": "z_20", "y": "y_10"}
    table = pd.DataFrame(
        {
            "observationId": np.arange(n),
            "observationStartMJD": np.sort(rng.uniform(60980.0, 61710.0, n)),
            "fieldRA": 60.0 + rng.uniform(-0.2, 0.2, n),
            "fieldDec": -30.0 + rng.uniform(-0.2, 0.2, n),
            "visitExposureTime": 30.0,
            "numExposures": 1,
            "airmass": 1.2,
            "seeingFwhmEff": 0.9,
            "skyBrightness": 21.0,
            "band": band,
            "filter": [full[b] for b in band],
        }
    )
    path = tmp_path / "schedule.db"
    with closing(sqlite3.connect(path)) as db:
        table.to_sql("observations", db, index=False)
    return path


def script(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_readme(schedule: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(schedule.parent)
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)
    stars = read_parquet("stars.parquet")
    assert len(stars) == 100 and (stars["nobs"] > 100).all() and stars["star_period"].between(0.5, 0.7).all()


def test_page_of_the_documentation(schedule: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = ROOT.parents[1] / "docs" / "lightcurvelynx.md"
    if not page.is_file():
        pytest.skip("the page is in the repository of lcgen only")
    monkeypatch.chdir(schedule.parent)
    stars, replay = re.findall(r"```python\n(.*?)```", page.read_text(), re.S)
    names: dict[str, Any] = {}
    exec(compile(stars, str(page), "exec"), names)
    assert names["fluxes"].shape == (1000, 2) and (names["fluxes"] > 0).all()
    exec(compile(replay, str(page), "exec"), names)
    before, after = read_parquet("stars.parquet"), names["again"]
    for old, new in zip(before["lightcurve"], after["lightcurve"], strict=True):
        assert np.array_equal(old["flux_perfect"], new["flux_perfect"])
        assert not np.array_equal(old["flux"], new["flux"])


def test_population(schedule: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    output, figure = schedule.parent / "stars.parquet", schedule.parent / "stars.png"
    arguments = ["script", schedule, "--stars", 30, "--output", output, "--figure", figure]
    monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
    script("examples/rrlyrae_population.py").main()
    stars = read_parquet(output)
    assert len(stars) == 30 and figure.stat().st_size > 20_000
    assert (stars["star_a_v"] > 0).all() and set(stars["star_subclass"]) <= {"RRab", "RRc", "RRd"}
    assert "30 stars" in capsys.readouterr().out
    # what was measured scatters about what was there as much as the errors say
    lc = pd.concat([one for one in stars["lightcurve"] if one is not None])
    lc = lc[~lc["is_saturated"]]
    pull = (lc["flux"] - lc["flux_perfect"]) / lc["fluxerr"]
    assert len(pull) > 1000 and 0.9 < pull.std() < 1.1


def test_benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["script", "--stars", 8, "--visits", 60, "--rounds", 1, "--output", tmp_path / "speed.json"]
    monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
    script("benchmarks/speed.py").main()
    assert json.loads((tmp_path / "speed.json").read_text())["fluxes alone"]["ratio"] > 2.0
