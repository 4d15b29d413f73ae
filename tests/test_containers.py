"""Containers, photometry, random streams, interpolation, requests and configuration: the parts without torch."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lcgen import ConfigError, InputError, LightCurve, LightCurves, UnknownNameError, photometry, rng
from lcgen.config import from_mapping, read_toml
from lcgen.interpolate import evaluate_periodic, peak_to_peak_periodic, resample_periodic
from lcgen.lightcurve import phase_of
from lcgen.params import read_request
from lcgen.taxonomy import CLASS_INFO, PARAMETERS, canonical_subclass, class_info, parameter_info


def _curves(counts: list[int], **changes: Any) -> LightCurves:
    n = sum(counts)
    draw = rng.stream(1, "curves")
    return dataclasses.replace(
        LightCurves(
            offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            mjd=np.sort(draw.uniform(60000, 60100, n)),
            mag=draw.normal(15, 1, n),
            mag_err=np.full(n, 0.02),
            band_index=(np.arange(n) % 2).astype(np.uint8),
            band_names=("V", "I"),
            columns={"star_id": np.arange(len(counts)), "period": np.linspace(0.5, 3, len(counts))},
        ),
        **changes,
    )


# ---------------------------------------------------------------------- light curves
def test_stars_own_their_rows() -> None:
    curves = _curves([3, 0, 4])
    assert len(curves) == 3
    assert [len(c) for c in curves] == [3, 0, 4]
    last = curves[-1]
    assert isinstance(last, LightCurve)
    assert last.star == {"star_id": 2, "period": 3.0}
    np.testing.assert_array_equal(last.mjd, curves.mjd[3:])
    np.testing.assert_array_equal(last.band, curves.band[3:])
    assert curves.star_index.tolist() == [0, 0, 0, 2, 2, 2, 2]
    for bad in (3, -4):
        with pytest.raises(IndexError):
            curves[bad]
    assert "7 observations in V, I" in repr(curves)
    assert "period=3 d" in repr(last)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_take_and_concatenate_invert(data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=8))
    curves = _curves(counts)
    cut = data.draw(st.integers(0, len(counts)))
    if 0 < cut < len(counts):
        again = LightCurves.concatenate([curves[:cut], curves[cut:]])
        for name in ("offsets", "mjd", "mag", "mag_err", "band"):
            np.testing.assert_array_equal(getattr(again, name), getattr(curves, name))
        np.testing.assert_array_equal(again.columns["period"], curves.columns["period"])
    order = data.draw(st.permutations(range(len(counts))))
    back = curves.take(order).take(np.argsort(order))
    np.testing.assert_array_equal(back.mag, curves.mag)
    np.testing.assert_array_equal(back.offsets, curves.offsets)
    keep = np.array(data.draw(st.lists(st.booleans(), min_size=sum(counts), max_size=sum(counts))), dtype=bool)
    kept = curves.where(keep)
    np.testing.assert_array_equal(kept.mag, curves.mag[keep])
    assert len(kept) == len(curves)
    assert np.diff(kept.offsets).tolist() == [
        int(keep[a:b].sum()) for a, b in zip(curves.offsets, curves.offsets[1:], strict=False)
    ]


def test_masks_and_slices_pick_stars() -> None:
    curves = _curves([3, 2, 4])
    assert curves[np.array([True, False, True])].columns["star_id"].tolist() == [0, 2]
    assert curves[::2].columns["star_id"].tolist() == [0, 2]
    assert len(curves[[]]) == 0
    with pytest.raises(InputError, match="mask has shape"):
        curves.where([True])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"offsets": np.array([1, 3])}, "start at 0"),
        ({"offsets": np.array([0, 4, 3])}, "must not decrease"),
        ({"offsets": np.array([0, 4])}, "offsets ask for"),
        ({"mag": np.zeros(2)}, "mag has shape"),
        ({"band_index": np.full(3, 2, dtype=np.uint8)}, "band_index reaches 2"),
        ({"columns": {"period": np.zeros(5)}}, "column 'period' has 5 rows"),
        ({"measured_flux": np.zeros(2)}, "measured_flux has shape"),
    ],
)
def test_contradictory_curves_are_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        _curves([3], **change)


def test_concatenation_fills_what_is_missing() -> None:
    a = _curves([2], columns={"class": np.array(["CEP"]), "n": np.array([3]), "ok": np.array([True])})
    b = _curves([1], columns={"teff": np.array([6000.0])}, band_names=("I", "V"))
    both = LightCurves.concatenate([a, b])
    assert both.columns["class"].tolist() == ["CEP", ""]
    assert both.columns["n"].tolist() == [3, -1]
    assert both.columns["ok"].tolist() == [True, False]
    assert np.isnan(both.columns["teff"][0])
    assert both.band.tolist() == ["V", "I", "I"]
    with pytest.raises(InputError):
        LightCurves.concatenate([])


def test_measured_fluxes_survive_concatenation() -> None:
    """A flux measured negative has no magnitude: it must not be lost beside curves without measured fluxes."""
    measured = _curves([2], mag=np.array([15.0, np.nan]), measured_flux=np.array([3e6, -5.0]),
                       measured_flux_err=np.array([10.0, 10.0]))  # fmt: skip
    plain = _curves([2])
    both = LightCurves.concatenate([measured, plain])
    np.testing.assert_array_equal(both.flux, np.concatenate([measured.flux, plain.flux]))
    np.testing.assert_array_equal(both.flux_err, np.concatenate([measured.flux_err, plain.flux_err]))
    assert both.take([0])[0].flux.tolist() == [3e6, -5.0]


def test_fluxes_follow_from_magnitudes() -> None:
    curves = _curves([3, 4])
    for one in curves:
        np.testing.assert_allclose(one.flux_err / one.flux, 0.4 * np.log(10) * one.mag_err)
    np.testing.assert_allclose(np.concatenate([c.flux for c in curves]), curves.flux)
    np.testing.assert_allclose(np.concatenate([c.flux_err for c in curves]), curves.flux_err)


def test_tables_carry_units() -> None:
    table = _curves([3])[0].to_table()
    assert table["mjd"].unit == u.day
    assert table["flux"].unit == u.nJy
    assert table.meta["period"] == 0.5
    stars = _curves([3, 1]).stars
    assert stars["period"].unit == u.day


def test_phases() -> None:
    curves = _curves([3, 2], columns={"period": np.array([0.5, np.nan]), "t0": np.array([np.nan, 3.0])})
    phase = curves.phase()
    np.testing.assert_allclose(phase[:3], (curves.mjd[:3] / 0.5) % 1.0)
    assert np.isnan(phase[3:]).all()
    np.testing.assert_allclose(curves[0].phase(), phase[:3])
    with pytest.raises(InputError, match="no period"):
        curves[1].phase()


@given(
    st.floats(-1e5, 1e5),
    st.floats(1e-3, 1e4),
    st.floats(-1e5, 1e5),
)
def test_a_phase_is_in_the_half_open_interval(mjd: float, period: float, t0: float) -> None:
    phase = float(phase_of(mjd, period, t0))
    assert 0.0 <= phase < 1.0
    turns = (mjd - t0) / period - phase
    assert abs(turns - round(turns)) < 1e-6


# ---------------------------------------------------------------------- interpolation
@settings(max_examples=30, deadline=None)
@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 4), st.sampled_from([8, 13, 128])), elements=st.floats(-5, 5)),
    st.floats(0, 1, exclude_max=True),
)
def test_interpolation_is_exact_on_the_grid_and_periodic(grid: np.ndarray, phase: float) -> None:
    n, m = grid.shape
    np.testing.assert_allclose(resample_periodic(grid, m), grid, atol=1e-12)
    rows = np.arange(n)
    at = evaluate_periodic(grid, rows, np.full(n, phase))
    turned = evaluate_periodic(np.roll(grid, 3, axis=1), rows, np.full(n, (phase + 3 / m) % 1.0))
    np.testing.assert_allclose(at, turned, atol=1e-8)
    inside = peak_to_peak_periodic(grid)
    dense = np.ptp(resample_periodic(grid, m * 64), axis=1)
    assert (dense <= inside + 1e-9).all()
    np.testing.assert_allclose(dense, inside, atol=1e-2)


def test_interpolation_reproduces_smooth_curves() -> None:
    phase = np.arange(128) / 128
    curve = np.cos(2 * np.pi * phase) + 0.3 * np.sin(4 * np.pi * phase)
    at = np.linspace(0, 1, 999, endpoint=False)
    expected = np.cos(2 * np.pi * at) + 0.3 * np.sin(4 * np.pi * at)
    got = evaluate_periodic(curve[None], np.zeros(999, dtype=int), at)
    np.testing.assert_allclose(got, expected, atol=1e-4)
    assert peak_to_peak_periodic(np.cos(2 * np.pi * phase)[None])[0] == pytest.approx(2.0, abs=1e-9)
    assert peak_to_peak_periodic(np.full((1, 8), 3.0)).tolist() == [0.0]
    assert peak_to_peak_periodic(np.zeros((0, 8))).shape == (0,)


# ---------------------------------------------------------------------- photometry
@given(st.floats(5, 30), st.sampled_from(sorted(photometry.BANDS)))
def test_flux_and_magnitude_invert(mag: float, band: str) -> None:
    assert float(photometry.flux_to_mag(photometry.mag_to_flux(mag, band), band)) == pytest.approx(mag, abs=1e-9)


def test_zero_points_and_bands() -> None:
    assert float(photometry.mag_to_flux(0.0, "r")) == pytest.approx(3631e9, rel=1e-3)
    # Vega, 0.03 mag in V, is 0.00 in AB (Blanton & Roweis 2007, AJ 133, 734, table 1: 0.02)
    assert float(photometry.mag_to_flux(0.03, "V")) == pytest.approx(float(photometry.mag_to_flux(0.0, "g")), rel=0.02)
    assert np.isnan(photometry.flux_to_mag([-1.0, 0.0, np.nan], "r")).all()
    assert [photometry.nearest_band(b, ("V", "I")) for b in "ugrizy"] == ["V", "V", "V", "I", "I", "I"]
    for bad in ("Q", "", None, ["V"]):
        with pytest.raises(UnknownNameError):
            photometry.band_info(bad)


# ---------------------------------------------------------------------- random streams
def test_streams_belong_to_stars() -> None:
    ids = [5, 0, 10**12, 5]
    by_streams = [g.random(3).tolist() for g in rng.star_streams(7, "noise", ids)]
    assert by_streams == [rng.stream(7, "noise", i).random(3).tolist() for i in ids]
    assert rng.uniforms(7, "noise", ids, 3).tolist() == by_streams
    assert by_streams[0] == by_streams[3] != by_streams[1]
    assert rng.uniforms(7, "noise", [5], 3).tolist() != rng.uniforms(7, "phase", [5], 3).tolist()
    assert rng.uniforms(7, "noise", [5], 3).tolist() != rng.uniforms(8, "noise", [5], 3).tolist()
    # a buffered half of a 64-bit number must not leak from one star into the next
    pairs = [g.integers(0, 2**31, dtype=np.int32) for g in rng.star_streams(7, "x", [1, 2])]
    assert pairs[1] == rng.stream(7, "x", 2).integers(0, 2**31, dtype=np.int32)
    assert rng.uniforms(7, "noise", [], 3).shape == (0, 3)


def test_numbers_are_distributed_as_they_should_be() -> None:
    from scipy import stats

    uniform = rng.uniforms(1, "test", np.arange(5000), 4)
    assert stats.kstest(uniform.ravel(), "uniform").pvalue > 1e-3
    assert np.abs(np.corrcoef(uniform.T) - np.eye(4)).max() < 0.06
    normal = rng.normals(1, "test", np.arange(5000), 4)
    assert stats.kstest(normal.ravel(), "norm").pvalue > 1e-3
    assert np.isfinite(normal).all()
    # neighbouring stars are independent
    assert abs(np.corrcoef(uniform[:-1, 0], uniform[1:, 0])[0, 1]) < 0.05


@pytest.mark.parametrize("seed", [-1, 2**63, 1.0, "1", None, True])
def test_bad_seeds(seed: Any) -> None:
    with pytest.raises(InputError, match="seed"):
        rng.check_seed(seed)


def test_new_seeds_are_valid_and_new() -> None:
    seeds = {rng.new_seed() for _ in range(20)}
    assert len(seeds) == 20
    assert {rng.check_seed(s) for s in seeds} == seeds
    assert rng.check_seed(np.uint64(2**63 - 1)) == 2**63 - 1


# ---------------------------------------------------------------------- names and requests
def test_names() -> None:
    for name, info in CLASS_INFO.items():
        assert class_info(name) is info
        for sub in info.subclasses:
            assert canonical_subclass(name, sub) == sub
        assert canonical_subclass(name, "nonsense") == ""
    assert PARAMETERS["period"].unit == "d"
    for lookup in (class_info, parameter_info):
        for bad in ("", "cep", None, []):
            with pytest.raises(UnknownNameError, match="allowed"):
                lookup(bad)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 5),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.lists(st.floats(0.1, 10), min_size=5, max_size=5),
)
def test_a_request_has_one_length(n: int, many: bool, by_n: bool, by_sub: bool, periods: list[float]) -> None:
    request = read_request(
        ["CEP"] * n if many else "CEP",
        {"period": periods[:n], "teff": 6000.0},
        n=n if by_n else None,
        subclass=["F"] * n if by_sub else "F",
    )
    assert request.classes.tolist() == ["CEP"] * n
    assert request.subclass.tolist() == ["F"] * n
    assert request.known["period"].tolist() == periods[:n]
    assert request.known["teff"].tolist() == [6000.0] * n
    assert not request.scalar
    assert read_request("CEP", {"period": periods[0]}).scalar


# ---------------------------------------------------------------------- configuration
@dataclasses.dataclass(frozen=True, kw_only=True)
class _Inner:
    size: int = 3
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ConfigError(f"inner.size must not be negative, received {self.size}")
        if self.size > 100:
            raise InputError("too large")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Outer:
    name: str
    rate: float = 1.0
    on: bool = False
    limit: int | None = None
    inner: _Inner = dataclasses.field(default_factory=_Inner)
    many: tuple[_Inner, ...] = ()
    by_name: dict[str, _Inner] = dataclasses.field(default_factory=dict)


def test_a_mapping_becomes_a_dataclass() -> None:
    values = {"name": "a", "rate": 2, "limit": 5, "inner": {"size": 7, "names": ["x"]}, "many": [{"size": 1}, {}]}
    made = from_mapping(_Outer, values | {"by_name": {"k": {"size": 9}}})
    assert made.rate == 2.0
    assert isinstance(made.rate, float)
    assert made.inner == _Inner(size=7, names=("x",))
    assert made.many == (_Inner(size=1), _Inner())
    assert made.by_name == {"k": _Inner(size=9)}
    assert made.limit == 5
    assert from_mapping(_Outer, {"name": "a"}).limit is None


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({}, "'name' is missing"),
        ({"nam": "a"}, "unknown key 'nam' .did you mean 'name'"),
        ({"name": 3}, "name must be of type str, received 3"),
        ({"name": "a", "rate": "fast"}, "rate must be of type float"),
        ({"name": "a", "rate": True}, "rate must be of type float"),
        ({"name": "a", "on": 1}, "on must be of type bool"),
        ({"name": "a", "limit": 1.5}, "limit must be of type int"),
        ({"name": "a", "limit": True}, "limit must be of type int"),
        ({"name": "a", "inner": 3}, "inner must be a table"),
        ({"name": "a", "inner": {"sise": 3}}, "inner.sise"),
        ({"name": "a", "inner": {"size": -1}}, "inner.size"),
        ({"name": "a", "inner": {"size": 101}}, "inner: too large"),
        ({"name": "a", "inner": {"names": "x"}}, "inner.names must be a list"),
        ({"name": "a", "inner": {"names": ["x", 1]}}, r"inner.names\[1\]"),
        ({"name": "a", "many": [{"sise": 1}]}, r"many\[0\].sise"),
        ({"name": "a", "by_name": {"k": {"sise": 1}}}, "by_name.k.sise"),
        ({"name": "a", "by_name": []}, "by_name must be a table"),
        ([], "the configuration must be a table"),
    ],
)
def test_wrong_values_are_named(values: Any, key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        from_mapping(_Outer, values)


@pytest.mark.parametrize("content", [None, b"a = = 3", b"\xff\xfe", b"a = 1\na = 2"])
def test_bad_toml(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "config.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"config\.toml"):
        read_toml(path)
    with pytest.raises(ConfigError):
        read_toml(tmp_path)  # a folder


def test_nothing_here_imports_torch() -> None:
    code = (
        "import sys, lcgen, lcgen.params, lcgen.interpolate, lcgen.rng, lcgen.lightcurve, lcgen.prepare.dataset, "
        "lcgen.stars, lcgen.observe, lcgen.train.config; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
