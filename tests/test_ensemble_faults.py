"""Sharded ensembles survive what happens to processes, disks and files; and ``verify`` notices damage."""

from __future__ import annotations

import importlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest

import lcgen.ensemble
from lcgen.cli import main
from lcgen.ensemble import content_digest, open_ensemble, verify
from lcgen.errors import DomainError, EnsembleError

SOURCE, TESTS = Path(lcgen.ensemble.__file__).parents[2], Path(__file__).parent
N = {"n_per_class": 600, "batch_size": 20}


@pytest.fixture(scope="module")
def fake() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TESTS))
        yield importlib.import_module("fake_stars")


@pytest.fixture(scope="module")
def large(fake, tmp_path_factory) -> str:
    """The digest of an undisturbed run, in one file."""
    path = tmp_path_factory.mktemp("large") / "e.h5"
    fake.generate(path, **N)
    return content_digest(path)


def child(path: Path, *, limit: int | None = None, **options: Any) -> subprocess.Popen:
    """A run in a process group of its own."""
    script = f"""
import sys
if __name__ == "__main__":
    sys.path[:0] = [{str(SOURCE)!r}, {str(TESTS)!r}]
    from pathlib import Path
    import fake_stars as fake
    make = fake.make_slow_generator
    fake.generate(Path({str(path)!r}), make(), generator_factory=make, **{options | N!r})
"""

    def before() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    return subprocess.Popen(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, start_new_session=True, preexec_fn=before, text=True
    )


# ---------------------------------------------------------------- processes


@pytest.mark.parametrize(("workers", "rounds"), [(1, 6), (2, 3)])
def test_kill_9_at_random_moments(fake, tmp_path, large, workers, rounds):
    """The whole group of processes is killed, again and again, from just after its first file on."""
    path, chance, killed = tmp_path / "e.h5", random.Random(20 + workers), 0
    for _ in range(rounds):
        process = child(path, shards=4, workers=workers, resume=True)
        deadline = time.monotonic() + 30
        before = {p: p.stat().st_mtime_ns for p in path.with_name("e.h5.shards").glob("*")}
        while process.poll() is None and time.monotonic() < deadline:
            now = {p: p.stat().st_mtime_ns for p in path.with_name("e.h5.shards").glob("shard-*") if p.exists()}
            if any(before.get(p) != stamp for p, stamp in now.items()):
                break
            time.sleep(0.002)
        time.sleep(chance.uniform(0.0, 0.25))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            killed += 1
        process.communicate()
    assert killed >= 3
    fake.generate(path, **N, shards=4, resume=True)
    assert content_digest(path) == large
    assert verify(path) == []


def test_two_runs_at_once(fake, tmp_path):
    """The second is refused, and does not disturb the first."""
    path, refused = tmp_path / "e.h5", []

    def second(_: int) -> None:
        for options in ({"resume": True}, {"overwrite": True}, {}):
            with pytest.raises(EnsembleError, match="being written by another process"):
                fake.generate(path, shards=2, **options)
            refused.append(True)

    fake.generate(path, fake.FakeGenerator(before=second), shards=2, batch_size=30)
    assert len(refused) == 6
    assert verify(path) == []


# ---------------------------------------------------------------- disks


@pytest.mark.parametrize("kilobytes", [1, 24, 40])
def test_full_disk(fake, tmp_path, large, kilobytes):
    """Simulated by a limit on the size of a file: the run says so, and goes on when there is room."""
    path = tmp_path / "e.h5"
    process = child(path, shards=2, resume=True, limit=kilobytes * 1000)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "EnsembleError" in err.splitlines()[-1] and "File too large" in err, err
    assert not path.exists()
    fake.generate(path, **N, shards=2, resume=True)
    assert content_digest(path) == large


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs a file system that refuses even root")
@pytest.mark.parametrize("n", [None, 2])
def test_read_only_target(fake, n):
    with pytest.raises(EnsembleError, match=r"/sys/kernel/e\.h5.*cannot be (opened for writing|written to)"):
        fake.generate(Path("/sys/kernel/e.h5"), shards=n)


# ---------------------------------------------------------------- files


@pytest.fixture(scope="module")
def made(fake, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    fake.generate(folder / "e.h5", shards=3)
    fake.generate(folder / "one.h5")
    return folder


@pytest.fixture
def folder(made, tmp_path) -> Path:
    """A copy to damage: ``e.h5`` of three shards, and the same stars in ``one.h5``."""
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def shard(folder: Path, number: int) -> Path:
    return sorted((folder / "e.h5.shards").iterdir())[number]


def flip(path: Path, position: int, bit: int = 3) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        (value,) = file.read(1)
        file.seek(position)
        file.write(bytes([value ^ (1 << bit)]))


def chunk_of(path: Path, name: str) -> tuple[int, int]:
    """Where the first chunk of a dataset lies in its file, and its size."""
    with h5py.File(path) as h5:
        info: Any = h5[name]
        info = info.id.get_chunk_info(0)
        return info.byte_offset, info.size


def messages(path: Path) -> list[str]:
    return [str(problem) for problem in verify(path)]


def test_good_files_have_no_problems(folder):
    assert messages(folder / "e.h5") == messages(folder / "one.h5") == messages(shard(folder, 1)) == []


def test_corrupt_shard_is_found_and_made_again(fake, folder):
    digest, bad = content_digest(folder / "one.h5"), shard(folder, 1)
    start, size = chunk_of(bad, "observations/flux")
    flip(bad, start + size // 2)
    with open_ensemble(folder / "e.h5") as ensemble:
        assert len(ensemble[:20]) == 20  # the other shards can be read
        with pytest.raises(EnsembleError, match=f"{bad.name} is damaged"):
            ensemble[20:30]
    (line,) = messages(folder / "e.h5")
    assert line.startswith(f"{bad}: observations/flux: rows 0 to "), line
    assert line.endswith("cannot be read (the checksum is wrong, or the chunk damaged)")
    bad.unlink()
    with pytest.raises(EnsembleError, match=f"{bad.name} is missing; put back what is missing, or make it again"):
        open_ensemble(folder / "e.h5")
    assert messages(folder / "e.h5")[0].startswith(f"{bad}: it is missing")
    rest = fake.FakeGenerator()
    fake.generate(folder / "e.h5", rest, shards=3, resume=True)
    assert sum(rest.drawn) == 20
    assert content_digest(folder / "e.h5") == digest


def test_truncated_shard_is_no_silence_of_fill_values(fake, folder):
    """HDF5 itself reads a virtual dataset whose file it cannot open as fill values."""
    bad = shard(folder, 2)
    os.truncate(bad, bad.stat().st_size // 2)
    with open_ensemble(folder / "e.h5") as ensemble, pytest.raises(EnsembleError, match=bad.name):
        ensemble[45]
    assert any(str(bad) in line and "truncated" in line for line in messages(folder / "e.h5"))
    (folder / "e.h5").unlink()  # the run that is to make it again finds the shard damaged
    with pytest.raises(EnsembleError, match="remove this file and resume"):
        fake.generate(folder / "e.h5", shards=3, resume=True)
    bad.unlink()
    fake.generate(folder / "e.h5", shards=3, resume=True)
    assert content_digest(folder / "e.h5") == content_digest(folder / "one.h5")


def test_no_bit_flips_unnoticed_in_what_is_stored(made, tmp_path):
    """Wherever a bit flips in a file, verify reports it or the light curves are as before."""
    chance, found = random.Random(5), 0
    with open_ensemble(made / "one.h5") as ensemble:
        before = ensemble[:]
    size = (made / "one.h5").stat().st_size
    for _ in range(60):
        copy = tmp_path / "e.h5"
        shutil.copy(made / "one.h5", copy)
        flip(copy, chance.randrange(size), chance.randrange(8))
        if verify(copy):
            found += 1
            continue
        with open_ensemble(copy) as ensemble:
            after = ensemble[:]
        for column in ("mjd", "mag", "mag_err", "flux", "flux_err", "band_index", "offsets"):
            assert np.array_equal(getattr(before, column), getattr(after, column))
        assert all(np.array_equal(before.columns[k], after.columns[k]) for k in ("star_id", "class", "period"))
    assert found > 20


def set_rows(path: Path, name: str, rows: Any, values: Any) -> None:
    with h5py.File(path, "r+") as h5:
        data: Any = h5[name]
        data[rows] = values


def set_attribute(path: Path, name: str, key: str, value: Any) -> None:
    with h5py.File(path, "r+") as h5:
        h5[name].attrs.modify(key, value)


@pytest.mark.parametrize(
    ("name", "rows", "value", "expected"),
    [
        ("observations/mjd", 3, np.nan, "observations/mjd: 1 values are not finite, the first in row 3"),
        ("observations/flux", 7, np.inf, "observations/flux: 1 values are not finite, the first in row 7"),
        ("observations/mag", 7, np.nan, "observations/mag: 1 values are not finite"),
        ("observations/flux_err", 0, -1.0, "observations/flux_err: 1 values are negative"),
        ("observations/band", 0, 200, "observations/band: 1 observations are in bands without a name"),
        ("observations/band", 0, 0, "observations/band: the attribute counts is not that of the data"),
        ("observations/mjd", 0, 1.0, "observations/mjd: the attributes minimum and maximum"),
        ("stars/star_id", 9, 8, "stars/star_id: 1 do not increase, the first at about star"),
        ("stars/period", 4, np.inf, "stars/period: 1 values are infinite, the first of star 4"),
        ("stars/class", 4, b"RRLYR", "stars/class: the classes are not those of the provenance"),
        ("stars/offset", 4, 10**6, "offsets are inconsistent"),
        ("stars/offset", 0, 1, "offsets are inconsistent"),
    ],
)
@pytest.mark.parametrize("sharded", [False, True])
def test_verify_finds_wrong_values(folder, name, rows, value, expected, sharded):
    file = shard(folder, 0) if sharded else folder / "one.h5"
    set_rows(file, name, rows, value)
    lines = messages(folder / ("e.h5" if sharded else "one.h5"))
    assert any(line.startswith(str(file)) and expected in line for line in lines), lines


@pytest.mark.parametrize(
    ("name", "key", "value", "expected"),
    [
        ("/", "checkpoint_sha256", "abc", "checkpoint_sha256: it is not a sha256: 'abc'"),
        ("/", "format_version", 99, "format version 99"),
        ("/", "provenance", "{}}", "root attribute provenance cannot be understood"),
        ("/", "complete", False, "complete: it was not finished: 60 of 60 stars are there"),
        ("/", "n_stars", 61, "it has 60 stars, 61 were announced"),
    ],
)
def test_verify_finds_wrong_attributes(folder, name, key, value, expected):
    set_attribute(folder / "one.h5", name, key, value)
    assert any(expected in line for line in messages(folder / "one.h5"))


def test_verify_holds_shards_against_the_master(fake, folder):
    master, changed = folder / "e.h5", shard(folder, 1)
    set_attribute(master, "/", "seed", 6)
    lines = messages(master)
    assert f"{master}: its attributes are not those under which the shards were made" in lines
    assert sum("seed was 6, is now 5" in line for line in lines) == 3
    set_attribute(master, "/", "seed", 5)
    assert messages(master) == []
    with h5py.File(master) as h5:
        offset: Any = h5["stars/offset"]
        row = int(offset[30]) + 1
    set_rows(master, "stars/offset", 30, row)
    assert any("stars/offset: they are not those of shard" in line for line in messages(master))
    shutil.copy(shard(folder, 0), changed)
    lines = messages(master)
    assert any("not 1 of 3" in line for line in lines), lines
    assert any(f"{changed}: stars/star_id: it begins at 0, the shard before ends at 19" in line for line in lines)


def test_verify_of_an_interrupted_run(fake, tmp_path):
    with pytest.raises(DomainError):
        fake.generate(tmp_path / "e.h5", fake.FakeGenerator(fail_from=40))
    (line,) = messages(tmp_path / "e.h5")
    assert line.endswith("complete: it was not finished: 40 of 60 stars are there")
    with pytest.raises(EnsembleError, match="there is no such file"):
        verify(tmp_path / "none.h5")


def test_verify_on_the_command_line(folder, capsys):
    good, bad = str(folder / "e.h5"), str(folder / "one.h5")
    assert main(["verify", good, "--digest"]) == 0
    assert capsys.readouterr().out == f"{content_digest(good)}  {good}\n"
    set_rows(folder / "one.h5", "observations/flux", 7, np.inf)
    assert main(["verify", good, bad]) == 2
    out, err = capsys.readouterr()
    assert out == f"{good}: no problem found\n{bad}: observations/flux: 1 values are not finite, the first in row 7\n"
    assert err == "lcgen: error: 1 problem found\n"
