"""What every export holds to: whole or not there, the same in any block size, clear words for what cannot be."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lcgen.cli.export import FORMATS as LISTED
from lcgen.ensemble import EnsembleHeader, EnsembleWriter, open_ensemble
from lcgen.errors import EnsembleError, IncompleteEnsembleError, InputError, MissingExtraError, UnknownNameError
from lcgen.export import FORMATS, HatsExporter, SnanaExporter, export_ensemble, make_exporter
from lcgen.export.hats import partitions
from lcgen.lightcurve import LightCurves

OPTIONS: dict[str, dict[str, str]] = {"astromer": {"band": "r"}}
FOLDERS = sorted(name for name, kind in FORMATS.items() if kind.folder)
# stars are drawn again for an LCLIB: tests/test_export_lclib.py
WRITTEN = sorted(set(FORMATS) - {"lclib"})


def curves(bands: tuple[str, ...] = ("g", "r"), n: int = 23, **columns: Any) -> LightCurves:
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 9, n)
    rows = int(counts.sum())
    base = {
        "star_id": np.arange(n),
        "class": np.array(["RRLYR", "CEP", "ECL"] * n)[:n],
        "subclass": np.array(["RRab", "", "EW"] * n)[:n],
        "period": rng.uniform(0.3, 3, n),
        "ra": rng.uniform(0, 360, n),
        "dec": rng.uniform(-80, 10, n),
    }
    kept = {k: v for k, v in (base | columns).items() if v is not None}
    return LightCurves(
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        mjd=rng.uniform(60000, 61000, rows),
        mag=rng.uniform(17, 20, rows),
        mag_err=rng.uniform(0.01, 0.1, rows),
        band_index=rng.integers(0, len(bands), rows).astype(np.uint8),
        band_names=bands,
        columns=kept,
    )


def write(path: Path, data: LightCurves, **provenance: Any) -> Path:
    header = EnsembleHeader(generator="m", seed=1, cadence="c", provenance={"noise": "depth"} | provenance)
    with EnsembleWriter(path, header=header, n_stars=len(data)) as writer:
        writer.append(data)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "a.h5", curves())


def digest(path: Path) -> dict[str, str]:
    """sha256 of a file, or of all files of a folder."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return {str(p.relative_to(path)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_the_command_lists_every_format() -> None:
    assert set(LISTED) == set(FORMATS) == {kind.name for kind in FORMATS.values()}
    for name, kind in FORMATS.items():
        assert f"({'a folder' if kind.folder else 'a file'})" in LISTED[name]


@pytest.mark.parametrize("name", WRITTEN)
def test_blocks_have_no_influence(name: str, path: Path, tmp_path: Path) -> None:
    # row groups of Parquet and chunks of HDF5 follow the blocks; their content is compared with their readers
    if name in ("nested", "astromer"):
        pq = pytest.importorskip("pyarrow.parquet")
    results = []
    for size in (1, 5, 1000):
        (tmp_path / str(size)).mkdir()
        out = tmp_path / str(size) / "same-name"
        report = export_ensemble(path, name, out, options=OPTIONS.get(name), block_size=size)
        assert (report.n_stars, report.format, report.path) == (23, name, out)
        assert report.size == sum(p.stat().st_size for p in ([out] if out.is_file() else out.rglob("*")) if p.is_file())
        if name == "nested":
            results.append(pq.read_table(out).to_pylist())
        elif name == "astromer":
            results.append([pq.read_table(p).to_pylist() for p in sorted(out.rglob("*.parquet"))])
        elif name == "atat":
            with h5py.File(out) as h5:
                results.append({k: (d[()].tolist(), d.dtype.str) for k, d in h5.items()})
        else:
            results.append(digest(out))
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("name", WRITTEN)
def test_nothing_is_left_of_a_failure(name: str, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "here"
    target.mkdir()
    with open_ensemble(path) as ensemble:
        whole = ensemble.iter_blocks

        def broken(n_stars: int) -> Any:
            blocks = whole(n_stars)
            yield next(blocks)
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(ensemble, "iter_blocks", broken)
        with pytest.raises(EnsembleError, match="No space left"):
            export_ensemble(ensemble, name, target / "out", options=OPTIONS.get(name), block_size=5)
    assert list(target.iterdir()) == []


@pytest.mark.parametrize("name", WRITTEN)
def test_existing_outputs_are_kept_unless_asked(name: str, path: Path, tmp_path: Path) -> None:
    out, options = tmp_path / "out", OPTIONS.get(name)
    export_ensemble(path, name, out, options=options)
    before = digest(out)
    with pytest.raises(InputError, match="overwrite"):
        export_ensemble(path, name, out, options=options)
    assert digest(out) == before
    other = write(tmp_path / "b.h5", curves(n=11))
    export_ensemble(other, name, out, options=options, overwrite=True)
    assert digest(out) != before
    assert {p.name for p in tmp_path.iterdir()} == {"a.h5", "b.h5", "out"}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_of_something_else_is_never_replaced(name: str, path: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("long work")
    with pytest.raises(InputError, match=r"not written by an export"):
        export_ensemble(path, name, tmp_path / "thesis", options=OPTIONS.get(name), overwrite=True)
    assert (tmp_path / "thesis" / "chapter1.tex").read_text() == "long work"
    with pytest.raises(InputError, match="not a folder"):
        export_ensemble(path, name, path, options=OPTIONS.get(name), overwrite=True)


@pytest.mark.parametrize("name", FOLDERS)
def test_folders_say_where_they_come_from(name: str, path: Path, tmp_path: Path) -> None:
    export_ensemble(path, name, tmp_path / "out", options=OPTIONS.get(name))
    record = json.loads((tmp_path / "out" / "lcgen.json").read_text())
    assert (record["format"], record["generator"], record["seed"], record["n_stars"]) == (name, "m", 1, 23)
    assert record["provenance"] == {"noise": "depth"}
    assert os.stat(tmp_path / "out").st_mode & 0o777 == 0o777 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_unfinished_and_empty_ensembles(tmp_path: Path) -> None:
    data = curves()
    header = EnsembleHeader(generator="m", seed=1, cadence="c")
    with pytest.raises(RuntimeError, match="stop"), EnsembleWriter(tmp_path / "a.h5", header=header, n_stars=99) as w:
        w.append(data)
        raise RuntimeError("stop")
    with pytest.raises(IncompleteEnsembleError):
        export_ensemble(tmp_path / "a.h5", "fits", tmp_path / "out")
    with (
        open_ensemble(tmp_path / "a.h5", allow_incomplete=True) as ensemble,
        pytest.raises(IncompleteEnsembleError, match="finish it"),
    ):
        export_ensemble(ensemble, "fits", tmp_path / "out")
    with EnsembleWriter(tmp_path / "b.h5", header=header, n_stars=0):
        pass
    with pytest.raises(EnsembleError, match="no stars"):
        export_ensemble(tmp_path / "b.h5", "fits", tmp_path / "out")
    with pytest.raises(EnsembleError, match="no such file"):
        export_ensemble(tmp_path / "c.h5", "fits", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["plasticc", "atat"])
def test_a_band_that_the_format_lacks(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", curves(bands=("V", "r")))
    with pytest.raises(InputError, match=r"no band for V; it has: u, g, r, i, z, y"):
        export_ensemble(path, name, tmp_path / "out")
    export_ensemble(path, name, tmp_path / "out", options={"bands": "V=1"})
    with pytest.raises(InputError, match="0 to 5"):
        export_ensemble(path, name, tmp_path / "other", options={"bands": "V=green"})


def test_snana_filters_have_one_character(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", curves(bands=("g", "sdss_g")))
    with pytest.raises(InputError, match="g and sdss_g both 'g'"):
        export_ensemble(path, "snana", tmp_path / "out")
    with pytest.raises(InputError, match="one character"):
        export_ensemble(path, "snana", tmp_path / "out", options={"bands": "sdss_g=sg"})
    export_ensemble(path, SnanaExporter(bands="sdss_g=s"), tmp_path / "out")
    with pytest.raises(InputError, match="no band for BP"):
        export_ensemble(write(tmp_path / "b.h5", curves(bands=("BP",))), "snana", tmp_path / "b")


def test_hats_needs_positions(tmp_path: Path) -> None:
    ra = np.full(23, 10.0)
    ra[4:6] = np.nan
    for columns, words in (({"ra": None}, "23 stars have no position"), ({"ra": ra}, "2 stars have no position")):
        path = write(tmp_path / f"{words[:2]}.h5", curves(**columns))
        with pytest.raises(InputError, match=words):
            export_ensemble(path, "hats", tmp_path / "out")


def test_astromer_reads_one_band_with_noise(path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has g, r; choose with the option band"):
        export_ensemble(path, "astromer", tmp_path / "out")
    with pytest.raises(UnknownNameError, match="allowed: g, r"):
        export_ensemble(path, "astromer", tmp_path / "out", options={"band": "i"})
    clean = write(tmp_path / "b.h5", curves(), noise=None)
    with pytest.raises(InputError, match="no noise"):
        export_ensemble(clean, "astromer", tmp_path / "out", options={"band": "g"})


def test_names_and_options_that_are_not_known(path: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'snana'"):
        export_ensemble(path, "sanna", tmp_path / "out")
    with pytest.raises(UnknownNameError, match=r"allowed: .*stars_per_file"):
        make_exporter("snana", {"stars": 3})
    for options, words in (
        ({"length": "many"}, "whole number"),
        ({"test_fraction": "x"}, "a number"),
        ({"difference": "maybe"}, "yes or no"),
    ):
        with pytest.raises(InputError, match=words):
            make_exporter("atat", options)
    for name, options in (
        ("atat", {"length": 1}),
        ("atat", {"folds": 1}),
        ("atat", {"test_fraction": 1.0}),
        ("atat", {"features": "colour"}),
        ("atat", {"features": "class"}),
        ("snana", {"stars_per_file": 0}),
        ("plasticc", {"layout": "x"}),
        ("plasticc", {"set": "../x"}),
        ("plasticc", {"targets": "CEP=a"}),
        ("plasticc", {"targets": "CEP"}),
        ("nested", {"nested": "period"}),
        ("nested", {"compression": "zip"}),
        ("hats", {"max_rows": 0}),
        ("hats", {"max_order": 17}),
        ("astromer", {"band": "r", "shard_size": 0}),
        ("tables", {"kind": "csv"}),
        ("tables", {"per_folder": 0}),
        ("lclib", {"n_phase": 1}),
    ):
        with pytest.raises(InputError, match=next(iter(set(options) - {"band"}))):
            export_ensemble(path, name, tmp_path / "out", options=options)
    with pytest.raises(InputError, match="exporter has its own"):
        export_ensemble(path, SnanaExporter(), tmp_path / "out", options={"survey": "x"})
    with pytest.raises(InputError, match="block_size"):
        export_ensemble(path, "fits", tmp_path / "out", block_size=0)
    with pytest.raises(InputError, match="there is no folder"):
        export_ensemble(path, "fits", tmp_path / "nowhere" / "out")
    with pytest.raises(InputError, match="is a folder"):
        export_ensemble(path, "fits", tmp_path, overwrite=True)
    assert {p.name for p in tmp_path.iterdir()} == {"a.h5"}


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("nested", "pyarrow", "parquet"),
        ("plasticc", "pyarrow", "parquet"),
        ("astromer", "pyarrow", "parquet"),
        ("hats", "astropy_healpix", "hats"),
    ],
)
def test_missing_packages_say_what_to_install(
    name: str, module: str, extra: str, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"lcgen\[{extra}\]"):
        export_ensemble(path, name, tmp_path / "out", options=OPTIONS.get(name))


def test_exporters_are_frozen_configurations() -> None:
    for kind in FORMATS.values():
        assert dataclasses.is_dataclass(kind)
        assert kind() == kind()
        assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]


# the command line


def lcgen(*words: object) -> int:
    from lcgen.cli import main

    return main([str(w) for w in words])


def test_command(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sim"
    assert lcgen("export", path, "snana", out, "--option", "survey=TEST", "--option", "stars_per_file=9") == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith(f"{out}: snana, 23 stars, ")
    assert len((out / "sim.LIST").read_text().split()) == 3
    assert lcgen("export", path, "snana", "--list-options") == 0
    assert capsys.readouterr().out.split() == ["survey=LSST", "bands=", "stars_per_file=50000", "difference=False"]
    assert lcgen("export", path, "fits", "--list-options") == 0
    assert capsys.readouterr().out == "no options\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["snana"], "name the file or folder"),
        (["sanna", "out"], "did you mean 'snana'"),
        (["snana", "out", "--option", "stars"], "NAME=VALUE"),
        (["snana", "out", "--option", "stars=1"], "stars_per_file"),
        (["snana", "out", "--block-size", "0"], "block_size"),
        (["fits", "a.h5"], "a.h5 exists"),
        (["fits", "nowhere/out"], "no folder nowhere"),
    ],
)
def test_command_with_bad_input(
    words: list[str], says: str, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(path.parent)
    assert lcgen("export", path.name, *words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("lcgen: error: ") and said.err.count("\n") == 1
    assert says in said.err
    assert [p.name for p in path.parent.iterdir()] == ["a.h5"]


# HATS


def test_partitions_hold_every_star_once() -> None:
    rng = np.random.default_rng(2)
    index = np.concatenate([rng.integers(0, 12 << 58, 3000), rng.integers(5 << 58, (5 << 58) + (1 << 40), 500)])
    parts = partitions(index, 40, 9)
    inside = np.zeros(index.size, int)
    for order, pixel in parts:
        mine = index >> (2 * (29 - order)) == pixel
        inside += mine
        assert 0 < mine.sum() <= 40 or order == 9
    assert (inside == 1).all()
    assert HatsExporter().max_rows == 20_000
