"""Parameters that follow the shape: relations are learnt, kept when some are given, and independent of the batch."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from lcgen import CheckpointError
from lcgen.population import ShapeRelations
from lcgen.taxonomy import PHYSICAL

N = 4000
PERIOD, TEFF, FE_H = (PHYSICAL.index(p) for p in ("period", "teff", "fe_h"))


class _Stars:
    """Made-up RRab stars: [Fe/H] follows the first latent dimension and the period, T_eff the amplitude and [Fe/H]."""

    def __init__(self, seed: int, n: int = N) -> None:
        draw = np.random.default_rng(seed)
        self.z = draw.normal(size=(n, 3))
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
            scale=self.scale[rows], z=self.z[rows], normals=self.normals[rows],
        )  # fmt: skip


@pytest.fixture(scope="module")
def relations() -> ShapeRelations:
    stars = _Stars(1)
    params = stars.params.copy()
    params[::3, TEFF] = np.nan  # not all are known of all stars
    params[1::3, FE_H] = np.nan
    return ShapeRelations.fit(
        class_name=stars.cls, subclass=stars.subclass, params=params, scale=stars.scale, z=stars.z
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
        class_name=stars.cls, subclass=stars.subclass, params=stars.params, scale=stars.scale, z=stars.z
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
