"""Preparation: Fourier fits, alignment, clipping, scaling, bins, the split by star and the conditions."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lcgen import ConfigError, InputError, LightCurves
from lcgen.lightcurve import phase_of
from lcgen.prepare.align import alignment_shift, peak_to_peak, rotate_coefficients
from lcgen.prepare.augment import AugmentConfig, class_weights
from lcgen.prepare.clean import CleanConfig, clip_mean, fit_and_clip
from lcgen.prepare.conditioning import Conditioner
from lcgen.prepare.dataset import N_BINS, PreparedCurves, bin_curves, n_harmonics_of, prepare
from lcgen.prepare.fourier import fit_fourier, fourier_series, harmonics
from lcgen.prepare.split import SPLIT_NAMES, id_hash, split_by_star
from lcgen.rng import stream
from lcgen.taxonomy import CLASSES, PHYSICAL

CSS = CleanConfig(snr_min=1.0)


@pytest.fixture(scope="module")
def prepared(css_sample: LightCurves, ogle_sample: LightCurves) -> PreparedCurves:
    cls = np.asarray(css_sample.columns["class"])
    few = css_sample.take(np.concatenate([np.flatnonzero(cls == c)[:5] for c in np.unique(cls)]))
    ids = np.unique(ogle_sample.columns["id"])[:6]
    surveys = [(few, "CSS"), (ogle_sample.take(np.flatnonzero(np.isin(ogle_sample.columns["id"], ids))), "OGLE-III")]
    named = [dataclasses.replace(s, meta={"survey": n}) for s, n in surveys]
    curves, report = prepare(named, clean={"CSS": CSS}, progress=False)
    assert sum(report.kept.values()) == len(curves)
    return curves


def _synthetic(n: int = 300, noise: float = 0.02, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = stream(seed, "synthetic")
    phase = draw.uniform(0, 1, n)
    err = draw.uniform(0.5, 2.0, n) * noise
    curve = 15 + 0.3 * np.cos(2 * np.pi * phase) + 0.12 * np.sin(4 * np.pi * phase - 0.4)
    return phase, curve + err * draw.standard_normal(n), err


# ---------------------------------------------------------------------- Fourier series
def test_a_fit_agrees_with_least_squares_and_with_astropy() -> None:
    """At high precision the prior says nothing, and the fit is the weighted least squares of anybody else."""
    from astropy.timeseries import LombScargle

    phase, mag, err = _synthetic(400, noise=1e-4)
    fit = fit_fourier(phase, mag, err, n_harmonics=2)
    design = np.concatenate([np.ones((400, 1)), harmonics(phase, 2)], axis=1)
    solution = np.linalg.lstsq(design / err[:, None], mag / err, rcond=None)[0]
    assert fit.mean == pytest.approx(solution[0], abs=1e-6)
    np.testing.assert_allclose(fit.coefficients.ravel(), solution[1:], atol=1e-6)
    model = LombScargle(phase, mag, err, nterms=2, fit_mean=True)
    at = np.linspace(0, 1, 50)
    np.testing.assert_allclose(fit(at), model.model(at, 1.0), atol=2e-6)


def test_the_true_scatter_is_found() -> None:
    ratios = []
    for seed in range(20):
        phase, mag, err = _synthetic(300, noise=0.02, seed=seed)
        ratios.append(fit_fourier(phase, mag, 2.0 * err, n_harmonics=10).scatter_ratio)
    assert np.mean(ratios) == pytest.approx(0.5, abs=0.03)


def test_a_fit_of_a_real_cepheid_agrees_with_least_squares(ogle_sample: LightCurves) -> None:
    i = int(np.argmax(np.diff(ogle_sample.offsets)))
    star = ogle_sample[i]
    phase = phase_of(star.mjd, star.star["period"])
    fit = fit_fourier(phase, star.mag, star.mag_err, n_harmonics=6)
    design = np.concatenate([np.ones((len(star), 1)), harmonics(phase, 6)], axis=1)
    solution = np.linalg.lstsq(design / star.mag_err[:, None], star.mag / star.mag_err, rcond=None)[0]
    np.testing.assert_allclose(fit.coefficients.ravel(), solution[1:], atol=2e-3)
    assert abs(fit.coefficients[0]).max() > 0.05


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 1), st.integers(1, 2), st.floats(0.005, 0.3))
def test_turning_the_phases_turns_the_fit(turn: float, base: int, noise: float) -> None:
    phase, mag, err = _synthetic(150, noise=noise)
    still = fit_fourier(phase, mag, err, n_harmonics=8, base_harmonic=base)
    turned = fit_fourier((phase + turn) % 1.0, mag, err, n_harmonics=8, base_harmonic=base)
    at = np.linspace(0, 1, 40, endpoint=False)
    np.testing.assert_allclose(turned(at + turn), still(at), atol=1e-8)
    np.testing.assert_allclose(rotate_coefficients(turned.coefficients, turn), still.coefficients, atol=1e-8)
    assert turned.scatter == pytest.approx(still.scatter, rel=1e-6)
    for k in (1, 2):
        shift = alignment_shift(still.coefficients, base_harmonic=k)
        moved = (alignment_shift(turned.coefficients, base_harmonic=k) - shift - turn) % 1.0
        assert min(moved, 1 - moved) < 1e-6


def test_magnitude_offsets_and_units_pass_through_a_fit() -> None:
    phase, mag, err = _synthetic()
    fit = fit_fourier(phase, mag, err, n_harmonics=6)
    brighter = fit_fourier(phase, 3.0 * (mag - 2.0), 3.0 * err, n_harmonics=6)
    np.testing.assert_allclose(brighter.coefficients, 3.0 * fit.coefficients, atol=1e-9)
    assert brighter.mean == pytest.approx(3.0 * (fit.mean - 2.0))


def test_high_harmonics_of_noise_are_shrunk() -> None:
    phase, _, _ = _synthetic()
    noise = stream(3, "noise").standard_normal(phase.size) * 0.1
    fit = fit_fourier(phase, 15 + 0.3 * np.cos(2 * np.pi * phase) + noise, np.full(phase.size, 0.1), n_harmonics=12)
    design = np.concatenate([np.ones((phase.size, 1)), harmonics(phase, 12)], axis=1)
    free = np.linalg.lstsq(design, noise, rcond=None)[0][1:].reshape(-1, 2)
    assert np.abs(fit.coefficients[5:]).sum() < 0.5 * np.abs(free[5:]).sum()
    assert fit.scatter == pytest.approx(0.1, rel=0.15)
    assert fit.coefficients[0, 0] == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize(
    ("phase", "mag", "err"),
    [
        ([0.1, 0.2], [1, 2], [1, 1]),
        (np.arange(6) / 6, np.arange(5.0), np.ones(6)),
        (np.arange(6) / 6, np.arange(6.0), np.ones(5)),
        (np.arange(6) / 6, [1, 2, 3, 4, 5, np.nan], np.ones(6)),
        (np.arange(6) / 6, np.arange(6.0), [1, 1, 1, 1, 1, 0]),
        (np.arange(6) / 6, np.arange(6.0), [1, 1, 1, 1, 1, -1]),
        (np.full(6, np.inf), np.arange(6.0), np.ones(6)),
    ],
)
def test_a_fit_refuses_what_it_cannot_use(phase: list, mag: list, err: list) -> None:
    with pytest.raises(InputError, match="Fourier fit needs"):
        fit_fourier(phase, mag, err)


def test_a_constant_star_has_a_fit() -> None:
    fit = fit_fourier(np.arange(20) / 20, np.full(20, 15.0), np.full(20, 0.01))
    assert fit.mean == 15.0
    assert peak_to_peak(fit.coefficients) == pytest.approx(0.0, abs=1e-6)


# ---------------------------------------------------------------------- alignment
_COEFFICIENTS = st.lists(
    st.tuples(st.floats(-1, 1), st.floats(-1, 1)).filter(lambda c: abs(c[0]) + abs(c[1]) > 1e-2), min_size=2, max_size=6
).map(np.array)


@settings(max_examples=60, deadline=None)
@given(_COEFFICIENTS, st.floats(-2, 2))
def test_rotations_invert_and_move_the_curve(coefficients: np.ndarray, shift: float) -> None:
    turned = rotate_coefficients(coefficients, shift)
    np.testing.assert_allclose(rotate_coefficients(turned, -shift), coefficients, atol=1e-9)
    at = np.linspace(0, 1, 17)
    np.testing.assert_allclose(fourier_series(turned, at), fourier_series(coefficients, at + shift), atol=1e-9)
    assert peak_to_peak(turned) == pytest.approx(peak_to_peak(coefficients), rel=0.02, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(_COEFFICIENTS, st.sampled_from([1, 2]))
def test_aligned_curves_are_aligned(coefficients: np.ndarray, base: int) -> None:
    first, second = np.hypot(*coefficients[:2].T)
    assume(abs(first - second) > 1e-6)
    shift = alignment_shift(coefficients, base_harmonic=base)
    assert 0.0 <= shift < 1.0
    aligned = rotate_coefficients(coefficients, shift)
    # maximum light of a pulsator, minimum light of a binary, by the stronger of the first two harmonics
    strength = np.hypot(*aligned[:2].T)
    k = int(strength[1] > strength[0])
    assert aligned[k, 1] == pytest.approx(0.0, abs=1e-9)
    assert aligned[k, 0] < 0 if base == 1 else aligned[k, 0] > 0
    if k == 1:  # of its two extrema the more extreme
        near, sign = np.linspace(-0.1, 0.1, 41), -1.0 if base == 1 else 1.0
        here, there = ((sign * fourier_series(aligned, near + at)).max() for at in (0.0, 0.5))
        assert here >= there - 1e-9


# ---------------------------------------------------------------------- cleaning
def test_clipping_spares_narrow_eclipses(data_dir: Path) -> None:
    from lcgen import read_pack

    pack = read_pack(data_dir / "lightcurves" / "css_south_v.h5", classes=["ECL"], with_period=True)
    binaries = pack[np.asarray(pack.columns["subclass"]) == "EA"]
    kept = []
    for star in (binaries[i] for i in (0, 90, 102, 180, 252, 294, 348, 372, 408, 426, 504, 534, 546)):
        phase = phase_of(star.mjd, star.star["period"])
        # in eclipse: faint, and so are the neighbours in phase
        order = np.argsort(phase)
        median = np.empty(len(star))
        median[order] = np.median([np.roll(star.mag[order], k) for k in (-2, -1, 0, 1, 2)], axis=0)
        half = 0.5 * (median.max() + np.median(star.mag))
        eclipse = (median > half) & (star.mag > half)
        if median.max() - np.median(star.mag) < 8 * np.median(star.mag_err):
            continue
        _, keep = fit_and_clip(phase, star.mag, star.mag_err, config=CSS, n_harmonics=20, base_harmonic=2)
        kept.append((eclipse.sum(), (keep & eclipse).sum(), (clip_mean(star.mag, star.mag_err) & eclipse).sum()))
        assert kept[-1][1] >= 0.7 * kept[-1][0]
        assert (~keep).sum() < 0.1 * len(star) + kept[-1][0]
    n, by_curve, by_mean = np.sum(kept, axis=0)
    assert len(kept) >= 10
    assert by_curve > 0.9 * n
    assert by_mean < 0.1 * n


@pytest.mark.parametrize("about", ["curve", "mean"])
def test_outliers_and_bad_rows_go(about: str) -> None:
    phase, mag, err = _synthetic(200)
    mag[[5, 50]] += [3.0, -3.0]
    err[20], err[21], mag[22] = -0.01, np.nan, np.inf
    fit, keep = fit_and_clip(phase, mag, err, config=CleanConfig(clip_about=about), n_harmonics=6, base_harmonic=1)
    assert fit is not None
    assert not keep[[5, 50, 20, 21, 22]].any()
    assert keep.sum() > 175
    assert fit.coefficients[0, 0] == pytest.approx(0.3, abs=0.01)


def test_published_clipping_is_about_mean_and_error() -> None:
    mag, err = np.full(100, 15.0), np.full(100, 0.02)
    mag[:50] += 0.1
    mag[7], err[9] = 20.0, 1.0
    keep = clip_mean(mag, err)
    assert np.flatnonzero(~keep).tolist() == [7, 9]
    assert clip_mean(mag, err, rounds=0).all()


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"clip_about": "curves"}, "clip_about"),
        ({"clip_sigma": 0.0}, "clip_sigma"),
        ({"clip_sigma": float("nan")}, "clip_sigma"),
        ({"clip_rounds": -1}, "clip_rounds"),
        ({"snr_min": -1.0}, "snr_min"),
        ({"snr_min": float("nan")}, "snr_min"),
        ({"min_observations": 0}, "min_observations"),
    ],
)
def test_bad_cleaning_is_named(options: dict, key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        CleanConfig(**options)


def test_faint_curves_are_dropped_and_counted(css_sample: LightCurves) -> None:
    survey = css_sample[np.asarray(css_sample.columns["class"]) == "ELL"]
    kept = []
    for snr in (0.0, 2.0, 5.0):
        try:
            curves, report = prepare([survey], clean=CleanConfig(snr_min=snr), progress=False)
        except InputError:
            kept.append(0)
            continue
        kept.append(len(curves))
        assert report.kept["ELL"] == len(curves)
        assert report.kept["ELL"] + report.dropped.get("ELL", 0) == len(survey)
        assert "ELL" in report.to_text()
        for a, b, amplitude, sigma_scale, ratio in zip(
            curves.offsets, curves.offsets[1:], curves.amplitude, curves.scale, curves.scatter_ratio, strict=False
        ):
            quoted = curves.sigma[a:b].astype(float) * sigma_scale / ratio
            assert amplitude >= snr * quoted.mean() * (1 - 1e-5)
    assert kept[0] > kept[1] > kept[2]


# ---------------------------------------------------------------------- prepared curves
def test_scaling_and_folding_invert(prepared: PreparedCurves, css_sample: LightCurves) -> None:
    by_id = {str(s): i for i, s in enumerate(css_sample.columns["id"])}
    for i in np.flatnonzero(prepared.survey == "CSS"):
        rows = slice(prepared.offsets[i], prepared.offsets[i + 1])
        star = css_sample[by_id[prepared.star_id[i]]]
        folded = phase_of(star.mjd, star.star["period"])
        mag = prepared.magnitude(i, prepared.value[rows])
        phase = (prepared.phase[rows].astype(float) + prepared.shift[i]) % 1.0
        # every row comes from one of the star's
        apart = np.abs(phase[:, None] - folded[None, :])
        distance = np.minimum(apart, 1 - apart) + np.abs(mag[:, None] - star.mag[None, :])
        assert distance.min(axis=1).max() < 1e-5


def test_prepared_curves_are_what_they_say(prepared: PreparedCurves) -> None:
    assert set(prepared.class_name) == set(CLASSES)
    assert ((prepared.phase >= 0) & (prepared.phase < 1)).all()
    assert (prepared.sigma > 0).all()
    assert np.isfinite(prepared.value).all()
    assert ((prepared.shift >= 0) & (prepared.shift < 1)).all()
    np.testing.assert_allclose(np.ptp(prepared.fit_grid, axis=1) * prepared.scale, prepared.amplitude, rtol=0.05)
    assert prepared.params[:, 0].min() > 0
    # the residuals about the series are as large as their errors say
    index = np.repeat(np.arange(len(prepared)), np.diff(prepared.offsets))
    nearest = np.round(prepared.phase * N_BINS).astype(int) % N_BINS
    pull = (prepared.value - prepared.fit_grid[index, nearest]) / prepared.sigma
    assert 1.4826 * np.median(np.abs(pull)) == pytest.approx(1.0, abs=0.25)


def test_aligned_shapes(prepared: PreparedCurves) -> None:
    spectrum = np.fft.rfft(prepared.fit_grid, axis=1)[:, 1:3]
    alone = prepared.partner < 0
    dominant = spectrum[np.arange(len(prepared)), np.argmax(np.abs(spectrum), axis=1)]
    binary = np.isin(prepared.class_name, ["ECL", "ELL"])
    # brightest at phase zero, and binaries faintest
    np.testing.assert_allclose(np.angle(np.where(binary, dominant, -dominant))[alone], 0, atol=1e-3)


def test_bands_of_a_star_share_zero_point_of_phase_and_unit(prepared: PreparedCurves) -> None:
    pairs = np.flatnonzero(prepared.partner >= 0)
    assert pairs.size >= 8
    other = prepared.partner[pairs]
    np.testing.assert_array_equal(prepared.partner[other], pairs)
    np.testing.assert_array_equal(prepared.star_id[other], prepared.star_id[pairs])
    assert (prepared.band[other] != prepared.band[pairs]).all()
    np.testing.assert_array_equal(prepared.shift[other], prepared.shift[pairs])
    np.testing.assert_array_equal(prepared.scale[other], prepared.scale[pairs])
    is_v = prepared.bands.index("V") == prepared.band[pairs]
    ratio = prepared.amplitude[other] / prepared.amplitude[pairs]
    assert np.median(ratio[is_v]) == pytest.approx(0.6, abs=0.1)  # A_I / A_V


def test_taking_rows_keeps_partners(prepared: PreparedCurves) -> None:
    order = stream(1, "order").permutation(len(prepared))
    mixed = prepared.take(order)
    np.testing.assert_array_equal(mixed.star_id, prepared.star_id[order])
    for i in np.flatnonzero(mixed.partner >= 0):
        assert mixed.star_id[mixed.partner[i]] == mixed.star_id[i]
        assert mixed.partner[mixed.partner[i]] == i
    for i in (0, 7):
        a, b = prepared.offsets[order[i]], prepared.offsets[order[i] + 1]
        np.testing.assert_array_equal(mixed.value[mixed.offsets[i] : mixed.offsets[i + 1]], prepared.value[a:b])
    only_v = prepared.take(prepared.band == 0)
    assert (only_v.partner == -1).all()
    assert len(only_v) == (prepared.band == 0).sum()
    assert len(prepared.take([])) == 0


def test_prepared_curves_are_stored_without_pickle(prepared: PreparedCurves, tmp_path: Path) -> None:
    prepared.save(tmp_path / "a.npz")
    again = PreparedCurves.load(tmp_path / "a.npz")
    for field in dataclasses.fields(PreparedCurves):
        kept, back = getattr(prepared, field.name), getattr(again, field.name)
        if field.name in ("classes", "bands"):
            assert kept == back
        else:
            assert kept.dtype == back.dtype
            np.testing.assert_array_equal(kept, back)


def test_bins_do_not_depend_on_the_order(prepared: PreparedCurves) -> None:
    few = prepared.take(np.arange(8))
    rows = np.concatenate(
        [a + stream(2, "rows", int(a)).permutation(b - a) for a, b in zip(few.offsets, few.offsets[1:], strict=False)]
    )
    mixed = dataclasses.replace(few, phase=few.phase[rows], value=few.value[rows], sigma=few.sigma[rows])
    np.testing.assert_allclose(bin_curves(mixed), bin_curves(few), atol=1e-5)
    # nor on the other curves
    np.testing.assert_array_equal(bin_curves(prepared)[:8], bin_curves(few))


def test_bins_hold_the_curve(prepared: PreparedCurves) -> None:
    bins = bin_curves(prepared)
    assert bins.shape == (len(prepared), 3, N_BINS)
    np.testing.assert_array_equal(bins[:, 2], prepared.fit_grid)
    # a bin without observations is the series, and says so
    empty = bins[:, 1] == 0
    assert empty.any()
    np.testing.assert_array_equal(bins[:, 0][empty], bins[:, 2][empty])
    one = prepared.take([0])
    precise = dataclasses.replace(one, sigma=np.where(np.arange(one.sigma.size) == 3, 1e-4, one.sigma).astype("f4"))
    k = int(one.phase[3] * N_BINS + 0.5) % N_BINS
    series = np.interp(one.phase[3] * N_BINS, np.arange(N_BINS + 1), np.append(one.fit_grid[0], one.fit_grid[0, 0]))
    expected = one.fit_grid[0, k] + one.value[3] - series
    assert bin_curves(precise)[0, 0, k] == pytest.approx(expected, abs=2e-2)


def test_what_cannot_be_prepared_is_counted_by_reason(css_sample: LightCurves) -> None:
    survey = css_sample.take(np.arange(6))
    columns = dict(survey.columns)
    columns["class"] = np.array(["ACEP", "NOVA", "", "ACEP", "ACEP", "ACEP"])
    columns["period"] = np.array([np.nan, 1.0, 1.0, -2.0, 0.0, columns["period"][5]])
    curves, report = prepare([dataclasses.replace(survey, columns=columns)], clean=CSS, progress=False)
    assert len(curves) == 1
    reasons = Counter(report.reasons)
    assert reasons[("ACEP", "no period")] == 3
    assert reasons[("NOVA", "unknown class")] == reasons[("", "unknown class")] == 1
    del columns["period"]
    with pytest.raises(InputError, match="no column 'period'"):
        prepare([dataclasses.replace(survey, columns=columns)], progress=False)
    with pytest.raises(InputError, match="no curve is left"):
        prepare([survey], bands=["I"], progress=False)


def test_a_constant_star_is_dropped_not_divided_by(css_sample: LightCurves) -> None:
    survey = css_sample.take(np.arange(2))
    mag = survey.mag.copy()
    mag[: survey.offsets[1]] = 15.0
    curves, report = prepare([dataclasses.replace(survey, mag=mag)], clean=CleanConfig(snr_min=0.0), progress=False)
    assert len(curves) == 1
    assert sum(report.dropped.values()) == 1
    assert np.isfinite(curves.value).all()


def test_harmonics_follow_the_class() -> None:
    assert (n_harmonics_of("RRLYR"), n_harmonics_of("ECL"), n_harmonics_of("LPV")) == (10, 20, 6)


# ---------------------------------------------------------------------- the split by star
@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["CEP", "ECL"])), min_size=1, max_size=60),
    st.integers(0, 99),
)
def test_no_star_is_on_two_sides(rows: list[tuple[int, str]], seed: int) -> None:
    ids, classes = [str(i) for i, _ in rows], [c for _, c in rows]
    split = split_by_star(ids, classes, seed=seed)
    sides: dict[str, set[int]] = {}
    for star, side in zip(ids, split.tolist(), strict=True):
        sides.setdefault(star, set()).add(side)
    assert all(len(s) == 1 for s in sides.values())
    # the order of the rows makes no difference, where no star is listed under two classes
    if all(len({c for i, c in zip(ids, classes, strict=True) if i == star}) == 1 for star in sides):
        back = split_by_star(ids[::-1], classes[::-1], seed=seed)[::-1]
        np.testing.assert_array_equal(back, split)


def test_shares_are_met_in_each_class() -> None:
    ids = np.array([f"star-{i}" for i in range(1307)])
    classes = np.resize(["CEP", "ECL", "ECL", "LPV"], 1307)
    for fractions in ((0.6, 0.2, 0.2), (0.8, 0.1, 0.1), (1.0, 0.0, 0.0)):
        split = split_by_star(ids, classes, seed=1, fractions=fractions)
        for cls in np.unique(classes):
            n = np.bincount(split[classes == cls], minlength=3)
            np.testing.assert_allclose(n, np.array(fractions) * n.sum(), atol=1.01)
    one, two, other = (split_by_star(ids, classes, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert (one != other).mean() > 0.3
    assert SPLIT_NAMES == ("train", "validation", "test")


def test_more_stars_move_only_those_at_the_edges() -> None:
    ids = np.array([f"star-{i}" for i in range(4000)])
    before = split_by_star(ids[:3000], ["CEP"] * 3000, seed=1)
    after = split_by_star(ids, ["CEP"] * 4000, seed=1)[:3000]
    moved = before != after
    assert moved.mean() < 0.02
    # other classes and other bands of the same stars move none
    both = split_by_star(np.concatenate([ids[:3000], ids[:1500], ids[3000:]]), ["CEP"] * 4500 + ["ECL"] * 1000, seed=1)
    np.testing.assert_array_equal(both[:3000], before)
    np.testing.assert_array_equal(both[3000:4500], before[:1500])


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.6, 0.3, 0.3), (1.2, -0.1, -0.1), (np.nan, 0.5, 0.5), ()])
def test_bad_shares(fractions: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="fractions"):
        split_by_star(["a"], ["CEP"], fractions=fractions)


def test_hashes_are_stable_and_differ() -> None:
    assert id_hash(["OGLE-LMC-CEP-0001"]).tolist() == id_hash("OGLE-LMC-CEP-0001").tolist()
    assert np.unique(id_hash([f"s{i}" for i in range(5000)])).size == 5000


# ---------------------------------------------------------------------- weights, augmentation, conditions
@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40), st.floats(0, 1))
def test_weights_even_out_groups(labels: list[str], power: float) -> None:
    weights = class_weights(labels, power=power)
    assert weights.sum() == pytest.approx(1.0)
    counts = Counter(labels)
    mass = {g: weights[np.array(labels) == g].sum() for g in counts}
    for a in counts:
        for b in counts:
            assert mass[a] / mass[b] == pytest.approx((counts[a] / counts[b]) ** (1 - power))


def test_bad_weights_and_augmentation() -> None:
    for labels, power in (([], 0.5), (["a"], -0.1), (["a"], 1.1), (["a"], np.nan)):
        with pytest.raises(InputError):
            class_weights(labels, power=power)
    for options in ({"phase_shift": -0.1}, {"phase_shift": 1.1}, {"undersample": 0.0}, {"undersample": np.nan}):
        with pytest.raises(ConfigError, match=f"augment.{next(iter(options))}"):
            AugmentConfig(**options)


@pytest.fixture(scope="module")
def conditioner() -> Conditioner:
    draw = stream(1, "conditioner")
    n = 400
    params = np.full((n, len(PHYSICAL)), np.nan)
    params[:, 0] = 10 ** draw.normal(0, 0.3, n)
    params[0, 0] = 10_000.0  # one absurd period must not squeeze the others
    params[:200, 1] = draw.normal(6000, 300, 200)
    params[:30, 2] = draw.normal(0, 1, 30)  # too few to learn from
    return Conditioner.fit(
        classes=("CEP", "ECL"),
        bands=("V", "I"),
        cls_index=np.repeat([0, 1], 200),
        params=params,
        scale=10 ** draw.normal(-0.5, 0.2, n),
    )


def test_parameters_are_scaled_robustly_and_masked(conditioner: Conditioner) -> None:
    params = np.full((3, len(PHYSICAL)), np.nan)
    params[:, 0] = [0.5, 1.0, 2.0]
    params[1, 1], params[2, 2] = 6300.0, 0.5
    values, mask = conditioner.parameters([0, 0, 0], params)
    assert mask[:, 0].tolist() == [1, 1, 1]
    assert values[2, 0] - values[0, 0] > 1.0  # a factor of four in period is far from nothing
    assert values[1, 1] == pytest.approx(1.0, abs=0.5)
    assert (mask[0, 1], mask[1, 1]) == (0, 1)
    assert mask[2, 2] == 0
    assert values[2, 2] == 0
    assert (values[mask == 0] == 0).all()
    assert np.abs(conditioner.parameters([0], [[1e9, *[np.nan] * 5]])[0]).max() == 4.0
    # a class without temperatures does not use one that is given
    assert conditioner.parameters([1], params[1:2])[1][0, 1] == 0


def test_features(conditioner: Conditioner) -> None:
    params = np.array([[1.0, 6000.0, *[np.nan] * 4]] * 3)
    star = conditioner.star_features([0, 1, 1], ["F", "EW", ""], params)
    assert star.shape == (3, conditioner.n_star)
    assert star[:, :2].tolist() == [[1, 0], [0, 1], [0, 1]]
    sub = star[:, 2 : 2 + len(conditioner.subclasses)]
    assert sub.sum(axis=1).tolist() == [1, 1, 0]
    assert conditioner.subclasses[int(sub[0].argmax())] == "CEP:F"
    decoder = conditioner.decoder_features([0, 1, 1], ["F", "EW", ""], params, [0, 1, 0])
    assert decoder.shape == (3, conditioner.n_decoder)


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-3, 10), st.integers(0, 1))
def test_the_amplitude_scale_inverts(conditioner: Conditioner, scale: float, cls: int) -> None:
    standard = conditioner.standard_scale([cls], [scale])
    assert float(conditioner.natural_scale([cls], standard)[0]) == pytest.approx(scale)


def test_conditions_survive_json(conditioner: Conditioner) -> None:
    import json

    config = json.loads(json.dumps(conditioner.to_config(), allow_nan=False))
    again = Conditioner.from_config(config)
    for field in dataclasses.fields(Conditioner):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(conditioner, field.name))
    config["parameters"] = ["period", "mass"]
    with pytest.raises(InputError, match="mass"):
        Conditioner.from_config(config)
    with pytest.raises(InputError, match="shape"):
        Conditioner.fit(classes=("CEP",), bands=("V",), cls_index=[0], params=[[1.0]], scale=[1.0])
