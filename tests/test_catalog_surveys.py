"""Photometry and tables of OGLE and the Catalina surveys, and packing a folder of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from lcgen.catalog import (
    CSS_TYPES,
    normalise_ogle_id,
    ogle_class,
    pack_directory,
    read_css,
    read_css_catalog,
    read_ogle_cepf,
    read_ogle_collection,
    read_ogle_ident,
    read_ogle_photometry,
    read_pack,
)
from lcgen.errors import DataFormatError, InputError, LcgenError, UnknownNameError
from lcgen.taxonomy import CLASSES, canonical_subclass

pytestmark = pytest.mark.filterwarnings("error")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# ---------------------------------------------------------------- the raw samples against the packs


@pytest.mark.data
@pytest.mark.parametrize(("phase", "band"), [("O3", "I"), ("O3", "V"), ("O4", "I"), ("O4", "V")])
def test_raw_ogle_equals_the_pack(data_dir: Path, phase: str, band: str) -> None:
    pack = read_pack(data_dir / "lightcurves" / f"ogle{phase[1]}_lmc_cep_{band.lower()}.h5")
    ident = data_dir / "catalogs" / "ogle4_lmc_cep_ident.dat"
    # the packs of both phases have the periods of OGLE-III
    table = data_dir / "catalogs" / "ogle3_lmc_cepF.dat"
    raw = read_ogle_collection(
        data_dir / "raw_samples" / "ogle" / phase / band,
        band=band,
        ident=ident,
        tables=[table],
        progress=False,
    )
    assert len(raw) == 40 and raw.band_names == (band,)
    place = {star: i for i, star in enumerate(pack.columns["id"])}
    for star in raw:
        packed = pack[place[star.star["id"]]]
        np.testing.assert_allclose(star.mjd, packed.mjd, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(star.mag, packed.mag)
        np.testing.assert_array_equal(star.mag_err, packed.mag_err)
        for name in ("class", "subclass", "subclass_survey"):
            assert star.star[name] == packed.star[name]
        if star.star["subclass"] == "F":
            assert star.star["period"] == packed.star["period"]


@pytest.mark.data
def test_raw_css_equals_the_pack(data_dir: Path) -> None:
    raw = read_css(data_dir / "raw_samples" / "css", progress=False)
    pack = read_pack(data_dir / "lightcurves" / "css_south_v.h5")
    assert len(raw) == 104 and raw.meta["not_in_catalog"] == 0 and raw.meta["without_photometry"] == 0
    place = {star: i for i, star in enumerate(pack.columns["id"])}
    for star in raw:
        packed = pack[place[star.star["id"]]]
        np.testing.assert_allclose(star.mjd, packed.mjd, rtol=0, atol=1e-6)
        np.testing.assert_allclose(np.sort(star.mag), np.sort(packed.mag), rtol=0, atol=1e-5)
        for name in ("class", "subclass", "subclass_survey", "period", "ra", "dec"):
            assert star.star[name] == packed.star[name]


@pytest.mark.data
def test_all_types_of_the_css_catalogue(data_dir: Path) -> None:
    table = read_css_catalog(data_dir / "raw_samples" / "css" / "SSS_Per_Tab.dat")
    names, counts = np.unique(np.char.add(np.char.add(table["class"], "|"), table["subclass"]), return_counts=True)
    assert set(counts) == {8}  # eight stars of each of the thirteen types
    assert set(names) == {f"{c}|{s}" for c, s in CSS_TYPES.values()}
    # earlier names keep their blanks
    assert table["name"][table["id"] == "3037001022068"] == "1SWASP J000139.04-362125.6"


def test_css_types_are_known_classes() -> None:
    assert {cls for cls, _ in CSS_TYPES.values()} == {"", *CLASSES}
    assert [canonical_subclass(*CSS_TYPES[t]) for t in (1, 4, 5, 6, 7)] == ["RRab", "RRab", "EW", "EA", ""]


@pytest.mark.data
def test_cepf_tables(data_dir: Path) -> None:
    table = read_ogle_cepf(data_dir / "catalogs" / "ogle3_lmc_cepF.dat")
    assert table.n_rows == 1849
    row = int(np.flatnonzero(table["id"] == "OGLE-LMC-CEP-0005")[0])
    assert table["period"][row] == 5.6120581 and table["A_I"][row] == 0.521 and table["phi31"][row] == 3.391
    assert table["t0"][row] == pytest.approx(2171.78078 + 49999.5, abs=1e-9)
    # dashes are unknown, and do not become zero
    saturated = table["id"] == "OGLE-LMC-CEP-0063"
    assert np.isnan(table["I"][saturated]) and np.isnan(table["t0"][saturated]) and table["V"][saturated] == 13.630
    pack = read_pack(data_dir / "lightcurves" / "ogle3_lmc_cep_i.h5")
    period = dict(zip(table["id"], table["period"], strict=True))
    fundamental = np.flatnonzero((pack.columns["subclass"] == "F") & np.isin(pack.columns["id"], table["id"]))
    assert fundamental.size > 1500
    np.testing.assert_array_equal(
        pack.columns["period"][fundamental], [period[star] for star in pack.columns["id"][fundamental]]
    )


@pytest.mark.data
def test_t0_is_the_maximum_of_light(data_dir: Path) -> None:
    curves = read_ogle_collection(
        data_dir / "raw_samples" / "ogle" / "O3" / "I",
        band="I",
        tables=[data_dir / "catalogs" / "ogle3_lmc_cepF.dat"],
        progress=False,
    )
    checked = 0
    for star in curves:
        if np.isfinite(star.star["period"]) and np.isfinite(star.star["t0"]):
            phase = star.phase()
            near = (phase < 0.04) | (phase > 0.96)
            # brightest at phase zero: a wrong time scale would put any phase there
            assert np.median(star.mag[near]) < np.quantile(star.mag, 0.25)
            checked += 1
    assert checked >= 15


@pytest.mark.data
def test_ident(data_dir: Path) -> None:
    table = read_ogle_ident(data_dir / "catalogs" / "ogle4_lmc_cep_ident.dat")
    assert table.n_rows == 3339
    assert table["mode"][:3].tolist() == ["1O", "F", "1O"]
    assert table["ra"][0] == pytest.approx(15 * (4 + 30 / 60 + 57.72 / 3600))
    assert table["dec"][0] == pytest.approx(-(69 + 3 / 60 + 37.4 / 3600))
    assert np.all((table["dec"] < -60) & (table["ra"] > 60) & (table["ra"] < 100))


# ---------------------------------------------------------------- other layouts of the OGLE tables


def test_ident_with_field_and_number(tmp_path: Path) -> None:
    path = write(
        tmp_path / "ident.dat",
        "OGLE-LMC-RRLYR-00001  LMC142.4    20483 RRab  04:27:41.10 -70:43:12.0\n"
        "OGLE-BLG-ECL-000002      NC 17:20:00.00 -29:00:00.0  BLG1.1.1\n"
        "OGLE-BLG-DSCT-00003             17:20:00.00 +00:30:00.0  -\n",
    )
    table = read_ogle_ident(path)
    assert table["mode"].tolist() == ["RRab", "NC", ""]
    assert table["dec"].tolist() == [pytest.approx(-70.72), -29.0, 0.5]


def test_tables_with_several_modes_and_of_binaries(tmp_path: Path) -> None:
    one = "OGLE-LMC-CEP-0001 17.0 18.0 0.30 0.0001 2450000.5 0.2 0.1 4.0 0.1 2.0"
    two = read_ogle_cepf(write(tmp_path / "cep1O2O.dat", one + " 0.24 0.0001 2450001.0 0.1 0.1 4.0 0.1 2.0\n"))
    assert two["period"].tolist() == [0.30] and two["t0"].tolist() == [50000.0]
    ecl = read_ogle_cepf(write(tmp_path / "ecl.dat", "OGLE-LMC-ECL-00001 17.0 - 1.5 2457000.5 0.4 0.1\n"))
    assert ecl["period"].tolist() == [1.5] and ecl["t0"].tolist() == [57000.0] and np.isnan(ecl["V"][0])


@pytest.mark.parametrize(
    ("star", "cls"),
    [
        ("OGLE-LMC-CEP-0001", "CEP"), ("OGLE-BLG-RRLYR-00001", "RRLYR"), ("OGLE-SMC-T2CEP-01", "T2CEP"),
        ("OGLE-LMC-ACEP-053", "ACEP"), ("OGLE-GD-ECL-00001", "ECL"), ("OGLE-BLG-ELL-000001", "ELL"),
        ("OGLE-BLG-LPV-180307", "LPV"), ("OGLE-GD-DSCT-0001", "DSCT"), ("OGLE-LMC-BLAP-01", ""),
        ("3025001", ""),
    ],
)  # fmt: skip
def test_class_from_the_identifier(star: str, cls: str) -> None:
    assert ogle_class(star) == cls


def test_short_identifiers() -> None:
    assert normalise_ogle_id("smc0001") == "OGLE-SMC-RRLYR-0001"
    assert normalise_ogle_id("203815-0253.5") == "203815-0253.5"


# ---------------------------------------------------------------- times and rows


def test_both_time_conventions(tmp_path: Path) -> None:
    short = read_ogle_photometry(write(tmp_path / "a.dat", "2184.81184 17.9 0.02\n2100.5 18.0 0.03\n"))
    full = read_ogle_photometry(write(tmp_path / "b.dat", "2452184.81184 17.9 0.02\n2452100.5 18.0 0.03\n"))
    np.testing.assert_allclose(short.mjd, [52100.0, 52184.31184], rtol=0, atol=1e-8)
    np.testing.assert_allclose(short.mjd, full.mjd, rtol=0, atol=1e-8)
    assert short.mag.tolist() == [18.0, 17.9]  # sorted by time
    with pytest.raises(DataFormatError, match="neither HJD"):
        read_ogle_photometry(write(tmp_path / "c.dat", "52184.3 17.9 0.02\n"))


def test_placeholders_are_dropped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dat", "2184.8 17.9 0.02\n2185.8 99.999 9.999\n2186.8 nan 0.1\n2187.8 18.0 -0.1\n")
    curve = read_ogle_photometry(path)
    assert len(curve) == 1 and curve.dropped == {"magnitude": 1, "not finite": 1, "error": 1}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2185.8 17.9", "2 columns where 3"),
        ("2185.8 17.9 0.02 1", "4 columns where 3"),
        ("2185.8 17.9 O.02", "'O.02' is not a number"),
        ("2185.8,17.9,0.02", "1 columns"),
        ("\x00\x00", "columns where 3"),
    ],
)
def test_malformed_photometry(tmp_path: Path, line: str, reason: str) -> None:
    path = write(tmp_path / "a.dat", f"# comment\n2184.8 17.9 0.02\n\n{line}\n2186.8 17.9 0.02\n")
    with pytest.raises(DataFormatError, match=reason) as caught:
        read_ogle_photometry(path)
    assert caught.value.line == 4 and caught.value.path == str(path)
    curve = read_ogle_photometry(path, strict=False)
    assert len(curve) == 2
    assert [(s.line, s.path) for s in curve.skipped] == [(4, str(path))] and reason in curve.skipped[0].reason


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"# only a comment\n", b"\xff\xfe\x00\x01", b"a b c\n", b"\x1f\x8bxx"]
)
def test_files_without_any_photometry(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.dat").write_bytes(content)
    for strict in (True, False):
        with pytest.raises(DataFormatError):
            read_ogle_photometry(tmp_path / "a.dat", strict=strict)


@pytest.mark.parametrize(
    ("reader", "good", "bad"),
    [
        (read_ogle_ident, "OGLE-LMC-CEP-0001 1O 04:30:57.72 -69:03:37.4", "OGLE-LMC-CEP-0002 1O 04:30:57.72"),
        (
            read_ogle_ident,
            "OGLE-LMC-CEP-0001 1O 04:30:57.72 -69:03:37.4",
            "Cepheid 1O 04:30:57.72 -69:03:37.4",
        ),
        (
            read_ogle_ident,
            "OGLE-LMC-CEP-0001 1O 04:30:57.72 -69:03:37.4",
            "OGLE-LMC-CEP-0002 F 34:00:00 -69:03:37.4",
        ),
        (read_ogle_cepf, "OGLE-LMC-CEP-0001 1 2 3 4 5 6 7 8 9 10", "OGLE-LMC-CEP-0002 1 2 3"),
        (read_ogle_cepf, "OGLE-LMC-CEP-0001 1 2 3 4 5 6 7 8 9 10", "OGLE-LMC-CEP-0002 1 2 x 4 5 6 7 8 9 10"),
        (
            read_css_catalog,
            "3039001008411 0.1 -39.6 0.514 14.7 230 0.26 5",
            "3039001008412 0.1 -39.6 0.514 14.7 230",
        ),
        (
            read_css_catalog,
            "3039001008411 0.1 -39.6 0.514 14.7 230 0.26 5",
            "3039001008412 0 0 0.5 14.7 230 0.26 14",
        ),
        (
            read_css_catalog,
            "3039001008411 0.1 -39.6 0.514 14.7 230 0.26 5",
            "SSS_J00 0 0 0.5 14.7 230 0.26 1",
        ),
    ],
)
def test_malformed_tables(tmp_path: Path, reader, good: str, bad: str) -> None:
    path = write(tmp_path / "table.dat", f"{good}\n{bad}\n")
    with pytest.raises(DataFormatError) as caught:
        reader(path)
    assert caught.value.line == 2
    table = reader(path, strict=False)
    assert table.n_rows == 1 and [s.line for s in table.meta["skipped_lines"]] == [2]
    assert reader(write(path, f"{good}\n{good}\n")).meta["duplicates"] == 1
    with pytest.raises(DataFormatError, match="none of its lines"):
        reader(write(path, f"{bad}\n"), strict=False)


# ---------------------------------------------------------------- folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A little collection in the layout of OGLE's."""
    root = tmp_path / "cep"
    photometry = "2184.8 17.9 0.02\n2185.8 17.8 0.02\n2186.8 17.7 0.02\n"
    for i in (1, 2, 3):
        write(root / "phot" / "I" / f"OGLE-LMC-CEP-000{i}.dat", photometry)
    write(
        root / "ident.dat",
        "OGLE-LMC-CEP-0001 F 04:30:57.72 -69:03:37.4\nOGLE-LMC-CEP-0002 1O 04:31:57.72 -69:03:37.4\n",
    )
    write(root / "cepF.dat", "OGLE-LMC-CEP-0001 15 16 3.1 0.1 2171.2 0.2 0.3 4.7 0.1 2.9\n")
    write(root / "cep1O.dat", "OGLE-LMC-CEP-0002 15 16 1.7 0.1 2171.2 0.2 0.3 4.7 - -\n")
    return root


def test_collection_by_its_own_names(folder: Path) -> None:
    curves = read_ogle_collection(folder, band="I", progress=False)
    assert curves.columns["id"].tolist() == [f"OGLE-LMC-CEP-000{i}" for i in (1, 2, 3)]
    assert curves.columns["subclass"].tolist() == ["F", "1O", ""]
    np.testing.assert_array_equal(curves.columns["period"], [3.1, 1.7, np.nan])
    assert np.isnan(curves.columns["ra"]).tolist() == [False, False, True]
    assert curves.columns["survey"].tolist() == ["OGLE"] * 3


def test_packing_strict_and_not(folder: Path, tmp_path: Path) -> None:
    photometry = folder / "phot" / "I"
    write(photometry / "OGLE-LMC-CEP-0002.dat", "2184.8 17.9 0.02\nrubbish\n2186.8 99.99 0.02\n")
    write(photometry / "OGLE-LMC-CEP-0003.dat", "")
    write(photometry / "notes.dat", "hello")
    output = tmp_path / "pack.h5"
    with pytest.raises(DataFormatError) as caught:
        pack_directory(folder, output, band="I", progress=False)
    assert caught.value.line == 2 and not output.exists()
    summary = pack_directory(folder, output, band="I", strict=False, progress=False)
    assert (summary.stars, summary.observations, summary.with_period) == (2, 4, 2)
    assert [Path(s.path).name for s in summary.skipped_files] == ["notes.dat", "OGLE-LMC-CEP-0003.dat"]
    assert [(Path(s.path).name, s.line) for s in summary.skipped_lines] == [("OGLE-LMC-CEP-0002.dat", 2)]
    assert summary.dropped_rows == 1
    assert len(read_pack(output)) == 2


@pytest.mark.data
def test_packing_the_raw_sample(data_dir: Path, tmp_path: Path) -> None:
    catalogs = data_dir / "catalogs"
    summary = pack_directory(
        data_dir / "raw_samples" / "ogle" / "O3" / "I",
        tmp_path / "o3i.h5",
        ident=catalogs / "ogle4_lmc_cep_ident.dat",
        tables=[catalogs / "ogle3_lmc_cepF.dat"],
        parameters=catalogs / "ogle3_gaiadr2_physical_parameters.csv.gz",
        progress=False,
    )
    assert summary.stars == 40 and summary.skipped_files == () and summary.skipped_lines == ()
    packed = read_pack(tmp_path / "o3i.h5")
    raw = read_ogle_collection(
        data_dir / "raw_samples" / "ogle" / "O3" / "I",
        band="I",
        ident=catalogs / "ogle4_lmc_cep_ident.dat",
        tables=[catalogs / "ogle3_lmc_cepF.dat"],
        progress=False,
    )
    assert packed.mjd.size == raw.mjd.size == summary.observations
    np.testing.assert_array_equal(packed.mag, raw.mag)
    for name in ("id", "class", "subclass", "subclass_survey", "ra", "dec", "t0"):
        np.testing.assert_array_equal(packed.columns[name], raw.columns[name])
    assert np.isfinite(packed.columns["abs_mag"]).sum() == summary.with_parameters == 2
    known = np.isfinite(raw.columns["period"])
    np.testing.assert_array_equal(packed.columns["period"][known], raw.columns["period"][known])


@pytest.mark.data
def test_packing_css(data_dir: Path, tmp_path: Path) -> None:
    for name in ("SSS_Per_Tab.dat", "3021009013686.dat", "3023001007314.dat"):
        shutil.copyfile(data_dir / "raw_samples" / "css" / name, tmp_path / name)
    shutil.copyfile(tmp_path / "3021009013686.dat", tmp_path / "3999999999999.dat")
    summary = pack_directory(tmp_path, tmp_path / "css.h5", kind="css", progress=False)
    packed = read_pack(tmp_path / "css.h5")
    assert summary.stars == len(packed) == 3 and summary.with_period == 2
    assert packed.columns["class"].tolist() == ["RRLYR", "RRLYR", ""]
    assert packed.columns["subclass_survey"].tolist() == ["RRd", "RRc", ""]


def test_wrong_arguments(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "p.h5"
    with pytest.raises(UnknownNameError, match="'ogle'"):
        pack_directory(folder, output, kind="ogel", band="I")
    with pytest.raises(InputError, match="band must be given"):
        pack_directory(folder, output)
    with pytest.raises(UnknownNameError, match="band"):
        pack_directory(folder, output, band="Q")
    with pytest.raises(InputError, match="no file nothing"):
        pack_directory(folder, output, band="I", ident="nothing.dat")
    with pytest.raises(InputError, match="no folder"):
        pack_directory(folder / "absent", output, band="I")
    with pytest.raises(InputError, match="no folder"):
        pack_directory(folder, tmp_path / "absent" / "p.h5", band="I")
    with pytest.raises(InputError, match="band V"):
        pack_directory(folder, output, kind="css", band="I")
    with pytest.raises(InputError, match="no catalogue"):
        read_css(folder)
    with pytest.raises(DataFormatError, match="has no photometry"):
        read_ogle_collection(folder, band="V")
    assert not output.exists()


def test_random_corruption_of_text_gives_only_known_errors(folder: Path) -> None:
    rng = np.random.default_rng(11)
    targets = [
        (folder / "phot" / "I" / "OGLE-LMC-CEP-0001.dat", read_ogle_photometry),
        (folder / "ident.dat", read_ogle_ident),
        (folder / "cepF.dat", read_ogle_cepf),
    ]
    for path, reader in targets:
        whole = path.read_bytes()
        for _ in range(40):
            damaged = bytearray(whole)
            for at in rng.integers(0, len(whole), 3):
                damaged[at] = int(rng.integers(256))
            path.write_bytes(damaged[: int(rng.integers(1, len(whole) + 1))])
            for strict in (True, False):
                try:
                    reader(path, strict=strict)
                except LcgenError as error:
                    assert str(path) in str(error)
