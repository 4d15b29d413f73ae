"""The report card: does the instrument see what it should, and nothing else?"""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest

from lcgen.catalog import read_pack
from lcgen.errors import InputError, UnknownNameError
from lcgen.evaluate import quick_card
from lcgen.evaluate.calibration import rank_histogram
from lcgen.evaluate.card import ReportCard
from lcgen.evaluate.classify import macro_f1
from lcgen.evaluate.features import FeatureTable, align_series, curve_features, feature_names
from lcgen.evaluate.fits import evaluate_series, fit_many
from lcgen.evaluate.into_card import BEGIN, END
from lcgen.evaluate.memory import memorisation
from lcgen.evaluate.nights import find_nights, nights_from_packs
from lcgen.evaluate.pairing import FLOOR, REAL, Group, pair_group
from lcgen.evaluate.physics import ParameterRelation, PhysicsReport, SubclassMedians, TeffRow
from lcgen.evaluate.relations import Relation, RelationResult, bump_progression, measure_relation
from lcgen.evaluate.response import Response
from lcgen.evaluate.sources import LibrarySource, ModelSource
from lcgen.evaluate.twosample import auc_of_ranks, random_halves_auc, two_sample_auc, wasserstein
from lcgen.prepare.align import alignment_shift, rotate_coefficients
from lcgen.prepare.clean import CleanConfig
from lcgen.prepare.dataset import prepare
from lcgen.prepare.fourier import fit_fourier

PACK = {"path": "lightcurves/css_south_v.h5", "survey": "CSS"}
N_STARS = 260


@pytest.fixture(scope="module")
def curves(data_dir):
    """RR Lyrae stars of Catalina South."""
    pack = read_pack(data_dir / PACK["path"], classes=["RRLYR"])
    few = pack[np.asarray(pack.columns["subclass"]) == "RRab"][np.arange(N_STARS)]
    few = dataclasses.replace(few, meta={"survey": "CSS"})
    return prepare([few], clean=CleanConfig(snr_min=1.0), progress=False)[0]


class _Toy:
    """A generator that serves a curve for each period."""

    name, kind, sha256 = "toy", "toy", ""
    classes, bands = ("RRLYR",), ("V", "I")

    def __init__(self, curves, grids):
        self.subclasses = {"RRLYR": ("RRab", "RRc")}
        self.info = {"config": {"data": {"packs": [PACK]}}}
        self._period, self._grids = curves.params[:, 0], grids

    def draw(self, classes, *, params, subclass, seed, first_id, extrapolate):
        assert set(subclass) <= {"RRab"}
        assert np.isfinite(params["period"]).all()
        rows = np.array([np.flatnonzero(self._period == p)[0] for p in params["period"]])
        return SimpleNamespace(template=lambda n_phase, band: self._grids(rows, n_phase))


def _copy_of(curves):
    def grids(rows, n_phase):
        grid = np.arange(n_phase) / n_phase
        at = np.arange(curves.fit_grid.shape[1]) / curves.fit_grid.shape[1]
        return np.stack([np.interp(grid, at, curves.fit_grid[i] * curves.scale[i], period=1.0) for i in rows])

    return _Toy(curves, grids)


def _sine_like(curves):
    def grids(rows, n_phase):
        wave = -0.5 * np.cos(2 * np.pi * np.arange(n_phase) / n_phase)
        return curves.amplitude[rows, None] * wave

    return _Toy(curves, grids)


@pytest.fixture(scope="module")
def split(curves):
    return np.where(np.arange(len(curves)) < 120, 2, 0)


@pytest.fixture(scope="module")
def card(curves, split, data_dir):
    """A generator that copies each star, beside two rivals."""
    rivals = {"waves": _sine_like(curves)}
    return quick_card(
        _copy_of(curves), curves, split, against=rivals, root=data_dir, n_draws=5, progress=False
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------- the whole instrument
def test_a_copy_of_each_star_passes_and_a_sine_fails(card):
    group = card.group("RRLYR", "CSS", "V")
    assert group.n == 120
    assert group.sources["model"].shape.value < 0.65
    assert group.sources["waves"].shape.value > 0.9
    assert group.sources["model"].shape.error < 0.06
    assert abs(group.sources["model"].shape.value - group.sources[FLOOR].shape.value) < 0.08
    assert abs(group.halves_shape.value - 0.5) < 0.12
    assert group.sources["waves"].wasserstein["R21"] > 10 * group.sources["model"].wasserstein["R21"]


def test_relations_of_copies_are_those_of_the_stars(card):
    assert {r.relation.y for r in card.relations} >= {"log_amplitude", "phi31", "R31"}
    for result in card.relations:
        assert abs(result.generated["model"][0] - result.real) < 0.25
        assert result.real_error < 0.15
    slope = next(r for r in card.relations if str(r.relation) == "RRab V: period - log_amplitude")
    assert slope.real < -0.3


def test_nights_are_found_to_the_last_observation(card, curves, data_dir):
    assert card.info["nights_found"] == 1.0
    night, found = nights_from_packs(curves.take(np.arange(20)), data_dir, [PACK])
    assert found == 1.0
    # four exposures a night are the survey's plan
    per_night = [
        np.unique(night[a:b], return_counts=True)[1]
        for a, b in zip(curves.offsets[:20], curves.offsets[1:21], strict=True)
    ]
    assert np.median(np.concatenate(per_night)) in (3, 4)


def test_the_same_seed_gives_the_same_pairs_and_another_seed_others(curves):
    few = curves.take(np.arange(25))
    night = np.arange(few.phase.size) // 4
    group = Group(cls="RRLYR", survey="CSS", band="V")

    def run(seed):
        sources = [ModelSource(generator=_copy_of(curves)), LibrarySource(library=curves, denoised=True)]
        return pair_group(group, few, night, sources, n_draws=1, seed=seed).features

    first, again, other = run(3), run(3), run(4)
    for name in ("model", "template-library-denoised"):
        assert np.array_equal(first[name].values, again[name].values)
        assert not np.array_equal(first[name].values, other[name].values)
    assert np.array_equal(first[REAL].values, other[REAL].values)


def test_json_text_and_html(card, tmp_path):
    stored = json.loads(card.to_json(tmp_path / "card.json").read_text())
    assert stored["groups"][0]["sources"]["model"]["shape"]["value"] == card.groups[0].sources["model"].shape.value
    assert stored["info"]["n_stars"] == 120
    text = card.to_text()
    assert "RRLYR CSS V" in text and "waves" in text and "Rank histograms" in text
    html = card.to_html(tmp_path / "card.html").read_text()
    assert html.count("data:image/png;base64,") >= 2
    assert "http" not in html.replace("http-equiv", "")


def _with_physics(card):
    """The card with physical parameters, of which its generator knows none."""
    relation = Relation(cls="RRLYR", subclass="RRab", band="I", x="fe_h", y="phi31", at_period=True)
    result = RelationResult(
        relation=relation, survey="a survey", real=0.66, real_error=0.08, generated={"model": (0.5, 0.06)}, n=67
    )
    response = {"cls": "ECL", "subclass": "EW", "period": 0.3, "low": 5000.0, "high": 6000.0, "supported": False}
    physics = PhysicsReport(
        relations=(ParameterRelation(result=result, given=("period", "fe_h"), influences=True, unseen=False),),
        medians=(
            SubclassMedians(
                cls="CEP",
                parameter="teff",
                subclasses=("1O", "F"),
                n=(40, 50),
                real=((6078.0, 30.0), (5713.0, 40.0)),
                drawn={"model": ((6080.0, 3.0), (5715.0, 4.0))},
            ),
        ),
        bulge=(TeffRow(label="a set without stars", n=0, median=np.nan, in_gap=np.nan),),
        responses=(
            Response(**response, parameter="teff", moved=0.25, error=0.02),
            Response(**response, parameter="fe_h", moved=0.0, error=0.0),
        ),
    )
    return dataclasses.replace(card, physics=physics)


def test_physical_parameters_are_in_text_json_and_html(card, tmp_path):
    full = _with_physics(card)
    lines = {" ".join(line.split()) for line in full.to_text().splitlines()}
    assert "a survey, RRab I: fe_h - phi31 at fixed P 67 (some seen) +0.66±0.08 +0.50±0.06 -0.16±0.10 yes" in lines
    assert "CEP 1O - F +365±50 +365±5" in lines
    assert "a set without stars 0 - -" in lines
    assert "ECL EW 0.3 teff 5000 to 6000 no 0.250±0.020 INVENTED" in lines
    assert "ECL EW 0.3 fe_h 5000 to 6000 no 0" in lines
    stored = json.loads(full.to_json(tmp_path / "card.json").read_text())["physics"]
    assert stored["relations"][0]["result"]["generated"]["model"] == [0.5, 0.06]
    assert stored["bulge"][0]["median"] is None and stored["responses"][0]["moved"] == 0.25
    assert "INVENTED" in full.to_html(tmp_path / "card.html").read_text()
    assert "physical parameters" not in card.to_text()


@pytest.fixture
def model_folder(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "card.md").write_text("# mine\n\nBefore.\n")
    return folder


def test_the_section_of_a_model_card_is_replaced_and_the_rest_stays(card, model_folder):
    path = card.into_card(model_folder)
    once = path.read_text()
    assert once.startswith(f"# mine\n\nBefore.\n\n{BEGIN}\n## Report card\n") and once.endswith(f"{END}\n")
    for part in ("Two-sample AUC, shape only", "random halves", "Rank histograms", "Copy rate", "Spearman"):
        assert part in once
    assert f"| RRLYR CSS V | 120 | {card.groups[0].sources['model'].shape} |" in once
    assert "Wasserstein" not in once
    path.write_text(once + "\nAfter.\n")
    _with_physics(card).into_card(model_folder)
    again = path.read_text()
    assert again.endswith(f"{END}\n\nAfter.\n") and again.count(BEGIN) == 1 and "INVENTED" in again
    _with_physics(card).into_card(model_folder)
    assert path.read_text() == again
    assert sorted(p.name for p in model_folder.iterdir()) == ["card.md", "config.json"]


def test_a_model_without_a_card_gets_one(card, model_folder):
    (model_folder / "card.md").unlink()
    assert card.into_card(model_folder).read_text().startswith(f"# mine\n\n{BEGIN}\n")


def test_a_model_card_with_damaged_marks_is_left_alone(card, model_folder, tmp_path):
    for text in (f"{BEGIN}\n", f"{END}\n{BEGIN}\n", f"{BEGIN}{END}{BEGIN}"):
        (model_folder / "card.md").write_text(text)
        with pytest.raises(InputError, match="once each"):
            card.into_card(model_folder)
        assert (model_folder / "card.md").read_text() == text
    with pytest.raises(InputError, match="not the folder of a model"):
        card.into_card(tmp_path)


def test_a_recorded_model_card_stays_recorded(card, model_folder, tmp_path, monkeypatch):
    from lcgen import assets

    monkeypatch.setattr(assets, "data_folder", lambda kind: tmp_path)
    files = ["config.json", "card.md"]
    for recorded in (files[:1], files):
        assets.write_manifest_entry(model_folder, description="Mine.", default=True, files=recorded, root=tmp_path)
        _with_physics(card).into_card(model_folder)
        (entry,) = assets.list_models(tmp_path)
        assets.verify(entry.folder, entry.sha256)
        assert list(entry.sha256) == recorded and entry.default
        card.into_card(model_folder)
        assets.verify(model_folder, assets.list_models(tmp_path)[0].sha256)


def test_html_without_matplotlib_says_how_to_get_it(card, tmp_path, monkeypatch):
    import sys

    from lcgen.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match="plot"):
        card.to_html(tmp_path / "card.html")
    assert not (tmp_path / "card.html").exists()


def test_what_cannot_be_measured_is_refused(curves, split, data_dir):
    toy = _copy_of(curves)
    with pytest.raises(InputError, match="unseen"):
        quick_card(toy, curves, np.zeros(len(curves), dtype=int), progress=False)
    with pytest.raises(InputError, match="one number a curve"):
        quick_card(toy, curves, np.zeros(3, dtype=int), progress=False)
    with pytest.raises(UnknownNameError, match="sine"):
        quick_card(toy, curves, split, against=["cosine"], progress=False)
    with pytest.raises(InputError, match="rival"):
        quick_card(toy, curves, split, against=[3], progress=False)
    with pytest.raises(InputError, match="max_stars"):
        quick_card(toy, curves, split, max_stars=1, progress=False)


def test_an_empty_card_prints(tmp_path):
    empty = ReportCard(
        info={"generator": "x", "sha256": "", "seed": 1, "n_stars": 0, "seconds": 0.0, "nights_found": 1.0},
        groups=(), classification=(), relations=(), bump={}, reconstruction=[], active={},
    )  # fmt: skip
    assert "Report card of x" in empty.to_text()
    assert json.loads(empty.to_json(tmp_path / "e.json").read_text())["groups"] == []
    with pytest.raises(UnknownNameError):
        empty.group("CEP", "OGLE", "I")


# ------------------------------------------------------------------------------------------------------------- parts
@pytest.mark.parametrize(("n_harmonics", "base"), [(6, 1), (10, 1), (20, 2)])
def test_many_fits_are_the_single_fit(n_harmonics, base):
    random = np.random.default_rng(n_harmonics)
    phase, sigma = random.random(90), random.uniform(0.02, 0.05, 90)
    values = np.sin(2 * np.pi * base * phase) + random.normal(size=(4, 90)) * sigma * np.array([[0.1], [1], [3], [20]])
    many = fit_many(phase, values, sigma, n_harmonics=n_harmonics, base_harmonic=base)
    for i, row in enumerate(values):
        one = fit_fourier(phase, row, sigma, n_harmonics=n_harmonics, base_harmonic=base)
        np.testing.assert_allclose(many.coefficients[i], one.coefficients, atol=1e-10)
        np.testing.assert_allclose(many.residual[i], row - one(phase), atol=1e-10)


def test_features_of_a_short_curve_are_finite():
    random = np.random.default_rng(5)
    fit = fit_many(random.random(12), random.normal(size=(2, 12)), np.ones(12), n_harmonics=10, base_harmonic=1)
    assert fit.coefficients.shape == (2, 10, 2) and (fit.coefficients[:, 4:] == 0).all()
    zero = np.zeros(2)
    table = curve_features("CEP", fit.coefficients, skew_mag=zero, kurtosis_mag=zero, residual=zero)
    assert np.isfinite(table.values).all()


@pytest.mark.parametrize("base", [1, 2])
def test_alignment_is_that_of_the_preparation(base):
    random = np.random.default_rng(base)
    coefficients = random.normal(size=(30, 8, 2))
    aligned = align_series(coefficients, base_harmonic=base)
    for own, turned in zip(coefficients, aligned, strict=True):
        shift = alignment_shift(own, base_harmonic=base)
        np.testing.assert_allclose(turned, rotate_coefficients(own, shift), atol=1e-9)


@pytest.mark.parametrize("cls", ["RRLYR", "ECL"])
def test_features_do_not_depend_on_phase_zero_and_ratios_not_on_amplitude(cls):
    random = np.random.default_rng(8)
    coefficients = random.normal(size=(40, 10, 2)) / np.arange(1, 11)[:, None]
    zero = np.zeros(40)

    def features(values, scale=1.0):
        return curve_features(cls, values * scale, skew_mag=zero, kurtosis_mag=zero, residual=zero + scale).values

    turned = np.stack([rotate_coefficients(c, s) for c, s in zip(coefficients, random.random(40), strict=True)])
    np.testing.assert_allclose(features(turned), features(coefficients), atol=2e-2)
    np.testing.assert_allclose(features(coefficients, 3.0)[:, 1:], features(coefficients)[:, 1:], atol=1e-9)
    gain = features(coefficients, 3.0)[:, 0] - features(coefficients)[:, 0]
    np.testing.assert_allclose(gain, np.log10(3.0), atol=1e-9)


def test_fourier_parameters_of_a_known_series():
    # mag = cos(x + 0.3) + 0.4 cos(2 x + 1.1) + 0.1 cos(3 x - 0.5)
    sizes, angles = np.array([1.0, 0.4, 0.1, 0.0]), np.array([0.3, 1.1, -0.5, 0.0])
    series = np.stack([sizes * np.cos(angles), -sizes * np.sin(angles)], axis=1)[None]
    grid = np.arange(16) / 16
    expected = sum(
        s * np.cos(2 * np.pi * (k + 1) * grid + a) for k, (s, a) in enumerate(zip(sizes, angles, strict=True))
    )
    np.testing.assert_allclose(evaluate_series(series, grid)[0], expected, atol=1e-12)
    zero = np.zeros(1)
    table = curve_features("CEP", series, skew_mag=zero, kurtosis_mag=zero, residual=zero)
    assert table.names == feature_names("CEP")
    np.testing.assert_allclose([table.column("R21")[0], table.column("R31")[0]], [0.4, 0.1], atol=1e-9)
    np.testing.assert_allclose(table.column("phi21")[0], 1.1 - 0.6, atol=1e-9)
    np.testing.assert_allclose(table.column("phi31")[0], -0.5 - 0.9, atol=1e-9)


def test_nights_split_at_the_gaps_whatever_the_order():
    mjd = np.array([10.02, 3.0, 10.0, 3.01, 3.2, 4.0])
    assert find_nights(mjd).tolist() == [2, 0, 2, 0, 0, 1]
    assert find_nights(np.zeros(0)).size == 0


def test_auc_counts_ties_half_and_takes_weights():
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(2)
    score, label = random.integers(0, 6, 80).astype(float), random.integers(0, 2, 80)
    weight = random.integers(0, 4, 80).astype(float)
    assert auc_of_ranks(score, label) == pytest.approx(roc_auc_score(label, score))
    expected = roc_auc_score(label, score, sample_weight=weight)
    assert auc_of_ranks(score, label, weight) == pytest.approx(expected)


def test_two_sample_test_finds_a_shift_and_nothing_in_equals():
    random = np.random.default_rng(4)
    real = random.normal(size=(250, 6))
    star = np.array([f"s{i // 2}" for i in range(250)])
    same = two_sample_auc(real, random.normal(size=(250, 6)), star=star)
    shifted = two_sample_auc(real, random.normal(size=(250, 6)) + 0.6, star=star)
    assert abs(same.value - 0.5) < 0.08
    # six independent shifts of 0.6 are d' = 1.47, an AUC of 0.85 for the ideal observer
    assert 0.75 < shifted.value < 0.88
    assert 0.005 < shifted.error < 0.05
    assert abs(random_halves_auc(real, star=star, n_splits=1).value - 0.5) < 0.12


def test_a_leaky_twin_is_not_rewarded():
    # the synthetic star differs from its real twin by nothing: with twins in one fold there is nothing to learn
    random = np.random.default_rng(6)
    real = random.normal(size=(200, 4))
    twin = two_sample_auc(real, real + 1e-6, star=np.arange(200).astype(str))
    assert 0.4 < twin.value < 0.6


def test_wasserstein_is_in_robust_standard_deviations():
    random = np.random.default_rng(1)
    real = random.normal(3.0, 2.0, 4000)
    assert wasserstein(real, real + 1.0) == pytest.approx(0.5, rel=0.05)
    assert wasserstein(real, real) == 0.0


def _table(amplitude, phi):
    names = ("log_amplitude", "cos_phi21", "sin_phi21")
    return FeatureTable(names=names, values=np.column_stack([amplitude, np.cos(phi), np.sin(phi)]))


@pytest.mark.parametrize("feature", ["log_amplitude", "phi21"])
def test_ranks_of_a_right_generator_are_uniform_and_of_wrong_ones_are_not(feature):
    random = np.random.default_rng(9)
    n, m = 600, 30
    centre = random.uniform(0, 6, n)

    def drawn(width, shift=0.0):
        value = np.repeat(centre, m) + shift + width * random.normal(size=n * m)
        return _table(value, value)

    true = centre + 0.3 * random.normal(size=n)
    real = _table(true, true)
    right = rank_histogram(feature, real, drawn(0.3), m, random)
    # 1.63 / sqrt(600) is the 1 % point of Kolmogorov-Smirnov
    assert right.ks < 0.067 and sum(right.counts) == n and abs(right.spread - 1) < 0.06
    assert rank_histogram(feature, real, drawn(0.1), m, random).spread > 1.3
    assert rank_histogram(feature, real, drawn(0.9), m, random).spread < 0.7
    low = rank_histogram(feature, real, drawn(0.3, shift=-0.2), m, random)
    assert low.ks > 0.15 and low.bias > 0.1


def test_relations_recover_known_coefficients():
    random = np.random.default_rng(3)
    n = 1500
    z = random.normal(size=n)
    x = 0.8 * z + 0.6 * random.normal(size=n)
    y = 0.8 * z + 0.6 * random.normal(size=n)
    period = np.exp(z)
    names = ("log_amplitude", "R21")
    right = FeatureTable(names=names, values=np.column_stack([x, y]))
    wrong = FeatureTable(names=names, values=np.column_stack([x, random.permutation(y)]))

    def measure(**keys):
        relation = Relation(cls="RRLYR", subclass="RRab", band="V", **keys)
        return measure_relation(relation, "CSS", {REAL: right, "model": wrong}, period, real=REAL)

    plain = measure(x="log_amplitude", y="R21")
    # for normal variables Spearman's coefficient is 6 / pi asin(rho / 2), with rho = 0.64
    assert plain.real == pytest.approx(6 / np.pi * np.arcsin(0.32), abs=0.04)
    assert plain.real_error == pytest.approx(0.017, abs=0.007)
    assert abs(plain.generated["model"][0]) < 0.08
    assert abs(measure(x="log_amplitude", y="R21", at_period=True).real) < 0.08
    assert measure(x="period", y="R21").real == pytest.approx(6 / np.pi * np.arcsin(0.4), abs=0.04)
    assert measure(x="period", y="R21", max_period=1.0).n == int((period < 1.0).sum())


def test_bump_progression_sees_a_generator_without_it():
    random = np.random.default_rng(7)
    period = random.uniform(6.0, 16.0, 400)
    phi = 5.0 + 0.4 * (period - 6.0) + 0.1 * random.normal(size=400)  # passes 2 pi on its way
    flat = 5.0 + 0.1 * random.normal(size=400)
    tables = {REAL: _table(phi, phi), "good": _table(phi, phi + 0.05), "flat": _table(phi, flat)}
    bins = bump_progression(tables, period, real=REAL)
    assert [b.low for b in bins] == [6.0, 7.0, 8.0, 9.0, 10.0, 12.0]
    assert all(b.follows("good") for b in bins)
    assert not any(b.follows("flat") for b in bins[1:])
    middle = next(b for b in bins if b.low == 9.0)
    assert middle.real == pytest.approx((5.0 + 0.4 * 3.5) % (2 * np.pi), abs=0.1)


def test_copies_are_copies_and_new_curves_are_not():
    random = np.random.default_rng(12)
    grid = 2 * np.pi * np.arange(128) / 128
    basis = np.stack([f(k * grid) for k in (1, 2, 3) for f in (np.cos, np.sin)])

    def fresh(n):
        return np.concatenate([np.ones((n, 1)), 0.3 * random.normal(size=(n, 5))], axis=1) @ basis

    training, unseen = fresh(800), fresh(1000)
    copies = 0.3 * training[random.integers(0, 800, 300)] + 2.0
    assert memorisation(copies, training, unseen).copy_rate == 1.0
    new = memorisation(fresh(1000), training, unseen)
    assert new.copy_rate == pytest.approx(0.05, abs=0.03)
    assert new.nearest_ratio == pytest.approx(1.0, abs=0.15)
    far = np.cos(5 * grid) + 0.1 * random.normal(size=(200, 1)) * np.sin(7 * grid)
    assert memorisation(far, training, unseen).nearest_ratio > 3


def test_macro_f1_is_the_usual_one():
    from sklearn.metrics import f1_score

    random = np.random.default_rng(0)
    true = random.integers(0, 4, 200)
    predicted = np.where(random.random(200) < 0.6, true, random.integers(0, 4, 200))
    assert macro_f1(true, predicted, 4) == pytest.approx(f1_score(true, predicted, average="macro"))
