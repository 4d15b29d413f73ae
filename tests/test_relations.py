"""Physical parameters in the report card, and rivals by name."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from lcgen.catalog import read_fourier_table, read_ogle_cepf
from lcgen.errors import InputError, UnknownNameError
from lcgen.evaluate import physics
from lcgen.evaluate.features import FeatureTable
from lcgen.evaluate.pairing import REAL
from lcgen.evaluate.physics import physics_report
from lcgen.evaluate.relations import Relation, measure_relation
from lcgen.evaluate.response import responses
from lcgen.evaluate.sources import ModelSource, find_pelsvae, make_sources
from lcgen.evaluate.tables import gaia_bulge_teff, series_features, star_samples
from lcgen.population.relations import gravity, teff_from_color


@pytest.fixture(scope="module")
def table(data_dir):
    """What the samples need of the table of the population: the same temperatures, made in no time."""
    cepheids = read_ogle_cepf(data_dir / "catalogs" / "ogle3_lmc_cepF.dat")
    rr = read_fourier_table(data_dir / "catalogs" / "rrab_smc_i_fourier.dat")
    teff = [
        teff_from_color(s["V"] - s["I"] - 0.100, gravity(s["period"]))
        if "V" in s
        else teff_from_color(s["V_I"] - 0.047, gravity(s["period"]))
        for s in (cepheids, rr)
    ]
    n = [cepheids["id"].size, rr["id"].size]
    return {
        "star_id": np.concatenate([cepheids["id"], rr["id"]]),
        "class": np.repeat(["CEP", "RRLYR"], n),
        "subclass": np.repeat(["F", "RRab"], n),
        "teff": np.concatenate(teff),
    }


@pytest.fixture(scope="module")
def samples(data_dir, table):
    return {s.survey: s for s in star_samples(data_dir, table)}


@pytest.fixture(scope="module")
def gaia(data_dir):
    return gaia_bulge_teff(data_dir)


class _Toy:
    """A generator whose amplitude follows the temperature and whose phi31 follows the metallicity."""

    name, bands, classes = "toy", ("V", "I"), ("CEP", "RRLYR")
    subclasses = {"CEP": ("F", "1O"), "RRLYR": ("RRab",)}  # noqa: RUF012

    def __init__(self, parameters, influences):
        self._influences = dict.fromkeys(self.classes, ("period", *influences))
        own = ("period", *parameters)
        self.population = SimpleNamespace(
            parameters_of=lambda cls, subclass=None: own,
            subclasses=lambda cls: dict.fromkeys(self.subclasses[cls], 0.5),
        )

    def influences(self, cls):
        return self._influences[cls]

    def split_of(self, ids):
        return np.full(len(ids), "")

    def draw(self, cls, n, *, params=None, subclass="", seed, extrapolate=False):
        random = np.random.default_rng(seed)
        known = {k: np.broadcast_to(np.asarray(v, dtype=float), n) for k, v in (params or {}).items()}
        columns = {
            "period": known.get("period", 10.0 ** random.normal(-0.25, 0.1, n)),
            "teff": known.get("teff", random.normal(6500.0, 300.0, n)),
            "fe_h": known.get("fe_h", random.normal(-1.5, 0.5, n)),
            "subclass": np.broadcast_to(np.asarray(subclass), n),
            **{p: np.full(n, np.nan) for p in ("abs_mag", "logg", "radius")},
        }
        size = 0.7 + 3e-4 * (columns["teff"] - 6500.0) + 0.005 * random.normal(size=n)
        turn = 2.0 + 0.5 * (columns["fe_h"] + 1.5) + 0.02 * random.normal(size=n)

        def template(n_phase, band):
            x = 2 * np.pi * np.arange(n_phase) / n_phase
            return size[:, None] * (np.cos(x) + 0.15 * np.cos(3 * x + turn[:, None]))

        return SimpleNamespace(columns=columns, template=template)


# ------------------------------------------------------------------------------------------------------ real relations
def test_real_relations_are_the_published_ones(samples):
    """Spearman coefficients at fixed period that were measured in these catalogues before."""
    expected = {
        ("spectroscopic stars", "fe_h", "phi31"): 0.66,
        ("OGLE-III LMC", "V-I", "log_amplitude"): -0.33,
        ("OGLE-III LMC", "V-I", "R31"): -0.25,
    }
    found = {}
    for name, sample in samples.items():
        values = np.column_stack([sample.features.values, *(sample.columns[k] for k in sample.columns)])
        real = FeatureTable(names=(*sample.features.names, *sample.columns), values=values)
        for r in sample.relations:
            result = measure_relation(r, name, {REAL: real}, sample.columns["period"], real=REAL)
            found[name, r.x, r.y] = result.real
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=0.02)
    assert found["OGLE-III LMC", "teff", "log_amplitude"] == pytest.approx(0.33, abs=0.02)


def test_terms_of_the_tables_are_those_of_the_curves(samples, data_dir):
    stars = read_fourier_table(data_dir / "catalogs" / "rrab_smc_i_fourier.dat")
    sample = samples["OGLE SMC"]
    row = {s: i for i, s in enumerate(stars["id"].tolist())}
    rows = np.array([row[s] for s in sample.star_id[:200].tolist()])
    x = 2 * np.pi * np.arange(256) / 256
    curves = sum(
        stars[f"A{k}"][rows, None] * np.sin(k * x + stars[f"phi{k}"][rows, None]) for k in (1, 2, 3)
    )  # a sine series
    made = series_features("RRLYR", np.asarray(curves))
    for name in ("R21", "R31"):
        np.testing.assert_allclose(made.column(name), sample.features.column(name)[:200], atol=0.02)
    for name in ("phi21", "phi31"):
        difference = made.column(name) - sample.features.column(name)[:200]
        np.testing.assert_allclose(np.angle(np.exp(1j * difference)), 0.0, atol=0.01)


def test_draws_of_a_star_are_not_counted_as_stars():
    random = np.random.default_rng(1)
    x, period = random.normal(size=150), np.exp(random.normal(size=150))
    y = x + random.normal(size=150)
    relation = Relation(cls="CEP", subclass="F", band="I", x="x", y="y", at_period=True)
    one = FeatureTable(names=("x", "y"), values=np.column_stack([x, y]))
    many = FeatureTable(names=("x", "y"), values=np.repeat(one.values, 5, axis=0))
    result = measure_relation(relation, "", {REAL: one, "many": many}, period, real=REAL)
    value, error = result.generated["many"]
    assert value == pytest.approx(result.real, abs=1e-3)
    assert error == pytest.approx(result.real_error, rel=1e-2)
    assert result.n == 150


# ------------------------------------------------------------------------------------------------- a generator's report
@pytest.fixture
def report(data_dir, table, samples, gaia, monkeypatch):
    # read once
    monkeypatch.setattr(physics, "training_table", lambda folder: (table, ""))
    monkeypatch.setattr(physics, "star_samples", lambda folder, table: tuple(samples.values()))
    monkeypatch.setattr(physics, "gaia_bulge_teff", lambda folder: gaia)

    def run(*toys):
        names = ("model", "rival")
        return physics_report([ModelSource(generator=t, name=n) for t, n in zip(toys, names, strict=False)], data_dir)

    return run


def test_a_generator_that_answers_to_parameters_is_seen_to(report):
    result = report(_Toy(("teff", "fe_h"), ("teff", "fe_h")), _Toy(("teff",), ("teff",)))
    rows = {(r.result.relation.x, r.result.relation.y): r for r in result.relations}
    amplitude, metal = rows["teff", "log_amplitude"], rows["fe_h", "phi31"]
    assert amplitude.result.generated["model"][0] > 0.9 and amplitude.influences and amplitude.unseen
    assert metal.result.generated["model"][0] > 0.9
    assert abs(rows["teff", "phi31"].result.generated["model"][0]) < 0.1
    # the other one has no metallicity
    assert "rival" in amplitude.result.generated and "rival" not in metal.result.generated
    assert rows["V-I", "log_amplitude"].result.generated["model"][0] < -0.9
    moved = {(r.cls, r.parameter): r for r in result.responses}
    # one standard deviation either way
    assert moved["CEP", "teff"].moved > 5 * moved["CEP", "teff"].error > 0.0
    assert not any(r.invented for r in result.responses)


def test_an_invented_relation_is_called_so(report):
    result = report(_Toy(("teff", "fe_h"), ("fe_h",)))
    assert {r.parameter for r in result.responses if r.invented} == {"teff"}
    assert not next(r for r in result.relations if r.result.relation.x == "teff").influences


def test_a_generator_without_parameters_has_no_rows(report):
    result = report(_Toy((), ()))
    assert result.relations == ()
    assert report(object()) is None


def test_gaia_temperatures_of_the_bulge_do_not_enter(report, gaia):
    ids, teff = gaia
    assert ids.size > 1000 and not ((teff > 6000) & (teff < 7600)).any()
    rows = {r.label: r for r in report(_Toy(("teff",), ("teff",))).bulge}
    assert rows["Gaia DR2, bulge"].n == ids.size
    assert rows["the same stars in the table of the population"].n == 0
    assert rows["all of that table"].in_gap > 0.9 and rows["drawn by model"].in_gap > 0.9


def test_without_data_only_what_needs_none_is_measured(tmp_path):
    model = ModelSource(generator=_Toy(("teff",), ("teff",)))
    for folder in (None, tmp_path):
        report = physics_report([model], folder)
        assert report is not None and report.responses and not report.relations and not report.medians


def test_the_shipped_model_moves_with_what_the_data_support_and_with_nothing_else(shipped_generator):
    found = responses(shipped_generator, n=100)
    assert {r.cls for r in found} == set(shipped_generator.classes)
    for r in found:
        assert r.supported == (r.parameter in shipped_generator.influences(r.cls))
        assert not r.invented
        if r.supported and r.cls == "CEP":
            assert r.moved > 3 * r.error > 0.0


# ------------------------------------------------------------------------------------------------------ rivals by name
def _run(folder, *files):
    folder.mkdir(parents=True)
    for name in ("config.yaml", "VAE_model_None.pt", *files):
        (folder / name).write_text("")
    return folder


def test_the_released_run_is_found(tmp_path, monkeypatch):
    monkeypatch.delenv("LCGEN_PELSVAE", raising=False)
    (tmp_path / "data").mkdir()
    with pytest.raises(InputError, match="LCGEN_PELSVAE"):
        find_pelsvae(tmp_path / "data")
    with pytest.raises(InputError, match="LCGEN_PELSVAE"):
        find_pelsvae(None)
    bare = _run(tmp_path / "reference" / "pelsvae" / "zz")
    assert find_pelsvae(tmp_path / "data") == bare.resolve()
    full = _run(tmp_path / "reference" / "pelsvae" / "aa", "latent_space_mu.txt.gz")
    assert find_pelsvae(tmp_path / "data") == full.resolve()
    monkeypatch.setenv("LCGEN_PELSVAE", str(bare))
    assert find_pelsvae(tmp_path / "data") == bare
    assert find_pelsvae(None) == bare
    # what the variable names counts alone, lest another run be taken for it
    monkeypatch.setenv("LCGEN_PELSVAE", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="nowhere"):
        find_pelsvae(tmp_path / "data")


def test_rivals_may_be_named(shipped_generator, tmp_path):
    model = shutil.copytree(shipped_generator.source, tmp_path / "mine")
    names = [s.name for s in make_sources(shipped_generator, [shipped_generator.name, str(model), "sine"], None)]
    assert names == ["model", shipped_generator.name, str(model), "sine"]
    with pytest.raises(UnknownNameError, match=rf"pels-vae.*{shipped_generator.name}"):
        make_sources(shipped_generator, ["pelsvae"], None)
    with pytest.raises(InputError, match="called 'sine'"):
        make_sources(shipped_generator, ["sine", "sine"], None)


def test_the_published_network_is_a_rival_by_name(shipped_generator, data_dir):
    try:
        find_pelsvae(data_dir)
    except InputError:
        pytest.skip("needs a released PELS-VAE run: set LCGEN_PELSVAE to its folder")
    source = make_sources(shipped_generator, ["pels-vae"], None, data=data_dir)[1]
    assert isinstance(source, ModelSource) and source.name == "pels-vae"
    assert source.generator.kind == "published"
    assert source.generator.draw("CEP", 3, seed=1).template(64, "I").shape == (3, 64)
