"""Ensembles in several files, by several workers: the same stars however they are made."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest

import lcgen
from lcgen.ensemble import content_digest, distributed, generate_ensemble, open_ensemble, shards, summarise
from lcgen.errors import DomainError, EnsembleError, IncompleteEnsembleError, InputError, MissingExtraError


@pytest.fixture(scope="module")
def fake() -> Iterator[ModuleType]:
    """The quick generator, under a name that worker processes can import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        yield importlib.import_module("fake_stars")


@pytest.fixture(scope="module")
def whole(fake, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "e.h5"
    fake.generate(path)
    return path


@pytest.fixture(scope="module")
def reference(whole) -> str:
    return content_digest(whole)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


# ---------------------------------------------------------------- the same content


@pytest.mark.parametrize("n", [1, 2, 7, 60])
def test_shards_make_no_difference(fake, tmp_path, reference, n):
    summary = fake.generate(tmp_path / "e.h5", shards=n)
    assert (summary.n_stars, summary.n_shards, summary.complete) == (60, n, True)
    assert content_digest(tmp_path / "e.h5") == reference
    assert names(tmp_path) == ["e.h5", "e.h5.shards"]
    assert len(names(tmp_path / "e.h5.shards")) == n


def test_workers_write_shards(fake, tmp_path, reference):
    generator = fake.FakeGenerator()
    fake.generate(tmp_path / "e.h5", generator, shards=5, workers=2, generator_factory=fake.make_generator)
    assert content_digest(tmp_path / "e.h5") == reference
    assert not generator.drawn


def test_shards_of_the_shipped_generator(tmp_path):
    """Real stars, bit for bit: the network must not notice in which batch a star comes."""
    generator, digests = lcgen.load_generator(), set()
    options: dict[str, Any] = {
        **{"n_per_class": 3, "cadence": "lsst-wfd", "seed": 3, "mean_mag": (17, 21), "noise": "depth"},
        "progress": False,
    }
    for k, (batch, n) in enumerate([(500, None), (5, 4), (2, 3)]):
        path = tmp_path / f"{k}.h5"
        generate_ensemble(generator, path, **options, batch_size=batch, shards=n)
        digests.add(content_digest(path))
    assert len(digests) == 1


def test_text_and_classes_may_differ_between_shards(fake, tmp_path):
    """A shard knows the stars of one class only; another has a longer text."""
    fake.generate(tmp_path / "a.h5", n_per_class={"CEP": 2, "RRLYR": 11})
    fake.generate(tmp_path / "b.h5", n_per_class={"CEP": 2, "RRLYR": 11}, shards=6)
    assert content_digest(tmp_path / "a.h5") == content_digest(tmp_path / "b.h5")


# ---------------------------------------------------------------- reading


def test_master_reads_like_any_other(fake, tmp_path, whole, monkeypatch):
    (tmp_path / "made").mkdir()
    fake.generate(tmp_path / "made" / "e.h5", shards=7)
    shutil.move(tmp_path / "made", tmp_path / "elsewhere")  # names of shards are relative
    monkeypatch.chdir("/")
    with open_ensemble(tmp_path / "elsewhere" / "e.h5") as many, open_ensemble(whole) as one:
        assert len(many.shards) == 7 and one.shards == ()
        assert (len(many), many.n_observations, many.band_names) == (len(one), one.n_observations, one.band_names)
        assert many.classes == one.classes == {"CEP": 30, "RRLYR": 30}
        assert np.unique(many.columns()["star_id"]).size == 60
        assert (many.stars == one.stars).all()
        for part in (slice(0, 60), slice(5, 30), slice(8, 9), slice(59, 5, -7), slice(3, 3)):
            mine, theirs = many[part], one[part]
            for column in ("mjd", "mag", "flux", "band_index", "offsets"):
                assert np.array_equal(getattr(mine, column), getattr(theirs, column))
        assert np.array_equal(many[-1].mag, one[-1].mag)
        blocks = list(many.iter_blocks(11))
        assert sum(len(b) for b in blocks) == 60


def test_virtual_datasets_show_the_shards_to_other_readers(fake, tmp_path, whole):
    fake.generate(tmp_path / "e.h5", shards=4)
    with h5py.File(tmp_path / "e.h5") as many, h5py.File(whole) as one:
        for group in ("stars", "observations"):
            assert set(many[group]) == set(one[group])
            for name, dataset in one[group].items():
                assert many[group][name].dtype == dataset.dtype
                assert np.array_equal(many[group][name][()], dataset[()])
        first = many["shards/first_star"][()]
        assert first.tolist() == [0, 15, 30, 45, 60]
        for k, name in enumerate(many["shards/name"].asstr()[()]):
            with open_ensemble(tmp_path / name) as shard:  # each is an ensemble of its own
                assert np.array_equal(shard.columns()["star_id"], np.arange(first[k], first[k + 1]))
                assert shard.header.provenance["shard"] == {"number": k, "of": 4, "first": 15 * k, "stars": 15}


# ---------------------------------------------------------------- going on, and not


def test_interrupted_run_draws_only_what_is_missing(fake, tmp_path, reference):
    path = tmp_path / "e.h5"
    with pytest.raises(DomainError):
        fake.generate(path, fake.FakeGenerator(fail_from=40), shards=3)
    with pytest.raises(IncompleteEnsembleError, match="no master file; run the same command with --resume"):
        open_ensemble(path)
    rest = fake.FakeGenerator()
    fake.generate(path, rest, shards=3, resume=True, batch_size=7)
    assert sum(rest.drawn) == 20
    assert content_digest(path) == reference
    again = fake.FakeGenerator()
    assert fake.generate(path, again, shards=3, resume=True).complete
    assert not again.drawn


@pytest.mark.parametrize("last", ["commit", "name"])
def test_killed_after_the_last_star(fake, tmp_path, reference, monkeypatch, last):
    """All stars are there, but the file is not complete, or complete and without its name."""
    path = tmp_path / "e.h5"
    with monkeypatch.context() as patch:
        if last == "name":
            patch.setattr(os, "replace", lambda *_: 1 / 0)
        else:
            patch.setattr("lcgen.ensemble.EnsembleWriter.close", lambda self: self._abandon() or 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fake.generate(path, shards=2)
    fake.generate(path, shards=2, resume=True)
    assert content_digest(path) == reference


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seed": 6}, "of another run: .*seed was 5, is now 6"),
        ({"shards": 4}, "of another run: of 3 shards, not 4"),
        ({"resume": False}, "left by an interrupted run"),
        ({"shards": None}, "left by an interrupted run with shards"),
    ],
)
def test_interrupted_run_is_not_lost_by_accident(fake, tmp_path, reference, change, reason):
    path = tmp_path / "e.h5"
    with pytest.raises(DomainError):
        fake.generate(path, fake.FakeGenerator(fail_from=40), shards=3)
    before = names(tmp_path / "e.h5.shards")
    with pytest.raises(EnsembleError, match=reason):
        fake.generate(path, **{"shards": 3, "resume": True, **change})
    assert names(tmp_path / "e.h5.shards") == before
    fake.generate(path, shards=3, resume=True)
    assert content_digest(path) == reference


@pytest.mark.parametrize("change", [{}, {"seed": 6}, {"shards": 4}, {"shards": None}])
def test_old_ensemble_stays_until_the_new_one_is_whole(fake, tmp_path, change):
    path = tmp_path / "e.h5"
    fake.generate(path, shards=3)
    old = content_digest(path)
    options = {"shards": 3, "overwrite": True, **change}
    with pytest.raises(EnsembleError, match=r"exists"):
        fake.generate(path, **{**options, "overwrite": False})
    with pytest.raises(DomainError):
        fake.generate(path, fake.FakeGenerator(fail_from=40), **options)
    assert content_digest(path) == old
    fake.generate(path, **options, resume=True)
    fake.generate(tmp_path / "new.h5", **{**options, "shards": None})
    assert content_digest(path) == content_digest(tmp_path / "new.h5")
    n = options["shards"]
    assert summarise(path).n_shards == (n or 0)
    # nothing is left of the old one
    assert len(names(tmp_path / "e.h5.shards")) == n if n else not (tmp_path / "e.h5.shards").exists()


def test_nothing_is_left_of_a_run_that_failed_before_its_first_star(fake, tmp_path):
    with pytest.raises(DomainError):
        fake.generate(tmp_path / "e.h5", fake.FakeGenerator(fail_from=0), shards=3)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"shards": 0}, "from 1 to the number of stars, 60; got 0"),
        ({"shards": 61}, "shards must be"),
        ({"shards": 2.0}, "shards must be"),
        ({"shards": True}, "shards must be"),
        ({"retries": -1}, "retries must be"),
        ({"shards": None, "scheduler": "tcp://x", "generator_factory": int}, "say how many"),
        ({"scheduler": "tcp://x", "workers": 2, "generator_factory": int}, "not both"),
        ({"scheduler": "tcp://x"}, "generator_factory"),
        ({"scheduler": 5, "generator_factory": int}, "must be an address or a distributed.Client, received 5"),
    ],
)
def test_bad_arguments_leave_nothing_behind(fake, tmp_path, change, reason):
    with pytest.raises(InputError, match=reason):
        fake.generate(tmp_path / "e.h5", **{"shards": 3, **change})
    assert names(tmp_path) == []


# ---------------------------------------------------------------- workers that die, or are not what they should be


def test_killed_worker_loses_and_duplicates_nothing(fake, tmp_path, reference, monkeypatch):
    monkeypatch.setenv("LCGEN_TEST_MARKER", str(tmp_path / "died"))
    fake.generate(tmp_path / "e.h5", shards=3, workers=2, generator_factory=fake.make_dying_generator)
    assert (tmp_path / "died").exists()
    assert content_digest(tmp_path / "e.h5") == reference


def test_workers_that_die_too_often_end_the_run(fake, tmp_path, reference):
    options = {"shards": 3, "workers": 2}
    with pytest.raises(EnsembleError, match="died too often"):
        fake.generate(tmp_path / "e.h5", **options, retries=1, generator_factory=fake.make_hopeless_generator)
    fake.generate(tmp_path / "e.h5", shards=3, resume=True)
    assert content_digest(tmp_path / "e.h5") == reference


@pytest.fixture
def plan(fake, tmp_path) -> shards.ShardPlan:
    """The plan of a run that failed at once."""
    kept: list[shards.ShardPlan] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lcgen.ensemble.generate.write_shards", lambda plan, crew, **_: kept.append(plan) or 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fake.generate(tmp_path / "e.h5", shards=2)
    kept[0].folder.mkdir()
    return kept[0]


def test_worker_with_other_weights_or_version_is_refused(fake, plan, monkeypatch):
    with pytest.raises(EnsembleError, match="weights ffffff"):
        plan.write(fake.FakeGenerator(sha256="ff" * 32), 0, 30)
    monkeypatch.setattr(lcgen, "__version__", "99.0")
    with pytest.raises(EnsembleError, match=r"this worker has lcgen 99.0"):
        plan.write(fake.FakeGenerator(), 0, 30)


def test_worker_given_up_for_lost_and_its_successor(fake, plan):
    """The second waits for the first, which holds the file, and makes nothing twice."""
    begun, generators = threading.Event(), [fake.FakeGenerator(wait=0.05), fake.FakeGenerator()]
    generators[0].before = lambda _: begun.set()
    first = threading.Thread(target=plan.write, args=(generators[0], 0, 16))
    first.start()
    assert begun.wait(10)
    assert plan.write(generators[1], 0, 30) == 30
    first.join()
    assert sum(generators[0].drawn) + sum(generators[1].drawn) == 30
    assert plan.write(generators[0], 0, 16) == plan.write(generators[0], 0, 30) == 30


# ---------------------------------------------------------------- Dask


def test_dask_missing(fake, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"lcgen\[dask\]"):
        fake.generate(tmp_path / "e.h5", shards=2, scheduler="tcp://x", generator_factory=fake.make_generator)


def test_no_scheduler_there(fake, tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="needs Dask distributed")
    monkeypatch.setattr(distributed, "_CONNECT_SECONDS", 0.2)
    for address in ("tcp://127.0.0.1:9", str(tmp_path / "scheduler.json")):
        with pytest.raises(EnsembleError, match="no Dask scheduler can be reached at"):
            fake.generate(tmp_path / "e.h5", shards=2, scheduler=address, generator_factory=fake.make_generator)


def test_dask_workers_make_no_difference_even_killed(fake, tmp_path, reference, monkeypatch):
    dask = pytest.importorskip("distributed", reason="needs Dask distributed")
    monkeypatch.setenv("LCGEN_TEST_MARKER", str(tmp_path / "died"))
    with dask.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=tmp_path / "dask"
    ) as cluster:
        options = {"shards": 5, "batch_size": 1}  # several pieces a shard
        for name, make in (("a", fake.make_generator), ("b", fake.make_dying_generator)):
            scheduler = cluster.scheduler_address
            fake.generate(tmp_path / f"{name}.h5", **options, scheduler=scheduler, generator_factory=make)
            assert content_digest(tmp_path / f"{name}.h5") == reference
        assert (tmp_path / "died").exists()
        with dask.Client(cluster) as client, pytest.raises(DomainError):
            fake.generate(
                tmp_path / "c.h5", shards=2, scheduler=client, retries=0, generator_factory=fake.make_failing_generator
            )
    fake.generate(tmp_path / "c.h5", shards=2, resume=True)
    assert content_digest(tmp_path / "c.h5") == reference
