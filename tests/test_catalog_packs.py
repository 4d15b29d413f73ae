"""HDF5 packs: reading the real ones, writing, and refusing what is no pack."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lcgen.catalog import read_pack, write_pack
from lcgen.errors import DataFormatError, InputError, LcgenError, UnknownNameError
from lcgen.lightcurve import LightCurves

STORED = {"survey": "test", "band": "V", "citation": "nobody", "time_standard": "MJD"}


def make(
    ids: list[str], classes: list[str], subclasses: list[str], counts: list[int], **columns: np.ndarray
) -> LightCurves:
    n_obs = sum(counts)
    return LightCurves(
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        mjd=50_000.0 + np.arange(n_obs) * 0.73,
        mag=(15.0 + 0.01 * np.arange(n_obs)).astype(np.float32),
        mag_err=np.full(n_obs, 0.01, dtype=np.float32),
        band_index=np.zeros(n_obs, dtype=np.uint8),
        band_names=("V",),
        columns={
            "id": np.array(ids, dtype=np.str_),
            "class": np.array(classes, dtype=np.str_),
            "subclass": np.array(subclasses, dtype=np.str_),
            **columns,
        },
    )


@pytest.fixture
def small(tmp_path: Path) -> Path:
    curves = make(
        ["a", "b", "c"],
        ["RRLYR", "CEP", ""],
        ["RRab", "F", ""],
        [5, 0, 7],
        period=np.array([0.5, 3.0, np.nan]),
    )
    path = tmp_path / "small.h5"
    write_pack(curves, path, **STORED)
    return path


# ---------------------------------------------------------------- the real packs


@pytest.mark.data
def test_css_counts_and_dropped_rows(data_dir: Path) -> None:
    curves = read_pack(data_dir / "lightcurves" / "css_south_v.h5")
    assert len(curves) == 30_041
    assert curves.band_names == ("V",)
    # three rows have mjd = -2409998.5
    assert curves.meta["dropped_rows"] == 3
    assert curves.meta["dropped"] == {"time": 3}
    assert curves.mjd.size == 6_718_882 - 3
    assert curves.mjd.min() > 50_000
    assert (curves.columns["class"] == "").sum() == 231
    assert set(curves.columns["subclass_survey"][curves.columns["class"] == ""]) == {"MISC"}
    contact = curves.columns["subclass_survey"] == "EW/EB"
    assert set(curves.columns["subclass"][contact]) == {"EW"}
    assert contact.sum() == 15_015
    assert set(curves.columns["survey"]) == {curves.meta["survey"]}
    assert np.all(np.isfinite(curves.columns["ra"])) and np.all(np.abs(curves.columns["dec"]) < 90)


@pytest.mark.data
@pytest.mark.parametrize(("band", "dropped"), [("u", 11), ("g", 2), ("r", 0), ("i", 4), ("z", 5)])
def test_stripe82_placeholders_are_dropped(data_dir: Path, band: str, dropped: int) -> None:
    curves = read_pack(data_dir / "lightcurves" / f"s82_rrlyr_{band}.h5")
    assert curves.meta["dropped_rows"] == dropped
    assert curves.mag.max() < 40 and curves.mag_err.max() < 9
    assert len(curves) == 250


@pytest.mark.data
def test_selection_agrees_with_the_whole(data_dir: Path) -> None:
    path = data_dir / "lightcurves" / "ogle4_lmc_cep_v.h5"
    whole, some = read_pack(path), read_pack(path, classes="CEP", with_period=True)
    keep = np.isfinite(whole.columns["period"])
    assert 0 < len(some) == keep.sum() < len(whole)
    expected = whole.take(np.flatnonzero(keep))
    np.testing.assert_array_equal(some.mjd, expected.mjd)
    np.testing.assert_array_equal(some.mag, expected.mag)
    np.testing.assert_array_equal(some.columns["id"], expected.columns["id"])
    assert len(read_pack(path, classes=["ECL"])) == 0


@pytest.mark.data
def test_other_packs_read(data_dir: Path) -> None:
    folder = data_dir / "lightcurves"
    for path in [*sorted(folder.glob("s82*.h5")), folder / "asas_i_rrlyr.h5", folder / "ogle3_lmc_cep_v.h5"]:
        curves = read_pack(path)
        assert curves.meta["band"] == curves.band_names[0]
        assert np.all(curves.mag_err > 0) and np.all(np.isfinite(curves.mag)) and np.all(np.isfinite(curves.mjd))
        assert curves.meta["unknown_classes"] == {}


@pytest.mark.data
def test_a_real_pack_survives_rewriting(data_dir: Path, tmp_path: Path) -> None:
    curves = read_pack(data_dir / "lightcurves" / "ogle3_lmc_cep_v.h5")
    write_pack(curves, tmp_path / "again.h5", **STORED)
    again = read_pack(tmp_path / "again.h5")
    for name in ("offsets", "mjd", "mag", "mag_err"):
        np.testing.assert_array_equal(getattr(again, name), getattr(curves, name))
    for name in ("id", "class", "subclass", "subclass_survey", "period"):
        np.testing.assert_array_equal(again.columns[name], curves.columns[name])


# ---------------------------------------------------------------- round trip

_words = st.text(st.characters(min_codepoint=33, max_codepoint=0x24F, blacklist_categories=("Cc",)), max_size=8)
_subclass = {"RRLYR": ["", "RRab", "RRc"], "ECL": ["", "EA", "EW"], "": [""]}


@st.composite
def packs(draw: st.DrawFn) -> LightCurves:
    ids = draw(st.lists(_words.filter(bool), max_size=5, unique=True))
    classes = [draw(st.sampled_from(sorted(_subclass))) for _ in ids]
    number = st.floats(-1e6, 1e6)
    return make(
        ids,
        classes,
        [draw(st.sampled_from(_subclass[c])) for c in classes],
        [draw(st.integers(0, 4)) for _ in ids],
        period=np.array([draw(st.one_of(st.just(np.nan), st.floats(1e-3, 1e5))) for _ in ids], dtype=float),
        teff=np.array([draw(st.one_of(st.just(np.nan), number)) for _ in ids], dtype=float),
        ra=np.array([draw(number) for _ in ids], dtype=float),
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(curves=packs())
def test_round_trip(curves: LightCurves, tmp_path: Path) -> None:
    path = tmp_path / "pack.h5"
    write_pack(curves, path, **STORED)
    again = read_pack(path)
    for name in ("offsets", "mjd", "mag", "mag_err"):
        np.testing.assert_array_equal(getattr(again, name), getattr(curves, name))
    for name, column in curves.columns.items():
        np.testing.assert_array_equal(again.columns[name], column)
    assert again.meta["survey"] == "test" and again.meta["cite"] == "nobody" and again.meta["time"] == "MJD"
    assert again.meta["dropped_rows"] == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pack.h5"]


def test_an_edited_subclass_wins_over_the_survey_spelling(tmp_path: Path) -> None:
    survey = np.array(["EW/EB", "EW/EB", "MISC"])
    curves = make(["1", "2", "3"], ["ECL", "ECL", ""], ["EW", "EB", ""], [1, 1, 1], subclass_survey=survey)
    write_pack(curves, tmp_path / "p.h5", **STORED)
    again = read_pack(tmp_path / "p.h5")
    assert again.columns["subclass"].tolist() == ["EW", "EB", ""]
    assert again.columns["subclass_survey"].tolist() == ["EW/EB", "EB", "MISC"]


# ---------------------------------------------------------------- what cannot be written


@pytest.mark.parametrize("bad", [{"mag": np.nan}, {"mag": 99.99}, {"mag_err": 0.0}, {"mjd": -2409998.5}])
def test_rows_that_reading_would_drop_are_refused(tmp_path: Path, bad: dict[str, float]) -> None:
    curves = make(["a"], ["CEP"], ["F"], [3])
    for name, value in bad.items():
        getattr(curves, name)[1] = value
    with pytest.raises(InputError, match="1 observations cannot be stored"):
        write_pack(curves, tmp_path / "p.h5", **STORED)
    assert list(tmp_path.iterdir()) == []


def test_refusals_of_the_writer(tmp_path: Path, small: Path) -> None:
    curves = make(["a", "b"], ["CEP", "CEP"], ["F", "F"], [3, 3])
    with pytest.raises(InputError, match="one band: received V"):
        write_pack(curves, tmp_path / "p.h5", **{**STORED, "band": "I"})
    with pytest.raises(UnknownNameError, match="band"):
        write_pack(curves, tmp_path / "p.h5", **{**STORED, "band": "Q"})
    with pytest.raises(InputError, match="1 are repeated"):
        write_pack(make(["a", "a"], ["CEP"] * 2, ["F"] * 2, [1, 1]), tmp_path / "p.h5", **STORED)
    with pytest.raises(InputError, match="no folder"):
        write_pack(curves, tmp_path / "nowhere" / "p.h5", **STORED)
    before = small.read_bytes()
    with pytest.raises(InputError, match="'a/b'"):
        write_pack(make(["a"], ["CEP"], ["F"], [1], **{"a/b": np.zeros(1)}), small, **STORED)
    assert small.read_bytes() == before


# ---------------------------------------------------------------- what is no pack


def broken(path: Path, change) -> Path:
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def _replace(name: str, data) -> object:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = data

    return change


def _delete(name: str) -> object:
    def change(file: h5py.File) -> None:
        del file[name]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_delete("observations/mag"), "no dataset observations/mag"),
        (_delete("objects"), "no group 'objects'"),
        (_delete("objects/class"), "no dataset objects/class"),
        (_replace("objects/offset", np.array([0, 5, 5, 13])), "ends at 13, there are 12"),
        (_replace("objects/offset", np.array([0, 7, 5, 12])), "must not decrease"),
        (_replace("objects/offset", np.array([1, 5, 5, 12])), "must start at 0"),
        (_replace("objects/offset", np.array([0.0, 5, 5, 12])), "integers are expected"),
        (_replace("objects/offset", np.zeros((2, 2), dtype=int)), "one dimension"),
        (
            _replace("objects/period", np.array(["a", "b", "c"], dtype="S1")),
            "floating-point numbers are expected",
        ),
        (_replace("objects/period", np.zeros(2)), "2 rows for 3 stars"),
        (_replace("objects/id", np.arange(3)), "strings are expected"),
        (_replace("objects/id", np.array([b"a", b"\xff", b"c"])), "not UTF-8"),
        (_replace("observations/mjd", np.zeros(11)), "has 12 rows, mjd has 11"),
        (_replace("observations/mag", np.arange(12)), "floating-point numbers are expected"),
        (lambda file: file.attrs.modify("band", "Q"), "attribute band is 'Q'"),
        (lambda file: file.attrs.pop("band"), "attribute band is ''"),
        (lambda file: file["objects"].create_dataset("Teff", data=np.zeros(4)), "4 rows for 3 stars"),
    ],
)
def test_contradictions_are_found(small: Path, change, message: str) -> None:
    with pytest.raises(DataFormatError, match=message):
        read_pack(broken(small, change))


def test_files_that_are_no_pack(tmp_path: Path, small: Path) -> None:
    text = tmp_path / "text.h5"
    text.write_text("not HDF5")
    for path in (text, tmp_path / "absent.h5", tmp_path):
        with pytest.raises(DataFormatError):
            read_pack(path)
    whole = small.read_bytes()
    for size in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.h5").write_bytes(whole[:size])
        with pytest.raises(DataFormatError):
            read_pack(tmp_path / "cut.h5")


def test_damaged_bytes_never_give_another_error(small: Path, tmp_path: Path) -> None:
    whole = bytearray(small.read_bytes())
    rng = np.random.default_rng(5)
    refused = 0
    for trial in range(60):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), 8):
            damaged[at] = int(rng.integers(256))
        path = tmp_path / f"damaged{trial}.h5"
        path.write_bytes(damaged)
        try:
            curves = read_pack(path)
        except LcgenError:
            refused += 1
        else:
            assert len(curves) == curves.offsets.size - 1
    assert refused > 0


def test_odd_values_are_dropped_and_counted(small: Path) -> None:
    def change(file: h5py.File) -> None:
        mag, err, mjd = (file[f"observations/{n}"] for n in ("mag", "mag_err", "mjd"))
        mag[0], mag[1], err[2], err[3], mjd[4] = np.nan, 99.99, 0.0, 99.999, -2409998.5
        file["objects/class"][1] = b"BLAP"
        file["objects/period"][0] = -1.0
        file["objects/T_eff"] = np.array([6000.0, np.nan, 5000.0])

    curves = read_pack(broken(small, change))
    assert curves.meta["dropped"] == {"not finite": 1, "magnitude": 1, "error": 2, "time": 1}
    assert curves.meta["dropped_rows"] == 5
    assert np.diff(curves.offsets).tolist() == [0, 0, 7]
    assert curves.meta["unknown_classes"] == {"BLAP": 1}
    assert curves.columns["class"].tolist() == ["RRLYR", "", ""]
    assert curves.meta["bad_periods"] == 1 and np.isnan(curves.columns["period"][0])
    np.testing.assert_array_equal(curves.columns["teff"], [6000.0, np.nan, 5000.0])


def test_classes_are_checked(small: Path) -> None:
    with pytest.raises(UnknownNameError, match="RRLYR"):
        read_pack(small, classes=["RRLYRAE"])
    assert read_pack(small, classes=[""]).columns["id"].tolist() == ["c"]
    assert read_pack(small, with_period=True).columns["id"].tolist() == ["a", "b"]
    shutil.copy(small, small.with_name("copy.h5"))
    assert read_pack(str(small.with_name("copy.h5"))).mjd.size == 12
