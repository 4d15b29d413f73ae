"""Parameters that follow the shape: relations are learnt, kept when some are given, and independent of the batch."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from lcgen import CheckpointError, LightCurveGenerator
from lcgen.population import ShapeRelations
from lcgen.taxonomy import PHYSICAL

N = 4000
PERIOD, TEFF, FE_H = (PHYSICAL.index(p) for p in ("period", "teff", "fe_h"))


class _Stars:
    """Made-up RRab stars: [Fe/H] follows shape and period, T_eff the amplitude and [Fe/H]."""

    def __init__(self, seed: int, n: int = N) -> None:
        draw = np.random.default_rng(seed)
        self.z = draw.normal(size=(n, 3))  # stands for Fourier parameters
        self.scale = draw.normal(size=n)
        self.params = np.full((n, len(PHYSICAL)), np.nan)
        log_period = -0.25 + 0.05 * draw.normal(size=n)
        fe_h = -1.5 + 0.4 * self.z[:, 0] - 3.0 * (log_period + 0.25) + 0.4 * draw.normal(size=n)
        log_teff = 3.8 + 0.01 * self.scale + 0.01 * (fe_h + 1.5) + 0.004 * draw.normal(size=n)
        self.params[:, PERIOD], self.params[:, FE_H] = 10**log_period, fe_h
        self.params[:, TEFF] = 10**log_teff
        self.cls, self.subclass = np.full(n, "RRLYR"), np.full(n, "RRab")
        self.normals = draw.normal(size=self.params.shape)

    def draw(self, relations: ShapeRelations, *given: int, rows: slice = slice(None)) -> NDArray[np.float64]:
        params = self.params.copy()
        fixed = np.zeros(params.shape, dtype=bool)
        fixed[:, [PERIOD, *given]] = True
        params[~fixed] = 1.0  # what the population said; without meaning here
        return relations.draw(
            class_name=self.cls[rows], subclass=self.subclass[rows], params=params[rows], given=fixed[rows],
            scale=self.scale[rows], shape=self.z[rows], normals=self.normals[rows],
        )  # fmt: skip


@pytest.fixture(scope="module")
def relations() -> ShapeRelations:
    stars = _Stars(1)
    params = stars.params.copy()
    params[::3, TEFF] = np.nan  # not all are known of all stars
    params[1::3, FE_H] = np.nan
    return ShapeRelations.fit(
        class_name=stars.cls, subclass=stars.subclass, params=params, scale=stars.scale, shape=stars.z
    )


def test_drawn_parameters_obey_the_relations_of_the_stars(relations: ShapeRelations) -> None:
    stars = _Stars(2)
    out = stars.draw(relations)
    np.testing.assert_array_equal(out[:, PERIOD], stars.params[:, PERIOD])
    pairs = ((out[:, FE_H], stars.params[:, FE_H]), (out[:, TEFF], stars.params[:, TEFF]))
    for drawn, true in pairs:
        assert np.mean(drawn) == pytest.approx(np.mean(true), abs=0.1 * np.std(true))
        assert np.std(drawn) == pytest.approx(np.std(true), rel=0.1)
        for other in (stars.z[:, 0], stars.z[:, 1], stars.scale, stars.params[:, PERIOD]):
            assert spearmanr(drawn, other)[0] == pytest.approx(spearmanr(true, other)[0], abs=0.06)
    both = spearmanr(out[:, FE_H], out[:, TEFF])[0]
    assert both == pytest.approx(spearmanr(stars.params[:, FE_H], stars.params[:, TEFF])[0], abs=0.1)


def test_what_is_given_stays_and_informs_the_rest(relations: ShapeRelations) -> None:
    stars = _Stars(3)
    out = stars.draw(relations, FE_H)
    np.testing.assert_array_equal(out[:, FE_H], stars.params[:, FE_H])
    # the part of T_eff that follows [Fe/H] is seen only by those who know it
    left = np.std(np.log10(out[:, TEFF] / stars.params[:, TEFF]))
    unaware = np.std(np.log10(stars.draw(relations)[:, TEFF] / stars.params[:, TEFF]))
    assert left < 0.9 * unaware


def test_a_star_does_not_depend_on_its_batch(relations: ShapeRelations) -> None:
    stars = _Stars(4, n=300)
    whole = stars.draw(relations, TEFF)
    for rows in (slice(0, 1), slice(7, 64), slice(64, 300)):
        assert stars.draw(relations, TEFF, rows=rows).tobytes() == whole[rows].tobytes()


def test_draws_stay_within_what_was_seen(relations: ShapeRelations) -> None:
    stars = _Stars(5)
    stars.normals *= 50.0
    stars.z *= 50.0
    seen, out = _Stars(1).params, stars.draw(relations)
    for j in (FE_H, TEFF):
        assert np.nanmin(seen[:, j]) - 1e-9 <= out[:, j].min()
        assert out[:, j].max() <= np.nanmax(seen[:, j]) * (1 + 1e-9) + 1e-9


def test_other_stars_keep_what_the_population_gave(relations: ShapeRelations) -> None:
    stars = _Stars(6, n=10)
    stars.cls[:5], stars.subclass[5:] = "CEP", "RRc"
    out = stars.draw(relations)
    assert (out[:, [FE_H, TEFF]] == 1.0).all()
    assert relations.parameters_of("RRLYR", "RRab") == ("teff", "fe_h")
    assert relations.parameters_of("CEP", "F") == ()


def test_few_stars_make_no_relation() -> None:
    stars = _Stars(7, n=40)
    found = ShapeRelations.fit(
        class_name=stars.cls, subclass=stars.subclass, params=stars.params, scale=stars.scale, shape=stars.z
    )
    assert found.keys == ()


def test_relations_survive_storage(relations: ShapeRelations) -> None:
    config, arrays = relations.to_state()
    stars = _Stars(8, n=50)
    back = ShapeRelations.from_state(config, arrays)
    assert stars.draw(back).tobytes() == stars.draw(relations).tobytes()
    del arrays["0.covariance"]
    with pytest.raises(CheckpointError, match="covariance"):
        ShapeRelations.from_state(config, arrays)


# ---------------------------------------------------------------------- the shipped model
def _phi31(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    term = np.fft.rfft(curves, axis=1)
    angle = np.angle(term[:, 3]) - 3 * np.angle(term[:, 1])
    return np.angle(np.exp(1j * (angle - np.angle(np.exp(1j * angle).mean()))))


def _at_fixed_period(x: NDArray[np.float64], y: NDArray[np.float64], period: NDArray[np.float64]) -> float:
    xy, xp, yp = (spearmanr(a, b)[0] for a, b in ((x, y), (x, period), (y, period)))
    return float((xy - xp * yp) / np.sqrt((1 - xp**2) * (1 - yp**2)))


def test_metallicity_and_phi31_of_the_shipped_model(shipped_generator: LightCurveGenerator) -> None:
    """Of RRab stars with spectra the rank correlation at fixed period is +0.66."""
    stars = shipped_generator.draw("RRLYR", 1500, subclass="RRab", seed=3)
    period, fe_h = (np.asarray(stars.table[name]) for name in ("period", "fe_h"))
    assert np.isfinite(fe_h).all()
    assert _at_fixed_period(fe_h, _phi31(stars.template(n_phase=64, band="I")), period) == pytest.approx(0.66, abs=0.12)


def test_a_metallicity_that_is_given_moves_the_curve(shipped_generator: LightCurveGenerator) -> None:
    poor, rich = (
        shipped_generator.draw("RRLYR", 100, subclass="RRab", seed=3, params={"period": 0.55, "fe_h": fe_h})
        for fe_h in (-2.2, -1.2)
    )
    assert (np.asarray(rich.table["fe_h"]) == -1.2).all()
    both = np.concatenate([s.template(n_phase=64, band="V") for s in (poor, rich)])
    phi31 = _phi31(both)
    error = np.hypot(phi31[:100].std(), phi31[100:].std()) / 10.0
    assert phi31[100:].mean() - phi31[:100].mean() > max(4.0 * error, 0.2)


def test_stars_of_given_metallicity_do_not_depend_on_the_batch(shipped_generator: LightCurveGenerator) -> None:
    given = {"fe_h": np.linspace(-2.5, -1.0, 9)}
    whole = shipped_generator.draw("RRLYR", params=given, subclass="RRab", seed=5)
    part = shipped_generator.draw("RRLYR", params={"fe_h": given["fe_h"][4:]}, subclass="RRab", seed=5, first_id=4)
    assert part.latent.tobytes() == whole.latent[4:].tobytes()
    for name in ("teff", "abs_mag", "amplitude", "period"):
        assert np.asarray(part.table[name]).tobytes() == np.asarray(whole.table[name])[4:].tobytes()
