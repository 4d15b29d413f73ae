"""Tables of physical parameters and Fourier terms, and joining them to light curves."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from lcgen.catalog import (
    StarTable,
    canonical_column,
    join_parameters,
    read_fourier_table,
    read_pack,
    read_physical_parameters,
)
from lcgen.catalog.columns import ALIASES
from lcgen.errors import DataFormatError, InputError, UnitError, UnknownNameError
from lcgen.lightcurve import LightCurves
from lcgen.taxonomy import PARAMETERS


@pytest.fixture(scope="module")
def parameters(data_dir: Path) -> StarTable:
    return read_physical_parameters(data_dir / "catalogs" / "ogle3_gaiadr2_physical_parameters.csv.gz")


# ---------------------------------------------------------------- names of columns


def test_no_alias_means_two_things() -> None:
    spelled = [alias for aliases in ALIASES.values() for alias in aliases]
    assert len(spelled) == len(set(spelled))
    assert set(PARAMETERS) <= set(ALIASES)
    for name in ALIASES:
        assert canonical_column(name) == name


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("P", "period"), ("per", "period"), (" Period ", "period"), ("Teff", "teff"), ("T_eff", "teff"),
        ("abs_Gmag", "abs_mag"), ("abs_mag_g", "abs_mag"), ("[Fe/H]", "fe_h"), ("log g", "logg"),
        ("RA", "ra"),
        ("Decl", "dec"), ("V-I", "V_I"), ("OGLE-ID", "id"),
        ("subType", "subclass"), ("I", None), ("", None),
    ],
)  # fmt: skip
def test_aliases(name: str, canonical: str | None) -> None:
    assert canonical_column(name) == canonical


# ---------------------------------------------------------------- physical parameters


@pytest.mark.data
def test_physical_parameters(parameters: StarTable) -> None:
    assert parameters.n_rows == 13_568
    assert parameters.meta["duplicates"] == 0 and parameters.meta["skipped_lines"] == ()
    assert np.unique(parameters["id"]).size == 13_568
    assert 0.30 < np.isnan(parameters["teff"]).mean() < 0.34
    first = parameters["id"] == "OGLE-BLG-RRLYR-08338"
    assert parameters["gaia_dr2_source_id"][first] == "4056222983366195968"  # all nineteen digits
    assert parameters["abs_mag"][first] == pytest.approx(4.378463631125356)
    assert parameters["abs_mag_source"][first] == "parallax"


@pytest.mark.data
@pytest.mark.parametrize(
    ("prefix", "low", "high"),
    [("OGLE-LMC-CEP", -2.8, -2.3), ("OGLE-SMC-CEP", -2.3, -1.7), ("OGLE-LMC-RRLYR", 0.4, 0.9)],
)
def test_magellanic_stars_have_sensible_magnitudes(parameters: StarTable, prefix: str, low: float, high: float) -> None:
    there = np.char.startswith(parameters["id"], prefix)
    assert low < np.nanmedian(parameters["abs_mag"][there]) < high
    assert set(parameters["abs_mag_source"][there]) == {"distance modulus"}


@pytest.mark.data
def test_cepheids_obey_a_period_luminosity_relation(parameters: StarTable) -> None:
    use = (np.char.startswith(parameters["id"], "OGLE-LMC-CEP")) & (parameters["subclass"] == "F")
    slope = np.polyfit(np.log10(parameters["period"][use]), parameters["abs_mag"][use], 1)[0]
    assert -3.5 < slope < -2.0


HEADER = "ogle_id,class,subclass,period,abs_mag_g,phot_g_mean_mag"


def test_rows_of_the_parameter_table(tmp_path: Path) -> None:
    path = tmp_path / "table.csv.gz"
    rows = [
        "OGLE-LMC-CEP-0001,CEP,F,3.0,2.0,16.0",
        "OGLE-LMC-CEP-0001,CEP,F,4.0,2.0,16.0",
        "OGLE-BLG-ECL-000001,ECL,EC,,,17.0",
    ]
    path.write_bytes(gzip.compress("\n".join([HEADER, *rows, ""]).encode()))
    table = read_physical_parameters(path)
    assert table.meta["duplicates"] == 1
    assert table["period"].tolist()[0] == 3.0 and np.isnan(table["period"][1])
    assert table["abs_mag"][0] == pytest.approx(16.0 - 18.477) and np.isnan(table["abs_mag"][1])
    assert table["abs_mag_source"].tolist() == ["distance modulus", ""]
    assert table["subclass"].tolist() == ["F", "EW"] and table["subclass_survey"].tolist() == ["F", "EC"]


@pytest.mark.parametrize("bad", ["OGLE-LMC-CEP-0002,CEP,F", "OGLE-LMC-CEP-0002,CEP,F,x,2,16", HEADER, '"a,b'])
def test_malformed_rows_of_the_parameter_table(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"{HEADER}\nOGLE-LMC-CEP-0001,CEP,F,3.0,2.0,16.0\n{bad}\n")
    with pytest.raises(DataFormatError) as caught:
        read_physical_parameters(path)
    assert caught.value.line == 3
    table = read_physical_parameters(path, strict=False)
    assert table.n_rows == 1 and [s.line for s in table.meta["skipped_lines"]] == [3]


@pytest.mark.parametrize("content", ["", "a,b,c\n1,2,3\n", f"{HEADER}\n", f"{HEADER},per\n"])
def test_no_parameter_table(tmp_path: Path, content: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(content)
    with pytest.raises(DataFormatError):
        read_physical_parameters(path)


# ---------------------------------------------------------------- Fourier tables


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "rows", "prefixes"),
    [
        ("rrab_bulge_v_fourier", 6759, {"OGLE-BLG-RRLYR"}),
        ("rrab_smc_i_fourier", 5193, {"OGLE-SMC-RRLYR"}),
        ("rrc_lmc_smc_i_fourier", 10734, {"OGLE-LMC-RRLYR", "OGLE-SMC-RRLYR"}),
    ],
)
def test_fourier_tables(data_dir: Path, name: str, rows: int, prefixes: set[str]) -> None:
    table = read_fourier_table(data_dir / "catalogs" / f"{name}.dat")
    assert table.n_rows == rows
    assert {star.rsplit("-", 1)[0] for star in table["id"]} == prefixes
    assert np.all((table["period"] > 0.1) & (table["period"] < 1.5))
    for column in ("amplitude", "A1", "phi31", "mean_mag"):
        assert np.all(np.isfinite(table[column]))


@pytest.mark.data
def test_bulge_table_meets_the_parameter_table(data_dir: Path, parameters: StarTable) -> None:
    table = read_fourier_table(data_dir / "catalogs" / "rrab_bulge_v_fourier.dat")
    common = np.isin(parameters["id"], table["id"])
    assert common.sum() == 2089
    assert np.isfinite(parameters["teff"][common]).sum() == 707
    period = dict(zip(table["id"], table["period"], strict=True))
    here = np.array([period[star] for star in parameters["id"][common]])
    assert np.mean(np.abs(here - parameters["period"][common]) < 1e-3) > 0.98


@pytest.mark.data
def test_spectroscopic_tables(data_dir: Path) -> None:
    asas = read_pack(data_dir / "lightcurves" / "asas_i_rrlyr.h5")
    table = read_fourier_table(data_dir / "catalogs" / "rrlyr_spectroscopic_feh_chr.dat")
    assert table.n_rows == 522
    assert "OGLE-BLG-RRLYR-52670" in table["id"]
    assert np.all((table["fe_h"] > -3.5) & (table["fe_h"] < 0.5))
    assert table["gaia_dr2_source_id"][0] == "4224859720193721856"
    merged = table.one_row_per_star()
    assert merged.n_rows == np.unique(table["id"]).size and merged.meta["merged_rows"] == 522 - merged.n_rows
    row = table["id"] == merged["id"][0]
    assert merged["fe_h"][0] == np.median(table["fe_h"][row])
    joined = join_parameters(asas, merged)
    assert np.isfinite(joined.columns["fe_h"]).sum() > 50
    period = joined.columns["period"][np.isfinite(joined.columns["period"])]
    assert period.size > 50 and np.all((period > 0.2) & (period < 1.2))
    literature = read_fourier_table(data_dir / "catalogs" / "rrlyr_spectroscopic_feh_literature.dat")
    assert literature.n_rows == 178 and "OGLE-SMC-RRLYR-0912" in literature["id"]


def test_malformed_fourier_table(tmp_path: Path) -> None:
    path = tmp_path / "table.dat"
    path.write_text('# id period feh\n b00001 0.5 ""\n b00002 0.5\n b00003 x -1\n')
    with pytest.raises(DataFormatError, match="2 columns where the header has 3") as caught:
        read_fourier_table(path)
    assert caught.value.line == 3
    table = read_fourier_table(path, strict=False)
    assert table["id"].tolist() == ["OGLE-BLG-RRLYR-00001"] and np.isnan(table["fe_h"][0])
    assert [s.line for s in table.meta["skipped_lines"]] == [3, 4]
    for content in ("b00001 0.5\n", "# period feh\n0.5 -1\n", "# id period P\nb1 1 1\n", "# id period\n"):
        path.write_text(content)
        with pytest.raises(DataFormatError):
            read_fourier_table(path)


# ---------------------------------------------------------------- joining


def stars(**columns: object) -> LightCurves:
    n = len(next(iter(columns.values())))  # type: ignore[arg-type]
    return LightCurves(
        offsets=np.arange(n + 1, dtype=np.int64),
        mjd=np.full(n, 55_000.0),
        mag=np.full(n, 15.0),
        mag_err=np.full(n, 0.1),
        band_index=np.zeros(n, dtype=np.uint8),
        band_names=("V",),
        columns={name: np.asarray(column) for name, column in columns.items()},
    )


def test_join_fills_but_never_overwrites() -> None:
    curves = stars(id=["a", "b", "c"], period=[1.0, np.nan, np.nan])
    joined = join_parameters(curves, {"ID": ["b", "a", "z"], "P": [2.0, 9.0, 8.0], "Teff": [6000.0, np.nan, 1.0]})
    np.testing.assert_array_equal(joined.columns["period"], [1.0, 2.0, np.nan])
    np.testing.assert_array_equal(joined.columns["teff"], [np.nan, 6000.0, np.nan])
    assert joined.meta["joined"] == 2
    assert "teff" not in curves.columns and np.isnan(curves.columns["period"][1])


def test_join_of_chosen_columns_and_numeric_names() -> None:
    curves = stars(id=["11", "12"])
    table = {"id": np.array([12, 13]), "V-I": [0.5, 0.6], "note": ["x", "y"], "teff": [1.0, 2.0]}
    joined = join_parameters(curves, table, columns=["V_I", "note"])
    np.testing.assert_array_equal(joined.columns["V_I"], [np.nan, 0.5])
    assert joined.columns["note"].tolist() == ["", "x"] and "teff" not in joined.columns


def test_join_of_other_kinds_of_table() -> None:
    from astropy import units as u
    from astropy.table import MaskedColumn, QTable, Table

    curves = stars(id=["a", "b"])
    hours = QTable({"id": ["b"], "period": [12.0] * u.hour})
    np.testing.assert_array_equal(join_parameters(curves, hours).columns["period"], [np.nan, 0.5])
    with pytest.raises(UnitError, match="period"):
        join_parameters(curves, QTable({"id": ["b"], "period": [12.0] * u.m}))
    masked = Table({"id": ["a", "b"], "teff": MaskedColumn([6000, 5000], mask=[True, False])})
    np.testing.assert_array_equal(join_parameters(curves, masked).columns["teff"], [np.nan, 5000.0])
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"star_id": ["a"], "Fe/H": [-1.5]})
    np.testing.assert_array_equal(join_parameters(curves, frame).columns["fe_h"], [-1.5, np.nan])


def test_join_refusals() -> None:
    curves = stars(id=["a", "b"])
    with pytest.raises(InputError, match="more than one row"):
        join_parameters(curves, {"id": ["a", "a"], "teff": [1.0, 2.0]})
    with pytest.raises(InputError, match="both mean 'period'"):
        join_parameters(curves, {"id": ["a"], "P": [1.0], "period": [1.0]})
    with pytest.raises(InputError, match="rows for"):
        join_parameters(curves, {"id": ["a"], "teff": [1.0, 2.0]})
    with pytest.raises(InputError, match="one dimension"):
        join_parameters(curves, {"id": ["a"], "teff": [[1.0, 2.0]]})
    with pytest.raises(UnknownNameError, match="name its stars"):
        join_parameters(curves, {"teff": [1.0]})
    with pytest.raises(UnknownNameError, match="nope"):
        join_parameters(curves, {"id": ["a"]}, columns=["nope"])


@pytest.mark.data
def test_join_to_real_cepheids(data_dir: Path, parameters: StarTable) -> None:
    curves = read_pack(data_dir / "lightcurves" / "ogle3_lmc_cep_i.h5")
    joined = join_parameters(curves, parameters)
    assert len(joined) == len(curves) and joined.meta["joined"] == 1206
    assert -2.8 < np.nanmedian(joined.columns["abs_mag"]) < -2.3
    known = np.isfinite(curves.columns["period"])
    np.testing.assert_array_equal(joined.columns["period"][known], curves.columns["period"][known])
    assert joined.mjd is curves.mjd


def test_star_table() -> None:
    table = StarTable(columns={"id": np.array(["b", "a", "b", ""]), "fe_h": np.array([-1.0, np.nan, -2.0, 5.0])})
    merged = table.one_row_per_star()
    assert merged["id"].tolist() == ["a", "b"]
    np.testing.assert_array_equal(merged["fe_h"], [np.nan, -1.5])
    assert len(table) == 2 and list(table) == ["id", "fe_h"] and "period" not in table
    assert table.to_table().colnames == ["id", "fe_h"]
    with pytest.raises(UnknownNameError, match="did you mean 'fe_h'"):
        table["feh"]
    with pytest.raises(InputError, match="different length"):
        StarTable(columns={"a": np.zeros(1), "b": np.zeros(2)})
