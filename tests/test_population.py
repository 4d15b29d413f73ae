"""The population: fit, conditional draws, tempering, state."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcgen.errors import CheckpointError, InputError, UnknownNameError
from lcgen.population import Population
from lcgen.population.gaussian import ClassMixture, truncated_normal

NAMES = ("period", "teff", "abs_mag")
MEAN = np.array([0.5, 3.76, -2.5])
COV = np.array([[0.04, -0.003, -0.1], [-0.003, 0.0009, 0.005], [-0.1, 0.005, 0.3]])


def mixture(weights, means, covariances, subclass=None, subclasses=("",), width=20.0) -> ClassMixture:
    k = len(weights)
    return ClassMixture(
        parameters=NAMES,
        subclasses=subclasses,
        subclass_index=np.zeros(k, dtype=np.int64) if subclass is None else np.array(subclass),
        available=np.ones((len(subclasses), 3), dtype=bool),
        weights=np.array(weights, dtype=float),
        means=np.array(means, dtype=float),
        covariances=np.array(covariances, dtype=float),
        low=MEAN - width * np.sqrt(np.diag(COV)),
        high=MEAN + width * np.sqrt(np.diag(COV)),
    )


def one_gaussian(width: float = 20.0) -> Population:
    return Population({"CEP": mixture([1.0], [MEAN], [COV], width=width)}, NAMES)


def two_modes(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Stars of two subclasses with a period-luminosity relation each, a third of the values missing."""
    rng = np.random.default_rng(seed)
    first = rng.random(n) < 0.6
    log_p = np.where(first, rng.normal(0.6, 0.2, n), rng.normal(0.2, 0.15, n))
    teff = 10 ** (np.where(first, 3.75, 3.79) - 0.05 * (log_p - 0.4) + rng.normal(0, 0.01, n))
    mag = np.where(first, -1.2 - 2.8 * log_p, -1.7 - 3.2 * log_p) + rng.normal(0, 0.2, n)
    # fainter stars lack a temperature more often: missing at random, given what is observed
    teff[rng.random(n) < np.where(log_p < 0.4, 0.45, 0.2)] = np.nan
    mag[rng.random(n) < 0.3] = np.nan
    mag[np.isnan(teff) & (rng.random(n) < 0.05)] = np.nan
    sub = np.where(first, "F", "1O")
    return {"class": np.full(n, "CEP"), "subclass": sub, "period": 10**log_p, "teff": teff, "abs_mag": mag}


@pytest.fixture(scope="module")
def fitted() -> Population:
    return Population.fit(two_modes(4000), parameters=NAMES, max_components=3)


def test_fit_recovers_mixture_with_missing_values(fitted: Population) -> None:
    rng = np.random.default_rng(1)
    n = 20000
    drawn = fitted.draw(np.full(n, "CEP"), {}, None, rng.random((n, fitted.n_uniforms)))
    assert fitted.subclasses("CEP") == pytest.approx({"F": 0.6, "1O": 0.4}, abs=0.02)
    for name, log_p, scatter, slope, zero, teff in (
        ("F", 0.6, 0.2, -2.8, -1.2, 3.74),
        ("1O", 0.2, 0.15, -3.2, -1.7, 3.80),
    ):
        own = drawn["subclass"] == name
        x = np.log10(drawn["period"][own])
        assert x.mean() == pytest.approx(log_p, abs=0.015)
        assert x.std() == pytest.approx(scatter, rel=0.08)
        fit = np.polyfit(x, drawn["abs_mag"][own], 1)
        assert fit == pytest.approx([slope, zero], abs=0.15)
        assert np.std(drawn["abs_mag"][own] - np.polyval(fit, x)) == pytest.approx(0.2, rel=0.12)
        assert np.log10(drawn["teff"][own]).mean() == pytest.approx(teff, abs=0.003)


def test_missing_values_are_marginalised_not_imputed() -> None:
    """Teff is missing for the cooler stars: the mean of the complete ones would be biased."""
    rng = np.random.default_rng(2)
    n = 4000
    log_p = rng.normal(0.5, 0.2, n)
    log_t = 3.76 - 0.1 * (log_p - 0.5) + rng.normal(0, 0.005, n)
    seen = np.where(log_p < 0.5, log_t, np.nan)
    table = {"class": np.full(n, "CEP"), "period": 10**log_p, "teff": 10**seen}
    population = Population.fit(table, parameters=("period", "teff"), max_components=1)
    config, arrays = population.to_state()
    assert config["classes"]["CEP"]["parameters"] == ["period", "teff"]
    assert arrays["CEP/means"][0, 1] == pytest.approx(log_t.mean(), abs=0.0012)
    assert np.nanmean(seen) - log_t.mean() > 0.01


def test_unlabelled_stars_find_their_subclass() -> None:
    table = two_modes(2000)
    hidden = np.array(table["subclass"])
    hidden[::2] = ""
    population = Population.fit({**table, "subclass": hidden}, parameters=NAMES, max_components=2)
    assert set(population.subclasses("CEP")) == {"F", "1O"}
    assert population.subclasses("CEP")["F"] == pytest.approx(0.6, abs=0.04)


def test_weights_set_the_fractions() -> None:
    table = two_modes(1500)
    weight = np.where(table["subclass"] == "F", 1.0, 3.0)
    population = Population.fit({**table, "weight": weight}, parameters=NAMES, max_components=2)
    assert population.subclasses("CEP")["1O"] == pytest.approx(0.4 * 3 / (0.4 * 3 + 0.6), abs=0.04)


def test_conditional_moments_have_the_closed_form() -> None:
    population = one_gaussian()
    n = 40000
    u = np.random.default_rng(3).random((n, population.n_uniforms))
    drawn = population.draw(np.full(n, "CEP"), {"period": np.full(n, 10**0.8)}, None, u)
    gain = COV[1:, 0] / COV[0, 0]
    mean = MEAN[1:] + gain * (0.8 - MEAN[0])
    cov = COV[1:, 1:] - np.outer(gain, COV[0, 1:])
    values = np.stack([np.log10(drawn["teff"]), drawn["abs_mag"]])
    error = np.sqrt(np.diag(cov) / n)
    assert np.all(np.abs(values.mean(axis=1) - mean) < 4 * error)
    assert np.cov(values) == pytest.approx(cov, rel=0.04, abs=0.02 * np.sqrt(cov[0, 0] * cov[1, 1]))
    assert np.all(drawn["period"] == 10**0.8)


def test_subclass_follows_bayes() -> None:
    shift = np.array([0.3, 0.0, 0.5])
    population = Population({"CEP": mixture([0.7, 0.3], [MEAN, MEAN + shift], [COV, COV], [0, 1], ("F", "1O"))}, NAMES)
    n, log_p = 40000, 0.7
    u = np.random.default_rng(4).random((n, population.n_uniforms))
    drawn = population.draw(np.full(n, "CEP"), {"period": np.full(n, 10**log_p)}, None, u)
    density = [w * np.exp(-0.5 * (log_p - m) ** 2 / 0.04) for w, m in ((0.7, 0.5), (0.3, 0.8))]
    expected = density[0] / sum(density)
    assert np.mean(drawn["subclass"] == "F") == pytest.approx(expected, abs=0.01)
    given_one = population.draw(np.full(9, "CEP"), {}, np.full(9, "1O"), u[:9])
    assert set(given_one["subclass"]) == {"1O"}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_a_star_does_not_depend_on_its_batch(fitted: Population, seed: int, start: int) -> None:
    rng = np.random.default_rng(seed)
    n = 1000
    u = rng.random((n, fitted.n_uniforms))
    known = {p: 10 ** rng.normal(m, 0.1, n) for p, m in (("period", 0.4), ("teff", 3.77))}
    for values in known.values():
        values[rng.random(n) < 0.5] = np.nan
    sub = rng.choice(["", "F", "1O"], n)
    classes = np.full(n, "CEP")
    whole = fitted.draw(classes, known, sub, u)
    for size in (1, 7):
        part = slice(start, start + size)
        few = fitted.draw(classes[part], {k: v[part] for k, v in known.items()}, sub[part], u[part])
        for name, column in few.items():
            assert column.tobytes() == whole[name][part].tobytes()


def test_draws_stay_in_the_domain_and_given_values_are_kept() -> None:
    population = one_gaussian(width=0.8)
    n = 3000
    u = np.random.default_rng(5).random((n, population.n_uniforms))
    u[0], u[1] = 0.0, 1.0 - 2.0**-53
    # 10**3 is fifteen standard deviations out: the conditional of the others lies far outside the domain
    period = np.where(np.arange(n) % 2 == 0, 1e3, np.nan)
    drawn = population.draw(np.full(n, "CEP"), {"period": period}, None, u)
    assert np.all(drawn["period"][::2] == 1e3)
    for name, rows in (("period", slice(1, None, 2)), ("teff", slice(None)), ("abs_mag", slice(None))):
        low, high = population.domain("CEP", name)
        assert np.all((drawn[name][rows] >= low) & (drawn[name][rows] <= high))
    free = drawn["abs_mag"][1::2]
    assert free.std() > 0.1 and np.unique(free).size > 0.99 * free.size


@settings(max_examples=200, deadline=None)
@given(
    st.floats(0, 1, exclude_max=True),
    st.floats(-60, 60),
    st.floats(0.01, 10),
    st.floats(-3, 2.9),
    st.floats(0.05, 4),
)
def test_truncated_normal_inverts_its_distribution(
    u: float, mean: float, sigma: float, low: float, width: float
) -> None:
    from scipy.stats import truncnorm

    high = low + width
    value = truncated_normal(np.array([u]), np.array([mean]), np.array([sigma]), low, high)[0]
    assert low <= value <= high
    a, b = (low - mean) / sigma, (high - mean) / sigma
    if max(abs(a), abs(b)) < 6:
        assert truncnorm.cdf(value, a, b, loc=mean, scale=sigma) == pytest.approx(u, abs=1e-6)


@pytest.mark.parametrize("b", [0.25, 1.0, 4.0])
def test_tempered_is_exact_for_one_gaussian(b: float) -> None:
    population = one_gaussian()
    arrays = population.tempered(b).to_state()[1]
    assert arrays["CEP/means"][0] == pytest.approx(MEAN)
    assert arrays["CEP/covariances"][0] == pytest.approx(COV / b)


def test_tempered_mixture_is_close_to_the_power() -> None:
    """Overlapping components against p^b integrated on a grid, in the period."""
    spread = np.diag([0.04, 0.0009, 0.3])
    means = MEAN + np.array([[0, 0, 0], [0.25, 0, 0], [0.5, 0, 0]])
    scale = np.diag([4.0, 1.0, 1.0])
    population = Population({"CEP": mixture([0.5, 0.3, 0.2], means, [spread, spread / 2, spread @ scale])}, NAMES)
    grid = np.stack(
        np.meshgrid(np.linspace(-1, 2.5, 141), np.linspace(3.6, 3.92, 41), np.linspace(-5.5, 0.5, 41), indexing="ij")
    )
    columns = {"period": 10 ** grid[0].ravel(), "teff": 10 ** grid[1].ravel(), "abs_mag": grid[2].ravel()}
    log_p = population.log_prob("CEP", columns)
    x = grid[0].ravel()
    n = 20000
    u = np.random.default_rng(6).random((n, population.n_uniforms))
    spreads = []
    for b in (0.5, 1.0, 2.0):
        power = np.exp(b * log_p)
        mean = (power @ x) / power.sum()
        spread_b = np.sqrt(power @ (x - mean) ** 2 / power.sum())
        drawn = np.log10(population.tempered(b).draw(np.full(n, "CEP"), {}, None, u)["period"])
        assert drawn.mean() == pytest.approx(mean, abs=0.03)
        assert drawn.std() == pytest.approx(spread_b, rel=0.05)
        spreads.append(drawn.std())
    assert spreads[0] > 1.1 * spreads[1] > 1.1 * 1.1 * spreads[2]


def test_tempered_by_one_is_the_identity(fitted: Population) -> None:
    first, second = fitted.to_state(), fitted.tempered(1.0).to_state()
    assert first[0] == second[0]
    assert all(np.array_equal(first[1][k], second[1][k]) for k in first[1])


def test_log_prob_is_the_density() -> None:
    from scipy.stats import multivariate_normal

    population = Population({"CEP": mixture([0.7, 0.3], [MEAN, MEAN + 0.1], [COV, 2 * COV])}, NAMES)
    columns = {
        "period": [3.0, 3.0, np.nan],
        "teff": [5800.0, np.nan, np.nan],
        "abs_mag": [-2.0, -2.0, np.nan],
    }
    x = np.array([np.log10(3.0), np.log10(5800.0), -2.0])

    def density(dims: list[int]) -> float:
        parts = ((0.7, MEAN, COV), (0.3, MEAN + 0.1, 2 * COV))
        return sum(w * multivariate_normal(m[dims], c[np.ix_(dims, dims)]).pdf(x[dims]) for w, m, c in parts)

    expected = [np.log(density([0, 1, 2])), np.log(density([0, 2])), 0.0]
    assert population.log_prob("CEP", columns) == pytest.approx(expected, abs=1e-10)


def test_state_round_trip_is_exact(fitted: Population) -> None:
    config, arrays = fitted.to_state()
    again = Population.from_state(json.loads(json.dumps(config)), {k: v.copy() for k, v in arrays.items()})
    u = np.random.default_rng(7).random((50, fitted.n_uniforms))
    a, b = (p.draw(np.full(50, "CEP"), {}, None, u) for p in (fitted, again))
    assert all(a[k].tobytes() == b[k].tobytes() for k in a)
    arrays.pop("CEP/means")
    with pytest.raises(CheckpointError, match="CEP/means"):
        Population.from_state(config, arrays)
    with pytest.raises(CheckpointError, match="format 99"):
        Population.from_state({**config, "format": 99}, arrays)


def test_a_subclass_without_a_parameter_says_so() -> None:
    table = two_modes(1500)
    table["teff"][table["subclass"] == "1O"] = np.nan
    population = Population.fit(table, parameters=NAMES, max_components=2)
    assert population.parameters_of("CEP", "1O") == ("period", "abs_mag")
    assert population.parameters_of("CEP", "F") == population.parameters_of("CEP") == NAMES
    n = 4000
    u = np.random.default_rng(8).random((n, population.n_uniforms))
    drawn = population.draw(np.full(n, "CEP"), {}, None, u)
    assert np.array_equal(np.isnan(drawn["teff"]), drawn["subclass"] == "1O")
    assert np.all(np.isfinite(drawn["abs_mag"]))
    # a temperature says nothing about the subclass then
    warm = population.draw(np.full(n, "CEP"), {"teff": np.full(n, 6200.0)}, None, u)
    assert np.mean(warm["subclass"] == "1O") == pytest.approx(0.4, abs=0.04)


def test_rare_parameters_are_left_out() -> None:
    table = two_modes(300)
    fe_h = np.full(300, np.nan)
    fe_h[:10] = -1.0
    population = Population.fit({**table, "fe_h": fe_h}, max_components=2, min_stars=15)
    assert population.parameters_of("CEP") == NAMES
    drawn = population.draw(["CEP"], {}, None, np.full((1, population.n_uniforms), 0.5))
    assert np.isnan(drawn["fe_h"][0]) and np.isfinite(drawn["period"][0])
    with pytest.raises(UnknownNameError, match="fe_h"):
        population.domain("CEP", "fe_h")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": ["QSO"]}, "unknown class 'QSO'"),
        ({"known": {"colour": [1.0]}}, "unknown parameter 'colour'"),
        ({"known": {"period": [-1.0]}}, "period = -1"),
        ({"known": {"period": [np.inf]}}, "period = inf"),
        ({"known": {"period": [1.0, 2.0]}}, "shape"),
        ({"subclass": ["RRab"]}, "unknown subclass 'RRab'"),
        ({"uniforms": np.zeros((1, 2))}, "uniforms have shape"),
        ({"uniforms": np.ones((1, 4))}, "lie in"),
    ],
)
def test_bad_input_is_refused(fitted: Population, arguments: dict, message: str) -> None:
    good = {"classes": ["CEP"], "known": {}, "subclass": None, "uniforms": np.full((1, 4), 0.5)}
    with pytest.raises(InputError, match=message):
        fitted.draw(**{**good, **arguments})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"period": [1.0]}, "lack 'class'"),
        ({"class": ["CEP"] * 3, "period": [1.0] * 3}, "no class"),
        ({"class": ["CEP"] * 20, "period": [1.0] * 3}, "shape"),
        ({"class": ["QSO"] * 20, "period": [1.0] * 20}, "unknown class"),
        ({"class": ["CEP"] * 20, "period": [1.0] * 20, "weight": [0.0] * 20}, "weights"),
        ({"class": ["CEP"] * 20}, "none of the columns"),
    ],
)
def test_bad_tables_are_refused(table: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Population.fit(table)


def test_bad_powers_are_refused(fitted: Population) -> None:
    for b in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InputError, match="b must be"):
            fitted.tempered(b)


def test_identical_stars_can_be_fitted() -> None:
    population = Population.fit({"class": ["ELL"] * 20, "period": [0.4] * 20})
    drawn = population.draw(["ELL"], {}, None, np.full((1, population.n_uniforms), 0.3))
    assert drawn["period"][0] == pytest.approx(0.4, rel=1e-4)
