"""Ensemble files survive whatever happens to the process that writes them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import lcgen.ensemble
from lcgen.ensemble import (
    EnsembleHeader,
    EnsembleWriter,
    content_digest,
    open_ensemble,
    partial_path,
    summarise,
)
from lcgen.errors import EnsembleError
from lcgen.lightcurve import LightCurves

HEADER = {
    "lcgen_version": "0",
    "generator": "fake",
    "seed": 7,
    "cadence": "nightly",
    "provenance": {"classes": {"CEP": 3}},
}
SIZES = {"observation_chunk": 64, "star_chunk": 16, "commit_rows": 128}


@pytest.fixture(scope="module", autouse=True)
def no_waiting_for_the_disk():
    """What is tested here is the death of processes, not of machines."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda fd: None)
        yield


def stars(start: int, stop: int) -> LightCurves:
    """Stars that are the same in whatever block they come; their numbers of observations differ."""
    ids = np.arange(start, stop)
    counts = ids * 7 % 30
    time_of = np.concatenate([k + np.arange(n) for k, n in zip(ids, counts, strict=True)])
    return LightCurves(
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        mjd=time_of.astype(float),
        mag=np.sin(time_of).astype("f4"),
        mag_err=np.full(time_of.size, 0.1, "f4"),
        band_index=(time_of % 2).astype(np.uint8),
        band_names=("V", "I"),
        columns={"star_id": ids, "class": np.full(ids.size, "CEP"), "period": ids + 0.5},
    )


def fill(path: Path, n: int, block: int, *, fail_at: int = -1, wait: float = 0.0, **options) -> None:
    with EnsembleWriter(path, header=EnsembleHeader(**HEADER), n_stars=n, **SIZES, **options) as writer:
        for start in range(writer.n_appended, n, block):
            if 0 <= fail_at <= start:
                raise ZeroDivisionError
            writer.append(stars(start, min(start + block, n)))
            time.sleep(wait)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("undisturbed") / "e.h5"
    fill(path, 60, 7)
    return content_digest(path)


@pytest.mark.parametrize("fail_at", [0, 7, 30, 55])
def test_resumed_after_an_exception(tmp_path, undisturbed, fail_at):
    path = tmp_path / "e.h5"
    with pytest.raises(ZeroDivisionError):
        fill(path, 60, 5, fail_at=fail_at)
    fill(path, 60, 11, resume=True)
    assert content_digest(path) == undisturbed
    assert [p.name for p in tmp_path.iterdir()] == ["e.h5"]


def test_file_is_whole_at_every_system_call(tmp_path, monkeypatch, undisturbed):
    """At each write, half of it, and before each other call: what is on the disk then can be resumed."""
    path = tmp_path / "run" / "e.h5"
    path.parent.mkdir()
    pwrite, fsync, ftruncate, replace = os.pwrite, os.fsync, os.ftruncate, os.replace
    copies: list[Path] = []

    def copy() -> None:
        folder = tmp_path / f"copy{len(copies)}"
        shutil.copytree(path.parent, folder)
        copies.append(folder)

    def torn_write(fd, data, offset):
        copy()
        half = len(data) // 2
        if half:
            pwrite(fd, data[:half], offset)
            copy()
        return half + pwrite(fd, data[half:], offset + half)

    def wrapped(call):
        def before(*arguments):
            copy()
            return call(*arguments)

        return before

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", torn_write)
        for name, call in (("fsync", fsync), ("ftruncate", ftruncate), ("replace", replace)):
            patch.setattr(os, name, wrapped(call))
        fill(path, 60, 7)
    assert len(copies) > 200

    chosen = copies[:12] + copies[12::9] + copies[-12:]
    committed = set()
    for folder in chosen:
        if (folder / "e.h5.partial").exists() and summarise_or_none(folder / "e.h5") is not None:
            committed.add(summarise(folder / "e.h5").n_stars)
        fill(folder / "e.h5", 60, 13, resume=True, overwrite=True)
        assert content_digest(folder / "e.h5") == undisturbed, folder.name
    assert len(committed) > 4


def summarise_or_none(path: Path):
    """Before the first commit there is no HDF5 file yet."""
    try:
        return summarise(path)
    except EnsembleError:
        return None


SCRIPT = """
import sys
from pathlib import Path
sys.path[:0] = [{source!r}, {tests!r}]
import test_ensemble_resume as t
t.fill(Path(sys.argv[1]), 60, 3, wait=0.02, resume=True)
"""


def child(path: Path) -> subprocess.Popen:
    source = Path(lcgen.ensemble.__file__).parents[2]
    script = SCRIPT.format(source=str(source), tests=str(Path(__file__).parent))
    return subprocess.Popen([sys.executable, "-c", script, str(path)], stderr=subprocess.PIPE)


def test_resumed_after_kill_9(tmp_path, undisturbed):
    path = tmp_path / "e.h5"
    seen = 0
    for _ in range(3):
        process = child(path)
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            found = summarise_or_none(path)
            if found is not None and found.n_stars > seen:
                seen = found.n_stars
                break
            time.sleep(0.005)
        process.kill()
        process.communicate()
    assert 0 < seen < 60
    with open_ensemble(path, allow_incomplete=True) as ensemble:
        assert np.array_equal(ensemble[:].mjd, stars(0, len(ensemble)).mjd)
    fill(path, 60, 9, resume=True)
    assert content_digest(path) == undisturbed


def test_second_writer_is_refused(tmp_path):
    path = tmp_path / "e.h5"
    with EnsembleWriter(path, header=EnsembleHeader(**HEADER), n_stars=5) as writer:
        for options in ({}, {"resume": True}, {"overwrite": True}):
            with pytest.raises(EnsembleError, match="being written by another process"):
                EnsembleWriter(path, header=EnsembleHeader(**HEADER), n_stars=5, **options)
        writer.append(stars(0, 5))
    assert summarise(path).complete


def test_full_disk_keeps_what_was_committed(tmp_path, monkeypatch, undisturbed):
    pwrite, room, safe = os.pwrite, [0], set()

    def limited(fd, data, offset):
        room[0] -= 1
        if room[0] < 0:
            raise OSError(28, "No space left on device")
        return pwrite(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", limited)
    for calls in range(0, 120, 8):
        path, room[0] = tmp_path / f"{calls}.h5", calls
        with pytest.raises(EnsembleError, match="No space left on device"):
            fill(path, 60, 4)
        if partial_path(path).exists() and summarise_or_none(path) is not None:
            safe.add(summarise(path).n_stars)
        room[0] = 10**9
        fill(path, 60, 4, resume=True)
        assert content_digest(path) == undisturbed
    assert len(safe) > 2


def test_existing_target_stays_until_the_new_one_is_whole(tmp_path, undisturbed):
    path = tmp_path / "e.h5"
    fill(path, 20, 4)
    before = path.read_bytes()
    with pytest.raises(EnsembleError, match="exists"):
        fill(path, 60, 4)
    with pytest.raises(ZeroDivisionError):
        fill(path, 60, 4, overwrite=True, fail_at=40)
    assert path.read_bytes() == before
    fill(path, 60, 4, overwrite=True, resume=True)
    assert content_digest(path) == undisturbed


def test_interrupted_run_is_not_lost_by_accident(tmp_path, undisturbed):
    path = tmp_path / "e.h5"
    with pytest.raises(ZeroDivisionError):
        fill(path, 60, 4, fail_at=40)
    with pytest.raises(EnsembleError, match="interrupted run"):
        fill(path, 60, 4)
    assert summarise(path).n_stars == 40
    fill(path, 60, 4, overwrite=True)
    assert content_digest(path) == undisturbed


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seed": 8}, "seed was 7, is now 8"),
        ({"generator": "other"}, "generator was 'fake', is now 'other'"),
        ({"checkpoint_sha256": "00"}, "checkpoint_sha256"),
        ({"cadence": "hourly"}, "cadence was 'nightly'"),
        ({"provenance": {"classes": {"CEP": 4}}}, "classes was"),
        ({"lcgen_version": "99"}, "lcgen_version"),
    ],
)
def test_another_run_cannot_resume(tmp_path, change, reason):
    path = tmp_path / "e.h5"
    with pytest.raises(ZeroDivisionError):
        fill(path, 60, 4, fail_at=40)
    with pytest.raises(EnsembleError, match=reason):
        EnsembleWriter(path, header=EnsembleHeader(**{**HEADER, **change}), n_stars=60, resume=True)
    with pytest.raises(EnsembleError, match="n_stars was 60, is now 61"):
        EnsembleWriter(path, header=EnsembleHeader(**HEADER), n_stars=61, resume=True)
    assert summarise(path).n_stars == 40


def test_another_day_and_command_may_resume(tmp_path, undisturbed):
    path = tmp_path / "e.h5"
    with pytest.raises(ZeroDivisionError):
        fill(path, 60, 4, fail_at=40)
    header = EnsembleHeader(**HEADER, created="2000-01-01T00:00:00Z", command="lcgen ensemble --resume")
    with EnsembleWriter(path, header=header, n_stars=60, resume=True, **SIZES) as writer:
        writer.append(stars(writer.n_appended, 60))
    assert content_digest(path) == undisturbed


@pytest.mark.parametrize("keep", [0.3, 0.7])
def test_damaged_partial_file_is_refused(tmp_path, keep, undisturbed):
    path = tmp_path / "e.h5"
    with pytest.raises(ZeroDivisionError):
        fill(path, 60, 4, fail_at=40)
    partial = partial_path(path)
    os.truncate(partial, int(partial.stat().st_size * keep))
    with pytest.raises(EnsembleError, match="cannot be resumed"):
        fill(path, 60, 4, resume=True)
    fill(path, 60, 4, overwrite=True)
    assert content_digest(path) == undisturbed


def test_nothing_is_left_of_a_run_that_failed_before_its_first_star(tmp_path):
    with pytest.raises(ZeroDivisionError):
        fill(tmp_path / "e.h5", 60, 4, fail_at=0)
    assert not list(tmp_path.iterdir())


def test_an_interrupt_waits_for_the_end_of_a_write() -> None:
    from lcgen.ensemble._interrupts import deferred_interrupts

    done = []
    with pytest.raises(KeyboardInterrupt), deferred_interrupts():
        signal.raise_signal(signal.SIGINT)
        done.append(True)
    assert done == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_disk_full_from_the_start_does_not_crash_the_interpreter(tmp_path):
    script = """
import os, sys
def refuse(*_):
    raise OSError(28, "No space left on device")
os.pwrite = refuse
from lcgen.ensemble import EnsembleHeader, EnsembleWriter
kept = []
for name in "abc":
    try:
        EnsembleWriter(sys.argv[1] + name, header=EnsembleHeader(generator="g", seed=1, cadence="c"), n_stars=1)
    except Exception as error:
        kept.append(error)
assert len(kept) == 3
"""
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path / "x")], check=False).returncode == 0
