"""The population of the real stars."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lcgen.errors import DataError
from lcgen.population import Population, training_table
from lcgen.population.relations import gaia_g, teff_from_color
from lcgen.rng import uniforms

Table = dict[str, np.ndarray[Any, Any]]


@pytest.fixture(scope="module")
def table(data_dir: Path) -> Table:
    columns, text = training_table(data_dir)
    assert "Kovacs & Walker 2001" in text and "rms" in text
    return columns


@pytest.fixture(scope="module")
def population(table: Table) -> Population:
    """Fitted to every fourth star of the large classes."""
    large = np.isin(table["class"], ["RRLYR", "ECL", "ELL", "LPV"])
    rows = np.flatnonzero(~large | (np.arange(large.size) % 4 == 0))
    return Population.fit({k: v[rows] for k, v in table.items() if not k.endswith("_source")}, max_components=5)


def drawn(population: Population, cls: str, subclass: str, n: int = 3000, **known: float) -> dict[str, Any]:
    u = uniforms(0, "test", np.arange(n), population.n_uniforms)
    values = {k: np.full(n, v) for k, v in known.items()}
    return population.draw(np.full(n, cls), values, np.full(n, subclass), u)


def test_every_value_has_a_source(table: Table) -> None:
    for name in ("period", "teff", "abs_mag", "fe_h"):
        assert np.array_equal(np.isfinite(table[name]), table[f"{name}_source"] != "")
    assert set(table["class"]) == {"ACEP", "CEP", "DSCT", "ECL", "ELL", "LPV", "RRLYR", "T2CEP"}
    assert np.all(table["period"] > 0)


@pytest.mark.parametrize(
    ("cls", "subclass", "low", "high"),
    [("RRLYR", "RRab", 6000, 7000), ("RRLYR", "RRc", 6800, 7400), ("CEP", "F", 5300, 6100)],
)
def test_temperatures_are_physical(table: Table, cls: str, subclass: str, low: float, high: float) -> None:
    own = (table["class"] == cls) & (table["subclass"] == subclass)
    assert low < np.nanmedian(table["teff"][own]) < high


@pytest.mark.parametrize(
    ("cls", "subclass"), [("RRLYR", "RRab"), ("RRLYR", "RRc"), ("CEP", "F"), ("CEP", "1O"), ("ECL", "EW")]
)
def test_periods_are_distributed_as_the_real_ones(
    table: Table, population: Population, cls: str, subclass: str
) -> None:
    from scipy.stats import ks_2samp

    own = (table["class"] == cls) & (table["subclass"] == subclass)
    distance = ks_2samp(drawn(population, cls, subclass)["period"], table["period"][own]).statistic
    assert distance < 0.06


def test_cepheids_have_their_period_luminosity_relation(population: Population) -> None:
    stars = drawn(population, "CEP", "F", 6000)
    log_p = np.log10(stars["period"])
    slope, zero = np.polyfit(log_p, stars["abs_mag"], 1)
    assert -3.05 < slope < -2.6
    residual = stars["abs_mag"] - slope * log_p - zero
    assert residual.std() < 0.3
    # at a given period the hotter stars are the brighter ones, and longer periods are cooler
    assert np.corrcoef(residual, stars["teff"])[0, 1] < -0.5
    assert np.corrcoef(log_p, stars["teff"])[0, 1] < -0.3


def test_overtone_cepheids_are_hotter_and_brighter_at_a_period(population: Population) -> None:
    first, fundamental = (drawn(population, "CEP", mode, period=3.0) for mode in ("1O", "F"))
    assert 100 < np.median(first["teff"]) - np.median(fundamental["teff"]) < 600
    assert 0.4 < np.median(fundamental["abs_mag"]) - np.median(first["abs_mag"]) < 1.0


def test_the_subclass_follows_the_period(population: Population) -> None:
    n = 2000
    u = uniforms(1, "test", np.arange(n), population.n_uniforms)
    classes = np.full(n, "RRLYR")
    short = population.draw(classes, {"period": np.full(n, 0.3)}, None, u)["subclass"]
    long = population.draw(classes, {"period": np.full(n, 0.6)}, None, u)["subclass"]
    assert np.mean(short == "RRc") > 0.85
    assert np.mean(long == "RRab") > 0.95


def test_fractions_are_those_of_one_survey(population: Population) -> None:
    assert population.subclasses("RRLYR")["RRab"] == pytest.approx(3589 / 7001, abs=0.02)
    assert population.subclasses("CEP")["F"] == pytest.approx(1817 / 3325, abs=0.02)


def test_what_is_not_known_is_absent(population: Population) -> None:
    for cls in ("DSCT", "ECL", "ELL", "LPV"):
        assert population.parameters_of(cls) == ("period",)
    assert population.parameters_of("RRLYR", "RRd") == ("period",)
    assert np.all(np.isnan(drawn(population, "LPV", "Mira", 10)["abs_mag"]))


def test_metal_poor_rr_lyrae_have_longer_periods(population: Population) -> None:
    poor, rich = (drawn(population, "RRLYR", "RRab", fe_h=f) for f in (-2.2, -1.2))
    assert np.median(poor["period"]) > 1.05 * np.median(rich["period"])
    assert np.median(poor["abs_mag"]) < np.median(rich["abs_mag"])


def test_colour_relation_agrees_with_the_empirical_dwarf_sequence() -> None:
    # V-Ic and Teff of F1V, F5V, F8V, G2V and G8V in Pecaut & Mamajek 2013, ApJS 208, 9, and its updates
    v_i = np.array([0.385, 0.506, 0.599, 0.713, 0.786])
    teff = np.array([7020.0, 6550.0, 6180.0, 5770.0, 5480.0])
    ratio = teff_from_color(v_i, 4.3) / teff
    assert np.all(np.abs(ratio[:3] - 1.0) < 0.02)
    assert np.all(np.abs(ratio - 1.0) < 0.04)
    assert np.isnan(teff_from_color([0.1, 1.2], 4.0)).all()


def test_g_from_v_and_i_agrees_with_gaia(data_dir: Path) -> None:
    import csv
    import gzip

    path = data_dir / "catalogs" / "ogle3_gaiadr2_physical_parameters.csv.gz"
    with gzip.open(path, "rt") as file:
        stars = [r for r in csv.DictReader(file) if "-LMC-CEP-" in r["ogle_id"] and r["V_I"]]
    i, v_i, g = (np.array([float(r[k]) for r in stars]) for k in ("I", "V_I", "phot_g_mean_mag"))
    difference = g - gaia_g(i, v_i)
    assert abs(np.median(difference)) < 0.05


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="css_south_v"):
        training_table(tmp_path)
