"""``gen.sample``, ``gen.draw`` and ``stars.observe``: what they take, what they give, and what they refuse."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable, Table
from astropy.time import Time

import lcgen
from lcgen import DomainError, InputError, LightCurve, LightCurves, Stars, UnitError, UnknownNameError
from lcgen.cadence import from_arrays
from lcgen.observe import NoiseRequest
from lcgen.observe.noise import NoisyPhotometry
from lcgen.photometry import BANDS, mag_to_flux

TIMES = np.linspace(60000.0, 60030.0, 12)


@pytest.fixture(scope="module")
def gen(tiny_generator: lcgen.LightCurveGenerator) -> lcgen.LightCurveGenerator:
    return tiny_generator


# ---------------------------------------------------------------------- what it is
def test_it_says_what_it_knows(gen: Any) -> None:
    assert gen.classes == lcgen.CLASSES
    assert gen.parameters == ("period", "teff", "abs_mag", "fe_h", "logg", "radius")
    assert gen.trained_bands == ("V", "I") == gen.bands[:2]
    assert set(gen.bands) == set(BANDS)
    assert {"RRab", "RRc"} <= set(gen.subclasses["RRLYR"])
    assert {"EA", "EB", "EW"} >= set(gen.subclasses["ECL"]) > set()
    assert gen.band_source("CEP", "I") == "learned"
    assert gen.band_source("ECL", "I") == "extrapolated"
    assert gen.band_source("DSCT", "I") == "transferred"
    for cls in gen.classes:
        low, high = gen.domain(cls, "period")
        assert 0 < low < high
        assert "period" in gen.influences(cls)
    assert len(gen.sha256) == 64
    assert gen.card.startswith("#")
    for ask in (lambda: gen.domain("RRLYRAE", "period"), lambda: gen.domain("CEP", "mass")):
        with pytest.raises(UnknownNameError):
            ask()
    with pytest.raises(UnknownNameError, match="allowed: V, I, u"):
        gen.band_source("CEP", "K")


def test_the_shipped_model_is_whole(shipped_generator: Any) -> None:
    assert shipped_generator.classes == lcgen.CLASSES
    assert shipped_generator.trained_bands == ("V", "I")
    assert "RRLYR" in shipped_generator.card
    curve = shipped_generator.sample("RRLYR", {"period": 0.55, "teff": 6500.0, "abs_mag": 0.6}, TIMES, seed=7)
    assert isinstance(curve, LightCurve)
    assert np.isfinite(curve.mag).all()


def test_shipped_shapes_look_like_their_class(shipped_generator: Any) -> None:
    """The marks by which people tell the classes apart, in the median of 200 stars."""
    gen = shipped_generator

    def folded(cls: str, subclass: str | None = None) -> np.ndarray:
        return gen.draw(cls, 200, subclass=subclass, seed=1).template(256)

    def rise(curves: np.ndarray) -> float:
        """Share of the cycle from faintest to brightest."""
        return float(np.median(((curves.argmin(axis=1) - curves.argmax(axis=1)) % 256) / 256))

    def second_over_first(curves: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(curves, axis=1))
        return float(np.median(power[:, 2] / power[:, 1]))

    assert rise(folded("RRLYR", "RRab")) < 0.35 < rise(folded("RRLYR", "RRc")) < 0.6
    assert second_over_first(folded("RRLYR", "RRc")) < 0.5 * second_over_first(folded("RRLYR", "RRab"))
    assert second_over_first(folded("CEP", "1O")) < 0.75 * second_over_first(folded("CEP", "F"))
    for cls, subclass in (("ECL", "EW"), ("ECL", "EA"), ("ELL", None)):
        assert second_over_first(folded(cls, subclass)) > 1.5, (cls, subclass)
    detached = folded("ECL", "EA")
    below_half = (detached > 0.5 * detached.max(axis=1, keepdims=True)).mean(axis=1)
    assert np.median(below_half) < 0.25  # eclipses take a small part of the cycle
    assert np.mean(np.minimum(detached.argmax(axis=1), 256 - detached.argmax(axis=1)) < 20) > 0.9


@pytest.mark.parametrize("parameter", ["period", "teff", "abs_mag"])
def test_parameters_that_the_data_support_move_the_shipped_curves(shipped_generator: Any, parameter: str) -> None:
    gen, n = shipped_generator, 100
    for cls in gen.classes:
        if parameter not in gen.influences(cls):
            continue
        low, high = (np.nanquantile(gen.draw(cls, 400, seed=2).columns[parameter], q) for q in (0.05, 0.95))
        # the same random numbers, so that only the parameter differs
        a, b = (gen.draw(cls, n, params={"period": _typical(gen, cls)} | {parameter: v}, seed=3) for v in (low, high))
        change = np.sqrt(np.mean((a.template() - b.template()) ** 2, axis=1)) / a.columns["amplitude"]
        assert np.mean(change) > 0.01, cls  # many RRc stars stay: their shape says little of luminosity
    assert parameter in gen.influences("CEP")


def _typical(gen: Any, cls: str) -> float:
    return float(np.median(gen.draw(cls, 200, seed=4).columns["period"]))


def test_a_repeated_load_gives_the_same_generator(tiny_model: Path) -> None:
    one, two = (lcgen.load_generator(tiny_model).draw("T2CEP", 3, seed=1) for _ in range(2))
    assert one.template().tobytes() == two.template().tobytes()


def test_save_and_load_keep_every_byte(gen: Any, tmp_path: Path) -> None:
    folder = gen.save(tmp_path / "copy", card="# a card")
    copy = lcgen.load_generator(folder)
    assert copy.card == "# a card"
    classes = np.resize(gen.classes, 40)
    a, b = gen.draw(classes, seed=9), copy.draw(classes, seed=9)
    for name, column in a.columns.items():
        assert column.tobytes() == b.columns[name].tobytes(), name
    for band in gen.bands:
        assert a.template(band=band).tobytes() == b.template(band=band).tobytes()
    assert copy.sha256 == gen.sha256
    assert gen.save(folder) == folder  # an existing one is replaced
    assert lcgen.load_generator(folder).card == ""


@pytest.mark.parametrize("part", ["model.", "latent.", "population."])
@pytest.mark.parametrize("fault", ["missing", "shape", "not finite"])
def test_a_checkpoint_with_a_faulty_part_is_refused(tiny_model: Path, tmp_path: Path, part: str, fault: str) -> None:
    from safetensors.numpy import load_file, save_file

    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    weights = load_file(folder / "weights.safetensors")
    name = next(k for k in weights if k.startswith(part) and weights[k].dtype.kind == "f" and weights[k].size > 1)
    if fault == "missing":
        del weights[name]
    elif fault == "shape":
        weights[name] = np.ascontiguousarray(weights[name].ravel()[:-1])
    else:
        weights[name] = np.full_like(weights[name], np.nan)
    save_file(weights, folder / "weights.safetensors")
    with pytest.raises(lcgen.DataError) as caught:
        lcgen.load_generator(folder)
    if fault == "not finite":
        assert name in str(caught.value)


# ---------------------------------------------------------------------- one star or many
def test_scalars_give_one_light_curve(gen: Any) -> None:
    curve = gen.sample("RRLYR", {"period": 0.55, "teff": 6500.0, "abs_mag": 0.6}, TIMES, seed=7)
    assert isinstance(curve, LightCurve)
    assert curve.mjd.tolist() == TIMES.tolist()
    assert set(curve.band) == {"V"}
    assert (curve.mag_err == 0).all()
    assert curve.star["period"] == 0.55
    assert curve.star["class"] == "RRLYR"
    np.testing.assert_allclose(curve.flux, mag_to_flux(curve.mag, "V"))
    assert ((curve.phase() >= 0) & (curve.phase() < 1)).all()


@pytest.mark.parametrize(
    ("classes", "params", "n"),
    [
        ("CEP", {"period": [3.0, 4.0, 5.0]}, 3),
        (["CEP", "RRLYR"], {}, 2),
        (["CEP", "RRLYR"], None, 2),
        (("CEP",), {"period": 3.0}, 1),
        (np.array(["CEP", "ECL"]), {"period": np.array([3.0, 0.4])}, 2),
        ("CEP", {"period": np.float32(3.0)}, None),
        ("CEP", {"period": np.array(3.0)}, None),
        (np.str_("CEP"), {}, None),
    ],
)
def test_arrays_give_light_curves(gen: Any, classes: Any, params: Any, n: int | None) -> None:
    out = gen.sample(classes, params, TIMES, seed=1)
    if n is None:
        assert isinstance(out, LightCurve)
        return
    assert isinstance(out, LightCurves)
    assert len(out) == n
    assert np.diff(out.offsets).tolist() == [TIMES.size] * n
    assert len(out.stars) == n


PERIODS = [0.5, 0.6, 0.7]


@pytest.mark.parametrize(
    "params",
    [
        {"period": PERIODS, "teff": [6500.0, np.nan, 6800.0]},
        {"period": np.array(PERIODS) * u.day, "teff": [6500.0, np.nan, 6800.0] * u.K},
        {"period": np.array(PERIODS) * 24 * u.hour, "teff": np.array([6.5, np.nan, 6.8]) * u.kK},
        {"period": PERIODS, "teff": [6500.0, None, 6800.0]},
        {"period": PERIODS, "teff": np.ma.array([6500.0, 9000.0, 6800.0], mask=[False, True, False])},
        {"period": PERIODS, "teff": np.ma.array([6500, 9000, 6800], mask=[False, True, False])},
        Table({"period": PERIODS, "teff": [6500.0, np.nan, 6800.0]}),
        Table({"period": PERIODS, "teff": MaskedColumn([6500.0, 9e99, 6800.0], mask=[False, True, False])}),
        Table({"period": PERIODS, "teff": MaskedColumn([6500.0, 9000.0, 6800.0], mask=[0, 1, 0], unit="K")}),
        Table([np.array(PERIODS) * 24, [6500.0, np.nan, 6800.0]], names=["period", "teff"], units=["h", "K"]),
        QTable({"period": np.array(PERIODS) * 1440 * u.min, "teff": [6500.0, np.nan, 6800.0] * u.K}),
        QTable(
            Table(
                {
                    "period": PERIODS * u.day,
                    "teff": MaskedColumn([6500.0, 9000.0, 6800.0], mask=[False, True, False], unit="K"),
                }
            )
        ),
        pd.DataFrame({"period": PERIODS, "teff": [6500.0, None, 6800.0]}, index=[7, 3, 5]),
        pd.DataFrame({"period": PERIODS, "teff": pd.array([6500, None, 6800], dtype="Int64")}),
        np.array([(0.5, 6500.0), (0.6, np.nan), (0.7, 6800.0)], dtype=[("period", "f8"), ("teff", "f4")]),
    ],
    ids=lambda p: type(p).__name__,
)
def test_every_way_to_give_parameters_means_the_same(gen: Any, params: Any) -> None:
    drawn = gen.draw("RRLYR", params=params, seed=2)
    reference = gen.draw("RRLYR", params={"period": PERIODS, "teff": [6500.0, np.nan, 6800.0]}, seed=2)
    np.testing.assert_allclose(drawn.columns["period"], PERIODS, rtol=1e-12)
    assert drawn.columns["teff"][[0, 2]].tolist() == [6500.0, 6800.0]
    for name in ("teff", "abs_mag", "amplitude", "t0"):
        np.testing.assert_allclose(drawn.columns[name], reference.columns[name], rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(drawn.template(), reference.template(), atol=1e-6)


def test_rows_of_tables_are_one_star(gen: Any) -> None:
    table = Table({"period": PERIODS, "teff": [6500.0, 6600.0, 6800.0]})
    record = np.array([(0.5, 6500.0)], dtype=[("period", "f8"), ("teff", "f8")])[0]
    for row in (table[0], record):
        curve = gen.sample("RRLYR", row, TIMES, seed=3)
        assert isinstance(curve, LightCurve)
        assert curve.star["teff"] == 6500.0


def test_a_table_of_stars_can_be_given_back(gen: Any) -> None:
    stars = gen.draw(["RRLYR", "CEP"], seed=4)
    table = stars.table
    again = gen.draw(table["class"], params=table[["period", "teff", "abs_mag", "amplitude", "t0", "subclass"]], seed=5)
    assert again.columns["subclass"].tolist() == stars.columns["subclass"].tolist()
    np.testing.assert_allclose(again.columns["amplitude"], stars.columns["amplitude"], rtol=1e-9)


def test_other_units_are_converted(gen: Any) -> None:
    params = {
        **{"distance": 49.6 * u.kpc, "ra": 5.3 * u.hourangle, "dec": -69.0 * u.deg, "amplitude": 300 * u.mmag},
        **{"a_v": 0.2 * u.mag, "t0": Time(60010.5, format="mjd").mjd * u.day, "fe_h": -1.5 * u.dex},
        "logg": 2.7 * u.dex(u.cm / u.s**2),
    }
    row = gen.draw("RRLYR", params=params, seed=6).columns
    expected = {"distance": 49600.0, "ra": 79.5, "dec": -69.0, "amplitude": 0.3, "a_v": 0.2, "t0": 60010.5}
    for name, value in (expected | {"fe_h": -1.5, "logg": 2.7}).items():
        assert row[name][0] == pytest.approx(value), name


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"period": 3.0 * u.m}, "period is in m, which cannot be converted into d"),
        ({"teff": 6000 * u.deg_C}, "teff is in deg_C"),
        ({"abs_mag": 0.5 * u.day}, "abs_mag is in d"),
        ({"fe_h": -1.0 * u.K}, "without unit"),
        ({"radius": 5 * u.kg}, "solRad"),
        (Table({"period": [0.5]}, units=["K"]), "period is in K"),
        (QTable({"distance": [3.0] * u.s}), "distance is in s"),
    ],
)
def test_wrong_units(gen: Any, params: Any, text: str) -> None:
    with pytest.raises(UnitError, match=text):
        gen.draw("RRLYR", params=params)


def test_times_in_wrong_units(gen: Any) -> None:
    with pytest.raises(UnitError, match="times are in K"):
        gen.sample("RRLYR", {}, TIMES * u.K)


# ---------------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (("RRLYRAE",), UnknownNameError, "unknown class 'RRLYRAE' .did you mean 'RRLYR'"),
        ((["CEP", ""],), UnknownNameError, "unknown class ''"),
        ((3,), InputError, "classes must be a name"),
        (([["CEP"]],), InputError, "classes must be a name"),
        (("CEP", -1), InputError, "whole number of at least 0, received -1"),
        (("CEP", 2.5), InputError, "received 2.5"),
        (("CEP", True), InputError, "received True"),
        ((["CEP", "ECL"], 3), InputError, "lengths disagree: classes has 2, n has 3"),
        (("CEP", 2, {"period": [1.0, 2.0, 3.0]}), InputError, "period has 3"),
        (("CEP", 2, {"perid": 1.0}), UnknownNameError, "unknown parameter 'perid' .did you mean 'period'"),
        (("CEP", 2, {"period": "long"}), InputError, "period must be numbers"),
        (("CEP", 2, {"period": [[1.0, 2.0]]}), InputError, "one-dimensional"),
        (("CEP", 2, [1.0, 2.0]), InputError, "params must be a mapping"),
        (("CEP", 1, {"period": 1 + 2j}), InputError, "period must be numbers"),
        (("CEP", 1, {"period": 0.0}), DomainError, "period = 0 is outside .0.001, 100000."),
        (("CEP", 1, {"period": -3.0}), DomainError, "period = -3"),
        (("CEP", 1, {"period": np.inf}), DomainError, "period = inf"),
        (("CEP", 1, {"period": 1e9}), DomainError, "1e.09"),
        (("CEP", 1, {"dec": -91.0}), DomainError, "dec = -91"),
        (("CEP", 1, {"amplitude": 0.0}), DomainError, "amplitude = 0"),
        (("CEP", 1, {"distance": -10.0}), DomainError, "distance = -10"),
        (("CEP", 1, {"a_v": -0.1}), DomainError, "a_v"),
    ],
)
def test_bad_requests(gen: Any, arguments: tuple, error: type[Exception], text: str) -> None:
    cls, n, params = (*arguments, None, None)[:3]
    with pytest.raises(error, match=text):
        gen.draw(cls, n, params=params, seed=1, extrapolate=True)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"seed": -1}, "seed must lie in"),
        ({"seed": 2**63}, "seed must lie in"),
        ({"seed": 1.5}, "whole number"),
        ({"first_id": -1}, "first_id"),
        ({"first_id": 0.5}, "first_id"),
        ({"first_id": 2**63}, "first_id"),
        ({"temper": 0.0}, "positive"),
        ({"temper": np.nan}, "positive"),
        ({"temper": -1.0}, "positive"),
        ({"subclass": "EA"}, "unknown subclass of CEP 'EA'"),
        ({"subclass": 3}, "subclass must be a name"),
        ({"subclass": ["F", "F", "F"]}, "lengths disagree"),
    ],
)
def test_bad_options(gen: Any, options: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        gen.draw("CEP", 2, **options)


def test_the_domain_is_named_with_value_and_limits(gen: Any) -> None:
    low, high = gen.domain("RRLYR", "period")
    with pytest.raises(DomainError) as caught:
        gen.draw(["CEP", "RRLYR"], params={"period": [5.0, 50.0]})
    error = caught.value
    assert (error.parameter, error.value, error.low, error.high) == ("period", 50.0, low, high)
    for part in ("period = 50", f"[{low:g}, {high:g}]", "class RRLYR", "extrapolate=True"):
        assert part in str(error)
    # the limits, as printed, are inside
    gen.draw("RRLYR", params={"period": [float(f"{low:.6g}"), float(f"{high:.6g}")]})


def test_extrapolation_is_flagged(gen: Any) -> None:
    _, high = gen.domain("RRLYR", "period")
    stars = gen.draw("RRLYR", params={"period": [0.5, 1.5 * high]}, extrapolate=True, seed=1)
    assert stars.table["extrapolated"].tolist() == [False, True]
    assert stars.columns["period"].tolist() == [0.5, 1.5 * high]
    assert np.isfinite(stars.magnitude(TIMES)).all()
    _, high = gen.domain("CEP", "amplitude")
    loud = gen.draw("CEP", params={"amplitude": 2.0 * high}, extrapolate=True, seed=1)
    assert loud.columns["extrapolated"].tolist() == [True]
    assert np.ptp(loud.template()) == pytest.approx(2.0 * high, rel=1e-3)
    with pytest.raises(DomainError, match="amplitude"):
        gen.draw("CEP", params={"amplitude": 2.0 * high})


def test_no_star_is_a_valid_number(gen: Any) -> None:
    none = gen.draw("CEP", 0, seed=1)
    assert len(none) == len(none.table) == 0
    assert none.template(16).shape == (0, 16)
    assert none.magnitude(TIMES).shape == (0, TIMES.size)
    curves = none.observe(TIMES)
    assert (len(curves), curves.mjd.size) == (0, 0)
    assert len(none.observe("lsst-wfd", band="nearest")) == 0


# ---------------------------------------------------------------------- subclasses
def test_subclasses_are_kept_or_drawn(gen: Any) -> None:
    given = gen.draw("RRLYR", 3, subclass="RRc", seed=1)
    assert given.columns["subclass"].tolist() == ["RRc"] * 3
    mixed = gen.draw(["RRLYR", "CEP", "ELL"], subclass=["RRab", "1O", ""], seed=1)
    assert mixed.columns["subclass"].tolist() == ["RRab", "1O", ""]
    drawn = gen.draw("RRLYR", 300, seed=1).columns
    assert set(drawn["subclass"]) >= {"RRab", "RRc"}
    # the period tells them apart, and so does a given one
    by = {s: np.median(drawn["period"][drawn["subclass"] == s]) for s in ("RRab", "RRc")}
    assert by["RRc"] < 0.4 < 0.5 < by["RRab"]
    short = gen.draw("RRLYR", 100, params={"period": 0.31}, seed=2).columns["subclass"]
    assert np.mean(short == "RRab") < 0.1
    in_table = gen.draw("RRLYR", params={"subclass": ["RRc", "RRab"]}, seed=1)
    assert in_table.columns["subclass"].tolist() == ["RRc", "RRab"]
    masked = MaskedColumn(["RRc", "RRab"], mask=[False, True])
    in_frame = pd.DataFrame({"subclass": ["RRc", None], "period": [0.31, 0.31]})
    assert gen.draw("RRLYR", params=in_frame, seed=1).columns["subclass"].tolist() == ["RRc", "RRc"]
    drawn_there = gen.draw("RRLYR", params=Table({"subclass": masked, "period": [0.31, 0.31]}), seed=1)
    assert drawn_there.columns["subclass"].tolist() == ["RRc", "RRc"]


# ---------------------------------------------------------------------- magnitudes
def test_zero_points(gen: Any) -> None:
    stars = gen.draw(
        ["CEP", "CEP", "CEP", "ECL"],
        params={"distance": [np.nan, 1e4, np.nan, np.nan], "mean_mag": [np.nan, np.nan, 15.0, np.nan], "a_v": 0.0},
        seed=1,
    )
    assert stars.columns["mag_zero"].tolist() == ["absolute", "apparent", "apparent", "absolute"]
    assert stars.columns["assumed"].tolist()[3] == "teff abs_mag"
    assert stars.mean_magnitude("V")[2] == 15.0
    phase = np.arange(256) / 256
    for i, period in enumerate(stars.columns["period"]):
        times = stars.columns["t0"][i] + phase * period
        mean = stars[i].magnitude(times).mean()
        assert mean == pytest.approx(stars.mean_magnitude("V")[i], abs=1e-3)
    near, far = (gen.draw("CEP", 5, params={"distance": d}, seed=1).mean_magnitude("I") for d in (10.0, 1e5))
    np.testing.assert_allclose(far - near, 20.0)
    clear, dusty = (gen.draw("CEP", 5, params={"distance": 1e4, "a_v": a}, seed=1) for a in (0.0, 1.0))
    np.testing.assert_allclose(dusty.mean_magnitude("V") - clear.mean_magnitude("V"), 1.0)
    assert (dusty.mean_magnitude("I") - clear.mean_magnitude("I") < 0.7).all()


def test_templates_are_about_zero_and_start_at_phase_zero(gen: Any) -> None:
    stars = gen.draw(np.resize(gen.classes, 16), seed=1)
    for n in (1, 7, 128, 256):
        template = stars.template(n)
        assert template.shape == (16, n)
        np.testing.assert_allclose(template.mean(axis=1), 0, atol=1e-9)
    fine = stars.template(512)
    at = np.arange(512) / 512
    mag = stars.observe(list(stars.columns["t0"][:, None] + at * stars.columns["period"][:, None])).mag
    mag = mag.reshape(16, 512)
    np.testing.assert_allclose(mag - mag.mean(axis=1, keepdims=True), fine, atol=1e-6)
    for bad in (0, -1, 2.5, True):
        with pytest.raises(InputError, match="n_phase"):
            stars.template(bad)
    with pytest.raises(UnknownNameError, match="unknown band 'K'"):
        stars.template(band="K")


# ---------------------------------------------------------------------- times and cadences
@pytest.mark.parametrize(
    "times",
    [
        list(TIMES),
        tuple(TIMES),
        TIMES.astype(np.float32).astype(float),
        Time(TIMES, format="mjd"),
        Time(TIMES + 2400000.5, format="jd"),
        TIMES * u.day,
        pd.Series(TIMES, index=np.arange(12) + 5),
        from_arrays(TIMES),
        {"mjd": TIMES, "band": ["V"] * 12},
        Table({"mjd": TIMES, "band": ["V"] * 12}),
        (TIMES, ["V"] * 12),
        pd.DataFrame({"mjd": TIMES, "band": "V"}),
    ],
    ids=lambda t: type(t).__name__,
)
def test_times_in_every_form(gen: Any, times: Any) -> None:
    stars = gen.draw("CEP", 2, seed=1)
    curves = stars.observe(times)
    np.testing.assert_allclose(curves.mjd, np.tile(TIMES, 2), atol=4e-3)
    assert set(curves.band) == {"V"}
    for i in range(2):
        np.testing.assert_allclose(curves[i].mag, stars[i].magnitude(curves[i].mjd)[0], atol=1e-9)


def test_one_array_of_times_a_star(gen: Any) -> None:
    stars = gen.draw("CEP", 3, seed=1)
    times = [TIMES[:5], TIMES[2:4], [60007.0]]
    curves = stars.observe(times)
    assert np.diff(curves.offsets).tolist() == [5, 2, 1]
    for i, own in enumerate(times):
        np.testing.assert_allclose(curves[i].mjd, own)
        np.testing.assert_allclose(curves[i].mag, stars[i].magnitude(own)[0], atol=1e-12)
    with pytest.raises(InputError, match="2 arrays for 3 stars"):
        stars.observe(times[:2])


def test_unsorted_times_keep_their_order(gen: Any) -> None:
    times = np.array([60005.0, 60001.0, 60005.0, 60003.0])
    stars = gen.draw("RRLYR", 2, seed=1)
    curves = stars.observe(times)
    assert curves[1].mjd.tolist() == times.tolist()
    assert curves[1].mag[0] == curves[1].mag[2]
    np.testing.assert_array_equal(stars.magnitude(times)[0], curves[0].mag)
    sorted_mag = stars.observe(np.sort(times))[0].mag
    np.testing.assert_array_equal(curves[0].mag[np.argsort(times, kind="stable")], sorted_mag)


@pytest.mark.parametrize(
    ("times", "error"),
    [
        ([], InputError),
        (np.array([]), InputError),
        ([60000.0, np.nan], InputError),
        ([60000.0, np.inf], InputError),
        ([[60000.0], []], InputError),
        (np.ones((2, 2)) * 60000.0, InputError),
        (np.ma.array([60000.0, 60001.0], mask=[False, True]), InputError),
        (MaskedColumn([60000.0, 60001.0], mask=[False, True], unit="d"), InputError),
        (Time(np.ma.array([60000.0, 60001.0], mask=[False, True]), format="mjd"), InputError),
        (["a", "b"], lcgen.LcgenError),
        ("no-such-recipe", UnknownNameError),
        (None, lcgen.LcgenError),
        (object(), InputError),
        ({"mjd": [60000.0], "band": ["Q"]}, UnknownNameError),
        ({"mjd": [], "band": []}, lcgen.LcgenError),
        ({"mjd": [60000.0, np.nan], "band": ["V", "V"]}, lcgen.LcgenError),
        (Path("no/such/file.db"), lcgen.LcgenError),
        (1e300, InputError),
    ],
)
def test_bad_times(gen: Any, times: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        gen.draw("CEP", 2, seed=1).observe(times)


def test_cadences_by_name_and_by_object(gen: Any) -> None:
    stars = gen.draw("RRLYR", 2, params={"ra": [10.0, 40.0], "dec": [-30.0, -5.0]}, seed=1)
    by_name = stars.observe("lsst-wfd", band="nearest", seed=3)
    by_object = stars.observe(lcgen.load_recipe("lsst-wfd"), band="nearest", seed=3)
    assert by_name.mjd.tobytes() == by_object.mjd.tobytes()
    assert set(by_name.band) == {"V", "I"}
    assert set(stars.observe("lsst-wfd", seed=3).band) == set("ugrizy")
    for i in range(2):
        assert 500 < len(by_name[i]) < 1200
    assert not np.array_equal(by_name[0].mjd, by_name[1].mjd)


def test_bands_of_a_schedule_can_be_mapped(gen: Any) -> None:
    stars = gen.draw("CEP", 1, seed=1)
    visits = {"mjd": TIMES[:4], "band": ["g", "i", "z", "r"]}
    assert stars.observe(visits).band.tolist() == ["g", "i", "z", "r"]
    assert stars.observe(visits, band="nearest").band.tolist() == ["V", "I", "I", "V"]
    assert stars.observe(visits, band="I").band.tolist() == ["I"] * 4
    mapping = {"g": "V", "i": "V", "z": "I", "r": "I"}
    assert stars.observe(visits, band=mapping).band.tolist() == ["V", "V", "I", "I"]
    seen = stars.observe(visits, band="nearest")
    for name in ("V", "I"):
        rows = seen.band == name
        np.testing.assert_allclose(seen.mag[rows], stars.magnitude(seen.mjd[rows], band=name)[0])
    for bad in ("Q", {"g": "V"}, {"g": "Q", "i": "Q", "z": "Q", "r": "Q"}, 3):
        with pytest.raises(UnknownNameError):
            stars.observe(visits, band=bad)


# ---------------------------------------------------------------------- noise, in the generator's hands
def test_noise_by_name_object_and_none(gen: Any) -> None:
    stars = gen.draw("RRLYR", 2, params={"mean_mag": 16.0}, seed=1)
    assert stars.observe(TIMES).meta["noise"] is None
    css = stars.observe(TIMES, noise="CSS")
    assert css.meta["noise"] == "CSS"
    assert (css.mag_err > 0).all()
    assert stars.observe(TIMES, noise=gen.noise_models["CSS"]).mag.tobytes() == css.mag.tobytes()
    deep = {"mjd": TIMES, "band": ["V"] * 12, "depth5": [24.5] * 12}
    assert (stars.observe(deep, noise="depth").flux_err > 0).all()
    with pytest.raises(lcgen.CadenceError, match="depths"):
        stars.observe(TIMES, noise="depth")
    for bad in ("CSSS", 3, 0.1):
        with pytest.raises(UnknownNameError, match="depth, CSS, OGLE-III"):
            stars.observe(TIMES, noise=bad)
    with pytest.raises(UnknownNameError, match="band of the CSS noise model"):
        stars.observe(TIMES, noise="CSS", band="I")
    with pytest.raises(DomainError, match="mean_mag or distance"):
        gen.draw("RRLYR", 1, seed=1).observe(TIMES, noise="CSS")


def test_any_object_with_measure_is_a_noise_model(gen: Any) -> None:
    seen: list[NoiseRequest] = []

    def measure(request: NoiseRequest) -> NoisyPhotometry:
        seen.append(request)
        return NoisyPhotometry(mag=request.mag + 0.1 * request.normals, mag_err=np.full(request.mag.shape, 0.1))

    model = SimpleNamespace(name="tenth", measure=measure)
    stars = gen.draw(["CEP", "ECL"], seed=1)
    curves = stars.observe(TIMES, noise=model, band="I")
    assert curves.meta["noise"] == "tenth"
    request = seen[0]
    np.testing.assert_allclose(request.mag, stars.observe(TIMES, band="I").mag)
    assert request.class_name.tolist() == ["CEP"] * 12 + ["ECL"] * 12
    assert request.band_names == ("I",)
    pull = (curves.mag - request.mag) / 0.1
    np.testing.assert_allclose(pull, request.normals)
    assert ((request.uniforms >= 0) & (request.uniforms < 1)).all()


# ---------------------------------------------------------------------- seeds
def test_seeds(gen: Any) -> None:
    assert gen.draw("CEP", 3, seed=1).template().tobytes() == gen.draw("CEP", 3, seed=1).template().tobytes()
    assert gen.draw("CEP", 3, seed=1).template().tobytes() != gen.draw("CEP", 3, seed=2).template().tobytes()
    # without a seed the system's entropy decides, and the seed is known afterwards
    free = gen.draw("CEP", 3)
    assert free.seed != gen.draw("CEP", 3).seed
    assert gen.draw("CEP", 3, seed=free.seed).template().tobytes() == free.template().tobytes()
    stars = gen.draw("CEP", 3, params={"mean_mag": 16.0}, seed=1)
    default, same, other = (stars.observe(TIMES, noise="CSS", seed=s).mag for s in (None, 1, 2))
    assert default.tobytes() == same.tobytes() != other.tobytes()
    one = gen.sample("CEP", {"mean_mag": [16.0] * 3}, TIMES, seed=1, noise="CSS")
    assert one.mag.tobytes() == same.tobytes()


def test_draws_leave_the_global_random_state_alone(gen: Any) -> None:
    import torch

    before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002 - the point of it
    gen.sample("CEP", {"mean_mag": 16.0}, TIMES, noise="CSS")
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert torch.equal(torch_before, torch.get_rng_state())


def test_stars_of_one_draw_differ(gen: Any) -> None:
    stars = gen.draw("CEP", 50, seed=1)
    assert len({t.tobytes() for t in stars.template(32)}) == 50
    assert np.unique(stars.columns["period"]).size == 50
    assert stars.columns["star_id"].tolist() == list(range(50))
    # the zero of phase is spread over the period
    turn = (stars.columns["t0"] - 60000.0) / stars.columns["period"]
    assert ((turn >= 0) & (turn < 1)).all()
    assert turn.std() > 0.2


def test_tempered_draws_are_wider(gen: Any) -> None:
    plain = np.log10(gen.draw("RRLYR", 400, subclass="RRab", seed=1).columns["period"])
    wide = np.log10(gen.draw("RRLYR", 400, subclass="RRab", seed=1, temper=0.5).columns["period"])
    narrow = np.log10(gen.draw("RRLYR", 400, subclass="RRab", seed=1, temper=2.0).columns["period"])
    assert narrow.std() < plain.std() < wide.std()


def test_selections_of_stars(gen: Any) -> None:
    stars = gen.draw(["CEP", "ECL", "LPV", "CEP"], seed=1)
    assert isinstance(stars[1:3], Stars)
    assert stars[1:3].columns["class"].tolist() == ["ECL", "LPV"]
    assert stars[stars.columns["class"] == "CEP"].columns["star_id"].tolist() == [0, 3]
    assert stars[-1].columns["star_id"].tolist() == [3]
    assert stars[[3, 1]].template().tobytes() == stars.template()[[3, 1]].tobytes()
    assert repr(stars) == "<Stars: 2 CEP, 1 ECL, 1 LPV>"
    assert stars.table["period"].unit == u.day
    assert stars.latent.shape[0] == 4


def test_the_split_is_known(gen: Any, data_dir: Path) -> None:
    from lcgen.prepare.split import split_by_star

    assert gen.split_of(["no such star"]).tolist() == [""]
    assert gen.split_of([]).size == 0
    curves = lcgen.read_pack(data_dir / "lightcurves" / "ogle3_lmc_cep_i.h5")
    known = gen.split_of(curves.columns["id"])
    names, counts = np.unique(known[known != ""], return_counts=True)
    assert set(names) == {"train", "validation", "test"}
    assert dict(zip(names, counts / counts.sum(), strict=True))["train"] == pytest.approx(0.6, abs=0.15)
    assert split_by_star(["a"], ["CEP"]).shape == (1,)
