"""Ensemble files: what is written is read back, and what is wrong is refused."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lcgen.ensemble import (
    EnsembleHeader,
    EnsembleWriter,
    content_digest,
    open_ensemble,
    partial_path,
    summarise,
)
from lcgen.errors import EnsembleError, IncompleteEnsembleError, InputError
from lcgen.lightcurve import LightCurves
from lcgen.photometry import BANDS

HEADER = EnsembleHeader(
    generator="fake",
    checkpoint_sha256="ab" * 32,
    seed=7,
    cadence="nightly",
    provenance={"noise": None, "n": [1, 2]},
)


@pytest.fixture(scope="module", autouse=True)
def no_waiting_for_the_disk():
    """What is tested here is the death of processes, not of machines."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda fd: None)
        yield


def make(counts: list[int], seed: int = 0, first_id: int = 0, bands: tuple[str, ...] = ("V", "I")) -> LightCurves:
    rng = np.random.default_rng(seed)
    n, rows = len(counts), sum(counts)
    return LightCurves(
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        mjd=rng.uniform(50000, 60000, rows),
        mag=rng.uniform(15, 20, rows).astype("f4"),
        mag_err=rng.uniform(0, 0.1, rows).astype("f4"),
        band_index=rng.integers(0, len(bands), rows).astype(np.uint8),
        band_names=bands,
        columns={
            "star_id": np.arange(first_id, first_id + n),
            "class": rng.choice(["RRLYR", "CEP"], n) if n else np.zeros(0, "U5"),
            "note": np.array(["é" * (i % 5) for i in range(n)], dtype=str),
            "period": rng.uniform(0.1, 10, n),
            "extrapolated": rng.random(n) < 0.5,
            "visits": rng.integers(-5, 5, n).astype(np.int32),
        },
    )


def write(path: Path, curves: LightCurves, block: int = 1000, **options) -> None:
    with EnsembleWriter(path, header=HEADER, n_stars=len(curves), **options) as writer:
        for start in range(0, len(curves), block):
            writer.append(curves[start : start + block])


def assert_same(found: LightCurves, expected: LightCurves) -> None:
    assert np.array_equal(found.offsets, expected.offsets)
    assert np.array_equal(found.mjd, expected.mjd)
    for name in ("mag", "mag_err", "flux", "flux_err"):
        value = np.asarray(getattr(expected, name), dtype="f4")
        assert np.array_equal(getattr(found, name), value, equal_nan=True), name
    assert np.array_equal(found.band, expected.band)
    assert set(found.columns) == set(expected.columns)
    for name, column in expected.columns.items():
        floats = column.dtype.kind == "f"
        assert np.array_equal(found.columns[name], column, equal_nan=floats), name


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


@st.composite
def random_curves(draw) -> LightCurves:
    counts = draw(st.lists(st.integers(0, 7), min_size=1, max_size=9))
    n, rows = len(counts), sum(counts)
    bands = tuple(draw(st.lists(st.sampled_from(list(BANDS)), min_size=1, max_size=10, unique=True)))
    mags = hnp.arrays("f4", rows, elements=st.floats(-30, 40, width=32) | st.just(np.nan))
    steps = draw(hnp.arrays(np.int64, n, elements=st.integers(1, 2**40)))
    return LightCurves(
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        mjd=draw(hnp.arrays("f8", rows, elements=st.floats(-1e6, 1e6))),
        mag=draw(mags),
        mag_err=draw(mags),
        band_index=draw(hnp.arrays("u1", rows, elements=st.integers(0, len(bands) - 1))),
        band_names=bands,
        columns={
            "star_id": np.cumsum(steps),
            "class": np.array(draw(st.lists(texts, min_size=n, max_size=n)), dtype=str),
            "period": draw(hnp.arrays("f8", n, elements=st.floats(allow_nan=True))),
            "flag": draw(hnp.arrays(bool, n)),
        },
        measured_flux=draw(st.none() | hnp.arrays("f4", rows)),
        measured_flux_err=None,
    )


@settings(max_examples=30, deadline=None)
@given(
    curves=random_curves(),
    block=st.integers(1, 10),
    chunk=st.integers(1, 9),
    compression=st.sampled_from(["lzf", None]),
)
def test_round_trip(tmp_path_factory, curves, block, chunk, compression):
    path = tmp_path_factory.mktemp("round") / "e.h5"
    with np.errstate(all="ignore"):
        write(
            path,
            curves,
            block,
            compression=compression,
            observation_chunk=chunk,
            star_chunk=3,
            commit_rows=chunk,
        )
        with open_ensemble(path) as ensemble:
            assert_same(ensemble[:], curves)
            assert_same(LightCurves.concatenate(list(ensemble.iter_blocks(block))), curves)
            for i in (0, len(curves) - 1):
                assert np.array_equal(ensemble[i].mjd, curves[i].mjd)
                assert ensemble[i].star["class"] == curves[i].star["class"]


def test_indexing_equals_that_of_light_curves(tmp_path):
    curves = make([3, 0, 5, 2, 8, 1])
    write(tmp_path / "e.h5", curves)
    with open_ensemble(tmp_path / "e.h5") as ensemble:
        assert len(ensemble) == len(list(ensemble)) == 6
        for index in (
            slice(None),
            slice(1, 4),
            slice(None, None, -1),
            slice(0, 6, 2),
            slice(4, 1),
            slice(-2, None),
        ):
            assert_same(ensemble[index], curves[index])
        assert np.array_equal(ensemble[-2].mag, curves[4].mag)
        with pytest.raises(IndexError):
            ensemble[6]
        with pytest.raises(InputError):
            ensemble["RRLYR"]
    with pytest.raises(EnsembleError, match="closed"):
        ensemble[0]


def test_header_units_and_tables_come_back(tmp_path):
    curves = make([4, 4, 4])
    write(tmp_path / "e.h5", curves)
    with open_ensemble(tmp_path / "e.h5") as ensemble:
        assert ensemble.header == HEADER
        assert ensemble.stars["period"].unit == "d"
        assert ensemble.column_names[:3] == ("star_id", "class", "period")
        assert sum(ensemble.classes.values()) == 3
    with h5py.File(tmp_path / "e.h5") as file:
        assert file["observations/flux"].attrs["unit"] == "nJy"
        assert file["stars/offset"].shape == (4,)
        assert bool(file.attrs["complete"])
        kinds = {k: d.dtype.str for k, d in file["observations"].items()}
    assert kinds == {"mjd": "<f8", "band": "|u1"} | dict.fromkeys(("mag", "mag_err", "flux", "flux_err"), "<f4")


@pytest.mark.parametrize("compression", ["gzip", "lzf", None])
def test_bytes_do_not_depend_on_the_blocks(tmp_path, compression):
    curves = make([7, 0, 130, 3, 3, 64, 65, 0, 0, 12] * 9)
    found = set()
    for block in (1, 7, 1000):
        path = tmp_path / f"{block}.h5"
        write(path, curves, block, compression=compression, observation_chunk=64, star_chunk=16, commit_rows=150)
        # LZF may pack the same values differently: its table of earlier matches is not cleared between chunks
        found.add((content_digest(path), b"" if compression == "lzf" else path.read_bytes()))
    assert len(found) == 1


def test_digest_sees_every_value_but_not_the_storage(tmp_path):
    curves = make([5, 6])
    write(tmp_path / "a.h5", curves)
    write(tmp_path / "b.h5", curves, compression="lzf", observation_chunk=2)
    assert content_digest(tmp_path / "a.h5") == content_digest(tmp_path / "b.h5")
    with h5py.File(tmp_path / "b.h5", "r+") as file:
        file["observations/mag"][10] += np.float32(1e-5)
    assert content_digest(tmp_path / "a.h5") != content_digest(tmp_path / "b.h5")


def test_bands_are_the_same_whichever_comes_first(tmp_path):
    a, b = make([3], bands=("g", "r")), make([3], seed=1, first_id=1, bands=("u", "g", "r"))
    with EnsembleWriter(tmp_path / "e.h5", header=HEADER, n_stars=2) as writer:
        writer.append(a)
        writer.append(b)
    write(tmp_path / "f.h5", LightCurves.concatenate([a, b]))
    assert content_digest(tmp_path / "e.h5") == content_digest(tmp_path / "f.h5")


def test_text_longer_than_before_is_kept(tmp_path):
    curves = make([1] * 40)
    names = np.array(["x" * (i + 1) for i in range(40)])
    curves = LightCurves(**{**vars(curves), "columns": {**curves.columns, "survey": names}})
    write(tmp_path / "e.h5", curves, 1, commit_rows=1, observation_chunk=1, star_chunk=4)
    with open_ensemble(tmp_path / "e.h5") as ensemble:
        assert ensemble.columns(["survey"])["survey"].tolist() == names.tolist()


def test_a_star_is_read_without_reading_the_others(tmp_path):
    """A damaged chunk far away does no harm; asking for it names the file."""
    path = tmp_path / "e.h5"
    curves = make([100] * 50)
    write(path, curves, observation_chunk=256)
    with h5py.File(path) as file:
        mag = file["observations/mag"].id
        info = mag.get_chunk_info(mag.get_num_chunks() - 1)
    with open(path, "r+b") as file:
        file.seek(info.byte_offset)
        file.write(b"\xff" * info.size)
    with open_ensemble(path) as ensemble:
        assert_same(ensemble[:5], curves[:5])
        with pytest.raises(EnsembleError, match=r"e\.h5: it is damaged"):
            ensemble[-1]


def test_summary_counts_what_is_there(tmp_path):
    curves = make([5, 3, 9])
    write(tmp_path / "e.h5", curves, 1, observation_chunk=4, commit_rows=4)
    summary = summarise(tmp_path / "e.h5")
    assert (summary.n_stars, summary.n_planned, summary.n_observations, summary.complete) == (3, 3, 17, True)
    names, counts = np.unique(curves.band, return_counts=True)
    assert dict(summary.bands) == dict(zip(names.tolist(), counts.tolist(), strict=True))
    assert summary.mjd_range == (curves.mjd.min(), curves.mjd.max())
    text = summary.to_text()
    for part in (
        "complete",
        "fake",
        "seed          7",
        "stars/period",
        "nJy",
        "stars         3: CEP",
    ):
        assert part in text


# -- what is refused --------------------------------------------------------------------------------


def interrupted(path: Path, n: int = 3) -> None:
    with pytest.raises(ZeroDivisionError), EnsembleWriter(path, header=HEADER, n_stars=10) as writer:
        writer.append(make([4] * n))
        raise ZeroDivisionError


def test_unfinished_file_is_refused_unless_asked_for(tmp_path):
    path = tmp_path / "e.h5"
    interrupted(path)
    assert not path.exists()
    for name in (path, partial_path(path)):
        with pytest.raises(IncompleteEnsembleError, match=r"3 of 10 stars .* --resume"):
            open_ensemble(name)
        with open_ensemble(name, allow_incomplete=True) as ensemble:
            assert_same(ensemble[:], make([4] * 3))
        assert "INCOMPLETE: 3 of 10 stars" in summarise(name).to_text()
    with pytest.raises(IncompleteEnsembleError):
        content_digest(path)


def test_too_few_stars_are_an_error_and_are_kept(tmp_path):
    with (
        pytest.raises(EnsembleError, match="3 of 10 stars"),
        EnsembleWriter(tmp_path / "e.h5", header=HEADER, n_stars=10) as w,
    ):
        w.append(make([4] * 3))
    assert summarise(tmp_path / "e.h5").n_stars == 3


def damage_truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def damage_empty(path: Path) -> None:
    os.truncate(path, 0)


def damage_text(path: Path) -> None:
    path.write_text("star,mag\n1,2\n")


def damage_foreign(path: Path) -> None:
    path.unlink()
    with h5py.File(path, "w") as file:
        file["x"] = 1


def damage_version(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = 2


def damage_attribute(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file.attrs["seed"]


def damage_offsets(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["stars/offset"][1] = 10**6


def damage_rows(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["observations/mag"].resize((3,))


def damage_column(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["observations/flux"]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (damage_truncate, "truncated"),
        (damage_empty, "empty"),
        (damage_text, "not an HDF5 file"),
        (damage_foreign, "not an lcgen ensemble"),
        (damage_version, "format version 2.* reads up to 1"),
        (damage_attribute, "attribute seed is missing"),
        (damage_offsets, "offsets are inconsistent"),
        (damage_rows, "mag has 3 rows instead of 12"),
        (damage_column, "flux is missing"),
        (Path.unlink, "no such file"),
    ],
)
def test_bad_file_is_named_with_the_reason(tmp_path, damage, reason):
    path = tmp_path / "e.h5"
    write(path, make([4] * 3))
    damage(path)
    for use in (open_ensemble, summarise, content_digest):
        with pytest.raises(EnsembleError, match=rf"e\.h5: .*{reason}"):
            use(path)


def test_every_truncation_is_recognised(tmp_path):
    path = tmp_path / "e.h5"
    write(path, make([40] * 3))
    whole = path.read_bytes()
    for size in np.linspace(0, len(whole) - 1, 40).astype(int):
        path.write_bytes(whole[:size])
        with pytest.raises(EnsembleError, match=r"e\.h5"):
            open_ensemble(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"star_id": np.array([2, 3])}, "star_id must increase"),
        ({"star_id": np.array([5, 5])}, "star_id must increase"),
        ({"star_id": np.array(["5", "6"])}, "star_id"),
        ({"more": np.zeros(2)}, "has more besides"),
        ({"period": np.array([1, 2])}, "'period' is int64"),
        ({"class": np.array(["a\0b", "c"])}, "NUL"),
        ({"class": np.array(["\ud800", "c"])}, "Unicode"),
        ({"class": np.array([None, "c"], dtype=object)}, "objects"),
        ({"a/b": np.zeros(2)}, "cannot be called"),
        ({"offset": np.zeros(2)}, "cannot be called"),
        ({"period": np.zeros((2, 2))}, "one value a star"),
        ({"period": np.zeros(2, dtype=complex)}, "complex"),
    ],
)
def test_block_that_does_not_fit_leaves_the_file_alone(tmp_path, change, reason):
    good, more = make([2, 2, 2]), make([2, 2], first_id=3)
    bad = LightCurves(**{**vars(more), "columns": {**more.columns, **change}})
    with EnsembleWriter(tmp_path / "e.h5", header=HEADER, n_stars=5) as writer:
        writer.append(good)
        with pytest.raises(InputError, match=reason):
            writer.append(bad)
        writer.append(more)
    with open_ensemble(tmp_path / "e.h5") as ensemble:
        assert_same(ensemble[3:], more)


def test_times_and_bands_must_make_sense(tmp_path):
    good = make([2, 2])
    with EnsembleWriter(tmp_path / "e.h5", header=HEADER, n_stars=2) as writer:
        with pytest.raises(InputError, match="1 observations have a time"):
            writer.append(LightCurves(**{**vars(good), "mjd": np.array([1.0, np.nan, 2, 3])}))
        with pytest.raises(InputError, match="unknown band"):
            writer.append(LightCurves(**{**vars(good), "band_names": ("V", "Q")}))
        writer.append(good)
        with pytest.raises(InputError, match="too many"):
            writer.append(make([1], first_id=9))


@pytest.mark.parametrize(
    "options",
    [
        {"n_stars": -1},
        {"n_stars": 2.0},
        {"compression": "zip"},
        {"compression_level": 0},
        {"commit_rows": 0},
        {"star_chunk": 0},
    ],
)
def test_bad_options(tmp_path, options):
    with pytest.raises(InputError):
        EnsembleWriter(tmp_path / "e.h5", **{"header": HEADER, "n_stars": 1, **options})
    assert not list(tmp_path.iterdir())


def test_bad_headers():
    with pytest.raises(InputError, match="seed"):
        EnsembleHeader(generator="g", seed=-1, cadence="c")
    with pytest.raises(InputError, match="provenance"):
        EnsembleHeader(generator="g", seed=1, cadence="c", provenance={"x": np.zeros(2)})


def test_date_follows_source_date_epoch(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert EnsembleHeader(generator="g", seed=1, cadence="c").created == "1970-01-02T00:00:00Z"


def test_missing_folder(tmp_path):
    with pytest.raises(EnsembleError, match="does not exist"):
        EnsembleWriter(tmp_path / "no" / "e.h5", header=HEADER, n_stars=1)


def test_unknown_column(tmp_path):
    write(tmp_path / "e.h5", make([2]))
    with open_ensemble(tmp_path / "e.h5") as ensemble, pytest.raises(InputError, match="no column 'teff'"):
        ensemble.columns(["teff"])


def test_no_stars_at_all(tmp_path):
    write(tmp_path / "e.h5", make([]))
    with open_ensemble(tmp_path / "e.h5") as ensemble:
        assert len(ensemble) == 0
        assert len(ensemble[:]) == 0
        assert list(ensemble.iter_blocks()) == []
    assert "none" in summarise(tmp_path / "e.h5").to_text()
