"""Figures: what is measured on curves, relations and cycles, and the files that come out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import linregress

from lcgen import LightCurveGenerator, LightCurves
from lcgen.cli import main
from lcgen.errors import InputError, MissingExtraError
from lcgen.figures import (
    KINDS,
    PUBLISHED,
    FigureSet,
    Kind,
    band_changes,
    draw_kinds,
    fit_relation,
    gridded_shapes,
    log_z,
    make_figures,
    observed_shapes,
    period_luminosity,
    pulsation_cycle,
)
from lcgen.figures.amplitudes import observed_changes
from lcgen.figures.cycle import pulsation_q
from lcgen.figures.luminosity import absolute_magnitudes, ogle_relations
from lcgen.figures.passband import amplitude_rows, passband_rows
from lcgen.figures.samples import real_pairs, unseen_rr_lyrae
from lcgen.observe.atmosphere import absolute_magnitude
from lcgen.observe.band_curves import BandStars
from lcgen.stars import Stars

_PHASE = np.arange(256) / 256
_RR = (Kind(cls="RRLYR", subclass="RRab"), Kind(cls="RRLYR", subclass="RRc"))


@pytest.fixture(scope="module")
def samples(shipped_generator: LightCurveGenerator) -> dict[str, Stars]:
    """RR Lyrae stars and Cepheids of the bundled model."""
    kinds = [k for k in KINDS if k.subclass]
    return draw_kinds(shipped_generator, 400, seed=3, kinds=kinds)


# ---------------------------------------------------------------------------------------------- shapes
@given(
    r21=st.floats(0.05, 0.9),
    phi21=st.floats(0.0, 6.2),
    phi31=st.floats(0.0, 6.2),
    shift=st.floats(0.0, 1.0),
    size=st.floats(0.01, 2.0),
)
@settings(max_examples=40, deadline=None)
def test_fourier_parameters_of_a_known_series(r21: float, phi21: float, phi31: float, shift: float, size: float):
    # cos(k x + phi_k) with phi_1 = 0, so that phi_k1 = phi_k wherever phase zero is
    x = 2 * np.pi * (_PHASE + shift)
    curve = size * (np.cos(x) + r21 * np.cos(2 * x + phi21) + 0.3 * np.cos(3 * x + phi31))
    found = gridded_shapes(curve[None], [0.5])
    assert found.r21[0] == pytest.approx(r21, abs=1e-6)
    for value, wanted in ((found.phi21[0], phi21), (found.phi31[0], phi31)):
        assert abs(np.angle(np.exp(1j * (value - wanted)))) < 1e-6
    assert found.amplitude[0] == pytest.approx(np.ptp(curve))


def test_observed_shapes_find_what_went_in():
    random = np.random.default_rng(5)
    n, period = 300, 0.61
    mjd = np.sort(random.uniform(50000, 50800, n))
    x = 2 * np.pi * mjd / period
    clean = 15 + 0.4 * np.cos(x + 0.3) + 0.18 * np.cos(2 * x + 0.6 + 4.0) + 0.1 * np.cos(3 * x + 0.9 + 2.0)
    columns = {"id": np.array(["good", "noisy"]), "period": np.array([period, period])}
    curves = LightCurves(
        mjd=np.tile(mjd, 2),
        mag=np.concatenate([clean + random.normal(0, 0.01, n), clean + random.normal(0, 2.0, n)]),
        mag_err=np.concatenate([np.full(n, 0.01), np.full(n, 2.0)]),
        band_index=np.zeros(2 * n, dtype=np.uint8),
        band_names=("V",),
        offsets=np.array([0, n, 2 * n]),
        columns=columns,
    )
    found = observed_shapes(curves)
    assert len(found) == 1  # the noisy one tells nothing
    assert found.r21[0] == pytest.approx(0.45, abs=0.01)
    assert found.phi21[0] == pytest.approx(4.0, abs=0.03)
    assert found.phi31[0] == pytest.approx(2.0, abs=0.06)


def test_shapes_refuse_what_does_not_fit():
    with pytest.raises(InputError, match="one period a curve"):
        gridded_shapes(np.zeros((3, 64)), [0.5])


def test_generated_rr_lyrae_go_from_sawtooth_to_sinusoid(samples: dict[str, Stars]):
    tables = {k: gridded_shapes(samples[k].template(256, "V"), samples[k].columns["period"]) for k in samples}
    ab, c = tables["RRLYR RRab"], tables["RRLYR RRc"]
    assert np.median(ab.r21) > 2 * np.median(c.r21)
    assert np.median(ab.rise) < 0.3 < np.median(c.rise)
    assert np.corrcoef(np.log(ab.period), ab.amplitude)[0, 1] < -0.4  # of longer periods, smaller


def test_unseen_real_stars_have_the_generated_shapes(
    samples: dict[str, Stars], shipped_generator: LightCurveGenerator, data_dir: Path
):
    real = observed_shapes(unseen_rr_lyrae(shipped_generator, data_dir)["RRab V"])
    made = gridded_shapes(samples["RRLYR RRab"].template(256, "V"), samples["RRLYR RRab"].columns["period"])
    for low, high in ((0.48, 0.56), (0.56, 0.64)):
        rows = [(t.period > low) & (t.period < high) for t in (made, real)]
        assert min(r.sum() for r in rows) > 40
        for name, allowed in (("r21", 0.06), ("phi21", 0.15), ("phi31", 0.3), ("amplitude", 0.12)):
            medians = [np.median(t.column(name)[r]) for t, r in zip((made, real), rows, strict=True)]
            assert abs(medians[0] - medians[1]) < allowed, name


# ---------------------------------------------------------------------------------------------- relations
def test_relation_agrees_with_another_implementation():
    random = np.random.default_rng(2)
    x = random.uniform(0, 1.5, 200)
    y = -2.9 * x - 1.3 + random.normal(0, 0.15, 200)
    fit = fit_relation(x, y, pivot=0.7, clip=10.0)
    other: Any = linregress(x - 0.7, y)
    assert (fit.slope, fit.zero) == pytest.approx((other.slope, other.intercept))
    assert (fit.slope_error, fit.zero_error) == pytest.approx((other.stderr, other.intercept_stderr))


def test_relation_finds_the_metals_and_drops_outliers():
    random = np.random.default_rng(4)
    x, z = random.uniform(-0.5, 0.0, 500), random.normal(-3.2, 0.4, 500)
    y = 0.9 - 1.2 * x + 0.22 * z + random.normal(0, 0.05, 500)
    y[:10] += 5.0
    y[10] = np.nan
    fit = fit_relation(x, y, log_metals=z)
    assert fit.n == pytest.approx(489, abs=5)
    assert fit.slope == pytest.approx(-1.2, abs=4 * fit.slope_error)
    assert fit.metals == pytest.approx(0.22, abs=4 * fit.metals_error)
    assert fit.scatter == pytest.approx(0.05, rel=0.15)


@pytest.mark.parametrize("x", [np.zeros(50), np.arange(5.0)])
def test_relation_refuses_too_little(x: np.ndarray):
    with pytest.raises(InputError, match="ten stars"):
        fit_relation(x, x)


def test_published_cepheids_are_those_of_the_catalogue(data_dir: Path):
    found = {(r.kind, r.band): r for r in ogle_relations(data_dir)}
    for relation in PUBLISHED:
        if relation.kind != "CEP F":
            continue
        own = found[relation.kind, relation.band]
        assert own.slope == pytest.approx(relation.slope, abs=0.005)
        assert own.zero == pytest.approx(relation.zero, abs=0.005)


def test_metals_of_a_metallicity():
    # Z = 10^([M/H] - 1.765), [M/H] = [Fe/H] + log(0.638 f + 0.362), f = 10^0.3 = 1.9953
    assert 10 ** log_z(-1.5) == pytest.approx(10**-1.5 * (0.638 * 1.99526 + 0.362) * 10**-1.765, rel=1e-5)


def test_generated_relations(samples: dict[str, Stars]):
    rows = period_luminosity(samples, bands=("V", "I", "i", "W_I"))
    by_key = {(r["kind"], r["band"]): r for r in rows}
    cepheids = by_key["CEP F", "I"]
    assert abs(cepheids["slope"] - cepheids["published_slope"]) < 0.15
    assert abs(cepheids["difference"]) < 0.06
    # the scatter falls towards the red, and the overtone is brighter at a period
    assert by_key["CEP F", "V"]["scatter"] > cepheids["scatter"] > by_key["CEP F", "W_I"]["scatter"]
    assert abs(by_key["RRLYR", "I"]["difference"]) < 0.12
    assert np.isnan(by_key["CEP 1O", "I"]["published_slope"])
    both = absolute_magnitudes(samples["CEP F"], "W_I")
    v, i = (absolute_magnitudes(samples["CEP F"], b) for b in "VI")
    assert both == pytest.approx(i - 1.55 * (v - i))


def test_stars_without_absolute_magnitudes_are_left_out(shipped_generator: LightCurveGenerator):
    stars = draw_kinds(shipped_generator, 30, seed=1, kinds=_RR[:1])["RRLYR RRab"]
    stars.columns["mag_zero"] = np.full(30, "relative")
    assert np.isnan(absolute_magnitudes(stars, "V")).all()
    assert period_luminosity({"RRLYR RRab": stars}) == []
    cycle = pulsation_cycle(stars)
    assert np.isnan(cycle.radius).all() and np.isfinite(cycle.teff).all()
    assert np.isnan(cycle.extremes()["smallest"]).all()


# ---------------------------------------------------------------------------------------------- cycle
def test_radius_and_temperature_give_the_magnitude_back(samples: dict[str, Stars]):
    stars = samples["RRLYR RRab"][:40]
    cycle = pulsation_cycle(stars, "sdss_g", "sdss_i")
    known = BandStars.from_columns(stars.columns)
    made = absolute_magnitude("sdss_i", cycle.teff, cycle.radius, known.logg[:, None], known.fe_h[:, None])
    assert made - made.mean(axis=1, keepdims=True) == pytest.approx(stars.template(256, "sdss_i"), abs=1e-3)


def test_temperature_sequence(samples: dict[str, Stars]):
    cycles = {k: pulsation_cycle(samples[k]) for k in ("RRLYR RRab", "RRLYR RRc")}
    ab, c = (cycles[k].extremes() for k in cycles)
    for cycle in cycles.values():  # one scale for the mean and for the phases
        assert np.median(cycle.mean_teff / cycle.teff.mean(axis=1)) == pytest.approx(1.0, abs=0.01)
    assert np.median(samples["RRLYR RRc"].columns["teff"]) > np.median(samples["RRLYR RRab"].columns["teff"]) + 300
    assert np.median(ab["teff_range"]) > np.median(c["teff_range"]) > 300
    assert np.median(ab["radius_ratio"]) > np.median(c["radius_ratio"]) > 1.0
    # hottest near maximum light, after the smallest radius
    assert abs(np.median(ab["hottest"] - ab["brightest"])) < 0.03
    assert np.median(ab["hottest"] - ab["smallest"]) > 0.02
    # periods, luminosities and temperatures fit together within what one mass allows
    for extremes, kind, q in ((ab, "RRLYR RRab", 0.036), (c, "RRLYR RRc", 0.0266)):
        assert np.median(pulsation_q(samples[kind].columns["period"], extremes["mean_radius"], 0.65)) == pytest.approx(
            q, rel=0.15
        )


def test_cycle_needs_a_temperature(samples: dict[str, Stars]):
    stars = samples["RRLYR RRab"][:5]
    stars.columns["teff"] = np.full(5, np.nan)
    with pytest.raises(InputError, match="effective temperature"):
        pulsation_cycle(stars)


# ---------------------------------------------------------------------------------------------- bands
def test_changes_from_band_to_band(samples: dict[str, Stars]):
    stars = samples["RRLYR RRab"]
    found = {c.band: c for c in band_changes("RRab", stars, ["g", "V", "r", "z"])}
    ratio = np.ptp(stars.template(256, "r"), axis=1) / np.ptp(stars.template(256, "V"), axis=1)
    assert found["r"].ratio == pytest.approx(np.median(ratio))
    assert found["V"].ratio == 1.0 and abs(found["V"].lag) < 1e-12
    assert found["g"].lag < 0 < found["r"].lag < found["z"].lag
    assert found["g"].source == "transferred" and found["V"].source == "learned"


def test_generated_rr_lyrae_change_as_those_of_stripe_82(
    samples: dict[str, Stars], shipped_generator: LightCurveGenerator, data_dir: Path
):
    seen = unseen_rr_lyrae(shipped_generator, data_dir)
    for kind in ("RRLYR RRab", "RRLYR RRc"):
        own = {b: seen[f"{kind.split()[1]} {b}"] for b in ("sdss_g", "sdss_i")}
        (real,) = observed_changes(kind, own, reference="sdss_g", source="SDSS")
        (change,) = band_changes(kind, samples[kind], ["sdss_i"], reference="sdss_g")
        assert real.n > 30
        assert change.ratio == pytest.approx(real.ratio, rel=0.04)
        assert change.lag == pytest.approx(real.lag, abs=0.006)


def test_generated_cepheids_change_as_observed_ones(samples: dict[str, Stars], data_dir: Path):
    pairs = real_pairs(data_dir, 60)
    for kind in ("CEP F", "CEP 1O"):
        (real,) = observed_changes(kind, pairs[kind], reference="V", source="OGLE")
        (made,) = band_changes(kind, samples[kind], ["I"])
        assert made.ratio == pytest.approx(real.ratio, abs=0.03)
        assert made.lag == pytest.approx(real.lag, abs=0.006)


# ---------------------------------------------------------------------------------------------- samples and files
def test_kinds_do_not_depend_on_each_other(shipped_generator: LightCurveGenerator):
    one = draw_kinds(shipped_generator, 20, seed=6, kinds=_RR[1:])
    two = draw_kinds(shipped_generator, 20, seed=6, kinds=(*_RR, Kind(cls="CEP", subclass="3O")))
    assert list(two) == ["RRLYR RRab", "RRLYR RRc"]
    assert np.array_equal(one["RRLYR RRc"].columns["period"], two["RRLYR RRc"].columns["period"])


def test_too_few_stars(shipped_generator: LightCurveGenerator):
    with pytest.raises(InputError, match="at least 20 stars"):
        draw_kinds(shipped_generator, 5)


@pytest.fixture(scope="module")
def made(shipped_generator: LightCurveGenerator, tmp_path_factory: pytest.TempPathFactory) -> FigureSet:
    """Figures without survey data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("LCGEN_DATA", raising=False)
        return make_figures(
            shipped_generator, tmp_path_factory.mktemp("out") / "figures", n_per_kind=40, seed=2, progress=False
        )


def test_pictures(made: FigureSet):
    from PIL import Image

    assert {p.name for p in made.pictures} == {
        *("rr-lyrae-curves.png", "rr-lyrae-fourier.png", "rr-lyrae-temperature.png"),
        *("period-luminosity.png", "colour-magnitude.png", "band-changes.png"),
    }
    assert {p.name for p in made.pictures[0].parent.iterdir()} == {p.name for p in (*made.pictures, *made.tables)}
    for path in made.pictures:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("L"))
        assert min(pixels.shape) > 250 and pixels.std() > 5  # something is drawn
        assert path.stat().st_size < 150_000


def test_tables(made: FigureSet):
    from astropy.table import Table

    tables = {p.stem: Table.read(p) for p in made.tables}
    relations = tables["period-luminosity"]
    assert {"slope", "published_slope", "difference", "source"} <= set(relations.colnames)
    assert set(relations["kind"]) == {"CEP F", "CEP 1O", "RRLYR"}
    assert set(tables["colour-magnitude"]["kind"]) == {k.label for k in KINDS}
    checks = {(r["quantity"], r["kind"]): r for r in tables["checks"]}
    radius = checks["log_radius_5d", "CEP F"]
    assert abs(radius["generated"] - radius["published"]) < 3 * radius["published_error"]
    assert abs(checks["M_V", "RRLYR"]["generated"] - 0.66) < 0.12


def test_wrong_folder_of_data(shipped_generator: LightCurveGenerator, tmp_path: Path):
    with pytest.raises(InputError, match="no folder lightcurves"):
        make_figures(shipped_generator, tmp_path / "out", n_per_kind=20, data=tmp_path)


def test_matplotlib_is_asked_for(
    shipped_generator: LightCurveGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("LCGEN_DATA", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match="plot"):
        make_figures(shipped_generator, tmp_path, n_per_kind=20, progress=False)


def test_command(made: FigureSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.delenv("LCGEN_DATA", raising=False)
    folder = tmp_path / "figures"
    words = ["figures", "--output", str(folder), "--per-class", "40", "--seed", "2", "--quiet"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "Soszynski et al. 2008" in out and str(folder / "period-luminosity.png") in out
    for path in (*made.tables, *made.pictures):  # same seed, same files
        assert (folder / path.name).read_bytes() == path.read_bytes()


def test_command_with_too_few_stars(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["figures", "--output", str(tmp_path), "--per-class", "3", "--quiet"]) == 2
    assert "at least 20 stars" in capsys.readouterr().err


def test_catalina_is_not_quite_v(samples: dict[str, Stars], data_dir: Path):
    rows = {r["kind"]: r for r in passband_rows(samples, data_dir)}
    for kind in ("RRLYR RRab", "RRLYR RRc"):
        row = rows[kind]
        assert row["n"] >= 25
        assert 1.5 < row["expected"] < 1.65
        assert 0.8 < row["catalina_over_v"] < 1.0 - row["catalina_over_v_error"]
    assert passband_rows(samples, data_dir / "nowhere") == []


def test_amplitudes_of_equal_periods(samples: dict[str, Stars], data_dir: Path):
    rows = {(r["kind"], r["period_low"]): r for r in amplitude_rows(samples, data_dir)}
    assert set(rows) == {("RRLYR RRab", 0.5), ("RRLYR RRab", 0.55), ("RRLYR RRc", 0.3)}
    for row in rows.values():
        assert row["n_catalina"] > 500 and row["n_stripe_82"] >= 25
        assert row["generated"] == pytest.approx(row["catalina"], rel=0.15)  # what it was trained on
        assert row["catalina_over_v"] == pytest.approx(row["catalina"] / row["stripe_82"])
        assert 0.7 < row["catalina_over_v"] < 1.0 - row["catalina_over_v_error"]
    # in a V filter, too, another population has the larger amplitudes
    first = rows["RRLYR RRab", 0.5]
    assert first["n_ogle_bulge"] > 1000
    assert first["ogle_bulge"] == pytest.approx(first["stripe_82"], rel=0.1)
    assert np.isnan(rows["RRLYR RRc", 0.3]["ogle_bulge"])
    assert amplitude_rows(samples, data_dir / "nowhere") == []
