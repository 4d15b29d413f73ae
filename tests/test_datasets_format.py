"""The specification in docs/ensemble-format.md holds, on a file that was written when the format was new."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lcgen import open_ensemble
from lcgen.datasets import EnsembleDataset, Selection
from lcgen.ensemble import summarise
from lcgen.errors import EnsembleError
from lcgen.lightcurve import LightCurves
from lcgen.photometry import BANDS

ROOT = Path(__file__).resolve().parent.parent
ARCHIVE = ROOT / "tests" / "data" / "ensemble-format-1.h5"
RECORD = ARCHIVE.with_suffix(".json")
SPECIFICATION = (ROOT / "docs" / "ensemble-format.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def archived() -> LightCurves:
    with open_ensemble(ARCHIVE) as ensemble:
        return ensemble[:]


def as_stored(curves: LightCurves) -> dict[str, np.ndarray]:
    """What the reader gives, in the types of the file."""
    with h5py.File(ARCHIVE, "r") as f:
        bands = [str(n) for n in f["observations/band"].attrs["names"]]
    numbers = np.array([bands.index(n) for n in curves.band_names], dtype="u1")
    assert curves.detected is not None
    out = {
        "stars/offset": curves.offsets,
        "observations/mjd": curves.mjd,
        "observations/mag": curves.mag,
        "observations/mag_err": curves.mag_err,
        "observations/flux": curves.flux,
        "observations/flux_err": curves.flux_err,
        "observations/band": numbers[curves.band_index],
        "observations/detected": curves.detected.astype("u1"),
    }
    for name, column in curves.columns.items():
        out[f"stars/{name}"] = np.char.encode(column, "utf-8") if column.dtype.kind == "U" else column
    return out


def test_the_archived_file_is_read_as_recorded(archived: LightCurves) -> None:
    """Every column, bit for bit, as h5py read it on the day it was written."""
    record = json.loads(RECORD.read_text())
    found = as_stored(archived)
    assert set(found) == set(record)
    for name, entry in record.items():
        values = np.ascontiguousarray(found[name].astype(entry["dtype"]))
        assert list(values.shape) == entry["shape"], name
        assert hashlib.sha256(values.tobytes()).hexdigest() == entry["sha256"], name


def test_the_archived_file_in_figures(archived: LightCurves) -> None:
    """Values that are written here, so that a change of file and record together is seen."""
    assert ARCHIVE.stat().st_size < 60_000
    assert np.diff(archived.offsets).tolist() == [0] * 7 + [6, 6, 12, 24, 36, 36, 36, 36, 31] + [36] * 8
    assert archived.columns["class"][[0, 23]].tolist() == ["ACEP", "T2CEP"]
    np.testing.assert_allclose(archived.columns["period"][:3], [1.22833187, 0.87527695, 1.4376733], rtol=1e-8)
    assert int(np.isnan(archived.mag).sum()) == int((archived.flux <= 0).sum()) == 47
    summary = summarise(ARCHIVE)
    assert (summary.n_stars, summary.n_observations, summary.complete) == (24, 511, True)
    assert summary.header.provenance["note"] == "archived; 5\N{GREEK SMALL LETTER SIGMA} detections"
    assert summary.header.seed == 1


def test_datasets_read_the_archived_file(archived: LightCurves) -> None:
    view = EnsembleDataset(ARCHIVE, select=Selection(features=("flux", "detected"))).ragged()
    np.testing.assert_array_equal(view.values["flux"], archived.flux)
    np.testing.assert_array_equal(view.values["detected"], archived.detected)


def test_ten_lines_read_it_without_lcgen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archived: LightCurves
) -> None:
    code = re.search(r"```python\n(import h5py\n.*?)```", SPECIFICATION, re.DOTALL)
    assert code is not None
    lines = [line for line in code[1].splitlines() if line.strip()]
    assert len(lines) <= 10
    shutil.copy(ARCHIVE, tmp_path / "ensemble.h5")
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    exec(code[1], scope)
    star = archived[7]
    assert (scope["label"], scope["period"]) == (star.star["class"], star.star["period"])
    for name in ("mjd", "flux", "flux_err"):
        np.testing.assert_array_equal(scope[name], getattr(star, name))
    assert scope["band"] == star.band.tolist()
    assert len(star) > 0


def rows_of(heading: str) -> dict[str, list[str]]:
    """The first table below a heading of the specification, by the names in its first cell."""
    section = SPECIFICATION.split(f"\n### {heading}\n")[1].split("\n##")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name: row for row in cells for name in re.findall(r"`(\w+)`", row[0])}


def test_what_must_be_there_is_what_readers_ask_for(tmp_path: Path) -> None:
    """Without it the file is refused; without the rest it is read."""
    attributes = rows_of("Root attributes")
    with h5py.File(ARCHIVE, "r") as f:
        assert set(f.attrs) == set(attributes)
    wrong = []
    tables = {"stars": rows_of("`/stars`"), "observations": rows_of("`/observations`")}
    cases = [("", name, True) for name in attributes]
    cases += [(group, name, row[1] == "MUST") for group, rows in tables.items() for name, row in rows.items()]
    for group, name, needed in cases:
        path = tmp_path / "less.h5"
        shutil.copy(ARCHIVE, path)
        with h5py.File(path, "r+") as f:
            if not group:
                del f.attrs[name]
            elif name in f[group]:
                del f[group][name]
            else:
                assert not needed, name
                continue
        try:
            with open_ensemble(path) as ensemble:
                _ = ensemble[7], ensemble.classes
            refused = False
        except EnsembleError:
            refused = True
        if refused != needed:
            wrong.append((group, name, refused))
    assert not wrong


def test_types_and_units_are_those_of_the_specification() -> None:
    short = {"i8": "<i8", "f8": "<f8", "f4": "<f4", "u1": "|u1"}
    checked = 0
    with h5py.File(ARCHIVE, "r") as f:
        for name, row in rows_of("`/observations`").items():
            dataset = f["observations"][name]
            assert dataset.dtype.str == short[row[2]], name
            assert str(dataset.attrs.get("unit", "")) == row[3], name
            checked += 1
        for name, row in rows_of("`/stars`").items():
            if name in f["stars"]:
                kind = row[2].split(",")[0].strip()
                dataset = f["stars"][name]
                assert dataset.dtype.kind == "S" if kind == "text" else dataset.dtype.str == short[kind], name
                checked += 1
        assert f["observations/band"].attrs["names"].tolist() == list(BANDS)
        assert f["stars/class"].dtype.itemsize == 16
    assert checked >= 13


def test_unknown_things_are_ignored_and_newer_versions_refused(tmp_path: Path, archived: LightCurves) -> None:
    path = tmp_path / "more.h5"
    shutil.copy(ARCHIVE, path)
    with h5py.File(path, "r+") as f:
        f.attrs["weather"] = "clear"
        f.create_group("future")["table"] = np.arange(3)
        f["observations"]["airmass"] = np.ones(archived.mjd.size)
        f["stars"]["colour"] = np.arange(len(archived))
    with open_ensemble(path) as ensemble:
        found = ensemble[:]
    np.testing.assert_array_equal(found.flux, archived.flux)
    np.testing.assert_array_equal(found.columns["colour"], np.arange(len(archived)))
    with h5py.File(path, "r+") as f:
        f.attrs["format_version"] = np.int64(2)
    with pytest.raises(EnsembleError, match="format version 2, this lcgen reads up to 1"):
        open_ensemble(path)


def test_numbers_of_bands_are_taken_from_the_file(tmp_path: Path, archived: LightCurves) -> None:
    """A writer with another list of bands."""
    path = tmp_path / "other.h5"
    shutil.copy(ARCHIVE, path)
    with h5py.File(path, "r+") as f:
        band = f["observations/band"]
        names, counts = [str(n) for n in band.attrs["names"]], band.attrs["counts"]
        band[...] = len(names) - 1 - band[...]
        band.attrs["names"], band.attrs["counts"] = names[::-1], counts[::-1]
    with open_ensemble(path) as ensemble:
        assert ensemble[:].band.tolist() == archived.band.tolist()
    view = EnsembleDataset(path, select=Selection(bands=tuple("ugrizy"))).ragged()
    assert ["ugrizy"[k] for k in view.band] == archived.band.tolist()
