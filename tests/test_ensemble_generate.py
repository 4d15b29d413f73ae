"""Ensembles drawn from a generator: the same stars however they are made."""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lcgen.ensemble
from lcgen import rng
from lcgen.cadence import as_cadence
from lcgen.ensemble import content_digest, generate_ensemble, open_ensemble, summarise
from lcgen.errors import DomainError, EnsembleError, InputError, LcgenError, UnknownNameError
from lcgen.lightcurve import LightCurves

TIMES = np.linspace(60000.0, 60100.0, 40)


@dataclass(frozen=True, kw_only=True)
class FakeStars:
    """Sine curves whose period, phase and noise depend on the seed and the star_id alone."""

    columns: dict[str, Any]

    def observe(self, cadence, *, noise=None, seed=0, band=None) -> LightCurves:
        ids = self.columns["star_id"]
        visits = [as_cadence(cadence).visits(seed=seed, index=int(i)) for i in ids]
        counts = [len(v) for v in visits]
        mjd = np.concatenate([v.mjd for v in visits])
        star = np.repeat(np.arange(ids.size), counts)
        mag = self.columns["mean_mag"][star] + np.sin(2 * np.pi * mjd / self.columns["period"][star])
        if noise is not None:
            mag += noise * np.concatenate(
                [rng.normals(seed, "noise", i, n)[0] for i, n in zip(ids, counts, strict=True)]
            )
        return LightCurves(
            offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            mjd=mjd,
            mag=mag,
            mag_err=np.full(mjd.size, noise or 0.0),
            band_index=np.concatenate([v.band_index(("V", "I")) for v in visits]),
            band_names=("V", "I"),
            columns=self.columns,
        )


@dataclass(kw_only=True)
class FakeGenerator:
    name: str = "fake"
    sha256: str = "00"
    classes: tuple[str, ...] = ("CEP", "RRLYR")
    wait: float = 0.0
    fail_from: int = 10**9
    drawn: list[int] = field(default_factory=list)
    options: list[dict] = field(default_factory=list)

    def draw(self, classes, n=None, *, params=None, subclass=None, seed=0, first_id=0, **options) -> FakeStars:
        time.sleep(self.wait)
        self.options.append(options)
        if first_id + n > self.fail_from:
            raise DomainError("period", 1e9, 0.0, 1.0)
        self.drawn.append(n)
        ids = np.arange(first_id, first_id + n)
        u = rng.uniforms(seed, "stars", ids, 1)[:, 0]
        params = dict(params or {})
        period = np.where(np.isfinite(params.get("period", np.nan)), params.get("period", np.nan), 0.3 + u)
        columns = {
            "star_id": ids,
            "class": np.broadcast_to(np.asarray(classes), (n,)),
            "subclass": np.full(n, "") if subclass is None else subclass,
            "period": period,
            "mean_mag": np.asarray(params.get("mean_mag", np.zeros(n))),
        }
        return FakeStars(columns=columns)


def make_generator() -> FakeGenerator:
    return FakeGenerator()


def make_failing_generator() -> FakeGenerator:
    return FakeGenerator(fail_from=40)


def generate(path: Path, generator: FakeGenerator | None = None, **options):
    settings: dict[str, Any] = {
        "n_per_class": 30, "cadence": TIMES, "seed": 5, "noise": 0.1, "mean_mag": (15.0, 20.0), **options,
    }  # fmt: skip
    return generate_ensemble(generator or FakeGenerator(), path, **settings)


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("reference") / "e.h5"
    generate(path)
    return content_digest(path)


@pytest.fixture
def importable(monkeypatch):
    """This module under a name that worker processes can import."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("test_ensemble_generate")


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_batch_size_makes_no_difference(tmp_path, reference, batch_size):
    generate(tmp_path / "e.h5", batch_size=batch_size)
    assert content_digest(tmp_path / "e.h5") == reference


def test_workers_make_no_difference(tmp_path, reference, importable):
    generator = FakeGenerator()
    generate(tmp_path / "e.h5", generator, batch_size=7, workers=2, generator_factory=importable.make_generator)
    assert content_digest(tmp_path / "e.h5") == reference
    assert not generator.drawn


def test_error_in_a_worker_is_the_error_of_the_run(tmp_path, reference, importable):
    path, options = tmp_path / "e.h5", {"batch_size": 7, "workers": 2}
    with pytest.raises(DomainError, match="period = 1e") as caught:
        generate(path, generator_factory=importable.make_failing_generator, **options)
    assert caught.value.parameter == "period"
    assert summarise(path).n_stars == 35
    generate(path, generator_factory=importable.make_generator, resume=True, **options)
    assert content_digest(path) == reference


def test_interrupted_run_draws_only_what_is_missing(tmp_path, reference):
    path = tmp_path / "e.h5"
    with pytest.raises(DomainError):
        generate(path, FakeGenerator(fail_from=40), batch_size=10)
    rest = FakeGenerator()
    summary = generate(path, rest, batch_size=9, resume=True)
    assert sum(rest.drawn) == 20
    assert summary.complete
    assert content_digest(path) == reference


def test_resuming_a_finished_run_does_nothing(tmp_path, reference):
    path = tmp_path / "e.h5"
    generate(path)
    stamp, again = path.stat().st_mtime_ns, FakeGenerator()
    assert generate(path, again, resume=True).complete
    assert (path.stat().st_mtime_ns, again.drawn) == (stamp, [])
    with pytest.raises(EnsembleError, match="seed was 5, is now 6"):
        generate(path, resume=True, seed=6)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cadence": TIMES + 1}, "cadence_fingerprint"),
        ({"noise": 0.2}, "noise"),
        ({"mean_mag": 17.0}, "mean_mag was"),
        ({"params": {"period": 0.4}}, "given"),
        ({"classes": ["RRLYR", "CEP"]}, "classes was"),
        ({"band": "I"}, "band was None"),
        ({"first_star_id": 1}, "first_star_id was 0"),
    ],
)
def test_another_run_cannot_resume(tmp_path, change, reason):
    path = tmp_path / "e.h5"
    with pytest.raises(DomainError):
        generate(path, FakeGenerator(fail_from=40), batch_size=10)
    with pytest.raises(EnsembleError, match=reason):
        generate(path, resume=True, **change)
    assert summarise(path).n_stars == 40


def test_what_was_asked_for_is_in_the_file(tmp_path):
    periods = np.linspace(0.5, 0.9, 5)
    summary = generate(
        tmp_path / "e.h5",
        classes=["RRLYR", "CEP"],
        n_per_class={"RRLYR": 2, "CEP": 3},
        params={"period": periods},
        first_star_id=100,
        batch_size=2,
        command="lcgen ensemble",
        provenance={"project": "x"},
    )
    assert (summary.n_stars, dict(summary.classes)) == (5, {"RRLYR": 2, "CEP": 3})
    assert summary.header.command == "lcgen ensemble"
    assert summary.header.provenance["project"] == "x"
    assert summary.n_observations == 5 * TIMES.size
    with open_ensemble(tmp_path / "e.h5") as ensemble:
        columns = ensemble.columns()
        assert columns["star_id"].tolist() == [100, 101, 102, 103, 104]
        assert columns["class"].tolist() == ["RRLYR"] * 2 + ["CEP"] * 3
        assert np.array_equal(columns["period"], periods)
        assert np.array_equal(columns["mean_mag"], 15 + 5 * rng.uniforms(5, "mean_mag", columns["star_id"], 1)[:, 0])
        assert np.array_equal(ensemble[3].mjd, TIMES)


def test_options_reach_the_generator_and_the_record(tmp_path):
    generator = FakeGenerator()
    summary = generate(tmp_path / "e.h5", generator, batch_size=60, draw_options={"temper": 0.5})
    assert generator.options == [{"temper": 0.5}]
    assert summary.header.provenance["draw_options"] == {"temper": 0.5}


def test_ensembles_with_other_ids_continue_each_other(tmp_path):
    generate(tmp_path / "all.h5", classes="CEP", n_per_class=20)
    generate(tmp_path / "rest.h5", classes="CEP", n_per_class=8, first_star_id=12)
    with open_ensemble(tmp_path / "all.h5") as whole, open_ensemble(tmp_path / "rest.h5") as rest:
        assert np.array_equal(whole[12:].mag, rest[:].mag)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"classes": "QSO"}, UnknownNameError),
        ({"classes": []}, InputError),
        ({"classes": ["CEP", "CEP"]}, InputError),
        ({"n_per_class": 0}, InputError),
        ({"n_per_class": 1.5}, InputError),
        ({"n_per_class": {"CEP": 1}, "classes": ["RRLYR"]}, InputError),
        ({"batch_size": 0}, InputError),
        ({"workers": 0}, InputError),
        ({"workers": 2}, InputError),
        ({"seed": -1}, InputError),
        ({"first_star_id": -1}, InputError),
        ({"mean_mag": (20, 15)}, InputError),
        ({"mean_mag": "bright"}, InputError),
        ({"mean_mag": np.nan}, InputError),
        ({"params": {"mean_mag": 3.0}}, InputError),
        ({"params": {"period": [1.0, 2.0]}}, InputError),
        ({"params": {"size": 1.0}}, UnknownNameError),
        ({"cadence": []}, LcgenError),
        ({"compression": "zip"}, InputError),
        ({"provenance": {"x": object()}}, InputError),
    ],
)
def test_bad_arguments_leave_nothing_behind(tmp_path, change, error):
    with pytest.raises(error):
        generate(tmp_path / "e.h5", **change)
    assert not list(tmp_path.iterdir())


SCRIPT = """
import sys
from pathlib import Path
if __name__ == "__main__":
    sys.path[:0] = [{source!r}, {tests!r}]
    import test_ensemble_generate as t
    t.generate(Path(sys.argv[1]), t.FakeGenerator(wait=0.01), n_per_class=9000)
"""


def test_killed_run_is_resumed(tmp_path):
    path, options = tmp_path / "e.h5", {"n_per_class": 9000}
    source = Path(lcgen.ensemble.__file__).parents[2]
    script = SCRIPT.format(source=str(source), tests=str(Path(__file__).parent))
    process = subprocess.Popen([sys.executable, "-c", script, str(path)])
    partial, deadline = path.with_name("e.h5.partial"), time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        if partial.exists() and partial.stat().st_size > 10**6:
            break
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert partial.exists()
    generate(path, resume=True, **options)
    generate(tmp_path / "undisturbed.h5", batch_size=5000, **options)
    assert content_digest(path) == content_digest(tmp_path / "undisturbed.h5")
