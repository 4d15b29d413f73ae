"""The published regressors: what they learn, what they store, and the table that compares them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lcgen.latent
from lcgen.errors import CheckpointError, InputError, UnknownNameError
from lcgen.latent import (
    FeatureSpec,
    ForestRegressor,
    LatentRegressor,
    LinearRegressor,
    MLPRegressor,
    feature_matrix,
    make_regressor,
    regression_table,
    regressor_from_state,
)

NAMES = ("linear", "forest", "mlp")
OPTIONS = {"linear": {}, "forest": {"n_trees": 20, "min_samples_leaf": 2}, "mlp": {"hidden": (32, 32)}}


def linear_problem(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)) * [1.0, 10.0, 0.1] + [0.0, 100.0, 5.0]
    return x, np.stack([x[:, 0] - 0.1 * x[:, 1], 20 * x[:, 2] + 3], axis=1)


def curved_problem(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(seed).uniform(-1, 1, size=(n, 2))
    return x, np.stack([np.sin(3 * x[:, 0]), np.abs(x[:, 1])], axis=1)


@pytest.fixture(scope="module")
def fitted() -> dict[str, LatentRegressor]:
    x, y = curved_problem(600, 1)
    return {name: make_regressor(name, **OPTIONS[name]).fit(x, y, seed=1) for name in NAMES}


def r2(regressor: LatentRegressor, x: np.ndarray, y: np.ndarray) -> float:
    return 1.0 - float(np.sum((y - regressor.predict(x)) ** 2) / np.sum((y - y.mean(axis=0)) ** 2))


@pytest.mark.parametrize("name", NAMES)
def test_contract(name: str, fitted: dict[str, LatentRegressor]) -> None:
    regressor = fitted[name]
    assert isinstance(regressor, LatentRegressor)
    assert regressor.name == name
    x, y = curved_problem(50, 2)
    before = regressor.predict(x)
    assert before.shape == y.shape
    config, arrays = regressor.to_state()
    config = json.loads(json.dumps(config))
    assert all(a.dtype.kind in "if" for a in arrays.values())
    back = regressor_from_state(config, arrays)
    np.testing.assert_array_equal(back.predict(x), before)
    uniforms = np.random.default_rng(1).random((50, 3))
    np.testing.assert_array_equal(back.sample(x, uniforms), regressor.sample(x, uniforms))
    refit = make_regressor(name, **OPTIONS[name]).fit(*curved_problem(600, 1), seed=1)
    np.testing.assert_array_equal(refit.predict(x), before)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_does_not_depend_on_the_others(name: str, fitted: dict[str, LatentRegressor]) -> None:
    x, _ = curved_problem(1000, 3)
    uniforms = np.random.default_rng(2).random((1000, 3))
    whole, drawn = fitted[name].predict(x), fitted[name].sample(x, uniforms)
    for size in (1, 7, 64):
        rows = slice(120, 120 + size)
        np.testing.assert_array_equal(fitted[name].predict(x[rows]), whole[rows])
        np.testing.assert_array_equal(fitted[name].sample(x[rows], uniforms[rows]), drawn[rows])
    turned = fitted[name].predict(np.asfortranarray(x[::-1]))
    np.testing.assert_array_equal(turned[::-1], whole)


def test_linear_recovers_a_linear_function() -> None:
    regressor = LinearRegressor().fit(*linear_problem(200, 1), seed=1)
    x, y = linear_problem(50, 2)
    np.testing.assert_allclose(regressor.predict(x), y, atol=1e-9)


def test_linear_takes_one_hot_columns() -> None:
    classes = np.repeat(np.arange(3), 20)
    x = np.eye(3)[classes]
    y = np.array([[1.0], [5.0], [-2.0]])[classes]
    regressor = LinearRegressor(extra_uniform=False).fit(x, y, seed=1)
    np.testing.assert_allclose(regressor.predict(np.eye(3)), [[1.0], [5.0], [-2.0]], atol=1e-9)


def test_forest_and_mlp_recover_a_curved_function_that_a_line_does_not(
    fitted: dict[str, LatentRegressor],
) -> None:
    x, y = curved_problem(300, 4)
    assert r2(fitted["forest"], x, y) > 0.95
    assert r2(fitted["mlp"], x, y) > 0.97
    assert r2(fitted["linear"], x, y) < 0.9


def test_forest_equals_scikit_learn() -> None:
    from sklearn.ensemble import RandomForestRegressor

    from lcgen.rng import stream

    x, y = curved_problem(300, 5)
    for targets in (y, y[:, :1]):
        ours = ForestRegressor(n_trees=10, min_samples_leaf=1, extra_uniform=False).fit(x, targets, seed=7)
        theirs = RandomForestRegressor(
            n_estimators=10,
            min_samples_leaf=1,
            random_state=int(stream(7, "latent/forest").integers(2**32)),
        )
        theirs.fit(x, targets if targets.shape[1] > 1 else targets[:, 0])
        new, _ = curved_problem(500, 6)
        expected = theirs.predict(new).reshape(500, -1)
        np.testing.assert_allclose(ours.predict(new), expected, rtol=1e-13, atol=1e-13)


def test_the_extra_uniform_number_spreads_samples_less_than_the_truth() -> None:
    """It tells nothing about the targets: a regressor reacts to it only as far as it fits the noise."""
    x, y = curved_problem(600, 7)
    noisy = y + 0.3 * np.random.default_rng(4).normal(size=y.shape)
    same, uniforms = np.zeros((400, 2)), np.random.default_rng(3).random((400, 3))

    def spread(regressor: LatentRegressor) -> float:
        return float(regressor.fit(x, noisy, seed=1).sample(same, uniforms).std(axis=0).mean())

    assert 0.01 < spread(ForestRegressor(n_trees=20, min_samples_leaf=1)) < 0.2
    assert spread(LinearRegressor()) < 0.1
    assert spread(ForestRegressor(n_trees=20, min_samples_leaf=1, extra_uniform=False)) < 1e-12


def test_bad_arguments_are_refused(fitted: dict[str, LatentRegressor]) -> None:
    x, y = curved_problem(20, 8)
    for call, match in (
        (lambda: LinearRegressor().predict(x), "not fitted"),
        (lambda: LinearRegressor().fit(x, y[:5], seed=1), "20 rows"),
        (lambda: LinearRegressor().fit(np.where(x > 0, np.nan, x), y, seed=1), "finite"),
        (lambda: LinearRegressor().fit(x[0], y[0], seed=1), "two-dimensional"),
        (lambda: LinearRegressor().fit(x[:1], y[:1], seed=1), "two rows"),
        (lambda: fitted["linear"].predict(x[:, :1]), "1 columns"),
        (lambda: fitted["linear"].predict(0.5), "two-dimensional"),
        (lambda: fitted["linear"].sample(x, np.zeros((20, 2))), "uniforms"),
        (lambda: ForestRegressor(n_trees=0), "n_trees"),
        (lambda: MLPRegressor(hidden=()), "hidden"),
        (lambda: make_regressor("linear", n_trees=3), "n_trees"),
    ):
        with pytest.raises(InputError, match=match):
            call()
    with pytest.raises(UnknownNameError, match="boosting"):
        make_regressor("boosting")


@pytest.mark.parametrize("name", NAMES)
def test_damaged_states_are_refused(name: str, fitted: dict[str, LatentRegressor]) -> None:
    config, arrays = fitted[name].to_state()
    for key in arrays:
        with pytest.raises(CheckpointError):
            regressor_from_state(config, {k: v for k, v in arrays.items() if k != key})
    for wrong in ({**config, "name": "boosting"}, {**config, "depth": 3}, {"name": name}):
        with pytest.raises(CheckpointError):
            regressor_from_state(wrong, arrays)
    with pytest.raises(CheckpointError):
        (ForestRegressor if name != "forest" else LinearRegressor).from_state(config, arrays)


def test_a_forest_with_a_loop_is_refused(fitted: dict[str, LatentRegressor]) -> None:
    config, arrays = fitted["forest"].to_state()
    looped = arrays["left"].copy()
    looped[5] = 0
    with pytest.raises(CheckpointError, match="left"):
        regressor_from_state(config, {**arrays, "left": looped})


def test_names_are_exported() -> None:
    for name in lcgen.latent.__all__:
        assert getattr(lcgen.latent, name) is not None
    with pytest.raises(AttributeError):
        _ = lcgen.latent.nothing  # type: ignore[attr-defined]


# -------------------------------------------------------------------------------- features
def test_one_extreme_period_does_not_squeeze_the_rest() -> None:
    period = np.append(np.random.default_rng(1).uniform(0.4, 0.7, 500), 10_000.0)
    spec = FeatureSpec.fit({"period": period})
    column = feature_matrix(["RRLYR"] * 501, {"period": period}, spec=spec)[:, spec.columns.index("period")]
    assert np.ptp(column[:-1]) > 2.0
    assert np.isfinite(column[-1])


@given(
    st.lists(st.one_of(st.floats(0.01, 1000.0), st.just(float("nan"))), min_size=1, max_size=8),
    st.floats(0.0, 1.0),
)
def test_features_hold_what_was_given(periods: list[float], uniform: float) -> None:
    n = len(periods)
    spec = FeatureSpec(
        classes=("CEP", "RRLYR"), parameters=("period", "abs_mag"), centers=(0.5, -1.0), scales=(0.7, 2.0)
    )
    out = feature_matrix(["RRLYR"] * n, {"period": periods}, spec=spec, uniform=np.full(n, uniform))
    assert out.shape == (n, len(spec.columns) + 1)
    columns = dict(zip((*spec.columns, "uniform"), out.T, strict=True))
    assert np.all(columns["class:RRLYR"] == 1)
    assert np.all(columns["class:CEP"] == 0)
    assert np.all(columns["missing:abs_mag"] == 1)
    assert np.all(columns["abs_mag"] == 0)
    assert np.all(columns["uniform"] == uniform)
    missing = np.isnan(periods)
    np.testing.assert_array_equal(columns["missing:period"], missing)
    back = 10 ** (columns["period"] * 0.7 + 0.5)
    np.testing.assert_allclose(back[~missing], np.asarray(periods)[~missing], rtol=1e-9)
    assert np.all(columns["period"][missing] == 0)


def test_feature_spec_survives_json_and_names_its_columns() -> None:
    params = {"period": [0.5, 0.6, np.nan], "teff": [6500.0, 7000.0, 6800.0]}
    spec = FeatureSpec.fit(params, classes=("RRLYR",))
    assert FeatureSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    assert [spec.columns[i] for i in spec.physical_columns] == [
        "period",
        "teff",
        "missing:period",
        "missing:teff",
    ]
    with pytest.raises(CheckpointError):
        FeatureSpec.from_dict({"classes": ["CEP"]})


def test_bad_parameters_are_refused() -> None:
    spec = FeatureSpec.fit({"period": [0.5, 0.6]})
    with pytest.raises(UnknownNameError, match="RRLYRAE"):
        feature_matrix(["RRLYRAE"], {"period": [0.5]}, spec=spec)
    for periods, match in (([0.5, 0.6], "stars"), ([-1.0], "-1"), ([np.inf], "inf")):
        with pytest.raises(InputError, match=match):
            feature_matrix(["CEP"], {"period": periods}, spec=spec)
    with pytest.raises(InputError, match="teff"):
        FeatureSpec.fit({"period": [1.0]}, parameters=("teff",))
    with pytest.raises(InputError, match="no star"):
        FeatureSpec.fit({"period": [np.nan]})
    with pytest.raises(UnknownNameError, match="colour"):
        FeatureSpec.fit({"colour": [1.0]})


# -------------------------------------------------------------------------------- the table
def test_the_table_shows_the_leak() -> None:
    """Latents that have nothing to do with the parameters, in ten nearly equal rows a star."""
    rng = np.random.default_rng(11)
    n_stars, repeats = 150, 10
    star = np.repeat(np.arange(n_stars), repeats)
    physical = rng.normal(size=(n_stars, 3))[star] + 1e-3 * rng.normal(size=(star.size, 3))
    latent = rng.normal(size=(n_stars, 2))[star] + 0.05 * rng.normal(size=(star.size, 2))
    features = np.concatenate([np.eye(2)[star % 2], physical], axis=1)
    table = regression_table(
        features,
        latent,
        star,
        regressors=[LinearRegressor(), ForestRegressor(n_trees=15, min_samples_leaf=1, extra_uniform=False)],
        seed=1,
        n_splits=3,
        physical_columns=(2, 3, 4),
    )
    assert (table.n_rows, table.n_stars, len(table)) == (1500, 150, 4)
    assert table.baseline_rmse == pytest.approx(1.0, abs=0.1)
    rows = {(row.regressor, row.physical): row for row in table}
    forest = rows["forest", True]
    assert forest.r2_in_sample > 0.95
    assert forest.r2_leaky > 0.9
    # no better than a constant; worse, as it repeats the noise of its neighbours
    assert -0.6 < forest.r2_unseen < 0.05
    assert abs(rows["linear", True].r2_unseen) < 0.1
    assert abs(rows["linear", True].r2_leaky) < 0.1
    # without the parameters there is nothing by which to recognise a star
    assert abs(rows["forest", False].r2_leaky) < 0.1
    assert forest.r2_unseen == pytest.approx(1 - (forest.rmse_unseen / table.baseline_rmse) ** 2)

    text = table.to_markdown()
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 4
    assert {line.count("|") for line in lines} == {9}
    assert f"{forest.r2_unseen:.3f}" in text
    assert "1500 rows of 150 stars" in text
    assert json.loads(json.dumps(table.to_dict()))["rows"][0]["regressor"] == "linear"


def test_the_table_shows_what_the_parameters_do_tell() -> None:
    x, y = curved_problem(300, 12)
    features = np.concatenate([np.ones((300, 1)), x], axis=1)
    regressor = LinearRegressor()
    table = regression_table(
        features, y, np.arange(300), regressors=[regressor], seed=2, n_splits=3, physical_columns=(1, 2)
    )
    without, with_ = table.rows
    assert (without.physical, with_.physical) == (False, True)
    assert abs(without.r2_unseen) < 0.1
    assert with_.r2_unseen > 0.5
    # one row a star: both splits are of the same kind
    assert with_.r2_unseen == pytest.approx(with_.r2_leaky, abs=0.05)
    with pytest.raises(InputError, match="not fitted"):
        regressor.predict(features)


def test_the_extra_uniform_number_identifies_the_rows_of_the_fit() -> None:
    """Pure noise, no parameters at all: the published kind of score is high all the same."""
    y = np.random.default_rng(14).normal(size=(300, 2))
    forest = ForestRegressor(n_trees=15, min_samples_leaf=1)
    (row,) = regression_table(np.ones((300, 1)), y, np.arange(300), regressors=[forest], seed=3, n_splits=3)
    assert row.r2_in_sample > 0.7
    assert row.r2_unseen < 0.05
    assert forest.extra_uniform


def test_bad_tables_are_refused() -> None:
    x, y = curved_problem(20, 13)
    star = np.arange(20)
    for kwargs, match in (
        ({"star_ids": star[:3]}, "shapes"),
        ({"regressors": []}, "regressor"),
        ({"n_splits": 30}, "n_splits"),
        ({"physical_columns": (5,)}, "column 5"),
    ):
        options = {"star_ids": star, "regressors": [LinearRegressor()], "seed": 1, **kwargs}
        with pytest.raises(InputError, match=match):
            regression_table(x, y, **options)
