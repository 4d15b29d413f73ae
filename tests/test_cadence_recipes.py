"""Parametric recipes: counts, structure, seeds, and the real surveys they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from lcgen.cadence import Cadence, EpochLibrary, as_cadence, list_recipes, load_recipe, recipe_folder
from lcgen.errors import ConfigError, InputError, UnknownNameError

NAMES = ("css", "lsst-ddf", "lsst-wfd", "ogle3-lmc")


def test_the_recipes_that_come_with_the_library():
    assert list_recipes() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_keeps_the_contract(name):
    recipe = load_recipe(name)
    assert isinstance(recipe, Cadence) and as_cadence(name).name == name
    assert "pproximation" in recipe.description
    visits = recipe.visits(seed=11, index=3)
    assert set(visits.bands) == set(recipe.bands)
    assert (np.diff(visits.mjd) > 0).all()
    # whole survey, no visit outside
    start, duration = recipe.survey.start, recipe.survey.duration
    assert visits.mjd.min() > start - 1 and visits.mjd.max() < start + duration + 2
    assert np.ptp(visits.mjd) > 0.85 * duration
    # by night: the Sun is down, and midnight is at most half a night away
    noon = visits.night + 0.5 - recipe.site.longitude / 360.0
    hours = (visits.mjd - noon) * 24.0
    assert hours.min() > 3.0 and hours.max() < 21.0


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_and_the_star_decide(name):
    recipe = load_recipe(name)
    first = recipe.visits(seed=1, index=0)
    again = load_recipe(name).visits(seed=1, index=0)
    for column in ("mjd", "band", "depth5", "seeing", "night"):
        np.testing.assert_array_equal(getattr(first, column), getattr(again, column))
    assert recipe.visits(seed=2, index=0).mjd.tobytes() != first.mjd.tobytes()
    other = recipe.visits(seed=1, index=1)
    assert (other.mjd.tobytes() == first.mjd.tobytes()) is not recipe.per_star


def test_per_star_can_be_chosen():
    shared = load_recipe("lsst-wfd", per_star=False)
    assert shared.visits(seed=1, index=7).mjd.tobytes() == shared.visits(ra=9.0, dec=0.0, seed=1).mjd.tobytes()


def test_wide_fast_deep_has_the_design_numbers_of_visits():
    recipe = load_recipe("lsst-wfd")
    design = {"u": 56, "g": 80, "r": 184, "i": 184, "z": 160, "y": 160}
    counts = np.array(
        [[(v.band == b).sum() for b in design] for v in (recipe.visits(seed=5, index=i) for i in range(60))]
    )
    np.testing.assert_allclose(counts.mean(axis=0), list(design.values()), rtol=0.05)
    assert abs(counts.sum(axis=1).mean() - 824) < 20


def test_wide_fast_deep_comes_in_pairs():
    visits = load_recipe("lsst-wfd").visits(seed=5)
    nights, counts = np.unique(visits.night, return_counts=True)
    assert (counts == 2).all() and 350 < nights.size < 450
    minutes = np.diff(visits.mjd)[np.diff(visits.night) == 0] * 1440.0
    assert 28.0 < np.median(minutes) < 38.0


def test_depths_follow_band_seeing_and_moon():
    visits = load_recipe("lsst-wfd").visits(seed=5)
    assert visits.depth5 is not None and visits.seeing is not None
    median = {b: np.median(visits.depth5[visits.band == b]) for b in visits.bands}
    # between the design (dark, at zenith) and half a magnitude brighter
    for band, design in {"u": 23.9, "g": 25.0, "r": 24.7, "i": 24.0, "z": 23.3, "y": 22.1}.items():
        assert design - 0.65 < median[band] < design
    r = visits.band == "r"
    assert np.corrcoef(visits.seeing[r], visits.depth5[r])[0, 1] < -0.5


# the visits lie in the future, for which leap seconds are not known
@pytest.mark.filterwarnings("ignore:ERFA function:erfa.ErfaWarning")
def test_u_is_taken_in_dark_time():
    from astropy.coordinates import get_body, get_sun
    from astropy.time import Time

    visits = load_recipe("lsst-wfd").visits(seed=5)
    chosen = visits.select(visits.band == "u")
    time = Time(chosen.mjd, format="mjd", scale="tdb")
    elongation = get_sun(time).separation(get_body("moon", time), origin_mismatch="ignore").rad
    # illuminated fraction from an ephemeris, against mean elements in the recipe (limit 0.4)
    assert (0.5 * (1.0 - np.cos(elongation))).max() < 0.55


@pytest.mark.parametrize("ra", [0.0, 90.0, 215.0])
def test_seasons_lie_around_the_opposition(ra):
    from astropy.coordinates import get_sun
    from astropy.time import Time

    visits = load_recipe("lsst-wfd").visits(ra=ra, dec=-30.0, seed=2)
    sun = get_sun(Time(visits.mjd, format="mjd", scale="tdb")).ra.deg
    from_opposition = (sun + 180.0 - ra + 180.0) % 360.0 - 180.0
    assert np.abs(from_opposition).max() < 120.0
    assert abs(np.median(from_opposition)) < 25.0


def test_deep_drilling_sequences():
    visits = load_recipe("lsst-ddf").visits(seed=1)
    assert 15_000 < len(visits) < 22_000
    kinds = {
        tuple(sorted(zip(*np.unique(visits.band[visits.night == n], return_counts=True), strict=True)))
        for n in np.unique(visits.night)
    }
    assert kinds == {(("g", 2), ("i", 8), ("r", 4)), (("y", 4), ("z", 25)), (("u", 8),)}
    seconds = np.diff(visits.mjd)[np.diff(visits.night) == 0] * 86400.0
    assert seconds.min() > 30.0


def summary(parts, longitude):
    """Statistics of the sampling of stars, from their times."""
    visits, per_night, gaps, separations, nights = [], [], [], [], []
    for mjd in parts:
        night = np.floor(mjd + longitude / 360.0 - 0.5).astype(int)
        unique, counts = np.unique(night, return_counts=True)
        visits.append(mjd.size)
        nights.append(unique.size)
        per_night += counts.tolist()
        gaps += np.diff(unique).tolist()
        separations += (np.diff(mjd)[np.diff(night) == 0] * 1440.0).tolist()
    return {
        "visits": np.median(visits),
        "nights": np.median(nights),
        "four": np.mean(np.array(per_night) == 4),
        "single": np.mean(np.array(per_night) == 1),
        "gap": np.median(gaps),
        "gap90": np.percentile(gaps, 90),
        "separation": np.median(separations) if separations else np.nan,
    }


def test_css_recipe_samples_as_css_did(data_dir):
    library = EpochLibrary(data_dir / "lightcurves" / "css_south_v.h5")
    recipe = load_recipe("css")
    real = summary([library.of_star(i).mjd for i in range(0, len(library), 100)], recipe.site.longitude)
    made = summary([recipe.visits(seed=3, index=i).mjd for i in range(200)], recipe.site.longitude)
    for key, tolerance in (
        ("visits", 0.1),
        ("nights", 0.1),
        ("four", 0.05),
        ("gap", 0.2),
        ("separation", 0.1),
    ):
        assert made[key] == pytest.approx(real[key], rel=tolerance), key
    assert made["gap90"] == pytest.approx(real["gap90"], rel=0.3)


def test_ogle_recipe_samples_as_ogle_did(data_dir):
    recipe = load_recipe("ogle3-lmc")
    for band, name in (("I", "ogle3_lmc_cep_i.h5"), ("V", "ogle3_lmc_cep_v.h5")):
        library = EpochLibrary(data_dir / "lightcurves" / name)
        epochs = [library.of_star(i).mjd for i in range(0, len(library), 15)]
        # the collection joins OGLE-II epochs to many stars: those are not in the recipe
        epochs = [m for m in epochs if m[0] > 52000.0]
        real = summary(epochs, recipe.site.longitude)
        drawn = (recipe.visits(seed=3, index=i) for i in range(100))
        made = summary([v.mjd[v.band == band] for v in drawn], recipe.site.longitude)
        assert made["visits"] == pytest.approx(real["visits"], rel=0.1)
        assert made["single"] == pytest.approx(real["single"], abs=0.03)
        if band == "I":
            assert made["gap"] == pytest.approx(real["gap"], abs=1.0)


GOOD = (recipe_folder() / "css.toml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[moon]", "[mooon]", "unknown key 'mooon'; allowed: name, description"),
        ("loss = 0.85", "los = 0.85", "unknown key 'moon.los'; allowed: loss, sharpness"),
        ("longitude = 149.07", "", "key 'site.longitude' is missing"),
        ("duration = 2870.0", "duration = -5", r"'survey.duration' must lie in \[1, 36525\], received -5"),
        ("duration = 2870.0", "duration = 'long'", "'survey.duration' must be a number"),
        ("duration = 2870.0", "duration = nan", "'survey.duration' must be a number"),
        ("visits = { V = 4 }", "visits = { K = 4 }", r"'blocks\[0\].visits' has the unknown band 'K'"),
        ("visits = { V = 4 }", "visits = { V = 0 }", r"'blocks\[0\].visits.V' must be a whole number"),
        ("visits = { V = 4 }", "visits = {}", r"'blocks\[0\].visits' must name a band"),
        ("per_star = true", "per_star = 1", "'per_star' must be of type bool"),
        ("[site]", "[site", "not a readable recipe"),
    ],
)
def test_a_bad_recipe_names_file_and_key(tmp_path, old, new, words):
    path = tmp_path / "mine.toml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError, match=words) as caught:
        load_recipe(path)
    assert "mine.toml" in str(caught.value)


def test_depths_need_every_band(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD + "[depths.r]\ndepth5 = 24.0\ndesign_seeing = 0.7\nseeing = 0.9\n")
    with pytest.raises(ConfigError, match="lacks the band 'V'"):
        load_recipe(path)


def test_a_recipe_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    mine = load_recipe(path)
    assert mine.name == "mine"
    np.testing.assert_array_equal(mine.visits(seed=1).mjd, load_recipe("css").visits(seed=1).mjd)


def test_names_and_positions_are_checked():
    with pytest.raises(UnknownNameError, match="did you mean 'css'"):
        load_recipe("ccs")
    with pytest.raises(ConfigError, match=r"none.toml: not a readable recipe"):
        load_recipe("none.toml")
    with pytest.raises(InputError, match="dec within"):
        load_recipe("css").visits(ra=5.0, dec=100.0)
    with pytest.raises(InputError, match="seed"):
        load_recipe("css").visits(seed=-1)
